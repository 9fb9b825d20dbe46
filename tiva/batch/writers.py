"""Result files: the same bytes for the same numbers, on disk before they are counted as written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiva.batch.jobs import digest
from tiva.errors import MissingExtraError, OutputError, explain
from tiva.terms import decomposition_terms, terms_of

if TYPE_CHECKING:
    import xarray as xr

META = b"tiva"
"""Key of the description in the metadata of a parquet file: labels, attributes, dimensions as JSON."""

KEYS = ("exporter", "sector", "size", "importer", "origin", "third", "final_demand")
"""Dimensions that results may have: columns of every parquet file, null where the result is not split by it."""

LABELS = ("table", "scenario", "margins", "spec", "level")
"""What tells results apart, beside their folder: columns of every parquet file."""

COLUMNS_FILE = "year=0/method=none/columns.parquet"
"""A file without rows that has every column of the data set, in a partition that sorts before all others.

Readers of data sets take the columns of the first file for those of all, so that without it the terms of most methods
would be lost without a word.
"""


def write(dataset: xr.Dataset, path: Path, form: str, labels: Mapping[str, str]) -> None:
    """Write a result in one of the formats; it counts only when it is :func:`sealed`.

    Parameters
    ----------
    dataset
        A result of :func:`tiva.decompose`.
    path
        A file (folder for Zarr) that does not exist yet.
    form
        ``"parquet"``, ``"netcdf"`` or ``"zarr"``.
    labels
        What tells this result from others; columns in parquet, attributes elsewhere.
    """
    if form == "parquet":
        _write_parquet(dataset, path, labels)
    elif form == "netcdf":
        dataset.assign_attrs(batch=json.dumps(dict(labels), sort_keys=True)).to_netcdf(path, engine="h5netcdf")
    else:
        _write_zarr(dataset.assign_attrs(batch=json.dumps(dict(labels), sort_keys=True)), path)


def describe(dataset: xr.Dataset, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return what a reader needs beside the numbers, as plain values."""
    return {
        "labels": dict(labels),
        "dims": {str(d): [str(v) for v in dataset[d].values] for d in dataset.dims},
        "attrs": {k: _plain(v) for k, v in dataset.attrs.items()},
        "variables": {
            str(n): {"dims": [str(d) for d in v.dims], "attrs": {k: _plain(a) for k, a in v.attrs.items()}}
            for n, v in dataset.data_vars.items()
        },
    }


def _plain(value: Any) -> Any:
    import numpy as np

    return value.item() if isinstance(value, np.generic) else value


def _write_parquet(dataset: xr.Dataset, path: Path, labels: Mapping[str, str]) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "batch", "a result set in parquet") from error
    table = pa.table(_columns(pa, dataset, labels))
    described = json.dumps(describe(dataset, labels), ensure_ascii=False)
    table = table.replace_schema_metadata({META: described.encode()})
    coded = [name for name in table.column_names if pa.types.is_dictionary(table.schema.field(name).type)]
    pq.write_table(table, path, compression="zstd", use_dictionary=coded, row_group_size=1 << 20)


def write_columns(folder: Path, work: Path) -> None:
    """Write the file that tells readers of a data set which columns its files may have.

    Parameters
    ----------
    folder
        The folder of the data set; the file is replaced where it says something else.
    work
        Where it lies until it is whole, on the same file system.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "batch", "a result set in parquet") from error
    text, number = pa.dictionary(pa.int32(), pa.string()), pa.float64()
    fields = [(name, text) for name in (*LABELS, *KEYS)] + [(name, number) for name in decomposition_terms()]
    schema = pa.schema(fields)
    written = pa.BufferOutputStream()
    with pq.ParquetWriter(written, schema):
        pass
    content = written.getvalue().to_pybytes()
    path = folder / COLUMNS_FILE
    if not path.exists() or path.read_bytes() != content:
        temporary = work / path.name
        try:
            temporary.write_bytes(content)
            sync(temporary)
            commit(temporary, path)
        except OSError as error:
            raise OutputError(
                explain(f"cannot write {path}", got=str(error), do="free space, then run again with resume")
            ) from error


def _columns(pa: Any, dataset: xr.Dataset, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of a parquet file: labels, keys, and every term that results of its method may have.

    What this result has not is null: all files of a method have the same columns in the same order.
    """
    import numpy as np

    dims = [str(d) for d in dataset.dims]
    shape = tuple(dataset.sizes[d] for d in dims)
    rows = int(np.prod(shape, dtype=np.int64))
    columns: dict[str, Any] = {}
    for label, value in labels.items():
        columns[label] = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array([value]))
    for dim in dict.fromkeys((*KEYS, *dims)):
        if dim not in dims:
            columns[dim] = pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()), pa.array([], pa.string()))
            continue
        axis = dims.index(dim)
        index = np.arange(shape[axis], dtype=np.int32).reshape([-1 if a == axis else 1 for a in range(len(dims))])
        codes = np.ascontiguousarray(np.broadcast_to(index, shape)).reshape(-1)
        columns[dim] = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array([str(v) for v in dataset[dim].values]))
    absent = pa.nulls(rows, pa.float64())
    for name in dict.fromkeys((*terms_of(str(dataset.attrs["method"])), *(str(n) for n in dataset.data_vars))):
        if name not in dataset.data_vars:
            columns[name] = absent
            continue
        spread = dataset[name].broadcast_like(dataset).transpose(*dims).values
        columns[name] = pa.array(np.ascontiguousarray(spread, dtype=np.float64).reshape(-1))
    return columns


def _write_zarr(dataset: xr.Dataset, path: Path) -> None:
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("zarr", "batch", "a result set in Zarr") from error
    with warnings.catch_warnings():
        # Fixed-length strings have no agreed form in Zarr 3 yet; zarr and xarray read them back all the same.
        warnings.filterwarnings("ignore", message=".*(specification|consolidated).*")
        dataset.to_zarr(path, mode="w-", consolidated=False)


def sync(path: Path) -> None:
    """Bring a file, or every file and folder below a folder, to disk."""
    if path.is_dir():
        for inner in path.rglob("*"):
            _sync_one(inner)
    _sync_one(path)


def _sync_one(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def commit(written: Path, final: Path) -> None:
    """Move a finished file or folder to its place in one step, in place of what was there."""
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.is_dir():
        shutil.rmtree(final)
    written.replace(final)


def sync_folders(root: Path) -> None:
    """Bring the names of all files below a folder to disk, once for all of them.

    A result whose name is lost before that is made again: its checksum is looked for when a run is resumed.
    """
    for folder in (root, *(p for p in root.rglob("*") if p.is_dir() and p.suffix != ".zarr")):
        _sync_one(folder)


def size_of(path: Path) -> int:
    """Return the bytes of a file or of all files of a folder."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size


def sealed(path: Path) -> str:
    """Bring a file or folder to disk, and return its SHA-256, which is computed while the disk works."""
    with ThreadPoolExecutor(1) as other:
        brought = other.submit(sync, path)
        found = checksum(path)
        brought.result()
    return found


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file or folder."""
    return digest(path)


def short(text: str) -> str:
    """Return a file name of fixed length for any text."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]
