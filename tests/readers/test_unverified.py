"""What no real file has confirmed: read in every form that is expected, else refused with what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.readers.support import edited, fixture
from tiva.errors import ReaderError, UnknownLabelError

SMALL = "icio2023_2020_SML.csv"
OLD = "ICIO2021_2018.csv"
OLDEST = "ICIO2016_2011.csv"
LONG_RUN = "lr_wiod_wiot_final_filled.csv"
MATRIX = "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv"


@pytest.mark.parametrize("name", ["OUT", "OUTPUT", "TOTALOUTPUT"])
def test_name_of_the_output_column_of_2021(tmp_path: Path, name: str) -> None:
    table = tiva.read(edited(OLD, tmp_path, lambda t: t.replace("TOTAL", name, 1)))
    np.testing.assert_array_equal(table.output, tiva.read(fixture(OLD)).output)


def test_output_column_that_looks_like_a_sector_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="columns without a row: TOT_OUT"):
        tiva.read(edited(OLD, tmp_path, lambda t: t.replace("TOTAL", "TOT_OUT", 1)))


@pytest.mark.parametrize("first", ["", "V1", "anything"])
def test_first_header_cell_is_ignored(tmp_path: Path, first: str) -> None:
    table = tiva.read(edited(SMALL, tmp_path, lambda t: t.replace("V1", first, 1)))
    assert table.checksum == tiva.read(fixture(SMALL)).checksum


def test_letters_of_the_2016_codes_may_vary(tmp_path: Path) -> None:
    table = tiva.read(edited(OLDEST, tmp_path, lambda t: t.replace("C01T05AGR", "C01T05QRS")))
    assert table.provenance.edition == "2016 edition"
    np.testing.assert_array_equal(table.intermediate, tiva.read(fixture(OLDEST)).intermediate)


def test_parts_of_the_2016_edition_have_their_countries(tmp_path: Path) -> None:
    def parts(text: str) -> str:
        text = text.replace("_AUS", "_MEX").replace("_USA", "_CHN")
        return text.replace("AUS_", "MX3_").replace("USA_", "CN4_")

    table = tiva.read(edited(OLDEST, tmp_path, parts))
    assert table.split_countries == {"MX3": "MEX", "CN4": "CHN"}
    assert set(table.countries) == {"MEX", "CHN", "ROW"}


def test_cells_without_a_number_in_the_icio(tmp_path: Path) -> None:
    for token in ("na", ""):
        path = edited(SMALL, tmp_path, lambda t, token=token: t.replace(",23.5,", f",{token},", 1))
        with pytest.raises(ReaderError, match=r"line 2, column 'AUS_C10T12'(.|\n)*missing='zero'"):
            tiva.read(path)
        with pytest.warns(tiva.errors.BalanceWarning):
            table = tiva.read(path, missing="zero", gaps="keep")
        assert table.intermediate[0, 1] == 0
        assert any("1 empty cells were taken as zero" in note for note in table.provenance.notes)
    with pytest.raises(UnknownLabelError, match="missing option"):
        tiva.read(fixture(SMALL), missing="skip")


@pytest.mark.parametrize("change", [lambda t: t.replace(",1,", ",x7,", 1), lambda t: t.replace("AUS,1,", "AUS,,")])
def test_row_numbers_of_the_long_run_tables_do_not_matter(tmp_path: Path, change: Callable[[str], str]) -> None:
    table = tiva.read(edited(LONG_RUN, tmp_path, change))
    assert table.checksum == tiva.read(fixture(LONG_RUN)).checksum


def test_final_demand_of_another_name_in_the_long_run_tables_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"AUS xCONS_np(.|\n)*final demand xCONS_h"):
        tiva.read(edited(LONG_RUN, tmp_path, lambda t: t.replace("xCONS_h", "xCONS_np")))


def test_figaro_countries_stand_where_the_file_has_them(tmp_path: Path) -> None:
    table = tiva.read(edited(MATRIX, tmp_path, lambda t: t.replace("US_", "MK_").replace("AU_", "RS_")))
    assert table.countries == ("SRB", "ROW", "MKD")


@pytest.mark.parametrize("year", [2016, 2017, 2024])
@pytest.mark.parametrize("tab", [True, False])
def test_eora_of_any_year_with_and_without_the_closing_tab(tmp_path: Path, year: int, tab: bool) -> None:
    for path in fixture("eora26").iterdir():
        text = path.read_text()
        if path.name.startswith("labels") and not tab:
            text = text.replace("\t\n", "\n")
        (tmp_path / path.name.replace("2015", str(year))).write_text(text)
    table = tiva.read(tmp_path)
    assert table.year == year
    np.testing.assert_array_equal(table.intermediate, tiva.read(fixture("eora26")).intermediate)
