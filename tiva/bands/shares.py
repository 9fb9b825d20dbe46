"""Band shares of every country-sector: what is handed from margins to the banded model."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from tiva.errors import BandShareError, UnknownLabelError, explain, listing
from tiva.kernels.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

    from tiva.table.icio_table import IcioTable

MARGINS = ("output", "value_added", "imports", "exports", "domestic_intermediate")
"""Margins with a share; the last is optional (NaN: sales to business are split like all domestic sales)."""

UNSPLIT_LABEL = "all"
"""Band label of a country-sector that is not split."""

SUM_TOLERANCE = 1e-9
"""Shares of a country-sector may miss one by this much: the rounding of a sum of doubles, far below any source."""


class Status(IntEnum):
    """Where a share comes from, best first."""

    OBSERVED = 0
    DERIVED = 1
    IMPUTED = 2
    ASSUMED = 3
    UNSPLIT = 4


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One thing that was assumed, recovered or changed on the way from margins to shares.

    Attributes
    ----------
    step
        Where it happened: ``read``, ``concordance``, ``confidential``, ``totals``, ``trader``, ``donor``, ``assumed``,
        ``edge``, ``reconcile``, ``unsplit``.
    country, sector, band, variable
        What it happened to; ``""`` where it concerns all.
    message
        What was done, one sentence.
    before, after
        Share before and after, NaN where there was none.
    moved
        Amount moved, as share of the country-sector's output (the L1 distance of the flows over output), or 0.
    source
        Source, or file and line, of the fact concerned.
    """

    step: str
    country: str
    sector: str
    message: str
    band: str = ""
    variable: str = ""
    before: float = float("nan")
    after: float = float("nan")
    moved: float = 0.0
    source: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class BandShares:
    """Shares of size bands in the totals of each country-sector, in ragged row layout.

    Rows run over country-sectors in table order (area-major, sector) and, within one, over its bands in the order of
    the scheme: rows ``band_ptr[i]:band_ptr[i + 1]`` are the bands of table row ``i``. A country-sector without split
    has one row with share one and band ordinal -1; a band without output has no row.

    Attributes
    ----------
    countries, areas, area_countries, sectors
        As in the table: G countries, U areas, the country of each area, N sectors; n = U·N.
    bands
        Per country, the K_c band labels in order; ``()`` where the country is not split.
    schemes
        Per country, the band scheme; ``""`` where the country is not split.
    band_ptr
        Shape (n + 1,), offsets of each country-sector's rows; R = ``band_ptr[-1]``.
    row_band
        Shape (R,), position in the country's ``bands``, -1 where the country-sector is not split.
    output, value_added, imports, exports
        Shape (R,), shares s, alpha, m, e of the band in output, value added, imported intermediate inputs and
        exports of the country-sector; each sums to one over a country-sector.
    domestic_intermediate
        Shape (R,), share h^Z in deliveries to domestic intermediate users, or NaN for all bands of a
        country-sector where it is not known.
    status
        Margin name -> shape (R,) codes of :class:`Status`.
    standard_error
        Margin name -> shape (R,), standard error of the share where a source gives one, else NaN.
    employment
        Shape (R,), persons employed, NaN where not known; or ``None``.
    sources
        The sources of all facts used.
    log
        Everything that was assumed, recovered or moved.
    """

    countries: tuple[str, ...]
    areas: tuple[str, ...]
    area_countries: tuple[str, ...]
    sectors: tuple[str, ...]
    bands: tuple[tuple[str, ...], ...]
    schemes: tuple[str, ...]
    band_ptr: IntArray
    row_band: IntArray
    output: FloatArray
    value_added: FloatArray
    imports: FloatArray
    exports: FloatArray
    domestic_intermediate: FloatArray
    status: Mapping[str, IntArray]
    standard_error: Mapping[str, FloatArray] = field(default_factory=dict)
    employment: FloatArray | None = None
    sources: tuple[str, ...] = ()
    log: tuple[LogRecord, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes and sums, and freeze the arrays."""
        n = len(self.areas) * len(self.sectors)
        if self.band_ptr.shape != (n + 1,) or self.band_ptr[0] != 0 or (np.diff(self.band_ptr) < 1).any():
            raise BandShareError(
                explain(
                    "band_ptr does not fit the table",
                    got=f"shape {self.band_ptr.shape}",
                    expected=f"{n + 1} increasing offsets from 0, at least one row a country-sector",
                )
            )
        rows = int(self.band_ptr[-1])
        errors = {m: self.standard_error.get(m, np.full(rows, np.nan)) for m in MARGINS}
        missing = [m for m in MARGINS if m not in self.status]
        if missing:
            raise BandShareError(explain("status is missing for some margins", got=listing(missing)))
        for name in ("band_ptr", "row_band", *MARGINS):
            object.__setattr__(self, name, _own(getattr(self, name)))
        status = {m: _own(np.asarray(self.status[m], dtype=np.int64)) for m in MARGINS}
        object.__setattr__(self, "status", MappingProxyType(status))
        object.__setattr__(self, "standard_error", MappingProxyType({m: _own(a) for m, a in errors.items()}))
        if self.employment is not None:
            object.__setattr__(self, "employment", _own(self.employment))
        arrays = {"row_band": self.row_band, **{m: getattr(self, m) for m in MARGINS}}
        arrays |= {f"status of {m}": a for m, a in status.items()}
        arrays |= {f"standard_error of {m}": a for m, a in errors.items()}
        for name, array in arrays.items():
            if array.shape != (rows,):
                raise BandShareError(
                    explain(f"{name} does not fit band_ptr", got=f"shape {array.shape}", expected=f"({rows},)")
                )
        self._check_shares()

    def _check_shares(self) -> None:
        start = self.band_ptr[:-1]
        for name in MARGINS:
            share: FloatArray = getattr(self, name)
            total = np.add.reduceat(share, start)
            bad = ~(np.abs(total - 1.0) <= SUM_TOLERANCE)
            if name == "domestic_intermediate":
                bad &= ~np.isnan(share[start])
            if bad.any():
                i = int(np.argmax(bad))
                raise BandShareError(
                    explain(
                        f"shares of {name} do not sum to one in {int(bad.sum())} country-sectors",
                        got=f"{total[i]:.12g} in {self.label(i)}",
                        expected="1",
                    )
                )
            if (share < 0.0).any():
                row = int(np.argmax(share < 0.0))
                i = int(self.row_table_row[row])
                raise BandShareError(
                    explain(f"negative share of {name}", got=f"{share[row]:.6g} in {self.label(i)}", expected=">= 0")
                )
        if (self.output <= 0.0).any():
            i = int(self.row_table_row[int(np.argmax(self.output <= 0.0))])
            raise BandShareError(
                explain("a band without output has a row", got=self.label(i), do="leave the band out there")
            )

    @property
    def n(self) -> int:
        """Number of country-sectors."""
        return len(self.areas) * len(self.sectors)

    @property
    def rows(self) -> int:
        """R, number of (country-sector, band) rows."""
        return int(self.band_ptr[-1])

    @property
    def row_table_row(self) -> IntArray:
        """Shape (R,): the country-sector, as row of the table."""
        return np.repeat(np.arange(self.n, dtype=np.int64), np.diff(self.band_ptr))

    @property
    def row_country(self) -> IntArray:
        """Shape (R,): position of the country in ``countries``."""
        position = {c: g for g, c in enumerate(self.countries)}
        area = np.array([position[c] for c in self.area_countries], dtype=np.int64)
        result: IntArray = area[self.row_table_row // len(self.sectors)]
        return result

    @property
    def row_label(self) -> tuple[str, ...]:
        """R band labels, ``"all"`` where a country-sector is not split."""
        pairs = zip(self.row_country.tolist(), self.row_band.tolist(), strict=True)
        return tuple(UNSPLIT_LABEL if b < 0 else self.bands[g][b] for g, b in pairs)

    @property
    def split(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Shape (n,): whether the country-sector is split."""
        return np.asarray(self.row_band[self.band_ptr[:-1]] >= 0)

    @property
    def is_proportional(self) -> bool:
        """Whether every split margin is the output share: adds nothing but sector mix, and is no estimate."""
        others = (self.value_added, self.imports, self.exports)
        same = all(np.allclose(m, self.output, rtol=0.0, atol=SUM_TOLERANCE) for m in others)
        return bool(self.split.any()) and same and bool(np.isnan(self.domestic_intermediate).all())

    def _facts(self) -> dict[str, str]:
        """Return what a short representation says."""
        split = self.split
        countries = self.row_country[self.band_ptr[:-1]]
        names = [c for g, c in enumerate(self.countries) if split[countries == g].any()]
        labels = dict.fromkeys(label for label in self.row_label if label != UNSPLIT_LABEL)
        inside = self.row_band >= 0
        codes = np.concatenate([self.status[m][inside] for m in MARGINS[:4]])
        counts = np.bincount(codes, minlength=len(Status)) if len(codes) else np.zeros(len(Status), dtype=np.int64)
        status = [f"{100 * n / max(len(codes), 1):.0f} % {Status(k).name.lower()}" for k, n in enumerate(counts) if n]
        business = inside & ~np.isnan(self.domestic_intermediate)
        return {
            "countries split": f"{len(names)} of {len(self.countries)}" + (f" ({listing(names, 12)})" if names else ""),
            "country-sectors split": f"{int(split.sum())} of {self.n}",
            "bands": listing(labels, 8) or "none",
            "shares": ", ".join(status) or "none",
            "sales to producers": f"known in {len(set(self.row_table_row[business].tolist()))} country-sectors",
            "employment": "not given" if self.employment is None else "given",
            "log": f"{len(self.log)} records",
        }

    def __repr__(self) -> str:
        facts = "; ".join(f"{name}: {text}" for name, text in self._facts().items())
        return f"<BandShares: {facts}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._facts().items()
        )
        return f"<table><caption>Shares of firm-size bands</caption>{rows}</table>"

    def label(self, table_row: int) -> str:
        """Return ``area.sector`` of a table row.

        Parameters
        ----------
        table_row
            Position of a country-sector.
        """
        return f"{self.areas[table_row // len(self.sectors)]}.{self.sectors[table_row % len(self.sectors)]}"

    def margin(self, name: str) -> FloatArray:
        """Return the (R,) shares of a margin by name.

        Parameters
        ----------
        name
            One of :data:`MARGINS`.
        """
        if name not in MARGINS:
            raise UnknownLabelError("margin", name, MARGINS)
        values: FloatArray = getattr(self, name)
        return values

    def replace(self, **changes: Any) -> BandShares:
        """Return a copy with some fields replaced."""
        return replace(self, **changes)

    def log_frame(self) -> pd.DataFrame:
        """Return the log as a data frame, one record a row."""
        import pandas as pd

        return pd.DataFrame(
            [{name: getattr(r, name) for name in LogRecord.__slots__} for r in self.log],
            columns=list(LogRecord.__slots__),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row per (country, sector, band) with all shares, their status and employment."""
        import pandas as pd

        table_row = self.row_table_row
        columns: dict[str, object] = {
            "area": [self.areas[i] for i in table_row // len(self.sectors)],
            "country": [self.countries[g] for g in self.row_country],
            "sector": [self.sectors[i] for i in table_row % len(self.sectors)],
            "band": list(self.row_label),
            "scheme": [self.schemes[g] for g in self.row_country],
        }
        for m in MARGINS:
            columns[m] = self.margin(m)
            columns[f"{m}_status"] = [Status(int(c)).name.lower() for c in self.status[m]]
        if self.employment is not None:
            columns["employment"] = self.employment
        return pd.DataFrame(columns)

    @classmethod
    def unsplit(cls, table: IcioTable) -> BandShares:
        """Return shares that split nothing: one row a country-sector.

        Parameters
        ----------
        table
            The table.
        """
        return cls.from_dicts(table, {}, bands={})

    @classmethod
    def proportional(
        cls,
        table: IcioTable,
        shares: Mapping[str, Mapping[str, Sequence[float]]],
        *,
        bands: Mapping[str, Sequence[str]],
    ) -> BandShares:
        """Return a split of everything by output shares alone.

        Such a split leaves all totals as they are and overstates small firms' part in exports wherever large firms
        export more (Bems and Kikkawa 2021): a benchmark, not an estimate. Its margins are marked ``assumed``.

        Parameters
        ----------
        table
            The table.
        shares
            Country -> sector -> K_c output shares.
        bands
            Country -> band labels.
        """
        margins = {c: {s: {"output": v} for s, v in by.items()} for c, by in shares.items()}
        return cls.from_dicts(table, margins, bands=bands)

    @classmethod
    def from_dicts(
        cls,
        table: IcioTable,
        margins: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
        *,
        bands: Mapping[str, Sequence[str]],
        schemes: Mapping[str, str] | None = None,
    ) -> BandShares:
        """Return shares typed in by hand, without reconciliation.

        Parameters
        ----------
        table
            The table.
        margins
            Country (or area) -> sector -> margin -> K_c shares in the order of ``bands``. ``output`` is needed;
            ``value_added``, ``imports`` and ``exports`` that are left out follow it and are marked ``assumed``.
            Bands of zero output share get no row.
        bands
            Country -> band labels.
        schemes
            Country -> name of the scheme, by default ``"custom"``.

        Raises
        ------
        UnknownLabelError
            A country, sector or margin that does not exist.
        BandShareError
            Shares that are negative, do not sum to one, or do not fit the bands.
        """
        _known(table, margins, bands)
        rows = _Rows.gather(table, margins, bands)
        ptr = np.concatenate(([0], np.cumsum(rows.sizes))).astype(np.int64)
        return cls(
            countries=table.countries,
            areas=table.areas,
            area_countries=table.area_countries,
            sectors=table.sectors,
            bands=tuple(tuple(bands.get(c, ())) for c in table.countries),
            schemes=tuple((schemes or {}).get(c, "custom") if c in bands else "" for c in table.countries),
            band_ptr=ptr,
            row_band=np.array(rows.band, dtype=np.int64),
            status={m: np.array(rows.status[m], dtype=np.int64) for m in MARGINS},
            output=np.array(rows.values["output"], dtype=np.float64),
            value_added=np.array(rows.values["value_added"], dtype=np.float64),
            imports=np.array(rows.values["imports"], dtype=np.float64),
            exports=np.array(rows.values["exports"], dtype=np.float64),
            domestic_intermediate=np.array(rows.values["domestic_intermediate"], dtype=np.float64),
        )


@dataclass(slots=True)
class _Rows:
    """Ragged rows under construction."""

    sizes: list[int]
    band: list[int]
    values: dict[str, list[float]]
    status: dict[str, list[int]]

    @classmethod
    def gather(
        cls,
        table: IcioTable,
        margins: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
        bands: Mapping[str, Sequence[str]],
    ) -> _Rows:
        rows = cls([], [], {m: [] for m in MARGINS}, {m: [] for m in MARGINS})
        for area, country in zip(table.areas, table.area_countries, strict=True):
            by_sector = margins.get(area, margins.get(country, {}))
            for sector in table.sectors:
                given = by_sector.get(sector)
                if given is None:
                    rows.add_unsplit()
                else:
                    rows.add(f"{area}.{sector}", given, tuple(bands.get(country, ())))
        return rows

    def add_unsplit(self) -> None:
        self.sizes.append(1)
        self.band.append(-1)
        for m in MARGINS:
            self.values[m].append(float("nan") if m == "domestic_intermediate" else 1.0)
            self.status[m].append(Status.UNSPLIT)

    def add(self, label: str, given: Mapping[str, Sequence[float]], bands: tuple[str, ...]) -> None:
        if "output" not in given:
            raise BandShareError(explain(f"no output shares for {label}", got=listing(given)))
        for m, v in given.items():
            if m not in MARGINS:
                raise UnknownLabelError("margin", m, MARGINS)
            if len(v) != len(bands):
                raise BandShareError(
                    explain(
                        f"shares of {m} in {label} do not fit the bands", got=len(v), expected=f"{len(bands)} bands"
                    )
                )
        kept = [b for b, s in enumerate(given["output"]) if s != 0.0]
        self.sizes.append(len(kept))
        self.band.extend(kept)
        for m in MARGINS:
            default = [float("nan")] * len(bands) if m == "domestic_intermediate" else given["output"]
            status = Status.OBSERVED if m in given else Status.ASSUMED
            lost = [b for b in range(len(bands)) if b not in kept and given.get(m, default)[b] > 0.0]
            if lost:
                raise BandShareError(
                    explain(f"a band without output has a share of {m} in {label}", got=listing(bands[b] for b in lost))
                )
            self.values[m].extend(float(given.get(m, default)[b]) for b in kept)
            self.status[m].extend([int(status)] * len(kept))


def _known(table: IcioTable, margins: Mapping[str, Mapping[str, Any]], bands: Mapping[str, Sequence[str]]) -> None:
    for country in bands:
        if country not in table.countries:
            raise UnknownLabelError("country", country, table.countries)
    for name, by_sector in margins.items():
        if name not in table.countries and name not in table.areas:
            raise UnknownLabelError("country", name, table.countries)
        country = name if name in table.countries else table.area_countries[table.areas.index(name)]
        if country not in bands:
            raise BandShareError(explain(f"margins of {name} have no bands", do="name the country's bands"))
        for sector in by_sector:
            if sector not in table.sectors:
                raise UnknownLabelError("sector", sector, table.sectors)


def _own(array: Any) -> Any:
    copy = np.array(array)
    copy.setflags(write=False)
    return copy
