"""The batch part: two processes against one, what the engine costs, and a cube out of core.

Five WIOD years and every method of the catalogue run through the command line, in a fresh process each, after one small
run that leaves compiled kernels and bytecode on disk, as any installation has them. What the engine costs is measured
against a plain script that reads the same tables, calls the same methods and writes the same files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.isolated import measured
from benchmarks.plans import plan_text
from benchmarks.report import Ratio

SPEED_GAIN = 1.7
"""How many times faster two processes must be than one, each with one thread."""

OVERHEAD = 0.05
"""Largest part of a run on one processor that is neither kernels nor reading and writing: what a plain script saves."""

REPEATS = 5
"""Runs of each kind, in turns; the median of the ratios of runs beside one another counts.

The plain script runs before and after each run of one process: a machine that slows down favours neither.
"""

CUBE_GB = 1.5
"""Largest memory of a streamed cube beside table and factors."""

UNIT = "ratio of wall-clock seconds of the whole command; share of wall-clock seconds; GB"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the command took: wall-clock seconds, and the sum over its jobs of the manifest's seconds."""

    wall: float
    jobs: float
    count: int
    threads: int


def command(plan: Path, out: Path, workers: int, *, one_core: bool = False) -> Run:
    """Run ``tiva batch`` and read its manifest.

    Parameters
    ----------
    plan, out
        Plan and output folder, which must not exist.
    workers
        Processes.
    one_core
        Bind the run to one processor, so that one process has one thread.

    Raises
    ------
    RuntimeError
        A job failed; carries what the command said.
    """
    words = [sys.executable, "-m", "tiva", "batch", str(plan), "--out", str(out), "--jobs", str(workers)]
    wall = _timed(words, one_core=one_core)
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    seconds = [job["seconds"] for job in manifest["jobs"]]
    return Run(wall, sum(seconds), len(seconds), manifest["run"]["threads"])


def plain(tables: list[Path], out: Path, levels: str) -> float:
    """Run the plain script on one processor and return its seconds."""
    out.mkdir()
    words = [sys.executable, "-m", "benchmarks.plain", levels, str(out), *map(str, tables)]
    return _timed(words, one_core=True)


def _timed(words: list[str], *, one_core: bool) -> float:
    """Run a command with bytecode written as installations have it, and return its wall-clock seconds."""
    bind = _bind if one_core and hasattr(os, "sched_setaffinity") else None
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=bind, env=variables)
    wall = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{done.stdout}\n{done.stderr}")
    return wall


def _empty(folder: Path) -> Path:
    """Remove what an earlier turn wrote, so that no run waits for the disk because of another one."""
    if folder.exists():
        shutil.rmtree(folder)
    if hasattr(os, "sync"):
        os.sync()
    return folder


def _bind() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run(folder: Path) -> list[Ratio]:
    """Measure and print all rows.

    Parameters
    ----------
    folder
        Where ``wiot????.npz`` lie.
    """
    tables = sorted(p.resolve() for p in folder.glob("wiot????.npz"))
    rows: list[Ratio] = []
    for levels in ("finest", "every"):
        rows += _years(tables, levels, folder)
    for row in rows:
        row.show()
    for origin in ("country", "country-sector"):
        rows.append(_cube(origin))
        rows[-1].show()
    return rows


def _years(tables: list[Path], levels: str, folder: Path) -> list[Ratio]:
    """Rows of all methods at their finest level, or at every level."""
    what = f"{len(tables)} WIOD years x all methods" + (" x all levels" if levels == "every" else "")
    if len(tables) < 2:
        return [Ratio("five WIOD years x all methods", None, detail=f"no wiot????.npz in {folder}; give --wiod")]
    with TemporaryDirectory() as name:
        work = Path(name)
        plan = work / "plan.toml"
        plan.write_text(plan_text(tables[:1], work / "results", every_level=levels == "every"), encoding="utf-8")
        command(plan, work / "first", 1)
        plan.write_text(plan_text(tables, work / "results", every_level=levels == "every"), encoding="utf-8")
        script, one, two = [], [], []
        for _ in range(REPEATS):
            before = plain(tables, _empty(work / "plain"), levels)
            one.append(command(plan, _empty(work / "one"), 1, one_core=True))
            script.append((before + plain(tables, _empty(work / "plain"), levels)) / 2)
            two.append(command(plan, _empty(work / "two"), 2))
        joint = command(plan, _empty(work / "joint"), 1)
    alone, pair, bare = (median(walls) for walls in ([r.wall for r in one], [r.wall for r in two], script))
    outside = median(1.0 - r.jobs / r.wall for r in one)
    beside = f"{outside * alone:.2f} s: start of three processes, plan, hand-over, checksums, journal, end"
    return [
        Ratio(f"{what}: 1 process, 1 thread / 2 processes",
              median(a.wall / b.wall for a, b in zip(one, two, strict=True)), at_least=SPEED_GAIN,
              detail=f"{alone:.1f} s, {pair:.1f} s, {one[0].count} jobs"),
        Ratio(f"{what}: 1 process, threads: {joint.threads} / 2 processes", joint.wall / pair,
              detail=f"{joint.wall:.1f} s, {pair:.1f} s"),
        Ratio(f"{what}: overhead of the engine",
              median(1.0 - b / a.wall for a, b in zip(one, script, strict=True)), "share", at_most=OVERHEAD,
              detail=f"{alone:.1f} s, a plain script {bare:.1f} s"),
        Ratio(f"{what}: time outside of jobs", outside, "share", detail=beside),
    ]  # fmt: skip


def cube(origin: str) -> dict[str, float]:
    """Stream a cube of ICIO size and return its memory beside table and factors in GB, seconds and size on disk."""
    from benchmarks.tables import SIZES, synthetic
    from tiva.batch.cubes import stream_cube
    from tiva.batch.memory import peak_memory, reset_peak, resident_memory
    from tiva.model.leontief import LeontiefModel

    model = LeontiefModel(synthetic(*SIZES["icio"]))
    _ = model.factor
    reset_peak()
    before = resident_memory()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cube"
        start = time.perf_counter()
        report = stream_cube(model, path, origin=origin)
        seconds = time.perf_counter() - start
        disk = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    cells = report.shape[0] * report.shape[1] * report.shape[2]
    return {"gb": (peak_memory() - before) / 1e9, "seconds": seconds, "disk": disk / 1e9, "cube": cells * 8 / 1e9}


def _cube(origin: str) -> Ratio:
    what = f"cube of {origin} x exporter-sector x importer, ICIO size: memory"
    found = measured("benchmarks.batch:cube", origin)
    if found is None:
        return Ratio(what, None, "GB", detail="zarr is not installed")
    said = f"{found['cube']:.2f} GB of numbers, {found['disk']:.2f} GB on disk, {found['seconds']:.0f} s"
    return Ratio(what, found["gb"], "GB", at_most=CUBE_GB, detail=said)
