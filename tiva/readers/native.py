"""Tables saved by this package."""

from __future__ import annotations

from tiva.errors import ReaderError, explain
from tiva.readers._members import checked_year
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.table.icio_table import IcioTable
from tiva.table.native import is_native, load


def recognise(source: Source) -> bool:
    """Whether it is a netCDF 4 file written by :meth:`tiva.IcioTable.save` (HDF5 signature)."""
    names = source.names()
    return len(names) == 1 and source.file(names[0]) is not None and is_native(source.head(names[0], 8))


def read(source: Source, *, year: int | None = None) -> IcioTable:
    """Read a table saved in the native format.

    Raises
    ------
    ReaderError
        Not a native table, damaged, in an archive, or of another year.
    """
    names = source.names()
    path = source.file(names[0]) if len(names) == 1 else None
    if path is None:
        raise ReaderError(
            explain(f"{source.name}: native tables are read from a file of their own", do="unpack it first"),
            path=source.path,
        )
    table = load(path)
    checked_year(source, source.name, table.year, year, "the table")
    return table


READERS = (Reader("native", "native netCDF tables", recognise, read),)
