"""Sector and country concordances as data: codes, names, ISIC divisions, exact maps between schemes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tiva.errors import ConcordanceError, UnknownLabelError, UsageError, explain, listing

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable

Language = Literal["en", "es", "pt", "fr"]
"""Languages of names: English, Spanish, Portuguese, French."""

LANGUAGES: tuple[Language, ...] = ("en", "es", "pt", "fr")

TARGETS: tuple[str, ...] = ("icio45", "icio50", "common28")
"""Schemes to which the data map every sector; maps between others go through equal ISIC revisions."""

SCHEMES: Mapping[str, str] = MappingProxyType(
    {
        "icio50": "OECD ICIO 2025 edition (ISIC Rev. 4)",
        "icio45": "OECD ICIO 2023 edition (ISIC Rev. 4)",
        "icio45_2021": "OECD ICIO 2021 edition, codes of digits only (ISIC Rev. 4)",
        "icio36": "OECD ICIO 2018 edition (ISIC Rev. 4)",
        "icio34": "OECD ICIO 2016 edition (ISIC Rev. 3)",
        "wiod35": "WIOD 2013 release (ISIC Rev. 3)",
        "adb35": "ADB MRIO (ISIC Rev. 3)",
        "wiod56": "WIOD 2016 release (ISIC Rev. 4)",
        "lrwiod23": "Long-run WIOD (ISIC Rev. 3)",
        "figaro64": "FIGARO industries (NACE Rev. 2)",
        "figaro64_products": "FIGARO products (CPA 2.1)",
        "eora26": "Eora26",
        "exiobase163": "EXIOBASE 3 industries (NACE Rev. 1.1)",
        "exiobase200": "EXIOBASE 3 products (NACE Rev. 1.1)",
        "gloria120": "GLORIA",
        "emerging133": "EMERGING (HS chapters and EBOPS)",
        "emerging146": "EMERGING-E (HS chapters and EBOPS)",
        "common28": "28 groups that all of these reach, nearly all exactly",
    }
)
"""Sector schemes, and what uses them."""

REVISION_NOTE = (
    "common28 from ISIC Rev. 3: publishing stays with paper, travel agencies with transport, repair of "
    "household goods with trade, recycling with other manufacturing and sewerage with other services, all of "
    "which ISIC Rev. 4 has elsewhere"
)
"""What is not comparable between common-28 tables of the two ISIC revisions."""


@dataclass(frozen=True, slots=True)
class Sector:
    """One sector of a scheme.

    Attributes
    ----------
    code, aliases
        Code in the files, and other codes of the same sector in the same database (``c1`` for ``AtB``).
    name
        English name as published.
    isic_revision
        3, 4, or 0 where the scheme has no ISIC divisions.
    divisions
        ISIC divisions (two digits; three or four where a scheme cuts a division).
    icio45, icio50, common28
        Sectors of these schemes that it covers; more than one: it would have to be split.
    note
        What the data do not settle.
    """

    code: str
    aliases: tuple[str, ...]
    name: str
    isic_revision: int
    divisions: tuple[str, ...]
    icio45: tuple[str, ...]
    icio50: tuple[str, ...]
    common28: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Country:
    """One country, part of a country, or rest region.

    Attributes
    ----------
    code, iso2
        ISO 3166-1 alpha-3 (or the code of a part or rest region) and alpha-2 code.
    kind
        ``"country"``, ``"former"``, ``"rest"`` or ``"part"``.
    part_of
        For a part (``CN1``): the country.
    names
        By language; parts have an English name only.
    """

    code: str
    iso2: str
    kind: Literal["country", "former", "rest", "part"]
    part_of: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SectorMap:
    """Which sectors of one scheme make up those of another.

    Attributes
    ----------
    source, target
        Names of the schemes.
    targets
        Source code -> target codes: one where the map is exact, several where the sector would have to be
        split, none where the target scheme has no place for it.
    notes
        What the map leaves open.
    """

    source: str
    target: str
    targets: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    @property
    def to_split(self) -> tuple[str, ...]:
        """Source codes that span several target sectors."""
        return tuple(code for code, found in self.targets.items() if len(found) > 1)

    @property
    def unmapped(self) -> tuple[str, ...]:
        """Source codes that have no target sector."""
        return tuple(code for code, found in self.targets.items() if not found)

    @property
    def exact(self) -> bool:
        """Whether every source sector goes whole into one target sector."""
        return not self.to_split and not self.unmapped

    def grouping(self, codes: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
        """Return target code -> source codes, for the sectors that map exactly.

        Parameters
        ----------
        codes
            Source codes to place, in this order; all by default.
        """
        groups: dict[str, list[str]] = {}
        for code in self.targets if codes is None else codes:
            found = self.targets[code]
            if len(found) == 1:
                groups.setdefault(found[0], []).append(code)
        return {target: tuple(members) for target, members in groups.items()}


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (files("tiva") / "data" / name).open(encoding="utf-8") as handle:
        yield from csv.DictReader(handle)


@cache
def _all_sectors() -> Mapping[str, tuple[Sector, ...]]:
    schemes: dict[str, list[Sector]] = {}
    for row in _rows("sectors.csv"):
        schemes.setdefault(row["scheme"], []).append(
            Sector(
                code=row["code"],
                aliases=tuple(row["alias"].split()),
                name=row["name"],
                isic_revision=int(row["isic_revision"] or 0),
                divisions=tuple(row["isic_divisions"].split()),
                icio45=tuple(row["icio45"].split()),
                icio50=tuple(row["icio50"].split()),
                common28=tuple(row["common28"].split()),
                note=row["note"],
            )
        )
    return MappingProxyType({name: tuple(found) for name, found in schemes.items()})


def sectors(scheme: str) -> tuple[Sector, ...]:
    """Return the sectors of a scheme in file order.

    Parameters
    ----------
    scheme
        One of :data:`SCHEMES`.

    Raises
    ------
    UnknownLabelError
        No such scheme.
    """
    every = _all_sectors()
    if scheme not in every:
        raise UnknownLabelError("sector scheme", scheme, tuple(every))
    return every[scheme]


@cache
def _sector_names() -> Mapping[tuple[str, str], Mapping[str, str]]:
    rows = _rows("sector_names.csv")
    return MappingProxyType({(row["scheme"], row["code"]): MappingProxyType(row) for row in rows})


_NAMED_AS = MappingProxyType({"icio45_2021": "icio45", "adb35": "wiod35", "figaro64_products": "figaro64"})
"""Scheme -> scheme whose translated names it shares."""


def sector_names(scheme: str, language: Language = "en") -> dict[str, str]:
    """Return code -> name of each sector of a scheme.

    Parameters
    ----------
    scheme
        One of :data:`SCHEMES`.
    language
        ``"en"`` for all schemes; ``"es"``, ``"pt"``, ``"fr"`` for those of ICIO, WIOD, ADB, FIGARO, Eora26 and
        ``common28`` (not of EXIOBASE, GLORIA and EMERGING).

    Raises
    ------
    ConcordanceError
        The scheme has no names in this language.
    """
    found = sectors(scheme)
    if language not in LANGUAGES:
        raise UnknownLabelError("language", language, LANGUAGES)
    if language == "en":
        return {sector.code: sector.name for sector in found}
    translated = _sector_names()
    source = _NAMED_AS.get(scheme, scheme)
    result = {}
    known = sorted({name for name, _ in translated} | set(_NAMED_AS))
    for sector in found:
        code = sector.icio45[0] if scheme == "icio45_2021" else sector.code
        code = sector.aliases[0] if scheme == "adb35" else code
        code = code.removeprefix("CPA_")
        row = translated.get((source, code))
        if row is None:
            raise ConcordanceError(
                explain(
                    f"sector scheme {scheme!r} has no names in language {language!r}",
                    expected=f"one of {listing(known, limit=20)}",
                    do="take language='en'",
                )
            )
        result[sector.code] = row[language]
    return result


@cache
def countries() -> Mapping[str, Country]:
    """Return code -> country, for every country, part and rest region of the known databases."""
    found = {}
    for row in _rows("countries.csv"):
        names: dict[str, str] = {x: row[f"name_{x}"] for x in LANGUAGES if row[f"name_{x}"]}
        kind: Literal["country", "former", "rest", "part"] = row["kind"]  # type: ignore[assignment]
        found[row["code"]] = Country(row["code"], row["iso2"], kind, row["part_of"], MappingProxyType(names))
    return MappingProxyType(found)


def country_name(code: str, language: Language = "en") -> str:
    """Return the name of a country, in English where there is none in ``language``.

    Raises
    ------
    UnknownLabelError
        No such country code.
    """
    known = countries()
    if code not in known:
        raise UnknownLabelError("country code", code, tuple(known))
    if language not in LANGUAGES:
        raise UnknownLabelError("language", language, LANGUAGES)
    names = known[code].names
    return names.get(language, names["en"])


@cache
def country_codes(database: str) -> Mapping[str, str]:
    """Return code in the files of a database -> ISO 3166-1 alpha-3 code, where the two differ.

    Parameters
    ----------
    database
        ``"ADB_MRIO"``, ``"EORA26"``, ``"EXIOBASE3"``, ``"EMERGING"``, ``"FIGARO"``, ``"GLORIA"``,
        ``"LR_WIOD"``, ``"OECD_ICIO"`` or ``"WIOD"``.
    """
    every: dict[str, dict[str, str]] = {}
    for row in _rows("country_codes.csv"):
        every.setdefault(row["database"], {})[row["code"]] = row["iso3"]
    if database not in every:
        raise UnknownLabelError("database", database, tuple(every))
    return MappingProxyType(every[database])


@dataclass(frozen=True, slots=True)
class FinalLabel:
    """A final-demand column or bottom row of a database.

    Attributes
    ----------
    kind
        ``"fd"`` for a final-demand column, else what kind of row it is, as in the data.
    code
        Label in the files.
    standard
        Name that editions and databases share: ``HFCE NPISH GGFC GFCF INVNT DPABR`` for final demand, ``TLS VA
        OUT`` and others for rows.
    description
        As published.
    """

    kind: str
    code: str
    standard: str
    description: str


def final_labels(database: str, edition: str) -> tuple[FinalLabel, ...]:
    """Return the final-demand columns and bottom rows of a database, in file order.

    Parameters
    ----------
    database, edition
        Such as ``"OECD_ICIO"`` and ``"2023"``, ``"WIOD"`` and ``"2016"``, ``"FIGARO"`` and ``"all"``.

    Raises
    ------
    UnknownLabelError
        No such database or edition; the message lists those that there are.
    """
    rows = list(_rows("final_demand.csv"))
    known = tuple(dict.fromkeys(f"{row['database']} {row['edition']}" for row in rows))
    wanted = f"{database} {edition}"
    if wanted not in known:
        raise UnknownLabelError("database and edition", wanted, known)
    return tuple(
        FinalLabel(row["kind"], row["code"], row["standard"], row["description"])
        for row in rows
        if f"{row['database']} {row['edition']}" == wanted
    )


def _spellings(scheme: str) -> tuple[dict[str, str], ...]:
    """Return the ways in which a scheme's sectors are written, each as label -> code."""
    found = sectors(scheme)
    width = max(len(sector.aliases) for sector in found)
    return (
        {sector.code: sector.code for sector in found},
        *({sector.aliases[k]: sector.code for sector in found if len(sector.aliases) > k} for k in range(width)),
    )


def detect_scheme(labels: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Find the sector scheme of a table's labels.

    Parameters
    ----------
    labels
        Sector labels, such as ``table.sectors``. They may be some of a scheme's sectors only.

    Returns
    -------
    tuple
        Name of the scheme, and label -> code in the scheme.

    Raises
    ------
    ConcordanceError
        The labels are of no known scheme, or of several that map them differently.
    """
    wanted = tuple(labels)
    complete: list[tuple[str, dict[str, str]]] = []
    partial: list[tuple[str, dict[str, str]]] = []
    for scheme in SCHEMES:
        for way in _spellings(scheme):
            if all(label in way for label in wanted):
                match = (scheme, {label: way[label] for label in wanted})
                (complete if len(way) == len(wanted) else partial).append(match)
    candidates = complete or partial
    if not candidates:
        raise _no_scheme(wanted)
    if len({_signature(*candidate) for candidate in candidates}) > 1:
        raise ConcordanceError(
            explain(
                "the sector labels fit several schemes that map them differently",
                got=listing(dict.fromkeys(name for name, _ in candidates), limit=20),
                do="name the scheme with from_scheme=...",
            )
        )
    return candidates[0]


def _signature(scheme: str, codes: Mapping[str, str]) -> tuple[object, ...]:
    by_code = {sector.code: sector for sector in sectors(scheme)}
    return tuple(
        (label, s.isic_revision, s.divisions, s.icio45, s.icio50, s.common28)
        for label, s in ((label, by_code[code]) for label, code in codes.items())
    )


def _no_scheme(wanted: tuple[str, ...]) -> ConcordanceError:
    def missing(scheme: str) -> list[str]:
        return min(([x for x in wanted if x not in way] for way in _spellings(scheme)), key=len)

    closest = min(SCHEMES, key=lambda scheme: len(missing(scheme)))
    return ConcordanceError(
        explain(
            "the sector labels are of no known scheme",
            got=listing(wanted),
            expected=f"the labels of one of {listing(SCHEMES, limit=20)}",
            do=f"name groups with table.aggregate(sectors=...); closest is {closest!r}, "
            f"which has no {listing(missing(closest))}",
        )
    )


def codes_of(labels: Sequence[str], scheme: str) -> dict[str, str]:
    """Return label -> code for the labels of a scheme that are known, in any of its spellings.

    Parameters
    ----------
    labels
        Labels; those that the scheme does not have (totals, aggregates) are left out.
    scheme
        One of :data:`SCHEMES`.
    """
    ways = _spellings(scheme)
    return {
        label: next(way[label] for way in ways if label in way) for label in labels if any(label in w for w in ways)
    }


def _codes_of(labels: Sequence[str], scheme: str) -> dict[str, str]:
    """Return label -> code for labels of a given scheme, in any of its spellings."""
    for way in _spellings(scheme):
        if all(label in way for label in labels):
            return {label: way[label] for label in labels}
    known = tuple(_spellings(scheme)[0])
    for label in labels:
        if all(label not in way for way in _spellings(scheme)):
            raise UnknownLabelError(f"sector of scheme {scheme!r}", label, known)
    raise ConcordanceError(explain(f"sector labels mix two spellings of scheme {scheme!r}", got=listing(labels)))


@cache
def sector_map(from_scheme: str, to_scheme: str) -> SectorMap:
    """Return which sectors of one scheme make up those of another.

    Parameters
    ----------
    from_scheme, to_scheme
        Two of :data:`SCHEMES`. Maps to ``icio45``, ``icio50`` and ``common28`` are in the data; others are
        built from ISIC divisions when both schemes are of the same revision.

    Returns
    -------
    SectorMap

    Raises
    ------
    UnknownLabelError
        No such scheme.
    ConcordanceError
        The schemes are of different ISIC revisions, or one has no divisions.
    """
    source, target = sectors(from_scheme), sectors(to_scheme)
    if from_scheme == to_scheme:
        return SectorMap(from_scheme, to_scheme, MappingProxyType({s.code: (s.code,) for s in source}))
    if to_scheme in TARGETS and from_scheme != "common28":
        found = {s.code: tuple(getattr(s, to_scheme)) for s in source}
        revisions = {s.isic_revision for s in source}
        notes: tuple[str, ...] = (REVISION_NOTE,) if to_scheme == "common28" and 3 in revisions else ()
        notes += tuple(f"{s.code}: {s.note}" for s in source if s.note and not s.note.startswith("order"))
        return SectorMap(from_scheme, to_scheme, MappingProxyType(found), notes)
    if {s.isic_revision for s in source} != {s.isic_revision for s in target} or not source[0].isic_revision:
        raise ConcordanceError(
            explain(
                f"no concordance from {from_scheme!r} to {to_scheme!r}",
                got=f"{SCHEMES[from_scheme]}; {SCHEMES[to_scheme]}",
                expected=f"schemes of the same ISIC revision, or one of {listing(TARGETS)} as the target",
            )
        )
    return SectorMap(
        from_scheme,
        to_scheme,
        MappingProxyType({s.code: tuple(t.code for t in target if _overlap(s, t)) for s in source}),
    )


def _overlap(one: Sector, other: Sector) -> bool:
    """Whether two sectors of the same ISIC revision share a division or a part of one."""
    return any(a.startswith(b) or b.startswith(a) for a in one.divisions for b in other.divisions)


def to_sectors(
    table: IcioTable,
    scheme: str,
    *,
    from_scheme: str | None = None,
    unmapped: Literal["error", "keep"] = "error",
) -> IcioTable:
    """Return a table in another sector scheme, where each of its sectors goes whole into one of the scheme.

    Parameters
    ----------
    table
        The table; its scheme is found from its labels.
    scheme
        Target, such as ``"icio45"`` or ``"common28"``.
    from_scheme
        Scheme of the table where its labels fit several.
    unmapped
        What to do with sectors for which the target has no place (Eora26's re-exports): refuse, or keep them
        under their own label.

    Returns
    -------
    IcioTable
        Exact sums. New sectors take the place of their first member. The map is noted in the provenance.

    Raises
    ------
    ConcordanceError
        Sectors that would have to be split, or that have no place; all are named.
    """
    if unmapped not in ("error", "keep"):
        raise UsageError(explain("unknown choice for unmapped", got=repr(unmapped), expected="'error' or 'keep'"))
    if from_scheme is None:
        from_scheme, codes = detect_scheme(table.sectors)
    else:
        codes = _codes_of(table.sectors, from_scheme)
    whole = sector_map(from_scheme, scheme)
    _refuse_splits(table.sectors, codes, whole)
    left = [label for label in table.sectors if not whole.targets[codes[label]]]
    if left and unmapped == "error":
        raise ConcordanceError(
            explain(
                f"scheme {scheme!r} has no place for {len(left)} of the table's sectors",
                got=listing(left, limit=20),
                do="keep them as they are with unmapped='keep', or aggregate by hand with table.aggregate(sectors=...)",
            )
        )
    groups: dict[str, list[str]] = {}
    for label in table.sectors:
        found = whole.targets[codes[label]]
        groups.setdefault(found[0] if found else label, []).append(label)
    result = table.aggregate(sectors=groups)
    notes = [f"sectors mapped from {from_scheme} to {scheme}: {len(table.sectors)} to {len(result.sectors)}"]
    notes += [f"no place in {scheme}, kept: {listing(left, limit=20)}"] if left else []
    return result.replace(provenance=result.provenance.noting(*notes, *whole.notes))


def _refuse_splits(labels: Sequence[str], codes: Mapping[str, str], whole: SectorMap) -> None:
    split = [label for label in labels if len(whole.targets[codes[label]]) > 1]
    if split:
        rows = "".join(f"\n    {label} -> {', '.join(whole.targets[codes[label]])}" for label in split)
        raise ConcordanceError(
            explain(
                f"{len(split)} sectors would have to be split to reach {whole.target!r}",
                got=rows,
                do="take a coarser scheme (such as 'common28'), or split them with shares of your own",
            )
        )


def aggregate_to(
    table: IcioTable,
    scheme: str,
    *,
    from_scheme: str | None = None,
    unmapped: Literal["error", "keep"] = "error",
) -> IcioTable:
    """Return a table summed to the sectors of a scheme; another name of :func:`to_sectors`."""
    return to_sectors(table, scheme, from_scheme=from_scheme, unmapped=unmapped)
