"""Rows through the pump: cut, repeated, revised, refused, and over a restart."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pyarrow as pa
import pytest

from nilometer.model import ObservationBatch
from nilometer.pipeline.review_orders import Order
from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, rows, running, stored, until, values

CALIBRATION = {
    "kind": "polynomial",
    "coefficients": [0.1, 1.02],
    "residual_uncertainty": 0.05,
    "certificate": "C-17",
}
CONFIG = {
    "thing": [RIVER],
    "datastream": [
        {"key": "river/ph", "thing": "river", "property": "ph"},
        {"key": "river/do", "thing": "river", "property": "dissolved_oxygen", "calibrations": [CALIBRATION]},
        {"key": "river/t", "thing": "river", "property": "water_temperature", "raw_unit": "degree_Fahrenheit"},
        {"key": "river/cod", "thing": "river", "property": "codmn", "mark_scheme": "hj212-2017"},
    ],
}


def recorded(datastreams: list[int], n: int, seed: int) -> ObservationBatch:
    """Rows of several Datastreams as they may arrive: interleaved, with spikes, steps, holes, late ones and marks."""
    chance = np.random.default_rng(seed)
    datastream = chance.choice(np.array(datastreams, np.int32), n)
    minute = np.zeros(n, np.int64)
    for one in datastreams:
        mine = datastream == one
        steps = chance.choice([1, 1, 1, 1, 2, 90], mine.sum())
        minute[mine] = np.cumsum(steps)
    late = chance.random(n) < 0.03
    minute[late] -= 7
    level = np.select([datastream == datastreams[0], datastream == datastreams[2]], [7.4, 61.0], 8.0)
    value = level + 0.2 * chance.normal(size=n)
    value[chance.random(n) < 0.04] += 5.0
    held = chance.random(n) < 0.2
    value[held] = level[held]
    value[chance.random(n) < 0.03] = np.nan
    marks = np.where(chance.random(n) < 0.1, "D", None)
    return ObservationBatch(
        datastream=datastream,
        phenomenon_time=NOON + minute * MINUTE,
        raw_result=value,
        censored=np.where(chance.random(n) < 0.02, -1, 0).astype(np.int8),
        mark=pa.array(marks.tolist(), pa.string()),
    )


def cut(batch: ObservationBatch, seed: int) -> list[ObservationBatch]:
    chance = np.random.default_rng(seed)
    edges = np.unique(np.concatenate(([0, len(batch)], chance.integers(0, len(batch), 60))))
    return [batch.take(slice(int(a), int(b))) for a, b in itertools.pairwise(edges)]


async def test_rows_in_any_cuts_are_stored_as_if_they_had_come_at_once(tmp_path):
    batch = recorded([1, 2, 3, 4], 1500, seed=3)
    async with running(tmp_path / "once", CONFIG) as pipeline:
        whole = await pipeline.ingest(batch.take(slice(0, len(batch))))
        expected = stored(pipeline)
    assert whole.rejected == 0
    assert len(set(expected["result_quality"].to_pylist())) >= 4, "the recording tries too little"
    for seed in (1, 2):
        # Sealing again and again beside the pump must not show either.
        config = {**CONFIG, "store": {"seal_every_s": 0.02, "seal_rows": 1000}}
        async with running(tmp_path / str(seed), config) as pipeline:
            outcomes = [await pipeline.ingest(part) for part in cut(batch, seed)]
            got = stored(pipeline)
        assert got.equals(expected)
        assert sum(one.accepted for one in outcomes) == whole.accepted
        assert sum(one.revised for one in outcomes) == whole.revised
        assert np.array_equal(np.concatenate([one.id for one in outcomes]), whole.id)


async def test_deliveries_that_arrive_together_are_stored_in_the_order_of_their_arrival(tmp_path):
    batch = recorded([1, 2, 3, 4], 600, seed=5)
    async with running(tmp_path / "once", CONFIG) as pipeline:
        await pipeline.ingest(batch.take(slice(0, len(batch))))
        expected = stored(pipeline)
    async with running(tmp_path / "together", CONFIG) as pipeline:
        await asyncio.gather(*(pipeline.ingest(part) for part in cut(batch, 8)))
        assert stored(pipeline).equals(expected)
        await until(lambda: pipeline.queued == 0)


@pytest.mark.parametrize("stops", [[1, 40], [117, 300]])
async def test_a_restart_continues_the_state_of_the_tests(tmp_path, stops):
    batch = recorded([1, 2, 3, 4], 400, seed=7)
    async with running(tmp_path / "once", CONFIG) as pipeline:
        await pipeline.ingest(batch.take(slice(0, len(batch))))
        expected = stored(pipeline)
    edges = [0, *stops, len(batch)]
    for first, last in itertools.pairwise(edges):
        async with running(tmp_path / "parts", CONFIG) as pipeline:
            await pipeline.ingest(batch.take(slice(first, last)))
            got = stored(pipeline)
    assert got.equals(expected)


@pytest.mark.parametrize("undone", [False, True])
async def test_a_review_does_not_move_the_state_that_a_restart_finds(tmp_path, undone):
    batch = recorded([1, 2, 3, 4], 400, seed=7)
    offset = Order(
        action="offset",
        datastreams=["river/ph"],
        start=NOON,
        end=NOON + 100_000 * MINUTE,
        parameters={"offset": 0.25},
        by="A",
        reason="drift",
    )
    tables = []
    for is_killed in (False, True):
        async with running(tmp_path / str(is_killed), CONFIG) as pipeline:
            await pipeline.ingest(batch.take(slice(0, 200)))
            entered = await pipeline.review(offset)
            await pipeline.ingest(batch.take(slice(200, 203)))
            if undone:
                await pipeline.undo(entered.steps[0].id, by="A", force=False)
            if is_killed:
                pipeline._save_state = lambda: None  # as a kill would leave it
                await pipeline.close()
        async with running(tmp_path / str(is_killed), CONFIG) as pipeline:
            await pipeline.ingest(batch.take(slice(203, 400)))
            tables.append(stored(pipeline))
    assert tables[0].equals(tables[1])


async def test_what_comes_again_is_unchanged_and_what_differs_is_a_revision(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        ph = ids(pipeline)["river/ph"]
        first = await pipeline.ingest(rows(ph, NOON, [7.0, 7.1, 7.2]))
        again = await pipeline.ingest(rows(ph, NOON, [7.0, 7.1, 7.2]))
        revised = await pipeline.ingest(rows(ph, NOON, [7.0, 9.9, 7.2, 7.3]))
        assert (first.accepted, again.unchanged) == (3, 3)
        assert (revised.accepted, revised.unchanged, revised.revised) == (1, 2, 1)
        assert np.array_equal(first.id, again.id)
        assert np.array_equal(revised.id[:3], first.id)
        assert values(pipeline, "river/ph") == [7.0, 9.9, 7.2, 7.3]


async def test_rejected_rows_are_told_to_their_own_sender_by_their_own_number(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        ph = ids(pipeline)["river/ph"]

        def delivery(at: int, wrong: list[int]) -> ObservationBatch:
            batch = rows(ph, NOON + at * MINUTE, [7.0] * 5)
            batch.datastream[wrong] = 4711
            return batch

        outcomes = await asyncio.gather(
            pipeline.ingest(delivery(0, [1, 4])), pipeline.ingest(delivery(5, [])), pipeline.ingest(delivery(10, [0]))
        )
        assert [one.rejected for one in outcomes] == [2, 0, 1]
        assert [[row for row, _ in one.errors] for one in outcomes] == [[1, 4], [], [0]]
        assert "4711" in outcomes[2].errors[0][1]
        assert [(one.id == 0).nonzero()[0].tolist() for one in outcomes] == [[1, 4], [], [0]]
        assert len(values(pipeline, "river/ph")) == 12


async def test_a_delivery_of_nothing_is_answered(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        outcome = await pipeline.ingest(rows(1, NOON, []))
        assert (outcome.accepted, outcome.rejected, len(outcome.id)) == (0, 0, 0)


async def test_a_changed_profile_judges_from_the_next_row_and_the_provenance_says_by_which(tmp_path):
    async with running(tmp_path, CONFIG) as pipeline:
        ph = ids(pipeline)["river/ph"]
        await pipeline.ingest(rows(ph, NOON, [7.0]))
        (tmp_path / "narrow.toml").write_text(
            'version = "2"\nunit = "1"\n[tests.gross_range]\nfail = [7.5, 8.0]\n', encoding="utf-8"
        )
        changed = {"key": "river/ph", "thing": "river", "property": "ph", "profile": str(tmp_path / "narrow.toml")}
    async with running(tmp_path, {**CONFIG, "datastream": [changed]}) as pipeline:
        await pipeline.ingest(rows(ph, NOON + MINUTE, [7.0]))
        table = pipeline.store.snapshot().read([ph])
        assert table["result_quality"].to_pylist()[1] == 4
        made_by = [
            pipeline.store.catalog.profile_version_row(
                pipeline.store.catalog.provenance_row(number).profile_version
            ).name
            for number in table["provenance"].to_pylist()
        ]
        assert made_by == ["river/ph", "narrow"]
