from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

import tiva
from tiva.errors import GroupError, UnknownLabelError, UnsupportedCombinationError, UsageError
from tiva.table.icio_table import IcioTable

ROUNDING = 1e-12
"""Sums in another order."""


@pytest.fixture(scope="module")
def result(example: IcioTable) -> xr.Dataset:
    return tiva.decompose(example, level="sector-bilateral")


def test_results_have_the_accessor(result: xr.Dataset) -> None:
    assert result.tiva.tidy().shape == (17 * 15 * 16, 3 + len(result.data_vars))
    assert result.tiva.metadata()["attributes"]["method"] == "bm"
    assert "MEX" in str(result.tiva.breakdown("MEX", rows=3))


def test_shares_set_their_own_unit(result: xr.Dataset) -> None:
    shares = result.tiva.shares()
    assert "gexp" not in shares
    assert shares["dva"].attrs["units"] == "1"
    assert shares["dva"].attrs["additive"] == "false"
    assert shares["dva"].attrs["formula"] == "dva / gexp"
    assert shares.attrs["unit"] == "1"
    assert "identity_residual" not in shares.attrs
    cell = {"exporter": "MEX", "sector": "Vehicles", "importer": "USA"}
    expected = float(result["dva"].sel(cell)) / float(result["gexp"].sel(cell))
    assert float(shares["dva"].sel(cell)) == expected
    assert np.isnan(float(shares["dva"].sel({**cell, "importer": "MEX"})))
    percent = result.tiva.shares("dva", percent=True)
    assert percent["vax"].attrs["units"] == "percent"
    assert float(percent["vax"].sel(cell)) == 100 * float(result["vax"].sel(cell)) / float(result["dva"].sel(cell))
    assert result["dva"].attrs["units"] == "million USD"
    with pytest.raises(UnknownLabelError, match="unknown term 'gxp'"):
        result.tiva.shares("gxp")


def test_pick_takes_labels_lists_and_groups(result: xr.Dataset) -> None:
    assert result.tiva.pick(exporter="MEX")["exporter"].values.tolist() == ["MEX"]
    picked = result.tiva.pick(exporter=["USA", "BRA"], importer="WLD-USA-ROW", sector="Food")
    assert picked["exporter"].values.tolist() == ["USA", "BRA"]
    assert picked.sizes["importer"] == 15
    assert picked["sector"].values.tolist() == ["Food"]
    eu = result.tiva.pick(exporter="EU27")
    assert set(eu["exporter"].values) == {"DEU", "ESP", "FRA", "ITA"}
    assert len(json.loads(eu.attrs["notes"])) > len(json.loads(result.attrs["notes"]))


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        ({"exporter": "MXE"}, r"(?s)unknown exporter 'MXE'.*did you mean 'MEX'"),
        ({"sector": "Vehicle"}, r"(?s)unknown sector 'Vehicle'.*did you mean 'Vehicles'"),
        ({"origin": "MEX"}, r"(?s)unknown dimension 'origin'.*exporter, sector, importer"),
    ],
)
def test_pick_suggests(result: xr.Dataset, selection: dict[str, str], text: str) -> None:
    with pytest.raises(UnknownLabelError, match=text):
        result.tiva.pick(**selection)


def test_empty_pick_is_refused(result: xr.Dataset) -> None:
    with pytest.raises(UsageError, match="empty selection of exporter"):
        result.tiva.pick(exporter=[])


def test_sum_groups_is_the_sum(result: xr.Dataset) -> None:
    summed = result.tiva.sum_groups({"NAFTA": ["USA", "CAN", "MEX"]})
    assert summed["exporter"].values.tolist()[3] == "NAFTA"
    assert summed.sizes["exporter"] == 15
    for name in result.data_vars:
        expected = sum(result[name].sel(exporter=c).values for c in ("CAN", "MEX", "USA"))
        np.testing.assert_allclose(summed[name].sel(exporter="NAFTA").values, expected, rtol=ROUNDING)
        np.testing.assert_array_equal(summed[name].sel(exporter="BRA").values, result[name].sel(exporter="BRA").values)
        assert summed[name].dims == result[name].dims
        assert summed[name].attrs == result[name].attrs
    assert "NAFTA = CAN, MEX, USA" in json.loads(summed.attrs["notes"])[-1]
    assert summed.tiva.check_identities().ok


def test_sum_groups_along_other_dimensions(result: xr.Dataset) -> None:
    summed = result.tiva.sum_groups({"goods": ["Food", "Textiles"]}, "sector")
    expected = result["dva"].sel(sector=["Food", "Textiles"]).sum("sector")
    np.testing.assert_allclose(summed["dva"].sel(sector="goods").values, expected.values, rtol=ROUNDING)
    both = result.tiva.sum_groups({"EU": "EU27"}, "importer")
    assert "EU" in both["importer"].values


def test_sums_of_missing_cells_are_missing_only_where_all_are() -> None:
    cells = xr.Dataset(
        {"x": (("exporter", "size"), [[np.nan, 1.0], [np.nan, np.nan]], {"additive": "true"})},
        {"exporter": ["USA", "MEX"], "size": ["small", "large"]},
    )
    from tiva.results.accessor import sum_groups

    summed = sum_groups(cells, {"N": ["USA", "MEX"]})
    np.testing.assert_array_equal(summed["x"].values, [[np.nan, 1.0]])


def test_sum_groups_refuses_terms_that_do_not_add_up(result: xr.Dataset) -> None:
    with pytest.raises(UnsupportedCombinationError, match=r"(?s)may not be summed over exporters.*dc, dva.*groups="):
        result.tiva.shares().tiva.sum_groups({"N": ["USA", "MEX"]})


@pytest.mark.parametrize(
    ("groups", "dim", "error", "text"),
    [
        ({"N": ["USA", "MEX"], "M": ["MEX"]}, "exporter", GroupError, "overlap"),
        ({"N": ["USA", "MXE"]}, "exporter", UnknownLabelError, "did you mean 'MEX'"),
        ({"MEX": ["USA", "CAN"]}, "exporter", GroupError, "name of a country that is not its member"),
        ({"a": ["Food"], "b": ["Food"]}, "sector", GroupError, "sector groups overlap"),
        ({"Mining": ["Food"]}, "sector", GroupError, "name of a sector that is not its member"),
        ({}, "exporter", GroupError, "groups need names"),
        ({"": ["USA"]}, "exporter", GroupError, "groups need names"),
        (["NAFTA", "NAFTA"], "exporter", GroupError, "group 'NAFTA' is given twice"),
        (3, "exporter", UsageError, "groups are named by texts"),
        ({"N": 3}, "exporter", UsageError, "groups are named by texts"),
        ({"N": []}, "exporter", GroupError, "empty country group expression"),
        ({"N": ["USA"]}, "origin", UnknownLabelError, "unknown dimension 'origin'"),
    ],
)
def test_bad_groups_are_named(result: xr.Dataset, groups: Any, dim: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"(?s){text}"):
        result.tiva.sum_groups(groups, dim)


def test_groups_are_summed_by_their_name(result: xr.Dataset) -> None:
    by_name = result.tiva.sum_groups("NAFTA")
    xr.testing.assert_identical(by_name, result.tiva.sum_groups({"NAFTA": ["USA", "CAN", "MEX"]}))
    assert set(result.tiva.sum_groups(["NAFTA", "EU27"])["exporter"].values) > {"NAFTA", "EU27"}


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        ({"exporter": ["NAFTA", "MEX"]}, "exporter 'MEX' appears both alone and in a group"),
        ({"exporter": ["MEX", "MEX"]}, "exporter 'MEX' is given twice"),
        ({"exporter": ["NAFTA", "G7"]}, "groups of exporter overlap"),
        ({"sector": ["ALL", "Food"]}, "sector 'Food' appears both alone and in a group"),
        ({"exporter": 3}, "exporter is chosen by labels"),
        ({"exporter": {"N": "NAFTA"}}, "exporter is chosen by labels"),
        ({"exporter": "MEX", "importer": ["MEX"]}, "exporter and importer are the same country"),
    ],
)
def test_selections_that_are_refused(result: xr.Dataset, selection: dict[str, Any], text: str) -> None:
    with pytest.raises((GroupError, UsageError), match=text):
        result.tiva.pick(**selection)


def test_identities_hold_and_are_those_of_the_catalogue(result: xr.Dataset) -> None:
    report = result.tiva.check_identities()
    assert report.ok
    written = {f"{i.left} = {i.right}" for i in report.identities}
    assert {"dc = dva + ddc", "dva = vax + ref", "fc = fva + fdc", "gvc = gvcb + gvcf", "gvc = gexp - davax"} <= written
    assert "gexp = dva + ddc + fva + fdc + discrepancy" in written
    assert "dva = vax + ref" in str(report)


@pytest.mark.parametrize("name", ["dva", "ref", "fdc", "gvcf", "davax", "gexp"])
def test_a_broken_identity_is_found(result: xr.Dataset, name: str) -> None:
    broken = result.copy()
    with xr.set_options(keep_attrs=True):
        broken[name] = broken[name] * 1.01
    report = broken.tiva.check_identities()
    assert not report.ok
    assert "\n! " in str(report)


def test_identities_allow_for_a_stated_discrepancy() -> None:
    from tests.model.test_leontief import table

    report = tiva.decompose(table(), level="sector-bilateral").tiva.check_identities()
    assert report.ok
    assert report.discrepancy > 1e-6


def test_shares_have_no_identities(result: xr.Dataset) -> None:
    with pytest.raises(UsageError, match="identities need flows"):
        result.tiva.shares().tiva.check_identities()
