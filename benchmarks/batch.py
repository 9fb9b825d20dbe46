"""The batch part: two processes against one, what a run costs beside its jobs, and a cube out of core.

Five WIOD years and every method of the catalogue run through the command line, in a fresh process each, after one small
run that leaves the compiled kernels on disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.isolated import measured
from benchmarks.plans import plan_text
from benchmarks.report import Ratio

SPEED_GAIN = 1.7
"""How many times faster two processes must be than one, each with one thread."""

OVERHEAD = 0.05
"""Largest part of a run's processor time, on one process, that is not inside its jobs."""

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
    bind = _bind if one_core and hasattr(os, "sched_setaffinity") else None
    start = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=bind)
    wall = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{done.stdout}\n{done.stderr}")
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    seconds = [job["seconds"] for job in manifest["jobs"]]
    return Run(wall, sum(seconds), len(seconds), manifest["run"]["threads"])


def _bind() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run(folder: Path) -> list[Ratio]:
    """Measure and print all rows.

    Parameters
    ----------
    folder
        Where ``wiot????.npz`` lie.
    """
    rows = _five_years(folder)
    for row in rows:
        row.show()
    for origin in ("country", "country-sector"):
        rows.append(_cube(origin))
        rows[-1].show()
    return rows


def _five_years(folder: Path) -> list[Ratio]:
    tables = sorted(p.resolve() for p in folder.glob("wiot????.npz"))
    what = f"{len(tables)} WIOD years x all methods"
    if len(tables) < 2:
        return [Ratio("five WIOD years x all methods", None, detail=f"no wiot????.npz in {folder}; give --wiod")]
    with TemporaryDirectory() as name:
        work = Path(name)
        plan = work / "plan.toml"
        plan.write_text(plan_text(tables[:1], work / "results"), encoding="utf-8")
        first = command(plan, work / "first", 1, one_core=True)
        plan.write_text(plan_text(tables, work / "results"), encoding="utf-8")
        one = command(plan, work / "one", 1, one_core=True)
        joint = command(plan, work / "joint", 1)
        two = command(plan, work / "two", 2)
    said = f"{one.wall:.1f} s, {two.wall:.1f} s, {one.count} jobs"
    share = 1.0 - one.jobs / one.wall
    # What grows with the jobs: the difference between a run of one table and that of all.
    grows = ((one.wall - one.jobs) - (first.wall - first.jobs)) / (one.count - first.count) * one.count
    beside = f"{one.wall - one.jobs:.2f} s of {one.wall:.1f} s: start of both processes, plan, hand-over, journal, end"
    return [
        Ratio(f"{what}: 1 process, 1 thread / 2 processes", one.wall / two.wall, at_least=SPEED_GAIN, detail=said),
        Ratio(f"{what}: 1 process, {joint.threads} threads / 2 processes", joint.wall / two.wall,
              detail=f"{joint.wall:.1f} s, {two.wall:.1f} s"),
        Ratio(f"{what}: overhead beside kernels and I/O", share, "share", at_most=OVERHEAD, detail=beside),
        Ratio(f"{what}: overhead without the start of the processes", grows / one.wall, "share",
              detail=f"{1000 * grows / one.count:.1f} ms a job"),
    ]  # fmt: skip


def cube(origin: str) -> dict[str, float]:
    """Stream a cube of ICIO size and return its memory beside table and factors in GB, seconds and size on disk."""
    from benchmarks.tables import SIZES, synthetic
    from tiva.batch.cubes import stream_cube
    from tiva.batch.execute import peak_memory, reset_peak, resident_memory
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
