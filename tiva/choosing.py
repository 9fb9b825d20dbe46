"""Several labels or groups at once: each label once, and nothing merged in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from tiva.errors import GroupError, UsageError, explain, listing


def select_together(
    kind: str, items: Sequence[str], resolve: Callable[[str], tuple[tuple[str, ...], tuple[str, ...]]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Resolve labels and group expressions that are selected together, one after the other.

    Who names a label twice has miscounted: that is refused rather than merged.

    Parameters
    ----------
    kind
        What is selected, for messages (``"exporter"``).
    items
        Labels and expressions.
    resolve
        Returns the labels of one of them, and what has to be said about it.

    Returns
    -------
    tuple
        Labels in the order asked for, each once, and notes.

    Raises
    ------
    GroupError
        A label is named twice: repeated, alone and in a group, or in two groups.

    Examples
    --------
    >>> groups = {"NAFTA": ("CAN", "MEX", "USA"), "ESP": ("ESP",)}
    >>> select_together("exporter", ["ESP", "NAFTA"], lambda item: (groups[item], ()))[0]
    ('ESP', 'CAN', 'MEX', 'USA')
    """
    owner: dict[str, str] = {}
    notes: list[str] = []
    for item in items:
        members, said = resolve(item)
        both = [label for label in members if label in owner]
        if both:
            earlier = owner[both[0]]
            before = tuple(label for label, name in owner.items() if name == earlier)
            raise GroupError(_named_twice(kind, (earlier, before), (item, members)))
        owner.update(dict.fromkeys(members, item))
        notes.extend(said)
    return tuple(owner), tuple(notes)


def _named_twice(kind: str, first: tuple[str, tuple[str, ...]], second: tuple[str, tuple[str, ...]]) -> str:
    """Compose the message for two items of a selection that have labels in common, with the way out."""
    (one, own), (other, others) = first, second
    both = [label for label in others if label in own]
    got = f"{one!r} and {other!r}"
    if one == other:
        return explain(f"{kind} {one!r} is given twice", do="write it once")
    if (one,) == own or (other,) == others:
        label, group = (one, other) if (one,) == own else (other, one)
        return explain(
            f"{kind} {label!r} appears both alone and in a group", got=got, do=f"leave it out: {group!r} holds it"
        )
    if set(both) in (set(own), set(others)):
        inner, outer = (one, other) if set(both) == set(own) else (other, one)
        way = f"leave out {inner!r}: {outer!r} holds it"
    elif not {"|", "-"} & set(one) and "|" not in other:
        way = f"leave the common members out of one: '{other}-{one}'"
    else:
        way = "leave the common members out of one of them"
    return explain(f"groups of {kind} overlap", got=f"{listing(both)} in {one!r} and in {other!r}", do=way)


def named_groups(groups: object) -> dict[str, str | Sequence[str]]:
    """Return name -> expression or labels of groups that are given as a name, several names, or a mapping.

    Raises
    ------
    GroupError
        No groups, a group without a name, or the same name twice.
    UsageError
        Something that is no text.
    """
    if isinstance(groups, Mapping):
        found = dict(groups)
    else:
        names = list(groups) if _several(groups) else [groups]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise GroupError(explain(f"group {twice[0]!r} is given twice", do="write it once"))
        found = {name: name for name in names}
    members = [value if _several(value) else (value,) for value in found.values()]
    words = [*found, *(word for own in members for word in own)]
    if not all(isinstance(word, str) for word in words):
        raise UsageError(explain("groups are named by texts", got=repr(groups), expected="such as 'NAFTA'"))
    if not found or not all(name.strip() for name in found):
        raise GroupError(
            explain("groups need names", got=repr(groups), do="name a known group, or give a mapping label -> members")
        )
    return found


def _several(value: object) -> TypeGuard[Iterable[Any]]:
    return isinstance(value, Iterable) and not isinstance(value, str)
