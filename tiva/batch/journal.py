"""What is done, one line a job, on disk before the next one counts: the truth that a resumed run starts from."""

from __future__ import annotations

import json
import os
from pathlib import Path
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
    """Return how many bytes from the start are whole JSON lines."""
    good = 0
    if path.exists():
        with path.open("rb") as handle:
            for line in handle:
                if not line.endswith(b"\n") or _parsed(line) is None:
                    break
                good += len(line)
    return good


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) and "event" in values else None


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a journal, oldest first; nothing where there is none."""
    path = folder / JOURNAL_FILE
    if not path.exists():
        return []
    size = _whole_lines(path)
    with path.open("rb") as handle:
        return [json.loads(line) for line in handle.read(size).splitlines()]


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
