"""The plan of a batch: what a TOML file may say, read with the line and column of every mistake."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

from tiva.batch.entries import check_methods
from tiva.batch.fields import Fields, Problems, unknown
from tiva.batch.keys import PLAN
from tiva.batch.locations import check_comments, check_places, check_secrets, existing, find_files, resolved
from tiva.batch.positions import Positions, syntax_position
from tiva.batch.reading import reading
from tiva.batch.shapes import as_label
from tiva.batch.specs import (
    BASELINE,
    NO_MARGINS,
    NO_SATELLITE,
    RESERVED,
    CubeSpec,
    MarginSpec,
    MethodSpec,
    Plan,
    SatelliteSpec,
    ScenarioSpec,
    TableSpec,
)
from tiva.errors import MissingFileError, PlanError, PlanWarning, TivaError, UnknownLabelError, explain
from tiva.files import as_path
from tiva.terms import find_method

EXAMPLE_PLAN = "example_plan.toml"


def read_plan(path: str | Path | None = None, *, out: str | Path | None = None) -> Plan:
    """Read and check a plan.

    Parameters
    ----------
    path
        A TOML file; the example plan of the package when left out. Paths in it are relative to its folder.
    out
        Output folder in place of that of the plan, relative to the current folder.

    Returns
    -------
    Plan

    Raises
    ------
    MissingFileError
        There is no such plan.
    PlanError
        With one line ``line:column: message`` for each mistake: syntax, unknown keys and names, wrong types, options
        that do not go together, tables that are not there, cycles, output among the inputs, unsafe paths, entries of
        methods that say the same.

    Warns
    -----
    PlanWarning
        Entries of methods that overlap: what both ask for is computed once.
    """
    if path is None:
        text = resources.files("tiva.data").joinpath(EXAMPLE_PLAN).read_text(encoding="utf-8")
        return parse_plan(text, Path.cwd() / EXAMPLE_PLAN, out=out)
    path = as_path(path, "the path of the plan")
    if not path.is_file():
        raise MissingFileError(explain(f"no such plan: {path}", do="name a TOML file"), path=path)
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        message = explain(f"{path}: not a UTF-8 text", got=f"byte {error.start}: {error.reason}")
        raise PlanError(message, path=path, problems=(f"1:1: {error}",)) from error
    return parse_plan(text, path.resolve(), out=out)


def parse_plan(text: str, path: Path, *, out: str | Path | None = None) -> Plan:
    """Check the text of a plan that stands, or would stand, at ``path``; see :func:`read_plan`."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position, said = syntax_position(error, text)
        raise refusal(path, [f"{position.line}:{position.column}: {said}"]) from error
    problems = Problems(Positions(text.replace("\r\n", "\n")))
    check_secrets(problems, values)
    check_comments(problems)
    plan = _plan(Fields(values, PLAN, (), problems), text, path, out)
    if problems.found or plan is None:
        raise refusal(path, problems.lines())
    for note in plan.notes:
        warnings.warn(f"{path.name}:{note}", PlanWarning, stacklevel=3)
    return plan


def refusal(path: Path, lines: Sequence[str]) -> PlanError:
    """Return the error that tells all mistakes of a plan, ``line:column: message`` each."""
    shown = "".join(f"\n  {path.name}:{line}" for line in lines)
    count = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return PlanError(f"the plan has {count}:{shown}", path=path, problems=lines)


def _plan(top: Fields, text: str, path: Path, out: str | Path | None) -> Plan | None:
    root = path.parent
    output = top.table("output")
    run = _run(top.table("run"))
    given = {kind: top.tables(kind) for kind in PLAN.lists or ()}
    named: dict[str, tuple[Any, ...]] = {
        "tables": tuple(_table(f, i, root) for i, f in enumerate(given["tables"])),
        "margins": tuple(_margin(f, root) for f in given["margins"]),
        "satellites": tuple(_satellite(f, root) for f in given["satellites"]),
        "scenarios": tuple(_scenario(f) for f in given["scenarios"]),
        "cubes": tuple(_cube(f, i) for i, f in enumerate(given["cubes"])),
    }
    listed = [_methods(f) for f in given["methods"]]
    methods = tuple(spec for specs in listed for spec in specs)
    notes = check_methods(top.problems, listed)
    if not top.given("tables"):
        top.problem("", "no [[tables]] in the plan")
    if not methods and not named["cubes"] and not top.problems.found:
        top.problem("", "nothing to compute: add [[methods]] or [[cubes]]")
    _check_cycles(top, named["scenarios"])
    _check_group_cycles(top, named["scenarios"])
    _check_names(top, named, given)
    target = (Path(out).resolve() if out is not None else resolved(output, "folder", root)) or root
    searched = {i: f["paths"] or () for i, f in enumerate(given["tables"])}
    more = [
        *(file for table in named["tables"] for file in table.option_files.values()),
        *(file for margin in named["margins"] for file in (margin.file, *margin.more.values())),
        *(satellite.file for satellite in named["satellites"]),
    ]
    check_places(top.problems, target, out is None, named["tables"], searched, more, path)
    if top.problems.found:
        return None
    return Plan(
        path, text, target, output["format"], named["tables"], methods, named["cubes"], named["margins"],
        named["scenarios"], named["satellites"], **run, notes=tuple(notes),
        entries=tuple(index for index, specs in enumerate(listed) for _ in specs),
    )  # fmt: skip


def _run(fields: Fields) -> dict[str, Any]:
    from tiva.batch.costs import parse_bytes

    values = {name: fields[name] for name in ("workers", "timeout", "scheduler", "backend")}
    if fields["scheduler"] == "inline" and fields["timeout"] is not None:
        fields.problem("timeout", "no job can be ended inline; leave it out, or use another scheduler")
    size: int | None = None
    if fields["memory"] is not None:
        try:
            size = parse_bytes(fields["memory"])
        except TivaError as error:
            fields.problem("memory", str(error).splitlines()[0], value=True)
    return {**values, "memory": size}


def _table(fields: Fields, index: int, root: Path) -> TableSpec:
    example, catalogue, years = fields["example"], fields["catalogue"] or "", fields["years"]
    files = find_files(fields, "paths", root)
    if sum((example, "catalogue" in fields, "paths" in fields)) != 1:
        fields.problem("", "a table needs exactly one of: paths, catalogue, example = true")
    if catalogue and "years" not in fields:
        fields.problem("catalogue", "needs years = [...]")
    elif catalogue and years:
        _check_catalogue(fields, catalogue, years)
    for name in ("years", "layout", "options"):
        if example and name in fields:
            fields.problem(name, "does not go with example = true")
    kind = "example" if example else "catalogue" if catalogue else "files"
    options, option_files = ({}, {}) if example else reading(fields, kind, root)
    return TableSpec(
        name=fields["name"] or ("example" if example else as_label(catalogue) if catalogue else f"table{index + 1}"),
        kind=kind,
        files=files,
        catalogue=catalogue,
        years=years,
        layout=fields["layout"],
        options=options,
        option_files=option_files,
        margins=fields["margins"],
        scenarios=fields["scenarios"],
    )


def _check_catalogue(fields: Fields, name: str, years: tuple[int, ...]) -> None:
    """Note a data set or year that the catalogue of sources does not have."""
    try:
        from data_fetch.catalogue import catalogue
    except ImportError:
        return  # the jobs say which extra is missing
    try:
        catalogue()[name].select(years)
    except UnknownLabelError as error:
        fields.problem("catalogue", unknown("data set", name, error.known), value=True)
    except TivaError as error:
        fields.problem("years", " ".join(line.strip() for line in str(error).splitlines()), value=True)


def _methods(fields: Fields) -> list[MethodSpec]:
    """Every combination of the options that are given as lists."""
    method = fields["method"]
    if method is None:
        return []
    axes = [fields[name] or (None,) for name in ("perspective", "approach", "perimeter")]
    several = any(len(values) > 1 for values in (*axes, fields["detail"]))
    label = fields["name"]
    found: list[MethodSpec] = []
    for perspective, approach, perimeter, level, detail in product(*axes, fields["level"], fields["detail"]):
        options = {"perspective": perspective, "approach": approach, "perimeter": perimeter}
        spec = _method(fields, method, options, level, detail)
        if spec is not None:
            if label and several:
                spec = replace(spec, name=f"{label}-{replace(spec, name=None).label}")
            found += [replace(spec, satellite=None if s == NO_SATELLITE else s) for s in fields["satellite"]]
    return found


def _method(
    fields: Fields, method: str, options: Mapping[str, str | None], level: str, detail: bool
) -> MethodSpec | None:
    try:
        row = find_method(method, **options, level=level, detail=detail)
    except TivaError as error:
        said = " ".join(line.strip() for line in str(error).splitlines())
        kind = error.kind if isinstance(error, UnknownLabelError) and error.kind in fields else "method"
        given = fields.given(kind)
        path = fields.at(kind)
        if isinstance(error, UnknownLabelError) and isinstance(given, list) and error.label in given:
            path = (*path, given.index(error.label))
        fields.problems.add(path, said, value=True)
        return None
    return MethodSpec(
        method,
        row.perspective or None,
        row.approach or None,
        options["perimeter"],
        level,
        detail,
        exporter=fields["exporter"],
        importer=fields["importer"],
        sector=fields["sector"],
        name=fields["name"],
    )


def _margin(fields: Fields, root: Path) -> MarginSpec:
    file = existing(fields, "path", root)
    more = {name: existing(fields, name, root) for name in ("schemes", "sector_map")}
    return MarginSpec(
        fields["name"] or as_label(file.stem if file else "margins"),
        file or root,
        {name: path for name, path in more.items() if path is not None},
        fields.table("prepare").present(),
        fields.present("theta", "method", "infeasible"),
    )


def _satellite(fields: Fields, root: Path) -> SatelliteSpec:
    """Return a satellite; the values of its options are checked by :func:`tiva.read_satellite`."""
    file = existing(fields, "path", root, folder=True)
    options = fields.present("variable", "unit", "member", "year", "missing", "sectors", "countries", "select")
    return SatelliteSpec(fields["name"] or as_label(file.stem if file else "satellite"), file or root, options)


def _cube(fields: Fields, index: int) -> CubeSpec:
    return CubeSpec(fields["name"] or f"cube{index + 1}", fields["origin"], fields["format"])


def _scenario(fields: Fields) -> ScenarioSpec:
    return ScenarioSpec(
        name=fields["name"] or "",
        based_on=fields["based_on"],
        merge_split_countries=fields["merge_split_countries"],
        aggregate_countries=fields["aggregate_countries"],
        aggregate_sectors=fields["aggregate_sectors"],
        groups=fields["groups"],
        final_demand=tuple(_shock(f) for f in fields.tables("final_demand")),
    )


def _shock(fields: Fields) -> Mapping[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.present().items()}


def _check_cycles(top: Fields, scenarios: Sequence[ScenarioSpec]) -> None:
    parents = {s.name: s.based_on for s in scenarios}
    for index, scenario in enumerate(scenarios):
        at = ("scenarios", index, "based_on")
        if scenario.based_on and scenario.based_on not in {*parents, BASELINE}:
            top.problems.add(at, unknown("scenario", scenario.based_on, tuple(parents)), value=True)
            continue
        seen = [scenario.name]
        while parents.get(seen[-1]):
            seen.append(parents[seen[-1]])
            if seen[-1] == scenario.name:
                top.problems.add(at, f"scenarios go round in a circle: {' -> '.join(seen)}", value=True)
                break
            if seen[-1] in seen[:-1]:
                break


def _check_group_cycles(top: Fields, scenarios: Sequence[ScenarioSpec]) -> None:
    """Note groups of a scenario that are made of one another."""
    for index, scenario in enumerate(scenarios):
        for name in scenario.groups:
            seen, waiting = [name], [m for m in scenario.groups[name] if m in scenario.groups]
            while waiting:
                member = waiting.pop()
                if member == name:
                    at = ("scenarios", index, "groups", name)
                    top.problems.add(at, f"groups go round in a circle: {' -> '.join([*seen, name])}")
                    break
                if member not in seen:
                    seen.append(member)
                    waiting += [m for m in scenario.groups[member] if m in scenario.groups]


_UNCHANGED = {"margins": NO_MARGINS, "scenarios": BASELINE, "satellites": NO_SATELLITE}


def _check_names(top: Fields, named: Mapping[str, tuple[Any, ...]], given: Mapping[str, Sequence[Fields]]) -> None:
    """Note names that are used twice or reserved, and names that nothing has."""
    for kind, items in named.items():
        names = [item.name for item in items]
        for index, name in enumerate(names):
            if name in names[:index]:
                top.problems.add((kind, index, "name"), f"the name {name!r} is used twice in [[{kind}]]", value=True)
            if name in RESERVED and kind in _UNCHANGED:
                top.problems.add((kind, index, "name"), f"the name {name!r} is reserved", value=True)
    known = {kind: (reserved, *(item.name for item in named[kind])) for kind, reserved in _UNCHANGED.items()}
    uses = [
        ("tables", "margins", "margins"),
        ("tables", "scenarios", "scenarios"),
        ("methods", "satellite", "satellites"),
    ]
    for kind, key, what in uses:
        for fields in given[kind]:
            for place, name in fields.items(key):
                if name not in known[what]:
                    top.problems.add(place, unknown(what.removesuffix("s"), name, known[what]), value=True)
