"""Small tables and their band shares: the hand-checkable world of two countries, and random ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.paths import shared
from tiva.bands.expand import ExpandedTable
from tiva.bands.shares import BandShares
from tiva.bands.split import BandedTable
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.table.icio_table import IcioTable

Z = [[20, 10, 10, 5], [10, 20, 5, 5], [10, 5, 30, 10], [0, 5, 15, 10]]
F = [[40, 15], [55, 5], [20, 25], [0, 20]]
BANDS = ("sme", "lar")

MARGINS: dict[str, dict[str, dict[str, list[float]]]] = {
    "N": {
        "1": {"output": [0.3, 0.7], "value_added": [0.35, 0.65], "imports": [0.2, 0.8], "exports": [0.2, 0.8]},
        "2": {"output": [0.6, 0.4], "value_added": [0.6, 0.4], "imports": [0.5, 0.5], "exports": [0.4, 0.6]},
    },
    "S": {
        "1": {"output": [0.4, 0.6], "value_added": [0.5, 0.5], "imports": [0.2, 0.8], "exports": [0.1, 0.9]},
        "2": {"output": [0.7, 0.3], "value_added": [0.7, 0.3], "imports": [0.5, 0.5], "exports": [0.4, 0.6]},
    },
}
PRODUCERS = {"1": [0.6, 0.4], "2": [0.8, 0.2]}
"""Share in domestic sales to producers, country S of the third example."""


def two_countries() -> IcioTable:
    """Countries N and S with two sectors; every number can be followed by hand."""
    return IcioTable.from_arrays(Z, F, countries=["N", "S"], sectors=["1", "2"])


def toy_shares(table: IcioTable, *countries: str, producers: bool = False) -> BandShares:
    """Margins of the given countries."""
    margins: dict[str, Any] = {c: {s: dict(v) for s, v in MARGINS[c].items()} for c in countries}
    if producers:
        for sector, share in PRODUCERS.items():
            margins["S"][sector]["domestic_intermediate"] = share
    return BandShares.from_dicts(table, margins, bands=dict.fromkeys(countries, BANDS))


@dataclass(frozen=True)
class BruteForce:
    """Everything by explicit matrices over band rows."""

    expanded: ExpandedTable
    offsets: IntArray

    @classmethod
    def of(cls, banded: BandedTable) -> BruteForce:
        expanded = banded.to_table()
        counts = np.bincount(expanded.row_country, minlength=len(banded.countries))
        return cls(expanded, np.concatenate(([0], np.cumsum(counts))))

    @property
    def blocks(self) -> list[slice]:
        return [slice(int(a), int(b)) for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]

    @property
    def coefficients(self) -> FloatArray:
        x = self.expanded.output
        return np.divide(self.expanded.intermediate, x, out=np.zeros_like(self.expanded.intermediate), where=x != 0)

    @property
    def value_added(self) -> FloatArray:
        x = self.expanded.output
        return np.divide(self.expanded.value_added, x, out=np.zeros_like(x), where=x != 0)

    @property
    def inverse(self) -> FloatArray:
        return np.linalg.inv(np.eye(len(self.expanded.output)) - self.coefficients)

    @property
    def domestic(self) -> FloatArray:
        a = self.coefficients
        kept = np.zeros_like(a)
        for block in self.blocks:
            kept[block, block] = a[block, block]
        return kept

    @property
    def local(self) -> FloatArray:
        return np.linalg.inv(np.eye(len(self.expanded.output)) - self.domestic)

    @property
    def final_demand(self) -> FloatArray:
        return self.expanded.final_demand.sum(axis=2)

    @property
    def exports(self) -> FloatArray:
        sold = np.add.reduceat(self.expanded.intermediate, self.offsets[:-1], axis=1) + self.final_demand
        sold[np.arange(len(sold)), self.expanded.row_country] = 0.0
        return sold


def wiod_small(sectors: int = 10, countries: int = 12, year: int = 2008) -> IcioTable:
    """The real WIOD table, summed to a few countries (the rest of the world one of them) and broad sectors."""
    with np.load(shared(f"wiod2013/wiot{year}.npz"), allow_pickle=False) as data:
        table = IcioTable.from_arrays(
            data["intermediate"],
            data["final_demand"],
            countries=data["countries"].tolist(),
            sectors=data["sectors"].tolist(),
            final_demand_categories=data["final_demand_categories"].tolist(),
            year=int(data["year"]),
        )
    kept = table.countries[: countries - 1]
    rest = [c for c in table.countries if c not in kept]
    groups = {f"S{k}": part.tolist() for k, part in enumerate(np.array_split(np.array(table.sectors), sectors))}
    return table.aggregate(countries={"REST": rest}, sectors=groups)
