from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tiva
from tests.readers.support import assert_parsed, edited, expected, fixture
from tiva.errors import ReaderError, TivaError

NAME = "icio_user.csv"


def test_parses_to_its_expected_values_with_the_list_beside_it() -> None:
    table = tiva.read(fixture(NAME))
    assert_parsed(table, expected(NAME))
    assert table.value_added_kind == "residual"


def test_country_list_in_a_folder_a_file_or_the_call(tmp_path: Path) -> None:
    path = edited(NAME, tmp_path, str)
    with pytest.raises(ReaderError, match="no country list beside the table"):
        tiva.read(path)
    codes = ["AUS", "USA", "ROW"]
    assert tiva.read(path, countries=codes).countries == tuple(codes)
    assert tiva.read(path, countries=fixture("icio_user_countrylist.csv")).countries == tuple(codes)
    edited("icio_user_countrylist.csv", tmp_path, str, "my_countrylist.csv")
    assert tiva.read(tmp_path).countries == tuple(codes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: "\n".join(t.splitlines()[:4]) + "\n", "does not fit the country list"),
        (lambda t: t.replace("24.5", "x"), "line 2: column 1"),
        (lambda t: t.replace("24.5", "NaN"), "line 2: column 1"),
        (lambda t: t.replace("24.5,", ""), "line 2: "),
        (lambda t: t.replace("24.5,", "24.5,1,"), "line 2: "),
    ],
)
def test_bad_input_is_named(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    edited("icio_user_countrylist.csv", tmp_path, str)
    with pytest.raises(ReaderError, match=message):
        tiva.read(edited(NAME, tmp_path, change))


def test_a_table_without_labels_says_what_its_shape_cannot_tell(tmp_path: Path) -> None:
    """Three of six lines of one final demand column a country are a whole table of three columns a country."""
    shutil.copy(fixture("icio_user_countrylist.csv"), tmp_path)
    path = edited("icio_user.csv", tmp_path, lambda text: "\n".join(text.splitlines()[:3]) + "\n")
    assert any("first 3 lines of a table of 6" in note for note in tiva.read(path).provenance.notes)
    with pytest.raises(TivaError, match="sectors"):
        tiva.read(path, sectors=("A", "B"))
