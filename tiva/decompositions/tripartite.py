"""Borin, Mancini and Taglioni: pure forward, two-sided and pure backward participation in value chains."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents, with_taxes
from tiva.decompositions.carrier import ROWS_BY_IMPORTER, Terms
from tiva.kernels.bilateral import Recipe
from tiva.model.operators import Operators, own_country

RECIPE = Recipe(
    terms=("gexp", "davax", "gvc_pf", "gvc_ts", "gvc_pb"),
    coefficients=("dva", "imported", "one"),
    components=("absorbed", "onward", "final", "exports"),
    entries=(
        ("gexp", "one", "exports", 1.0),
        ("davax", "dva", "final", 1.0),
        ("davax", "dva", "absorbed", 1.0),
        ("gvc_pf", "dva", "onward", 1.0),
        ("gvc_ts", "imported", "onward", 1.0),
        ("gvc_pb", "imported", "final", 1.0),
        ("gvc_pb", "imported", "absorbed", 1.0),
    ),
)


def tripartite(model: Operators) -> Terms:
    """Split exports into traditional trade and the three modes of participation in global value chains.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axes row × importer, unit of the table. ``davax``: domestic value added that the importer absorbs (one border);
        ``gvc_pf``: domestic value added that the importer re-exports; ``gvc_pb``: imported content that the importer
        absorbs; ``gvc_ts``: imported content that the importer re-exports. They sum to ``gexp``.

    Notes
    -----
    With DAE_sr = Y_sr + A_sr L_rr Y_rr (absorbed by the importer) and REX_sr = A_sr L_rr E_r (re-exported):
    davax = VL # DAE, pf = VL # REX, pb = (u - VL) # DAE, ts = (u - VL) # REX. Nothing is a residual and nothing is
    clamped at zero.

    References
    ----------
    Borin, Mancini and Taglioni (2021), World Bank WPS 9785.
    """
    unit = contents(model)
    home = own_country(model, model.final_demand)
    terms = model.sweep(
        RECIPE,
        coefficients=[unit["dva"], unit["dc"] - unit["dva"] + unit["fc"], np.ones_like(home)],
        common=[model.local_inverse(home), model.local_inverse(model.exports.sum(axis=1))],
        final=[model.exports_final, model.exports],
    )
    terms["gvc"] = terms["gvc_pf"] + terms["gvc_ts"] + terms["gvc_pb"]
    return Terms(with_taxes(model, terms, unit["taxes_margins"]), ROWS_BY_IMPORTER)
