"""Equalities between methods on every kind of table, a full real one and a real one by firm size among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import tiva
from tests.cases import CASES, case
from tests.decompositions.test_borin_mancini import model

ROUNDING = 1e-10
"""The same sums in another order, relative to the sum of the flows of the table."""

Pair = tuple[str, xr.DataArray, xr.DataArray]

TABLES: dict[str, Callable[[], Any]] = {
    **{name: (lambda name=name: case(name).model) for name in CASES},
    "WIOD 2008": lambda: model(2008),
    "example by size": lambda: tiva.split_by_size(tiva.example(), tiva.example_margins()).model(),
}


@cache
def operators(name: str) -> Any:
    return TABLES[name]()


@cache
def run(name: str, method: str, level: str = "country", **options: str) -> xr.Dataset:
    """A decomposition; sizes of firms are added up, as not all methods have them."""
    result = tiva.decompose(operators(name), method, level=level, **options)  # type: ignore[arg-type]
    return result.sum("size") if "size" in result.dims else result


def total(values: xr.DataArray) -> xr.DataArray:
    return values.sum("exporter")


def borin_mancini(name: str) -> Iterator[Pair]:
    """Source and sink agree for countries; own perimeters of Miroudot and Ye and extraction are those of the self."""
    source, sink = run(name, "bm"), run(name, "bm", approach="sink")
    for term in ("dva", "vax", "ref", "ddc", "fva", "fdc"):
        yield f"source and sink: {term}", source[term], sink[term]
    headline = run(name, "headline")
    for term in ("dc", "dva", "vax", "davax", "ref", "ddc", "fc", "gvc", "gvcb", "gvcf"):
        yield f"headline: {term}", headline[term], source[term]
    levels = {"sectexp": "sector", "bilateral": "bilateral", "sectbil": "sector-bilateral"}
    for perimeter, level in levels.items():
        own = run(name, "bm", level, perspective="self", perimeter=perimeter)
        my, lost = (run(name, method, level, perimeter=perimeter) for method in ("my", "extraction"))
        for term in ("dva", "ddc", "fva", "fdc"):
            yield f"Miroudot-Ye {perimeter}: {term}", my[term], own[term]
        yield f"extraction {perimeter}: home", lost["gdp_home"], own["dva"]
        yield f"extraction {perimeter}: abroad", lost["gdp_abroad"], own["fva"]
    everything = run(name, "bm", "sector-bilateral", perspective="self", perimeter="group")
    flows = run(name, "bm", "sector-bilateral")
    my = run(name, "my", "sector-bilateral")
    for term in ("dc", "dva", "ddc", "fc", "fva", "fdc"):
        yield f"all flows together: {term}", everything[term], flows[term]
        yield f"Miroudot-Ye country: {term}", my[term], flows[term]
    lost = run(name, "extraction")
    yield "extraction: home", lost["gdp_home"], source["dva"]
    yield "extraction: abroad", lost["gdp_abroad"], source["fva"]


def koopman_wang_wei(name: str) -> Iterator[Pair]:
    bm, kww, wwz = run(name, "bm"), run(name, "kww"), run(name, "wwz")
    sums = {
        "dva_fin": ("dva_fin",), "dva_int": ("dva_int", "dva_intrexi1"), "dva_intrex": ("dva_intrexf", "dva_intrexi2"),
        "rdv_fin": ("rdv_fin", "rdv_fin2"), "rdv_int": ("rdv_int",), "ddc": ("ddc_fin", "ddc_int"),
        "fva_fin": ("mva_fin", "ova_fin"), "fva_int": ("mva_int", "ova_int"), "fdc": ("mdc", "odc"),
    }  # fmt: skip
    for term, parts in sums.items():
        yield f"KWW from WWZ: {term}", kww[term], sum((wwz[part] for part in parts), 0.0 * wwz["gexp"])
    yield "KWW: vax", kww["dva_fin"] + kww["dva_int"] + kww["dva_intrex"], bm["vax"]
    yield "KWW: ref", kww["rdv_fin"] + kww["rdv_int"], bm["ref"]
    yield "KWW: ddc", kww["ddc"], bm["ddc"]
    yield "KWW: fc", kww["fva_fin"] + kww["fva_int"] + kww["fdc"], bm["fc"]
    yield "corrected KWW: fva", kww["fva_corrected"], run(name, "bm", perspective="world", approach="sink")["fva"]
    for ours, theirs in (("dva_intrex", "ova_fin"), ("rdv_fin", "mva_fin"), ("rdv_int", "mva_int"), ("ddc", "mdc")):
        yield f"world: {ours} is {theirs}", total(kww[ours]), total(wwz[theirs])
    third = run(name, "wwz_third", "bilateral").sum("third")
    flows = run(name, "wwz", "bilateral")
    for term in ("dva_intrexi1", "dva_intrexf", "dva_intrexi2"):
        yield f"by third country: {term}", third[term], flows[term]


def value_added_trade(name: str) -> Iterator[Pair]:
    bm, vs, kww = run(name, "bm"), run(name, "vs"), run(name, "kww")
    yield "value added exports", run(name, "vax")["vax"], bm["vax"]
    yield "VS1*", vs["vs1_star"], kww["rdv_fin"] + kww["rdv_int"] + kww["ddc"]
    yield "VS1* in final goods", vs["vs1_star_final"], kww["rdv_fin"]
    yield "world: VS1 is FC", total(vs["vs1"]), total(bm["fc"])
    yield "foreign content", vs["vs_foreign"], bm["fc"]
    if not operators(name).other_inputs.any():
        yield "VS is backward trade", vs["vs"], bm["gvcb"]
    absorbed = run(name, "vby", "bilateral")["vby"].sum("final_demand")
    away = absorbed.where(absorbed["exporter"] != absorbed["importer"], 0.0)
    yield "by category", away, run(name, "vax", "bilateral")["vax"]


def value_chains(name: str) -> Iterator[Pair]:
    bm, parts = run(name, "bm", "sector-bilateral"), run(name, "tripartite", "sector-bilateral")
    yield "tripartite: forward", parts["gvc_pf"], bm["gvcf"]
    yield "tripartite: backward", parts["gvc_pb"] + parts["gvc_ts"], bm["gvcb"]
    yield "tripartite: traditional", parts["davax"], bm["davax"]
    yield "tripartite: all", parts["gvc"], bm["gvc"]
    world, output = run(name, "tripartite").sum(), run(name, "output_based").sum()
    yield "world: forward is backward", world["gvc_pf"], world["gvc_pb"]
    yield "by output: forward", output["gvc_pf"], world["gvc_pf"]
    yield "by output: forward is backward", output["gvc_pf"], output["gvc_pb"]
    first = run(name, "nagengast_stehrer", "sector-bilateral", approach="source")
    last = run(name, "nagengast_stehrer", "sector-bilateral", approach="sink")
    sink = run(name, "bm", "sector-bilateral", approach="sink", detail=True)  # type: ignore[arg-type]
    yield "first border: home", first["dva_home"], bm["ref"]
    yield "first border: abroad", first["dva_importer"] + first["dva_third"], bm["vax"]
    yield "first border: again", first["recrossing"], bm["gvcb"]
    yield "last border: exporter", last["va_exporter"], sink["vax1"] + sink["vax2"]
    yield "last border: others", last["va_importer"] + last["va_third"], sink["fva1"] + sink["fva2"]


def world_perspective(name: str) -> Iterator[Pair]:
    bm = run(name, "bm")
    source, sink = (run(name, "bm", perspective="world", approach=a) for a in ("source", "sink"))
    for term in ("dc", "dva", "vax", "ref", "ddc", "fc"):
        yield f"world, source: {term}", source[term], bm[term]
        yield f"world, sink: {term}", sink[term], bm[term]
    yield "world: source is sink", total(source["fva"]), total(sink["fva"])
    yield "world: what crosses twice", total(source["fva"]), total(bm["dva"] - bm["davax"])
    my = run(name, "my", perimeter="world")
    yield "Miroudot-Ye, world", my["fdc1"], source["fva"]


def indicators_and_imports(name: str) -> Iterator[Pair]:
    bm, oecd = run(name, "bm", "sector-bilateral"), run(name, "oecd", "sector-bilateral")
    yield "OECD: content", oecd["EXGR_DVA"], bm["dc"]
    yield "OECD: foreign content", oecd["EXGR_FVA"], bm["fc"]
    yield "OECD: returned", oecd["EXGR_RIM"], bm["ddc"]
    yield "OECD: direct and indirect", oecd["EXGR_DDC"] + oecd["EXGR_IDC"], bm["dva"]
    yield "OECD: absorbed abroad", oecd["FFD_DVA"].sum("sector"), run(name, "vax", "bilateral")["vax"]
    yield "OECD: reflection", oecd["REF"].sum(("sector", "importer")), run(name, "bm")["ref"]
    imports, by_origin = (run(name, "bm", level, perspective="importer") for level in ("country", "bilateral"))
    yield "imports", imports["gimp"], run(name, "bm", "bilateral")["gexp"].sum("exporter")
    yield "imports by origin: va", by_origin["va"].sum("origin"), imports["va"]
    yield "imports by origin: again", by_origin["dcimp"].sum("origin"), imports["dcimp"]
    by_product = run(name, "bm", "sector", perspective="importer", perimeter="importer")
    yield "imports by product: va", by_product["va"].sum("sector"), imports["va"]


EQUALITIES = (
    borin_mancini, koopman_wang_wei, value_added_trade, value_chains, world_perspective, indicators_and_imports,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::tiva.errors.BalanceWarning")
@pytest.mark.parametrize("equalities", EQUALITIES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", TABLES)
def test_equal(name: str, equalities: Callable[[str], Iterator[Pair]]) -> None:
    known = operators(name)
    scale = float(np.abs(known.exports).sum() * max(1.0, float(np.abs(known.value_added).max())))
    for what, left, right in equalities(name):
        left, right = xr.align(left, right, join="exact")
        assert set(left.dims) == set(right.dims), what
        gap = float(np.abs(left - right).max())
        assert gap <= ROUNDING * scale, (what, gap / scale)


@pytest.mark.parametrize("name", ["odd", "WIOD 2008", "example by size", "bands"])
def test_not_equal_where_theory_says_so(name: str) -> None:
    """Source and sink differ below countries; own perimeters hold more than that of the country; the bias is one."""
    scale = float(np.abs(operators(name).exports).sum())
    different = 1e-6 * scale
    source, sink = (run(name, "bm", "sector", approach=approach) for approach in ("source", "sink"))
    for term in ("dva", "fva"):
        assert float(np.abs(source[term] - sink[term]).max()) > different
    kww = run(name, "kww")
    assert float((kww["fva_corrected"] - kww["fva_fin"] - kww["fva_int"]).sum()) > different
    whole = run(name, "bm")
    for perimeter, level in (("sectexp", "sector"), ("bilateral", "bilateral"), ("sectbil", "sector-bilateral")):
        own = run(name, "bm", level, perspective="self", perimeter=perimeter)
        rest = [d for d in own["dva"].dims if d != "exporter"]
        for term in ("dva", "fva"):
            assert float((own[term].sum(rest) - whole[term]).sum()) > different, (perimeter, term)
    imports, products = (
        run(name, "bm", "sector", perspective="importer", perimeter=p) for p in ("importer", "sectimp")
    )
    assert float((products["va"] - imports["va"]).sum()) > different


def test_order_of_measures_of_what_the_importer_absorbs() -> None:
    """Where nothing is negative: davax <= vaxim <= vax in every flow; own perimeters hold no less than a country's."""
    table = tiva.example().aggregate(
        countries={"AMS": ["BRA", "MEX", "CAN"], "ASI": ["CHN", "JPN", "KOR", "IND", "IDN"]}
    )
    positive = tiva.IcioTable.from_arrays(
        table.intermediate, np.maximum(table.final_demand, 0.0), countries=table.countries, sectors=table.sectors,
        final_demand_categories=table.final_demand_categories,
    )  # fmt: skip
    source, sink = (
        tiva.decompose(positive, approach=approach, level="sector-bilateral") for approach in ("source", "sink")
    )
    own = tiva.decompose(positive, perspective="self", perimeter="sectbil", level="sector-bilateral")
    slack = ROUNDING * float(source["gexp"].max())
    for smaller, larger in (
        (source["davax"], sink["vaxim"]), (sink["vaxim"], sink["vax"]), (source["dva"], own["dva"]),
        (sink["dva"], own["dva"]), (source["fva"], own["fva"]), (sink["fva"], own["fva"]),
    ):  # fmt: skip
        assert float((larger - smaller).min()) >= -slack
