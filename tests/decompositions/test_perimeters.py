"""Own perimeters, the importer's border and extraction: against explicit modified inverses and published anchors."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import tiva
from tests.decompositions.test_borin_mancini import AGAINST_PEERS, _with_taxes, model
from tests.paths import shared
from tests.properties.test_invariance import random_table
from tiva.decompositions.extraction import extraction
from tiva.decompositions.importer import importer, sectimp
from tiva.decompositions.johnson_noguera import johnson_noguera
from tiva.decompositions.miroudot_ye import country_perimeter, world_perimeter
from tiva.decompositions.self_perimeter import bilateral, sectbil, sectexp
from tiva.decompositions.vertical_specialisation import vertical_specialisation
from tiva.kernels.arrays import FloatArray
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

ROUNDING = 1e-10
"""Relative to the largest value: a linear solve more or less."""

PRINTED = 1e-4
"""Anchors are printed to four decimals."""

TABLES = {"random": random_table(7, 4, 3), "example": tiva.example().aggregate(
    countries={"AMS": ["BRA", "MEX", "CAN"], "EUR": ["DEU", "FRA", "GBR", "ITA", "ESP", "REU"],
               "ASI": ["CHN", "JPN", "KOR", "TWN", "IND", "IDN"]},
)}  # fmt: skip


class Exact:
    """Explicit matrices of a table, and GDP by country after flows are taken out."""

    def __init__(self, table: IcioTable) -> None:
        x = table.output
        scale = np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)
        self.n, self.sectors, self.countries = table.n, len(table.sectors), len(table.countries)
        self.a = table.intermediate * scale
        self.v = table.value_added * scale
        self.y = np.array(table.final_demand_by_absorber)
        self.block = [slice(g * self.sectors, (g + 1) * self.sectors) for g in range(self.countries)]

    def without(self, rows: slice | np.ndarray, importers: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and final demand with deliveries of rows to importers set to zero."""
        a, y = self.a.copy(), self.y.copy()
        for r in importers:
            a[rows, self.block[r]] = 0.0
            y[rows, r] = 0.0
        return a, y

    def loss(self, rows: slice | np.ndarray, importers: list[int]) -> np.ndarray:
        """GDP lost by country if rows stop delivering to importers."""
        a, y = self.without(rows, importers)
        x = np.linalg.solve(np.eye(self.n) - self.a, self.y.sum(axis=1))
        less = np.linalg.solve(np.eye(self.n) - a, y.sum(axis=1))
        return np.array([(self.v * (x - less))[b].sum() for b in self.block])

    def row(self, s: int, n: int) -> np.ndarray:
        return np.array([s * self.sectors + n])


@pytest.fixture(params=list(TABLES))
def pair(request: pytest.FixtureRequest) -> tuple[LeontiefModel, Exact]:
    return LeontiefModel(TABLES[request.param]), Exact(TABLES[request.param])


def close(ours: float | FloatArray, theirs: float | FloatArray, scale: float) -> None:
    np.testing.assert_allclose(ours, theirs, atol=ROUNDING * scale)


def test_every_single_flow_is_its_extraction(pair: tuple[LeontiefModel, Exact]) -> None:
    model_, exact = pair
    terms = sectbil(model_).arrays
    scale = float(np.abs(terms["gexp"]).max())
    for s in range(exact.countries):
        for n in range(exact.sectors):
            for r in range(exact.countries):
                if r != s and model_.output[s * exact.sectors + n] != 0:
                    loss = exact.loss(exact.row(s, n), [r])
                    close(terms["dva"][s * exact.sectors + n, r], loss[s], scale)
                    close(terms["fva"][s * exact.sectors + n, r], loss.sum() - loss[s], scale)


def test_all_exports_of_a_sector_are_its_extraction(pair: tuple[LeontiefModel, Exact]) -> None:
    model_, exact = pair
    terms = sectexp(model_).arrays
    scale = float(np.abs(terms["gexp"]).max())
    for s in range(exact.countries):
        foreign = [r for r in range(exact.countries) if r != s]
        for n in range(exact.sectors):
            if model_.output[s * exact.sectors + n] != 0:
                loss = exact.loss(exact.row(s, n), foreign)
                close(terms["dva"][s * exact.sectors + n], loss[s], scale)
                close(terms["fva"][s * exact.sectors + n], loss.sum() - loss[s], scale)


def test_all_exports_to_a_partner_are_their_extraction(pair: tuple[LeontiefModel, Exact]) -> None:
    model_, exact = pair
    terms, losses = bilateral(model_).arrays, extraction(model_, level="bilateral").arrays
    scale = float(np.abs(terms["gexp"]).max())
    for s in range(exact.countries):
        for r in range(exact.countries):
            if r != s:
                loss = exact.loss(exact.block[s], [r])
                close(terms["dva"][exact.block[s], r].sum(), loss[s], scale)
                close(terms["fva"][exact.block[s], r].sum(), loss.sum() - loss[s], scale)
                close(losses["gdp_home"][exact.block[s], r].sum(), loss[s], scale)


def test_extraction_of_all_exports(pair: tuple[LeontiefModel, Exact]) -> None:
    model_, exact = pair
    losses = extraction(model_).arrays
    scale = float(np.abs(losses["gexp"]).sum())
    for s in range(exact.countries):
        loss = exact.loss(exact.block[s], [r for r in range(exact.countries) if r != s])
        close(losses["gdp_home"][exact.block[s]].sum(), loss[s], scale)
        close(losses["gdp_abroad"][exact.block[s]].sum(), loss.sum() - loss[s], scale)


def test_reflection_splits_value_added_in_the_own_perimeter(pair: tuple[LeontiefModel, Exact]) -> None:
    model_, _ = pair
    for terms in (sectbil(model_).arrays, sectexp(model_).arrays, bilateral(model_).arrays):
        scale = float(np.abs(terms["gexp"]).max())
        close(terms["vax"] + terms["ref"], terms["dva"], scale)
        close(terms["dva"] + terms["ddc"], terms["dc"], scale)
        close(terms["fva"] + terms["fdc"], terms["fc"], scale)


def test_own_perimeters_hold_more_value_added_and_do_not_add_up(pair: tuple[LeontiefModel, Exact]) -> None:
    model_, _ = pair
    country = country_perimeter(model_).arrays["dva"]
    small, large = sectbil(model_).arrays["dva"], bilateral(model_).arrays["dva"]
    assert small.sum() > large.sum() > country.sum()


def test_importer_by_explicit_inverse(pair: tuple[LeontiefModel, Exact]) -> None:
    model_, exact = pair
    terms, totals = importer(model_, level="bilateral").arrays, importer(model_).arrays
    scale = float(np.abs(totals["gimp"]).max())
    for r in range(exact.countries):
        foreign = np.concatenate([np.arange(b.start, b.stop) for g, b in enumerate(exact.block) if g != r])
        a, _ = exact.without(foreign, [r])
        d = model_.exports[:, r]
        x = np.linalg.solve(np.eye(exact.n) - a, d)
        value = [(exact.v * x)[b].sum() for b in exact.block]
        close(terms["va"][r], np.array(value), scale)
        close(totals["va"][r], sum(value), scale)
        whole = np.linalg.solve(np.eye(exact.n) - exact.a, d)
        close(terms["gimp_origin"][r], np.array([(exact.v * whole)[b].sum() for b in exact.block]), scale)


def test_imports_of_a_product_by_explicit_inverse(pair: tuple[LeontiefModel, Exact]) -> None:
    model_, exact = pair
    terms = sectimp(model_, level="sector-bilateral").arrays
    scale = float(np.abs(model_.exports).sum(axis=0).max())
    for r in range(exact.countries):
        for n in range(exact.sectors):
            rows = np.array([g * exact.sectors + n for g in range(exact.countries) if g != r])
            close(terms["va"][r, n], exact.loss(rows, [r]), scale)


@pytest.mark.parametrize("perimeter", ["importer", "sectimp"])
def test_origins_of_imports_and_their_taxes_sum_to_gross_imports(perimeter: str) -> None:
    """By explicit inverse: (V_t + o_t) B_t. d for every origin, with value added as published."""
    table = _with_taxes()
    exact, n = Exact(table), table.n
    inverse = np.linalg.inv(np.eye(n) - exact.a)
    other = sum(o.intermediate for o in table.other_inputs.values()) / table.output
    assert (other > 0).any()
    level = "sector-bilateral" if perimeter == "sectimp" else "bilateral"
    result = tiva.decompose(table, perspective="importer", perimeter=perimeter, level=level)
    gross = tiva.decompose(table, perspective="importer", perimeter=perimeter, level=level.removesuffix("-bilateral")
                           if perimeter == "sectimp" else "country")  # fmt: skip
    np.testing.assert_allclose(result["gimp_origin"].sum("origin"), gross["gimp"], rtol=ROUNDING)
    np.testing.assert_allclose(result["taxes_margins"].sum("origin"), gross["taxes_margins"], rtol=ROUNDING)
    demand = LeontiefModel(table).exports
    for r, importer_ in enumerate(table.countries):
        paid = other * (inverse @ demand[:, r])
        taxes = result["taxes_margins"].sel(importer=importer_)
        taxes = taxes.sum("sector") if "sector" in taxes.dims else taxes
        np.testing.assert_allclose(taxes, [paid[b].sum() for b in exact.block], rtol=ROUNDING)
    assert 0 <= result.attrs["identity_residual"] < ROUNDING
    assert result["gimp_origin"].attrs["long_name"] == "Content of gross imports by origin"
    identities = {str(i.left): i for i in result.tiva.check_identities().identities}
    assert identities["gimp_origin"].holds
    assert "taxes_margins" in identities["gimp_origin"].right


def test_origins_that_miss_something_do_not_pass_for_complete() -> None:
    model_ = LeontiefModel(random_table(7, 4, 3))
    model_.__dict__["value_added_by_origin"] = 0.9 * model_.value_added_by_origin
    result = tiva.decompose(model_, perspective="importer", perimeter="sectimp", level="sector-bilateral")
    assert result.attrs["identity_residual"] == pytest.approx(0.1 / 0.9)


def test_anchors_of_2008() -> None:
    usa, china = (model(2008).countries.index(c) for c in ("USA", "CHN"))
    row = usa * 35 + 13
    one = sectbil(model(2008)).arrays
    values = [one[t][row, china] for t in ("dva", "fva", "ddc", "fdc", "vax")]
    np.testing.assert_allclose(values, [20775.4269, 3729.2832, 11.2674, 2.0226, 18522.2167], atol=PRINTED)
    sector = sectexp(model(2008)).arrays
    np.testing.assert_allclose([sector["dva"][row], sector["fva"][row]], [178166.8427, 31981.7547], atol=PRINTED)
    both = bilateral(model(2008)).arrays
    rows = slice(usa * 35, usa * 35 + 35)
    np.testing.assert_allclose(
        [both["dva"][rows, china].sum(), both["fva"][rows, china].sum()], [89063.8750, 15789.6390], atol=PRINTED
    )


def test_import_anchors_of_2008() -> None:
    usa, china = (model(2008).countries.index(c) for c in ("USA", "CHN"))
    totals, origins = importer(model(2008)).arrays, importer(model(2008), level="bilateral").arrays
    assert totals["gimp"][usa] == 2336177
    assert totals["va"][usa] == pytest.approx(2313163.76, abs=5e-3)
    assert totals["dcimp"][usa] == pytest.approx(23013.24, abs=5e-3)
    assert origins["va"][usa, china] == pytest.approx(299835.4, abs=0.05)
    assert origins["va"][usa, usa] == pytest.approx(112020.5, abs=0.05)
    product = sectimp(model(2008), level="sector-bilateral").arrays
    assert product["va"][usa, 13].sum() == pytest.approx(360322.88, abs=5e-3)
    assert product["va"][usa, 13, china] == pytest.approx(108703.17, abs=5e-3)


@pytest.mark.parametrize("term", ["gexp", "dva", "ddc", "fva", "fdc"])
def test_miroudot_ye_equals_an_independent_tool(term: str) -> None:
    name = "EXGR" if term == "gexp" else term.upper()
    with np.load(shared("reference/wiod2008_peers.npz"), allow_pickle=False) as peers:
        pairs, sectors = peers[f"miroudot_ye_{name}_bilateral"], peers[f"miroudot_ye_{name}_sector_selected"]
        chosen = [model(2008).countries.index(c) for c in peers["selected_exporters"]]
    ours = _my()[term].reshape(41, 35, 41)
    np.testing.assert_allclose(ours.sum(axis=1), pairs, rtol=AGAINST_PEERS, atol=AGAINST_PEERS)
    np.testing.assert_allclose(ours[chosen], sectors, rtol=AGAINST_PEERS, atol=AGAINST_PEERS)


@cache
def _my() -> dict[str, FloatArray]:
    return country_perimeter(model(2008)).arrays


def test_miroudot_ye_world_perimeter_is_the_world_perspective() -> None:
    arrays = world_perimeter(model(2008)).arrays
    assert arrays["fdc1"].sum() == pytest.approx(3425617.6, abs=0.1)


def test_vertical_specialisation_totals_and_ratios() -> None:
    arrays = {
        name: np.add.reduceat(values, model(2008).offsets[:-1])
        for name, values in vertical_specialisation(model(2008)).arrays.items()
    }
    assert arrays["vs_foreign"].sum() == pytest.approx(arrays["vs1"].sum(), rel=ROUNDING)
    usa = model(2008).countries.index("USA")
    assert arrays["vs1"][usa] == pytest.approx(491533.043, abs=1e-3)
    assert arrays["vs1_star"][usa] == pytest.approx(113192.577, abs=1e-3)
    assert arrays["vs1_star_final"][usa] == pytest.approx(53142.21, abs=6e-3)


def test_value_added_export_ratios_of_2008() -> None:
    result = tiva.decompose(model(2008), "vax")
    printed = {"USA": 0.7800, "CHN": 0.7500, "DEU": 0.6907, "JPN": 0.8019, "MEX": 0.703, "LUX": 0.381}
    for country, ratio in printed.items():
        assert float(result["vax_ratio"].sel(exporter=country)) == pytest.approx(ratio, abs=5e-4)
    assert result["vax_ratio"].attrs["units"] == "1"
    usa, china = (model(2008).countries.index(c) for c in ("USA", "CHN"))
    vax = johnson_noguera(model(2008)).arrays["vax"]
    assert vax[usa * 35 : usa * 35 + 35, china].sum() == pytest.approx(87553.07, abs=5e-3)
