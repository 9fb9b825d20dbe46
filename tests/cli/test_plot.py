from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_cli import ran
from tests.paths import listed
from tiva.table.icio_table import IcioTable


@pytest.mark.parametrize(
    ("kind", "suffix"), [("bars", "png"), ("amounts", "svg"), ("participation", "pdf"), ("origins", "png")]
)
def test_figures_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, suffix: str) -> None:
    code, out, err = ran(
        capsys, "plot", "--kind", kind, "--out", str(tmp_path / f"f.{suffix}"), "--exporter", "WLD-ROW"
    )
    assert (code, out) == (0, ""), err
    assert listed(tmp_path) == [f"f.{suffix}"]
    assert (tmp_path / f"f.{suffix}").stat().st_size > 1000


def test_lines_over_tables_of_two_years(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, example: IcioTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiva.cli.plot.read_table", lambda path, _: example.replace(year=int(path.stem)))
    code, _, err = ran(capsys, "plot", "2011.nc", "2012.nc", "--kind", "lines", "--out", str(tmp_path / "f.png"))
    assert code == 0, err
    assert listed(tmp_path) == ["f.png"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--kind", "pie"), "unknown kind 'pie'"),
        (("--out", "f.doc"), "unknown suffix of the figure"),
        (("--kind", "lines"), "lines need tables of at least two years"),
        (("a.nc", "b.nc"), "draws one table"),
        (("--out", "none/f.png"), "no such folder"),
    ],
)
def test_mistakes_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], text: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    arguments = arguments if "--out" in arguments else (*arguments, "--out", "f.png")
    code, _, err = ran(capsys, "plot", *arguments)
    assert code in {2, 3}
    assert text in " ".join(err.split())
    assert listed(tmp_path) == []
