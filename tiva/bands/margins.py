"""Margins by firm-size band as published facts: the tidy file, and what is refused in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiva.bands.schemes import BandScheme, Row, band_schemes, frame_rows, read_rows
from tiva.bands.shares import LogRecord
from tiva.errors import MarginError, explain, listing, suggest

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("country", "sector", "band_scheme", "band", "variable", "unit", "value", "status")
OPTIONAL = (
    "year", "sector_scheme", "partner", "se", "lo", "hi", "source", "source_id", "url", "licence", "note",
)  # fmt: skip

VARIABLES = (
    "output", "turnover", "va", "employment", "enterprises", "exports", "imports_intermediate", "imports_total",
    "sales_domestic_intermediate", "purchases_domestic",
)  # fmt: skip
"""What a margin may be of; ``va`` is value added."""

UNITS = ("share", "LCU_mn", "USD_mn", "EUR_mn", "persons", "count")
STATUSES = ("observed", "derived", "imputed", "assumed", "confidential", "missing")
EMPTY_STATUSES = ("confidential", "missing")
SPECIAL_BANDS = ("TOTAL", "UNKNOWN")
ALL_SECTORS = "_ALL"
"""Sector of a margin for the whole country."""

WORLD = "WLD"

PUBLISHED_SUM_TOLERANCE = 1e-6
"""Published shares of a group must sum to one within this (six digits)."""

EXACT_SUM = 1e-12
"""Shares that sum to one within this are used to the last digit; others within the tolerance are scaled, and logged."""

LISTED_PROBLEMS = 20
"""Bad rows listed in a message; ``MarginError.problems`` has all."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One published number.

    Attributes
    ----------
    country, sector, band, variable, partner, unit, status
        As in the file; ``sector`` may be ``"_ALL"``, ``band`` also ``"TOTAL"`` or ``"UNKNOWN"``.
    scheme, sector_scheme
        Band scheme, and classification of the sector (``""``: the table's own labels).
    year
        Reference year or ``None``.
    value, se
        Value and its standard error in ``unit``; NaN where empty.
    source, where
        Source, and file and line.
    """

    country: str
    sector: str
    scheme: str
    band: str
    variable: str
    unit: str
    value: float
    status: str
    where: str
    year: int | None = None
    sector_scheme: str = ""
    partner: str = WORLD
    se: float = float("nan")
    source: str = ""
    note: str = ""

    @property
    def group(self) -> tuple[object, ...]:
        """What the bands of one distribution have in common."""
        return (
            self.country, self.year, self.sector_scheme, self.sector, self.scheme, self.variable, self.partner,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SectorLink:
    """One row of a concordance: a source sector is part of, or holds, a sector of the table."""

    from_scheme: str
    from_code: str
    to_code: str
    weight: float
    where: str


@dataclass(frozen=True, eq=False)
class Margins:
    """Checked facts by country, sector and band, before they meet a table.

    Attributes
    ----------
    facts
        All rows.
    schemes
        Band schemes by name.
    links
        Concordance to the sectors of a table, ``()`` where labels are the table's own.
    log
        What reading had to assume.
    """

    facts: tuple[Fact, ...]
    schemes: Mapping[str, BandScheme]
    links: tuple[SectorLink, ...] = ()
    log: tuple[LogRecord, ...] = field(default=())

    @property
    def countries(self) -> tuple[str, ...]:
        """Countries with facts, in order of first appearance."""
        return tuple(dict.fromkeys(f.country for f in self.facts))

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of all facts, in order of first appearance."""
        return tuple(dict.fromkeys(f.source for f in self.facts if f.source))

    def __len__(self) -> int:
        """Return the number of facts."""
        return len(self.facts)

    def __repr__(self) -> str:
        return f"<Margins: {len(self)} facts for {listing(self.countries)}>"

    def to_frame(self) -> pd.DataFrame:
        """Return the facts as a data frame, one a row."""
        import pandas as pd

        names = tuple(Fact.__slots__)
        return pd.DataFrame([[getattr(f, n) for n in names] for f in self.facts], columns=list(names))

    def only(self, countries: Iterable[str]) -> Margins:
        """Return the margins of some countries."""
        wanted = set(countries)
        facts = tuple(f for f in self.facts if f.country in wanted)
        return Margins(facts, self.schemes, self.links, self.log)


def read_margins(
    source: str | Path | pd.DataFrame | Iterable[Mapping[str, object]],
    *,
    schemes: str | Path | pd.DataFrame | None = None,
    sector_map: str | Path | pd.DataFrame | Iterable[Mapping[str, object]] | None = None,
) -> Margins:
    """Read margins by firm-size band from a tidy file or frame, one fact a row.

    Parameters
    ----------
    source
        CSV file, frame, or sequence of mappings with the columns ``country, sector, band_scheme, band, variable, unit,
        value, status`` and, where known, ``year, sector_scheme, partner, se, source, note`` and others.
        ``sector`` ``_ALL`` is the whole country; ``band`` may be ``TOTAL`` or ``UNKNOWN``; ``value`` is empty where
        ``status`` is ``confidential`` or ``missing``. Shares of one country, sector and variable sum to one.
    schemes
        Band schemes to add to the built-in ones, in the form of ``band_schemes.csv``.
    sector_map
        Concordance with the columns ``from_scheme, from_code, to_scheme, to_code, weight``: facts whose
        ``sector_scheme`` and ``sector`` are there are carried over to the table's sectors. ``weight`` (default 1) is
        the size of the source sector among those summed into one.

    Returns
    -------
    Margins

    Raises
    ------
    MarginError
        With every bad row, its file and line: unknown bands, variables or units, negative or non-numeric values, shares
        that do not sum to one, duplicated rows, bands without scheme.
    ReaderError
        A file that does not exist or has no rows.

    References
    ----------
    OECD (2025), Handbook on Extended Supply and Use Tables and Extended Input-Output Tables, chapter 4, for the set of
    margins.
    """
    known = band_schemes(schemes)
    rows = read_rows(source) if isinstance(source, str | Path) else frame_rows(source, "margins")
    if not rows:
        raise MarginError(explain("no margins: the file or frame has no rows", expected=", ".join(REQUIRED)))
    problems = _column_problems(rows[0])
    facts: list[Fact] = []
    if not problems:
        for row in rows:
            fact, wrong = _fact(row, known)
            problems += [f"{row.where}: {w}" for w in wrong]
            if fact is not None:
                facts.append(fact)
        problems += _duplicates(facts)
    if not problems:
        problems += _sum_problems(facts, known)
    refuse(problems, "margins are refused")
    links = () if sector_map is None else _links(sector_map)
    return Margins(tuple(facts), known, links)


def refuse(problems: list[str], what: str) -> None:
    """Raise a MarginError that lists the bad rows, if there are any.

    Parameters
    ----------
    problems
        A sentence for each bad row.
    what
        What was read, for the message.
    """
    if not problems:
        return
    shown = "".join(f"\n    {p}" for p in problems[:LISTED_PROBLEMS])
    more = f"\n    ... ({len(problems)} in all)" if len(problems) > LISTED_PROBLEMS else ""
    raise MarginError(f"{what}: {len(problems)} problem{'s' * (len(problems) > 1)}{shown}{more}", problems=problems)


def _column_problems(row: Row) -> list[str]:
    columns = tuple(row.values)
    problems = [f"no column {name!r}" for name in REQUIRED if name not in columns]
    for name in columns:
        if name and name not in REQUIRED and name not in OPTIONAL:
            near = suggest(name, (*REQUIRED, *OPTIONAL))
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"unknown column {name!r}{hint}")
    return problems


def _choice(name: str, value: str, known: Iterable[str]) -> list[str]:
    known = tuple(known)
    if value in known:
        return []
    near = suggest(value, known)
    return [f"unknown {name} {value!r}; " + (f"did you mean {near[0]!r}?" if near else f"one of {listing(known, 12)}")]


def _number(row: Row, name: str, wrong: list[str]) -> float:
    text = row.values.get(name, "")
    if not text:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        wrong.append(f"{name} {text!r} is not a number")
        return float("nan")
    if not math.isfinite(value):
        wrong.append(f"{name} {text!r} is not finite")
    return value


def _fact(row: Row, schemes: Mapping[str, BandScheme]) -> tuple[Fact | None, list[str]]:
    cell = {name: row.values.get(name, "") for name in (*REQUIRED, *OPTIONAL)}
    wrong = [f"{name} is empty" for name in ("country", "sector", "band", "variable") if not cell[name]]
    wrong += _choice("variable", cell["variable"], VARIABLES) if cell["variable"] else []
    wrong += _choice("unit", cell["unit"], UNITS) + _choice("status", cell["status"], STATUSES)
    if not cell["band_scheme"]:
        wrong.append(f"band {cell['band']!r} without band_scheme")
    elif cell["band_scheme"] not in schemes:
        wrong += _choice("band_scheme", cell["band_scheme"], schemes)
    elif cell["band"]:
        wrong += _choice("band", cell["band"], (*schemes[cell["band_scheme"]].labels, *SPECIAL_BANDS))
    value, se = _number(row, "value", wrong), _number(row, "se", wrong)
    wrong += _value_problems(cell, value, se)
    year = _number(row, "year", wrong)
    if wrong:
        return None, wrong
    return Fact(
        country=cell["country"], sector=cell["sector"], scheme=cell["band_scheme"], band=cell["band"],
        variable=cell["variable"], unit=cell["unit"], value=value, status=cell["status"], where=row.where,
        year=None if math.isnan(year) else int(year), sector_scheme=cell["sector_scheme"],
        partner=cell["partner"] or WORLD, se=se, source=cell["source"], note=cell["note"],
    ), []  # fmt: skip


def _value_problems(cell: Mapping[str, str], value: float, se: float) -> list[str]:
    wrong = []
    empty, hidden = not cell["value"], cell["status"] in EMPTY_STATUSES
    if empty and not hidden:
        wrong.append("value is empty; use status 'confidential' or 'missing'")
    if hidden and not empty:
        wrong.append(f"status {cell['status']!r} has a value {cell['value']!r}")
    negative_allowed = cell["variable"] == "va" and cell["unit"] != "share"
    if value < 0.0 and not negative_allowed:
        wrong.append(f"negative {'share' if cell['unit'] == 'share' else 'value'} {value:g}")
    if cell["unit"] == "share" and value > 1.0 + PUBLISHED_SUM_TOLERANCE:
        wrong.append(f"share {value:g} is above one; percentages are divided by 100")
    if se < 0.0:
        wrong.append(f"negative standard error {se:g}")
    return wrong


def _duplicates(facts: list[Fact]) -> list[str]:
    seen: dict[tuple[object, ...], str] = {}
    problems = []
    for fact in facts:
        key = (*fact.group, fact.band)
        if key in seen:
            what = f"{fact.country} {fact.sector} {fact.variable} {fact.band}"
            problems.append(f"{fact.where}: duplicates {seen[key]} ({what})")
        seen.setdefault(key, fact.where)
    return problems


def grouped(facts: Iterable[Fact]) -> dict[tuple[object, ...], list[Fact]]:
    """Return facts by distribution: country, year, sector, scheme, variable and partner.

    Parameters
    ----------
    facts
        Published margins, in any order.
    """
    groups: dict[tuple[object, ...], list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact.group, []).append(fact)
    return groups


def _sum_problems(facts: list[Fact], schemes: Mapping[str, BandScheme]) -> list[str]:
    problems = []
    for group in grouped(facts).values():
        units = {f.unit for f in group}
        first = group[0]
        what = f"{first.country} {first.sector} {first.variable}"
        if len(units) > 1:
            problems.append(f"{first.where}: {what} mixes units {listing(sorted(units))}")
            continue
        bands = [f for f in group if f.band != "TOTAL"]
        hidden = any(f.status in EMPTY_STATUSES for f in bands)
        total = next((f.value for f in group if f.band == "TOTAL" and not math.isnan(f.value)), None)
        if first.unit == "share" and total is None:
            total = 1.0
        if total is None or not bands:
            continue
        found = math.fsum(f.value for f in bands if not math.isnan(f.value))
        gap = found - total
        scale = max(abs(total), 1e-300)
        if gap > PUBLISHED_SUM_TOLERANCE * scale or (not hidden and -gap > PUBLISHED_SUM_TOLERANCE * scale):
            lines = listing(dict.fromkeys(f.where for f in bands))
            absent = [b for b in schemes[first.scheme].labels if b not in {f.band for f in bands}]
            hint = f"; no row for {listing(absent)} (give one, with status 'missing' if not known)" if absent else ""
            word = "shares" if first.unit == "share" else "values"
            problems.append(f"{lines}: {word} of {what} sum to {found:.9g}, not {total:.9g}{hint}")
    return problems


def _links(source: Any) -> tuple[SectorLink, ...]:
    rows = read_rows(source) if isinstance(source, str | Path) else frame_rows(source, "sector_map")
    links: list[SectorLink] = []
    problems: list[str] = []
    for row in rows:
        cells = row.values
        wrong = [f"{n} is empty or missing" for n in ("from_scheme", "from_code", "to_code") if not cells.get(n)]
        weight = _number(row, "weight", wrong)
        if weight < 0.0:
            wrong.append(f"negative weight {weight:g}")
        problems += [f"{row.where}: {w}" for w in wrong]
        if not wrong:
            links.append(
                SectorLink(
                    cells["from_scheme"],
                    cells["from_code"],
                    cells["to_code"],
                    1.0 if math.isnan(weight) else weight,
                    row.where,
                )
            )
    refuse(problems, "the sector map is refused")
    return tuple(links)
