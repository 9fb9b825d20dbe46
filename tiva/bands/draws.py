"""Draws of margins within their standard errors: the part of uncertainty that the margins themselves carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tiva.bands.reconcile import FEASIBLE, CellMargins, CellTotals, reconcile_cell, standard_errors
from tiva.bands.shares import MARGINS, BandShares
from tiva.bands.totals import FlowTotals
from tiva.errors import UnknownLabelError, UsageError, explain
from tiva.kernels.arrays import FloatArray, IntArray

SMALLEST_ERROR = 1e-12
"""A standard error of zero would fix a share that may have to move for the others' sake."""

FIELDS = ("output", "value_added", "imports", "exports", "business")


@dataclass(frozen=True, eq=False)
class MarginDraws:
    """Random margins around given ones, each a possible split.

    Attributes
    ----------
    shares
        The margins drawn around.
    rows
        Shape (M,): the rows that vary; all others keep their shares.
    values
        Margin -> shape (D, M), D draws; every country-sector sums to one in every draw.
    seed
        Seed of the generator.
    reconciled
        Shape (D,), country-sectors whose draw had to be moved back into the possible set.
    """

    shares: BandShares
    rows: IntArray
    values: dict[str, FloatArray]
    seed: int
    reconciled: IntArray

    def __len__(self) -> int:
        """Return the number of draws."""
        return len(self.reconciled)

    def draw(self, number: int) -> BandShares:
        """Return one draw as shares."""
        full = {m: self.shares.margin(m).copy() for m in MARGINS}
        for m in MARGINS:
            full[m][self.rows] = self.values[m][number]
        return self.shares.replace(**full)

    def on_rows(self, margin: str, rows: IntArray) -> FloatArray:
        """Return (D, len(rows)): a margin on some rows, sorted; rows that do not vary keep their share."""
        values = np.repeat(self.shares.margin(margin)[None, rows], len(self), axis=0)
        inside = np.isin(self.rows, rows)
        values[:, np.searchsorted(rows, self.rows[inside])] = self.values[margin][:, inside]
        return values

    def __iter__(self) -> Iterator[BandShares]:
        """Yield the draws in order."""
        return (self.draw(d) for d in range(len(self)))


def draw_margins(
    shares: BandShares,
    totals: FlowTotals,
    draws: int = 1000,
    *,
    seed: int = 0,
    countries: Sequence[str] | None = None,
) -> MarginDraws:
    r"""Draw margins around the given ones, as wide as their status or their source says.

    Every share is multiplied by :math:`\exp(\sigma z - \sigma^2 / 2)` with z standard normal and :math:`\sigma^2 =
    \log(1 + (se / share)^2)`, the country-sector is scaled to one, and draws with a negative flow are moved to the
    nearest possible one. Shares of zero stay zero. Draws of different margins and country-sectors are independent.
    What is measured is the error of the margins only, given the way in which they split the table.

    Parameters
    ----------
    shares
        Reconciled margins.
    totals
        Totals of the table.
    draws
        D, number of draws.
    seed
        Seed; equal seeds give equal draws.
    countries
        Countries to draw for, by default all that are split; the others keep their margins.

    Returns
    -------
    MarginDraws

    Raises
    ------
    UnknownLabelError
        A country that does not exist.
    UsageError
        Fewer than one draw.
    """
    if draws < 1:
        raise UsageError(explain("too few draws", got=draws, expected="at least 1"))
    for name in countries or ():
        if name not in shares.countries:
            raise UnknownLabelError("country", name, shares.countries)
    wanted = [g for g, c in enumerate(shares.countries) if countries is None or c in countries]
    rows = np.flatnonzero(np.isin(shares.row_country, wanted) & (shares.row_band >= 0))
    cell = shares.row_table_row[rows]
    start = np.flatnonzero(np.diff(cell, prepend=-1))
    local = np.cumsum(np.diff(cell, prepend=-1) != 0) - 1
    rng = np.random.default_rng(seed)
    errors = {m: _errors(shares, m, rows) for m in MARGINS}
    values = {m: _perturbed(rng, shares.margin(m)[rows], errors[m], draws) for m in MARGINS}
    if len(rows):
        for m in MARGINS:
            values[m] /= np.add.reduceat(values[m], start, axis=1)[:, local]
    follow = {"exports": totals.no_domestic_sales, "value_added": totals.no_domestic_inputs}
    follow["imports"] = totals.no_domestic_inputs
    for m, cells in follow.items():
        values[m][:, cells[cell]] = values["output"][:, cells[cell]]
    reconciled = _move_back(totals, cell, start, values, errors)
    return MarginDraws(shares, rows, values, seed, reconciled)


def _errors(shares: BandShares, margin: str, rows: IntArray) -> FloatArray:
    return standard_errors(
        shares.margin(margin)[rows], shares.status[margin][rows], shares.standard_error[margin][rows]
    )


def _perturbed(rng: np.random.Generator, share: FloatArray, error: FloatArray, draws: int) -> FloatArray:
    relative = np.divide(error, share, out=np.zeros_like(share), where=share > 0.0)
    sigma = np.sqrt(np.log1p(relative**2))
    noise = rng.standard_normal((draws, len(share)))
    result: FloatArray = share * np.exp(sigma * noise - 0.5 * sigma**2)
    return result


def _move_back(
    totals: FlowTotals,
    cell: IntArray,
    start: IntArray,
    values: dict[str, FloatArray],
    errors: dict[str, FloatArray],
) -> IntArray:
    """Reconcile, in place, the country-sectors of those draws that break a bound; return how many, per draw."""
    draws = len(values["output"])
    if not len(cell):
        return np.zeros(draws, dtype=np.int64)
    x = totals.output[cell]
    exported = np.where(totals.no_domestic_sales, 0.0, totals.exports)[cell] * values["exports"]
    broken = exported > values["output"] * x + FEASIBLE * x
    paid = values["value_added"] * totals.value_added[cell] + values["imports"] * totals.imports[cell]
    broken |= paid > values["output"] * (x - totals.other_inputs[cell]) + FEASIBLE * x
    business = values["domestic_intermediate"] * totals.domestic_intermediate[cell]
    broken |= np.nan_to_num(business) > values["output"] * x - exported + FEASIBLE * x
    cells = np.logical_or.reduceat(broken, start, axis=1)
    ends = np.append(start, len(cell))
    for d, k in np.argwhere(cells):
        _reconcile_draw(slice(int(ends[k]), int(ends[k + 1])), values, errors, totals, int(d), int(cell[start[k]]))
    counts: IntArray = cells.sum(axis=1).astype(np.int64)
    return counts


def _reconcile_draw(
    own: slice, values: dict[str, FloatArray], errors: dict[str, FloatArray], totals: FlowTotals, d: int, i: int
) -> None:
    given = {f: values[m][d, own] for m, f in zip(MARGINS, FIELDS, strict=True)}
    spread = {f: np.maximum(errors[m][own], SMALLEST_ERROR) for m, f in zip(MARGINS, FIELDS, strict=True)}
    known = not np.isnan(given["business"]).any()
    result = reconcile_cell(_cell(given, known), _cell(spread, known), CellTotals.of(totals, i))
    for m, field in zip(MARGINS, FIELDS, strict=True):
        moved = getattr(result.margins, field)
        if moved is not None:
            values[m][d, own] = moved


def _cell(arrays: dict[str, FloatArray], known: bool) -> CellMargins:
    return CellMargins(
        arrays["output"], arrays["value_added"], arrays["imports"], arrays["exports"],
        arrays["business"] if known else None,
    )  # fmt: skip
