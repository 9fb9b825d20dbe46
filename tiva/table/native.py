"""The native file format: netCDF 4, compressed without loss, readable by any netCDF tool."""

from __future__ import annotations

import io
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from tiva.errors import OutputError, ReaderError, explain
from tiva.files import as_path, replacing
from tiva.table.icio_table import IcioTable, OtherInput
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import xarray as xr

FORMAT = "tiva-table"
FORMAT_VERSION = 1
_COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
_CHUNK = 512

_PIECE = 1 << 21
"""Numbers summed up by one thread at a time (16 MiB)."""


def to_xarray(table: IcioTable) -> xr.Dataset:
    """Return the table as a labelled dataset; see :meth:`tiva.IcioTable.to_xarray`."""
    import xarray as xr

    u, s, g = len(table.areas), len(table.sectors), len(table.countries)
    attrs = {"units": table.unit}
    variables: dict[str, Any] = {
        "intermediate": (
            ("area", "sector", "user_area", "user_sector"),
            table.intermediate.reshape(u, s, u, s),
            {"long_name": "intermediate use, row sells to column", **attrs},
        ),
        "final_demand": (
            ("area", "sector", "absorber", "category"),
            table.final_demand.reshape(u, s, g, -1),
            {"long_name": "final demand", **attrs},
        ),
        "value_added": (
            ("area", "sector"),
            table.value_added.reshape(u, s),
            {"long_name": f"value added ({table.value_added_kind})", **attrs},
        ),
        "output": (("area", "sector"), table.output.reshape(u, s), {"long_name": "gross output", **attrs}),
    }
    for name, other in table.other_inputs.items():
        variables[f"other_input:{name}"] = (("area", "sector"), other.intermediate.reshape(u, s), attrs)
        if other.final is not None:
            variables[f"other_input_final:{name}"] = (("absorber", "category"), other.final, attrs)
    coords = {
        "area": list(table.areas),
        "country": ("area", list(table.area_countries)),
        "sector": list(table.sectors),
        "user_area": list(table.areas),
        "user_sector": list(table.sectors),
        "absorber": list(table.countries),
        "category": list(table.final_demand_categories),
    }
    return xr.Dataset(variables, coords, _attributes(table))


def _attributes(table: IcioTable) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "title": table.title,
        "value_added_kind": table.value_added_kind,
        "unit": table.unit,
        "currency": table.currency,
        "year": -1 if table.year is None else table.year,
        "provenance": json.dumps(table.provenance.to_dict(), ensure_ascii=False),
        "checksum": table.checksum,
    }


def save(table: IcioTable, path: str | Path, *, compressed: bool = True) -> Path:
    """Write a table; see :meth:`tiva.IcioTable.save`.

    Without compression it is written and read several times faster, and takes 8 bytes a cell (the cache does so).
    """
    import h5netcdf

    path = as_path(path)
    if path.suffix != ".nc":
        raise OutputError(explain("the native format ends in .nc", got=str(path), do="name the file something.nc"))
    u, s, g, c = (
        len(table.areas), len(table.sectors), len(table.countries), len(table.final_demand_categories),
    )  # fmt: skip
    with replacing(path) as temporary, h5netcdf.File(temporary, "w") as file:
        file.dimensions = {
            "row": u * s,
            "column": u * s,
            "area": u,
            "sector": s,
            "absorber": g,
            "category": c,
        }
        pack = _COMPRESSION if compressed else None
        _write(file, "intermediate", ("row", "column"), table.intermediate, pack)
        _write(file, "final_demand", ("row", "absorber", "category"), table.final_demand, pack)
        _write(file, "value_added", ("row",), table.value_added, pack)
        _write(file, "output", ("row",), table.output, pack)
        for name, other in table.other_inputs.items():
            _write(file, f"other_input:{name}", ("row",), other.intermediate, pack)
            if other.final is not None:
                _write(file, f"other_input_final:{name}", ("absorber", "category"), other.final, pack)
        for key, value in _attributes(table).items():
            file.attrs[key] = value
        file.attrs["crc32"] = _crc32(table)
        file.attrs["labels"] = json.dumps(
            {
                "areas": table.areas,
                "area_countries": table.area_countries,
                "sectors": table.sectors,
                "final_demand_categories": table.final_demand_categories,
                "other_inputs": list(table.other_inputs),
            },
            ensure_ascii=False,
        )
    return path


def _write(file: Any, name: str, dimensions: tuple[str, ...], values: Any, pack: dict[str, Any] | None) -> None:
    if pack is None or values.size <= 1:
        file.create_variable(name, dimensions, data=values)
        return
    chunks = tuple(min(_CHUNK, size) for size in values.shape)
    file.create_variable(name, dimensions, data=values, chunks=chunks, **pack)


def is_native(head: bytes) -> bool:
    """Whether a file beginning with ``head`` may be a native table (HDF5 signature)."""
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def load(path: str | Path, content: bytes | None = None) -> IcioTable:
    """Read a table written by :func:`save`.

    A file written without compression is mapped into memory: its cells are read from disk as they are used.

    Parameters
    ----------
    path
        The file.
    content
        Its bytes, where it is not a file of its own but a member of an archive; ``path`` is for messages then.

    Raises
    ------
    ReaderError
        The file is not a native table, is damaged, or its content does not have the recorded checksum.
    """
    import h5py  # the layer below h5netcdf, which does not close files that fail as they are opened

    path = as_path(path)
    try:
        with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
            attributes = {key: _plain(value) for key, value in file.attrs.items()}
            if attributes.get("format") != FORMAT:
                raise ReaderError(
                    explain(
                        f"{path.name} is a netCDF file, but not a table of this package",
                        got=f"format {attributes.get('format')!r}",
                        expected=repr(FORMAT),
                        do="write tables with table.save(path); results of decompositions are read with xarray",
                    ),
                    path=path,
                )
            table = _table(file, attributes, path if content is None else None)
            checksum = str(attributes["checksum"])
            if _crc32(table) == attributes.get("crc32"):
                # The digest of what was written, which this is: no need to make it again, it takes longer than reading.
                table.__dict__["checksum"] = checksum
    except ReaderError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ReaderError(
            explain(f"{path.name} cannot be read as a native table", got=str(error), do="save it again"),
            path=path,
        ) from error
    if table.checksum != checksum:
        raise ReaderError(
            explain(
                f"{path.name}: content and recorded checksum differ",
                got=table.checksum[:16],
                expected=checksum[:16],
                do="the file was changed or damaged; save the table again from its source",
            ),
            path=path,
        )
    return table


def _crc32(table: IcioTable) -> int:
    """Check sum of labels and numbers against damage on disk, many times faster than the table's digest."""
    arrays = [table.intermediate, table.final_demand, table.value_added, table.output]
    for other in table.other_inputs.values():
        arrays += [other.intermediate] if other.final is None else [other.intermediate, other.final]
    labels = (table.areas, table.area_countries, table.sectors, table.final_demand_categories, [*table.other_inputs])
    pieces: list[Any] = [repr((labels, table.unit, table.currency, table.year)).encode()]
    for array in arrays:
        flat = np.ascontiguousarray(array).reshape(-1)
        pieces += [flat[k : k + _PIECE].data for k in range(0, len(flat), _PIECE)]
    with ThreadPoolExecutor() as pool:
        sums = list(pool.map(zlib.crc32, pieces))
    return zlib.crc32(np.array(sums, dtype="<u4").tobytes())


def _cells(file: Any, name: str, path: Path | None) -> Any:
    """Return a variable's values: mapped from the file, not copied, where it is stored in one uncompressed piece."""
    stored = file[name]
    offset = stored.id.get_offset()
    if path is not None and stored.chunks is None and offset is not None and stored.dtype == np.dtype("<f8"):
        return np.asarray(np.memmap(path, dtype="<f8", mode="r", offset=offset, shape=stored.shape))
    return stored[...]


def _plain(value: Any) -> Any:
    """Return an attribute as netCDF means it: arrays of one element are that element."""
    return value.reshape(-1)[0].item() if isinstance(value, np.ndarray) and value.size == 1 else value


def _table(file: Any, attributes: dict[str, Any], path: Path | None) -> IcioTable:
    labels = json.loads(attributes["labels"])
    _check_shapes(file, labels)
    others = {}
    for name in labels["other_inputs"]:
        final = f"other_input_final:{name}"
        others[name] = OtherInput(
            _stored(file, f"other_input:{name}"),
            _stored(file, final) if final in file else None,
        )
    year = int(attributes["year"])
    cells, final = _cells(file, "intermediate", path), _cells(file, "final_demand", path)
    published = str(attributes["value_added_kind"]) == "published"
    # As stored, without the checks and sums of from_arrays: the table was judged when it was built, and the check sum
    # says that this is what was built.
    return IcioTable(
        intermediate=_frozen(cells),
        final_demand=_frozen(final),
        value_added=_stored(file, "value_added"),
        output=_stored(file, "output"),
        areas=tuple(labels["areas"]),
        area_countries=tuple(labels["area_countries"]),
        countries=tuple(dict.fromkeys(labels["area_countries"])),
        sectors=tuple(labels["sectors"]),
        final_demand_categories=tuple(labels["final_demand_categories"]),
        other_inputs=MappingProxyType(others),
        value_added_kind="published" if published else "residual",
        unit=str(attributes["unit"]),
        currency=str(attributes["currency"]),
        year=None if year == -1 else year,
        provenance=Provenance.from_dict(json.loads(attributes["provenance"])),
    )


def _check_shapes(file: Any, labels: dict[str, Any]) -> None:
    """Compare shapes with labels before anything of that size is read."""
    n = len(labels["areas"]) * len(labels["sectors"])
    g, c = len(set(labels["area_countries"])), len(labels["final_demand_categories"])
    wanted = {"intermediate": (n, n), "final_demand": (n, g, c), "value_added": (n,), "output": (n,)}
    for name in labels["other_inputs"]:
        wanted[f"other_input:{name}"] = (n,)
    for name, shape in wanted.items():
        if tuple(file[name].shape) != shape:
            raise ValueError(f"{name} has shape {tuple(file[name].shape)}, its labels ask for {shape}")


def _frozen(values: Any) -> Any:
    if values.flags.writeable:
        values.setflags(write=False)
    return values


def _stored(file: Any, name: str) -> Any:
    values = np.array(file[name][...], dtype=np.float64)
    values.setflags(write=False)
    return values
