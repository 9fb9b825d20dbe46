"""Results to files: netCDF, parquet, csv, Excel, Stata and JSON, each with its provenance, whole or not at all."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import importlib.util
import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiva.errors import MissingExtraError, MissingFileError, OutputError, ReaderError, UsageError, explain, listing
from tiva.files import as_path, ensure_writable, replacing

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FORMATS: dict[str, str] = {
    "nc": "netCDF 4: labelled arrays with all attributes",
    "parquet": "tidy columns; metadata in the file",
    "csv": "tidy columns; metadata in a .metadata.json beside it",
    "xlsx": "tidy columns; sheets 'variables' and 'metadata'",
    "dta": "Stata 14+; variable labels, metadata in a .metadata.json beside it",
    "json": "metadata and tidy records",
}
"""Formats that :func:`write_dataset` knows; the names are the file suffixes too."""

TEXT_FORMATS = ("csv", "json")
"""Formats that can go to a terminal or a pipe."""

EXCEL_ROWS = 1_048_576
"""Rows of an Excel sheet, the header included."""

EXCEL_CELL = 32_767
"""Characters of an Excel cell."""

STATA_NAME = 32
STATA_LABEL = 80
"""Characters of a Stata variable name and of a label."""

STATA_RESERVED = frozenset(
    """
    aggregate array boolean break byte case catch class colvector complex const continue default delegate delete do
    double else eltypedef end enum explicit export external float for friend function global goto if in inline int
    local long NULL pragma protected quad rowvector short typedef typename using virtual with
    """.split()  # noqa: SIM905 - forty quoted words read worse
)
"""Words that Stata (and pandas, which writes for it) does not take as variable names."""

_LIBRARIES = {"parquet": ("pyarrow", "parquet", "writing parquet"), "xlsx": ("xlsxwriter", "excel", "writing Excel")}
_COMPRESSED_FROM = 10_000
"""Cells from which compression pays in netCDF."""


def format_of(path: str | Path, format: str | None = None) -> str:  # noqa: A002 - the word of the command line
    """Return the format for a path: the given one, or that of its suffix.

    Raises
    ------
    UsageError
        Unknown format or suffix, or a format that contradicts the suffix.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    known = f"one of {', '.join('.' + name for name in FORMATS)}"
    if format is None:
        if suffix not in FORMATS:
            raise UsageError(
                explain(
                    f"unknown suffix of the output file {str(path)!r}",
                    got=f".{suffix}" if suffix else "no suffix",
                    expected=known,
                    do="name the file with one of these suffixes, or give the format",
                )
            )
        return suffix
    if format not in FORMATS:
        raise UsageError(explain(f"unknown output format {format!r}", expected=f"one of {', '.join(FORMATS)}"))
    if suffix in FORMATS and suffix != format:
        raise UsageError(
            explain(
                "format and suffix of the output file contradict each other",
                got=f"format {format!r}, file {Path(path).name!r}",
                do="leave the format out or change the suffix",
            )
        )
    return format


def check_target(path: str | Path, format: str | None = None) -> str:  # noqa: A002
    """Raise unless a result can be written to ``path``; meant to be asked before the computation.

    Returns
    -------
    str
        The format, one of :data:`FORMATS`.

    Raises
    ------
    UsageError
        Unknown format or suffix.
    MissingExtraError
        The library for the format is not installed.
    OutputError
        The folder is missing or read-only, or the path is a folder.
    """
    chosen = format_of(path, format)
    if chosen in _LIBRARIES:
        library, extra, purpose = _LIBRARIES[chosen]
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError(library, extra, purpose)
    ensure_writable(path)
    if chosen in {"csv", "dta"}:
        ensure_writable(sidecar_path(path))
    return chosen


def sidecar_path(path: str | Path) -> Path:
    """Return where the metadata of a csv or Stata file lie: ``<name>.metadata.json`` in the same folder."""
    path = as_path(path)
    return path.with_name(f"{path.name}.metadata.json")


def write_dataset(
    dataset: xr.Dataset,
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
) -> Path:
    """Write a result in the format of the suffix, with its provenance, whole or not at all.

    Parameters
    ----------
    dataset
        Result of a decomposition: one variable a term over exporter, sector, importer, ...
    path
        Target; the suffix says the format: ``.nc``, ``.parquet``, ``.csv``, ``.xlsx``, ``.dta``, ``.json``.
    format
        The format where the suffix is none of these.

    Returns
    -------
    pathlib.Path
        The file written. A csv or Stata file has a ``.metadata.json`` beside it, which holds its SHA-256.

    Raises
    ------
    UsageError
        Unknown format or suffix.
    OutputError
        The path cannot be written, or the result does not fit the format (rows of an Excel sheet, infinite
        numbers in Stata).
    MissingExtraError
        The library for the format is not installed.
    """
    path = as_path(path)
    chosen = check_target(path, format)
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(replacing(path))
        extra = _WRITERS[chosen](dataset, target)
        if chosen in {"csv", "dta"}:
            beside = stack.enter_context(replacing(sidecar_path(path)))
            _write_sidecar(dataset, target, path.name, beside, extra)
    return path


def read_dataset(path: str | Path) -> xr.Dataset:
    """Read a result written as netCDF, with the ``.tiva`` accessor ready.

    Raises
    ------
    MissingFileError
        The file does not exist.
    ReaderError
        The file is not a result of this package.
    """
    import xarray as xr

    importlib.import_module("tiva.results.accessor")
    path = as_path(path)
    if not path.exists():
        raise MissingFileError(explain(f"no such file: {path}", do="check the path"), path=path)
    try:
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            dataset = opened.load()
    except (OSError, ValueError, KeyError) as error:
        raise ReaderError(
            explain(f"{path.name} cannot be read as a result", got=str(error), expected="netCDF 4"), path=path
        ) from error
    if "method" not in dataset.attrs or "tiva_version" not in dataset.attrs:
        raise ReaderError(
            explain(
                f"{path.name} is a netCDF file, but not a result of this package",
                got=f"attributes {listing(dataset.attrs) or 'none'}",
                do="tables are read with tiva.read",
            ),
            path=path,
        )
    return dataset


def tidy(dataset: xr.Dataset) -> pd.DataFrame:
    """Return a long frame: the dimensions as columns in the order of the dataset, then one column a term.

    A term that does not have all dimensions is repeated along those it lacks; :func:`metadata` names them. A country
    does not export to itself: its pairs with itself, zero in the dataset, are left out, for they would count in means.
    """
    import pandas as pd

    dims = _dimensions(dataset)
    if not dims:
        return pd.DataFrame({str(name): [variable.item()] for name, variable in dataset.data_vars.items()})
    frame = dataset.to_dataframe(dim_order=list(dims)).reset_index()
    terms = list(dataset.data_vars)
    if {"exporter", "importer"} <= set(dims):
        nothing = (frame[terms].isna() | (frame[terms] == 0)).all(axis=1)
        frame = frame[~nothing | (frame["exporter"] != frame["importer"])].reset_index(drop=True)
    return frame[[column for column in frame.columns if column not in terms] + terms]


def metadata(dataset: xr.Dataset) -> dict[str, Any]:
    """Return what a result says about itself as plain values for JSON.

    Returns
    -------
    dict
        ``attributes`` of the dataset (``notes`` and ``provenance`` unpacked), ``variables`` with their attributes,
        ``dimensions`` with their lengths, and ``repeated`` where terms lack dimensions.
    """
    dims = _dimensions(dataset)
    missing = {
        str(name): [d for d in dims if d not in variable.dims]
        for name, variable in dataset.data_vars.items()
        if set(dims) - set(map(str, variable.dims))
    }
    described: dict[str, Any] = {
        "attributes": {str(key): _unpacked(str(key), value) for key, value in dataset.attrs.items()},
        "variables": {
            str(name): {key: _json_number(value) for key, value in _attributes(v.attrs).items()}
            for name, v in dataset.data_vars.items()
        },
        "dimensions": {d: int(dataset.sizes[d]) for d in dims},
    }
    if missing:
        described["repeated"] = missing
    return described


def render(dataset: xr.Dataset, format: str) -> str:  # noqa: A002
    """Return a result as csv or JSON text.

    Raises
    ------
    UsageError
        A format that is not text.
    """
    if format == "csv":
        return str(tidy(dataset).to_csv(index=False, lineterminator="\n"))
    if format == "json":
        return _json({**metadata(dataset), "data": _records(tidy(dataset))}) + "\n"
    raise UsageError(
        explain(
            f"format {format!r} cannot be printed",
            expected=f"one of {', '.join(TEXT_FORMATS)}",
            do="name an output file",
        )
    )


def _dimensions(dataset: xr.Dataset) -> tuple[str, ...]:
    """Dimensions in the order in which the variables have them."""
    widest = max(dataset.data_vars.values(), key=lambda v: v.ndim, default=None)
    first = () if widest is None else tuple(map(str, widest.dims))
    return first + tuple(str(d) for d in dataset.sizes if str(d) not in first)


def plain(value: object) -> str | int | float | list[Any]:
    """Convert an attribute to what every format can hold: text, a number, or a list of these.

    Booleans become ``"true"`` and ``"false"``, ``None`` an empty text, dates ISO text, mappings JSON text.
    """
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return _json({str(key): _jsonable(item) for key, item in value.items()})
    if isinstance(value, Iterable):
        items = [plain(item) for item in value]
        uniform = all(isinstance(item, str) for item in items) or all(isinstance(i, int | float) for i in items)
        return items if items and uniform else _json(items)
    return str(value)


def _attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): plain(value) for key, value in attributes.items()}


def _unpacked(key: str, value: object) -> Any:
    converted = plain(value)
    if key in {"notes", "provenance"}:
        if isinstance(converted, list):
            return [_unpacked(key, item) for item in converted]
        with contextlib.suppress(ValueError):
            return json.loads(str(converted))
    return _json_number(converted)


def _jsonable(value: object) -> Any:
    return value if isinstance(value, dict | list) else plain(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """One mapping a row; a missing number is null, an infinite one a text, for JSON has neither."""
    return [{str(key): _json_number(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _json_number(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    ready = dataset.copy()
    ready.attrs = _attributes(dataset.attrs)
    encoding: dict[Hashable, dict[str, Any]] = {}
    for name in ready.variables:
        ready[name].attrs = _attributes(ready[name].attrs)
        if ready[name].size >= _COMPRESSED_FROM and ready[name].dtype.kind == "f":
            encoding[name] = {"zlib": True, "complevel": 4, "shuffle": True}
    ready.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def _write_parquet(dataset: xr.Dataset, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(tidy(dataset), preserve_index=False)
    described = metadata(dataset)
    own = {f"tiva.{key}".encode(): _json(value).encode() for key, value in described.items()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **own})
    parquet.write_table(table, path, compression="zstd")


def _write_csv(dataset: xr.Dataset, path: Path) -> None:
    tidy(dataset).to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _write_json(dataset: xr.Dataset, path: Path) -> None:
    path.write_text(render(dataset, "json"), encoding="utf-8")


def _write_excel(dataset: xr.Dataset, path: Path) -> None:
    import pandas as pd
    from xlsxwriter.exceptions import XlsxWriterException

    frame = tidy(dataset)
    if len(frame) + 1 > EXCEL_ROWS:
        raise OutputError(
            explain(
                "the result has more rows than an Excel sheet",
                got=f"{len(frame):,} rows",
                expected=f"at most {EXCEL_ROWS - 1:,}",
                do="write .parquet, .csv or .nc, or choose a coarser level or fewer exporters",
            )
        )
    described = metadata(dataset)
    variables = pd.DataFrame([{"variable": name, **attrs} for name, attrs in described["variables"].items()])
    facts = pd.DataFrame(_facts(described), columns=["attribute", "value"])
    literal = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    try:
        with pd.ExcelWriter(path, engine="xlsxwriter", engine_kwargs={"options": literal}) as writer:
            frame.to_excel(writer, sheet_name="data", index=False, inf_rep="inf", freeze_panes=(1, 0))
            variables.to_excel(writer, sheet_name="variables", index=False, freeze_panes=(1, 0))
            facts.to_excel(writer, sheet_name="metadata", index=False, freeze_panes=(1, 0))
            for sheet, width in (("data", 14), ("variables", 24), ("metadata", 28)):
                writer.sheets[sheet].set_column(0, 30, width)
    except XlsxWriterException as error:
        raise OutputError(explain("cannot write the Excel file", got=str(error))) from error


def _facts(described: Mapping[str, Any]) -> list[tuple[str, str | int | float]]:
    """Attributes as rows; lists and mappings one row an item, long texts in pieces that a cell can hold."""
    rows: list[tuple[str, str | int | float]] = []

    def add(key: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, item in value.items():
                add(f"{key}.{name}", item)
        elif isinstance(value, list):
            for number, item in enumerate(value, start=1):
                add(f"{key}.{number}", item)
        elif isinstance(value, str) and len(value) > EXCEL_CELL:
            pieces = [value[i : i + EXCEL_CELL] for i in range(0, len(value), EXCEL_CELL)]
            rows.extend((f"{key} ({i}/{len(pieces)})", piece) for i, piece in enumerate(pieces, start=1))
        else:
            rows.append((key, value))

    for key, value in described["attributes"].items():
        add(key, value)
    for key, value in described.get("repeated", {}).items():
        rows.append((f"repeated.{key}", f"the same along {', '.join(value)}"))
    return rows


def _write_stata(dataset: xr.Dataset, path: Path) -> dict[str, Any]:
    frame = tidy(dataset)
    infinite = [str(c) for c in frame.columns if frame[c].dtype.kind == "f" and frame[c].abs().max() == math.inf]
    if infinite:
        raise OutputError(
            explain(
                "Stata has no infinite numbers",
                got=f"infinite values in {listing(infinite)}",
                do="write .parquet, .csv or .nc, or leave these terms out",
            )
        )
    names = stata_names([str(column) for column in frame.columns])
    labels = {
        short: str(dataset[name].attrs.get("long_name", name) if name in dataset.variables else name)[:STATA_LABEL]
        for name, short in names.items()
    }
    frame.columns = [names[str(column)] for column in frame.columns]
    frame.to_stata(
        path,
        version=118,
        write_index=False,
        variable_labels=labels,
        data_label=str(dataset.attrs.get("title", ""))[:STATA_LABEL],
    )
    return {"stata_names": {name: short for name, short in names.items() if name != short}}


def stata_names(names: Iterable[str]) -> dict[str, str]:
    """Return a valid and unique Stata name for each name: at most 32 characters, letters, digits, underscore."""
    chosen: dict[str, str] = {}
    for name in names:
        short = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
        if not short or short[0].isdigit() or short in STATA_RESERVED:
            short = f"_{short}"
        short = short[:STATA_NAME]
        stem, number = short, 2
        while short in chosen.values():
            short = f"{stem[: STATA_NAME - len(str(number)) - 1]}_{number}"
            number += 1
        chosen[name] = short
    return chosen


def _write_sidecar(dataset: xr.Dataset, data: Path, name: str, beside: Path, extra: Mapping[str, Any] | None) -> None:
    with data.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    described = {"file": name, "sha256": digest, **metadata(dataset), **(extra or {})}
    beside.write_text(_json(described) + "\n", encoding="utf-8")


_WRITERS: dict[str, Callable[[Any, Path], Any]] = {
    "nc": _write_netcdf,
    "parquet": _write_parquet,
    "csv": _write_csv,
    "xlsx": _write_excel,
    "dta": _write_stata,
    "json": _write_json,
}
