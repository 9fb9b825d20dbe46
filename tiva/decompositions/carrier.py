"""What every decomposition returns: named arrays over named axes."""

from __future__ import annotations

from dataclasses import dataclass, field

from tiva.kernels.arrays import FloatArray

ROWS_BY_IMPORTER: tuple[str, ...] = ("row", "importer")
"""Exporting country-sector(-band) rows of the model by importing block: everything coarser is a sum of it."""

ROWS: tuple[str, ...] = ("row",)
EXPORTERS: tuple[str, ...] = ("exporter",)
PAIRS: tuple[str, ...] = ("exporter", "importer")
IMPORTERS: tuple[str, ...] = ("importer",)


@dataclass(frozen=True, slots=True)
class Terms:
    """Arrays of a decomposition before they are labelled.

    Attributes
    ----------
    arrays
        Term -> array, one dimension per axis, in the unit of the table.
    axes
        Names of the dimensions. ``row`` is the model's row axis and becomes exporter × sector (× size) when labelled;
        ``exporter``, ``importer``, ``origin`` and ``absorber`` are blocks of countries.
    notes
        What a reader of the result has to know.
    ratios
        Rows (term, numerator, denominator) of terms that are formed after summing to a level.
    """

    arrays: dict[str, FloatArray]
    axes: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    ratios: tuple[tuple[str, str, str], ...] = field(default=())
