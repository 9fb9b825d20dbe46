"""Numbers out of delimited text and worksheets: one pass over the bytes, each rounded correctly or left."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.compiling import compiled

_MAX_EXACT = np.uint64(1 << 53)
"""Largest mantissa that a double holds exactly; with a power of ten up to 22, one operation rounds correctly
(Clinger 1990, How to read floating point numbers accurately)."""

_POWERS = 10.0 ** np.arange(23)

_SMALLEST, _LARGEST = -300, 280
"""Powers of ten beyond :data:`_POWERS` that are tried; with a mantissa of up to 19 digits none leaves the range of
normal doubles."""

_MAX_MANTISSA = np.uint64(((1 << 64) - 10) // 10)
"""Largest mantissa that takes one more digit."""

_FULL, _HALF = np.uint64((1 << 64) - 1), np.uint64((1 << 32) - 1)
_ONE, _TEN, _32 = np.uint64(1), np.uint64(10), np.uint64(32)
_TOP = np.uint64(1 << 63)


def _fives() -> tuple[Any, Any, Any]:
    """Return 5^q as 128 bits cut off (two words) times a power of two."""
    high, low, twos = [], [], []
    for q in range(_SMALLEST, _LARGEST + 1):
        shift = 128 - (5**q).bit_length() if q >= 0 else 127 + (5**-q).bit_length()
        cut = ((5**q << 128) >> (128 - shift)) if q >= 0 else (1 << shift) // 5**-q
        high.append(cut >> 64)
        low.append(cut & ((1 << 64) - 1))
        twos.append(-shift)
    return np.array(high, dtype=np.uint64), np.array(low, dtype=np.uint64), np.array(twos, dtype=np.int64)


_HIGH, _LOW, _TWOS = _fives()


def product_python(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the upper and the lower word of the product of two words (uint64)."""
    a1, a0, b1, b0 = a >> _32, a & _HALF, b >> _32, b & _HALF
    low, left, right = a0 * b0, a1 * b0, a0 * b1
    middle = (low >> _32) + (left & _HALF) + (right & _HALF)
    return a1 * b1 + (left >> _32) + (right >> _32) + (middle >> _32), (middle << _32) | (low & _HALF)


product = compiled(product_python)


def rounded_python(mantissa: Any, scale: int) -> float:
    """Return mantissa x 10^scale as the nearest double, NaN where that is not certain (or outside normal doubles).

    The product with the first 128 bits of 5^scale lies between two neighbours of 192 bits; unless half a unit in the
    last place lies between or on them, both round to the same double. Cases of exactly one half are left.

    Parameters
    ----------
    mantissa
        uint64.
    scale
        Power of ten.

    References
    ----------
    Lemire, D. (2021), Number parsing at a gigabyte per second, Software: Practice and Experience 51(8), for the
    approach by a product of words.
    """
    if mantissa <= _MAX_EXACT and -22 <= scale <= 22:
        exact = np.float64(mantissa)
        return float(exact * _POWERS[scale]) if scale >= 0 else float(exact / _POWERS[-scale])
    if mantissa == np.uint64(0):
        return 0.0
    if scale < _SMALLEST or scale > _LARGEST:
        return np.nan
    place = scale - _SMALLEST
    shifted = 0
    while mantissa < _TOP:
        mantissa <<= _ONE
        shifted += 1
    upper, lower = product(mantissa, _HIGH[place])
    more, _ = product(mantissa, _LOW[place])
    if lower > _FULL - more:
        upper += _ONE
        lower -= _FULL - more + _ONE
    else:
        lower += more
    bits = 11 if upper >= _TOP else 10
    half = _ONE << np.uint64(bits - 1)
    rest = upper & ((half << _ONE) - _ONE)
    if (rest == half and lower == np.uint64(0)) or (rest == half - _ONE and lower >= _FULL - _ONE):
        return np.nan
    kept = upper >> np.uint64(bits)
    if rest >= half:
        kept += _ONE
    return math.ldexp(np.float64(kept), int(bits + 128 + _TWOS[place] + scale - shifted))


rounded = compiled(rounded_python)


def decimal_python(text: Any, at: int, end: int) -> tuple[float, int]:
    """Return the plain decimal that begins at a byte, and the place after it; NaN where it is left to the caller.

    Parameters
    ----------
    text
        Shape (bytes,), uint8.
    at, end
        First byte, and the byte after the last that may belong to it.
    """
    negative = bool(at < end and text[at] == 45)
    if negative or (at < end and text[at] == 43):
        at += 1
    mantissa, digits, scale = np.uint64(0), 0, 0
    point, good = 0, True
    while at < end:
        byte = text[at]
        if 48 <= byte <= 57:
            if mantissa > _MAX_MANTISSA:
                good = False
            else:
                mantissa = mantissa * _TEN + np.uint64(byte - 48)
            digits += 1
            scale -= point
        elif byte == 46 and point == 0:
            point = 1
        else:
            break
        at += 1
    good = good and digits > 0
    if digits > 0 and at < end and (text[at] == 101 or text[at] == 69):
        at += 1
        minus = at < end and text[at] == 45
        if at < end and (text[at] == 45 or text[at] == 43):
            at += 1
        exponent, count = 0, 0
        while at < end and 48 <= text[at] <= 57 and count < 4:
            exponent = exponent * 10 + int(text[at]) - 48
            count += 1
            at += 1
        good = good and count > 0
        scale += -exponent if minus else exponent
    if not good:
        return np.nan, at
    value = rounded(mantissa, scale)
    return (-value if negative else value), at


decimal = compiled(decimal_python, inline="always")


def cells_python(
    text: Any,
    starts: IntArray,
    ends: IntArray,
    delimiter: int,
    left: FloatArray,
    right: FloatArray,
    found: IntArray,
    odd: IntArray,
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
    left, right
        Shape (R, S) and (R, K - S), written: the numbers, side by side; NaN where a cell is left to the caller.
    found
        Shape (R,), written: cells on the line (may differ from K; those beyond K are counted, not kept).
    odd
        Shape (R,), written: how many cells are left to the caller: not a plain decimal of at most 19 digits (blank,
        text, quoted or very long), or one too close to the middle between two doubles.
    """
    split, width = left.shape[1], left.shape[1] + right.shape[1]
    for row in range(starts.size):
        at, end, column, refused = starts[row], ends[row], 0, 0
        while at <= end:
            value, at = decimal(text, at, end)
            if at < end and text[at] != delimiter:
                value = np.nan
                while at < end and text[at] != delimiter:
                    at += 1
            if column < width and math.isnan(value):
                refused += 1
            if column < split:
                left[row, column] = value
            elif column < width:
                right[row, column - split] = value
            column += 1
            at += 1
        found[row] = column
        odd[row] = refused


cells = compiled(cells_python)
"""Compiled :func:`cells_python`; releases the interpreter lock, so that callers give each thread its lines."""


LOOK = 256
"""Bytes within which a cell of a worksheet is told to be a plain number; no plain number is longer."""

UNUSUAL = -1
"""A worksheet whose cells cannot be taken out one by one."""

_LAST_ROW, _LAST_COLUMN = 1 << 20, 1 << 14


def _blank(byte: Any) -> bool:
    return bool(byte == 32 or byte == 9 or byte == 10 or byte == 13)


_is_blank = compiled(_blank, inline="always")


def _address(xml: Any, first: int, end: int) -> tuple[int, int]:
    """Return row and column, counted from 0, of an address such as ``C7``; -1 for others."""
    row, column, k = 0, 0, first
    while k < end and 65 <= xml[k] <= 90 and column <= _LAST_COLUMN:
        column = column * 26 + int(xml[k]) - 64
        k += 1
    while k < end and 48 <= xml[k] <= 57 and row <= _LAST_ROW:
        row = row * 10 + int(xml[k]) - 48
        k += 1
    if k < end or not 1 <= row <= _LAST_ROW or not 1 <= column <= _LAST_COLUMN:
        return -1, -1
    return row - 1, column - 1


_place = compiled(_address)


def _tag(xml: Any, at: int) -> tuple[int, int, int, int]:
    """Return row, column (-1 without an address), style and end of a ``<c`` tag; style -1 where it is no number.

    The end is the place after ``>``, or -1 for a tag without an end in sight.
    """
    row, column, style, end, i = -1, -1, 0, at + LOOK - 32, at + 2
    while i < end and xml[i] != 62:
        if _is_blank(xml[i]):
            i += 1
            continue
        if xml[i] == 47:  # a cell without a value
            style = -1
            i += 1
            continue
        name, letter = 0, xml[i]
        while i < end and xml[i] != 61:
            name += 1
            i += 1
        i += 1
        if i >= end or (xml[i] != 34 and xml[i] != 39):
            return row, column, -1, -1
        quote = xml[i]
        i += 1
        first = i
        while i < end and xml[i] != quote:
            i += 1
        if name == 1 and letter == 114:
            row, column = _place(xml, first, i)
            if row < 0:
                return -1, -1, -1, -1
        elif name == 1 and letter == 115 and style >= 0:
            for k in range(first, min(i, first + 9)):
                style = style * 10 + int(xml[k]) - 48 if style >= 0 and 48 <= xml[k] <= 57 else -1
            style = -1 if i - first > 9 else style
        elif not (name == 1 and letter == 116 and i == first + 1 and xml[first] == 110):
            style = -1
        i += 1
    return row, column, style, (i + 1 if i < end else -1)


_cell_tag = compiled(_tag)


def _foreign(xml: Any, at: int) -> bool:
    """Return whether the tag is that of a cell with a prefix, ``<x:c``."""
    i = at + 1
    while i < at + LOOK - 3 and not (xml[i] == 62 or xml[i] == 47 or xml[i] == 58 or _is_blank(xml[i])):
        i += 1
    after = xml[i + 2]
    return bool(xml[i] == 58 and xml[i + 1] == 99 and (after == 62 or after == 47 or _is_blank(after)))


_is_foreign = compiled(_foreign)


def _instructs(xml: Any, at: int) -> bool:
    """Return whether the tag is an instruction other than the declaration of XML, ``<?xml ``."""
    declares = xml[at + 2] == 120 and xml[at + 3] == 109 and xml[at + 4] == 108 and _is_blank(xml[at + 5])
    return bool(xml[at + 1] == 63 and not declares)


_is_instruction = compiled(_instructs)


def _turns(xml: Any, at: int, last: Any) -> bool:
    """Return whether ``<sheetData``, ``</sheetData`` or ``</c`` begins here, and keep where the next tag is."""
    if xml[at + 1] == 115 and xml[at + 2] == 104 and xml[at + 6] == 68 and xml[at + 9] == 97:
        last[4] = 1 if xml[at + 10] == 62 and last[4] == 0 else 3
        return True
    if xml[at + 1] != 47:
        return False
    if xml[at + 2] == 115 and xml[at + 3] == 104 and xml[at + 7] == 68:
        last[4] = 3
        return True
    if xml[at + 2] == 99 and (xml[at + 3] == 62 or _is_blank(xml[at + 3])):
        last[4] = 1 if last[4] == 2 else last[4]
        return True
    return False


_opens_or_closes = compiled(_turns)


def _copied(xml: Any, start: int, end: int, out: Any, at: int) -> int:
    for k in range(start, end):
        out[at + k - start] = xml[k]
    return at + end - start


_copy = compiled(_copied)


def sheet_numbers_python(
    xml: Any, stop: int, plain: Any, last: IntArray, rest: Any, places: Any, values: FloatArray
) -> tuple[int, int, int]:
    """Take the plain numbers out of a piece of a worksheet.

    A plain number is ``<c r="C7" s="1"><v>0.5</v></c>``: with an address, of no other type than ``n``, of a style that
    is not one of dates, without a formula. All else is copied.

    Parameters
    ----------
    xml
        Shape (bytes,), uint8: the piece. Elements that begin in its last :data:`LOOK` bytes are left for the next.
    stop
        Bytes of it that may be copied (those after it pad the last piece).
    plain
        Shape (styles,), bool: the styles whose numbers are no dates.
    last
        Shape (5,), changed: row and column of the cell before, last row and last column with a value, all -1 at first;
        and where the piece begins: before the cells of the sheet (0), among them (1), in a cell (2), after them (3).
    rest
        Shape (bytes,), uint8, written: the XML without the plain numbers.
    places
        Shape (N, 2), int32, written: row and column of each number, counted from 0.
    values
        Shape (N,), written: the numbers; N is more than a 20th of the bytes.

    Returns
    -------
    consumed, copied, count : int
        Bytes read and copied, and how many numbers; ``consumed`` is :data:`UNUSUAL` where cells have no address or are
        not in order or within each other, tags have prefixes, or there are comments or sections of plain text.

    References
    ----------
    ECMA-376, Office Open XML, part 1, 18.3.1.4 (cell).
    """
    at, copied, kept, count = 0, 0, 0, 0
    while at < stop:
        if xml[at] != 60:
            at += 1
            continue
        if at + LOOK > xml.size:
            break
        if xml[at + 1] == 33 or _is_foreign(xml, at) or _is_instruction(xml, at):
            return UNUSUAL, 0, 0
        if _opens_or_closes(xml, at, last):
            at += 3
            continue
        if xml[at + 1] != 99 or not (xml[at + 2] == 62 or xml[at + 2] == 47 or _is_blank(xml[at + 2])):
            at += 1
            continue
        row, column, style, end = _cell_tag(xml, at)
        ordered = row > last[0] or (row == last[0] and column > last[1])
        if row < 0 or end < 0 or not ordered or last[4] != 1:
            return UNUSUAL, 0, 0
        last[0], last[1] = row, column
        if xml[end - 2] != 47:
            last[2], last[3], last[4] = row, max(column, last[3]), 2
        number = 0 <= style < plain.size and plain[style] and xml[end] == 60 and xml[end + 1] == 118
        if number and xml[end + 2] == 62:
            value, after = decimal(xml, end + 3, at + LOOK - 8)
            closed = xml[after] == 60 and xml[after + 1] == 47 and xml[after + 2] == 118 and xml[after + 3] == 62
            closed = closed and xml[after + 4] == 60 and xml[after + 5] == 47 and xml[after + 6] == 99
            if closed and xml[after + 7] == 62 and not math.isnan(value):
                copied = _copy(xml, kept, at, rest, copied)
                places[count, 0], places[count, 1], values[count] = row, column, value
                count += 1
                at = kept = after + 8
                last[4] = 1
                continue
        at = end
    return at, _copy(xml, kept, at, rest, copied), count


sheet_numbers = compiled(sheet_numbers_python)
"""Compiled :func:`sheet_numbers_python`."""
