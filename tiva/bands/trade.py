"""The one n × n system of a banded model: how imports induce imports around the world.

With A^F the aggregate import coefficients between blocks (countries or groups) and P block-diagonal, the imports that
a unit of each sector's exports needs through the local network, ``F = I - P A^F`` carries all international feedback:
``B = L + L E Q M L`` with ``Q = A^F F^-1``, for any number of bands. The identity ``P Q = F^-1 - I`` gives the
diagonal blocks of Q from those of F^-1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.factorization import DenseFactor
from tiva.model.trade_flows import TradeFlows

MIN_BLOCK_CONDITION = 1e-6
"""Reciprocal condition of P_s below which Q_ss is solved for directly: dividing by P_s would cost over six digits."""


class TradeSystem(ABC):
    """Solutions of F = I - P A^F, and diagonal blocks of F^-1 and Q = A^F F^-1."""

    def __init__(self, trade: TradeFlows) -> None:
        self.trade = trade
        self._update_parts: dict[int, tuple[FloatArray, FloatArray, FloatArray]] = {}

    @abstractmethod
    def solve(self, right: FloatArray) -> FloatArray:
        """Return F^-1 right, for right (n,) or (n, k).

        Parameters
        ----------
        right
            Shape (n,) or (n, k).
        """

    @abstractmethod
    def solve_transpose(self, left: FloatArray) -> FloatArray:
        """Return left F^-1, for left (n,) or (k, n).

        Parameters
        ----------
        left
            Shape (n,) or (k, n).
        """

    @property
    @abstractmethod
    def inverse_blocks(self) -> Sequence[FloatArray]:
        """G diagonal blocks of F^-1."""

    @property
    @abstractmethod
    def response_blocks(self) -> Sequence[FloatArray]:
        """G diagonal blocks of Q."""

    @abstractmethod
    def response_crosswise(self, right: FloatArray) -> FloatArray:
        """Return (n, G) with Q_rs right_s[:, r] on block r and column s, for right (n, G).

        Parameters
        ----------
        right
            Shape (n, G).
        """

    @cached_property
    @abstractmethod
    def inverse(self) -> FloatArray:
        """F^-1 itself, (n, n): only for what crosses all blocks."""

    @abstractmethod
    def expect_inverse(self) -> None:
        """Say that all of F^-1 will be needed."""

    def inverse_columns(self, block: int) -> FloatArray:
        """Return the columns of F^-1 of one block, (n, N_s).

        Parameters
        ----------
        block
            Position of the block.
        """
        a, b = self.trade.spans[block]
        unit = np.zeros((len(self.trade.inverse_output), b - a))
        unit[a:b] = np.eye(b - a)
        return self.solve(unit)

    def response_rows(self, block: int) -> FloatArray:
        """Return the rows of Q of one block, (N_s, n).

        Parameters
        ----------
        block
            Position of the block.
        """
        return self.solve_transpose(self.trade.rows(block))

    def update_parts(self, block: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return F^-1_.s, Q_s. and A^F F^-1_.s of a block; kept, so that its next change costs next to nothing.

        Parameters
        ----------
        block
            Position of the block that changes.
        """
        if block not in self._update_parts:
            columns = self.inverse_columns(block)
            self._update_parts[block] = (columns, self.response_rows(block), self.trade.apply(columns))
        return self._update_parts[block]

    @cached_property
    def feedback_blocks(self) -> list[FloatArray]:
        """G blocks Q_ss (F^-1_ss)^-1: what undoes the feedback of a block's own exports on itself."""
        return [
            np.asarray(np.linalg.solve(inverse.T, response.T).T, dtype=np.float64)
            for inverse, response in zip(self.inverse_blocks, self.response_blocks, strict=True)
        ]


class FactoredTrade(TradeSystem):
    """The trade system with its own LU factors: one n × n matrix.

    Parameters
    ----------
    trade
        A^F.
    propagation
        G blocks P_s.
    """

    def __init__(self, trade: TradeFlows, propagation: Sequence[FloatArray]) -> None:
        super().__init__(trade)
        self.propagation = tuple(propagation)
        matrix = trade.flows * trade.inverse_output
        for block, (a, b) in zip(self.propagation, trade.spans, strict=True):
            matrix[a:b, a:b] = 0.0
            matrix[a:b] = -block @ matrix[a:b]
        matrix[np.diag_indices_from(matrix)] += 1.0
        self._factor = DenseFactor(matrix, "the trade system of the banded table")

    def solve(self, right: FloatArray) -> FloatArray:
        """Return F^-1 right."""
        return self._factor.solve(right)

    def solve_transpose(self, left: FloatArray) -> FloatArray:
        """Return left F^-1."""
        return self._factor.solve_transpose(left)

    @cached_property
    def inverse(self) -> FloatArray:
        """F^-1 itself, (n, n): only for what crosses all blocks."""
        return self._factor.inverse()

    def expect_inverse(self) -> None:
        """Make F^-1 now, so that its diagonal blocks are cut from it."""
        _ = self.inverse

    @cached_property
    def inverse_blocks(self) -> Sequence[FloatArray]:
        """G diagonal blocks of F^-1, from the two triangles of the LU factors."""
        if "inverse" in self.__dict__:
            return [self.inverse[a:b, a:b] for a, b in self.trade.spans]
        return self._factor.diagonal_blocks(self.trade.offsets)

    @cached_property
    def response_blocks(self) -> Sequence[FloatArray]:
        """G diagonal blocks of Q, from ``P_s Q_ss = F^-1_ss - I``; solved for where P_s is nearly singular."""
        blocks: list[FloatArray] = []
        for s, (a, b) in enumerate(self.trade.spans):
            factors = self._propagation_factors[s]
            if factors is None:
                blocks.append(np.ascontiguousarray(self.response_rows(s)[:, a:b]))
            else:
                blocks.append(_divided(factors, self.inverse_blocks[s] - np.eye(b - a)))
        return blocks

    def response_crosswise(self, right: FloatArray) -> FloatArray:
        """Return (n, G) with Q_rs right_s[:, r] on block r and column s, from ``P_r Q_rs = F^-1_rs - I_rs``."""
        out = np.empty_like(right)
        starts = self.trade.offsets[:-1]
        for r, (a, b) in enumerate(self.trade.spans):
            factors = self._propagation_factors[r]
            if factors is None:
                out[a:b] = np.add.reduceat(self.response_rows(r) * right[:, r], starts, axis=1)
                continue
            crossed = np.add.reduceat(self.inverse[a:b] * right[:, r], starts, axis=1)
            crossed[:, r] -= right[a:b, r]
            out[a:b] = _divided(factors, crossed)
        return out

    @cached_property
    def _propagation_factors(self) -> list[tuple[FloatArray, IntArray] | None]:
        """LU factors of each P_s, ``None`` where it is nearly singular."""
        return [_factors(block) for block in self.propagation]


def _factors(matrix: FloatArray) -> tuple[FloatArray, IntArray] | None:
    norm = float(np.abs(matrix).sum(axis=0).max())
    factors, pivots, info = lapack.dgetrf(matrix)
    condition = lapack.dgecon(factors, norm)[0] if info == 0 else 0.0
    return None if condition < MIN_BLOCK_CONDITION else (factors, pivots)


def _divided(factors: tuple[FloatArray, IntArray], right: FloatArray) -> FloatArray:
    return np.asarray(lapack.dgetrs(*factors, right)[0])


class UpdatedTrade(TradeSystem):
    """The trade system after a change of one block of P, by a low-rank update (Sherman-Morrison-Woodbury).

    ``F_new = F - I_s D A^F_s.`` with ``D`` the change of P_s, so that
    ``F_new^-1 = F^-1 + F^-1_.s K Q_s.`` with ``K = (I - D Q_ss)^-1 D``.

    Parameters
    ----------
    base
        The system before.
    block
        Position of the block that changed.
    change
        Shape (N_s, N_s): D.
    """

    def __init__(self, base: TradeSystem, block: int, change: FloatArray) -> None:
        super().__init__(base.trade)
        self._base = base
        self.block = block
        self._columns, self._rows, self._moved = base.update_parts(block)
        a, b = self.trade.spans[block]
        own = self._rows[:, a:b]
        self._core = np.linalg.solve(np.eye(b - a) - change @ own, change)

    def update_left(self, solved: FloatArray) -> FloatArray:
        """Return left F_new^-1 from ``solved`` = left F^-1, (k, n), without solving anything."""
        a, b = self.trade.spans[self.block]
        return np.asarray(solved + (solved[:, a:b] @ self._core) @ self._rows)

    def update_sales(self, sales: FloatArray, change: FloatArray) -> FloatArray:
        """Return Q_new (right + change) from ``sales`` = Q right, (n, k), for a change (N_s, k) on the block."""
        a, b = self.trade.spans[self.block]
        before = sales + self._moved @ change
        return np.asarray(before + self._moved @ (self._core @ before[a:b]))

    def solve(self, right: FloatArray) -> FloatArray:
        """Return F_new^-1 right."""
        result: FloatArray = self._base.solve(right) + self._columns @ (self._core @ (self._rows @ right))
        return result

    def solve_transpose(self, left: FloatArray) -> FloatArray:
        """Return left F_new^-1."""
        result: FloatArray = self._base.solve_transpose(left) + ((left @ self._columns) @ self._core) @ self._rows
        return result

    @cached_property
    def inverse_blocks(self) -> Sequence[FloatArray]:
        """G diagonal blocks of F_new^-1."""
        return self._updated(self._base.inverse_blocks, self._columns)

    @cached_property
    def response_blocks(self) -> Sequence[FloatArray]:
        """G diagonal blocks of Q_new = Q + A^F F^-1_.s K Q_s."""
        return self._updated(self._base.response_blocks, self._moved)

    def response_crosswise(self, right: FloatArray) -> FloatArray:
        """Return (n, G) with Q_rs right_s[:, r] on block r and column s."""
        out = self._base.response_crosswise(right)
        inner = self._core @ self._rows
        for r, (a, b) in enumerate(self.trade.spans):
            out[a:b] += self._moved[a:b] @ np.add.reduceat(inner * right[:, r], self.trade.offsets[:-1], axis=1)
        return out

    def expect_inverse(self) -> None:
        """Pass on to the system before the change."""
        self._base.expect_inverse()

    @cached_property
    def inverse(self) -> FloatArray:
        """F_new^-1 itself, (n, n)."""
        return np.asarray(self._base.inverse + self._columns @ (self._core @ self._rows))

    def _updated(self, blocks: Sequence[FloatArray], columns: FloatArray) -> list[FloatArray]:
        return [
            block + columns[a:b] @ (self._core @ self._rows[:, a:b])
            for block, (a, b) in zip(blocks, self.trade.spans, strict=True)
        ]
