"""Countries and sectors of a table without reading its numbers, for the layouts where that is cheap."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiva.errors import TivaError
from tiva.readers import native, npz, oecd
from tiva.readers._members import choose_member, year_in_name
from tiva.readers._text import header, split_label
from tiva.readers.source import Source


@dataclass(frozen=True, slots=True)
class TableLabels:
    """Countries (parts of split ones count as their country), sectors and year of a table."""

    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    year: int | None


def labels_of(
    path: str | Path, *, layout: str | None = None, year: int | None = None, member: str | None = None
) -> TableLabels | None:
    """Return the labels that :func:`tiva.read` would find, from headers only.

    Parameters
    ----------
    path
        The table.
    layout, year, member
        As for :func:`tiva.read`.

    Returns
    -------
    TableLabels or None
        Nothing where the layout keeps its labels among the numbers, or where anything is not as it should be: reading
        the table will tell.
    """
    if layout not in {None, "native", "npz", "oecd"}:
        return None
    try:
        with Source(path) as source:
            if native.recognise(source):
                return _native(source)
            arrays = npz._candidates(source)
            if arrays:
                return _npz(source, choose_member(source, arrays, year=year, member=member))
            tables = oecd._candidates(source)
            return _oecd(source, choose_member(source, tables, year=year, member=member), year) if tables else None
    except (TivaError, OSError, ValueError, KeyError, LookupError, ImportError):
        return None


def _native(source: Source) -> TableLabels | None:
    import h5netcdf

    path = source.file(source.names()[0])
    if path is None:
        return None
    with h5netcdf.File(path, "r") as file:
        stored: dict[str, Any] = json.loads(file.attrs["labels"])
        year = int(file.attrs["year"])
    countries = tuple(dict.fromkeys(stored["area_countries"]))
    return TableLabels(countries, tuple(stored["sectors"]), None if year < 0 else year)


def _npz(source: Source, name: str) -> TableLabels | None:
    import numpy as np

    path = source.file(name)
    if path is None:
        return None
    with np.load(path, allow_pickle=False) as arrays:
        countries, sectors = (tuple(str(x).strip() for x in arrays[k].reshape(-1)) for k in ("countries", "sectors"))
        year = int(arrays["year"]) if "year" in arrays else None
    return TableLabels(countries, sectors, year)


def _oecd(source: Source, name: str, year: int | None) -> TableLabels:
    columns = [c for c in header(source, name)[1:] if "_" in c and oecd._final_label(c) is None]
    pairs = [split_label(column) for column in columns]
    countries = (oecd.PARTS[area[:2]] if oecd._PART.match(area) else area for area, _ in pairs)
    found = year_in_name(name)
    return TableLabels(
        tuple(dict.fromkeys(countries)),
        tuple(dict.fromkeys(sector for _, sector in pairs)),
        year if found is None else found,
    )
