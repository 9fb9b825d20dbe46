"""World Input-Output Tables, 2013 release (1995-2011, 40 countries and rest of world, 35 sectors), xlsx."""

from __future__ import annotations

import re

from tiva.readers._assemble import assemble
from tiva.readers._members import checked_year, choose_member
from tiva.readers._wiod import (
    ABROAD,
    ADJUSTMENT,
    CATEGORIES,
    CITATION,
    LICENCE,
    MARGINS,
    NON_RESIDENTS,
    TAXES,
    Layout,
    blocks_of,
    sheet_parts,
)
from tiva.readers.registry import Reader
from tiva.readers.sheets import glimpse, read_grid, text, workbooks
from tiva.readers.source import Source
from tiva.readers.totals import PUBLISHED_ROUNDING, Gaps
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

LAYOUT = Layout(
    final=dict(zip(("c37", "c38", "c39", "c41", "c42"), CATEGORIES, strict=True)),
    others={
        "r99": TAXES,
        "r61": ADJUSTMENT,
        "r62": ABROAD,
        "r63": NON_RESIDENTS,
        "international transport margins": MARGINS,
        "r65": MARGINS,
    },
    value_added="r64",
    output="r69",
    intermediate="r60",
)

_TITLE = "World Input-Output Table for "
_NAME = re.compile(r"(?i)wiot(\d\d)_")


def recognise(source: Source) -> bool:
    """Whether a workbook has the title of the 2013 release."""
    return bool(_candidates(source))


def _candidates(source: Source) -> list[str]:
    return [n for n in workbooks(source) if _TITLE in glimpse(source, n)]


def year_in_name(name: str) -> int | None:
    """Return 2009 for ``wiot09_row_sep12.xlsx`` and 1995 for ``WIOT95_ROW_Apr12.xlsx``."""
    match = _NAME.search(name)
    return None if match is None else int(match.group(1)) + (1900 if int(match.group(1)) > 50 else 2000)


def read(
    source: Source,
    *,
    year: int | None = None,
    member: str | None = None,
    value_added: str = "residual",
    output: str = "published",
    gaps: Gaps = "refuse",
) -> IcioTable:
    """Read a world table of the 2013 release.

    Parameters
    ----------
    source
        A workbook, or an archive of them.
    year, member
        Which table of several; ``year`` is also compared with the title in the sheet.
    value_added
        ``"residual"`` or ``"published"`` (row r64; taxes, adjustments and margins kept as other inputs).
    output
        ``"published"`` (last column) or ``"rows"``.
    gaps
        ``"refuse"``: rows and columns that are shifted, or miss the totals of the file by more than 5 %, are refused by
        their places; ``"keep"``: they are kept as they are, with a warning.

    Returns
    -------
    IcioTable
        In million USD at basic prices.

    Raises
    ------
    ReaderError
        The workbook is not a world table of this release, or is damaged.

    References
    ----------
    Timmer, Dietzenbacher, Los, Stehrer and de Vries (2015), Review of International Economics 23(3): 575-605;
    data doi:10.34894/XDTAUZ.
    """
    name = choose_member(source, _candidates(source), year=year, member=member, year_of=year_in_name)
    _, grid = read_grid(source, name)
    title = text(grid[0][0]) if grid and grid[0] else ""
    found = re.search(r"(19|20)\d\d", title)
    checked_year(source, name, None if found is None else int(found.group()), year or year_in_name(name), "its title")
    year = checked_year(source, name, int(found.group()) if found else year_in_name(name), year, "its title")
    blocks = blocks_of(source, name, sheet_parts(source, name, grid, LAYOUT), LAYOUT)
    provenance = Provenance(
        source="WIOD",
        edition="2013 release",
        files=(source.describe_file(name),),
        reader="wiod2013",
        licence=LICENCE,
        citation=CITATION,
        url="https://doi.org/10.34894/XDTAUZ",
        rounding=PUBLISHED_ROUNDING,
    )
    return assemble(source, name, blocks, provenance, value_added=value_added, output=output, year=year, gaps=gaps)


READERS = (Reader("wiod2013", "WIOD 2013 release, world tables xlsx", recognise, read),)
