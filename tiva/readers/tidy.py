"""Tidy tables, one line a cell, as csv or parquet; read and written, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tiva.errors import MissingExtraError, listing
from tiva.files import as_path, replacing
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.readers._members import parsing
from tiva.readers.grids import (
    Axis,
    Pair,
    check_choice,
    country_major,
    header_of,
    members,
    pick,
    read_header,
    read_long,
    refuse,
)
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.table.icio_table import IcioTable, OtherInput, ValueAddedKind
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

LABELS: tuple[str, ...] = ("row_country", "row_sector", "col_country", "col_sector")
VALUE = "value"
DESCRIPTION: tuple[str, ...] = ("year", "unit", "currency")
COLUMNS: tuple[str, ...] = (*DESCRIPTION, "block", *LABELS, VALUE)
"""Columns that are written. Only the labels and the value are needed when read."""

BLOCKS: tuple[str, ...] = (
    "rounding", "output", "part_of", "intermediate", "final_demand", "value_added", "other_input", "other_input_final",
)  # fmt: skip
"""What a line holds; see :func:`write_tidy`."""

ROUNDING: tuple[Pair, ...] = (("", "amount"), ("", "share"))
"""Rows of the block ``rounding``; see :class:`tiva.table.provenance.Provenance`."""

MAX_ROWS = 50
"""Most rows for each byte of a parquet file: a real table has fewer than one, one of zeros only 66."""

Absent = Literal["error", "zero"]


def write_tidy(table: IcioTable, path: str | Path) -> Path:
    """Write a table with one line a cell; nothing of it is lost but its provenance (of which the rounding is kept).

    ``block`` says what a line is: ``rounding`` (row_sector: amount or share; where that of the source is known),
    ``output`` (row: country-sector), ``part_of`` (1 where the row's area is part of the column's country),
    ``intermediate``, ``final_demand`` (column: absorber and category), ``value_added`` (row_sector: published or
    residual; column: country-sector), ``other_input`` and ``other_input_final``
    (row_sector: name of the row). Zeros are written.

    Parameters
    ----------
    table
        Any table.
    path
        File to write; ``.parquet`` needs pyarrow, any other suffix is csv.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    OutputError
        The file cannot be written.
    MissingExtraError
        Parquet without pyarrow.
    """
    path = as_path(path)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".parquet":
            _write_parquet(table, temporary)
        else:
            with temporary.open("w", encoding="utf-8", newline="") as handle:
                for i, frame in enumerate(_frames(table)):
                    frame.to_csv(handle, index=False, header=i == 0, lineterminator="\n")
    return path


def _write_parquet(table: IcioTable, path: Path) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", "writing parquet") from error
    text = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([(name, pa.float64() if name == VALUE else text) for name in COLUMNS])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for frame in _frames(table):
            writer.write_table(pa.Table.from_pandas(frame, schema, False))


def _frames(table: IcioTable) -> Iterator[pd.DataFrame]:
    """Yield the lines of a table block by block, intermediate use one seller area at a time."""
    own = [(a, s) for a in table.areas for s in table.sectors]
    final = [(c, d) for c in table.countries for d in table.final_demand_categories]
    if any(table.provenance.rounding):
        yield _frame(table, "rounding", ROUNDING, [("", "")], np.array(table.provenance.rounding)[:, None])
    yield _frame(table, "output", own, [("", "")], table.output[:, None])
    split = [((part, ""), (whole, "")) for part, whole in table.split_countries.items()]
    for row, column in split:
        yield _frame(table, "part_of", [row], [column], np.ones((1, 1)))
    step = len(table.sectors)
    demand = table.final_demand.reshape(table.n, -1)
    for at in range(0, table.n, step):
        yield _frame(table, "intermediate", own[at : at + step], own, table.intermediate[at : at + step])
    for at in range(0, table.n, step):
        yield _frame(table, "final_demand", own[at : at + step], final, demand[at : at + step])
    yield _frame(table, "value_added", [("", table.value_added_kind)], own, table.value_added[None])
    for name, other in table.other_inputs.items():
        yield _frame(table, "other_input", [("", name)], own, other.intermediate[None])
        if other.final is not None:
            yield _frame(table, "other_input_final", [("", name)], final, other.final.reshape(1, -1))


def _frame(
    table: IcioTable, block: str, rows: Sequence[Pair], columns: Sequence[Pair], values: FloatArray
) -> pd.DataFrame:
    import pandas as pd

    m, k = len(rows), len(columns)

    def coded(codes: IntArray, names: Sequence[str]) -> Any:
        return pd.Categorical.from_codes(codes.tolist(), categories=list(names))  # type: ignore[call-overload]

    def labels(pairs: Sequence[Pair], part: int, across: bool) -> Any:
        names = list(dict.fromkeys(pair[part] for pair in pairs))
        place = {name: i for i, name in enumerate(names)}
        codes = np.array([place[pair[part]] for pair in pairs])
        return coded(np.tile(codes, m) if across else np.repeat(codes, k), names)

    def constant(text: str) -> Any:
        return coded(np.zeros(m * k, dtype=np.int64), [text])

    return pd.DataFrame(
        {
            "year": constant("" if table.year is None else str(table.year)),
            "unit": constant(table.unit),
            "currency": constant(table.currency),
            "block": constant(block),
            "row_country": labels(rows, 0, False),
            "row_sector": labels(rows, 1, False),
            "col_country": labels(columns, 0, True),
            "col_sector": labels(columns, 1, True),
            VALUE: values.reshape(-1),
        }
    )


def read_tidy(
    source: Source,
    *,
    year: int | None = None,
    absent: Absent = "error",
    unit: str | None = None,
    currency: str | None = None,
) -> IcioTable:
    """Read a table with one line a cell.

    Files of :func:`write_tidy` give back the same table. Files with only ``row_country, row_sector, col_country,
    col_sector, value`` are read too: columns whose sector is one of the row sectors are intermediate use, others
    final demand; rows without a country are other inputs by name, one of them (``VA`` or ``value_added``) the
    published value added.

    Parameters
    ----------
    source
        A csv or parquet file, or a folder or archive with one.
    year
        Year to take, where the file has a column ``year`` with several.
    absent
        Cells that the file does not have: refuse them, or take them as zero and say so in the notes.
    unit, currency
        What the numbers are, where the file has no such columns; ``"million USD"`` and ``"USD"``.

    Returns
    -------
    IcioTable

    Raises
    ------
    ReaderError
        Unknown blocks or labels, cells given twice or not at all, values that are no numbers: with the line.
    """
    check_choice("absent", absent, ("error", "zero"))
    member = pick(source, [n for n in members(source) if _kind(source, n)], None, "tidy table")
    frame, kind = _load(source, member)
    if frame.empty:
        refuse(source, "no cells", member=member, expected="one line a cell")
    return _Tidy(source, member, _of_year(source, member, frame, year), kind, absent).table(unit, currency)


def _kind(source: Source, member: str) -> str:
    if source.size(member) == 0:
        return ""
    if source.head(member, 4) == b"PAR1":
        return "parquet"
    fields = [field.strip().strip('"') for field in header_of(source, member).split(",")]
    return "csv" if {*LABELS, VALUE} <= set(fields) else ""


def _recognise(source: Source) -> bool:
    return any(_kind(source, name) for name in members(source))


def _load(source: Source, member: str) -> tuple[pd.DataFrame, str]:
    kind = _kind(source, member)
    if kind == "parquet":
        return _load_parquet(source, member), kind
    header = read_header(source, member, separator=",", lines=1)[0]
    if len(set(header)) != len(header):
        refuse(source, "columns of the same name", member=member, line=1, got=listing(header))
    return read_long(source, member, header, [n for n in COLUMNS if n in header and n != VALUE], VALUE), kind


def _load_parquet(source: Source, member: str) -> pd.DataFrame:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", "reading parquet") from error
    with parsing(source, member, "a parquet table"):
        content = pa.BufferReader(source.read_bytes(member))
        rows = parquet.read_metadata(content).num_rows
        if rows > MAX_ROWS * source.size(member):
            got, expected = f"{rows:,} rows", f"at most {MAX_ROWS} a byte of the file"
            refuse(source, "unpacks to an implausible size", member=member, got=got, expected=expected)
        names = parquet.read_schema(content).names
        if not {*LABELS, VALUE} <= set(names):
            refuse(source, "not a tidy table", member=member, got=listing(names), expected=listing((*LABELS, VALUE)))
        loaded = parquet.read_table(content, columns=[n for n in COLUMNS if n in names])
        loaded.validate(full=True)
        frame: pd.DataFrame = loaded.to_pandas()
    for name in frame.columns:
        if name != VALUE:
            if frame[name].isna().any():
                line = int(np.flatnonzero(frame[name].isna().to_numpy())[0])
                refuse(source, f"column {name} has no value in row {line}", member=member, expected="a label")
            frame[name] = frame[name].astype(str).astype("category")
    with parsing(source, member, "a parquet table"):
        values = frame[VALUE].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        line = int(np.flatnonzero(~np.isfinite(values))[0])
        refuse(source, f"the value in row {line} is not a finite number", member=member, got=values[line])
    return frame


def _of_year(source: Source, member: str, frame: pd.DataFrame, year: int | None) -> pd.DataFrame:
    if "year" not in frame:
        return frame
    years = [str(y) for y in frame["year"].cat.remove_unused_categories().cat.categories]
    if year is None and len(years) > 1:
        refuse(source, f"{len(years)} years in one file", member=member, got=listing(years), do="pass year=...")
    if year is not None and years != [""]:
        if str(year) not in years:
            refuse(source, "another year than asked for", member=member, got=listing(years), expected=year)
        return frame[(frame["year"] == str(year)).to_numpy()]
    return frame


@dataclass(slots=True)
class _Tidy:
    """Lines of one table, with labels as categories; the index of the frame is the line in the file less two."""

    source: Source
    member: str
    frame: pd.DataFrame
    kind: str
    absent: Absent

    def table(self, unit: str | None, currency: str | None) -> IcioTable:
        blocks = self._blocks()
        own = blocks.get("output", blocks["intermediate"])
        axis = country_major(self.source, _appearing(own), what="rows", member=self.member)
        part_of = self._part_of(blocks.get("part_of"))
        countries = tuple(dict.fromkeys(part_of.get(a, a) for a in axis.areas))
        demand = blocks["final_demand"]
        categories = tuple(dict.fromkeys(c for _, c in _appearing(demand, "col")))
        final = [(c, d) for c in countries for d in categories]
        notes: list[str] = []
        rows = axis.pairs
        z = self._cells("intermediate", blocks["intermediate"], rows, rows, notes)
        y = self._cells("final_demand", demand, rows, final, notes)
        output = self._cells("output", blocks["output"], rows, None, notes) if "output" in blocks else None
        value_added, kind = self._value_added(blocks, axis, notes)
        table = IcioTable.from_arrays(
            z,
            y,
            countries=axis.areas,
            sectors=axis.sectors,
            final_demand_categories=categories,
            absorbers=countries,
            value_added=value_added,
            output=None if output is None else output[:, 0],
            other_inputs=self._others(blocks, axis, final, (len(countries), len(categories)), notes),
            split_countries=part_of,
            year=self._year(),
            unit=self._said("unit", unit, "million USD"),
            currency=self._said("currency", currency, "USD"),
            provenance=Provenance(
                source="tidy table",
                files=(self.source.describe_file(self.member),),
                reader="tidy",
                notes=tuple(notes),
                rounding=self._rounding(blocks.get("rounding")),
            ),
        )
        return table if kind is None else table.replace(value_added_kind=kind)

    def _blocks(self) -> dict[str, pd.DataFrame]:
        if "block" not in self.frame:
            blocks = self._guess_blocks()
        else:
            names = [str(x) for x in self.frame["block"].cat.remove_unused_categories().cat.categories]
            unknown = [name for name in names if name not in BLOCKS]
            if unknown:
                self._refuse("unknown blocks", got=listing(map(repr, unknown)), expected=listing(BLOCKS, 9))
            blocks = {name: self.frame[(self.frame["block"] == name).to_numpy()] for name in names}
        missing = [name for name in ("intermediate", "final_demand") if name not in blocks or blocks[name].empty]
        if missing:
            self._refuse(f"half of a table: no lines of {' and '.join(missing)}", got=listing(blocks) or "none")
        return blocks

    def _guess_blocks(self) -> dict[str, pd.DataFrame]:
        frame = self.frame
        named = (frame["row_country"] != "").to_numpy()
        sectors = set(frame["row_sector"][named].unique())
        own = frame["col_sector"].isin(sectors).to_numpy()
        blocks = {"intermediate": frame[named & own], "final_demand": frame[named & ~own]}
        is_added = frame["row_sector"].isin(["VA", "value_added"]).to_numpy()
        for name, mask in (
            ("value_added", ~named & own & is_added),
            ("other_input", ~named & own & ~is_added),
            ("other_input_final", ~named & ~own & ~is_added),
        ):
            if mask.any():
                blocks[name] = frame[mask]
        return blocks

    def _part_of(self, lines: pd.DataFrame | None) -> dict[str, str]:
        if lines is None:
            return {}
        return dict(zip(lines["row_country"].astype(str), lines["col_country"].astype(str), strict=True))

    def _rounding(self, lines: pd.DataFrame | None) -> tuple[float, float]:
        if lines is None:
            return (0.0, 0.0)
        found = self._cells("rounding", lines, ROUNDING, None, [])[:, 0]
        if len(lines) != len(ROUNDING) or (found < 0).any():
            self._refuse(
                "rounding", got=listing(map(repr, found.tolist())), expected="an amount and a share, not negative"
            )
        return float(found[0]), float(found[1])

    def _value_added(
        self, blocks: dict[str, pd.DataFrame], axis: Axis, notes: list[str]
    ) -> tuple[FloatArray | None, ValueAddedKind | None]:
        if "value_added" not in blocks:
            return None, None
        lines = blocks["value_added"]
        names = [str(x) for x in lines["row_sector"].unique()]
        if len(names) != 1:
            self._refuse("more than one row of value added", got=listing(names))
        values = self._cells("value_added", lines, [("", names[0])], axis.pairs, notes)[0]
        return values, "residual" if names[0] == "residual" else "published"

    def _others(
        self,
        blocks: dict[str, pd.DataFrame],
        axis: Axis,
        final: list[Pair],
        shape: tuple[int, int],
        notes: list[str],
    ) -> dict[str, OtherInput]:
        others = {}
        names = list(dict.fromkeys(s for _, s in _appearing(blocks["other_input"]))) if "other_input" in blocks else []
        paid = blocks.get("other_input_final")
        on_final = [] if paid is None else list(dict.fromkeys(s for _, s in _appearing(paid)))
        if set(on_final) - set(names):
            self._refuse("rows on final demand only", got=listing(set(on_final) - set(names)))
        for name in names:
            lines = blocks["other_input"]
            mine = lines[(lines["row_sector"] == name).to_numpy()]
            row = self._cells(f"other input {name!r}", mine, [("", name)], axis.pairs, notes)[0]
            end = None
            if paid is not None and name in on_final:
                mine = paid[(paid["row_sector"] == name).to_numpy()]
                end = self._cells(f"other input {name!r}", mine, [("", name)], final, notes).reshape(shape)
            others[name] = OtherInput(row, end)
        return others

    def _cells(
        self, what: str, lines: pd.DataFrame, rows: Sequence[Pair], columns: Sequence[Pair] | None, notes: list[str]
    ) -> FloatArray:
        """Return one block as an array, each line put where its labels say."""
        row = self._place(what, lines, "row", rows)
        width = 1 if columns is None else len(columns)
        column = np.zeros(len(lines), dtype=np.int64) if columns is None else self._place(what, lines, "col", columns)
        cell = row * width + column
        count = np.bincount(cell, minlength=len(rows) * width)
        if count.max() > 1:
            first, again = np.flatnonzero(cell == int(count.argmax()))[:2]
            got = f"{' '.join(str(x) for x in lines.iloc[again][list(LABELS)])}, first in {self._line(lines, first)}"
            self._refuse(f"{what}: {self._line(lines, again)} gives a cell again", got=got, expected="each cell once")
        absent = int((count == 0).sum())
        if absent:
            at = int(np.flatnonzero(count == 0)[0])
            label = "_".join((*rows[at // width], *(columns[at % width] if columns else ())))
            if self.absent == "error":
                self._refuse(
                    f"{what}: {absent:,} of {count.size:,} cells are absent",
                    got=f"no line for {label}",
                    expected="one line a cell",
                    do='get the whole file, or pass absent="zero" if zeros were left out on purpose',
                )
            notes.append(f"{what}: {absent:,} of {count.size:,} cells are not in the file and are zero")
        values = np.zeros(count.size)
        values[cell] = lines[VALUE].to_numpy(dtype=np.float64)
        return values.reshape(len(rows), width)

    def _place(self, what: str, lines: pd.DataFrame, side: str, wanted: Sequence[Pair]) -> IntArray:
        """Return the position of each line among the wanted labels."""
        first, second = lines[f"{side}_country"], lines[f"{side}_sector"]
        a_names = {str(name): i for i, name in enumerate(first.cat.categories)}
        b_names = {str(name): i for i, name in enumerate(second.cat.categories)}
        key = first.cat.codes.to_numpy().astype(np.int64) * len(b_names) + second.cat.codes.to_numpy()
        known = {
            a_names[a] * len(b_names) + b_names[b]: i
            for i, (a, b) in enumerate(wanted)
            if a in a_names and b in b_names
        }
        if len(a_names) * len(b_names) <= len(lines) + 1_000_000:
            table = np.full(len(a_names) * len(b_names), -1, dtype=np.int64)
            table[list(known)] = list(known.values())
            at: IntArray = table[key]
        else:
            unique, inverse = np.unique(key, return_inverse=True)
            at = np.array([known.get(k, -1) for k in unique.tolist()], dtype=np.int64)[inverse]
        if (at < 0).any():
            line = int(np.flatnonzero(at < 0)[0])
            got = f"{str(first.iloc[line])!r}, {str(second.iloc[line])!r}"
            expected = f"one of {listing('_'.join(pair) for pair in wanted)}"
            self._refuse(f"{what}: unknown labels in {self._line(lines, line)}", got=got, expected=expected)
        return at

    def _line(self, lines: pd.DataFrame, position: int) -> str:
        row = int(lines.index[int(position)])
        return f"row {row}" if self.kind == "parquet" else f"line {row + 2}"

    def _year(self) -> int | None:
        if "year" not in self.frame:
            return None
        text = str(self.frame["year"].iloc[0])
        if text and not text.isdecimal():
            self._refuse("a year that is no number", got=repr(text))
        return int(text) if text and len(text) < 6 else None

    def _said(self, name: str, given: str | None, default: str) -> str:
        if name not in self.frame:
            return default if given is None else given
        found = [str(x) for x in self.frame[name].cat.remove_unused_categories().cat.categories]
        if len(found) != 1 or (given is not None and given != found[0]):
            expected = "one" if given is None else repr(given)
            self._refuse(f"column {name}", got=listing(map(repr, found)), expected=expected)
        return found[0]

    def _refuse(self, what: str, *, got: object = None, expected: object = None, do: str | None = None) -> None:
        refuse(self.source, what, member=self.member, got=got, expected=expected, do=do)


def _appearing(lines: pd.DataFrame, side: str = "row") -> list[Pair]:
    """Return the label pairs of the rows or columns in order of first appearance."""
    both = lines[[f"{side}_country", f"{side}_sector"]].drop_duplicates()
    return [(str(a), str(b)) for a, b in both.itertuples(index=False)]


READERS = (Reader("tidy", "tidy csv or parquet, one line a cell", _recognise, read_tidy),)
