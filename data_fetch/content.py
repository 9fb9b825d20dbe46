"""What a file holds, told from its content and the names in it: layout, edition of the OECD's tables, years."""

from __future__ import annotations

import re
from pathlib import Path

from data_fetch.catalogue import Dataset, FileEntry
from tiva.errors import ReaderError, TivaError, explain, listing

_HEADER_BYTES = 1 << 17
"""The header line of the widest OECD table (4,737 labels) has about 60 kB."""

_TABLES = (".csv", ".txt", ".xlsx", ".xlsb", ".rdata", ".dta", ".mat")
"""Endings of members that hold tables; descriptions may carry any year in their names."""

_WORKBOOKS = (".xlsx", ".xlsb")

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_EDITION = re.compile(r"(?i)icio[ _-]?(?:19|20)\d\d(?=[ _-]?\d{4})")


def layout_of(path: Path) -> str:
    """Return the name of the reader that recognises a file, or an empty text."""
    from tiva.readers.registry import recognise
    from tiva.readers.source import Source

    try:
        with Source(path) as source:
            return recognise(source).name
    except (TivaError, OSError, ValueError, ImportError):
        return ""


def icio_edition(path: Path) -> str:
    """Return the name of the ICIO data set that a csv or zip of the OECD belongs to, from its header line.

    The editions share file names; sector codes tell them apart, and split countries the extended tables.
    """
    from tiva.readers.source import Source

    try:
        with Source(path) as source:
            members = source.names(".csv")
            head = source.head(members[0], _HEADER_BYTES).decode("ascii", errors="replace") if members else ""
    except (ReaderError, OSError, ValueError, KeyError):
        return ""
    first = head.partition("\n")[0]
    extended = "CN1_" in first
    labels = set(re.findall(r"[A-Z]{3}_([A-Z0-9_]+)", first))
    if labels & {"A01", "C24A", "C301"}:
        name = "icio2025"
    elif "A01_02" in labels:
        name = "icio2023"
    elif "01T02" in labels:
        return "icio2021"
    elif "01T03" in labels:
        return "icio2018"
    elif "C01T05AGR" in labels:
        return "icio2016"
    else:
        return ""
    return f"{name}_extended" if extended else name


def years_inside(path: Path) -> tuple[int, ...]:
    """Return the years in the names of the tables in an archive, or of the sheets of a workbook, in increasing order.

    Empty where the names do not say.
    """
    from tiva.readers.source import Source

    try:
        if path.suffix.lower() in _WORKBOOKS:
            names: tuple[str, ...] = _sheet_names(path)
        else:
            with Source(path) as source:
                members = source.names()
            names = tuple(n for n in members if n != path.name and n.lower().endswith(_TABLES))
    except (TivaError, OSError, ValueError):
        return ()
    return tuple(sorted({int(year) for name in names for year in _YEAR.findall(_EDITION.sub("", name))}))


def check_content(path: Path, entry: FileEntry, dataset: Dataset, name: str | None = None) -> str:
    """Refuse a file that evidently holds something else than it should, and return the layout of its content.

    Parameters
    ----------
    path
        The file.
    entry, dataset
        What it should be.
    name
        Name for messages.

    Returns
    -------
    str
        Name of the reader that recognises the content; empty where none does, or where the data set has no reader.

    Raises
    ------
    ReaderError
        Another layout, another edition of the OECD's tables, or none of the years that it should hold.
    """
    if not dataset.layout:
        return ""
    shown = name or entry.name
    layout = layout_of(path)
    if layout and layout != dataset.layout:
        got, expected = f"a table of layout {layout!r}", f"layout {dataset.layout!r}"
        raise ReaderError(
            explain(f"{shown} is no file of {dataset.name}", got=got, expected=expected, do=_OTHER), path=path
        )
    edition = icio_edition(path) if layout == "oecd" else dataset.name
    if edition != dataset.name:
        got = edition or "sectors of no edition that is known"
        raise ReaderError(
            explain(f"{shown} is of another edition", got=got, expected=dataset.name, do=_OTHER), path=path
        )
    years = years_inside(path)
    if years and entry.first_year is not None and not any(entry.covers((year,)) for year in years):
        last = f"-{entry.last_year}" if entry.last_year != entry.first_year else ""
        raise ReaderError(
            explain(
                f"{shown} does not hold the year of its name",
                got=listing(years, limit=30),
                expected=f"{entry.first_year}{last}",
                do="get the file of that year again, and keep the name under which it is published",
            ),
            path=path,
        )
    return layout


_OTHER = (
    "name the data set that it belongs to (--dataset NAME), or get the right file; tiva.read reads any file by itself"
)


def _sheet_names(path: Path) -> tuple[str, ...]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return tuple(CalamineWorkbook.from_path(str(path)).sheet_names)
    except CalamineError as error:
        raise ValueError(str(error)) from error
