"""Wide csv in the style of the OECD tables: one line a country-sector, labels ``CCC_III``; written."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from tiva.errors import UsageError, explain, listing
from tiva.files import as_path, replacing
from tiva.kernels.arrays import FloatArray
from tiva.readers import oecd
from tiva.readers._wiod import TAXES
from tiva.table.icio_table import IcioTable

TAXES_ROW = "TLS"
VALUE_ADDED = "VA"
OUTPUT = "OUT"


def write_wide(table: IcioTable, path: str | Path) -> Path:
    """Write a table as the OECD writes its own: header ``V1``, columns of users, of final demand and ``OUT``.

    Below the country-sectors come taxes less subsidies as ``TLS``, other input rows by name, then ``VA`` and ``OUT``.
    All digits are written; year, unit and provenance are not in the layout. What is written can be read back:
    :func:`tiva.read` takes the file by itself where its rows, categories of final demand and sectors are the OECD's,
    and with ``layout="oecd", edition="other"`` whatever they are; rows come back with ``value_added="published"``, a
    row named ``TLS`` as taxes less subsidies on products, a country beside its own parts with ``parents="keep"``, and
    a table that does not add up with ``gaps="keep"``, unless most of its columns do not.

    Parameters
    ----------
    table
        Any table whose labels the layout keeps: countries and other rows without underscores, as labels are split on
        the first; no blanks around labels, and no line breaks in them; categories of final demand that are no sectors,
        rows that are not named like those of value added and output; no countries in parts but China and Mexico
        (``CN1``, ``MX2``), as the file does not say whose part an area is.
    path
        File to write.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    UsageError
        Labels that cannot be read back.
    OutputError
        The file cannot be written.
    """
    path = as_path(path)
    _check_labels(table)
    own = [f"{a}_{s}" for a in table.areas for s in table.sectors]
    final = [f"{c}_{d}" for c in table.countries for d in table.final_demand_categories]
    demand = table.final_demand.reshape(table.n, -1)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["V1", *own, *final, OUTPUT])
        for label, flows, ends, total in zip(own, table.intermediate, demand, table.output, strict=True):
            writer.writerow([label, *_cells(flows), *_cells(ends), repr(float(total))])
        for label, paid, ends in _bottom(table):
            writer.writerow([label, *_cells(paid), *_cells(ends), repr(float(paid.sum() + ends.sum()))])
    return path


def _cells(values: FloatArray) -> list[str]:
    return list(map(repr, values.tolist()))


def _bottom(table: IcioTable) -> list[tuple[str, FloatArray, FloatArray]]:
    zero = np.zeros(len(table.countries) * len(table.final_demand_categories))
    spent = table.final_demand.sum(axis=0).reshape(-1)
    rows = []
    for name, other in table.other_inputs.items():
        ends = zero if other.final is None else other.final.reshape(-1)
        rows.append((TAXES_ROW if name == TAXES else name, other.intermediate, ends))
        spent = spent + ends
    return [*rows, (VALUE_ADDED, table.value_added, zero), (OUTPUT, table.output, spent)]


def _check_labels(table: IcioTable) -> None:
    odd = [name for name in (*table.areas, *table.countries) if "_" in name]
    odd += [name for name in table.final_demand_categories if name in table.sectors]
    odd += [name for name in table.other_inputs if name in (*oecd.VALUE_ADDED, *oecd.OUTPUT_ROWS) or "_" in name]
    odd += [TAXES_ROW] if {TAXES, TAXES_ROW} <= table.other_inputs.keys() else []
    every = (*table.areas, *table.countries, *table.sectors, *table.final_demand_categories, *table.other_inputs)
    odd += [name for name in every if name != name.strip() or len(name.splitlines()) != 1 or "\0" in name]
    odd += [a for a in table.areas if oecd.part_of(a) != table.split_countries.get(a)]
    if odd:
        raise UsageError(
            explain(
                "labels that cannot be told apart in the wide layout",
                got=listing(map(repr, dict.fromkeys(odd))),
                expected="no underscore in countries and input rows; categories that are not named like sectors, rows "
                "that are not named like value added or output; no blanks around labels; no parts of countries but "
                "those of CHN and MEX (CN1, MX2)",
                do="write it as tidy csv or parquet, or with table.save",
            )
        )
