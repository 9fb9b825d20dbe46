"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tiva.errors import OutputError, explain


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; move it there when the block ends without an error.

    Parameters
    ----------
    path
        Where the finished file shall be.

    Yields
    ------
    pathlib.Path
        The file to write, with the suffix of ``path``.

    Raises
    ------
    OutputError
        The folder does not exist or cannot be written, or the disk is full.
    """
    path = Path(path)
    ensure_writable(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise OutputError(explain(f"cannot write {path}", got=str(error), do="choose another place")) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(explain(f"cannot write {path}", got=str(error), do="free space or choose another")) from error
    finally:
        temporary.unlink(missing_ok=True)


def ensure_writable(path: str | Path) -> None:
    """Raise :class:`OutputError` unless a file can be made at ``path``; meant to be asked before long work."""
    path = Path(path)
    if path.is_dir():
        raise OutputError(explain(f"cannot write {path}: it is a folder", do="name a file in it"))
    if not path.parent.is_dir():
        raise OutputError(explain(f"cannot write {path}: no such folder", got=str(path.parent), do="create it first"))
    if not os.access(path.parent, os.W_OK):
        raise OutputError(explain(f"cannot write {path}: the folder is read-only", got=str(path.parent)))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
