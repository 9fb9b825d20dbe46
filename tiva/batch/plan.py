"""The plan of a batch: what a TOML file may say, read with the line and column of every mistake."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

from tiva.batch.fields import Fields, Kind, Problems
from tiva.batch.locations import check_places, check_secrets, find_files, safe_path
from tiva.batch.positions import Positions, syntax_position
from tiva.batch.specs import (
    BASELINE,
    NO_MARGINS,
    NO_SATELLITE,
    CubeSpec,
    MarginSpec,
    MethodSpec,
    Plan,
    SatelliteSpec,
    ScenarioSpec,
    TableSpec,
)
from tiva.errors import MissingFileError, PlanError, TivaError, UnknownLabelError, explain, suggest
from tiva.terms import find_method

FORMATS = ("parquet", "netcdf", "zarr")
CUBE_FORMATS = ("zarr", "parquet")
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
        that do not go together, tables that are not there, cycles, output among the inputs, unsafe paths.
    """
    if path is None:
        text = resources.files("tiva.data").joinpath(EXAMPLE_PLAN).read_text(encoding="utf-8")
        return parse_plan(text, Path.cwd() / EXAMPLE_PLAN, out=out)
    path = Path(path)
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
        raise _refusal(path, [f"{position.line}:{position.column}: {said}"]) from error
    problems = Problems(Positions(text.replace("\r\n", "\n")))
    check_secrets(problems, values)
    plan = _plan(Fields(values, (), problems), text, path, out)
    if problems.found or plan is None:
        raise _refusal(path, problems.lines())
    return plan


def _refusal(path: Path, lines: list[str]) -> PlanError:
    shown = "".join(f"\n  {path.name}:{line}" for line in lines)
    count = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return PlanError(f"the plan has {count}:{shown}", path=path, problems=lines)


def _plan(top: Fields, text: str, path: Path, out: str | Path | None) -> Plan | None:
    root = path.parent
    version = top.take("version", Kind.INTEGER, default=1)
    if version not in (None, 1):
        top.problem("version", f"version {version} of plans is not known here; write version = 1")
    output = top.table("output")
    folder = safe_path(output, "folder", root, default="results")
    form = output.choice("format", FORMATS, default="parquet")
    output.finish()
    run = _run(top.table("run"))
    margins = tuple(_margin(f, root) for f in top.tables("margins"))
    scenarios = _scenarios(top)
    satellites = tuple(_satellite(f, root) for f in top.tables("satellites"))
    tables = tuple(_table(f, i, root) for i, f in enumerate(top.tables("tables", required=True)))
    methods = tuple(m for f in top.tables("methods") for m in _methods(f))
    cubes = tuple(_cube(f, i) for i, f in enumerate(top.tables("cubes")))
    if not methods and not cubes and not top.problems.found:
        top.problem("", "nothing to compute: add [[methods]] or [[cubes]]")
    top.finish()
    named = {"tables": tables, "margins": margins, "scenarios": scenarios, "satellites": satellites, "cubes": cubes}
    _check_names(top, named)
    target = (Path(out).resolve() if out is not None else folder) or root
    check_places(top, target, out is None, tables, [*margins, *satellites], path)
    if top.problems.found:
        return None
    return Plan(path, text, target, form, tables, methods, cubes, margins, scenarios, satellites, **run)


def _run(fields: Fields) -> dict[str, Any]:
    from tiva.batch.costs import parse_bytes

    workers = fields.take("workers", Kind.INTEGER, default=0)
    if workers is not None and workers < 0:
        fields.problem("workers", "must be 0 (automatic) or more", value=True)
    memory = fields.take("memory", Kind.TEXT, default=None)
    size: int | None = None
    if memory is not None:
        try:
            size = parse_bytes(memory)
        except TivaError as error:
            fields.problem("memory", str(error).splitlines()[0] + '; write for example "8GB"', value=True)
    timeout = fields.take("timeout", Kind.NUMBER, default=None)
    if timeout is not None and timeout <= 0:
        fields.problem("timeout", "must be more than 0 seconds", value=True)
    scheduler = fields.take("scheduler", Kind.TEXT, default=None)
    if scheduler is not None:
        from tiva.batch.cluster import SCHEDULERS, is_scheduler

        if not is_scheduler(scheduler):
            fields.problem("scheduler", f"unknown scheduler {scheduler!r}; one of {', '.join(SCHEDULERS)}", value=True)
    backend = fields.choice("backend", ("numpy", "torch", "cupy", ""), default="") or None
    fields.finish()
    return {"workers": workers, "memory": size, "timeout": timeout, "scheduler": scheduler, "backend": backend}


def _table(fields: Fields, index: int, root: Path) -> TableSpec:
    example = fields.take("example", Kind.BOOLEAN, default=False)
    catalogue = fields.take("catalogue", Kind.TEXT, default="")
    has_paths = "paths" in fields
    files = find_files(fields, "paths", root) if has_paths else ()
    years = fields.years("years")
    layout = fields.take("layout", Kind.TEXT, default=None)
    options = fields.take("options", Kind.TABLE, default={})
    if sum((bool(example), bool(catalogue), has_paths)) != 1:
        fields.problem("", "a table needs exactly one of: paths, catalogue, example = true")
    if catalogue and not years:
        fields.problem("catalogue", "needs years = [...]")
    elif catalogue:
        _check_catalogue(fields, catalogue, years)
    for name, given in (("years", years), ("layout", layout), ("options", options)):
        if example and given:
            fields.problem(name, "does not go with example = true")
    default = "example" if example else catalogue or f"table{index + 1}"
    spec = TableSpec(
        name=fields.label("name", default=default),
        kind="example" if example else "catalogue" if catalogue else "files",
        files=files,
        catalogue=catalogue or "",
        years=years,
        layout=layout,
        options=options or {},
        margins=fields.names("margins"),
        scenarios=fields.names("scenarios"),
    )
    fields.finish()
    return spec


def _check_catalogue(fields: Fields, name: str, years: tuple[int, ...]) -> None:
    """Note a data set or year that the catalogue of sources does not have."""
    try:
        from data_fetch.catalogue import catalogue
    except ImportError:
        return  # the jobs say which extra is missing
    try:
        catalogue()[name].select(years)
    except UnknownLabelError as error:
        fields.problem("catalogue", _unknown("data set", name, error.known), value=True)
    except TivaError as error:
        fields.problem("years", " ".join(line.strip() for line in str(error).splitlines()), value=True)


def _methods(fields: Fields) -> list[MethodSpec]:
    """Every combination of the options that are given as lists."""
    method = fields.take("method", Kind.TEXT, default=None)
    if method is None:
        fields.problem("", 'a method needs its name: method = "bm"')
        method = ""
    axes: dict[str, tuple[Any, ...]] = {
        name: fields.names(name) or (None,) for name in ("perspective", "approach", "perimeter")
    }
    levels = fields.names("level") or ("country",)
    details = fields.flags("detail")
    chosen = {name: fields.names(name) for name in ("exporter", "importer", "sector")}
    satellites = fields.names("satellite") or (NO_SATELLITE,)
    label = fields.label("name", default="")
    several = any(len(values) > 1 for values in (*axes.values(), details))
    fields.finish()
    found: list[MethodSpec] = []
    if not method:
        return found
    combined = product(axes["perspective"], axes["approach"], axes["perimeter"], levels, details)
    for perspective, approach, perimeter, level, detail in combined:
        options = {"perspective": perspective, "approach": approach, "perimeter": perimeter}
        spec = _method(fields, method, options, level, detail, chosen, label)
        if spec is not None:
            if label and several:
                spec = replace(spec, name=f"{label}-{replace(spec, name=None).label}")
            found += [replace(spec, satellite=None if name == NO_SATELLITE else name) for name in satellites]
    return found


def _method(
    fields: Fields,
    method: str,
    options: Mapping[str, str | None],
    level: str,
    detail: bool,
    chosen: Mapping[str, tuple[str, ...] | None],
    label: str,
) -> MethodSpec | None:
    try:
        row = find_method(method, **options, level=level, detail=detail)
    except TivaError as error:
        said = " ".join(line.strip() for line in str(error).splitlines())
        kind = error.kind if isinstance(error, UnknownLabelError) and error.kind in fields else "method"
        given = fields[kind]
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
        exporter=chosen["exporter"],
        importer=chosen["importer"],
        sector=chosen["sector"],
        name=label or None,
    )


def _margin(fields: Fields, root: Path) -> MarginSpec:
    file = safe_path(fields, "path", root, default=None)
    options: dict[str, Any] = {}
    theta = fields.take("theta", Kind.NUMBER, default=None)
    if theta is not None:
        if abs(theta) > 1:
            fields.problem("theta", "must lie between -1 and 1", value=True)
        options["theta"] = float(theta)
    for name, allowed in (("method", ("two-market", "proportional")), ("infeasible", ("refuse", "keep"))):
        if name in fields:
            options[name] = fields.choice(name, allowed, default=allowed[0])
    label = fields.label("name", default=file.stem if file else "margins")
    more: dict[str, Path] = {}
    for name in ("schemes", "sector_map"):
        fields.take(name, Kind.TEXT, default=None)
        found = safe_path(fields, name, root, default=None) if name in fields else None
        if found is not None:
            more[name] = found
            if not found.is_file():
                fields.problem(name, f"no such file: {found}", value=True)
    if file is not None and not file.is_file():
        fields.problem("path", f"no such file: {file}", value=True)
    prepare = _preparation(fields.table("prepare"))
    fields.finish()
    return MarginSpec(label, file or root, more, prepare, options)


def _preparation(fields: Fields) -> dict[str, Any]:
    """Return options of :func:`tiva.prepare_margins`; values are checked there."""
    options: dict[str, Any] = {
        "year": fields.take("year", Kind.INTEGER, default=None),
        "traders": fields.names("traders"),
        "trader_allocation": fields.take("trader_allocation", Kind.TEXT, default=None),
        "on_conflict": fields.take("on_conflict", Kind.TEXT, default=None),
    }
    if "donors" in fields and isinstance(fields["donors"], dict):
        options["donors"] = fields.groups("donors")
    else:
        options["donors"] = fields.take("donors", Kind.TEXT, default=None)
    fields.finish()
    return {name: value for name, value in options.items() if value is not None}


def _satellite(fields: Fields, root: Path) -> SatelliteSpec:
    """Return a satellite; the values of its options are checked by :func:`tiva.read_satellite`."""
    file = safe_path(fields, "path", root, default=None)
    if file is not None and not file.exists():
        fields.problem("path", f"no such file: {file}", value=True)
    name = fields.label("name", default=file.stem if file else "satellite")
    options: dict[str, Any] = {n: fields.take(n, Kind.TEXT, default=None) for n in ("variable", "unit", "member")}
    options["year"] = fields.take("year", Kind.INTEGER, default=None)
    options["missing"] = fields.choice("missing", ("error", "zero"), default="error")
    for key in ("sectors", "countries", "select"):
        options[key] = fields.texts(key)
    fields.finish()
    return SatelliteSpec(name, file or root, {key: value for key, value in options.items() if value})


def _cube(fields: Fields, index: int) -> CubeSpec:
    origin = fields.choice("origin", ("country", "country-sector"), default="country")
    form = fields.choice("format", CUBE_FORMATS, default="zarr")
    spec = CubeSpec(fields.label("name", default=f"cube{index + 1}"), origin, form)
    fields.finish()
    return spec


def _scenarios(top: Fields) -> tuple[ScenarioSpec, ...]:
    found: list[ScenarioSpec] = []
    for fields in top.tables("scenarios"):
        name = fields.label("name", default="")
        if not name:
            fields.problem("", 'a scenario needs a name: name = "..."')
        spec = ScenarioSpec(
            name=name,
            based_on=fields.take("based_on", Kind.TEXT, default="") or "",
            merge_split_countries=bool(fields.take("merge_split_countries", Kind.BOOLEAN, default=False)),
            aggregate_countries=fields.groups("aggregate_countries"),
            aggregate_sectors=fields.groups("aggregate_sectors"),
            groups=fields.groups("groups"),
            final_demand=tuple(_shock(f) for f in fields.tables("final_demand")),
        )
        fields.finish()
        found.append(spec)
    _check_cycles(top, found)
    _check_group_cycles(top, found)
    return tuple(found)


def _shock(fields: Fields) -> Mapping[str, Any]:
    factor = fields.take("factor", Kind.NUMBER, default=None)
    if factor is None:
        fields.problem("", "a shock of final demand needs factor = ...")
    elif factor < 0:
        fields.problem("factor", "must not be negative", value=True)
    shock: dict[str, Any] = {"factor": float(factor or 0.0)}
    for name in ("seller", "sector", "absorber"):
        chosen = fields.names(name)
        if chosen is not None:
            shock[name] = list(chosen)
    fields.finish()
    return shock


def _check_cycles(top: Fields, scenarios: list[ScenarioSpec]) -> None:
    parents = {s.name: s.based_on for s in scenarios}
    for index, scenario in enumerate(scenarios):
        at = ("scenarios", index, "based_on")
        if scenario.based_on and scenario.based_on not in {*parents, BASELINE}:
            top.problems.add(at, _unknown("scenario", scenario.based_on, tuple(parents)), value=True)
            continue
        seen = [scenario.name]
        while parents.get(seen[-1]):
            seen.append(parents[seen[-1]])
            if seen[-1] == scenario.name:
                top.problems.add(at, f"scenarios go round in a circle: {' -> '.join(seen)}", value=True)
                break
            if seen[-1] in seen[:-1]:
                break


def _check_group_cycles(top: Fields, scenarios: list[ScenarioSpec]) -> None:
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


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> str:
    close = suggest(name, known)
    hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known) or 'none'}"
    return f"unknown {kind} {name!r}{hint}"


_RESERVED = {"margins": NO_MARGINS, "scenarios": BASELINE, "satellites": NO_SATELLITE}


def _check_names(top: Fields, named: Mapping[str, tuple[Any, ...]]) -> None:
    """Note names that are used twice or reserved, and names that nothing has."""
    for kind, items in named.items():
        names = [item.name for item in items]
        for index, name in enumerate(names):
            if name in names[:index]:
                top.problems.add((kind, index, "name"), f"the name {name!r} is used twice in [[{kind}]]", value=True)
            if name in {NO_MARGINS, BASELINE} and kind in _RESERVED:
                top.problems.add((kind, index, "name"), f"the name {name!r} is reserved", value=True)
    known = {kind: (reserved, *(item.name for item in named[kind])) for kind, reserved in _RESERVED.items()}
    uses = [
        ("tables", "margins", "margins"),
        ("tables", "scenarios", "scenarios"),
        ("methods", "satellite", "satellites"),
    ]
    for kind, key, what in uses:
        for index, position, name in _used(top, kind, key):
            if name not in known[what]:
                at = (kind, index, key) if position is None else (kind, index, key, position)
                top.problems.add(at, _unknown(what.removesuffix("s"), name, known[what]), value=True)


def _used(top: Fields, kind: str, key: str) -> list[tuple[int, int | None, str]]:
    """Return the names under a key of each table of a list: place of the table, place in the list, name."""
    found: list[tuple[int, int | None, str]] = []
    entries = top[kind] if kind in top and isinstance(top[kind], list) else []
    for index, entry in enumerate(entries):
        given = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(given, str):
            found.append((index, None, given))
        elif isinstance(given, list):
            found += [(index, place, name) for place, name in enumerate(given) if isinstance(name, str)]
    return found
