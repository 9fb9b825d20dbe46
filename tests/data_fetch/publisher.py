"""A publisher on this machine: an HTTP server that behaves as the sites of the catalogue do, well and badly."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass
class Page:
    """What one address answers.

    ``drops`` lists, request by request, after how many bytes the connection is cut; later requests are served whole.
    ``contents``, where given, lists what successive requests get. The first ``busy`` requests get ``busy_status``
    with ``retry_after``.
    """

    body: bytes = b""
    status: int = 200
    kind: str = "application/octet-stream"
    etag: bool = True
    ranges: bool = True
    length: bool = True
    location: str = ""
    drops: list[int] = field(default_factory=list)
    always_drop: int | None = None
    stall: float = 0.0
    contents: list[bytes] = field(default_factory=list)
    encoding: str = ""
    retry_after: str = ""
    busy: int = 0
    busy_status: int = 503


@dataclass
class Request:
    path: str
    headers: Mapping[str, str]


def bare(path: str) -> str:
    """Return a path without query, escapes and closing slash (which the SDMX client adds)."""
    return unquote(path.partition("?")[0]).rstrip("/")


class Publisher:
    """The server; ``pages`` maps paths to what they answer, ``requests`` records what was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[Request] = []
        self.guard = threading.Lock()
        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = False
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def address(self, path: str) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host!s}:{port}{path}"

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def asked(self, path: str) -> int:
        return sum(bare(request.path) == path for request in self.requests)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                return

            def do_GET(self) -> None:
                with publisher.guard:
                    publisher.requests.append(Request(self.path, dict(self.headers)))
                    page = publisher.pages.get(bare(self.path))
                    if page is None:
                        page = Page(b"<html>not here</html>", 404, "text/html")
                    body = page.contents.pop(0) if page.contents else page.body
                    busy, page.busy = page.busy > 0, max(page.busy - 1, 0)
                    drop = page.drops.pop(0) if page.drops else page.always_drop
                with suppress(BrokenPipeError, ConnectionResetError):
                    self.answer(page, body, drop, busy)
                self.close_connection = True

            def answer(self, page: Page, body: bytes, drop: int | None, busy: bool) -> None:
                if busy:
                    self.send_response(page.busy_status)
                    if page.retry_after:
                        self.send_header("Retry-After", page.retry_after)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if page.location:
                    self.send_response(302)
                    self.send_header("Location", page.location)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                etag = f'"{hashlib.md5(body).hexdigest()}"'
                start, status = 0, page.status
                asked = self.headers.get("Range", "")
                if asked and page.ranges and self.headers.get("If-Range", etag) == etag:
                    start = int(asked.removeprefix("bytes=").rstrip("-"))
                    status = 206
                    if start >= len(body):
                        self.send_response(416)
                        self.end_headers()
                        return
                self.send_response(status)
                self.send_header("Content-Type", page.kind)
                if page.etag:
                    self.send_header("ETag", etag)
                if page.encoding:
                    self.send_header("Content-Encoding", page.encoding)
                if page.length:
                    self.send_header("Content-Length", str(len(body) - start))
                if status == 206:
                    self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                self.end_headers()
                stop = len(body) if drop is None else min(start + drop, len(body))
                self.wfile.write(body[start:stop])
                self.wfile.flush()
                if page.stall and drop is not None:
                    publisher.released.wait(page.stall)

        return Handler
