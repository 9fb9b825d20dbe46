"""Damaged containers of every kind: a table or a typed error, soon, and in little memory."""

from __future__ import annotations

import resource
import shutil
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiva
from tests.readers import binary
from tests.readers.support import fixture
from tests.readers.test_containers import made, packed
from tests.readers.test_fuzz_cells import CELLS, EDIT, edited_workbook, read_or_refuse
from tests.readers.test_fuzz_families import mutated
from tests.readers.test_gloria import supply_and_use
from tests.readers.test_gloria import written as write_gloria
from tests.readers.test_satellites_end_to_end import gloria_accounts
from tiva.errors import TivaError
from tiva.readers.satellites import read_satellite

SECONDS = 20.0
"""For one small file; it takes a hundredth of it on an idle machine."""

GROWTH_KIB = 1 << 20
"""Growth of the largest resident size while one small file is read (1 GiB)."""

PLACE = st.floats(0, 1, exclude_max=True)
KINDS = st.sampled_from(["flip", "cut", "drop", "insert", "line"])
MUTATIONS = {"mutations": st.lists(st.tuples(PLACE, KINDS), min_size=1, max_size=3), "byte": st.integers(0, 255)}
FUZZ = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])

MORE = [
    "icio2025_2022_SML.csv", "ICIO2021_2018.csv", "ICIO2018_2015.CSV", "WIOT2014_Nov16_ROW.as.xlsx",
    "WIOT2014_October16_ROW.RData", "WIOT2014_October16_ROW.dta",
]  # fmt: skip
"""Layouts that the other fuzz tests do not mutate byte by byte."""


def bounded(read: Callable[[], Any]) -> None:
    """Read in bounded time and memory; only typed errors."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    read()
    assert time.monotonic() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH_KIB


@FUZZ
@given(**MUTATIONS, published=st.booleans())
@pytest.mark.parametrize("name", MORE)
def test_mutated_fixture(
    tmp_path: Path, name: str, mutations: list[tuple[float, str]], byte: int, published: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(mutated(fixture(name).read_bytes(), mutations, byte))
    bounded(lambda: read_or_refuse(path, value_added="published" if published else "residual", gaps="keep"))


@FUZZ
@given(**MUTATIONS)
@pytest.mark.parametrize("name", ["native.nc", "tidy.parquet", "arrays.npz"])
def test_mutated_container(
    tmp_path_factory: pytest.TempPathFactory, name: str, mutations: list[tuple[float, str]], byte: int
) -> None:
    clean = tmp_path_factory.getbasetemp() / "clean"
    if not (clean / name).exists():
        clean.mkdir(exist_ok=True)
        made(name, clean)
    path = clean.parent / name
    path.write_bytes(mutated((clean / name).read_bytes(), mutations, byte))
    bounded(lambda: read_or_refuse(path))


@FUZZ
@given(**MUTATIONS, outer=st.booleans())
@pytest.mark.parametrize("name", ["icio2023_2020_SML.csv", "WIOT2014_Nov16_ROW.xlsb", "WIOT2014_October16_ROW.RData"])
def test_mutated_archive_in_an_archive(
    tmp_path: Path, name: str, mutations: list[tuple[float, str]], byte: int, outer: bool
) -> None:
    inner = packed(tmp_path / "inner.zip", (name, fixture(name).read_bytes())).read_bytes()
    path = packed(tmp_path / "outer.zip", ("inner.zip", inner if outer else mutated(inner, mutations, byte)))
    if outer:
        path.write_bytes(mutated(path.read_bytes(), mutations, byte))
    bounded(lambda: read_or_refuse(path))


ARRAYS = ("intermediate", "final_demand", "countries", "sectors", "final_demand_categories", "output", "year")
CHANGES: dict[str, Callable[[Any], Any]] = {
    "short": lambda a: a[:-1] if a.ndim else a,
    "flat": lambda a: a.reshape(-1),
    "cube": lambda a: a[None],
    "text": lambda a: a.astype("S8"),
    "complex": lambda a: a.astype(complex) if a.dtype.kind in "if" else a,
    "objects": lambda a: a.astype(object),
    "dates": lambda a: np.zeros(a.shape, dtype="M8[D]"),
    "empty": lambda a: a.reshape(-1)[:0],
    "nan": lambda a: np.full(a.shape, np.nan),
    "huge": lambda a: np.full(a.shape, 1e308) if a.dtype.kind in "if" else a,
    "same": lambda a: np.full(a.shape, a.reshape(-1)[0]) if a.size else a,
}


@FUZZ
@given(
    changes=st.lists(st.tuples(st.sampled_from(ARRAYS), st.sampled_from(["drop", *CHANGES])), min_size=1, max_size=2),
    published=st.booleans(),
)
def test_archives_of_other_arrays(tmp_path: Path, changes: list[tuple[str, str]], published: bool) -> None:
    n, g = 4, 2
    arrays: dict[str, Any] = {
        "intermediate": np.arange(1.0, n * n + 1).reshape(n, n), "final_demand": np.full((n, g), 3.0),
        "countries": np.array(["A", "B"]), "sectors": np.array(["x", "y"]), "year": np.array(2011),
        "final_demand_categories": np.array(["f"]),
    }  # fmt: skip
    arrays["output"] = arrays["intermediate"].sum(axis=1) + 6.0
    for name, change in changes:
        if change == "drop":
            arrays.pop(name, None)
        elif name in arrays:
            arrays[name] = CHANGES[change](arrays[name])
    np.savez(tmp_path / "t.npz", **arrays)
    options = {"value_added": "published"} if published else {}
    bounded(lambda: read_or_refuse(tmp_path / "t.npz", layout="npz", output="published", **options))


RECORD = st.tuples(st.sampled_from(["drop", "twice", "kind", "short", "long", "swap"]), PLACE, st.integers(0, 255))


def other_records(content: bytes, changes: list[tuple[str, float, int]]) -> bytes:
    """Change records of a binary sheet; lengths stay true unless the change is to them."""
    parts = [(kind, payload) for kind, _, payload in binary.records(content)]
    for what, where, value in changes:
        k = int(where * len(parts))
        kind, payload = parts[k]
        if what == "drop":
            del parts[k]
        elif what == "twice":
            parts.insert(k, parts[k])
        elif what == "kind":
            parts[k] = (value % 20, payload)
        elif what == "short":
            parts[k] = (kind, payload[: len(payload) // 2])
        elif what == "long":
            parts[k] = (kind, payload + struct.pack("<Q", value))
        else:
            parts[k], parts[k // 2] = parts[k // 2], parts[k]
    return b"".join(written(kind, payload) for kind, payload in parts)


def written(kind: int, payload: bytes) -> bytes:
    kind &= 0x3FFF
    head = bytes([kind]) if kind < 128 else bytes([kind % 128 + 128, kind // 128 % 128])
    size, length = len(payload), b""
    while size >= 128:
        length += bytes([size % 128 + 128])
        size //= 128
    return head + length + bytes([size]) + payload


@FUZZ
@given(changes=st.lists(RECORD, min_size=1, max_size=3))
def test_other_records_of_a_binary_workbook(tmp_path: Path, changes: list[tuple[str, float, int]]) -> None:
    name = "WIOT2014_Nov16_ROW.xlsb"
    path = binary.rewritten(fixture(name), tmp_path / name, lambda sheet: other_records(sheet, changes))
    bounded(lambda: read_or_refuse(path))


ACCOUNTS = {
    "Socio_Economic_Accounts_2016.xlsx": "WIOT2014_Nov16_ROW.as.xlsx",
    "Socio_Economic_Accounts_July14.xlsx": "wiot11_row_sep12.xlsx",
}


def satellite_or_refuse(path: Path, table: Any, **options: Any) -> None:
    try:
        found = read_satellite(path, table, missing="zero", **options)
    except TivaError:
        return
    assert np.isfinite(found.values).all()


@FUZZ
@given(edits=st.lists(EDIT, min_size=1, max_size=3))
@pytest.mark.parametrize("name", ACCOUNTS)
def test_cells_of_socio_economic_accounts(
    tmp_path: Path, name: str, edits: list[tuple[str, float, float, Any]]
) -> None:
    edited_workbook(name, tmp_path, edits)
    table = tiva.read(fixture(ACCOUNTS[name]))
    bounded(lambda: satellite_or_refuse(tmp_path / name, table, variable="EMP"))


@FUZZ
@given(**MUTATIONS, part=st.integers(0, 2))
def test_mutated_satellites_of_gloria(
    tmp_path_factory: pytest.TempPathFactory, mutations: list[tuple[float, str]], byte: int, part: int
) -> None:
    clean = tmp_path_factory.getbasetemp() / "accounts_clean"
    if not clean.exists():
        clean.mkdir()
        write_gloria(clean, supply_and_use())
        gloria_accounts(clean)
    folder = clean.with_name("accounts_fuzz")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(clean, folder)
    victim = sorted(p for p in folder.rglob("*") if "Q-Results" in p.name or p.suffix == ".xlsx")[part]
    victim.write_bytes(mutated(victim.read_bytes(), mutations, byte))
    bounded(lambda: satellite_or_refuse(folder, tiva.read(clean), variable="Hours"))


COLUMNS = st.sampled_from(["country", "sector", "value", "REF_AREA", "ACTIVITY", "OBS_VALUE", "year", "unit", "x", ""])


@FUZZ
@given(
    header=st.lists(COLUMNS, min_size=1, max_size=6),
    rows=st.lists(st.lists(st.sampled_from([*map(str, CELLS), "AUS", "A01_02", "1"]), max_size=7), max_size=6),
)
def test_any_csv_as_a_satellite(tmp_path: Path, header: list[str], rows: list[list[str]]) -> None:
    (tmp_path / "s.csv").write_text("\n".join(",".join(r) for r in [header, *rows]), encoding="utf-8")
    table = tiva.read(fixture("icio2023_2020_SML.csv"))
    bounded(lambda: satellite_or_refuse(tmp_path / "s.csv", table))


@FUZZ
@given(**MUTATIONS)
def test_mutated_archive_of_everything(tmp_path: Path, mutations: list[tuple[float, str]], byte: int) -> None:
    """Members of many layouts side by side, one of them damaged."""
    names = ["icio2023_2020_SML.csv", "wiot11_row_sep12.xlsx", "lr_wiod_wiot_final_filled.csv", "icio_user.csv"]
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for k, name in enumerate(names):
            content = fixture(name).read_bytes()
            archive.writestr(name, mutated(content, mutations, byte) if k == byte % len(names) else content)
    bounded(lambda: read_or_refuse(path))
