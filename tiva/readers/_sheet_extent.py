"""How far the cells of a worksheet reach, found before the parser makes an array of all cells within."""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np

from tiva.readers._cell_errors import COMPILED_FROM, column_number, sheet_part

MAX_CELLS = 1 << 26
"""Most cells of a sheet, empty ones among them (67 million; the largest real table, of 74 economies, has 9 million):
one stray number in the last row and column of a sheet would take 400 GiB."""

_PIECE = 1 << 22
_LONGEST = 1 << 9
_CELL = re.compile(rb"<(?:\w+:)?c\s[^>]*?\br=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^>]*(?<!/)>")


def extent(content: bytes, sheet: str) -> tuple[int, int]:
    """Return the last row and column (counted from 0, -1 without any) of the cells of a sheet that hold something.

    Parameters
    ----------
    content
        A workbook, xlsx or xlsb; those of other kinds count as empty.
    sheet
        Name of the sheet.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = sheet_part(archive, sheet)
        if part is None:
            return -1, -1
        return _binary(archive.read(part)) if part.endswith(".bin") else _xml(archive, part)


def _xml(archive: zipfile.ZipFile, part: str) -> tuple[int, int]:
    kept, rows, columns = b"", {0}, {b""}
    with archive.open(part) as handle:
        while piece := handle.read(_PIECE):
            found = _CELL.findall(kept + piece)
            rows.update(int(number) for number in {row for _, row in found})
            columns.update(letters for letters, _ in found)
            kept = piece[-_LONGEST:]
    return max(rows) - 1, max(map(column_number, columns))


def _binary(stream: bytes) -> tuple[int, int]:
    from tiva.kernels.biff import error_cells, error_cells_python

    scan = error_cells if len(stream) >= COMPILED_FROM else error_cells_python
    reach = np.full(2, -1, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    scan(np.frombuffer(stream, dtype=np.uint8), none, none, none, reach)
    return int(reach[0]), int(reach[1])
