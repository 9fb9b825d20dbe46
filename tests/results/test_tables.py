from __future__ import annotations

import io

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

import tiva
from tiva.errors import UnknownLabelError, UsageError
from tiva.results.tables import breakdown, partition
from tiva.table.icio_table import IcioTable
from tiva.terms import methods

PRINTED = 0.5
"""Amounts are printed without decimals."""


def small(**attrs: str) -> xr.Dataset:
    units = {"units": "million USD", "additive": "true"}
    values = {
        "gexp": [100.0, 3000.0, 0.0, 50.0],
        "dva": [60.0, 2400.0, 0.0, 25.0],
        "ddc": [10.0, 0.0, 0.0, 0.0],
        "fva": [20.0, 600.0, 0.0, 20.0],
        "fdc": [10.0, 0.0, 0.0, 0.0],
        "discrepancy": [0.0, 0.0, 0.0, 5.0],
    }
    return xr.Dataset(
        {name: (("exporter",), v, {**units, "long_name": name.upper()}) for name, v in values.items()},
        {"exporter": ["A", "B", "C", "D"]},
        {"title": "T", "method": "bm", "perspective": "exporter", "approach": "source", "perimeter": "country",
         "level": "country", "identity_residual": 2.5e-16, **attrs},
    )  # fmt: skip


def test_the_whole_text() -> None:
    assert (
        str(breakdown(small()))
        == """\
T

exporter         gexp    dva  ddc  fva  fdc  discrepancy    dva    ddc    fva    fdc  discrepancy
          million USD                                         %
-------------------------------------------------------------------------------------------------
B               3,000  2,400    0  600    0            0  80.00   0.00  20.00   0.00         0.00
A                 100     60   10   20   10            0  60.00  10.00  20.00  10.00         0.00
D                  50     25    0   20    0            5  50.00   0.00  40.00   0.00        10.00
-------------------------------------------------------------------------------------------------
total           3,150  2,485   10  640   10            5  78.89   0.32  20.32   0.32         0.16

amounts in million USD, shares in % of gexp; gexp: GEXP, dva: DVA, ddc: DDC, fva: FVA, fdc: FDC, discrepancy:
  DISCREPANCY
identity residual: 2.5e-16 of gexp (what the terms miss, all rows of the result)"""
    )


def test_small_rows_are_summed_in_one() -> None:
    table = breakdown(small(), rows=1)
    assert [label[0] for label in table.labels] == ["B", "2 more"]
    assert table.columns[0].values.tolist() == [3000.0, 150.0]
    assert table.columns[0].total == 3150.0
    assert "2 smaller rows are summed in one row: 4.76 % of gexp" in str(table)


def test_terms_that_may_not_be_summed_have_no_totals() -> None:
    table = breakdown(small(additive="false"), rows=1)
    assert [label[0] for label in table.labels] == ["B"]
    assert table.total_label == ""
    assert "2 smaller rows are not shown" in str(table)
    assert "may not be summed" in str(table)


@pytest.mark.parametrize("level", ["country", "sector", "bilateral", "sector-bilateral"])
def test_every_level_is_sorted_and_adds_up(example: IcioTable, level: str) -> None:
    result = tiva.decompose(example, level=level)
    table = breakdown(result, rows=30)
    assert table.keys == tuple(result["gexp"].dims)
    gross = next(c for c in table.columns if c.term == "gexp")
    body = gross.values[:-1] if "more" in table.labels[-1][0] else gross.values
    assert (np.diff(body) <= 0).all()
    assert body[0] == float(result["gexp"].max())
    for column in table.columns:
        if column.unit != "%":
            assert column.values.sum() == pytest.approx(float(result[column.term].sum()))
        else:
            share = 100 * float(result[column.term].sum()) / float(result["gexp"].sum())
            assert column.total == pytest.approx(share)
    assert "identity residual" in str(table)
    lines = str(table).splitlines()
    assert max(map(len, lines)) <= 110
    first = result["gexp"].to_series().idxmax()
    labels = (first,) if isinstance(first, str) else first
    assert any(all(label in line for label in labels) for line in lines)


def test_every_method_prints(example: IcioTable) -> None:
    model = tiva.LeontiefModel(example)
    for row in methods():
        options = {name: getattr(row, name) for name in ("perspective", "approach", "perimeter") if getattr(row, name)}
        result = tiva.decompose(model, row.method, level=row.levels[0], **options)
        gross, parts = partition(result)
        assert gross == (None if row.method in {"oecd_shares", "wwz_third", "vby"} else row.terms[0])
        assert set(parts) <= set(row.partition)
        assert row.title in str(breakdown(result, rows=2))


@pytest.mark.parametrize(("method", "level"), [("wwz_third", "country"), ("vby", "country"), ("oecd_shares", "sector")])
def test_a_result_without_gross_flow_has_no_shares(example: IcioTable, method: str, level: str) -> None:
    result = tiva.decompose(example, method, level=level)
    table = breakdown(result, rows=5)
    assert not [c for c in table.columns if c.unit == "%"]
    assert "shares in %" not in str(table)
    with pytest.raises(UsageError, match="no gross flow to take shares of"):
        result.tiva.shares()
    with pytest.raises(UsageError, match="a gross flow to measure against"):
        result.tiva.check_identities()


def test_terms_without_their_gross_flow_have_no_shares(example: IcioTable) -> None:
    table = breakdown(tiva.decompose(example)[["dva", "fva"]])
    assert [c.unit for c in table.columns] == ["million USD"] * 2


def test_rows_without_gross_flow_are_sorted_by_their_sum(example: IcioTable) -> None:
    result = tiva.decompose(example, "wwz_third", exporter="MEX")
    table = breakdown(result, rows=4)
    shown = np.sum([c.values for c in table.columns], axis=0)
    every = sum(result[name].sel(exporter="MEX") for name in result.data_vars)
    assert shown[:4].tolist() == pytest.approx(sorted(every.values.tolist(), reverse=True)[:4])
    assert sum(c.total for c in table.columns) == pytest.approx(float(every.sum()))


def test_shares_print_as_they_are(example: IcioTable) -> None:
    shares = tiva.decompose(example).tiva.shares()
    table = breakdown(shares, exporter="MEX")
    assert {c.unit for c in table.columns} == {"1"}
    printed = {c.term: c.cells[0] for c in table.columns}
    assert printed["dva"] == f"{float(shares['dva'].sel(exporter='MEX')):.4f}"


def test_the_corrected_terms_stand_beside_the_nine(example: IcioTable) -> None:
    table = breakdown(tiva.decompose(example, "kww"))
    terms = [c.term for c in table.columns if c.unit == "%"]
    assert terms[-2:] == ["fva_corrected", "fdc_corrected"]
    assert "note: known bias" in str(table)


def test_notes_of_the_result_are_below_and_those_of_the_table_are_not(example: IcioTable) -> None:
    result = tiva.decompose(example, groups="EU27", level="bilateral")
    text = " ".join(str(breakdown(result, rows=3)).split())
    assert "note: EU27 acts as one country: DEU, ESP, FRA, ITA" in text
    assert "note: EU27: 23 of its members are not in the table" in text
    assert "whole million USD" not in text
    assert "note" not in str(breakdown(tiva.decompose(example)))
    page = breakdown(result, rows=3)._repr_html_()
    assert "EU27 acts as one country" in page


def test_detail_shows_the_finer_terms(example: IcioTable) -> None:
    result = tiva.decompose(example, detail=True)
    terms = {c.term for c in breakdown(result).columns}
    assert {"vax1", "vax4", "ref2", "fva4", "ddc", "fdc"} <= terms


def test_chosen_terms_and_selection(example: IcioTable) -> None:
    result = tiva.decompose(example, level="bilateral")
    table = breakdown(result, exporter="MEX", importer=["USA", "CHN"], terms=["vax"])
    assert list(table.labels) == [("MEX", "USA"), ("MEX", "CHN")]
    assert [(c.term, c.unit) for c in table.columns] == [("gexp", "million USD"), ("vax", "million USD"), ("vax", "%")]
    with pytest.raises(UnknownLabelError, match="unknown term 'vx'"):
        breakdown(result, terms=["vx"])
    with pytest.raises(UsageError, match="at least one row"):
        breakdown(result, rows=0)


def test_rich_tables_fit_the_console(example: IcioTable) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(breakdown(tiva.decompose(example)))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "17,270,738" in text


def test_html_is_escaped_and_complete() -> None:
    odd = small().assign_coords(exporter=["<A>", "B", "C", "D"])
    page = breakdown(odd)._repr_html_()
    assert "&lt;A&gt;" in page
    assert "<A>" not in page
    assert page.count("<tr>") == 5
    assert "2.5e-16" in page


def test_brackets_in_labels_stay(example: IcioTable) -> None:
    out = io.StringIO()
    odd = small().assign_coords(exporter=["[red]A", "B", "C", "D"])
    Console(file=out, width=200).print(breakdown(odd))
    assert "[red]A" in out.getvalue()


def test_years_are_not_summed() -> None:
    years = xr.concat([small(), small()], xr.Variable("year", [2010, 2011]), combine_attrs="override")
    assert breakdown(years).total_label == ""


def test_results_say_that_the_band_of_what_is_not_split_is_no_total(example: IcioTable) -> None:
    banded = tiva.split_by_size(example, tiva.example_margins())
    by_size = tiva.decompose(banded, level="country", exporter="MEX")
    plain = tiva.decompose(example, level="country", exporter="MEX")
    assert "size 'all' is no total" in by_size.attrs["notes"]
    assert "size 'all'" not in plain.attrs["notes"]
    assert float(by_size["gexp"].sum()) == pytest.approx(float(plain["gexp"].item()), rel=1e-12)
    assert float(by_size["gexp"].sel(size="all").sum()) < 0.5 * float(plain["gexp"].sum())
