from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from data_fetch.catalogue import Catalogue, build
from data_fetch.fetch import Fetcher, quiet
from data_fetch.store import Store
from tests.data_fetch.publisher import Publisher

DATASET = {
    "title": "A table", "database": "TEST", "edition": "1", "years": "2000-2002", "unit": "million USD",
    "page": "http://127.0.0.1/page", "access": "open", "licence": "CC0", "citation": "Nobody (2000)",
    "reissued": False,
}  # fmt: skip


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    server = Publisher()
    yield server
    server.close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been waited between attempts."""
    seconds: list[float] = []
    monkeypatch.setattr("pooch.core.time.sleep", seconds.append)
    return seconds


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def fetcher(store: Store, waits: list[float], publisher: Publisher) -> Fetcher:
    hosts = {"dataverse": publisher.address("/dataverse"), "zenodo": publisher.address("/zenodo")}
    return Fetcher(store, progress=quiet, retries=3, read_timeout=0.5, hosts=hosts)


def row(file: str, address: str, method: str = "direct", year: str = "2000", **more: str) -> dict[str, str]:
    base = {"dataset": "d", "first_year": year, "last_year": year, "file": file, "method": method}
    return base | {"address": address, "bytes": "", "checksum": "", "note": ""} | more


@pytest.fixture
def make(publisher: Publisher) -> Callable[..., Catalogue]:
    """Make a catalogue with one data set ``d``: rows of files, and changed facts."""

    def maker(rows: list[dict[str, str]], **facts: object) -> Catalogue:
        return build({"d": DATASET | facts}, rows)

    return maker


def packed(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive; the same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as handle:
        for name, content in members.items():
            handle.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def archive(text: str = "a,b\n1,2\n", member: str = "table.csv") -> bytes:
    return packed({member: text.encode()})


def leftovers(store: Store) -> list[str]:
    """Files in the folder other than finished files, their records and locks."""
    every = [p.relative_to(store.root).as_posix() for p in store.root.rglob("*") if p.is_file()]
    return sorted(name for name in every if not name.startswith(".locks/"))
