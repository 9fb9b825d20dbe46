"""Los, Timmer and de Vries: what GDP loses when exports are taken out of the table."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents, source_coefficients
from tiva.decompositions.carrier import ROWS_BY_IMPORTER, Terms
from tiva.model.operators import Operators

NOTE = "losses of different extractions overlap and must not be added"


def extraction(model: Operators, *, level: str = "country") -> Terms:
    """Return the loss of GDP at home and abroad if exports are extracted.

    Parameters
    ----------
    model
        The operators of a table.
    level
        ``"country"``: all exports of a country at once; ``"bilateral"``: those to one partner.

    Returns
    -------
    Terms
        Axes row × importer, unit of the table: ``gexp``, ``gdp_home`` and ``gdp_abroad``, the losses at home and in
        all other countries together when the deliveries and final sales in question are set to zero.

    Notes
    -----
    Extraction of all exports of s leaves V_s L_ss Y_ss at home: the loss is V_s L_ss E_s. Abroad it is
    sum_{t != s} V_t B_ts B_ss^-1 L_ss E_s. For one partner, contents are multiplied by (I + A_sr B_rs)^-1 instead. No
    table is solved again.

    References
    ----------
    Los, Timmer and de Vries (2016), American Economic Review 106(7): 1958-1966.
    """
    exports = model.exports
    if level == "country":
        unit = source_coefficients(model)
        home, abroad = unit["dva"][:, None], unit["fva"][:, None]
    else:
        unit = contents(model)
        home, abroad = model.undo_pair_feedback(np.stack([unit["dc"], unit["fc"]]))
    return Terms(
        {"gexp": exports, "gdp_home": home * exports, "gdp_abroad": abroad * exports}, ROWS_BY_IMPORTER, (NOTE,)
    )
