"""Published worked examples and printed values of other tools, on small tables kept beside the project."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import tiva
from tests.paths import shared
from tiva.table.icio_table import IcioTable

EXACT = 1e-8
"""Relative, and absolute in a unit of which flows are 1 to 100: values are kept with all digits."""

PRINTED = 1e-7
"""Relative: values printed with about eight digits."""

ROUNDED = 2e-5
"""Relative: the peer takes published output and value added, which differ from sums by rounding."""

CENTS = 6e-3
"""Its values are printed with two decimals."""


@cache
def kept(name: str) -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(shared("reference/small_tables.json").read_text(encoding="utf-8"))
    return dict(tables[name])


@cache
def leather() -> IcioTable:
    data = kept("leather")
    return IcioTable.from_arrays(data["Z"], data["Y"], countries=data["countries"], sectors=data["sectors"])


def close(ours: Any, theirs: Any, tolerance: float = EXACT) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=tolerance)


def by_row(values: xr.DataArray) -> np.ndarray:
    flat = values.transpose("exporter", "sector", "importer").to_numpy()
    return np.asarray(flat.reshape(-1, flat.shape[-1]))


NINE = ("dva_fin", "dva_int", "dva_intrex", "rdv_fin", "rdv_int", "ddc", "fva_fin", "fva_int", "fdc")


@pytest.mark.parametrize("name", ["kww_ex1", "kww_ex2_case1", "kww_ex2_case2", "kww_appD"])
def test_worked_examples_of_koopman_wang_and_wei(name: str) -> None:
    result = tiva.decompose(worked(name), "kww")
    close(np.stack([result[term] for term in NINE], axis=1), kept(name)["kww"])
    assert result.attrs["identity_residual"] <= EXACT


@cache
def worked(name: str, padding: int = 0) -> IcioTable:
    """A worked example; countries with fewer sectors, and padding, have empty ones."""
    data = kept(name)
    of_row = np.array(data["country_of_row"])
    countries = [f"C{g}" for g in range(of_row.max() + 1)]
    sectors = int(np.bincount(of_row).max()) + padding
    place = np.concatenate([g * sectors + np.arange((of_row == g).sum()) for g in range(len(countries))])
    flows = np.zeros((len(countries) * sectors,) * 2)
    final = np.zeros((len(flows), len(countries)))
    flows[np.ix_(place, place)], final[place] = data["Z"], data["Y"]
    return IcioTable.from_arrays(flows, final, countries=countries, sectors=[f"s{i}" for i in range(sectors)])


def test_first_example_of_koopman_wang_and_wei_by_absorber() -> None:
    """Of 100 that each of two countries adds 53.3 stay at home; value added exports are two thirds of exports."""
    result = tiva.decompose(worked("kww_ex1"), "vby", level="bilateral")
    close(result["vby"].sum("final_demand"), [[160 / 3, 140 / 3], [140 / 3, 160 / 3]])
    close(tiva.decompose(worked("kww_ex1"), "vax")["vax_ratio"], [2 / 3, 2 / 3])


@pytest.mark.parametrize("padding", [0, 1])
def test_appendix_of_koopman_wang_and_wei_by_other_methods(padding: int) -> None:
    """The printed measures of the two countries of appendix D; an empty sector more changes none of them."""
    table = worked("kww_appD", padding)
    bm, vs = tiva.decompose(table), tiva.decompose(table, "vs")
    printed = {"dva": (2.6, 2.0), "vax": (1.8, 0.8), "ddc": (2.2, 1.0), "fva": (1.6, 2.0), "fdc": (0.6, 1.0)}
    for name, values in printed.items():
        close(bm[name], values)
    for approach in ("source", "sink"):  # with two countries all borders are those of the exporter
        world = tiva.decompose(table, perspective="world", approach=approach)
        close(world["fva"], printed["fva"])
    close(vs["vs_foreign"], (2.2, 3.0))
    close(vs["vs1_star"], (3.0, 2.2))
    np.testing.assert_allclose(bm["dva"] / bm["gexp"], (0.371, 0.333), atol=6e-4)
    np.testing.assert_allclose(bm["vax"] / bm["gexp"], (0.257, 0.133), atol=6e-4)
    np.testing.assert_allclose(bm["dc"] / bm["gexp"], (0.686, 0.5), atol=6e-4)


def test_sixteen_terms_of_leather() -> None:
    result, theirs = tiva.decompose(leather(), "wwz", level="sector-bilateral"), kept("leather")["peer_matched"]["wwz"]
    assert len(theirs) == 16
    for term, values in theirs.items():
        close(by_row(result[term.lower()]), values)


def test_nine_terms_of_leather() -> None:
    result = tiva.decompose(leather(), "kww")
    close(np.stack([result[term] for term in NINE], axis=1), kept("leather")["peer_matched"]["kww"])


@pytest.mark.parametrize("term", ["dva", "vax", "davax", "ref", "ddc", "fva", "fdc", "gvc", "gvcb", "gvcf"])
def test_source_terms_of_leather(term: str) -> None:
    result = tiva.decompose(leather(), level="sector-bilateral")
    close(by_row(result[term]), kept("leather")["bm_source"][term.upper()])


def test_world_perspective_and_tripartite_of_leather() -> None:
    for approach in ("source", "sink"):
        result = tiva.decompose(leather(), perspective="world", approach=approach)
        close(result["fva"], kept("leather")[f"world_{approach}_FVA"])
    parts = tiva.decompose(leather(), "tripartite", level="sector-bilateral")
    for name, term in (("DAVAX", "davax"), ("PF", "gvc_pf"), ("PB", "gvc_pb"), ("TS", "gvc_ts")):
        close(by_row(parts[term]), kept("leather")["tripartite"][name])


SELF = {
    ("ARG", "DEU"): (34.838423, 0.388391342, 7.2895533, 0.083632167),
    ("ARG", "TUR"): (18.374047, 0.089095284, 3.2215947, 0.015263367),
    ("TUR", "ARG"): (19.811705, 0.094412953, 4.4733580, 0.020523945),
    ("TUR", "DEU"): (70.821316, 1.7343194, 16.2599649, 0.384399911),
    ("DEU", "ARG"): (41.950140, 0.62473705, 14.0589593, 0.166163313),
    ("DEU", "TUR"): (66.946877, 1.7688287, 21.5764507, 0.507843656),
}


def test_own_perimeter_of_every_pair_of_leather() -> None:
    result = tiva.decompose(leather(), perspective="self", perimeter="bilateral", level="bilateral")
    for (exporter, importer), values in SELF.items():
        flow = result.sel(exporter=exporter, importer=importer)
        close([flow[name] for name in ("dva", "ddc", "fva", "fdc")], values, PRINTED)


def _agriculture(result: xr.Dataset, **selection: str) -> xr.Dataset:
    return result.sel(exporter="ARG", sector="Agriculture", **selection)


def test_one_sector_and_one_flow_of_leather() -> None:
    by_sector: dict[str, Callable[[], xr.Dataset]] = {
        "source": lambda: tiva.decompose(leather(), level="sector"),
        "sink": lambda: tiva.decompose(leather(), approach="sink", level="sector"),
        "self": lambda: tiva.decompose(leather(), perspective="self", perimeter="sectexp", level="sector"),
    }
    printed = {
        "source": {"dva": 29.4939001, "fva": 3.34232290},
        "sink": {"dva": 29.3342317, "fva": 3.3520273},
        "self": {"dva": 29.6439742, "ddc": 0.151313478, "fva": 3.38742166, "fdc": 0.01729061525},
    }
    for approach, run in by_sector.items():
        row = _agriculture(run())
        close([row[t] for t in printed[approach]], list(printed[approach].values()), PRINTED)


def test_one_flow_of_leather() -> None:
    printed = {
        "source": {"gexp": 19.2, "dva": 17.05671328, "fva": 1.93290963, "davax": 12.38500730, "gvcf": 4.671705985},
        "sink": {"dva": 16.97678049, "fva": 1.93993941, "vaxim": 12.80172830},
    }
    for approach, values in printed.items():
        flow = _agriculture(tiva.decompose(leather(), approach=approach, level="sector-bilateral"), importer="DEU")
        close([flow[t] for t in values], list(values.values()), PRINTED)
    own = tiva.decompose(leather(), perspective="self", perimeter="sectbil", level="sector-bilateral")
    values = {"dva": 17.17543813, "ddc": 0.05557164, "fva": 1.96264005, "fdc": 0.0063501802}
    close([_agriculture(own, importer="DEU")[t] for t in values], list(values.values()), PRINTED)


def test_imports_of_leather() -> None:
    result = tiva.decompose(leather(), perspective="importer")
    close(result["gimp"], [81.2, 112.5, 131.8])
    close(result["va"], [79.632328, 108.719674, 127.148340], PRINTED)
    close(result["dcimp"], [1.5676723, 3.7803258, 4.6516603], PRINTED)
    origins = tiva.decompose(leather(), perspective="importer", level="bilateral").sel(importer="ARG")
    close(origins["va"], [6.8407673, 28.3099826, 44.4815777], PRINTED)
    close(origins["dcimp"], [0.11710104, 0.59016665, 0.86040458], PRINTED)


def test_value_added_by_origin_of_leather() -> None:
    chosen = tiva.origins(leather(), by=("origin", "origin_sector", "exporter", "sector")).to_xarray()
    one = chosen.sel(origin="ARG", origin_sector="Agriculture", exporter="ARG", sector="Agriculture")
    close(one, 28.522781432, PRINTED)


@cache
def toy() -> IcioTable:
    data = kept("gvcanalyzer_toy")
    return IcioTable.from_arrays(data["Z"], data["Y"], countries=data["countries"], sectors=data["sectors"])


def test_toy_of_another_tool_that_does_not_balance_exactly() -> None:
    data = kept("gvcanalyzer_toy")
    totals = tiva.decompose(toy())
    for term in ("dva", "ddc", "fva", "fdc"):
        np.testing.assert_allclose(totals[term], data[f"exporter_{term.upper()}"], rtol=ROUNDED, atol=CENTS)
    flow = tiva.decompose(toy(), level="bilateral").sel(exporter="China", importer="India")
    parts = tiva.decompose(toy(), "tripartite", level="bilateral").sel(exporter="China", importer="India")
    for term in ("dva", "ddc", "fva", "fdc"):
        np.testing.assert_allclose(flow[term], data["chn_ind_source"][term.upper()], rtol=ROUNDED, atol=CENTS)
    own = tiva.decompose(toy(), perspective="self", perimeter="bilateral", level="bilateral")
    for term in ("dva", "fva"):
        ours = own[term].sel(exporter="China", importer="India")
        np.testing.assert_allclose(ours, data["chn_ind_bilateral_pure"][term.upper()], rtol=ROUNDED, atol=CENTS)
    for name, term in (("DAVAX", "davax"), ("PF", "gvc_pf"), ("TS", "gvc_ts"), ("PB", "gvc_pb")):
        np.testing.assert_allclose(parts[term], data["chn_ind_tripartite"][name], rtol=ROUNDED)
