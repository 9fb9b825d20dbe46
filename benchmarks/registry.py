"""The rows of the benchmark table: what is measured, and the ratio it must not exceed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.banded import WhatIf, split_table
from tiva.decompositions import (
    borin_mancini,
    borin_mancini_sink,
    headline,
    importer,
    kww,
    oecd,
    self_perimeter,
    tripartite,
    world,
    wwz,
)
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


def _of_model(function: Callable[..., object], **options: object) -> Work:
    return lambda table: function(LeontiefModel(table), **options)


def _of_bands(function: Callable[..., object], bands: int, **options: object) -> Work:
    return lambda table: function(split_table(table, bands).model(), **options)


ROWS: tuple[Row, ...] = (
    Row("headline countries (LU and solves)", _of_model(headline.headline), 0.6, 4.0),
    Row("BM source, sector-bilateral", _of_model(borin_mancini.source), 1.25, 4.0),
    Row("BM sink, sector-bilateral, with vaxim", _of_model(borin_mancini_sink.sink, level="bilateral"), 1.4, 5.0),
    Row("BM world sink", _of_model(world.world_sink), 1.2, 5.0),
    Row("KWW nine terms, with the correction", _of_model(kww.kww), 1.2, 5.0),
    Row("WWZ sixteen terms, sector-bilateral", _of_model(wwz.wwz), 1.4, 5.0),
    Row("BMT tripartite, sector-bilateral", _of_model(tripartite.tripartite), 1.3, 5.0),
    Row("own perimeter of every sector-bilateral flow", _of_model(self_perimeter.sectbil), 1.6, 6.0),
    Row("own perimeter of every pair", _of_model(self_perimeter.bilateral), 1.8, 6.0),
    Row("own perimeter of every sector", _of_model(self_perimeter.sectexp), 1.6, 6.0),
    Row("importer perspective by origin", _of_model(importer.importer, level="bilateral"), 1.3, 6.0),
    Row("own perimeter of every import product", _of_model(importer.sectimp), 1.8, 6.0),
    Row("OECD indicators", _of_model(oecd.oecd), 1.3, 6.0),
    Row("BM source, 4 size bands, sector-bilateral", _of_bands(borin_mancini.source, 4), 1.8, 8.0),
    Row("one country's margins change, 4 size bands", WhatIf(4), 0.15, 8.0),
)
