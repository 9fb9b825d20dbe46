"""Country and sector groups: membership as data, a small grammar, and refusal to guess.

Grammar of a group expression::

    expression  = term , { "|" , term }        union of terms that have no member in common
    term        = name , { "-" , name }        the first without the others
    name        = a label of the table, a group of the data, a group of yours,
                  WLD (every country of the table) or ALL (every sector)

``EU27|USA`` is the 27 and the United States, ``WLD-ESP-FRA`` the world without two countries,
``EU27|G7-EU27`` the union of two overlapping groups. A label of the table wins over a group of the same name.
Labels that contain ``-`` (``C10-C12``) are recognised.
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from tiva.concordances import countries as known_countries
from tiva.concordances import country_name, detect_scheme, sectors
from tiva.errors import (
    ConcordanceError,
    GroupError,
    PartialGroupWarning,
    UnknownLabelError,
    explain,
    listing,
    suggest,
)

WORLD = "WLD"
"""Name of the group of all labels of the table."""

Custom = Mapping[str, str | Sequence[str]]
"""Groups of the caller: name -> expression, or labels."""


@dataclass(frozen=True, slots=True)
class CountryGroup:
    """A country group of the data.

    Attributes
    ----------
    name, title, source, url, aliases
        As in the data file.
    members
        ISO 3166-1 alpha-3 code -> first and last year of membership (``None``: open).
    """

    name: str
    title: str
    source: str
    url: str
    aliases: tuple[str, ...]
    members: Mapping[str, tuple[int | None, int | None]]

    @property
    def dated(self) -> bool:
        """Whether the composition depends on the year."""
        return any(span != (None, None) for span in self.members.values())

    def of_year(self, year: int | None) -> tuple[str, ...]:
        """Return the members on 31 December of ``year``; of the newest year when it is ``None``."""

        def inside(first: int | None, last: int | None) -> bool:
            if year is None:
                return last is None
            return (first is None or first <= year) and (last is None or year <= last)

        return tuple(code for code, span in self.members.items() if inside(*span))


@dataclass(frozen=True, slots=True)
class SectorGroup:
    """A sector group of the data, by ISIC division.

    Attributes
    ----------
    name, title, source
        As in the data file.
    divisions
        ISIC revision (3 or 4) -> two-digit divisions.
    """

    name: str
    title: str
    source: str
    divisions: Mapping[int, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a group expression means for one table.

    Attributes
    ----------
    expression
        As given.
    members
        Labels of the table, in its order; never empty.
    absent
        Members that the table does not show on their own (they are inside its rest of the world).
    notes
        One sentence each on absent members and on the year of membership, for the result's notes.
    """

    expression: str
    members: tuple[str, ...]
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads((files("tiva") / "data" / "groups.toml").read_text(encoding="utf-8"))


def _span(value: Any) -> tuple[int | None, int | None]:
    if isinstance(value, int):
        return (value, None)
    first, last = value
    return (int(first), int(last))


@cache
def country_groups() -> Mapping[str, CountryGroup]:
    """Return the country groups of the data by name, aliases included."""
    found: dict[str, CountryGroup] = {}
    for name, row in _data()["country"].items():
        given = row["members"]
        members = (
            {code: _span(value) for code, value in given.items()}
            if isinstance(given, dict)
            else dict.fromkeys(given, (None, None))
        )
        group = CountryGroup(
            name, row["title"], row["source"], row["url"], tuple(row.get("aliases", ())), MappingProxyType(members)
        )
        for label in (name, *group.aliases):
            found[label] = group
    return MappingProxyType(found)


def _expand(ranges: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for item in ranges:
        first, _, last = item.partition("-")
        found.update(f"{k:02d}" for k in range(int(first), int(last or first) + 1))
    return frozenset(found)


@cache
def sector_groups() -> Mapping[str, SectorGroup]:
    """Return the sector groups of the data by name."""
    found = {}
    for name, row in _data()["sector"].items():
        divisions = {rev: _expand(row[f"isic{rev}"]) for rev in (3, 4) if f"isic{rev}" in row}
        found[name] = SectorGroup(name, row["title"], row["source"], MappingProxyType(divisions))
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class _Universe:
    """Everything that a name can mean in one table.

    ``sets`` holds labels, or codes that the table does not show; ``derived`` computes its sets when asked.
    """

    kind: str
    labels: tuple[str, ...]
    sets: Mapping[str, tuple[str, ...]]
    derived: Mapping[str, Callable[[], tuple[str, ...]]]
    notes: Mapping[str, tuple[str, ...]]

    def names(self) -> tuple[str, ...]:
        """Return all that may be written, labels first."""
        return tuple(dict.fromkeys((*self.labels, *self.sets, *self.derived)))


def select_countries(
    expression: str,
    countries: Sequence[str],
    *,
    year: int | None = None,
    custom: Custom | None = None,
) -> Selection:
    """Resolve a group expression over the countries of a table.

    Parameters
    ----------
    expression
        As in the grammar above, such as ``"EU27"``, ``"MERCOSUR|CHL"`` or ``"WLD-USA"``.
    countries
        Country labels of the table, such as ``table.countries``; parts (``CN1``) count as their country.
    year
        Year of membership; the newest when ``None``.
    custom
        Further groups: name -> labels or expression.

    Returns
    -------
    Selection

    Raises
    ------
    UnknownLabelError
        A name that is neither a label of the table nor a group.
    GroupError
        The selection is empty here, terms overlap (a country both alone and in a group included), a country
        is left out of a group that does not have it, or a custom group takes a name that is in use.

    Examples
    --------
    >>> select_countries("EU27-DEU", ("DEU", "ESP", "FRA", "ROW")).members
    ('ESP', 'FRA')
    """
    return _resolve(expression, _country_universe(tuple(countries), year, custom or {}))


def resolve_group(
    expression: str,
    countries: Sequence[str],
    year: int | None = None,
    custom: Custom | None = None,
) -> tuple[str, ...]:
    """Return the labels that a country group expression means in a table, in the table's order.

    As :func:`select_countries`, with a warning instead of notes.

    Parameters
    ----------
    expression, countries, year, custom
        As there.

    Warns
    -----
    PartialGroupWarning
        Members are absent from the table (they are inside its rest of the world).
    """
    selection = select_countries(expression, countries, year=year, custom=custom)
    if selection.absent:
        warnings.warn("; ".join(selection.notes), PartialGroupWarning, stacklevel=2)
    return selection.members


def select_sectors(
    expression: str,
    labels: Sequence[str],
    *,
    scheme: str | None = None,
    custom: Custom | None = None,
) -> Selection:
    """Resolve a group expression over the sectors of a table.

    Parameters
    ----------
    expression
        As in the grammar above, such as ``"manufacturing"``, ``"services-K"`` or ``"C26|C27"``.
    labels
        Sector labels of the table, such as ``table.sectors``.
    scheme
        Their scheme (``tiva.concordances.SCHEMES``); found from the labels when needed and left out.
    custom
        Further groups: name -> labels or expression.

    Returns
    -------
    Selection

    Raises
    ------
    UnknownLabelError
        A name that is neither a label of the table nor a group.
    GroupError
        As for countries; also when a sector lies partly inside a group.
    ConcordanceError
        A group of the data is asked for and the labels are of no known scheme.
    """
    return _resolve(expression, _sector_universe(tuple(labels), scheme, custom or {}))


def resolve_groups(
    groups: Mapping[str, str | Sequence[str]],
    countries: Sequence[str],
    *,
    year: int | None = None,
    custom: Custom | None = None,
) -> dict[str, Selection]:
    """Resolve several named country groups that are to be used together.

    Parameters
    ----------
    groups
        Name -> expression or labels.
    countries, year, custom
        As in :func:`select_countries`.

    Returns
    -------
    dict
        Name -> selection; no label is in two of them.

    Raises
    ------
    GroupError
        Groups overlap, or a group has the name of a country that is not its member.
    """
    found = {
        name: select_countries(_as_expression(value), countries, year=year, custom=custom)
        for name, value in groups.items()
    }
    owner: dict[str, str] = {}
    for name, selection in found.items():
        for label in selection.members:
            if label in owner:
                way = "leave it out of one of them"
                if "|" not in selection.expression and len(selection.members) > 1:
                    way += f": '{selection.expression}-{label}'"
                raise GroupError(
                    explain("country groups overlap", got=f"{label!r} is in {owner[label]!r} and in {name!r}", do=way)
                )
            owner[label] = name
    for name, selection in found.items():
        if name in countries and name not in selection.members:
            raise GroupError(explain(f"group {name!r} has the name of a country that is not its member"))
    return found


def _as_expression(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else "|".join(value)


def _country_universe(labels: tuple[str, ...], year: int | None, custom: Custom) -> _Universe:
    known = known_countries()
    parts: dict[str, list[str]] = {}
    for label in labels:
        owner = known[label].part_of if label in known and known[label].part_of else label
        parts.setdefault(owner, []).append(label)
    sets: dict[str, tuple[str, ...]] = {WORLD: labels}
    notes: dict[str, tuple[str, ...]] = {}
    for name, group in country_groups().items():
        if name in labels:
            continue
        sets[name] = tuple(label for code in group.of_year(year) for label in parts.get(code, [code]))
        if group.dated:
            when = "the newest year" if year is None else f"{year}"
            notes[name] = (f"{name}: members of {when} ({group.title})",)
    sets.update({owner: tuple(found) for owner, found in parts.items() if found != [owner]})
    return _with_custom(_Universe("country", labels, sets, {}, notes), custom)


def _sector_universe(labels: tuple[str, ...], scheme: str | None, custom: Custom) -> _Universe:
    derived = {
        name: partial(_members, group, labels, scheme) for name, group in sector_groups().items() if name not in labels
    }
    return _with_custom(_Universe("sector", labels, {"ALL": labels}, derived, {}), custom)


def _members(group: SectorGroup, labels: tuple[str, ...], scheme: str | None) -> tuple[str, ...]:
    """Return the labels all of whose ISIC divisions are in the group."""
    if scheme is None:
        scheme, codes = detect_scheme(labels)
    else:
        codes = {label: label for label in labels}
    by_code = {alias: s for s in sectors(scheme) for alias in (s.code, *s.aliases)}
    inside, partly = [], []
    for label in labels:
        if codes[label] not in by_code:
            raise UnknownLabelError(f"sector of scheme {scheme!r}", label, tuple(by_code))
        sector = by_code[codes[label]]
        if not sector.isic_revision:
            raise ConcordanceError(
                explain(
                    f"sector group {group.name!r} is defined by ISIC divisions",
                    got=f"scheme {scheme!r}, which has none",
                )
            )
        if sector.isic_revision not in group.divisions:
            raise GroupError(
                explain(
                    f"sector group {group.name!r} is not defined for ISIC Rev. {sector.isic_revision}",
                    got=f"a table in scheme {scheme!r}",
                    do="name the sectors one by one",
                )
            )
        hits = [d[:2] in group.divisions[sector.isic_revision] for d in sector.divisions]
        if hits and all(hits):
            inside.append(label)
        elif any(hits):
            partly.append(label)
    if partly:
        raise GroupError(
            explain(
                f"{len(partly)} sectors lie partly inside the group {group.name!r}",
                got=listing(partly),
                do="choose yourself: write the sectors as a union, such as 'C26|C27'",
            )
        )
    return tuple(inside)


def _with_custom(universe: _Universe, custom: Custom) -> _Universe:
    """Add the caller's groups, which may use labels and groups of the data but not one another."""
    names = universe.names()
    found: dict[str, tuple[str, ...]] = {}
    for name, value in custom.items():
        if name in names:
            raise GroupError(
                explain(f"custom {universe.kind} group {name!r} takes a name that is in use", do="give it another")
            )
        found[name], _ = _evaluate(_as_expression(value), universe)
    return replace(universe, sets={**universe.sets, **found})


def _tokens(text: str, separator: str, known: Sequence[str]) -> list[str]:
    """Split at a separator, joining pieces again where together they are a known name (longest first)."""
    pieces = [piece.strip() for piece in text.split(separator)]
    names = set(known)
    tokens: list[str] = []
    start = 0
    while start < len(pieces):
        for stop in range(len(pieces), start, -1):
            joined = separator.join(pieces[start:stop])
            if joined in names or stop == start + 1:
                tokens.append(joined)
                start = stop
                break
    return tokens


def _lookup(name: str, universe: _Universe, *, taken_away: bool = False) -> tuple[str, ...]:
    """Return what a name means; only what is taken away may be a country that the table does not show."""
    if name in universe.sets:
        return universe.sets[name]
    if name in universe.labels:
        return (name,)
    if name in universe.derived:
        return universe.derived[name]()
    known = known_countries()
    if universe.kind == "country" and name in known and known[name].kind == "country":
        if taken_away:
            return (name,)
        raise GroupError(
            explain(
                f"{name} ({country_name(name)}) is not in this table on its own",
                expected=f"one of {listing(universe.labels)}",
                do="it is inside the rest of the world, if the table has one",
            )
        )
    raise UnknownLabelError(f"{universe.kind} or {universe.kind} group", name, universe.names())


def _evaluate(expression: str, universe: _Universe) -> tuple[tuple[str, ...], list[str]]:
    """Return the members (labels or absent codes) of an expression, and the names that it used."""
    names = universe.names()
    chosen: dict[str, str] = {}
    used: list[str] = []
    for term in _tokens(expression, "|", names):
        first, *rest = _tokens(term, "-", names)
        if not all((first, *rest)):
            raise GroupError(
                explain(f"a name is missing in the {universe.kind} group expression", got=repr(expression))
            )
        members = dict.fromkeys(_first(first, term, universe))
        for name in rest:
            out = _lookup(name, universe, taken_away=True)
            if not any(label in members for label in out):
                raise GroupError(
                    explain(f"{name!r} cannot be left out of {first!r}: they have no member in common", got=term)
                )
            for label in out:
                members.pop(label, None)
        both = [label for label in members if label in chosen]
        if both:
            alone = first in universe.labels
            raise GroupError(_overlap(both, chosen[both[0]], term, alone=alone, whole=len(both) == len(members)))
        chosen.update(dict.fromkeys(members, term))
        used += [first, *rest]
    return tuple(chosen), used


def _first(name: str, term: str, universe: _Universe) -> tuple[str, ...]:
    """Look the first name of a term up; a label with a hyphen that is misspelled is told as a whole."""
    try:
        return _lookup(name, universe)
    except UnknownLabelError:
        if name != term and any("-" in known for known in suggest(term, universe.names())):
            raise UnknownLabelError(f"{universe.kind} or {universe.kind} group", term, universe.names()) from None
        raise


def _overlap(both: list[str], earlier: str, term: str, *, alone: bool, whole: bool) -> str:
    if earlier == term and not alone:
        return explain(f"{term!r} is given twice in a union", do="write it once")
    if alone or both == [earlier]:
        return explain(
            f"{both[0]!r} appears both alone and in a group",
            got=f"{earlier!r} and {term!r}",
            do="write it once",
        )
    way = f"leave out {term!r}: {earlier!r} holds it" if whole else "leave the common members out of one"
    if not whole and "-" not in earlier:
        way += f": '{earlier}|{term}-{earlier}'"
    return explain("the groups of a union overlap", got=f"{listing(both)} in {earlier!r} and in {term!r}", do=way)


def _resolve(expression: str, universe: _Universe) -> Selection:
    if not expression.strip():
        raise GroupError(
            explain(
                f"empty {universe.kind} group expression",
                got=repr(expression),
                do="name labels or groups, or leave the choice out for all",
            )
        )
    found, used = _evaluate(expression, universe)
    here = set(universe.labels)
    members = tuple(label for label in universe.labels if label in set(found))
    absent = tuple(code for code in found if code not in here)
    if not members:
        raise GroupError(
            explain(
                f"{expression!r} selects no {universe.kind} of this table",
                got=f"members {listing(absent)}" if absent else "nothing left",
                expected=f"some of {listing(universe.labels)}",
            )
        )
    notes = [note for name in dict.fromkeys(used) for note in universe.notes.get(name, ())]
    if absent:
        notes.append(
            f"{expression}: {len(absent)} of its members are not in the table on their own "
            f"({listing(absent, limit=40)}); they are inside its rest of the world or another aggregate and are not "
            "counted"
        )
    gone = _not_left_out(universe, used, found, here)
    if gone:
        notes.append(f"{expression}: {listing(gone, limit=40)} are inside the rest of the world and stay in it")
    return Selection(expression, members, absent + gone, tuple(notes))


def _not_left_out(universe: _Universe, used: list[str], found: tuple[str, ...], here: set[str]) -> tuple[str, ...]:
    """Members of groups taken away that the table does not show while it keeps the rest of the world."""
    rest = {c.code for c in known_countries().values() if c.kind == "rest"}
    if universe.kind != "country" or WORLD not in used or not rest & set(found):
        return ()
    subtracted = [code for name in used if name != WORLD for code in universe.sets.get(name, ())]
    return tuple(dict.fromkeys(code for code in subtracted if code not in here and code not in found))
