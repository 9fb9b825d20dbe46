"""Publishers behave well and badly; whatever they do, a file is here whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

import data_fetch
from data_fetch import fetch as fetching
from data_fetch.fetch import Fetcher
from tests.data_fetch.conftest import archive, leftovers, row
from tests.data_fetch.publisher import Page
from tiva.errors import (
    ChecksumError,
    FetchError,
    ManualDownloadError,
    OfflineError,
    OutputError,
    ReissuedFileWarning,
    UsageError,
)

BODY = bytes(range(256)) * 4096
"""A mebibyte that is no text."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_success(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)
    sources = make([row("f.bin", publisher.address("/f.bin"), checksum=f"sha256:{sha256(BODY)}")])
    (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert path.read_bytes() == BODY
    assert leftovers(store) == ["d/f.bin", "d/f.bin.json"]
    record = store.record("d", "f.bin")
    assert record.sha256 == sha256(BODY)
    assert record.size == len(BODY)
    assert record.origin == publisher.address("/f.bin")
    assert "tiva-icio" in publisher.requests[0].headers["User-Agent"]
    assert publisher.requests[0].headers["Referer"] == "http://127.0.0.1/page"


def test_second_call_does_not_ask_again(publisher, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    data_fetch.get("d", sources=sources, fetcher=fetcher)
    data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert publisher.asked("/f.bin") == 1


def test_years_select_files(publisher, fetcher, make):
    rows = [row(f"f{y}.bin", publisher.address(f"/f{y}.bin"), year=y) for y in ("2000", "2001", "2002")]
    for y in (2000, 2001, 2002):
        publisher.pages[f"/f{y}.bin"] = Page(str(y).encode())
    paths = data_fetch.get("d", "2001-2002", sources=make(rows), fetcher=fetcher)
    assert [p.name for p in paths] == ["f2001.bin", "f2002.bin"]
    with pytest.raises(UsageError, match="no year 1999"):
        data_fetch.get("d", 1999, sources=make(rows), fetcher=fetcher)


def test_wall_with_a_page_names_what_to_do(publisher, store, fetcher, make, waits):
    publisher.pages["/f.zip"] = Page(b"<html>Are you a robot?</html>", 403, "text/html")
    sources = make([row("f.zip", publisher.address("/f.zip"))], access="bot wall")
    with pytest.raises(ManualDownloadError) as caught:
        data_fetch.get("d", sources=sources, fetcher=fetcher)
    text = str(caught.value)
    for fact in ("http://127.0.0.1/page", publisher.address("/f.zip"), "f.zip", str(store.folder("d")), "403"):
        assert fact in text
    assert leftovers(store) == []
    assert waits == []
    assert publisher.asked("/f.zip") == 1


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>Sign in</html>", b"\n <HTML><body>Sign in"])
def test_page_in_place_of_the_file_with_status_200(publisher, store, fetcher, make, page):
    publisher.pages["/f.csv"] = Page(page, kind="text/html")
    with pytest.raises(ManualDownloadError, match="web page"):
        data_fetch.get("d", sources=make([row("f.csv", publisher.address("/f.csv"))]), fetcher=fetcher)
    assert leftovers(store) == []


def test_not_found(publisher, store, fetcher, make):
    with pytest.raises(ManualDownloadError, match="HTTP status 404"):
        data_fetch.get("d", sources=make([row("f.csv", publisher.address("/gone"))]), fetcher=fetcher)
    assert leftovers(store) == []


def test_truncated_for_good(publisher, store, fetcher, make, waits):
    publisher.pages["/f.bin"] = Page(BODY, always_drop=1000, etag=False)
    with pytest.raises(FetchError, match="4 attempts"):
        data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert leftovers(store) == []
    assert waits == [1, 2, 3]


def test_dropped_connections_are_resumed(publisher, store, fetcher, make, waits):
    publisher.pages["/f.bin"] = Page(BODY, drops=[300_000, 400_000])
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY
    ranges = [request.headers.get("Range") for request in publisher.requests]
    assert ranges[0] is None
    first, second = (int(r.removeprefix("bytes=").rstrip("-")) for r in ranges[1:])
    assert 0 < first <= 300_000
    assert first < second <= 700_000
    assert publisher.requests[1].headers["If-Range"]
    assert leftovers(store) == ["d/f.bin", "d/f.bin.json"]
    assert waits == [1, 2]


def test_stalled_connection_counts_as_dropped(publisher, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY, drops=[300_000], stall=30)
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY
    assert publisher.asked("/f.bin") == 2


def test_next_call_goes_on_where_the_last_one_gave_up(publisher, store, fetcher, make):
    page = Page(BODY, drops=[300_000, 1, 1, 1])
    publisher.pages["/f.bin"] = page
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    with pytest.raises(FetchError, match="bytes are kept to go on from"):
        data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert not store.path("d", "f.bin").exists()
    assert all(name.startswith(".partial/") for name in leftovers(store))
    (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert path.read_bytes() == BODY
    assert int(publisher.requests[-1].headers["Range"].removeprefix("bytes=").rstrip("-")) > 200_000
    assert leftovers(store) == ["d/f.bin", "d/f.bin.json"]


def test_file_that_changes_between_attempts_is_not_mixed(publisher, store, fetcher, make):
    other = bytes(reversed(BODY))
    publisher.pages["/f.bin"] = Page(contents=[BODY, other], body=other, drops=[300_000])
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == other


def test_server_without_ranges_begins_anew(publisher, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY, drops=[300_000], ranges=False)
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY


def test_kept_bytes_beyond_the_file_are_dropped(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)
    staging = store.staging("d", "f.bin")
    staging.mkdir(parents=True)
    (staging / "f.bin.part").write_bytes(BODY + b"more")
    etag = f'"{hashlib.md5(BODY).hexdigest()}"'
    state = {"url": publisher.address("/f.bin"), "validator": etag}
    (staging / "f.bin.part.state").write_text(json.dumps(state))
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY


def test_server_without_length_or_validator(publisher, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY, length=False, etag=False)
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("status", [500, 503, 429])
def test_passing_trouble_is_tried_again(publisher, store, fetcher, make, waits, status):
    publisher.pages["/f.bin"] = Page(b"busy", status)
    with pytest.raises(FetchError, match=str(status)):
        data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert publisher.asked("/f.bin") == 4
    assert waits == [1, 2, 3]
    assert leftovers(store) == []


def test_waits_that_the_server_asks_for_are_kept(publisher, fetcher, make, waits):
    publisher.pages["/f.bin"] = Page(BODY, busy=1, retry_after="7")
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY
    assert waits == [7, 1]


def test_date_that_the_server_asks_to_wait_for(publisher, fetcher, make, waits):
    publisher.pages["/f.bin"] = Page(BODY, busy=1, retry_after=formatdate(time.time() + 100, usegmt=True))
    data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert 50 < waits[0] <= 100
    assert waits[1:] == [1]


@pytest.mark.parametrize("asked", ["soon", "Mon, 01 Jan 2001 00:00:00 GMT", "-5"])
def test_waits_that_mean_nothing_are_left_out(publisher, fetcher, make, waits, asked):
    publisher.pages["/f.bin"] = Page(BODY, busy=1, retry_after=asked)
    data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert waits == [1]


def test_a_wait_of_hours_is_left_to_the_user(publisher, store, fetcher, make, waits):
    publisher.pages["/f.bin"] = Page(BODY, busy=9, retry_after="86400")
    with pytest.raises(FetchError, match=r"503, try again in 1,440 minutes"):
        data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert (publisher.asked("/f.bin"), waits, leftovers(store)) == (1, [], [])


def test_no_wait_after_the_last_attempt(publisher, fetcher, make, waits):
    publisher.pages["/f.bin"] = Page(BODY, busy=9, retry_after="5")
    with pytest.raises(FetchError, match="4 attempts"):
        data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert waits == [5, 1, 5, 2, 5, 3]


def test_wrong_hash(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY[:-1] + b"!")
    sources = make([row("f.bin", publisher.address("/f.bin"), checksum=f"sha256:{sha256(BODY)}")])
    with pytest.raises(ChecksumError) as caught:
        data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert sha256(BODY) in str(caught.value)
    assert leftovers(store) == []


def test_archive_that_is_none(publisher, store, fetcher, make):
    publisher.pages["/f.zip"] = Page(b"{'error': 'quota'}")
    with pytest.raises(ChecksumError, match="not an archive"):
        data_fetch.get("d", sources=make([row("f.zip", publisher.address("/f.zip"))]), fetcher=fetcher)
    assert leftovers(store) == []


def test_mirror_is_tried_after_a_wall(publisher, store, fetcher, make):
    publisher.pages["/a.zip"] = Page(b"<html></html>", 403)
    publisher.pages["/b.zip"] = Page(archive())
    rows = [row("f.zip", publisher.address("/a.zip")), row("f.zip", publisher.address("/b.zip"))]
    (path,) = data_fetch.get("d", sources=make(rows), fetcher=fetcher)
    assert path.read_bytes() == archive()
    assert store.record("d", "f.zip").origin == publisher.address("/b.zip")


def test_every_address_is_named_when_none_works(publisher, store, fetcher, make):
    publisher.pages["/a.zip"] = Page(b"<html></html>", 403)
    publisher.pages["/b.zip"] = Page(b"no archive")
    rows = [row("f.zip", publisher.address("/a.zip")), row("f.zip", publisher.address("/b.zip"))]
    with pytest.raises(FetchError, match="no address") as caught:
        data_fetch.get("d", sources=make(rows), fetcher=fetcher)
    assert "/a.zip" in str(caught.value)
    assert "not an archive" in str(caught.value)
    assert leftovers(store) == []


def test_redirect(publisher, fetcher, make):
    publisher.pages["/old"] = Page(location=publisher.address("/new"))
    publisher.pages["/new"] = Page(BODY, drops=[300_000])
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/old"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY


def test_reissued_file_warns_and_both_checksums_are_kept(publisher, store, fetcher, make):
    old, new = archive("old"), archive("new")
    publisher.pages["/f.zip"] = Page(new)
    sources = make([row("f.zip", publisher.address("/f.zip"), checksum=f"sha256:{sha256(old)}")], reissued=True)
    with pytest.warns(ReissuedFileWarning, match=sha256(new)) as caught:
        data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert sha256(old) in str(caught[0].message)
    record = store.record("d", "f.zip")
    assert (record.sha256, record.expected["sha256"]) == (sha256(new), sha256(old))


def test_changed_content_on_refresh(publisher, store, fetcher, make):
    publisher.pages["/f.zip"] = Page(contents=[archive("1"), archive("2")])
    sources = make([row("f.zip", publisher.address("/f.zip"))])
    data_fetch.get("d", sources=sources, fetcher=fetcher)
    with pytest.warns(ReissuedFileWarning):
        (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher, refresh=True)
    assert path.read_bytes() == archive("2")
    record = store.record("d", "f.zip")
    assert record.sha256 == sha256(archive("2"))
    assert [past["sha256"] for past in record.history] == [sha256(archive("1"))]


def test_failed_refresh_leaves_the_old_file(publisher, store, fetcher, make):
    publisher.pages["/f.zip"] = Page(contents=[archive("1")], body=b"broken")
    sources = make([row("f.zip", publisher.address("/f.zip"))])
    (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
    with pytest.raises(ChecksumError):
        data_fetch.get("d", sources=sources, fetcher=fetcher, refresh=True)
    assert path.read_bytes() == archive("1")
    assert leftovers(store) == ["d/f.zip", "d/f.zip.json"]


def test_concurrent_threads_ask_once(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    together = threading.Barrier(6)
    found: list[bytes] = []

    def run() -> None:
        together.wait()
        (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
        found.append(path.read_bytes())

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BODY] * 6
    assert publisher.asked("/f.bin") == 1
    assert leftovers(store) == ["d/f.bin", "d/f.bin.json"]


PROGRAM = """
import sys
from pathlib import Path
from data_fetch.catalogue import build
from data_fetch.fetch import Fetcher, quiet
from data_fetch.store import Store
import data_fetch, json
address, root, facts, row = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4])
data_fetch.get("d", sources=build({"d": facts}, [row]), fetcher=Fetcher(Store(root), progress=quiet))
"""


def test_concurrent_programs_ask_once(publisher, store):
    from tests.data_fetch.conftest import DATASET

    publisher.pages["/f.bin"] = Page(BODY)
    arguments = [publisher.address("/f.bin"), str(store.root), json.dumps(DATASET)]
    arguments.append(json.dumps(row("f.bin", publisher.address("/f.bin"))))
    here = Path(__file__).parents[2]
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], cwd=here, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert store.path("d", "f.bin").read_bytes() == BODY
    assert publisher.asked("/f.bin") == 1


def test_offline_forbids_the_network(publisher, store, fetcher, make, monkeypatch):
    publisher.pages["/f.bin"] = Page(BODY)
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    with pytest.raises(OfflineError, match="network may not be used"):
        data_fetch.get("d", sources=sources, fetcher=replace(fetcher, offline=True))
    monkeypatch.setenv("TIVA_OFFLINE", "1")
    with pytest.raises(OfflineError):
        data_fetch.get("d", sources=sources, folder=store.root)
    assert publisher.requests == []
    monkeypatch.setenv("TIVA_OFFLINE", "0")
    (path,) = data_fetch.get("d", sources=sources, folder=store.root, progress=fetching.quiet)
    monkeypatch.setenv("TIVA_OFFLINE", "1")
    assert data_fetch.get("d", sources=sources, folder=store.root) == [path]
    with pytest.raises(OfflineError):
        data_fetch.get("d", sources=sources, folder=store.root, refresh=True)


def test_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TIVA_DATA", str(tmp_path / "elsewhere"))
    assert data_fetch.default_folder() == tmp_path / "elsewhere"
    monkeypatch.delenv("TIVA_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "tiva" in data_fetch.default_folder().parts[-1]


def test_manual_files_are_named_all_at_once(store, fetcher, make):
    rows = [row(f"{y}.zip", "http://127.0.0.1/login", "manual", y) for y in ("2000", "2001")]
    with pytest.raises(ManualDownloadError, match="never asks for a password") as caught:
        data_fetch.get("d", sources=make(rows, access="login"), fetcher=fetcher)
    assert caught.value.file == "2000.zip, 2001.zip"
    assert caught.value.page == "http://127.0.0.1/page"
    assert caught.value.folder == str(store.folder("d"))


def test_file_put_into_the_folder_by_hand_is_recorded(store, fetcher, make):
    sources = make([row("2000.zip", "http://127.0.0.1/login", "manual")], access="login")
    store.folder("d").mkdir(parents=True)
    store.path("d", "2000.zip").write_bytes(archive())
    (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert store.record("d", "2000.zip").sha256 == sha256(path.read_bytes())


def test_file_changed_behind_our_back(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert data_fetch.check("d", folder=store.root, sources=sources) == {path: "ok"}
    path.write_bytes(BODY[:-1] + b"!")
    assert data_fetch.check("d", folder=store.root, sources=sources) == {path: "changed"}
    path.write_bytes(BODY[:-1])
    with pytest.raises(ChecksumError, match="was changed after it was fetched"):
        data_fetch.get("d", sources=sources, fetcher=fetcher)


def dataverse_page(content: bytes, label: str) -> bytes:
    file = {"id": 7, "filesize": len(content), "checksum": {"type": "MD5", "value": hashlib.md5(content).hexdigest()}}
    return json.dumps({"status": "OK", "data": {"files": [{"label": label, "dataFile": file}]}}).encode()


def test_dataverse_list_gives_number_size_and_checksum(publisher, store, fetcher, make):
    listing = "/dataverse/api/datasets/:persistentId/versions/:latest-published"
    publisher.pages[listing] = Page(dataverse_page(archive(), "f.zip"))
    publisher.pages["/dataverse/api/access/datafile/7"] = Page(archive())
    sources = make([row("f.zip", "doi:10.1/X", "dataverse")])
    (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert path.read_bytes() == archive()
    assert publisher.requests[0].path.endswith("persistentId=doi:10.1/X")
    assert "md5" in store.record("d", "f.zip").expected


def test_publishers_own_checksum_is_never_a_reissue(publisher, store, fetcher, make):
    listing = "/dataverse/api/datasets/:persistentId/versions/:latest-published"
    publisher.pages[listing] = Page(dataverse_page(archive("x" * 5), "f.zip"))
    publisher.pages["/dataverse/api/access/datafile/7"] = Page(archive("y" * 5))
    sources = make([row("f.zip", "doi:10.1/X", "dataverse")], reissued=True)
    with pytest.raises(ChecksumError, match="publisher's list"):
        data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert leftovers(store) == []


def test_dataverse_number_with_known_checksum_needs_no_list(publisher, fetcher, make):
    publisher.pages["/dataverse/api/access/datafile/9"] = Page(archive())
    sources = make([row("f.zip", "doi:10.1/X#9", "dataverse", checksum=f"sha256:{sha256(archive())}")])
    data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert len(publisher.requests) == 1


def test_zenodo_record(publisher, fetcher, make):
    listed = {
        "files": [{"key": "f.zip", "size": len(archive()), "checksum": f"md5:{hashlib.md5(archive()).hexdigest()}"}]
    }
    publisher.pages["/zenodo/api/records/42"] = Page(json.dumps(listed).encode())
    publisher.pages["/zenodo/records/42/files/f.zip"] = Page(archive())
    (path,) = data_fetch.get("d", sources=make([row("f.zip", "42", "zenodo")]), fetcher=fetcher)
    assert path.read_bytes() == archive()
    with pytest.raises(FetchError, match="not listed"):
        data_fetch.get("d", sources=make([row("g.zip", "42", "zenodo")]), fetcher=fetcher)


def test_interruption_by_the_user_leaves_no_file(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)

    def stop(done: int, _total: int | None) -> None:
        if done > 500_000:
            raise KeyboardInterrupt

    from contextlib import nullcontext

    impatient = Fetcher(store, progress=lambda _: nullcontext(stop))
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    with pytest.raises(KeyboardInterrupt):
        data_fetch.get("d", sources=sources, fetcher=impatient)
    assert all(name.startswith(".partial/") for name in leftovers(store))
    (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert path.read_bytes() == BODY
    assert "Range" in publisher.requests[-1].headers


def test_progress_is_told_bytes_and_total(publisher, store, make):
    from contextlib import nullcontext

    seen: list[tuple[int, int | None]] = []
    publisher.pages["/f.bin"] = Page(BODY)
    telling = Fetcher(store, progress=lambda _: nullcontext(lambda *x: seen.append(x)))
    data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=telling)
    assert seen[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_known_damaged_copy_is_refused(store, fetcher, make, monkeypatch):
    damaged = archive("damaged")
    monkeypatch.setattr("data_fetch.verify.DAMAGED", {hashlib.md5(damaged).hexdigest(): "a damaged copy"})
    store.folder("d").mkdir(parents=True)
    store.path("d", "2000.zip").write_bytes(damaged)
    sources = make([row("2000.zip", "http://127.0.0.1/x", "manual")])
    with pytest.raises(ChecksumError, match="a damaged copy"):
        data_fetch.get("d", sources=sources, fetcher=fetcher)


def test_bar_runs_and_lines_are_short_without_a_terminal(capsys):
    from data_fetch.progress import bar

    with bar("f.zip") as update:
        update(1, 10)
        update(10, 10)
    with fetching.terminal_progress("g.zip") as update:
        update(1, None)
    assert "fetching g.zip" in capsys.readouterr().err


def test_no_warning_when_nothing_changed(publisher, fetcher, make):
    publisher.pages["/f.zip"] = Page(archive())
    sources = make([row("f.zip", publisher.address("/f.zip"))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data_fetch.get("d", sources=sources, fetcher=fetcher)
        data_fetch.get("d", sources=sources, fetcher=fetcher, refresh=True)


def test_folder_that_cannot_be_made(publisher, make, waits, tmp_path):
    publisher.pages["/f.bin"] = Page(BODY)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    with pytest.raises(OutputError, match="TIVA_DATA"):
        data_fetch.get("d", sources=sources, folder=blocked / "store", progress=fetching.quiet)
