"""The rows of the benchmark table: what is measured, and the ratio it must not exceed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tiva.decompositions import borin_mancini, headline
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

Work = Callable[[IcioTable], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark.

    Attributes
    ----------
    name
        What is done, for all exporters at once.
    work
        Does it on a table from nothing (a fresh model).
    time_limit
        Largest ratio to one ``scipy.linalg.inv`` of the same matrix that the project promises at n = 3,465.
    memory_limit
        Largest peak beside the table, in n × n float64 matrices.
    """

    name: str
    work: Work
    time_limit: float
    memory_limit: float


def _bm_source(table: IcioTable) -> object:
    return borin_mancini.source(LeontiefModel(table))


def _headline(table: IcioTable) -> object:
    return headline.headline(LeontiefModel(table))


ROWS: tuple[Row, ...] = (
    Row("headline countries (LU and solves)", _headline, 0.6, 4.0),
    Row("BM source, sector-bilateral", _bm_source, 1.25, 4.0),
)
