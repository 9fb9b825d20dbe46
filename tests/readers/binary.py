"""Binary sheets (xlsb), record by record: cells are replaced so that the stream stays well formed."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROW, REAL, RK, ERROR, TEXT, FORMULA_ERROR = 0, 5, 2, 3, 6, 11
"""Types of records of a sheet ([MS-XLSB]): row, number, packed number, error, text, formula with an error value."""


def records(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield type, head and payload of the records of a binary sheet."""
    at = 0
    while at < len(content):
        start, kind, size = at, content[at], 0
        at += 1
        if kind & 0x80:
            kind, at = (kind & 0x7F) | (content[at] << 7), at + 1
        for k in range(4):
            byte, at = content[at], at + 1
            size |= (byte & 0x7F) << (7 * k)
            if not byte & 0x80:
                break
        yield kind, content[start:at], content[at : at + size]
        at += size


def record(kind: int, payload: bytes) -> bytes:
    assert kind < 0x80
    assert len(payload) < 0x80
    return bytes([kind, len(payload)]) + payload


def error_cell(code: int) -> Callable[[bytes], bytes]:
    return lambda place: record(ERROR, place + bytes([code]))


def formula_error_cell(code: int) -> Callable[[bytes], bytes]:
    """A formula of no tokens whose last value is an error."""
    return lambda place: record(FORMULA_ERROR, place + bytes([code]) + b"\0\0" + struct.pack("<II", 0, 0))


def text_cell(text: str) -> Callable[[bytes], bytes]:
    return lambda place: record(TEXT, place + struct.pack("<I", len(text)) + text.encode("utf-16-le"))


def number_cell(value: float) -> Callable[[bytes], bytes]:
    return lambda place: record(REAL, place + struct.pack("<d", value))


def with_cells(content: bytes, cells: dict[tuple[int, int], Callable[[bytes], bytes]]) -> bytes:
    """Replace cells (row and column from 0) of a sheet; each must be there."""
    row, found, out = -1, 0, []
    for kind, head, payload in records(content):
        if kind == ROW and len(payload) >= 4:
            (row,) = struct.unpack_from("<I", payload)
        column = struct.unpack_from("<I", payload)[0] if 1 <= kind <= 11 else -1
        if (row, column) in cells:
            out.append(cells[row, column](payload[:8]))
            found += 1
        else:
            out.append(head + payload)
    assert found == len(cells)
    return b"".join(out)


def rewritten(source: Path, target: Path, change: Callable[[bytes], bytes]) -> Path:
    """Copy a binary workbook with its first sheet changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == "xl/worksheets/sheet1.bin" else content)
    return target


BEGIN_DATA, END_DATA, DIMENSIONS = 145, 146, 148


def sheet_of(content: bytes, rows: list[list[object]]) -> bytes:
    """Replace all cells of a sheet; text and numbers, what else there is as text."""
    parts = list(records(content))
    kinds = [kind for kind, _, _ in parts]
    first, last = kinds.index(BEGIN_DATA), len(kinds) - 1 - kinds[::-1].index(END_DATA)
    while kinds[first + 1] != ROW:
        first += 1
    out = []
    for kind, head, payload in parts[: first + 1]:
        size = struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
        out.append(head + (size if kind == DIMENSIONS else payload))
    for i, row in enumerate(rows):
        out.append(record(ROW, struct.pack("<I", i) + bytes.fromhex("000000002c01000000010000000000000019000000")[:21]))
        for k, cell in enumerate(row):
            place = struct.pack("<II", k, 0)
            if isinstance(cell, (int, float)):
                out.append(number_cell(float(cell))(place))
            elif cell not in (None, ""):
                out.append(text_cell(str(cell))(place) if len(str(cell)) < 50 else long_text_cell(str(cell), place))
    return b"".join([*out, *(head + payload for _, head, payload in parts[last:])])


def long_text_cell(text: str, place: bytes) -> bytes:
    payload = place + struct.pack("<I", len(text)) + text.encode("utf-16-le")
    return bytes([TEXT, len(payload) % 128 + 128, len(payload) // 128]) + payload
