"""Borin, Mancini and Taglioni: participation in global value chains by output instead of exports."""

from __future__ import annotations

from tiva.decompositions.borin_mancini import contents
from tiva.decompositions.carrier import ROWS, Terms
from tiva.model.operators import Operators, own_country

CONVENTION = (
    "output-based participation is split by the exact accounting of this package (formulas in the catalogue), which "
    "sums to gross output; the split of published output-based tables may differ"
)


def output_based(model: Operators) -> Terms:
    """Split the gross output of every row into domestic, traditional and value-chain production.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axis row, arrays (R,), unit of the table: ``output``; ``domestic`` content that crosses no border;
        ``traditional`` content that crosses one; ``gvc_pf`` own value added that the direct importer re-exports;
        ``gvc_pb`` imported content of final sales with two or more borders; ``gvc_ts_imported`` imported content of
        intermediate sales; ``gvc_ts_domestic`` value added of domestic suppliers that the direct importer re-exports;
        ``gvc`` the sum of the last four.

    Notes
    -----
    With X_d = L Y_ss, X_1 = L sum_r (Y_sr + A_sr L_rr Y_rr), X_2 = L sum_r A_sr L_rr E_r, which sum to output;
    m = u - V_s L_ss the imported content per unit and o = sum_{j != s} V_j L_jj A_js L_ss the part of it that has
    crossed one border only: domestic = VL # X_d, traditional = VL # X_1 + o # X_d, pf = V # X_2, pb = m # y - o # Y_ss,
    ts_imported = m # (X - y) - o # (X_d - Y_ss), ts_domestic = (VL - V) # X_2. Nothing is a residual and nothing is
    clamped at zero.

    References
    ----------
    Borin, Mancini and Taglioni (2021), World Bank WPS 9785.
    """
    unit = contents(model)
    local, v = unit["dva"], model.value_added
    imported = unit["dc"] - local + unit["fc"]
    once = model.local_inverse_transpose(model.trade_transpose(local))
    home = own_country(model, model.final_demand)
    at_home = model.local_inverse(home)
    leaving = model.local_inverse(model.exports.sum(axis=1))
    absorbed = model.local_inverse(model.exports_final.sum(axis=1) + model.trade(at_home))
    onward = model.local_inverse(model.trade(leaving))
    final = model.final_demand.sum(axis=1)
    arrays = {
        "output": model.output,
        "domestic": local * at_home,
        "traditional": local * absorbed + once * at_home,
        "gvc_pf": v * onward,
        "gvc_pb": imported * final - once * home,
        "gvc_ts_imported": imported * (model.output - final) - once * (at_home - home),
        "gvc_ts_domestic": (local - v) * onward,
    }
    arrays["gvc"] = sum((arrays[name] for name in arrays if name.startswith("gvc_")), 0.0 * v)
    if unit["taxes_margins"].any():
        arrays["taxes_margins"] = unit["taxes_margins"] * model.output
    return Terms(arrays, ROWS, (CONVENTION,))
