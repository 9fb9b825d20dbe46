"""``tiva.decompose``: from a table and a few words to a labelled result."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tiva.errors import UnknownLabelError, UsageError, explain
from tiva.terms import Method, find_method

if TYPE_CHECKING:
    import xarray as xr

    from tiva.decompositions.carrier import Terms
    from tiva.kernels.arrays import FloatArray
    from tiva.model.operators import Operators
    from tiva.table.icio_table import IcioTable

Selection = str | Sequence[str] | None


def decompose(
    table: IcioTable | Operators,
    method: str = "bm",
    *,
    perspective: str | None = None,
    approach: str | None = None,
    perimeter: str | None = None,
    level: str = "country",
    detail: bool = False,
    exporter: Selection = None,
    importer: Selection = None,
    sector: Selection = None,
    satellite: FloatArray | None = None,
    groups: Mapping[str, Sequence[str] | str] | None = None,
) -> xr.Dataset:
    """Decompose gross exports (or imports) of all countries at once.

    Parameters
    ----------
    table
        A table, a table split by firm size, or a model of either; a model is worth keeping for several calls.
    method
        ``"bm"`` Borin-Mancini and others; :func:`tiva.terms.methods` lists all.
    perspective
        Whose border counts: ``"exporter"``, ``"world"``, ``"self"`` or ``"importer"``.
    approach
        ``"source"`` (value added where it first crosses the border) or ``"sink"`` (where it last does).
    perimeter
        Flows whose border counts, for the perspective ``"self"``.
    level
        ``"country"``, ``"sector"``, ``"bilateral"`` or ``"sector-bilateral"``.
    detail
        The finer terms instead of their sums.
    exporter, importer, sector
        One label or several; all when left out.
    satellite
        Shape (n,): a quantity per country-sector that takes the place of value added (jobs, emissions).
    groups
        Countries that act as one: label -> members; their trade with each other is domestic.

    Returns
    -------
    xarray.Dataset
        One variable a term, in the unit of the table; see its attributes for formulas and references.
        ``identity_residual`` is the share of gross exports that the terms miss.

    Raises
    ------
    UnknownLabelError
        A method, option, country or sector that does not exist.
    UnsupportedCombinationError
        Options that do not go together.
    SingularTableError
        I - A cannot be inverted.

    Examples
    --------
    >>> import tiva
    >>> dec = tiva.decompose(tiva.example(), level="bilateral", exporter="MEX")
    >>> float(dec["gexp"].sum()) > 0
    True
    """
    row = find_method(
        method, perspective=perspective, approach=approach, perimeter=perimeter, level=level, detail=detail
    )
    model = as_model(table, satellite=satellite, groups=groups)
    selections = {"exporter": exporter, "importer": importer, "sector": sector}
    wanted = {name: _check(name, value, model) for name, value in selections.items() if value is not None}
    from tiva.results.labels import label

    dataset = label(model, _run(row, model, level, detail=detail), row, level, detail=detail)
    for name, labels in wanted.items():
        if name not in dataset.dims:
            raise UsageError(
                explain(
                    f"{name} cannot be selected at level {level!r}",
                    got=f"{name}={', '.join(labels)}",
                    expected=f"one of the dimensions {', '.join(map(str, dataset.dims))}",
                    do="choose a finer level",
                )
            )
        dataset = dataset.sel({name: list(labels)})
    return dataset


def as_model(
    table: IcioTable | Operators | Any,
    *,
    satellite: FloatArray | None = None,
    groups: Mapping[str, Sequence[str] | str] | None = None,
) -> Operators:
    """Return the operators of a table, of a table split by firm size, or the model itself.

    Raises
    ------
    UsageError
        A model together with ``satellite`` or ``groups``, which belong to its construction.
    """
    from tiva.model.leontief import LeontiefModel
    from tiva.table.icio_table import IcioTable

    if isinstance(table, IcioTable):
        return LeontiefModel(table, satellite=satellite, groups=groups)
    if hasattr(table, "apply_inverse"):
        if satellite is not None or groups is not None:
            raise UsageError(
                explain(
                    "a model has its satellite and groups already",
                    do="pass the table, or build the model with them",
                )
            )
        return table
    if hasattr(table, "model"):
        return table.model(satellite=satellite, groups=groups)  # type: ignore[no-any-return]
    raise UsageError(
        explain(
            "decompose needs a table or a model",
            got=type(table).__name__,
            do="read a table with tiva.read(path) or build one with tiva.IcioTable.from_arrays",
        )
    )


def _check(kind: str, value: str | Sequence[str], model: Operators) -> tuple[str, ...]:
    labels = (value,) if isinstance(value, str) else tuple(value)
    if not labels:
        raise UsageError(explain(f"empty selection of {kind}", do=f"leave {kind} out to have all"))
    known = model.sectors if kind == "sector" else model.countries
    for name in labels:
        if name not in known:
            raise UnknownLabelError(kind, name, known)
    return labels


def _run(row: Method, model: Operators, level: str, *, detail: bool) -> Terms:
    module, name = row.function.split(":")
    function = getattr(importlib.import_module(f"tiva.decompositions.{module}"), name)
    accepted = inspect.signature(function).parameters
    options = {name: value for name, value in (("detail", detail), ("level", level)) if name in accepted}
    return function(model, **options)  # type: ignore[no-any-return]
