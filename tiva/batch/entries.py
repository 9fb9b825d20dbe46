"""Which entry of a plan asked for what: entries that say the same, and jobs that would have one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tiva.batch import positions
from tiva.errors import listing

if TYPE_CHECKING:
    from tiva.batch.fields import Problems
    from tiva.batch.specs import MethodSpec

Entry = Mapping[str, positions.Path]
"""What a job was made of -> its place in the plan: ``"spec"`` (method or cube), ``"scenario"``, ``"margins"`` and
``"table"``."""


def check_methods(problems: Problems, listed: Sequence[Sequence[MethodSpec]]) -> list[str]:
    """Refuse an entry of methods that says what one before it says, and return what is to be said about overlaps.

    Parameters
    ----------
    problems
        Where mistakes go.
    listed
        The methods of each entry ``[[methods]]``.

    Returns
    -------
    list of str
        One line for each entry that asks for a part of what those before it ask for: that is computed once.
    """
    notes: list[str] = []
    owner: dict[MethodSpec, int] = {}
    for index, specs in enumerate(listed):
        same = next((k for k, before in enumerate(listed[:index]) if before and set(before) == set(specs)), None)
        if same is not None:
            first = problems.positions.key(("methods", same))
            said = f"says the same as the entry at {first.line}:{first.column}, so that it would add nothing"
            problems.add(("methods", index), f"{said}; leave one of them out, or change its options")
        shared = [spec for spec in dict.fromkeys(specs) if spec in owner]
        if shared and same is None:
            here = problems.positions.key(("methods", index))
            lines = sorted({problems.positions.key(("methods", owner[spec])).line for spec in shared})
            names = listing(f"{spec.label} at level {spec.level}" for spec in shared)
            notes.append(
                f"{here.line}:{here.column}: {names}: asked for before, in the entry at line "
                f"{', '.join(map(str, lines))}; computed once"
            )
        for spec in specs:
            owner.setdefault(spec, index)
    return notes


def clash(text: str, job: str, first: Entry, second: Entry) -> tuple[positions.Position, str]:
    """Return where the second of two jobs of one name was asked for, and what is to be said there.

    Parameters
    ----------
    text
        The plan.
    job
        The name.
    first, second
        What the jobs were made of.
    """
    where = positions.Positions(text.replace("\r\n", "\n"))
    kind = next((kind for kind in ("spec", "scenario", "margins", "table") if first[kind] != second[kind]), "table")
    here, before = where.value(_named(where, second[kind])), where.value(_named(where, first[kind]))
    alike = "" if here == before else f"; the first comes from {before.line}:{before.column}"
    said = f"two jobs have the name {job!r}{alike}; names that differ only in capitals are one in some file systems"
    return here, f"{said}: give their tables, scenarios or methods names of their own"


def _named(where: positions.Positions, entry: positions.Path) -> positions.Path:
    """Return the place of the name of an entry, of the entry itself where it has none."""
    name = (*entry, "name")
    return name if entry and where.value(name) != where.value(entry) else entry
