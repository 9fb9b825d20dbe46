"""The multi-country input-output table: labelled, checked, frozen."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from tiva.errors import BalanceWarning, CellError, LabelError, ShapeError, explain, listing
from tiva.kernels.arrays import FloatArray, IntArray, as_matrix_layout, frozen
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import xarray as xr

    from tiva.table.checks import BalanceReport

BALANCE_TOLERANCE = 1e-6
"""Relative to output, for sources of which no rounding is known (``provenance.rounding``): sums in another order differ
by 1e-12, and larger gaps than this are contradictions worth a word."""

ValueAddedKind = Literal["residual", "published"]


@dataclass(frozen=True, slots=True, eq=False)
class OtherInput:
    """One row between intermediate use and value added: taxes less subsidies, margins, adjustments.

    Attributes
    ----------
    intermediate
        Shape (n,), paid by each producing country-sector, in the unit of the table.
    final
        Shape (G, C), paid on final demand by absorber and category, or ``None`` where the source has none.
    """

    intermediate: FloatArray
    final: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class IcioTable:
    """A multi-country (inter-country) input-output table, immutable.

    Rows and columns run over *areas* and, within an area, over sectors (country-major order). An area is a country,
    or a part of one that the publisher keeps apart (China's processing exporters ``CN2``): ``area_countries`` says
    whose. All U areas have the same N sectors, n = U·N. Final demand is by absorbing *country*, G of them.

    Build one with :meth:`from_arrays` or :func:`tiva.read`.

    Attributes
    ----------
    intermediate
        Shape (n, n): row country-sector sells to column country-sector, in ``unit``.
    final_demand
        Shape (n, G, C): row country-sector sells to absorber for category.
    value_added
        Shape (n,).
    output
        Shape (n,), gross output.
    areas, area_countries
        Shape (U,): label of each area, and the country that it belongs to.
    countries
        G labels in order of first appearance among the areas.
    sectors
        N labels.
    final_demand_categories
        C labels.
    other_inputs
        Rows between intermediate use and value added, by name; empty where value added is the residual.
    value_added_kind
        ``"residual"``: output less all inputs, so that it holds taxes and margins too; ``"published"``: as given.
    unit, currency
        Unit of all flows, such as ``"million USD"`` and ``"USD"``.
    year
        Reference year or ``None``.
    provenance
        Source, files with checksums, licence, notes.
    """

    intermediate: FloatArray
    final_demand: FloatArray
    value_added: FloatArray
    output: FloatArray
    areas: tuple[str, ...]
    area_countries: tuple[str, ...]
    countries: tuple[str, ...]
    sectors: tuple[str, ...]
    final_demand_categories: tuple[str, ...]
    other_inputs: Mapping[str, OtherInput]
    value_added_kind: ValueAddedKind
    unit: str
    currency: str
    year: int | None
    provenance: Provenance

    @classmethod
    def from_arrays(
        cls,
        intermediate: ArrayLike,
        final_demand: ArrayLike,
        *,
        countries: Sequence[str],
        sectors: Sequence[str],
        final_demand_categories: Sequence[str] = ("final demand",),
        value_added: ArrayLike | None = None,
        output: ArrayLike | None = None,
        other_inputs: Mapping[str, OtherInput | ArrayLike] | None = None,
        split_countries: Mapping[str, str] | None = None,
        absorbers: Sequence[str] | None = None,
        year: int | None = None,
        unit: str = "million USD",
        currency: str = "USD",
        provenance: Provenance | None = None,
    ) -> IcioTable:
        """Build a table from arrays in country-major order.

        Parameters
        ----------
        intermediate
            Shape (n, n), n = number of ``countries`` times number of ``sectors``; row sells to column.
        final_demand
            Shape (n, G·C), columns by absorber and within an absorber by category; or (n, G, C).
        countries
            Labels of the row areas in data order (split parts such as ``CN1`` included).
        sectors
            Labels of the sectors, the same for every area, in data order.
        final_demand_categories
            Labels of the C categories.
        value_added
            Shape (n,); ``None``: output less all inputs.
        output
            Shape (n,); ``None``: row sums of both kinds of use.
        other_inputs
            Rows between intermediate use and value added, by name.
        split_countries
            Which areas are parts of which country, e.g. ``{"CN1": "CHN", "CN2": "CHN"}``.
        absorbers
            Labels of the final-demand blocks in data order, where it differs from that of the countries;
            blocks are matched by label.
        year, unit, currency, provenance
            Description of the data.

        Returns
        -------
        IcioTable

        Raises
        ------
        LabelError
            Duplicate or missing labels.
        ShapeError
            Arrays that do not fit the labels.
        CellError
            Cells that are NaN or infinite.

        Warns
        -----
        BalanceWarning
            Given output or value added contradicts the flows; nothing is changed.
        """
        from tiva.table.checks import require_finite_sums

        areas = _labels("country", countries)
        sector_labels = _labels("sector", sectors)
        categories = _labels("final demand category", final_demand_categories)
        area_countries = tuple((split_countries or {}).get(a, a) for a in areas)
        for part in split_countries or {}:
            if part not in areas:
                raise LabelError(explain(f"split_countries names {part!r}, which is not among the countries"))
        merged = tuple(dict.fromkeys(area_countries))
        n = len(areas) * len(sector_labels)
        z = _cells("intermediate", intermediate, (n, n), areas, sector_labels)
        f = _final_demand(final_demand, n, merged, categories, absorbers, areas, sector_labels)
        others = _other_inputs(other_inputs, n, len(merged), len(categories))
        with np.errstate(over="ignore", invalid="ignore"):
            x = z.sum(axis=1) + f.sum(axis=(1, 2)) if output is None else _vector("output", output, n)
            other_total = np.sum([o.intermediate for o in others.values()], axis=0) if others else np.zeros(n)
            residual = x - z.sum(axis=0) - other_total
        require_finite_sums(x, residual, [f"{area}.{sector}" for area in areas for sector in sector_labels])
        va = residual if value_added is None else _vector("value_added", value_added, n)
        table = cls(
            intermediate=frozen(z),
            final_demand=frozen(f),
            value_added=frozen(va),
            output=frozen(x),
            areas=areas,
            area_countries=area_countries,
            countries=merged,
            sectors=sector_labels,
            final_demand_categories=categories,
            other_inputs=MappingProxyType(others),
            value_added_kind="residual" if value_added is None else "published",
            unit=unit,
            currency=currency,
            year=None if year is None else int(year),
            provenance=provenance or Provenance(),
        )
        if output is not None or value_added is not None:
            warn_of_contradictions(table)
        return table

    @property
    def n(self) -> int:
        """Number of country-sectors, areas times sectors."""
        return len(self.areas) * len(self.sectors)

    @property
    def area_country_index(self) -> IntArray:
        """Shape (U,): position in ``countries`` of each area's country."""
        position = {c: g for g, c in enumerate(self.countries)}
        return np.array([position[c] for c in self.area_countries], dtype=np.int64)

    @property
    def split_countries(self) -> dict[str, str]:
        """Areas that are parts of a country, and the country."""
        return {a: c for a, c in zip(self.areas, self.area_countries, strict=True) if a != c}

    @cached_property
    def final_demand_by_absorber(self) -> FloatArray:
        """Shape (n, G): final demand summed over categories."""
        return frozen(self.final_demand.sum(axis=2))

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over labels and all numbers, hexadecimal: equal if and only if the content is."""
        digest = hashlib.sha256()
        labels = (
            self.areas, self.area_countries, self.sectors, self.final_demand_categories,
            tuple(self.other_inputs), self.value_added_kind, self.unit, self.currency, self.year,
        )  # fmt: skip
        digest.update(repr(labels).encode())
        arrays = [self.intermediate, self.final_demand, self.value_added, self.output]
        for other in self.other_inputs.values():
            arrays.append(other.intermediate)
            if other.final is not None:
                arrays.append(other.final)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def title(self) -> str:
        """Source, edition and year in one short line."""
        parts = (self.provenance.source, self.provenance.edition, "" if self.year is None else str(self.year))
        return " ".join(p for p in parts if p)

    def check(self) -> BalanceReport:
        """Report balance, negative entries, zero outputs and totals; changes nothing.

        Returns
        -------
        BalanceReport
            Prints as a table; ``report.ok`` says whether rows and columns balance within rounding.
        """
        from tiva.table.checks import check

        return check(self)

    def aggregate(
        self,
        scheme: str | None = None,
        *,
        countries: Mapping[str, Sequence[str] | str] | None = None,
        sectors: Mapping[str, Sequence[str] | str] | None = None,
    ) -> IcioTable:
        """Return the table with countries and sectors summed into groups.

        Parameters
        ----------
        scheme
            A sector scheme to sum to, such as ``"common28"``; see :meth:`to_sectors`.
        countries, sectors
            New label -> labels that it is made of. Labels that no group names stay as they are. New labels take the
            place of their first member.

        Returns
        -------
        IcioTable
            Sums are exact: every aggregate flow is the sum of its parts.

        Raises
        ------
        UnknownLabelError
            A member that does not exist.
        GroupError
            An empty group, a label in two groups, or a new label that collides with one left alone.
        """
        from tiva.table.aggregation import aggregate

        table = self if scheme is None else self.to_sectors(scheme)
        return aggregate(table, countries=countries or {}, sectors=sectors or {})

    def to_sectors(self, scheme: str, *, from_scheme: str | None = None) -> IcioTable:
        """Return the table in another sector scheme, where each sector goes whole into one of the scheme.

        Parameters
        ----------
        scheme
            Target, such as ``"icio45"`` or ``"common28"``.
        from_scheme
            Scheme of the table, found from its labels when left out.

        Raises
        ------
        ConcordanceError
            Sectors that would have to be split, or that have no place; all are named.
        """
        from tiva.concordances import to_sectors

        return to_sectors(self, scheme, from_scheme=from_scheme)

    def merge_split_countries(self) -> IcioTable:
        """Return the table with the parts of split countries (CN1 + CN2, MX1 + MX2) summed.

        Results from the split table are better: parts differ in their inputs, which the sum hides.
        """
        from tiva.table.aggregation import merge_areas

        return merge_areas(self)

    def to_xarray(self) -> xr.Dataset:
        """Return the table as a labelled dataset.

        Returns
        -------
        xarray.Dataset
            ``intermediate`` (area, sector, user_area, user_sector), ``final_demand`` (area, sector, absorber,
            category), ``value_added`` and ``output`` (area, sector), and one variable per other input row.
        """
        from tiva.table.native import to_xarray

        return to_xarray(self)

    def save(self, path: str | Path, *, compressed: bool = True) -> Path:
        """Write the table in the native format (netCDF 4, bit-exact), whole or not at all.

        Parameters
        ----------
        path
            File to write, ending in ``.nc``.
        compressed
            Without compression the file takes 8 bytes a cell and opens in a tenth of a second at any size: it is
            mapped into memory.

        Returns
        -------
        pathlib.Path
            The file written.
        """
        from tiva.table.native import save

        return save(self, path, compressed=compressed)

    def replace(self, **changes: Any) -> IcioTable:
        """Return a copy with some fields replaced; the caller answers for consistency."""
        return replace(self, **changes)

    def __repr__(self) -> str:
        split = f", {len(self.areas)} areas" if self.split_countries else ""
        return (
            f"<IcioTable {self.title}: {len(self.countries)} countries{split} x {len(self.sectors)} sectors, "
            f"{len(self.final_demand_categories)} final demand categories, {self.unit}>"
        )

    def _repr_html_(self) -> str:
        rows = {
            "source": self.title,
            "countries": listing(self.countries, limit=8),
            "sectors": listing(self.sectors, limit=8),
            "final demand": listing(self.final_demand_categories, limit=8),
            "other inputs": listing(self.other_inputs) or "none",
            "value added": self.value_added_kind,
            "unit": self.unit,
            "checksum": self.checksum[:16],
        }
        cells = "".join(f"<tr><th style='text-align:left'>{k}</th><td>{v}</td></tr>" for k, v in rows.items())
        return f"<table>{cells}</table>"


def _labels(kind: str, labels: Sequence[str]) -> tuple[str, ...]:
    if isinstance(labels, str):
        raise LabelError(explain(f"{kind} labels must be a sequence of names", got=repr(labels)))
    names = tuple(str(label) for label in labels)
    seen: set[str] = set()
    double = [x for x in names if x in seen or seen.add(x)]  # type: ignore[func-returns-value]
    if double:
        raise LabelError(
            explain(f"duplicate {kind} labels", got=listing(double), do="give each label once, in data order")
        )
    if not names or any(not name.strip() for name in names):
        raise LabelError(explain(f"empty {kind} label or no labels", got=listing(map(repr, names))))
    return names


def _floats(name: str, values: ArrayLike) -> FloatArray:
    """Return a copy as floating-point numbers.

    Raises
    ------
    CellError
        A cell is no number, or rows have different lengths; the first such cell is named.
    """
    try:
        if isinstance(values, np.ndarray) and values.dtype.kind in "cmM":  # cast without an error: complex, times
            raise TypeError(values.dtype)
        return np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        cells = np.array(values, dtype=object)
        place, got = next(((i, x) for i, x in np.ndenumerate(cells) if not _is_number(x)), ((), values))
        at = ", ".join(str(i + 1) for i in place)
        raise CellError(
            explain(
                f"{name} has cells that are not numbers, the first at position ({at})",
                got=repr(got)[:60],
                expected="a real number in each cell, and rows of one length",
                do="convert or fill such cells on purpose",
            )
        ) from error


def _is_number(cell: object) -> bool:
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _own(name: str, values: ArrayLike) -> FloatArray:
    """Return a C-contiguous copy, or the array itself where nobody can write to it."""
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and values.flags.c_contiguous:
        array: Any = values
        while isinstance(array, np.ndarray) and not array.flags.writeable:
            if array.base is None or (isinstance(array, np.memmap) and array.mode == "r"):
                return np.asarray(values)
            array = array.base
    return _floats(name, values)


def _cells(
    name: str, values: ArrayLike, shape: tuple[int, ...], areas: tuple[str, ...], sectors: tuple[str, ...]
) -> FloatArray:
    array = _own(name, values)
    if array.shape != shape:
        raise ShapeError(
            explain(
                f"{name} does not fit the labels",
                got=f"shape {array.shape}",
                expected=f"shape {shape} for {len(areas)} countries x {len(sectors)} sectors",
            )
        )
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))
        rows = [f"{area}.{sector}" for area in areas for sector in sectors]
        row, *rest = (int(i) for i in where[0])
        column = rows[rest[0]] if shape == (len(rows), len(rows)) else ", ".join(str(i + 1) for i in rest)
        raise CellError(
            explain(
                f"{name} has {len(where)} cells that are not finite numbers",
                got=f"{array[tuple(where[0])]} in row {rows[row]}, column {column}",
                do="find out what the missing cells mean and fill them on purpose",
            )
        )
    return array


def _vector(name: str, values: ArrayLike, n: int) -> FloatArray:
    array = _floats(name, values).reshape(-1)
    if array.shape != (n,):
        raise ShapeError(explain(f"{name} does not fit the labels", got=f"length {array.size}", expected=f"{n}"))
    if not np.isfinite(array).all():
        raise CellError(explain(f"{name} has {int((~np.isfinite(array)).sum())} cells that are not finite numbers"))
    return array


def _final_demand(
    values: ArrayLike,
    n: int,
    countries: tuple[str, ...],
    categories: tuple[str, ...],
    absorbers: Sequence[str] | None,
    areas: tuple[str, ...],
    sectors: tuple[str, ...],
) -> FloatArray:
    array = _floats("final_demand", values)
    g, c = len(countries), len(categories)
    if array.ndim == 2 and array.shape == (n, g * c):
        array = array.reshape(n, g, c)
    array = _cells("final_demand", array, (n, g, c), areas, sectors)
    if absorbers is None or tuple(absorbers) == countries:
        return array
    given = _labels("absorber", absorbers)
    if set(given) != set(countries):
        odd = sorted(set(given) ^ set(countries))
        raise LabelError(explain("absorbers of final demand and countries differ", got=listing(odd)))
    return as_matrix_layout(array[:, [given.index(name) for name in countries], :])


def _other_inputs(given: Mapping[str, OtherInput | ArrayLike] | None, n: int, g: int, c: int) -> dict[str, OtherInput]:
    others: dict[str, OtherInput] = {}
    for name, row in (given or {}).items():
        other = row if isinstance(row, OtherInput) else OtherInput(np.asarray(row, dtype=np.float64))
        vector = frozen(_vector(f"other input {name!r}", other.intermediate, n))
        final = other.final
        if final is not None:
            final = np.array(final, dtype=np.float64).reshape(g, c)
            frozen(final)
        others[str(name)] = OtherInput(vector, final)
    return others


def warn_of_contradictions(table: IcioTable) -> None:
    """Issue a :class:`BalanceWarning` where rows or columns do not balance beyond rounding."""
    from tiva.table.checks import balance, contradictions

    found = contradictions(*balance(table))
    if found:
        warnings.warn(
            explain(
                "output, value added and flows contradict each other; the table is kept as given",
                got="; ".join(found),
                do="see table.check(), or leave output or value_added out to have it computed",
            ),
            BalanceWarning,
            stacklevel=3,
        )
