from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import tiva
from tests import brute_force
from tests.decompositions.test_perimeters import TABLES, Exact
from tests.tables import Oddities, odd_tables, random_table
from tiva.errors import GroupError, UnknownLabelError, UnsupportedCombinationError, UsageError
from tiva.model.leontief import LeontiefModel
from tiva.selection import DIMS, origins
from tiva.table.icio_table import IcioTable

ROUNDING = 1e-10
"""Explicit modified inverses against low-rank algebra, relative to the largest value."""

FULL = ("origin", "origin_sector", "exporter", "sector", "importer", "absorber")

ODD = Oddities(empty=(4,), netted=(7,), negative_inventories=3, negative_value_added=1)


def close(ours: np.ndarray, exact: np.ndarray) -> None:
    np.testing.assert_allclose(ours, exact, rtol=0, atol=ROUNDING * np.abs(exact).max())


def cube(table: IcioTable, term: str, approach: str = "source", **options: object) -> np.ndarray:
    values = tiva.origins(table, term, approach=approach, by=FULL, **options).to_xarray().to_numpy()  # type: ignore[arg-type]
    countries, sectors = len(table.countries), len(table.sectors)
    return np.asarray(values.reshape(countries * sectors, countries * sectors, countries, countries))


def exact_cube(e: brute_force.Economy, term: str, approach: str = "source") -> np.ndarray:
    """Origin row × exporting row × importer × absorber, cell by cell, from explicit modified inverses."""
    out = np.zeros((e.n, e.n, e.g, e.g))
    for s, r in e.pairs():
        rows, away = e.blocks[s], e.outside(s)
        whole, once = e.v[:, None] * e.b[:, rows], e.v[:, None] * e.zeroed[s][:, rows]
        counted = whole if approach == "sink" else once
        weights = {
            "content": whole, "dc": whole, "fc": whole, "va": counted, "dva": counted, "fva": counted,
            "ddc": whole - once, "fdc": whole - once, "vax": counted, "ref": counted,
        }[term].copy()  # fmt: skip
        if term in {"dc", "dva", "ddc", "vax", "ref"}:
            weights[away] = 0.0
        if term in {"fc", "fva", "fdc"}:
            weights[rows] = 0.0
        kept = e.final.copy()
        kept[rows] = np.where(np.arange(e.g) == s, kept[rows], 0.0)
        absorbed = e.zeroed[s] @ kept if approach == "sink" else e.by
        for absorber in range(e.g):
            if (term == "vax" and absorber == s) or (term == "ref" and absorber != s):
                continue
            direct = e.yy(s, r) if absorber == r else 0.0
            out[:, rows, r, absorber] = weights * (direct + e.aa(s, r) @ absorbed[e.blocks[r], absorber])
    return out


@pytest.mark.parametrize(
    ("term", "approach"),
    [(term, "source") for term in ("content", "dc", "fc", "va", "dva", "fva", "ddc", "fdc", "vax", "ref")]
    + [(term, "sink") for term in ("va", "dva", "fva", "vax", "ref")],
)
def test_full_cube_equals_modified_inverses(term: str, approach: str) -> None:
    table = random_table(5, 4, 3, ODD)
    close(cube(table, term, approach), exact_cube(brute_force.economy(table), term, approach))


def test_two_writings_of_the_exact_cube_agree() -> None:
    e = brute_force.economy(random_table(6))
    for ours, theirs in (("content", "va"), ("dva", "dva"), ("fva", "fva")):
        close(exact_cube(e, ours), brute_force.origin_cube(e, theirs))


@settings(max_examples=8, deadline=None)
@given(table=odd_tables())
def test_sums_are_the_terms_of_the_decomposition(table: IcioTable) -> None:
    for approach in ("source", "sink"):
        terms = tiva.decompose(table, approach=approach, level="sector-bilateral")
        scale = float(abs(terms["gexp"]).max())
        for name in ("dva", "fva", "vax", "ref"):
            by = ("exporter", "sector", "importer")
            ours = tiva.origins(table, name, approach=approach, by=by).to_xarray()
            assert float(abs(ours - terms[name]).max()) <= ROUNDING * scale, (name, approach)


@pytest.mark.parametrize("term", ["content", "dva", "fva", "ref"])
def test_sums_over_any_dimension_are_sums_of_the_cube(term: str) -> None:
    table = random_table(8, 4, 3, ODD)
    full = tiva.origins(table, term, by=FULL).to_xarray()
    for by in (("origin_sector", "importer"), ("exporter", "absorber"), ("sector",), ("origin", "sector", "absorber")):
        ours = tiva.origins(table, term, by=by).to_xarray()
        rest = full.sum([d for d in full.dims if d not in by])
        close(ours.to_numpy(), rest.transpose(*ours.dims).to_numpy())


def test_selections_and_groups_are_parts_of_the_cube() -> None:
    table = random_table(9, 5, 3)
    full = tiva.origins(table, "fva", by=FULL).to_xarray()
    ours = tiva.origins(
        table, "fva", by=("origin", "exporter", "importer"), origin={"A": ["C0", "C4"], "B": "C2"}, exporter="C1",
        sector=["s0", "s2"], importer=["C3", "C0"], absorber=["C1", "C4"], origin_sector="s1",
    ).to_xarray()  # fmt: skip
    part = full.sel(
        exporter=["C1"], sector=["s0", "s2"], importer=["C3", "C0"], absorber=["C1", "C4"], origin_sector="s1"
    ).sum(["sector", "absorber"])
    assert ours.dims == ("origin", "exporter", "importer")
    assert list(ours["importer"].to_numpy()) == ["C3", "C0"]
    close(ours.sel(origin="A").to_numpy(), part.sel(origin=["C0", "C4"]).sum("origin").to_numpy())
    close(ours.sel(origin="B").to_numpy(), part.sel(origin="C2").to_numpy())


def test_sector_of_the_final_good() -> None:
    table = random_table(10)
    e = brute_force.economy(table)
    ours = tiva.origins(table, by=("exporter", "sector", "importer", "absorber", "absorber_sector")).to_xarray()
    exact = np.zeros((e.n, e.g, e.g, 3))
    for good in range(3):
        demand = np.where(np.arange(e.n)[:, None] % 3 == good, e.final, 0.0)
        for s, r in e.pairs():
            content = e.content(range(e.g), s, e.b)[:, None]
            flow = e.aa(s, r) @ (e.b @ demand)[e.blocks[r]]
            flow[:, r] += demand[e.blocks[s], r]
            exact[e.blocks[s], r, :, good] = content * flow
    close(ours.to_numpy().reshape(exact.shape), exact)


def test_value_added_in_final_demand_and_in_imports() -> None:
    table = random_table(11, 4, 3, ODD)
    e = brute_force.economy(table)
    by_absorber = tiva.origins(table, flow="final_demand", by=("origin", "origin_sector", "absorber")).to_xarray()
    close(by_absorber.to_numpy().reshape(e.n, e.g), brute_force.johnson_noguera(e))
    by_producer = tiva.origins(table, flow="final_demand", by=("origin", "exporter", "sector")).to_xarray()
    chains = np.stack([(e.v[:, None] * e.b * e.final.sum(axis=1))[rows].sum(axis=0) for rows in e.blocks])
    close(by_producer.to_numpy().reshape(e.g, e.n), chains)
    imports = tiva.origins(table, by=("origin", "importer")).to_xarray()
    exact = np.array([[(e.v[:, None] * e.b)[rows] @ g for g in brute_force.gross_exports(e).T] for rows in e.blocks])
    close(imports.to_numpy(), exact.sum(axis=2))


def test_blocks_of_any_size_give_the_same() -> None:
    table = random_table(12)
    chosen = tiva.origins(table, "dva", by=FULL, approach="sink")
    whole = chosen.to_xarray()
    pieces = np.full(tuple(len(axis) for axis in chosen.cube.axes), np.nan)
    number = 0
    for place, block in chosen.cube.blocks(values=50):
        assert np.isnan(pieces[place]).all()
        pieces[place] = block
        number += 1
    assert number > 10
    close(pieces.reshape(whole.shape), whole.to_numpy())


def test_long_form_and_parquet(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    chosen = tiva.origins(random_table(13), "va", by=("origin", "sector", "absorber"))
    frame = pd.concat([block.astype(dict.fromkeys(chosen.dims, str)) for block in chosen.frames()])
    whole = chosen.to_xarray()
    back = frame.set_index(list(chosen.dims))["va"].to_xarray().reindex_like(whole)
    close(back.to_numpy(), whole.to_numpy())
    file = chosen.to_parquet(tmp_path / "va.parquet")
    read = pd.read_parquet(file).astype(dict.fromkeys(chosen.dims, str))
    np.testing.assert_array_equal(read["va"], frame["va"])
    assert read[list(chosen.dims)].to_numpy().tolist() == frame[list(chosen.dims)].to_numpy().tolist()


def test_groups_act_as_one_and_satellites_take_the_place() -> None:
    table, groups = random_table(14, 5, 2), {"UNION": ("C1", "C3")}
    jobs = np.random.default_rng(1).random(table.n)
    e = brute_force.economy(table, groups, jobs)
    ours = tiva.origins(table, "fva", by=("origin", "exporter", "importer"), satellite=jobs, groups=groups).to_xarray()
    exact = np.zeros((e.g, e.g, e.g))
    full = exact_cube(e, "fva").sum(axis=3)
    for t in range(e.g):
        for s in range(e.g):
            exact[t, s] = full[np.ix_(e.blocks[t], e.blocks[s])].sum(axis=(0, 1))
    close(ours.to_numpy(), exact)
    assert "UNION" in ours["origin"]


def test_bands_of_firm_size_add_up() -> None:
    table = tiva.example()
    margins = {"MEX": {s: {"output": [0.4, 0.6], "exports": [0.2, 0.8]} for s in table.sectors[:3]}}
    shares = tiva.BandShares.from_dicts(table, margins, bands={"MEX": ("small", "large")})
    banded = tiva.split_by_size(table, shares)
    ours = tiva.origins(banded, by=("origin", "origin_size", "exporter"), exporter="MEX").to_xarray()
    terms = tiva.decompose(banded, exporter="MEX")
    assert float(ours.sel(origin="MEX").sum()) == pytest.approx(float(terms["dc"].sum()), rel=1e-9)
    assert float(ours.sum()) == pytest.approx(float(terms["gexp"].sum()), rel=1e-9)
    assert float(ours.sel(origin="MEX", origin_size="small").sum()) > 0


def test_refused_selections() -> None:
    table = random_table(15)
    with pytest.raises(UnsupportedCombinationError, match="approach=source"):
        tiva.origins(table, "davax", approach="sink")
    with pytest.raises(UnsupportedCombinationError):
        tiva.origins(table, "dva", flow="final_demand")
    with pytest.raises(UnknownLabelError, match="unknown dimension"):
        tiva.origins(table, by=("origins",))
    with pytest.raises(UnknownLabelError, match="unknown dimension '3'"):
        tiva.origins(table, by=3)  # type: ignore[arg-type]
    with pytest.raises(UnknownLabelError, match="unknown dimension 'size'"):
        tiva.origins(table, by=("size",))
    with pytest.raises(UnknownLabelError, match="unknown origin"):
        tiva.origins(table, origin="C9")
    with pytest.raises(UsageError, match="empty selection of importer"):
        tiva.origins(table, importer=[])
    with pytest.raises(UsageError, match="same country"):
        tiva.origins(table, exporter="C1", importer="C1")
    with pytest.raises(GroupError, match="overlap"):
        tiva.origins(table, by="exporter", origin={"A": ["C0", "C1"], "B": ["C1"]})
    with pytest.raises(GroupError, match="origin 'C1' is given twice"):
        tiva.origins(table, origin=["C1", "C2", "C1"])
    with pytest.raises(GroupError, match="origin 'C1' appears both alone and in a group"):
        tiva.origins(table, origin={"A": ["WLD-C0", "C1"]})
    with pytest.raises(GroupError, match="sector 's0' is given twice"):
        tiva.origins(table, origin_sector=["s0", "s0"])
    with pytest.raises(UsageError, match="chosen by labels"):
        tiva.origins(table, exporter=3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="too large"):
        tiva.origins(table, by=FULL).to_xarray(max_bytes=1000)
    assert set(FULL) < set(DIMS)


def test_dimensions_are_a_set() -> None:
    table = random_table(15)
    once = tiva.origins(table, by=("origin", "exporter")).to_xarray()
    assert once.identical(tiva.origins(table, by=("exporter", "origin", "exporter")).to_xarray())


def test_groups_of_a_kept_dimension_may_overlap_and_are_then_not_additive() -> None:
    table = random_table(15)
    groups = {"pair": ["C0", "C1"], "all": "WLD", "one": "C1"}
    chosen = tiva.origins(table, by=("origin", "exporter"), origin=groups)
    every = tiva.origins(table, by=("origin", "exporter")).to_xarray()
    values = chosen.to_xarray()
    np.testing.assert_allclose(values.sel(origin="all"), every.sum("origin"), rtol=1e-12)
    np.testing.assert_allclose(values.sel(origin="pair"), every.sel(origin=["C0", "C1"]).sum("origin"), rtol=1e-12)
    assert not chosen.additive
    assert values.attrs["additive"] == "false"
    assert any("groups of origin overlap ('C0' is in 'pair' and in 'all')" in note for note in chosen.notes)
    assert "no totals" in str(chosen.to_dataset().tiva.breakdown())
    apart = tiva.origins(table, by=("origin", "exporter"), origin={"pair": ["C0", "C1"], "two": "C2"})
    assert apart.additive


class TestPerimeters:
    """Own perimeters and the world's borders, by origin: against extraction and explicit inverses."""

    ROUNDING = 1e-10
    """Relative to gross exports: linear solves."""

    def test_value_added_of_a_flow_is_what_each_origin_loses_without_it(self) -> None:
        table = TABLES["random"]
        exact = Exact(table)
        cube = origins(table, "va", by=("origin", "exporter", "sector", "importer"), perimeter="sectbil").to_xarray()
        whole = origins(table, "va", by=("origin", "exporter", "sector"), perimeter="sectexp").to_xarray()
        scale = float(LeontiefModel(table).exports.sum())
        for s, exporter in enumerate(table.countries):
            foreign = [r for r in range(exact.countries) if r != s]
            for n, sector in enumerate(table.sectors):
                if table.output[s * exact.sectors + n] == 0:
                    continue
                lost = exact.loss(exact.row(s, n), foreign)
                got = whole.sel(exporter=exporter, sector=sector)
                np.testing.assert_allclose(got, lost, atol=self.ROUNDING * scale)
                for r in foreign:
                    lost = exact.loss(exact.row(s, n), [r])
                    got = cube.sel(exporter=exporter, sector=sector, importer=table.countries[r])
                    np.testing.assert_allclose(got, lost, atol=self.ROUNDING * scale)

    @pytest.mark.parametrize("perimeter", ["sectexp", "sectbil"])
    def test_terms_of_an_own_perimeter_are_those_of_the_decomposition(self, perimeter: str) -> None:
        table = TABLES["example"]
        level = "sector" if perimeter == "sectexp" else "sector-bilateral"
        result = tiva.decompose(table, perspective="self", perimeter=perimeter, level=level)
        for term in ("dc", "dva", "vax", "ref", "ddc", "fc", "fva", "fdc"):
            got = origins(table, term, by=list(map(str, result[term].dims)), perimeter=perimeter).to_xarray()
            np.testing.assert_allclose(
                got.transpose(*result[term].dims), result[term], atol=self.ROUNDING * float(result["gexp"].sum())
            )

    def test_world_perspective_by_origin(self) -> None:
        table = TABLES["example"]
        exact = Exact(table)
        n, blocks = exact.n, exact.block
        local = np.zeros((n, n))
        abroad = exact.a.copy()
        for b in blocks:
            local[b, b] = np.linalg.inv(np.eye(exact.sectors) - exact.a[b, b])
            abroad[b, b] = 0.0
        second = local @ abroad @ local
        exports = LeontiefModel(table).exports.sum(axis=1)
        expected = np.array([[(exact.v[t] @ second[t, s]) @ exports[s] for s in blocks] for t in blocks])
        got = origins(table, "fva", perimeter="world").to_xarray()
        np.testing.assert_allclose(got, expected, atol=self.ROUNDING * exports.sum())
        world = tiva.decompose(table, perspective="world", approach="source")
        np.testing.assert_allclose(got.sum("origin"), world["fva"], atol=self.ROUNDING * exports.sum())
        again = origins(table, "fdc", perimeter="world").to_xarray().sum("origin")
        np.testing.assert_allclose(again, world["fdc"], atol=self.ROUNDING * exports.sum())

    @pytest.mark.parametrize("options", [{"approach": "sink", "perimeter": "sectexp"}, {"perimeter": "region"}])
    def test_other_perimeters_are_refused(self, options: dict[str, str]) -> None:
        with pytest.raises(UnsupportedCombinationError, match="perimeter=sectexp"):
            origins(TABLES["example"], "va", **options)


def test_a_flow_that_does_not_exist_is_named_before_its_dimensions(example: IcioTable) -> None:
    with pytest.raises(UnknownLabelError, match="unknown flow 'imports'"):
        origins(example, flow="imports", by=["origin", "importer"])
