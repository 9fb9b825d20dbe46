"""Which country-sector, and which country, the rows of a table belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiva.errors import UnknownLabelError
from tiva.kernels.arrays import IntArray

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


def country_of_rows(table: IcioTable) -> IntArray:
    """Return, shape (n,), the position in ``table.countries`` of each country-sector's country.

    Parameters
    ----------
    table
        The source table.
    """
    return np.repeat(table.area_country_index, len(table.sectors))


def country_rows(table: IcioTable, start: IntArray, country: str) -> tuple[IntArray, IntArray]:
    """Return the country-sectors of a country, and their band rows.

    Parameters
    ----------
    table
        The source table.
    start
        Shape (n + 1,): first band row of each country-sector.
    country
        Its label.

    Raises
    ------
    UnknownLabelError
        The table has no such country.
    """
    if country not in table.countries:
        raise UnknownLabelError("country", country, table.countries)
    members = np.flatnonzero(country_of_rows(table) == table.countries.index(country))
    band_rows = np.concatenate([np.arange(start[i], start[i + 1]) for i in members])
    return members, band_rows


def sector_labels(table: IcioTable) -> tuple[str, ...]:
    """Return, n labels, area and sector of each country-sector, joined by a dot.

    Parameters
    ----------
    table
        The source table.
    """
    return tuple(f"{area}.{sector}" for area in table.areas for sector in table.sectors)
