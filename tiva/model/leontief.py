"""The operators of a plain table: one LU factorisation and G small blocks, each made once, when first needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tiva.kernels import bilateral
from tiva.kernels.arrays import FloatArray, IntArray, frozen, offsets_of
from tiva.kernels.factorization import (
    DenseFactor,
    apply_blocks,
    apply_blocks_transpose,
    block_inverses,
)
from tiva.model.blocked import BlockedModel, satellite_of
from tiva.model.operators import abroad, block_rows, unit_of
from tiva.model.trade_flows import TradeFlows
from tiva.table.aggregation import assign

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


class LeontiefModel(BlockedModel):
    """The Leontief system of a table, as linear operators.

    Parameters
    ----------
    table
        A table; the parts of a split country (CN1, CN2) stay apart as rows and form one block.
    satellite
        Shape (n,) in the table's row order: jobs, emissions or another quantity that takes the place of value added.
    satellite_unit
        Its unit.
    groups
        Groups of countries that act as one country: label -> members. Trade inside a group is domestic.

    Notes
    -----
    Memory beside the table, in units of an n × n matrix: 1 for the LU factors (any operator that applies B); during
    :attr:`inverse_diagonal_blocks` 1 more for the triangular inverses, released afterwards; 1 for :attr:`inverse`,
    only if asked for; 1 for a copy of the flows if groups or split countries are not contiguous in the table. Input
    coefficients are never formed: flows are scaled as they are read.

    Zero-output rows have zero coefficients: their row of B is that of the identity. Exports that they nevertheless
    have (netted negative flows) carry no value added and are reported as ``discrepancy`` in results.

    Examples
    --------
    >>> import tiva
    >>> model = tiva.LeontiefModel(tiva.example())
    >>> model.value_added_by_origin.shape == (len(model.countries), len(model.output))
    True
    """

    def __init__(
        self,
        table: IcioTable,
        *,
        satellite: ArrayLike | None = None,
        satellite_unit: str | None = None,
        groups: Mapping[str, Sequence[str] | str] | None = None,
    ) -> None:
        self.table = table
        self.carries_satellite = satellite is not None
        self.unit = unit_of(table.unit, satellite, satellite_unit)
        self.countries, block_of_country = assign("country", table.countries, groups or {})
        self.sectors = table.sectors
        self.bands: tuple[str, ...] = ()
        block_of_area = block_of_country[table.area_country_index]
        sectors = len(table.sectors)
        by_row = np.repeat(block_of_area, sectors)
        self._order: IntArray = np.argsort(by_row, kind="stable")
        self._in_order = bool((self._order == np.arange(table.n)).all())
        self.row_country: IntArray = by_row[self._order]
        self.row_sector: IntArray = np.tile(np.arange(sectors), len(table.areas))[self._order]
        self.row_area: IntArray = np.repeat(np.arange(len(table.areas)), sectors)[self._order]
        self.row_band: IntArray = np.zeros(table.n, dtype=np.int64)
        self.offsets: IntArray = offsets_of(np.bincount(self.row_country, minlength=len(self.countries)))
        self._block_of_country = block_of_country
        self._primary = self._primary_input(satellite)

    def _primary_input(self, satellite: ArrayLike | None) -> FloatArray:
        if satellite is None:
            return self.table.value_added
        return satellite_of(satellite, self.table.n, rows="country-sector of the table")

    def _factorise(self) -> None:
        _ = self.factor

    def _rows(self, values: FloatArray) -> FloatArray:
        return values if self._in_order else np.ascontiguousarray(values[self._order])

    @cached_property
    def flows(self) -> FloatArray:
        """Shape (R, R): intermediate flows in block order (the table's own array where the order agrees)."""
        if self._in_order:
            return self.table.intermediate
        return frozen(np.ascontiguousarray(self.table.intermediate[np.ix_(self._order, self._order)]))

    @cached_property
    def output(self) -> FloatArray:
        """Shape (R,): gross output."""
        return frozen(self._rows(self.table.output))

    @cached_property
    def other_inputs(self) -> FloatArray:
        """Shape (R,): taxes, margins and adjustments per unit of output; zero beside a satellite."""
        return frozen(self._rows(self._other_inputs_of_table()) * self.inverse_output)

    @cached_property
    def final_demand(self) -> FloatArray:
        """Shape (R, G): final demand by absorbing block, Y."""
        return frozen(self._by_block(self._rows(self.table.final_demand_by_absorber)))

    def final_demand_of(self, categories: Sequence[str]) -> FloatArray:
        """Return (R, G): final demand of some of the table's categories by absorbing block."""
        chosen = [self.table.final_demand_categories.index(name) for name in categories]
        return self._by_block(self._rows(self.table.final_demand[:, :, chosen].sum(axis=2)))

    @cached_property
    def exports(self) -> FloatArray:
        """Shape (R, G): gross exports by importer, zero at home."""
        intermediate = np.add.reduceat(self.flows, self.offsets[:-1], axis=1)
        return frozen(abroad(self, self.final_demand + intermediate))

    @cached_property
    def between(self) -> TradeFlows:
        """The coefficients of trade between blocks, A^F."""
        return TradeFlows(self.flows, self.inverse_output, self.offsets)

    @cached_property
    def domestic_blocks(self) -> list[FloatArray]:
        """G blocks A_ss, each (N_s, N_s)."""
        return [self.flows[a:b, a:b] * self.inverse_output[a:b] for a, b in self.between.spans]

    @cached_property
    def local_inverses(self) -> list[FloatArray]:
        """G blocks L_ss = (I - A_ss)^-1."""
        return block_inverses([np.eye(len(a)) - a for a in self.domestic_blocks], self.countries)

    @cached_property
    def local_inverse_diagonal(self) -> FloatArray:
        """Shape (R,): diagonal of the blocks L_ss."""
        return np.concatenate([np.diagonal(block) for block in self.local_inverses])

    @cached_property
    def factor(self) -> DenseFactor:
        """LU factors of I - A: one n × n matrix."""
        matrix = np.multiply(self.flows, -self.inverse_output[None, :])
        matrix[np.diag_indices_from(matrix)] += 1.0
        return DenseFactor(matrix)

    @cached_property
    def inverse(self) -> FloatArray:
        """B itself, shape (R, R): only for what needs origin × flow cubes."""
        return frozen(self.factor.inverse())

    @cached_property
    def inverse_diagonal_blocks(self) -> list[FloatArray]:
        """G blocks B_ss, made from the LU factors without the rest of the inverse."""
        if "inverse" in self.__dict__:
            return [self.inverse[a:b, a:b] for a, b in self.between.spans]
        return self.factor.diagonal_blocks(self.offsets)

    @cached_property
    def _feedback_inverses(self) -> list[FloatArray]:
        """G blocks B_ss^-1 L_ss = (I + sum_j A_sj B_js)^-1."""
        return [
            np.asarray(np.linalg.solve(b, local), dtype=np.float64)
            for b, local in zip(self.inverse_diagonal_blocks, self.local_inverses, strict=True)
        ]

    @cached_property
    def value_added_by_origin(self) -> FloatArray:
        """Shape (G, R): V_t B_t. in row t."""
        return frozen(self.apply_inverse_transpose(block_rows(self, self.value_added)))

    @cached_property
    def absorption(self) -> FloatArray:
        """Shape (R, G): B Y."""
        return frozen(self.apply_inverse(self.final_demand))

    def local_inverse(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(L_ss) right, for right (R,) or (R, k)."""
        return apply_blocks(self.local_inverses, self.offsets, right)

    def local_inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left blockdiag(L_ss), for left (R,) or (k, R)."""
        return apply_blocks_transpose(self.local_inverses, self.offsets, left)

    def apply_inverse(self, right: FloatArray) -> FloatArray:
        """Return B right, for right (R,) or (R, k)."""
        return self.factor.solve(right)

    def apply_inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left B, for left (R,) or (k, R)."""
        return self.factor.solve_transpose(left)

    def undo_feedback(self, left: FloatArray) -> FloatArray:
        """Return left_s B_ss^-1 L_ss on each block, for left (R,) or (k, R)."""
        return apply_blocks_transpose(self._feedback_inverses, self.offsets, left)

    def undo_feedback_columns(self, right: FloatArray) -> FloatArray:
        """Return B_ss^-1 L_ss right_s on each block, for right (R,) or (R, k)."""
        return apply_blocks(self._feedback_inverses, self.offsets, right)

    def apply_inverse_diagonal(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(B_ss) right, for right (R,) or (R, k)."""
        return apply_blocks(self.inverse_diagonal_blocks, self.offsets, right)

    def inverse_columns(self, rows: IntArray) -> FloatArray:
        """Return B[:, rows], shape (R, k); cut from :attr:`inverse` where it is there."""
        return np.asarray(self.inverse[:, rows]) if "inverse" in self.__dict__ else super().inverse_columns(rows)

    def inverse_rows(self, rows: IntArray) -> FloatArray:
        """Return B[rows, :], shape (k, R); cut from :attr:`inverse` where it is there."""
        return np.asarray(self.inverse[rows]) if "inverse" in self.__dict__ else super().inverse_rows(rows)

    def input_rows(self, rows: IntArray) -> FloatArray:
        """Return A[rows, :], shape (k, R)."""
        return np.asarray(self.flows[rows] * self.inverse_output)

    @cached_property
    def feedback_diagonal(self) -> FloatArray:
        """Shape (R,): diagonal of sum_{j != s} A_sj B_js = (I - A_ss) B_ss - I."""
        pairs = zip(self.domestic_blocks, self.inverse_diagonal_blocks, strict=True)
        return np.concatenate([np.diagonal(b) - np.einsum("ij,ji->i", a, b) - 1.0 for a, b in pairs])

    @cached_property
    def pair_feedback_diagonal(self) -> FloatArray:
        """Shape (R, G): diagonal of A_sr B_rs for every pair; makes :attr:`inverse`."""
        out = np.empty((len(self.row_country), len(self.countries)))
        for a, b in self.between.spans:
            products = self.flows[a:b] * self.inverse_output * self.inverse[:, a:b].T
            out[a:b] = np.add.reduceat(products, self.offsets[:-1], axis=1)
        return frozen(abroad(self, out))

    def feedback_cells(self, cells: IntArray) -> FloatArray:
        """Return (c, k, k): rows and columns of sum_{j != s} A_sj B_js for c sets of k rows, each of one block."""
        out = np.empty((*cells.shape, cells.shape[1]))
        for s in np.unique(self.row_country[cells[:, 0]]):
            within, own = self.row_country[cells[:, 0]] == s, self.inverse_diagonal_blocks[s]
            feedback = own - self.domestic_blocks[s] @ own - np.eye(len(own))
            out[within] = _cut(feedback, cells[within] - self.offsets[s])
        return out

    def pair_feedback_cells(self, cells: IntArray) -> FloatArray:
        """Return (c, G, k, k): the same of A_sr B_rs for every r, zero at r = s; makes :attr:`inverse`."""
        out = np.zeros((len(cells), len(self.countries), cells.shape[1], cells.shape[1]))
        for s in np.unique(self.row_country[cells[:, 0]]):
            a, b = self.offsets[s], self.offsets[s + 1]
            within = self.row_country[cells[:, 0]] == s
            delivered = self.between.rows(int(s))
            for r, (c, d) in enumerate(self.between.spans):
                if r != s:
                    out[within, r] = _cut(delivered[:, c:d] @ self.inverse[c:d, a:b], cells[within] - a)
        return out

    def undo_pair_feedback(self, left: FloatArray) -> FloatArray:
        """Return (k, R, G) with left_s (I + A_sr B_rs)^-1 for every pair, for left (k, R); makes :attr:`inverse`."""
        out = np.zeros((*left.shape, len(self.countries)))
        for s, (a, b) in enumerate(self.between.spans):
            delivered = self.between.rows(int(s))
            for r, (c, d) in enumerate(self.between.spans):
                if r != s:
                    feedback = delivered[:, c:d] @ self.inverse[c:d, a:b]
                    feedback[np.diag_indices(b - a)] += 1.0
                    out[:, a:b, r] = np.linalg.solve(feedback.T, left[:, a:b].T).T
        return out

    def expect_inverse(self) -> None:
        """Make :attr:`inverse` now, so that :attr:`inverse_diagonal_blocks` is cut from it."""
        _ = self.inverse

    def apply_inverse_crosswise(self, right: FloatArray) -> FloatArray:
        """Return (R, G) with B_rs right_s[:, r] on block r and column s; makes :attr:`inverse`."""
        out = np.empty((len(self.row_country), len(self.countries)))
        for r, (a, b) in enumerate(self.between.spans):
            out[a:b] = np.add.reduceat(self.inverse[a:b] * right[:, r], self.offsets[:-1], axis=1)
        return out

    def domestic(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(A_ss) right."""
        return apply_blocks(self.domestic_blocks, self.offsets, right)

    def trade(self, right: FloatArray) -> FloatArray:
        """Return A^F right: deliveries of each row to all other blocks."""
        return self.between.apply(right)

    def trade_transpose(self, left: FloatArray) -> FloatArray:
        """Return left A^F, for left (R,) or (k, R)."""
        return self.between.apply_transpose(left)

    def trade_products(self, common: FloatArray | None = None, paired: Sequence[FloatArray] = ()) -> FloatArray:
        """Return A_sr x_r for all pairs (R, G, k + len(paired)); see :meth:`TradeFlows.products`."""
        return self.between.products(common, paired)

    def sweep(
        self,
        recipe: bilateral.Recipe,
        *,
        coefficients: Sequence[FloatArray],
        common: Sequence[FloatArray] = (),
        paired: Sequence[FloatArray] = (),
        final: Sequence[FloatArray] = (),
    ) -> dict[str, FloatArray]:
        """Accumulate bilateral terms, each (R, G), in one pass; see :func:`tiva.kernels.bilateral.sweep`."""
        return bilateral.sweep(
            self.flows,
            self.inverse_output,
            self.offsets,
            recipe,
            coefficients=coefficients,
            common=common,
            paired=paired,
            final=final,
        )


def _cut(matrix: FloatArray, cells: IntArray) -> FloatArray:
    """Return (c, k, k): rows and columns of a matrix for c sets of k positions."""
    return np.asarray(matrix[cells[:, :, None], cells[:, None, :]])
