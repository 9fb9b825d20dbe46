"""Preference between bands at home: the Sarmanov factor ``1 + theta phi psi`` on the separable split."""

from __future__ import annotations

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.segments import segment_of_rows, segment_sums


def preference_scores(scores: FloatArray, weights: FloatArray, start: IntArray) -> FloatArray:
    """Centre size scores on the mix of each country-sector and scale them to at most one.

    Parameters
    ----------
    scores
        Shape (R,): score tau of each band row.
    weights
        Shape (R,): shares over which the mean is taken (h of sellers, d of buyers).
    start
        Shape (n + 1,).

    Returns
    -------
    array
        Shape (R,): ``phi = (tau - sum_a w_a tau_a) / max_a |tau_a - sum w tau|``, zero for a single band. The weighted
        mean is zero, so margins stay; at most one, so flows stay non-negative for |theta| <= 1.
    """
    segment = segment_of_rows(start)
    centred = scores - segment_sums(start, weights * scores)[segment]
    largest = np.maximum.reduceat(np.abs(centred), start[:-1])[segment]
    single = (np.diff(start) == 1)[segment]
    usable = ~single & (largest > 0)
    return np.divide(centred, largest, out=np.zeros_like(centred), where=usable)
