"""Exact sums of a table over groups of countries and sectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiva.errors import GroupError, UnknownLabelError, explain, listing
from tiva.kernels.arrays import FloatArray, IntArray, frozen
from tiva.table.icio_table import OtherInput

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from tiva.table.icio_table import IcioTable
    from tiva.table.provenance import Provenance

Groups = Mapping[str, Sequence[str] | str]


def aggregate(table: IcioTable, *, countries: Groups, sectors: Groups) -> IcioTable:
    """Sum a table over groups; see :meth:`tiva.IcioTable.aggregate`."""
    new_countries, country_of = assign("country", table.countries, countries)
    new_sectors, sector_of = assign("sector", table.sectors, sectors)
    areas, area_of, area_countries = _areas(table, new_countries, country_of, countries)
    notes = [
        f"{kind} aggregated: {len(old)} to {len(new)}"
        for kind, old, new in (
            ("countries", table.countries, new_countries),
            ("sectors", table.sectors, new_sectors),
        )
        if len(old) != len(new)
    ]
    return _summed(table, areas, area_of, area_countries, new_countries, country_of, new_sectors, sector_of, notes)


def merge_areas(table: IcioTable) -> IcioTable:
    """Sum the parts of split countries; see :meth:`tiva.IcioTable.merge_split_countries`."""
    same = np.arange(len(table.countries))
    sectors = np.arange(len(table.sectors))
    note = [f"split countries merged: {listing(table.split_countries)}"] if table.split_countries else []
    return _summed(
        table,
        table.countries,
        table.area_country_index,
        table.countries,
        table.countries,
        same,
        table.sectors,
        sectors,
        note,
    )


def assign(kind: str, labels: tuple[str, ...], groups: Groups) -> tuple[tuple[str, ...], IntArray]:
    """Give each label its group.

    Returns
    -------
    tuple
        New labels in order of their first member, and for each old label the position of its new one.
    """
    target: dict[str, str] = {}
    for name, members in groups.items():
        listed = (members,) if isinstance(members, str) else tuple(members)
        if not listed:
            raise GroupError(explain(f"{kind} group {name!r} is empty", do="name its members or leave it out"))
        for member in listed:
            if member not in labels:
                raise UnknownLabelError(kind, member, labels)
            if member in target:
                raise GroupError(explain(f"{kind} {member!r} is in two groups", got=f"{target[member]!r} and {name!r}"))
            target[member] = name
    for label in labels:
        if label not in target and label in groups:
            raise GroupError(
                explain(
                    f"{kind} group {label!r} has the name of a {kind} that is not its member",
                    do=f"add {label!r} to the group or rename the group",
                )
            )
    new = tuple(dict.fromkeys(target.get(label, label) for label in labels))
    position = {name: i for i, name in enumerate(new)}
    return new, np.array([position[target.get(label, label)] for label in labels], dtype=np.int64)


def _areas(
    table: IcioTable, new_countries: tuple[str, ...], country_of: IntArray, groups: Groups
) -> tuple[tuple[str, ...], IntArray, tuple[str, ...]]:
    """Areas of countries that no group touches stay apart; those of a group become one."""
    grouped = {m for members in groups.values() for m in ((members,) if isinstance(members, str) else members)}
    position = {c: i for i, c in enumerate(table.countries)}
    names, owners = [], []
    for area, country in zip(table.areas, table.area_countries, strict=True):
        new = new_countries[country_of[position[country]]]
        names.append(new if country in grouped else area)
        owners.append(new)
    areas = tuple(dict.fromkeys(names))
    owner = dict(zip(names, owners, strict=True))
    index = {name: i for i, name in enumerate(areas)}
    return areas, np.array([index[name] for name in names], dtype=np.int64), tuple(owner[a] for a in areas)


def _summed(
    table: IcioTable,
    areas: tuple[str, ...],
    area_of: IntArray,
    area_countries: tuple[str, ...],
    countries: tuple[str, ...],
    country_of: IntArray,
    sectors: tuple[str, ...],
    sector_of: IntArray,
    notes: list[str],
) -> IcioTable:
    row_of = (area_of[:, None] * len(sectors) + sector_of[None, :]).reshape(-1)
    rows = _membership(row_of, len(areas) * len(sectors))
    absorbers = _membership(country_of, len(countries))
    categories = len(table.final_demand_categories)
    z = rows @ (rows @ table.intermediate).T
    f = (rows @ table.final_demand.reshape(table.n, -1)).reshape(-1, len(table.countries), categories)
    f = np.einsum("kg,ngc->nkc", absorbers.toarray(), f)
    # Absorbers follow the order of countries among the new areas, as in every table.
    merged = tuple(dict.fromkeys(area_countries))
    f = f[:, [countries.index(c) for c in merged], :]

    def other(row: OtherInput) -> OtherInput:
        final = row.final
        if final is not None:
            final = (absorbers @ final)[[countries.index(c) for c in merged]]
        return OtherInput(frozen(rows @ row.intermediate), None if final is None else frozen(final))

    return table.replace(
        intermediate=frozen(np.ascontiguousarray(z.T)),
        final_demand=frozen(np.ascontiguousarray(f)),
        value_added=frozen(rows @ table.value_added),
        output=frozen(rows @ table.output),
        areas=areas,
        area_countries=area_countries,
        countries=merged,
        sectors=sectors,
        other_inputs={name: other(row) for name, row in table.other_inputs.items()},
        provenance=_with_rounding(table.provenance, np.bincount(row_of)).noting(*notes),
    )


def _with_rounding(provenance: Provenance, members: IntArray) -> Provenance:
    """Amounts by which the members of a group are known to be off add up; shares of output do not."""
    amount, share = provenance.rounding
    return replace(provenance, rounding=(amount * int(members.max()), share)) if amount else provenance


def _membership(position: IntArray, size: int) -> csr_array:
    from scipy.sparse import csr_array

    ones: FloatArray = np.ones(len(position))
    return csr_array((ones, (position, np.arange(len(position)))), shape=(size, len(position)))
