"""From shares by country to possible shares in row layout: edge rules, reconciliation, assembly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiva.bands.margins import EXACT_SUM
from tiva.bands.reconcile import CellMargins, CellTotals, Reconciled, reconcile_cell, standard_errors, violations
from tiva.bands.shares import MARGINS, BandShares, LogRecord, Status
from tiva.bands.totals import FlowTotals
from tiva.errors import listing
from tiva.kernels.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from tiva.bands.work import CountryWork
    from tiva.table.icio_table import IcioTable

FIELD = {"domestic_intermediate": "business"}
"""Margin -> field of CellMargins where it differs."""

NOTABLE = 0.005
"""An observed or derived margin moved by more, as share of the country-sector's output, is worth a warning."""

MISSED_SHARE = 5e-4
"""A published share of a country or group that is missed by more (half of the last digit usually printed) is logged."""

EDGES = {
    "no_domestic_sales": (("exports",), "nothing is sold at home: exports follow output"),
    "no_domestic_inputs": (("value_added", "imports"), "no domestic inputs: value added and imports follow output"),
    "no_exports": (("exports",), "no exports: their shares do not matter and follow output"),
    "no_imports": (("imports",), "no imported inputs: their shares do not matter and follow output"),
}
"""Edge -> margins that are set to the output shares, and the reason."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One country-sector whose margins contradicted each other, and whether a fact moved by a notable amount."""

    text: str
    of_fact: bool


def finish(
    table: IcioTable, totals: FlowTotals, work: Sequence[CountryWork], log: list[LogRecord]
) -> tuple[BandShares, list[Conflict]]:
    """Return the shares of all country-sectors, and what had to be moved.

    Parameters
    ----------
    table, totals
        The table and its totals.
    work
        Countries with margins.
    log
        Receives a record for every edge rule and every share moved; becomes the log of the result.
    """
    by_country = {w.country: w for w in work}
    rows: list[_Cell] = []
    conflicts: list[Conflict] = []
    for u, (area, country) in enumerate(zip(table.areas, table.area_countries, strict=True)):
        for k, sector in enumerate(table.sectors):
            i = u * len(table.sectors) + k
            w = by_country.get(country)
            if w is None or not w.known["output"][k] or totals.no_output[i]:
                if w is not None and w.known["output"][k]:
                    log.append(LogRecord("edge", area, sector, "no output: nothing to split"))
                rows.append(_Cell.whole())
                continue
            cell = _Cell.of(w, k)
            _apply_edges(cell, totals, i, area, sector, log)
            conflicts += _reconcile(cell, w, totals, i, area, sector, log)
            rows.append(cell.without_empty_bands(area, sector, w.scheme.labels, log))
    shares = _assemble(table, rows, by_country, log)
    missed = [record for w in work for record in _missed(shares, totals, w)]
    return shares.replace(log=(*shares.log, *missed)), conflicts


def _missed(shares: BandShares, totals: FlowTotals, work: CountryWork) -> list[LogRecord]:
    """Return a record for every published share of a country or group that the result does not have."""
    flows = {
        "output": totals.output, "value_added": totals.value_added, "imports": totals.imports,
        "exports": totals.exports, "domestic_intermediate": totals.domestic_intermediate,
    }  # fmt: skip
    row = shares.row_table_row
    mine = (shares.row_country == shares.countries.index(work.country)) & (shares.row_band >= 0)
    records = []
    for margin, flow in flows.items():
        for members, found in work.groups[margin]:
            inside = mine & np.isin(row % len(shares.sectors), members)
            parts = np.bincount(
                shares.row_band[inside],
                weights=np.nan_to_num(shares.margin(margin)[inside]) * flow[row[inside]],
                minlength=len(found.share),
            )
            if parts.sum() <= 0.0:
                continue
            reached = parts / parts.sum()
            names = listing((work.sectors[i] for i in members), limit=len(work.sectors))
            records += [
                LogRecord(
                    "totals", work.country, "", f"the published share is not reached: {names}", band=band,
                    variable=margin, before=float(wanted), after=float(got), source=listing(found.where),
                )
                for band, wanted, got in zip(work.scheme.labels, found.share, reached, strict=True)
                if abs(got - wanted) > MISSED_SHARE
            ]  # fmt: skip
    return records


@dataclass(slots=True, eq=False)
class _Cell:
    """One country-sector under construction; arrays (K,)."""

    band: IntArray
    share: dict[str, FloatArray]
    status: dict[str, IntArray]
    error: dict[str, FloatArray]
    where: dict[str, str]
    persons: FloatArray

    @classmethod
    def whole(cls) -> _Cell:
        one, nan = np.ones(1), np.full(1, np.nan)
        unsplit = np.full(1, int(Status.UNSPLIT), dtype=np.int64)
        share = {m: nan if m == "domestic_intermediate" else one for m in MARGINS}
        none: IntArray = np.full(1, -1, dtype=np.int64)
        return cls(none, share, dict.fromkeys(MARGINS, unsplit), dict.fromkeys(MARGINS, nan), {}, nan)

    @classmethod
    def of(cls, work: CountryWork, sector: int) -> _Cell:
        k = len(work.scheme.bands)
        persons = np.full(k, np.nan) if work.persons is None else work.persons[sector]
        return cls(
            band=np.arange(k, dtype=np.int64),
            share={m: work.share[m][sector].copy() for m in MARGINS},
            status={m: work.status[m][sector].copy() for m in MARGINS},
            error={m: work.error[m][sector].copy() for m in MARGINS},
            where={m: work.where.get((m, sector), "") for m in MARGINS},
            persons=persons,
        )

    def margins(self) -> CellMargins:
        business = self.share["domestic_intermediate"]
        return CellMargins(
            self.share["output"], self.share["value_added"], self.share["imports"], self.share["exports"],
            None if np.isnan(business).any() else business,
        )  # fmt: skip

    def errors(self) -> CellMargins:
        full = {m: standard_errors(self.share[m], self.status[m], self.error[m]) for m in MARGINS}
        return CellMargins(*(full[m] for m in MARGINS))

    def without_empty_bands(self, area: str, sector: str, labels: Sequence[str], log: list[LogRecord]) -> _Cell:
        kept = self.share["output"] > 0.0
        if kept.all():
            return self
        gone = [str(label) for label, k in zip(labels, kept, strict=True) if not k]
        log.extend(LogRecord("edge", area, sector, "a band without output has no row", band=b) for b in gone)
        share = {m: _scaled(v[kept]) for m, v in self.share.items()}
        status = {m: v[kept] for m, v in self.status.items()}
        error = {m: v[kept] for m, v in self.error.items()}
        return _Cell(self.band[kept], share, status, error, self.where, self.persons[kept])


def _apply_edges(cell: _Cell, totals: FlowTotals, i: int, area: str, sector: str, log: list[LogRecord]) -> None:
    """Set the margins that a country-sector cannot carry to the output shares, and say so."""
    edges = {
        "no_domestic_sales": bool(totals.no_domestic_sales[i]),
        "no_domestic_inputs": bool(totals.no_domestic_inputs[i]),
        "no_exports": bool(totals.exports[i] == 0.0),
        "no_imports": bool(totals.imports[i] == 0.0),
    }
    s = cell.share["output"]
    x = float(totals.output[i])
    flow = {"exports": totals.exports[i], "value_added": totals.value_added[i], "imports": totals.imports[i]}
    for edge, applies in edges.items():
        margins, message = EDGES[edge]
        for margin in margins if applies else ():
            before = cell.share[margin]
            if np.array_equal(before, s):
                continue
            moved = float(np.abs(before - s).sum() * abs(flow[margin]) / x)
            cell.share[margin] = s.copy()
            cell.status[margin] = np.full_like(cell.status[margin], int(Status.ASSUMED))
            log.append(
                LogRecord(
                    "edge", area, sector, message, variable=margin, moved=moved, source=cell.where.get(margin, "")
                )
            )
    business = cell.share["domestic_intermediate"]
    if not np.isnan(business).any() and (totals.no_domestic_final[i] or totals.no_domestic_sales[i]):
        why = "negative" if totals.domestic_final[i] < 0.0 else "no"
        message = f"{why} domestic final demand: the business margin cannot be used, all home sales are split alike"
        cell.share["domestic_intermediate"] = np.full_like(business, np.nan)
        where = cell.where.get("domestic_intermediate", "")
        log.append(LogRecord("edge", area, sector, message, variable="domestic_intermediate", source=where))
    elif totals.domestic_final[i] < 0.0:
        message = "negative domestic final demand (inventories): split like all domestic sales"
        log.append(LogRecord("edge", area, sector, message))


def _reconcile(
    cell: _Cell, work: CountryWork, totals: FlowTotals, i: int, area: str, sector: str, log: list[LogRecord]
) -> list[Conflict]:
    """Move what contradicts; where nothing is sold at home exports follow output, whatever output does."""
    margins = cell.margins()
    this = CellTotals.of(totals, i)
    if not violations(margins, this):
        return []
    result = reconcile_cell(margins, cell.errors(), this, free_output=_output_moves(cell, margins, this))
    bands = work.scheme.labels
    reasons = "; ".join(v.describe(bands[v.band]) for v in result.violations)
    facts = False
    for margin in MARGINS:
        field = FIELD.get(margin, margin)
        amount = result.moved.get(field, 0.0)
        if amount == 0.0:
            continue
        before, after = cell.share[margin], getattr(result.margins, field)
        facts = facts or (amount > NOTABLE and bool((cell.status[margin] <= int(Status.DERIVED)).any()))
        log.extend(
            LogRecord(
                "reconcile", area, sector, reasons, band=bands[b], variable=margin, before=float(before[b]),
                after=float(after[b]), moved=abs(float(after[b] - before[b])) / _l1(before, after) * amount,
                source=cell.where.get(margin, ""),
            )
            for b in range(len(bands))
        )  # fmt: skip
        cell.share[margin] = after
        cell.status[margin] = np.maximum(cell.status[margin], int(Status.DERIVED))
    if totals.no_domestic_sales[i]:
        cell.share["exports"] = cell.share["output"].copy()
    return [Conflict(_describe(area, sector, reasons, cell, result), facts)]


def _scaled(share: FloatArray) -> FloatArray:
    total = float(share.sum())
    return share if np.isnan(total) or abs(total - 1.0) <= EXACT_SUM else share / total


def _l1(before: FloatArray, after: FloatArray) -> float:
    return max(float(np.abs(after - before).sum()), 1e-300)


def _describe(area: str, sector: str, reasons: str, cell: _Cell, result: Reconciled) -> str:
    names = [m for m in MARGINS if FIELD.get(m, m) in result.moved]
    lines = ", ".join(dict.fromkeys(cell.where[m] for m in names if cell.where.get(m)))
    amount = sum(result.moved.values())
    return f"{area}.{sector}: {reasons} ({lines or 'no fact'}; moves {amount:.2%} of output)"


def _output_moves(cell: _Cell, margins: CellMargins, totals: CellTotals) -> bool:
    """Return whether output shares are known less well than a margin that they bound and that exceeds them."""
    of = {"C1": ("exports",), "C2": ("value_added", "imports"), "C4": ("domestic_intermediate", "exports"), "C3": ()}
    worst = int(cell.status["output"].max())
    involved = {m for v in violations(margins, totals) for m in of[v.condition]}
    return any(int(cell.status[m].min()) < worst for m in involved)


def _assemble(table: IcioTable, rows: list[_Cell], work: dict[str, CountryWork], log: list[LogRecord]) -> BandShares:
    sizes = [len(r.band) for r in rows]
    persons = np.concatenate([r.persons for r in rows])
    share = {m: np.concatenate([r.share[m] for r in rows]) for m in MARGINS}
    return BandShares(
        countries=table.countries,
        areas=table.areas,
        area_countries=table.area_countries,
        sectors=table.sectors,
        bands=tuple(work[c].scheme.labels if c in work else () for c in table.countries),
        schemes=tuple(work[c].scheme.name if c in work else "" for c in table.countries),
        band_ptr=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        row_band=np.concatenate([r.band for r in rows]).astype(np.int64),
        output=share["output"],
        value_added=share["value_added"],
        imports=share["imports"],
        exports=share["exports"],
        domestic_intermediate=share["domestic_intermediate"],
        status={m: np.concatenate([r.status[m] for r in rows]).astype(np.int64) for m in MARGINS},
        standard_error={m: np.concatenate([r.error[m] for r in rows]) for m in MARGINS},
        employment=None if np.isnan(persons).all() else persons,
        log=tuple(log),
    )
