"""Borin and Mancini: the flow itself as perimeter, so that value added counts once in exactly that flow.

The domestic and foreign value added of a flow in its own perimeter equal what GDP loses at home and abroad if the flow
is taken out (Los, Timmer and de Vries). They are not additive: perimeters of different flows overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tiva.decompositions.borin_mancini import contents
from tiva.decompositions.carrier import ROWS, ROWS_BY_IMPORTER, Terms
from tiva.kernels.arrays import BoolArray, FloatArray
from tiva.model.operators import Operators, own_country
from tiva.model.own_perimeter import own_perimeters

NOT_ADDITIVE = "terms belong to each flow's own perimeter and must not be added over flows"


BY_SIZE = "each size of a sector is an exporter of its own here: its perimeter is its own exports"
"""What a table split by firm size has to say about the perimeters of sectors."""


def sectexp(model: Operators) -> Terms:
    """Decompose all exports of each sector in the perimeter of that sector's exports.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axis row: ``gexp dc dva vax ref ddc fc fva fdc``. Rows that share exporter, sector and size (members of a group
        that acts as one, parts of a split country) are one perimeter: only their sum has a meaning.

    Notes
    -----
    The perimeter multiplies contents by (I + sum_{j != s} A_Tj B_jT)^-1 with T the rows of the sector: a division
    where it is one row.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eqs. 46-49.
    """
    exports = model.exports.sum(axis=1)
    returning = own_country(model, model.trade(model.absorption))
    unit = contents(model)
    dva, fva = own_contents(model, "sectexp", np.stack([unit["dc"], unit["fc"]]))[:, :, 0]
    terms = _terms(exports, returning, unit["dc"], unit["fc"], dva, fva)
    return Terms(_taxes(terms, unit["taxes_margins"], exports), ROWS, _notes(model))


def sectbil(model: Operators) -> Terms:
    """Decompose each sector's exports to each partner in the perimeter of that one flow.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axes row × importer: ``gexp dc dva vax ref ddc fc fva fdc``; rows of one exporter, sector and size are one
        perimeter, as in :func:`sectexp`.

    Notes
    -----
    The perimeter multiplies contents by (I + A_Tr B_rT)^-1 with T the rows of the sector; all of them come from one
    pass over B.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eqs. 46-49.
    """
    unit = contents(model)
    dva, fva = own_contents(model, "sectbil", np.stack([unit["dc"], unit["fc"]]))
    dc, fc = unit["dc"][:, None], unit["fc"][:, None]
    returning = model.trade_products(paired=[model.absorption])[:, :, 0]
    terms = _terms(model.exports, returning, dc, fc, dva, fva)
    return Terms(_taxes(terms, unit["taxes_margins"][:, None], model.exports), ROWS_BY_IMPORTER, _notes(model))


def own_contents(model: Operators, perimeter: str, left: FloatArray) -> FloatArray:
    """Return contents of each row's exports as far as they count once in the flow's own perimeter.

    Parameters
    ----------
    model
        The operators of a table.
    perimeter
        ``"sectexp"``, ``"bilateral"`` or ``"sectbil"``.
    left
        Shape (m, R): contents per unit of each row's exports.

    Returns
    -------
    array
        Shape (m, R, P): by importer, P = G; P = 1 for ``"sectexp"``.
    """
    if perimeter == "bilateral":
        return model.undo_pair_feedback(left)
    return own_perimeters(model, by_partner=perimeter == "sectbil").of_contents(left)


def bilateral(model: Operators) -> Terms:
    """Decompose each country's exports to each partner in the perimeter of that pair.

    Parameters
    ----------
    model
        The operators of a table.

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
    dva, fva = own_contents(model, "bilateral", np.stack([unit["dc"], unit["fc"]]))
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
    unit = contents(model)
    dc, fc = unit["dc"], unit["fc"]
    within, inside = group_contents(model, np.stack([dc, fc]), sector=sector, importer=importer)
    exports = np.where(inside, model.exports, 0.0)
    returning = np.where(inside, model.trade_products(paired=[model.absorption])[:, :, 0], 0.0)
    terms = _terms(exports, returning, dc[:, None], fc[:, None], within[0][:, None], within[1][:, None])
    notes = (perimeter_note(sector, importer), NOT_ADDITIVE)
    return Terms(_taxes(terms, unit["taxes_margins"][:, None], exports), ROWS_BY_IMPORTER, notes)


def group_contents(
    model: Operators,
    left: FloatArray,
    *,
    sector: Sequence[str] | None = None,
    importer: Sequence[str] | None = None,
) -> tuple[FloatArray, BoolArray]:
    """Return contents (m, R) as far as they count once in the perimeter of :func:`group`, and its flows (R, G).

    Parameters
    ----------
    model
        The operators of a table.
    left
        Shape (m, R): contents per unit of each row's exports.
    sector, importer
        Labels of the exporting sectors and of the partners that make the perimeter; ``None`` for all.
    """
    partners = np.isin(np.array(model.countries), importer if importer is not None else model.countries)
    sold = np.isin(np.array(model.sectors), sector if sector is not None else model.sectors)[model.row_sector]
    if partners.all() and sold.all():
        return model.undo_feedback(left), sold[:, None] & partners
    if 2 * sold.sum() > len(sold) and not model.bands:
        model.expect_inverse()
    within = left.copy()
    for s in range(len(model.countries)):
        rows = np.flatnonzero(sold & (model.row_country == s))
        buyers = partners[model.row_country] & (model.row_country != s)
        if len(rows) and buyers.any():
            back = model.input_rows(rows)[:, buyers] @ model.inverse_columns(rows)[buyers]
            within[:, rows] = np.linalg.solve((np.eye(len(rows)) + back).T, within[:, rows].T).T
    return within, sold[:, None] & partners


def perimeter_note(sector: Sequence[str] | None, importer: Sequence[str] | None) -> str:
    """Return what a result in the perimeter of :func:`group` says about it.

    Parameters
    ----------
    sector, importer
        Labels of the exporting sectors and of the partners that make it; ``None`` for all.
    """
    return f"perimeter: exports of {_named(sector, 'sectors')} to {_named(importer, 'partners')} together"


def _notes(model: Operators) -> tuple[str, ...]:
    return (NOT_ADDITIVE, BY_SIZE) if model.bands else (NOT_ADDITIVE,)


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
