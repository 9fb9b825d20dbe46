"""The trade-in-value-added indicators of the OECD, in flows; shares are made by :mod:`tiva.indicators.oecd`.

Names are those of the OECD. Two of them differ from the vocabulary of Borin and Mancini: ``EXGR_DVA`` is domestic
*content* (dc, double counting included), and ``EXGR_DDC`` the *direct* domestic value added of the exporting industry.
"""

from __future__ import annotations

import numpy as np

from tiva.decompositions.carrier import ROWS_BY_IMPORTER, Terms
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators, abroad, own_country

CELLS: tuple[str, ...] = ("exporter", "sector", "importer")
"""Reporter × industry × partner."""


def oecd(model: Operators) -> Terms:
    """Return the OECD's indicators in flows, for all reporters, industries and partners.

    Parameters
    ----------
    model
        The operators of a table; of the extended table (split China and Mexico), as the OECD does it.

    Returns
    -------
    Terms
        Axes reporter × industry × partner (named exporter, sector, importer), unit of the table. ``EXGR*``: exports of
        the industry to the partner. ``IMGR*``: imports of the reporter from the partner, industry that sells.
        ``FFD_DVA``, ``FD_VA``, ``DXD_DVA``: value added of the reporter's industry in final demand of the partner;
        ``DFD_FVA``: of the partner's industry in final demand of the reporter. ``DEXFVAP``: value added of the partner
        in exports of the reporter's industry; ``FEXDVAP``: of the reporter in exports of the partner's industry. With
        firm-size bands the rows keep their band, and the indicators that look at the partner's side are left out.

    Notes
    -----
    Value added is whatever the table has: the published values take it with taxes less subsidies on products, which
    is ``value_added_kind="residual"``.

    References
    ----------
    OECD, Guide to OECD Trade in Value Added (TiVA) Indicators.
    """
    rows = _own_side(model)
    if model.bands:
        note = "indicators seen from the partner (IMGR*, BALGR, DFD_FVA, BALVAFD, FEXDVAP) have no band of the reporter"
        return Terms(rows, ROWS_BY_IMPORTER, (note,))
    cells = {name: _cells(model, values) for name, values in rows.items()}
    for name in ("", "_FNL", "_INT"):
        cells[f"IMGR{name}"] = _mirror(cells[f"EXGR{name}"])
    cells["BALGR"] = cells["EXGR"] - cells["IMGR"]
    cells["DFD_FVA"] = _mirror(cells["FFD_DVA"])
    cells["BALVAFD"] = cells["FFD_DVA"] - cells["DFD_FVA"]
    cells["FEXDVAP"] = _mirror(cells["DEXFVAP"])
    cells["IMGR_DVA"] = _imports_domestic(model)
    return Terms(cells, CELLS)


def _own_side(model: Operators) -> dict[str, FloatArray]:
    """Arrays (R, G) that belong to the reporter's rows."""
    exports = model.exports
    by_origin = model.value_added_by_origin
    domestic = own_country(model, by_origin.T)
    content = model.local_inverse_transpose(model.value_added)
    direct = model.value_added * model.local_inverse_diagonal
    absorbed = model.value_added[:, None] * model.absorption
    foreign = abroad(model, by_origin.T) * exports.sum(axis=1)[:, None]
    taxes = model.apply_inverse_transpose(model.other_inputs) if model.other_inputs.any() else None
    embodied = {} if taxes is None else {"taxes_margins": taxes[:, None] * exports}
    return embodied | {
        "EXGR": exports,
        "EXGR_FNL": model.exports_final,
        "EXGR_INT": exports - model.exports_final,
        "EXGR_DVA": domestic[:, None] * exports,
        "EXGR_DDC": direct[:, None] * exports,
        "EXGR_IDC": (content - direct)[:, None] * exports,
        "EXGR_RIM": (domestic - content)[:, None] * exports,
        "EXGR_FVA": (by_origin.sum(axis=0) - domestic)[:, None] * exports,
        "FD_VA": absorbed,
        "FFD_DVA": abroad(model, absorbed),
        "DXD_DVA": absorbed - abroad(model, absorbed),
        "DEXFVAP": foreign,
    }


def _cells(model: Operators, values: FloatArray) -> FloatArray:
    cells = np.zeros((len(model.countries), len(model.sectors), values.shape[1]))
    np.add.at(cells, (model.row_country, model.row_sector), values)
    return cells


def _mirror(cells: FloatArray) -> FloatArray:
    """Swap reporter and partner."""
    return np.ascontiguousarray(cells.transpose(2, 1, 0))


def _imports_domestic(model: Operators) -> FloatArray:
    """Value added of the reporter in its imports from the partner, by the partner's selling industry."""
    out = np.zeros((len(model.countries), len(model.sectors), len(model.countries)))
    content = model.value_added_by_origin.T * model.exports
    np.add.at(out.transpose(2, 1, 0), (model.row_country, model.row_sector), content)
    return out
