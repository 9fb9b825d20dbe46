"""Every method that independent tools compute, against their values on WIOD 2008."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import tiva
from tests.decompositions.test_borin_mancini import AGAINST_PEERS, IDENTITY, model
from tests.paths import shared
from tiva.decompositions.borin_mancini import DETAIL
from tiva.decompositions.borin_mancini_sink import sink_terms, vaxim
from tiva.decompositions.extraction import extraction
from tiva.decompositions.headline import by_exporter
from tiva.decompositions.kww import kww
from tiva.decompositions.nagengast_stehrer import first_border, last_border
from tiva.decompositions.oecd_shares import by_category
from tiva.decompositions.tripartite import tripartite
from tiva.decompositions.vertical_specialisation import vertical_specialisation
from tiva.decompositions.world import world_sink, world_source
from tiva.decompositions.wwz import TERMS, intrex_by_third, wwz
from tiva.kernels.arrays import FloatArray

PRINTED_TO_CENTS = 6e-3
"""Published anchors in million USD with two decimals."""


@cache
def sink_2008() -> dict[str, FloatArray]:
    return sink_terms(model(2008))


@cache
def wwz_2008() -> dict[str, FloatArray]:
    return wwz(model(2008)).arrays


def peers(*names: str) -> list[np.ndarray]:
    with np.load(shared("reference/wiod2008_peers.npz"), allow_pickle=False) as data:
        return [data[name] for name in names]


def chosen() -> list[int]:
    return [model(2008).countries.index(c) for c in peers("selected_exporters")[0]]


def close(ours: FloatArray, theirs: FloatArray, floor: float = AGAINST_PEERS) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=AGAINST_PEERS, atol=floor)


@pytest.mark.parametrize("term", [*DETAIL, "gexp"])
def test_sink(term: str) -> None:
    name = "EXGR" if term == "gexp" else term.upper()
    bilateral, sectors = peers(f"bm_sink_{name}_bilateral", f"bm_sink_{name}_sector_selected")
    ours = sink_2008()[term].reshape(41, 35, 41)
    close(ours.sum(axis=1), bilateral)
    close(ours[chosen()], sectors)


def test_sink_of_one_flow_and_value_added_absorbed_by_the_importer() -> None:
    usa, china = model(2008).countries.index("USA"), model(2008).countries.index("CHN")
    row = usa * 35 + 13
    values = [sink_2008()[t][row, china] for t in ("vax1", "vax4", "ref2", "ddc", "fva4", "fdc")]
    np.testing.assert_allclose(values, [4066.1141, 3046.3948, 1023.2047, 230.7458, 730.5115, 41.4199], atol=1e-4)
    assert vaxim(model(2008))[row, china] == pytest.approx(12390.8694, abs=1e-4)


def test_country_totals_of_source_and_sink_agree() -> None:
    from tests.decompositions.test_borin_mancini import terms

    sums = {"dva": ("vax1", "vax2", "vax3", "vax4", "ref1", "ref2"), "fva": ("fva1", "fva2", "fva3", "fva4")}
    for parts in (*sums.values(), ("ddc",), ("fdc",)):
        by_source = by_exporter(model(2008), sum(terms(2008)[p] for p in parts).sum(axis=1))
        by_sink = by_exporter(model(2008), sum(sink_2008()[p] for p in parts).sum(axis=1))
        np.testing.assert_allclose(by_source, by_sink, atol=IDENTITY * sink_2008()["gexp"].sum())


def test_kww() -> None:
    theirs, names = peers("kww", "kww_terms")
    arrays = kww(model(2008)).arrays
    nine = [str(name).lower() for name in names]
    # The peer takes the ninth term as the rest, so that it swallows the netted exports of sectors without output.
    rest = arrays["gexp"] - sum(arrays[t] for t in nine)
    assert np.count_nonzero(np.abs(rest) > AGAINST_PEERS * arrays["gexp"]) == 1
    for k, name in enumerate(nine):
        close(arrays[name] + (rest if name == "fdc" else 0.0), theirs[:, k], AGAINST_PEERS * 100)


def test_kww_anchors() -> None:
    arrays = kww(model(2008)).arrays
    usa = [arrays[t][model(2008).countries.index("USA")] for t in list(arrays)[1:10]]
    printed = [411069.29, 735950.46, 132637.12, 53142.21, 47582.65, 12467.72, 88133.71, 93923.59, 65586.25]
    np.testing.assert_allclose(usa, printed, atol=PRINTED_TO_CENTS)
    assert arrays["fva_corrected"].sum() == pytest.approx(3425618, abs=1)


def test_world_perspective_source_and_sink_have_the_same_total() -> None:
    source, sink = world_source(model(2008)).arrays, world_sink(model(2008)).arrays
    assert source["fva"].sum() == pytest.approx(sink["fva"].sum(), rel=IDENTITY)
    assert source["fva"].sum() == pytest.approx(3425617.6, abs=0.1)
    by_country = by_exporter(model(2008), source["fva"])
    assert by_country[model(2008).countries.index("USA")] == pytest.approx(191116.587, abs=1e-3)


@pytest.mark.parametrize("term", TERMS)
def test_wwz(term: str) -> None:
    names, bilateral, sectors = peers("wwz_terms", "wwz_bilateral", "wwz_sector_selected")
    k = [str(n).lower() for n in names].index(term)
    ours = wwz_2008()[term].reshape(41, 35, 41)
    close(ours.sum(axis=1), bilateral[..., k])
    close(ours[chosen()], sectors[..., k])


KWW_FROM_WWZ = {
    "dva_fin": ("dva_fin",),
    "dva_int": ("dva_int", "dva_intrexi1"),
    "dva_intrex": ("dva_intrexf", "dva_intrexi2"),
    "rdv_fin": ("rdv_fin", "rdv_fin2"),
    "rdv_int": ("rdv_int",),
    "ddc": ("ddc_fin", "ddc_int"),
    "fva_fin": ("mva_fin", "ova_fin"),
    "fva_int": ("mva_int", "ova_int"),
    "fdc": ("mdc", "odc"),
}


def test_kww_is_the_sum_of_wwz() -> None:
    arrays = kww(model(2008)).arrays
    for term, parts in KWW_FROM_WWZ.items():
        summed = by_exporter(model(2008), sum(wwz_2008()[p] for p in parts).sum(axis=1))
        np.testing.assert_allclose(arrays[term], summed, atol=IDENTITY * float(arrays["gexp"].sum()))


def bilateral(*names: str) -> np.ndarray:
    """Sum of arrays of the two tools by exporter and importer."""
    return np.sum(peers(*(f"{name}_bilateral" for name in names)), axis=0)


def wwz_peers(*names: str) -> np.ndarray:
    known, values = peers("wwz_terms", "wwz_bilateral")
    return np.sum([values[..., [str(n).lower() for n in known].index(name)] for name in names], axis=0)


BORDERS = {
    "first": {
        "dva_home": lambda: bilateral("bm_source_REF1", "bm_source_REF2"),
        "recrossing": lambda: bilateral("bm_source_DDC", "bm_source_FDC", *(f"bm_source_FVA{k}" for k in range(1, 5))),
        "absorbed abroad": lambda: bilateral(*(f"bm_source_VAX{k}" for k in range(1, 5))),
    },
    "last": {
        "va_exporter": lambda: bilateral("bm_sink_VAX1", "bm_sink_VAX2"),
        "va_importer": lambda: wwz_peers("mva_fin", "mva_int"),
        "va_third": lambda: wwz_peers("ova_fin", "ova_int"),
    },
}


def test_first_and_last_borders_are_sums_of_what_two_tools_compute() -> None:
    """Nagengast and Stehrer have no published values of this table; every term is one of other terms, by partner."""
    arrays = {"first": dict(first_border(model(2008)).arrays), "last": dict(last_border(model(2008)).arrays)}
    arrays["first"]["absorbed abroad"] = arrays["first"]["dva_importer"] + arrays["first"]["dva_third"]
    for border, sums in BORDERS.items():
        for name, theirs in sums.items():
            ours = arrays[border][name].reshape(41, 35, 41).sum(axis=1)
            close(ours, theirs(), AGAINST_PEERS * 100)
    # All that is left is re-exported; LUX c5 and c8 export -6 without output.
    rest = bilateral("bm_source_EXGR") - sum(theirs() for theirs in BORDERS["last"].values())
    ours = arrays["last"]["onward"].reshape(41, 35, 41).sum(axis=1)
    lux = model(2008).countries.index("LUX")
    assert np.abs(ours - rest)[np.arange(41) != lux].max() <= AGAINST_PEERS * float(rest.max())


def test_re_exports_by_third_country_sum_to_those_of_an_independent_tool() -> None:
    third = intrex_by_third(model(2008)).arrays
    for name in ("dva_intrexi1", "dva_intrexf", "dva_intrexi2"):
        ours = third[name].sum(axis=2).reshape(41, 35, 41).sum(axis=1)
        close(ours, wwz_peers(name), AGAINST_PEERS * 100)


def test_value_added_in_final_demand_and_losses_of_gdp() -> None:
    """Categories of final demand sum to value added absorbed; taking all exports out costs domestic value added."""
    absorbed = by_category(model(2008)).arrays["vby"].sum(axis=2).reshape(41, 35, 41)
    everything, some = peers("oecd_FD_VA_bilateral", "oecd_FD_VA_sector_selected")
    floor = AGAINST_PEERS * float(everything.max()) * 1e-3
    close(absorbed.sum(axis=1), everything, floor)
    close(absorbed[chosen()], some, floor)
    lost = extraction(model(2008)).arrays
    parts = {
        "gdp_home": ("VAX1", "VAX2", "VAX3", "VAX4", "REF1", "REF2"),
        "gdp_abroad": ("FVA1", "FVA2", "FVA3", "FVA4"),
    }
    for name, terms in parts.items():
        ours = lost[name].reshape(41, 35, 41).sum(axis=1)
        close(ours, bilateral(*(f"bm_source_{term}" for term in terms)), AGAINST_PEERS * 100)


def test_vertical_specialisation() -> None:
    arrays = vertical_specialisation(model(2008), level="bilateral").arrays
    by_pair = {name: values.reshape(41, 35, 41).sum(axis=1) for name, values in arrays.items()}
    foreign = [f"bm_source_{term}" for term in ("FVA1", "FVA2", "FVA3", "FVA4", "FDC")]
    close(by_pair["vs_foreign"], bilateral(*foreign), AGAINST_PEERS * 100)
    close(by_pair["vs"], bilateral(*foreign, "bm_source_DDC"), AGAINST_PEERS * 100)
    close(by_pair["vs1"], peers("oecd_FEXDVAP_bilateral")[0], AGAINST_PEERS * 100)


def test_shares_of_gross_exports_as_published() -> None:
    """In per cent: DVA, VAX, DAVAX, REF, DDC, FVA, FDC, GVC, GVCB, GVCF of 2008."""
    result = tiva.decompose(model(2008)).tiva.shares(percent=True)
    printed = {
        "USA": (84.144, 78.004, 61.126, 6.140, 0.760, 14.946, 0.149, 38.874, 15.856, 23.018),
        "CHN": (76.423, 74.998, 60.602, 1.425, 0.816, 22.463, 0.298, 39.398, 23.577, 15.821),
        "DEU": (71.120, 69.068, 52.221, 2.052, 1.349, 26.960, 0.571, 47.779, 28.880, 18.899),
        "JPN": (81.464, 80.192, 59.687, 1.272, 0.395, 18.044, 0.097, 40.313, 18.536, 21.777),
    }
    names = ("dva", "vax", "davax", "ref", "ddc", "fva", "fdc", "gvc", "gvcb", "gvcf")
    for country, shares in printed.items():
        ours = [float(result[name].sel(exporter=country)) for name in names]
        np.testing.assert_allclose(ours, shares, atol=6e-4)


def test_world_totals_and_their_years() -> None:
    table = model(2008).table
    totals = (model(2008).exports.sum(), table.value_added.sum(), table.output.sum())
    np.testing.assert_allclose(totals, (17336524, 60095206, 122726933), atol=0.5)
    for year, ratio in ((1995, 0.7849), (2008, 0.7061), (2011, 0.7249)):
        world = tiva.decompose(model(year), "vax").sum()
        assert float(world["vax"] / world["gexp"]) == pytest.approx(ratio, abs=5.1e-5)
    kww_ = kww(model(2008)).arrays
    assert kww_["fva_fin"].sum() + kww_["fva_int"].sum() == pytest.approx(3322205, abs=0.6)
    assert float(tiva.decompose(model(2008))["fva"].sum()) == pytest.approx(4500737, abs=0.6)


def test_deficits_of_the_united_states_with_china_gross_and_in_value_added() -> None:
    for year, gross, value in ((1995, 27599, 22543.7), (2011, 237509, 196237.1)):
        pairs = tiva.decompose(model(year), "vax", level="bilateral")
        deficit = pairs.sel(exporter="CHN", importer="USA") - pairs.sel(exporter="USA", importer="CHN")
        assert float(deficit["gexp"]) == pytest.approx(gross, abs=0.5)
        assert float(deficit["vax"]) == pytest.approx(value, abs=0.06)


def test_forward_and_backward_sectors_and_partners() -> None:
    """Value added of USA c14 in all its country's exports, and of all sectors in exports of c14; and by partner."""
    forward = tiva.origins(model(2008), "dva", by="origin_sector", exporter="USA", origin="USA").to_xarray()
    backward = tiva.decompose(model(2008), level="sector", exporter="USA", sector="c14")
    assert float(forward.sel(origin_sector="c14")) == pytest.approx(121587, abs=0.6)
    assert float(backward["dva"].squeeze()) == pytest.approx(176697, abs=0.6)
    pair = tiva.decompose(model(2008), "wwz", level="bilateral").sel(exporter="USA", importer="CHN")
    parts = ("dva_fin", "dva_int", "dva_intrexi1", "dva_intrexf", "dva_intrexi2")
    assert float(sum(pair[name] for name in parts)) == pytest.approx(81604, abs=0.6)


def test_tripartite_shares_of_the_world() -> None:
    arrays = tripartite(model(2008)).arrays
    gross = arrays["gexp"].sum()
    shares = [arrays[t].sum() / gross for t in ("davax", "gvc_pf", "gvc_pb", "gvc_ts")]
    np.testing.assert_allclose(shares, [0.5318, 0.1976, 0.1976, 0.0730], atol=5e-5)
    np.testing.assert_allclose(shares[1], shares[2], rtol=1e-5)
