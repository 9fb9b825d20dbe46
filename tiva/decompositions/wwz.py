"""Wang, Wei and Zhu: sixteen terms of the exports of a sector to a partner."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents, with_taxes
from tiva.decompositions.carrier import ROWS_BY_IMPORTER, Terms
from tiva.kernels.arrays import FloatArray
from tiva.kernels.bilateral import Recipe
from tiva.model.operators import Operators, block_columns, own_country

TERMS: tuple[str, ...] = (
    "dva_fin", "dva_int", "dva_intrexi1", "dva_intrexf", "dva_intrexi2", "rdv_int", "rdv_fin", "rdv_fin2",
    "ova_fin", "mva_fin", "ova_int", "mva_int", "ddc_fin", "ddc_int", "odc", "mdc",
)  # fmt: skip
"""The sixteen terms in the order of the R package decompr; they sum to gross exports."""

NO_THIRD = "the third country is neither exporter nor importer: such cells are zero in arrays, not observations"

THIRD_AT_ONCE = 8
"""Third countries whose products are formed in one pass over the flows."""

# Components of E_sr:
#   int_home   A_sr B_rr Y_rr                 third_home  A_sr sum_{t != r} B_rt Y_tt      own_home  A_sr B_rs Y_ss
#   int_final  A_sr B_rr Y_r abroad           third_final A_sr sum_{t != r} B_rt Y_t abroad
#   own_final  A_sr B_rs Y_s abroad           back        A_sr B_rr Y_rs         back_all  A_sr (B Y abroad)_rs
#   absorbed   A_sr L_rr Y_rr                 onward      A_sr L_rr E_r
RECIPE = Recipe(
    terms=(*TERMS[:8], "ddc_fin", "ddc_int", "gexp", "absorbed", "onward"),
    coefficients=("dc", "dva", "ddc", "one"),
    components=(
        "int_home", "third_home", "int_final", "third_final", "absorbed", "onward",
        "own_home", "own_final", "back", "back_all", "final", "exports",
    ),
    entries=(
        ("dva_fin", "dc", "final", 1.0),
        ("dva_int", "dva", "int_home", 1.0),
        ("dva_intrexi1", "dva", "third_home", 1.0),
        ("dva_intrexi1", "dva", "own_home", -1.0),
        ("dva_intrexf", "dva", "int_final", 1.0),
        ("dva_intrexf", "dva", "back", -1.0),
        ("dva_intrexi2", "dva", "third_final", 1.0),
        ("dva_intrexi2", "dva", "own_final", -1.0),
        ("dva_intrexi2", "dva", "back_all", -1.0),
        ("dva_intrexi2", "dva", "back", 1.0),
        ("rdv_int", "dva", "own_home", 1.0),
        ("rdv_fin", "dva", "back", 1.0),
        ("rdv_fin2", "dva", "back_all", 1.0),
        ("rdv_fin2", "dva", "back", -1.0),
        ("ddc_fin", "dva", "own_final", 1.0),
        ("ddc_int", "ddc", "exports", 1.0),
        ("ddc_int", "ddc", "final", -1.0),
        ("gexp", "one", "exports", 1.0),
        ("absorbed", "one", "absorbed", 1.0),
        ("onward", "one", "onward", 1.0),
    ),
)  # fmt: skip


def wwz(model: Operators) -> Terms:
    """Decompose bilateral sector exports into the sixteen terms of Wang, Wei and Zhu, all pairs at once.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axes row × importer, unit of the table: ``gexp`` and the sixteen :data:`TERMS`. Foreign value added is kept
        apart by origin: ``mva_*`` and ``mdc`` the importer's, ``ova_*`` and ``odc`` all others'.

    Notes
    -----
    All terms but the foreign ones come from V_s L_ss, V_s B_ss and three solves with G right-hand sides each:
    B blockdiag(Y_ss), B blockdiag(Y_s abroad) and B Y abroad.

    References
    ----------
    Wang, Wei and Zhu (2013, rev. 2018), NBER Working Paper 19677.
    """
    unit = contents(model)
    home = own_country(model, model.final_demand)
    abroad_ = model.exports_final.sum(axis=1)
    of_home = model.apply_inverse(block_columns(model, home))
    of_abroad = model.apply_inverse(block_columns(model, abroad_))
    int_home, int_final = own_country(model, of_home), own_country(model, of_abroad)
    terms = model.sweep(
        RECIPE,
        coefficients=[unit["dc"], unit["dva"], unit["dc"] - unit["dva"], np.ones_like(home)],
        common=[
            int_home,
            of_home.sum(axis=1) - int_home,
            int_final,
            of_abroad.sum(axis=1) - int_final,
            model.local_inverse(home),
            model.local_inverse(model.exports.sum(axis=1)),
        ],
        paired=[
            of_home,
            of_abroad,
            model.apply_inverse_diagonal(model.exports_final),
            model.apply_inverse(model.exports_final),
        ],
        final=[model.exports_final, model.exports],
    )
    components = {"fin": model.exports_final, "int": terms.pop("absorbed"), "dc": terms.pop("onward")}
    importers = model.value_added_by_origin.T
    others = unit["fc"][:, None] - importers
    for prefix, coefficient in (("m", importers), ("o", others)):
        terms[f"{prefix}va_fin"] = coefficient * components["fin"]
        terms[f"{prefix}va_int"] = coefficient * components["int"]
        terms[f"{prefix}dc"] = coefficient * components["dc"]
    return Terms(with_taxes(model, terms, unit["taxes_margins"]), ROWS_BY_IMPORTER)


def intrex_by_third(model: Operators) -> Terms:
    """Split re-exported domestic value added by the third country that the direct importer delivers to.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axes row × importer × third, unit of the table, zero where third is exporter or importer: ``dva_intrexi1``
        (the third country makes the final good and absorbs it), ``dva_intrexf`` (it absorbs the importer's final
        good) and ``dva_intrexi2`` (it makes the final good and exports it, to the direct importer too). Summed over
        third countries they are the terms of :func:`wwz`.

    Notes
    -----
    A_sr B_rt Y_ts for all triples needs all of B, its columns of one third country at a time.

    References
    ----------
    Wang, Wei and Zhu (2013, rev. 2018), NBER Working Paper 19677, terms 3 to 5.
    """
    model.expect_inverse()
    dva = contents(model)["dva"]
    countries = np.arange(len(model.countries))
    of_home = model.apply_inverse(block_columns(model, own_country(model, model.final_demand)))
    of_abroad = model.apply_inverse(block_columns(model, model.exports_final.sum(axis=1)))
    of_final = model.apply_inverse_diagonal(model.exports_final)
    arrays: dict[str, FloatArray] = {}
    for name, right in (("dva_intrexi1", of_home), ("dva_intrexf", of_final), ("dva_intrexi2", of_abroad)):
        arrays[name] = model.trade_products(right)
    for first in range(0, len(countries), THIRD_AT_ONCE):
        thirds = slice(first, first + THIRD_AT_ONCE)
        own = [np.flatnonzero(model.row_country == t) for t in countries[thirds]]
        returning = [model.inverse_columns(rows) @ model.exports_final[rows] for rows in own]
        arrays["dva_intrexi2"][:, :, thirds] -= model.trade_products(paired=returning)
        del returning
    for values in arrays.values():
        values *= dva[:, None, None]
        values[:, countries, countries] = 0.0
        values[np.arange(len(dva)), :, model.row_country] = 0.0
    return Terms(arrays, (*ROWS_BY_IMPORTER, "third"), (NO_THIRD,))
