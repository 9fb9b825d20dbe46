"""Tables to and from ``pymrio.IOSystem`` objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tiva.errors import CellError, LabelError, MissingExtraError, UnknownLabelError, UsageError, explain, listing
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.readers.grids import Pair, ValueAddedChoice, check_choice
from tiva.table.icio_table import IcioTable, OtherInput
from tiva.table.provenance import Provenance

EXTENSION = "factor_inputs"
"""Name of the extension that holds value added and other input rows."""

VALUE_ADDED = "value added"
"""Name of the row of value added in it."""


def from_pymrio(
    system: Any,
    *,
    value_added: ValueAddedChoice = "residual",
    extension: str = EXTENSION,
    value_added_rows: Sequence[str] | None = None,
    other_rows: Sequence[str] = (),
    year: int | None = None,
    unit: str | None = None,
    currency: str | None = None,
) -> IcioTable:
    """Return the table in a ``pymrio.IOSystem``.

    Parameters
    ----------
    system
        With ``Z`` and ``Y`` (and ``x``, ``unit``, extensions where needed); flows, not coefficients.
    value_added
        ``"residual"``: output less intermediate inputs; ``"published"``: rows of an extension.
    extension, value_added_rows, other_rows
        With ``"published"``: the extension, its rows that add up to value added (all but ``other_rows`` when left
        out), and its rows of taxes and margins, which become ``other_inputs``.
    year, unit, currency
        Description; the unit is taken from ``system.unit`` where that has one only.

    Returns
    -------
    IcioTable
        Regions and sectors in the order of the columns of ``Z``.

    Raises
    ------
    UsageError
        Flows are missing.
    LabelError
        Rows and columns differ, or regions have not all the same sectors.
    UnknownLabelError
        No such extension or row.
    """
    check_choice("value_added", value_added, ("published", "residual"))
    for part in ("Z", "Y"):
        if getattr(system, part, None) is None:
            do = "call system.calc_all() first"
            raise UsageError(explain(f"the pymrio system has no {part}", do=do))
    own = _pairs(system.Z.columns)
    areas, sectors = (tuple(dict.fromkeys(pair[k] for pair in own)) for k in (0, 1))
    wanted = [(a, s) for a in areas for s in sectors]
    rows, columns = _at("rows of Z", wanted, system.Z.index), _at("columns of Z", wanted, system.Z.columns)
    categories = tuple(dict.fromkeys(pair[1] for pair in _pairs(system.Y.columns)))
    final = [(a, c) for a in areas for c in categories]
    at = _at("rows of Y", wanted, system.Y.index)
    final_at = _at("columns of Y", final, system.Y.columns)
    z = system.Z.to_numpy(dtype=np.float64)[np.ix_(rows, columns)]
    y = system.Y.to_numpy(dtype=np.float64)[np.ix_(at, final_at)]
    output = None
    if getattr(system, "x", None) is not None:
        output = system.x.to_numpy(dtype=np.float64)[:, 0][_at("rows of x", wanted, system.x.index)]
    added: FloatArray | None = None
    others: dict[str, OtherInput] = {}
    if value_added == "published":
        added, others = _factors(system, extension, value_added_rows, other_rows, wanted, final)
    return IcioTable.from_arrays(
        z,
        y,
        countries=areas,
        sectors=sectors,
        final_demand_categories=categories,
        value_added=added,
        output=output,
        other_inputs=others,
        year=year,
        unit=unit or _unit(system),
        currency=currency or (unit or _unit(system)).split()[-1],
        provenance=Provenance(
            source=str(getattr(getattr(system, "meta", None), "name", "") or "pymrio"), reader="pymrio_bridge"
        ),
    )


def to_pymrio(table: IcioTable) -> Any:
    """Return a ``pymrio.IOSystem`` with the flows, output and units of a table.

    Value added and other input rows are the extension ``factor_inputs``.

    Parameters
    ----------
    table
        A table without split countries (see :meth:`~tiva.IcioTable.merge_split_countries`).

    Returns
    -------
    pymrio.IOSystem

    Raises
    ------
    MissingExtraError
        ``pymrio`` is not installed.
    UsageError
        Split countries.
    """
    try:
        import pymrio
    except ImportError as error:
        raise MissingExtraError("pymrio", "pymrio", "handing a table to pymrio") from error
    import pandas as pd

    if table.split_countries:
        got, do = listing(table.split_countries), "pass table.merge_split_countries()"
        raise UsageError(explain("pymrio has one list of regions and no split countries", got=got, do=do))
    own = pd.MultiIndex.from_product([table.areas, table.sectors], names=["region", "sector"])
    names = ["region", "category"]
    final = pd.MultiIndex.from_product([table.countries, table.final_demand_categories], names=names)
    index = pd.Index([VALUE_ADDED, *table.other_inputs], name="inputtype")
    paid = np.vstack([table.value_added, *(o.intermediate for o in table.other_inputs.values())])
    zero = np.zeros(len(final))
    ends = [zero if o.final is None else o.final.reshape(-1) for o in table.other_inputs.values()]
    factors = {
        "name": EXTENSION,
        "F": pd.DataFrame(paid, index=index, columns=own),
        "F_Y": pd.DataFrame(np.vstack([zero, *ends]), index=index, columns=final),
        "unit": pd.DataFrame({"unit": [table.unit] * len(index)}, index=index),
    }
    return pymrio.IOSystem(
        Z=pd.DataFrame(table.intermediate.copy(), index=own, columns=own),
        Y=pd.DataFrame(table.final_demand.reshape(table.n, -1).copy(), index=own, columns=final),
        x=pd.DataFrame({"indout": table.output.copy()}, index=own),
        unit=pd.DataFrame({"unit": [table.unit] * table.n}, index=own),
        name=table.title,
        factor_inputs=factors,
    )


def _pairs(index: Any) -> list[Pair]:
    if getattr(index, "nlevels", 1) != 2:
        raise LabelError(explain("labels of a pymrio system have two levels", got=f"{index.nlevels} levels"))
    return [(str(a), str(b)) for a, b in index]


def _at(what: str, wanted: list[Pair], index: Any) -> IntArray:
    found = _pairs(index)
    place = {pair: i for i, pair in enumerate(found)}
    odd = sorted(set(wanted) ^ set(found))
    if odd or len(place) != len(found):
        got = listing("_".join(pair) for pair in odd) or "duplicates"
        raise LabelError(explain(f"{what} do not match the columns of Z", got=got, expected="the same labels, once"))
    return np.array([place[pair] for pair in wanted], dtype=np.int64)


def _factors(
    system: Any,
    extension: str,
    value_added_rows: Sequence[str] | None,
    other_rows: Sequence[str],
    wanted: list[Pair],
    final: list[Pair],
) -> tuple[FloatArray, dict[str, OtherInput]]:
    known = [name for name in vars(system) if hasattr(getattr(system, name), "F")]
    if extension not in known:
        raise UnknownLabelError("extension", extension, known)
    account = getattr(system, extension)
    paid = account.F
    rows = [" ".join(map(str, r)) if isinstance(r, tuple) else str(r) for r in paid.index]
    chosen = [r for r in rows if r not in other_rows] if value_added_rows is None else list(value_added_rows)
    for row in (*chosen, *other_rows):
        if row not in rows:
            raise UnknownLabelError(f"row of {extension}", row, rows)
    values = paid.to_numpy(dtype=np.float64)[:, _at(f"columns of {extension}", wanted, paid.columns)]
    if not np.isfinite(values).all():
        raise CellError(explain(f"extension {extension!r} has cells that are not finite numbers"))
    ends = getattr(account, "F_Y", None)
    on_final = None
    if ends is not None:
        on_final = ends.to_numpy(dtype=np.float64)[:, _at(f"columns of {extension}.F_Y", final, ends.columns)]
    added = values[[rows.index(r) for r in chosen]].sum(axis=0)
    others = {
        r: OtherInput(values[rows.index(r)], None if on_final is None else on_final[rows.index(r)]) for r in other_rows
    }
    return added, others


def _unit(system: Any) -> str:
    frame = getattr(system, "unit", None)
    found = [] if frame is None else sorted({str(u) for u in frame.iloc[:, 0]})
    if len(found) != 1:
        raise UsageError(
            explain("the pymrio system has no one unit", got=listing(found) or "none", do='pass unit="million EUR"')
        )
    return found[0]
