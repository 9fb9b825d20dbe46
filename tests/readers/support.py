"""Fixtures of the layouts with their expected parses, and small edits of them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.paths import shared
from tiva.table.icio_table import IcioTable

TEXT_TOLERANCE = 2e-3
"""Fixtures are written with six digits."""


def fixture(name: str) -> Path:
    return shared(f"formats/fixtures/{name}")


def expected(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(fixture(f"{name}.expected.json").read_text())
    return values


def edited(name: str, folder: Path, change: Callable[[str], str], as_name: str | None = None) -> Path:
    """Write a changed copy of a text fixture."""
    path = folder / (as_name or name)
    path.write_text(change(fixture(name).read_text()), newline="")
    return path


def zipped(path: Path, **members: Path | bytes) -> Path:
    """Write an archive; keyword names with ``__`` for ``.``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content if isinstance(content, bytes) else content.read_bytes())
    return path


def assert_parsed(table: IcioTable, want: dict[str, Any], *, taxes: str | None = None) -> None:
    """Compare a table without split countries with an expected parse."""
    assert list(table.countries) == want["countries"]
    assert list(table.sectors) == want["sectors"]
    assert list(table.final_demand_categories) == want["fd"]
    pairs = {"intermediate": "Z", "value_added": "VA", "output": "X"}
    for field, key in pairs.items():
        np.testing.assert_allclose(getattr(table, field), want[key], atol=TEXT_TOLERANCE)
    np.testing.assert_allclose(table.final_demand.reshape(table.n, -1), want["Y"], atol=TEXT_TOLERANCE)
    if taxes is not None:
        row = table.other_inputs[taxes]
        np.testing.assert_allclose(row.intermediate, want["TLS_Z"], atol=TEXT_TOLERANCE)
        if want["TLS_Y"] is not None:
            assert row.final is not None
            np.testing.assert_allclose(row.final.reshape(-1), want["TLS_Y"], atol=TEXT_TOLERANCE)
