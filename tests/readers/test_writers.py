from __future__ import annotations

import csv
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import tiva
from tests.paths import shared
from tests.readers.support import fixture
from tests.readers.tables import CODE, tables
from tiva.errors import BalanceWarning, ReaderError, UnknownLabelError, UsageError
from tiva.readers._wiod import TAXES
from tiva.readers.stata_icio import write_stata_icio
from tiva.readers.tidy import write_tidy
from tiva.readers.wide import write_wide
from tiva.readers.writers import write
from tiva.table.icio_table import IcioTable, OtherInput

EXAMPLES = 20


def read_back(path: Path, **options: object) -> IcioTable:
    """Read without the warning that random numbers do not balance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BalanceWarning)
        return tiva.read(path, **options)


@pytest.fixture(scope="module")
def real() -> IcioTable:
    """The whole table of 2011, with published output."""
    with np.load(shared("wiod2013/wiot2011.npz"), allow_pickle=False) as data, warnings.catch_warnings():
        warnings.simplefilter("ignore", BalanceWarning)
        return IcioTable.from_arrays(
            data["intermediate"],
            data["final_demand"],
            countries=[str(x) for x in data["countries"]],
            sectors=[str(x) for x in data["sectors"]],
            final_demand_categories=[str(x) for x in data["final_demand_categories"]],
            output=data["output"],
            year=2011,
        )


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".nc"])
def test_a_real_table_comes_back_bit_for_bit(real: IcioTable, tmp_path: Path, suffix: str) -> None:
    again = read_back(write(real, tmp_path / f"table{suffix}"))
    assert again.checksum == real.checksum


@pytest.mark.slow
def test_a_real_table_comes_back_from_the_layouts_with_less(real: IcioTable, tmp_path: Path) -> None:
    scaled = real.replace(intermediate=real.intermediate / 3, final_demand=real.final_demand / 7)
    path, _ = write_stata_icio(scaled, tmp_path / "wiod_2011.csv")
    options = {"sectors": real.sectors, "final_demand_categories": real.final_demand_categories}
    again = read_back(path, **options)
    np.testing.assert_array_equal(again.intermediate, scaled.intermediate)
    np.testing.assert_array_equal(again.final_demand, scaled.final_demand)
    assert (again.countries, again.year) == (real.countries, 2011)
    write_wide(scaled, tmp_path / "wide.csv")
    _compare_wide(scaled, tmp_path / "wide.csv")


@pytest.fixture(scope="module")
def digits(real: IcioTable) -> IcioTable:
    """The same flows with all digits, with output that is their sum, and with a row of taxes."""
    z, f = real.intermediate / 3, real.final_demand / 7
    output = z.sum(axis=1) + f.sum(axis=(1, 2))
    added = output - z.sum(axis=0)
    taxes = OtherInput(added * 0.1, np.arange(f[0].size, dtype=float).reshape(f[0].shape) / 3)
    return real.replace(
        intermediate=z, final_demand=f, output=output, value_added=added - taxes.intermediate,
        other_inputs={"TLS": taxes}, value_added_kind="published",
        final_demand_categories=("HFCE", "NPISH", "GGFC", "GFCF", "INVNT"),
    )  # fmt: skip


@pytest.mark.slow
def test_a_real_table_comes_back_from_the_layout_of_the_oecd_bit_for_bit(digits: IcioTable, tmp_path: Path) -> None:
    renamed = digits.replace(other_inputs={TAXES: digits.other_inputs["TLS"]})
    path = write(digits, tmp_path / "wiod_2011.csv", layout="wide")
    again = read_back(path, layout="oecd", edition="other", value_added="published")
    assert again.checksum == renamed.checksum


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_real_table_comes_back_from_pymrio_bit_for_bit(digits: IcioTable) -> None:
    pytest.importorskip("pymrio")
    again = tiva.from_pymrio(tiva.to_pymrio(digits), value_added="published", other_rows=["TLS"], year=digits.year)
    assert again.checksum == digits.checksum


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [True, False])
def test_a_real_table_comes_back_from_an_archive_bit_for_bit(
    digits: IcioTable, tmp_path: Path, compressed: bool
) -> None:
    path = digits.save(tmp_path / "t.nc", compressed=compressed)
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "wiod/t.nc")
    assert read_back(path).checksum == read_back(tmp_path / "t.zip").checksum == digits.checksum


def _compare_wide(table: IcioTable, path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    own = [f"{a}_{s}" for a in table.areas for s in table.sectors]
    n = table.n
    assert rows[0][: n + 1] == ["V1", *own]
    assert [row[0] for row in rows[1:]] == [*own, *table.other_inputs, "VA", "OUT"]
    values = np.array([[float(x) for x in row[1:]] for row in rows[1:]])
    np.testing.assert_array_equal(values[:n, :n], table.intermediate)
    np.testing.assert_array_equal(values[:n, n:-1], table.final_demand.reshape(n, -1))
    np.testing.assert_array_equal(values[:n, -1], table.output)
    np.testing.assert_array_equal(values[-2, :n], table.value_added)
    np.testing.assert_array_equal(values[-1, :n], table.output)
    for i, other in enumerate(table.other_inputs.values()):
        np.testing.assert_array_equal(values[n + i, :n], other.intermediate)


@settings(deadline=None, max_examples=EXAMPLES)
@given(table=tables())
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tidy_keeps_everything(tmp_path_factory: pytest.TempPathFactory, suffix: str, table: IcioTable) -> None:
    path = write_tidy(table, tmp_path_factory.getbasetemp() / f"tidy{suffix}")
    assert read_back(path, layout="tidy").checksum == table.checksum


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tidy_keeps_the_rounding_of_the_source(example: IcioTable, tmp_path: Path, suffix: str) -> None:
    assert read_back(write_tidy(example, tmp_path / f"none{suffix}")).provenance.rounding == example.provenance.rounding
    gap = example.output * (1 + 3e-4)
    rough = example.replace(output=gap, provenance=replace(example.provenance, rounding=(0.1, 2.5e-3)))
    again = tiva.read(write_tidy(rough, tmp_path / f"t{suffix}"))
    assert again.provenance.rounding == (0.1, 2.5e-3)
    assert again.check().ok
    assert again.checksum == rough.checksum


@pytest.mark.parametrize("wrong", ["rounding,,share,,,-1", "rounding,,amount,,,1", "rounding,,parts,,,1"])
def test_rounding_that_is_none(example: IcioTable, tmp_path: Path, wrong: str) -> None:
    source = replace(example.provenance, rounding=(0.1, 2e-3))
    lines = write_tidy(example.replace(provenance=source), tmp_path / "t.csv").read_text().splitlines()
    year = lines[2].split(",rounding,")[0]
    assert lines[2].endswith("rounding,,share,,,0.002")
    lines[2] = f"{year},{wrong}"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(ReaderError, match="rounding"):
        tiva.read(tmp_path / "t.csv")


@settings(deadline=None, max_examples=EXAMPLES)
@given(table=tables(plain=True))
def test_stata_icio_keeps_the_flows(tmp_path_factory: pytest.TempPathFactory, table: IcioTable) -> None:
    path, _ = write_stata_icio(table, tmp_path_factory.getbasetemp() / "user.csv")
    options = {"sectors": table.sectors, "final_demand_categories": table.final_demand_categories, "year": table.year}
    again = read_back(path, layout="stata_icio", unit=table.unit, currency=table.currency, **options)
    assert again.checksum == table.checksum


def _comes_back(table: IcioTable, path: Path) -> None:
    """Every label and number is that of the table; rows without final demand have zeros there."""
    again = read_back(
        path, layout="oecd", edition="other", value_added="published", gaps="keep", parents="keep",
        unit=table.unit, currency=table.currency, year=table.year,
    )  # fmt: skip
    names = ("areas", "countries", "sectors", "final_demand_categories", "split_countries", "unit", "currency", "year")
    assert {name: getattr(again, name) for name in names} == {name: getattr(table, name) for name in names}
    for name in ("intermediate", "final_demand", "value_added", "output"):
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name))
    assert list(again.other_inputs) == [TAXES if name == "TLS" else name for name in table.other_inputs]
    for found, other in zip(again.other_inputs.values(), table.other_inputs.values(), strict=True):
        np.testing.assert_array_equal(found.intermediate, other.intermediate)
        np.testing.assert_array_equal(found.final, 0 * found.final if other.final is None else other.final)


def _balanced(table: IcioTable, split: Mapping[str, str]) -> IcioTable:
    """Return a table with these labels that adds up, as one that does not is refused where it is read."""
    rng, n = np.random.default_rng(3), table.n
    z = rng.uniform(0, 1, (n, n))
    countries = len({split.get(a, a) for a in table.areas})
    f = n * rng.uniform(1, 2, (n, countries, len(table.final_demand_categories)))
    rows = {name: rng.uniform(0, 0.1, n) for name in table.other_inputs}
    final = rng.uniform(0, 1, f.shape[1:])
    return IcioTable.from_arrays(
        z, f, countries=table.areas, sectors=table.sectors, final_demand_categories=table.final_demand_categories,
        value_added=z.sum(axis=1) + f.sum(axis=(1, 2)) - z.sum(axis=0) - sum(rows.values()), split_countries=split,
        other_inputs={name: OtherInput(row, final if i else None) for i, (name, row) in enumerate(rows.items())},
        year=table.year, unit=table.unit, currency=table.currency,
    )  # fmt: skip


@settings(deadline=None, max_examples=EXAMPLES)
@given(table=tables(label=CODE))
def test_wide_keeps_the_numbers(tmp_path_factory: pytest.TempPathFactory, table: IcioTable) -> None:
    path = tmp_path_factory.getbasetemp() / "wide.csv"
    if table.split_countries:
        with pytest.raises(UsageError, match="no parts of countries"):
            write_wide(table, path)
    whole = _balanced(table, {})
    _compare_wide(whole, write_wide(whole, path))
    _comes_back(whole, path)


@settings(deadline=None, max_examples=5 * EXAMPLES)
@given(table=tables())
def test_wide_comes_back_or_is_not_written(tmp_path_factory: pytest.TempPathFactory, table: IcioTable) -> None:
    path, table = tmp_path_factory.getbasetemp() / "any.csv", _balanced(table, table.split_countries)
    path.unlink(missing_ok=True)
    try:
        write_wide(table, path)
    except UsageError:
        assert not path.exists()
    else:
        _comes_back(table, path)


def test_rows_categories_and_sectors_that_are_not_of_the_oecd_come_back(example: IcioTable, tmp_path: Path) -> None:
    """Rows of the WIOD, the labels of EXIOBASE, quotes, and parts of China and Mexico."""
    n, rng = example.n, np.random.default_rng(7)
    rows = {
        "cif/ fob adjustments on exports": OtherInput(rng.normal(size=n)),
        TAXES: OtherInput(rng.normal(size=n), rng.normal(size=example.final_demand.shape[1:])),
        "Direct purchases abroad by residents": OtherInput(rng.normal(size=n)),
    }
    sectors = ["Cultivation of vegetables, fruit, nuts", 'Coal, "hard"', *example.sectors[2:]]
    table = example.replace(
        other_inputs=rows, sectors=tuple(sectors), value_added_kind="published", year=2011,
        final_demand_categories=("INV", "P33", "Exports: Total (fob)", "NPISH", "GGFC"),
    )  # fmt: skip
    _comes_back(table, write(table, tmp_path / "t.csv", layout="wide"))
    _comes_back(example, write(example, tmp_path / "t.csv", layout="wide"))
    parts = IcioTable.from_arrays(
        rng.uniform(1, 2, (6, 6)), rng.uniform(1, 2, (6, 4)), countries=["CN1", "CN2", "CHN"], sectors=["a", "b"],
        final_demand_categories=["w", "x", "y", "z"], split_countries={"CN1": "CHN", "CN2": "CHN"},
    )  # fmt: skip
    _comes_back(parts, write(parts, tmp_path / "t.csv", layout="wide"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"sectors": (" a", "b")}, "' a'"),
        ({"sectors": ("a\nb", "b")}, r"'a\\nb'"),
        ({"areas": ("CN1", "BBB"), "countries": ("CN1", "BBB")}, "'CN1'"),
        ({"other_inputs": {"VALU": OtherInput(np.ones(4))}}, "'VALU'"),
        ({"other_inputs": {"TOTAL": OtherInput(np.ones(4))}}, "'TOTAL'"),
        ({"split_countries": {"AAA": "CCC"}}, "'AAA'"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, change: dict[str, object], what: str) -> None:
    labels: dict[str, object] = {"countries": ["AAA", "BBB"], "sectors": ["a", "b"], "final_demand_categories": ["f"]}
    labels |= {"countries" if k == "areas" else k: v for k, v in change.items()}
    table = IcioTable.from_arrays(np.ones((4, 4)), np.ones((4, 2)), **labels)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=rf"cannot be told apart in the wide layout\n  got: {what}"):
        write_wide(table, tmp_path / "t.csv")
    assert not list(tmp_path.iterdir())


def test_labels_of_no_edition_need_to_be_asked_for(example: IcioTable, tmp_path: Path) -> None:
    path = write(example, tmp_path / "t.csv", layout="wide")
    with pytest.raises(ReaderError, match=r"sector codes of no known ICIO edition(.|\n)*edition='other'"):
        tiva.read(path)
    some = example.replace(final_demand_categories=("HFCE", "NPISH", "GGFC", "GFCF", "stocks"))
    with pytest.raises(ReaderError, match=r"columns without a row(.|\n)*edition='other'"):
        tiva.read(write(some, tmp_path / "t.csv", layout="wide"))
    rows = some.replace(
        final_demand_categories=("HFCE", "NPISH", "GGFC", "GFCF", "INVNT"),
        other_inputs={"fob": OtherInput(np.ones(some.n))},
    )
    with pytest.raises(ReaderError, match=r"unknown fob(.|\n)*edition='other'"):
        tiva.read(write(rows, tmp_path / "t.csv", layout="wide"))
    with pytest.raises(UsageError, match="the unit is that of the edition"):
        tiva.read(fixture("icio2023_2020_SML.csv"), unit="million EUR")


def test_a_column_without_its_row_is_refused_by_label(example: IcioTable, tmp_path: Path) -> None:
    path = write(example, tmp_path / "t.csv", layout="wide")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], *lines[4:]]))
    with pytest.raises(ReaderError, match="not a full grid"):
        tiva.read(path, layout="oecd", edition="other")


def test_wide_is_read_as_the_oecd_layout(example: IcioTable, tmp_path: Path) -> None:
    renamed = example.replace(final_demand_categories=("HFCE", "NPISH", "GGFC", "GFCF", "INVNT"))
    path = write_wide(renamed, tmp_path / "table_2011.csv")
    again = read_back(path, layout="oecd", edition="other")
    np.testing.assert_array_equal(again.intermediate, renamed.intermediate)
    np.testing.assert_array_equal(again.final_demand, renamed.final_demand)
    assert again.countries == renamed.countries


@pytest.mark.parametrize("name", ["icio2023_2020_SML.csv", "icio2025_2022_EXT.csv", "ICIO2018_2015.CSV"])
@pytest.mark.parametrize("value_added", ["published", "residual"])
def test_tables_of_the_oecd_come_back_from_their_own_layout(name: str, value_added: str, tmp_path: Path) -> None:
    """Taxes included, and without an option."""
    table = read_back(fixture(name), value_added=value_added)
    again = read_back(write(table, tmp_path / name, layout="wide"), value_added=value_added)
    assert again.checksum == table.checksum


def test_layouts_say_what_they_cannot_hold(example: IcioTable, tmp_path: Path) -> None:
    split = IcioTable.from_arrays(
        np.ones((2, 2)), np.ones((2, 1)), countries=["CN1", "CN2"], sectors=["s"],
        split_countries={"CN1": "CHN", "CN2": "CHN"},
    )  # fmt: skip
    with pytest.raises(UsageError, match="split countries"):
        write_stata_icio(split, tmp_path / "x.csv")
    odd = example.replace(areas=("A_B", *example.areas[1:]))
    with pytest.raises(UsageError, match="cannot be told apart"):
        write_wide(odd, tmp_path / "x.csv")
    taxes = OtherInput(example.value_added)
    with pytest.raises(UsageError, match=r"cannot be told apart(.|\n)*'TLS'"):
        write_wide(example.replace(other_inputs={"TLS": taxes, TAXES: taxes}), tmp_path / "x.csv")
    with pytest.raises(UsageError, match="no layout for this suffix"):
        write(example, tmp_path / "x.doc")
    with pytest.raises(UnknownLabelError, match="did you mean 'tidy'"):
        write(example, tmp_path / "x.csv", layout="tidi")
    with pytest.raises(UnknownLabelError, match="unknown option of layout 'tidy' 'foo'"):
        write(example, tmp_path / "x.csv", foo=1)
    assert not list(tmp_path.iterdir())


def minimal(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "long.csv"
    path.write_text("row_country,row_sector,col_country,col_sector,value\n" + text)
    return path


LINES = (
    "A,s,A,s,1\nA,s,B,s,2\nB,s,A,s,3\nB,s,B,s,4\nA,s,A,FD,5\nA,s,B,FD,6\nB,s,A,FD,7\nB,s,B,FD,8\n"
    ",taxes,A,s,0.5\n,taxes,B,s,0.25\n,VA,A,s,9.5\n,VA,B,s,15.75\n"
)


def test_the_short_form_of_others_is_read(tmp_path: Path) -> None:
    table = tiva.read(minimal(tmp_path, LINES), unit="million EUR", currency="EUR")
    assert table.intermediate.tolist() == [[1, 2], [3, 4]]
    assert table.final_demand[:, :, 0].tolist() == [[5, 6], [7, 8]]
    assert table.value_added.tolist() == [9.5, 15.75]
    assert table.value_added_kind == "published"
    assert table.other_inputs["taxes"].intermediate.tolist() == [0.5, 0.25]
    assert table.unit == "million EUR"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("A,s,A,s,1\n", ""), "1 of 4 cells are absent"),
        (lambda t: t + "A,s,A,s,1\n", "line 14 gives a cell again"),
        (lambda t: t.replace("B,FD,6", "B,FD,six"), "line 7: not a finite number"),
        (lambda t: t.replace("B,FD,6", "B,FD,"), "line 7: not a finite number"),
        (lambda t: t.replace("B,FD,6", "B,FD,inf"), "line 7: not a finite number"),
        (lambda t: t.replace("B,FD,6", "B,FD"), "line 7: a line of another length"),
        (lambda t: t.replace("B,FD,6", "C,FD,6"), "unknown labels in line 7"),
        (lambda t: "".join(x for x in t.splitlines(True) if "FD" not in x), "half of a table"),
        (lambda t: "", "ends in its header"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ReaderError, match=message):
        tiva.read(minimal(tmp_path, change(LINES)))


def test_absent_cells_can_be_zero_on_purpose(tmp_path: Path) -> None:
    path = minimal(tmp_path, LINES.replace("A,s,B,s,2\n", "").replace(",VA,B,s,15.75", ",VA,B,s,17.75"))
    with pytest.warns(BalanceWarning):
        table = tiva.read(path, absent="zero")
    assert table.intermediate.tolist() == [[1, 0], [3, 4]]
    assert any("are not in the file and are zero" in note for note in table.provenance.notes)


def test_years_in_one_file_need_a_choice(example: IcioTable, tmp_path: Path) -> None:
    small = example.aggregate(countries={"ALL": example.countries[1:]}, sectors={"X": example.sectors})
    texts = [write_tidy(small.replace(year=y), tmp_path / "t.csv").read_text() for y in (2010, 2011)]
    (tmp_path / "t.csv").write_text(texts[0] + texts[1].split("\n", 1)[1])
    assert read_back(tmp_path / "t.csv", year=2010).checksum == small.replace(year=2010).checksum
    with pytest.raises(ReaderError, match="2 years in one file"):
        tiva.read(tmp_path / "t.csv")
    with pytest.raises(ReaderError, match="another year"):
        tiva.read(tmp_path / "t.csv", year=1999)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_labels_that_look_like_numbers_stay_text(tmp_path: Path, suffix: str) -> None:
    table = IcioTable.from_arrays(
        np.ones((2, 2)), np.ones((2, 1)), countries=["NA"], sectors=["01", "1e3"], final_demand_categories=["007"]
    )
    assert tiva.read(write_tidy(table, tmp_path / f"t{suffix}")).checksum == table.checksum
