"""Country headlines that need no diagonal block of the inverse: one LU factorisation and a few solves."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents
from tiva.decompositions.carrier import ROWS, Terms
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators, own_country


def by_exporter(model: Operators, values: FloatArray) -> FloatArray:
    """Return (G,) or (G, k): sums over the rows of each block, for values (R,) or (R, k).

    Parameters
    ----------
    model
        The operators of a table.
    values
        Shape (R,) or (R, k), rows in the order of the model.
    """
    return np.asarray(np.add.reduceat(values, model.offsets[:-1], axis=0))


def headline(model: Operators) -> Terms:
    """Return gross exports, domestic and foreign content, value added absorbed abroad and GVC participation.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axis row, arrays (R,) in the unit of the table: ``gexp dc dva vax davax ref ddc fc gvc gvcb gvcf``.
        Foreign content is not split into value added and double counting, which needs the blocks B_ss.

    Notes
    -----
    Country totals of the source-based exporter perspective: DVA = V_s L_ss E_s, VAX = V_s (BY)_s absorbed abroad,
    FC = sum_{t != s} V_t B_ts E_s, DAVAX = V_s L_ss sum_r (Y_sr + A_sr L_rr Y_rr).

    References
    ----------
    Borin and Mancini (2019), WPS 8804; Johnson and Noguera (2012), Journal of International Economics 86: 224-236.
    """
    unit = contents(model)
    exports = model.exports.sum(axis=1)
    home = model.local_inverse(own_country(model, model.final_demand))
    absorbed = model.exports_final.sum(axis=1) + model.trade(home)
    ref = unit["dva"] * model.trade_products(paired=[model.absorption])[:, :, 0].sum(axis=1)
    dc, dva, fc = unit["dc"] * exports, unit["dva"] * exports, unit["fc"] * exports
    davax, ddc = unit["dva"] * absorbed, dc - dva
    arrays = {
        "gexp": exports, "dc": dc, "dva": dva, "vax": dva - ref, "davax": davax, "ref": ref, "ddc": ddc, "fc": fc,
        "gvc": fc + dc - davax, "gvcb": fc + ddc, "gvcf": dva - davax,
    }  # fmt: skip
    if unit["taxes_margins"].any():
        arrays["taxes_margins"] = unit["taxes_margins"] * exports
    return Terms(arrays, ROWS)
