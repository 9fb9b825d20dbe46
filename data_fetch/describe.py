"""What is known of a data set, as lines to read: facts, what is confirmed of them, files and what is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from data_fetch.catalogue import TOPICS, Dataset, FileEntry
from data_fetch.fetch import own_address
from data_fetch.store import Record, Store

ACCESS: Mapping[str, str] = {
    "open": "open: fetched by the program",
    "bot wall": "bot wall: tried by the program, often to be downloaded with a browser",
    "browser": "browser: to be downloaded by hand from the page",
    "login": "login: to be downloaded by hand with an account of the publisher",
}
"""How a site gives its files out, in words."""

_WIDTH = 11


def describe(dataset: Dataset, store: Store) -> Iterator[str]:
    """Return the lines that describe a data set and its files here."""
    yield _line("name", dataset.name)
    for label in ("title", "database", "edition", "years", "unit", "page"):
        yield _line(label, getattr(dataset, label))
    yield _line("access", ACCESS[dataset.access])
    yield _line("licence", dataset.licence)
    yield _line("citation", dataset.citation)
    if dataset.notes:
        yield _line("notes", dataset.notes)
    yield from _evidence(dataset)
    yield _line("folder", str(store.folder(dataset.name)))
    here = store.names(dataset.name)
    listed = {entry.name.casefold() for entry in dataset.files}
    brought = [dataset.hand_entry(name) for name in here if name.casefold() not in listed]
    present = sum(entry.name in here for entry in dataset.files)
    yield _line("files", f"{present} of {len(dataset.files)} here" + (f", {len(brought)} more" if brought else ""))
    for entry in (*dataset.files, *brought):
        yield from _file(dataset, entry, store)


def _line(label: str, text: str) -> str:
    return f"{label:{_WIDTH}}{text}"


def _evidence(dataset: Dataset) -> Iterator[str]:
    """Say what is confirmed and by what kind of source."""
    label = "confirmed"
    width = max(map(len, TOPICS)) + 2
    for fact in dataset.evidence:
        yield _line(label, f"{fact.topic:{width}}{fact.kind}: {fact.text}")
        label = ""


def _file(dataset: Dataset, entry: FileEntry, store: Store) -> Iterator[str]:
    """Describe one file: size and checksums where known, address, what is here."""
    size = f"{entry.size:,} bytes" if entry.size else ""
    sums = " ".join(f"{algorithm}:{digest}" for algorithm, digest in entry.checksums.items())
    facts = "  ".join(text for text in (entry.name, size, sums, own_address(entry), entry.note) if text)
    yield f"  {facts}"
    record = store.record(dataset.name, entry.name)
    if record is not None:
        yield from _record(record)
    elif store.path(dataset.name, entry.name).exists():
        yield "      here, not yet recorded"


def _record(record: Record) -> Iterator[str]:
    yield f"      here since {record.date}, {record.size:,} bytes, sha256:{record.sha256}, from {record.origin}"
    for past in record.history:
        yield f"      before: {past['date']}, {past['size']:,} bytes, sha256:{past['sha256']}"
    if record.note:
        yield f"      {record.note}"
