"""Shares of one country while they are put together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tiva.bands.schemes import BandScheme
from tiva.bands.shares import Status
from tiva.bands.spread import Distribution
from tiva.errors import listing
from tiva.kernels.arrays import FloatArray, IntArray

SOURCES_OF = {
    "output": (("output", None), ("turnover", "turnover taken for output")),
    "value_added": (("va", None),),
    "imports": (("imports_intermediate", None), ("imports_total", "all imports taken for imported inputs")),
    "exports": (("exports", None),),
    "domestic_intermediate": (("sales_domestic_intermediate", None),),
    "purchases": (("purchases_domestic", None),),
    "employment": (("employment", None),),
}
"""Margin -> variables that give it, best first, and what is assumed where it is not the first."""


@dataclass(slots=True, eq=False)
class CountryWork:
    """Shares of one country under construction.

    Attributes
    ----------
    share, status, error
        Margin -> (N, K) shares, NaN where not known; status codes; standard errors, NaN where not given.
    known
        Margin -> (N,) whether a fact stands behind the sector's shares.
    groups
        Margin -> facts for several sectors: positions, distribution, label.
    where
        (margin, sector position) -> file and line.
    traded
        Exports by traders, with their level.
    direct_level
        Sum of the levels of the exports of producers.
    """

    country: str
    scheme: BandScheme
    sectors: tuple[str, ...]
    share: dict[str, FloatArray] = field(default_factory=dict)
    status: dict[str, IntArray] = field(default_factory=dict)
    error: dict[str, FloatArray] = field(default_factory=dict)
    known: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    groups: dict[str, list[tuple[IntArray, Distribution]]] = field(default_factory=dict)
    where: dict[tuple[str, int], str] = field(default_factory=dict)
    traded: Distribution | None = None
    direct_level: float = 0.0
    persons: FloatArray | None = None

    def __post_init__(self) -> None:
        """Start with nothing known."""
        shape = (len(self.sectors), len(self.scheme.bands))
        for margin in SOURCES_OF:
            self.share[margin] = np.full(shape, np.nan)
            self.error[margin] = np.full(shape, np.nan)
            self.status[margin] = np.full(shape, int(Status.ASSUMED), dtype=np.int64)
            self.known[margin] = np.zeros(shape[0], dtype=bool)
            self.groups[margin] = []

    def names(self, chosen: NDArray[np.bool_]) -> str:
        """Return the labels of some sectors, all of them."""
        return listing((n for n, c in zip(self.sectors, chosen, strict=True) if c), limit=len(self.sectors))

    def put(self, margin: str, sector: int, found: Distribution, *, worst: Status = Status.OBSERVED) -> None:
        """Enter a distribution for one sector."""
        self.share[margin][sector] = found.share
        self.error[margin][sector] = found.error
        self.status[margin][sector] = np.maximum(found.status, int(worst))
        self.known[margin][sector] = True
        self.where[margin, sector] = listing(found.where)
