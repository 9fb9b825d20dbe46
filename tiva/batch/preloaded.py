"""Imported by the process that workers are forked from: its import is their start."""

from __future__ import annotations

import gc


def _load() -> None:
    """Load the libraries, and leave what they made out of all later searches for garbage, also those of workers."""
    gc.disable()
    try:
        from tiva.batch.execute import load_libraries

        load_libraries()
        gc.freeze()
    finally:
        gc.enable()


_load()
