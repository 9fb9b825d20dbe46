"""Published OECD TiVA indicators against computed ones: the distribution of differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_fetch.sdmx import SdmxClient, flow
from data_fetch.store import is_offline, store_in
from tiva.errors import FetchError, UnknownLabelError, UsageError, explain, listing
from tiva.terms import Level, methods

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from tiva.table.icio_table import IcioTable

Cell = tuple[str, str, str]
"""Area, activity (``_T``: all), counterpart (``W``: world)."""

TO_OECD: Mapping[str, str] = {"C24A": "C241_2431", "C24B": "C242_2432"}
"""Sectors of ICIO 2025 that TiVA writes otherwise."""

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Quantiles of the absolute relative differences that are reported."""

WITHIN = (1e-6, 1e-4, 1e-3, 1e-2)
"""Relative differences, the share of cells within which is reported."""

_TOTAL, _WORLD = "_T", "W"
_MILLION = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """Differences of one measure over the cells that both sides have.

    Attributes
    ----------
    measure, variable
        OECD code, and name on the computed side.
    cells
        Number of cells compared.
    only_published, only_computed
        Cells of one side only.
    max_absolute
        Largest absolute difference, in million USD (percentage points for shares).
    quantiles
        Quantile -> absolute relative difference (to the published value; cells published as zero left out).
    within
        Bound -> share of cells whose relative difference is within it.
    zeros
        Cells published as zero.
    bias
        Median of the signed relative differences.
    coverage
        Part of the computed values, in absolute terms, that is in compared cells.
    unmatched
        ``"areas only published"``, ``"areas only computed"`` and the same of activities: labels that the other side has
        in no cell.
    worst
        The cells with the largest absolute difference: area, activity, counterpart, published, computed.
    """

    measure: str
    variable: str
    cells: int
    only_published: int
    only_computed: int
    max_absolute: float
    quantiles: Mapping[float, float]
    within: Mapping[float, float]
    zeros: int
    bias: float
    coverage: float
    unmatched: Mapping[str, tuple[str, ...]]
    worst: tuple[tuple[str, str, str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Published against computed indicators of one year; prints as a table."""

    flow: str
    year: int
    differences: tuple[Difference, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a measure."""
        import pandas as pd

        rows = []
        for d in self.differences:
            row = {
                "measure": d.measure, "variable": d.variable, "cells": d.cells, "max_absolute": d.max_absolute,
                "only_published": d.only_published, "only_computed": d.only_computed, "zeros": d.zeros,
                "bias": d.bias, "coverage": d.coverage,
            }  # fmt: skip
            row |= {f"q{q:g}": value for q, value in d.quantiles.items()}
            row |= {f"within_{bound:g}": value for bound, value in d.within.items()}
            rows.append(row)
        return pd.DataFrame(rows)

    def cells(self) -> pd.DataFrame:
        """Return the compared cells with the largest differences, one a row."""
        import pandas as pd

        columns = ["measure", "area", "activity", "counterpart", "published", "computed"]
        return pd.DataFrame([(d.measure, *cell) for d in self.differences for cell in d.worst], columns=columns)

    def __str__(self) -> str:
        lines = [
            f"{self.flow}, {self.year}: computed against published, relative to published",
            f"{'measure':14}{'cells':>8}{'bias':>11}" + "".join(f"{title:>10}" for title in _SHOWN) + "  within 0.1 %",
        ]
        for d in self.differences:
            quantiles = "".join(f"{d.quantiles[q]:10.2e}" for q in _SHOWN.values())
            lines.append(f"{d.measure:14}{d.cells:8}{d.bias:+11.2e}{quantiles}  {d.within[1e-3]:.1%}")
            lines += _details(d)
        return "\n".join(lines)


_SHOWN: Mapping[str, float] = {"median": 0.5, "75 %": 0.75, "95 %": 0.95, "99 %": 0.99, "largest": 1.0}
"""Columns of the printed table: quantiles of the absolute relative differences."""

_WORST_SHOWN = 3
_LABELS_SHOWN = 12


def _value(value: float) -> str:
    """Write a value with six digits, and large ones with all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"


def _details(d: Difference) -> list[str]:
    """Return the lines below a measure: the worst cells, and what was not compared."""
    lines = []
    for area, activity, counterpart, published, computed in d.worst[:_WORST_SHOWN]:
        gap = computed - published
        if gap:
            relative = f" ({gap / published:+.2%})" if published else ""
            where = f"{area} {activity} {counterpart}"
            lines.append(f"    {where}: published {_value(published)}, computed {_value(computed)}{relative}")
    computed_cells = d.cells + d.only_computed
    lines.append(
        f"    compared: {d.cells} of {computed_cells} computed cells ({d.coverage:.1%} of their values), "
        f"{d.cells} of {d.cells + d.only_published} published"
        + (f"; {d.zeros} published as zero are in no percentage" if d.zeros else "")
    )
    lines += [f"    {what}: {listing(labels, _LABELS_SHOWN)}" for what, labels in d.unmatched.items() if labels]
    return lines


def compare_oecd(
    computed: xr.Dataset,
    measures: Mapping[str, str] | Sequence[str] | None = None,
    *,
    year: int | None = None,
    source: str = "oecd_tiva",
    offline: bool | None = None,
    folder: str | Path | None = None,
    endpoint: str | None = None,
    client: SdmxClient | None = None,
) -> Comparison:
    """Compare computed indicators with those that the OECD publishes.

    Parameters
    ----------
    computed
        Variables in million USD, or shares, with dimension ``exporter`` (or ``country``) and, optionally, ``sector``
        and ``importer`` (or ``partner``). Cells are matched by label.
    measures
        OECD code -> variable; or codes that are names of variables (in any case of letters); by default every
        variable whose name in capitals begins with a TiVA prefix (``EXGR``, ``IMGR``, ``FFD``, ``DFD``, ``FD``,
        ``PROD``, ``VALU``, ``BALGR``, ``FEXGR``).
    year
        Year; read from the dataset's attribute ``year`` where left out.
    source
        Flow: ``"oecd_tiva"`` or ``"oecd_tiva_shares"``.
    offline, folder, endpoint, client
        As in :func:`data_fetch.fetch_margins`.

    Returns
    -------
    Comparison

    Raises
    ------
    UnknownLabelError, UsageError
        A variable that the dataset does not have, or no year.
    FetchError, OfflineError
        The service does not answer, may not be asked, or publishes none of the cells.

    Notes
    -----
    The OECD computes from the extended table (China and Mexico in two parts) and counts taxes less subsidies on
    products as value added; a table that does otherwise differs for that reason.
    """
    when = year if year is not None else computed.attrs.get("year")
    if when is None or int(when) < 0:
        raise UsageError(explain("the year of the computed indicators is unknown", do="pass year=..."))
    chosen = _measures(computed, measures)
    asked = flow(source, endpoint)
    if client is None:
        store = store_in(folder)
        client = SdmxClient(store, offline=is_offline(offline))
    differences = []
    for code, variable in chosen.items():
        ours = _cells(computed[variable])
        key: dict[str, str | Sequence[str]] = {asked.measure: code, "FREQ": "A"}
        if all(cell[1] == _TOTAL for cell in ours):
            key[asked.activity] = _TOTAL
        if all(cell[2] == _WORLD for cell in ours):
            key["COUNTERPART_AREA"] = _WORLD
        theirs = _published(client.rows(asked, key, int(when), int(when)), int(when))
        differences.append(_difference(code, variable, ours, theirs))
    return Comparison(asked.title, int(when), tuple(differences))


HEADLINE: tuple[str, ...] = ("EXGR", "EXGR_DVA", "EXGR_FVA")
"""What is compared where nothing is asked for: gross exports, their domestic and their foreign content."""

FLOW_OF: Mapping[str, str] = {"oecd": "oecd_tiva", "oecd_shares": "oecd_tiva_shares"}
"""Method that computes indicators -> flow in which the OECD publishes them."""


def compare_table(
    table: IcioTable,
    measures: Sequence[str] = HEADLINE,
    *,
    level: Level = "sector",
    offline: bool | None = None,
    folder: str | Path | None = None,
    endpoint: str | None = None,
    client: SdmxClient | None = None,
) -> Comparison:
    """Compute indicators from a table, and compare them with those that the OECD publishes.

    Parameters
    ----------
    table
        The table; the extended ICIO is what the OECD computes from.
    measures
        Terms of the methods ``oecd`` and ``oecd_shares`` at this level.
    level
        Cells by country, by country and industry, by pair, or by pair and industry.
    offline, folder, endpoint, client
        As in :func:`compare_oecd`.

    Returns
    -------
    Comparison
        Measures in the order in which they were asked for.

    Raises
    ------
    UnknownLabelError
        A measure that is not computed at this level.
    FetchError, OfflineError
        The service does not answer, may not be asked, or publishes none of the cells of a measure.
    """
    from tiva.router import decompose

    method_of = {code: row.method for row in methods() if row.method in FLOW_OF and level in row.levels
                 for code in row.terms}  # fmt: skip
    for code in measures:
        if code not in method_of:
            raise UnknownLabelError(f"measure at level {level}", code, tuple(method_of))
    found = [
        compare_oecd(
            decompose(table, method, level=level),
            [code for code in measures if method_of[code] == method],
            year=table.year,
            source=FLOW_OF[method],
            offline=offline,
            folder=folder,
            endpoint=endpoint,
            client=client,
        )
        for method in dict.fromkeys(method_of[code] for code in measures)
    ]
    differences = {d.measure: d for comparison in found for d in comparison.differences}
    return Comparison(
        "; ".join(comparison.flow for comparison in found),
        found[0].year,
        tuple(differences[code] for code in dict.fromkeys(measures)),
    )


_PREFIXES = ("EXGR", "IMGR", "FFD", "DFD", "FD", "PROD", "VALU", "BALGR", "FEXGR")


def _measures(computed: xr.Dataset, given: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    names = {str(name).upper(): str(name) for name in computed.data_vars}
    if given is None:
        found = {code: name for code, name in names.items() if code.partition("_")[0] in _PREFIXES}
        if not found:
            raise UsageError(explain("no variable has the name of an OECD indicator", got=listing(names.values())))
        return found
    pairs = dict(given) if isinstance(given, Mapping) else {code: names.get(code.upper(), code) for code in given}
    for name in pairs.values():
        if name not in computed.data_vars:
            raise UnknownLabelError("variable", name, tuple(names.values()))
    return pairs


def _cells(array: xr.DataArray) -> dict[Cell, float]:
    """Return the values of a variable by area, activity and counterpart, as the OECD writes them."""
    area = next((d for d in ("exporter", "country") if d in array.dims), None)
    partner = next((d for d in ("importer", "partner") if d in array.dims), None)
    odd = [str(d) for d in array.dims if d not in (area, partner, "sector")]
    if area is None or odd:
        raise UsageError(
            explain(
                f"cannot compare {array.name!r}",
                got=f"dimensions {listing(array.dims)}",
                expected="exporter, and optionally sector and importer",
                do="sum over the others, or select",
            )
        )
    found = {}
    if array.attrs.get("units") == "1":
        array = 100.0 * array  # shares are published in percent
    for labels, value in array.to_series().items():
        named = dict(zip(array.dims, labels if isinstance(labels, tuple) else (labels,), strict=True))
        if partner and named[area] == named[partner]:
            continue
        sector = str(named.get("sector", _TOTAL))
        cell = (str(named[area]), TO_OECD.get(sector, sector), str(named[partner]) if partner else _WORLD)
        if not math.isnan(float(value)):
            found[cell] = float(value)
    return found


def _published(rows: Sequence[Mapping[str, str]], year: int) -> dict[Cell, float]:
    found: dict[Cell, float] = {}
    for row in rows:
        if row["TIME_PERIOD"] != str(year) or not row["OBS_VALUE"].strip():
            continue
        power = int(row.get("UNIT_MULT") or (_MILLION if row.get("UNIT_MEASURE") == "USD" else 0))
        scale = 10.0 ** (power - _MILLION) if row.get("UNIT_MEASURE", "USD") == "USD" else 1.0
        cell = (row["REF_AREA"], row["ACTIVITY"], row.get("COUNTERPART_AREA", _WORLD))
        if cell in found:
            raise FetchError(explain("the OECD's answer has several values of one cell", got=f"{cell}, {year}"))
        found[cell] = float(row["OBS_VALUE"]) * scale
    return found


def _difference(code: str, variable: str, ours: Mapping[Cell, float], theirs: Mapping[Cell, float]) -> Difference:
    import numpy as np

    both = [cell for cell in theirs if cell in ours]
    if not both:
        raise FetchError(
            explain(
                f"no cell of {code} is on both sides",
                got=f"published {listing(theirs)}; computed {listing(ours)}",
                do="check year, countries and sectors",
            )
        )
    published = np.array([theirs[cell] for cell in both])
    computed = np.array([ours[cell] for cell in both])
    gap = np.abs(computed - published)
    nonzero = published != 0.0
    relative = gap[nonzero] / np.abs(published[nonzero])
    order = np.argsort(-gap)[:10]
    empty = relative.size == 0
    return Difference(
        measure=code,
        variable=variable,
        cells=len(both),
        only_published=len(theirs) - len(both),
        only_computed=len(ours) - len(both),
        max_absolute=float(gap.max()),
        quantiles={q: math.nan if empty else float(np.quantile(relative, q)) for q in QUANTILES},
        within={bound: math.nan if empty else float(np.mean(relative <= bound)) for bound in WITHIN},
        zeros=int((~nonzero).sum()),
        bias=math.nan if empty else float(np.median((computed - published)[nonzero] / np.abs(published[nonzero]))),
        coverage=_coverage(ours, both),
        unmatched=_unmatched(ours, theirs),
        worst=tuple((*both[k], float(published[k]), float(computed[k])) for k in order),
    )


def _coverage(ours: Mapping[Cell, float], both: Sequence[Cell]) -> float:
    """Return the part of the computed values, in absolute terms, that is in the compared cells."""
    whole = math.fsum(abs(value) for value in ours.values())
    return math.fsum(abs(ours[cell]) for cell in both) / whole if whole else 1.0


def _unmatched(ours: Mapping[Cell, float], theirs: Mapping[Cell, float]) -> dict[str, tuple[str, ...]]:
    """Return the labels that the other side has in no cell."""
    found = {}
    for k, kind in enumerate(("areas", "activities")):
        computed, published = (dict.fromkeys(cell[k] for cell in side) for side in (ours, theirs))
        found[f"{kind} only published"] = tuple(label for label in published if label not in computed)
        found[f"{kind} only computed"] = tuple(label for label in computed if label not in published)
    return found
