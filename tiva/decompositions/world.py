"""Borin and Mancini: world perspective, where value added counts once in all the world's exports."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.borin_mancini import contents
from tiva.decompositions.carrier import ROWS, Terms
from tiva.decompositions.headline import headline
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators, own_country


def world_source(model: Operators) -> Terms:
    """Decompose total exports, world perspective, source-based.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axis row, arrays (R,), exact as sums by exporter: ``gexp dc dva vax ref ddc fc fva fdc``.

    Notes
    -----
    FVA_s = sum_{t != s} V_t L_tt A_ts L_ss E_s: foreign value added in the exports of s that crosses its second border
    there, the first having been from its origin to s.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eq. 52.
    """
    content = model.local_inverse_transpose(model.value_added)
    imported = model.local_inverse_transpose(model.trade_transpose(content))
    return _with_foreign_value_added(model, imported * model.exports.sum(axis=1))


def world_sink(model: Operators) -> Terms:
    """Decompose total exports, world perspective, sink-based: the corrected Koopman-Wang-Wei decomposition.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axis row, arrays (R,), exact as sums by exporter: ``gexp dc dva vax ref ddc fc fva fdc``.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eq. 54.
    """
    return _with_foreign_value_added(model, sink_foreign_value_added(model))


def sink_foreign_value_added(model: Operators) -> FloatArray:
    """Return (R,): foreign value added in each row's exports, counted where it is foreign for the last time.

    Parameters
    ----------
    model
        The operators of a table.

    Notes
    -----
    VBfor_s DAE_s + sum_r V_r B_rs A_sr L_rr (Y_r abroad + sum_{j != r} A_rj L_jj Y_jj), with DAE_s the exports that
    the direct importer absorbs; the second part is value added of r that comes home in s's exports and leaves r once
    more, where it is no longer foreign.
    """
    home = model.local_inverse(own_country(model, model.final_demand))
    leaving = model.local_inverse(model.exports_final.sum(axis=1) + model.trade(home))
    products = model.trade_products(np.stack([home, leaving], axis=1))
    absorbed = (model.exports_final + products[:, :, 0]).sum(axis=1)
    importers_own = (model.value_added_by_origin.T * products[:, :, 1]).sum(axis=1)
    return np.asarray(contents(model)["fc"] * absorbed + importers_own)


def _with_foreign_value_added(model: Operators, fva: FloatArray) -> Terms:
    arrays = dict(headline(model).arrays)
    names = ("gexp", "dc", "dva", "vax", "ref", "ddc", "fc")
    terms = {name: arrays[name] for name in names} | {"fva": fva, "fdc": arrays["fc"] - fva}
    if "taxes_margins" in arrays:
        terms["taxes_margins"] = arrays["taxes_margins"]
    return Terms(terms, ROWS)
