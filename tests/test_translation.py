"""Translations against values of other tools under their own names: WIOD 2008, and the table of leather."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

import tiva
from tests.decompositions.test_borin_mancini import AGAINST_PEERS
from tests.decompositions.test_borin_mancini import model as wiod
from tests.paths import shared
from tests.reference.test_small_tables import PRINTED, kept, leather
from tests.tables import Oddities, odd_tables, random_table
from tiva.errors import TivaError, UnknownLabelError, UnsupportedCombinationError, UsageError
from tiva.table.icio_table import IcioTable
from tiva.vocabulary import TOOLS

ROUNDING = 1e-10
"""Sums of the same products in another order, relative to gross exports."""

PEER_BLOCKS = {
    "wwz": ("decompr", "wwz", {}, ""),
    "bm_source": ("exvatools", "bm", {"approach": "source"}, "bm_source_"),
    "bm_sink": ("exvatools", "bm", {"approach": "sink"}, "bm_sink_"),
    "miroudot_ye": ("exvatools", "my", {"perimeter": "country"}, "miroudot_ye_"),
    "oecd": ("exvatools", "oecd", {}, "oecd_"),
}
"""Block of the reference values -> tool, our method and options, prefix of the arrays."""


def close(ours: Any, theirs: Any, tolerance: float = AGAINST_PEERS, scale: float | None = None) -> None:
    floor = tolerance * max(1.0, 1e-6 * float(np.nanmax(np.abs(theirs)))) if scale is None else tolerance * scale
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=floor)


def notes_of(result: Any) -> str:
    notes = result.attrs["notes"]
    return " | ".join(json.loads(notes) if isinstance(notes, str) else notes)


@cache
def peers(block: str) -> xr.Dataset:
    """Values of a tool for every pair, a variable under each of its names."""
    prefix = PEER_BLOCKS[block][3]
    with np.load(shared("reference/wiod2008_peers.npz"), allow_pickle=False) as data:
        if block == "wwz":
            arrays = {str(name): data["wwz_bilateral"][..., k] for k, name in enumerate(data["wwz_terms"])}
        else:
            names = [k for k in data.files if k.startswith(prefix) and k.endswith("_bilateral")]
            arrays = {name.removeprefix(prefix).removesuffix("_bilateral"): data[name] for name in names}
        countries = [str(c) for c in data["countries"]]
    coords = {"exporter": countries, "importer": countries}
    return xr.Dataset({name: (("exporter", "importer"), values) for name, values in arrays.items()}, coords)


@cache
def ours(block: str, level: str = "bilateral", detail: bool = False) -> xr.Dataset:
    _, method, options, _ = PEER_BLOCKS[block]
    return tiva.decompose(wiod(2008), method, level=level, detail=detail, **options)


@pytest.mark.parametrize("block", PEER_BLOCKS)
def test_our_results_under_a_tools_names_are_its_values(block: str) -> None:
    theirs = peers(block)
    named = tiva.translate(ours(block, detail=block.startswith("bm")), PEER_BLOCKS[block][0])
    assert set(theirs.data_vars) <= set(named.data_vars)
    for name in theirs.data_vars:
        close(named[name], theirs[name])


@pytest.mark.parametrize("block", PEER_BLOCKS)
def test_a_tools_values_under_our_names_are_ours(block: str) -> None:
    tool, method, options, _ = PEER_BLOCKS[block]
    read = tiva.translate(peers(block), "tiva", source=tool, method=method, level="bilateral", **options)
    mine = ours(block, detail=block.startswith("bm"))
    assert len(read.data_vars) == len(peers(block).data_vars)
    for name in read.data_vars:
        close(read[name], mine[name])
        assert read[name].attrs["long_name"] == mine[name].attrs["long_name"]
    assert read.attrs["method"] == method


def test_from_one_tool_to_another() -> None:
    """Sink terms of exvatools under the names of Stata and R, and the OECD's codes."""
    close(
        tiva.translate(peers("bm_sink"), "stata", source="exvatools", method="bm", approach="sink")["DVA"],
        ours("bm_sink")["dva"],
    )
    source = tiva.translate(peers("bm_source"), "icio", source="exvatools", method="bm", level="bilateral")
    assert list(source.data_vars) == [
        "GEXP", "DC", "DVA", "VAX", "DAVAX", "REF", "DDC", "FC", "FVA", "FDC", "GVC", "GVCB", "GVCF",
    ]  # fmt: skip
    for name in source.data_vars:
        close(source[name], ours("bm_source")[str(name).lower()])
    codes = tiva.translate(peers("bm_source"), "oecd", source="exvatools", method="bm", level="bilateral")
    for name in ("EXGR", "EXGR_DVA", "EXGR_RIM", "EXGR_FVA"):
        close(codes[name], peers("oecd")[name])
    assert "FFD_DVA" not in codes
    assert "FFD_DVA (equal at level country only)" in notes_of(codes)


def test_reflection_of_the_oecd_block_is_reflection_in_sum_only() -> None:
    reflected = ours("bm_source")["ref"]
    close(peers("oecd")["REF"].sum("importer"), reflected.sum("importer"))
    assert float(abs(peers("oecd")["REF"] - reflected).max()) > 0.1 * float(reflected.max())
    named = tiva.translate(ours("oecd"), "exvatools")
    assert "no reflection" in named["REF"].attrs["remark"]


def nine_of_decompr() -> pd.DataFrame:
    with np.load(shared("reference/wiod2008_peers.npz"), allow_pickle=False) as data:
        frame = pd.DataFrame(data["kww"], columns=[str(n) for n in data["kww_terms"]])
        frame.insert(0, "Country", [str(c) for c in data["countries"]])
    return frame


def test_nine_terms_of_decompr_with_its_rest() -> None:
    theirs = nine_of_decompr()
    mine = tiva.decompose(wiod(2008), "kww")
    named = tiva.translate(mine, "decompr")
    for name in theirs.columns[1:]:
        close(named[name], theirs[name], scale=100)
    missed = float(abs(mine["discrepancy"]).max())
    assert missed > 1  # two sectors of Luxembourg export without output
    assert float(abs(named["FDC"] - mine["fdc"]).max()) == pytest.approx(missed)
    read = tiva.translate(theirs, "tiva", source="decompr", method="kww", level="country")
    assert list(read.columns) == ["Country", *(str(name).lower() for name in theirs.columns[1:])]
    assert "FDC of decompr: the rest of gross exports" in notes_of(read)


@pytest.mark.parametrize("tool", ["decompr", "exvatools"])
def test_nine_terms_from_a_frame_with_sixteen(tool: str) -> None:
    """Table E2 of Wang, Wei and Zhu from the values of a tool, against those of another method of it."""
    sixteen = peers("wwz").sum("importer")
    if tool == "exvatools":
        as_ours = tiva.translate(sixteen, "tiva", source="decompr", method="wwz", level="country")
        sixteen = tiva.translate(as_ours, "exvatools")
        assert "FVA_FIN1" in sixteen
    frame = sixteen.to_dataframe().reset_index()
    frame.attrs = {}
    kww = tiva.translate(frame, "kww", source=tool, method="wwz", level="country")
    theirs = nine_of_decompr()
    assert list(kww["exporter"]) == list(theirs["Country"])
    for name in theirs.columns[1:]:
        own = theirs["Country"] != "LUX" if name == "FDC" else slice(None)  # the ninth is the rest there
        close(kww.loc[own, name], theirs.loc[own, name], scale=100)


def test_sixteen_terms_of_leather_become_nine() -> None:
    theirs = kept("leather")["peer_matched"]
    frame = pd.DataFrame({name: np.asarray(values).ravel() for name, values in theirs["wwz"].items()})
    frame.insert(0, "Exporting_Country", np.repeat(leather().countries, 9))
    kww = tiva.translate(
        frame.groupby("Exporting_Country", sort=False).sum().reset_index(), "kww", source="decompr", method="wwz",
        level="country",
    )  # fmt: skip
    np.testing.assert_allclose(kww.iloc[:, 1:].to_numpy(), theirs["kww"], rtol=1e-8)
    with pytest.raises(UsageError, match=r"(?s)hold for country totals only.*level 'sector-bilateral'.*add up"):
        tiva.translate(frame, "kww", source="decompr", method="wwz", level="sector-bilateral")
    with pytest.raises(UsageError, match=r"(?s)hold for country totals only.*got: no level.*say its level"):
        tiva.translate(frame, "kww", source="decompr", method="wwz")


PRINTED_BY_ICIO = """
ARG 64.3 53.689956 52.817562 46.732088 34.798770 6.0854735 .87239493 10.610044 10.434837 .17520634 29.501230 11.482438 18.018791
TUR 113.6 92.461753 89.824817 77.341444 65.503601 12.483373 2.6369363 21.138247 20.555642 .58260497 48.096399 23.775183 24.321216
DEU 147.6 111.290583 106.842403 96.719142 89.316889 10.123261 4.4481800 36.309417 35.064888 1.2445290 58.283111 40.757597 17.525514
"""  # noqa: E501 - a printed table
"""GEXP DC DVA VAX DAVAX REF DDC FC FVA FDC GVC GVCB GVCF of leather, as R and Julia print it."""

VAS = {"importer": ([81.2, 112.5, 131.8], [79.632328, 108.719674, 127.148340], [1.5676723, 3.7803258, 4.6516603])}


@pytest.mark.parametrize("tool", ["stata", "icio", "decompr", "gvcjl"])
def test_printed_values_of_leather_under_their_names(tool: str) -> None:
    rows = [line.split() for line in PRINTED_BY_ICIO.strip().splitlines()]
    named = tiva.translate(tiva.decompose(leather()), tool)
    terms = list(named.data_vars)[:13]
    for row in rows:
        values = [float(named[name].sel(exporter=row[0])) for name in terms]
        np.testing.assert_allclose(values, [float(x) for x in row[1:]], rtol=1e-7)
    for approach, fva in (("source", [8.8520769, 18.493923, 32.519522]), ("sink", [8.4718265, 18.265189, 33.128506])):
        seen = tiva.translate(tiva.decompose(leather(), perspective="world", approach=approach), tool)
        np.testing.assert_allclose(seen["fva" if tool == "gvcjl" else "FVA"], fva, rtol=PRINTED)
    bought = tiva.translate(tiva.decompose(leather(), perspective="importer"), tool)
    for name, values in zip(list(bought.data_vars), (VAS["importer"][0], *VAS["importer"][1:]), strict=True):
        np.testing.assert_allclose(bought[name], values, rtol=PRINTED)


def test_printed_values_of_smaller_tools() -> None:
    """i2e and e2r of gvc (its own tests, to three digits), output components of gvcAnalyzer."""
    bm = tiva.translate(tiva.decompose(leather(), level="sector"), "gvc")["i2e"].to_numpy().ravel()
    np.testing.assert_allclose(bm[[0, 8]], [3.404712, 25.397173], rtol=1e-6)
    vs = tiva.translate(tiva.decompose(leather(), "vs", level="sector"), "gvc")["e2r"].to_numpy().ravel()
    np.testing.assert_allclose(vs[[0, 8]], [11.9471938, 4.9233020], rtol=2e-3)
    output = tiva.translate(tiva.decompose(leather(), "output_based"), "gvcanalyzer").sel(exporter="ARG")
    for name, value in {"GVC_PF_X": 18.018791, "GVC_PB_X": 6.2772967, "GVC_TSDom": 6.1261396, "X_total": 155}.items():
        assert float(output[name]) == pytest.approx(value, rel=PRINTED)
    parts = tiva.translate(tiva.decompose(leather(), "tripartite", level="bilateral"), "gvcanalyzer")
    flow = parts.sel(exporter="ARG", importer="TUR")
    for name, value in {"GVC_PF": 6.7085379, "GVC_TS": 1.30722252, "GVC_PB": 2.2019603}.items():
        assert float(flow[name]) == pytest.approx(value, rel=PRINTED)


@settings(max_examples=10, deadline=None)
@given(table=odd_tables())
def test_nine_terms_from_sixteen_and_from_the_sink(table: IcioTable) -> None:
    kww = tiva.translate(tiva.decompose(table, "kww"), "kww")
    wwz = tiva.translate(tiva.decompose(table, "wwz", level="country"), "kww")
    sink = tiva.translate(tiva.decompose(table, approach="sink", detail=True), "kww")
    scale = float(tiva.decompose(table)["gexp"].max())
    assert [name for name in kww.data_vars if name in wwz] == list(wwz.data_vars)
    assert len(wwz.data_vars) == 10
    for name in wwz.data_vars:
        assert float(abs(wwz[name] - kww[name]).max()) <= ROUNDING * scale
    for name in sink.data_vars:
        theirs = sum((kww[part.strip()] for part in str(name).split("+")), xr.zeros_like(kww["DDC"]))
        assert float(abs(sink[name] - theirs).max()) <= ROUNDING * scale


def test_a_translation_says_what_it_is() -> None:
    result = tiva.decompose(random_table(2), level="bilateral")
    icio = tiva.translate(result, "icio")
    assert icio.attrs["vocabulary"] == "icio"
    assert icio["DVA"].attrs == {**result["dva"].attrs, "formula": "dva"}
    assert "VAXIM (of bm exporter sink at level bilateral|sector-bilateral)" in notes_of(icio)
    oecd = tiva.translate(result, "oecd")
    assert oecd["EXGR_DVASH"].attrs["units"] == "percent"
    assert oecd["EXGR_DVASH"].attrs["additive"] == "false"
    assert oecd["EXGR_DDC + EXGR_IDC"].attrs["additive"] == "true"
    assert "FFD_DVA (equal at level country only)" in notes_of(oecd)
    assert "terms without a name in oecd: vax, davax, ref, fva, fdc, gvc, gvcb, gvcf" in notes_of(oecd)
    again = tiva.translate(icio, "tiva")
    for name in ("gexp", "dva", "fdc", "gvcf"):
        xr.testing.assert_equal(again[name], result[name])
    coarse = tiva.translate(result, "exvatools")
    assert "VAX1, VAX2, VAX3, VAX4, REF1, REF2, FVA1, FVA2, FVA3, FVA4 (needs the finer terms, detail=True)" in (
        notes_of(coarse)
    )


def test_a_translation_prints_sums_and_is_written(example: IcioTable, tmp_path: Any) -> None:
    result = tiva.decompose(example)
    stata = tiva.translate(result, "stata")
    table = stata.tiva.breakdown(exporter="MEX")
    cells = {(c.term, c.unit): c.cells[0] for c in table.columns}
    assert ("GEXP", "million USD") in cells
    assert cells["DVA", "%"] == "70.58"
    summed = stata.tiva.sum_groups({"NA": ["USA", "CAN"]})
    assert float(summed["DVA"].sel(exporter="NA")) == float(result["dva"].sel(exporter=["USA", "CAN"]).sum())
    shares = stata.tiva.shares(percent=True)
    assert float(shares["DVA"].sel(exporter="MEX")) == pytest.approx(70.58, abs=0.005)
    with pytest.raises(UsageError, match="no gross flow"):
        tiva.translate(tiva.decompose(example, "vax"), "gvc").tiva.shares()
    for suffix in ("csv", "nc", "parquet", "dta", "xlsx", "json"):
        stata.tiva.write(tmp_path / f"r.{suffix}")
    assert list(pd.read_csv(tmp_path / "r.csv").columns) == ["exporter", *stata.data_vars]
    assert list(pd.read_stata(tmp_path / "r.dta").columns) == ["exporter", *stata.data_vars]
    shares = tiva.translate(tiva.decompose(example, "oecd_shares"), "oecd")
    mine = tiva.decompose(example, "oecd_shares")
    np.testing.assert_allclose(shares["EXGR_DVASH"], 100 * mine["EXGR_DVASH"])
    assert shares["EXGR_DVASH"].attrs["long_name"] == mine["EXGR_DVASH"].attrs["long_name"]
    assert "fractions of one" in notes_of(mine)
    assert "fractions of one" not in notes_of(shares)
    assert "IMGRPSH, FFD_DVAPSH, DFD_FVAPSH, DEXFVAPSH, FEXDVAPSH, " in notes_of(shares)
    assert notes_of(shares).count("(needs terms that are not here: ") == 1
    assert str(shares.tiva.breakdown()).count("percent; EXGR_DVASH: Domestic value added share") == 1


def test_sums_of_finer_terms_add_up_where_these_do(example: IcioTable) -> None:
    detailed = tiva.translate(tiva.decompose(example, detail=True), "stata")
    coarse = tiva.translate(tiva.decompose(example), "stata")
    assert set(detailed.data_vars) == set(coarse.data_vars)
    for name in coarse.data_vars:
        assert detailed[name].attrs["additive"] == "true"
        assert detailed[name].attrs["units"] == "million USD"
        np.testing.assert_allclose(detailed[name], coarse[name], rtol=1e-9)
    assert detailed.tiva.sum_groups("NAFTA")["FVA"].sizes["exporter"] == 15
    own = tiva.decompose(example, perspective="self", perimeter="bilateral", level="bilateral")
    named = tiva.translate(own, "stata")
    assert {v.attrs["additive"] for v in named.data_vars.values()} == {"false"}
    with pytest.raises(UnsupportedCombinationError, match="may not be summed"):
        named.tiva.sum_groups("NAFTA")


def test_frames_and_mappings() -> None:
    mine = tiva.decompose(random_table(2), level="sector")
    frame = mine.tiva.tidy()
    stata = tiva.translate(frame, "stata", source="tiva", method="bm", level="sector")
    assert list(stata.columns[:4]) == ["exporter", "sector", "GEXP", "DC"]
    np.testing.assert_array_equal(stata["DVA"], frame["dva"])
    assert "discrepancy" not in stata
    back = tiva.translate(stata, "tiva")
    np.testing.assert_array_equal(back["gvcf"], frame["gvcf"])
    one = tiva.translate({"GEXP": 64.3, "DVA": 52.8}, "oecd", source="stata", method="bm")
    assert one["EXGR"].tolist() == [64.3]
    several = tiva.translate({"E": [1.0, 2.0], "MVA_FIN": [0.1, 0.2], "who": ["a", "b"]}, "exvatools", source="wwz",
                             method="wwz")  # fmt: skip
    assert several.to_dict("list") == {"who": ["a", "b"], "EXGR": [1.0, 2.0], "FVA_FIN1": [0.1, 0.2],
                                       "MVA_FIN": [0.1, 0.2]}  # fmt: skip


def test_what_is_in_no_term_is_told_where_it_is_not_rounding() -> None:
    whole = tiva.decompose(random_table(2))
    assert "discrepancy" in whole
    assert "without a name" not in notes_of(tiva.translate(whole, "stata"))
    netted = tiva.decompose(random_table(2, oddities=Oddities(netted=(4,))), level="bilateral")
    assert "terms without a name in stata: discrepancy" in notes_of(tiva.translate(netted, "stata"))
    frame = netted.drop_attrs().to_dataframe().reset_index()
    assert "terms without a name in stata: discrepancy" in notes_of(tiva.translate(frame, "stata", method="bm"))


def test_names_of_a_table_that_are_not_read_are_named() -> None:
    theirs = pd.DataFrame({"EXGR": [5.0], "FVA_FIN1": [1.0], "OVA_FIN": [2.0], "DVA": [3.0], "note": ["x"]})
    read = tiva.translate(theirs, "tiva", source="exvatools", method="wwz")
    assert list(read.columns) == ["note", "gexp", "mva_fin"]
    assert 'not read: OVA_FIN (output="terms2" has the two exchanged' in notes_of(read)
    assert "not read: DVA (more than one of our terms: dva_fin + dva_int" in notes_of(read)


def test_satellites_split_countries_and_groups_keep_their_units(example: IcioTable) -> None:
    jobs = np.arange(1.0, example.n + 1)
    result = tiva.decompose(example, satellite=jobs, groups="NAFTA")
    named = tiva.translate(result, "stata")
    np.testing.assert_array_equal(named["DVA"].sel(exporter="NAFTA"), result["dva"].sel(exporter="NAFTA"))
    assert named["DVA"].attrs["units"] == result["dva"].attrs["units"]
    assert named.attrs["gross_flow"] == ""
    assert "terms without a name in stata: content" in notes_of(named)
    assert not [c for c in named.tiva.breakdown().columns if c.unit == "%"]
    assert "NAFTA acts as one country" in notes_of(named)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (({"DVA": 1.0}, "stata"), UsageError, "does not say what it is.*source= and method="),
        (({"DVA": 1.0}, "stata", "exvatools"), UsageError, "does not say what it is.*one of bm, headline"),
        (({"DVAA": 1.0}, "tiva", "stata", "bm"), UsageError, "nothing here can be read.*'stata'.*DVAA.*GEXP"),
        (({"DVA": 1.0}, "tiva", "stata", "bmm"), UnknownLabelError, "unknown method 'bmm'.*did you mean 'bm'"),
        (({"DVA": 1.0}, "tiva", "statta", "bm"), UnknownLabelError, "unknown vocabulary 'statta'.*'stata'"),
        (({"DVA": 1.0}, "statta", "stata", "bm"), UnknownLabelError, "unknown vocabulary 'statta'"),
        (
            ({"DVA_FIN": 1.0}, "ksreyes", "decompr", "wwz"),
            UnsupportedCombinationError,
            "'ksreyes' has no names.*ksreyes: bm exporter source.*these terms: ",
        ),
        (({"DVA": ["x"]}, "oecd", "stata", "bm"), UsageError, "column 'DVA' holds no numbers"),
        ((pd.DataFrame([[1, 2]], columns=["DVA", "DVA"]), "tiva", "stata", "bm"), UsageError, "two columns have one"),
        (([1.0], "stata"), UsageError, "as a dataset, a frame or a mapping.*list"),
    ],
)  # fmt: skip
def test_refused_tables(arguments: tuple[Any, ...], error: type[TivaError], text: str) -> None:
    result, to, *rest = arguments
    options = dict(zip(("source", "method"), rest, strict=False))
    with pytest.raises(error, match=f"(?s){text}"):
        tiva.translate(result, to, **options)


def test_refused_results(example: IcioTable) -> None:
    with pytest.raises(UnsupportedCombinationError, match=r"(?s)no names for these terms.*method=kww.*ksreyes: bm"):
        tiva.translate(tiva.decompose(example, "kww"), "ksreyes")
    with pytest.raises(UsageError, match="country totals only"):
        tiva.translate(tiva.decompose(example, "wwz", level="sector"), "kww")
    with pytest.raises(UsageError, match=r"(?s)says itself what it is.*got: method=wwz.*method=bm"):
        tiva.translate(tiva.decompose(example), "kww", method="wwz")
    with pytest.raises(UnsupportedCombinationError, match="no names for these terms"):
        tiva.translate(tiva.origins(example, "fva").to_dataset(), "stata")
    only = tiva.decompose(example)[["gvc"]]
    with pytest.raises(UsageError, match=r"(?s)no name of 'oecd' can be formed.*got: gvc.*gexp, dc"):
        tiva.translate(only, "oecd")


def test_every_vocabulary_is_documented() -> None:
    assert all(f'"{tool}"' in (tiva.translate.__doc__ or "") for tool in TOOLS)
