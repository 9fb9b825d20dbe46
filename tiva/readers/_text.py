"""Delimited text with one header line and one label column, read fast and checked cell by cell."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from tiva.errors import ReaderError, explain, listing
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.readers.source import Source

COMPILED_FROM = 4 << 20
"""Bytes from which the compiled parser is worth its start (about a second once, then cached on disk)."""

THREADS = 4
"""Lines are parsed in this many parts; more do not help on the machines measured."""

EMPTY = frozenset({"", "na", "n.a.", ".."})
"""Cells that publishers write for 'not available, empty or not applicable' (lower case, stripped)."""


@dataclass(frozen=True, slots=True)
class TextMatrix:
    """Labels and numbers of a delimited file.

    Attributes
    ----------
    name
        Member that it was read from.
    rows, columns
        R and K labels, stripped, as in the file.
    values
        Shape (R, K); NaN where a cell is empty.
    lines
        R line numbers, counted from 1.
    """

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: FloatArray
    lines: tuple[int, ...]


def header(source: Source, name: str, delimiter: str = ",", size: int = 1 << 17) -> list[str]:
    """Return the labels of the first line as far as they lie in the first ``size`` bytes; empty for binary files."""
    head = source.head(name, size)
    if b"\0" in head[:4096]:
        return []
    line = head.split(b"\n", 1)[0].rstrip(b"\r")
    return [_clean(cell) for cell in line.decode("utf-8-sig", errors="replace").split(delimiter)]


def _clean(cell: str) -> str:
    return cell.strip().strip('"').strip()


def read_matrix(source: Source, name: str, delimiter: str = ",") -> TextMatrix:
    """Read a labelled matrix of numbers.

    Raises
    ------
    ReaderError
        A line has more or fewer cells than the header, or a cell is neither a finite number nor empty; the message
        names line and column.
    """
    data = source.read_bytes(name)
    try:
        return _parse(source, name, data, delimiter)
    except UnicodeDecodeError as error:
        raise ReaderError(
            explain(f"{name}: labels are not UTF-8 text", got=str(error), do="get the file again"),
            path=source.path,
        ) from error


def _parse(source: Source, name: str, data: bytes, delimiter: str) -> TextMatrix:
    mark = delimiter.encode()
    stop = data.find(b"\n")
    if stop < 0:
        raise ReaderError(
            explain(f"{name}: only one line", got=repr(data[:60]), expected="a header line and data lines"),
            path=source.path,
            line=1,
        )
    columns = tuple(_clean(c) for c in data[:stop].decode("utf-8-sig").split(delimiter))[1:]
    labels, starts, ends, lines = [], [], [], []
    at, line = stop + 1, 2
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        last = end - 1 if data[end - 1 : end] == b"\r" and end > at else end
        cut = data.find(mark, at, last)
        if cut >= 0:
            labels.append(_clean(data[at:cut].decode("utf-8")))
            starts.append(cut + 1)
            ends.append(last)
            lines.append(line)
        elif data[at:last].strip():
            raise _wrong_width(source, name, line, 0, len(columns))
        at, line = end + 1, line + 1
    values, found, odd = _numbers(data, starts, ends, mark, len(columns))
    for row in np.flatnonzero(found != len(columns)):
        raise _wrong_width(source, name, lines[row], int(found[row]), len(columns))
    for row in np.flatnonzero(odd):
        cells = data[starts[row] : ends[row]].decode("utf-8", errors="replace").split(delimiter)
        for column in np.flatnonzero(np.isnan(values[row])).tolist():
            values[row, column] = _number(source, name, cells[column], lines[row], columns[column])
    return TextMatrix(name, tuple(labels), columns, values, tuple(lines))


def _numbers(
    data: bytes, starts: list[int], ends: list[int], mark: bytes, width: int
) -> tuple[FloatArray, IntArray, IntArray]:
    values = np.full((len(starts), width), np.nan)
    found, odd = np.zeros(len(starts), dtype=np.int64), np.full(len(starts), width, dtype=np.int64)
    if len(data) < COMPILED_FROM:
        found[:] = [data.count(mark, a, b) + 1 for a, b in zip(starts, ends, strict=True)]
        return values, found, odd
    from tiva.kernels.text import cells

    text = np.frombuffer(data, dtype=np.uint8)
    first, last = np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)
    parts = [slice(*p) for p in zip(*_bounds(len(starts)), strict=True)]
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = [pool.submit(cells, text, first[p], last[p], mark[0], values[p], found[p], odd[p]) for p in parts]
        for job in jobs:
            job.result()
    return values, found, odd


def _bounds(rows: int) -> tuple[list[int], list[int]]:
    edges = [rows * part // THREADS for part in range(THREADS + 1)]
    return edges[:-1], edges[1:]


def _number(source: Source, name: str, cell: str, line: int, column: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        text = _clean(cell)
        if text.lower() in EMPTY:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            value = math.nan
    if math.isfinite(value) and "_" not in cell:
        return value
    raise ReaderError(
        explain(
            f"{name}, line {line}, column {column!r}: not a finite number",
            got=repr(cell[:40]),
            expected="a number with a decimal point and without thousands marks",
            do="get the file from its publisher again; spreadsheets often change such files",
        ),
        path=source.path,
        line=line,
    )


def _wrong_width(source: Source, name: str, line: int, got: int, expected: int) -> ReaderError:
    return ReaderError(
        explain(
            f"{name}, line {line}: {'too few' if got < expected else 'too many'} cells",
            got=f"{got} after the label",
            expected=f"{expected}, as in the header",
            do="the file is cut short or its columns are shifted; get it from its publisher again",
        ),
        path=source.path,
        line=line,
    )


def split_label(label: str) -> tuple[str, str]:
    """Split ``AGO_C17_18`` at its first underscore into ``("AGO", "C17_18")``."""
    first, _, rest = label.partition("_")
    return first, rest


def require_no_empty(source: Source, matrix: TextMatrix, rows: list[int], columns: list[int]) -> None:
    """Raise unless the given part of a matrix has a number in each cell.

    Raises
    ------
    ReaderError
        Names the first empty cells by line and column.
    """
    part = np.isnan(matrix.values.sum(axis=1))[rows]  # a sum is NaN where a cell is; no copy of the matrix
    places = [
        f"line {matrix.lines[rows[i]]}, column {matrix.columns[k]!r}"
        for i in np.flatnonzero(part)[:20]
        for k in columns
        if np.isnan(matrix.values[rows[i], k])
    ]
    if places:
        raise ReaderError(
            explain(
                f"{matrix.name}: empty cells in the table",
                got=listing(places),
                expected="a number in each cell of intermediate use and final demand",
                do="get the file again, or fill the cells on purpose if you know what they mean",
            ),
            path=source.path,
            line=matrix.lines[rows[int(np.flatnonzero(part)[0])]],
        )
