"""Layout and reader options of the tables of a plan, checked against the readers, with the files that options name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiva.batch.fields import Fields, unknown
from tiva.batch.locations import refusal

EVERYWHERE = {"files": ("cache",), "catalogue": ("cache", "offline", "folder")}
"""Options of :func:`tiva.read` and :func:`tiva.open` themselves."""


def reading(fields: Fields, kind: str, root: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """Return the options of a table, and apart from them those that name files, as absolute paths.

    Parameters
    ----------
    fields
        The table of the plan; what is wrong in it is noted.
    kind
        ``"files"`` or ``"catalogue"``.
    root
        Folder of the plan.
    """
    layout, options = fields["layout"], dict(fields["options"])
    if layout is None and not options:
        return {}, {}
    from tiva.readers.registry import readers

    known = {r.name: dict(inspect.signature(r.read).parameters) for r in readers()}
    if layout is not None and layout not in known:
        fields.problem("layout", unknown("layout", layout, tuple(known)), value=True)
        layout = None
    parameters = _together(known if layout is None else {layout: known[layout]})
    allowed = (*parameters, *EVERYWHERE[kind])
    files: dict[str, Path] = {}
    for name, value in list(options.items()):
        at = (*fields.at("options"), name)
        if name not in allowed:
            of = "" if layout is None else f" of layout {layout!r}"
            fields.problems.add(at, f"options: {unknown(f'option{of}', name, allowed)}")
        elif isinstance(value, str) and "Path" in parameters.get(name, ""):
            path = Path(root / options.pop(name)).resolve()
            wrong = refusal(value) or (None if path.exists() else f"no such file: {path}")
            if wrong:
                fields.problems.add(at, f"options: {name}: {wrong}", value=True)
            files[name] = path
    return options, files


def _together(readers: Mapping[str, Mapping[str, inspect.Parameter]]) -> dict[str, str]:
    """Return name -> annotation of the options of some readers; of a name that several have, all annotations."""
    found: dict[str, str] = {}
    for parameters in readers.values():
        for name, parameter in parameters.items():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name != "year":
                found[name] = f"{found.get(name, '')} {parameter.annotation}"
    return found
