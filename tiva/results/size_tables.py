"""The tables of a size report; each says below what is covered and where the margins come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tiva.bands.shares import MARGINS, Status
from tiva.results.size_text import coverage_lines
from tiva.results.tables import Breakdown, Column

if TYPE_CHECKING:
    import xarray as xr

    from tiva.kernels.arrays import FloatArray
    from tiva.results.size_report import SizeReport

STATUS_NOTE = "status: where the export share of most of the band's exports comes from"

DIRECT_NOTE = (
    "exports_direct: gross exports of the band; dva_direct, dva_indirect: domestic value added of the band in its own "
    "exports, and in exports of others it supplies; export_share, dva_share: of the band in those of the country; "
    "indirect_share: dva_indirect / dva; visibility: dva_share / export_share"
)

MATRIX_NOTE = (
    "rows: firms whose value added is exported by others (indirect exports); columns: firms that export it; "
    "through_larger, through_own_band: % of the row"
)

Rows = Sequence[tuple[str, ...]]


def tables(report: SizeReport) -> tuple[Breakdown, ...]:
    """Return all tables of a report that have rows."""
    made: list[Breakdown | None] = [
        _direct_indirect(report),
        *(_matrix(report, country) for country in report.countries),
        _channels(report),
        _dependence(report),
        _per_person(report),
        _missing_middle(report),
        _correction(report),
        _intervals(report),
        _coverage(report),
    ]
    return tuple(table for table in made if table is not None)


def _breakdown(
    report: SizeReport, title: str, keys: Sequence[str], rows: Rows, columns: Sequence[Column], *said: str
) -> Breakdown:
    footer = (*said, *coverage_lines(report.exports))
    return Breakdown(title, tuple(keys), tuple(rows), tuple(columns), "", footer)


def _column(name: str, unit: str, values: Sequence[float] | FloatArray, decimals: int) -> Column:
    numbers = np.asarray(values, dtype=np.float64)
    numbers = np.where(np.abs(numbers) < 0.5 * 10.0**-decimals, 0.0, numbers)
    return Column(name, unit, numbers, float("nan"), decimals)


def _amount(name: str, unit: str, values: FloatArray) -> Column:
    scale = float(np.nanmax(np.abs(values), initial=0.0))
    decimals = int(np.clip(3 - np.floor(np.log10(scale)), 0, 8)) if scale > 0 else 0
    return _column(name, unit, values, decimals)


def _rows_by_size(report: SizeReport) -> list[tuple[str, str]]:
    present = report.exports["exports_direct"].notnull()
    return [
        (country, str(band))
        for country in report.countries
        for band in report.exports["size"].values
        if bool(present.sel(exporter=country, size=band))
    ]


def _taken(dataset: xr.Dataset, term: str, rows: Sequence[tuple[str, str]]) -> FloatArray:
    return np.array([float(dataset[term].sel(exporter=c, size=b)) for c, b in rows])


def _direct_indirect(report: SizeReport) -> Breakdown:
    rows = _rows_by_size(report)
    unit = report.banded.unit
    amounts = [
        _column(term, unit, _taken(report.exports, term, rows), 0)
        for term in ("exports_direct", "dva_direct", "dva_indirect", "dva")
    ]
    scale = max(float(np.nanmax(np.abs(c.values), initial=0.0)) for c in amounts)
    decimals = int(np.clip(3 - np.floor(np.log10(scale)), 0, 8)) if scale > 0 else 0
    columns = [_column(c.term, c.unit, c.values, decimals) for c in amounts]
    columns += [
        _column(term, "%", 100 * _taken(report.exports, term, rows), 1)
        for term in ("export_share", "dva_share", "indirect_share")
    ]
    intervals = [report.interval(*row) for row in rows]
    if any(intervals):
        columns += [
            _column("dva_share low", "%", [np.nan if i is None else 100 * i.lower for i in intervals], 1),
            _column("high", "%", [np.nan if i is None else 100 * i.upper for i in intervals], 1),
        ]
    columns.append(_column("visibility", "ratio", _taken(report.exports, "visibility", rows), 2))
    said = [DIRECT_NOTE, STATUS_NOTE]
    if any(intervals):
        said.insert(1, "low, high: model interval of dva_share, see the table of intervals; nothing for 'all'")
    labels = [(c, b, report.statuses[c, b]) for c, b in rows]
    title = f"Direct and indirect exports by firm size, {report.banded.title}"
    return _breakdown(report, title, ("exporter", "size", "status"), labels, columns, *said)


def _matrix(report: SizeReport, country: str) -> Breakdown:
    values = report.matrix["indirect"].sel(exporter=country)
    origins = [str(b) for b in values["origin_size"].values if bool(values.sel(origin_size=b).notnull().any())]
    exporting = [str(b) for b in values["size"].values if bool(values.sel(size=b).notnull().any())]
    cells = values.sel(origin_size=origins, size=exporting).values
    total = np.nansum(cells, axis=1)
    unit = report.banded.unit
    decimals = _amount("", "", total).decimals
    columns = [_column(f"through {b}", unit, cells[:, k], decimals) for k, b in enumerate(exporting)]
    columns.append(_column("sum", unit, total, decimals))
    for term in ("through_larger", "through_own_band"):
        share = report.matrix[term].sel(exporter=country, origin_size=origins).values
        columns.append(_column(term, "%", 100 * share, 1))
    footer = (MATRIX_NOTE, *coverage_lines(report.exports, [country]))
    title = f"Who exports for whom, {country}, {report.banded.title}"
    return Breakdown(title, ("supplier",), tuple((b,) for b in origins), tuple(columns), "", footer)


def _channels(report: SizeReport) -> Breakdown | None:
    terms = [t for t in ("same_sector", "other_sector", "wholesale") if t in report.matrix]
    if not terms:
        return None
    rows = _rows_by_size(report)
    total = report.matrix["indirect"].sum("size")
    columns = []
    for term in terms:
        share = report.matrix[term].sum("size") / total.where(total != 0)
        values = [100 * float(share.sel(exporter=c, origin_size=b)) for c, b in rows]
        columns.append(_column(term, "% of dva_indirect", values, 1))
    said = "through exporters of the same sector, of other sectors" + (
        ", and through wholesalers" if "wholesale" in terms else "; no wholesale sector is known, it is in other_sector"
    )
    return _breakdown(report, "Channels of indirect exports", ("exporter", "supplier"), rows, columns, said)


def _dependence(report: SizeReport) -> Breakdown:
    rows = _rows_by_size(report)
    columns = [
        _column(term, "%", 100 * _taken(data, term, rows), 1)
        for data, terms in (
            (report.demand, ("foreign_demand_dependence", "export_dependence")),
            (report.imports, ("import_share_direct", "import_share_total", "import_content_of_exports", "fc_share")),
        )
        for term in terms
    ]
    said = "; ".join(
        f"{c.term}: {(report.demand if c.term in report.demand else report.imports)[c.term].attrs['long_name'].lower()}"
        for c in columns
    )
    title = "Dependence on foreign demand and on imports"
    return _breakdown(report, title, ("exporter", "size"), rows, columns, said)


def _per_person(report: SizeReport) -> Breakdown | None:
    if "employment" not in report.exports:
        return None
    rows = _rows_by_size(report)
    columns = [
        _amount(term, report.exports[term].attrs["units"], _taken(report.exports, term, rows))
        for term in ("employment", "value_added_per_person", "dva_per_person")
    ]
    return _breakdown(report, "Per person employed", ("exporter", "size"), rows, columns)


def _missing_middle(report: SizeReport) -> Breakdown | None:
    if report.middle is None:
        return None
    data = report.middle
    labels: list[tuple[str, str, str]] = []
    values: list[float] = []
    for country in (str(c) for c in data["exporter"].values):
        for term in ("mm1_employment", "mm2_supplier_gap", "mm4_supplier_depth", "mm5_import_substitution"):
            labels.append((country, term, ""))
            values.append(float(data[term].sel(exporter=country)))
        ladder = data["mm3_productivity"].sel(exporter=country)
        bands = [str(b) for b in ladder["size"].values if bool(ladder.sel(size=b).notnull())]
        labels += [(country, "mm3_productivity", band) for band in bands or [""]]
        values += [float(ladder.sel(size=band)) for band in bands] or [float("nan")]
    names = [f"{t}: {data[t].attrs['long_name'].partition(': ')[2]}" for t in map(str, data.data_vars)]
    said = ("; ".join(names), "five measures, never one alone; a dash: employment by band is not known")
    order = sorted(range(len(labels)), key=lambda k: (report.countries.index(labels[k][0]), labels[k][1]))
    columns = [_column("value", "ratio", [values[k] for k in order], 3)]
    keys = ("exporter", "measure", "size")
    return _breakdown(report, "Missing middle", keys, [labels[k] for k in order], columns, *said)


def _correction(report: SizeReport) -> Breakdown:
    data, unit = report.correction, report.banded.unit
    rows = [(c,) for c in report.countries]

    def taken(term: str) -> FloatArray:
        return np.array([float(data[term].sel(exporter=c)) for c in report.countries])

    decimals = _amount("", "", taken("dva_correction")).decimals
    terms = ("dva_correction", "dva_correction_direct", "dva_correction_indirect")
    columns = [_column(t, unit, taken(t), min(decimals, 3)) for t in terms]
    columns.append(_column("dva_correction_share", "% of exports", 100 * taken("dva_correction_share"), 3))
    said = (
        "domestic value added in exports with bands less without: negative where exporters import more and add less "
        "value than other firms of their sector; zero where value added and imports follow output"
    )
    return _breakdown(report, "Heterogeneity correction", ("exporter",), rows, columns, said)


def _intervals(report: SizeReport) -> Breakdown | None:
    if not report.intervals:
        return None
    rows = [(i.country, "+".join(i.bands), i.kind) for i in report.intervals]
    getters: list[tuple[str, Callable[[int], float]]] = [
        ("estimate", lambda k: report.intervals[k].estimate),
        ("low", lambda k: report.intervals[k].lower),
        ("high", lambda k: report.intervals[k].upper),
    ]
    count = range(len(rows))
    columns = [_column(name, "% of dva", [100 * get(k) for k in count], 1) for name, get in getters]
    said: dict[tuple[str, str], str] = {}
    for i in report.intervals:
        said.setdefault((i.kind, i.meaning), f"{i.kind}: {i.meaning} ({', '.join(i.detail.split(', ')[:2])})")
    title = "Share of bands in domestic value added in exports: what is known of it"
    return _breakdown(report, title, ("exporter", "size", "kind"), rows, columns, *said.values())


def _coverage(report: SizeReport) -> Breakdown:
    data = report.coverage["status_share"]
    rows = [(c, m) for c in report.countries for m in MARGINS]
    columns = []
    for status in (s.name.lower() for s in Status):
        values = [100 * float(data.sel(exporter=c, margin=m, status=status)) for c, m in rows]
        columns.append(_column(status, "%", values, 1))
    said = "of the flow that each margin splits; unsplit: in sectors without margins"
    return _breakdown(report, "Where the margins come from", ("exporter", "margin"), rows, columns, said)
