"""The hand-checkable world of two countries and two sectors, and margins for it.

Values expected of it are from ``shared/data/reference/firmsize_examples.py``: exact rationals, explicit loops, no code
in common with the package.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tiva.bands.derivation import Margins, Split, derive
from tiva.bands.shares import BandShares
from tiva.bands.totals import FlowTotals
from tiva.table.icio_table import IcioTable

INTERMEDIATE = [[20, 10, 10, 5], [10, 20, 5, 5], [10, 5, 30, 10], [0, 5, 15, 10]]
FINAL = [[40, 15], [55, 5], [20, 25], [0, 20]]


def residuals(shares: BandShares, totals: FlowTotals) -> Split:
    """What the margins leave for domestic inputs and home sales."""
    return derive(totals, shares.band_ptr, Margins.of(shares))[0]


def toy_table(**changes: Any) -> IcioTable:
    """Rows N1 N2 S1 S2; output 100 100 100 50."""
    return IcioTable.from_arrays(
        changes.pop("intermediate", INTERMEDIATE),
        changes.pop("final", FINAL),
        countries=["N", "S"],
        sectors=["1", "2"],
        final_demand_categories=["F"],
        year=2020,
        **changes,
    )


def fact(sector: str, variable: str, band: str, value: object, country: str = "S", **more: object) -> dict[str, object]:
    """One row of band_margins.csv."""
    return {
        "country": country, "year": 2020, "sector": sector, "band_scheme": "EMP2", "band": band,
        "variable": variable, "unit": "share", "value": value, "status": "observed", "source": "toy", **more,
    }  # fmt: skip


def facts(
    sector: str, variable: str, shares: tuple[object, ...], country: str = "S", **more: object
) -> list[dict[str, object]]:
    """Rows for the bands of EMP2: sme, lar."""
    return [fact(sector, variable, b, v, country, **more) for b, v in zip(("sme", "lar"), shares, strict=True)]


FULL = {
    ("N", "1"): {"output": (0.3, 0.7), "va": (0.35, 0.65), "imports_intermediate": (0.2, 0.8), "exports": (0.2, 0.8)},
    ("N", "2"): {"output": (0.6, 0.4), "va": (0.6, 0.4), "imports_intermediate": (0.5, 0.5), "exports": (0.4, 0.6)},
    ("S", "1"): {"output": (0.4, 0.6), "va": (0.5, 0.5), "imports_intermediate": (0.2, 0.8), "exports": (0.1, 0.9)},
    ("S", "2"): {"output": (0.7, 0.3), "va": (0.7, 0.3), "imports_intermediate": (0.5, 0.5), "exports": (0.4, 0.6)},
}
"""Margins of example 2."""


def full_rows() -> list[dict[str, object]]:
    """Rows of example 2."""
    return [row for (c, s), by in FULL.items() for v, shares in by.items() for row in facts(s, v, shares, c)]


def random_table(seed: int, countries: int = 3, sectors: int = 3) -> IcioTable:
    """A balanced table with positive value added, some zero cells and mostly positive final demand."""
    rng = np.random.default_rng(seed)
    n = countries * sectors
    z = rng.gamma(0.7, 1.0, (n, n)) * (rng.random((n, n)) < 0.8)
    for g in range(countries):
        own = slice(g * sectors, (g + 1) * sectors)
        z[own, own] *= 4.0
    f = rng.gamma(1.0, 2.0, (n, countries)) + 0.05
    need = np.maximum(z.sum(axis=0) * 1.2 - z.sum(axis=1) - f.sum(axis=1), 0.0)
    f[np.arange(n), np.arange(n) // sectors] += need
    return IcioTable.from_arrays(
        z, f, countries=[f"C{g}" for g in range(countries)], sectors=[f"s{k}" for k in range(sectors)],
        final_demand_categories=["F"], year=2020,
    )  # fmt: skip
