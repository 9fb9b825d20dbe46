"""The registry of table readers: one row a family, recognised from content."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiva.errors import MissingFileError, ReaderError, UnknownLabelError, explain, listing
from tiva.readers.source import Source

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


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


def read(path: str | Path, *, layout: str | None = None, year: int | None = None, **options: Any) -> IcioTable:
    """Read a multi-country input-output table from a file, folder or zip archive.

    Parameters
    ----------
    path
        File, folder or archive in any registered layout.
    layout
        Name of the layout; recognised from the content when left out.
    year
        Year to take where the source holds several, and checked where it holds one.
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
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(
            explain(f"no such file: {path}", do="check the path; tiva.example() needs no file"), path=path
        )
    with Source(path) as source:
        if layout is None:
            reader = recognise(source)
        else:
            by_name = {r.name: r for r in readers()}
            if layout not in by_name:
                raise UnknownLabelError("layout", layout, tuple(by_name))
            reader = by_name[layout]
        return reader.read(source, year=year, **options)
