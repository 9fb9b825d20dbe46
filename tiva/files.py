"""Paths as users name them, and writing files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tiva.errors import OutputError, UsageError, explain


def as_path(value: Any, what: str = "a path") -> Path:
    """Return what a user passed as a path.

    Parameters
    ----------
    value
        Text or a :class:`pathlib.Path`; whether something is there does not matter.
    what
        What it stands for, for the message.

    Raises
    ------
    UsageError
        Anything else, no text at all, a NUL character, a name longer than the system takes.
    """
    expected = 'text or a pathlib.Path, such as "table.csv"'
    try:
        text = os.fspath(value)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise UsageError(explain(f"{what} is neither text nor a path", got=repr(value)[:60], expected=expected))
    if not text or "\0" in text:
        wrong = "has a NUL character" if text else "is empty"
        raise UsageError(explain(f"{what} {wrong}", got=repr(text)[:60], expected=expected))
    path = Path(text)
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except (OSError, ValueError) as error:
        got = f"{repr(text)[:60]} ({len(text):,} characters): {getattr(error, 'strerror', None) or error}"
        raise UsageError(explain(f"{what} is none that the system takes", got=got, expected=expected)) from error
    return path


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
    path = as_path(path)
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
    path = as_path(path)
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
