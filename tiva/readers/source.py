"""A file, a folder or a zip archive, seen in one way by every reader."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import TracebackType
from typing import BinaryIO, Self

from tiva.errors import ReaderError, explain, listing
from tiva.table.provenance import SourceFile

MAX_MEMBER_BYTES = 16 << 30
"""Largest member that is unpacked from an archive (16 GiB; a GLORIA transaction matrix is about 7)."""

MAX_RATIO = 1000
"""Largest ratio of unpacked to packed size; input-output tables pack 5 to 60 times, bombs over 1,000."""

MAX_INNER_BYTES = 4 << 30
"""Largest archive inside an archive; it is held in memory (the largest real one, of EXIOBASE, has about 0.7 GiB)."""

MAX_DEPTH = 3
"""Archives within each other that are looked into."""

_HEAD = 1 << 16


def companions(path: str | Path) -> tuple[Path, ...]:
    """Return the files beside a table that its reader would read too: lists of countries, labels, descriptions.

    Parameters
    ----------
    path
        The table.

    Returns
    -------
    tuple of pathlib.Path
        Sorted; those of the families that keep labels beside the numbers (Stata ``icio``, Eora26, GLORIA).
    """
    path = Path(path)
    if path.is_dir():
        beside = [path.parent / "indices.zip", *path.parent.glob("GLORIA_ReadMe_*.xlsx")]
    else:
        names = (f"{path.stem}_countrylist.csv", "indices.zip")
        beside = [*(path.parent / name for name in names), *path.parent.glob("GLORIA_ReadMe_*.xlsx")]
    return tuple(sorted(p for p in beside if p.is_file() and p != path))


def check_packed(source: Source, name: str, content: bytes, most: int) -> None:
    """Refuse a workbook or NumPy archive that would unpack to an implausible size.

    Parameters
    ----------
    source, name
        For messages.
    content
        The file, which is a zip archive.
    most
        Bytes to which all parts together may unpack.

    Raises
    ------
    ReaderError
        A part unpacks to over :data:`MAX_RATIO` times its packed size, or all to more than ``most``.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
    total = sum(i.file_size for i in infos)
    if total > most or any(i.file_size > MAX_RATIO * max(i.compress_size, 1024) for i in infos):
        raise ReaderError(
            explain(
                f"{name} unpacks to an implausible size",
                got=f"{total:,} bytes from {len(content):,}",
                expected=f"at most {MAX_RATIO} times its packed size and {most:,} bytes",
                do="save it again with the program that made it if you trust it",
            ),
            path=source.path,
        )


class Source:
    """Members of a file, folder or zip archive; nothing is unpacked to disk.

    A plain file is one member named like itself. Members of a zip inside a zip or a folder are named
    ``inner.zip!member``. Use as a context manager.

    Attributes
    ----------
    path
        What was opened.
    name
        Its name without the folder.
    unopened
        Archives within archives that are not looked into, as they are nested deeper than :data:`MAX_DEPTH`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.unopened: list[str] = []
        self._archives: dict[str, zipfile.ZipFile] = {}
        self._members: dict[str, tuple[str, zipfile.ZipInfo]] = {}
        self._files: dict[str, Path] = {}
        self._heads: dict[str, bytes] = {}
        if self.path.is_dir():
            for path in sorted(p for p in self.path.rglob("*") if p.is_file()):
                name = path.relative_to(self.path).as_posix()
                if name.lower().endswith(".zip") and zipfile.is_zipfile(path):
                    self._enter(f"{name}!", zipfile.ZipFile(path), 1)
                else:
                    self._files[name] = path
        elif zipfile.is_zipfile(self.path) and not _is_office_or_npz(self.path):
            self._enter("", zipfile.ZipFile(self.path), 1)
        else:
            self._files = {self.name: self.path}

    def _enter(self, prefix: str, archive: zipfile.ZipFile, depth: int) -> None:
        self._archives[prefix] = archive
        for info in archive.infolist():
            if info.is_dir():
                continue
            self._check(info)
            name = f"{prefix}{info.filename}"
            if info.filename.lower().endswith(".zip") and depth < MAX_DEPTH:
                self._check_inner(info)
                self._enter(f"{name}!", zipfile.ZipFile(io.BytesIO(_content(archive, info))), depth + 1)
            else:
                if name in self._members:
                    self._refuse_double(info)
                self._members[name] = (prefix, info)
                if info.filename.lower().endswith(".zip"):
                    self.unopened.append(name)

    def _check(self, info: zipfile.ZipInfo) -> None:
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or PureWindowsPath(info.filename).drive:
            raise ReaderError(
                explain(
                    f"{self.name}: unsafe member name in the archive",
                    got=repr(info.filename),
                    expected="names without '..' that do not begin at the root",
                    do="get the archive from its publisher again",
                ),
                path=self.path,
            )
        if info.file_size > MAX_MEMBER_BYTES or info.file_size > MAX_RATIO * max(info.compress_size, 1024):
            raise ReaderError(
                explain(
                    f"{self.name}: member {info.filename!r} unpacks to an implausible size",
                    got=f"{info.file_size:,} bytes from {info.compress_size:,}",
                    expected=f"at most {MAX_RATIO} times its packed size and {MAX_MEMBER_BYTES:,} bytes",
                    do="unpack it by hand if you trust it",
                ),
                path=self.path,
            )

    def _check_inner(self, info: zipfile.ZipInfo) -> None:
        if info.file_size > MAX_INNER_BYTES:
            raise ReaderError(
                explain(
                    f"{self.name}: the archive {info.filename!r} inside is too large to be held in memory",
                    got=f"{info.file_size:,} bytes",
                    expected=f"at most {MAX_INNER_BYTES:,}",
                    do="unpack the outer archive",
                ),
                path=self.path,
            )

    def _refuse_double(self, info: zipfile.ZipInfo) -> None:
        raise ReaderError(
            explain(
                f"{self.name}: two members of one name in the archive",
                got=repr(info.filename),
                expected="each name once",
                do="get the archive from its publisher again",
            ),
            path=self.path,
        )

    def names(self, suffix: str = "") -> tuple[str, ...]:
        """Return the member names that end in ``suffix`` (any case), in stored order."""
        every = tuple(self._members) + tuple(self._files)
        return tuple(n for n in every if n.lower().endswith(suffix.lower()))

    def size(self, name: str) -> int:
        """Return the unpacked size of a member in bytes."""
        if name in self._members:
            return self._members[name][1].file_size
        return self._files[name].stat().st_size

    def open(self, name: str) -> BinaryIO:
        """Open a member for reading bytes."""
        if name in self._members:
            prefix, info = self._members[name]
            try:
                return self._archives[prefix].open(info)  # type: ignore[return-value]
            except ValueError as error:  # a directory that points before the beginning
                raise zipfile.BadZipFile(f"{name}: {error}") from error
        return self._files[name].open("rb")

    def read_bytes(self, name: str) -> bytes:
        """Return the whole content of a member."""
        with self.open(name) as handle:
            return handle.read()

    def head(self, name: str, size: int = _HEAD) -> bytes:
        """Return the first bytes of a member (at most 64 KiB are kept for further calls)."""
        if name not in self._heads or len(self._heads[name]) < min(size, self.size(name)):
            with self.open(name) as handle:
                self._heads[name] = handle.read(max(size, _HEAD))
        return self._heads[name][:size]

    def file(self, name: str) -> Path | None:
        """Return the path of a member that lies on disk as a file of its own, else ``None``."""
        return self._files.get(name)

    def describe_file(self, name: str) -> SourceFile:
        """Return name, digest and size of a member for the provenance record."""
        digest = hashlib.sha256()
        with self.open(name) as handle:
            while chunk := handle.read(1 << 20):
                digest.update(chunk)
        shown = name if name == self.name else f"{self.name}!{name}"
        return SourceFile(shown, digest.hexdigest(), self.size(name))

    def describe(self) -> str:
        """Say in one line what this is, for messages."""
        names = self.names()
        if self.unopened:
            deep = f"nested deeper than {MAX_DEPTH} archives and not looked into: {listing(self.unopened)}"
            return f"{len(names)} members: {listing(names)}; {deep}"
        if len(names) == 1:
            return f"{names[0]} beginning with {self.head(names[0], 48)!r}"
        return f"{len(names)} members: {listing(names)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for archive in self._archives.values():
            archive.close()


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except ValueError as error:  # a directory that points before the beginning
        raise zipfile.BadZipFile(f"{info.filename}: {error}") from error


def _is_office_or_npz(path: Path) -> bool:
    """Workbooks and NumPy archives are zip files too, but one member each for our purposes."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return "[Content_Types].xml" in names or (bool(names) and all(n.endswith(".npy") for n in names))
