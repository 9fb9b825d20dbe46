"""NumPy archives of a table: arrays by name, nothing pickled."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tiva.errors import MissingFileError, ReaderError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers._assemble import Blocks, assemble
from tiva.readers._members import checked_year, choose_member, parsing
from tiva.readers._wiod import ABROAD, ADJUSTMENT, CITATION, LICENCE, MARGINS, NON_RESIDENTS, TAXES
from tiva.readers.registry import Reader
from tiva.readers.source import Source, check_packed
from tiva.readers.totals import Gaps
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance, SourceFile

KEYS = ("intermediate", "final_demand", "countries", "sectors", "final_demand_categories")
"""Arrays that a table needs; ``output``, ``value_added`` and ``year`` are taken where they are there."""

MAX_ARRAYS_BYTES = 16 << 30
"""Largest sum of the arrays of an archive: flows of 40,000 country-sectors."""

BOTTOM = {"r99": TAXES, "r61": ADJUSTMENT, "r62": ABROAD, "r63": NON_RESIDENTS, "r65": MARGINS}
BOTTOM_VALUE_ADDED, BOTTOM_INTERMEDIATE, BOTTOM_OUTPUT = "r64", "r60", "r69"


def recognise(source: Source) -> bool:
    """Whether a member is a NumPy archive with the arrays of a table."""
    return bool(_candidates(source))


def _candidates(source: Source) -> list[str]:
    return [n for n in source.names() if source.head(n, 4) == b"PK\x03\x04" and set(KEYS) <= _arrays(source, n)]


def _arrays(source: Source, name: str) -> set[str]:
    try:
        with source.open(name) as handle, zipfile.ZipFile(handle) as archive:
            return {n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return set()


def _year_of(source: Source, name: str) -> int | None:
    with parsing(source, name, "a NumPy archive"), _opened(source, name, source.read_bytes(name)) as arrays:
        return int(arrays["year"]) if "year" in arrays else None


def read(
    source: Source,
    *,
    year: int | None = None,
    member: str | None = None,
    value_added: str = "residual",
    output: str = "rows",
    bottom_rows: str | Path | None = None,
    unit: str = "million USD",
    currency: str = "USD",
    gaps: Gaps = "refuse",
) -> IcioTable:
    """Read a table from a NumPy archive.

    Parameters
    ----------
    source
        An ``.npz`` with ``intermediate`` (n, n), ``final_demand`` (n, G·C, by absorber and within it by category),
        ``countries`` (G,), ``sectors`` (N,), ``final_demand_categories`` (C,), and optionally ``output`` (n,),
        ``value_added`` (n,) and ``year``.
    year, member
        Which table of several; ``year`` is also compared with the one in the file.
    value_added
        ``"residual"``, or ``"published"`` (array ``value_added``, or row r64 of ``bottom_rows``).
    output
        ``"rows"``: row sums, so that rows balance where cells were rounded or cut; ``"published"``: the array
        ``output``. The notes say how far they differ.
    bottom_rows
        Another archive with the rows below a WIOD table: ``rows`` (codes r60, r99, ...), ``intermediate`` (rows, n)
        and ``final_demand`` (rows, G·C).
    unit, currency
        Unit of the numbers.
    gaps
        ``"refuse"``: rows and columns that miss ``output`` by more than 5 % are refused by name; ``"keep"``: they are
        kept as they are, with a warning.

    Returns
    -------
    IcioTable

    Raises
    ------
    ReaderError
        Arrays are missing, damaged, or need unpickling.
    """
    name = choose_member(source, _candidates(source), year=year, member=member, year_of=lambda n: _year_of(source, n))
    arrays = _load(source, name, source.read_bytes(name))
    missing = [k for k in KEYS if k not in arrays]
    if missing:
        raise ReaderError(
            explain(f"{name}: arrays are missing", got=listing(arrays), expected=listing(KEYS, limit=9)),
            path=source.path,
        )
    with parsing(source, name, "a NumPy archive with a year"):
        found = int(arrays["year"]) if "year" in arrays else None
    year = checked_year(source, name, found, year, "its array 'year'")
    files = [source.describe_file(name)]
    blocks = _blocks(source, name, arrays)
    if bottom_rows is not None:
        below = _bottom(source, Path(bottom_rows), blocks)
        blocks = _with_bottom(blocks, below)
        files.append(SourceFile.of(bottom_rows))
    wiod = {sector for _, sector in blocks.labels} == {f"c{k}" for k in range(1, 36)}
    provenance = Provenance(
        source="WIOD" if wiod else source.path.stem,
        edition="2013 release" if wiod else "",
        files=tuple(files),
        reader="npz",
        licence=LICENCE if wiod else "",
        citation=CITATION if wiod else "",
        url="https://doi.org/10.34894/XDTAUZ" if wiod else "",
    )
    return assemble(
        source, name, blocks, provenance, value_added=value_added, output=output, year=year, unit=unit,
        currency=currency, gaps=gaps,
    )  # fmt: skip


def _opened(source: Source, name: str, content: bytes) -> Any:
    check_packed(source, name, content, MAX_ARRAYS_BYTES)
    return np.load(io.BytesIO(content), allow_pickle=False)


def _load(source: Source, name: str, content: bytes) -> dict[str, Any]:
    with parsing(source, name, "a NumPy archive"), _opened(source, name, content) as archive:
        arrays = {k: archive[k] for k in archive.files}
    for key, values in arrays.items():
        if values.dtype.kind not in "iufUS":
            raise ReaderError(
                explain(f"{name}: array {key!r} holds neither numbers nor text", got=str(values.dtype)),
                path=source.path,
            )
    return arrays


def _blocks(source: Source, name: str, arrays: dict[str, Any]) -> Blocks:
    countries, sectors, categories = (
        [str(x).strip() for x in arrays[k].reshape(-1)] for k in ("countries", "sectors", "final_demand_categories")
    )
    n, k = len(countries) * len(sectors), len(countries) * len(categories)
    wanted = {"intermediate": (n, n), "final_demand": (n, k), "output": (n,), "value_added": (n,)}
    numbers: dict[str, FloatArray] = {}
    for key, shape in wanted.items():
        if key not in arrays:
            continue
        if arrays[key].shape != shape or arrays[key].dtype.kind not in "iuf":
            raise ReaderError(
                explain(
                    f"{name}: array {key!r} does not fit the labels",
                    got=f"shape {arrays[key].shape}, {arrays[key].dtype}",
                    expected=f"numbers of shape {shape}: {len(countries)} countries, {len(sectors)} sectors",
                    do="check the labels; part of the table may be missing",
                ),
                path=source.path,
            )
        numbers[key] = arrays[key].astype(np.float64)
    return Blocks(
        labels=[(c, s) for c in countries for s in sectors],
        intermediate=numbers["intermediate"],
        final_labels=[(c, f) for c in countries for f in categories],
        final=numbers["final_demand"],
        value_added=numbers.get("value_added"),
        output=numbers.get("output"),
        rounding=1.0 if arrays["intermediate"].dtype.kind in "iu" else 0.0,
    )


def _bottom(source: Source, path: Path, blocks: Blocks) -> dict[str, FloatArray]:
    if not path.exists():
        raise MissingFileError(explain(f"no such file: {path}", do="check bottom_rows=..."), path=path)
    arrays = _load(source, path.name, path.read_bytes())
    n, k = len(blocks.labels), len(blocks.final_labels)
    shapes = {key: arrays[key].shape for key in ("rows", "intermediate", "final_demand") if key in arrays}
    count = len(arrays["rows"]) if "rows" in arrays else 0
    if shapes != {"rows": (count,), "intermediate": (count, n), "final_demand": (count, k)}:
        raise ReaderError(
            explain(
                f"{path.name}: not the rows below {source.name}",
                got=str(shapes),
                expected=f"rows (R,), intermediate (R, {n}), final_demand (R, {k})",
                do="take the file of the same release and year",
            ),
            path=path,
        )
    both = np.hstack([arrays["intermediate"], arrays["final_demand"]]).astype(np.float64)
    return {str(code).strip(): both[i] for i, code in enumerate(arrays["rows"])}


def _with_bottom(blocks: Blocks, below: dict[str, FloatArray]) -> Blocks:
    n = len(blocks.labels)
    return replace(
        blocks,
        value_added=below[BOTTOM_VALUE_ADDED][:n] if BOTTOM_VALUE_ADDED in below else None,
        others={name: (below[c][:n], below[c][n:]) for c, name in BOTTOM.items() if c in below},
        intermediate_total=below[BOTTOM_INTERMEDIATE][:n] if BOTTOM_INTERMEDIATE in below else None,
        output_row=below[BOTTOM_OUTPUT][:n] if BOTTOM_OUTPUT in below else None,
    )


READERS = (Reader("npz", "NumPy archive with the arrays of a table", recognise, read),)
