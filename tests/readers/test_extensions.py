"""Extensions that come with a table, against numbers written here."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.readers.support import fixture
from tiva.errors import LabelError, ReaderError, UnknownLabelError, UsageError
from tiva.model.leontief import LeontiefModel
from tiva.readers.satellites import read_satellite
from tiva.table.icio_table import IcioTable

EXIOBASE = "IOT_2022_ixi.zip"
COLUMNS = (
    "region\tUS\tUS\tAU\tAU\tWA\tWA\n"
    "sector\tCultivation of wheat\tCultivation of paddy rice\tCultivation of paddy rice\tCultivation of wheat"
    "\tCultivation of paddy rice\tCultivation of wheat\n"
)
JOBS = COLUMNS + "stressor\t\t\t\t\t\t\nEmployment: men\t4\t3\t1\t2\t5\t6\nCO2 - air\t1\t1\t1\t1\t1\t1\n"
HOUSEHOLDS = "region\tAU\tUS\ncategory\tHouseholds\tHouseholds\nCO2 - air\t7\t8.5\nEmployment: men\t0\t0\n"
UNITS = "stressor\tunit\nEmployment: men\t1000 p\nCO2 - air\tkg\n"
IN_ORDER = [1, 2, 3, 4, 5, 6]


def exiobase(path: Path, **parts: str) -> Path:
    """Write the fixture with an extension of other column order; keyword names with ``__`` for the slash."""
    contents = {"employment/F.txt": JOBS, "employment/unit.txt": UNITS, "employment/F_Y.txt": HOUSEHOLDS}
    contents |= {name.replace("__", "/") + ".txt": text for name, text in parts.items()}
    with zipfile.ZipFile(fixture(EXIOBASE)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        for name, text in contents.items():
            new.writestr(f"IOT_2022_ixi/{name}", text)
    return path


def eora(folder: Path) -> Path:
    """Copy the fixture and add two satellites and one that has the name of another."""
    shutil.copytree(fixture("eora26"), folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    labels = ("CO2 (Gg) from fuel\tAir\t", "CO2 (Gg) from fuel\tWater\t", "Workers\tTotal\t", "Workers\tTotal\t")
    (folder / "labels_Q.txt").write_text("\n".join(labels) + "\n")
    rows = ("1\t2\t3\t4\t0\t", "5\t6\t7\t8\t9\t", "1\t1\t1\t1\t1\t", "2\t2\t2\t2\t2\t")
    (folder / "Eora26_2015_bp_Q.txt").write_text("\n".join(rows) + "\n")
    (folder / "Eora26_2015_bp_QY.txt").write_text("10\t20\n1\t1\n0\t0\n0\t0\n")
    return folder


def test_empty_cells_of_an_extension_are_missing_not_zero(tmp_path: Path) -> None:
    text = JOBS.replace("CO2 - air\t1\t1\t1\t1\t1\t1", "CO2 - air\t1\t\t1\t1\t1\t1")
    path = exiobase(tmp_path / EXIOBASE, employment__F=text)
    table = tiva.read(path)
    with pytest.raises(LabelError, match=r"lacks 1 of 6 country-sectors(.|\n)*USA.Cultivation of paddy rice"):
        read_satellite(path, table, variable="CO2 - air", member="employment")
    found = read_satellite(path, table, variable="CO2 - air", member="employment", missing="zero")
    assert found.coverage.missing == ("USA.Cultivation of paddy rice",)
    assert found.values.sum() == 5.0
    bad = exiobase(tmp_path / "IOT_2022_ixi_bad.zip", employment__F=text.replace("air\t1\t\t", "air\t1\tx\t"))
    with pytest.raises(ReaderError, match=r"line 5: row 'CO2 - air': text in a cell\n  got: 'x' in column 3"):
        read_satellite(bad, table, variable="CO2 - air", member="employment")


def rows_of(table: IcioTable, area: str) -> slice:
    at = table.areas.index(area) * len(table.sectors)
    return slice(at, at + len(table.sectors))


def test_exiobase_row_is_matched_by_labels_with_its_unit(tmp_path: Path) -> None:
    path = exiobase(tmp_path / EXIOBASE)
    table = tiva.read(path)
    jobs = read_satellite(path, table, variable="Employment: men")
    assert jobs.values.tolist() == IN_ORDER
    assert (jobs.name, jobs.unit, jobs.coverage.found) == ("Employment: men", "1000 p", 6)
    assert [f.name.split("/")[-1] for f in jobs.provenance.files] == ["F.txt", "F_Y.txt", "unit.txt"]
    assert jobs.provenance.edition == "employment"
    carbon = read_satellite(path, table, variable="CO2 - air", member="employment")
    assert carbon.unit == "kg"
    assert any("F_Y.txt: 15.5 arise in final demand itself" in note for note in carbon.provenance.notes)
    model = LeontiefModel(table, satellite=np.asarray(jobs), satellite_unit=jobs.unit)
    np.testing.assert_allclose(model.value_added * table.output, IN_ORDER, rtol=1e-14)


def test_exiobase_value_added_row_is_that_of_the_table(tmp_path: Path) -> None:
    table = tiva.read(fixture(EXIOBASE), value_added="published")
    names = ("Other net taxes on production", "Operating surplus: Remaining net operating surplus")
    pay = "Compensation of employees; wages, salaries, & employers' social contributions: Total"
    parts = [read_satellite(fixture(EXIOBASE), table, variable=name).values for name in (*names, pay)]
    np.testing.assert_allclose(np.sum(parts, axis=0), table.value_added, rtol=1e-12)


def test_exiobase_of_a_single_extension_folder(tmp_path: Path) -> None:
    table = tiva.read(fixture(EXIOBASE))
    (tmp_path / "F.txt").write_text(JOBS)
    found = read_satellite(tmp_path, table, variable="Employment: men", year=2022)
    assert found.values.tolist() == IN_ORDER
    assert found.unit == "unit not given"
    assert read_satellite(tmp_path / "F.txt", table, variable="Employment: men", unit="p").unit == "p"


def test_exiobase_choices_are_named(tmp_path: Path) -> None:
    path = exiobase(tmp_path / EXIOBASE, impacts__F=JOBS, impacts__unit=UNITS)
    table = tiva.read(path)
    with pytest.raises(UsageError, match=r"several extensions have a row 'CO2 - air'(.|\n)*member="):
        read_satellite(path, table, variable="CO2 - air")
    assert read_satellite(path, table, variable="CO2 - air", member="impacts").values.sum() == 6
    with pytest.raises(UsageError, match=r"several rows(.|\n)*variable="):
        read_satellite(path, table)
    with pytest.raises(UnknownLabelError, match="Employment: men"):
        read_satellite(path, table, variable="Employment: man")
    with pytest.raises(UnknownLabelError, match="unknown member 'impact'"):
        read_satellite(path, table, variable="CO2 - air", member="impact")
    with pytest.raises(ReaderError, match=r"another year(.|\n)*2022(.|\n)*2019"):
        read_satellite(path, table, variable="CO2 - air", year=2019)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"employment__F": JOBS.replace("\t3\t1", "\tx\t1")}, r"F.txt, line 4: row 'Employment: men': text"),
        ({"employment__F": JOBS.replace("\t3\t1", "\t1")}, r"line 4(.|\n)*5 cells(.|\n)*6 finite numbers"),
        ({"employment__F": JOBS + "Employment: men\t1\t1\t1\t1\t1\t1\n"}, "line 6: a row that was given before"),
        ({"employment__unit": "stressor\tunit\n"}, "unit.txt: no one unit of 'Employment: men'"),
    ],
)
def test_bad_extensions_are_named(tmp_path: Path, parts: dict[str, str], message: str) -> None:
    path = exiobase(tmp_path / EXIOBASE, **parts)
    with pytest.raises(ReaderError, match=message):
        read_satellite(path, tiva.read(fixture(EXIOBASE)), variable="Employment: men")


def test_extension_with_a_region_missing_reports_its_coverage(tmp_path: Path) -> None:
    text = "\n".join("\t".join(line.split("\t")[:5]) for line in JOBS.splitlines()) + "\n"
    path = exiobase(tmp_path / EXIOBASE, employment__F=text)
    table = tiva.read(fixture(EXIOBASE))
    with pytest.raises(LabelError, match="lacks 2 of 6"):
        read_satellite(path, table, variable="Employment: men")
    jobs = read_satellite(path, table, variable="Employment: men", missing="zero")
    assert jobs.values.tolist() == [1, 2, 3, 4, 0, 0]
    assert [label.split(".", 1)[0] for label in jobs.coverage.missing] == ["WA", "WA"]


def test_eora_satellite_and_its_rest_of_the_world(tmp_path: Path) -> None:
    folder = eora(tmp_path / "eora26")
    table = tiva.read(folder)
    carbon = read_satellite(folder, table, variable="CO2 (Gg) from fuel - Air")
    assert carbon.values[rows_of(table, "AUS")].tolist() == [1, 2, 0]
    assert carbon.values[rows_of(table, "USA")].tolist() == [3, 4, 0]
    assert carbon.values[rows_of(table, "ROW")].sum() == 0
    assert (carbon.unit, carbon.coverage.found, carbon.coverage.missing) == ("Gg", 5, ())
    assert any("QY.txt: 30 arise in final demand itself" in note for note in carbon.provenance.notes)
    water = read_satellite(folder, table, variable="CO2 (Gg) from fuel - Water")
    assert water.values[rows_of(table, "ROW")].tolist() == [0, 0, 9]


def test_eora_labels_that_are_not_unique_need_a_line(tmp_path: Path) -> None:
    folder = eora(tmp_path / "eora26")
    table = tiva.read(folder)
    with pytest.raises(UsageError, match=r"2 rows are named 'Workers'(.|\n)*line 3: Workers - Total(.|\n)*select="):
        read_satellite(folder, table, variable="Workers")
    assert read_satellite(folder, table, variable="Workers", select={"line": "4"}).values.sum() == 10
    with pytest.raises(UnknownLabelError, match="1 to 4"):
        read_satellite(folder, table, select={"line": "5"})
    with pytest.raises(UsageError, match="by its number"):
        read_satellite(folder, table, select={"line": "last"})
    with pytest.raises(UnknownLabelError, match="'Jobs'"):
        read_satellite(folder, table, variable="Jobs")


def test_eora_matrix_and_labels_of_other_length(tmp_path: Path) -> None:
    folder = eora(tmp_path / "eora26")
    table = tiva.read(folder)
    (folder / "labels_Q.txt").write_text("CO2 (Gg)\tAir\nN2O\tAir\n")
    with pytest.raises(ReaderError, match=r"got: 4 rows\n  expected: 2, one a line of labels_Q.txt"):
        read_satellite(folder, table, variable="N2O")
    (folder / "labels_Q.txt").unlink()
    with pytest.raises(ReaderError, match=r"no labels_Q.txt"):
        read_satellite(folder, table, variable="N2O")
