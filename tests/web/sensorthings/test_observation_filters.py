"""What filters and orders say of Observations: times, any JSON, qualities, and what they belong to."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.web.sensorthings.grammar import parse_expression
from nilometer.web.times import parse_interval
from tests.web.conftest import open_station
from tests.web.sensorthings.oracle import Moment, Oracle, Row

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY = "2016-01-01T"
INSTANTS = ("06:00", "06:59", "07:00", "07:01", "07:59", "08:00", "08:01", "09:00")
SPANS = (
    *("06:00/06:59", "06:00/07:00", "06:00/07:01", "07:00/08:00", "07:01/07:59", "07:59/09:00", "08:00/09:00"),
    *("08:01/09:00", "06:59/08:01", "07:00/07:59", "07:00/08:01", "06:59/08:00", "07:01/08:00"),
)
AROUND = (
    ("2015-01-01T06:00:00Z", "2015-01-01T06:00:00Z"),
    ("2017-01-01T09:00:00Z", "2017-01-01T09:00:00Z"),
    ("2015-01-01T06:00:00Z/2015-01-01T07:00:00Z", "2015-01-01T06:00:00Z"),
    ("2017-01-01T09:00:00Z/2017-01-01T10:00:00Z", "2017-01-01T10:00:00Z"),
)
"""The Observations of FROST-Server's DateTimeTests (2.x, c03filtering), by their numbers there."""
RESULTS = [1.5, -3, 20, "20", "high", True, False, {"a": 1}, {"a": "x"}, [1, 2], 9, 12.5, 2**60 + 1, "", "é"]


def at(text):
    return "/".join(f"{DAY}{part}:00Z" for part in text.split("/"))


def documents():
    for text in INSTANTS:
        yield {"phenomenonTime": at(text), "resultTime": at(text)}
    for text in SPANS:
        yield {"phenomenonTime": at(text), "validTime": at(text)}
    for phenomenon_time, result_time in AROUND:
        found = {"phenomenonTime": phenomenon_time, "resultTime": result_time}
        yield found | ({"validTime": phenomenon_time} if "/" in phenomenon_time else {})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observed(tmp_path_factory):
    async with open_station(tmp_path_factory.mktemp("station")) as station:
        number = station.id("sea/free")
        station.made["ids"] = []
        for n, document in enumerate(documents()):
            body = document | {"result": RESULTS[n % len(RESULTS)], "parameters": {"n": n, "half": n / 2, "t": f"p{n}"}}
            if n % 3 == 1:
                body["resultQuality"] = [{"qc": n}, "good", n][n % 9 // 3]
            answer = await station.client.post(f"/v1.1/Datastreams({number})/Observations", json=body)
            assert answer.status_code == 201, answer.text
            station.made["ids"].append(int(answer.headers["location"].rpartition("(")[2].rstrip(")")))
        yield station


async def numbers(station, condition, **options):
    rest = "".join(f"&${name}={quote(value)}" for name, value in options.items())
    path = f"/v1.1/Datastreams({station.id('sea/free')})/Observations?$top=100&$count=true&$filter={quote(condition)}"
    page = await station.json(path + rest)
    found = [station.made["ids"].index(item["@iot.id"]) for item in page["value"]]
    assert page["@iot.count"] == len(found)
    return found


T7, I78 = at("07:00"), at("07:00/08:00")
BEFORE_7, AFTER_7, AFTER_78 = [0, 1, 21, 23], [3, 4, 5, 6, 7, 22, 24], [5, 6, 7, 22, 24]
TABLE = {
    # what is asked: resultTime, validTime and phenomenonTime towards 07:00, then towards 07:00/08:00
    "{} lt {}": (BEFORE_7, [8, 9, 23], BEFORE_7, [8, 9, 23]),
    "{} gt {}": (AFTER_7, [12, 13, 14, 15, 20, 24], AFTER_78, [14, 15, 24]),
    "{} le {}": ([0, 1, 2, 21, 23], [8, 9, 23], [0, 1, 2, 21, 23], [8, 9, 10, 11, 17, 19, 23]),
    "{} ge {}": ([2, *AFTER_7], [11, 12, 13, 14, 15, 17, 18, 20, 24], AFTER_78, [11, 13, 14, 15, 18, 20, 24]),
    "{} eq {}": ([2], [], [], [11]),
    "before({},{})": (BEFORE_7, [8, 9, 23], BEFORE_7, [8, 9, 23]),
    "after({},{})": (AFTER_7, [12, 13, 14, 15, 20, 24], AFTER_78, [14, 15, 24]),
    "meets({},{})": ([2], [9, 11, 17, 18], [2, 5], [9, 14]),
    "overlaps({},{})": ([2], [10, 11, 16, 17, 18, 19], [2, 3, 4], [10, 11, 12, 13, 16, 17, 18, 19, 20]),
    "starts({},{})": ([2], [11, 17, 18], [2], [11, 17, 18]),
    "finishes({},{})": ([2], [9], [5], [11, 19, 20]),
    "during({},{})": (None, None, [2, 3, 4], [11, 12, 17, 20]),
}
MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "before": "after", "after": "before"}


@pytest.mark.parametrize("asked", TABLE)
async def test_times_relate_as_in_the_reference_server(observed, asked):
    results_7, valid_7, results_78, valid_78 = TABLE[asked]
    # Of those with a resultTime 23 and 24 have an interval too, and are found by that.
    literals = [(T7, results_7, valid_7), (I78, results_78, valid_78)]
    for literal, results, valid in literals["during" in asked :]:
        assert sorted(await numbers(observed, asked.format("resultTime", literal))) == results
        assert sorted(await numbers(observed, asked.format("validTime", literal))) == valid
        of_instants = [n for n in results if n < 8 or n in {21, 22}]
        both = sorted({*of_instants, *valid})
        assert sorted(await numbers(observed, asked.format("phenomenonTime", literal))) == both
        if "during" not in asked:
            mirrored = next((asked.replace(a, b) for a, b in MIRRORED.items() if a in asked), asked)
            assert sorted(await numbers(observed, mirrored.format(literal, "phenomenonTime"))) == both


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"during({T7},phenomenonTime)", [10, 11, 16, 17, 18, 19]),
        (f"during({I78},validTime)", [11, 16, 18, 19]),
        ("year(phenomenonTime) eq 2015", [21, 23]),
        ("month(validTime) eq 1 and year(validTime) eq 2017", [24]),
        ("hour(phenomenonTime) eq 6 and minute(phenomenonTime) eq 59", [1, 16, 19]),
        ("date(phenomenonTime) eq 2015-01-01", [21, 23]),
        ("time(resultTime) gt 09:30", [24]),
        ("time(resultTime) eq 07:01:00", [3]),
        ("phenomenonTime lt 2016-01-01", [21, 23]),
        (f"resultTime add duration'PT1H' gt {at('09:00')}", [6, 7, 22, 24]),
        (f"validTime sub duration'PT1H' gt {T7}", [15, 24]),
        (f"resultTime lt {at('06:00/07:00')} add duration'PT1H'", [0, 1, 21, 23]),
        (f"phenomenonTime sub {at('08:00')} eq duration'PT1H'", [7]),
        (f"({at('08:00')} sub resultTime) mul 2 eq duration'PT2H'", [2]),
        (f"not resultTime lt {T7} and not resultTime ge {at('08:00')}", [2, 3, 4]),
        ("resultTime lt now() and resultTime gt mindatetime() and day(resultTime) ne 1", []),
        ("totaloffsetminutes(resultTime) eq 0 and fractionalseconds(resultTime) eq 0 and second(resultTime) gt 0", []),
        ("result eq 20", [2, 17]),
        ("result eq '20'", [3, 18]),
        ("result eq true", [5, 20]),
        ("result", [5, 20]),
        ("result/a eq 1", [7, 22]),
        ("result/a eq 'x'", [8, 23]),
        ("length(result) eq 4", [4, 19]),
        ("toupper(result) eq 'É'", [14]),
        ("result gt 12 and result lt 1e15", [2, 17, 11]),
        ("result eq null", []),
        ("round(result div 2) eq -2", [1, 16]),
        ("parameters/n gt 22", [23, 24]),
        ("parameters/half eq 3.5 or parameters/t eq 'p8'", [7, 8]),
        ("parameters/n eq parameters/half mul 2 and parameters/n lt 2", [0, 1]),
        ("parameters/n eq 'p1'", []),
        ("resultQuality eq 'good'", [4, 13, 22]),
        ("resultQuality/qc eq 1", [1]),
        ("resultQuality eq 7", [7]),
        ("Datastream/Thing/name eq 'Sea & shore' and parameters/n eq 3", [3]),
        ("length(Datastream/Thing/name) add parameters/n eq 15", [4]),
        ("Datastream/Thing/Datastreams/ObservedProperty/name eq 'pH'", []),
        ("Datastream/Thing/Datastreams/any(d: d/id eq 4) and parameters/n lt 1", [0]),
        ("FeatureOfInterest/name ne null and parameters/n lt 2", [0, 1]),
        ("geo.distance(FeatureOfInterest/feature, geography'POINT(122 31)') eq 1 and parameters/n eq 0", [0]),
        ("st_within(FeatureOfInterest/feature, geography'POLYGON((0 0, 1 0, 1 1, 0 0))')", []),
    ],
)
async def test_filters_over_observations(observed, condition, expected):
    assert sorted(await numbers(observed, condition)) == sorted(expected)


@pytest.mark.parametrize(
    ("by", "first"),
    [
        ("parameters/half desc", [24, 23, 22]),
        ("result", [1, 16, 0, 15]),
        ("result desc,parameters/n", [12, 2, 17, 11]),
        ("length(parameters/t) desc,parameters/n", [10, 11]),
        ("minute(phenomenonTime) desc,phenomenonTime desc", [13, 4]),
        ("phenomenonTime desc", [24, 22]),
        ("parameters/n sub 10 mul 3,id", [0, 1, 2]),
        ("Datastream/Thing/name,parameters/n desc", [24, 23]),
        ("-parameters/n", [24, 23]),
    ],
)
async def test_orders_over_observations(observed, by, first):
    assert (await numbers(observed, "true", orderby=by))[: len(first)] == first


@pytest.mark.parametrize(
    ("path", "n"),
    [
        ("Things?$filter=Datastreams/Observations/result eq 'high'", 1),
        ("Things?$filter=Datastreams/Observations/parameters/n gt 99", 0),
        ("Datastreams?$filter=Observations/result gt 1 and Observations/parameters/n eq 2", 1),
        ("Datastreams?$filter=Observations/result eq 20 and Observations/parameters/n eq 3", 0),
        ("Datastreams?$filter=not Observations/any()", 4),
        ("Datastreams?$filter=Observations/any(o: o/parameters/n eq id)", 1),
        ("Datastreams?$filter=Observations/id eq null", 4),
        ("FeaturesOfInterest?$filter=Observations/Datastream/Thing/name eq 'Sea %26 shore'", 1),
        ("Datastreams?$filter=phenomenonTime gt 2016-01-01T00:00:00Z", 0),
        ("Datastreams?$filter=year(phenomenonTime) eq 2015", 1),
        ("Datastreams?$filter=phenomenonTime eq null", 4),
        ("Datastreams?$filter=overlaps(phenomenonTime,2016-01-01T06:00:00Z/2016-01-01T07:00:00Z)", 1),
        ("Datastreams?$filter=geo.distance(observedArea, geography'POINT(122 29)') lt 2", 1),
        ("Things?$filter=geo.distance(Locations/location, geography'POINT(122 29)') lt 2", 1),
        ("Locations?$orderby=geo.distance(location, geography'POINT(122 29)')&$top=1", 1),
        ("Things?$expand=Locations($orderby=geo.distance(location, geography'POINT(122 29)'))", 2),
        ("Locations?$filter=st_relate(location, geography'POINT(122 30)', 'T*F**FFF*')", 1),
        ("Locations?$filter=geo.length(location) eq 0 and geo.intersects(geography'POINT(122 30)', location)", 1),
        ("Datastreams?$orderby=phenomenonTime desc,id", 5),
    ],
)
async def test_entities_are_asked_what_their_observations_and_places_say(observed, path, n):
    assert len((await observed.json(f"/v1.1/{path}"))["value"]) == n


LEAVES = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.sampled_from(
            ["result", "parameters/n", "parameters/half mul 2", "result add parameters/n", "id", "result/a"]
        ),
        st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]),
        st.sampled_from(["1.5", "20", "'20'", "true", "null", "parameters/n", "parameters/t", "result"]),
    ),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["phenomenonTime", "resultTime", "validTime"]),
        st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]),
        st.sampled_from([T7, I78, at("08:00"), at("06:59/08:00"), "null", "phenomenonTime", "resultTime"]),
    ),
    st.builds(
        "{}({},{})".format,
        st.sampled_from(["startswith", "contains"]),
        st.sampled_from(["result", "parameters/t"]),
        st.sampled_from(["''", "'p1'", "'h'", "result"]),
    ),
)
CONDITIONS = st.lists(
    st.one_of(LEAVES, st.builds("not ({})".format, LEAVES), st.builds("({} or {})".format, LEAVES, LEAVES)),
    min_size=1, max_size=3,
).map(" and ".join)  # fmt: skip


@given(CONDITIONS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_columns_say_what_the_oracle_says(observed, condition):
    rows = []
    everything = (await observed.json(f"/v1.1/Datastreams({observed.id('sea/free')})/Observations?$top=100"))["value"]
    for item in everything:
        times = {name: item.get(name) for name in ("phenomenonTime", "resultTime", "validTime")}
        spans = {name: parse_interval(text) for name, text in times.items() if text}
        moments = {name: Moment(start, start + length) for name, (start, length) in spans.items()}
        rows.append(Row({**item, "id": item["@iot.id"], **dict.fromkeys(times), **moments}))
    tree = parse_expression(condition)
    wanted = [observed.made["ids"].index(row.values["id"]) for row in rows if Oracle(row).holds(tree) is True]
    assert sorted(await numbers(observed, condition)) == sorted(wanted)


async def test_an_observation_that_runs_over_the_end_is_left_out_of_pages_and_counts(observed):
    ended = await numbers(observed, f"phenomenonTime le {at('08:00')}", orderby="phenomenonTime desc")
    assert {13, 16, 18}.isdisjoint(ended)
    path = f"/v1.1/Datastreams({observed.id('sea/free')})/Observations?$top=1&$filter=phenomenonTime le {at('08:00')}"
    seen, link = [], path
    while link:
        page = await observed.json(link)
        seen += [observed.made["ids"].index(item["@iot.id"]) for item in page["value"]]
        link = page.get("@iot.nextLink")
    assert sorted(seen) == sorted(ended)
    assert len(seen) == len(set(seen))
