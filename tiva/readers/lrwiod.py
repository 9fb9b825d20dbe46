"""Long-run World Input-Output Tables (1965-2000, 25 countries and rest of world, 23 sectors), long csv."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from tiva.errors import ReaderError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers._assemble import assemble
from tiva.readers._members import choose_member, parsing
from tiva.readers._text import header
from tiva.readers._wiod import (
    ABROAD,
    DISCREPANCY,
    LICENCE,
    MARGINS,
    NON_RESIDENTS,
    TAXES,
    Found,
    Layout,
    blocks_of,
    matched,
)
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.readers.totals import PUBLISHED_ROUNDING, Gaps
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("year", "row_country", "row_id", "row_isic3", "col_country", "col_isic3", "value")
LAYOUT = Layout(
    final={"xCONS_h": "HFCE", "xCONS_g": "GGFC", "xGFCF": "GFCF", "xINV": "INVNT"},
    others={"xTXSP": TAXES, "xSD": DISCREPANCY, "xPURR": ABROAD, "xPURNR": NON_RESIDENTS, "xMRG_int": MARGINS},
    value_added="xVA",
    output="xGO",
    intermediate="xII",
)
LABELS = ("row_country", "row_isic3", "col_country", "col_isic3")
TOTAL = "xTOT"

_CHUNK = 2_000_000


def recognise(source: Source) -> bool:
    """Whether a member is csv with the columns of the long-run tables."""
    return bool(_candidates(source))


def _candidates(source: Source) -> list[str]:
    return [n for n in source.names() if tuple(header(source, n)) == COLUMNS]


def read(
    source: Source,
    *,
    year: int | None = None,
    member: str | None = None,
    value_added: str = "residual",
    output: str = "published",
    gaps: Gaps = "refuse",
) -> IcioTable:
    """Read one year of the long-run tables.

    Parameters
    ----------
    source
        The long csv, or an archive with it.
    year
        Needed where the file holds more than one.
    member
        Which member of several.
    value_added
        ``"residual"`` or ``"published"`` (row xVA; taxes, discrepancy and margins kept as other inputs).
    output
        ``"published"`` (xGO) or ``"rows"``.
    gaps
        ``"refuse"``: rows and columns that are shifted, or miss the totals of the file by more than 5 %, are refused by
        their places; ``"keep"``: they are kept as they are, with a warning.

    Returns
    -------
    IcioTable
        In million USD; pairs that a file without zeros does not list are zero, and counted in the notes.

    Raises
    ------
    ReaderError
        The year is not in the file, a flow stands twice, or labels are missing.

    References
    ----------
    Woltjer, Gouma and Timmer (2021), Long-run World Input-Output Database, GGDC research memorandum 190;
    data doi:10.34894/A7AXDN.
    """
    name = choose_member(source, _candidates(source), year=None, member=member)
    try:
        frame, year = _year(source, name, year)
        blocks = blocks_of(source, name, _parts(source, name, frame), LAYOUT)
    except ReaderError as error:
        raise _located(source, name, error) from error
    provenance = Provenance(
        source="Long-run WIOD",
        edition="1.1",
        files=(source.describe_file(name),),
        reader="lrwiod",
        licence=LICENCE,
        citation="Woltjer, Gouma and Timmer (2021), Long-run World Input-Output Database, GGDC memorandum 190",
        url="https://doi.org/10.34894/A7AXDN",
        rounding=PUBLISHED_ROUNDING,
    )
    return assemble(source, name, blocks, provenance, value_added=value_added, output=output, year=year, gaps=gaps)


def _bad_line(source: Source, name: str) -> tuple[int, str] | None:
    """Return number and fault of the first line that is not one of the layout, or ``None``; reads all lines."""
    with source.open(name) as handle, io.TextIOWrapper(handle, "utf-8-sig", errors="replace", newline="") as text:
        lines = csv.reader(text)
        header = next(lines, [])
        for line in lines:
            if not line:
                continue
            cells = dict(zip(header, line, strict=False))
            if len(line) != len(header):
                return lines.line_num, f"{len(line)} cells instead of {len(header)}"
            empty = next((n for n in LABELS if not cells[n].strip()), None)
            if empty is not None:
                return lines.line_num, f"no {empty}"
            for name_, kind in (("year", int), ("value", float)):
                try:
                    kind(cells[name_])
                except ValueError:
                    return lines.line_num, f"{cells[name_]!r} in column {name_!r}"
    return None


def _located(source: Source, name: str, error: ReaderError) -> ReaderError:
    """Return the error of the first damaged line where there is one, else the error itself."""
    try:
        found = _bad_line(source, name)
    except (OSError, ValueError, csv.Error):
        found = None
    if found is None:
        return error
    return ReaderError(
        explain(
            f"{name}, line {found[0]}: not a line of the long-run tables",
            got=found[1],
            expected="year, row and column labels, and a number",
            do="the file is damaged; get it from its publisher again",
        ),
        path=source.path,
        line=found[0],
    )


def _year(source: Source, name: str, year: int | None) -> tuple[pd.DataFrame, int]:
    import pandas as pd

    parts: list[pd.DataFrame] = []
    years: set[int] = set()
    labels = dict.fromkeys(LABELS, "str")
    with parsing(source, name, "the long csv of the long-run tables"), source.open(name) as handle:
        for chunk in pd.read_csv(
            handle,
            dtype={"year": "int64", "row_id": "str", "value": "float64", **labels},
            keep_default_na=False,
            na_values={"value": [""]},
            chunksize=_CHUNK,
        ):
            years.update(int(y) for y in chunk["year"].unique())
            parts.append(chunk if year is None else chunk[chunk["year"] == year])
            if year is None and len(years) > 1:
                break
    if year is None and len(years) == 1:
        year = next(iter(years))
    if not years:
        raise ReaderError(
            explain(
                f"{name} holds no rows",
                got="a header only",
                expected="a line for each flow and year",
                do="the file is cut short; get it from its publisher again",
            ),
            path=source.path,
        )
    if year is None or year not in years:
        raise ReaderError(
            explain(
                f"{name} holds no table of {year}" if year else f"{name} holds several years",
                got=listing(sorted(years), limit=50),
                do="choose one with year=...",
            ),
            path=source.path,
        )
    return pd.concat(parts, ignore_index=True), year


def _parts(source: Source, name: str, frame: pd.DataFrame) -> Found:
    flows = frame[(frame["row_country"] != TOTAL) & (frame["col_country"] != TOTAL)]
    rows = list(dict.fromkeys(zip(flows["row_country"], flows["row_isic3"], strict=True)))
    ends = list(dict.fromkeys(zip(flows["col_country"], flows["col_isic3"], strict=True)))
    final = [e for e in ends if e[1] in LAYOUT.final]
    matched(source, name, rows, [e for e in ends if e[1] not in LAYOUT.final], final, LAYOUT)
    n = len(rows)
    values, missing = _pivot(source, name, flows, rows, [*rows, *final])
    if missing and (flows["value"] == 0).any():
        raise ReaderError(
            explain(
                f"{name}: {missing} flows are absent although zeros are written out",
                got=f"{len(flows):,} lines",
                expected=f"{values.size:,}, one for each flow",
                do="get the file again: it is cut off or filtered",
            ),
            path=source.path,
        )
    totals = frame[(frame["col_country"] == TOTAL) & (frame["col_isic3"] == LAYOUT.output)]
    totals = totals[totals["row_country"] != TOTAL]
    return Found(
        labels=rows,
        final_labels=final,
        flows=values[:, :n],
        final=values[:, n:],
        output=_pivot(source, name, totals, rows, [(TOTAL, LAYOUT.output)])[0][:, 0] if len(totals) else None,
        below=_below(source, name, frame[frame["row_country"] == TOTAL], [*rows, *final]),
        notes=(f"{missing} flows that the file does not list are 0",) if missing else (),
    )


def _below(source: Source, name: str, totals: pd.DataFrame, columns: list[tuple[str, str]]) -> dict[str, FloatArray]:
    totals = totals[totals["col_country"] != TOTAL]
    codes = list(dict.fromkeys(totals["row_isic3"]))
    if not codes:
        return {}
    values, _ = _pivot(source, name, totals, [(TOTAL, c) for c in codes], columns)
    return dict(zip(codes, values, strict=True))


def _pivot(
    source: Source, name: str, flows: pd.DataFrame, rows: list[tuple[str, str]], columns: list[tuple[str, str]]
) -> tuple[FloatArray, int]:
    """Return the flows as a matrix, and how many cells no line gives."""
    row_at, column_at = {r: i for i, r in enumerate(rows)}, {c: i for i, c in enumerate(columns)}
    starts = list(zip(flows["row_country"], flows["row_isic3"], strict=True))
    ends = list(zip(flows["col_country"], flows["col_isic3"], strict=True))
    for places, known, message in (
        (ends, column_at, "columns without a row of the same name"),
        (starts, row_at, "output of rows that are not in the table"),
    ):
        if odd := sorted({f"{c}_{s}" for c, s in places if (c, s) not in known}):
            raise ReaderError(explain(f"{name}: {message}", got=listing(odd)), path=source.path)
    i = np.array([row_at[r] for r in starts], dtype=np.int64)
    j = np.array([column_at[e] for e in ends], dtype=np.int64)
    numbers = flows["value"].to_numpy(dtype=np.float64)
    cell = i * len(columns) + j
    order, first, count = np.unique(cell, return_index=True, return_counts=True)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if (count > 1).any() or bad.size:
        where = int(bad[0]) if bad.size else int(first[np.argmax(count > 1)])
        row = flows.iloc[where]
        raise ReaderError(
            explain(
                f"{name}: a flow {'is not a number' if bad.size else 'stands twice'}",
                got=f"{row['row_country']} {row['row_isic3']} -> {row['col_country']} {row['col_isic3']}",
                expected="one finite number for each flow and year",
                do="get the file from its publisher again",
            ),
            path=source.path,
        )
    out = np.zeros((len(rows), len(columns)))
    out.reshape(-1)[cell] = numbers
    return out, out.size - order.size


READERS = (Reader("lrwiod", "Long-run WIOD, long csv", recognise, read),)
