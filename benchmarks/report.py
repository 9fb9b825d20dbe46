"""Rows of ratios with their limits: printing, and writing by part."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tiva.files import replacing

LIBRARIES = ("numpy", "scipy", "numba", "pandas", "polars", "openpyxl", "python-calamine", "pyarrow", "zarr")


@dataclass(frozen=True, slots=True)
class Ratio:
    """One measured number and what it must reach.

    Attributes
    ----------
    what
        What was measured.
    value
        The number; ``None`` where it was skipped.
    unit
        Of the number.
    at_most, at_least
        The limit; both ``None`` where a row only informs.
    detail
        Seconds and sizes behind the number, or why it was skipped.
    """

    what: str
    value: float | None
    unit: str = "ratio"
    at_most: float | None = None
    at_least: float | None = None
    detail: str = ""

    @property
    def verdict(self) -> str:
        """``"ok"``, ``"FAILS"``, ``"skipped"`` or, without limit, nothing."""
        if self.value is None:
            return "skipped"
        if self.at_most is None and self.at_least is None:
            return ""
        low = self.at_least is not None and self.value < self.at_least
        high = self.at_most is not None and self.value > self.at_most
        return "FAILS" if low or high else "ok"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "verdict": self.verdict}

    def show(self) -> None:
        """Print the row."""
        value = "-" if self.value is None else f"{self.value:.3f}"
        limit = "" if self.at_most is None else f"<= {self.at_most:g}"
        limit = limit if self.at_least is None else f">= {self.at_least:g}"
        print(f"{self.what:<66} {value:>8} {self.unit:<6} {limit:>8} {self.verdict:<8}{self.detail}", flush=True)


def heading(title: str) -> None:
    """Print the heading of a part."""
    print(f"\n{title}\n{'what':<66} {'value':>8} {'unit':<6} {'limit':>8}", flush=True)


def merge(path: Path, part: str, rows: Sequence[dict[str, Any]], unit: str) -> None:
    """Replace the rows of a part in the file of results; other parts stay as they are.

    Parameters
    ----------
    path
        JSON file, made if missing.
    part
        Name of the part.
    rows
        Its rows.
    unit
        What the numbers mean.
    """
    parts: dict[str, Any] = {}
    if path.exists():
        parts = json.loads(path.read_text(encoding="utf-8")).get("parts", {})
    parts[part] = {"machine": _machine(), "versions": _versions(), "unit": unit, "rows": list(rows)}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"parts": parts}, indent=1) + "\n", encoding="utf-8")


def _machine() -> dict[str, Any]:
    return {"cpus": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
