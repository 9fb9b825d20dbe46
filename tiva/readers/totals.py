"""Totals that a file states, against the sums of its cells: which rows or columns are shifted, lost or changed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tiva.errors import BalanceWarning, ReaderError, UnknownLabelError, explain, listing
from tiva.kernels.arrays import BoolArray, FloatArray
from tiva.readers.source import Source

Side = Literal["rows", "columns", "both"]
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

DISTINCT = 3
"""Tolerances by which a sum must miss its own total before that of another is looked for."""

FURTHER = 0.9
"""What a further shifted row leaves of the norm at most; a row that has not moved takes next to nothing off."""

LARGEST = 1e100
"""Numbers of which sums of squares are finite; others are damaged, and show in the totals themselves."""

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

    def name(self, position: int, side: Side) -> str:
        """Return label and place of one row, column, or both."""
        sides = {"rows": (self.rows,), "columns": (self.columns,), "both": (self.rows, self.columns)}[side]
        places = [places[position] for places in sides if len(places)]
        return f"{self.labels[position]} ({', '.join(places)})" if places else str(self.labels[position])


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
    joined
        Whether final demand follows intermediate use on the same line.
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
    balanced: bool = True
    joined: bool = True


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
    with np.errstate(over="ignore", invalid="ignore"):
        rows = totals.intermediate.sum(axis=1) + totals.final.sum(axis=1)
        columns = totals.intermediate.sum(axis=0)
    output = rows if totals.output is None else totals.output
    if not all(np.isfinite(x).all() for x in (rows, columns, output)):
        return ()  # the table itself names cells that are no numbers, or too large
    with np.errstate(over="ignore"):
        check = _Check(source, member, totals, gaps, float(np.abs(output).mean()) if output.size else 0.0)
    if totals.output is not None:
        check.compare("rows do not add up to output", rows, output, "rows")
        if totals.output_row is not None:
            check.compare("output below the columns is not that of the rows", totals.output_row, output, "both")
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

    def compare(self, what: str, sums: FloatArray, stated: FloatArray, side: Side) -> None:
        """Refuse or keep rows or columns whose sum is far from what is stated, or is that of another."""
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.maximum(np.abs(sums - stated) - self.totals.slack, 0.0)
            size = np.maximum(np.abs(stated), np.abs(sums))
        known = np.isfinite(gap) & (size > 0)  # cells that are no numbers are named by the table itself
        amount, share = self.totals.rounding
        median = float(np.median(gap[known] / size[known])) if known.any() else 0.0
        far = known & (gap > amount + max(share, MAX_GAP) * size + SMALL * self.scale)
        order = np.argsort(np.where(far, -gap, 0.0), kind="stable")[: int(far.sum())].tolist()
        places = listing(f"{self.totals.places.name(i, side)}: {sums[i]:.6g} against {stated[i]:.6g}" for i in order)
        if median > MAX_MEDIAN_GAP:
            got = f"a median gap of {median:.2g}" + (f"; {places}" if places else "")
            self.refuse(what, got, f"a median gap of at most {MAX_MEDIAN_GAP:g} (rounding)", final=True)
        pairs = _exchanged(sums, stated, amount + share * size + self.totals.slack, known)
        if pairs:
            names = [f"{self.totals.places.name(i, side)} and {self.totals.places.name(j, side)}" for i, j in pairs]
            expected = "labels in the order of the numbers"
            what = f"{'rows or columns' if side == 'both' else side} that have each other's totals"
            self.refuse(what, listing(names), expected, final=False)
        elif places:
            self.refuse(what, places, f"gaps of at most {MAX_GAP:.0%}", final=False)

    def shifted_rows(self, gap: FloatArray, output: FloatArray) -> None:
        """Refuse or keep rows whose cells moved by one: they explain the gaps of all columns at once."""
        amount, share = self.totals.rounding
        seen = np.abs(gap) > amount + share * np.abs(output) + self.totals.slack
        z = self.totals.intermediate
        largest = max(float(z.max()), -float(z.min()), float(np.abs(gap).max())) if gap.size else np.inf
        if not seen.any() or not largest < LARGEST:
            return
        own = self.totals.output is None
        after = self.totals.final[:, 0] if self.totals.joined else None
        for right in (True, False):
            found = _explaining(z, after, gap, int(np.argmax(seen)), right=right, own=own)
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


def _exchanged(sums: FloatArray, stated: FloatArray, tolerance: FloatArray, known: BoolArray) -> list[tuple[int, int]]:
    """Return pairs of which each has the sum that is stated for the other."""
    at = np.flatnonzero(known & (np.abs(sums - stated) > DISTINCT * tolerance))
    if len(at) < 2:
        return []
    by_stated = at[np.argsort(stated[at], kind="stable")]
    near = np.searchsorted(stated[by_stated], sums[at])
    partner: dict[int, int] = {}
    for i, k in zip(at.tolist(), near.tolist(), strict=True):
        for j in by_stated[max(k - 1, 0) : k + 1].tolist():
            if j != i and abs(sums[i] - stated[j]) <= tolerance[j]:
                partner[i] = j
    return [(i, j) for i, j in partner.items() if i < j and partner.get(j) == i]


@dataclass(frozen=True, slots=True)
class _Moved:
    """What each row would add to the gaps of the columns if its cells had moved by one.

    A row read one cell to the right has z[j + 1] where z[j] belongs, so that it adds z[j] - z[j + 1] to the gap of
    column j; to the left, z[j] - z[j - 1]. Columns where the cell that belongs there is not known (the last one, where
    final demand is in another file; the first) have no weight. No array of the size of the table is made.

    Attributes
    ----------
    z
        Shape (n, m): cells from the first column with a gap on.
    after
        Shape (n,): the cell after the last, or ``None``.
    right
        Whether to the right.
    """

    z: FloatArray
    after: FloatArray | None
    right: bool

    def weights(self) -> FloatArray:
        """Shape (m,): 0 where what belongs there is not known."""
        weight = np.ones(self.z.shape[1])
        if not self.right:
            weight[0] = 0.0
        elif self.after is None:
            weight[-1] = 0.0
        return weight

    def row(self, i: int) -> FloatArray:
        """Shape (m,): what row i adds."""
        moved = self.z[i].copy()
        if self.right:
            moved[:-1] -= self.z[i, 1:]
            moved[-1] -= 0.0 if self.after is None else self.after[i]
        else:
            moved[1:] -= self.z[i, :-1]
        return self._weighted(moved)

    def _weighted(self, values: FloatArray) -> FloatArray:
        weighted: FloatArray = values * self.weights()
        return weighted

    def inner(self, gap: FloatArray) -> FloatArray:
        """Shape (n,): inner product of what each row adds with a gap."""
        gap = gap * self.weights()
        product: FloatArray = self.z @ gap
        if self.right:
            product -= self.z[:, 1:] @ gap[:-1]
            return product if self.after is None else product - self.after * gap[-1]
        return product - self.z[:, :-1] @ gap[1:]

    def all_rows(self) -> FloatArray:
        """Shape (m,): what all rows add together."""
        total = self.z.sum(axis=0)
        moved = total.copy()
        if self.right:
            moved[:-1] -= total[1:]
            moved[-1] -= 0.0 if self.after is None else self.after.sum()
        else:
            moved[1:] -= total[:-1]
        return self._weighted(moved)

    def diagonal(self) -> FloatArray:
        """Shape (m,): what the row of each column adds to it."""
        own = self.z[len(self.z) - self.z.shape[1] :]
        at = np.arange(len(own))
        beside = np.zeros(len(own))
        if self.right:
            beside[:-1] = own[at[:-1], at[1:]]
            beside[-1] = 0.0 if self.after is None else self.after[-1]
        else:
            beside[1:] = own[at[1:], at[:-1]]
        return self._weighted(own[at, at] - beside)

    def squares(self) -> FloatArray:
        """Shape (n,): squared norm of what each row adds."""
        z = self.z
        total = np.einsum("ij,ij->i", z, z)
        squares: FloatArray = 2 * (total - np.einsum("ij,ij->i", z[:, :-1], z[:, 1:])) - z[:, 0] ** 2 - z[:, -1] ** 2
        if self.right and self.after is not None:
            squares += (z[:, -1] - self.after) ** 2
        return squares


def _explaining(
    z: FloatArray, after: FloatArray | None, gap: FloatArray, start: int, *, right: bool, own: bool
) -> list[int]:
    """Return the rows whose cells, moved back by one, close the gaps of the columns; empty where none do.

    They are found one by one (matching pursuit). ``start`` is the first column with a gap: cells before it may have
    stayed. With ``own``, output is the row sum, so that the gap in a shifted row's own column is not known.
    """
    moved = _Moved(z[:, start:], after, right)
    left = gap[start:] * moved.weights()
    enough = EXPLAINED * float(np.linalg.norm(left))
    if enough == 0.0 or len(left) < 2:
        return []
    if start == 0 and float(np.linalg.norm(left - moved.all_rows())) <= enough:
        return list(range(len(z)))
    squares, diagonal = moved.squares(), moved.diagonal()
    found: list[int] = []
    for _ in range(MAX_SHIFTED):
        gain = 2 * moved.inner(left) - squares
        if own:
            gain[start:] += (left - diagonal) ** 2
        gain[found] = -np.inf
        gain[squares <= 0] = -np.inf
        best = int(np.argmax(gain))
        new = left - moved.row(best)
        if own and best >= start:
            new[best - start] = 0.0
        before, after_it = float(np.linalg.norm(left)), float(np.linalg.norm(new))
        if not gain[best] > 0 or (before <= enough and after_it > FURTHER * before):
            break
        found.append(best)
        left = new
    return sorted(found) if float(np.linalg.norm(left)) <= enough else []
