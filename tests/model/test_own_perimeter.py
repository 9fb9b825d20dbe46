"""Own perimeters that several rows share: members of a group, parts of a split country, with and without bands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tiva
from benchmarks.banded import random_shares
from tests import brute_force
from tests.model.test_leontief import split
from tests.tables import random_table
from tiva.bands.split import split_by_size
from tiva.decompositions import self_perimeter
from tiva.model.leontief import LeontiefModel
from tiva.model.own_perimeter import own_perimeters, sector_cells
from tiva.table.icio_table import IcioTable

ROUNDING = 1e-10
"""Explicit modified inverses against small solves, relative to the largest value."""

GROUP = {"UNION": ("C1", "C3", "C4")}


def _joined() -> LeontiefModel:
    return LeontiefModel(random_table(31, 5, 3), groups=GROUP)


def test_rows_of_one_exporter_and_sector_are_one_cell() -> None:
    single, joint = sector_cells(_joined())
    assert single.shape == (6, 1)
    assert joint.shape == (3, 3)
    model = _joined()
    assert (model.row_sector[joint] == model.row_sector[joint][:, :1]).all()
    assert [cells.shape for cells in sector_cells(LeontiefModel(random_table(31)))] == [(12, 1)]
    assert not own_perimeters(LeontiefModel(random_table(31)), by_partner=True).joint


@pytest.mark.parametrize("by_partner", [False, True])
def test_flows_and_contents_are_two_sides_of_the_same_perimeter(by_partner: bool) -> None:
    model, rng = _joined(), np.random.default_rng(1)
    rows, blocks = model.final_demand.shape
    left, right = rng.random((2, rows)), rng.random((rows, blocks, 4))
    own = own_perimeters(model, by_partner=by_partner)
    for cells in sector_cells(model):
        of_contents = np.einsum("mckg,ckgx->mcgx", np.broadcast_to(own.of_contents(left), (2, rows, blocks))[:, cells],
                                right[cells])  # fmt: skip
        of_flows = np.einsum("mck,ckgx->mcgx", left[:, cells], own.of_flows(right)[cells])
        np.testing.assert_allclose(of_contents, of_flows, rtol=ROUNDING)


@pytest.mark.parametrize("perimeter", ["sectexp", "sectbil"])
def test_bands_of_a_group_by_explicit_inverse(perimeter: str) -> None:
    """Rows of one size of all members are one perimeter; sizes are apart."""
    table = random_table(24, 4, 2)
    banded = split_by_size(table, random_shares(table, 3, seed=2))
    model = banded.model(groups={"UNION": ("C0", "C2")})
    written, order = banded.to_table(), model.source_row
    final = np.zeros((len(order), len(model.countries)))
    for column, country in enumerate(table.countries):
        block = model.countries.index("UNION" if country in {"C0", "C2"} else country)
        final[:, block] += written.final_demand.sum(axis=2)[order, column]
    blocks = [np.flatnonzero(model.row_country == g) for g in range(len(model.countries))]
    key = list(zip(model.row_country, model.row_sector, model.row_band, strict=True))
    cells = [np.array([i for i, k in enumerate(key) if k == one]) for one in dict.fromkeys(key)]
    assert max(map(len, cells)) == 2
    flows = written.intermediate[np.ix_(order, order)]
    e = brute_force.Economy(flows, final, np.asarray(written.value_added)[order], blocks, cells)
    ours, exact = getattr(self_perimeter, perimeter)(model), getattr(brute_force, perimeter)(e)
    assert self_perimeter.BY_SIZE in ours.notes
    for name, values in exact.items():
        scale = float(np.abs(exact["gexp"]).max())
        np.testing.assert_allclose(ours.arrays[name], values, rtol=0, atol=ROUNDING * scale, err_msg=name)


@pytest.mark.parametrize(
    ("table", "groups"), [(random_table(31, 5, 3), GROUP), (split(), None)], ids=["group", "split"]
)
def test_a_sector_alone_is_the_perimeter_of_a_group_of_one(
    table: IcioTable, groups: dict[str, tuple[str, ...]] | None
) -> None:
    model = LeontiefModel(table, groups=groups)
    sector, partner, exporter = model.sectors[1], model.countries[0], model.countries[1]
    options: dict[str, Any] = {"perspective": "self", "exporter": exporter, "sector": sector}
    all_exports = tiva.decompose(model, perimeter="sectexp", level="sector", **options)
    one_flow = tiva.decompose(model, perimeter="sectbil", level="sector-bilateral", importer=partner, **options)
    joint = tiva.decompose(model, perimeter="group", **options)
    to_partner = tiva.decompose(model, perimeter="group", importer=partner, **options)
    for term in ("gexp", "dva", "ddc", "vax", "ref", "fva", "fdc"):
        assert float(all_exports[term].sum()) == pytest.approx(float(joint[term].sum()), rel=ROUNDING)
        assert float(one_flow[term].sum()) == pytest.approx(float(to_partner[term].sum()), rel=ROUNDING)


def test_one_perimeter_for_all_rows_counts_once_what_single_rows_count_again() -> None:
    """Rows by themselves do not see what comes back to another member: their value added would be too large."""
    model = _joined()
    dva = self_perimeter.sectexp(model).arrays["dva"]
    content = model.value_added_by_origin[model.row_country, np.arange(len(model.output))]
    apart = content * model.exports.sum(axis=1) / (1.0 + model.feedback_diagonal)
    for cell in sector_cells(model)[1]:
        assert dva[cell].sum() < (1.0 - 1e-4) * apart[cell].sum()
