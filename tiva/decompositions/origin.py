"""Where value added comes from and where it ends: origin × exporting sector × importer × absorber, in blocks.

Value of a cell is a sum of products of what a unit of a row's exports contains of each origin (C) and the exports of
that row to an importer that an absorber finally takes (F). C has an axis for the importer only where the perimeter
depends on it, F one for importer and one for absorber. The cube itself, which would be n² G² values, is never formed:
blocks of it are, after all sums that were asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from tiva.decompositions.origin_contents import Contents
from tiva.decompositions.origin_flows import Deliveries
from tiva.decompositions.origin_terms import parts_of, traced_row
from tiva.errors import UsageError, explain
from tiva.kernels.arrays import BoolArray, FloatArray, IntArray
from tiva.model.operators import Operators

BLOCK_VALUES = 2**23
"""Values in one block: 64 MiB."""


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
    others
        For each cell, whether it holds taxes, margins and adjustments too; ``()`` for none.
    """

    dims: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    positions: tuple[IntArray, ...]
    others: tuple[bool, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension."""
        return tuple(len(names) for names in self.labels)

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.positions)

    @property
    def holds_others(self) -> tuple[bool, ...]:
        """For each cell, whether it holds taxes, margins and adjustments."""
        return self.others or (False,) * len(self.positions)


class OriginCube:
    """Value added by origin, exporting row, importer and absorber, computed block by block.

    Parameters
    ----------
    model
        The operators of a table.
    term
        What to count, see :func:`tiva.origins`.
    approach
        ``"source"`` or ``"sink"``: at which crossing of a border value added counts.
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
        Flows whose border counts, see :data:`tiva.decompositions.origin_terms.Perimeter`; for ``"group"`` the exports
        of each exporter from the sectors of ``sold`` to the countries of ``importers``.
    sold
        Positions of the sectors that make up the perimeter ``"group"``; ``None`` for all.

    Raises
    ------
    UnsupportedCombinationError
        A term that the approach, the flow or the perimeter does not define.

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
        sold: IntArray | None = None,
    ) -> None:
        self.method = traced_row(term, approach=approach, perimeter=perimeter, flow=flow)
        self.model, self.term, self.approach, self.flow = model, term, approach, flow
        self.perimeter = perimeter
        self.origins, self.exporters, self.importers = origins, exporters, importers
        self.absorbers, self.products = absorbers, products
        self._parts = parts_of(term, self.method)
        self._sold = np.isin(model.row_sector, np.arange(len(model.sectors)) if sold is None else sold)
        self._partners = np.isin(np.arange(len(model.countries)), np.concatenate(importers.positions))

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

    @property
    def additive(self) -> bool:
        """Whether flows of the result may be added up."""
        return self.method.additive

    @cached_property
    def _contents(self) -> Contents:
        return Contents(self.model, self.perimeter, self._sold, self._partners)

    @cached_property
    def _content_kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.content for part in self._parts))

    @property
    def _paired(self) -> bool:
        return any(self._contents.paired(kind) for kind in self._content_kinds)

    @cached_property
    def _all_contents(self) -> dict[str, FloatArray]:
        """Kind -> (origins, R) of all origins at once."""
        return self._contents.of(self._content_kinds, self.origins.positions, self.origins.holds_others)

    def _contents_of(self, origins: slice, values: int) -> dict[str, FloatArray]:
        """Return kind -> (origins, R[, G]) of some origins; kept where those of all origins fit in a block."""
        whole = len(self._content_kinds) * len(self.origins) * len(self.model.output)
        if not self._paired and whole <= values:
            return {kind: content[origins] for kind, content in self._all_contents.items()}
        cells, others = self.origins.positions[origins], self.origins.holds_others[origins]
        return self._contents.of(self._content_kinds, cells, others)

    def blocks(self, values: int = BLOCK_VALUES) -> Iterator[tuple[tuple[slice, ...], FloatArray]]:
        """Yield the cube in blocks that cover it once.

        Parameters
        ----------
        values
            Greatest number of values in a block, and in each array that it is made of, as far as one origin and one
            absorber allow.

        Yields
        ------
        tuple
            Five slices (origins, exporters, importers, absorbers, products) and an array of that shape.
        """
        every = slice(None)
        rows, blocks = self.model.final_demand.shape
        for absorbers, product, flows in self._flows(values):
            result = len(self.exporters) * len(self.importers) * (absorbers.stop - absorbers.start)
            width = max(1, result, rows * blocks if self._paired else rows)
            step = max(1, values // width)
            for start in range(0, len(self.origins), step):
                origins = slice(start, min(start + step, len(self.origins)))
                block = self._block(self._contents_of(origins, values), flows)
                yield (origins, every, every, absorbers, slice(product, product + 1)), block[..., None]

    def compute(self) -> FloatArray:
        """Return the whole result, its shape as :attr:`shape`."""
        out = np.zeros(tuple(len(axis) for axis in self.axes))
        for place, block in self.blocks():
            out[place] = block
        return out.reshape(self.shape)

    def _block(self, contents: dict[str, FloatArray], flows: dict[str, FloatArray]) -> FloatArray:
        """Return (origins, exporters, importers, absorbers): the sum of the products."""
        total: FloatArray | None = None
        for part in self._parts:
            content, flow = contents[part.content], flows[part.flow]
            if content.ndim == 2:
                product = self._product(content, self._by_importer(flow))
            else:
                product = self._paired_product(content, flow)
            if total is None:
                total = product if part.sign > 0 else -product
            elif part.sign > 0:
                total += product
            else:
                total -= product
        return np.zeros(0) if total is None else total

    def _by_importer(self, flow: FloatArray) -> FloatArray:
        """Return (R, importers, absorbers)."""
        if self.flow == "final_demand":
            return flow
        whole = flow.shape[1]
        cells = [flow if len(members) == whole else flow[:, members] for members in self.importers.positions]
        return np.stack([cell.sum(axis=1) for cell in cells], axis=1)

    def _product(self, content: FloatArray, flow: FloatArray) -> FloatArray:
        cells = self.exporters.positions
        if all(len(rows) == 1 for rows in cells):
            rows = np.concatenate(cells)
            return np.asarray(content[:, rows, None, None] * flow[rows])
        out = np.zeros((len(content), len(cells), *flow.shape[1:]))
        for cell, rows in enumerate(cells):
            out[:, cell] = np.tensordot(content[:, rows], flow[rows], axes=1) if len(rows) else np.nan
        return out

    def _paired_product(self, content: FloatArray, flow: FloatArray) -> FloatArray:
        exporters, importers = self.exporters.positions, self.importers.positions
        if all(len(cell) == 1 for cell in (*exporters, *importers)):
            cells = np.ix_(np.concatenate(exporters), np.concatenate(importers))
            return np.asarray(content[:, *cells, None] * flow[cells])
        out = np.empty((len(content), len(exporters), len(importers), flow.shape[2]))
        for importer, members in enumerate(importers):
            per_unit, delivered = content[:, :, members], flow[:, members]
            for exporter, rows in enumerate(exporters):
                some = np.tensordot(per_unit[:, rows], delivered[rows], axes=2) if len(rows) else np.nan
                out[:, exporter, importer] = some
        return out

    def _flows(self, values: int) -> Iterator[tuple[slice, int, dict[str, FloatArray]]]:
        """Yield kind -> deliveries (R, G, absorbers of a chunk), or final goods (R, 1, absorbers), by product."""
        rows, blocks = self.model.final_demand.shape
        kinds = tuple(dict.fromkeys(part.flow for part in self._parts))
        step = max(1, values // (rows * blocks * len(kinds)))
        for product, sectors in enumerate(self.products.positions):
            inside = np.isin(self.model.row_sector, sectors)
            deliveries = Deliveries(self.model, inside, self.perimeter, self._mask)
            for start in range(0, len(self.absorbers), step):
                cells = slice(start, min(start + step, len(self.absorbers)))
                takes = np.zeros((blocks, cells.stop - start))
                for column, members in enumerate(self.absorbers.positions[cells]):
                    takes[members, column] = 1.0
                if self.flow == "final_demand":
                    yield cells, product, dict.fromkeys(kinds, (deliveries.demand @ takes)[:, None, :])
                    continue
                yield cells, product, deliveries.of(kinds, takes)

    @property
    def _mask(self) -> BoolArray | None:
        """Shape (R, G): flows of the perimeter "group"."""
        return self._sold[:, None] & self._partners if self.perimeter == "group" else None


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
    held: list[tuple[bool, ...]] = []
    dims: tuple[str, ...] = ()
    labels: tuple[tuple[str, ...], ...] = ()
    for key, members in zip(keys, (countries, sectors, bands), strict=True):
        if members is None:
            continue
        dims, labels = (*dims, *members.dims), (*labels, *members.labels)
        cells.append(tuple(np.isin(key, positions) for positions in members.positions))
        held.append(members.holds_others)
    positions: list[IntArray] = [np.arange(len(model.output))]
    others: list[bool] = [True]
    for masks, flags in zip(cells, held, strict=True):
        positions = [rows[mask[rows]] for rows in positions for mask in masks]
        others = [one and other for one in others for other in flags]
    if not any(len(rows) for rows in positions):
        raise UsageError(
            explain("the selection has no row", do="choose a country, sector and size that exist together")
        )
    return Members(dims, labels, tuple(positions), tuple(others))
