"""Fixtures of all layouts as rows of cells, and their way back into files: so that one damage can be done to each."""

from __future__ import annotations

import csv
import io
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.readers import binary
from tests.readers.support import fixture
from tiva.readers.sheets import address, read_grid, read_sheets
from tiva.readers.source import Source

Rows = list[list[Any]]


@dataclass(frozen=True)
class Layout:
    """A fixture as rows of cells.

    Attributes
    ----------
    name
        Of the test.
    load
        Returns the rows.
    save
        Writes rows into a folder and returns what to read.
    top, left
        Position of the first row and column of numbers; 0 where there are no labels.
    total
        Position of the column of output, ``None`` where there is none.
    row_label, column_label
        Position within a row of the label that tells its country-sector, and the header row that tells a column's.
    place
        Row and column -> how messages name the place: a pattern.
    zeros
        Whether empty cells are zeros in this layout.
    long
        Whether each line is one cell.
    """

    name: str
    load: Callable[[], Rows]
    save: Callable[[Rows, Path], Path]
    top: int
    left: int
    total: int | None
    row_label: int
    column_label: int
    place: Callable[[int, int], str]
    zeros: bool = False
    long: bool = False
    n: int = 6


def _text(name: str, separator: str) -> tuple[Callable[[], Rows], Callable[[Rows, Path], Path]]:
    def load() -> Rows:
        with fixture(name).open(newline="") as handle:
            return list(csv.reader(handle, delimiter=separator))

    def save(rows: Rows, folder: Path) -> Path:
        with (folder / name).open("w", newline="") as handle:
            csv.writer(handle, delimiter=separator, lineterminator="\n").writerows(rows)
        return folder / name

    return load, save


def _line(row: int, column: int) -> str:
    return rf"line {row + 1}\b"


def _sheet_place(row: int, column: int) -> str:
    return rf"row {row + 1}\b|\b{address(row, column)}\b|line {row + 1}\b"


def _wide(name: str, total: bool = True) -> Layout:
    load, save = _text(name, ",")
    return Layout(name, load, save, 1, 1, -1 if total else None, 0, 0, _line)


def _workbook(name: str, top: int, total: int) -> Layout:
    def load() -> Rows:
        with Source(fixture(name)) as source:
            return read_grid(source, name)[1]

    def save(rows: Rows, folder: Path) -> Path:
        if name.endswith(".xlsb"):
            return binary.rewritten(fixture(name), folder / name, lambda sheet: binary.sheet_of(sheet, rows))
        openpyxl = pytest.importorskip("openpyxl")
        with Source(fixture(name)) as source:
            title = next(iter(read_sheets(source, name)))
        book = openpyxl.Workbook()
        book.active.title = title
        for row in rows:
            book.active.append([None if cell == "" else cell for cell in row])
        book.save(folder / name)
        book.close()
        return folder / name

    return Layout(name, load, save, top, 4, total, 2, top - 2, _sheet_place, zeros=True)


def _frame(name: str, prefix: str = "") -> Layout:
    """The table of the 2016 release as R and Stata have it: a data frame."""

    def load() -> Rows:
        with fixture("WIOT2014_October16_ROW.for_R.csv").open(newline="") as handle:
            rows: Rows = list(csv.reader(handle))
        head = [f"{prefix}{c}" if i >= 5 and c != "TOT" else c for i, c in enumerate(rows[0])]
        return [head, *([*r[:3], int(r[3]), int(r[4]), *map(float, r[5:])] for r in rows[1:])]

    def save(rows: Rows, folder: Path) -> Path:
        import pandas as pd

        frame = pd.DataFrame(rows[1:], columns=rows[0])
        for column in frame.columns:
            if frame[column].dtype.kind not in "if":  # one text makes a column text
                frame[column] = frame[column].astype(str).astype(object)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name.endswith(".dta"):
                frame.to_stata(folder / name, write_index=False)
            else:
                pytest.importorskip("rdata").write_rda(folder / name, {"wiot": frame})
        return folder / name

    def place(row: int, column: int) -> str:
        return rf"row {row}\b"

    return Layout(name, load, save, 1, 5, -1, 2, 0, place)


def _exiobase(part: str) -> Layout:
    name, member = "IOT_2022_ixi.zip", f"IOT_2022_ixi/{part}"

    def load() -> Rows:
        with zipfile.ZipFile(fixture(name)) as archive:
            text = archive.read(member).decode()
        return list(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))

    def save(rows: Rows, folder: Path) -> Path:
        with zipfile.ZipFile(fixture(name)) as old, zipfile.ZipFile(folder / name, "w") as new:
            for other in old.namelist():
                text = "\n".join("\t".join(map(str, r)) for r in rows) + "\n"
                new.writestr(other, text if other == member else old.read(other))
        return folder / name

    return Layout(f"exiobase {part}", load, save, 3, 2, None, 0, 0, _line)


def _eora(part: str) -> Layout:
    name = f"Eora26_2015_bp_{part}.txt"

    def load() -> Rows:
        return [line.split("\t") for line in (fixture("eora26") / name).read_text().splitlines()]

    def save(rows: Rows, folder: Path) -> Path:
        target = folder / "eora26"
        shutil.copytree(fixture("eora26"), target, copy_function=shutil.copyfile, dirs_exist_ok=True)
        target.chmod(0o755)
        (target / name).write_text("\n".join("\t".join(map(str, r)) for r in rows) + "\n")
        return target

    return Layout(f"eora {part}", load, save, 0, 0, None, 0, 0, _line, n=5)


def _stata() -> Layout:
    load, save = _text("icio_user.csv", ",")

    def with_list(rows: Rows, folder: Path) -> Path:
        shutil.copyfile(fixture("icio_user_countrylist.csv"), folder / "icio_user_countrylist.csv")
        return save(rows, folder)

    return Layout("icio_user.csv", load, with_list, 0, 0, None, 0, 0, _line)


def _long(name: str) -> Layout:
    load, save = _text(name, ",")
    return Layout(name, load, save, 1, -1, None, 0, 0, _line, long=True)


LAYOUTS = {
    layout.name: layout
    for layout in (
        *(
            _wide(name)
            for name in (
                "icio2025_2022_SML.csv", "icio2025_2022_EXT.csv", "icio2023_2020_SML.csv", "ICIO2021_2018.csv",
                "ICIO2018_2015.CSV",
            )
        ),
        _wide("ICIO2016_2011.csv", total=False),
        _wide("matrix_eu-ic-io_ind-by-ind_24ed_2022.csv", total=False),
        _workbook("wiot11_row_sep12.xlsx", 6, -1),
        _workbook("WIOT2014_Nov16_ROW.as.xlsx", 6, -1),
        _workbook("WIOT2014_Nov16_ROW.xlsb", 6, -1),
        _workbook("ADB-MRIO62-2022_synthetic.xlsx", 7, -1),
        _frame("WIOT2014_October16_ROW.RData"),
        _frame("WIOT2014_October16_ROW.dta", "v"),
        _exiobase("Z.txt"),
        _eora("T"),
        _stata(),
        _long("lr_wiod_wiot_final_filled.csv"),
        _long("flatfile_eu-ic-io_ind-by-ind_24ed_2022.csv"),
    )
}  # fmt: skip
"""Layout -> how its fixture is taken apart and put together."""
