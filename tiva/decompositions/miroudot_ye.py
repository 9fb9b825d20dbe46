"""Miroudot and Ye: value added and double counting from the split of the inverse at a perimeter's border."""

from __future__ import annotations

from collections.abc import Sequence

from tiva.decompositions import self_perimeter
from tiva.decompositions.borin_mancini import contents, source_coefficients, with_taxes
from tiva.decompositions.carrier import ROWS, ROWS_BY_IMPORTER, Terms
from tiva.decompositions.world import world_source
from tiva.kernels.arrays import FloatArray
from tiva.model.operators import Operators


def country_perimeter(model: Operators) -> Terms:
    """Decompose exports with the exporter's own border as perimeter.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axes row × importer, unit of the table: ``gexp dc dva ddc fc fva fdc``.

    Notes
    -----
    With A^O the coefficients without the exporter's foreign deliveries and B^O = (I - A^O)^-1, B = B^O + B^O A^I B:
    dva = V_s B^O_ss, ddc = V_s (B^O A^I B)_ss, fva = sum_{t != s} V_t B^O_ts, fdc = sum_{t != s} V_t (B^O A^I B)_ts,
    each times exports. B^O_ss = L_ss and B^O_ts = B_ts B_ss^-1 L_ss: the same as Borin and Mancini's exporter
    perspective, source-based.

    References
    ----------
    Miroudot and Ye (2021), Economic Systems Research 33(1): 67-87.
    """
    unit = source_coefficients(model)
    terms: dict[str, FloatArray] = {"gexp": model.exports}
    for name in ("dva", "ddc", "fva", "fdc"):
        terms[name] = unit[name][:, None] * model.exports
    terms["dc"] = terms["dva"] + terms["ddc"]
    terms["fc"] = terms["fva"] + terms["fdc"]
    return Terms(with_taxes(model, terms, unit["taxes_margins"]), ROWS_BY_IMPORTER)


def sectexp(model: Operators) -> Terms:
    """Decompose all exports of each sector with these as perimeter; see :func:`own_perimeter`.

    Parameters
    ----------
    model
        The operators of a table.
    """
    return own_perimeter(self_perimeter.sectexp(model))


def bilateral(model: Operators) -> Terms:
    """Decompose each country's exports to each partner with these as perimeter; see :func:`own_perimeter`.

    Parameters
    ----------
    model
        The operators of a table.
    """
    return own_perimeter(self_perimeter.bilateral(model))


def sectbil(model: Operators) -> Terms:
    """Decompose each sector's exports to each partner with these as perimeter; see :func:`own_perimeter`.

    Parameters
    ----------
    model
        The operators of a table.
    """
    return own_perimeter(self_perimeter.sectbil(model))


def group(model: Operators, *, sector: Sequence[str] | None = None, importer: Sequence[str] | None = None) -> Terms:
    """Decompose exports of some sectors to some partners with all of these as perimeter; see :func:`own_perimeter`.

    Parameters
    ----------
    model
        The operators of a table.
    sector, importer
        Labels of the exporting sectors and of the partners that make the perimeter; ``None`` for all.
    """
    return own_perimeter(self_perimeter.group(model, sector=sector, importer=importer))


def own_perimeter(terms: Terms) -> Terms:
    """Return the terms of Miroudot and Ye of flows in their own perimeter.

    Parameters
    ----------
    terms
        Of :mod:`tiva.decompositions.self_perimeter`.

    Returns
    -------
    Terms
        ``gexp dc dva ddc fc fva fdc``, not additive.

    Notes
    -----
    With A^O the coefficients without the perimeter's deliveries, A^I = A - A^O and B^O = (I - A^O)^-1:
    dva = V_s B^O_s., ddc = V_s (B^O A^I B)_s., fva and fdc the same of all other countries, each times the exports. As
    B^O A^I B = B - B^O these are value added and double counting in the flow's own perimeter.

    References
    ----------
    Miroudot and Ye (2021), Economic Systems Research 33(1): 67-87.
    """
    kept = {name: values for name, values in terms.arrays.items() if name not in {"vax", "ref"}}
    return Terms(kept, terms.axes, terms.notes)


def world_perimeter(model: Operators) -> Terms:
    """Decompose exports with all the world's borders as perimeter.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axis row: ``gexp dc dva ddc fc fdc1 fdc2``. There is no foreign value added in this perimeter: ``fdc1`` is
        what the world perspective, source-based, of Borin and Mancini calls foreign value added, ``fdc2`` the rest.

    References
    ----------
    Miroudot and Ye (2021), Economic Systems Research 33(1): 67-87.
    """
    world = world_source(model).arrays
    unit = contents(model)
    exports = model.exports.sum(axis=1)
    arrays = {
        "gexp": world["gexp"],
        "dc": world["dc"],
        "dva": unit["dva"] * exports,
        "ddc": world["ddc"],
        "fc": world["fc"],
        "fdc1": world["fva"],
        "fdc2": world["fdc"],
    }
    if "taxes_margins" in world:
        arrays["taxes_margins"] = world["taxes_margins"]
    return Terms(arrays, ROWS, ("fdc1 is foreign value added in the world perspective, source-based",))
