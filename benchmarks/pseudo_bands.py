"""How wrong is a split by size? Industries as bands, where the truth is known.

Industries of a real table are summed to broad sectors; inside each, they are sorted (by export ratio, or at random) and
cut into K bands. The real flows between these bands are the truth; a split sees their margins only. Printed are, over
countries, the error of the low bands' share in domestic value added in exports, of the indirect part of it, and of
total domestic value added in exports, and how often the model interval (log-normal noise on every domestic cell,
refitted to all totals) holds the truth.

Run: ``python -m benchmarks.pseudo_bands FILE.npz [--bands 2 4] [--assignment exports|random] [--manufacturing]``.
Industries are more heterogeneous than size classes of one industry: errors are an upper range, not a forecast.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tables import wiod
from tiva.bands.blocks import fit_domestic_block
from tiva.bands.expand import domestic_flows
from tiva.bands.shares import MARGINS, BandShares, Status
from tiva.bands.split import BandedTable, split_by_size
from tiva.bands.totals import FlowTotals
from tiva.bands.uncertainty import CELL_NOISE
from tiva.errors import ConvergenceError
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.table.icio_table import IcioTable

BROAD: dict[str, tuple[int, ...]] = {
    "primary": (1, 2),
    "consumer goods": (3, 4, 5, 6, 7),
    "materials": (8, 9, 10, 11),
    "metal and machinery": (12, 13, 14, 15, 16),
    "utilities and construction": (17, 18),
    "trade and hotels": (19, 20, 21, 22),
    "transport and post": (23, 24, 25, 26, 27),
    "finance and business": (28, 29, 30),
    "public and personal": (31, 32, 33, 34, 35),
}
"""Broad sectors by WIOD industry c1 to c35."""

MANUFACTURING = ("consumer goods", "materials", "metal and machinery")

METHODS: dict[str, tuple[str, ...]] = {
    "proportional": (),
    "value added only": ("value_added",),
    "exports only": ("exports",),
    "value added + exports": ("value_added", "exports"),
    "s, alpha, m, e": ("value_added", "imports", "exports"),
    "s, alpha, m, e + b2b": ("value_added", "imports", "exports", "domestic_intermediate"),
}
"""Split method -> margins it sees beside output."""

SIGMA = CELL_NOISE
"""Standard deviation of log noise on domestic cells."""

WIDTHS = (15, 7, 7, 14, 11, 10, 7, 5)
"""Columns of the printed table."""

FIT = 1e-5
"""Relative gap of a refitted draw: far below the spread of the draws."""


@dataclass(frozen=True, slots=True)
class World:
    """A broad table, its true margins by pseudo-band, and the true flows between band rows.

    Attributes
    ----------
    broad
        Table over broad sectors.
    shares
        True margins.
    flows
        Country -> true domestic flows between its band rows.
    low
        Shape (R,): whether a band is in the lower half of its sector.
    """

    broad: IcioTable
    shares: BandShares
    flows: dict[str, FloatArray]
    low: FloatArray


def build(table: IcioTable, bands: int, assignment: str, sectors: Sequence[str], seed: int) -> World:
    """Sum a table of industries to broad sectors and pseudo-bands."""
    groups = {name: [f"c{k}" for k in members] for name, members in BROAD.items()}
    broad = table.aggregate(sectors=groups)
    fine = FlowTotals.of(table)
    order = _assign(table, broad, fine, bands, assignment, sectors, np.random.default_rng(seed))
    sizes = np.array([len(parts) for parts in order])
    pointer = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    parts = [part for row in order for part in row]
    member = np.zeros((len(parts), table.n))
    for row, industries in enumerate(parts):
        member[row, industries] = 1.0
    shares = _true_shares(broad, fine, member, pointer, bands)
    flows = {}
    country = np.repeat(np.arange(len(table.countries)), len(table.sectors))
    for g, name in enumerate(table.countries):
        rows = np.flatnonzero(shares.row_country == g)
        own = member[rows][:, country == g]
        flows[name] = own @ table.intermediate[np.ix_(country == g, country == g)] @ own.T
    low = np.concatenate([np.arange(k) < max(k / 2, 0.5) if k > 1 else np.zeros(1, bool) for k in sizes])
    return World(broad, shares, flows, low)


def _assign(
    table: IcioTable,
    broad: IcioTable,
    totals: FlowTotals,
    bands: int,
    assignment: str,
    sectors: Sequence[str],
    rng: np.random.Generator,
) -> list[list[IntArray]]:
    """Return, for each broad country-sector, the industries (table rows) of each band."""
    ratio = np.divide(totals.exports, totals.output, out=np.zeros(table.n), where=totals.output > 0)
    parts: list[list[IntArray]] = []
    for g in range(len(table.countries)):
        for name in broad.sectors:
            rows = g * len(table.sectors) + np.array([table.sectors.index(f"c{k}") for k in BROAD[name]])
            usable = bool((totals.output[rows] > 0).all() and (totals.value_added[rows] > 0).all())
            if name not in sectors or not usable:
                parts.append([rows])
                continue
            key = ratio[rows] if assignment == "exports" else rng.random(len(rows))
            parts.append(np.array_split(rows[np.argsort(key, kind="stable")], min(bands, len(rows))))
    return parts


def _true_shares(broad: IcioTable, fine: FlowTotals, member: FloatArray, pointer: IntArray, bands: int) -> BandShares:
    start = pointer[:-1]
    sizes = np.diff(pointer)
    split = np.repeat(sizes > 1, sizes)
    output = member @ fine.output

    def shares(flow: FloatArray) -> FloatArray:
        amount = np.maximum(member @ flow, 0.0)
        total = np.add.reduceat(amount, start)
        empty = np.repeat(total <= 0, sizes)
        amount = np.where(empty, output, amount)
        amount = np.where(split, amount, 1.0)
        return np.asarray(amount / np.repeat(np.add.reduceat(amount, start), sizes))

    status = np.where(split, Status.OBSERVED, Status.UNSPLIT)
    labels = tuple(f"band{k}" for k in range(bands))
    return BandShares(
        countries=broad.countries,
        areas=broad.areas,
        area_countries=broad.area_countries,
        sectors=broad.sectors,
        bands=(labels,) * len(broad.countries),
        schemes=("industries",) * len(broad.countries),
        band_ptr=pointer,
        row_band=np.concatenate([np.arange(k) if k > 1 else np.array([-1]) for k in sizes]),
        output=shares(fine.output),
        value_added=shares(fine.value_added),
        imports=shares(fine.imports),
        exports=shares(fine.exports),
        domestic_intermediate=np.where(split, shares(fine.domestic_intermediate), np.nan),
        status=dict.fromkeys(MARGINS, status),
    )


def split_with(world: World, margins: Sequence[str], theta: float = 0.0) -> BandedTable:
    """Split the broad table seeing some of the true margins; the others follow output."""
    shares = world.shares
    known = {
        name: getattr(shares, name)
        if name in margins
        else (np.full_like(shares.output, np.nan) if name == "domestic_intermediate" else shares.output)
        for name in MARGINS[1:]
    }
    method = "two-market" if margins else "proportional"
    return split_by_size(world.broad, shares.replace(**known), method=method, theta=theta, infeasible="keep")  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one country, in per cent: the low bands' shares in DVA and in indirect DVA, and DVA in exports."""

    share: float
    indirect: float
    total: float


def outcome(
    flows: FloatArray, value_added: FloatArray, output: FloatArray, exports: FloatArray, low: FloatArray
) -> Outcome:
    """Compute value added in exports from explicit domestic flows between band rows."""
    inverse_output = np.divide(1.0, output, out=np.zeros_like(output), where=output > 0)
    total_output = np.linalg.solve(np.eye(len(output)) - flows * inverse_output, exports)
    v = value_added * inverse_output
    dva = v * total_output
    indirect = dva - v * exports
    return Outcome(
        100 * dva[low].sum() / dva.sum(),
        100 * indirect[low].sum() / indirect.sum(),
        100 * dva.sum() / exports.sum(),
    )


def countries_of(world: World, banded: BandedTable) -> Iterator[tuple[str, IntArray, Outcome, Outcome]]:
    """Yield, for each country with a split sector, its band rows, the truth and the estimate."""
    truth, row = world.shares, banded.split.segment
    t = banded.totals
    for g, name in enumerate(world.broad.countries):
        rows = np.flatnonzero(truth.row_country == g)
        if not (truth.row_band[rows] >= 0).any() or t.exports[row[rows]].sum() <= 0:
            continue
        true = outcome(
            world.flows[name],
            truth.value_added[rows] * t.value_added[row[rows]],
            truth.output[rows] * t.output[row[rows]],
            truth.exports[rows] * t.exports[row[rows]],
            world.low[rows],
        )
        yield name, rows, true, _estimate(world, banded, rows, domestic_flows(banded, g))


def _estimate(world: World, banded: BandedTable, rows: IntArray, flows: FloatArray) -> Outcome:
    row = banded.split.segment[rows]
    exports = banded.split.exports[rows] * banded.totals.exports[row]
    return outcome(flows, banded.value_added[rows], banded.output[rows], exports, world.low[rows])


def interval(
    world: World, banded: BandedTable, name: str, rows: IntArray, draws: int, seed: int
) -> tuple[float, float]:
    """Return the 5th and 95th percentile of the low bands' share over refitted draws; NaN where flows are negative."""
    rng = np.random.default_rng(seed)
    country = world.broad.countries.index(name)
    if domestic_flows(banded, country).min() < 0:
        return np.nan, np.nan
    found = []
    for _ in range(draws):
        noise = np.exp(SIGMA * rng.standard_normal((len(rows), len(rows))))
        try:
            flows = fit_domestic_block(banded, name, noise, tolerance=FIT, rounds=400)
        except ConvergenceError:
            continue
        found.append(_estimate(world, banded, rows, flows).share)
    if len(found) < draws / 2:
        return np.nan, np.nan
    low, high = np.percentile(found, [5, 95])
    return float(low), float(high)


def report(world: World, draws: int, seed: int) -> list[str]:
    """Return one line a split method: errors over countries, and coverage, width and number of intervals."""
    heads = ("low share: MAE", "bias", "max", "indirect MAE", "DVA/X MAE", "coverage", "width", "of")
    lines = [f"{'split method':<24}" + "".join(f"{h:>{w}}" for h, w in zip(heads, WIDTHS, strict=True))]
    rows = [(name, margins, 0.0) for name, margins in METHODS.items()]
    rows.append(("  same, theta = +0.5", METHODS["s, alpha, m, e + b2b"], 0.5))
    for name, margins, theta in rows:
        banded = split_with(world, margins, theta)
        pairs = list(countries_of(world, banded))
        error = np.array([e.share - t.share for _, _, t, e in pairs])
        indirect = np.array([e.indirect - t.indirect for _, _, t, e in pairs])
        total = np.array([e.total - t.total for _, _, t, e in pairs])
        line = f"{name:<24}{np.abs(error).mean():>15.2f}{error.mean():>+7.2f}{np.abs(error).max():>7.1f}"
        line += f"{np.abs(indirect).mean():>14.2f}{np.abs(total).mean():>11.2f}"
        if draws:
            bounds = [interval(world, banded, c, r, draws, seed + k) for k, (c, r, _, _) in enumerate(pairs)]
            made = [(lo, hi, t.share) for (lo, hi), (_, _, t, _) in zip(bounds, pairs, strict=True) if np.isfinite(lo)]
            low, high, true = np.array(made).T
            line += f"{100 * ((low <= true) & (true <= high)).mean():>9.0f}%{(high - low).mean():>7.1f}{len(made):>5d}"
        lines.append(line)
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="full WIOD tables in the .npz layout")
    parser.add_argument("--bands", nargs="+", type=int, default=[2, 4])
    parser.add_argument("--assignment", choices=["exports", "random"], default="exports")
    parser.add_argument("--manufacturing", action="store_true", help="split manufacturing only")
    parser.add_argument("--draws", type=int, default=60, help="draws of the model interval, 0 for none")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    sectors = MANUFACTURING if options.manufacturing else tuple(BROAD)
    for path in options.files:
        table = wiod(path)
        for bands in options.bands:
            world = build(table, bands, options.assignment, sectors, options.seed)
            print(f"\n{path.name}: K = {bands}, by {options.assignment}, {len(sectors)} sectors split; per cent points")
            print("\n".join(report(world, options.draws, options.seed)))


if __name__ == "__main__":
    main()
