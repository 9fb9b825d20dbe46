"""From the answers of services over the margins file to a table split by size: labels, bands, sectors, statuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import data_fetch
import tiva
from data_fetch.margins import write_margins
from data_fetch.sdmx import SdmxClient
from tests.data_fetch.publisher import Page
from tests.data_fetch.test_margins import TEC, structure
from tests.data_fetch.test_sdmx import SAMPLES, SDBS, serve

MANUFACTURING = (
    "Food", "Textiles", "Wood-paper-other", "Chemicals", "Metals-minerals", "Machinery", "Electronics", "Vehicles",
)  # fmt: skip
BANDS = ("micro", "small", "medium", "large")

FITTED = 1e-8
"""Shares of a group are reached by proportional fitting, which stops at this."""

EXACT = 1e-9
"""Bands add up to the table, relative: rounding only."""


def sector_map(scheme: str, code: str = "C") -> list[dict[str, str]]:
    """The concordance that a user writes for the sectors of the embedded table."""
    return [
        {"from_scheme": scheme, "from_code": code, "to_scheme": "example", "to_code": sector, "weight": "1"}
        for sector in MANUFACTURING
    ]


def shares_of_group(shares: tiva.BandShares, values: np.ndarray, margin: np.ndarray, country: str) -> list[float]:
    """Return the part of each band in a country's manufacturing; ``values`` (n,) are the totals of the sectors."""
    table = tiva.example()
    found = dict.fromkeys(BANDS, 0.0)
    for row, position in enumerate(shares.row_table_row):
        area, sector = divmod(int(position), len(table.sectors))
        if table.countries[area] == country and table.sectors[sector] in MANUFACTURING:
            band = shares.bands[table.countries.index(country)][shares.row_band[row]]
            found[band] += float(margin[row] * values[position])
    total = sum(found.values())
    return [found[band] / total for band in BANDS]


def exports_of(table: tiva.IcioTable) -> np.ndarray:
    """Return (n,) exports: what goes to other countries, for use and for final demand."""
    g, s = len(table.countries), len(table.sectors)
    flows = table.intermediate.reshape(g * s, g, s).sum(axis=2) + table.final_demand.reshape(g * s, g, -1).sum(axis=2)
    home = np.repeat(np.arange(g), s)
    return flows.sum(axis=1) - flows[np.arange(g * s), home]


@pytest.fixture
def oecd(publisher, store, tmp_path) -> Path:
    """A margins file from the OECD's business statistics and trade by enterprise characteristics."""
    more = {"client": SdmxClient(store), "endpoint": publisher.address("/rest"), "sectors": ("C",)}
    serve(publisher, SDBS + "A.MEX.VALU.C..", "sdbs_valu.csv")
    serve(publisher, SDBS + "A.MEX.EMPN.C..", "sdbs_empn.csv")
    structure(publisher, "DSD_TEC_ISIC4", TEC, "OECD.SDD.TPS")
    tec = "/rest/data/OECD.SDD.TPS,DSD_TEC_ISIC4@DF_TEC01,1.1/A..MEX.C.........TUTT_TEC.X."
    serve(publisher, tec, "oecd_tec.csv")
    rows = data_fetch.fetch_margins("oecd_sdbs", ("MEX",), 2019, variables=("va", "employment"), **more)
    rows += data_fetch.fetch_margins("oecd_tec", ("MEX",), 2019, variables=("exports",), **more)
    return write_margins(rows, tmp_path / "band_margins.csv")


def test_the_file_says_status_source_and_what_is_not_known(oecd):
    margins = tiva.read_margins(oecd, sector_map=sector_map("ISIC4"))
    status = {(f.variable, f.band): f.status for f in margins.facts}
    assert status["va", "micro"] == "observed"
    assert status["va", "small"] == status["exports", "micro"] == "derived"
    assert status["exports", "medium"] == "imputed"
    assert status["employment", "small"] == "missing"
    assert status["employment", "medium"] == "confidential"
    assert all(f.source and f.where for f in margins.facts)
    assert all("not verified" in f.note for f in margins.facts if f.variable == "exports")


def test_oecd_margins_split_the_table(oecd):
    table = tiva.example()
    banded = tiva.split_by_size(table, tiva.read_margins(oecd, sector_map=sector_map("ISIC4")))
    shares = banded.shares
    value_added = np.asarray(table.value_added)
    got = shares_of_group(shares, value_added, shares.value_added, "MEX")
    np.testing.assert_allclose(got, [0.1, 0.1, 0.2, 0.6], atol=FITTED)
    got = shares_of_group(shares, exports_of(table), shares.exports, "MEX")
    np.testing.assert_allclose(got, np.array([5, 10, 20, 55]) / 90, atol=FITTED)
    by_size = tiva.decompose(banded, level="sector", exporter=["MEX"])["gexp"].sum("size")
    whole = tiva.decompose(table, level="sector", exporter=["MEX"])["gexp"]
    np.testing.assert_allclose(by_size, whole, rtol=EXACT)


def test_what_was_assumed_is_in_the_log(oecd):
    log = tiva.split_by_size(tiva.example(), tiva.read_margins(oecd, sector_map=sector_map("ISIC4"))).shares.log_frame()
    said = "\n".join(f"{row.step} {row.variable}: {row.message}" for row in log.itertuples())
    assert "read va: facts of 2019 stand for 2011" in said
    assert "confidential employment: hidden bands small, medium" in said
    assert "country or group margin spread over sectors by proportional fitting: Food, Textiles" in said
    assert "unsplit : not split, no shares in output or value added: Agriculture, Mining" in said
    assert not (log["step"] == "reconcile").any()


def test_eurostat_margins_split_the_table(publisher, store, tmp_path):
    text = (
        (SAMPLES / "eurostat_sbs.csv")
        .read_text()
        .replace(",EL,", ",ES,")
        .replace("TOTAL,ES,2022,1000", "TOTAL,ES,2022,2000")
    )
    structure(publisher, "SBS_SC_OVW", ("freq", "indic_sbs", "nace_r2", "size_emp", "geo"))
    publisher.pages["/rest/data/ESTAT,SBS_SC_OVW,1.0/A.AV_MEUR.C..ES"] = Page(text.encode())
    structure(publisher, "EXT_TEC01", ("freq", "stk_flow", "nace_r2", "sizeclas", "partner", "unit", "geo"))
    serve(publisher, "/rest/data/ESTAT,EXT_TEC01,1.0/A.EXP.C..WORLD.THS_EUR.ES", "eurostat_tec.csv")
    more = {"client": SdmxClient(store), "endpoint": publisher.address("/rest"), "sectors": ("C",)}
    rows = data_fetch.fetch_margins("eurostat_sbs", ("ESP",), 2022, variables=("va",), **more)
    rows += data_fetch.fetch_margins("eurostat_tec", ("ESP",), 2021, variables=("exports",), **more)
    file = write_margins(rows, tmp_path / "band_margins.csv")
    table = tiva.example()
    shares = tiva.split_by_size(table, tiva.read_margins(file, sector_map=sector_map("NACE2"))).shares
    got = shares_of_group(shares, np.asarray(table.value_added), shares.value_added, "ESP")
    np.testing.assert_allclose(got, np.array([250, 250, 300, 1200]) / 2000, atol=FITTED)
    got = shares_of_group(shares, exports_of(table), shares.exports, "ESP")
    np.testing.assert_allclose(got, np.array([100, 300, 500, 1090]) / 1990, atol=FITTED)
    said = " ".join(shares.log_frame()["message"])
    assert "unknown size class (0.5%) spread over the bands in proportion" in said
    assert all(
        "not verified: size classes other than TOTAL" in row["note"] for row in rows if row["variable"] == "exports"
    )


def test_a_sector_without_concordance_is_named(oecd):
    with pytest.raises(tiva.errors.MarginError, match="unknown sector 'C'"):
        tiva.split_by_size(tiva.example(), tiva.read_margins(oecd))
