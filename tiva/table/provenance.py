"""Where a table comes from: files, checksums, licence, citation, and what was done on the way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file that a table was read from.

    Attributes
    ----------
    name
        File name without its folder; ``archive.zip!member.csv`` inside an archive.
    sha256
        Hexadecimal digest of the bytes that were read, empty where unknown.
    size
        Bytes.
    """

    name: str
    sha256: str = ""
    size: int = 0

    @classmethod
    def of(cls, path: str | Path) -> SourceFile:
        """Describe a file on disk, reading it once for its digest."""
        path = Path(path)
        digest = hashlib.sha256()
        with path.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
        return cls(path.name, digest.hexdigest(), path.stat().st_size)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of a table; travels with it into every result.

    Attributes
    ----------
    source, edition
        Database and release, such as ``"WIOD"`` and ``"2013"``.
    files
        What was read.
    reader
        Name of the reader that read it.
    licence, citation, url
        As published.
    notes
        Each choice made on the way: rows dropped, output recomputed, sectors merged.
    rounding
        How far rows and columns of this source are known to be from its output, by rounding and balancing at the
        publisher: an amount in the unit of the table, and a share of output, which add up. Gaps within are noted by
        ``table.check()``; gaps beyond are contradictions.
    """

    source: str = "arrays"
    edition: str = ""
    files: tuple[SourceFile, ...] = ()
    reader: str = "from_arrays"
    licence: str = ""
    citation: str = ""
    url: str = ""
    notes: tuple[str, ...] = field(default=())
    rounding: tuple[float, float] = (0.0, 0.0)

    def noting(self, *notes: str) -> Provenance:
        """Return a copy with further notes."""
        return replace(self, notes=self.notes + notes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "source": self.source,
            "edition": self.edition,
            "files": [{"name": f.name, "sha256": f.sha256, "size": f.size} for f in self.files],
            "reader": self.reader,
            "licence": self.licence,
            "citation": self.citation,
            "url": self.url,
            "notes": list(self.notes),
            "rounding": list(self.rounding),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Provenance:
        """Rebuild from :meth:`to_dict`."""
        known = dict(values)
        known["files"] = tuple(SourceFile(**f) for f in known.get("files", ()))
        known["notes"] = tuple(known.get("notes", ()))
        amount, share = known.get("rounding", (0.0, 0.0))
        known["rounding"] = (float(amount), float(share))
        return cls(**known)
