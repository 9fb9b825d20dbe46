from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import tiva
from tests import brute_force
from tests.decompositions.test_borin_mancini import AGAINST_PEERS, IDENTITY, model
from tests.paths import shared
from tests.tables import Oddities, random_table
from tiva.decompositions.oecd import direct_content, oecd, services_content
from tiva.kernels.arrays import FloatArray
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

CODES = (
    "EXGR", "EXGR_FNL", "EXGR_INT", "EXGR_DVA", "EXGR_DDC", "EXGR_IDC", "EXGR_RIM", "EXGR_FVA", "IMGR", "IMGR_FNL",
    "IMGR_INT", "BALGR", "FFD_DVA", "DFD_FVA", "BALVAFD", "FD_VA", "DXD_DVA", "DEXFVAP", "FEXDVAP",
    "DOM", "DOM_FNL", "DOM_INT", "REF",
)  # fmt: skip

ANCHORS = {
    "EXGR_DVA": (1392849.447, 1220451.554, 1210485.522), "EXGR_DDC": (809968.899, 508045.041, 690178.982),
    "EXGR_FVA": (247643.553, 359639.446, 459869.478), "FEXDVAP": (491533.043, 324708.766, 412737.823),
    "IMGR_DVA": (113192.577, 35409.287, 56801.053), "REII": (262718.816, 377502.718, 492609.697),
    "FFD_DVA": (1279656.870, 1185042.267, 1153684.470), "DFD_FVA": (1975340.870, 768640.267, 804555.470),
}  # fmt: skip
"""USA, China, Germany 2008, million USD."""

SERVICES = (798848.193, 414160.523, 556555.044)
"""Value added of the domestic industries c17 to c35 in their exports: USA, China, Germany 2008, million USD."""

ROUNDING = 1e-10
"""Against explicit inverses, relative to the largest value."""

PRINTED = 1e-3
"""The anchors are printed to three decimals."""


@cache
def oecd_2008() -> dict[str, FloatArray]:
    return oecd(model(2008)).arrays


@pytest.mark.parametrize("code", CODES)
def test_equal_to_an_independent_tool(code: str) -> None:
    ours = oecd_2008()[code]
    with np.load(shared("reference/wiod2008_peers.npz"), allow_pickle=False) as peers:
        bilateral = peers[f"oecd_{code}_bilateral"]
        sectors = peers[f"oecd_{code}_sector_selected"]
        chosen = [model(2008).countries.index(c) for c in peers["selected_exporters"]]
    floor = AGAINST_PEERS * max(1.0, float(np.abs(bilateral).max()) * 1e-6)
    np.testing.assert_allclose(ours.sum(axis=1), bilateral, rtol=AGAINST_PEERS, atol=floor)
    np.testing.assert_allclose(ours[chosen], sectors, rtol=AGAINST_PEERS, atol=floor)


@pytest.mark.parametrize("code", list(ANCHORS))
def test_anchors(code: str) -> None:
    for country, anchor in zip(("USA", "CHN", "DEU"), ANCHORS[code], strict=True):
        position = model(2008).countries.index(country)
        assert oecd_2008()[code][position].sum() == pytest.approx(anchor, abs=PRINTED)


def test_services_in_exports() -> None:
    from_trade = np.isin(np.array(model(2008).sectors), [f"c{i}" for i in range(17, 36)])[model(2008).row_sector]
    rows = services_content(model(2008), from_trade)
    for country, anchor in zip(("USA", "CHN", "DEU"), SERVICES, strict=True):
        own = model(2008).row_country == model(2008).countries.index(country)
        assert rows["EXGR_SERV_DVA"][own].sum() == pytest.approx(anchor, abs=PRINTED)
    # The OECD's services are ISIC G to T: construction and utilities are not among them.
    known = np.array([int(s[1:]) >= 19 for s in model(2008).sectors])[model(2008).row_sector]
    exact = np.where(known, model(2008).value_added, 0.0) @ model(2008).apply_inverse(model(2008).exports)
    ours = oecd_2008()["EXGR_SERV_DVA"] + oecd_2008()["EXGR_SERV_FVA"]
    np.testing.assert_allclose(ours.sum(axis=(0, 1)), exact, rtol=AGAINST_PEERS)


def explicit() -> tuple[LeontiefModel, brute_force.Economy]:
    table = random_table(3, 4, 3, Oddities(netted=(7,), negative_inventories=3))
    return LeontiefModel(table), brute_force.economy(table)


def test_exports_by_final_absorber_and_embodied_imports() -> None:
    """Exports by where they end; imports of inputs that the exports of the importer need, by who sells them."""
    model_, e = explicit()
    arrays = oecd(model_).arrays
    scale = float(arrays["EXGR"].max())
    for s in range(e.g):
        for absorber in range(e.g):
            passed = sum(e.aa(s, r) @ e.by[e.blocks[r], absorber] for r in e.others(s))
            final = e.yy(s, absorber) if absorber != s else np.zeros(len(passed))
            np.testing.assert_allclose(arrays["EXGRY_INT"][s, :, absorber], passed, atol=ROUNDING * scale)
            np.testing.assert_allclose(arrays["EXGRY"][s, :, absorber], passed + final, atol=ROUNDING * scale)
            needed = e.aa(absorber, s) @ e.bb(s, s) @ e.exports(s) if absorber != s else np.zeros(3)
            np.testing.assert_allclose(arrays["REII"][s, :, absorber], needed, atol=ROUNDING * scale)
    exports = arrays["EXGR"].sum(axis=2).ravel()[model_.output != 0]
    np.testing.assert_allclose(arrays["EXGRY"].sum(axis=2).ravel()[model_.output != 0], exports, atol=ROUNDING * scale)


def test_value_added_by_category_of_final_demand() -> None:
    """One category at a time through an explicit inverse; consumption and capital formation where they are known."""
    table = tiva.example()
    e, result = brute_force.economy(table), tiva.decompose(table, "vby", level="sector-bilateral")
    indicators = tiva.decompose(table, "oecd", level="sector-bilateral")
    for k, category in enumerate(table.final_demand_categories):
        exact = (e.v[:, None] * (e.b @ table.final_demand[:, :, k])).reshape(17, 15, 17)
        ours = result["vby"].sel(final_demand=category)
        np.testing.assert_allclose(ours, exact, atol=ROUNDING * float(np.abs(exact).max()))
    categories = result["vby"].final_demand
    for name, members in (("CONS_VA", ["HFCE", "NPISH", "GGFC"]), ("GFCF_VA", ["GFCF"])):
        part = result["vby"].sel(final_demand=categories.isin(members)).sum("final_demand")
        np.testing.assert_allclose(indicators[name], part, rtol=AGAINST_PEERS, atol=AGAINST_PEERS)
    every = result["vby"].sum("final_demand")
    np.testing.assert_allclose(indicators["FD_VA"], every, rtol=AGAINST_PEERS, atol=AGAINST_PEERS)


def test_what_the_table_cannot_tell_is_left_out_and_said() -> None:
    result = tiva.decompose(random_table(1), "oecd")
    assert not {"CONS_VA", "GFCF_VA", "EXGR_SERV_DVA"} & set(result.data_vars)
    assert "CONS_VA and GFCF_VA left out" in result.attrs["notes"]
    assert "services are not known" in result.attrs["notes"]


def test_production_and_value_added_by_industry(example: IcioTable) -> None:
    result = tiva.decompose(example, "oecd", level="sector")
    np.testing.assert_array_equal(result["PROD"].values.ravel(), example.output)
    np.testing.assert_allclose(result["VALU"].values.ravel(), example.value_added, rtol=1e-14)
    total = tiva.decompose(example, "oecd")
    np.testing.assert_allclose(total["VALU"], result["VALU"].sum("sector"))
    # All output is sold at home or exported; all value added is absorbed somewhere.
    np.testing.assert_allclose(result["DOM"] + result["EXGR"], result["PROD"], rtol=AGAINST_PEERS)
    np.testing.assert_allclose(result["FD_VA"], result["VALU"], rtol=AGAINST_PEERS)


@pytest.mark.parametrize("level", ["country", "sector", "bilateral", "sector-bilateral"])
def test_shares_by_their_definition(level: str) -> None:
    """Each share from explicit inverses and loops, by the wording of the guide."""
    model_, e = explicit()
    result = tiva.decompose(model_, "oecd_shares", level=level)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = {name: np.where(np.isfinite(x), x, np.nan) for name, x in explicit_shares(e, 3, level).items()}
    assert set(exact) == set(result.data_vars)
    for name, values in exact.items():
        np.testing.assert_allclose(result[name].values, values, rtol=ROUNDING, atol=ROUNDING, err_msg=name)
        assert result[name].attrs["units"] == "1"
        assert result[name].attrs["additive"] == "false"


def explicit_shares(e: brute_force.Economy, n: int, level: str) -> dict[str, np.ndarray]:
    """Shares of an economy with n sectors; flows (reporter, industry, partner) are summed before they are divided."""
    flow = {
        name: np.zeros((e.g, n, e.g))
        for name in (
            "x",
            "xf",
            "xi",
            "dva",
            "dvaf",
            "dvai",
            "fva",
            "m",
            "mi",
            "mdva",
            "reii",
            "ffd",
            "dfd",
            "dex",
            "fex",
            "fd",
        )
    }
    for c in range(e.g):
        dc, fc = e.content([c], c, e.b), e.content(e.others(c), c, e.b)
        for p in range(e.g):
            made = e.vv(c) * e.by[e.blocks[c], p]
            flow["fd"][c, :, p] = made
            if p == c:
                continue
            x, xf = e.export(c, p), e.yy(c, p)
            flow["x"][c, :, p], flow["xf"][c, :, p], flow["xi"][c, :, p] = x, xf, x - xf
            flow["dva"][c, :, p], flow["dvaf"][c, :, p], flow["dvai"][c, :, p] = dc * x, dc * xf, dc * (x - xf)
            flow["fva"][c, :, p] = fc * x
            flow["m"][c, :, p], flow["mi"][c, :, p] = e.export(p, c), e.export(p, c) - e.yy(p, c)
            flow["mdva"][c, :, p] = e.content([c], p, e.b) * e.export(p, c)
            flow["reii"][c, :, p] = e.aa(p, c) @ e.bb(c, c) @ e.exports(c)
            flow["ffd"][c, :, p], flow["dfd"][c, :, p] = made, e.vv(p) * e.by[e.blocks[p], c]
            flow["dex"][c, :, p] = e.content([p], c, e.b) * e.exports(c)
            flow["fex"][c, :, p] = e.content([c], p, e.b) * e.exports(p)
    gone = tuple(axis for axis, there in ((1, "sector" in level), (2, "bilateral" in level)) if not there)
    f = {name: values.sum(axis=gone) for name, values in flow.items()}
    exports = flow["x"].sum(axis=(1, 2)).reshape(-1, *(1,) * (f["x"].ndim - 1))
    out = {
        "EXGR_DVASH": f["dva"] / f["x"], "EXGR_FVASH": f["fva"] / f["x"], "EXGR_FNLDVASH": f["dvaf"] / f["xf"],
        "EXGR_INTDVASH": f["dvai"] / f["xi"], "IMGR_DVASH": f["mdva"] / f["m"], "IMGRINT_REII": f["reii"] / f["mi"],
    }  # fmt: skip
    if "bilateral" not in level:
        made, output = (e.v * e.x).reshape(e.g, n), e.x.reshape(e.g, n)
        made, output = (made, output) if "sector" in level else (made.sum(axis=1), output.sum(axis=1))
        out |= {"PROD_VASH": made / output, "VALU_FFDDVA": f["ffd"] / made, "EXGR_TDVAIND": f["dva"] / exports,
                "EXGR_TFVAIND": f["fva"] / exports, "EXGR_DVAFXSH": f["fex"] / exports}  # fmt: skip
        return out
    whole = {"EXGRPSH": "x", "EXGR_DVAPSH": "dva", "EXGR_FNLDVAPSH": "dvaf", "EXGR_INTDVAPSH": "dvai", "IMGRPSH": "m",
             "FFD_DVAPSH": "ffd", "DFD_FVAPSH": "dfd"}  # fmt: skip
    out |= {name: f[key] / f[key].sum(axis=-1, keepdims=True) for name, key in whole.items()}
    out["DEXFVAPSH"] = f["dex"] / f["x"].sum(axis=-1, keepdims=True)
    out["FEXDVAPSH"] = f["fex"] / exports
    out["FD_VASH"] = f["fd"] / flow["fd"].sum(axis=(0, 1))
    return out


def test_backward_and_forward_shares_add_up_over_partners(example: IcioTable) -> None:
    by_partner = tiva.decompose(example, "oecd_shares", level="bilateral")
    total = tiva.decompose(example, "oecd_shares")
    np.testing.assert_allclose(by_partner["DEXFVAPSH"].sum("importer"), total["EXGR_FVASH"], rtol=AGAINST_PEERS)
    np.testing.assert_allclose(by_partner["FEXDVAPSH"].sum("importer"), total["EXGR_DVAFXSH"], rtol=AGAINST_PEERS)
    for name in ("FD_VASH", "CONS_VASH", "GFCF_VASH"):
        np.testing.assert_allclose(by_partner[name].sum("exporter"), 1.0)


@pytest.mark.parametrize("groups", [{"UNION": ("C0", "C2")}, None])
def test_direct_value_added_is_that_of_the_industry_of_all_members(groups: dict[str, tuple[str, ...]] | None) -> None:
    table = random_table(9)
    model_, e = LeontiefModel(table, groups=groups), brute_force.economy(table, groups)
    ours = direct_content(model_)
    assert e.cells is not None
    for rows in e.cells:
        np.testing.assert_allclose(ours[rows], e.v[rows] @ e.local[np.ix_(rows, rows)], rtol=ROUNDING)
    said = any("members of a group" in note for note in oecd(model_).notes)
    assert said == (groups is not None)


def test_value_added_balance_is_the_gross_balance(example: IcioTable) -> None:
    # On a table without zero-output sectors: their netted exports are in the gross balance only.
    arrays = oecd(LeontiefModel(example)).arrays
    gross = arrays["BALGR"].sum(axis=(1, 2))
    np.testing.assert_allclose(arrays["BALVAFD"].sum(axis=(1, 2)), gross, atol=IDENTITY * arrays["EXGR"].sum())
