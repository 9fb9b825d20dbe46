"""Borin and Mancini: the importer's border as perimeter, for all its imports and for those of one product."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.carrier import IMPORTERS, Terms
from tiva.decompositions.headline import by_exporter
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators, own_country

BY_ORIGIN: tuple[str, ...] = ("importer", "origin")


def importer(model: Operators, *, level: str = "country") -> Terms:
    """Decompose each country's imports: value added where it first crosses the importer's border, and the rest.

    Parameters
    ----------
    model
        The operators of a table.
    level
        ``"country"``: axis importer; ``"bilateral"``: axes importer × origin of the value added.

    Returns
    -------
    Terms
        ``gimp`` gross imports (by origin: their whole content from that origin), ``va`` value added, ``dcimp`` double
        counting, with gimp = va + dcimp.

    Notes
    -----
    With d = E_.r and p = B_rr^-1 (B d)_r, the inverse that leaves out all deliveries to r gives, for origin t,
    dcimp_t = V_t B_tr p - 1(t = r) V_r L_rr p and va_t = V_t (B d)_t - dcimp_t: no inverse per importer.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eq. 51.
    """
    delivered = model.apply_inverse(model.exports)
    content = by_exporter(model, model.value_added[:, None] * delivered).T
    reached = own_country(model, delivered)
    first = model.undo_feedback_columns(reached - model.domestic(reached))
    again = by_exporter(model, (model.value_added_by_origin * first).T)
    again -= np.diag(by_exporter(model, model.local_inverse_transpose(model.value_added) * first))
    if level == "country":
        arrays = {"gimp": model.exports.sum(axis=0), "va": (content - again).sum(axis=1), "dcimp": again.sum(axis=1)}
        if model.other_inputs.any():
            taxes = model.apply_inverse_transpose(model.other_inputs)
            arrays["taxes_margins"] = taxes @ model.exports
        return Terms(arrays, IMPORTERS)
    return Terms({"gimp": content, "va": content - again, "dcimp": again}, BY_ORIGIN)


def sectimp(model: Operators, *, level: str = "sector") -> Terms:
    """Decompose each country's imports of each product, in the perimeter of that product's imports.

    Parameters
    ----------
    model
        The operators of a table.
    level
        ``"sector"``: axes importer × sector; ``"sector-bilateral"``: by origin of the value added too.

    Returns
    -------
    Terms
        ``gimp va dcimp`` as in :func:`importer`; the value added equals what GDP loses in the origin if the importer's
        purchases of the product stop. Not additive over products.

    Notes
    -----
    With T the rows that deliver the product, d = E_Tr and q = (I + B_rT A_Tr)^-1 B_rT d: va_t = V_t B_.T (d - A_Tr q).

    References
    ----------
    Borin and Mancini (2019), WPS 8804, section 4.3.
    """
    countries, sectors = len(model.countries), len(model.sectors)
    value = np.zeros((countries, sectors, countries))
    gross = np.zeros((countries, sectors, countries))
    imports = np.zeros((countries, sectors))
    for n in range(sectors):
        rows = np.flatnonzero(model.row_sector == n)
        inverse, inputs = model.inverse_columns(rows), model.input_rows(rows)
        origins = model.value_added_by_origin[:, rows]
        for r in range(countries):
            own = slice(model.offsets[r], model.offsets[r + 1])
            foreign = model.row_country[rows] != r
            bought = np.where(foreign, model.exports[rows, r], 0.0)
            delivered = inputs[:, own] * foreign[:, None]
            back = inverse[own] @ delivered
            q = np.linalg.solve(np.eye(len(back)) + back, inverse[own] @ bought)
            value[r, n] = origins @ (bought - delivered @ q)
            gross[r, n] = origins @ bought
            imports[r, n] = bought.sum()
    note = ("perimeters of different products overlap: value added must not be added over products",)
    if level == "sector":
        arrays: dict[str, FloatArray] = {"gimp": imports, "va": value.sum(axis=2), "dcimp": (gross - value).sum(axis=2)}
        if model.other_inputs.any():
            embodied = model.apply_inverse_transpose(model.other_inputs)[:, None] * model.exports
            by_product = np.zeros((sectors, countries))
            np.add.at(by_product, model.row_sector, embodied)
            arrays["taxes_margins"] = by_product.T
        return Terms(arrays, ("importer", "sector"), note)
    return Terms({"gimp": gross, "va": value, "dcimp": gross - value}, ("importer", "sector", "origin"), note)
