"""Size indicators of one country for many draws of its margins: small batched solves, nothing of the world's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiva.bands.derivation import Margins, Split, derive
from tiva.bands.rows import country_rows
from tiva.bands.shares import MARGINS
from tiva.bands.split import BandedTable
from tiva.bands.totals import FlowTotals
from tiva.errors import BandShareError, UsageError, explain
from tiva.indicators.size_frame import Variables, dataset, ratio, share_of_total
from tiva.kernels.arrays import FloatArray, IntArray, offsets_of
from tiva.kernels.segments import segment_sums

if TYPE_CHECKING:
    import xarray as xr

    from tiva.bands.draws import MarginDraws

_BATCH = 128
"""Draws solved at once: 128 systems of 45 sectors are 2 MB."""


def exports_by_size_draws(table: BandedTable, country: str, draws: MarginDraws) -> xr.Dataset:
    """Return direct and indirect exports of one country by band for every draw of its margins.

    Parameters
    ----------
    table
        The table split by the margins that were drawn around.
    country
        Its label.
    draws
        From :func:`tiva.bands.draws.draw_margins`, for the same table.

    Returns
    -------
    xarray.Dataset
        ``exports_direct export_share dva_direct dva_indirect dva dva_share visibility`` (draw, size) and ``indirect``
        (draw, origin_size, size). Domestic value added through domestic links: it depends on no other country's
        margins. What varies is the margins only, not who buys from whom given them.

    Raises
    ------
    BandShareError
        Draws for other rows than the table's.
    UsageError
        A country whose domestic flows between bands are given, or follow a preference: they would have to be drawn
        too.

    Notes
    -----
    ``Theta_ab = sum_ij v_ia h_ia T_ij delta_jb e_jb E_j``, ``T = (I - A D_dh)^-1 A``: one solve of the size of the
    unsplit country a draw.
    """
    source = table.source
    members, rows = country_rows(source, table.split.start, country)
    _refuse(table, country, draws)
    start = offsets_of(np.diff(table.split.start)[members])
    local = np.ix_(members, members)
    x = source.output[members]
    inverse = np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)
    totals = table.totals.take(members)
    values = [draws.on_rows(name, rows) for name in MARGINS]
    splits = [derive(totals, start, Margins(*(v[k] for v in values)))[0] for k in range(len(draws))]
    band = table.row_band[rows]
    found = _solved(splits, start, source.intermediate[local] * inverse, totals, inverse, band, len(table.bands))
    return _labelled(table, country, found, band)


def _refuse(table: BandedTable, country: str, draws: MarginDraws) -> None:
    if not np.array_equal(draws.shares.band_ptr, table.split.start):
        raise BandShareError(
            explain(
                "draws are of other band rows than the table's",
                got=f"{draws.shares.rows} rows",
                expected=f"{len(table.split.output)} rows",
                do="draw around the shares that the table was split with",
            )
        )
    if country in table.domestic_blocks or table.theta[table.countries.index(country)] != 0:
        raise UsageError(
            explain(
                f"domestic flows between bands of {country} are given or follow a preference",
                do="split the table without domestic_blocks and theta to draw margins",
            )
        )


def _solved(
    splits: list[Split],
    start: IntArray,
    coefficients: FloatArray,
    totals: FlowTotals,
    inverse: FloatArray,
    band: IntArray,
    bands: int,
) -> dict[str, FloatArray]:
    """Solve all draws in batches: arrays (D, K) of direct exports and value added, (D, K, K) of indirect."""
    segment = splits[0].segment
    member = (band[:, None] == np.arange(bands)).astype(np.float64)
    found: dict[str, list[FloatArray]] = {"exports_direct": [], "dva_direct": [], "indirect": []}
    for first in range(0, len(splits), _BATCH):
        batch = splits[first : first + _BATCH]
        value = np.stack([s.value_added_intensity for s in batch]) * (totals.value_added * inverse)[segment]
        exports = np.stack([s.exports for s in batch]) * totals.exports[segment]
        home = np.stack([s.producers for s in batch])
        inputs = np.stack([s.domestic_intensity for s in batch])
        through = segment_sums(start, (inputs * home).T).T
        chain = np.linalg.solve(np.eye(len(inverse)) - coefficients * through[:, None, :], coefficients)
        supplied = _by_sector_and_band(value * home, start, member)
        needed = _by_sector_and_band(inputs * exports, start, member)
        found["indirect"].append(np.einsum("dia,dij,djb->dab", supplied, chain, needed, optimize=True))
        found["exports_direct"].append(exports @ member)
        found["dva_direct"].append((value * exports) @ member)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _by_sector_and_band(rows: FloatArray, start: IntArray, member: FloatArray) -> FloatArray:
    """Return (D, N, K): sums of (D, R) over the rows of each sector, bands apart."""
    return np.asarray(np.add.reduceat(rows[:, :, None] * member, start[:-1], axis=1))


def _labelled(table: BandedTable, country: str, found: dict[str, FloatArray], band: IntArray) -> xr.Dataset:
    absent = ~np.isin(np.arange(len(table.bands)), band)
    direct, exports, indirect = found["dva_direct"], found["exports_direct"], found["indirect"]
    for values in (direct, exports):
        values[:, absent] = np.nan
    indirect[:, absent], indirect[:, :, absent] = np.nan, np.nan
    supplied = np.where(absent, np.nan, np.nansum(indirect, axis=2))
    dva = direct + supplied
    shares = {"export_share": share_of_total(exports), "dva_share": share_of_total(dva)}
    by_band = {"exports_direct": exports, "dva_direct": direct, "dva_indirect": supplied, "dva": dva, **shares}
    by_band["visibility"] = ratio(shares["dva_share"], shares["export_share"])
    variables: Variables = {
        **{code: (("draw", "size"), values) for code, values in by_band.items()},
        "indirect": (("draw", "origin_size", "size"), indirect),
    }
    note = (f"draws of the margins of {country}; who buys from whom given the margins is not varied",)
    return dataset(table.model(), f"Exports of {country} by firm size", variables, note, draw=range(len(dva)))
