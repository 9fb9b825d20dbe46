from __future__ import annotations

import csv

import numpy as np
import pytest

from tests.paths import shared
from tiva import IcioTable
from tiva import concordances as conc
from tiva.errors import ConcordanceError, UnknownLabelError, UsageError

SIZES = {
    "icio50": 50, "icio45": 45, "icio45_2021": 45, "icio36": 36, "icio34": 34, "wiod35": 35, "adb35": 35,
    "wiod56": 56, "lrwiod23": 23, "figaro64": 64, "figaro64_products": 64, "eora26": 26, "exiobase163": 163,
    "exiobase200": 200, "gloria120": 120, "emerging133": 133, "emerging146": 146, "common28": 28,
}  # fmt: skip
EXACT = 1e-12
"""Sums of the same numbers in another order differ by rounding only."""


def table_of(labels: tuple[str, ...], seed: int = 1) -> IcioTable:
    rng = np.random.default_rng(seed)
    n = 2 * len(labels)
    return IcioTable.from_arrays(
        rng.uniform(0, 1, (n, n)), rng.uniform(20, 40, (n, 2)), countries=("AAA", "BBB"), sectors=labels
    )


def codes(scheme: str) -> tuple[str, ...]:
    return tuple(s.code for s in conc.sectors(scheme))


def test_every_scheme_is_described_and_complete():
    assert set(conc.SCHEMES) == set(SIZES)
    for scheme, size in SIZES.items():
        found = codes(scheme)
        assert len(found) == size, scheme
        assert len(set(found)) == size, scheme


@pytest.mark.parametrize("scheme", [s for s in SIZES if s != "common28"])
def test_targets_exist(scheme):
    for sector in conc.sectors(scheme):
        assert set(sector.icio45) <= set(codes("icio45")), sector
        assert set(sector.icio50) <= set(codes("icio50")), sector
        assert set(sector.common28) <= set(codes("common28")), sector


def test_reference_list_is_carried_over():
    with shared("formats/sectors.csv").open(encoding="utf-8") as handle:
        given = [r["code"] for r in csv.DictReader(handle) if (r["database"], r["edition"]) == ("WIOD", "2016")]
    assert tuple(given) == codes("wiod56")


def test_targets_agree_with_isic_divisions_in_revision_4():
    """Independent of the hand-made columns: a Rev. 4 sector reaches the ICIO-45 sectors it overlaps."""
    icio = {s.code: set(s.divisions) for s in conc.sectors("icio45")}
    for scheme in ("wiod56", "figaro64", "icio36", "icio45_2021", "figaro64_products"):
        for sector in conc.sectors(scheme):
            overlap = {code for code, divisions in icio.items() if divisions & set(sector.divisions)}
            assert set(sector.icio45) == overlap, sector


def test_common28_columns_agree_with_isic_divisions_in_revision_4():
    common = {s.code: set(s.divisions) for s in conc.sectors("common28")}
    for scheme in ("wiod56", "figaro64", "icio36", "icio45", "gloria120"):
        for sector in conc.sectors(scheme):
            divisions = {d[:2] for d in sector.divisions}
            assert set(sector.common28) == {c for c, d in common.items() if d & divisions}, sector


@pytest.mark.parametrize(
    "source", ["icio50", "icio45", "icio45_2021", "wiod56", "figaro64", "wiod35", "adb35", "icio34"]
)
def test_which_schemes_reach_common28_exactly(source):
    assert conc.sector_map(source, "common28").exact


def test_revision_3_says_what_is_not_comparable():
    assert conc.REVISION_NOTE in conc.sector_map("wiod35", "common28").notes
    assert conc.sector_map("icio45", "common28").notes == ()


def test_icio50_to_icio45_is_exact_and_the_way_back_is_not():
    down = conc.sector_map("icio50", "icio45")
    assert down.exact
    assert down.grouping()["C24"] == ("C24A", "C24B")
    assert conc.sector_map("icio45", "icio50").to_split == ("A01_02", "B05_06", "B07_08", "C24", "C30")


def test_what_icio36_would_need():
    assert conc.sector_map("icio36", "icio45").to_split == (
        "01T03",
        "20T21",
        "35T39",
        "49T53",
        "69T82",
        "90T96",
    )
    assert conc.sector_map("icio36", "common28").to_split == ("49T53",)


def test_map_built_from_divisions():
    down = conc.sector_map("figaro64", "wiod56")
    assert down.targets["N77"] == ("N",)
    assert down.targets["R93"] == ("R_S",)
    assert down.exact
    assert conc.sector_map("icio45", "icio36").exact
    assert conc.sector_map("icio50", "icio36").targets["C24A"] == ("24",)


def test_no_map_across_revisions():
    with pytest.raises(ConcordanceError, match="same ISIC revision"):
        conc.sector_map("icio45", "wiod35")
    with pytest.raises(UnknownLabelError, match="did you mean 'icio45_2021'"):
        conc.sector_map("icio45_202", "common28")


@pytest.mark.parametrize("scheme", [s for s in SIZES if s != "adb35"])
def test_schemes_are_detected_from_their_labels(scheme):
    assert conc.detect_scheme(codes(scheme))[0] == scheme


def test_other_spellings_and_parts_of_a_scheme_are_detected():
    scheme, found = conc.detect_scheme(tuple(f"c{k}" for k in range(1, 36)))
    assert scheme == "wiod35"
    assert found["c1"] == "AtB"
    assert conc.detect_scheme(("A01", "C17_18"))[0] == "icio50"
    assert conc.detect_scheme(("D01T02", "D10T12"))[1] == {"D01T02": "A01_02", "D10T12": "C10T12"}


def test_ambiguous_and_unknown_labels():
    with pytest.raises(ConcordanceError, match="from_scheme"):
        conc.detect_scheme(("E", "F"))
    with pytest.raises(ConcordanceError, match=r"closest is 'icio45'.*no WINE"):
        conc.detect_scheme((*codes("icio45"), "WINE"))


def test_aggregation_to_common28_is_an_exact_sum():
    table = table_of(codes("icio45"))
    small = conc.aggregate_to(table, "common28")
    assert len(small.sectors) == 28
    assert small.sectors[0] == "AGR"
    full = table.intermediate.reshape(2, 45, 2, 45)
    index = [k for k, s in enumerate(conc.sectors("icio45")) if s.common28 == ("TRN",)]
    at = small.sectors.index("TRN")
    got = small.intermediate.reshape(2, 28, 2, 28)[:, at, :, at]
    np.testing.assert_allclose(got, full[:, index][:, :, :, index].sum(axis=(1, 3)), rtol=EXACT)
    np.testing.assert_allclose(small.value_added.sum(), table.value_added.sum(), rtol=EXACT)
    assert "icio45 to common28" in small.provenance.notes[-1]


def test_renaming_keeps_every_number():
    table = table_of(codes("icio45_2021"))
    new = conc.to_sectors(table, "icio45")
    assert new.sectors == codes("icio45")
    np.testing.assert_array_equal(new.intermediate, table.intermediate)


def test_split_is_refused_and_every_sector_named():
    with pytest.raises(ConcordanceError) as caught:
        conc.to_sectors(table_of(codes("icio36")), "icio45")
    for label in ("01T03", "20T21", "35T39", "49T53", "69T82", "90T96"):
        assert label in str(caught.value)
    assert "H49, H50" in str(caught.value)


def test_sectors_without_a_place():
    figaro = table_of((*(c for c in codes("figaro64") if c != "B"),))
    with pytest.raises(ConcordanceError, match="got: U"):
        conc.to_sectors(figaro, "icio45")
    kept = conc.to_sectors(figaro, "icio45", unmapped="keep")
    assert kept.sectors[-1] == "U"
    assert any("kept: U" in note for note in kept.provenance.notes)
    with pytest.raises(UsageError):
        conc.to_sectors(figaro, "icio45", unmapped="drop")  # type: ignore[arg-type]


def test_scheme_can_be_named():
    table = table_of(("E", "F"))
    assert conc.to_sectors(table, "common28", from_scheme="icio45").sectors == ("EGW", "CON")
    with pytest.raises(UnknownLabelError, match="scheme 'icio36'"):
        conc.to_sectors(table, "common28", from_scheme="icio36")


def test_names_in_four_languages():
    for scheme in set(conc.SCHEMES) - {"exiobase163", "exiobase200", "gloria120", "emerging133", "emerging146"}:
        for language in conc.LANGUAGES:
            names = conc.sector_names(scheme, language)
            assert tuple(names) == codes(scheme)
            assert all(names.values())
    assert conc.sector_names("icio45", "es")["F"] == "Construcción"
    assert conc.sector_names("adb35", "fr")["c32"] == "Éducation"
    assert conc.sector_names("wiod56", "es")["M72"] == "Investigación y desarrollo"
    assert conc.sector_names("figaro64_products", "pt")["CPA_I"] == "Alojamento e alimentação"
    assert conc.sector_names("eora26", "es")["Retail Trade"] == "Comercio al por menor"
    with pytest.raises(ConcordanceError, match="no names in language"):
        conc.sector_names("gloria120", "pt")
    with pytest.raises(UnknownLabelError):
        conc.sector_names("icio45", "de")  # type: ignore[arg-type]


def test_countries():
    known = conc.countries()
    assert conc.country_name("MEX", "es") == "México"
    assert conc.country_name("USA", "fr") == "États-Unis"
    assert conc.country_name("CN2", "es") == "China, exportaciones de procesamiento"
    assert all(conc.country_name(code, language) for code in known for language in conc.LANGUAGES)
    assert conc.country_name("MX1", "fr").startswith("Mexique")
    assert known["CN2"].part_of == "CHN"
    assert known["ROW"].kind == "rest"
    iso2 = [c.iso2 for c in known.values() if c.iso2]
    assert len(set(iso2)) == len(iso2)
    with pytest.raises(UnknownLabelError):
        conc.country_name("XXX")


def test_country_codes_of_databases():
    assert conc.country_codes("ADB_MRIO")["PRC"] == "CHN"
    assert conc.country_codes("FIGARO")["FIGW1"] == "ROW"
    assert conc.country_codes("WIOD")["ROM"] == "ROU"
    assert set(conc.country_codes("EXIOBASE3").values()) <= set(conc.countries())
    with pytest.raises(UnknownLabelError):
        conc.country_codes("GTAP")


def test_final_demand_labels():
    found = {row.code: row.standard for row in conc.final_labels("OECD_ICIO", "2021") if row.kind == "fd"}
    assert found["P33"] == "DPABR"
    assert [r.standard for r in conc.final_labels("OECD_ICIO", "2025") if r.kind == "row"] == ["TLS", "VA", "OUT"]
    with pytest.raises(UnknownLabelError, match="OECD_ICIO 2021"):
        conc.final_labels("OECD_ICIO", "2020")


def test_a_real_table_reaches_common28():
    with np.load(shared("wiod2013/wiot2011.npz")) as stored:
        table = IcioTable.from_arrays(
            stored["intermediate"], stored["final_demand"], countries=[str(c) for c in stored["countries"]],
            sectors=[str(s) for s in stored["sectors"]],
            final_demand_categories=[str(c) for c in stored["final_demand_categories"]], year=2011,
        )  # fmt: skip
    small = conc.aggregate_to(table, "common28")
    assert set(small.sectors) == set(codes("common28"))
    np.testing.assert_allclose(small.intermediate.sum(), table.intermediate.sum(), rtol=EXACT)
    np.testing.assert_allclose(small.final_demand.sum(axis=0), table.final_demand.sum(axis=0), rtol=EXACT)
    assert conc.REVISION_NOTE in small.provenance.notes
    with pytest.raises(ConcordanceError, match=r"c1 -> A01_02, A03"):
        conc.to_sectors(table, "icio45")
