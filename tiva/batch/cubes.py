"""Cubes of origins by flows that need not fit in memory: computed in blocks of exporters, streamed to disk."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from tiva._version import __version__
from tiva.batch.keys import CUBE_FORMATS, CUBE_ORIGINS
from tiva.errors import MissingExtraError, OutputError, UnknownLabelError, explain
from tiva.files import as_path

if TYPE_CHECKING:
    import xarray as xr

    from tiva.kernels.arrays import FloatArray
    from tiva.model.operators import Operators

BLOCK_BYTES = 192 << 20
"""Largest block in memory; about three of its size are alive at one time."""

CHUNK_BYTES = 4 << 20
"""Size of a chunk of Zarr: some thousands of chunks for a cube of 10 GB, each read in milliseconds."""

META = b"tiva"

_NO_FOLDER = re.compile(r'[%/\\:*?"<>|\x00-\x1f]')
"""What some system refuses in the name of a folder; readers of Hive partitions decode it."""


@dataclass(frozen=True, slots=True)
class CubeReport:
    """What was streamed.

    Attributes
    ----------
    shape
        Origins, exporter rows, importers.
    blocks
        How many blocks it took.
    block_bytes
        Size of the largest.
    residual
        Share of gross exports that the sum over origins misses: rounding where value added is a residual; what is in
        ``taxes_margins`` of the decompositions where it is as published; and exports of rows without output, which
        are in their ``discrepancy``.
    """

    shape: tuple[int, int, int]
    blocks: int
    block_bytes: int
    residual: float


def stream_cube(
    model: Operators,
    path: str | Path,
    *,
    origin: str = "country",
    form: str = "zarr",
    block_bytes: int = BLOCK_BYTES,
) -> CubeReport:
    """Write the value added of every origin in every bilateral export flow.

    Parameters
    ----------
    model
        Operators of a table.
    path
        A folder that does not exist yet.
    origin
        ``"country"`` (G origins) or ``"country-sector"`` (R origins).
    form
        ``"zarr"`` or ``"parquet"``.
    block_bytes
        Largest block in memory.

    Returns
    -------
    CubeReport

    Raises
    ------
    UnknownLabelError
        No such origin or format.
    OutputError
        The folder exists already.
    MissingExtraError
        zarr or pyarrow is not installed.

    Notes
    -----
    ``cube[o, j, r] = (V B)_oj E_jr``: value added content of exports, double counting included; its sum over origins
    is gross exports E_jr where value added is the residual. Blocks are ranges of exporter rows j: columns of B by
    solving, so that B is never formed. Memory beside the factors is about three blocks.

    Zarr chunks cut each of the three axes about equally often, so that a slice by origin, by exporter or by importer
    reads about the cube root of the chunks squared, never all. Parquet has a folder per exporter (read by exporter:
    one folder), rows sorted by origin (read by origin: one stretch of each file, found by row-group statistics) and
    a column an importer (read by importer: one column).

    References
    ----------
    Borin and Mancini (2019), World Bank WPS 8804, for content with double counting.
    """
    for kind, value, known in (("origin", origin, CUBE_ORIGINS), ("format", form, CUBE_FORMATS)):
        if value not in known:
            raise UnknownLabelError(kind, value, known)
    path = as_path(path)
    if path.exists():
        raise OutputError(explain(f"cannot write the cube {path}: it is there already", do="choose another name"))
    cube = _Cube(model, origin, block_bytes)
    with warnings.catch_warnings():
        # Fixed-length strings have no agreed form in Zarr 3 yet; they are read back all the same.
        warnings.filterwarnings("ignore", message=".*(specification|consolidated).*")
        return _to_zarr(cube, path) if form == "zarr" else _to_parquet(cube, path)


class _Cube:
    """Blocks of a cube, and its labels."""

    def __init__(self, model: Operators, origin: str, block_bytes: int) -> None:
        self.model, self.origin = model, origin
        self.rows, self.importers = model.exports.shape
        self.origins = len(model.countries) if origin == "country" else self.rows
        self.width = max(1, min(self.rows, block_bytes // max(1, self.origins * self.importers * 8)))
        self.missed = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.origins, self.rows, self.importers

    def block(self, a: int, b: int) -> FloatArray:
        """Return cube[:, a:b, :]."""
        exports = self.model.exports[a:b]
        content = self._content(a, b)
        out: FloatArray = content[:, :, None] * exports[None, :, :]
        self.missed += float(np.abs(exports - out.sum(axis=0)).sum())
        return out

    def _content(self, a: int, b: int) -> FloatArray:
        """Return (origins, b - a): value added of each origin per unit of each exporter row."""
        if self.origin == "country":
            return self.model.value_added_by_origin[:, a:b]
        unit = np.zeros((self.rows, b - a))
        unit[np.arange(a, b), np.arange(b - a)] = 1.0
        return self.model.value_added[:, None] * self.model.apply_inverse(unit)

    def report(self, blocks: int) -> CubeReport:
        gross = float(np.abs(self.model.exports).sum())
        size = self.origins * self.width * self.importers * 8
        return CubeReport(self.shape, blocks, size, self.missed / gross if gross else 0.0)

    def row_labels(self) -> dict[str, list[str]]:
        """Return country, sector and, where there are bands, size of each exporter row."""
        model = self.model
        labels = {
            "exporter": [model.countries[c] for c in model.row_country],
            "sector": [model.sectors[s] for s in model.row_sector],
        }
        if model.bands:
            labels["size"] = [model.bands[k] for k in model.row_band]
        return labels

    def origin_labels(self) -> dict[str, list[str]]:
        """Return country of each origin and, where origins are rows, sector and size."""
        if self.origin == "country":
            return {"origin": list(self.model.countries)}
        names = {"exporter": "origin", "sector": "origin_sector", "size": "origin_size"}
        return {names[k]: v for k, v in self.row_labels().items()}

    def attributes(self) -> dict[str, Any]:
        table = getattr(self.model, "banded", self.model.table)
        return {
            "title": f"Value added by {self.origin} of origin in exports, {table.title}",
            "long_name": "Value added content of exports, double counting included",
            "formula": "cube[o, j, r] = (V B)_oj E_jr",
            "units": self.model.unit,
            "table": table.title,
            "table_sha256": table.checksum,
            "year": -1 if table.year is None else table.year,
            "tiva_version": __version__,
        }


def chunk_shape(shape: tuple[int, int, int], width: int, chunk_bytes: int = CHUNK_BYTES) -> tuple[int, int, int]:
    """Return chunks that cut each axis about equally often and divide a block of ``width`` exporter rows.

    Parameters
    ----------
    shape
        Of the cube.
    width
        Exporter rows of a block; the chunk's are at most that many.
    chunk_bytes
        Size to aim at.
    """
    cells = math.prod(shape) or 1
    cuts = max(1.0, (cells * 8 / chunk_bytes) ** (1 / 3))
    origins, rows, importers = (max(1, math.ceil(size / cuts)) for size in shape)
    return origins, min(rows, width), importers


def _ranges(rows: int, width: int) -> Iterator[tuple[int, int]]:
    for start in range(0, rows, width):
        yield start, min(start + width, rows)


def _to_zarr(cube: _Cube, path: Path) -> CubeReport:
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError("zarr", "batch", "a cube in Zarr") from error
    chunks = chunk_shape(cube.shape, cube.width)
    # Blocks end where chunks end, so that no chunk is written twice.
    width = max(chunks[1], cube.width // chunks[1] * chunks[1])
    root = zarr.open_group(path, mode="w-", zarr_format=3, attributes=cube.attributes())
    array = root.create_array(
        "value",
        shape=cube.shape,
        chunks=chunks,
        dtype="float64",
        dimension_names=("origin_row", "row", "importer"),
        attributes={k: v for k, v in cube.attributes().items() if k in {"long_name", "formula", "units"}},
    )
    _label_zarr(root, cube)
    blocks = 0
    for a, b in _ranges(cube.rows, width):
        array[:, a:b, :] = cube.block(a, b)
        blocks += 1
    return cube.report(blocks)


def _label_zarr(root: Any, cube: _Cube) -> None:
    named = [(k, v, "origin_row") for k, v in cube.origin_labels().items()]
    named += [(k, v, "row") for k, v in cube.row_labels().items()]
    named += [("importer", list(cube.model.countries), "importer")]
    for name, labels, dim in named:
        values = np.array(labels, dtype=np.str_)
        root.create_array(name, data=values, dimension_names=(dim,))


def _to_parquet(cube: _Cube, path: Path) -> CubeReport:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "batch", "a cube in parquet") from error
    path.mkdir(parents=True)
    model = cube.model
    meta = {META: json.dumps({"attrs": cube.attributes()}, sort_keys=True).encode()}
    origins, rows = cube.origin_labels(), cube.row_labels()
    blocks = 0
    for country, start, end in zip(model.countries, model.offsets[:-1], model.offsets[1:], strict=True):
        folder = path / f"exporter={_NO_FOLDER.sub(lambda found: quote(found.group(), safe=''), country)}"
        folder.mkdir()
        for part, (a, b) in enumerate(_ranges(int(end - start), cube.width)):
            first, last = int(start) + a, int(start) + b
            values = cube.block(first, last)
            count = last - first
            columns: dict[str, Any] = {
                k: _coded(pa, v, np.repeat(np.arange(cube.origins), count)) for k, v in origins.items()
            }
            for k, v in rows.items():
                if k != "exporter":
                    columns[k] = _coded(pa, v, np.tile(np.arange(first, last), cube.origins))
            flat = values.reshape(-1, cube.importers)
            for r, importer in enumerate(model.countries):
                columns[f"to_{importer}"] = pa.array(np.ascontiguousarray(flat[:, r]))
            table = pa.table(columns).replace_schema_metadata(meta)
            pq.write_table(table, folder / f"part-{part}.parquet", compression="zstd", row_group_size=1 << 16)
            blocks += 1
    return cube.report(blocks)


def _coded(pa: Any, labels: list[str], rows: Any) -> Any:
    """Return a dictionary column of ``labels[rows]``, coded in order of first appearance."""
    distinct = list(dict.fromkeys(labels))
    code = {label: i for i, label in enumerate(distinct)}
    codes = np.array([code[label] for label in labels], dtype=np.int32)[rows]
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(distinct))


def open_cube(path: str | Path) -> xr.Dataset:
    """Open a streamed Zarr cube without reading its values.

    Parameters
    ----------
    path
        Folder written by :func:`stream_cube` with ``form="zarr"``.

    Returns
    -------
    xarray.Dataset
        ``value`` (origin_row, row, importer) with the coordinates ``origin`` [, ``origin_sector``] over origin_row
        and ``exporter``, ``sector`` over row; only chunks that a selection touches are read. For parquet use
        ``pyarrow.dataset.dataset(path, partitioning=text)`` with ``text = pyarrow.dataset.partitioning(
        pyarrow.schema([("exporter", pyarrow.string())]), flavor="hive")``: without it, labels of exporters that all
        look like numbers come back as numbers.

    Raises
    ------
    OutputError
        There is no such cube.
    """
    import xarray as xr

    path = as_path(path)
    if not (path / "zarr.json").exists():
        do = "open parquet cubes with pyarrow.dataset, and a partitioning that says that exporter is text"
        raise OutputError(explain(f"no Zarr cube at {path}", do=do))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(specification|consolidated).*")
        dataset = xr.open_zarr(path, consolidated=False, chunks=None)
    opened: xr.Dataset = dataset.set_coords([n for n in dataset.data_vars if n != "value"])
    return opened
