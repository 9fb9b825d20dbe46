"""Plain numbers of large worksheets, read by a compiled scan; the parser of workbooks gets what is left."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np
from numpy.typing import NDArray

from tiva.kernels.arrays import FloatArray
from tiva.readers._cell_errors import members, sheet_part
from tiva.readers._xml import elements

SCANNED_FROM = 4 << 20
"""Bytes of a worksheet from which the compiled scan is worth its start."""

PIECE = 4 << 20
"""Bytes of a worksheet that are unpacked at a time."""

_SMALLEST_CELL = 20
"""Bytes of the shortest plain number are more."""

_PLAIN_FORMATS = frozenset([*range(14), *range(37, 45), 48, 49])
"""Numbers of built-in formats that show no date or time (ECMA-376 part 1, 18.8.30; the others are left)."""

_SILENT = re.compile(
    r'"[^"]*"|[\\_*].|\[(?:black|blue|cyan|green|magenta|red|white|yellow|color ?\d+|[<>=]+-?[\d.]+)\]', re.IGNORECASE
)
"""Parts of a format that say nothing about dates: text, escaped characters, colours, conditions."""

_DATE = re.compile(r"[admyhse\[]", re.IGNORECASE)
_EXPONENT = re.compile(r"0E[+-]0", re.IGNORECASE)

_UNUSED = ("xl/worksheets/", "xl/media/", "xl/drawings/", "xl/charts/", "docprops/")


@dataclass(frozen=True, slots=True)
class SheetNumbers:
    """Plain numbers of a worksheet, in the order of their cells.

    Attributes
    ----------
    places
        Shape (N, 2), int32: row and column, counted from 0.
    values
        Shape (N,).
    extent
        Last row and column of all cells of the sheet that hold something, -1 without any.
    """

    places: NDArray[np.int32]
    values: FloatArray
    extent: tuple[int, int]

    def write(self, grid: list[list[Any]]) -> None:
        """Write the numbers into the cells of a sheet, which grows where they lie outside."""
        if not self.values.size:
            return
        rows, columns = self.places[:, 0], self.places[:, 1]
        width = max(len(grid[0]) if grid else 0, int(columns.max()) + 1)
        for row in grid:
            row.extend([""] * (width - len(row)))
        grid.extend([""] * width for _ in range(len(grid), int(rows[-1]) + 1))
        runs = np.flatnonzero((np.diff(rows) != 0) | (np.diff(columns) != 1)) + 1
        starts, ends = [0, *runs.tolist()], [*runs.tolist(), len(rows)]
        for start, end in zip(starts, ends, strict=True):
            column = int(columns[start])
            grid[rows[start]][column : column + end - start] = self.values[start:end].tolist()


def without_numbers(content: bytes, sheets: Iterable[str]) -> tuple[bytes, dict[str, SheetNumbers]]:
    """Take the plain numbers out of the large worksheets of a workbook.

    Parameters
    ----------
    content
        The workbook.
    sheets
        Names of the worksheets that will be read.

    Returns
    -------
    content : bytes
        A workbook of the same sheets without those numbers and without the other sheets; the one given where no sheet
        is large, or none can be scanned (binary workbooks, cells without addresses, and other rare forms).
    found : dict
        Name of each scanned sheet -> its numbers.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: part for name in sheets if (part := sheet_part(archive, name)) is not None}
        large = {
            n: p
            for n, p in parts.items()
            if not p.lower().endswith(".bin") and archive.getinfo(p).file_size >= SCANNED_FROM
        }
        if not large:
            return content, {}
        plain = plain_styles(archive)
        scanned = {name: done for name, part in large.items() if (done := _scan(archive, part, plain)) is not None}
        if not scanned:
            return content, {}
        rest = {large[name]: xml for name, (xml, _) in scanned.items()}
        kept = set(parts.values())
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as reduced:
            for name in archive.namelist():
                if name in kept or not name.lower().startswith(_UNUSED):
                    reduced.writestr(name, rest[name] if name in rest else archive.read(name))
    return out.getvalue(), {name: numbers for name, (_, numbers) in scanned.items()}


def plain_styles(archive: zipfile.ZipFile) -> NDArray[np.bool_]:
    """Return for each cell style of a workbook whether its numbers are surely no dates or times."""
    part = members(archive).get("xl/styles.xml")
    if part is None:
        return np.ones(1, dtype=np.bool_)
    styles = _Styles()
    try:
        with archive.open(part) as handle:
            elements(handle, styles.start, styles.end)
    except ExpatError:
        return np.zeros(0, dtype=np.bool_)
    return np.array([_is_plain(number, styles.codes) for number in styles.cells], dtype=np.bool_)


class _Styles:
    """Formats by number, each with all codes given for it, and the format of each style of cells."""

    def __init__(self) -> None:
        self.codes: dict[str, list[str]] = {}
        self.cells: list[str] = []
        self.inside: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take a tag; formats of conditional formatting stand elsewhere."""
        number = attributes.get("numFmtId", "0")
        if name == "numFmt" and "numFmts" in self.inside:
            self.codes.setdefault(number, []).append(attributes.get("formatCode", ""))
        elif name == "xf" and "cellXfs" in self.inside:
            self.cells.append(number)
        self.inside.append(name)

    def end(self, _: str) -> None:
        """Leave an element."""
        self.inside.pop()


def _is_plain(number: str, codes: dict[str, list[str]]) -> bool:
    if number in codes:
        return all(_shows_no_date(code) for code in codes[number])
    return number.isdecimal() and int(number) in _PLAIN_FORMATS


def _shows_no_date(code: str) -> bool:
    bare = _EXPONENT.sub("", _SILENT.sub("", code))
    return _DATE.search(bare) is None or bare.strip().lower() == "general"


def _scan(archive: zipfile.ZipFile, part: str, plain: NDArray[np.bool_]) -> tuple[bytes, SheetNumbers] | None:
    """Return a worksheet without its plain numbers, and these; ``None`` where it cannot be scanned."""
    from tiva.kernels.text import LOOK, UNUSUAL, sheet_numbers

    last = np.array([-1, -1, -1, -1, 0], dtype=np.int64)
    rest, places, values = [], [], []
    with archive.open(part) as handle, ThreadPoolExecutor(1) as other:
        carried, piece = b"", handle.read(PIECE)
        while carried or piece:
            following = other.submit(handle.read, PIECE)
            data = carried + piece
            stop = len(data)
            xml = np.frombuffer(data if piece else data + bytes(LOOK), dtype=np.uint8)
            left = np.empty(stop, dtype=np.uint8)
            most = len(data) // _SMALLEST_CELL + 1
            where, numbers = np.empty((most, 2), dtype=np.int32), np.empty(most)
            consumed, copied, count = sheet_numbers(xml, stop, plain, last, left, where, numbers)
            if consumed == UNUSUAL:
                return None
            rest.append(left[:copied].tobytes())
            places.append(where[:count].copy())
            values.append(numbers[:count].copy())
            carried, piece = (data[consumed:], following.result()) if piece else (b"", b"")
    if not places:
        return None
    reach = int(last[2]), int(last[3])
    return b"".join(rest), SheetNumbers(np.concatenate(places), np.concatenate(values), reach)
