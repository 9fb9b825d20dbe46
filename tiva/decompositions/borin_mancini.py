"""Borin and Mancini: exporter perspective, source-based; the twelve finer terms and their sums."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.carrier import ROWS_BY_IMPORTER, Terms
from tiva.kernels.arrays import FloatArray
from tiva.kernels.bilateral import Recipe
from tiva.model.operators import Operators, own_country

DETAIL: tuple[str, ...] = (
    "vax1", "vax2", "vax3", "vax4", "ref1", "ref2", "ddc", "fva1", "fva2", "fva3", "fva4", "fdc",
)  # fmt: skip
"""The twelve finer terms; they sum to gross exports."""

_COMPONENTS = ("absorbed", "third_final", "third_all", "back_final", "back_all", "final", "exports")
# Components of E_sr, with K_sr = A_sr L_rr (the sweep multiplies by A_sr):
#   absorbed     K_sr Y_rr           third_final  K_sr sum_{j != r} Y_rj
#   third_all    K_sr sum_{j != r} A_rj sum_l (BY)_jl = A_sr sum_l (BY - LY)_rl
#   back_final   K_sr Y_rs           back_all     A_sr (BY - LY)_rs
#   final        Y_sr                exports      E_sr

SOURCE_RECIPE = Recipe(
    terms=(
        "vax1",
        "vax2",
        "vax3",
        "vax4",
        "ref1",
        "ref2",
        "ddc",
        "fva1",
        "fva2",
        "fva3",
        "fva4",
        "fdc",
        "gexp",
    ),
    coefficients=("dva", "ddc", "fva", "fdc", "one"),
    components=_COMPONENTS,
    entries=(
        ("vax1", "dva", "final", 1.0),
        ("vax2", "dva", "absorbed", 1.0),
        ("vax3", "dva", "third_final", 1.0),
        ("vax3", "dva", "back_final", -1.0),
        ("vax4", "dva", "third_all", 1.0),
        ("vax4", "dva", "back_all", -1.0),
        ("ref1", "dva", "back_final", 1.0),
        ("ref2", "dva", "back_all", 1.0),
        ("ddc", "ddc", "exports", 1.0),
        ("fva1", "fva", "final", 1.0),
        ("fva2", "fva", "absorbed", 1.0),
        ("fva3", "fva", "third_final", 1.0),
        ("fva4", "fva", "third_all", 1.0),
        ("fdc", "fdc", "exports", 1.0),
        ("gexp", "one", "exports", 1.0),
    ),
)


def source_coefficients(model: Operators) -> dict[str, FloatArray]:
    """Return what a unit of each row's exports contains, by category of content.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    dict
        Arrays (R,): ``dva`` = V_s L_ss; ``ddc`` = V_s B_ss - V_s L_ss; ``fva`` = f_s = VBfor_s B_ss^-1 L_ss;
        ``fdc`` = VBfor_s - f_s, with VBfor_s = sum_{t != s} V_t B_ts; ``taxes_margins`` the content that is not value
        added (zero where value added is the residual).

    References
    ----------
    Borin and Mancini (2019), World Bank Policy Research Working Paper 8804, section 3.
    """
    unit = contents(model)
    fva = model.undo_feedback(unit["fc"])
    return {
        "dva": unit["dva"], "ddc": unit["dc"] - unit["dva"], "fva": fva, "fdc": unit["fc"] - fva,
        "taxes_margins": unit["taxes_margins"],
    }  # fmt: skip


def contents(model: Operators) -> dict[str, FloatArray]:
    """Return what a unit of each row's exports contains, as far as no block B_ss is needed.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    dict
        Arrays (R,): ``dc`` = V_s B_ss, ``fc`` = sum_{t != s} V_t B_ts, ``dva`` = V_s L_ss, and ``taxes_margins``, the
        content that is not value added (zero where value added is the residual).
    """
    by_origin = model.value_added_by_origin
    domestic = np.asarray(by_origin[model.row_country, np.arange(by_origin.shape[1])])
    other = model.other_inputs
    return {
        "dc": domestic,
        "fc": by_origin.sum(axis=0) - domestic,
        "dva": model.local_inverse_transpose(model.value_added),
        "taxes_margins": model.apply_inverse_transpose(other) if other.any() else np.zeros_like(domestic),
    }


def with_taxes(model: Operators, terms: dict[str, FloatArray], taxes: FloatArray) -> dict[str, FloatArray]:
    """Add taxes, margins and adjustments embodied in exports (R, G) where value added is as published.

    Parameters
    ----------
    model
        The operators of a table.
    terms
        Arrays (R, G), exporting row by importer; ``taxes_margins`` is added to them in place.
    taxes
        Shape (R,): taxes, margins and adjustments in a unit of each row's exports; all zero where value added is the
        residual.
    """
    if taxes.any():
        terms["taxes_margins"] = taxes[:, None] * model.exports
    return terms


def source_terms(model: Operators) -> dict[str, FloatArray]:
    r"""Decompose gross exports, exporter perspective, source-based, all exporters at once.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    dict
        Arrays (R, G), exporting row by importer, in the unit of the table, zero at home: ``gexp``, the twelve terms
        of :data:`DETAIL`, and ``taxes_margins`` where value added is as published.

    Notes
    -----
    One factorisation serves all exporters: foreign value added needs only ``VBfor_s B_ss^-1 L_ss``, since
    ``B^{\s}_ts = B_ts B_ss^-1 L_ss`` where ``B^{\s}`` is the inverse with the foreign deliveries of s left out.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eq. 19; (2023) Economic Systems Research 35(4).
    """
    content = source_coefficients(model)
    demand = model.local_inverse(model.final_demand)
    beyond = model.absorption - demand
    home = model.local_inverse(own_country(model, model.final_demand))
    terms = model.sweep(
        SOURCE_RECIPE,
        coefficients=[content["dva"], content["ddc"], content["fva"], content["fdc"], np.ones_like(home)],
        common=[home, demand.sum(axis=1) - home, beyond.sum(axis=1)],
        paired=[demand, beyond],
        final=[model.exports_final, model.exports],
    )
    return with_taxes(model, terms, content["taxes_margins"])


def source(model: Operators, *, detail: bool = False) -> Terms:
    """Return the terms of the source-based decomposition, exporter perspective; see :func:`source_terms`.

    Parameters
    ----------
    model
        The operators of a table.
    detail
        The twelve finer terms instead of their sums.

    Returns
    -------
    Terms
        Axes row × importer.
    """
    terms = source_terms(model)
    return Terms(terms if detail else headline_sums(terms), ROWS_BY_IMPORTER)


def headline_sums(detail: dict[str, FloatArray], *, approach: str = "source") -> dict[str, FloatArray]:
    """Sum the twelve terms into the thirteen that users know.

    Parameters
    ----------
    detail
        ``gexp`` and the terms of :data:`DETAIL`, any shape.
    approach
        ``"source"`` adds ``davax gvc gvcb gvcf``, which the sink approach does not define.

    Returns
    -------
    dict
        ``gexp dc dva vax [davax] ref ddc fc fva fdc [gvc gvcb gvcf]``.
    """
    vax = detail["vax1"] + detail["vax2"] + detail["vax3"] + detail["vax4"]
    ref = detail["ref1"] + detail["ref2"]
    fva = detail["fva1"] + detail["fva2"] + detail["fva3"] + detail["fva4"]
    dva = vax + ref
    fc = fva + detail["fdc"]
    sums = {"gexp": detail["gexp"], "dc": dva + detail["ddc"], "dva": dva, "vax": vax}
    if approach == "source":
        sums["davax"] = detail["vax1"] + detail["vax2"]
    sums |= {"ref": ref, "ddc": detail["ddc"], "fc": fc, "fva": fva, "fdc": detail["fdc"]}
    if approach == "source":
        sums["gvcb"] = fc + detail["ddc"]
        sums["gvcf"] = dva - sums["davax"]
        sums["gvc"] = sums["gvcb"] + sums["gvcf"]
    for name in ("vaxim", "taxes_margins"):
        if name in detail:
            sums[name] = detail[name]
    return sums
