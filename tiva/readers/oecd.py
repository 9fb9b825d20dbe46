"""OECD inter-country input-output tables: editions 2016, 2018, 2021, 2023 and 2025, small and extended, csv."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from tiva.errors import ReaderError, UnknownLabelError, UsageError, explain, listing
from tiva.kernels.arrays import BoolArray, FloatArray
from tiva.readers._assemble import Blocks, assemble
from tiva.readers._members import checked_year, choose_member, year_in_name
from tiva.readers._text import TextMatrix, header, read_matrix, require_no_empty, split_label
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.readers.totals import Gaps
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

Parents = Literal["drop", "keep"]
Missing = Literal["error", "zero"]

STANDARD = {"P33": "DPABR", "NPS": "NPISH", "INV": "INVNT", "DIRP": "DPABR"}
"""Final-demand codes of older editions -> those of 2023 and 2025."""

FINAL = frozenset({"HFCE", "NPISH", "GGFC", "GFCF", "INVNT", "DPABR", *STANDARD})
VALUE_ADDED = ("VA", "VALU", "VA+TAXSUB")
OUTPUT_ROWS = ("OUT", "OUTPUT", "TOTAL")
DISCREPANCY = "DISC"
TAXES = "taxes less subsidies on products"
PARTS = {"CN": "CHN", "MX": "MEX"}
"""Beginning of the label of a part -> its country."""

EDITIONS = {"2025": "icio50", "2023": "icio45", "2021": "icio45_2021", "2018": "icio36", "2016": "icio34"}
"""Edition -> scheme of its sector codes."""

UNIT, CURRENCY = "million USD", "USD"

OTHER = "other"
"""The layout with labels of no known edition."""

_PART = re.compile(r"(CN|MX)\d\Z")
_AREA = re.compile(r"[A-Z][A-Z0-9]{2}\Z")
_DIGITS_2016 = re.compile(r"C\d\d(T\d\d)?X?")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Positions of the parts of a file, by label."""

    industries: list[int]
    final: list[int]
    final_labels: list[tuple[str, str]]
    output_column: int | None
    discrepancy: int | None
    rows: list[int]
    others: dict[str, list[int]]
    value_added: int
    output_row: int


def recognise(source: Source) -> bool:
    """Whether a member is csv with a header of area_sector and area_category labels of an ICIO edition."""
    return bool(_candidates(source))


ROUNDING = (0.1, 2e-4)
"""Million USD, and share of output: largest gaps of rows and columns seen in the tables of 2016-2022, 2025 edition
(flows below 0.1 are set to zero in balancing)."""


def _candidates(source: Source, edition: str | None = None) -> list[str]:
    return [name for name in source.names() if _is_icio(source, name) or (edition == OTHER and _is_wide(source, name))]


def _is_wide(source: Source, name: str) -> bool:
    """Whether the header is that of ``tiva.write(..., layout="wide")``, whatever its labels are."""
    labels = header(source, name)
    return len(labels) > 2 and labels[0] == "V1" and "_" in labels[1]


def _is_icio(source: Source, name: str) -> bool:
    labels = header(source, name)[1:]
    if len(labels) < 2 or not _AREA.match(split_label(labels[0])[0]):
        return False
    return any(_final_label(label) is not None for label in labels)


def _industry_count(columns: tuple[str, ...]) -> int:
    """Return how many columns stand before the first of final demand."""
    return next((k for k, label in enumerate(columns) if _final_label(label) is not None), len(columns))


def _final_label(label: str) -> tuple[str, str] | None:
    """Return (absorber, category) of a final-demand column; ``HFCE_AUS`` in the 2016 edition."""
    first, rest = split_label(label)
    if rest in FINAL and _AREA.match(first):
        return first, STANDARD.get(rest, rest)
    if first in FINAL and _AREA.match(rest):
        return rest, STANDARD.get(first, first)
    return None


def read(
    source: Source,
    *,
    year: int | None = None,
    member: str | None = None,
    value_added: str = "residual",
    output: str = "published",
    edition: str | None = None,
    parents: Parents = "drop",
    missing: Missing = "error",
    gaps: Gaps = "refuse",
    unit: str = UNIT,
    currency: str = CURRENCY,
) -> IcioTable:
    """Read an OECD ICIO csv.

    Parameters
    ----------
    source
        A csv, or an archive of them (also an archive in an archive).
    year, member
        Which table of several; ``year`` is also compared with the year in the file name.
    value_added
        ``"residual"``: output less intermediate inputs (OECD's convention V B = u' for value added in trade);
        ``"published"``: the row VA (VALU), with taxes less subsidies kept as another input.
    output
        ``"published"`` (column OUT, or row OUT in the 2016 edition) or ``"rows"`` (row sums).
    edition
        ``"2016"`` ... ``"2025"``; found from the sector codes by default. ``"other"`` reads the layout with labels
        of no known edition, as :func:`tiva.write` makes it: any sectors, any categories of final demand (the columns of
        a country without a row of the same label, under the names in the file), any rows between intermediate use and
        value added.
    parents
        Extended tables hold CHN and MEX beside their parts with nothing in them: ``"drop"`` leaves them out (and
        refuses the file if they are not empty), ``"keep"`` takes them as one more part of the country.
    missing
        Empty cells and ``na`` in the table: ``"error"`` refuses them by place, ``"zero"`` takes them as 0 and notes
        how many.
    gaps
        ``"refuse"``: rows and columns that are shifted, or miss the totals of the file by more than 5 %, are refused by
        their places; ``"keep"``: they are kept as they are, with a warning.
    unit, currency
        With ``edition="other"``, what the numbers are: the file does not say.

    Returns
    -------
    IcioTable
        In million USD at current basic prices. Parts (CN1, CN2, MX1, ...) stay apart as areas of CHN and MEX. Where
        the column DISC of the 2016 edition is not zero it is a final-demand category ``DISC`` of the seller's own
        country (a choice, and noted): the edition closes its rows with it but gives it no absorber.

    Raises
    ------
    ReaderError
        Labels, cells or sums that are not those of an ICIO table.
    UsageError
        A unit for an edition that has its own.

    References
    ----------
    OECD, Inter-Country Input-Output Tables, http://oe.cd/icio.
    """
    if parents not in get_args(Parents):
        raise UnknownLabelError("parents option", parents, get_args(Parents))
    if missing not in get_args(Missing):
        raise UnknownLabelError("missing option", missing, get_args(Missing))
    if edition != OTHER and (unit, currency) != (UNIT, CURRENCY):
        got, expected = f"{unit}, {currency}", f"{UNIT}, in which every edition is"
        raise UsageError(explain("the unit is that of the edition", got=got, expected=expected, do="leave it out"))
    name = choose_member(source, _candidates(source, edition), year=year, member=member)
    year = checked_year(source, name, year_in_name(name), year, "its name")
    matrix = read_matrix(source, name, split=_industry_count)
    layout = _layout(source, matrix, other=edition == OTHER)
    labels = [split_label(matrix.columns[k]) for k in layout.industries]
    edition = _edition(source, matrix, labels, edition)
    blocks = _blocks(source, matrix, layout, labels, missing)
    blocks = _without_parents(source, blocks, parents)
    provenance = Provenance(
        source="OECD ICIO",
        edition="" if edition == OTHER else f"{edition} edition{' extended' if blocks.split else ''}",
        files=(source.describe_file(name),),
        reader="oecd",
        licence="OECD terms and conditions, attribution required",
        citation=f"OECD, Inter-Country Input-Output Tables, {edition} edition" if edition != OTHER else "",
        url="http://oe.cd/icio",
        rounding=ROUNDING,
    )
    del matrix
    return assemble(
        source, name, blocks, provenance, value_added=value_added, output=output, year=year, gaps=gaps, unit=unit,
        currency=currency,
    )  # fmt: skip


def _layout(source: Source, matrix: TextMatrix, *, other: bool) -> _Layout:
    row_at = _positions(source, matrix, "row", matrix.rows)
    column_at = _positions(source, matrix, "column", matrix.columns)
    final = _other_final(matrix) if other else _final(matrix)
    taxes = [r for r in matrix.rows if r == "TLS" or (r.endswith("_TAXSUB") and r not in column_at)]
    industry_rows = [r for r in matrix.rows if "_" in r and r not in taxes]
    industries = [c for c in matrix.columns if "_" in c and c not in final]
    _same_labels(source, matrix, industry_rows, industries)
    tail = [c for c in matrix.columns if "_" not in c]
    known = {DISCREPANCY, *OUTPUT_ROWS}
    odd = [c for c in tail if c not in known]
    if odd and len(tail) == 1:  # the name of the output column is not the same in all releases
        known.add(tail[0])
        odd = []
    more = [r for r in matrix.rows if "_" not in r and r not in {"TLS", *VALUE_ADDED, *OUTPUT_ROWS}]
    odd += [] if other else more
    found = [r for r in VALUE_ADDED if r in row_at]
    if odd or len(found) != 1 or not final:
        raise ReaderError(
            explain(
                f"{matrix.name}: rows and columns around the table are not those of an ICIO edition",
                got=f"unknown {listing(odd)}" if odd else f"value-added rows: {listing(found) or 'none'}",
                expected="rows TLS (or ..._TAXSUB), VA (or VALU), OUT (or OUTPUT); last column OUT, TOTAL or DISC",
                do="the file is cut short or of an unknown edition; with edition='other' further rows are read",
            ),
            path=source.path,
        )
    outputs = [c for c in tail if c != DISCREPANCY]
    totals = [r for r in OUTPUT_ROWS if r in row_at]
    if not totals:
        raise _no_output(source, matrix)
    return _Layout(
        industries=[column_at[c] for c in industries],
        final=[column_at[c] for c in final],
        final_labels=list(final.values()),
        output_column=column_at[outputs[0]] if outputs else None,
        discrepancy=column_at.get(DISCREPANCY),
        rows=[row_at[c] for c in industries],
        others=_below(matrix, taxes, more),
        value_added=row_at[found[0]],
        output_row=row_at[totals[0]],
    )


def _no_output(source: Source, matrix: TextMatrix) -> ReaderError:
    return ReaderError(
        explain(
            f"{matrix.name}: no row of output",
            got=f"{len(matrix.rows)} rows, the last {matrix.rows[-1]!r} in line {matrix.lines[-1]}",
            expected=f"one of {listing(OUTPUT_ROWS)}",
            do="the file is cut short; get it from its publisher again",
        ),
        path=source.path,
        line=matrix.lines[-1],
    )


def _below(matrix: TextMatrix, taxes: list[str], more: list[str]) -> dict[str, list[int]]:
    """Return the positions of the rows between intermediate use and value added, by name and in their order."""
    found: dict[str, list[int]] = {}
    for position, row in enumerate(matrix.rows):
        if row in taxes or row in more:
            found.setdefault(TAXES if row in taxes else row, []).append(position)
    return found


def _final(matrix: TextMatrix) -> dict[str, tuple[str, str]]:
    """Return the columns of final demand by their categories: label -> (absorber, category)."""
    return {c: f for c in matrix.columns if (f := _final_label(c)) is not None}


def part_of(area: str) -> str | None:
    """Return the country of which an area is a part by its label (``CN1``, ``MX2``), ``None`` where it is none."""
    return PARTS[area[:2]] if _PART.match(area) else None


def _other_final(matrix: TextMatrix) -> dict[str, tuple[str, str]]:
    """Return the columns of a country that no row has: label -> (absorber, category), whatever the categories are."""
    rows = {r for r in matrix.rows if "_" in r}
    areas = {split_label(r)[0] for r in rows.intersection(matrix.columns)}
    countries = areas | {part_of(a) for a in areas}
    found = {}
    for column in matrix.columns:
        first, rest = split_label(column)
        if column in rows or not rest:
            continue
        if first in countries:
            found[column] = first, rest
        elif rest in countries:  # HFCE_AUS, as in the 2016 edition
            found[column] = rest, first
    return found


def _positions(source: Source, matrix: TextMatrix, kind: str, labels: tuple[str, ...]) -> dict[str, int]:
    place: dict[str, int] = {}
    double = [label for i, label in enumerate(labels) if place.setdefault(label, i) != i]
    if double:
        lines = [matrix.lines[i] for i, label in enumerate(labels) if label in double] if kind == "row" else []
        raise ReaderError(
            explain(
                f"{matrix.name}: {kind} labels stand twice" + (f", lines {listing(lines)}" if lines else ""),
                got=listing(repr(d) for d in double),
                expected="each label once",
                do="get the file from its publisher again",
            ),
            path=source.path,
            line=lines[0] if lines else 1,
        )
    return place


def _same_labels(source: Source, matrix: TextMatrix, rows: list[str], columns: list[str]) -> None:
    only_rows, only_columns = set(rows) - set(columns), set(columns) - set(rows)
    if only_rows or only_columns or not rows or not columns:
        parts = []
        if only_columns:
            parts.append(f"{len(only_columns)} columns without a row: {listing(sorted(only_columns))}")
        if only_rows:
            parts.append(f"{len(only_rows)} rows without a column: {listing(sorted(map(repr, only_rows)))}")
        raise ReaderError(
            explain(
                f"{matrix.name}: row and column labels differ",
                got="; ".join(parts) or "no industry rows",
                expected=f"the same {len(columns)} area_sector labels on both sides",
                do="part of the table is missing or its labels are damaged: get it from its publisher again; with "
                "edition='other' other categories of final demand are read",
            ),
            path=source.path,
        )


def _edition(source: Source, matrix: TextMatrix, labels: list[tuple[str, str]], given: str | None) -> str:
    from tiva.concordances import sectors

    if given is not None:
        if given not in {*EDITIONS, OTHER}:
            raise UnknownLabelError("edition", given, (*EDITIONS, OTHER))
        return given
    codes = {sector for _, sector in labels}
    for edition, scheme in EDITIONS.items():
        known = {s.code for s in sectors(scheme)}
        if edition == "2016":  # the letters after the digits vary between notes and files
            if {_digits(c) for c in codes} <= {_digits(c) for c in known}:
                return edition
        elif codes <= known:
            return edition
    raise ReaderError(
        explain(
            f"{matrix.name}: sector codes of no known ICIO edition",
            got=f"{len(codes)} sectors: {listing(sorted(codes))}",
            expected=f"those of one of the editions {listing(EDITIONS, limit=9)}",
            do="read it with edition='other' if the layout is otherwise that of an ICIO csv",
        ),
        path=source.path,
    )


def _digits(code: str) -> str:
    match = _DIGITS_2016.match(code)
    return match.group() if match else code


def _blocks(
    source: Source, matrix: TextMatrix, layout: _Layout, labels: list[tuple[str, str]], missing: Missing
) -> Blocks:
    notes = []
    extra = [] if layout.discrepancy is None else [layout.discrepancy]
    if missing == "error":
        require_no_empty(source, matrix, layout.rows, layout.industries + layout.final + extra)
        more = [k for name, rows in layout.others.items() if name != TAXES for k in rows]
        require_no_empty(source, matrix, more, layout.industries + layout.final)
    z = matrix.take(layout.rows, layout.industries)
    f = matrix.take(layout.rows, layout.final + extra)
    if missing == "zero" and (empty := int(np.isnan(z).sum() + np.isnan(f).sum())):
        z, f = np.nan_to_num(z), np.nan_to_num(f)
        notes.append(f"{empty} empty cells were taken as zero, as asked for with missing='zero'")
    output: FloatArray | None = None
    if layout.output_column is not None:
        output = matrix.take(layout.rows, [layout.output_column])[:, 0]
    else:
        output = matrix.take([layout.output_row], layout.industries)[0]
    split = {a: whole for a in dict.fromkeys(a for a, _ in labels) if (whole := part_of(a)) is not None}
    final_labels = layout.final_labels
    if extra:
        f, final_labels = _with_discrepancy(f, final_labels, [split.get(a, a) for a, _ in labels], notes)
    va = matrix.take([layout.value_added], layout.industries)[0]
    for what, values in (("value added", va), ("output", output)):
        if values is not None and np.isnan(values).any():
            lost = [matrix.columns[layout.industries[i]] for i in np.flatnonzero(np.isnan(values))]
            raise ReaderError(
                explain(f"{matrix.name}: empty cells in {what}", got=listing(lost), do="get the file again"),
                path=source.path,
            )
    others = {name: _row_below(matrix, layout, rows, len(final_labels)) for name, rows in layout.others.items()}
    if taxes := layout.others.get(TAXES):
        if len(taxes) > 1:
            notes.append(f"{TAXES}: sum of {len(taxes)} rows by taxing country")
    elif matrix.rows[layout.value_added] == "VA+TAXSUB":
        notes.append("this edition publishes value added and taxes less subsidies on products in one row")
    return Blocks(
        labels=labels,
        intermediate=z,
        final_labels=final_labels,
        final=f,
        value_added=va,
        output=output,
        others=others,
        split=split,
        notes=tuple(notes),
        rows_at=[f"line {matrix.lines[r]}" for r in layout.rows],
        columns_at=[f"column {k + 2}" for k in layout.industries],
        output_row=_output_row(matrix, layout),
    )


def _row_below(matrix: TextMatrix, layout: _Layout, rows: list[int], width: int) -> tuple[FloatArray, FloatArray]:
    """Return the sum of rows below the table, on intermediate use and on final demand (none on a discrepancy)."""
    # blank is how some releases write 'not applicable' in the final-demand part of taxes
    on_final = np.zeros(width)
    on_final[: len(layout.final)] = np.nan_to_num(matrix.take(rows, layout.final)).sum(axis=0)
    return np.nan_to_num(matrix.take(rows, layout.industries)).sum(axis=0), on_final


def _output_row(matrix: TextMatrix, layout: _Layout) -> FloatArray | None:
    """Return the row OUT, ``None`` where a release leaves it blank."""
    row = matrix.take([layout.output_row], layout.industries)[0]
    return None if np.isnan(row).any() else row


def _with_discrepancy(
    f: FloatArray, final_labels: list[tuple[str, str]], countries: list[str], notes: list[str]
) -> tuple[FloatArray, list[tuple[str, str]]]:
    """Turn the last column of ``f`` (no absorber) into a final use of each seller's own country, where it is not zero.

    The 2016 edition closes its rows with it: output = intermediate + final use + DISC. Counted as sold at home, it
    enters no export and no import, and final demand still absorbs all output.
    """
    disc, f = f[:, -1], f[:, :-1]
    if not disc.any():
        return f, final_labels
    absorbers = list(dict.fromkeys(c for c, _ in final_labels))
    own = np.array([[c == a for a in absorbers] for c in countries])
    total, net = np.abs(disc).sum(), disc.sum()
    notes.append(
        f"column {DISCREPANCY} (statistical discrepancy of each row, without an absorber) is final use of the seller's "
        f"own country, category {DISCREPANCY}: sum of sizes {total:.6g}, net {net:.6g}"
    )
    return np.hstack([f, disc[:, None] * own]), [*final_labels, *((a, DISCREPANCY) for a in absorbers)]


def _refuse_full(source: Source, blocks: Blocks, inside: BoolArray, countries: set[str]) -> None:
    """Refuse countries that have parts of their own and are not empty themselves."""
    sizes = {
        "rows": np.abs(blocks.intermediate[inside]).sum() + np.abs(blocks.final[inside]).sum(),
        "columns": np.abs(blocks.intermediate[:, inside]).sum(),
        "output": 0.0 if blocks.output is None else np.abs(blocks.output[inside]).sum(),
        "value added": 0.0 if blocks.value_added is None else np.abs(blocks.value_added[inside]).sum(),
    }
    full = [f"{k} sum to {s:.6g}" for k, s in sizes.items() if s]
    if not full:
        return
    stray = np.argwhere((blocks.intermediate != 0) & (inside[:, None] | inside[None, :]))
    for i, j in stray[:1].tolist():
        row, column = ("_".join(blocks.labels[k]) for k in (i, j))
        full.append(f"first cell that is not zero: {row} ({blocks.rows_at[i]}), {column} ({blocks.columns_at[j]})")
    raise ReaderError(
        explain(
            f"{source.name}: {listing(sorted(countries))} have parts of their own, but are not empty",
            got=listing(full),
            expected="zeros, with all flows in the parts (CN1, CN2, MX1, MX2)",
            do="cells may be shifted: compare the file with its publisher's; or take them as one more part each with "
            "parents='keep', if that is what the file means",
        ),
        path=source.path,
    )


def _without_parents(source: Source, blocks: Blocks, parents: Parents) -> Blocks:
    countries = {c for c in blocks.split.values() if any(a == c for a, _ in blocks.labels)}
    if not countries or parents == "keep":
        return blocks
    inside = np.array([a in countries for a, _ in blocks.labels])
    _refuse_full(source, blocks, inside, countries)
    left = np.flatnonzero(~inside).tolist()
    note = f"empty rows and columns of {', '.join(sorted(countries))} left out; their flows are in the parts"

    def kept(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[left]

    return replace(
        blocks,
        labels=[blocks.labels[i] for i in left],
        intermediate=blocks.intermediate[np.ix_(left, left)],
        final=blocks.final[left],
        value_added=kept(blocks.value_added),
        output=kept(blocks.output),
        others={k: (row[left], final) for k, (row, final) in blocks.others.items()},
        notes=(*blocks.notes, note),
        rows_at=[blocks.rows_at[i] for i in left],
        columns_at=[blocks.columns_at[i] for i in left],
        output_row=kept(blocks.output_row),
    )


READERS = (Reader("oecd", "OECD ICIO csv, editions 2016 to 2025, small and extended", recognise, read),)
