from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.readers.support import expected, fixture, zipped
from tiva.errors import ReaderError
from tiva.readers.eora import DISCREPANCY

TEXT_TOLERANCE = 2e-3
LIVE = [0, 1, 3, 4, 8]
"""Country-sectors of the fixture that are not empty: ROW has the sector TOTAL only."""


def copied(tmp_path: Path, name: str, change: Callable[[str], str]) -> Path:
    folder = tmp_path / "eora"
    shutil.copytree(fixture("eora26"), folder)
    (folder / name).chmod(0o644)
    (folder / name).write_text(change((folder / name).read_text()))
    return folder


@pytest.mark.parametrize(("unit", "factor"), [("thousand USD", 1e-3), ("million USD", 1.0)])
def test_parses_to_its_expected_values(unit: str, factor: float) -> None:
    want = expected("eora26")
    table = tiva.read(fixture("eora26"), value_added="published", unit=unit)
    assert table.unit == unit
    assert list(table.countries) == want["countries"]
    assert list(table.sectors) == [*want["sectors"], "TOTAL"]
    assert list(table.final_demand_categories) == want["fd"]
    np.testing.assert_allclose(table.intermediate[np.ix_(LIVE, LIVE)] * factor, want["Z"], atol=TEXT_TOLERANCE)
    np.testing.assert_allclose(table.final_demand.reshape(9, -1)[LIVE] * factor, want["Y"], atol=TEXT_TOLERANCE)
    np.testing.assert_allclose(table.value_added[LIVE] * factor, want["VA"], atol=TEXT_TOLERANCE)
    np.testing.assert_allclose(table.output[LIVE] * factor, want["X"], atol=TEXT_TOLERANCE)
    empty = sorted(set(range(9)) - set(LIVE))
    assert not table.output[empty].any()
    assert any("times" in note and "thousand USD" in note for note in table.provenance.notes)


def test_gap_of_the_publisher_is_a_row_of_its_own(tmp_path: Path) -> None:
    def add(text: str) -> str:
        first, rest = text.split("\t", 1)
        return f"{float(first) + 500}\t{rest}"

    table = tiva.read(copied(tmp_path, "Eora26_2015_bp_VA.txt", add), value_added="published")
    gap = table.other_inputs[DISCREPANCY].intermediate
    assert gap[0] == pytest.approx(-500)
    assert np.abs(gap[1:]).max() == pytest.approx(0, abs=1)


@pytest.mark.parametrize("value_added", ["residual", "published"])
def test_columns_that_are_far_from_the_rows_are_refused(tmp_path: Path, value_added: str) -> None:
    def larger(text: str) -> str:
        return "\n".join(
            "\t".join(str(2 * float(x)) for x in line.split("\t") if x.strip()) for line in text.splitlines()
        )

    with pytest.raises(ReaderError, match=r"columns do not add up(.|\n)*% of world output(.|\n)*shifted"):
        tiva.read(copied(tmp_path, "Eora26_2015_bp_VA.txt", larger), value_added=value_added)


def test_labels_beside_the_archive(tmp_path: Path) -> None:
    folder = fixture("eora26")
    matrices = {p.name.replace(".", "__"): p for p in folder.glob("Eora*")}
    labels = {p.name.replace(".", "__"): p for p in folder.glob("labels*")}
    path = zipped(tmp_path / "Eora26_2015_bp.zip", **matrices)
    with pytest.raises(ReaderError, match="no label files"):
        tiva.read(path)
    zipped(tmp_path / "indices.zip", **labels)
    assert tiva.read(path).checksum == tiva.read(folder).checksum
    assert tiva.read(path, labels=folder).checksum == tiva.read(folder).checksum


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("labels_T.txt", lambda t: t.replace("AUS", "", 1), "labels_T.txt, line 1: a label is missing"),
        ("labels_T.txt", lambda t: "\n".join(t.splitlines()[1:]) + "\n", "do not match|another number"),
        ("labels_T.txt", lambda t: t.replace("Fishing", "Agriculture"), "duplicate|do not match"),
        ("Eora26_2015_bp_T.txt", lambda t: "\n".join(t.splitlines()[:3]) + "\n", "another number of rows"),
        ("Eora26_2015_bp_T.txt", lambda t: t.replace("\n", "\tx\n", 1), "line 1"),
        ("Eora26_2015_bp_FD.txt", lambda t: t.replace("0", "a", 1), "is not a finite number|line"),
        ("Eora26_2015_bp_FD.txt", lambda t: t.split("\t", 1)[1], "line 1: a line with another number"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, name: str, change: Callable[[str], str], message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        tiva.read(copied(tmp_path, name, change))


def test_half_of_a_table(tmp_path: Path) -> None:
    folder = copied(tmp_path, "labels_T.txt", str)
    (folder / "Eora26_2015_bp_FD.txt").unlink()
    with pytest.raises(ReaderError, match="half of a table: no FD matrix"):
        tiva.read(folder)
    with pytest.raises(ReaderError, match="no transaction matrix in pp prices"):
        tiva.read(folder, prices="pp")


def test_without_value_added_the_residual_says_that_there_were_no_published_rows(tmp_path: Path) -> None:
    folder = copied(tmp_path, "labels_T.txt", str)
    whole = tiva.read(folder)
    (folder / "Eora26_2015_bp_VA.txt").unlink()
    table = tiva.read(folder)
    assert table.checksum == whole.checksum
    assert any("below the table were not used" in note for note in whole.provenance.notes)
    (note,) = (note for note in table.provenance.notes if "value added" in note)
    assert "no published rows were found" in note
    assert "no VA matrix beside Eora26_2015_bp_T.txt" in note
    with pytest.raises(ReaderError, match="half of a table: no VA matrix"):
        tiva.read(folder, value_added="published")
