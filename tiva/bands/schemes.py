"""Band schemes: which size classes a country's margins are given in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tiva.errors import MarginError, MissingFileError, ReaderError, UsageError, explain
from tiva.files import as_path

COLUMNS = ("band_scheme", "band", "order", "lower", "upper", "unit", "notes")


@dataclass(frozen=True, slots=True)
class Band:
    """One size class: label, bounds (upper ``None``: open) and what they count."""

    label: str
    lower: float
    upper: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class BandScheme:
    """Size classes in ascending order.

    Attributes
    ----------
    name
        Such as ``"EMP_10_50_250"``.
    bands
        K bands, smallest first.
    """

    name: str
    bands: tuple[Band, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """K band labels, smallest first."""
        return tuple(b.label for b in self.bands)


def band_schemes(extra: str | Path | object | None = None) -> Mapping[str, BandScheme]:
    """Return the known band schemes by name.

    Parameters
    ----------
    extra
        A file or frame in the form of ``band_schemes.csv`` (columns ``band_scheme, band, order, lower, upper,
        unit``) with schemes to add; a scheme of the same name replaces the built-in one.

    Returns
    -------
    Mapping
        Name -> :class:`BandScheme`.

    Raises
    ------
    MarginError
        A scheme whose rows cannot be used.
    """
    if extra is None:
        return _built_in()
    return MappingProxyType({**_built_in(), **_parse(_rows(extra))})


@cache
def _built_in() -> Mapping[str, BandScheme]:
    text = resources.files("tiva.data").joinpath("band_schemes.csv").read_text(encoding="utf-8")
    return MappingProxyType(_parse(list(csv.DictReader(io.StringIO(text)))))


def _rows(source: str | Path | object) -> list[dict[str, Any]]:
    if isinstance(source, str | Path):
        return [dict(r.values) for r in read_rows(source)]
    return [dict(r.values) for r in frame_rows(source, "scheme")]


def _parse(rows: Iterable[Mapping[str, Any]]) -> dict[str, BandScheme]:
    found: dict[str, list[tuple[float, Band]]] = {}
    for row in rows:
        try:
            upper = str(row.get("upper") or "").strip()
            band = Band(
                label=str(row["band"]).strip(),
                lower=float(row.get("lower") or 0),
                upper=float(upper) if upper else None,
                unit=str(row.get("unit") or "persons").strip(),
            )
            found.setdefault(str(row["band_scheme"]).strip(), []).append((float(row["order"]), band))
        except (KeyError, TypeError, ValueError) as error:
            raise MarginError(
                explain("a band scheme has a row that cannot be used", got=dict(row), expected=", ".join(COLUMNS))
            ) from error
    schemes = {}
    for name, bands in found.items():
        ordered = tuple(b for _, b in sorted(bands, key=lambda pair: pair[0]))
        if len({b.label for b in ordered}) < len(ordered) or not name:
            raise MarginError(explain(f"band scheme {name!r} has no name or repeats a band", got=ordered))
        schemes[name] = BandScheme(name, ordered)
    return schemes


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a tidy file: where it is, and its cells by column, stripped."""

    where: str
    values: dict[str, str]


def read_rows(path: str | Path) -> list[Row]:
    """Read a CSV file with a header into rows that know their line.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    MissingFileError
        No such file.
    ReaderError
        No header, or a row with more cells than columns.
    """
    path = as_path(path)
    if not path.is_file():
        raise MissingFileError(explain(f"no such file: {path}"), path=path)
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        header = [name.strip() for name in next(reader, [])]
        if not any(header):
            raise ReaderError(explain(f"{path.name} is empty"), path=path)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                raise ReaderError(
                    explain(
                        f"{path.name} line {reader.line_num} has more cells than columns",
                        got=len(cells),
                        expected=len(header),
                    ),
                    path=path,
                    line=reader.line_num,
                )
            padded = [*cells, *[""] * (len(header) - len(cells))]
            values = {name: cell.strip() for name, cell in zip(header, padded, strict=True)}
            rows.append(Row(f"{path.name} line {reader.line_num}", values))
    return rows


def frame_rows(frame: Any, what: str) -> list[Row]:
    """Return the rows of a data frame (anything with ``to_dict("records")``) or a sequence of mappings.

    Parameters
    ----------
    frame
        What holds the rows.
    what
        What it is, for messages.

    Raises
    ------
    UsageError
        Neither of both.
    """
    records = frame.to_dict("records") if hasattr(frame, "to_dict") else frame
    records = list(records) if isinstance(records, Iterable) else [records]
    odd = [record for record in records if not isinstance(record, Mapping)]
    if odd:
        got, expected = repr(odd[0])[:60], "a path, a data frame, or mappings of names to values, one a row"
        raise UsageError(explain(f"{what} of another kind", got=got, expected=expected))
    rows = []
    for number, record in enumerate(records):
        cells = {str(k).strip(): "" if v is None or v != v else str(v).strip() for k, v in record.items()}
        rows.append(Row(f"{what} row {number}", cells))
    return rows
