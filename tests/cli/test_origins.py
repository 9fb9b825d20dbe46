from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import tiva
from tests.cli.test_cli import ran
from tiva.errors import EXIT_USAGE
from tiva.table.icio_table import IcioTable
from tiva.terms import Method, methods

ROUNDING = 1e-9
"""Relative: text carries all digits."""


def test_origins_of_exports_add_up(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    code, out, _ = ran(capsys, "origins", "--exporter", "MEX", "--by", "origin,importer", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert set(rows[0]) == {"origin", "importer", "content"}
    total = float(tiva.decompose(example, exporter="MEX")["gexp"].sum())
    assert sum(float(row["content"] or 0) for row in rows) == pytest.approx(total, rel=ROUNDING)


def test_origins_are_added_up_afterwards(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    words = ("--exporter", "MEX", "--by", "origin,absorber", "--sum", "origin:NAFTA,absorber:LAT=BRA|MEX", "--json")
    code, out, err = ran(capsys, "origins", *words)
    assert code == 0, err
    rows = {(row["origin"], row["absorber"]): row["content"] for row in json.loads(out)["data"]}
    every = tiva.origins(example, by=("origin", "absorber"), exporter="MEX").to_xarray()
    some = every.sel(origin=["CAN", "MEX", "USA"], absorber=["BRA", "MEX"])
    assert rows["NAFTA", "LAT"] == pytest.approx(float(some.sum()), rel=ROUNDING)
    assert sum(rows.values()) == pytest.approx(float(every.sum()), rel=ROUNDING)
    code, _, err = ran(
        capsys, "origins", "--perimeter", "sectbil", "--by", "exporter,sector,importer", "--sum", "NAFTA"
    )
    assert code == EXIT_USAGE
    assert "may not be summed over exporters" in err


def test_parquet_is_written_in_blocks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    target = tmp_path / "origins.parquet"
    code, out, _ = ran(capsys, "origins", "--term", "fva", "--by", "origin,sector", "-o", str(target))
    assert (code, out) == (0, "")
    assert pq.read_table(target).column_names == ["origin", "sector", "fva"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--by", "country"], "unknown dimension 'country'"),
        (["--origin", "MEXX"], "unknown origin"),
        (["--term", "davax", "--approach", "sink"], "do not go together"),
        (["--term", "dva", "--perimeter", "importer"], "perimeter=importer approach=source term=content|va|dcimp"),
        (["--origin-size", "large"], "unknown dimension 'origin_size'"),
    ],
)
def test_mistakes_are_told(capsys: pytest.CaptureFixture[str], words: list[str], text: str) -> None:
    code, out, err = ran(capsys, "origins", *words)
    assert (code, out) == (EXIT_USAGE, "")
    assert text in err


def test_dictionary_of_another_tool(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "terms", "--tool", "exvatools", "--method", "wwz", "--json")
    names = {row["name"]: row["expression"] for row in json.loads(out)}
    assert code == 0
    assert names["FVA_FIN2"] == "ova_fin"
    assert "FVA_FIN2" in ran(capsys, "terms", "--tool", "exvatools")[1]
    assert ran(capsys, "terms", "--tool", "statta")[0] == EXIT_USAGE


@pytest.mark.parametrize("row", [r for r in methods() if r.traced], ids=Method.describe)
def test_decompose_reaches_every_perimeter(capsys: pytest.CaptureFixture[str], example: IcioTable, row: Method) -> None:
    """``decompose --origin --absorber`` gives the value added of the decomposition, whatever the perimeter."""
    level = row.levels[0]
    names = ("perspective", "approach", "perimeter")
    options = [word for name in names if getattr(row, name) for word in (f"--{name}", getattr(row, name))]
    one = {} if row.perspective == "importer" else {"exporter": "MEX"}
    options += [word for name, label in one.items() for word in (f"--{name}", label)]
    ends = ("--origin", "WLD", "--absorber", "WLD", "--term", "va")
    code, out, err = ran(capsys, "decompose", *options, "--level", level, *ends, "--json")
    assert code == 0, err
    said = json.loads(out)
    assert {"origin", "absorber", "va"} <= set(said["data"][0])
    chosen = {name: getattr(row, name) for name in names if getattr(row, name)}
    result = tiva.decompose(example, level=level, **chosen, **one)  # type: ignore[arg-type]
    total = float(result["va"].sum() if "va" in result else result["dva"].sum() + result["fva"].sum())
    assert sum(line["va"] or 0.0 for line in said["data"]) == pytest.approx(total, rel=ROUNDING)
    assert said["attributes"]["perimeter"] == row.perimeter


def test_groups_sizes_and_a_perimeter_of_chosen_flows(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    words = ["--groups", "NAFTA", "--size", "example", "--by", "origin,origin_size,size", "--exporter", "NAFTA",
             "--perimeter", "group", "--sector", "Vehicles", "--importer", "DEU,FRA", "--term", "va"]  # fmt: skip
    code, out, err = ran(capsys, "origins", *words, "--format", "csv")
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    banded = tiva.split_by_size(example, tiva.example_margins())
    terms = tiva.decompose(
        banded, perspective="self", perimeter="group", groups="NAFTA", exporter="NAFTA", sector="Vehicles",
        importer=["DEU", "FRA"],
    )  # fmt: skip
    total = float(terms["dva"].sum() + terms["fva"].sum())
    assert sum(float(row["va"] or 0) for row in rows) == pytest.approx(total, rel=ROUNDING)
    assert {row["origin_size"] for row in rows} == set(banded.bands)


@pytest.mark.parametrize("word", ["ANDES=", "=MEX", ""])
def test_a_group_without_name_or_members_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ran(capsys, "decompose", "--groups", word)
    assert code == EXIT_USAGE
    assert "a group needs a name and members" in err
    assert "NAME=EXPRESSION" in err
