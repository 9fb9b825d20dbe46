"""How much memory processes hold, and an end to workers that hold more than a run may.

Limits that the system sets on one process are of no use here: ``RLIMIT_AS`` and ``RLIMIT_DATA`` count reserved address
space, of which BLAS, Numba and Arrow take 1.2 GB beside the 0.1 GB that a worker uses, and they know nothing of the sum
over workers. So memory that is really used is watched, on Linux, from ``/proc``.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tiva.batch.costs import format_bytes

WATCH_SECONDS = 0.05
"""Time between two looks; what is filled meanwhile (some 100 MB) is what a run may exceed its budget by."""

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True)
class Excess:
    """Why a worker was ended: bytes of its process, of all of them together, allowed, and estimated for its jobs.

    ``alone`` says whether no other worker had anything to do.
    """

    held: int
    together: int
    allowed: int
    estimate: int
    alone: bool

    @property
    def fits_alone(self) -> bool:
        """Whether the job may be tried again without others beside it."""
        return not self.alone and self.held < self.allowed

    def message(self) -> str:
        """Return what a person needs to know, on one line."""
        together = "" if self.alone else f", all workers together {format_bytes(self.together)}"
        return (
            f"its process held {format_bytes(self.held)} (estimate: {format_bytes(self.estimate)}){together}; "
            f"allowed is {format_bytes(self.allowed)}: allow more with --memory, or choose coarser levels"
        )


class Watched(Protocol):
    """A worker as far as its memory goes; ``excess`` is set before it is ended."""

    excess: Excess | None

    @property
    def pid(self) -> int:
        """Its process."""

    @property
    def estimate(self) -> int:
        """Bytes that its jobs were taken to need; 0 where it has none."""

    @property
    def busy(self) -> bool:
        """Whether it has jobs."""

    def kill(self) -> None:
        """End its process at once."""


class Watch:
    """A thread that ends a worker as soon as all of them together hold more than allowed, inside a block.

    Workers without anything to do go first, then the one that is furthest above its estimate.

    Parameters
    ----------
    workers
        Returns the workers that there are.
    allowed
        Bytes.
    """

    def __init__(self, workers: Callable[[], Sequence[Watched]], allowed: int) -> None:
        self._workers, self._allowed = workers, allowed
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tiva-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        pause = WATCH_SECONDS
        while not self._over.wait(pause):
            begin = time.monotonic()
            self.look()
            pause = max(WATCH_SECONDS, 10 * (time.monotonic() - begin))

    def look(self) -> None:
        """Look once, and end a worker where there is too much."""
        living = [w for w in self._workers() if w.excess is None]
        if sum(resident(w.pid) for w in living) <= self._allowed:
            return
        held = {id(w): proportional(w.pid) for w in living}
        together = sum(held.values())
        if together <= self._allowed:
            return
        busy = [w for w in living if w.busy]
        idle = [w for w in living if not w.busy]
        chosen = max(idle or busy, key=lambda w: held[id(w)] - w.estimate)
        own = held[id(chosen)]
        chosen.excess = Excess(own, together, self._allowed, chosen.estimate, alone=len(busy) <= 1)
        chosen.kill()


def resident(pid: int) -> int:
    """Return the bytes of a process, shared ones included; 0 where the system does not say (not Linux)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    return 0


def proportional(pid: int) -> int:
    """Return the same, with each shared page divided by the number of processes that share it.

    Takes some milliseconds for a GB: asked only when the sum with all shared pages is too large.
    """
    return _field(f"/proc/{pid}/smaps_rollup", "Pss:") or resident(pid)


def reset_peak() -> None:
    """Forget the largest memory of this process so far, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> int:
    """Return the largest memory of this process in bytes: since the job began on Linux, since its start elsewhere."""
    found = _field("/proc/self/status", "VmHWM:")
    if found:
        return found
    try:
        import resource
        import sys
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak << 10)


def resident_memory() -> int:
    """Return the memory of this process now in bytes; 0 where the system does not say (not Linux)."""
    return resident(os.getpid())


def _field(path: str, name: str) -> int:
    """Return the bytes of a line ``name: ... kB`` of a file of the system; 0 where there is none."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(path).read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) << 10
    return 0
