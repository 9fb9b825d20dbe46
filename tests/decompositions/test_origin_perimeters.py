"""Origins in every perimeter: against explicit modified inverses, cell by cell, and against the decompositions."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import tiva
from benchmarks.banded import random_shares
from benchmarks.tables import synthetic
from tests import brute_force
from tests.bands.test_split import written_out
from tests.decompositions.test_borin_mancini import _with_taxes
from tests.model.test_leontief import split
from tests.tables import Oddities, odd_tables, random_table
from tiva.decompositions.origin_terms import traced_methods, traced_row
from tiva.errors import UnsupportedCombinationError
from tiva.model.leontief import LeontiefModel
from tiva.selection import TAXES, origins
from tiva.table.icio_table import IcioTable
from tiva.terms import Method

ROUNDING = 1e-10
"""Explicit modified inverses against low-rank algebra, relative to the largest value."""

IDENTITY = 1e-9
"""Sums over origins and absorbers against the decomposition, relative to gross trade."""

FULL = ("origin", "origin_sector", "exporter", "sector", "importer", "absorber")

ODD = Oddities(empty=(4,), netted=(7,), negative_inventories=3, negative_value_added=1)

EXPORTER_TERMS = ("content", "dc", "fc", "va", "dva", "fva", "ddc", "fdc", "vax", "ref")
IMPORTER_TERMS = ("content", "va", "dcimp")

SOLD, BUYERS = ["s0", "s2"], ["C0", "C2"]
"""The perimeter "group" of the tests."""


def close(ours: np.ndarray, exact: np.ndarray) -> None:
    np.testing.assert_allclose(ours, exact, rtol=0, atol=ROUNDING * np.abs(exact).max())


def cube(table: Any, term: str, **options: object) -> np.ndarray:
    values = origins(table, term, by=FULL, **options).to_xarray().to_numpy()  # type: ignore[arg-type]
    return np.asarray(values.reshape(-1, *(values.shape[2] * values.shape[3], *values.shape[4:])))


def flow_by_absorber(e: brute_force.Economy, s: int, r: int) -> np.ndarray:
    """Exports of s to r, (N_s, G absorbers)."""
    flow = e.aa(s, r) @ e.by[e.blocks[r]]
    flow[:, r] += e.yy(s, r)
    return np.asarray(flow)


def flow_ends(e: brute_force.Economy, term: str, s: int, r: int) -> np.ndarray:
    """What of a flow a term counts, by absorber."""
    flow = flow_by_absorber(e, s, r)
    if term == "vax":
        flow[:, s] = 0.0
    if term == "ref":
        flow[:, e.others(s)] = 0.0
    return flow


def counted(e: brute_force.Economy, term: str, s: int, modified: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Content (n, rows) that a term counts, given the inverse without the perimeter's deliveries."""
    whole, once = e.v[:, None] * e.b[:, rows], e.v[:, None] * modified[:, rows]
    weights = once.copy()
    if term in {"content", "dc", "fc"}:
        weights = whole
    if term in {"ddc", "fdc", "dcimp"}:
        weights = whole - once
    if term in {"dc", "dva", "ddc", "vax", "ref"}:
        weights[e.outside(s)] = 0.0
    if term in {"fc", "fva", "fdc"}:
        weights[e.blocks[s]] = 0.0
    return np.asarray(weights)


def exact_bilateral(e: brute_force.Economy, term: str) -> np.ndarray:
    out = np.zeros((e.n, e.n, e.g, e.g))
    for s, r in e.pairs():
        modified = e.inverse(e.without(e.blocks[s], e.blocks[r]))
        weights = counted(e, term, s, modified, e.blocks[s])
        out[:, e.blocks[s], r] = weights[:, :, None] * flow_ends(e, term, s, r)
    return out


def exact_group(e: brute_force.Economy, term: str, sold: Sequence[int], buyers: Sequence[int], n: int) -> np.ndarray:
    out = np.zeros((e.n, e.n, e.g, e.g))
    for s in range(e.g):
        partners = [r for r in buyers if r != s]
        rows = np.array([row for row in e.blocks[s] if row % n in sold])
        modified = e.inverse(e.without(rows, np.concatenate([e.blocks[r] for r in partners])))
        weights = counted(e, term, s, modified, rows)
        for r in partners:
            out[:, rows, r] = weights[:, :, None] * flow_ends(e, term, s, r)[rows - e.blocks[s][0]]
    return out


def exact_importer(e: brute_force.Economy, term: str) -> np.ndarray:
    out = np.zeros((e.n, e.n, e.g, e.g))
    for r in range(e.g):
        modified = e.inverse(e.without(e.outside(r), e.blocks[r]))
        for s in e.others(r):
            weights = counted(e, term, s, modified, e.blocks[s])
            out[:, e.blocks[s], r] = weights[:, :, None] * flow_by_absorber(e, s, r)
    return out


def exact_sectimp(e: brute_force.Economy, term: str, n: int) -> np.ndarray:
    out = np.zeros((e.n, e.n, e.g, e.g))
    for r in range(e.g):
        for product in range(n):
            bought = np.array([row for row in e.outside(r) if row % n == product])
            modified = e.inverse(e.without(bought, e.blocks[r]))
            for s in e.others(r):
                rows = np.array([row for row in e.blocks[s] if row % n == product])
                weights = counted(e, term, s, modified, rows)
                out[:, rows, r] = weights[:, :, None] * flow_by_absorber(e, s, r)[rows - e.blocks[s][0]]
    return out


def exact_world_sink(e: brute_force.Economy) -> np.ndarray:
    """Foreign value added where it is foreign for the last time, origin row × exporting row × importer × absorber."""
    out = np.zeros((e.n, e.n, e.g, e.g))
    for s, r in e.pairs():
        rows, k = e.blocks[s], e.aa(s, r) @ e.ll(r)
        content = e.v[:, None] * e.b[:, rows]
        foreign = content.copy()
        foreign[rows] = 0.0
        out[:, rows, r, r] = foreign * (e.yy(s, r) + k @ e.yy(r, r))
        for absorber in e.others(r):
            leaving = e.yy(r, absorber) + e.aa(r, absorber) @ e.ll(absorber) @ e.yy(absorber, absorber)
            out[e.blocks[r][:, None], rows, r, absorber] += content[e.blocks[r]] * (k @ leaving)
    return out


@pytest.mark.parametrize("term", EXPORTER_TERMS)
def test_pairs_by_explicit_inverses(term: str) -> None:
    table = random_table(21, 4, 3, ODD)
    close(cube(table, term, perimeter="bilateral"), exact_bilateral(brute_force.economy(table), term))


@pytest.mark.parametrize("term", EXPORTER_TERMS)
def test_a_group_of_flows_by_explicit_inverses(term: str) -> None:
    table = random_table(22, 4, 3, ODD)
    ours = origins(table, term, by=FULL, perimeter="group", sector=SOLD, importer=BUYERS).to_xarray()
    exact = exact_group(brute_force.economy(table), term, [0, 2], [0, 2], 3)
    rows = [row for row in range(table.n) if row % 3 in {0, 2}]
    close(ours.to_numpy().reshape(table.n, len(rows), 2, 4), exact[:, rows][:, :, [0, 2]])


@pytest.mark.parametrize("term", IMPORTER_TERMS)
def test_imports_by_explicit_inverses(term: str) -> None:
    table = random_table(23, 4, 3, ODD)
    e = brute_force.economy(table)
    close(cube(table, term, perimeter="importer"), exact_importer(e, term))
    close(cube(table, term, perimeter="sectimp"), exact_sectimp(e, term, 3))


def test_world_sink_by_explicit_matrices() -> None:
    table = random_table(24, 4, 3, ODD)
    e = brute_force.economy(table)
    exact = exact_world_sink(e)
    close(cube(table, "fva", perimeter="world", approach="sink"), exact)
    totals = np.array([exact[:, rows].sum() for rows in e.blocks])
    close(totals, brute_force.world(e)["sink"])
    own = cube(table, "dva", perimeter="world", approach="sink")
    close(cube(table, "va", perimeter="world", approach="sink"), exact + own)
    foreign = cube(table, "fc", perimeter="world", approach="sink")
    close(cube(table, "fdc", perimeter="world", approach="sink"), foreign - exact)


def test_what_the_sink_approach_counts_again_passes_the_exporter_once_more() -> None:
    table = random_table(25, 4, 3, ODD)
    e = brute_force.economy(table)
    terms = brute_force.bm_sink(e)
    for term in ("ddc", "fdc", "vaxim"):
        ours = cube(table, term, approach="sink").sum(axis=(0, 3))
        close(ours, terms[term])


def test_finer_terms_of_the_source_approach() -> None:
    table = random_table(26, 4, 3, ODD)
    e = brute_force.economy(table)
    parts = brute_force.tripartite(e)
    close(cube(table, "davax").sum(axis=(0, 3)), parts["davax"])
    close(cube(table, "gvcf").sum(axis=(0, 3)), parts["gvc_pf"])
    close(cube(table, "gvcb").sum(axis=(0, 3)), parts["gvc_pb"] + parts["gvc_ts"])
    close(cube(table, "gvc").sum(axis=(0, 3)), parts["gvc_pf"] + parts["gvc_pb"] + parts["gvc_ts"])
    at_home = cube(table, "davax")
    assert all(not at_home[:, :, r, a].any() for r in range(4) for a in range(4) if a != r)


def options_of(row: Method) -> dict[str, str]:
    return {name: getattr(row, name) for name in ("perspective", "approach", "perimeter") if getattr(row, name)}


def of_term(row: Method, term: str) -> str:
    """The name in the decomposition of what is a term of origins."""
    importer = {"content": row.terms[0], "dcimp": "dcimp", "va": "va"}
    return importer[term] if row.perspective == "importer" else {"content": "gexp"}.get(term, term)


def summed(table: Any, row: Method, term: str, dims: Sequence[str], **selection: Any) -> Any:
    options = {"approach": row.approach or "source", "perimeter": row.perimeter, **selection}
    return origins(table, term, by=("origin", "absorber", *dims), **options).to_xarray()


@pytest.mark.parametrize("row", traced_methods(), ids=Method.describe)
@settings(max_examples=3, deadline=None)
@given(table=odd_tables(netted=False))
def test_origins_and_absorbers_add_up_to_the_term_at_every_level(row: Method, table: IcioTable) -> None:
    check_sums(table, table, row)


@pytest.mark.parametrize("row", traced_methods(), ids=Method.describe)
def test_groups_split_countries_and_bands_add_up_too(row: Method) -> None:
    united = LeontiefModel(random_table(31, 5, 2), groups={"UNION": ("C1", "C3")})
    check_sums(united, united, row)
    check_sums(split(), split(), row)
    banded = tiva.split_by_size(synthetic(3, 3, 11), random_shares(synthetic(3, 3, 11), 2, seed=9), theta=0.4)
    check_sums(banded, banded, row)


def check_sums(table: Any, source: Any, row: Method) -> None:
    """Every term of a row at every level of it, and selections of origin dims as the decomposition has them."""
    for level in row.levels:
        result = tiva.decompose(source, row.method, level=level, **options_of(row))  # type: ignore[arg-type]
        scale = float(np.abs(result[row.terms[0]]).sum())
        for term in row.traced:
            name = of_term(row, term)
            dims = [d for d in map(str, result[name if name in result else row.terms[0]].dims) if d != "origin"]
            ours = summed(table, row, term, dims)
            theirs = result[name] if name in result else result["dva"] + result["fva"]
            if term == "content" and "discrepancy" in result:
                theirs = theirs - result["discrepancy"]
            if row.perimeter == "world" and "size" in theirs.dims:
                # By exporting band the sink approach spreads domestic value added like its own flows.
                ours, theirs = ours.sum("size"), theirs.sum("size")
            keep = [d for d in ours.dims if d not in theirs.dims]
            gap = ours.sum(keep).transpose(*theirs.dims).to_numpy() - theirs.fillna(0.0).to_numpy()
            assert float(np.abs(gap).max()) <= IDENTITY * scale, (level, term)


WRITTEN_OUT = [row for row in traced_methods() if row.perimeter != "sectimp"]
"""A product of the table written out is that of one band: tested by explicit inverses below."""


@pytest.mark.parametrize("row", WRITTEN_OUT, ids=Method.describe)
def test_bands_are_those_of_the_table_written_out(row: Method) -> None:
    """Cell by cell, by band of origin and of exporter."""
    table = synthetic(3, 2, 11)
    banded = tiva.split_by_size(table, random_shares(table, 2, seed=9), theta=0.4)
    explicit = written_out(banded)
    options: dict[str, Any] = {"perimeter": row.perimeter, "approach": row.approach or "source"}
    by = ("origin", "origin_sector", "origin_size", "exporter", "sector", "size", "importer", "absorber")
    for term in row.traced:
        ours = origins(banded, term, by=by, **options).to_xarray().to_numpy()
        theirs = origins(explicit, term, by=FULL, **options).to_xarray().to_numpy()
        scale = float(np.abs(theirs).max())
        np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=0, atol=ROUNDING * scale)


def test_imports_of_a_product_with_bands_by_explicit_inverses() -> None:
    table = synthetic(3, 2, 11)
    banded = tiva.split_by_size(table, random_shares(table, 2, seed=9), theta=0.4)
    model = banded.model()
    e = brute_force.economy(written_out(banded))
    by = ("origin", "origin_size", "exporter", "sector", "importer")
    ours = origins(banded, "va", by=by, perimeter="sectimp").to_xarray()
    for r, importer in enumerate(banded.countries):
        for n, product in enumerate(banded.sectors):
            bought = np.array([row for row in e.outside(r) if model.row_sector[row] == n])
            modified = e.inverse(e.without(bought, e.blocks[r]))
            flow = brute_force.gross_exports(e)[bought, r]
            value = e.v[:, None] * modified[:, bought] * flow
            for t, origin in enumerate(banded.countries):
                for s, exporter in enumerate(banded.countries):
                    some = model.row_country[bought] == s
                    mine = (model.row_country == t)[:, None] & some
                    got = ours.sel(origin=origin, exporter=exporter, sector=product, importer=importer)
                    by_band = [value[mine & (model.row_band == k)[:, None]].sum() for k in range(2)]
                    np.testing.assert_allclose(got, by_band, rtol=0, atol=ROUNDING * np.abs(value).max())


@pytest.mark.parametrize("row", traced_methods(), ids=Method.describe)
def test_groups_of_labels_are_sums_of_cells(row: Method) -> None:
    """A group as origin, exporter, importer and absorber, each of several countries, beside single ones."""
    table = random_table(33, 5, 2, Oddities(empty=(3,)))
    options: dict[str, Any] = {"perimeter": row.perimeter, "approach": row.approach or "source"}
    chosen: Mapping[str, Mapping[str, Sequence[str]]] = {
        "origin": {"A": ["C0", "C3"], "B": ["C1"]},
        "exporter": {"E": ["C1", "C4"], "F": ["C2"]},
        "importer": {"I": ["C0", "C2"], "K": ["C3", "C4"]},
        "absorber": {"L": ["C0", "C4"], "M": ["C1", "C2", "C3"]},
    }
    for term in row.traced:
        importers = [c for members in chosen["importer"].values() for c in members]
        whole = origins(table, term, by=FULL, importer=importers, **options).to_xarray()
        ours = origins(table, term, by=("origin", "exporter", "importer", "absorber"), **chosen, **options)  # type: ignore[arg-type]
        got = ours.to_xarray()
        scale = float(np.abs(whole).max())
        for cell in np.ndindex(2, 2, 2, 2):
            names = [list(chosen[str(dim)])[i] for dim, i in zip(got.dims, cell, strict=True)]
            members = {str(dim): chosen[str(dim)][name] for dim, name in zip(got.dims, names, strict=True)}
            exact = float(whole.sel(members).sum())
            assert float(got[cell]) == pytest.approx(exact, abs=1e2 * ROUNDING * scale), (term, names)


class TestTaxes:
    """Value added as published: what no country adds is an origin of its own, so that origins add up to the flow."""

    @pytest.mark.parametrize("row", traced_methods(), ids=Method.describe)
    def test_origins_and_taxes_are_the_flow(self, row: Method) -> None:
        table = _with_taxes()
        level = row.levels[0]
        result = tiva.decompose(table, row.method, level=level, **options_of(row))  # type: ignore[arg-type]
        gross = result[row.terms[0]]
        ours = summed(table, row, "content", [str(d) for d in gross.dims])
        assert ours["origin"].to_numpy()[-1] == TAXES
        assert TAXES in ours.attrs["notes"]
        if "origin" in gross.dims:  # taxes and margins stand with the country where they are paid
            dims = [d for d in gross.dims if d != "origin"]
            value_added = ours.drop_sel(origin=TAXES).sum("absorber").transpose(*gross.dims)
            np.testing.assert_allclose(
                value_added + result["taxes_margins"].transpose(*gross.dims), gross, rtol=IDENTITY
            )
            paid = ours.sel(origin=TAXES).sum("absorber").transpose(*dims)
            np.testing.assert_allclose(paid, result["taxes_margins"].sum("origin").transpose(*dims), rtol=IDENTITY)
            return
        rest = [d for d in ours.dims if d not in gross.dims]
        np.testing.assert_allclose(ours.sum(rest).transpose(*gross.dims), gross, rtol=IDENTITY)
        taxes = ours.sel(origin=TAXES).sum("absorber").transpose(*gross.dims)
        np.testing.assert_allclose(taxes, result["taxes_margins"], rtol=IDENTITY)

    def test_by_sector_of_origin_and_all_added_up(self) -> None:
        table = _with_taxes()
        exports = float(tiva.decompose(table)["gexp"].sum())
        for by in (("origin_sector",), ("origin", "origin_sector"), ("exporter",), ("origin", "absorber_sector")):
            values = origins(table, by=by).to_xarray()
            assert float(values.sum()) == pytest.approx(exports, rel=IDENTITY), by
        both = origins(table, by=("origin", "origin_sector")).to_xarray()
        assert float(both.sel(origin=TAXES, origin_sector=TAXES)) > 0
        assert np.isnan(both.sel(origin=TAXES, origin_sector=table.sectors[0]))
        final = origins(table, by="absorber", flow="final_demand").to_xarray()
        np.testing.assert_allclose(final, table.final_demand_by_absorber.sum(axis=0), rtol=IDENTITY)

    def test_chosen_origins(self) -> None:
        table = _with_taxes()
        chosen = origins(table, origin=["MEX", TAXES]).to_xarray()
        assert list(chosen["origin"].to_numpy()) == ["MEX", TAXES]
        without = origins(table, origin="MEX").to_xarray()
        np.testing.assert_allclose(without, chosen.sel(origin=["MEX"]), rtol=IDENTITY)
        assert "not among the chosen origins" in without.attrs["notes"]
        union = origins(table, origin={"both": ["MEX", TAXES]}).to_xarray()
        np.testing.assert_allclose(union.sel(origin="both"), chosen.sum("origin"), rtol=IDENTITY)

    def test_other_terms_say_where_taxes_are(self) -> None:
        values = origins(_with_taxes(), "dva").to_xarray()
        assert TAXES not in values["origin"]
        assert "the origin taxes_margins of content" in values.attrs["notes"]

    def test_no_taxes_no_origin(self) -> None:
        assert TAXES not in origins(random_table(1)).to_xarray()["origin"]
        table = _with_taxes()
        assert TAXES not in origins(table, satellite=np.ones(table.n)).to_xarray()["origin"]


@pytest.mark.parametrize("row", traced_methods(), ids=Method.describe)
def test_small_blocks_cover_the_cube_once(row: Method) -> None:
    table = random_table(34, 4, 3)
    for term in row.traced:
        chosen = origins(table, term, by=FULL, perimeter=row.perimeter, approach=row.approach or "source")
        whole = chosen.to_xarray()
        pieces = np.full(tuple(len(axis) for axis in chosen.cube.axes), np.nan)
        for place, block in chosen.cube.blocks(values=200):
            assert block.size <= 200
            assert np.isnan(pieces[place]).all()
            pieces[place] = block
        close(pieces.reshape(whole.shape), whole.to_numpy())


@pytest.mark.parametrize("row", traced_methods(), ids=Method.describe)
def test_memory_is_that_of_blocks_and_some_matrices(row: Method) -> None:
    """Far below the cube and below one n x n x G array, though the cube is covered."""
    table = random_table(35, 10, 5)
    model = LeontiefModel(table)
    n, countries, values = table.n, len(table.countries), 2**11
    for term in ("content", "va"):
        chosen = origins(model, term, by=FULL, perimeter=row.perimeter, approach=row.approach or "source")
        assert chosen.nbytes == 8 * n * n * countries * countries
        next(chosen.cube.blocks(values))
        tracemalloc.start()
        number = sum(1 for _ in chosen.cube.blocks(values))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert number >= chosen.nbytes / 8 / values
        assert peak < chosen.nbytes / 8
        assert peak < 8 * n * n * countries


@pytest.mark.parametrize(
    ("term", "options", "offers"),
    [
        ("dva", {"perimeter": "importer"}, "perimeter=importer approach=source term=content.va.dcimp"),
        ("fdc", {"perimeter": "sectimp"}, "perimeter=sectimp approach=source term=content.va.dcimp"),
        ("va", {"perimeter": "importer", "approach": "sink"}, "perimeter=importer approach=source"),
        ("va", {"perimeter": "bilateral", "approach": "sink"}, "perimeter=bilateral approach=source"),
        ("dcimp", {}, "perimeter=importer"),
        ("davax", {"approach": "sink"}, "approach=source term=.*davax"),
        ("vaxim", {}, "approach=sink term=.*vaxim"),
        ("va", {"flow": "final_demand"}, "flow=final_demand term=content"),
        ("content", {"flow": "final_demand", "perimeter": "importer"}, "flow=final_demand term=content"),
        ("va", {"perimeter": "region"}, "perimeter=world"),
    ],
)
def test_what_is_not_defined_is_refused_with_what_is(term: str, options: dict[str, Any], offers: str) -> None:
    with pytest.raises(UnsupportedCombinationError, match=offers):
        origins(random_table(1), term, **options)


def test_results_say_perspective_and_additivity() -> None:
    table = random_table(36)
    for row in traced_methods():
        for term in row.traced:
            attrs = origins(table, term, perimeter=row.perimeter, approach=row.approach or "source").to_xarray().attrs
            found = traced_row(term, approach=row.approach or "source", perimeter=row.perimeter)
            assert (attrs["perspective"], attrs["perimeter"]) == (found.perspective, found.perimeter)
            assert attrs["additive"] == str(row.additive).lower()
            assert ("must not be added over flows" in attrs["notes"]) == (not row.additive)
    chosen = origins(table, "va", perimeter="group", sector="s1", importer=["C0", "C1"]).to_xarray()
    assert "perimeter: exports of s1 to C0, C1 together" in chosen.attrs["notes"]
    world = {"perimeter": "world", "by": ("origin", "importer")}
    assert "published for a country's exports as a whole" in origins(table, "fva", **world).to_xarray().attrs["notes"]  # type: ignore[arg-type]
