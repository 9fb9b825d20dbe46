"""Taking in files that a person downloaded: recognised, verified, recorded."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from data_fetch.catalogue import Catalogue, Dataset, FileEntry, catalogue
from data_fetch.content import check_content, icio_edition, layout_of, years_inside
from data_fetch.store import Record, make_folder, now, store_in, writing
from data_fetch.verify import digests, verify
from tiva.errors import MissingFileError, UsageError, explain, listing
from tiva.files import as_path


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
        Name of the reader that recognises its content; empty where none does.
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
        Whose file it is; when left out it is found by checksum, else by name, and by content where names are shared.
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
        It cannot be told whose file it is, or of which year.
    ChecksumError
        It is damaged, or not the catalogued file.
    ReaderError
        It holds another layout, edition or year than it should.
    OutputError
        The folder cannot be written, or the disk is full.

    Warns
    -----
    ReissuedFileWarning
        It differs from the catalogued or earlier file of a data set whose files are replaced.
    """
    path = as_path(file, "the path of a downloaded file")
    if not path.is_file():
        raise MissingFileError(explain(f"no such file: {path}", do="name the downloaded file"), path=path)
    known = sources or catalogue()
    found = digests(path)
    whose = known[dataset] if dataset else _whose(path, found, known)
    entry = whose.entry(path.name) or _by_checksum(whose, found) or _dated(whose.hand_entry(path.name), path, whose)
    store = store_in(folder)
    final = store.path(whose.name, entry.name)
    with store.lock(whose.name, entry.name):
        earlier = store.record(whose.name, entry.name)
        layout = check_content(path, entry, whose, path.name)
        verify(path, entry, whose, earlier=earlier, name=path.name)
        _copy(path, final, store.staging(whose.name, entry.name) / "copy")
        listed = whose.entry(entry.name) is not None
        record = Record(
            dataset=whose.name,
            file=entry.name,
            sha256=found["sha256"],
            size=path.stat().st_size,
            origin="added by hand",
            date=now(),
            expected=dict(entry.checksums),
            first_year=None if listed else entry.first_year,
            last_year=None if listed else entry.last_year,
        ).succeeding(earlier)
        store.write_record(record)
        store.clear(whose.name, entry.name)
    return Added(whose.name, final, record, layout)


def _copy(path: Path, final: Path, temporary: Path) -> None:
    """Copy a file to its place, whole or not at all; a file that is in its place already stays."""
    make_folder(final.parent)
    if final.exists() and final.samefile(path):
        return
    make_folder(temporary.parent)
    try:
        with writing(final):
            shutil.copyfile(path, temporary)
            temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


def _dated(entry: FileEntry, path: Path, dataset: Dataset) -> FileEntry:
    """Return the entry of a file whose name the catalogue does not know, with its year from name or content.

    Raises
    ------
    UsageError
        Neither says it.
    """
    if entry.first_year is not None or dataset.accepts(entry.name):
        return entry
    years = years_inside(path)
    if years and years == tuple(range(years[0], years[-1] + 1)):
        return replace(entry, first_year=years[0], last_year=years[-1])
    raise UsageError(
        explain(
            f"the year of {path.name} cannot be told",
            got=f"years {listing(years, 30)} in it" if years else "no year in its name or in the names inside",
            expected=f"a name as published, such as {dataset.files[-1].name}",
            do="rename the file as its publisher calls it",
        )
    )


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
    layout = layout_of(path)
    of_layout = [dataset for dataset in named if layout and dataset.layout == layout]
    if len(of_layout) == 1:
        return of_layout[0]
    if named:
        raise UsageError(
            explain(
                f"{path.name} can be a file of several data sets",
                got=listing([dataset.name for dataset in named], limit=20),
                do="say which with --dataset NAME",
            )
        )
    fitting = [dataset.name for dataset in known.datasets.values() if layout and dataset.layout == layout]
    raise UsageError(
        explain(
            f"{path.name} has a name that the catalogue does not know",
            got=f"content of layout {layout!r}" if layout else "unknown content",
            expected="a name as published, such as 2016-2022_SML.zip or Eora26_2015_bp.zip",
            do="say whose it is with --dataset NAME: "
            + (listing(fitting, 12) if fitting else "'tiva fetch list' shows the names"),
        )
    )
