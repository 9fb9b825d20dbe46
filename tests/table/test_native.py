from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import tiva
from tests.paths import shared
from tests.table.test_icio_table import small
from tiva.errors import OutputError, ReaderError
from tiva.table.icio_table import IcioTable, OtherInput
from tiva.table.native import load

MAX_NATIVE_BYTES = 6_000_000
"""What a full WIOD year may take on disk."""


def same(a: IcioTable, b: IcioTable) -> None:
    assert a.checksum == b.checksum
    assert a.provenance == b.provenance
    assert a.countries == b.countries
    np.testing.assert_array_equal(a.output, b.output)


def test_round_trip_is_exact(tmp_path: Path, example: IcioTable) -> None:
    same(load(example.save(tmp_path / "t.nc")), example)


def test_round_trip_of_split_countries_and_other_inputs(tmp_path: Path) -> None:
    taxes = OtherInput(np.array([1.0, 2, 3, 4]), np.ones((1, 1)))
    table = small(
        countries=["N1", "N2"],
        split_countries={"N1": "N", "N2": "N"},
        final_demand=np.full((4, 1), 50.0),
        value_added=np.array([54.0, 48, 42, 46]),
        other_inputs={"taxes less subsidies": taxes},
    )
    again = load(table.save(tmp_path / "t.nc"))
    same(again, table)
    assert again.value_added_kind == "published"
    np.testing.assert_array_equal(again.other_inputs["taxes less subsidies"].final, [[1.0]])


def test_full_wiod_year_is_compact(tmp_path: Path) -> None:
    from benchmarks.tables import wiod

    table = wiod(shared("wiod2013/wiot2011.npz"))
    path = table.save(tmp_path / "wiod.nc")
    assert path.stat().st_size < MAX_NATIVE_BYTES
    same(load(path), table)


def test_other_programs_can_open_it(tmp_path: Path, example: IcioTable) -> None:
    path = example.save(tmp_path / "t.nc")
    with xr.open_dataset(path, engine="h5netcdf") as data:
        np.testing.assert_array_equal(data["intermediate"], example.intermediate)


def test_wrong_suffix_and_missing_folder(tmp_path: Path, example: IcioTable) -> None:
    with pytest.raises(OutputError, match="native format ends in"):
        example.save(tmp_path / "t.csv")
    with pytest.raises(OutputError, match="no such folder"):
        example.save(tmp_path / "nowhere" / "t.nc")
    assert not list(tmp_path.iterdir())


def test_damage_is_noticed(tmp_path: Path, example: IcioTable) -> None:
    import h5netcdf

    path = example.save(tmp_path / "t.nc")
    with h5netcdf.File(path, "a") as file:
        file["output"][0] = 1.0
    with pytest.raises(ReaderError, match="content and recorded checksum differ"):
        load(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ReaderError, match="cannot be read as a native table"):
        load(path)


def test_foreign_netcdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.nc"
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ReaderError, match="is a netCDF file, but not a table of this package"):
        load(path)


def test_failed_write_leaves_nothing(tmp_path: Path, example: IcioTable, monkeypatch: pytest.MonkeyPatch) -> None:
    import tiva.table.native as native

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(native, "_write", full)
    with pytest.raises(OutputError, match="No space left"):
        example.save(tmp_path / "t.nc")
    assert not list(tmp_path.iterdir())


def test_example_needs_no_file() -> None:
    table = tiva.example()
    assert table.provenance.licence == "CC BY 4.0"
    assert table.check().ok
    assert len(table.countries) == 17
