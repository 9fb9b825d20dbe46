"""Margins meet a table: every step, every edge, and what is said about it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bands.toy import FULL, fact, facts, full_rows, random_table, residuals, toy_table
from tiva.bands.margins import read_margins
from tiva.bands.prepare import prepare_margins
from tiva.bands.shares import MARGINS, BandShares, Status
from tiva.bands.spread import allocate_traders, fit_donors, fit_groups
from tiva.bands.totals import FlowTotals
from tiva.errors import MarginConflictWarning, MarginError, UnknownLabelError
from tiva.table.icio_table import IcioTable

PRINTED = 5e-7
"""Six printed digits of the reference values."""
ROUNDING = 1e-12
RECONCILED = 1e-8
"""Reconciled flows keep a slack of 1e-9 of output; two of them may add."""

OUTPUT_OF_S = facts("1", "output", (0.4, 0.6)) + facts("2", "output", (0.7, 0.3))


def prepare(rows: list[dict[str, Any]], table: IcioTable | None = None, **options: Any) -> BandShares:
    sector_map = options.pop("sector_map", None)
    return prepare_margins(table or toy_table(), read_margins(rows, sector_map=sector_map), **options)


def steps(shares: BandShares, step: str) -> list[str]:
    return [f"{r.country}.{r.sector} {r.variable} {r.band}: {r.message}" for r in shares.log if r.step == step]


def test_feasible_margins_are_used_to_the_last_digit() -> None:
    shares = prepare(full_rows())
    names = {"output": "output", "value_added": "va", "imports": "imports_intermediate", "exports": "exports"}
    for margin, variable in names.items():
        given_values = [v for by in FULL.values() for v in by[variable]]
        assert shares.margin(margin).tolist() == given_values
        assert (shares.status[margin] == Status.OBSERVED).all()
    assert shares.log == ()
    assert shares.bands == (("sme", "lar"), ("sme", "lar"))
    assert shares.schemes == ("EMP2", "EMP2")


def test_residual_shares_of_the_worked_example() -> None:
    # firmsize_examples.py, example 2: "Hand check S1 ... S2 ...".
    table = toy_table()
    found = residuals(prepare(full_rows()), FlowTotals.of(table))
    np.testing.assert_allclose(found.domestic_inputs[4::2], [0.377778, 0.8], atol=PRINTED)
    np.testing.assert_allclose(found.home_sales[4::2], [0.561538, 0.733333], atol=PRINTED)
    np.testing.assert_allclose(found.home_final[4:], [36.5 / 65 * 25, 28.5 / 65 * 25, 33 / 45 * 20, 12 / 45 * 20])


def test_contradictory_exports_are_moved_and_named() -> None:
    rows = facts("1", "output", (0.7, 0.3)) + facts("1", "exports", (0.05, 0.95))
    with pytest.warns(MarginConflictWarning, match=r"S\.1: exports above output of band 'lar': 33\.25 above 30"):
        shares = prepare(rows)
    np.testing.assert_allclose(shares.exports[2:4], [0.142857, 0.857143], atol=PRINTED)
    moved = [r for r in shares.log if r.step == "reconcile"]
    assert [(r.band, r.variable, r.source) for r in moved] == [
        ("sme", "exports", "margins row 2, margins row 3"),
        ("lar", "exports", "margins row 2, margins row 3"),
    ]
    assert moved[0].before == 0.05
    assert moved[0].after == pytest.approx(0.142857, abs=PRINTED)
    assert sum(r.moved for r in moved) == pytest.approx(0.065, abs=PRINTED)
    assert (shares.status["exports"][2:4] == Status.DERIVED).all()
    with pytest.raises(MarginError, match=r"margins contradict each other: 1 problem\n.*S\.1: exports above output"):
        prepare(rows, on_conflict="raise")


def test_contradictions_name_file_and_line(tmp_path: Path) -> None:
    rows = [
        *facts("1", "output", (0.7, 0.3)),
        *facts("1", "va", (0.3, 0.7)),
        *facts("1", "imports_intermediate", (0.1, 0.9)),
        *facts("2", "output", (0.7, 0.3)),
        *facts("2", "exports", (0.0, 1.0)),
    ]
    path = tmp_path / "band_margins.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    margins = read_margins(path)
    with pytest.raises(MarginError) as caught:
        prepare_margins(toy_table(), margins, on_conflict="raise")
    (problem,) = caught.value.problems
    # band lar: .7 x 40 + .9 x 15 = 41.5 above .3 x 100; sector 2 is possible (5 of 15)
    assert problem.startswith("S.1: value added plus imported inputs above output of band 'lar': 41.5 above 30 ")
    assert "band_margins.csv line 4, band_margins.csv line 5, band_margins.csv line 6" in problem
    assert "of output)" in problem


BAD_FILES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "shares that do not sum to one": (facts("1", "output", (0.4, 0.5)), "line 2, band_margins.csv line 3: shares of"),
    "bands without scheme": (
        [{**f, "band_scheme": ""} for f in facts("1", "output", (0.4, 0.6))],
        "line 3: band 'lar' ",
    ),
    "exports above output": (
        [*facts("1", "output", (0.7, 0.3)), *facts("1", "exports", (0.05, 0.95))],
        "33.25 above 30 (band_margins.csv line 4, band_margins.csv line 5; moves 6.50% of output)",
    ),
    "negative shares": (facts("1", "output", (-0.4, 1.4)), "line 2: negative share -0.4"),
    "unknown sector": (facts("11", "output", (0.4, 0.6)), "line 3: unknown sector '11'"),
    "unknown country": (facts("1", "output", (0.4, 0.6), country="SS"), "line 2: unknown country 'SS'"),
    "duplicated rows": ([*OUTPUT_OF_S, OUTPUT_OF_S[0]], "line 6: duplicates band_margins.csv line 2"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_what_is_wrong_in_a_file_is_named_by_line(what: str, tmp_path: Path) -> None:
    rows, said = BAD_FILES[what]
    path = tmp_path / "band_margins.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    with pytest.raises(MarginError) as caught:
        prepare_margins(toy_table(), read_margins(path), on_conflict="raise")
    assert any("band_margins.csv" in p and said in p for p in caught.value.problems), caught.value.problems


def test_uncertain_output_gives_way_to_observed_exports() -> None:
    rows = facts("1", "output", (0.7, 0.3), status="assumed") + facts("1", "exports", (0.05, 0.95))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shares = prepare(rows)
    np.testing.assert_allclose(shares.exports[2:4], [0.05, 0.95], atol=5e-3)
    assert shares.output[3] > 0.33


def test_country_exports_are_spread_with_odds_of_output() -> None:
    # firmsize_examples.py, example 6b: small firms make 4.8 of 40.
    shares = prepare([*OUTPUT_OF_S, *facts("_ALL", "exports", (0.12, 0.88))])
    np.testing.assert_allclose(shares.exports[2::2], [0.097838, 0.275136], atol=PRINTED)
    assert shares.exports[2::2] @ [35.0, 5.0] == pytest.approx(4.8, abs=1e-10)
    assert (shares.status["exports"][2:] == Status.IMPUTED).all()
    assert steps(shares, "totals") == [
        "S. exports : country or group margin spread over sectors by proportional fitting: 1, 2"
    ]


def test_sector_facts_stay_and_the_rest_takes_up_the_total() -> None:
    rows = [*OUTPUT_OF_S, *facts("1", "exports", (0.1, 0.9)), *facts("_ALL", "exports", (0.12, 0.88))]
    shares = prepare(rows)
    assert shares.exports[2:4].tolist() == [0.1, 0.9]
    assert shares.exports[4] * 5.0 == pytest.approx(4.8 - 3.5, abs=1e-10)
    contradiction = [*OUTPUT_OF_S, *facts("1", "exports", (0.5, 0.5)), *facts("_ALL", "exports", (0.12, 0.88))]
    with pytest.raises(MarginError, match="contradict those of its sectors"):
        prepare(contradiction)


def test_spread_exports_stay_within_output_where_they_can() -> None:
    rows = [*OUTPUT_OF_S, *facts("_ALL", "exports", (0.0, 1.0))]
    shares = prepare(rows)
    # small firms export nothing, large ones of sector 2 their whole output of 15 at most: 5 is possible
    assert not steps(shares, "reconcile")
    np.testing.assert_allclose(shares.exports[2:], [0.0, 1.0, 0.0, 1.0], atol=ROUNDING)


def test_a_country_share_that_cannot_be_reached_is_said() -> None:
    # large firms: output 15 + 15, exports of 40 at most 30 + 5 of them: 88 per cent is out of reach
    rows = [*facts("1", "output", (0.85, 0.15)), *facts("2", "output", (0.7, 0.3))]
    shares = prepare([*rows, *facts("_ALL", "exports", (0.12, 0.88))])
    missed = [r for r in shares.log if "the published share is not reached" in r.message]
    assert [(r.band, r.before) for r in missed] == [("sme", 0.12), ("lar", 0.88)]
    assert missed[1].after <= (15.0 + 5.0) / 40.0 + RECONCILED
    assert any("cannot be reached within the output of the bands" in s for s in steps(shares, "totals"))
    assert not any(
        "not reached" in r.message for r in prepare([*OUTPUT_OF_S, *facts("_ALL", "exports", (0.12, 0.88))]).log
    )


def test_missing_margins_follow_output_and_are_said_to() -> None:
    shares = prepare(OUTPUT_OF_S)
    assert shares.is_proportional
    assert steps(shares, "assumed") == [
        f"S. {m} : no {m} by band, shares in output stand for it: 1, 2" for m in ("value_added", "imports", "exports")
    ]
    assert (shares.status["exports"][2:] == Status.ASSUMED).all()
    assert (shares.status["exports"][:2] == Status.UNSPLIT).all()
    assert not prepare(full_rows()).is_proportional


def test_countries_and_sectors_without_facts_stay_whole() -> None:
    shares = prepare(facts("1", "output", (0.4, 0.6)))
    assert shares.band_ptr.tolist() == [0, 1, 2, 4, 5]
    assert shares.row_label == ("all", "all", "sme", "lar", "all")
    assert steps(shares, "unsplit") == ["S.  : not split, no shares in output or value added: 2"]
    assert shares.bands[0] == ()
    assert shares.schemes[0] == ""


def test_value_added_and_turnover_stand_for_output() -> None:
    shares = prepare([*facts("1", "va", (0.4, 0.6)), *facts("2", "turnover", (0.7, 0.3))])
    assert shares.output[2:].tolist() == [0.4, 0.6, 0.7, 0.3]
    assert (shares.status["output"][2:4] == Status.IMPUTED).all()
    assert (shares.status["output"][4:] == Status.DERIVED).all()
    assert any("turnover taken for output" in s for s in steps(shares, "assumed"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (facts("1", "output", (0.4, 0.6), country="SS"), "unknown country 'SS'"),
        (facts("11", "output", (0.4, 0.6)), "unknown sector '11'; did you mean '1'?"),
    ],
)
def test_unknown_labels_are_named_with_their_row(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(MarginError) as caught:
        prepare(rows)
    assert caught.value.problems[0].startswith("margins row 0: ")
    assert message in caught.value.problems[0]
    assert len(caught.value.problems) == 2


def test_a_margin_for_a_sector_without_output_is_refused(tmp_path: Path) -> None:
    table = toy_table(
        intermediate=[[20, 10, 10, 0], [10, 20, 5, 0], [10, 5, 30, 0], [0, 0, 0, 0]],
        final=[[40, 15], [55, 5], [20, 25], [0, 0]],
    )
    with pytest.raises(MarginError, match=r"margins row 0: S\.2 has no output in the table"):
        prepare(facts("2", "output", (0.4, 0.6)), table)
    path = tmp_path / "band_margins.csv"
    pd.DataFrame(facts("2", "output", (0.4, 0.6))).to_csv(path, index=False)
    with pytest.raises(MarginError, match=r"band_margins\.csv line 2: S\.2 has no output in the table"):
        prepare_margins(table, read_margins(path))
    shares = prepare(facts("_ALL", "output", (0.4, 0.6)), table)
    assert shares.row_label[-1] == "all"


def test_one_scheme_a_country() -> None:
    other = [{**r, "band_scheme": "EMP_250", "band": "large" if r["band"] == "lar" else "sme"} for r in OUTPUT_OF_S]
    with pytest.raises(MarginError, match=r"several band schemes\n.*EMP2 \(margins row 0\), EMP_250 \(margins row 2\)"):
        prepare([*OUTPUT_OF_S[:2], *other[2:]])


def test_hidden_cells_are_recovered_from_totals() -> None:
    rows = [
        fact("1", "exports", "sme", "", unit="EUR_mn", status="confidential"),
        fact("1", "exports", "lar", 9, unit="EUR_mn"),
        fact("1", "exports", "TOTAL", 12, unit="EUR_mn"),
    ]
    shares = prepare([*OUTPUT_OF_S, *rows])
    np.testing.assert_allclose(shares.exports[2:4], [0.25, 0.75], atol=ROUNDING)
    assert shares.status["exports"][2:4].tolist() == [Status.DERIVED, Status.OBSERVED]
    assert "recovered as total less the others" in steps(shares, "confidential")[0]
    no_total = prepare([*OUTPUT_OF_S, *rows[:2]])
    assert "hidden bands and no total" in steps(no_total, "confidential")[0]
    assert (no_total.status["exports"][2:4] == Status.ASSUMED).all()


def test_several_hidden_bands_follow_output() -> None:
    scheme = "EMP_50_250"
    bands = ("small", "medium", "large")
    rows = [
        {**fact("1", v, b, value, status="observed" if value != "" else "missing"), "band_scheme": scheme}
        for v, values in (("output", (0.2, 0.3, 0.5)), ("exports", ("", "", 0.8)))
        for b, value in zip(bands, values, strict=True)
    ]
    shares = prepare(rows)
    np.testing.assert_allclose(shares.exports[2:5], [0.08, 0.12, 0.8], atol=ROUNDING)
    assert shares.status["exports"][2:5].tolist() == [Status.IMPUTED, Status.IMPUTED, Status.OBSERVED]


def test_unknown_size_class_is_spread() -> None:
    rows = [*facts("1", "exports", (0.09, 0.81)), fact("1", "exports", "UNKNOWN", 0.1)]
    shares = prepare([*OUTPUT_OF_S, *rows])
    np.testing.assert_allclose(shares.exports[2:4], [0.1, 0.9], atol=ROUNDING)
    assert "unknown size class (10.0%)" in steps(shares, "totals")[0]


def test_published_rounding_is_scaled_and_said() -> None:
    shares = prepare([*OUTPUT_OF_S, *facts("1", "exports", (0.1, 0.9000009))])
    assert shares.exports[2:4].sum() == pytest.approx(1.0, abs=ROUNDING)
    assert "shares summed to 1.0000009 and were scaled to one" in steps(shares, "read")[0]


def test_the_nearest_year_is_used_and_said() -> None:
    rows = [*OUTPUT_OF_S, *facts("1", "exports", (0.1, 0.9), year=2014), *facts("1", "exports", (0.2, 0.8), year=2019)]
    shares = prepare(rows)
    assert shares.exports[2] == 0.2
    assert "facts of 2019 stand for 2020" in steps(shares, "read")[0]
    assert prepare(rows, year=2015).exports[2] == 0.1


def test_margins_by_partner_are_set_aside_and_said() -> None:
    shares = prepare([*OUTPUT_OF_S, *facts("1", "exports", (0.2, 0.8), partner="N")])
    assert "margins by partner (N) are not used" in steps(shares, "read")[0]


def test_source_sectors_are_summed_into_one() -> None:
    links = [{"from_scheme": "NACE2", "from_code": c, "to_scheme": "TOY", "to_code": "1"} for c in ("A", "B")]
    rows = [
        *facts("A", "exports", (2, 8), sector_scheme="NACE2", unit="EUR_mn"),
        *facts("B", "exports", (18, 12), sector_scheme="NACE2", unit="EUR_mn"),
        *OUTPUT_OF_S,
    ]
    shares = prepare(rows, sector_map=links)
    np.testing.assert_allclose(shares.exports[2:4], [0.5, 0.5], atol=ROUNDING)
    assert "2 source sectors summed with their levels" in steps(shares, "concordance")[0]
    weighted = [{**k, "weight": w} for k, w in zip(links, (3, 1), strict=True)]
    by_weight = [
        *facts("A", "exports", (0.2, 0.8), sector_scheme="NACE2"),
        *facts("B", "exports", (0.6, 0.4), sector_scheme="NACE2"),
        *OUTPUT_OF_S,
    ]
    found = prepare(by_weight, sector_map=weighted)
    np.testing.assert_allclose(found.exports[2:4], [0.3, 0.7], atol=ROUNDING)
    assert (found.status["exports"][2:4] == Status.DERIVED).all()
    with pytest.raises(MarginError, match="unknown sector '9'"):
        prepare(rows, sector_map=[{**links[0], "to_code": "9"}])


def test_traders_exports_go_where_they_are_told() -> None:
    rows = [
        *OUTPUT_OF_S,
        *facts("1", "exports", (6, 24), unit="EUR_mn"),
        *facts("2", "exports", (9, 1), unit="EUR_mn"),
    ]
    table = toy_table()
    own = prepare(rows, table, traders=["2"], trader_allocation="drop")
    np.testing.assert_allclose(own.exports[2:4], [0.2, 0.8], atol=ROUNDING)
    band = prepare(rows, table, traders=["2"], trader_allocation="trader_band")
    np.testing.assert_allclose(band.exports[2:4], [0.75 * 0.2 + 0.25 * 0.9, 0.75 * 0.8 + 0.25 * 0.1], atol=ROUNDING)
    producer = prepare(rows, table, traders=["2"], trader_allocation="producer")
    # e = .75 e0 + .25 h with h = (40 - 35 e) / 65, hence e (1 + .25 x 35 / 65) = .75 x .2 + .25 x 40 / 65
    expected = (0.75 * 0.2 + 0.25 * 40 / 65) / (1 + 0.25 * 35 / 65)
    assert producer.exports[2] == pytest.approx(expected, abs=ROUNDING)
    h = residuals(producer, FlowTotals.of(table)).home_sales[2]
    assert producer.exports[2] == pytest.approx(0.75 * 0.2 + 0.25 * h, abs=ROUNDING)
    assert producer.exports[4] == 0.9
    assert "traders export 25.0% of goods; given to producer" in steps(producer, "trader")[0]
    with pytest.raises(UnknownLabelError, match="unknown sector"):
        prepare(rows, table, traders=["3"])


def test_no_allocation_without_trade() -> None:
    e = np.array([0.2, 0.8])
    assert allocate_traders(e, e, 0.0, e, 1.0, 2.0, "producer") is e


def test_donors_give_relative_intensities_and_keep_their_spread() -> None:
    rows = [*full_rows()[:16], *OUTPUT_OF_S]
    shares = prepare(rows, donors="all")
    # one donor: in sector 1 exports relative to output are .2/.3 and .8/.7, so S.1 (.4, .6) gets .4x.2/.3 : .6x.8/.7
    raw = np.array([0.4 * 0.2 / 0.3, 0.6 * 0.8 / 0.7])
    np.testing.assert_allclose(shares.exports[4:6], raw / raw.sum(), atol=1e-10)
    assert (shares.status["exports"][4:] == Status.IMPUTED).all()
    assert np.isfinite(shares.standard_error["exports"][4:]).all()
    assert "relative intensities of N" in steps(shares, "donor")[0]
    assert (prepare(rows, donors={"N": ["S"]}).status["exports"][4:] == Status.ASSUMED).all()
    with pytest.raises(UnknownLabelError, match="country with margins"):
        prepare(rows, donors={"S": ["X"]})


def test_donor_fit_recovers_an_additive_model() -> None:
    rng = np.random.default_rng(3)
    sector, country = rng.normal(0, 0.3, (6, 2)), rng.normal(0, 0.5, (40, 2))
    known = {}
    for c in range(40):
        output = np.full((6, 2), 0.5)
        known[f"C{c}"] = (output, output * np.exp(0.2 + sector + country[c] + rng.normal(0, 0.1, (6, 2))))
    fit = fit_donors(known)
    assert fit is not None
    np.testing.assert_allclose(fit.mean, 0.2 + sector + country.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(fit.spread, np.hypot(country.std(axis=0, ddof=1), 0.1), rtol=0.1)
    assert fit_donors({"C": (np.full((2, 2), np.nan), np.full((2, 2), np.nan))}) is None


def test_imports_follow_from_domestic_purchases() -> None:
    rows = [
        *OUTPUT_OF_S,
        *facts("1", "va", (0.5, 0.5)),
        *facts("1", "purchases_domestic", (17 / 45, 28 / 45)),
    ]
    shares = prepare(rows)
    np.testing.assert_allclose(shares.imports[2:4], [0.2, 0.8], atol=ROUNDING)
    assert (shares.status["imports"][2:4] == Status.DERIVED).all()
    too_much = [*OUTPUT_OF_S, *facts("1", "va", (0.5, 0.5)), *facts("1", "purchases_domestic", (0.9, 0.1))]
    assert "purchases are not used" in steps(prepare(too_much), "totals")[0]


def test_employment_in_persons_is_handed_on() -> None:
    shares = prepare([*OUTPUT_OF_S, *facts("1", "employment", (30, 20), unit="persons")])
    assert shares.employment is not None
    assert shares.employment[2:4].tolist() == [30.0, 20.0]
    assert np.isnan(shares.employment[4:]).all()


def test_nothing_sold_at_home_forces_exports_to_follow_output() -> None:
    table = toy_table(
        intermediate=[[20, 10, 10, 5], [10, 20, 5, 5], [10, 5, 0, 0], [0, 5, 15, 10]],
        final=[[40, 15], [55, 5], [60, 0], [0, 20]],
    )
    shares = prepare([*OUTPUT_OF_S, *facts("1", "exports", (0.1, 0.9))], table)
    assert shares.exports[2:4].tolist() == [0.4, 0.6]
    assert "nothing is sold at home: exports follow output" in steps(shares, "edge")[0]
    assert residuals(shares, FlowTotals.of(table)).home_sales[2:4].tolist() == [0.4, 0.6]


def test_no_domestic_inputs_force_value_added_and_imports_to_follow_output() -> None:
    table = toy_table(
        intermediate=[[20, 10, 10, 5], [10, 20, 5, 5], [10, 5, 0, 10], [0, 5, 0, 10]],
        final=[[40, 15], [55, 5], [20, 25], [0, 20]],
    )
    rows = [*OUTPUT_OF_S, *facts("1", "va", (0.5, 0.5)), *facts("1", "imports_intermediate", (0.2, 0.8))]
    shares = prepare(rows, table)
    assert shares.value_added[2:4].tolist() == [0.4, 0.6]
    assert shares.imports[2:4].tolist() == [0.4, 0.6]
    assert len([s for s in steps(shares, "edge") if "no domestic inputs" in s]) == 2


def test_negative_final_demand_is_split_like_all_sales_and_said() -> None:
    table = toy_table(final=[[40, 15], [55, 5], [20, -5], [0, 20]])
    business = [*OUTPUT_OF_S, *facts("1", "sales_domestic_intermediate", (0.6, 0.4))]
    shares = prepare(business, table)
    assert np.isnan(shares.domestic_intermediate[2:4]).all()
    assert "negative domestic final demand: the business margin cannot be used" in steps(shares, "edge")[0]
    plain = prepare(OUTPUT_OF_S, table)
    assert "negative domestic final demand (inventories): split like all domestic sales" in steps(plain, "edge")[0]


def test_business_margin_is_used_where_it_can_be() -> None:
    rows = [*full_rows(), *facts("1", "sales_domestic_intermediate", (0.6, 0.4))]
    table = toy_table()
    shares = prepare(rows, table)
    found = residuals(shares, FlowTotals.of(table))
    assert found.producers[4:6].tolist() == [0.6, 0.4]
    # sales to home final demand: 40 - 3.5 - .6 x 40
    assert found.home_final[4] == pytest.approx(40 - 3.5 - 24, rel=ROUNDING)


def test_a_band_without_output_has_no_row() -> None:
    shares = prepare([*facts("1", "output", (0.0, 1.0)), *facts("1", "exports", (0.0, 1.0))])
    assert shares.band_ptr.tolist() == [0, 1, 2, 3, 4]
    assert shares.row_band.tolist() == [-1, -1, 1, -1]
    assert "a band without output has no row" in steps(shares, "edge")[0]


def test_parts_of_a_split_country_share_its_margins() -> None:
    table = IcioTable.from_arrays(
        [[20, 10, 10], [10, 20, 5], [10, 5, 30]], [[40, 15], [55, 5], [20, 25]],
        countries=["N", "S1", "S2"], sectors=["1"], final_demand_categories=["F"],
        split_countries={"S1": "S", "S2": "S"},
    )  # fmt: skip
    shares = prepare([{**r, "year": ""} for r in facts("1", "output", (0.4, 0.6))], table)
    assert shares.band_ptr.tolist() == [0, 1, 3, 5]
    totals = FlowTotals.of(table)
    np.testing.assert_allclose(totals.domestic_intermediate, [20, 25, 35])
    np.testing.assert_allclose(totals.exports, [35, 65, 30])
    np.testing.assert_allclose(totals.imports, [20, 10, 10])


def test_totals_add_up_and_leave_no_rounding() -> None:
    for seed in range(3):
        totals = FlowTotals.of(random_table(seed))
        np.testing.assert_allclose(totals.domestic_sales + totals.exports, totals.output, rtol=1e-12)
        np.testing.assert_allclose(
            totals.value_added + totals.imports + totals.domestic_inputs + totals.other_inputs,
            totals.output,
            rtol=1e-12,
        )
        assert (totals.other_inputs == 0.0).all()


def test_proportional_fitting_keeps_odds_and_hits_nested_groups() -> None:
    rng = np.random.default_rng(0)
    prior, totals = rng.dirichlet(np.ones(3), 6), rng.uniform(1, 5, 6)
    truth = rng.dirichlet(np.ones(3), 6)
    groups = [np.arange(6), np.arange(3)]
    targets = [(g, totals[g] @ truth[g] / totals[g].sum()) for g in groups]
    found = fit_groups(prior, totals, np.zeros(6, dtype=bool), targets)
    for g, share in targets:
        np.testing.assert_allclose(totals[g] @ found[g] / totals[g].sum(), share, atol=1e-11)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    odds = lambda p, i, j: p[i, 0] * p[j, 1] / (p[i, 1] * p[j, 0])  # noqa: E731
    assert odds(found, 0, 1) == pytest.approx(odds(prior, 0, 1), rel=1e-9)
    assert odds(found, 3, 4) == pytest.approx(odds(prior, 3, 4), rel=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_any_margins_give_a_possible_split(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = random_table(seed)
    rows: list[dict[str, Any]] = []
    status = ["observed", "derived", "imputed", "assumed"]
    for country in ("C0", "C2"):
        for sector in ("s0", "s1", "s2"):
            for variable in ("output", "va", "imports_intermediate", "exports", "sales_domestic_intermediate"):
                if variable != "output" and rng.random() < 0.3:
                    continue
                share = rng.dirichlet([1.0, 1.0])
                rows += facts(sector, variable, tuple(share), country, status=str(rng.choice(status)))
    margins = read_margins(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarginConflictWarning)
        shares = prepare_margins(table, margins)
    totals = FlowTotals.of(table)
    found = residuals(shares, totals)
    row = shares.row_table_row
    for values in (found.domestic_inputs, found.home_sales, found.producers):
        np.testing.assert_allclose(np.add.reduceat(values, shares.band_ptr[:-1]), 1.0, atol=1e-9)
    used = ~totals.no_domestic_inputs[row]
    assert (found.domestic_inputs * totals.domestic_inputs[row] >= -RECONCILED * totals.output[row])[used].all()
    assert (found.home_final >= -RECONCILED * totals.output[row])[totals.domestic_final[row] > 0].all()
    assert (found.home_sales >= -RECONCILED).all()
    given_rows = {(f.country, f.sector, f.variable): f for f in margins.facts if f.band == "sme"}
    moved = {(r.country, r.sector, r.variable) for r in shares.log if r.step in ("reconcile", "edge")}
    names = dict(
        zip(MARGINS, ("output", "va", "imports_intermediate", "exports", "sales_domestic_intermediate"), strict=True)
    )
    for i in range(table.n):
        country, sector = shares.label(i).split(".")
        for margin, variable in names.items():
            known = given_rows.get((country, sector, variable))
            if known is not None and (country, sector, margin) not in moved:
                assert shares.margin(margin)[shares.band_ptr[i]] == known.value
