from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest

import data_fetch
from data_fetch.local import icio_edition
from tests.data_fetch.conftest import archive, leftovers, row
from tests.paths import shared
from tiva import IcioTable
from tiva.errors import ChecksumError, MissingFileError, ReissuedFileWarning, UsageError


def icio_header(codes: tuple[str, ...], countries: tuple[str, ...] = ("AGO", "USA")) -> str:
    return ",".join(["V1", *(f"{c}_{s}" for c in countries for s in codes), "OUT"]) + "\n"


def test_a_file_is_copied_verified_and_recorded(tmp_path, store, make):
    file = tmp_path / "Eora26_2015_bp.zip"
    file.write_bytes(archive())
    added = data_fetch.add(file, folder=store.root)
    assert added.dataset == "eora26"
    assert added.path.read_bytes() == file.read_bytes()
    assert added.record.origin == "added by hand"
    assert added.record.sha256 == hashlib.sha256(archive()).hexdigest()
    assert leftovers(store) == ["eora26/Eora26_2015_bp.zip", "eora26/Eora26_2015_bp.zip.json"]


def test_name_that_only_the_pattern_knows(tmp_path, store):
    file = tmp_path / "ADB-MRIO62-2021_August 2024.xlsx"
    file.write_bytes(archive())
    assert data_fetch.add(file, folder=store.root).dataset == "adb62"


def test_checksum_wins_over_the_name(tmp_path, store, make):
    file = tmp_path / "renamed.zip"
    file.write_bytes(archive())
    digest = hashlib.sha256(archive()).hexdigest()
    sources = make([row("f.zip", "https://x", checksum=f"sha256:{digest}")])
    added = data_fetch.add(file, folder=store.root, sources=sources)
    assert (added.dataset, added.path.name) == ("d", "f.zip")


@pytest.mark.parametrize(
    ("codes", "countries", "name"),
    [
        (("A01", "C24A", "C24B"), ("AGO", "USA"), "icio2025"),
        (("A01", "C24A", "C24B"), ("AGO", "CN1"), "icio2025_extended"),
        (("A01_02", "C24"), ("AGO", "USA"), "icio2023"),
        (("A01_02", "C24"), ("CN1", "USA"), "icio2023_extended"),
        (("01T02", "24"), ("AUS", "CN1"), "icio2021"),
        (("01T03", "24"), ("AUS", "CN1"), "icio2018"),
        (("C01T05AGR", "C27MET"), ("AUS", "CN1"), "icio2016"),
    ],
)
def test_editions_that_share_names_are_told_apart_by_content(tmp_path, codes, countries, name):
    file = tmp_path / "2016-2020_SML.zip"
    file.write_bytes(archive(icio_header(codes, countries), "2019_SML.csv"))
    assert icio_edition(file) == name


def test_shared_name_goes_to_the_edition_of_its_content(tmp_path, store):
    file = tmp_path / "1995-2000_SML.zip"
    file.write_bytes(archive(icio_header(("A01_02", "C24")), "1995_SML.csv"))
    assert data_fetch.add(file, folder=store.root).dataset == "icio2023"


def test_shared_name_with_other_content_asks(tmp_path, store):
    file = tmp_path / "1995-2000_SML.zip"
    file.write_bytes(archive("x,y\n", "1995_SML.csv"))
    with pytest.raises(UsageError, match="icio2025, icio2023"):
        data_fetch.add(file, folder=store.root)
    assert data_fetch.add(file, "icio2025", folder=store.root).dataset == "icio2025"


def test_unknown_name_asks(tmp_path, store):
    file = tmp_path / "table.csv"
    file.write_text("x")
    with pytest.raises(UsageError, match="--dataset NAME"):
        data_fetch.add(file, folder=store.root)
    with pytest.raises(MissingFileError):
        data_fetch.add(tmp_path / "nothing.zip", folder=store.root)
    assert leftovers(store) == []


def test_saved_login_page_is_refused(tmp_path, store):
    file = tmp_path / "Eora26_2015_bp.zip"
    file.write_text("<html>Please log in</html>")
    with pytest.raises(ChecksumError, match="not an archive"):
        data_fetch.add(file, folder=store.root)
    assert leftovers(store) == []


def test_file_that_is_not_the_catalogued_one(tmp_path, store, make):
    file = tmp_path / "f.zip"
    file.write_bytes(archive())
    rows = [row("f.zip", "https://x", checksum="sha256:" + "0" * 64)]
    with pytest.raises(ChecksumError):
        data_fetch.add(file, folder=store.root, sources=make(rows))
    with pytest.warns(ReissuedFileWarning):
        data_fetch.add(file, folder=store.root, sources=make(rows, reissued=True))


def test_second_version_is_kept_in_the_history(tmp_path, store, make):
    file = tmp_path / "f.zip"
    sources = make([row("f.zip", "https://x")], reissued=True)
    file.write_bytes(archive("1"))
    data_fetch.add(file, folder=store.root, sources=sources)
    file.write_bytes(archive("2"))
    with pytest.warns(ReissuedFileWarning):
        added = data_fetch.add(file, folder=store.root, sources=sources)
    assert [past["sha256"] for past in added.record.history] == [hashlib.sha256(archive("1")).hexdigest()]


def native(path):
    rng = np.random.default_rng(5)
    table = IcioTable.from_arrays(
        rng.uniform(0, 1, (4, 4)), rng.uniform(5, 9, (4, 2)), countries=("A", "B"), sectors=("x", "y"), year=2000
    )
    table.save(path)
    return table


def test_open_reads_adds_the_licence_and_keeps_the_parsed_table(tmp_path, store, make):
    file = tmp_path / "t.nc"
    table = native(file)
    sources = make([row("t.nc", "https://x", "manual")])
    data_fetch.add(file, "d", folder=store.root, sources=sources)
    opened = data_fetch.open("d", 2000, folder=store.root, sources=sources)
    np.testing.assert_array_equal(opened.intermediate, table.intermediate)
    assert opened.provenance.licence == "CC0"
    assert opened.provenance.citation == "Nobody (2000)"
    assert len([name for name in leftovers(store) if name.startswith("parsed/") and name.endswith(".nc")]) == 1
    again = data_fetch.open("d", folder=store.root, sources=sources, offline=True)
    assert again.checksum == opened.checksum
    assert again.provenance.licence == "CC0"


def test_parsed_copy_belongs_to_the_file(tmp_path, store, make):
    file = tmp_path / "t.nc"
    native(file)
    sources = make([row("t.nc", "https://x", "manual")], reissued=True)
    data_fetch.add(file, "d", folder=store.root, sources=sources)
    first = data_fetch.open("d", 2000, folder=store.root, sources=sources)
    first.replace(unit="thousand USD").save(file)
    with pytest.warns(ReissuedFileWarning):
        data_fetch.add(file, "d", folder=store.root, sources=sources)
    assert data_fetch.open("d", 2000, folder=store.root, sources=sources).unit == "thousand USD"


def test_open_wants_a_year_where_there_are_several(store, make):
    sources = make([row(f"{y}.nc", "https://x", "manual", y) for y in ("2000", "2001")])
    with pytest.raises(UsageError, match="several years"):
        data_fetch.open("d", folder=store.root, sources=sources)


def test_fixture_of_the_2023_edition_is_recognised(tmp_path, store):
    source = shared("formats/fixtures")
    found = sorted(source.glob("*icio2023*SML*.csv"))
    assert found
    file = tmp_path / "2020_SML.csv"
    shutil.copyfile(found[0], file)
    assert icio_edition(file) == "icio2023"
