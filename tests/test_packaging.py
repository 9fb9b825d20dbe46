from __future__ import annotations

import re
import tomllib

from tests.paths import ROOT


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_extra_and_group_for_tests_agree() -> None:
    settings = project()
    extra = settings["project"]["optional-dependencies"]["test"]  # type: ignore[index]
    group = settings["dependency-groups"]["test"]  # type: ignore[index]
    assert extra == group


def test_continuous_integration_calls_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    command = "python3 -m pip install uv && python3 -m uv run pytest"
    assert command in readme
    assert command in script


def test_citation_and_package_agree_on_the_version() -> None:
    import tiva

    cff = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    found = re.search(r"^version: (.+)$", cff, re.MULTILINE)
    assert found is not None
    assert found.group(1).strip('"') == tiva.__version__
    assert f"## {tiva.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
