"""Workbooks of odd but legal XML, and small ones that would take the memory of the machine."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.readers.test_sheet_numbers import HEAD, MAIN, WHOLE, assert_equal, grids, sheet, taken, workbook
from tiva.errors import ReaderError
from tiva.kernels.biff import error_cells, error_cells_python
from tiva.readers.sheets import read_sheets
from tiva.readers.source import Source

ONE = '<row r="1"><c r="A1"><v>1</v></c></row>'
ERROR = '<row r="1"><c r="A1" t="e"><v>#N/A</v></c><c r="B1"><v>4</v></c></row>'
DATE = '<row r="1"><c r="A1"><v>40000</v></c><c r="B1" s="1"><v>40000</v></c></row>'


def changed(path: Path, parts: dict[str, str | None], more: dict[str, str] | None = None) -> Path:
    """Replace parts of a workbook, leave those out that are ``None``, and add more."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name).decode() for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**kept, **parts}.items():
            if content is not None:
                archive.writestr(name, content)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return path


def styles(formats: str, cells: str, after: str = "") -> str:
    return (
        f'{HEAD}<styleSheet xmlns="{MAIN}" xmlns:x="{MAIN}"><numFmts>{formats}</numFmts>'
        f"<cellXfs>{cells}</cellXfs>{after}</styleSheet>"
    )


DAY = '<numFmt numFmtId="164" formatCode="yyyy"/>'
OF_164 = '<xf numFmtId="0"/><xf numFmtId="164"/>'
STYLES = {
    "of conditions": styles(DAY, OF_164, '<dxfs><dxf><numFmt numFmtId="164" formatCode="0.0"/></dxf></dxfs>'),
    "spaces": styles("", '<xf numFmtId="0"/><xf numFmtId = "14"/>'),
    "spaces in formats": styles('<numFmt numFmtId = "164" formatCode = "yyyy"/>', OF_164),
    "a style in a comment": styles("", '<!-- <xf numFmtId="0"/> --><xf numFmtId="0"/><xf numFmtId="14"/>'),
    "a format in a comment": styles(f'{DAY}<!-- <numFmt numFmtId="164" formatCode="0"/> -->', OF_164),
    "a greater sign": styles("", '<xf numFmtId="0"/><xf a=">" numFmtId="14"/>'),
    "a greater sign in a format": styles('<numFmt numFmtId="164" formatCode="[>1]yyyy"/>', OF_164),
    "another name space": styles("", '<xf numFmtId="0"/><xf x:numFmtId="3" numFmtId="14"/>'),
    "a number in a value": styles("", '<xf numFmtId="0"/><xf a=" numFmtId=\'3\'" numFmtId="14"/>'),
    "half of a day": styles('<numFmt numFmtId="164" formatCode="A/P"/>', OF_164),
}


@pytest.mark.parametrize("case", STYLES)
def test_dates_by_odd_styles(tmp_path: Path, case: str) -> None:
    path = changed(workbook(tmp_path / "odd.xlsx", sheet(DATE)), {"xl/styles.xml": STYLES[case]})
    assert not isinstance(grids(path, WHOLE)["S1"][0][1], float)
    assert_equal(path)


def whole(before: str, inside: str = ONE, after: str = "") -> str:
    return f'{HEAD}<worksheet xmlns="{MAIN}" xmlns:x="{MAIN}">{before}{inside}{after}</worksheet>'


CELL = '<c r="C7"><v>3</v></c>'
PLACES = {
    "an instruction": sheet(f"{ONE}<?x {CELL} ?>"),
    "within a value": sheet(f'<row r="1"><c r="A1"><v>{CELL}</v></c></row>'),
    "within a text": sheet(f'<row r="1"><c r="A1" t="inlineStr"><is><t>a</t>{CELL}</is></c></row>'),
    "within a cell": sheet(f'<row r="1"><c r="A1">{CELL}</c></row>'),
    "before the cells": whole(f"<sheetPr>{CELL}</sheetPr><sheetData>", ONE.replace("1\"", "9\""), "</sheetData>"),
    "after a prefix": whole("<x:sheetData>", ONE, f"</x:sheetData><x>{CELL}</x>"),
    "after no cells": whole("<sheetData/>", CELL),
    "no list of cells": whole("", CELL),
    "a list within": sheet(f"{ONE}<sheetData/>{CELL}"),
    "a second list": sheet(f"{ONE}</sheetData><sheetData>{CELL}"),
    "a list with a name space": whole('<sheetData xmlns:y="u">', ONE, f"</sheetData><sheetData>{CELL}</sheetData>"),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_numbers_that_are_no_cells_of_the_sheet(tmp_path: Path, case: str) -> None:
    assert_equal(workbook(tmp_path / "odd.xlsx", PLACES[case]))


def test_a_sheet_in_a_comment_is_none(tmp_path: Path) -> None:
    path = workbook(tmp_path / "odd.xlsx", sheet(ONE), sheet('<row r="1"><c r="A1"><v>2</v></c></row>'))
    with zipfile.ZipFile(path) as archive:
        book = archive.read("xl/workbook.xml").decode()
    odd = book.replace("<sheets>", '<sheets><!-- <sheet name="S1" r:id="rId2"/> -->')
    assert_equal(changed(path, {"xl/workbook.xml": odd}))
    assert taken(path) == 1
    assert grids(path, 0)["S1"] == [[1.0]]
    assert_equal(changed(path, {"xl/workbook.xml": book.replace('name="S1"', 'name = "a > b"')}))


@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/_rels/workbook.xml.rels"])
@pytest.mark.parametrize("spelling", [str.upper, str.title, lambda x: x.replace("/", "\\")])
def test_error_values_are_found_whatever_the_parts_are_called(
    tmp_path: Path, name: str, spelling: Callable[[str], str]
) -> None:
    path = workbook(tmp_path / "odd.xlsx", sheet(ERROR))
    with zipfile.ZipFile(path) as archive:
        content = archive.read(name).decode()
    changed(path, {name: None}, {spelling(name): content})
    assert grids(path, WHOLE)["S1"] == grids(path, 0)["S1"] == [["#N/A", 4.0]]


def test_error_values_with_spaces_in_their_tags(tmp_path: Path) -> None:
    odd = ERROR.replace('r="A1" t="e"', "r = 'A1' t = 'e'")
    assert grids(workbook(tmp_path / "odd.xlsx", sheet(odd)), WHOLE)["S1"] == [["#N/A", 4.0]]


def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "odd.xlsx", sheet(ONE))
    changed(path, {}, {"xl/worksheets/SHEET1.xml": sheet(ERROR)})
    for start in (0, WHOLE):
        with pytest.raises(ReaderError, match="two parts are called"):
            grids(path, start)


FAR = {
    "small letters": '<row r="1048576"><c r="xfd1048576"><v>1</v></c></row>',
    "beyond": '<row r="1"><c r="B99999999"><v>1</v></c></row><row><c r="ZZ100000000"><v>1</v></c></row>',
    "a greater sign": '<row r="2"><c x=">" r="XFD1048576"><v>1</v></c></row>',
    "spaces": '<row r="2"><c r = "XFD1048576"><v>1</v></c></row>',
    "a row only": '<row r="4000000000"><c><v>1</v></c></row>',
    "the cell beside": '<row r="1000000"><c r="XFC1000000"/><c t="inlineStr"><is><t>a</t></is></c></row>',
    "large letters": '<row r="2"><c r="AAAAAAAA1"><v>1</v></c></row>',
}


@pytest.mark.parametrize("case", FAR)
@pytest.mark.parametrize("scanned_from", [0, WHOLE])
def test_a_far_cell_is_refused_however_it_is_written(tmp_path: Path, case: str, scanned_from: int) -> None:
    """Each of these ended the process: the parser asked for more memory than there is."""
    with pytest.raises(ReaderError, match="reaches too far"):
        grids(workbook(tmp_path / "far.xlsx", sheet(ONE + FAR[case])), scanned_from)


def test_small_workbooks_of_many_empty_cells_are_refused(tmp_path: Path) -> None:
    far = sheet('<row r="5000"><c r="AAA5000"><v>1</v></c></row>')
    assert len(grids(workbook(tmp_path / "far.xlsx", far), WHOLE)["S1"]) == 5000
    with pytest.raises(ReaderError, match="'S5' reaches too far"):
        grids(workbook(tmp_path / "far.xlsx", *[far] * 5), WHOLE)


def test_shared_strings_are_not_more_than_their_bytes(tmp_path: Path) -> None:
    strings = f'{HEAD}<sst xmlns="{MAIN}" count="4000000000" uniqueCount="4000000000"><si><t>a</t></si></sst>'
    path = changed(workbook(tmp_path / "far.xlsx", sheet(ONE)), {"xl/sharedStrings.xml": strings})
    with pytest.raises(ReaderError, match="4000000000 shared strings, in a part of"):
        grids(path, WHOLE)


def document(path: Path, rows: str, sheets: int = 1) -> Path:
    """Write a spreadsheet of OpenDocument."""
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    name = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = "".join(f' xmlns:{k}="{name}:{k}:1.0"' for k in ("office", "table", "text"))
    tables = "".join(f'<table:table table:name="S{k}">{rows}</table:table>' for k in range(sheets))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind, zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", f"{HEAD}<manifest/>")
        archive.writestr(
            "content.xml",
            f"{HEAD}<office:document-content{spaces}><office:body><office:spreadsheet>{tables}"
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def cell(inside: str = "", repeated: int = 1) -> str:
    number = ' office:value-type="float" office:value="1"' if inside else ""
    text = f"<text:p>{inside}</text:p>" if inside else ""
    return f'<table:table-cell{number} table:number-columns-repeated="{repeated}">{text}</table:table-cell>'


def row(cells: str, repeated: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{repeated}">{cells}</table:table-row>'


def cells_of(path: Path) -> dict[str, list[list[Any]]]:
    """Read a spreadsheet in a folder; alone it counts as an archive."""
    with Source(path.parent) as source:
        return read_sheets(source, path.name)


BOMBS = {
    "columns": (row(cell("1", 1_000_000_000)), 1),
    "rows": (row(cell("1"), 1_000_000_000), 1),
    "empty columns": (row(cell("", 1_000_000_000) + cell("1")), 1),
    "empty columns at the end": (row(cell("", 1_000_000_000) + cell()), 1),
    "empty rows": (row(cell(), 1_000_000_000) + row(cell("", 16_000) + cell("1")) + row(cell("1")), 1),
    "rows between": (row(cell("1")) + row(cell(), 1_000_000) + row(cell("1", 16_384)), 1),
    "sheets": (row(cell("1", 1000), 1000), 40),
}


@pytest.mark.parametrize("case", BOMBS)
def test_repeated_cells_of_opendocument_are_bounded(tmp_path: Path, case: str) -> None:
    with pytest.raises(ReaderError, match="sheets of more than 16,777,216 cells"):
        cells_of(document(tmp_path / "bomb.ods", *BOMBS[case]))


def test_opendocument_with_empty_rows_and_columns_to_the_last_is_read(tmp_path: Path) -> None:
    rows = row(cell("1", 2) + cell("", 16_382)) + row(cell("", 16_384), 1_048_574) + row(cell("", 16_384))
    assert cells_of(document(tmp_path / "usual.ods", rows)) == {"S0": [[1.0, 1.0]]}


@pytest.mark.parametrize("scan", [error_cells, error_cells_python])
def test_rows_and_columns_of_binary_sheets_have_four_bytes(scan: Callable[..., int]) -> None:
    stream = bytes([0, 4, 1, 0, 0, 1]) + bytes([2, 12, 2, 0, 0, 2]) + bytes(8)
    reach, none = np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int64)
    assert scan(np.frombuffer(stream, np.uint8), none, none, none, reach) == 0
    assert reach.tolist() == [1 + (1 << 24), 2 + (2 << 24)]
