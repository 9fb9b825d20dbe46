"""Error values of spreadsheets (``#REF!``) and formulas without a value, which the parser gives out as empty cells."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiva.readers._xml import elements

_CHUNK = 1 << 22
_LONGEST = 1 << 13
"""Bytes of a cell's XML at most: the overlap between pieces."""

_MARK = re.compile(rb"\bt\s*=\s*[\"']e[\"']")
_CELL = re.compile(
    rb"<(?:\w+:)?c\b(?P<attributes>[^>]*\bt\s*=\s*[\"']e[\"'][^>]*?)(?:/>|>(?P<inside>.*?)</(?:\w+:)?c\s*>)", re.DOTALL
)
_ADDRESS = re.compile(rb"\br\s*=\s*[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_VALUE = re.compile(rb"<(?:\w+:)?v[^>]*>([^<]*)</")

_FORMULA_MARK = b"f>"
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\b(?P<attributes>[^>]*[^>/])>\s*<(?:\w+:)?f\b[^>]*(?:/>|>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c\s*>"
)
_TEXT = re.compile(rb"\bt\s*=\s*[\"']str[\"']")
"""Mark of a formula whose result is text, which may be empty."""

NOT_CALCULATED = "a formula without a value"

_BINARY_SHEET = b"\x9c\x01"
"""Type of the record of a sheet in a binary workbook: BrtBundleSh, 156 ([MS-XLSB])."""

_CODES = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip
"""Codes of error values in binary workbooks (BErr of [MS-XLSB])."""

COMPILED_FROM = 1 << 19
"""Bytes from which the compiled scan is worth its start."""


Place = tuple[int, int, str]
"""Row and column of a cell, counted from 0, and its text."""


def error_values(content: bytes, sheet: str) -> list[Place]:
    """Return the error values of a sheet of an xlsx or xlsb workbook; none in workbooks of another kind.

    Parameters
    ----------
    content
        The workbook.
    sheet
        Name of the sheet.

    Raises
    ------
    ValueError
        A sheet whose part is not found; an error value in a cell without an address; a binary sheet that is damaged,
        or whose cells are stored in a form that the parser leaves out.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = sheet_part(archive, sheet)
        if part is None:
            return []
        return list(_binary_errors(archive.read(part)) if part.endswith(".bin") else _errors(archive, part))


def restore(grid: list[list[Any]], found: Iterable[Place]) -> None:
    """Write error values back into the cells of a sheet, as text.

    A reader then refuses them by their address as it refuses other text; without it they would count as empty, which
    is zero in some layouts.

    Parameters
    ----------
    grid
        Cells, changed in place where they are empty.
    found
        What :func:`error_values` returns.
    """
    for row, column, text in found:
        if row < len(grid) and column < len(grid[row]) and grid[row][column] in ("", None):
            grid[row][column] = text


def members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the parts of a workbook by their names in small letters with plain slashes, as the parser finds them.

    Raises
    ------
    ValueError
        Two parts have one name.
    """
    found: dict[str, str] = {}
    for name in archive.namelist():
        key = name.replace("\\", "/").lower()
        if key in found:
            raise ValueError(f"two parts are called {name!r}, in large or small letters")
        found[key] = name
    return found


def sheet_part(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the member that holds a sheet, ``None`` in a workbook of another kind."""
    names = members(archive)
    for book, sheets in (("xl/workbook.xml", _xml_sheets), ("xl/workbook.bin", _binary_sheets)):
        relations = f"xl/_rels/{book.removeprefix('xl/')}.rels"
        if not {book, relations} <= names.keys():
            continue
        targets = _targets(archive.read(names[relations]))
        for name, identity in sheets(archive.read(names[book])):
            if name == sheet:
                return _member(names, targets.get(identity, ""))
        raise ValueError(f"the sheet {sheet!r} is not in the list of sheets")
    return None


def _member(names: dict[str, str], target: str) -> str:
    """Return the member that a relation names, from the root or from the folder ``xl``, in any case, as the parser."""
    part = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    if part.lower() not in names:
        raise ValueError(f"the part {part!r} of a sheet is missing")
    return names[part.lower()]


def _targets(relations: bytes) -> dict[str, str]:
    """Return identity -> target."""
    found: dict[str, str] = {}

    def take(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            found[attributes.get("Id", "")] = attributes.get("Target", "")

    elements(io.BytesIO(relations), take)
    return found


def _xml_sheets(book: bytes) -> list[tuple[str, str]]:
    """Return name and relation of each sheet."""
    found: list[tuple[str, str]] = []

    def take(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            found.append((attributes.get("name", ""), attributes.get("r:id", attributes.get("relationships:id", ""))))

    elements(io.BytesIO(book), take)
    return found


def _binary_sheets(book: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and relation of each sheet; the record holds state, number, relation and name."""
    at = book.find(_BINARY_SHEET)
    while at >= 0:
        strings: list[str] = []
        start = at + 3 + 8  # the length of the record takes one byte for any name of at most 31 characters
        while len(strings) < 2 and start + 4 <= len(book):
            (length,) = struct.unpack_from("<I", book, start)
            if length > 255 or start + 4 + 2 * length > len(book):
                break
            strings.append(book[start + 4 : start + 4 + 2 * length].decode("utf-16-le", errors="replace"))
            start += 4 + 2 * length
        if len(strings) == 2:
            yield strings[1], strings[0]
        at = book.find(_BINARY_SHEET, at + 1)


def _errors(archive: zipfile.ZipFile, part: str) -> Iterator[Place]:
    """Yield row, column (counted from 0) and text of each error value, and of each formula that was not calculated."""
    kept = b""
    with archive.open(part) as handle:
        while piece := handle.read(_CHUNK):
            piece = kept + piece
            if _MARK.search(piece):
                for found in _CELL.finditer(piece):
                    value = _VALUE.search(found["inside"] or b"")
                    text = "#ERROR!" if value is None else value[1].decode("ascii", errors="replace")
                    yield *_place(found["attributes"]), text
            if _FORMULA_MARK in piece:
                for found in _FORMULA.finditer(piece):
                    if not _TEXT.search(found["attributes"]):
                        yield *_place(found["attributes"]), NOT_CALCULATED
            kept = piece[-_LONGEST:]


def _place(attributes: bytes) -> tuple[int, int]:
    """Return row and column (counted from 0) of a cell."""
    address = _ADDRESS.search(attributes)
    if address is None:
        raise ValueError("an error value, or a formula without a value, in a cell without an address")
    return int(address[2]) - 1, column_number(address[1])


def _binary_errors(stream: bytes) -> Iterator[Place]:
    """Yield row, column (counted from 0) and text of each error value of a binary sheet."""
    count, _, _ = binary_cells(stream)
    if count:
        _, _, errors = binary_cells(stream, count)
        for row, column, code in errors.T.tolist():
            yield row, column, _CODES.get(code, f"#ERROR {code}!")


def binary_cells(stream: bytes, most: int = 0) -> tuple[int, tuple[int, int], NDArray[np.int64]]:
    """Return how many error values a binary sheet has, how far its cells reach, and the first of its error values.

    Raises
    ------
    ValueError
        The sheet is damaged, or its cells are stored in a form that the parser leaves out.
    """
    from tiva.kernels.biff import DAMAGED, SHORT_CELLS, error_cells, error_cells_python

    scan = error_cells if len(stream) >= COMPILED_FROM else error_cells_python
    reach, errors = np.full(2, -1, dtype=np.int64), np.zeros((3, most), dtype=np.int64)
    count = int(scan(np.frombuffer(stream, dtype=np.uint8), errors[0], errors[1], errors[2], reach))
    if count == DAMAGED:
        raise ValueError("the stream of records ends inside a record")
    if count == SHORT_CELLS:
        raise ValueError("cells in the short form of records 12 to 18; save the workbook as xlsx")
    return count, (int(reach[0]), int(reach[1])), errors


def column_number(letters: bytes) -> int:
    """Return the place of a column counted from 0, 2 for ``C``; -1 for none."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number - 1
