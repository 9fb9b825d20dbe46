"""Every fixture as a file of any name, in a folder, in an archive and in an archive inside an archive; bombs."""

from __future__ import annotations

import gzip
import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.paths import SHARED
from tests.readers.support import fixture
from tests.readers.test_adb import NAME as ADB
from tests.readers.test_emerging import numbers
from tests.readers.test_emerging import written as write_emerging
from tiva.errors import ReaderError
from tiva.readers import npz, wiod2016
from tiva.readers.source import MAX_DEPTH, Source

SINGLE = [
    "ADB-MRIO62-2022_synthetic.xlsx", "ICIO2016_2011.csv", "ICIO2018_2015.CSV", "ICIO2021_2018.csv",
    "WIOT2014_Nov16_ROW.as.xlsx", "WIOT2014_Nov16_ROW.xlsb", "WIOT2014_October16_ROW.RData",
    "WIOT2014_October16_ROW.dta", "WIOT2014_October16_ROW.for_R.csv",
    "flatfile_eu-ic-io_ind-by-ind_24ed_2022.csv", "icio2023_2020_SML.csv", "icio2025_2022_EXT.csv",
    "icio2025_2022_SML.csv", "icio_user.csv", "lr_wiod_wiot_final_filled.csv",
    "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv", "wiot11_row_sep12.xlsx", "IOT_2022_ixi.zip",
]  # fmt: skip
FORMS = ["renamed", "no suffix", "folder", "archive", "archive in archive", "archive in folder"]
MADE = ["native.nc", "tidy.csv", "tidy.parquet", "arrays.npz", "emerging.mat"]
"""Files of layouts without a fixture, written by the tests."""


def made(name: str, folder: Path) -> Path:
    table = tiva.example()
    path = folder / name
    if name == "native.nc":
        return table.save(path)
    if name.startswith("tidy"):
        return tiva.write(table, path)
    if name == "emerging.mat":
        return write_emerging(path, numbers())
    np.savez_compressed(
        path, intermediate=table.intermediate, final_demand=table.final_demand.reshape(table.n, -1),
        countries=np.array(table.countries), sectors=np.array(table.sectors), year=2011,
        final_demand_categories=np.array(table.final_demand_categories),
    )  # fmt: skip
    return path


def packed(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._x", "left by an operating system")
        archive.writestr("ReadMe.txt", "about the table")
        for name, content in members:
            archive.writestr(f"sub/{name}", content)
    return path


def put(source: Path, form: str, folder: Path) -> Path:
    """Bring a file into another form."""
    if form in ("renamed", "no suffix"):
        path = folder / ("download.bin" if form == "renamed" else "download")
        path.write_bytes(source.read_bytes())
        return path
    if form == "folder":
        (folder / "in" / "deeper").mkdir(parents=True)
        (folder / "in" / "ReadMe.txt").write_text("about the table")
        (folder / "in" / "deeper" / source.name).write_bytes(source.read_bytes())
        return folder / "in"
    inner = packed(folder / "inner.zip", (source.name, source.read_bytes()))
    if form == "archive":
        return inner
    if form == "archive in archive":
        return packed(folder / "outer.zip", ("inner.zip", inner.read_bytes()))
    (folder / "in").mkdir()
    inner.rename(folder / "in" / "inner.zip")
    return folder / "in"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [*SINGLE, *MADE])
def test_content_decides_wherever_the_file_lies(name: str, form: str, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    source = made(name, tmp_path / "made") if name in MADE else fixture(name)
    options = {"countries": ["AUS", "USA", "ROW"]} if name == "icio_user.csv" else {}
    if name == "emerging.mat":
        options = {"memory_gib": 16.0}
    want, table = tiva.read(source, **options), tiva.read(put(source, form, tmp_path), **options)
    np.testing.assert_array_equal(table.intermediate, want.intermediate)
    np.testing.assert_array_equal(table.final_demand, want.final_demand)
    np.testing.assert_array_equal(table.output, want.output)
    assert (table.areas, table.sectors, table.unit) == (want.areas, want.sectors, want.unit)
    assert table.provenance.reader == want.provenance.reader
    if form not in ("renamed", "no suffix"):  # the year of some layouts stands in the name only
        assert table.year == want.year
    assert not list(tmp_path.rglob("*.tmp"))


def test_every_fixture_is_on_the_list() -> None:
    fixture("eora26")
    have = {p.name for p in (SHARED / "formats" / "fixtures").iterdir()}
    rest = {n for n in have if n.endswith(".json") or n.startswith("Socio") or n == "icio_user_countrylist.csv"}
    assert have - rest == {*SINGLE, "eora26"}


def test_archives_are_looked_into_so_deep_and_no_deeper(tmp_path: Path) -> None:
    path = fixture("icio2023_2020_SML.csv")
    content, name = path.read_bytes(), path.name
    for depth in range(1, MAX_DEPTH + 2):
        path = packed(tmp_path / f"{depth}.zip", (name, content))
        content, name = path.read_bytes(), path.name
        if depth <= MAX_DEPTH:
            assert tiva.read(path).n == 6
    with pytest.raises(ReaderError, match="no known table layout"):
        tiva.read(path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in ("V1,A_B\n", "V1,C_D\n"):
            archive.writestr("2020_SML.csv", text)
    with pytest.raises(ReaderError, match=r"two members of one name in the archive\n  got: '2020_SML.csv'"):
        tiva.read(path)


def test_unsafe_names_inside_an_archive_in_an_archive(tmp_path: Path) -> None:
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("../../evil.csv", "V1,A_B\n")
    for path in (packed(tmp_path / "t.zip", ("inner.zip", inner.read_bytes())), tmp_path):
        with pytest.raises(ReaderError, match="unsafe member name in the archive"):
            tiva.read(path)


def test_an_archive_inside_that_is_too_large_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiva.readers.source.MAX_INNER_BYTES", 100)
    inner = packed(tmp_path / "inner.zip", ("2020_SML.csv", fixture("icio2023_2020_SML.csv").read_bytes()))
    with pytest.raises(ReaderError, match=r"too large to be held in memory(.|\n)*at most 100"):
        tiva.read(packed(tmp_path / "t.zip", ("inner.zip", inner.read_bytes())))


def test_bombs_in_an_archive_in_an_archive(tmp_path: Path) -> None:
    bomb = packed(tmp_path / "bomb.zip", ("2020_SML.csv", b"0" * 50_000_000))
    with pytest.raises(ReaderError, match="unpacks to an implausible size"):
        tiva.read(packed(tmp_path / "t.zip", ("bomb.zip", bomb.read_bytes())))


@pytest.mark.parametrize("name", ["wiot11_row_sep12.xlsx", "WIOT2014_Nov16_ROW.xlsb", ADB])
def test_bombs_in_a_workbook(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with zipfile.ZipFile(fixture(name)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, old.read(part))
        new.writestr("xl/worksheets/sheet9.xml", b" " * 20_000_000)
    with pytest.raises(ReaderError, match="unpacks to an implausible size"):
        tiva.read(path)


def test_bombs_in_an_archive_of_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made("arrays.npz", tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        buffer = io.BytesIO()
        np.save(buffer, np.zeros(5_000_000))
        archive.writestr("more.npy", buffer.getvalue())
    with pytest.raises(ReaderError, match="unpacks to an implausible size"):
        tiva.read(path)
    monkeypatch.setattr(npz, "MAX_ARRAYS_BYTES", 1000)
    with pytest.raises(ReaderError, match=r"unpacks to an implausible size(.|\n)*1,000 bytes"):
        tiva.read(made("arrays.npz", tmp_path))


def test_bombs_in_a_workspace_of_r(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiod2016, "MAX_UNPACKED_BYTES", 1 << 20)
    path = tmp_path / "bomb.RData"
    path.write_bytes(gzip.compress(b"RDX3\n" + b"\0" * (1 << 24)))
    with pytest.raises(ReaderError, match=r"unpacks to an implausible size(.|\n)*over 1,048,576 bytes from"):
        tiva.read(path)


def test_bombs_in_parquet(tmp_path: Path) -> None:
    """Runs of one value take no bytes, whatever their length."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = 10_000_000
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x"]))
    columns = dict.fromkeys(("row_country", "row_sector", "col_country", "col_sector"), text)
    columns["value"] = pa.array(np.zeros(rows))
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table(columns), path, compression="zstd", row_group_size=rows)
    assert path.stat().st_size * 50 < rows
    with pytest.raises(ReaderError, match=r"unpacks to an implausible size\n  got: 10,000,000 rows"):
        tiva.read(path)


def test_a_native_file_of_another_shape_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """HDF5 names arrays far larger than the file; nothing of that size may be made."""
    import h5py

    path = tiva.example().save(tmp_path / "t.nc")
    with h5py.File(path, "r+") as file:
        del file["value_added"]
        file.create_dataset("value_added", shape=(1 << 40,), dtype="f8", chunks=(1 << 20,))
    with pytest.raises(ReaderError, match=r"value_added has shape \(1099511627776,\)|cannot be read as a native table"):
        tiva.read(path)


def test_an_emerging_file_of_another_shape_is_refused_before_it_is_read(tmp_path: Path) -> None:
    import h5py

    path = write_emerging(tmp_path / "EMERGING_V2_2018.mat", numbers())
    with h5py.File(path, "r+") as file:
        n = file["z"].shape[0]
        del file["va"]
        file.create_dataset("va", shape=(n, 1 << 36), dtype="f8", chunks=(1, 1 << 16))
    with pytest.raises(ReaderError, match="a shape that does not fit the labels"):
        tiva.read(path, value_added="published")
    with h5py.File(path, "r+") as file:
        del file["country_list"]
        file.create_dataset("country_list", shape=(1, 1 << 36), dtype=h5py.ref_dtype, chunks=(1, 1 << 16))
    with pytest.raises(ReaderError, match="too many labels"):
        tiva.read(path)


def test_a_source_lists_what_is_in_archives_of_a_folder(tmp_path: Path) -> None:
    packed(tmp_path / "a.zip", ("2020_SML.csv", b"V1"))
    (tmp_path / "not.zip").write_bytes(b"no archive")
    with Source(tmp_path) as source:
        assert set(source.names(".csv")) == {"a.zip!sub/2020_SML.csv"}
        assert "not.zip" in source.names()
