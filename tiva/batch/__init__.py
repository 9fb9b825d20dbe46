"""Batches: plans of many tables and methods, run so that nothing that can happen spoils the results."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiva.batch.cubes import open_cube, stream_cube
    from tiva.batch.keys import plan_schema
    from tiva.batch.plan import read_plan
    from tiva.batch.results import open_results
    from tiva.batch.runner import BatchReport, describe, run_plan
    from tiva.batch.specs import Plan

_EXPORTS = {
    "BatchReport": "tiva.batch.runner",
    "Plan": "tiva.batch.specs",
    "describe": "tiva.batch.runner",
    "open_cube": "tiva.batch.cubes",
    "open_results": "tiva.batch.results",
    "plan_schema": "tiva.batch.keys",
    "read_plan": "tiva.batch.plan",
    "run_plan": "tiva.batch.runner",
    "stream_cube": "tiva.batch.cubes",
}

__all__ = [
    "BatchReport",
    "Plan",
    "describe",
    "open_cube",
    "open_results",
    "plan_schema",
    "read_plan",
    "run_plan",
    "stream_cube",
]


def __getattr__(name: str) -> object:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    msg = f"module 'tiva.batch' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
