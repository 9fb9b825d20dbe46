"""What the World Input-Output Tables of all releases share: labels, the sheet, the rows below it, the licence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tiva.errors import ReaderError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers._assemble import Blocks
from tiva.readers.sheets import Grid, letters, numbers, text
from tiva.readers.source import Source

LICENCE = "CC BY 4.0"
CITATION = (
    "Timmer, Dietzenbacher, Los, Stehrer and de Vries (2015), An Illustrated User Guide to the World "
    "Input-Output Database, Review of International Economics 23(3): 575-605"
)
CATEGORIES = ("HFCE", "NPISH", "GGFC", "GFCF", "INVNT")
RENAMED = {"ROM": "ROU", "RoW": "ROW", "xROW": "ROW"}
"""Codes of some years and releases -> those of the others."""

TAXES = "taxes less subsidies on products"
ADJUSTMENT = "cif/fob adjustments on exports"
ABROAD = "direct purchases abroad by residents"
NON_RESIDENTS = "purchases on the domestic territory by non-residents"
MARGINS = "international transport margins"
DISCREPANCY = "statistical discrepancy"

Key = tuple[str, str]
"""Country and sector, or country and column code, as in the file."""

_CODE = re.compile(r"[cr](\d+)\Z")


@dataclass(frozen=True, slots=True)
class Layout:
    """Codes of one release.

    Attributes
    ----------
    final
        Column code -> category.
    others
        Row code (or description where the code is blank) -> name of the row.
    value_added, output, intermediate
        Row codes of value added, output and intermediate total.
    """

    final: Mapping[str, str]
    others: Mapping[str, str]
    value_added: str
    output: str
    intermediate: str


@dataclass(frozen=True, slots=True)
class Found:
    """The parts of a world table as found in a file, rows in the order of the columns of ``flows``.

    Attributes
    ----------
    labels
        n pairs (country in the file, sector).
    final_labels
        K pairs (country in the file, column code).
    flows, final
        Shape (n, n) and (n, K).
    output
        Shape (n,) or ``None``: the last column.
    below
        Row code -> shape (n + K,): the rows below the table.
    rows_at, columns_at
        Places in the file.
    notes
        Choices made so far.
    """

    labels: Sequence[Key]
    final_labels: Sequence[Key]
    flows: FloatArray
    final: FloatArray
    output: FloatArray | None
    below: Mapping[str, FloatArray]
    rows_at: Sequence[str] = ()
    columns_at: Sequence[str] = ()
    notes: tuple[str, ...] = ()


def country(code: str) -> str:
    """Return the code of the other releases."""
    return RENAMED.get(code, code)


def blocks_of(source: Source, name: str, found: Found, layout: Layout) -> Blocks:
    """Name the parts of a world table.

    Raises
    ------
    ReaderError
        The value-added row is missing: half of a table.
    """
    n, below = len(found.labels), found.below
    if layout.value_added not in below:
        raise ReaderError(
            explain(
                f"{name}: the rows below the table are missing",
                got=f"rows {listing(below) or 'none'}",
                expected=f"among them {layout.value_added} (value added)",
                do="the file is cut short; get it from its publisher again",
            ),
            path=source.path,
        )
    output_row = below[layout.output][:n] if layout.output in below else None
    total = below.get(layout.intermediate)
    return Blocks(
        labels=[(country(c), s) for c, s in found.labels],
        intermediate=found.flows,
        final_labels=[(country(c), layout.final[f]) for c, f in found.final_labels],
        final=found.final,
        value_added=below[layout.value_added][:n],
        output=output_row if found.output is None else found.output,
        others={label: (below[code][:n], below[code][n:]) for code, label in layout.others.items() if code in below},
        notes=(*found.notes, *_renamed({c for c, _ in found.labels})),
        rows_at=found.rows_at,
        columns_at=found.columns_at,
        intermediate_total=None if total is None else total[:n],
        output_row=output_row,
    )


def matched(
    source: Source, name: str, rows: Sequence[Key], columns: Sequence[Key], final: Sequence[object], layout: Layout
) -> list[int]:
    """Return the positions of the rows in the order of the columns.

    Raises
    ------
    ReaderError
        Labels on one side only, or twice, or no final demand.
    """
    odd = sorted(set(rows) ^ set(columns))
    twice = [key for side in (rows, columns) for key, count in Counter(side).items() if count > 1]
    if odd or twice or not rows or not final:
        what = listing(f"{c} {d}" for c, d in odd or twice)
        raise ReaderError(
            explain(
                f"{name}: row and column labels differ",
                got=f"on one side only or twice: {what}" if what else f"{len(rows)} rows, {len(final)} final columns",
                expected=f"the same labels on both sides, each once, and final demand {listing(layout.final)}",
                do="part of the table is missing or its labels are damaged; get it again",
            ),
            path=source.path,
        )
    at = {key: i for i, key in enumerate(rows)}
    return [at[key] for key in columns]


def sheet_parts(source: Source, name: str, grid: Grid, layout: Layout) -> Found:
    """Find the parts of a World Input-Output Table sheet by their labels.

    Raises
    ------
    ReaderError
        Header, labels or cells are not those of the release.
    """
    top = _header(source, name, grid)
    codes, owners = [text(c) for c in grid[top]], [text(c) for c in grid[top - 1]]
    columns = range(4, min(len(codes), len(owners)))
    of_country = [k for k in columns if owners[k] not in {"", "TOT"} and _CODE.match(codes[k])]
    final = [k for k in of_country if codes[k] in layout.final]
    industries = [k for k in of_country if codes[k] not in layout.final]
    totals = sorted(set(columns).difference(of_country))
    rows, bottom = _rows(source, name, grid, top)
    row_keys = [(text(grid[i][2]), _digits(grid[i][3])) for i in rows]
    order = matched(source, name, row_keys, [(owners[k], _digits(codes[k])) for k in industries], final, layout)
    rows = [rows[i] for i in order]
    flows, empty = numbers(source, name, grid, rows, industries)
    demand, more = numbers(source, name, grid, rows, final)
    notes = (f"{empty + more} empty cells taken as 0, as the publisher leaves zeros empty",) if empty + more else ()
    return Found(
        labels=[(owners[k], text(grid[i][0]) or text(codes[k])) for i, k in zip(rows, industries, strict=True)],
        final_labels=[(owners[k], codes[k]) for k in final],
        flows=flows,
        final=demand,
        output=numbers(source, name, grid, rows, totals[:1])[0][:, 0] if totals else None,
        below={c: numbers(source, name, grid, [i], [*industries, *final])[0][0] for c, i in bottom.items()},
        rows_at=[f"row {i + 1}" for i in rows],
        columns_at=[f"column {letters(k)}" for k in industries],
        notes=notes,
    )


def _header(source: Source, name: str, grid: Grid) -> int:
    for i, row in enumerate(grid[:20]):
        if i and "c1" in [text(c) for c in row[4:12]]:
            return i
    raise ReaderError(
        explain(
            f"{name}: no row of column codes",
            got=f"{len(grid)} rows, the first beginning {[text(c) for c in grid[0][:4]] if grid else 'nothing'}",
            expected="a row with c1, c2, ... among the first twenty",
            do="the sheet is not a World Input-Output Table; get it from its publisher again",
        ),
        path=source.path,
    )


def _rows(source: Source, name: str, grid: Grid, top: int) -> tuple[list[int], dict[str, int]]:
    rows: list[int] = []
    bottom: dict[str, int] = {}
    for i in range(top + 1, len(grid)):
        if len(grid[i]) < 5:
            continue
        code, owner, what = text(grid[i][3]), text(grid[i][2]), text(grid[i][1]).lower()
        if owner not in {"", "TOT"} and _CODE.match(code):
            rows.append(i)
        elif code or what:
            if bottom.setdefault(code or what, i) != i:
                raise _bad_row(
                    source, name, i, f"row {code or what} stands twice", f"first in row {bottom[code or what] + 1}"
                )
        elif any(isinstance(cell, (int, float)) for cell in grid[i][4:]):
            raise _bad_row(source, name, i, "numbers without labels", "columns A to D are empty")
    return rows, bottom


def _bad_row(source: Source, name: str, row: int, what: str, got: str) -> ReaderError:
    do = "the sheet was cut or edited; get the file from its publisher again"
    return ReaderError(explain(f"{name}, row {row + 1}: {what}", got=got, do=do), path=source.path, line=row + 1)


def _digits(cell: object) -> str:
    match = _CODE.match(text(cell))
    return match.group(1) if match else ""


def _renamed(owners: set[str]) -> list[str]:
    return [f"country code {old} of the file is {new} here" for old, new in RENAMED.items() if old in owners]
