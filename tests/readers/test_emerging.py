from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tiva
from tiva.errors import ReaderError, UsageError

AREAS, SECTORS, FINAL = ["CHN", "SER"], ["Meat", "Fish", "Trade"], ["household", "government", "capital"]
N = len(AREAS) * len(SECTORS)


def numbers() -> dict[str, Any]:
    rng = np.random.default_rng(5)
    z, f = rng.uniform(0, 3, (N, N)), rng.uniform(1, 5, (N, len(AREAS) * len(FINAL)))
    x = z.sum(axis=1) + f.sum(axis=1)
    return {"z": z, "f": f, "X": x[:, None], "va": (x - z.sum(axis=0))[None]}


def written(path: Path, arrays: dict[str, Any], group: str = "", labels: bool = True) -> Path:
    """Write as MATLAB 7.3 does: arrays transposed, strings as references, a user block of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        root = file.create_group(group) if group else file
        for name, values in arrays.items():
            root.create_dataset(name, data=np.asarray(values).T)
        lists = (("country_list", AREAS), ("sector_list", SECTORS), ("final_list", FINAL)) if labels else ()
        for name, found in lists:
            cells = root.create_dataset(name, (1, len(found)), dtype=h5py.ref_dtype)
            for i, label in enumerate(found):
                codes = np.frombuffer(label.encode("utf-16-le"), dtype=np.uint16)[:, None]
                cells[0, i] = file.create_dataset(f"#refs#/{name}{i}", data=codes).ref
    with path.open("r+b") as handle:
        handle.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    return path


@pytest.mark.parametrize("group", ["", "mrio"])
def test_reads_what_was_written_transposed(tmp_path: Path, group: str) -> None:
    arrays = numbers()
    table = tiva.read(written(tmp_path / "EMERGING_V2_2018.mat", arrays, group), value_added="published")
    np.testing.assert_array_equal(table.intermediate, arrays["z"])
    np.testing.assert_array_equal(table.final_demand.reshape(N, -1), arrays["f"])
    np.testing.assert_array_equal(table.value_added, arrays["va"][0])
    assert table.countries == ("CHN", "SRB")
    assert (table.sectors, table.final_demand_categories, table.year) == (tuple(SECTORS), tuple(FINAL), 2018)


def test_edition_without_labels_in_the_file(tmp_path: Path) -> None:
    arrays = numbers()
    renamed = {f"MRIO_{name.upper()}_E": values for name, values in arrays.items()}
    path = written(tmp_path / "EMERGING_E_2020.mat", renamed, labels=False)
    with pytest.raises(ReaderError, match=r"has no list of countries(.|\n)*MRIO_Z_E(.|\n)*country_labels="):
        tiva.read(path)
    with pytest.raises(ReaderError, match=r"has no list of sectors(.|\n)*sector_labels="):
        tiva.read(path, country_labels=AREAS)
    with pytest.raises(ReaderError, match="does not fit the labels"):
        tiva.read(path, country_labels=AREAS, sector_labels=SECTORS[:2])
    table = tiva.read(path, country_labels=AREAS, sector_labels=SECTORS, value_added="published")
    np.testing.assert_array_equal(table.intermediate, arrays["z"])
    np.testing.assert_array_equal(table.value_added, arrays["va"][0])
    assert (table.final_demand_categories, table.year) == (tuple(FINAL), 2020)


def test_summing_while_reading_is_summing_after(tmp_path: Path) -> None:
    path = written(tmp_path / "global_mrio_2015.mat", numbers())
    groups = {"countries": {"ALL": ["CHN", "SRB"]}, "sectors": {"Food": ["Meat", "Fish"]}}
    whole, summed = tiva.read(path).aggregate(**groups), tiva.read(path, **groups)
    np.testing.assert_allclose(summed.intermediate, whole.intermediate, rtol=1e-12)
    np.testing.assert_allclose(summed.final_demand, whole.final_demand, rtol=1e-12)
    with pytest.raises(UsageError, match="too large"):
        tiva.read(path, memory_gib=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {**a, "z": a["z"].T}, "do not add up to the published output"),
        (lambda a: {**a, "z": a["z"][:-1]}, "does not fit the labels"),
        (lambda a: {**a, "z": a["z"] * np.nan}, "not finite"),
        (lambda a: {k: v for k, v in a.items() if k != "f"}, "no data set for f"),
        (lambda a: {k: v for k, v in a.items() if k != "va"}, "no data set for va"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, change: Any, message: str) -> None:
    path = written(tmp_path / "EMERGING_V2_2018.mat", change(numbers()))
    with pytest.raises(ReaderError, match=message):
        tiva.read(path, value_added="published")


def test_a_reference_that_leads_nowhere_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "EMERGING_V2_2018.mat", numbers())
    with h5py.File(path, "r+") as file:
        cells = file["sector_list"][()]
        cells[0, 1] = h5py.Reference()
        file["sector_list"][...] = cells
    with pytest.raises(ReaderError, match=r"EMERGING_V2_2018.mat(.|\n)*(is damaged|cannot be read)"):
        tiva.read(path)
    path = written(tmp_path / "EMERGING_V2_2018.mat", numbers())
    with h5py.File(path, "r+") as file:
        cells = file["sector_list"][()]
        cells[0, 0] = file["#refs#"].ref
        file["sector_list"][...] = cells
    with pytest.raises(ReaderError, match="sector_list is no list of strings"):
        tiva.read(path)
