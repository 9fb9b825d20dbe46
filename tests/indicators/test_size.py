"""Size indicators: the worked cases, identities, and explicit matrices."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import tiva
from benchmarks.banded import random_shares
from benchmarks.tables import synthetic
from tests.bands.test_toy import CASES, PRINTED, banded
from tests.bands.worlds import BruteForce, toy_shares, two_countries, wiod_small
from tiva.bands.shares import BandShares
from tiva.bands.split import BandedTable, split_by_size
from tiva.indicators.size import (
    coverage,
    exports_by_size,
    foreign_demand_by_size,
    imports_by_size,
    who_exports_for_whom,
)
from tiva.indicators.size_gaps import covariance_factors, heterogeneity_correction, missing_middle
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

EXACT = 1e-10
"""Relative: two orders of summing the same terms in double precision."""

EVERY = (
    exports_by_size,
    who_exports_for_whom,
    foreign_demand_by_size,
    imports_by_size,
    coverage,
    heterogeneity_correction,
)


@pytest.mark.parametrize("name", CASES)
def test_worked_case(name: str) -> None:
    case, table = CASES[name], banded(name)
    bands = ["sme", "lar"]
    exports = exports_by_size(table).sel(exporter="S", size=bands)
    assert float(exports["exports_direct"][0]) == pytest.approx(case.exports_sme, abs=PRINTED)
    for code, expected in (("dva_direct", case.dva_direct), ("dva", case.dva_domestic), ("dc", case.dva_full)):
        assert exports[code].values == pytest.approx(expected, abs=PRINTED)
    matrix = who_exports_for_whom(table)["indirect"].sel(exporter="S", size=bands, origin_size=bands)
    assert matrix.values.ravel() == pytest.approx(case.theta, abs=PRINTED)
    demand = foreign_demand_by_size(table)["foreign_demand_dependence"].sel(exporter="S", size=bands)
    assert demand.values == pytest.approx(case.dependence, abs=PRINTED)
    imports = imports_by_size(table).sel(exporter="S", size=bands)
    assert imports["import_share_total"].values == pytest.approx(case.import_intensity, abs=PRINTED)
    assert float(imports["fc"].sum()) == pytest.approx(case.fva, abs=PRINTED)


def test_visibility_of_the_two_market_case() -> None:
    exports = exports_by_size(banded("two-market")).sel(exporter="S", size="sme")
    assert float(exports["dva_share"]) == pytest.approx(0.420921, abs=PRINTED)
    assert float(exports["visibility"]) == pytest.approx(0.420921 / (5.5 / 40), abs=1e-5)


def test_heterogeneity_of_the_two_market_case() -> None:
    found = heterogeneity_correction(banded("two-market")).sel(exporter="S")
    assert float(found["dva_correction"]) == pytest.approx(-1.149635, abs=PRINTED)
    expected = {
        "value_added_exports": (0.875, 1.0),
        "imports_exports": (1.25, 1.285714),
        "domestic_exports": (1.027778, 0.857143),
        "value_added_home": (1.067308, 1.0),
        "imports_home": (0.865385, 0.968254),
        "domestic_home": (0.985043, 1.015873),
    }
    for name, values in expected.items():
        assert found[f"eta_{name}"].values == pytest.approx(values, abs=PRINTED)


def test_proportional_split_changes_no_total() -> None:
    found = heterogeneity_correction(banded("proportional"))
    assert np.abs(found["dva_correction"]).max() < 1e-12
    assert coverage(banded("proportional"))["status_share"].sel(margin="exports", status="observed").max() == 0


@pytest.fixture(scope="module")
def real() -> BandedTable:
    table = wiod_small(sectors=8, countries=8)
    return split_by_size(table, random_shares(table, (3, 4, 2, 1, 3, 3, 4, 2), seed=4, sales_to_producers=True))


def test_correction_is_the_covariance_formula(real: BandedTable) -> None:
    """Section 3.5: total DVA by eta alone, against the operators."""
    source = real.source
    plain = LeontiefModel(source)
    eta = {k: v.ravel() for k, v in covariance_factors(real).items()}
    v, exports = plain.value_added, plain.exports.sum(axis=1)
    t = real.totals
    found = heterogeneity_correction(real)
    for g, country in enumerate(plain.countries):
        rows = slice(int(plain.offsets[g]), int(plain.offsets[g + 1]))
        a = plain.domestic_blocks[g]
        inner = a @ np.linalg.inv(np.eye(len(a)) - eta["eta_domestic_home"][rows, None] * a)
        extended = (v * eta["eta_value_added_exports"] * exports)[rows].sum() + (v * eta["eta_value_added_home"])[
            rows
        ] @ inner @ (eta["eta_domestic_exports"] * exports)[rows]
        without = v[rows] @ np.linalg.inv(np.eye(len(a)) - a) @ exports[rows]
        got = float(found["dva_correction"].sel(exporter=country))
        assert got == pytest.approx(extended - without, rel=1e-8, abs=EXACT * exports.max())
    inputs = v * eta["eta_value_added_exports"] + (
        t.imports * eta["eta_imports_exports"] + t.domestic_inputs * eta["eta_domestic_exports"]
    ) / np.where(t.output != 0, t.output, 1)
    assert inputs[t.output > 0] == pytest.approx(np.ones((t.output > 0).sum()))


def test_bands_add_up(real: BandedTable) -> None:
    exports, imports = exports_by_size(real), imports_by_size(real)
    gross = LeontiefModel(real.source).exports.sum(axis=1)
    total = np.add.reduceat(gross, LeontiefModel(real.source).offsets[:-1])
    assert exports["exports_direct"].sum("size").values == pytest.approx(total)
    assert (exports["dc"].sum("size") + imports["fc"].sum("size")).values == pytest.approx(total)
    matrix = who_exports_for_whom(real)
    assert matrix["indirect"].sum("size").values == pytest.approx(exports["dva_indirect"].fillna(0).values)
    channels = matrix["same_sector"] + matrix["other_sector"]
    assert channels.fillna(0).values == pytest.approx(matrix["indirect"].fillna(0).values)
    by_sector = exports_by_size(real, level="sector")
    for code in ("exports_direct", "dva", "dc", "value_added"):
        assert by_sector[code].sum(["sector"]).values == pytest.approx(exports[code].fillna(0).values)
    content = exports["dva"].sum("size").values
    assert content == pytest.approx(tiva.decompose(real)["dva"].sum("size").values)


def test_channels_by_explicit_matrices() -> None:
    table = synthetic(2, 4, 5)
    names = ("c1", "c20", "c30", "c31")
    table = table.replace(sectors=names)
    real = split_by_size(table, random_shares(table, (3, 2), seed=1))
    brute = BruteForce.of(real)
    x = brute.expanded
    flow = brute.value_added[:, None] * (brute.local - np.eye(len(x.output))) * brute.exports.sum(axis=1)
    same = (x.row_sector[:, None] == x.row_sector) & (x.row_country[:, None] == x.row_country)
    trader = (x.row_sector == 1)[None, :] & ~(x.row_sector == 1)[:, None]
    found = who_exports_for_whom(real)
    assert found["wholesale"].attrs["units"] == "million USD"
    for code, mask in (("same_sector", same), ("wholesale", trader), ("other_sector", ~same & ~trader)):
        for g in range(2):
            for a in range(3 - g):
                for b in range(3 - g):
                    cells = (x.row_country == g)[:, None] & (x.row_band == a)[:, None] & (x.row_band == b)
                    got = float(found[code][g, a, b])
                    assert got == pytest.approx(flow[cells & mask].sum()), (code, g, a, b)
    named = who_exports_for_whom(real, wholesale="c30")
    assert not np.allclose(named["wholesale"][0], found["wholesale"][0])
    with pytest.raises(LookupError, match="c2"):
        who_exports_for_whom(real, wholesale="c2")


def test_theta_and_given_blocks_have_channels_too() -> None:
    table = synthetic(2, 3, 6)
    shares = random_shares(table, 2, seed=3)
    plain = split_by_size(table, shares, theta=0.5)
    block = plain.to_table().intermediate[:6, :6]
    given = split_by_size(table, shares, theta={"C001": 0.5}, domestic_blocks={"C000": block})
    xr.testing.assert_allclose(who_exports_for_whom(plain), who_exports_for_whom(given))


def test_missing_bands_are_missing_not_zero(real: BandedTable) -> None:
    for function in EVERY:
        data = function(real)
        for code, values in data.items():
            if "size" in values.dims:
                absent = values.sel(exporter=real.countries[2], size="medium")
                assert np.isnan(absent).all(), (function.__name__, code)
    assert np.isnan(exports_by_size(real)["exports_direct"].sel(size="all")[0])
    assert np.isnan(exports_by_size(real)["exports_direct"].sel(size="micro")[3])


def test_datasets_are_described(real: BandedTable) -> None:
    for function in EVERY:
        data = function(real)
        assert "of exports in split sectors" in data.attrs["coverage"]
        assert data.attrs["table_sha256"] == real.checksum
        json.loads(data.attrs["notes"])
        for code, values in data.items():
            assert set(values.attrs) == {"long_name", "units", "formula", "reference"}, code
            assert values.attrs["units"]


def with_employment(shares: BandShares) -> BandShares:
    return shares.replace(employment=np.arange(1.0, shares.rows + 1))


def test_per_person_and_missing_middle_by_hand() -> None:
    table = two_countries()
    margins = {
        "S": {
            s: {
                "output": [0.2, 0.3, 0.5], "value_added": [0.3, 0.3, 0.4],
                "imports": [0.1, 0.2, 0.7], "exports": [0.1, 0.2, 0.7],
            }
            for s in ("1", "2")
        }
    }  # fmt: skip
    shares = BandShares.from_dicts(table, margins, bands={"S": ("small", "medium", "large")})
    real = split_by_size(table, with_employment(shares))  # persons: N 1 2, S1 3 4 5, S2 6 7 8
    exports = exports_by_size(real).sel(exporter="S")
    assert exports["employment"].sel(size=["small", "medium", "large"]).values.tolist() == [9, 11, 13]
    # Value added of S is 60: 18, 18 and 24 by band.
    assert float(exports["value_added_per_person"].sel(size="large")) == pytest.approx(24 / 13)
    found = missing_middle(real, reference=["S"]).sel(exporter="S")
    assert float(found["mm1_employment"]) == pytest.approx(11 / 33)
    assert float(found["mm2_supplier_gap"]) == pytest.approx(0.0)
    ladder = found["mm3_productivity"].sel(size=["small", "medium", "large"]).values
    assert ladder == pytest.approx([18 / 9 / (24 / 13), 18 / 11 / (24 / 13), 1.0])
    matrix = who_exports_for_whom(real)["indirect"].sel(exporter="S", size="large")
    expected = float(matrix.sel(origin_size="medium") / matrix.sel(origin_size=["small", "medium"]).sum())
    assert float(found["mm4_supplier_depth"]) == pytest.approx(expected)
    # Large exporters of S (28 of 40): imports mu M / x e E with mu = .7/.5; purchases from the middle h Z d / s.
    imports = 1.4 * (15 / 100 * 0.7 * 35 + 10 / 50 * 0.7 * 5)
    split = real.split
    x = real.to_table()
    rows = {(s, b): 2 + 3 * s + b for s in (0, 1) for b in (0, 1, 2)}
    bought = sum(
        x.intermediate[rows[i, 1], rows[j, 2]] / x.output[rows[j, 2]] * 0.7 * (35, 5)[j] for i in (0, 1) for j in (0, 1)
    )
    assert split.exports[rows[0, 2]] == 0.7
    assert float(found["mm5_import_substitution"]) == pytest.approx(imports / (imports + bought))
    assert np.isnan(missing_middle(real)["mm1_employment"].sel(exporter="N"))


def test_missing_middle_needs_a_middle() -> None:
    table = two_countries()
    real = split_by_size(table, toy_shares(table, "N", "S"))
    with pytest.raises(ValueError, match="no middle follows"):
        missing_middle(real)
    found = missing_middle(real, middle="sme", large="lar")
    assert found["mm4_supplier_depth"].values == pytest.approx([1.0, 1.0])
    assert np.isnan(found["mm3_productivity"]).all()
    with pytest.raises(LookupError, match="large"):
        missing_middle(real, large="large")


def test_unknown_level_and_plain_tables_are_refused(real: BandedTable) -> None:
    with pytest.raises(LookupError, match="bilateral"):
        exports_by_size(real, level="bilateral")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="split into firm-size bands"):
        exports_by_size(two_countries())  # type: ignore[arg-type]


def test_status_shares_sum_to_one(real: BandedTable) -> None:
    found = coverage(real)
    assert found["status_share"].sum("status").values == pytest.approx(1.0)
    assert float(found["exports_in_split_sectors"].sel(exporter=real.countries[3])) == 0.0
    assert float(found["exports_in_split_sectors"][0]) == pytest.approx(1.0)


def test_groups(real: BandedTable) -> None:
    model = real.model(groups={"AB": list(real.countries[:2])})
    found = exports_by_size(model)
    assert found.sizes["exporter"] == 7
    assert "same_sector" not in who_exports_for_whom(model)
    correction = heterogeneity_correction(model)
    assert "eta_imports_home" not in correction
    plain = LeontiefModel(real.source, groups={"AB": list(real.countries[:2])})
    dva = np.add.reduceat(plain.local_inverse_transpose(plain.value_added) * plain.exports.sum(1), plain.offsets[:-1])
    assert (found["dva"].sum("size") - correction["dva_correction"]).values == pytest.approx(dva)


def test_unsplit_table(example: IcioTable) -> None:
    real = split_by_size(example, BandShares.unsplit(example))
    assert exports_by_size(real).sizes["size"] == 1
    assert np.abs(heterogeneity_correction(real)["dva_correction_share"]).max() < 1e-12
