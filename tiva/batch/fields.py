"""Taking typed values out of a parsed plan, and collecting what is wrong with them by line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from tiva.batch.positions import Path, Position, Positions
from tiva.errors import suggest

MAX_YEARS = 1000
"""Years in one range; more is a slip of the pen."""

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_YEARS = re.compile(r"(\d{4})\s*-\s*(\d{4})")


class Kind(Enum):
    """What a value has to be; the value is how messages call it."""

    TEXT = "a text in quotes"
    INTEGER = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    TABLE = "a table"

    def fits(self, value: object) -> bool:
        """Whether a parsed value is of this kind."""
        if self is Kind.BOOLEAN:
            return isinstance(value, bool)
        if isinstance(value, bool):
            return False
        types: dict[Kind, type | tuple[type, ...]] = {
            Kind.TEXT: str,
            Kind.INTEGER: int,
            Kind.NUMBER: (int, float),
            Kind.TABLE: dict,
        }
        return isinstance(value, types[self])


class Problems:
    """Mistakes in the order of the text."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.found: list[tuple[Position, str]] = []

    def add(self, path: Path, message: str, *, value: bool = False) -> None:
        """Note a mistake at a key, or at its value."""
        position = self.positions.value(path) if value else self.positions.key(path)
        if (position, message) not in self.found:
            self.found.append((position, message))

    def lines(self) -> list[str]:
        """Return ``line:column: message``, sorted by place."""
        return [f"{p.line}:{p.column}: {message}" for p, message in sorted(self.found)]


class Fields:
    """One table of a plan; every key has to be asked for before :meth:`finish`.

    Parameters
    ----------
    values
        The parsed table.
    path
        Its place in the plan.
    problems
        Where mistakes go.
    """

    def __init__(self, values: Mapping[str, Any], path: Path, problems: Problems) -> None:
        self._values = values
        self._asked: list[str] = []
        self.path = path
        self.problems = problems

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def at(self, name: str) -> Path:
        """Return the place of a key of this table, of the table itself for ``""``."""
        return (*self.path, name) if name else self.path

    def problem(self, name: str, message: str, *, value: bool = False) -> None:
        """Note a mistake about a key of this table."""
        said = f"{name}: {message}" if name else message
        self.problems.add(self.at(name), said, value=value and bool(name))

    def take(self, name: str, kind: Kind, *, default: Any) -> Any:
        """Return a value of a kind, or the default when it is left out or wrong."""
        self._asked.append(name)
        if name not in self._values:
            return default
        value = self._values[name]
        if not kind.fits(value):
            self.problem(name, f"must be {kind.value}, not {_called(value)}", value=True)
            return default
        return value

    def choice(self, name: str, allowed: Sequence[str], *, default: str) -> str:
        """Return one of some texts."""
        value = self.take(name, Kind.TEXT, default=default)
        if value not in allowed:
            known = [a for a in allowed if a]
            close = suggest(value, known)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            self.problem(name, f"{value!r} is not one of {', '.join(known)}{hint}", value=True)
            return default
        return str(value)

    def label(self, name: str, *, default: str) -> str:
        """Return a name that may stand in a file name."""
        value = self.take(name, Kind.TEXT, default=default)
        if value and not _LABEL.fullmatch(value):
            if name in self._values:
                self.problem(name, "may hold letters, digits, '.', '_' and '-' only", value=True)
            return re.sub(r"[^A-Za-z0-9._-]+", "-", value).strip("-.") or "unnamed"
        return str(value)

    def names(self, name: str) -> tuple[str, ...] | None:
        """Return one text or a list of texts as a tuple; ``None`` when left out."""
        self._asked.append(name)
        if name not in self._values:
            return None
        value = self._values[name]
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not items:
            self.problem(name, f"must be a text or a list of texts, not {_called(value)}", value=True)
            return None
        for index, item in enumerate(items):
            if not isinstance(item, str):
                self.problems.add((*self.at(name), index), f"{name}: must be a text, not {_called(item)}", value=True)
                return None
            if item in items[:index]:
                self.problems.add((*self.at(name), index), f"{name}: {item!r} is there twice", value=True)
        return tuple(items)

    def flags(self, name: str) -> tuple[bool, ...]:
        """Return true, false or a list of them."""
        self._asked.append(name)
        value = self._values.get(name, False)
        items = value if isinstance(value, list) and value else [value]
        if not all(isinstance(item, bool) for item in items):
            self.problem(name, f"must be true or false, not {_called(value)}", value=True)
            return (False,)
        return tuple(dict.fromkeys(items))

    def years(self, name: str) -> tuple[int, ...]:
        """Return years from ``[1995, 2000]``, ``2000`` or ``"1995-2011"``."""
        self._asked.append(name)
        value = self._values.get(name, [])
        if isinstance(value, str):
            found = _YEARS.fullmatch(value.strip())
            if found and 0 <= int(found[2]) - int(found[1]) < MAX_YEARS:
                return tuple(range(int(found[1]), int(found[2]) + 1))
            self.problem(name, f'{value!r} is not a range of years such as "1995-2011"', value=True)
            return ()
        items = value if isinstance(value, list) else [value]
        if not all(Kind.INTEGER.fits(item) for item in items):
            self.problem(name, 'must be years: [1995, 2000] or "1995-2011"', value=True)
            return ()
        return tuple(dict.fromkeys(items))

    def groups(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return a table of lists of texts."""
        value = self.take(name, Kind.TABLE, default={})
        inner = Fields(value, self.at(name), self.problems)
        return {label: inner.names(label) or () for label in value}

    def texts(self, name: str) -> dict[str, str]:
        """Return a table of texts."""
        inner = self.table(name)
        return {label: str(inner.take(label, Kind.TEXT, default="")) for label in inner._values}

    def table(self, name: str) -> Fields:
        """Return a table below this one, empty when left out."""
        return Fields(self.take(name, Kind.TABLE, default={}), self.at(name), self.problems)

    def tables(self, name: str, *, required: bool = False) -> Iterator[Fields]:
        """Return the tables of a list ``[[name]]``."""
        self._asked.append(name)
        value = self._values.get(name, [])
        if isinstance(value, dict) or not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            self.problem(name, f"must be a list of tables; write [[{name}]]")
            return
        if required and not value:
            self.problem("", f"no [[{name}]] in the plan")
        for index, item in enumerate(value):
            yield Fields(item, (*self.at(name), index), self.problems)

    def finish(self) -> None:
        """Note every key that nothing has asked for."""
        for name in self._values:
            if name not in self._asked:
                close = suggest(name, self._asked)
                hint = f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(sorted(self._asked))}"
                self.problems.add(self.at(name), f"unknown key {name!r}{hint}")


def _called(value: object) -> str:
    names = {bool: "true or false", str: "a text", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), f"a {type(value).__name__}")
