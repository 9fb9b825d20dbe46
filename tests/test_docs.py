from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil

import pytest

import tiva
from tests.paths import ROOT


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
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert generate.with_speed(readme) == readme
    batches = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    assert generate.with_keys(batches) == batches
