"""How each country-sector splits into its bands: what follows from the margins, and whether it can be.

The two-market separable split starts from the shares of band a of country-sector i in output ``s``, value added
``alpha``, imported inputs ``m``, exports ``e`` and, where known, domestic sales to producers ``h^Z``. Then

* domestic inputs are the residual of each band's column, ``d = (s x - alpha va - m M) / D``;
* home sales are the residual of each band's row, ``h = (s x - e E) / H``;
* flows are ``Z_ij h_ia d_jb`` at home and ``Z_ij e_ia m_jb`` across borders.

This is the table of maximum entropy given the margins, and the fixed point of RAS; it aggregates to the source exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiva.bands.feasibility import Feasibility, Violation
from tiva.bands.shares import MARGINS
from tiva.bands.totals import NEGLIGIBLE, FlowTotals
from tiva.kernels.arrays import BoolArray, FloatArray, IntArray
from tiva.kernels.segments import segment_of_rows

if TYPE_CHECKING:
    from tiva.bands.shares import BandShares

ROUNDING = 1e-9
"""Relative to output: a residual no more negative than this is rounding, and is used as it comes."""


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Shares of each band row in its country-sector, arrays (R,); each sums to one over the bands of a sector.

    Attributes
    ----------
    output, value_added, imports, exports
        s, alpha, m and e.
    producers
        h^Z, share in domestic sales to producers; NaN where unknown.
    """

    output: FloatArray
    value_added: FloatArray
    imports: FloatArray
    exports: FloatArray
    producers: FloatArray

    @classmethod
    def of(cls, shares: BandShares) -> Margins:
        """Return the margins that band shares hold.

        Parameters
        ----------
        shares
            Margins of a table.
        """
        return cls(*(shares.margin(name) for name in MARGINS))


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The split of every country-sector, arrays (R,), in the row order of the table.

    Attributes
    ----------
    start
        Shape (n + 1,): first band row of each country-sector.
    segment
        Country-sector of each row.
    output, value_added, imports, exports
        Shares s, alpha, m, e as used (as given, but for the edge rules in the report).
    domestic_inputs
        d, share in the domestic inputs of the sector.
    home_sales
        h, share in all home sales of the sector.
    producers
        h^Z as used: as given where known, else h.
    home_final
        Sales to home final demand, in the unit of the table.
    """

    start: IntArray
    segment: IntArray
    output: FloatArray
    value_added: FloatArray
    imports: FloatArray
    exports: FloatArray
    domestic_inputs: FloatArray
    home_sales: FloatArray
    producers: FloatArray
    home_final: FloatArray

    @property
    def domestic_intensity(self) -> FloatArray:
        """Shape (R,): delta = d / s, 0 for a band without output."""
        return _ratio(self.domestic_inputs, self.output)

    @property
    def import_intensity(self) -> FloatArray:
        """Shape (R,): mu = m / s, 0 for a band without output."""
        return _ratio(self.imports, self.output)

    @property
    def value_added_intensity(self) -> FloatArray:
        """Shape (R,): alpha / s, 0 for a band without output."""
        return _ratio(self.value_added, self.output)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def derive(totals: FlowTotals, start: IntArray, margins: Margins) -> tuple[Split, Feasibility]:
    """Derive the split from the margins, apply the edge rules, check the conditions.

    Parameters
    ----------
    totals
        The markets of the table.
    start
        Shape (n + 1,): first band row of each country-sector.
    margins
        As reconciled.

    Returns
    -------
    tuple
        The split, and the report on what was forced and what cannot be.

    Notes
    -----
    Flows are non-negative where (C1) exports and (C2) value added plus imports stay below output and (C4) exports
    plus sales to producers do, in every band; (C3), margins themselves not negative, holds for any band shares.

    Edge rules, each named in the report where it changes a given margin: no output leaves nothing to split, and all
    margins are set to s; no domestic inputs forces alpha = m = s; no home sales forces e = s;
    no home final demand forces h^Z = h. They apply only where the given margins do not fit already.
    """
    work = _Working(totals, start, margins)
    work.set_idle()
    work.split_columns()
    work.split_rows()
    return work.split(), work.report()


class _Working:
    """The margins while they are being completed."""

    def __init__(self, totals: FlowTotals, start: IntArray, margins: Margins) -> None:
        self.totals = totals
        self.start = start
        self.segment = segment_of_rows(start)
        self.given = margins
        self.s = margins.output
        self.alpha = margins.value_added.copy()
        self.m = margins.imports.copy()
        self.e = margins.exports.copy()
        self.scale = np.abs(totals.output)
        self.tolerance = self.at(self.scale) * ROUNDING
        self.forced: list[tuple[str, BoolArray]] = []

    def at(self, values: FloatArray) -> FloatArray:
        """Bring a country-sector total (n,) to its band rows (R,)."""
        return np.asarray(values[self.segment])

    def worst(self, values: FloatArray) -> FloatArray:
        """Largest absolute value over the bands of each country-sector, (n,)."""
        return np.asarray(np.maximum.reduceat(np.abs(values), self.start[:-1]))

    def force(self, why: str, sectors: BoolArray, *margins: FloatArray) -> None:
        """Set margins to the output share in some country-sectors, and remember it."""
        rows = sectors[self.segment]
        changed = np.zeros(len(sectors), dtype=bool)
        for margin in margins:
            changed |= sectors & (self.worst(np.where(rows, margin - self.s, 0.0)) > 0)
            margin[rows] = self.s[rows]
        if changed.any():
            self.forced.append((why, changed))

    def set_idle(self) -> None:
        """Set the margins of country-sectors without output to the output share."""
        t = self.totals
        idle = t.output == 0
        self.force("no output: all margins set to the output share", idle, self.alpha, self.m, self.e)

    def split_columns(self) -> None:
        """Domestic inputs by band: d."""
        t = self.totals
        misfit, _ = self._unfit(self._input_residual(), t.domestic_inputs)
        self.force(
            "no domestic inputs (or negative): value added and imports split by output", misfit, self.alpha, self.m
        )
        residual = self._input_residual()
        _, self.d = self._unfit(residual, t.domestic_inputs)

    def _unfit(self, residual: FloatArray, total: FloatArray) -> tuple[BoolArray, FloatArray]:
        """Return where an empty or negative market cannot hold the residuals of its bands, and the bands' shares.

        In an empty market the residuals must vanish; in a negative one (inventories) they must all be negative.
        """
        empty = (np.abs(total) <= NEGLIGIBLE * self.scale) | (np.diff(self.start) == 1)
        share = np.where(empty[self.segment], self.s, residual / self.at(np.where(empty, 1.0, total)))
        leftover = self.worst(residual - self.s * self.at(total)) > NEGLIGIBLE * self.scale
        lowest = np.minimum.reduceat(share, self.start[:-1])
        return (empty & leftover) | (~empty & (total < 0) & (lowest < 0)), share

    def _input_residual(self) -> FloatArray:
        t = self.totals
        return np.asarray(
            self.s * self.at(t.value_added + t.domestic_inputs + t.imports)
            - self.alpha * self.at(t.value_added)
            - self.m * self.at(t.imports)
        )

    def split_rows(self) -> None:
        """Home sales by band: h, and its parts to producers and to final demand."""
        t = self.totals
        self.known = ~np.isnan(self.given.producers) & (self.at(t.domestic_intermediate) != 0)
        misfit, _ = self._unfit(self._sales_residual(), t.domestic_sales)
        empty = np.abs(t.domestic_sales) <= NEGLIGIBLE * self.scale
        misfit &= empty | ~self.known[self.start[:-1]]
        self.force("no home sales (or negative): exports split by output", misfit, self.e)
        residual = self._sales_residual()
        _, self.h = self._unfit(residual, t.domestic_sales)
        self._split_home_sales(residual)

    def _sales_residual(self) -> FloatArray:
        t = self.totals
        return np.asarray(self.s * self.at(t.domestic_sales + t.exports) - self.e * self.at(t.exports))

    def _split_home_sales(self, residual: FloatArray) -> None:
        t = self.totals
        self.hz = np.where(self.known, self.given.producers, self.h)
        to_producers = self.at(t.domestic_intermediate)
        none = np.abs(t.domestic_final) <= NEGLIGIBLE * self.scale
        misfit = none & (self.worst(residual - self.hz * to_producers) > NEGLIGIBLE * self.scale)
        if misfit.any():
            rows = misfit[self.segment]
            self.hz[rows] = self.h[rows]
            self.forced.append(("no home final demand: sales to producers are all home sales", misfit))
        final = residual - self.hz * to_producers
        unknown = self.h * self.at(t.domestic_final)
        self.home_final = np.where(self.known & ~misfit[self.segment], final, unknown)

    def split(self) -> Split:
        """Return the finished split."""
        return Split(
            start=self.start,
            segment=self.segment,
            output=self.s,
            value_added=self.alpha,
            imports=self.m,
            exports=self.e,
            domestic_inputs=self.d,
            home_sales=self.h,
            producers=self.hz,
            home_final=self.home_final,
        )

    def report(self) -> Feasibility:
        """Check C1 to C4 and return what was found."""
        t = self.totals
        output, home = self.at(t.output), self.at(t.domestic_sales)
        exempt = self.known & (home < 0)
        found = [
            ("C1", "exports exceed output", self._negative(self.h, t.domestic_sales) & ~exempt, self.h * home),
            ("C2", "value added and imports exceed output", self._negative(self.d, t.domestic_inputs),
             self.d * self.at(t.domestic_inputs)),
            ("C4", "exports and sales to producers exceed output",
             self.known & (self.at(t.domestic_final) > 0) & (self.home_final < -self.tolerance), self.home_final),
        ]  # fmt: skip
        return Feasibility(
            violations=tuple(
                Violation(code, text, int(row), abs(float(amount[row])), float(output[row]))
                for code, text, where, amount in found
                for row in np.flatnonzero(where)
            ),
            forced=tuple((why, tuple(int(i) for i in np.flatnonzero(where))) for why, where in self.forced),
        )

    def _negative(self, share: FloatArray, total: FloatArray) -> BoolArray:
        return np.asarray((share < 0) & (np.abs(share * self.at(total)) > self.tolerance))
