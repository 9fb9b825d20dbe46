"""Timing in pairs against the inverse, and peak memory in units of the matrix."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import scipy.linalg

from tiva.kernels.arrays import FloatArray
from tiva.table.icio_table import IcioTable


def seconds(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one run."""
    gc.collect()
    start = time.perf_counter()
    result = work()
    elapsed = time.perf_counter() - start
    del result
    return elapsed


def leontief_matrix(table: IcioTable) -> FloatArray:
    """Return I - A."""
    x = table.output
    scale = np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)
    matrix = -table.intermediate * scale
    matrix[np.diag_indices_from(matrix)] += 1.0
    return matrix


def time_ratio(work: Callable[[], object], baseline: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Run both in turn; return the median of the ratios and the median seconds of the baseline."""
    ratios, base = [], []
    for _ in range(repeats):
        b = seconds(baseline)
        ratios.append(seconds(work) / b)
        base.append(b)
    return statistics.median(ratios), statistics.median(base)


def inverse_of(matrix: FloatArray) -> Callable[[], object]:
    """Return the baseline: ``scipy.linalg.inv`` of the matrix."""

    def baseline() -> object:
        return scipy.linalg.inv(matrix, check_finite=False)

    return baseline


def peak_matrices(work: Callable[[], object], n: int, *, beside_result: bool = False) -> float:
    """Return the peak of memory allocated during ``work``, in n × n float64 matrices.

    Parameters
    ----------
    work
        Measured once.
    n
        Size of the matrix.
    beside_result
        Less what its result holds in the end, for work whose output is larger than the matrix.
    """
    gc.collect()
    tracemalloc.start()
    try:
        result = work()
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        del result
    finally:
        tracemalloc.stop()
    return (peak - held if beside_result else peak) / (8.0 * n * n)
