from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiva import groups
from tiva.choosing import select_together
from tiva.concordances import countries as known_countries
from tiva.concordances import sectors
from tiva.errors import ConcordanceError, GroupError, PartialGroupWarning, UnknownLabelError

WIOD40 = (
    "AUS", "AUT", "BEL", "BGR", "BRA", "CAN", "CHN", "CYP", "CZE", "DEU", "DNK", "ESP", "EST", "FIN", "FRA",
    "GBR", "GRC", "HUN", "IDN", "IND", "IRL", "ITA", "JPN", "KOR", "LTU", "LUX", "LVA", "MEX", "MLT", "NLD",
    "POL", "PRT", "ROU", "RUS", "SVK", "SVN", "SWE", "TUR", "TWN", "USA", "ROW",
)  # fmt: skip
ICIO45 = tuple(s.code for s in sectors("icio45"))


def test_members_keep_the_order_of_the_table():
    assert groups.resolve_group("NAFTA", ("USA", "DEU", "MEX", "CAN")) == ("USA", "MEX", "CAN")
    assert groups.resolve_group("USMCA", ("USA", "DEU", "MEX", "CAN")) == ("USA", "MEX", "CAN")


# Sizes of the European Union as counted by Eurostat: EU-12 1986-1994, 15 1995-2003, 25 2004-2006,
# 27 2007-2012, 28 2013-2019, 27 since 2020; of the OECD and the euro area from their own histories.
@pytest.mark.parametrize(
    ("group", "year", "size"),
    [
        ("EU", 1990, 12), ("EU", 1995, 15), ("EU", 2004, 25), ("EU", 2007, 27), ("EU", 2013, 28),
        ("EU", 2019, 28), ("EU", 2020, 27), ("EU", None, 27), ("EA", 1999, 11), ("EA", 2001, 12),
        ("EA", 2014, 18), ("EA", 2015, 19), ("EA", 2023, 20), ("OECD", 1993, 24), ("OECD", 1996, 29),
        ("OECD", 2010, 34), ("OECD", 2021, 38), ("ASEAN", 1999, 10), ("MERCOSUR", 2008, 4),
        ("MERCOSUR", 2013, 5), ("MERCOSUR", 2018, 4), ("ANDEAN", 2000, 5), ("ANDEAN", 2010, 4),
        ("ALADI", 1990, 11), ("ALADI", 2012, 13), ("APEC", 1998, 21), ("CARICOM", 2002, 15),
        ("G20", None, 19), ("G7", None, 7), ("BRICS", 2015, 5), ("SELA", None, 25), ("LAC", None, 33),
        ("PACIFIC_ALLIANCE", None, 4), ("CACM", 2000, 5), ("EFTA", 2020, 4), ("CPTPP", 2024, 12),
    ],
)  # fmt: skip
def test_number_of_members_of_a_year(group, year, size):
    assert len(groups.country_groups()[group].of_year(year)) == size


# Day on which membership began or ended (accession treaties, notices of the organisations): a member of that year
# when it began in it, not one any more when it ended in it.
@pytest.mark.parametrize(
    ("group", "country", "first", "gone"),
    [
        ("EU", "DNK", 1973, None), ("EU", "GBR", 1973, 2020), ("EU", "GRC", 1981, None), ("EU", "ESP", 1986, None),
        ("EU", "SWE", 1995, None), ("EU", "POL", 2004, None), ("EU", "ROU", 2007, None), ("EU", "HRV", 2013, None),
        ("EA", "GRC", 2001, None), ("EA", "SVN", 2007, None), ("EA", "MLT", 2008, None), ("EA", "SVK", 2009, None),
        ("EA", "EST", 2011, None), ("EA", "LVA", 2014, None), ("EA", "LTU", 2015, None), ("EA", "HRV", 2023, None),
        ("EA", "BGR", 2026, None), ("EFTA", "GBR", 1960, 1973), ("EFTA", "PRT", 1960, 1986),
        ("EFTA", "AUT", 1960, 1995),
        ("EFTA", "FIN", 1986, 1995), ("EFTA", "ISL", 1970, None), ("EFTA", "LIE", 1991, None),
        ("MERCOSUR", "VEN", 2012, 2016), ("MERCOSUR", "BOL", 2024, None), ("MERCOSUR", "PRY", 1991, None),
        ("ANDEAN", "CHL", 1969, 1976), ("ANDEAN", "VEN", 1973, 2006), ("ANDEAN", "PER", 1969, None),
        ("CARICOM", "BRB", 1973, None), ("CARICOM", "BLZ", 1974, None), ("CARICOM", "BHS", 1983, None),
        ("CARICOM", "SUR", 1995, None), ("CARICOM", "HTI", 2002, None), ("CACM", "SLV", 1961, None),
        ("CACM", "HND", 1962, None), ("CACM", "CRI", 1963, None), ("CACM", "PAN", 2013, None),
        ("SICA", "BLZ", 2000, None), ("SICA", "DOM", 2013, None), ("ALADI", "CUB", 1999, None),
        ("ALADI", "PAN", 2012, None), ("CAFTA_DR", "DOM", 2007, None), ("CAFTA_DR", "CRI", 2009, None),
        ("ASEAN", "BRN", 1984, None), ("ASEAN", "VNM", 1995, None), ("ASEAN", "MMR", 1997, None),
        ("ASEAN", "KHM", 1999, None), ("ASEAN", "TLS", 2025, None), ("CPTPP", "JPN", 2018, None),
        ("CPTPP", "VNM", 2019, None), ("CPTPP", "PER", 2021, None), ("CPTPP", "MYS", 2022, None),
        ("CPTPP", "CHL", 2023, None), ("CPTPP", "BRN", 2023, None), ("CPTPP", "GBR", 2024, None),
        ("APEC", "CHN", 1991, None), ("APEC", "MEX", 1993, None), ("APEC", "CHL", 1994, None),
        ("APEC", "PER", 1998, None),
        ("OECD", "MEX", 1994, None), ("OECD", "KOR", 1996, None), ("OECD", "SVK", 2000, None),
        ("OECD", "CHL", 2010, None),
        ("OECD", "LVA", 2016, None), ("OECD", "LTU", 2018, None), ("OECD", "COL", 2020, None),
        ("OECD", "CRI", 2021, None),
        ("BRICS", "ZAF", 2010, None), ("BRICS", "EGY", 2024, None), ("BRICS", "IDN", 2025, None),
        ("SAARC", "AFG", 2007, None),
    ],
)  # fmt: skip
def test_years_in_which_membership_begins_and_ends(group, country, first, gone):
    found = groups.country_groups()[group]
    assert country in found.of_year(first)
    assert country not in found.of_year(first - 1)
    if gone is None:
        assert country in found.of_year(None)
    else:
        assert country in found.of_year(gone - 1)
        assert country not in found.of_year(gone)
        assert country not in found.of_year(None)


@pytest.mark.parametrize(
    ("group", "outside"),
    [
        ("SELA", "CRI GRD JAM"), ("BRICS", "SAU ARG"), ("ALADI", "NIC CRI"),
        ("CARICOM", "DOM CUB"), ("RCEP", "IND TLS"), ("CPTPP", "USA"), ("EFTA", "GBR"), ("EU27", "GBR"),
        ("CACM", "BLZ"),
    ],
)  # fmt: skip
def test_who_is_no_member_although_one_might_think_so(group, outside):
    assert not set(outside.split()) & set(groups.country_groups()[group].of_year(None))


def test_fixed_compositions_equal_the_dated_ones():
    dated = groups.country_groups()
    for fixed, group, year in [
        ("EU27", "EU", 2020), ("EU28", "EU", 2013), ("EU27_2007", "EU", 2007), ("EU25", "EU", 2004),
        ("EU15", "EU", 1995), ("EA12", "EA", 2001), ("EA19", "EA", 2015), ("EA20", "EA", 2023),
        ("BRICS5", "BRICS", 2011),
    ]:  # fmt: skip
        assert set(dated[fixed].of_year(None)) == set(dated[group].of_year(year)), fixed


def test_every_group_has_known_members_a_title_and_a_source():
    known = known_countries()
    for name, group in groups.country_groups().items():
        assert group.title, name
        assert group.source, name
        assert re.match(r"https?://[\w.-]+\.[a-z]+(/|\Z)", group.url), name
        assert set(group.members) <= set(known), name
        assert name not in known, f"{name} would hide a country"
    for name, sector_group in groups.sector_groups().items():
        assert sector_group.source, name


def test_well_known_groups_are_there():
    wanted = {
        "EU27", "EU28", "EA", "MERCOSUR", "CARICOM", "CACM", "ALADI", "PACIFIC_ALLIANCE", "SELA", "ASEAN",
        "NAFTA",
        "USMCA", "APEC", "OECD", "G7", "G20", "LAC", "BRICS", "EAST_ASIA", "ANDEAN",
    }  # fmt: skip
    assert wanted <= set(groups.country_groups())


def test_can_is_canada_where_it_is_in_the_table():
    assert groups.resolve_group("CAN", WIOD40) == ("CAN",)


def test_union_and_all_but():
    assert groups.resolve_group("MEX|USA", WIOD40) == ("MEX", "USA")
    rest = groups.resolve_group("WLD-ESP-FRA", WIOD40)
    assert set(WIOD40) - set(rest) == {"ESP", "FRA"}
    assert groups.resolve_group("EU15-GBR|USA", WIOD40) == tuple(
        c for c in WIOD40 if c in {*groups.country_groups()["EU15"].members, "USA"} - {"GBR"}
    )


def test_absent_members_are_reported_not_dropped_silently():
    selection = groups.select_countries("EU27", WIOD40)
    assert selection.absent == ("HRV",)
    assert len(selection.members) == 26
    assert any("HRV" in note and "rest of the world" in note for note in selection.notes)
    with pytest.warns(PartialGroupWarning, match="HRV"):
        groups.resolve_group("EU27", WIOD40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(groups.resolve_group("EU27-HRV", WIOD40)) == 26


def test_what_cannot_be_left_out_of_the_world_is_said():
    selection = groups.select_countries("WLD-EU27", WIOD40)
    assert selection.absent == ("HRV",)
    assert "stay in it" in selection.notes[-1]
    assert groups.select_countries("WLD-EU27-ROW", WIOD40).absent == ()


def test_year_of_membership_is_noted():
    selection = groups.select_countries("MERCOSUR", ("ARG", "BRA", "PRY", "URY", "VEN"), year=2014)
    assert selection.members == ("ARG", "BRA", "PRY", "URY", "VEN")
    assert "2014" in selection.notes[0]
    assert "newest" in groups.select_countries("MERCOSUR", ("ARG", "BRA")).notes[0]


def test_parts_of_a_split_country_stand_for_it():
    areas = ("USA", "CHN", "MEX", "MX1", "MX2", "CN1", "CN2", "ROW")
    assert groups.resolve_group("NAFTA-CAN", areas) == ("USA", "MEX", "MX1", "MX2")
    assert groups.resolve_group("CHN", areas) == ("CHN", "CN1", "CN2")
    assert groups.resolve_group("WLD-CHN-MEX", areas) == ("USA", "ROW")
    assert groups.resolve_group("CN1", areas) == ("CN1",)


def test_unknown_group_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownLabelError, match="did you mean 'MERCOSUR'"):
        groups.resolve_group("MERCOSR", WIOD40)
    with pytest.raises(UnknownLabelError, match="did you mean 'EU27'"):
        groups.resolve_group("WLD-eu27", WIOD40)


def test_country_that_the_table_lacks():
    with pytest.raises(GroupError, match="Nepal"):
        groups.resolve_group("NPL", WIOD40)
    with pytest.raises(GroupError, match="Nepal"):
        groups.resolve_group("IND|NPL", WIOD40)


def test_empty_selection_names_the_members():
    with pytest.raises(GroupError, match=r"selects no country of this table\n  got: members CRI"):
        groups.resolve_group("SICA", WIOD40)
    with pytest.raises(GroupError, match="empty country group expression"):
        groups.resolve_group(" ", WIOD40)


@pytest.mark.parametrize("expression", ["EU27|DEU", "DEU|EU27", "DEU|DEU"])
def test_country_alone_and_in_a_group(expression):
    with pytest.raises(GroupError, match="both alone and in a group"):
        groups.resolve_group(expression, WIOD40)


def test_overlapping_groups_and_the_way_out():
    with pytest.raises(GroupError, match="overlap") as caught:
        groups.resolve_group("EU15|G7", WIOD40)
    assert "EU15|G7-EU15" in str(caught.value)
    both = groups.resolve_group("EU15|G7-EU15", WIOD40)
    assert set(both) == {*groups.country_groups()["EU15"].members, *groups.country_groups()["G7"].members}


def chosen(*items):
    return select_together("exporter", items, lambda item: (groups.select_countries(item, WIOD40).members, (item,)))


@pytest.mark.parametrize(
    ("items", "text"),
    [
        (("MEX", "MEX"), r"exporter 'MEX' is given twice\n  do: write it once"),
        (("NAFTA", "NAFTA"), "exporter 'NAFTA' is given twice"),
        (("NAFTA", "MEX"), r"'MEX' appears both alone and in a group\n  got: 'NAFTA' and 'MEX'\n  do: leave it out"),
        (("MEX", "NAFTA"), r"'MEX' appears both alone and in a group\n  got: 'MEX' and 'NAFTA'"),
        (("EU15", "EU27"), r"groups of exporter overlap\n  got: AUT.* \(14 in all\) in 'EU15' and in 'EU27'"),
        (("EU15", "EU27-GRC"), r"do: leave the common members out of one: 'EU27-GRC-EU15'"),
        (("NAFTA", "WLD-CHN"), r"do: leave out 'NAFTA': 'WLD-CHN' holds it"),
        (("WLD", "NAFTA|CHN"), r"do: leave out 'NAFTA\|CHN': 'WLD' holds it"),
        (("EU15|USA", "G7"), r"do: leave the common members out of one of them"),
        (("CHN", "EU15-DEU", "G7"), r"got: FRA, GBR, ITA in 'EU15-DEU' and in 'G7'\n  do: .* of one of them"),
    ],
)
def test_labels_named_twice_in_a_list_are_refused(items, text):
    with pytest.raises(GroupError, match=text):
        chosen(*items)


def test_the_way_out_of_an_overlap_is_one():
    for items in (("EU15", "G7"), ("EU15", "EU27-GRC")):
        with pytest.raises(GroupError) as caught:
            chosen(*items)
        way = re.search(r"of one: '(.*)'", str(caught.value)).group(1)
        labels, notes = chosen(items[0], way)
        assert len(labels) == len(set(labels))
        both = [set(groups.select_countries(item, WIOD40).members) for item in items]
        assert set(labels) == both[0] | both[1]
        assert notes == (items[0], way)


def test_labels_keep_the_order_asked_for():
    assert chosen("USA", "ESP|PRT", "MEX")[0] == ("USA", "ESP", "PRT", "MEX")


def test_no_way_out_is_named_that_is_none():
    with pytest.raises(GroupError, match=r"overlap\n  got: .*\n  do: leave the common members out of one$"):
        groups.resolve_group("EU15-DEU|G7", WIOD40)
    with pytest.raises(GroupError, match=r"is in 'A' and in 'B'\n  do: leave it out of one of them$"):
        groups.resolve_groups({"A": "USA", "B": ["USA", "CHN"]}, WIOD40)


def test_a_group_named_twice_in_a_union():
    with pytest.raises(GroupError, match=r"'EU15' is given twice in a union"):
        groups.resolve_group("EU15|EU15", WIOD40)
    with pytest.raises(GroupError, match=r"do: leave out 'NAFTA': 'WLD' holds it"):
        groups.resolve_group("WLD|NAFTA", WIOD40)


def test_leaving_out_what_is_not_inside():
    with pytest.raises(GroupError, match="no member in common"):
        groups.resolve_group("EU15-USA", WIOD40)


def test_custom_groups():
    custom = {"IBERIA": ("ESP", "PRT"), "REST": "WLD-EU15"}
    assert groups.resolve_group("IBERIA", WIOD40, custom=custom) == ("ESP", "PRT")
    assert groups.resolve_group("IBERIA|REST", WIOD40, custom=custom)[:2] == ("AUS", "BGR")
    with pytest.raises(GroupError, match="in use"):
        groups.resolve_group("EU27", WIOD40, custom={"EU27": ("ESP",)})
    with pytest.raises(GroupError, match="in use"):
        groups.resolve_group("ESP", WIOD40, custom={"ESP": ("PRT",)})


def test_groups_used_together_must_be_disjoint():
    found = groups.resolve_groups({"Iberia": "ESP|PRT", "America": "NAFTA"}, WIOD40)
    assert found["America"].members == ("CAN", "MEX", "USA")
    with pytest.raises(GroupError, match="'USA' is in"):
        groups.resolve_groups({"America": "NAFTA", "Big": ["USA", "CHN"]}, WIOD40)
    with pytest.raises(GroupError, match="name of a country"):
        groups.resolve_groups({"USA": "ESP|PRT"}, WIOD40)


def test_sector_groups_by_isic():
    assert groups.select_sectors("manufacturing", ICIO45).members == ICIO45[5:22]
    assert groups.select_sectors("services", ICIO45).members == ICIO45[25:]
    assert groups.select_sectors("primary|manufacturing", ICIO45).members == ICIO45[:22]
    wiod = tuple(f"c{k}" for k in range(1, 36))
    assert groups.select_sectors("manufacturing", wiod).members == wiod[2:16]
    assert groups.select_sectors("services", wiod).members == wiod[18:]
    assert groups.select_sectors("ALL-services", wiod).members == wiod[:18]


def test_sector_labels_with_a_hyphen():
    wiod56 = tuple(s.code for s in sectors("wiod56"))
    assert groups.select_sectors("manufacturing-C10-C12-C33", wiod56).members == wiod56[5:22]
    assert groups.select_sectors("C10-C12|C13-C15", wiod56).members == ("C10-C12", "C13-C15")


def test_sector_partly_in_a_group_is_refused():
    eora = tuple(s.code for s in sectors("eora26"))
    with pytest.raises(GroupError, match="partly inside the group 'chemicals'"):
        groups.select_sectors("metals|chemicals", eora)
    with pytest.raises(GroupError, match="Finacial"):
        groups.select_sectors("financial_services", eora)


def test_sector_group_needs_isic():
    emerging = tuple(s.code for s in sectors("emerging133"))
    with pytest.raises(ConcordanceError, match="ISIC divisions"):
        groups.select_sectors("manufacturing", emerging)
    with pytest.raises(GroupError, match=r"not defined for ISIC Rev\. 3"):
        groups.select_sectors("high_tech", tuple(f"c{k}" for k in range(1, 36)))
    with pytest.raises(ConcordanceError, match="no known scheme"):
        groups.select_sectors("manufacturing", ("bread", "wine"))
    assert groups.select_sectors("bread", ("bread", "wine")).members == ("bread",)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(groups.country_groups())), st.none() | st.integers(1960, 2026))
def test_group_and_its_complement_make_the_world(name, year):
    members = groups.country_groups()[name].of_year(year)
    here = tuple(sorted(known_countries()))
    inside = [code for code in here if known_countries()[code].kind != "part"]
    if not members:
        return
    chosen = groups.select_countries(name, inside, year=year).members
    rest = groups.select_countries(f"WLD-{name}", inside, year=year).members
    assert set(chosen) == set(members)
    assert not set(chosen) & set(rest)
    assert set(chosen) | set(rest) == set(inside)
