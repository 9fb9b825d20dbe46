"""A workbook of the size and layout of a World Input-Output Table of the 2013 release, filled at random."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tiva.kernels.arrays import FloatArray

COUNTRIES, SECTORS = 41, 35
FINAL = ("c37", "c38", "c39", "c41", "c42")
TITLE = "World Input-Output Table for 2011"
BOTTOM = ("r60", "r99", "r61", "r62", "r63", "r64", "r65", "r69")
"""Rows below the table; all are zero but intermediate use, value added and output."""


def write_workbook(path: Path, countries: int = COUNTRIES, sectors: int = SECTORS, seed: int = 0) -> Path:
    """Write the workbook row by row (constant memory); rows and columns add up.

    Parameters
    ----------
    path
        File ending in ``.xlsx``.
    countries, sectors
        Size.
    seed
        Of the random numbers.
    """
    import xlsxwriter

    rng = np.random.default_rng(seed)
    n, width = countries * sectors, countries * (sectors + len(FINAL))
    names = [f"C{g:02d}" for g in range(countries - 1)] + ["RoW"]
    cells: FloatArray = np.round(np.exp(rng.normal(1.0, 2.0, (n, width))), 6).astype(np.float64)
    cells[:, n:] *= 3.0
    below = _below(cells, n)
    owners = [c for c in names for _ in range(sectors)] + [c for c in names for _ in FINAL]
    codes = [f"c{k + 1}" for _ in names for k in range(sectors)] + list(FINAL) * countries
    blank: list[Any] = [""] * 4
    sectors_text = [f"Sector {k + 1}" for k in range(sectors)]
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    page = book.add_worksheet("WIOT_2011")
    header = [[TITLE], [], ["(industry-by-industry)", *blank[1:], *_letters(codes)], ["(millions of US$)"]]
    rows = [*header, [*blank, *owners, ""], [*blank, *codes, ""]]
    for i, values in enumerate(cells):
        k = i % sectors
        labels = [f"S{k + 1}", sectors_text[k], names[i // sectors], f"c{k + 1}"]
        rows.append([*labels, *values.tolist(), float(values.sum())])
    rows += [["", code, "TOT", code, *below[code].tolist()] for code in BOTTOM]
    for at, row in enumerate(rows):
        page.write_row(at, 0, row)
    book.close()
    return path


def _letters(codes: list[str]) -> list[str]:
    return [f"S{c[1:]}" for c in codes]


def _below(cells: FloatArray, n: int) -> dict[str, FloatArray]:
    """Return the rows below the table: totals of columns, and value added as what is left of output."""
    width = cells.shape[1]
    output = cells.sum(axis=1)
    used = cells[:, :n].sum(axis=0)
    zeros = np.zeros(width)
    added = np.concatenate([output - used, np.zeros(width - n)])
    found = dict.fromkeys(BOTTOM, zeros)
    found["r60"] = cells.sum(axis=0)
    found["r64"] = added
    found["r69"] = np.concatenate([output, np.zeros(width - n)])
    return found


def read_openpyxl(path: Path) -> object:
    """Read all cells with openpyxl as it is installed by itself: it uses lxml only where something else brought it."""
    os.environ["OPENPYXL_LXML"] = "False"
    return read_openpyxl_lxml(path)


def read_openpyxl_lxml(path: Path) -> object:
    """Read all cells in the read-only mode of openpyxl, which is no dependency of the package."""
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    grid = [row for sheet in book.worksheets for row in sheet.iter_rows(values_only=True)]
    book.close()
    return grid
