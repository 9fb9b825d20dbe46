"""Whether a file is what it should be, before it takes its name."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

from data_fetch.catalogue import Dataset, FileEntry
from data_fetch.resolve import Target
from data_fetch.store import Record
from tiva.errors import ChecksumError, ReissuedFileWarning, explain

ALGORITHMS = ("sha256", "sha1", "md5")
"""Digests that publishers and the catalogue give."""

DAMAGED: Mapping[str, str] = {
    "d1b887aaafa54ab3f28fde78fcd21cdf": "a circulating copy of the 2020 table of ICIO 2023 that lost decimal points",
}
"""MD5 of copies that are known to be damaged, and what is wrong with them."""

_CHUNK = 1 << 20
_PACKED = (".zip", ".xlsx", ".xlsb")


def digests(path: Path) -> dict[str, str]:
    """Return all digests of a file, reading it once."""
    running = {name: hashlib.new(name, usedforsecurity=False) for name in ALGORITHMS}
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            for digest in running.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in running.items()}


def verify(
    path: Path,
    entry: FileEntry,
    dataset: Dataset,
    *,
    target: Target | None = None,
    earlier: Record | None = None,
    name: str | None = None,
) -> dict[str, str]:
    """Check a file that is about to be taken in, and return its digests.

    Parameters
    ----------
    path
        The file under a temporary name.
    entry, dataset
        What it should be.
    target
        What the publisher's list says, where it was asked.
    earlier
        Record of the file that it would replace.
    name
        Name for messages.

    Raises
    ------
    ChecksumError
        It is damaged: not an archive, another size or digest than the publisher's, a known bad copy; or another
        digest than the catalogue's, for files that are never replaced.

    Warns
    -----
    ReissuedFileWarning
        Another digest than the catalogue's or than before, for files that publishers replace.
    """
    shown = name or entry.name
    found = digests(path)
    if found["md5"] in DAMAGED:
        raise ChecksumError(explain(f"{shown} is {DAMAGED[found['md5']]}", do="get it from the publisher"))
    if Path(entry.name).suffix.lower() in _PACKED and not zipfile.is_zipfile(path):
        with path.open("rb") as handle:
            head = handle.read(48)
        raise ChecksumError(
            explain(
                f"{shown} is not an archive, or is cut short",
                got=f"{path.stat().st_size:,} bytes beginning with {head!r}",
                expected="a whole zip file",
                do="get it again; where a site gives programs a page instead of the file, with a browser",
            )
        )
    if target is not None:
        if target.size is not None and target.size != path.stat().st_size:
            raise _damaged(shown, f"{path.stat().st_size:,} bytes", f"{target.size:,} bytes (publisher's list)")
        _compare(shown, found, target.checksums, "the publisher's list")
    _compare_with_catalogue(shown, found, entry, dataset)
    if earlier is not None and earlier.sha256 != found["sha256"]:
        _warn(shown, found["sha256"], earlier.sha256, f"the file fetched {earlier.date}")
    return found


def _compare(name: str, found: Mapping[str, str], expected: Mapping[str, str], whose: str) -> None:
    for algorithm, digest in expected.items():
        if algorithm in found and found[algorithm] != digest.lower():
            raise _damaged(name, f"{algorithm} {found[algorithm]}", f"{algorithm} {digest} ({whose})")


def _damaged(name: str, got: str, expected: str) -> ChecksumError:
    return ChecksumError(explain(f"{name} is not what it should be", got=got, expected=expected, do="fetch it again"))


def _compare_with_catalogue(name: str, found: Mapping[str, str], entry: FileEntry, dataset: Dataset) -> None:
    if not dataset.reissued:
        _compare(name, found, entry.checksums, "the catalogue")
        return
    for algorithm, digest in entry.checksums.items():
        if algorithm in found and found[algorithm] != digest:
            _warn(name, found[algorithm], digest, "the catalogue")
            return


def _warn(name: str, got: str, before: str, whose: str) -> None:
    warnings.warn(
        explain(
            f"{name} was issued again with other content; both checksums are on record",
            got=got,
            expected=f"{before} ({whose})",
            do="say in your work which one you used",
        ),
        ReissuedFileWarning,
        stacklevel=4,
    )
