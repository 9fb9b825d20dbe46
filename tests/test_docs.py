from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tiva


def modules() -> list[str]:
    found = [m.name for m in pkgutil.walk_packages(tiva.__path__, "tiva.")]
    return [name for name in found if not name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert outcome.failed == 0
