"""What every table and figure by firm size says of its margins: coverage and status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tiva.errors import listing

if TYPE_CHECKING:
    import xarray as xr

ONE_BY_ONE = 4
"""Exporters with a line each; more share one line."""

STATUSES = ("observed", "derived", "imputed", "assumed")

PROPORTIONAL = "shares in output only (proportional split): the effect of the sector mix, no estimate of who exports"


def coverage_lines(dataset: xr.Dataset, exporters: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the lines below a table or figure by firm size: how much is split, and where the margins come from.

    Parameters
    ----------
    dataset
        A result of a table that is split by firm size; others give no lines.
    exporters
        Exporters shown; those of the dataset, or all, when left out.

    Returns
    -------
    tuple of str
        "% of exports in split sectors" and "% observed margins" (the mean over output, value added, imported inputs
        and exports of the share of the flow whose split is observed), one line an exporter, or one for many.
    """
    found = dataset.attrs.get("coverage_by_exporter")
    if found is None:
        return ()
    known: dict[str, dict[str, float]] = json.loads(str(found))
    if exporters is None:
        exporters = list(known)
        if "exporter" in dataset.coords:
            exporters = [str(label) for label in dataset["exporter"].values.reshape(-1)]
    shown = [c for c in dict.fromkeys(exporters) if c in known]
    split = [c for c in shown if known[c]["split"] > 0]
    whole = [c for c in shown if known[c]["split"] <= 0]
    lines = [PROPORTIONAL] if dataset.attrs.get("split_method") == "proportional" else []
    if 0 < len(split) <= ONE_BY_ONE:
        lines += [f"coverage {c}: {_described(known[c])}" for c in split]
    elif split:
        each = ", ".join(f"{c} {_percent(known[c]['split'])}/{_percent(known[c]['observed'])}" for c in split)
        lines.append(f"coverage, % of exports in split sectors / % observed margins: {each}")
    if whole:
        lines.append(f"not split by size (no margins): {listing(whole, 20)}")
    if split:
        lines.append("all: firms of all sizes in sectors without margins")
    return tuple(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _described(shares: dict[str, float]) -> str:
    parts = ", ".join(f"{_percent(shares[s])} % {s}" for s in STATUSES)
    unsplit = shares["unsplit"]
    return (
        f"{_percent(shares['split'])} % of exports in split sectors; margins {parts}, {_percent(unsplit)} % not split"
    )
