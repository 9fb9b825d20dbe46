"""The batch plan that benchmarks run: every method of the catalogue, at its finest level or at every level."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiva.terms import Method, methods

FINEST = ("sector-bilateral", "bilateral", "sector", "country")


def options(chosen: Sequence[str] = (), *, every_level: bool = False) -> list[dict[str, Any]]:
    """Return the options of :func:`tiva.decompose` for every row of the catalogue of methods.

    Parameters
    ----------
    chosen
        Only methods with these names; all when left out.
    every_level
        All levels of a method instead of its finest.
    """
    rows = [row for row in methods() if not chosen or row.method in chosen]
    return [_options(row, level) for row in rows for level in _levels(row, every_level)]


def _levels(row: Method, every_level: bool) -> Sequence[str]:
    finest = next(level for level in FINEST if level in row.levels)
    return row.levels if every_level else (finest,)


def _options(row: Method, level: str) -> dict[str, Any]:
    given: dict[str, Any] = {
        "method": row.method,
        "perspective": row.perspective,
        "approach": row.approach,
        "perimeter": row.perimeter,
        "level": level,
    }
    if row.perimeter == "group":
        given["importer"] = ["DEU", "FRA"]
    return {name: value for name, value in given.items() if value}


def plan_text(tables: Sequence[Path], output: Path, chosen: Sequence[str] = (), *, every_level: bool = False) -> str:
    """Return a plan in TOML.

    Parameters
    ----------
    tables
        Files.
    output
        Folder for the results.
    chosen, every_level
        As for :func:`options`.
    """
    parts = ["version = 1", "[output]", f"folder = {json.dumps(str(output))}"]
    parts += ["[[tables]]", 'name = "wiod"', f"paths = {json.dumps([str(t) for t in tables])}"]
    for given in options(chosen, every_level=every_level):
        parts += ["[[methods]]", *(f"{name} = {json.dumps(value)}" for name, value in given.items())]
    return "\n".join(parts) + "\n"
