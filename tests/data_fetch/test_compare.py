from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import data_fetch
import tiva
from data_fetch.compare import HEADLINE, compare_table
from data_fetch.sdmx import SdmxClient
from tests.data_fetch.publisher import Page
from tests.data_fetch.test_sdmx import serve
from tiva.errors import FetchError, UnknownLabelError, UsageError

FROM_TERMS = dict(zip(HEADLINE, ("gexp", "dc", "fc"), strict=True))
"""What the headline indicators are among the terms of Borin and Mancini."""

TIVA = "/rest/data/OECD.STI.PIE,DSD_TIVA_MAINLV@DF_MAINLV,1.1/"


def computed(values, **attrs):
    return xr.Dataset(
        {"exgr_dva": (("exporter", "sector"), np.array(values, dtype=float)), "other": ("exporter", [1.0, 2.0])},
        {"exporter": ["MEX", "USA"], "sector": ["A01", "C24A"]},
        attrs={"year": 2019} | attrs,
    )


@pytest.fixture
def call(publisher, store):
    serve(publisher, TIVA + "EXGR_DVA...W..A", "tiva_exgr_dva.csv")

    def run(data, *args, **more):
        more = {"client": SdmxClient(store), "endpoint": publisher.address("/rest")} | more
        return data_fetch.compare_oecd(data, *args, **more)

    return run


def test_distribution_of_differences(call):
    (found,) = call(computed([[101, 200], [1000, 0.5]])).differences
    assert (found.measure, found.variable) == ("EXGR_DVA", "exgr_dva")
    assert found.cells == 4
    assert found.only_published == 2
    assert found.only_computed == 0
    assert found.zeros == 1
    assert found.max_absolute == pytest.approx(1.0)
    assert found.quantiles[1.0] == pytest.approx(0.01)
    assert found.quantiles[0.5] == 0.0
    assert found.within[1e-3] == pytest.approx(2 / 3)
    assert found.worst[0][:3] == ("MEX", "A01", "W")


def test_prints_and_frames(call):
    comparison = call(computed([[101, 200], [1000, 0.5]]))
    assert "EXGR_DVA" in str(comparison)
    assert "MEX A01 W: published 100, computed 101 (+1.00%)" in str(comparison)
    assert "compared: 4 of 4 computed cells (100.0% of their values), 4 of 6 published; 1 published as zero" in str(
        comparison
    )
    assert "activities only published: _T" in str(comparison)
    assert comparison.cells().iloc[0].tolist() == ["EXGR_DVA", "MEX", "A01", "W", 100.0, 101.0]
    frame = comparison.to_frame()
    assert frame.loc[0, "cells"] == 4
    assert frame.loc[0, "q1"] == pytest.approx(0.01)


def test_totals_are_asked_as_totals(call, publisher):
    serve(publisher, TIVA + "EXGR_DVA.._T.W..A", "tiva_exgr_dva.csv")
    data = xr.Dataset({"dc": ("exporter", [300.0, 1000.0])}, {"exporter": ["MEX", "USA"]})
    (found,) = call(data, {"EXGR_DVA": "dc"}, year=2019).differences
    assert found.cells == 2
    assert found.max_absolute == 0.0


def test_what_cannot_be_compared(call):
    data = computed([[1, 2], [3, 4]])
    with pytest.raises(UsageError, match="year"):
        call(computed([[1, 2], [3, 4]], year=-1))
    with pytest.raises(UnknownLabelError, match="variable"):
        call(data, ["EXGR"])
    with pytest.raises(UsageError, match="no variable has the name"):
        call(data[["other"]])
    with pytest.raises(UsageError, match="dimensions"):
        call(data.rename(sector="origin"))
    with pytest.raises(FetchError, match="no cell of EXGR_DVA is on both sides"):
        call(data.assign_coords(exporter=["AAA", "BBB"]))
    with pytest.raises(FetchError, match="no cell"):
        call(data, year=2018)


def test_a_table_is_decomposed_and_compared(call, publisher, store):
    table = tiva.example()
    columns = "MEASURE,REF_AREA,ACTIVITY,COUNTERPART_AREA,UNIT_MEASURE,FREQ,TIME_PERIOD,OBS_VALUE,UNIT_MULT\n"
    terms = tiva.decompose(table, "bm", level="country")
    for code, term in FROM_TERMS.items():
        rows = "".join(
            f"{code},{area},_T,W,USD,A,{table.year},{float(terms[term].sel(exporter=area)) * 1.001!r},6\n"
            for area in table.countries
        )
        publisher.pages[TIVA + f"{code}.._T.W..A"] = Page((columns + rows).encode())
    found = compare_table(table, level="country", client=SdmxClient(store), endpoint=publisher.address("/rest"))
    assert [d.measure for d in found.differences] == ["EXGR", "EXGR_DVA", "EXGR_FVA"]
    for difference in found.differences:
        assert difference.cells == len(table.countries)
        assert difference.quantiles[0.5] == pytest.approx(0.001 / 1.001)
    with pytest.raises(UnknownLabelError, match="measure"):
        compare_table(table, ("EXGR_TDVAIND", "EXGRPSH"), client=SdmxClient(store))


def test_every_indicator_that_is_computed_can_be_compared(publisher, store):
    table = tiva.example()
    levels = tiva.decompose(table, "oecd", level="bilateral")
    shares = tiva.decompose(table, "oecd_shares", level="bilateral")
    pairs = [(a, b) for a in table.countries for b in table.countries if a != b]
    for code, terms, prefix, factor in (
        ("FFD_DVA", levels, TIVA, 1.0),
        ("EXGR_DVASH", shares, TIVA.replace("MAINLV", "MAINSH"), 100.0),
    ):
        lines = [
            f"{code},{a},_T,{b},{'USD' if factor == 1.0 else 'PT'},A,{table.year},{factor * float(value)!r},\n"
            for a, b in pairs
            if np.isfinite(value := terms[code].sel(exporter=a, importer=b))
        ]
        columns = "MEASURE,REF_AREA,ACTIVITY,COUNTERPART_AREA,UNIT_MEASURE,FREQ,TIME_PERIOD,OBS_VALUE,UNIT_MULT\n"
        publisher.pages[prefix + f"{code}.._T...A"] = Page((columns + "".join(lines)).encode())
    found = compare_table(
        table, ("EXGR_DVASH", "FFD_DVA"), level="bilateral", client=SdmxClient(store),
        endpoint=publisher.address("/rest"),
    )  # fmt: skip
    assert [d.measure for d in found.differences] == ["EXGR_DVASH", "FFD_DVA"]
    assert all(d.max_absolute <= 1e-12 * 100 for d in found.differences if d.measure == "EXGR_DVASH")
    assert found.differences[1].max_absolute == 0.0
    assert all(d.cells == len(pairs) and d.only_computed == 0 for d in found.differences)
    assert "levels" in found.flow
    assert "shares" in found.flow


def published(code: str, area: str, activity: str, value: float, year: int = 2011) -> str:
    return f"OECD.STI.PIE:DSD_TIVA_MAINLV@DF_MAINLV(1.1),{code},{area},{activity},W,USD,A,{year},{value!r},6\n"


HEADER = "DATAFLOW,MEASURE,REF_AREA,ACTIVITY,COUNTERPART_AREA,UNIT_MEASURE,FREQ,TIME_PERIOD,OBS_VALUE,UNIT_MULT\n"


@pytest.fixture
def by_sector(publisher, store):
    """Serve indicators by country and sector that are made from ours by ``change``, and compare."""
    table = tiva.example()
    terms = tiva.decompose(table, "oecd", level="sector")

    def run(change):
        for code in HEADLINE:
            lines = [
                published(
                    code, area, sector, change(code, area, sector, float(terms[code].sel(exporter=area, sector=sector)))
                )
                for area in table.countries
                for sector in table.sectors
            ]
            page = Page((HEADER + "".join(line for line in lines if ",nan," not in line)).encode())
            publisher.pages[TIVA + f"{code}...W..A"] = page
        return compare_table(table, client=SdmxClient(store), endpoint=publisher.address("/rest"))

    return run


def test_equal_indicators_have_no_difference(by_sector):
    found = by_sector(lambda code, area, sector, value: value)
    cells = len(tiva.example().countries) * len(tiva.example().sectors)
    for difference in found.differences:
        assert difference.cells == cells
        assert (difference.only_published, difference.only_computed, difference.coverage) == (0, 0, 1.0)
        assert difference.max_absolute == difference.bias == 0.0
        assert set(difference.quantiles.values()) == {0.0}
        assert set(difference.within.values()) == {1.0}
    text = str(found)
    assert text.count("0.00e+00") >= 5 * len(found.differences)
    assert "100.0%" in text
    assert "published 1" not in text  # no cell differs
    assert "only" not in text


def test_differences_are_told_by_indicator_cell_and_label(by_sector):
    def change(code: str, area: str, sector: str, value: float) -> float:
        if area == "KOR" or sector == "Mining":
            return float("nan")  # not published
        if code == "EXGR_FVA":
            return value / 1.02  # ours are 2 % above
        return value - 500.0 if (code, area, sector) == ("EXGR_DVA", "MEX", "Vehicles") else value

    found = {d.measure: d for d in by_sector(change).differences}
    table = tiva.example()
    assert found["EXGR"].cells == (len(table.countries) - 1) * (len(table.sectors) - 1)
    assert found["EXGR"].unmatched["areas only computed"] == ("KOR",)
    assert found["EXGR"].unmatched["activities only computed"] == ("Mining",)
    gross = abs(tiva.decompose(table, "bm", level="sector")["gexp"])  # inventories make a few cells negative
    kept = gross.drop_sel(exporter="KOR", sector="Mining")
    assert found["EXGR"].coverage == pytest.approx(float(kept.sum() / gross.sum()))
    assert found["EXGR"].max_absolute == 0.0
    assert found["EXGR_DVA"].worst[0][:3] == ("MEX", "Vehicles", "W")
    assert found["EXGR_DVA"].max_absolute == pytest.approx(500.0)
    assert found["EXGR_DVA"].quantiles[0.95] == 0.0
    foreign = found["EXGR_FVA"]
    assert foreign.bias == pytest.approx(0.02)
    assert foreign.quantiles[0.01] == pytest.approx(0.02)
    assert foreign.quantiles[1.0] == pytest.approx(0.02)
    assert (foreign.within[1e-3], foreign.within[1e-2]) == (0.0, 0.0)


def test_the_command_prints_the_distribution(by_sector, publisher, store, monkeypatch, tmp_path, capsys):
    from dataclasses import replace

    from data_fetch import sdmx
    from data_fetch.cli import main

    by_sector(lambda code, area, sector, value: value * 0.999)
    here = {
        name: replace(f, provider=replace(f.provider, endpoint=publisher.address("/rest")))
        for name, f in sdmx.flows().items()
    }
    monkeypatch.setattr(sdmx, "flows", lambda: here)
    monkeypatch.setenv("TIVA_DATA", str(store.root))
    with pytest.raises(SystemExit) as caught:
        main(["compare", "oecd", str(tiva.example().save(tmp_path / "t.nc"))])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert out.startswith("OECD TiVA 2025, principal indicators, levels, 2011: computed against published")
    assert [line.split()[0] for line in out.splitlines() if line.startswith("EXGR")] == list(FROM_TERMS)
    assert "+1.00e-03" in out
