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

ROUNDING = 1e-9
"""Relative: text carries all digits."""


def test_origins_of_exports_add_up(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    code, out, _ = ran(capsys, "origins", "--exporter", "MEX", "--by", "origin,importer", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert set(rows[0]) == {"origin", "importer", "content"}
    total = float(tiva.decompose(example, exporter="MEX")["gexp"].sum())
    assert sum(float(row["content"] or 0) for row in rows) == pytest.approx(total, rel=ROUNDING)


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
        (["--term", "ddc", "--approach", "sink"], "do not go together"),
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
    assert ran(capsys, "terms", "--tool", "stata")[0] == EXIT_USAGE
