"""Four kinds of interval for a band's value added in exports, each labelled for what it is.

One is about errors of the margins, three about what margins do not identify.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tiva.bands.derivation import Margins, derive
from tiva.bands.draws import draw_margins
from tiva.bands.expand import domestic_flows
from tiva.bands.rows import country_rows
from tiva.bands.shares import MARGINS
from tiva.bands.totals import FlowTotals
from tiva.errors import ConvergenceError, UnknownLabelError, UsageError, explain
from tiva.kernels.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from tiva.bands.split import BandedTable

Quantity = Literal["share", "value"]
"""``"share"`` of the bands in domestic value added in exports, or its ``"value"`` in the unit of the table."""

CELL_NOISE = 4.0
"""Log standard deviation of cell noise in the model interval: chosen by experiment, see :data:`HELD_TRUTH`."""

TESTED_LEVEL = 0.9
"""Level of the intervals whose coverage was counted."""

HELD_TRUTH = {True: "78 to 98 %", False: "7 to 79 %"}
"""Part of countries in which a model interval of 90 % and :data:`CELL_NOISE` held the truth, from case to case, where
sales to producers by band are known (True) and where not (False). Counted with industries as bands in WIOD 1995, 2008
and 2011 (``benchmarks/pseudo_bands.py``): two and four bands, sorted by exports or at random, all sectors or
manufacturing only. With half of that noise it was 62 to 93 % and 12 to 88 % in 2008. Where bands are sorted by exports
all misses are on one side: firms that export little also sell less to those that export much than in proportion."""

ASSUMED_SALES = "sales to producers by band are assumed here, not known: too narrow"
"""What every interval but that of the margins says where the optional fifth margin is missing: they keep the sales of
each band to producers as assumed. How often the model interval then holds the truth is in :data:`HELD_TRUTH`."""

STARTS = 5
"""Starting points of the search for the identified set."""

GAIN = 1e-10
"""A search stops when a step gains less, relative to exports."""

MAX_STEPS = 60
"""Steps before a search stops unfinished; three to six are usual."""

FITTED = 1e-9
"""Fitting stops when no total is missed by more, relative to all domestic sales."""

MAX_SWEEPS = 5_000
"""Sweeps before fitting a draw gives up."""


@dataclass(frozen=True, slots=True)
class BandInterval:
    """A lower and an upper value, and what kind of interval it is.

    Attributes
    ----------
    kind
        ``"margin Monte Carlo"``, ``"coupling sensitivity"``, ``"model interval"`` or ``"identified set"``.
    meaning
        What it says and what not, one sentence for tables and figures.
    country, bands, quantity
        What it is about: domestic value added of these bands in the country's exports.
    estimate
        The value of the split itself.
    lower, upper
        The interval, in the unit of the quantity.
    detail
        Options and how the search or the draws went.
    """

    kind: str
    meaning: str
    country: str
    bands: tuple[str, ...]
    quantity: Quantity
    estimate: float
    lower: float
    upper: float
    detail: str

    def __str__(self) -> str:
        return (
            f"{self.kind}: {', '.join(self.bands)} firms in exports of {self.country}: {self.estimate:.4g} "
            f"[{self.lower:.4g}, {self.upper:.4g}] ({self.quantity}; {self.meaning}; {self.detail})"
        )


def margin_interval(
    banded: BandedTable,
    country: str,
    bands: Sequence[str] | str,
    *,
    quantity: Quantity = "share",
    draws: int = 1000,
    level: float = 0.9,
    seed: int = 0,
) -> BandInterval:
    """Draw the margins of the country within their standard errors: what their own error does.

    Parameters
    ----------
    banded, country, bands, quantity
        As in :func:`coupling_sensitivity`.
    draws
        Number of draws, see :func:`tiva.bands.draws.draw_margins`.
    level
        Part of the draws inside the interval.
    seed
        Seed; equal seeds give equal draws.

    Raises
    ------
    UsageError
        A split with a preference between bands, or a proportional one; a level out of range.
    """
    if draws < 2 or not 0.0 < level < 1.0:
        raise UsageError(
            explain(
                "draws or level out of range", got=f"draws={draws}, level={level}", expected="draws >= 2, 0 < level < 1"
            )
        )
    network = _Network.of(banded, country, bands, quantity)
    if banded.method != "two-market" or banded.theta[banded.countries.index(country)] != 0.0:
        raise UsageError(explain("margins are drawn for the two-market split without a preference between bands"))
    drawn = draw_margins(banded.shares, banded.totals, draws, seed=seed, countries=[country])
    margins = [drawn.on_rows(name, network.source) for name in MARGINS]
    values = [network.value_of_margins(Margins(*(m[d] for m in margins))) for d in range(draws)]
    lower, upper = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return network.interval(
        "margin Monte Carlo",
        f"{level:.0%} of draws of the margins within their standard errors; the form of the split is taken as true",
        float(lower),
        float(upper),
        f"{draws} draws, seed {seed}, {drawn.reconciled.mean():.1f} country-sectors a draw moved back",
    )


def coupling_sensitivity(
    banded: BandedTable, country: str, bands: Sequence[str] | str, *, quantity: Quantity = "share"
) -> BandInterval:
    r"""Vary who buys from whom: the range over band-to-band couplings with all cell margins kept.

    In every domestic cell (i, j) the shares h of the selling and d of the buying bands stay as they are; only how
    they meet varies. The extremes pair the sellers with the highest content :math:`w = v'_S L` with the buyers of the
    highest export dependence :math:`t = (L e) / x` (all cells comonotone) or the lowest (countermonotone).

    Parameters
    ----------
    banded
        A table split by size.
    country
        Country of the exporters.
    bands
        Bands whose value added is counted.
    quantity
        ``"share"`` in the country's domestic value added in exports, or ``"value"``.

    Returns
    -------
    BandInterval
        A sensitivity, not a confidence set: shares that differ from cell to cell are not varied.

    Raises
    ------
    UnknownLabelError
        A country or band that does not exist.
    UsageError
        The country's flows between bands are given.

    Notes
    -----
    The two searches alternate sorting and solving; each step cannot lose to first order, and the best point is kept.
    Where the sign of :math:`(w_{i1} - w_{i2})(t_{j1} - t_{j2})` does not depend on the coupling, as it hardly ever
    does, they end at the exact bounds.
    """
    network = _Network.of(banded, country, bands, quantity)
    found = {}
    for sign in (-1.0, 1.0):
        flows, steps = network.flows, 0
        best = network.value(flows)
        while steps < MAX_STEPS:
            w, t = network.gradient(flows)
            flows = network.coupled(sign * w, t)
            now = network.value(flows)
            steps += 1
            if sign * (now - best) <= GAIN:
                break
            best = now
        found[sign] = (best, steps)
    return network.interval(
        "coupling sensitivity",
        _meaning(banded, network, "who buys from whom varies, all else kept; not a confidence interval"),
        found[-1.0][0],
        found[1.0][0],
        f"{found[-1.0][1]} and {found[1.0][1]} steps",
    )


def model_interval(
    banded: BandedTable,
    country: str,
    bands: Sequence[str] | str,
    *,
    quantity: Quantity = "share",
    draws: int = 400,
    sigma: float = CELL_NOISE,
    level: float = 0.9,
    seed: int = 0,
) -> BandInterval:
    r"""Perturb every domestic flow between bands and fit the totals again.

    Flows are multiplied by :math:`\exp(\sigma z)`, z standard normal and independent, and scaled back to the sales of
    every band row to producers, the domestic inputs of every band column and every flow of the source table.

    It is no confidence interval: its coverage was counted in an experiment (:data:`HELD_TRUTH`), and it is far below
    the nominal level where sales to producers by band are not known. The interval says so itself.

    Parameters
    ----------
    banded, country, bands, quantity
        As in :func:`coupling_sensitivity`.
    draws
        Number of draws.
    sigma
        Log standard deviation; the default was chosen by the experiment.
    level
        Part of the draws inside the interval.
    seed
        Seed; equal seeds give equal draws.

    Raises
    ------
    UsageError
        Too few draws, or a level or sigma out of range.
    ConvergenceError
        More than one draw in twenty whose totals could not be fitted.
    """
    if draws < 2 or not 0.0 < level < 1.0 or sigma < 0.0:
        raise UsageError(
            explain(
                "draws, level or sigma out of range",
                got=f"draws={draws}, level={level}, sigma={sigma}",
                expected="draws >= 2, 0 < level < 1, sigma >= 0",
            )
        )
    network = _Network.of(banded, country, bands, quantity)
    values, failed = network.noisy_values(draws, sigma, seed)
    lower, upper = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    left_out = f", {failed} draws left out that did not fit" if failed else ""
    return network.interval(
        "model interval",
        f"{level:.0%} of draws of cell noise fitted to all totals, margins exact; "
        + _held_truth(banded, country, sigma),
        float(lower),
        float(upper),
        f"sigma {sigma:g}, {draws} draws, seed {seed}{left_out}",
    )


def _held_truth(banded: BandedTable, country: str, sigma: float) -> str:
    """Return what is known of the coverage of a model interval, for its meaning."""
    if sigma != CELL_NOISE:
        return "how often it holds the truth was not counted for this noise"
    _, rows = country_rows(banded.source, banded.split.start, country)
    sold = banded.totals.domestic_intermediate[banded.split.segment[rows]] > 0.0
    split = (banded.shares.row_band[rows] >= 0) & sold
    given = banded.shares.domestic_intermediate[rows][split]
    known = banded.method == "two-market" and not np.isnan(given).any()
    held = f"with industries as bands, {TESTED_LEVEL:.0%} intervals held the truth in {HELD_TRUTH[known]} of countries"
    return held if known else f"sales to producers by band are not known: {held}, so the error is larger than shown"


def identified_set(
    banded: BandedTable,
    country: str,
    bands: Sequence[str] | str,
    *,
    quantity: Quantity = "share",
    starts: int = STARTS,
    seed: int = 0,
) -> BandInterval:
    """Search all domestic flows that the totals allow: what margins alone say.

    Kept are the sales of every band row to domestic producers, the domestic inputs of every band column, every flow
    of the source table, and all exports and imports; any other non-negative flows between bands are allowed. Each
    step is a linear programme (HiGHS) in the flows for the gradient at the last point.

    Parameters
    ----------
    banded, country, bands, quantity
        As in :func:`coupling_sensitivity`.
    starts
        Starting points; the first is the split itself.
    seed
        Seed of the others.

    Returns
    -------
    BandInterval
        An inner approximation of the set: the search is local, from several starts.

    Raises
    ------
    UsageError
        Fewer than one start.
    """
    if starts < 1:
        raise UsageError(explain("too few starting points", got=starts, expected="at least 1"))
    network = _Network.of(banded, country, bands, quantity)
    programme = _Programme(network)
    rng = np.random.default_rng(seed)
    points = [network.flows]
    for _ in range(starts - 1):
        noisy = network.fitted(network.flows * np.exp(CELL_NOISE * rng.standard_normal(network.flows.shape)))
        if noisy is not None:
            points.append(noisy)
    ends = {sign: [programme.climb(p, sign) for p in points] for sign in (-1.0, 1.0)}
    return network.interval(
        "identified set",
        _meaning(
            banded,
            network,
            "all flows that the totals allow, found by local search: an inner approximation",
            "margins exact",
        ),
        min(ends[-1.0]),
        max(ends[1.0]),
        f"{len(points)} starts, seed {seed}",
    )


def _meaning(banded: BandedTable, network: _Network, what: str, with_sales: str = "") -> str:
    """Say what an interval is, and that it is too narrow where sales to producers by band are not known."""
    split = banded.shares.row_band[network.source] >= 0
    known = not np.isnan(banded.shares.domestic_intermediate[network.source][split]).any()
    more = with_sales if known else ASSUMED_SALES
    return f"{what}; {more}" if more else what


@dataclass(frozen=True, slots=True, eq=False)
class _Network:
    """Home network of one country: K_i bands of N sectors (and areas), R rows.

    ``flows`` (R, R), ``exports output rate sellers buyers chosen`` (R,), ``source`` (R,) band row of the table,
    ``segment`` (R,) country-sector of each row counted from 0, ``start`` (n,) first row of each, ``cells`` (n, n)
    source flows, ``totals`` of its country-sectors.
    """

    country: str
    bands: tuple[str, ...]
    quantity: Quantity
    flows: FloatArray
    cells: FloatArray
    totals: FlowTotals
    source: IntArray
    segment: IntArray
    start: IntArray
    sellers: FloatArray
    buyers: FloatArray
    rate: FloatArray
    exports: FloatArray
    output: FloatArray
    chosen: NDArray[np.bool_]

    @classmethod
    def of(cls, banded: BandedTable, country: str, bands: Sequence[str] | str, quantity: Quantity) -> _Network:
        if country not in banded.countries:
            raise UnknownLabelError("country", country, banded.countries)
        if country in banded.domestic_blocks:
            raise UsageError(explain(f"flows between bands of {country} are given: their coupling is not uncertain"))
        if quantity not in ("share", "value"):
            raise UnknownLabelError("quantity", quantity, ("share", "value"))
        names = (bands,) if isinstance(bands, str) else tuple(bands)
        aggregate, rows = country_rows(banded.source, banded.split.start, country)
        labels = np.array([banded.bands[b] for b in banded.row_band[rows]])
        for name in names:
            if name not in labels:
                raise UnknownLabelError("band", name, tuple(dict.fromkeys(labels.tolist())))
        split, totals = banded.split, banded.totals.take(aggregate)
        segment = np.searchsorted(aggregate, split.segment[rows])
        output = banded.output[rows]
        return cls(
            country=country,
            bands=names,
            quantity=quantity,
            flows=domestic_flows(banded, banded.countries.index(country)),
            cells=banded.source.intermediate[np.ix_(aggregate, aggregate)],
            totals=totals,
            source=rows,
            segment=segment,
            start=np.flatnonzero(np.diff(segment, prepend=-1)),
            sellers=split.producers[rows],
            buyers=split.domestic_inputs[rows],
            rate=np.divide(banded.value_added[rows], output, out=np.zeros_like(output), where=output != 0),
            exports=split.exports[rows] * totals.exports[segment],
            output=output,
            chosen=np.isin(labels, names),
        )

    def interval(self, kind: str, meaning: str, lower: float, upper: float, detail: str) -> BandInterval:
        estimate = self.value(self.flows)
        return BandInterval(
            kind, meaning, self.country, self.bands, self.quantity, estimate, lower, upper, detail,
        )  # fmt: skip

    def _system(self, flows: FloatArray) -> FloatArray:
        inverse = np.divide(1.0, self.output, out=np.zeros_like(self.output), where=self.output > 0.0)
        system: FloatArray = np.eye(len(inverse)) - flows * inverse
        return system

    def value(self, flows: FloatArray) -> float:
        """Domestic value added of the chosen bands in exports, or its share."""
        return self._counted(self.rate * np.linalg.solve(self._system(flows), self.exports))

    def _counted(self, content: FloatArray) -> float:
        part = float(content[self.chosen].sum())
        return part if self.quantity == "value" else part / float(content.sum())

    def value_of_margins(self, margins: Margins) -> float:
        """Return the value under other margins: L e = e + h T (d / s) e with T = (I - A D)^-1 A of sector size."""
        split, _ = derive(self.totals, np.append(self.start, len(self.segment)), margins)
        exports = split.exports * self.totals.exports[self.segment]
        inverse = _ratio(np.ones(len(self.start)), self.totals.output)
        rate = split.value_added_intensity * (self.totals.value_added * inverse)[self.segment]
        needs, sold = split.domestic_intensity, split.producers
        coefficients = self.cells * inverse
        loop = np.add.reduceat(needs * sold, self.start)
        wanted = coefficients @ np.add.reduceat(needs * exports, self.start)
        induced = np.linalg.solve(np.eye(len(loop)) - coefficients * loop, wanted)
        return self._counted(rate * (exports + sold * induced[self.segment]))

    def gradient(self, flows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return w and t: the value changes by w_r t_q for each unit of flow from row r to row q.

        For a share, w counts value added of the chosen bands less the share times that of all.
        """
        system = self._system(flows)
        reached = np.linalg.solve(system, self.exports)
        counted = self.rate * self.chosen
        if self.quantity == "share":
            content = self.rate * reached
            counted = (counted - content[self.chosen].sum() / content.sum() * self.rate) / content.sum()
        w = np.linalg.solve(system.T, counted)
        t: FloatArray = np.divide(reached, self.output, out=np.zeros_like(self.output), where=self.output > 0.0)
        return np.asarray(w, dtype=np.float64), t

    def coupled(self, w: FloatArray, t: FloatArray) -> FloatArray:
        """Return the flows in which, cell by cell, sellers in the order of w meet buyers in the order of t."""
        low, high = self._intervals(self.sellers, w)
        left, right = self._intervals(self.buyers, t)
        overlap = np.minimum(high[:, None], right) - np.maximum(low[:, None], left)
        flows: FloatArray = self.cells[np.ix_(self.segment, self.segment)] * np.maximum(overlap, 0.0)
        return flows

    def _intervals(self, share: FloatArray, key: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the ends of each row's share on the unit interval, rows of a segment in the order of ``key``."""
        order = np.lexsort((key, self.segment))
        summed = np.cumsum(share[order])
        before = np.concatenate(([0.0], summed))[self.start]
        high = np.empty_like(share)
        high[order] = summed - before[self.segment[order]]
        return high - share, high

    def noisy_values(self, draws: int, sigma: float, seed: int) -> tuple[list[float], int]:
        """Return the values of flows with noise that were fitted to the totals, and how many could not be."""
        rng = np.random.default_rng(seed)
        noisy = (self.flows * np.exp(sigma * rng.standard_normal(self.flows.shape)) for _ in range(draws))
        values = [self.value(fitted) for fitted in map(self.fitted, noisy) if fitted is not None]
        failed = draws - len(values)
        if 20 * failed > draws:
            raise ConvergenceError(
                explain(f"{failed} of {draws} draws could not be fitted to the totals", do="use a smaller sigma")
            )
        return values, failed

    def fitted(self, flows: FloatArray) -> FloatArray | None:
        """Return the flows scaled to row, column and cell totals, or ``None`` if that does not come about."""
        rows, columns = self.flows.sum(axis=1), self.flows.sum(axis=0)
        whole = float(rows.sum())
        z = flows.copy()
        for _ in range(MAX_SWEEPS):
            z *= _ratio(rows, z.sum(axis=1))[:, None]
            z *= _ratio(columns, z.sum(axis=0))
            z *= _ratio(self.cells, self._by_cell(z))[np.ix_(self.segment, self.segment)]
            worst = max(float(np.abs(z.sum(axis=1) - rows).max()), float(np.abs(z.sum(axis=0) - columns).max()))
            if worst <= FITTED * whole:
                return z
        return None

    def _by_cell(self, flows: FloatArray) -> FloatArray:
        summed: FloatArray = np.add.reduceat(np.add.reduceat(flows, self.start, axis=0), self.start, axis=1)
        return summed


def _ratio(wanted: FloatArray, found: FloatArray) -> FloatArray:
    return np.divide(wanted, found, out=np.zeros_like(found), where=found > 0.0)


class _Programme:
    """The linear programme over flows between bands with all totals kept."""

    def __init__(self, network: _Network) -> None:
        from scipy.sparse import coo_array, vstack

        self.network = network
        size = len(network.output)
        self.row, self.column = np.nonzero(network.cells[np.ix_(network.segment, network.segment)] > 0.0)
        count = len(self.row)
        ones, place = np.ones(count), np.arange(count)
        n = len(network.start)
        cell = network.segment[self.row] * n + network.segment[self.column]
        used, cell_row = np.unique(cell, return_inverse=True)
        blocks = [
            coo_array((ones, (self.row, place)), shape=(size, count)),
            coo_array((ones, (self.column, place)), shape=(size, count)),
            coo_array((ones, (cell_row, place)), shape=(len(used), count)),
        ]
        self.matrix = vstack(blocks).tocsr()
        self.scale = float(network.flows.sum())
        self.totals = self.matrix @ network.flows[self.row, self.column] / self.scale

    def climb(self, start: FloatArray, sign: float) -> float:
        """Return the best value reached from ``start``, highest (+1) or lowest (-1)."""
        from scipy.optimize import linprog

        flows = start
        best = self.network.value(flows)
        for _ in range(MAX_STEPS):
            w, t = self.network.gradient(flows)
            cost = -sign * w[self.row] * t[self.column]
            largest = float(np.abs(cost).max(initial=0.0))
            if largest == 0.0:
                return best
            solved = linprog(cost / largest, A_eq=self.matrix, b_eq=self.totals, bounds=(0, None), method="highs")
            if solved.status != 0:
                raise ConvergenceError(explain("the linear programme was not solved", got=solved.message))
            flows = np.zeros_like(start)
            flows[self.row, self.column] = np.maximum(solved.x, 0.0) * self.scale
            now = self.network.value(flows)
            if sign * (now - best) <= GAIN:
                return best
            best = now
        return best
