"""How much of a table is split by size, and how much of that is observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiva.bands.shares import Status
from tiva.kernels.arrays import IntArray

if TYPE_CHECKING:
    from tiva.bands.split import BandedTable


def headline_coverage(banded: BandedTable) -> tuple[float, float]:
    """Return the shares of world exports in split sectors, and split by an observed export margin.

    Parameters
    ----------
    banded
        A table split by firm size.
    """
    exports = banded.shares.exports * banded.totals.exports[banded.split.segment]
    total = float(exports.sum())
    if total == 0:
        return 0.0, 0.0
    is_split = banded.shares.row_band >= 0
    observed = is_split & (used_status(banded, "exports") == Status.OBSERVED)
    return float(exports[is_split].sum()) / total, float(exports[observed].sum()) / total


def used_status(banded: BandedTable, margin: str) -> IntArray:
    """Return, shape (R,), the status of a margin as it was used: a proportional split assumes all but output.

    Parameters
    ----------
    banded
        A table split by firm size.
    margin
        One of :data:`tiva.bands.shares.MARGINS`.
    """
    status = banded.shares.status[margin]
    if banded.method == "proportional" and margin != "output":
        return np.where(banded.shares.row_band >= 0, int(Status.ASSUMED), status)
    return status


def coverage_note(banded: BandedTable) -> str:
    """Return the coverage of a split in one line, for every result made from it.

    Parameters
    ----------
    banded
        A table split by firm size.
    """
    split, observed = headline_coverage(banded)
    return f"{split:.1%} of exports in split sectors, {observed:.1%} of exports with observed shares"
