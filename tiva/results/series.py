"""Results of several years as one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tiva.errors import LabelError, UsageError, explain, listing
from tiva.results.closure import RESIDUAL, STATED

if TYPE_CHECKING:
    import xarray as xr

_OF_A_YEAR = ("table", "table_sha256", "provenance")
"""Attributes of a year's table; lists with one item a year in a series."""


def join_years(results: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join results of different years along a dimension ``year``.

    Parameters
    ----------
    results
        Results of the same method at the same level, one a year.

    Returns
    -------
    xarray.Dataset
        Sorted by year. ``identity_residual`` and ``discrepancy_share`` are the largest; attributes of single years
        become lists.

    Raises
    ------
    UsageError
        No results, a result without a year, a year twice, or different methods or units.
    LabelError
        Results whose labels differ.
    """
    import xarray as xr

    if not results:
        raise UsageError(explain("no results to join"))
    ordered = sorted(results, key=lambda r: int(r.attrs.get("year", -1)))
    years = [int(r.attrs.get("year", -1)) for r in ordered]
    if min(years) < 0 or len(set(years)) < len(years):
        raise UsageError(explain("results need a year each, and different ones", got=listing(years)))
    first = ordered[0]
    for other in ordered[1:]:
        for key in ("method", "perspective", "approach", "perimeter", "level", "unit"):
            if other.attrs.get(key) != first.attrs.get(key):
                got = f"{first.attrs.get(key)!r} and {other.attrs.get(key)!r}"
                raise UsageError(explain(f"results differ in {key}", got=got, do="join results of one kind"))
    try:
        joined = xr.concat(ordered, xr.Variable("year", years), join="exact", combine_attrs="drop_conflicts",
                           data_vars="all", coords="different", compat="equals")  # fmt: skip
    except ValueError as error:
        raise LabelError(
            explain("the labels of the results differ", got=str(error), do="select or aggregate the same countries")
        ) from error
    joined.attrs |= {key: [str(r.attrs.get(key, "")) for r in ordered] for key in _OF_A_YEAR if key in first.attrs}
    title = f"{first.attrs.get('title', '')} to {years[-1]}"
    joined.attrs |= {"title": title, "years": years, "notes": _notes(ordered)}
    joined.attrs.pop("year", None)
    for name in (RESIDUAL, STATED):
        joined.attrs.pop(name, None)
        shares = [float(r.attrs[name]) for r in ordered if name in r.attrs]
        joined.attrs |= {name: max(shares)} if shares else {}
    return joined


def _notes(results: Sequence[xr.Dataset]) -> str:
    """JSON list of the notes of all years; those that not all years share begin with their year."""
    by_year = {int(r.attrs["year"]): json.loads(r.attrs.get("notes", "[]")) for r in results}
    shared = [note for note in next(iter(by_year.values())) if all(note in notes for notes in by_year.values())]
    own = [f"{year}: {note}" for year, notes in by_year.items() for note in notes if note not in shared]
    return json.dumps([*shared, *own], ensure_ascii=False)
