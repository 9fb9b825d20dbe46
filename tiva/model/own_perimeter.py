"""Own perimeters of exporting sectors: joint over all rows that one exporter's sector is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray
from tiva.model.operators import Operators


@dataclass(frozen=True, slots=True)
class OwnPerimeters:
    """What a unit crosses its own border with once, ``(I + feedback)^-1`` for every exporting sector.

    The rows of one exporter, sector and size are one perimeter: one row in a plain table; one a member where countries
    act as one; one a part where a country is split. Single rows divide by ``1 + f``, others solve small systems.

    Attributes
    ----------
    once
        Shape (R, P): ``1 / (1 + f)`` of each row by itself, P = 1 for all partners together, G for one by one.
    joint
        Pairs of rows (cells, k) that share a perimeter, k > 1, and ``(I + feedback)^-1`` (cells, P, k, k) of them.
    """

    once: FloatArray
    joint: tuple[tuple[IntArray, FloatArray], ...]

    def of_contents(self, left: FloatArray) -> FloatArray:
        """Return (m, R, P): contents per unit of each row's exports, (m, R), as far as they count once.

        Parameters
        ----------
        left
            Shape (m, R): contents per unit of each row's exports.
        """
        out = left[:, :, None] * self.once
        for cells, inverse in self.joint:
            out[:, cells] = np.einsum("mck,cpkl->mclp", left[:, cells], inverse, optimize=True)
        return np.asarray(out)

    def of_flows(self, right: FloatArray) -> FloatArray:
        """Return, for flows (R, G, ...) of each row to each importer, what a content has to be multiplied by.

        The sum over the rows of a perimeter of content times flow is that of contents that count once times flows;
        single rows of a joint perimeter have no meaning of their own.

        Parameters
        ----------
        right
            Shape (R, G, ...): flows of each row to each importer.
        """
        tail = (slice(None), slice(None), *(None,) * (right.ndim - 2))
        out = right * self.once[tail]
        for cells, inverse in self.joint:
            flows = right[cells]
            every = np.broadcast_to(inverse, (len(cells), flows.shape[2], *inverse.shape[2:]))
            out[cells] = np.einsum("cgkl,clg...->ckg...", every, flows, optimize=True)
        return np.asarray(out)


def own_perimeters(model: Operators, *, by_partner: bool) -> OwnPerimeters:
    """Return the own perimeters of all exporting sectors.

    Parameters
    ----------
    model
        The operators of a table.
    by_partner
        The exports of a sector to each partner are a perimeter, which needs all of B; or all its exports together.

    Notes
    -----
    Feedback of rows T of block s: sum_{j != s} A_Tj B_jT, or A_Tr B_rT for one partner r (Borin and Mancini 2019,
    WPS 8804, eqs. 46-49, for T of one row).
    """
    feedback = model.pair_feedback_diagonal if by_partner else model.feedback_diagonal[:, None]
    joint: list[tuple[IntArray, FloatArray]] = []
    for cells in _shared(model):
        between = model.pair_feedback_cells(cells) if by_partner else model.feedback_cells(cells)[:, None]
        joint.append((cells, np.asarray(np.linalg.inv(between + np.eye(cells.shape[1])))))
    return OwnPerimeters(1.0 / (1.0 + feedback), tuple(joint))


def sector_cells(model: Operators) -> list[IntArray]:
    """Return the rows of each exporter, sector and size, as arrays (cells, k), one for every number k of rows.

    Parameters
    ----------
    model
        The operators of a table.
    """
    bands = max(1, len(model.bands))
    key = (model.row_country * len(model.sectors) + model.row_sector) * bands + model.row_band
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    return [order[starts[sizes == k][:, None] + np.arange(k)] for k in np.unique(sizes)]


def _shared(model: Operators) -> list[IntArray]:
    return [cells for cells in sector_cells(model) if cells.shape[1] > 1]
