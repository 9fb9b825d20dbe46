"""Every name of the dictionary against what its tool computes, by explicit modified inverses."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr

import tiva
from tests import brute_force
from tests.decompositions.test_borin_mancini import model as wiod
from tests.tables import Oddities, random_table
from tests.tools import Tools
from tiva.errors import UnknownLabelError, UsageError
from tiva.model.leontief import LeontiefModel
from tiva.terms import LEVELS, Method, methods
from tiva.vocabulary import OURS, TOOLS, Entry, Formula, lookup, vocabulary

ROUNDING = 1e-9
"""Against explicit inverses, relative to the largest value of a name."""

DIMS = ("origin", "exporter", "sector", "importer")

Case = tuple[Method, str, bool]

CASES: list[Case] = [
    (row, level, detail)
    for row in methods()
    for level in row.levels
    for detail in ([False, True] if row.detail_terms else [False])
]


@cache
def model() -> LeontiefModel:
    return LeontiefModel(random_table(5, 4, 3, Oddities(negative_inventories=2)))


@cache
def tools() -> Tools:
    return Tools(model().table)


@cache
def result(row: Method, level: str, detail: bool = False) -> xr.Dataset:
    options = {name: getattr(row, name) for name in ("perspective", "approach", "perimeter") if getattr(row, name)}
    return tiva.decompose(model(), row.method, level=level, detail=detail, **options)


def options_of(row: Method) -> dict[str, str]:
    return {name: getattr(row, name) for name in ("method", "perspective", "approach", "perimeter")}


def holding(tool: str, case: Case) -> dict[str, list[Entry]]:
    """Rows of the dictionary that hold for a result, by name."""
    row, level, _ = case
    found: dict[str, list[Entry]] = {}
    for entry in vocabulary():
        if entry.tool == tool and entry.expression and entry.fits(options_of(row)) and entry.at(level):
            found.setdefault(entry.name, []).append(entry)
    return found


def compared(tool: str, case: Case) -> set[Entry]:
    """Compare a translation with the tool's own numbers; return the rows of the dictionary that were."""
    row, level, _ = case
    entries = holding(tool, case)
    terms = set(result(*case).data_vars)
    if not any(set(e.formula.codes) <= terms for own in entries.values() for e in own):
        return set()
    translated = tiva.translate(result(*case), tool)
    for name in translated.data_vars:
        for entry in entries[str(name)]:
            theirs = tools().named(tool, entry.output, row, level)
            key = "FDC of decompr" if (tool, entry.output, name) == ("decompr", "kww", "FDC") else str(name)
            values = translated[name].transpose(*[d for d in DIMS if d in translated[name].dims]).to_numpy()
            scale = max(float(np.nanmax(np.abs(theirs[key]))), 1.0)
            np.testing.assert_allclose(
                values, theirs[key], rtol=ROUNDING, atol=ROUNDING * scale, err_msg=f"{tool} {name} {entry}"
            )
    return {entry for name in translated.data_vars for entry in entries[str(name)]}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_name_is_what_the_tool_computes(tool: str) -> None:
    covered = set().union(*(compared(tool, case) for case in CASES if holding(tool, case)))
    every = {entry for entry in vocabulary() if entry.tool == tool and entry.expression}
    services = {entry for entry in every if "SERV" in entry.name}
    assert covered
    assert every - covered == services


def test_services_of_the_oecd_are_known_where_sectors_are() -> None:
    levels = tiva.translate(tiva.decompose(wiod(2008), "oecd"), "oecd")
    shares = tiva.translate(tiva.decompose(wiod(2008), "oecd_shares"), "oecd")
    v, b, e = wiod(2008).value_added, wiod(2008).apply_inverse(np.eye(1435)), wiod(2008).exports.sum(axis=1)
    made = (np.where(wiod(2008).row_sector >= 18, v, 0.0)[:, None] * b * e).reshape(41, 35, 41, 35).sum(axis=(1, 3))
    own, gross = np.diag(made), e.reshape(41, 35).sum(axis=1)
    np.testing.assert_allclose(levels["EXGR_SERV_DVA"], own, rtol=ROUNDING)
    np.testing.assert_allclose(shares["EXGR_SERV_DVASH"], 100 * own / gross, rtol=ROUNDING)
    np.testing.assert_allclose(shares["EXGR_SERV_FVASH"], 100 * (made.sum(axis=0) - own) / gross, rtol=ROUNDING)


def test_what_decompr_takes_as_the_rest_where_flows_have_no_cause() -> None:
    table = random_table(11, 4, 3, Oddities(netted=(7,), negative_inventories=2))
    theirs = Tools(table)
    row = next(r for r in methods() if r.method == "kww")
    ours = tiva.decompose(table, "kww")
    assert float(abs(ours["discrepancy"]).max()) < ROUNDING  # netted over partners: nothing is missing in total
    np.testing.assert_allclose(
        tiva.translate(ours, "decompr")["FDC"], theirs.named("decompr", "kww", row, "country")["FDC of decompr"]
    )
    wwz = tiva.decompose(table, "wwz", level="sector-bilateral")
    named = tiva.translate(wwz, "decompr")
    checks = theirs.named("decompr", "wwz", row, "sector-bilateral")
    assert float(abs(named["texpdiff"]).max()) == pytest.approx(0.7)
    for name in ("texpdiff", "texpdiffpercent"):
        np.testing.assert_allclose(named[name], checks[name], atol=ROUNDING)


def test_every_row_reads_and_speaks_of_terms_that_a_method_has() -> None:
    every = {t for row in methods() for t in (*row.terms, *row.detail_terms)} | {"discrepancy"}
    for entry in vocabulary():
        assert entry.tool in {OURS, *TOOLS}
        assert set(entry.level) <= set(LEVELS)
        if entry.expression:
            assert set(entry.formula.codes) <= every, entry
            assert any(entry.fits(options_of(row)) and set(entry.method) & {row.method} for row in methods()), entry
        else:
            assert entry.remark, entry


def test_coarse_terms_are_sums_of_the_finer_ones() -> None:
    done = set()
    for row, level, detail in CASES:
        if not detail:
            continue
        coarse, fine = result(row, level), tiva.translate(result(row, level, True), OURS)
        for name in set(coarse.data_vars) & {e.name for e in vocabulary() if e.tool == OURS}:
            np.testing.assert_allclose(fine[name], coarse[name], rtol=ROUNDING, atol=ROUNDING)
            done.add((name, row.approach))
    assert done == {(e.name, approach) for e in vocabulary() if e.tool == OURS for approach in e.approach}


@pytest.mark.parametrize("tool", TOOLS)
def test_there_and_back(tool: str) -> None:
    """What is one name there is read back as what it was; nothing else comes back."""
    done = 0
    for case in CASES:
        if not holding(tool, case):
            continue
        named = tiva.translate(result(*case), tool)
        try:
            back = tiva.translate(named, OURS)
        except UsageError:
            used = [e for own in holding(tool, case).values() for e in own if e.name in named]
            assert not [e for e in used if len(e.formula.codes) == 1 and not e.formula.below]
            continue
        whole = {**tiva.translate(result(*case), OURS).data_vars}
        for name in back.data_vars:
            scale = max(float(abs(whole[name]).max()), 1.0)
            assert float(abs(back[name] - whole[name]).max()) <= ROUNDING * scale, (tool, case, name)
            done += 1
    assert done


def test_names_without_an_equal_have_none() -> None:
    """What the reasons say: numbers that differ, labels that are exchanged, names that collide."""
    theirs, e = tools(), tools().e
    output = theirs.gvcanalyzer_output("country")
    ours = tiva.decompose(model(), "output_based")
    home_once = [sum(e.vv(j) @ e.ll(j) @ e.aa(j, s) @ e.ll(s) for j in e.others(s)) @ e.yy(s, s) for s in range(e.g)]
    np.testing.assert_allclose(output["GVC_TSImp"] - ours["gvc_ts_imported"], home_once, rtol=ROUNDING)
    assert (ours["domestic"] - output["DomX"] > ROUNDING).all()
    bm = tiva.decompose(model(), level="bilateral")
    wwz = tiva.decompose(model(), "wwz", level="bilateral")
    for name, parts in (("fva", "mva_fin mva_int ova_fin ova_int"), ("fdc", "mdc odc")):
        gap = abs(bm[name] - sum(wwz[part] for part in parts.split()))
        assert float(gap.max()) > 1e-3 * float(bm["gexp"].max())
    fd = tiva.decompose(model(), "oecd", level="bilateral")["FD_VA"]
    guide = np.array([[e.vv(p) @ e.by[e.blocks[p], c] for p in range(e.g)] for c in range(e.g)])
    np.testing.assert_allclose(fd.transpose("importer", "exporter"), guide, rtol=ROUNDING)
    assert float(abs(fd - guide).max()) > 1e-3 * float(fd.max())


def test_forward_names_are_origins() -> None:
    """The call that a reason names gives what the paper and the tool mean."""
    e = tools().e
    made = np.zeros((e.g, 3, e.g))
    for s, r in e.pairs():
        made[s, :, r] = e.vv(s) * (e.ll(s) @ e.export(s, r))
    ours = tiva.origins(model(), "dva", by=("exporter", "origin_sector", "importer")).to_xarray()
    ours = ours.transpose("exporter", "origin_sector", "importer")
    np.testing.assert_allclose(ours, made, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("row", methods(), ids=Method.describe)
def test_no_name_has_two_meanings_in_one_result(row: Method) -> None:
    for tool in TOOLS:
        for level in row.levels:
            for own in holding(tool, (row, level, False)).values():
                assert len({entry.expression for entry in own}) == 1, own


def test_lookup_by_their_name_and_by_ours() -> None:
    assert {entry.expression for entry in lookup("fva_fin1", "exvatools")} == {"mva_fin"}
    assert {entry.name for entry in lookup("vax4", "ksreyes")} == {"rex2 + rex3", "gvc_prod"}
    assert {entry.tool for entry in lookup("texpdiff")} == {"decompr"}
    assert any("exchanged" in e.remark for e in lookup("OVA_FIN", "exvatools"))
    with pytest.raises(UnknownLabelError, match="DVA_FIN"):
        lookup("DVA_FINN", "kww")
    with pytest.raises(UnknownLabelError, match=r"(?s)unknown vocabulary 'statta'.*did you mean 'stata'"):
        lookup("fva", "statta")


@pytest.mark.parametrize(
    ("text", "value"),
    [("a", 2.0), ("a + b", 5.0), ("a - b", -1.0), ("100 a", 200.0), ("- b", -3.0), ("a / b", 2 / 3),
     ("100 a / b", 200 / 3), ("(a - b) / a", -0.5), ("1.5 a + b", 6.0)],
)  # fmt: skip
def test_formulas(text: str, value: float) -> None:
    terms = {"a": xr.DataArray(2.0), "b": xr.DataArray(3.0)}
    assert float(Formula.of(text).value(terms)) == pytest.approx(value)


def test_formulas_that_are_none_and_zero_denominators() -> None:
    for text in ("", "a *", "3", "a + + b"):
        with pytest.raises(ValueError) as caught:
            Formula.of(text)
        assert str(caught.value) == text
    assert np.isnan(float(Formula.of("a / b").value({"a": xr.DataArray(1.0), "b": xr.DataArray(0.0)})))


def test_brute_force_and_tools_are_the_same_table() -> None:
    np.testing.assert_allclose(tools().at(brute_force.gross_exports(tools().e), "sector-bilateral"),
                               tiva.decompose(model(), level="sector-bilateral")["gexp"])  # fmt: skip
