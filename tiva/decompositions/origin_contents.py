"""What a unit of each row's exports contains of some origins."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tiva.kernels.arrays import BoolArray, FloatArray, IntArray
from tiva.kernels.factorization import apply_blocks_transpose
from tiva.model.operators import Operators


class Contents:
    """Contents by kind, for a few origins at a time.

    Parameters
    ----------
    model
        The operators of a table.
    perimeter
        What ``whole_within`` and ``first_import`` are within: ``"bilateral"``, ``"group"``, ``"importer"``,
        ``"sectimp"``.
    sold
        Shape (R,): rows whose exports make up the perimeter ``"group"``.
    partners
        Shape (G,): importers that make it up.

    Notes
    -----
    With W = V on the rows of an origin and zero elsewhere, W B is its whole content. In the perimeter of a pair
    (W B)_s (I + A_sr B_rs)^-1; of a group, with T the exporter's rows and R the partners', (W B)_T (I + A_TR B_RT)^-1.
    The inverse without any deliveries to r is B - (B_.r - I_.r L_rr) B_rr^-1 B_r. ; that without those of product n,
    rows T, is B - B_.T A_Tr (I + B_rT A_Tr)^-1 B_r. .
    """

    def __init__(self, model: Operators, perimeter: str, sold: BoolArray, partners: BoolArray) -> None:
        self.model, self.perimeter = model, perimeter
        self.sold, self.partners = sold, partners

    def paired(self, kind: str) -> bool:
        """Return whether a kind of content depends on the importer too.

        Parameters
        ----------
        kind
            See :class:`tiva.decompositions.origin_terms.Part`.
        """
        return kind in {"first_import", "importers_own"} or (kind.endswith("_within") and self.perimeter == "bilateral")

    def of(self, kinds: Sequence[str], cells: Sequence[IntArray], others: Sequence[bool]) -> dict[str, FloatArray]:
        """Return contents of some origins.

        Parameters
        ----------
        kinds
            See :class:`tiva.decompositions.origin_terms.Part`.
        cells
            Rows of the model that make up each origin.
        others
            Whether each origin holds taxes, margins and adjustments too.

        Returns
        -------
        dict
            Kind -> (origins, R), or (origins, R, G) for a :meth:`paired` kind; per unit of exports. Missing for
            origins that are empty.
        """
        weights = np.zeros((len(cells), len(self.model.output)))
        for cell, rows in enumerate(cells):
            weights[cell, rows] = self.model.value_added[rows]
            if others[cell]:
                weights[cell] += self.model.other_inputs
        known: dict[str, FloatArray] = {}
        empty = [not (len(rows) or other) for rows, other in zip(cells, others, strict=True)]
        found = {kind: self._kind(kind, weights, cells, known) for kind in kinds}
        for values in found.values():
            values[empty] = np.nan
        return found

    def _kind(
        self, kind: str, weights: FloatArray, cells: Sequence[IntArray], known: dict[str, FloatArray]
    ) -> FloatArray:
        """Return a kind of content, made from others where ``known`` has them not yet."""
        if kind in known:
            return known[kind]

        def of(other: str) -> FloatArray:
            return self._kind(other, weights, cells, known)

        model = self.model
        if kind == "whole":
            made = model.apply_inverse_transpose(weights)
        elif kind == "own":
            made = apply_blocks_transpose(model.inverse_diagonal_blocks, model.offsets, weights)
        elif kind == "local":
            made = model.local_inverse_transpose(weights)
        elif kind == "once":
            made = model.undo_feedback(of("whole"))
        elif kind == "second":
            made = model.local_inverse_transpose(model.trade_transpose(of("local")))
        elif kind == "importers_own":
            made = self._importers_own(cells)
        elif kind == "first_import":
            made = self._first_import(of("whole"), weights)
        elif kind.endswith("_within"):
            made = self._within(of(kind.removesuffix("_within")))
        else:
            less, more = _DIFFERENCES[kind]
            made = of(more) - of(less)
        known[kind] = made
        return made

    def _within(self, left: FloatArray) -> FloatArray:
        if self.perimeter == "bilateral":
            return self.model.undo_pair_feedback(left)
        within = left.copy()
        for rows, feedback in self._group_feedback:
            within[:, rows] = np.linalg.solve(feedback.T, left[:, rows].T).T
        return within

    @cached_property
    def _group_feedback(self) -> list[tuple[IntArray, FloatArray]]:
        """For each exporter, its rows T in the perimeter and I + A_TR B_RT with R those of the partners."""
        model, found = self.model, []
        for s in range(len(model.countries)):
            rows = np.flatnonzero(self.sold & (model.row_country == s))
            buyers = self.partners[model.row_country] & (model.row_country != s)
            if len(rows) and buyers.any():
                back = model.input_rows(rows)[:, buyers] @ model.inverse_columns(rows)[buyers]
                found.append((rows, np.eye(len(rows)) + back))
        return found

    def _importers_own(self, cells: Sequence[IntArray]) -> FloatArray:
        """Return (origins, R, G): V_r B_r. of the part of each origin that lies in the importer r."""
        model = self.model
        units = [
            (cell, int(r), rows[model.row_country[rows] == r])
            for cell, rows in enumerate(cells)
            for r in np.unique(model.row_country[rows])
        ]
        out = np.zeros((len(cells), len(model.output), len(model.countries)))
        width = max(1, len(cells))
        for start in range(0, len(units), width):
            few = units[start : start + width]
            weights = np.zeros((len(few), len(model.output)))
            for unit, (_, _, rows) in enumerate(few):
                weights[unit, rows] = model.value_added[rows]
            for (cell, r, _), content in zip(few, model.apply_inverse_transpose(weights), strict=True):
                out[cell, :, r] = content
        return out

    def _first_import(self, whole: FloatArray, weights: FloatArray) -> FloatArray:
        """Return (origins, R, G): what has not crossed the importer's border before."""
        return self._first_of_product(whole) if self.perimeter == "sectimp" else self._first_of_all(whole, weights)

    def _first_of_all(self, whole: FloatArray, weights: FloatArray) -> FloatArray:
        model = self.model
        blocks = len(model.countries)
        out = np.empty((*whole.shape, blocks))
        entered = whole - model.local_inverse_transpose(weights)
        by_rows = len(whole) * blocks >= len(model.output)
        if by_rows:
            model.expect_inverse()
        diagonal = model.inverse_diagonal_blocks
        for r, (a, b) in enumerate(zip(model.offsets[:-1], model.offsets[1:], strict=True)):
            again = np.linalg.solve(diagonal[r].T, entered[:, a:b].T).T
            if by_rows:
                out[:, :, r] = whole - again @ model.inverse_rows(np.arange(a, b))
                continue
            left = np.zeros_like(whole)
            left[:, a:b] = again
            out[:, :, r] = whole - model.apply_inverse_transpose(left)
        return out

    def _first_of_product(self, whole: FloatArray) -> FloatArray:
        model = self.model
        model.expect_inverse()
        out = np.zeros((*whole.shape, len(model.countries)))
        for n in range(len(model.sectors)):
            rows = np.flatnonzero(model.row_sector == n)
            inverse, inputs = model.inverse_columns(rows), model.input_rows(rows)
            for r, (a, b) in enumerate(zip(model.offsets[:-1], model.offsets[1:], strict=True)):
                delivered = inputs[:, a:b] * (model.row_country[rows] != r)[:, None]
                loop = np.eye(b - a) + inverse[a:b] @ delivered
                again = np.linalg.solve(loop.T, (whole[:, rows] @ delivered).T).T
                out[:, rows, r] = whole[:, rows] - again @ inverse[a:b]
        return out


_DIFFERENCES = {
    "foreign": ("own", "whole"),
    "once_foreign": ("local", "once"),
    "own_again": ("local", "own"),
    "foreign_again": ("once_foreign", "foreign"),
    "imported": ("local", "whole"),
}
"""Kinds that are one kind less another: kind -> (less, of)."""
