"""The JSON schema of plans against the parser: the same verdict wherever a schema can have one."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.batch.conftest import PLAN
from tests.batch.test_plan import EXAMPLE, METHOD, MISTAKES, _toml
from tests.batch.test_run import SATELLITES
from tests.cli.test_cli import ran
from tiva.batch import plan_schema
from tiva.batch.fields import Section
from tiva.batch.keys import PLAN as DECLARED
from tiva.batch.plan import parse_plan
from tiva.batch.shapes import Several, Shape, Text
from tiva.errors import PlanError
from tiva.terms import methods

SCHEMA = plan_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

BEYOND = (
    "do not go together", "has no year", "unknown data set",  # catalogues
    "no such table", "nothing matches", "no such file",  # files
    "unknown layout", "did you mean 'member'", "of layout 'cepal'", "labels: the path",  # readers
    "keep secrets out",  # whatever looks like one
    "A -> B -> A", "unknown scenario", "used twice",  # names that refer to each other
    "not a range of years",  # order of two numbers
)  # fmt: skip
"""What a schema cannot know; of numbers, JSON has no NaN."""


def is_toml(text: str) -> bool:
    try:
        return bool(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return False


def accepted(text: str) -> bool:
    return bool(VALIDATOR.is_valid(tomllib.loads(text)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "batch", "--schema")
    assert code == 0
    assert json.loads(out) == SCHEMA


def test_the_example_plan_and_its_commented_lines_are_accepted() -> None:
    text = resources.files("tiva.data").joinpath("example_plan.toml").read_text(encoding="utf-8")
    assert accepted(text)
    more = text.replace("example = true", "paths = ['data/wiot*.npz']").replace("# satellite =", "satellite =")
    more = more.replace("# [[satellites]]", "[[satellites]]").replace("# name", "name").replace("# path =", "path =")
    assert more.count("[[satellites]]") == 1
    assert accepted(more.replace("# variable", "variable"))


VALID = [
    PLAN.format(form="zarr"),
    PLAN.format(form="parquet") + SATELLITES,
    EXAMPLE + METHOD + "[run]\nmemory = '1.5 GiB'\nscheduler = 'tcp://10.0.0.1:8786'\ntimeout = 0.5\n",
    EXAMPLE + METHOD + "[run]\nbackend = 'torch'\nworkers = 2\n",
    EXAMPLE + "[[methods]]\nmethod = 'bm'\ndetail = [true, false]\nexporter = 'MEX|BRA'\nname = 'mine'\n",
    "[[tables]]\ncatalogue = 'wiod2013'\nyears = '1995-1997'\n" + METHOD,
    "[[tables]]\ncatalogue = 'wiod2013'\nyears = [1995, 2000]\nscenarios = 'baseline'\n" + METHOD,
    EXAMPLE + "[[cubes]]\norigin = 'country-sector'\nformat = 'parquet'\n",
    EXAMPLE + METHOD + "[[scenarios]]\nname = 'a'\nmerge_split_countries = true\naggregate_sectors = { all = ['c1'] }\n"
    "[[scenarios.final_demand]]\nfactor = 0\nabsorber = 'USA'\n[[scenarios]]\nname = 'b'\nbased_on = 'a'\n",
]  # fmt: skip


@pytest.mark.parametrize("text", VALID)
def test_both_accept(text: str, project: Path) -> None:
    (project / "jobs.csv").touch()
    parse_plan(text, project / "plan.toml")
    VALIDATOR.validate(tomllib.loads(text))


def test_both_accept_every_row_of_the_catalogue_of_methods(tmp_path: Path) -> None:
    text = EXAMPLE
    for number, row in enumerate(methods()):
        options = {n: getattr(row, n) for n in ("method", "perspective", "approach", "perimeter") if getattr(row, n)}
        lines = [f"{name} = '{value}'" for name, value in options.items()]
        text += "\n".join(["[[methods]]", *lines, f"level = {list(row.levels)}", f"name = 'm{number}'", ""])
    assert len(parse_plan(text, tmp_path / "plan.toml").methods) > len(methods())
    VALIDATOR.validate(tomllib.loads(text))


@pytest.mark.parametrize(
    ("text", "said"), [(text, said) for text, _, _, said in MISTAKES if is_toml(text) and "nan" not in text]
)
def test_the_schema_refuses_what_the_parser_refuses(text: str, said: str) -> None:
    assert accepted(text) == any(part in said for part in BEYOND)


def shapes(section: Section) -> Iterator[Shape]:
    yield from (key.shape for key in section.keys.values())
    for inner in [*(section.sections or {}).values(), *(section.lists or {}).values()]:
        yield from shapes(inner)


def has_catalogue(shape: Shape) -> bool:
    """Whether the parser leaves a part of the verdict to where options are combined, or names compared."""
    inner = shape.item if isinstance(shape, Several) else shape
    return isinstance(inner, Text) and bool(inner.known or inner.reserved)


SHAPES = {repr(shape): shape for shape in shapes(DECLARED)}
WORDS = [
    "", " ", "a", "8GB", "0.5 mib", "tcp://h:1", "tcp://", "slurm", "x y", "parquet", "all", "$HOME", "~", "a/*.nc",
    "http://x", "1995-2011", "{a,b}", "-", "a.b_c-1", "error", "country",
]  # fmt: skip
PLAIN = st.sampled_from([-1, 0, 1, 2011]) | st.booleans() | st.sampled_from(WORDS) | st.sampled_from([0.5, -0.5, 1.5])
ANY = (
    PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.sampled_from(["", " ", "A", "B"]), PLAIN | st.lists(PLAIN))
)


@pytest.mark.parametrize("name", sorted(SHAPES))
@settings(deadline=None, max_examples=60)
@given(value=ANY)
def test_each_declared_value_has_one_verdict(name: str, value: Any) -> None:
    shape = SHAPES[name]
    fits = not shape.mistakes(value)
    valid = jsonschema.Draft202012Validator(shape.schema()).is_valid(value)
    assert valid == fits or (fits and has_catalogue(shape))


BASE: dict[str, Any] = {
    "output": {"folder": "out"}, "run": {"workers": 1},
    "tables": [{"example": True}], "methods": [{"method": "headline"}],
    "margins": [{"path": "m.csv", "prepare": {"year": 2011}}], "satellites": [{"path": "m.csv", "name": "s"}],
    "scenarios": [{"name": "a", "final_demand": [{"factor": 1.5}]}], "cubes": [{"origin": "country"}],
}  # fmt: skip
"""A plan with every section."""


def places(section: Section, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key of every section, as a path into :data:`BASE`."""
    yield from ((*path, name) for name in (*section.names, "odd"))
    for name, inner in (section.sections or {}).items():
        yield from places(inner, (*path, name))
    for name, inner in (section.lists or {}).items():
        yield from places(inner, (*path, name, 0))


PLACES = sorted(places(DECLARED), key=str)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PLACES), ANY | st.recursive(PLAIN, lambda v: st.lists(v, max_size=2), max_leaves=4))
def test_whatever_stands_in_a_plan_is_accepted_or_told_by_line_and_column(
    folder: Path, place: tuple[str | int, ...], value: Any
) -> None:
    plan = copy.deepcopy(BASE)
    target: Any = plan
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    text = "".join(f"{key} = {_toml(given)}\n" for key, given in plan.items())
    assert tomllib.loads(text) == plan
    said: tuple[str, ...] = ()
    try:
        parse_plan(text, folder / "plan.toml")
    except PlanError as error:
        said = tuple(error.problems)
    assert all(re.match(r"\d+:\d+: ", line) for line in said)
    assert said or VALIDATOR.is_valid(plan), "the schema refuses what the parser accepts"


def test_a_plan_with_every_section_is_accepted(folder: Path) -> None:
    text = "".join(f"{key} = {_toml(given)}\n" for key, given in BASE.items())
    assert parse_plan(text, folder / "plan.toml").cubes
    VALIDATOR.validate(tomllib.loads(text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("plan")
    (found / "m.csv").touch()
    return found


def test_choices_are_those_of_the_functions_that_take_them() -> None:
    from tiva.bands.prepare import Conflicts
    from tiva.bands.split import Infeasible, SplitMethod
    from tiva.bands.spread import TraderAllocation
    from tiva.readers.satellites import Missing

    margins = (DECLARED.lists or {})["margins"]
    prepare = (margins.sections or {})["prepare"]
    satellites = (DECLARED.lists or {})["satellites"]
    declared = {
        SplitMethod: margins.keys["method"], Infeasible: margins.keys["infeasible"],
        TraderAllocation: prepare.keys["trader_allocation"], Conflicts: prepare.keys["on_conflict"],
        Missing: satellites.keys["missing"],
    }  # fmt: skip
    for choices, key in declared.items():
        assert set(get_args(choices)) == set(key.schema()["enum"])
