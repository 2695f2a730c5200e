"""History by the definitions of today: as if they had held from the first row on, and as of before nothing moved."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nilometer.config_derived import DerivedConfig, definition_of
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline, derived_changes, reprocess_pass
from nilometer.pipeline.deleting import DeleteOrder
from nilometer.pipeline.derived_plan import document_of
from nilometer.pipeline.reprocess_judging import Rejudging
from nilometer.pipeline.reprocess_order import ReprocessOrder
from nilometer.pipeline.review_orders import Order
from tests.pipeline.conftest import MINUTE, NOON, ids, rows, running
from tests.pipeline.test_deriving import (
    DO,
    SATURATION,
    SOLUBILITY,
    Clock,
    P,
    T,
    judged,
    pass_time,
    profiles,
    sent,
    waters,
)

FULL = "river/full"
SPIKE = {"tests": {"spike": {"suspect": 3.0, "fail": 8.0}}}


def first(**more: Any) -> dict[str, Any]:
    config = judged(deadline="20 min", **more)
    config["derived"] = config["derived"][:3]
    del config["derived"][0]["inputs"]["salinity"]
    config["derived"][0]["qc"] = SPIKE
    return config


def second() -> dict[str, Any]:
    """Another tolerance and a stand-in; a constant that the level below did not have; another function."""
    config = first()
    saturation, full, solubility = config["derived"]
    saturation["inputs"]["pressure"] = {"datastream": P, "tolerance": "5 min", "when_missing": {"value": 1.0}}
    solubility["inputs"]["salinity"] = {"value": 12.0, "uncertainty": 0.5}
    full["when_flagged"] = ["pass", "not_evaluated"]
    return config


def without() -> dict[str, Any]:
    return first() | {"derived": []}


def content(pipeline: Pipeline, **options: Any) -> tuple[pa.Table, list[Any]]:
    """What is served but for ids and commits, and how each row is made."""
    catalog = pipeline.store.catalog
    table = pipeline.store.snapshot(options.get("as_of")).read(water_only=False)
    ways = [catalog.provenance_row(way).definition for way in table["provenance"].to_pylist()]
    documents = [None if way is None else catalog.definitions.row(way).document for way in ways]
    keys = {one.id: one.key for one in catalog.datastreams()}
    owner = pa.array([keys[number] for number in table["datastream"].to_pylist()])
    table = table.drop_columns(["id", "commit", "provenance", "feature", "datastream"]).append_column("key", owner)
    order = np.lexsort((table["phenomenon_time"].to_numpy(), owner.to_numpy(zero_copy_only=False).astype(str)))
    return table.take(pa.array(order)), [documents[row] for row in order]


def same(one: tuple[pa.Table, list[Any]], other: tuple[pa.Table, list[Any]]) -> None:
    for name in one[0].schema.names:
        assert one[0][name].to_pylist() == other[0][name].to_pylist(), name
    assert one[0].equals(other[0])
    assert one[1] == other[1]


async def reprocess(pipeline: Pipeline, **order: Any) -> dict[str, Any]:
    return await asyncio.to_thread(pipeline.reprocessing.run, ReprocessOrder(**order))


async def ingest(pipeline: Pipeline, clock: Clock) -> None:
    number = ids(pipeline)
    for key, (times, numbers) in waters().items():
        await pipeline.ingest(sent(number[key], times, numbers))
    await pass_time(pipeline, clock, 120)


async def batch(folder: Path, config: dict[str, Any]) -> tuple[pa.Table, list[Any]]:
    """What a station gives that had a configuration from its first row on, judged in order of time."""
    profiles(folder)
    clock = Clock()
    async with running(folder, config, clock=clock) as pipeline:
        await ingest(pipeline, clock)
        await reprocess(pipeline, what=["qc"])
        return content(pipeline)


def small(monkeypatch: Any) -> None:
    monkeypatch.setattr(derived_changes, "PIECE", 8)
    monkeypatch.setattr(reprocess_pass, "PIECE_ROWS", 8)


async def test_a_changed_definition_gives_its_history_as_if_it_had_always_held(
    tmp_path: Path, monkeypatch: Any
) -> None:
    small(monkeypatch)
    wanted = await batch(tmp_path / "new", second())
    profiles(tmp_path / "old")
    clock = Clock()
    async with running(tmp_path / "old", first(), clock=clock) as pipeline:
        await ingest(pipeline, clock)
        await reprocess(pipeline, what=["qc"])
    async with running(tmp_path / "old", second(), clock=clock) as pipeline:
        before = content(pipeline)
        then = pipeline.store.snapshot().committed(pipeline.store.mark())
        assert (await reprocess(pipeline, what=["calibration", "qc"]))["revised"] == 0
        told = await reprocess(pipeline, what=["derivation"], dry_run=True)
        same(content(pipeline), before)
        report = await reprocess(pipeline, changes=True)
        same(content(pipeline), wanted)
        same(content(pipeline, as_of=then), before)
        assert pipeline.reprocessing.changes is not None
        moved = pq.read_table(pipeline.reprocessing.changes)
        again = await reprocess(pipeline)
        assert (again["added"], again["revised"], again["restated"], again["commit"]) == (0, 0, 0, None)
        parts = {part["datastream"]: part for part in report["datastreams"]}
        assert parts[SOLUBILITY]["result"]["changed"] == parts[SOLUBILITY]["rows"] - 1 > 10
        (definition,) = parts[SATURATION]["definitions"]
        assert definition["old"]["id"] < definition["new"]["id"]
        assert (definition["rows"], definition["new"]["function"]) == (30, "oxygen.saturation")
        assert parts[SATURATION]["flags"]
        # A dry run sees what one definition changes; what follows from it in others comes with its commit.
        dry = {part["datastream"]: part for part in told["datastreams"]}
        assert dry.keys() == {SATURATION, SOLUBILITY, FULL}
        for key in (SATURATION, SOLUBILITY):
            for name in ("added", "revised", "restated", "flags", "result", "definitions"):
                assert dry[key][name] == parts[key][name], (key, name)
        assert set(moved["datastream"].to_pylist()) == {SATURATION, SOLUBILITY, FULL}
        assert pa.compute.all(pa.compute.less(moved["definition_old"], moved["definition_new"])).as_py()


async def test_what_is_declared_over_stored_rows_gets_its_history_and_goes_on(tmp_path: Path, monkeypatch: Any) -> None:
    small(monkeypatch)
    wanted = await batch(tmp_path / "new", first())
    profiles(tmp_path / "old")
    clock = Clock()
    async with running(tmp_path / "old", without(), clock=clock) as pipeline:
        await ingest(pipeline, clock)
    async with running(tmp_path / "old", first(), clock=clock) as pipeline:
        before = content(pipeline)
        then = pipeline.store.snapshot().committed(pipeline.store.mark())
        # A span of one Datastream alone, then all that is left; what is named brings what follows from it.
        told = await reprocess(pipeline, dry_run=True)
        assert told["added"] == 30 + 13
        span = {"start": NOON + 3 * MINUTE, "end": NOON + 9 * MINUTE}
        part = await reprocess(pipeline, datastreams=[SOLUBILITY], what=["derivation"], **span)
        assert {one["datastream"]: one["added"] for one in part["datastreams"]} == {SOLUBILITY: 3, FULL: 3}
        derived = content(pipeline)[0].filter(pa.compute.is_in(content(pipeline)[0]["key"], pa.array([SOLUBILITY])))
        assert derived["phenomenon_time"].cast(pa.int64()).to_pylist() == [
            int(NOON + minute * MINUTE) for minute in (4.5, 6.5, 8.5)
        ]
        report = await reprocess(pipeline)
        assert report["added"] == 30 + 2 * 13 - 6
        same(content(pipeline), wanted)
        same(content(pipeline, as_of=then), before)
        again = await reprocess(pipeline)
        assert (again["added"], again["revised"], again["restated"]) == (0, 0, 0)
    for folder in ("new", "old"):
        async with running(tmp_path / folder, first(), clock=clock) as pipeline:
            number = ids(pipeline)
            # The last time waits for its temperature: no run of reprocessing answers in its place.
            await pipeline.ingest(rows(number[DO], NOON + 30 * MINUTE, [8.0, 8.1]))
            await pipeline.ingest(rows(number[P], NOON + 29 * MINUTE, [1000.0, 1000.0]))
            assert (await reprocess(pipeline))["added"] == 0
            await pipeline.ingest(rows(number[T], NOON + 30 * MINUTE, [14.0, 14.1], step=2 * MINUTE))
            await pass_time(pipeline, clock, 120)
            await reprocess(pipeline, what=["qc"])
            last = content(pipeline)
            if folder == "new":
                wanted = last
    assert len(wanted[1]) > len(again["datastreams"])
    same(last, wanted)


async def test_reviews_stand_and_what_changes_meanwhile_is_right_in_the_end(tmp_path: Path, monkeypatch: Any) -> None:
    small(monkeypatch)
    profiles(tmp_path)
    clock = Clock()
    async with running(tmp_path, first(), clock=clock) as pipeline:
        await ingest(pipeline, clock)
        number = ids(pipeline)
        span = {"start": int(NOON + 6 * MINUTE), "end": int(NOON + 9 * MINUTE)}
        about = {"by": "Li Na", "reason": "drift", **span}
        await pipeline.review(Order(action="offset", parameters={"offset": -5.0}, datastreams=[SATURATION], **about))
        await pipeline.delete(DeleteOrder([SOLUBILITY], span["start"], span["end"], by="Li Na"))
        config = {one["key"]: one for one in second()["derived"]}
        loop, calls = asyncio.get_running_loop(), [0]
        feed = Rejudging.feed

        def disturbed(self: Any, batch: ObservationBatch, commit: Any) -> Any:
            # While a piece is worked on, an input of all of them is corrected.
            calls[0] += 1
            if calls[0] == 3:
                times, values = waters()[P]
                corrected = sent(number[P], times, values - 20.0)
                asyncio.run_coroutine_threadsafe(pipeline.ingest(corrected), loop).result()
            yield from feed(self, batch, commit)

        def define() -> None:
            catalog = pipeline.store.catalog
            for key in (SATURATION, SOLUBILITY, FULL):
                document = document_of(definition_of(DerivedConfig.model_validate(config[key])))
                catalog.definitions.set(number[key], document, time=NOON, source="config")
                pipeline._judging.set(catalog.datastream(number[key]))
            pipeline._deriving.changed()

        await pipeline._in_pump(define)
        monkeypatch.setattr(Rejudging, "feed", disturbed)
        report = await reprocess(pipeline, what=["derivation"])
        assert report["changed_meanwhile"] == 0
        monkeypatch.setattr(Rejudging, "feed", feed)
        chain = pipeline._deriving.recompute([number[SOLUBILITY], number[FULL]], None, None)
        assert not [one for one in chain if len(one.rows)]
        table = content(pipeline)[0]
        mine = {row["phenomenon_time"]: row["result"] for row in table.to_pylist() if row["key"] == SATURATION}
        others = list(pipeline._deriving.recompute([number[SATURATION]], None, None))
        # Only where somebody has reviewed is something else served than what is computed: by as much as was said.
        shifted = {
            time: result
            for one in others
            for time, result in zip(one.rows.time.tolist(), one.rows.result.tolist(), strict=True)
        }
        assert set(shifted) == {int(NOON + minute * MINUTE) for minute in (6, 7, 8)}
        for when, result in mine.items():
            at = int(when.timestamp() * 1e6)
            if at in shifted and result is not None:
                assert abs(result - (shifted[at] - 5.0)) < 1e-9
        # What followed from the correction was judged as a late row is; in order of time its flag may be another.
        again = await reprocess(pipeline)
        assert not any(part["result"]["changed"] for part in again["datastreams"])
        assert (await reprocess(pipeline))["commit"] is None
