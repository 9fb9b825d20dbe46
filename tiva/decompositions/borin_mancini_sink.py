"""Borin and Mancini: exporter perspective, sink-based, where value added counts the last time it leaves home."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents, headline_sums, with_taxes
from tiva.decompositions.carrier import ROWS_BY_IMPORTER, Terms
from tiva.kernels.arrays import FloatArray
from tiva.kernels.bilateral import Recipe
from tiva.model.operators import Operators, block_columns, own_country

# Components of E_sr; W^s = B^s Y^s is the absorption left when the foreign deliveries of s are taken out, and for
# r != s it holds that L_rr sum_{j != r} A_rj W^s_jl = W^s_rl - L_rr Y_rl:
#   absorbed  K_sr Y_rr                   third_final  K_sr sum_{j != r} Y_rj     back_final  K_sr Y_rs
#   beyond    A_sr sum_l (BY - LY)_rl     again        A_sr (B^s_rs E_s)          back_all    A_sr (W^s - LY)_rs
_SPLIT: tuple[tuple[str, str, float], ...] = (
    ("1", "final", 1.0),
    ("2", "absorbed", 1.0),
    ("3", "third_final", 1.0),
    ("4", "beyond", 1.0),
    ("4", "again", -1.0),
)

SINK_RECIPE = Recipe(
    terms=("vax1", "vax2", "vax3", "vax4", "ref1", "ref2", "ddc", "fva1", "fva2", "fva3", "fva4", "fdc", "gexp"),
    coefficients=("dc", "fc", "one"),
    components=("absorbed", "third_final", "beyond", "back_final", "back_all", "again", "final", "exports"),
    entries=(
        *((f"vax{part}", "dc", component, weight) for part, component, weight in _SPLIT),
        ("vax3", "dc", "back_final", -1.0),
        ("vax4", "dc", "back_all", -1.0),
        ("ref1", "dc", "back_final", 1.0),
        ("ref2", "dc", "back_all", 1.0),
        ("ddc", "dc", "again", 1.0),
        *((f"fva{part}", "fc", component, weight) for part, component, weight in _SPLIT),
        ("fdc", "fc", "again", 1.0),
        ("gexp", "one", "exports", 1.0),
    ),
)


def sink_terms(model: Operators) -> dict[str, FloatArray]:
    r"""Decompose gross exports, exporter perspective, sink-based, all exporters at once.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    dict
        Arrays (R, G), exporting row by importer, unit of the table: ``gexp``, the twelve terms, and
        ``taxes_margins`` where value added is as published.

    Notes
    -----
    ``W^{\s}_l = (BY)_l - B_{.s} B_ss^-1 L_ss E_s^l`` with ``E_s^l`` what of the exports of s is finally absorbed by l:
    only the columns l = s and the sum over l are needed, so that two solves with G right-hand sides serve all
    exporters.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eqs. 20 and 28-39.
    """
    unit = contents(model)
    demand = model.local_inverse(model.final_demand)
    home = own_country(model, demand)
    beyond = model.absorption - demand
    again = model.apply_inverse(block_columns(model, model.undo_feedback_columns(model.exports.sum(axis=1))))
    returning = own_country(model, model.trade(model.absorption))
    back = model.apply_inverse(block_columns(model, model.undo_feedback_columns(returning)))
    terms = model.sweep(
        SINK_RECIPE,
        coefficients=[unit["dc"], unit["fc"], np.ones_like(home)],
        common=[home, demand.sum(axis=1) - home, beyond.sum(axis=1)],
        paired=[demand, beyond - back, again],
        final=[model.exports_final, model.exports],
    )
    return with_taxes(model, terms, unit["taxes_margins"])


def vaxim(model: Operators) -> FloatArray:
    r"""Return domestic value added that the direct importer finally absorbs, shape (R, G).

    Parameters
    ----------
    model
        The operators of a table.

    Notes
    -----
    V_s B_ss # (Y_sr + A_sr W^{\s}_rr): the absorption of r by way of any country, so that all of B is needed.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eq. 39.
    """
    flows = model.exports_final + model.trade(model.absorption)
    through_exporter = model.apply_inverse_crosswise(model.undo_feedback_columns(flows))
    absorbed = own_country(model, model.absorption)
    products = model.trade_products(absorbed[:, None], [through_exporter])
    dc = contents(model)["dc"]
    return np.asarray(dc[:, None] * (model.exports_final + products[:, :, 0] - products[:, :, 1]))


def sink(model: Operators, *, detail: bool = False, level: str = "country") -> Terms:
    """Return the terms of the sink-based decomposition, exporter perspective; see :func:`sink_terms`.

    Parameters
    ----------
    model
        The operators of a table.
    detail
        The twelve finer terms instead of their sums.
    level
        ``vaxim`` is added at the bilateral levels, where it differs from ``vax``.

    Returns
    -------
    Terms
        Axes row × importer.
    """
    bilateral = level.endswith("bilateral") and not detail
    if bilateral:
        model.expect_inverse()
    terms = sink_terms(model)
    if bilateral:
        terms["vaxim"] = vaxim(model)
    return Terms(terms if detail else headline_sums(terms, approach="sink"), ROWS_BY_IMPORTER)
