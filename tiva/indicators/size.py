"""Who exports, directly and indirectly: indicators by firm-size band.

Dimension ``size`` is the band of the firms that a number is about; in the band-to-band matrix it is the exporting band
and ``origin_size`` the band whose value added is exported. Bands that a country or sector does not have are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tiva.bands.model import BandedModel
from tiva.bands.shares import MARGINS, Status
from tiva.bands.split import BandedTable
from tiva.errors import UnknownLabelError
from tiva.indicators.size_frame import (
    Level,
    Variables,
    banded_model,
    by_block,
    by_size,
    dataset,
    dims,
    margin_flow,
    ratio,
    share_of_total,
    status_of_flow,
)
from tiva.kernels.arrays import BoolArray, FloatArray
from tiva.kernels.segments import spread_columns
from tiva.model.operators import block_columns, own_country

if TYPE_CHECKING:
    import xarray as xr

WHOLESALE = ("c20", "G46", "46", "G45T47", "D45T47", "45T47", "G")
"""Sector codes of wholesale (with retail where a classification does not part them), in the order of preference."""


def exports_by_size(table: BandedTable | BandedModel, *, level: Level = "country") -> xr.Dataset:
    """Return direct exports and direct and indirect value added in exports by firm-size band.

    Parameters
    ----------
    table
        A table split by size, or its model.
    level
        ``"country"``, or ``"sector"``: the sector of the firms.

    Returns
    -------
    xarray.Dataset
        Dimensions exporter (sector) size: ``exports_direct export_share dva_direct dva_indirect dva dva_reimported dc
        dva_share visibility indirect_share value_added``, and ``employment value_added_per_person dva_per_person``
        where persons employed came with the margins. Shares are over the bands of a country (and sector).

    Notes
    -----
    Value added of band a in exports of its country is ``v_a L e``: own exports, and inputs into exports of others.
    Domestic content of all bands and foreign content (:func:`imports_by_size`) add up to exports. What identifies the
    indirect part is thin: see the uncertainty functions before quoting it.

    References
    ----------
    Chong et al. (2019), Journal of Economic Structures 8: 8; OECD TiVA guide.
    """
    model = banded_model(table)
    v = model.value_added
    exports = model.exports.sum(axis=1)
    domestic = v * model.local_inverse(exports)
    content = v * own_country(model, model.apply_inverse(block_columns(model, exports)))
    direct = v * exports
    sums = {
        "exports_direct": exports,
        "dva_direct": direct,
        "dva_indirect": domestic - direct,
        "dva": domestic,
        "dva_reimported": content - domestic,
        "dc": content,
        "value_added": v * model.output,
    }
    found = {code: by_size(model, values, level) for code, values in sums.items()}
    found["export_share"] = share_of_total(found["exports_direct"])
    found["dva_share"] = share_of_total(found["dva"])
    found["visibility"] = ratio(found["dva_share"], found["export_share"])
    found["indirect_share"] = ratio(found["dva_indirect"], found["dva"])
    employment = employment_by_size(model, level)
    if employment is not None:
        found["employment"] = employment
        found["value_added_per_person"] = ratio(found["value_added"], employment)
        found["dva_per_person"] = ratio(found["dva"], employment)
    variables: Variables = {code: (dims(level), values) for code, values in found.items()}
    return dataset(model, "Exports by firm size", variables)


def employment_by_size(model: BandedModel, level: Level) -> FloatArray | None:
    """Return persons employed by band, NaN where any part is unknown, or ``None`` where nothing is known.

    Parameters
    ----------
    model
        The operators of a table split by firm size.
    level
        ``"country"``: result (G, K); ``"sector"``: (G, N, K).
    """
    given = model.banded.shares.employment
    if given is None or np.isnan(given).all():
        return None
    return by_size(model, np.asarray(given)[model.source_row], level)


def who_exports_for_whom(
    table: BandedTable | BandedModel, *, wholesale: Sequence[str] | str | None = None
) -> xr.Dataset:
    """Return the band-to-band matrix of indirect exports: whose value added leaves in whose exports.

    Parameters
    ----------
    table
        A table split by size, or its model.
    wholesale
        Sector labels of wholesale; found by code where left out, and no such channel where there is none.

    Returns
    -------
    xarray.Dataset
        ``indirect`` (exporter, origin_size, size): value added of the origin band in exports of firms of band
        ``size``, its own direct exports left out; ``same_sector other_sector wholesale`` partition it by channel;
        ``through_larger through_own_band`` (exporter, origin_size) its shares that leave through larger firms and
        through other firms of the same band. Channels are left out for country groups.

    Notes
    -----
    ``Theta_ab = sum_ij v_ia (L - I)_{ia,jb} e_jb E_j``; domestic links only. Through wholesale: the exporter is a
    wholesaler and the origin is not; the other two channels hold everything else. Which bands are larger follows the
    order of bands; unsplit sectors (``all``) are neither.
    """
    model = banded_model(table)
    bands = len(model.bands)
    exports = model.exports.sum(axis=1)
    exporting = exports[:, None] * (model.row_band[:, None] == np.arange(bands))
    v = model.value_added[:, None]
    matrix = by_size(model, v * (model.local_inverse(exporting) - exporting))
    matrix = _missing_exporters(model, matrix)
    found: dict[str, tuple[tuple[str, ...], FloatArray]] = {"indirect": (("exporter", "origin_size", "size"), matrix)}
    notes: tuple[str, ...] = ()
    if len(model.countries) == len(model.banded.countries):
        channels, notes = _channels(model, exporting, matrix, wholesale)
        found |= {code: (("exporter", "origin_size", "size"), values) for code, values in channels.items()}
    larger, own = _through(model, matrix)
    found["through_larger"] = (("exporter", "origin_size"), larger)
    found["through_own_band"] = (("exporter", "origin_size"), own)
    return dataset(model, "Who exports for whom", found, notes)


def _missing_exporters(model: BandedModel, matrix: FloatArray) -> FloatArray:
    """Set the columns of bands that a country does not have to missing."""
    present = ~np.isnan(by_size(model, np.ones(len(model.row_band))))
    return np.where(present[:, None, :], matrix, np.nan)


def _channels(
    model: BandedModel, exporting: FloatArray, matrix: FloatArray, wholesale: Sequence[str] | str | None
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    v = model.value_added
    entries = model.local.home.same_sector()
    same = np.zeros_like(exporting)
    rows = np.arange(len(v))
    exports = exporting.sum(axis=1)
    for k in range(entries.shape[1]):
        partner = model.start[model.segment] + k
        exists = rows[~np.isnan(entries[:, k])]
        partner = partner[exists]
        np.add.at(same, (exists, model.row_band[partner]), v[exists] * entries[exists, k] * exports[partner])
    channels = {"same_sector": _missing_exporters(model, by_size(model, same))}
    traders = _wholesalers(model, wholesale)
    if traders.any():
        through = exporting * traders[:, None]
        indirect = v[:, None] * (model.local_inverse(through) - through)
        channels["wholesale"] = _missing_exporters(model, by_size(model, np.where(traders[:, None], 0.0, indirect)))
        notes: tuple[str, ...] = ()
    else:
        notes = ("no wholesale sector is known: the channel through wholesale is part of other_sector",)
    channels["other_sector"] = matrix - channels["same_sector"] - channels.get("wholesale", np.zeros_like(matrix))
    return channels, notes


def _wholesalers(model: BandedModel, labels: Sequence[str] | str | None) -> BoolArray:
    if labels is None:
        wanted = [code for code in WHOLESALE if code in model.sectors][:1]
    else:
        wanted = [labels] if isinstance(labels, str) else list(labels)
        for label in wanted:
            if label not in model.sectors:
                raise UnknownLabelError("sector", label, model.sectors)
    return np.isin(model.row_sector, [model.sectors.index(label) for label in wanted])


def _through(model: BandedModel, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    bands = len(model.bands)
    sized = np.array([label != "all" for label in model.bands])
    order = np.arange(bands)
    larger = (order[None, :] > order[:, None]) & sized[:, None] & sized
    total = np.nansum(matrix, axis=2)
    present = ~np.isnan(matrix).all(axis=2) & sized
    upwards = np.nansum(np.where(larger, matrix, 0.0), axis=2)
    own = np.nan_to_num(matrix[:, order, order])
    empty = np.full_like(total, np.nan)
    return np.where(present, ratio(upwards, total), empty), np.where(present, ratio(own, total), empty)


def foreign_demand_by_size(table: BandedTable | BandedModel, *, level: Level = "country") -> xr.Dataset:
    """Return how much of each band's value added depends on foreign demand.

    Parameters
    ----------
    table
        A table split by size, or its model.
    level
        ``"country"``, or ``"sector"``: the sector of the firms.

    Returns
    -------
    xarray.Dataset
        ``vax value_added foreign_demand_dependence export_dependence`` (exporter, [sector,] size). A share beyond one
        is possible where value added of a band is small or exports include negative inventories.

    References
    ----------
    Johnson and Noguera (2012), Journal of International Economics 86: 224-236, by band of origin.
    """
    model = banded_model(table)
    v = model.value_added
    absorbed = model.absorption.sum(axis=1) - own_country(model, model.absorption)
    vax = by_size(model, v * absorbed, level)
    value_added = by_size(model, v * model.output, level)
    exported = by_size(model, v * model.local_inverse(model.exports.sum(axis=1)), level)
    axes = dims(level)
    variables: Variables = {
        "vax": (axes, vax),
        "value_added": (axes, value_added),
        "foreign_demand_dependence": (axes, ratio(vax, value_added)),
        "export_dependence": (axes, ratio(exported, value_added)),
    }
    return dataset(model, "Dependence on foreign demand by firm size", variables)


def imports_by_size(table: BandedTable | BandedModel, *, level: Level = "country") -> xr.Dataset:
    """Return the dependence of each band on imported inputs, and the foreign content of its exports.

    Parameters
    ----------
    table
        A table split by size, or its model.
    level
        ``"country"``, or ``"sector"``: the sector of the firms.

    Returns
    -------
    xarray.Dataset
        ``import_share_direct import_share_total import_content_of_exports fc fc_share`` (exporter, [sector,] size).

    Notes
    -----
    ``import_share_total`` counts imported inputs of the band and of its domestic suppliers; ``fc`` counts the value
    added of other countries in the band's exports (imported inputs less domestic value added that comes back).
    """
    model = banded_model(table)
    needs = imported_inputs(model)
    total = model.local_inverse_transpose(needs)
    exports = model.exports.sum(axis=1)
    origin = model.value_added_by_origin
    foreign = origin.sum(axis=0) - np.asarray(origin[model.row_country, np.arange(origin.shape[1])])
    output = by_size(model, model.output, level)
    sold = by_size(model, exports, level)
    content = by_size(model, foreign * exports, level)
    axes = dims(level)
    variables: Variables = {
        "import_share_direct": (axes, ratio(by_size(model, needs * model.output, level), output)),
        "import_share_total": (axes, ratio(by_size(model, total * model.output, level), output)),
        "import_content_of_exports": (axes, ratio(by_size(model, total * exports, level), sold)),
        "fc": (axes, content),
        "fc_share": (axes, ratio(content, sold)),
    }
    return dataset(model, "Import dependence by firm size", variables)


def imported_inputs(model: BandedModel) -> FloatArray:
    """Return, shape (R,), imported inputs per unit of output of each row.

    Parameters
    ----------
    model
        The operators of a table split by firm size.
    """
    flows = model.local.between
    per_sector = flows.apply_transpose(np.ones(len(flows.inverse_output)))
    return spread_columns(model.import_intensity, model.segment, per_sector)


def coverage(table: BandedTable | BandedModel) -> xr.Dataset:
    """Return how much of each country is split by size, and where the margins come from.

    Parameters
    ----------
    table
        A table split by firm size, or its model.

    Returns
    -------
    xarray.Dataset
        ``exports_in_split_sectors`` (exporter); ``status_share`` (exporter, margin, status): of the flow that a
        margin splits (output, value added, imported inputs, exports, domestic sales to producers), the share by
        status, adding up to one.
    """
    model = banded_model(table)
    exports = margin_flow(model.banded, "exports")[model.source_row]
    inside = np.where(model.banded.shares.row_band[model.source_row] >= 0, exports, 0.0)
    share = ratio(by_block(model, inside), by_block(model, exports))
    found = np.stack([status_of_flow(model, margin) for margin in MARGINS], axis=1)
    variables: Variables = {
        "exports_in_split_sectors": (("exporter",), share),
        "status_share": (("exporter", "margin", "status"), found),
    }
    labels = [status.name.lower() for status in Status]
    return dataset(model, "Coverage of the split by firm size", variables, margin=MARGINS, status=labels)
