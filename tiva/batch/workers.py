"""Processes on this machine that run groups of jobs; any of them may die, hang or fill the memory.

On Linux they are forked from one process that has imported the libraries and loaded the compiled kernels, and has no
threads: a worker starts in milliseconds. Elsewhere each one is started anew.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tiva.batch.costs import LEAST_SHARED
from tiva.batch.execute import STATUS_KILLED, STATUS_MEMORY, STATUS_TIMEOUT, Outcome, load_libraries, run_group
from tiva.batch.forking import FORKED, prepare, without_script
from tiva.batch.jobs import Group, Job
from tiva.batch.memory import Excess, Watch, resident
from tiva.batch.settings import evened, fitting
from tiva.batch.threads import BLAS_VARIABLES, THREAD_VARIABLES, environment

POLL_SECONDS = 0.5
"""Longest wait before time limits are looked at again."""

LEAST_WAIT = 0.01
"""Shortest wait before time limits are looked at again, in seconds."""

Event = tuple[str, Any]
"""``("begin", job id)`` or ``("end", Outcome)``."""


@dataclass(slots=True)
class _Worker:
    """A process with the group that it works on."""

    process: BaseProcess
    pipe: Connection
    group: Group | None = None
    current: str | None = None
    since: float = 0.0
    pending: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    asked: bool = False
    excess: Excess | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid or 0

    @property
    def busy(self) -> bool:
        """Whether it has a group."""
        return self.group is not None

    @property
    def estimate(self) -> int:
        """Bytes that its group was taken to need."""
        return 0 if self.group is None else self.group.cost.memory

    @property
    def occupied(self) -> int:
        """Bytes that others cannot have while it works: what was estimated, or more where it holds more."""
        return max(self.estimate, resident(self.pid)) if self.busy else 0

    @property
    def busy_for(self) -> float:
        """Seconds since it began its job, or was given its group."""
        return time.monotonic() - self.since

    def take(self, group: Group) -> None:
        """Give it a group."""
        self.group, self.current = group, None
        self.pending = [job.id for job in group.jobs]
        self.since = time.monotonic()
        self.seconds, self.asked = [], False
        with contextlib.suppress(OSError):
            self.pipe.send(group)

    def kill(self) -> None:
        """End its process at once."""
        self.process.kill()

    @property
    def untouched(self) -> int:
        """How many jobs of its group it has not begun."""
        return len(self.pending) - (self.current is not None)

    @property
    def gain(self) -> float:
        """Seconds saved if another worker took half of what is left, as far as the group's first jobs tell.

        The first job of a group reads the table and factorises it, which the other worker has to do again; that takes
        no longer than the job, and no longer than was estimated.
        """
        if len(self.seconds) < 2:
            return 0.0
        rest, shared = self.seconds[1:], 0.0 if self.group is None else self.group.cost.shared
        again = min(self.seconds[0], shared or self.seconds[0])
        return self.untouched // 2 * sum(rest) / len(rest) - again


def run_local(
    groups: Sequence[Group], work: Path, *, workers: int, threads: int, memory: int, timeout: float | None
) -> Iterator[Event]:
    """Run groups in processes of this machine.

    Parameters
    ----------
    groups
        What is left to do.
    work
        Folder for temporary files.
    workers, threads
        Processes, and threads of BLAS and Numba in each.
    memory
        Bytes that all workers together may hold: groups whose estimates do not fit together wait for one another, and
        a worker that outgrows it is ended (on Linux); its job is tried once more alone where it may fit alone.
    timeout
        Seconds a job may take; ``None`` for no limit.

    Yields
    ------
    Event
        When a job begins and when it ends, in the order in which that happens.
    """
    together = min(workers, fitting(groups, memory))
    pool = _Pool(evened(groups, together), work, workers, threads, memory, timeout)
    try:
        with Watch(lambda: tuple(pool.alive), memory):
            yield from pool.events()
    finally:
        for worker in pool.alive:
            _stop(worker)


@dataclass(slots=True)
class _Pool:
    """Groups that wait, and the workers that there are; the other attributes are those of :func:`run_local`."""

    waiting: list[Group]
    work: Path
    workers: int
    threads: int
    memory: int
    timeout: float | None
    alive: list[_Worker] = field(default_factory=list)
    again: dict[str, str] = field(default_factory=dict)

    def events(self) -> Iterator[Event]:
        """Run until nothing waits and nobody works."""
        while self.waiting or any(w.busy for w in self.alive):
            self._hand_out()
            if not self.waiting and (len(self.alive) < self.workers or any(not w.busy for w in self.alive)):
                self._ask_to_share()
            yield from self._listen()

    @property
    def used(self) -> int:
        """Bytes that nobody else may have."""
        return sum(w.occupied for w in self.alive)

    def _hand_out(self) -> None:
        """Give each free worker the longest group that fits in what is left of the memory."""
        while self.waiting:
            worker = next((w for w in self.alive if not w.busy), None)
            if worker is None and len(self.alive) >= self.workers:
                return
            used, busy = self.used, any(w.busy for w in self.alive)
            group = next((g for g in self.waiting if used + g.cost.memory <= self.memory or not busy), None)
            if group is None:
                return
            if worker is None:
                worker = _start(self.work, self.threads)
                self.alive.append(worker)
            self.waiting.remove(group)
            worker.take(group)

    def _ask_to_share(self) -> None:
        """Ask the worker with most left to do for half of its jobs, when that saves time and fits in the memory."""
        able = [w for w in self.alive if w.busy and w.untouched >= 2 * LEAST_SHARED and w.gain > 0]
        if not able or any(w.asked for w in self.alive):
            return
        chosen = max(able, key=lambda w: w.gain)
        if self.used + chosen.occupied <= self.memory:
            chosen.asked = True
            with contextlib.suppress(OSError):
                chosen.pipe.send(None)

    def _listen(self) -> Iterator[Event]:
        ready = wait([w.pipe for w in self.alive], timeout=self._patience())
        for worker in list(self.alive):
            if worker.pipe in ready:
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError, ValueError):
                    self.alive.remove(worker)
                    yield from self._lost(worker)
                    continue
                yield from self._heard(worker, message)
            elif self.timeout is not None and worker.current is not None and worker.busy_for > self.timeout:
                self.alive.remove(worker)
                _stop(worker)
                yield from self._buried(worker, STATUS_TIMEOUT, f"longer than its limit of {self.timeout:g} s")

    def _patience(self) -> float:
        """Return how long to wait for word: until the first job is overdue, at most ``POLL_SECONDS``."""
        left = [self.timeout - w.busy_for for w in self.alive if w.current is not None and self.timeout is not None]
        return min(POLL_SECONDS, max(LEAST_WAIT, min(left))) if left else POLL_SECONDS

    def _heard(self, worker: _Worker, message: Event) -> Iterator[Event]:
        kind, value = message
        if kind == "begin":
            worker.current, worker.since = value, time.monotonic()
            yield message
        elif kind == "end":
            worker.pending.remove(value.id)
            worker.current = None
            worker.seconds.append(value.seconds)
            said = self.again.pop(value.id, None)
            yield "end", value if said is None else replace(value, warnings=(*value.warnings, said))
        elif kind == "given":
            worker.asked = False
            self._take_back(worker, set(value))
        else:
            worker.group = None

    def _take_back(self, worker: _Worker, given: set[str]) -> None:
        """Put the jobs that a worker gave up where another one finds them."""
        group = worker.group
        if group is None or not given:
            return
        self.waiting.insert(0, replace(group, jobs=tuple(j for j in group.jobs if j.id in given)))
        worker.group = replace(group, jobs=tuple(j for j in group.jobs if j.id not in given))
        worker.pending = [i for i in worker.pending if i not in given]

    def _lost(self, worker: _Worker) -> Iterator[Event]:
        words = _last_words(worker)
        if worker.excess is not None:
            yield from self._outgrown(worker, worker.excess)
        else:
            yield from self._buried(worker, STATUS_KILLED, words)

    def _buried(self, worker: _Worker, status: str, message: str) -> Iterator[Event]:
        """End the job that a lost worker was at, and give the rest of its group back.

        A worker that is lost before its first job ends the whole group: no endless loop can come of it.
        """
        group, current = worker.group, worker.current
        if group is None:
            return
        untouched = len(worker.pending) == len(group.jobs)
        lost = [current] if current is not None else list(worker.pending) if untouched else []
        for job in group.jobs:
            if job.id in lost:
                yield "end", Outcome(job.id, job.key, status, seconds=worker.busy_for, message=message)
        rest = tuple(j for j in group.jobs if j.id in worker.pending and j.id not in lost)
        if rest:
            self.waiting.insert(0, replace(group, jobs=rest))

    def _outgrown(self, worker: _Worker, excess: Excess) -> Iterator[Event]:
        """End the job of a worker that held too much; where it may fit without others beside it, try it alone later.

        What is left of the group is taken to need what was held.
        """
        group = worker.group
        if group is None:
            return
        held = max(group.cost.memory, min(excess.held, excess.allowed))
        rest = tuple(j for j in group.jobs if j.id in worker.pending and j.id != worker.current)
        if rest:
            self.waiting.append(replace(group, jobs=rest, cost=replace(group.cost, memory=held)))
        for job in (j for j in group.jobs if j.id == worker.current):
            if excess.fits_alone:
                self.again[job.id] = f"tried again alone: {excess.message()}"
                self.waiting.append(replace(group, jobs=(job,), cost=replace(group.cost, memory=excess.allowed)))
                continue
            yield "end", Outcome(
                job.id, job.key, STATUS_MEMORY, seconds=worker.busy_for, peak_bytes=excess.held,
                message=excess.message(),
            )  # fmt: skip


def _start(work: Path, threads: int) -> _Worker:
    prepare()
    context = multiprocessing.get_context("forkserver" if FORKED else "spawn")
    ours, theirs = context.Pipe()
    # Numba is loaded already where a worker is forked, and refuses to compile under another setting than it found then.
    with environment(threads, BLAS_VARIABLES if FORKED else THREAD_VARIABLES), without_script():
        arguments = (theirs, str(work), threads, os.getpid(), dict(os.environ))
        process: BaseProcess = context.Process(target=_serve, args=arguments, daemon=True)  # type: ignore[attr-defined]
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _last_words(worker: _Worker) -> str:
    worker.process.join(5)
    code = worker.process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with code {code}"


def _stop(worker: _Worker) -> None:
    with contextlib.suppress(OSError):
        worker.pipe.close()
    if worker.group is None:
        worker.process.join(5)
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join(10)


def _serve(pipe: Connection, work: str, threads: int, parent: int, variables: dict[str, str]) -> None:
    """Body of a worker: take groups until the pipe closes, then end at once: all that counts has been sent."""
    _die_with(None if FORKED else parent)
    os.environ.clear()
    os.environ.update(variables)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        load_libraries()
        while True:
            group: Group | None = pipe.recv()
            if group is None:  # asked to share a group that has ended meanwhile
                pipe.send(("given", []))
                continue
            started = partial(_begun, pipe)
            for outcome in run_group(group, Path(work), threads, started, _unshared(group, pipe)):
                pipe.send(("end", outcome))
            pipe.send(("idle", None))
    except (EOFError, OSError):
        os._exit(0)


def _begun(pipe: Connection, job: str) -> None:
    pipe.send(("begin", job))


def _unshared(group: Group, pipe: Connection) -> Iterator[Job]:
    """Yield the jobs of a group; between them, give the later half away when asked to."""
    left = deque(group.jobs)
    while left:
        if pipe.poll():
            pipe.recv()
            given = [left.pop().id for _ in range(len(left) // 2)]
            pipe.send(("given", given))
        yield left.popleft()


def _die_with(parent: int | None) -> None:
    """End this process when the run that started it ends, even by kill -9."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)
    guardian = multiprocessing.parent_process()
    if guardian is not None:

        def watch() -> None:
            wait([guardian.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
