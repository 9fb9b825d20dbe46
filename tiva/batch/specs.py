"""What a checked plan says, as frozen values."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_MARGINS = "none"
"""Name of the table as it is, where margins are listed."""

NO_SATELLITE = "none"
"""Name of value added, where satellites are listed."""

BASELINE = "baseline"
"""Name of the unchanged table, where scenarios are listed."""

RESERVED = (NO_MARGINS, BASELINE)
"""Names that margins, satellites and scenarios may not have."""

MAX_SELECTION = 40
"""Characters of a selection that a label spells out; a longer one is a digest."""

_PLAIN = re.compile(r"[A-Za-z0-9.]+")


@dataclass(frozen=True, slots=True)
class TableSpec:
    """Tables that are read in one way.

    Attributes
    ----------
    name
        Used in file names and results.
    kind
        ``"example"``, ``"files"`` or ``"catalogue"``.
    files
        Files or folders, absolute; empty unless ``kind`` is ``"files"``.
    catalogue
        Name in the catalogue of ``tiva.open``.
    years
        Years to read; empty: the one that the file holds.
    layout, options, option_files
        As for :func:`tiva.read`; options that name files are apart, with absolute paths.
    margins, scenarios
        Names that apply to these tables; all when ``None``.
    """

    name: str
    kind: str
    files: tuple[Path, ...] = ()
    catalogue: str = ""
    years: tuple[int, ...] = ()
    layout: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    option_files: Mapping[str, Path] = field(default_factory=dict)
    margins: tuple[str, ...] | None = None
    scenarios: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One decomposition with all options decided; ``label`` names it in results, two different ones differently.

    ``satellite`` is the name of the account that takes the place of value added.
    """

    method: str
    perspective: str | None
    approach: str | None
    perimeter: str | None
    level: str
    detail: bool
    exporter: tuple[str, ...] | None = None
    importer: tuple[str, ...] | None = None
    sector: tuple[str, ...] | None = None
    satellite: str | None = None
    name: str | None = None

    @property
    def label(self) -> str:
        """Method with the options that tell it from its siblings: ``bm-exporter-source``, and what it is narrowed to.

        A selection is spelled out where it is short: ``bm-exporter-source-of-DEU+USA-to-MEX`` (exporters, importers,
        ``-in-`` sectors), and a digest of its labels otherwise. A name given in the plan stands for all of it.
        """
        if self.name:
            return "-".join(p for p in (self.name, self.satellite) if p)
        narrow = self.perspective in {"self", "importer"} or (not self.perspective and self.perimeter != "country")
        parts = [self.method, self.perspective, self.approach, self.perimeter if narrow else None]
        parts += ["detail" if self.detail else None, self.satellite, self._selection()]
        return "-".join(p for p in parts if p)

    def _selection(self) -> str | None:
        chosen = {"of": self.exporter, "to": self.importer, "in": self.sector}
        given = {word: labels for word, labels in chosen.items() if labels}
        if not given:
            return None
        spelled = "-".join(f"{word}-{'+'.join(labels)}" for word, labels in given.items())
        plain = all(_PLAIN.fullmatch(label) for labels in given.values() for label in labels)
        if plain and len(spelled) <= MAX_SELECTION:
            return spelled
        return f"{'-'.join(given)}-{hashlib.sha256(json.dumps(given).encode()).hexdigest()[:8]}"

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of :func:`tiva.decompose`."""
        chosen = {n: getattr(self, n) for n in ("exporter", "importer", "sector")}
        return {
            "method": self.method, "perspective": self.perspective, "approach": self.approach,
            "perimeter": self.perimeter, "level": self.level, "detail": self.detail,
            **{n: list(v) for n, v in chosen.items() if v is not None},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class CubeSpec:
    """A cube of origins by flows that is streamed to disk; see :func:`tiva.batch.cubes.stream_cube`."""

    name: str
    origin: str
    format: str


@dataclass(frozen=True, slots=True)
class MarginSpec:
    """A file of margins by firm-size band, and the options of ``prepare_margins`` and ``split_by_size``.

    ``more`` holds the files that :func:`tiva.read_margins` takes by name: ``schemes`` and ``sector_map``.
    """

    name: str
    file: Path
    more: Mapping[str, Path]
    prepare: Mapping[str, Any]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SatelliteSpec:
    """A file of jobs, emissions or another account, and the options of :func:`tiva.read_satellite`."""

    name: str
    file: Path
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScenarioSpec:
    """Changes of a table, in the order of the attributes; ``based_on`` is applied first.

    Attributes
    ----------
    name, based_on
        Its name and that of the scenario it builds on (empty: the table as read).
    merge_split_countries
        Sum the parts of split countries first.
    aggregate_countries, aggregate_sectors
        New label -> old labels, summed.
    groups
        Label -> countries that act as one exporter.
    final_demand
        Shocks: ``factor`` with optional ``seller``, ``sector`` and ``absorber``; output, value added and trade follow
        with constant input coefficients.
    """

    name: str
    based_on: str = ""
    merge_split_countries: bool = False
    aggregate_countries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aggregate_sectors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    final_demand: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked plan; every path in it is absolute.

    Attributes
    ----------
    path, text
        The file and its content.
    output, format
        Folder and file format of the results.
    tables, methods, cubes, margins, scenarios, satellites
        What is combined.
    workers, memory, timeout, scheduler, backend
        How it runs, unless the call says otherwise: processes (0: as the cost model says), bytes (``None``: 80 % of
        what is free), seconds a job (``None``: no limit), where, and the array library of dense algebra.
    notes
        What is to be said about it: entries that overlap.
    entries
        Which entry ``[[methods]]`` each method comes from.
    """

    path: Path
    text: str
    output: Path
    format: str
    tables: tuple[TableSpec, ...]
    methods: tuple[MethodSpec, ...]
    cubes: tuple[CubeSpec, ...] = ()
    margins: tuple[MarginSpec, ...] = ()
    scenarios: tuple[ScenarioSpec, ...] = ()
    satellites: tuple[SatelliteSpec, ...] = ()
    workers: int = 0
    memory: int | None = None
    timeout: float | None = None
    scheduler: str | None = None
    backend: str | None = None
    notes: tuple[str, ...] = ()
    entries: tuple[int, ...] = ()

    @property
    def sha256(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def scenario_chain(self, name: str) -> tuple[ScenarioSpec, ...]:
        """Return the scenario after those that it is based on, first applied first."""
        by_name = {s.name: s for s in self.scenarios}
        chain: list[ScenarioSpec] = []
        while name and name != BASELINE:
            chain.insert(0, by_name[name])
            name = chain[0].based_on
        return tuple(chain)
