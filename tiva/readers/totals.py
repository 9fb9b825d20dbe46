"""Totals that a file states, against the sums of its cells: which rows or columns are shifted, lost or changed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tiva.errors import BalanceWarning, ReaderError, UnknownLabelError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers.source import Source

Gaps = Literal["refuse", "keep"]
"""Refuse rows and columns that are far from their totals, or keep them as they are and warn."""

MAX_MEDIAN_GAP = 1e-3
"""Median of |sum - total| / total above which a file is refused. Rounding to five digits gives below 1e-5 (also in
the real tables); a lost decimal point, a shifted block or a wrong output column gives orders more."""

MAX_GAP = 0.05
"""Share of its total by which one row or column may miss it; the largest that a publisher is known to leave is 0.016
(ICIO 2025 edition, Malta C24B)."""

SMALL = 1e-4
"""Share of the mean output of all country-sectors below which a gap is left to the balance report: cells rounded or
zeroed by the publisher make small country-sectors miss their totals by any share."""

EXPLAINED = 0.1
"""Norm of the column gaps that shifted rows leave, relative to that found: rounding leaves about 1e-4, and no set of
other rows explains gaps of another cause."""

MAX_SHIFTED = 8
"""Shifted rows looked for one by one; more of them show in the gaps themselves."""

PUBLISHED_ROUNDING = (0.1, 1e-5)
"""Amount and share of output by which rows and columns of tables in printed digits may miss output: some 2,500 cells
rounded to three decimals add up to less than 0.1, and output has five digits or more."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the country-sectors of a table stand in its file; rows and columns are in the order of the file.

    Attributes
    ----------
    labels
        n labels.
    rows, columns
        n places each, such as ``"line 4"`` and ``"column F"``; empty where labels say it all.
    """

    labels: Sequence[str]
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()

    def name(self, position: int, side: Literal["rows", "columns"]) -> str:
        """Return label and place of one row or column."""
        places = self.rows if side == "rows" else self.columns
        return f"{self.labels[position]} ({places[position]})" if len(places) else str(self.labels[position])


@dataclass(frozen=True, slots=True)
class Totals:
    """Cells of a table in the order of its file, and what the file says that they add up to.

    Attributes
    ----------
    places
        Where rows and columns stand.
    intermediate, final
        Shape (n, n) and (n, K).
    output
        Shape (n,) or ``None``: what rows (and columns) add up to; row sums where the file has no output.
    below
        Shape (n,) or ``None``: all inputs below intermediate use, value added among them, where rows of the file give
        them all.
    intermediate_total, output_row
        Shape (n,) or ``None``: stated sums of the columns of intermediate use, and output as stated below them.
    rounding
        Amount and share of output by which the publisher's sums are known to be off.
    slack
        Amount by which each sum may be off as its cells were cut, 0 where they were not.
    balanced
        Whether columns balance at the publisher. Where not, only what a shifted row explains is refused.
    """

    places: Places
    intermediate: FloatArray
    final: FloatArray
    output: FloatArray | None
    below: FloatArray | None = None
    intermediate_total: FloatArray | None = None
    output_row: FloatArray | None = None
    rounding: tuple[float, float] = PUBLISHED_ROUNDING
    slack: float = 0.0
    balanced: bool = field(default=True)


def check_gaps_option(gaps: str) -> None:
    """Raise :class:`~tiva.errors.UnknownLabelError` for an option value that does not exist."""
    if gaps not in ("refuse", "keep"):
        raise UnknownLabelError("gaps option", gaps, ("refuse", "keep"))


def check_totals(source: Source, member: str, totals: Totals, gaps: Gaps) -> tuple[str, ...]:
    """Compare the sums of the cells with the totals that a file states.

    Parameters
    ----------
    source, member
        For messages.
    totals
        Cells and stated totals.
    gaps
        What to do with single rows and columns that miss their totals by more than :data:`MAX_GAP`. Where the median
        row or column misses, the file is refused in any case.

    Returns
    -------
    tuple of str
        Notes: what was not checked, and what was kept.

    Raises
    ------
    ReaderError
        Rows or columns that are far from their totals, with their places.

    Warns
    -----
    BalanceWarning
        The same, where they are kept.
    """
    rows = totals.intermediate.sum(axis=1) + totals.final.sum(axis=1)
    output = rows if totals.output is None else totals.output
    columns = totals.intermediate.sum(axis=0)
    check = _Check(source, member, totals, gaps, np.abs(output).mean() if output.size else 0.0)
    if totals.output is not None:
        check.compare("rows do not add up to output", rows, output, "rows")
        if totals.output_row is not None:
            check.compare("output below the columns is not that of the rows", totals.output_row, output, "columns")
    total, below = totals.intermediate_total, totals.below
    if total is not None:
        check.shifted_rows(columns - total, output)
        check.compare("columns do not add up to the published intermediate consumption", columns, total, "columns")
    if below is None:
        check.kept.append("columns could not be checked against output: not all rows below them are in the file")
        return check.notes()
    if total is None:
        check.shifted_rows(columns + below - output, output)
    if totals.balanced:
        stated = "the sums of rows" if totals.output is None else "output"
        check.compare(f"columns do not add up to {stated}", columns + below, output, "columns")
    return check.notes()


@dataclass(slots=True)
class _Check:
    source: Source
    member: str
    totals: Totals
    gaps: Gaps
    scale: float
    kept: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """Return the notes, with a warning where gaps were kept."""
        if self.found:
            warnings.warn(
                explain(f"{self.member}: totals that the cells miss; kept as they are", got="; ".join(self.found)),
                BalanceWarning,
                stacklevel=4,
            )
        return tuple(self.kept)

    def compare(self, what: str, sums: FloatArray, stated: FloatArray, side: Literal["rows", "columns"]) -> None:
        """Refuse or keep rows or columns whose sum is far from what is stated."""
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.maximum(np.abs(sums - stated) - self.totals.slack, 0.0)
            size = np.maximum(np.abs(stated), np.abs(sums))
        known = np.isfinite(gap) & (size > 0)  # cells that are no numbers are named by the table itself
        median = float(np.median(gap[known] / size[known])) if known.any() else 0.0
        amount, share = self.totals.rounding
        far = known & (gap > amount + max(share, MAX_GAP) * size + SMALL * self.scale)
        wide = median > MAX_MEDIAN_GAP
        if not wide and not far.any():
            return
        order = np.argsort(np.where(far, -gap, 0.0), kind="stable")[: int(far.sum())]
        places = [
            f"{self.totals.places.name(int(i), side)}: {sums[i]:.6g} against {stated[i]:.6g}" for i in order.tolist()
        ]
        got = f"a median gap of {median:.2g}; {listing(places)}" if wide else listing(places)
        expected = (
            f"a median gap of at most {MAX_MEDIAN_GAP:g} (rounding)" if wide else f"gaps of at most {MAX_GAP:.0%}"
        )
        self.refuse(what, got, expected, final=wide)

    def shifted_rows(self, gap: FloatArray, output: FloatArray) -> None:
        """Refuse or keep rows whose cells moved by one: they explain the gaps of all columns at once."""
        amount, share = self.totals.rounding
        if not np.isfinite(gap).all() or not (np.abs(gap) > amount + share * np.abs(output) + self.totals.slack).any():
            return
        z, first = self.totals.intermediate, self.totals.final[:, 0]
        for right in (True, False):
            found = _explaining(z, first, gap, right)
            if found:
                side = "right" if right else "left"
                got = listing(self.totals.places.name(i, "rows") for i in found)
                expected = "cells under the labels of their columns, so that columns add up to output"
                self.refuse(f"rows that are shifted by one cell to the {side}", got, expected, final=False)
                return

    def refuse(self, what: str, got: str, expected: str, *, final: bool) -> None:
        name = self.member if self.member == self.source.name else f"{self.source.name}!{self.member}"
        if self.gaps == "keep" and not final:
            self.kept.append(f"kept as asked for with gaps='keep': {what}: {got}")
            self.found.append(f"{what}: {got}")
            return
        do = "cells are shifted, lost or damaged (spreadsheets can lose decimal points): get the file again"
        way_out = "" if final else ", or read it as it is with gaps='keep'"
        raise ReaderError(
            explain(f"{name}: {what}", got=got, expected=expected, do=do + way_out), path=self.source.path
        )


def _explaining(z: FloatArray, first: FloatArray, gap: FloatArray, right: bool) -> list[int]:
    """Return the rows whose cells, moved back by one, close the gaps of the columns; empty where none do.

    A row read one cell to the right has z[j + 1] where z[j] belongs, so that it adds z[j] - z[j + 1] to the gap of
    column j. The rows are found one by one (matching pursuit) from inner products, without an array of their size.
    """
    size = float(np.linalg.norm(gap if right else gap[1:]))
    if size == 0.0:
        return []
    square = np.einsum("ij,ij->i", z, z)
    neighbours = np.einsum("ij,ij->i", z[:, :-1], z[:, 1:])
    if right:
        norms = 2 * square - z[:, 0] ** 2 + first**2 - 2 * (neighbours + z[:, -1] * first)
    else:
        norms = 2 * square - z[:, -1] ** 2 - z[:, 0] ** 2 - 2 * neighbours
    left = gap.copy()
    found: list[int] = []
    for _ in range(MAX_SHIFTED):
        if right:
            inner = z @ left - z[:, 1:] @ left[:-1] - first * left[-1]
        else:
            inner = z[:, 1:] @ left[1:] - z[:, :-1] @ left[1:]
        gain = np.where(norms > 0, 2 * inner - norms, -np.inf)
        gain[found] = -np.inf
        best = int(np.argmax(gain))
        if not gain[best] > 0:
            break
        found.append(best)
        left = left - _moved(z[best], first[best], right)
        if float(np.linalg.norm(left if right else left[1:])) <= EXPLAINED * size:
            return sorted(found)
    return []


def _moved(row: FloatArray, first: float, right: bool) -> FloatArray:
    """Return what one shifted row adds to the gap of each column."""
    moved = row.copy()
    if right:
        moved[:-1] -= row[1:]
        moved[-1] -= first
    else:
        moved[1:] -= row[:-1]
        moved[0] = 0.0
    return moved
