"""The registry of table readers: one row a family, recognised from content."""

from __future__ import annotations

import importlib
import inspect
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiva.errors import MissingFileError, ReaderError, TivaError, UnknownLabelError, UsageError, explain, listing
from tiva.files import as_path
from tiva.readers.source import MAX_DEPTH, Source

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


_DAMAGED = (OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError)
"""What the archive and file libraries raise over damaged, encrypted or truncated files."""


_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
"""First bytes of archives that are not read -> their kind."""

_TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat")

_WIDE_CHARACTERS = (b"\xff\xfe", b"\xfe\xff")
"""First bytes of UTF-16 and UTF-32 text."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A family of table layouts.

    Attributes
    ----------
    name
        Short name, accepted by ``tiva.read(..., layout=name)``.
    title
        What it reads, for listings.
    recognise
        Looks at the content of a source (first bytes, member names) and returns whether it is of this family.
        Cheap: must not read a whole table.
    read
        ``read(source, *, year=None, **options)`` returns the table.
    """

    name: str
    title: str
    recognise: Callable[[Source], bool]
    read: Callable[..., IcioTable]


MODULES: tuple[str, ...] = (
    "tiva.readers.native",
    "tiva.readers.npz",
    "tiva.readers.oecd",
    "tiva.readers.wiod2013",
    "tiva.readers.wiod2016",
    "tiva.readers.lrwiod",
    "tiva.readers.adb",
    "tiva.readers.eora",
    "tiva.readers.figaro",
    "tiva.readers.exiobase",
    "tiva.readers.emerging",
    "tiva.readers.gloria",
    "tiva.readers.cepal",
    "tiva.readers.tidy",
    "tiva.readers.stata_icio",
)
"""Modules that each define ``READERS``, a tuple of :class:`Reader`; asked in this order."""


def readers() -> tuple[Reader, ...]:
    """Return all readers, in the order in which they are asked."""
    found: list[Reader] = []
    for module in MODULES:
        found.extend(importlib.import_module(module).READERS)
    return tuple(found)


def recognise(source: Source) -> Reader:
    """Return the one reader whose layout ``source`` has.

    Raises
    ------
    ReaderError
        When no reader or more than one reader recognises it.
    """
    matches = [reader for reader in readers() if reader.recognise(source)]
    if not matches:
        _refuse_html(source)
        _refuse_packed(source)
        _refuse_cut_short(source)
        _refuse_nested(source)
        _refuse_not_text(source)
    if len(matches) == 1:
        return matches[0]
    names = [reader.name for reader in matches]
    if not names:
        msg = explain(
            f"{source.name}: no known table layout",
            got=source.describe(),
            expected=f"one of {listing((r.name for r in readers()), limit=40)}",
            do="name the layout with layout=..., or build the table with tiva.IcioTable.from_arrays",
        )
    else:
        msg = explain(
            f"{source.name}: the content fits more than one layout",
            got=listing(names),
            do="choose one with layout=...",
        )
    raise ReaderError(msg, path=source.path)


def _refuse_html(source: Source) -> None:
    for name in source.names()[:50]:
        head = source.head(name, 512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
            raise ReaderError(
                explain(
                    f"{name} is an html page, not a table",
                    got=repr(head[:60].decode("utf-8", errors="replace")),
                    expected="the file itself",
                    do="the publisher's site answered with a page; download the file with a browser",
                ),
                path=source.path,
                line=1,
            )


def _noting_year(table: IcioTable, path: Path, year: int | None) -> IcioTable:
    """Note that an archive is named for another year than the table in it, where no year was asked for."""
    from tiva.readers._members import year_in_name

    stated = year_in_name(path.name) if path.suffix.lower() == ".zip" else None
    if year is not None or stated is None or table.year is None or stated == table.year:
        return table
    note = f"the archive {path.name} is named for {stated}, the table in it is of {table.year}"
    return table.replace(provenance=table.provenance.noting(note))


def _refuse_cut_short(source: Source) -> None:
    """Refuse what begins as a zip archive, workbook or NumPy archive and lacks the directory at its end."""
    for name in source.names()[:50]:
        if not source.head(name, 4).startswith(b"PK\x03\x04"):
            continue
        with source.open(name) as handle:
            if zipfile.is_zipfile(handle):
                continue
        raise ReaderError(
            explain(
                f"{name} is a zip archive or workbook that is cut short",
                got=f"{source.size(name):,} bytes without the directory of members that stands at the end",
                expected="the whole file",
                do="get it from its publisher again",
            ),
            path=source.path,
        )


def _refuse_packed(source: Source) -> None:
    for name in source.names()[:50]:
        kind = next((kind for mark, kind in _PACKED.items() if source.head(name, 8).startswith(mark)), None)
        if kind is not None:
            raise ReaderError(
                explain(
                    f"{name} is packed, and not as zip",
                    got=kind,
                    expected="a table, or a zip archive with one",
                    do="unpack it",
                ),
                path=source.path,
            )


def _refuse_nested(source: Source) -> None:
    """Say that archives were not looked into, where nothing else holds a table."""
    if source.unopened:
        raise ReaderError(
            explain(
                f"{source.name}: no known table layout, but archives that are nested too deep to be looked into",
                got=listing(source.unopened),
                expected=f"at most {MAX_DEPTH} archives within each other",
                do="unpack the outer archive, and read what is inside",
            ),
            path=source.path,
        )


def _refuse_not_text(source: Source) -> None:
    """Refuse what is named like text and holds NUL bytes."""
    for name in source.names()[:50]:
        head = source.head(name)
        at = head.find(b"\0")
        if at < 0 or not name.lower().endswith(_TEXT_SUFFIXES):
            continue
        wide = head.startswith(_WIDE_CHARACTERS)
        line = head.count(b"\n", 0, at) + 1
        raise ReaderError(
            explain(
                f"{name}, line {line}: NUL bytes in what should be text",
                got="UTF-16 or UTF-32 text" if wide else f"byte {at + 1} is NUL",
                expected="UTF-8 text",
                do="save it again as UTF-8"
                if wide
                else "it is binary, UTF-16 text or damaged; get it from its publisher again, or save it as UTF-8",
            ),
            path=source.path,
            line=line,
        )


def _check_options(reader: Reader, options: dict[str, Any]) -> None:
    parameters = inspect.signature(reader.read).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    known = tuple(n for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY and n != "year")
    for option in options:
        if option not in known:
            raise UnknownLabelError(f"option of layout {reader.name!r}", option, known or ("none",))


def read(
    path: str | Path,
    *,
    layout: str | None = None,
    year: int | None = None,
    cache: bool | str | Path = False,
    **options: Any,
) -> IcioTable:
    """Read a multi-country input-output table from a file, folder or zip archive.

    Parameters
    ----------
    path
        File, folder or archive in any registered layout.
    layout
        Name of the layout; recognised from the content when left out.
    year
        Year to take where the source holds several, and checked where it holds one.
    cache
        Keep the parsed table, and take it from there the next time: ``True`` for the cache folder
        (``$TIVA_DATA`` or the platform's), or a folder. An entry is found by the content of the file, the options
        and the version of the readers, so that it is never stale.
    **options
        Options of the family's reader.

    Returns
    -------
    IcioTable

    Raises
    ------
    MissingFileError
        The path does not exist.
    ReaderError
        The content is of no known layout, or breaks the rules of its layout.
    UnknownLabelError
        A layout or option that does not exist.
    UsageError
        What is no path, or a year that is no whole number.
    OutputError
        The cache folder cannot be written.
    """
    path = as_path(path)
    if not path.exists():
        raise MissingFileError(
            explain(f"no such file: {path}", do="check the path; tiva.example() needs no file"), path=path
        )
    year = None if year is None else _whole(year)
    if cache is False:
        return _read(path, layout, year, options)
    from tiva.readers.cache import cache_folder, cached

    folder = cache_folder() if cache is True else as_path(cache, "the cache folder")
    key = {**options, "layout": layout, "year": year}
    return cached(path, key, folder, lambda: _read(path, layout, year, options))


def _whole(year: Any) -> int:
    """Return a year as ``int``, whatever holds it: NumPy's numbers, text, the floats of a data frame."""
    try:
        whole = int(year)
        if isinstance(year, str) or whole == year:
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise UsageError(explain("a year is a whole number", got=repr(year)[:60], expected="such as 2011"))


def _read(path: Path, layout: str | None, year: int | None, options: dict[str, Any]) -> IcioTable:
    try:
        with Source(path) as source:
            if layout is None:
                reader = recognise(source)
            else:
                by_name = {r.name: r for r in readers()}
                if layout not in by_name:
                    raise UnknownLabelError("layout", layout, tuple(by_name))
                reader = by_name[layout]
            _check_options(reader, options)
            return _noting_year(reader.read(source, year=year, **options), path, year)
    except TivaError:
        raise
    except _DAMAGED as error:
        raise ReaderError(
            explain(
                f"{path.name} cannot be read",
                got=f"{type(error).__name__}: {str(error)[:200]}",
                do="the file is damaged, encrypted or cut short; get it from its publisher again",
            ),
            path=path,
        ) from error
