"""Borin and Mancini: the importer's border as perimeter, for all its imports and for those of one product."""

from __future__ import annotations

import numpy as np

from tiva.decompositions.carrier import IMPORTERS, Terms
from tiva.decompositions.headline import by_exporter
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators, block_rows, own_country

BY_ORIGIN: tuple[str, ...] = ("importer", "origin")
BY_PRODUCT: tuple[str, ...] = ("importer", "sector")
BY_PRODUCT_AND_ORIGIN: tuple[str, ...] = ("importer", "sector", "origin")

ORIGIN_NOTE = (
    "origin is where value added was made (or taxes were paid), whoever delivered it last and the importer itself "
    "included: gimp_origin sums over origins to gross imports, it is not what was bought from that country"
)
OVERLAP_NOTE = "perimeters of different products overlap: value added must not be added over products"


def importer(model: Operators, *, level: str = "country") -> Terms:
    """Decompose each country's imports: value added where it first crosses the importer's border, and the rest.

    Parameters
    ----------
    model
        The operators of a table.
    level
        ``"country"``: axis importer; ``"bilateral"``: by origin of the value added; ``"sector"``: by product;
        ``"sector-bilateral"``: by both. All add up.

    Returns
    -------
    Terms
        ``va`` value added and ``dcimp`` double counting, which sum to ``gimp``, gross imports, or by origin to
        ``gimp_origin``, all that is in them from that origin. Where value added is as published, ``taxes_margins``
        belong to the sum.

    Notes
    -----
    With d = E_.r and p = B_rr^-1 (B d)_r, the inverse that leaves out all deliveries to r gives, for origin t,
    dcimp_t = V_t B_tr p - 1(t = r) V_r L_rr p and va_t = V_t (B d)_t - dcimp_t: no inverse per importer. All is linear
    in d, hence the products: d is then what one product delivers.

    References
    ----------
    Borin and Mancini (2019), WPS 8804, eq. 51.
    """
    if level.startswith("sector"):
        content, again = _by_product(model)
        if level == "sector":
            return _by_sector(model, (content - again).sum(axis=2), again.sum(axis=2))
        taxes = _taxes_by_product_and_origin(model)
        return Terms(_by_origin(content, again, taxes), BY_PRODUCT_AND_ORIGIN, (ORIGIN_NOTE,))
    delivered = model.apply_inverse(model.exports)
    content = by_exporter(model, model.value_added[:, None] * delivered).T
    again = _crossing_again(model, own_country(model, delivered))
    if level == "country":
        arrays = {"gimp": model.exports.sum(axis=0), "va": (content - again).sum(axis=1), "dcimp": again.sum(axis=1)}
        if model.other_inputs.any():
            arrays["taxes_margins"] = model.apply_inverse_transpose(model.other_inputs) @ model.exports
        return Terms(arrays, IMPORTERS)
    paid = by_exporter(model, model.other_inputs[:, None] * delivered).T if model.other_inputs.any() else None
    return Terms(_by_origin(content, again, paid), BY_ORIGIN, (ORIGIN_NOTE,))


def _crossing_again(model: Operators, reached: FloatArray) -> FloatArray:
    """Return (G importers, G origins): dcimp from (B d)_r in block r of ``reached`` (R,)."""
    first = model.undo_feedback_columns(reached - model.domestic(reached))
    again = by_exporter(model, (model.value_added_by_origin * first).T)
    again -= np.diag(by_exporter(model, model.local_inverse_transpose(model.value_added) * first))
    return again


def _expect_columns(model: Operators) -> None:
    """Say that all columns of B will be needed; with bands they are not cut from an inverse."""
    if not model.bands:
        model.expect_inverse()


def _by_product(model: Operators) -> tuple[FloatArray, FloatArray]:
    """Return content and double counting in the importer's perimeter, importer × product × origin."""
    _expect_columns(model)
    countries, sectors = len(model.countries), len(model.sectors)
    content, again = (np.zeros((countries, sectors, countries)) for _ in range(2))
    for n in range(sectors):
        rows = np.flatnonzero(model.row_sector == n)
        content[:, n] = (model.value_added_by_origin[:, rows] @ model.exports[rows]).T
        reached = own_country(model, model.inverse_columns(rows) @ model.exports[rows])
        again[:, n] = _crossing_again(model, reached)
    return content, again


def _by_origin(content: FloatArray, again: FloatArray, taxes: FloatArray | None) -> dict[str, FloatArray]:
    if taxes is None:
        return {"gimp_origin": content, "va": content - again, "dcimp": again}
    return {"gimp_origin": content + taxes, "va": content - again, "dcimp": again, "taxes_margins": taxes}


def _by_sector(model: Operators, value: FloatArray, again: FloatArray, notes: tuple[str, ...] = ()) -> Terms:
    """Label value added and double counting (importer, product) beside gross imports."""
    arrays = {"gimp": _over_exporters(model, model.exports), "va": value, "dcimp": again}
    if model.other_inputs.any():
        embodied = model.apply_inverse_transpose(model.other_inputs)[:, None] * model.exports
        arrays["taxes_margins"] = _over_exporters(model, embodied)
    return Terms(arrays, BY_PRODUCT, notes)


def _over_exporters(model: Operators, flows: FloatArray) -> FloatArray:
    """Return (importer, product): flows (R, G) summed over the rows that sell a product."""
    by_product = np.zeros((len(model.sectors), flows.shape[1]))
    np.add.at(by_product, model.row_sector, flows)
    return by_product.T


def _taxes_by_product_and_origin(model: Operators) -> FloatArray | None:
    """Return (importer, product, origin): taxes and margins embodied in imports, by the country that pays them."""
    if not model.other_inputs.any():
        return None
    paid = model.apply_inverse_transpose(block_rows(model, model.other_inputs))
    products = [np.flatnonzero(model.row_sector == n) for n in range(len(model.sectors))]
    return np.stack([(paid[:, rows] @ model.exports[rows]).T for rows in products], axis=1)


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
        ``gimp va dcimp``, by origin ``gimp_origin va dcimp``, as in :func:`importer`; the value added equals what GDP
        loses in the origin if the importer's purchases of the product stop. Not additive over products.

    Notes
    -----
    With T the rows that deliver the product, d = E_Tr and q = (I + B_rT A_Tr)^-1 B_rT d: va_t = V_t B_.T (d - A_Tr q).

    References
    ----------
    Borin and Mancini (2019), WPS 8804, section 4.3.
    """
    _expect_columns(model)
    countries, sectors = len(model.countries), len(model.sectors)
    value, content = (np.zeros((countries, sectors, countries)) for _ in range(2))
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
            content[r, n] = origins @ bought
    if level == "sector":
        return _by_sector(model, value.sum(axis=2), (content - value).sum(axis=2), (OVERLAP_NOTE,))
    arrays = _by_origin(content, content - value, _taxes_by_product_and_origin(model))
    return Terms(arrays, BY_PRODUCT_AND_ORIGIN, (OVERLAP_NOTE, ORIGIN_NOTE))
