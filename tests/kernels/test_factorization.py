from __future__ import annotations

import numpy as np
import pytest

from tiva.errors import SingularTableError
from tiva.kernels.arrays import offsets_of
from tiva.kernels.factorization import DenseFactor

ROUNDING = 1e-12
"""Solutions of well-conditioned systems of this size agree to about 1e-14."""


@pytest.fixture(params=[0, 1, 2])
def matrix(request: pytest.FixtureRequest) -> np.ndarray:
    rng = np.random.default_rng(request.param)
    k = np.eye(30) - rng.random((30, 30)) / 40
    if request.param == 2:
        # Rows in another order: the factorisation must interchange, and the blocks must come out right all the same.
        k = k[rng.permutation(30)] + 0.5 * rng.random((30, 30))
    return k


def test_solves_on_both_sides(matrix: np.ndarray) -> None:
    rng = np.random.default_rng(9)
    factor = DenseFactor(matrix.copy())
    inverse = np.linalg.inv(matrix)
    right, left = rng.random((30, 4)), rng.random((4, 30))
    scale = np.abs(inverse).max()
    np.testing.assert_allclose(factor.solve(right), inverse @ right, atol=ROUNDING * scale * 30)
    np.testing.assert_allclose(factor.solve(right[:, 0]), inverse @ right[:, 0], atol=ROUNDING * scale * 30)
    np.testing.assert_allclose(factor.solve_transpose(left), left @ inverse, atol=ROUNDING * scale * 30)
    np.testing.assert_allclose(factor.solve_transpose(left[0]), left[0] @ inverse, atol=ROUNDING * scale * 30)
    np.testing.assert_allclose(factor.inverse(), inverse, atol=ROUNDING * scale)


@pytest.mark.parametrize("sizes", [[10, 10, 10], [1, 9, 20], [30], [4, 4, 4, 4, 4, 4, 6]])
def test_diagonal_blocks_without_the_inverse(matrix: np.ndarray, sizes: list[int]) -> None:
    offsets = offsets_of(sizes)
    inverse = np.linalg.inv(matrix)
    factor = DenseFactor(matrix.copy())
    blocks = factor.diagonal_blocks(offsets)
    for block, a, b in zip(blocks, offsets[:-1], offsets[1:], strict=True):
        np.testing.assert_allclose(block, inverse[a:b, a:b], atol=ROUNDING * np.abs(inverse).max())
    np.testing.assert_allclose(factor.solve(np.eye(30)), inverse, atol=ROUNDING * np.abs(inverse).max())


def test_factors_take_the_place_of_the_matrix(matrix: np.ndarray) -> None:
    work = np.ascontiguousarray(matrix.copy())
    factor = DenseFactor(work)
    assert np.shares_memory(factor._lu, work)


@pytest.mark.parametrize("singular", [np.ones((4, 4)), np.zeros((3, 3)), np.eye(3) - np.full((3, 3), 1 / 3)])
def test_singular_matrix_is_refused(singular: np.ndarray) -> None:
    with pytest.raises(SingularTableError, match="no unique solution"):
        DenseFactor(singular.copy())
