"""The compiled scan of worksheets against the parser of workbooks alone: equal cells, of equal types."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiva
from tests.readers.support import fixture
from tiva.errors import ReaderError
from tiva.kernels import text as kernels
from tiva.readers import _sheet_numbers
from tiva.readers.sheets import letters, read_grid, read_sheets
from tiva.readers.source import Source

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
WHOLE = 1 << 40
"""Size from which sheets are scanned, such that none is."""

FORMATS = {
    164: "0.000", 165: "yyyy\\-mm\\-dd", 166: "[h]:mm", 167: "#,##0_);[Red](#,##0)", 168: "0.00E+00",
    169: "General", 170: '0.0" days"', 171: "[$-409]d mmm", 172: "[Blue]0;[>=100]0.0;@",
}  # fmt: skip
STYLES = (0, 1, 2, 4, 9, 11, 14, 22, 38, 46, 48, 49, *FORMATS)
"""Number formats of the cell styles 0, 1, ..."""


def sheet(rows: str) -> str:
    names = f'xmlns="{MAIN}" xmlns:x="{MAIN}"'
    return f'{HEAD}<worksheet {names}><sheetData>{rows}</sheetData><pageMargins left="1"/></worksheet>'


def workbook(path: Path, *sheets: str | bytes, styles: bool = True) -> Path:
    """Write a workbook of the given XML."""
    count = range(1, len(sheets) + 1)
    kind = f"{OFFICE}/worksheet"
    formats = "".join(
        f'<numFmt numFmtId="{k}" formatCode="{v.replace(chr(34), "&quot;").replace(">", "&gt;")}"/>'
        for k, v in FORMATS.items()
    )
    cells = "".join(f'<xf numFmtId="{k}" fontId="0"/>' for k in STYLES)
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f'{HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" Type="{OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(f'<sheet name="S{k}" sheetId="{k}" r:id="rId{k}"/>' for k in count)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}">'
        + "".join(f'<Relationship Id="rId{k}" Type="{kind}" Target="worksheets/sheet{k}.xml"/>' for k in count)
        + f'<Relationship Id="rId90" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/sharedStrings.xml": f'{HEAD}<sst xmlns="{MAIN}"><si><t>a &lt; b</t></si><si><t>7</t></si></sst>',
        **{f"xl/worksheets/sheet{k}.xml": s for k, s in zip(count, sheets, strict=True)},
    }
    if styles:
        parts["xl/styles.xml"] = (
            f'{HEAD}<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts>'
            f'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>{cells}</cellXfs></styleSheet>'
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def grids(path: Path, scanned_from: int, piece: int = 1 << 22) -> dict[str, list[list[Any]]]:
    with pytest.MonkeyPatch.context() as patch, Source(path) as source:
        patch.setattr(_sheet_numbers, "SCANNED_FROM", scanned_from)
        patch.setattr(_sheet_numbers, "PIECE", piece)
        return read_sheets(source, path.name)


def taken(path: Path, name: str = "S1") -> int:
    """Return how many numbers the scan takes out of a sheet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sheet_numbers, "SCANNED_FROM", 0)
        _, found = _sheet_numbers.without_numbers(path.read_bytes(), [name])
    return found[name].values.size if name in found else 0


def typed(grid: list[list[Any]]) -> list[list[tuple[type, str]]]:
    """Return cells so that 1, 1.0, True, 0.0 and -0.0 differ."""
    return [[(type(cell), repr(cell)) for cell in row] for row in grid]


def assert_equal(path: Path, piece: int = 1 << 22) -> None:
    try:
        plain = grids(path, WHOLE)
    except ReaderError:  # a number that is no date in a style of dates
        with pytest.raises(ReaderError):
            grids(path, 0, piece)
        return
    scanned = grids(path, 0, piece)
    assert list(plain) == list(scanned)
    for name, grid in plain.items():
        assert typed(scanned[name]) == typed(grid)


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:.4f}"),
    st.integers(-(10**25), 10**25).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=20).map(str),
    st.sampled_from(["0", "-0", "1.", ".5", "+3", "1E5", "1e-7", "00012", "9007199254740993", "2.5E+3", "1e400"]),
)
ODD = (
    '<c r="{at}" t="inlineStr"><is><t>x &amp; 1</t></is></c>', '<c r="{at}" t="s"><v>0</v></c>',
    '<c r="{at}" t="b"><v>1</v></c>', '<c r="{at}" t="e"><v>#REF!</v></c>', '<c r="{at}" t="e"/>',
    '<c r="{at}" s="1"/>',
    '<c r="{at}"><f>A1+1</f><v>2.5</v></c>', '<c r="{at}"><f>A1</f></c>', '<c r="{at}" t="str"><f>T(1)</f><v>q</v></c>',
    '<c r="{at}"><v></v></c>', '<c r="{at}"><v/></c>', '<c r="{at}"><v> 4 </v></c>', '<c r="{at}" vm="1"><v>3</v></c>',
    '<c r="{at}" t="d"><v>2011-01-01</v></c>', "<c r='{at}' t='n' s='2'><v>8</v></c>",
    '<c r="{at}" s="99"><v>3</v></c>',
    '<c r="{at}" ><v>5</v></c >', '<c\n r="{at}"><v>5</v></c>', '<c r="{at}"><v>5</v> </c>',
    '<c r="{at}"><v>&#53;</v></c>',
)  # fmt: skip
CELLS = st.one_of(
    st.none(),
    NUMBERS.map(lambda v: f'<c r="{{at}}"><v>{v}</v></c>'),
    st.tuples(NUMBERS, st.integers(0, len(STYLES) - 1)).map(lambda v: f'<c r="{{at}}" s="{v[1]}"><v>{v[0]}</v></c>'),
    st.floats(1, 50000).map(lambda v: f'<c r="{{at}}" s="6"><v>{v:.3f}</v></c>'),
    st.sampled_from(ODD),
)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 3), st.lists(CELLS, max_size=9)), min_size=1, max_size=8),
    st.sampled_from([300, 700, 1 << 22]),
)
def test_any_sheet_reads_as_the_parser_reads_it(
    tmp_path: Path, rows: list[tuple[int, list[str | None]]], piece: int
) -> None:
    written, number = [], 0
    for step, cells in rows:
        number += step
        inside = [c.format(at=f"{letters(k)}{number}") for k, c in enumerate(cells) if c is not None]
        written.append(f'<row r="{number}">{"".join(inside)}</row>')
    assert_equal(workbook(tmp_path / "any.xlsx", sheet("".join(written))), piece)


def number_cells(rows: int, columns: int, style: str = "") -> str:
    rng = np.random.default_rng(rows)
    return "".join(
        f'<row r="{i + 1}">'
        + "".join(f'<c r="{letters(k)}{i + 1}"{style}><v>{rng.lognormal(0, 9)!r}</v></c>' for k in range(columns))
        + "</row>"
        for i in range(rows)
    )


def test_each_style_is_taken_as_the_parser_takes_it(tmp_path: Path) -> None:
    rows = "".join(
        f'<row r="{k + 1}"><c r="B{k + 1}" s="{k}"><v>{value}</v></c></row>'
        for k, value in enumerate([40000.25] * len(STYLES))
    )
    path = workbook(tmp_path / "styles.xlsx", sheet(rows))
    assert_equal(path)
    kinds = [row[1] for row in grids(path, WHOLE)["S1"]]
    dates = sum(not isinstance(cell, float) for cell in kinds)
    assert dates == 6
    assert 0 < taken(path) <= len(STYLES) - dates
    assert_equal(workbook(tmp_path / "none.xlsx", sheet(rows), styles=False))


@pytest.mark.parametrize("piece", [257, 1000, 1 << 22])
def test_pieces_may_end_anywhere(tmp_path: Path, piece: int) -> None:
    path = workbook(tmp_path / "pieces.xlsx", sheet(number_cells(13, 30)), sheet('<row r="3"/>'), sheet(""))
    assert_equal(path, piece)
    assert taken(path) >= 385  # a number of 390 may lie in the middle between two doubles


UNUSUAL = {
    "comment": '<!-- <c r="B1"><v>9</v></c> -->',
    "section": '<row r="20"><c r="A20" t="inlineStr"><is><t><![CDATA[<c r="B20"><v>9</v></c>]]></t></is></c></row>',
    "no address": '<row r="20"><c><v>9</v></c><c><v>10</v></c></row>',
    "no order": '<row r="20"><c r="B20"><v>9</v></c><c r="A20"><v>10</v></c></row>',
    "twice": '<row r="20"><c r="B20"><v>9</v></c><c r="B20" t="inlineStr"><is><t>u</t></is></c></row>',
    "prefix": '<x:row r="20"><x:c r="B20"><x:v>9</x:v></x:c></x:row>',
    "long tag": f'<row r="20"><c r="B20" cm="{"1" * 300}"><v>9</v></c></row>',
    "after the end": '</sheetData><row r="20"><c r="B20"><v>9</v></c></row><sheetData>',
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_unusual_sheets_are_left_to_the_parser(tmp_path: Path, case: str) -> None:
    path = workbook(tmp_path / "unusual.xlsx", sheet(number_cells(3, 4) + UNUSUAL[case]))
    assert taken(path) == 0
    assert_equal(path)


def test_another_encoding_is_left_to_the_parser(tmp_path: Path) -> None:
    xml = sheet(number_cells(3, 4)).replace("UTF-8", "UTF-16").encode("utf-16")
    path = workbook(tmp_path / "utf16.xlsx", xml)
    assert taken(path) == 0
    assert grids(path, 0) == grids(path, WHOLE)


def test_damage_is_told(tmp_path: Path) -> None:
    whole = sheet(number_cells(40, 30))
    cut = workbook(tmp_path / "cut.xlsx", whole[: len(whole) // 2])
    with pytest.raises(ReaderError, match="cannot be read as a spreadsheet workbook"):
        grids(cut, 0)
    path = workbook(tmp_path / "flipped.xlsx", whole)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset
    content[start + 5000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ReaderError, match="cannot be read as a spreadsheet workbook"):
        grids(path, 0)


@pytest.mark.parametrize("scanned_from", [0, WHOLE])
@pytest.mark.parametrize("last", ["XFD20000", "C1048576"])
def test_a_stray_cell_far_away_is_named(tmp_path: Path, scanned_from: int, last: str) -> None:
    """The parser would ask for the memory of all cells in between, and abort the process."""
    far = f'<row r="{last.strip("XFDC")}"><c r="{last}"><v>1</v></c></row>'
    wide = '<row r="9"><c r="ZZ9" t="s"><v>0</v></c></row>'
    path = workbook(tmp_path / "far.xlsx", sheet("".join([number_cells(3, 4), wide, far])))
    with pytest.raises(ReaderError, match=rf"'S1' reaches too far(.|\n)*cells as far as [A-Z]+{last.strip('XFDC')}"):
        grids(path, scanned_from)


@pytest.mark.parametrize("scanned_from", [0, WHOLE])
def test_empty_cells_far_away_do_not_count(tmp_path: Path, scanned_from: int) -> None:
    far = '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    grid = grids(workbook(tmp_path / "far.xlsx", sheet(number_cells(3, 4) + far)), scanned_from)["S1"]
    assert (len(grid), len(grid[0])) == (3, 4)


@pytest.mark.parametrize("compiled", [True, False])
def test_the_kernel_and_its_plain_twin(compiled: bool) -> None:
    cells = (
        number_cells(4, 5, ' s="1"') + '<row r="9"><c r="A9" t="s"><v>1</v></c><c r="B9" s="0"><v>-2e-3</v></c></row>'
    )
    xml = cells.encode()
    padded = np.frombuffer(xml + bytes(kernels.LOOK), np.uint8)
    rest, places, values = np.empty(len(xml), np.uint8), np.empty((99, 2), np.int32), np.empty(99)
    scan = kernels.sheet_numbers if compiled else kernels.sheet_numbers_python
    last = np.array([-1, -1, -1, -1, 1], np.int64)
    consumed, copied, count = scan(padded, len(xml), np.array([True, True]), last, rest, places, values)
    assert (consumed, count, last.tolist()) == (len(xml), 21, [8, 1, 8, 4, 1])
    assert rest[:copied].tobytes().count(b"<c ") == 1
    assert places[20].tolist() == [8, 1]
    assert values[20] == -0.002
    assert places[:20].tolist() == [[i, k] for i in range(4) for k in range(5)]


@pytest.mark.parametrize(
    "name", ["wiot11_row_sep12.xlsx", "WIOT2014_Nov16_ROW.as.xlsx", "ADB-MRIO62-2022_synthetic.xlsx"]
)
def test_workbooks_of_publishers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    want = tiva.read(fixture(name))
    assert_equal(fixture(name), 500)
    monkeypatch.setattr(_sheet_numbers, "SCANNED_FROM", 0)
    assert tiva.read(fixture(name)).checksum == want.checksum
    with Source(fixture(name)) as source:
        assert taken(fixture(name), read_grid(source, name)[0]) > 30
