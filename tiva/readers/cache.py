"""Parsed tables kept in the native format beside a record of what they were parsed from.

An entry is found by content: the digest of every byte of the source, of the options, and of the code that read it.
So an entry is never stale; a changed file, option or reader makes a new one. Old entries can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache as remembered
from importlib.resources import files
from pathlib import Path
from typing import Any

from tiva.errors import OutputError, ReaderError
from tiva.files import replacing
from tiva.table.icio_table import IcioTable, warn_of_contradictions
from tiva.table.native import load, save

ENVIRONMENT = "TIVA_DATA"
"""Variable that names the folder for data and cache."""

_CHUNK = 1 << 20


def cache_folder() -> Path:
    """Return the folder for parsed tables: ``$TIVA_DATA/parsed``, or the platform's cache folder.

    ``~/.cache/tiva`` (or ``$XDG_CACHE_HOME/tiva``) on Linux, ``~/Library/Caches/tiva`` on macOS,
    ``%LOCALAPPDATA%/tiva/Cache`` on Windows.
    """
    if named := os.environ.get(ENVIRONMENT):
        return Path(named).expanduser() / "parsed"
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library" / "Caches" / "tiva"
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "tiva" / "Cache"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "tiva"
    return base / "parsed"


def key_of(path: Path, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of an entry, and the record of what it stands for.

    Parameters
    ----------
    path
        File or folder; every byte and, in a folder, every relative name counts.
    options
        All options of the call; of an option that names a file, the file's content counts too.
    """
    record: dict[str, Any] = {
        "source": path.name,
        "content": _digest(path),
        "options": {k: repr(v) for k, v in sorted(options.items()) if v is not None},
        "option_files": {
            k: _digest(Path(v))
            for k, v in sorted(options.items())
            if isinstance(v, (str, os.PathLike)) and _is_there(Path(v))
        },
        "code": _code(),
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:32], record


def cached(path: Path, options: Mapping[str, Any], folder: Path, parse: Callable[[], IcioTable]) -> IcioTable:
    """Return the table from the cache, or parse it and keep it.

    Parameters
    ----------
    path, options
        What identifies the table; see :func:`key_of`.
    folder
        Cache folder, made if missing.
    parse
        Called without arguments where there is no usable entry.

    Raises
    ------
    OutputError
        The folder cannot be made or written.
    """
    key, record = key_of(path, options)
    entry = folder / f"{key}.nc"
    with contextlib.suppress(ReaderError):  # a damaged entry is parsed again and replaced
        if entry.exists():
            table = load(entry)
            warn_of_contradictions(table)
            return table
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the cache folder {folder} cannot be made: {error}") from error
    table = parse()
    if _digest(path) != record["content"]:  # replaced while it was read
        return table
    save(table, entry, compressed=False)
    record["provenance"] = table.provenance.to_dict()
    record["checksum"] = table.checksum
    with replacing(folder / f"{key}.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return table


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    members = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for member in members:
        if path.is_dir():
            digest.update(f"\0{member.relative_to(path).as_posix()}\0{member.stat().st_size}\0".encode())
        with member.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


@remembered
def _code() -> str:
    """Digest of the code between a file and a table."""
    digest = hashlib.sha256()
    for package in ("tiva.readers", "tiva.table", "tiva.kernels"):
        for member in sorted(files(package).iterdir(), key=lambda m: m.name):
            if member.name.endswith(".py"):
                digest.update(member.name.encode() + b"\0" + member.read_bytes())
    return digest.hexdigest()
