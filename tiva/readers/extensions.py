"""Rows of the extensions that come with a table: EXIOBASE 3 (``F.txt``) and Eora26 (``Q.txt``), one row at a time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tiva.errors import UnknownLabelError, UsageError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers.eora import EORA_LICENCE, open_labels, read_labels
from tiva.readers.exiobase import EXIOBASE_CITATION, EXIOBASE_LICENCE, row_of_cells
from tiva.readers.grids import Pair, guarded, header_of, iso3, members, pick, refuse, years_in
from tiva.readers.source import Source
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

_EORA = re.compile(r"(?:^|[/!])(?:Eora26_)?(\d{4})_(bp|pp)_Q\.txt$", re.IGNORECASE)
_EXIOBASE = re.compile(r"(?:^|[/!])F\.txt$")
_UNIT = re.compile(r"\(([^()]+)\)")
_HEADER_LINES = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """What the caller wants of an extension.

    Attributes
    ----------
    variable
        Row by its label; needed where there are several.
    year
        Year of the table.
    member
        Member of the source, or a folder in it (``"satellite"``).
    line
        Line of the label file, where a label stands more than once (Eora26).
    edition
        ``"ixi"`` or ``"pxp"`` where the table is of one of them.
    """

    variable: str | None
    year: int | None
    member: str | None
    line: int | None
    edition: str


def extension_members(source: Source) -> tuple[str, ...]:
    """Return the members that hold an extension of EXIOBASE 3 or Eora26."""
    names = members(source, ".txt")
    found = [n for n in names if _EXIOBASE.search(n) and header_of(source, n).startswith("region\t")]
    return (*found, *(n for n in names if _EORA.search(n)))


def read_extension(
    source: Source, found: Sequence[str], choice: Choice, labels: str | Path | None
) -> tuple[pd.DataFrame, Provenance]:
    """Read one row of an extension.

    Parameters
    ----------
    source
        Folder, archive or file.
    found
        What :func:`extension_members` returned.
    choice
        Which row.
    labels
        Folder or archive with the label files of Eora26, where they are not with the numbers.

    Returns
    -------
    tuple
        A frame with country, sector, variable, unit and value (and year where known), and its provenance.

    Raises
    ------
    ReaderError
        Labels or cells that are not those of the layout.
    UnknownLabelError
        A variable or member that does not exist.
    UsageError
        Several rows fit.
    """
    if any(_EORA.search(name) for name in found):
        return _eora(source, [n for n in found if _EORA.search(n)], choice, labels)
    return _exiobase(source, found, choice)


def _frame(
    pairs: Sequence[Pair], values: FloatArray, codes: str, variable: str, unit: str, year: int | None
) -> pd.DataFrame:
    import pandas as pd

    names = iso3(tuple(dict.fromkeys(a for a, _ in pairs)), codes, two_letters=codes == "EXIOBASE3")
    frame = pd.DataFrame({"country": [names[a] for a, _ in pairs], "sector": [s for _, s in pairs], "value": values})
    frame = frame.assign(variable=variable)
    if unit:
        frame = frame.assign(unit=unit)
    return frame if year is None else frame.assign(year=str(year))


def _folder(name: str) -> str:
    """Return the folder of a member: ``"satellite"``."""
    parts = re.split(r"[/!]", name)
    return parts[-2] if len(parts) > 1 else ""


def _exiobase(source: Source, found: Sequence[str], choice: Choice) -> tuple[pd.DataFrame, Provenance]:
    fitting = _fitting(source, found, choice)
    labels = {name: _row_labels(source, name) for name in fitting}
    known = list(dict.fromkeys(label for rows in labels.values() for label in rows))
    variable = choice.variable if choice.variable is not None or len(known) != 1 else known[0]
    if variable is None:
        raise UsageError(
            explain("the extensions have several rows", got=listing(known, limit=20), do="choose variable=...")
        )
    holders = [name for name, rows in labels.items() if variable in rows]
    if not holders:
        raise UnknownLabelError("variable", variable, known)
    if len(holders) > 1:
        raise UsageError(
            explain(f"several extensions have a row {variable!r}", got=listing(holders), do="choose member=...")
        )
    name = holders[0]
    pairs, values = _exiobase_row(source, name, variable)
    notes, used = _direct_use(source, name, variable)
    unit, unit_files = _exiobase_unit(source, name, variable)
    year = next(iter(_years(source, name)), None)
    provenance = Provenance(
        source="EXIOBASE 3",
        edition=_folder(name),
        files=tuple(source.describe_file(n) for n in (name, *used, *unit_files)),
        reader="satellite",
        licence=EXIOBASE_LICENCE,
        citation=EXIOBASE_CITATION,
        notes=notes,
    )
    return _frame(pairs, values, "EXIOBASE3", variable, unit, year), provenance


def _years(source: Source, name: str) -> tuple[int, ...]:
    parts = [source.name, *re.split(r"[/!]", name)[:-1]]
    return tuple(dict.fromkeys(y for part in reversed(parts) for y in years_in(part)))


def _fitting(source: Source, found: Sequence[str], choice: Choice) -> list[str]:
    """Return the extensions of the year, system and member that are meant."""
    fitting = list(found)
    if choice.member is not None:
        fitting = [n for n in found if choice.member in (n, _folder(n))]
        if not fitting:
            raise UnknownLabelError("member", choice.member, (*found, *dict.fromkeys(map(_folder, found))))
    of_year = [n for n in fitting if choice.year in (None, *_years(source, n)) or not _years(source, n)]
    if not of_year:
        got = listing(f"{n} ({', '.join(map(str, _years(source, n)))})" for n in fitting)
        refuse(source, "extensions of another year", got=got, expected=choice.year, do="pass year=...")
    systems = [n for n in of_year if not choice.edition or choice.edition in f"{source.name}/{n}".lower()]
    return systems or of_year


@contextmanager
def _lines(source: Source, member: str) -> Iterator[io.TextIOWrapper]:
    with guarded(source, member), source.open(member) as handle, io.TextIOWrapper(handle, "utf-8-sig") as text:
        yield text


def _row_labels(source: Source, member: str) -> list[str]:
    with _lines(source, member) as lines:
        rows = [line.split("\t", 1) for number, line in enumerate(lines) if number >= _HEADER_LINES]
    return [row[0].strip() for row in rows if len(row) > 1 and row[1].strip()]


def _exiobase_row(source: Source, member: str, variable: str) -> tuple[list[Pair], FloatArray]:
    """Return column labels and the cells of one row, empty ones as NaN; a label that stands twice is refused."""
    values: FloatArray | None = None
    with _lines(source, member) as lines:
        head = [line.rstrip("\r\n").split("\t") for _, line in zip(range(_HEADER_LINES), lines, strict=False)]
        if len(head) < _HEADER_LINES or len(head[0]) != len(head[1]) or len(head[0]) < _HEADER_LINES:
            refuse(source, "unknown header", member=member, line=1, expected="region and sector lines, equal")
        pairs = [(a.strip(), b.strip()) for a, b in zip(head[0][1:], head[1][1:], strict=True)]
        for number, line in enumerate(lines, start=_HEADER_LINES + 1):
            label, _, rest = line.rstrip("\r\n").partition("\t")
            if label.strip() == variable and rest.strip():
                if values is not None:
                    refuse(source, "a row that was given before", member=member, line=number, got=repr(label))
                values = row_of_cells(source, member, number, label, rest.split("\t"), len(pairs), blank=True)
    if values is None:
        refuse(source, f"no row {variable!r}", member=member)
    return pairs, values


def _direct_use(source: Source, member: str, variable: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Note what final demand uses directly: it belongs to no sector."""
    for part in ("F_Y.txt", "F_hh.txt"):
        name = member[: -len("F.txt")] + part
        if name in source.names() and variable in _row_labels(source, name):
            _, values = _exiobase_row(source, name, variable)
            return (_direct_note(part, values),), (name,)
    return (), ()


def _direct_note(part: str, values: FloatArray) -> str:
    return f"{part}: {np.nansum(values):.6g} arise in final demand itself (households); they belong to no sector"


def _exiobase_unit(source: Source, member: str, variable: str) -> tuple[str, tuple[str, ...]]:
    name = member[: -len("F.txt")] + "unit.txt"
    if name not in source.names():
        return "", ()
    with _lines(source, name) as lines:
        cells = [[cell.strip() for cell in line.split("\t")] for line in lines]
    found = [row[-1] for row in cells[1:] if row[0] == variable and len(row) > 1]
    if len(set(found)) != 1 or not found[0]:
        refuse(source, f"no one unit of {variable!r}", member=name, got=listing(found) or "none", do="pass unit=...")
    return found[0], (name,)


def _eora(
    source: Source, found: Sequence[str], choice: Choice, labels: str | Path | None
) -> tuple[pd.DataFrame, Provenance]:
    if choice.member is not None:
        if choice.member not in found:
            raise UnknownLabelError("member", choice.member, found)
        found = [choice.member]

    def year_of(name: str) -> int:
        match = _EORA.search(name)
        return int(match[1]) if match else 0

    name = pick(source, found, choice.year, "Eora26 satellite", year_of)
    with open_labels(source, labels) as index:
        pairs = [(row[1], row[3]) for row in read_labels(index, "labels_T.txt", 4)]
        rows = [" - ".join(x for x in row[:2] if x) for row in read_labels(index, "labels_Q.txt", 1)]
    at = _eora_position(rows, choice)
    values = _eora_row(source, name, at, len(rows), len(pairs))
    notes: tuple[str, ...] = (f"line {at + 1} of labels_Q.txt",)
    used = [name]
    direct = [n for n in members(source, ".txt") if n.casefold() == (name[: -len("Q.txt")] + "QY.txt").casefold()]
    if direct:
        notes += (_direct_note("QY.txt", _eora_row(source, direct[0], at, len(rows), None)),)
        used += direct
    units = _UNIT.findall(rows[at])
    provenance = Provenance(
        source="Eora26",
        edition="satellite accounts",
        files=tuple(source.describe_file(n) for n in used),
        reader="satellite",
        licence=EORA_LICENCE,
        notes=notes,
    )
    return _frame(pairs, values, "EORA26", rows[at], units[0] if units else "", year_of(name)), provenance


def _eora_position(rows: Sequence[str], choice: Choice) -> int:
    """Return the row that is meant: by its label, the first field of it, or its line."""
    if choice.line is not None:
        if not 1 <= choice.line <= len(rows):
            raise UnknownLabelError("line of labels_Q.txt", str(choice.line), [f"1 to {len(rows)}"])
        if choice.variable is not None and not rows[choice.line - 1].startswith(choice.variable):
            raise UnknownLabelError("variable of that line", choice.variable, [rows[choice.line - 1]])
        return choice.line - 1
    if choice.variable is None:
        if len(rows) == 1:
            return 0
        raise UsageError(explain("Q has several rows", got=listing(rows, limit=20), do="choose variable=..."))
    wanted = choice.variable
    fitting = [i for i, label in enumerate(rows) if label == wanted]
    fitting = fitting or [i for i, label in enumerate(rows) if label.split(" - ")[0] == wanted]
    if not fitting:
        raise UnknownLabelError("variable", wanted, list(dict.fromkeys(rows)))
    if len(fitting) > 1:
        raise UsageError(
            explain(
                f"{len(fitting)} rows are named {wanted!r}",
                got=listing((f"line {i + 1}: {rows[i]}" for i in fitting), limit=20),
                do='choose the line of labels_Q.txt with select={"line": "..."}',
            )
        )
    return fitting[0]


def _eora_row(source: Source, member: str, at: int, rows: int, columns: int | None) -> FloatArray:
    """Return one row of a matrix without labels, having counted its lines."""
    values: FloatArray | None = None
    count = 0
    with _lines(source, member) as lines:
        for line in lines:
            if not line.strip():
                continue
            if count == at:
                cells = line.rstrip("\r\n").rstrip("\t").split("\t")
                values = row_of_cells(source, member, count + 1, f"row {at + 1}", cells, columns or len(cells))
            count += 1
    if values is None or count != rows:
        refuse(
            source,
            "another number of rows than labels",
            member=member,
            got=f"{count} rows",
            expected=f"{rows}, one a line of labels_Q.txt",
            do="the file is cut off, or the labels are of another release",
        )
    return np.asarray(values)
