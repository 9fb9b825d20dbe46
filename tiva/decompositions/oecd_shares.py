"""The share indicators of the OECD, and value added by category of final demand."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.carrier import Terms
from tiva.decompositions.oecd import CELLS, MIX_BY_SIZE, NO_CATEGORIES, NO_SERVICES, in_cells, own_side, partner_side
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators
from tiva.terms import FRACTIONS

Cells = dict[str, FloatArray]

IN_FLOWS = (
    ("EXGR_DVASH", "EXGR_DVA", "EXGR"),
    ("EXGR_FVASH", "EXGR_FVA", "EXGR"),
    ("EXGR_FNLDVASH", "EXGR_FNL_DVA", "EXGR_FNL"),
    ("EXGR_INTDVASH", "EXGR_INT_DVA", "EXGR_INT"),
    ("EXGR_SERV_DVASH", "EXGR_SERV_DVA", "EXGR"),
    ("EXGR_SERV_FVASH", "EXGR_SERV_FVA", "EXGR"),
    ("IMGR_DVASH", "IMGR_DVA", "IMGR"),
    ("IMGRINT_REII", "REII", "IMGR_INT"),
)
"""Share, numerator, denominator, in the same cell."""

OF_ALL_PARTNERS = (
    ("EXGRPSH", "EXGR"),
    ("EXGR_DVAPSH", "EXGR_DVA"),
    ("EXGR_FNLDVAPSH", "EXGR_FNL_DVA"),
    ("EXGR_INTDVAPSH", "EXGR_INT_DVA"),
    ("IMGRPSH", "IMGR"),
    ("FFD_DVAPSH", "FFD_DVA"),
    ("DFD_FVAPSH", "DFD_FVA"),
)
"""Share of a partner in the sum over partners, in the same industry."""

OF_FINAL_DEMAND = (("FD_VASH", "FD_VA"), ("CONS_VASH", "CONS_VA"), ("GFCF_VASH", "GFCF_VA"))
"""Share of an origin in all value added in the partner's final demand."""

_AXES = {"country": (0,), "sector": (0, 1), "bilateral": (0, 2), "sector-bilateral": (0, 1, 2)}


def shares(model: Operators, *, level: str = "country") -> Terms:
    """Return the OECD's share indicators, each at the levels where it is defined.

    Parameters
    ----------
    model
        The operators of a table.
    level
        ``"country"``, ``"sector"``, ``"bilateral"`` or ``"sector-bilateral"``: flows are summed to it before they are
        divided.

    Returns
    -------
    Terms
        Axes reporter, industry and partner as far as the level has them (named exporter, sector, importer). Fractions
        of one, where the OECD publishes percent; missing where the denominator is zero. Sizes of firms are summed.

    References
    ----------
    OECD, Guide to OECD Trade in Value Added (TiVA) Indicators.
    """
    rows, notes = own_side(model)
    cells = {name: in_cells(model, values) for name, values in rows.items()}
    cells |= partner_side(model, cells)
    flows = {name: _to_level(values, level) for name, values in cells.items()}
    found = {name: _ratio(flows[above], flows[below]) for name, above, below in IN_FLOWS if above in flows}
    found |= _by_partner(cells, level) if level.endswith("bilateral") else _over_partners(model, cells, level)
    axes = tuple(CELLS[i] for i in _AXES[level])
    said = (FRACTIONS, *(n for n in notes if n in {NO_SERVICES, NO_CATEGORIES}))
    return Terms(found, axes, said)


def _to_level(cells: FloatArray, level: str) -> FloatArray:
    kept = _AXES[level]
    return np.asarray(cells.sum(axis=tuple(i for i in range(3) if i not in kept)))


def _over_partners(model: Operators, cells: Cells, level: str) -> Cells:
    """Shares of totals over partners, by country or industry."""
    exports = cells["EXGR"].sum(axis=(1, 2))
    total = exports if level == "country" else exports[:, None]
    output, value = (
        in_cells(model, values[:, None])[:, :, 0] for values in (model.output, model.value_added * model.output)
    )
    if level == "country":
        output, value = output.sum(axis=1), value.sum(axis=1)
    abroad = _to_level(cells["FFD_DVA"], level)
    return {
        "PROD_VASH": _ratio(value, output),
        "VALU_FFDDVA": _ratio(abroad, value),
        "EXGR_TDVAIND": _ratio(_to_level(cells["EXGR_DVA"], level), total),
        "EXGR_TFVAIND": _ratio(_to_level(cells["EXGR_FVA"], level), total),
        "EXGR_DVAFXSH": _ratio(_to_level(cells["FEXDVAP"], level), total),
    }


def _by_partner(cells: Cells, level: str) -> Cells:
    """Shares that tell partners apart."""
    found: Cells = {}
    for name, flow in OF_ALL_PARTNERS:
        values = _to_level(cells[flow], level)
        found[name] = _ratio(values, values.sum(axis=-1, keepdims=True))
    exports = cells["EXGR"].sum(axis=2)
    whole = exports.sum(axis=1)
    own = whole[:, None] if level == "bilateral" else exports[:, :, None]
    found["DEXFVAPSH"] = _ratio(_to_level(cells["DEXFVAP"], level), own)
    all_own = whole[:, None] if level == "bilateral" else whole[:, None, None]
    found["FEXDVAPSH"] = _ratio(_to_level(cells["FEXDVAP"], level), all_own)
    for name, flow in OF_FINAL_DEMAND:
        if flow in cells:
            found[name] = _ratio(_to_level(cells[flow], level), cells[flow].sum(axis=(0, 1)))
    return found


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Divide, missing where the denominator is zero."""
    whole = np.broadcast_to(below, above.shape)
    return np.asarray(np.divide(above, whole, out=np.full(above.shape, np.nan), where=whole != 0))


def by_category(model: Operators) -> Terms:
    """Return value added of each industry in final demand of each country, by category of final demand.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axes row × importer (the absorber, the country itself included) × final_demand (the categories of the table):
        ``vby``, whose sum over categories is FD_VA of the OECD.

    Notes
    -----
    diag(V_s) (B Y^c)_sl with Y^c the final demand of one category.

    References
    ----------
    Johnson and Noguera (2012), Journal of International Economics 86: 224-236; exvatools 0.9 for the breakdown.
    """
    categories = model.table.final_demand_categories
    made = model.value_added[:, None]
    parts = [made * model.apply_inverse(model.final_demand_of([name])) for name in categories]
    notes = (MIX_BY_SIZE,) if model.bands else ()
    return Terms({"vby": np.stack(parts, axis=2)}, ("row", "importer", "final_demand"), notes)
