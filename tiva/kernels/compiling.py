"""How kernels are compiled: machine code is kept on disk, so that other processes need not compile again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a plain-Python kernel that releases the interpreter lock.

    Parameters
    ----------
    function
        The kernel; it stays importable as its own plain twin.
    **options
        Of ``numba.njit``.

    Returns
    -------
    dispatcher
        Compiled at the first call. The machine code is kept beside the module or in numba's cache folder; where neither
        can be written it is made anew in each process. No kernel uses numba's own threads, the case in which its disk
        cache has been seen to fail under several processes.
    """
    try:
        return numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **options)(function)
