"""The operators of a banded table, by exact low-rank algebra: one factorisation of the size of the plain table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from tiva.bands import own_perimeter
from tiva.bands.domestic import HomeNetwork
from tiva.bands.expand import domestic_flows, home_final_demand
from tiva.bands.local import LocalNetwork
from tiva.bands.preference import preference_scores
from tiva.bands.rows import country_of_rows
from tiva.bands.shares import MARGINS
from tiva.bands.trade import FactoredTrade, TradeSystem, UpdatedTrade
from tiva.errors import UnknownLabelError, UsageError, explain
from tiva.kernels import bilateral
from tiva.kernels.arrays import FloatArray, IntArray, frozen, offsets_of
from tiva.kernels.segments import collapse, collapse_columns, segment_of_rows, spread, spread_columns
from tiva.model.blocked import BlockedModel, satellite_of
from tiva.model.operators import abroad, block_rows, unit_of
from tiva.model.trade_flows import TradeFlows
from tiva.table.aggregation import assign

if TYPE_CHECKING:
    from tiva.bands.shares import BandShares
    from tiva.bands.split import BandedTable


class BandedModel(BlockedModel):
    """The Leontief system of a table split into firm-size bands, as linear operators.

    The same operators as :class:`tiva.LeontiefModel`; rows are country-sector-bands, R of them, ragged.

    Parameters
    ----------
    banded
        A table from :func:`tiva.split_by_size`.
    satellite
        Jobs, emissions or another quantity in place of value added: shape (R,) in the row order of ``banded``, or (n,)
        in that of the source table, which is then spread over bands like output (the same per unit in all bands).
    satellite_unit
        Its unit.
    groups
        Groups of countries that act as one country: label -> members. Trade inside a group counts as domestic; which
        bands take part in it still follows the export and import margins.

    Notes
    -----
    With ``E`` spreading a sector's exports over its bands (e), ``M`` collecting its imports (mu = m/s), A^F the
    aggregate coefficients between blocks and L the local inverses (made from blocks of aggregate size):
    ``B = L + L E Q M L``, ``Q = A^F F^-1``, ``F = I - P A^F``, ``P = M L E``. F is n x n for any number of bands.

    Memory beside the table, in units of an n x n matrix: 1 for the LU factors of F, 1 more while the diagonal blocks
    of its inverse are made, and arrays (R, G).

    Examples
    --------
    >>> import tiva
    >>> table = tiva.example()
    >>> margins = {"MEX": {table.sectors[0]: {"output": [0.4, 0.6], "exports": [0.2, 0.8]}}}
    >>> shares = tiva.BandShares.from_dicts(table, margins, bands={"MEX": ("small", "large")})
    >>> model = tiva.split_by_size(table, shares).model()
    >>> model.bands
    ('small', 'large', 'all')
    >>> len(model.output) == len(table.output) + 1
    True

    What if large firms exported less? One country's margins change by a low-rank update of the factors at hand:

    >>> margins["MEX"][table.sectors[0]]["exports"] = [0.3, 0.7]
    >>> other = tiva.BandShares.from_dicts(table, margins, bands={"MEX": ("small", "large")})
    >>> changed = model.with_country_shares("MEX", other)
    >>> bool(changed.exports[model.row_band == 0].sum() > model.exports[model.row_band == 0].sum())
    True
    """

    _of_content = (*BlockedModel._of_content, "_local_content", "_imports_by_origin")

    def __init__(
        self,
        banded: BandedTable,
        *,
        satellite: ArrayLike | None = None,
        satellite_unit: str | None = None,
        groups: Mapping[str, Sequence[str] | str] | None = None,
    ) -> None:
        self.banded = banded
        self.table = banded.source
        self.carries_satellite = satellite is not None
        self.unit = unit_of(banded.unit, satellite, satellite_unit)
        self.groups = dict(groups or {})
        self.countries, self._block_of_country = assign("country", banded.countries, self.groups)
        self.sectors = banded.sectors
        self.bands = banded.bands
        self._order_rows()
        self._satellite = satellite
        self._before: tuple[BandedModel, UpdatedTrade] | None = None
        self._primary = self._primary_input(satellite)

    def _order_rows(self) -> None:
        """Bring aggregate and band rows into block order, countries contiguous within a block."""
        country = country_of_rows(self.table)
        block = self._block_of_country[country]
        self._order: IntArray = np.lexsort((country, block))
        self._in_order = bool((self._order == np.arange(self.table.n)).all())
        start = self.banded.split.start
        sizes = np.diff(start)[self._order]
        self.start: IntArray = offsets_of(sizes)
        self.segment: IntArray = segment_of_rows(self.start)
        self.source_row: IntArray = np.arange(self.start[-1]) + np.repeat(start[self._order] - self.start[:-1], sizes)
        blocks = len(self.countries)
        self.aggregate_offsets: IntArray = offsets_of(np.bincount(block, minlength=blocks))
        self.offsets: IntArray = self.start[self.aggregate_offsets]
        self.row_country: IntArray = block[self._order][self.segment]
        self.row_sector: IntArray = self.banded.row_sector[self.source_row]
        self.row_area: IntArray = (self._order // len(self.sectors))[self.segment]
        self.row_band: IntArray = np.asarray(self.banded.row_band[self.source_row])
        self._country: IntArray = country[self._order]
        self._country_order: IntArray = np.array(list(dict.fromkeys(self._country.tolist())), dtype=np.int64)

    def _primary_input(self, satellite: ArrayLike | None) -> FloatArray:
        if satellite is None:
            return self.banded.value_added
        split = self.banded.split
        rows = "band row, or one per country-sector"
        values = satellite_of(satellite, len(split.output), self.table.n, rows=rows)
        return split.output * values[split.segment] if len(values) == self.table.n else values

    def _factorise(self) -> None:
        _ = self.trade_system

    def carrying(self, satellite: ArrayLike, unit: str | None = None) -> Self:
        """Return a model of the same table with a satellite; see :meth:`BlockedModel.carrying`."""
        model = super().carrying(satellite, unit)
        model._satellite, model._before = satellite, None
        return model

    def _rows(self, values: FloatArray) -> FloatArray:
        return values if self._in_order else np.ascontiguousarray(values[self.source_row])

    def _aggregate(self, values: FloatArray) -> FloatArray:
        return values if self._in_order else np.ascontiguousarray(values[self._order])

    @cached_property
    def flows(self) -> FloatArray:
        """Shape (n, n): aggregate intermediate flows in block order (the table's own array where orders agree)."""
        if self._in_order:
            return self.table.intermediate
        return frozen(np.ascontiguousarray(self.table.intermediate[np.ix_(self._order, self._order)]))

    @cached_property
    def inverse_aggregate_output(self) -> FloatArray:
        """Shape (n,): 1 / output of the country-sector, 0 where output is 0."""
        x = self._aggregate(self.table.output)
        return np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)

    @cached_property
    def output(self) -> FloatArray:
        """Shape (R,): gross output."""
        return frozen(self._rows(self.banded.output))

    @cached_property
    def other_inputs(self) -> FloatArray:
        """Shape (R,): taxes, margins and adjustments per unit of output, split like output; zero beside a satellite."""
        split = self.banded.split
        return frozen(self._rows(split.output * self._other_inputs_of_table()[split.segment]) * self.inverse_output)

    @cached_property
    def export_share(self) -> FloatArray:
        """Shape (R,): e, share of each row in the exports of its country-sector."""
        return self._rows(self.banded.split.exports)

    @cached_property
    def import_intensity(self) -> FloatArray:
        """Shape (R,): mu = m / s, imported inputs per unit of output relative to the country-sector."""
        return self._rows(self.banded.split.import_intensity)

    @cached_property
    def final_demand(self) -> FloatArray:
        """Shape (R, G): final demand by absorbing block, Y."""
        by_country = self._aggregate(self.table.final_demand_by_absorber)
        rows = spread(self.export_share, self.segment, by_country)
        rows[np.arange(len(rows)), self._country[self.segment]] = self._rows(self.banded.split.home_final)
        return frozen(self._by_block(rows))

    def final_demand_of(self, categories: Sequence[str]) -> FloatArray:
        """Return (R, G): final demand of some categories by absorbing block; see :func:`home_final_demand` for home."""
        chosen = [self.table.final_demand_categories.index(name) for name in categories]
        by_country = self._aggregate(self.table.final_demand[:, :, chosen].sum(axis=2))
        rows = spread(self.export_share, self.segment, by_country)
        at_home = self._rows(home_final_demand(self.banded)[:, chosen].sum(axis=1))
        rows[np.arange(len(rows)), self._country[self.segment]] = at_home
        return self._by_block(rows)

    @cached_property
    def exports(self) -> FloatArray:
        """Shape (R, G): gross exports by importer, zero at home."""
        intermediate = np.add.reduceat(self.flows, self.aggregate_offsets[:-1], axis=1)
        return frozen(abroad(self, self.exports_final + spread(self.export_share, self.segment, intermediate)))

    @cached_property
    def local(self) -> LocalNetwork:
        """The local network of every block."""
        return self._local_network()

    def _local_network(self) -> LocalNetwork:
        split = self.banded.split
        sizes = np.bincount(self._country, minlength=len(self.banded.countries))[self._country_order]
        offsets = offsets_of(sizes)
        spans = list(zip(offsets[:-1], offsets[1:], strict=True))
        coefficients = [self.flows[a:b, a:b] * self.inverse_aggregate_output[a:b] for a, b in spans]
        sellers, buyers = self._rows(split.producers), self._rows(split.domestic_intensity)
        factors = [(sellers, buyers)]
        theta = self.banded.theta[self._country_order]
        if theta.any():
            tau = self._rows(self.banded.scores)
            phi = preference_scores(tau, sellers, self.start)
            psi = preference_scores(tau, self._rows(split.domestic_inputs), self.start)
            factors.append((sellers * phi, buyers * psi))
        home = HomeNetwork(
            coefficients,
            offsets,
            self.start,
            factors,
            theta,
            self._explicit_blocks(),
            tuple(self.banded.countries[c] for c in self._country_order),
        )
        return LocalNetwork(home, self._trade_flows(), self.import_intensity, self.export_share)

    def _explicit_blocks(self) -> dict[int, FloatArray]:
        position = {c: i for i, c in enumerate(self._country_order.tolist())}
        blocks: dict[int, FloatArray] = {}
        for label in self.banded.domestic_blocks:
            country = self.banded.countries.index(label)
            rows = np.flatnonzero(self._country[self.segment] == country)
            flows = domestic_flows(self.banded, country)
            blocks[position[country]] = flows * self.inverse_output[rows]
        return blocks

    def _trade_flows(self) -> TradeFlows:
        return TradeFlows(self.flows, self.inverse_aggregate_output, self.aggregate_offsets)

    @cached_property
    def trade_system(self) -> TradeSystem:
        """The n x n system F of international feedback."""
        return FactoredTrade(self.local.between, self.local.propagation)

    @cached_property
    def inverse(self) -> FloatArray:
        """B itself, shape (R, R): only for what needs origin x flow cubes, and for small tables."""
        return frozen(self.apply_inverse(np.eye(len(self.segment))))

    @cached_property
    def inverse_diagonal_blocks(self) -> list[FloatArray]:
        """G blocks B_ss = L_ss (I + E Q_ss M L_ss), each (R_s, R_s)."""
        stack = self.apply_inverse_diagonal(self._stacked_units())
        return [
            np.ascontiguousarray(stack[a:b, : b - a]) for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)
        ]

    @cached_property
    def local_inverse_diagonal(self) -> FloatArray:
        """Shape (R,): diagonal of the blocks L_ss."""
        rows = np.arange(len(self.segment))
        if len(self.countries) == len(self.banded.countries):
            return np.asarray(1.0 + self.local.home.same_sector()[rows, rows - self.start[self.segment]])
        unit = self._stacked_units()
        return np.asarray(self.local.inverse(unit)[rows, rows - self.offsets[self.row_country]])

    def _stacked_units(self) -> FloatArray:
        """Return (R, largest block) with an identity on each block: block-diagonal operators act on each alone."""
        unit = np.zeros((len(self.segment), int(np.diff(self.offsets).max())))
        rows = np.arange(len(self.segment))
        unit[rows, rows - self.offsets[self.row_country]] = 1.0
        return unit

    @cached_property
    def value_added_by_origin(self) -> FloatArray:
        """Shape (G, R): V_t B_t. in row t."""
        return frozen(
            self._local_content
            + self.local.inverse_transpose(spread_columns(self.import_intensity, self.segment, self._imports_by_origin))
        )

    @cached_property
    def _local_content(self) -> FloatArray:
        """Shape (G, R): V_t L_t on block t of row t."""
        return self.local.inverse_transpose(block_rows(self, self.value_added))

    @cached_property
    def _imports_by_origin(self) -> FloatArray:
        """Shape (G, n): V_t L_t E Q, value added of each origin per unit of imported inputs of each sector."""
        if self._before is not None and "_imports_by_origin" in self._before[0].__dict__:
            return self._updated_imports_by_origin(*self._before)
        sold = collapse_columns(self.export_share, self.start, self._local_content)
        return self.trade_system.solve_transpose(self.local.between.apply_transpose(sold))

    def _updated_imports_by_origin(self, before: BandedModel, system: UpdatedTrade) -> FloatArray:
        """Update those of the model before: only the row of the changed block is solved anew."""
        updated = system.update_left(before._imports_by_origin)
        sold = collapse_columns(self.export_share, self.start, self._local_content[system.block])
        updated[system.block] = system.solve_transpose(self.local.between.apply_transpose(sold))
        return updated

    @cached_property
    def absorption(self) -> FloatArray:
        """Shape (R, G): B Y."""
        sales = spread(self.export_share, self.segment, self._sales_absorbed)
        return frozen(self._local_demand + self.local.inverse(sales))

    @cached_property
    def _local_demand(self) -> FloatArray:
        """Shape (R, G): L Y."""
        return self.local.inverse(self.final_demand)

    @cached_property
    def _needs_absorbed(self) -> FloatArray:
        """Shape (n, G): M L Y, imported inputs for each block's final demand by direct user."""
        return self._imported(self._local_demand)

    @cached_property
    def _sales_absorbed(self) -> FloatArray:
        """Shape (n, G): Q M L Y, exports of inputs for each block's final demand."""
        if self._before is not None and "_sales_absorbed" in self._before[0].__dict__:
            before, system = self._before
            a, b = self.local.between.spans[system.block]
            change = (self._needs_absorbed - before._needs_absorbed)[a:b]
            return system.update_sales(before._sales_absorbed, change)
        return self.local.between.apply(self.trade_system.solve(self._needs_absorbed))

    def local_inverse(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(L_ss) right, for right (R,) or (R, k)."""
        return self.local.inverse(right)

    def local_inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left blockdiag(L_ss), for left (R,) or (k, R)."""
        return self.local.inverse_transpose(left)

    def apply_inverse(self, right: FloatArray) -> FloatArray:
        """Return B right, for right (R,) or (R, k)."""
        local = self.local.inverse(right)
        sales = self.local.between.apply(self.trade_system.solve(self._imported(local)))
        return local + self.local.inverse(spread(self.export_share, self.segment, sales))

    def apply_inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left B, for left (R,) or (k, R)."""
        local = self.local.inverse_transpose(left)
        sold = collapse_columns(self.export_share, self.start, local)
        used = self.trade_system.solve_transpose(self.local.between.apply_transpose(sold))
        return local + self.local.inverse_transpose(spread_columns(self.import_intensity, self.segment, used))

    def undo_feedback(self, left: FloatArray) -> FloatArray:
        """Return left_s B_ss^-1 L_ss on each block, for left (R,) or (k, R).

        ``B_ss^-1 L_ss = I - E Q_ss (F^-1_ss)^-1 M L_ss``.
        """
        sold = collapse_columns(self.export_share, self.start, left)
        used = np.empty_like(sold)
        for block, (a, b) in zip(self.trade_system.feedback_blocks, self.local.between.spans, strict=True):
            used[..., a:b] = sold[..., a:b] @ block
        rows = spread_columns(self.import_intensity, self.segment, used)
        return np.asarray(left - self.local.inverse_transpose(rows))

    def undo_feedback_columns(self, right: FloatArray) -> FloatArray:
        """Return B_ss^-1 L_ss right_s on each block, for right (R,) or (R, k)."""
        needs = self._imported(self.local.inverse(right))
        sales = np.empty_like(needs)
        for block, (a, b) in zip(self.trade_system.feedback_blocks, self.local.between.spans, strict=True):
            sales[a:b] = block @ needs[a:b]
        return np.asarray(right - spread(self.export_share, self.segment, sales))

    def apply_inverse_diagonal(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(B_ss) right, for right (R,) or (R, k): ``B_ss = L_ss (I + E Q_ss M L_ss)``."""
        local = self.local.inverse(right)
        needs = self._imported(local)
        for response, (a, b) in zip(self.trade_system.response_blocks, self.local.between.spans, strict=True):
            needs[a:b] = response @ needs[a:b]
        return local + self.local.inverse(spread(self.export_share, self.segment, needs))

    def input_rows(self, rows: IntArray) -> FloatArray:
        """Return A[rows, :], shape (k, R)."""
        unit = np.zeros((len(rows), len(self.segment)))
        unit[np.arange(len(rows)), rows] = 1.0
        used = self.local.between.apply_transpose(collapse_columns(self.export_share, self.start, unit))
        abroad_rows = spread_columns(self.import_intensity, self.segment, used)
        return np.asarray(self.local.deliveries_transpose(unit) + abroad_rows)

    @cached_property
    def local_needs(self) -> FloatArray:
        """Shape (n, largest block): M_s L_ss of every block, imports by sector that a unit of each row needs."""
        return self._imported(self.local.inverse(self._stacked_units()))

    @cached_property
    def feedback_diagonal(self) -> FloatArray:
        """Shape (R,): diagonal of sum_{j != s} A_sj B_js = E Q_ss M L_ss."""
        needs = self.local_needs.copy()
        for response, (a, b) in zip(self.trade_system.response_blocks, self.local.between.spans, strict=True):
            needs[a:b] = response @ needs[a:b]
        column = np.arange(len(self.segment)) - self.offsets[self.row_country]
        return np.asarray(self.export_share * needs[self.segment, column])

    @cached_property
    def pair_feedback_diagonal(self) -> FloatArray:
        """Shape (R, G): diagonal of A_sr B_rs = E A_sr F^-1_rs M L_ss for every pair; needs all of F^-1."""
        flows = self.local.between
        out = np.empty((len(self.segment), len(self.countries)))
        for s, (a, b) in enumerate(flows.spans):
            first, last = int(self.offsets[s]), int(self.offsets[s + 1])
            reached = self.trade_system.inverse[:, a:b] @ self.local_needs[a:b, : last - first]
            products = flows.rows(s)[self.segment[first:last] - a] * reached.T
            out[first:last] = np.add.reduceat(products, flows.offsets[:-1], axis=1)
        out *= self.export_share[:, None]
        return frozen(out)

    def feedback_cells(self, cells: IntArray) -> FloatArray:
        """Return (c, k, k): rows and columns of E Q_ss M L_ss for c sets of k rows, each of one block."""
        return own_perimeter.feedback_cells(self, cells)

    def pair_feedback_cells(self, cells: IntArray) -> FloatArray:
        """Return (c, G, k, k): the same of E A_sr F^-1_rs M L_ss for every r, zero at r = s; needs all of F^-1."""
        return own_perimeter.pair_feedback_cells(self, cells)

    def undo_pair_feedback(self, left: FloatArray) -> FloatArray:
        """Return (k, R, G) with left_s (I + A_sr B_rs)^-1 for every pair, for left (k, R); needs all of F^-1.

        With ``X = A_sr F^-1_rs``: ``(I + E X M L)^-1 = I - E (I + X P_s)^-1 X M L``, of the size of the plain table.
        """
        spans, inverse = self.local.between.spans, self.trade_system.inverse
        sold = collapse_columns(self.export_share, self.start, left)
        used = np.zeros((len(spans), *sold.shape))
        for s, (a, b) in enumerate(spans):
            delivered, propagation = self.local.between.rows(s), self.local.propagation[s]
            for r, (c, d) in enumerate(spans):
                if r != s:
                    loop = delivered[:, c:d] @ inverse[c:d, a:b]
                    system = np.eye(b - a) + loop @ propagation
                    used[r, :, a:b] = np.linalg.solve(system.T, sold[:, a:b].T).T @ loop
        out = np.zeros((*left.shape, len(spans)))
        for r, use in enumerate(used):
            rows = spread_columns(self.import_intensity, self.segment, use)
            out[:, :, r] = left - self.local.inverse_transpose(rows)
            out[:, self.offsets[r] : self.offsets[r + 1], r] = 0.0
        return out

    def expect_inverse(self) -> None:
        """Say that products with all blocks of B will be needed (:meth:`apply_inverse_crosswise`)."""
        self.trade_system.expect_inverse()

    def apply_inverse_crosswise(self, right: FloatArray) -> FloatArray:
        """Return (R, G) with B_rs right_s[:, r] on block r and column s; needs all of F^-1, never all of B."""
        local = self.local.inverse(right)
        sales = self.trade_system.response_crosswise(self._imported(local))
        crossed = self.local.inverse(spread(self.export_share, self.segment, sales))
        rows = np.arange(len(local))
        crossed[rows, self.row_country] += local[rows, self.row_country]
        return crossed

    def domestic(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(A_ss) right."""
        return self.local.deliveries(right)

    def trade(self, right: FloatArray) -> FloatArray:
        """Return A^F right: deliveries of each row to all other blocks, for right (R,) or (R, k)."""
        return spread(self.export_share, self.segment, self.local.between.apply(self._imported(right)))

    def trade_transpose(self, left: FloatArray) -> FloatArray:
        """Return left A^F, for left (R,) or (k, R)."""
        sold = collapse_columns(self.export_share, self.start, left)
        return spread_columns(self.import_intensity, self.segment, self.local.between.apply_transpose(sold))

    def _imported(self, right: FloatArray) -> FloatArray:
        return collapse(self.import_intensity, self.start, right)

    def trade_products(self, common: FloatArray | None = None, paired: Sequence[FloatArray] = ()) -> FloatArray:
        """Return A_sr x_r for all pairs, shape (R, G, k + len(paired)); see the kernel of the same name."""
        needs = None if common is None else self._imported(common)
        products = self.local.between.products(needs, [self._imported(x) for x in paired])
        rows: FloatArray = products[self.segment]
        rows *= self.export_share[:, None, None]
        return rows

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
            self.inverse_aggregate_output,
            self.aggregate_offsets,
            recipe,
            coefficients=coefficients,
            common=[self._imported(x) for x in common],
            paired=[self._imported(x) for x in paired],
            final=final,
            band_start=self.start,
            band_share=self.export_share,
        )

    def with_country_shares(self, country: str, shares: BandShares) -> BandedModel:
        """Return the model after a change of one country's margins, by a low-rank update of the trade system.

        Parameters
        ----------
        country
            Its label.
        shares
            Margins of all rows, those of other countries unchanged; the country may have another number of bands.

        Returns
        -------
        BandedModel
            Exact; costs about 3 N_s right sides with the factors at hand instead of a new factorisation, and next to
            nothing for further changes of the same country.

        Raises
        ------
        UsageError
            Margins of another country differ as well.
        """
        if country not in self.banded.countries:
            raise UnknownLabelError("country", country, self.banded.countries)
        _refuse_other_changes(self.banded.shares, shares, country)
        unit = None if self._satellite is None else self.unit
        changed = BandedModel(
            self.banded.with_shares(shares), satellite=self._satellite, satellite_unit=unit, groups=self.groups
        )
        changed.__dict__["flows"] = self.flows
        block = int(self._block_of_country[self.banded.countries.index(country)])
        change = changed.local.propagation[block] - self.local.propagation[block]
        system = UpdatedTrade(self.trade_system, block, change)
        changed.__dict__["trade_system"] = system
        changed._before = (self, system)
        return changed


def _refuse_other_changes(old: BandShares, new: BandShares, country: str) -> None:
    """Refuse margins that differ from the old ones in another country than the one that may change."""
    for g, name in enumerate(old.countries):
        before, after = old.row_country == g, new.row_country == g
        same = all(
            np.array_equal(getattr(old, field)[before], getattr(new, field)[after], equal_nan=True)
            for field in ("row_band", *MARGINS)
        )
        if name != country and not same:
            raise UsageError(
                explain(
                    f"margins of {name} differ too, but only those of {country} may change",
                    do="split the table anew with tiva.split_by_size",
                )
            )
