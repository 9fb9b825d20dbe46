"""One call for every layout in which tables are written."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tiva.errors import UnknownLabelError, UsageError, explain
from tiva.files import as_path
from tiva.readers.stata_icio import write_stata_icio
from tiva.readers.tidy import write_tidy
from tiva.readers.wide import write_wide
from tiva.table.icio_table import IcioTable

WRITERS: Mapping[str, Callable[..., Any]] = {
    "native": lambda table, path: table.save(path),
    "tidy": write_tidy,
    "wide": write_wide,
    "stata_icio": write_stata_icio,
}
"""Layout -> what writes it."""

SUFFIXES: Mapping[str, str] = {".nc": "native", ".parquet": "tidy", ".csv": "tidy"}
"""Suffix -> layout that is written when none is named."""


def write(table: IcioTable, path: str | Path, *, layout: str | None = None, **options: Any) -> Path:
    """Write a table; all layouts keep every digit of what they hold.

    Parameters
    ----------
    table
        Any table.
    path
        File to write.
    layout
        ``"native"`` (netCDF, everything), ``"tidy"`` (csv or parquet, everything but the provenance), ``"wide"``
        (csv in the style of the OECD) or ``"stata_icio"`` (numbers and a country list). Left out: by the suffix,
        ``.nc`` native, ``.parquet`` and ``.csv`` tidy.
    **options
        Options of the writer.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    UnknownLabelError
        No such layout, or no such option of its writer.
    UsageError
        What is no path, no layout for the suffix, or the layout cannot hold the table.
    OutputError
        The file cannot be written.
    """
    path = as_path(path)
    if layout is None:
        if path.suffix.lower() not in SUFFIXES:
            expected, do = f"one of {', '.join(SUFFIXES)}", 'pass layout="tidy" or another'
            raise UsageError(explain("no layout for this suffix", got=path.name, expected=expected, do=do))
        layout = SUFFIXES[path.suffix.lower()]
    if layout not in WRITERS:
        raise UnknownLabelError("layout", layout, tuple(WRITERS))
    _check_options(layout, options)
    WRITERS[layout](table, path, **options)
    return path


def _check_options(layout: str, options: Mapping[str, Any]) -> None:
    known = tuple(inspect.signature(WRITERS[layout]).parameters)[2:]
    for option in options:
        if option not in known:
            raise UnknownLabelError(f"option of layout {layout!r}", option, known or ("none",))
