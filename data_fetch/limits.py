"""Queries within what a service allows an hour, counted over all programs on the machine."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_fetch.store import make_folder
from tiva.errors import FetchError, MissingExtraError, explain
from tiva.files import replacing

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class HourlyLimit:
    """At most ``per_hour`` queries in any hour; the times of past ones are in ``journal``.

    Attributes
    ----------
    journal
        File that all programs share.
    per_hour
        Queries allowed.
    longest_wait
        Seconds that a query may have to wait; beyond, it is refused.
    clock, sleep
        Time in seconds, and waiting.
    """

    journal: Path
    per_hour: int
    longest_wait: float = HOUR
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def wait(self) -> None:
        """Wait until another query is allowed, and count it.

        Raises
        ------
        FetchError
            The wait would be longer than ``longest_wait``.
        """
        try:
            from filelock import FileLock
        except ImportError as error:
            raise MissingExtraError("filelock", "fetch", "counting queries") from error
        make_folder(self.journal.parent)
        while True:
            with FileLock(self.journal.with_suffix(".lock")):
                now = self.clock()
                past = [t for t in self._past() if now - HOUR < t <= now]
                pause = past[-self.per_hour] + HOUR - now if len(past) >= self.per_hour else 0.0
                if pause <= 0.0:
                    with replacing(self.journal) as temporary:
                        temporary.write_text(json.dumps([*past, now]), encoding="utf-8")
                    return
            if pause > self.longest_wait:
                raise FetchError(
                    explain(
                        f"the service allows {self.per_hour} queries an hour, and they are used up",
                        do=f"try again in {pause / 60:.0f} minutes; answers so far are kept",
                    )
                )
            sys.stderr.write(f"{self.per_hour} queries an hour are allowed; waiting {pause:.0f} seconds\n")
            self.sleep(pause)

    def _past(self) -> list[float]:
        with suppress(OSError, ValueError):
            return sorted(float(t) for t in json.loads(self.journal.read_text(encoding="utf-8")))
        return []
