"""``tiva.decompose``: from a table and a few words to a labelled result."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tiva.errors import BackendFallbackWarning, ConcordanceError, GroupError, UnknownLabelError, UsageError, explain
from tiva.terms import Method, find_method

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from tiva.bands.split import BandedTable
    from tiva.decompositions.carrier import Terms
    from tiva.groups import Selection as GroupSelection
    from tiva.model.operators import Operators
    from tiva.table.icio_table import IcioTable

Selection = str | Sequence[str] | None
"""Labels or group expressions of a dimension; ``None`` for all."""

Groups = Mapping[str, Sequence[str] | str] | Sequence[str] | str | None
"""Countries that act as one: names of known groups, or label -> members or group expression."""

_NOT_BY_SIZE = (
    "the terms of this method are of whole countries or products: bands of firm size enter, but there is no size "
    "dimension; 'bm' from the exporter's perspective has one at every level"
)


def decompose(
    table: IcioTable | BandedTable | Operators,
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
    satellite: ArrayLike | None = None,
    groups: Groups = None,
    backend: str | None = None,
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
        Flows whose border counts. For the perspective ``"self"``: ``"sectexp"``, ``"bilateral"``, ``"sectbil"``, or
        ``"group"``, the exports of the chosen ``sector``s to the chosen ``importer``s together; for the perspective
        ``"importer"``: ``"importer"`` or ``"sectimp"``.
    level
        ``"country"``, ``"sector"``, ``"bilateral"`` or ``"sector-bilateral"``.
    detail
        The finer terms instead of their sums.
    exporter, importer, sector
        Labels or group expressions (``"MEX"``, ``["MEX", "BRA"]``, ``"MERCOSUR|MEX"``, ``"WLD-USA"``), selected from
        the result one by one; all when left out. With the perimeter ``"group"``, sectors and importers make up the
        perimeter.
    satellite
        Shape (n,): a quantity per country-sector that takes the place of value added (jobs, emissions), or a
        :class:`tiva.Satellite`. The terms then sum to ``content``, its content in the gross flow.
    groups
        Countries that act as one, their trade with each other being domestic: ``"NAFTA"``, ``["EU27", "NAFTA"]``, or
        label -> members. To add up results of members instead, see ``result.tiva.sum_groups``.
    backend
        Array library of the dense algebra, in float64: ``"cupy"`` or ``"torch"`` for a GPU, ``"numpy"``. Where it, or
        its device, is missing, NumPy and SciPy compute, with a :class:`tiva.errors.BackendFallbackWarning`.

    Returns
    -------
    xarray.Dataset
        One variable a term, in the unit of the table; see its attributes for formulas and references.
        ``discrepancy_share`` is the share of gross exports that is in no term, as country-sectors without output have
        no coefficients; ``identity_residual`` the share that the terms miss beside it.

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
    model = as_model(table, satellite=satellite, groups=groups, backend=backend)
    selections = {"exporter": exporter, "importer": importer, "sector": sector}
    chosen = {name: select_labels(name, value, model) for name, value in selections.items() if value is not None}
    wanted = {name: labels for name, (labels, _) in chosen.items()}
    _refuse_own_partner(wanted)
    from tiva.results.closure import state
    from tiva.results.labels import label, with_notes

    function = _function(row)
    accepted = inspect.signature(function).parameters
    options = {"detail": detail, "level": level, **wanted}
    terms = function(model, **{name: value for name, value in options.items() if name in accepted})
    dataset = label(model, terms, row, level, detail=detail)
    for name, labels in wanted.items():
        if name not in dataset.dims:
            if name in accepted:
                continue
            raise UsageError(
                explain(
                    f"{name} cannot be selected at level {level!r}",
                    got=f"{name}={', '.join(labels)}",
                    expected=f"one of the dimensions {', '.join(map(str, dataset.dims))}",
                    do="choose a finer level",
                )
            )
        dataset = dataset.sel({name: list(labels)})
    dataset, missed = state(dataset, model, row, wanted)
    unresolved = [_NOT_BY_SIZE] if model.bands and "size" not in dataset.dims else []
    said = [*missed, *unresolved, *acting_as_one(model, groups)]
    said.extend(note for _, notes in chosen.values() for note in notes)
    return with_notes(dataset, list(dict.fromkeys(said)))


def as_model(
    table: IcioTable | Operators | Any,
    *,
    satellite: ArrayLike | None = None,
    groups: Groups = None,
    backend: str | None = None,
) -> Operators:
    """Return the operators of a table, of a table split by firm size, or the model itself.

    Parameters
    ----------
    table, satellite, groups, backend
        As for :func:`decompose`; a table split by firm size is computed by NumPy, and says so.

    Raises
    ------
    UsageError
        A model together with ``satellite``, ``groups`` or ``backend``, which belong to its construction.
    """
    from tiva.model.leontief import LeontiefModel
    from tiva.table.icio_table import IcioTable

    if isinstance(table, IcioTable):
        if backend is not None:
            from tiva.model.device import DeviceModel

            return DeviceModel(table, backend=backend, satellite=satellite, groups=_resolved(groups, table))
        return LeontiefModel(table, satellite=satellite, groups=_resolved(groups, table))
    if hasattr(table, "apply_inverse"):
        if satellite is not None or groups is not None or backend is not None:
            raise UsageError(
                explain(
                    "a model has its satellite, groups and backend already",
                    do="pass the table, or build the model with them",
                )
            )
        return table
    if hasattr(table, "model"):
        if backend is not None:
            warn_split_on_numpy(backend)
        return table.model(satellite=satellite, groups=_resolved(groups, table))  # type: ignore[no-any-return]
    raise UsageError(
        explain(
            "decompose needs a table or a model",
            got=type(table).__name__,
            do="read a table with tiva.read(path) or build one with tiva.IcioTable.from_arrays",
        )
    )


def warn_split_on_numpy(backend: str) -> None:
    """Say that a table split by firm size is not computed on a backend."""
    warnings.warn(
        explain("tables split by firm size are computed by NumPy", got=f"backend {backend!r}"),
        BackendFallbackWarning,
        stacklevel=3,
    )


def acting_as_one(model: Operators, groups: Groups = None) -> list[str]:
    """Return who is in each group that acts as one country, and which members the table does not show.

    Parameters
    ----------
    model
        The operators; their groups are named in any case.
    groups
        As they were asked for, where they are known by name: then absent members and years of membership are named.
    """
    said = [f"{label} acts as one country: {', '.join(who)}" for label, who in model.members.items()]
    for selection in (_selections(groups, model.table) or {}).values():
        said.extend(selection.notes)
    return said


def _selections(groups: Groups, table: IcioTable | Any) -> dict[str, GroupSelection] | None:
    if groups is None:
        return None
    from tiva.choosing import named_groups
    from tiva.groups import resolve_groups

    return dict(resolve_groups(named_groups(groups), table.countries, year=table.year))


def _resolved(groups: Groups, table: IcioTable | Any) -> dict[str, tuple[str, ...]] | None:
    found = _selections(groups, table)
    if found is None:
        return None
    members = {name: selection.members for name, selection in found.items()}
    if any(len(set(m)) == len(table.countries) for m in members.values()):
        raise GroupError(
            explain(
                "a group holds every country of the table, so that nothing is exported",
                got=", ".join(members),
                do="leave at least one country out of it",
            )
        )
    return members


def select_labels(kind: str, value: str | Sequence[str], model: Operators) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels that a selection means, and what has to be said about it.

    Parameters
    ----------
    kind
        What is selected, as messages call it; ``"sector"`` for sectors of the table, else countries.
    value
        Labels or group expressions.
    model
        The operators; groups that act as one are labels of theirs.

    Raises
    ------
    UsageError
        Nothing is selected, or not by texts.
    UnknownLabelError
        A label or group that does not exist.
    GroupError
        A label is named twice, or is part of a group that acts as one.
    """
    if isinstance(value, Mapping):
        raise UsageError(
            explain(
                f"{kind} is chosen by labels, one by one",
                got=repr(value),
                do="add up afterwards with result.tiva.sum_groups; groups= makes countries act as one",
            )
        )
    items = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(item, str) for item in items):
        raise UsageError(explain(f"{kind} is chosen by labels", got=repr(value), expected="texts, such as 'MEX'"))
    if not items:
        raise UsageError(explain(f"empty selection of {kind}", do=f"leave {kind} out to have all"))
    known = model.sectors if kind == "sector" else model.countries

    def resolve(item: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if item in known:
            return (item,), ()
        if kind != "sector" and item in model.table.countries:
            raise GroupError(_in_a_group(kind, item, model))
        return _group(kind, item, known, model.table.year)

    from tiva.choosing import select_together

    return select_together(kind, items, resolve)


def _in_a_group(kind: str, country: str, model: Operators) -> str:
    groups = [label for label in model.countries if label not in model.table.countries]
    return explain(
        f"{kind} {country!r} is part of a group that acts as one country here",
        got=f"groups {', '.join(groups)}",
        do="select the group, or leave the country out of it",
    )


def _group(
    kind: str, expression: str, known: tuple[str, ...], year: int | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from tiva.groups import select_countries, select_sectors

    try:
        if kind == "sector":
            selection = select_sectors(expression, known)
        else:
            selection = select_countries(expression, known, year=year)
    except UnknownLabelError as error:
        raise UnknownLabelError(kind, error.label, error.known) from None
    except ConcordanceError:
        raise UnknownLabelError(kind, expression, known) from None
    return selection.members, selection.notes


def _refuse_own_partner(wanted: dict[str, tuple[str, ...]]) -> None:
    exporters, importers = wanted.get("exporter", ()), wanted.get("importer", ())
    if len(exporters) == 1 and exporters == importers:
        raise UsageError(
            explain(
                "exporter and importer are the same country",
                got=exporters[0],
                expected="two countries: what a country delivers to itself is no export",
            )
        )


def _function(row: Method) -> Callable[..., Terms]:
    module, name = row.function.split(":")
    return getattr(importlib.import_module(f"tiva.decompositions.{module}"), name)  # type: ignore[no-any-return]
