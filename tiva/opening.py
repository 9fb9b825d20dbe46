"""``tiva.open``: the table of a known data set, fetched when it is missing and the network is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiva.errors import MissingExtraError

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


def open(  # noqa: A001 - the name that users know from other libraries; builtins.open is not used here
    name: str,
    year: int | None = None,
    *,
    offline: bool | None = None,
    folder: str | Path | None = None,
    **options: Any,
) -> IcioTable:
    """Return the table of a data set and year, such as ``tiva.open("wiod2013", 2011)``.

    This is the only function of ``tiva`` that may use the network, through the package ``data_fetch``.

    Parameters
    ----------
    name
        Data set; ``tiva fetch list`` shows them.
    year
        Year; may be left out where the data set has one.
    offline
        Forbid the network; by default when the environment variable ``TIVA_OFFLINE`` is set.
    folder
        Where files are kept; by default the folder that ``TIVA_DATA`` names, or the platform's cache folder.
    **options
        Options of the reader (:func:`tiva.read`).

    Returns
    -------
    IcioTable
        With licence, citation and page of the data set in its provenance.

    Raises
    ------
    UnknownLabelError, UsageError
        No such data set or year.
    OfflineError, ManualDownloadError, ChecksumError, FetchError
        The file cannot be had; the message says what to do.
    ReaderError
        The file cannot be read.
    """
    try:
        from data_fetch.tables import open_table
    except ImportError as error:
        raise MissingExtraError(str(error.name), "fetch", "tiva.open") from error
    return open_table(name, year, offline=offline, folder=folder, **options)
