"""Taking in files that a person downloaded: recognised, verified, recorded."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from data_fetch.catalogue import Catalogue, Dataset, FileEntry, catalogue
from data_fetch.store import Record, Store, default_folder, make_folder, now
from data_fetch.verify import digests, verify
from tiva.errors import MissingFileError, ReaderError, TivaError, UsageError, explain, listing
from tiva.files import replacing

_HEADER_BYTES = 1 << 17
"""The header line of the widest OECD table (4,737 labels) has about 60 kB."""


@dataclass(frozen=True, slots=True)
class Added:
    """A file that was taken in.

    Attributes
    ----------
    dataset
        Name of the data set.
    path
        Where it lies now.
    record
        Its checksum, size and date.
    layout
        Name of the reader that recognises its content; empty where none does (accounts, label lists).
    """

    dataset: str
    path: Path
    record: Record
    layout: str


def add(
    file: str | Path,
    dataset: str | None = None,
    *,
    folder: str | Path | None = None,
    sources: Catalogue | None = None,
) -> Added:
    """Take a hand-downloaded file into the folder of fetched files.

    Parameters
    ----------
    file
        The file; it is copied and stays where it is.
    dataset
        Whose file it is; found by checksum, then by content, then by name when left out.
    folder
        Where files are kept; by default ``TIVA_DATA`` or the platform's cache folder.
    sources
        Another catalogue than the package's.

    Returns
    -------
    Added

    Raises
    ------
    MissingFileError
        No such file.
    UsageError
        It cannot be told whose file it is.
    ChecksumError
        It is damaged, or not the catalogued file.

    Warns
    -----
    ReissuedFileWarning
        It differs from the catalogued or earlier file of a data set whose files are replaced.
    """
    path = Path(file)
    if not path.is_file():
        raise MissingFileError(explain(f"no such file: {path}", do="name the downloaded file"), path=path)
    known = sources or catalogue()
    found = digests(path)
    whose = known[dataset] if dataset else _whose(path, found, known)
    entry = whose.entry(path.name) or _by_checksum(whose, found) or whose.hand_entry(path.name)
    store = Store(default_folder() if folder is None else Path(folder))
    with store.lock(whose.name, entry.name):
        earlier = store.record(whose.name, entry.name)
        verify(path, entry, whose, earlier=earlier, name=path.name)
        final = store.path(whose.name, entry.name)
        make_folder(final.parent)
        with replacing(final) as temporary:
            shutil.copyfile(path, temporary)
        record = Record(
            dataset=whose.name,
            file=entry.name,
            sha256=found["sha256"],
            size=path.stat().st_size,
            origin="added by hand",
            date=now(),
            expected=dict(entry.checksums),
        ).succeeding(earlier)
        store.write_record(record)
    return Added(whose.name, final, record, layout_of(final))


def layout_of(path: Path) -> str:
    """Return the name of the reader that recognises a file, or an empty text."""
    from tiva.readers.registry import recognise
    from tiva.readers.source import Source

    try:
        with Source(path) as source:
            return recognise(source).name
    except (TivaError, OSError, ValueError, ImportError):
        return ""


def _by_checksum(dataset: Dataset, found: dict[str, str]) -> FileEntry | None:
    for entry in dataset.files:
        if any(found.get(algorithm) == digest for algorithm, digest in entry.checksums.items()):
            return entry
    return None


def _whose(path: Path, found: dict[str, str], known: Catalogue) -> Dataset:
    """Return the data set of a file: by checksum, else by name, and by content where names are shared."""
    for dataset in known.datasets.values():
        if _by_checksum(dataset, found):
            return dataset
    named = [dataset for dataset in known.datasets.values() if dataset.accepts(path.name)]
    if len(named) > 1 or not named:
        edition = icio_edition(path)
        if edition in known.datasets and (not named or known[edition] in named):
            return known[edition]
    if len(named) == 1:
        return named[0]
    if named:
        raise UsageError(
            explain(
                f"{path.name} can be a file of several data sets",
                got=listing([dataset.name for dataset in named], limit=20),
                do="say which with --dataset NAME",
            )
        )
    layout = layout_of(path)
    raise UsageError(
        explain(
            f"{path.name} has a name that the catalogue does not know",
            got=f"content of layout {layout!r}" if layout else "unknown content",
            expected="a name as published, such as 2016-2022_SML.zip or Eora26_2015_bp.zip",
            do="say whose it is with --dataset NAME; 'tiva fetch list' shows the names",
        )
    )


def icio_edition(path: Path) -> str:
    """Return the name of the ICIO data set that a csv or zip of the OECD belongs to, from its header line.

    The editions share file names; sector codes tell them apart, and split countries the extended tables.
    """
    from tiva.readers.source import Source

    try:
        with Source(path) as source:
            members = source.names(".csv")
            head = source.head(members[0], _HEADER_BYTES).decode("ascii", errors="replace") if members else ""
    except (ReaderError, OSError, ValueError, KeyError):
        return ""
    first = head.partition("\n")[0]
    extended = "CN1_" in first
    labels = set(re.findall(r"[A-Z]{3}_([A-Z0-9_]+)", first))
    if {"C24A", "C24B"} <= labels:
        name = "icio2025"
    elif "A01_02" in labels:
        name = "icio2023"
    elif "01T02" in labels:
        return "icio2021"
    elif "01T03" in labels:
        return "icio2018"
    elif "C01T05AGR" in labels:
        return "icio2016"
    else:
        return ""
    return f"{name}_extended" if extended else name
