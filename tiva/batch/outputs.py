"""What an output folder holds: whose it is, which results have left the plan, and removing only what runs have made."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tiva.batch.execute import STATUS_OK
from tiva.batch.journal import JOURNAL_FILE
from tiva.batch.manifest import MANIFEST_FILE
from tiva.errors import OutputError, explain, listing

WORK_FOLDER = ".work"
"""Where files lie until they are whole; below the output folder, so that moving them is one step."""


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder with files that no run has made.

    Raises
    ------
    OutputError
        It is a file, or holds something and neither a journal nor a manifest of a run.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(explain(f"the output {folder} is a file", do="name a folder"))
    names = sorted(p.name for p in folder.iterdir() if p.name not in {".lock", "run.log", WORK_FOLDER})
    if names and JOURNAL_FILE not in names and not _is_manifest(folder / MANIFEST_FILE):
        raise OutputError(
            explain(f"the output folder {folder} holds other files", got=listing(names, limit=5), do="choose another")
        )


def _is_manifest(path: Path) -> bool:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and {"schema", "tiva", "jobs"} <= values.keys()


def recorded(folder: Path, events: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return path -> job of the results that runs have recorded and that are still there."""
    found = {str(e["path"]): str(e["id"]) for e in events if e["event"] == "end" and e.get("status") == STATUS_OK}
    return {path: job for path, job in found.items() if _is_below(path) and (folder / path).exists()}


def _is_below(path: str) -> bool:
    place = Path(path)
    return not place.is_absolute() and ".." not in place.parts and place.parts[:1] in {("data",), ("cubes",)}


def refuse_another_plan(folder: Path, results: Mapping[str, str], jobs: Iterable[str]) -> None:
    """Refuse a folder whose results are all of jobs that the plan does not have.

    Parameters
    ----------
    folder
        The output folder.
    results
        As from :func:`recorded`.
    jobs
        Ids of the jobs of the plan.
    """
    if results and not set(jobs) & set(results.values()):
        raise OutputError(
            explain(
                f"the output folder {folder} holds the results of another plan",
                got=listing(sorted(results.values()), limit=3),
                do="choose another folder, or remove it first",
            )
        )


def remove(folder: Path, paths: Iterable[str]) -> None:
    """Remove results, and the folders that are empty then.

    Raises
    ------
    OutputError
        One of them cannot be removed.
    """
    for name in paths:
        path = folder / name
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                explain(f"cannot remove the old result {path}", got=str(error), do="free it, or choose another folder")
            ) from error
        for parent in Path(name).parents[:-1]:
            with contextlib.suppress(OSError):
                (folder / parent).rmdir()
