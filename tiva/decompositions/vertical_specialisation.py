"""Vertical specialisation of Hummels, Ishii and Yi, and its forward counterpart."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents
from tiva.decompositions.carrier import ROWS, ROWS_BY_IMPORTER, Terms
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators, abroad, block_columns, own_country

RATIOS = (("vs_share", "vs", "gexp"), ("vs1_share", "vs1", "gexp"))

TWO_SIDES = (
    "sectors and sizes: gexp, vs and vs_foreign by those that export, vs1 and vs1_star by those that made the value "
    "added; importers: for vs1 and vs1_star the partner whose exports hold it"
)


def vertical_specialisation(model: Operators, *, level: str = "country") -> Terms:
    """Return imported content of exports and domestic content of other countries' exports.

    Parameters
    ----------
    model
        The operators of a table.
    level
        ``"country"``, ``"sector"``: axis row; ``"bilateral"``, ``"sector-bilateral"``: axes row × importer. All add up.

    Returns
    -------
    Terms
        Unit of the table: ``vs`` imported content of exports, returned domestic content included; ``vs_foreign``
        foreign value added in exports (the definition of Koopman, Wang and Wei); ``vs1`` domestic content of other
        countries' exports; ``vs1_star`` the part of it in exports to the country itself; ``vs1_star_final`` of that
        the part in final goods (Daudin, Rifflart and Schweisguth); the shares ``vs_share`` and ``vs1_share``. Rows and
        importers are the exporting sector and its partner for the first two, the sector that made the value added and
        the partner that exports it for the others.

    Notes
    -----
    vs = sum_{t != s} u A_ts L_ss E_s: foreign content and domestic double counting, and the taxes and margins in
    imported inputs where value added is as published. vs1 of row i and partner r is v_i (B_sr E_r)_i, vs1_star
    v_i (B_sr E_rs)_i. The world totals of ``vs_foreign`` and ``vs1`` are equal.

    References
    ----------
    Hummels, Ishii and Yi (2001), Journal of International Economics 54: 75-96; Daudin, Rifflart and Schweisguth (2011),
    Canadian Journal of Economics 44: 1403-1437; Koopman, Wang and Wei (2014).
    """
    by_partner = level.endswith("bilateral")
    if by_partner:
        model.expect_inverse()
    unit = contents(model)
    other = unit["taxes_margins"] - model.local_inverse_transpose(model.other_inputs)
    imported = unit["fc"] + unit["dc"] - unit["dva"] + other
    exports = model.exports if by_partner else model.exports.sum(axis=1)
    made = model.value_added[:, None]
    held = abroad(model, made * model.apply_inverse(block_columns(model, model.exports.sum(axis=1))))
    coefficients = {"vs": imported, "vs_foreign": unit["fc"]}
    arrays = {"gexp": exports} | {
        name: values[:, None] * exports if by_partner else values * exports for name, values in coefficients.items()
    }
    arrays["vs1"] = held if by_partner else held.sum(axis=1)
    for name, flows in (("vs1_star", model.exports), ("vs1_star_final", model.exports_final)):
        arrays[name] = _coming_home(model, flows, by_partner=by_partner)
    notes = (TWO_SIDES,) if level != "country" or model.bands else ()
    return Terms(arrays, ROWS_BY_IMPORTER if by_partner else ROWS, notes, RATIOS)


def _coming_home(model: Operators, flows: FloatArray, *, by_partner: bool) -> FloatArray:
    """Return v_i (B_sr F_rs)_i for flows F (R, G), by partner r (R, G) or summed over them (R,)."""
    if not by_partner:
        return np.asarray(model.value_added * own_country(model, model.apply_inverse(flows)))
    return abroad(model, model.value_added[:, None] * model.apply_inverse_crosswise(flows))
