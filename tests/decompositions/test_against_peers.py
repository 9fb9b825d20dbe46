"""Every method that independent tools compute, against their values on WIOD 2008."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.decompositions.test_borin_mancini import AGAINST_PEERS, IDENTITY, model
from tests.paths import shared
from tiva.decompositions.borin_mancini import DETAIL
from tiva.decompositions.borin_mancini_sink import sink_terms, vaxim
from tiva.decompositions.headline import by_exporter
from tiva.decompositions.kww import kww
from tiva.decompositions.tripartite import tripartite
from tiva.decompositions.world import world_sink, world_source
from tiva.decompositions.wwz import TERMS, wwz
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


def test_tripartite_shares_of_the_world() -> None:
    arrays = tripartite(model(2008)).arrays
    gross = arrays["gexp"].sum()
    shares = [arrays[t].sum() / gross for t in ("davax", "gvc_pf", "gvc_pb", "gvc_ts")]
    np.testing.assert_allclose(shares, [0.5318, 0.1976, 0.1976, 0.0730], atol=5e-5)
    np.testing.assert_allclose(shares[1], shares[2], rtol=1e-5)
