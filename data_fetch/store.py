"""The folder of fetched files: paths, records with checksums and history, locks."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiva.errors import MissingExtraError, OutputError, explain
from tiva.files import replacing

if TYPE_CHECKING:
    from filelock import FileLock

FOLDER_VARIABLE = "TIVA_DATA"
"""Environment variable that names the folder of fetched files."""

OFFLINE_VARIABLE = "TIVA_OFFLINE"
"""Environment variable that, unless empty or ``0``, forbids every use of the network."""


def default_folder() -> Path:
    """Return the folder of fetched files: ``TIVA_DATA``, else the platform's cache folder for ``tiva``."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError("pooch", "fetch", "the folder of fetched files") from error
    return Path(pooch.os_cache("tiva"))


def is_offline(offline: bool | None = None) -> bool:
    """Whether the network is forbidden: ``offline`` where given, else by ``TIVA_OFFLINE``."""
    if offline is not None:
        return offline
    return os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")


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
    """

    dataset: str
    file: str
    sha256: str
    size: int
    origin: str
    date: str
    expected: Mapping[str, str] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()

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

    def staging(self, dataset: str) -> Path:
        """Return the folder of unfinished downloads, which nothing but a resumed download reads."""
        return self.root / ".partial" / dataset

    def record(self, dataset: str, file: str) -> Record | None:
        """Return the record of a file, or ``None``."""
        path = self._record_path(dataset, file)
        if not path.exists():
            return None
        values = json.loads(path.read_text(encoding="utf-8"))
        values["history"] = tuple(values.get("history", ()))
        return Record(**values)

    def write_record(self, record: Record) -> None:
        """Write a record, whole or not at all."""
        with replacing(self._record_path(record.dataset, record.file)) as temporary:
            temporary.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")

    def _record_path(self, dataset: str, file: str) -> Path:
        return self.folder(dataset) / f"{file}.json"

    def lock(self, dataset: str, file: str) -> FileLock:
        """Return the lock that one download of a file holds, among all programs on the machine."""
        try:
            from filelock import FileLock
        except ImportError as error:
            raise MissingExtraError("filelock", "fetch", "fetching files") from error
        folder = make_folder(self.root / ".locks")
        return FileLock(folder / f"{dataset}--{file}.lock")
