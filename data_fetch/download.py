"""One download: resumed where the server allows it, checked before it takes its name."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_fetch.store import make_folder, writing
from tiva._version import __version__
from tiva.errors import FetchError, MissingExtraError, OutputError, explain

if TYPE_CHECKING:
    import requests

USER_AGENT = f"tiva-icio/{__version__} (research software)"
"""How the program names itself to publishers."""

CONNECT_TIMEOUT = 15.0
"""Seconds until a server that does not answer is given up."""

READ_TIMEOUT = 60.0
"""Seconds without a single byte until a connection counts as dropped."""

RETRIES = 4
"""Attempts after the first; waits between them grow (pooch)."""

LONGEST_WAIT = 600.0
"""Seconds that a server may ask for (``Retry-After``) before the next attempt; what asks for more is left for later."""

CHUNK = 1 << 18
"""Bytes read at a time."""

_BAD_REQUEST, _TOO_MANY_REQUESTS, _SERVER_ERROR, _UNAVAILABLE = 400, 429, 500, 503
PASSING = (_TOO_MANY_REQUESTS, _UNAVAILABLE)
"""Statuses after which a server may say when to come back."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes here so far and in all (``None``: the server does not say)."""


class RefusedError(FetchError):
    """The server answers, but not with the file: a bot wall, a login page, a removed file."""

    def __init__(self, url: str, got: str) -> None:
        self.url = url
        self.got = got
        super().__init__(explain(f"{url} does not give the file out", got=got))


def no_progress(_done: int, _total: int | None) -> None:
    """Show nothing."""


class ResumingDownloader:
    """A pooch downloader that goes on where a dropped connection left off.

    Bytes go to ``part``; an interrupted attempt leaves them there together with the server's validator (ETag or
    date), and the next attempt asks for the rest under the condition that the file is still the same. Without a
    validator every attempt begins anew.

    Parameters
    ----------
    part
        Where unfinished bytes are kept.
    referer
        Page on which a person would click the address.
    progress
        Told about bytes.
    read_timeout
        Seconds without a byte until the connection counts as dropped.

    Attributes
    ----------
    attempts
        How often it will be called yet; after the last time no wait that the server asks for is worth while.
    unsized
        Whether the server did not say how long the file is, so that a cut end cannot be noticed.
    """

    def __init__(
        self,
        part: Path,
        *,
        referer: str = "",
        progress: Progress = no_progress,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self.part = part
        self.state = part.with_name(part.name + ".state")
        self.referer = referer
        self.progress = progress
        self.read_timeout = read_timeout
        self.attempts = RETRIES + 1
        self.unsized = False

    def __call__(self, url: str, output_file: str, _pooch: Any) -> None:
        """Fetch ``url`` whole into ``output_file``; pooch calls this again after a failure.

        Raises
        ------
        RefusedError
            Not worth another attempt.
        requests.RequestException
            Worth another attempt.
        """
        import requests

        self.attempts -= 1
        offset, validator = self._kept(url)
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if self.referer:
            headers["Referer"] = self.referer
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
        timeout = (CONNECT_TIMEOUT, self.read_timeout)
        with _asking(url, headers, timeout) as response:
            _check_way(url, response)
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                self.forget()
                raise requests.ConnectionError("the kept part does not fit the file any more")
            if response.status_code in PASSING and self.attempts > 0:
                _wait_as_asked(url, response)
            _refuse(url, response)
            offset = self._agreed_offset(response, offset)
            self._remember(url, response)
            total = _total(response, offset)
            self._receive(url, response, offset, total)
        size = self.part.stat().st_size
        if total is not None and size != total:
            raise requests.ConnectionError(f"connection closed after {size:,} of {total:,} bytes")
        self.unsized = not {"Content-Length", "Transfer-Encoding"} & {name.title() for name in response.headers}
        with writing(self.part.parent):
            self.part.replace(output_file)
        self.forget()

    def _kept(self, url: str) -> tuple[int, str]:
        """Return how many bytes of ``url`` are here, and the validator; drops what cannot be resumed."""
        with suppress(OSError, ValueError):
            state = json.loads(self.state.read_text(encoding="utf-8"))
            size = self.part.stat().st_size
            if state["url"] == url and state["validator"] and size:
                return size, str(state["validator"])
        self.forget()
        return 0, ""

    def _remember(self, url: str, response: requests.Response) -> None:
        etag = response.headers.get("ETag", "")
        validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
        if _is_encoded(response):  # a range would count the encoded bytes, and the decoded ones are kept
            validator = ""
        with writing(self.state):
            self.state.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

    def resumable(self) -> bool:
        """Whether bytes are kept that a later call can go on from."""
        with suppress(OSError, ValueError):
            state = json.loads(self.state.read_text(encoding="utf-8"))
            return bool(state["validator"]) and self.part.stat().st_size > 0
        return False

    def forget(self) -> None:
        """Drop kept bytes."""
        self.part.unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)

    def _agreed_offset(self, response: requests.Response, offset: int) -> int:
        """Return where the answer begins: the server may send all of the file although the rest was asked for."""
        import requests

        if response.status_code != requests.codes.partial_content:
            self.part.unlink(missing_ok=True)
            return 0
        match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if not match or int(match[1]) != offset:
            self.forget()
            raise requests.ConnectionError("the server resumed at another place than asked for")
        return offset

    def _receive(self, url: str, response: requests.Response, offset: int, total: int | None) -> None:
        done = offset
        with writing(self.part):
            handle = self.part.open("ab")
        with handle:
            for chunk in response.iter_content(CHUNK):
                if done == 0 and _looks_like_a_page(chunk) and not url.lower().endswith((".html", ".htm")):
                    handle.close()
                    self.forget()
                    raise RefusedError(url, f"a web page beginning with {chunk[:60]!r}")
                with writing(self.part):
                    handle.write(chunk)
                    handle.flush()
                done += len(chunk)
                self.progress(done, total)


def _asking(url: str, headers: dict[str, str], timeout: tuple[float, float]) -> requests.Response:
    """Ask for a file; what no attempt can mend is a refusal.

    Raises
    ------
    RefusedError
        A redirect in a circle, or to something that is no web address.
    """
    import requests

    try:
        return requests.get(url, headers=headers, stream=True, timeout=timeout)
    except (requests.TooManyRedirects, requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
        raise RefusedError(url, f"{type(error).__name__}: {error}") from error


def _check_way(url: str, response: requests.Response) -> None:
    """Refuse an answer that came over an unprotected address although a protected one was asked for.

    Raises
    ------
    RefusedError
        A redirect leads from https to http: anybody on the way could change the file.
    """
    way = [answer.url for answer in response.history] + [response.url]
    for before, after in itertools.pairwise(way):
        if before.startswith("https:") and not after.startswith("https:"):
            raise RefusedError(url, f"a redirect from {before} to {after}, which is not protected")


def _refuse(url: str, response: requests.Response) -> None:
    """Raise for answers that are not the file: permanent ones as refusals, passing ones for another attempt."""
    status = response.status_code
    if status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR:
        response.raise_for_status()
    if status >= _BAD_REQUEST:
        raise RefusedError(url, f"HTTP status {status} {response.reason}")


def _wait_as_asked(url: str, response: requests.Response) -> None:
    """Wait as long as ``Retry-After`` says (RFC 9110, 10.2.3).

    Raises
    ------
    RefusedError
        That is too long to wait.
    """
    seconds = asked_wait(response.headers.get("Retry-After", ""))
    if seconds > LONGEST_WAIT:
        raise RefusedError(url, later(response.status_code, seconds))
    if seconds > 0:
        time.sleep(seconds)


def asked_wait(retry_after: str) -> float:
    """Return the seconds that a ``Retry-After`` header asks for, as a number or until a date; 0 where it means nothing.

    References
    ----------
    RFC 9110, 10.2.3.
    """
    text = retry_after.strip()
    if text.isdecimal():
        return float(text)
    if text:
        with suppress(ValueError):  # neither a number nor a date: as if it were not there
            until = parsedate_to_datetime(text)
            return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    return 0.0


def later(status: int, seconds: float) -> str:
    """Say that a server asks for a wait that is too long to sit out."""
    return f"HTTP status {status}, try again in {seconds / 60:,.0f} minutes"


def _total(response: requests.Response, offset: int) -> int | None:
    """Return the size of the whole file as the server tells it, unless it is encoded for the way."""
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal() or _is_encoded(response):
        return None
    return offset + int(length)


def _is_encoded(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity") != "identity"


def _looks_like_a_page(chunk: bytes) -> bool:
    head = chunk[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head"))


def download(url: str, staging: Path, name: str, downloader: ResumingDownloader, retries: int = RETRIES) -> Path:
    """Fetch ``url`` into the staging folder with retries and growing waits (pooch), and return the file.

    Raises
    ------
    RefusedError
        The server does not give the file out.
    FetchError
        The connection failed in every attempt.
    OutputError
        The folder cannot be written, or the disk is full.
    """
    try:
        import pooch
        import requests
    except ImportError as error:
        raise MissingExtraError(str(error.name), "fetch", "fetching files") from error
    make_folder(staging)
    downloader.attempts = retries + 1
    pooch.get_logger().setLevel("WARNING")
    keeper = pooch.create(path=staging, base_url="", registry={name: None}, urls={name: url}, retry_if_failed=retries)
    try:
        with _writing_but_for_requests(staging):
            return Path(keeper.fetch(name, downloader=downloader))
    except OutputError:
        downloader.forget()  # on a full disk, unfinished bytes are in the way
        raise
    except requests.RequestException as error:
        kept = downloader.part.stat().st_size if downloader.resumable() else 0
        if not kept:
            downloader.forget()
        raise FetchError(
            explain(
                f"{url} could not be fetched in {retries + 1} attempts",
                got=f"{type(error).__name__}: {error}",
                do=f"try again later; {kept:,} bytes are kept to go on from" if kept else "try again later",
            )
        ) from error


@contextmanager
def _writing_but_for_requests(folder: Path) -> Iterator[None]:
    """Turn faults of the disk into our error, and let those of the connection (which are OSErrors too) pass."""
    import requests

    try:
        yield
    except requests.RequestException:
        raise
    except OSError:
        with writing(folder):
            raise
