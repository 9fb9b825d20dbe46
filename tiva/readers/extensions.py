"""Rows of the extensions that come with a table: EXIOBASE 3 (``F.txt``), Eora26 (``Q.txt``), GLORIA (``TQ``)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tiva.errors import UnknownLabelError, UsageError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers.eora import EORA_LICENCE, open_labels, read_labels
from tiva.readers.exiobase import EXIOBASE_CITATION, EXIOBASE_LICENCE, row_of_cells
from tiva.readers.gloria import GLORIA_CITATION, GLORIA_LICENCE, is_gloria, satellite_labels
from tiva.readers.grids import Pair, guarded, header_of, iso3, members, pick, refuse, years_in
from tiva.readers.source import Source
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

_EORA = re.compile(r"(?:^|[/!])(?:Eora26_)?(\d{4})_(bp|pp)_Q\.txt$", re.IGNORECASE)
_EXIOBASE = re.compile(r"(?:^|[/!])F\.txt$")
_GLORIA = re.compile(r"_(TQ|YQ)-Results_(\d{4})_(\d{3})_Markup(\d{3})\(full\)\.csv$")
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
        Line of the labels, where a label stands more than once (Eora26, GLORIA).
    edition
        ``"ixi"`` or ``"pxp"`` where the table is of one of them.
    unit
        Given by the caller: no unit is looked for.
    """

    variable: str | None
    year: int | None
    member: str | None
    line: int | None
    edition: str
    unit: str | None = None


def extension_members(source: Source) -> tuple[str, ...]:
    """Return the members that hold an extension of EXIOBASE 3, Eora26 or GLORIA.

    Raises
    ------
    ReaderError
        The flows of GLORIA without its satellites, which are in an archive of their own.
    """
    names = members(source, ".txt")
    found = [n for n in names if _EXIOBASE.search(n) and header_of(source, n).startswith("region\t")]
    gloria = [n for n in members(source, ".csv") if (m := _GLORIA.search(n)) and m[1] == "TQ"]
    if not gloria and is_gloria(source):
        refuse(
            source,
            "no satellites of GLORIA",
            got=source.describe(),
            expected="..._TQ-Results_YYYY_VVV_Markup001(full).csv",
            do="pass the folder or archive GLORIA_SatelliteAccounts_VVV_YYYY; they are not with the flows",
        )
    return (*found, *(n for n in names if _EORA.search(n)), *gloria)


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
        Folder or archive with the label files of Eora26, or the ReadMe workbook of GLORIA, where they are not with the
        numbers.

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
    if any(_GLORIA.search(name) for name in found):
        return _gloria(source, [n for n in found if _GLORIA.search(n)], choice, labels)
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
    unit, unit_files = (choice.unit, ()) if choice.unit else _exiobase_unit(source, name, variable)
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
    def year_of(name: str) -> int:
        match = _EORA.search(name)
        return int(match[1]) if match else 0

    name = pick(source, _chosen(found, choice), choice.year, "Eora26 satellite", year_of)
    with open_labels(source, labels) as index:
        pairs = [(row[1], row[3]) for row in read_labels(index, "labels_T.txt", 4)]
        fields = [row[:2] for row in read_labels(index, "labels_Q.txt", 1)]
    rows = [" - ".join(x for x in row if x) for row in fields]
    at = _position(rows, [row[0] for row in fields], choice, "labels_Q.txt")
    values = _row(source, name, at, len(rows), len(pairs), "labels_Q.txt")
    notes: tuple[str, ...] = (f"line {at + 1} of labels_Q.txt",)
    used = [name]
    direct = [n for n in members(source, ".txt") if n.casefold() == (name[: -len("Q.txt")] + "QY.txt").casefold()]
    if direct:
        notes += (_direct_note("QY.txt", _row(source, direct[0], at, len(rows), None, "labels_Q.txt")),)
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


def _gloria(
    source: Source, found: Sequence[str], choice: Choice, labels: str | Path | None
) -> tuple[pd.DataFrame, Provenance]:
    """Read a row of TQ: industries of each region, then its products, which have none."""

    def year_of(name: str) -> int:
        match = _GLORIA.search(name)
        return int(match[2]) if match else 0

    name = pick(source, _chosen(found, choice), choice.year, "GLORIA satellite", year_of)
    names, accounts = satellite_labels(source, labels)
    n, regions = len(names.sectors), len(names.regions)
    rows = [f"{account.head} - {account.name}" for account in accounts]
    if choice.variable is not None:  # the workbook puts indicators in quotes
        choice = replace(choice, variable=choice.variable.strip("' "))
    at = _position(rows, [account.name for account in accounts], choice, "the sheet 'Satellites'")
    values = _row(source, name, at, len(rows), regions * 2 * n, "the sheet 'Satellites'").reshape(regions, 2, n)
    if values[:, 1].any():
        got = f"{np.count_nonzero(values[:, 1])} entries in product columns"
        refuse(source, "satellites of products", member=name, line=at + 1, got=got, expected="those of industries only")
    notes: tuple[str, ...] = (f"line {at + 1} of the satellites",)
    direct = [n for n in members(source, ".csv") if n == name.replace("_TQ-Results_", "_YQ-Results_")]
    if direct:
        width = regions * len(names.final_demand)
        notes += (_direct_note("YQ", _row(source, direct[0], at, len(rows), width, "the sheet 'Satellites'")),)
    match = _GLORIA.search(name)
    provenance = Provenance(
        source="GLORIA",
        edition=f"{match[3]} satellite accounts" if match else "satellite accounts",
        files=tuple(source.describe_file(n) for n in (name, *direct)),
        reader="satellite",
        licence=GLORIA_LICENCE,
        citation=GLORIA_CITATION,
        notes=notes,
    )
    pairs = [(region, sector) for region in names.regions for sector in names.sectors]
    return _frame(pairs, values[:, 0].reshape(-1), "GLORIA", rows[at], accounts[at].unit, year_of(name)), provenance


def _chosen(found: Sequence[str], choice: Choice) -> Sequence[str]:
    """Return the member asked for, or all."""
    if choice.member is None:
        return found
    if choice.member not in found:
        raise UnknownLabelError("member", choice.member, found)
    return [choice.member]


def _position(rows: Sequence[str], names: Sequence[str], choice: Choice, where: str) -> int:
    """Return the row that is meant: by its label, the name in it, or its line."""
    if choice.line is not None:
        if not 1 <= choice.line <= len(rows):
            raise UnknownLabelError(f"line of {where}", str(choice.line), [f"1 to {len(rows)}"])
        at = choice.line - 1
        if choice.variable is not None and not (rows[at].startswith(choice.variable) or names[at] == choice.variable):
            raise UnknownLabelError("variable of that line", choice.variable, [rows[at]])
        return at
    if choice.variable is None:
        if len(rows) == 1:
            return 0
        raise UsageError(
            explain("the satellites have several rows", got=listing(rows, limit=20), do="choose variable=...")
        )
    wanted = choice.variable
    fitting = [i for i, label in enumerate(rows) if label == wanted]
    fitting = fitting or [i for i, name in enumerate(names) if name == wanted]
    if not fitting:
        raise UnknownLabelError("variable", wanted, list(dict.fromkeys((*names, *rows))))
    if len(fitting) > 1:
        raise UsageError(
            explain(
                f"{len(fitting)} rows are named {wanted!r}",
                got=listing((f"line {i + 1}: {rows[i]}" for i in fitting), limit=20),
                do=f'choose the line of {where} with select={{"line": "..."}}',
            )
        )
    return fitting[0]


def _row(source: Source, member: str, at: int, rows: int, columns: int | None, where: str) -> FloatArray:
    """Return one row of a matrix without labels, having counted its lines."""
    values: FloatArray | None = None
    separator = "," if member.lower().endswith(".csv") else "\t"
    count = 0
    with _lines(source, member) as lines:
        for line in lines:
            if not line.strip():
                continue
            if count == at:
                cells = line.rstrip("\r\n").rstrip("\t").split(separator)
                values = row_of_cells(source, member, count + 1, f"row {at + 1}", cells, columns or len(cells))
            count += 1
    if values is None or count != rows:
        refuse(
            source,
            "another number of rows than labels",
            member=member,
            got=f"{count} rows",
            expected=f"{rows}, one a line of {where}",
            do="the file is cut off, or the labels are of another release",
        )
    return np.asarray(values)
