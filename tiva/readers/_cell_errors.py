"""Error values of spreadsheets (``#REF!``, ``#DIV/0!``), which the parser gives out as empty cells."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

_CHUNK = 1 << 22
_LONGEST = 1 << 13
"""Bytes of a cell's XML at most: the overlap between pieces."""

_MARK = b't="e"'
_CELL = re.compile(rb'<c\b([^>]*\bt="e"[^>]*)>(.*?)</c>', re.DOTALL)
_ADDRESS = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
_VALUE = re.compile(rb"<v[^>]*>([^<]*)</v>")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b([^>]*)/?>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b([^>]*)/?>")


def restore_errors(content: bytes, sheet: str, grid: list[list[Any]]) -> None:
    """Write the error values of a sheet of an xlsx workbook back into its cells, as text.

    A reader then refuses them by their address as it refuses other text; without it they would count as empty, which
    is zero in some layouts. Binary workbooks (xlsb) are left as they are.

    Parameters
    ----------
    content
        The workbook.
    sheet
        Name of the sheet.
    grid
        Its cells, changed in place.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = _part(archive, sheet)
        if part is None:
            return
        for row, column, text in _errors(archive, part):
            if row < len(grid) and column < len(grid[row]) and grid[row][column] in ("", None):
                grid[row][column] = text


def _attribute(name: str, attributes: bytes) -> str:
    match = re.search(rb"(?<![\w])" + name.encode() + rb'="([^"]*)"', attributes)
    return html.unescape(match[1].decode("utf-8", errors="replace")) if match else ""


def _part(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the member that holds a sheet, ``None`` in a workbook of another kind."""
    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return None
    relations = _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {_attribute("Id", found): _attribute("Target", found) for found in relations}
    for found in _SHEET.findall(archive.read("xl/workbook.xml")):
        if _attribute("name", found) == sheet:
            target = targets.get(_attribute("r:id", found), "")
            part = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
            return part if part in names else None
    return None


def _errors(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[int, int, str]]:
    """Yield row, column (counted from 0) and text of each error value."""
    kept = b""
    with archive.open(part) as handle:
        while piece := handle.read(_CHUNK):
            piece = kept + piece
            if _MARK in piece:
                for attributes, inside in _CELL.findall(piece):
                    address, value = _ADDRESS.search(attributes), _VALUE.search(inside)
                    if address is not None:
                        text = "#ERROR!" if value is None else value[1].decode("ascii", errors="replace")
                        yield int(address[2]) - 1, _column(address[1].decode("ascii")), text
            kept = piece[-_LONGEST:]


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number - 1
