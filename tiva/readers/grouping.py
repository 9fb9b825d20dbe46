"""Summing into groups while reading, for tables that do not fit into memory whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiva.errors import GroupError, UnknownLabelError, UsageError, explain
from tiva.kernels.arrays import FloatArray, IntArray

Groups = Mapping[str, Sequence[str] | str]
"""New label -> labels that it is made of."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """Where each country-sector of a file goes.

    Attributes
    ----------
    areas, sectors
        Labels of the table that is built, new ones in the place of their first member.
    area_of, sector_of
        Position of each area and sector of the file among them.
    """

    areas: tuple[str, ...]
    sectors: tuple[str, ...]
    area_of: IntArray
    sector_of: IntArray

    @classmethod
    def of(
        cls, areas: Sequence[str], sectors: Sequence[str], countries: Groups | None, sector_groups: Groups | None
    ) -> Grouping:
        """Build from the labels of a file and the groups asked for; labels that no group names stay."""
        new_areas, area_of = _assign("country", areas, countries or {})
        new_sectors, sector_of = _assign("sector", sectors, sector_groups or {})
        return cls(new_areas, new_sectors, area_of, sector_of)

    @property
    def target(self) -> IntArray:
        """Shape (n of the file,): row of the table of each country-sector of the file."""
        return (self.area_of[:, None] * len(self.sectors) + self.sector_of[None, :]).reshape(-1)

    def matrix(self) -> Any:
        """Return the sparse matrix (rows of the table, rows of the file) of ones that sums."""
        from scipy import sparse

        target = self.target
        n = len(target)
        shape = (len(self.areas) * len(self.sectors), n)
        return sparse.csr_array((np.ones(n), (target, np.arange(n))), shape=shape)

    def check_memory(self, gib: float) -> None:
        """Raise :class:`~tiva.errors.UsageError` where the flows would need more than ``gib`` GiB, copies included."""
        n = len(self.areas) * len(self.sectors)
        need = 2 * 8 * n * n / 2**30
        if need > gib:
            raise UsageError(
                explain(
                    f"the table is too large: {n:,} country-sectors need {need:.1f} GiB while it is read",
                    expected=f"at most memory_gib={gib:g}",
                    do="pass countries=... or sectors=... to sum into groups while reading, or a larger memory_gib",
                )
            )


def _assign(kind: str, labels: Sequence[str], groups: Groups) -> tuple[tuple[str, ...], IntArray]:
    new: dict[str, str] = {}
    for group, given in groups.items():
        for member in (given,) if isinstance(given, str) else given:
            if member not in labels:
                raise UnknownLabelError(kind, member, tuple(labels))
            if member in new:
                raise GroupError(explain(f"{kind} {member!r} is in two groups", got=f"{new[member]!r} and {group!r}"))
            new[member] = group
    names = [new.get(label, label) for label in labels]
    alone = {label for label in labels if label not in new}
    if alone & set(groups):
        raise GroupError(explain(f"a group is named like a {kind} that is not in it", got=min(alone & set(groups))))
    unique = tuple(dict.fromkeys(names))
    place = {name: i for i, name in enumerate(unique)}
    return unique, np.array([place[name] for name in names], dtype=np.int64)


def add_columns(total: FloatArray, summing: Any, block: FloatArray, start: int) -> None:
    """Add columns ``start ...`` of a file, shape (n of the file, k), to the summed flows in place."""
    rows = summing @ block
    total += (summing[:, start : start + block.shape[1]] @ rows.T).T
