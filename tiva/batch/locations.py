"""Paths in a plan: relative to its folder, free of shell syntax and secrets, outputs apart from inputs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiva.batch.fields import Fields, Problems
    from tiva.batch.specs import TableSpec

_SHELL = re.compile(r"\$|`|;|\||&|<|>|\n|\r|\x00|^[~!]|%[A-Za-z_][A-Za-z0-9_]*%|\{[^{}]*(?:,|\.\.)[^{}]*\}")
_SECRET = re.compile(
    r"://[^/@\s]*:[^/@\s]*@"
    r"|(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|signature|[?&]sig)\s*[=:]"
    r"|\bsk-[A-Za-z0-9_-]{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abpr]-|-----BEGIN",
    re.IGNORECASE,
)
_NO_SECRETS = "plans are kept in results, so keep secrets out of them"
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_GLOB = re.compile(r"[*?\[]")

UNSAFE = f"{_SHELL.pattern}|{_ADDRESS.pattern}|^\\s*$"
"""What no path may hold, as far as one pattern that Python and ECMA 262 share can say."""

_SECRET_KEY = re.compile(
    r"^(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|credentials?)$", re.IGNORECASE
)


def check_comments(problems: Problems) -> None:
    """Note comments that look as if they held a secret: they are kept with the rest of the plan."""
    for position, text in problems.positions.comments:
        if _SECRET.search(text):
            problems.found.append((position, f"the comment looks as if it holds a password or key; {_NO_SECRETS}"))


def check_secrets(problems: Problems, value: object, path: tuple[str | int, ...] = ()) -> None:
    """Note every text of a plan that looks like a secret, wherever it stands: plans are kept in results."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if _SECRET_KEY.match(key) and isinstance(inner, str) and inner:
                problems.add_secret((*path, key), f"{key} looks like a secret; {_NO_SECRETS}")
            else:
                check_secrets(problems, inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            check_secrets(problems, inner, (*path, index))
    elif isinstance(value, str) and _SECRET.search(value):
        problems.add_secret(path, f"looks as if it holds a password or key; {_NO_SECRETS}", value=True)


def refusal(text: str) -> str | None:
    """Say what makes a path of the plan unsafe, without repeating a secret; ``None`` when nothing does."""
    shell = _SHELL.search(text)
    if _SECRET.search(text):
        wrong = f"looks as if it holds a password or key; {_NO_SECRETS}"
    elif shell:
        wrong = f"holds shell syntax ({shell.group()!r} at character {shell.start() + 1}); nothing is expanded here"
    elif _ADDRESS.match(text):
        wrong = "is an address, not a path; use catalogue = ... for tables to download"
    elif not text.strip():
        wrong = "is empty"
    else:
        return None
    return f"the path {wrong}"


def resolved(fields: Fields, name: str, root: Path) -> Path | None:
    """Return a path of the plan as an absolute one; ``None`` when it is left out or refused."""
    text = fields[name]
    return None if text is None else Path(root / text).resolve()


def existing(fields: Fields, name: str, root: Path, *, folder: bool = False) -> Path | None:
    """Return the same, and note it when no file (or, where one may stand, folder) is there."""
    path = resolved(fields, name, root)
    if path is not None and not (path.exists() if folder else path.is_file()):
        fields.problem(name, f"no such file: {path}", value=True)
    return path


def find_files(fields: Fields, name: str, root: Path) -> tuple[Path, ...]:
    """Return the files and folders of a list of paths and patterns, sorted within a pattern, each once."""
    found: list[Path] = []
    for index, text in enumerate(fields[name] or ()):
        matches = _matches(root, text)
        if not matches:
            where = (root / text).resolve()
            what = f"nothing matches {where}" if _GLOB.search(text) else f"no such table: {where}"
            at = (*fields.at(name), index) if isinstance(fields.given(name), list) else fields.at(name)
            fields.problems.add(at, f"{name}: {what}", value=True)
        found.extend(m for m in matches if m not in found)
    return tuple(found)


def _matches(root: Path, text: str) -> list[Path]:
    path = (root / text).resolve()
    if not _GLOB.search(text):
        return [path] if path.exists() else []
    base, pattern = _fixed_part(root, text)
    return sorted(p.resolve() for p in base.glob(pattern) if not p.name.startswith("."))


def _fixed_part(root: Path, text: str) -> tuple[Path, str]:
    """Split a pattern into the folder before its first wildcard and the rest."""
    parts = Path(text).parts
    first = next((i for i, part in enumerate(parts) if _GLOB.search(part)), len(parts) - 1)
    return (root.joinpath(*parts[:first])).resolve(), str(Path(*parts[first:]))


def check_places(
    problems: Problems,
    output: Path,
    from_plan: bool,
    tables: Iterable[TableSpec],
    searched: Mapping[int, Sequence[str]],
    more: Iterable[Path],
    plan: Path,
) -> None:
    """Note an output folder that lies among the inputs, or holds them.

    Parameters
    ----------
    problems
        Where mistakes go.
    output, from_plan
        The folder, and whether the plan names it.
    tables, searched
        Tables, and by their place in the plan the texts of their paths.
    more
        Further inputs.
    plan
        The file of the plan.
    """
    at = ("output", "folder") if from_plan else ()
    if output.exists() and not output.is_dir():
        problems.add(at, f"the output {output} is a file, not a folder", value=bool(at))
    if output == plan.parent.resolve():
        problems.add(at, "the output folder is that of the plan; name a folder of its own", value=bool(at))
    for index, table in enumerate(tables):
        where = ("tables", index, "paths")
        for file in table.files:
            if file.is_relative_to(output):
                problems.add(where, f"the input {file} lies in the output folder {output}", value=True)
            elif file.is_dir() and output.is_relative_to(file):
                problems.add(at or where, f"the output folder {output} lies in the input {file}", value=True)
        for base, pattern in (_root(text, plan.parent) for text in searched.get(index, ())):
            if _is_searched(output, base, pattern, plan.parent.resolve()):
                said = f"the output folder {output} lies in {base}, where inputs are looked for"
                problems.add(at or where, said, value=True)
    for file in more:
        if file.is_relative_to(output):
            problems.add(at, f"the input {file} lies in the output folder {output}", value=bool(at))


def _is_searched(output: Path, base: Path, pattern: str, root: Path) -> bool:
    """Whether an output folder lies where a pattern looks for inputs.

    Below the plan's own folder a folder that the pattern cannot match is allowed: ``*.npz`` beside ``results``.
    """
    if output == base:
        return True
    if not pattern or not output.is_relative_to(base):
        return False
    first = output.relative_to(base).parts[0]
    return base != root or "**" in pattern or fnmatch(first, Path(pattern).parts[0])


def _root(text: str, root: Path) -> tuple[Path, str]:
    """Return the folder where a path of a table is looked for, with its pattern (empty for a plain path)."""
    return _fixed_part(root, text) if _GLOB.search(text) else ((root / text).resolve().parent, "")
