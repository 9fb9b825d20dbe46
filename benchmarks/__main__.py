"""``python -m benchmarks``: print the table of ratios and write it as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
from functools import partial
from pathlib import Path

import numba
import numpy as np
import scipy

from benchmarks import kernel_gain
from benchmarks.measure import inverse_of, leontief_matrix, peak_matrices, time_ratio
from benchmarks.registry import ROWS
from benchmarks.tables import SIZES, synthetic, wiod
from tiva.table.icio_table import IcioTable

HEAD = ("table", "n", "what", "time / inv", "limit", "peak n×n", "limit")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["wiod", "icio"], choices=sorted(SIZES))
    parser.add_argument("--rows", default="", help="only rows whose name contains this text")
    parser.add_argument("--wiod", type=Path, default=Path("../shared/data/wiod2013/wiot2011.npz"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results.json"))
    return parser.parse_args()


def _table(size: str, path: Path) -> tuple[str, IcioTable]:
    if size == "wiod" and path.exists():
        return "WIOD 2011 (real)", wiod(path)
    countries, sectors = SIZES[size]
    return f"{size} size (seeded)", synthetic(countries, sectors)


def run(size: str, path: Path, repeats: int, wanted: str) -> list[dict[str, object]]:
    """Measure every row on one table."""
    name, table = _table(size, path)
    baseline = inverse_of(leontief_matrix(table))
    results: list[dict[str, object]] = []
    for row in ROWS:
        if wanted.lower() not in row.name.lower():
            continue
        work = partial(row.work, row.prepare(table))
        memory = peak_matrices(work, table.n)
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


def main() -> None:
    """Run the benchmarks."""
    args = _arguments()
    print(f"{HEAD[0]:<22} {HEAD[1]:>6}  {HEAD[2]:<44} {HEAD[3]:>8} {HEAD[4]:>5}   {HEAD[5]:>8} {HEAD[6]:>6}")
    rows = [row for size in args.sizes for row in run(size, args.wiod, args.repeats, args.rows)]
    record = {
        "machine": {"cpus": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "numba": numba.__version__},
        "unit": "ratio to one scipy.linalg.inv of the same matrix; memory in n x n float64 beside the table",
        "rows": rows,
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
