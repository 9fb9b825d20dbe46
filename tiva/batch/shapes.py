"""What the value of a key of a plan may be: the parser asks for its mistakes, editors for its JSON schema.

Both come from one declaration (:mod:`tiva.batch.keys`), so that they cannot differ.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tiva.errors import suggest

Mistake = tuple[tuple[str | int, ...], str]
"""Place inside the value, and what is wrong there."""

MAX_YEARS = 1000
"""Years in one range; more is a slip of the pen."""

LABEL = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""What may stand in a file name."""

YEARS = r"^\s*(\d{4})\s*-\s*(\d{4})\s*$"


def called(value: object) -> str:
    """Return how messages call the type of a parsed value."""
    names = {bool: "true or false", str: "a text", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), f"a {type(value).__name__}")


def as_label(text: str) -> str:
    """Return a text with what may not stand in a file name replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "unnamed"


class Shape(ABC):
    """What a value may be."""

    @property
    @abstractmethod
    def words(self) -> str:
        """Its type as the documentation names it."""

    @abstractmethod
    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong with a parsed value; nothing when it fits."""

    def value(self, value: Any) -> Any:
        """Return a value that fits in the form that the plan keeps."""
        return value

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""


def _must_be(what: str, value: object) -> list[Mistake]:
    return [((), f"must be {what}, not {called(value)}")]


@dataclass(frozen=True, slots=True)
class Boolean(Shape):
    """``true`` or ``false``."""

    @property
    def words(self) -> str:
        """Its type as the documentation names it."""
        return "true or false"

    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong."""
        return [] if isinstance(value, bool) else _must_be("true or false", value)

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"type": "boolean"}


def _is_finite(value: float) -> bool:
    """Whether a number has a place among floats, which whole numbers of TOML need not have."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


@dataclass(frozen=True, slots=True)
class Number(Shape):
    """A finite number within bounds.

    Attributes
    ----------
    whole
        Whether it has to be a whole number.
    least, most
        Bounds that belong to it.
    above
        Bound that does not.
    only
        The only values that it may have.
    said
        What is said about one out of bounds.
    """

    whole: bool = False
    least: float | None = None
    most: float | None = None
    above: float | None = None
    only: tuple[int, ...] = ()
    said: str = "must be a finite number"

    @property
    def words(self) -> str:
        """Its type as the documentation names it."""
        if self.only:
            return ", ".join(map(str, self.only))
        return "whole number" if self.whole else "number"

    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return _must_be("a whole number" if self.whole else "a number", value)
        within = (
            _is_finite(value)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (not self.only or value in self.only)
        )
        return [] if within else [((), self.said)]

    def value(self, value: Any) -> Any:
        """Return a whole number as it is, another one as a float."""
        return value if self.whole else float(value)

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        bounds = {"minimum": self.least, "maximum": self.most, "exclusiveMinimum": self.above}
        found: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        found |= {name: bound for name, bound in bounds.items() if bound is not None}
        return {**found, "enum": list(self.only)} if self.only else found


@dataclass(frozen=True, slots=True)
class Text(Shape):
    """A text.

    Attributes
    ----------
    kind
        Its type as the documentation names it.
    pattern, said
        A regular expression for the whole of it, in the syntax that Python and ECMA 262 share, and what is said where
        it does not match.
    check, unsafe
        Says what else is wrong with it, and the part of that which a schema can ask for: what may not be found in it.
    known, reserved
        Values that it may have, and may not have, for the schema; the parser asks where it can say more about them.
    """

    kind: str = "text"
    pattern: str = ""
    said: str = ""
    check: Callable[[str], str | None] | None = None
    unsafe: str = ""
    known: Callable[[], Sequence[str]] | None = None
    reserved: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Its type as the documentation names it."""
        return self.kind

    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong."""
        if not isinstance(value, str):
            return _must_be("a text in quotes", value)
        said = self.check(value) if self.check else None
        if said is None and self.pattern and not re.fullmatch(self.pattern, value):
            said = self.said.format(repr(value))
        return [((), said)] if said else []

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        refused: list[dict[str, Any]] = [{"pattern": self.unsafe}] if self.unsafe else []
        refused += [{"enum": list(self.reserved)}] if self.reserved else []
        return {
            "type": "string",
            **({"pattern": self.pattern} if self.pattern else {}),
            **({"enum": list(self.known())} if self.known else {}),
            **({"not": {"anyOf": refused}} if refused else {}),
        }


def label(*reserved: str) -> Text:
    """Return the shape of a name that may stand in a file name."""
    return Text("name", LABEL, "may hold letters, digits, '.', '_' and '-' only", reserved=reserved)


@dataclass(frozen=True, slots=True)
class Choice(Shape):
    """One of some texts."""

    allowed: tuple[str, ...]

    @property
    def words(self) -> str:
        """Its type as the documentation names it."""
        return ", ".join(f"`{name}`" for name in self.allowed)

    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong."""
        if not isinstance(value, str):
            return _must_be("a text in quotes", value)
        if value in self.allowed:
            return []
        close = suggest(value, self.allowed)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return [((), f"{value!r} is not one of {', '.join(self.allowed)}{hint}")]

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"type": "string", "enum": list(self.allowed)}


@dataclass(frozen=True, slots=True)
class Several(Shape):
    """One value or a list of them, each once."""

    item: Shape

    @property
    def words(self) -> str:
        """Its type as the documentation names it."""
        return f"{self.item.words}, or a list"

    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong."""
        if not isinstance(value, list):
            return self.item.mistakes(value)
        if not value:
            return [((), "must not be an empty list")]
        found = [((i, *at), said) for i, v in enumerate(value) for at, said in self.item.mistakes(v)]
        return found or [((i,), f"{v!r} is there twice") for i, v in enumerate(value) if v in value[:i]]

    def value(self, value: Any) -> tuple[Any, ...]:
        """Return the values as a tuple."""
        return tuple(self.item.value(v) for v in (value if isinstance(value, list) else [value]))

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        item = self.item.schema()
        return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}]}


_SOME_YEARS = Several(Number(whole=True))


@dataclass(frozen=True, slots=True)
class Years(Shape):
    """``2000``, ``[1995, 2000]`` or ``"1995-2011"``."""

    @property
    def words(self) -> str:
        """Its type as the documentation names it."""
        return '`2000`, `[1995, 2000]`, `"1995-2011"`'

    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong."""
        if isinstance(value, str):
            return [] if self._range(value) else [((), f'{value!r} is not a range of years such as "1995-2011"')]
        return _SOME_YEARS.mistakes(value)

    @staticmethod
    def _range(text: str) -> range:
        found = re.fullmatch(YEARS, text)
        years = range(int(found[1]), int(found[2]) + 1) if found else range(0)
        return years if len(years) <= MAX_YEARS else range(0)

    def value(self, value: Any) -> tuple[int, ...]:
        """Return the years as a tuple."""
        return tuple(self._range(value)) if isinstance(value, str) else _SOME_YEARS.value(value)

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"anyOf": [*_SOME_YEARS.schema()["anyOf"], {"type": "string", "pattern": YEARS}]}


@dataclass(frozen=True, slots=True)
class Table(Shape):
    """A table of values of one shape under any labels; of any values when there is no shape."""

    inner: Shape | None = None

    @property
    def words(self) -> str:
        """Its type as the documentation names it."""
        return "table" if self.inner is None else f"label = {self.inner.words}"

    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong."""
        return list(self._mistakes(value)) if isinstance(value, dict) else _must_be("a table", value)

    def _mistakes(self, value: dict[str, Any]) -> Iterator[Mistake]:
        for name, given in value.items():
            if not name.strip():
                yield (name,), "a label must not be empty"
            elif self.inner is not None:
                yield from (((name, *at), f"{name}: {said}") for at, said in self.inner.mistakes(given))

    def value(self, value: Any) -> dict[str, Any]:
        """Return its values in the form that the plan keeps."""
        return dict(value) if self.inner is None else {name: self.inner.value(given) for name, given in value.items()}

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        found: dict[str, Any] = {"type": "object", "propertyNames": {"pattern": r"\S"}}
        return found if self.inner is None else {**found, "additionalProperties": self.inner.schema()}


@dataclass(frozen=True, slots=True)
class Either(Shape):
    """A text of one shape, or a table of another."""

    text: Shape
    table: Table

    @property
    def words(self) -> str:
        """Its type as the documentation names it."""
        return f"{self.text.words}, or {self.table.words}"

    def _shape(self, value: object) -> Shape:
        return self.table if isinstance(value, dict) else self.text

    def mistakes(self, value: object) -> list[Mistake]:
        """Return what is wrong."""
        return self._shape(value).mistakes(value)

    def value(self, value: Any) -> Any:
        """Return it in the form that the plan keeps."""
        return self._shape(value).value(value)

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"anyOf": [self.text.schema(), self.table.schema()]}
