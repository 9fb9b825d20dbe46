"""The readers part: reading speed and memory as ratios; each reader runs in a fresh process.

A seeded csv of ICIO-2025 size (4,053 x 4,537) is read by this package to a checked table, and by the C engine of
pandas and by polars to a bare frame; then the native file and the cache entry are opened. A workbook of WIOD-2013 size
is read by this package to a checked table, and by openpyxl cell by cell.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.isolated import measured
from benchmarks.report import Ratio
from benchmarks.workbooks import read_openpyxl, read_openpyxl_lxml, write_workbook
from tiva.batch.memory import peak_memory

AREAS, SECTORS = 81, 50
CATEGORIES = ("HFCE", "NPISH", "GGFC", "GFCF", "INVNT", "DPABR")
ZEROS = 0.25
"""Share of cells that are zero."""

TIME_LIMIT, MEMORY_LIMIT = 1.15, 1.3
"""Largest ratio to the fastest of pandas and polars."""

REOPEN_GAIN = 10.0
"""How many times faster than the csv a native file must open."""

REOPEN_SECONDS = 1.0
"""Longest time to take a table from the cache."""

WORKBOOK_GAIN = 6.0
"""How many times faster than openpyxl a workbook must be read."""

REPEATS = 3
UNIT = "ratio of seconds (best of three in one fresh process each) or of peak memory of the process"

Found = dict[str, dict[str, Any]]


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
    """Read a csv to a checked table."""
    import tiva

    return tiva.read(path, edition="other")


def read_plain(path: Path) -> object:
    """Read a native file or workbook to a checked table."""
    import tiva

    return tiva.read(path)


def read_cached(path: Path) -> object:
    """Take a csv that was read before from the cache beside it."""
    import tiva

    return tiva.read(path, edition="other", cache=path.parent / "cache")


def read_pandas(path: Path) -> object:
    """Read with the C engine of pandas."""
    import pandas as pd

    return pd.read_csv(path, index_col=0, engine="c")


def read_polars(path: Path) -> object:
    """Read with polars, which is no dependency of the package."""
    import polars as pl

    return pl.read_csv(path)


READERS: dict[str, Callable[[Path], object]] = {
    "tiva": read_tiva,
    "plain": read_plain,
    "cached": read_cached,
    "pandas": read_pandas,
    "polars": read_polars,
    "openpyxl": read_openpyxl,
    "openpyxl-lxml": read_openpyxl_lxml,
}


def once(reader: str, path: str, repeats: str) -> dict[str, float]:
    """Read in this process; return seconds (best of ``repeats``) and the peak memory of the first read in MB."""
    warnings.simplefilter("ignore")
    seconds, peak = [], 0.0
    for _ in range(int(repeats)):
        start = time.perf_counter()
        READERS[reader](Path(path))
        seconds.append(time.perf_counter() - start)
        peak = peak or peak_memory() / 1e6
    return {"seconds": min(seconds), "peak_mb": peak}


def _measured(reader: str, path: Path, repeats: int = REPEATS) -> dict[str, Any] | None:
    return measured("benchmarks.readers:once", reader, path, repeats)


def _many(readers: tuple[str, ...], path: Path, repeats: int = REPEATS) -> Found:
    return {name: m for name in readers if (m := _measured(name, path, repeats)) is not None}


def run() -> list[Ratio]:
    """Measure and print all rows."""
    rows: list[Ratio] = []
    with TemporaryDirectory() as folder:
        for work in (partial(_csv, Path(folder)), partial(_workbook, Path(folder))):
            for row in work():
                row.show()
                rows.append(row)
    return rows


def _csv(folder: Path) -> list[Ratio]:
    import tiva

    path = write_csv(folder / "2022_SML.csv")
    size = f"{path.stat().st_size / 1e6:.0f} MB"
    found = _many(("tiva", "pandas", "polars"), path)
    ours = found.pop("tiva")
    fastest = min(found, key=lambda name: found[name]["seconds"])
    rows = _against(f"csv of ICIO-2025 size, {size}", fastest, ours, found[fastest])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = tiva.read(path, edition="other")
        native = table.save(folder / "table.nc", compressed=False)
        read_cached(path)
    for title, reader, file in (("native file opened", "plain", native), ("cache entry opened", "cached", path)):
        again = _many((reader,), file)[reader]
        gain, said = ours["seconds"] / again["seconds"], f"{again['seconds']:.3f} s against {ours['seconds']:.2f} s"
        limit = REOPEN_GAIN if reader == "plain" else None
        rows.append(Ratio(f"{title} / csv read: times faster", gain, at_least=limit, detail=said))
        if reader == "cached":
            rows.append(Ratio(f"{title}", again["seconds"], "s", at_most=REOPEN_SECONDS))
    return rows


def _against(what: str, name: str, ours: dict[str, Any], other: dict[str, Any]) -> list[Ratio]:
    """Return time and memory against the fastest of the other readers."""
    said = f"{ours['seconds']:.2f} s against {other['seconds']:.2f} s"
    used = f"{ours['peak_mb']:.0f} MB against {other['peak_mb']:.0f} MB"
    return [
        Ratio(f"{what}: time / {name}", ours["seconds"] / other["seconds"], at_most=TIME_LIMIT, detail=said),
        Ratio(f"{what}: memory / {name}", ours["peak_mb"] / other["peak_mb"], at_most=MEMORY_LIMIT, detail=used),
    ]


def _workbook(folder: Path) -> list[Ratio]:
    path = write_workbook(folder / "wiot11_row.xlsx")
    what = f"xlsx of WIOD-2013 size, {path.stat().st_size / 1e6:.0f} MB: times faster than openpyxl"
    found = {name: _measured(name, path, 2) for name in ("openpyxl", "plain", "openpyxl-lxml")}
    ours = found.pop("plain")
    rows = []
    for name, other in found.items():
        if ours is None or other is None:
            return [Ratio(what, None, detail="openpyxl or a reader of workbooks is not installed")]
        bare = name == "openpyxl"
        said = f"{ours['seconds']:.2f} s against {other['seconds']:.2f} s"
        gain = other["seconds"] / ours["seconds"]
        rows.append(
            Ratio(what if bare else f"{what} with lxml", gain, at_least=WORKBOOK_GAIN if bare else None, detail=said)
        )
    return rows
