"""``tiva groups``: which country and sector groups there are, who is in them, and what a table shows of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App

from tiva.cli.common import SWITCH, Common, Reading, aligned, emit, emit_json, progress, read_table
from tiva.errors import ConcordanceError, GroupError, UnknownLabelError, UsageError, explain

if TYPE_CHECKING:
    from tiva.groups import CountryGroup, SectorGroup, Selection
    from tiva.table.icio_table import IcioTable

WIDTH = 110
"""Columns of text."""


def register(app: App) -> None:
    """Add the command."""
    app.command(groups)


def groups(
    *names: str,
    table: Path | None = None,
    json: Annotated[bool, SWITCH] = False,
    reading: Reading | None = None,
    common: Common | None = None,
) -> None:
    """List country and sector groups, who is in them in which years, and what a table shows of them.

    In selections (--exporter, --importer, --sector, --origin) a group stands for its members one by one; with --groups
    it acts as one country; with --sum results of its members are added up. Expressions: EU27|USA a union, WLD-ROW all
    but the rest of the world, ALL every sector.

    Parameters
    ----------
    names
        Groups to describe, or with --table expressions; all groups in a line each when left out.
    table
        A table, or the word example: says which members it shows, and which are in one of its aggregates.
    json
        JSON instead of text.
    reading
        How the table is read; without one --year is that of the membership.
    common
        Options of every command.
    """
    reading = reading or Reading()
    if table is None and reading.layout is not None:
        raise UsageError(explain("--layout belongs to a table", do="name it with --table"))
    shown = None
    if table is not None:
        with progress("reading the table ...", common or Common()):
            shown = read_table(table, reading)
    year = reading.year if shown is None else shown.year
    found = [_described(name, shown, year) for name in names or _every()]
    if json:
        emit_json([entry.plain() for entry in found])
    elif names:
        emit("\n\n".join(entry.text() for entry in found))
    else:
        _print_all(found, shown)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A group or expression, and what a table shows of it.

    Attributes
    ----------
    name, kind, title, source, url, aliases
        As in the data; the kind is ``"country"`` or ``"sector"``.
    members, of_year, year
        Everyone who ever was a member with the years, and the members of the year; or revisions of ISIC with divisions.
    table, shown, absent, refused
        Title of the table; labels of it that are chosen, members that it does not show on their own, and why nothing
        can be chosen.
    """

    name: str
    kind: str
    title: str
    source: str
    url: str
    aliases: tuple[str, ...]
    members: Mapping[str, str]
    of_year: tuple[str, ...]
    year: int | None
    table: str
    shown: tuple[str, ...]
    absent: tuple[str, ...]
    refused: str

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        kept = ("shown", "absent", "refused", "table") if not self.table else ()
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in told.items()
            if name not in kept
        }  # fmt: skip

    def text(self) -> str:
        """Return it as a paragraph."""
        head = f"{self.name}  {self.title}" if self.title else self.name
        lines = [head]
        facts = {"also called": ", ".join(self.aliases), "source": self.source, "url": self.url}
        label = "members" if self.kind == "country" else "ISIC divisions"
        facts[label] = ", ".join(f"{code} {span}".strip() for code, span in self.members.items())
        if self.of_year and len(self.of_year) < len(self.members):
            facts[f"of {self.year or 'the newest year'} ({len(self.of_year)})"] = ", ".join(self.of_year)
        if self.table:
            facts[f"in {self.table}"] = self.refused or f"{', '.join(self.shown)} ({len(self.shown)})"
            facts["not on their own"] = ", ".join(self.absent)
        for label, value in facts.items():
            if value:
                lines.append(_filled(f"{label}: {value}"))
        return "\n".join(lines)


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _every() -> list[str]:
    from tiva.groups import country_groups, sector_groups

    return [*dict.fromkeys(g.name for g in country_groups().values()), *sector_groups()]


def _described(name: str, table: IcioTable | None, year: int | None) -> _Entry:
    """Describe a group, or an expression over a table."""
    from tiva.groups import country_groups, sector_groups

    country, sector = country_groups().get(name), sector_groups().get(name)
    if country is not None:
        facts = _country(country, year)
    elif sector is not None:
        facts = _sector(sector)
    elif table is None:
        if {"|", "-"} & set(name):
            raise UsageError(explain(f"{name!r} is an expression over a table", do="name the table with --table"))
        raise UnknownLabelError("group", name, (*country_groups(), *sector_groups()))
    else:
        facts = {"name": name, "kind": _kind(name, table), "title": ""}
    facts = {"source": "", "url": "", "aliases": (), "members": {}, "of_year": (), **facts, "year": year}
    if table is None:
        return _Entry(**facts, table="", shown=(), absent=(), refused="")
    alone = country is None and sector is None
    try:
        chosen = _select(name, facts["kind"], table)
    except (GroupError, ConcordanceError, UnknownLabelError) as error:
        if alone:
            raise
        return _Entry(**facts, table=table.title, shown=(), absent=(), refused=str(error).splitlines()[0])
    return _Entry(**facts, table=table.title, shown=chosen.members, absent=chosen.absent, refused="")


def _kind(expression: str, table: IcioTable) -> str:
    """Return whether an expression is about countries or sectors of a table: sectors where only these are all known."""
    from tiva.groups import sector_groups, select_countries, select_sectors

    try:
        select_countries(expression, table.countries, year=table.year)
    except UnknownLabelError as error:
        try:
            select_sectors(expression, table.sectors)
        except (UnknownLabelError, ConcordanceError) as other:
            raise (other if error.label in {*table.sectors, *sector_groups()} else error) from None
        except GroupError:
            return "sector"
        return "sector"
    except GroupError:
        return "country"
    return "country"


def _select(name: str, kind: str, table: IcioTable) -> Selection:
    from tiva.groups import select_countries, select_sectors

    if kind == "country":
        return select_countries(name, table.countries, year=table.year)
    return select_sectors(name, table.sectors)


def _country(group: CountryGroup, year: int | None) -> dict[str, Any]:
    spans = {code: _span(years) for code, years in group.members.items()}
    return {
        "name": group.name, "kind": "country", "title": group.title, "source": group.source, "url": group.url,
        "aliases": group.aliases, "members": spans, "of_year": group.of_year(year),
    }  # fmt: skip


def _span(years: tuple[int | None, int | None]) -> str:
    first, last = years
    if last is not None:
        return f"({first}-{last})"
    return "" if first is None else f"({first}-)"


def _sector(group: SectorGroup) -> dict[str, Any]:
    spans = {f"Rev. {revision}": _ranges(codes) for revision, codes in group.divisions.items()}
    return {"name": group.name, "kind": "sector", "title": group.title, "source": group.source, "members": spans}


def _ranges(codes: Iterable[str]) -> str:
    """Write divisions as ranges: ``"10-12 15"``."""
    runs: list[list[int]] = []
    for code in sorted(map(int, codes)):
        if runs and runs[-1][-1] == code - 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    return " ".join(f"{run[0]:02d}" if len(run) == 1 else f"{run[0]:02d}-{run[-1]:02d}" for run in runs)


def _print_all(found: list[_Entry], table: IcioTable | None) -> None:
    """Print a line a group: countries, then sectors."""
    for kind, head in (("country", "country groups"), ("sector", "sector groups")):
        rows = []
        for entry in (e for e in found if e.kind == kind):
            cells = [entry.name]
            if kind == "country":
                cells.append(str(len(entry.of_year)))
            if table is not None:
                cells.append("-" if entry.refused else str(len(entry.shown)))
            rows.append((*cells, entry.title))
        counts = [*(["members"] if kind == "country" else []), *(["shown"] if table is not None else [])]
        heads = ["name", *counts, "title"]
        emit(f"{head}\n{aligned(heads, rows, indent='  ')}\n")
    when = "the newest year" if found[0].year is None else str(found[0].year)
    emit(f"members of {when}; `tiva groups NAME` names them and the source, --table TABLE what a table shows of them")
