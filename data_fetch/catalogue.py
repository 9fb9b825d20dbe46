"""The catalogue of sources: data sets, their files, addresses, access rules, checksums, licences, citations."""

from __future__ import annotations

import csv
import operator
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from tiva.errors import UnknownLabelError, UsageError, explain

Access = Literal["open", "bot wall", "browser", "login"]
"""How a site gives its files out; see ``datasets.toml``."""

Method = Literal["direct", "dataverse", "zenodo", "manual"]
"""How an address is used: as it is, through the file list of a repository, or by a person."""

Kind = Literal["publisher", "third party", "unconfirmed"]
"""Kind of source that confirms a fact; see :class:`Evidence`."""

TOPICS = ("licence", "access", "files", "checksums")
"""What is said to be confirmed or not of every data set."""

Years = int | str | Iterable[int] | None
"""A year, years such as ``"1995-2011"`` or ``"2000,2005-2007"``, several years, or all."""


@dataclass(frozen=True, slots=True)
class Address:
    """One way to a file: ``location`` is a web address, ``doi:...#file-number`` or a Zenodo record number."""

    method: Method
    location: str


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a data set.

    Attributes
    ----------
    dataset, name
        Name of the data set, and of the file as published.
    first_year, last_year
        Years in it; ``None`` for files that belong to all years (label lists).
    addresses
        In the order in which they are tried.
    size
        Bytes where known.
    checksums
        Algorithm -> hexadecimal digest, where known.
    note
        What is known about it beside.
    """

    dataset: str
    name: str
    first_year: int | None
    last_year: int | None
    addresses: tuple[Address, ...]
    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def covers(self, years: tuple[int, ...] | None) -> bool:
        """Whether the file is needed for any of ``years`` (``None``: all)."""
        if years is None or self.first_year is None or self.last_year is None:
            return True
        return any(self.first_year <= year <= self.last_year for year in years)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is confirmed of a data set, and by what kind of source.

    Attributes
    ----------
    topic
        ``"licence"``, ``"access"``, ``"files"`` (names and addresses) or ``"checksums"``.
    kind
        ``"publisher"``: a copy of the publisher's own page, licence file or record; ``"third party"``: code that works
        with the files, provenance records, notes of users; ``"unconfirmed"``.
    text
        What was seen, and what was not.
    """

    topic: str
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """One edition of a database.

    Attributes
    ----------
    name, title, database, edition, years, unit
        Description; ``years`` is text as published.
    page
        Where a person finds it.
    access
        How the site gives files out.
    licence, citation
        As published.
    reissued
        Whether the publisher replaces files under the same name: then another checksum is a revision.
    pattern
        Regular expression of file names that a hand-downloaded file may have beside those of ``files``.
    notes
        Further facts.
    files
        The files in order of years.
    layout
        Name of the reader of its tables; empty where no reader reads them (accounts, MATLAB files).
    evidence
        What of this is confirmed, and by what kind of source.
    """

    name: str
    title: str
    database: str
    edition: str
    years: str
    unit: str
    page: str
    access: Access
    licence: str
    citation: str
    reissued: bool
    pattern: str
    notes: str
    files: tuple[FileEntry, ...]
    layout: str = ""
    evidence: tuple[Evidence, ...] = ()

    def select(self, years: Years = None) -> tuple[FileEntry, ...]:
        """Return the files that hold ``years``.

        Raises
        ------
        UsageError
            A year that the data set does not have.
        """
        wanted = parse_years(years)
        dated = [entry for entry in self.files if entry.first_year is not None]
        for year in wanted or ():
            if not any(entry.covers((year,)) for entry in dated):
                raise UsageError(
                    explain(f"{self.name} has no year {year}", got=f"{year}", expected=f"years {self.years}")
                )
        return tuple(entry for entry in self.files if entry.covers(wanted))

    def entry(self, file: str) -> FileEntry | None:
        """Return the file of this name, in any case of letters, or ``None``."""
        return next((e for e in self.files if e.name.casefold() == file.casefold()), None)

    def accepts(self, file: str) -> bool:
        """Whether a file of this name can be one of the data set."""
        return self.entry(file) is not None or bool(self.pattern and re.fullmatch(self.pattern, file, re.IGNORECASE))

    def hand_entry(self, file: str) -> FileEntry:
        """Describe a hand-downloaded file whose name only the pattern knows."""
        match = re.fullmatch(self.pattern, file, re.IGNORECASE) if self.pattern else None
        year = match.groupdict().get("year") if match else None
        if year is None and (found := re.search(r"(?<!\d)(19|20)\d\d(?!\d)", file)):
            year = found.group()
        number = None if year is None else int(year)
        return FileEntry(self.name, file, number, number, (Address("manual", self.page),))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Data sets by name."""

    datasets: Mapping[str, Dataset]

    def __getitem__(self, name: str) -> Dataset:
        if not isinstance(name, str) or name not in self.datasets:
            raise UnknownLabelError("data set", name, tuple(self.datasets))
        return self.datasets[name]


def parse_years(years: Years) -> tuple[int, ...] | None:
    """Return years in increasing order without repetition, or ``None`` for all.

    Raises
    ------
    UsageError
        Text that is not years and ranges of years, or other things than whole numbers.

    Examples
    --------
    >>> parse_years("1995-1997,2000")
    (1995, 1996, 1997, 2000)
    """
    if years is None:
        return None
    if not isinstance(years, str):
        many = years if isinstance(years, Iterable) else (years,)
        try:
            return tuple(sorted({operator.index(year) for year in many}))  # those of NumPy and pandas too
        except TypeError:
            raise UsageError(
                explain(
                    "years are not whole numbers", got=repr(years)[:80], expected="such as 2011 or range(1995, 2012)"
                )
            ) from None
    found: set[int] = set()
    for item in years.split(","):
        match = re.fullmatch(r"\s*(\d{4})\s*(?:[-:]\s*(\d{4})\s*)?", item)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise UsageError(
                explain("cannot understand the years", got=repr(years), expected="such as 1995-2011 or 2000,2005")
            )
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(found))


def _entries(rows: Iterable[Mapping[str, str]]) -> dict[str, list[FileEntry]]:
    """Group rows into files; further rows of the same file are mirrors."""
    found: dict[tuple[str, str], FileEntry] = {}
    for row in rows:
        key = (row["dataset"], row["file"])
        address = Address(row["method"], row["address"])  # type: ignore[arg-type]
        if key in found:
            old = found[key]
            found[key] = FileEntry(
                old.dataset, old.name, old.first_year, old.last_year, (*old.addresses, address),
                old.size, old.checksums, old.note,
            )  # fmt: skip
            continue
        sums = dict(item.split(":", 1) for item in row["checksum"].split())
        found[key] = FileEntry(
            dataset=row["dataset"],
            name=row["file"],
            first_year=int(row["first_year"]) if row["first_year"] else None,
            last_year=int(row["last_year"]) if row["last_year"] else None,
            addresses=(address,),
            size=int(row["bytes"]) if row["bytes"] else None,
            checksums=MappingProxyType(sums),
            note=row["note"],
        )
    by_dataset: dict[str, list[FileEntry]] = {}
    for entry in found.values():
        by_dataset.setdefault(entry.dataset, []).append(entry)
    return by_dataset


def build(
    datasets: Mapping[str, Mapping[str, Any]],
    rows: Iterable[Mapping[str, str]],
    evidence: Mapping[str, Mapping[str, tuple[Kind, str]]] = MappingProxyType({}),
) -> Catalogue:
    """Build a catalogue from the content of ``datasets.toml`` and the rows of ``files.csv``."""
    entries = _entries(rows)
    known = {
        name: tuple(Evidence(topic, kind, text) for topic, (kind, text) in table.items())
        for name, table in evidence.items()
    }
    return Catalogue(
        MappingProxyType(
            {
                name: Dataset(
                    name=name,
                    title=row["title"],
                    database=row["database"],
                    edition=row["edition"],
                    years=row["years"],
                    unit=row["unit"],
                    page=row["page"],
                    access=row["access"],
                    licence=row["licence"],
                    citation=row["citation"],
                    reissued=row["reissued"],
                    pattern=row.get("pattern", ""),
                    notes=row.get("notes", ""),
                    files=tuple(entries.get(name, ())),
                    layout=row.get("layout", ""),
                    evidence=known[row["evidence"]] if "evidence" in row else (),
                )
                for name, row in datasets.items()
            }
        )
    )


@cache
def catalogue() -> Catalogue:
    """Return the catalogue that comes with the package."""
    here = files("data_fetch")
    datasets = tomllib.loads((here / "datasets.toml").read_text(encoding="utf-8"))
    evidence = datasets.pop("evidence")
    with (here / "files.csv").open(encoding="utf-8") as handle:
        return build(datasets, csv.DictReader(handle), evidence)
