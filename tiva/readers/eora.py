"""Eora26: text matrices T, FD and VA with label files, thousand USD."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tiva.errors import ReaderError, explain
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.readers.grids import (
    NO_ROWS_NOTE,
    RESIDUAL_NOTE,
    Pair,
    ValueAddedChoice,
    balancing_row,
    check_choice,
    check_year,
    guarded,
    iso3,
    members,
    pick,
    positions,
    read_grid,
    refuse,
)
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.readers.totals import PUBLISHED_ROUNDING, Gaps, Places, Totals, check_gaps_option, check_totals
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

FINAL_DEMAND: Mapping[str, str] = {
    "P.3h": "HFCE",
    "P.3n": "NPISH",
    "P.3g": "GGFC",
    "P.51": "GFCF",
    "P.52": "INVNT",
    "P.53": "VALUABLES",
}
"""Code at the end of the label in the file -> name of the category; other labels stay as they are."""

FACTORS: Mapping[str, float] = {"thousand USD": 1.0, "million USD": 1e-3}
"""Unit of the table -> what the numbers of the files are multiplied with."""

MAX_GAP = 0.5
"""Output less inputs less value added, in absolute terms and of world output: Eora26 does not balance, but shifted
columns miss by far more."""

DISCREPANCY = "DISCREPANCY"
"""Name of the input row that holds output less inputs less value added."""

EORA_LICENCE = "academic use; see the publisher"

_MATRIX = re.compile(r"(?:^|[/!])(?:Eora26_)?(\d{4})_(bp|pp)_(T|FD|VA)\.txt$", re.IGNORECASE)
Prices = Literal["bp", "pp"]


def read_eora(
    source: Source,
    *,
    year: int | None = None,
    value_added: ValueAddedChoice = "residual",
    unit: Literal["thousand USD", "million USD"] = "thousand USD",
    prices: Prices = "bp",
    labels: str | Path | None = None,
    gaps: Gaps = "refuse",
) -> IcioTable:
    """Read Eora26 matrices.

    The rest of the world of Eora26 (``ROW``, statistical discrepancies) has the one sector ``TOTAL``. The table
    has ``TOTAL`` as a sector of every country, empty outside ``ROW``, and ``ROW`` is empty in the other sectors: all
    flows stay where the publisher put them.

    Parameters
    ----------
    source
        Folder or archive with ``..._T.txt``, ``..._FD.txt``, ``..._VA.txt`` and the label files.
    year
        Year to take where there are several.
    value_added
        ``"published"``: the sum of the rows of the VA file; as Eora26 does not balance, the gap is the input row
        ``DISCREPANCY``. ``"residual"``: output less intermediate inputs; without a VA file, which is noted, columns
        cannot be checked.
    unit
        ``"thousand USD"`` as in the files, or ``"million USD"``, for which all numbers are multiplied by 0.001.
    prices
        Basic (``"bp"``) or purchasers' (``"pp"``) prices, where both are there.
    labels
        Folder or archive with ``labels_T.txt``, ``labels_FD.txt`` and ``labels_VA.txt`` (``indices.zip``), where they
        are not with the matrices; ``indices.zip`` beside the source is found by itself.
    gaps
        ``"refuse"``: rows of T that are shifted by one cell are refused by their lines, where inputs and value added
        show it; ``"keep"``: they are kept, with a warning. The files state no totals and do not balance, so that a
        cell that was changed, or a row of FD that is shifted, cannot be seen.

    Returns
    -------
    IcioTable
        Output is the row sum.

    Raises
    ------
    ReaderError
        Missing files, labels that do not fit the matrices, cells that are no numbers.
    """
    check_choice("value_added", value_added, ("published", "residual"))
    check_choice("unit", unit, tuple(FACTORS))
    check_choice("prices", prices, ("bp", "pp"))
    check_gaps_option(gaps)
    found = {name: match for name in members(source, ".txt") if (match := _MATRIX.search(name))}
    flows = [name for name, m in found.items() if m[3].upper() == "T" and m[2].lower() == prices]
    if not flows:
        got = f"{', '.join(list(found)[:5]) or source.describe()}"
        refuse(source, f"no transaction matrix in {prices} prices", got=got, expected=f"Eora26_YYYY_{prices}_T.txt")
    member = pick(source, flows, year, "Eora26 transaction matrix", lambda n: int(found[n][1]))
    parts = {"T": member}
    for part in ("FD", "VA"):
        name = member[: found[member].start(3)] + part + ".txt"
        beside = [n for n in found if n.casefold() == name.casefold()]
        if beside:
            parts[part] = beside[0]
        elif part == "FD" or value_added == "published":
            got, expected = "; ".join(sorted(found)), name
            refuse(source, f"half of a table: no {part} matrix", got=got, expected=expected, do="add the file")
    year = check_year(source, member, int(found[member][1]), year)
    with open_labels(source, labels) as index:
        axes = _Labels.read(index)
    return _table(source, parts, axes, year, value_added, unit, prices, gaps)


def _recognise(source: Source) -> bool:
    names = members(source, ".txt")
    return any((m := _MATRIX.search(n)) and m[3].upper() == "T" for n in names)


def open_labels(source: Source, labels: str | Path | None) -> Source:
    """Open where the label files are: ``labels``, the source, or ``indices.zip`` beside it."""
    if labels is not None:
        path = Path(labels)
    elif _find_labels(source, "labels_T.txt"):
        path = source.path
    else:
        path = source.path.parent / "indices.zip"
    if not path.exists():
        msg = explain(
            f"{source.name}: no label files",
            got=source.describe(),
            expected="labels_T.txt, labels_FD.txt and labels_VA.txt, there or in indices.zip beside it",
            do="get indices.zip from the publisher and put it beside the table, or pass labels=...",
        )
        raise ReaderError(msg, path=source.path)
    try:
        return Source(path)
    except (OSError, ValueError, RuntimeError) as error:
        raise ReaderError(explain(f"{path.name}: cannot be opened", got=str(error)), path=path) from error


def _find_labels(source: Source, name: str) -> str | None:
    found = [n for n in members(source, ".txt") if re.split(r"[/!]", n)[-1].casefold() == name.casefold()]
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class _Labels:
    rows: list[Pair]
    final: list[Pair]
    value_added: list[str]

    @classmethod
    def read(cls, source: Source) -> _Labels:
        return cls(
            [(row[1], row[3]) for row in read_labels(source, "labels_T.txt", 4)],
            [(row[1], row[3]) for row in read_labels(source, "labels_FD.txt", 4)],
            [row[1] for row in read_labels(source, "labels_VA.txt", 2)],
        )


def read_labels(source: Source, name: str, fields: int) -> list[list[str]]:
    """Return the fields of each line of a label file; the first ``fields`` of them must be filled."""
    member = _find_labels(source, name)
    if member is None:
        refuse(source, f"no {name}", got=source.describe(), expected=name)
    with guarded(source, member):
        lines = source.read_bytes(member).decode("utf-8-sig").splitlines()
    rows = []
    for i, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = [field.strip() for field in line.split("\t")]
        if len(row) < fields or not all(row[1:fields] or row[:1]):
            expected = {4: "country, code, kind, label", 2: "kind, label"}.get(fields, "label")
            refuse(source, "a label is missing", member=member, line=i, got=repr(line[:80]), expected=expected)
        rows.append(row)
    return rows


@dataclass(frozen=True, slots=True)
class _Axes:
    """Country-sectors of the table, and which of them the files hold: all but the rest of the world's other ones.

    Attributes
    ----------
    areas, sectors, categories
        Labels in order of first appearance.
    pairs
        Country-sectors that the files hold, in the order of the table.
    order, final_order
        Their positions in the files, and those of final demand.
    place
        Their positions in the table.
    notes
        What the table has that the files do not.
    """

    areas: tuple[str, ...]
    sectors: tuple[str, ...]
    categories: tuple[str, ...]
    pairs: list[Pair]
    order: IntArray
    final_order: IntArray
    place: IntArray
    notes: tuple[str, ...]

    @classmethod
    def of(cls, source: Source, parts: Mapping[str, str], labels: _Labels) -> _Axes:
        areas = tuple(dict.fromkeys(a for a, _ in labels.rows))
        sectors = tuple(dict.fromkeys(s for _, s in labels.rows))
        known = set(labels.rows)
        rest = {a for a in areas if a == "ROW" and sum(1 for pair in known if pair[0] == a) == 1}
        only_rest = {s for a, s in known if a in rest} - {s for a, s in known if a not in rest}
        if len(areas) * len(sectors) > 2 * len(known) + 100:
            got = f"{len(areas)} countries and {len(sectors)} sectors in {len(known)} labels"
            refuse(source, "labels_T.txt does not have every country with every sector", got=got)
        pairs = [(a, s) for a in areas for s in sectors if not rest or (a in rest) == (s in only_rest)]
        categories = tuple(dict.fromkeys(c for _, c in labels.final))
        final = [(a, c) for a in areas for c in categories]
        note = f"{listing_of(rest)} has the one sector {listing_of(only_rest)}; it is empty elsewhere"
        return cls(
            areas,
            sectors,
            categories,
            pairs,
            positions(source, pairs, labels.rows, what="labels_T.txt", member=parts["T"]),
            positions(source, final, labels.final, what="labels_FD.txt", member=parts["FD"]),
            np.array([areas.index(a) * len(sectors) + sectors.index(s) for a, s in pairs]),
            (note,) if rest else (),
        )


def _table(
    source: Source,
    parts: Mapping[str, str],
    labels: _Labels,
    year: int | None,
    value_added: ValueAddedChoice,
    unit: str,
    prices: str,
    gaps: Gaps,
) -> IcioTable:
    axes, factor, count = _Axes.of(source, parts, labels), FACTORS[unit], len(labels.rows)
    n = len(axes.areas) * len(axes.sectors)
    z, y, added = np.zeros((n, n)), np.zeros((n, len(axes.final_order))), np.zeros(n)
    flows = _matrix(source, parts["T"], count, count)
    z[np.ix_(axes.place, axes.place)] = flows[np.ix_(axes.order, axes.order)] * factor
    demand = _matrix(source, parts["FD"], count, len(labels.final))
    y[axes.place] = demand[np.ix_(axes.order, axes.final_order)] * factor
    notes = [f"numbers of the files (thousand USD) times {factor:g}", f"{prices} prices", *axes.notes]
    published, others = None, {}
    if "VA" in parts:
        rows = _matrix(source, parts["VA"], len(labels.value_added), count)
        added[axes.place] = rows[:, axes.order].sum(axis=0) * factor
        output = z.sum(axis=1) + y.sum(axis=1)
        gap, note = balancing_row(output, z.sum(axis=0), added, DISCREPANCY)
        _check_gap(source, parts["T"], gap, output)
        notes.extend(check_totals(source, parts["T"], _totals(axes, z, y, added), gaps))
        if value_added == "published":
            published, others = added, {DISCREPANCY: gap}
            notes.append(note)
    if published is None:
        notes.append(RESIDUAL_NOTE if "VA" in parts else f"{NO_ROWS_NOTE} (no VA matrix beside {parts['T']})")
    names = iso3(axes.areas, "EORA26")
    return IcioTable.from_arrays(
        z,
        y,
        countries=[names[a] for a in axes.areas],
        sectors=axes.sectors,
        final_demand_categories=[FINAL_DEMAND.get(c.split()[-1], c) for c in axes.categories],
        value_added=published,
        other_inputs=others,
        year=year,
        unit=unit,
        currency="USD",
        provenance=Provenance(
            source="Eora26",
            files=tuple(source.describe_file(name) for name in parts.values()),
            reader="eora",
            licence=EORA_LICENCE,
            citation="Lenzen, Moran, Kanemoto and Geschke (2013), Economic Systems Research 25: 20-49",
            notes=tuple(notes),
        ),
    )


def _totals(axes: _Axes, z: FloatArray, y: FloatArray, added: FloatArray) -> Totals:
    live = axes.place
    return Totals(
        places=Places([".".join(pair) for pair in axes.pairs], [f"line {i + 1}" for i in axes.order.tolist()]),
        intermediate=z[np.ix_(live, live)],
        final=y[live],
        output=None,
        below=added[live],
        rounding=PUBLISHED_ROUNDING,
        balanced=False,
        joined=False,
    )


def _check_gap(source: Source, member: str, gap: FloatArray, output: FloatArray) -> None:
    share = float(np.abs(gap).sum() / max(float(np.abs(output).sum()), np.finfo(float).tiny))
    if share > MAX_GAP:
        refuse(
            source,
            "columns do not add up to the sums of rows",
            member=member,
            got=f"inputs and value added miss {share:.0%} of world output",
            expected=f"at most {MAX_GAP:.0%}",
            do="columns are shifted, or the matrices are of different releases; get the files again",
        )


def listing_of(labels: set[str]) -> str:
    """Join labels in alphabetical order."""
    return ", ".join(sorted(labels))


def _matrix(source: Source, member: str, rows: int, columns: int) -> FloatArray:
    grid = read_grid(source, member, separator="\t", header_lines=0, label_columns=0, width=columns)
    if len(grid.values) != rows:
        refuse(
            source,
            "another number of rows than labels",
            member=member,
            got=f"{len(grid.values)} rows",
            expected=f"{rows}",
            do="the file is cut off, or the labels are of another release",
        )
    return grid.values


READERS = (Reader("eora", "Eora26 text matrices with labels, folder or zip", _recognise, read_eora),)
