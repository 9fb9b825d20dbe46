"""Permission bits that hold for root, too."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

VERSION = 0x20080522
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """Take the right to write everywhere from this thread inside the block (Linux; nothing elsewhere)."""
    if sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, before, after = (ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    if libc.capget(header, before):
        yield
        return
    after[:] = before[:]
    after[0] &= ~((1 << DAC_OVERRIDE) | (1 << DAC_READ_SEARCH))
    libc.capset(header, after)
    try:
        yield
    finally:
        libc.capset(header, before)
