"""Labels that a plan names against those of its tables, as far as these are known without reading numbers."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tiva.batch import positions
from tiva.batch.jobs import Group, Input, TableSource
from tiva.batch.specs import BASELINE, Plan, ScenarioSpec
from tiva.errors import TivaError, UnknownLabelError, listing
from tiva.groups import resolve_groups
from tiva.readers.labels import TableLabels, labels_of
from tiva.router import select_labels
from tiva.table.aggregation import assign

SELECTED = ("exporter", "importer", "sector")
"""Keys of methods that name labels."""

Place = positions.Path
Finding = tuple[Place, str | None]
"""A place of the plan that was looked up, and what is wrong there."""


@dataclass(slots=True)
class _Verdict:
    """What is wrong at one place: message -> tables; and whether it is right in some table, or not known."""

    wrong: dict[str, list[str]] = field(default_factory=dict)
    open: bool = False


def check_labels(plan: Plan, groups: Sequence[Group]) -> tuple[list[str], list[str]]:
    """Look up the countries, sectors and groups that scenarios and methods of a plan name.

    Parameters
    ----------
    plan, groups
        The plan and its groups of jobs.

    Returns
    -------
    tuple
        ``line:column: message`` of names that are wrong in every table, and of names that are wrong in some. Tables
        whose labels are known only by reading them are not looked at: their jobs fail before anything is computed.
    """
    given: dict[str, Any] = tomllib.loads(plan.text)
    verdicts: dict[Place, _Verdict] = {}
    known: dict[tuple[str, int | None], TableLabels | None] = {}
    for source in (group.source for group in groups):
        key = (source.name, source.year)
        if key not in known:
            known[key] = _labels(source)
        title = source.name if source.scenario_name == BASELINE else f"{source.name} {source.scenario_name}"
        for place, said in _lookups(given, plan, source, known[key]):
            verdict = verdicts.setdefault(place, _Verdict())
            if said is None:
                verdict.open = True
            elif title not in verdict.wrong.setdefault(said, []):
                verdict.wrong[said].append(title)
    return _told(plan, verdicts)


def _told(plan: Plan, verdicts: Mapping[Place, _Verdict]) -> tuple[list[str], list[str]]:
    where = positions.Positions(plan.text.replace("\r\n", "\n"))
    found: dict[bool, list[tuple[positions.Position, str]]] = {True: [], False: []}
    for place, verdict in verdicts.items():
        for said, tables in verdict.wrong.items():
            found[verdict.open].append((where.value(place), f"{said} (table {listing(tables)})"))
    sure, doubtful = ([f"{p.line}:{p.column}: {text}" for p, text in sorted(found[o])] for o in (False, True))
    return sure, doubtful


def _labels(source: TableSource) -> TableLabels | None:
    """Return the labels of a table as it is read, where they are at hand."""
    if source.kind == "example":
        from tiva.examples import example

        table = example()
        return TableLabels(table.countries, table.sectors, table.year)
    files = [source.input] if source.input is not None else list(source.companions)
    member = source.options.get("member")
    for file in files:
        found = labels_of(Path(file.path), layout=source.layout, year=source.year, member=member)
        found = found or (_parsed_before(source, file) if source.kind == "catalogue" else None)
        if found is not None:
            return found
    return None


def _parsed_before(source: TableSource, file: Input) -> TableLabels | None:
    """Return the labels of a table of the catalogue from what was kept when it was opened before."""
    from data_fetch.store import default_folder

    options = {**source.reader_options(), "year": source.year}
    given = {name: repr(value) for name, value in options.items() if value is not None}
    for record in sorted((default_folder() / "parsed").glob("*.json")):
        try:
            kept = json.loads(record.read_bytes())
        except (OSError, ValueError):
            continue
        if kept.get("content") == file.sha256 and kept.get("options") == given:
            return labels_of(record.with_suffix(".nc"))
    return None


def _lookups(
    given: Mapping[str, Any], plan: Plan, source: TableSource, labels: TableLabels | None
) -> Iterator[Finding]:
    """Yield every place that names labels of a table; where the labels are not known nothing is wrong."""
    acting: dict[str, tuple[str, ...]] = {}
    numbers = {scenario.name: number for number, scenario in enumerate(plan.scenarios)}
    for scenario in source.scenarios:
        at = ("scenarios", numbers[scenario.name])
        for key, change in _changes(scenario):
            place, said, labels = _tried((*at, *key), change, labels)
            yield place, said
            if said is not None:
                return
        acting.update(scenario.groups)
        for name in scenario.groups:
            value = scenario.groups[name]
            place, said, _ = _tried((*at, "groups", name), _Change(value, _grouping({name: value})), labels)
            yield place, said
            if said is not None:
                return
    place, said, shown = _tried(("scenarios",), _Change((), _grouping(acting)), labels)
    if said is not None:
        yield place, said
        return
    for number, method in enumerate(given.get("methods", ())):
        for name in SELECTED:
            yield from _selected(("methods", number, name), name, method.get(name), labels, shown)


def _selected(
    at: Place, kind: str, value: Any, labels: TableLabels | None, shown: TableLabels | None
) -> Iterator[Finding]:
    """Yield the places of a selection; ``shown`` has groups in place of the countries that act as one."""
    items = [(at, value)] if isinstance(value, str) else [((*at, i), v) for i, v in enumerate(value or ())]
    for place, item in items:
        if labels is None or shown is None:
            yield place, None
            continue
        table = SimpleNamespace(countries=labels.countries, year=labels.year)
        model: Any = SimpleNamespace(countries=shown.countries, sectors=shown.sectors, table=table)
        try:
            select_labels(kind, item, model)
        except TivaError as error:
            yield place, f"{kind}: {_one_line(error)}"
        else:
            yield place, None


@dataclass(frozen=True, slots=True)
class _Change:
    """What a scenario does to labels, and what it names: lists, or label -> list."""

    named: Any
    apply: Callable[[TableLabels], TableLabels]


def _changes(scenario: ScenarioSpec) -> Iterator[tuple[Place, _Change]]:
    """Yield what a scenario does to the labels of a table, in its order."""
    for key, kind in (("aggregate_countries", "country"), ("aggregate_sectors", "sector")):
        members = getattr(scenario, key)
        if members:
            yield (key,), _Change(members, _aggregating(kind, members))
    for number, shock in enumerate(scenario.final_demand):
        for key, kind in (("seller", "country"), ("sector", "sector"), ("absorber", "country")):
            if key in shock:
                yield ("final_demand", number, key), _Change(shock[key], _having(kind, shock[key]))


def _aggregating(kind: str, members: Mapping[str, tuple[str, ...]]) -> Callable[[TableLabels], TableLabels]:
    def apply(labels: TableLabels) -> TableLabels:
        if kind == "country":
            return TableLabels(assign(kind, labels.countries, members)[0], labels.sectors, labels.year)
        return TableLabels(labels.countries, assign(kind, labels.sectors, members)[0], labels.year)

    return apply


def _having(kind: str, names: Sequence[str]) -> Callable[[TableLabels], TableLabels]:
    def apply(labels: TableLabels) -> TableLabels:
        known = labels.countries if kind == "country" else labels.sectors
        for name in names:
            if name not in known:
                raise UnknownLabelError(kind, name, known)
        return labels

    return apply


def _grouping(groups: Mapping[str, tuple[str, ...]]) -> Callable[[TableLabels], TableLabels]:
    def apply(labels: TableLabels) -> TableLabels:
        found = resolve_groups({n: list(m) for n, m in groups.items()}, labels.countries, year=labels.year)
        members = {name: selection.members for name, selection in found.items()}
        return TableLabels(assign("country", labels.countries, members)[0], labels.sectors, labels.year)

    return apply


def _tried(place: Place, change: _Change, labels: TableLabels | None) -> tuple[Place, str | None, TableLabels | None]:
    """Apply a change; return its place, what is wrong, and the labels after it."""
    if labels is None:
        return place, None, None
    try:
        return place, None, change.apply(labels)
    except TivaError as error:
        inner = _inside(change.named, error.label) if isinstance(error, UnknownLabelError) else ()
        return (*place, *inner), _one_line(error), None


def _inside(named: Any, label: str) -> Place:
    """Return where a label stands in a list, or in a table of lists."""
    if isinstance(named, Mapping):
        for key, members in named.items():
            if label in members:
                return (key, *_inside(members, label))
        return ()
    return (list(named).index(label),) if len(named) > 1 and label in named else ()


def _one_line(error: TivaError) -> str:
    return " ".join(line.strip() for line in str(error).splitlines())
