"""What margins forced or could not satisfy."""

from __future__ import annotations

from dataclasses import dataclass

from tiva.errors import listing

SHOWN = 10
"""Violations printed before the rest is counted only."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One condition that a band row does not meet.

    Attributes
    ----------
    condition
        ``C1``, ``C2`` or ``C4``.
    text
        What is wrong.
    row
        Band row.
    amount
        By how much, in the unit of the table.
    output
        Output of the country-sector.
    """

    condition: str
    text: str
    row: int
    amount: float
    output: float


@dataclass(frozen=True, slots=True)
class Feasibility:
    """The report of a split: conditions not met, and margins that an empty market forced.

    Attributes
    ----------
    violations
        Empty where every flow of the banded table is non-negative.
    forced
        Reason and country-sector rows, where a given margin could not be used.
    row_labels, sector_labels
        Names of band rows and of country-sectors.
    """

    violations: tuple[Violation, ...]
    forced: tuple[tuple[str, tuple[int, ...]], ...]
    row_labels: tuple[str, ...] = ()
    sector_labels: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all conditions hold."""
        return not self.violations

    def labelled(self, row_labels: tuple[str, ...], sector_labels: tuple[str, ...]) -> Feasibility:
        """Return the report with names for its rows.

        Parameters
        ----------
        row_labels
            Shape (R,): label of each band row.
        sector_labels
            Shape (n,): label of each country-sector.
        """
        return Feasibility(self.violations, self.forced, row_labels, sector_labels)

    def describe(self, violation: Violation) -> str:
        """Return one violation as a sentence.

        Parameters
        ----------
        violation
            One of those found.
        """
        where = self.row_labels[violation.row] if self.row_labels else f"row {violation.row}"
        amounts = f"by {violation.amount:.6g} (output {violation.output:.6g})"
        return f"{violation.condition} {where}: {violation.text} {amounts}"

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence per edge rule that changed a given margin."""
        return tuple(
            f"{why}: {listing(self.sector_labels[i] if self.sector_labels else i for i in rows)}"
            for why, rows in self.forced
        )

    def __str__(self) -> str:
        lines = ["feasible" if self.ok else f"{len(self.violations)} conditions not met"]
        lines += [f"! {self.describe(v)}" for v in self.violations[:SHOWN]]
        if len(self.violations) > SHOWN:
            lines.append(f"! ... {len(self.violations) - SHOWN} more")
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines)
