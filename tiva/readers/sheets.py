"""Spreadsheet workbooks: a look at their texts without parsing, sheets as rows of cells, cells as numbers."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from tiva.errors import ReaderError, explain
from tiva.kernels.arrays import FloatArray
from tiva.readers._cell_errors import error_values, restore
from tiva.readers._members import parsing
from tiva.readers._sheet_extent import check_opening, extent, most_cells
from tiva.readers._sheet_numbers import SheetNumbers, without_numbers
from tiva.readers.source import check_packed

if TYPE_CHECKING:
    from tiva.readers.source import Source

Grid = list[list[Any]]

MAX_CELLS_BYTES = 4 << 30
"""Largest sum of unpacked parts of a workbook (the largest real table, 74 economies, unpacks to about 0.6 GB)."""

_LOOK = 1 << 17
"""Bytes of each part of a workbook that recognition looks at."""

_SEEN: WeakKeyDictionary[Source, dict[str, str]] = WeakKeyDictionary()
"""What was seen, as every reader that takes workbooks asks and each look unpacks."""

_PARTS = ("xl/workbook.", "xl/sharedStrings.", "xl/worksheets/sheet1.")
_UNREADABLE = (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error)

_NUMBERS = {float, int}
"""What NumPy takes as we do; it takes ``True`` for 1 and ``"1_000"`` for 1000."""

_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d*)?")
_NEGATIVE = re.compile(r"\(([0-9.,]+(?:[eE][+-]?\d+)?)\)")


def workbooks(source: Source) -> list[str]:
    """Return the members that may be spreadsheet workbooks by their first bytes."""
    return [n for n in source.names() if source.head(n, 4) == b"PK\x03\x04"]


def glimpse(source: Source, member: str) -> str:
    """Return the beginnings of a workbook's texts (sheet names, shared strings, first sheet), undecoded XML and all.

    Enough to recognise a layout by its title without parsing the sheets; empty where the file is no workbook.
    """
    seen = _SEEN.setdefault(source, {})
    if member not in seen:
        seen[member] = _glimpse(source, member)
    return seen[member]


def _glimpse(source: Source, member: str) -> str:
    texts = []
    try:
        if source.head(member, 4) != b"PK\x03\x04":
            return ""
        with source.open(member) as handle, zipfile.ZipFile(handle) as archive:
            for part in (n for n in archive.namelist() if n.startswith(_PARTS)):
                with archive.open(part) as opened:
                    head = opened.read(_LOOK)
                texts.append(head.decode("utf-8", errors="replace"))
                if part.endswith(".bin"):  # UTF-16 strings begin at odd or even bytes
                    texts += [head[k:].decode("utf-16-le", errors="replace") for k in (0, 1)]
    except _UNREADABLE:
        return ""
    return "\n".join(texts)


def read_grid(source: Source, name: str, sheet: int | str | None = 0) -> tuple[str, Grid]:
    """Return name and cells of one sheet, by position or by name.

    Raises
    ------
    ReaderError
        The workbook is damaged, unpacks to an implausible size, or has no such sheet.
    """
    with parsing(source, name, "a spreadsheet workbook"):
        content, workbook = _workbook(source, name)
        names = workbook.sheet_names
        if isinstance(sheet, str) and sheet not in names:
            raise ReaderError(
                explain(f"{name} has no sheet {sheet!r}", got=", ".join(names), do="name the sheet"), path=source.path
            )
        chosen = sheet if isinstance(sheet, str) else names[sheet or 0]
        return chosen, _sheets(source, name, content, workbook, [chosen])[chosen]


def read_sheets(source: Source, member: str) -> dict[str, Grid]:
    """Return sheet name -> rows of cells of a whole workbook, from the first row and column on.

    Raises
    ------
    ReaderError
        The workbook is damaged, unpacks to an implausible size, or is of another format.
    """
    with parsing(source, member, "a spreadsheet workbook"):
        content, workbook = _workbook(source, member)
        return _sheets(source, member, content, workbook, workbook.sheet_names)


def sheet_names(source: Source, name: str) -> list[str]:
    """Return the names of the sheets of a workbook."""
    with parsing(source, name, "a spreadsheet workbook"):
        return list(_workbook(source, name)[1].sheet_names)


def _workbook(source: Source, name: str) -> tuple[bytes, Any]:
    content = source.read_bytes(name)
    check_packed(source, name, content, MAX_CELLS_BYTES)
    check_opening(content)
    return content, _parsed(content)


def _parsed(content: bytes) -> Any:
    import python_calamine

    return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))


def _sheets(source: Source, member: str, content: bytes, workbook: Any, names: Sequence[str]) -> dict[str, Grid]:
    """Return the cells of the sheets: the plain numbers of large ones by the compiled scan, all else by the parser."""
    rest, numbers = without_numbers(content, names)
    workbook = workbook if rest is content else _parsed(rest)
    total, most = 0, most_cells(content)
    for name in names:
        row, column = numbers[name].extent if name in numbers else extent(rest, name)
        total += (row + 1) * (column + 1)
        if total > most:
            raise ReaderError(
                explain(
                    f"{member}: the sheet {name!r} reaches too far to be a table",
                    got=f"cells as far as {address(row, column)}",
                    expected=f"at most {most:,} cells within the last rows and columns of its sheets",
                    do="delete stray cells beyond the table, or save it as csv",
                ),
                path=source.path,
            )
    return {name: _cells(rest, workbook, name, numbers.get(name)) for name in names}


def _cells(content: bytes, workbook: Any, sheet: str, numbers: SheetNumbers | None) -> Grid:
    """Return the cells of a sheet; its error values are looked for while the parser, which drops them, works."""
    with ThreadPoolExecutor(1) as other:
        errors = other.submit(error_values, content, sheet)
        grid: Grid = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        if numbers is not None:
            numbers.write(grid)
        restore(grid, errors.result())
    return grid


def text(cell: object) -> str:
    """Return a label cell as text: stripped, and ``19`` where a spreadsheet made 19.0 of the code ``19``."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def number(cell: object) -> float | None:
    """Return the number in a cell, ``None`` where there is none.

    Blanks are zero; text such as ``"(2)"`` is -2; marks between full thousands (``"1,000.5"``) are taken off, other
    commas are not, as ``"1,5"`` may be one and a half.
    """
    if isinstance(cell, bool):
        return None
    if isinstance(cell, (int, float)):
        return float(cell)
    if cell is None:
        return 0.0
    if not isinstance(cell, str) or "_" in cell:
        return None
    bare = cell.strip()
    if not bare:
        return 0.0
    match = _NEGATIVE.fullmatch(bare)
    bare = f"-{match[1]}" if match else bare
    bare = bare.replace(",", "") if _THOUSANDS.fullmatch(bare) else bare
    with contextlib.suppress(ValueError):
        return float(bare)
    return None


def address(row: int, column: int) -> str:
    """Return the spreadsheet address of a cell counted from zero, ``C7`` for row 6 and column 2."""
    return f"{letters(column)}{row + 1}"


def letters(column: int) -> str:
    """Return the name of a column counted from zero, ``C`` for 2."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def numbers(
    source: Source, name: str, grid: Grid, rows: Sequence[int], columns: Sequence[int]
) -> tuple[FloatArray, int]:
    """Return a block of cells as numbers, and how many were empty (taken as 0).

    Raises
    ------
    ReaderError
        A cell is text or not finite; the message names it.
    """
    out = np.zeros((len(rows), len(columns)))
    together = list(columns) == list(range(columns[0], columns[0] + len(columns))) if len(columns) else False
    empty = 0
    for i, row in enumerate(rows):
        cells = grid[row]
        try:
            chosen = cells[columns[0] : columns[-1] + 1] if together else [cells[k] for k in columns]
            out[i] = np.fromiter(chosen, dtype=np.float64, count=len(columns))
            refused = not _NUMBERS.issuperset(map(type, chosen)) or not np.isfinite(out[i]).all()
        except (ValueError, TypeError, IndexError):
            refused = True
        if refused:
            for k, column in enumerate(columns):
                cell = cells[column] if column < len(cells) else ""
                empty += cell is None or (isinstance(cell, str) and not cell.strip())
                value = number(cell)
                if value is None:
                    raise not_a_number(source, name, cell, row, column) from None
                out[i, k] = value
    if not np.isfinite(out).all():
        i, k = (int(x) for x in np.argwhere(~np.isfinite(out))[0])
        raise not_a_number(source, name, out[i, k], rows[i], columns[k])
    return out, empty


def not_a_number(source: Source, name: str, cell: object, row: int, column: int) -> ReaderError:
    """Return the error for a cell that should be a number."""
    return ReaderError(
        explain(
            f"{name}, cell {address(row, column)}: not a finite number",
            got=repr(cell)[:60],
            expected="a number",
            do="get the file from its publisher again, or correct the cell on purpose",
        ),
        path=source.path,
        line=row + 1,
    )
