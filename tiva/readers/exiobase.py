"""EXIOBASE 3 (industry by industry and product by product): tab-separated text in a folder or zip, million EUR."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np

from tiva.errors import SingularTableError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers._wiod import TAXES
from tiva.readers.grids import (
    NO_ROWS_NOTE,
    RESIDUAL_NOTE,
    Axis,
    Pair,
    ValueAddedChoice,
    check_choice,
    check_year,
    country_major,
    guarded,
    header_of,
    iso3,
    members,
    positions,
    read_grid,
    read_header,
    refuse,
    same_labels,
    years_in,
)
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.readers.totals import PUBLISHED_ROUNDING, Gaps, Places, Totals, check_gaps_option, check_totals
from tiva.table.icio_table import IcioTable, OtherInput
from tiva.table.provenance import Provenance

TAX_ROW = "Taxes less subsidies on products"
"""How the row of taxes less subsidies on products begins; it is no value added."""

EXPORTS = "Exports"
"""How the category begins that is empty in a table of all regions."""

VALUE_ADDED: tuple[str, ...] = ("Other net taxes on production", "Compensation of employees", "Operating surplus")
"""How the rows of value added begin; each of the three must be there."""

UNITS: Mapping[str, tuple[str, str]] = {"M.EUR": ("million EUR", "EUR"), "Mill USD": ("million USD", "USD")}
"""Unit in the file -> unit and currency of the table; others are kept as they are."""

EXIOBASE_LICENCE = (
    "up to release 3.8: CC BY-SA 4.0; from 3.9 on: non-commercial (CC BY-NC-SA 4.0 with further terms), "
    "see LICENSE.txt of the release"
)
EXIOBASE_CITATION = "Stadler et al. (2018), EXIOBASE 3, Journal of Industrial Ecology 22: 502-515"


def read_exiobase(
    source: Source,
    *,
    year: int | None = None,
    value_added: ValueAddedChoice = "residual",
    system: Literal["ixi", "pxp"] | None = None,
    gaps: Gaps = "refuse",
) -> IcioTable:
    """Read an EXIOBASE 3 system.

    Flows are those of ``Z.txt``; where there is none, coefficients of ``A.txt`` times output. Output is that of
    ``x.txt``; where there is none, it solves x = A x + y.

    Parameters
    ----------
    source
        Folder or archive with ``A.txt`` or ``Z.txt``, ``Y.txt`` and the extensions.
    year
        Year to take where there are several, and checked against folder and archive names.
    value_added
        ``"published"``: the value-added rows of the extension that has them (``satellite``, ``factor_inputs``, ...);
        taxes less subsidies on products become ``other_inputs``. ``"residual"``: output less intermediate inputs.
    system
        Industries (``"ixi"``) or products (``"pxp"``), where both are there.
    gaps
        ``"refuse"``: rows that miss ``x.txt`` by more than 5 %, or whose cells are shifted by one (where the
        value-added rows show it), are refused by their lines; ``"keep"``: they are kept as they are, with a warning.

    Returns
    -------
    IcioTable
        Regions as ISO 3166-1 alpha-3 codes (rest regions ``WA WL WE WF WM`` as they are); sector and final
        demand labels as in the file.

    Raises
    ------
    ReaderError
        Missing parts, labels or cells that are not those of the layout, with file, line and column.
    """
    check_choice("value_added", value_added, ("published", "residual"))
    if system is not None:
        check_choice("system", system, ("ixi", "pxp"))
    check_gaps_option(gaps)
    root = _root(source, year, system)
    stated = ([*years_in(root.rstrip("/")), *years_in(source.name)] or [0])[0] or None
    names = {name[len(root) :]: name for name in members(source, ".txt") if name.startswith(root)}
    year = check_year(source, root, stated, year)
    return _System(source, root, names).table(year, value_added, gaps)


def _roots(source: Source) -> list[str]:
    """Return the folders (``""`` or ending in a slash) that hold a system."""
    names = set(members(source, ".txt"))
    roots = []
    for name in sorted(names):
        if re.search(r"(?:^|[/!])Y\.txt$", name):
            root = name[: -len("Y.txt")]
            if {root + "A.txt", root + "Z.txt"} & names and header_of(source, name).startswith("region\t\t"):
                roots.append(root)
    return roots


def _recognise(source: Source) -> bool:
    return bool(_roots(source))


def _root(source: Source, year: int | None, system: str | None) -> str:
    roots = _roots(source)
    if len(roots) > 1:
        roots = [r for r in roots if year is None or year in years_in(r.rstrip("/")) or not years_in(r.rstrip("/"))]
        roots = [r for r in roots if system is None or system in r.lower()]
    if len(roots) != 1:
        refuse(
            source,
            f"{len(_roots(source))} systems, {len(roots)} of them fit",
            got=listing(_roots(source)) or source.describe(),
            expected="one folder with Y.txt and A.txt or Z.txt",
            do='pass year=... and system="ixi" or "pxp"',
        )
    return roots[0]


@dataclass(frozen=True, slots=True)
class _System:
    """One folder with the parts of a system."""

    source: Source
    root: str
    names: Mapping[str, str]

    def table(self, year: int | None, value_added: ValueAddedChoice, gaps: Gaps) -> IcioTable:
        notes: list[str] = []
        part = "Z.txt" if "Z.txt" in self.names else "A.txt"
        axis, flows, lines = self._flows(part)
        categories, demand = self._demand(axis)
        output = self._output(axis)
        if part == "A.txt":
            if output is None:
                output = _solve(flows, demand.sum(axis=1))
                notes.append("no x.txt: output solves x = A x + y")
            flows = flows * output
            notes.append("flows are coefficients times output")
        unit = self._unit(axis, notes)
        factors = self._factors(axis, categories, notes, needed=value_added == "published")
        totals = Totals(
            places=Places([" ".join(pair) for pair in axis.pairs], lines),
            intermediate=flows,
            final=demand,
            output=output,
            below=None if factors is None else sum((o.intermediate for o in factors[1].values()), start=factors[0]),
            rounding=PUBLISHED_ROUNDING,
            balanced=False,
            joined=False,
        )
        notes.extend(check_totals(self.source, self.names[part], totals, gaps))
        published, others = factors if factors is not None and value_added == "published" else (None, {})
        if published is None:
            notes.append(RESIDUAL_NOTE if factors is not None else NO_ROWS_NOTE)
        names = iso3(axis.areas, "EXIOBASE3", two_letters=True)
        return IcioTable.from_arrays(
            flows,
            demand,
            countries=[names[a] for a in axis.areas],
            sectors=axis.sectors,
            final_demand_categories=categories,
            value_added=published,
            output=output,
            other_inputs=others,
            year=year,
            unit=unit[0],
            currency=unit[1],
            provenance=self._provenance(part, notes),
        )

    def _flows(self, part: str) -> tuple[Axis, FloatArray, list[str]]:
        """Return country-sectors, their flows, and the lines in which they stand."""
        member = self.names[part]
        columns, rows, flows = self._matrix(part)
        first = self._first(part)
        same_labels(self.source, rows, columns, member=member, place=lambda i: f"line {first + i}")
        axis = country_major(self.source, rows, what="rows", member=member)
        at = positions(self.source, axis.pairs, columns, what="columns against rows", member=member)
        flows = flows if _same(axis.order) and _same(at) else flows[np.ix_(axis.order, at)]
        return axis, flows, [f"line {first + i}" for i in axis.order.tolist()]

    def _provenance(self, part: str, notes: list[str]) -> Provenance:
        used = [n for k, n in self.names.items() if k in (part, "Y.txt", "x.txt", "unit.txt") or k.endswith("/F.txt")]
        return Provenance(
            source="EXIOBASE 3",
            edition=next((s for s in ("ixi", "pxp") if s in f"{self.source.name}/{self.root}".lower()), ""),
            files=tuple(self.source.describe_file(name) for name in used),
            reader="exiobase",
            licence=EXIOBASE_LICENCE,
            citation=EXIOBASE_CITATION,
            notes=tuple(notes),
        )

    def _first(self, part: str) -> int:
        """Return the line of the first row of a matrix."""
        return _header_lines(read_header(self.source, self.names[part], separator="\t", lines=3), 2) + 1

    def _matrix(self, part: str) -> tuple[list[Pair], list[Pair], FloatArray]:
        return _labelled(self.source, self.names[part], 2)

    def _demand(self, axis: Axis) -> tuple[tuple[str, ...], FloatArray]:
        member = self.names["Y.txt"]
        columns, rows, values = self._matrix("Y.txt")
        at = positions(self.source, axis.pairs, rows, what="rows against those of the flows", member=member)
        categories = tuple(dict.fromkeys(c for _, c in columns))
        wanted = [(a, c) for a in axis.areas for c in categories]
        demand = values[np.ix_(at, positions(self.source, wanted, columns, what="columns", member=member))]
        empty = np.array([c.startswith(EXPORTS) for _, c in wanted])
        if demand[:, empty].any():
            row, column = (int(k) for k in np.argwhere((demand != 0) & empty)[0])
            refuse(
                self.source,
                "exports beside the flows to each region",
                member=member,
                got=f"{demand[row, column]:.6g} from {' '.join(axis.pairs[row])} in {' '.join(wanted[column])}",
                expected="zero: what a region sells abroad stands in the columns of the buyers",
                do="compare the file with its publisher's: columns may be shifted",
            )
        return categories, demand

    def _vector(self, part: str) -> tuple[list[Pair], list[str]]:
        """Return labels and last field of a text with one line a country-sector."""
        member = self.names[part]
        with guarded(self.source, member):
            lines = self.source.read_bytes(member).decode("utf-8-sig").splitlines()
        pairs, fields = [], []
        for i, line in enumerate(lines[1:], start=2):
            cells = [cell.strip() for cell in line.split("\t")]
            if line.strip():
                if len(cells) < 3:
                    refuse(self.source, "a short line", member=member, line=i, got=repr(line[:60]), expected="3 cells")
                pairs.append((cells[0], cells[1]))
                fields.append(cells[2])
        return pairs, fields

    def _output(self, axis: Axis) -> FloatArray | None:
        if "x.txt" not in self.names:
            return None
        member = self.names["x.txt"]
        grid = read_grid(self.source, member, separator="\t", header_lines=1, label_columns=2, width=1)
        pairs = [(a, s) for a, s in grid.labels]
        output: FloatArray = grid.values[positions(self.source, axis.pairs, pairs, what="labels", member=member), 0]
        return output

    def _unit(self, axis: Axis, notes: list[str]) -> tuple[str, str]:
        if "unit.txt" not in self.names:
            notes.append("no unit.txt: million EUR is assumed")
            return UNITS["M.EUR"]
        pairs, units = self._vector("unit.txt")
        positions(self.source, axis.pairs, pairs, what="labels", member=self.names["unit.txt"])
        every = sorted(set(units))
        if len(every) != 1:
            got, member = listing(every), self.names["unit.txt"]
            refuse(self.source, "sectors in different units", member=member, got=got, expected="one monetary unit")
        return UNITS.get(every[0], (every[0], every[0].split()[-1] if every[0].split() else ""))

    def _factors(
        self, axis: Axis, categories: tuple[str, ...], notes: list[str], *, needed: bool
    ) -> tuple[FloatArray, dict[str, OtherInput]] | None:
        """Return value added and taxes by name; ``None`` where no extension has them and they are not needed."""
        seen: dict[str, list[str]] = {}
        for key, member in sorted(self.names.items()):
            if not re.search(r"(?:^|/)F\.txt$", key):
                continue
            rows = _factor_rows(self.source, member, axis.pairs)
            seen[key] = list(rows)
            if all(any(label.startswith(group) for label in rows) for group in VALUE_ADDED):
                parts = [row for group in VALUE_ADDED for row in _group(self.source, member, rows, group, notes)]
                final = self._taxes_on_final(key, axis, categories)
                names = [label for label in rows if label.startswith(TAX_ROW)]
                taxes = {
                    (TAXES if len(names) == 1 else label): OtherInput(row, final.get(label))
                    for label, row in rows.items()
                    if label.startswith(TAX_ROW)
                }
                if not taxes:
                    notes.append(f"no row {TAX_ROW!r}")
                return np.sum(parts, axis=0), taxes
        return self._no_factors(seen) if needed else None

    def _no_factors(self, seen: Mapping[str, list[str]]) -> NoReturn:
        refuse(
            self.source,
            "no extension has the value-added rows",
            member=self.root,
            got="; ".join(f"{key}: {listing(rows) or 'none of them'}" for key, rows in seen.items()) or "no F.txt",
            expected=f"rows that begin with {', '.join(map(repr, VALUE_ADDED))}",
            do='get the extension with the factor inputs, or leave value_added="residual"',
        )

    def _taxes_on_final(self, key: str, axis: Axis, categories: tuple[str, ...]) -> dict[str, FloatArray]:
        for part in ("F_Y.txt", "F_hh.txt"):
            name = key[: -len("F.txt")] + part
            if name in self.names:
                wanted = [(a, c) for a in axis.areas for c in categories]
                return _factor_rows(self.source, self.names[name], wanted)
        return {}


def _same(order: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> bool:
    return bool((order == np.arange(len(order))).all())


def _labelled(source: Source, member: str, label_columns: int) -> tuple[list[Pair], list[Pair], FloatArray]:
    """Read a matrix with two header lines (and perhaps one of index names) and label columns at the left."""
    header = read_header(source, member, separator="\t", lines=3)
    lines = _header_lines(header, label_columns)
    if len(header[0]) != len(header[1]) or len(header[0]) <= label_columns or header[0][0] != "region":
        got = f"{len(header[0])} and {len(header[1])} cells, first {header[0][0]!r}"
        refuse(source, "unknown header", member=member, line=1, got=got, expected="region and sector lines, equal")
    columns = list(zip(header[0][label_columns:], header[1][label_columns:], strict=True))
    grid = read_grid(
        source, member, separator="\t", header_lines=lines, label_columns=label_columns, width=len(columns)
    )
    return columns, [(row[0], row[1]) for row in grid.labels], grid.values


def _header_lines(header: list[list[str]], label_columns: int) -> int:
    """Return 3 where a line of index names follows the two header lines, else 2."""
    return 3 if not any(header[2][label_columns:]) else 2


def _factor_rows(source: Source, member: str, wanted: list[Pair]) -> dict[str, FloatArray]:
    """Return the rows of an extension that are taxes or value added; reads line by line, keeps only these."""
    rows: dict[str, FloatArray] = {}
    order = None
    with guarded(source, member), source.open(member) as handle, io.TextIOWrapper(handle, "utf-8-sig") as lines:
        head = [line.rstrip("\r\n").split("\t") for _, line in zip(range(2), lines, strict=False)]
        for number, line in enumerate(lines, start=3):
            label, _, rest = line.rstrip("\r\n").partition("\t")
            if not label.startswith((TAX_ROW, *VALUE_ADDED)):
                continue
            if order is None:
                if len(head) < 2 or len(head[0]) != len(head[1]):
                    refuse(source, "unknown header", member=member, line=1, expected="region and sector lines, equal")
                found = [(a.strip(), b.strip()) for a, b in zip(head[0][1:], head[1][1:], strict=True)]
                order = positions(source, wanted, found, what="columns", member=member)
            if label in rows:
                refuse(source, "a row that was given before", member=member, line=number, got=repr(label))
            rows[label] = row_of_cells(source, member, number, label, rest.split("\t"), len(order))[order]
    return rows


def row_of_cells(
    source: Source, member: str, line: int, label: str, cells: list[str], width: int, *, blank: bool = False
) -> FloatArray:
    """Return the numbers of one row of text, ``width`` of them; others are refused by line, label and column.

    With ``blank``, empty cells are missing values (NaN).
    """
    if len(cells) != width:
        refuse(
            source,
            f"row {label!r}",
            member=member,
            line=line,
            got=f"{len(cells)} cells",
            expected=f"{width} finite numbers",
        )
    values = np.full(width, np.nan)
    for at, cell in enumerate(cells):
        if blank and not cell.strip():
            continue
        try:
            values[at] = float(cell)
        except ValueError:
            what = "text in a cell" if cell.strip() else "an empty cell"
        else:
            if np.isfinite(values[at]):
                continue
            what = "a cell that is not a finite number"
        got = f"{cell[:40]!r} in column {at + 2}"
        refuse(source, f"row {label!r}: {what}", member=member, line=line, got=got, expected="a finite number")
    return values


def _group(
    source: Source, member: str, rows: Mapping[str, FloatArray], start: str, notes: list[str]
) -> list[FloatArray]:
    """Return the rows of a group without counting a total and its parts both."""
    own = {label: row for label, row in rows.items() if label.startswith(start)}
    totals = [label for label in own if label.rstrip().lower().endswith("total")]
    if not totals or len(own) == 1:
        return list(own.values())
    parts = np.sum([row for label, row in own.items() if label not in totals], axis=0)
    gap = float(np.abs(own[totals[0]] - parts).max())
    if len(totals) > 1 or gap > 1e-3 * max(1.0, float(np.abs(parts).max())):
        got = f"{listing(own)}; largest gap {gap:g}"
        refuse(source, f"rows {start!r}: total and parts differ", member=member, got=got)
    notes.append(f"{start}: the total was taken, its {len(own) - 1} parts were not added to it")
    return [own[totals[0]]]


def _solve(coefficients: FloatArray, demand: FloatArray) -> FloatArray:
    from scipy.linalg import LinAlgError, solve

    system = -coefficients
    system[np.diag_indices_from(system)] += 1.0
    try:
        found: FloatArray = solve(system, demand, overwrite_a=True, check_finite=False)
    except LinAlgError as error:
        raise SingularTableError(explain("output cannot be computed: I - A is singular")) from error
    return found


READERS = (Reader("exiobase", "EXIOBASE 3 ixi and pxp, folder or zip of text files", _recognise, read_exiobase),)
