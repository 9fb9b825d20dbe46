"""Los, Timmer and de Vries: what GDP loses when exports are taken out of the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tiva.decompositions.borin_mancini import contents, source_coefficients
from tiva.decompositions.carrier import ROWS, ROWS_BY_IMPORTER, Terms
from tiva.decompositions.self_perimeter import BY_SIZE, group_contents, own_contents, perimeter_note
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators

NOTE = "losses of different extractions overlap and must not be added"

SHARED_BY_SIZE = (
    "by size: the part of each size in the loss when the exports of all sizes are taken out together, not the loss "
    "without the exports of that size alone"
)

_PERIMETER = {"sector": "sectexp", "bilateral": "bilateral", "sector-bilateral": "sectbil"}


def extraction(model: Operators, *, level: str = "country") -> Terms:
    """Return the loss of GDP at home and abroad if exports are extracted.

    Parameters
    ----------
    model
        The operators of a table.
    level
        What is extracted, one after the other: ``"country"`` all exports of a country at once; ``"bilateral"`` those
        to one partner; ``"sector"`` those of one sector; ``"sector-bilateral"`` those of one sector to one partner.

    Returns
    -------
    Terms
        Axes row × importer (by sector: row), unit of the table: ``gexp``, ``gdp_home`` and ``gdp_abroad``, the losses
        at home and in all other countries together when the deliveries and final sales in question are set to zero.

    Notes
    -----
    Extraction of all exports of s leaves V_s L_ss Y_ss at home: the loss is V_s L_ss E_s. Abroad it is
    sum_{t != s} V_t B_ts B_ss^-1 L_ss E_s. Otherwise contents are multiplied by (I + A_TR B_RT)^-1 with T the rows and
    R the partners in question. No table is solved again.

    References
    ----------
    Los, Timmer and de Vries (2016), American Economic Review 106(7): 1958-1966.
    """
    notes: tuple[str, ...] = (NOTE,)
    if model.bands:
        notes = (NOTE, BY_SIZE if level.startswith("sector") else SHARED_BY_SIZE)
    if level == "country":
        unit = source_coefficients(model)
        return _losses(model.exports, unit["dva"][:, None], unit["fva"][:, None], ROWS_BY_IMPORTER, notes)
    unit = contents(model)
    home, abroad = own_contents(model, _PERIMETER[level], np.stack([unit["dc"], unit["fc"]]))
    if level == "sector":
        return _losses(model.exports.sum(axis=1), home[:, 0], abroad[:, 0], ROWS, notes)
    return _losses(model.exports, home, abroad, ROWS_BY_IMPORTER, notes)


def group(model: Operators, *, sector: Sequence[str] | None = None, importer: Sequence[str] | None = None) -> Terms:
    """Return, for each exporter, the losses if its exports of some sectors to some partners are extracted together.

    Parameters
    ----------
    model
        The operators of a table.
    sector, importer
        Labels of the exporting sectors and of the partners; ``None`` for all.

    Returns
    -------
    Terms
        As :func:`extraction`, zero outside; flows of one exporter add up to its loss, exporters do not.
    """
    unit = contents(model)
    within, inside = group_contents(model, np.stack([unit["dc"], unit["fc"]]), sector=sector, importer=importer)
    notes = (perimeter_note(sector, importer), NOTE, *((SHARED_BY_SIZE,) if model.bands else ()))
    exports = np.where(inside, model.exports, 0.0)
    return _losses(exports, within[0][:, None], within[1][:, None], ROWS_BY_IMPORTER, notes)


def _losses(
    exports: FloatArray, home: FloatArray, abroad: FloatArray, axes: tuple[str, ...], notes: tuple[str, ...]
) -> Terms:
    return Terms({"gexp": exports, "gdp_home": home * exports, "gdp_abroad": abroad * exports}, axes, notes)
