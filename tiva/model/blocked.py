"""What plain and banded tables have in common as operators: blocks of countries, and what their rows carry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from tiva.errors import ShapeError, explain
from tiva.kernels.arrays import FloatArray, IntArray, frozen
from tiva.model.operators import members_of, satellite_values, unit_of

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


class BlockedModel(ABC):
    """Rows in contiguous blocks, a block one country or a group that acts as one, with value added or a satellite.

    Attributes
    ----------
    table
        The table behind the model (the unsplit one behind bands).
    countries
        G labels of the blocks.
    unit
        Of flows and terms: that of the table, or of the satellite.
    carries_satellite
        Whether a satellite stands in the place of value added.
    """

    _of_content: ClassVar[tuple[str, ...]] = ("value_added", "other_inputs", "value_added_by_origin")
    """Cached properties that depend on what the model carries."""

    table: IcioTable
    countries: tuple[str, ...]
    unit: str
    carries_satellite: bool
    row_country: IntArray
    _block_of_country: IntArray
    _primary: FloatArray

    @property
    @abstractmethod
    def output(self) -> FloatArray:
        """Shape (R,): gross output."""

    @property
    @abstractmethod
    def final_demand(self) -> FloatArray:
        """Shape (R, G): final demand by absorbing block, Y."""

    @abstractmethod
    def apply_inverse(self, right: FloatArray) -> FloatArray:
        """Return B right, for right (R,) or (R, k)."""

    @abstractmethod
    def apply_inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left B, for left (R,) or (k, R)."""

    @abstractmethod
    def _factorise(self) -> None:
        """Make the factors that models of the same table share."""

    @abstractmethod
    def _rows(self, values: FloatArray) -> FloatArray:
        """Return an account (R,) of the table in the order of blocks."""

    @abstractmethod
    def _primary_input(self, satellite: ArrayLike | None) -> FloatArray:
        """Return value added or the satellite (R,), in the order of the table."""

    @property
    def members(self) -> dict[str, tuple[str, ...]]:
        """Countries of each group that acts as one, by its label."""
        return members_of(self.countries, self.table.countries, self._block_of_country)

    @property
    def unattributed(self) -> float:
        """Value added, or the satellite, of rows without output: in no coefficient and so in no term."""
        return float(np.abs(self._rows(self._primary)[self.output == 0]).sum())

    def carrying(self, satellite: ArrayLike, unit: str | None = None) -> Self:
        """Return a model of the same table with a satellite in place of value added; factors are shared.

        Parameters
        ----------
        satellite
            Shape (n,), in the row order of the table: jobs, emissions or another account. A table split by firm size
            takes one value per band row too; others it splits like output.
        unit
            Its unit, where it does not say so itself.

        Returns
        -------
        model
            The same as a new model with this satellite, without a second factorisation.

        Raises
        ------
        ShapeError
            The satellite has another length.
        """
        self._factorise()
        model = copy(self)
        for name in self._of_content:
            model.__dict__.pop(name, None)
        model.carries_satellite = True
        model.unit = unit_of(self.table.unit, satellite, unit)
        model._primary = model._primary_input(satellite)
        return model

    @cached_property
    def inverse_output(self) -> FloatArray:
        """Shape (R,): 1 / output, 0 where output is 0."""
        x = self.output
        return frozen(np.divide(1.0, x, out=np.zeros_like(x), where=x != 0))

    @cached_property
    def value_added(self) -> FloatArray:
        """Shape (R,): value added or satellite per unit of output, V."""
        return frozen(self._rows(self._primary) * self.inverse_output)

    @cached_property
    def exports_final(self) -> FloatArray:
        """Shape (R, G): exports of final goods by importer, zero at home."""
        flows = self.final_demand.copy()
        flows[np.arange(len(flows)), self.row_country] = 0.0
        return frozen(flows)

    def inverse_columns(self, rows: IntArray) -> FloatArray:
        """Return B[:, rows], shape (R, k)."""
        unit = np.zeros((len(self.row_country), len(rows)))
        unit[rows, np.arange(len(rows))] = 1.0
        return self.apply_inverse(unit)

    def inverse_rows(self, rows: IntArray) -> FloatArray:
        """Return B[rows, :], shape (k, R)."""
        unit = np.zeros((len(rows), len(self.row_country)))
        unit[np.arange(len(rows)), rows] = 1.0
        return self.apply_inverse_transpose(unit)

    def _by_block(self, by_country: FloatArray) -> FloatArray:
        """Return (R, G): an array by country of the table summed to blocks."""
        if len(self.countries) == by_country.shape[1]:
            return by_country
        blocks = np.zeros((by_country.shape[0], len(self.countries)))
        for country, block in enumerate(self._block_of_country):
            blocks[:, block] += by_country[:, country]
        return blocks

    def _other_inputs_of_table(self) -> FloatArray:
        """Return (n,): taxes, margins and adjustments of the table; zero beside a satellite."""
        total = np.zeros(self.table.n)
        for other in () if self.carries_satellite else self.table.other_inputs.values():
            total += other.intermediate
        return total


def satellite_of(satellite: ArrayLike, *lengths: int, rows: str) -> FloatArray:
    """Return a satellite as numbers of an expected length.

    Parameters
    ----------
    satellite
        Shape (k,).
    lengths
        What k may be.
    rows
        What there is one value of, for the message.

    Raises
    ------
    UsageError
        It is no array of finite numbers.
    ShapeError
        It has another length.
    """
    values = satellite_values(satellite)
    if values.shape not in {(k,) for k in lengths}:
        raise ShapeError(
            explain(
                f"a satellite needs one value per {rows}",
                got=f"shape {values.shape}",
                expected=" or ".join(f"({k},)" for k in lengths),
                do="align it by labels with tiva.read_satellite",
            )
        )
    return values
