"""The scale part: the largest published sizes on one machine, and on a graphics device where there is one."""

from __future__ import annotations

import time
import warnings
from typing import Any
from unittest import mock

from benchmarks.isolated import measured
from benchmarks.report import Ratio

GLORIA_GB = 24.0
"""Largest memory of the process that holds and decomposes a table of GLORIA size."""

FACTOR_SHARE = 0.5
"""Smallest part of the headline's time that must be the factorisation."""

BM_TIME, BM_MEMORY = 1.25, 4.0
"""As in :mod:`benchmarks.registry`."""

DEVICES = ("cupy", "torch")
UNIT = "ratio of seconds, GB of the process, or memory in n x n float64 beside the table"


def run(wanted: str = "") -> list[Ratio]:
    """Measure and print all rows whose name contains a text."""
    rows: list[Ratio] = []
    for name, work in (("GLORIA", _gloria), ("EXIOBASE", _exiobase), ("device", _device)):
        if wanted.lower() in name.lower():
            for row in work():
                row.show()
                rows.append(row)
    return rows


def headline(size: str) -> dict[str, float]:
    """Solve the headline of a size; return seconds, those of the LU factorisation alone, and peak memory in GB."""
    import numpy as np
    from scipy.linalg import lapack

    from benchmarks.tables import SIZES, synthetic
    from tiva.batch.memory import peak_memory, reset_peak
    from tiva.decompositions.headline import headline as solve
    from tiva.model.leontief import LeontiefModel

    table = synthetic(*SIZES[size])
    reset_peak()
    lu = lapack.dgetrf
    spent = [0.0]

    def timed(*args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        found = lu(*args, **options)
        spent[0] += time.perf_counter() - start
        return found

    with mock.patch.object(lapack, "dgetrf", timed):
        start = time.perf_counter()
        terms = solve(LeontiefModel(table))
        seconds = time.perf_counter() - start
    arrays = terms.arrays
    missed = np.abs(arrays["gexp"] - arrays["dc"] - arrays["fc"]).max() / arrays["gexp"].max()
    return {"n": table.n, "seconds": seconds, "lu": spent[0], "gb": peak_memory() / 1e9, "missed": float(missed)}


def _gloria() -> list[Ratio]:
    found = measured("benchmarks.scale:headline", "gloria")
    if found is None:
        raise RuntimeError("the package is not importable")
    n, lu, seconds = int(found["n"]), found["lu"], found["seconds"]
    what = f"GLORIA size (n = {n:,}), headline"
    said = f"{lu:.0f} s of {seconds:.0f} s, {2 / 3 * n**3 / lu / 1e9:.0f} GFLOP/s in the factorisation"
    return [
        Ratio(f"{what}: memory of the process", found["gb"], "GB", at_most=GLORIA_GB, detail="table included"),
        Ratio(f"{what}: time / LU factorisation alone", seconds / lu, at_most=1 / FACTOR_SHARE, detail=said),
        Ratio(f"{what}: contents against gross exports", found["missed"], "share", detail="largest relative gap"),
    ]


def exiobase(what: str) -> dict[str, float]:
    """Return seconds of the inverse or of a fresh source decomposition, or the latter's peak in n x n matrices."""
    from benchmarks.measure import inverse_of, leontief_matrix, peak_matrices, time_ratio
    from benchmarks.tables import SIZES, synthetic
    from tiva.decompositions import borin_mancini
    from tiva.model.leontief import LeontiefModel

    table = synthetic(*SIZES["exiobase"])

    def work() -> object:
        return borin_mancini.source(LeontiefModel(table))

    if what == "memory":
        return {"n": table.n, "peak": peak_matrices(work, table.n)}
    borin_mancini.source(LeontiefModel(synthetic(3, 4)))
    ratio, base = time_ratio(work, inverse_of(leontief_matrix(table)), 1)
    return {"n": table.n, "ratio": ratio, "inverse": base}


def _exiobase() -> list[Ratio]:
    times, memory = (measured("benchmarks.scale:exiobase", what) for what in ("time", "memory"))
    if times is None or memory is None:
        raise RuntimeError("the package is not importable")
    what = f"EXIOBASE size (n = {int(times['n']):,}), BM source, sector-bilateral"
    said = f"inverse {times['inverse']:.0f} s"
    return [
        Ratio(f"{what}: time / inverse", times["ratio"], at_most=BM_TIME, detail=said),
        Ratio(f"{what}: memory", memory["peak"], "n x n", at_most=BM_MEMORY),
    ]


def on_device(backend: str, size: str) -> dict[str, Any]:
    """Solve the headline on a device and on the processor; ``skipped`` says why where that cannot be."""
    import numpy as np

    from benchmarks.tables import SIZES, synthetic
    from tiva.decompositions.headline import headline as solve
    from tiva.kernels.backend import select
    from tiva.model.device import DeviceModel
    from tiva.model.leontief import LeontiefModel

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chosen = select(backend)
    if chosen.name == "numpy":
        return {"skipped": str(caught[0].message).splitlines()[0]}
    peak = device_flops(chosen)
    table = synthetic(*SIZES[size])
    start = time.perf_counter()
    theirs = solve(DeviceModel(table, backend=chosen)).arrays
    device = time.perf_counter() - start
    model = DeviceModel(table, backend=chosen)
    start = time.perf_counter()
    _ = model.factor
    factor = time.perf_counter() - start
    del model
    start = time.perf_counter()
    ours = solve(LeontiefModel(table)).arrays
    cpu = time.perf_counter() - start
    gap = max(float(np.abs(theirs[k] - ours[k]).max() / np.abs(ours["gexp"]).max()) for k in ours)
    return {"n": table.n, "cpu": cpu, "device": device, "fraction": 2 * table.n**3 / factor / peak, "gap": gap}


def device_flops(backend: Any, n: int = 8192) -> float:
    """Return operations a second of a float64 product on the device, best of three."""
    import numpy as np

    matrix = backend.put(np.full((n, n), 0.5))
    best = 0.0
    for _ in range(4):
        start = time.perf_counter()
        product = backend.xp.matmul(matrix, matrix)
        float(product[0, 0])
        best = max(best, 2 * n**3 / (time.perf_counter() - start))
    return best


def _device() -> list[Ratio]:
    """Rows of the first backend that has a device here."""
    reasons: list[str] = []
    for backend in DEVICES:
        rows: list[Ratio] = []
        for size in ("exiobase", "gloria"):
            found = measured("benchmarks.scale:on_device", backend, size)
            if found is None or "skipped" in found:
                reasons.append("" if found is None else found["skipped"])
                break
            what = f"{size} size on a device ({backend}), headline"
            rows += [
                Ratio(f"{what}: time / processor", found["device"] / found["cpu"],
                      detail=f"{found['device']:.1f} s against {found['cpu']:.1f} s"),
                Ratio(f"{what}: inverse, share of its product speed", found["fraction"], "share"),
                Ratio(f"{what}: gap to the processor", found["gap"] * 1e9, "1e-9", at_most=1.0),
            ]  # fmt: skip
        else:
            return rows
    return [Ratio("device: headline against the processor", None, detail="; ".join(filter(None, reasons)))]
