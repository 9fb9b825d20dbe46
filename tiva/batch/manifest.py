"""``manifest.json``: what a result folder holds, from what, by what, and whether it can be trusted."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tiva._version import __version__
from tiva.batch.execute import STATUS_OK, Outcome
from tiva.batch.jobs import Group, Input, Job, TableSource, code_version
from tiva.batch.specs import Plan
from tiva.errors import OutputError, explain
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
    inputs = dict(_given(i) for g in groups for job in g.jobs for i in job.inputs())
    if any(g.source.kind == "example" for g in groups):
        inputs.update(_example())
    jobs = [
        _job(job, outcomes.get(job.id), given)
        for group in groups
        for given in [_source_options(group.source)]
        for job in group.jobs
    ]
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job["status"]] = counts.get(job["status"], 0) + 1
    return {
        "schema": SCHEMA,
        "status": status,
        "written": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "tiva": __version__,
        "plan": {"name": plan.path.name, "sha256": plan.sha256, "text": plan.text, "notes": list(plan.notes)},
        "format": plan.format,
        "versions": {"python": platform.python_version(), **code_version()},
        "platform": platform.platform(),
        "run": run,
        "counts": counts,
        "inputs": [{"path": p, "sha256": s} for p, s in sorted(inputs.items())],
        "jobs": jobs,
    }


def _job(job: Job, outcome: Outcome | None, source: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": job.id,
        "key": job.key,
        "labels": job.labels(),
        "kind": "cube" if job.cube is not None else "decomposition",
        "options": {**_computed(job), **source, "satellite": _satellite(job)},
        "inputs": [i.sha256 for i in job.inputs()],
        "format": job.format,
        "status": "pending",
    }
    if outcome is not None:
        values |= {k: v for k, v in outcome.to_dict().items() if k not in {"id", "key"}}
        if outcome.status != STATUS_OK:
            values |= {"path": "", "sha256": "", "size": 0}
    return values


def _given(given: Input) -> tuple[str, str]:
    return given.path, given.sha256


@cache
def _example() -> dict[str, str]:
    from tiva.examples import EXAMPLE_FILE

    content = resources.files("tiva.data").joinpath(EXAMPLE_FILE).read_bytes()
    return {f"tiva/data/{EXAMPLE_FILE}": hashlib.sha256(content).hexdigest()}


def _computed(job: Job) -> dict[str, Any]:
    """Return what is computed: the arguments of the method, or the origin of a cube."""
    if job.cube is not None:
        return {"origin": job.cube.origin}
    return job.method.arguments() if job.method is not None else {}


def _satellite(job: Job) -> dict[str, Any] | None:
    if job.satellite is None:
        return None
    return {"name": job.satellite.name, "file": Path(job.satellite.input.path).name, **_plain(job.satellite.options)}


def _source_options(source: TableSource) -> dict[str, Any]:
    """Return everything about a table that decides results beside the bytes of its files, as plain values."""
    margins = source.margins
    values = {
        "backend": source.backend,
        "table": {
            "name": source.name,
            "kind": source.kind,
            "file": None if source.input is None else Path(source.input.path).name,
            "catalogue": source.catalogue or None,
            "year": source.year,
            "layout": source.layout,
            "options": dict(source.options),
            "option_files": {name: Path(given.path).name for name, given in source.option_inputs.items()},
        },
        "margins": None
        if margins is None
        else {
            "name": margins.name,
            "files": {name: Path(given.path).name for name, given in source.margins_inputs.items()},
            "prepare": dict(margins.prepare),
            "split": dict(margins.options),
        },
        "scenario": [{k: v for k, v in asdict(s).items() if v} for s in source.scenarios],
    }
    return _plain(values)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def read(folder: Path) -> dict[str, Any]:
    """Return the manifest of a result folder.

    Raises
    ------
    OutputError
        There is none, or it is not a whole one of this version.
    """
    path = folder / MANIFEST_FILE
    if not path.exists():
        raise OutputError(explain(f"no results in {folder}", got=f"no {MANIFEST_FILE}", do="run tiva batch first"))
    again = "run the plan again with resume: results are kept, and the manifest is written anew"
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise OutputError(explain(f"{path} cannot be read", got=str(error)[:100], do=again)) from error
    jobs = values.get("jobs") if isinstance(values, dict) else None
    if not isinstance(jobs, list) or not all(isinstance(job, dict) and job.keys() >= _JOB_KEYS for job in jobs):
        raise OutputError(explain(f"{path} is not the manifest of a batch", do=again))
    return dict(values)


_JOB_KEYS = {"id", "key", "labels", "kind", "options", "format", "status"}


def write(folder: Path, manifest: dict[str, Any]) -> Path:
    """Write the manifest in one step: a line a key, and a line a job."""
    path = folder / MANIFEST_FILE
    rows = {key: _lines(value) for key, value in manifest.items()}
    text = ",\n".join(f" {json.dumps(key)}: {value}" for key, value in rows.items())
    with replacing(path) as temporary:
        temporary.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
    return path


def _lines(value: Any) -> str:
    """Return JSON, a list of objects with a line for each: quick to write, and to look at."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n ]"
    return json.dumps(value, ensure_ascii=False)
