"""The balance report of a table: what holds, what does not, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tiva.errors import CellError, explain, listing
from tiva.kernels.arrays import FloatArray

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable

WORST_SHOWN = 5
"""Country-sectors named for each finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report.

    Attributes
    ----------
    name
        What was looked at.
    count
        Country-sectors (or cells) concerned.
    total
        Their sum or largest size, in the unit of the table.
    worst
        Labels of the largest, with their values.
    severity
        ``"ok"``, ``"note"`` (legal, affects interpretation) or ``"problem"`` (contradiction).
    """

    name: str
    count: int
    total: float
    worst: tuple[str, ...]
    severity: str


@dataclass(frozen=True, slots=True)
class BalanceReport:
    """Result of :meth:`tiva.IcioTable.check`; prints as a table.

    Attributes
    ----------
    title
        Source, edition and year of the table.
    findings
        One a question asked.
    totals
        World output, value added, exports and final demand in the unit of the table.
    unit
        Unit of all amounts.
    contradictions
        Sentences on rows or columns that do not balance beyond rounding; empty when they all do.
    notes
        Choices recorded when the table was read or changed.
    """

    title: str
    findings: tuple[Finding, ...]
    totals: dict[str, float]
    unit: str
    contradictions: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether rows and columns balance within rounding."""
        return not self.contradictions

    def __str__(self) -> str:
        lines = [f"{self.title or 'table'}: {'balanced' if self.ok else 'NOT BALANCED'} ({self.unit})", ""]
        width = max(len(f.name) for f in self.findings)
        lines.append(f"  {'':<{width}}  {'count':>7}  {'amount':>16}  where")
        for f in self.findings:
            flag = {"ok": " ", "note": "-", "problem": "!"}[f.severity]
            where = listing(f.worst)
            lines.append(f"{flag} {f.name:<{width}}  {f.count:>7,}  {f.total:>16,.6g}  {where}")
        lines.append("")
        lines.extend(f"  {name:<{width}}  {'':>7}  {value:>16,.6g}" for name, value in self.totals.items())
        lines.extend(f"! {text}" for text in self.contradictions)
        lines.extend(f"  note: {text}" for text in self.notes)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{f.severity}</td><td>{f.name}</td><td style='text-align:right'>{f.count:,}</td>"
            f"<td style='text-align:right'>{f.total:,.6g}</td><td>{listing(f.worst)}</td></tr>"
            for f in self.findings
        )
        totals = "".join(
            f"<tr><td></td><td>{name}</td><td></td><td style='text-align:right'>{value:,.6g}</td><td></td></tr>"
            for name, value in self.totals.items()
        )
        state = "balanced" if self.ok else "not balanced"
        return (
            f"<table><caption>{self.title}: {state} ({self.unit})</caption>"
            f"<tr><th></th><th>check</th><th>count</th><th>amount</th><th>where</th></tr>{rows}{totals}</table>"
        )


def check(table: IcioTable) -> BalanceReport:
    """Report on balance, negative entries, zero outputs and world totals of a table."""
    rows, columns = balance(table)
    findings = (rows, columns, *_signs(table))
    return BalanceReport(
        title=table.title,
        findings=findings,
        totals=_totals(table),
        unit=table.unit,
        contradictions=contradictions(rows, columns),
        notes=table.provenance.notes,
    )


def balance(table: IcioTable) -> tuple[Finding, Finding]:
    """Compare use by rows and inputs by columns with output."""
    with np.errstate(over="ignore", invalid="ignore"):
        row_gap = table.intermediate.sum(axis=1) + table.final_demand.sum(axis=(1, 2)) - table.output
        inputs = table.intermediate.sum(axis=0) + sum(
            (o.intermediate for o in table.other_inputs.values()), start=np.zeros(table.n)
        )
        column_gap = inputs + table.value_added - table.output
    require_finite_sums(row_gap, column_gap, [_label(table, i) for i in range(table.n)])
    return (
        _gap(table, "rows: use less output", row_gap),
        _gap(table, "columns: inputs plus value added less output", column_gap),
    )


def require_finite_sums(rows: FloatArray, columns: FloatArray, labels: Sequence[str]) -> None:
    """Refuse cells that are finite, but too large to be added.

    Parameters
    ----------
    rows, columns
        Shape (n,): sums, or what they miss.
    labels
        n labels.

    Raises
    ------
    CellError
        A sum is not finite; the message names it.
    """
    odd = np.flatnonzero(~(np.isfinite(rows) & np.isfinite(columns)))
    if len(odd):
        raise CellError(
            explain(
                "cells are too large to be added",
                got=f"sums of {listing(labels[i] for i in odd.tolist())} that are not finite",
                do="the numbers are damaged; get them from their source again",
            )
        )


def contradictions(*findings: Finding) -> tuple[str, ...]:
    """Say in a sentence each what does not balance beyond rounding."""
    return tuple(
        f"{f.name}: {f.count} country-sectors beyond rounding, largest {f.worst[0]}"
        for f in findings
        if f.severity == "problem"
    )


def _label(table: IcioTable, row: int) -> str:
    sectors = len(table.sectors)
    return f"{table.areas[row // sectors]}.{table.sectors[row % sectors]}"


def _worst(table: IcioTable, values: FloatArray, mask: NDArray[np.bool_]) -> tuple[str, ...]:
    order = np.argsort(-np.abs(np.where(mask, values, 0.0)), kind="stable")[:WORST_SHOWN]
    return tuple(f"{_label(table, int(i))} {values[i]:,.4g}" for i in order if mask[i])


def _gap(table: IcioTable, name: str, gap: FloatArray) -> Finding:
    """Find gaps: a problem beyond the known rounding of the source, else a note on those beyond summation error."""
    from tiva.table.icio_table import BALANCE_TOLERANCE

    with np.errstate(over="ignore"):
        scale = np.maximum(np.abs(table.output), np.abs(table.output).mean() * BALANCE_TOLERANCE)
    seen = np.abs(gap) > BALANCE_TOLERANCE * scale
    amount, share = table.provenance.rounding
    beyond = seen & (np.abs(gap) > amount + share * np.abs(table.output))
    largest = float(np.abs(gap).max())
    if beyond.any():
        return Finding(name, int(beyond.sum()), largest, _worst(table, gap, beyond), "problem")
    if seen.any():
        known = f"{name} (as known of this source: {amount:g} + {share:g} of output)"
        return Finding(known, int(seen.sum()), largest, _worst(table, gap, seen), "note")
    return Finding(name, 0, largest, (), "ok")


def _signs(table: IcioTable) -> list[Finding]:
    findings = []

    def add(name: str, values: FloatArray, mask: NDArray[np.bool_]) -> None:
        count = int(mask.sum())
        total = float(values[mask].sum()) if count else 0.0
        findings.append(Finding(name, count, total, _worst(table, values, mask), "note" if count else "ok"))

    add("negative value added", table.value_added, table.value_added < 0)
    negative_final = np.where(table.final_demand < 0, table.final_demand, 0.0)
    by_row = negative_final.sum(axis=(1, 2))
    cells = int((table.final_demand < 0).sum())
    findings.append(
        Finding(
            "negative final demand cells",
            cells,
            float(by_row.sum()),
            _worst(table, by_row, by_row < 0),
            "note" if cells else "ok",
        )
    )
    negative_use = np.where(table.intermediate < 0, table.intermediate, 0.0).sum(axis=1)
    cells = int((table.intermediate < 0).sum())
    findings.append(
        Finding(
            "negative intermediate cells",
            cells,
            float(negative_use.sum()),
            _worst(table, negative_use, negative_use < 0),
            "note" if cells else "ok",
        )
    )
    add("negative output", table.output, table.output < 0)
    use = table.intermediate.sum(axis=0) + np.abs(table.final_demand).sum(axis=(1, 2))
    zero = table.output == 0
    findings.append(
        Finding(
            "zero output",
            int(zero.sum()),
            0.0,
            tuple(_label(table, int(i)) for i in np.flatnonzero(zero)[:WORST_SHOWN]),
            "note" if zero.any() else "ok",
        )
    )
    add("flows of zero-output sectors", use, zero & (use != 0))
    return findings


def _totals(table: IcioTable) -> dict[str, float]:
    sectors = len(table.sectors)
    country = table.area_country_index
    use = table.intermediate.reshape(len(table.areas), sectors, len(table.areas), sectors).sum(axis=(1, 3))
    final = table.final_demand_by_absorber.reshape(len(table.areas), sectors, len(table.countries)).sum(axis=1)
    foreign_use = use[country[:, None] != country[None, :]].sum()
    foreign_final = final[country[:, None] != np.arange(len(table.countries))[None, :]].sum()
    return {
        "world output": float(table.output.sum()),
        "world value added": float(table.value_added.sum()),
        "world final demand": float(final.sum()),
        "world exports": float(foreign_use + foreign_final),
    }
