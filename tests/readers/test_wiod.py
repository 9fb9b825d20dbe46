from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter

import tiva
from tests.paths import shared
from tests.readers import binary
from tests.readers.binary import error_cell, formula_error_cell, number_cell, text_cell
from tests.readers.support import assert_parsed, edited, expected, fixture, zipped
from tiva.errors import BalanceWarning, ReaderError
from tiva.readers._wiod import TAXES
from tiva.readers.sheets import address, read_grid
from tiva.readers.source import Source

OLD = "wiot11_row_sep12.xlsx"
NEW = (
    "WIOT2014_Nov16_ROW.as.xlsx",
    "WIOT2014_Nov16_ROW.xlsb",
    "WIOT2014_October16_ROW.RData",
    "WIOT2014_October16_ROW.dta",
    "WIOT2014_October16_ROW.for_R.csv",
)
LONG_RUN = "lr_wiod_wiot_final_filled.csv"


def rewritten(name: str, path: Path, **changes: Any) -> Path:
    """Copy the first sheet of a workbook fixture with cells changed, ``C7=value``."""
    with Source(fixture(name)) as source:
        sheet, grid = read_grid(source, name)
    book = xlsxwriter.Workbook(path)
    page = book.add_worksheet(changes.pop("sheet", sheet))
    for i, row in enumerate(grid):
        for k, cell in enumerate(row):
            value = changes.get(address(i, k), cell)
            if value != "":
                page.write(i, k, value)
    book.close()
    return path


def test_2013_release() -> None:
    table = tiva.read(fixture(OLD), value_added="published")
    assert_parsed(table, expected(f"{OLD}"), taxes=TAXES)
    assert (table.year, table.provenance.edition, table.provenance.licence) == (2011, "2013 release", "CC BY 4.0")
    assert len(table.other_inputs) == 5


@pytest.mark.parametrize("name", NEW)
def test_2016_release_in_every_container(name: str) -> None:
    table = tiva.read(fixture(name), value_added="published")
    assert_parsed(table, expected("WIOT2014"), taxes=TAXES)
    assert (table.year, table.provenance.reader) == (2014, "wiod2016")


def test_containers_of_one_table_agree_to_the_last_bit() -> None:
    tables = [tiva.read(fixture(name)) for name in NEW]
    assert len({t.checksum for t in tables}) == 1


def test_long_run_release() -> None:
    table = tiva.read(fixture(LONG_RUN), value_added="published")
    assert_parsed(table, expected(LONG_RUN), taxes=None)
    np.testing.assert_allclose(table.other_inputs[TAXES].intermediate, expected(LONG_RUN)["TLS_Z"], atol=2e-3)
    assert table.year == 2000


def test_codes_made_numbers_by_a_spreadsheet_are_text_again(tmp_path: Path) -> None:
    path = rewritten(OLD, tmp_path / "x.xlsx", A8=19.0, A10=19.0, A12=19.0)
    assert tiva.read(path).sectors == ("AtB", "19")


def test_empty_cells_are_zero_and_counted(tmp_path: Path) -> None:
    with pytest.warns(BalanceWarning):
        table = tiva.read(rewritten(OLD, tmp_path / "x.xlsx", E7=""), gaps="keep")
    assert table.intermediate[0, 0] == 0
    assert "1 empty cells taken as 0, as the publisher leaves zeros empty" in table.provenance.notes


SHEET_CASES: dict[str, tuple[dict[str, Any], str]] = {
    "text in a cell": ({"F8": "n.a.?"}, r"cell F8: not a finite number\n  got: 'n.a.\?'"),
    "missing label": ({"C8": ""}, r"row and column labels differ\n  got: on one side only or twice: AUS 2"),
    "duplicate label": ({"D8": "c1"}, "row and column labels differ"),
    "no header": ({"E6": "", "G6": "", "I6": "", "K6": ""}, "no row of column codes"),
    "no value added": ({"D18": "r00"}, r"rows below the table are missing(.|\n)*r64"),
    "damaged numbers": ({f"{c}{r}": 9e6 for c in "EFGHI" for r in range(7, 13)}, "add up to"),
    "final demand missing": ({"M5": "USB", "N5": "USB"}, "final-demand columns are not a full grid"),
}


@pytest.mark.parametrize("case", SHEET_CASES)
def test_bad_sheets_are_named(case: str, tmp_path: Path) -> None:
    changes, message = SHEET_CASES[case]
    with pytest.raises(ReaderError, match=message):
        tiva.read(rewritten(OLD, tmp_path / "x.xlsx", **changes))


@pytest.mark.parametrize("name", [OLD, "WIOT2014_Nov16_ROW.as.xlsx", "ADB-MRIO62-2022_synthetic.xlsx"])
@pytest.mark.parametrize("value", ["#REF!", "#DIV/0!"])
def test_error_values_of_a_spreadsheet_are_not_zeros(name: str, value: str, tmp_path: Path) -> None:
    """The parser gives them out as empty cells, and empty cells are zero in these layouts."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(fixture(name))
    sheet = next(s for s in book.worksheets if s.max_row > 10)
    sheet["F9"] = value
    book.save(tmp_path / name)
    book.close()
    with pytest.raises(ReaderError, match=f"cell F9(.|\n)*{value}"):
        tiva.read(tmp_path / name)


XML_CELLS = {
    "error without a value": ('<c r="G9" t="e"/>', "#ERROR!"),
    "error in single quotes": ("<c r='G9' t='e'><v>#REF!</v></c>", "#REF!"),
    "truth value": ('<c r="G9" t="b"><v>1</v></c>', "True"),
    "text that Python takes as a number": ('<c r="G9" t="str"><v>2_2</v></c>', "2_2"),
    "formula that was not calculated": ('<c r="G9"><f>11+11</f><v></v></c>', "a formula without a value"),
    "shared formula that was not calculated": (
        '<c r="G9"><f t="shared" ref="G9:G9" si="0">11+11</f></c>',
        "a formula without a value",
    ),
}


SHEET_PART = "xl/worksheets/sheet1.xml"
Change = Callable[[bytes], bytes]


def with_xml(name: str, path: Path, change: Change, part: str = SHEET_PART, source: Path | None = None) -> Path:
    """Copy a workbook with the XML of a part changed, by default of the first sheet of a fixture."""
    with zipfile.ZipFile(source or fixture(name)) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, change(content) if member == part else content)
    return path


def put(cell: str) -> Change:
    """Return a change that puts a cell in the place of G9."""
    return lambda sheet: re.sub(rb'<c r="G9".*?</c>', cell.encode(), sheet, count=1)


def with_prefix(sheet: bytes) -> bytes:
    """Give each element the prefix that some programs write."""
    return re.sub(rb"<(/?)([A-Za-z])", rb"<\1x:\2", sheet).replace(b"xmlns=", b"xmlns:x=", 1)


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("name", [OLD, "WIOT2014_Nov16_ROW.as.xlsx", "ADB-MRIO62-2022_synthetic.xlsx"])
@pytest.mark.parametrize("case", XML_CELLS)
def test_cells_without_a_number_are_named(case: str, name: str, prefix: bool, tmp_path: Path) -> None:
    cell, got = XML_CELLS[case]
    path = with_xml(name, tmp_path / name, lambda s: with_prefix(put(cell)(s)) if prefix else put(cell)(s))
    with pytest.raises(ReaderError, match=f"cell G9(.|\n)*got: .?{got}"):
        tiva.read(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda relations: relations.replace(b"/xl/worksheets/", b"worksheets/"),
        lambda relations: relations.replace(b"sheet1.xml", b"Sheet1.XML"),
        lambda relations: relations.replace(b'"', b"'"),
    ],
)
def test_error_values_are_found_wherever_the_sheet_is_listed(change: Change, tmp_path: Path) -> None:
    damaged = with_xml(OLD, tmp_path / "a.xlsx", put(XML_CELLS["error in single quotes"][0]))
    path = with_xml(OLD, tmp_path / OLD, change, "xl/_rels/workbook.xml.rels", damaged)
    with pytest.raises(ReaderError, match=r"cell G9(.|\n)*#REF!"):
        tiva.read(path)


@pytest.mark.parametrize("cell", ['<c r="G9"><f>11+11</f><v>22</v></c>', '<c r="G9" t="str"><v>22</v></c>'])
def test_formulas_with_a_value_and_numbers_as_text_are_read(cell: str, tmp_path: Path) -> None:
    plain = with_xml(OLD, tmp_path / "a.xlsx", put('<c r="G9"><v>22</v></c>'))
    assert tiva.read(with_xml(OLD, tmp_path / "b.xlsx", put(cell))).checksum == tiva.read(plain).checksum


def test_a_formula_that_gives_an_empty_text_is_blank(tmp_path: Path) -> None:
    path = with_xml(OLD, tmp_path / "a.xlsx", put('<c r="G9" t="str"><f>""</f><v></v></c>'))
    with pytest.warns(BalanceWarning):
        assert tiva.read(path, gaps="keep").intermediate[2, 2] == 0


@pytest.mark.parametrize(
    ("name", "keep", "message"),
    [
        (NEW[-1], 0.5, r"row \d+ of the data: no year\n  got: \w+"),
        (NEW[-1], 0, "no rows\n  got: a header only"),
        (LONG_RUN, 0, "holds no rows\n  got: a header only"),
    ],
)
def test_what_is_left_of_a_csv_is_named(name: str, keep: float, message: str, tmp_path: Path) -> None:
    content = fixture(name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * keep)] if keep else content.splitlines(keepends=True)[0])
    with pytest.raises(ReaderError, match=message):
        tiva.read(tmp_path / name)


BINARY = "WIOT2014_Nov16_ROW.xlsb"
BINARY_CASES = {
    "error": ({(8, 5): error_cell(0x17)}, r"cell F9: not a finite number\n  got: '#REF!'"),
    "error of a formula": ({(7, 6): formula_error_cell(0x2A)}, r"cell G8(.|\n)*'#N/A'"),
    "error without a name": ({(7, 6): error_cell(0x77)}, "cannot be read as a spreadsheet workbook"),
    "several": ({(9, 4): error_cell(0x07), (8, 5): error_cell(0x0F)}, r"cell F9(.|\n)*'#VALUE!'"),
    "below the table": ({(17, 5): error_cell(0x24)}, r"cell F18(.|\n)*'#NUM!'"),
    "text": ({(8, 5): text_cell("n.a.?")}, r"cell F9: not a finite number\n  got: 'n.a.\?'"),
    "label": ({(7, 2): error_cell(0x17)}, r"row and column labels differ(.|\n)*#REF! 2"),
}


@pytest.mark.parametrize("compiled_from", [0, 1 << 20])
@pytest.mark.parametrize("case", BINARY_CASES)
def test_errors_and_text_in_a_binary_workbook(
    case: str, compiled_from: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiva.readers._cell_errors.COMPILED_FROM", compiled_from)
    cells, message = BINARY_CASES[case]
    path = binary.rewritten(fixture(BINARY), tmp_path / BINARY, lambda sheet: binary.with_cells(sheet, cells))
    with pytest.raises(ReaderError, match=message):
        tiva.read(path)


def test_numbers_put_into_a_binary_workbook_are_read(tmp_path: Path) -> None:
    """The way in which the tests above change cells leaves the rest as it is."""
    path = binary.rewritten(
        fixture(BINARY), tmp_path / BINARY, lambda sheet: binary.with_cells(sheet, {(7, 5): number_cell(21.5)})
    )
    assert tiva.read(path).checksum == tiva.read(fixture(BINARY)).checksum


def test_a_binary_sheet_in_a_form_that_would_lose_cells_is_refused(tmp_path: Path) -> None:
    """Records without a column (12 to 18) are left out by the parser, and empty cells are zeros here."""
    path = binary.rewritten(
        fixture(BINARY), tmp_path / BINARY,
        lambda sheet: binary.with_cells(sheet, {(8, 5): lambda place: binary.record(16, place[4:] + bytes(8))}),
    )  # fmt: skip
    with pytest.raises(ReaderError, match=r"cannot be read as a spreadsheet workbook(.|\n)*short form"):
        tiva.read(path)


def test_year_of_name_content_and_call_must_agree(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"not of the year asked for\n  got: 2011, according to its title"):
        tiva.read(fixture(OLD), year=2009)
    wrong = tmp_path / "WIOT95_ROW_Apr12.xlsx"
    wrong.write_bytes(fixture(OLD).read_bytes())
    with pytest.raises(ReaderError, match=r"got: 2011, according to its title\n  expected: 1995"):
        tiva.read(wrong)
    assert tiva.read(wrong, year=2011).year == 2011
    with pytest.raises(ReaderError, match=r"got: 2014, according to its content"):
        tiva.read(fixture(NEW[0]), year=2013)


def test_an_archive_of_years_needs_a_choice(tmp_path: Path) -> None:
    path = zipped(tmp_path / "w.zip", WIOT10_ROW__xlsx=fixture(OLD), wiot11_row__xlsx=fixture(OLD))
    with pytest.raises(ReaderError, match="holds several tables"):
        tiva.read(path)
    assert tiva.read(path, year=2011).year == 2011


def test_truncated_workbook_and_containers(tmp_path: Path) -> None:
    for name in (OLD, *NEW[:4]):
        path = tmp_path / name
        content = fixture(name).read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(ReaderError):
            tiva.read(path)


LONG_CASES = {
    "output of nobody": (
        lambda t: t.replace("2000,USA,1,AtB,xTOT", "2000,US,1,AtB,xTOT"),
        r"output of rows that are not in the table\n  got: US_AtB",
    ),
    "blank line": (lambda t: t.replace(",21\n", ",\n\n", 1), r"line 2: not a line(.|\n)*got: '' in column 'value'"),
    "several years": (lambda t: t + "1999,AUS,1,AtB,AUS,AtB,21\n", r"holds several years\n  got: 1999, 2000"),
    "twice": (lambda t: t + "2000,AUS,1,AtB,AUS,AtB,21\n", r"a flow stands twice\n  got: AUS AtB -> AUS AtB"),
    "text": (
        lambda t: t.replace(",21\n", ",many\n", 1),
        r"line 2: not a line(.|\n)*'many' in column 'value'",
    ),
    "no year": (lambda t: t.replace("2000,AUS", ",AUS", 1), r"line 2: not a line(.|\n)*got: '' in column 'year'"),
    "no label": (lambda t: t.replace("2000,AUS", "2000,", 1), r"line 2: not a line(.|\n)*got: no row_country"),
    "short": (lambda t: t.replace(",21\n", "\n", 1), r"line 2: not a line(.|\n)*got: 6 cells instead of 7"),
    "empty": (lambda t: t.replace(",21\n", ",\n", 1), r"line 2: not a line(.|\n)*got: '' in column 'value'"),
    "half": (lambda t: "\n".join(t.split("\n")[:30]) + "\n", "row and column labels differ"),
}


@pytest.mark.parametrize("case", LONG_CASES)
def test_bad_long_run_files_are_named(case: str, tmp_path: Path) -> None:
    change, message = LONG_CASES[case]
    with pytest.raises(ReaderError, match=message):
        tiva.read(edited(LONG_RUN, tmp_path, change))


def test_one_of_several_years_of_the_long_run_tables(tmp_path: Path) -> None:
    def twice(text: str) -> str:
        return text + "".join(line.replace("2000,", "1999,", 1) + "\n" for line in text.strip().split("\n")[1:])

    path = edited(LONG_RUN, tmp_path, twice)
    assert tiva.read(path, year=1999).year == 1999
    with pytest.raises(ReaderError, match=r"holds no table of 1970\n  got: 1999, 2000"):
        tiva.read(path, year=1970)


class TestArchive:
    """The NumPy layout of the full WIOD tables."""

    def test_row_sums_by_default_and_the_gap_is_noted(self) -> None:
        table = tiva.read(shared("wiod2013/wiot2011.npz"))
        assert (len(table.countries), len(table.sectors), table.year) == (41, 35, 2011)
        rows = table.intermediate.sum(axis=1) + table.final_demand_by_absorber.sum(axis=1)
        np.testing.assert_array_equal(table.output, rows)
        assert table.check().ok
        assert "output: row sums; row sums and published output differ by at most 108" in table.provenance.notes

    def test_bottom_rows_give_published_value_added(self) -> None:
        below = shared("wiod2013/wiot2011_bottom_rows.npz")
        with pytest.warns(BalanceWarning):
            table = tiva.read(
                shared("wiod2013/wiot2011.npz"), value_added="published", output="published", bottom_rows=below
            )
        with np.load(below) as rows:
            at = rows["rows"].tolist()
            np.testing.assert_array_equal(table.value_added, rows["intermediate"][at.index("r64")])
            taxes = table.other_inputs[TAXES]
            assert taxes.final is not None
            np.testing.assert_array_equal(taxes.final.reshape(-1), rows["final_demand"][at.index("r99")])

    def test_final_demand_is_by_absorber_then_category(self) -> None:
        path = shared("wiod2013/wiot1995.npz")
        table = tiva.read(path)
        with np.load(path) as arrays:
            np.testing.assert_array_equal(table.final_demand[:, 3, 2], arrays["final_demand"][:, 3 * 5 + 2])

    def arrays(self) -> dict[str, Any]:
        return {
            "intermediate": np.ones((4, 4)),
            "final_demand": np.full((4, 2), 3.0),
            "countries": np.array(["A", "B"]),
            "sectors": np.array(["x", "y"]),
            "final_demand_categories": np.array(["f"]),
        }

    def test_small_archive(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "t.npz", **self.arrays())
        assert tiva.read(tmp_path / "t.npz").output.tolist() == [10.0] * 4
        with pytest.raises(ReaderError, match="no published value added in this source"):
            tiva.read(tmp_path / "t.npz", value_added="published")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"intermediate": np.ones((3, 4))}, r"array 'intermediate' does not fit the labels\n  got: shape \(3, 4\)"),
            ({"final_demand": np.array([["a", "b"]] * 4)}, "array 'final_demand' does not fit"),
            ({"countries": np.array(["A", "A"])}, "twice: A_x, A_y"),
            ({"intermediate": np.full((4, 4), np.nan)}, "not finite numbers"),
            ({"year": np.array("MMXI")}, "cannot be read as a NumPy archive with a year"),
        ],
    )
    def test_bad_arrays_are_named(self, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
        np.savez(tmp_path / "t.npz", **{**self.arrays(), **changes})
        with pytest.raises(ReaderError, match=message):
            tiva.read(tmp_path / "t.npz")

    def test_nothing_is_unpickled(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "t.npz", **{**self.arrays(), "sectors": np.array(["x", {}], dtype=object)})
        with pytest.raises(ReaderError, match=r"cannot be read as a NumPy archive(.|\n)*allow_pickle"):
            tiva.read(tmp_path / "t.npz")
