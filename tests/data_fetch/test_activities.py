from __future__ import annotations

import numpy as np
import pytest

import tiva
from data_fetch.activities import divisions as covered
from data_fetch.activities import for_table, write_sector_map
from data_fetch.margins import COLUMNS, write_margins
from tiva.concordances import sectors
from tiva.errors import ConcordanceError

ICIO45 = tuple(sector.code for sector in sectors("icio45"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("C10", "10"),
        ("C101", "101"),
        ("C10T12", "10 11 12"),
        ("C10-C12", "10 11 12"),
        ("C17_18", "17 18"),
        ("D", "35"),
        ("D35", "35"),
        ("G-I", "45 46 47 49 50 51 52 53 55 56"),
        ("K_X_K66", "64 65"),
        ("E36-F43", "36 37 38 39 41 42 43"),
        ("C34", ""),
        ("", ""),
        ("XYZ", ""),
        ("C10_XYZ", ""),
    ],
)
def test_divisions_of_codes(code, expected):
    assert " ".join(sorted(covered(code))) == expected


def test_aggregates_of_the_business_economy():
    business = covered("B-N") - covered("K") | {"95"}
    assert covered("B-N_S95_X_K") == covered("BTN_95XK") == business
    assert covered("BTNXK") == business - {"95"}
    assert covered("B-S_X_O_S94") == covered("BTS") - {"84", "94"}
    assert covered("BTS") == covered("B-S")


def facts(code: str, values: dict[str, float], variable: str = "va", country: str = "MEX", scheme: str = "NACE2"):
    base = dict.fromkeys(COLUMNS, "") | {
        "country": country, "year": "2011", "sector": code, "sector_scheme": scheme, "band_scheme": "EMP_250",
        "variable": variable, "partner": "WLD", "unit": "LCU_mn", "status": "observed", "source": "test",
    }  # fmt: skip
    rows = [base | {"band": band, "value": repr(value)} for band, value in values.items()]
    return [*rows, base | {"band": "TOTAL", "value": repr(sum(values.values()))}]


def test_the_same_divisions_then_their_parts_then_groups():
    rows = (
        facts("C", {"sme": 40.0, "large": 60.0})
        + facts("C10-C12", {"sme": 5.0, "large": 5.0})
        + facts("C10", {"sme": 3.0, "large": 3.0})
        + facts("C13", {"sme": 1.0, "large": 1.0})
        + facts("C14", {"sme": 1.0, "large": 2.0})
        + facts("C15", {"sme": 1.0, "large": 3.0})
        + facts("C20", {"sme": 2.0, "large": 8.0})
        + facts("C17", {"sme": 2.0, "large": 8.0})
        + facts("C241", {"sme": 2.0, "large": 8.0})
    )
    found = for_table(rows, ICIO45)
    used = {row["sector"] for row in found.rows}
    assert used == {"C", "C10-C12", "C13", "C14", "C15", "C20"}
    links = {(row["from_code"], row["to_code"]) for row in found.sector_map}
    assert ("C10-C12", "C10T12") in links
    assert {code for code, label in links if label == "C13T15"} == {"C13", "C14", "C15", "C"}
    assert {row["to_scheme"] for row in found.sector_map} == {"icio45"}
    (note,) = found.notes
    assert note.startswith("MEX 2011 va: 3 sectors by facts of their own; C for C16, C17_18, ")
    assert "not needed or not complete: C10, C17, C241" in note
    assert "nothing for A01_02, A03" in note


def test_parts_of_several_sectors_and_unknown_codes_are_left_out_and_said():
    rows = facts("C18-C19", {"sme": 1.0, "large": 1.0}) + facts("ICT", {"sme": 1.0, "large": 1.0})
    found = for_table(rows, ICIO45)
    assert found.rows == found.sector_map == ()
    assert "across the bounds of sectors: C18-C19" in found.notes[0]
    assert "not known: ICT" in found.notes[0]


def test_confidential_codes_do_not_stand_for_a_sector():
    hidden = [row | {"value": "", "status": "confidential"} for row in facts("C20", {"sme": 1.0, "large": 1.0})[:-1]]
    found = for_table(hidden + facts("C", {"sme": 1.0, "large": 3.0}), ICIO45)
    assert {row["sector"] for row in found.rows} == {"C"}
    assert "without values by band: C20" in found.notes[0]


def test_a_scheme_that_cuts_divisions():
    icio50 = tuple(sector.code for sector in sectors("icio50"))
    found = for_table(facts("C24", {"sme": 1.0, "large": 1.0}) + facts("C301", {"sme": 1.0, "large": 2.0}), icio50)
    links = {(row["from_code"], row["to_code"]) for row in found.sector_map}
    assert links == {("C24", "C24A"), ("C24", "C24B"), ("C301", "C301")}


def test_sectors_without_divisions_of_this_revision_are_refused():
    with pytest.raises(ConcordanceError, match="no exact way"):
        for_table(facts("C", {"sme": 1.0, "large": 1.0}), [sector.code for sector in sectors("wiod35")])
    with pytest.raises(ConcordanceError, match="no known scheme"):
        for_table(facts("C", {"sme": 1.0, "large": 1.0}), tiva.example().sectors)


FITTED = 1e-8
"""Shares of a group are reached by proportional fitting, which stops at this."""


def test_a_table_of_the_scheme_is_split(tmp_path):
    labels = ("C10T12", "C13T15", "C20", "G")
    rng = np.random.default_rng(7)
    flows = rng.uniform(0.5, 1.5, (8, 8))
    table = tiva.IcioTable.from_arrays(
        flows, rng.uniform(20, 40, (8, 2)), countries=("MEX", "USA"), sectors=labels, year=2011
    )
    rows = (
        facts("C10-C12", {"sme": 4.0, "large": 6.0})
        + facts("C13", {"sme": 1.0, "large": 1.0})
        + facts("C14", {"sme": 3.0, "large": 1.0})
        + facts("C15", {"sme": 1.0, "large": 3.0})
        + facts("G", {"sme": 9.0, "large": 1.0})
        + facts("B-N", {"sme": 1.0, "large": 9.0})
    )
    found = for_table(rows, labels)
    file = write_margins(found.rows, tmp_path / "m.csv")
    links = write_sector_map(found.sector_map, tmp_path / "s.csv")
    assert "across the bounds of sectors: B-N" in found.notes[0]  # the table has not all of it
    shares = tiva.prepare_margins(table, tiva.read_margins(file, sector_map=links))
    by_row = {
        (labels[int(position) % 4], shares.bands[0][shares.row_band[row]]): shares.value_added[row]
        for row, position in enumerate(shares.row_table_row)
        if position < 4
    }
    assert by_row["C10T12", "sme"] == pytest.approx(0.4, abs=FITTED)
    assert by_row["C13T15", "sme"] == pytest.approx(0.5, abs=FITTED)  # 5 of 10 in its three divisions
    assert by_row["G", "sme"] == pytest.approx(0.9, abs=FITTED)
    assert ("C20", "sme") not in by_row  # no fact: not split


def test_the_command_writes_margins_and_sector_map_for_a_table(publisher, store, tmp_path, monkeypatch, capsys):
    from dataclasses import replace

    from data_fetch import sdmx
    from data_fetch.cli import main
    from tests.data_fetch.publisher import Page
    from tests.data_fetch.test_sdmx import SAMPLES, SDBS

    text = (SAMPLES / "sdbs_valu.csv").read_text()
    publisher.pages[SDBS + "A.MEX.VALU.C.."] = Page(text.encode())
    publisher.pages[SDBS + "A.MEX.VALU.C20.."] = Page(text.replace(",C,", ",C20,").encode())
    flow = sdmx.flows()["oecd_sdbs"]
    here = replace(flow, provider=replace(flow.provider, endpoint=publisher.address("/rest")))
    monkeypatch.setattr(sdmx, "flows", lambda: {"oecd_sdbs": here})
    monkeypatch.setenv("TIVA_DATA", str(store.root))
    labels = ("C10T12", "C13T15", "C20", "G")
    table = tiva.IcioTable.from_arrays(
        np.ones((8, 8)), np.full((8, 2), 9.0), countries=("MEX", "USA"), sectors=labels, year=2019
    )
    out = tmp_path / "m.csv"
    file = str(table.save(tmp_path / "t.nc"))

    def run(sector: str) -> tuple[object, str, str]:
        words = ["--countries", "MEX", "--years", "2019", "--variables", "va", "--sectors", sector, "--out", str(out)]
        with pytest.raises(SystemExit) as caught:
            main(["margins", "oecd_sdbs", *words, "--table", file])
        return caught.value.code, *capsys.readouterr()

    code, _, err = run("C")
    assert code == 2
    assert "nothing for C10T12, C13T15, C20, G; left out, across the bounds of sectors: C" in err
    assert not out.exists()
    code, said, err = run("C20")
    assert code == 0
    assert "m.csv: 5 facts (4 observed, 1 derived)" in said
    assert "m_sectors.csv: 1 links" in said
    assert "MEX 2019 va: 1 sectors by facts of their own; nothing for C10T12, C13T15, G" in err
    margins = tiva.read_margins(out, sector_map=tmp_path / "m_sectors.csv")
    assert tiva.prepare_margins(table, margins).split.sum() == 1
