"""From rows of a banded model to labelled datasets of the size indicators."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tiva._version import __version__
from tiva.bands.coverage import coverage_note, headline_coverage, used_status
from tiva.bands.model import BandedModel
from tiva.bands.shares import Status
from tiva.bands.split import BandedTable
from tiva.errors import UnknownLabelError, UsageError, explain
from tiva.kernels.arrays import FloatArray
from tiva.model.leontief import LeontiefModel
from tiva.terms import term

if TYPE_CHECKING:
    import xarray as xr

Level = Literal["country", "sector"]
Variables = Mapping[str, tuple[tuple[str, ...], FloatArray]]

FLOW_MARGINS = ("output", "value_added", "imports", "exports")
"""Margins over which the status of a country's shares is averaged; the fifth is optional."""

_UNITS = {"share": "1", "ratio": "1", "persons": "persons"}


def banded_model(table: BandedTable | BandedModel) -> BandedModel:
    """Return the operators of a table split by firm size.

    Parameters
    ----------
    table
        A table split by firm size, or its model.

    Raises
    ------
    UsageError
        A table without bands.
    """
    if isinstance(table, BandedModel):
        return table
    if isinstance(table, BandedTable):
        return table.model()
    raise UsageError(
        explain(
            "size indicators need a table that is split into firm-size bands",
            got=type(table).__name__,
            do="split it first with tiva.split_by_size(table, shares)",
        )
    )


def by_size(model: BandedModel, values: FloatArray, level: Level = "country") -> FloatArray:
    """Sum row values (R,) or (R, ...) to (G, K, ...) or (G, N, K, ...); NaN where there is no such band.

    Parameters
    ----------
    model
        The operators of a table split by firm size.
    values
        Shape (R,) or (R, ...), rows in the order of the model.
    level
        ``"country"`` or ``"sector"``.
    """
    groups, bands = _positions(model, level)
    shape = (*groups, bands)
    position = _row_positions(model, level)
    total = np.zeros((int(np.prod(shape)), *values.shape[1:]))
    np.add.at(total, position, values)
    present = np.zeros(len(total), dtype=bool)
    present[position] = True
    total[~present] = np.nan
    return total.reshape(*shape, *values.shape[1:])


def by_block(model: BandedModel | LeontiefModel, values: FloatArray) -> FloatArray:
    """Sum row values (R,) over the rows of each block: (G,).

    Parameters
    ----------
    model
        The operators of a table.
    values
        Shape (R,), rows in the order of the model.
    """
    return np.bincount(model.row_country, values, len(model.countries)).astype(np.float64)


def _positions(model: BandedModel, level: Level) -> tuple[tuple[int, ...], int]:
    if level not in ("country", "sector"):
        raise UnknownLabelError("level", level, ("country", "sector"))
    countries = (len(model.countries),)
    return (countries if level == "country" else (*countries, len(model.sectors))), len(model.bands)


def _row_positions(model: BandedModel, level: Level) -> Any:
    group = model.row_country
    if level == "sector":
        group = group * len(model.sectors) + model.row_sector
    return group * len(model.bands) + model.row_band


def dims(level: Level) -> tuple[str, ...]:
    """Return the dimensions of a result by size.

    Parameters
    ----------
    level
        ``"country"`` or ``"sector"``.
    """
    return ("exporter", "size") if level == "country" else ("exporter", "sector", "size")


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return part / whole, NaN where the whole is zero or missing.

    Parameters
    ----------
    part, whole
        Arrays of one shape.
    """
    part, whole = np.broadcast_arrays(part, whole)
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0), dtype=np.float64)


def share_of_total(values: FloatArray) -> FloatArray:
    """Return shares in the sum over the last axis, missing bands left out.

    Parameters
    ----------
    values
        Shape (..., K), NaN for bands that do not exist.
    """
    return ratio(values, np.nansum(values, axis=-1, keepdims=True))


def dataset(
    model: BandedModel, title: str, variables: Variables, notes: tuple[str, ...] = (), **coordinates: Any
) -> xr.Dataset:
    """Label arrays with the catalogue's names, units, formulas and references, and the table's description.

    Parameters
    ----------
    model
        The operators of a table split by firm size.
    title
        What it is; the table's title is added.
    variables
        Code of the catalogue -> dimensions and array.
    notes
        What a reader has to know.
    **coordinates
        Labels of dimensions other than exporter, sector and size.
    """
    import xarray as xr

    known: dict[str, Any] = {
        "exporter": model.countries,
        "sector": model.sectors,
        "size": model.bands,
        "origin_size": model.bands,
        **coordinates,
    }
    labelled = {code: (axes, values, _attributes(code, model.unit)) for code, (axes, values) in variables.items()}
    used = dict.fromkeys(axis for axes, _ in variables.values() for axis in axes)
    return xr.Dataset(labelled, {axis: list(known[axis]) for axis in used}, _described(model, title, notes))


def _attributes(code: str, unit: str) -> dict[str, str]:
    row = term(code, "size")
    units = {"flow": unit, "flow per person": f"{unit} per person", **_UNITS}[row.unit]
    return {"long_name": row.name, "units": units, "formula": row.formula, "reference": row.reference}


def _described(model: BandedModel, title: str, notes: tuple[str, ...]) -> dict[str, Any]:
    banded = model.banded
    return {
        "title": f"{title}, {banded.title}",
        "method": "size",
        "table": banded.title,
        "table_sha256": banded.checksum,
        "year": -1 if banded.year is None else banded.year,
        "unit": model.unit,
        **coverage_attributes(model),
        "tiva_version": __version__,
        "table_citation": banded.provenance.citation,
        "notes": json.dumps([*banded.provenance.notes, *notes], ensure_ascii=False),
    }


def coverage_attributes(model: BandedModel) -> dict[str, Any]:
    """Return what every result by size says of its margins, as attributes of a dataset.

    Parameters
    ----------
    model
        A banded model; blocks may be groups of countries.

    Returns
    -------
    dict
        ``split_method``; ``coverage``, ``exports_in_split_sectors`` and ``exports_observed`` of the whole table; and
        ``coverage_by_exporter``, JSON: label -> ``split`` (share of exports in split sectors) and one entry a status,
        the mean over the margins in :data:`FLOW_MARGINS` of the share of the flow with this status. Exporters that are
        not split at all have ``split`` zero.
    """
    banded = model.banded
    split, observed = headline_coverage(banded)
    return {
        "split_method": banded.method,
        "coverage": coverage_note(banded),
        "exports_in_split_sectors": split,
        "exports_observed": observed,
        "coverage_by_exporter": json.dumps(_coverage_by_exporter(model), ensure_ascii=False),
    }


def _coverage_by_exporter(model: BandedModel) -> dict[str, dict[str, float]]:
    exports = margin_flow(model.banded, "exports")[model.source_row]
    inside = np.where(model.banded.shares.row_band[model.source_row] >= 0, exports, 0.0)
    split = np.nan_to_num(ratio(by_block(model, inside), by_block(model, exports)))
    by_margin = np.stack([status_of_flow(model, margin) for margin in FLOW_MARGINS])
    flowing = (~np.isnan(by_margin)).sum(axis=0)
    mean = np.nan_to_num(ratio(np.nansum(by_margin, axis=0), flowing.astype(np.float64)))
    return {
        country: {"split": float(split[g]), **{s.name.lower(): float(mean[g, s]) for s in Status}}
        for g, country in enumerate(model.countries)
    }


def margin_flow(banded: BandedTable, margin: str) -> FloatArray:
    """Return, shape (R,), the flow of each band row of the source that a margin splits.

    Parameters
    ----------
    banded
        A table split by firm size.
    margin
        One of :data:`tiva.bands.shares.MARGINS`.
    """
    shares, t, row = banded.shares, banded.totals, banded.split.segment
    flows = {
        "output": (shares.output, t.output),
        "value_added": (shares.value_added, t.value_added),
        "imports": (shares.imports, t.imports),
        "exports": (shares.exports, t.exports),
        "domestic_intermediate": (banded.split.producers, t.domestic_intermediate),
    }
    share, total = flows[margin]
    return np.asarray(share * total[row])


def status_of_flow(model: BandedModel, margin: str) -> FloatArray:
    """Return, shape (G, statuses), shares of the flow that a margin splits by status; NaN where nothing flows.

    Parameters
    ----------
    model
        The operators of a table split by firm size.
    margin
        One of :data:`tiva.bands.shares.MARGINS`.
    """
    flow = margin_flow(model.banded, margin)[model.source_row]
    found = np.zeros((len(model.countries), len(Status)))
    np.add.at(found, (model.row_country, used_status(model.banded, margin)[model.source_row]), flow)
    return ratio(found, found.sum(axis=1, keepdims=True))
