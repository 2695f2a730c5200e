"""Rows that come one a request: each is answered for itself, once it is durable, and many share a commit."""

from __future__ import annotations

import asyncio

import pytest

from nilometer.errors import StoreError, StoreFull
from nilometer.model import NO_TIME
from nilometer.pipeline.singles import Singles
from nilometer.store.admission import NEW, REJECTED, REVISED, UNCHANGED
from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, no_file_above, rows, running, stored, until, values

KEYS = ["river/ph", "river/dissolved_oxygen", "river/codmn"]
CONFIG = {"thing": [RIVER], "datastream": [{"key": key, "thing": "river", "property": key[6:]} for key in KEYS]}


async def test_every_request_gets_the_id_of_its_own_row_and_many_share_a_commit(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        numbers = [ids(pipeline)[key] for key in KEYS]
        before = pipeline.store.sequence()
        sent = [(numbers[n % 3], NOON + n // 3 * MINUTE, 5.0 + n / 1000) for n in range(300)]
        done = await asyncio.gather(*(pipeline.ingest_one(*row) for row in sent))
        commits = pipeline.store.sequence() - before
        table = pipeline.store.snapshot().by_id([row.id for row in done])
        there = {row["id"]: row for row in table.to_pylist()}
    assert {row.status for row in done} == {NEW}
    assert len(there) == 300
    for (datastream, _, result), row in zip(sent, done, strict=True):
        assert (there[row.id]["datastream"], there[row.id]["raw_result"] or there[row.id]["result"]) == (
            datastream,
            result,
        )
    # What came in one turn of the loop is in one delivery, but for what the pump had taken already.
    assert commits < 30


async def test_rows_one_at_a_time_are_flagged_and_stored_as_rows_of_a_batch(tmp_path):
    series = [7.0 + 0.01 * (n % 5) for n in range(40)]
    series[20] = 13.0
    async with running(tmp_path / "one", CONFIG) as pipeline:
        for n, value in enumerate(series):
            await pipeline.ingest_one(1, NOON + n * MINUTE, value)
        one = stored(pipeline)
    async with running(tmp_path / "batch", CONFIG) as pipeline:
        await pipeline.ingest(rows(1, NOON, series))
        assert stored(pipeline).equals(one)


async def test_a_row_sent_again_is_unchanged_and_another_value_revises_it(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        first = await pipeline.ingest_one(1, NOON, 7.0)
        again = await pipeline.ingest_one(1, NOON, 7.0)
        other = await pipeline.ingest_one(1, NOON, 7.5)
        beside = await pipeline.ingest_one(1, NOON, 7.5, always_new=True)
        interval = await pipeline.ingest_one(1, NOON, 7.5, duration=MINUTE)
        assert [row.status for row in (first, again, other, beside, interval)] == [NEW, UNCHANGED, REVISED, NEW, NEW]
        assert first.id == again.id == other.id
        assert len({first.id, beside.id, interval.id}) == 3
        assert stored(pipeline)["duration"].to_pylist() == [0, 0, MINUTE]


async def test_every_rejected_row_is_told_its_own_reason(tmp_path):
    """More than the outcome of a body of many rows has."""
    async with running(tmp_path, CONFIG) as pipeline:
        bad = [pipeline.ingest_one(1000 + n, NOON, 7.0) for n in range(150)]
        timeless = pipeline.ingest_one(1, NO_TIME, 7.0)
        good = pipeline.ingest_one(1, NOON, 7.0)
        done = await asyncio.gather(*bad, timeless, good)
        assert len(values(pipeline, "river/ph")) == 1
    assert [row.reason for row in done[:150]] == [f"there is no Datastream {1000 + n}" for n in range(150)]
    assert {row.status for row in done[:151]} == {REJECTED}
    assert done[150].reason == "there is no phenomenon_time"
    assert (done[151].status, done[151].reason) == (NEW, "")


async def test_rows_wait_with_the_disk_and_later_ones_are_refused_until_there_is_room(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        with no_file_above(0):
            held = [asyncio.create_task(pipeline.ingest_one(1, NOON + n * MINUTE, 7.0)) for n in range(5)]
            await until(lambda: pipeline.refusing)
            with pytest.raises(StoreFull):
                await pipeline.ingest_one(1, NOON + 9 * MINUTE, 7.0)
            assert len(values(pipeline, "river/ph")) == 0
            assert not any(task.done() for task in held if not task.done() or not task.exception())
        answers = await asyncio.gather(*held, return_exceptions=True)
        kept = [answer for answer in answers if not isinstance(answer, StoreFull)]
        assert kept
        assert {answer.status for answer in kept} == {NEW}
        assert len(values(pipeline, "river/ph")) == len(kept)
        assert (await pipeline.ingest_one(1, NOON + 9 * MINUTE, 7.0)).status == NEW


async def test_a_client_that_goes_away_takes_no_other_along(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        tasks = [asyncio.create_task(pipeline.ingest_one(1, NOON + n * MINUTE, 7.0)) for n in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
        assert {done[n].status for n in (0, 2, 3)} == {NEW}
        # It was delivered, and nobody heard of it: sent again it is there.
        assert (await pipeline.ingest_one(1, NOON + MINUTE, 7.0)).status == UNCHANGED


async def test_once_the_server_ends_nothing_is_taken_and_nobody_waits_for_ever(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        taken = asyncio.create_task(pipeline.ingest_one(1, NOON, 7.0))
        await until(lambda: pipeline.queued or taken.done())
        await pipeline.close()
        assert (await taken).status == NEW
        for _ in range(2):
            with pytest.raises(StoreError, match="stopping"):
                await pipeline.ingest_one(1, NOON + MINUTE, 7.0)


async def test_a_fault_of_a_delivery_is_told_to_each_request_by_itself():
    waiting = []
    singles = Singles(waiting.append, lambda action: action())
    answers = [singles.take(1, NOON + n, 7.0) for n in range(3)]
    assert not waiting, "who comes in the same turn is waited for"
    await asyncio.sleep(0)
    (delivery,) = waiting
    assert len(delivery.prepare()) == 3
    later = singles.take(1, NOON + 3, 7.0)
    await asyncio.sleep(0)
    assert len(delivery.prepare()) == 3, "asked again it is the same rows"
    delivery.done(StoreFull("the disk is full"))
    told = [answer.exception() for answer in answers]
    assert [str(error) for error in told] == ["the disk is full"] * 3
    assert len({id(error) for error in told}) == 3
    assert not later.done()
    assert len(waiting[1].prepare()) == 1


async def test_a_delivery_that_is_refused_at_the_door_leaves_nothing_behind():
    waiting = []

    def deliver(delivery):
        if not waiting:
            waiting.append(delivery)
            raise StoreFull("the disk is full")
        waiting.append(delivery)

    singles = Singles(deliver, lambda action: action())
    refused = [singles.take(1, NOON + n, 7.0) for n in (7, 8)]
    for one in refused:
        with pytest.raises(StoreFull):
            await one
    singles.take(1, NOON + 1, 7.0)
    await asyncio.sleep(0)
    assert waiting[1].prepare().phenomenon_time.tolist() == [NOON + 1]
