"""Progress of a run: a bar on a terminal, plain lines elsewhere, nothing when not wanted; and the log file."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tiva.batch.execute import STATUS_OK, Outcome

LOG_FILE = "run.log"

Callback = Callable[[int, int, Outcome], None]
"""Called with jobs done, jobs in all and the outcome of the last one."""


class Progress:
    """Tell a person and the log how far a run is.

    Parameters
    ----------
    folder
        Output folder, for ``run.log``.
    total
        Jobs to run.
    show
        ``True``, ``False`` or a :data:`Callback`.
    """

    def __init__(self, folder: Path, total: int, show: bool | Callback) -> None:
        self.total = total
        self.done = 0
        self._callback = show if callable(show) else None
        self._show = show is True and total > 0
        self._log = (folder / LOG_FILE).open("ab", buffering=0)
        self._bar: Any = None
        self._console: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self._show:
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False)
            if self._console.is_terminal:
                from rich.progress import Progress as Bar

                self._bar = Bar(console=self._console, transient=True)
                self._bar.start()
                self._task = self._bar.add_task("jobs", total=self.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if error is not None:
            self.log(f"run ended by {type(error).__name__}: {' | '.join(str(error).splitlines())}")
        self._log.close()

    def log(self, text: str) -> None:
        """Append a line with the time of day to the log."""
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        with contextlib.suppress(OSError):  # a full disk stops results, which say so; the log must not hide that
            self._log.write(f"{now} {text}\n".encode())

    def began(self, text: str) -> None:
        """Say what is about to be done: the first results take some seconds."""
        self.log(text)
        if self._console is not None:
            self._console.print(text, markup=False, soft_wrap=True)

    def ended(self, outcome: Outcome) -> None:
        """Count a job that ended."""
        self.done += 1
        line = f"[{self.done}/{self.total}] {outcome.status:<8} {outcome.id} {outcome.seconds:.2f} s"
        if outcome.status != STATUS_OK:
            line += f": {outcome.message}"
        self.log(line)
        for text in outcome.warnings:
            self.log(f"    {outcome.id}: {text}")
        if "traceback" in outcome.details:
            self.log(str(outcome.details["traceback"]))
        if self._callback is not None:
            self._callback(self.done, self.total, outcome)
        if self._bar is not None:
            self._bar.update(self._task, advance=1)
            if outcome.status != STATUS_OK:
                self._console.print(line, markup=False, soft_wrap=True)
        elif self._console is not None:
            self._console.file.write(f"{line}\n")
