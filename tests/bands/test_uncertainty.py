"""Intervals for what margins do not identify, against enumeration and exact values."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bands.toy import facts, full_rows, toy_table
from tiva.bands.derivation import Margins
from tiva.bands.draws import draw_margins
from tiva.bands.margins import read_margins
from tiva.bands.prepare import prepare_margins
from tiva.bands.shares import MARGINS, BandShares
from tiva.bands.split import BandedTable, split_by_size
from tiva.bands.uncertainty import (
    HELD_TRUTH,
    _Network,
    coupling_sensitivity,
    identified_set,
    margin_interval,
    model_interval,
)
from tiva.errors import UnknownLabelError, UsageError

PRINTED = 5e-7
"""Six printed digits of the reference values."""
SEARCH = 1e-7


@pytest.fixture(scope="module")
def banded() -> BandedTable:
    table = toy_table()
    return split_by_size(table, prepare_margins(table, read_margins(full_rows())))


def test_coupling_bounds_of_the_worked_example(banded: BandedTable) -> None:
    # firmsize_examples.py, "Ex4 bounds over couplings": all 16 combinations of Frechet ends, in exact rationals.
    value = coupling_sensitivity(banded, "S", "sme", quantity="value")
    assert value.lower == pytest.approx(10.032880, abs=PRINTED)
    assert value.upper == pytest.approx(12.562154, abs=PRINTED)
    assert value.estimate == pytest.approx(11.508370, abs=PRINTED)
    share = coupling_sensitivity(banded, "S", ["sme"])
    assert share.lower == pytest.approx(0.372632, abs=PRINTED)
    assert share.upper == pytest.approx(0.454517, abs=PRINTED)
    assert share.estimate == pytest.approx(0.420921, abs=PRINTED)
    assert "not a confidence interval" in str(share)


def test_random_couplings_stay_inside(banded: BandedTable) -> None:
    network = _Network.of(banded, "S", "sme", "share")
    found = coupling_sensitivity(banded, "S", "sme")
    rng = np.random.default_rng(0)
    for _ in range(500):
        flows = np.zeros((4, 4))
        for i in range(2):
            for j in range(2):
                h, d = network.sellers[2 * i], network.buyers[2 * j]
                p = rng.uniform(max(0.0, h + d - 1.0), min(h, d))
                block = np.array([[p, h - p], [d - p, 1.0 - h - d + p]])
                flows[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = network.cells[i, j] * block
        assert found.lower - SEARCH <= network.value(flows) <= found.upper + SEARCH


def test_gradient_is_the_derivative(banded: BandedTable) -> None:
    step = 1e-6
    for quantity in ("share", "value"):
        network = _Network.of(banded, "S", "sme", quantity)  # type: ignore[arg-type]
        w, t = network.gradient(network.flows)
        for r, q in ((0, 0), (1, 2), (3, 1)):
            change = np.zeros_like(network.flows)
            change[r, q] = step
            slope = (network.value(network.flows + change) - network.value(network.flows - change)) / (2 * step)
            assert slope == pytest.approx(w[r] * t[q], rel=1e-6)


def test_identified_set_holds_the_coupling_bounds(banded: BandedTable) -> None:
    inner = coupling_sensitivity(banded, "S", "sme")
    outer = identified_set(banded, "S", "sme")
    assert outer.lower <= inner.lower + SEARCH
    assert outer.upper >= inner.upper - SEARCH
    assert outer.upper - outer.lower > 0.02
    assert "inner approximation" in outer.meaning


def test_identified_set_against_random_flows(banded: BandedTable) -> None:
    network = _Network.of(banded, "S", "sme", "share")
    outer = identified_set(banded, "S", "sme")
    rng = np.random.default_rng(1)
    for _ in range(100):
        flows = network.fitted(network.flows * np.exp(3.0 * rng.standard_normal((4, 4))))
        if flows is None:
            continue
        assert outer.lower - SEARCH <= network.value(flows) <= outer.upper + SEARCH


def test_model_interval_holds_the_estimate_and_widens(banded: BandedTable) -> None:
    narrow = model_interval(banded, "S", "sme", draws=100, sigma=0.5)
    wide = model_interval(banded, "S", "sme", draws=100, sigma=2.0)
    none = model_interval(banded, "S", "sme", draws=3, sigma=0.0)
    assert none.lower == pytest.approx(none.upper, abs=SEARCH)
    assert narrow.upper - narrow.lower < wide.upper - wide.lower
    assert wide.lower <= wide.estimate <= wide.upper
    assert model_interval(banded, "S", "sme", draws=20, seed=7) == model_interval(banded, "S", "sme", draws=20, seed=7)


def test_model_interval_says_how_often_it_held_the_truth(banded: BandedTable) -> None:
    """Nominal coverage is not kept where sales to producers by band are not known, and the interval says so."""
    unknown = model_interval(banded, "S", "sme", draws=5)
    assert "sales to producers by band are not known" in unknown.meaning
    assert f"held the truth in {HELD_TRUTH[False]} of countries, so the error is larger" in str(unknown)
    margins = read_margins([*full_rows(), *facts("1", "sales_domestic_intermediate", (0.6, 0.4)),
                            *facts("2", "sales_domestic_intermediate", (0.8, 0.2))])  # fmt: skip
    known = split_by_size(banded.source, prepare_margins(banded.source, margins))
    said = model_interval(known, "S", "sme", draws=5).meaning
    assert f"90% intervals held the truth in {HELD_TRUTH[True]} of countries" in said
    assert "not known" not in said
    assert "not counted" in model_interval(known, "S", "sme", draws=5, sigma=1.0).meaning


def test_fitted_flows_keep_all_totals(banded: BandedTable) -> None:
    network = _Network.of(banded, "S", "sme", "share")
    flows = network.fitted(network.flows * np.exp(np.random.default_rng(2).standard_normal((4, 4))))
    assert flows is not None
    np.testing.assert_allclose(flows.sum(axis=1), network.flows.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(flows.sum(axis=0), network.flows.sum(axis=0), rtol=1e-6)
    np.testing.assert_allclose(network._by_cell(flows), network.cells, rtol=1e-9)


def _own(shares: BandShares, network: _Network) -> Margins:
    return Margins(*(shares.margin(name)[network.source] for name in MARGINS))


def test_margin_draws_are_valued_as_a_split_of_their_own(banded: BandedTable) -> None:
    network = _Network.of(banded, "S", "sme", "value")
    assert network.value_of_margins(_own(banded.shares, network)) == pytest.approx(11.508370, abs=PRINTED)
    for shares in draw_margins(banded.shares, banded.totals, 5, seed=3, countries=["S"]):
        other = _Network.of(split_by_size(banded.source, shares), "S", "sme", "value")
        fast = network.value_of_margins(_own(shares, network))
        assert fast == pytest.approx(other.value(other.flows), rel=1e-12)


def test_margin_interval_holds_the_estimate(banded: BandedTable) -> None:
    found = margin_interval(banded, "S", "sme", draws=200)
    assert found.lower < found.estimate < found.upper
    assert found.kind == "margin Monte Carlo"
    assert margin_interval(banded, "S", "sme", draws=5, seed=1) == margin_interval(banded, "S", "sme", draws=5, seed=1)
    with pytest.raises(UsageError, match="without a preference"):
        margin_interval(split_by_size(banded.source, banded.shares, theta=0.5), "S", "sme")
    with pytest.raises(UsageError, match="out of range"):
        margin_interval(banded, "S", "sme", level=1.0)


def test_bad_calls_are_refused(banded: BandedTable) -> None:
    with pytest.raises(UnknownLabelError, match="unknown country 'SS'"):
        coupling_sensitivity(banded, "SS", "sme")
    with pytest.raises(UnknownLabelError, match="unknown band 'smee'"):
        coupling_sensitivity(banded, "S", "smee")
    with pytest.raises(UnknownLabelError, match="unknown quantity"):
        coupling_sensitivity(banded, "S", "sme", quantity="jobs")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="out of range"):
        model_interval(banded, "S", "sme", draws=1)
    with pytest.raises(UsageError, match="too few starting points"):
        identified_set(banded, "S", "sme", starts=0)


def test_the_network_of_a_country_is_its_part_of_the_model() -> None:
    """Also of a country in parts that lie apart in the table; the operators of the whole table are not made."""
    from benchmarks.banded import random_shares
    from tests.model.test_leontief import split

    banded = split_by_size(split(), random_shares(split(), 2, seed=5), theta=0.3)
    model, country = banded.model(), banded.countries.index("P")
    own = np.flatnonzero(model.row_country == country)
    network = _Network.of(banded, "P", banded.bands[0], "value")
    columns = np.zeros((len(model.output), len(own)))
    columns[own, np.arange(len(own))] = model.output[own]
    np.testing.assert_allclose(network.flows, model.domestic(columns)[own], rtol=0, atol=SEARCH**2)
    np.testing.assert_allclose(network.exports, model.exports[own].sum(axis=1))
    np.testing.assert_allclose(network.rate, model.value_added[own])
    np.testing.assert_array_equal(network.source, model.source_row[own])


def test_intervals_of_one_country_need_little_beside_the_table() -> None:
    import tracemalloc

    from benchmarks.banded import random_shares
    from benchmarks.tables import synthetic

    table = synthetic(20, 10, 1)
    banded = split_by_size(table, random_shares(table, 4, seed=1))
    _ = banded.row_band, banded.bands, banded.row_country
    tracemalloc.start()
    _Network.of(banded, "C003", banded.bands[0], "share")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * table.n**2
