"""Deliveries between blocks: the coefficients of international trade in intermediates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tiva.kernels import bilateral
from tiva.kernels.arrays import FloatArray, IntArray


class TradeFlows:
    """Import coefficients A^F between blocks, applied without being formed.

    Parameters
    ----------
    flows
        Shape (n, n): intermediate flows; blocks on the diagonal are not read.
    inverse_output
        Shape (n,): 1 / output, 0 where output is 0.
    offsets
        Shape (G + 1,).
    """

    def __init__(self, flows: FloatArray, inverse_output: FloatArray, offsets: IntArray) -> None:
        self.flows = flows
        self.inverse_output = inverse_output
        self.offsets = offsets

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First and last row of each block."""
        return [(int(a), int(b)) for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]

    def apply(self, right: FloatArray) -> FloatArray:
        """Return A^F right, for right (n,) or (n, k).

        Parameters
        ----------
        right
            Shape (n,) or (n, k): activity by country-sector.
        """
        scaled = right * (self.inverse_output if right.ndim == 1 else self.inverse_output[:, None])
        result: FloatArray = self.flows @ scaled
        for a, b in self.spans:
            result[a:b] -= self.flows[a:b, a:b] @ scaled[a:b]
        return result

    def apply_transpose(self, left: FloatArray) -> FloatArray:
        """Return left A^F, for left (n,) or (k, n).

        Parameters
        ----------
        left
            Shape (n,) or (k, n): per unit of each country-sector's deliveries.
        """
        result: FloatArray = left @ self.flows
        for a, b in self.spans:
            result[..., a:b] -= left[..., a:b] @ self.flows[a:b, a:b]
        result *= self.inverse_output
        return result

    def rows(self, block: int) -> FloatArray:
        """Return the rows of A^F of one block, (N_s, n).

        Parameters
        ----------
        block
            Position of the block that sells.
        """
        a, b = self.spans[block]
        rows = self.flows[a:b] * self.inverse_output
        rows[:, a:b] = 0.0
        return np.asarray(rows)

    def products(self, common: FloatArray | None = None, paired: Sequence[FloatArray] = ()) -> FloatArray:
        """Return A_sr x_r for all pairs, (n, G, k + len(paired)), zero where the importer is the exporter.

        Parameters
        ----------
        common
            Shape (n, k): activity x_r of every importer, the same for all exporters.
        paired
            Arrays (n, G): activity of importer r for exporter s in column s.
        """
        return bilateral.trade_products(self.flows, self.inverse_output, self.offsets, common=common, paired=paired)
