from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiva.kernels.biff import DAMAGED, SHORT_CELLS, error_cells, error_cells_python

Found = tuple[int, list[tuple[int, int, int]]]


def scan(kernel: Callable[..., Any], stream: bytes, room: int = 8) -> Found:
    places = np.zeros((3, room), dtype=np.int64)
    count = int(kernel(np.frombuffer(stream, np.uint8), *places, np.zeros(2, dtype=np.int64)))
    return count, [tuple(x) for x in places.T.tolist()[: max(count, 0)]]


def number(value: int) -> bytes:
    """Seven bits a byte, the last without the eighth."""
    out = bytearray()
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def record(kind: int, payload: bytes) -> bytes:
    return number(kind) + number(len(payload)) + payload


def row(at: int) -> bytes:
    return record(0, struct.pack("<I", at) + bytes(13))


def cell(kind: int, column: int, rest: bytes) -> bytes:
    return record(kind, struct.pack("<II", column, 7) + rest)


STREAM = b"".join(
    [
        record(129, bytes(300)),
        cell(3, 9, b"\x17"),  # before any row
        row(0), cell(5, 0, struct.pack("<d", 1.5)), cell(3, 2, b"\x2a"),
        row(70_000), cell(7, 300, b"\x03\x09\x00\x00"), cell(11, 16_383, b"\x07" + bytes(10)),
        record(146, b""),
    ]
)  # fmt: skip


@pytest.mark.parametrize("kernel", [error_cells, error_cells_python])
def test_errors_are_found_by_row_and_column(kernel: Callable[..., Any]) -> None:
    assert scan(kernel, STREAM) == (2, [(0, 2, 0x2A), (70_000, 16_383, 0x07)])
    assert scan(kernel, STREAM, room=1) == (2, [(0, 2, 0x2A)])
    assert scan(kernel, b"") == (0, [])


@pytest.mark.parametrize("kernel", [error_cells, error_cells_python])
@pytest.mark.parametrize("cut", range(1, 20))
def test_a_stream_that_ends_in_a_record_is_damaged(kernel: Callable[..., Any], cut: int) -> None:
    whole = row(0) + cell(5, 0, struct.pack("<d", 1.5))
    assert scan(kernel, whole[:-cut])[0] == (0 if cut == 18 else DAMAGED)
    assert scan(kernel, whole + b"\x83")[0] == DAMAGED


@pytest.mark.parametrize("kernel", [error_cells, error_cells_python])
def test_the_extent_is_that_of_cells_with_values(kernel: Callable[..., Any]) -> None:
    extent, none = np.zeros(2, dtype=np.int64), np.zeros((3, 0), dtype=np.int64)
    kernel(np.frombuffer(STREAM, np.uint8), *none, extent)
    assert extent.tolist() == [70_000, 16_383]
    blank = row(5) + cell(1, 9, b"") + row(7)
    kernel(np.frombuffer(blank, np.uint8), *none, extent)
    assert extent.tolist() == [-1, -1]
    kernel(np.frombuffer(row(9) + cell(2, 4, bytes(4)) + blank, np.uint8), *none, extent)
    assert extent.tolist() == [9, 4]


@pytest.mark.parametrize("kernel", [error_cells, error_cells_python])
def test_cells_without_a_column_are_told(kernel: Callable[..., Any]) -> None:
    assert scan(kernel, row(0) + record(16, bytes(12)))[0] == SHORT_CELLS
    assert scan(kernel, record(16, bytes(12)))[0] == 0


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80), st.integers(0, len(STREAM)))
def test_compiled_and_plain_agree(junk: bytes, at: int) -> None:
    stream = STREAM[:at] + junk + STREAM[at:]
    assert scan(error_cells, stream) == scan(error_cells_python, stream)
