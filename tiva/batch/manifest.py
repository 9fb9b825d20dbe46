"""``manifest.json``: what a result folder holds, from what, by what, and whether it can be trusted."""

from __future__ import annotations

import datetime as dt
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tiva._version import __version__
from tiva.batch.execute import STATUS_OK, Outcome
from tiva.batch.jobs import Group, code_version
from tiva.batch.specs import Plan
from tiva.files import replacing

MANIFEST_FILE = "manifest.json"
SCHEMA = 1

RUNNING = "running"
COMPLETE = "complete"
INCOMPLETE = "incomplete"


def build(
    plan: Plan, groups: Sequence[Group], outcomes: Mapping[str, Outcome], status: str, run: dict[str, Any]
) -> dict[str, Any]:
    """Return the manifest as plain values.

    Parameters
    ----------
    plan, groups
        What was asked for.
    outcomes
        What became of each job, by id; jobs that are missing are ``"pending"``.
    status
        ``"running"``, ``"complete"`` (every job has its file) or ``"incomplete"``.
    run
        Facts about the run: layout, scheduler, memory.
    """
    inputs = {i.path: i.sha256 for g in groups for job in g.jobs for i in job.inputs()}
    jobs = [_job(job, outcomes.get(job.id)) for group in groups for job in group.jobs]
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job["status"]] = counts.get(job["status"], 0) + 1
    return {
        "schema": SCHEMA,
        "status": status,
        "written": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "tiva": __version__,
        "plan": {"name": plan.path.name, "sha256": plan.sha256, "text": plan.text},
        "format": plan.format,
        "versions": {"python": platform.python_version(), **code_version()},
        "platform": platform.platform(),
        "run": run,
        "counts": counts,
        "inputs": [{"path": p, "sha256": s} for p, s in sorted(inputs.items())],
        "jobs": jobs,
    }


def _job(job: Any, outcome: Outcome | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": job.id,
        "key": job.key,
        "labels": job.labels(),
        "kind": "cube" if job.cube is not None else "decomposition",
        "options": job.method.arguments() if job.method is not None else {"origin": job.cube.origin},
        "inputs": [i.sha256 for i in job.inputs()],
        "format": job.format,
        "status": "pending",
    }
    if outcome is not None:
        values |= {k: v for k, v in outcome.to_dict().items() if k not in {"id", "key"}}
        if outcome.status != STATUS_OK:
            values |= {"path": "", "sha256": "", "size": 0}
    return values


def write(folder: Path, manifest: dict[str, Any]) -> Path:
    """Write the manifest in one step."""
    path = folder / MANIFEST_FILE
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
