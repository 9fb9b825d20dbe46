"""Every damage in every layout: refused by line, row, cell or label, or on the list of what no reader can see."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiva
from tests.readers.damage import DAMAGES, LABELS
from tests.readers.layouts import LAYOUTS, Layout, Rows
from tests.readers.support import fixture, zipped
from tests.readers.test_gloria import STEM, supply_and_use
from tests.readers.test_gloria import written as write_gloria
from tiva.errors import ReaderError
from tiva.readers.tidy import write_tidy

WIDE = {name: layout for name, layout in LAYOUTS.items() if not layout.long}
LONG = {name: layout for name, layout in LAYOUTS.items() if layout.long}

NO_TOTALS = "numbers only: no label and no total says where a cell belongs"
UNSEEN = {
    ("icio_user.csv", "right"): NO_TOTALS,
    ("icio_user.csv", "right_within"): NO_TOTALS,
    ("icio_user.csv", "left"): NO_TOTALS,
    ("icio_user.csv", "left_within"): NO_TOTALS,
    ("icio_user.csv", "part_right"): NO_TOTALS,
    ("icio_user.csv", "half"): "too small a table: half of it still looks like one (test_stata_icio)",
    ("icio_user.csv", "changed"): NO_TOTALS,
    ("icio_user.csv", "scaled"): NO_TOTALS,
    ("exiobase Z.txt", "labels_swapped"): "outputs of the two are 2 % apart, less than a gap that is refused; it warns",
}
"""What is read as it is; the docstrings of the readers say so."""

FRAMES = ("WIOT2014_October16_ROW.RData", "WIOT2014_October16_ROW.dta")
NOT_POSSIBLE = {(name, d) for name in FRAMES for d in ("longer", "shorter", "column_twice", "no_column_label")}
"""A data frame is a rectangle, and each of its columns has a name of its own."""

NOTHING_TO_LOSE = {
    ("exiobase Z.txt", "without_bottom"),
    ("eora T", "without_bottom"),
    ("icio_user.csv", "without_bottom"),
}
"""Files that end with the last country-sector."""


def cases() -> list[tuple[str, str]]:
    return [
        (name, damage)
        for name, layout in WIDE.items()
        for damage in DAMAGES
        if (layout.left or damage not in LABELS) and (name, damage) not in NOTHING_TO_LOSE | NOT_POSSIBLE
    ]


@pytest.mark.parametrize(("name", "damage"), cases())
def test_damage_is_refused_by_its_place(name: str, damage: str, tmp_path: Path) -> None:
    layout = WIDE[name]
    rows, pattern = DAMAGES[damage](layout, layout.load())
    path = layout.save(rows, tmp_path)
    if (name, damage) in UNSEEN:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tiva.errors.BalanceWarning)
            assert tiva.read(path).n
        return
    with pytest.raises(ReaderError) as caught:
        tiva.read(path)
    message = str(caught.value)
    if (name, damage) == ("icio_user.csv", "all_right"):
        pattern = "countries buy 8% of their final demand from themselves"
    assert re.search(pattern, message), message
    assert Path(str(caught.value.path)).name in message
    assert "  got: " in message


@pytest.mark.parametrize("name", WIDE)
def test_layouts_put_together_again_are_what_they_were(name: str, tmp_path: Path) -> None:
    """The damage is what is refused, not the way in which the test writes files."""
    layout = WIDE[name]
    again = tiva.read(layout.save(layout.load(), tmp_path))
    named = {"exiobase Z.txt": "IOT_2022_ixi.zip", "eora T": "eora26"}
    assert again.checksum == tiva.read(fixture(named.get(name, name))).checksum


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (name, damage)
        for name, layout in WIDE.items()
        for damage in ("right_within", "changed", *(["empty"] if layout.zeros else []))
        if name not in {"icio_user.csv", "eora T"}
    ],
)
def test_what_totals_show_can_be_kept_on_purpose(name: str, damage: str, tmp_path: Path) -> None:
    layout = WIDE[name]
    rows, _ = DAMAGES[damage](layout, layout.load())
    path = layout.save(rows, tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            table = tiva.read(path, gaps="keep")
        except ReaderError as error:  # six country-sectors: one row moves the median
            assert "a median gap" in str(error)  # noqa: PT017
            return
    assert any(isinstance(w.message, tiva.errors.BalanceWarning) for w in caught)
    assert any("gaps='keep'" in note for note in table.provenance.notes)


def values_moved(layout: Layout, rows: Rows) -> Rows:
    """Numbers of one row stand one line too low, under the labels of the cells before."""
    label = 2 if layout.name.startswith("lr") else 0
    start = next(i for i in range(1, len(rows)) if "C" in str(rows[i][label + 1]) or "C10T12" in str(rows[i][label]))
    block = range(start, start + 12)
    numbers = [rows[i][-1] for i in block]
    for i, value in zip(block, ["0", *numbers[:-1]], strict=True):
        rows[i][-1] = value
    return rows


def line_5(change: Callable[[Layout, list[Any]], list[Any]]) -> Callable[[Layout, Rows], Rows]:
    return lambda layout, rows: [*rows[:4], change(layout, list(rows[4])), *rows[5:]]


def misspelt(layout: Layout, row: list[Any]) -> list[Any]:
    at = 3 if layout.name.startswith("lr") else 0
    return [*row[:at], f"X{row[at]}", *row[at + 1 :]]


LONG_DAMAGES: dict[str, tuple[Callable[[Layout, Rows], Rows], str]] = {
    "values moved": (values_moved, "add up|shifted"),
    "half": (lambda layout, rows: rows[: len(rows) // 2], "labels|absent|missing"),
    "a country is lost": (
        lambda layout, rows: [r for r in rows if not str(r[0]).startswith("US_") and str(r[1]) != "USA"], "USA|US_",
    ),
    "a line is lost": (lambda layout, rows: [*rows[:9], *rows[10:]], "absent"),
    "a line twice": (lambda layout, rows: [*rows, list(rows[3])], "line [0-9]+|twice"),
    "no label": (line_5(lambda layout, row: ["", *row[1:]]), "line 5"),
    "misspelt label": (line_5(misspelt), "X"),
    "text": (line_5(lambda layout, row: [*row[:-1], "n.a.?"]), "line 5(.|\n)*n.a"),
    "empty": (line_5(lambda layout, row: [*row[:-1], ""]), "line 5"),
    "changed": (line_5(lambda layout, row: [*row[:-1], str(1000 * float(row[-1]))]), "add up"),
    "a cell too few": (line_5(lambda layout, row: row[:-1]), "line 5"),
    "a cell too many": (line_5(lambda layout, row: [*row, "1"]), "line 5"),
}  # fmt: skip


@pytest.mark.parametrize("damage", LONG_DAMAGES)
@pytest.mark.parametrize("name", LONG)
def test_damage_of_long_files(name: str, damage: str, tmp_path: Path) -> None:
    layout = LONG[name]
    change, pattern = LONG_DAMAGES[damage]
    with pytest.raises(ReaderError, match=pattern):
        tiva.read(layout.save(change(layout, layout.load()), tmp_path))


def several(name: str, folder: Path) -> Path:
    """An archive or folder with the table of two years."""
    source = fixture(name)
    if source.is_dir():
        target = folder / "both"
        for year in ("2015", "2014"):
            for path in source.iterdir():
                (target / year).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / year / path.name.replace("2015", year))
        return target
    stem, suffix = source.name.split(".", 1)
    return zipped(folder / "both.zip", **{f"{stem}_{y}__{suffix.replace('.', '__')}": source for y in (2013, 2014)})


FAMILIES = [
    *(n for n in LAYOUTS if (n != "exiobase Z.txt" and n != "eora T")), "IOT_2022_ixi.zip", "eora26",
]  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_two_tables_without_a_choice(name: str, tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"several tables|holds 2 tables|2 systems|no country list"):
        tiva.read(several(name, tmp_path))


@pytest.mark.parametrize("name", FAMILIES)
def test_another_year_than_asked_for(name: str, tmp_path: Path) -> None:
    if name == "icio_user.csv":
        shutil.copyfile(fixture("icio_user_countrylist.csv"), tmp_path / "t_2011_countrylist.csv")
        path = tmp_path / "t_2011.csv"
        shutil.copyfile(fixture(name), path)
    else:
        path = fixture(name)
    with pytest.raises(ReaderError, match="1950"):
        tiva.read(path, year=1950)


@pytest.mark.parametrize(
    ("name", "old", "new", "pattern"),
    [
        ("icio2025_2022_SML.csv", "C17_18", "C99", "no known ICIO edition(.|\n)*C99"),
        ("ICIO2016_2011.csv", "C15T16FOD", "C99X", "no known ICIO edition(.|\n)*C99X"),
        ("matrix_eu-ic-io_ind-by-ind_24ed_2022.csv", "W2_D1,", "W2_D9,", "missing: W2_D1"),
        ("lr_wiod_wiot_final_filled.csv", "xVA", "xGVA", "among them xVA"),
        ("WIOT2014_October16_ROW.for_R.csv", "RNr", "Row", "no known table layout"),
    ],
)
def test_unknown_editions_are_named(name: str, old: str, new: str, pattern: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(fixture(name).read_text().replace(old, new))
    with pytest.raises(ReaderError, match=pattern):
        tiva.read(path)


@pytest.mark.parametrize("part", ["T", "V"])
def test_a_shifted_line_of_gloria(part: str, tmp_path: Path) -> None:
    folder = write_gloria(tmp_path, supply_and_use())
    path = folder / STEM.format(part)
    lines = path.read_text().splitlines()
    at = 4 if part == "T" else 0
    lines[at] = ",".join(["0", *lines[at].split(",")[:-1]])
    path.write_text("\n".join(lines) + "\n")
    if part == "T":
        with pytest.raises(ReaderError, match=r"line 5: not a supply and use layout(.|\n)*AFG"):
            tiva.read(folder)
    else:
        with pytest.raises(ReaderError, match=r"line 1: value added in product columns"):
            tiva.read(folder, value_added="published")


def test_shifted_rows_of_an_archive_of_arrays(tmp_path: Path) -> None:
    table = tiva.example()
    arrays: dict[str, Any] = {
        "intermediate": table.intermediate.copy(), "final_demand": table.final_demand.reshape(table.n, -1),
        "countries": np.array(table.countries), "sectors": np.array(table.sectors), "output": table.output,
        "final_demand_categories": np.array(table.final_demand_categories), "value_added": table.value_added,
    }  # fmt: skip
    np.savez(tmp_path / "t.npz", **arrays)
    assert tiva.read(tmp_path / "t.npz").n == table.n
    arrays["intermediate"][20, 1:] = table.intermediate[20, :-1]
    arrays["intermediate"][20, 0] = 0
    np.savez(tmp_path / "t.npz", **arrays)
    area, sector = divmod(20, len(table.sectors))
    with pytest.raises(ReaderError, match=rf"{table.areas[area]}\.{table.sectors[sector]}"):
        tiva.read(tmp_path / "t.npz")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tidy_files_that_lost_lines(suffix: str, tmp_path: Path) -> None:
    import pandas as pd

    path = write_tidy(tiva.example(), tmp_path / f"t{suffix}")
    frame = pd.read_csv(path, keep_default_na=False) if suffix == ".csv" else pd.read_parquet(path)
    for left, pattern in ((frame.iloc[: len(frame) // 2], "half of a table|absent"), (frame.iloc[1:], "missing: ROW")):
        if suffix == ".csv":
            left.to_csv(path, index=False)
        else:
            left.to_parquet(path, index=False)
        with pytest.raises(ReaderError, match=pattern):
            tiva.read(path)
