"""A matrix of numbers with labels on both sides: country-sectors, final demand, and rows below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray
from tiva.readers.grids import Axis, Pair, country_major, positions
from tiva.readers.source import Source
from tiva.readers.totals import Places
from tiva.table.icio_table import OtherInput

Placed = Sequence[tuple[int, Pair]]
"""Positions in the matrix with the labels there."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Where the parts of a table stand in a matrix, found by their labels.

    Attributes
    ----------
    values
        Shape (R, K): the matrix.
    axis
        Country-sectors in the order of the table.
    categories
        Codes of final demand.
    rows, users, finals
        Shapes (n,), (n,) and (G·C,): positions of sellers, users and final demand (by absorber, then category).
    below
        Code of each row below the country-sectors -> its position.
    """

    values: FloatArray
    axis: Axis
    categories: tuple[str, ...]
    rows: IntArray
    users: IntArray
    finals: IntArray
    below: Mapping[str, int]

    @classmethod
    def of(
        cls,
        source: Source,
        member: str,
        values: FloatArray,
        rows: Placed,
        columns: Placed,
        below: Mapping[str, int],
        final: Mapping[str, object],
    ) -> Self:
        """Match rows with columns.

        Parameters
        ----------
        source, member
            For messages.
        values
            The matrix.
        rows, columns
            Country-sectors; country-sectors and final demand.
        below
            Rows below.
        final
            Its keys are the codes of final demand.

        Raises
        ------
        ReaderError
            Labels that do not match, or are no full grid.
        """
        axis = country_major(source, [pair for _, pair in rows], what="rows", member=member)
        own = set(axis.sectors)
        users = [(j, pair) for j, pair in columns if pair[1] in own]
        finals = [(j, pair) for j, pair in columns if pair[1] in final]
        categories = tuple(dict.fromkeys(pair[1] for _, pair in finals))

        def places(wanted: list[Pair], found: Placed, what: str) -> IntArray:
            at = positions(source, wanted, [pair for _, pair in found], what=what, member=member)
            return np.array([j for j, _ in found], dtype=np.int64)[at]

        return cls(
            values=values,
            axis=axis,
            categories=categories,
            rows=np.array([i for i, _ in rows], dtype=np.int64)[axis.order],
            users=places(axis.pairs, users, "columns against rows"),
            finals=places([(a, c) for a in axis.areas for c in categories], finals, "final demand columns"),
            below=below,
        )

    def flows(self) -> FloatArray:
        """Shape (n, n)."""
        return self.values[np.ix_(self.rows, self.users)]

    def demand(self) -> FloatArray:
        """Shape (n, G·C)."""
        return self.values[np.ix_(self.rows, self.finals)]

    def paid(self, code: str) -> FloatArray:
        """Shape (n,): a row below, paid by each user."""
        row: FloatArray = self.values[self.below[code], self.users]
        return row

    def other(self, code: str) -> OtherInput:
        """Return a row below with its final demand."""
        final = self.values[self.below[code], self.finals].reshape(len(self.axis.areas), -1)
        return OtherInput(self.paid(code), final)

    def places(self, row: Callable[[int], str] | None, column: Callable[[int], str] | None) -> Places:
        """Name country-sectors, and the places of rows and columns by their positions in the matrix."""
        return Places(
            ["_".join(pair) for pair in self.axis.pairs],
            [] if row is None else [row(i) for i in self.rows.tolist()],
            [] if column is None else [column(j) for j in self.users.tolist()],
        )
