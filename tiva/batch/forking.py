"""The process that workers of this machine are forked from: begun as early as can be, as its imports take longest."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

from tiva.batch.threads import BLAS_VARIABLES, environment

FORKED = sys.platform == "linux"
"""Whether workers are forked from one process that has loaded the libraries."""


def prepare() -> None:
    """Begin to import what workers need, beside what this process does meanwhile.

    The process that workers are forked from lives on until this one ends, so that a second run need not start it again.
    """
    if FORKED:
        from multiprocessing import forkserver

        # One thread of BLAS: a process that is forked must not have others. Workers set the number that they use.
        with environment(1, BLAS_VARIABLES), _interrupts_ignored(), without_script():
            forkserver.set_forkserver_preload(["tiva.batch.preloaded"])
            forkserver.ensure_running()


@contextlib.contextmanager
def without_script() -> Iterator[None]:
    """Let processes that are started inside the block not run the script of this one.

    They would import it, and with it run the batch again, where it has no ``if __name__ == "__main__"``. They need
    nothing of it: groups and outcomes are of this package.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let processes that are started inside the block ignore Ctrl-C, which is for this process to answer."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
