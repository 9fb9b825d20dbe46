"""Whatever a server does, request by request, a file is here whole or not at all."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

import data_fetch
from data_fetch.catalogue import build
from data_fetch.fetch import Fetcher, quiet
from data_fetch.store import Store
from tests.data_fetch.conftest import DATASET, leftovers, row
from tests.data_fetch.publisher import Page, Publisher
from tiva.errors import ChecksumError, FetchError

BODY = bytes(range(256)) * 64
OTHER = bytes(reversed(BODY)) + b"later version"

pages = st.builds(
    Page,
    body=st.sampled_from([BODY, OTHER]),
    status=st.sampled_from([200, 200, 200, 403, 500]),
    etag=st.booleans(),
    ranges=st.booleans(),
    length=st.just(True),
    drops=st.lists(st.integers(0, len(BODY)), max_size=4),
    contents=st.lists(st.sampled_from([BODY, OTHER]), max_size=3),
)


@settings(deadline=None, max_examples=40)
@given(page=pages, checked=st.booleans())
def test_whole_or_not_at_all(page: Page, checked: bool) -> None:
    server = Publisher()
    try:
        with tempfile.TemporaryDirectory() as folder, patch("pooch.core.time.sleep"):
            store = Store(Path(folder))
            server.pages["/f.bin"] = page
            checksum = f"sha256:{hashlib.sha256(BODY).hexdigest()}" if checked else ""
            sources = build({"d": DATASET}, [row("f.bin", server.address("/f.bin"), checksum=checksum)])
            fetcher = Fetcher(store, progress=quiet, retries=2, read_timeout=5)
            try:
                (path,) = data_fetch.get("d", sources=sources, fetcher=fetcher)
            except (FetchError, ChecksumError):
                assert [name for name in leftovers(store) if not name.startswith(".partial/")] == []
            else:
                assert path.read_bytes() in ((BODY,) if checked else (BODY, OTHER))
                assert leftovers(store) == ["d/f.bin", "d/f.bin.json"]
    finally:
        server.close()
