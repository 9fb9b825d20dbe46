from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tiva
from tests.readers.support import fixture
from tiva.errors import LabelError, MissingFileError, ReaderError, UnknownLabelError, UsageError
from tiva.model.leontief import LeontiefModel
from tiva.readers.satellites import read_satellite
from tiva.table.icio_table import IcioTable

ACCOUNTS = {
    "Socio_Economic_Accounts_2016.xlsx": "WIOT2014_Nov16_ROW.as.xlsx",
    "Socio_Economic_Accounts_July14.xlsx": "wiot11_row_sep12.xlsx",
}


@pytest.fixture(name="table")
def icio() -> IcioTable:
    return tiva.read(fixture("icio2023_2020_SML.csv"))


def tidy(table: IcioTable) -> pd.DataFrame:
    rows = [(c, s) for c in table.areas for s in table.sectors]
    frame = pd.DataFrame(rows, columns=["country", "sector"])
    return frame.assign(value=np.arange(1.0, len(rows) + 1))


@pytest.mark.parametrize("name", ACCOUNTS)
def test_socio_economic_accounts_of_both_releases(name: str) -> None:
    table = tiva.read(fixture(ACCOUNTS[name]))
    with pytest.raises(LabelError, match=r"lacks 3 of 6 country-sectors(.|\n)*USA\.(A02|C), ROW"):
        read_satellite(fixture(name), table, variable="EMP")
    jobs = read_satellite(fixture(name), table, variable="EMP", missing="zero")
    assert jobs.values.tolist() == [11, 12, 11, 0, 0, 0]  # the fixture's EMP: 10 + sector + 1 in its second year
    assert jobs.unit == "thousand persons"
    assert jobs.coverage.found == 3
    assert jobs.coverage.output_share == pytest.approx((165 + 168 + 169) / 1016)
    assert any("missing country-sectors are 0" in note for note in jobs.provenance.notes)
    assert "3 of 6 country-sectors, 49.4% of output" in str(jobs.coverage)


def test_other_year_and_unknown_variable() -> None:
    name = "Socio_Economic_Accounts_2016.xlsx"
    table = tiva.read(fixture(ACCOUNTS[name]))
    jobs = read_satellite(fixture(name), table, variable="EMP", year=2013, missing="zero")
    assert jobs.values.tolist() == [10, 11, 10, 11, 0, 0]
    with pytest.raises(UnknownLabelError, match="unknown variable 'EMPLOY'"):
        read_satellite(fixture(name), table, variable="EMPLOY")
    with pytest.raises(UsageError, match="several variables"):
        read_satellite(fixture(name), table)
    with pytest.raises(UnknownLabelError, match="unknown year '1999'"):
        read_satellite(fixture(name), table, variable="EMP", year=1999)


def test_wiod_codes_of_both_kinds_are_one(example: IcioTable) -> None:
    assert example.countries
    table = IcioTable.from_arrays(np.ones((4, 4)), np.ones((4, 2)), countries=["AUS", "USA"], sectors=["c1", "c2"])
    frame = pd.DataFrame({"country": ["AUS", "AUS", "USA", "USA"], "code": ["C", "AtB"] * 2, "value": [2, 1, 4, 3]})
    assert read_satellite(frame, table).values.tolist() == [1, 2, 3, 4]


def test_order_of_lines_does_not_matter_and_frames_stay_as_they_are(table: IcioTable) -> None:
    frame = tidy(table).sample(frac=1, random_state=1)
    before = frame.copy()
    assert read_satellite(frame, table).values.tolist() == [1, 2, 3, 4, 5, 6]
    pd.testing.assert_frame_equal(frame, before)


def test_sdmx_csv_with_further_dimensions(table: IcioTable, tmp_path: Path) -> None:
    frame = tidy(table).rename(columns={"country": "REF_AREA", "sector": "ACTIVITY", "value": "OBS_VALUE"})
    frame = frame.assign(MEASURE="EMPN", TIME_PERIOD=2020, UNIT_MEASURE="PS", UNIT_MULT=3, FREQ="A", SEX="_T")
    twice = pd.concat([frame, frame.assign(SEX="F", OBS_VALUE=0)])
    twice.to_csv(tmp_path / "tim.csv", index=False)
    with pytest.raises(LabelError, match=r"more than one value for AUS.A01_02\n  got: they differ in SEX"):
        read_satellite(tmp_path / "tim.csv", table)
    jobs = read_satellite(tmp_path / "tim.csv", table, select={"SEX": "_T"})
    assert jobs.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert (jobs.name, jobs.unit) == ("EMPN", "PS, times 10^3")
    with pytest.raises(UnknownLabelError, match="'M'"):
        read_satellite(tmp_path / "tim.csv", table, select={"SEX": "M"})


def test_maps_sum_and_a_missing_part_is_missing(table: IcioTable) -> None:
    frame = tidy(table)
    frame["sector"] = frame["sector"].replace("A01_02", "A01")
    extra = frame[frame["sector"] == "A01"].assign(sector="A02", value=10.0)
    both = pd.concat([frame, extra])
    maps = {"A01": "A01_02", "A02": "A01_02"}
    assert read_satellite(both, table, sectors=maps).values.tolist() == [11, 2, 13, 4, 15, 6]
    both.loc[(both["sector"] == "A02") & (both["country"] == "USA"), "value"] = np.nan
    with pytest.raises(LabelError, match=r"missing USA.A01_02;"):
        read_satellite(both, table, sectors=maps)


@pytest.mark.parametrize("value", [True, np.False_])
def test_truth_values_are_no_numbers(table: IcioTable, value: object) -> None:
    frame = tidy(table).astype({"value": object})
    frame.loc[2, "value"] = value
    with pytest.raises(ReaderError, match=rf"line 4: not a finite number\n  got: .*{value}"):
        read_satellite(frame, table)


def test_unmatched_labels_are_reported(table: IcioTable) -> None:
    frame = pd.concat([tidy(table), pd.DataFrame({"country": ["MARS"], "sector": ["A01_02"], "value": [1.0]})])
    assert read_satellite(frame, table).coverage.unused == ("MARS.A01_02",)
    with pytest.raises(LabelError, match=r"more than one value for AUS\.A01_02"):
        read_satellite(pd.concat([tidy(table), tidy(table)]), table)
    with pytest.raises(LabelError, match="lacks 6 of 6"):
        read_satellite(tidy(table).assign(sector=["Q", "R"] * 3), table, missing="zero")


def test_bad_sources_are_named(table: IcioTable, tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"no column for sector(.|\n)*rename"):
        read_satellite(tidy(table).rename(columns={"sector": "trade"}), table)
    (tmp_path / "x.csv").write_text("country,sector,value\nAUS,A01_02,many\n")
    with pytest.raises(ReaderError, match=r"x.csv, line 2: not a finite number\n  got: 'many'"):
        read_satellite(tmp_path / "x.csv", table)
    (tmp_path / "y.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ReaderError, match=r"y.csv: no column for country, sector, value"):
        read_satellite(tmp_path / "y.csv", table)
    with pytest.raises(MissingFileError):
        read_satellite(tmp_path / "z.csv", table)
    with pytest.raises(UnknownLabelError, match="missing option"):
        read_satellite(tidy(table), table, missing="skip")  # type: ignore[arg-type]


def test_zero_output_sectors_may_be_missing() -> None:
    z = np.zeros((2, 2))
    table = IcioTable.from_arrays(z, np.array([[1.0], [0.0]]), countries=["A"], sectors=["x", "y"])
    jobs = read_satellite(pd.DataFrame({"country": ["A"], "sector": ["x"], "value": [3.0]}), table)
    assert jobs.values.tolist() == [3, 0]
    assert jobs.coverage.missing_without_output == ("A.y",)


def test_value_added_as_a_satellite_gives_the_model_of_value_added(table: IcioTable) -> None:
    frame = tidy(table).assign(value=table.value_added)
    jobs = read_satellite(frame, table, unit=table.unit)
    with pytest.raises(ValueError, match="read-only"):
        jobs.values[0] = 1
    model = LeontiefModel(table, satellite=np.asarray(jobs), satellite_unit=jobs.unit)
    np.testing.assert_array_equal(model.value_added, LeontiefModel(table).value_added)
