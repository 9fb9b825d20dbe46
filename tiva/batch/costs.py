"""What a job will cost, and how many processes that calls for."""

from __future__ import annotations

import math
import os
import re
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tiva.batch.keys import SIZE
from tiva.errors import UsageError, explain

BASE_BYTES = 250 << 20
"""Interpreter, NumPy, SciPy, Numba and compiled kernels of one process (measured 200 to 310 MiB)."""

MATRICES = 5.0
"""Peak memory of a decomposition in n × n matrices: table, coefficients while factorised, factors, triangles, slack."""

BANDED_MATRICES = 8.0
"""The same for a table split by firm size, with any number of bands."""

BANDED_TIME = 2.0
"""How many times longer jobs take on a table split by firm size."""

RESULT_COPIES = 10.0
"""Arrays of the size of one term of a result that are alive while it is made and written (measured 8 to 10)."""

JOB_SECONDS = 0.02
"""What a job takes however small it is: labels, a file, its checksum."""

CELL_SECONDS = 3e-7
"""Seconds a cell of one term of a result takes, of all its terms together: labels and writing (measured 2 to 4e-7)."""

CUBE_CELL_SECONDS = 3e-8
"""The same for a cell of a cube."""

START_SECONDS = 1.3
"""Starting the first process: imports and loading the kernels."""

START_INTERFERENCE = 0.05
"""Part of the start of each further process that the others feel (disk, memory)."""

TYPICAL_SECTORS = 20
"""Sectors a country, at least; fewer would mean more countries and larger results."""

TEXT_BYTES_PER_CELL = 9.0
"""Bytes a cell takes in a text file, and about as many in a workbook."""

PACKED_BYTES_PER_CELL = 2.5
"""Bytes a cell takes in a compressed binary file."""

READ_RATE = 30e6
"""Cells of text or of a binary file read in a second."""

WORKBOOK_RATE = 3e6
"""Cells of a workbook read in a second (measured 1.3 million, xlsb, and 4 million, xlsx)."""

LEAST_SHARED = 2
"""Fewest jobs of a table that a process takes over from another one; with fewer, reading it again does not pay."""

FULL_SPEED_N = 1500
"""Rows at which all cores reach half of their joint speed in an LU factorisation."""

THREADS_FROM = 2000
"""Rows from which threads make one process faster: with fewer, what the factorisation gains is lost in the many
products of small blocks (with 1,435 rows and two threads, all methods took 1.1 times as long)."""

MEMORY_SHARE = 0.8
"""Part of the free memory that a run uses when it is not told how much."""

_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_bytes(text: str | int) -> int:
    """Return bytes from ``"8GB"``, ``"512 MiB"`` or a number; K, M, G, T are powers of 1024.

    Raises
    ------
    UsageError
        It is no size, or not more than zero.
    """
    found = re.fullmatch(SIZE, str(text))
    size = int(float(found[1]) * _SIZES[found[2].upper()]) if found else 0
    if size <= 0:
        raise UsageError(explain("not a size of memory", got=repr(text), expected="such as '8GB' or '512MB'"))
    return size


def format_bytes(size: float) -> str:
    """Return a size in words: ``1.5 GB``."""
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} B"


def free_memory() -> int:
    """Return bytes that can be used without swapping; 4 GiB where the system does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return _within_container(int(line.split()[1]) << 10)
    except OSError:
        pass
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" in names:
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) // 2
    return 4 << 30


def _within_container(free: int) -> int:
    """Bound by the limit of the control group, where there is one."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return free
    return free if limit == "max" else max(1 << 20, min(free, int(limit) - used))


def cores() -> int:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def size_of(path: Path, share: int = 1) -> tuple[int, int]:
    """Estimate how many country-sectors and countries the table in a file or folder has, from headers and sizes only.

    Parameters
    ----------
    path
        A file or folder.
    share
        Tables that the file holds, as far as is known.
    """
    try:
        if path.suffix == ".npz":
            return _shape_of_npz(path)
        if path.suffix in {".nc", ".h5"}:
            return _shape_of_hdf(path)
        if path.is_dir():
            return max((size_of(p, share) for p in path.rglob("*") if p.is_file()), default=(1, 1))
        packed = path.suffix in {".zip", ".xlsx", ".xlsb", ".parquet", ".gz"}
        cells = path.stat().st_size / share / (PACKED_BYTES_PER_CELL if packed else TEXT_BYTES_PER_CELL)
        rows = max(1, math.isqrt(int(cells)))
        return rows, max(1, rows // TYPICAL_SECTORS)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return 1, 1


def _shape_of_npz(path: Path) -> tuple[int, int]:
    import numpy as np

    rows, countries = 1, 0
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape = read(member)[0]
                if len(shape) == 2 and shape[0] == shape[1]:
                    rows = max(rows, shape[0])
                elif name == "countries.npy":
                    countries = math.prod(shape)
    return rows, countries or max(1, rows // TYPICAL_SECTORS)


def _shape_of_hdf(path: Path) -> tuple[int, int]:
    import h5py

    sizes, countries = [1], [0]

    def look(name: str, item: object) -> None:
        shape: tuple[int, ...] = getattr(item, "shape", ())
        if len(shape) == 2 and shape[0] == shape[1]:
            sizes.append(int(shape[0]))
        elif len(shape) == 4:
            sizes.append(int(shape[0] * shape[1]))
        elif len(shape) == 3 and name == "final_demand":
            countries.append(int(shape[1]))

    with h5py.File(path, "r") as file:
        file.visititems(look)
    return max(sizes), max(countries) or max(1, max(sizes) // TYPICAL_SECTORS)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds on one core, bytes at the peak, and the seconds among them that each process takes that has a part of it.

    Rough, for planning. The last are those of reading and of factorising the table.
    """

    seconds: float
    memory: int
    shared: float = 0.0

    def part(self, share: float) -> Estimate:
        """Return the estimate of a part of the jobs, all of which read and factorise."""
        return replace(self, seconds=self.shared + (self.seconds - self.shared) * share)


def result_cells(method: str, level: str, rows: int, countries: int) -> float:
    """Return how many cells one term of a result has."""
    cells = {"country": countries, "sector": rows, "bilateral": countries**2, "sector-bilateral": rows * countries}
    return float(cells[level] * (countries if method == "wwz_third" else 1))


def estimate(
    rows: int,
    results: Sequence[float],
    cubes: Sequence[float] = (),
    *,
    block_bytes: int = 0,
    banded: bool = False,
    workbook: bool = False,
    rate: float | None = None,
) -> tuple[Estimate, list[float]]:
    """Estimate the jobs that share one table.

    Parameters
    ----------
    rows
        n, country-sectors.
    results
        Of each job the cells of one term of its result; 0 for a cube.
    cubes
        Of each job the cells of its cube; 0 for another result. Left out where there are none.
    block_bytes
        Size of the blocks of a cube that are in memory at one time.
    banded
        Whether the table is split by firm size.
    workbook
        Whether the table is read from a workbook.
    rate
        Floating-point operations a second of one core; measured when left out.

    Returns
    -------
    cost : Estimate
        Of all jobs.
    seconds : list of float
        Of each job beside reading and factorising.

    Notes
    -----
    Time is 4/3 n³ operations (LU 2/3, diagonal blocks 2/3) and 0.2 n³ a job for the bilateral products, reading n²
    cells, and writing results. Memory is ``MATRICES`` (or ``BANDED_MATRICES``) n² numbers and ``RESULT_COPIES`` terms
    of the largest result, beside the interpreter. With all methods on tables of 6 to 2,520 rows, WIOD among them, the
    processor time of one core was 0.7 to 1.4 times the estimate.
    """
    speed, factor = rate or flops(), BANDED_TIME if banded else 1.0
    matrix = float(rows) ** 2
    shared = 4 / 3 * matrix * rows / speed * factor + matrix / (WORKBOOK_RATE if workbook else READ_RATE)
    seconds = [factor * (JOB_SECONDS + 0.2 * matrix * rows / speed + CELL_SECONDS * cells) for cells in results]
    for job, cells in enumerate(cubes):
        seconds[job] += factor * CUBE_CELL_SECONDS * cells
    held = (BANDED_MATRICES if banded else MATRICES) * matrix + RESULT_COPIES * max(results, default=0.0)
    return Estimate(shared + sum(seconds), int(BASE_BYTES + held * 8 + block_bytes), shared), seconds


@cache
def flops() -> float:
    """Measure the operations a second of one core in a matrix product; takes some milliseconds."""
    import numpy as np

    from tiva.batch.threads import limited_blas

    a = np.full((384, 384), 0.5)
    best = math.inf
    with limited_blas(1):
        for _ in range(3):
            start = time.perf_counter()
            a @ a
            best = min(best, time.perf_counter() - start)
    return float(2 * 384**3 / max(best, 1e-6)) * 0.6


@dataclass(frozen=True, slots=True)
class Layout:
    """How a run uses the machine: processes, BLAS threads in each, and why."""

    workers: int
    threads: int
    seconds: float
    reason: str


Work = tuple[int, Estimate, int]
"""Of a group of jobs that share a table: rows, estimate, and how many jobs they are."""


def choose_layout(groups: Sequence[Work], workers: int, memory: int) -> Layout:
    """Choose between many processes with one thread and one process with all threads.

    Parameters
    ----------
    groups
        What there is to do.
    workers
        Processes asked for; 0 leaves it to the model.
    memory
        Budget in bytes.
    """
    count = cores()
    if not groups:
        return Layout(1, 1, 0.0, "nothing to run")
    peak = max(e.memory for _, e, _ in groups)
    costs = [(e, jobs) for _, e, jobs in groups]
    most = sum(max(1, jobs // LEAST_SHARED) for _, jobs in costs)
    fitting = max(1, min(memory // max(1, peak), most))
    threads = count if max(rows for rows, _, _ in groups) >= THREADS_FROM else 1
    alone = _joint(groups, threads)
    if workers == 1:
        return Layout(1, threads, alone, "as asked for")
    if workers:
        used = min(workers, most)
        return Layout(used, 1, _spread(costs, cuts(costs, used), used), "as asked for")
    parallel = min(count, fitting)
    spread = _spread(costs, cuts(costs, parallel), parallel)
    if parallel > 1 and spread < alone:
        reason = f"{parallel} processes with one thread: {spread:.0f} s against {alone:.0f} s in one process"
        return Layout(parallel, 1, spread, reason)
    if count == 1:
        return Layout(1, 1, alone, "one process with one thread: there is one processor")
    why = "memory allows one table at a time" if fitting == 1 and most > 1 else "it finishes sooner"
    return Layout(1, threads, alone, f"one process, threads: {threads}; {why}")


def cuts(groups: Sequence[tuple[Estimate, int]], workers: int) -> list[int]:
    """Return into how many parts each group is cut, so that all workers end at about the same time.

    What a whole number of groups for each worker leaves over, the shortest ones, is cut where that saves time.

    Parameters
    ----------
    groups
        Estimate of each group, and how many jobs it has.
    workers
        Processes.
    """
    whole = [1] * len(groups)
    over = len(groups) % workers
    shortest = sorted(range(len(groups)), key=lambda i: groups[i][0].seconds)[:over]
    best, seconds = whole, _spread(groups, whole, workers)
    for parts in range(2, workers + 1):
        trial = whole.copy()
        for i in shortest:
            trial[i] = max(1, min(parts, groups[i][1] // LEAST_SHARED))
        found = _spread(groups, trial, workers)
        if found < seconds:
            best, seconds = trial, found
    return best


def _joint(groups: Sequence[Work], threads: int) -> float:
    """Seconds of one process, whose threads share the factorisations of large matrices."""
    total = START_SECONDS
    for rows, cost, _ in groups:
        gain = 1 + (threads - 1) * rows / (rows + FULL_SPEED_N)
        total += cost.shared / gain + cost.seconds - cost.shared
    return total


def _spread(groups: Sequence[tuple[Estimate, int]], parts: Sequence[int], workers: int) -> float:
    """Seconds of several processes, longest part first."""
    loads = [START_SECONDS * (1 + START_INTERFERENCE * (workers - 1))] * workers
    costs = [cost.part(1 / count).seconds for (cost, _), count in zip(groups, parts, strict=True) for _ in range(count)]
    for cost in sorted(costs, reverse=True):
        loads[loads.index(min(loads))] += cost
    return max(loads)
