"""The batch plan that benchmarks run: every method of the catalogue at its finest level, on given tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tiva.terms import Method, methods

FINEST = ("sector-bilateral", "bilateral", "sector", "country")


def plan_text(tables: Sequence[Path], output: Path, chosen: Sequence[str] = ()) -> str:
    """Return a plan in TOML.

    Parameters
    ----------
    tables
        Files.
    output
        Folder for the results.
    chosen
        Only methods with these names; all when left out.
    """
    parts = ["version = 1", "[output]", f"folder = {json.dumps(str(output))}"]
    parts += ["[[tables]]", 'name = "wiod"', f"paths = {json.dumps([str(t) for t in tables])}"]
    for row in methods():
        if not chosen or row.method in chosen:
            parts += _method(row)
    return "\n".join(parts) + "\n"


def _method(row: Method) -> list[str]:
    options = {
        "method": row.method,
        "perspective": row.perspective,
        "approach": row.approach,
        "perimeter": row.perimeter,
        "level": next(level for level in FINEST if level in row.levels),
    }
    lines = ["[[methods]]", *(f"{k} = {json.dumps(v)}" for k, v in options.items() if v)]
    if row.perimeter == "group":
        lines.append('importer = ["DEU", "FRA"]')
    return lines
