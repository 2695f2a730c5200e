"""Results are found by their exact value: decimals as they are written, and whole numbers beyond what float64 tells."""

from __future__ import annotations

import operator

import pytest
import pytest_asyncio

from nilometer.web.times import format_time
from tests.web.conftest import MINUTE, NOON, open_station
from tests.web.sensorthings.test_changes import make, send

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESULTS = [0.1, 0.3, 7, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**60 + 1, 2**60 + 2, -(2**60) - 1, 10**30, "0.1", None]
ASKED = [0.1, 0.3, 7, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**60, 2**60 + 1, -(2**60) - 1, 10**30, 10**30 + 1]
COMPARE = {name: getattr(operator, name) for name in ("eq", "ne", "gt", "ge", "lt", "le")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def large(tmp_path_factory):
    async with open_station(tmp_path_factory.mktemp("station")) as station:
        for n, result in enumerate(RESULTS):
            body = {"result": result, "phenomenonTime": format_time(NOON + n * MINUTE)}
            await make(station, "Datastreams(5)/Observations", body)
        yield station


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("sealed", [False, True])
async def test_a_number_is_compared_as_it_was_given(large, asked, sealed):
    if sealed:
        large.pipeline.store.save_state("qc", large.pipeline.store.sequence(), b"")
        large.pipeline.store.seal()
    numbers = [one for one in RESULTS if isinstance(one, int | float)]
    for name, compare in COMPARE.items():
        expected = [one for one in numbers if compare(one, asked)]
        for path in ("Datastreams(5)/Observations", "Observations"):
            found = await large.json(f"/v1.1/{path}?$filter=result {name} {asked}&$count=true")
            assert [one["result"] for one in found["value"]] == expected, (path, name)
            assert found["@iot.count"] == len(expected)
        two = (await large.json(f"/v1.1/Observations?$filter=result {name} {asked} or result eq 7"))["value"]
        assert [one["result"] for one in two] == [one for one in numbers if compare(one, asked) or one == 7]


async def test_a_whole_number_is_served_as_it_was_given_and_drawn_as_the_nearest(large):
    found = (await large.json("/v1.1/Datastreams(5)/Observations"))["value"]
    assert [one["result"] for one in found] == RESULTS
    plain = (await large.json("/api/v1/datastreams/5/observations"))["columns"]["result"]
    assert plain == [float(one) if isinstance(one, int | float) else None for one in RESULTS]
    number = found[5]["@iot.id"]
    await send(large, "PATCH", f"Observations({number})", {"parameters": {"a": 1}})
    assert (await large.json(f"/v1.1/Observations({number})"))["result"] == 2**53 + 1
