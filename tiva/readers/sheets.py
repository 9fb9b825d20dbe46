"""Workbooks: cheap looks for recognition, sheets as rows of cells, cells as numbers."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tiva.errors import TivaError
from tiva.readers._cell_errors import restore_errors
from tiva.readers.grids import guarded, refuse

if TYPE_CHECKING:
    from tiva.readers.source import Source

_LOOK = 1 << 17
"""Bytes of each part of a workbook that recognition looks at."""

_SEEN: WeakKeyDictionary[Source, dict[str, str]] = WeakKeyDictionary()
"""What was seen, as every reader that takes workbooks asks and each look unpacks."""

_PARTS = ("xl/workbook.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml")


def glimpse(source: Source, member: str) -> str:
    """Return the beginnings of the sheet names, strings and first sheet of an xlsx workbook, empty for others."""
    seen = _SEEN.setdefault(source, {})
    if member not in seen:
        seen[member] = _glimpse(source, member)
    return seen[member]


def _glimpse(source: Source, member: str) -> str:
    try:
        if source.head(member, 4) != b"PK\x03\x04":
            return ""
        with source.open(member) as handle, zipfile.ZipFile(handle) as archive:
            names = set(archive.namelist())
            texts = []
            for part in _PARTS:
                if part in names:
                    with archive.open(part) as opened:
                        texts.append(opened.read(_LOOK).decode("utf-8", errors="replace"))
    except (OSError, EOFError, RuntimeError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return ""
    return "\n".join(texts)


def read_sheets(source: Source, member: str) -> dict[str, list[list[Any]]]:
    """Return sheet name -> rows of cells, from the first row and column on.

    Raises
    ------
    ReaderError
        The workbook is broken, encrypted or of another format.
    """
    import python_calamine

    with guarded(source, member):
        content = source.read_bytes(member)
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = {
            name: workbook.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in workbook.sheet_names
        }
        for name, grid in sheets.items():
            restore_errors(content, name, grid)
        return sheets
    except TivaError:
        raise
    except BaseException as error:  # a panic of the parser is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        refuse(
            source,
            "cannot be read as a workbook",
            member=member,
            got=f"{type(error).__name__}: {str(error)[:200]}",
            do="open it in a spreadsheet program and save it as xlsx, or get it again",
        )


def text(cell: object) -> str:
    """Return a cell as stripped text; whole numbers without their decimal point."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def number(cell: object) -> float | None:
    """Return the number in a cell, ``None`` where there is none.

    Blanks are zero; text such as ``"(2)"`` is -2; thousands marks are taken off.
    """
    if isinstance(cell, bool):
        return None
    if isinstance(cell, (int, float)):
        return float(cell)
    if cell is None:
        return 0.0
    if not isinstance(cell, str):
        return None
    bare = cell.strip().replace(",", "")
    if not bare:
        return 0.0
    match = re.fullmatch(r"\(([0-9.]+(?:[eE][+-]?\d+)?)\)", bare)
    with contextlib.suppress(ValueError):
        return -float(match[1]) if match else float(bare)
    return None


def address(row: int, column: int) -> str:
    """Return the spreadsheet address of a cell counted from zero, such as ``E8``."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"
