from __future__ import annotations

import gzip
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiva
from tests.readers.support import fixture, zipped
from tiva.errors import MissingFileError, ReaderError, UnknownLabelError, UsageError
from tiva.readers._members import year_in_name
from tiva.readers.registry import readers
from tiva.readers.source import MAX_DEPTH, Source
from tiva.readers.wiod2013 import year_in_name as wiod_year


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/evil.csv", "a\\..\\..\\evil.csv", "C:\\evil.csv"])
def test_names_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"V1,A_B\n")
    with pytest.raises(ReaderError, match="unsafe member name in the archive"):
        tiva.read(path)


def test_an_archive_that_unpacks_to_an_implausible_size_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", **{"2020_SML__csv": b"0" * 50_000_000})
    with pytest.raises(ReaderError, match=r"unpacks to an implausible size\n  got: 50,000,000 bytes"):
        tiva.read(path)


@pytest.mark.parametrize("year", [2020, "2020", 2020.0, np.int64(2020)])
def test_years_of_other_types(year: Any) -> None:
    assert tiva.read(fixture("icio2023_2020_SML.csv"), year=year).year == 2020


@pytest.mark.parametrize("year", [2020.5, "x", [2020], float("nan"), float("inf")])
def test_years_that_are_no_whole_numbers(year: Any) -> None:
    with pytest.raises(UsageError, match="a year is a whole number"):
        tiva.read(fixture("icio2023_2020_SML.csv"), year=year)


@pytest.mark.parametrize("name", ["t.zip", "wiot11_row_sep12.xlsx", "t.npz"])
def test_archives_that_are_cut_short_are_named_as_such(tmp_path: Path, name: str) -> None:
    whole = tmp_path / "whole.zip"
    zipped(whole, **{"2020_SML__csv": fixture("icio2023_2020_SML.csv").read_bytes()})
    content = fixture(name).read_bytes() if name.endswith("xlsx") else whole.read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ReaderError, match=rf"{name} is a zip archive or workbook that is cut short"):
        tiva.read(tmp_path / name)


def test_missing_file_and_unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        tiva.read(tmp_path / "none.csv")
    with pytest.raises(UnknownLabelError, match=r"unknown layout 'oecd2'(.|\n)*did you mean 'oecd'"):
        tiva.read(fixture("icio2023_2020_SML.csv"), layout="oecd2")


def test_archives_of_other_kinds_are_named(tmp_path: Path) -> None:
    path = tmp_path / "2020_SML.csv.gz"
    path.write_bytes(gzip.compress(fixture("icio2023_2020_SML.csv").read_bytes()))
    with pytest.raises(ReaderError, match=r"2020_SML.csv.gz is packed, and not as zip\n  got: gzip(.|\n)*unpack it"):
        tiva.read(path)
    packed = zipped(tmp_path / "t.zip", **{"2020_SML__csv__xz": lzma.compress(b"V1,A_B\n")})
    with pytest.raises(ReaderError, match=r"2020_SML.csv.xz is packed(.|\n)*got: xz"):
        tiva.read(packed)


def test_an_archive_named_for_another_year_is_noted(tmp_path: Path) -> None:
    small = fixture("icio2023_2020_SML.csv")
    path = zipped(tmp_path / "2019_SML.zip", **{"2020_SML__csv": small})
    table = tiva.read(path)
    assert table.year == 2020
    assert any("2019_SML.zip is named for 2019, the table in it is of 2020" in n for n in table.provenance.notes)
    with pytest.raises(ReaderError, match=r"not of the year asked for\n  got: 2020"):
        tiva.read(path, year=2019)
    for name in ("2020_SML.zip", "2016-2020_SML.zip", "ICIO2023_2020.zip"):
        same = tiva.read(zipped(tmp_path / name, **{"2020_SML__csv": small}))
        assert not any("named for" in note for note in same.provenance.notes)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PK\x03\x04rubbish", b"\x93NUMPYrubbish"])
def test_content_of_no_layout(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ReaderError, match=r"no known table layout|cut short"):
        tiva.read(path)


def _nested(folder: Path, depth: int) -> Path:
    """Write a table within ``depth`` archives."""
    path, name = fixture("icio2023_2020_SML.csv"), "2020_SML.csv"
    for level in range(depth, 0, -1):
        target = folder / f"level{level}.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, name)
        path, name = target, target.name
    return path


def test_archives_that_are_nested_too_deep_are_named(tmp_path: Path) -> None:
    assert tiva.read(_nested(tmp_path, MAX_DEPTH)).year == 2020
    message = (
        r"level1.zip: no known table layout, but archives that are nested too deep(.|\n)*"
        r"got: level2.zip!level3.zip!level4.zip\n  expected: at most 3 (.|\n)*do: unpack"
    )
    with pytest.raises(ReaderError, match=message):
        tiva.read(_nested(tmp_path, MAX_DEPTH + 1))
    with pytest.raises(ReaderError, match=r"no table of this layout\n  got: 1 members: .* nested deeper than 3 arch"):
        tiva.read(tmp_path / "level1.zip", layout="oecd")


def test_archives_nested_too_deep_do_not_hide_a_table(tmp_path: Path) -> None:
    path = _nested(tmp_path, MAX_DEPTH + 1)
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(fixture("icio2023_2020_SML.csv"), "2020_SML.csv")
    assert tiva.read(path).year == 2020


def _with_nul(text: bytes) -> bytes:
    """Put a NUL byte into the second line."""
    at = text.index(b"\n") + 3
    return text[:at] + b"\0" + text[at:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.decode().encode("utf-16"), r"t.csv, line 1: NUL bytes(.|\n)*got: UTF-16(.|\n)*do: save it again"),
        (lambda x: x.decode().encode("utf-16-le"), r"line 1: NUL bytes(.|\n)*got: byte 2 is NUL(.|\n)*or damaged"),
        (_with_nul, r"t.csv, line 2: NUL bytes(.|\n)*got: byte \d+ is NUL(.|\n)*damaged"),
        (lambda x: b"\0" * 100, r"line 1: NUL bytes(.|\n)*got: byte 1 is NUL"),
    ],
)
def test_text_with_nul_bytes_is_refused_by_its_place(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    content = change(fixture("icio2023_2020_SML.csv").read_bytes())
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ReaderError, match=message):
        tiva.read(tmp_path / "t.csv")
    with pytest.raises(ReaderError, match=message):
        tiva.read(zipped(tmp_path / "t.zip", t__csv=content))


def test_encrypted_and_truncated_archives(tmp_path: Path) -> None:
    path = zipped(tmp_path / "t.zip", **{"2020_SML__csv": fixture("icio2023_2020_SML.csv")})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    (tmp_path / "e.zip").write_bytes(content)
    with pytest.raises(ReaderError, match=r"e.zip cannot be read(.|\n)*encrypted"):
        tiva.read(tmp_path / "e.zip")
    (tmp_path / "c.zip").write_bytes(path.read_bytes()[:400])
    with pytest.raises(ReaderError):
        tiva.read(tmp_path / "c.zip")


def test_a_folder_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "2020_SML.csv").write_bytes(fixture("icio2023_2020_SML.csv").read_bytes())
    (tmp_path / "ReadMe.txt").write_text("about")
    assert tiva.read(tmp_path).year == 2020


def test_each_layout_recognises_its_own_only() -> None:
    names = [
        "icio2023_2020_SML.csv", "icio2025_2022_EXT.csv", "ICIO2016_2011.csv", "wiot11_row_sep12.xlsx",
        "WIOT2014_Nov16_ROW.xlsb", "WIOT2014_October16_ROW.RData", "WIOT2014_October16_ROW.dta",
        "lr_wiod_wiot_final_filled.csv",
    ]  # fmt: skip
    for name in names:
        with Source(fixture(name)) as source:
            assert len([r.name for r in readers() if r.recognise(source)]) == 1, name


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("ICIO2023_2020.csv", 2020), ("2019_SML.csv", 2019), ("2016-2022_SML.zip!2019.csv", 2019), ("1995.CSV", 1995),
        ("icio2025_2022_EXT.csv", 2022), ("2016-2022.csv", None), ("table.csv", None), ("ICIO2016_2016.csv", 2016),
        ("data_20201.csv", None),
    ],
)  # fmt: skip
def test_year_in_a_name(name: str, year: int | None) -> None:
    assert year_in_name(name) == year


def test_two_digit_years_of_wiod() -> None:
    assert (wiod_year("WIOT95_ROW_Apr12.xlsx"), wiod_year("a/wiot09_row_sep12.xlsx")) == (1995, 2009)
    assert wiod_year("table.xlsx") is None
