"""Every row of the catalogue at every level, as users get it, against a second oracle and on every kind of table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

import tiva
from tests import crossings
from tests.cases import CASES, SERVICE, Case, case, labelled, labels
from tests.crossings import Mask, Terms, World
from tiva.terms import Method, methods

ROUNDING = 1e-10
"""Explicit modified inverses against low-rank algebra, relative to the largest gross flow or output of the table."""

SOLD, BUYERS = (0, 1), (0, 2)
"""Sectors and importers of the perimeter "group"."""


def perimeters(w: World, row: Method) -> list[Mask]:
    known: dict[str, Callable[[World], list[Mask]]] = {
        "country": crossings.exporters,
        "sectexp": crossings.of_sectors,
        "bilateral": crossings.of_pairs,
        "sectbil": crossings.of_flows,
        "group": lambda w: crossings.of_group(w, SOLD, BUYERS),
    }
    return known[row.perimeter](w)


def exact(case_: Case, row: Method) -> Terms:
    """Terms of a row over rows (R, ...), importers of the model last where there are any."""
    w = case_.world
    if row.method == "oecd":
        known = labels(case_)
        service = w.labels.sector == (known["sector"].index(SERVICE) if SERVICE in known["sector"] else -1)
        place = {c: k for k, c in enumerate(known["final_demand"])}
        chosen = [[place[c] for c in names if c in place] for names in (("HFCE", "GGFC"), ("GFCF",))]
        return crossings.oecd(w, service, *chosen)
    if row.method == "bm" and row.perspective == "self":
        return crossings.own_perimeters(w, perimeters(w, row))
    if row.method == "my" and row.perimeter != "world":
        return crossings.own_perimeters(w, perimeters(w, row))
    if row.method == "my":
        world = crossings.world_source(w)
        return world | {"fdc1": world["fva"], "fdc2": world["fdc"]}
    if row.method == "extraction":
        return crossings.extraction(w, perimeters(w, row))
    known: dict[tuple[str, str, str], Callable[[World], Terms]] = {
        ("bm", "exporter", "source"): crossings.bm_source,
        ("bm", "exporter", "sink"): crossings.bm_sink,
        ("bm", "world", "source"): crossings.world_source,
        ("bm", "world", "sink"): crossings.world_sink,
        ("bm", "importer", ""): crossings.sectimp if row.perimeter == "sectimp" else crossings.importer,
        ("nagengast_stehrer", "world", "source"): crossings.first_border,
        ("nagengast_stehrer", "world", "sink"): crossings.last_border,
    }
    alone: dict[str, Callable[[World], Terms]] = {
        "headline": crossings.headline,
        "kww": crossings.kww,
        "wwz": crossings.wwz,
        "wwz_third": lambda w: {
            name.removesuffix(" by third"): x for name, x in crossings.wwz(w).items() if "third" in name
        },
        "tripartite": crossings.tripartite,
        "vs": crossings.vertical_specialisation,
        "vax": crossings.johnson_noguera,
        "output_based": crossings.output_based,
        "vby": crossings.by_category,
    }
    return alone[row.method](w) if row.method in alone else known[row.method, row.perspective, row.approach](w)


def dims_of(row: Method, name: str, values: np.ndarray[Any, Any]) -> tuple[str, ...]:
    if row.method == "kww":
        return ("exporter",)
    further = {"wwz_third": "third", "vby": "final_demand"}.get(row.method, "origin")
    if name.startswith("partner "):
        return ("row of the partner", "exporter")
    return ("row", "importer", further)[: values.ndim]


def expected(case_: Case, row: Method) -> dict[str, xr.DataArray]:
    found = {
        name.removeprefix("partner "): labelled(case_, values, dims_of(row, name, values))
        for name, values in exact(case_, row).items()
    }
    if row.method == "oecd":
        found["BALGR"] = found["EXGR"].sum("size") - found["IMGR"].sum("size")
        found["BALVAFD"] = found["FFD_DVA"].sum("size") - found["DFD_FVA"].sum("size")
    return accounting(case_, row) | found


def options_of(case_: Case, row: Method) -> dict[str, Any]:
    """Options of a row, and for the perimeter "group" what makes it up."""
    given = {name: getattr(row, name) for name in ("perspective", "approach", "perimeter") if getattr(row, name)}
    if row.perimeter == "group":
        known = labels(case_)
        given |= {"sector": [known["sector"][i] for i in SOLD], "importer": [known["importer"][i] for i in BUYERS]}
    return given


def at_level(values: xr.DataArray, like: xr.DataArray) -> np.ndarray[Any, Any]:
    """Sums over what a result has not, of what it has; a cell is missing where all its parts are."""
    drop = tuple(i for i, d in enumerate(values.dims) if d not in like.dims)
    cells = values.to_numpy()
    summed = np.where(np.isnan(cells).all(axis=drop), np.nan, np.nansum(cells, axis=drop)) if drop else cells
    kept = [d for d in values.dims if d in like.dims]
    found = np.transpose(summed, [kept.index(d) for d in like.dims])
    if found.shape == like.shape:
        return found
    places = ([values[d].to_numpy().tolist().index(x) for x in like[d].to_numpy()] for d in like.dims)
    return np.asarray(found[np.ix_(*places)])


def accounting(case_: Case, row: Method) -> dict[str, xr.DataArray]:
    """Content of a satellite, taxes and margins, and what the terms miss, over exporting rows and importers."""
    w = case_.world
    flows = w.x if row.method == "output_based" else w.exports
    if row.perimeter == "group":
        flows = np.where(np.logical_or.reduce(perimeters(w, row)), flows, 0.0)

    def of(unit: np.ndarray[Any, Any]) -> xr.DataArray:
        values = unit.reshape(-1, *(1,) * (flows.ndim - 1)) * flows
        return labelled(case_, values, ("row", "importer")[: flows.ndim])

    held, paid = w.content.sum(axis=0), w.o @ w.every
    if "gimp_origin" in row.terms:  # what is in imports by origin is all that has an origin
        return {"discrepancy": labelled(case_, np.zeros((w.rows, w.blocks, w.blocks)), ("row", "importer", "origin"))}
    if case_.satellite is not None:
        return {"content": of(held), "discrepancy": of(np.zeros(w.rows))}
    return {"taxes_margins": of(paid), "discrepancy": of(1.0 - held - paid)}


RATIOS = {"vs_share": ("vs", "gexp"), "vs1_share": ("vs1", "gexp"), "vax_ratio": ("vax", "gexp")}

NAMED = {"EXGR_SERV_DVA", "EXGR_SERV_FVA", "CONS_VA", "GFCF_VA"}
"""Terms that need sectors and categories of known names."""


@pytest.mark.filterwarnings("ignore::tiva.errors.BalanceWarning")
@pytest.mark.parametrize("row", [row for row in methods() if row.method != "oecd_shares"], ids=Method.describe)
@pytest.mark.parametrize("name", CASES)
def test_every_term_at_every_level(name: str, row: Method) -> None:
    case_ = case(name)
    theirs, w = expected(case_, row), case_.world
    scale = float(max(np.abs(values).max() for values in (w.exports, w.x, w.v * w.x)))
    for level in row.levels:
        for detail in (False, True) if row.detail_terms else (False,):
            got = tiva.decompose(case_.model, row.method, level=level, detail=detail, **options_of(case_, row))
            check(got, theirs, row, scale, detail=detail, named=SERVICE in case_.table.sectors)


def check(
    got: xr.Dataset, theirs: Mapping[str, xr.DataArray], row: Method, scale: float, *, detail: bool, named: bool
) -> None:
    names = set(map(str, got.data_vars))
    by_size = row.method == "oecd" and "size" in got.dims
    missing = set(row.detail_terms if detail else row.terms) - names
    assert by_size or missing <= (set() if named else NAMED)
    assert row.method != "oecd" or named == (names >= NAMED)
    for name in names - set(RATIOS):
        ours = got[name]
        exact_ = at_level(theirs[name], ours)
        np.testing.assert_allclose(ours, exact_, rtol=0, atol=ROUNDING * scale, err_msg=f"{name} {ours.dims}")
    for name in names & set(RATIOS):
        above, below = (at_level(theirs[part], got[name]) for part in RATIOS[name])
        exact_ = np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)
        np.testing.assert_allclose(got[name], exact_, rtol=ROUNDING, atol=ROUNDING, err_msg=name)


IN_CELL = {
    "EXGR_DVASH": ("EXGR_DVA", "EXGR"), "EXGR_FVASH": ("EXGR_FVA", "EXGR"),
    "EXGR_FNLDVASH": ("EXGR_FNL_DVA", "EXGR_FNL"), "EXGR_INTDVASH": ("EXGR_INT_DVA", "EXGR_INT"),
    "EXGR_SERV_DVASH": ("EXGR_SERV_DVA", "EXGR"), "EXGR_SERV_FVASH": ("EXGR_SERV_FVA", "EXGR"),
    "IMGR_DVASH": ("IMGR_DVA", "IMGR"), "IMGRINT_REII": ("REII", "IMGR_INT"),
}  # fmt: skip
OF_PARTNERS = {
    "EXGRPSH": "EXGR", "EXGR_DVAPSH": "EXGR_DVA", "EXGR_FNLDVAPSH": "EXGR_FNL_DVA", "EXGR_INTDVAPSH": "EXGR_INT_DVA",
    "IMGRPSH": "IMGR", "FFD_DVAPSH": "FFD_DVA", "DFD_FVAPSH": "DFD_FVA",
}  # fmt: skip
OF_FINAL_DEMAND = {"FD_VASH": "FD_VA", "CONS_VASH": "CONS_VA", "GFCF_VASH": "GFCF_VA"}


OF_SMALL_FLOWS = 1e-9
"""Shares in flows that are themselves small, relative and absolute."""


def shares(flows: Mapping[str, xr.DataArray], level: str) -> dict[str, xr.DataArray]:
    """Shares by the wording of the OECD's guide, from flows of reporter, industry, size and partner."""
    kept = {"exporter", *(("sector",) if "sector" in level else ()), *(("importer",) if "bilateral" in level else ())}
    f = {name: values.sum([d for d in values.dims if d not in kept]) for name, values in flows.items()}
    exports = flows["EXGR"].sum(("sector", "size", "importer"))
    out = {name: f[above] / f[below] for name, (above, below) in IN_CELL.items()}
    if "bilateral" in level:
        out |= {name: f[flow] / f[flow].sum("importer") for name, flow in OF_PARTNERS.items()}
        out |= {"DEXFVAPSH": f["DEXFVAP"] / f["EXGR"].sum("importer"), "FEXDVAPSH": f["FEXDVAP"] / exports}
        whole = {name: flows[flow].sum(("exporter", "sector", "size")) for name, flow in OF_FINAL_DEMAND.items()}
        return out | {name: f[flow] / whole[name] for name, flow in OF_FINAL_DEMAND.items()}
    out |= {"PROD_VASH": f["VALU"] / f["PROD"], "VALU_FFDDVA": f["FFD_DVA"] / f["VALU"]}
    above = {"EXGR_TDVAIND": "EXGR_DVA", "EXGR_TFVAIND": "EXGR_FVA", "EXGR_DVAFXSH": "FEXDVAP"}
    return out | {name: f[flow] / exports for name, flow in above.items()}


@pytest.mark.filterwarnings("ignore::tiva.errors.BalanceWarning")
@pytest.mark.parametrize("name", CASES)
def test_every_share_at_every_level(name: str) -> None:
    case_ = case(name)
    flows = expected(case_, next(row for row in methods() if row.method == "oecd"))
    for row in (row for row in methods() if row.method == "oecd_shares"):
        for level in row.levels:
            got = tiva.decompose(case_.model, "oecd_shares", level=level)
            exact_ = shares(flows, level)
            without = {t for t in exact_ if t.startswith(("EXGR_SERV", "CONS", "GFCF"))}
            assert set(exact_) - set(map(str, got.data_vars)) == (set() if SERVICE in case_.table.sectors else without)
            for term in got.data_vars:
                values = exact_[str(term)].transpose(*got[term].dims)
                values = values.where(np.isfinite(values))
                np.testing.assert_allclose(
                    got[term], values, rtol=OF_SMALL_FLOWS, atol=OF_SMALL_FLOWS, err_msg=f"{term} {level}"
                )
