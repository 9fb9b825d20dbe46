"""What is no path is refused by every function that takes one, with a typed error and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import data_fetch
import tiva
from tests.paths import listed
from tiva.batch.plan import read_plan
from tiva.errors import MissingFileError, OutputError, UnknownLabelError, UsageError
from tiva.files import as_path
from tiva.readers.writers import WRITERS

ODD = {
    "none": None, "number": 5, "fraction": 5.5, "bytes": b"table.csv", "list": ["table.csv"], "object": object(),
    "empty": "", "long": "x" * 5000, "long name": "x" * 300, "nul": "table\0.csv",
}  # fmt: skip

odd = pytest.mark.parametrize("value", ODD.values(), ids=ODD)
given = pytest.mark.parametrize("value", list(ODD.values())[1:], ids=list(ODD)[1:])
"""Where ``None`` stands for a default."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, where anything left behind is seen."""
    (tmp_path / "here").mkdir()
    (tmp_path / "example.nc").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TIVA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TIVA_OFFLINE", "1")


@odd
@pytest.mark.parametrize(
    "call",
    [
        tiva.read,
        lambda value: tiva.read_satellite(value, tiva.example()),
        tiva.read_margins,
        tiva.open_results,
        data_fetch.add,
        lambda value: tiva.write(tiva.example(), value),
        lambda value: tiva.example().save(value),
        *(lambda value, layout=layout: tiva.write(tiva.example(), value, layout=layout) for layout in WRITERS),
    ],
)
def test_what_is_no_path(call: Callable[[Any], object], value: Any) -> None:
    with pytest.raises(UsageError, match=r"expected: (text or a pathlib.Path|a path, a data frame)"):
        call(value)
    assert listed(Path()) == []


@given
@pytest.mark.parametrize(
    "call",
    [
        lambda value: tiva.open("wiod2013", 2011, folder=value),
        lambda value: data_fetch.get("wiod2013", 2011, folder=value),
        lambda value: data_fetch.check("wiod2013", folder=value),
        lambda value: data_fetch.fetch_margins("oecd_sdbs", ["DEU"], 2011, folder=value),
        lambda value: tiva.read(Path("..") / "example.nc", cache=value),
        read_plan,
    ],
)
def test_what_is_no_folder(call: Callable[[Any], object], value: Any) -> None:
    with pytest.raises(UsageError, match=r"expected: text or a pathlib.Path"):
        call(value)
    assert listed(Path()) == []


@odd
@pytest.mark.parametrize("call", [tiva.open, data_fetch.get, data_fetch.check])
def test_what_is_no_name_of_a_data_set(call: Callable[[Any], object], value: Any) -> None:
    with pytest.raises(UnknownLabelError, match="unknown data set"):
        call(value)


def test_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    for value in ("a/b.csv", Path("a"), Path(), ".", "~", str(tmp_path / "example.nc" / "below"), "ä b.csv"):
        assert as_path(value) == Path(value)
    with pytest.raises(UsageError, match=r"the cache folder is empty\n  got: ''\n  expected: text"):
        as_path("", "the cache folder")


def test_paths_where_nothing_is_are_missing_files(tmp_path: Path) -> None:
    for call in (tiva.read, data_fetch.add, tiva.read_margins):
        with pytest.raises(MissingFileError, match="no such file"):
            call(tmp_path / "none.csv")
    with pytest.raises(OutputError, match="no such folder"):
        tiva.write(tiva.example(), tmp_path / "none" / "t.csv")
