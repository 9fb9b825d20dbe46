"""What every decomposition may ask of a table, whatever stands behind: plain, grouped or banded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from tiva.errors import UsageError, explain
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.bilateral import Recipe

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


class Operators(Protocol):
    """The linear operators of a Leontief system.

    Rows are producers: country-sectors, or country-sector-bands; R of them, in G contiguous blocks, one a country (or
    a group of countries that acts as one). ``s`` and ``r`` name blocks, A the input coefficients, B = (I - A)^-1,
    L_ss = (I - A_ss)^-1.
    """

    @property
    def table(self) -> IcioTable:
        """The table behind the model (the unsplit one behind bands)."""

    @property
    def unit(self) -> str:
        """Unit of flows and terms: that of the table, or of the satellite."""

    @property
    def carries_satellite(self) -> bool:
        """Whether a satellite (jobs, emissions) stands in the place of value added."""

    @property
    def unattributed(self) -> float:
        """Value added, or the satellite, of rows without output: in no coefficient and so in no term."""

    @property
    def members(self) -> dict[str, tuple[str, ...]]:
        """Countries of each group that acts as one, by its label."""

    def carrying(self, satellite: ArrayLike, unit: str | None = None) -> Self:
        """Return operators of the same table with a satellite in place of value added; factors are shared.

        Parameters
        ----------
        satellite
            Shape (n,) in the row order of the table, or one value a band row: jobs, emissions or another account.
        unit
            Its unit, where it does not say so itself.
        """

    @property
    def countries(self) -> tuple[str, ...]:
        """G labels of the blocks."""

    @property
    def sectors(self) -> tuple[str, ...]:
        """N labels."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Labels of firm-size bands, empty for a model without bands."""

    @property
    def offsets(self) -> IntArray:
        """Shape (G + 1,): first row of each block."""

    @property
    def row_country(self) -> IntArray:
        """Shape (R,): block of each row."""

    @property
    def row_sector(self) -> IntArray:
        """Shape (R,): sector of each row."""

    @property
    def row_band(self) -> IntArray:
        """Shape (R,): band of each row, all zero without bands."""

    @property
    def output(self) -> FloatArray:
        """Shape (R,): gross output."""

    @property
    def value_added(self) -> FloatArray:
        """Shape (R,): value added (or a satellite) per unit of output, V."""

    @property
    def other_inputs(self) -> FloatArray:
        """Shape (R,): taxes, margins and adjustments per unit of output.

        Zero where value added is the residual, and beside a satellite.
        """

    @property
    def final_demand(self) -> FloatArray:
        """Shape (R, G): final demand by absorbing block, Y."""

    def final_demand_of(self, categories: Sequence[str]) -> FloatArray:
        """Return (R, G): final demand of some of the table's categories by absorbing block.

        Parameters
        ----------
        categories
            Labels of the table's categories of final demand.
        """

    @property
    def exports_final(self) -> FloatArray:
        """Shape (R, G): exports of final goods by importer, zero at home."""

    @property
    def exports(self) -> FloatArray:
        """Shape (R, G): gross exports by importer, zero at home, E_sr = Y_sr + A_sr X_r."""

    @property
    def value_added_by_origin(self) -> FloatArray:
        """Shape (G, R): V_t B_t. in row t, value added of block t per unit of each row's deliveries."""

    @property
    def local_inverse_diagonal(self) -> FloatArray:
        """Shape (R,): diagonal of the blocks L_ss."""

    @property
    def inverse_diagonal_blocks(self) -> list[FloatArray]:
        """G blocks B_ss."""

    @property
    def absorption(self) -> FloatArray:
        """Shape (R, G): B Y, output of each row absorbed in final demand of each block."""

    def local_inverse(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(L_ss) right, for right (R,) or (R, k).

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """

    def local_inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left blockdiag(L_ss), for left (R,) or (k, R).

        Parameters
        ----------
        left
            Shape (R,), or (k, R) for k left sides at once.
        """

    def apply_inverse(self, right: FloatArray) -> FloatArray:
        """Return B right, for right (R,) or (R, k).

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """

    def apply_inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left B, for left (R,) or (k, R).

        Parameters
        ----------
        left
            Shape (R,), or (k, R) for k left sides at once.
        """

    def undo_feedback(self, left: FloatArray) -> FloatArray:
        """Return left_s B_ss^-1 L_ss on each block, for left (R,) or (k, R).

        Parameters
        ----------
        left
            Shape (R,), or (k, R) for k left sides at once.
        """

    def undo_feedback_columns(self, right: FloatArray) -> FloatArray:
        """Return B_ss^-1 L_ss right_s on each block, for right (R,) or (R, k).

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """

    def apply_inverse_diagonal(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(B_ss) right, for right (R,) or (R, k).

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """

    def expect_inverse(self) -> None:
        """Say that all of B will be needed: what can be cut from it is then not made twice."""

    def apply_inverse_crosswise(self, right: FloatArray) -> FloatArray:
        """Return (R, G) with B_rs right_s[:, r] on block r and column s, for right (R, G): needs all of B.

        Parameters
        ----------
        right
            Shape (R, G): row of the exporter by importer.
        """

    def inverse_columns(self, rows: IntArray) -> FloatArray:
        """Return B[:, rows], shape (R, k).

        Parameters
        ----------
        rows
            Shape (k,): positions of rows.
        """

    def inverse_rows(self, rows: IntArray) -> FloatArray:
        """Return B[rows, :], shape (k, R).

        Parameters
        ----------
        rows
            Shape (k,): positions of rows.
        """

    def input_rows(self, rows: IntArray) -> FloatArray:
        """Return A[rows, :], shape (k, R).

        Parameters
        ----------
        rows
            Shape (k,): positions of rows.
        """

    @property
    def feedback_diagonal(self) -> FloatArray:
        """Shape (R,): diagonal of sum_{j != s} A_sj B_js, what a unit of a row's exports sends back to that row."""

    @property
    def pair_feedback_diagonal(self) -> FloatArray:
        """Shape (R, G): diagonal of A_sr B_rs for every pair; needs all of B."""

    def feedback_cells(self, cells: IntArray) -> FloatArray:
        """Return (c, k, k): rows and columns of sum_{j != s} A_sj B_js for c sets of k rows, each of one block.

        Parameters
        ----------
        cells
            Shape (c, k): rows of c sets, those of a set in one block.
        """

    def pair_feedback_cells(self, cells: IntArray) -> FloatArray:
        """Return (c, G, k, k): the same of A_sr B_rs for every r, zero at r = s; needs all of B.

        Parameters
        ----------
        cells
            Shape (c, k): rows of c sets, those of a set in one block.
        """

    def undo_pair_feedback(self, left: FloatArray) -> FloatArray:
        """Return (k, R, G) with left_s (I + A_sr B_rs)^-1 for every pair, for left (k, R); needs all of B.

        Parameters
        ----------
        left
            Shape (k, R): contents per unit of each row's exports.
        """

    def domestic(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(A_ss) right.

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """

    def trade(self, right: FloatArray) -> FloatArray:
        """Return A^F right: deliveries of each row to all other blocks, for right (R,) or (R, k).

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """

    def trade_transpose(self, left: FloatArray) -> FloatArray:
        """Return left A^F: what a unit of each row buys from all other blocks, for left (R,) or (k, R).

        Parameters
        ----------
        left
            Shape (R,), or (k, R) for k left sides at once.
        """

    def trade_products(self, common: FloatArray | None = None, paired: Sequence[FloatArray] = ()) -> FloatArray:
        """Return A_sr x_r for all pairs, shape (R, G, k + len(paired)); see the kernel of the same name.

        Parameters
        ----------
        common
            Shape (R, k): output x_r of every importer, the same for all exporters.
        paired
            Arrays (R, G): output of importer r for exporter s in column s.
        """

    def sweep(
        self,
        recipe: Recipe,
        *,
        coefficients: Sequence[FloatArray],
        common: Sequence[FloatArray] = (),
        paired: Sequence[FloatArray] = (),
        final: Sequence[FloatArray] = (),
    ) -> dict[str, FloatArray]:
        """Accumulate bilateral terms, each (R, G), in one pass; see :func:`tiva.kernels.bilateral.sweep`.

        Parameters
        ----------
        recipe
            Which component goes into which term, with which coefficient.
        coefficients
            Arrays (R,), by exporting row.
        common
            Arrays (R,): output x_r of every importer, the same for all exporters.
        paired
            Arrays (R, G): output of importer r for exporter s in column s.
        final
            Arrays (R, G): flows of row to importer.
        """


def members_of(
    blocks: Sequence[str], countries: Sequence[str], block_of_country: IntArray
) -> dict[str, tuple[str, ...]]:
    """Return label -> countries of the blocks that are not a country of the table by itself.

    Parameters
    ----------
    blocks
        G labels.
    countries
        Labels of the countries of the table.
    block_of_country
        Shape (countries,): position of each country's block.
    """
    found: dict[str, tuple[str, ...]] = {}
    for index, label in enumerate(blocks):
        inside = tuple(c for c, block in zip(countries, block_of_country, strict=True) if block == index)
        if inside != (label,):
            found[label] = inside
    return found


def satellite_values(satellite: ArrayLike) -> FloatArray:
    """Return a satellite as finite numbers.

    Parameters
    ----------
    satellite
        Anything that is an array of numbers.

    Raises
    ------
    UsageError
        It is no array of numbers, or some of them are missing or infinite.
    """
    try:
        values = np.asarray(satellite, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(
            explain(
                "a satellite is an array of numbers",
                got=f"{type(satellite).__name__}: {error}",
                expected="one number per country-sector",
                do="read a file with tiva.read_satellite",
            )
        ) from error
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    if wrong:
        raise UsageError(
            explain(
                "a satellite has numbers only",
                got=f"{wrong} of {values.size} values missing or infinite",
                do="fill them, or read the file with tiva.read_satellite, which names them",
            )
        )
    return values


def unit_of(money: str, satellite: object, given: str | None) -> str:
    """Return the unit of the terms: that of the table, or that of the satellite, as given or as it says itself.

    Parameters
    ----------
    money
        Unit of the flows of the table.
    satellite
        The satellite, or ``None``; it may have an attribute ``unit``.
    given
        Unit given by the caller.
    """
    if satellite is None:
        return money
    return given or str(getattr(satellite, "unit", "") or "unit of the satellite")


def block_rows(model: Operators, values: FloatArray) -> FloatArray:
    """Return (G, R) with ``values`` (R,) of block s in row s, zero elsewhere.

    Parameters
    ----------
    model
        The operators of a table.
    values
        Shape (R,).
    """
    rows = np.zeros((len(model.countries), len(values)))
    rows[model.row_country, np.arange(len(values))] = values
    return rows


def block_columns(model: Operators, values: FloatArray) -> FloatArray:
    """Return (R, G) with ``values`` (R,) of block s in column s, zero elsewhere.

    Parameters
    ----------
    model
        The operators of a table.
    values
        Shape (R,).
    """
    return np.ascontiguousarray(block_rows(model, values).T)


def own_country(model: Operators, values: FloatArray) -> FloatArray:
    """Return (R,): of an array (R, G) by block, each row's entry for its own block.

    Parameters
    ----------
    model
        The operators of a table.
    values
        Shape (R, G): row by block.
    """
    return np.asarray(values[np.arange(len(values)), model.row_country])


def abroad(model: Operators, values: FloatArray) -> FloatArray:
    """Return a copy of an array (R, G) by block with each row's entry for its own block set to zero.

    Parameters
    ----------
    model
        The operators of a table.
    values
        Shape (R, G): row by block.
    """
    copy = values.copy()
    copy[np.arange(len(values)), model.row_country] = 0.0
    return copy
