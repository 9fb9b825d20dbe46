from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pytest

from tests.paths import shared
from tiva.errors import ShapeError, SingularTableError, UnknownLabelError
from tiva.model.leontief import LeontiefModel
from tiva.model.operators import abroad, block_columns, block_rows, own_country
from tiva.table.icio_table import IcioTable

ROUNDING = 1e-11
"""Operators against explicit inverses on tables of size 20: conditioning times rounding, relative to the largest."""

VALUE_ADDED_ADDS_UP = 1e-12
"""V B = 1 where value added is the residual: one solve."""

COUNTRIES, SECTORS = 5, 4


def table(**changes: Any) -> IcioTable:
    """A table with a zero-output sector, a netted zero-output exporter, negative inventories and value added."""
    rng = np.random.default_rng(11)
    n = COUNTRIES * SECTORS
    flows = rng.random((n, n)) + np.kron(np.eye(COUNTRIES), rng.random((SECTORS, SECTORS)) * 8)
    final = rng.random((n, COUNTRIES, 2)) * 6 + np.kron(np.eye(COUNTRIES), np.full((SECTORS, 1), 20.0))[:, :, None]
    flows[6], flows[:, 6], final[6] = 0.0, 0.0, 0.0
    flows[9], flows[:, 9], final[9] = 0.0, 0.0, 0.0
    final[9, 0, 1], final[9, 2, 0] = -2.0, 2.0
    final[3, 1, 1] = -4.0
    flows[:, 14] *= 4.0
    arguments = {
        "countries": ["A", "B", "C", "D", "E"],
        "sectors": ["w", "x", "y", "z"],
        "final_demand_categories": ["C", "I"],
    }
    return IcioTable.from_arrays(flows, final, **(arguments | changes))


class Explicit:
    """The same operators from explicit inverses of the permuted matrices."""

    def __init__(self, source: IcioTable, model: LeontiefModel) -> None:
        order = model._order
        x = source.output[order]
        inverse = np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)
        self.a = source.intermediate[np.ix_(order, order)] * inverse
        n = len(x)
        self.same = model.row_country[:, None] == model.row_country[None, :]
        self.domestic = np.where(self.same, self.a, 0.0)
        self.b = np.linalg.inv(np.eye(n) - self.a)
        self.local = np.linalg.inv(np.eye(n) - self.domestic)
        diagonal = np.where(self.same, self.b, 0.0)
        self.undo = np.linalg.inv(diagonal) @ self.local
        self.v = source.value_added[order] * inverse


def split() -> IcioTable:
    """The same flows with B and E as two parts of one country P."""
    source = table()
    final = source.final_demand[:, :4, :].copy()
    final[:, 1] += source.final_demand[:, 4]
    return IcioTable.from_arrays(
        source.intermediate,
        final,
        countries=["A", "P1", "C", "D", "P2"],
        sectors=source.sectors,
        final_demand_categories=["C", "I"],
        split_countries={"P1": "P", "P2": "P"},
    )


VARIANTS: dict[str, tuple[IcioTable, dict[str, Any]]] = {
    "plain": (table(), {}),
    "group": (table(), {"groups": {"G": ["B", "D"]}}),
    "split": (split(), {}),
    "satellite": (table(), {"satellite": np.arange(20.0)}),
}


@pytest.fixture(params=list(VARIANTS))
def pair(request: pytest.FixtureRequest) -> tuple[LeontiefModel, Explicit]:
    source, options = VARIANTS[request.param]
    model = LeontiefModel(source, **options)
    return model, Explicit(source, model)


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=ROUNDING, atol=ROUNDING * max(1.0, float(np.abs(theirs).max())))


def test_operators_equal_explicit_inverses(pair: tuple[LeontiefModel, Explicit]) -> None:
    model, exact = pair
    rng = np.random.default_rng(2)
    right, left = rng.random((20, 3)), rng.random((3, 20))
    close(model.apply_inverse(right), exact.b @ right)
    close(model.apply_inverse_transpose(left), left @ exact.b)
    close(model.local_inverse(right), exact.local @ right)
    close(model.local_inverse_transpose(left), left @ exact.local)
    close(model.undo_feedback(left), left @ exact.undo)
    close(model.undo_feedback_columns(right), exact.undo @ right)
    close(model.domestic(right), exact.domestic @ right)
    close(model.trade(right), (exact.a - exact.domestic) @ right)
    close(model.trade(right[:, 0]), (exact.a - exact.domestic) @ right[:, 0])
    close(model.inverse, exact.b)
    for block, a, b in zip(model.inverse_diagonal_blocks, model.offsets[:-1], model.offsets[1:], strict=True):
        close(block, exact.b[a:b, a:b])


def test_value_added_by_origin_and_absorption(pair: tuple[LeontiefModel, Explicit]) -> None:
    model, exact = pair
    close(model.value_added, model._rows(model._primary) * model.inverse_output)
    rows = block_rows(model, model.value_added)
    close(model.value_added_by_origin, rows @ exact.b)
    close(model.absorption, exact.b @ model.final_demand)
    close(block_columns(model, model.value_added), rows.T)


def test_exports_are_deliveries_to_other_blocks(pair: tuple[LeontiefModel, Explicit]) -> None:
    model, exact = pair
    intermediate = (exact.a - exact.domestic) * model.output
    expected = abroad(model, model.final_demand)
    for r in range(len(model.countries)):
        expected[:, r] += intermediate[:, model.row_country == r].sum(axis=1)
    close(model.exports, expected)
    assert not own_country(model, model.exports).any()


def test_trade_products_of_the_model(pair: tuple[LeontiefModel, Explicit]) -> None:
    model, exact = pair
    activity = np.random.default_rng(8).random((20, 1))
    products = model.trade_products(activity)[:, :, 0]
    close(products.sum(axis=1), ((exact.a - exact.domestic) @ activity)[:, 0])


def test_blocks_agree_whether_or_not_the_inverse_is_there() -> None:
    with_inverse, without = LeontiefModel(table()), LeontiefModel(table())
    assert with_inverse.inverse.shape == (20, 20)
    for a, b in zip(with_inverse.inverse_diagonal_blocks, without.inverse_diagonal_blocks, strict=True):
        close(a, b)


def test_value_added_adds_up_to_one() -> None:
    model = LeontiefModel(table())
    total = model.value_added_by_origin.sum(axis=0)
    positive = model.output != 0
    np.testing.assert_allclose(total[positive], 1.0, atol=VALUE_ADDED_ADDS_UP)
    np.testing.assert_array_equal(total[~positive], 0.0)


@pytest.mark.parametrize("year", [1995, 2000, 2005, 2008, 2011])
def test_value_added_adds_up_on_real_years(year: int) -> None:
    from benchmarks.tables import wiod

    model = LeontiefModel(wiod(shared(f"wiod2013/wiot{year}.npz")))
    total = model.value_added_by_origin.sum(axis=0)
    np.testing.assert_allclose(total[model.output != 0], 1.0, atol=VALUE_ADDED_ADDS_UP * 100)


def test_singular_system_is_refused() -> None:
    flows = np.full((4, 4), 25.0)
    closed = IcioTable.from_arrays(flows, np.zeros((4, 2)), countries=["A", "B"], sectors=["x", "y"])
    with pytest.raises(SingularTableError, match="I - A is singular"):
        LeontiefModel(closed).apply_inverse(np.ones(4))


def test_bad_satellite_and_group() -> None:
    with pytest.raises(ShapeError, match="one value per country-sector"):
        LeontiefModel(table(), satellite=np.ones(3))
    with pytest.raises(UnknownLabelError, match="unknown country 'Q'"):
        LeontiefModel(table(), groups={"G": ["Q"]})


def content_of(model: LeontiefModel) -> dict[str, Any]:
    """Every cached property of a model that is an array or a list of arrays."""
    names = [n for cls in type(model).__mro__ for n, v in vars(cls).items() if isinstance(v, cached_property)]
    found = {name: getattr(model, name) for name in names}
    return {n: v for n, v in found.items() if isinstance(v, (np.ndarray, list))}


@pytest.mark.parametrize("groups", [None, {"AB": ["A", "B"]}])
def test_a_model_that_carries_a_satellite_is_the_model_made_with_it(groups: dict[str, list[str]] | None) -> None:
    source = table()
    satellite = np.linspace(0.0, 7.0, source.n)
    plain = LeontiefModel(source, groups=groups)
    before = content_of(plain)
    carrying, anew = plain.carrying(satellite, "jobs"), LeontiefModel(source, satellite=satellite, groups=groups)
    assert carrying.unit == "jobs"
    assert carrying.carries_satellite
    assert not plain.carries_satellite
    assert carrying.factor is plain.factor
    expected = content_of(anew)
    for name, found in content_of(carrying).items():
        for a, b in zip(found, expected[name], strict=True):
            np.testing.assert_allclose(a, b, rtol=ROUNDING, atol=ROUNDING, err_msg=name)
    for name, kept in content_of(plain).items():
        assert kept is before[name], name
    with pytest.raises(ShapeError):
        plain.carrying(satellite[1:])
