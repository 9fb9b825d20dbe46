"""A result folder as one lazy dataset over years and methods."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tiva.batch import manifest as manifests
from tiva.batch.execute import STATUS_OK, Outcome
from tiva.batch.journal import last_outcomes, read_events
from tiva.batch.writers import META, describe
from tiva.errors import ChecksumError, OutputError, PartialResultsWarning, UnknownLabelError, explain, listing

if TYPE_CHECKING:
    import xarray as xr

    from tiva.kernels.arrays import FloatArray

RUN_DIMS = ("year", "decomposition", "table", "scenario", "margins")
"""Dimensions over result files; the last three only where they differ. (``method`` is taken: ``sel(method=...)``.)"""

NO_YEAR = -1
"""Label of results whose table has no year."""

LABEL_OF = {"table": "table", "scenario": "scenario", "margins": "margins", "decomposition": "spec"}


@dataclass(frozen=True, slots=True)
class _File:
    """A result file and what it says about itself."""

    path: Path
    form: str
    place: Mapping[str, Any]
    described: Mapping[str, Any]
    size: int

    def values(self, variable: str) -> FloatArray:
        """Return one variable in the order of the file's own labels."""
        if not self.path.exists() or (self.form != "zarr" and self.path.stat().st_size != self.size):
            raise ChecksumError(
                explain(f"the result {self.path} is not what the manifest says", do="run the plan again")
            )
        dims = self.described["variables"][variable]["dims"]
        every = self.described["dims"]
        if self.form == "parquet":
            import pyarrow.parquet as pq

            column = pq.read_table(self.path, columns=[variable], partitioning=None).column(0)
            full = np.asarray(column.to_numpy()).reshape([len(labels) for labels in every.values()])
            return full[tuple(slice(None) if d in dims else 0 for d in every)]
        with _open(self.path, self.form) as dataset:
            return np.asarray(dataset[variable].values, dtype=np.float64)


EVERY_SIZE = "total"
"""Label in dimension ``size`` of results that are not split by firm size, beside results that are."""


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
    folder: str | Path, *, level: str | None = None, method: str | Sequence[str] | None = None
) -> xr.Dataset:
    """Open the results of a batch as one dataset; numbers are read when they are asked for.

    Parameters
    ----------
    folder
        Output folder of ``tiva batch``.
    level
        Level of the results, where the folder holds several.
    method
        Methods to open, as the manifest names them (``"bm-exporter-source"``) or by method (``"bm"``).
        Results that are not split by firm size stand at ``size="total"`` beside those that are.

    Returns
    -------
    xarray.Dataset
        Dimensions ``year`` and ``decomposition`` (a method with its options) first, then ``table``, ``scenario`` and
        ``margins`` where they differ, then those of the results. Labels are united in order of first appearance; what
        a table or method does not have is missing (NaN), never zero. ``year`` is -1 for a table without one.

    Raises
    ------
    OutputError
        The folder holds no results.
    UnknownLabelError
        No results of this level or method.
    ChecksumError
        A result file was changed or removed.

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
    folder = Path(folder)
    entries = _entries(folder)
    entries = _choose(entries, level, method)
    files = [_file(folder, values, outcome) for values, outcome in entries]
    return _assemble(files)


def _entries(folder: Path) -> list[tuple[dict[str, Any], Outcome]]:
    path = folder / manifests.MANIFEST_FILE
    if not path.exists():
        raise OutputError(explain(f"no results in {folder}", got="no manifest.json", do="run tiva batch first"))
    manifest = json.loads(path.read_text(encoding="utf-8"))
    outcomes = last_outcomes(read_events(folder))
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


def _choose(
    entries: list[tuple[dict[str, Any], Outcome]], level: str | None, method: str | Sequence[str] | None
) -> list[tuple[dict[str, Any], Outcome]]:
    if method is not None:
        names = (method,) if isinstance(method, str) else tuple(method)
        known = dict.fromkeys(n for job, _ in entries for n in (job["labels"]["spec"], job["options"]["method"]))
        for name in names:
            if name not in known:
                raise UnknownLabelError("method", name, tuple(known))
        entries = [e for e in entries if {e[0]["labels"]["spec"], e[0]["options"]["method"]} & set(names)]
    levels = tuple(dict.fromkeys(job["labels"]["level"] for job, _ in entries))
    if level is None and len(levels) > 1:
        raise UnknownLabelError("level", "", levels)
    if level is not None and level not in levels:
        raise UnknownLabelError("level", level, levels)
    return [e for e in entries if level is None or e[0]["labels"]["level"] == level]


def _file(folder: Path, job: Mapping[str, Any], outcome: Outcome) -> _File:
    path = folder / outcome.path
    if not path.exists():
        raise ChecksumError(explain(f"the result {path} is gone", do="run the plan again"))
    labels = job["labels"]
    place = {dim: labels[LABEL_OF[dim]] for dim in LABEL_OF}
    place["year"] = NO_YEAR if outcome.year is None else outcome.year
    return _File(path, job["format"], place, _describe(path, job["format"]), outcome.size)


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
    if "size" in inner and any("size" not in f.described["dims"] for f in files):
        inner["size"] = [*inner["size"], EVERY_SIZE]
    variables: dict[str, Any] = {}
    for name in _union([list(f.described["variables"]) for f in files]):
        having = [f for f in files if name in f.described["variables"]]
        dims = _union([f.described["variables"][name]["dims"] for f in having])
        array = _backend_array(having, name, labels, {d: inner[d] for d in inner if d in dims})
        lazy = indexing.LazilyIndexedArray(array)
        variables[name] = xr.Variable((*labels, *(d for d in inner if d in dims)), lazy, _common(
            [f.described["variables"][name]["attrs"] for f in having]
        ))  # fmt: skip
    coords = {**labels, **inner}
    return xr.Dataset(variables, coords, _common([f.described["attrs"] for f in files]))


def _without_table_of_years(labels: dict[str, list[Any]], files: Sequence[_File]) -> dict[str, list[Any]]:
    """Drop the dimensions that do not tell results apart: one label only, or tables that are the years."""
    kept = {d: v for d, v in labels.items() if d in {"year", "decomposition"} or len(v) > 1}
    if "table" in kept:
        without = [(*(f.place[d] for d in kept if d != "table"), f.described["labels"]["level"]) for f in files]
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

    positions = {tuple(labels[d].index(f.place[d]) for d in labels): f for f in files}

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
                    out[where] = (
                        _aligned(file, variable, inner)[np.ix_(*outer[count:])] if inner else file.values(variable)
                    )
            scalar = tuple(0 if isinstance(k, int | np.integer) else slice(None) for k in key)
            return out[scalar]

    return _Results()


def _as_positions(key: Any, size: int) -> Any:
    if isinstance(key, slice):
        return np.arange(size)[key]
    return np.atleast_1d(np.asarray(key))


def _aligned(file: _File, variable: str, inner: Mapping[str, list[str]]) -> FloatArray:
    """Return a file's variable on the united labels, missing where the file has none."""
    values = file.values(variable)
    own = list(file.described["variables"][variable]["dims"])
    known = dict(file.described["dims"])
    if "size" in inner and "size" not in own:
        own, values, known = [*own, "size"], values[..., None], {**known, "size": [EVERY_SIZE]}
    if list(own) == list(inner) and all(known[d] == inner[d] for d in own):
        return values
    missing = [d for d in inner if d not in own]
    if missing:
        raise OutputError(
            explain(
                f"{variable} has not the same dimensions in all results", got=listing(missing), do="choose a method"
            )
        )
    order = [d for d in inner if d in own]
    values = values.transpose([list(own).index(d) for d in order])
    out = np.full([len(v) for v in inner.values()], np.nan)
    out[np.ix_(*(np.array([inner[d].index(x) for x in known[d]]) for d in order))] = values
    return out
