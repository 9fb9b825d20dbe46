"""Imported by the process that workers are forked from: its import is their start."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let a library seem not to be installed to those that look for it inside the block."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def _load() -> None:
    """Load the libraries, and leave what they made out of all later searches for garbage, also those of workers.

    Where Dask is installed, xarray imports all of its arrays when it makes its first one (a fifth of the start);
    workers make arrays of NumPy only.
    """
    gc.disable()
    try:
        from tiva.batch.execute import load_libraries

        with _hidden("dask"):
            load_libraries()
        gc.freeze()
    finally:
        gc.enable()


_load()
