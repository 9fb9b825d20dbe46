"""What every row of the catalogue has to bear: satellites, published value added, groups, split countries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tiva
from tests.decompositions.test_borin_mancini import _with_taxes
from tests.model.test_leontief import split
from tests.tables import random_table
from tiva.model.leontief import LeontiefModel
from tiva.readers.satellites import Satellite
from tiva.table.icio_table import IcioTable
from tiva.terms import Method, methods

IDENTITY = 1e-12
"""Relative to the gross flow: sums of some hundred products."""

ROUNDING = 1e-10
"""Relative to the largest value: one linear solve more or less."""

every_row = pytest.mark.parametrize("row", methods(), ids=Method.describe)


def options(row: Method) -> dict[str, str]:
    return {name: getattr(row, name) for name in ("perspective", "approach", "perimeter") if getattr(row, name)}


def _jobs(table: IcioTable) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(1).random(table.n)


@every_row
def test_a_satellite_adds_up_to_its_content_in_its_own_unit(row: Method) -> None:
    table = random_table(5)
    model = LeontiefModel(table, satellite=_jobs(table), satellite_unit="jobs")
    for level in row.levels:
        result = tiva.decompose(model, row.method, level=level, **options(row))
        assert result.attrs["unit"] == "jobs"
        assert any("a satellite (jobs)" in note for note in [result.attrs["notes"]])
        for name in result.data_vars:
            assert result[name].attrs["units"] in {"jobs", "million USD", "jobs per million USD", "1"}
        if row.partition:
            assert result.attrs["identity_residual"] <= IDENTITY
            assert float(np.abs(result["discrepancy"]).max()) <= IDENTITY * float(np.abs(result[row.terms[1]]).sum())
        if "gexp" in result:
            money = tiva.decompose(table, row.method, level=level, **options(row))
            assert result["gexp"].attrs["units"] == "million USD"
            np.testing.assert_array_equal(result["gexp"], money["gexp"])


@every_row
def test_terms_are_linear_in_the_satellite(row: Method) -> None:
    """Two satellites that sum to value added give terms that sum to those of value added."""
    table, level = random_table(6), row.levels[0]
    part = _jobs(table) * table.value_added
    whole, one, other = (
        tiva.decompose(LeontiefModel(table, satellite=values), row.method, level=level, **options(row))
        for values in (table.value_added, part, table.value_added - part)
    )
    plain = tiva.decompose(table, row.method, level=level, **options(row))
    for name in plain.data_vars:
        if name == "discrepancy":
            continue
        np.testing.assert_allclose(whole[name], plain[name], atol=ROUNDING * float(np.nanmax(np.abs(whole[name]))))
        if whole[name].attrs["units"] == "1":  # of two flows of the satellite
            continue
        both = one[name] + other[name] if whole[name].attrs["units"] != "million USD" else whole[name]
        scale = float(np.abs(whole[name]).max())
        np.testing.assert_allclose(both, whole[name], atol=ROUNDING * scale)


def test_a_satellite_says_its_unit(example: IcioTable) -> None:
    from tiva.readers.satellites import read_satellite

    import pandas as pd  # isort: skip

    frame = pd.DataFrame(
        [(c, s, 1.0) for c in example.countries for s in example.sectors], columns=["country", "sector", "value"]
    )
    jobs = read_satellite(frame, example, unit="thousand jobs")
    assert isinstance(jobs, Satellite)
    result = tiva.decompose(example, satellite=jobs)
    assert result.attrs["unit"] == result["dva"].attrs["units"] == result["content"].attrs["units"] == "thousand jobs"
    assert result["gexp"].attrs["units"] == "million USD"
    assert "shares in % of content" in str(result.tiva.breakdown())
    assert result.tiva.check_identities().ok
    shares = result.tiva.shares()
    assert "gexp" not in shares
    np.testing.assert_allclose(shares["dva"] + shares["ddc"] + shares["fva"] + shares["fdc"], 1.0)
    np.testing.assert_allclose(
        result["dc"].sum() + result["fc"].sum(), tiva.origins(example, satellite=jobs).to_xarray().sum()
    )


def test_taxes_do_not_mix_with_a_satellite() -> None:
    table = _with_taxes()
    result = tiva.decompose(table, satellite=_jobs(table))
    assert "taxes_margins" not in result
    assert result.attrs["identity_residual"] <= IDENTITY


@every_row
def test_published_value_added_closes_with_its_taxes(row: Method) -> None:
    table = _with_taxes()
    for level in row.levels:
        result = tiva.decompose(table, row.method, level=level, **options(row))
        if not row.partition:
            continue
        assert float(np.abs(result["taxes_margins"]).max()) > 0
        assert result.attrs["identity_residual"] <= IDENTITY
        for approach_detail in [True] if row.detail_terms else []:
            detailed = tiva.decompose(table, row.method, level=level, detail=approach_detail, **options(row))
            assert detailed.attrs["identity_residual"] <= IDENTITY
            assert set(row.detail_terms) <= set(detailed.data_vars)


@every_row
def test_split_countries_are_one_exporter_and_close(row: Method) -> None:
    table = split()
    for level in row.levels:
        result = tiva.decompose(table, row.method, level=level, **options(row))
        for dim in ("exporter", "importer"):
            assert dim not in result.dims or tuple(result[dim].values) == table.countries
        assert result.attrs.get("identity_residual", 0.0) <= IDENTITY
