from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiva
from tests.readers.support import assert_parsed, expected, fixture
from tiva.errors import ReaderError
from tiva.readers._wiod import MARGINS, TAXES

NAME = "ADB-MRIO62-2022_synthetic.xlsx"


def rewritten(
    path: Path, change: Callable[[list[list[Any]]], object], sheets: tuple[str, ...] = ("ADB MRIO 2022",)
) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(fixture(NAME))
    rows = [list(row) for row in book["ADB MRIO 2022"].iter_rows(values_only=True)]
    change(rows)
    new = openpyxl.Workbook()
    new.remove(new.active)
    for name in sheets:
        sheet = new.create_sheet(name)
        for row in rows:
            sheet.append(row)
    new.save(path)
    new.close()
    book.close()
    return path


def test_parses_to_its_expected_values() -> None:
    table = tiva.read(fixture(NAME), value_added="published")
    assert_parsed(table, expected(NAME), taxes=TAXES)
    assert (table.year, table.unit) == (2022, "million USD")
    assert MARGINS in table.other_inputs
    assert any("62 economies; the sheet has 3" in note for note in table.provenance.notes)


def test_blocks_are_found_after_more_title_rows(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "x.xlsx", lambda rows: rows.insert(0, ["Asian Development Bank"]))
    np.testing.assert_array_equal(tiva.read(path).intermediate, tiva.read(fixture(NAME)).intermediate)


def test_text_numbers_and_codes_of_adb(tmp_path: Path) -> None:
    def change(rows: list[list[Any]]) -> None:
        rows[7][4] = "(2)"
        rows[7][5] = "1,000.5"
        for row in rows:
            row[:] = ["PRC" if cell == "AUS" else cell for cell in row]

    with pytest.warns(tiva.errors.BalanceWarning):
        table = tiva.read(rewritten(tmp_path / "x.xlsx", change), gaps="keep")
    assert table.countries == ("CHN", "USA", "ROW")
    assert table.intermediate[0, :2].tolist() == [-2.0, 1000.5]
    assert any("stood as text" in note for note in table.provenance.notes)


def cell(row: int, column: int, value: object) -> Callable[[list[list[Any]]], object]:
    def change(rows: list[list[Any]]) -> None:
        rows[row][column] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cell(7, 4, "NA"), "cell E8 is not a finite number"),
        (cell(7, 4, "n.a."), "cell E8"),
        (lambda rows: rows.__delitem__(9), "labels .* do not match"),
        (cell(5, 4, "USA"), "labels .* do not match|duplicate"),
        (cell(7, 3, None), "a row without a code"),
        (lambda rows: rows[9].__setitem__(slice(2, 4), [None, None]), "numbers without labels"),
        (cell(6, 10, "F9"), r"columns without a row: AUS_F9(.|\n)*final demand F1|no table"),
        (cell(4, 11, "Gross fixed capital formation"), "F2 is not what it should be"),
        (lambda rows: [row.insert(4, None) for row in rows[7:]], "do not add up to output"),
        (lambda rows: [rows[i].__setitem__(0, "Multiregional Input-Output Table 2019") for i in (0,)], ""),
    ],
)
def test_bad_workbook_is_named_with_its_cell(tmp_path: Path, change: Any, message: str) -> None:
    path = rewritten(tmp_path / "x.xlsx", change)
    if message:
        with pytest.raises(ReaderError, match=message):
            tiva.read(path)
    else:
        with pytest.raises(ReaderError, match="another year"):
            tiva.read(path, year=2019)


def test_cells_of_text_can_be_taken_as_zero_on_purpose(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "x.xlsx", cell(7, 4, "NA"))
    with pytest.warns(tiva.errors.BalanceWarning):
        table = tiva.read(path, missing="zero", gaps="keep")
    assert table.intermediate[0, 0] == 0
    assert "1 cells of text were taken as zero" in table.provenance.notes


def test_two_tables_in_a_workbook_need_a_choice(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "x.xlsx", lambda rows: None, ("ADB MRIO 2021", "ADB MRIO 2022"))
    with pytest.raises(ReaderError, match="2 tables in the workbook"):
        tiva.read(path)
    assert tiva.read(path, year=2021).year == 2021


def test_no_value_added_row(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "x.xlsx", lambda rows: rows.__delitem__(18))
    with pytest.raises(ReaderError, match="no value-added row"):
        tiva.read(path, value_added="published")
