from __future__ import annotations

import numpy as np
import pytest

import tiva
from tiva.errors import BalanceWarning, CellError, GroupError, LabelError, ShapeError, UnknownLabelError
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

EXACT_SUM = 1e-12
"""Sums of the same numbers in another order: rounding of float64 only."""


def small(**changes: object) -> IcioTable:
    arguments: dict[str, object] = {
        "intermediate": [[20, 10, 10, 5], [10, 20, 5, 5], [10, 5, 30, 10], [0, 5, 15, 10]],
        "final_demand": [[40, 15], [55, 5], [20, 25], [0, 20]],
        "countries": ["N", "S"],
        "sectors": ["one", "two"],
        "year": 2020,
    }
    arguments.update(changes)
    return IcioTable.from_arrays(**arguments)  # type: ignore[arg-type]


def test_output_and_value_added_are_computed_where_left_out() -> None:
    table = small()
    np.testing.assert_array_equal(table.output, [100, 100, 100, 50])
    np.testing.assert_array_equal(table.value_added, [60, 60, 40, 20])
    assert table.value_added_kind == "residual"
    assert table.check().ok


def test_final_demand_is_kept_by_absorber_and_category() -> None:
    final = np.arange(16.0).reshape(4, 4)
    table = small(final_demand=final, final_demand_categories=["C", "I"])
    assert table.final_demand.shape == (4, 2, 2)
    np.testing.assert_array_equal(table.final_demand[:, 1, 0], final[:, 2])
    np.testing.assert_array_equal(table.final_demand_by_absorber[:, 0], final[:, 0] + final[:, 1])


def test_absorbers_are_matched_by_label() -> None:
    table = small(final_demand=[[15, 40], [5, 55], [25, 20], [20, 0]], absorbers=["S", "N"])
    np.testing.assert_array_equal(table.final_demand, small().final_demand)


def test_absorbers_that_are_no_countries_are_refused() -> None:
    with pytest.raises(LabelError, match="absorbers of final demand and countries differ"):
        small(absorbers=["N", "X"])


def test_arrays_are_frozen_and_inputs_left_alone() -> None:
    flows = np.ones((4, 4))
    table = small(intermediate=flows)
    with pytest.raises(ValueError, match="read-only"):
        table.intermediate[0, 0] = 7.0
    flows[0, 0] = 9.0
    assert table.intermediate[0, 0] == 1.0


def test_given_value_added_keeps_the_rows_between_by_name() -> None:
    taxes = np.array([1.0, 2.0, 3.0, 4.0])
    table = small(value_added=np.array([60.0, 60, 40, 20]) - taxes, other_inputs={"taxes": taxes})
    assert table.value_added_kind == "published"
    np.testing.assert_array_equal(table.other_inputs["taxes"].intermediate, taxes)
    assert table.check().ok


def test_contradictory_input_is_reported_and_kept() -> None:
    with pytest.warns(BalanceWarning, match="contradict"):
        table = small(output=[100, 100, 100, 60])
    np.testing.assert_array_equal(table.output, [100, 100, 100, 60])
    report = table.check()
    assert not report.ok
    assert "S.two" in str(report)
    assert "NOT BALANCED" in str(report)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"countries": ["N", "N"]}, LabelError, "duplicate country labels\n  got: N"),
        ({"sectors": ["one", "one"]}, LabelError, "duplicate sector labels"),
        ({"sectors": ["one", " "]}, LabelError, "empty sector label"),
        ({"countries": "NS"}, LabelError, "must be a sequence of names"),
        ({"intermediate": np.ones((4, 3))}, ShapeError, "got: shape \\(4, 3\\)"),
        ({"final_demand": np.ones((4, 3))}, ShapeError, "final_demand does not fit the labels"),
        ({"value_added": [1, 2, 3]}, ShapeError, "value_added does not fit"),
        ({"output": [1, 2, np.nan, 4]}, CellError, "output has 1 cells"),
        ({"intermediate": [[1, 2, 3, 4], [1, "n.a.", 3, 4]] * 2}, CellError, r"position \(2, 2\)\n  got: 'n.a.'"),
        ({"intermediate": [[1, 2, 3, 4], [1, 2, 3]]}, CellError, "intermediate has cells that are not numbers"),
        ({"intermediate": np.full((4, 4), 1j)}, CellError, r"position \(1, 1\)\n  got: 1j"),
        ({"value_added": [1, 2, 3, "x"]}, CellError, r"value_added(.|\n)*position \(4\)\n  got: 'x'"),
        ({"intermediate": np.full((4, 4), np.nan)}, CellError, "16 cells that are not finite numbers"),
        ({"final_demand": [[40, 15], [55, np.inf], [20, 25], [0, 20]]}, CellError, "inf in row N.two"),
        ({"split_countries": {"X1": "X"}}, LabelError, "split_countries names 'X1'"),
    ],
)
def test_bad_arrays_are_named(change: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        small(**change)


def test_split_countries_keep_their_areas_and_merge_on_request() -> None:
    table = small(countries=["N1", "N2"], split_countries={"N1": "N", "N2": "N"}, final_demand=np.ones((4, 1)))
    assert table.areas == ("N1", "N2")
    assert table.countries == ("N",)
    assert table.split_countries == {"N1": "N", "N2": "N"}
    merged = table.merge_split_countries()
    assert merged.areas == merged.countries == ("N",)
    assert merged.intermediate.sum() == table.intermediate.sum()
    assert "split countries merged" in merged.provenance.notes[-1]


def test_aggregation_sums_every_flow(example: IcioTable) -> None:
    groups = {"NAFTA": ["MEX", "USA", "CAN"], "ASIA": ["CHN", "JPN", "KOR", "TWN"]}
    sectors = {"Goods": ["Agriculture", "Mining", "Food"]}
    small_table = example.aggregate(countries=groups, sectors=sectors)
    assert len(small_table.countries) == len(example.countries) - 5
    assert len(small_table.sectors) == len(example.sectors) - 2
    for name in ("intermediate", "final_demand", "value_added", "output"):
        ours, theirs = getattr(small_table, name).sum(), getattr(example, name).sum()
        assert ours == pytest.approx(theirs, rel=EXACT_SUM)
    row = small_table.areas.index("NAFTA") * len(small_table.sectors) + small_table.sectors.index("Goods")
    column = small_table.areas.index("ASIA") * len(small_table.sectors) + small_table.sectors.index("Machinery")
    cube = example.to_xarray()["intermediate"]
    expected = cube.sel(
        area=groups["NAFTA"], sector=sectors["Goods"], user_area=groups["ASIA"], user_sector="Machinery"
    ).sum()
    assert small_table.intermediate[row, column] == pytest.approx(float(expected), rel=EXACT_SUM)
    assert small_table.check().ok


def test_aggregation_of_nothing_changes_no_number(example: IcioTable) -> None:
    same = example.aggregate(countries={"MEX": "MEX"})
    np.testing.assert_array_equal(same.intermediate, example.intermediate)
    assert same.countries == example.countries


@pytest.mark.parametrize(
    ("groups", "error", "text"),
    [
        ({"A": ["MXE"]}, UnknownLabelError, "did you mean 'MEX'"),
        ({"A": []}, GroupError, "country group 'A' is empty"),
        ({"A": ["MEX"], "B": ["MEX", "USA"]}, GroupError, "'MEX' is in two groups"),
        ({"MEX": ["USA", "CAN"]}, GroupError, "has the name of a country that is not its member"),
    ],
)
def test_bad_groups_are_named(
    example: IcioTable, groups: dict[str, list[str]], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        example.aggregate(countries=groups)


def test_report_counts_what_is_odd() -> None:
    flows = np.zeros((4, 4))
    flows[0, 1] = 30.0
    table = small(intermediate=flows, final_demand=[[-1.0, 0], [10, 0], [5, 0], [0, 0]])
    findings = {f.name: f for f in table.check().findings}
    assert findings["negative value added"].worst[0].startswith("N.two")
    assert findings["negative final demand cells"].count == 1
    assert findings["zero output"].worst == ("S.two",)
    assert findings["flows of zero-output sectors"].count == 0
    assert "<table>" in table.check()._repr_html_()


def test_checksum_sees_every_number_and_label(example: IcioTable) -> None:
    assert tiva.example().checksum == example.checksum
    assert small().checksum != small(year=2021).checksum
    assert small().checksum != small(sectors=["one", "three"]).checksum


def test_tables_show_themselves(example: IcioTable) -> None:
    assert repr(example).startswith("<IcioTable WIOD 2013 release 2011: 17 countries x 15 sectors")
    assert "million USD" in example._repr_html_()


def test_labelled_dataset_addresses_the_same_cells(example: IcioTable) -> None:
    data = example.to_xarray()
    n = len(example.sectors)
    i, j = example.areas.index("BRA"), example.areas.index("CHN")
    expected = example.intermediate[i * n + 1, j * n + 6]
    got = data["intermediate"].sel(area="BRA", sector="Mining", user_area="CHN", user_sector="Metals-minerals")
    assert float(got) == expected
    assert data["intermediate"].attrs["units"] == "million USD"


def test_known_rounding_of_a_source_is_a_note_and_more_is_a_contradiction() -> None:
    source = Provenance(rounding=(0.5, 0.01))
    table = small(output=[101.4, 100, 100, 50], provenance=source)
    report = table.check()
    assert report.ok
    rows = report.findings[0]
    assert (rows.severity, rows.count, rows.total) == ("note", 1, pytest.approx(1.4))
    assert "as known of this source: 0.5 + 0.01 of output" in str(report)
    with pytest.warns(BalanceWarning, match="1 country-sectors beyond rounding, largest N.one -1.6"):
        assert not small(output=[101.6, 100, 100, 50], provenance=source).check().ok


def test_known_rounding_adds_up_in_groups_and_survives_records() -> None:
    table = small(provenance=Provenance(rounding=(0.5, 0.01)))
    assert table.aggregate(sectors={"all": ["one", "two"]}).provenance.rounding == (1.0, 0.01)
    assert Provenance.from_dict(table.provenance.to_dict()) == table.provenance
