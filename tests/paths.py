"""Where reference data lie; tests that use data beside the project skip without them."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def shared(relative: str) -> Path:
    """Return a file of the reference data, or skip the test that asked for it."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"reference data are not beside the project: shared/data/{relative}")
    return path


def listed(folder: Path) -> list[str]:
    """Return the names in a folder, hidden ones included, sorted."""
    return sorted(path.name for path in folder.iterdir())
