"""How many threads the array libraries of this process use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
THREAD_VARIABLES = (*BLAS_VARIABLES, "NUMBA_NUM_THREADS")


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Bound BLAS, OpenMP and Numba to ``threads`` inside the block.

    Raises
    ------
    MissingExtraError
        The library ``threadpoolctl`` is not installed.
    """
    import numba
    import scipy.linalg  # noqa: F401  (its BLAS has to be loaded to be found)

    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(threads, int(numba.config.NUMBA_NUM_THREADS))))  # type: ignore[attr-defined]
    try:
        with limited_blas(threads):
            yield
    finally:
        numba.set_num_threads(before)


@contextlib.contextmanager
def limited_blas(threads: int) -> Iterator[None]:
    """Bound BLAS and OpenMP only, of the libraries that are loaded already.

    Raises
    ------
    MissingExtraError
        The library ``threadpoolctl`` is not installed.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        from tiva.errors import MissingExtraError

        raise MissingExtraError("threadpoolctl", "batch", "a batch") from error
    import numpy as np  # noqa: F401

    with threadpool_limits(limits=threads):
        yield


@contextlib.contextmanager
def environment(threads: int, variables: Sequence[str] = THREAD_VARIABLES) -> Iterator[None]:
    """Set the environment of processes that are started inside the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(dict.fromkeys(variables, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
