"""The decompositions part: time and memory of every method against one ``scipy.linalg.inv`` of the same matrix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import kernel_gain
from benchmarks.measure import inverse_of, leontief_matrix, peak_matrices, time_ratio
from benchmarks.registry import ROWS
from benchmarks.tables import SIZES, synthetic, wiod
from tiva.table.icio_table import IcioTable

HEAD = ("table", "n", "what", "time / inv", "limit", "peak n×n", "limit")
UNIT = "ratio to one scipy.linalg.inv of the same matrix; memory in n x n float64 beside the table"


def _table(size: str, path: Path) -> tuple[str, IcioTable]:
    if size == "wiod" and path.exists():
        return "WIOD 2011 (real)", wiod(path)
    countries, sectors = SIZES[size]
    return f"{size} size (seeded)", synthetic(countries, sectors)


def _one_size(size: str, path: Path, repeats: int, wanted: str) -> list[dict[str, object]]:
    """Measure every row on one table."""
    name, table = _table(size, path)
    baseline = inverse_of(leontief_matrix(table))
    results: list[dict[str, object]] = []
    for row in ROWS:
        if wanted.lower() not in row.name.lower():
            continue
        work = partial(row.work, row.prepare(table))
        memory = peak_matrices(work, table.n, beside_result=row.beside_result)
        ratio, base = time_ratio(work, baseline, repeats)
        results.append(
            {
                "table": name, "n": table.n, "what": row.name, "time_ratio": ratio, "time_limit": row.time_limit,
                "peak_matrices": memory, "memory_limit": row.memory_limit, "inverse_seconds": base,
            }
        )  # fmt: skip
        _print(results[-1])
    if wanted.lower() in kernel_gain.NAME.lower():
        results.extend(kernel_gain.run(name, table, repeats))
        _print(results[-1])
    return results


def _print(row: dict[str, object]) -> None:
    limit = f"{row['time_limit']:>6.2f}" if row["time_limit"] is not None else "     -"
    memory_limit = f"{row['memory_limit']:>6.1f}" if row["memory_limit"] is not None else "     -"
    print(
        f"{row['table']:<22} {row['n']:>6,}  {row['what']:<44} {row['time_ratio']:>8.3f} {limit}"
        f"   {row['peak_matrices']:>8.2f} {memory_limit}",
        flush=True,
    )


def run(sizes: Sequence[str], path: Path, repeats: int, wanted: str) -> list[dict[str, object]]:
    """Measure every row on every size.

    Parameters
    ----------
    sizes
        Of :data:`benchmarks.tables.SIZES`.
    path
        The real WIOD table; a seeded one takes its place where the file is missing.
    repeats
        Pairs of runs; the median counts.
    wanted
        Only rows whose name contains this text.
    """
    print(f"\n{HEAD[0]:<22} {HEAD[1]:>6}  {HEAD[2]:<44} {HEAD[3]:>8} {HEAD[4]:>5}   {HEAD[5]:>8} {HEAD[6]:>6}")
    return [row for size in sizes for row in _one_size(size, path, repeats, wanted)]
