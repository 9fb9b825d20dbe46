"""The split itself: conditions, edge rules, options, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tiva
from benchmarks.banded import random_shares
from benchmarks.tables import synthetic
from tests.bands.test_model import assert_adds_up, assert_operators
from tests.bands.worlds import BruteForce, toy_shares, two_countries
from tiva.bands.blocks import fit_domestic_block
from tiva.bands.preference import preference_scores
from tiva.bands.shares import BandShares
from tiva.bands.split import BandedTable, split_by_size
from tiva.errors import BandShareError, ConvergenceError, InfeasibleMarginsError, UsageError
from tiva.table.icio_table import IcioTable, OtherInput
from tiva.terms import LEVELS, Method, methods

EVEN = {"output": [0.5, 0.5], "value_added": [0.5, 0.5], "imports": [0.5, 0.5], "exports": [0.4, 0.6]}


def one_sector(flows: Any, final: Any, margins: dict[str, list[float]], **options: Any) -> BandedTable:
    """Two countries with one sector; margins are those of country A."""
    categories = [f"c{k}" for k in range(np.size(final) // 4)]
    table = IcioTable.from_arrays(flows, final, countries=["A", "B"], sectors=["x"], final_demand_categories=categories)
    shares = BandShares.from_dicts(table, {"A": {"x": margins}}, bands={"A": ("small", "large")})
    return split_by_size(table, shares, **options)


def test_infeasible_exports_are_named() -> None:
    # Output 100, exports 60: a band with half of output cannot export 90 % of them.
    with pytest.raises(InfeasibleMarginsError, match=r"C1 A\.x\.large: exports exceed output by 4"):
        one_sector([[20, 20], [10, 40]], [[20, 40], [10, 40]], EVEN | {"exports": [0.1, 0.9]})


def test_infeasible_inputs_are_named() -> None:
    # Value added 70 of 100, imports 10, domestic inputs 20: 0.95 x 70 + 0.5 x 10 is more than 50.
    with pytest.raises(InfeasibleMarginsError, match=r"C2 A\.x\.large: value added and imports exceed output by 21.5"):
        one_sector([[20, 20], [10, 40]], [[20, 40], [10, 40]], EVEN | {"value_added": [0.05, 0.95]})


def test_infeasible_sales_to_producers_are_named() -> None:
    # Home sales of small firms: 50 - 0.4 x 60 = 26; sales to producers 30 x 0.9 = 27.
    with pytest.raises(InfeasibleMarginsError, match=r"C4 A\.x\.small: .* by 1 "):
        one_sector([[30, 20], [10, 40]], [[10, 40], [10, 40]], EVEN | {"domestic_intermediate": [0.9, 0.1]})


def test_infeasible_margins_can_be_kept() -> None:
    banded = one_sector([[20, 20], [10, 40]], [[20, 40], [10, 40]], EVEN | {"exports": [0.1, 0.9]}, infeasible="keep")
    assert not banded.feasibility.ok
    assert "1 conditions not met" in str(banded.feasibility)
    assert banded.split.exports[:2].tolist() == [0.1, 0.9]
    assert_adds_up(banded)
    assert_operators(banded)


def test_everything_exported_forces_the_output_share() -> None:
    banded = one_sector([[0, 20], [10, 40]], [[0, 80], [10, 40]], EVEN)
    assert banded.split.exports[:2].tolist() == [0.5, 0.5]
    assert banded.feasibility.ok
    assert "no home sales" in banded.feasibility.notes[0]
    assert "A.x" in banded.feasibility.notes[0]
    assert any("no home sales" in note for note in banded.provenance.notes)
    assert_adds_up(banded)
    assert_operators(banded)


def test_no_domestic_inputs_forces_the_output_share() -> None:
    margins = EVEN | {"value_added": [0.3, 0.7], "imports": [0.3, 0.7]}
    banded = one_sector([[0, 20], [10, 40]], [[40, 40], [10, 40]], margins)
    assert banded.split.value_added[:2].tolist() == banded.split.imports[:2].tolist() == [0.5, 0.5]
    assert_adds_up(banded)


def test_margins_that_fit_an_empty_market_are_kept() -> None:
    # No domestic inputs: output 100, value added 90, imports 10; 0.48 x 90 + 0.68 x 10 is 50 exactly.
    margins = EVEN | {"value_added": [0.48, 0.52], "imports": [0.68, 0.32]}
    banded = one_sector([[0, 20], [10, 40]], [[40, 40], [10, 40]], margins)
    assert banded.split.value_added[:2].tolist() == [0.48, 0.52]
    assert not banded.feasibility.notes


def test_negative_inventories_go_with_home_sales() -> None:
    final = np.array([[[30, -10], [40, 0]], [[10, 0], [40, 0]]], dtype=float)
    for extra in ({}, {"domestic_intermediate": [0.6, 0.4]}):
        banded = one_sector([[20, 20], [10, 40]], final, EVEN | extra)
        assert_adds_up(banded)
        got = banded.to_table().final_demand[:2, 0, 1]
        assert got == pytest.approx(-10 * banded.split.home_sales[:2])
    assert (banded.to_table().final_demand[:2, 0, 0] > 0).all()


def test_negative_home_sales_force_the_output_share() -> None:
    """Inventories that fall by more than is sold at home."""
    final = np.array([[[0, -30], [110, 0]], [[10, 0], [40, 0]]], dtype=float)
    banded = one_sector([[20, 20], [10, 40]], final, EVEN)
    assert banded.split.exports[:2].tolist() == [0.5, 0.5]
    assert banded.to_table().intermediate.min() >= 0
    assert_adds_up(banded)
    assert_operators(banded)
    known = one_sector([[20, 20], [10, 40]], final, EVEN | {"domestic_intermediate": [0.6, 0.4]})
    assert known.split.exports[:2].tolist() == [0.4, 0.6]
    assert_adds_up(known)


def test_no_home_final_demand_leaves_no_choice_of_customers() -> None:
    banded = one_sector([[40, 20], [10, 40]], [[0, 40], [10, 40]], EVEN | {"domestic_intermediate": [0.9, 0.1]})
    assert banded.split.producers[:2] == pytest.approx(banded.split.home_sales[:2])
    assert "no home final demand" in banded.feasibility.notes[0]
    assert_adds_up(banded)


def test_sectors_without_output_and_negative_value_added() -> None:
    table = synthetic(3, 4, 2)
    flows, final = np.array(table.intermediate), np.array(table.final_demand)
    flows[1], final[1] = 0.0, 0.0
    flows[:, 1] = 0.0
    flows[:, 6] *= 3.0
    flows[2, 0], final[2, 0] = flows[2, 0] + 5, final[2, 0] - 5
    odd = IcioTable.from_arrays(flows, final, countries=table.countries, sectors=table.sectors)
    assert odd.value_added.min() < 0
    banded = split_by_size(odd, random_shares(odd, (3, 2, 1), seed=1))
    assert_adds_up(banded)
    assert_operators(banded)


def test_sector_without_output_that_is_split_all_the_same() -> None:
    flows, final = np.array([[0, 0], [10, 40]]), np.array([[5, -5], [10, 40]])
    banded = one_sector(flows, final, EVEN)
    assert banded.output[:2].tolist() == [0, 0]
    assert banded.split.exports[:2].tolist() == [0.5, 0.5]
    model = banded.model()
    assert np.isfinite(model.inverse).all()
    assert model.value_added[:2].tolist() == [0, 0]


def test_taxes_and_margins_are_split_like_output() -> None:
    plain = synthetic(2, 3, 1)
    taxes = 0.1 * plain.value_added
    table = plain.replace(
        other_inputs={"taxes": OtherInput(taxes)}, value_added=plain.value_added - taxes, value_added_kind="published"
    )
    banded = split_by_size(table, random_shares(table, 2, seed=5))
    assert_adds_up(banded)
    model = banded.model()
    assert model.other_inputs * model.output == pytest.approx(banded.split.output * taxes[banded.split.segment])
    columns = BruteForce.of(banded).coefficients.sum(axis=0) + model.value_added + model.other_inputs
    assert columns == pytest.approx(np.ones(12))


def test_proportional_split_must_be_asked_for() -> None:
    table = two_countries()
    shares = BandShares.from_dicts(table, {"S": {"1": {"output": [0.4, 0.6]}}}, bands={"S": ("a", "b")})
    with pytest.raises(UsageError, match="proportional"):
        split_by_size(table, shares)
    banded = split_by_size(table, shares, method="proportional")
    assert banded.method == "proportional"
    assert "proportional split" in banded.provenance.notes[0]


def test_shares_of_another_table_are_refused() -> None:
    table = two_countries()
    other = table.replace(areas=("N", "T"), area_countries=("N", "T"), countries=("N", "T"))
    with pytest.raises(BandShareError, match="other country labels"):
        split_by_size(other, toy_shares(table, "S"))
    with pytest.raises(BandShareError, match="other sector labels"):
        split_by_size(table.replace(sectors=("1", "3")), toy_shares(table, "S"))


def test_theta_is_bounded_and_by_country() -> None:
    table = two_countries()
    shares = toy_shares(table, "N", "S")
    with pytest.raises(UsageError, match="between -1 and 1"):
        split_by_size(table, shares, theta=1.2)
    with pytest.raises(LookupError, match="'T'"):
        split_by_size(table, shares, theta={"T": 0.5})
    with pytest.raises(LookupError, match="middle"):
        split_by_size(table, shares, theta=0.5, scores={"sme": 0, "lar": 2, "middle": 1})
    with pytest.raises(UsageError, match="every band"):
        split_by_size(table, shares, theta=0.5, scores={"sme": 0})
    one = split_by_size(table, shares, theta=0.5, scores={"sme": 3.0, "lar": 7.0})
    assert one.to_table().intermediate == pytest.approx(split_by_size(table, shares, theta=0.5).to_table().intermediate)
    for theta in (-1.0, 1.0):
        assert split_by_size(table, shares, theta=theta).to_table().intermediate.min() >= 0


def test_theta_above_zero_lowers_small_firms_part() -> None:
    table = two_countries()
    dva = []
    for theta in (-0.5, 0.0, 0.5):
        model = split_by_size(table, toy_shares(table, "N", "S"), theta=theta).model()
        own = model.value_added * model.local_inverse(np.where(model.row_country == 1, model.exports.sum(axis=1), 0))
        dva.append(own[model.row_band == 0].sum())
    assert dva[0] > dva[1] > dva[2]


def test_scores_are_centred_and_bounded() -> None:
    start = np.array([0, 3, 4, 6])
    weights = np.array([0.2, 0.3, 0.5, 1.0, 1.0, 0.0])
    phi = preference_scores(np.array([0.0, 1, 2, 1, 0, 1]), weights, start)
    assert np.add.reduceat(weights * phi, start[:-1]) == pytest.approx(np.zeros(3))
    assert np.abs(phi).max() == 1.0
    assert phi[3] == 0.0


def test_bands_of_different_schemes_are_merged_in_order() -> None:
    table = two_countries()
    shares = BandShares.from_dicts(
        table,
        {
            "N": {"1": {"output": [0.2, 0.3, 0.5], "exports": [0.1, 0.2, 0.7]}},
            "S": {s: {"output": [0.1, 0.1, 0.3, 0.5], "exports": [0, 0.1, 0.2, 0.7]} for s in ("1", "2")},
        },
        bands={"N": ("micro", "sme", "large"), "S": ("micro", "small", "medium", "large")},
    )
    banded = split_by_size(table, shares)
    assert banded.bands == ("micro", "small", "medium", "sme", "large", "all")
    assert banded.row_labels[:4] == ("N.1.micro", "N.1.sme", "N.1.large", "N.2.all")
    assert_operators(banded)


def test_domestic_blocks_are_checked() -> None:
    table = two_countries()
    shares = toy_shares(table, "N", "S")
    plain = split_by_size(table, shares)
    block = plain.to_table().intermediate[4:, 4:]
    assert split_by_size(table, shares, domestic_blocks={"S": block}).to_table().intermediate == pytest.approx(
        plain.to_table().intermediate
    )
    with pytest.raises(BandShareError, match="do not add up to the table"):
        split_by_size(table, shares, domestic_blocks={"S": 1.01 * block})
    with pytest.raises(BandShareError, match="wrong shape"):
        split_by_size(table, shares, domestic_blocks={"S": block[:3]})
    with pytest.raises(BandShareError, match="not finite"):
        split_by_size(table, shares, domestic_blocks={"S": block * np.nan})
    with pytest.raises(LookupError, match="'X'"):
        split_by_size(table, shares, domestic_blocks={"X": block})
    moved = np.array(block)
    moved[0, 0] += 0.5  # buyer small, within the cell: columns no longer fit value added and imports
    moved[0, 1] -= 0.5
    with pytest.raises(BandShareError, match="columns do not add up"):
        split_by_size(table, shares, domestic_blocks={"S": moved})


def test_a_domestic_block_gives_the_sales_to_producers() -> None:
    table = two_countries()
    known = toy_shares(table, "N", "S", producers=True)
    block = split_by_size(table, known).to_table().intermediate[4:, 4:]
    again = split_by_size(table, toy_shares(table, "N", "S"), domestic_blocks={"S": block})
    assert again.split.producers[4:] == pytest.approx([0.6, 0.4, 0.8, 0.2])
    assert again.split.home_final == pytest.approx(split_by_size(table, known).split.home_final)


def test_fitted_block_keeps_all_totals() -> None:
    table = synthetic(2, 3, 7)
    banded = split_by_size(table, random_shares(table, (3, 2), seed=3, sales_to_producers=True))
    block = fit_domestic_block(banded, "C000", np.eye(3) * 4 + 1)
    start = banded.split.start[:4]
    cells = np.add.reduceat(np.add.reduceat(block, start[:-1], axis=0), start[:-1], axis=1)
    assert cells == pytest.approx(table.intermediate[:3, :3])
    plain = banded.to_table().intermediate[:9, :9]
    assert block.sum(axis=0) == pytest.approx(plain.sum(axis=0))
    assert block.sum(axis=1) == pytest.approx(plain.sum(axis=1))
    assert np.trace(block) > np.trace(plain)
    with pytest.raises(ConvergenceError, match="cannot be fitted"):
        fit_domestic_block(banded, "C000", np.diag([1.0, 0.0, 0.0]))
    with pytest.raises(BandShareError, match="non-negative weights"):
        fit_domestic_block(banded, "C000", -np.ones((3, 3)))


def test_checksum_tells_splits_apart() -> None:
    table = two_countries()
    shares = toy_shares(table, "N", "S")
    sums = {
        split_by_size(table, shares).checksum,
        split_by_size(table, shares, theta=0.5).checksum,
        split_by_size(table, shares, method="proportional").checksum,
        split_by_size(table, toy_shares(table, "S")).checksum,
        table.checksum,
    }
    assert len(sums) == 5
    assert split_by_size(table, shares).checksum == split_by_size(two_countries(), shares).checksum


def test_banded_table_stands_in_for_a_table() -> None:
    table = two_countries()
    banded = split_by_size(table, toy_shares(table, "N", "S"))
    for level in ("country", "sector", "bilateral", "sector-bilateral"):
        data = tiva.decompose(banded, level=level)
        assert data["dva"].sizes["size"] == 2
        assert data.attrs["table_sha256"] == banded.checksum
        assert float(data["gexp"].sum()) == pytest.approx(85.0)
        assert data.attrs["identity_residual"] < 1e-12
        assert "100.0% of exports in split sectors" in data.attrs["notes"]
    assert banded.check().ok
    assert "bands sme, lar" in repr(banded)


def written_out(banded: BandedTable) -> IcioTable:
    """Band rows as sectors of an ordinary table (the same bands everywhere)."""
    x = banded.to_table()
    return IcioTable.from_arrays(
        x.intermediate,
        x.final_demand,
        countries=banded.countries,
        sectors=[f"{s}.{b}" for s in banded.sectors for b in banded.bands],
    )


PRODUCT_PERIMETERS = "sectimp"
"""There a product of the table written out is that of one band: tested below instead."""


@pytest.mark.parametrize("row", [m for m in methods() if m.perimeter != PRODUCT_PERIMETERS], ids=Method.describe)
def test_every_decomposition_takes_bands(row: Method) -> None:
    """Every term of every method, row by row, against the table written out."""
    table = synthetic(3, 3, 11)
    banded = split_by_size(table, random_shares(table, 2, seed=9), theta=0.4)
    level = max(row.levels, key=LEVELS.index)
    if row.method == "oecd_shares":  # of sectors, where the table written out has sizes
        level = row.levels[0]
    options: dict[str, Any] = {"method": row.method, "level": level}
    options |= {k: getattr(row, k) for k in ("perspective", "approach", "perimeter") if getattr(row, k)}
    got, expected = tiva.decompose(banded, **options), tiva.decompose(written_out(banded), **options)
    largest = float(np.abs(expected[row.terms[0]]).max())
    compared = 0
    for code in got:
        found = got[code]
        if "size" in found.dims and "sector" not in found.dims:
            if found.attrs["units"] != banded.unit:
                continue
            found = found.sum("size")
        theirs = expected[code].values
        if row.perspective == "importer" and "sector" in found.dims:
            products = [theirs[:, k::2] for k in range(2)]
            theirs = products[0] + products[1]
        values = found.values.reshape(theirs.shape)
        unit = largest if got[code].attrs["units"] == banded.unit else 1.0
        assert np.allclose(values, theirs, rtol=0, atol=1e-10 * unit, equal_nan=True), code
        compared += 1
    assert compared > len(row.terms) / 2


@pytest.mark.parametrize("row", methods(), ids=Method.describe)
def test_bands_that_are_not_there_are_missing_at_every_level(row: Method) -> None:
    """Never zero: neither by sector nor in the sums over sectors, importers or both."""
    table = synthetic(4, 3, 5)
    banded = split_by_size(table, random_shares(table, (2, 3, 1, 4), seed=2, missing=0.3))
    model = banded.model()
    present = np.zeros((len(banded.countries), len(banded.sectors), len(banded.bands)), dtype=bool)
    present[model.row_country, model.row_sector, model.row_band] = True
    options = {k: getattr(row, k) for k in ("method", "perspective", "approach", "perimeter") if getattr(row, k)}
    for level in row.levels:
        got = tiva.decompose(model, level=level, **options)
        by_size = ["size" in found.dims for found in got.values() if found.attrs["units"] == banded.unit]
        assert all(by_size) if any(by_size) else "there is no size dimension" in got.attrs["notes"]
        for code, found in got.items():
            if "size" not in found.dims:
                continue
            by_sector = "sector" in found.dims
            axes = ("exporter", "sector", "size") if by_sector else ("exporter", "size")
            values = found.transpose(*axes, ...).values
            there = present if by_sector else present.any(axis=1)
            assert np.isnan(values[~there]).all(), (level, code)
            if found.attrs["units"] == banded.unit:
                assert not np.isnan(values[there]).any(), (level, code)


def test_imports_of_a_product_by_explicit_perimeter() -> None:
    """All bands of a sector are one product: their deliveries to the importer are taken out of an explicit inverse."""
    table = synthetic(3, 2, 4)
    banded = split_by_size(table, random_shares(table, (2, 3, 1), seed=9), theta=0.4)
    got = tiva.decompose(banded, method="bm", perspective="importer", perimeter="sectimp", level="sector")
    brute = BruteForce.of(banded)
    x = brute.expanded
    for r in range(3):
        for n in range(2):
            rows = (x.row_sector == n) & (x.row_country != r)
            left_out = np.where(rows[:, None] & (x.row_country == r), 0.0, brute.coefficients)
            bought = np.where(rows, brute.exports[:, r], 0.0)
            value = brute.value_added @ np.linalg.solve(np.eye(len(rows)) - left_out, bought)
            assert float(got["va"][r, n]) == pytest.approx(value)
            assert float(got["gimp"][r, n]) == pytest.approx(bought.sum())


def test_only_the_split_country_changes_at_home() -> None:
    """A country without margins is one band: domestic results of the others are exact all the same."""
    table = two_countries()
    both = split_by_size(table, toy_shares(table, "N", "S")).model()
    only = split_by_size(table, toy_shares(table, "S")).model()
    w = np.arange(4.0)
    assert only.local_inverse_transpose(np.r_[0, 0, w])[2:] == pytest.approx(
        both.local_inverse_transpose(np.r_[0, 0, 0, 0, w])[4:], abs=1e-14
    )
