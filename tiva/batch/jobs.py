"""From a plan to jobs: every combination, each with a key that changes when its result could."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from tiva._version import __version__
from tiva.batch import costs
from tiva.batch.entries import Entry, clash
from tiva.batch.plan import refusal
from tiva.batch.positions import Path as Place
from tiva.batch.positions import Position
from tiva.batch.specs import BASELINE, NO_MARGINS, CubeSpec, MarginSpec, MethodSpec, Plan, ScenarioSpec, TableSpec
from tiva.errors import TivaError

EXAMPLE_ROWS = 255
"""Country-sectors of the embedded example."""

EXAMPLE_COUNTRIES = 17
"""Countries of the embedded example."""

EXAMPLE_YEAR = 2011
"""Year of the embedded example."""

UNKNOWN_ROWS = 4000
"""Country-sectors that a table of the catalogue is taken to have while its file is not here."""

NO_YEAR = "__HIVE_DEFAULT_PARTITION__"
"""Folder of results without a year, as data sets partitioned by folders write a missing value."""

_NUMERICS = ("numpy", "scipy", "numba", "pandas", "pyarrow", "xarray", "zarr", "h5netcdf", "python-calamine")


@dataclass(frozen=True, slots=True)
class Input:
    """A file or folder that a job reads; ``sha256`` is that of its bytes when the plan was expanded."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class TableSource:
    """One table of one year, and how it is changed before any method sees it.

    ``companions`` are further files that are read with it: labels beside it, or the files of a catalogue entry;
    ``option_inputs`` those that options of the reader name.
    """

    name: str
    kind: str
    input: Input | None
    companions: tuple[Input, ...]
    catalogue: str
    year: int | None
    layout: str | None
    options: Mapping[str, Any]
    option_inputs: Mapping[str, Input]
    margins_name: str
    margins: MarginSpec | None
    margins_inputs: Mapping[str, Input]
    scenario_name: str
    scenarios: tuple[ScenarioSpec, ...]
    backend: str | None

    @property
    def expected_year(self) -> int | None:
        """Year of the table as far as it is known before it is read."""
        return EXAMPLE_YEAR if self.kind == "example" else self.year

    def inputs(self) -> tuple[Input, ...]:
        """Return the files behind it."""
        more = (*self.companions, *self.option_inputs.values(), *self.margins_inputs.values())
        return more if self.input is None else (self.input, *more)

    def reader_options(self) -> dict[str, Any]:
        """Return the options of the reader, those that name files too."""
        return {**self.options, **{name: given.path for name, given in self.option_inputs.items()}}


@dataclass(frozen=True, slots=True)
class SatelliteSource:
    """A satellite account of a job: its name, file and the options of :func:`tiva.read_satellite`."""

    name: str
    input: Input
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One result file.

    Attributes
    ----------
    id
        Readable, unique in the plan; the result's place follows from it.
    key
        Digest of inputs, options and versions.
    source
        Table, margins and scenario.
    method, cube
        What is computed; one of the two.
    format
        Of the result.
    satellite
        What takes the place of value added, if anything does.
    seconds
        Estimate on one core, beside reading and factorising the table.
    """

    id: str
    key: str
    source: TableSource
    method: MethodSpec | None
    cube: CubeSpec | None
    format: str
    satellite: SatelliteSource | None = None
    seconds: float = field(default=0.0, compare=False)

    def inputs(self) -> tuple[Input, ...]:
        """Return the files that it reads."""
        return (*self.source.inputs(), *(() if self.satellite is None else (self.satellite.input,)))

    def place(self, year: int | None) -> str:
        """Return the path of the result below the output folder."""
        suffix = {"parquet": ".parquet", "netcdf": ".nc", "zarr": ".zarr"}[self.format]
        if self.cube is not None:
            return f"cubes/{self.id}{suffix if self.format == 'zarr' else ''}"
        folder = f"year={NO_YEAR if year is None else year}/method={self.method.method if self.method else ''}"
        return f"data/{folder}/{self.id}{suffix}"

    def labels(self) -> dict[str, str]:
        """Return what tells this result from others, as columns of the result set."""
        spec = self.method
        return {
            "table": self.source.name,
            "scenario": self.source.scenario_name,
            "margins": self.source.margins_name,
            "spec": spec.label if spec else (self.cube.name if self.cube else ""),
            "level": spec.level if spec else "cube",
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that share a table, and so one factorisation; they run one after the other in one process."""

    source: TableSource
    jobs: tuple[Job, ...]
    rows: int
    cost: costs.Estimate = field(default=costs.Estimate(0.0, 0))


def expand(plan: Plan, *, fetch: bool = False) -> tuple[Group, ...]:
    """Return all groups of jobs of a plan, in the order of the plan.

    Parameters
    ----------
    plan
        The plan.
    fetch
        Get the files of catalogue entries that are not here, where that can be; what cannot be had is left to the
        jobs, which say why.

    Raises
    ------
    PlanError
        Two jobs would have one name; with line and column of the second.
    """
    groups: list[Group] = []
    taken: dict[str, Entry] = {}
    clashes: dict[Position, str] = {}
    used = {method.satellite for method in plan.methods}
    satellites = {
        s.name: SatelliteSource(s.name, Input(str(s.file), digest(s.file)), s.options)
        for s in plan.satellites
        if s.name in used
    }
    specs = _distinct(plan)
    for number, source in _sources(plan, fetch=fetch):
        described = _described(source)
        jobs = tuple(_job(plan, source, described, spec, satellites) for spec in specs)
        for job, at in zip(jobs, specs.values(), strict=True):
            entry = _entry(plan, number, source, at)
            before = taken.setdefault(job.id.casefold(), entry)
            if before is not entry:
                clashes.setdefault(*clash(plan.text, job.id, before, entry))
        groups.append(_group(source, jobs))
    if clashes:
        raise refusal(plan.path, [f"{p.line}:{p.column}: {said}" for p, said in sorted(clashes.items())])
    return tuple(groups)


def _distinct(plan: Plan) -> dict[MethodSpec | CubeSpec, Place]:
    """Return methods and cubes, each once, with the place of the first entry that asks for it."""
    found: dict[MethodSpec | CubeSpec, Place] = {}
    for index, spec in enumerate(plan.methods):
        found.setdefault(spec, ("methods", plan.entries[index] if plan.entries else index))
    for index, cube in enumerate(plan.cubes):
        found.setdefault(cube, ("cubes", index))
    return found


def _entry(plan: Plan, table: int, source: TableSource, spec: Place) -> Entry:
    """Return the places in the plan of what a job is made of."""
    scenarios, margins = ([item.name for item in items] for items in (plan.scenarios, plan.margins))
    scenario, margin = source.scenario_name, source.margins_name
    return {
        "spec": spec,
        "scenario": ("scenarios", scenarios.index(scenario)) if scenario in scenarios else (),
        "margins": ("margins", margins.index(margin)) if margin in margins else (),
        "table": ("tables", table),
    }


def _group(source: TableSource, jobs: Sequence[Job]) -> Group:
    """Return jobs that share a table, with the estimates of all and of each."""
    from tiva.batch.cubes import BLOCK_BYTES

    rows, countries = _size(source)
    results = [
        0.0 if job.method is None else costs.result_cells(job.method.method, job.method.level, rows, countries)
        for job in jobs
    ]
    cubes = [
        0.0 if job.cube is None else float(countries if job.cube.origin == "country" else rows) * rows * countries
        for job in jobs
    ]
    file = Path(source.input.path) if source.input is not None else None
    cost, seconds = costs.estimate(
        rows,
        results,
        cubes,
        block_bytes=int(max((3 * min(BLOCK_BYTES, cells * 8) for cells in cubes), default=0)),
        banded=source.margins is not None,
        workbook=file is not None and file.suffix.lower() in {".xlsx", ".xlsb", ".xls"},
    )
    return Group(source, tuple(replace(j, seconds=s) for j, s in zip(jobs, seconds, strict=True)), rows, cost)


def _size(source: TableSource) -> tuple[int, int]:
    """Estimate the country-sectors and the countries of a table from the files at hand."""
    if source.kind == "example":
        return EXAMPLE_ROWS, EXAMPLE_COUNTRIES
    files = [source.input] if source.input is not None else list(source.companions)
    share = 1 if source.kind == "files" else max(1, _years_in_file(source))
    sizes = [costs.size_of(Path(file.path), share) for file in files]
    return max(sizes, default=(UNKNOWN_ROWS, UNKNOWN_ROWS // costs.TYPICAL_SECTORS))


def _years_in_file(source: TableSource) -> int:
    from data_fetch.catalogue import catalogue

    spans = [(e.first_year, e.last_year) for e in catalogue()[source.catalogue].select(source.year)]
    return max((last - first + 1 for first, last in spans if first is not None and last is not None), default=1)


def _sources(plan: Plan, *, fetch: bool) -> list[tuple[int, TableSource]]:
    """Return the tables to compute from, each with the number of its entry in the plan."""
    margins: dict[str, MarginSpec | None] = {NO_MARGINS: None, **{m.name: m for m in plan.margins}}
    more = {name: _margin_inputs(spec) for name, spec in margins.items()}
    found: list[tuple[int, TableSource]] = []
    for number, table in enumerate(plan.tables):
        for name, path, year in _table_years(table):
            given, companions = _table_inputs(table, path, year, fetch=fetch)
            base = TableSource(
                name=name,
                kind=table.kind,
                input=given,
                companions=companions,
                catalogue=table.catalogue,
                year=year,
                layout=table.layout,
                options=table.options,
                option_inputs={name: Input(str(file), digest(file)) for name, file in table.option_files.items()},
                margins_name=NO_MARGINS,
                margins=None,
                margins_inputs={},
                scenario_name=BASELINE,
                scenarios=(),
                backend=plan.backend,
            )
            chosen = product(
                table.margins or tuple(margins), table.scenarios or (BASELINE, *(s.name for s in plan.scenarios))
            )
            found += [
                (
                    number,
                    replace(
                        base,
                        margins_name=margin,
                        margins=margins[margin],
                        margins_inputs=more[margin],
                        scenario_name=scenario,
                        scenarios=plan.scenario_chain(scenario),
                    ),
                )
                for margin, scenario in chosen
            ]
    return found


def _table_inputs(
    table: TableSpec, path: Path | None, year: int | None, *, fetch: bool
) -> tuple[Input | None, tuple[Input, ...]]:
    """Return the file of a table, and what is read beside it."""
    if path is not None:
        from tiva.readers.source import companions

        return Input(str(path), digest(path)), tuple(Input(str(p), digest(p)) for p in companions(path))
    if table.kind != "catalogue" or year is None:
        return None, ()
    try:
        from data_fetch.tables import files_of

        files = files_of(table.catalogue, year, offline=None if fetch else True)
    except (TivaError, ImportError):
        return None, ()
    return None, tuple(Input(str(p), digest(p)) for p in files)


def _margin_inputs(spec: MarginSpec | None) -> dict[str, Input]:
    """Return the files of margins by the argument that takes them, ``source`` first."""
    if spec is None:
        return {}
    files = {"source": spec.file, **spec.more}
    return {name: Input(str(file), digest(file)) for name, file in files.items() if file.is_file()}


def _table_years(table: TableSpec) -> list[tuple[str, Path | None, int | None]]:
    """Name, file and year of each table; several files of one entry are named after the file too."""
    years: tuple[int | None, ...] = table.years or (None,)
    if table.kind != "files":
        return [(table.name, None, year) for year in years]
    many = len(table.files) > 1
    stems = _short_names(table.files)
    return [
        (f"{table.name}-{stem}" if many else table.name, file, year)
        for file, stem in zip(table.files, stems, strict=True)
        for year in years
    ]


def _short_names(files: Sequence[Path]) -> list[str]:
    """Return a name for each file: its own, with as many of its folders as it takes to tell all of them apart."""
    names = [f.name if f.is_dir() else f.name.split(".")[0] for f in files]
    if len(set(names)) < len(names):
        names = [f.name for f in files]
    for depth in range(1, max((len(f.parts) for f in files), default=1)):
        if len(set(names)) == len(names):
            break
        names = ["-".join((*f.parts[max(1, len(f.parts) - 1 - depth) : -1], f.name)) for f in files]
    return names


def _job(
    plan: Plan,
    source: TableSource,
    source_described: Mapping[str, Any],
    spec: MethodSpec | CubeSpec,
    satellites: Mapping[str, SatelliteSource],
) -> Job:
    method = spec if isinstance(spec, MethodSpec) else None
    cube = spec if isinstance(spec, CubeSpec) else None
    form = plan.format if cube is None else cube.format
    parts = [source.name, str(source.year) if source.year is not None else None]
    parts += [source.scenario_name if source.scenario_name != BASELINE else None]
    parts += [source.margins_name if source.margins_name != NO_MARGINS else None]
    if method is not None:
        parts += [method.label, method.level]
    elif cube is not None:
        parts += [cube.name]
    satellite = satellites[method.satellite] if method is not None and method.satellite else None
    described = {
        "source": source_described,
        "method": None if method is None else asdict(method),
        "cube": None if cube is None else asdict(cube),
        "satellite": None if satellite is None else [satellite.input.sha256, satellite.options],
        "format": form,
        "code": code_version(),
    }
    key = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()
    return Job("_".join(p for p in parts if p), key, source, method, cube, form, satellite)


def _described(source: TableSource) -> dict[str, Any]:
    """Return the source without the places of its files: moving them changes nothing."""
    values = asdict(source)
    values["input"] = source.input.sha256 if source.input else None
    values["companions"] = [given.sha256 for given in source.companions]
    values["option_inputs"] = {name: given.sha256 for name, given in source.option_inputs.items()}
    values["margins_inputs"] = {name: given.sha256 for name, given in source.margins_inputs.items()}
    if source.backend:
        values["backend_version"] = backend_version(source.backend)
    if source.margins is not None:
        del values["margins"]["file"], values["margins"]["more"]
    return values


@cache
def backend_version(name: str) -> str:
    """Return the version of an array library, so that results of another one, or of the fall-back, are not kept."""
    from importlib import metadata

    for package in (name, f"{name}-cuda12x", f"{name}-cuda13x", f"{name}-cuda11x"):
        try:
            return f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            continue
    return "not installed"


@cache
def code_version() -> dict[str, str]:
    """Return what a result depends on beside its inputs: the package's files and the numerical libraries."""
    from importlib import metadata

    package = Path(__file__).resolve().parents[1]
    folders = [package, package.parent / "data_fetch"]
    hasher = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".py", ".csv", ".toml", ".nc"} and _counts(file.relative_to(folder)):
                hasher.update(file.relative_to(folder).as_posix().encode() + b"\0")
                hasher.update(hashlib.sha256(file.read_bytes()).digest())
    versions = {"tiva": __version__, "files": hasher.hexdigest()}
    for name in _NUMERICS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _counts(relative: Path) -> bool:
    """Files that numbers cannot depend on are left out: pages, plots and the command line."""
    return relative.parts[0] not in {"cli", "report", "__pycache__"}


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of a folder."""
    path = Path(path)
    if path.is_dir():
        hasher = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            hasher.update(file.relative_to(path).as_posix().encode() + b"\0" + bytes.fromhex(digest(file)))
        return hasher.hexdigest()
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
