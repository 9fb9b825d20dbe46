"""Random feasible band margins for any table: what property tests and benchmarks of banded tables run on."""

from __future__ import annotations

import numpy as np

from tiva.bands.shares import MARGINS, BandShares, Status
from tiva.bands.totals import FlowTotals
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.table.icio_table import IcioTable

NOISE = 0.8
"""Standard deviation of log shares around output shares: bands differ by factors of two and more."""

KEPT = 0.95
"""Part of the way to infeasibility that a margin may go."""

LABELS = ("micro", "small", "medium", "large", "huge", "giant")


def random_shares(
    table: IcioTable,
    bands: int | tuple[int, ...],
    *,
    seed: int = 0,
    sales_to_producers: bool = False,
    missing: float = 0.0,
) -> BandShares:
    """Return random margins that satisfy all conditions of the two-market split.

    Parameters
    ----------
    table
        The table.
    bands
        Number of bands, of all countries or by country (1: not split).
    seed
        Of the random generator.
    sales_to_producers
        Whether the business-to-business margin is known.
    missing
        Part of the country-sectors that are not split, at random.
    """
    rng = np.random.default_rng(seed)
    totals = FlowTotals.of(table)
    per_country = (bands,) * len(table.countries) if isinstance(bands, int) else bands
    sizes = np.repeat(np.array(per_country)[table.area_country_index], len(table.sectors))
    sizes[(table.output <= 0) | (rng.random(table.n) < missing)] = 1
    pointer = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    draw = _Draw(rng, totals, pointer)
    split = np.repeat(sizes > 1, sizes)
    margins = draw.margins(sales_to_producers=sales_to_producers)
    margins["domestic_intermediate"][~split] = np.nan
    position = np.concatenate([np.arange(k) if k > 1 else np.array([-1]) for k in sizes])
    status = np.where(split, Status.OBSERVED, Status.UNSPLIT)
    return BandShares(
        countries=table.countries,
        areas=table.areas,
        area_countries=table.area_countries,
        sectors=table.sectors,
        bands=tuple(LABELS[:k] if k > 1 else () for k in per_country),
        schemes=tuple("random" if k > 1 else "" for k in per_country),
        band_ptr=pointer,
        row_band=position,
        status=dict.fromkeys(MARGINS, status),
        sources=("random",),
        output=margins["output"],
        value_added=margins["value_added"],
        imports=margins["imports"],
        exports=margins["exports"],
        domestic_intermediate=margins["domestic_intermediate"],
    )


class _Draw:
    """Draws around output shares, pulled back until every residual is positive."""

    def __init__(self, rng: np.random.Generator, totals: FlowTotals, pointer: IntArray) -> None:
        self.rng = rng
        self.totals = totals
        self.start = pointer[:-1]
        self.row = np.repeat(np.arange(len(pointer) - 1), np.diff(pointer))
        self.s = self._normal(np.ones(len(self.row)))

    def _normal(self, base: FloatArray) -> FloatArray:
        weight = base * np.exp(NOISE * self.rng.standard_normal(len(base)))
        return np.asarray(weight / np.add.reduceat(weight, self.start)[self.row])

    def _step(self, room: FloatArray, used: FloatArray, market: FloatArray) -> FloatArray:
        """Largest step, by country-sector, that keeps ``room - step * used`` positive in every band."""
        ratio = np.divide(room, used, out=np.full_like(room, np.inf), where=used > 0)
        step = np.minimum(1.0, KEPT * np.minimum.reduceat(ratio, self.start))
        step[market <= 1e-9 * np.abs(self.totals.output)] = 0.0
        return np.asarray(step[self.row])

    def margins(self, *, sales_to_producers: bool) -> dict[str, FloatArray]:
        t, row, s = self.totals, self.row, self.s
        alpha, m, e = (self._normal(s) - s for _ in range(3))
        used = t.value_added[row] * alpha + t.imports[row] * m
        step = self._step(s * t.domestic_inputs[row], used, t.domestic_inputs)
        alpha, m = s + step * alpha, s + step * m
        home = s * t.domestic_sales[row]
        step = self._step(home, t.exports[row] * e, t.domestic_sales)
        e = s + step * e
        h = np.divide(
            s * t.output[row] - e * t.exports[row],
            t.domestic_sales[row],
            out=s.copy(),
            where=(t.domestic_sales > 1e-9 * np.abs(t.output))[row],
        )
        producers = np.full_like(s, np.nan)
        if sales_to_producers:
            move = self._normal(np.maximum(h, 1e-12)) - h
            step = self._step(h * t.domestic_final[row], move * t.domestic_intermediate[row], t.domestic_final)
            producers = h + step * move
        exact = {"output": s, "value_added": alpha, "imports": m, "exports": e}
        exact["domestic_intermediate"] = np.maximum(producers, 0.0)
        return exact
