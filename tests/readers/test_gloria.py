from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiva
from tests.readers.support import zipped
from tiva.errors import GroupError, ReaderError, UnknownLabelError, UsageError
from tiva.readers.eora import DISCREPANCY

STEM = "20240111_120secMother_AllCountries_002_{}-Results_2022_059_Markup001(full).csv"
REGIONS, SECTORS, ADDED, FINAL = ["AFG", "SDS"], ["Wheat", "Steel", "Trade"], ["Wages D.1", "Surplus B.2n"], ["C P.3h"]
N, R = len(SECTORS), len(REGIONS)
Array = np.ndarray[Any, np.dtype[np.float64]]


def supply_and_use(seed: int = 3) -> dict[str, Array]:
    """Balanced supply and use: what is supplied is used, what industries pay is what they supply."""
    rng = np.random.default_rng(seed)
    make = rng.uniform(1, 5, (R, N, N)) + 50 * np.eye(N)
    supply = make.sum(axis=1).reshape(-1)
    use = rng.uniform(0.1, 2, (R * N, R * N))
    weight = rng.uniform(0.1, 1, (R * N, R))
    demand = weight / weight.sum(axis=1, keepdims=True) * (supply - use.sum(axis=1))[:, None]
    added = make.sum(axis=2).reshape(-1) - use.sum(axis=0)
    t = np.zeros((R, 2, N, R, 2, N))
    v, y = np.zeros((R * 2, R, 2, N)), np.zeros((R, 2, N, R))
    for r in range(R):
        t[r, 0, :, r, 1] = make[r]
        v[2 * r, r, 0], v[2 * r + 1, r, 0] = 0.6 * added[r * N : (r + 1) * N], 0.4 * added[r * N : (r + 1) * N]
    t[:, 1, :, :, 0] = use.reshape(R, N, R, N)
    y[:, 1] = demand.reshape(R, N, R)
    return {"T": t.reshape(R * 2 * N, -1), "Y": y.reshape(R * 2 * N, -1), "V": v.reshape(R * 2, -1)}


def written(folder: Path, parts: dict[str, Array], labels: bool = True) -> Path:
    for part, values in parts.items():
        np.savetxt(folder / STEM.format(part), values, delimiter=",", fmt="%.17g")
    if labels:
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, columns in (
            ("Regions", {"Lfd_Nr": [1, 2], "Region_acronyms": REGIONS}),
            ("Sectors", {"Lfd_Nr": [1, 2, 3], "Sector_names": SECTORS}),
            ("Value added and final demand", {"Value_added_names": ADDED, "Final_demand_names": FINAL}),
        ):
            sheet = book.create_sheet(name)
            sheet.append(list(columns))
            length = max(map(len, columns.values()))
            for i in range(length):
                sheet.append([c[i] if i < len(c) else None for c in columns.values()])
        book.save(folder / "GLORIA_ReadMe_059.xlsx")
        book.close()
    return folder


def by_hand(parts: dict[str, Array]) -> tuple[Array, Array]:
    """Fixed product sales, with one explicit matrix of market shares for all regions."""
    t = parts["T"].reshape(R, 2, N, R, 2, N)
    make = t[:, 0, :, :, 1].reshape(R * N, R * N)
    share = make @ np.diag(1 / make.sum(axis=0))
    use = t[:, 1, :, :, 0].reshape(R * N, R * N)
    return share @ use, share @ parts["Y"].reshape(R, 2, N, R)[:, 1].reshape(R * N, R)


def test_industry_table_of_fixed_product_sales(tmp_path: Path) -> None:
    parts = supply_and_use()
    table = tiva.read(written(tmp_path, parts), value_added="published")
    z, y = by_hand(parts)
    np.testing.assert_allclose(table.intermediate, z, rtol=1e-12)
    np.testing.assert_allclose(table.final_demand[:, :, 0], y, rtol=1e-12)
    made = parts["T"].reshape(R, 2, N, -1)[:, 0].sum(axis=2).reshape(-1)
    np.testing.assert_allclose(table.output, made, rtol=1e-12)
    np.testing.assert_allclose(table.value_added, parts["V"].sum(axis=0).reshape(R, 2, N)[:, 0].reshape(-1))
    assert np.abs(table.other_inputs[DISCREPANCY].intermediate).max() < 1e-9
    assert (table.countries, table.sectors) == (("AFG", "SSD"), tuple(SECTORS))
    assert (table.final_demand_categories, table.unit, table.year) == (("HFCE",), "thousand USD", 2022)


def test_summing_while_reading_is_summing_after(tmp_path: Path) -> None:
    folder = written(tmp_path, supply_and_use())
    groups = {"countries": {"ALL": ["AFG", "SSD"]}, "sectors": {"Goods": ["Wheat", "Steel"]}}
    for value_added in ("published", "residual"):
        whole = tiva.read(folder, value_added=value_added).aggregate(**groups)
        summed = tiva.read(folder, value_added=value_added, **groups)
        assert summed.sectors == whole.sectors
        np.testing.assert_allclose(summed.intermediate, whole.intermediate, rtol=1e-12)
        np.testing.assert_allclose(summed.final_demand, whole.final_demand, rtol=1e-12)
        np.testing.assert_allclose(summed.value_added, whole.value_added, rtol=1e-9)
    with pytest.raises(UnknownLabelError, match="Whaet"):
        tiva.read(folder, sectors={"X": ["Whaet"]})
    with pytest.raises(GroupError, match="in two groups"):
        tiva.read(folder, sectors={"X": ["Wheat"], "Y": ["Wheat"]})
    with pytest.raises(UsageError, match="too large"):
        tiva.read(folder, memory_gib=1e-9)


def test_archive_with_labels_beside_and_millions(tmp_path: Path) -> None:
    folder = written(tmp_path, supply_and_use())
    path = zipped(tmp_path / "GLORIA_MRIOs_059_2022.zip", **{p.name: p for p in folder.glob("*.csv")})
    table, whole = tiva.read(path, unit="million USD"), tiva.read(path)
    np.testing.assert_allclose(table.intermediate * 1000, whole.intermediate, rtol=1e-12)
    (tmp_path / "GLORIA_ReadMe_059.xlsx").unlink()
    with pytest.raises(ReaderError, match="no label workbook"):
        tiva.read(path)


def test_workbook_without_a_release_in_its_name(tmp_path: Path) -> None:
    folder = written(tmp_path, supply_and_use())
    want = tiva.read(folder).checksum
    (tmp_path / "GLORIA_ReadMe_059.xlsx").rename(tmp_path / "GLORIA_ReadMe.xlsx")
    assert tiva.read(folder).checksum == want


def test_sheets_of_margins_and_taxes_are_no_tables(tmp_path: Path) -> None:
    """Markup 2 to 5: trade margins, transport margins, taxes and subsidies (sheet Valuations of the workbook)."""
    folder = written(tmp_path, supply_and_use())
    want = tiva.read(folder).checksum
    for number in ("002", "005"):
        for path in list(folder.glob("*Markup001*.csv")):
            path.with_name(path.name.replace("Markup001", f"Markup{number}")).write_text("0\n")
    assert tiva.read(folder).checksum == want
    for path in folder.glob("*Markup001*.csv"):
        path.unlink()
    with pytest.raises(ReaderError, match=r"no T matrix in basic prices(.|\n)*Markup001(.|\n)*margins, taxes"):
        tiva.read(folder)


def spoil(parts: dict[str, Array], part: str, row: int, column: int, value: float) -> dict[str, Array]:
    parts[part][row, column] = value
    return parts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: spoil(p, "T", 0, 0, 5.0), "not a supply and use layout"),
        (lambda p: spoil(p, "T", 3, 3, 5.0), "not a supply and use layout"),
        (lambda p: spoil(p, "Y", 0, 0, 5.0), "not a supply and use layout"),
        (lambda p: spoil(p, "T", 3, 0, np.inf), "not a finite number|text"),
        (lambda p: {**p, "T": p["T"][:6]}, "half of a table"),
        (lambda p: {**p, "T": p["T"][:, :-1]}, "does not fit the labels"),
        (lambda p: {**p, "V": p["V"][:3]}, "does not fit the labels"),
        (lambda p: {k: v for k, v in p.items() if k != "Y"}, "half of a table: the Y matrix"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        tiva.read(written(tmp_path, change(supply_and_use())), value_added="published")


def test_without_value_added_the_residual_says_that_there_were_no_published_rows(tmp_path: Path) -> None:
    folder = written(tmp_path, supply_and_use())
    whole = tiva.read(folder, layout="gloria")
    assert any("below the table were not used" in note for note in whole.provenance.notes)
    (folder / STEM.format("V")).unlink()
    table = tiva.read(folder, layout="gloria")
    np.testing.assert_array_equal(table.value_added, whole.value_added)
    assert any("no published rows were found" in n and "no V matrix beside" in n for n in table.provenance.notes)
