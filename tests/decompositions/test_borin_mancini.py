from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from benchmarks.tables import wiod
from tests.paths import shared
from tiva.decompositions.borin_mancini import DETAIL, headline_sums, source_terms
from tiva.decompositions.headline import headline
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

AGAINST_PEERS = 1e-8
"""Two independent tools, themselves equal to about 1e-12; small terms are differences of larger ones."""

IDENTITY = 1e-9
"""Terms sum to gross exports, relative to gross exports."""

ROUNDING = 1e-10
"""Modified inverses against low-rank algebra, relative to the largest term."""


@cache
def model(year: int) -> LeontiefModel:
    return LeontiefModel(wiod(shared(f"wiod2013/wiot{year}.npz")))


@cache
def terms(year: int) -> dict[str, np.ndarray]:
    return source_terms(model(year))


@pytest.mark.parametrize("term", [*DETAIL, "gexp"])
def test_equal_to_two_independent_tools(term: str) -> None:
    with np.load(shared("reference/wiod2008_peers.npz"), allow_pickle=False) as peers:
        name = "EXGR" if term == "gexp" else term.upper()
        bilateral = peers[f"bm_source_{name}_bilateral"]
        sectors = peers[f"bm_source_{name}_sector_selected"]
        chosen = [model(2008).countries.index(c) for c in peers["selected_exporters"]]
    ours = terms(2008)[term].reshape(41, 35, 41)
    np.testing.assert_allclose(ours.sum(axis=1), bilateral, rtol=AGAINST_PEERS, atol=AGAINST_PEERS)
    np.testing.assert_allclose(ours[chosen], sectors, rtol=AGAINST_PEERS, atol=AGAINST_PEERS)


@pytest.mark.parametrize("year", [1995, 2000, 2005, 2008, 2011])
def test_terms_sum_to_gross_exports_on_real_years(year: int) -> None:
    detail = terms(year)
    gap = detail["gexp"] - sum(detail[t] for t in DETAIL)
    positive = model(year).output != 0
    gross = detail["gexp"].sum()
    assert np.abs(gap[positive]).max() <= IDENTITY * gross
    assert np.abs(gap[positive]).sum() <= IDENTITY * gross
    np.testing.assert_array_equal(gap[~positive], detail["gexp"][~positive])


@pytest.mark.parametrize("year", [1995, 2000, 2005, 2008, 2011])
def test_headline_equals_the_sums_of_the_terms(year: int) -> None:
    sums = headline_sums(terms(year))
    ours = headline(model(year)).arrays
    for name, values in ours.items():
        np.testing.assert_allclose(values, sums[name].sum(axis=1), rtol=AGAINST_PEERS, atol=AGAINST_PEERS)


def brute_force(table: IcioTable) -> dict[str, np.ndarray]:
    """The source-based terms by their formulas, with one explicit modified inverse per exporter."""
    countries, sectors, n = len(table.countries), len(table.sectors), table.n
    x = table.output
    a = table.intermediate * np.divide(1.0, x, out=np.zeros(n), where=x != 0)
    v = table.value_added * np.divide(1.0, x, out=np.zeros(n), where=x != 0)
    y = table.final_demand_by_absorber
    b = np.linalg.inv(np.eye(n) - a)
    by = b @ y
    block = [slice(g * sectors, (g + 1) * sectors) for g in range(countries)]
    out = {t: np.zeros((n, countries)) for t in (*DETAIL, "gexp")}
    for s in range(countries):
        rows = block[s]
        without = a.copy()
        for r in range(countries):
            if r != s:
                without[rows, block[r]] = 0.0
        modified = np.linalg.inv(np.eye(n) - without)
        local = np.linalg.inv(np.eye(sectors) - a[rows, rows])
        dva = v[rows] @ local
        content = v[rows] @ b[rows, rows]
        fva = sum(v[block[t]] @ modified[block[t], rows] for t in range(countries) if t != s)
        fc = sum(v[block[t]] @ b[block[t], rows] for t in range(countries) if t != s)
        for r in range(countries):
            if r == s:
                continue
            k = a[rows, block[r]] @ np.linalg.inv(np.eye(sectors) - a[block[r], block[r]])
            onward = sum(a[block[r], block[j]] @ by[block[j]] for j in range(countries) if j != r)
            third = [j for j in range(countries) if j not in (r, s)]
            foreign = [j for j in range(countries) if j != r]
            abroad = [j for j in range(countries) if j != s]
            e = y[rows, r] + a[rows, block[r]] @ x[block[r]]
            out["gexp"][rows, r] = e
            out["vax1"][rows, r] = dva * y[rows, r]
            out["vax2"][rows, r] = dva * (k @ y[block[r], r])
            out["vax3"][rows, r] = dva * (k @ y[block[r]][:, third].sum(axis=1))
            out["vax4"][rows, r] = dva * (k @ onward[:, abroad].sum(axis=1))
            out["ref1"][rows, r] = dva * (k @ y[block[r], s])
            out["ref2"][rows, r] = dva * (k @ onward[:, s])
            out["ddc"][rows, r] = (content - dva) * e
            out["fva1"][rows, r] = fva * y[rows, r]
            out["fva2"][rows, r] = fva * (k @ y[block[r], r])
            out["fva3"][rows, r] = fva * (k @ y[block[r]][:, foreign].sum(axis=1))
            out["fva4"][rows, r] = fva * (k @ onward.sum(axis=1))
            out["fdc"][rows, r] = (fc - fva) * e
    return out


def test_equal_to_modified_inverses(example: IcioTable) -> None:
    exact = brute_force(example)
    ours = source_terms(LeontiefModel(example))
    for name, values in exact.items():
        np.testing.assert_allclose(ours[name], values, atol=ROUNDING * np.abs(values).max())


def test_published_value_added_leaves_taxes_as_a_content_of_their_own() -> None:
    table = _with_taxes()
    terms_ = source_terms(LeontiefModel(table))
    gap = terms_["gexp"] - sum(terms_[t] for t in (*DETAIL, "taxes_margins"))
    assert terms_["taxes_margins"].sum() > 0
    assert np.abs(gap).max() <= IDENTITY * terms_["gexp"].sum()


def _with_taxes() -> IcioTable:
    import tiva

    table = tiva.example()
    taxes = 0.1 * table.value_added
    return IcioTable.from_arrays(
        table.intermediate,
        table.final_demand,
        countries=table.countries,
        sectors=table.sectors,
        final_demand_categories=table.final_demand_categories,
        output=table.output,
        value_added=table.value_added - taxes,
        other_inputs={"taxes": taxes},
    )
