"""The local network of each block: a country at home, or the countries of a group with the trade among them."""

from __future__ import annotations

import numpy as np

from tiva.bands.domestic import HomeNetwork
from tiva.kernels.arrays import FloatArray
from tiva.kernels.factorization import block_inverses
from tiva.kernels.segments import collapse, collapse_columns, spread, spread_columns
from tiva.model.trade_flows import TradeFlows


class LocalNetwork:
    """Local inverses L_ss between band rows, for all blocks.

    For a single country it is the home network. For a group with inner trade A^I the same algebra that serves the
    world serves the group: ``L = H + H E (I - A^I P)^-1 A^I M H`` with ``P = M H E`` of its members.

    Parameters
    ----------
    home
        The home networks of all countries.
    between
        A^F, the aggregate coefficients between blocks (its diagonal blocks hold the inner trade of groups).
    imports, exports
        Shapes (R,): mu and e.
    """

    def __init__(self, home: HomeNetwork, between: TradeFlows, imports: FloatArray, exports: FloatArray) -> None:
        self.home = home
        self.between = between
        self._imports = imports
        self._exports = exports
        self._inner: dict[int, FloatArray] = {}
        self._returns: dict[int, FloatArray] = {}
        self.propagation = self._propagation()
        """G blocks P_s = M L_ss E, each (N_s, N_s)."""

    def _propagation(self) -> list[FloatArray]:
        by_country = self.home.propagation(self._imports, self._exports)
        blocks: list[FloatArray] = []
        for block, (a, b) in enumerate(self.between.spans):
            inside = [c for c, first in enumerate(self.home.offsets[:-1]) if a <= first < b]
            if len(inside) == 1:
                blocks.append(by_country[inside[0]])
            else:
                blocks.append(self._group(block, inside, by_country))
        return blocks

    def _group(self, block: int, inside: list[int], by_country: list[FloatArray]) -> FloatArray:
        a, b = self.between.spans[block]
        inner = self.between.flows[a:b, a:b] * self.between.inverse_output[a:b]
        members = np.zeros((b - a, b - a))
        for country in inside:
            first, last = self.home.offsets[country] - a, self.home.offsets[country + 1] - a
            inner[first:last, first:last] = 0.0
            members[first:last, first:last] = by_country[country]
        closed = block_inverses([np.eye(b - a) - inner @ members], (f"group {block}",))[0]
        self._inner[block] = inner
        self._returns[block] = closed @ inner
        return members @ closed

    def inverse(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(L_ss) right, for right (R,) or (R, k).

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """
        result = self.home.inverse(right)
        if self._returns:
            needs = collapse(self._imports, self.home.start, result)
            result += self.home.inverse(self._spread(self._moved(self._returns, needs)))
        return result

    def inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left blockdiag(L_ss), for left (R,) or (k, R).

        Parameters
        ----------
        left
            Shape (R,), or (k, R) for k left sides at once.
        """
        result = self.home.inverse_transpose(left)
        if self._returns:
            result += self.home.inverse_transpose(self._moved_transpose(self._returns, result))
        return result

    def deliveries(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(A_ss) right: inputs from the own block.

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """
        result = self.home.deliveries(right)
        if self._inner:
            needs = collapse(self._imports, self.home.start, right)
            result += self._spread(self._moved(self._inner, needs))
        return result

    def deliveries_transpose(self, left: FloatArray) -> FloatArray:
        """Return left blockdiag(A_ss), for left (R,) or (k, R).

        Parameters
        ----------
        left
            Shape (R,), or (k, R) for k left sides at once.
        """
        result = self.home.deliveries_transpose(left)
        if self._inner:
            result += self._moved_transpose(self._inner, left)
        return result

    def _moved_transpose(self, cores: dict[int, FloatArray], left: FloatArray) -> FloatArray:
        sold = collapse_columns(self._exports, self.home.start, left)
        moved = np.zeros_like(sold)
        for block, core in cores.items():
            a, b = self.between.spans[block]
            moved[..., a:b] = sold[..., a:b] @ core
        return spread_columns(self._imports, self.home.segment, moved)

    def _moved(self, cores: dict[int, FloatArray], needs: FloatArray) -> FloatArray:
        moved = np.zeros_like(needs)
        for block, core in cores.items():
            a, b = self.between.spans[block]
            moved[a:b] = core @ needs[a:b]
        return moved

    def _spread(self, sales: FloatArray) -> FloatArray:
        return spread(self._exports, self.home.segment, sales)
