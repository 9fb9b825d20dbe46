"""Where value added comes from and where it ends: origin × exporting sector × importer × absorber, in blocks.

Value of a cell is the product of what a unit of a row's exports contains of each origin (C) and the exports of that row
to an importer that an absorber finally takes (F): C is one n × n matrix at most, F one array by importer and absorber.
The cube itself, which would be n² G² values, is never formed: blocks of it are, after all sums that were asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal, get_args

import numpy as np

from tiva.errors import UnsupportedCombinationError, UsageError, explain
from tiva.kernels.arrays import BoolArray, FloatArray, IntArray
from tiva.kernels.factorization import apply_blocks_transpose
from tiva.model.operators import Operators, block_columns

Content = Literal["content", "dc", "fc", "va", "dva", "fva", "ddc", "fdc", "vax", "ref"]
"""``content`` all that is in the flow; ``dc``, ``fc`` the exporter's and others'; ``va`` = ``dva`` + ``fva`` counted
once at the exporter's border; ``ddc``, ``fdc`` counted again; ``vax``, ``ref`` the ``dva`` absorbed
abroad and at home."""

BLOCK_VALUES = 2**24
"""Values in one block: 128 MiB."""

Perimeter = Literal["country", "sectexp", "sectbil", "world"]
"""Flows whose border counts: all exports of the country, of the exporting sector, of the sector to the importer; or the
borders of all countries (source approach: foreign value added where it crosses its second border)."""

_SINK: tuple[str, ...] = ("va", "dva", "fva", "vax", "ref")
_ANY: tuple[str, ...] = ("content", "dc", "fc")
_OWN: tuple[str, ...] = ("sectexp", "sectbil")


@dataclass(frozen=True)
class Members:
    """Cells of an axis of the cube: positions on an axis of the model that are added up.

    Attributes
    ----------
    dims
        Names of the dimensions that the axis stands for, ``()`` if it is summed away.
    labels
        Labels along each of them; the axis runs over their product, last one fastest.
    positions
        One array of positions for each cell.
    """

    dims: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    positions: tuple[IntArray, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension."""
        return tuple(len(names) for names in self.labels)

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.positions)


class OriginCube:
    """Value added by origin, exporting row, importer and absorber, computed block by block.

    Parameters
    ----------
    model
        The operators of a table.
    term
        What to count, see :data:`Content`.
    approach
        ``"source"`` or ``"sink"``: for ``va dva fva vax ref``, at which crossing of the exporter's border value added
        counts. The sink approach defines no absorber for what is counted twice.
    flow
        ``"exports"``, or ``"final_demand"``: value added in final goods by the row that completes them (``content``
        only; the importer axis is then summed away).
    origins, exporters
        Cells over the rows of the model.
    importers, absorbers
        Cells over the blocks of the model.
    products
        Cells over the sectors of the model: the sector of the final good that is absorbed.
    perimeter
        Flows whose border counts, see :data:`Perimeter`; other than ``"country"`` with the source approach only.

    Notes
    -----
    Source: F_sr^l = Y_sr 1(l = r) + A_sr (BY)_rl. Sink: D_sr^l = F_sr^l - A_sr B_rs B_ss^-1 L_ss (sum_j F_sj^l).
    Contents: V_t B_ts (content), V_s L_ss (dva), V_t B_ts B_ss^-1 L_ss (va); sink V_t B_ts. Own perimeters of flows:
    V_t B_ts / (1 + f), f the diagonal of sum_j A_sj B_js (sectexp) or of A_sr B_rs (sectbil). World:
    V_t L_tt A_ts L_ss.

    References
    ----------
    Borin and Mancini (2019), World Bank WPS 8804; Belotti, Borin and Mancini (2021), Stata Journal 21(3): 708-755.
    """

    def __init__(
        self,
        model: Operators,
        *,
        origins: Members,
        exporters: Members,
        importers: Members,
        absorbers: Members,
        products: Members,
        term: str = "content",
        approach: str = "source",
        flow: str = "exports",
        perimeter: str = "country",
    ) -> None:
        _check(term, approach, flow, perimeter)
        self.model, self.term, self.approach, self.flow = model, term, approach, flow
        self.perimeter = perimeter
        self.origins, self.exporters, self.importers = origins, exporters, importers
        self.absorbers, self.products = absorbers, products

    @property
    def axes(self) -> tuple[Members, ...]:
        """The five axes in the order of the blocks."""
        return (self.origins, self.exporters, self.importers, self.absorbers, self.products)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions of the result."""
        return tuple(name for axis in self.axes for name in axis.dims)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension of the result."""
        return tuple(length for axis in self.axes for length in axis.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the whole result takes."""
        return 8 * prod(self.shape)

    @cached_property
    def contents(self) -> FloatArray:
        """Shape (origins, R): what a unit of each row's exports contains of each origin."""
        out = np.empty((len(self.origins), len(self.model.output)))
        step = max(1, BLOCK_VALUES // (4 * len(self.model.output)))
        for start in range(0, len(out), step):
            out[start : start + step] = self._contents(self.origins.positions[start : start + step])
        out[[not len(rows) for rows in self.origins.positions]] = np.nan
        return out

    def _contents(self, cells: Sequence[IntArray]) -> FloatArray:
        model = self.model
        weights = np.zeros((len(cells), len(model.output)))
        for cell, rows in enumerate(cells):
            weights[cell, rows] = model.value_added[rows]
        if self.perimeter in _OWN and self.term not in _ANY:
            return self._own_contents(weights)
        if self.perimeter == "world" and self.term in {"va", "fva", "fdc"}:
            return self._world_contents(weights)
        if self.approach == "source" and self.term in {"dva", "vax", "ref"}:
            return model.local_inverse_transpose(weights)
        whole = model.apply_inverse_transpose(weights)
        if self.term == "content" or (self.term == "va" and self.approach == "sink"):
            return whole
        if self.term == "va":
            return model.undo_feedback(whole)
        if self.term == "fva" and self.approach == "source":
            return np.asarray(model.undo_feedback(whole) - model.local_inverse_transpose(weights))
        own = apply_blocks_transpose(model.inverse_diagonal_blocks, model.offsets, weights)
        if self.term in {"dc", "dva", "vax", "ref"}:
            return own
        if self.term in {"fc", "fva"}:
            return np.asarray(whole - own)
        again = own - model.local_inverse_transpose(weights)
        return again if self.term == "ddc" else np.asarray(whole - model.undo_feedback(whole) - again)

    def _own_contents(self, weights: FloatArray) -> FloatArray:
        """Contents before they are shrunk to the flow's own perimeter, which is done on the flows."""
        whole = self.model.apply_inverse_transpose(weights)
        if self.term == "va":
            return whole
        own = apply_blocks_transpose(self.model.inverse_diagonal_blocks, self.model.offsets, weights)
        return own if self.term in {"dva", "vax", "ref", "ddc"} else np.asarray(whole - own)

    def _world_contents(self, weights: FloatArray) -> FloatArray:
        """Foreign value added where it crosses its second border, with what is the exporter's own or the rest."""
        model = self.model
        local = model.local_inverse_transpose(weights)
        second = model.local_inverse_transpose(model.trade_transpose(local))
        if self.term == "fva":
            return second
        if self.term == "va":
            return np.asarray(local + second)
        own = apply_blocks_transpose(model.inverse_diagonal_blocks, model.offsets, weights)
        return np.asarray(model.apply_inverse_transpose(weights) - own - second)

    @cached_property
    def _shrink(self) -> FloatArray:
        """Shape (R, G): part of a content that counts once in the flow's own perimeter, or again."""
        model = self.model
        if self.perimeter == "sectexp":
            once = np.repeat(1.0 / (1.0 + model.feedback_diagonal)[:, None], len(model.countries), axis=1)
        else:
            once = 1.0 / (1.0 + model.pair_feedback_diagonal)
        return 1.0 - once if self.term in {"ddc", "fdc"} else once

    def blocks(self, values: int = BLOCK_VALUES) -> Iterator[tuple[tuple[slice, ...], FloatArray]]:
        """Yield the cube in blocks that cover it once.

        Parameters
        ----------
        values
            Greatest number of values in a block, as far as one origin and one absorber allow.

        Yields
        ------
        tuple
            Five slices (origins, exporters, importers, absorbers, products) and an array of that shape.
        """
        every = slice(None)
        for absorbers, product, flows in self._flows(values):
            width = len(self.exporters) * flows.shape[1] * flows.shape[2]
            step = max(1, values // max(1, width))
            for start in range(0, len(self.origins), step):
                origins = slice(start, min(start + step, len(self.origins)))
                block = self._block(self.contents[origins], flows)
                yield (origins, every, every, absorbers, slice(product, product + 1)), block[..., None]

    def compute(self) -> FloatArray:
        """Return the whole result, its shape as :attr:`shape`."""
        out = np.zeros(tuple(len(axis) for axis in self.axes))
        for place, block in self.blocks():
            out[place] = block
        return out.reshape(self.shape)

    def _block(self, contents: FloatArray, flows: FloatArray) -> FloatArray:
        cells = self.exporters.positions
        if all(len(rows) == 1 for rows in cells):
            rows = np.concatenate(cells)
            return np.asarray(contents[:, rows, None, None] * flows[rows])
        out = np.zeros((len(contents), len(cells), *flows.shape[1:]))
        for cell, rows in enumerate(cells):
            out[:, cell] = np.tensordot(contents[:, rows], flows[rows], axes=1) if len(rows) else np.nan
        return out

    def _flows(self, values: int) -> Iterator[tuple[slice, int, FloatArray]]:
        """Yield deliveries (R, importers, absorbers of a chunk) for each product."""
        rows, blocks = self.model.final_demand.shape
        step = max(1, values // (rows * blocks))
        for product, sectors in enumerate(self.products.positions):
            inside = np.isin(self.model.row_sector, sectors)
            demand = np.where(inside[:, None], self.model.final_demand, 0.0)
            if self.flow == "exports":
                absorbed = self.model.absorption if inside.all() else self.model.apply_inverse(demand)
            for start in range(0, len(self.absorbers), step):
                cells = slice(start, min(start + step, len(self.absorbers)))
                takes = np.zeros((blocks, cells.stop - start))
                for column, members in enumerate(self.absorbers.positions[cells]):
                    takes[members, column] = 1.0
                if self.flow == "final_demand":
                    yield cells, product, (demand @ takes)[:, None, :]
                    continue
                flows = self._deliveries(absorbed, inside, takes)
                if self.perimeter in _OWN and self.term not in _ANY:
                    flows = flows * self._shrink[:, :, None]
                yield cells, product, np.stack([flows[:, m].sum(axis=1) for m in self.importers.positions], axis=1)

    def _deliveries(self, absorbed: FloatArray, inside: BoolArray, takes: FloatArray) -> FloatArray:
        """Return (R, G, k): exports by importer that end with each of k absorbers."""
        model = self.model
        home = takes.T[:, None, :] * absorbed
        returning = model.trade_products(paired=list(home)) if self.term in {"vax", "ref"} else None
        if self.term == "ref" and returning is not None:
            flows = returning
        else:
            final = np.where(inside[:, None], model.exports_final, 0.0)
            flows = model.trade_products(absorbed @ takes) + final[:, :, None] * takes
            if returning is not None:
                flows -= returning
        if self.approach == "sink" and self.term not in _ANY:
            leaving = model.undo_feedback_columns(flows.sum(axis=1))
            flows -= model.trade_products(paired=_through_exporters(model, leaving))
        return flows


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


def _check(term: str, approach: str, flow: str, perimeter: str) -> None:
    supported = [
        f"flow=exports term={'|'.join(get_args(Content))} approach=source perimeter=sectexp|sectbil|world",
        f"flow=exports term={'|'.join(get_args(Content))} approach=source",
        f"flow=exports term={'|'.join(_SINK)} approach=sink",
        "flow=final_demand term=content",
    ]
    known = approach in {"source", "sink"} and term in get_args(Content) and perimeter in get_args(Perimeter)
    fitting = approach == "source" or (perimeter == "country" and term in (*_SINK, *_ANY))
    if flow == "exports" and known and fitting:
        return
    if flow == "final_demand" and term == "content" and perimeter == "country":
        return
    got = f"flow={flow} term={term} approach={approach} perimeter={perimeter}"
    raise UnsupportedCombinationError("these options of origins do not go together", got=got, supported=supported)


def rows_by(model: Operators, countries: Members | None, sectors: Members | None, bands: Members | None) -> Members:
    """Return cells over the rows of the model from cells over countries, sectors and bands.

    Parameters
    ----------
    model
        The operators of a table.
    countries, sectors, bands
        Cells over blocks, sectors and bands; ``None`` for all rows in one.

    Raises
    ------
    UsageError
        If no row is left.
    """
    keys = (model.row_country, model.row_sector, model.row_band)
    cells: list[tuple[BoolArray, ...]] = []
    dims: tuple[str, ...] = ()
    labels: tuple[tuple[str, ...], ...] = ()
    for key, members in zip(keys, (countries, sectors, bands), strict=True):
        if members is None:
            continue
        dims, labels = (*dims, *members.dims), (*labels, *members.labels)
        cells.append(tuple(np.isin(key, positions) for positions in members.positions))
    positions: list[IntArray] = [np.arange(len(model.output))]
    for masks in cells:
        positions = [rows[mask[rows]] for rows in positions for mask in masks]
    if not any(len(rows) for rows in positions):
        raise UsageError(
            explain("the selection has no row", do="choose a country, sector and size that exist together")
        )
    return Members(dims, labels, tuple(positions))
