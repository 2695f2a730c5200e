"""A public network on a loopback port: what is asked, how rarely, and what becomes of every way it can fail."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from tests.acquisition.sinks import RecordingSink
from tests.acquisition.web_server import answer, serving
from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers import ndbc, noaa_coops, sensorthings, usgs
from nilometer.acquisition.links.web_service import WebService
from nilometer.acquisition.protocols.telemetry import moment
from nilometer.acquisition.simulators import simulators
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.simulator import Fault
from nilometer.errors import LinkError

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOON = moment("2026-01-10T12:00:00Z")
FAST = {"poll_interval_s": 0.02, "timeout_s": 2.0, "reconnect_first_s": 0.01, "reconnect_longest_s": 0.02}


def document(*rows, site="01646500", unit="deg C"):
    values = [{"value": v, "qualifiers": [q], "dateTime": t} for t, v, q in rows]
    variable = {"variableCode": [{"value": "00010"}], "unit": {"unitCode": unit}, "noDataValue": -999999.0}
    return json.dumps({"value": {"timeSeries": [{"variable": variable, "values": [{"value": values}]}]}})


FINE = answer(document(("2026-01-10T11:45:00Z", "4.5", "P")))


@asynccontextmanager
async def working(module, server, clock=lambda: NOON, sink=None, base="", **options):
    sink = RecordingSink() if sink is None else sink
    made = module.DRIVER.options.model_validate({"base_url": server.url + base, **FAST, **options})
    task = asyncio.create_task(module.DRIVER.make(made, clock).run(sink))
    try:
        yield sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def details(sink):
    return [report.detail for report in sink.reports]


def spans(server, begin="startDT", end="endDT"):
    return [(question.query[begin], question.query[end]) for question in server.asked]


FAULTS = {
    "cut in mid-body": (FINE[:-40], SourceState.DISCONNECTED, "cut off"),
    "hung up": (b"", SourceState.DISCONNECTED, "cut off"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9\r\n", SourceState.DISCONNECTED, "cut off"),
    "500": (answer("oops", "text/plain", "500 Internal Server Error"), SourceState.DISCONNECTED, "500"),
    "garbled": (answer(document()[:-9]), SourceState.SILENT, "json"),
    "a page": (answer("<!DOCTYPE html><h1>Maintenance</h1>", "text/html"), SourceState.SILENT, "page for people"),
    "refused": (answer("", "text/html", "400 No sites match"), SourceState.SILENT, "400 No sites match"),
    "a circle": (lambda q: answer("", status="302 Found", Location=q.path), SourceState.SILENT, "round in circles"),
    "no data": (answer(json.dumps({"value": {"timeSeries": []}})), SourceState.SILENT, "has no values"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_named_and_over_when_it_is_over(fault):
    said, state, words = FAULTS[fault]
    async with serving(lambda _: FINE) as server:
        # A circle is walked six times before it is given up.
        server.script = [said] * (6 if callable(said) else 1)
        async with working(usgs, server, sites=["01646500"]) as sink:
            await sink.until(lambda: any(words in detail for detail in details(sink)))
            assert any(report.state is state and words in report.detail for report in sink.reports)
            await sink.until_rows(1)
            await sink.until_said(SourceState.LIVE)


async def test_a_service_that_asks_to_be_left_alone_is_left_alone():
    async with serving(lambda _: FINE) as server:
        server.script = [answer("slow down", "text/plain", "429 Too Many Requests", Retry_After="120")]
        async with working(usgs, server, sites=["01646500"]) as sink:
            await sink.until(lambda: any("slow down; trying again in 120.0 s" in detail for detail in details(sink)))
        assert len(server.asked) == 1
        assert server.asked[0].headers["user-agent"].startswith("nilometer/")


async def test_a_slow_answer_is_given_up_and_the_others_are_asked_all_the_same():
    async def mute(reader, writer):
        await reader.read()
        writer.close()

    gate = await asyncio.start_server(mute, "127.0.0.1", 0)
    elsewhere = f"http://127.0.0.1:{gate.sockets[0].getsockname()[1]}/"

    def of_site(question):
        if question.query["sites"] == "1":
            return answer("", status="301 Moved Permanently", Location=elsewhere)
        return FINE

    async with serving(of_site) as server:
        async with working(usgs, server, sites=["1", "2"], timeout_s=0.1) as sink:
            await sink.until_rows(1)
            assert sink.batches[0].channels[0].key == "2/00010"
            assert any("no answer within 0.1 s" in detail for detail in details(sink))
    gate.close()


async def test_history_then_only_what_is_new_then_what_an_outage_left_out():
    now = [NOON]
    async with serving(lambda _: FINE) as server:
        async with working(usgs, server, lambda: now[0], sites=["01646500"], history_days=3, overlap_h=2) as sink:
            await sink.until_rows(2)
        assert spans(server)[0] == ("2026-01-07T12:00:00Z", "2026-01-10T12:00:00Z")
        assert spans(server)[1] == ("2026-01-10T09:45:00Z", "2026-01-10T12:00:00Z")
        server.asked.clear()
        now[0] += 300 * DAY  # We were away; the store remembers how far we had come.
        async with working(usgs, server, lambda: now[0], sink, sites=["01646500"], overlap_h=2):
            await eventually(lambda: len(server.asked) >= 3)
        first, second, third = spans(server)[:3]
        assert first == ("2026-01-10T09:45:00Z", "2026-05-10T09:45:00Z")
        assert second[0] == first[1]
        assert third[1] == "2026-11-06T12:00:00Z"


async def test_a_longer_span_is_read_again_for_what_was_approved_meanwhile():
    now = [NOON]
    async with serving(lambda _: FINE) as server:
        async with working(usgs, server, lambda: now[0], sites=["01646500"], revisit_days=40) as sink:
            await sink.until_rows(1)
            now[0] += 25 * HOUR
            await sink.until(lambda: "2025-12-02T13:00:00Z" in [begin for begin, _ in spans(server)])
            await sink.until_rows(len(sink.batches) + 2)
        assert [begin for begin, _ in spans(server)].count("2025-12-02T13:00:00Z") == 1


async def test_a_limit_is_censored_and_a_site_that_fell_silent_is_said_to_be():
    old = answer(document(("2026-01-09T11:45:00Z", "4.5", "<")))
    async with serving(lambda _: old) as server:
        async with working(usgs, server, sites=["01646500"]) as sink:
            await sink.until_rows(1)
            await sink.until(lambda: any("newest value is of 2026-01-09T11:45:00Z" in one for one in details(sink)))
    batch = sink.batches[0]
    assert batch.censored.tolist() == [-1]
    assert list(batch.mark) == ["<"]


async def test_coops_asks_each_product_for_a_month_at_most_in_metric_units_and_gmt():
    def of_product(question):
        row = {"t": "2026-01-10 11:54", "v": "0.4", "s": "0.01", "f": "0,0,0,0", "q": "p"}
        return answer(json.dumps({"data": [row]}))

    async with serving(of_product) as server:
        options = {"stations": ["8454000"], "products": ["water_level", "conductivity"], "history_days": 40}
        async with working(noaa_coops, server, **options) as sink:
            await eventually(lambda: len(server.asked) >= 4)
    asked = server.asked
    assert asked[0].path == "/datagetter"
    told = {"units": "metric", "time_zone": "gmt", "format": "json", "application": "nilometer", "station": "8454000"}
    assert told.items() <= asked[0].query.items()
    assert [question.query.get("datum") for question in asked[:2]] == ["MLLW", None]
    assert spans(server, "begin_date", "end_date")[0] == ("20251201 12:00", "20251231 12:00")
    assert spans(server, "begin_date", "end_date")[2] == ("20251231 12:00", "20260110 12:00")
    channels = {channel.key: channel.unit for channel in sink.batches[-1].channels}
    assert channels["water_level"] == "m"


async def test_a_file_that_did_not_change_is_not_sent_again():
    head = "#YY  MM DD hh mm WTMP\n#yr  mo dy hr mn degC\n"

    def file(question):
        if question.headers.get("if-none-match") == '"v1"':
            return b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n'
        return answer(head + "2026 01 10 11 50 4.5\n2025 12 01 00 00 9.5\n", "text/plain", ETag='"v1"')

    async with serving(file) as server:
        async with working(ndbc, server, stations=["44013"]) as sink:
            await eventually(lambda: len(server.asked) >= 4)
        assert server.asked[0].path == "/44013.txt"
        assert len(sink.batches) == 1
        assert sink.batches[0].raw_result.tolist() == [4.5]  # What is older than history_days is left out.


def stream_of(question):
    listed = {
        "@iot.id": 7,
        "name": "temperature",
        "unitOfMeasurement": {"symbol": "degC"},
        "ObservedProperty": {"name": "water_temperature"},
        "Thing": {"@iot.id": 3},
    }
    if not question.path.endswith("Observations"):
        return answer(json.dumps({"value": [listed]}))
    skip = int(question.query.get("$skip", "0"))
    value = {"phenomenonTime": f"2026-01-10T11:0{skip}:00Z", "result": skip}
    document = {"value": [value]}
    if skip < 3:
        document["@iot.nextLink"] = f"http://frost.internal:8080/FROST/v1.1/Things?$skip={skip + 1}"
    return answer(json.dumps(document))


async def test_pages_are_followed_on_the_host_that_was_asked_and_no_other():
    async with serving(stream_of) as server:
        async with working(sensorthings, server, base="/v1.1", things=[3], token="secret") as sink:
            await sink.until(lambda: sum(len(batch) for batch in sink.batches) >= 4)
        paths = [question.path for question in server.asked]
        assert paths[0] == "/v1.1/Things(3)/Datastreams"
        assert set(paths[1:5]) == {"/v1.1/Datastreams(7)/Observations"}
        assert server.asked[0].headers["authorization"] == "Bearer secret"
        assert server.asked[1].query["$filter"].startswith("phenomenonTime ge 2026-01-03T12:00:00Z")
    assert sink.batches[0].channels[0].key == "3/7"
    assert [value for batch in sink.batches[:4] for value in batch.raw_result] == [0.0, 1.0, 2.0, 3.0]


async def test_a_next_page_that_was_there_before_ends_the_walk():
    def again(question):
        if not question.path.endswith("Observations"):
            return stream_of(question)
        return answer(json.dumps({"value": [], "@iot.nextLink": "?$skip=1"}))

    async with serving(again) as server:
        async with working(sensorthings, server, datastreams=[7]) as sink:
            await sink.until(lambda: any("was there before" in detail for detail in details(sink)))


async def test_a_key_is_never_sent_to_where_we_are_redirected():
    async with serving(lambda _: FINE) as other, serving(lambda _: FINE) as server:
        server.script = [answer("", status="302 Found", Location=f"{other.url}/iv/")]
        async with working(usgs, server, sites=["1"], api_key="secret") as sink:
            await sink.until_rows(1)
    assert server.asked[0].headers["x-api-key"] == "secret"
    assert "x-api-key" not in other.asked[0].headers


async def test_no_answer_is_longer_than_what_is_taken():
    async with serving(lambda _: answer(b" " * 5000)) as server:
        web = WebService(server.url, most_bytes=4096)
        with pytest.raises(LinkError, match="longer than 4096 bytes"):
            await web.get(server.url)
        await web.close()


def test_options_that_cannot_work_are_refused():
    for module, options in (
        (usgs, {"sites": []}),
        (usgs, {"sites": ["1"], "parameters": ["60"]}),
        (noaa_coops, {"stations": ["1"], "products": ["tides"]}),
        (noaa_coops, {"stations": ["1"], "products": ["water_level", "hourly_height"]}),
        (sensorthings, {"base_url": "http://x"}),
        (ndbc, {"stations": ["44013"], "history_days": 100}),
    ):
        with pytest.raises(ValueError):
            module.DRIVER.options.model_validate(options)


async def test_the_newer_usgs_service_is_asked_by_parameter_and_read_to_its_last_page():
    def items(question):
        told = {
            **{"parameter_code": question.query.get("parameter_code", "00065"), "time_series_id": "ab" * 16},
            **{"time": "2026-01-10T11:45:00+00:00", "value": "4.5", "approval_status": "Provisional"},
            "unit_of_measure": "ft",
        }
        links = [] if "cursor" in question.query else [{"rel": "next", "href": f"{question.path}?cursor=2"}]
        return answer(json.dumps({"features": [{"properties": told}], "links": links}))

    async with serving(items) as server:
        options = {"service": "ogcapi", "sites": ["01646500"], "parameters": ["00065"], "api_key": "k"}
        async with working(usgs, server, base="/ogcapi/v0", **options) as sink:
            await sink.until_rows(2)
    first, second = server.asked[:2]
    assert first.path == second.path == "/ogcapi/v0/collections/continuous/items"
    asked = {"monitoring_location_id": "USGS-01646500", "parameter_code": "00065", "f": "json"}
    assert asked.items() <= first.query.items()
    assert first.query["time"] == "2026-01-03T12:00:00Z/2026-01-10T12:00:00Z"
    assert second.query == {"cursor": "2"}
    assert first.headers["x-api-key"] == second.headers["x-api-key"] == "k"
    batch = sink.batches[0]
    assert (batch.channels[0].key, batch.channels[0].observed_property) == ("00065.abababab", "water_level")
    assert list(batch.mark) == ["P"]


@pytest.mark.parametrize("kind", ["late", "duplicate", "out_of_order"])
async def test_a_virtual_service_can_be_late_say_twice_and_disorder(kind):
    fault = Fault(kind, 0.0, 1e6, amount=3600.0)
    simulator = simulators()["usgs"].make(None, ConstantFeed({"ph": 7.4}), lambda: NOON, [fault], step_s=600)
    made = usgs.DRIVER.options.model_validate({**await simulator.start(), **FAST, "history_days": 0.125})
    sink = RecordingSink()
    tasks = [asyncio.create_task(simulator.run()), asyncio.create_task(usgs.make(made, lambda: NOON).run(sink))]
    await sink.until_rows(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    times = sink.batches[0].phenomenon_time.tolist()
    assert (max(times) == NOON - HOUR) is (kind == "late")
    assert (len(set(times)) * 2 == len(times)) is (kind == "duplicate")
    assert (times == sorted(times, reverse=True)) is (kind == "out_of_order")
