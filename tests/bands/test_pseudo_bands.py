"""The experiment with industries as bands: its bookkeeping, and what it found."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.pseudo_bands import BROAD, METHODS, World, build, countries_of, report, split_with
from benchmarks.tables import synthetic, wiod
from tests.paths import shared
from tiva.table.icio_table import IcioTable


@pytest.fixture(scope="module")
def industries() -> IcioTable:
    return synthetic(3, 35, 4).replace(sectors=tuple(f"c{k}" for k in range(1, 36)))


def test_true_flows_add_up_to_the_broad_table(industries: IcioTable) -> None:
    world = build(industries, 3, "random", tuple(BROAD), seed=1)
    for g, name in enumerate(world.broad.countries):
        rows = np.flatnonzero(world.shares.row_country == g)
        sector = world.shares.row_table_row[rows] - g * len(BROAD)
        sums = np.zeros((len(BROAD), len(BROAD)))
        np.add.at(sums, (sector[:, None], sector), world.flows[name])
        block = slice(g * len(BROAD), (g + 1) * len(BROAD))
        assert sums == pytest.approx(world.broad.intermediate[block, block])


def test_nothing_split_is_no_error(industries: IcioTable) -> None:
    world = build(industries, 3, "exports", ("primary",), seed=1)
    assert (world.shares.row_band >= 0).sum() == 6
    flat = World(world.broad, build(industries, 1, "exports", (), seed=1).shares, world.flows, world.low)
    assert list(countries_of(flat, split_with(flat, METHODS["s, alpha, m, e"]))) == []


def test_report_prints_every_method(industries: IcioTable) -> None:
    lines = report(build(industries, 2, "exports", tuple(BROAD), seed=1), draws=2, seed=1)
    assert len(lines) == len(METHODS) + 2
    assert lines[1].startswith("proportional")
    assert "%" in lines[-1]


@pytest.mark.parametrize("bands", [2, 4])
def test_margins_that_matter_on_a_real_table(bands: int) -> None:
    """Exports by band first, then sales to producers; proportional splits are far off and biased upwards."""
    world = build(wiod(shared("wiod2013/wiot2008.npz")), bands, "exports", tuple(BROAD), seed=1)
    mean: dict[str, float] = {}
    total: dict[str, float] = {}
    for name, margins in METHODS.items():
        pairs = [(t, e) for _, _, t, e in countries_of(world, split_with(world, margins))]
        mean[name] = float(np.mean([abs(e.share - t.share) for t, e in pairs]))
        total[name] = float(np.mean([abs(e.total - t.total) for t, e in pairs]))
    assert mean["proportional"] > 8
    assert mean["s, alpha, m, e"] < mean["proportional"] / 2
    assert mean["s, alpha, m, e + b2b"] < mean["s, alpha, m, e"] / 2
    assert total["s, alpha, m, e"] < total["proportional"] / 2
