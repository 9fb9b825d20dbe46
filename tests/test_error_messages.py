"""Bad input through the command line: a typed error in words, exit code 2 or 3, nothing written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.paths import listed
from tests.readers.support import edited, fixture
from tiva.cli import main

OECD = "icio2023_2020_SML.csv"

USAGE, DATA = 2, 3

Z = np.arange(1.0, 17.0).reshape(4, 4)
F = np.full((4, 2), 30.0)


def archive(folder: Path, **changes: Any) -> Path:
    """Write a small table with some arrays replaced."""
    arrays: dict[str, Any] = {
        "intermediate": Z, "final_demand": F, "output": Z.sum(axis=1) + F.sum(axis=1),
        "countries": np.array(["AAA", "BBB"]), "sectors": np.array(["x", "y"]),
        "final_demand_categories": np.array(["final"]), "year": 2000,
    }  # fmt: skip
    path = folder / "table.npz"
    np.savez(path, **(arrays | changes))
    return path


def with_cell(value: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    cells = Z.copy()
    cells[1, 2] = value
    return cells


def refused(capsys: pytest.CaptureFixture[str], code: int, text: str, *arguments: object) -> None:
    """The command ends with this code and message, without traceback, output or warnings in between."""
    got = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert got == code, err
    assert out == ""
    assert "Traceback" not in err
    assert "Warning" not in err
    words = " ".join(err.split())
    assert words.startswith("error: ")
    assert re.search(text, words), words


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"intermediate": with_cell(np.nan)}, "1 cells that are not finite.*got: nan in row AAA.y, column BBB.x"),
        ({"intermediate": with_cell(np.inf)}, "1 cells that are not finite.*got: inf in row AAA.y, column BBB.x"),
        ({"final_demand": np.full((4, 2), np.nan)}, "final_demand has 8 cells that are not finite"),
        ({"countries": np.array(["AAA", "AAA"])}, "not a full grid.*twice: AAA_x, AAA_y"),
        ({"sectors": np.array(["x", "x"])}, "not a full grid.*twice: AAA_x, BBB_x"),
        ({"intermediate": Z[:, :3]}, r"does not fit the labels got: shape \(4, 3\).*shape \(4, 4\)"),
        ({"countries": np.array(["AAA", "BBB", "CCC"])}, r"numbers of shape \(6, 6\): 3 countries, 2 sectors"),
        (
            {"intermediate": np.ones((4, 4)), "final_demand": np.zeros((4, 2)), "output": np.full(4, 4.0)},
            "I - A is singular: the Leontief system has no unique solution.*do: look at table.check",
        ),
    ],
    ids=["nan", "inf", "nan in final demand", "double country", "double sector", "not square", "too small", "singular"],
)
def test_tables_that_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, changes: dict[str, Any], text: str
) -> None:
    path = archive(tmp_path, **changes)
    refused(capsys, DATA, text, "decompose", path, "--out", tmp_path / "result.csv")
    assert listed(tmp_path) == ["table.npz"]


def test_a_missing_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    refused(capsys, DATA, "no such file: .*none.csv do: check the path", "decompose", tmp_path / "none.csv")


def test_a_file_of_no_layout(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader,\n")
    text = "no known table layout.*expected: one of native, npz, oecd.*do: name the layout"
    refused(capsys, DATA, text, "decompose", path)
    refused(capsys, DATA, "holds no table of this layout", "decompose", path, "--layout", "oecd")
    refused(capsys, USAGE, "unknown layout 'oced'.*did you mean 'oecd'", "decompose", path, "--layout", "oced")


@pytest.mark.parametrize("kept", [0.4, 0.7])
def test_a_truncated_csv(capsys: pytest.CaptureFixture[str], tmp_path: Path, kept: float) -> None:
    path = edited(OECD, tmp_path, lambda text: text[: int(kept * len(text))])
    text = "line [47]: too few cells.*do: the file is cut short or its columns are shifted"
    refused(capsys, DATA, text, "decompose", path, "--out", tmp_path / "result.nc")
    assert listed(tmp_path) == [OECD]


def test_rows_in_another_order_are_matched_by_label(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def turned(text: str) -> str:
        head, *lines = text.strip().split("\n")
        return "\n".join([head, *lines[5::-1], *lines[6:]]) + "\n"

    assert main(["decompose", str(fixture(OECD)), "--format", "csv"]) == 0
    straight = capsys.readouterr().out
    assert main(["decompose", str(edited(OECD, tmp_path, turned)), "--format", "csv"]) == 0
    values = [dict(row.split(",", 1) for row in text.split("\n")[1:] if row) for text in
              (straight, capsys.readouterr().out)]  # fmt: skip
    assert values[0].keys() == values[1].keys()
    for country, row in values[0].items():
        np.testing.assert_allclose(*(np.array(r.split(","), dtype=float) for r in (row, values[1][country])))


def test_a_column_that_no_row_has(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = edited(OECD, tmp_path, lambda text: text.replace("V1,AUS_A01_02", "V1,AUT_A01_02"))
    refused(capsys, DATA, "AUT|AUS", "decompose", path)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--exporter MXE", "unknown exporter 'MXE'.*did you mean 'MEX'"),
        ("--origin MXE", "unknown origin 'MXE'.*did you mean 'MEX'"),
        ("--exporter NAFTA|MEX", "'MEX' appears both alone and in a group.*write it once"),
        ("--exporter NAFTA|USMCA", "groups of a union overlap"),
        (
            "--exporter NAFTA,MEX",
            "exporter 'MEX' appears both alone and in a group got: 'NAFTA' and 'MEX' do: leave it",
        ),
        ("--exporter MEX --exporter MEX", "exporter 'MEX' is given twice do: write it once"),
        ("--exporter NAFTA,G7", "groups of exporter overlap got: CAN, USA in 'NAFTA' and in 'G7' do: .*'G7-NAFTA'"),
        ("--level bilateral --importer EU27,DEU", "importer 'DEU' appears both alone and in a group"),
        ("--level sector --sector ALL,Food", "sector 'Food' appears both alone and in a group"),
        ("--origin NAFTA,MEX", "origin 'MEX' appears both alone and in a group"),
        ("--origin WLD --absorber USA,USA", "absorber 'USA' is given twice"),
        ("--exporter NATFA", "unknown exporter 'NATFA'.*did you mean 'NAFTA'"),
        ("--groups NATFA", "unknown country or country group 'NATFA'.*did you mean 'NAFTA'"),
        ("--groups NAFTA,NA=USA|MEX", "country groups overlap.*'MEX' is in 'NAFTA' and in 'NA'|'USA' is in"),
        ("--groups NAFTA,NAFTA", "'NAFTA' is given twice"),
        ("--groups NAFTA --exporter MEX", "exporter 'MEX' is part of a group that acts.*got: groups NAFTA"),
        ("--level bilateral --exporter MEX --importer MEX", "exporter and importer are the same country got: MEX"),
        ("--exporter MEX --importer MEX --origin WLD", "exporter and importer are the same country"),
        ("--level sector --sector Vehicle", "unknown sector 'Vehicle'.*did you mean 'Vehicles'"),
        ("--perspective world --perimeter sectexp", "do not go together.*perspective=self perimeter=sectexp"),
        ("--perspective world --level sector", "do not go together.*perspective=world approach=source"),
        ("--perspective sectexp", "'sectexp' is a value of perimeter, not of perspective.*self perimeter=sectexp"),
        ("--perimeter sink", "'sink' is a value of approach, not of perimeter.*approach=sink"),
        ("--perspective exprter", "unknown perspective 'exprter'.*did you mean 'exporter'"),
        ("--perspective exporter --perimeter sectbil", "do not go together.*supported combinations"),
        ("--method kww --level bilateral", "do not go together.*method=kww perimeter=country level=country"),
        ("--perspective self --detail", "do not go together.*got: .*perspective=self level=country detail"),
        ("--origin WLD --method kww", "not known for these options got: method=kww.*method=bm perspective=exporter"),
        ("--origin WLD --detail", "not known for these options.*detail.*method=bm perspective=importer"),
        ("--origin WLD --approach sink --term davax", "options of origins do not go together.*supported combinations"),
        ("--origin WLD --perspective importer --term dva", "do not go together.*perimeter=importer.*content.va.dcimp"),
        ("--method vs --sum NAFTA", "may not be summed over exporters got: vs_share, vs1_share.*additive terms only"),
        ("--perspective self --perimeter bilateral --level bilateral --sum NAFTA", "may not be summed.*got: gexp, dc"),
        ("--sum NATFA", "unknown country or country group 'NATFA'.*'NAFTA'"),
        ("--sum NA=", "a sum needs a name and members got: NA="),
        ("--sum =USA|MEX", "a sum needs a name and members"),
        ("--sum NAFTA,NAFTA", "sum 'NAFTA' of exporter is given twice"),
        ("--sum NAFTA,N=USA|CHN", "country groups overlap.*'USA' is in 'NAFTA' and in 'N'"),
        ("--sum importer:NA=NAFTA", "unknown dimension 'importer' expected: one of exporter"),
        ("--sum BRA=USA|MEX", "group 'BRA' has the name of a country that is not its member"),
        ("--vocabulary statta", "unknown vocabulary 'statta'.*did you mean 'stata'"),
        (
            "--vocabulary kww",
            "'kww' has no names for these terms got: method=bm.*kww: bm exporter sink at level country",
        ),
        ("--method wwz --level sector --vocabulary kww", "hold for country totals only.*decompose at level 'country'"),
        ("--origin WLD --vocabulary stata", "no names in other vocabularies"),
        ("--backend cupi", "unknown backend 'cupi'.*did you mean 'cupy'"),
        ("--term fva", "--term belongs to --origin and --absorber"),
        ("--satellite-variable EMP", "needs a file"),
        ("--exporter WLD-WLD", "selects no country of this table"),
    ],
)
def test_selections_and_options_that_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: str, text: str
) -> None:
    refused(capsys, USAGE, text, "decompose", *arguments.split(), "--out", tmp_path / "result.csv")
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    ("lines", "code", "text"),
    [
        ("country,sector,value AAA,x,1 AAA,y,2 BBB,x,3", DATA, "lacks 1 of 4 country-sectors.*got: missing BBB.y"),
        ("country,sector,value AAA,x,1 AAA,x,4", DATA, "more than one value for AAA.x got: 2 lines"),
        ("country,sector,value AAA,x,one", DATA, "line 2: not a finite number got: 'one'"),
        ("a,b,c AAA,x,1", DATA, "no column for country, sector, value.*rename the columns"),
    ],
    ids=["missing sector", "double", "no number", "no columns"],
)
def test_satellites_that_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lines: str, code: int, text: str
) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text("\n".join(lines.split()) + "\n")
    refused(capsys, code, text, "decompose", archive(tmp_path), "--satellite", path)


@pytest.mark.parametrize("place", ["none/result.csv", "table.npz/result.csv", "."])
def test_places_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path)
    code = USAGE if place == "." else DATA
    text = "unknown suffix" if place == "." else "cannot write .*no such folder"
    refused(capsys, code, text, "decompose", path, "--out", place)
    assert listed(tmp_path) == ["table.npz"]


@pytest.mark.parametrize("name", ["r.csv", "r.nc", "r.parquet", "r.xlsx", "r.dta", "r.json"])
def test_a_folder_that_refuses_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuses)
    refused(capsys, DATA, "cannot write .*Permission denied", "decompose", "--out", tmp_path / name)
    assert listed(tmp_path) == []


@pytest.mark.parametrize("name", ["r.csv", "r.nc", "r.json"])
def test_a_disk_that_is_full(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    refused(capsys, DATA, "cannot write .*No space left on device", "decompose", "--out", tmp_path / name)
    assert listed(tmp_path) == []
