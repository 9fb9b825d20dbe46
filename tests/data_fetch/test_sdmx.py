"""SDMX queries against the local publisher; its answers are written by hand (samples/README.md)."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path
from urllib.parse import unquote

import pytest

from data_fetch.limits import HOUR, HourlyLimit
from data_fetch.sdmx import SdmxClient, flow, flows
from tests.data_fetch.publisher import Page
from tiva.errors import FetchError, OfflineError, UnknownLabelError, UsageError

SAMPLES = Path(__file__).parent / "samples"
SDBS = "/rest/data/OECD.SDD.TPS,DSD_SDBSBSC_ISIC4@DF_SDBS_ISIC4,1.0/"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def client(store):
    return SdmxClient(store)


def serve(publisher, path: str, sample: str) -> None:
    publisher.pages[path] = Page((SAMPLES / sample).read_bytes(), kind="application/vnd.sdmx.data+csv")


def test_key_is_in_the_order_of_the_flow(publisher, client):
    serve(publisher, SDBS + "A.MEX+CRI.VALU.C+C10..", "sdbs_valu.csv")
    asked = flow("oecd_sdbs", publisher.address("/rest"))
    rows = client.rows(
        asked, {"MEASURE": "VALU", "REF_AREA": ["MEX", "CRI"], "FREQ": "A", "ACTIVITY": ["C", "C10"]}, 2018, 2019
    )
    assert len(rows) == 12
    request = publisher.requests[0]
    assert "startPeriod=2018&endPeriod=2019" in unquote(request.path)
    assert "dimensionAtObservation=AllDimensions" in request.path
    assert "data+csv" in request.headers["Accept"]
    assert request.headers["Accept-Language"] == "en"
    assert "tiva-icio" in request.headers["User-Agent"]


def test_answers_are_kept_with_a_record(publisher, store, client):
    serve(publisher, SDBS + "..VALU...", "sdbs_valu.csv")
    asked = flow("oecd_sdbs", publisher.address("/rest"))
    first = client.rows(asked, {"MEASURE": "VALU"})
    assert SdmxClient(store, offline=True).rows(asked, {"MEASURE": "VALU"}) == first
    assert len(publisher.requests) == 1
    (record,) = store.folder("sdmx").glob("*.json")
    assert publisher.address("/rest") in json.loads(record.read_text())["origin"]


def test_refresh_asks_again_and_keeps_the_history(publisher, store, client):
    asked = flow("oecd_sdbs", publisher.address("/rest"))
    serve(publisher, SDBS + "..VALU...", "sdbs_valu.csv")
    client.rows(asked, {"MEASURE": "VALU"})
    serve(publisher, SDBS + "..VALU...", "sdbs_empn.csv")
    assert len(SdmxClient(store, refresh=True).rows(asked, {"MEASURE": "VALU"})) == 5
    (record,) = store.folder("sdmx").glob("*.json")
    assert len(json.loads(record.read_text())["history"]) == 1


def test_offline(publisher, store):
    asked = flow("oecd_sdbs", publisher.address("/rest"))
    with pytest.raises(OfflineError):
        SdmxClient(store, offline=True).rows(asked, {"MEASURE": "VALU"})
    assert publisher.requests == []


def test_no_observations_are_an_empty_answer(publisher, client):
    assert client.rows(flow("oecd_sdbs", publisher.address("/rest")), {"MEASURE": "VALU"}) == []


@pytest.mark.parametrize(
    ("status", "words", "attempts"),
    [(403, "turns programs away", 1), (500, "500", 1), (429, "429", 3), (503, "503", 3)],
)
def test_refusals_and_failures_keep_nothing(publisher, store, status, words, attempts):
    publisher.pages[SDBS + "..VALU..."] = Page(b"<html>no</html>", status, "text/html")
    clock = Clock()
    client = SdmxClient(store, retries=2, sleep=clock.sleep)
    with pytest.raises(FetchError, match=words):
        client.rows(flow("oecd_sdbs", publisher.address("/rest")), {"MEASURE": "VALU"})
    assert list(store.folder("sdmx").glob("*")) == []
    assert len(publisher.requests) == attempts
    assert clock.slept == [1.0, 2.0][: attempts - 1]


@pytest.mark.parametrize(("status", "asked", "waits"), [(429, "1", [1.0]), (503, "7", [7.0]), (503, "", [1.0])])
def test_a_busy_service_is_asked_again_when_it_says(publisher, store, status, asked, waits):
    serve(publisher, SDBS + "..VALU...", "sdbs_valu.csv")
    page = publisher.pages[SDBS + "..VALU..."]
    page.busy, page.busy_status, page.retry_after = 1, status, asked
    clock = Clock()
    limit = HourlyLimit(store.root / "l.json", 60, clock=clock, sleep=clock.sleep)
    client = SdmxClient(store, limits={"oecd": limit}, sleep=clock.sleep)
    asked_flow = flow("oecd_sdbs", publisher.address("/rest"))
    assert len(client.rows(asked_flow, {"MEASURE": "VALU"})) == 12
    assert clock.slept == waits
    assert len(publisher.requests) == 2
    assert len(json.loads(limit.journal.read_text())) == 2  # the service counts the refused query too
    assert len(client.rows(asked_flow, {"MEASURE": "VALU"})) == 12
    assert len(publisher.requests) == 2


def test_a_wait_of_hours_is_left_to_the_user(publisher, store):
    publisher.pages[SDBS + "..VALU..."] = Page(b"", busy=9, busy_status=429, retry_after="7200")
    clock = Clock()
    with pytest.raises(FetchError, match="429, try again in 120 minutes"):
        SdmxClient(store, sleep=clock.sleep).rows(flow("oecd_sdbs", publisher.address("/rest")), {"MEASURE": "VALU"})
    assert (len(publisher.requests), clock.slept) == (1, [])
    assert list(store.folder("sdmx").glob("*")) == []


def test_service_that_is_away(store):
    with pytest.raises(FetchError, match="does not answer"):
        SdmxClient(store).rows(flow("oecd_sdbs", "http://127.0.0.1:9/rest"), {"MEASURE": "VALU"})


def test_page_in_place_of_data(publisher, client):
    publisher.pages[SDBS + "..VALU..."] = Page(b"<html>maintenance</html>")
    with pytest.raises(FetchError, match="something else than SDMX-CSV"):
        client.rows(flow("oecd_sdbs", publisher.address("/rest")), {"MEASURE": "VALU"})


def test_answer_without_the_columns(publisher, client):
    publisher.pages[SDBS + "..VALU..."] = Page(b"A,B\n1,2\n")
    with pytest.raises(FetchError, match=r"lacks columns(.|\n)*SIZE_CLASS"):
        client.rows(flow("oecd_sdbs", publisher.address("/rest")), {"MEASURE": "VALU"})


def test_one_measure_a_query_and_known_dimensions(client):
    with pytest.raises(UsageError, match="one measure a query"):
        client.rows(flow("oecd_sdbs"), {"MEASURE": ["VALU", "EMPN"]})
    with pytest.raises(UnknownLabelError, match="did you mean 'SIZE_CLASS'"):
        client.rows(flow("oecd_sdbs"), {"SIZECLASS": "_T"})
    with pytest.raises(UnknownLabelError, match="did you mean 'oecd_sdbs'"):
        flow("oecd_sbs")


def test_order_of_dimensions_is_asked_where_it_is_not_known(publisher, client):
    asked = flow("eurostat_sbs", publisher.address("/rest"))
    assert asked.dimensions == ()
    publisher.pages["/rest/datastructure/ESTAT/SBS_SC_OVW/latest"] = Page(
        (SAMPLES / "eurostat_sbs_structure.xml").read_bytes(), kind="application/xml"
    )
    assert client.dimensions(asked) == ("freq", "indic_sbs", "nace_r2", "size_emp", "geo")
    serve(publisher, "/rest/data/ESTAT,SBS_SC_OVW,1.0/A.AV_MEUR...EL", "eurostat_sbs.csv")
    assert len(client.rows(asked, {"freq": "A", "indic_sbs": "AV_MEUR", "geo": "EL"})) == 7
    assert publisher.asked("/rest/datastructure/ESTAT/SBS_SC_OVW/latest") == 1


def test_damaged_structure(publisher, client):
    publisher.pages["/rest/datastructure/ESTAT/SBS_SC_OVW/latest"] = Page(b"<broken", kind="application/xml")
    with pytest.raises(FetchError, match="cannot be read"):
        client.dimensions(flow("eurostat_sbs", publisher.address("/rest")))


def test_flows_are_complete():
    for name, found in flows().items():
        assert found.status in {"seen", "unverified"}, name
        assert found.status == "seen" or found.doubts, name
        assert found.provider.licence, name
        assert found.provider.endpoint.startswith("https://"), name
    assert flows()["oecd_sdbs"].provider.queries_per_hour == 60


def test_limit_waits_until_an_hour_has_passed(tmp_path):
    clock = Clock()
    limit = HourlyLimit(tmp_path / "l.json", 3, clock=clock, sleep=clock.sleep)
    for _ in range(3):
        limit.wait()
        clock.now += 60
    limit.wait()
    assert clock.slept == [pytest.approx(HOUR - 180)]
    assert len(json.loads((tmp_path / "l.json").read_text())) == 3


def test_limit_is_shared_by_programs_and_refuses_long_waits(tmp_path):
    clock = Clock()
    first = HourlyLimit(tmp_path / "l.json", 1, clock=clock, sleep=clock.sleep)
    first.wait()
    second = HourlyLimit(tmp_path / "l.json", 1, longest_wait=10, clock=clock, sleep=clock.sleep)
    with pytest.raises(FetchError, match="in 60 minutes"):
        second.wait()


def test_limit_counts_every_thread(tmp_path):
    clock = Clock()
    limit = HourlyLimit(tmp_path / "l.json", 100, clock=clock, sleep=clock.sleep)
    threads = [threading.Thread(target=limit.wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads((tmp_path / "l.json").read_text())) == 8


def test_client_counts_queries_against_the_limit(publisher, store):
    clock = Clock()
    limit = HourlyLimit(store.root / "l.json", 1, longest_wait=1, clock=clock, sleep=clock.sleep)
    client = SdmxClient(store, limits={"oecd": limit})
    serve(publisher, SDBS + "..VALU...", "sdbs_valu.csv")
    asked = flow("oecd_sdbs", publisher.address("/rest"))
    client.rows(asked, {"MEASURE": "VALU"})
    client.rows(asked, {"MEASURE": "VALU"})
    with pytest.raises(FetchError, match="1 queries an hour"):
        client.rows(asked, {"MEASURE": "EMPN"})


def test_samples_are_rectangular():
    for path in SAMPLES.glob("*.csv"):
        with path.open() as handle:
            lengths = {len(row) for row in csv.reader(handle)}
        assert len(lengths) == 1, path.name
