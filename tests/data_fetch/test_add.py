from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest

import data_fetch
from data_fetch.content import icio_edition
from tests.data_fetch.conftest import archive, leftovers, packed, row
from tests.paths import shared
from tiva import IcioTable
from tiva.errors import ChecksumError, MissingFileError, ReaderError, ReissuedFileWarning, UsageError


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


@pytest.mark.parametrize(
    ("fixture", "member", "dataset"),
    [
        ("wiot11_row_sep12.xlsx", "WIOT11_ROW_Sep12.xlsx", "wiod2013"),
        ("WIOT2014_Nov16_ROW.xlsb", "WIOT2014_Nov16_ROW.xlsb", "wiod2016"),
    ],
)
def test_releases_of_wiod_that_share_a_name_are_told_apart_by_content(tmp_path, store, fixture, member, dataset):
    file = tmp_path / "WIOTS_in_EXCEL.zip"
    file.write_bytes(packed({member: shared(f"formats/fixtures/{fixture}").read_bytes()}))
    assert data_fetch.add(file, folder=store.root).dataset == dataset


@pytest.mark.parametrize("content", [b"<!doctype html><html>Just a moment</html>", archive()[:100]])
def test_what_is_no_whole_archive_is_refused_with_what_to_do(tmp_path, store, content):
    file = tmp_path / "WIOTS_in_EXCEL.zip"
    file.write_bytes(content)
    with pytest.raises(ChecksumError, match=r"is not an archive, or is cut short(.|\n)*with a browser"):
        data_fetch.add(file, "wiod2013", folder=store.root)
    assert leftovers(store) == []


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
    with pytest.raises(UsageError, match=r"the year of table\.csv cannot be told"):
        data_fetch.add(file, "eora26", folder=store.root)
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


def fixture(name: str) -> bytes:
    return shared(f"formats/fixtures/{name}").read_bytes()


def eora(year: int) -> bytes:
    """An Eora26 archive of the named year, with its labels inside."""
    folder = shared("formats/fixtures/eora26")
    return packed({p.name.replace("2015", str(year)): p.read_bytes() for p in sorted(folder.iterdir())})


def test_another_table_under_the_right_name(tmp_path, store):
    file = tmp_path / "Eora26_2015_bp.zip"
    file.write_bytes(packed({"2020_SML.csv": fixture("icio2023_2020_SML.csv")}))
    with pytest.raises(ReaderError, match=r"no file of eora26(.|\n)*layout 'oecd'(.|\n)*layout 'eora'"):
        data_fetch.add(file, folder=store.root)
    assert leftovers(store) == []


def test_wrong_year_inside_an_archive(tmp_path, store):
    file = tmp_path / "Eora26_2015_bp.zip"
    file.write_bytes(eora(2014))
    with pytest.raises(ReaderError, match=r"does not hold the year of its name\n  got: 2014\n  expected: 2015"):
        data_fetch.add(file, folder=store.root)
    assert leftovers(store) == []
    file.write_bytes(eora(2015))
    added = data_fetch.add(file, folder=store.root)
    assert (added.dataset, added.layout) == ("eora26", "eora")


def test_wrong_year_inside_a_workbook(tmp_path, store):
    file = tmp_path / "ADB-MRIO62-2021_August 2024.xlsx"
    file.write_bytes(fixture("ADB-MRIO62-2022_synthetic.xlsx"))
    with pytest.raises(ReaderError, match=r"got: 2022\n  expected: 2021"):
        data_fetch.add(file, folder=store.root)


def test_other_edition_under_the_right_name(tmp_path, store):
    file = tmp_path / "2016-2020_SML.zip"
    file.write_bytes(packed({"2020_SML.csv": fixture("icio2023_2020_SML.csv")}))
    assert data_fetch.add(file, folder=store.root).dataset == "icio2023"
    file.write_bytes(packed({"2020.csv": fixture("icio2025_2022_SML.csv")}))
    with pytest.raises(ReaderError, match=r"another edition\n  got: icio2025\n  expected: icio2023"):
        data_fetch.add(file, "icio2023", folder=store.root)


def test_edition_that_is_not_known(tmp_path, store):
    text = fixture("icio2023_2020_SML.csv").decode().replace("_A01_02", "_Q01_02")
    file = tmp_path / "2016-2020_SML.zip"
    file.write_bytes(packed({"2020_SML.csv": text.encode()}))
    with pytest.raises(ReaderError, match=r"got: sectors of no edition that is known\n  expected: icio2023"):
        data_fetch.add(file, "icio2023", folder=store.root)
    assert leftovers(store) == []


def test_zip_in_zip_is_recognised_and_opened(tmp_path, store):
    inner = packed({"2020_SML.csv": fixture("icio2023_2020_SML.csv")})
    file = tmp_path / "2016-2020_SML.zip"
    file.write_bytes(packed({"2020_SML.zip": inner}))
    added = data_fetch.add(file, folder=store.root)
    assert (added.dataset, added.layout) == ("icio2023", "oecd")
    assert data_fetch.open("icio2023", 2020, folder=store.root, offline=True).year == 2020


def test_another_issue_of_the_same_year_is_what_opens(tmp_path, store):
    file = tmp_path / "ADB-MRIO62-2022_September 2024.xlsx"
    file.write_bytes(fixture("ADB-MRIO62-2022_synthetic.xlsx"))
    added = data_fetch.add(file, folder=store.root)
    assert (added.dataset, added.layout) == ("adb62", "adb")
    assert data_fetch.get("adb62", 2022, folder=store.root, offline=True) == [added.path]
    table = data_fetch.open("adb62", 2022, folder=store.root, offline=True)
    assert table.year == 2022
    other = tmp_path / "ADB-MRIO62-2022_June2023.xlsx"
    other.write_bytes(file.read_bytes())
    data_fetch.add(other, folder=store.root)
    with pytest.raises(UsageError, match=r"several files of 2022(.|\n)*June2023(.|\n)*September 2024"):
        data_fetch.open("adb62", 2022, folder=store.root, offline=True)


def test_a_table_taken_out_of_its_archive_is_what_opens(tmp_path, store):
    file = tmp_path / "wiot11_row_sep12.xlsx"
    file.write_bytes(fixture("wiot11_row_sep12.xlsx"))
    with pytest.raises(UsageError, match=r"layout 'wiod2013'(.|\n)*--dataset NAME: wiod2013"):
        data_fetch.add(file, folder=store.root)
    added = data_fetch.add(file, "wiod2013", folder=store.root)
    assert (added.record.first_year, added.record.last_year) == (2011, 2011)
    assert data_fetch.open("wiod2013", 2011, folder=store.root, offline=True).year == 2011


def test_a_year_that_only_a_brought_file_has(tmp_path, store):
    file = tmp_path / "Eora26_2019_bp.zip"
    file.write_bytes(eora(2019))
    with pytest.raises(UsageError, match="no year 2019"):
        data_fetch.get("eora26", 2019, folder=store.root, offline=True)
    added = data_fetch.add(file, folder=store.root)
    (tmp_path / "indices.zip").write_bytes(archive())
    labels = data_fetch.add(tmp_path / "indices.zip", folder=store.root)
    assert data_fetch.get("eora26", 2019, folder=store.root, offline=True) == [labels.path, added.path]


def test_a_file_that_lies_in_its_place_already(store):
    store.folder("eora26").mkdir(parents=True)
    place = store.path("eora26", "Eora26_2015_bp.zip")
    place.write_bytes(archive())
    added = data_fetch.add(place, folder=store.root)
    assert added.path.read_bytes() == archive()
    assert added.record.origin == "added by hand"


def test_content_of_a_file_put_into_the_folder_is_checked(store):
    store.folder("eora26").mkdir(parents=True)
    store.path("eora26", "Eora26_2015_bp.zip").write_bytes(eora(2014))
    store.path("eora26", "indices.zip").write_bytes(archive())
    with pytest.raises(ReaderError, match="does not hold the year"):
        data_fetch.get("eora26", 2015, folder=store.root, offline=True)
