"""Exports by importer that some countries finally absorb."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tiva.kernels.arrays import BoolArray, FloatArray
from tiva.model.operators import Operators, block_columns, own_country
from tiva.model.own_perimeter import OwnPerimeters, own_perimeters


class Deliveries:
    """Exports by kind, for the final goods of some sectors and a few absorbers at a time.

    Parameters
    ----------
    model
        The operators of a table.
    inside
        Shape (R,): rows that make the final goods counted.
    perimeter
        What ``kept`` is within: ``"sectexp"`` or ``"sectbil"``.
    mask
        Shape (R, G): flows that count at all; ``None`` for all.

    Notes
    -----
    All that ends with l: F_sr^l = Y_sr 1(l = r) + A_sr (BY)_rl. What passes through s once more:
    A_sr B_rs B_ss^-1 L_ss (sum_j F_sj^l). Absorbed by the importer itself: H_sr = Y_sr + A_sr L_rr Y_rr; exported once
    more to where it is absorbed: A_sr L_rr H_rl.
    """

    def __init__(self, model: Operators, inside: BoolArray, perimeter: str, mask: BoolArray | None) -> None:
        self.model, self.perimeter, self.mask = model, perimeter, mask
        every = bool(inside.all())
        self.demand = model.final_demand if every else np.where(inside[:, None], model.final_demand, 0.0)
        self.final = model.exports_final if every else np.where(inside[:, None], model.exports_final, 0.0)
        self._every = every

    @cached_property
    def absorbed(self) -> FloatArray:
        """Shape (R, G): output of each row for the final demand of each block."""
        return self.model.absorption if self._every else self.model.apply_inverse(self.demand)

    @cached_property
    def _direct(self) -> FloatArray:
        """Shape (R, G): exports that the importer absorbs without exporting them again, H."""
        home = self.model.local_inverse(own_country(self.model, self.demand))
        return self.final + self.model.trade_products(home[:, None])[:, :, 0]

    @cached_property
    def _to_importer(self) -> FloatArray:
        """Shape (R, G): exports that leave for the last time and that the importer finally absorbs, by any way."""
        model = self.model
        ending = self.final + model.trade(self.absorbed)
        through = model.apply_inverse_crosswise(model.undo_feedback_columns(ending))
        products = model.trade_products(own_country(model, self.absorbed)[:, None], [through])
        return np.asarray(self.final + products[:, :, 0] - products[:, :, 1])

    @cached_property
    def _perimeters(self) -> OwnPerimeters:
        """The flow's own perimeters, in which a part of a content counts once."""
        return own_perimeters(self.model, by_partner=self.perimeter != "sectexp")

    def of(self, kinds: Sequence[str], takes: FloatArray) -> dict[str, FloatArray]:
        """Return deliveries that some absorbers take.

        Parameters
        ----------
        kinds
            See :class:`tiva.decompositions.origin_terms.Part`.
        takes
            Shape (G, k): which blocks make up each absorber, 1 or 0.

        Returns
        -------
        dict
            Kind -> (R, G, k), row by importer by absorber, in the unit of the table; zero at home.
        """
        known: dict[str, FloatArray] = {}
        found = {kind: self._kind(kind, takes, known) for kind in kinds}
        if self.mask is None:
            return found
        for values in found.values():
            values[~self.mask] = 0.0
        return found

    def _kind(self, kind: str, takes: FloatArray, known: dict[str, FloatArray]) -> FloatArray:
        """Return a kind of deliveries, made from others where ``known`` has them not yet."""
        if kind in known:
            return known[kind]

        def of(other: str) -> FloatArray:
            return self._kind(other, takes, known)

        model = self.model
        if kind == "all":
            made = model.trade_products(self.absorbed @ takes)
            made += self.final[:, :, None] * takes
        elif kind == "home":
            made = model.trade_products(paired=list(takes.T[:, None, :] * self.absorbed))
        elif kind == "direct":
            made = self._direct[:, :, None] * takes
        elif kind == "last_importer":
            made = self._to_importer[:, :, None] * takes
        elif kind == "returned":
            made = model.trade_products(model.local_inverse(self._direct @ takes))
        elif kind in _PASSING:
            leaving = model.undo_feedback_columns(of(_PASSING[kind]).sum(axis=1))
            made = model.trade_products(paired=_through_exporters(model, leaving))
        elif kind.startswith("kept"):
            made = self._perimeters.of_flows(of(kind.removeprefix("kept").lstrip("_") or "all"))
        else:
            less, more = _DIFFERENCES[kind]
            made = of(more) - of(less)
        known[kind] = made
        return made


_PASSING = {"again": "all", "again_home": "home"}

_DIFFERENCES = {
    "abroad": ("home", "all"),
    "onward": ("direct", "all"),
    "last": ("again", "all"),
    "last_home": ("again_home", "home"),
    "last_abroad": ("last_home", "last"),
    "rest": ("kept", "all"),
}
"""Kinds that are one kind less another: kind -> (less, of)."""


def _through_exporters(model: Operators, right: FloatArray) -> list[FloatArray]:
    """Return, for each column of right (R, k), the array (R, G) with B_.s right_s in column s."""
    rows, blocks = model.final_demand.shape
    if right.shape[1] * blocks < rows:
        return [model.apply_inverse(block_columns(model, column)) for column in right.T]
    model.expect_inverse()
    out = np.empty((right.shape[1], rows, blocks))
    for s in range(blocks):
        own = np.flatnonzero(model.row_country == s)
        out[:, :, s] = (model.inverse_columns(own) @ right[own]).T
    return list(out)
