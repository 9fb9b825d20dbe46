from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiva
from tests.paths import shared
from tests.readers.support import assert_parsed, edited, expected, fixture
from tiva.errors import ReaderError
from tiva.readers.stata_icio import MIN_HOME_SHARE, write_stata_icio
from tiva.table.icio_table import IcioTable

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


@pytest.mark.parametrize("sectors", [1, 7, 14])
@pytest.mark.parametrize("categories", [True, False])
def test_lines_lost_at_the_end_are_seen_although_the_shape_fits(
    example: IcioTable, tmp_path: Path, sectors: int, categories: bool
) -> None:
    """What is left has the shape of fewer sectors and more final demand columns a country."""
    path, _ = write_stata_icio(example, tmp_path / "t.csv", categories=categories)
    assert tiva.read(path).n == example.n
    lines = len(example.countries) * sectors
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    with pytest.raises(ReaderError, match=rf"line {lines}: lines are lost(.|\n)*{lines} lines; countries buy \d+% of"):
        tiva.read(path)
    with pytest.raises(ReaderError, match=rf"does not fit the sectors passed\n  got: {lines} lines"):
        tiva.read(path, sectors=example.sectors)
    with pytest.raises(ReaderError, match="does not fit the final_demand_categories passed"):
        tiva.read(path, final_demand_categories=("FD",))


def test_a_tiny_table_says_what_its_shape_cannot_tell(tmp_path: Path) -> None:
    """Three of six lines of one final demand column a country have the shape of three columns a country."""
    shutil.copy(fixture("icio_user_countrylist.csv"), tmp_path)
    path = edited("icio_user.csv", tmp_path, lambda text: "\n".join(text.splitlines()[:3]) + "\n")
    assert any("first 3 lines of a table of 6" in note for note in tiva.read(path).provenance.notes)
    with pytest.raises(ReaderError, match=r"does not fit the sectors passed\n  got: 3 lines(.|\n)*expected: 2"):
        tiva.read(path, sectors=("A", "B"))
    assert tiva.read(path, sectors=("A",)).n == 3  # meant like this


@pytest.mark.parametrize("year", [1995, 2000, 2005, 2008, 2011])
def test_what_countries_buy_from_themselves_tells_whole_from_cut_tables(year: int) -> None:
    with np.load(shared(f"wiod2013/wiot{year}.npz")) as data:
        z, f = data["intermediate"].astype(float), data["final_demand"].astype(float)
    g, n = 41, 35

    def home(table: np.ndarray[Any, Any], lines: int) -> float:
        size = np.abs(table[:lines, lines:]).reshape(g, lines // g, g, -1).sum(axis=(1, 3))
        return float(np.trace(size) / size.sum())

    for final in (f, f.reshape(len(f), g, -1).sum(axis=2)):
        table = np.hstack([z, final])
        assert home(table, g * n) > 0.9
        cut = [home(table, g * k) for k in range(1, n)]
        assert max(cut) < 0.25 < MIN_HOME_SHARE < 0.9
