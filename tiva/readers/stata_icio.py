"""The user table of Stata's ``icio``: numbers only, with a list of country codes beside it; read and written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tiva.errors import OutputError, UsageError, explain, listing
from tiva.files import as_path, replacing
from tiva.kernels.arrays import FloatArray
from tiva.readers.grids import check_year, guarded, header_of, is_number, members, pick, read_grid, refuse, years_in
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

MIN_HOME_SHARE = 0.5
"""Share of final demand that countries buy from themselves below which a headerless table is refused: 0.91 in world
tables, at most 0.22 in any of the same tables cut after a whole number of sectors (WIOD, five years)."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_\- ]{0,30}")


def read_stata_icio(
    source: Source,
    *,
    year: int | None = None,
    countries: Sequence[str] | str | Path | None = None,
    sectors: Sequence[str] | None = None,
    final_demand_categories: Sequence[str] | None = None,
    unit: str = "million USD",
    currency: str = "USD",
) -> IcioTable:
    """Read a headerless table [intermediate use | final demand], country-major, one line a country-sector.

    The layout has no labels and no totals: countries come from the country list, sectors are numbered unless named.
    Value added is the residual by construction. A list in another order, a changed cell, or cells moved within a line
    cannot be seen. Lines that are lost at the end can, although what is left is often a rectangle that fits the list:
    columns of the lost country-sectors then count as final demand, of which countries buy little from themselves.

    Parameters
    ----------
    source
        The csv, or a folder or archive with the csv and its country list.
    year
        Year of the table; chooses by file name where there are several.
    countries
        Codes in file order, or a file with one a line; a country list beside the table is found by itself.
    sectors
        Labels of the N sectors; ``"1"`` to ``"N"`` when left out. Their number fixes the shape of the file.
    final_demand_categories
        Labels of the final demand columns of each country; ``"FD"``, or ``"FD1"``, ... when left out. Their number
        fixes the shape of the file, too.
    unit, currency
        What the numbers are; the file does not say.

    Returns
    -------
    IcioTable

    Raises
    ------
    ReaderError
        No country list, a shape that does not fit it or the labels, cells that are no numbers; without ``sectors``
        and ``final_demand_categories`` also a table whose countries buy little final demand from themselves.
    """
    member = pick(source, _tables(source), year, "headerless table of numbers")
    grid = read_grid(source, member, separator=",", header_lines=0, label_columns=0)
    n, width = grid.values.shape
    labels = _countries(source, member, countries)
    if n % len(labels) or (width - n) <= 0 or (width - n) % len(labels):
        refuse(
            source,
            "the table does not fit the country list",
            member=member,
            got=f"{n} rows, {width} columns, {len(labels)} countries",
            expected="rows: countries x sectors; columns: rows + countries x final demand categories",
            do="check that rows are country-sectors without a header, and the list has one code a line",
        )
    names = tuple(sectors) if sectors is not None else tuple(str(k + 1) for k in range(n // len(labels)))
    per_country = (width - n) // len(labels)
    notes = ["labels of sectors and final demand are not in the file", f"unit as passed: {unit}"]
    _check_labels(source, member, (n, width), labels, sectors, final_demand_categories)
    if sectors is None and final_demand_categories is None:
        _check_home(source, member, grid.values[:, n:], len(labels))
        if per_country > 1:
            notes.append(
                f"{n} lines with {per_country} final demand columns a country; the first {n} lines of a table of "
                f"{width - len(labels)} with one column a country would look the same"
            )
    default = ("FD",) if per_country == 1 else tuple(f"FD{k + 1}" for k in range(per_country))
    stated = (years_in(member) or (None,))[-1]
    return IcioTable.from_arrays(
        grid.values[:, :n],
        grid.values[:, n:],
        countries=labels,
        sectors=names,
        final_demand_categories=tuple(final_demand_categories or default),
        year=check_year(source, member, stated, year),
        unit=unit,
        currency=currency,
        provenance=Provenance(
            source="user table",
            files=(source.describe_file(member),),
            reader="stata_icio",
            notes=tuple(notes),
        ),
    )


def _check_labels(
    source: Source,
    member: str,
    shape: tuple[int, int],
    countries: Sequence[str],
    sectors: Sequence[str] | None,
    categories: Sequence[str] | None,
) -> None:
    n, width = shape
    g = len(countries)
    for what, given, found in (
        ("sectors", sectors, n // g),
        ("final_demand_categories", categories, (width - n) // g),
    ):
        if given is not None and len(given) != found:
            refuse(
                source,
                f"the table does not fit the {what} passed",
                member=member,
                got=f"{n} lines of {width} numbers for {g} countries: {found} {what}",
                expected=f"{len(given)}",
                do="the file is cut short, or the labels or the country list are of another table",
            )


def _check_home(source: Source, member: str, final: FloatArray, g: int) -> None:
    """Refuse final demand of which countries buy little from themselves: the columns are others than they seem."""
    size = np.abs(final).reshape(g, len(final) // g, g, -1).sum(axis=(1, 3))
    total = float(size.sum())
    share = float(np.trace(size)) / total if total else 1.0
    if g > 1 and share < MIN_HOME_SHARE:
        refuse(
            source,
            "lines are lost, or the country list is of another table",
            member=member,
            line=len(final),
            got=f"{len(final)} lines; countries buy {share:.0%} of their final demand from themselves",
            expected=f"at least {MIN_HOME_SHARE:.0%} (about 90 % in world tables)",
            do="compare the number of lines with its source; where the table is meant like this, pass sectors=[...]",
        )


def write_stata_icio(
    table: IcioTable, path: str | Path, *, country_list: str | Path | None = None, categories: bool = True
) -> tuple[Path, Path]:
    """Write a headerless table for Stata's ``icio`` and its country list.

    The layout holds intermediate use and final demand only, all digits of them: sector and category names, value
    added, other input rows, output, unit and year are not in it.

    Parameters
    ----------
    table
        A table without split countries (see :meth:`~tiva.IcioTable.merge_split_countries`).
    path
        Where the table goes.
    country_list
        Where the list goes; ``<name>_countrylist.csv`` beside the table when left out.
    categories
        One final demand column a country and category, or one a country.

    Returns
    -------
    tuple of pathlib.Path
        Table and country list.

    Raises
    ------
    UsageError
        Split countries, which the layout cannot hold.
    OutputError
        A file cannot be written.
    """
    path = as_path(path)
    listed = Path(country_list) if country_list is not None else path.with_name(f"{path.stem}_countrylist.csv")
    if table.split_countries:
        raise UsageError(
            explain(
                "the layout of Stata's icio cannot hold split countries",
                got=listing(table.split_countries),
                do="write table.merge_split_countries()",
            )
        )
    odd = [c for c in table.countries if not _CODE.fullmatch(c)]
    if odd:
        raise UsageError(explain("country codes that cannot be written in a list", got=listing(map(repr, odd))))
    if path.resolve() == listed.resolve():
        raise OutputError(explain(f"table and country list would be one file: {path}", do="name another list"))
    demand = table.final_demand.reshape(table.n, -1) if categories else table.final_demand_by_absorber
    with replacing(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as handle:
        for flows, final in zip(table.intermediate, demand, strict=True):
            handle.write(",".join(map(repr, flows.tolist() + final.tolist())) + "\n")
    with replacing(listed) as temporary:
        temporary.write_text("\n".join(table.countries) + "\n", encoding="utf-8")
    return path, listed


def _tables(source: Source) -> list[str]:
    return [name for name in members(source) if _is_numeric(source, name)]


def _is_numeric(source: Source, member: str) -> bool:
    if re.search(r"-Results_\d{4}", member):
        return False  # a matrix of GLORIA
    fields = header_of(source, member).split(",")
    return len(fields) > 1 and all(is_number(field) for field in fields[:-1])


def _recognise(source: Source) -> bool:
    return bool(_tables(source))


def _is_list(content: bytes) -> list[str] | None:
    try:
        lines = [line.strip().strip('"') for line in content.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        return None
    codes = [line for line in lines if line]
    return codes if codes and all(_CODE.fullmatch(code) for code in codes) else None


def _countries(source: Source, member: str, given: Sequence[str] | str | Path | None) -> tuple[str, ...]:
    if given is not None and not isinstance(given, (str, Path)):
        return tuple(given)
    stem = member.rsplit(".", 1)[0]
    if given is not None:
        codes, where = _read_list(Path(given)), str(given)
    elif (beside := f"{stem}_countrylist.csv") in source.names():
        with guarded(source, beside):
            codes, where = _is_list(source.read_bytes(beside)), beside
    elif source.file(member) == source.path and (near := source.path.parent / f"{stem}_countrylist.csv").exists():
        codes, where = _read_list(near), near.name
    else:
        lists = [n for n in members(source) if "countrylist" in n.lower()]
        where = pick(source, lists, None, "country list beside the table (one code a line, or countries=...)")
        with guarded(source, where):
            codes = _is_list(source.read_bytes(where))
    if codes is None:
        refuse(source, "not a country list", member=where, expected="one country code a line, no header")
    return tuple(codes)


def _read_list(path: Path) -> list[str] | None:
    try:
        return _is_list(path.read_bytes())
    except OSError as error:
        raise UsageError(explain(f"the country list cannot be read: {path}", got=str(error))) from error


READERS = (Reader("stata_icio", "headerless csv and country list of Stata's icio", _recognise, read_stata_icio),)
