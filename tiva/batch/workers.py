"""Processes on this machine that run groups of jobs; any of them may die, hang or fill the memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from tiva.batch.execute import STATUS_KILLED, STATUS_TIMEOUT, Outcome, run_group
from tiva.batch.jobs import Group
from tiva.batch.threads import environment

POLL_SECONDS = 0.5
"""Longest wait before time limits are looked at again."""

Event = tuple[str, Any]
"""``("begin", job id)`` or ``("end", Outcome)``."""


@dataclass(slots=True)
class _Worker:
    """A process with the group that it works on."""

    process: SpawnProcess
    pipe: Connection
    group: Group | None = None
    current: str | None = None
    since: float = 0.0
    pending: list[str] = field(default_factory=list)


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
        Bytes that the estimates of groups running at one time may sum to.
    timeout
        Seconds a job may take; ``None`` for no limit.

    Yields
    ------
    Event
        When a job begins and when it ends, in the order in which that happens.
    """
    waiting = sorted(groups, key=lambda g: -g.cost.seconds)
    alive: list[_Worker] = []
    try:
        while waiting or any(w.group for w in alive):
            _hand_out(waiting, alive, work, workers, threads, memory)
            yield from _listen(alive, waiting, timeout)
    finally:
        for worker in alive:
            _stop(worker)


def _hand_out(waiting: list[Group], alive: list[_Worker], work: Path, workers: int, threads: int, memory: int) -> None:
    """Give each free worker the longest group that fits in what is left of the memory."""
    while waiting:
        used = sum(w.group.cost.memory for w in alive if w.group is not None)
        busy = any(w.group is not None for w in alive)
        group = next((g for g in waiting if used + g.cost.memory <= memory or not busy), None)
        if group is None:
            return
        worker = next((w for w in alive if w.group is None), None)
        if worker is None:
            if len(alive) >= workers:
                return
            worker = _start(work, threads)
            alive.append(worker)
        waiting.remove(group)
        worker.group, worker.current = group, None
        worker.pending = [job.id for job in group.jobs]
        worker.since = time.monotonic()
        with contextlib.suppress(OSError):
            worker.pipe.send(group)


def _start(work: Path, threads: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with environment(threads):
        process = context.Process(target=_serve, args=(theirs, str(work), threads, os.getpid()), daemon=True)
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _listen(alive: list[_Worker], waiting: list[Group], timeout: float | None) -> Iterator[Event]:
    ready = wait([w.pipe for w in alive], timeout=POLL_SECONDS)
    for worker in list(alive):
        if worker.pipe in ready:
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError, ValueError):
                alive.remove(worker)
                yield from _buried(worker, waiting, STATUS_KILLED, _last_words(worker))
                continue
            yield from _heard(worker, message)
        elif _overdue(worker, timeout):
            alive.remove(worker)
            _stop(worker)
            yield from _buried(worker, waiting, STATUS_TIMEOUT, f"longer than its limit of {timeout:g} s")


def _overdue(worker: _Worker, timeout: float | None) -> bool:
    started = worker.current is not None
    return timeout is not None and started and time.monotonic() - worker.since > timeout


def _heard(worker: _Worker, message: Event) -> Iterator[Event]:
    kind, value = message
    if kind == "begin":
        worker.current, worker.since = value, time.monotonic()
        yield message
    elif kind == "end":
        worker.pending.remove(value.id)
        worker.current = None
        yield message
    else:
        worker.group = None


def _buried(worker: _Worker, waiting: list[Group], status: str, message: str) -> Iterator[Event]:
    """End the job that a lost worker was at, and give the rest of its group back.

    A worker that is lost before its first job ends the whole group: no endless loop can come of it.
    """
    group, current = worker.group, worker.current
    if group is None:
        return
    untouched = len(worker.pending) == len(group.jobs)
    lost = [current] if current is not None else list(worker.pending) if untouched else []
    seconds = time.monotonic() - worker.since
    for job in group.jobs:
        if job.id in lost:
            yield "end", Outcome(job.id, job.key, status, seconds=seconds, message=message)
    rest = tuple(j for j in group.jobs if j.id in worker.pending and j.id not in lost)
    if rest:
        waiting.insert(0, replace(group, jobs=rest))


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


def _serve(pipe: Connection, work: str, threads: int, parent: int) -> None:
    """Body of a worker: take groups until the pipe closes."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            group: Group = pipe.recv()
            for outcome in run_group(group, Path(work), threads, lambda job: pipe.send(("begin", job))):
                pipe.send(("end", outcome))
            pipe.send(("idle", None))
    except (EOFError, OSError):
        return


def _die_with(parent: int) -> None:
    """End this process when the run that started it ends, even by kill -9."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    guardian = multiprocessing.parent_process()
    if guardian is not None:

        def watch() -> None:
            wait([guardian.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
