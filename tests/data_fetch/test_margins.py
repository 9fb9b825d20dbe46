from __future__ import annotations

import pytest

import data_fetch
from data_fetch.margins import COLUMNS, SOURCES, write_margins
from data_fetch.sdmx import SdmxClient, flows
from tests.data_fetch.publisher import Page
from tests.data_fetch.test_sdmx import SAMPLES, SDBS, serve
from tiva.errors import FetchError, UnknownLabelError, UsageError


def by_band(rows, **wanted):
    chosen = [row for row in rows if all(row[k] == v for k, v in wanted.items())]
    return {row["band"]: row for row in chosen}


@pytest.fixture
def sdbs(publisher, store):
    serve(publisher, SDBS + "A.MEX+CRI.VALU...", "sdbs_valu.csv")
    serve(publisher, SDBS + "A.MEX+CRI.EMPN...", "sdbs_empn.csv")

    def call(**more):
        settings = {"variables": ("va", "employment"), "endpoint": publisher.address("/rest")} | more
        return data_fetch.fetch_margins("oecd_sdbs", ("MEX", "CRI"), 2019, client=SdmxClient(store), **settings)

    return call


def test_bands_units_and_status_of_the_oecd(sdbs):
    found = by_band(sdbs(), country="MEX", variable="va")
    assert {band: row["value"] for band, row in found.items()} == {
        "micro": "100.0", "small": "100.0", "medium": "200.0", "large": "600.0", "TOTAL": "1000.0",
    }  # fmt: skip
    assert {row["unit"] for row in found.values()} == {"LCU_mn"}
    assert found["micro"]["status"] == "observed"
    assert found["small"]["status"] == "derived"
    assert "sum of S10T19 and S20T49, partly estimated by the publisher" in found["small"]["note"]
    assert found["micro"]["sector_scheme"] == "ISIC4"
    assert "VALU" in found["micro"]["source_id"]


def test_power_of_ten_is_read(sdbs):
    assert by_band(sdbs(), country="CRI", variable="va")["micro"]["value"] == "5000.0"


def test_one_withheld_band_is_the_total_less_the_others(sdbs):
    medium = by_band(sdbs(), country="CRI", variable="va")["medium"]
    assert (medium["value"], medium["status"]) == ("30000.0", "derived")
    assert "published as confidential" in medium["note"]
    kept = by_band(sdbs(recover=False), country="CRI", variable="va")["medium"]
    assert (kept["value"], kept["status"]) == ("", "confidential")


def test_two_withheld_bands_stay_withheld(sdbs):
    found = by_band(sdbs(), variable="employment")
    assert (found["small"]["status"], found["small"]["value"]) == ("missing", "")
    assert (found["medium"]["status"], found["medium"]["value"]) == ("confidential", "")
    assert found["TOTAL"]["unit"] == "persons"


def test_other_years_of_the_answer_are_left_out(sdbs):
    assert {row["year"] for row in sdbs()} == {"2019"}


def test_one_query_a_measure(sdbs, publisher):
    sdbs()
    measures = [request.path.split("/")[-1].split(".")[2] for request in publisher.requests]
    assert measures == ["VALU", "VAFC", "EMPN"]


def test_rows_are_read_by_the_margins_reader(sdbs, tmp_path):
    bands = pytest.importorskip("tiva.bands.margins")
    path = write_margins(sdbs(), tmp_path / "band_margins.csv")
    margins = bands.read_margins(path)
    assert len(margins.facts) == 15
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)


def structure(publisher, flow_id: str, names: tuple[str, ...], agency: str = "ESTAT") -> None:
    text = (SAMPLES / "eurostat_sbs_structure.xml").read_text()
    first, rest = text.split('<s:DimensionList id="DimensionDescriptor">')
    dimensions, last = rest.split("<s:TimeDimension")
    pattern = dimensions.split("</s:Dimension>")[0] + "</s:Dimension>"
    made = [pattern.replace('id="freq"', f'id="{n}"').replace('"1"', f'"{k}"') for k, n in enumerate(names, 1)]
    concepts = "".join(
        f'<s:Concept id="{n}"><c:Name xml:lang="en">{n}</c:Name></s:Concept>' for n in names if n not in first
    )
    first = first.replace("</s:ConceptScheme>", concepts + "</s:ConceptScheme>").replace("SBS_SC_OVW", flow_id)
    body = first + '<s:DimensionList id="DimensionDescriptor">' + "".join(made) + "<s:TimeDimension" + last
    publisher.pages[f"/rest/datastructure/{agency}/{flow_id}/latest"] = Page(
        body.replace('"ESTAT"', f'"{agency}"').encode()
    )


def test_eurostat_business_statistics(publisher, store):
    structure(publisher, "SBS_SC_OVW", ("freq", "indic_sbs", "nace_r2", "size_emp", "geo"))
    serve(publisher, "/rest/data/ESTAT,SBS_SC_OVW,1.0/A.AV_MEUR.C..EL", "eurostat_sbs.csv")
    rows = data_fetch.fetch_margins(
        "eurostat_sbs", ("GRC",), 2022, sectors=("C",), variables=("va",), client=SdmxClient(store),
        endpoint=publisher.address("/rest"),
    )  # fmt: skip
    found = by_band(rows)
    assert {row["country"] for row in rows} == {"GRC"}
    assert (found["micro"]["value"], found["micro"]["status"]) == ("250.0", "imputed")
    assert (found["small"]["value"], found["small"]["status"]) == ("250.0", "derived")
    assert (found["large"]["value"], found["large"]["status"]) == ("200.0", "derived")
    assert found["TOTAL"]["unit"] == "EUR_mn"
    assert found["TOTAL"]["sector_scheme"] == "NACE2"
    assert "CC BY 4.0" in found["TOTAL"]["licence"]


def test_eurostat_trade_by_size(publisher, store, tmp_path):
    names = ("freq", "stk_flow", "nace_r2", "sizeclas", "partner", "unit", "geo")
    structure(publisher, "EXT_TEC01", names)
    serve(publisher, "/rest/data/ESTAT,EXT_TEC01,1.0/A.EXP.C..WORLD.THS_EUR.ES", "eurostat_tec.csv")
    rows = data_fetch.fetch_margins(
        "eurostat_tec", ("ESP",), 2021, sectors=("C",), variables=("exports",), client=SdmxClient(store),
        endpoint=publisher.address("/rest"),
    )  # fmt: skip
    found = by_band(rows)
    assert found["large"]["value"] == "1090.0"
    assert found["UNKNOWN"]["value"] == "10.0"
    assert found["TOTAL"]["value"] == "2000.0"
    assert "goods only" in found["TOTAL"]["note"]
    assert {(row["unit"], row["sector_scheme"], row["country"]) for row in rows} == {("EUR_mn", "NACE2", "ESP")}
    bands = pytest.importorskip("tiva.bands.margins")
    assert len(bands.read_margins(write_margins(rows, tmp_path / "band_margins.csv")).facts) == 6


TEC_SAMPLE = SAMPLES / "oecd_tec.csv"
TEC = (
    "FREQ", "TABLE", "REF_AREA", "ACTIVITY", "SIZE_CLASS", "TOP_ENT", "NBPARTNER", "PARTNER_COUNTRY", "CPC", "TTRADER",
    "TOWNERSHIP", "EXPINT", "MEASURE", "FLOW", "UNIT_MEASURE",
)  # fmt: skip
"""Dimensions of the OECD's trade by enterprise characteristics; their order is made up."""


@pytest.fixture
def tec(publisher, store):
    structure(publisher, "DSD_TEC_ISIC4", TEC, "OECD.SDD.TPS")

    def call(text=None, flow="DSD_TEC_ISIC4@DF_TEC01,1.1", countries=("FRA", "MEX"), **more):
        path = f"/rest/data/OECD.SDD.TPS,{flow}/A..{'+'.join(countries)}.C.........TUTT_TEC.X."
        publisher.pages[path] = Page((text or TEC_SAMPLE.read_text()).encode())
        return data_fetch.fetch_margins(
            "oecd_tec", countries, 2019, sectors=("C",), variables=("exports",), client=SdmxClient(store),
            endpoint=publisher.address("/rest"), **more,
        )  # fmt: skip

    return call


def test_trade_by_size_of_the_oecd(tec, tmp_path):
    rows = tec()
    found = by_band(rows, country="FRA")
    assert {band: (row["value"], row["status"]) for band, row in found.items()} == {
        "micro": ("20.0", "observed"), "small": ("60.0", "observed"), "medium": ("80.0", "observed"),
        "large": ("236.0", "observed"), "TOTAL": ("400.0", "observed"), "UNKNOWN": ("4.0", "observed"),
    }  # fmt: skip
    assert {(row["variable"], row["unit"], row["sector_scheme"], row["partner"]) for row in rows} == {
        ("exports", "USD_mn", "ISIC4", "WLD")
    }
    assert found["micro"]["source_id"] == "OECD.SDD.TPS:DSD_TEC_ISIC4@DF_TEC01(1.1) X"
    assert "goods only" in found["micro"]["note"]
    assert "not verified" in found["micro"]["note"]
    withheld = by_band(rows, country="MEX")
    assert (withheld["micro"]["value"], withheld["micro"]["status"]) == ("5.0", "derived")
    assert (withheld["medium"]["value"], withheld["medium"]["status"]) == ("20.0", "imputed")
    bands = pytest.importorskip("tiva.bands.margins")
    assert len(bands.read_margins(write_margins(rows, tmp_path / "band_margins.csv")).facts) == 11


def test_flow_that_is_called_otherwise_and_codes_of_further_dimensions(tec):
    rows = tec(flow="DSD_TEC_ISIC4@DF_TEC,latest", countries=("FRA",), identity="DSD_TEC_ISIC4@DF_TEC")
    assert {row["source_id"] for row in rows} == {"OECD.SDD.TPS:DSD_TEC_ISIC4@DF_TEC(latest) X"}
    assert not any("not verified" in row["note"] for row in rows)
    with pytest.raises(UnknownLabelError, match="did you mean 'PARTNER_COUNTRY'"):
        tec(fixed={"PARTNER_COUNTR": "W"})
    with pytest.raises(UsageError, match="AGENCY:FLOW"):
        tec(identity="OECD/TEC 01")


def test_rows_without_a_total_say_what_they_are_restricted_to(tec):
    lines = [line for line in TEC_SAMPLE.read_text().splitlines() if ",W," not in line]
    rows = tec("\n".join(lines))
    assert {row["country"] for row in rows} == {"FRA"}
    assert all("PARTNER_COUNTRY EXT" in row["note"] for row in rows)
    assert by_band(rows)["TOTAL"]["value"] == "250.0"


def test_size_classes_that_are_not_known(tec):
    text = TEC_SAMPLE.read_text()
    for old, new in (("S0T9", "E0_9"), ("S10T49", "E10"), ("S50T249", "E50"), ("S_GE250", "E250"), (",_X,", ",E_X,")):
        text = text.replace(old, new)
    with pytest.raises(FetchError, match=r"other size classes(.|\n)*E0_9(.|\n)*S0T9"):
        tec(text)


def test_nothing_of_what_was_asked(publisher, store):
    with pytest.raises(FetchError, match=r"holds nothing of what was asked(.|\n)*MEX, 2019, VALU"):
        data_fetch.fetch_margins(
            "oecd_sdbs", ("MEX",), 2019, variables=("va",), client=SdmxClient(store),
            endpoint=publisher.address("/rest"),
        )  # fmt: skip


def test_two_measures_of_a_variable_are_not_mixed(publisher, store, tmp_path):
    text = (SAMPLES / "sdbs_valu.csv").read_text()
    publisher.pages[SDBS + "A.MEX.VALU..."] = Page(text.encode())
    publisher.pages[SDBS + "A.MEX.VAFC..."] = Page(text.replace(",VALU,", ",VAFC,").replace(",100,", ",95,").encode())
    rows = data_fetch.fetch_margins(
        "oecd_sdbs", ("MEX",), 2019, variables=("va",), client=SdmxClient(store), endpoint=publisher.address("/rest")
    )
    assert [row["band"] for row in rows] == ["micro", "small", "medium", "large", "TOTAL"]
    assert all("VALU" in row["source_id"] and "also published as VAFC in LCU_mn" in row["note"] for row in rows)
    bands = pytest.importorskip("tiva.bands.margins")
    assert len(bands.read_margins(write_margins(rows, tmp_path / "m.csv")).facts) == 5


def test_unit_that_cannot_be_told(publisher, store):
    text = (SAMPLES / "sdbs_valu.csv").read_text().replace("XDC", "PC")
    publisher.pages[SDBS + "A.MEX.VALU..."] = Page(text.encode())
    with pytest.raises(FetchError, match="cannot tell the unit of VALU"):
        data_fetch.fetch_margins(
            "oecd_sdbs", ("MEX",), 2019, variables=("va",), client=SdmxClient(store),
            endpoint=publisher.address("/rest"),
        )  # fmt: skip


def test_two_observations_of_a_cell_are_refused(publisher, store):
    text = (SAMPLES / "sdbs_valu.csv").read_text()
    publisher.pages[SDBS + "A.MEX.VALU..."] = Page((text + text.splitlines()[1] + "\n").encode())
    with pytest.raises(FetchError, match="several observations of one cell"):
        data_fetch.fetch_margins(
            "oecd_sdbs", ("MEX",), 2019, variables=("va",), client=SdmxClient(store),
            endpoint=publisher.address("/rest"),
        )  # fmt: skip


def test_what_cannot_be_asked(store):
    client = SdmxClient(store, offline=True)
    with pytest.raises(UnknownLabelError, match="source of margins"):
        data_fetch.fetch_margins("sdbs", ("MEX",), 2019, client=client)
    with pytest.raises(UnknownLabelError, match="country code"):
        data_fetch.fetch_margins("oecd_sdbs", ("MX",), 2019, client=client)
    with pytest.raises(UnknownLabelError, match="variable"):
        data_fetch.fetch_margins("oecd_sdbs", ("MEX",), 2019, variables=("exports",), client=client)
    with pytest.raises(UsageError, match="need years"):
        data_fetch.fetch_margins("oecd_sdbs", ("MEX",), None, client=client)
    with pytest.raises(UsageError, match="need countries"):
        data_fetch.fetch_margins("oecd_sdbs", (), 2019, client=client)


def test_every_source_has_a_flow():
    assert set(SOURCES) <= set(flows())


@pytest.mark.parametrize(
    ("flags", "value", "status", "said"),
    [
        ({"OBS_STATUS": "A", "CONF_STATUS": "F"}, "7", "observed", ""),
        ({"OBS_STATUS": "E"}, "7", "imputed", "estimated by the publisher"),
        ({"OBS_STATUS": "B"}, "7", "observed", "flagged B by the publisher"),
        ({"OBS_FLAG": "be"}, "7", "imputed", "estimated by the publisher, flagged b by the publisher"),
        ({"OBS_FLAG": "p"}, "7", "observed", "flagged p by the publisher"),
        ({"OBS_STATUS": "N"}, "", "missing", ""),  # not significant
        ({"OBS_STATUS": "O", "CONF_STATUS": "N"}, "", "confidential", ""),  # not for publication
        ({"OBS_STATUS": "M", "CONF_STATUS": "S"}, "", "confidential", ""),  # secondary confidentiality
        ({"OBS_STATUS": "Q"}, "", "confidential", ""),
        ({"OBS_FLAG": "c"}, ":", "confidential", ""),
        ({"OBS_FLAG": "u"}, ":", "missing", ""),
        ({}, "", "missing", ""),
    ],
)
def test_flags_are_read_by_column(flags, value, status, said):
    from data_fetch.margins import _cell

    found = _cell({"OBS_VALUE": value, **flags}, 10.0)
    assert found == (70.0 if value == "7" else None, status, said)


def test_none_or_one_person_as_the_data_set_writes_it(publisher, store):
    structure(publisher, "SBS_SC_OVW", ("freq", "indic_sbs", "nace_r2", "size_emp", "geo"))
    text = (SAMPLES / "eurostat_sbs.csv").read_text()
    line = next(line for line in text.splitlines() if ",0-9," in line)
    parts = [
        line.replace(",0-9,", ",0_1,").replace(",250,e", ",90,"),
        line.replace(",0-9,", ",2-9,").replace(",250,e", ",160,u"),
    ]
    text = text.replace(line, "\n".join(parts))
    publisher.pages["/rest/data/ESTAT,SBS_SC_OVW,1.0/A.AV_MEUR.C..EL"] = Page(text.encode())
    rows = data_fetch.fetch_margins(
        "eurostat_sbs", ("GRC",), 2022, sectors=("C",), variables=("va",), client=SdmxClient(store),
        endpoint=publisher.address("/rest"),
    )  # fmt: skip
    micro = by_band(rows)["micro"]
    assert (micro["value"], micro["status"]) == ("250.0", "derived")
    assert micro["note"] == "sum of 0_1 and 2-9, partly flagged u by the publisher"
