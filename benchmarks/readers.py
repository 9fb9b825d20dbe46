"""Reading speed as ratios: ``python -m benchmarks.readers`` prints a table; each reader runs in a fresh process.

A seeded csv of ICIO-2025 size (4,053 x 4,537) is read by this package to a checked table, and by the C engine of
pandas and by polars to a bare frame; then the native file is opened again.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

AREAS, SECTORS = 81, 50
CATEGORIES = ("HFCE", "NPISH", "GGFC", "GFCF", "INVNT", "DPABR")
ZEROS = 0.25
"""Share of cells that are zero."""

TIME_LIMIT, MEMORY_LIMIT = 1.15, 1.3
"""Largest ratio to the fastest of pandas and polars."""

REOPEN_SECONDS = 1.0
REPEATS = 3


def write_csv(path: Path, areas: int = AREAS, sectors: int = SECTORS, seed: int = 0) -> Path:
    """Write a random table in the csv layout of the 2023 and 2025 editions; rows and columns add up to rounding."""
    rng = np.random.default_rng(seed)
    regions = [f"C{i:02d}" for i in range(areas)]
    rows = [f"{c}_S{k:02d}" for c in regions for k in range(sectors)]
    final = [f"{c}_{f}" for c in regions for f in CATEGORIES]
    n, k = len(rows), len(rows) + len(final)
    column_sums, output = np.zeros(k), np.zeros(n)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(["V1", *rows, *final, "OUT"]) + "\n")
        for i, label in enumerate(rows):
            drawn = np.exp(rng.normal(-2.0, 2.5, k))
            cells = ["0" if u < ZEROS else f"{x:.4g}" for u, x in zip(rng.random(k), drawn, strict=True)]
            values = np.array(cells, dtype=np.float64)
            column_sums += values
            output[i] = values.sum()
            file.write(f"{label},{','.join(cells)},{output[i]:.9g}\n")
        taxes = 0.02 * column_sums
        added = np.concatenate([output - column_sums[:n] - taxes[:n], np.zeros(k - n)])
        for label, values in (("TLS", taxes), ("VA", added), ("OUT", column_sums + taxes + added)):
            file.write(f"{label},{','.join(f'{x:.9g}' for x in values)},{values.sum():.9g}\n")
    return path


def read_tiva(path: Path) -> object:
    """Read to a checked table; also how a native file is opened."""
    import tiva

    return tiva.read(path) if path.suffix == ".nc" else tiva.read(path, edition="other")


def read_pandas(path: Path) -> object:
    """Read with the C engine of pandas."""
    import pandas as pd

    return pd.read_csv(path, index_col=0)


def read_polars(path: Path) -> object:
    """Read with polars, which is no dependency of the package."""
    import polars as pl

    return pl.read_csv(path)


READERS: dict[str, Callable[[Path], object]] = {"tiva": read_tiva, "pandas": read_pandas, "polars": read_polars}


def once(reader: str, path: Path) -> None:
    """Read in this process and print seconds (best of ``REPEATS``) and peak memory of the first in MB."""
    warnings.simplefilter("ignore")
    seconds, peak = [], 0.0
    for _ in range(REPEATS):
        start = time.perf_counter()
        READERS[reader](path)
        seconds.append(time.perf_counter() - start)
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": min(seconds), "peak_mb": peak}))


def measured(reader: str, path: Path) -> dict[str, float] | None:
    """Run :func:`once` in a fresh process; ``None`` where the library is not installed."""
    command = [sys.executable, "-m", "benchmarks.readers", reader, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        if "ModuleNotFoundError" in done.stderr:
            return None
        raise RuntimeError(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def run() -> dict[str, object]:
    """Measure, print the table and return it."""
    import tiva

    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write_csv(Path(folder) / "2022_SML.csv")
        size = path.stat().st_size / 1e6
        found = {name: m for name in READERS if (m := measured(name, path)) is not None}
        native = tiva.read(path, edition="other").save(Path(folder) / "t.nc")
        reopened = measured("tiva", native)
        tiva.read(path, edition="other", cache=Path(folder))
        (kept,) = Path(folder).glob("????????????????????????????????.nc")
        cached = measured("tiva", kept)
    others = {name: m for name, m in found.items() if name != "tiva"}
    fastest = min(others, key=lambda name: others[name]["seconds"])
    time_ratio = found["tiva"]["seconds"] / others[fastest]["seconds"]
    memory_ratio = found["tiva"]["peak_mb"] / others[fastest]["peak_mb"]
    print(f"csv of ICIO-2025 size, {size:.0f} MB")
    for name, m in found.items():
        print(f"  {name:<10} {m['seconds']:6.2f} s {m['peak_mb']:8.0f} MB")
    print(
        f"  to {fastest}: time {time_ratio:.2f} (limit {TIME_LIMIT}), memory {memory_ratio:.2f} (limit {MEMORY_LIMIT})"
    )
    for name, again in (("native file", reopened), ("cache entry", cached)):
        if again is not None:
            print(f"  {name} opened again: {again['seconds']:.2f} s (limit {REOPEN_SECONDS})")
    return {
        "csv_mb": size, "readers": found, "fastest": fastest, "time_ratio": time_ratio,
        "memory_ratio": memory_ratio, "native": reopened, "cache": cached,
    }  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) == 3:
        once(sys.argv[1], Path(sys.argv[2]))
    else:
        run()
