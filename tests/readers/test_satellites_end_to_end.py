"""Every kind of satellite from its file into a decomposition: the right unit, and numbers of an explicit inverse."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tiva
from tests.readers.support import fixture, zipped
from tests.readers.test_extensions import COLUMNS, HOUSEHOLDS, JOBS, UNITS
from tests.readers.test_extensions import eora as write_eora
from tests.readers.test_gloria import STEM, N, R, supply_and_use
from tests.readers.test_gloria import written as write_gloria
from tiva.errors import ConcordanceError, LabelError, ReaderError, UnknownLabelError, UsageError
from tiva.readers.satellites import read_satellite
from tiva.table.icio_table import IcioTable

EXACT = 1e-10
"""Relative: a factorisation here, an explicit inverse there."""

SATELLITES = [
    ("CO2 emissions", "'CO2 from energy'", "kt"), ("Employment", "'Persons'", "1000 persons"),
    ("Employment", "'Hours'", "mil hours"), ("Land use", "'Persons'", "1000 ha"),
]  # fmt: skip


def assert_content(table: IcioTable, satellite: Any, unit: str) -> None:
    """Compare what exports of each country embody with satellite coefficients times an explicit inverse."""
    found = tiva.decompose(table, satellite=satellite)
    values = np.asarray(satellite, dtype=float)
    x = table.output
    a = np.divide(table.intermediate, x, out=np.zeros_like(table.intermediate), where=x > 0)
    w = np.divide(values, x, out=np.zeros_like(values), where=x > 0)
    multiplier = w @ np.linalg.inv(np.eye(table.n) - a)
    country = np.repeat(table.area_country_index, len(table.sectors))
    for g, name in enumerate(table.countries):
        own = country == g
        e = np.where(own, table.intermediate[:, ~own].sum(axis=1), 0.0)
        e += np.where(own, np.delete(table.final_demand_by_absorber, g, axis=1).sum(axis=1), 0.0)
        got = found["content"].sel(exporter=name)
        np.testing.assert_allclose(got, multiplier @ e, rtol=EXACT, atol=EXACT)
        np.testing.assert_allclose(found["dc"].sel(exporter=name) + found["fc"].sel(exporter=name), got, rtol=EXACT)
    assert found["content"].attrs["units"] == unit == found["dva"].attrs["units"]
    assert found["gexp"].attrs["units"] == table.unit


@pytest.mark.parametrize(
    ("accounts", "world", "variable", "unit"),
    [
        ("Socio_Economic_Accounts_2016.xlsx", "WIOT2014_Nov16_ROW.as.xlsx", "EMP", "thousand persons"),
        ("Socio_Economic_Accounts_July14.xlsx", "wiot11_row_sep12.xlsx", "EMP", "thousand persons"),
        (
            "Socio_Economic_Accounts_2016.xlsx",
            "WIOT2014_Nov16_ROW.xlsb",
            "LAB",
            "million of national currency, or index",
        ),
    ],
)
def test_wiod_accounts(accounts: str, world: str, variable: str, unit: str) -> None:
    table = tiva.read(fixture(world))
    jobs = read_satellite(fixture(accounts), table, variable=variable, missing="zero")
    assert {label[:3] for label in jobs.coverage.missing} <= {"ROW", "USA"}
    assert_content(table, jobs, unit)


TIM = ["STRUCTURE", "MEASURE", "REF_AREA", "ACTIVITY", "COUNTERPART_AREA", "UNIT_MEASURE", "FREQ", "TIME_PERIOD"]


def trade_in_employment(table: IcioTable, old: bool = False) -> pd.DataFrame:
    """The columns of the OECD's answers: aggregates beside industries, groups beside countries, WXD for the rest."""
    sectors = {"A01_02": "D01T02", "C10T12": "D10T12"} if old else {s: s for s in table.sectors}
    rows = [
        ["DATAFLOW", "EMPN", area, sector, "W", "PS", "A", year, 100 * i + 10 * k + (year - 2019), 3]
        for i, area in enumerate(("AUS", "WXD", "USA", "OECD"))
        for k, sector in enumerate((*sectors.values(), "_T", "C"))
        for year in (2019, 2020)
    ]
    return pd.DataFrame(rows, columns=[*TIM, "OBS_VALUE", "UNIT_MULT"])


@pytest.mark.parametrize("form", ["codes", "both", "labels beside", "old codes", "zip"])
def test_trade_in_employment_of_the_oecd(form: str, tmp_path: Path) -> None:
    table = tiva.read(fixture("icio2023_2020_SML.csv"))
    frame = trade_in_employment(table, old=form == "old codes")
    if form == "both":
        names = {"REF_AREA": "Reference area", "ACTIVITY": "Economic activity", "MEASURE": "Measure"}
        for code in names:
            frame[code] = [f"{x}: Name of {x}" for x in frame[code]]
        frame = frame.rename(columns={code: f"{code}: {name}" for code, name in names.items()})
    elif form == "labels beside":
        frame.insert(3, "Reference area", frame["REF_AREA"] + " in full")
        frame.insert(2, "Measure", "Employment, persons")
    path = tmp_path / "tim.csv"
    frame.to_csv(path, index=False)
    if form == "zip":
        path = zipped(tmp_path / "tim.zip", tim__csv=path)
    jobs = read_satellite(path, table, variable="EMPN")
    assert jobs.values.tolist() == [1, 11, 201, 211, 101, 111]
    assert jobs.coverage.output_share == 1.0
    assert {"OECD._T", "AUS._T"} <= set(jobs.coverage.unused)
    assert_content(table, jobs, "PS, times 10^3")


def test_a_satellite_in_another_scheme_goes_through_the_concordance() -> None:
    full = tiva.read(fixture("icio2023_2020_SML.csv"))
    table = full.to_sectors("common28", from_scheme="icio45")
    assert table.sectors == ("AGR", "FOD")
    frame = pd.DataFrame(
        [(c, s, v) for c in full.areas for s, v in (("A01_02", 5.0), ("A03", 2.0), ("C10T12", 7.0), ("_T", 99.0))],
        columns=["country", "sector", "value"],
    )
    jobs = read_satellite(frame, table, sectors="icio45", unit="thousand persons")
    assert jobs.values.tolist() == [7, 7] * 3
    assert_content(table, jobs, "thousand persons")
    with pytest.raises(ConcordanceError, match=r"1 sectors of the satellite would have to be split(.|\n)*49T53 -> "):
        read_satellite(frame.replace({"A03": "49T53"}), table, sectors="icio36")
    with pytest.raises(UnknownLabelError, match="did you mean 'icio45'"):
        read_satellite(frame, table, sectors="icio4")


NEWER = {
    "air_emissions": ("CO2 - combustion - air", "kg"), "employment": ("Employment people: Low-skilled male", "1000 p"),
    "energy": ("Energy use: Total", "TJ"), "land": ("Cropland: total", "km2"), "material": ("Iron ores", "kt"),
    "nutrients": ("N - agriculture - water", "kg"), "water": ("Water withdrawal", "Mm3"),
}  # fmt: skip
"""Folders of the releases from 3.9 on, with a row each; the value-added rows are in factor_inputs."""


def newer_exiobase(path: Path) -> Path:
    """The fixture as releases from 3.9 on are: no folder at the top, one folder an extension."""
    with zipfile.ZipFile(fixture("IOT_2022_ixi.zip")) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            inner = name.removeprefix("IOT_2022_ixi/").replace("satellite/", "factor_inputs/")
            text = old.read(name).decode()
            new.writestr(inner, text.replace("stressor\tunit", "\tunit", 1) if inner.endswith("/unit.txt") else text)
        for k, (folder, (row, unit)) in enumerate(NEWER.items()):
            values = "\t".join(str((k + 1) * v) for v in (4, 3, 1, 2, 5, 6))
            new.writestr(f"{folder}/F.txt", f"{COLUMNS}stressor\t\t\t\t\t\t\n{row}\t{values}\n")
            new.writestr(f"{folder}/unit.txt", f"stressor\tunit\n{row}\t{unit}\n")
    return path


def test_exiobase_from_release_3_9_on(tmp_path: Path) -> None:
    path = newer_exiobase(tmp_path / "IOT_2022_ixi.zip")
    table = tiva.read(path, value_added="published")
    assert table.checksum == tiva.read(fixture("IOT_2022_ixi.zip"), value_added="published").checksum
    for k, (folder, (row, unit)) in enumerate(NEWER.items()):
        found = read_satellite(path, table, variable=row)
        assert found.values.tolist() == [(k + 1) * v for v in (1, 2, 3, 4, 5, 6)]
        assert found.provenance.edition == folder
        assert_content(table, found, unit)


def test_exiobase_up_to_release_3_8(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "IOT_2022_ixi.zip", "w") as new:
        with zipfile.ZipFile(fixture("IOT_2022_ixi.zip")) as old:
            for name in old.namelist():
                if name != "IOT_2022_ixi/satellite/F.txt":
                    new.writestr(name, old.read(name))
            factors = old.read("IOT_2022_ixi/satellite/F.txt").decode().splitlines(keepends=True)
        new.writestr("IOT_2022_ixi/satellite/F.txt", "".join([*factors, "Employment: men\t1\t2\t3\t4\t5\t6\n"]))
        new.writestr("IOT_2022_ixi/impacts/F.txt", JOBS.replace("Employment: men", "Jobs"))
        new.writestr("IOT_2022_ixi/impacts/unit.txt", UNITS.replace("Employment: men", "Jobs"))
        new.writestr("IOT_2022_ixi/impacts/F_Y.txt", HOUSEHOLDS.replace("Employment: men", "Jobs"))
    table = tiva.read(tmp_path / "IOT_2022_ixi.zip", value_added="published")
    men = read_satellite(tmp_path / "IOT_2022_ixi.zip", table, variable="Employment: men", unit="1000 p")
    assert men.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert_content(table, read_satellite(tmp_path / "IOT_2022_ixi.zip", table, variable="Jobs"), "1000 p")


@pytest.mark.parametrize("unit", ["thousand USD", "million USD"])
def test_eora_satellites(tmp_path: Path, unit: str) -> None:
    folder = write_eora(tmp_path / "eora26")
    table = tiva.read(folder, unit=unit)
    assert_content(table, read_satellite(folder, table, variable="CO2 (Gg) from fuel - Air"), "Gg")


def gloria_accounts(folder: Path, products: bool = False, lines: int = 4) -> Path:
    """A folder of satellite accounts beside that of the flows, and the sheet of their labels."""
    openpyxl = pytest.importorskip("openpyxl")
    target = folder / "GLORIA_SatelliteAccounts_059_2022"
    target.mkdir()
    values = np.zeros((lines, R, 2, N))
    values[:, :, 0] = np.arange(lines * R * N).reshape(lines, R, N) + 1.5
    if products:
        values[1, 0, 1, 0] = 3.0
    np.savetxt(target / STEM.format("TQ"), values.reshape(lines, -1), delimiter=",", fmt="%.17g")
    np.savetxt(target / STEM.format("YQ"), np.arange(lines * R).reshape(lines, R), delimiter=",", fmt="%.17g")
    book = openpyxl.load_workbook(folder / "GLORIA_ReadMe_059.xlsx")
    sheet = book.create_sheet("Satellites")
    sheet.append(["Lfd_Nr", "Sat_head_indicator", "Sat_indicator", "Sat_unit"])
    for k, row in enumerate(SATELLITES, start=1):
        sheet.append([k, *row])
    book.save(folder / "GLORIA_ReadMe_059.xlsx")
    book.close()
    return target


def test_gloria_satellites(tmp_path: Path) -> None:
    write_gloria(tmp_path, supply_and_use())
    target = gloria_accounts(tmp_path)
    flows = tiva.read(tmp_path, value_added="published")
    carbon = read_satellite(target, flows, variable="CO2 from energy")
    assert carbon.values.tolist() == [k + 1.5 for k in range(R * N)]
    assert read_satellite(target, flows, variable="'CO2 from energy'").values.tolist() == carbon.values.tolist()
    assert (carbon.name, carbon.provenance.edition) == ("CO2 emissions - CO2 from energy", "059 satellite accounts")
    assert any("YQ: 1 arise in final demand itself" in note for note in carbon.provenance.notes)
    assert_content(flows, carbon, "kt")
    hours = read_satellite(tmp_path, flows, variable="Employment - Hours")
    assert hours.values.tolist() == [2 * R * N + k + 1.5 for k in range(R * N)]
    assert_content(flows, hours, "mil hours")
    packed = zipped(tmp_path / "GLORIA_SatelliteAccounts_059_2022.zip", **{p.name: p for p in target.iterdir()})
    assert read_satellite(packed, flows, variable="Hours").values.tolist() == hours.values.tolist()


def test_gloria_satellites_that_cannot_be_told_apart_or_do_not_fit(tmp_path: Path) -> None:
    write_gloria(tmp_path, supply_and_use())
    flows = tiva.read(tmp_path)
    with pytest.raises(ReaderError, match=r"no satellites of GLORIA(.|\n)*GLORIA_SatelliteAccounts_VVV_YYYY"):
        read_satellite(tmp_path, flows, variable="Hours")
    target = gloria_accounts(tmp_path)
    with pytest.raises(
        UsageError, match=r"2 rows are named 'Persons'(.|\n)*line 2: Employment - Persons(.|\n)*select="
    ):
        read_satellite(target, flows, variable="Persons")
    assert read_satellite(target, flows, select={"line": "4"}).unit == "1000 ha"
    with pytest.raises(UnknownLabelError, match="did you mean 'Hours'"):
        read_satellite(target, flows, variable="Hour")
    with pytest.raises(ReaderError, match="another year than asked for"):
        read_satellite(target, flows, variable="Hours", year=2019)
    (target / STEM.format("TQ")).write_text("1,2\n")
    with pytest.raises(ReaderError, match="2 cells"):
        read_satellite(target, flows, select={"line": "1"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"products": True}, r"line 2: satellites of products"),
        ({"lines": 6}, r"got: 6 rows\n  expected: 4, one a line of the sheet 'Satellites'(.|\n)*another release"),
        ({"lines": 3}, "got: 3 rows"),
    ],
)
def test_gloria_satellites_of_another_shape(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_gloria(tmp_path, supply_and_use())
    target = gloria_accounts(tmp_path, **options)
    with pytest.raises(ReaderError, match=message):
        read_satellite(target, tiva.read(tmp_path), select={"line": "2"})


def test_any_tidy_csv(tmp_path: Path) -> None:
    table = tiva.read(fixture("icio2025_2022_EXT.csv")).merge_split_countries()
    rows = "".join(f"{c};{s};{10 * i + k}\n" for i, c in enumerate(table.areas) for k, s in enumerate(table.sectors))
    path = tmp_path / "jobs.csv"
    path.write_text("region,industry,value\n" + rows.replace(";", ","))
    jobs = read_satellite(path, table, unit="persons")
    assert_content(table, jobs, "persons")
    assert_content(table, read_satellite(path, table), "unit not given")
    path.write_text(path.read_text().replace("CHN,A01,20\n", ""))
    with pytest.raises(LabelError, match=r"lacks 1 of 6 country-sectors(.|\n)*missing CHN.A01"):
        read_satellite(path, table)
    some = read_satellite(path, table, missing="zero")
    assert some.coverage.missing == ("CHN.A01",)
    assert "5 of 6 country-sectors" in str(some.coverage)
