"""Spreadsheet workbooks: a look at their texts without parsing, and their cells as numbers."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tiva.errors import ReaderError, explain
from tiva.kernels.arrays import FloatArray
from tiva.readers._cell_errors import restore_errors
from tiva.readers._members import parsing
from tiva.readers.source import MAX_RATIO, Source

Grid = list[list[Any]]

MAX_CELLS_BYTES = 4 << 30
"""Largest sum of unpacked parts of a workbook (the largest real table, 72 economies, unpacks to about 0.6 GB)."""

_PEEK = 1 << 17


def workbooks(source: Source) -> list[str]:
    """Return the members that may be spreadsheet workbooks by their first bytes."""
    return [n for n in source.names() if source.head(n, 4) == b"PK\x03\x04"]


def workbook_texts(source: Source, name: str) -> str:
    """Return the beginnings of a workbook's texts (sheet names, shared strings, first sheet), undecoded XML and all.

    Enough to recognise a layout by its title without parsing the sheets; empty where the file is no workbook.
    """
    try:
        with source.open(name) as handle, zipfile.ZipFile(handle) as archive:
            parts = [
                n for n in archive.namelist()
                if n.startswith(("xl/workbook.", "xl/sharedStrings.", "xl/worksheets/sheet1."))
            ]  # fmt: skip
            found = []
            for part in parts:
                with archive.open(part) as inner:
                    head = inner.read(_PEEK)
                found.append(head.decode("utf-8", errors="replace"))
                if part.endswith(".bin"):  # UTF-16 strings begin at odd or even bytes
                    found += [head[k:].decode("utf-16-le", errors="replace") for k in (0, 1)]
            return "\n".join(found)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error):
        return ""


def read_grid(source: Source, name: str, sheet: int | str | None = 0) -> tuple[str, Grid]:
    """Return name and cells of one sheet, by position or by name.

    Raises
    ------
    ReaderError
        The workbook is damaged, unpacks to an implausible size, or has no such sheet.
    """
    import python_calamine

    content = source.read_bytes(name)
    with parsing(source, name, "a spreadsheet workbook"):
        _check_parts(source, name, content)
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = workbook.sheet_names
        if isinstance(sheet, str) and sheet not in names:
            raise ReaderError(
                explain(f"{name} has no sheet {sheet!r}", got=", ".join(names), do="name the sheet"), path=source.path
            )
        chosen = sheet if isinstance(sheet, str) else names[sheet or 0]
        grid = workbook.get_sheet_by_name(chosen).to_python(skip_empty_area=False)
        restore_errors(content, chosen, grid)
        return chosen, grid


def sheet_names(source: Source, name: str) -> list[str]:
    """Return the names of the sheets of a workbook."""
    import python_calamine

    with parsing(source, name, "a spreadsheet workbook"):
        content = source.read_bytes(name)
        _check_parts(source, name, content)
        return list(python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)).sheet_names)


def _check_parts(source: Source, name: str, content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
    odd = [i for i in infos if i.file_size > MAX_RATIO * max(i.compress_size, 1024)]
    if odd or sum(i.file_size for i in infos) > MAX_CELLS_BYTES:
        raise ReaderError(
            explain(
                f"{name} unpacks to an implausible size",
                got=f"{sum(i.file_size for i in infos):,} bytes from {len(content):,}",
                do="open it in a spreadsheet and save it again if you trust it",
            ),
            path=source.path,
        )


def text(cell: Any) -> str:
    """Return a label cell as text: stripped, and ``19`` where a spreadsheet made 19.0 of the code ``19``."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def place(row: int, column: int) -> str:
    """Return the spreadsheet name of a cell, ``C7`` for row 6 and column 2 counted from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def numbers(
    source: Source, name: str, grid: Grid, rows: Sequence[int], columns: Sequence[int]
) -> tuple[FloatArray, int]:
    """Return a block of cells as numbers, and how many were empty (taken as 0).

    Raises
    ------
    ReaderError
        A cell is text or not finite; the message names it.
    """
    take = np.asarray(columns, dtype=np.int64)
    out = np.zeros((len(rows), len(take)))
    empty = 0
    for i, row in enumerate(rows):
        cells = grid[row]
        try:
            line = np.array(cells, dtype=object)[take]
            out[i] = line.astype(np.float64)
        except (ValueError, TypeError, IndexError):
            for k, column in enumerate(columns):
                cell = cells[column] if column < len(cells) else ""
                if cell is None or (isinstance(cell, str) and not cell.strip()):
                    empty += 1
                else:
                    out[i, k] = _number(source, name, cell, row, column)
    if not np.isfinite(out).all():
        i, k = (int(x) for x in np.argwhere(~np.isfinite(out))[0])
        raise _not_a_number(source, name, out[i, k], rows[i], columns[k])
    return out, empty


def _number(source: Source, name: str, cell: Any, row: int, column: int) -> float:
    if isinstance(cell, str):
        plain = cell.strip()
        plain = f"-{plain[1:-1]}" if plain.startswith("(") and plain.endswith(")") else plain
        try:
            return float(plain)
        except ValueError:
            raise _not_a_number(source, name, cell, row, column) from None
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return float(cell)
    raise _not_a_number(source, name, cell, row, column)


def _not_a_number(source: Source, name: str, cell: Any, row: int, column: int) -> ReaderError:
    return ReaderError(
        explain(
            f"{name}, cell {place(row, column)}: not a finite number",
            got=repr(cell)[:60],
            expected="a number",
            do="get the file from its publisher again, or correct the cell on purpose",
        ),
        path=source.path,
        line=row + 1,
    )
