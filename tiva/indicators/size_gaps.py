"""What aggregation hides, and what a missing middle would look like: two families of size indicators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tiva.bands.model import BandedModel
from tiva.bands.split import BandedTable
from tiva.errors import UnknownLabelError, UsageError, explain, listing
from tiva.indicators.size import employment_by_size, imported_inputs
from tiva.indicators.size_frame import Variables, banded_model, by_block, by_size, dataset, ratio
from tiva.kernels.arrays import BoolArray, FloatArray
from tiva.kernels.segments import segment_sums
from tiva.model.leontief import LeontiefModel

if TYPE_CHECKING:
    import xarray as xr


def heterogeneity_correction(table: BandedTable | BandedModel) -> xr.Dataset:
    """Return by how much bands change the domestic value added in exports that the table without bands shows.

    Parameters
    ----------
    table
        A table split by size, or its model (without satellite).

    Returns
    -------
    xarray.Dataset
        ``dva_correction dva_correction_direct dva_correction_indirect dva_correction_share`` (exporter), and the
        sufficient statistics ``eta_*`` (exporter, sector), left out where an exporter has several country-sectors of
        one sector (split countries, groups).

    Notes
    -----
    ``eta^{pq}_i = sum_a p_a q_a / s_a = 1 + Cov_s(p/s, q/s)``. Where exporters use more imports and less value added
    per output than others (eta of value added and exports below one), the table without bands overstates domestic
    value added. Two free numbers a country-sector: value added plus imports plus domestic inputs weighted by their
    eta give one.

    References
    ----------
    The bias: Bems and Kikkawa (2021), Journal of International Economics 129: 103429; the formula is derived in the
    documentation.
    """
    model = banded_model(table)
    plain = LeontiefModel(model.banded.source, groups=model.groups)
    exports, total = model.exports.sum(axis=1), plain.exports.sum(axis=1)
    with_bands = by_block(model, model.value_added * model.local_inverse(exports))
    without = by_block(plain, plain.value_added * plain.local_inverse(total))
    direct = by_block(model, model.value_added * exports) - by_block(plain, plain.value_added * total)
    correction = with_bands - without
    found: dict[str, tuple[tuple[str, ...], FloatArray]] = {
        "dva_correction": (("exporter",), correction),
        "dva_correction_direct": (("exporter",), direct),
        "dva_correction_indirect": (("exporter",), correction - direct),
        "dva_correction_share": (("exporter",), ratio(correction, by_block(plain, total))),
    }
    if model.banded.source.areas == model.countries:
        found |= {code: (("exporter", "sector"), eta) for code, eta in covariance_factors(model.banded).items()}
    return dataset(model, "Heterogeneity correction", found)


def covariance_factors(banded: BandedTable) -> dict[str, FloatArray]:
    """Return the factors eta of every country-sector, arrays (areas, sectors).

    ``eta^{pq} = sum_a p_a q_a / s_a`` for p in value added, imports, domestic inputs and q in exports, home sales to
    producers.

    Parameters
    ----------
    banded
        A table split by firm size.
    """
    split = banded.split
    shape = (len(banded.areas), len(banded.sectors))
    uses = {"value_added": split.value_added, "imports": split.imports, "domestic": split.domestic_inputs}
    sales = {"exports": split.exports, "home": split.producers}
    return {
        f"eta_{p}_{q}": segment_sums(split.start, use * sale / split.output).reshape(shape)
        for p, use in uses.items()
        for q, sale in sales.items()
    }


def missing_middle(
    table: BandedTable | BandedModel,
    *,
    middle: Sequence[str] | str | None = None,
    large: str | None = None,
    reference: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return the five measures of a missing middle, always together: each alone can mislead.

    Parameters
    ----------
    table
        A table split by size, or its model.
    middle
        Bands that are the middle; left out: all between the smallest and the largest.
    large
        The band of large firms; left out: the largest.
    reference
        Countries that are pooled as benchmark of the second measure; left out: all countries that have these bands.

    Returns
    -------
    xarray.Dataset
        Dimension exporter; missing where a country lacks the bands or, for the first and third, employment.
        ``mm1_employment``, ``mm2_supplier_gap`` (above 0: the middle supplies less to large exporters than in the
        reference), ``mm3_productivity`` (exporter, size), ``mm4_supplier_depth``, ``mm5_import_substitution``.

    Raises
    ------
    UnknownLabelError
        A band or country that does not exist.
    UsageError
        Bands from which no middle follows.

    Notes
    -----
    Bimodality of the size distribution is not tested: it cannot be with a handful of bands.

    References
    ----------
    Hsieh and Olken (2014), Journal of Economic Perspectives 28(3): 89-108; Tybout (2014), 28(4): 235-236.
    """
    model = banded_model(table)
    top, inner = _roles(model, middle, large)
    pooled = _reference(model, reference)
    is_large = model.row_band == top
    in_middle = np.isin(model.row_band, inner)
    exports = np.where(is_large, model.exports.sum(axis=1), 0.0)
    supplied = by_size(model, model.value_added * (model.local_inverse(exports) - exports))
    present = ~np.isnan(supplied[:, inner]).all(axis=1) & ~np.isnan(supplied[:, top])
    by_middle, by_all = np.nansum(supplied[:, inner], axis=1), np.nansum(supplied, axis=1)
    smaller = by_all - np.nan_to_num(supplied[:, top])
    theta = ratio(by_middle, by_all)
    pool = present & pooled
    benchmark = float(ratio(by_middle[pool].sum(), by_all[pool].sum()))
    imports = by_block(model, imported_inputs(model) * exports)
    bought = by_block(model, np.where(in_middle, model.domestic(exports), 0.0))
    axis = ("exporter",)
    variables: Variables = {
        "mm1_employment": (axis, _employment_share(model, inner, present)),
        "mm2_supplier_gap": (axis, _where(present, 1 - ratio(theta, np.full_like(theta, benchmark)))),
        "mm3_productivity": (("exporter", "size"), _ladder(model, top)),
        "mm4_supplier_depth": (axis, _where(present, ratio(by_middle, smaller))),
        "mm5_import_substitution": (axis, _where(present, ratio(imports, imports + bought))),
    }
    names = ", ".join(model.bands[k] for k in inner)
    pooled_names = listing(np.array(model.countries)[pool].tolist(), 8)
    notes = (f"middle: {names}; large: {model.bands[top]}; reference of mm2: {pooled_names}",)
    return dataset(model, "Missing middle", variables, notes)


def _where(present: BoolArray, values: FloatArray) -> FloatArray:
    return np.where(present, values, np.nan)


def _roles(model: BandedModel, middle: Sequence[str] | str | None, large: str | None) -> tuple[int, list[int]]:
    sized = [label for label in model.bands if label != "all"]
    named = ([middle] if isinstance(middle, str) else list(middle or ())) + ([] if large is None else [large])
    for label in named:
        if label not in sized:
            raise UnknownLabelError("band", label, tuple(sized))
    top = sized[-1] if large is None and sized else large
    if middle is None:
        inner = [label for label in sized[1:] if label != top]
    else:
        inner = [label for label in sized if label in ([middle] if isinstance(middle, str) else middle)]
    if top is None or not inner or top in inner:
        raise UsageError(
            explain(
                "no middle follows from these bands",
                got=f"bands {listing(sized)}, large {top!r}, middle {listing(inner) or 'none'}",
                do="name the bands with middle=... and large=...",
            )
        )
    return model.bands.index(top), [model.bands.index(label) for label in inner]


def _reference(model: BandedModel, reference: Sequence[str] | None) -> BoolArray:
    if reference is None:
        return np.ones(len(model.countries), dtype=bool)
    labels = [reference] if isinstance(reference, str) else list(reference)
    for label in labels:
        if label not in model.countries:
            raise UnknownLabelError("country", label, model.countries)
    return np.isin(model.countries, labels)


def _employment_share(model: BandedModel, inner: list[int], present: BoolArray) -> FloatArray:
    persons = employment_by_size(model, "country")
    if persons is None:
        return np.full(len(model.countries), np.nan)
    known = np.isnan(persons) <= np.isnan(by_size(model, np.ones(len(model.row_band))))
    share = ratio(np.nansum(persons[:, inner], axis=1), np.nansum(persons, axis=1))
    return _where(present & known.all(axis=1), share)


def _ladder(model: BandedModel, top: int) -> FloatArray:
    persons = employment_by_size(model, "country")
    if persons is None:
        return np.full((len(model.countries), len(model.bands)), np.nan)
    productivity = ratio(by_size(model, model.value_added * model.output), persons)
    return ratio(productivity, np.repeat(productivity[:, top : top + 1], productivity.shape[1], axis=1))
