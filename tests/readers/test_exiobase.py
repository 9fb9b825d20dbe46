from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.readers.support import assert_parsed, expected, fixture
from tiva.errors import ReaderError
from tiva.readers._wiod import TAXES

NAME = "IOT_2022_ixi.zip"
ROOT = "IOT_2022_ixi/"


def changed(path: Path, changes: Mapping[str, Callable[[str], str] | None]) -> Path:
    with zipfile.ZipFile(fixture(NAME)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            change = changes.get(name.removeprefix(ROOT), str)
            if change is not None:
                new.writestr(name, change(text))
    return path


def shifted(text: str, left: bool = False) -> str:
    """Move all numbers one column to the right, or to the left."""
    lines = text.splitlines()
    moved = []
    for line in lines[3:]:
        cells = line.split("\t")
        numbers = [*cells[3:], "0.0"] if left else ["0.0", *cells[2:-1]]
        moved.append("\t".join([*cells[:2], *numbers]))
    return "\n".join([*lines[:3], *moved]) + "\n"


def test_parses_to_its_expected_values() -> None:
    table = tiva.read(fixture(NAME), value_added="published")
    assert_parsed(table, expected(NAME), taxes=TAXES)
    assert (table.year, table.unit, table.provenance.edition) == (2022, "million EUR", "ixi")


def test_coefficients_and_solved_output_give_the_same(tmp_path: Path) -> None:
    table = tiva.read(fixture(NAME))
    by_x = tiva.read(changed(tmp_path / "a_2022.zip", {"Z.txt": None}))
    solved = tiva.read(changed(tmp_path / "b_2022.zip", {"Z.txt": None, "x.txt": None}))
    np.testing.assert_allclose(by_x.intermediate, table.intermediate, rtol=1e-12)
    np.testing.assert_allclose(solved.output, table.output, rtol=1e-9)
    assert any("solves" in note for note in solved.provenance.notes)


def test_value_added_is_found_in_whatever_folder_and_line_form(tmp_path: Path) -> None:
    path = tmp_path / "IOT_2022_pxp.zip"
    with zipfile.ZipFile(fixture(NAME)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if name.endswith("satellite/F.txt"):
                text = "".join(x for x in text.splitlines(keepends=True) if not x.startswith("stressor"))
            new.writestr(name.replace("satellite", "factor_inputs").replace("ixi", "pxp"), text)
    table = tiva.read(path, value_added="published")
    assert_parsed(table, expected(NAME), taxes=TAXES)
    assert table.provenance.edition == "pxp"


def test_a_total_is_not_added_to_its_parts(tmp_path: Path) -> None:
    start = "Compensation of employees; wages, salaries, & employers' social contributions: "

    def parts(text: str) -> str:
        lines = text.splitlines(keepends=True)
        total = next(x for x in lines if x.startswith(start))
        return text + total.replace(": Total", ": Low-skilled")

    table = tiva.read(changed(tmp_path / "x_2022.zip", {"satellite/F.txt": parts}), value_added="published")
    assert_parsed(table, expected(NAME))
    assert any("the total was taken" in note for note in table.provenance.notes)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("Z.txt", lambda t: t.replace("21.0", "NaN", 1), "Z.txt, line 4: column 3"),
        ("Z.txt", lambda t: "\n".join(t.splitlines()[:6]) + "\n", "do not match"),
        ("Z.txt", lambda t: t[: len(t) // 2], "line"),
        ("Y.txt", lambda t: t.replace("AU\tCult", "XX\tCult", 1), "do not match"),
        ("x.txt", lambda t: t.replace("165.0", "many"), "x.txt, line 2: column 3"),
        ("unit.txt", lambda t: t.replace("M.EUR", "TJ", 1), "different units"),
        ("satellite/F.txt", lambda t: t.replace("Operating", "operating"), "no extension has the value-added rows"),
        ("satellite/F.txt", None, "no F.txt"),
        ("Y.txt", None, "no known table layout"),
        ("Y.txt", lambda t: shifted(t, left=True), r"exports beside the flows(.|\n)*Exports: Total(.|\n)*shifted"),
        ("Z.txt", lambda t: shifted(t), "rows do not add up to output"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, name: str, change: Callable[[str], str] | None, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        tiva.read(changed(tmp_path / "x_2022.zip", {name: change}), value_added="published")


def test_two_systems_need_a_choice(tmp_path: Path) -> None:
    with zipfile.ZipFile(fixture(NAME)) as old:
        old.extractall(tmp_path)
    (tmp_path / "IOT_2022_ixi").rename(tmp_path / "IOT_2021_ixi")
    with zipfile.ZipFile(fixture(NAME)) as old:
        old.extractall(tmp_path)
    with pytest.raises(ReaderError, match="2 systems"):
        tiva.read(tmp_path)
    assert tiva.read(tmp_path, year=2021).year == 2021


def test_without_value_added_the_residual_says_that_there_were_no_published_rows(tmp_path: Path) -> None:
    whole = tiva.read(fixture(NAME))
    assert any("below the table were not used" in note for note in whole.provenance.notes)
    table = tiva.read(changed(tmp_path / "none_2022.zip", {"satellite/F.txt": None}))
    assert table.checksum == whole.checksum
    assert any("no published rows were found" in note for note in table.provenance.notes)
