"""What other tools call the terms: a dictionary as data.

The rows lie in ``data/vocabulary.csv``. A row says what a tool calls sums of our terms in one of its outputs, for which
method and options, and at which levels the two are equal. Names that have no equal here are rows too, with the reason.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

from tiva.errors import UnknownLabelError

OURS = "tiva"
"""The vocabulary of this package."""

TOOLS: dict[str, str] = {
    "kww": "Koopman, Wang and Wei (2014), the nine terms of the paper",
    "wwz": "Wang, Wei and Zhu (2013, rev. 2018), the sixteen terms of the paper",
    "decompr": "decompr (R)",
    "exvatools": "exvatools (R)",
    "stata": "icio (Stata)",
    "icio": "icio (R)",
    "gvcjl": "GlobalValueChains.jl (Julia)",
    "gvcanalyzer": "gvcAnalyzer (R)",
    "gvc": "gvc (R)",
    "ksreyes": "mrio-processing (Asian Development Bank, Python)",
    "oecd": "OECD trade in value added indicators",
}
"""Vocabularies of others, and whose they are."""

_PART = re.compile(r"([+-]?)\s*(\d+(?:\.\d+)?)?\s*([A-Za-z_]\w*)\s*")

Sum = tuple[tuple[float, str], ...]
"""Weights and terms."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A sum of terms, or such a sum over another.

    Attributes
    ----------
    above, below
        Weights and terms of the numerator, and of the denominator where there is one.
    """

    above: Sum
    below: Sum = ()

    @classmethod
    def of(cls, text: str) -> Formula:
        """Read a formula such as ``"mva_fin + ova_fin"``, ``"100 dc / gexp"`` or ``"(gvc_pf - gvc_pb) / gvc"``.

        Raises
        ------
        ValueError
            A text that is none.
        """
        above, _, below = (part.strip() for part in text.partition("/"))
        return cls(_sum(above), _sum(below) if below else ())

    @property
    def codes(self) -> tuple[str, ...]:
        """The terms in it."""
        return tuple(dict.fromkeys(code for _, code in (*self.above, *self.below)))

    def value(self, terms: Mapping[str, Any]) -> Any:
        """Return its value from arrays or columns; missing where a denominator is zero."""
        above = _added(self.above, terms)
        if not self.below:
            return above
        below = _added(self.below, terms)
        return above / below.where(below != 0)


def _sum(text: str) -> Sum:
    text = text.removeprefix("(").removesuffix(")")
    parts = [m.groups() for m in _PART.finditer(text)]
    if not parts or "".join(m.group(0) for m in _PART.finditer(text)).strip() != text.strip():
        raise ValueError(text)
    return tuple(((-1.0 if sign == "-" else 1.0) * float(weight or 1.0), code) for sign, weight, code in parts)


def _added(parts: Sum, terms: Mapping[str, Any]) -> Any:
    total: Any = None
    for weight, code in parts:
        value = terms[code] if weight == 1.0 else weight * terms[code]
        total = value if total is None else total + value
    return total


@dataclass(frozen=True)
class Entry:
    """One name of another tool.

    Attributes
    ----------
    tool, output, name
        Key of :data:`TOOLS`; what of it returns the name; the name, ``"a + b"`` where only the sum of two of its names
        is ours.
    method, perspective, approach, perimeter
        Options of ours for which it holds; an option that is not there does not matter.
    level
        Levels at which the two are equal; at every one where there is none.
    expression
        Our terms; empty where there is no equal.
    remark
        What to bear in mind; the reason where there is no equal.
    """

    tool: str
    output: str
    name: str
    method: tuple[str, ...]
    perspective: tuple[str, ...]
    approach: tuple[str, ...]
    perimeter: tuple[str, ...]
    level: tuple[str, ...]
    expression: str
    remark: str

    @cached_property
    def formula(self) -> Formula:
        """The expression, read."""
        return Formula.of(self.expression)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the tool that are added up."""
        return tuple(part.strip() for part in self.name.split("+"))

    def fits(self, options: Mapping[str, str]) -> bool:
        """Whether a result of ours with these options is meant; an option that its method does not know fits."""
        names = ("method", "perspective", "approach", "perimeter")
        return all(
            not allowed or not value or value in allowed
            for allowed, value in ((getattr(self, name), options.get(name, "")) for name in names)
        )

    def at(self, level: str) -> bool:
        """Whether it holds at a level."""
        return not self.level or level in self.level

    def describe(self) -> str:
        """Return the options for which it holds, in a few words: ``"bm exporter sink at level country"``."""
        options = (self.method, self.perspective, self.approach, self.perimeter)
        level = f"at level {'|'.join(self.level)}" if self.level else ""
        return " ".join([*("|".join(values) for values in options if values), *([level] if level else [])])


@cache
def vocabulary() -> tuple[Entry, ...]:
    """Return every name of the dictionary, our own coarse terms as sums of the finer ones included."""
    text = resources.files("tiva.data").joinpath("vocabulary.csv").read_text(encoding="utf-8")
    return tuple(entry for row in csv.DictReader(text.splitlines()) for entry in _entries(row))


def _entries(row: Mapping[str, str]) -> list[Entry]:
    options = ("method", "perspective", "approach", "perimeter", "level")
    several = {name: tuple(row[name].split()) for name in options}
    made = []
    for tool in row["tool"].split():
        for item in row["names"].split(";"):
            name, _, expression = (part.strip() for part in item.partition("="))
            made.append(Entry(tool, row["output"], name, expression=expression, remark=row["remark"], **several))
    return made


def known_tool(tool: str, *, ours: bool = False) -> str:
    """Return the name of a vocabulary.

    Raises
    ------
    UnknownLabelError
        There is none of that name.
    """
    known = (OURS, *TOOLS) if ours else tuple(TOOLS)
    if tool not in known:
        raise UnknownLabelError("vocabulary", tool, known)
    return tool


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
    >>> [entry.expression for entry in lookup("DVA_INTrex", "kww") if "wwz" in entry.method]
    ['dva_intrexf + dva_intrexi2']
    """
    chosen = TOOLS if tool is None else {known_tool(tool)}
    rows = [entry for entry in vocabulary() if entry.tool in chosen]
    wanted = name.casefold()

    def has(entry: Entry) -> bool:
        ours = entry.formula.codes if entry.expression else ()
        return wanted in (word.casefold() for word in (*entry.parts, *ours))

    found = tuple(entry for entry in rows if has(entry))
    if not found:
        words = (word for e in rows for word in (*e.parts, *(e.formula.codes if e.expression else ())))
        raise UnknownLabelError("term", name, tuple(dict.fromkeys(words)))
    return found
