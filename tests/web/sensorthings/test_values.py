"""Conditions on results and flags are looked up in the store, and mean what they say."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.web.sensorthings import observations
from tests.web.conftest import NOON, open_station
from tests.web.sensorthings.test_reading import values

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = st.sampled_from(["7", "7.0", "7.02", "-1", "13.9", "0", "8.2", "1e300", "4.5"])
COMPARISON = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
LEAF = st.one_of(
    st.builds("result {} {}".format, COMPARISON, NUMBERS),
    st.builds("{} {} result".format, NUMBERS, COMPARISON),
    st.builds("resultQuality/flag {} {}".format, COMPARISON, st.sampled_from(["1", "3", "3.5", "4", "9", "0"])),
    st.builds("(resultQuality/flag eq {} or resultQuality/flag eq {})".format, st.integers(1, 4), st.integers(1, 9)),
)
WORDS = {"eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "resultQuality/flag": "flag"}


@given(st.lists(LEAF, min_size=1, max_size=3), st.sampled_from(["Observations", "Datastreams(1)/Observations"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_filters_of_values_mean_what_they_say(filled, leaves, path):
    everything = await values(filled, f"/v1.1/{path}?$top=1000")
    condition = " and ".join(leaves)
    said = " ".join(WORDS.get(word, word) for word in condition.replace("(", "( ").replace(")", " )").split())
    code = compile(said, "filter", "eval")
    wanted = [
        item["@iot.id"]
        for item in everything
        if eval(code, {"result": item["result"], "flag": item["resultQuality"]["flag"]})
    ]
    found = await filled.json(f"/v1.1/{path}?$top=1000&$count=true&$filter={quote(condition)}")
    assert [item["@iot.id"] for item in found["value"]] == wanted
    assert found["@iot.count"] == len(wanted)
    newest = f"/v1.1/{path}?$top=2&$orderby=result desc&$filter={quote(condition)}"
    best = sorted((item["result"] for item in everything if item["@iot.id"] in set(wanted)), reverse=True)[:2]
    assert [item["result"] for item in await values(filled, newest)] == best


async def test_a_search_for_values_looks_at_no_more_than_may_hold_them(tmp_path, monkeypatch):
    async with open_station(tmp_path) as station:
        await station.ingest("river/ph", NOON, [7.0 + 0.01 * (n % 9) for n in range(100)])
        store = station.pipeline.store
        await asyncio.to_thread(station.pipeline._judging.save, store.sequence())
        await asyncio.to_thread(store.seal)
        monkeypatch.setattr(observations, "MOST_SCANNED", 20)  # the real limit would take rows by the million
        refused = await station.json("/v1.1/Observations?$filter=result gt 7.05", 400)
        assert "100 Observations" in refused["error"]["message"]
        for condition in ("result gt 8", "resultQuality/flag eq 4", "result lt 6 and resultQuality/flag ge 3"):
            found = await station.json(f"/v1.1/Observations?$count=true&$filter={condition}")
            assert (found["@iot.count"], found["value"]) == (0, [])
