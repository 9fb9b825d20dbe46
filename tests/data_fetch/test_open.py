"""From the publisher to a table: the catalogue's own data sets with the synthetic files of the layouts."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import data_fetch
import tiva
from data_fetch.catalogue import build
from tests.data_fetch.conftest import DATASET, leftovers, packed, row
from tests.data_fetch.publisher import Page
from tests.paths import shared
from tiva.errors import ReaderError, UsageError


def expected(name: str) -> dict[str, object]:
    return json.loads(shared(f"formats/fixtures/{name}.expected.json").read_text())


def test_wiod_2013_from_dataverse_to_table(publisher, store, fetcher):
    workbook = shared("formats/fixtures/wiot11_row_sep12.xlsx").read_bytes()
    content = packed({"WIOT11_ROW_Sep12.xlsx": workbook})
    md5 = hashlib.md5(content).hexdigest()
    file = {"id": 5, "filesize": len(content), "checksum": {"type": "MD5", "value": md5}}
    listed = {"data": {"files": [{"label": "WIOTS_in_EXCEL.zip", "dataFile": file}]}}
    listing = "/dataverse/api/datasets/:persistentId/versions/:latest-published"
    publisher.pages[listing] = Page(json.dumps(listed).encode())
    publisher.pages["/dataverse/api/access/datafile/5"] = Page(content, drops=[1000])
    data_fetch.get("wiod2013", 2011, fetcher=fetcher)
    table = tiva.open("wiod2013", 2011, folder=store.root, offline=True)
    wanted = expected("wiot11_row_sep12.xlsx")
    assert list(table.countries) == wanted["countries"]
    np.testing.assert_array_equal(table.intermediate, np.array(wanted["Z"]))
    assert table.year == 2011
    assert table.provenance.licence
    again = tiva.open("wiod2013", 2011, folder=store.root, offline=True)
    assert again.checksum == table.checksum
    assert len(list((store.root / "parsed").glob("*.nc"))) == 1


@pytest.mark.parametrize("member", ["2020_SML.csv", "2020_SML.CSV"])
def test_icio_taken_in_by_hand(tmp_path, store, member):
    table_file = shared("formats/fixtures/icio2023_2020_SML.csv").read_bytes()
    file = tmp_path / "2016-2020_SML.zip"
    file.write_bytes(packed({member: table_file}))
    added = data_fetch.add(file, folder=store.root)
    assert added.dataset == "icio2023"
    assert added.layout
    table = data_fetch.open("icio2023", 2020, folder=store.root, offline=True)
    np.testing.assert_array_equal(table.intermediate, np.array(expected("icio2023_2020_SML.csv")["Z"]))
    assert "OECD" in table.provenance.citation
    assert table.provenance.url


def test_year_that_the_data_set_does_not_have(store):
    with pytest.raises(UsageError, match="no year 2012"):
        tiva.open("wiod2013", 2012, folder=store.root, offline=True)


def test_an_address_that_serves_another_edition_is_passed_over(publisher, store, fetcher):
    small, extended = "formats/fixtures/icio2023_2020_SML.csv", "formats/fixtures/icio2025_2022_EXT.csv"
    publisher.pages["/a"] = Page(packed({"2020.csv": shared(extended).read_bytes()}))
    publisher.pages["/b"] = Page(packed({"2020_SML.csv": shared(small).read_bytes()}))
    rows = [
        row("2016-2020_SML.zip", publisher.address(path), year="2016", dataset="icio2023", last_year="2020")
        for path in ("/a", "/b")
    ]
    facts = DATASET | {"layout": "oecd", "years": "2016-2020", "reissued": True}
    sources = build({"icio2023": facts}, rows)
    (path,) = data_fetch.get("icio2023", 2020, sources=sources, fetcher=fetcher)
    assert store.record("icio2023", path.name).origin == publisher.address("/b")
    only = build({"icio2023": facts}, rows[:1])
    with pytest.raises(ReaderError, match=r"another edition\n  got: icio2025_extended\n  expected: icio2023"):
        data_fetch.get("icio2023", 2020, sources=only, fetcher=fetcher, refresh=True)
    assert path.read_bytes() == publisher.pages["/b"].body
    assert leftovers(store) == ["icio2023/2016-2020_SML.zip", "icio2023/2016-2020_SML.zip.json"]
