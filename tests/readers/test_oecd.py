from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.readers.support import assert_parsed, edited, expected, fixture, zipped
from tiva.errors import BalanceWarning, ReaderError, UnknownLabelError
from tiva.readers._text import read_matrix
from tiva.readers.oecd import TAXES
from tiva.readers.source import Source

SMALL = "icio2023_2020_SML.csv"
EXTENDED = "icio2025_2022_EXT.csv"
EDITIONS = {
    "icio2025_2022_SML.csv": ("2025", 2022),
    SMALL: ("2023", 2020),
    "ICIO2021_2018.csv": ("2021", 2018),
    "ICIO2018_2015.CSV": ("2018", 2015),
    "ICIO2016_2011.csv": ("2016", 2011),
}


@pytest.mark.parametrize("name", EDITIONS)
def test_every_edition_parses_to_its_expected_values(name: str) -> None:
    edition, year = EDITIONS[name]
    table = tiva.read(fixture(name), value_added="published")
    assert_parsed(table, expected(name), taxes=None if edition == "2016" else TAXES)
    assert table.provenance.edition == f"{edition} edition"
    assert table.year == year
    assert table.provenance.reader == "oecd"
    assert table.provenance.files[0].sha256


@pytest.mark.parametrize("name", EDITIONS)
def test_residual_value_added_closes_the_columns(name: str) -> None:
    table = tiva.read(fixture(name))
    assert not table.other_inputs
    np.testing.assert_allclose(table.intermediate.sum(axis=0) + table.value_added, table.output, rtol=1e-12)
    assert any("value added: output less" in note for note in table.provenance.notes)


def test_terms_and_taxes_add_up_under_published_value_added() -> None:
    table = tiva.read(fixture(SMALL), value_added="published")
    inputs = table.intermediate.sum(axis=0) + table.other_inputs[TAXES].intermediate + table.value_added
    np.testing.assert_allclose(inputs, table.output, atol=1e-9)


def test_extended_table_keeps_the_parts_of_china_and_mexico() -> None:
    want = expected(EXTENDED)
    table = tiva.read(fixture(EXTENDED), value_added="published")
    assert table.areas == ("ROW", "MX1", "MX2", "CN1", "CN2")
    assert table.split_countries == {"MX1": "MEX", "MX2": "MEX", "CN1": "CHN", "CN2": "CHN"}
    live = [i for i, x in enumerate(want["X"]) if x]
    np.testing.assert_allclose(table.intermediate, np.array(want["Z"])[np.ix_(live, live)], atol=2e-3)
    np.testing.assert_allclose(table.value_added, np.array(want["VA"])[live], atol=2e-3)
    order = [want["fd_countries"].index(c) for c in table.countries]
    final = np.array(want["Y"])[live].reshape(len(live), 3, 6)[:, order]
    np.testing.assert_array_equal(table.final_demand, final)
    taxes = np.array(want["TLS_Y"]).reshape(3, 6)[order]
    final_taxes = table.other_inputs[TAXES].final
    assert final_taxes is not None
    np.testing.assert_allclose(final_taxes, taxes, atol=2e-3)
    assert any("CHN, MEX left out" in note for note in table.provenance.notes)


def test_merged_parts_are_the_collapsed_table() -> None:
    want = expected(EXTENDED)["collapsed"]
    table = tiva.read(fixture(EXTENDED), value_added="published").merge_split_countries()
    order = [want["countries"].index(c) for c in table.countries]
    z = np.array(want["Z"]).reshape(3, 2, 3, 2)[np.ix_(order, range(2), order, range(2))].reshape(6, 6)
    np.testing.assert_allclose(table.intermediate, z, atol=2e-3)
    np.testing.assert_allclose(table.value_added, np.array(want["VA"]).reshape(3, 2)[order].reshape(-1), atol=2e-3)


def test_parents_that_are_not_empty_are_refused_or_kept_by_name(tmp_path: Path) -> None:
    def fill(text: str) -> str:
        lines = text.split("\n")
        cells = lines[1].split(",")
        cells[5] = cells[-1] = "7"
        return "\n".join([lines[0], ",".join(cells), *lines[2:]])

    path = edited(EXTENDED, tmp_path, fill)
    with pytest.raises(ReaderError, match=r"CHN, MEX have parts of their own, but are not empty(.|\n)*parents='keep'"):
        tiva.read(path)
    with pytest.warns(BalanceWarning, match=r"CHN.A01 \(column 2\): 0 against 7"):
        table = tiva.read(path, parents="keep", gaps="keep", output="rows")
    assert table.areas[:2] == ("CHN", "MEX")
    assert table.countries == ("CHN", "MEX", "ROW")


def test_labels_are_matched_by_name_not_position(tmp_path: Path) -> None:
    def swap_rows(text: str) -> str:
        lines = text.split("\n")
        return "\n".join([lines[0], lines[3], lines[1], lines[2], *lines[4:]])

    table = tiva.read(edited(SMALL, tmp_path, swap_rows), value_added="published")
    assert_parsed(table, expected(SMALL), taxes=TAXES)


def test_content_decides_not_the_file_name(tmp_path: Path) -> None:
    table = tiva.read(edited(SMALL, tmp_path, str, "download.dat"))
    assert table.provenance.reader == "oecd"
    assert table.year is None


def test_zip_and_zip_in_zip(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "2020.zip", **{"2020_SML__CSV": fixture(SMALL)})
    outer = zipped(tmp_path / "2016-2020_SML.zip", **{"2020__zip": inner})
    table = tiva.read(outer)
    assert table.year == 2020
    assert table.checksum == tiva.read(fixture(SMALL)).checksum
    assert table.provenance.files[0].name == "2016-2020_SML.zip!2020.zip!2020_SML.CSV"


def test_two_tables_in_one_zip_need_a_choice(tmp_path: Path) -> None:
    path = zipped(tmp_path / "two.zip", **{"2019_SML__csv": fixture(SMALL), "2020_SML__csv": fixture(SMALL)})
    with pytest.raises(ReaderError, match=r"holds several tables(.|\n)*2019_SML.csv, 2020_SML.csv(.|\n)*year="):
        tiva.read(path)
    assert tiva.read(path, year=2019).year == 2019
    assert tiva.read(path, member="2020_SML.csv").year == 2020
    with pytest.raises(ReaderError, match="holds no table of 2011"):
        tiva.read(path, year=2011)
    with pytest.raises(UnknownLabelError, match="unknown member '2020_SML'"):
        tiva.read(path, member="2020_SML")


def test_wrong_year_inside_a_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "2020.zip", **{"2019_SML__csv": fixture(SMALL)})
    with pytest.raises(ReaderError, match=r"2019_SML.csv is not of the year asked for\n  got: 2019"):
        tiva.read(path, year=2020)


def _cut(text: str) -> str:
    return text[: len(text) * 2 // 5]


def _short(text: str) -> str:
    lines = text.split("\n")
    return "\n".join([*lines[:3], lines[3].rsplit(",", 1)[0], *lines[4:]])


def _long(text: str) -> str:
    lines = text.split("\n")
    return "\n".join([*lines[:3], lines[3] + ",1", *lines[4:]])


def _shift(text: str) -> str:
    lines = text.split("\n")
    moved = [",".join([c[0], "0", *c[1:-1]]) for c in (line.split(",") for line in lines[1:7])]
    return "\n".join([lines[0], *moved, *lines[7:]])


def _half(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(lines[:4] + lines[7:])


BAD = {
    "cut in a line": (_cut, r"line \d+: too few cells\n  got: \d+ after the label\n  expected: 25"),
    "line too short": (_short, r"line 4: too few cells\n  got: 24 after the label\n  expected: 25"),
    "line too long": (_long, r"line 4: too many cells\n  got: 26"),
    "columns shifted": (_shift, "rows do not add up to output"),
    "half of the rows": (_half, r"row and column labels differ\n  got: 3 columns without a row: ROW_A01_02"),
    "missing label": (lambda t: t.replace("\nUSA_A01_02,", "\n,"), "row and column labels differ"),
    "text in a cell": (lambda t: t.replace(",23.5,", ",n/a?,", 1), r"line 2, column 'AUS_C10T12': not a finite number"),
    "NaN": (lambda t: t.replace(",23.5,", ",NaN,", 1), r"line 2, column 'AUS_C10T12': not a finite number"),
    "infinite": (lambda t: t.replace(",23.5,", ",inf,", 1), r"line 2, column 'AUS_C10T12': not a finite number"),
    "underscore in a number": (lambda t: t.replace(",23.5,", ",2_3,", 1), r"line 2, column 'AUS_C10T12'"),
    "empty cell": (
        lambda t: t.replace(",23.5,", ",,", 1),
        r"empty cells \(or na\) in the table\n  got: line 2, column 'AUS_C10",
    ),
    "duplicate row": (lambda t: t.replace("\nUSA_A01_02,", "\nAUS_A01_02,"), r"row labels stand twice, lines 2, 4"),
    "duplicate column": (lambda t: t.replace(",USA_A01_02,", ",AUS_A01_02,", 1), "column labels stand twice"),
    "unknown edition": (
        lambda t: t.replace("C10T12", "Q99"),
        r"sector codes of no known ICIO edition\n  got: 2 sectors",
    ),
    "no value added": (lambda t: t.replace("\nVA,", "\nXX,"), "unknown XX"),
    "final demand of a country missing": (lambda t: t.replace("ROW_", "WXD_", 2), "row and column labels differ"),
    "lost decimal points": (lambda t: t.replace(".5,", "5,"), "rows do not add up to output"),
    "one line": (lambda t: t.split("\n")[0], "only one line"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case: str, tmp_path: Path) -> None:
    change, message = BAD[case]
    path = edited(SMALL, tmp_path, change)
    with pytest.raises(ReaderError, match=message) as caught:
        tiva.read(path)
    assert caught.value.path == str(path)


def test_html_page_instead_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "2020_SML.csv"
    path.write_text("\n<!DOCTYPE html><html><body>403 Forbidden</body></html>")
    with pytest.raises(ReaderError, match=r"2020_SML.csv is an html page, not a table(.|\n)*browser"):
        tiva.read(path)


def test_wrong_year_of_a_file() -> None:
    with pytest.raises(
        ReaderError, match=r"not of the year asked for\n  got: 2020, according to its name\n  expected: 2019"
    ):
        tiva.read(fixture(SMALL), year=2019)


def test_unknown_options_are_named() -> None:
    with pytest.raises(UnknownLabelError, match=r"unknown option of layout 'oecd' 'valueadded'(.|\n)*'value_added'"):
        tiva.read(fixture(SMALL), valueadded="published")
    with pytest.raises(UnknownLabelError, match="value_added option 'publishd'"):
        tiva.read(fixture(SMALL), value_added="publishd")
    with pytest.raises(UnknownLabelError, match="unknown edition '2024'"):
        tiva.read(fixture(SMALL), edition="2024")


def test_a_single_damaged_cell_is_named_or_kept_on_purpose(tmp_path: Path) -> None:
    path = edited(SMALL, tmp_path, lambda t: t.replace(",23.5,", ",93.5,", 1))
    with pytest.raises(ReaderError, match=r"rows do not add up to output\n  got: AUS.A01_02 \(line 2\): 235 against"):
        tiva.read(path)
    with pytest.warns(BalanceWarning) as caught:
        table = tiva.read(path, gaps="keep")
    assert "AUS.A01_02 (line 2): 235 against 165" in str(caught[0].message)
    assert "1 country-sectors beyond rounding, largest AUS.A01_02 70" in str(caught[1].message)
    assert table.intermediate[0, 1] == 93.5
    assert [note for note in table.provenance.notes if note.startswith("kept as asked for")] == [
        "kept as asked for with gaps='keep': rows do not add up to output: AUS.A01_02 (line 2): 235 against 165",
        "kept as asked for with gaps='keep': columns do not add up to output: AUS.C10T12 (column 3): 238 against 168",
    ]


def test_a_small_gap_warns_and_is_kept(tmp_path: Path) -> None:
    path = edited(SMALL, tmp_path, lambda t: t.replace(",23.5,", ",24.5,", 1))
    with pytest.warns(BalanceWarning, match=r"1 country-sectors beyond rounding, largest AUS.A01_02 1"):
        tiva.read(path)


def test_unknown_edition_can_be_read_by_name(tmp_path: Path) -> None:
    path = edited(SMALL, tmp_path, lambda t: t.replace("C10T12", "Q99"))
    assert tiva.read(path, edition="other").sectors == ("A01_02", "Q99")


def _with_discrepancies(text: str) -> str:
    """Raise output and DISC of two rows by the same amount."""
    lines = text.replace("\r", "").split("\n")
    out = next(i for i, line in enumerate(lines) if line.startswith('"OUT"'))
    added = next(i for i, line in enumerate(lines) if line.startswith('"VA+TAXSUB"'))
    for row, amount in ((1, 4.0), (4, -1.5)):
        cells = lines[row].split(",")
        cells[-1] = str(amount)
        lines[row] = ",".join(cells)
        for below in (out, added):
            cells = lines[below].split(",")
            cells[row] = str(float(cells[row]) + amount)
            lines[below] = ",".join(cells)
    return "\n".join(lines)


@pytest.mark.parametrize("value_added", ["residual", "published"])
def test_a_discrepancy_column_is_a_final_use_at_home(tmp_path: Path, value_added: str) -> None:
    plain = tiva.read(fixture("ICIO2016_2011.csv"), value_added=value_added)
    assert "DISC" not in plain.final_demand_categories
    table = tiva.read(edited("ICIO2016_2011.csv", tmp_path, _with_discrepancies), value_added=value_added)
    assert table.final_demand_categories == (*plain.final_demand_categories, "DISC")
    want = np.zeros((6, 3))
    want[0, 0], want[3, 1] = 4.0, -1.5
    np.testing.assert_array_equal(table.final_demand[:, :, -1], want)
    np.testing.assert_array_equal(table.final_demand[:, :, :-1], plain.final_demand)
    np.testing.assert_allclose(table.output - plain.output, want.sum(axis=1), atol=1e-12)
    assert table.check().ok
    assert any("sum of sizes 5.5, net 2.5" in note for note in table.provenance.notes)
    exports = tiva.decompose(table, "bm", level="country")["gexp"]
    np.testing.assert_allclose(exports, tiva.decompose(plain, "bm", level="country")["gexp"], rtol=1e-12)


def test_an_empty_discrepancy_is_refused_by_place(tmp_path: Path) -> None:
    def empty(text: str) -> str:
        lines = text.replace("\r", "").split("\n")
        lines[2] = lines[2].rpartition(",")[0] + ","
        return "\n".join(lines)

    path = edited("ICIO2016_2011.csv", tmp_path, empty)
    with pytest.raises(ReaderError, match=r"line 3(.|\n)*DISC"):
        tiva.read(path)
    assert any("1 empty cells" in note for note in tiva.read(path, missing="zero").provenance.notes)


def test_crlf_quotes_and_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    want = tiva.read(fixture("ICIO2016_2011.csv"))
    text = fixture("ICIO2016_2011.csv").read_text().replace("\r", "").replace('"', "")
    path = tmp_path / "ICIO2016_2011.csv"
    path.write_bytes(("\ufeff" + text).encode())
    assert tiva.read(path).checksum == want.checksum


def test_a_header_far_wider_than_the_lines_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    labels = ",".join(f"A{i:05d}_X" for i in range(100_000))
    path = tmp_path / "wide.csv"
    path.write_text(f"V1,{labels},AUS_HFCE,OUT\n" + "AUS_X,1\n" * 10)
    with pytest.raises(ReaderError, match=r"line 2: too few cells\n  got: 1 after the label\n  expected: 100002"):
        tiva.read(path, layout="oecd", member="wide.csv")


def test_a_layout_named_for_other_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b_c,d_e\nb_c,1,2\nd_e,3,4\n")
    with pytest.raises(ReaderError, match="not those of an ICIO edition"):
        tiva.read(path, layout="oecd", member="t.csv")


def test_more_rows_than_columns(tmp_path: Path) -> None:
    path = edited(SMALL, tmp_path, lambda t: t + "XX" + ",0" * 25 + "\n" + "\n" * 400)
    with pytest.raises(ReaderError, match="unknown XX"):
        tiva.read(path)


@pytest.mark.parametrize("name", [*EDITIONS, EXTENDED])
def test_compiled_parser_and_small_blocks_give_the_same_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    want = tiva.read(fixture(name)).checksum
    monkeypatch.setattr("tiva.readers._text.COMPILED_FROM", 0)
    monkeypatch.setattr("tiva.readers._text.BLOCK", 100)
    assert tiva.read(fixture(name)).checksum == want


def test_cells_are_read_to_the_last_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = ["0.1", "1e-7", "123456.789012345678901", '"2.5"', "-0.00001", "+3", "9007199254740993", "12.", ".5"]
    monkeypatch.setattr("tiva.readers._text.COMPILED_FROM", 0)
    path = tmp_path / "t.csv"
    path.write_text(f"V1,{','.join(f'C{k}' for k in range(len(cells)))}\nx,{','.join(cells)}\n")
    with Source(path) as source:
        matrix = read_matrix(source, "t.csv")
    assert matrix.left[0].tolist() == [float(c.strip('"')) for c in cells]


def test_gaps_of_the_size_that_the_publisher_leaves_are_noted_without_a_warning(tmp_path: Path) -> None:
    path = edited(SMALL, tmp_path, lambda t: t.replace(",23.5,", ",23.62,", 1))
    report = tiva.read(path).check()
    assert report.ok
    assert (report.findings[0].severity, report.findings[0].count) == ("note", 1)
    assert report.findings[0].total == pytest.approx(0.12)
    path = edited(SMALL, tmp_path, lambda t: t.replace(",23.5,", ",23.7,", 1))
    with pytest.warns(BalanceWarning, match="largest AUS.A01_02 0.2"):
        tiva.read(path)
