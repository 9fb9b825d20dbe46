"""From the arrays of a decomposition to a labelled dataset: the only module that makes one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tiva._version import __version__
from tiva.errors import explain
from tiva.terms import Method, term

if TYPE_CHECKING:
    import xarray as xr

    from tiva.decompositions.carrier import Terms
    from tiva.kernels.arrays import FloatArray
    from tiva.model.operators import Operators

_LEVEL_AXES: dict[str, tuple[str, ...]] = {
    "country": ("exporter",),
    "sector": ("exporter", "sector", "size"),
    "bilateral": ("exporter", "importer"),
    "sector-bilateral": ("exporter", "sector", "size", "importer"),
}


def label(model: Operators, terms: Terms, method: Method, level: str, *, detail: bool = False) -> xr.Dataset:
    """Label the arrays of a decomposition and sum them to a level.

    Parameters
    ----------
    model
        The operators that the terms were made from.
    terms
        Arrays over the model's axes.
    method
        Catalogue row of the decomposition.
    level
        Level to sum to. Bands of firm size stay apart at every level.
    detail
        Whether these are the finer terms.

    Returns
    -------
    xarray.Dataset
        One variable a term with ``long_name``, ``units``, ``formula``, ``reference`` and ``additive``; a
        ``discrepancy`` where the terms partition gross exports; attributes that say method, table and version.
    """
    import xarray as xr

    importlib.import_module("tiva.results.accessor")
    arrays = {name: np.asarray(values) for name, values in terms.arrays.items()}
    residual = _add_discrepancy(arrays, model, terms.axes, method, detail=detail)
    variables: dict[str, Any] = {}
    dims: tuple[str, ...] = ()
    for name in _in_catalogue_order(arrays, method, detail=detail):
        values = arrays[name]
        spread, dims = _spread(model, values, terms.axes)
        spread, dims = _to_level(spread, dims, level, banded=bool(model.bands))
        variables[name] = (dims, spread, _variable_attributes(name, method, model, terms.axes))
    for name, above, below in terms.ratios:
        flow, base = variables[above][1], variables[below][1]
        ratio = np.divide(flow, base, out=np.full_like(flow, np.nan), where=base != 0)
        variables[name] = (dims, ratio, _variable_attributes(name, method, model, terms.axes))
    attributes = _dataset_attributes(model, terms, method, level, residual)
    return xr.Dataset(variables, {d: list(_coordinate(model, d)) for d in dims}, attributes)


def _in_catalogue_order(arrays: dict[str, FloatArray], method: Method, *, detail: bool) -> list[str]:
    order = method.detail_terms if detail else method.terms
    return [t for t in order if t in arrays] + [t for t in arrays if t not in order]


def _add_discrepancy(
    arrays: dict[str, FloatArray], model: Operators, axes: tuple[str, ...], method: Method, *, detail: bool
) -> float | None:
    """Add gross flows less the terms that partition them; return the share of it that has no known cause.

    The terms of a satellite partition its content in the gross flow, which is added as ``content``.
    """
    partition = [t for t in method.detail_terms if t != "gexp"] if detail else list(method.partition)
    if "taxes_margins" in arrays and "taxes_margins" not in partition:
        partition.append("taxes_margins")
    if not partition:
        return None
    gross_flow = arrays[method.terms[0]]
    if model.carries_satellite and "origin" not in axes:
        gross_flow = arrays["content"] = _content(model, gross_flow, axes)
    gap = gross_flow - np.sum([arrays[name] for name in partition if name in arrays], axis=0)
    arrays["discrepancy"] = gap
    gross = float(np.abs(gross_flow).sum())
    if axes[0] == "row":
        gap = gap[model.output != 0]
    elif "origin" in axes:
        gap = _missed_by_origins(model, gross_flow, axes)
    elif not model.carries_satellite:
        gap = gap - _on_axes(model, np.where(model.output[:, None] != 0, 0.0, model.exports), axes)
    return float(np.abs(gap).sum() / gross) if gross else 0.0


def _content(model: Operators, gross_flow: FloatArray, axes: tuple[str, ...]) -> FloatArray:
    """Return the satellite of all origins in a gross flow (exports, imports or output), shape as the flow."""
    unit = model.value_added_by_origin.sum(axis=0)
    if axes[0] == "row":
        return np.asarray(unit.reshape(-1, *(1,) * (gross_flow.ndim - 1)) * gross_flow)
    return _on_axes(model, unit[:, None] * model.exports, axes)


def _missed_by_origins(model: Operators, by_origin: FloatArray, axes: tuple[str, ...]) -> FloatArray:
    """Return gross flows, or the satellite in them, less the sum of what is in them by origin."""
    flows = np.where(model.output[:, None] != 0, model.exports, 0.0)
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


def _spread(model: Operators, values: FloatArray, axes: tuple[str, ...]) -> tuple[FloatArray, tuple[str, ...]]:
    """Turn the row axis into exporter × sector × size; rows of one exporter and sector are summed."""
    if axes[0] != "row":
        return values, axes
    countries, sectors, bands = len(model.countries), len(model.sectors), max(1, len(model.bands))
    position = (model.row_country * sectors + model.row_sector) * bands + model.row_band
    shape = (countries, sectors, bands, *values.shape[1:])
    regular = len(position) == countries * sectors * bands and bool((position == np.arange(len(position))).all())
    if regular:
        spread = values.reshape(shape)
    else:
        spread = np.zeros((countries * sectors * bands, *values.shape[1:]))
        np.add.at(spread, position, values)
        if model.bands:
            present = np.zeros(len(spread), dtype=bool)
            present[position] = True
            spread[~present] = np.nan
        spread = spread.reshape(shape)
    if not model.bands:
        spread = spread[:, :, 0]
        return spread, ("exporter", "sector", *axes[1:])
    return spread, ("exporter", "sector", "size", *axes[1:])


def _to_level(
    values: FloatArray, dims: tuple[str, ...], level: str, *, banded: bool
) -> tuple[FloatArray, tuple[str, ...]]:
    kept = set(_LEVEL_AXES[level]) | (set(dims) - {"exporter", "sector", "size", "importer"})
    if banded:
        kept.add("size")
    if "exporter" not in dims:
        kept.add("importer")
    drop = tuple(i for i, d in enumerate(dims) if d not in kept)
    if not drop:
        return values, dims
    missing = np.isnan(values).all(axis=drop) if banded else None
    summed = np.nansum(values, axis=drop) if banded else values.sum(axis=drop)
    if missing is not None:
        summed = np.where(missing, np.nan, summed)
    return summed, tuple(d for d in dims if d in kept)


def _coordinate(model: Operators, dim: str) -> tuple[str, ...]:
    if dim in {"exporter", "importer", "origin", "absorber", "third"}:
        return model.countries
    if dim in {"sector", "origin_sector"}:
        return model.sectors
    if dim == "final_demand":
        return model.table.final_demand_categories
    if dim in {"size", "origin_size"}:
        return model.bands
    msg = explain(f"no labels for dimension {dim!r}")
    raise AssertionError(msg)


def _variable_attributes(name: str, method: Method, model: Operators, axes: tuple[str, ...]) -> dict[str, str]:
    row = term(name, method.method)
    per_gross = f"{model.unit} per {model.table.unit}" if model.carries_satellite else "1"
    gross_unit = model.unit if "origin" in axes else model.table.unit
    units = {"flow": model.unit, "gross flow": gross_unit, "fraction": "1"}.get(row.unit, per_gross)
    return {
        "long_name": row.name,
        "units": units,
        "formula": row.formula,
        "reference": row.reference or method.reference,
        "additive": "true" if method.additive and row.unit.endswith("flow") else "false",
    }


def _dataset_attributes(
    model: Operators, terms: Terms, method: Method, level: str, residual: float | None
) -> dict[str, Any]:
    table = getattr(model, "banded", model.table)
    notes = [*table.provenance.notes, *terms.notes, *_zero_output_note(model)]
    if model.carries_satellite:
        notes.append(f"a satellite ({model.unit}) takes the place of value added; the terms sum to its content")
    attributes: dict[str, Any] = {
        "title": f"{method.title}, {table.title}",
        "method": method.method,
        "perspective": method.perspective,
        "approach": method.approach,
        "perimeter": method.perimeter,
        "level": level,
        "additive": "true" if method.additive else "false",
        "table": table.title,
        "table_sha256": table.checksum,
        "year": -1 if table.year is None else table.year,
        "unit": model.unit,
        "currency": table.currency,
        "value_added_kind": table.value_added_kind,
        "tiva_version": __version__,
        "citation": method.reference,
        "table_citation": table.provenance.citation,
        "notes": json.dumps(notes, ensure_ascii=False),
        "provenance": json.dumps(table.provenance.to_dict(), ensure_ascii=False),
    }
    if residual is not None:
        attributes["identity_residual"] = residual
    if model.bands:
        from tiva.bands.model import BandedModel
        from tiva.indicators.size_frame import coverage_attributes

        if isinstance(model, BandedModel):
            attributes |= coverage_attributes(model)
    return attributes


def _zero_output_note(model: Operators) -> list[str]:
    gross = np.abs(model.exports).sum(axis=1)
    rows = np.flatnonzero((model.output == 0) & (gross != 0))
    if not len(rows):
        return []
    names = [f"{model.countries[model.row_country[i]]}.{model.sectors[model.row_sector[i]]}" for i in rows]
    text = "sectors without output that nevertheless export (netted negative flows) carry no value added"
    return [f"{text}; their exports are in 'discrepancy': {', '.join(names)}"]


def with_notes(dataset: xr.Dataset, notes: Sequence[str]) -> xr.Dataset:
    """Return the dataset with further notes in its attributes."""
    if not notes:
        return dataset
    every = [*json.loads(str(dataset.attrs["notes"])), *notes]
    return dataset.assign_attrs(notes=json.dumps(every, ensure_ascii=False))
