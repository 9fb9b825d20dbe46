"""Borin and Mancini: the flow itself as perimeter, so that value added counts once in exactly that flow.

The domestic and foreign value added of a flow in its own perimeter equal what GDP loses at home and abroad if the flow
is taken out (Los, Timmer and de Vries). They are not additive: perimeters of different flows overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tiva.decompositions.borin_mancini import contents
from tiva.decompositions.carrier import ROWS, ROWS_BY_IMPORTER, Terms
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators, own_country

NOT_ADDITIVE = "terms belong to each flow's own perimeter and must not be added over flows"


def sectexp(model: Operators) -> Terms:
    """Decompose all exports of each sector in the perimeter of that sector's exports.

    Returns
    -------
    Terms
        Axis row: ``gexp dc dva vax ref ddc fc fva fdc``.

    Notes
    -----
    The perimeter divides contents by 1 + (sum_{j != s} A_sj B_js)_nn: a rank-one change of the inverse.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eqs. 46-49.
    """
    shrink = 1.0 / (1.0 + model.feedback_diagonal)
    exports = model.exports.sum(axis=1)
    returning = own_country(model, model.trade(model.absorption))
    unit = contents(model)
    terms = _terms(exports, returning, unit["dc"], unit["fc"], unit["dc"] * shrink, unit["fc"] * shrink)
    return Terms(_taxes(terms, unit["taxes_margins"], exports), ROWS, (NOT_ADDITIVE,))


def sectbil(model: Operators) -> Terms:
    """Decompose each sector's exports to each partner in the perimeter of that one flow.

    Returns
    -------
    Terms
        Axes row × importer: ``gexp dc dva vax ref ddc fc fva fdc``.

    Notes
    -----
    The perimeter divides contents by 1 + (A_sr B_rs)_nn; all diagonals come from one pass over B.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eqs. 46-49.
    """
    shrink = 1.0 / (1.0 + model.pair_feedback_diagonal)
    unit = contents(model)
    dc, fc = unit["dc"][:, None], unit["fc"][:, None]
    returning = model.trade_products(paired=[model.absorption])[:, :, 0]
    terms = _terms(model.exports, returning, dc, fc, dc * shrink, fc * shrink)
    return Terms(_taxes(terms, unit["taxes_margins"][:, None], model.exports), ROWS_BY_IMPORTER, (NOT_ADDITIVE,))


def bilateral(model: Operators) -> Terms:
    """Decompose each country's exports to each partner in the perimeter of that pair.

    Returns
    -------
    Terms
        Axes row × importer: ``gexp dc dva vax ref ddc fc fva fdc``; rows of one pair add up, pairs do not.

    Notes
    -----
    Contents of s are multiplied by (I + A_sr B_rs)^-1: one small solve a pair.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eqs. 46-49.
    """
    unit = contents(model)
    dva, fva = model.undo_pair_feedback(np.stack([unit["dc"], unit["fc"]]))
    returning = model.trade_products(paired=[model.absorption])[:, :, 0]
    dc, fc = unit["dc"][:, None], unit["fc"][:, None]
    terms = _terms(model.exports, returning, dc, fc, dva, fva)
    return Terms(_taxes(terms, unit["taxes_margins"][:, None], model.exports), ROWS_BY_IMPORTER, (NOT_ADDITIVE,))


def group(model: Operators, *, sector: Sequence[str] | None = None, importer: Sequence[str] | None = None) -> Terms:
    """Decompose, for each exporter, its exports of some sectors to some partners in the perimeter of all of them.

    Parameters
    ----------
    model
        The operators of a table.
    sector, importer
        Labels of the exporting sectors and of the partners that make the perimeter; ``None`` for all.

    Returns
    -------
    Terms
        Axes row × importer: ``gexp dc dva vax ref ddc fc fva fdc``, zero outside the perimeter. Flows of one exporter
        add up, exporters do not.

    Notes
    -----
    With T the exporter's rows and R the partners', contents of T are multiplied by (I + A_TR B_RT)^-1. All partners
    and sectors give the exporter perspective, one of each the perimeters above.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eqs. 46-49.
    """
    partners = np.isin(np.array(model.countries), importer if importer is not None else model.countries)
    sold = np.isin(np.array(model.sectors), sector if sector is not None else model.sectors)[model.row_sector]
    unit = contents(model)
    dc, fc = unit["dc"], unit["fc"]
    within = np.stack([dc, fc])
    for s in range(len(model.countries)):
        rows = np.flatnonzero(sold & (model.row_country == s))
        buyers = partners[model.row_country] & (model.row_country != s)
        if len(rows) and buyers.any():
            back = model.input_rows(rows)[:, buyers] @ model.inverse_columns(rows)[buyers]
            within[:, rows] = np.linalg.solve((np.eye(len(rows)) + back).T, within[:, rows].T).T
    inside = sold[:, None] & partners
    exports = np.where(inside, model.exports, 0.0)
    returning = np.where(inside, model.trade_products(paired=[model.absorption])[:, :, 0], 0.0)
    terms = _terms(exports, returning, dc[:, None], fc[:, None], within[0][:, None], within[1][:, None])
    chosen = f"perimeter: exports of {_named(sector, 'sectors')} to {_named(importer, 'partners')} together"
    return Terms(_taxes(terms, unit["taxes_margins"][:, None], exports), ROWS_BY_IMPORTER, (chosen, NOT_ADDITIVE))


def _named(labels: Sequence[str] | None, every: str) -> str:
    return f"all {every}" if labels is None else ", ".join(labels)


def _terms(
    exports: FloatArray, returning: FloatArray, dc: FloatArray, fc: FloatArray, dva: FloatArray, fva: FloatArray
) -> dict[str, FloatArray]:
    """Terms from exports, the part of them that comes home in the end, and contents per unit with and without."""
    return {
        "gexp": exports,
        "dc": dc * exports,
        "dva": dva * exports,
        "vax": dva * (exports - returning),
        "ref": dva * returning,
        "ddc": (dc - dva) * exports,
        "fc": fc * exports,
        "fva": fva * exports,
        "fdc": (fc - fva) * exports,
    }


def _taxes(terms: dict[str, FloatArray], taxes: FloatArray, exports: FloatArray) -> dict[str, FloatArray]:
    if taxes.any():
        terms["taxes_margins"] = taxes * exports
    return terms
