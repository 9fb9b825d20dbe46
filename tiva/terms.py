"""The catalogue of terms and methods: names, formulas, references, and which options go together.

The rows lie in ``data/terms.csv`` and ``data/methods.csv``; the router, the error for unsupported combinations, the
attributes of results, the command line and the documentation read the same rows.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from tiva.errors import UnknownLabelError, UnsupportedCombinationError

Level = Literal["country", "sector", "bilateral", "sector-bilateral"]

FRACTIONS = "fractions of one; the OECD publishes percent"
"""Note of results that are shares of the OECD."""

LEVELS: tuple[Level, ...] = ("country", "sector", "bilateral", "sector-bilateral")

ANY_METHOD: tuple[str, ...] = ("taxes_margins", "discrepancy", "content")
"""Terms that any method's results may have, beside its own."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a decomposition.

    Attributes
    ----------
    code
        Variable name in results.
    method
        What the row is about: a method, and options of it where the term means something else there (``bm sink``;
        ``|`` between alternatives); empty for what it means everywhere else.
    name
        Name in words.
    formula
        In the notation of the documentation: V value added per output, B global and L local inverse, Y final demand,
        E exports, ``#`` elementwise product, K_sr = A_sr L_rr.
    unit
        ``"gross flow"`` (unit of the table), ``"flow"`` (the same, or that of the satellite), ``"share"``, ``"ratio"``
        (of flows that may differ in unit), ``"fraction"`` (of two flows of one kind).
    reference
        Paper and equation.
    """

    code: str
    method: str
    name: str
    formula: str
    unit: str
    reference: str


@dataclass(frozen=True, slots=True)
class Method:
    """One supported combination of options.

    Attributes
    ----------
    method, perspective, approach, perimeter
        The options; empty where the method does not know the option.
    levels
        Levels that the theory allows; all are sums of the finest, unless ``additive`` is false.
    terms, detail_terms
        Codes of the terms, and of the finer ones where there are any.
    traced
        Terms that :func:`tiva.origins` knows by origin and absorber.
    partition
        Terms that sum to gross flows.
    additive
        Whether terms may be summed over exporters, sectors and importers.
    function
        ``module:function`` below ``tiva.decompositions``.
    title, reference
        In words; paper.
    """

    method: str
    perspective: str
    approach: str
    perimeter: str
    levels: tuple[str, ...]
    terms: tuple[str, ...]
    detail_terms: tuple[str, ...]
    traced: tuple[str, ...]
    partition: tuple[str, ...]
    additive: bool
    function: str
    title: str
    reference: str

    def describe(self) -> str:
        """Return the options in one line."""
        parts = [f"method={self.method}"]
        for name in ("perspective", "approach", "perimeter"):
            value = getattr(self, name)
            if value:
                parts.append(f"{name}={value}")
        parts.append(f"level={'|'.join(self.levels)}")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Question:
    """A research question, and the options that answer it.

    Attributes
    ----------
    question
        In words.
    method, perspective, approach, perimeter, level
        Options of :func:`tiva.decompose`; empty where not needed.
    options
        Further words of the command: the flows that are looked at, in labels of the embedded table.
    terms
        Codes to look at.
    remark
        What to bear in mind.
    """

    question: str
    method: str
    perspective: str
    approach: str
    perimeter: str
    level: str
    options: str
    terms: tuple[str, ...]
    remark: str

    def call(self) -> str:
        """Return the command that answers it, without options that are chosen anyway."""
        names = ("method", "perspective", "approach", "perimeter", "level")
        given = {name: getattr(self, name) for name in names if getattr(self, name)}
        chosen = find_method(**given)
        for name in reversed(names):
            if name == "perimeter" and self.perspective in {"self", "importer"}:
                continue
            fewer = {key: value for key, value in given.items() if key != name}
            if fewer.get("level", "country") == self.level and find_method(**{"method": "bm"} | fewer) == chosen:
                given = fewer
        words = [f"--{name} {value}" for name, value in given.items()]
        return " ".join(filter(None, ["tiva decompose", *words, self.options]))


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("tiva.data").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def terms() -> tuple[Term, ...]:
    """Return every term of the catalogue."""
    return tuple(Term(**row) for name in ("terms.csv", "size_indicators.csv") for row in _rows(name))


@cache
def decomposition_terms() -> tuple[str, ...]:
    """Return the codes of every term that a decomposition may have, each once, in the order of the catalogue."""
    return tuple(dict.fromkeys(row["code"] for row in _rows("terms.csv")))


@cache
def terms_of(method: str) -> tuple[str, ...]:
    """Return the codes of every term that results of a method may have, in the order of the catalogue.

    Parameters
    ----------
    method
        Name of a method, such as ``"bm"``; its perspectives, approaches and finer terms are taken together.
    """
    rows = [row for row in methods() if row.method == method]
    own = {code for row in rows for code in (*row.terms, *row.detail_terms)} | set(ANY_METHOD)
    return tuple(code for code in decomposition_terms() if code in own)


@cache
def methods() -> tuple[Method, ...]:
    """Return every supported combination."""
    return tuple(_method(row) for row in _rows("methods.csv"))


def _method(row: dict[str, str]) -> Method:
    return Method(
        method=row["method"],
        perspective=row["perspective"],
        approach=row["approach"],
        perimeter=row["perimeter"],
        levels=tuple(row["levels"].split()),
        terms=tuple(row["terms"].split()),
        detail_terms=tuple(row["detail_terms"].split()),
        traced=tuple(row["traced"].split()),
        partition=tuple(row["partition"].split()),
        additive=row["additive"] == "true",
        function=row["function"],
        title=row["title"],
        reference=row["reference"],
    )


@cache
def guide() -> tuple[Question, ...]:
    """Return research questions with the level, perspective and approach that answer them."""
    return tuple(
        Question(
            question=row["question"],
            method=row["method"],
            perspective=row["perspective"],
            approach=row["approach"],
            perimeter=row["perimeter"],
            level=row["level"],
            options=row["options"],
            terms=tuple(row["term"].split()),
            remark=row["remark"],
        )
        for row in _rows("guide.csv")
    )


def term(code: str, method: str | Method = "") -> Term:
    """Return the catalogue row of a term that says most about where it is.

    Parameters
    ----------
    code
        Variable name in results.
    method
        A row of the catalogue of methods, or the name of a method.

    Raises
    ------
    UnknownLabelError
        No term has this code.
    """
    if isinstance(method, str):
        known = {method}
    else:
        known = {method.method, method.perspective, method.approach, method.perimeter}
    fitting = [
        row for row in terms() if row.code == code and all(known & set(w.split("|")) for w in row.method.split())
    ]
    if not fitting:
        raise UnknownLabelError("term", code, sorted({row.code for row in terms()}))
    return max(fitting, key=lambda row: len(row.method.split()))


def find_method(
    method: str,
    *,
    perspective: str | None = None,
    approach: str | None = None,
    perimeter: str | None = None,
    level: str = "country",
    detail: bool = False,
) -> Method:
    """Return the row for a combination of options; options left out take the first that fits.

    Parameters
    ----------
    method, perspective, approach, perimeter, level
        Values of the columns of the catalogue; ``None`` for any.
    detail
        Whether the row must know finer terms.

    Raises
    ------
    UnknownLabelError
        An option value that no method knows.
    UnsupportedCombinationError
        Values that exist but not together; lists the combinations that do.
    """
    every = methods()
    _known("method", method, [row.method for row in every])
    _known("level", level, LEVELS)
    rows = [row for row in every if row.method == method]
    given = {"perspective": perspective, "approach": approach, "perimeter": perimeter}
    for name, value in given.items():
        if value is not None:
            _refuse_other_option(name, value, rows)
            _known(name, value, [getattr(row, name) for row in every if getattr(row, name)])
    fitting = [
        row
        for row in rows
        if level in row.levels
        and all(value is None or getattr(row, name) == value for name, value in given.items())
        and (not detail or row.detail_terms)
    ]
    if not fitting:
        got = " ".join(
            f"{name}={value}" for name, value in {"method": method, **given, "level": level}.items() if value
        )
        supported = [row.describe() + (" [detail]" if row.detail_terms else "") for row in rows]
        raise UnsupportedCombinationError(
            "these options do not go together", got=got + (" detail" if detail else ""), supported=supported
        )
    return fitting[0]


def _refuse_other_option(name: str, value: str, rows: Sequence[Method]) -> None:
    """Refuse what is a value of another option, such as the perspective ``sectexp`` of Stata's icio."""
    if any(getattr(row, name) == value for row in methods()):
        return
    for other in ("perspective", "approach", "perimeter"):
        fitting = [row.describe() for row in rows if getattr(row, other) == value]
        if fitting:
            raise UnsupportedCombinationError(
                f"{value!r} is a value of {other}, not of {name}", got=f"{name}={value}", supported=fitting
            )


def _known(kind: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UnknownLabelError(kind, value, tuple(dict.fromkeys(known)))
