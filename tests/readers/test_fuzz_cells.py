"""Files that are whole but hold the wrong things: every cell of a workbook, label and matrix may be anything."""

from __future__ import annotations

import shutil
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiva
from tests.readers.binary import REAL, RK, records
from tests.readers.support import fixture
from tests.readers.test_emerging import numbers
from tests.readers.test_emerging import written as write_emerging
from tests.readers.test_extensions import exiobase
from tests.readers.test_fuzz_families import mutated
from tests.readers.test_gloria import supply_and_use
from tests.readers.test_gloria import written as write_gloria
from tiva.errors import TivaError
from tiva.readers.satellites import read_satellite

WORKBOOKS = ("wiot11_row_sep12.xlsx", "WIOT2014_Nov16_ROW.as.xlsx", "ADB-MRIO62-2022_synthetic.xlsx")
XLSB = "WIOT2014_Nov16_ROW.xlsb"

CELLS: tuple[Any, ...] = (
    None, "", " ", "AUS", "c1", "C01", "r64", "TOT", "n.a.", "(3)", "1,5", "#REF!", "=1/0", True, -1e300, 1e300, 0,
    "nan", "inf", 19.0, "AUS_c1", "Ω", "A" * 5000,
)  # fmt: skip
PLACE = st.floats(0, 1, exclude_max=True)
EDIT = st.tuples(st.sampled_from(["set", "row", "column", "drop", "swap"]), PLACE, PLACE, st.sampled_from(CELLS))
LABEL_CHANGES = ["none", "numbers", "less", "more", "odd"]
FUZZ = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
MUTATIONS = st.lists(
    st.tuples(PLACE, st.sampled_from(["flip", "cut", "drop", "insert", "line"])), min_size=1, max_size=3
)


def read_or_refuse(path: Path, **options: Any) -> None:
    """A finite table or a typed error; nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiva.errors.TivaWarning)
        try:
            table = tiva.read(path, **options)
        except TivaError:
            return
    for values in (table.intermediate, table.final_demand, table.output, table.value_added):
        assert np.isfinite(values).all()


def edited(rows: list[list[Any]], edits: list[tuple[str, float, float, Any]]) -> list[list[Any]]:
    for kind, down, across, value in edits:
        i = int(down * len(rows))
        if not rows or not rows[i]:
            continue
        j = int(across * len(rows[i]))
        if kind == "set":
            rows[i][j] = value
        elif kind == "row":
            rows.insert(i, list(rows[i]))
        elif kind == "column":
            for row in rows:
                row.insert(min(j, len(row)), value)
        elif kind == "drop":
            del rows[i]
        else:
            rows[i], rows[j % len(rows)] = rows[j % len(rows)], rows[i]
    return rows


def edited_workbook(name: str, folder: Path, edits: list[tuple[str, float, float, Any]]) -> Path:
    """Copy a workbook fixture with the cells of each sheet changed."""
    openpyxl = pytest.importorskip("openpyxl")
    old = openpyxl.load_workbook(fixture(name))
    new = openpyxl.Workbook()
    new.remove(new.active)
    for sheet in old.worksheets:
        copy = new.create_sheet(sheet.title)
        for row in edited([list(r) for r in sheet.iter_rows(values_only=True)], edits):
            copy.append(row)
    new.save(folder / name)
    old.close()
    new.close()
    return folder / name


@pytest.mark.parametrize("name", WORKBOOKS)
@FUZZ
@given(edits=st.lists(EDIT, min_size=1, max_size=3), published=st.booleans())
def test_cells_of_workbooks(
    tmp_path: Path, name: str, edits: list[tuple[str, float, float, Any]], published: bool
) -> None:
    edited_workbook(name, tmp_path, edits)
    read_or_refuse(tmp_path / name, value_added="published" if published else "residual")


def changed_numbers(content: bytes, changes: list[tuple[float, float]]) -> bytes:
    """Put other numbers (and none: NaN) into cells of a binary sheet, which stays well formed."""
    parts = [list(record) for record in records(content)]
    cells = [k for k, (kind, _, _) in enumerate(parts) if kind in (REAL, RK)]
    for where, value in changes:
        k = cells[int(where * len(cells))]
        _, head, payload = parts[k]
        packed = struct.pack("<d", value)
        parts[k][2] = payload[:8] + (packed if len(payload) == 16 else packed[4:])
        assert len(parts[k][2]) == len(payload) == head[-1]
    return b"".join(bytes(head) + bytes(payload) for _, head, payload in parts)


NUMBERS = st.tuples(PLACE, st.floats(allow_nan=True, allow_infinity=True))


@FUZZ
@given(changes=st.lists(NUMBERS, min_size=1, max_size=4))
def test_cells_of_a_binary_workbook(tmp_path: Path, changes: list[tuple[float, float]]) -> None:
    path, touched = tmp_path / XLSB, 0
    with zipfile.ZipFile(fixture(XLSB)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if "worksheets/sheet" in name and name.endswith(".bin"):
                content, touched = changed_numbers(content, changes), touched + 1
            new.writestr(name, content)
    assert touched
    read_or_refuse(path)


@FUZZ
@given(mutations=MUTATIONS, byte=st.integers(0, 255), part=st.integers(0, 3), published=st.booleans())
def test_mutated_gloria_folder(
    tmp_path_factory: pytest.TempPathFactory,
    mutations: list[tuple[float, str]],
    byte: int,
    part: int,
    published: bool,
) -> None:
    clean = tmp_path_factory.getbasetemp() / "gloria_clean"
    if not clean.exists():
        clean.mkdir()
        write_gloria(clean, supply_and_use())
    folder = clean.with_name("gloria_fuzz")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(clean, folder)
    victim = sorted(folder.iterdir())[part]
    victim.write_bytes(mutated(victim.read_bytes(), mutations, byte))
    read_or_refuse(folder, value_added="published" if published else "residual")


@FUZZ
@given(
    name=st.sampled_from(["z", "f", "X", "va"]),
    change=st.sampled_from(["drop", "text", "short", "flat", "cube", "nan", "huge", "integers", "empty"]),
    published=st.booleans(),
)
def test_emerging_with_other_arrays(tmp_path: Path, name: str, change: str, published: bool) -> None:
    arrays = numbers()
    value = arrays[name]
    changed: dict[str, Any] = {
        "text": np.full(value.shape, b"x", dtype="S3"),
        "short": value[:-1],
        "flat": value.reshape(-1),
        "cube": value[None],
        "nan": np.where(value > value.mean(), np.nan, value),
        "huge": value * 1e300,
        "integers": value.astype(int),
        "empty": value[:0],
    }
    arrays[name] = changed.get(change, value)
    if change == "drop":
        del arrays[name]
    path = tmp_path / "EMERGING_V2_2018.mat"
    try:
        write_emerging(path, arrays)
    except (TypeError, ValueError):
        return  # what cannot be written needs no reader
    read_or_refuse(path, value_added="published" if published else "residual")


@FUZZ
@given(
    label=st.sampled_from(["country_list", "sector_list", "final_list"]),
    kind=st.sampled_from(LABEL_CHANGES),
)
def test_emerging_with_other_labels(tmp_path: Path, label: str, kind: str) -> None:
    path = write_emerging(tmp_path / "EMERGING_V2_2018.mat", numbers())
    with h5py.File(path, "r+") as file:
        cells = file[label][()]
        del file[label]
        if kind == "numbers":
            file[label] = np.arange(3.0)
        elif kind == "odd":
            odd = file.create_dataset("#refs#/odd", data=np.array([[1.5, 2.5]])).ref
            file.create_dataset(label, data=np.full(cells.shape, odd, dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
        elif kind != "none":
            kept = cells[:, :-1] if kind == "less" else np.concatenate([cells, cells], axis=1)
            file.create_dataset(label, data=kept, dtype=h5py.ref_dtype)
    with pytest.raises(TivaError):
        tiva.read(path, value_added="published")


@FUZZ
@given(mutations=MUTATIONS, byte=st.integers(0, 255))
def test_mutated_emerging_bytes(
    tmp_path_factory: pytest.TempPathFactory, mutations: list[tuple[float, str]], byte: int
) -> None:
    clean = tmp_path_factory.getbasetemp() / "emerging_clean.mat"
    if not clean.exists():
        write_emerging(clean, numbers())
    path = clean.with_name("EMERGING_V2_2018.mat")
    path.write_bytes(mutated(clean.read_bytes(), mutations, byte))
    read_or_refuse(path)


@FUZZ
@given(rows=st.lists(st.lists(st.sampled_from(CELLS), max_size=6), max_size=8))
@pytest.mark.parametrize("name", ["BRA_MIP_2015.xlsx", "x.xlsx"])
def test_cepal_workbooks_are_refused_whatever_they_hold(tmp_path: Path, name: str, rows: list[list[Any]]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["CEPAL: Matriz de insumo-producto sudamericana, 2005"])
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / name)
    book.close()
    with pytest.raises(TivaError):
        tiva.read(tmp_path / name)


@FUZZ
@given(mutations=MUTATIONS, byte=st.integers(0, 255), part=st.sampled_from(["F.txt", "F_Y.txt", "unit.txt"]))
def test_mutated_extension(
    tmp_path_factory: pytest.TempPathFactory, mutations: list[tuple[float, str]], byte: int, part: str
) -> None:
    base = tmp_path_factory.getbasetemp() / "extension_fuzz"
    base.mkdir(exist_ok=True)
    clean = base / "IOT_2022_ixi.zip"
    if not clean.exists():
        exiobase(clean)
    folder = base / "IOT_2022_ixi"
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(clean) as archive:
        archive.extractall(base)
    victim = folder / "employment" / part
    victim.write_bytes(mutated(victim.read_bytes(), mutations, byte))
    try:
        found = read_satellite(folder, tiva.read(clean), variable="Employment: men", missing="zero")
    except TivaError:
        return
    assert np.isfinite(found.values).all()
