from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.readers.support import assert_parsed, edited, expected, fixture, zipped
from tiva.errors import ReaderError
from tiva.readers._wiod import ABROAD, NON_RESIDENTS, TAXES

MATRIX = "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv"
FLAT = "flatfile_eu-ic-io_ind-by-ind_24ed_2022.csv"


@pytest.mark.parametrize("name", [MATRIX, FLAT])
def test_parses_to_its_expected_values(name: str) -> None:
    table = tiva.read(fixture(name), value_added="published")
    assert_parsed(table, expected("figaro"), taxes=TAXES)
    assert (table.unit, table.currency, table.year) == ("million EUR", "EUR", 2022)
    assert table.provenance.edition == "24ed"
    assert table.value_added_kind == "published"


def test_purchases_abroad_stand_in_final_demand_only() -> None:
    table = tiva.read(fixture(MATRIX), value_added="published")
    abroad, here = table.other_inputs[ABROAD], table.other_inputs[NON_RESIDENTS]
    assert not abroad.intermediate.any()
    assert abroad.final is not None
    assert here.final is not None
    np.testing.assert_array_equal(abroad.final, -here.final)
    assert abroad.final[:, table.final_demand_categories.index("HFCE")].tolist() == [5, 5, 5]


def test_residual_is_the_default_and_has_no_other_inputs() -> None:
    table = tiva.read(fixture(MATRIX))
    assert table.value_added_kind == "residual"
    assert not table.other_inputs


def test_products_and_both_spellings_of_greece(tmp_path: Path) -> None:
    def change(text: str) -> str:
        return text.replace("_A01", "_CPA_A01").replace("_C10T12", "_CPA_C10T12").replace("AU_", "EL_")

    table = tiva.read(edited(MATRIX, tmp_path, change))
    assert table.countries == ("GRC", "ROW", "USA")
    assert table.sectors == ("CPA_A01", "CPA_C10T12")
    assert "product by product" in table.provenance.notes


def test_reads_inside_zip_and_folder_and_refuses_two_tables(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", m_2022__csv=fixture(MATRIX), m_2021__csv=fixture(MATRIX))
    assert tiva.read(path, year=2021).year == 2021
    with pytest.raises(ReaderError, match="holds 2 tables"):
        tiva.read(path)
    with pytest.raises(ReaderError, match="another year"):
        tiva.read(fixture(MATRIX), year=2010)


def test_columns_in_another_order_are_matched_by_name(tmp_path: Path) -> None:
    def swap(text: str) -> str:
        rows = [line.split(",") for line in text.splitlines()]
        return "\n".join(",".join([r[0], *r[:0:-1]]) for r in rows) + "\n"

    table, other = tiva.read(fixture(MATRIX)), tiva.read(edited(MATRIX, tmp_path, swap))
    np.testing.assert_array_equal(table.intermediate, other.intermediate)
    assert other.final_demand_categories == table.final_demand_categories[::-1]
    np.testing.assert_array_equal(table.final_demand, other.final_demand[:, :, ::-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("AU_A01,21,", "AU_A01,x21,"), r"line 2: column 2 .* \(row 'AU_A01'\)"),
        (lambda t: t.replace("AU_A01,21,", "AU_A01,,"), "line 2: column 2"),
        (lambda t: t.replace("AU_A01,21,", "AU_A01,nan,"), "line 2: column 2"),
        (lambda t: t.replace("AU_A01,21,", "AU_A01,inf,"), "line 2: column 2"),
        (lambda t: t.replace("AU_A01,21,", "AU_A01,"), "line 2: a line with another number"),
        (lambda t: t.replace("\nUS_A01,", "\nUS_A01,7,"), "line 6: a line of another length"),
        (lambda t: "\n".join(t.splitlines()[:4]) + "\n", "labels of rows and columns do not match"),
        (lambda t: t.replace("\nUS_A01,", "\nAU_A01,"), "duplicate labels"),
        (lambda t: t.replace("\nUS_A01,", "\n,"), "not AREA_CODE"),
        (lambda t: t.replace("AU_P5M", "AU_P99"), r"columns without a row: AU_P99(.|\n)*final demand P3_S13"),
        (lambda t: t[: len(t) // 2], "line"),
    ],
)
def test_bad_matrix_is_named_with_its_place(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ReaderError, match=message):
        tiva.read(edited(MATRIX, tmp_path, change))


def test_missing_value_added_rows_are_named(tmp_path: Path) -> None:
    path = edited(MATRIX, tmp_path, lambda t: "\n".join(x for x in t.splitlines() if "W2_D1," not in x) + "\n")
    with pytest.raises(ReaderError, match=r"missing: W2_D1(.|\n)*gaps='keep'"):
        tiva.read(path)
    with pytest.raises(ReaderError, match="missing: W2_D1"):
        tiva.read(path, value_added="published", gaps="keep")
    table = tiva.read(path, gaps="keep")
    assert table.value_added_kind == "residual"
    assert any("rows W2_D1 are not in the file" in note for note in table.provenance.notes)


def _again(label: str) -> Callable[[str], str]:
    """Repeat a row below the table at the end of the file."""
    return lambda text: text + next(x for x in text.splitlines(keepends=True) if x.startswith(f"{label},"))


def _same_columns(text: str) -> str:
    """Give the second column the label of the first."""
    header, rest = text.split("\n", 1)
    cells = header.split(",")
    return "\n".join([",".join([*cells[:2], cells[1], *cells[3:]]), rest])


@pytest.mark.parametrize("value_added", ["residual", "published"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_again("W2_D1"), r"duplicate labels of rows\n  got: W2_D1 \(line 11 and line 14\)"),
        (_again("W2_D21X31"), r"duplicate labels of rows\n  got: W2_D21X31 \(line 8 and line 14\)"),
        (_same_columns, r"duplicate labels of columns\n  got: AU_A01 \(column 2 and column 3\)"),
    ],
)
def test_rows_below_and_columns_that_stand_twice_are_named(tmp_path: Path, change, message: str, value_added) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ReaderError, match=message):
        tiva.read(edited(MATRIX, tmp_path, change), value_added=value_added)


def test_a_label_spelled_with_a_blank_is_the_same_row_of_a_flat_file(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"duplicate labels of rows\n  got: W2_B2A3G \(line 233 and line 254\)"):
        tiva.read(edited(FLAT, tmp_path, lambda t: f"{t} {t.splitlines()[-1]}\n"))


@pytest.mark.parametrize("value_added", ["residual", "published"])
def test_shifted_columns_are_seen_without_an_output_column(tmp_path: Path, value_added: str) -> None:
    """All numbers one column to the right; every line keeps its length."""

    def shift(text: str) -> str:
        header, *lines = text.splitlines()
        cells = [line.split(",") for line in lines]
        return "\n".join([header, *(",".join([c[0], "0", *c[1:-1]]) for c in cells)]) + "\n"

    with pytest.raises(ReaderError, match=r"rows that are shifted by one cell to the right\n  got: AU_A01 \(line 2\)"):
        tiva.read(edited(MATRIX, tmp_path, shift), value_added=value_added)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t + t.splitlines()[1] + "\n", "line 254.* given before"),
        (lambda t: "\n".join(t.splitlines()[:-1]) + "\n", "1 cells are absent"),
        (lambda t: t.replace(",AU,A01,21\n", ",AU,A01,none\n"), "line 2: not a finite number"),
        (lambda t: t.replace(",AU,A01,21\n", ",AU,A01\n"), "line 2: a line of another length"),
        (lambda t: t.replace("obsValue", "value"), "unknown columns"),
    ],
)
def test_bad_flat_file_is_named_with_its_line(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ReaderError, match=message):
        tiva.read(edited(FLAT, tmp_path, change))


def test_flat_file_without_zeros_says_what_it_filled(tmp_path: Path) -> None:
    def sparse(text: str) -> str:
        return "".join(x for x in text.splitlines(keepends=True) if x.rstrip().split(",")[-1] not in ("0", "-0"))

    table = tiva.read(edited(FLAT, tmp_path, sparse), value_added="published")
    np.testing.assert_array_equal(table.final_demand, tiva.read(fixture(FLAT)).final_demand)
    assert any("not in the file" in note for note in table.provenance.notes)
