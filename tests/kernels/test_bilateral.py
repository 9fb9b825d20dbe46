from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tiva.decompositions.borin_mancini import SOURCE_RECIPE
from tiva.kernels import bilateral
from tiva.kernels.arrays import offsets_of

ROUNDING = 1e-12
"""Sums of some ten products of numbers of size one, in another order."""

SIZES = [3, 1, 4, 2]


def operands(rng: np.random.Generator, n: int, countries: int) -> dict[str, Any]:
    return {
        "coefficients": list(rng.random((5, n))),
        "common": list(rng.random((3, n))),
        "paired": list(rng.random((2, n, countries))),
        "final": list(rng.random((2, n, countries))),
    }


@pytest.fixture
def problem() -> tuple[Any, ...]:
    rng = np.random.default_rng(3)
    offsets = offsets_of(SIZES)
    n = int(offsets[-1])
    return rng.random((n, n)), rng.random(n), offsets, operands(rng, n, len(SIZES))


def test_compiled_sweep_equals_plain_numpy(problem: tuple[Any, ...]) -> None:
    flows, scale, offsets, given = problem
    compiled = bilateral.sweep(flows, scale, offsets, SOURCE_RECIPE, **given)
    plain = bilateral.sweep_numpy(flows, scale, offsets, SOURCE_RECIPE, **given)
    assert tuple(compiled) == SOURCE_RECIPE.terms
    for name in compiled:
        np.testing.assert_allclose(compiled[name], plain[name], rtol=ROUNDING, atol=ROUNDING)


def test_compiled_sweep_equals_its_python_twin(problem: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    flows, scale, offsets, given = problem
    compiled = bilateral.sweep(flows, scale, offsets, SOURCE_RECIPE, **given)
    monkeypatch.setattr(bilateral, "_sweep", bilateral.sweep_python)
    monkeypatch.setattr(bilateral, "dot", bilateral.dot_python)
    twin = bilateral.sweep(flows, scale, offsets, SOURCE_RECIPE, **given)
    for name in compiled:
        np.testing.assert_allclose(compiled[name], twin[name], rtol=ROUNDING, atol=ROUNDING)


def test_bands_share_the_products_of_their_row(problem: tuple[Any, ...]) -> None:
    flows, scale, offsets, given = problem
    n = len(scale)
    rng = np.random.default_rng(4)
    start = np.concatenate(([0], np.cumsum(rng.integers(1, 4, n)))).astype(np.int64)
    share = rng.random(start[-1])
    row_of = np.repeat(np.arange(n), np.diff(start))
    spread = {
        "coefficients": [c[row_of] for c in given["coefficients"]],
        "final": [f[row_of] * share[:, None] for f in given["final"]],
    }
    banded = bilateral.sweep(
        flows, scale, offsets, SOURCE_RECIPE, **{**given, **spread}, band_start=start, band_share=share
    )
    plain = bilateral.sweep(flows, scale, offsets, SOURCE_RECIPE, **given)
    for name in plain:
        expected = plain[name][row_of] * share[:, None]
        np.testing.assert_allclose(banded[name], expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("columns", [1, 40])
def test_many_columns_take_another_way_to_the_same_products(problem: tuple[Any, ...], columns: int) -> None:
    flows, scale, offsets, given = problem
    common = np.random.default_rng(6).random((len(scale), columns))
    out = bilateral.trade_products(flows, scale, offsets, common=common, paired=given["paired"])
    apart = [bilateral.trade_products(flows, scale, offsets, common=common[:, [k]]) for k in range(columns)]
    together = np.concatenate([*apart, bilateral.trade_products(flows, scale, offsets, paired=given["paired"])], axis=2)
    np.testing.assert_allclose(out, together, rtol=ROUNDING, atol=ROUNDING)


def test_trade_products_are_block_products(problem: tuple[Any, ...]) -> None:
    flows, scale, offsets, given = problem
    coefficients = flows * scale
    common = np.stack(given["common"], axis=1)
    out = bilateral.trade_products(flows, scale, offsets, common=common, paired=given["paired"])
    for s in range(len(SIZES)):
        rows = slice(offsets[s], offsets[s + 1])
        for r in range(len(SIZES)):
            columns = slice(offsets[r], offsets[r + 1])
            block = coefficients[rows, columns] if r != s else np.zeros((SIZES[s], SIZES[r]))
            np.testing.assert_allclose(out[rows, r, :3], block @ common[columns], atol=ROUNDING)
            for k, x in enumerate(given["paired"]):
                np.testing.assert_allclose(out[rows, r, 3 + k], block @ x[columns, s], atol=ROUNDING)


def test_many_rows_on_several_threads_equal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    offsets = offsets_of([50, 80, 70])
    flows, scale = rng.random((200, 200)), rng.random(200)
    given = operands(rng, 200, 3)
    several = bilateral.sweep(flows, scale, offsets, SOURCE_RECIPE, **given)
    monkeypatch.setattr(bilateral.numba, "get_num_threads", lambda: 1)
    one = bilateral.sweep(flows, scale, offsets, SOURCE_RECIPE, **given)
    for name in one:
        np.testing.assert_array_equal(several[name], one[name])
