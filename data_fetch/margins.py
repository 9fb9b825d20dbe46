"""Firm-size margins from OECD and Eurostat, in the form of ``band_margins.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from data_fetch.catalogue import Years, parse_years
from data_fetch.sdmx import Flow, SdmxClient, flow
from data_fetch.store import is_offline, store_in
from tiva.errors import FetchError, UnknownLabelError, UsageError, explain, listing
from tiva.files import as_path, replacing

COLUMNS = (
    "country", "year", "sector", "sector_scheme", "band_scheme", "band", "variable", "partner", "unit", "value",
    "se", "lo", "hi", "status", "source", "source_id", "url", "licence", "note",
)  # fmt: skip
"""Columns of ``band_margins.csv``."""

BAND_SCHEME = "EMP_10_50_250"
"""Bands of the result: micro 0-9, small 10-49, medium 50-249, large 250 and more persons."""

Pieces = Mapping[str, tuple[tuple[str, ...], ...]]
"""Band -> ways of composing it from the source's size classes, the preferred one first."""

OECD_SIZES: Pieces = MappingProxyType(
    {
        "micro": (("S1T9",),),
        "small": (("S10T49",), ("S10T19", "S20T49")),
        "medium": (("S50T249",),),
        "large": (("S_GE250",),),
        "TOTAL": (("_T",),),
    }
)
OECD_TEC_SIZES: Pieces = MappingProxyType(
    {
        "micro": (("S0T9",), ("S1T9",)),
        "small": (("S10T49",), ("S10T19", "S20T49")),
        "medium": (("S50T249",),),
        "large": (("S_GE250",),),
        "TOTAL": (("_T",),),
        "UNKNOWN": (("_X",), ("_U",)),
    }
)
EUROSTAT_SIZES: Pieces = MappingProxyType(
    {
        "micro": (("0-9",), ("0_1", "2-9"), ("0-1", "2-9")),
        "small": (("10-49",), ("10-19", "20-49")),
        "medium": (("50-249",),),
        "large": (("GE250",),),
        "TOTAL": (("TOTAL",),),
        "UNKNOWN": (("UNK",),),
    }
)
"""``0_1`` is how the data set writes none or one person; the other classes have a hyphen."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of a source: its code, the variable of the margins file, its unit there, factor, note.

    ``unit`` empty: read from the answer (currency and multiplier differ by country).
    """

    code: str
    variable: str
    unit: str = ""
    factor: float = 1.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A flow as a source of margins: its measures, size classes, fixed dimensions, sector scheme."""

    flow: str
    measures: tuple[Measure, ...]
    sizes: Pieces
    sector_scheme: str
    fixed: Mapping[str, str] = field(default_factory=dict)
    iso2: bool = False


_TRADERS = "goods only, by activity of the trader"
_FACTOR_COST = "at factor cost; other countries report at basic prices"

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "oecd_sdbs": Source(
            "oecd_sdbs",
            (
                Measure("VALU", "va", note="at basic prices"),
                Measure("VAFC", "va", note=_FACTOR_COST),
                Measure("TUTT", "turnover"),
                Measure("PROD", "output", note="measure code not verified"),
                Measure("EMPN", "employment", "persons"),
                Measure("ENTR", "enterprises", "count"),
            ),
            OECD_SIZES,
            "ISIC4",
            MappingProxyType({"FREQ": "A"}),
        ),
        "oecd_tec": Source(
            "oecd_tec",
            (
                Measure("X", "exports", note=_TRADERS),
                Measure("M", "imports_total", note=_TRADERS),
            ),
            OECD_TEC_SIZES,
            "ISIC4",
            MappingProxyType({"FREQ": "A", "MEASURE": "TUTT_TEC"}),
        ),
        "eurostat_sbs": Source(
            "eurostat_sbs",
            (
                Measure("AV_MEUR", "va", "EUR_mn"),
                Measure("NETTUR_MEUR", "turnover", "EUR_mn"),
                Measure("EMP_NR", "employment", "persons"),
                Measure("ENT_NR", "enterprises", "count"),
            ),
            EUROSTAT_SIZES,
            "NACE2",
            MappingProxyType({"freq": "A"}),
            iso2=True,
        ),
        "eurostat_sbs_2005": Source(
            "eurostat_sbs_2005",
            (
                Measure("V12150", "va", "EUR_mn", note=_FACTOR_COST),
                Measure("V12110", "turnover", "EUR_mn"),
                Measure("V12120", "output", "EUR_mn"),
                Measure("V16110", "employment", "persons"),
                Measure("V11110", "enterprises", "count"),
            ),
            EUROSTAT_SIZES,
            "NACE2",
            MappingProxyType({"freq": "A"}),
            iso2=True,
        ),
        "eurostat_tec": Source(
            "eurostat_tec",
            (
                Measure("EXP", "exports", "EUR_mn", 1e-3, _TRADERS),
                Measure("IMP", "imports_total", "EUR_mn", 1e-3, _TRADERS),
            ),
            EUROSTAT_SIZES,
            "NACE2",
            MappingProxyType({"freq": "A", "partner": "WORLD", "unit": "THS_EUR"}),
            iso2=True,
        ),
    }
)
"""Sources of margins by name."""

_EU_CODES = MappingProxyType({"GRC": "EL", "GBR": "UK"})
_CURRENCIES = MappingProxyType({"XDC": "LCU_mn", "NC": "LCU_mn", "USD": "USD_mn", "EUR": "EUR_mn"})
_MILLION = 1e6
_TOTALS = ("_T", "W", "WLD", "WORLD", "TOTAL", "_Z")
"""Codes of the total of a dimension; ``_Z``: the dimension does not apply."""

_CONFIDENTIAL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "OBS_STATUS": frozenset({"C", "Q"}),  # confidential, suppressed
        "CONF_STATUS": frozenset({"C", "D", "N", "S"}),  # confidential, secondary (two codes), not for publication
        "OBS_FLAG": frozenset({"c"}),
    }
)
_ESTIMATED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "OBS_STATUS": frozenset({"E", "F", "I"}),  # estimated, forecast, imputed by a receiving agency
        "OBS_FLAG": frozenset({"e", "f", "s"}),
    }
)
_PLAIN: Mapping[str, frozenset[str]] = MappingProxyType(
    {"OBS_STATUS": frozenset({"A"}), "CONF_STATUS": frozenset({"F"}), "OBS_FLAG": frozenset()}
)
"""Codes of the SDMX code lists of observation status and confidentiality, and Eurostat's flags, by column."""

_Cell = tuple[float | None, str, str]
"""Value, status, note."""


def fetch_margins(
    source: str,
    countries: Sequence[str],
    years: Years,
    *,
    sectors: Sequence[str] = (),
    variables: Sequence[str] = (),
    recover: bool = True,
    offline: bool | None = None,
    folder: str | Path | None = None,
    endpoint: str | None = None,
    identity: str | None = None,
    fixed: Mapping[str, str] = MappingProxyType({}),
    client: SdmxClient | None = None,
) -> list[dict[str, str]]:
    """Return firm-size margins as rows of ``band_margins.csv``.

    Parameters
    ----------
    source
        One of :data:`SOURCES`.
    countries
        ISO 3166-1 alpha-3 codes.
    years
        Years, such as ``2019`` or ``"2015-2020"``.
    sectors
        Activity codes of the source (``"C"``, ``"C10T12"``, ``"B-N"``); all by default.
    variables
        Variables of the margins file; all of the source by default.
    recover
        Fill one withheld band with the total less the others, as status ``derived``.
    offline, folder
        As in :func:`data_fetch.get`.
    endpoint
        Another entry point of the service.
    identity
        ``"AGENCY:FLOW(VERSION)"`` where the source's flow is called otherwise by now; see
        :func:`data_fetch.sdmx.flow`.
    fixed
        Dimension -> code, besides those of the source or in their place; an empty code leaves a dimension free. A
        dimension that is left free and answers with several codes is taken at its total (``_T``, ``W``, ...).
    client
        All settings of the queries at once, instead of ``offline`` and ``folder``.

    Returns
    -------
    list of dict
        One fact a row, levels with a ``TOTAL`` row; status ``observed``, ``imputed`` (estimated by the publisher),
        ``derived`` (summed or recovered), ``confidential`` or ``missing`` (both without a value). Where a source
        publishes a variable by two measures (value added at basic prices and at factor cost), the first with
        values by band counts, and the note names the other.

    Raises
    ------
    UnknownLabelError, UsageError
        Unknown source, country, variable or dimension, or no year.
    FetchError, OfflineError
        The service does not answer, may not be asked, holds nothing of what was asked, or answers with unknown size
        classes or units, or with several observations of one cell.
    """
    if source not in SOURCES:
        raise UnknownLabelError("source of margins", source, tuple(SOURCES))
    chosen = SOURCES[source]
    span = parse_years(years)
    if not span:
        raise UsageError(explain("margins need years", got=repr(years)))
    measures = _measures(chosen, variables)
    areas = _areas(chosen, countries)
    asked = flow(chosen.flow, endpoint, identity)
    chosen = replace(chosen, fixed={k: v for k, v in {**chosen.fixed, **fixed}.items() if v})
    if client is None:
        store = store_in(folder)
        client = SdmxClient(store, offline=is_offline(offline))
    rows: list[dict[str, str]] = []
    for measure in measures:
        key: dict[str, str | Sequence[str]] = {asked.measure: measure.code, asked.area: list(areas), **chosen.fixed}
        if sectors:
            key[asked.activity] = list(sectors)
        answer = client.rows(asked, key, span[0], span[-1])
        answer = [row for row in answer if _year(row) in span and row[asked.area] in areas]
        _check_sizes(answer, asked, chosen)
        free = [] if not answer else [n for n in asked.dimensions or client.dimensions(asked) if n not in key]
        free = [n for n in free if n not in (asked.activity, asked.size, "UNIT_MEASURE")]
        for area in areas:
            mine, note = _at_totals([row for row in answer if row[asked.area] == area], free)
            told = (note, *(f"not verified: {doubt}" for doubt in asked.doubts))
            said = replace(measure, note="; ".join(text for text in (measure.note, *told) if text))
            rows += _facts(mine, asked, chosen, said, areas, recover=recover)
    if not rows:
        raise FetchError(
            explain(
                f"{asked.agency}:{asked.flow} holds nothing of what was asked",
                got=f"{listing(areas)}, {listing(span)}, {listing(m.code for m in measures)}",
                do="ask for other countries, years or sectors"
                + (
                    ""
                    if asked.status == "seen"
                    else ", or name the flow (--flow) and its codes (--fixed): not verified"
                ),
            )
        )
    return _one_of_each(rows)


def write_margins(rows: Sequence[Mapping[str, str]], path: str | Path) -> Path:
    """Write rows as ``band_margins.csv``, whole or not at all, and return the path."""
    return write_rows(rows, COLUMNS, path)


def write_rows(rows: Sequence[Mapping[str, str]], columns: Sequence[str], path: str | Path) -> Path:
    """Write rows as csv with a header, whole or not at all, and return the path."""
    path = as_path(path)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _measures(source: Source, variables: Sequence[str]) -> tuple[Measure, ...]:
    known = tuple(dict.fromkeys(measure.variable for measure in source.measures))
    for variable in variables:
        if variable not in known:
            raise UnknownLabelError(f"variable of {source.flow}", variable, known)
    return tuple(m for m in source.measures if not variables or m.variable in variables)


def _areas(source: Source, countries: Sequence[str]) -> dict[str, str]:
    """Return code in the source -> ISO 3166-1 alpha-3 code."""
    from tiva.concordances import countries as known

    found = {}
    for code in countries:
        if code not in known() or not known()[code].iso2:
            raise UnknownLabelError("country code", code, tuple(c for c, x in known().items() if x.iso2))
        found[_EU_CODES.get(code, known()[code].iso2) if source.iso2 else code] = code
    if not found:
        raise UsageError(explain("margins need countries", got="none"))
    return found


def _year(row: Mapping[str, str]) -> int:
    text = row["TIME_PERIOD"]
    if not text[:4].isdigit():
        raise FetchError(explain("an observation has no year", got=repr(text)))
    return int(text[:4])


def _check_sizes(answer: Sequence[Mapping[str, str]], asked: Flow, source: Source) -> None:
    """Refuse an answer whose size classes are none of those that bands are composed of."""
    codes = {row[asked.size] for row in answer}
    parts = {part for band, ways in source.sizes.items() if band != "TOTAL" for way in ways for part in way}
    totals = {part for way in source.sizes["TOTAL"] for part in way}
    if codes - totals and not codes & parts:
        raise FetchError(
            explain(
                f"{asked.flow} has other size classes than expected",
                got=listing(sorted(codes), 20),
                expected=listing(sorted(parts | totals), 20),
                do="its codes have changed; write the margins file by hand, or correct the size classes of the source",
            )
        )


def _at_totals(answer: list[dict[str, str]], free: Sequence[str]) -> tuple[list[dict[str, str]], str]:
    """Keep the total of each dimension that the query left free; say what else the kept rows are restricted to."""
    notes = []
    for name in free:
        codes = dict.fromkeys(row.get(name, "") for row in answer)
        total = next((code for code in _TOTALS if code in codes), None)
        if total is not None:
            answer = [row for row in answer if row.get(name, "") == total]
        elif codes and set(codes) != {""}:
            notes.append(f"{name} {listing(codes)}")
    return answer, "; ".join(notes)


def _one_of_each(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Keep one measure and unit of each country, year, sector and variable: the first that has values by band."""
    found: dict[tuple[str, ...], dict[tuple[str, str], list[dict[str, str]]]] = {}
    for row in rows:
        cell = found.setdefault(tuple(row[name] for name in ("country", "year", "sector", "variable")), {})
        cell.setdefault((row["source_id"], row["unit"]), []).append(row)
    kept = []
    for cell in found.values():
        by_band = (key for key, lines in cell.items() if any(x["value"] and x["band"] != "TOTAL" for x in lines))
        best = next(by_band, next(iter(cell)))
        others = [" in ".join((key[0].rpartition(" ")[2], key[1])) for key in cell if key != best]
        for row in cell[best]:
            more = f"also published as {listing(others)}" if others else ""
            kept.append(row | {"note": "; ".join(text for text in (row["note"], more) if text)})
    return kept


def _facts(
    answer: Sequence[Mapping[str, str]],
    asked: Flow,
    source: Source,
    measure: Measure,
    areas: Mapping[str, str],
    *,
    recover: bool,
) -> list[dict[str, str]]:
    """Turn the observations of one measure into facts, one cell (country, year, sector, unit) after the other."""
    cells: dict[tuple[str, int, str, str], dict[str, _Cell]] = {}
    for row in answer:
        unit, factor = _unit(row, measure)
        key = (areas[row[asked.area]], _year(row), row[asked.activity], unit)
        classes = cells.setdefault(key, {})
        if row[asked.size] in classes:
            raise FetchError(
                explain(
                    f"{asked.flow} has several observations of one cell",
                    got=f"{key}, size class {row[asked.size]!r}",
                    do="restrict its other dimensions",
                )
            )
        classes[row[asked.size]] = _cell(row, factor)
    facts = []
    for (country, year, sector, unit), classes in cells.items():
        bands = {band: _compose(ways, classes) for band, ways in source.sizes.items()}
        found = {band: cell for band, cell in bands.items() if cell is not None}
        if recover:
            found = _recovered(found)
        for band, (value, status, note) in found.items():
            notes = "; ".join(text for text in (measure.note, note) if text)
            facts.append(_row(asked, source, measure, country, year, sector, band, unit, value, status, notes))
    return facts


def _row(
    asked: Flow, source: Source, measure: Measure, country: str, year: int, sector: str, band: str, unit: str,
    value: float | None, status: str, note: str,
) -> dict[str, str]:  # fmt: skip
    return dict.fromkeys(COLUMNS, "") | {
        "country": country,
        "year": str(year),
        "sector": sector,
        "sector_scheme": source.sector_scheme,
        "band_scheme": BAND_SCHEME,
        "band": band,
        "variable": measure.variable,
        "partner": "WLD",
        "unit": unit,
        "value": "" if value is None else repr(value),
        "status": status,
        "source": asked.title,
        "source_id": f"{asked.agency}:{asked.flow}({asked.version}) {measure.code}",
        "url": asked.provider.endpoint,
        "licence": asked.provider.licence,
        "note": note,
    }


def _unit(row: Mapping[str, str], measure: Measure) -> tuple[str, float]:
    """Return the unit of an observation in the margins file, and the factor to it."""
    if measure.unit in ("persons", "count"):
        return measure.unit, 10.0 ** int(row.get("UNIT_MULT") or 0)
    if measure.unit:
        return measure.unit, measure.factor
    code, power = row.get("UNIT_MEASURE", ""), row.get("UNIT_MULT", "")
    unit = _CURRENCIES.get(code.partition("_")[0])
    if unit is None or not power.lstrip("-").isdigit():
        raise FetchError(
            explain(
                f"cannot tell the unit of {measure.code}",
                got=f"UNIT_MEASURE {code!r}, UNIT_MULT {power!r}",
                expected=f"a currency such as {listing(_CURRENCIES)} and a power of ten",
            )
        )
    return unit, 10.0 ** int(power) / _MILLION


def _cell(row: Mapping[str, str], factor: float) -> _Cell:
    """Return value, status and note of an observation; flags other than those of the status are in the note."""
    flags = {name: {row.get(name, "").strip()} - {""} for name in _PLAIN}
    flags["OBS_FLAG"] = set(row.get("OBS_FLAG", "")) - {" "}  # several letters together
    text = row["OBS_VALUE"].strip()
    if text in ("", ":", "NaN", "nan"):
        hidden = any(flags[name] & codes for name, codes in _CONFIDENTIAL.items())
        return None, "confidential" if hidden else "missing", ""
    try:
        value = float(text) * factor
    except ValueError as error:
        raise FetchError(explain("an observation is no number", got=repr(text))) from error
    estimated = any(flags[name] & codes for name, codes in _ESTIMATED.items())
    others = sorted(
        flag for name, found in flags.items() for flag in found - _PLAIN[name] - _ESTIMATED.get(name, frozenset())
    )
    said = ["estimated by the publisher"] if estimated else []
    said += [f"flagged {listing(others)} by the publisher"] if others else []
    return value, "imputed" if estimated else "observed", ", ".join(said)


def _compose(ways: tuple[tuple[str, ...], ...], classes: Mapping[str, _Cell]) -> _Cell | None:
    """Return a band from size classes: the first way whose parts all have values, else the first withheld one."""
    withheld: _Cell | None = None
    for parts in ways:
        found = [classes[part] for part in parts if part in classes]
        if len(found) < len(parts):
            continue
        values = [value for value, _, _ in found if value is not None]
        if len(values) == len(parts):
            if len(parts) == 1:
                return found[0]
            said = dict.fromkeys(note for _, _, note in found if note)
            more = f", partly {listing(said)}" if said else ""
            return sum(values), "derived", f"sum of {' and '.join(parts)}{more}"
        if withheld is None:
            worst = "confidential" if any(status == "confidential" for _, status, _ in found) else "missing"
            withheld = (None, worst, "")
    return withheld


def _recovered(found: Mapping[str, _Cell]) -> dict[str, _Cell]:
    """Fill one withheld band with the total less the others; a negative rest is left withheld and said."""
    result = dict(found)
    total = found.get("TOTAL", (None, "", ""))[0]
    bands = [band for band in found if band != "TOTAL"]
    empty = [band for band in bands if found[band][0] is None]
    if total is None or len(empty) != 1 or not {"micro", "small", "medium", "large"} <= set(bands):
        return result
    band = empty[0]
    rest = total - sum(value for b in bands if (value := found[b][0]) is not None)
    if rest < 0:
        result[band] = (None, found[band][1], "the total less the other bands is negative")
    else:
        result[band] = (rest, "derived", f"total less the other bands; published as {found[band][1]}")
    return result
