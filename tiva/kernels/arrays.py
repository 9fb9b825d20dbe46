"""Array types, and the one place where arrays are brought into the layout that kernels expect."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


def as_matrix_layout(values: Any) -> FloatArray:
    """Return ``values`` as a C-contiguous float64 array, copied only where needed.

    Parameters
    ----------
    values
        Anything that is an array of numbers.
    """
    return np.ascontiguousarray(values, dtype=np.float64)


def frozen(values: FloatArray) -> FloatArray:
    """Return ``values`` set read-only.

    Parameters
    ----------
    values
        Changed in place: nobody may write to it any more.
    """
    values.setflags(write=False)
    return values


def offsets_of(sizes: Any) -> IntArray:
    """Return the (G + 1,) offsets of consecutive blocks of the given sizes.

    Parameters
    ----------
    sizes
        Shape (G,): rows of each block.
    """
    return np.concatenate(([0], np.cumsum(np.asarray(sizes, dtype=np.int64)))).astype(np.int64)


def read_only(values: FloatArray) -> FloatArray:
    """Return a read-only view, C-contiguous: compiled kernels then see one type whatever the caller holds.

    Parameters
    ----------
    values
        An array of numbers.
    """
    view = as_matrix_layout(values).view()
    view.setflags(write=False)
    return view
