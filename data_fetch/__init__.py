"""Fetching the sources: the only code that talks to the network.

``data_fetch.get("icio2025", years="2016-2022")`` returns paths, ``data_fetch.open("wiod2013", 2011)`` a table,
``data_fetch.add(path)`` takes a hand-downloaded file in; ``python -m data_fetch`` does the same from a shell.
Files go to the folder that ``TIVA_DATA`` names, else to the platform's cache folder; ``TIVA_OFFLINE=1`` forbids the
network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_fetch.activities import for_table
    from data_fetch.catalogue import Catalogue, Dataset, FileEntry, catalogue
    from data_fetch.compare import compare_oecd
    from data_fetch.fetch import check, get
    from data_fetch.local import add
    from data_fetch.margins import fetch_margins
    from data_fetch.store import default_folder
    from data_fetch.tables import open_table as open  # noqa: A004

_EXPORTS: dict[str, tuple[str, str]] = {
    "Catalogue": ("data_fetch.catalogue", "Catalogue"),
    "Dataset": ("data_fetch.catalogue", "Dataset"),
    "FileEntry": ("data_fetch.catalogue", "FileEntry"),
    "add": ("data_fetch.local", "add"),
    "catalogue": ("data_fetch.catalogue", "catalogue"),
    "check": ("data_fetch.fetch", "check"),
    "compare_oecd": ("data_fetch.compare", "compare_oecd"),
    "default_folder": ("data_fetch.store", "default_folder"),
    "fetch_margins": ("data_fetch.margins", "fetch_margins"),
    "for_table": ("data_fetch.activities", "for_table"),
    "get": ("data_fetch.fetch", "get"),
    "open": ("data_fetch.tables", "open_table"),
}

__all__ = [
    "Catalogue",
    "Dataset",
    "FileEntry",
    "add",
    "catalogue",
    "check",
    "compare_oecd",
    "default_folder",
    "fetch_margins",
    "for_table",
    "get",
    "open",
]


def __getattr__(name: str) -> object:
    if name in _EXPORTS:
        module, attribute = _EXPORTS[name]
        return getattr(importlib.import_module(module), attribute)
    msg = f"module 'data_fetch' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
