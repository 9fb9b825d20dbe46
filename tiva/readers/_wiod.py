"""What the World Input-Output Tables of all releases share: the sheet, the rows below it, the licence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tiva.errors import ReaderError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers._assemble import Blocks
from tiva.readers.sheets import Grid, numbers, text
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

_CODE = re.compile(r"[cr](\d+)\Z")


@dataclass(frozen=True, slots=True)
class SheetLayout:
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


def country(code: str) -> str:
    """Return the code of the other releases."""
    return RENAMED.get(code, code)


def sheet_blocks(source: Source, name: str, grid: Grid, layout: SheetLayout) -> Blocks:
    """Find the parts of a World Input-Output Table sheet by their labels.

    Raises
    ------
    ReaderError
        Header, labels or cells are not those of the release.
    """
    top = _header(source, name, grid)
    codes, owners = [text(c) for c in grid[top]], [text(c) for c in grid[top - 1]]
    width = min(len(codes), len(owners))
    final = [k for k in range(4, width) if codes[k] in layout.final and owners[k] not in {"", "TOT"}]
    taken = set(final)
    industries = [
        k for k in range(4, width) if k not in taken and _CODE.match(codes[k]) and owners[k] not in {"", "TOT"}
    ]
    totals = [k for k in range(4, width) if k not in taken and k not in set(industries)]
    rows, bottom = _rows(grid, top)
    row_keys = [(text(grid[i][2]), _digits(grid[i][3])) for i in rows]
    column_keys = [(owners[k], _digits(codes[k])) for k in industries]
    rows = _matched(source, name, rows, row_keys, column_keys)
    z, empty = numbers(source, name, grid, rows, industries)
    f, more = numbers(source, name, grid, rows, final)
    output: FloatArray | None = None
    if totals:
        output = numbers(source, name, grid, rows, totals[:1])[0][:, 0]
    labels = [(country(owners[k]), text(grid[i][0]) or text(codes[k])) for i, k in zip(rows, industries, strict=True)]
    below = {c: numbers(source, name, grid, [bottom[c]], [*industries, *final])[0][0] for c in bottom}
    notes = _notes(empty + more, set(owners))
    return _finish(source, name, layout, below, len(industries), labels, z, f, output, notes, [
        (country(owners[k]), layout.final[codes[k]]) for k in final
    ])  # fmt: skip


def _finish(
    source: Source,
    name: str,
    layout: SheetLayout,
    below: Mapping[str, FloatArray],
    n: int,
    labels: list[tuple[str, str]],
    z: FloatArray,
    f: FloatArray,
    output: FloatArray | None,
    notes: tuple[str, ...],
    final_labels: list[tuple[str, str]],
) -> Blocks:
    others, va = bottom_rows(source, name, layout, below, n)
    if output is None and layout.output in below:
        output = below[layout.output][:n]
    check_intermediate(source, name, z, below.get(layout.intermediate), n)
    return Blocks(labels, z, final_labels, f, va, output, others, notes=notes)


def bottom_rows(
    source: Source, name: str, layout: SheetLayout, below: Mapping[str, FloatArray], n: int
) -> tuple[dict[str, tuple[FloatArray, FloatArray | None]], FloatArray]:
    """Return the rows between intermediate use and value added by name, and value added.

    Raises
    ------
    ReaderError
        The value-added row is missing: half of a table.
    """
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
    others: dict[str, tuple[FloatArray, FloatArray | None]] = {
        label: (below[code][:n], below[code][n:]) for code, label in layout.others.items() if code in below
    }
    return others, below[layout.value_added][:n]


def check_intermediate(source: Source, name: str, z: FloatArray, total: FloatArray | None, n: int) -> None:
    """Compare column sums with the published intermediate total.

    Raises
    ------
    ReaderError
        They differ by more than rounding in the median column.
    """
    if total is None:
        return
    used = total[:n] != 0
    gap = np.abs(z.sum(axis=0) - total[:n])[used] / np.abs(total[:n][used])
    if gap.size and not float(np.median(gap)) <= 1e-3:
        raise ReaderError(
            explain(
                f"{name}: columns do not add up to the published intermediate consumption",
                got=f"a median gap of {float(np.median(gap)):.2g}",
                expected="rounding (below 0.001)",
                do="cells are shifted or damaged; get the file again",
            ),
            path=source.path,
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


def _rows(grid: Grid, top: int) -> tuple[list[int], dict[str, int]]:
    rows: list[int] = []
    bottom: dict[str, int] = {}
    for i in range(top + 1, len(grid)):
        if len(grid[i]) < 5:
            continue
        code, owner = text(grid[i][3]), text(grid[i][2])
        if owner not in {"", "TOT"} and _CODE.match(code):
            rows.append(i)
        elif code or text(grid[i][1]):
            bottom.setdefault(code or text(grid[i][1]).lower(), i)
    return rows, bottom


def _digits(cell: object) -> str:
    match = _CODE.match(text(cell))
    return match.group(1) if match else ""


def _matched(
    source: Source, name: str, rows: list[int], row_keys: Sequence[tuple[str, str]], keys: Sequence[tuple[str, str]]
) -> list[int]:
    """Return the rows in the order of the columns."""
    at = dict(zip(row_keys, rows, strict=True))
    odd = set(row_keys) ^ set(keys)
    if odd or len(at) != len(rows) or len(set(keys)) != len(keys) or not rows:
        what = listing(f"{c} {d}" for c, d in sorted(odd)) if odd else f"{len(rows)} rows, {len(keys)} columns"
        raise ReaderError(
            explain(
                f"{name}: row and column labels differ",
                got=f"on one side only or twice: {what}",
                expected="the same country and sector codes on both sides, each once",
                do="part of the table is missing or its labels are damaged; get it again",
            ),
            path=source.path,
        )
    return [at[key] for key in keys]


def _notes(empty: int, owners: set[str]) -> tuple[str, ...]:
    notes = [f"{empty} empty cells taken as 0, as the publisher leaves zeros empty"] if empty else []
    notes += [f"country code {old} of the file is {new} here" for old, new in RENAMED.items() if old in owners]
    return tuple(notes)
