"""Files of the lake written anew by reprocessing: as if they had been imported today, whatever comes meanwhile."""

from __future__ import annotations

import asyncio

import numpy as np
import pyarrow as pa
import pytest

from nilometer.pipeline import reprocess_files, reprocess_work
from nilometer.pipeline.review_orders import Order
from nilometer.store import lake_writer
from tests.pipeline.conftest import MINUTE, RIVER, rows, running
from tests.pipeline.reprocessed import FIRST, QC, SECOND, content, raw, reprocess, same, water

NEW_YEAR = int(np.datetime64("2024-01-01T00:00", "us").astype(np.int64))
LATER = SECOND | {"valid_from": "2023-12-31T23:30:00Z"}
STREAMS = ("river/a", "river/b", "river/c")


def several(*calibrations):
    streams = [{"key": key, "thing": "river", "property": "ph", "profile": "river/ph", "qc": QC} for key in STREAMS]
    return {"thing": [RIVER], "datastream": [one | {"calibrations": list(calibrations)} for one in streams]}


@pytest.fixture
def small_files(monkeypatch):
    """Files and pieces so small that a Datastream has many."""
    for name, size in (("GROUP_ROWS", 32), ("_MOST_GROUP_ROWS", 40), ("LEAST_GROUP_ROWS", 8)):
        monkeypatch.setattr(lake_writer, name, size)
    monkeypatch.setattr(reprocess_files, "_GROUPS_AT_ONCE", 2)
    monkeypatch.setattr(reprocess_files, "_CAUGHT_UP_AT_ONCE", 2)
    monkeypatch.setattr(reprocess_files, "LEAST_ROWS", 0)


async def fill(pipeline, parts, more=False):
    for part in parts:
        for number in (1, 2, 3):
            start = NEW_YEAR + (part.start - 120) * MINUTE
            values = np.concatenate([water(seed=number), water(seed=number + 3)])
            await pipeline.ingest(rows(number, start, values[part]))
    if more:
        return
    await pipeline.review(
        Order(
            action="offset",
            parameters={"offset": 0.25},
            datastreams=["river/b"],
            by="Li",
            reason="other",
            start=NEW_YEAR - 20 * MINUTE,
            end=NEW_YEAR + 20 * MINUTE,
        )
    )


async def test_files_of_the_lake_are_written_anew_as_the_rows_of_an_import(tmp_path, small_files, monkeypatch):
    exchanged = []
    async with running(tmp_path / "new", several(LATER, FIRST)) as pipeline:
        await fill(pipeline, [slice(0, 240)])
        wanted = content(pipeline)
        await fill(pipeline, [slice(240, 300)], more=True)
        went_on = content(pipeline)
    async with running(tmp_path / "old", several(FIRST)) as pipeline:
        await fill(pipeline, [slice(0, 100), slice(140, 200), slice(100, 140)])
        pipeline.store.seal()
        pipeline.store.compact()
        await fill(pipeline, [slice(200, 240)], more=True)
    async with running(tmp_path / "old", several(FIRST, LATER)) as pipeline:
        store = pipeline.store
        before, sent = content(pipeline), raw(pipeline)
        then = store.snapshot().committed(store.mark())
        exchange = store.rewriting.exchange

        def counted(*arguments):
            exchanged.append(exchange(*arguments))
            return exchanged[-1]

        monkeypatch.setattr(type(store.rewriting), "exchange", lambda _, *arguments: counted(*arguments))
        report = await reprocess(pipeline)
        assert exchanged == [True, True]  # two years
        same(content(pipeline), wanted)
        same(content(pipeline, as_of=then), before)
        assert raw(pipeline) == sent
        latest = store.snapshot().latest([1, 2, 3]).select(["result", "tests"])
        whole = content(pipeline)[0]
        assert latest.equals(whole.take(pa.array([239, 479, 719])).select(["result", "tests"]).combine_chunks())
        sequence = store.sequence()
        again = await reprocess(pipeline)
        assert (again["revised"], again["restated"], again["rows"]) == (0, 0, 720)
        assert report["rows"] == 720
        assert store.sequence() <= sequence + 1  # a mark, so that hidden rows may leave the lake
        await fill(pipeline, [slice(240, 300)], more=True)
        same(content(pipeline), went_on)
        store.compact()
        same(content(pipeline), went_on)
    async with running(tmp_path / "old", several(FIRST, LATER)) as pipeline:
        same(content(pipeline), went_on)
        same(content(pipeline, as_of=then), before)


async def test_a_row_that_changes_while_its_file_is_written_anew_is_right_in_the_end(
    tmp_path, small_files, monkeypatch
):
    parts = [slice(0, 240)]
    late = rows(1, NEW_YEAR, [7.77])
    async with running(tmp_path / "new", several(LATER, FIRST)) as pipeline:
        await fill(pipeline, parts)
        await pipeline.ingest(late)
        await reprocess(pipeline)  # the changed row too as if it had come in time
        wanted = content(pipeline)
    async with running(tmp_path / "old", several(FIRST)) as pipeline:
        await fill(pipeline, parts)
        pipeline.store.seal()
        pipeline.store.compact()
    async with running(tmp_path / "old", several(FIRST, LATER)) as pipeline:
        loop, close, told = asyncio.get_running_loop(), reprocess_work.FileRewriter.close, []

        def disturbed(self):
            if self.file.year == "2024" and not told:
                told.append(1)
                asyncio.run_coroutine_threadsafe(pipeline.ingest(late), loop).result()
            return close(self)

        monkeypatch.setattr(reprocess_work.FileRewriter, "close", disturbed)
        report = await reprocess(pipeline)
        assert told == [1]
        assert report["changed_meanwhile"] == 0
        same(content(pipeline), wanted)
