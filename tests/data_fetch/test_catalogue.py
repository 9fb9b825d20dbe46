from __future__ import annotations

import re
from typing import get_args

import numpy as np
import pytest

from data_fetch.catalogue import TOPICS, Kind, catalogue, parse_years
from tiva.errors import UnknownLabelError, UsageError
from tiva.readers.registry import readers

KNOWN = catalogue().datasets


@pytest.mark.parametrize(
    ("text", "years"),
    [
        (None, None),
        (2011, (2011,)),
        ("1995-1997", (1995, 1996, 1997)),
        ("2000, 2005-2006", (2000, 2005, 2006)),
        ([2003, 2001, 2003], (2001, 2003)),
        (range(2000, 2002), (2000, 2001)),
        (np.int64(2011), (2011,)),
        (np.arange(2000, 2002), (2000, 2001)),
    ],
)
def test_years(text, years):
    assert parse_years(text) == years


@pytest.mark.parametrize("text", ["", "95", "2011-2005", "1995-", "all", "2000;2001"])
def test_years_that_are_none(text):
    with pytest.raises(UsageError, match="cannot understand the years"):
        parse_years(text)


@pytest.mark.parametrize("years", [2011.5, [2011.5], ["2011"], [None]])
def test_years_that_are_no_whole_numbers(years):
    with pytest.raises(UsageError, match="years are not whole numbers"):
        parse_years(years)


def test_every_data_set_says_where_and_under_which_terms():
    for name, dataset in KNOWN.items():
        assert dataset.files, name
        assert dataset.page.startswith("https://"), name
        assert dataset.licence, name
        assert dataset.citation, name
        assert dataset.access in {"open", "bot wall", "browser", "login"}, name


def test_every_address_and_checksum_is_well_formed():
    lengths = {"md5": 32, "sha1": 40, "sha256": 64}
    for dataset in KNOWN.values():
        for entry in dataset.files:
            for address in entry.addresses:
                good = {
                    "direct": r"https://\S+",
                    "manual": r"https://\S+",
                    "zenodo": r"\d+",
                    "dataverse": r"doi:10\.\d+/\w+(#\d+)?",
                }[address.method]
                assert re.fullmatch(good, address.location), address
                assert "pass=" not in address.location
            for algorithm, digest in entry.checksums.items():
                assert re.fullmatch(rf"[0-9a-f]{{{lengths[algorithm]}}}", digest), entry


def test_no_login_site_has_an_address_for_programs():
    for dataset in KNOWN.values():
        if dataset.access == "login":
            assert all(a.method == "manual" for e in dataset.files for a in e.addresses), dataset.name
        if dataset.access == "browser":
            assert all(e.addresses[-1].method == "manual" for e in dataset.files), dataset.name


def test_every_data_set_says_what_is_confirmed_and_by_what():
    for name, dataset in KNOWN.items():
        assert tuple(fact.topic for fact in dataset.evidence) == TOPICS, name
        for fact in dataset.evidence:
            assert fact.kind in get_args(Kind), name
            assert fact.text, name
        (sums,) = (fact for fact in dataset.evidence if fact.topic == "checksums")
        known = any(entry.checksums for entry in dataset.files)
        assert not known or sums.kind != "unconfirmed", name


def test_every_layout_is_that_of_a_reader():
    known = {reader.name for reader in readers()}
    without = {name for name, dataset in KNOWN.items() if dataset.layout not in known}
    assert without == {"wiod2013_matlab", "sea2013", "sea2016"}  # MATLAB files and accounts have no reader


def test_years_of_the_files_are_those_of_the_data_set():
    for dataset in KNOWN.values():
        dated = [e for e in dataset.files if e.first_year is not None]
        said = [int(y) for y in re.findall(r"\d{4}", dataset.years)]
        assert min(e.first_year for e in dated) == min(said), dataset.name
        assert max(e.last_year for e in dated) == max(said), dataset.name


# Names and numbers in the code of others that fetches or reads the files.
def test_names_that_others_fetch():
    assert KNOWN["emerging2.2"].select(2023)[0].name == "EMERGING_V2_2023_m.mat"
    assert KNOWN["emerging1"].select(2018)[0].name == "global_mrio_2018.mat"
    assert KNOWN["gloria"].select(2021)[0].name == "GLORIA_MRIOs_59_2021.zip"
    assert KNOWN["exiobase3.10.2_pxp"].select(2024)[0].name == "IOT_2024_pxp.zip"
    for system in ("ixi", "pxp"):
        newest = KNOWN[f"exiobase3.11.2_{system}"]
        assert [e.name for e in newest.files] == [f"IOT_{year}_{system}.zip" for year in range(1995, 2023)]
        assert {a.location for e in newest.files for a in e.addresses} == {"23039074"}
        assert {fact.topic for fact in newest.evidence if fact.kind == "unconfirmed"} == {
            "licence", "access", "checksums",
        }  # fmt: skip
    assert KNOWN["adb74"].select(2024)[0].addresses[0].location.endswith("mrio-file/445")
    assert {name: KNOWN[name].page.rpartition("/")[2] for name in ("exiobase3.9.6_ixi", "emerging2.2")} == {
        "exiobase3.9.6_ixi": "15689391",
        "emerging2.2": "19461860",
    }


# Fixed points from the provenance files of third parties.
def test_known_checksums():
    entry = KNOWN["icio2025"].entry("2016-2022_SML.zip")
    assert entry.size == 166_241_019
    assert entry.checksums["sha256"].startswith("46db55c45747e26d")
    assert [a.location.split("/")[2] for a in entry.addresses] == ["webfs-sti.oecd.org", "stats.oecd.org"]
    assert KNOWN["sea2016"].files[0].checksums["sha256"].startswith("8cf5ed3d1b7d7dda")
    first = KNOWN["exiobase3.9.6_ixi"].select(1995)[0]
    assert (first.size, first.checksums["md5"]) == (462_292_568, "addfa2745c26460afe6d6ebb295a8b77")


def test_selection_by_year():
    assert [e.name for e in KNOWN["icio2025"].select("2015-2016")] == ["2011-2015_SML.zip", "2016-2022_SML.zip"]
    assert [e.name for e in KNOWN["eora26"].select(2015)] == ["indices.zip", "Eora26_2015_bp.zip"]
    with pytest.raises(UsageError, match="expected: years 1995-2022"):
        KNOWN["icio2025"].select(2023)
    with pytest.raises(UsageError, match="no year 2003"):
        KNOWN["adb62"].select(2003)


def test_unknown_data_set():
    with pytest.raises(UnknownLabelError, match="did you mean 'wiod2013'"):
        catalogue()["wiod13"]


@pytest.mark.parametrize(
    ("dataset", "file", "year"),
    [
        ("adb62", "ADB-MRIO62-2021_August 2024.xlsx", 2021),
        ("gloria", "GLORIA_MRIOs_060_2019.zip", 2019),
        ("gloria", "GLORIA_MRIOs_59_2021.zip", 2021),
        ("adb_lac", "ADB-MRIO-LAC-2011_Mar2022.xlsx", 2011),
    ],
)
def test_names_that_vary(dataset, file, year):
    assert KNOWN[dataset].accepts(file)
    assert KNOWN[dataset].hand_entry(file).first_year == year
    others = [name for name, other in KNOWN.items() if name != dataset and other.accepts(file)]
    assert others == []


def test_licences_that_differ_by_release():
    found = {name: dataset.licence for name, dataset in catalogue().datasets.items()}
    assert "CC BY-SA 4.0" in found["exiobase3.8.2_ixi"]
    assert all(
        "non-commercial" in found[f"exiobase{x}"] for x in ("3.9.6_ixi", "3.9.6_pxp", "3.10.2_ixi", "3.10.2_pxp")
    )
    assert all("unconfirmed" in found[f"exiobase3.11.2_{system}"] for system in ("ixi", "pxp"))
    assert found["wiod2013"] == found["wiod2016"] == found["lrwiod"] == "CC BY 4.0"
    assert "CC BY 4.0" in found["figaro25"]
    assert "academic" in found["eora26"]
    assert "non-commercial" in found["gloria"]
    assert found["emerging2.2"] == "CC BY 4.0"
    assert "https://kidb.adb.org/terms" in found["adb74"]
