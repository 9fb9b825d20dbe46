"""A table split into firm-size bands: the public carrier, and the function that makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from tiva.bands.blocks import check_block_columns, checked_block
from tiva.bands.coverage import coverage_note
from tiva.bands.derivation import Margins, Split, derive
from tiva.bands.feasibility import SHOWN, Feasibility
from tiva.bands.margins import Margins as PublishedMargins
from tiva.bands.prepare import prepare_margins
from tiva.bands.rows import country_of_rows, country_rows, sector_labels
from tiva.bands.shares import UNSPLIT_LABEL
from tiva.bands.totals import FlowTotals
from tiva.errors import BandShareError, InfeasibleMarginsError, UnknownLabelError, UsageError, explain, listing
from tiva.kernels.arrays import FloatArray, IntArray, frozen

if TYPE_CHECKING:
    from tiva.bands.expand import ExpandedTable
    from tiva.bands.model import BandedModel
    from tiva.bands.shares import BandShares
    from tiva.table.checks import BalanceReport
    from tiva.table.icio_table import IcioTable, ValueAddedKind
    from tiva.table.provenance import Provenance

SplitMethod = Literal["two-market", "proportional"]
Infeasible = Literal["refuse", "keep"]


@dataclass(frozen=True, eq=False)
class BandedTable:
    """A multi-country input-output table whose country-sectors are split into firm-size bands.

    Made by :func:`split_by_size`; every function that takes a table takes this too, and returns a ``size`` dimension.
    Flows between bands are never stored: they follow from the source table and the split.

    Attributes
    ----------
    source
        The table that was split.
    shares
        The margins, with status and provenance.
    split
        What follows from them: all shares by band row, residuals included.
    totals
        The two markets of every country-sector.
    feasibility
        Conditions not met and margins that an empty market forced.
    theta
        Shape (G,): strength of the preference between bands at home, by country.
    scores
        Shape (R,): size score of each band row for that preference.
    given_scores
        Scores by label, where they were given.
    domestic_blocks
        Country -> flows between its band rows (R_c, R_c), where they are given rather than derived.
    method
        ``"two-market"`` or ``"proportional"``.
    """

    source: IcioTable
    shares: BandShares
    split: Split
    totals: FlowTotals
    feasibility: Feasibility
    theta: FloatArray
    scores: FloatArray
    given_scores: Mapping[str, float] | None = None
    domestic_blocks: Mapping[str, FloatArray] = field(default_factory=dict)
    method: SplitMethod = "two-market"

    @property
    def countries(self) -> tuple[str, ...]:
        """G labels."""
        return self.source.countries

    @property
    def areas(self) -> tuple[str, ...]:
        """Labels of the row areas."""
        return self.source.areas

    @property
    def sectors(self) -> tuple[str, ...]:
        """N labels."""
        return self.source.sectors

    @cached_property
    def bands(self) -> tuple[str, ...]:
        """Labels of all bands that occur, smallest first; rows that are not split carry the last one, ``"all"``."""
        return band_labels(self.shares)

    @property
    def final_demand_categories(self) -> tuple[str, ...]:
        """C labels."""
        return self.source.final_demand_categories

    @property
    def unit(self) -> str:
        """Unit of all flows."""
        return self.source.unit

    @property
    def currency(self) -> str:
        """Currency of all flows."""
        return self.source.currency

    @property
    def year(self) -> int | None:
        """Reference year."""
        return self.source.year

    @property
    def value_added_kind(self) -> ValueAddedKind:
        """Whether value added is the residual or as published."""
        return self.source.value_added_kind

    @property
    def title(self) -> str:
        """Source, edition and year of the table, and that it is split."""
        return f"{self.source.title} by firm size".strip()

    @cached_property
    def provenance(self) -> Provenance:
        """Provenance of the source table, with notes on the split."""
        notes = [
            f"split by firm size, {self.method} split, {len(self.bands)} bands: {listing(self.bands, 8)}",
            coverage_note(self),
        ]
        if self.theta.any():
            notes.append("preference between bands at home (Sarmanov), theta not zero")
        if self.domestic_blocks:
            notes.append(f"domestic flows between bands given for {listing(self.domestic_blocks)}")
        return self.source.provenance.noting(*notes, *self.feasibility.notes)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over the source table, the split and its options, hexadecimal."""
        digest = hashlib.sha256(self.source.checksum.encode())
        digest.update(repr((self.bands, self.method, tuple(self.domestic_blocks))).encode())
        arrays = [
            self.split.start, self.row_band, self.split.output, self.split.value_added, self.split.imports,
            self.split.exports, self.split.producers, self.theta, self.scores, *self.domestic_blocks.values(),
        ]  # fmt: skip
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @cached_property
    def row_band(self) -> IntArray:
        """Shape (R,): position in ``bands`` of each band row."""
        position = {label: k for k, label in enumerate(self.bands)}
        return np.array([position[label] for label in self.shares.row_label], dtype=np.int64)

    @cached_property
    def row_country(self) -> IntArray:
        """Shape (R,): position in ``countries`` of each band row."""
        return np.asarray(country_of_rows(self.source)[self.split.segment])

    @cached_property
    def row_sector(self) -> IntArray:
        """Shape (R,): position in ``sectors`` of each band row."""
        return np.asarray(self.split.segment % len(self.sectors))

    @property
    def row_labels(self) -> tuple[str, ...]:
        """Shape (R,): area, sector and band of each row, joined by dots."""
        return _row_labels(self.source, self.shares)

    @property
    def output(self) -> FloatArray:
        """Shape (R,): gross output by band row, in the unit of the table."""
        return self.split.output * self.totals.output[self.split.segment]

    @property
    def value_added(self) -> FloatArray:
        """Shape (R,): value added by band row, in the unit of the table."""
        return self.split.value_added * self.source.value_added[self.split.segment]

    def check(self) -> BalanceReport:
        """Report on the source table; the split adds up to it exactly (see :attr:`feasibility` for the split)."""
        return self.source.check()

    def model(
        self,
        *,
        satellite: ArrayLike | None = None,
        satellite_unit: str | None = None,
        groups: Mapping[str, Sequence[str] | str] | None = None,
    ) -> BandedModel:
        """Return the operators of the banded table; see :class:`tiva.BandedModel`.

        Parameters
        ----------
        satellite
            Shape (R,) by band row or (n,) by country-sector: takes the place of value added.
        satellite_unit
            Its unit.
        groups
            Countries that act as one: label -> members.
        """
        from tiva.bands.model import BandedModel

        return BandedModel(self, satellite=satellite, satellite_unit=satellite_unit, groups=groups)

    def to_table(self) -> ExpandedTable:
        """Return all flows between band rows explicitly, for small tables and for checks.

        Returns
        -------
        ExpandedTable
            R rows and columns: at 77 countries, 45 sectors and 4 bands that is 1.5 GB.
        """
        from tiva.bands.expand import expand

        return expand(self)

    def with_shares(self, shares: BandShares) -> BandedTable:
        """Return the table split by other margins, all options kept (domestic blocks too, where their rows remain).

        Parameters
        ----------
        shares
            Margins of the same table.
        """
        return split_by_size(
            self.source,
            shares,
            theta=dict(zip(self.countries, self.theta, strict=True)),
            scores=self.given_scores,
            domestic_blocks=self.domestic_blocks,
            method=self.method,
            infeasible="keep" if self.feasibility.violations else "refuse",
            _totals=self.totals,
        )

    def __repr__(self) -> str:
        return (
            f"<BandedTable {self.title}: {len(self.countries)} countries x {len(self.sectors)} sectors, "
            f"{len(self.split.segment)} rows in bands {listing(self.bands, 6)}, {self.unit}>"
        )


def split_by_size(
    table: IcioTable,
    shares: BandShares | PublishedMargins,
    *,
    theta: float | Mapping[str, float] = 0.0,
    scores: Mapping[str, float] | None = None,
    domestic_blocks: Mapping[str, ArrayLike] | None = None,
    method: SplitMethod = "two-market",
    infeasible: Infeasible = "refuse",
    _totals: FlowTotals | None = None,
) -> BandedTable:
    """Split the country-sectors of a table into firm-size bands.

    Parameters
    ----------
    table
        The table.
    shares
        Reconciled margins of the bands; or published ones from :func:`tiva.read_margins`, which then go through
        :func:`tiva.prepare_margins` with its default options.
    theta
        Preference between bands at home, -1 to 1, for all countries or by country (others 0): above 0 large firms
        buy from large ones more than in proportion. It is not identified by the margins: report a range.
    scores
        Band -> size score for ``theta``; left out: the position in the scheme.
    domestic_blocks
        Country -> domestic flows between its band rows, shape (R_c, R_c), in the unit of the table and the order of
        :attr:`BandedTable.row_labels`: from a survey or tax records. They must add up to the table's domestic flows
        and to the margins; :func:`fit_domestic_block` makes them so. They also give the business-to-business margin
        where ``shares`` does not know it, and override ``theta`` in their country.
    method
        ``"two-market"``: all margins. ``"proportional"``: output shares only, all else in proportion; no estimate of
        anything but the sector mix (it overstates small firms' part in exports), to be asked for by name.
    infeasible
        What to do with margins that would make flows negative: ``"refuse"``, or ``"keep"`` them as they are.

    Returns
    -------
    BandedTable

    Raises
    ------
    BandShareError
        Shares of another table; domestic blocks that do not add up.
    InfeasibleMarginsError
        Margins that would make flows negative, unless ``infeasible="keep"``.
    UsageError
        Margins that amount to a proportional split, which was not asked for; theta beyond one.

    Notes
    -----
    At home ``Z_ij h_ia d_jb (1 + theta phi_ia psi_jb)``, abroad ``Z_ij e_ia m_jb``, where h and d are the residuals of
    each band's row and column. Without ``theta`` it is the maximum-entropy table given the margins. Home final demand
    is split like home sales, or takes the rest where sales to producers are known.
    """
    if isinstance(shares, PublishedMargins):
        shares = prepare_margins(table, shares)
    given = _margins(table, shares, method)
    blocks = {c: frozen(checked_block(table, shares.band_ptr, c, z)) for c, z in (domestic_blocks or {}).items()}
    totals = FlowTotals.of(table) if _totals is None else _totals
    split, report = derive(totals, shares.band_ptr, _with_block_sales(table, shares, totals, given, blocks))
    report = report.labelled(_row_labels(table, shares), sector_labels(table))
    if report.violations and infeasible == "refuse":
        raise InfeasibleMarginsError(
            explain(
                f"margins of {len(report.violations)} band rows would make flows negative",
                got="; ".join(report.describe(v) for v in report.violations[:SHOWN]),
                do='reconcile the margins, or keep them with infeasible="keep"',
            )
        )
    banded = BandedTable(
        source=table,
        shares=shares,
        split=split,
        totals=totals,
        feasibility=report,
        theta=_by_country(table, theta),
        scores=_row_scores(shares, scores),
        given_scores=scores,
        domestic_blocks=MappingProxyType(blocks),
        method=method,
    )
    for country in blocks:
        check_block_columns(banded, country)
    return banded


def _margins(table: IcioTable, shares: BandShares, method: SplitMethod) -> Margins:
    """Return the margins as arrays, if they are this table's and more than output shares."""
    for kind, own, given in (("country", table.areas, shares.areas), ("sector", table.sectors, shares.sectors)):
        if own != given:
            raise BandShareError(
                explain(
                    f"band shares were made for a table with other {kind} labels",
                    got=listing(given),
                    expected=listing(own),
                    do="make them with the table that is to be split",
                )
            )
    s = shares.output
    if method == "proportional":
        return Margins(s, s, s, s, np.full_like(s, np.nan))
    margins = Margins.of(shares)
    others = (margins.value_added, margins.imports, margins.exports)
    split = shares.row_band >= 0
    same = all(bool((values[split] == s[split]).all()) for values in others)
    if split.any() and same and np.isnan(margins.producers[split]).all():
        raise UsageError(
            explain(
                "the margins know output by band only: a proportional split, which is no estimate of who exports",
                expected="exports by band at least; value added, imports and sales to producers as well",
                do='ask for it by name with method="proportional" to see the effect of the sector mix alone',
            )
        )
    return margins


def _row_labels(table: IcioTable, shares: BandShares) -> tuple[str, ...]:
    names = sector_labels(table)
    return tuple(f"{names[i]}.{band}" for i, band in zip(shares.row_table_row, shares.row_label, strict=True))


def _with_block_sales(
    table: IcioTable, shares: BandShares, totals: FlowTotals, margins: Margins, blocks: Mapping[str, FloatArray]
) -> Margins:
    """Take the shares in sales to producers from given domestic blocks, where they are not known otherwise."""
    producers = margins.producers.copy()
    for country, block in blocks.items():
        _, rows = country_rows(table, shares.band_ptr, country)
        segment = shares.row_table_row[rows]
        sold = totals.domestic_intermediate[segment]
        unknown = np.isnan(producers[rows]) & (sold != 0)
        producers[rows[unknown]] = block.sum(axis=1)[unknown] / sold[unknown]
    return replace(margins, producers=producers)


def _by_country(table: IcioTable, theta: float | Mapping[str, float]) -> FloatArray:
    values = np.zeros(len(table.countries))
    if isinstance(theta, Mapping):
        for country, strength in theta.items():
            if country not in table.countries:
                raise UnknownLabelError("country", country, table.countries)
            values[table.countries.index(country)] = strength
    else:
        values[:] = theta
    if not (np.abs(values) <= 1).all():
        raise UsageError(explain("theta must lie between -1 and 1, or flows become negative", got=repr(theta)))
    return frozen(values)


def _row_scores(shares: BandShares, scores: Mapping[str, float] | None) -> FloatArray:
    """Return, shape (R,), the size score of each row: as given by label, or the position in the country's scheme."""
    if scores is None:
        return frozen(np.maximum(shares.row_band, 0).astype(np.float64))
    known = band_labels(shares)
    for label in scores:
        if label not in known:
            raise UnknownLabelError("band", label, known)
    missing = [label for label in known if label not in scores and label != UNSPLIT_LABEL]
    if missing:
        raise UsageError(explain("every band needs a size score", got=f"none for {listing(missing)}"))
    return frozen(np.array([float(scores.get(label, 0.0)) for label in shares.row_label]))


def band_labels(shares: BandShares) -> tuple[str, ...]:
    """Return the labels of all bands that have a row, smallest first; the label of unsplit rows comes last.

    Schemes of different countries are merged: a label new to the list follows the one before it in its own scheme.

    Parameters
    ----------
    shares
        Margins of a table, with the schemes of its countries.
    """
    order: list[str] = []
    for scheme in dict.fromkeys(shares.bands):
        place = 0
        for label in scheme:
            if label not in order:
                order.insert(place, label)
            place = order.index(label) + 1
    present = set(shares.row_label)
    labels = [label for label in order if label in present and label != UNSPLIT_LABEL]
    return tuple(labels) + ((UNSPLIT_LABEL,) if UNSPLIT_LABEL in present else ())
