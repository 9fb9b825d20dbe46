"""Draws of margins: reproducible, possible, and as wide as their status says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bands.toy import facts, full_rows, residuals, toy_table
from tiva.bands.draws import draw_margins
from tiva.bands.margins import read_margins
from tiva.bands.prepare import prepare_margins
from tiva.bands.shares import MARGINS, BandShares
from tiva.bands.totals import FlowTotals
from tiva.errors import UnknownLabelError, UsageError

DRAWS = 400
WIDTH = 0.15
"""Relative error of a standard deviation from 400 draws is 3.5 per cent; scaling to one changes it a little."""
RECONCILED = 1e-8


@pytest.fixture(scope="module")
def drawn():  # type: ignore[no-untyped-def]
    table = toy_table()
    rows = [r for r in full_rows() if r["country"] == "S"]
    shares = prepare_margins(table, read_margins(rows))
    return table, shares, draw_margins(shares, FlowTotals.of(table), DRAWS, seed=5)


def test_draws_are_possible_splits(drawn) -> None:  # type: ignore[no-untyped-def]
    table, _, draws = drawn
    totals = FlowTotals.of(table)
    assert len(draws) == DRAWS
    for one in (draws.draw(0), draws.draw(DRAWS - 1)):
        found = residuals(one, totals)
        assert (found.domestic_inputs >= -RECONCILED).all()
        assert (found.home_sales >= -RECONCILED).all()
    assert draws.rows.tolist() == [2, 3, 4, 5]
    sums = np.add.reduceat(draws.values["exports"], [0, 2], axis=1)
    np.testing.assert_allclose(sums, 1.0, atol=1e-12)
    assert sum(1 for _ in draws) == DRAWS


def test_width_follows_status(drawn) -> None:  # type: ignore[no-untyped-def]
    _, _, draws = drawn
    # observed: 2 per cent of the share; two bands that are scaled to one: relative sd of the odds is sqrt(2) x .02
    small = draws.values["output"][:, 0]
    assert small.mean() == pytest.approx(0.4, abs=0.002)
    assert small.std() == pytest.approx(0.4 * 0.6 * np.sqrt(2) * 0.02, rel=WIDTH)
    assert (draws.draw(3).output[:2] == 1.0).all()


def test_equal_seeds_give_equal_draws() -> None:
    table = toy_table()
    shares = prepare_margins(table, read_margins(full_rows()))
    totals = FlowTotals.of(table)
    first, again, other = (draw_margins(shares, totals, 10, seed=s) for s in (1, 1, 2))
    for m in MARGINS[:4]:
        assert np.array_equal(first.values[m], again.values[m])
    assert not np.array_equal(first.values["output"], other.values["output"])
    only = draw_margins(shares, totals, 10, seed=1, countries=["N"])
    assert only.rows.tolist() == [0, 1, 2, 3]
    assert np.array_equal(only.draw(4).output[4:], shares.output[4:])
    assert len(draw_margins(BandShares.unsplit(table), totals, 3)) == 3


def test_wide_draws_are_moved_back_and_counted() -> None:
    table = toy_table()
    rows = facts("1", "output", (0.7, 0.3)) + facts("1", "exports", (0.2, 0.8), status="assumed")
    shares = prepare_margins(table, read_margins(rows))
    draws = draw_margins(shares, FlowTotals.of(table), 100, seed=0)
    assert draws.reconciled.sum() > 0
    for one in draws:
        assert (residuals(one, FlowTotals.of(table)).home_sales >= -RECONCILED).all()


def test_bad_calls_are_refused() -> None:
    table = toy_table()
    shares = prepare_margins(table, read_margins(full_rows()))
    with pytest.raises(UsageError, match="too few draws"):
        draw_margins(shares, FlowTotals.of(table), 0)
    with pytest.raises(UnknownLabelError, match="unknown country 'SS'"):
        draw_margins(shares, FlowTotals.of(table), 1, countries=["SS"])
