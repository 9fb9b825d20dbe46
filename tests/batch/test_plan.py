from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.batch.conftest import PLAN
from tiva.batch.jobs import expand
from tiva.batch.plan import parse_plan, read_plan
from tiva.batch.positions import Positions
from tiva.errors import MissingFileError, PlanError, PlanWarning

METHOD = '[[methods]]\nmethod = "headline"\n'
EXAMPLE = "[[tables]]\nexample = true\n"


def problems(text: str, root: Path) -> list[str]:
    with pytest.raises(PlanError) as caught:
        parse_plan(text, root / "plan.toml")
    return list(caught.value.problems)


def test_the_example_plan_is_valid_and_its_jobs_are_distinct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = read_plan()
    jobs = [job for group in expand(plan) for job in group.jobs]
    assert len(jobs) == 15
    assert len({job.id for job in jobs}) == len({job.key for job in jobs}) == 15
    assert plan.output == tmp_path / "tiva-results"


MISTAKES = [
    ("a = = 1", 1, 5, "Invalid value"),
    ("[output\n", 1, 8, "Expected ']'"),
    (EXAMPLE + METHOD + 'tabels = "x"\n', 5, 1, "unknown key 'tabels'"),
    (EXAMPLE + METHOD + "[output]\nformt = 'zarr'\n", 6, 1, "did you mean 'format'"),
    (EXAMPLE + METHOD + "[output]\nformat = 'zar'\n", 6, 10, "did you mean 'zarr'"),
    (EXAMPLE + METHOD + "[run]\nworkers = '2'\n", 6, 11, "must be a whole number, not a text"),
    (EXAMPLE + METHOD + "[run]\nworkers = -2\n", 6, 11, "0 (automatic) or more"),
    (EXAMPLE + METHOD + "[run]\nmemory = 'lots'\n", 6, 10, "not a size of memory"),
    (EXAMPLE + METHOD + "[run]\nscheduler = 'cloud'\n", 6, 13, "unknown scheduler"),
    (EXAMPLE + "[[methods]]\nmethod = 'headlin'\n", 4, 10, "did you mean 'headline'"),
    (EXAMPLE + "[[methods]]\nmethod = 'kww'\nlevel = 'bilateral'\n", 4, 10, "do not go together"),
    (EXAMPLE + "[[methods]]\nmethod = 'bm'\nlevel = ['country', 'cntry']\n", 5, 21, "unknown level 'cntry'"),
    ("[[tables]]\npaths = ['.']\nlayout = 'npzz'\n" + METHOD, 3, 10, "unknown layout 'npzz'; did you mean 'npz'"),
    ("[[tables]]\npaths = ['.']\noptions = { memver = 1 }\n" + METHOD, 3, 13, "did you mean 'member'"),
    ("[[tables]]\npaths = ['.']\nlayout = 'cepal'\noptions = { unit = 'x' }\n" + METHOD, 4, 13, "of layout 'cepal'"),
    ("[[tables]]\npaths = ['.']\noptions = { labels = 'no.csv' }\n" + METHOD, 3, 22, "labels: no such file"),
    ("[[tables]]\npaths = ['.']\noptions = { labels = '~/x' }\n" + METHOD, 3, 22, "labels: the path"),
    (EXAMPLE + "[[methods]]\nmethod = ''\n[[cubes]]\n", 4, 10, "unknown method ''"),
    (METHOD, 1, 1, "no [[tables]]"),
    (EXAMPLE, 1, 1, "nothing to compute"),
    ("[[tables]]\n" + METHOD, 1, 1, "exactly one of"),
    ("[[tables]]\npaths = ['missing.npz']\n" + METHOD, 2, 10, "no such table"),
    ("[[tables]]\npaths = [\n  'no*.npz',\n]\n" + METHOD, 3, 3, "nothing matches"),
    ("[[tables]]\ncatalogue = 'wiod2013'\n" + METHOD, 2, 1, "needs years"),
    ("[[tables]]\ncatalogue = 'wiod2031'\nyears = 2011\n" + METHOD, 2, 13, "unknown data set"),
    ("[[tables]]\ncatalogue = 'wiod2013'\nyears = [2050]\n" + METHOD, 3, 9, "has no year 2050"),
    (EXAMPLE + METHOD + "[run]\nscheduler = 'tcp://u:hunter2@host'\n", 6, 13, "keep secrets out"),
    (EXAMPLE + METHOD + "[[scenarios]]\nname = 'a'\ngroups = { A = ['B'], B = ['A'] }\n", 7, 12, "A -> B -> A"),
    ("[[tables]]\ncatalogue = 'w'\nyears = '2011-1995'\n" + METHOD, 3, 9, "not a range of years"),
    (EXAMPLE + METHOD + "[[scenarios]]\nname = 'a'\nbased_on = 'b'\n", 7, 12, "unknown scenario 'b'"),
    (EXAMPLE + METHOD + "[[scenarios]]\nname = 'baseline'\n", 6, 8, "reserved"),
    (EXAMPLE + METHOD + EXAMPLE, 5, 1, "used twice"),
    (EXAMPLE + METHOD + "[tables2]\n", 5, 2, "did you mean 'tables'"),
    ("tables = 3\n" + METHOD, 1, 1, "write [[tables]]"),
    ("run = 3\n" + EXAMPLE + METHOD, 1, 7, "must be a table, not a number; write [run]"),
    ("version = 2\n" + EXAMPLE + METHOD, 1, 11, "write version = 1"),
    (EXAMPLE + METHOD + "[run]\nscheduler = 'inline'\ntimeout = 9\n", 7, 1, "no job can be ended inline"),
    (EXAMPLE + METHOD + "[run]\ntimeout = 0\n", 6, 11, "must be more than 0 seconds"),
    (EXAMPLE + METHOD + "[run]\ntimeout = nan\n", 6, 11, "must be more than 0 seconds"),
    (EXAMPLE + METHOD + "[[margins]]\npath = 'x'\ntheta = nan\n", 7, 9, "must lie between -1 and 1"),
    (EXAMPLE + METHOD + "[[margins]]\npath = 'x'\n[margins.prepare]\ndonors = 'al'\n", 8, 10, "did you mean 'all'"),
    (EXAMPLE + METHOD + "[[margins]]\nname = 'm'\n", 5, 1, "path = ... is missing"),
    (EXAMPLE + METHOD + "[[scenarios]]\nname = 'a'\ngroups = { ' ' = ['B'] }\n", 7, 18, "must not be empty"),
    (EXAMPLE + METHOD + "[[scenarios]]\nname = 'a'\nfinal_demand = [{ seller = 'B' }]\n", 7, 17, "needs factor"),
    (EXAMPLE + METHOD + "exporter = ['A', 'A']\n", 5, 18, "'A' is there twice"),
    (EXAMPLE + METHOD + "exporter = []\n", 5, 12, "must not be an empty list"),
    (EXAMPLE + METHOD + "detail = 'yes'\n", 5, 10, "must be true or false, not a text"),
    ("[[tables]]\npaths = ['']\n" + METHOD, 2, 10, "the path is empty"),
    (EXAMPLE.replace("true", "true\nyears = 2011") + METHOD, 3, 1, "does not go with example = true"),
]
"""Text of a plan, line and column of its mistake, and what is said about it."""


@pytest.mark.parametrize(("text", "line", "column", "said"), MISTAKES)
def test_mistakes_have_line_and_column(text: str, line: int, column: int, said: str, tmp_path: Path) -> None:
    found = problems(text, tmp_path)
    assert any(p.startswith(f"{line}:{column}: ") and said in p for p in found), found


def test_scenarios_that_go_round_in_a_circle(tmp_path: Path) -> None:
    text = EXAMPLE + METHOD + '[[scenarios]]\nname = "a"\nbased_on = "b"\n[[scenarios]]\nname = "b"\nbased_on = "a"\n'
    found = problems(text, tmp_path)
    assert [f.split(": ", 1)[0] for f in found] == ["7:12", "10:12"]
    assert "a -> b -> a" in found[0]


@pytest.mark.parametrize(
    "path",
    [
        "$HOME/x.npz",
        "`id`.npz",
        "$(id).npz",
        "x; rm y",
        "a|b",
        "~/x.npz",
        "%USERPROFILE%/x",
        "https://me:pw@host/x",
        "x?token=abc",
    ],
)
def test_shell_syntax_and_secrets_are_refused(path: str, tmp_path: Path) -> None:
    found = problems(f"[[tables]]\npaths = ['{path}']\n" + METHOD, tmp_path)
    assert found[0].startswith("2:10: ")
    assert "shell syntax" in found[0] or "password or key" in found[0]
    if "password" in found[0]:
        assert path not in found[0]
    found = problems(f"[output]\nfolder = '{path}'\n" + EXAMPLE + METHOD, tmp_path)
    assert found[0].startswith("2:10: ")


def test_output_among_the_inputs_is_refused(project: Path) -> None:
    for folder, said in (("data", "where inputs are looked for"), (".", "that of the plan")):
        text = PLAN.format(form="parquet").replace('"out"', f'"{folder}"')
        assert any(p.startswith("3:10: ") and said in p for p in problems(text, project))
    text = PLAN.format(form="parquet").replace("data/*.nc", "data").replace('"out"', '"data/out"')
    assert any("lies in the input" in p for p in problems(text, project))
    text = PLAN.format(form="parquet").replace("data/*.nc", "**/*.nc").replace('"out"', '"data/deep"')
    assert any("where inputs are looked for" in p for p in problems(text, project))


def test_paths_are_relative_to_the_plan(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    plan = read_plan(project / "plan.toml")
    assert plan.output == project / "out"
    assert [f.name for f in plan.tables[0].files] == ["t2000.nc", "t2001.nc", "t2002.nc"]


def test_missing_and_unreadable_plans(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such plan"):
        read_plan(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(PlanError, match="not a UTF-8 text"):
        read_plan(tmp_path / "latin.toml")


def test_options_given_as_lists_are_combined(tmp_path: Path) -> None:
    text = EXAMPLE + '[[methods]]\nmethod = "bm"\napproach = ["source", "sink"]\nlevel = ["country", "bilateral"]\n'
    plan = parse_plan(text, tmp_path / "plan.toml")
    assert len({(m.approach, m.level) for m in plan.methods}) == len(plan.methods) == 4


KEYS = st.text("abz_-", min_size=1, max_size=4)
VALUES = st.recursive(
    st.integers(-5, 5) | st.booleans() | st.sampled_from(["#x", "a]b", "q\\n", "[["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, list):
        return "[" + ",\n ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return repr(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f"'{name}'"


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], object]]:
    found: list[tuple[tuple[str | int, ...], object]] = [(path, value)]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += _paths(inner, (*path, index))
    return found


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))
def test_every_value_is_found_where_it_stands(values: dict[str, object]) -> None:
    text = "".join(f"{key} = {_toml(value)} # note\n" for key, value in values.items())
    assert tomllib.loads(text) == values
    positions = Positions(text)
    lines = text.split("\n")
    for path, value in _paths(values):
        if path and not isinstance(value, dict | list):
            line, column = positions.value(path)
            assert re.match(re.escape(_toml(value)), lines[line - 1][column - 1 :])


def test_secrets_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    text = EXAMPLE.replace("example = true", "paths = ['x.npz']\noptions = { password = 'hunter2' }")
    found = problems(text + METHOD, tmp_path)
    assert any(p.startswith("3:13: ") and "password looks like a secret" in p for p in found), found
    assert not any("hunter2" in p for p in found)


def test_secrets_are_refused_in_comments_too(tmp_path: Path) -> None:
    found = problems(EXAMPLE + METHOD + '# "token = abc" is no text here\nversion = 1 # see "#"', tmp_path)
    assert any(p.startswith("5:1: ") and "comment" in p for p in found), found
    assert not any("abc" in p for p in found)
    text = EXAMPLE + METHOD + "[output]\nfolder = 'a#b' # a plain word\n"
    assert parse_plan(text, tmp_path / "plan.toml").output.name == "a#b"


def test_an_entry_with_several_perimeters_and_a_name(tmp_path: Path) -> None:
    text = EXAMPLE + "[[methods]]\nmethod = 'my'\nperimeter = ['country', 'world']\n"
    for extra in ("", "name = 'mine'\n"):
        jobs = [job.id for group in expand(parse_plan(text + extra, tmp_path / "plan.toml")) for job in group.jobs]
        assert len(set(jobs)) == 2, jobs


def test_files_of_one_name_are_told_apart_by_their_folders(project: Path) -> None:
    for folder in ("A/x", "B/x"):
        (project / folder).mkdir(parents=True)
        (project / folder / "t.nc").write_bytes((project / "data" / "t2000.nc").read_bytes())
    text = PLAN.format(form="parquet").replace("data/*.nc", "[AB]/x/t.nc")
    jobs = [job.id for group in expand(parse_plan(text, project / "plan.toml")) for job in group.jobs]
    assert {j.split("_")[0] for j in jobs} == {"small-A-x-t.nc", "small-B-x-t.nc"}


@pytest.mark.parametrize("number", ["inf", str(10**400)])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\ntimeout = {}\n", "6:11: timeout: must be more than 0 seconds and finite"),
        (
            "[[scenarios]]\nname = 'a'\n[[scenarios.final_demand]]\nfactor = {}\n",
            "8:10: factor: must be a finite number",
        ),
    ],
)
def test_numbers_without_a_place_among_floats(text: str, said: str, number: str, tmp_path: Path) -> None:
    """They are refused by the parser only: a JSON schema does not know them."""
    found = problems(EXAMPLE + METHOD + text.format(number), tmp_path)
    assert len(found) == 1
    assert found[0].startswith(said)


def clashes(text: str, root: Path) -> list[str]:
    """Mistakes that are seen when the jobs of a plan are named."""
    plan = parse_plan(text, root / "plan.toml")
    with pytest.raises(PlanError, match="two jobs have the name") as caught:
        expand(plan)
    return list(caught.value.problems)


def test_names_that_differ_only_in_capitals_are_refused(tmp_path: Path) -> None:
    text = EXAMPLE + METHOD + "".join(f"[[scenarios]]\nname = '{name}'\n" for name in ("low", "Low"))
    (found,) = clashes(text, tmp_path)
    assert found.startswith("8:8: two jobs have the name 'example_Low_headline-exporter_country'; the first comes")
    assert " from 6:8;" in found
    assert "only in capitals" in found


MINE = '[[methods]]\nmethod = "bm"\nname = "mine"\nexporter = ["{}"]\n'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (EXAMPLE + MINE.format("MEX") + MINE.format("USA"), [("9:8", "5:8")]),
        ("\n" + EXAMPLE + "".join(MINE.format(x) for x in ("MEX", "USA", "CHN")), [("10:8", "6:8"), ("14:8", "6:8")]),
        (EXAMPLE + METHOD + "[[cubes]]\nname = 'headline-exporter_country'\n", [("6:8", "3:1")]),
        (
            "[[tables]]\nname = 'a'\nexample = true\n[[tables]]\nname = 'A'\nexample = true\n" + METHOD,
            [("5:8", "2:8")],
        ),
    ],
)
def test_two_jobs_of_one_name_have_line_and_column_of_both(
    text: str, found: list[tuple[str, str]], tmp_path: Path
) -> None:
    for line, (second, first) in zip(clashes(text, tmp_path), found, strict=True):
        assert line.startswith(f"{second}: two jobs have the name ")
        assert f"the first comes from {first};" in line


def test_files_of_one_entry_whose_names_differ_only_in_capitals(project: Path) -> None:
    for name in ("t", "T"):
        (project / "data" / f"{name}.nc").write_bytes((project / "data" / "t2000.nc").read_bytes())
    if len(list((project / "data").glob("[tT].nc"))) == 1:
        pytest.skip("this file system does not tell capitals apart")
    (found, *_) = clashes(PLAN.format(form="parquet").replace("*.nc", "[tT].nc"), project)
    assert found.startswith("6:8: two jobs have the name 'small-t_headline-exporter_country'; names that")


BM = "[[methods]]\nmethod = 'bm'\n"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (BM, "5:1: says the same as the entry at 3:1"),
        (BM + "level = 'country'\nperspective = ['exporter']\napproach = 'source'\n", "5:1: says the same"),
        (METHOD + BM, "7:1: says the same as the entry at 3:1"),
    ],
)
def test_entries_that_say_the_same_are_refused(second: str, said: str, tmp_path: Path) -> None:
    (found,) = problems(EXAMPLE + BM + second, tmp_path)
    assert found.startswith(said), found


def test_entries_that_overlap_are_computed_once_and_told(tmp_path: Path) -> None:
    text = EXAMPLE + BM + "level = ['country', 'sector']\n" + METHOD + BM + "level = ['sector', 'bilateral']\n"
    with pytest.warns(PlanWarning, match=r"plan.toml:8:1: bm-exporter-source at level sector: .* at line 3; computed"):
        plan = parse_plan(text, tmp_path / "plan.toml")
    jobs = [job.id for group in expand(plan) for job in group.jobs]
    assert len(jobs) == len(set(jobs)) == 4
    assert plan.entries == (0, 0, 1, 2, 2)
    assert len(plan.notes) == 1


def test_entries_that_differ_in_their_name_are_two(tmp_path: Path) -> None:
    plan = parse_plan(EXAMPLE + BM + BM + "name = 'mine'\n", tmp_path / "plan.toml")
    assert len([job for group in expand(plan) for job in group.jobs]) == 2
    assert not plan.notes


def test_a_mistake_in_years_is_told_once(tmp_path: Path) -> None:
    found = problems("[[tables]]\ncatalogue = 'wiod2013'\nyears = '2011-1995'\n" + METHOD, tmp_path)
    assert len(found) == 1
    assert "not a range of years" in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "[[tables]]\npaths = ['https://me:hunter2@host/x']\n" + METHOD,
        "[[tables]]\npaths = ['x?token=hunter2']\n" + METHOD,
        "[[tables]]\npaths = ['$HOME/token=hunter2']\n" + METHOD,
        "[output]\nfolder = 'a/api_key=hunter2'\n" + EXAMPLE + METHOD,
        EXAMPLE + METHOD + "[run]\nbackend = 'password=hunter2'\n",
        EXAMPLE + METHOD + "[run]\npassword = 'hunter2'\n",
        EXAMPLE + "[[methods]]\nmethod = 'secret: hunter2'\n",
    ],
)
def test_a_secret_is_told_once_and_not_repeated(text: str, tmp_path: Path) -> None:
    (found,) = problems(text, tmp_path)
    assert "keep secrets out" in found
    assert "hunter2" not in found


def test_output_below_the_folder_of_a_pattern(project: Path) -> None:
    text = PLAN.format(form="parquet").replace('"out"', '"data/results"')
    assert any("where inputs are looked for" in p for p in problems(text, project))
    beside = PLAN.format(form="parquet").replace("data/*.nc", "*.nc")
    (project / "t.nc").write_bytes((project / "data" / "t2000.nc").read_bytes())
    assert parse_plan(beside, project / "plan.toml").output == project / "out"
