"""One LU factorisation of a matrix, and what can be had from it without inverting the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack

from tiva.errors import SingularTableError, explain
from tiva.kernels.arrays import FloatArray, IntArray

MIN_RECIPROCAL_CONDITION = 1e-14
"""Below this, solutions have no correct digit left to speak of (double precision has about 16)."""


class DenseFactor:
    """LU factors of a square matrix K, held in place of K.

    The array is C-ordered; LAPACK sees its transpose in Fortran order, so nothing is copied.

    Parameters
    ----------
    matrix
        Shape (n, n), C-contiguous; overwritten by the factors.
    name
        What it is, for the message when it is singular.

    Raises
    ------
    SingularTableError
        The matrix is singular to working precision.
    """

    def __init__(self, matrix: FloatArray, name: str = "I - A") -> None:
        self.n = matrix.shape[0]
        norm = float(np.abs(matrix).sum(axis=1).max(initial=0.0))
        self._lu, self._pivots, info = lapack.dgetrf(matrix.T, overwrite_a=1)
        reciprocal, _ = lapack.dgecon(self._lu, norm, norm="1") if info == 0 else (0.0, 0)
        if info != 0 or not reciprocal > MIN_RECIPROCAL_CONDITION:
            raise SingularTableError(
                explain(
                    f"{name} is singular: the Leontief system has no unique solution",
                    got=f"reciprocal condition number {reciprocal:.1e}",
                    expected=f"above {MIN_RECIPROCAL_CONDITION:.0e}",
                    do="look at table.check() for sectors whose inputs reach or exceed their output",
                )
            )
        self.reciprocal_condition = float(reciprocal)

    def solve(self, right: FloatArray) -> FloatArray:
        """Return K^-1 ``right`` for ``right`` of shape (n,) or (n, k).

        Parameters
        ----------
        right
            Shape (R,) or (R, k).
        """
        return self._solved(right, transposed=1)

    def solve_transpose(self, left: FloatArray) -> FloatArray:
        """Return ``left`` K^-1 for ``left`` of shape (n,) or (k, n).

        Parameters
        ----------
        left
            Shape (R,) or (k, R).
        """
        return np.ascontiguousarray(self._solved(left.T, transposed=0).T)

    def _solved(self, right: FloatArray, transposed: int) -> FloatArray:
        columns = right if right.ndim == 2 else right[:, None]
        solution, _ = lapack.dgetrs(self._lu, self._pivots, columns, trans=transposed)
        return np.ascontiguousarray(solution if right.ndim == 2 else solution[:, 0])

    def inverse(self) -> FloatArray:
        """Return K^-1, shape (n, n), C-contiguous (a second matrix in memory)."""
        work = max(1, 64 * self.n)
        inverse, _ = lapack.dgetri(self._lu.copy(order="F"), self._pivots, lwork=work, overwrite_lu=1)
        return np.asarray(inverse.T)

    def diagonal_blocks(self, offsets: IntArray) -> list[FloatArray]:
        """Return the diagonal blocks of K^-1 without forming the rest.

        With K' = P L U the blocks are those of U^-1 L^-1 P': two triangular inverses (n³/3 operations each) and one
        slim product a block, a third less work than inverting, and one matrix in memory for both triangles.

        Parameters
        ----------
        offsets
            Shape (G + 1,), where the blocks begin.

        Returns
        -------
        list of arrays
            Block g has shape (offsets[g+1] - offsets[g],) * 2.
        """
        triangles = self._lu.copy(order="F")
        lapack.dtrtri(triangles, lower=0, overwrite_c=1)
        lapack.dtrtri(triangles, lower=1, unitdiag=1, overwrite_c=1)
        position = self._column_positions()
        return [
            _diagonal_block(triangles, position, int(start), int(end))
            for start, end in zip(offsets[:-1], offsets[1:], strict=True)
        ]

    def _column_positions(self) -> IntArray:
        """Return, for each column of K', its column in L^-1 (row interchanges undone)."""
        order = np.arange(self.n)
        for k, pivot in enumerate(self._pivots):
            if pivot != k:
                order[k], order[pivot] = order[pivot], order[k]
        position = np.empty(self.n, dtype=np.int64)
        position[order] = np.arange(self.n)
        return position


def _diagonal_block(triangles: FloatArray, position: IntArray, start: int, end: int) -> FloatArray:
    """U^-1[block, :] times L^-1[:, block], with both triangles stored in one array; transposed back."""
    columns = position[start:end]
    rows = np.arange(start, triangles.shape[0])[:, None]
    lower = triangles[start:, columns]
    lower[rows < columns] = 0.0
    lower[rows == columns] = 1.0
    size = end - start
    block = np.triu(triangles[start:end, start:end]) @ lower[:size]
    if end < triangles.shape[0]:
        block += triangles[start:end, end:] @ lower[size:]
    return np.ascontiguousarray(block.T)


def block_inverses(blocks: list[FloatArray], names: tuple[str, ...]) -> list[FloatArray]:
    """Invert each of several small matrices.

    Parameters
    ----------
    blocks
        Square matrices, of any sizes.
    names
        Their names, for messages.

    Raises
    ------
    SingularTableError
        One of them is singular; the message carries its name.
    """
    inverses: list[FloatArray] = []
    for block, name in zip(blocks, names, strict=True):
        try:
            inverses.append(np.asarray(np.linalg.inv(block), dtype=np.float64))
        except np.linalg.LinAlgError as error:
            raise SingularTableError(
                explain(f"I - A of the domestic block of {name} is singular", do="look at table.check()")
            ) from error
    return inverses


def apply_blocks(blocks: list[FloatArray], offsets: IntArray, right: FloatArray, out: Any = None) -> FloatArray:
    """Return blockdiag(blocks) @ right, for right of shape (R,) or (R, k).

    Parameters
    ----------
    blocks
        Square matrices (N_s, N_s) of G blocks.
    offsets
        Shape (G + 1,): first row of each block.
    right
        Shape (R,) or (R, k).
    out
        Where the result goes; a new array when left out.
    """
    result = np.empty_like(right, dtype=np.float64) if out is None else out
    for block, start, end in zip(blocks, offsets[:-1], offsets[1:], strict=True):
        result[start:end] = block @ right[start:end]
    return np.asarray(result)


def apply_blocks_transpose(blocks: list[FloatArray], offsets: IntArray, left: FloatArray) -> FloatArray:
    """Return left @ blockdiag(blocks), for left of shape (R,) or (k, R).

    Parameters
    ----------
    blocks
        Square matrices (N_s, N_s) of G blocks.
    offsets
        Shape (G + 1,): first row of each block.
    left
        Shape (R,) or (k, R).
    """
    result = np.empty_like(left, dtype=np.float64)
    for block, start, end in zip(blocks, offsets[:-1], offsets[1:], strict=True):
        result[..., start:end] = left[..., start:end] @ block
    return result
