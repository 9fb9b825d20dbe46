from __future__ import annotations

import json

import numpy as np
import pytest

import tiva
from tests.decompositions.test_borin_mancini import _with_taxes
from tests.model.test_leontief import split
from tiva.errors import (
    BackendFallbackWarning,
    GroupError,
    TivaError,
    UnknownLabelError,
    UnsupportedCombinationError,
    UsageError,
)
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable
from tiva.terms import LEVELS, find_method, methods, term, terms

IDENTITY = 1e-9
"""Relative to gross exports."""

ROUNDING = 1e-12
"""Sums in another order."""


def test_coarser_levels_are_sums_of_the_finest(example: IcioTable) -> None:
    model = LeontiefModel(example)
    finest = tiva.decompose(model, level="sector-bilateral")
    for level in LEVELS:
        coarse = tiva.decompose(model, level=level)
        dropped = [d for d in finest.dims if d not in coarse.dims]
        for name in coarse.data_vars:
            expected = finest[name].sum(dropped)
            scale = float(abs(finest["gexp"]).sum())
            assert float(abs(coarse[name] - expected).max()) <= ROUNDING * scale


def test_every_variable_says_what_it_is(example: IcioTable) -> None:
    result = tiva.decompose(example)
    for name, variable in result.data_vars.items():
        assert set(variable.attrs) == {"long_name", "units", "formula", "reference", "additive"}, name
        assert variable.attrs["units"] == "million USD"
    assert result.attrs["table_sha256"] == example.checksum
    assert result.attrs["identity_residual"] <= IDENTITY
    assert "whole million USD" in " ".join(json.loads(result.attrs["notes"]))


def test_attributes_survive_netcdf(example: IcioTable, tmp_path: object) -> None:
    import xarray as xr

    result = tiva.decompose(example, level="sector")
    result.to_netcdf(f"{tmp_path}/r.nc", engine="h5netcdf")
    with xr.open_dataset(f"{tmp_path}/r.nc", engine="h5netcdf") as again:
        xr.testing.assert_identical(again.load(), result)


def test_selection_by_label(example: IcioTable) -> None:
    full = tiva.decompose(example, level="sector-bilateral", detail=True)
    part = tiva.decompose(
        example, level="sector-bilateral", detail=True, exporter=["MEX", "BRA"], importer="USA", sector="Vehicles"
    )
    assert dict(part.sizes) == {"exporter": 2, "sector": 1, "importer": 1}
    np.testing.assert_array_equal(
        part["vax1"].values.ravel(),
        full["vax1"].sel(exporter=["MEX", "BRA"], importer="USA", sector="Vehicles").values,
    )


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"exporter": "MXE"}, UnknownLabelError, "unknown exporter 'MXE'.*did you mean 'MEX'"),
        ({"level": "bilateral", "importer": "US"}, UnknownLabelError, "did you mean 'USA'"),
        ({"level": "sector", "sector": "Vehicle"}, UnknownLabelError, "did you mean 'Vehicles'"),
        ({"method": "bmm"}, UnknownLabelError, "unknown method 'bmm'"),
        ({"perspective": "exprter"}, UnknownLabelError, "unknown perspective"),
        ({"level": "firm"}, UnknownLabelError, "unknown level 'firm'"),
        ({"importer": "USA"}, UsageError, "importer cannot be selected at level 'country'"),
        ({"level": "bilateral", "exporter": "MEX", "importer": "MEX"}, UsageError, "are the same country"),
        ({"exporter": "MERCOSUR-BRA"}, GroupError, "MERCOSUR"),
        ({"exporter": "NAFTA|MEX"}, GroupError, "MEX"),
        ({"exporter": ["NAFTA", "MEX"]}, GroupError, "'MEX' appears both alone and in a group.*'NAFTA' holds it"),
        ({"exporter": ["MEX", "MEX"]}, GroupError, "exporter 'MEX' is given twice"),
        ({"exporter": ["NAFTA", "G7"]}, GroupError, "groups of exporter overlap.*CAN, USA.*'G7-NAFTA'"),
        ({"level": "bilateral", "importer": ["EU27", "DEU"]}, GroupError, "importer 'DEU' appears both"),
        ({"level": "sector", "sector": ["ALL", "Food"]}, GroupError, "sector 'Food' appears both alone and in a group"),
        ({"groups": {"A": ["MEX"], "B": ["MEX"]}}, GroupError, "'MEX' is in 'A' and in 'B'"),
        ({"exporter": []}, UsageError, "empty selection of exporter"),
        ({"exporter": {"N": "NAFTA"}}, UsageError, "chosen by labels, one by one.*sum_groups.*groups="),
        ({"exporter": "MEX|"}, GroupError, "a name is missing in a country group expression.*'MEX|'"),
        ({"exporter": "-MEX"}, GroupError, "a name is missing"),
        ({"level": "sector", "sector": "Wood-paper"}, UnknownLabelError, "unknown sector 'Wood-paper'.*-other"),
        ({"groups": ["NAFTA", "NAFTA"]}, GroupError, "group 'NAFTA' is given twice"),
        ({"groups": 3}, UsageError, "groups are named by texts"),
        ({"groups": {"A": [3]}}, UsageError, "groups are named by texts"),
        ({"method": "headline", "level": "bilateral"}, UnsupportedCombinationError, "method=headline.*level=country"),
    ],
)
def test_bad_options_are_named(
    example: IcioTable, options: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=f"(?s){text}"):
        tiva.decompose(example, **options)  # type: ignore[arg-type]


def test_model_has_its_own_satellite_and_groups(example: IcioTable) -> None:
    with pytest.raises(UsageError, match="a model has its satellite, groups and backend already"):
        tiva.decompose(LeontiefModel(example), groups={"N": ["USA", "MEX"]})
    with pytest.raises(UsageError, match="needs a table or a model"):
        tiva.decompose("table.csv")  # type: ignore[arg-type]


def test_group_acts_as_one_exporter(example: IcioTable) -> None:
    groups = {"NAFTA": ["USA", "MEX", "CAN"]}
    grouped = tiva.decompose(example, groups=groups, level="bilateral")
    aggregated = tiva.decompose(example.aggregate(countries=groups), level="bilateral")
    assert "NAFTA" in grouped["exporter"].values
    np.testing.assert_array_equal(
        grouped["gexp"].sel(exporter="NAFTA").values, aggregated["gexp"].sel(exporter="NAFTA").values
    )
    assert grouped.attrs["identity_residual"] <= IDENTITY


def test_groups_by_name(example: IcioTable) -> None:
    as_one = tiva.decompose(example, groups="NAFTA", level="bilateral")
    assert "NAFTA" in as_one["exporter"].values
    assert "MEX" not in as_one["exporter"].values
    members = tiva.decompose(example, exporter="NAFTA")
    assert set(members["exporter"].values) == {"USA", "MEX", "CAN"}
    latin = tiva.decompose(example, exporter="MERCOSUR|MEX")
    assert set(latin["exporter"].values) == {"BRA", "MEX"}
    assert any("MERCOSUR" in note for note in json.loads(latin.attrs["notes"]))
    assert float(as_one["gexp"].sel(exporter="NAFTA").sum()) < float(members["gexp"].sum())


def test_split_country_exports_as_one_and_its_parts_trade_at_home() -> None:
    table = split()
    result = tiva.decompose(table, level="sector-bilateral")
    merged = tiva.decompose(table.merge_split_countries(), level="sector-bilateral")
    assert tuple(result["exporter"].values) == table.countries
    np.testing.assert_allclose(result["gexp"], merged["gexp"], rtol=ROUNDING)
    assert result.attrs["identity_residual"] <= IDENTITY
    assert float(abs(result["dva"] - merged["dva"]).max()) > ROUNDING


def test_zero_output_exports_are_a_discrepancy_and_said() -> None:
    from tests.model.test_leontief import table

    result = tiva.decompose(table(), level="sector-bilateral")
    gap = result["discrepancy"]
    assert float(gap.sel(exporter="C", sector="x", importer="A")) == pytest.approx(-2.0)
    assert float(abs(gap.drop_sel(exporter="C")).max()) < IDENTITY
    assert any("C.x" in note for note in json.loads(result.attrs["notes"]))


def test_published_value_added_shows_taxes() -> None:
    result = tiva.decompose(_with_taxes())
    assert "taxes_margins" in result
    assert result.attrs["identity_residual"] <= IDENTITY
    assert result.attrs["value_added_kind"] == "published"


def test_formulas_are_those_of_the_perspective_and_approach() -> None:
    """A term means something else at another border: no two of these decompositions share the formula of fva."""
    rows = [row for row in methods() if row.method == "bm" and "fva" in row.terms and row.perspective != "self"]
    own = find_method("bm", perspective="self", perimeter="sectbil", level="sector-bilateral")
    formulas = {(row.perspective, row.approach): term("fva", row).formula for row in (*rows, own)}
    assert len(set(formulas.values())) == len(formulas) == 5
    sink = tiva.decompose(tiva.example(), approach="sink", detail=True)
    assert "W^s" in sink["vax4"].attrs["formula"]
    assert "39" in sink["vax4"].attrs["reference"]
    assert term("fva").formula == term("fva", find_method("bm")).formula == term("fva", "bm").formula


def test_every_scope_of_a_term_is_that_of_a_method() -> None:
    for entry in terms():
        words = entry.method.split()
        if not words or words == ["size"]:
            continue
        fitting = [
            row
            for row in methods()
            if set(words) <= {row.method, row.perspective, row.approach, row.perimeter}
            and entry.code in (*row.terms, *row.detail_terms, *row.partition)
        ]
        assert fitting, entry
        assert all(term(entry.code, row).method == entry.method for row in fitting), entry


def test_every_catalogue_row_runs_and_its_terms_are_catalogued(example: IcioTable) -> None:
    model = LeontiefModel(example)
    for row in methods():
        options = {name: getattr(row, name) for name in ("perspective", "approach", "perimeter") if getattr(row, name)}
        for level in row.levels:
            result = tiva.decompose(model, row.method, level=level, **options)
            left_out = {name for name in row.terms if name.startswith("EXGR_SERV_")}
            assert not left_out or "EXGR_SERV_* left out" in result.attrs["notes"]
            assert set(row.terms) - left_out <= set(result.data_vars), row.describe()
            assert result.attrs.get("identity_residual", 0.0) <= IDENTITY, row.describe()


def test_backend_computes_the_same(example: IcioTable) -> None:
    plain, chosen = tiva.decompose(example), tiva.decompose(example, backend="numpy")
    scale = float(abs(plain["gexp"]).max())
    for name in plain.data_vars:
        assert float(abs(plain[name] - chosen[name]).max()) <= IDENTITY * scale
    with pytest.raises(UnknownLabelError, match="did you mean 'cupy'"):
        tiva.decompose(example, backend="cupi")
    with pytest.raises(UsageError, match="backend already"):
        tiva.decompose(LeontiefModel(example), backend="numpy")
    with pytest.warns(BackendFallbackWarning, match="split by firm size are computed by NumPy"):
        tiva.decompose(tiva.split_by_size(example, tiva.example_margins()), backend="cupy")


def test_groups_that_act_as_one_are_named_in_the_result(example: IcioTable) -> None:
    notes = json.loads(tiva.decompose(example, groups="EU27").attrs["notes"])
    assert "EU27 acts as one country: DEU, ESP, FRA, ITA" in notes
    assert any("AUT" in note for note in notes)
    traced = tiva.origins(example, "fva", groups={"NAF": ["CAN", "MEX", "USA"]}, by=("exporter", "origin"))
    assert "NAF acts as one country: CAN, MEX, USA" in traced.notes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"groups": []}, "groups need names"),
        ({"groups": {"": ["MEX", "USA"]}}, "groups need names"),
        ({"groups": "WLD"}, "every country of the table"),
        ({"exporter": 3}, "chosen by labels"),
        ({"satellite": "jobs.csv"}, "array of numbers"),
    ],
)
def test_what_is_no_group_label_or_satellite(example: IcioTable, options: dict[str, object], said: str) -> None:
    with pytest.raises(TivaError, match=said):
        tiva.decompose(example, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="missing or infinite"):
        tiva.decompose(example, satellite=np.full(example.n, np.nan))


@pytest.mark.parametrize(("perimeter", "level"), [("sectexp", "sector"), ("sectbil", "sector-bilateral")])
def test_origins_of_a_group_add_up_in_its_joint_perimeter(example: IcioTable, perimeter: str, level: str) -> None:
    own = tiva.decompose(example, perspective="self", perimeter=perimeter, level=level, groups="NAFTA")
    by = ("exporter", "sector", *(("importer",) if level == "sector-bilateral" else ()))
    for name in ("dva", "fva"):
        traced = tiva.origins(example, name, perimeter=perimeter, groups="NAFTA", by=(*by, "origin")).to_xarray()
        gap = abs(traced.sum("origin") - own[name]).max()
        assert float(gap) <= IDENTITY * float(own["gexp"].max())
