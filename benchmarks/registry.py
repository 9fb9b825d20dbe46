"""The rows of the benchmark table: what is measured, and the ratio it must not exceed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.banded import random_shares
from tiva.bands.model import BandedModel
from tiva.bands.shares import MARGINS, BandShares
from tiva.bands.split import BandedTable, split_by_size
from tiva.decompositions import (
    borin_mancini,
    borin_mancini_sink,
    headline,
    importer,
    kww,
    nagengast_stehrer,
    oecd,
    output_based,
    self_perimeter,
    tripartite,
    world,
    wwz,
)
from tiva.model.leontief import LeontiefModel
from tiva.selection import origins
from tiva.table.icio_table import IcioTable

Work = Callable[[Any], object]


def _same(table: IcioTable) -> object:
    return table


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark.

    Attributes
    ----------
    name
        What is done, for all exporters at once.
    work
        Does it on what ``prepare`` returns, from nothing (a fresh model).
    time_limit
        Largest ratio to one ``scipy.linalg.inv`` of the same matrix that the project promises at n = 3,465.
    memory_limit
        Largest peak beside the table, in n × n float64 matrices.
    prepare
        Makes the input from the table, outside the measurement; the table itself when left out.
    """

    name: str
    work: Work
    time_limit: float
    memory_limit: float
    prepare: Work = _same


def _of_model(function: Callable[..., object], **options: object) -> Work:
    return lambda table: function(LeontiefModel(table), **options)


def _split(table: IcioTable) -> BandedTable:
    return split_by_size(table, random_shares(table, 4, seed=3))


def _banded_source(banded: BandedTable) -> object:
    return borin_mancini.source(banded.model())


def _what_if(table: IcioTable) -> tuple[BandedModel, str, BandShares]:
    """Return a solved model and other margins of its first country."""
    shares = random_shares(table, 4, seed=3)
    model = split_by_size(table, shares).model()
    _ = model.value_added_by_origin
    country = table.countries[0]
    rows = shares.band_ptr[len(table.sectors)]
    other = random_shares(table, 4, seed=4)
    mixed: dict[str, Any] = {
        name: np.concatenate([getattr(other, name)[:rows], getattr(shares, name)[rows:]]) for name in MARGINS
    }
    return model, country, replace(shares, **mixed)


def _changed(case: tuple[BandedModel, str, BandShares]) -> object:
    model, country, shares = case
    changed = model.with_country_shares(country, shares)
    return borin_mancini.contents(changed)


def _origins(table: IcioTable) -> object:
    """Value added by origin country, exporter and absorber, block by block, nothing kept of it."""
    chosen = origins(LeontiefModel(table), "va", by=("origin", "exporter", "absorber"))
    return sum(float(block.sum()) for _, block in chosen.cube.blocks())


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
    Row("bands (K = 4): BM source, sector-bilateral", _banded_source, 1.8, 8.0, _split),
    Row("bands (K = 4): what-if, contents of all exports", _changed, 0.15, 8.0, _what_if),
    Row("Nagengast-Stehrer, first border", _of_model(nagengast_stehrer.first_border), 1.2, 5.0),
    Row("Nagengast-Stehrer, last border", _of_model(nagengast_stehrer.last_border), 1.2, 5.0),
    Row("output-based participation", _of_model(output_based.output_based), 1.2, 5.0),
    Row("WWZ re-exports by third country", _of_model(wwz.intrex_by_third), 3.0, 11.0),
    Row("origins: DVA and FVA by origin, exporter and absorber", _origins, 1.6, 6.0),
    Row("OECD indicators", _of_model(oecd.oecd), 1.3, 6.0),
)
