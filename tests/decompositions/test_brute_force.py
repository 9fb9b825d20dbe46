"""Every method against textbook formulas with explicit modified inverses, on random tables with real oddities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import tiva
from benchmarks.banded import random_shares
from tests import brute_force
from tests.decompositions.test_borin_mancini import _with_taxes
from tests.model.test_leontief import split
from tests.tables import Oddities, odd_tables, random_table
from tiva.bands.split import split_by_size
from tiva.decompositions import miroudot_ye, self_perimeter
from tiva.decompositions.borin_mancini import source as bm_source
from tiva.decompositions.borin_mancini import source_terms
from tiva.decompositions.borin_mancini_sink import sink_terms, vaxim
from tiva.decompositions.extraction import extraction
from tiva.decompositions.extraction import group as extraction_of_group
from tiva.decompositions.headline import by_exporter
from tiva.decompositions.importer import importer, sectimp
from tiva.decompositions.johnson_noguera import johnson_noguera
from tiva.decompositions.kww import kww
from tiva.decompositions.miroudot_ye import country_perimeter, world_perimeter
from tiva.decompositions.nagengast_stehrer import first_border, last_border
from tiva.decompositions.output_based import output_based
from tiva.decompositions.tripartite import tripartite
from tiva.decompositions.vertical_specialisation import vertical_specialisation
from tiva.decompositions.world import world_sink, world_source
from tiva.decompositions.wwz import intrex_by_third, wwz
from tiva.kernels.arrays import FloatArray
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

ROUNDING = 1e-10
"""Explicit modified inverses against low-rank algebra, relative to the largest value of all terms."""

Pair = tuple[dict[str, FloatArray], dict[str, FloatArray]]


def _source(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return source_terms(model), {name: brute_force.bm_source(e)[name] for name in ("gexp", *brute_force.TWELVE)}


def _sink(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return {**sink_terms(model), "vaxim": vaxim(model)}, brute_force.bm_sink(e)


def _world(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    ours = {"source": world_source(model).arrays["fva"], "sink": world_sink(model).arrays["fva"]}
    ours = {name: by_exporter(model, values) for name, values in ours.items()}
    return ours, brute_force.world(e)


def _kww(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return kww(model).arrays, {**brute_force.kww(e), "fva_corrected": brute_force.world(e)["sink"]}


def _wwz(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return wwz(model).arrays, {name: brute_force.wwz(e)[name] for name in brute_force.SIXTEEN}


def _tripartite(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return tripartite(model).arrays, brute_force.tripartite(e)


def _third(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    exact = {name.removesuffix("_by_third"): x for name, x in brute_force.wwz(e).items() if name.endswith("_by_third")}
    return intrex_by_third(model).arrays, exact


def _nagengast_stehrer_source(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return first_border(model).arrays, brute_force.nagengast_stehrer(e)["source"]


def _nagengast_stehrer_sink(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return last_border(model).arrays, brute_force.nagengast_stehrer(e)["sink"]


def _output_based(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return output_based(model).arrays, brute_force.output_based(e)


def _sectexp(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return self_perimeter.sectexp(model).arrays, brute_force.sectexp(e)


def _bilateral(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return self_perimeter.bilateral(model).arrays, brute_force.bilateral(e)


def _sectbil(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return self_perimeter.sectbil(model).arrays, brute_force.sectbil(e)


def _importer(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    exact = brute_force.importer(e)
    total, by_origin = importer(model).arrays, importer(model, level="bilateral").arrays
    exact["va_total"] = exact["va"].sum(axis=0)
    return {"va": by_origin["va"].T, "va_total": total["va"], "dc": total["dcimp"], "gimp": total["gimp"]}, exact


def _importer_by_product(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    exact = brute_force.importer_by_product(e, len(model.sectors))
    ours = importer(model, level="sector-bilateral").arrays
    by_sector = importer(model, level="sector").arrays
    np.testing.assert_allclose(by_sector["va"], ours["va"].sum(axis=2))
    return {"va": ours["va"], "dc": by_sector["dcimp"], "gimp": by_sector["gimp"]}, exact


def _sectimp(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    exact = brute_force.sectimp(e, len(model.sectors))
    value = sectimp(model, level="sector-bilateral").arrays["va"]
    ours = {name: values.T for name, values in sectimp(model).arrays.items()}
    return {**ours, "dc": ours["dcimp"], "va": value.transpose(2, 1, 0)}, exact


def _miroudot_ye(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    return country_perimeter(model).arrays, brute_force.miroudot_ye(e)


def _miroudot_ye_world(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    exact = brute_force.world(e)["source"]
    return {"fdc1": by_exporter(model, world_perimeter(model).arrays["fdc1"])}, {"fdc1": exact}


def _miroudot_ye_own(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    ours, exact = {}, {}
    names = ("gexp", "dva", "ddc", "fva", "fdc")
    for perimeter in ("sectexp", "sectbil", "bilateral"):
        arrays = getattr(miroudot_ye, perimeter)(model).arrays
        assert set(arrays) == {*names, "dc", "fc"}
        for name in names:
            ours[f"{name} {perimeter}"] = arrays[name]
            exact[f"{name} {perimeter}"] = np.zeros_like(arrays[name])
    for s, rows in [*brute_force.sectors_of(e), *enumerate(e.blocks)]:
        whole = len(rows) == len(e.blocks[s])
        cases: list[tuple[str, list[int], Any]] = [("bilateral" if whole else "sectbil", [r], (rows, r))
                                                   for r in e.others(s)]  # fmt: skip
        if not whole:
            cases.append(("sectexp", e.others(s), rows))
        for perimeter, partners, place in cases:
            for name, values in brute_force.miroudot_ye_own(e, rows, partners).items():
                exact[f"{name} {perimeter}"][place] = values
    return ours, exact


def _extraction(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    """Losses of whole sectors and blocks, by extracting one after the other."""
    ours, exact = {}, {}
    owner = np.zeros(e.n, dtype=np.int64)
    cells = list(brute_force.sectors_of(e))
    for number, (_, rows) in enumerate(cells):
        owner[rows] = number
    for level in ("country", "sector", "bilateral", "sector-bilateral"):
        arrays = extraction(model, level=level).arrays
        for k, name in enumerate(("gdp_home", "gdp_abroad")):
            values = arrays[name].reshape(e.n, -1)
            by_partner = level.endswith("bilateral")
            summed = np.zeros((len(cells) if level.startswith("sector") else e.g, e.g if by_partner else 1))
            place = owner if level.startswith("sector") else model.row_country
            np.add.at(summed, place, values if by_partner else values.sum(axis=1, keepdims=True))
            ours[f"{name} {level}"] = summed
            lost = np.zeros_like(summed)
            units = cells if level.startswith("sector") else list(enumerate(e.blocks))
            for i, (s, rows) in enumerate(units):
                for column, partners in enumerate([[r] for r in range(e.g)] if by_partner else [e.others(s)]):
                    if partners != [s]:
                        loss = brute_force.extraction(e, rows, partners)
                        lost[i, column] = loss[s] if k == 0 else loss.sum() - loss[s]
            exact[f"{name} {level}"] = lost
    return ours, exact


def _vertical_specialisation(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    exact = brute_force.vertical_specialisation(e)
    ours = dict(vertical_specialisation(model, level="sector-bilateral").arrays)
    by_row = vertical_specialisation(model).arrays
    for name in list(exact):
        exact[f"{name} by row"], ours[f"{name} by row"] = exact[name].sum(axis=1), by_row[name]
    return ours, exact


def _johnson_noguera(model: LeontiefModel, e: brute_force.Economy) -> Pair:
    exact = brute_force.johnson_noguera(e)
    exact[np.arange(e.n), model.row_country] = 0.0
    return johnson_noguera(model).arrays, {"vax": exact}


METHODS: dict[str, Callable[[LeontiefModel, brute_force.Economy], Pair]] = {
    "source": _source,
    "sink": _sink,
    "world": _world,
    "kww": _kww,
    "wwz": _wwz,
    "wwz by third": _third,
    "tripartite": _tripartite,
    "sectexp": _sectexp,
    "bilateral": _bilateral,
    "sectbil": _sectbil,
    "importer": _importer,
    "importer by product": _importer_by_product,
    "sectimp": _sectimp,
    "miroudot-ye": _miroudot_ye,
    "miroudot-ye world": _miroudot_ye_world,
    "miroudot-ye own perimeters": _miroudot_ye_own,
    "extraction": _extraction,
    "vertical specialisation": _vertical_specialisation,
    "johnson-noguera": _johnson_noguera,
    "output-based": _output_based,
    "nagengast-stehrer source": _nagengast_stehrer_source,
    "nagengast-stehrer sink": _nagengast_stehrer_sink,
}


def assert_equal(pair: Pair) -> None:
    ours, exact = pair
    scale = max(float(np.abs(values).max()) for values in exact.values())
    assert scale > 0
    for name, values in exact.items():
        np.testing.assert_allclose(ours[name], values, rtol=0, atol=ROUNDING * scale, err_msg=name)


every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@every_method
@settings(max_examples=12, deadline=None)
@given(table=odd_tables())
def test_random_tables(method: Callable[[LeontiefModel, brute_force.Economy], Pair], table: IcioTable) -> None:
    assert_equal(method(LeontiefModel(table), brute_force.economy(table)))


@every_method
def test_oddities_all_at_once(method: Callable[[LeontiefModel, brute_force.Economy], Pair]) -> None:
    oddities = Oddities(empty=(4, 9), netted=(7,), negative_inventories=4, negative_value_added=1, heavy=100.0)
    table = random_table(7, 5, 3, oddities)
    assert (table.value_added < 0).any()
    assert (table.final_demand < 0).any()
    assert_equal(method(LeontiefModel(table), brute_force.economy(table)))


@every_method
def test_a_group_acts_as_one_country(method: Callable[[LeontiefModel, brute_force.Economy], Pair]) -> None:
    table, groups = random_table(3, 5, 2), {"UNION": ("C1", "C3")}
    assert_equal(method(LeontiefModel(table, groups=groups), brute_force.economy(table, groups)))


@every_method
def test_a_satellite_takes_the_place_of_value_added(
    method: Callable[[LeontiefModel, brute_force.Economy], Pair],
) -> None:
    table = random_table(4)
    jobs = np.random.default_rng(4).random(table.n)
    assert_equal(method(LeontiefModel(table, satellite=jobs), brute_force.economy(table, satellite=jobs)))


@pytest.mark.parametrize("method", [name for name in METHODS if name not in {"sectimp", "importer by product"}])
def test_bands_of_firm_size_are_rows_like_any_other(method: str) -> None:
    table = random_table(24, 4, 3, Oddities(negative_inventories=2))
    banded = split_by_size(table, random_shares(table, 3, seed=2))
    written = banded.to_table()
    rows = written.row_country
    blocks = [np.flatnonzero(rows == g) for g in range(len(table.countries))]
    assert len(rows) == 3 * table.n
    exact = brute_force.Economy(
        written.intermediate, written.final_demand.sum(axis=2), np.asarray(written.value_added), blocks
    )
    assert_equal(METHODS[method](banded.model(), exact))


@pytest.mark.parametrize("groups", [None, {"UNION": ("C1", "C3")}])
@pytest.mark.parametrize(
    ("sector", "importer"), [(["s0", "s2"], ["C0", "C2"]), (["s1"], ["C4"]), (None, ["C0"]), (None, None)]
)
def test_any_group_of_sectors_and_partners_is_a_perimeter(
    sector: list[str] | None, importer: list[str] | None, groups: dict[str, tuple[str, ...]] | None
) -> None:
    table = random_table(21, 5, 3, Oddities(netted=(7,), negative_inventories=3))
    e, model = brute_force.economy(table, groups), LeontiefModel(table, groups=groups)
    sold = np.isin(np.array(model.sectors), sector or model.sectors)[model.row_sector]
    exact = e.empty(*brute_force.SELF)
    for s in range(e.g):
        partners = [r for r in e.others(s) if model.countries[r] in (importer or model.countries)]
        rows = np.array([row for row in e.blocks[s] if sold[row]])
        if partners:
            for name, value in brute_force.perimeter(e, rows, partners).items():
                exact[name][rows, s] = value
    ours = self_perimeter.group(model, sector=sector, importer=importer).arrays
    by_row = {name: values.sum(axis=1) for name, values in ours.items()}
    assert_equal((by_row, {name: values.sum(axis=1) for name, values in exact.items()}))


@pytest.mark.parametrize("groups", [None, {"UNION": ("C1", "C3")}])
def test_extraction_and_miroudot_ye_of_a_group_of_flows(groups: dict[str, tuple[str, ...]] | None) -> None:
    table = random_table(21, 5, 3, Oddities(netted=(7,), negative_inventories=3))
    e, model = brute_force.economy(table, groups), LeontiefModel(table, groups=groups)
    sector, importer = ["s0", "s2"], ["C0", "C2"]
    sold = np.isin(np.array(model.sectors), sector)[model.row_sector]
    lost = extraction_of_group(model, sector=sector, importer=importer).arrays
    terms = miroudot_ye.group(model, sector=sector, importer=importer).arrays
    scale = float(np.abs(lost["gexp"]).sum())
    for s in range(e.g):
        partners = [r for r in e.others(s) if model.countries[r] in importer]
        rows = np.array([row for row in e.blocks[s] if sold[row]])
        loss = brute_force.extraction(e, rows, partners)
        assert lost["gdp_home"][e.blocks[s]].sum() == pytest.approx(loss[s], abs=ROUNDING * scale)
        assert lost["gdp_abroad"][e.blocks[s]].sum() == pytest.approx(loss.sum() - loss[s], abs=ROUNDING * scale)
        for name, values in brute_force.miroudot_ye_own(e, rows, partners).items():
            np.testing.assert_allclose(terms[name][rows].sum(axis=1), values, rtol=0, atol=ROUNDING * scale)


def test_imported_content_is_what_inputs_cost_where_taxes_are_apart() -> None:
    """Hummels, Ishii and Yi: u A^F L E, whatever part of the price of inputs is value added."""
    table = _with_taxes()
    e = brute_force.economy(table)
    exact = np.ones(e.n) @ e.foreign @ e.local
    exports = brute_force.gross_exports(e)
    ours = vertical_specialisation(LeontiefModel(table), level="bilateral").arrays
    np.testing.assert_allclose(ours["vs"], exact[:, None] * exports, rtol=0, atol=ROUNDING * exports.max())
    source = bm_source(LeontiefModel(table)).arrays
    assert ours["vs"].sum() > 1.02 * (source["fc"] + source["ddc"]).sum()


def test_all_sectors_and_partners_together_are_the_exporter_perspective() -> None:
    model = LeontiefModel(random_table(22))
    ours, theirs = self_perimeter.group(model).arrays, brute_force.bm_source(brute_force.economy(model.table))
    assert_equal((ours, {name: theirs[name] for name in ("gexp", "dc", "dva", "ddc", "fc", "fva", "fdc")}))


def test_perimeter_of_a_group_through_the_router() -> None:
    table = random_table(23)
    options = {"perspective": "self", "perimeter": "group", "sector": ["s0", "s1"], "importer": ["C1", "C3"]}
    total = tiva.decompose(table, exporter="C0", **options)  # type: ignore[arg-type]
    flows = tiva.decompose(table, exporter="C0", level="sector-bilateral", **options)  # type: ignore[arg-type]
    e = brute_force.economy(table)
    exact = brute_force.perimeter(e, np.array([0, 1]), [1, 3])
    for name, values in exact.items():
        assert float(total[name].sum()) == pytest.approx(values.sum(), rel=ROUNDING)
        assert float(flows[name].sum()) == pytest.approx(values.sum(), rel=ROUNDING)
    one_by_one = tiva.decompose(table, perspective="self", level="sector-bilateral", exporter="C0", sector=["s0", "s1"])
    assert float(one_by_one["dva"].sel(importer=["C1", "C3"]).sum()) > float(total["dva"].sum())


@every_method
def test_parts_of_a_split_country_trade_at_home(
    method: Callable[[LeontiefModel, brute_force.Economy], Pair],
) -> None:
    table = split()
    assert len(table.areas) > len(table.countries)
    assert_equal(method(LeontiefModel(table), brute_force.economy(table)))


@every_method
def test_groups_and_split_countries_with_a_satellite(
    method: Callable[[LeontiefModel, brute_force.Economy], Pair],
) -> None:
    table = split()
    whole = next(c for c in table.countries if c not in table.areas)
    groups = {"UNION": (next(c for c in table.countries if c != whole), whole)}
    jobs = np.random.default_rng(8).random(table.n)
    assert_equal(method(LeontiefModel(table, groups=groups, satellite=jobs), brute_force.economy(table, groups, jobs)))
