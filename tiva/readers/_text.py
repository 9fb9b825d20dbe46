"""Delimited text with one header line and one label column, read fast and checked cell by cell."""

from __future__ import annotations

import contextlib
import csv
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from tiva.errors import ReaderError, explain, listing
from tiva.kernels.arrays import FloatArray, IntArray, frozen
from tiva.readers.source import Source

COMPILED_FROM = 2 << 20
"""Bytes from which the compiled parser is worth its start (about a second once, then cached on disk)."""

BLOCK = 16 << 20
"""Bytes read at a time, so that the text is never in memory as a whole."""

MAX_HEADER = 16 << 20
"""Longest header line (the widest table met, Eora26, has 0.2 MB)."""

SPARE_ROWS = 256

THREADS = 4
"""Lines are parsed in this many parts; more do not help on the machines measured."""

EMPTY = frozenset({"", "na", "n.a.", ".."})
"""Cells that publishers write for 'not available, empty or not applicable' (lower case, stripped)."""


@dataclass(frozen=True, slots=True)
class TextMatrix:
    """Labels and numbers of a delimited file, the numbers in two arrays side by side.

    So the large block on the left becomes the intermediate use of a table without a copy.

    Attributes
    ----------
    name
        Member that it was read from.
    rows, columns
        R and K labels, stripped, as in the file.
    left, right
        Shape (R, S) and (R, K - S), read-only; NaN where a cell is empty.
    lines
        R line numbers, counted from 1.
    """

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    left: FloatArray
    right: FloatArray
    lines: tuple[int, ...]

    def take(self, rows: Sequence[int], columns: Sequence[int]) -> FloatArray:
        """Return the given rows and columns: a view where they are one block of one side, else a copy."""
        split = self.left.shape[1]
        if min(columns) >= split:
            side, at = self.right, [k - split for k in columns]
        elif max(columns) < split:
            side, at = self.left, list(columns)
        else:
            return np.hstack([self.left[rows], self.right[rows]])[:, columns]
        if _contiguous(rows) and _contiguous(at):
            return side[rows[0] : rows[-1] + 1, at[0] : at[-1] + 1]
        return side[np.ix_(rows, at)]


def _contiguous(places: Sequence[int]) -> bool:
    return list(places) == list(range(places[0], places[-1] + 1))


def header(source: Source, name: str, delimiter: str = ",", size: int = 1 << 17) -> list[str]:
    """Return the labels of the first line as far as they lie in the first ``size`` bytes; empty for binary files."""
    head = source.head(name, size)
    if b"\0" in head[:4096]:
        return []
    line = head.split(b"\n", 1)[0].rstrip(b"\r")
    return _cells(line.decode("utf-8-sig", errors="replace"), delimiter)


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the labels of a line, stripped; within quotes the delimiter is a part of them."""
    if '"' in line:
        with contextlib.suppress(csv.Error):
            found = csv.reader([line.rstrip("\r\n")], delimiter=delimiter, skipinitialspace=True)
            return [cell.strip() for cell in next(found)]
    return [_clean(cell) for cell in line.split(delimiter)]


def _clean(cell: str) -> str:
    return cell.strip().strip('"').strip()


def read_matrix(
    source: Source, name: str, delimiter: str = ",", split: Callable[[tuple[str, ...]], int] = len
) -> TextMatrix:
    """Read a labelled matrix of numbers.

    Parameters
    ----------
    source, name
        Where it is.
    delimiter
        Between cells.
    split
        Called with the column labels, returns how many columns make up the left array.

    Raises
    ------
    ReaderError
        A line has more or fewer cells than the header, or a cell is neither a finite number nor empty; the message
        names line and column.
    """
    try:
        with source.open(name) as handle:
            first = handle.readline(MAX_HEADER)
            columns = tuple(_cells(first.decode("utf-8-sig"), delimiter))[1:]
            lines = _Lines(source, name, delimiter, columns, split(columns))
            block, kept = bytearray(BLOCK), 0
            while read := handle.readinto(memoryview(block)[kept:]):  # type: ignore[attr-defined]
                filled = kept + read
                end = block.rfind(b"\n", 0, filled) + 1
                lines.add(block, end)
                kept = filled - end
                block[:kept] = block[end:filled]
                if kept == len(block):
                    block.extend(bytes(kept))
            lines.add(block, kept)
    except UnicodeDecodeError as error:
        raise ReaderError(
            explain(f"{name}: labels are not UTF-8 text", got=str(error), do="get the file again"),
            path=source.path,
        ) from error
    if not lines.labels:
        raise ReaderError(
            explain(f"{name}: only one line", got=repr(first[:60]), expected="a header line and data lines"),
            path=source.path,
            line=1,
        )
    return lines.matrix()


class _Lines:
    """The lines read so far; blocks of whole lines are added one after the other."""

    def __init__(self, source: Source, name: str, delimiter: str, columns: tuple[str, ...], split: int) -> None:
        self.source, self.name, self.delimiter, self.columns, self.split = source, name, delimiter, columns, split
        self.labels: list[str] = []
        self.lines: list[int] = []
        self.line = 2
        # most tables are about square, untouched rows take no memory, and a row takes a byte and a comma a cell
        capacity = min(len(columns) + SPARE_ROWS, source.size(name) // (2 * max(len(columns), 1)) + 1)
        self.left = np.empty((capacity, split))
        self.right = np.empty((capacity, len(columns) - split))

    def add(self, data: bytearray, stop: int) -> None:
        """Parse whole lines, the first ``stop`` bytes."""
        labels, starts, ends, lines = self._cut(data, stop)
        if not labels:
            return
        mark, width, at = self.delimiter.encode(), len(self.columns), len(self.labels)
        self._reserve(at + len(labels))
        left, right = self.left[at : at + len(labels)], self.right[at : at + len(labels)]
        found, odd = _numbers(data, starts, ends, mark, left, right)
        for row in np.flatnonzero(found != width):
            raise _wrong_width(self.source, self.name, lines[row], int(found[row]), width)
        for row in np.flatnonzero(odd):
            cells = data[starts[row] : ends[row]].decode("utf-8", errors="replace").split(self.delimiter)
            for side, first in ((left, 0), (right, self.split)):
                for k in np.flatnonzero(np.isnan(side[row])).tolist():
                    column = first + k
                    side[row, k] = _number(self.source, self.name, cells[column], lines[row], self.columns[column])
        self.labels += labels
        self.lines += lines

    def _cut(self, data: bytearray, stop: int) -> tuple[list[str], list[int], list[int], list[int]]:
        mark, at = self.delimiter.encode(), 0
        labels: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        lines: list[int] = []
        while at < stop:
            end = data.find(b"\n", at, stop)
            end = stop if end < 0 else end
            last = end - 1 if data[end - 1 : end] == b"\r" and end > at else end
            cut = data.find(mark, _after_quotes(data, at, last), last)
            if cut >= 0:
                if last - cut < len(self.columns):  # before any array of that width is made
                    got = data.count(mark, cut, last)
                    raise _wrong_width(self.source, self.name, self.line, got, len(self.columns))
                labels.append(_cells(data[at:cut].decode("utf-8"), self.delimiter)[0])
                starts.append(cut + 1)
                ends.append(last)
                lines.append(self.line)
            elif data[at:last].strip():
                raise _wrong_width(self.source, self.name, self.line, 0, len(self.columns))
            at, self.line = end + 1, self.line + 1
        return labels, starts, ends, lines

    def _reserve(self, rows: int) -> None:
        if rows > len(self.left):
            spare = max(rows, 2 * len(self.left)) - len(self.left)
            self.left = np.vstack([self.left, np.empty((spare, self.left.shape[1]))])
            self.right = np.vstack([self.right, np.empty((spare, self.right.shape[1]))])

    def matrix(self) -> TextMatrix:
        """Return all lines as a matrix."""
        count = len(self.labels)
        left, right = frozen(self.left)[:count], frozen(self.right)[:count]
        return TextMatrix(self.name, tuple(self.labels), self.columns, left, right, tuple(self.lines))


def _after_quotes(data: bytes | bytearray, start: int, end: int) -> int:
    """Return where the quotes end in which a line begins, ``start`` where it begins without; two are one within."""
    if data[start : start + 1] != b'"':
        return start
    at = data.find(b'"', start + 1, end)
    while at >= 0 and data[at + 1 : at + 2] == b'"':
        at = data.find(b'"', at + 2, end)
    return end if at < 0 else at


def _numbers(
    data: bytearray, starts: list[int], ends: list[int], mark: bytes, left: FloatArray, right: FloatArray
) -> tuple[IntArray, IntArray]:
    """Write the numbers of the lines; return how many cells each line has, and how many of them are still NaN."""
    width = left.shape[1] + right.shape[1]
    found, odd = np.zeros(len(starts), dtype=np.int64), np.full(len(starts), width, dtype=np.int64)
    if ends[-1] < COMPILED_FROM:
        found[:] = [data.count(mark, a, b) + 1 for a, b in zip(starts, ends, strict=True)]
        left[:], right[:] = np.nan, np.nan
        return found, odd
    from tiva.kernels.text import cells

    text = np.frombuffer(data, dtype=np.uint8)
    first, last = np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)
    parts = [slice(*p) for p in zip(*_bounds(len(starts)), strict=True)]
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = [
            pool.submit(cells, text, first[p], last[p], mark[0], left[p], right[p], found[p], odd[p]) for p in parts
        ]
        for job in jobs:
            job.result()
    return found, odd


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
    # a sum is NaN where a cell is; no copy of the matrix
    part = np.isnan(matrix.left.sum(axis=1) + matrix.right.sum(axis=1))[rows]
    places = [
        f"line {matrix.lines[rows[i]]}, column {matrix.columns[columns[k]]!r}"
        for i in np.flatnonzero(part)[:20]
        for k in np.flatnonzero(np.isnan(matrix.take([rows[i]], columns)[0]))
    ]
    if places:
        raise ReaderError(
            explain(
                f"{matrix.name}: empty cells (or na) in the table",
                got=listing(places),
                expected="a number in each cell of intermediate use and final demand",
                do="get the file again, or read it with missing='zero' if empty cells are zeros there",
            ),
            path=source.path,
            line=matrix.lines[rows[int(np.flatnonzero(part)[0])]],
        )
