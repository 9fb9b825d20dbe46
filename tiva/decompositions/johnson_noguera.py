"""Johnson and Noguera: value added exports, by where value added is finally absorbed."""

from __future__ import annotations

from tiva.decompositions.carrier import ROWS_BY_IMPORTER, Terms
from tiva.model.operators import Operators, abroad

TWO_SIDES = (
    "sectors and sizes: gexp by those that export, vax by those that made the value added; importers: gexp by who "
    "buys, vax by who finally absorbs"
)


def johnson_noguera(model: Operators, *, level: str = "country") -> Terms:
    """Return value added of each producing sector absorbed in each country abroad, and its ratio to gross exports.

    Parameters
    ----------
    model
        The operators of a table.
    level
        Below the country level the two flows are seen from different sides, which the result says.

    Returns
    -------
    Terms
        Axes row × importer, the importer being the country of final absorption: ``gexp`` gross exports of the sector to
        that country, ``vax`` value added of the sector absorbed there whatever its way, and ``vax_ratio``, which is
        not bounded by one below the country level.

    Notes
    -----
    vax_sl = diag(V_s) (BY)_sl for l != s. Summed over sectors and partners it equals the ``vax`` of Borin and Mancini.

    References
    ----------
    Johnson and Noguera (2012), Journal of International Economics 86: 224-236.
    """
    absorbed = abroad(model, model.value_added[:, None] * model.absorption)
    notes = (TWO_SIDES,) if level != "country" or model.bands else ()
    return Terms({"gexp": model.exports, "vax": absorbed}, ROWS_BY_IMPORTER, notes, (("vax_ratio", "vax", "gexp"),))
