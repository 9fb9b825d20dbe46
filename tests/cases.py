"""Every kind of table that a decomposition may meet, each beside the same written out for an oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import xarray as xr

import tiva
from benchmarks.banded import random_shares
from tests import crossings
from tests.crossings import World
from tests.model.test_leontief import split
from tests.tables import Oddities, random_table
from tiva.router import as_model
from tiva.table.icio_table import IcioTable, OtherInput

ODD = Oddities(empty=(4,), netted=(7,), negative_inventories=3, negative_value_added=1)


@dataclass
class Case:
    """A table as users pass it, options, and the same written out for the oracle."""

    table: Any
    world: World
    groups: Mapping[str, Sequence[str]] | None = None
    satellite: Any = None

    @cached_property
    def model(self) -> Any:
        return as_model(self.table, satellite=self.satellite, groups=self.groups)


def plain(table: IcioTable, groups: Mapping[str, Sequence[str]] | None = None, satellite: Any = None) -> Case:
    return Case(table, crossings.of_table(table, groups, satellite), groups, satellite)


def banded(table: IcioTable, bands: Any, theta: float = 0.0, **options: Any) -> Case:
    whole = tiva.split_by_size(table, random_shares(table, bands, seed=5), theta=theta)
    satellite = options.get("satellite")
    if satellite is not None:
        satellite = options["satellite"] = np.random.default_rng(3).random(len(whole.output))
    return Case(whole, crossings.of_banded(whole, options.get("groups"), satellite), **options)


def published(table: IcioTable, missed: float) -> IcioTable:
    """The same table with value added and two other rows given; a part of the inputs may be missed by all of them."""
    rng = np.random.default_rng(17)
    taxes, margins = 0.12 * table.value_added, rng.uniform(-0.02, 0.05, table.n) * table.output
    gap = missed * rng.uniform(-1, 1, table.n) * table.output
    return IcioTable.from_arrays(
        table.intermediate,
        table.final_demand,
        countries=table.areas,
        sectors=table.sectors,
        final_demand_categories=table.final_demand_categories,
        split_countries=table.split_countries,
        output=table.output,
        value_added=table.value_added - taxes - margins - gap,
        other_inputs={"taxes": OtherInput(taxes), "margins": OtherInput(margins)},
    )


def drawing_down(table: IcioTable) -> IcioTable:
    """The same table with inventories at home below zero: half of consumption, all of it, and none left to consume."""
    final = table.final_demand.copy()
    sectors = len(table.sectors)
    final[0, 0, 1], final[sectors, 1, 1] = -0.5 * final[0, 0, 0], -final[sectors, 1, 0]
    final[2 * sectors, 2] = 0.0, -0.01
    return IcioTable.from_arrays(
        table.intermediate,
        final,
        countries=table.areas,
        sectors=table.sectors,
        final_demand_categories=table.final_demand_categories,
    )


SERVICE = "PTL"
"""Post and telecommunications of the scheme common28; mining and metals are not services."""


def named(table: IcioTable) -> IcioTable:
    """The same table with three sectors and four categories of final demand that the OECD's indicators know."""
    share = np.random.default_rng(13).uniform(0.2, 0.8, table.final_demand.shape)
    parts = np.concatenate([share * table.final_demand, (1 - share) * table.final_demand], axis=2)
    return IcioTable.from_arrays(
        table.intermediate,
        parts,
        countries=table.areas,
        sectors=["MIN", "MET", SERVICE],
        final_demand_categories=["HFCE", "GFCF", "GGFC", "INVNT"],
    )


def jobs(table: IcioTable) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(8).random(table.n) * (table.output != 0)


UNION = {"UNION": ("C1", "C3")}

CASES: dict[str, Callable[[], Case]] = {
    "odd": lambda: plain(random_table(41, 4, 3, ODD)),
    "heavy": lambda: plain(random_table(42, 5, 2, Oddities(negative_inventories=4, heavy=100.0))),
    "group": lambda: plain(random_table(43, 5, 3, Oddities(netted=(7,), negative_inventories=3)), UNION),
    "split": lambda: plain(split()),
    "group of split, jobs": lambda: plain(split(), {"UNION": ("A", "P")}, jobs(split())),
    "jobs": lambda: plain(random_table(44, 4, 3, ODD), satellite=jobs(random_table(44, 4, 3, ODD))),
    "published": lambda: plain(published(random_table(45, 4, 3, Oddities(negative_inventories=2)), 0.0)),
    "published, group": lambda: plain(published(random_table(46, 5, 2), 0.0), UNION),
    "published, open": lambda: plain(published(random_table(47, 4, 3), 1e-3)),
    "named": lambda: plain(named(random_table(52, 5, 3, Oddities(negative_inventories=3))), UNION),
    "bands, named": lambda: banded(named(random_table(53, 4, 3, Oddities(negative_inventories=3))), 2),
    "bands": lambda: banded(random_table(48, 4, 3, ODD), 3, theta=0.4),
    "bands, group, jobs": lambda: banded(random_table(49, 5, 2), (1, 2, 3, 2, 1), groups=UNION, satellite=True),
    "bands, published": lambda: banded(published(random_table(50, 4, 2), 0.0), 2),
    "bands, inventories": lambda: banded(drawing_down(random_table(51, 4, 2)), 2),
    "bands, split": lambda: banded(split(), 2),
}


@cache
def case(name: str) -> Case:
    return CASES[name]()


def labels(case_: Case) -> dict[str, list[str]]:
    """Labels of the dimensions of results."""
    name = {c: c for c in case_.table.countries}
    for group, members in (case_.groups or {}).items():
        name |= dict.fromkeys(members, group)
    blocks = list(dict.fromkeys(name.values()))
    of_countries = dict.fromkeys(("exporter", "importer", "origin", "third"), blocks)
    categories = list(case_.table.final_demand_categories)
    bands = list(getattr(case_.table, "bands", ("all",)))
    return {**of_countries, "sector": list(case_.table.sectors), "size": bands, "final_demand": categories}


def labelled(case_: Case, values: np.ndarray[Any, Any], dims: tuple[str, ...]) -> xr.DataArray:
    """Rows as exporter × sector × size; cells without a row are missing."""
    of_rows = case_.world.labels
    if dims[0].startswith("row"):
        cells, there = np.zeros((*of_rows.size, *values.shape[1:])), np.zeros(of_rows.size, dtype=bool)
        place = (of_rows.country, of_rows.sector, of_rows.band)
        np.add.at(cells, place, values)
        there[place] = True
        values = np.where(there.reshape(*there.shape, *(1,) * (values.ndim - 1)), cells, np.nan)
        dims = ("importer" if dims[0] == "row of the partner" else "exporter", "sector", "size", *dims[1:])
    known = labels(case_)
    return xr.DataArray(values, {d: known[d] for d in dims}, dims)
