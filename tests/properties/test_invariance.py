"""What must not matter to a decomposition: order, unit, empty sectors, aggregation of nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiva
from tiva.table.icio_table import IcioTable
from tiva.terms import find_method, methods

ROUNDING = 1e-9
"""The same numbers in another order through a linear solve, relative to gross exports."""

ADDITIVE = [row for row in methods() if row.additive and row.partition]

IDS = [row.describe() for row in ADDITIVE]


def random_table(seed: int, countries: int = 4, sectors: int = 3) -> IcioTable:
    """Random flows with negative inventories and a zero-output sector that exports net of returns."""
    rng = np.random.default_rng(seed)
    n = countries * sectors
    flows = rng.random((n, n)) + np.kron(np.eye(countries), rng.random((sectors, sectors)) * 5)
    final = rng.random((n, countries, 2)) * 3
    final += np.kron(np.eye(countries), np.full((sectors, 1), 12.0))[:, :, None]
    final[rng.integers(n), rng.integers(countries), 1] = -1.0
    flows[1], flows[:, 1], final[1] = 0.0, 0.0, 0.0
    final[1, 1, 0], final[1, 2, 1] = 1.0, -1.0
    names = [f"C{i}" for i in range(countries)]
    return IcioTable.from_arrays(
        flows, final, countries=names, sectors=[f"s{i}" for i in range(sectors)], final_demand_categories=["C", "I"]
    )


def options_of(index: int) -> dict[str, str]:
    row = ADDITIVE[index]
    pairs = {name: getattr(row, name) for name in ("perspective", "approach", "perimeter")}
    return {"method": row.method, **{k: v for k, v in pairs.items() if v}, "level": row.levels[-1]}


def compare(ours: object, theirs: object, factor: float = 1.0) -> None:
    import xarray as xr

    assert isinstance(ours, xr.Dataset)
    assert isinstance(theirs, xr.Dataset)
    scale = factor * float(abs(theirs[next(iter(theirs.data_vars))]).sum())
    with xr.set_options(arithmetic_join="exact"):
        for name in theirs.data_vars:
            aligned = ours[name].reindex_like(theirs[name])
            times = 1.0 if theirs[name].attrs["units"] == "1" else factor
            assert float(abs(aligned - times * theirs[name]).max()) <= ROUNDING * scale, name


@pytest.mark.parametrize("index", range(len(ADDITIVE)), ids=IDS)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_labels_does_not_matter(index: int, seed: int) -> None:
    table = random_table(seed)
    rng = np.random.default_rng(seed + 1)
    countries, sectors = rng.permutation(4), rng.permutation(3)
    rows = (countries[:, None] * 3 + sectors[None, :]).ravel()
    shuffled = IcioTable.from_arrays(
        table.intermediate[np.ix_(rows, rows)],
        table.final_demand[rows][:, countries],
        countries=[table.countries[g] for g in countries],
        sectors=[table.sectors[i] for i in sectors],
        final_demand_categories=["C", "I"],
    )
    compare(tiva.decompose(shuffled, **options_of(index)), tiva.decompose(table, **options_of(index)))


@pytest.mark.parametrize("index", range(len(ADDITIVE)), ids=IDS)
def test_unit_does_not_matter(index: int) -> None:
    table = random_table(1)
    thousands = IcioTable.from_arrays(
        table.intermediate * 1000,
        table.final_demand * 1000,
        countries=table.countries,
        sectors=table.sectors,
        final_demand_categories=["C", "I"],
        unit="thousand USD",
    )
    ours, theirs = (tiva.decompose(t, **options_of(index)) for t in (thousands, table))
    compare(ours, theirs, factor=1000.0)
    assert ours[next(iter(ours.data_vars))].attrs["units"] == "thousand USD"


@pytest.mark.parametrize("index", range(len(ADDITIVE)), ids=IDS)
def test_an_empty_sector_does_not_matter(index: int) -> None:
    table = random_table(2)
    n, countries = table.n, len(table.countries)
    place = np.array([g * 4 + i for g in range(countries) for i in range(3)])
    flows = np.zeros((countries * 4, countries * 4))
    flows[np.ix_(place, place)] = table.intermediate
    final = np.zeros((countries * 4, countries, 2))
    final[place] = table.final_demand
    padded = IcioTable.from_arrays(
        flows, final, countries=table.countries, sectors=[*table.sectors, "empty"], final_demand_categories=["C", "I"]
    )
    assert padded.n == n + countries
    ours = tiva.decompose(padded, **options_of(index))
    if "sector" in ours.dims:
        assert float(abs(ours.sel(sector="empty").to_dataarray()).max()) == 0.0
        ours = ours.drop_sel(sector="empty")
    compare(ours, tiva.decompose(table, **options_of(index)))


@pytest.mark.parametrize("index", range(len(ADDITIVE)), ids=IDS)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_terms_sum_to_gross_flows(index: int, seed: int) -> None:
    result = tiva.decompose(random_table(seed), **options_of(index))
    assert ("identity_residual" in result.attrs) == bool(ADDITIVE[index].partition)
    assert result.attrs.get("identity_residual", 0.0) <= ROUNDING


def test_closed_economy_exports_nothing() -> None:
    table = random_table(3).aggregate(countries={"WLD": ["C0", "C1", "C2", "C3"]})
    result = tiva.decompose(table)
    for name in ("gexp", "dva", "fva"):
        assert float(abs(result[name]).max()) == 0.0


def test_default_is_the_first_row_of_the_method() -> None:
    row = find_method("bm")
    assert (row.perspective, row.approach, row.levels[0]) == ("exporter", "source", "country")
