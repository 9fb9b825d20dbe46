"""Tables that benchmarks run on: real ones where they are at hand, seeded balanced ones of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tiva.table.icio_table import IcioTable

SIZES: dict[str, tuple[int, int]] = {
    "wiod": (41, 35),
    "icio": (77, 45),
    "exiobase": (49, 163),
    "gloria": (164, 120),
}
"""Countries × sectors of known databases."""


def synthetic(countries: int, sectors: int, seed: int = 20) -> IcioTable:
    """Return a dense balanced table: every cell positive, domestic use larger, value added positive.

    Parameters
    ----------
    countries, sectors
        Size; n is their product.
    seed
        Of the random generator.
    """
    rng = np.random.default_rng(seed)
    n = countries * sectors
    flows = rng.random((n, n), dtype=np.float64)
    for g in range(countries):
        block = slice(g * sectors, (g + 1) * sectors)
        flows[block, block] *= 4.0 * countries
    final = rng.random((n, countries)) * 2.0
    for g in range(countries):
        final[g * sectors : (g + 1) * sectors, g] *= 4.0 * countries
    # Final demand is scaled so that intermediate use is about half of output, as in published tables.
    final *= flows.sum() / final.sum()
    output = flows.sum(axis=1) + final.sum(axis=1)
    share = flows.sum(axis=0) / output
    flows *= np.minimum(1.0, 0.8 / share)[None, :]
    return IcioTable.from_arrays(
        flows,
        final,
        countries=[f"C{g:03d}" for g in range(countries)],
        sectors=[f"S{i:03d}" for i in range(sectors)],
    )


def wiod(path: Path) -> IcioTable:
    """Return the full WIOD table in the ``.npz`` layout."""
    with np.load(path, allow_pickle=False) as data:
        return IcioTable.from_arrays(
            data["intermediate"],
            data["final_demand"],
            countries=data["countries"].tolist(),
            sectors=data["sectors"].tolist(),
            final_demand_categories=data["final_demand_categories"].tolist(),
            year=int(data["year"]),
        )
