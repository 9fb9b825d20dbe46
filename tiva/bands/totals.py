"""The totals of a table that band shares are shares of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray, frozen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiva.table.icio_table import IcioTable

NEGLIGIBLE = 1e-9
"""Relative to output: a total below it carries no margin, because its residual shares would be rounding noise."""


@dataclass(frozen=True, slots=True, eq=False)
class FlowTotals:
    """Row and column totals of every country-sector, in the unit of the table; all of shape (n,).

    Deliveries between the parts of a split country (``CN1`` to ``CN2``) are domestic.

    Attributes
    ----------
    output
        x.
    value_added
        va.
    exports
        E, deliveries for intermediate and final use to other countries.
    imports
        M, intermediate inputs from other countries.
    domestic_inputs
        D, intermediate inputs from the own country.
    domestic_intermediate
        Z^D, deliveries to intermediate users of the own country.
    domestic_final
        F^D, deliveries to final users of the own country; negative where inventories fall by more than is sold.
    other_inputs
        x - va - M - D: taxes, margins and the discrepancies of a table that does not balance; split like output.
    """

    output: FloatArray
    value_added: FloatArray
    exports: FloatArray
    imports: FloatArray
    domestic_inputs: FloatArray
    domestic_intermediate: FloatArray
    domestic_final: FloatArray
    other_inputs: FloatArray

    @classmethod
    def of(cls, table: IcioTable) -> FlowTotals:
        """Sum the flows of ``table``; rows of the table must be its output (checked by ``table.check()``).

        Parameters
        ----------
        table
            The source table.
        """
        n, n_sectors = table.n, len(table.sectors)
        country = np.repeat(table.area_country_index, n_sectors)
        by_absorber = table.final_demand_by_absorber
        domestic_sales, domestic_inputs, exports, imports = (np.zeros(n) for _ in range(4))
        for g in range(len(table.countries)):
            own = np.flatnonzero(country == g)
            rows, columns = table.intermediate[own, :], table.intermediate[:, own]
            block = rows[:, own].copy()
            domestic_sales[own], domestic_inputs[own] = block.sum(axis=1), block.sum(axis=0)
            rows[:, own] = columns[own, :] = 0.0  # summed apart: a difference of sums would leave rounding
            final = by_absorber[own, :].copy()
            final[:, g] = 0.0
            exports[own], imports[own] = rows.sum(axis=1) + final.sum(axis=1), columns.sum(axis=0)
        domestic_final = by_absorber[np.arange(n), country]
        other = table.output - table.value_added - imports - domestic_inputs
        tiny = np.abs(other) <= NEGLIGIBLE * np.abs(table.output)
        arrays = (
            table.output, table.value_added, exports, imports, domestic_inputs, domestic_sales, domestic_final,
            np.where(tiny, 0.0, other),
        )  # fmt: skip
        return cls(*(frozen(np.array(a, dtype=np.float64)) for a in arrays))

    def take(self, cells: IntArray) -> FlowTotals:
        """Return the totals of some country-sectors.

        Parameters
        ----------
        cells
            Positions of the country-sectors.
        """
        return FlowTotals(*(getattr(self, name)[cells] for name in FlowTotals.__slots__))

    @property
    def domestic_sales(self) -> FloatArray:
        """H = Z^D + F^D, shape (n,)."""
        return self.domestic_intermediate + self.domestic_final

    @property
    def no_output(self) -> NDArray[np.bool_]:
        """No output (x <= 0), nothing to split, shape (n,)."""
        return np.asarray(self.output <= 0.0)

    @property
    def no_domestic_sales(self) -> NDArray[np.bool_]:
        """H <= 0 within rounding: everything is exported, exports must follow output, shape (n,)."""
        return np.asarray(self.domestic_sales <= NEGLIGIBLE * np.abs(self.output))

    @property
    def no_domestic_inputs(self) -> NDArray[np.bool_]:
        """D = 0 within rounding: value added and imports must follow output, shape (n,)."""
        return np.asarray(self.domestic_inputs <= NEGLIGIBLE * np.abs(self.output))

    @property
    def no_domestic_final(self) -> NDArray[np.bool_]:
        """F^D <= 0 within rounding: no separate margin of business sales can be used, shape (n,)."""
        return np.asarray(self.domestic_final <= NEGLIGIBLE * np.abs(self.output))
