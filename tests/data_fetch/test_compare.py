from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import data_fetch
import tiva
from data_fetch.compare import FROM_TERMS, compare_table
from data_fetch.sdmx import SdmxClient
from tests.data_fetch.publisher import Page
from tests.data_fetch.test_sdmx import serve
from tiva.errors import FetchError, UnknownLabelError, UsageError

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
    assert "MEX A01 W: published 100, computed 101" in str(comparison)
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
        compare_table(table, ("EXGR_RIM",), client=SdmxClient(store))
