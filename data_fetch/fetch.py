"""Fetching: what is missing comes in once, whole and checked, or not at all."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_fetch.catalogue import Catalogue, Dataset, FileEntry, Years, catalogue, parse_years
from data_fetch.content import check_content
from data_fetch.download import (
    READ_TIMEOUT,
    RETRIES,
    Progress,
    RefusedError,
    ResumingDownloader,
    download,
    no_progress,
)
from data_fetch.resolve import HOSTS, Target, resolve
from data_fetch.store import Record, Store, is_offline, make_folder, now, store_in, writing
from data_fetch.verify import digests, verify
from tiva.errors import ChecksumError, FetchError, ManualDownloadError, OfflineError, ReaderError, explain, listing

Failure = FetchError | ChecksumError | ReaderError
"""What one address can answer with; the next one is then tried."""

UNSIZED = "the server gave neither length nor checksum: a cut end would not have been noticed"
"""Note of a record."""

ProgressMaker = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress display for a file name."""


def terminal_progress(name: str) -> AbstractContextManager[Progress]:
    """Show a bar on the terminal; where stderr is none, one line that says what is fetched."""
    if not sys.stderr.isatty():
        sys.stderr.write(f"fetching {name}\n")
        return nullcontext(no_progress)
    from data_fetch.progress import bar

    return bar(name)


def quiet(_name: str) -> AbstractContextManager[Progress]:
    """Show nothing."""
    return nullcontext(no_progress)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """How files are fetched.

    Attributes
    ----------
    store
        The folder.
    offline
        Whether the network is forbidden.
    progress
        Display per file.
    retries, read_timeout
        Of a download.
    hosts
        Where repositories are asked.
    """

    store: Store
    offline: bool = False
    progress: ProgressMaker = terminal_progress
    retries: int = RETRIES
    read_timeout: float = READ_TIMEOUT
    hosts: Mapping[str, str] = field(default_factory=lambda: HOSTS)

    def fetch(self, dataset: Dataset, entry: FileEntry, *, refresh: bool = False) -> Path:
        """Return the path of a file, fetching it when it is not here (or ``refresh``).

        Raises
        ------
        OfflineError
            It is not here and the network is forbidden.
        ManualDownloadError
            Only a person can download it.
        ChecksumError
            What came is damaged.
        FetchError
            No address gave it out.
        """
        path = self.store.path(dataset.name, entry.name)
        if not refresh and path.exists() and self._is_recorded(dataset, entry):
            return path
        if refresh or not path.exists():
            self._refuse_what_needs_a_network_or_a_person(dataset, entry, path)
        with self.store.lock(dataset.name, entry.name):
            if refresh or not path.exists():
                self._download(dataset, entry)
            elif not self._is_recorded(dataset, entry):
                check_content(path, entry, dataset)
                found = verify(path, entry, dataset)
                self._keep_record(dataset, entry, path, found["sha256"], "found in the folder")
        return path

    def _refuse_what_needs_a_network_or_a_person(self, dataset: Dataset, entry: FileEntry, path: Path) -> None:
        if self.offline:
            raise OfflineError(
                explain(
                    f"{entry.name} of {dataset.name} is not here, and the network may not be used",
                    got=f"no file {path}",
                    do=f"fetch it when online (tiva fetch get {dataset.name}), or take a file in with 'add'",
                )
            )
        if all(address.method == "manual" for address in entry.addresses):
            raise by_hand(dataset, (entry,), self.store)

    def _is_recorded(self, dataset: Dataset, entry: FileEntry) -> bool:
        """Whether the file here is the recorded one, by size.

        Raises
        ------
        ChecksumError
            It has another size than when it came.
        """
        path = self.store.path(dataset.name, entry.name)
        record = self.store.record(dataset.name, entry.name)
        if record is not None and record.size != path.stat().st_size:
            raise ChecksumError(
                explain(
                    f"{path} was changed after it was fetched",
                    got=f"{path.stat().st_size:,} bytes",
                    expected=f"{record.size:,} bytes",
                    do="delete it and fetch it again",
                )
            )
        return record is not None

    def _download(self, dataset: Dataset, entry: FileEntry) -> None:
        failures: list[Failure] = []
        for address in entry.addresses:
            if address.method == "manual":
                continue
            try:
                target = resolve(entry, address, self.hosts)
                self._take(dataset, entry, target)
            except (FetchError, ChecksumError, ReaderError) as error:
                failures.append(error)
            else:
                return
        raise _summary(dataset, entry, failures, self.store)

    def _take(self, dataset: Dataset, entry: FileEntry, target: Target) -> None:
        """Fetch one address into the staging folder, check it, and move it to its name."""
        staging = self.store.staging(dataset.name, entry.name)
        earlier = self.store.record(dataset.name, entry.name)
        final = self.store.path(dataset.name, entry.name)
        with self.progress(entry.name) as progress:
            downloader = ResumingDownloader(
                staging / f"{entry.name}.part",
                referer=dataset.page,
                progress=progress,
                read_timeout=self.read_timeout,
            )
            fetched = download(target.url, staging, entry.name, downloader, self.retries)
        try:
            check_content(fetched, entry, dataset)
            found = verify(fetched, entry, dataset, target=target, earlier=earlier)
            make_folder(final.parent)
            with writing(final):
                fetched.replace(final)
        finally:
            fetched.unlink(missing_ok=True)
        expected = {**entry.checksums, **target.checksums}
        unsure = downloader.unsized and not expected and not zipfile.is_zipfile(final)
        note = UNSIZED if unsure else ""
        self._keep_record(dataset, entry, final, found["sha256"], target.url, expected, note)
        self.store.clear(dataset.name, entry.name)

    def _keep_record(
        self,
        dataset: Dataset,
        entry: FileEntry,
        path: Path,
        sha256: str,
        origin: str,
        expected: Mapping[str, str] | None = None,
        note: str = "",
    ) -> None:
        record = Record(
            dataset=dataset.name,
            file=entry.name,
            sha256=sha256,
            size=path.stat().st_size,
            origin=origin,
            date=now(),
            expected=dict(entry.checksums if expected is None else expected),
            note=note,
        )
        self.store.write_record(record.succeeding(self.store.record(dataset.name, entry.name)))


def _summary(dataset: Dataset, entry: FileEntry, failures: list[Failure], store: Store) -> Failure:
    """Return the error to raise when no address worked; a wall is answered with instructions."""
    refused = [error for error in failures if isinstance(error, RefusedError)]
    if refused and len(refused) == len(failures):
        return by_hand(dataset, (entry,), store, refused)
    if len(failures) == 1:
        return failures[0]
    reasons = "".join(f"\n    {str(error).replace(chr(10), ' ')}" for error in failures)
    return FetchError(explain(f"no address of {entry.name} ({dataset.name}) gave it out", got=reasons))


LISTED = 12
"""Files named one by one in an instruction."""

_WHY: Mapping[str, str] = {
    "login": "an account of the publisher is needed (the program never asks for a password)",
    "browser": "the publisher gives it out on a page only",
    "bot wall": "the publisher's server turns programs away",
    "open": "the publisher's server turned the program away",
}


def by_hand(
    dataset: Dataset, entries: tuple[FileEntry, ...], store: Store, refused: Sequence[RefusedError] = ()
) -> ManualDownloadError:
    """Return the error that tells a person what to download, from where, and where to put it."""
    folder = store.folder(dataset.name)
    names = listing([entry.name for entry in entries], limit=LISTED)
    many = len(entries) > 1
    what = f"{len(entries)} files of {dataset.name} have" if many else f"{names} of {dataset.name} has"
    they = "them" if many else "it"
    files = [f"     {entry.name}  {own_address(entry)}".rstrip() for entry in entries[:LISTED]]
    if len(entries) > LISTED:
        files.append(f"     ... ({len(entries)} in all; tiva fetch info {dataset.name} lists them)")
    lines = [
        f"1. open {dataset.page} in a browser{' and log in' if dataset.access == 'login' else ''}",
        "2. download",
        *files,
        f"3. take {they} in:  tiva fetch add FILE --dataset {dataset.name}",
        f"   or put {they} under the published name into {folder}",
        *([f"note: {dataset.notes}"] if dataset.notes else []),
    ]
    got = "; ".join(f"{error.url}: {error.got}" for error in refused)
    return ManualDownloadError(
        explain(
            f"{what} to be downloaded by hand: {_WHY[dataset.access]}",
            got=got or None,
            do="".join(f"\n    {line}" for line in lines),
        ),
        page=dataset.page,
        file=names,
        folder=str(folder),
        refused=refused,
    )


def own_address(entry: FileEntry) -> str:
    """Return the address under which a browser can open a file by itself; empty where it has none."""
    for address in entry.addresses:
        if address.method == "direct":
            return address.location
        if address.method == "zenodo":
            return f"{HOSTS['zenodo']}/records/{address.location}/files/{entry.name}"
        if address.method == "dataverse" and "#" in address.location:
            return f"{HOSTS['dataverse']}/api/access/datafile/{address.location.partition('#')[2]}"
    return ""


def chosen(dataset: Dataset, years: Years, store: Store) -> tuple[FileEntry, ...]:
    """Return the files that hold ``years``: those of the catalogue, and those that a person brought.

    Files that are here under names that the catalogue does not list (another month of issue or release, a table taken
    out of its archive) stand in for a catalogued file of the same years that is not here.

    Raises
    ------
    UsageError
        A year that neither the data set nor a file here has.
    """
    listed = {entry.name.casefold() for entry in dataset.files}
    others = (name for name in store.names(dataset.name) if name.casefold() not in listed)
    brought = tuple(e for e in (_brought(dataset, name, store) for name in others) if e.first_year is not None)
    wanted = parse_years(years)

    def replaced(entry: FileEntry) -> bool:
        if entry.first_year is None or entry.last_year is None or entry in brought:
            return False
        needed = wanted or range(entry.first_year, entry.last_year + 1)
        held = all(any(e.covers((y,)) for e in brought) for y in needed if entry.covers((y,)))
        return held and not store.path(dataset.name, entry.name).exists()

    selected = replace(dataset, files=(*dataset.files, *brought)).select(years)
    return tuple(entry for entry in selected if not replaced(entry))


def _brought(dataset: Dataset, name: str, store: Store) -> FileEntry:
    entry = dataset.hand_entry(name)
    record = store.record(dataset.name, name)
    if record is not None and record.first_year is not None:
        return replace(entry, first_year=record.first_year, last_year=record.last_year)
    return entry if dataset.accepts(name) else replace(entry, first_year=None, last_year=None)


def get(
    name: str,
    years: Years = None,
    *,
    refresh: bool = False,
    offline: bool | None = None,
    folder: str | Path | None = None,
    progress: ProgressMaker = terminal_progress,
    sources: Catalogue | None = None,
    fetcher: Fetcher | None = None,
) -> list[Path]:
    """Return the files of a data set, fetching those that are not here yet.

    Parameters
    ----------
    name
        Data set, such as ``"icio2025"`` or ``"wiod2013"``; see :func:`data_fetch.catalogue.catalogue`.
    years
        Years wanted, such as ``2011`` or ``"1995-2011"``; all by default.
    refresh
        Fetch again even what is here; a changed file is recorded beside the earlier one's checksum.
    offline
        Forbid the network; by default when ``TIVA_OFFLINE`` is set.
    folder
        Where files are kept; by default ``TIVA_DATA`` or the platform's cache folder.
    progress
        Display per file; :func:`quiet` shows nothing.
    sources
        Another catalogue than the package's.
    fetcher
        All settings at once, instead of ``offline``, ``folder`` and ``progress``.

    Returns
    -------
    list of pathlib.Path
        In the order of the catalogue.

    Raises
    ------
    UnknownLabelError, UsageError
        No such data set or year.
    OfflineError, ManualDownloadError, ChecksumError, FetchError
        A file that cannot be had; those that only a person can download are named all at once.
    """
    if fetcher is None:
        store = store_in(folder)
        fetcher = Fetcher(store, offline=is_offline(offline), progress=progress)
    return list(get_entries((sources or catalogue())[name], years, fetcher, refresh=refresh))


def get_entries(dataset: Dataset, years: Years, fetcher: Fetcher, *, refresh: bool = False) -> dict[Path, FileEntry]:
    """Return the files of a data set as :func:`get` does, with what is known of each."""
    entries = chosen(dataset, years, fetcher.store)
    found: dict[Path, FileEntry] = {}
    by_person: list[FileEntry] = []
    refused: list[RefusedError] = []
    for entry in entries:
        try:
            found[fetcher.fetch(dataset, entry, refresh=refresh)] = entry
        except ManualDownloadError as error:
            if len(entries) == 1:
                raise
            by_person.append(entry)
            refused += [one for one in error.refused if isinstance(one, RefusedError)]
    if by_person:
        raise by_hand(dataset, tuple(by_person), fetcher.store, refused)
    return found


def check(name: str, *, folder: str | Path | None = None, sources: Catalogue | None = None) -> dict[Path, str]:
    """Compare the files of a data set that are here with their records, reading each whole.

    Returns
    -------
    dict
        Path -> ``"ok"``, ``"changed"`` or ``"no record"``.
    """
    dataset = (sources or catalogue())[name]
    store = store_in(folder)
    found = {}
    for file in store.names(dataset.name):
        path, record = store.path(dataset.name, file), store.record(dataset.name, file)
        if record is None:
            found[path] = "no record"
        else:
            found[path] = "ok" if digests(path)["sha256"] == record.sha256 else "changed"
    return found
