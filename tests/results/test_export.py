from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import tiva
from tests.paths import ROOT, listed
from tiva.errors import MissingExtraError, MissingFileError, OutputError, ReaderError, UsageError
from tiva.results import export
from tiva.table.icio_table import IcioTable

EXCEL_DIGITS = 1e-15
"""Excel files hold 16 significant digits, one fewer than a double can need."""


@pytest.fixture(scope="module")
def result(example: IcioTable) -> xr.Dataset:
    return tiva.decompose(example, level="sector-bilateral", exporter=["MEX", "BRA"], importer=["USA", "CHN", "DEU"])


def _expected(result: xr.Dataset) -> pd.DataFrame:
    """Long frame by explicit loops over the labels."""
    rows = [
        {
            "exporter": str(s), "sector": str(i), "importer": str(r),
            **{str(t): float(result[t].sel(exporter=s, sector=i, importer=r)) for t in result.data_vars},
        }
        for s in result["exporter"].values
        for i in result["sector"].values
        for r in result["importer"].values
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _same(frame: pd.DataFrame, expected: pd.DataFrame, rtol: float = 0.0) -> None:
    assert list(frame.columns) == list(expected.columns)
    for column in expected.columns:
        if expected[column].dtype.kind == "f":
            np.testing.assert_allclose(frame[column].to_numpy(float), expected[column].to_numpy(), rtol=rtol, atol=0)
        else:
            assert list(frame[column]) == list(expected[column])


def test_no_country_exports_to_itself_in_long_forms(example: IcioTable) -> None:
    chosen = tiva.decompose(example, level="bilateral", exporter=["MEX"], importer=["MEX", "USA"])
    frame = chosen.tiva.tidy()
    assert frame["importer"].tolist() == ["USA"]
    assert frame["gexp"].mean() == float(chosen["gexp"].sel(importer="USA").item())
    assert "a country does not export to itself" in chosen.attrs["notes"]
    assert "export to itself" not in tiva.decompose(example, level="sector").attrs["notes"]
    # What a country absorbs or sells at home is there.
    oecd = tiva.decompose(example, "oecd", level="bilateral").tiva.tidy()
    home = oecd[oecd["exporter"] == oecd["importer"]]
    assert len(home) == len(example.countries)
    assert (home["DOM"] > 0).all()


def test_tidy_has_a_column_per_dimension_then_per_term(result: xr.Dataset) -> None:
    _same(export.tidy(result), _expected(result))


def test_netcdf_reads_back_identical(result: xr.Dataset, tmp_path: Path) -> None:
    path = export.write_dataset(result, tmp_path / "r.nc")
    again = export.read_dataset(path)
    xr.testing.assert_identical(again, result)
    assert again.tiva.check_identities().ok
    assert listed(tmp_path) == ["r.nc"]


def test_csv_reads_back_exactly_with_its_sidecar(result: xr.Dataset, tmp_path: Path) -> None:
    path = export.write_dataset(result, tmp_path / "r.csv")
    _same(pd.read_csv(path), _expected(result))
    said = json.loads((tmp_path / "r.csv.metadata.json").read_text(encoding="utf-8"))
    assert said["file"] == "r.csv"
    assert said["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert said["attributes"]["table_sha256"] == result.attrs["table_sha256"]
    assert said["attributes"]["provenance"]["licence"] == "CC BY 4.0"
    assert said["variables"]["dva"]["units"] == "million USD"
    assert said["dimensions"] == {"exporter": 2, "sector": 15, "importer": 3}
    assert listed(tmp_path) == ["r.csv", "r.csv.metadata.json"]


def test_parquet_reads_back_with_its_metadata(result: xr.Dataset, tmp_path: Path) -> None:
    from pyarrow import parquet

    path = export.write_dataset(result, tmp_path / "r.parquet")
    _same(pd.read_parquet(path), _expected(result))
    held = parquet.read_schema(path).metadata
    assert json.loads(held[b"tiva.attributes"])["method"] == "bm"
    assert json.loads(held[b"tiva.variables"])["fva"]["long_name"] == "Foreign value added"


def test_excel_reads_back_with_its_sheets(result: xr.Dataset, tmp_path: Path) -> None:
    path = export.write_dataset(result, tmp_path / "r.xlsx")
    sheets = pd.read_excel(path, sheet_name=None, engine="calamine")
    assert list(sheets) == ["data", "variables", "metadata"]
    _same(sheets["data"], _expected(result), EXCEL_DIGITS)
    formulas = dict(zip(sheets["variables"]["variable"], sheets["variables"]["formula"], strict=True))
    assert formulas["dva"] == result["dva"].attrs["formula"]
    facts = dict(zip(sheets["metadata"]["attribute"], sheets["metadata"]["value"], strict=True))
    assert facts["table_sha256"] == result.attrs["table_sha256"]
    assert facts["provenance.licence"] == "CC BY 4.0"
    assert "whole million USD" in facts["notes.1"]


def test_excel_keeps_texts_that_look_like_formulas_as_texts(tmp_path: Path) -> None:
    odd = xr.Dataset({"x": (("exporter",), [1.0], {"formula": "=1+1"})}, {"exporter": ["=A"]}, {"title": "=2"})
    sheets = pd.read_excel(export.write_dataset(odd, tmp_path / "r.xlsx"), sheet_name=None, engine="calamine")
    assert sheets["data"]["exporter"].tolist() == ["=A"]
    assert sheets["variables"]["formula"].tolist() == ["=1+1"]


def test_stata_reads_back_with_labels(result: xr.Dataset, tmp_path: Path) -> None:
    path = export.write_dataset(result, tmp_path / "r.dta")
    _same(pd.read_stata(path), _expected(result))
    with pd.io.stata.StataReader(path) as reader:
        assert reader.variable_labels()["fva"] == "Foreign value added"
        assert reader.data_label == result.attrs["title"][: export.STATA_LABEL]
    said = json.loads((tmp_path / "r.dta.metadata.json").read_text(encoding="utf-8"))
    assert said["stata_names"] == {}


def test_json_reads_back_exactly(result: xr.Dataset, tmp_path: Path) -> None:
    path = export.write_dataset(result, tmp_path / "r.json")
    said = json.loads(path.read_text(encoding="utf-8"))
    _same(pd.DataFrame(said["data"]), _expected(result))
    assert said["attributes"]["identity_residual"] == result.attrs["identity_residual"]


def test_stata_names_are_valid_and_unique() -> None:
    names = export.stata_names(["gexp", "a" * 40, "a" * 41, "in", "2x", "é b"])
    assert names == {
        "gexp": "gexp", "a" * 40: "a" * 32, "a" * 41: "a" * 30 + "_2", "in": "_in", "2x": "_2x", "é b": "__b",
    }  # fmt: skip


@pytest.mark.parametrize("form", export.FORMATS)
def test_missing_and_infinite_numbers(form: str, tmp_path: Path) -> None:
    odd = xr.Dataset({"x": (("exporter",), [1.5, np.nan, np.inf])}, {"exporter": ["A", "B", "C"]})
    path = tmp_path / f"r.{form}"
    if form == "dta":
        with pytest.raises(OutputError, match=r"(?s)no infinite numbers.*values in x"):
            export.write_dataset(odd, path)
        assert listed(tmp_path) == []
        odd = odd.isel(exporter=slice(2))
    export.write_dataset(odd, path)
    frame = {
        "nc": lambda: xr.load_dataset(path, engine="h5netcdf").to_dataframe(),
        "csv": lambda: pd.read_csv(path),
        "parquet": lambda: pd.read_parquet(path),
        "xlsx": lambda: pd.read_excel(path, engine="calamine"),
        "dta": lambda: pd.read_stata(path),
        "json": lambda: pd.DataFrame(json.loads(path.read_text())["data"]),
    }[form]()
    values = [float(str(v).replace("None", "nan")) for v in frame["x"]]
    np.testing.assert_array_equal(values, [1.5, np.nan, np.inf][: len(values)])


def test_attributes_that_formats_cannot_hold_are_converted(tmp_path: Path) -> None:
    import datetime as dt

    odd = xr.Dataset(
        {"x": (("exporter",), [1.0], {"flag": np.bool_(False)})},
        {"exporter": ["A"]},
        {"yes": True, "none": None, "map": {"a": 1}, "day": dt.date(2026, 1, 2), "mixed": [1, "b"], "many": [1, 2],
         "number": np.float64(0.5)},
    )  # fmt: skip
    again = xr.load_dataset(export.write_dataset(odd, tmp_path / "r.nc"), engine="h5netcdf")
    assert again.attrs["yes"] == "true"
    assert again.attrs["none"] == ""
    assert json.loads(again.attrs["map"]) == {"a": 1}
    assert again.attrs["day"] == "2026-01-02"
    assert json.loads(again.attrs["mixed"]) == [1, "b"]
    assert list(again.attrs["many"]) == [1, 2]
    assert again.attrs["number"] == 0.5
    assert again["x"].attrs["flag"] == "false"
    assert odd.attrs["yes"] is True


def test_terms_that_lack_a_dimension_are_named(tmp_path: Path) -> None:
    odd = xr.Dataset({"x": (("exporter", "importer"), np.ones((1, 2))), "y": (("exporter",), [3.0])},
                     {"exporter": ["A"], "importer": ["B", "C"]})  # fmt: skip
    assert export.tidy(odd)["y"].tolist() == [3.0, 3.0]
    assert export.metadata(odd)["repeated"] == {"y": ["importer"]}


def test_a_result_without_dimensions_is_one_row() -> None:
    single = xr.Dataset({"x": 2.0})
    assert export.tidy(single).to_dict("list") == {"x": [2.0]}


@pytest.mark.parametrize(
    ("name", "form", "text"),
    [
        ("r.sas", None, r"unknown suffix of the output file '.*r.sas'\n  got: .sas\n  expected: one of .nc, .parquet"),
        ("r", None, "no suffix"),
        ("r.csv", "parquet", "contradict each other\n  got: format 'parquet', file 'r.csv'"),
        ("r.csv", "sas", "unknown output format 'sas'"),
    ],
)
def test_unknown_formats_are_refused(tmp_path: Path, name: str, form: str | None, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        export.check_target(tmp_path / name, form)


def test_format_serves_where_the_suffix_says_nothing(result: xr.Dataset, tmp_path: Path) -> None:
    path = export.write_dataset(result, tmp_path / "r.out", format="csv")
    assert path.read_text(encoding="utf-8") == export.render(result, "csv")


def test_places_that_cannot_be_written_are_refused(result: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match="no such folder"):
        export.write_dataset(result, tmp_path / "none" / "r.csv")
    with pytest.raises(OutputError, match="no such folder"):
        export.write_dataset(result, tmp_path / "file" / "r.csv")
    with pytest.raises(OutputError, match="it is a folder"):
        export.write_dataset(result, tmp_path / "folder.csv")
    (tmp_path / "r.csv.metadata.json").mkdir()
    with pytest.raises(OutputError, match=r"r\.csv\.metadata\.json: it is a folder"):
        export.write_dataset(result, tmp_path / "r.csv")
    assert listed(tmp_path) == ["file", "folder.csv", "r.csv.metadata.json"]


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    result: xr.Dataset, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"r.{form}"
    path.write_text("old")
    before = export._WRITERS[form]

    def fails(dataset: xr.Dataset, target: Path) -> None:
        before(dataset, target)
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(export._WRITERS, form, fails)
    with pytest.raises(OutputError, match="No space left"):
        export.write_dataset(result, path)
    assert listed(tmp_path) == [path.name]
    assert path.read_text() == "old"


def test_a_failing_sidecar_keeps_the_data_back(
    result: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write_sidecar", fails)
    with pytest.raises(OutputError, match="No space left"):
        export.write_dataset(result, tmp_path / "r.csv")
    assert listed(tmp_path) == []


def test_more_rows_than_a_sheet_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = xr.Dataset({"x": (("exporter",), np.ones(10))}, {"exporter": list("abcdefghij")})
    assert export.EXCEL_ROWS == 2**20
    monkeypatch.setattr(export, "EXCEL_ROWS", 11)
    export.write_dataset(rows, tmp_path / "fits.xlsx")
    monkeypatch.setattr(export, "EXCEL_ROWS", 10)
    with pytest.raises(OutputError, match=r"(?s)more rows than an Excel sheet.*got: 10 rows.*at most 9.*\.parquet"):
        export.write_dataset(rows, tmp_path / "r.xlsx")
    assert listed(tmp_path) == ["fits.xlsx"]


@pytest.mark.parametrize(("form", "extra"), [("parquet", "parquet"), ("xlsx", "excel")])
def test_missing_library_is_named(tmp_path: Path, form: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=rf'pip install "tiva-icio\[{extra}\]"'):
        export.check_target(tmp_path / f"r.{form}")


def test_binary_formats_cannot_be_printed(result: xr.Dataset) -> None:
    with pytest.raises(UsageError, match="format 'nc' cannot be printed"):
        export.render(result, "nc")


def test_only_results_are_read_as_results(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        export.read_dataset(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(ReaderError, match=r"text\.nc cannot be read as a result"):
        export.read_dataset(tmp_path / "text.nc")
    with pytest.raises(ReaderError, match="not a result of this package"):
        export.read_dataset(ROOT / "tiva" / "data" / "example_wiod2011.nc")
