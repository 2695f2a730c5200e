"""Sources: what their drivers do wrong is seen, tried again, and never anybody else's concern."""

from __future__ import annotations

import asyncio

import numpy as np

from nilometer.acquisition.driver import Channel, SourceReport, SourceState
from nilometer.config import parse
from nilometer.errors import ConfigError
from nilometer.pipeline import Pipeline
from nilometer.pipeline import sources as module
from tests.pipeline.conftest import NOON, RIVER, Lines, ids, raw, rows, running, source, stored, until
from tests.pipeline.stranger import scripted

PH = Channel("ph", "ph", "1")
CONFIG = {"thing": [RIVER], "source": [source("a")]}


def states(pipeline):
    return [event.detail["state"] for event in reversed(pipeline.store.catalog.events()) if event.kind == "source"]


async def test_a_driver_that_fails_is_seen_as_broken_tried_again_and_live_once_it_delivers(
    tmp_path, scripts, monkeypatch
):
    # Only how long it rests is changed.
    monkeypatch.setattr(module, "RESTART_S", 0.05)
    lines, tries, may_work = Lines(), [], asyncio.Event()

    async def script(sink, clock):
        tries.append(clock())
        if len(tries) < 3:
            raise OSError("the cable is cut")
        await may_work.wait()
        await lines(sink, clock)

    scripts["a"] = script
    async with running(tmp_path / "data", CONFIG) as pipeline:
        await pipeline.start_sources()
        await until(lambda: len(tries) == 3)
        (status,) = pipeline.sources()
        assert status.state is SourceState.BROKEN
        assert "OSError: the cable is cut" in status.detail
        assert "trying again" in status.detail
        may_work.set()
        lines.send(raw(PH, NOON, [7.0]))
        await until(lambda: lines.acknowledged)
        assert (status.state, status.received) == (SourceState.LIVE, 1)
        await until(lambda: states(pipeline) == ["broken", "live"])


async def test_devices_speak_anew_for_a_driver_that_was_restarted(tmp_path, scripts, monkeypatch):
    monkeypatch.setattr(module, "RESTART_S", 0.05)  # only how long it rests
    fail, tries = asyncio.Event(), []

    async def script(sink, _clock):
        tries.append(1)
        sink.report(SourceReport(state=SourceState.LIVE, device="unit 1"))
        if len(tries) == 1:
            await fail.wait()
            raise RuntimeError("a fault of the driver")
        await asyncio.Event().wait()

    scripts["a"] = script
    async with running(tmp_path / "data", CONFIG) as pipeline:
        await pipeline.start_sources()
        (status,) = pipeline.sources()
        await until(lambda: status.state is SourceState.LIVE)
        fail.set()
        await until(lambda: len(tries) == 2 and status.state is SourceState.LIVE)
        assert [device.state for device in status.devices.values()] == [SourceState.LIVE]


async def test_a_source_is_as_its_worst_device_and_every_change_is_an_event(tmp_path, scripts):
    turns = asyncio.Queue()

    async def script(sink, _clock):
        while True:
            device, state, detail = await turns.get()
            sink.report(SourceReport(state=state, device=device, detail=detail, bad_frames=1))

    scripts["a"] = script
    async with running(tmp_path / "data", CONFIG) as pipeline:
        await pipeline.start_sources()
        (status,) = pipeline.sources()
        for turn in [
            ("unit 1", SourceState.LIVE, ""),
            ("unit 2", SourceState.SILENT, "no answer for 3 s"),
            ("unit 2", SourceState.SILENT, "no answer for 6 s"),
            ("unit 2", SourceState.SILENT, "no answer for 6 s"),
        ]:
            turns.put_nowait(turn)
        await until(lambda: status.bad_frames == 4)
        assert (status.state, status.detail) == (SourceState.SILENT, "unit 2: no answer for 6 s")
        turns.put_nowait(("unit 2", SourceState.LIVE, ""))
        await until(lambda: status.state is SourceState.LIVE)
        await until(lambda: states(pipeline) == ["live", "silent", "live"])
        (event, *_) = pipeline.store.catalog.events()
        assert event.thing == pipeline.store.catalog.thing_by_key("river").id
        assert event.detail["device"] == "unit 2"


async def test_options_that_can_never_work_are_not_tried_again(tmp_path, scripts):
    tries = []

    async def script(_sink, _clock):
        tries.append(1)
        raise ConfigError("options.host", seen="nowhere", reason="no such host")

    scripts["a"] = script
    async with running(tmp_path / "data", CONFIG) as pipeline:
        await pipeline.start_sources()
        (status,) = pipeline.sources()
        await until(lambda: status.state is SourceState.BROKEN)
        assert status.detail == "options.host = 'nowhere': no such host"
        await asyncio.sleep(0.05)
        assert tries == [1]


async def test_a_driver_that_cannot_be_made_is_broken_and_the_others_work(tmp_path, scripts):
    scripts["b"] = lines = Lines()
    scripted.REFUSED_MAKES.append("a")
    config = {"thing": [RIVER], "source": [source("a"), source("b", name="other")]}
    async with running(tmp_path / "data", config) as pipeline:
        await pipeline.start_sources()
        lines.send(raw(PH, NOON, [7.0]))
        await until(lambda: lines.acknowledged)
        broken, live = pipeline.sources()
        assert (broken.state, live.state) == (SourceState.BROKEN, SourceState.LIVE)
        assert "cannot even be made" in broken.detail


async def test_a_driver_that_returns_has_stopped(tmp_path, scripts):
    async def script(_sink, _clock):
        return

    scripts["a"] = script
    async with running(tmp_path / "data", CONFIG) as pipeline:
        await pipeline.start_sources()
        (status,) = pipeline.sources()
        await until(lambda: status.state is SourceState.STOPPED)


async def test_rows_are_acknowledged_only_when_they_are_stored(tmp_path, scripts):
    scripts["a"] = lines = Lines()
    seen = []
    async with running(tmp_path / "data", CONFIG) as pipeline:
        batch = raw(PH, NOON, [7.0, 7.1])
        lines.send(batch)
        batch.acknowledge = lambda: seen.append(pipeline.store.snapshot().count())
        await pipeline.start_sources()
        await until(lambda: seen)
    assert seen == [2]


async def test_a_source_waits_while_the_queue_is_full(tmp_path, scripts):
    scripts["a"] = lines = Lines()
    pipeline = Pipeline(tmp_path / "data", parse(CONFIG))
    try:
        large = asyncio.create_task(pipeline.ingest(rows(9, NOON, [0.0] * 2_000_000)))
        await until(lambda: pipeline.queued)
        await pipeline.start_sources()
        lines.send(raw(PH, NOON, [7.0]))
        await asyncio.sleep(0.05)
        assert lines.emitted == 0
        await pipeline.start()
        await large
        await until(lambda: lines.acknowledged)
    finally:
        await pipeline.close()


async def test_check_samples_of_a_source_are_never_the_water(tmp_path, scripts):
    scripts["a"] = lines = Lines()
    cod = Channel("cod", "codmn", "mg L-1")
    kinds = [0, 0, 1, 2, 3, 0]
    async with running(tmp_path / "data", CONFIG) as pipeline:
        await pipeline.start_sources()
        lines.send(raw(cod, NOON, [3.0, 3.2, 0.01, 50.0, 10.0, 3.1], sample=np.array(kinds, np.int8)))
        await until(lambda: lines.acknowledged)
        catalog, snapshot = pipeline.store.catalog, pipeline.store.snapshot()
        datastream = ids(pipeline)["river/codmn"]
        assert snapshot.read([datastream])["result"].to_pylist() == [3.0, 3.2, 3.1]
        assert snapshot.count([datastream]) == 3
        whole = stored(pipeline, "river/codmn")
        features = whole["feature"].to_pylist()
        assert len(set(features)) == 4
        assert {int(catalog.sample_kinds().get(feature, 0)) for feature in features} == {0, 1, 2, 3}
        # The state of the tests is not moved by them either: a standard of 50 is no spike, and next to it nothing is.
        assert snapshot.latest([datastream])["result"].to_pylist() == [3.1]
        thing = catalog.thing_by_key("river")
        document = pipeline.verdict(thing.id, NOON, NOON + 3_600_000_000).to_document()
        (item,) = [item for item in document["items"] if item["property"] == "codmn"]
        assert abs(item["value"] - 3.1) < 1e-9
        days = pipeline.daily_verdicts(thing.id, NOON, NOON + 1)
        assert len(days) == 1


async def test_a_driver_learns_how_far_each_of_its_channels_has_come_also_after_a_restart(tmp_path, scripts):
    other, learnt = Channel("DO-Avg.minute", "dissolved_oxygen", "mg/L"), []

    def script(lines):
        async def run(sink, clock):
            learnt.append(dict(sink.newest()))
            await lines(sink, clock)

        return run

    for times in ([NOON, NOON + 60_000_000], [NOON + 120_000_000]):
        lines = Lines()
        scripts["a"] = script(lines)
        async with running(tmp_path / "data", CONFIG) as pipeline:
            await pipeline.start_sources()
            for at in times:
                lines.send(raw(PH, at, [7.0]))
                lines.send(raw(other, at - 30_000_000, [9.0]))
            await until(lambda lines=lines, times=times: lines.acknowledged == 2 * len(times))
    assert learnt == [{}, {"ph": NOON + 60_000_000, "DO-Avg.minute": NOON + 30_000_000}]
