"""Error values and extent of a binary worksheet (xlsb): one pass over its stream of records."""

from __future__ import annotations

from typing import Any

from tiva.kernels.arrays import IntArray
from tiva.kernels.compiling import compiled

DAMAGED = -1
"""The stream ends inside a record."""

SHORT_CELLS = -2
"""Cells without a column number (records 12 to 18), which the parser of workbooks leaves out."""


def _four(stream: Any, at: int) -> int:
    return int(stream[at]) + 256 * (int(stream[at + 1]) + 256 * (int(stream[at + 2]) + 256 * int(stream[at + 3])))


_number = compiled(_four, inline="always")


def error_cells_python(stream: Any, rows: IntArray, columns: IntArray, codes: IntArray, extent: IntArray) -> int:
    """Find the error values among the cells of a sheet.

    A record is a type (one or two bytes, seven bits each), a length (one to four bytes, seven bits each) and that
    many bytes. A row record (0) begins with the row; a cell begins with its column and its style, four bytes each,
    and for an error (3) or a formula with an error as its value (11) the code follows.

    Parameters
    ----------
    stream
        Shape (bytes,), uint8: the part of the sheet.
    rows, columns, codes
        Shape (K,), written: place counted from 0 and code of the first K error values.
    extent
        Shape (2,), written: last row and last column of a cell with a value, -1 without any.

    Returns
    -------
    int
        How many there are, those beyond K included; :data:`DAMAGED` or :data:`SHORT_CELLS`.

    References
    ----------
    Microsoft, [MS-XLSB]: Excel Binary File Format, records BrtRowHdr, BrtCellError and BrtFmlaError.
    """
    at, end, row, found = 0, stream.size, -1, 0
    extent[:] = -1
    while at < end:
        kind = int(stream[at])
        at += 1
        if kind >= 128:
            if at >= end:
                return DAMAGED
            kind = (kind - 128) + int(stream[at]) % 128 * 128
            at += 1
        size, shift, more = 0, 1, True
        while more and shift < 1 << 28:
            if at >= end:
                return DAMAGED
            byte = int(stream[at])
            size += byte % 128 * shift
            shift *= 128
            more = byte >= 128
            at += 1
        if at + size > end:
            return DAMAGED
        if kind == 0 and size >= 4:
            row = _number(stream, at)
        elif 12 <= kind <= 18 and row >= 0:
            return SHORT_CELLS
        elif 2 <= kind <= 11 and size >= 4 and row >= 0:
            column = _number(stream, at)
            extent[0], extent[1] = max(row, extent[0]), max(column, extent[1])
            if (kind == 3 or kind == 11) and size >= 9:
                if found < rows.size:
                    rows[found], columns[found], codes[found] = row, column, int(stream[at + 8])
                found += 1
        at += size
    return found


error_cells = compiled(error_cells_python)
"""Compiled :func:`error_cells_python`."""
