"""What the terms of a decomposition miss of gross flows: how much of it is stated, and how much has no known cause.

Country-sectors without output that nevertheless export (netted negative flows) carry no value added: their exports are
stated, as ``discrepancy`` and by its share. What is missed beside them is rounding, or a table that does not balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tiva.errors import listing

if TYPE_CHECKING:
    import xarray as xr

    from tiva.kernels.arrays import FloatArray
    from tiva.model.operators import Operators
    from tiva.terms import Method

STATED = "discrepancy_share"
"""Attribute of results: share of gross flows in country-sectors without output, which are in no term."""

RESIDUAL = "identity_residual"
"""Attribute of results: share of gross flows that terms, or contents, miss beside these."""

UNBALANCED = 1e-9
"""Share of gross flows from which a residual is no rounding any more and is explained in the notes."""

_FLOW_DIMS = ("exporter", "sector", "size", "importer")

_GROSS = ("gexp", "EXGR", "gimp", "gimp_origin", "output")
"""First terms that are the gross flow which the others are in."""

_STRAY = "sectors without output that nevertheless export (netted negative flows) carry no value added"


def add_discrepancy(
    arrays: dict[str, FloatArray], model: Operators, axes: tuple[str, ...], method: Method, *, detail: bool
) -> float | None:
    """Add gross flows less the terms that partition them; return the share of it that has no known cause.

    Parameters
    ----------
    arrays
        Terms over ``axes``; ``discrepancy`` is added to them, and ``content``, what the terms of a satellite
        partition, where it is one.
    model
        The operators that the terms were made from.
    axes
        Names of the dimensions of the terms.
    method
        Catalogue row of the decomposition.
    detail
        Whether these are the finer terms.

    Returns
    -------
    float or None
        Where terms do not sum to gross flows, what the contents of gross exports miss; ``None`` for a satellite then.
    """
    partition = [t for t in method.detail_terms if t != "gexp"] if detail else list(method.partition)
    if not partition:
        return None if model.carries_satellite else _missed_by_contents(model)
    if "taxes_margins" in arrays and "taxes_margins" not in partition:
        partition.append("taxes_margins")
    gross_flow = arrays[method.terms[0]]
    if model.carries_satellite and "origin" not in axes:
        gross_flow = arrays["content"] = _content(model, gross_flow, axes)
    gap = gross_flow - np.sum([arrays[name] for name in partition if name in arrays], axis=0)
    arrays["discrepancy"] = gap
    if axes[0] == "row":
        gap = gap[model.output != 0]
    elif "origin" in axes:
        gap = _missed_by_origins(model, gross_flow, axes)
    elif not model.carries_satellite:
        gap = gap - _on_axes(model, _without_output(model), axes)
    return _share(gap, gross_flow)


def state(
    dataset: xr.Dataset, model: Operators, method: Method, selection: Mapping[str, Sequence[str]]
) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with the share of its gross flows that is stated to be in no term, and notes on what is not.

    Parameters
    ----------
    dataset
        A labelled result, selected.
    model
        The operators that it was made from.
    method
        Catalogue row of the decomposition.
    selection
        Labels of exporters, importers and sectors that were asked for.

    Returns
    -------
    tuple
        The dataset with the attribute :data:`STATED`, of the gross flows of the result, or of all exports where it has
        none; and notes.
    """
    if method.terms[0] in _GROSS:
        dims = [d for d in _FLOW_DIMS if d in dataset.dims]
        gross = _gross(dataset, model, method.terms[0])
        asked = dict(selection) | {d: dataset[d].to_numpy().tolist() for d in dims}
    else:
        gross, dims, asked = float(np.abs(model.exports).sum()), list(_FLOW_DIMS), {}
    stray = _stray(model, dims, asked) if "output" not in dataset else {}
    share = sum(abs(value) for value in stray.values()) / gross if gross else 0.0
    return dataset.assign_attrs({STATED: share}), _notes(dataset, model)


def lines(dataset: xr.Dataset, flow: str | None) -> tuple[str, ...]:
    """Return what a printed table says about it.

    Parameters
    ----------
    dataset
        Any result.
    flow
        Name of its gross flow; ``None`` where it has none.
    """
    of, attributes = flow or "gross exports", dataset.attrs
    said = []
    stated = float(attributes.get(STATED, 0.0))
    if stated:
        money = "gross flows" if of == "content" else of
        said.append(f"discrepancy: {stated:.1e} of {money} (country-sectors without output, all rows of the result)")
    if RESIDUAL in attributes:
        what = "what the terms miss beside it" if stated else "what the terms miss"
        said.append(f"identity residual: {float(attributes[RESIDUAL]):.1e} of {of} ({what}, all rows of the result)")
    return tuple(said)


def _gross(dataset: xr.Dataset, model: Operators, name: str) -> float:
    """Return the absolute sum of the gross flows of a result, in the unit of the table."""
    if name != "gimp_origin":
        return float(np.abs(dataset[name]).sum())
    axes = tuple(d for d in ("importer", "sector") if d in dataset.dims)
    known = {"importer": model.countries, "sector": model.sectors}
    chosen = np.ix_(*([known[d].index(str(label)) for label in dataset[d].to_numpy()] for d in axes))
    return float(np.abs(_on_axes(model, model.exports, axes)[chosen]).sum())


def _stray(model: Operators, dims: Sequence[str], asked: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], float]:
    """Return exports of rows without output among the labels asked for, summed to cells of some dimensions."""
    rows = np.flatnonzero((model.output == 0) & (model.exports != 0).any(axis=1))
    cells: dict[tuple[str, ...], float] = {}
    for row in rows:
        place = _labels(model, int(row))
        for column in np.flatnonzero(model.exports[row]):
            place["importer"] = model.countries[column]
            if all(place[d] in labels for d, labels in asked.items()):
                key = tuple(place[d] for d in dims)
                cells[key] = cells.get(key, 0.0) + float(model.exports[row, column])
    return cells


def _labels(model: Operators, row: int) -> dict[str, str]:
    return {
        "exporter": model.countries[model.row_country[row]],
        "sector": model.sectors[model.row_sector[row]],
        "size": model.bands[model.row_band[row]] if model.bands else "",
    }


def _notes(dataset: xr.Dataset, model: Operators) -> list[str]:
    """Say what country-sectors without output have that is in no term, and whether the table balances."""
    notes: list[str] = []
    rows = np.flatnonzero((model.output == 0) & (model.exports != 0).any(axis=1))
    if len(rows) and "output" not in dataset:
        names = [f"{place['exporter']}.{place['sector']}" for place in (_labels(model, int(row)) for row in rows)]
        apart = "discrepancy" in dataset and "origin" not in dataset.dims and not model.carries_satellite
        where = "are in 'discrepancy'" if apart else "are in gross flows and in no term"
        notes.append(f"{_STRAY}; their exports {where}: {listing(names)}")
    if model.unattributed:
        what = "the satellite" if model.carries_satellite else "value added"
        notes.append(f"{model.unattributed:g} {model.unit} of {what} are in sectors without output and so in no term")
    stopped = float(np.abs(model.table.intermediate[:, model.table.output == 0]).sum())
    if stopped:
        notes.append(
            f"{stopped:g} {model.table.unit} delivered to sectors without output end there: gross flows hold them, the "
            "further use of what is delivered does not"
        )
    residual = dataset.attrs.get(RESIDUAL)
    if residual is not None and residual > UNBALANCED:
        notes.append(f"the table does not add up to output: {residual:.1e} of gross flows has no origin")
    return notes


def _missed_by_contents(model: Operators) -> float:
    """Return the share of gross exports that value added and other inputs of all origins miss."""
    unit = model.value_added_by_origin.sum(axis=0)
    if model.other_inputs.any():
        unit = unit + model.apply_inverse_transpose(model.other_inputs)
    there = model.output != 0
    return _share((1.0 - unit)[there, None] * model.exports[there], model.exports)


def _share(gap: FloatArray, gross_flow: FloatArray) -> float:
    gross = float(np.abs(gross_flow).sum())
    return float(np.abs(gap).sum() / gross) if gross else 0.0


def _without_output(model: Operators) -> FloatArray:
    """Return (R, G): exports of rows without output, zero elsewhere."""
    return np.where(model.output[:, None] != 0, 0.0, model.exports)


def _content(model: Operators, gross_flow: FloatArray, axes: tuple[str, ...]) -> FloatArray:
    """Return the satellite of all origins in a gross flow (exports, imports or output), shape as the flow."""
    unit = model.value_added_by_origin.sum(axis=0)
    if axes[0] == "row":
        return np.asarray(unit.reshape(-1, *(1,) * (gross_flow.ndim - 1)) * gross_flow)
    return _on_axes(model, unit[:, None] * model.exports, axes)


def _missed_by_origins(model: Operators, by_origin: FloatArray, axes: tuple[str, ...]) -> FloatArray:
    """Return gross flows, or the satellite in them, less the sum of what is in them by origin."""
    flows = model.exports - _without_output(model)
    unit = model.value_added_by_origin.sum(axis=0)[:, None] if model.carries_satellite else 1.0
    whole = _on_axes(model, unit * flows, tuple(axis for axis in axes if axis != "origin"))
    return np.asarray(whole - by_origin.sum(axis=axes.index("origin")))


def _on_axes(model: Operators, flows: FloatArray, axes: tuple[str, ...]) -> FloatArray:
    """Sum flows by row and importer, (R, G), to some of the axes exporter, sector and importer, in their order."""
    blocks, sectors = len(model.countries), len(model.sectors)
    cells = np.zeros((blocks, sectors, blocks))
    np.add.at(cells, (model.row_country, model.row_sector), flows)
    every = ("exporter", "sector", "importer")
    kept = [every.index(axis) for axis in axes]
    summed = cells.sum(axis=tuple(i for i in range(len(every)) if i not in kept))
    return np.transpose(summed, np.argsort(np.argsort(kept)))
