"""Origins and absorbers in every perimeter, cell by cell, against a second oracle and on every kind of table."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests import crossings
from tests.cases import CASES, Case, case, labels
from tests.crossings import Array, Mask, World
from tests.decompositions.test_every_row import BUYERS, SOLD
from tiva.decompositions.origin_terms import traced_methods
from tiva.selection import TAXES, origins
from tiva.terms import Method

ROUNDING = 1e-10
"""Explicit modified inverses against low-rank algebra, relative to the largest gross flow, or content of it."""

PERIMETERS: dict[str, Callable[[World], list[Mask]]] = {
    "country": crossings.exporters,
    "sectexp": crossings.of_sectors,
    "bilateral": crossings.of_pairs,
    "sectbil": crossings.of_flows,
    "group": lambda w: crossings.of_group(w, SOLD, BUYERS),
    "importer": crossings.of_importers,
    "sectimp": crossings.of_products,
}


def cubes(w: World, row: Method) -> dict[str, Array]:
    """Terms by row of origin, exporting row, importer and absorber: (R, R, G, G) each."""
    ends = w.absorption
    whole = w.content[:, :, None, None] * ends
    if row.perimeter == "world":
        value, own = _world(w, row.approach), cubes(w, _country(row.approach))
        counted = _own(w, own["va"]) + _abroad(w, value)
    elif row.approach == "sink":
        last = np.zeros_like(ends)
        for watched in PERIMETERS[row.perimeter](w):
            last = np.where(watched[:, :, None], w.ends(watched), last)
        counted = w.content[:, :, None, None] * last
    else:
        counted, inside = np.zeros_like(whole), np.zeros_like(w.abroad)
        for watched in PERIMETERS[row.perimeter](w):
            first = (w.v[:, None] * w.without(watched))[:, :, None, None] * ends
            counted = np.where(watched[None, :, :, None], first, counted)
            inside |= watched
        whole = np.where(inside[None, :, :, None], whole, 0.0)
    return _terms(w, whole, counted) | _finer(w, row, ends, counted)


def _country(approach: str) -> Method:
    return next(m for m in traced_methods() if (m.perimeter, m.approach) == ("country", approach))


def _world(w: World, approach: str) -> Array:
    """Value added at its first or last export by another country than its own."""
    out = np.zeros((w.rows, w.rows, w.blocks, w.blocks))
    for t in range(w.blocks):
        mine, watched = w.where(t), crossings.of_others(w, t)
        unit = w.content if approach == "sink" else w.v[:, None] * w.without(watched)
        flows = w.ends(watched) if approach == "sink" else w.absorption
        out[mine] = unit[mine][:, :, None, None] * flows
    return out


def _own(w: World, cube: Array) -> Array:
    return np.asarray(np.where(w.same[:, :, None, None], cube, 0.0))


def _abroad(w: World, cube: Array) -> Array:
    return np.asarray(np.where(w.same[:, :, None, None], 0.0, cube))


def _terms(w: World, whole: Array, counted: Array) -> dict[str, Array]:
    again, dva = whole - counted, _own(w, counted)
    back = np.zeros((w.rows, w.blocks), dtype=bool)
    back[np.arange(w.rows), w.owner] = True
    ref = np.where(back[None, :, None, :], dva, 0.0)
    return {
        "content": whole, "dc": _own(w, whole), "fc": _abroad(w, whole), "va": counted, "dva": dva, "ref": ref,
        "fva": _abroad(w, counted), "ddc": _own(w, again), "fdc": _abroad(w, again), "vax": dva - ref, "dcimp": again,
    }  # fmt: skip


def _finer(w: World, row: Method, ends: Array, counted: Array) -> dict[str, Array]:
    """Terms of the country perimeter that tell what the importer absorbs."""
    absorber = np.eye(w.blocks)
    if "vaxim" in row.traced:
        return {"vaxim": _own(w, counted) * absorber}
    if "davax" not in row.traced:
        return {}
    direct = w.direct[:, :, None] * absorber
    never = _own(w, (w.v[:, None] * w.local)[:, :, None, None] * np.ones((1, 1, w.blocks, w.blocks)))
    before = w.content[:, :, None, None] - never
    forward = never * (ends - direct)
    return {"davax": never * direct, "gvcf": forward, "gvcb": before * ends, "gvc": forward + before * ends}


def gathered(case_: Case, cube: Array) -> xr.DataArray:
    """Rows of origin and of export summed to country, sector and size."""
    w = case_.world
    key = np.ravel_multi_index((w.labels.country, w.labels.sector, w.labels.band), w.labels.size)
    to = np.eye(int(np.prod(w.labels.size)))[key]
    cells = np.einsum("io,jx,ijrl->oxrl", to, to, cube, optimize=True)
    size = w.labels.size
    known = labels(case_)
    dims = ("origin", "origin_sector", "origin_size", "exporter", "sector", "size", "importer", "absorber")
    coords = {
        d: known["exporter" if d in {"origin", "importer", "absorber"} else d.removeprefix("origin_")] for d in dims
    }
    return xr.DataArray(cells.reshape(*size, *size, w.blocks, w.blocks), coords, dims)


@pytest.mark.filterwarnings("ignore::tiva.errors.BalanceWarning")
@pytest.mark.parametrize("row", traced_methods(), ids=Method.describe)
@pytest.mark.parametrize("name", CASES)
def test_every_cell_of_every_term(name: str, row: Method) -> None:
    case_ = case(name)
    w, known = case_.world, labels(case_)
    options: dict[str, Any] = {"perimeter": row.perimeter, "approach": row.approach or "source"}
    if row.perimeter == "group":
        options |= {"sector": [known["sector"][i] for i in SOLD], "importer": [known["importer"][i] for i in BUYERS]}
    by = ["origin", "origin_sector", "exporter", "sector", "importer", "absorber"]
    if case_.model.bands:
        by = [*by[:2], "origin_size", *by[2:4], "size", *by[4:]]
    found = cubes(w, row)
    scale = float(np.abs(w.v).max() * np.abs(w.exports).max())
    for term in row.traced:
        ours = origins(case_.model, term, by=by, **options).to_xarray()
        if TAXES in ours["origin"]:
            ours = ours.drop_sel({d: TAXES for d in ("origin", "origin_sector", "origin_size") if d in ours.dims})
        exact = gathered(case_, found[term])
        exact = exact.sum([d for d in exact.dims if d not in ours.dims])
        exact = exact.sel({d: ours[d].to_numpy() for d in ("sector", "importer")})
        if row.perimeter == "world" and "size" in ours.dims:
            ours, exact = ours.sum("size"), exact.sum("size")
        np.testing.assert_allclose(ours.fillna(0.0), exact, rtol=0, atol=ROUNDING * scale, err_msg=term)


def ending_in(w: World, product: int) -> World:
    """The same contents, and only the final goods of one sector: what of the flows ends in them."""
    narrowed = copy(w)
    for name in ("absorption", "direct", "onward"):
        narrowed.__dict__.pop(name, None)
    made = (w.labels.sector == product)[:, None]
    narrowed.y, narrowed.final_exports = np.where(made, w.y, 0.0), np.where(made, w.final_exports, 0.0)
    return narrowed


@pytest.mark.parametrize("row", traced_methods(), ids=Method.describe)
@pytest.mark.parametrize("name", ["odd", "bands"])
def test_every_term_by_sector_of_the_final_good(name: str, row: Method) -> None:
    case_ = case(name)
    known, w = labels(case_), case_.world
    options: dict[str, Any] = {"perimeter": row.perimeter, "approach": row.approach or "source"}
    if row.perimeter == "group":
        options |= {"sector": [known["sector"][i] for i in SOLD], "importer": [known["importer"][i] for i in BUYERS]}
    by = ("origin", "exporter", "importer", "absorber", "absorber_sector")
    _ = w.content, w.absorption
    goods = {n: cubes(ending_in(w, n), row) for n in range(len(known["sector"]))}
    scale = float(np.abs(w.v).max() * np.abs(w.exports).max())
    for term in row.traced:
        ours = origins(case_.model, term, by=by, **options).to_xarray()
        for n, cells in goods.items():
            exact = gathered(case_, cells[term])
            exact = exact.sum([d for d in exact.dims if d not in ours.dims]).sel(importer=ours["importer"].to_numpy())
            got = ours.isel(absorber_sector=n)
            np.testing.assert_allclose(got, exact, rtol=0, atol=ROUNDING * scale, err_msg=f"{term} {n}")


@pytest.mark.filterwarnings("ignore::tiva.errors.BalanceWarning")
@pytest.mark.parametrize("name", CASES)
def test_value_added_in_final_goods(name: str) -> None:
    """By origin, by who completes the good and by who absorbs it; taxes are an origin of their own."""
    case_ = case(name)
    w = case_.world
    by = ["origin", "origin_sector", "exporter", "sector", "absorber"]
    ours = origins(case_.model, by=by, flow="final_demand").to_xarray()
    cube = w.content[:, :, None, None] * w.y[None, :, None, :]
    exact = gathered(case_, np.broadcast_to(cube, (w.rows, w.rows, w.blocks, w.blocks)) / w.blocks).sum("importer")
    exact = exact.sum(["origin_size", "size"])
    scale = float(np.abs(w.v).max() * np.abs(w.y).max())
    if TAXES in ours["origin"]:
        paid = ours.sel(origin=TAXES, origin_sector=TAXES).sum(["exporter", "sector"])
        np.testing.assert_allclose(paid, (w.o @ w.every) @ w.y, rtol=0, atol=ROUNDING * float(w.y.sum()))
        ours = ours.drop_sel(origin=TAXES, origin_sector=TAXES)
    np.testing.assert_allclose(ours, exact, rtol=0, atol=ROUNDING * scale)
