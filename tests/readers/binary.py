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
