"""Where the keys and values of a TOML text stand: line and column, by path.

:mod:`tomllib` gives values without positions. This walk runs over a text that :mod:`tomllib` has accepted already, so
it only has to find the boundaries of keys and values, not to validate them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Keys and list positions from the root: ``("tables", 0, "paths", 1)``."""


class Position(NamedTuple):
    """Line and column, both counted from one."""

    line: int
    column: int


_TOKEN = re.compile(
    r"""
      (?P<comment>\#[^\n]*)
    | (?P<string>\"\"\"(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
    | (?P<newline>\r?\n)
    | (?P<space>[ \t]+)
    | (?P<mark>\[\[|\]\]|[\[\]{}=,.])
    | (?P<bare>[^\s\[\]{}=,.\#"']+)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class _Walk:
    """One pass over the tokens of a valid text; fills ``keys`` and ``values``."""

    def __init__(self, text: str) -> None:
        self._tokens = [
            _Token(m.lastgroup or "", m.group(), m.start())
            for m in _TOKEN.finditer(text)
            if m.lastgroup not in {"space", "comment"}
        ]
        self.comments = [m for m in _TOKEN.finditer(text) if m.lastgroup == "comment"]
        self._at = 0
        self._lines = [0, *(m.end() for m in re.finditer("\n", text))]
        self._counts: dict[Path, int] = {}
        self.keys: dict[Path, Position] = {}
        self.values: dict[Path, Position] = {}
        self._document()

    def position(self, start: int) -> Position:
        """Return line and column of a character."""
        low, high = 0, len(self._lines)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._lines[middle] <= start else (low, middle)
        return Position(low + 1, start - self._lines[low] + 1)

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _skip_lines(self) -> None:
        while (token := self._peek()) is not None and token.kind == "newline":
            self._at += 1

    def _document(self) -> None:
        prefix: Path = ()
        while True:
            self._skip_lines()
            token = self._peek()
            if token is None:
                return
            if token.kind == "mark" and token.text in {"[", "[["}:
                prefix = self._header()
            else:
                self._pair(prefix)

    def _header(self) -> Path:
        opening = self._next()
        names = self._dotted()
        self._next()
        path: Path = ()
        for depth, (name, start) in enumerate(names):
            path = (*path, name)
            self.keys.setdefault(path, self.position(start))
            self.values.setdefault(path, self.position(opening.start))
            last = depth == len(names) - 1
            if last and opening.text == "[[":
                index = self._counts[path] = self._counts.get(path, -1) + 1
                path = (*path, index)
                self.keys[path] = self.values[path] = self.position(opening.start)
            elif not last and path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _dotted(self) -> list[tuple[str, int]]:
        """Names of a key ``a."b".c`` with where each begins."""
        names: list[tuple[str, int]] = []
        while True:
            token = self._next()
            text = tomllib.loads(f"x = {token.text}")["x"] if token.kind == "string" else token.text
            names.append((str(text), token.start))
            following = self._peek()
            if following is None or following.text != "." or following.kind != "mark":
                return names
            self._next()

    def _pair(self, prefix: Path) -> None:
        path = prefix
        for name, start in self._dotted():
            path = (*path, name)
            self.keys.setdefault(path, self.position(start))
            self.values.setdefault(path, self.position(start))
        self._next()
        token = self._peek()
        if token is not None:
            self.values[path] = self.position(token.start)
        self._value(path)

    def _value(self, path: Path) -> None:
        token = self._next()
        if token.kind == "mark" and token.text in {"[", "[["}:
            # "[[" inside a value is a list in a list, not the head of a table.
            self._list(path, token)
        elif token.kind == "mark" and token.text == "{":
            self._inline_table(path)
        else:
            self._scalar()

    def _scalar(self) -> None:
        """Pass over what is left of a number or date, which may contain full stops."""
        while (token := self._peek()) is not None and (token.kind == "bare" or token.text == "."):
            self._at += 1

    def _list(self, path: Path, opening: _Token) -> None:
        if opening.text == "[[":
            self.values[(*path, 0)] = self.position(opening.start + 1)
            self._split(opening)
        index = 0
        while True:
            self._skip_lines()
            token = self._next()
            if token.text.startswith("]") and token.kind == "mark":
                self._split(token)
                return
            if token.text == "," and token.kind == "mark":
                continue
            self._at -= 1
            self.keys[(*path, index)] = self.values[(*path, index)] = self.position(token.start)
            self._value((*path, index))
            index += 1

    def _split(self, token: _Token) -> None:
        """Put back the second half of a doubled bracket that stands in a value."""
        if len(token.text) == 2:
            self._at -= 1
            self._tokens[self._at] = _Token("mark", token.text[1], token.start + 1)

    def _inline_table(self, path: Path) -> None:
        while True:
            self._skip_lines()
            token = self._next()
            if token.kind == "mark" and token.text == "}":
                return
            if token.kind == "mark" and token.text == ",":
                continue
            self._at -= 1
            self._pair(path)


class Positions:
    """Positions of every key and value of a TOML text.

    Parameters
    ----------
    text
        TOML that :func:`tomllib.loads` accepts.

    Attributes
    ----------
    comments
        Where each comment begins, and what it says.
    """

    def __init__(self, text: str) -> None:
        walk = _Walk(text)
        self._keys: Mapping[Path, Position] = walk.keys
        self._values: Mapping[Path, Position] = walk.values
        self.comments = [(walk.position(comment.start()), comment.group()) for comment in walk.comments]

    def key(self, path: Path) -> Position:
        """Return where a key stands, or the nearest one above it."""
        return self._nearest(self._keys, path)

    def value(self, path: Path) -> Position:
        """Return where a value begins, or that of the nearest one above it."""
        return self._nearest(self._values, path)

    @staticmethod
    def _nearest(known: Mapping[Path, Position], path: Path) -> Position:
        while path and path not in known:
            path = path[:-1]
        return known.get(path, Position(1, 1))


_SYNTAX = re.compile(r"\(at line (\d+), column (\d+)\)|\(at end of document\)")


def syntax_position(error: tomllib.TOMLDecodeError, text: str) -> tuple[Position, str]:
    """Return where a syntax error stands and what it says, from the message of :mod:`tomllib`."""
    found = _SYNTAX.search(str(error))
    said = _SYNTAX.sub("", str(error)).strip()
    if found and found.group(1):
        return Position(int(found.group(1)), int(found.group(2))), said
    lines = text.splitlines() or [""]
    return Position(len(lines), len(lines[-1]) + 1), f"{said} at the end of the file"
