"""Tables of a plan, read as their sections declare, and what is wrong with them by line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiva.batch.positions import Path, Position, Positions
from tiva.batch.shapes import Shape, called
from tiva.errors import suggest


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Say that a name is not known, and which one may be meant."""
    close = suggest(name, known)
    hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known) or 'none'}"
    return f"unknown {kind} {name!r}{hint}"


class Problems:
    """Mistakes in the order of the text."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.found: list[tuple[Position, str]] = []
        self._secrets: set[Position] = set()

    def add(self, path: Path, message: str, *, value: bool = False) -> None:
        """Note a mistake at a key, or at its value."""
        position = self.positions.value(path) if value else self.positions.key(path)
        if position not in self._secrets and (position, message) not in self.found:
            self.found.append((position, message))

    def add_secret(self, path: Path, message: str, *, value: bool = False) -> None:
        """Note what looks like a secret; nothing else is said about that key or value, which is not to be repeated."""
        self.add(path, message, value=value)
        self._secrets.add(self.positions.value(path) if value else self.positions.key(path))

    def lines(self) -> list[str]:
        """Return ``line:column: message``, sorted by place."""
        return [f"{p.line}:{p.column}: {message}" for p, message in sorted(self.found)]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section.

    Attributes
    ----------
    shape
        What its value may be.
    says
        What it means, for the documentation and for editors.
    default
        Value when it is left out, or wrong.
    needed
        What is said when it is left out; empty for a key that may be.
    shown
        Default as the documentation shows it, where that is not the value itself.
    """

    shape: Shape
    says: str
    default: Any = None
    needed: str = ""
    shown: str = ""

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        found = {"description": self.says, **self.shape.schema()}
        if self.default is None or self.default == ():
            return found
        simple = self.default[0] if isinstance(self.default, tuple) else self.default
        return {**found, "default": simple}

    @property
    def fallback(self) -> str:
        """Default as the documentation shows it."""
        if self.needed:
            return "needed"
        if self.shown:
            return self.shown
        value = self.schema().get("default", "")
        return (
            str(value).lower()
            if isinstance(value, bool)
            else f"`{value}`"
            if isinstance(value, str) and value
            else str(value)
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A table ``[name]``, or one of a list ``[[name]]``.

    Attributes
    ----------
    keys
        Its own keys.
    sections, lists
        Tables and lists of tables below it.
    rules
        Further keywords of JSON schema: which keys go together.
    """

    keys: Mapping[str, Key]
    sections: Mapping[str, Section] | None = None
    lists: Mapping[str, Section] | None = None
    rules: Mapping[str, Any] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every key that may stand in it."""
        return (*self.keys, *(self.sections or {}), *(self.lists or {}))

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        properties = {name: key.schema() for name, key in self.keys.items()}
        properties |= {name: section.schema() for name, section in (self.sections or {}).items()}
        properties |= {
            name: {"type": "array", "items": section.schema()} for name, section in (self.lists or {}).items()
        }
        needed = [name for name, key in self.keys.items() if key.needed]
        return {
            "type": "object",
            "properties": properties,
            **({"required": needed} if needed else {}),
            "additionalProperties": False,
            **(self.rules or {}),
        }


class Fields:
    """One table of a plan; mistakes in its own keys are noted at once, those of tables below when these are taken.

    Parameters
    ----------
    given
        The parsed table.
    section
        What may stand in it.
    path
        Its place in the plan.
    problems
        Where mistakes go.
    """

    def __init__(self, given: Mapping[str, Any], section: Section, path: Path, problems: Problems) -> None:
        self._given = given
        self._section = section
        self.path = path
        self.problems = problems
        self._values = {name: self._read(name, key) for name, key in section.keys.items()}
        for name in given:
            if name not in section.names:
                problems.add(self.at(name), unknown("key", name, section.names))

    def _read(self, name: str, key: Key) -> Any:
        if name not in self._given:
            if key.needed:
                self.problem("", key.needed)
            return key.default
        wrong = [(inner, f"{name}: {said}") for inner, said in key.shape.mistakes(self._given[name])]
        for inner, said in wrong:
            self.problems.add((*self.at(name), *inner), said, value=True)
        return key.default if wrong else key.shape.value(self._given[name])

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def given(self, name: str) -> Any:
        """Return what the plan says, as it stands there."""
        return self._given.get(name)

    def items(self, name: str) -> list[tuple[Path, Any]]:
        """Return the values of a key that may be one or a list, with their places; nothing when it is left out."""
        given = self._given.get(name)
        if isinstance(given, list):
            return [((*self.at(name), place), item) for place, item in enumerate(given)]
        return [] if given is None else [(self.at(name), given)]

    def present(self, *names: str) -> dict[str, Any]:
        """Return the values of the keys that are not left out."""
        return {name: self[name] for name in names or self._section.keys if self[name] is not None}

    def at(self, name: str) -> Path:
        """Return the place of a key of this table, of the table itself for ``""``."""
        return (*self.path, name) if name else self.path

    def problem(self, name: str, message: str, *, value: bool = False) -> None:
        """Note a mistake about a key of this table."""
        said = f"{name}: {message}" if name else message
        self.problems.add(self.at(name), said, value=value and bool(name))

    def table(self, name: str) -> Fields:
        """Return a table below this one, empty when left out."""
        given = self._given.get(name, {})
        if not isinstance(given, dict):
            self.problem(name, f"must be a table, not {called(given)}; write [{name}]", value=True)
            given = {}
        return Fields(given, (self._section.sections or {})[name], self.at(name), self.problems)

    def tables(self, name: str) -> list[Fields]:
        """Return the tables of a list ``[[name]]``."""
        given = self._given.get(name, [])
        if not isinstance(given, list) or not all(isinstance(v, dict) for v in given):
            self.problem(name, f"must be a list of tables; write [[{name}]]")
            return []
        section = (self._section.lists or {})[name]
        return [Fields(item, section, (*self.at(name), index), self.problems) for index, item in enumerate(given)]
