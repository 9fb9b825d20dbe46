"""Satellite accounts (jobs, hours, emissions, pay) brought into the row order of a table by labels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from tiva.errors import (
    ConcordanceError,
    LabelError,
    MissingFileError,
    ReaderError,
    UnknownLabelError,
    UsageError,
    explain,
    listing,
)
from tiva.files import as_path
from tiva.kernels.arrays import FloatArray, frozen
from tiva.readers._members import choose_member, parsing
from tiva.readers._text import header
from tiva.readers._wiod import CITATION, LICENCE, country
from tiva.readers.extensions import Choice, extension_members, read_extension
from tiva.readers.sheets import read_grid, sheet_names, text, workbooks
from tiva.readers.source import Source
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

    from tiva.table.icio_table import IcioTable

Missing = Literal["error", "zero"]

NAMES: Mapping[str, tuple[str, ...]] = {
    "country": ("country", "countrycode", "ref_area", "area", "region", "cou"),
    "sector": ("sector", "code", "activity", "industry", "ind", "isic3"),
    "value": ("value", "obs_value", "obsvalue"),
    "variable": ("variable", "measure", "var", "indicator"),
    "year": ("year", "time_period", "time"),
    "unit": ("unit", "unit_measure"),
}
"""Column -> names under which it is found (lower case), in this order of preference."""

SEA_UNITS: Mapping[str, str] = {
    "EMP": "thousand persons",
    "EMPE": "thousand persons",
    "H_EMP": "million hours",
    "H_EMPE": "million hours",
}
"""Units of the WIOD socio-economic accounts; everything else is in millions of national currency or an index."""

EXTENSIONS = ("EXIOBASE 3", "Eora26", "GLORIA")
"""Databases whose satellites come with the table."""

_SEA_COLUMNS = ("country", "variable", "description", "code")
_SDMX_ONLY = ("unit_mult", "time_format", "obs_status", "decimals", "action", "structure", "structure_id", "freq")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a satellite covers a table; prints as a short report.

    Attributes
    ----------
    found
        Country-sectors of the table with a value in the source.
    total
        Country-sectors of the table.
    missing
        Labels ``country.sector`` without a value and with output; zero in the satellite if that was asked for.
    missing_without_output
        Labels without a value whose output is zero; always zero in the satellite, which changes no result.
    unused
        Labels ``country.sector`` of the source that the table does not have.
    output_share
        Share of the table's output that has a value.
    """

    found: int
    total: int
    missing: tuple[str, ...]
    missing_without_output: tuple[str, ...]
    unused: tuple[str, ...]
    output_share: float

    def __str__(self) -> str:
        lines = [f"{self.found} of {self.total} country-sectors, {self.output_share:.1%} of output"]
        for what, labels in (
            ("missing", self.missing),
            ("missing, no output", self.missing_without_output),
            ("not in the table", self.unused),
        ):
            if labels:
                lines.append(f"  {what} ({len(labels)}): {listing(labels, limit=8)}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, eq=False)
class Satellite:
    """One satellite account in the row order of a table.

    Usable wherever an array is expected (``LeontiefModel(table, satellite=...)``).

    Attributes
    ----------
    values
        Shape (n,), in ``unit``, read-only.
    name
        Variable, such as ``"EMP"``.
    unit
        As published, or as given.
    coverage
        What was found and what not.
    provenance
        Source, files, notes.
    """

    values: FloatArray
    name: str
    unit: str
    coverage: Coverage
    provenance: Provenance

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if dtype is None or np.dtype(dtype) == self.values.dtype:
            return self.values.copy() if copy else self.values
        return self.values.astype(dtype)

    def __repr__(self) -> str:
        return f"<Satellite {self.name} ({self.unit}): {self.coverage.found} of {self.coverage.total} country-sectors>"


def read_satellite(
    source: str | Path | pd.DataFrame,
    table: IcioTable,
    *,
    variable: str | None = None,
    year: int | None = None,
    unit: str | None = None,
    sectors: Mapping[str, str] | str | None = None,
    countries: Mapping[str, str] | None = None,
    select: Mapping[str, str] | None = None,
    missing: Missing = "error",
    member: str | None = None,
    labels: str | Path | None = None,
) -> Satellite:
    """Read a satellite account and bring it into the row order of a table, by labels.

    Parameters
    ----------
    source
        WIOD socio-economic accounts (xlsx, both releases), an SDMX-CSV file of the OECD (trade in employment and
        others), any tidy csv with one value a line, an archive with one of these, or a data frame; or the extensions
        of EXIOBASE 3 (``F.txt`` in ``satellite``, ``impacts``, ...) and Eora26 (``..._Q.txt``), in the folder or
        archive of the table, and of GLORIA (``..._TQ-Results...``, in an archive of their own). Columns of a csv are
        found by name: country (``REF_AREA``), sector (``code``, ``ACTIVITY``), value (``OBS_VALUE``), and where there
        are several of them variable (``MEASURE``), year (``TIME_PERIOD``) and unit (``UNIT_MEASURE``).
    table
        Table whose rows are wanted.
    variable
        Which variable, such as ``"EMP"``; needed where the source has several. In Eora26 the label and, where it
        is not unique, the compartment: ``"label - compartment"``; in GLORIA the indicator, or ``"head - indicator"``.
    year
        By default that of the table.
    unit
        Unit of the values, where the source does not say it.
    sectors, countries
        Label in the source -> label in the table, where they differ; several may lead to one and are then summed.
        Labels of both WIOD codes (``AtB`` and ``c1``) are matched without it, and so is ``WXD`` of the OECD (``ROW``).
        For ``sectors`` also the scheme of the source, such as ``"wiod56"`` for a table in ``common28``: sectors go
        whole into those of the table, or are refused.
    select
        Column -> value to keep, for further columns of an SDMX file. ``{"line": "17"}`` takes the row of that line
        of ``labels_Q.txt`` (Eora26) or of the sheet ``Satellites`` (GLORIA), where labels are not unique.
    missing
        ``"error"``: a country-sector with output and without a value is refused; ``"zero"``: it is 0, and named in
        the coverage report.
    member
        Which member of an archive; for extensions also the name of a folder, such as ``"satellite"``.
    labels
        Folder or archive with the label files of Eora26 (``indices.zip``), or the ReadMe workbook of GLORIA, where
        they are not with the numbers.

    Returns
    -------
    Satellite

    Raises
    ------
    LabelError
        Country-sectors are missing, or a value stands twice.
    ReaderError
        The source is of no known layout.
    UnknownLabelError
        A variable, year or option that does not exist.
    ConcordanceError
        Sectors of the source that would have to be split to reach those of the table; all are named.
    """
    if missing not in get_args(Missing):
        raise UnknownLabelError("missing option", missing, get_args(Missing))
    year = table.year if year is None else year
    if isinstance(source, (str, Path)) or not hasattr(source, "columns"):
        path = as_path(source, "the source of a satellite")
        select = dict(select or {})
        choice = Choice(variable, year, member, _line(select), table.provenance.edition, unit)
        frame, provenance = _read(path, choice, select, labels)
        if provenance.source in EXTENSIONS:
            variable = None  # one row was read; rows may be named by a part of their label
    else:
        frame, provenance = _named(source, "the data frame"), Provenance(source="data frame", reader="satellite")
    frame = _selected(frame, select or {})
    frame, variable = _one(frame, "variable", variable)
    frame, _ = _one(frame, "year", None if year is None else str(year))
    unit = unit or _unit(frame, provenance, variable)
    if isinstance(sectors, str):
        sectors = _mapped(frame, table, sectors)
    values, coverage = _aligned(frame, table, sectors or {}, countries or {}, missing)
    notes = [] if "year" in frame.columns else ["the source does not say its year"]
    notes.append(f"coverage: {coverage}".replace("\n", ";"))
    if coverage.missing:
        notes.append("missing country-sectors are 0, as asked for with missing='zero'")
    return Satellite(frozen(values), variable or "value", unit, coverage, provenance.noting(*notes))


def _line(select: Mapping[str, str]) -> int | None:
    line = select.get("line")
    if line is None:
        return None
    if not str(line).strip().isdigit():
        raise UsageError(explain("a line is chosen by its number", got=repr(line), do='select={"line": "17"}'))
    return int(line)


def _read(
    path: Path, choice: Choice, select: dict[str, str], labels: str | Path | None
) -> tuple[pd.DataFrame, Provenance]:
    if not path.exists():
        raise MissingFileError(explain(f"no such file: {path}", do="check the path"), path=path)
    member = choice.member
    with Source(path) as source:
        if extensions := extension_members(source):
            select.pop("line", None)
            frame, provenance = read_extension(source, extensions, choice, labels)
            return _named(frame, source.name), provenance
        books = workbooks(source)
        candidates = [n for n in source.names() if n in books or _has_columns(header(source, n))]
        if len(source.names()) == 1:
            candidates = list(source.names())  # so that the message says which columns are missing
        name = choose_member(source, candidates, year=None, member=member)
        if name in books:
            frame, origin, edition = _accounts(source, name), "WIOD socio-economic accounts", ""
        else:
            frame, origin, edition = _csv(source, name), source.name, ""
        licence, citation = (LICENCE, CITATION) if name in books else ("", "")
        files = (source.describe_file(name),)
        return frame, Provenance(origin, edition, files, "satellite", licence, citation)


def _has_columns(labels: Sequence[str]) -> bool:
    lower = {c.lower() for c in labels}
    return all(lower & set(NAMES[k]) for k in ("country", "sector", "value"))


def _csv(source: Source, name: str) -> pd.DataFrame:
    import pandas as pd

    with parsing(source, name, "a csv with one value a line"):
        frame = pd.read_csv(io.BytesIO(source.read_bytes(name)), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    return _named(frame, name)


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rename the columns to ours and make values numbers."""
    import pandas as pd

    lower = {str(c).strip().split(":")[0].lower(): c for c in reversed(list(frame.columns))}
    found = {ours: next((lower[t] for t in theirs if t in lower), None) for ours, theirs in NAMES.items()}
    absent = [ours for ours in ("country", "sector", "value") if found[ours] is None]
    if absent:
        raise ReaderError(
            explain(
                f"{name}: no column for {listing(absent)}",
                got=listing(frame.columns, limit=20),
                expected="; ".join(f"{ours}: one of {', '.join(NAMES[ours])}" for ours in absent),
                do="rename the columns",
            )
        )
    frame = frame.rename(columns={theirs: ours for ours, theirs in found.items() if theirs is not None}).copy()
    values = frame["value"].astype(object)
    blank = values.map(lambda v: isinstance(v, str) and v.strip().lower() in {"", "na", "..", ":"})
    numbers = pd.to_numeric(values.where(~blank, np.nan), errors="coerce").to_numpy(dtype=np.float64)
    odd = np.flatnonzero(np.isnan(numbers) & ~blank.to_numpy(dtype=bool) & values.notna().to_numpy(dtype=bool))
    truth = values.map(lambda v: isinstance(v, (bool, np.bool_))).to_numpy(dtype=bool)  # pandas takes True for 1
    odd = np.concatenate([odd, np.flatnonzero(np.isinf(numbers) | truth)])
    if odd.size:
        line = int(odd[0]) + 2
        raise ReaderError(
            explain(f"{name}, line {line}: not a finite number", got=repr(values.iloc[int(odd[0])])), line=line
        )
    frame["value"] = numbers
    both = {ours for ours, theirs in found.items() if theirs is not None and ":" in str(theirs)}
    for column in frame.columns:
        if column != "value":
            frame[column] = frame[column].map(text)
        if column in both and column != "value":  # "AUS: Australia" under "REF_AREA: Reference area"
            frame[column] = frame[column].map(lambda cell: cell.split(": ")[0])
    return frame


def _accounts(source: Source, name: str) -> pd.DataFrame:
    """Return the sheet DATA of the WIOD socio-economic accounts, one value a line."""
    import pandas as pd

    names = sheet_names(source, name)
    if "DATA" not in names:
        raise ReaderError(
            explain(f"{name}: no sheet DATA", got=listing(names), expected="WIOD socio-economic accounts"),
            path=source.path,
        )
    _, grid = read_grid(source, name, "DATA")
    head = [text(c) for c in grid[0]] if grid else []
    if tuple(c.lower() for c in head[:4]) != _SEA_COLUMNS:
        raise ReaderError(
            explain(f"{name}: other columns in sheet DATA", got=listing(head), expected=listing(_SEA_COLUMNS)),
            path=source.path,
        )
    years = [c.lstrip("_") for c in head[4:]]
    rows = [
        (text(row[0]), text(row[3]), text(row[1]), year, cell)
        for row in grid[1:]
        if len(row) >= len(head) and text(row[3]) != "TOT"
        for year, cell in zip(years, row[4:], strict=False)
    ]
    frame = pd.DataFrame(rows, columns=["country", "sector", "variable", "year", "value"])
    return _named(frame, name)


def _selected(frame: pd.DataFrame, select: Mapping[str, str]) -> pd.DataFrame:
    for column, value in select.items():
        at = {str(c).lower(): c for c in frame.columns}
        ours = next((k for k, theirs in NAMES.items() if column.lower() in theirs and k in frame.columns), None)
        key = at.get(column.lower(), ours)
        if key is None:
            raise UnknownLabelError("column", column, [str(c) for c in frame.columns])
        known = sorted(set(frame[key]))
        if str(value) not in known:
            raise UnknownLabelError(f"value of column {column!r}", str(value), known)
        frame = frame[frame[key] == str(value)]
    return frame


def _one(frame: pd.DataFrame, column: str, wanted: str | None) -> tuple[pd.DataFrame, str | None]:
    if column not in frame.columns:
        return frame, wanted
    known = list(dict.fromkeys(frame[column]))
    if wanted is None:
        if len(known) > 1:
            raise UsageError(
                explain(f"the source has several {column}s", got=listing(known, limit=20), do=f"choose {column}=...")
            )
        return frame, known[0] if known else None
    if wanted not in known:
        raise UnknownLabelError(column, wanted, known)
    return frame[frame[column] == wanted], wanted


def _unit(frame: pd.DataFrame, provenance: Provenance, variable: str | None) -> str:
    if "unit" in frame.columns:
        power = next((str(_one(frame, c, None)[1]) for c in frame.columns if str(c).lower() == "unit_mult"), "0")
        return f"{_one(frame, 'unit', None)[1]}" + (f", times 10^{power}" if power not in {"0", ""} else "")
    if provenance.source.startswith("WIOD"):
        return SEA_UNITS.get(variable or "", "million of national currency, or index")
    return "unit not given"


def _mapped(frame: pd.DataFrame, table: IcioTable, scheme: str) -> dict[str, str]:
    """Return label in the source -> label in the table, through the concordance of their schemes."""
    from tiva.concordances import codes_of, detect_scheme, sector_map

    target, codes = detect_scheme(table.sectors)
    of_table = {code: label for label, code in codes.items()}
    whole = sector_map(scheme, target)
    known = codes_of(list(dict.fromkeys(frame["sector"])), scheme)
    found = {label: whole.targets[code] for label, code in known.items()}
    split = {label: targets for label, targets in found.items() if len(targets) > 1}
    if split:
        rows = "".join(f"\n    {label} -> {', '.join(targets)}" for label, targets in split.items())
        raise ConcordanceError(
            explain(
                f"{len(split)} sectors of the satellite would have to be split to reach {target!r}",
                got=rows,
                do="take the table in a coarser scheme (such as 'common28'), or split them with shares of your own",
            )
        )
    return {label: of_table[t] for label, targets in found.items() for t in targets if t in of_table}


def _aligned(
    frame: pd.DataFrame,
    table: IcioTable,
    sectors: Mapping[str, str],
    countries: Mapping[str, str],
    missing: Missing,
) -> tuple[FloatArray, Coverage]:
    from tiva.concordances import country_codes

    alias = _aliases(table.sectors)
    area_at = {country(a): i for i, a in enumerate(table.areas)}
    renamed = {c: iso for c, iso in country_codes("OECD_ICIO").items() if c not in area_at}
    sector_at = {s: i for i, s in enumerate(table.sectors)}
    values = np.full((len(table.areas), len(table.sectors)), np.nan)
    filled = np.zeros(values.shape, dtype=bool)
    seen: set[tuple[str, str]] = set()
    unused: list[str] = []
    for c, s, value in zip(frame["country"], frame["sector"], frame["value"], strict=True):
        if (c, s) in seen:
            _refuse_double(frame, c, s)
        seen.add((c, s))
        area = area_at.get(countries.get(c, country(renamed.get(c, c))))
        sector = sector_at.get(sectors.get(s, s), sector_at.get(alias.get(s, s)))
        if area is None or sector is None:
            unused.append(f"{c}.{s}")
        else:  # a sum with one part missing is missing
            values[area, sector] = value if not filled[area, sector] else values[area, sector] + value
            filled[area, sector] = True
    flat = values.reshape(-1)
    labels = [f"{a}.{s}" for a in table.areas for s in table.sectors]
    empty, idle = np.isnan(flat), table.output == 0
    lost = tuple(label for label, e, i in zip(labels, empty, idle, strict=True) if e and not i)
    quiet = tuple(label for label, e, i in zip(labels, empty, idle, strict=True) if e and i)
    share = float(table.output[~empty].sum() / table.output.sum()) if table.output.sum() else 0.0
    coverage = Coverage(int((~empty).sum()), flat.size, lost, quiet, tuple(unused), share)
    if coverage.found == 0 or (lost and missing == "error"):
        split = " (the table has parts of countries: table.merge_split_countries())" if table.split_countries else ""
        raise LabelError(
            explain(
                f"the satellite lacks {len(lost)} of {flat.size} country-sectors with output",
                got=f"missing {listing(lost)}; not in the table {listing(unused) or 'none'}",
                do=f"map labels with sectors=... or countries=...{split}, or accept zeros with missing='zero'",
            )
        )
    return np.where(empty, 0.0, flat), coverage


def _refuse_double(frame: pd.DataFrame, c: str, s: str) -> None:
    both = frame[(frame["country"] == c) & (frame["sector"] == s)]
    differing = [
        str(k) for k in frame.columns if k != "value" and str(k).lower() not in _SDMX_ONLY and both[k].nunique() > 1
    ]
    raise LabelError(
        explain(
            f"more than one value for {c}.{s}",
            got=f"they differ in {listing(differing)}" if differing else f"{len(both)} lines",
            expected="one value for each country and sector",
            do="choose with select={column: value}" if differing else "remove the duplicates",
        )
    )


def _aliases(labels: Sequence[str]) -> dict[str, str]:
    """Other codes of the table's sectors, of the first scheme that has them all: ``AtB`` -> ``c1``."""
    from tiva.concordances import SCHEMES
    from tiva.concordances import sectors as scheme_sectors

    for scheme in SCHEMES:
        found: dict[str, str] = {}
        for sector in scheme_sectors(scheme) if scheme != "common28" else ():
            own = [x for x in (sector.code, *sector.aliases) if x in labels]
            if own:
                found.update(dict.fromkeys((sector.code, *sector.aliases), own[0]))
        if set(labels) <= set(found.values()):
            return found
    return {}
