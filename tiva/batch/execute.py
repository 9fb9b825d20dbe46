"""The body of a job: operators, one decomposition or cube, one file. Runs in whatever process it is called in."""

from __future__ import annotations

import contextlib
import errno
import functools
import shutil
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiva.batch import writers
from tiva.batch.jobs import Group, Job, SatelliteSource
from tiva.batch.memory import peak_memory, reset_peak
from tiva.errors import TivaError

if TYPE_CHECKING:
    import xarray as xr

    from tiva.model.operators import Operators

Started = Callable[[str], None]

STATUS_OK = "ok"
STATUS_FAILED = "failed"
STATUS_TIMEOUT = "timed out"
STATUS_KILLED = "worker died"
STATUS_MEMORY = "out of memory"
STATUS_REFUSED = "refused"
FAILURES = (STATUS_FAILED, STATUS_TIMEOUT, STATUS_KILLED, STATUS_MEMORY, STATUS_REFUSED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Attributes
    ----------
    id, key
        Of the job.
    status
        ``"ok"`` or one of :data:`FAILURES`.
    path
        The written file: temporary until the run has taken it over, then below the output folder.
    sha256, size
        Of the file.
    year
        Of the table that was read.
    seconds, peak_bytes
        Time of the job, and the largest memory of its process while it ran.
    warnings
        Texts of all warnings.
    identity_residual
        Share of gross flows that the terms miss, where the method is an identity.
    discrepancy_share
        Share of gross flows of country-sectors without output, which are in no term.
    table_sha256
        Checksum of the table after scenarios.
    message
        Why it failed.
    """

    id: str
    key: str
    status: str
    path: str = ""
    sha256: str = ""
    size: int = 0
    year: int | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
    warnings: tuple[str, ...] = ()
    identity_residual: float | None = None
    discrepancy_share: float | None = None
    table_sha256: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {**values, "warnings": list(self.warnings), "details": dict(self.details)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Outcome:
        """Rebuild from :meth:`to_dict`; keys of other versions are left out."""
        known = {k: v for k, v in values.items() if k in cls.__slots__}
        known["warnings"] = tuple(known.get("warnings", ()))
        return cls(**known)


def execute(job: Job, model: Operators | None = None) -> xr.Dataset:
    """Compute the result of a job that is not a cube.

    Parameters
    ----------
    job
        The job.
    model
        Operators of its source, when they are at hand already.

    Returns
    -------
    xarray.Dataset
    """
    from tiva.batch.scenarios import carrying, operators
    from tiva.router import decompose

    if job.method is None:
        msg = "a cube is streamed, not returned"
        raise TypeError(msg)
    if model is None:
        model = operators(job.source)
        if job.satellite is not None:
            model = carrying(model, job.source, job.satellite)
    return decompose(model, **job.method.arguments())


@functools.cache
def load_libraries() -> None:
    """Import what jobs need and load the compiled kernels, so that a start is not counted as time of a first job.

    What is missing is left to the jobs, which say so.
    """
    with contextlib.suppress(ImportError):
        import pyarrow.parquet  # noqa: F401
    with contextlib.suppress(ImportError):
        from tiva.batch.threads import limited

        with limited(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _rehearse()


def _rehearse() -> None:
    """Decompose a table of two countries with one sector each."""
    import numpy as np

    from tiva.router import decompose
    from tiva.table.icio_table import IcioTable

    flows, final = np.full((2, 2), 1.0), np.full((2, 2), 2.0)
    table = IcioTable.from_arrays(flows, final, countries=["A", "B"], sectors=["s"], year=2000)
    decompose(table, method="bm", level="sector-bilateral")


def run_group(
    group: Group,
    work: Path,
    threads: int,
    started: Started | None = None,
    jobs: Iterable[Job] | None = None,
) -> Iterator[Outcome]:
    """Run the jobs of a group one after the other; a failure ends its job only.

    Parameters
    ----------
    group
        Jobs that share a table.
    work
        Folder for the files, on the file system of the output folder.
    threads
        Threads of BLAS and Numba.
    started
        Called with the id of each job before it begins.
    jobs
        Jobs of the group, taken one at a time; all of them when left out.

    Yields
    ------
    Outcome
    """
    from tiva.batch.threads import limited

    shared = _Shared(group)
    with limited(threads):
        for job in group.jobs if jobs is None else jobs:
            if started is not None:
                started(job.id)
            yield _run_job(job, shared, work)


class _Shared:
    """Operators of a group, made by its first job, and those that carry a satellite; errors are kept, too."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._made: dict[str | None, Operators | TivaError] = {}
        self._warnings: dict[str | None, list[str]] = {}

    def model(self, satellite: SatelliteSource | None) -> Operators:
        """Return the operators that carry a satellite, or value added; those of value added are made first."""
        from tiva.batch.scenarios import carrying, operators

        source = self._group.source
        plain = self._kept(None, lambda: operators(source))
        return plain if satellite is None else self._kept(satellite.name, lambda: carrying(plain, source, satellite))

    def _kept(self, name: str | None, make: Callable[[], Operators]) -> Operators:
        if name not in self._made:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    self._made[name] = make()
                except TivaError as error:
                    self._made[name] = error
            self._warnings[name] = _texts(caught)
        made = self._made[name]
        if isinstance(made, TivaError):
            raise made
        return made

    def warnings(self, satellite: SatelliteSource | None) -> list[str]:
        """Return what was said while the operators of a job were made."""
        names = {None, None if satellite is None else satellite.name}
        return [text for name in names for text in self._warnings.get(name, ())]


def _run_job(job: Job, shared: _Shared, work: Path) -> Outcome:
    target = work / f"{writers.short(job.id)}-{uuid.uuid4().hex[:8]}{Path(job.place(None)).suffix}"
    begin = time.monotonic()
    reset_peak()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = _compute(job, shared.model(job.satellite), target)
        return Outcome(
            id=job.id,
            key=job.key,
            status=STATUS_OK,
            path=str(target),
            sha256=writers.sealed(target),
            size=writers.size_of(target),
            seconds=time.monotonic() - begin,
            peak_bytes=peak_memory(),
            warnings=tuple(dict.fromkeys([*shared.warnings(job.satellite), *_texts(caught)])),
            **found,
        )
    except (Exception, MemoryError) as error:
        _discard(target)
        return Outcome(
            id=job.id,
            key=job.key,
            status=STATUS_FAILED,
            seconds=time.monotonic() - begin,
            peak_bytes=peak_memory(),
            message=explain_failure(error),
            details={} if isinstance(error, TivaError) else {"traceback": traceback.format_exc()},
        )


def _compute(job: Job, model: Operators, target: Path) -> dict[str, Any]:
    table = getattr(model, "banded", model.table)
    found: dict[str, Any] = {"year": table.year, "table_sha256": table.checksum}
    if job.cube is not None:
        from tiva.batch.cubes import stream_cube

        report = stream_cube(model, target, origin=job.cube.origin, form=job.cube.format)
        found["identity_residual"] = report.residual
        return found
    from tiva.results import closure

    dataset = execute(job, model)
    for name in (closure.RESIDUAL, closure.STATED):
        found[name] = dataset.attrs.get(name)
    writers.write(dataset, target, job.format, job.labels())
    return found


def explain_failure(error: BaseException) -> str:
    """Return what a person needs to know about an error, on one line."""
    if isinstance(error, TivaError):
        return " | ".join(line.strip() for line in str(error).splitlines())
    if isinstance(error, MemoryError):
        return "out of memory: give the run fewer workers or more memory"
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full: free space, then run again with resume"
    return f"{type(error).__name__}: {error}"


def _texts(caught: list[warnings.WarningMessage]) -> list[str]:
    return [f"{w.category.__name__}: {' | '.join(str(w.message).splitlines())}" for w in caught]


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
