"""One run at a time on an output folder."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

from tiva.errors import MissingExtraError, OutputError, OutputLockedError, UsageError, explain

LOCK_FILE = ".lock"
PROBE = ".probe-"
"""Beginning of the name of a file that is made and removed to see whether the folder can be written."""


@contextlib.contextmanager
def locked(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of an output folder inside the block; the folder is made when missing.

    Parameters
    ----------
    folder
        The output folder.
    wait
        Seconds to wait for another run; 0 refuses at once, a negative number waits for ever.

    Raises
    ------
    OutputLockedError
        Another run holds it.
    OutputError
        The folder cannot be made or written.
    UsageError
        The time to wait is not a number.

    Notes
    -----
    The lock belongs to the open file (``flock`` or its like): the system frees it when the process ends, however it
    ends. The file itself stays and means nothing.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise MissingExtraError("filelock", "batch", "a batch") from error
    if math.isnan(wait):
        raise UsageError(explain("the time to wait for another run must be a number of seconds", got=str(wait)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"{PROBE}{os.getpid()}"
        probe.touch()
        probe.unlink()
        lock = FileLock(folder / LOCK_FILE, timeout=wait)
        lock.acquire()
    except Timeout as error:
        raise OutputLockedError(
            explain(
                f"another run works on {folder}",
                do="wait until it ends, or choose another output folder; a run that crashed holds no lock",
            )
        ) from error
    except OSError as error:
        raise OutputError(
            explain(f"cannot write to the output folder {folder}", got=str(error), do="choose another folder")
        ) from error
    try:
        yield
    finally:
        lock.release()
