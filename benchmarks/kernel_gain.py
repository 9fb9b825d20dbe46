"""The compiled bilateral sweep against its plain NumPy twin: time and memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.measure import peak_matrices, time_ratio
from tiva.decompositions.borin_mancini import SOURCE_RECIPE
from tiva.kernels import bilateral
from tiva.table.icio_table import IcioTable

NAME = "sweep kernel / NumPy twin"


def run(name: str, table: IcioTable, repeats: int) -> list[dict[str, object]]:
    """Measure the sweep of the source decomposition with arbitrary operands of the right shapes."""
    rng = np.random.default_rng(5)
    n, countries = table.n, len(table.countries)
    offsets = np.arange(countries + 1, dtype=np.int64) * (n // countries)
    scale = np.divide(1.0, table.output, out=np.zeros(n), where=table.output != 0)
    operands: dict[str, Any] = {
        "coefficients": list(rng.random((5, n))),
        "common": list(rng.random((3, n))),
        "paired": list(rng.random((2, n, countries))),
        "final": list(rng.random((2, n, countries))),
    }
    compiled = partial(bilateral.sweep, table.intermediate, scale, offsets, SOURCE_RECIPE, **operands)
    plain = partial(bilateral.sweep_numpy, table.intermediate, scale, offsets, SOURCE_RECIPE, **operands)
    compiled()
    ratio, base = time_ratio(compiled, plain, repeats)
    memory = peak_matrices(compiled, n)
    twin = peak_matrices(plain, n)
    return [
        {
            "table": name, "n": n, "what": f"{NAME} (twin peak {twin:.2f})", "time_ratio": ratio, "time_limit": None,
            "peak_matrices": memory, "memory_limit": None, "twin_seconds": base,
        }
    ]  # fmt: skip
