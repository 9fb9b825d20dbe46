"""FIGARO tables of Eurostat: matrix and flat csv, industry by industry and product by product, million EUR."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray
from tiva.readers._wiod import ABROAD, NON_RESIDENTS, TAXES
from tiva.readers.grids import (
    RESIDUAL_NOTE,
    Pair,
    ValueAddedChoice,
    check_choice,
    check_year,
    header_of,
    iso3,
    members,
    pick,
    read_grid,
    read_header,
    read_long,
    refuse,
    refuse_twice,
    same_labels,
    years_in,
)
from tiva.readers.labelled import Labelled
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.readers.totals import PUBLISHED_ROUNDING, Gaps, Totals, check_gaps_option, check_totals
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

FINAL_DEMAND: Mapping[str, str] = {
    "P3_S13": "GGFC",
    "P3_S14": "HFCE",
    "P3_S15": "NPISH",
    "P51G": "GFCF",
    "P5M": "INVNT",
}
"""Code in the file -> name of the category."""

VALUE_ADDED: tuple[str, ...] = ("D1", "D29X39", "B2A3G")
"""Rows that make up value added at basic prices: compensation, other net taxes on production, gross surplus."""

OTHER_INPUTS: Mapping[str, str] = {"D21X31": TAXES, "OP_RES": ABROAD, "OP_NRES": NON_RESIDENTS}
"""Row below the table -> name of the input row, as in the WIOD tables; other rows keep their code."""

ACCOUNTS = "W2"
"""Area code of the rows below the table."""

FURTHER_CODES: Mapping[str, str] = {"EL": "GRC", "UK": "GBR", "WRL_REST": "ROW"}
"""Spellings of Eurostat that stand beside those of the csv files."""

_FLAT_HEADERS: Mapping[str, str] = {
    "icioirow,icioicol": "industry by industry",
    "icioprow,iciopcol": "product by product",
}

_CITATION = "Eurostat, FIGARO tables: EU inter-country supply, use and input-output tables"
_LICENCE = "CC BY 4.0 (Eurostat re-use policy)"


def read_figaro(
    source: Source,
    *,
    year: int | None = None,
    value_added: ValueAddedChoice = "residual",
    gaps: Gaps = "refuse",
) -> IcioTable:
    """Read a FIGARO inter-country input-output table.

    Parameters
    ----------
    source
        A csv in matrix or flat form, or a folder or archive with such files.
    year
        Year to take where there are several, and checked where the file name has one.
    value_added
        ``"published"``: the sum of the rows D1, D29X39 and B2A3G; the rows D21X31, OP_RES and OP_NRES become
        ``other_inputs``. ``"residual"``: output less intermediate inputs.
    gaps
        ``"refuse"``: rows and columns that are shifted, or miss the totals of the file by more than 5 %, are refused by
        their places; ``"keep"``: they are kept as they are, with a warning.
        The file has no output: columns are compared with row sums, so that what is shifted within final demand alone
        cannot be seen.

    Returns
    -------
    IcioTable
        Million EUR. Rest of the world (FIGW1) is ``ROW``; the order is that of the file.

    Raises
    ------
    ReaderError
        Labels or cells that are not those of the layout, with line or column.
    """
    check_choice("value_added", value_added, ("published", "residual"))
    check_gaps_option(gaps)
    found = [name for name in members(source) if _form(source, name)]
    member = pick(source, found, year, "FIGARO input-output table")
    if _form(source, member) == "matrix":
        rows, columns, values, notes = _matrix(source, member)
    else:
        rows, columns, values, notes = _flat(source, member)
    stated = (years_in(member) or (None,))[-1]
    year = check_year(source, member, stated, year)
    return _table(source, member, rows, columns, values, notes, year, value_added, gaps)


def _form(source: Source, member: str) -> str:
    header = header_of(source, member).lower().replace('"', "")
    if header.startswith("rowlabels,"):
        return "matrix"
    return "flat" if ",".join(header.split(",")[:2]) in _FLAT_HEADERS else ""


def _recognise(source: Source) -> bool:
    return any(_form(source, name) for name in members(source))


def _split(source: Source, member: str, label: str, place: str, line: int) -> Pair:
    area, mark, code = label.partition("_")
    if area == "WRL" and code.startswith("REST_"):
        area, code = "WRL_REST", code.removeprefix("REST_")
    if not mark or not area or not code:
        what = f"{place}: a label that is not AREA_CODE"
        refuse(source, what, member=member, line=line, got=repr(label), expected="AT_A01")
    return area, code


def _matrix(source: Source, member: str) -> tuple[list[Pair], list[Pair], FloatArray, list[str]]:
    header = read_header(source, member, separator=",", lines=1)[0]
    grid = read_grid(source, member, separator=",", header_lines=1, label_columns=1, width=len(header) - 1)
    columns = [_split(source, member, x, f"column {j}", 1) for j, x in enumerate(header[1:], start=2)]
    rows = [_split(source, member, x[0], "column 1", i) for i, x in enumerate(grid.labels, start=grid.first_line)]
    places = [f"line {i + grid.first_line}" for i in range(len(rows))]
    _check_labels(source, member, rows, columns, places, [f"column {j}" for j in range(2, len(header) + 1)])
    return rows, columns, grid.values, []


def _flat(source: Source, member: str) -> tuple[list[Pair], list[Pair], FloatArray, list[str]]:
    header = read_header(source, member, separator=",", lines=1)[0]
    if header[-1] != "obsValue" or len(header) < 3:
        refuse(source, "unknown columns", member=member, line=1, got=",".join(header), expected="..., obsValue last")
    frame = read_long(source, member, header, header[:2], header[-1])
    row_codes, row_labels = _by_appearance(frame[header[0]])
    column_codes, column_labels = _by_appearance(frame[header[1]])
    values = frame[header[-1]].to_numpy(dtype=np.float64)
    row_lines, column_lines = _first_lines(row_codes, row_labels), _first_lines(column_codes, column_labels)
    rows = [_split(source, member, x, "column 1", i) for x, i in row_lines]
    columns = [_split(source, member, x, "column 2", i) for x, i in column_lines]
    places, users = ([f"line {i}" for _, i in found] for found in (row_lines, column_lines))
    _check_labels(source, member, rows, columns, places, users)
    cell = row_codes * len(column_labels) + column_codes
    total = len(row_labels) * len(column_labels)
    if total > 4 * cell.size + 1000 and (values == 0).any():
        got = f"{cell.size:,} lines for {len(row_labels):,} rows and {len(column_labels):,} columns"
        refuse(source, "most cells are absent", member=member, got=got, expected="one line a cell")
    count = np.bincount(cell, minlength=total)
    if count.max() > 1:
        line = _second(cell, int(count.argmax())) + 2
        got = f"{row_labels[row_codes[line - 2]]}, {column_labels[column_codes[line - 2]]}"
        refuse(source, "a cell that was given before", member=member, line=line, got=got, expected="each cell once")
    absent = int((count == 0).sum())
    if absent and (values == 0).any():
        first = int(np.flatnonzero(count == 0)[0])
        refuse(
            source,
            f"{absent:,} cells are absent although zeros are written out",
            member=member,
            got=f"none for {row_labels[first // len(column_labels)]}, {column_labels[first % len(column_labels)]}",
            expected=f"{total:,} lines",
            do="get the file again: it is cut off or filtered",
        )
    grid = np.zeros(total)
    grid[cell] = values
    notes = [f"{absent:,} of {total:,} cells are not in the file, which has no zeros, and are zero"] if absent else []
    return rows, columns, grid.reshape(len(rows), len(columns)), notes


def _by_appearance(column: pd.Series[str]) -> tuple[IntArray, list[str]]:
    import pandas as pd

    codes, uniques = pd.factorize(column.cat.codes.to_numpy())
    labels = [str(x).strip() for x in column.cat.categories[uniques]]
    return codes.astype(np.int64), labels


def _first_lines(codes: IntArray, labels: Sequence[str]) -> list[tuple[str, int]]:
    """Return each label with the line in which it stands first."""
    return list(zip(labels, (np.unique(codes, return_index=True)[1] + 2).tolist(), strict=True))


def _check_labels(
    source: Source, member: str, rows: list[Pair], columns: list[Pair], places: list[str], column_places: list[str]
) -> None:
    """Refuse labels that stand twice, rows that have no column of the same name, and the reverse."""
    refuse_twice(source, rows, what="rows", place=lambda i: places[i], member=member)
    refuse_twice(source, columns, what="columns", place=lambda j: column_places[j], member=member)
    body = [(pair, place) for pair, place in zip(rows, places, strict=True) if pair[0] != ACCOUNTS]
    uses = [pair for pair in columns if pair[1] not in FINAL_DEMAND]
    same_labels(
        source, [pair for pair, _ in body], uses, member=member, place=lambda i: body[i][1], final=tuple(FINAL_DEMAND)
    )


def _second(cell: IntArray, value: int) -> int:
    return int(np.flatnonzero(cell == value)[1])


def _table(
    source: Source,
    member: str,
    rows: Sequence[Pair],
    columns: Sequence[Pair],
    values: FloatArray,
    notes: list[str],
    year: int | None,
    value_added: ValueAddedChoice,
    gaps: Gaps,
) -> IcioTable:
    body = [(i, pair) for i, pair in enumerate(rows) if pair[0] != ACCOUNTS]
    accounts = {pair[1]: i for i, pair in enumerate(rows) if pair[0] == ACCOUNTS}
    found = Labelled.of(source, member, values, body, list(enumerate(columns)), accounts, FINAL_DEMAND)
    published = value_added == "published"
    whole = _has_value_added(source, member, accounts, published, gaps, notes)
    lines = _form(source, member) == "matrix"
    totals = Totals(
        places=found.places(
            (lambda i: f"line {i + 2}") if lines else None, (lambda j: f"column {j + 2}") if lines else None
        ),
        intermediate=found.flows(),
        final=found.demand(),
        output=None,
        below=np.sum([found.paid(code) for code in accounts], axis=0) if whole else None,
    )
    notes.extend(check_totals(source, member, totals, gaps))
    names = iso3(found.axis.areas, "FIGARO", also=FURTHER_CODES, two_letters=True)
    kind = "product by product" if any(s.startswith("CPA_") for s in found.axis.sectors) else "industry by industry"
    others = [code for code in accounts if code not in VALUE_ADDED] if published else []
    return IcioTable.from_arrays(
        totals.intermediate,
        totals.final,
        countries=[names[a] for a in found.axis.areas],
        sectors=found.axis.sectors,
        final_demand_categories=[FINAL_DEMAND[c] for c in found.categories],
        value_added=np.sum([found.paid(code) for code in VALUE_ADDED], axis=0) if published else None,
        other_inputs={OTHER_INPUTS.get(code, code): found.other(code) for code in others},
        year=year,
        unit="million EUR",
        currency="EUR",
        provenance=Provenance(
            source="FIGARO",
            edition=_edition(member),
            files=(source.describe_file(member),),
            reader="figaro",
            licence=_LICENCE,
            citation=_CITATION,
            notes=(kind, *notes, *(() if published else (RESIDUAL_NOTE,))),
            rounding=PUBLISHED_ROUNDING,
        ),
    )


def _has_value_added(
    source: Source, member: str, accounts: Mapping[str, int], published: bool, gaps: Gaps, notes: list[str]
) -> bool:
    """Whether all value-added rows are there; refuse a file without them, which is cut short, unless that is wanted."""
    absent = [f"{ACCOUNTS}_{code}" for code in VALUE_ADDED if code not in accounts]
    if absent and (published or gaps == "refuse"):
        do = "get the whole file" + ("" if published else ", or pass gaps='keep' to read it without a check of columns")
        refuse(
            source,
            "value-added rows are missing",
            member=member,
            got=f"rows of {ACCOUNTS}: {', '.join(accounts) or 'none'}; missing: {', '.join(absent)}",
            expected=", ".join(f"{ACCOUNTS}_{code}" for code in VALUE_ADDED),
            do=do,
        )
    if absent:
        notes.append(f"rows {', '.join(absent)} are not in the file; it may be cut off or edited")
    return not absent


def _edition(member: str) -> str:
    match = re.search(r"(?<!\d)(\d\d)ed(?![a-z])", member)
    return f"{match[1]}ed" if match else ""


READERS = (Reader("figaro", "FIGARO (Eurostat): matrix or flat csv, folder or zip", _recognise, read_figaro),)
