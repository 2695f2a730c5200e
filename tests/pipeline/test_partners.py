"""Tests of several Datastreams in a running pipeline: waited for, settled, held back from the seal, over a restart."""

from __future__ import annotations

from typing import Any

from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, rows, running, stored

NEIGHBOR = {
    "tests": {
        "neighbor": {"other": "river/upstream", "suspect": 1.8, "fail": 9, "within": "1 min", "deadline": "1 h"},
    }
}
CONFIG: dict[str, Any] = {
    "thing": [RIVER],
    "datastream": [
        {"key": "river/t", "thing": "river", "property": "water_temperature", "qc": NEIGHBOR},
        {"key": "river/upstream", "thing": "river", "property": "water_temperature", "unit": "degree_Fahrenheit"},
    ],
}
HASTY = {**CONFIG, "store": {"seal_every_s": 0.02, "seal_rows": 1000}}


def neighbors(pipeline) -> list[str]:
    """The outcome of the test of each row of river/t; "1" where everything passed."""
    texts = stored(pipeline, "river/t")["tests"].to_pylist()
    return ["1" if text is None else text[-1] for text in texts]


async def test_a_value_waits_for_its_neighbor_through_seals_and_a_restart(tmp_path):
    async with running(tmp_path / "station", HASTY) as pipeline:
        await pipeline.ingest(rows(ids(pipeline)["river/t"], NOON, [10.0, 10.0, 10.0, 10.0]))
        pipeline.store.seal()
        assert neighbors(pipeline) == ["2", "2", "2", "2"]
    async with running(tmp_path / "station", HASTY) as pipeline:
        # 50, 54 and 86 °F are 10, 12.2 and 30 °C.
        await pipeline.ingest(rows(ids(pipeline)["river/upstream"], NOON, [50.0, 54.0, 86.0]))
        assert neighbors(pipeline) == ["1", "3", "4", "2"]
        pipeline.store.seal()
        assert neighbors(pipeline) == ["1", "3", "4", "2"]
        await pipeline.ingest(rows(ids(pipeline)["river/upstream"], NOON + 3 * MINUTE, [50.0]))
        pipeline.store.seal()
        assert neighbors(pipeline) == ["1", "3", "4", "1"]


async def test_a_value_is_given_up_after_the_deadline(tmp_path):
    async with running(tmp_path / "station", CONFIG) as pipeline:
        here, there = ids(pipeline)["river/t"], ids(pipeline)["river/upstream"]
        await pipeline.ingest(rows(here, NOON, [10.0, 10.0], step=61 * MINUTE))
        await pipeline.ingest(rows(there, NOON, [86.0, 50.0], step=61 * MINUTE))
        assert neighbors(pipeline) == ["2", "1"]


async def test_the_other_may_be_named_by_its_property_and_come_later(tmp_path):
    table = {"tests": {"neighbor": {"other": "air_temperature", "fail": 9, "within": "1 min", "deadline": "1 h"}}}
    first = {"thing": [RIVER], "datastream": [{**CONFIG["datastream"][0], "qc": table}]}
    async with running(tmp_path / "station", first) as pipeline:
        await pipeline.ingest(rows(ids(pipeline)["river/t"], NOON, [10.0]))
        assert neighbors(pipeline) == ["2"]
        air = {"key": "river/air", "thing": "river", "property": "air_temperature"}
        second = [*first["datastream"], air]
    async with running(tmp_path / "station", {**first, "datastream": second}) as pipeline:
        await pipeline.ingest(rows(ids(pipeline)["river/air"], NOON + MINUTE, [30.0]))
        await pipeline.ingest(rows(ids(pipeline)["river/t"], NOON + MINUTE, [10.0]))
        assert neighbors(pipeline)[1] == "4"


async def test_a_row_of_the_future_moves_no_state_also_not_in_replay(tmp_path):
    table = {"tests": {"impossible_date": {"future": "1 h"}, "spike": {"suspect": 1}}}
    config = {**CONFIG, "datastream": [{**CONFIG["datastream"][0], "qc": table}]}
    day = 24 * 60 * MINUTE

    def clock() -> int:
        return NOON

    for name, broken in (("whole", False), ("killed", True)):
        folder = tmp_path / name
        async with running(folder, config, clock=clock) as pipeline:
            here = ids(pipeline)["river/t"]
            await pipeline.ingest(rows(here, NOON - 10 * MINUTE, [10.0, 10.0]))
            await pipeline.ingest(rows(here, NOON + day, [10.0]))
            if broken:
                pipeline.store.save_state("qc", 0, b"unreadable")  # the next start must replay
                pipeline._save_state = lambda: None  # as a kill would leave it
        async with running(folder, config, clock=clock) as pipeline:
            await pipeline.ingest(rows(here, NOON - 8 * MINUTE, [15.0, 10.0, 10.0]))
            table = stored(pipeline, "river/t")
            flags = dict(
                zip(
                    table["phenomenon_time"].cast("int64").to_pylist(), table["result_quality"].to_pylist(), strict=True
                )
            )
        assert flags[NOON + day] == 4
        assert flags[NOON - 8 * MINUTE] >= 3, name
