"""Values that are missing, and samples of standards: taken as they are served."""

from __future__ import annotations

import pytest

from nilometer.model import SampleKind
from tests.web.conftest import NOON, open_station
from tests.web.sensorthings.test_changes import DATASTREAM, POINT, TIMES, make, send, whole


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
async def test_a_value_that_is_missing_is_null_however_it_comes(backend, request, tmp_path):
    url = request.getfixturevalue("postgres").database() if backend == "postgresql" else None
    async with open_station(tmp_path, catalog_url=url) as station:
        path = "Datastreams(1)/Observations"
        one = await make(station, path, {"result": None, "phenomenonTime": TIMES[0]})
        other = await make(station, path, {"result": 7.5, "phenomenonTime": TIMES[1]})
        deep = {**whole((None, 1)), "name": "Other"}
        await make(station, "Things", deep)
        groups = [
            {
                "Datastream": {"@iot.id": 1},
                "components": ["phenomenonTime", "result", *more],
                "dataArray": [[TIMES[2], None, *cells], [TIMES[2], 3, *cells]],
            }
            for more, cells in (([], []), (["parameters"], [{"a": 1}]))
        ]
        links = await send(station, "POST", "CreateObservations", groups, 201)
        assert not [link for link in links if link.startswith("error")]
        await send(station, "PATCH", f"Observations({other})", {"result": None})
        found = (await station.json("/v1.1/Observations"))["value"]
        assert [item["result"] for item in found] == [None, None, None, 3, None, 3, None, 1]
        assert found[0]["resultQuality"]["flag"] == 9
        assert (await station.json(f"/v1.1/Observations({one})"))["result"] is None
        assert (await station.client.get(f"/v1.1/Observations({one})/result")).status_code == 204
        nothing = (await station.json("/v1.1/Observations?$filter=result eq null&$count=true"))["@iot.count"]
        assert nothing == 5
        await send(station, "PUT", f"Observations({one})", {"result": 4.25, "phenomenonTime": TIMES[0]})
        assert (await station.json(f"/v1.1/Observations({one})"))["result"] == 4.25
        await send(station, "PUT", f"Observations({one})", {"phenomenonTime": TIMES[0]}, 400)
        await send(station, "POST", path, {"phenomenonTime": TIMES[0]}, 400)


async def test_a_text_is_not_missing_where_no_profile_asks_for_a_number(tmp_path):
    async with open_station(tmp_path) as station:
        judged, free = 1, 5
        for stream, expected in ((judged, [9, 9, 9]), (free, [2, 2, 2])):
            results = ["turbid", {"class": "III"}, True]
            group = {
                "Datastream": {"@iot.id": stream},
                "components": ["phenomenonTime", "result"],
                "dataArray": list(zip(TIMES, results, strict=True)),
            }
            await send(station, "POST", "CreateObservations", [group], 201)
            shown = (await station.json(f"/v1.1/Datastreams({stream})/Observations"))["value"]
            assert [one["result"] for one in shown] == results
            assert [one["resultQuality"]["flag"] for one in shown] == expected
        single = await make(station, f"Datastreams({free})/Observations", {"result": "clear"})
        assert (await station.json(f"/v1.1/Observations({single})"))["resultQuality"]["flag"] == 2
        await send(station, "PATCH", f"Observations({single})", {"result": None})
        assert (await station.json(f"/v1.1/Observations({single})"))["resultQuality"]["flag"] == 9


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
async def test_a_sample_comes_back_as_it_is_read_and_is_no_water(backend, request, tmp_path):
    url = request.getfixturevalue("postgres").database() if backend == "postgresql" else None
    async with open_station(tmp_path, catalog_url=url) as station:
        await station.ingest("river/ph", NOON, [4.0], feature=station.sample("river/ph", SampleKind.CHECK, 1))
        (read,) = (await station.json("/v1.1/Observations?samples=all&$expand=FeatureOfInterest"))["value"]
        feature = {name: value for name, value in read["FeatureOfInterest"].items() if "@" not in name}
        assert (feature["feature"], feature["properties"]["nilometer"]["sample_kind"]) == (None, "check")
        made = await make(station, "FeaturesOfInterest", feature)
        again = await station.json(f"/v1.1/FeaturesOfInterest({made})")
        assert {name: again[name] for name in feature} == feature
        body = {"result": 4.1, "phenomenonTime": TIMES[0], "FeatureOfInterest": {"@iot.id": made}}
        await make(station, "Datastreams(1)/Observations", body)
        assert (await station.json("/v1.1/Observations"))["value"] == []
        await send(station, "PATCH", f"FeaturesOfInterest({made})", {"properties": feature["properties"]})
        for kind, place in (
            ("water", "$.properties.nilometer.sample_kind"),
            ("soup", "$.properties.nilometer.sample_kind"),
        ):
            refused = {"properties": {"nilometer": {"sample_kind": kind}}}
            told = await send(station, "PATCH", f"FeaturesOfInterest({made})", refused, 400)
            assert told["error"]["place"] == place


async def test_who_says_what_an_observation_speaks_of_has_no_other_place_made(station):
    thing = {"name": "Afloat", "description": "", "Datastreams": [DATASTREAM]}
    stream = (await station.json(f"/v1.1/Things({await make(station, 'Things', thing)})/Datastreams"))["value"][0]
    spot = {"name": "here", "description": "", "encodingType": "application/geo+json", "feature": POINT}
    body = {"result": 1, "FeatureOfInterest": spot}
    await make(station, f"Datastreams({stream['@iot.id']})/Observations", body)
    features = (await station.json("/v1.1/FeaturesOfInterest"))["value"]
    assert [one["name"] for one in features] == ["here"]
