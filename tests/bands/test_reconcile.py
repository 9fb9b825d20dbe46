"""The nearest possible margins of one country-sector, against a general solver and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from tiva.bands.reconcile import (
    CellMargins,
    CellTotals,
    reconcile_cell,
    standard_errors,
    violations,
)
from tiva.bands.shares import Status

ROUNDING = 1e-12
PRINTED = 5e-7
"""Six printed digits of the reference values."""
GENERAL_SOLVER = 2e-5
"""SLSQP stops at about this relative distance from the optimum of these badly scaled problems."""

S1 = CellTotals(output=100.0, value_added=40.0, exports=35.0, imports=15.0, domestic_intermediate=40.0)


def errors_of(margins: CellMargins, status: Status = Status.OBSERVED) -> CellMargins:
    def one(share: np.ndarray) -> np.ndarray:
        return standard_errors(share, np.full(len(share), int(status)), np.full(len(share), np.nan))

    return CellMargins(
        one(margins.output), one(margins.value_added), one(margins.imports), one(margins.exports),
        None if margins.business is None else one(margins.business),
    )  # fmt: skip


def cell(s: list[float], a: list[float], m: list[float], e: list[float], b: list[float] | None = None) -> CellMargins:
    output, value_added, imports, exports = (np.array(v, dtype=float) for v in (s, a, m, e))
    return CellMargins(output, value_added, imports, exports, None if b is None else np.array(b))


def test_infeasible_exports_of_the_worked_example() -> None:
    # firmsize_examples.py, example 6a: large firms export 33.25 of an output of 30; the cap is 30/35 = 6/7.
    given_margins = cell([0.7, 0.3], [0.7, 0.3], [0.7, 0.3], [0.05, 0.95])
    result = reconcile_cell(given_margins, errors_of(given_margins), S1)
    np.testing.assert_allclose(result.margins.exports, [0.142857, 0.857143], atol=PRINTED)
    assert [(v.condition, v.band) for v in result.violations] == [("C1", 1)]
    assert result.violations[0].got == pytest.approx(33.25)
    assert result.violations[0].bound == pytest.approx(30.0)
    assert "exports above output of band 'lar': 33.25 above 30" in result.violations[0].describe("lar")
    # L1 distance of the flows over output: 2 x 3.25 / 100
    assert result.moved["exports"] == pytest.approx(0.065, abs=PRINTED)
    for name in ("output", "value_added", "imports"):
        assert np.array_equal(getattr(result.margins, name), getattr(given_margins, name))


def test_feasible_margins_are_returned_as_they_are() -> None:
    given_margins = cell([0.4, 0.6], [0.5, 0.5], [0.2, 0.8], [0.1, 0.9])
    result = reconcile_cell(given_margins, errors_of(given_margins), S1)
    assert result.margins is given_margins
    assert not result.moved
    assert not result.violations


def test_costs_above_output_move_costs_only() -> None:
    given_margins = cell([0.7, 0.3], [0.5, 0.5], [0.2, 0.8], [0.5, 0.5])
    result = reconcile_cell(given_margins, errors_of(given_margins), S1)
    assert {v.condition for v in result.violations} == {"C2"}
    assert np.array_equal(result.margins.exports, given_margins.exports)
    assert set(result.moved) == {"value_added", "imports"}
    assert not violations(result.margins, S1)


def test_business_margin_is_bounded_by_what_is_not_exported() -> None:
    given_margins = cell([0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.1, 0.9], [0.2, 0.8])
    assert [v.condition for v in violations(given_margins, S1)] == ["C4"]
    result = reconcile_cell(given_margins, errors_of(given_margins), S1)
    assert not violations(result.margins, S1)
    assert result.margins.business is not None
    assert result.margins.business.sum() == pytest.approx(1.0, abs=ROUNDING)


def test_output_moves_only_when_asked() -> None:
    given_margins = cell([0.7, 0.3], [0.7, 0.3], [0.7, 0.3], [0.05, 0.95])
    free = reconcile_cell(given_margins, errors_of(given_margins), S1, free_output=True)
    assert not np.array_equal(free.margins.output, given_margins.output)
    assert not violations(free.margins, S1)


def test_less_certain_margins_move_more() -> None:
    given_margins = cell([0.7, 0.3], [0.5, 0.5], [0.2, 0.8], [0.5, 0.5])
    sure = errors_of(given_margins)
    unsure = errors_of(given_margins, Status.ASSUMED)
    mixed = CellMargins(sure.output, sure.value_added, unsure.imports, sure.exports)
    moved = reconcile_cell(given_margins, mixed, S1).moved
    assert moved["imports"] > moved["value_added"]


def simplex(k: int) -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.floats(0.01, 1.0), min_size=k, max_size=k).map(lambda v: np.array(v) / sum(v))


@st.composite
def cells(draw: st.DrawFn) -> tuple[CellMargins, CellTotals]:
    k = draw(st.integers(2, 5))
    parts = draw(simplex(3))
    exported = draw(st.floats(0.0, 0.98))
    sold = draw(st.floats(0.0, 1.0)) * (1.0 - exported)
    totals = CellTotals(
        output=draw(st.sampled_from([1e-3, 1.0, 1e6])), value_added=0, exports=0, imports=0, domestic_intermediate=0
    )
    x = totals.output
    totals = CellTotals(x, parts[0] * x, exported * x, parts[1] * x, sold * x)
    business = draw(simplex(k)) if draw(st.booleans()) and sold > 0.01 else None
    return CellMargins(draw(simplex(k)), draw(simplex(k)), draw(simplex(k)), draw(simplex(k)), business), totals


@given(cells(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_margins_become_possible(case: tuple[CellMargins, CellTotals], free: bool) -> None:
    margins, totals = case
    result = reconcile_cell(margins, errors_of(margins), totals, free_output=free)
    assert not violations(result.margins, totals)
    for name in ("output", "value_added", "imports", "exports", "business"):
        share = getattr(result.margins, name)
        if share is not None:
            assert share.sum() == pytest.approx(1.0, abs=ROUNDING)
            assert (share >= -ROUNDING).all()
    if not violations(margins, totals):
        assert result.margins is margins


@given(cells())
@settings(max_examples=25, deadline=None)
def test_no_other_margins_are_nearer(case: tuple[CellMargins, CellTotals]) -> None:
    margins, totals = case
    if margins.business is not None or not violations(margins, totals):
        return
    errors = errors_of(margins)
    result = reconcile_cell(margins, errors, totals)
    x = totals.output
    k = len(margins.output)
    for names, bound in (
        (("exports",), [totals.exports / x]),
        (("value_added", "imports"), [totals.value_added / x, totals.imports / x]),
    ):
        if not any(n in result.moved for n in names):
            continue
        y0 = np.concatenate([getattr(margins, n) for n in names])
        sigma = np.concatenate([getattr(errors, n) for n in names])
        found = np.concatenate([getattr(result.margins, n) for n in names])
        reference = minimize(
            lambda z: float(z @ z),
            (np.tile(margins.output, len(names)) - y0) / sigma,
            jac=lambda z: 2 * z,
            method="SLSQP",
            bounds=list(zip(-y0 / sigma, np.full(len(y0), np.inf), strict=True)),
            constraints=[
                LinearConstraint(np.repeat(np.eye(len(names)), k, axis=1) * sigma, 0.0, 0.0),
                LinearConstraint(
                    np.hstack([b * np.eye(k) for b in bound]) * sigma,
                    -np.inf,
                    margins.output - sum(b * v for b, v in zip(bound, np.split(y0, len(names)), strict=True)),
                ),
            ],
            options={"maxiter": 1000, "ftol": 1e-14},
        )
        distance = float((((found - y0) / sigma) ** 2).sum())
        assert distance <= float(reference.fun) * (1.0 + GENERAL_SOLVER) + GENERAL_SOLVER


def test_standard_errors_follow_status_unless_given() -> None:
    share = np.array([0.5, 0.5, 0.5, 0.001])
    status = np.array([int(Status.OBSERVED), int(Status.IMPUTED), int(Status.OBSERVED), int(Status.DERIVED)])
    found = standard_errors(share, status, np.array([np.nan, np.nan, 0.123, np.nan]))
    np.testing.assert_allclose(found, [0.01, 0.1, 0.123, 0.05 * 0.01])
