from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.batch.conftest import small_table
from tests.paths import ROOT
from tiva.batch.cubes import chunk_shape, open_cube, stream_cube
from tiva.errors import OutputError, UnknownLabelError
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

EXACT = 1e-12
"""Solving against inverting a well-conditioned 6 x 6 or 255 x 255 matrix."""


def brute_force(table: IcioTable) -> np.ndarray:
    """V_i B_ij E_jr by an explicit inverse and loops over importers."""
    g, n_sectors = len(table.countries), len(table.sectors)
    coefficients = table.intermediate / table.output
    inverse = np.linalg.inv(np.eye(table.n) - coefficients)
    content = (table.value_added / table.output)[:, None] * inverse
    exports = np.zeros((table.n, g))
    for r in range(g):
        columns = slice(r * n_sectors, (r + 1) * n_sectors)
        exports[:, r] = table.intermediate[:, columns].sum(axis=1) + table.final_demand_by_absorber[:, r]
        exports[columns, r] = 0.0
    return content[:, :, None] * exports[None]


@pytest.mark.parametrize("block", [1, 200, 1 << 20])
def test_zarr_cube_against_the_explicit_inverse(block: int, tmp_path: Path) -> None:
    table = small_table(2000, countries=4, sectors=3)
    expected = brute_force(table)
    report = stream_cube(LeontiefModel(table), tmp_path / "fine", origin="country-sector", block_bytes=block)
    stored = open_cube(tmp_path / "fine")
    np.testing.assert_allclose(stored["value"].values, expected, rtol=EXACT, atol=EXACT)
    assert report.shape == expected.shape
    assert report.residual < EXACT
    assert report.block_bytes <= max(block, 12 * 4 * 8)
    assert list(stored["origin"].values[:4]) == ["C0", "C0", "C0", "C1"]
    assert list(stored["sector"].values[:4]) == ["s0", "s1", "s2", "s0"]
    coarse = stream_cube(LeontiefModel(table), tmp_path / "coarse", origin="country", block_bytes=block)
    summed = expected.reshape(4, 3, 12, 4).sum(axis=1)
    np.testing.assert_allclose(open_cube(tmp_path / "coarse")["value"].values, summed, rtol=EXACT, atol=EXACT)
    assert coarse.shape == (4, 12, 4)


def test_parquet_cube_reads_by_exporter_origin_and_importer(tmp_path: Path) -> None:
    import pyarrow.dataset as ds

    table = small_table(2000, countries=4, sectors=3)
    expected = brute_force(table)
    stream_cube(LeontiefModel(table), tmp_path / "cube", origin="country-sector", form="parquet", block_bytes=800)
    stored = ds.dataset(tmp_path / "cube", partitioning="hive")
    frame = stored.to_table(columns=["exporter", "origin", "origin_sector", "sector", "to_C2"]).to_pandas()
    frame = frame.astype(dict.fromkeys(("exporter", "origin", "origin_sector", "sector"), str))
    frame = frame.set_index(["origin", "origin_sector", "exporter", "sector"])["to_C2"].sort_index()
    np.testing.assert_allclose(frame.to_numpy(), expected[:, :, 2].reshape(-1), rtol=EXACT, atol=EXACT)
    one = stored.to_table(filter=ds.field("exporter") == "C3", columns=["to_C0"])
    assert one.num_rows == 12 * 3


@pytest.mark.parametrize("form", ["parquet", "zarr"])
def test_labels_that_look_like_numbers_come_back_as_text(form: str, tmp_path: Path) -> None:
    """In parquet with the call that docs/batch.md shows; a plain "hive" takes them for numbers."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds

    labels = ["007", "10", "8"]
    table = IcioTable.from_arrays(
        np.full((3, 3), 1.0), np.full((3, 3), 2.0), countries=labels, sectors=["01"], year=2000
    )
    path, expected = tmp_path / "cube", brute_force(table)
    stream_cube(LeontiefModel(table), path, form=form)
    if form == "zarr":
        opened = open_cube(path)
        for name in ("origin", "exporter", "importer"):
            assert opened[name].values.tolist() == labels
        return
    page = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    call = 'pyarrow.dataset.partitioning(pyarrow.schema([("exporter", pyarrow.string())]), flavor="hive")'
    assert f"text = {call}" in page
    text = ds.partitioning(pa.schema([("exporter", pa.string())]), flavor="hive")
    stored = ds.dataset(path, partitioning=text)
    assert stored.schema.field("exporter").type == pa.string()
    for name, frame in (
        ("pyarrow", stored.to_table(filter=ds.field("exporter") == "007").to_pandas()),
        ("pandas", pd.read_parquet(path, partitioning=text, filters=[("exporter", "==", "007")])),
    ):
        assert frame["exporter"].astype(str).unique().tolist() == ["007"], name
        assert frame["origin"].astype(str).tolist() == labels
        for index, label in enumerate(labels):
            np.testing.assert_allclose(frame[f"to_{label}"], expected[:, 0, index], rtol=EXACT, atol=EXACT)
    assert ds.dataset(path, partitioning="hive").schema.field("exporter").type == pa.int32()


def test_parquet_cube_of_labels_that_no_folder_may_have(tmp_path: Path) -> None:
    import pyarrow.dataset as ds

    labels = ["EU/EA", "50%25", 'a: "b"?']
    n = len(labels)
    flows, final = np.full((n, n), 1.0), np.full((n, n), 2.0)
    table = IcioTable.from_arrays(flows, final, countries=labels, sectors=["s"], year=2000)
    stream_cube(LeontiefModel(table), tmp_path / "cube", form="parquet")
    stored = ds.dataset(tmp_path / "cube", partitioning="hive")
    frame = stored.to_table(columns=["exporter", "origin", *(f"to_{label}" for label in labels)]).to_pandas()
    found = frame.astype({"exporter": str}).set_index(["origin", "exporter"]).to_xarray()
    expected = brute_force(table)
    for index, label in enumerate(labels):
        values = found[f"to_{label}"].sel(origin=labels, exporter=labels).values
        np.testing.assert_allclose(values, expected[:, :, index], rtol=EXACT, atol=EXACT)
    assert sorted(p.name for p in (tmp_path / "cube").iterdir())[0] == "exporter=50%2525"


def test_bytes_of_a_cube_do_not_depend_on_the_run(tmp_path: Path) -> None:
    for name in ("a", "b"):
        stream_cube(LeontiefModel(small_table(2000)), tmp_path / name, origin="country-sector")
    for file in (tmp_path / "a").rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()


def test_chunks_cut_each_axis_equally() -> None:
    shape = (3465, 3465, 77)
    chunks = chunk_shape(shape, width=100)
    cuts = [size / chunk for size, chunk in zip(shape, chunks, strict=True)]
    assert max(cuts) < 4 * min(cuts)
    assert 1 << 20 < np.prod(chunks) * 8 < 8 << 20
    assert chunk_shape((3, 6, 3), width=1) == (3, 1, 3)


def test_what_cannot_be_streamed(tmp_path: Path, example: IcioTable) -> None:
    model = LeontiefModel(small_table(2000))
    with pytest.raises(UnknownLabelError, match="did you mean 'country'"):
        stream_cube(model, tmp_path / "x", origin="countr")
    with pytest.raises(UnknownLabelError, match="unknown format"):
        stream_cube(model, tmp_path / "x", form="csv")
    (tmp_path / "x").mkdir()
    with pytest.raises(OutputError, match="there already"):
        stream_cube(model, tmp_path / "x")
    with pytest.raises(OutputError, match="no Zarr cube"):
        open_cube(tmp_path / "x")


def test_memory_of_streaming_is_bounded_by_the_block(tmp_path: Path, example: IcioTable) -> None:
    """The cube has 8.8 MB; with blocks of 0.5 MB the arrays alive at one time stay far below it."""
    import tracemalloc

    model = LeontiefModel(example)
    _ = model.factor, model.exports, model.value_added
    stream_cube(model, tmp_path / "warm", origin="country-sector", block_bytes=1 << 19)
    tracemalloc.start()
    report = stream_cube(model, tmp_path / "cube", origin="country-sector", block_bytes=1 << 19)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = np.prod(report.shape) * 8
    assert size > 8e6
    assert peak < size / 2
    assert report.residual < 1e-9


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_reads_one_slab_of_chunks(axis: int, tmp_path: Path, example: IcioTable) -> None:
    """By origin, exporter or importer: chunks elsewhere are removed, and would be read as zeros."""
    stream_cube(LeontiefModel(example), tmp_path / "cube", origin="country-sector")
    cube = open_cube(tmp_path / "cube")["value"]
    dim = ("origin_row", "row", "importer")[axis]
    whole = cube.isel({dim: 0}).load()
    removed = 0
    for chunk in (tmp_path / "cube" / "value" / "c").rglob("*"):
        if chunk.is_file():
            place = chunk.relative_to(tmp_path / "cube" / "value" / "c").parts
            if place[axis] != "0":
                chunk.unlink()
                removed += 1
    assert removed > 0
    assert open_cube(tmp_path / "cube")["value"].isel({dim: 0}).load().identical(whole)
    assert not float(open_cube(tmp_path / "cube")["value"].isel({dim: -1}).sum())
