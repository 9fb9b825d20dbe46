"""How far the cells of a workbook reach, found before the parser makes arrays of all cells within."""

from __future__ import annotations

import io
import re
import zipfile

from tiva.readers._cell_errors import binary_cells, column_number, members, sheet_part
from tiva.readers._xml import elements

MAX_CELLS = 1 << 26
"""Most cells of a workbook, empty ones among them (67 million; the largest real table, of 74 economies, has 9
million): one stray number in the last row and column of a sheet would take 400 GiB."""

ALWAYS_CELLS = 1 << 24
"""Cells that are read whatever the size of a workbook; more must come with a byte each at least."""

_ADDRESS = re.compile(r"([A-Z]+)(\d+)", re.IGNORECASE | re.ASCII)


def most_cells(content: bytes) -> int:
    """Return how many cells the sheets of a workbook may span together, by the size of its unpacked parts."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(info.file_size for info in archive.infolist())
    return min(MAX_CELLS, max(ALWAYS_CELLS, size))


def check_opening(content: bytes) -> None:
    """Refuse a workbook that the parser could not open in any memory.

    It makes the list of shared strings as long as it says it is, and opens all sheets of a spreadsheet of OpenDocument
    at once, with every repetition.

    Raises
    ------
    ValueError
        Two parts have one name; there are more shared strings than bytes; repeated cells reach too far.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = members(archive)
        if "content.xml" in names:
            with archive.open(names["content.xml"]) as handle:
                repeated = _Repeated(most_cells(content))
                elements(handle, repeated.start, repeated.end)
        if "xl/sharedstrings.xml" in names:
            with archive.open(names["xl/sharedstrings.xml"]) as handle:
                _check_strings(handle.read(1 << 16), archive.getinfo(names["xl/sharedstrings.xml"]).file_size)


def _check_strings(head: bytes, size: int) -> None:
    for found in re.finditer(rb"uniqueCount\s*=\s*[\"']\s*\+?(\d+)", head):
        if len(found[1]) > 18 or int(found[1]) > size:
            raise ValueError(f"{found[1][:30].decode()} shared strings, in a part of {size:,} bytes")


def extent(content: bytes, sheet: str) -> tuple[int, int]:
    """Return the last row and column (counted from 0, -1 without any) of the cells of a sheet that hold something.

    Parameters
    ----------
    content
        A workbook, xlsx or xlsb; those of other kinds count as empty.
    sheet
        Name of the sheet.

    Raises
    ------
    ValueError
        A cell or row has no proper address.
    xml.parsers.expat.ExpatError
        The sheet is not well-formed XML.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = sheet_part(archive, sheet)
        if part is None:
            return -1, -1
        if part.lower().endswith(".bin"):
            return binary_cells(archive.read(part))[1]
        with archive.open(part) as handle:
            reach = _Reach()
            elements(handle, reach.start, reach.end)
        return reach.row, reach.column


class _Reach:
    """Last row and column with a value; a cell without an address stands after the one before."""

    def __init__(self) -> None:
        self.row = self.column = -1
        self.next_row = self.next_column = 0
        self.at = 0, 0
        self.inside = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take a tag."""
        if name == "sheetData":
            self.inside = True
        elif not self.inside:
            return
        elif name == "c":
            self.at = self._place(attributes["r"]) if "r" in attributes else (self.next_row, self.next_column)
            self.next_column = self.at[1] + 1
        elif name in ("v", "is"):
            self.row, self.column = max(self.row, self.at[0]), max(self.column, self.at[1])
        elif name == "row" and "r" in attributes:
            self.next_row = int(attributes["r"]) - 1

    def end(self, name: str) -> None:
        """Leave an element."""
        if name == "row":
            self.next_row, self.next_column = self.next_row + 1, 0
        elif name == "sheetData":
            self.inside = False

    def _place(self, address: str) -> tuple[int, int]:
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise ValueError(f"{address[:30]!r} is no address of a cell")
        return int(match[2]) - 1, column_number(match[1].upper().encode())


class _Repeated:
    """Cells of the sheets of an OpenDocument, with repetitions, as far as the parser may keep them.

    These are the cells up to the last one of each row, and those up to the last row and column with a value.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = self.stored = 0
        self.rows = self.height = self.width = 0
        self.repeated = self.column = self.kept = self.filled = 0
        self.cell = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take a tag; any element within a cell counts as a value."""
        if name == "table-row":
            self.repeated = int(attributes.get("table:number-rows-repeated", "1"))
            self.column = self.kept = self.filled = 0
        elif name in ("table-cell", "covered-table-cell"):
            self.kept = self.column
            self.column += int(attributes.get("table:number-columns-repeated", "1"))
            self.cell = True
            if any(key.startswith(("office:", "calcext:")) or key == "table:formula" for key in attributes):
                self.filled = self.column
        elif self.cell:
            self.filled = self.column

    def end(self, name: str) -> None:
        """Leave an element."""
        if name in ("table-cell", "covered-table-cell"):
            self.cell = False
        elif name == "table-row":
            self.rows += self.repeated
            self.stored += max(self.kept, self.filled)
            if self.filled:
                self.height, self.width = self.rows, max(self.width, self.filled)
            self._check()
        elif name == "table":
            self.total += self.height * self.width
            self.rows = self.height = self.width = 0

    def _check(self) -> None:
        if self.stored > self.most or self.total + self.height * self.width > self.most:
            raise ValueError(f"sheets of more than {self.most:,} cells, repeated ones among them")
