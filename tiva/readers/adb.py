"""ADB multiregional input-output workbooks (62, 72, 74 economies and the Latin American ones), million USD."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tiva.errors import listing
from tiva.kernels.arrays import FloatArray
from tiva.readers._wiod import ABROAD, ADJUSTMENT, MARGINS, NON_RESIDENTS, TAXES
from tiva.readers.grids import (
    RESIDUAL_NOTE,
    Pair,
    ValueAddedChoice,
    check_choice,
    check_year,
    iso3,
    members,
    pick,
    refuse,
    same_labels,
    years_in,
)
from tiva.readers.labelled import Labelled
from tiva.readers.registry import Reader
from tiva.readers.sheets import address, glimpse, letters, number, read_sheets, text
from tiva.readers.source import Source
from tiva.readers.totals import PUBLISHED_ROUNDING, Gaps, Totals, check_gaps_option, check_totals
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

FINAL_DEMAND: Mapping[str, tuple[str, str]] = {
    "F1": ("HFCE", "household"),
    "F2": ("NPISH", "non-profit"),
    "F3": ("GGFC", "government"),
    "F4": ("GFCF", "fixed capital"),
    "F5": ("INVNT", "inventor"),
}
"""Code in the workbook -> name of the category, and a word that its description has."""

OTHER_INPUTS: Mapping[str, str] = {
    "r99": TAXES,
    "r61": ADJUSTMENT,
    "r62": ABROAD,
    "r63": NON_RESIDENTS,
    "trs": MARGINS,
}
"""Code of a row below the table -> name of the input row, as in the WIOD tables."""

VALUE_ADDED = "r64"
OUTPUT = "r69"
INTERMEDIATE_TOTAL = "r60"
SUMS = (VALUE_ADDED, OUTPUT, INTERMEDIATE_TOTAL)
"""Rows that are no other inputs."""

_TITLE = re.compile(r"multi-?\s?regional input-output", re.IGNORECASE)
_TOTAL = "tot"


def read_adb(
    source: Source,
    *,
    year: int | None = None,
    value_added: ValueAddedChoice = "residual",
    missing: Literal["error", "zero"] = "error",
    gaps: Gaps = "refuse",
) -> IcioTable:
    """Read an ADB MRIO workbook; blocks are found by the labels in the sheet, not by position.

    Parameters
    ----------
    source
        An xlsx workbook, or a folder or archive with workbooks.
    year
        Year to take where there are several, and checked against sheet name and title.
    value_added
        ``"published"``: row r64; the other rows become ``other_inputs``. ``"residual"``: output less inputs.
    missing
        What to do with cells of text such as ``NA``: refuse the table, or take them as zero and say so in the
        notes. Blank cells are zero in these workbooks.
    gaps
        ``"refuse"``: rows and columns that are shifted, or miss the totals of the file by more than 5 %, are refused by
        their places; ``"keep"``: they are kept as they are, with a warning.

    Returns
    -------
    IcioTable
        Million USD; ISO 3166-1 alpha-3 country codes (``PRC`` -> ``CHN``), sectors c1 to c35.

    Raises
    ------
    ReaderError
        Labels or cells that are not those of the layout, with sheet and cell.
    """
    check_choice("value_added", value_added, ("published", "residual"))
    check_choice("missing", missing, ("error", "zero"))
    check_gaps_option(gaps)
    workbooks = [n for n in members(source) if _is_adb(source, n)]
    member = pick(source, workbooks, year, "ADB MRIO workbook", _year_of)
    sheets = read_sheets(source, member)
    found = {name: rows for name, rows in sheets.items() if _header_row(rows) is not None}
    sheet = _choose(source, member, list(sheets), list(found), year)
    rows = found[sheet]
    block = _block(source, member, sheet, rows)
    title = " ".join(text(cell) for row in rows[: block.header] for cell in row[:2])
    stated = ([*years_in(sheet), *years_in(title)] or [0])[0] or None
    values = _numbers(source, member, sheet, rows, block, missing)
    return _table(source, member, block, values, title, check_year(source, member, stated, year), value_added, gaps)


def _is_adb(source: Source, member: str) -> bool:
    return bool(_TITLE.search(seen := glimpse(source, member))) or 'name="ADB MRIO' in seen


def _recognise(source: Source) -> bool:
    return any(_is_adb(source, name) for name in members(source))


def _header_row(rows: Sequence[Sequence[Any]]) -> int | None:
    for i, row in enumerate(rows[:40]):
        cells = {text(cell) for cell in row}
        if "c1" in cells and "F1" in cells:
            return i
    return None


def _year_of(name: str) -> int | None:
    """Return the year in a file name; the year of issue, where there is one, comes after it."""
    return next(iter(years_in(name)), None)


def _choose(source: Source, member: str, every: list[str], found: list[str], year: int | None) -> str:
    if not found:
        got, expected = f"sheets {listing(every)}", "a sheet with a header row that has c1 and F1"
        refuse(source, "no table in the workbook", member=member, got=got, expected=expected)
    if len(found) == 1:
        return found[0]
    of_year = [name for name in found if year is not None and year in years_in(name)]
    if len(of_year) != 1:
        refuse(source, f"{len(found)} tables in the workbook", member=member, got=listing(found), do="pass year=...")
    return of_year[0]


@dataclass(slots=True)
class _Block:
    """Where the parts of the sheet stand, found by their labels."""

    header: int
    row_pairs: list[Pair]
    row_at: list[int]
    columns: list[Pair]
    column_at: list[int]
    bottom: dict[str, int]
    total_column: int | None
    notes: list[str]


def _block(source: Source, member: str, sheet: str, rows: list[list[Any]]) -> _Block:
    header = _header_row(rows)
    if not header:
        refuse(source, f"sheet {sheet!r}: no country row above the codes", member=member)
    codes = [text(cell) for cell in rows[header]]
    first = next(j for j, code in enumerate(codes) if code == "c1")
    countries = [text(cell) for cell in rows[header - 1]]
    if first < 2 or len(countries) < len(codes):
        got = f"codes begin in column {address(header, first)}"
        refuse(source, f"sheet {sheet!r}: label columns are missing", member=member, got=got, expected="column E")
    block = _Block(header, [], [], [], [], {}, None, [])
    for j in range(first, len(codes)):
        if countries[j].casefold() == _TOTAL:
            block.total_column = j if block.total_column is None else block.total_column
        elif codes[j] or countries[j]:
            block.columns.append((countries[j], codes[j]))
            block.column_at.append(j)
    _fill_rows(source, member, sheet, rows, block, first)
    _check_final_demand(source, member, sheet, rows, block)
    return block


def _fill_rows(source: Source, member: str, sheet: str, rows: list[list[Any]], block: _Block, first: int) -> None:
    for i in range(block.header + 1, len(rows)):
        country, code = text(rows[i][first - 2]), text(rows[i][first - 1])
        if country.casefold() == _TOTAL or (not country and code):
            if code in block.bottom:
                refuse(source, f"sheet {sheet!r}: row {code} twice", member=member, line=i + 1)
            block.bottom[code] = i
        elif country and code:
            block.row_pairs.append((country, code))
            block.row_at.append(i)
        elif country:
            where = address(i, first - 1)
            refuse(source, f"sheet {sheet!r}: a row without a code", member=member, line=i + 1, got=f"{where} empty")
        elif any(isinstance(cell, (int, float)) for cell in rows[i][first:]):
            where = f"{address(i, first - 2)} and {address(i, first - 1)} are empty"
            refuse(source, f"sheet {sheet!r}: numbers without labels", member=member, line=i + 1, got=where)


def _check_final_demand(source: Source, member: str, sheet: str, rows: list[list[Any]], block: _Block) -> None:
    for (_, code), j in zip(block.columns, block.column_at, strict=True):
        if code in FINAL_DEMAND and block.header >= 2:
            said = text(rows[block.header - 2][j]).casefold()
            if said and FINAL_DEMAND[code][1] not in said:
                refuse(
                    source,
                    f"sheet {sheet!r}, cell {address(block.header - 2, j)}: {code} is not what it should be",
                    member=member,
                    got=repr(said),
                    expected=f"a description with {FINAL_DEMAND[code][1]!r}",
                )


def _numbers(source: Source, member: str, sheet: str, rows: list[list[Any]], block: _Block, missing: str) -> FloatArray:
    """Return the sheet as numbers, zero outside rows and columns of the table."""
    width = max([*block.column_at, block.total_column or 0]) + 1
    values = np.zeros((len(rows), width))
    first = min(block.column_at)
    coerced = taken = 0
    last = block.total_column
    for i in [*block.row_at, *block.bottom.values()]:
        for j in range(first, width):
            cell = rows[i][j] if j < len(rows[i]) else None
            if isinstance(cell, float):
                found: float | None = cell
            else:
                if (j == last and i not in block.row_at) or cell == "":
                    continue
                found = number(cell)
                coerced += isinstance(cell, str) and bool(cell.strip())
            if found is None or not np.isfinite(found):
                if missing == "error":
                    refuse(
                        source,
                        f"sheet {sheet!r}, cell {address(i, j)} is not a finite number",
                        member=member,
                        line=i + 1,
                        got=repr(cell),
                        expected="a number or a blank",
                        do='look at the cell, or pass missing="zero" to take such cells as zero',
                    )
                found, taken = 0.0, taken + 1
            values[i, j] = found
    if taken:
        block.notes.append(f"{taken} cells of text were taken as zero")
    if coerced > taken:
        block.notes.append(f"{coerced - taken} numbers stood as text and were converted")
    return values


def _table(
    source: Source,
    member: str,
    block: _Block,
    values: FloatArray,
    title: str,
    year: int | None,
    value_added: ValueAddedChoice,
    gaps: Gaps,
) -> IcioTable:
    uses = [pair for pair in block.columns if pair[1] not in FINAL_DEMAND]
    places = [f"row {i + 1}" for i in block.row_at]
    same_labels(source, block.row_pairs, uses, member=member, place=places.__getitem__, final=tuple(FINAL_DEMAND))
    rows = list(zip(block.row_at, block.row_pairs, strict=True))
    columns = list(zip(block.column_at, block.columns, strict=True))
    found = Labelled.of(source, member, values, rows, columns, block.bottom, FINAL_DEMAND)
    published = value_added == "published"
    _check_bottom(source, member, block, published, gaps)
    totals = _totals(found, block.total_column)
    block.notes.extend(check_totals(source, member, totals, gaps))
    if not published:
        block.notes.append(RESIDUAL_NOTE)
    names = iso3(found.axis.areas, "ADB_MRIO", also={"RoW": "ROW"})
    return IcioTable.from_arrays(
        totals.intermediate,
        totals.final,
        countries=[names[a] for a in found.axis.areas],
        sectors=found.axis.sectors,
        final_demand_categories=[FINAL_DEMAND[c][0] for c in found.categories],
        value_added=found.paid(VALUE_ADDED) if published else None,
        output=totals.output,
        other_inputs={OTHER_INPUTS.get(c, c): found.other(c) for c in found.below if published and c not in SUMS},
        year=year,
        unit="million USD",
        currency="USD",
        provenance=_provenance(source, member, title, len(found.axis.areas), block.notes),
    )


def _check_bottom(source: Source, member: str, block: _Block, published: bool, gaps: Gaps) -> None:
    """Refuse a sheet without the row of value added: it is cut short."""
    if VALUE_ADDED in block.bottom or (gaps == "keep" and not published):
        return
    got = f"rows {', '.join(block.bottom) or 'none'} below the table"
    do = "the sheet is cut short: get the whole workbook"
    do += "" if published else ", or pass gaps='keep' to read it without a check of its columns"
    refuse(source, "no value-added row", member=member, got=got, expected=f"row {VALUE_ADDED}", do=do)


def _totals(found: Labelled, total_column: int | None) -> Totals:
    stated = {code: found.paid(code) for code in found.below}
    output = stated.get(OUTPUT) if total_column is None else found.values[found.rows, total_column]
    below = [row for code, row in stated.items() if code not in SUMS or code == VALUE_ADDED]
    return Totals(
        places=found.places(lambda i: f"row {i + 1}", lambda j: f"column {letters(j)}"),
        intermediate=found.flows(),
        final=found.demand(),
        output=output,
        below=np.sum(below, axis=0) if VALUE_ADDED in stated else None,
        intermediate_total=stated.get(INTERMEDIATE_TOTAL),
        output_row=stated.get(OUTPUT),
    )


def _provenance(source: Source, member: str, title: str, areas: int, notes: list[str]) -> Provenance:
    said = re.search(r"(\d+)\s+economies", title)
    prices = re.search(r"at (current|constant \d{4}|constant) prices", title)
    notes = list(notes)
    if said and int(said[1]) not in (areas, areas - 1):
        notes.append(f"the title says {said[1]} economies; the sheet has {areas} areas")
    if not re.search(r"millions? of US", title):
        notes.append("the sheet does not state its unit; million USD is assumed")
    edition = " ".join(x for x in (f"{said[1]} economies" if said else "", prices[0] if prices else "") if x)
    return Provenance(
        source="ADB MRIO",
        edition=edition,
        files=(source.describe_file(member),),
        reader="adb",
        licence="Asian Development Bank terms of use",
        citation="Asian Development Bank, Multiregional Input-Output Tables",
        notes=tuple(notes),
        rounding=PUBLISHED_ROUNDING,
    )


READERS = (Reader("adb", "ADB MRIO workbooks (62, 72, 74 economies, Latin America)", _recognise, read_adb),)
