"""Operators of a banded table against explicit matrices over all band rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.banded import random_shares
from benchmarks.tables import synthetic
from tests.bands.worlds import BruteForce, toy_shares, two_countries, wiod_small
from tiva.bands.blocks import fit_domestic_block
from tiva.bands.model import BandedModel
from tiva.bands.shares import BandShares
from tiva.bands.split import BandedTable, split_by_size
from tiva.bands.trade import MIN_BLOCK_CONDITION
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

EXACT = 1e-10
"""Relative: closed form and brute force are two orders of the same 1e4-term sums in double precision."""

ADDS_UP = 1e-9
"""Relative to the largest flow: sums over bands and the source table."""


def close(got: Any, expected: Any, tolerance: float = EXACT) -> bool:
    scale = max(float(np.abs(expected).max()), 1e-300)
    return bool(np.abs(np.asarray(got) - expected).max() <= tolerance * scale)


def assert_operators(banded: BandedTable, model: BandedModel | None = None) -> None:
    model = model or banded.model()
    brute = BruteForce.of(banded)
    rows = len(brute.expanded.output)
    b, local, a, domestic = brute.inverse, brute.local, brute.coefficients, brute.domestic
    rng = np.random.default_rng(5)
    x, w = rng.random((rows, 3)), rng.random((2, rows))
    assert close(model.output, brute.expanded.output)
    assert close(model.value_added, brute.value_added)
    assert close(model.final_demand, brute.final_demand)
    assert close(model.exports, brute.exports)
    assert close(model.local_inverse(x), local @ x)
    assert close(model.local_inverse(x[:, 0]), local @ x[:, 0])
    assert close(model.local_inverse_transpose(w), w @ local)
    assert close(model.apply_inverse(x), b @ x)
    assert close(model.apply_inverse_transpose(w), w @ b)
    assert close(model.inverse, b)
    assert close(model.domestic(x), domestic @ x)
    assert close(model.trade(x), (a - domestic) @ x)
    assert close(model.absorption, b @ brute.final_demand)
    undo = np.zeros_like(b)
    for block, diagonal in zip(brute.blocks, model.inverse_diagonal_blocks, strict=True):
        assert close(diagonal, b[block, block])
        undo[block, block] = np.linalg.solve(b[block, block], local[block, block])
    assert close(model.undo_feedback(w), w @ undo)
    assert close(model.undo_feedback(w[0]), w[0] @ undo)
    assert close(model.undo_feedback_columns(x), undo @ x)
    diagonal = sum(np.where(brute.expanded.row_country[:, None] == s, b[:, block] @ x[block], 0) for s, block in
                   enumerate(brute.blocks))  # fmt: skip
    assert close(model.apply_inverse_diagonal(x), diagonal)
    assert close(model.local_inverse_diagonal, np.diagonal(local))
    some = np.array([0, rows // 2, rows - 1])
    assert close(model.inverse_columns(some), b[:, some])
    assert close(model.inverse_rows(some), b[some])
    assert close(model.input_rows(some), a[some])
    assert close(model.feedback_diagonal, np.diagonal((a - domestic) @ b))
    assert_products(model, brute, x)


def assert_products(model: BandedModel, brute: BruteForce, x: np.ndarray[Any, Any]) -> None:
    a = brute.coefficients
    paired = np.random.default_rng(6).random((len(x), len(brute.blocks)))
    got = model.trade_products(x, [paired])
    for s, rows in enumerate(brute.blocks):
        for r, columns in enumerate(brute.blocks):
            if r == s:
                assert not got[rows, r].any()
                continue
            assert close(got[rows, r, :3], a[rows, columns] @ x[columns])
            assert close(got[rows, r, 3], a[rows, columns] @ paired[columns, s])
    b = brute.inverse
    pairs, weights = model.pair_feedback_diagonal, np.random.default_rng(7).random((2, len(x)))
    undone = model.undo_pair_feedback(weights)
    for s, rows in enumerate(brute.blocks):
        for r, columns in enumerate(brute.blocks):
            loop = a[rows, columns] @ b[columns, rows] if r != s else np.zeros((1, 1))
            assert close(pairs[rows, r], np.diagonal(loop) if r != s else np.zeros(1))
            expected = np.linalg.solve((np.eye(len(loop)) + loop).T, weights[:, rows].T).T if r != s else np.zeros(1)
            assert close(undone[:, rows, r], expected)
    crossed = model.apply_inverse_crosswise(paired)
    for r, rows in enumerate(brute.blocks):
        for s, columns in enumerate(brute.blocks):
            assert close(crossed[rows, s], b[rows, columns] @ paired[columns, r])


def assert_adds_up(banded: BandedTable) -> None:
    expanded = banded.to_table()
    source, again = banded.source, expanded.aggregate()
    largest = float(source.output.max())
    for name in ("intermediate", "final_demand", "value_added", "output"):
        assert np.abs(getattr(again, name) - getattr(source, name)).max() <= ADDS_UP * largest
    uses = expanded.intermediate.sum(axis=1) + expanded.final_demand.sum(axis=(1, 2))
    source_gap = source.intermediate.sum(axis=1) + source.final_demand.sum(axis=(1, 2)) - source.output
    gap = uses - expanded.output - banded.split.output * source_gap[banded.split.segment]
    assert np.abs(gap).max() <= ADDS_UP * largest
    other = banded.totals.other_inputs[banded.split.segment] * banded.split.output
    columns = expanded.intermediate.sum(axis=0) + expanded.value_added + other - expanded.output
    assert np.abs(columns).max() <= ADDS_UP * largest


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    bands=st.lists(st.integers(1, 4), min_size=3, max_size=3),
    theta=st.floats(-1, 1),
    producers=st.booleans(),
    missing=st.sampled_from([0.0, 0.4]),
)
def test_closed_form_is_brute_force(seed: int, bands: list[int], theta: float, producers: bool, missing: float) -> None:
    table = synthetic(3, 4, seed)
    shares = random_shares(table, tuple(bands), seed=seed, sales_to_producers=producers, missing=missing)
    banded = split_by_size(table, shares, theta={"C000": theta, "C002": -theta})
    assert banded.feasibility.ok
    assert_adds_up(banded)
    assert banded.to_table().intermediate.min() >= 0
    assert_operators(banded)


@pytest.mark.parametrize("bands", [3, 4, 5])
def test_real_table_against_the_explicit_inverse(bands: int) -> None:
    table = wiod_small()
    banded = split_by_size(table, random_shares(table, bands, seed=bands, sales_to_producers=bands == 4))
    assert_adds_up(banded)
    model, brute = banded.model(), BruteForce.of(banded)
    b = brute.inverse
    assert close(model.inverse, b)
    by_origin = np.stack([brute.value_added[block] @ b[block] for block in brute.blocks])
    assert close(model.value_added_by_origin, by_origin)
    foreign = by_origin.sum(axis=0) - by_origin[model.row_country, np.arange(len(b))]
    local = brute.local
    expected = np.concatenate([foreign[s] @ np.linalg.solve(b[s, s], local[s, s]) for s in brute.blocks])
    assert close(model.undo_feedback(foreign), expected)


def test_one_band_is_the_plain_model(example: IcioTable) -> None:
    banded = split_by_size(example, BandShares.unsplit(example)).model()
    plain = LeontiefModel(example)
    assert banded.bands == ("all",)
    for name in ("output", "value_added", "final_demand", "exports", "exports_final"):
        assert np.array_equal(getattr(banded, name), getattr(plain, name)), name
    for name in ("value_added_by_origin", "absorption"):
        assert close(getattr(banded, name), getattr(plain, name))
    w = plain.value_added_by_origin
    assert close(banded.undo_feedback(w), plain.undo_feedback(w))


def test_groups_act_as_one_country() -> None:
    table = synthetic(4, 3, 8)
    banded = split_by_size(table, random_shares(table, (2, 3, 1, 2), seed=8), theta=0.3)
    model = banded.model(groups={"AB": ["C003", "C000"]})
    brute = BruteForce.of(banded)
    block_of = np.array([0, 1, 2, 0])
    block = block_of[brute.expanded.row_country]
    order = np.argsort(block, kind="stable")
    a = brute.coefficients[np.ix_(order, order)]
    inside = block[order][:, None] == block[order]
    local = np.linalg.inv(np.eye(len(a)) - np.where(inside, a, 0.0))
    b = np.linalg.inv(np.eye(len(a)) - a)
    w = np.random.default_rng(0).random((2, len(a)))
    assert model.countries == ("AB", "C001", "C002")
    assert close(model.local_inverse(w.T), local @ w.T)
    assert close(model.local_inverse_transpose(w), w @ local)
    some = np.array([1, 8, len(a) - 1])
    assert close(model.inverse_rows(some), b[some])
    assert close(model.input_rows(some), a[some])
    assert close(model.domestic(w.T), np.where(inside, a, 0.0) @ w.T)
    assert close(model.apply_inverse(w.T), b @ w.T)
    undo = np.zeros_like(b)
    for s in range(3):
        rows = np.flatnonzero(block[order] == s)
        undo[np.ix_(rows, rows)] = np.linalg.solve(b[np.ix_(rows, rows)], local[np.ix_(rows, rows)])
        assert close(model.inverse_diagonal_blocks[s], b[np.ix_(rows, rows)])
    assert close(model.undo_feedback(w), w @ undo)
    assert close(model.local_inverse_diagonal, np.diagonal(local))
    y = brute.final_demand[order]
    assert close(model.final_demand, np.stack([y[:, block_of == s].sum(axis=1) for s in range(3)], axis=1))
    sold = brute.expanded.intermediate[np.ix_(order, order)]
    exports = np.stack([sold[:, block[order] == s].sum(axis=1) for s in range(3)], axis=1) + model.final_demand
    exports[np.arange(len(a)), block[order]] = 0.0
    assert close(model.exports, exports)


def test_split_country_is_one_block() -> None:
    table = synthetic(4, 3, 9)
    table = IcioTable.from_arrays(
        table.intermediate,
        np.stack(
            [table.final_demand[:, 0, 0], table.final_demand[:, 1, 0], table.final_demand[:, 2:, 0].sum(1)], axis=1
        ),
        countries=["CN1", "USA", "CN2", "JPN"],
        split_countries={"CN1": "CHN", "CN2": "CHN"},
        sectors=table.sectors,
    )
    banded = split_by_size(table, random_shares(table, (2, 1, 3), seed=2))
    assert_adds_up(banded)
    brute = BruteForce.of(banded)
    order = np.argsort(brute.expanded.row_country, kind="stable")
    b = brute.inverse[np.ix_(order, order)]
    model = banded.model()
    assert model.offsets.tolist() == [0, 12, 15, 24]
    assert close(model.inverse, b)
    assert close(model.inverse_diagonal_blocks[0], b[:12, :12])


@pytest.mark.parametrize("producers", [False, True])
def test_given_domestic_blocks(producers: bool) -> None:
    table = synthetic(3, 3, 4)
    shares = random_shares(table, (2, 3, 1), seed=4, sales_to_producers=producers)
    plain = split_by_size(table, shares)
    prior = np.array([[4.0, 1.0, 1.0], [1.0, 3.0, 1.0], [1.0, 1.0, 5.0]])
    block = fit_domestic_block(plain, "C001", prior)
    banded = split_by_size(table, shares, domestic_blocks={"C001": block}, theta=0.4)
    assert_adds_up(banded)
    assert_operators(banded)
    assert not close(banded.model().inverse, plain.model().inverse, 1e-6)


def test_importers_that_do_not_export() -> None:
    """A sector whose exporters neither import nor supply anyone leaves P singular: Q is then solved for directly."""
    plain = synthetic(3, 3, 1)
    margins = {
        "C000": {
            s: {"output": [0.5, 0.5], "value_added": [0.5, 0.5], "imports": [1.0, 0.0], "exports": [0.0, 1.0]}
            for s in plain.sectors
        }
    }
    flows = np.array(plain.intermediate)
    flows[0, :3] = 0.0
    table = IcioTable.from_arrays(flows, plain.final_demand, countries=plain.countries, sectors=plain.sectors)
    shares = BandShares.from_dicts(table, margins, bands={"C000": ("a", "b")})
    banded = split_by_size(table, shares, infeasible="keep")
    assert not banded.feasibility.forced
    model = banded.model()
    propagation = np.linalg.svd(model.local.propagation[0], compute_uv=False)
    assert propagation[-1] < MIN_BLOCK_CONDITION * propagation[0]
    assert_operators(banded, model)


def test_change_of_one_country_is_a_refit() -> None:
    table = synthetic(4, 4, 3)
    first = random_shares(table, (3, 2, 3, 1), seed=1)
    model = split_by_size(table, first).model()
    model.trade_system  # noqa: B018 - factorised before the change
    for seed in (2, 3, 4):
        if seed == 3:
            assert model.absorption.any()
            assert model.value_added_by_origin.any()
        other = random_shares(table, (3, 2, 3, 1), seed=seed)
        rows = first.row_country == 2
        changed = first.replace(
            **{
                name: np.where(rows, getattr(other, name), getattr(first, name))
                for name in ("output", "value_added", "imports", "exports")
            }
        )
        updated = model.with_country_shares("C002", changed)
        refit = split_by_size(table, changed)
        assert_operators(refit, updated)
        assert close(updated.value_added_by_origin, refit.model().value_added_by_origin)
        again = updated.with_country_shares("C002", first)
        assert close(again.value_added_by_origin, model.value_added_by_origin)
        assert close(again.absorption, model.absorption)


def test_change_of_another_country_is_refused() -> None:
    table = synthetic(3, 3, 3)
    model = split_by_size(table, random_shares(table, 2, seed=1)).model()
    with pytest.raises(ValueError, match="differ too"):
        model.with_country_shares("C000", random_shares(table, 2, seed=2))
    with pytest.raises(LookupError, match="C000"):
        model.with_country_shares("C0000", random_shares(table, 2, seed=2))


def test_satellites() -> None:
    table = synthetic(3, 3, 3)
    banded = split_by_size(table, random_shares(table, 2, seed=1))
    jobs = np.arange(1.0, 10.0)
    spread = banded.model(satellite=jobs, satellite_unit="persons")
    assert spread.unit == "persons"
    assert np.add.reduceat(spread.value_added * spread.output, banded.split.start[:-1]) == pytest.approx(jobs)
    by_row = np.arange(18.0)
    assert banded.model(satellite=by_row).value_added == pytest.approx(by_row / banded.output)
    with pytest.raises(ValueError, match="band row"):
        banded.model(satellite=np.ones(5))


def test_a_country_may_get_bands_by_an_update() -> None:
    table = two_countries()
    model = split_by_size(table, toy_shares(table, "S")).model()
    assert model.value_added_by_origin.shape == (2, 6)
    assert model.absorption.shape == (6, 2)
    updated = model.with_country_shares("N", toy_shares(table, "N", "S"))
    assert_operators(split_by_size(table, toy_shares(table, "N", "S")), updated)
    assert updated.value_added_by_origin.sum(axis=0) == pytest.approx(np.ones(8))


def test_a_model_that_carries_a_satellite_is_the_model_made_with_it() -> None:
    table = two_countries()
    banded = split_by_size(table, toy_shares(table, "N", "S", producers=True))
    jobs = np.arange(1.0, 1.0 + table.n)
    plain = banded.model()
    before = plain.value_added_by_origin, plain.other_inputs, plain.value_added
    carrying, anew = plain.carrying(jobs, "jobs"), banded.model(satellite=jobs)
    assert carrying.unit == "jobs"
    assert carrying.trade_system is plain.trade_system
    for name in ("value_added", "other_inputs", "value_added_by_origin", "absorption"):
        assert close(getattr(carrying, name), getattr(anew, name))
    after = plain.value_added_by_origin, plain.other_inputs, plain.value_added
    assert all(a is b for a, b in zip(before, after, strict=True))
