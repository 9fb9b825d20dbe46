"""Reconciliation of margins that contradict each other: the smallest weighted change that makes them possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tiva.bands.shares import Status
from tiva.bands.totals import FlowTotals
from tiva.errors import MarginError, explain
from tiva.kernels.arrays import FloatArray, IntArray

RELATIVE_ERROR = {
    Status.OBSERVED: 0.02,
    Status.DERIVED: 0.05,
    Status.IMPUTED: 0.20,
    Status.ASSUMED: 0.40,
    Status.UNSPLIT: 0.0,
}
"""Standard error of a share relative to the share, where its source gives none: conventions, not measurements."""

SMALLEST_SHARE = 0.01
"""Shares below it get the standard error of one of this size: a published zero is a rounded number too."""

SLACK = 1e-9
"""Reconciled flows stay inside their bounds by this part of output, so that rounding cannot make one negative."""

OUTPUT_FLOOR = 1e-6
"""Output share below which a band is not pushed where output shares are free: a band with output keeps some."""

FEASIBLE = 1e-12
"""A bound exceeded by less, relative to output, is rounding: margins are then used as given."""

MISSED = 1e-10
"""Largest violation of a bound, as share of output, accepted from the solver; below SLACK, so no flow is negative."""


@dataclass(frozen=True, slots=True)
class CellTotals:
    """Totals of one country-sector; see :class:`tiva.bands.totals.FlowTotals`."""

    output: float
    value_added: float
    exports: float
    imports: float
    domestic_intermediate: float
    other_inputs: float = 0.0

    @classmethod
    def of(cls, totals: FlowTotals, i: int) -> CellTotals:
        """Return those of table row ``i``; where nothing is sold at home exports follow output and bind nothing."""
        return cls(
            output=float(totals.output[i]),
            value_added=float(totals.value_added[i]),
            exports=0.0 if totals.no_domestic_sales[i] else float(totals.exports[i]),
            imports=float(totals.imports[i]),
            domestic_intermediate=float(totals.domestic_intermediate[i]),
            other_inputs=float(totals.other_inputs[i]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CellMargins:
    """Shares of one country-sector, each (K,); ``business`` is ``None`` where not known."""

    output: FloatArray
    value_added: FloatArray
    imports: FloatArray
    exports: FloatArray
    business: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A band's flow beyond the bound that its output sets, both in the unit of the table."""

    condition: str
    band: int
    got: float
    bound: float

    def describe(self, band: str) -> str:
        """Return the sentence that names it."""
        return f"{CONDITIONS[self.condition]} of band {band!r}: {self.got:,.6g} above {self.bound:,.6g}"


CONDITIONS = {
    "C1": "exports above output",
    "C2": "value added plus imported inputs above output",
    "C3": "negative share",
    "C4": "domestic sales to business above output less exports",
}
"""Names of the conditions under which the split has no negative flow."""


def standard_errors(share: FloatArray, status: IntArray, given: FloatArray) -> FloatArray:
    """Return the standard error of shares: as given, else the relative one of their status times the share.

    Parameters
    ----------
    share, status, given
        Equal shapes; ``given`` is NaN where the source has no standard error.
    """
    relative = np.array([RELATIVE_ERROR[Status(c)] for c in range(len(Status))])[status]
    result: FloatArray = np.where(np.isnan(given), relative * np.maximum(share, SMALLEST_SHARE), given)
    return result


def violations(margins: CellMargins, totals: CellTotals) -> list[Violation]:
    """Return the bounds C1 to C4 that the margins of one country-sector exceed.

    Parameters
    ----------
    margins
        Shares of the bands of one country-sector.
    totals
        Its flows.
    """
    x = totals.output
    s = margins.output * x
    exported = margins.exports * totals.exports
    paid = margins.value_added * totals.value_added + margins.imports * totals.imports
    checks = [("C1", exported, s), ("C2", paid, margins.output * (x - totals.other_inputs))]
    given = (margins.output, margins.value_added, margins.imports, margins.exports, margins.business)
    checks += [("C3", -share * x, np.zeros_like(s)) for share in given if share is not None]
    if margins.business is not None:
        checks.append(("C4", margins.business * totals.domestic_intermediate, s - exported))
    return [
        Violation(name, int(a), float(flow[a]), float(bound[a]))
        for name, flow, bound in checks
        for a in np.flatnonzero(flow - bound > FEASIBLE * x)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Reconciled:
    """Result for one country-sector.

    Attributes
    ----------
    margins
        Possible margins: those given, to the last digit, wherever no bound they are in was exceeded.
    violations
        What was exceeded before.
    moved
        Margin -> L1 distance of its flows before and after, as share of output.
    """

    margins: CellMargins
    violations: tuple[Violation, ...]
    moved: dict[str, float]


def reconcile_cell(
    margins: CellMargins, errors: CellMargins, totals: CellTotals, *, free_output: bool = False
) -> Reconciled:
    r"""Return the nearest margins that a balanced, non-negative split can have.

    Minimises :math:`\sum_v \sum_a (y_{va} - y^0_{va})^2 / \sigma_{va}^2` over the margins v subject to
    :math:`\sum_a y_{va} = 1` and C1 to C4: exports within output, value added and imports within output, nothing
    negative, domestic sales to business within what is not exported. Margins whose bounds hold are not touched.
    Output shares stay fixed unless ``free_output``: they bound all others, and shares equal to them are always
    possible.

    Parameters
    ----------
    margins, errors
        Shares and their standard errors (K,).
    totals
        Totals of the country-sector; output and domestic inputs positive, exports at most output.
    free_output
        Whether output shares may move too.

    Returns
    -------
    Reconciled

    Notes
    -----
    Least-distance programming by non-negative least squares: C. L. Lawson and R. J. Hanson (1974), Solving Least
    Squares Problems, chapter 23; the active set found is solved once more, so that bounds hold to rounding.
    """
    found = violations(margins, totals)
    if not found:
        return Reconciled(margins, (), {})
    names = _blocks(found, margins, free_output)
    values = {n: getattr(margins, n) for n in _FIELDS if getattr(margins, n) is not None}
    for block in names:
        start = np.concatenate([values[n] for n in block])
        scale = np.concatenate([getattr(errors, n) for n in block])
        bounds, limit = _inequalities(block, values, totals)
        sums: FloatArray = np.repeat(np.eye(len(block)), len(margins.output), axis=1)
        solved = _nearest(start, scale, bounds, limit, sums)
        for name, share in zip(block, np.split(solved, len(block)), strict=True):
            share = np.where((share < 0.0) & (share > -FEASIBLE), 0.0, share)
            values[name] = share / share.sum()
    after = CellMargins(**values)
    flows = {
        "output": totals.output,
        "value_added": abs(totals.value_added),
        "imports": totals.imports,
        "exports": totals.exports,
        "business": totals.domestic_intermediate,
    }
    moved = {
        n: float(np.abs(values[n] - getattr(margins, n)).sum() * flows[n] / totals.output)
        for block in names
        for n in block
    }
    return Reconciled(after, tuple(found), moved)


_FIELDS = ("output", "value_added", "imports", "exports", "business")


def _blocks(found: list[Violation], margins: CellMargins, free_output: bool) -> list[list[str]]:
    """Return which margins are solved for together: only those that share an exceeded bound."""
    sales = ["exports"] if margins.business is None else ["exports", "business"]
    costs = ["value_added", "imports"]
    if free_output:
        return [["output", *costs, *sales]]
    broken = {v.condition for v in found}
    wanted = []
    if broken & {"C1", "C3", "C4"}:
        wanted.append(sales)
    if broken & {"C2", "C3"}:
        wanted.append(costs)
    return wanted


def _inequalities(block: list[str], values: dict[str, FloatArray], totals: CellTotals) -> tuple[FloatArray, FloatArray]:
    """Return (C, c) of C y >= c for the bounds on one block, each as share of output."""
    x = totals.output
    k = len(values["output"])
    weight = {
        "output": (1.0, 1.0 - totals.other_inputs / x),
        "value_added": (0.0, -totals.value_added / x),
        "imports": (0.0, -totals.imports / x),
        "exports": (-totals.exports / x, 0.0),
        "business": (0.0, 0.0),
    }
    floor = [OUTPUT_FLOOR * (values[n] > 0.0) if n == "output" else np.zeros(k) for n in block]
    rows, limits = [np.eye(len(block) * k)], [np.concatenate(floor)]
    bounds = [{n: w[0] for n, w in weight.items()}, {n: w[1] for n, w in weight.items()}]
    if "business" in values:
        bounds.append({**bounds[0], "business": -totals.domestic_intermediate / x})
    for bound in bounds:
        if not any(bound[n] for n in block if n != "output"):
            continue
        rows.append(np.hstack([bound[n] * np.eye(k) for n in block]))
        fixed = [bound[n] * values[n] for n in bound if n not in block and n in values]
        room = max(sum(bound[n] for n in bound if n in values), 0.0)
        slack = min(SLACK, 0.5 * room) * values["output"]
        limits.append(slack - np.sum(fixed, axis=0) if fixed else slack)
    return np.vstack(rows), np.concatenate(limits)


def _nearest(
    start: FloatArray, scale: FloatArray, bounds: FloatArray, limit: FloatArray, sums: FloatArray
) -> FloatArray:
    """Return argmin |(y - start) / scale| subject to bounds y >= limit and sums y = 1."""
    from scipy.optimize import nnls

    equal, right = sums * scale, 1.0 - sums @ start
    more, least = bounds * scale, limit - bounds @ start
    particular = np.linalg.lstsq(equal, right, rcond=None)[0]
    _, _, basis = np.linalg.svd(equal)
    free = basis[len(right) :].T
    reduced, rest = more @ free, least - more @ particular
    system = np.vstack([reduced.T, rest])
    target = np.zeros(len(system))
    target[-1] = 1.0
    multipliers = nnls(system, target, maxiter=100 * len(rest))[0]
    active = multipliers > 0.0
    step = np.linalg.lstsq(reduced[active], rest[active], rcond=None)[0] if active.any() else np.zeros(free.shape[1])
    worst = float((rest - reduced @ step).max(initial=0.0))
    if worst > MISSED:
        raise MarginError(
            explain("margins cannot be reconciled", got=f"a bound missed by {worst:.3g} of output", expected="0")
        )
    nearest: FloatArray = start + scale * (particular + free @ step)
    return nearest
