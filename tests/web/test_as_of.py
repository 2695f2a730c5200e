"""The bytes of every door at past moments: taken then, and compared after all that came since."""

from __future__ import annotations

import asyncio

import pytest

from nilometer.cli.exporting import export_rows
from nilometer.model import SampleKind
from tests.web.conftest import MINUTE, NOON, open_station

API = "/api/v1"
PH = "river/ph"
DOORS = [
    *(f"{API}/datastreams/{PH}/observations?format={name}" for name in ("json", "csv", "arrow", "parquet")),
    f"{API}/datastreams/{PH}/observations?samples=all&max_points=5",
    f"{API}/datastreams/{PH}/observations?start=2021-03-05T12:10:00Z&end=2021-03-05T12:40:00Z",
    f"{API}/datastreams/{PH}",
    f"{API}/datastreams?thing=river",
    *(f"{API}/latest?thing=river&format={name}" for name in ("json", "csv", "arrow")),
    *(f"{API}/datastreams/{PH}/rollups?span={span}&format=json" for span in ("hour", "day")),
    f"{API}/datastreams/{PH}/rollups?mean=arithmetic&format=arrow",
    f"{API}/datastreams/{PH}/versions",
    f"{API}/datastreams/{PH}/levels",
    f"{API}/things?spark=3600",
    f"{API}/things/river",
    f"{API}/things/river/verdict?start=2021-03-05T12:00:00Z&end=2021-03-05T14:00:00Z",
    f"{API}/things/river/verdicts?start=2021-03-04T00:00:00Z&end=2021-03-06T00:00:00Z",
    f"{API}/observations/ROW",
    f"{API}/reviews",
    f"{API}/export?datastream={PH},river/codmn&format=csv",
    f"{API}/export?datastream={PH},river/codmn&format=parquet",
    "/v1.1/Observations?$count=true",
    "/v1.1/Observations?$filter=result gt 7.2&$count=true&$orderby=result desc",
    "/v1.1/Observations(ROW)",
    "/v1.1/Observations(ROW)/result",
    "/v1.1/Datastreams(1)/Observations?$orderby=phenomenonTime desc&$top=3&$count=true",
    "/v1.1/Datastreams",
    "/v1.1/Things?$expand=Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))",
    "/v1.1/Datastreams?$expand=Observations($count=true;$top=2)",
]


async def bytes_of(station, moment):
    """What every door answers as of a moment; 404 is an answer too."""
    found = {}
    for door in DOORS:
        path = door.replace("ROW", str((station.id(PH) << 32) + 5))
        answer = await station.client.get(f"{path}{'&' if '?' in path else '?'}as_of={moment}")
        assert answer.status_code in {200, 404}, (path, answer.text[:300])
        found[door] = (answer.status_code, answer.content)
    return found


async def review(station, action, **told):
    body = {
        "action": action,
        "datastreams": [PH],
        "start": NOON // 1000,
        "end": (NOON + 20 * MINUTE) // 1000,
        "by": "Li",
        "reason": "other",
        **told,
    }
    answer = await station.client.post(f"{API}/reviews", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["steps"][0]["id"]


def seal(station):
    store = station.pipeline.store
    station.pipeline._judging.save(store.sequence())  # as the pipeline does between two commits
    store.seal()


async def test_every_door_gives_the_bytes_of_then_after_all_that_came_since(tmp_path):
    past = {}

    async def remember(station):
        moment = station.moment()
        past[moment] = await bytes_of(station, moment)

    async with open_station(tmp_path) as station:
        await remember(station)
        await station.ingest(PH, NOON, [7 + 0.01 * n for n in range(60)])
        await station.ingest("river/codmn", NOON, [3.1, 3.2, 3.3], step=10 * MINUTE)
        await station.ingest(PH, NOON + 61 * MINUTE, [9.18], feature=station.sample(PH, SampleKind.CHECK, 1))
        await remember(station)
        await station.ingest(PH, NOON + 4 * MINUTE, [7.9, 7.8])  # corrections
        await remember(station)
        step = await review(station, "offset", offset=0.5)
        await remember(station)
        await review(station, "sign_off", level="first")
        await remember(station)
        await asyncio.to_thread(seal, station)
        answer = await station.client.delete(f"{API}/datastreams/{PH}/observations?start=2021-03-05T12:30:00Z")
        assert answer.status_code == 200
        await remember(station)
        answer = await station.client.post(f"{API}/reviews/{step}/undo", json={"by": "Wang", "force": True})
        assert answer.status_code == 200, answer.text
        await station.ingest(PH, NOON + 35 * MINUTE, [7.7, 7.6])
        await remember(station)
        await asyncio.to_thread(seal, station)
        await asyncio.to_thread(station.pipeline.store.compact)
        await station.ingest(PH, NOON + 3 * MINUTE, [7.1])
        await station.client.delete(f"{API}/datastreams/river/codmn/observations")
        await asyncio.to_thread(seal, station)
        for moment, then in past.items():
            found = await bytes_of(station, moment)
            assert [door for door in then if found[door] != then[door]] == []
    async with open_station(tmp_path) as station:  # and by another start of the server
        for moment, then in past.items():
            found = await bytes_of(station, moment)
            assert [door for door in then if found[door] != then[door]] == []
    # The doors do tell one moment from another.
    moments = list(past)
    for door in DOORS:
        assert len({past[moment][door] for moment in moments}) > 1, door


async def test_the_past_is_what_the_present_was(tmp_path):
    async with open_station(tmp_path) as station:
        await station.ingest(PH, NOON, [7.0, 7.1, 7.2])
        path = f"{API}/datastreams/{PH}/observations"
        present = await station.json(path)
        moment = station.moment()
        await station.ingest(PH, NOON, [6.0])
        found = await station.json(f"{path}?as_of={moment}")
        assert found["columns"] == present["columns"]
        assert found["profiles"] == present["profiles"]
        links = await station.json(f"/v1.1/Datastreams?as_of={moment}&$expand=Observations($top=1)&$top=1")
        inner = links["value"][0]["Observations@iot.nextLink"]
        for link in (inner, links["@iot.nextLink"]):
            assert f"as_of={moment}" in link
        following = await station.json(inner.removeprefix("http://station"))
        assert [one["result"] for one in following["value"]] == [7.1]
        assert f"as_of={moment}" in following["@iot.nextLink"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1.1/Observations?as_of=yesterday",
        "/v1.1/Observations?as_of=",
        "/v1.1/Datastreams?$expand=Observations(as_of=2021-03-05T12:00:00Z)",
        f"{API}/things?as_of=yesterday",
        f"{API}/export?datastream={PH}&as_of=x",
    ],
)
async def test_a_moment_that_is_none_is_refused(station, path):
    answer = await station.client.get(path)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
async def test_an_export_of_the_past_has_the_same_bytes_whatever_came_since(tmp_path, suffix):
    folder = tmp_path / "data"
    then, later, sealed, now = (tmp_path / f"{name}.{suffix}" for name in ("then", "later", "sealed", "now"))
    async with open_station(folder) as station:
        await station.ingest(PH, NOON, [7.0, 7.1, 7.2])
        moment = station.moment()
    assert export_rows(folder, then, keys=[PH], as_of=moment) == 3
    async with open_station(folder) as station:
        await station.ingest(PH, NOON, [6.0])
        await station.client.delete(f"{API}/datastreams/{PH}/observations?start=2021-03-05T12:02:00Z")
    export_rows(folder, later, keys=[PH], as_of=moment)
    async with open_station(folder) as station:
        await asyncio.to_thread(seal, station)
    export_rows(folder, sealed, keys=[PH], as_of=moment)
    assert then.read_bytes() == later.read_bytes() == sealed.read_bytes()
    assert export_rows(folder, now, keys=[PH]) == 2
