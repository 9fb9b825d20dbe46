"""EMERGING tables: MATLAB 7.3 files (HDF5), million USD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tiva.errors import listing
from tiva.kernels.arrays import FloatArray
from tiva.readers.grids import (
    RESIDUAL_NOTE,
    ValueAddedChoice,
    check_choice,
    check_year,
    guarded,
    iso3,
    members,
    pick,
    refuse,
    years_in,
)
from tiva.readers.grouping import Grouping, Groups, add_columns
from tiva.readers.registry import Reader
from tiva.readers.source import Source
from tiva.readers.totals import PUBLISHED_ROUNDING
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

NAMES: dict[str, tuple[str, ...]] = {
    "z": ("z", "Z", "MRIO_Z_E"),
    "f": ("f", "F", "MRIO_F_E"),
    "va": ("va", "VA", "MRIO_VA_E"),
    "x": ("X", "x", "MRIO_X_E"),
    "countries": ("country_list",),
    "sectors": ("sector_list",),
    "final": ("final_list",),
}
"""What is read -> names of the data set in the editions."""

FINAL_DEMAND = ("household", "government", "capital")
"""Final demand of all editions, used for that with detailed electricity, which has no list of its own."""

OUTPUT_TOLERANCE = 0.01
"""Row sums against published output, of the world total: a wrong orientation is off by far more, rounding by less."""

MAX_LABELS = 100_000
"""Most labels of a list, and letters of a label: an HDF5 file can name arrays far larger than itself."""

MAX_ROWS = 1_000
"""Most rows of value added."""

_CHUNK = 1 << 27


def read_emerging(
    source: Source,
    *,
    year: int | None = None,
    value_added: ValueAddedChoice = "residual",
    countries: Groups | None = None,
    sectors: Groups | None = None,
    memory_gib: float = 16.0,
    country_labels: Sequence[str] | None = None,
    sector_labels: Sequence[str] | None = None,
) -> IcioTable:
    """Read an EMERGING table; the flows are read in pieces and may be summed into groups on the way.

    Rows are compared with the data set ``X`` as a whole, which shows another orientation, not a single changed cell.

    Parameters
    ----------
    source
        A ``.mat`` file, or a folder or archive with such files.
    year
        Year to take where there are several, and checked where the file name has one.
    value_added
        ``"published"``: data set ``va``, its rows added. ``"residual"``: output less intermediate inputs.
    countries, sectors
        New label -> labels of the file, summed while reading; labels that no group names stay.
    memory_gib
        Refuse tables that need more while they are read; the whole one needs about 17.
    country_labels, sector_labels
        Labels in the order of the file, where it has none: the edition with detailed electricity (``MRIO_Z_E``)
        keeps them in workbooks beside it.

    Returns
    -------
    IcioTable

    Raises
    ------
    ReaderError
        Data sets that are missing or of shapes that do not fit the labels; flows that do not add up to output.
    UsageError
        More memory is needed than allowed.
    """
    import h5py

    check_choice("value_added", value_added, ("published", "residual"))
    member = pick(source, [n for n in members(source) if _is_emerging(source, n)], year, "EMERGING file")
    with guarded(source, member), source.open(member) as handle, h5py.File(handle, "r") as file:
        try:
            given = {"countries": country_labels, "sectors": sector_labels, "final": None}
            return _read(source, member, file, year, value_added, (countries, sectors), memory_gib, given)
        except KeyError as error:  # what h5py raises over a damaged object or reference
            refuse(source, "is damaged", member=member, got=str(error)[:200], do="get it from its publisher again")


def _is_emerging(source: Source, member: str) -> bool:
    if source.size(member) < 1024 or not source.head(member, 16).startswith(b"MATLAB 7.3"):
        return False
    import h5py

    try:
        with source.open(member) as handle, h5py.File(handle, "r") as file:
            found = _datasets(file)
            return any(name in found for name in NAMES["z"]) and bool({"country_list", "MRIO_Z_E"} & set(found))
    except (OSError, RuntimeError, ValueError, KeyError):
        return False


def _recognise(source: Source) -> bool:
    return any(_is_emerging(source, name) for name in members(source))


def _datasets(file: Any) -> dict[str, Any]:
    """Return the data sets at the top, or inside the one group."""
    import h5py

    groups = [file, *(item for name, item in file.items() if isinstance(item, h5py.Group) and name != "#refs#")]
    return {name: item for group in groups for name, item in group.items() if isinstance(item, h5py.Dataset)}


def _read(
    source: Source,
    member: str,
    file: Any,
    year: int | None,
    value_added: ValueAddedChoice,
    groups: tuple[Groups | None, Groups | None],
    memory_gib: float,
    given: dict[str, Sequence[str] | None],
) -> IcioTable:
    found = _datasets(file)

    def get(what: str, needed: bool = True) -> Any:
        item = next((found[name] for name in NAMES[what] if name in found), None)
        if item is None and needed:
            expected = " or ".join(NAMES[what])
            refuse(source, f"no data set for {what}", member=member, got=listing(found, 12), expected=expected)
        return item

    areas, sectors, categories = (_labels(source, member, file, what, found, given[what]) for what in given)
    n, c = len(areas) * len(sectors), len(categories)
    z, f = get("z"), get("f")
    for item, shape in ((z, (n, n)), (f, (len(areas) * c, n))):
        if item.shape != shape:
            got, expected = f"{item.name} {item.shape}", f"{shape} (transposed, as MATLAB writes)"
            refuse(source, "a shape that does not fit the labels", member=member, got=got, expected=expected)
    codes = iso3(areas, "EMERGING")
    grouping = Grouping.of([codes[a] for a in areas], sectors, *groups)
    grouping.check_memory(memory_gib)
    summing = grouping.matrix()
    flows = _flows(source, member, z, summing)
    final_at = (grouping.area_of[:, None] * c + np.arange(c)).reshape(-1)
    demand = np.zeros((len(flows), len(grouping.areas) * c))
    np.add.at(demand.T, final_at, (summing @ _finite(source, member, f[...].T)).T)
    output = get("x", needed=False)
    if output is not None:
        _check_output(source, member, summing @ _vector(source, member, output, n), flows, demand)
    added = summing @ _vector(source, member, get("va"), n) if value_added == "published" else None
    stated = (years_in(member) or years_in(member.replace("_", " ")) or (None,))[-1]
    return IcioTable.from_arrays(
        flows,
        demand,
        countries=grouping.areas,
        sectors=grouping.sectors,
        final_demand_categories=categories,
        value_added=added,
        year=check_year(source, member, stated, year),
        unit="million USD",
        currency="USD",
        provenance=Provenance(
            source="EMERGING",
            files=(source.describe_file(member),),
            reader="emerging",
            licence="as the record on Zenodo says",
            citation="Huo et al. (2022), EMERGING, Journal of Industrial Ecology 26: 1218-1232",
            notes=(
                "output is the row sum",
                "final demand columns are taken as country by country, as rows are",
                *(() if added is not None else (RESIDUAL_NOTE,)),
            ),
            rounding=PUBLISHED_ROUNDING,
        ),
    )


def _flows(source: Source, member: str, z: Any, summing: Any) -> FloatArray:
    m, n = summing.shape
    total = np.zeros((m, m))
    step = max(1, _CHUNK // (8 * n))
    for start in range(0, n, step):
        add_columns(total, summing, _finite(source, member, z[start : start + step].T), start)
    return total


def _finite(source: Source, member: str, values: Any) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        refuse(source, "cells that are not finite numbers", member=member, got=f"{count} in one piece")
    return array


def _vector(source: Source, member: str, item: Any, n: int) -> FloatArray:
    """Return a data set of shape (n, k) or (k, n) added over k, shape (n,)."""
    if item.ndim not in (1, 2) or n not in item.shape or item.size > n * MAX_ROWS:
        got = f"{item.name} {item.shape}"
        refuse(source, "a shape that does not fit the labels", member=member, got=got, expected=f"{n} in one direction")
    values = np.atleast_2d(_finite(source, member, item[...]))
    total: FloatArray = values.sum(axis=1 if values.shape[0] == n else 0)
    return total


def _check_output(source: Source, member: str, output: FloatArray, flows: FloatArray, demand: FloatArray) -> None:
    gap = float(
        np.abs(flows.sum(axis=1) + demand.sum(axis=1) - output).sum() / max(float(np.abs(output).sum()), 1e-300)
    )
    if gap > OUTPUT_TOLERANCE:
        refuse(
            source,
            "flows do not add up to the published output",
            member=member,
            got=f"rows off by {gap:.2%} of world output",
            expected=f"at most {OUTPUT_TOLERANCE:.0%}",
            do="the file may have another orientation or order of final demand columns than the editions known",
        )


def _labels(
    source: Source, member: str, file: Any, what: str, found: dict[str, Any], given: Sequence[str] | None
) -> list[str]:
    """Return the labels of the file, else those given."""
    name = next((name for name in NAMES[what] if name in found), None)
    if name is not None:
        return _strings(source, member, file, found[name])
    if given is None and what == "final" and "MRIO_Z_E" in found:
        return list(FINAL_DEMAND)
    if given is None:
        option = {"countries": "country_labels", "sectors": "sector_labels"}.get(what)
        way_out = f"pass {option}=[...] in the order of the file, from the workbook that comes with it"
        refuse(
            source,
            f"the file has no list of {what}",
            member=member,
            got=listing(found, 12),
            expected=" or ".join(NAMES[what]),
            do=way_out if option else None,
        )
    return [str(label) for label in given]


def _strings(source: Source, member: str, file: Any, item: Any) -> list[str]:
    """Return a MATLAB cell array of strings: references to arrays of UTF-16 codes."""
    import h5py

    if item.dtype != h5py.ref_dtype:
        refuse(source, f"{item.name} is no list of strings", member=member, got=str(item.dtype), expected="cell array")
    if item.size > MAX_LABELS:
        refuse(source, f"{item.name}: too many labels", member=member, got=f"{item.size:,}", expected=f"{MAX_LABELS:,}")
    found = []
    for reference in np.asarray(item[...]).reshape(-1):
        target = file[reference]
        if not isinstance(target, h5py.Dataset) or target.size > MAX_LABELS:
            refuse(source, f"{item.name} is no list of strings", member=member, got=repr(target))
        codes = np.asarray(target[...]).reshape(-1)
        if codes.dtype.kind not in "ui":
            refuse(source, f"{item.name} is no list of strings", member=member, got=str(codes.dtype))
        found.append(codes.astype(np.uint16).tobytes().decode("utf-16-le").strip())
    if not found or len(set(found)) != len(found) or "" in found:
        refuse(source, f"{item.name}: empty or duplicate labels", member=member, got=listing(found))
    return found


READERS = (Reader("emerging", "EMERGING MATLAB 7.3 files", _recognise, read_emerging),)
