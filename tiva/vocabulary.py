"""What other tools call the terms: a dictionary as data, and results under the names of another tool.

The rows lie in ``data/vocabulary.csv``. One row says which sum of our terms is what a tool calls by a name, for which
method, and at which level the equality holds.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from tiva.errors import UnknownLabelError, UnsupportedCombinationError, UsageError, explain, listing

if TYPE_CHECKING:
    import xarray as xr

TOOLS: dict[str, str] = {
    "kww": "Koopman, Wang and Wei (2014), the nine terms of the paper",
    "decompr": "decompr (R), methods kww and wwz",
    "exvatools": "exvatools (R)",
    "icio": "icio (Stata and R), decompr 7, GlobalValueChains.jl",
    "gvcanalyzer": "gvcAnalyzer (R)",
    "ksreyes": "mrio-processing (Asian Development Bank, Python)",
    "oecd": "OECD trade in value added indicators",
}
"""Vocabularies and whose they are."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of another tool.

    Attributes
    ----------
    tool, name
        Key of :data:`TOOLS`, and its name for the term; ``"a + b"`` where only the sum of two of its terms is ours.
    method, perspective, approach
        Ours; empty where the method does not know the option.
    level
        ``"country"`` where the equality holds for country totals only; empty where it holds at every level.
    expression
        Our terms, added up.
    remark
        What to bear in mind.
    """

    tool: str
    name: str
    method: str
    perspective: str
    approach: str
    level: str
    expression: str
    remark: str

    @property
    def codes(self) -> tuple[str, ...]:
        """Our terms that are added up."""
        return tuple(code.strip() for code in self.expression.split("+"))


@cache
def vocabulary() -> tuple[Entry, ...]:
    """Return every row of the dictionary."""
    text = resources.files("tiva.data").joinpath("vocabulary.csv").read_text(encoding="utf-8")
    return tuple(Entry(**row) for row in csv.DictReader(text.splitlines()))


def lookup(name: str, tool: str | None = None) -> tuple[Entry, ...]:
    """Return the rows in which a tool's name, or one of our terms, occurs.

    Parameters
    ----------
    name
        Such as ``"DVA_INTrexF"`` or ``"fva"``; capitals do not matter.
    tool
        Key of :data:`TOOLS`; all when left out.

    Raises
    ------
    UnknownLabelError
        A tool or name that no row has.

    Examples
    --------
    >>> [entry.expression for entry in lookup("DVA_INTrex", "kww") if entry.method == "wwz"]
    ['dva_intrexf + dva_intrexi2']
    """
    rows = [entry for entry in vocabulary() if tool is None or entry.tool == _known_tool(tool)]
    wanted = name.casefold()
    found = tuple(
        entry
        for entry in rows
        if wanted in entry.codes or wanted in [part.strip().casefold() for part in entry.name.split("+")]
    )
    if not found:
        known = dict.fromkeys([*(entry.name for entry in rows), *(code for entry in rows for code in entry.codes)])
        raise UnknownLabelError("term", name, tuple(known))
    return found


def translate(result: xr.Dataset, to: str) -> xr.Dataset:
    """Return a result under the names of another tool.

    Parameters
    ----------
    result
        What :func:`tiva.decompose` returned.
    to
        Key of :data:`TOOLS`. ``"kww"`` makes the nine terms from the sixteen of Wang, Wei and Zhu.

    Returns
    -------
    xarray.Dataset
        A variable for each name that can be formed from the terms of the result; ``expression`` and ``remark`` in its
        attributes. Names that hold for country totals only are left out at finer levels, and ``notes`` says so.

    Raises
    ------
    UnknownLabelError
        A tool that is not in the dictionary.
    UnsupportedCombinationError
        A method that the tool has no names for.
    UsageError
        If all names hold for country totals only, and the result is finer.

    Examples
    --------
    >>> import tiva
    >>> wwz = tiva.decompose(tiva.example(), method="wwz", level="country")
    >>> list(translate(wwz, "kww").data_vars)[:3]
    ['DVA_FIN', 'DVA_INT', 'DVA_INTrex']
    """
    rows = _rows_for(result, _known_tool(to))
    fitting = [entry for entry in rows if not entry.level or entry.level == result.attrs["level"]]
    if not fitting:
        raise UsageError(
            explain(
                f"the names of {to!r} hold for country totals only",
                got=f"level {result.attrs['level']!r}",
                do="decompose at level 'country' first",
            )
        )
    named: dict[str, xr.DataArray] = {}
    for entry in fitting:
        total = sum((result[code] for code in entry.codes[1:]), result[entry.codes[0]])
        attributes = {"units": result[entry.codes[0]].attrs["units"], "expression": entry.expression}
        if entry.remark:
            attributes["remark"] = entry.remark
        named[entry.name] = total.assign_attrs(attributes)
    left_out = [entry.name for entry in rows if entry not in fitting]
    notes = json.loads(str(result.attrs.get("notes", "[]")))
    if left_out:
        notes.append(f"left out, for country totals only: {listing(left_out)}")
    attributes = {**result.attrs, "vocabulary": to, "notes": json.dumps(notes, ensure_ascii=False)}
    return result.drop_vars(list(result.data_vars)).assign(named).assign_attrs(attributes)


def _known_tool(tool: str) -> str:
    if tool not in TOOLS:
        raise UnknownLabelError("vocabulary", tool, tuple(TOOLS))
    return tool


def _rows_for(result: xr.Dataset, tool: str) -> list[Entry]:
    options = tuple(str(result.attrs.get(name, "")) for name in ("method", "perspective", "approach"))
    rows = [
        entry
        for entry in vocabulary()
        if entry.tool == tool
        and entry.method == options[0]
        and entry.perspective in {"", options[1]}
        and entry.approach in {"", options[2]}
        and all(code in result for code in entry.codes)
    ]
    if rows:
        return rows
    known = dict.fromkeys(
        f"{entry.tool}: method={entry.method} perspective={entry.perspective or '-'} approach={entry.approach or '-'}"
        for entry in vocabulary()
        if entry.tool == tool or entry.method == options[0]
    )
    got = " ".join(
        f"{name}={value}" for name, value in zip(("method", "perspective", "approach"), options, strict=True)
    )
    raise UnsupportedCombinationError(f"{tool!r} has no names for these terms", got=got, supported=tuple(known))
