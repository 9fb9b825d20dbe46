"""A computation never calls the network: sockets to anywhere are refused while the commands and functions run."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

import tiva
from tiva.cli import main
from tiva.errors import FetchError, OfflineError, TivaError


class Called(OSError):
    """The network was called, and answers as a cut cable does."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Record and refuse every connection and every look-up of a name (sockets inside this machine's kernel pass)."""
    made: list[Any] = []
    connect = socket.socket.connect

    def refuse_connect(self: socket.socket, address: Any) -> None:
        if self.family == getattr(socket, "AF_UNIX", None):
            connect(self, address)
            return
        made.append(address)
        raise Called(address)

    def refuse(*what: Any, **_: Any) -> None:
        made.append(what)
        raise Called(what)

    monkeypatch.setattr(socket.socket, "connect", refuse_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse_connect)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    monkeypatch.setenv("TIVA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("TIVA_OFFLINE", raising=False)
    return made


PLAN = """\
version = 1
[output]
folder = "out"
[[tables]]
name = "example"
example = true
[[methods]]
method = "headline"
"""


COMMANDS = (
    ("decompose",),
    ("decompose", "--method", "kww", "--level", "country"),
    ("decompose", "{table}", "--level", "country", "--out", "{folder}/a.csv"),
    ("decompose", "--size", "example"),
    ("check", "{table}"),
    ("info", "{table}"),
    ("convert", "{table}", "{folder}/b.nc"),
    ("sizes", "report"),
    ("batch", "{folder}/plan.toml", "--scheduler", "inline"),
    ("batch", "--dry-run"),
    ("fetch", "list"),
    ("fetch", "info", "wiod2013"),
    ("fetch", "where"),
    ("fetch", "check", "wiod2013"),
    ("fetch", "get", "eora26", "--years", "2015"),
    ("terms",),
    ("cite",),
    ("env",),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands(words: tuple[str, ...], calls: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = tiva.example().save(tmp_path / "t.nc")
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    named = [word.format(table=table, folder=tmp_path) for word in words]
    code = main(named)
    assert calls == []
    assert code == (3 if "eora26" in words else 0), words


def test_a_data_set_is_fetched_only_where_that_is_asked_for(calls: list[Any], tmp_path: Path) -> None:
    """What does call the network is seen."""
    with pytest.raises((Called, FetchError)):
        tiva.open("figaro25", 2020)
    assert calls
    calls.clear()
    with pytest.raises(OfflineError):
        tiva.open("figaro25", 2020, offline=True)
    assert main(["fetch", "get", "figaro25", "--years", "2020", "--offline"]) == 3
    assert calls == []


def test_showing_a_plan_fetches_nothing_and_running_it_says_what(
    calls: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = PLAN.replace("example = true", 'catalogue = "figaro25"\nyears = [2020]')
    (tmp_path / "plan.toml").write_text(plan, encoding="utf-8")
    assert main(["batch", "plan.toml", "--dry-run"]) == 0
    assert calls == []
    monkeypatch.setenv("TIVA_OFFLINE", "1")
    assert main(["batch", "plan.toml", "--scheduler", "inline"]) == 1
    assert calls == []
    monkeypatch.delenv("TIVA_OFFLINE")
    capsys.readouterr()
    assert main(["batch", "plan.toml", "--scheduler", "inline"]) == 1
    assert calls
    assert "fetching matrix_eu-ic-io_ind-by-ind_25ed_2020.csv" in capsys.readouterr().err


def test_reading_and_decomposing_as_a_library(calls: list[Any], tmp_path: Path) -> None:
    table = tiva.read(tiva.example().save(tmp_path / "t.nc"), cache=True)
    tiva.decompose(table, "bm", level="country")
    tiva.decompose(tiva.split_by_size(tiva.example(), tiva.example_margins()), exporter=["BRA"])
    with pytest.raises(TivaError):
        tiva.open("wiod2014", 2011)
    assert calls == []
