"""What is done, one line a job, on disk before the next one counts: the truth that a resumed run starts from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tiva.batch.execute import STATUS_OK, Outcome
from tiva.errors import OutputError, explain

JOURNAL_FILE = "journal.jsonl"


class Journal:
    """An append-only file of JSON lines; a torn last line is cut off when it is opened.

    Parameters
    ----------
    folder
        The output folder, whose lock is held.
    fresh
        Forget what is there.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.path = folder / JOURNAL_FILE
        if fresh:
            self.path.unlink(missing_ok=True)
        whole = _whole_lines(self.path)
        if self.path.exists() and self.path.stat().st_size != whole:
            with self.path.open("r+b") as handle:
                handle.truncate(whole)
                os.fsync(handle.fileno())
        try:
            self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise OutputError(explain(f"cannot write {self.path}", got=str(error))) from error

    def add(self, event: str, values: dict[str, Any], *, sync: bool = True) -> None:
        """Append a line and bring it to disk.

        Parameters
        ----------
        event, values
            What happened.
        sync
            Wait until it is on disk. The beginning of a job need not be: what it wrote counts only with its end, and a
            lost beginning leaves a result whose checksum is looked at again.

        Raises
        ------
        OutputError
            It cannot be written whole; what was written of it will be cut off.
        """
        line = (json.dumps({"event": event, **values}, sort_keys=True) + "\n").encode()
        try:
            written = os.write(self._handle, line)
            if written != len(line):
                raise OSError(28, "no space left on device")
            if sync:
                os.fsync(self._handle)
        except OSError as error:
            raise OutputError(
                explain(f"cannot write {self.path}", got=str(error), do="free space, then run again with resume")
            ) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def _whole_lines(path: Path) -> int:
    """Return how many bytes from the start are lines that were written to their end."""
    if not path.exists():
        return 0
    return path.read_bytes().rfind(b"\n") + 1


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return the values of a line, or nothing where it does not say what a line of its kind has to say."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    event = values.get("event")
    if event == "run":
        sound = _is_count(values.get("threads")) and values["threads"] > 0
    elif event == "begin":
        sound = isinstance(values.get("id"), str)
    else:
        sound = event == "end" and is_outcome(values)
    return values if sound else None


_TEXTS = ("id", "key", "status", "path", "sha256", "table_sha256", "message")
_NEEDED = ("id", "key", "status")


def is_outcome(values: Mapping[str, Any]) -> bool:
    """Whether plain values are those of an :class:`Outcome`: nothing missing, every type right, no path outside."""
    if not all(name in values for name in _NEEDED) or not all(isinstance(values.get(n, ""), str) for n in _TEXTS):
        return False
    from tiva.results.closure import RESIDUAL, STATED

    warnings, place = values.get("warnings", []), PurePosixPath(values.get("path", ""))
    return (
        all(_is_count(values.get(name, 0)) for name in ("size", "peak_bytes"))
        and (values.get("year") is None or isinstance(values["year"], int))
        and _is_number(values.get("seconds", 0.0))
        and all(values.get(name) is None or _is_number(values[name]) for name in (RESIDUAL, STATED))
        and isinstance(warnings, list)
        and all(isinstance(text, str) for text in warnings)
        and isinstance(values.get("details", {}), dict)
        and not place.is_absolute()
        and ".." not in place.parts
        and (values["status"] != STATUS_OK or bool(values.get("path")))
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal, oldest first; nothing where there is none.

    A line that was not written to its end, or that does not say what it should, counts as absent. What it might have
    said about a result is caught by the checksum of the result.
    """
    path = folder / JOURNAL_FILE
    if not path.exists():
        return []
    lines = path.read_bytes()[: _whole_lines(path)].splitlines()
    return [values for line in lines if (values := _parsed(line)) is not None]


def last_outcomes(events: list[dict[str, Any]]) -> dict[str, Outcome]:
    """Return, by job id, what became of each job last; a job begun anew and not ended has none."""
    found: dict[str, Outcome] = {}
    for event in events:
        if event["event"] == "begin":
            found.pop(event["id"], None)
        elif event["event"] == "end":
            outcome = Outcome.from_dict(event)
            found[outcome.id] = outcome
    return found


def is_whole(outcome: Outcome, folder: Path) -> bool:
    """Whether a finished job's file is there and byte for byte what was recorded."""
    from tiva.batch import writers

    path = folder / outcome.path
    if outcome.status != STATUS_OK or not path.exists():
        return False
    return writers.size_of(path) == outcome.size and writers.checksum(path) == outcome.sha256
