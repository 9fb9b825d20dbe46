"""The trade-in-value-added indicators of the OECD, in flows; :mod:`tiva.decompositions.oecd_shares` has the shares.

Names are those of the OECD, or of exvatools where the OECD has none. Two of them differ from the vocabulary of Borin
and Mancini: ``EXGR_DVA`` is domestic *content* (dc, double counting included), and ``EXGR_DDC`` the *direct* domestic
value added of the exporting industry.
"""

from __future__ import annotations

import numpy as np

from tiva.decompositions.carrier import ROWS, ROWS_BY_IMPORTER, Terms
from tiva.errors import ConcordanceError, GroupError, UnknownLabelError
from tiva.groups import select_sectors
from tiva.kernels.arrays import BoolArray, FloatArray
from tiva.model.operators import Operators, abroad, block_columns, block_rows, own_country
from tiva.model.own_perimeter import sector_cells

CELLS: tuple[str, ...] = ("exporter", "sector", "importer")
"""Reporter × industry × partner."""

CONSUMPTION, CAPITAL = ("HFCE", "NPISH", "GGFC"), ("GFCF",)
"""Categories of final demand that make up CONS_VA and GFCF_VA."""

NO_BANDS = (
    "indicators seen from the partner (IMGR*, BALGR, DFD_FVA, BALVAFD, FEXDVAP, REII) have no band of the reporter"
)
NO_SERVICES = "EXGR_SERV_* left out: the sectors of the table are of no known classification, so services are not known"
NO_CATEGORIES = "CONS_VA and GFCF_VA left out: the table has no final demand by HFCE, GGFC and GFCF"
MIX_BY_SIZE = (
    "each size sells at home to all categories in the mix of its sector; negative entries (inventories) are spread "
    "like all its sales at home"
)
ONE_INDUSTRY = (
    "EXGR_DDC: all rows of a sector of one reporter (members of a group that acts as one, parts of a split country) "
    "are one industry"
)


def oecd(model: Operators, *, level: str = "sector-bilateral") -> Terms:
    """Return the OECD's indicators in flows, for all reporters, industries and partners.

    Parameters
    ----------
    model
        The operators of a table; of the extended table (split China and Mexico), as the OECD does it.
    level
        ``"country"`` and ``"sector"`` have ``PROD`` and ``VALU`` beside the others.

    Returns
    -------
    Terms
        Axes reporter × industry (named exporter, sector), by partner (importer) at the bilateral levels, unit of the
        table. ``EXGR*``: exports of the industry to the partner. ``IMGR*``: imports of the reporter from the partner,
        industry that sells; ``REII`` the intermediate ones of them embodied in the reporter's exports. ``FFD_DVA``,
        ``FD_VA``, ``DXD_DVA``, ``CONS_VA``, ``GFCF_VA``: value added of the reporter's industry in final demand of the
        partner; ``DFD_FVA``: of the partner's industry in final demand of the reporter. ``EXGRY*``: exports of the
        industry by the partner that finally absorbs them, itself included. ``DEXFVAP``: value added of the partner in
        exports of the reporter's industry; ``FEXDVAP``: of the reporter in exports of the partner's industry. ``DOM*``:
        sales at home. With firm-size bands the rows keep their band, and the indicators that look at the partner's
        side are left out.

    Notes
    -----
    Value added is whatever the table has: the published values take it with taxes less subsidies on products, which
    is ``value_added_kind="residual"``. The OECD's guide has FD_VA, CONS_VA and GFCF_VA with the partner as origin and
    the reporter as absorber; here, as in exvatools, the reporter is the origin.

    References
    ----------
    OECD, Guide to OECD Trade in Value Added (TiVA) Indicators; exvatools 0.9 for the names DOM*, REF and EXGRY*.
    """
    rows, notes = own_side(model)
    by_partner = level.endswith("bilateral")
    if model.bands:
        arrays = rows if by_partner else {name: values.sum(axis=1) for name, values in rows.items()}
        arrays |= {} if by_partner else _production(model)
        return Terms(arrays, ROWS_BY_IMPORTER if by_partner else ROWS, (*notes, NO_BANDS))
    cells = {name: in_cells(model, values) for name, values in rows.items()}
    cells |= partner_side(model, cells)
    if by_partner:
        return Terms(cells, CELLS, notes)
    summed = {name: values.sum(axis=2) for name, values in cells.items()}
    production = {name: in_cells(model, values[:, None])[:, :, 0] for name, values in _production(model).items()}
    return Terms(summed | production, CELLS[:2], notes)


def _production(model: Operators) -> dict[str, FloatArray]:
    """Arrays (R,): gross output, and value added in it."""
    return {"PROD": model.output, "VALU": model.value_added * model.output}


def own_side(model: Operators) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Return arrays (R, G) that belong to the reporter's rows, and what has to be said about them.

    Parameters
    ----------
    model
        The operators of a table.
    """
    exports = model.exports
    by_origin = model.value_added_by_origin
    domestic = own_country(model, by_origin.T)
    content = model.local_inverse_transpose(model.value_added)
    direct = direct_content(model)
    absorbed = model.value_added[:, None] * model.absorption
    passed_on = model.trade(model.absorption)
    arrays = {
        "EXGR": exports,
        "EXGR_FNL": model.exports_final,
        "EXGR_INT": exports - model.exports_final,
        "EXGR_DVA": domestic[:, None] * exports,
        "EXGR_FNL_DVA": domestic[:, None] * model.exports_final,
        "EXGR_INT_DVA": domestic[:, None] * (exports - model.exports_final),
        "EXGR_DDC": direct[:, None] * exports,
        "EXGR_IDC": (content - direct)[:, None] * exports,
        "EXGR_RIM": (domestic - content)[:, None] * exports,
        "EXGR_FVA": (by_origin.sum(axis=0) - domestic)[:, None] * exports,
        "EXGRY": model.exports_final + passed_on,
        "EXGRY_FIN": model.exports_final,
        "EXGRY_INT": passed_on,
        "REF": content[:, None] * exports - abroad(model, absorbed),
        "FD_VA": absorbed,
        "FFD_DVA": abroad(model, absorbed),
        "DXD_DVA": absorbed - abroad(model, absorbed),
        "DEXFVAP": abroad(model, by_origin.T) * exports.sum(axis=1)[:, None],
        **_sales_at_home(model),
    }
    if model.other_inputs.any():
        arrays["taxes_margins"] = model.apply_inverse_transpose(model.other_inputs)[:, None] * exports
    services, categories = _services(model), _by_category(model)
    if services is not None:
        arrays |= services_content(model, services)
    notes = [] if services is not None else [NO_SERVICES]
    notes += [] if categories else [NO_CATEGORIES]
    notes += [MIX_BY_SIZE] if categories and model.bands else []
    notes += [ONE_INDUSTRY] if _joint(model) else []
    return arrays | categories, tuple(notes)


def _joint(model: Operators) -> bool:
    return any(cells.shape[1] > 1 for cells in sector_cells(model))


def direct_content(model: Operators) -> FloatArray:
    """Return (R,): value added of the exporting industry itself per unit of its exports, diag(V_c) L_cc by industry.

    Where several rows of a reporter are one industry, that of all of them: sum_(k in i) V_k L_kj for row j of i.

    Parameters
    ----------
    model
        The operators of a table.
    """
    if not _joint(model):
        return model.value_added * model.local_inverse_diagonal
    out = np.zeros_like(model.value_added)
    bands = max(1, len(model.bands))
    industry = model.row_sector * bands + model.row_band
    weights = np.zeros((len(model.sectors) * bands, len(out)))
    every = np.arange(len(out))
    weights[industry, every] = model.value_added
    out[:] = model.local_inverse_transpose(weights)[industry, every]
    return out


def _sales_at_home(model: Operators) -> dict[str, FloatArray]:
    final = model.final_demand - abroad(model, model.final_demand)
    intermediate = np.zeros_like(final)
    intermediate[np.arange(len(final)), model.row_country] = model.domestic(model.output)
    return {"DOM": final + intermediate, "DOM_FNL": final, "DOM_INT": intermediate}


def _services(model: Operators) -> BoolArray | None:
    """Return (R,): rows of services (ISIC G to T), or None where the table's sectors cannot be classified."""
    try:
        chosen = select_sectors("services", model.sectors)
    except (ConcordanceError, GroupError, UnknownLabelError):
        return None
    return np.asarray(np.isin(np.array(model.sectors), chosen.members)[model.row_sector])


def services_content(model: Operators, services: BoolArray) -> dict[str, FloatArray]:
    """Return (R, G) arrays: value added of domestic and foreign services rows (R,) in exports.

    Parameters
    ----------
    model
        The operators of a table.
    services
        Shape (R,): which rows are services.
    """
    content = model.apply_inverse_transpose(block_rows(model, np.where(services, model.value_added, 0.0)))
    domestic = own_country(model, content.T)
    foreign = content.sum(axis=0) - domestic
    return {
        "EXGR_SERV_DVA": domestic[:, None] * model.exports,
        "EXGR_SERV_FVA": foreign[:, None] * model.exports,
    }


def _by_category(model: Operators) -> dict[str, FloatArray]:
    known = model.table.final_demand_categories
    if not {"HFCE", "GGFC", "GFCF"} <= set(known):
        return {}
    return {
        name: model.value_added[:, None]
        * model.apply_inverse(model.final_demand_of([c for c in categories if c in known]))
        for name, categories in (("CONS_VA", CONSUMPTION), ("GFCF_VA", CAPITAL))
    }


def in_cells(model: Operators, values: FloatArray) -> FloatArray:
    """Return (reporter, industry, k): arrays (R, k) summed over the rows of an industry.

    Parameters
    ----------
    model
        The operators of a table.
    values
        Shape (R, k), rows in the order of the model.
    """
    cells = np.zeros((len(model.countries), len(model.sectors), values.shape[1]))
    np.add.at(cells, (model.row_country, model.row_sector), values)
    return cells


def partner_side(model: Operators, cells: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return arrays (reporter, industry, partner) that look at rows of the partner.

    Parameters
    ----------
    model
        The operators of a table.
    cells
        Arrays (reporter, industry, partner) of :func:`own_side`, summed by :func:`in_cells`.
    """
    seen = {f"IMGR{name}": _mirror(cells[f"EXGR{name}"]) for name in ("", "_FNL", "_INT")}
    seen["BALGR"] = cells["EXGR"] - seen["IMGR"]
    seen["DFD_FVA"] = _mirror(cells["FFD_DVA"])
    seen["BALVAFD"] = cells["FFD_DVA"] - seen["DFD_FVA"]
    seen["FEXDVAP"] = _mirror(cells["DEXFVAP"])
    seen["IMGR_DVA"] = _mirror(in_cells(model, model.value_added_by_origin.T * model.exports))
    needed = own_country(model, model.apply_inverse(block_columns(model, model.exports.sum(axis=1))))
    seen["REII"] = _mirror(in_cells(model, model.trade_products(needed[:, None])[:, :, 0]))
    return seen


def _mirror(cells: FloatArray) -> FloatArray:
    """Swap reporter and partner."""
    return np.ascontiguousarray(cells.transpose(2, 1, 0))
