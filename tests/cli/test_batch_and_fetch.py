from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import ran
from tests.paths import listed


def test_dry_run_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = ran(capsys, "batch", "--dry-run", "--out", str(tmp_path / "out"))
    assert code == 0
    assert "jobs on" in out
    assert listed(tmp_path) == []


def test_entries_that_overlap_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    entry = '[[methods]]\nmethod = "bm"\n'
    text = f'[[tables]]\nexample = true\n{entry}{entry}level = ["country", "sector"]\n'
    (tmp_path / "p.toml").write_text(text)
    code, _, err = ran(capsys, "batch", str(tmp_path / "p.toml"), "--dry-run", "--out", str(tmp_path / "out"))
    assert code == 0
    said = "bm-exporter-source at level country: asked for before, in the entry at line 3; computed once"
    assert f"warning: p.toml:5:1: {said}" in err


def test_exit_codes_and_outcomes_are_those_of_the_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import tiva.batch

    report = tiva.batch.run_plan(dry_run=True, out=tmp_path / "out")
    given: dict[str, object] = {}

    def run(plan: object, **options: object) -> object:
        given.update(options, plan=plan)
        return report

    monkeypatch.setattr(tiva.batch, "run_plan", run, raising=False)
    monkeypatch.setattr(type(report), "exit_code", property(lambda _: 1))
    arguments = ("batch", "p.toml", "--no-resume", "-j", "2", "--memory", "2GB", "--timeout", "9", "--quiet", "--json")
    code, out, _ = ran(capsys, *arguments)
    assert code == 1
    assert json.loads(out)["output"] == str(report.output)
    assert given["plan"] == Path("p.toml")
    assert (given["resume"], given["workers"], given["memory"], given["timeout"]) == (False, 2, "2GB", 9.0)
    assert given["progress"] is False


def test_a_missing_plan_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = ran(capsys, "batch", str(tmp_path / "none.toml"))
    assert code in {2, 3}
    assert out == ""
    assert err.startswith("error: ")
    assert listed(tmp_path) == []


def test_fetch_is_mounted(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIVA_DATA", str(tmp_path))
    monkeypatch.setenv("TIVA_OFFLINE", "1")
    code, out, _ = ran(capsys, "fetch", "where")
    assert (code, out.strip()) == (0, str(tmp_path))
    code, _, err = ran(capsys, "fetch", "get", "wiod2014")
    assert code == 2
    assert "did you mean" in err
    code, _, err = ran(capsys, "fetch", "get", "wiod2013", "--years", "2011")
    assert code == 3
    assert "the network may not be used" in err


def test_exit_codes_of_mounted_commands_arrive(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("data_fetch.fetch.check", lambda _: {tmp_path: "changed"})
    assert ran(capsys, "fetch", "check", "wiod2013")[0] == 3


def test_compare_is_mounted(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "compare", "oecd", "--help")
    assert code == 0
    assert "OECD" in out
