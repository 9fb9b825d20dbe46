"""Domestic flows between bands that are known (surveys, tax records): checked, or fitted to the margins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tiva.bands.expand import domestic_flows
from tiva.bands.rows import country_rows
from tiva.errors import BandShareError, ConvergenceError, explain
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.segments import segment_of_rows, segment_sums

if TYPE_CHECKING:
    from tiva.bands.split import BandedTable
    from tiva.table.icio_table import IcioTable

BLOCK_TOLERANCE = 1e-8
"""Relative to the country's largest output: sums of a given block that miss by more contradict the table."""

FIT_TOLERANCE = 1e-11
"""Relative gap at which the fit of a block to its margins stops."""

FIT_ROUNDS = 2000
"""Rounds of the fit before it is given up."""


def checked_block(table: IcioTable, start: IntArray, country: str, flows: ArrayLike) -> FloatArray:
    """Return a given block as an array, if it adds up to the table's domestic flows of that country.

    Parameters
    ----------
    table
        The source table.
    start
        Shape (n + 1,): first band row of each country-sector.
    country
        Whose flows they are.
    flows
        Shape (R_c, R_c): between the band rows of the country, in the unit of the table.

    Raises
    ------
    BandShareError
        Wrong shape, cells that are no numbers or negative where the table is not, or sums that differ.
    """
    members, band_rows = country_rows(table, start, country)
    block = np.array(flows, dtype=np.float64)
    size = len(band_rows)
    if block.shape != (size, size):
        raise BandShareError(
            explain(f"domestic block of {country} has the wrong shape", got=block.shape, expected=(size, size))
        )
    if not np.isfinite(block).all():
        raise BandShareError(explain(f"domestic block of {country} has cells that are not finite numbers"))
    local = np.concatenate(([0], np.cumsum(np.diff(start)[members])))
    sums = segment_sums(local, np.ascontiguousarray(segment_sums(local, block).T)).T
    expected = table.intermediate[np.ix_(members, members)]
    _refuse_gap(country, "its cells do not add up to the table", sums - expected, table.output[members])
    return block


def check_block_columns(banded: BandedTable, country: str) -> None:
    """Refuse a given block whose columns do not add up to the domestic inputs that the margins leave.

    Parameters
    ----------
    banded
        A table split by firm size.
    country
        One whose flows between bands are given.

    Raises
    ------
    BandShareError
        The block and the margins of output, value added and imports contradict each other.
    """
    members, band_rows = country_rows(banded.source, banded.split.start, country)
    segment = banded.split.segment[band_rows]
    bought = banded.split.domestic_inputs[band_rows] * banded.totals.domestic_inputs[segment]
    sold = banded.split.producers[band_rows] * banded.totals.domestic_intermediate[segment]
    block = banded.domestic_blocks[country]
    scale = banded.totals.output[members]
    _refuse_gap(
        country, "its columns do not add up to output less value added and imports", block.sum(0) - bought, scale
    )
    _refuse_gap(country, "its rows do not add up to the sales to producers", block.sum(1) - sold, scale)


def _refuse_gap(country: str, what: str, gap: FloatArray, output: FloatArray) -> None:
    largest = float(np.abs(gap).max(initial=0.0))
    if largest > BLOCK_TOLERANCE * float(np.abs(output).max(initial=0.0)):
        raise BandShareError(
            explain(
                f"domestic block of {country}: {what}",
                got=f"a gap of {largest:.6g}",
                do="fit it first with fit_domestic_block",
            )
        )


def fit_domestic_block(
    banded: BandedTable,
    country: str,
    prior: ArrayLike,
    *,
    tolerance: float = FIT_TOLERANCE,
    rounds: int = FIT_ROUNDS,
) -> FloatArray:
    """Fit domestic flows between bands to the table and the margins, as close to a prior as possible.

    Parameters
    ----------
    banded
        The table split by the margins, without the block.
    country
        Its label.
    prior
        Shape (R_c, R_c), or (bands, bands): relative weights, not negative. A small matrix holds for every pair of
        sectors, in the order of the country's bands; country-sectors that are not split weigh one.
    tolerance
        Gap, relative to the largest total, at which the fit stops; above 1e-8 the result is for a look only, and
        :func:`split_by_size` refuses it.
    rounds
        Rounds before the fit is given up.

    Returns
    -------
    array
        Shape (R_c, R_c), for the option ``domestic_blocks`` of :func:`split_by_size`: sums over bands are the table's
        domestic flows; rows add up to each band's sales to producers, columns to its domestic inputs.

    Raises
    ------
    ConvergenceError
        The zeros of the prior leave no such block.

    Notes
    -----
    Iterative proportional fitting to three sets of totals: minimum cross-entropy from prior times separable split.
    """
    members, band_rows = country_rows(banded.source, banded.split.start, country)
    weights = np.asarray(prior, dtype=np.float64)
    size = len(band_rows)
    bands = len(banded.shares.bands[banded.countries.index(country)])
    if weights.shape == (bands, bands) and weights.shape != (size, size):
        weights = _by_row(weights, banded.shares.row_band[band_rows])
    if weights.shape != (size, size) or not np.isfinite(weights).all() or (weights < 0).any():
        raise BandShareError(
            explain(
                f"prior of the domestic block of {country} cannot be used",
                got=f"shape {np.shape(prior)}",
                expected=f"non-negative weights of shape ({size}, {size}) or {(bands, bands)}",
            )
        )
    separable = domestic_flows(banded, banded.countries.index(country))
    local = np.concatenate(([0], np.cumsum(np.diff(banded.split.start)[members])))
    cells = banded.source.intermediate[np.ix_(members, members)]
    totals = (separable.sum(axis=1), separable.sum(axis=0), cells)
    flows, gap = _fitted(weights * separable, totals, local, tolerance, rounds)
    if not gap <= tolerance:
        raise ConvergenceError(
            explain(
                f"domestic block of {country} cannot be fitted to the table and the margins",
                got=f"a gap of {gap:.1e} of the largest total after {rounds} rounds",
                do="look for zeros in the prior that leave a total without a cell",
            )
        )
    return flows


def _by_row(weights: FloatArray, band: IntArray) -> FloatArray:
    """Spread weights by band over band rows, one where a row is not split (band -1)."""
    padded = np.ones((len(weights) + 1,) * 2)
    padded[:-1, :-1] = weights
    return np.asarray(padded[np.ix_(band, band)])


def _fitted(
    flows: FloatArray,
    totals: tuple[FloatArray, FloatArray, FloatArray],
    local: IntArray,
    tolerance: float,
    rounds: int,
) -> tuple[FloatArray, float]:
    """Scale flows to row, column and cell totals in turn; return them with the largest relative gap left."""
    rows, columns, cells = totals
    segment = segment_of_rows(local)
    scale = max(float(np.abs(columns).max(initial=0.0)), np.finfo(float).tiny)
    gap = np.inf
    for _ in range(rounds):
        sums = segment_sums(local, np.ascontiguousarray(segment_sums(local, flows).T)).T
        gap = max(np.abs(sums - cells).max(), np.abs(flows.sum(axis=1) - rows).max())
        gap = max(gap, np.abs(flows.sum(axis=0) - columns).max()) / scale
        if gap <= tolerance:
            break
        flows = flows * _scaled(cells, sums)[np.ix_(segment, segment)]
        flows *= _scaled(rows, flows.sum(axis=1))[:, None]
        flows *= _scaled(columns, flows.sum(axis=0))
    return flows, float(gap)


def _scaled(target: FloatArray, current: FloatArray) -> FloatArray:
    return np.divide(target, current, out=np.ones_like(target), where=current != 0)
