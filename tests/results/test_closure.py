"""What terms miss of gross flows: said in attributes, notes and print, wherever it comes from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

import tiva
from tests.cases import published
from tests.decompositions.test_borin_mancini import model
from tests.tables import Oddities, random_table
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable
from tiva.terms import Method, methods

ROUNDING = 1e-12
"""Relative: sums of some hundred products."""

NETTED = random_table(61, 4, 3, Oddities(netted=(7,)))
"""C2.s1 has no output, and exports of 0.7 to C0 and -0.7 to C1."""


def notes(result: xr.Dataset) -> str:
    return " | ".join(json.loads(str(result.attrs["notes"])))


def options(row: Method) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("perspective", "approach", "perimeter") if getattr(row, name)}


LUX = {"c5": -2.0, "c8": -4.0}
"""Exports of two sectors of Luxembourg without output, WIOD 2008, million USD."""


def test_a_result_says_what_share_of_gross_exports_is_in_no_term() -> None:
    """As known of WIOD 2008: exports of -6 of LUX c5 and c8, the only ones without output."""
    result = tiva.decompose(model(2008), "kww")
    gross = float(result["gexp"].sum())
    assert float(result["discrepancy"].sel(exporter="LUX")) == pytest.approx(sum(LUX.values()))
    assert result.attrs["discrepancy_share"] == pytest.approx(6 / gross, rel=ROUNDING)
    assert result.attrs["identity_residual"] < ROUNDING
    assert "their exports are in 'discrepancy': LUX.c5, LUX.c8" in notes(result)
    printed = str(result.tiva.breakdown())
    assert "discrepancy: 3.5e-07 of gexp (country-sectors without output, all rows of the result)" in printed
    assert "what the terms miss beside it" in printed
    by_sector = tiva.decompose(model(2008), level="sector")
    for sector, value in LUX.items():
        assert float(by_sector["discrepancy"].sel(exporter="LUX", sector=sector)) == pytest.approx(value)


def test_of_a_satellite_the_discrepancy_is_one_of_money() -> None:
    printed = str(tiva.decompose(NETTED, level="bilateral", satellite=np.ones(NETTED.n)).tiva.breakdown())
    share = tiva.decompose(NETTED, level="bilateral").attrs["discrepancy_share"]
    assert f"discrepancy: {share:.1e} of gross flows" in printed
    assert "of content (what the terms miss beside it" in printed


def test_the_share_is_that_of_the_selection() -> None:
    luxembourg, mexico = (tiva.decompose(model(2008), "kww", exporter=country) for country in ("LUX", "MEX"))
    assert luxembourg.attrs["discrepancy_share"] == pytest.approx(6 / float(luxembourg["gexp"].sum()), rel=ROUNDING)
    assert mexico.attrs["discrepancy_share"] == 0.0
    assert "discrepancy:" not in str(mexico.tiva.breakdown())


@pytest.mark.parametrize("row", methods(), ids=Method.describe)
def test_every_result_states_its_discrepancy(row: Method) -> None:
    """Of the absolute flows of its cells: what cancels within a cell of the result is missed by none of them."""
    flows = LeontiefModel(NETTED).exports
    for level in row.levels:
        result = tiva.decompose(NETTED, row.method, level=level, **options(row))
        share = result.attrs["discrepancy_share"]
        if row.method == "output_based":
            assert share == 0.0
            continue
        gross = result[row.terms[0]] if row.terms[0] in {"gexp", "EXGR", "gimp"} else flows
        if row.terms[0] == "gimp_origin":  # by importer, and by product where the level has them
            gross = flows.reshape(4, 3, 4).sum(axis=0) if "sector" in result.dims else flows.sum(axis=0)
        by_partner = "importer" in result.dims or gross is flows
        assert share == pytest.approx(1.4 / float(np.abs(gross).sum()) if by_partner else 0.0, rel=ROUNDING)
        apart = "discrepancy" in result and "origin" not in result.dims
        assert ("are in 'discrepancy': C2.s1" if apart else "in gross flows and in no term: C2.s1") in notes(result)
        assert result.attrs["identity_residual"] < ROUNDING


@pytest.mark.filterwarnings("ignore::tiva.errors.BalanceWarning")
@pytest.mark.parametrize("row", methods(), ids=Method.describe)
def test_a_table_that_does_not_add_up_is_never_silent(row: Method) -> None:
    table = published(random_table(62), 1e-3)
    for level in row.levels:
        result = tiva.decompose(table, row.method, level=level, **options(row))
        residual = result.attrs["identity_residual"]
        assert 1e-5 < residual < 1e-3
        assert f"the table does not add up to output: {residual:.1e}" in notes(result)
        assert result.attrs["discrepancy_share"] == 0.0


@pytest.mark.filterwarnings("ignore::tiva.errors.BalanceWarning")
def test_contents_that_have_no_terms_miss_what_the_terms_of_others_miss() -> None:
    table = published(random_table(63), 1e-3)
    of_terms = tiva.decompose(table, "my", level="sector-bilateral").attrs["identity_residual"]
    for method in ("vs", "vax", "vby", "wwz_third", "oecd_shares"):
        assert tiva.decompose(table, method).attrs["identity_residual"] == pytest.approx(of_terms, rel=ROUNDING)


@pytest.mark.parametrize("satellite", [None, np.arange(1.0, 13.0)], ids=["value added", "jobs"])
@pytest.mark.parametrize("level", ["bilateral", "sector-bilateral"])
@pytest.mark.parametrize("importer", [None, ["C1", "C3"]])
def test_imports_by_origin_say_what_no_origin_holds(satellite: Any, level: str, importer: Any) -> None:
    """In money: exports of 0.7 to C0 and -0.7 to C1, whatever the origins hold."""
    given: dict[str, Any] = {"perspective": "importer", "perimeter": "importer"}
    by_origin = tiva.decompose(NETTED, level=level, satellite=satellite, importer=importer, **given)
    gross = tiva.decompose(NETTED, level=level.removesuffix("-bilateral") if "sector" in level else "country", **given)
    whole = float(np.abs(gross["gimp"].sel(importer=importer or list(NETTED.countries))).sum())
    missed = 1.4 if importer is None else 0.7
    assert by_origin.attrs["discrepancy_share"] == pytest.approx(missed / whole, rel=ROUNDING)
    if satellite is None and importer is None:
        rest = gross["gimp"] - by_origin["gimp_origin"].sum("origin")
        assert float(np.abs(rest).sum()) == pytest.approx(missed)


def test_jobs_and_value_added_of_sectors_without_output_are_not_lost_in_silence() -> None:
    jobs = np.ones(NETTED.n)
    assert "1 jobs of the satellite are in sectors without output" in notes(
        tiva.decompose(LeontiefModel(NETTED, satellite=jobs, satellite_unit="jobs"))
    )
    jobs[7] = 0.0
    assert "of the satellite are in" not in notes(tiva.decompose(NETTED, satellite=jobs))
    carrying = LeontiefModel(NETTED).carrying(np.ones(NETTED.n), "jobs")
    assert carrying.unattributed == 1.0
    shares = tiva.BandShares.from_dicts(
        NETTED, {"C0": {"s0": {"output": [0.4, 0.6], "exports": [0.2, 0.8]}}}, bands={"C0": ("small", "large")}
    )
    banded = tiva.split_by_size(NETTED, shares)
    assert "1 " in notes(tiva.decompose(banded, satellite=np.ones(NETTED.n)))
    assert banded.model(satellite=np.ones(NETTED.n)).unattributed == pytest.approx(1.0)


def test_what_is_delivered_to_sectors_without_output_is_said() -> None:
    flows = NETTED.intermediate.copy()
    flows[0, 7] = 0.25
    table = IcioTable.from_arrays(flows, NETTED.final_demand, countries=NETTED.countries, sectors=NETTED.sectors,
                                  final_demand_categories=NETTED.final_demand_categories)  # fmt: skip
    result = tiva.decompose(table)
    assert "0.25 million USD delivered to sectors without output end there" in notes(result)
    assert "0.25 million USD of value added are in sectors without output" in notes(result)
    assert result.attrs["identity_residual"] > 1e-6


def test_results_of_a_model_are_arrays_of_their_own() -> None:
    """Writing into a result changes neither the model nor another result."""
    kept = LeontiefModel(random_table(64))
    before = kept.exports.copy()
    for row in methods():
        for level in row.levels:
            result = tiva.decompose(kept, row.method, level=level, **options(row))
            for name in result.data_vars:
                result[name] *= 0.0
                result[name].values[...] = -1.0
    np.testing.assert_array_equal(kept.exports, before)
    with pytest.raises(ValueError, match="read-only"):
        kept.exports[0] = 0.0


def test_there_are_no_negative_zeros() -> None:
    table = random_table(65, 4, 3, Oddities(netted=(7,), negative_inventories=3, negative_value_added=2))
    for row in methods():
        for level in row.levels:
            result = tiva.decompose(table, row.method, level=level, **options(row))
            for name in result.data_vars:
                values = result[name].to_numpy()
                assert not np.signbit(values[values == 0]).any(), (row.describe(), name)
