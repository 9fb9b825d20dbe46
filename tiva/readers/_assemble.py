"""From labelled blocks of a file to a table: order by label, value-added convention, empty parents, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from tiva.errors import ReaderError, TableError, UnknownLabelError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers.source import Source
from tiva.readers.totals import Gaps, Places, Totals, check_gaps_option, check_totals
from tiva.table.icio_table import IcioTable, OtherInput, ValueAddedKind
from tiva.table.provenance import Provenance

OutputKind = Literal["published", "rows"]


@dataclass(frozen=True, slots=True)
class Blocks:
    """A table as found in a file.

    Attributes
    ----------
    labels
        n pairs (area, sector), in the order of rows and columns of ``intermediate``.
    intermediate
        Shape (n, n).
    final_labels
        K pairs (absorber, category).
    final
        Shape (n, K).
    value_added
        Shape (n,) or ``None`` where the source has none.
    output
        Shape (n,) or ``None``.
    others
        Rows between intermediate use and value added: name -> (shape (n,), shape (K,) or ``None``).
    split
        Area -> country for parts of a country.
    notes
        Choices made so far.
    rounding
        Most by which each cell was rounded or cut, 0 where it is not known.
    rows_at, columns_at
        Places of rows and columns in the file, for messages; empty where labels say it all.
    intermediate_total, output_row
        Shape (n,) or ``None``: sums of the columns of ``intermediate``, and output, as stated below them.
    """

    labels: Sequence[tuple[str, str]]
    intermediate: FloatArray
    final_labels: Sequence[tuple[str, str]]
    final: FloatArray
    value_added: FloatArray | None
    output: FloatArray | None
    others: Mapping[str, tuple[FloatArray, FloatArray | None]] = field(default_factory=dict)
    split: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rounding: float = 0.0
    rows_at: Sequence[str] = ()
    columns_at: Sequence[str] = ()
    intermediate_total: FloatArray | None = None
    output_row: FloatArray | None = None

    def totals(self, rounding: tuple[float, float]) -> Totals:
        """Return what the file says that its cells add up to."""
        below = self.value_added
        if below is not None:
            below = sum((row for row, _ in self.others.values()), start=below)
        labels = [f"{area}.{sector}" for area, sector in self.labels]
        return Totals(
            places=Places(labels, self.rows_at, self.columns_at),
            intermediate=self.intermediate,
            final=self.final,
            output=self.output,
            below=below,
            intermediate_total=self.intermediate_total,
            output_row=self.output_row,
            rounding=rounding,
            slack=self.rounding * (self.intermediate.shape[1] + self.final.shape[1]),
        )


def grid(source: Source, what: str, labels: Sequence[tuple[str, str]]) -> tuple[list[str], list[str], list[int]]:
    """Return outer labels, inner labels, and where each pair of them stands, outer-major.

    Raises
    ------
    ReaderError
        A pair is missing or stands twice.
    """
    outer = list(dict.fromkeys(a for a, _ in labels))
    inner = list(dict.fromkeys(b for _, b in labels))
    place: dict[tuple[str, str], int] = {}
    double = [label for i, label in enumerate(labels) if place.setdefault(label, i) != i]
    missing = [(a, b) for a in outer for b in inner if (a, b) not in place]
    if double or missing:
        raise ReaderError(
            explain(
                f"{source.name}: {what} are not a full grid of {len(outer)} x {len(inner)} labels",
                got=("twice: " if double else "missing: ") + listing(f"{a}_{b}" for a, b in double or missing),
                expected="each pair once",
                do="the file is cut short, mixed or damaged; get it from its publisher again",
            ),
            path=source.path,
        )
    return outer, inner, [place[a, b] for a in outer for b in inner]


def check_options(value_added: str, output: str) -> None:
    """Raise :class:`UnknownLabelError` for an option value that does not exist."""
    if value_added not in get_args(ValueAddedKind):
        raise UnknownLabelError("value_added option", value_added, get_args(ValueAddedKind))
    if output not in get_args(OutputKind):
        raise UnknownLabelError("output option", output, get_args(OutputKind))


def assemble(
    source: Source,
    member: str,
    blocks: Blocks,
    provenance: Provenance,
    *,
    value_added: str,
    output: str,
    year: int | None,
    gaps: Gaps,
    unit: str = "million USD",
    currency: str = "USD",
) -> IcioTable:
    """Build the table.

    Parameters
    ----------
    source, member
        For messages.
    blocks
        What the file holds.
    provenance
        To which the notes are added.
    value_added
        ``"residual"``: output less intermediate inputs, so that all content of a product is value added of some
        country (V B = u', as OECD); ``"published"``: the published row, with the rows between kept apart.
    output
        ``"published"`` or ``"rows"`` (row sums).
    year, unit, currency
        Description of the data.
    gaps
        What to do with rows and columns that are far from the totals of the file.

    Raises
    ------
    ReaderError
        The labels do not form a full grid, or the file contradicts itself.
    """
    check_options(value_added, output)
    check_gaps_option(gaps)
    areas, sectors, rows = grid(source, "rows", blocks.labels)
    absorbers, categories, columns = grid(source, "final-demand columns", blocks.final_labels)
    notes = [*blocks.notes, *check_totals(source, member, blocks.totals(provenance.rounding), gaps)]
    z = _taken(blocks.intermediate, rows, rows)
    split = {a: c for a, c in blocks.split.items() if a in areas}
    countries = list(dict.fromkeys(split.get(a, a) for a in areas))
    if set(countries) != set(absorbers):
        raise ReaderError(
            explain(
                f"{source.name}: producing countries and final demand do not match",
                got=listing(sorted(set(countries) ^ set(absorbers))) + " on one side only",
                do="half of the table is missing, or its labels are damaged; get it again",
            ),
            path=source.path,
        )
    g, c = len(countries), len(categories)
    order = [columns[absorbers.index(k) * c + j] for k in countries for j in range(c)]
    f = _taken(blocks.final, rows, order).reshape(len(rows), g, c)
    published = None if blocks.output is None else blocks.output[rows]
    x = _output(z, f, published, output, notes)
    va, others = _value_added(source, blocks, rows, order, (g, c), value_added, notes)
    try:
        return IcioTable.from_arrays(
            z,
            f,
            countries=areas,
            sectors=sectors,
            final_demand_categories=categories,
            value_added=va,
            output=x,
            other_inputs=others,
            split_countries=split,
            year=year,
            unit=unit,
            currency=currency,
            provenance=provenance.noting(*notes),
        )
    except TableError as error:
        raise ReaderError(f"{source.name}: {error}", path=source.path) from error


def _taken(values: FloatArray, rows: list[int], columns: list[int]) -> FloatArray:
    """Rows and columns by position; a view where they are all in place (a copy of a full table is 130 MB)."""
    if rows == list(range(values.shape[0])) and columns == list(range(values.shape[1])):
        return values
    return values[np.ix_(rows, columns)]


def _output(
    z: FloatArray, f: FloatArray, published: FloatArray | None, kind: str, notes: list[str]
) -> FloatArray | None:
    if published is None:
        if kind == "published":
            notes.append("output: row sums, the source has none")
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        gap = z.sum(axis=1) + f.sum(axis=(1, 2)) - published
    chosen = "published" if kind == "published" else "row sums"
    notes.append(f"output: {chosen}; row sums and published output differ by at most {np.abs(gap).max():.6g}")
    return published if kind == "published" else None


def _value_added(
    source: Source,
    blocks: Blocks,
    rows: list[int],
    order: list[int],
    shape: tuple[int, int],
    kind: str,
    notes: list[str],
) -> tuple[FloatArray | None, dict[str, OtherInput]]:
    if kind == "residual":
        kept = f"; it holds {listing(blocks.others, limit=10)} too" if blocks.others else ""
        notes.append(f"value added: output less intermediate inputs{kept}")
        return None, {}
    if blocks.value_added is None:
        raise ReaderError(
            explain(
                f"{source.name}: no published value added in this source",
                got="value_added='published'",
                do="take value_added='residual'",
            ),
            path=source.path,
        )
    notes.append("value added: as published; the rows between it and intermediate use are kept by name")
    others = {
        name: OtherInput(row[rows], None if final is None else final[order].reshape(shape))
        for name, (row, final) in blocks.others.items()
    }
    return blocks.value_added[rows], others
