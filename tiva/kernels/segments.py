"""Sums over, and spreads to, consecutive segments of rows: from n sectors to R band rows and back.

``start`` (n + 1,) says where the rows of each sector begin among the R rows; no segment is empty.
"""

from __future__ import annotations

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray


def segment_of_rows(start: IntArray) -> IntArray:
    """Return, shape (R,), the segment that each row belongs to.

    Parameters
    ----------
    start
        Shape (n + 1,): first row of each segment.
    """
    return np.repeat(np.arange(len(start) - 1, dtype=np.int64), np.diff(start))


def segment_sums(start: IntArray, rows: FloatArray) -> FloatArray:
    """Return the sums of ``rows`` (R,) or (R, k) over each segment: (n,) or (n, k).

    Parameters
    ----------
    start
        Shape (n + 1,): first row of each segment.
    rows
        Shape (R,) or (R, k).
    """
    return np.asarray(np.add.reduceat(rows, start[:-1], axis=0))


def collapse(weights: FloatArray, start: IntArray, rows: FloatArray) -> FloatArray:
    """Return the weighted sums of ``rows`` (R,) or (R, k) over each segment: (n,) or (n, k).

    Parameters
    ----------
    weights
        Shape (R,).
    start
        Shape (n + 1,): first row of each segment.
    rows
        Shape (R,) or (R, k).
    """
    return segment_sums(start, rows * (weights if rows.ndim == 1 else weights[:, None]))


def spread(weights: FloatArray, segment: IntArray, values: FloatArray) -> FloatArray:
    """Return ``values`` (n,) or (n, k) of each segment times the weight of each of its rows: (R,) or (R, k).

    Parameters
    ----------
    weights
        Shape (R,).
    segment
        Shape (R,): segment of each row.
    values
        Shape (n,) or (n, k).
    """
    rows = values[segment]
    rows *= weights if values.ndim == 1 else weights[:, None]
    return np.asarray(rows)


def collapse_columns(weights: FloatArray, start: IntArray, left: FloatArray) -> FloatArray:
    """Return the weighted sums of ``left`` (R,) or (k, R) over each segment of its last axis: (n,) or (k, n).

    Parameters
    ----------
    weights
        Shape (R,).
    start
        Shape (n + 1,): first row of each segment.
    left
        Shape (R,) or (k, R).
    """
    return np.asarray(np.add.reduceat(left * weights, start[:-1], axis=-1))


def spread_columns(weights: FloatArray, segment: IntArray, left: FloatArray) -> FloatArray:
    """Return ``left`` (n,) or (k, n) spread over the rows of each segment of its last axis: (R,) or (k, R).

    Parameters
    ----------
    weights
        Shape (R,).
    segment
        Shape (R,): segment of each row.
    left
        Shape (n,) or (k, n).
    """
    return np.asarray(left[..., segment] * weights)


def shares_within(start: IntArray, rows: FloatArray) -> FloatArray:
    """Return each row's share in the sum of its segment, NaN where that sum is zero.

    Parameters
    ----------
    start
        Shape (n + 1,): first row of each segment.
    rows
        Shape (R,).
    """
    total = segment_sums(start, rows)[segment_of_rows(start)]
    return np.divide(rows, total, out=np.full_like(rows, np.nan), where=total != 0)
