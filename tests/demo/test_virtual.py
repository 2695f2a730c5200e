"""The modelled Things over the wire: their past and their present are the same Datastreams, in the same units."""

from __future__ import annotations

import asyncio

import numpy as np
import pyarrow.compute as pc
import pytest

from nilometer import units
from nilometer.config import parse
from nilometer.demo import virtual
from nilometer.demo.clock import DemoClock
from nilometer.demo.things import BUOY, DISCHARGE, RIVER, THINGS, feed_of
from nilometer.model.properties import vocabulary
from nilometer.pipeline import Pipeline
from tests.patience import PATIENCE_S

START = int(np.datetime64("2026-03-15T04:00", "us").astype(np.int64))
HOUR = 3_600_000_000


async def play(folder, monkeypatch):
    """Two hours of past, then the present for as long as it takes every Thing to speak of every property."""
    # Two weeks take a while: two hours are made the same way.
    monkeypatch.setattr(virtual, "PAST_US", 2 * HOUR)
    clock = DemoClock(START, 60.0)
    made = [(thing, virtual.simulator_of(thing, clock)) for thing in THINGS]
    sources = [virtual.source_of(thing, await simulator.start(), clock.speed) for thing, simulator in made]
    config = parse({"thing": [virtual.thing_of(thing) for thing in THINGS], "source": sources})
    pipeline = Pipeline(folder, config, clock=clock)
    await pipeline.start()
    new = await virtual.fill_past(pipeline, START)
    again = await virtual.fill_past(pipeline, START)
    before = {one.key for one in pipeline.store.catalog.datastreams()}
    clock.set(START)
    running = [asyncio.create_task(simulator.run()) for _, simulator in made]
    await pipeline.start_sources()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not all(_speaks(pipeline, thing) for thing in THINGS):
                await asyncio.sleep(0.1)
        return pipeline, before, new, again
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _speaks(pipeline, thing):
    """Say whether every probe of a Thing has been heard in the present."""
    number = pipeline.store.catalog.thing_by_key(thing.key).id
    mine = [one for one in pipeline.store.catalog.datastreams() if one.thing == number]
    probes = [one for one in mine if one.properties["nilometer"]["property"] not in thing.cyclic]
    ends = [pipeline.store.snapshot().extent(one.id) for one in probes]
    return all(end is not None and end[1] > START for end in ends)


async def test_the_past_and_the_present_are_one(tmp_path, monkeypatch):
    pipeline, before, new, again = await play(tmp_path, monkeypatch)
    try:
        catalog, snapshot = pipeline.store.catalog, pipeline.store.snapshot()
        assert new > 2 * 60 * 3
        assert again == 0, "what is there already is recognised"
        assert {one.key for one in catalog.datastreams()} == before, "the wire speaks of what the past was filled with"
        refused = [event.detail for event in catalog.events() if event.detail.get("state") == "refused"]
        assert refused == []
        for thing in THINGS:
            number = catalog.thing_by_key(thing.key).id
            mine = {one.key.split("/", 1)[1]: one for one in catalog.datastreams() if one.thing == number}
            assert set(mine) == set(thing.properties)
            for key, one in mine.items():
                assert one.unit == vocabulary()[key].unit
                assert str(one.origin) == "simulated"
                _check_values(thing, key, one, snapshot)
    finally:
        await pipeline.close()


def _check_values(thing, key, datastream, snapshot):
    """What is stored in the past is what the model says, in the unit of the vocabulary."""
    rows = snapshot.read([datastream.id], START - 2 * HOUR, START, water_only=False)
    past = feed_of(thing).history(START - 2 * HOUR, START, virtual.MINUTE_US)[key]
    expected = units.convert(past.values, thing.units()[key], datastream.unit)
    assert len(rows) == len(np.unique(past.phenomenon_time)) or past.sample is not None
    if past.sample is None and len(rows):
        got = rows["result"].combine_chunks().fill_null(float("nan")).to_numpy()
        assert np.allclose(got, expected, rtol=1e-9, equal_nan=True), datastream.key
    live = snapshot.read([datastream.id], START)
    good = live.filter(pc.equal(live["result_quality"], 1))
    if key not in thing.cyclic and len(good):
        middle = float(np.nanmedian(expected)) if len(expected) else 0.0
        assert abs(pc.mean(good["result"]).as_py() - middle) <= max(0.6 * abs(middle), 5.0), datastream.key


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.key)
async def test_a_source_is_patient_enough_for_any_speed(thing):
    for speed in (0.1, 1.0, 60.0, 10_000.0):
        options = virtual.source_of(thing, {"host": "127.0.0.1", "port": 1}, speed)["options"]
        if thing is RIVER:
            assert options["poll_interval_s"] >= virtual.FASTEST_POLL_S
        else:
            assert options["silent_after_s"] >= 5 * thing.interval_s / speed
            assert options["silent_after_s"] >= 10


def test_the_channels_that_are_written_down_are_those_of_the_things():
    for thing in (BUOY, DISCHARGE):
        assert set(virtual._CHANNELS[thing.key]) == set(thing.properties)
