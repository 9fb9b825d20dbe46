"""GLORIA supply and use tables, made into industry by industry by fixed product sales; thousand USD."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from tiva.errors import ReaderError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers.eora import DISCREPANCY, FACTORS, FINAL_DEMAND
from tiva.readers.grids import (
    NO_ROWS_NOTE,
    RESIDUAL_NOTE,
    ValueAddedChoice,
    balancing_row,
    check_choice,
    check_year,
    guarded,
    iso3,
    members,
    pick,
    read_csv,
    read_grid,
    refuse,
)
from tiva.readers.grouping import Grouping, Groups
from tiva.readers.registry import Reader
from tiva.readers.sheets import Grid, read_sheets, text
from tiva.readers.source import Source
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

_PART = re.compile(r"_([TVY])-Results_(\d{4})_(\d{3})_Markup(\d{3})\(full\)\.csv$")
_README = re.compile(r"GLORIA_ReadMe(?:_\w+)?\.xlsx$", re.IGNORECASE)
GLORIA_LICENCE = "academic, non-commercial use; see the release notes"
GLORIA_CITATION = "Lenzen et al. (2022), Nature Sustainability 5: 157-166"
_BASIC = 1
"""Number of the sheet of basic prices; 2 to 5 hold trade margins, transport margins, taxes and subsidies on products,
which are no tables of their own."""


def read_gloria(
    source: Source,
    *,
    year: int | None = None,
    value_added: ValueAddedChoice = "residual",
    unit: Literal["thousand USD", "million USD"] = "thousand USD",
    labels: str | Path | None = None,
    countries: Groups | None = None,
    sectors: Groups | None = None,
    memory_gib: float = 16.0,
) -> IcioTable:
    """Read GLORIA supply and use matrices as an industry-by-industry table.

    The sales of each product of a region, U and y, are shared among the industries of the region by their shares in
    its supply, D = V diag(q)^-1 with q = 1'V: Z = D U and Y = D y (fixed product sales structure, model D of the
    Eurostat manual of supply, use and input-output tables, 2008, chapter 11).

    The files have neither labels nor totals. A line that is shifted puts numbers outside the blocks of supply and use,
    and is refused; a cell that was changed, or a line of Y that is shifted, cannot be seen.

    Parameters
    ----------
    source
        Folder or archive with the T, Y and V files in basic prices (``Markup001``); read one region at a time.
    year
        Year to take where there are several.
    value_added
        ``"published"``: the sum of the rows of V; output less inputs less value added is the input row
        ``DISCREPANCY``. ``"residual"``: output less intermediate inputs.
    unit
        ``"thousand USD"`` as in the files, or ``"million USD"``.
    labels
        ``GLORIA_ReadMe_0xx.xlsx`` where it is neither in the source nor beside it.
    countries, sectors
        New label -> labels of the file, summed while reading; labels that no group names stay. Country labels are
        ISO 3166-1 alpha-3 codes.
    memory_gib
        Refuse tables that need more while they are read; all 160 countries x 120 industries need about 6.

    Returns
    -------
    IcioTable

    Raises
    ------
    ReaderError
        Missing parts, shapes that do not fit the labels, entries where the layout has none.
    UsageError
        More memory is needed than allowed.
    """
    check_choice("value_added", value_added, ("published", "residual"))
    check_choice("unit", unit, tuple(FACTORS))
    parts, year = _parts(source, year, value_added)
    names = _read_labels(source, labels)
    codes = iso3(names.regions, "GLORIA")
    grouping = Grouping.of([codes[r] for r in names.regions], names.sectors, countries, sectors)
    grouping.check_memory(memory_gib)
    notes = [
        f"numbers of the files (thousand USD) times {FACTORS[unit]:g}",
        "industry by industry by fixed product sales structure",
    ]
    z, y = _flows(source, parts, names, grouping, notes)
    added = _added(source, parts["V"], names, grouping) if value_added == "published" else None
    return _table(source, parts, names, grouping, (z, y, added), unit, year, notes)


@dataclass(frozen=True, slots=True)
class _Names:
    regions: list[str]
    sectors: list[str]
    value_added: list[str]
    final_demand: list[str]


@dataclass(frozen=True, slots=True)
class Account:
    """One satellite account: head indicator, indicator and unit as the ReadMe workbook names them."""

    head: str
    name: str
    unit: str


def is_gloria(source: Source) -> bool:
    """Whether a member is a transaction matrix of GLORIA by its name."""
    return any((m := _PART.search(name)) and m[1] == "T" for name in members(source, ".csv"))


def _parts(source: Source, year: int | None, value_added: ValueAddedChoice) -> tuple[dict[str, str], int | None]:
    found = {name: m for name in members(source, ".csv") if (m := _PART.search(name))}
    flows = [name for name, m in found.items() if m[1] == "T" and int(m[4]) == _BASIC]
    if not flows:
        refuse(
            source,
            "no T matrix in basic prices",
            got=listing(found),
            expected="..._T-Results_YYYY_VVV_Markup001(full).csv",
            do="add the files of Markup001; those of 002 to 005 hold margins, taxes and subsidies",
        )
    member = pick(source, flows, year, "GLORIA T matrix", lambda n: int(found[n][2]))
    parts = {"T": member}
    for part in ("Y", "V"):
        same = [n for n, m in found.items() if m[1] == part and m.groups()[1:] == found[member].groups()[1:]]
        if len(same) == 1:
            parts[part] = same[0]
        elif part == "Y" or value_added == "published":
            got = f"{len(same)} files among {listing(found)}"
            expected = f"one of year {found[member][2]}, version {found[member][3]}, markup {found[member][4]}"
            refuse(source, f"half of a table: the {part} matrix", got=got, expected=expected)
    return parts, check_year(source, member, int(found[member][2]), year)


def _read_labels(source: Source, given: str | Path | None) -> _Names:
    with _readme(source, given) as (readme, member):
        return _names(readme, member, read_sheets(readme, member))


def satellite_labels(source: Source, given: str | Path | None) -> tuple[_Names, list[Account]]:
    """Return the labels of the flows and of the satellite accounts, in file order.

    Parameters
    ----------
    source
        Folder or archive with the satellites.
    given
        The ReadMe workbook, where it is neither there nor beside it.

    Raises
    ------
    ReaderError
        No workbook, or sheets that are not those of the releases.
    """
    with _readme(source, given) as (readme, member):
        sheets = read_sheets(readme, member)
        heads, names, units = (
            [name.strip("' ") for name in _column(readme, member, sheets, "Satellites", header, every=True)]
            for header in ("Sat_head_indicator", "Sat_indicator", "Sat_unit")
        )
        return _names(readme, member, sheets), [Account(*row) for row in zip(heads, names, units, strict=True)]


@contextmanager
def _readme(source: Source, given: str | Path | None) -> Iterator[tuple[Source, str]]:
    """Open the ReadMe workbook: the one given, in the source, or beside it."""
    inside = [name for name in members(source, ".xlsx") if _README.search(name)]
    if given is None and len(inside) == 1:
        yield source, inside[0]
        return
    if given is None:
        beside = sorted(p for p in source.path.parent.glob("GLORIA_ReadMe*.xlsx") if _README.search(p.name))
        if inside or len(beside) != 1:
            refuse(
                source,
                "no label workbook, or more than one",
                got=listing([*inside, *(p.name for p in beside)]) or "none",
                expected="one GLORIA_ReadMe_0xx.xlsx in the source or beside it",
                do="pass labels=PATH",
            )
        given = beside[0]
    path = Path(given)
    if not path.is_file():
        raise ReaderError(explain(f"no such file: {path}", do="pass the path of GLORIA_ReadMe_0xx.xlsx"), path=path)
    with Source(path) as readme:
        yield readme, readme.name


def _column(
    source: Source, member: str, sheets: Mapping[str, Grid], sheet: str, header: str, *, every: bool = False
) -> list[str]:
    """Return the cells below a header: unique ones where filled, or ``every`` one of the lines of the sheet."""
    rows = sheets.get(sheet)
    if not rows or header not in [text(cell) for cell in rows[0]]:
        got = f"sheets {listing(sheets)}" if not rows else f"columns {listing(map(text, rows[0]))}"
        refuse(source, f"no column {header!r} in a sheet {sheet!r}", member=member, got=got)
    at = [text(cell) for cell in rows[0]].index(header)
    found = [text(row[at]) if at < len(row) else "" for row in rows[1:] if any(text(cell) for cell in row)]
    if every:
        if not found or not all(found):
            line = found.index("") + 2 if "" in found else 1
            refuse(source, f"sheet {sheet!r}: column {header!r} has empty cells", member=member, line=line)
        return found
    found = [cell for cell in found if cell]
    if not found or len(set(found)) != len(found):
        refuse(source, f"sheet {sheet!r}: column {header!r} is empty or has duplicates", member=member)
    return found


def _names(source: Source, member: str, sheets: Mapping[str, Grid]) -> _Names:
    def column(sheet: str, header: str) -> list[str]:
        return _column(source, member, sheets, sheet, header)

    both = "Value added and final demand"
    return _Names(
        column("Regions", "Region_acronyms"),
        column("Sectors", "Sector_names"),
        column(both, "Value_added_names"),
        column(both, "Final_demand_names"),
    )


def _blocks(source: Source, member: str, names: _Names, width: int) -> Iterator[FloatArray]:
    """Yield the rows of one region after the other, shape (2 N, width)."""
    step, count = 2 * len(names.sectors), len(names.regions)
    seen = 0
    with guarded(source, member), source.open(member) as handle:
        chunks: Any = read_csv(handle, header=None, chunksize=step, keep_default_na=False)
        for chunk in chunks:
            seen += 1
            if chunk.shape != (step, width) or not all(kind.kind in "if" for kind in chunk.dtypes) or seen > count:
                refuse(
                    source,
                    "a shape that does not fit the labels, or text in a cell",
                    member=member,
                    line=(seen - 1) * step + 1,
                    got=f"{chunk.shape[0]} x {chunk.shape[1]} in region {seen}",
                    expected=f"{step} lines for each of {count} regions, {width} numbers each",
                )
            values = chunk.to_numpy(dtype=np.float64)
            if not np.isfinite(values).all():
                line = (seen - 1) * step + int(np.argwhere(~np.isfinite(values))[0][0]) + 1
                refuse(source, "a cell that is not a finite number", member=member, line=line)
            yield values
    if seen != count:
        refuse(source, "half of a table", member=member, got=f"{seen} regions", expected=f"{count}")


def _flows(
    source: Source, parts: dict[str, str], names: _Names, grouping: Grouping, notes: list[str]
) -> tuple[FloatArray, FloatArray]:
    """Return intermediate flows (m, m) and final demand (m, G·C), summed into the groups."""
    n, regions, c = len(names.sectors), len(names.regions), len(names.final_demand)
    m, groups = len(grouping.areas) * len(grouping.sectors), len(grouping.areas)
    z, y = np.zeros((m, m)), np.zeros((m, groups * c))
    summing = grouping.matrix()
    final_at = (grouping.area_of[:, None] * c + np.arange(c)).reshape(-1)
    flows = _blocks(source, parts["T"], names, regions * 2 * n)
    demand = _blocks(source, parts["Y"], names, regions * c)
    unmade = 0.0
    for r, (block, final) in enumerate(zip(flows, demand, strict=True)):
        cells = block.reshape(2, n, regions, 2, n)
        make = cells[0, :, r, 1, :]
        use = cells[1, :, :, 0, :].reshape(n, regions * n)
        outside = np.count_nonzero(block) - np.count_nonzero(make) - np.count_nonzero(use)
        if outside or final[:n].any():
            _refuse_elsewhere(source, parts, names, r, cells, final)
        supply = make.sum(axis=0)
        share = np.divide(make, supply, out=np.eye(n), where=supply != 0)
        unmade += float(np.abs(use[supply == 0]).sum() + np.abs(final[n:][supply == 0]).sum())
        rows = np.zeros((len(grouping.sectors), n))
        np.add.at(rows, grouping.sector_of, share)
        at = slice(grouping.area_of[r] * len(grouping.sectors), (grouping.area_of[r] + 1) * len(grouping.sectors))
        z[at] += (summing @ (rows @ use).T).T
        np.add.at(y[at].T, final_at, (rows @ final[n:]).T)
    if unmade:
        notes.append(f"sales of {unmade:g} of products without supply were given to the industry of the same name")
    return z, y


def _refuse_elsewhere(
    source: Source, parts: dict[str, str], names: _Names, region: int, cells: FloatArray, final: FloatArray
) -> NoReturn:
    """Refuse entries outside the blocks of supply and use, by the line of the first."""
    n = len(names.sectors)
    rest = cells.copy()
    rest[0, :, region, 1, :] = 0.0
    rest[1, :, :, 0, :] = 0.0
    stray = np.flatnonzero(rest.reshape(2 * n, -1).any(axis=1))
    part = "T" if len(stray) else "Y"
    row = int(stray[0]) if len(stray) else int(np.flatnonzero(final[:n].any(axis=1))[0])
    refuse(
        source,
        "not a supply and use layout",
        member=parts[part],
        line=region * 2 * n + row + 1,
        got=f"{np.count_nonzero(rest) + np.count_nonzero(final[:n])} entries of {names.regions[region]} elsewhere",
        expected="industries supply products of their region, products are used by industries and final demand",
        do="compare the file with its publisher's: cells of this line may be shifted",
    )


def _added(source: Source, member: str, names: _Names, grouping: Grouping) -> FloatArray:
    n, regions, k = len(names.sectors), len(names.regions), len(names.value_added)
    grid = read_grid(source, member, separator=",", header_lines=0, label_columns=0, width=regions * 2 * n)
    if len(grid.values) != regions * k:
        got, expected = f"{len(grid.values)} rows", f"{regions} regions x {k} rows"
        refuse(source, "a shape that does not fit the labels", member=member, got=got, expected=expected)
    total = grid.values.sum(axis=0).reshape(regions, 2, n)
    stray = np.flatnonzero(grid.values.reshape(-1, regions, 2, n)[:, :, 1].any(axis=(1, 2)))
    if len(stray):
        refuse(
            source,
            "value added in product columns",
            member=member,
            line=int(stray[0]) + 1,
            got=f"{len(stray)} lines with entries there",
            expected="value added of industries only",
            do="compare the file with its publisher's: cells of these lines may be shifted",
        )
    added: FloatArray = grouping.matrix() @ total[:, 0].reshape(-1)
    return added


def _table(
    source: Source,
    parts: dict[str, str],
    names: _Names,
    grouping: Grouping,
    flows: tuple[FloatArray, FloatArray, FloatArray | None],
    unit: str,
    year: int | None,
    notes: list[str],
) -> IcioTable:
    z, y, added = flows
    factor = FACTORS[unit]
    z *= factor
    y *= factor
    others = {}
    if added is not None:
        added = added * factor
        others[DISCREPANCY], note = balancing_row(z.sum(axis=1) + y.sum(axis=1), z.sum(axis=0), added, DISCREPANCY)
        notes.append(note)
    else:
        notes.append(RESIDUAL_NOTE if "V" in parts else f"{NO_ROWS_NOTE} (no V matrix beside {parts['T']})")
    match = _PART.search(parts["T"])
    return IcioTable.from_arrays(
        z,
        y,
        countries=grouping.areas,
        sectors=grouping.sectors,
        final_demand_categories=[FINAL_DEMAND.get(c.split()[-1], c) for c in names.final_demand],
        value_added=added,
        other_inputs=others,
        year=year,
        unit=unit,
        currency="USD",
        provenance=Provenance(
            source="GLORIA",
            edition="" if match is None else f"{match[3]} markup {match[4]}",
            files=tuple(source.describe_file(name) for name in parts.values()),
            reader="gloria",
            licence=GLORIA_LICENCE,
            citation=GLORIA_CITATION,
            notes=tuple(notes),
        ),
    )


READERS = (Reader("gloria", "GLORIA supply and use csv with their ReadMe workbook", is_gloria, read_gloria),)
