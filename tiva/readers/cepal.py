"""Workbooks of CEPAL (ECLAC) that are not laid out like the ADB ones: recognised, and refused with the way out."""

from __future__ import annotations

import re
from typing import NoReturn

from tiva.errors import listing
from tiva.readers.adb import _is_adb
from tiva.readers.grids import members, pick, refuse
from tiva.readers.registry import Reader
from tiva.readers.sheets import glimpse, read_sheets, text
from tiva.readers.source import Source

_MARK = re.compile(r"\b(CEPAL|ECLAC|CEPALSTAT)\b|matriz\s+(de\s+)?insumo[\s-]+producto", re.IGNORECASE)
_NATIONAL = re.compile(r"(?:^|[/!])[A-Z]{3}_(COU|MIP)_\d{4}")


def read_cepal(source: Source, *, year: int | None = None) -> NoReturn:
    """Refuse a CEPAL workbook, saying what was found and what to do.

    The Latin American workbooks that CEPAL publishes with ADB (``ADB-MRIO-LAC``) are read by
    :func:`tiva.readers.adb.read_adb`. The layouts of the South American table of 2005 and of the ALADI tables are not
    documented, and each national table has its own.

    Raises
    ------
    ReaderError
        Always.
    """
    member = pick(source, [n for n in members(source) if _is_cepal(source, n)], year, "workbook of CEPAL")
    sheets = read_sheets(source, member)
    first = next(iter(sheets.values()), [])
    cells = [text(cell) for row in first[:12] for cell in row[:6] if text(cell)]
    what = "a national table; one country is no multi-country table" if _NATIONAL.search(member) else "a CEPAL workbook"
    refuse(
        source,
        f"{what} of a layout that is not documented",
        member=member,
        got=f"sheets {listing(sheets)}; first cells {listing(cells, 8)}",
        expected="the ADB layout: a header row with c1 ... F1 ..., countries above it",
        do="build it with tiva.IcioTable.from_arrays, or save it as tidy csv (row_country, row_sector, col_country, "
        "col_sector, value) and read that",
    )


def _is_cepal(source: Source, member: str) -> bool:
    return bool(_MARK.search(glimpse(source, member))) and not _is_adb(source, member)


def _recognise(source: Source) -> bool:
    return any(_is_cepal(source, name) for name in members(source))


READERS = (
    Reader("cepal", "CEPAL regional workbooks (those in ADB layout; others are refused)", _recognise, read_cepal),
)
