"""The tidy file of margins: what is read, and every kind of bad row named with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.bands.toy import fact, facts, full_rows
from tiva.bands.margins import read_margins
from tiva.bands.schemes import band_schemes
from tiva.errors import MarginError, MissingFileError, ReaderError

HEADER = "country,year,sector,sector_scheme,band_scheme,band,variable,partner,unit,value,se,lo,hi,status,source"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return path


def problems(rows: list[dict[str, Any]], **options: Any) -> tuple[str, ...]:
    with pytest.raises(MarginError) as caught:
        read_margins(rows, **options)
    return caught.value.problems


def test_file_and_frame_give_the_same_facts(tmp_path: Path) -> None:
    rows = full_rows()
    frame = pd.DataFrame(rows)
    path = tmp_path / "band_margins.csv"
    frame.to_csv(path, index=False)
    from_file, from_frame = read_margins(path), read_margins(frame)
    assert len(from_file) == len(from_frame) == 32
    assert [(f.country, f.value) for f in from_file.facts] == [(f.country, f.value) for f in from_frame.facts]
    assert from_file.facts[0].where == "band_margins.csv line 2"
    assert from_file.countries == ("N", "S")
    assert from_file.sources == ("toy",)
    assert "32 facts for N, S" in repr(from_file)
    assert list(from_file.to_frame()["variable"][:2]) == ["output", "output"]
    assert from_file.only(["S"]).countries == ("S",)


def test_shares_that_do_not_sum_to_one_name_their_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.csv",
        "S,2020,1,,EMP2,sme,output,WLD,share,0.40,,,,observed,toy",
        "S,2020,1,,EMP2,lar,output,WLD,share,0.50,,,,observed,toy",
    )
    with pytest.raises(MarginError, match=r"m\.csv line 2, m\.csv line 3: shares of S 1 output sum to 0\.9, not 1"):
        read_margins(path)


def test_a_band_that_is_left_out_is_asked_for() -> None:
    (problem,) = problems([fact("_ALL", "exports", "sme", 0.12)])
    assert "sum to 0.12, not 1; no row for lar (give one, with status 'missing' if not known)" in problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"band_scheme": ""}, "band 'sme' without band_scheme"),
        ({"band_scheme": "EMP3"}, "unknown band_scheme 'EMP3'; did you mean 'EMP2'"),
        ({"band": "large"}, "unknown band 'large'; did you mean 'lar'?"),
        ({"variable": "export"}, "unknown variable 'export'; did you mean 'exports'?"),
        ({"unit": "percent"}, "unknown unit 'percent'"),
        ({"status": "guess"}, "unknown status 'guess'"),
        ({"value": -0.1}, "negative share -0.1"),
        ({"value": -5, "unit": "EUR_mn"}, "negative value -5"),
        ({"value": 40}, "share 40 is above one; percentages are divided by 100"),
        ({"value": "many"}, "value 'many' is not a number"),
        ({"value": "inf"}, "value 'inf' is not finite"),
        ({"value": ""}, "value is empty; use status 'confidential' or 'missing'"),
        ({"status": "confidential"}, "status 'confidential' has a value '0.4'"),
        ({"se": -1}, "negative standard error -1"),
        ({"country": ""}, "country is empty"),
    ],
)
def test_bad_cells_are_named(change: dict[str, Any], message: str) -> None:
    row = {**fact("1", "output", "sme", 0.4), **change}
    found = problems([row, fact("1", "output", "lar", 0.6)])
    assert any(p.startswith("margins row 0: ") and message in p for p in found), found


def test_duplicated_rows_are_named() -> None:
    rows = [*facts("1", "output", (0.4, 0.6)), fact("1", "output", "sme", 0.4)]
    assert problems(rows) == ("margins row 2: duplicates margins row 0 (S 1 output sme)",)


def test_mixed_units_and_wrong_totals_are_named() -> None:
    mixed = [fact("1", "exports", "sme", 0.4), fact("1", "exports", "lar", 6, unit="USD_mn")]
    assert "mixes units USD_mn, share" in problems(mixed)[0]
    total = [*facts("1", "exports", (4, 6), unit="USD_mn"), fact("1", "exports", "TOTAL", 11, unit="USD_mn")]
    assert "values of S 1 exports sum to 10, not 11" in problems(total)[0]


def test_unknown_and_missing_columns_are_named() -> None:
    row = {**fact("1", "output", "sme", 0.4), "contry": "S"}
    del row["country"]
    found = problems([row])
    assert "no column 'country'" in found
    assert "unknown column 'contry'; did you mean 'country'?" in found


def test_all_bad_rows_are_listed_at_once_and_counted() -> None:
    rows = [fact("1", "output", "sme", -1.0, year=2000 + i) for i in range(30)]
    with pytest.raises(MarginError, match=r"30 problems") as caught:
        read_margins(rows)
    assert len(caught.value.problems) == 30
    assert "... (30 in all)" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_margins(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ReaderError, match="is empty"):
        read_margins(tmp_path / "empty.csv")
    with pytest.raises(MarginError, match="no rows"):
        read_margins(write(tmp_path / "header.csv"))
    with pytest.raises(ReaderError, match="line 2 has more cells than columns"):
        read_margins(write(tmp_path / "long.csv", "x," * 40))


def test_schemes_can_be_added(tmp_path: Path) -> None:
    path = tmp_path / "schemes.csv"
    path.write_text("band_scheme,band,order,lower,upper,unit\nMINE,b,2,10,,persons\nMINE,a,1,0,9,persons\n")
    assert band_schemes(path)["MINE"].labels == ("a", "b")
    assert band_schemes(path)["EMP_10_50_250"].labels == ("micro", "small", "medium", "large")
    rows = [{**fact("1", "output", b, v), "band_scheme": "MINE"} for b, v in (("a", 0.2), ("b", 0.8))]
    assert read_margins(rows, schemes=path).schemes["MINE"].bands[1].upper is None
    path.write_text("band_scheme,band,order\nMINE,a,first\n")
    with pytest.raises(MarginError, match="row that cannot be used"):
        band_schemes(path)


def test_sector_maps_are_checked() -> None:
    rows = facts("A", "output", (0.4, 0.6))
    found = problems(rows, sector_map=[{"from_scheme": "X", "from_code": "A", "to_code": "", "weight": "-1"}])
    assert any("to_code is empty" in p for p in found)
    assert any("negative weight" in p for p in found)
