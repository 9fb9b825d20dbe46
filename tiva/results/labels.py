"""From the arrays of a decomposition to a labelled dataset: the only module that makes one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tiva._version import __version__
from tiva.bands.shares import UNSPLIT_LABEL
from tiva.errors import explain
from tiva.results.closure import RESIDUAL, add_discrepancy
from tiva.terms import Method, term

if TYPE_CHECKING:
    import xarray as xr

    from tiva.decompositions.carrier import Terms
    from tiva.kernels.arrays import FloatArray
    from tiva.model.operators import Operators

TAXES_APART = (
    "value added is as published: the content of a gross flow is value added and taxes_margins together, so formulas "
    "that relate terms to gross flows hold less taxes_margins (gvc = gexp - davax - taxes_margins)"
)
NO_EXPORT_HOME = (
    "a country does not export to itself: its pairs with itself are zero in arrays, not observations; where nothing "
    "else is in them they are left out of long forms (tidy frames, csv, parquet, xlsx, dta, json)"
)

UNSPLIT_APART = (
    f"size {UNSPLIT_LABEL!r} is no total: it holds the firms of all sizes of country-sectors that are not split; sum "
    "over size for a total"
)

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
    residual = add_discrepancy(arrays, model, terms.axes, method, detail=detail)
    variables: dict[str, Any] = {}
    dims: tuple[str, ...] = ()
    for name in _in_catalogue_order(arrays, method, detail=detail):
        values = arrays[name]
        spread, dims = _spread(model, values, terms.axes)
        spread, dims = _to_level(spread, dims, level, banded=bool(model.bands))
        spread = _of_its_own(spread)
        variables[name] = (dims, spread, _variable_attributes(name, method, model, terms.axes))
    for name, above, below in terms.ratios:
        flow, base = variables[above][1], variables[below][1]
        ratio = np.divide(flow, base, out=np.full_like(flow, np.nan), where=base != 0)
        variables[name] = (dims, _of_its_own(ratio), _variable_attributes(name, method, model, terms.axes))
    attributes = _dataset_attributes(model, terms, method, level, residual)
    dataset = xr.Dataset(variables, {d: list(_coordinate(model, d)) for d in dims}, attributes)
    said = {
        TAXES_APART: "taxes_margins" in variables,
        NO_EXPORT_HOME: {"exporter", "importer"} <= set(dims),
        UNSPLIT_APART: "size" in dims and UNSPLIT_LABEL in model.bands,
    }
    return with_notes(dataset, [note for note, holds in said.items() if holds])


def _of_its_own(values: FloatArray) -> FloatArray:
    """Return an array that no model holds, without negative zeros."""
    return np.add(values, 0.0, out=values if values.flags.writeable else None)


def _in_catalogue_order(arrays: dict[str, FloatArray], method: Method, *, detail: bool) -> list[str]:
    order = method.detail_terms if detail else method.terms
    return [t for t in order if t in arrays] + [t for t in arrays if t not in order]


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
    row = term(name, method)
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
    notes = [*table.provenance.notes, *terms.notes]
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
        attributes[RESIDUAL] = residual
    if model.bands:
        from tiva.bands.model import BandedModel
        from tiva.indicators.size_frame import coverage_attributes

        if isinstance(model, BandedModel):
            attributes |= coverage_attributes(model)
    return attributes


def with_notes(dataset: xr.Dataset, notes: Sequence[str]) -> xr.Dataset:
    """Return the dataset with further notes in its attributes."""
    if not notes:
        return dataset
    every = [*json.loads(str(dataset.attrs["notes"])), *notes]
    return dataset.assign_attrs(notes=json.dumps(every, ensure_ascii=False))
