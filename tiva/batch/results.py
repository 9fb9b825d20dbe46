"""A result folder as one lazy dataset over years and methods."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tiva.batch import manifest as manifests
from tiva.batch.execute import STATUS_OK, Outcome
from tiva.batch.journal import is_outcome, last_outcomes, read_events
from tiva.batch.writers import META, checksum, describe, size_of
from tiva.errors import (
    ChecksumError,
    MissingExtraError,
    OutputError,
    PartialResultsWarning,
    UnknownLabelError,
    explain,
)
from tiva.files import as_path

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from tiva.kernels.arrays import FloatArray

RUN_DIMS = ("year", "decomposition", "level", "table", "scenario", "margins")
"""Dimensions over result files; the last four only where they differ. (``method`` is taken: ``sel(method=...)``.)"""

NO_YEAR = -1
"""Label of results whose table has no year."""

LABEL_OF = {"level": "level", "table": "table", "scenario": "scenario", "margins": "margins", "decomposition": "spec"}


TOTAL = "total"
"""Label of what is not split by a dimension (all sectors, all importers, all sizes together), beside what is."""

_Signature = tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class _File:
    """A result file, what was recorded about it and what it says about itself."""

    path: Path
    form: str
    place: Mapping[str, Any]
    size: int
    sha256: str
    described: Mapping[str, Any] = field(default_factory=dict)
    _verified: _Signature | None = None

    def describe(self) -> None:
        """Read labels and attributes."""
        if not self.path.exists() or size_of(self.path) != self.size:
            raise self._changed()
        self.described = self._reading(lambda: _describe(self.path, self.form))

    def values(self, variable: str) -> FloatArray:
        """Return one variable in the order of the file's own labels; the first time, the whole file is verified."""
        self.verify()
        values: FloatArray = self._reading(lambda: self._values(variable))
        return values

    def verify(self) -> None:
        """Raise :class:`ChecksumError` unless the file is byte for byte what was recorded; once a state."""
        try:
            signature = _signature(self.path)
            if signature != self._verified and (size_of(self.path) != self.size or checksum(self.path) != self.sha256):
                raise self._changed()
        except FileNotFoundError as error:
            raise self._changed() from error
        self._verified = signature

    def _changed(self) -> ChecksumError:
        there = self.path.exists()
        return ChecksumError(
            explain(
                f"the result {self.path} {'is not what was recorded' if there else 'is gone'}",
                expected=f"{self.size} bytes with SHA-256 {self.sha256[:16]}...",
                do="run the plan again with resume: it makes this result anew and keeps the others",
            )
        )

    def _reading(self, read: Callable[[], Any]) -> Any:
        """Return what ``read`` gives; where it fails, say whether that is because the file was changed."""
        try:
            return read()
        except ImportError as error:
            raise MissingExtraError(str(error.name), "batch", f"reading {self.form} results") from error
        except Exception as error:
            self.verify()
            said = f"{type(error).__name__}: {error}"
            raise OutputError(explain(f"cannot read the result {self.path}", got=said)) from error

    def _values(self, variable: str) -> FloatArray:
        dims = self.described["variables"][variable]["dims"]
        every = self.described["dims"]
        if self.form == "parquet":
            import pyarrow.parquet as pq

            column = pq.read_table(self.path, columns=[variable], partitioning=None).column(0)
            full = np.asarray(column.to_numpy()).reshape([len(labels) for labels in every.values()])
            return full[tuple(slice(None) if d in dims else 0 for d in every)]
        with _open(self.path, self.form) as dataset:
            return np.asarray(dataset[variable].values, dtype=np.float64)


def _signature(path: Path) -> _Signature:
    """Return names, sizes and times of a file or of all files of a folder: cheap, and another one after a change."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    states = [(file, file.stat()) for file in files]
    return tuple((file.relative_to(path).as_posix(), state.st_size, state.st_mtime_ns) for file, state in states)


def _open(path: Path, form: str) -> xr.Dataset:
    import xarray as xr

    if form == "netcdf":
        stored: xr.Dataset = xr.open_dataset(path, engine="h5netcdf")
        return stored
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(specification|consolidated).*")
        opened: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None)
    return opened


def _describe(path: Path, form: str) -> dict[str, Any]:
    if form == "parquet":
        import pyarrow.parquet as pq

        described: dict[str, Any] = json.loads(pq.read_schema(path).metadata[META])
        return described
    with _open(path, form) as dataset:
        return describe(dataset, json.loads(dataset.attrs["batch"]))


def open_results(
    folder: str | Path, *, level: str | Sequence[str] | None = None, method: str | Sequence[str] | None = None
) -> xr.Dataset:
    """Open the results of a batch as one dataset; numbers are read when they are asked for.

    Parameters
    ----------
    folder
        Output folder of ``tiva batch``.
    level
        Levels to open; all when left out.
    method
        Methods to open, as the manifest names them (``"bm-exporter-source"``) or by method (``"bm"``).

    Returns
    -------
    xarray.Dataset
        Dimensions ``year`` and ``decomposition`` (a method with its options and selection) first, then ``level``,
        ``table``, ``scenario`` and ``margins`` where they differ, then those of the results. Labels are united in
        order of first appearance; what a table or method does not have is missing (NaN), never zero. A result that is
        not split by a dimension stands at its label ``"total"`` beside those that are: with several levels, the
        country level is ``.sel(level="country", sector="total", importer="total")``; within one level nothing is
        counted twice. ``year`` is -1 for a table without one.

    Raises
    ------
    OutputError
        The folder holds no results, or its manifest cannot be read.
    UnknownLabelError
        No results of this level or method.
    ChecksumError
        A result file was changed or removed since it was recorded. Sizes are compared at once, SHA-256 when a file is
        read for the first time (or again after it was touched).

    Warns
    -----
    PartialResultsWarning
        Jobs of the plan failed, or the run has not ended.

    Examples
    --------
    >>> import tiva
    >>> results = tiva.open_results("tiva-results", level="country")                # doctest: +SKIP
    >>> results["dva"].sel(decomposition="bm-exporter-source", exporter="MEX")             # doctest: +SKIP
    """
    folder = as_path(folder, "the folder of results")
    entries = _entries(folder)
    entries = _choose(entries, level, method)
    files = [_file(folder, values, outcome) for values, outcome in entries]
    for file in files:
        file.describe()
    return _assemble(files)


def _entries(folder: Path) -> list[tuple[dict[str, Any], Outcome]]:
    manifest = manifests.read(folder)
    outcomes = _outcomes(folder, manifest)
    found: list[tuple[dict[str, Any], Outcome]] = []
    missing = 0
    for job in manifest["jobs"]:
        outcome = outcomes.get(job["id"])
        if outcome is None or outcome.status != STATUS_OK or outcome.key != job["key"]:
            missing += 1
        elif job["kind"] == "decomposition":
            found.append((job, outcome))
    if missing:
        warnings.warn(
            explain(
                f"{missing} of {len(manifest['jobs'])} results are missing in {folder}",
                got=f"a run that is {manifest['status']}",
                do="see manifest.json, and finish the run with resume",
            ),
            PartialResultsWarning,
            stacklevel=3,
        )
    if not found:
        raise OutputError(explain(f"no finished decomposition in {folder}", do="run the plan to its end"))
    return found


def _outcomes(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Outcome]:
    """Return what became of each job: as the journal says, and as the manifest says of jobs that the journal lacks."""
    events = read_events(folder)
    told = {event["id"] for event in events if event["event"] != "run"}
    listed = {
        job["id"]: Outcome.from_dict(job) for job in manifest["jobs"] if job["id"] not in told and is_outcome(job)
    }
    return {**listed, **last_outcomes(events)}


def _choose(
    entries: list[tuple[dict[str, Any], Outcome]], level: str | Sequence[str] | None, method: str | Sequence[str] | None
) -> list[tuple[dict[str, Any], Outcome]]:
    if method is not None:
        names = (method,) if isinstance(method, str) else tuple(method)
        known = dict.fromkeys(n for job, _ in entries for n in (job["labels"]["spec"], job["options"]["method"]))
        for name in names:
            if name not in known:
                raise UnknownLabelError("method", name, tuple(known))
        entries = [e for e in entries if {e[0]["labels"]["spec"], e[0]["options"]["method"]} & set(names)]
    if level is not None:
        levels = tuple(dict.fromkeys(job["labels"]["level"] for job, _ in entries))
        chosen = (level,) if isinstance(level, str) else tuple(level)
        for name in chosen:
            if name not in levels:
                raise UnknownLabelError("level", name, levels)
        entries = [e for e in entries if e[0]["labels"]["level"] in chosen]
    return entries


def _file(folder: Path, job: Mapping[str, Any], outcome: Outcome) -> _File:
    place = {dim: job["labels"][LABEL_OF[dim]] for dim in LABEL_OF}
    place["year"] = NO_YEAR if outcome.year is None else outcome.year
    return _File(folder / outcome.path, job["format"], place, outcome.size, outcome.sha256)


def _union(lists: Sequence[Sequence[Any]]) -> list[Any]:
    return list(dict.fromkeys(item for items in lists for item in items))


def _assemble(files: Sequence[_File]) -> xr.Dataset:
    import xarray as xr
    from xarray.core import indexing

    labels = {dim: _union([[f.place[dim]] for f in files]) for dim in RUN_DIMS}
    labels["year"] = sorted(labels["year"])
    labels = _without_table_of_years(labels, files)
    inner = {
        d: _union([f.described["dims"].get(d, []) for f in files])
        for d in _union([list(f.described["dims"]) for f in files])
    }
    names = _union([list(f.described["variables"]) for f in files])
    having = {name: [f for f in files if name in f.described["variables"]] for name in names}
    dims = {name: _union([f.described["variables"][name]["dims"] for f in having[name]]) for name in names}
    for dim in inner:
        if any(dim in dims[n] and dim not in f.described["variables"][n]["dims"] for n in names for f in having[n]):
            if TOTAL in inner[dim]:
                raise OutputError(
                    explain(f"{TOTAL!r} is the name of one {dim} here", do="open one level or method at a time")
                )
            inner[dim] = [*inner[dim], TOTAL]
    variables: dict[str, Any] = {}
    for name in names:
        own = {d: inner[d] for d in inner if d in dims[name]}
        lazy = indexing.LazilyIndexedArray(_backend_array(having[name], name, labels, own))
        attributes = _common([f.described["variables"][name]["attrs"] for f in having[name]])
        variables[name] = xr.Variable((*labels, *own), lazy, attributes)
    return xr.Dataset(variables, {**labels, **inner}, _common([f.described["attrs"] for f in files]))


def _without_table_of_years(labels: dict[str, list[Any]], files: Sequence[_File]) -> dict[str, list[Any]]:
    """Drop the dimensions that do not tell results apart: one label only, or tables that are the years."""
    kept = {d: v for d, v in labels.items() if d in {"year", "decomposition"} or len(v) > 1}
    if "table" in kept:
        without = [tuple(f.place[d] for d in kept if d != "table") for f in files]
        if len(set(without)) == len(without) and NO_YEAR not in labels["year"]:
            del kept["table"]
    return kept


def _common(attributes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Attributes that are the same everywhere."""
    first = attributes[0]
    return {k: v for k, v in first.items() if all(k in a and a[k] == v for a in attributes)}


def _backend_array(
    files: Sequence[_File], variable: str, labels: Mapping[str, list[Any]], inner: Mapping[str, list[str]]
) -> Any:
    from xarray.backends import BackendArray
    from xarray.core import indexing

    positions: dict[tuple[int, ...], _File] = {}
    for file in files:
        at = tuple(labels[d].index(file.place[d]) for d in labels)
        if at in positions:
            raise OutputError(
                explain(
                    f"two results of {variable} have one place",
                    got=f"{positions[at].path.name}, {file.path.name}",
                    do="give the methods of the plan names of their own, and run it again",
                )
            )
        positions[at] = file

    class _Results(BackendArray):
        """One variable over all files; a selection reads the files that it touches, one column each."""

        def __init__(self) -> None:
            self.shape = (*(len(v) for v in labels.values()), *(len(v) for v in inner.values()))
            self.dtype = np.dtype(np.float64)

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._get)

        def _get(self, key: tuple[Any, ...]) -> Any:
            outer = [_as_positions(k, size) for k, size in zip(key, self.shape, strict=True)]
            count = len(labels)
            out = np.full([len(o) for o in outer], np.nan)
            for where in np.ndindex(*(len(o) for o in outer[:count])):
                file = positions.get(tuple(int(outer[axis][i]) for axis, i in enumerate(where)))
                if file is not None:
                    out[where] = _picked(file, variable, inner, outer[count:])
            scalar = tuple(0 if isinstance(k, int | np.integer) else slice(None) for k in key)
            return out[scalar]

    return _Results()


def _as_positions(key: Any, size: int) -> Any:
    if isinstance(key, slice):
        return np.arange(size)[key]
    return np.atleast_1d(np.asarray(key))


def _picked(
    file: _File, variable: str, inner: Mapping[str, list[str]], chosen: Sequence[NDArray[np.intp]]
) -> FloatArray:
    """Return a file's variable at positions of the united labels, missing where the file has none."""
    values = file.values(variable)
    own = list(file.described["variables"][variable]["dims"])
    missing = [d for d in inner if d not in own]
    values = values.reshape(*values.shape, *(1 for _ in missing)).transpose([[*own, *missing].index(d) for d in inner])
    known = {d: {x: i for i, x in enumerate(file.described["dims"][d] if d in own else [TOTAL])} for d in inner}
    wanted = [np.array([known[d].get(inner[d][i], -1) for i in at], int) for d, at in zip(inner, chosen, strict=True)]
    out = np.full([len(at) for at in chosen], np.nan)
    there = [np.flatnonzero(positions >= 0) for positions in wanted]
    out[np.ix_(*there)] = values[np.ix_(*(w[t] for w, t in zip(wanted, there, strict=True)))]
    return out
