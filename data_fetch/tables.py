"""From a data set and a year to a table, with the parsed table kept for the next time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_fetch.catalogue import Catalogue, catalogue
from data_fetch.fetch import get
from data_fetch.store import Store, default_folder
from tiva._version import __version__
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
    keep_parsed: bool = True,
    **options: Any,
) -> IcioTable:
    """Return the table of a data set and year, fetching its file when it is missing and the network is allowed.

    Parameters
    ----------
    name
        Data set, such as ``"wiod2013"``.
    year
        Year; may be left out where the data set has one.
    offline
        Forbid the network; by default when ``TIVA_OFFLINE`` is set.
    folder
        Where files are kept; by default ``TIVA_DATA`` or the platform's cache folder.
    sources
        Another catalogue than the package's.
    keep_parsed
        Keep the parsed table in the native format, so that it opens at once the next time. The copy belongs to
        the checksum of the file, the reader's options and the version of the package.
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
    dated = [entry for entry in dataset.files if entry.first_year is not None]
    if year is None:
        if len(dated) != 1 or dated[0].first_year != dated[0].last_year:
            raise UsageError(explain(f"{name} has several years", expected=dataset.years, do="name one"))
        year = dated[0].first_year
    paths = get(name, year, offline=offline, folder=folder, sources=known)
    holding = [path for entry, path in zip(dataset.select(year), paths, strict=True) if entry.first_year is not None]
    if len(holding) != 1:
        raise UsageError(explain(f"{name} has several files of {year}", got=listing([path.name for path in holding])))
    store = Store(default_folder() if folder is None else Path(folder))
    record = store.record(name, holding[0].name)
    kept = store.folder(name) / ".parsed" / f"{year}-{_key(record.sha256 if record else '', options)}.nc"
    if keep_parsed and kept.exists():
        return read(kept)
    table = read(holding[0], year=year, **options)
    origin = table.provenance
    described = {
        "licence": origin.licence or dataset.licence,
        "citation": origin.citation or dataset.citation,
        "url": origin.url or dataset.page,
    }
    table = table.replace(provenance=_with(origin, described))
    if keep_parsed:
        kept.parent.mkdir(parents=True, exist_ok=True)
        table.save(kept)
    return table


def _with(origin: Any, described: dict[str, str]) -> Any:
    from dataclasses import replace

    return replace(origin, **described)


def _key(sha256: str, options: dict[str, Any]) -> str:
    text = repr((__version__, sha256, sorted(options.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
