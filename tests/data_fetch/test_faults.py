"""Killed programs, full and read-only disks, redirects: a file is here whole and checked, or not at all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import requests

import data_fetch
from data_fetch.download import RefusedError, _check_way
from data_fetch.fetch import UNSIZED, Fetcher, quiet
from data_fetch.store import Store
from tests.batch.privileges import bound_by_permissions
from tests.data_fetch.conftest import DATASET, archive, leftovers, row
from tests.data_fetch.publisher import Page, Publisher
from tests.paths import ROOT
from tiva.errors import ChecksumError, FetchError, ManualDownloadError, OutputError

BODY = bytes(range(256)) * 4096
PATIENCE_SECONDS = 60.0
"""How long a loaded machine may take for what takes a second."""

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and resource limits")

PROGRAM = """
import json, sys
from pathlib import Path
import data_fetch
from data_fetch.catalogue import build
from data_fetch.fetch import Fetcher, quiet
from data_fetch.store import Store
from tiva.errors import TivaError
root, row, facts, limit = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
if limit:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    data_fetch.get("d", sources=build({"d": facts}, [row]), fetcher=Fetcher(Store(root), progress=quiet, retries=0))
except TivaError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def program(store: Store, address: str, limit: int = 0) -> subprocess.Popen[str]:
    """Start another program that fetches ``f.bin``; ``limit`` is the most bytes that it may write to a file."""
    arguments = [str(store.root), json.dumps(row("f.bin", address)), json.dumps(DATASET), str(limit)]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)


def until(happened: Any) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@posix_only
def test_a_program_killed_in_the_middle_leaves_bytes_to_go_on_from_and_no_lock(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY, drops=[300_000], stall=PATIENCE_SECONDS)
    running = program(store, publisher.address("/f.bin"))
    part = store.staging("d", "f.bin") / "f.bin.part"
    until(lambda: part.exists() and part.stat().st_size > 0)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert not store.path("d", "f.bin").exists()
    assert all(name.startswith(".partial/d/f.bin/") for name in leftovers(store))
    publisher.released.set()
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY
    assert publisher.requests[-1].headers["Range"].startswith("bytes=")
    assert leftovers(store) == ["d/f.bin", "d/f.bin.json"]


def test_what_killed_programs_left_is_removed_the_next_time(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)
    staging = store.staging("d", "f.bin")
    staging.mkdir(parents=True)
    store.folder("d").mkdir(parents=True)
    for path in (staging / "tmpabc", staging / "copy", store.folder("d") / ".f.bin.k2j.json"):
        path.write_bytes(b"half")
    data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert leftovers(store) == ["d/f.bin", "d/f.bin.json"]


@posix_only
def test_a_full_disk(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)
    running = program(store, publisher.address("/f.bin"), limit=400_000)
    _, said = running.communicate(timeout=PATIENCE_SECONDS)
    assert said.startswith("OutputError: cannot write ")
    assert "free space" in said
    assert leftovers(store) == []
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY


class FullDisk:
    """A file on a disk that is full after some bytes."""

    def __init__(self, handle: Any, room: int) -> None:
        self.handle, self.room = handle, room

    def write(self, content: bytes) -> int:
        if len(content) > self.room:
            raise OSError(28, "No space left on device")
        self.room -= len(content)
        return int(self.handle.write(content))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.handle, name)


@pytest.mark.parametrize("room", [0, 300_000])
def test_a_disk_that_fills_up_while_bytes_arrive(publisher, store, fetcher, make, monkeypatch, room):
    publisher.pages["/f.bin"] = Page(BODY)
    opened = Path.open

    def limited(self: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        handle = opened(self, mode, *args, **more)
        return FullDisk(handle, room) if self.name.endswith(".part") and "a" in mode else handle

    monkeypatch.setattr(Path, "open", limited)
    with pytest.raises(OutputError, match=r"cannot write (.|\n)*No space left on device(.|\n)*TIVA_DATA"):
        data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert leftovers(store) == []
    assert publisher.asked("/f.bin") == 1


def test_a_disk_that_is_full_when_a_file_is_taken_in(tmp_path, store, monkeypatch):
    def full(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:10])
        raise OSError(28, "No space left on device")

    file = tmp_path / "Eora26_2015_bp.zip"
    file.write_bytes(archive())
    monkeypatch.setattr("data_fetch.local.shutil.copyfile", full)
    with pytest.raises(OutputError, match="No space left"):
        data_fetch.add(file, folder=store.root)
    assert leftovers(store) == []


@pytest.fixture
def filled(publisher: Publisher, store: Store, fetcher: Fetcher, make: Any) -> Any:
    """A folder with one fetched file and one that is not here; it may not be written any more."""
    for name in ("f.bin", "g.bin"):
        publisher.pages[f"/{name}"] = Page(BODY)
    sources = make(
        [row(name, publisher.address(f"/{name}"), year=year) for name, year in (("f.bin", "2000"), ("g.bin", "2001"))]
    )
    data_fetch.get("d", 2000, sources=sources, fetcher=fetcher)
    places = [store.root, *(p for p in store.root.rglob("*"))]
    for place in places:
        place.chmod(0o500 if place.is_dir() else 0o400)
    yield sources
    for place in places:
        place.chmod(0o700)


@posix_only
def test_a_read_only_folder_gives_out_what_is_in_it(store, fetcher, filled):
    with bound_by_permissions():
        if os.access(store.root, os.W_OK, effective_ids=True):
            pytest.skip("this user may write everywhere")
        before = leftovers(store)
        (path,) = data_fetch.get("d", 2000, sources=filled, fetcher=fetcher)
        assert path.read_bytes() == BODY
        with pytest.raises(OutputError, match="TIVA_DATA"):
            data_fetch.get("d", 2001, sources=filled, fetcher=fetcher)
        assert leftovers(store) == before


@posix_only
def test_a_table_opens_from_a_read_only_folder(tmp_path, store, make):
    from tests.data_fetch.test_add import native

    file = tmp_path / "t.nc"
    native(file)
    sources = make([row("t.nc", "https://x", "manual")])
    data_fetch.add(file, "d", folder=store.root, sources=sources)
    store.root.chmod(0o500)
    try:
        with bound_by_permissions():
            if os.access(store.root, os.W_OK, effective_ids=True):
                pytest.skip("this user may write everywhere")
            assert data_fetch.open("d", 2000, folder=store.root, sources=sources).year == 2000
    finally:
        store.root.chmod(0o700)
    assert not (store.root / "parsed").exists()


@pytest.fixture
def elsewhere() -> Iterator[Publisher]:
    """Another host."""
    server = Publisher()
    yield server
    server.close()


def test_redirect_to_another_host(publisher, elsewhere, store, fetcher, make):
    target = elsewhere.address("/new").replace("127.0.0.1", "localhost")
    publisher.pages["/old"] = Page(location=target)
    elsewhere.pages["/new"] = Page(BODY, drops=[300_000])
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/old"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY
    assert publisher.asked("/old") == elsewhere.asked("/new") == 2
    assert "Range" in elsewhere.requests[1].headers
    assert store.record("d", "f.bin").origin == publisher.address("/old")


@pytest.mark.parametrize(
    ("location", "said"),
    [("ftp://127.0.0.1/f.bin", "InvalidSchema"), ("file:///etc/passwd", "InvalidSchema"), ("/old", "TooManyRedirects")],
)
def test_redirects_that_lead_nowhere_are_not_followed_again(publisher, store, fetcher, make, waits, location, said):
    publisher.pages["/old"] = Page(location=location)
    with pytest.raises(ManualDownloadError, match=said):
        data_fetch.get("d", sources=make([row("f.bin", publisher.address("/old"))]), fetcher=fetcher)
    assert waits == []
    assert leftovers(store) == []


def test_redirect_from_a_protected_to_an_unprotected_address_is_refused():
    def answer(*way: str) -> requests.Response:
        last, *before = (requests.Response() for _ in way)
        for response, url in zip((*before, last), way, strict=True):
            response.url = url
        last.history = list(before)
        return last

    _check_way("https://a/f", answer("https://a/f"))
    _check_way("http://a/f", answer("http://a/f", "https://b/f"))
    with pytest.raises(RefusedError, match="from https://a/f to http://b/f, which is not protected"):
        _check_way("https://a/f", answer("https://a/f", "http://b/f", "https://c/f"))


def test_encoded_bytes_are_not_resumed(publisher, fetcher, make):
    import gzip

    packed = gzip.compress(BODY, mtime=0)
    publisher.pages["/f.bin"] = Page(packed, encoding="gzip", drops=[len(packed) // 2])
    (path,) = data_fetch.get("d", sources=make([row("f.bin", publisher.address("/f.bin"))]), fetcher=fetcher)
    assert path.read_bytes() == BODY
    assert [request.headers.get("Range") for request in publisher.requests] == [None, None]


def test_a_length_that_nobody_told_is_noted(publisher, store, fetcher, make):
    publisher.pages["/f.csv"] = Page(b"a,b\n1,2\n", length=False)
    publisher.pages["/g.csv"] = Page(b"a,b\n1,2\n")
    for name, note in (("f.csv", UNSIZED), ("g.csv", "")):
        data_fetch.get("d", sources=make([row(name, publisher.address(f"/{name}"))]), fetcher=fetcher)
        assert store.record("d", name).note == note


def test_damaged_record_says_what_to_do(publisher, store, fetcher, make):
    publisher.pages["/f.bin"] = Page(BODY)
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    data_fetch.get("d", sources=sources, fetcher=fetcher)
    record = store.folder("d") / "f.bin.json"
    record.write_text("{")
    with pytest.raises(ChecksumError, match="delete the record"):
        data_fetch.get("d", sources=sources, fetcher=fetcher)
    record.unlink()
    data_fetch.get("d", sources=sources, fetcher=fetcher)
    assert store.record("d", "f.bin").origin == "found in the folder"


def test_a_server_that_is_not_there(store, fetcher, make, waits):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(FetchError, match="4 attempts"):
        data_fetch.get("d", sources=make([row("f.bin", f"http://127.0.0.1:{port}/f.bin")]), fetcher=fetcher)
    assert waits == [1, 2, 3]
    assert leftovers(store) == []


@posix_only
def test_two_programs_and_one_of_them_is_killed(publisher, store):
    publisher.pages["/f.bin"] = Page(BODY, drops=[300_000], stall=PATIENCE_SECONDS)
    first = program(store, publisher.address("/f.bin"))
    until(lambda: len(publisher.requests) == 1)
    second = program(store, publisher.address("/f.bin"))
    time.sleep(0.3)
    assert second.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()
    _, said = second.communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode == 0, said
    assert store.path("d", "f.bin").read_bytes() == BODY
    assert leftovers(store) == ["d/f.bin", "d/f.bin.json"]


def test_progress_is_a_bar_on_a_terminal_only(publisher, store, make, monkeypatch, capsys):
    from data_fetch import fetch

    publisher.pages["/f.bin"] = Page(BODY)
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    shown: list[str] = []
    monkeypatch.setattr("data_fetch.progress.bar", lambda name: shown.append(name) or quiet(name))
    data_fetch.get("d", sources=sources, folder=store.root)
    said = capsys.readouterr()
    assert (shown, said.out, said.err) == ([], "", "fetching f.bin\n")
    monkeypatch.setattr(fetch.sys.stderr, "isatty", lambda: True)
    data_fetch.get("d", sources=sources, folder=store.root, refresh=True)
    assert shown == ["f.bin"]


def test_many_threads_and_several_files(publisher, store, make):
    names = [f"f{k}.bin" for k in range(4)]
    for name in names:
        publisher.pages[f"/{name}"] = Page(BODY + name.encode())
    sources = make([row(name, publisher.address(f"/{name}")) for name in names])
    fetcher = Fetcher(store, progress=quiet, retries=0)
    found: list[list[Path]] = []
    threads = [
        threading.Thread(target=lambda: found.append(data_fetch.get("d", sources=sources, fetcher=fetcher)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[p.name for p in paths] for paths in found] == [names] * 3
    assert all(publisher.asked(f"/{name}") == 1 for name in names)
