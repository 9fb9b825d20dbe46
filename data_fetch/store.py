"""The folder of fetched files: paths, records with checksums and history, locks."""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tiva.errors import ChecksumError, MissingExtraError, OutputError, TivaError, explain
from tiva.files import as_path, replacing

FOLDER_VARIABLE = "TIVA_DATA"
"""Environment variable that names the folder of fetched files."""

OFFLINE_VARIABLE = "TIVA_OFFLINE"
"""Environment variable that, unless empty or ``0``, forbids every use of the network."""


def default_folder() -> Path:
    """Return the folder of fetched files: ``TIVA_DATA``, else the platform's cache folder for ``tiva``.

    Parsed tables are in it, too (:func:`tiva.readers.cache.cache_folder`).
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    from tiva.readers.cache import cache_folder

    return cache_folder().parent


def is_offline(offline: bool | None = None) -> bool:
    """Whether the network is forbidden: ``offline`` where given, else by ``TIVA_OFFLINE``."""
    if offline is not None:
        return offline
    return os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")


def store_in(folder: str | Path | None) -> Store:
    """Return the store in a folder, by default that of :func:`default_folder`.

    Raises
    ------
    UsageError
        What is no path.
    """
    return Store(default_folder() if folder is None else as_path(folder, "the folder of fetched files"))


def make_folder(path: Path) -> Path:
    """Make a folder with those above it, and return it.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            explain(f"the folder {path} cannot be made", got=str(error), do=f"name another with {FOLDER_VARIABLE}")
        ) from error
    return path


@dataclass(frozen=True, slots=True)
class Record:
    """What is known about a file in the folder.

    Attributes
    ----------
    dataset, file
        Whose it is.
    sha256, size
        Digest and bytes of the file as it lies there.
    origin
        Web address, or ``"added by hand"``.
    date
        When it came, UTC, ISO 8601.
    expected
        Checksums of the catalogue or of the publisher's list.
    history
        Earlier contents under the same name: ``sha256``, ``size``, ``date``.
    first_year, last_year
        Years in it, where the name does not say.
    note
        What could not be checked when it came.
    """

    dataset: str
    file: str
    sha256: str
    size: int
    origin: str
    date: str
    expected: Mapping[str, str] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    first_year: int | None = None
    last_year: int | None = None
    note: str = ""

    def succeeding(self, earlier: Record | None) -> Record:
        """Return this record with an earlier one of other content put into its history."""
        if earlier is None:
            return self
        if earlier.sha256 == self.sha256:
            return replace(self, history=earlier.history)
        past = {"sha256": earlier.sha256, "size": earlier.size, "date": earlier.date}
        return replace(self, history=(*earlier.history, past))


def now() -> str:
    """Return the present moment, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of fetched files: ``<root>/<data set>/<file>`` and ``<file>.json`` beside it."""

    root: Path

    def folder(self, dataset: str) -> Path:
        """Return the folder of a data set."""
        return self.root / dataset

    def path(self, dataset: str, file: str) -> Path:
        """Return where a file lies, or would lie."""
        return self.folder(dataset) / file

    def staging(self, dataset: str, file: str) -> Path:
        """Return the folder of a file on its way; only the holder of its lock uses it."""
        return self.root / ".partial" / dataset / file

    def record(self, dataset: str, file: str) -> Record | None:
        """Return the record of a file, or ``None``."""
        path = self._record_path(dataset, file)
        if not path.exists():
            return None
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            values["history"] = tuple(values.get("history", ()))
            return Record(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise ChecksumError(
                explain(
                    f"the record {path} cannot be read",
                    got=f"{type(error).__name__}: {error}",
                    expected="the JSON that was written when the file came",
                    do="delete the record; the file is then checked and recorded anew",
                )
            ) from error

    def names(self, dataset: str) -> tuple[str, ...]:
        """Return the names of the files of a data set that are here, without records and temporaries, sorted."""
        folder = self.folder(dataset)
        if not folder.is_dir():
            return ()
        paths = (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        return tuple(sorted(p.name for p in paths if p.suffix != ".json"))

    def write_record(self, record: Record) -> None:
        """Write a record, whole or not at all."""
        with replacing(self._record_path(record.dataset, record.file)) as temporary:
            temporary.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")

    def _record_path(self, dataset: str, file: str) -> Path:
        return self.folder(dataset) / f"{file}.json"

    @contextmanager
    def lock(self, dataset: str, file: str) -> Iterator[None]:
        """Hold the lock of a file, among all programs on the machine, while the block runs.

        What a program that was killed has left of the file is removed first, except bytes to go on from.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        try:
            from filelock import FileLock
        except ImportError as error:
            raise MissingExtraError("filelock", "fetch", "fetching files") from error
        folder = make_folder(self.root / ".locks")
        lock = FileLock(folder / f"{dataset}--{file}.lock")
        try:
            lock.acquire()
        except OSError as error:
            raise _not_writable(self.root, error) from error
        try:
            self._sweep(dataset, file)
            yield
        finally:
            lock.release()

    def _sweep(self, dataset: str, file: str) -> None:
        """Remove what a killed program left: temporaries, but not unfinished bytes with what is known about them."""
        staging = self.staging(dataset, file)
        kept = {f"{file}.part", f"{file}.part.state"}
        with suppress(OSError):
            for path in staging.iterdir():
                if path.name not in kept:
                    path.unlink()
        for path in self.folder(dataset).glob(f".{glob.escape(file)}.*.json"):
            with suppress(OSError):
                path.unlink()

    def clear(self, dataset: str, file: str) -> None:
        """Remove the staging folder of a file that has arrived."""
        shutil.rmtree(self.staging(dataset, file), ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about a folder or disk while the block runs into one error.

    Raises
    ------
    OutputError
        Read-only, full, or otherwise not to be written.
    """
    try:
        yield
    except TivaError:
        raise
    except OSError as error:
        raise _not_writable(path, error) from error


def _not_writable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        explain(
            f"cannot write {path}",
            got=error.strerror or str(error),
            do=f"free space, or name another folder with {FOLDER_VARIABLE}",
        )
    )
