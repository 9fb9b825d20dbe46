"""What comes back to the rows of one exporter, sector and size of a banded table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from tiva.bands.model import BandedModel


def feedback_cells(model: BandedModel, cells: IntArray) -> FloatArray:
    """Return (c, k, k): rows and columns of E Q_ss M L_ss for c sets of k rows, each of one block.

    Parameters
    ----------
    model
        The operators of a table split by firm size.
    cells
        Shape (c, k): rows of the model, those of a set in one block.
    """
    out = np.empty((*cells.shape, cells.shape[1]))
    for s in np.unique(model.row_country[cells[:, 0]]):
        a, b = model.local.between.spans[s]
        within = model.row_country[cells[:, 0]] == s
        needs = model.trade_system.response_blocks[s] @ model.local_needs[a:b]
        out[within] = _cut(model, needs, cells[within], int(s))
    return out


def pair_feedback_cells(model: BandedModel, cells: IntArray) -> FloatArray:
    """Return (c, G, k, k): the same of E A_sr F^-1_rs M L_ss for every r, zero at r = s; needs all of F^-1.

    Parameters
    ----------
    model
        The operators of a table split by firm size.
    cells
        Shape (c, k): rows of the model, those of a set in one block.
    """
    spans = model.local.between.spans
    out = np.zeros((len(cells), len(spans), cells.shape[1], cells.shape[1]))
    for s in np.unique(model.row_country[cells[:, 0]]):
        a, b = spans[s]
        within, delivered = model.row_country[cells[:, 0]] == s, model.local.between.rows(int(s))
        for r, (c, d) in enumerate(spans):
            if r != s:
                loop = delivered[:, c:d] @ model.trade_system.inverse[c:d, a:b]
                out[within, r] = _cut(model, loop @ model.local_needs[a:b], cells[within], int(s))
    return out


def _cut(model: BandedModel, needs: FloatArray, cells: IntArray, block: int) -> FloatArray:
    """Return (c, k, k): E needs for sets of rows of a block, needs by sector of the block and row."""
    seller = model.segment[cells] - model.local.between.spans[block][0]
    found = needs[seller[:, :, None], (cells - model.offsets[block])[:, None, :]]
    return np.asarray(model.export_share[cells][:, :, None] * found)
