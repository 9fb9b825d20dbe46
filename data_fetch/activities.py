"""From the activities of the services (ISIC Rev. 4, NACE Rev. 2) to the sectors of a table, through ISIC divisions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from data_fetch.margins import write_rows
from tiva.concordances import detect_scheme, sectors
from tiva.errors import ConcordanceError, explain, listing

SECTIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "A": (1, 3), "B": (5, 9), "C": (10, 33), "D": (35, 35), "E": (36, 39), "F": (41, 43), "G": (45, 47),
        "H": (49, 53), "I": (55, 56), "J": (58, 63), "K": (64, 66), "L": (68, 68), "M": (69, 75), "N": (77, 82),
        "O": (84, 84), "P": (85, 85), "Q": (86, 88), "R": (90, 93), "S": (94, 96), "T": (97, 98), "U": (99, 99),
    }
)  # fmt: skip
"""First and last division of each section: the same in ISIC Rev. 4 and NACE Rev. 2."""

DIVISIONS = frozenset(f"{d:02}" for first, last in SECTIONS.values() for d in range(first, last + 1))
"""All divisions."""

TOTALS = ("_T", "TOTAL")
"""Codes of all activities together."""

SECTOR_MAP_COLUMNS = ("from_scheme", "from_code", "to_scheme", "to_code", "weight")


@dataclass(frozen=True, slots=True)
class ForTable:
    """Margins that can be carried over to the sectors of a table.

    Attributes
    ----------
    rows
        Facts whose activity is a sector of the table, one of the parts that make it up, or a group of whole sectors.
    sector_map
        Their concordance, in the form that :func:`tiva.read_margins` takes.
    notes
        One line for each country, year and variable: what is by sector, what by group, and what was left out and why.
    """

    rows: tuple[dict[str, str], ...]
    sector_map: tuple[dict[str, str], ...]
    notes: tuple[str, ...]


def divisions(code: str) -> frozenset[str]:
    """Return the divisions (two digits), groups or classes (three, four) that an activity code covers.

    Sections (``C``), divisions and finer (``C10``, ``C101``), ranges (``C10T12``, ``C10-C12``, ``C17_18``, ``B-N``) and
    aggregates of Eurostat (``B-N_S95_X_K``) and the OECD (``BTN_95XK``, ``BTNXK``); empty for any other code.

    Examples
    --------
    >>> sorted(divisions("C10T12"))
    ['10', '11', '12']
    """
    match = re.fullmatch(r"([A-U]T[A-U])(?:_(\d\d))?(?:X([A-U]+))?", code)
    if match:
        more = (match[2],) if match[2] else ()
        return _union((match[1], *more)) - _union(tuple(match[3] or ""))
    kept, _, left_out = code.partition("_X_")
    parts = [kept] if re.fullmatch(r"[A-U]\d\d_\d\d", kept) else kept.split("_")
    found, minus = _union(parts), _union(left_out.split("_") if left_out else ())
    complete = all(_simple(part) for part in (*parts, *(left_out.split("_") if left_out else ())))
    return found - minus if complete else frozenset()


def _union(parts: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(_simple(part) for part in parts))


def _simple(part: str) -> frozenset[str]:
    """Return what one section, division or range covers."""
    if match := re.fullmatch(r"([A-U])(?:[-T]([A-U]))?", part):
        first, last = SECTIONS[match[1]][0], SECTIONS[match[2] or match[1]][1]
        return frozenset(d for d in DIVISIONS if first <= int(d) <= last)
    if match := re.fullmatch(r"[A-U]?(\d\d)(?:[-T_][A-U]?(\d\d))", part):
        return frozenset(d for d in DIVISIONS if match[1] <= d <= match[2])
    match = re.fullmatch(r"[A-U]?(\d{2,4})", part)
    if match and match[1][:2] in DIVISIONS:
        return frozenset({match[1]})
    return frozenset()


def for_table(rows: Sequence[dict[str, str]], labels: Sequence[str]) -> ForTable:
    """Choose, of margins by activity, those that can be carried over exactly to the sectors of a table.

    A sector takes the fact of the same divisions; where there is none, the facts that make it up without gap or
    overlap; where these are not complete either, it is left to the smallest group of whole sectors that has a fact.
    Activities that cross the bounds of sectors or of the table are left out, and so are those finer than what is used.

    Parameters
    ----------
    rows
        From :func:`data_fetch.fetch_margins`.
    labels
        Sectors of the table, of a scheme with divisions of ISIC Rev. 4 (ICIO since 2018, WIOD 2016, FIGARO).

    Returns
    -------
    ForTable

    Raises
    ------
    ConcordanceError
        The labels are of no known scheme, or of one without divisions of ISIC Rev. 4.
    """
    atoms = _atoms(labels)
    scheme = detect_scheme(labels)[0]
    cover = {code: _cover(code, atoms) for code in dict.fromkeys(row["sector"] for row in rows)}
    groups: dict[tuple[str, str, str], dict[str, list[dict[str, str]]]] = {}
    for row in rows:
        of = groups.setdefault((row["country"], row["year"], row["variable"]), {})
        of.setdefault(row["sector"], []).append(row)
    kept: list[dict[str, str]] = []
    notes = []
    for key, by_code in groups.items():
        valued = [c for c, facts in by_code.items() if any(f["value"] and f["band"] != "TOTAL" for f in facts)]
        chosen, note = _choose(valued, cover, atoms)
        kept += [row for code in by_code if code in chosen for row in by_code[code]]
        absent = [code for code in by_code if code not in valued]
        if absent:
            note += f"; without values by band: {listing(absent, 12)}"
        notes.append(f"{' '.join(key)}: {note}")
    used = dict.fromkeys((row["sector_scheme"], row["sector"]) for row in kept)
    links = tuple(
        dict(zip(SECTOR_MAP_COLUMNS, (of, code, scheme, label, "1"), strict=True))
        for of, code in used
        for label in (*cover[code].whole, *cover[code].part)
    )
    return ForTable(tuple(kept), links, tuple(notes))


def write_sector_map(links: Sequence[Mapping[str, str]], path: str | Path) -> Path:
    """Write a concordance as :func:`tiva.read_margins` takes it, whole or not at all, and return the path."""
    return write_rows(links, SECTOR_MAP_COLUMNS, path)


@dataclass(frozen=True, slots=True)
class _Cover:
    """What an activity covers: whole sectors, sectors in part, and the divisions of which it has all.

    ``cut``: it has a part of a division, ``beyond``: something that no sector of the table has.
    """

    whole: tuple[str, ...]
    part: tuple[str, ...]
    atoms: frozenset[str]
    cut: bool
    beyond: bool

    @property
    def kind(self) -> str:
        if self.beyond and (self.whole or self.part):
            return "mixed"
        if self.whole and not self.part:
            return "sector" if len(self.whole) == 1 else "group"
        return "part" if len(self.part) == 1 and not self.whole else "mixed" if self.part else "none"


def _atoms(labels: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the divisions (or finer, where the scheme cuts a division) of each sector of a table."""
    scheme, codes = detect_scheme(labels)
    known = {sector.code: sector for sector in sectors(scheme)}
    found = {label: known[codes[label]] for label in labels}
    other = [label for label, sector in found.items() if sector.isic_revision != 4 or not sector.divisions]
    if other:
        raise ConcordanceError(
            explain(
                "activities of ISIC Rev. 4 have no exact way to these sectors",
                got=f"scheme {scheme}: {listing(other)}",
                expected="sectors with divisions of ISIC Rev. 4",
                do="write a sector map (from_scheme, from_code, to_scheme, to_code, weight) by hand",
            )
        )
    return {label: frozenset(sector.divisions) for label, sector in found.items()}


def _cover(code: str, atoms: Mapping[str, frozenset[str]]) -> _Cover:
    every = frozenset().union(*atoms.values())
    parts = every if code in TOTALS else divisions(code)
    has = frozenset(a for a in every if any(a.startswith(p) for p in parts))
    cut = frozenset(a for a in every - has if any(p.startswith(a) for p in parts))
    whole = tuple(label for label, own in atoms.items() if own <= has)
    part = tuple(label for label, own in atoms.items() if own & (has | cut) and not own <= has)
    beyond = any(not any(a.startswith(p) or p.startswith(a) for a in every) for p in parts)
    return _Cover(whole, part, has, bool(cut), beyond)


def _choose(
    codes: Sequence[str], cover: Mapping[str, _Cover], atoms: Mapping[str, frozenset[str]]
) -> tuple[set[str], str]:
    """Return the activities to use of one country, year and variable, and what to say about it."""
    of_kind: dict[str, list[str]] = {kind: [] for kind in ("sector", "part", "group", "mixed", "none")}
    for code in codes:
        of_kind[cover[code].kind].append(code)
    chosen: dict[str, tuple[str, ...]] = {}
    for label, own in atoms.items():
        exact = next((c for c in of_kind["sector"] if cover[c].whole == (label,)), None)
        parts = [c for c in of_kind["part"] if cover[c].part == (label,) and not cover[c].cut]
        tiles = (exact,) if exact else _tiles(own, parts, cover)
        if tiles:
            chosen[label] = tiles
    by_group: dict[str, list[str]] = {}
    for label in atoms:
        fitting = [c for c in of_kind["group"] if label in cover[c].whole]
        if label not in chosen and fitting:
            by_group.setdefault(min(fitting, key=lambda c: len(cover[c].whole)), []).append(label)
    used = {code for tiles in chosen.values() for code in tiles} | set(by_group)
    open_ = [label for label in atoms if label not in chosen and all(label not in x for x in by_group.values())]
    return used, "; ".join(_said(codes, used, chosen, by_group, open_, of_kind))


def _tiles(own: frozenset[str], parts: Sequence[str], cover: Mapping[str, _Cover]) -> tuple[str, ...]:
    """Return the parts that make up a sector without gap or overlap, the largest first; empty where they do not."""
    left, tiles = own, []
    for code in sorted(parts, key=lambda c: -len(cover[c].atoms)):
        if cover[code].atoms <= left:
            tiles.append(code)
            left -= cover[code].atoms
    return () if left else tuple(tiles)


def _said(
    codes: Sequence[str],
    used: set[str],
    chosen: Mapping[str, tuple[str, ...]],
    by_group: Mapping[str, Sequence[str]],
    open_: Sequence[str],
    of_kind: Mapping[str, Sequence[str]],
) -> list[str]:
    said = [f"{len(chosen)} sectors by facts of their own"] if chosen else []
    said += [f"{code} for {listing(labels, 6)}" for code, labels in by_group.items()]
    said += [f"nothing for {listing(open_, 6)}"] if open_ else []
    odd = [code for code in codes if code in of_kind["mixed"]]
    spare = [code for code in codes if code not in used and code not in odd and code not in of_kind["none"]]
    said += [f"left out, across the bounds of sectors: {listing(odd, 12)}"] if odd else []
    said += [f"left out, not known: {listing(of_kind['none'], 12)}"] if of_kind["none"] else []
    said += [f"left out, not needed or not complete: {listing(spare, 12)}"] if spare else []
    return said or ["nothing"]
