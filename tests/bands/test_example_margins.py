"""The embedded margins fit the embedded table, and say what in them is not a fact."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pytest

from tests.bands.toy import residuals
from tiva.bands.example import example_margins
from tiva.bands.prepare import prepare_margins
from tiva.bands.shares import BandShares, Status
from tiva.bands.split import split_by_size
from tiva.bands.totals import FlowTotals
from tiva.examples import example

RECONCILED = 1e-8


@pytest.fixture(scope="module")
def prepared() -> BandShares:
    return prepare_margins(example(), example_margins())


def rows() -> list[dict[str, str]]:
    text = resources.files("tiva.data").joinpath("example_margins.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_every_row_has_source_year_and_status() -> None:
    for row in rows():
        assert row["source"]
        assert 2000 <= int(row["year"]) <= 2025
        assert row["status"]


def test_split_of_the_example_is_possible(prepared: BandShares) -> None:
    totals = FlowTotals.of(example())
    found = residuals(prepared, totals)
    row = prepared.row_table_row
    assert (found.domestic_inputs >= -RECONCILED).all()
    assert (found.home_sales * np.maximum(totals.domestic_sales, 0.0)[row] >= -RECONCILED * totals.output[row]).all()
    assert not prepared.is_proportional


def test_brazil_keeps_its_published_shares(prepared: BandShares) -> None:
    table = example()
    totals = FlowTotals.of(table)
    goods = ("Mining", "Food", "Textiles", "Wood-paper-other", "Chemicals", "Metals-minerals", "Machinery",
             "Electronics", "Vehicles")  # fmt: skip
    row = prepared.row_table_row
    mine = np.array([table.areas[i // len(table.sectors)] == "BRA" for i in row])
    inside = mine & np.isin([table.sectors[i % len(table.sectors)] for i in row], goods)
    for band, exports, added in (("small", 0.02, 0.225), ("medium", 0.06, 0.245), ("large", 0.92, 0.53)):
        chosen = inside & (np.array(prepared.row_label) == band)
        e, va = totals.exports[row[chosen]], totals.value_added[row[chosen]]
        assert prepared.exports[chosen] @ e / e.sum() == pytest.approx(exports, abs=1e-9)
        assert prepared.value_added[chosen] @ va / va.sum() == pytest.approx(added, abs=1e-9)


def test_what_is_imputed_is_said(prepared: BandShares) -> None:
    split = prepared.row_band >= 0
    assert (prepared.status["output"][split] != Status.OBSERVED).all()  # nothing is published by these sectors
    text = "\n".join(f"{r.step} {r.country} {r.message}" for r in prepared.log)
    for country in ("BRA", "MEX", "USA", "CAN", "JPN", "DEU", "FRA", "ITA", "REU"):
        assert f"totals {country} country or group margin spread over sectors" in text
        assert f"assumed {country} no imports by band" in text or country in ("MEX", "REU")
        assert f"unsplit {country} not split" in text
    whole = [c for c, b in zip(prepared.countries, prepared.bands, strict=True) if not b]
    assert whole == ["ROW", "CHN", "ESP", "GBR", "IDN", "IND", "KOR", "TWN"]
    assert any("Sebrae" in s for s in prepared.sources)


def test_published_margins_split_the_table_directly(prepared: BandShares) -> None:
    direct = split_by_size(example(), example_margins())
    assert np.array_equal(direct.shares.exports, prepared.exports)
    assert direct.feasibility.ok
