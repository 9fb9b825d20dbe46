from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.bands.worlds import BANDS, toy_shares, two_countries
from tiva.bands.split import BandedTable, split_by_size
from tiva.errors import UnknownLabelError, UsageError
from tiva.results.export import read_dataset, write_dataset
from tiva.results.size_report import NO_EMPLOYMENT, SizeReport
from tiva.results.size_text import PROPORTIONAL, coverage_lines
from tiva.results.tables import breakdown
from tiva.table.icio_table import IcioTable

SALES = "sales to producers by band are"
"""Where they are not known, every interval but that of the margins says so."""

SIX_DIGITS = 1e-6
"""The worked examples are printed with six digits."""


@pytest.fixture(scope="module")
def banded(example: IcioTable) -> BandedTable:
    return tiva.split_by_size(example, tiva.example_margins())


@pytest.fixture(scope="module")
def report(banded: BandedTable) -> SizeReport:
    return tiva.size_report(banded, ["BRA", "MEX"], draws=8)


@pytest.fixture(scope="module")
def toy() -> BandedTable:
    table = two_countries()
    return split_by_size(table, toy_shares(table, "N", "S"))


def test_worked_example(toy: BandedTable) -> None:
    found = tiva.size_report(toy, "S", intervals=False)
    of = found.exports.sel(exporter="S")
    sme, lar = (of.sel(size=band) for band in BANDS)
    assert float(sme["exports_direct"]) == pytest.approx(5.5, abs=SIX_DIGITS)
    assert [float(b["dva_direct"]) for b in (sme, lar)] == pytest.approx([2.55, 11.7], abs=SIX_DIGITS)
    assert [float(b["dva"]) for b in (sme, lar)] == pytest.approx([11.508370, 15.832560], abs=SIX_DIGITS)
    matrix = found.matrix["indirect"].sel(exporter="S", origin_size=list(BANDS), size=list(BANDS)).values
    assert matrix == pytest.approx(np.array([[1.201172, 7.757198], [0.548566, 3.583994]]), abs=SIX_DIGITS)
    assert float(found.correction["dva_correction"].sel(exporter="S")) == pytest.approx(-1.149635, abs=SIX_DIGITS)
    text = str(found)
    for number in ("5.50", "2.55", "11.51", "7.757", "-1.150"):
        assert number in text, number


def test_two_bands_have_no_middle(toy: BandedTable) -> None:
    found = tiva.size_report(toy, "S", intervals=False)
    assert found.middle is None
    assert any("three are needed" in note for note in found.notes)
    assert "Missing middle" not in str(found)


def test_every_table_says_coverage(report: SizeReport) -> None:
    tables = report.tables()
    assert len(tables) == 9
    for table in tables:
        said = " ".join(table.footer)
        assert "% of exports in split sectors; margins" in said, table.title
        assert "observed" in said
        assert str(table)
        assert table._repr_html_().count("<tr>") == len(table.labels) + 1


def test_indirect_exports_are_the_rows_of_the_matrix(report: SizeReport) -> None:
    sums = report.matrix["indirect"].sum("size", min_count=1).rename(origin_size="size")
    np.testing.assert_allclose(sums, report.exports["dva_indirect"], rtol=1e-10)
    for country in report.countries:
        table = next(t for t in report.tables() if t.title.startswith(f"Who exports for whom, {country}"))
        cells = np.array([c.values for c in table.columns if c.term.startswith("through ")])
        np.testing.assert_allclose(cells.sum(0), next(c.values for c in table.columns if c.term == "sum"))


def test_coverage_is_that_of_the_flows(toy: BandedTable, banded: BandedTable, report: SizeReport) -> None:
    half = split_by_size(toy.source, toy_shares(toy.source, "S"))
    assert coverage_lines(tiva.size_report(half, "S", intervals=False).exports)[0] == (
        "coverage S: 100 % of exports in split sectors; margins 100 % observed, 0 % derived, 0 % imputed, "
        "0 % assumed, 0 % not split"
    )
    assert "not split by size (no margins): N" in coverage_lines(tiva.decompose(half))
    known = json.loads(report.exports.attrs["coverage_by_exporter"])
    shares, table = banded.shares, banded.source
    exports = (table.intermediate.sum(axis=1) + table.final_demand_by_absorber.sum(axis=1)).reshape(17, 15)
    g = table.countries.index("MEX")
    block = slice(15 * g, 15 * g + 15)
    home = table.intermediate[block, block].sum(axis=1) + table.final_demand_by_absorber[block, g]
    sold = exports[g] - home
    assert known["MEX"]["split"] == pytest.approx(sold[shares.split[block]].sum() / sold.sum())
    assert sum(v for k, v in known["MEX"].items() if k != "split") == pytest.approx(1.0)


def test_results_by_size_carry_coverage(banded: BandedTable, example: IcioTable) -> None:
    split = tiva.decompose(banded, exporter=["BRA", "MEX"])
    assert "of exports in split sectors" in split.attrs["coverage"]
    assert any(line.startswith("coverage MEX: ") for line in breakdown(split).footer)
    many = breakdown(tiva.decompose(banded)).footer
    assert any("BRA 82/2" in line for line in many)
    plain = tiva.decompose(example)
    assert "coverage" not in plain.attrs
    assert coverage_lines(plain) == ()


def test_a_proportional_split_is_named(toy: BandedTable) -> None:
    found = tiva.size_report(split_by_size(toy.source, toy.shares, method="proportional"), "S")
    assert PROPORTIONAL in " ".join(found.tables()[0].footer)
    assert found.statuses["S", "sme"] == "assumed"
    assert any("margin_interval of S is not available" in note for note in found.notes)


def test_intervals_are_labelled(report: SizeReport) -> None:
    kinds = [i.kind for i in report.intervals if i.country == "MEX" and i.bands == ("small", "medium")]
    assert kinds == ["margin Monte Carlo", "model interval", "coupling sensitivity", "identified set"]
    by_kind = {i.kind: i for i in report.intervals if i.country == "MEX" and i.bands == ("small", "medium")}
    widest = by_kind["identified set"]
    for one in by_kind.values():
        assert one.estimate == pytest.approx(float(report.exports["dva_share"].sel(
            exporter="MEX", size=["small", "medium"]).sum()))  # fmt: skip
        assert widest.lower <= one.estimate <= widest.upper
        assert one.lower < one.upper
    for band in ("small", "medium", "large"):
        assert report.interval("MEX", band) is not None
    assert report.interval("MEX", "all") is None
    text = str(report)
    assert "not a confidence interval" in text
    for one in report.intervals:
        assert (SALES in one.meaning) is (one.kind != "margin Monte Carlo")
    assert "inner approximation" in text
    frame = report.interval_frame()
    assert len(frame) == len(report.intervals) == 14
    assert set(frame["bands"]) == {"small+medium", "small", "medium", "large"}


def test_known_sales_to_producers_leave_no_caution(toy: BandedTable) -> None:
    known = split_by_size(toy.source, toy_shares(toy.source, "S", producers=True))
    found = tiva.size_report(known, "S", draws=4)
    assert len(found.intervals) == 5
    assert not any(SALES in one.meaning for one in found.intervals)


def test_intervals_of_many_countries_are_left_out_aloud(banded: BandedTable) -> None:
    found = tiva.size_report(banded)
    assert found.intervals == ()
    assert found.countries == ("REU", "BRA", "CAN", "DEU", "FRA", "ITA", "JPN", "MEX", "USA")
    assert any("intervals were not computed" in note for note in found.notes)
    assert found.middle is not None
    assert found.middle["exporter"].values.tolist() == ["REU", "BRA", "MEX"]


def test_assumptions_are_those_of_the_countries(report: SizeReport) -> None:
    assert {r.country for r in report.log} == {"BRA", "MEX"}
    text = str(report)
    for word in ("hidden bands medium, large", "example_margins.csv line 5", "not split, no shares", "Sebrae", "INEGI"):
        assert word in text, word
    assert NO_EMPLOYMENT in text


def test_json_and_dataset_hold_the_numbers(report: SizeReport, tmp_path: Path) -> None:
    said = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    row = next(r for r in said["by_size"] if r["exporter"] == "MEX" and r["size"] == "small")
    assert row["dva"] == float(report.exports["dva"].sel(exporter="MEX", size="small"))
    assert row["status"] == "assumed"
    assert len(said["by_size"]) == 8
    assert len(said["who_exports_for_whom"]) >= 2 * 16
    assert {r["exporter"] for r in said["missing_middle"]} == {"BRA", "MEX"}
    again = read_dataset(write_dataset(report.to_dataset(), tmp_path / "r.nc"))
    np.testing.assert_array_equal(again["indirect"], report.matrix["indirect"])
    assert len(json.loads(again.attrs["intervals"])) == 14


def test_it_prints_well(report: SizeReport) -> None:
    assert repr(report) == "<SizeReport: BRA, MEX; WIOD 2013 release 2011 by firm size; 14 intervals>"
    assert max(map(len, str(report).split("What was assumed")[0].splitlines())) <= 110
    page = report.to_html()
    assert page.count("<table>") == len(report.tables())
    assert "nan" not in page


def test_mistakes(banded: BandedTable, example: IcioTable) -> None:
    with pytest.raises(UnknownLabelError, match="did you mean 'MEX'"):
        tiva.size_report(banded, "MXE")
    with pytest.raises(UsageError, match="CHN is not split by firm size"):
        tiva.size_report(banded, "CHN")
    with pytest.raises(UsageError, match="split it first"):
        tiva.size_report(example)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no country of this table is split"):
        tiva.size_report(split_by_size(example, tiva.BandShares.unsplit(example)))
    with pytest.raises(UsageError, match="draws"):
        tiva.size_report(banded, "MEX", draws=1)
    with pytest.raises(UsageError, match="no country to report"):
        tiva.size_report(banded, [])


def test_shares_are_shown_in_one_line(banded: BandedTable) -> None:
    text = repr(banded.shares)
    assert "countries split: 9 of 17 (REU, BRA" in text
    assert "country-sectors split: 115 of 255" in text
    assert "imputed" in text
    assert "nan" not in text
    assert len(text) < 500
    page = banded.shares._repr_html_()
    assert page.startswith("<table>")
    assert "115 of 255" in page
    assert "bands: none" in repr(tiva.BandShares.unsplit(banded.source))
