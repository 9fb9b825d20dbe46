"""``tiva terms``, ``tiva cite`` and ``tiva env``: what the package knows about itself."""

from __future__ import annotations

import os
import platform
import textwrap
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

from cyclopts import App

from tiva._version import __version__
from tiva.cli.common import SWITCH, Common, aligned, emit, emit_json
from tiva.errors import UnknownLabelError

if TYPE_CHECKING:
    from tiva.terms import Method


LIBRARIES = (
    "numpy", "scipy", "pandas", "xarray", "numba", "h5netcdf", "h5py", "cyclopts", "rich", "python-calamine",
    "pyarrow", "xlsxwriter", "matplotlib", "pooch",
)  # fmt: skip
"""Libraries whose versions ``tiva env`` reports."""

SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER")
"""Environment variables that change speed."""


def register(app: App) -> None:
    """Add the commands."""
    for command in (terms, cite, env):
        app.command(command)


def terms(
    *,
    method: str | None = None,
    tool: str | None = None,
    find: str | None = None,
    json: Annotated[bool, SWITCH] = False,
    common: Common | None = None,  # noqa: ARG001 - accepted everywhere
) -> None:
    """List the terms with their formulas, the combinations of options, and the names that other tools use.

    Parameters
    ----------
    method
        Only this method.
    tool
        Instead of terms, what another tool calls them: kww, wwz, decompr, exvatools, stata, icio (R), gvcjl (Julia),
        gvcanalyzer, gvc, ksreyes, oecd, or all. A dash: no equal here, with the reason.
    find
        Instead, the rows of that dictionary with a name, ours or that of a tool, such as DVA_INTrex.
    json
        JSON instead of text.
    common
        Options of every command.
    """
    from tiva.terms import term
    from tiva.terms import terms as every

    rows = _methods(method)
    if tool is not None or find is not None:
        _dictionary(tool, find, method, json=json)
        return
    known = (term(code, row) for row in rows for code in (*row.terms, *row.detail_terms, *row.partition))
    shown = list(dict.fromkeys(known)) if method is not None else list(every())
    if json:
        emit_json({"terms": [asdict(t) for t in shown], "methods": [asdict(row) for row in rows]})
        return
    emit(aligned(("term", "method", "unit", "name"), [(t.code, t.method, t.unit, t.name) for t in shown]))
    emit("")
    emit(aligned(("term", "formula"), [(t.code, t.formula) for t in shown]))
    emit("\nsupported combinations:")
    for row in rows:
        emit(f"  {row.describe()}{' [detail]' if row.detail_terms else ''}")
        emit(f"    {row.title}")
        parts = f" ({' + '.join(row.partition)} = {row.terms[0]})" if row.partition else ""
        emit(textwrap.fill(f"{' '.join(row.terms)}{parts}", 110, initial_indent="    ", subsequent_indent="    "))
    emit("\nnames of other tools (results under them: tiva decompose --vocabulary TOOL):")
    _dictionary(None, None, method, json=False)


def _dictionary(tool: str | None, find: str | None, method: str | None, *, json: bool) -> None:
    from tiva.vocabulary import TOOLS, lookup, vocabulary

    if tool not in {None, "all", *TOOLS}:
        raise UnknownLabelError("tool", str(tool), ("all", *TOOLS))
    wanted = None if tool == "all" else tool
    entries = vocabulary() if find is None else lookup(find, wanted)
    chosen = [e for e in entries if e.tool in TOOLS and wanted in {None, e.tool} and method in {None, *e.method}]
    if json:
        emit_json([asdict(entry) for entry in chosen])
        return
    emit("\n".join(f"{name:<12}{title}" for name, title in TOOLS.items() if wanted in {None, name}))
    groups: dict[tuple[str, ...], list[str]] = {}
    for e in chosen:
        head = f"{e.tool}, {e.output}: {e.describe()}" if e.expression else f"{e.tool}, {e.output}: no equal"
        names = groups.setdefault((head, e.remark), [])
        names.append(f"{e.name} = {e.expression}" if e.expression else e.name)
    for (head, remark), names in groups.items():
        emit(f"\n{head}")
        for text in ("; ".join(names), *([f"({remark})"] if remark else [])):
            emit(textwrap.fill(text, 110, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False))


def cite(
    *,
    method: str | None = None,
    json: Annotated[bool, SWITCH] = False,
    common: Common | None = None,  # noqa: ARG001 - accepted everywhere
) -> None:
    """Say what to cite: the software, the method and the table.

    Parameters
    ----------
    method
        Only this method.
    json
        JSON instead of text.
    common
        Options of every command.
    """
    software = f"The tiva developers: tiva, version {__version__} (distribution tiva-icio)"
    references: dict[str, list[str]] = {}
    for row in _methods(method):
        seen = references.setdefault(row.method, [])
        if row.reference and row.reference not in seen:
            seen.append(row.reference)
    table = "as `tiva info TABLE` says; each result carries it in its attribute table_citation"
    if json:
        emit_json({"software": software, "methods": references, "table": table})
        return
    emit(f"software\n  {software}\n\nmethod")
    for name, texts in references.items():
        for text in texts:
            emit(textwrap.fill(f"{name}: {text}", 110, initial_indent="  ", subsequent_indent="    "))
    emit(f"\ntable\n  {table}")


def env(
    *,
    json: Annotated[bool, SWITCH] = False,
    common: Common | None = None,  # noqa: ARG001 - accepted everywhere
) -> None:
    """Report versions and settings, for a paper's appendix or a bug report.

    Parameters
    ----------
    json
        JSON instead of text.
    common
        Options of every command.
    """
    facts = {
        "tiva": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": str(os.cpu_count()),
    }
    facts |= {name: _version(name) for name in LIBRARIES}
    facts |= {name: os.environ.get(name, "not set") for name in SETTINGS}
    if json:
        emit_json(facts)
    else:
        width = max(map(len, facts)) + 2
        emit("\n".join(f"{name:<{width}}{value}" for name, value in facts.items()))


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"


def _methods(method: str | None) -> list[Method]:
    from tiva.terms import methods

    every = methods()
    if method is not None and method not in {row.method for row in every}:
        raise UnknownLabelError("method", method, tuple(dict.fromkeys(row.method for row in every)))
    return [row for row in every if method is None or row.method == method]
