"""Labelled grids of numbers: reading text with exact positions in errors, and matching labels by name."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NoReturn

import numpy as np

from tiva.errors import ReaderError, UnknownLabelError, explain, listing
from tiva.kernels.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

    from tiva.readers.source import Source

Pair = tuple[str, str]
"""Country and sector, or country and final demand category."""

ValueAddedChoice = Literal["published", "residual"]
"""Take the value-added rows of the file, or output less intermediate inputs."""

RESIDUAL_NOTE = "value added: output less intermediate inputs; the rows of the file below the table were not used"
NO_ROWS_NOTE = "value added: output less intermediate inputs; no published rows were found to compare it with"

_BROKEN = (
    OSError, EOFError, UnicodeError, csv.Error, zipfile.BadZipFile, zlib.error, OverflowError,
    RuntimeError, ValueError, MemoryError,
)  # fmt: skip
"""What libraries raise on broken, encrypted or truncated files."""


def refuse(
    source: Source,
    what: str,
    *,
    member: str | None = None,
    line: int | None = None,
    got: object = None,
    expected: object = None,
    do: str | None = None,
) -> NoReturn:
    """Raise :class:`~tiva.errors.ReaderError` naming the file, and the line where known."""
    where = source.name if member is None or member == source.name else f"{source.name}!{member}"
    place = where if line is None else f"{where}, line {line}"
    raise ReaderError(explain(f"{place}: {what}", got=got, expected=expected, do=do), path=source.path, line=line)


@contextlib.contextmanager
def guarded(source: Source, member: str | None = None) -> Iterator[None]:
    """Turn what libraries raise on broken files into a :class:`~tiva.errors.ReaderError`."""
    from tiva.errors import TivaError

    try:
        yield
    except TivaError:
        raise
    except _BROKEN as error:
        text = f"{type(error).__name__}: {str(error)[:200]}"
        refuse(source, "cannot be read", member=member, got=text, do="get the file from its publisher again")


def check_choice(kind: str, value: str, allowed: Sequence[str]) -> None:
    """Raise :class:`~tiva.errors.UnknownLabelError` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise UnknownLabelError(kind, value, tuple(allowed))


def members(source: Source, suffix: str = "") -> tuple[str, ...]:
    """Return the member names without hidden files and what operating systems add to archives."""
    return tuple(
        name
        for name in source.names(suffix)
        if not any(part.startswith((".", "__MACOSX", "~$")) for part in re.split(r"[/!\\]", name))
    )


def header_of(source: Source, member: str) -> str:
    """Return the first line of a text member without byte-order mark, empty where it is not UTF-8 text."""
    try:
        head = source.head(member, 1 << 16)
    except _BROKEN:
        return ""
    line = head.split(b"\n", 1)[0].rstrip(b"\r")
    if b"\x00" in line:
        return ""
    return line.decode("utf-8-sig", errors="replace")


def years_in(name: str) -> tuple[int, ...]:
    """Return the four-digit years that stand alone in a file name."""
    base = re.split(r"[/!\\]", name)[-1]
    return tuple(int(y) for y in re.findall(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)", base))


def pick(
    source: Source,
    found: Sequence[str],
    year: int | None,
    what: str,
    year_of: Callable[[str], int | None] | None = None,
) -> str:
    """Return the one of ``found`` that is meant; several without a telling year are refused.

    Raises
    ------
    ReaderError
        None, several for the year, or one of another year than asked for.
    """
    get_year = year_of or (lambda name: (years_in(name) or (None,))[-1])
    if not found:
        refuse(source, f"no {what}", got=source.describe(), expected=f"a {what}")
    if len(found) == 1:
        check_year(source, found[0], get_year(found[0]), year)
        return found[0]
    chosen = [name for name in found if year is not None and get_year(name) == year]
    if len(chosen) != 1:
        refuse(
            source,
            f"holds {len(found)} tables ({what})" + ("" if year is None else f", {len(chosen)} of the year {year}"),
            got=listing(found),
            expected="one table, or one of the year asked for",
            do="pass year=..., or the path of one file",
        )
    return chosen[0]


def check_year(source: Source, member: str, found: int | None, wanted: int | None) -> int | None:
    """Return the year of a table; refuse one that is not the year asked for."""
    if found is not None and wanted is not None and found != wanted:
        refuse(source, "another year than asked for", member=member, got=found, expected=wanted)
    return wanted if found is None else found


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers of a text member with the label fields of their rows.

    Attributes
    ----------
    labels
        One tuple a row, stripped.
    values
        Shape (rows, width).
    first_line
        Line number of the first row, from 1.
    """

    labels: tuple[tuple[str, ...], ...]
    values: FloatArray
    first_line: int


def read_header(source: Source, member: str, *, separator: str, lines: int) -> list[list[str]]:
    """Return the fields of the first lines of a text member, stripped."""
    with guarded(source, member), source.open(member) as handle, io.TextIOWrapper(handle, "utf-8-sig") as text:
        reader = csv.reader(text, delimiter=separator)
        rows = [[field.strip() for field in row] for _, row in zip(range(lines), reader, strict=False)]
    if len(rows) < lines:
        refuse(source, "ends in its header", member=member, got=f"{len(rows)} lines", expected=f"over {lines}")
    return rows


def read_grid(
    source: Source,
    member: str,
    *,
    separator: str,
    header_lines: int,
    label_columns: int,
    width: int | None = None,
) -> Grid:
    """Read the numbers of a text member below its header.

    Parameters
    ----------
    source, member
        What to read.
    separator
        Field separator, one character.
    header_lines
        Lines to skip.
    label_columns
        Fields at the start of a line that are labels.
    width
        Number fields in a line; that of the first line when left out.

    Returns
    -------
    Grid

    Raises
    ------
    ReaderError
        A line that is too short or too long, a cell that is empty, text, NaN or infinite: with line and column.
    """
    first = read_header(source, member, separator=separator, lines=header_lines + 1)[-1]
    while len(first) > label_columns + (width or 0) and not first[-1]:
        first = first[:-1]  # separators at the end of each line, as in Eora26
    columns = len(first) if width is None else label_columns + width
    trailing = len(read_header(source, member, separator=separator, lines=header_lines + 1)[-1]) - columns
    if len(first) != columns or columns <= label_columns:
        refuse(
            source,
            "a line with another number of cells than its header",
            member=member,
            line=header_lines + 1,
            got=f"{len(first) - label_columns} numbers",
            expected=f"{columns - label_columns}",
            do="compare the file with its publisher's: cells are missing or shifted",
        )
    frame_labels, values = _parse(source, member, separator, header_lines, label_columns, columns, trailing)
    return Grid(frame_labels, values, header_lines + 1)


def _parse(
    source: Source, member: str, separator: str, header_lines: int, label_columns: int, columns: int, trailing: int
) -> tuple[tuple[tuple[str, ...], ...], FloatArray]:
    types: dict[int, type] = {i: (str if i < label_columns else np.float64) for i in range(columns)}
    types.update(dict.fromkeys(range(columns, columns + trailing), str))
    try:
        with source.open(member) as handle:
            frame = read_csv(
                handle,
                sep=separator,
                header=None,
                skiprows=header_lines,
                names=list(range(columns + trailing)),
                dtype=types,
                keep_default_na=False,
                na_values={i: [""] for i in range(label_columns, columns)},
                index_col=False,
                skip_blank_lines=False,
                encoding="utf-8-sig",
                low_memory=False,
            )
    except _BROKEN as error:
        _locate(source, member, separator, header_lines, label_columns, columns, trailing, str(error))
    values = frame[list(range(label_columns, columns))].to_numpy(dtype=np.float64)
    while len(values) and np.isnan(values[-1]).all() and _blank(frame.iloc[len(values) - 1, :label_columns]):
        values = values[:-1]
    if not len(values) or not np.isfinite(values).all():
        _locate(source, member, separator, header_lines, label_columns, columns, trailing, "no finite number")
    label_frame = frame.iloc[: len(values), :label_columns].astype(str).to_numpy()
    labels = tuple(tuple(str(x).strip() for x in row) for row in label_frame) if label_columns else ()
    return labels, values


def read_csv(handle: BinaryIO, **options: Any) -> pd.DataFrame:
    """Read with the C engine of pandas, every digit; one place, as its signature has no room for a type a column."""
    import pandas as pd

    if tuple(int(x) for x in pd.__version__.split(".")[:2]) < (3, 1):
        options["float_precision"] = "round_trip"  # the default, and deprecated as an option, from 3.1 on
    frame: pd.DataFrame = pd.read_csv(handle, **options)
    return frame


def read_long(source: Source, member: str, header: Sequence[str], labels: Sequence[str], value: str) -> pd.DataFrame:
    """Read a csv of one line a cell: label columns as categories, and finite numbers.

    Parameters
    ----------
    source, member
        What to read.
    header
        The fields of the first line.
    labels, value
        Names of the columns that are taken.

    Returns
    -------
    pandas.DataFrame
        Line i of the file (from 1) is row i - 2, where no label has a line break.

    Raises
    ------
    ReaderError
        No lines, a line of another length, a value that is no finite number: with its line.
    """
    import pandas as pd

    at = {name: i for i, name in enumerate(header)}
    first = read_header(source, member, separator=",", lines=2)[1]
    if len(first) != len(header):
        got, expected = f"{len(first)} cells", f"{len(header)} cells"
        refuse(source, "a line of another length", member=member, line=2, got=got, expected=expected)
    try:
        with source.open(member) as handle:
            frame = read_csv(
                handle,
                header=0,
                names=list(range(len(header))),
                usecols=[*(at[name] for name in labels), at[value]],
                dtype={**{at[name]: str for name in labels}, at[value]: np.float64},
                keep_default_na=False,
                na_values={at[value]: [""]},
                index_col=False,
                encoding="utf-8-sig",
            )
    except _BROKEN as error:
        _locate_long(source, member, len(header), at[value], str(error))
    if not _as_wide(source, member, len(header)):
        _check_long(source, member, len(header), at[value])
    if not np.isfinite(frame[at[value]].to_numpy()).all() or any(frame[at[name]].isna().any() for name in labels):
        _locate_long(source, member, len(header), at[value], "cells that are missing or not finite")
    # not dtype="category" above: its categories would be numbers where all look like numbers ("01" becomes 1)
    coded = {name: frame[at[name]].astype("category") for name in labels}
    return pd.DataFrame({**coded, value: frame[at[value]]}, copy=False)


def _as_wide(source: Source, member: str, width: int) -> bool:
    """Whether all lines together have as many cells as the header asks for; not known, and so true, with quotes.

    The parser leaves out cells beyond the header without a word.
    """
    commas, lines, last = 0, 0, b"\n"
    with guarded(source, member), source.open(member) as handle:
        while block := handle.read(1 << 22):
            if b'"' in block:
                return True
            commas += block.count(b",")
            lines += block.count(b"\n") - block.count(b"\n\n")
            lines -= last == b"\n" and block.startswith(b"\n") and commas > 0
            last = block[-1:]
    return commas == (width - 1) * (lines + (last != b"\n"))


def _locate_long(source: Source, member: str, width: int, value: int, reason: str) -> NoReturn:
    _check_long(source, member, width, value)
    refuse(source, "cannot be read as one line a cell", member=member, got=reason[:200])


def _check_long(source: Source, member: str, width: int, value: int) -> None:
    """Refuse the first line of another length or without a number; reads line by line."""
    with guarded(source, member), source.open(member) as handle, io.TextIOWrapper(handle, "utf-8-sig") as text:
        reader = csv.reader(text)
        for number, row in enumerate(reader):
            line = reader.line_num
            if number and row and len(row) != width:
                got, expected = f"{len(row)} cells", f"{width} cells"
                refuse(source, "a line of another length", member=member, line=line, got=got, expected=expected)
            if number and row and not is_number(row[value]):
                got = repr(row[value][:40])
                refuse(source, "not a finite number", member=member, line=line, got=got, expected="a number")


def _blank(cells: object) -> bool:
    return all(not isinstance(x, str) or not x.strip() for x in cells)  # type: ignore[attr-defined]


def _locate(
    source: Source,
    member: str,
    separator: str,
    header_lines: int,
    label_columns: int,
    columns: int,
    trailing: int,
    reason: str,
) -> NoReturn:
    """Find the first bad cell by reading slowly, and refuse it by line and column."""
    with guarded(source, member), source.open(member) as handle, io.TextIOWrapper(handle, "utf-8-sig") as text:
        reader = csv.reader(text, delimiter=separator)
        for number, row in enumerate(reader):
            if number < header_lines:
                continue
            line = reader.line_num
            if len(row) not in (columns, columns + trailing):
                got, expected = f"{len(row)} cells", f"{columns} cells"
                do = "compare the file with its publisher's: it is cut off, or cells are missing or shifted"
                refuse(source, "a line of another length", member=member, line=line, got=got, expected=expected, do=do)
            for position, cell in enumerate(row[label_columns:columns], start=label_columns + 1):
                if not is_number(cell):
                    label = "" if not label_columns else f" (row {' '.join(row[:label_columns])!r})"
                    refuse(
                        source,
                        f"column {position} is not a finite number{label}",
                        member=member,
                        line=line,
                        got=repr(cell[:40]),
                        expected="a number; the file is refused rather than filled",
                    )
    refuse(source, "cannot be read as a table of numbers", member=member, got=reason[:200])


def is_number(cell: str) -> bool:
    """Return whether a cell is a finite number as text."""
    try:
        return bool(np.isfinite(float(cell))) and "_" not in cell
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Axis:
    """Country-sectors of a table in country-major order.

    Attributes
    ----------
    areas, sectors
        Labels in order of first appearance.
    order
        Shape (n,): position in the file of each country-sector of the table.
    """

    areas: tuple[str, ...]
    sectors: tuple[str, ...]
    order: IntArray

    @property
    def pairs(self) -> list[Pair]:
        """Country-sector labels in the order of the table."""
        return [(area, sector) for area in self.areas for sector in self.sectors]


def refuse_twice(
    source: Source, labels: Sequence[Pair], *, what: str, place: Callable[[int], str], member: str | None = None
) -> None:
    """Refuse labels that stand twice, with both places of each.

    Parameters
    ----------
    source, member
        For messages.
    labels
        Labels of rows or columns as in the file.
    what
        Which they are.
    place
        Where a label stands in the file.

    Raises
    ------
    ReaderError
        A label stands twice.
    """
    first: dict[Pair, int] = {}
    twice = [
        f"{_pairs([pair])} ({place(first[pair])} and {place(i)})"
        for i, pair in enumerate(labels)
        if first.setdefault(pair, i) != i
    ]
    if twice:
        refuse(source, f"duplicate labels of {what}", member=member, got=listing(twice), expected="each label once")


def same_labels(
    source: Source,
    rows: Sequence[Pair],
    columns: Sequence[Pair],
    *,
    member: str | None = None,
    place: Callable[[int], str] = lambda i: f"position {i + 1}",
    final: Sequence[str] = (),
) -> None:
    """Refuse labels that are missing, or that stand on one side of a table only.

    Parameters
    ----------
    source, member
        For messages.
    rows, columns
        Labels of country-sectors as in the file.
    place
        Where a row stands in the file.
    final
        Codes of final demand, which columns may have too.

    Raises
    ------
    ReaderError
        With the places of the rows concerned.
    """
    blank = [place(i) for i, pair in enumerate(rows) if "" in pair]
    if blank:
        got, expected = listing(blank), "a country and a sector each"
        refuse(source, "missing labels of rows", member=member, got=got, expected=expected)
    refuse_twice(source, rows, what="rows", place=place, member=member)
    known, used = set(columns), set(rows)
    only_rows = [f"{_pairs([pair])} ({place(i)})" for i, pair in enumerate(rows) if pair not in known]
    only_columns = [pair for pair in dict.fromkeys(columns) if pair not in used]
    if only_rows or only_columns:
        refuse(
            source,
            "labels of rows and columns do not match",
            member=member,
            got=f"rows without a column: {listing(only_rows) or 'none'}; columns without a row: "
            f"{_pairs(only_columns) or 'none'}",
            expected=f"the same {len(known)} labels on both sides"
            + (f", and final demand {listing(final)}" if final else ""),
            do="compare the file with its publisher's: part of it is missing, or its labels are damaged",
        )


def country_major(source: Source, pairs: Sequence[Pair], *, what: str, member: str | None = None) -> Axis:
    """Arrange labels country-major, countries and sectors each in order of first appearance.

    Raises
    ------
    ReaderError
        Empty or duplicate labels, or countries that have not all the same sectors.
    """
    areas = tuple(dict.fromkeys(a for a, _ in pairs))
    sectors = tuple(dict.fromkeys(s for _, s in pairs))
    if not pairs or "" in areas or "" in sectors:
        got = "no labels" if not pairs else f"position {next(i for i, p in enumerate(pairs) if '' in p) + 1} is empty"
        refuse(source, f"missing labels of {what}", member=member, got=got, expected="a country and a sector each")
    if len(areas) * len(sectors) > 2 * len(pairs) + 100:
        got = f"{len(areas)} countries and {len(sectors)} sectors in {len(pairs)} labels: {_pairs(pairs)}"
        refuse(source, f"labels of {what} do not match", member=member, got=got, expected="every country x sector")
    wanted = [(a, s) for a in areas for s in sectors]
    return Axis(areas, sectors, positions(source, wanted, pairs, what=what, member=member))


def positions(
    source: Source, wanted: Sequence[Pair], found: Sequence[Pair], *, what: str, member: str | None = None
) -> IntArray:
    """Return where each wanted label stands among the labels found; both must be the same set.

    Raises
    ------
    ReaderError
        Duplicates, or labels that are missing or too many.
    """
    place = {pair: i for i, pair in enumerate(found)}
    if len(place) != len(found):
        seen: set[Pair] = set()
        double = [p for p in found if p in seen or seen.add(p)]  # type: ignore[func-returns-value]
        refuse(source, f"duplicate labels of {what}", member=member, got=_pairs(double), expected="each label once")
    missing = [pair for pair in wanted if pair not in place]
    known = set(wanted)
    extra = [pair for pair in found if pair not in known]
    if missing or extra:
        refuse(
            source,
            f"labels of {what} do not match",
            member=member,
            got=f"missing: {_pairs(missing) or 'none'}; not expected: {_pairs(extra) or 'none'}",
            expected=f"{len(wanted)} labels, every country with every sector or category, rows like columns",
            do="compare the file with its publisher's: it may be cut off or edited",
        )
    return np.array([place[pair] for pair in wanted], dtype=np.int64)


def _pairs(pairs: Sequence[Pair]) -> str:
    return listing("_".join(pair) for pair in pairs) if pairs else ""


def iso3(
    codes: Sequence[str],
    database: str,
    *,
    also: Mapping[str, str] | None = None,
    two_letters: bool = False,
) -> dict[str, str]:
    """Return code in the file -> ISO 3166-1 alpha-3 code; codes that are not known stay as they are.

    Parameters
    ----------
    codes
        Country codes of a file.
    database
        Whose codes they are, as in :func:`tiva.concordances.country_codes`.
    also
        Further spellings met in files of this database.
    two_letters
        Whether the file has ISO alpha-2 codes.
    """
    from tiva.concordances import countries, country_codes

    known = dict(country_codes(database))
    if two_letters:
        for code, country in countries().items():
            if country.iso2 and country.kind == "country":
                known.setdefault(country.iso2, code)
    known.update(also or {})
    return {code: known.get(code, code) for code in codes}


def balancing_row(output: FloatArray, inputs: FloatArray, value_added: FloatArray, name: str) -> tuple[FloatArray, str]:
    """Return output less inputs less value added, and a note on its size.

    For sources that are known not to balance (Eora26, GLORIA): the gap is shown as an input row of its own.
    """
    gap = output - inputs - value_added
    share = np.abs(gap).sum() / max(np.abs(output).sum(), np.finfo(float).tiny)
    return gap, f"row {name!r}: output less inputs less value added, {share:.3g} of world output in absolute terms"
