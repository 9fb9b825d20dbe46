"""Numbers out of delimited text: one pass over the bytes, each number rounded correctly or left to the caller."""

from __future__ import annotations

from typing import Any

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.compiling import compiled

_MAX_EXACT = 1 << 53
"""Largest mantissa that a double holds exactly; with a power of ten up to 22, one operation rounds correctly
(Clinger 1990, How to read floating point numbers accurately)."""

_POWERS = 10.0 ** np.arange(23)


def cells_python(
    text: Any, starts: IntArray, ends: IntArray, delimiter: int, out: FloatArray, found: IntArray, odd: IntArray
) -> None:
    """Parse the numbers of each line.

    Parameters
    ----------
    text
        Shape (bytes,), uint8.
    starts, ends
        Shape (R,): first byte of the first number of each line, and the byte after its last.
    delimiter
        Byte between numbers.
    out
        Shape (R, K), written: the numbers; NaN where a cell is left to the caller.
    found
        Shape (R,), written: cells on the line (may differ from K; those beyond K are counted, not kept).
    odd
        Shape (R,), written: how many cells are left to the caller: not a plain decimal of at most 15 digits (blank,
        text, quoted or very long).
    """
    width = out.shape[1]
    for row in range(starts.size):
        at, end, column, left = starts[row], ends[row], 0, 0
        while at <= end:
            negative = bool(at < end and text[at] == 45)
            if negative or (at < end and text[at] == 43):
                at += 1
            mantissa, digits, scale = np.int64(0), 0, 0
            point, good = False, True
            while at < end and text[at] != delimiter:
                byte = text[at]
                if 48 <= byte <= 57:
                    good = bool(good and mantissa <= (_MAX_EXACT - 9) // 10)
                    mantissa = mantissa * 10 + (np.int64(byte) - 48) if good else mantissa
                    digits += 1
                    scale -= 1 if point else 0
                    at += 1
                elif byte == 46 and not point:
                    point = True
                    at += 1
                elif (byte == 101 or byte == 69) and digits > 0:
                    at += 1
                    minus = at < end and text[at] == 45
                    if at < end and (text[at] == 45 or text[at] == 43):
                        at += 1
                    exponent, count = 0, 0
                    while at < end and 48 <= text[at] <= 57 and count < 4:
                        exponent = exponent * 10 + int(text[at]) - 48
                        count += 1
                        at += 1
                    good = good and count > 0 and (at >= end or text[at] == delimiter)
                    scale += -exponent if minus else exponent
                    while at < end and text[at] != delimiter:
                        at += 1
                else:
                    good = False
                    while at < end and text[at] != delimiter:
                        at += 1
            good = good and digits > 0 and -22 <= scale <= 22
            if column < width:
                value = np.nan
                if good:
                    value = np.float64(mantissa)
                    value = value * _POWERS[scale] if scale >= 0 else value / _POWERS[-scale]
                    value = -value if negative else value
                else:
                    left += 1
                out[row, column] = value
            column += 1
            at += 1
        found[row] = column
        odd[row] = left


cells = compiled(cells_python)
"""Compiled :func:`cells_python`; releases the interpreter lock, so that callers give each thread its lines."""
