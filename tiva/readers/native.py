"""Tables saved by this package."""

from __future__ import annotations

from pathlib import Path

from tiva.readers._members import checked_year, choose_member
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.table.icio_table import IcioTable
from tiva.table.native import is_native, load


def recognise(source: Source) -> bool:
    """Whether a member is a netCDF 4 file, as :meth:`tiva.IcioTable.save` writes (HDF5 signature)."""
    return bool(_candidates(source))


def _candidates(source: Source) -> list[str]:
    return [name for name in source.names() if is_native(source.head(name, 8))]


def read(source: Source, *, year: int | None = None, member: str | None = None) -> IcioTable:
    """Read a table saved in the native format.

    Parameters
    ----------
    source
        The file, or a folder or archive with it. A file of its own is mapped into memory, a member of an archive is
        held there.
    year, member
        Which table of several; ``year`` is also compared with that of the table.

    Returns
    -------
    IcioTable

    Raises
    ------
    ReaderError
        Not a native table, damaged, or of another year.
    """
    name = choose_member(source, _candidates(source), year=year, member=member)
    path = source.file(name)
    table = load(Path(name), source.read_bytes(name)) if path is None else load(path)
    checked_year(source, name, table.year, year, "the table")
    return table


READERS = (Reader("native", "native netCDF tables", recognise, read),)
