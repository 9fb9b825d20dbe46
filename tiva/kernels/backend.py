"""Dense algebra on any library that speaks the Python array API: NumPy, PyTorch, CuPy.

One code path for all: the arrays of a library go in, its own ``linalg`` computes in float64 on its device, NumPy arrays
come out. Where a library or device is missing, NumPy takes its place and says so.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from tiva.errors import BackendFallbackWarning, SingularTableError, UnknownLabelError, explain
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.factorization import MIN_RECIPROCAL_CONDITION

BACKENDS = ("numpy", "torch", "cupy")


@dataclass(frozen=True, slots=True)
class Backend:
    """An array library and the device that it computes on.

    Attributes
    ----------
    name
        As in :data:`BACKENDS`, or that of a module that was given.
    xp
        Namespace that follows the array API.
    device
        What the library calls the device; ``None`` leaves it to the library.
    """

    name: str
    xp: Any
    device: Any = None

    def put(self, values: FloatArray) -> Any:
        """Return a float64 array of the library on its device.

        Parameters
        ----------
        values
            An array of the processor.
        """
        contiguous = np.ascontiguousarray(values, dtype=np.float64)
        if self.device is None:
            return self.xp.asarray(contiguous, dtype=self.xp.float64)
        return self.xp.asarray(contiguous, dtype=self.xp.float64, device=self.device)

    def get(self, values: Any) -> FloatArray:
        """Return a NumPy array, C-contiguous float64.

        Parameters
        ----------
        values
            An array of the device.
        """
        if hasattr(values, "get") and self.name == "cupy":
            values = values.get()
        elif hasattr(values, "cpu"):
            values = values.cpu()
        elif hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
            values = np.from_dlpack(values)
        return np.ascontiguousarray(np.asarray(values, dtype=np.float64))

    def matmul(self, left: Any, right: FloatArray) -> FloatArray:
        """Return ``left @ right`` for a matrix that lies on the device already.

        Parameters
        ----------
        left, right
            Matrices that fit; the left one on the device.
        """
        return self.get(self.xp.matmul(left, self.put(right)))


def select(name: str | ModuleType | Backend, *, device: Any = None) -> Backend:
    """Return a backend that works here, with float64.

    Parameters
    ----------
    name
        One of :data:`BACKENDS`, a namespace that follows the array API, or a backend.
    device
        Device of the library; left out: ``"cuda"`` for PyTorch where there is one, otherwise the library's own.

    Returns
    -------
    Backend
        NumPy when the library is not installed, or has no device that computes in float64.

    Raises
    ------
    UnknownLabelError
        A name that is not known.

    Warns
    -----
    BackendFallbackWarning
        NumPy takes the place of what was asked for.
    """
    if isinstance(name, Backend):
        return name
    if isinstance(name, ModuleType):
        return Backend(name.__name__.rsplit(".", 1)[-1], name, device)
    if name not in BACKENDS:
        raise UnknownLabelError("backend", name, BACKENDS)
    found, reason = _load(name)
    if found is None:
        warnings.warn(
            explain(f"the backend {name!r} cannot be used: {reason}", do="NumPy computes instead"),
            BackendFallbackWarning,
            stacklevel=2,
        )
        return Backend("numpy", np)
    return found if device is None else Backend(found.name, found.xp, device)


@cache
def _load(name: str) -> tuple[Backend | None, str]:
    """Import a library, try one product on its device, and say why it cannot be used where it cannot."""
    if name == "numpy":
        return Backend("numpy", np), ""
    try:
        importlib.import_module(name)
        xp = importlib.import_module(f"array_api_compat.{name}")
    except ImportError as error:
        return None, f"{error.name or name} is not installed"
    device: Any = None
    if name == "torch":
        if not importlib.import_module("torch").cuda.is_available():
            return None, "PyTorch sees no CUDA device"
        device = "cuda"
    backend = Backend(name, xp, device)
    try:
        probe = np.asarray([[2.0, 0.0], [0.0, 4.0]])
        tried = backend.get(xp.linalg.inv(backend.put(probe)))
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    return (backend, "") if tried[1, 1] == 0.25 else (None, "its inverse of a 2 x 2 matrix is wrong")


class ArrayFactor:
    """The inverse of a square matrix on a backend, with the interface of :class:`DenseFactor`.

    The array API has no LU factors that can be kept, so the inverse stays on the device: 2 n³ operations once, one
    product a solve. Two n × n matrices on the device while inverting, one afterwards.

    Parameters
    ----------
    matrix
        Shape (n, n); not changed.
    backend
        Where to compute.
    name
        What it is, for the message when it is singular.

    Raises
    ------
    SingularTableError
        The matrix is singular to working precision.
    """

    def __init__(self, matrix: FloatArray, backend: Backend, name: str = "I - A") -> None:
        self.n = matrix.shape[0]
        self.backend = backend
        xp = backend.xp
        on_device = backend.put(matrix)
        try:
            self._inverse = xp.linalg.inv(on_device)
            reciprocal = 1.0 / (self._norm(on_device) * self._norm(self._inverse))
        except (np.linalg.LinAlgError, RuntimeError, ZeroDivisionError):
            reciprocal = 0.0
        if not reciprocal > MIN_RECIPROCAL_CONDITION:
            raise SingularTableError(
                explain(
                    f"{name} is singular: the Leontief system has no unique solution",
                    got=f"reciprocal condition number {reciprocal:.1e}",
                    expected=f"above {MIN_RECIPROCAL_CONDITION:.0e}",
                    do="look at table.check() for sectors whose inputs reach or exceed their output",
                )
            )
        self.reciprocal_condition = reciprocal

    def _norm(self, matrix: Any) -> float:
        """Return the 1-norm: the largest sum of absolute values of a column."""
        xp = self.backend.xp
        return float(xp.max(xp.sum(xp.abs(matrix), axis=0)))

    def solve(self, right: FloatArray) -> FloatArray:
        """Return K^-1 ``right`` for ``right`` of shape (n,) or (n, k).

        Parameters
        ----------
        right
            Shape (R,) or (R, k).
        """
        columns = right if right.ndim == 2 else right[:, None]
        solution = self.backend.matmul(self._inverse, columns)
        return solution if right.ndim == 2 else np.ascontiguousarray(solution[:, 0])

    def solve_transpose(self, left: FloatArray) -> FloatArray:
        """Return ``left`` K^-1 for ``left`` of shape (n,) or (k, n).

        Parameters
        ----------
        left
            Shape (R,) or (k, R).
        """
        rows = left if left.ndim == 2 else left[None, :]
        solution = self.backend.get(self.backend.xp.matmul(self.backend.put(rows), self._inverse))
        return solution if left.ndim == 2 else np.ascontiguousarray(solution[0])

    def inverse(self) -> FloatArray:
        """Return K^-1, shape (n, n)."""
        return self.backend.get(self._inverse)

    def diagonal_blocks(self, offsets: IntArray) -> list[FloatArray]:
        """Return the diagonal blocks of K^-1 between ``offsets``.

        Parameters
        ----------
        offsets
            Shape (G + 1,): first row of each block.
        """
        bounds = [int(o) for o in offsets]
        return [self.backend.get(self._inverse[a:b, a:b]) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
