from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiva
from tests.readers.support import edited, fixture
from tiva.errors import BalanceWarning, OutputError
from tiva.readers import registry
from tiva.readers.cache import cache_folder, key_of

SMALL = "icio2023_2020_SML.csv"


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.nc"))


def test_second_read_parses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = edited(SMALL, tmp_path, str)
    first = tiva.read(path, cache=tmp_path / "cache")
    monkeypatch.setattr(registry, "_read", lambda *_: pytest.fail("parsed again"))
    again = tiva.read(path, cache=tmp_path / "cache")
    assert again.checksum == first.checksum
    assert again.provenance == first.provenance


def test_record_beside_the_table_says_what_it_is(tmp_path: Path) -> None:
    table = tiva.read(fixture(SMALL), cache=tmp_path, value_added="published")
    (entry,) = entries(tmp_path)
    record = json.loads(entry.with_suffix(".json").read_text())
    assert record["source"] == SMALL
    assert record["checksum"] == table.checksum
    assert record["options"] == {"value_added": "'published'"}
    assert record["provenance"]["reader"] == "oecd"


def test_changed_file_option_or_side_file_is_a_new_entry(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = edited(SMALL, tmp_path, str)
    before = tiva.read(path, cache=cache)
    assert tiva.read(path, cache=cache, value_added="published").other_inputs
    stat = path.stat()
    edited(SMALL, tmp_path, lambda t: t.replace("C10T12", "C13T15"))
    assert path.stat().st_size == stat.st_size
    after = tiva.read(path, cache=cache)
    assert before.sectors == ("A01_02", "C10T12")
    assert after.sectors == ("A01_02", "C13T15")
    assert len(entries(cache)) == 3
    side = tmp_path / "side"
    side.write_text("a")
    one = key_of(path, {"bottom_rows": side})[0]
    side.write_text("b")
    assert key_of(path, {"bottom_rows": side})[0] != one


def test_a_changed_list_of_countries_beside_the_table_is_a_new_entry(tmp_path: Path) -> None:
    path = edited("icio_user.csv", tmp_path, str)
    listed = edited("icio_user_countrylist.csv", tmp_path, str)
    assert tiva.read(path, cache=tmp_path / "cache").countries == ("AUS", "USA", "ROW")
    listed.write_text("BRA\nMEX\nROW\n")
    assert tiva.read(path, cache=tmp_path / "cache").countries == ("BRA", "MEX", "ROW")
    assert len(entries(tmp_path / "cache")) == 2


def test_damaged_entry_is_parsed_again(tmp_path: Path) -> None:
    table = tiva.read(fixture(SMALL), cache=tmp_path)
    (entry,) = entries(tmp_path)
    content = bytearray(entry.read_bytes())
    content[len(content) // 2 :] = b"\0" * (len(content) - len(content) // 2)
    entry.write_bytes(content)
    assert tiva.read(fixture(SMALL), cache=tmp_path).checksum == table.checksum
    assert tiva.read(entry).checksum == table.checksum


def test_a_warning_of_the_first_read_is_given_again(tmp_path: Path) -> None:
    path = edited(SMALL, tmp_path, lambda t: t.replace(",23.5,", ",93.5,", 1))
    for _ in range(2):
        with pytest.warns(BalanceWarning):
            tiva.read(path, cache=tmp_path / "cache", gaps="keep")
    assert len(entries(tmp_path / "cache")) == 1


def test_folder_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIVA_DATA", str(tmp_path))
    assert cache_folder() == tmp_path / "parsed"
    tiva.read(fixture(SMALL), cache=True)
    assert len(entries(tmp_path / "parsed")) == 1
    monkeypatch.delenv("TIVA_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert "tiva" in cache_folder().parts


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cache folder"):
        tiva.read(fixture(SMALL), cache=tmp_path / "file" / "cache")


def test_nothing_is_kept_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIVA_DATA", str(tmp_path))
    tiva.read(fixture(SMALL))
    assert not list(tmp_path.iterdir())
