"""Equalities between methods, sums over levels, and where theory says that sums do not hold."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

import tiva
from tests.decompositions.test_borin_mancini import model
from tests.tables import Oddities, odd_tables, random_table
from tiva.decompositions.headline import by_exporter
from tiva.decompositions.output_based import output_based
from tiva.model.leontief import LeontiefModel
from tiva.model.operators import block_rows, own_country
from tiva.table.icio_table import IcioTable
from tiva.terms import LEVELS, Method, methods, term

ROUNDING = 1e-10
"""The same sums in another order, relative to gross exports or output."""

PRINTED = 5.1e-5
"""Shares printed with four decimals."""

DIFFERENT = 1e-4
"""Relative: far above rounding, so that what is not equal in theory is seen not to be equal."""

ADDITIVE = [row for row in methods() if row.additive and len(row.levels) > 1 and row.perspective != "importer"]
FLOWS_OF_THEIR_OWN = [row for row in methods() if row.perimeter in {"sectexp", "bilateral", "sectbil"}]

few = settings(max_examples=8, deadline=None)


def run(table: IcioTable, row: Method, level: str) -> xr.Dataset:
    options = {name: getattr(row, name) for name in ("perspective", "approach", "perimeter") if getattr(row, name)}
    return tiva.decompose(table, row.method, level=level, **options)


def near(ours: xr.DataArray, theirs: xr.DataArray, scale: float) -> None:
    assert ours.sizes == theirs.sizes
    assert float(abs(ours - theirs).max()) <= ROUNDING * scale


@pytest.mark.parametrize("row", ADDITIVE, ids=lambda row: row.describe())
def test_levels_are_sums_of_the_finest(row: Method) -> None:
    table = random_table(31, 4, 3, Oddities(netted=(5,), negative_inventories=3))
    finest = run(table, row, max(row.levels, key=LEVELS.index))
    scale = float(table.output.sum())
    for level in row.levels:
        result = run(table, row, level)
        for name in finest.data_vars:
            if name in result and term(str(name), row.method).unit == "flow":
                summed = finest[name].sum([d for d in finest[name].dims if d not in result[name].dims])
                near(result[name], summed, scale)


@pytest.mark.parametrize("row", FLOWS_OF_THEIR_OWN, ids=lambda row: row.describe())
def test_perimeters_of_their_own_do_not_add_up(row: Method) -> None:
    table = random_table(32)
    country = tiva.decompose(table)
    own = run(table, row, row.levels[0])
    summed = own.sum([d for d in own.dims if d != "exporter"])
    assert own.attrs["additive"] == "false"
    home = "gdp_home" if row.method == "extraction" else "dva"
    assert (summed[home] > country["dva"] * (1 + DIFFERENT)).all()
    if home == "dva":
        np.testing.assert_allclose(summed["dc"], country["dc"])


@few
@given(table=odd_tables())
def test_source_and_sink_agree_for_countries_only(table: IcioTable) -> None:
    scale = float(tiva.decompose(table)["gexp"].sum())
    source, sink = (tiva.decompose(table, approach=approach) for approach in ("source", "sink"))
    for name in ("dva", "vax", "ref", "ddc", "fva", "fdc"):
        near(source[name], sink[name], scale)


def test_source_and_sink_differ_by_partner() -> None:
    table = random_table(33)
    source, sink = (tiva.decompose(table, approach=approach, level="bilateral") for approach in ("source", "sink"))
    gap = abs(source["dva"] - sink["dva"])
    assert float(gap.max()) > DIFFERENT * float(source["dva"].max())


@few
@given(table=odd_tables())
def test_methods_agree_where_theory_says_so(table: IcioTable) -> None:
    bm = tiva.decompose(table, level="sector-bilateral")
    total = tiva.decompose(table)
    scale = float(total["gexp"].sum())
    kww, vs = tiva.decompose(table, "kww"), tiva.decompose(table, "vs")
    near(kww[["dva_fin", "dva_int", "dva_intrex"]].to_dataarray().sum("variable"), total["vax"], scale)
    near(kww[["rdv_fin", "rdv_int"]].to_dataarray().sum("variable"), total["ref"], scale)
    near(kww["fva_corrected"], tiva.decompose(table, perspective="world", approach="sink")["fva"], scale)
    near(vs["vs"], total["gvcb"], scale)
    near(kww["rdv_fin"] + kww["rdv_int"] + kww["ddc"], vs["vs1_star"], scale)
    my = tiva.decompose(table, "my", level="sector-bilateral")
    for name in ("dva", "ddc", "fva", "fdc"):
        near(my[name], bm[name], scale)
    oecd = tiva.decompose(table, "oecd", level="sector-bilateral")
    near(oecd["EXGR_DVA"], bm["dc"], scale)
    near(oecd["EXGR_RIM"], bm["ddc"], scale)
    parts = tiva.decompose(table, "tripartite", level="sector-bilateral")
    near(parts["gvc_pf"], bm["gvcf"], scale)
    near(parts["gvc_pb"] + parts["gvc_ts"], bm["gvcb"], scale)
    near(tiva.decompose(table, "vax")["vax"], total["vax"], scale)
    near(tiva.decompose(table, "extraction")["gdp_home"], total["dva"], scale)
    near(tiva.decompose(table, "extraction")["gdp_abroad"], total["fva"], scale)


@few
@given(table=odd_tables())
def test_world_totals(table: IcioTable) -> None:
    total, vs = tiva.decompose(table).sum(), tiva.decompose(table, "vs").sum()
    scale = float(total["gexp"])
    worlds = [tiva.decompose(table, perspective="world", approach=a)["fva"].sum() for a in ("source", "sink")]
    parts = tiva.decompose(table, "tripartite").sum()
    near(vs["vs1"], total["fc"], scale)
    near(vs["vs_foreign"], total["fc"], scale)
    near(worlds[0], worlds[1], scale)
    near(worlds[0], total["dva"] - total["davax"], scale)
    near(parts["gvc_pf"], parts["gvc_pb"], scale)


@few
@given(table=odd_tables(netted=False))
def test_value_added_in_imports_and_exports_are_the_same_flows(table: IcioTable) -> None:
    imports = tiva.decompose(table, perspective="importer")
    bilateral = tiva.decompose(table, level="bilateral")
    np.testing.assert_allclose(imports["gimp"], bilateral["gexp"].sum("exporter"), rtol=1e-9)


@few
@given(table=odd_tables())
def test_first_and_last_borders_distribute_the_same_value_added(table: IcioTable) -> None:
    leontief = LeontiefModel(table)
    absorbed = leontief.value_added[:, None] * leontief.absorption
    at_home = leontief.value_added * leontief.local_inverse(own_country(leontief, leontief.final_demand))
    crossing = by_exporter(leontief, absorbed) - np.diag(by_exporter(leontief, at_home))
    source, sink = (
        tiva.decompose(table, "nagengast_stehrer", approach=a, level="bilateral") for a in ("source", "sink")
    )
    scale = float(source["gexp"].sum())
    by_owner = sum((source[name] for name in ("dva_importer", "dva_third", "dva_home")), source["gexp"] * 0)
    np.testing.assert_allclose(by_owner.sum("importer"), crossing.sum(axis=1), atol=ROUNDING * scale)
    np.testing.assert_allclose(source["dva_home"].sum("importer"), np.diag(crossing), atol=ROUNDING * scale)
    by_absorber = sum((sink[name] for name in ("va_exporter", "va_importer", "va_third")), sink["gexp"] * 0)
    np.testing.assert_allclose(by_absorber.sum("exporter"), crossing.sum(axis=0), atol=ROUNDING * scale)
    np.testing.assert_allclose(sink["va_importer"].sum("exporter"), np.diag(crossing), atol=ROUNDING * scale)


@few
@given(table=odd_tables())
def test_third_countries_sum_to_re_exported_value_added(table: IcioTable) -> None:
    wwz = tiva.decompose(table, "wwz", level="sector-bilateral")
    third = tiva.decompose(table, "wwz_third", level="sector-bilateral")
    for name in third.data_vars:
        near(third[name].sum("third"), wwz[name], float(wwz["gexp"].sum()))


@few
@given(table=odd_tables())
def test_output_is_divided_without_rest(table: IcioTable) -> None:
    result = tiva.decompose(table, "output_based", level="sector")
    parts = [name for name in result.data_vars if name not in {"output", "gvc", "discrepancy"}]
    near(result[parts].to_dataarray().sum("variable"), result["output"], float(table.output.sum()))
    total = tiva.decompose(table, "output_based").sum()
    exports = tiva.decompose(table, "tripartite").sum()
    near(total["gvc_pf"], exports["gvc_pf"], float(table.output.sum()))
    near(total["gvc_pf"], total["gvc_pb"], float(table.output.sum()))


def test_output_shares_of_2008() -> None:
    arrays = output_based(model(2008)).arrays
    names = ("domestic", "traditional", "gvc_pf", "gvc_pb", "gvc_ts_imported", "gvc_ts_domestic")
    printed = {
        "WLD": (0.6446, 0.2203, 0.0279, 0.0279, 0.0562, 0.0230),
        "USA": (0.8069, 0.1327, 0.0142, 0.0136, 0.0208, 0.0118),
        "CHN": (0.5752, 0.2791, 0.0180, 0.0237, 0.0719, 0.0321),
        "DEU": (0.5101, 0.2864, 0.0465, 0.0434, 0.0786, 0.0350),
    }
    for country, shares in printed.items():
        rows = block_rows(model(2008), np.ones_like(model(2008).output))
        weights = rows.sum(axis=0) if country == "WLD" else rows[model(2008).countries.index(country)]
        ours = [float(arrays[name] @ weights / (arrays["output"] @ weights)) for name in names]
        np.testing.assert_allclose(ours, shares, atol=PRINTED)
