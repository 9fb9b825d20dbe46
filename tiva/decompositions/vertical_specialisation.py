"""Vertical specialisation of Hummels, Ishii and Yi, and its forward counterpart."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents
from tiva.decompositions.carrier import EXPORTERS, Terms
from tiva.decompositions.headline import by_exporter, content_by_origin
from tiva.model.operators import Operators


def vertical_specialisation(model: Operators) -> Terms:
    """Return imported content of exports and domestic content of other countries' exports.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axis exporter, arrays (G,), unit of the table: ``vs`` imported content of exports, returned domestic content
        included; ``vs_foreign`` without it (the definition of Koopman, Wang and Wei); ``vs1`` domestic content of other
        countries' exports; ``vs1_star`` the part of it in exports to the country itself; ``vs1_star_final`` of that the
        part in final goods (Daudin, Rifflart and Schweisguth); the shares ``vs_share`` and ``vs1_share``.

    Notes
    -----
    vs = sum_{t != s} u A_ts L_ss E_s = foreign content plus domestic double counting. The world totals of
    ``vs_foreign`` and ``vs1`` are equal.

    References
    ----------
    Hummels, Ishii and Yi (2001), Journal of International Economics 54: 75-96; Daudin, Rifflart and Schweisguth (2011),
    Canadian Journal of Economics 44: 1403-1437; Koopman, Wang and Wei (2014).
    """
    exports = model.exports.sum(axis=1)
    unit = contents(model)
    content = content_by_origin(model, exports[:, None])[:, :, 0]
    own = np.diagonal(content)
    by_origin = model.value_added_by_origin.T
    arrays = {
        "gexp": by_exporter(model, exports),
        "vs": by_exporter(model, (unit["fc"] + unit["dc"] - unit["dva"]) * exports),
        "vs_foreign": content.sum(axis=0) - own,
        "vs1": content.sum(axis=1) - own,
        "vs1_star": (by_origin * model.exports).sum(axis=0),
        "vs1_star_final": (by_origin * model.exports_final).sum(axis=0),
    }
    return Terms(arrays, EXPORTERS, ratios=(("vs_share", "vs", "gexp"), ("vs1_share", "vs1", "gexp")))
