from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil
import re
import shlex

import pytest

import tiva
from tests.paths import ROOT
from tiva.cli import main
from tiva.errors import GroupError, TivaError
from tiva.table.icio_table import IcioTable


def modules() -> list[str]:
    found = [m.name for m in pkgutil.walk_packages(tiva.__path__, "tiva.")]
    return [name for name in found if not name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert outcome.failed == 0


def test_generated_documentation_is_what_the_data_say() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == generate.page()
    assert (ROOT / "docs" / "vocabulary.md").read_text(encoding="utf-8") == generate.names()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert generate.with_speed(readme) == readme
    batches = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    assert generate.with_keys(batches) == batches


@pytest.mark.parametrize("name", ["groups.md", "vocabulary.md"])
def test_examples_of_pages_run(name: str) -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    outcome = doctest.testfile(str(ROOT / "docs" / name), module_relative=False, optionflags=flags)
    assert outcome.attempted > 5
    assert outcome.failed == 0


@pytest.mark.parametrize("name", ["groups.md", "vocabulary.md"])
def test_commands_of_pages_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(commands) > 3
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "tiva"
        assert main(words[1:]) == 0, capsys.readouterr().err


def test_numbers_of_the_page_on_groups(example: IcioTable) -> None:
    text = (ROOT / "docs" / "groups.md").read_text(encoding="utf-8")
    rows = [re.findall(r"\d+,\d{3}(?:,\d{3})?", line) for line in text.splitlines() if "| **" in line]
    printed = [[int(number.replace(",", "")) for number in row] for row in rows]
    model = tiva.LeontiefModel(example)
    members = tiva.decompose(model).tiva.sum_groups({"NAFTA": "NAFTA"}).sel(exporter="NAFTA")
    as_one = tiva.decompose(example, groups="NAFTA").sel(exporter="NAFTA")
    assert printed == [[], *([round(float(r[t])) for t in ("gexp", "dva", "fva")] for r in (members, as_one))]
    inside = tiva.decompose(model, level="bilateral", exporter="NAFTA", importer="NAFTA")["gexp"].sum()
    assert f"{round(float(inside)):,}" in text
    assert round(float(members["gexp"] - as_one["gexp"])) == round(float(inside))


def test_what_the_page_on_groups_says_is_refused_is(example: IcioTable) -> None:
    model = tiva.LeontiefModel(example)
    cases: list[tuple[dict[str, object], str]] = [
        ({"exporter": "NATFA"}, "unknown"),
        ({"exporter": "NAFTA|MEX"}, "appears both alone and in a group"),
        ({"exporter": ["NAFTA", "MEX"]}, "appears both alone and in a group"),
        ({"exporter": ["NAFTA", "G7"]}, "G7-NAFTA"),
        ({"exporter": ["MEX", "MEX"]}, "given twice"),
        ({"groups": {"A": ["MEX"], "B": ["MEX"]}}, "overlap"),
        ({"groups": "NAFTA", "exporter": "MEX"}, "part of a group that acts as one"),
        ({"exporter": "WLD-WLD"}, "selects no country"),
        ({"exporter": "SICA"}, "selects no country"),
        ({"exporter": "NPL"}, "is not in this table on its own"),
        ({"exporter": "G7-BRA"}, "no member in common"),
    ]
    for options, text in cases:
        with pytest.raises(TivaError, match=text):
            tiva.decompose(example if "groups" in options else model, **options)  # type: ignore[arg-type]
    with pytest.raises(GroupError, match="not its member"):
        tiva.decompose(model).tiva.sum_groups({"BRA": ["USA"]})
