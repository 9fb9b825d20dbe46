"""Nagengast and Stehrer: value added in bilateral flows, at the first or at the last border that it crosses."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents, with_taxes
from tiva.decompositions.carrier import ROWS_BY_IMPORTER, Terms
from tiva.kernels.bilateral import Recipe
from tiva.model.operators import Operators, own_country

SOURCE_RECIPE = Recipe(
    terms=("gexp", "dva_importer", "dva_third", "dva_home", "recrossing"),
    coefficients=("dva", "crossed", "one"),
    components=("all", "importer", "home", "final", "exports"),
    entries=(
        ("gexp", "one", "exports", 1.0),
        ("dva_importer", "dva", "final", 1.0),
        ("dva_importer", "dva", "importer", 1.0),
        ("dva_third", "dva", "all", 1.0),
        ("dva_third", "dva", "importer", -1.0),
        ("dva_third", "dva", "home", -1.0),
        ("dva_home", "dva", "home", 1.0),
        ("recrossing", "crossed", "exports", 1.0),
    ),
)


def first_border(model: Operators) -> Terms:
    """Attribute value added to the flow in which it leaves its country of origin for the first time.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axes row × importer, unit of the table: domestic value added finally absorbed by the importer
        (``dva_importer``), by third countries (``dva_third``) and at home (``dva_home``), and content that has crossed
        a border before (``recrossing``). They sum to ``gexp``.

    Notes
    -----
    V_s L_ss # (Y_sr 1(l = r) + A_sr (BY)_rl) by absorber l; the rest is (u - V_s L_ss) # E_sr. Over all flows, value
    added of s absorbed by l adds up to V_s (BY)_sl, less what never leaves s where l = s.

    References
    ----------
    Nagengast and Stehrer (2016), The World Economy 39(9): 1276-1306, source-based.
    """
    unit = contents(model)
    absorbed = model.absorption
    terms = model.sweep(
        SOURCE_RECIPE,
        coefficients=[unit["dva"], unit["dc"] - unit["dva"] + unit["fc"], np.ones_like(unit["dva"])],
        common=[absorbed.sum(axis=1), own_country(model, absorbed)],
        paired=[absorbed],
        final=[model.exports_final, model.exports],
    )
    return Terms(with_taxes(model, terms, unit["taxes_margins"]), ROWS_BY_IMPORTER)


def last_border(model: Operators) -> Terms:
    """Attribute value added to the flow in which it reaches the country that finally absorbs it.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axes row × importer, unit of the table: value added that the importer absorbs without another border, of the
        exporter (``va_exporter``), of the importer itself (``va_importer``) and of third countries (``va_third``), and
        content that the importer re-exports (``onward``). They sum to ``gexp``.

    Notes
    -----
    V_t B_ts # (Y_sr + A_sr L_rr Y_rr) by origin t; the rest is A_sr L_rr E_r. Over all flows, value added of t
    absorbed by r adds up to V_t (BY)_tr, less what never leaves t where r = t.

    References
    ----------
    Nagengast and Stehrer (2016), The World Economy 39(9): 1276-1306, sink-based.
    """
    unit = contents(model)
    home = model.local_inverse(own_country(model, model.final_demand))
    onward = model.local_inverse(model.exports.sum(axis=1))
    products = model.trade_products(np.stack([home, onward], axis=1))
    absorbed = model.exports_final + products[:, :, 0]
    importers = model.value_added_by_origin.T
    content = (unit["dc"] + unit["fc"])[:, None]
    terms = {
        "gexp": model.exports,
        "va_exporter": unit["dc"][:, None] * absorbed,
        "va_importer": importers * absorbed,
        "va_third": (unit["fc"][:, None] - importers) * absorbed,
        "onward": content * products[:, :, 1],
    }
    return Terms(with_taxes(model, terms, unit["taxes_margins"]), ROWS_BY_IMPORTER)
