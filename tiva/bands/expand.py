"""A banded table written out in full: every flow between band rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiva.bands.preference import preference_scores
from tiva.bands.rows import country_of_rows
from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.segments import segment_sums

if TYPE_CHECKING:
    from tiva.bands.split import BandedTable
    from tiva.table.icio_table import IcioTable


@dataclass(frozen=True, slots=True, eq=False)
class ExpandedTable:
    """All flows of a banded table, over its R band rows.

    Attributes
    ----------
    intermediate
        Shape (R, R): row sells to column, in the unit of the table.
    final_demand
        Shape (R, G, C).
    value_added, output
        Shape (R,).
    row_country, row_sector, row_band
        Shape (R,): positions in the labels of ``banded``.
    start
        Shape (n + 1,): first band row of each country-sector of the source.
    banded
        Where it comes from.
    """

    intermediate: FloatArray
    final_demand: FloatArray
    value_added: FloatArray
    output: FloatArray
    row_country: IntArray
    row_sector: IntArray
    row_band: IntArray
    start: IntArray
    banded: BandedTable

    def aggregate(self) -> IcioTable:
        """Return the sums over bands: the source table again, up to rounding."""
        from tiva.table.icio_table import IcioTable

        source = self.banded.source
        flows = segment_sums(self.start, np.ascontiguousarray(segment_sums(self.start, self.intermediate).T)).T
        return IcioTable.from_arrays(
            flows,
            segment_sums(self.start, self.final_demand),
            countries=source.areas,
            sectors=source.sectors,
            final_demand_categories=source.final_demand_categories,
            split_countries=source.split_countries,
            value_added=segment_sums(self.start, self.value_added),
            output=segment_sums(self.start, self.output),
            other_inputs=source.other_inputs,
            year=source.year,
            unit=source.unit,
            currency=source.currency,
            provenance=source.provenance,
        )


def expand(banded: BandedTable) -> ExpandedTable:
    """Write out all flows of a banded table.

    Parameters
    ----------
    banded
        A table split by firm size.
    """
    return ExpandedTable(
        intermediate=_intermediate(banded),
        final_demand=_final_demand(banded),
        value_added=banded.value_added,
        output=banded.output,
        row_country=banded.row_country,
        row_sector=banded.row_sector,
        row_band=banded.row_band,
        start=banded.split.start,
        banded=banded,
    )


def domestic_flows(banded: BandedTable, country: int) -> FloatArray:
    """Return the flows between the band rows of one country, (R_c, R_c), in the unit of the table.

    Parameters
    ----------
    banded
        A table split by firm size.
    country
        Position of the country in its labels.
    """
    given = banded.domestic_blocks.get(banded.countries[country])
    if given is not None:
        return given
    split = banded.split
    rows = np.flatnonzero(banded.row_country == country)
    segment = split.segment[rows]
    share = split.producers[rows, None] * split.domestic_inputs[rows]
    theta = float(banded.theta[country])
    if theta != 0:
        phi = preference_scores(banded.scores, split.producers, split.start)[rows]
        psi = preference_scores(banded.scores, split.domestic_inputs, split.start)[rows]
        share *= 1 + theta * phi[:, None] * psi
    return np.asarray(banded.source.intermediate[np.ix_(segment, segment)] * share)


def _intermediate(banded: BandedTable) -> FloatArray:
    split = banded.split
    flows = banded.source.intermediate[np.ix_(split.segment, split.segment)]
    flows *= split.exports[:, None]
    flows *= split.imports
    for country in range(len(banded.countries)):
        rows = np.flatnonzero(banded.row_country == country)
        flows[np.ix_(rows, rows)] = domestic_flows(banded, country)
    return flows


def _final_demand(banded: BandedTable) -> FloatArray:
    split = banded.split
    flows = banded.source.final_demand[split.segment] * split.exports[:, None, None]
    flows[np.arange(len(split.segment)), country_of_rows(banded.source)[split.segment]] = home_final_demand(banded)
    return flows


def home_final_demand(banded: BandedTable) -> FloatArray:
    """Return final demand at home by band row and category, (R, C), in the unit of the table.

    Parameters
    ----------
    banded
        A table split by firm size.

    Returns
    -------
    array
        Negative entries (inventories) are spread like all sales at home, the others take the rest in their mix: sums
        over bands are the source table, sums over categories the home final demand of each band.
    """
    split, source = banded.split, banded.source
    home = source.final_demand[np.arange(source.n), country_of_rows(source)]
    negative = np.minimum(home, 0.0)
    positive = np.maximum(home, 0.0)
    nothing = positive.sum(axis=1) == 0
    positive[nothing], negative[nothing] = negative[nothing], 0.0
    fixed = negative[split.segment] * split.home_sales[:, None]
    rest = split.home_final - fixed.sum(axis=1)
    total = positive.sum(axis=1)
    mix = np.divide(positive, total[:, None], out=np.zeros_like(positive), where=total[:, None] != 0)
    return np.asarray(fixed + rest[:, None] * mix[split.segment])
