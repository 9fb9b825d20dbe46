"""The rows of the benchmark table: what is measured, and the ratio it must not exceed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.banded import random_shares
from tiva.bands.model import BandedModel
from tiva.bands.shares import MARGINS, BandShares
from tiva.bands.split import BandedTable, split_by_size
from tiva.decompositions import borin_mancini
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
    reason
        What the limits allow for.
    prepare
        Makes the input from the table, outside the measurement; the table itself when left out.
    function, detail
        Function of the catalogue of methods that is measured, and whether in its finer terms.
    beside_result
        Whether the memory of the result counts apart: it is larger than the matrix.
    """

    name: str
    work: Work
    time_limit: float
    memory_limit: float
    reason: str
    prepare: Work = _same
    function: str = ""
    detail: bool = False
    beside_result: bool = False


def _method(
    name: str,
    function: str,
    time_limit: float,
    memory_limit: float,
    reason: str,
    *,
    beside_result: bool = False,
    **options: object,
) -> Row:
    """Return the row of a function of the catalogue, ``module:function``, on a fresh model."""
    module, attribute = function.split(":")
    call: Callable[..., object] = getattr(importlib.import_module(f"tiva.decompositions.{module}"), attribute)
    return Row(
        name, lambda table: call(LeontiefModel(table), **options), time_limit, memory_limit, reason,
        function=function, detail=bool(options.get("detail")), beside_result=beside_result,
    )  # fmt: skip


def _half(table: IcioTable) -> tuple[LeontiefModel, list[str], list[str]]:
    """Return a fresh model with every other sector and partner as perimeter."""
    return LeontiefModel(table), list(table.sectors[::2]), list(table.countries[::2])


def _group(name: str, function: str) -> Row:
    """Return the row of a perimeter of half the sectors and half the partners."""
    module, attribute = function.split(":")
    call: Callable[..., object] = getattr(importlib.import_module(f"tiva.decompositions.{module}"), attribute)

    def work(table: IcioTable) -> object:
        model, sectors, partners = _half(table)
        return call(model, sector=sectors, importer=partners)

    return Row(name, work, 2.0, 6.0, _JOINT, function=function)


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


_LU = "the LU factors (0.4), solves with a right side for each country or two, passes over the flows"
_BLOCKS = "the LU factors and the blocks B_ss cut from its triangles (0.8 together), passes over the flows"
_WHOLE = "all of B after its LU factors (1.1), products of the size of one country"
_JOINT = "columns of B of half the rows by solving, or all of B, and one small system an exporter"
_BANDS = "as without bands, and the local networks and margins of four sizes"

ROWS: tuple[Row, ...] = (
    _method("headline countries (LU and solves)", "headline:headline", 0.6, 4.0, _LU),
    _method("BM source, sector-bilateral", "borin_mancini:source", 1.25, 4.0, _BLOCKS),
    _method("BM source, twelve terms", "borin_mancini:source", 1.25, 4.0, _BLOCKS, detail=True),
    _method(
        "BM sink, sector-bilateral, with vaxim", "borin_mancini_sink:sink", 1.4, 5.0, _WHOLE, level="bilateral"
    ),
    _method(
        "BM sink, twelve terms", "borin_mancini_sink:sink", 1.4, 5.0, _WHOLE, level="bilateral", detail=True
    ),
    _method("BM world source", "world:world_source", 0.6, 4.0, _LU),
    _method("BM world sink", "world:world_sink", 1.2, 5.0, _LU),
    _method("KWW nine terms, with the correction", "kww:kww", 1.2, 5.0, _LU),
    _method("WWZ sixteen terms, sector-bilateral", "wwz:wwz", 1.4, 5.0, _BLOCKS),
    _method("BMT tripartite, sector-bilateral", "tripartite:tripartite", 1.3, 5.0, _LU),
    _method("own perimeter of every sector-bilateral flow", "self_perimeter:sectbil", 1.6, 6.0, _WHOLE),
    _method("own perimeter of every pair", "self_perimeter:bilateral", 1.8, 6.0, _WHOLE),
    _method("own perimeter of every sector", "self_perimeter:sectexp", 1.6, 6.0, _BLOCKS),
    _group("own perimeter of half the sectors and partners together", "self_perimeter:group"),
    _method("importer perspective by country", "importer:importer", 1.3, 6.0, _BLOCKS),
    _method("importer perspective by origin", "importer:importer", 1.3, 6.0, _BLOCKS, level="bilateral"),
    _method("importer perspective by product and origin", "importer:importer", 1.8, 6.0,
            "all of B (1.1), products with a column for each country and product", level="sector-bilateral"),
    _method("own perimeter of every import product", "importer:sectimp", 1.8, 6.0,
            "all of B (1.1), one small system for each product and importer"),
    _method("MY country perimeter, sector-bilateral", "miroudot_ye:country_perimeter", 1.25, 5.0, _BLOCKS),
    _method("MY world perimeter", "miroudot_ye:world_perimeter", 0.7, 4.0, _LU),
    _method("MY own perimeter of every sector", "miroudot_ye:sectexp", 1.6, 6.0, _BLOCKS),
    _method("MY own perimeter of every pair", "miroudot_ye:bilateral", 1.8, 6.0, _WHOLE),
    _method("MY own perimeter of every sector-bilateral flow", "miroudot_ye:sectbil", 1.6, 6.0, _WHOLE),
    _group("MY own perimeter of half the sectors and partners together", "miroudot_ye:group"),
    _method("extraction of every country's exports", "extraction:extraction", 1.25, 5.0, _BLOCKS),
    _method("extraction of every sector-bilateral flow", "extraction:extraction", 1.6, 6.0, _WHOLE,
            level="sector-bilateral"),
    _group("extraction of half the sectors and partners together", "extraction:group"),
    _method("vertical specialisation by country", "vertical_specialisation:vertical_specialisation", 0.7, 4.0, _LU),
    _method("vertical specialisation, sector-bilateral", "vertical_specialisation:vertical_specialisation", 1.6, 6.0,
            _WHOLE, level="sector-bilateral"),
    _method("value added exports (Johnson and Noguera)", "johnson_noguera:johnson_noguera", 0.6, 4.0, _LU),
    Row("bands (K = 4): BM source, sector-bilateral", _banded_source, 1.8, 8.0, _BANDS, _split),
    Row("bands (K = 4): what-if, contents of all exports", _changed, 0.15, 8.0,
        "a low-rank update of factors at hand", _what_if),
    _method("Nagengast-Stehrer, first border", "nagengast_stehrer:first_border", 1.2, 5.0, _LU),
    _method("Nagengast-Stehrer, last border", "nagengast_stehrer:last_border", 1.2, 5.0, _LU),
    _method("output-based participation", "output_based:output_based", 1.2, 5.0, _LU),
    _method("WWZ re-exports by third country", "wwz:intrex_by_third", 3.0, 6.0,
            "three products of the flows with a column for each country", beside_result=True),
    Row("origins: value added by origin, exporter and absorber", _origins, 1.6, 6.0,
        "the LU factors, and products of the flows with a column for each absorber, in blocks"),
    _method("OECD indicators", "oecd:oecd", 1.3, 6.0, _LU),
    _method("OECD shares, sector-bilateral", "oecd_shares:shares", 1.4, 6.0, _LU, level="sector-bilateral"),
    _method("value added by category of final demand", "oecd_shares:by_category", 0.8, 4.0, _LU),
)  # fmt: skip
