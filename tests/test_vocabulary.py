from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

import tiva
from tests.paths import shared
from tests.tables import odd_tables, random_table
from tiva.errors import UnknownLabelError, UnsupportedCombinationError, UsageError
from tiva.table.icio_table import IcioTable
from tiva.terms import Method, methods
from tiva.vocabulary import TOOLS, lookup, translate, vocabulary

ROUNDING = 1e-10
"""Sums of the same products in another order, relative to gross exports."""


def close(ours: xr.DataArray, theirs: xr.DataArray, scale: float) -> None:
    assert float(abs(ours - theirs).max()) <= ROUNDING * scale


def test_every_row_speaks_of_terms_that_a_method_has() -> None:
    for entry in vocabulary():
        rows = [
            row
            for row in methods()
            if row.method == entry.method
            and entry.perspective in {"", row.perspective}
            and entry.approach in {"", row.approach}
        ]
        assert any(set(entry.codes) <= {*row.terms, *row.detail_terms} for row in rows), entry
        assert entry.tool in TOOLS
        assert entry.level in {"", "country"}


@pytest.mark.parametrize("row", methods(), ids=lambda row: row.describe())
def test_no_name_has_two_meanings_in_one_result(row: Method) -> None:
    options = (row.method, row.perspective, row.approach)
    for tool in TOOLS:
        names = [
            e.name
            for e in vocabulary()
            if e.tool == tool
            and e.method == options[0]
            and e.perspective in {"", options[1]}
            and e.approach in {"", options[2]}
            and set(e.codes) <= {*row.terms}
        ]
        assert len(names) == len(set(names))


@settings(max_examples=10, deadline=None)
@given(table=odd_tables())
def test_nine_terms_from_sixteen_and_from_the_sink(table: IcioTable) -> None:
    kww = translate(tiva.decompose(table, "kww"), "kww")
    wwz = translate(tiva.decompose(table, "wwz", level="country"), "kww")
    sink = translate(tiva.decompose(table, approach="sink", detail=True), "kww")
    scale = float(tiva.decompose(table)["gexp"].max())
    assert list(wwz.data_vars) == list(kww.data_vars)
    for name in kww.data_vars:
        close(wwz[name], kww[name], scale)
    for name in sink.data_vars:
        close(sink[name], sum((kww[part.strip()] for part in str(name).split("+")), xr.zeros_like(kww["DDC"])), scale)


def test_nine_terms_from_sixteen_hold_for_countries_only() -> None:
    table = random_table(1)
    by_sector = tiva.decompose(table, "wwz", level="sector")
    with pytest.raises(UsageError, match="country totals only"):
        translate(by_sector, "kww")
    v, b = _system(table)
    via = (v[:3] @ b[:3, 3:6]) * table.final_demand_by_absorber[3:6, 1]
    ours = (by_sector["dva_int"] + by_sector["dva_intrexi1"]).sel(exporter="C0")
    assert abs(float(ours[0]) - float(via[0])) > 1e-3 * float(ours[0])


def _system(table: IcioTable) -> tuple[np.ndarray, np.ndarray]:
    return table.value_added / table.output, np.linalg.inv(np.eye(table.n) - table.intermediate / table.output)


def test_names_of_decompr_equal_its_values() -> None:
    leather = json.loads(shared("reference/small_tables.json").read_text(encoding="utf-8"))["leather"]
    table = IcioTable.from_arrays(
        leather["Z"], leather["Y"], countries=leather["countries"], sectors=leather["sectors"]
    )
    ours = translate(tiva.decompose(table, "wwz", level="sector-bilateral"), "decompr")
    theirs = leather["peer_matched"]["wwz"]
    assert set(theirs) == set(ours.data_vars)
    for name, values in theirs.items():
        flat = ours[name].transpose("exporter", "sector", "importer").to_numpy().reshape(9, 3)
        np.testing.assert_allclose(flat, np.asarray(values).reshape(9, 3), rtol=1e-8, atol=1e-9)


def test_result_says_what_was_done() -> None:
    result = tiva.decompose(random_table(2), level="bilateral")
    icio = translate(result, "icio")
    assert list(icio.data_vars) == [
        "GEXP",
        "DC",
        "DVA",
        "VAX",
        "DAVAX",
        "REF",
        "DDC",
        "FC",
        "FVA",
        "FDC",
        "GVC",
        "GVCB",
        "GVCF",
    ]
    assert icio.attrs["vocabulary"] == "icio"
    assert icio["DVA"].attrs["units"] == result["dva"].attrs["units"]
    oecd = translate(result, "oecd")
    assert "FFD_DVA" not in oecd
    assert "FFD_DVA" in oecd.attrs["notes"]
    np.testing.assert_array_equal(oecd["EXGR_DVA"], result["dc"])


def test_lookup_by_their_name_and_by_ours() -> None:
    assert {entry.expression for entry in lookup("fva_fin1", "exvatools")} == {"mva_fin"}
    assert {entry.name for entry in lookup("vax4", "ksreyes")} == {"rex2 + rex3"}
    with pytest.raises(UnknownLabelError, match="DVA_FIN"):
        lookup("DVA_FINN", "kww")
    with pytest.raises(UnknownLabelError, match="unknown vocabulary"):
        lookup("fva", "stata")


def test_refused_translations() -> None:
    with pytest.raises(UnsupportedCombinationError, match="ksreyes"):
        translate(tiva.decompose(random_table(3), "kww"), "ksreyes")
    with pytest.raises(UnknownLabelError, match="decompr"):
        translate(tiva.decompose(random_table(3)), "decomp")
