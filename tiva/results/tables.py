"""Results as tables that print: millions and percent of gross exports, sorted, with totals and the residual."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tiva.errors import UnknownLabelError, UnsupportedCombinationError, UsageError, explain
from tiva.results import closure
from tiva.results.labels import NO_EXPORT_HOME
from tiva.results.size_text import coverage_lines
from tiva.terms import Method, find_method, term

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console, ConsoleOptions
    from rich.table import Table

    from tiva.kernels.arrays import FloatArray

TEXT_WIDTH = 110
"""Columns of plain text; a table that is wider continues below, with its labels repeated."""

ROWS_SHOWN = 40
"""Rows printed before the smaller ones are summed into one."""

VISIBLE = 5e-8
"""Share of gross exports from which a discrepancy is a column: half a unit of the last digit shown is 5e-4."""

BESIDE = ("gvc", "fva_corrected", "fdc_corrected")
"""Terms that are shown beside those that sum to the gross flow: participation, and what corrects a known bias."""

_SEPARATOR = "  "
_DIGITS = 4
"""Significant digits of the largest amount, at least; digits after the point of numbers in another unit."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of numbers.

    Attributes
    ----------
    term
        Code of the term.
    unit
        Unit of the amounts, ``"%"`` for shares of gross exports.
    values
        Shape (rows,); of the rows as shown, the sum of the rest included.
    total
        Value of the last row, ``nan`` where the terms may not be summed.
    decimals
        Digits printed after the point; the same for all columns of a unit.
    """

    term: str
    unit: str
    values: FloatArray
    total: float
    decimals: int

    def text(self, value: float) -> str:
        """Return a number as it is printed."""
        return f"{value:,.{self.decimals}f}" if np.isfinite(value) else "-"

    @property
    def cells(self) -> list[str]:
        """The rows as texts."""
        return [self.text(float(value)) for value in self.values]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A result that prints: as text with ``str``, in a notebook as HTML, on a rich console as tables.

    Attributes
    ----------
    title
        Method and table.
    keys
        Names of the label columns (``exporter``, ``sector``, ...).
    labels
        One tuple a row, in the order of ``keys``.
    columns
        The numbers.
    total_label
        Label of the totals row; empty where terms may not be summed.
    footer
        Lines below: residual, what is not shown, names of the terms, notes of the result.
    """

    title: str
    keys: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    columns: tuple[Column, ...]
    total_label: str
    footer: tuple[str, ...]

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, width: int = TEXT_WIDTH) -> str:
        """Return plain text at most ``width`` wide where a column fits; wider tables continue below."""
        parts = [self.title, ""]
        for block in self._blocks(width):
            parts.extend(self._text_block(block))
            parts.append("")
        for text in self.footer:
            parts.extend(textwrap.wrap(text, width, subsequent_indent="  "))
        return "\n".join(parts)

    def tables(self, width: int = TEXT_WIDTH) -> list[Table]:
        """Return rich tables, each at most ``width`` wide where a column fits."""
        from rich import box
        from rich.table import Table

        made = []
        for block in self._blocks(width):
            table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_footer=bool(self.total_label))
            for position, key in enumerate(self.keys):
                table.add_column(key, self.total_label if position == 0 else "", no_wrap=True)
            for column, unit in zip(block, _units(block), strict=True):
                header = f"{column.term}\n[dim]{unit}[/dim]"
                table.add_column(header, column.text(column.total), justify="right", no_wrap=True)
            cells = [column.cells for column in block]
            for row, label in enumerate(self.labels):
                table.add_row(*(text.replace("[", r"\[") for text in label), *(c[row] for c in cells))
            made.append(table)
        return made

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Yield title, tables that fit the console, and the lines below."""
        from rich.text import Text

        yield Text(self.title, style="bold")
        yield from self.tables(options.max_width)
        for line in self.footer:
            yield Text(line, style="dim")

    def _repr_html_(self) -> str:
        right = "style='text-align:right'"
        head = "".join(f"<th>{html.escape(key)}</th>" for key in self.keys)
        head += "".join(f"<th {right}>{html.escape(c.term)}<br><small>{c.unit}</small></th>" for c in self.columns)
        cells = [column.cells for column in self.columns]
        rows = "".join(
            "<tr>"
            + "".join(f"<th style='text-align:left'>{html.escape(text)}</th>" for text in label)
            + "".join(f"<td {right}>{c[row]}</td>" for c in cells)
            + "</tr>"
            for row, label in enumerate(self.labels)
        )
        if self.total_label:
            rows += f"<tr><th colspan='{len(self.keys)}' style='text-align:left'>{self.total_label}</th>"
            rows += "".join(f"<td {right}><b>{c.text(c.total)}</b></td>" for c in self.columns) + "</tr>"
        footer = "<br>".join(html.escape(line) for line in self.footer)
        caption = html.escape(self.title)
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table><small>{footer}</small>"

    def _label_widths(self) -> list[int]:
        widths = [max(len(key), *(len(label[i]) for label in self.labels)) for i, key in enumerate(self.keys)]
        widths[0] = max(widths[0], len(self.total_label))
        return widths

    def _blocks(self, width: int) -> list[list[Column]]:
        """Split the columns into blocks that fit; shares are kept in one block where one can hold them."""
        room = width - sum(w + len(_SEPARATOR) for w in self._label_widths())
        blocks: list[list[Column]] = [[]]
        for position, column in enumerate(self.columns):
            first_share = column.unit == "%" and self.columns[position - 1].unit != "%"
            together = self.columns[position:] if first_share else (column,)
            fits_here = _block_width([*blocks[-1], *together]) <= room
            fits_next = _block_width(together) <= room
            if blocks[-1] and not fits_here and (fits_next or _block_width([*blocks[-1], column]) > room):
                blocks.append([])
            blocks[-1].append(column)
        return blocks

    def _text_block(self, block: Sequence[Column]) -> list[str]:
        label_widths = self._label_widths()
        widths = _widths(block)

        def line(labels: Sequence[str], cells: Sequence[str]) -> str:
            left = [text.ljust(w) for text, w in zip(labels, label_widths, strict=True)]
            right = [text.rjust(w) for text, w in zip(cells, widths, strict=True)]
            return _SEPARATOR.join([*left, *right]).rstrip()

        empty = [""] * len(self.keys)
        lines = [line(self.keys, [c.term for c in block]), line(empty, _units(block))]
        rule = "-" * max(len(text) for text in lines)
        cells = [column.cells for column in block]
        lines.append(rule)
        lines.extend(line(label, [c[row] for c in cells]) for row, label in enumerate(self.labels))
        if self.total_label:
            lines.append(rule)
            lines.append(line([self.total_label, *empty[1:]], [c.text(c.total) for c in block]))
        return lines


def _units(block: Sequence[Column]) -> list[str]:
    """Units for the header: at the first column of each run of columns with the same one."""
    return [
        column.unit if position == 0 or block[position - 1].unit != column.unit else ""
        for position, column in enumerate(block)
    ]


def _widths(block: Sequence[Column]) -> list[int]:
    units = _units(block)
    return [
        max(map(len, [column.term, unit, column.text(column.total), *column.cells]))
        for column, unit in zip(block, units, strict=True)
    ]


def _block_width(block: Sequence[Column]) -> int:
    return sum(width + len(_SEPARATOR) for width in _widths(block)) - len(_SEPARATOR)


def breakdown(
    dataset: xr.Dataset,
    *,
    exporter: str | Sequence[str] | None = None,
    importer: str | Sequence[str] | None = None,
    sector: str | Sequence[str] | None = None,
    terms: Sequence[str] | None = None,
    rows: int = ROWS_SHOWN,
) -> Breakdown:
    """Return a table that an economist can read.

    Parameters
    ----------
    dataset
        Result of a decomposition at any level.
    exporter, importer, sector
        Selections, as in :func:`tiva.results.accessor.pick`.
    terms
        Codes of the terms to show; when left out the terms that sum to gross exports, and participation.
    rows
        Rows shown; the smaller ones are summed into one row, or only counted where terms may not be summed.

    Returns
    -------
    Breakdown
        Sorted by the gross flow; amounts in the unit of the table, then shares in % of the gross flow of the row. A
        result that has no gross flow has no shares, and is sorted by the sum of its terms.

    Raises
    ------
    UnknownLabelError
        A term, country or sector that does not exist.
    UsageError
        A result without terms, or fewer than one row asked for.
    """
    from tiva.results.accessor import pick

    if rows < 1:
        raise UsageError(explain("a table needs at least one row", got=f"rows={rows}"))
    dataset = pick(dataset, exporter=exporter, importer=importer, sector=sector)
    gross, shown = _columns_to_show(dataset, terms)
    first = gross or shown[0]
    dims = tuple(str(d) for d in dataset[first].dims)
    wide = [name for name in shown if set(dataset[name].dims) - set(dims)]
    if wide:
        raise UsageError(
            explain(
                f"{', '.join(wide)} cannot stand beside {first}",
                got=f"dimensions {', '.join(map(str, dataset[wide[0]].dims))}",
                expected=f"dimensions {', '.join(dims) or 'none'}",
                do="choose terms of one shape, or use tidy()",
            )
        )
    names = [first, *(name for name in shown if name != first)]
    amounts = {name: _flat(dataset, name, dims) for name in names}
    additive = dataset.attrs.get("additive", "true") == "true" and dataset.sizes.get("year", 1) == 1
    labels = _labels(dataset, dims)
    order, cut = _order(amounts, _size(dataset, amounts, gross, additive=additive), rows)
    labels_shown = tuple(labels[i] for i in order) + ((_rest_label(cut, dims),) if len(cut) and additive else ())
    columns = _columns(dataset, amounts, gross, order, cut, additive=additive)
    several = len(order) + len(cut) > 1
    return Breakdown(
        title=str(dataset.attrs.get("title", "")),
        keys=dims or ("",),
        labels=labels_shown,
        columns=columns,
        total_label="total" if additive and several else "",
        footer=_footer(dataset, gross, amounts, cut, additive=additive),
    )


def partition(dataset: xr.Dataset) -> tuple[str | None, tuple[str, ...]]:
    """Return the gross flow of a result and the terms in it that sum to it.

    For a satellite the flow is the satellite's ``content`` of it. Shares, and the terms of a method that has no gross
    flow, have ``None``; no terms where no method says that they sum to it.
    """
    names = [str(name) for name in dataset.data_vars]
    if "denominator" in dataset.attrs:
        return None, ()
    if "vocabulary" in dataset.attrs:
        flow = str(dataset.attrs.get("gross_flow", ""))
        return (flow if flow in names else None), ()
    attributes = {key: str(value) for key, value in dataset.attrs.items()}
    try:
        method = find_method(
            attributes.get("method", ""),
            perspective=attributes.get("perspective") or None,
            approach=attributes.get("approach") or None,
            perimeter=attributes.get("perimeter") or None,
            level=attributes.get("level", "country"),
        )
    except (UnknownLabelError, UnsupportedCombinationError):
        return ("gexp" if "gexp" in names else None), ()
    gross = "content" if "content" in names else _gross_flow(method, names)
    coarse = [t for t in method.partition if t in names]
    fine = [t for t in method.detail_terms if t in names and t != "gexp"]
    complete = {t for t in method.partition if t != "taxes_margins"} <= set(coarse)
    chosen = coarse if complete and coarse else [*fine, *(t for t in ("taxes_margins",) if t in names)]
    return gross, tuple(chosen) if gross is not None else ()


def _gross_flow(method: Method, names: Sequence[str]) -> str | None:
    """Return the first term where others sum to it, else a term that the catalogue calls a gross flow."""
    if method.partition:
        return method.terms[0] if method.terms[0] in names else None
    return next((t for t in method.terms if t in names and term(t, method.method).unit == "gross flow"), None)


def _columns_to_show(dataset: xr.Dataset, terms: Sequence[str] | None) -> tuple[str | None, list[str]]:
    names = [str(name) for name in dataset.data_vars]
    if not names:
        raise UsageError(explain("the result has no terms"))
    gross, parts = partition(dataset)
    if terms is not None:
        for name in terms:
            if name not in names:
                raise UnknownLabelError("term", name, names)
        return gross, [name for name in terms if name != gross]
    shown = list(parts) or [n for n in names if n not in {gross, "discrepancy"}]
    if parts:
        shown += [name for name in BESIDE if name in names]
    if "discrepancy" in names and gross is not None and _visible(dataset, gross):
        shown.append("discrepancy")
    return gross, shown


def _visible(dataset: xr.Dataset, gross: str) -> bool:
    scale = float(np.abs(dataset[gross]).sum())
    return bool(scale) and float(np.abs(dataset["discrepancy"]).max()) > VISIBLE * scale


def _flat(dataset: xr.Dataset, name: str, dims: tuple[str, ...]) -> FloatArray:
    sizes = {d: dataset.sizes[d] for d in dims}
    missing = {d: size for d, size in sizes.items() if d not in dataset[name].dims}
    return np.asarray(dataset[name].expand_dims(missing).transpose(*dims).values, dtype=np.float64).reshape(-1)


def _labels(dataset: xr.Dataset, dims: tuple[str, ...]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [()]
    for d in dims:
        rows = [(*row, str(value)) for row in rows for value in dataset[d].values]
    return rows if dims else [("all",)]


def _size(dataset: xr.Dataset, amounts: dict[str, FloatArray], gross: str | None, *, additive: bool) -> FloatArray:
    """Return what rows are sorted by: the gross flow, else the sum of the terms, else the first term."""
    first = next(iter(amounts))
    if gross is not None or not additive:
        return amounts[gross or first]
    alike = [values for name, values in amounts.items() if _unit(dataset, name) == _unit(dataset, first)]
    return np.asarray(np.sum(alike, axis=0))


def _order(amounts: dict[str, FloatArray], size: FloatArray, rows: int) -> tuple[list[int], list[int]]:
    """Rows by falling size: those shown and those cut; rows that are all zero or missing stay out."""
    stacked = np.stack(list(amounts.values()))
    alive = np.flatnonzero((np.nan_to_num(stacked) != 0).any(axis=0))
    if not len(alive):
        alive = np.arange(stacked.shape[1])
    order = alive[np.argsort(-np.nan_to_num(size[alive]), kind="stable")]
    keep = rows if len(order) > rows + 1 else len(order)
    return [int(i) for i in order[:keep]], [int(i) for i in order[keep:]]


def _rest_label(cut: list[int], dims: tuple[str, ...]) -> tuple[str, ...]:
    return (f"{len(cut):,} more", *("" for _ in dims[1:]))


def _columns(
    dataset: xr.Dataset,
    amounts: dict[str, FloatArray],
    gross: str | None,
    order: list[int],
    cut: list[int],
    *,
    additive: bool,
) -> tuple[Column, ...]:
    unit = _unit(dataset, next(iter(amounts)))

    def rows_of(name: str) -> tuple[FloatArray, float]:
        values = amounts[name][order]
        summable = additive and dataset[name].attrs.get("additive", "true") == "true"
        if cut and additive:
            rest = float(np.nansum(amounts[name][cut])) if summable else np.nan
            values = np.append(values, rest)
        return values, float(np.nansum(amounts[name])) if summable else np.nan

    made, shares = [], []
    scale = max((float(np.nanmax(np.abs(values[order]), initial=0.0)) for values in amounts.values()), default=0.0)
    decimals = int(np.clip(_DIGITS - 1 - np.floor(np.log10(scale)), 0, 8)) if scale > 0 else 0
    for name in amounts:
        values, total = rows_of(name)
        own_unit = _unit(dataset, name)
        made.append(Column(name, own_unit, values, total, decimals if own_unit == unit != "1" else _DIGITS))
        if gross not in {None, name} and own_unit == unit:
            base, base_total = rows_of(str(gross))
            with np.errstate(divide="ignore", invalid="ignore"):
                percent = 100.0 * values / base
                shares.append(Column(name, "%", percent, float(100.0 * np.float64(total) / base_total), 2))
    return (*made, *shares)


def _unit(dataset: xr.Dataset, name: str) -> str:
    return str(dataset[name].attrs.get("units", ""))


def _footer(
    dataset: xr.Dataset, gross: str | None, amounts: dict[str, FloatArray], cut: list[int], *, additive: bool
) -> tuple[str, ...]:
    names = (f"{name}: {dataset[name].attrs.get('long_name', name)}" for name in amounts)
    unit = _unit(dataset, next(iter(amounts)))
    head = {"1": "fractions", "percent": "percent"}.get(unit, f"amounts in {unit}")
    head += f", shares in % of {gross}" if gross is not None else ""
    lines = [f"{head}; {', '.join(names)}"]
    if cut:
        what = "summed in one row" if additive else "not shown"
        share = ""
        if gross is not None:
            share = f": {100 * np.nansum(amounts[gross][cut]) / np.nansum(amounts[gross]):.2f} % of {gross}"
        lines.append(f"{len(cut):,} smaller rows are {what}{share}")
    if not additive:
        lines.append("these rows may not be summed: no totals")
    notes = (f"note: {note}" for note in own_notes(dataset) if note != NO_EXPORT_HOME)
    return (*lines, *closure.lines(dataset, gross), *coverage_lines(dataset), *notes)


def own_notes(dataset: xr.Dataset) -> tuple[str, ...]:
    """Return the notes of a result, without those of its table, which ``tiva info`` prints."""
    try:
        notes = json.loads(str(dataset.attrs.get("notes", "[]")))
        of_table = json.loads(str(dataset.attrs.get("provenance", "{}"))).get("notes", ())
    except (ValueError, AttributeError):
        return ()
    return tuple(str(note) for note in notes if note not in of_table)
