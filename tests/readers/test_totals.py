"""Stated totals against sums: what one moved, lost or exchanged line does to them, on a real table."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.paths import shared
from tiva.errors import BalanceWarning, ReaderError, UnknownLabelError
from tiva.readers.source import Source
from tiva.readers.totals import Places, Totals, check_gaps_option, check_totals

TRIES = 12
FOUND = 0.9
"""Share of moved lines with output that are named; those that hold next to nothing move nothing."""

Array = np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture(name="source")
def any_source(tmp_path: Path) -> Source:
    (tmp_path / "t.csv").write_text("a")
    return Source(tmp_path / "t.csv")


@pytest.fixture(scope="module")
def world() -> Totals:
    """The whole table of 2011 with value added that closes it."""
    with np.load(shared("wiod2013/wiot2011.npz"), allow_pickle=False) as data:
        z, f = data["intermediate"].astype(float), data["final_demand"].astype(float)
    output = z.sum(axis=1) + f.sum(axis=1)
    labels = [f"L{i}" for i in range(len(z))]
    places = Places(labels, [f"line {i + 2}" for i in range(len(z))], [f"column {i + 2}" for i in range(len(z))])
    return Totals(places, z, f, output, below=output - z.sum(axis=0))


def moved(totals: Totals, rows: list[int], right: bool, first: int = 0, joined: bool = True) -> Totals:
    """Move cells of some rows by one, from the cell ``first`` on."""
    z, f, n = totals.intermediate.copy(), totals.final.copy(), len(totals.intermediate)
    for i in rows:
        line = np.concatenate([z[i], f[i]]) if joined else z[i]
        new = line.copy()
        if right:
            new[first + 1 :], new[first] = line[first:-1], 0.0
        else:
            new[first:-1], new[-1] = line[first + 1 :], 0.0
        z[i] = new[:n]
        if joined:
            f[i] = new[n:]
    return replace(totals, intermediate=z, final=f, joined=joined)


def refused(source: Source, totals: Totals) -> str:
    try:
        check_totals(source, "t.csv", totals, "refuse")
    except ReaderError as error:
        return str(error)
    return ""


def live(totals: Totals, count: int = TRIES) -> list[int]:
    """Rows whose output is no less than a thousandth of the mean."""
    assert totals.output is not None
    rows = np.flatnonzero(totals.output > 1e-3 * totals.output.mean())
    return [int(i) for i in np.random.default_rng(1).choice(rows, count, replace=False)]


def test_a_table_that_balances_passes_with_and_without_output(source: Source, world: Totals) -> None:
    assert check_totals(source, "t.csv", world, "refuse") == ()
    assert check_totals(source, "t.csv", replace(world, output=None), "refuse") == ()
    rng = np.random.default_rng(2)
    rounded = np.round(world.intermediate + rng.uniform(-0.5e-3, 0.5e-3, world.intermediate.shape), 3)
    assert check_totals(source, "t.csv", replace(world, intermediate=rounded), "refuse") == ()
    notes = check_totals(source, "t.csv", replace(world, below=None), "refuse")
    assert notes == ("columns could not be checked against output: not all rows below them are in the file",)


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("first", [0, 500])
@pytest.mark.parametrize("output", [True, False])
@pytest.mark.parametrize("joined", [True, False])
def test_a_moved_line_is_named(
    source: Source, world: Totals, right: bool, first: int, output: bool, joined: bool
) -> None:
    totals = world if output else replace(world, output=None)
    outcome: Counter[bool] = Counter()
    for i in live(world):
        message = refused(source, moved(totals, [i], right, first, joined))
        outcome[f"L{i} (line {i + 2})" in message] += 1
    assert outcome[True] >= FOUND * TRIES


def test_several_moved_lines_are_all_named(source: Source, world: Totals) -> None:
    rows = live(world, 4)
    message = refused(source, moved(world, rows, True))
    assert message.startswith("t.csv: rows that are shifted by one cell to the right")
    assert all(f"L{i} (line {i + 2})" in message for i in rows)


def test_stated_intermediate_use_shows_a_moved_line_too(source: Source, world: Totals) -> None:
    i = live(world)[0]
    stated = replace(moved(world, [i], True), below=None, intermediate_total=world.intermediate.sum(axis=0))
    assert f"got: L{i} (line {i + 2})\n" in refused(source, stated)


def test_where_the_publisher_does_not_balance_nothing_is_made_up(source: Source, world: Totals) -> None:
    assert world.below is not None
    noise = 1 + 0.02 * np.random.default_rng(3).normal(size=len(world.below))
    loose = replace(world, output=None, below=world.below * noise, balanced=False, joined=False)
    assert refused(source, loose) == ""
    assert refused(source, moved(loose, live(world)[:1], True, joined=False)) in ("", refused(source, loose))


def test_lines_under_each_others_labels(source: Source, world: Totals) -> None:
    assert world.output is not None
    i, j = live(world, 2)
    output = world.output.copy()
    output[[i, j]] = output[[j, i]]
    swapped = replace(world, output_row=output)
    message = refused(source, swapped)
    assert message.startswith("t.csv: rows or columns that have each other's totals")
    low, high = sorted((i, j))
    assert f"L{low} (line {low + 2}, column {low + 2}) and L{high} (line {high + 2}, column {high + 2})" in message


def test_one_cell_and_all_cells(source: Source, world: Totals) -> None:
    z = world.intermediate.copy()
    z[7, 40] += world.output[7] if world.output is not None else 0.0
    assert "rows do not add up to output\n  got: L7 (line 9): " in refused(source, replace(world, intermediate=z))
    thousand = replace(world, intermediate=world.intermediate * 1000)
    assert "a median gap of" in refused(source, thousand)
    with pytest.raises(ReaderError, match="a median gap of"):
        check_totals(source, "t.csv", thousand, "keep")


def test_gaps_kept_on_purpose_are_noted_with_one_warning(source: Source, world: Totals) -> None:
    z = world.intermediate.copy()
    z[7, 40] += world.output[7] if world.output is not None else 0.0
    with pytest.warns(BalanceWarning) as caught:
        notes = check_totals(source, "t.csv", replace(world, intermediate=z), "keep")
    assert len(caught) == 1
    assert notes[0].startswith("kept as asked for with gaps='keep': rows do not add up to output: L7 (line 9)")
    with pytest.raises(UnknownLabelError, match="gaps option"):
        check_gaps_option("ignore")


def test_rounding_of_the_source_and_cut_cells_are_no_gaps(source: Source, world: Totals) -> None:
    assert world.output is not None
    off = replace(world, output=world.output * 1.2, below=None)
    assert refused(source, off)
    cut = float(np.abs(world.output * 0.2).max())
    assert refused(source, replace(off, slack=cut)) == ""
    some = world.output.copy()
    some[:100] *= 1.2
    assert refused(source, replace(world, output=some, below=None))
    assert refused(source, replace(world, output=some, below=None, rounding=(0.1, 0.25))) == ""
