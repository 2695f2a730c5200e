"""The area and the times of a Datastream follow from its Observations, and can be asked of."""

from __future__ import annotations

import pytest

from nilometer.web.sensorthings.query import dialects
from tests.web.conftest import open_station
from tests.web.sensorthings.test_changes import TIMES, make, send


def place(*at):
    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": list(at)}}
    return {"name": "here", "description": "", "encodingType": "application/geo+json", "feature": feature}


async def test_a_datastream_spans_the_places_and_result_times_of_its_observations(tmp_path):
    async with open_station(tmp_path) as station:
        rows = [((8.0, 51.0), TIMES[1]), ((9.0, 51.0), TIMES[0]), ((8.5, 53.0), TIMES[2])]
        numbers, shown = [], []
        for n, (at, time) in enumerate(rows):
            feature = await make(station, "FeaturesOfInterest", place(*at))
            body = {"result": n, "phenomenonTime": TIMES[n], "resultTime": time}
            body["FeatureOfInterest"] = {"@iot.id": feature}
            numbers.append(await make(station, "Datastreams(1)/Observations", body))
            shown.append(await station.json("/v1.1/Datastreams(1)"))
        assert shown[0]["observedArea"] == {"type": "Point", "coordinates": [8.0, 51.0]}
        assert shown[1]["observedArea"] == {"type": "LineString", "coordinates": [[8.0, 51.0], [9.0, 51.0]]}
        ring = [[8.0, 51.0], [9.0, 51.0], [9.0, 53.0], [8.0, 53.0], [8.0, 51.0]]
        assert shown[2]["observedArea"] == {"type": "Polygon", "coordinates": [ring]}
        assert [one["resultTime"] for one in shown] == [
            f"{TIMES[1]}/{TIMES[1]}",
            f"{TIMES[0]}/{TIMES[1]}",
            f"{TIMES[0]}/{TIMES[2]}",
        ]
        for asked in (
            f"$filter=resultTime ge {TIMES[0]} and geo.intersects(observedArea, geography'POINT(8.6 52)')",
            f"$filter=resultTime eq {TIMES[0]}/{TIMES[2]}&$orderby=resultTime desc",
        ):
            assert [one["@iot.id"] for one in (await station.json(f"/v1.1/Datastreams?{asked}"))["value"]] == [1]
        await send(station, "DELETE", f"Observations({numbers[2]})")
        assert await station.json("/v1.1/Datastreams(1)") == shown[1]


async def test_what_no_row_speaks_of_has_no_order(tmp_path):
    async with open_station(tmp_path) as station:
        everything = [one["@iot.id"] for one in (await station.json("/v1.1/Datastreams"))["value"]]
        for order in ("observedArea", "observedArea/type desc", "phenomenonTime desc", "resultTime"):
            page = await station.json(f"/v1.1/Datastreams?$orderby={order}&$count=true&$top=3")
            assert [one["@iot.id"] for one in page["value"]] == everything[:3]
            assert page["@iot.count"] == len(everything)


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
async def test_areas_are_asked_of_and_sorted_by_where_the_observations_were(backend, request, tmp_path, monkeypatch):
    monkeypatch.setattr(dialects, "_MANY", 2)  # as if there were a thousand
    url = request.getfixturevalue("postgres").database() if backend == "postgresql" else None
    async with open_station(tmp_path, catalog_url=url) as station:
        point, box, line, *rest = [one["@iot.id"] for one in (await station.json("/v1.1/Datastreams"))["value"]]
        spots = [[(8, 51)], [(8, 51), (9, 53)], [(9, 51), (9, 53)]]
        for stream, places in zip((point, box, line), spots, strict=True):
            for n, at in enumerate(places):
                feature = place(*at)
                body = {"result": n, "phenomenonTime": TIMES[n], "FeatureOfInterest": feature}
                await make(station, f"Datastreams({stream})/Observations", body)

        async def ask(options):
            return [one["@iot.id"] for one in (await station.json(f"/v1.1/Datastreams?{options}"))["value"]]

        far = "geo.distance(observedArea, geography'POINT(9 52)')"
        assert await ask(f"$orderby={far} desc,id") == [point, box, line, *rest]
        assert await ask(f"$orderby={far},id desc") == [line, box, point, *rest[::-1]]
        assert await ask(f"$orderby={far}&$top=1&$skip=2") == [point]
        assert await ask(f"$orderby={far}&$top=2&$skip=2") == [point, rest[0]]
        assert await ask(f"$orderby={far}&$filter=id lt {line}") == [box, point]
        assert await ask("$filter=geo.intersects(observedArea, geography'POINT(9 52)')") == [box, line]
        assert await ask("$filter=st_equals(observedArea, geography'LINESTRING(9 51, 9 53)')") == [line]
        assert await ask("$filter=observedArea/type eq 'Point'") == [point]
        assert await ask("$filter=observedArea eq null") == rest
        assert await ask(f"$filter={far} gt 0&$top=1&$count=true") == [point]
        moved = place(9, 52)["feature"]
        feature = (await station.json(f"/v1.1/Datastreams({point})/Observations?$expand=FeatureOfInterest"))["value"][0]
        await send(
            station, "PATCH", f"FeaturesOfInterest({feature['FeatureOfInterest']['@iot.id']})", {"feature": moved}
        )
        assert await ask(f"$orderby={far}&$top=1") == [point]
