"""Everything about firms by size in the exports of some countries, with how certain it is: ``tiva.size_report``."""

from __future__ import annotations

import functools
import html
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tiva.bands.coverage import used_status
from tiva.bands.shares import UNSPLIT_LABEL, LogRecord, Status
from tiva.bands.split import BandedTable
from tiva.bands.uncertainty import (
    BandInterval,
    coupling_sensitivity,
    identified_set,
    margin_interval,
    model_interval,
)
from tiva.errors import UnknownLabelError, UsageError, explain, listing
from tiva.indicators.size import (
    coverage,
    exports_by_size,
    foreign_demand_by_size,
    imports_by_size,
    who_exports_for_whom,
)
from tiva.indicators.size_frame import margin_flow
from tiva.indicators.size_gaps import heterogeneity_correction, missing_middle

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from tiva.bands.model import BandedModel
    from tiva.results.tables import Breakdown

DRAWS = 200
"""Draws of a reported interval: its ends then vary by less than a tenth of its width."""

INTERVAL_COUNTRIES = 3
"""Intervals are computed unasked for up to this many countries: some seconds each."""

NO_EMPLOYMENT = "mm1 and mm3 need persons employed, which the margins do not give"


@dataclass(frozen=True, eq=False)
class SizeReport:
    """Direct and indirect exports of some countries by firm size; made by :func:`size_report`.

    Prints as text (``print(report)``), in a notebook as tables; :meth:`to_dict` and :meth:`to_dataset` give the
    numbers.

    Attributes
    ----------
    banded
        The table split by size.
    countries
        What is reported.
    exports, demand, imports
        By (exporter, size): direct and indirect value added in exports; dependence on foreign demand; on imports.
    matrix
        By (exporter, origin_size, size): whose value added leaves in whose exports, and through which channel.
    middle
        The five measures of a missing middle, with the middle and large bands of each country's own scheme; ``None``
        where no country has three bands.
    correction
        Domestic value added with bands less without.
    coverage
        Exports in split sectors, and the status of each margin.
    intervals
        Of the share of all bands but the largest in domestic value added in exports, four kinds a country; and, by
        band, the model interval.
    statuses
        (country, band) -> where the export share of most of the band's exports comes from; ``"unsplit"`` for the firms
        of sectors without margins.
    log
        Everything that was assumed, recovered or moved for these countries.
    notes
        What could not be computed, and why.
    """

    banded: BandedTable
    countries: tuple[str, ...]
    exports: xr.Dataset
    demand: xr.Dataset
    imports: xr.Dataset
    matrix: xr.Dataset
    middle: xr.Dataset | None
    correction: xr.Dataset
    coverage: xr.Dataset
    intervals: tuple[BandInterval, ...]
    statuses: Mapping[tuple[str, str], str]
    log: tuple[LogRecord, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """Countries and table."""
        return f"Exports by firm size: {listing(self.countries, 10)}; {self.banded.title}"

    def tables(self) -> tuple[Breakdown, ...]:
        """Return the tables of the report, in the order in which they are printed."""
        from tiva.results.size_tables import tables

        return tables(self)

    def interval(self, country: str, band: str) -> BandInterval | None:
        """Return the model interval of the share of one band, if it was computed."""
        return next(
            (i for i in self.intervals if i.kind == "model interval" and i.country == country and i.bands == (band,)),
            None,
        )

    def __str__(self) -> str:
        parts = [str(table) for table in self.tables()]
        if self.notes:
            parts.append("\n".join(["Notes", "", *(f"- {note}" for note in self.notes)]))
        parts.append("\n".join(["What was assumed, recovered or moved", "", *map(describe_record, self.log)]))
        if self.banded.shares.sources:
            parts.append(
                "\n".join(
                    ["Sources of the margins, all countries", "", *(f"- {s}" for s in self.banded.shares.sources)]
                )
            )
        rule = "\n\n" + "=" * 110 + "\n\n"
        return self.title + rule + rule.join(parts)

    def __repr__(self) -> str:
        return f"<SizeReport: {listing(self.countries, 6)}; {self.banded.title}; {len(self.intervals)} intervals>"

    def _repr_html_(self) -> str:
        parts = [f"<h3>{html.escape(self.title)}</h3>", *(t._repr_html_() for t in self.tables())]
        for head, items in (
            ("Notes", self.notes),
            ("What was assumed, recovered or moved", tuple(map(describe_record, self.log))),
            ("Sources of the margins, all countries", self.banded.shares.sources),
        ):
            if items:
                rows = "".join(f"<li>{html.escape(item)}</li>" for item in items)
                parts.append(f"<details><summary>{head} ({len(items)})</summary><ul>{rows}</ul></details>")
        return "\n".join(parts)

    def to_html(self) -> str:
        """Return a page that stands alone."""
        style = (
            "body{font-family:sans-serif;max-width:75em;margin:2em auto;padding:0 1em}"
            "table{border-collapse:collapse;margin-top:2em}td,th{padding:.15em .6em}"
            "caption{text-align:left;font-weight:bold;padding:.4em 0}small{color:#555}"
        )
        return (
            f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>{html.escape(self.title)}</title>"
            f"<style>{style}</style></head><body>\n{self._repr_html_()}\n</body></html>\n"
        )

    def interval_frame(self) -> pd.DataFrame:
        """Return the intervals as a data frame, one a row."""
        import pandas as pd

        rows = [{**asdict(i), "bands": "+".join(i.bands)} for i in self.intervals]
        return pd.DataFrame(rows, columns=list(BandInterval.__slots__))

    def to_dataset(self) -> xr.Dataset:
        """Return all numbers but the intervals in one dataset; ``size`` is the exporting band in ``indirect``."""
        import xarray as xr

        parts = [self.exports, self.demand.drop_vars("value_added"), self.imports, self.matrix, self.correction]
        parts += [] if self.middle is None else [self.middle]
        merged = xr.merge([*parts, self.coverage], join="outer", combine_attrs="override")
        notes = [*json.loads(str(self.exports.attrs["notes"])), *self.notes, *map(describe_record, self.log)]
        intervals = json.dumps(plain([asdict(i) for i in self.intervals]), ensure_ascii=False)
        return merged.assign_attrs(
            title=self.title, notes=json.dumps(notes, ensure_ascii=False), intervals=intervals,
            sources=json.dumps(self.banded.shares.sources, ensure_ascii=False),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; numbers that are missing are ``None``."""
        by_size: dict[tuple[str, str], dict[str, Any]] = {
            (country, band): {"exporter": country, "size": band, "status": status}
            for (country, band), status in self.statuses.items()
            if country in self.countries
        }
        for record in (*_records(self.exports), *_records(self.demand), *_records(self.imports)):
            by_size[record["exporter"], record["size"]].update(record)
        return _plain_dict(
            {
                "title": self.title,
                "table": self.banded.title,
                "table_sha256": self.banded.checksum,
                "unit": self.banded.unit,
                "split_method": self.banded.method,
                "countries": list(self.countries),
                "by_size": list(by_size.values()),
                "who_exports_for_whom": _records(self.matrix[_cells(self.matrix, 3)]),
                "missing_middle": [] if self.middle is None else _records(self.middle[_cells(self.middle, 1)]),
                "productivity_ladder": [] if self.middle is None else _records(self.middle[["mm3_productivity"]]),
                "heterogeneity_correction": _records(self.correction[_cells(self.correction, 1)]),
                "exports_in_split_sectors": _records(self.coverage[["exports_in_split_sectors"]]),
                "status_of_margins": _records(self.coverage[["status_share"]]),
                "intervals": [asdict(i) for i in self.intervals],
                "log": [asdict(r) for r in self.log],
                "sources": list(self.banded.shares.sources),
                "notes": list(self.notes),
            }
        )


def size_report(
    table: BandedTable,
    country: str | Sequence[str] | None = None,
    *,
    intervals: bool | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    wholesale: Sequence[str] | str | None = None,
) -> SizeReport:
    """Report who exports, directly and indirectly, by firm size, with coverage, assumptions and intervals.

    Parameters
    ----------
    table
        A table split by size, from :func:`tiva.split_by_size`.
    country
        Country or countries; all that are split when left out.
    intervals
        Whether to compute intervals; left out: where at most three countries are reported (some seconds each).
    draws
        Draws of the margin and the model interval.
    seed
        Their seed.
    wholesale
        Sector labels of wholesale, see :func:`tiva.indicators.size.who_exports_for_whom`.

    Returns
    -------
    SizeReport

    Raises
    ------
    UnknownLabelError
        A country that does not exist.
    UsageError
        A table without bands, a country that is not split, or too few draws.

    Examples
    --------
    >>> import tiva
    >>> banded = tiva.split_by_size(tiva.example(), tiva.example_margins())
    >>> report = tiva.size_report(banded, "MEX", intervals=False)
    >>> report
    <SizeReport: MEX; WIOD 2013 release 2011 by firm size; 0 intervals>
    >>> bool(report.exports["visibility"].sel(exporter="MEX", size="small") > 1)
    True
    """
    if not isinstance(table, BandedTable):
        raise UsageError(
            explain(
                "a size report needs a table that is split by firm size",
                got=type(table).__name__,
                do="split it first with tiva.split_by_size(table, margins)",
            )
        )
    countries = _countries(table, country)
    model = table.model()
    chosen = {"exporter": list(countries)}
    middle, notes = _middle(table, model, countries)
    wanted = len(countries) <= INTERVAL_COUNTRIES if intervals is None else intervals
    found: list[BandInterval] = []
    if wanted:
        for name in countries:
            some, said = _intervals(table, name, draws, seed)
            found += some
            notes += said
    else:
        notes.append("intervals were not computed: ask for them, or name at most three countries")
    log = tuple(r for r in table.shares.log if r.country in ("", *countries) or _area(table, r.country) in countries)
    return SizeReport(
        banded=table,
        countries=countries,
        exports=exports_by_size(model).sel(chosen),
        demand=foreign_demand_by_size(model).sel(chosen),
        imports=imports_by_size(model).sel(chosen),
        matrix=who_exports_for_whom(model, wholesale=wholesale).sel(chosen),
        middle=middle,
        correction=heterogeneity_correction(model).sel(chosen),
        coverage=coverage(model).sel(chosen),
        intervals=tuple(found),
        statuses=_statuses(table),
        log=log,
        notes=tuple(dict.fromkeys(notes)),
    )


def split_countries(table: BandedTable) -> tuple[str, ...]:
    """Return the countries that have at least one split sector."""
    split = table.shares.row_band >= 0
    present = set(table.shares.row_country[split].tolist())
    return tuple(c for g, c in enumerate(table.shares.countries) if g in present)


def bands_of(table: BandedTable, country: str) -> tuple[str, ...]:
    """Return the bands that occur in a country, smallest first, without ``"all"``."""
    g = table.countries.index(country)
    used = {table.bands[k] for k in table.row_band[table.row_country == g]}
    return tuple(b for b in table.shares.bands[g] if b in used)


def describe_record(record: LogRecord) -> str:
    """Return one line for a record of the log."""
    where = " ".join(part for part in (record.country, record.sector, record.band, record.variable) if part)
    text = f"{record.step}: {where}: {record.message}" if where else f"{record.step}: {record.message}"
    if not math.isnan(record.after):
        before = "" if math.isnan(record.before) else f"{record.before:.4g} -> "
        text += f" ({before}{record.after:.4g})"
    if record.moved:
        text += f", moved {100 * record.moved:.2g} % of output"
    return text + (f" [{record.source}]" if record.source else "")


def _countries(table: BandedTable, country: str | Sequence[str] | None) -> tuple[str, ...]:
    split = split_countries(table)
    if not split:
        raise UsageError(explain("no country of this table is split by firm size", do="give margins that fit it"))
    if country is None:
        return split
    names = tuple(dict.fromkeys([country] if isinstance(country, str) else country))
    for name in names:
        if name not in table.countries:
            raise UnknownLabelError("country", name, table.countries)
        if name not in split:
            raise UsageError(
                explain(
                    f"{name} is not split by firm size: there are no margins for it",
                    expected=f"one of {listing(split, 20)}",
                    do="add margins of the country",
                )
            )
    if not names:
        raise UsageError(explain("no country to report", do="leave country out for all"))
    return names


def _area(table: BandedTable, label: str) -> str:
    areas = dict(zip(table.shares.areas, table.shares.area_countries, strict=True))
    return areas.get(label, label)


def _middle(table: BandedTable, model: BandedModel, countries: Sequence[str]) -> tuple[xr.Dataset | None, list[str]]:
    """Missing-middle measures with the bands of each country's own scheme."""
    import xarray as xr

    found, notes = [], []
    for name in countries:
        bands = bands_of(table, name)
        if len(bands) < 3:
            notes.append(f"no missing-middle measures for {name}: it has {len(bands)} bands, three are needed")
            continue
        measured = missing_middle(model, middle=list(bands[1:-1]), large=bands[-1])
        found.append(measured.sel(exporter=[name]))
        said = json.loads(str(measured.attrs["notes"]))[-1]
        notes.append(f"missing middle of {name}: {said}")
    if not found:
        return None, notes
    joined = xr.concat(found, dim="exporter", combine_attrs="override")
    if bool(joined["mm1_employment"].isnull().all()):
        notes.append(NO_EMPLOYMENT)
    return joined, notes


def _intervals(table: BandedTable, country: str, draws: int, seed: int) -> tuple[list[BandInterval], list[str]]:
    """Four intervals of all bands but the largest, and the model interval of each band."""
    bands = bands_of(table, country)
    smaller = bands[:-1] or bands
    calls: list[Callable[[], BandInterval]] = [
        functools.partial(margin_interval, table, country, smaller, draws=draws, seed=seed),
        functools.partial(model_interval, table, country, smaller, draws=draws, seed=seed),
        functools.partial(coupling_sensitivity, table, country, smaller),
        functools.partial(identified_set, table, country, smaller, seed=seed),
    ]
    calls += [
        functools.partial(model_interval, table, country, band, draws=draws, seed=seed)
        for band in bands
        if (band,) != smaller
    ]
    found, notes = [], []
    for call in calls:
        try:
            found.append(call())
        except UsageError as error:
            if draws < 2:
                raise
            reason = str(error).splitlines()[0]
            notes.append(f"{call.func.__name__} of {country} is not available: {reason}")  # type: ignore[attr-defined]
    return found, notes


def _statuses(table: BandedTable) -> dict[tuple[str, str], str]:
    """Return the status of the largest part of the exports of every (country, band)."""
    flow = np.abs(margin_flow(table, "exports"))
    status = used_status(table, "exports")
    total = np.zeros((len(table.countries), len(table.bands), len(Status)))
    present = np.zeros(total.shape[:2], dtype=bool)
    np.add.at(total, (table.row_country, table.row_band, status), flow)
    present[table.row_country, table.row_band] = True
    best = total.argmax(axis=2)
    return {
        (table.countries[g], table.bands[k]): (
            "unsplit" if table.bands[k] == UNSPLIT_LABEL else Status(int(best[g, k])).name.lower()
        )
        for g, k in np.argwhere(present).tolist()
    }


def _cells(dataset: xr.Dataset, dims: int) -> list[str]:
    return [str(name) for name in dataset.data_vars if len(dataset[name].dims) == dims]


def _records(dataset: xr.Dataset) -> list[dict[str, Any]]:
    frame = dataset.to_dataframe().dropna(how="all").reset_index()
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _plain_dict(values: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in values.items()}


def plain(value: Any) -> Any:
    """Return plain JSON values; NaN is ``None``."""
    if isinstance(value, dict):
        return _plain_dict(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
