"""From a data set and a year to a table, with the parsed table kept for the next time."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from data_fetch.catalogue import Catalogue, Dataset, FileEntry, catalogue
from data_fetch.fetch import Fetcher, get_entries
from data_fetch.store import is_offline, store_in
from tiva.errors import UsageError, explain, listing

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


def open_table(
    name: str,
    year: int | None = None,
    *,
    offline: bool | None = None,
    folder: str | Path | None = None,
    sources: Catalogue | None = None,
    cache: bool = True,
    **options: Any,
) -> IcioTable:
    """Return the table of a data set and year, fetching its file when it is missing and the network is allowed.

    Parameters
    ----------
    name
        Data set, such as ``"wiod2013"``; ``tiva fetch list`` shows them.
    year
        Year; may be left out where the data set has one.
    offline
        Forbid the network; by default when ``TIVA_OFFLINE`` is set.
    folder
        Where files are kept; by default ``TIVA_DATA`` or the platform's cache folder.
    sources
        Another catalogue than the package's.
    cache
        Keep the parsed table in the folder, so that it opens at once the next time; a folder that may not be
        written (shared, read-only) keeps nothing.
    **options
        Options of the reader (:func:`tiva.read`).

    Returns
    -------
    IcioTable
        With licence, citation and page of the data set in its provenance.

    Raises
    ------
    UsageError
        No year given where there are several.
    OfflineError, ManualDownloadError, ChecksumError, FetchError
        The file cannot be had.
    ReaderError
        The file cannot be read.
    """
    from tiva.readers.registry import read

    known = sources or catalogue()
    dataset = known[name]
    year = _year(dataset) if year is None else year
    root = store_in(folder).root
    files = files_of(name, year, offline=offline, folder=root, sources=known)
    holding = [path for path, entry in files.items() if entry.first_year is not None]
    if len(holding) != 1:
        names = listing([path.name for path in holding])
        raise UsageError(explain(f"{name} has several files of {year}", got=names, do="read one with tiva.read"))
    table = read(holding[0], year=year, cache=_parsed(root) if cache else False, **options)
    origin = table.provenance
    described = replace(
        origin,
        licence=origin.licence or dataset.licence,
        citation=origin.citation or dataset.citation,
        url=origin.url or dataset.page,
    )
    return table.replace(provenance=described)


def files_of(
    name: str,
    year: int,
    *,
    offline: bool | None = None,
    folder: str | Path | None = None,
    sources: Catalogue | None = None,
) -> dict[Path, FileEntry]:
    """Return the files of a data set that the table of a year is read from, with their entries in the catalogue.

    Parameters
    ----------
    name, year, offline, folder, sources
        As for :func:`open_table`; with ``offline=True`` the files that are here already.

    Raises
    ------
    UsageError
        A year that the data set does not have.
    OfflineError, ManualDownloadError, ChecksumError, FetchError
        A file cannot be had.
    """
    store = store_in(folder)
    return get_entries((sources or catalogue())[name], year, Fetcher(store, offline=is_offline(offline)))


def _parsed(root: Path) -> Path | Literal[False]:
    """Return the folder of parsed tables, or ``False`` where none can be kept."""
    folder = root / "parsed"
    nearest = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    effective = os.access in os.supports_effective_ids
    return folder if os.access(nearest, os.W_OK, effective_ids=effective) else False


def _year(dataset: Dataset) -> int:
    """Return the only year of a data set."""
    spans = {(entry.first_year, entry.last_year) for entry in dataset.files if entry.first_year is not None}
    if len(spans) == 1:
        ((first, last),) = spans
        if first is not None and first == last:
            return first
    raise UsageError(explain(f"{dataset.name} has several years", expected=dataset.years, do="name one"))
