"""resultQuality: what people said of a row, and a client's own word beside ours."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.csv

from nilometer.pipeline.review_orders import Order
from tests.web.conftest import MINUTE, NOON

KEY = "river/ph"


async def qualities(station, query="$orderby=phenomenonTime&$top=100"):
    body = await station.json(f"/v1.1/Observations?{query}")
    return [one["resultQuality"] for one in body["value"]]


def order(action, first, last, **more):
    return Order(action=action, datastreams=[KEY], start=NOON + first * MINUTE, end=NOON + last * MINUTE, **more)


async def served(station):
    path = f"/api/v1/datastreams/{KEY}/observations"
    arrow = pa.ipc.open_stream((await station.client.get(f"{path}?format=arrow")).content).read_all()
    csv = pyarrow.csv.read_csv(
        io.BytesIO((await station.client.get(f"{path}?format=csv")).content),
        convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True),
    )
    assert arrow["review_level"].to_pylist() == csv["review_level"].to_pylist()
    return arrow["review_level"].to_pylist()


async def test_a_row_that_nobody_reviewed_says_nothing_of_review(station):
    await station.ingest(KEY, NOON, [7.0, 7.1])
    assert all("review" not in one for one in await qualities(station))
    assert await served(station) == [None, None]


async def test_a_step_and_a_signature_are_told_with_who_when_and_why(station):
    await station.ingest(KEY, NOON, [7.0, 7.1, 7.2, 7.3])
    step = (
        await station.pipeline.review(order("flag", 1, 2, parameters={"flag": "suspect"}, by="Li", reason="fouling"))
    ).steps[0]
    await station.pipeline.review(order("sign_off", 0, 3, parameters={"level": "first"}, by="Wang", reason="approval"))
    first, second, _, fourth = await qualities(station)
    assert first["review"] == {"level": "first", "by": "Wang", "at": second["review"]["at"]}
    assert second["flag"] == 3
    assert second["tests"]["gross_range"] == 1, "the outcomes stay as the tests gave them"
    (told,) = second["review"]["steps"]
    assert (told["id"], told["action"], told["by"], told["reason"]) == (step.id, "flag", "Li", "fouling")
    assert told["at"].endswith("Z")
    assert "review" not in fourth
    assert await served(station) == ["first", "first", "first", None]
    number = (await station.json(f"/api/v1/datastreams/{KEY}/observations"))["columns"]["id"][1]
    one = await station.json(f"/api/v1/observations/{number}")
    assert one["review"] == second["review"]


async def test_an_undone_step_leaves_the_row_as_it_was(station):
    await station.ingest(KEY, NOON, [7.0, 7.1])
    before = await qualities(station)
    done = await station.pipeline.review(order("flag", 1, 2, parameters={"flag": "fail"}, by="Li", reason="fouling"))
    assert (await qualities(station))[1]["flag"] == 4
    await station.pipeline.undo(done.steps[0].id, by="Li", force=False)
    assert await qualities(station) == before


async def test_the_profile_is_named_with_its_version_and_its_thresholds_are_a_link_away(station):
    await station.ingest(KEY, NOON, [7.0])
    (quality,) = await qualities(station)
    profile = quality["profile"]
    assert profile["name"] == "river/ph"
    assert profile["href"].endswith(f"/api/v1/profiles/{profile['id']}")
    told = await station.json(profile["href"].removeprefix("http://station"))
    assert told["document"]["tests"]["gross_range"]["fail"] == [2, 12]
    latest = (await station.json(f"/api/v1/datastreams/{KEY}"))["latest"]
    assert latest["profile"] == profile["id"]
