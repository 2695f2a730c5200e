"""What is stored passes calibration and qc again: as if it had been imported today, and as of before nothing moved."""

from __future__ import annotations

import asyncio

import numpy as np
import pyarrow as pa
import pytest

from nilometer.errors import NotFound, Overloaded, RequestError, StoreFull
from nilometer.model import ObservationBatch
from nilometer.pipeline import reprocess_pass
from nilometer.pipeline.reprocess_order import ReprocessOrder
from nilometer.pipeline.review_orders import Order
from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, rows, running

FIRST = {"kind": "polynomial", "coefficients": [0.0, 1.0], "residual_uncertainty": 0.1, "certificate": "A"}
SECOND = {
    "kind": "polynomial",
    "coefficients": [0.5, 1.02],
    "residual_uncertainty": 0.05,
    "certificate": "B",
    "valid_from": "2024-05-01T12:30:00Z",
}
QC = {"tests": {"spike": {"suspect": 1.0, "fail": 3.0}, "flat_line": {"suspect": "5 min", "fail": "20 min"}}}


def config(*calibrations, qc=None, more=()):
    ph = {"key": "river/ph", "thing": "river", "property": "ph", "profile": "river/ph", "qc": QC}
    ph |= {"calibrations": list(calibrations)} | ({} if qc is None else {"qc": qc})
    return {"thing": [RIVER], "datastream": [ph, *more]}


def water(n=240, seed=4):
    values = np.round(7 + np.cumsum(np.random.default_rng(seed).normal(0, 0.03, n)), 2)
    values[[40, 100]] += 4.0
    values[60:90] = values[60]
    values[[130, 131]] = np.nan
    return values


async def reprocess(pipeline, **order):
    return await asyncio.to_thread(pipeline.reprocessing.run, ReprocessOrder(**order))


def content(pipeline, *, as_of=None, versions=False):
    """All rows but their ids and commits, with what their provenance says."""
    catalog = pipeline.store.catalog
    table = pipeline.store.snapshot(as_of).read(water_only=False)
    said = []
    for number in table["provenance"].to_pylist():
        way = catalog.provenance_row(number)
        calibrations = {row.id: row.document for row in catalog.calibrations(1)}
        profile = None if way.profile_version is None else catalog.profile_version_row(way.profile_version)
        said.append((calibrations.get(way.calibration), None if profile is None else profile.digest, way.source))
    return table.drop_columns(["id", "commit", "provenance"]), said


def raw(pipeline):
    batch = ObservationBatch.from_arrow(pipeline.store.snapshot().read(water_only=False))
    return batch.id.tolist(), batch.phenomenon_time.tolist(), batch.raw_result.tobytes()


def same(one, other):
    assert one[0].equals(other[0]), [
        (name, *pair)
        for name in one[0].schema.names
        for pair in zip(one[0][name].to_pylist(), other[0][name].to_pylist(), strict=True)
        if pair[0] != pair[1]
    ][:5]
    assert one[1] == other[1]


@pytest.mark.parametrize("sealed", [False, True])
async def test_reprocessed_rows_are_those_of_an_import_with_todays_calibration(tmp_path, monkeypatch, sealed):
    monkeypatch.setattr(reprocess_pass, "PIECE_ROWS", 50)
    values, more = water(), water(seed=9)[:40]
    later = NOON + 240 * MINUTE
    async with running(tmp_path / "new", config(SECOND, FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, values))
        wanted = content(pipeline)
        await pipeline.ingest(rows(1, later, more))
        went_on = content(pipeline)
    async with running(tmp_path / "old", config(FIRST)) as pipeline:
        # In pieces, some of them late: live they got the point tests only.
        for part in (slice(0, 50), slice(70, 200), slice(50, 70), slice(200, 240)):
            start = NOON + (part.start * MINUTE)
            await pipeline.ingest(rows(1, start, values[part]))
        if sealed:
            pipeline.store.seal()
    async with running(tmp_path / "old", config(FIRST, SECOND)) as pipeline:
        before, sent = content(pipeline), raw(pipeline)
        then = pipeline.store.snapshot().committed(pipeline.store.mark())
        trial = await reprocess(pipeline, dry_run=True)
        same(content(pipeline), before)
        report = await reprocess(pipeline, by="Li")
        same(content(pipeline), wanted)
        same(content(pipeline, as_of=then), before)
        assert raw(pipeline) == sent
        assert {**trial, "seconds": 0, "dry_run": 0} == {
            **report,
            **{"seconds": 0, "dry_run": 0, "commit": None, "since": None},
        }
        (audit,) = pipeline.store.catalog.ledger.audit("reprocess")
        assert (audit.actor, audit.detail["revised"]) == ("Li", report["revised"])
        sequence = pipeline.store.sequence()
        again = await reprocess(pipeline)
        assert (again["revised"], again["restated"], again["unchanged"], pipeline.store.sequence()) == (
            0,
            0,
            240,
            sequence,
        )
        # The live tests go on from today's numbers: no row is compared with what the last one was.
        await pipeline.ingest(rows(1, later, more))
        same(content(pipeline), went_on)
    async with running(tmp_path / "old", config(FIRST, SECOND)) as pipeline:
        same(content(pipeline), went_on)


async def test_a_span_is_judged_with_what_came_before_it_and_nothing_else_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(reprocess_pass, "PIECE_ROWS", 50)
    async with running(tmp_path / "new", config(SECOND, FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
        wanted, way = content(pipeline)
    async with running(tmp_path / "old", config(FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
    async with running(tmp_path / "old", config(FIRST, SECOND)) as pipeline:
        before, made = content(pipeline)
        first, last = 75, 131
        await reprocess(pipeline, datastreams=["river/ph"], start=NOON + first * MINUTE, end=NOON + last * MINUTE)
        after, made_now = content(pipeline)
        assert after.equals(pa.concat_tables([before[:first], wanted[first:last], before[last:]]))
        assert made_now == [*made[:first], *way[first:last], *made[last:]]
        assert not after.equals(before)


async def test_calibration_and_qc_are_done_anew_each_by_itself(tmp_path):
    async with running(tmp_path, config(FIRST, qc={})) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
    flags = ["result_quality", "tests"]
    async with running(tmp_path, config(FIRST, SECOND, qc=QC)) as pipeline:
        before = content(pipeline)[0]
        report = await reprocess(pipeline, what=["calibration"])
        now = content(pipeline)[0]
        assert now.select(flags).equals(before.select(flags))
        assert not now["result"].equals(before["result"])
        (part,) = report["datastreams"]
        assert (part["profiles"], [one["new"]["certificate"] for one in part["calibrations"]]) == ([], ["B"])
        report = await reprocess(pipeline, what=["qc"])
        judged = content(pipeline)[0]
        assert judged.drop_columns(flags).equals(now.drop_columns(flags))
        assert not judged["tests"].equals(now["tests"])
        assert report["datastreams"][0]["calibrations"] == []
        assert (await reprocess(pipeline))["unchanged"] == 240


async def test_the_report_says_what_moved(tmp_path):
    numbers = np.array([7.0, 8.0, 9.0, 10.0])
    async with running(tmp_path, config(FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, numbers))
    second = SECOND | {"valid_from": "2024-05-01T12:02:00Z", "coefficients": [1.0, 1.0]}
    async with running(tmp_path, config(FIRST, second)) as pipeline:
        (part,) = (await reprocess(pipeline))["datastreams"]
        assert (part["rows"], part["unchanged"], part["revised"]) == (4, 2, 2)
        assert part["result"]["absolute"] == {
            "max": 1.0,
            "mean": 1.0,
            "median": 1.0,
            "when": "2024-05-01T12:02:00.000000Z",
        }
        assert part["result"]["relative"]["max"] == pytest.approx(1 / 9)
        assert part["uncertainty"]["absolute"]["max"] == pytest.approx(0.05, abs=1e-6)
        (calibration,) = part["calibrations"]
        assert (calibration["old"]["certificate"], calibration["new"]["certificate"]) == ("A", "B")
        assert (part["first"], part["last"]) == ("2024-05-01T12:02:00.000000Z", "2024-05-01T12:03:00.000000Z")


async def test_the_manual_review_stands_over_the_new_rows_and_signed_ones_stay(tmp_path):
    order = {"datastreams": ["river/ph"], "by": "Li", "reason": "other"}
    span = {"start": NOON + 60 * MINUTE, "end": NOON + 90 * MINUTE}
    told = {"offset": 0.25}

    async def reviewed(pipeline):
        await pipeline.review(Order(action="offset", parameters=told, **order, **span))
        await pipeline.review(
            Order(action="delete", **order, start=NOON + 200 * MINUTE, end=NOON + 210 * MINUTE, parameters={})
        )

    async with running(tmp_path / "new", config(SECOND, FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
        await reviewed(pipeline)
        wanted = content(pipeline)[0]
    async with running(tmp_path / "old", config(FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
        await reviewed(pipeline)
        signed = {"start": NOON, "end": NOON + 40 * MINUTE}
        await pipeline.review(Order(action="sign_off", parameters={"level": "first"}, **order, **signed))
    async with running(tmp_path / "old", config(FIRST, SECOND)) as pipeline:
        before = content(pipeline)[0]
        report = await reprocess(pipeline)
        # The second calibration is valid from row 30 on; up to row 40 somebody has signed.
        after = content(pipeline)[0]
        assert after.equals(pa.concat_tables([before[:40], wanted[40:]]))
        assert report["signed"] == 10
        assert (await reprocess(pipeline))["revised"] == 0
        await reprocess(pipeline, force=True)
        assert content(pipeline)[0].equals(wanted)
        (ph,) = pipeline.store.catalog.datastreams()
        assert pipeline.orders is not None
        await pipeline.undo(1, by="Wang", force=True)
        undone = content(pipeline)[0]
        assert undone[60:90]["result"].to_pylist() == pytest.approx(
            [value - 0.25 for value in wanted[60:90]["result"].to_pylist()]
        )
        assert ph.id == 1


async def test_what_a_crash_cut_short_is_continued_by_the_same_call(tmp_path, monkeypatch):
    monkeypatch.setattr(reprocess_pass, "PIECE_ROWS", 50)
    async with running(tmp_path / "new", config(SECOND, FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
        wanted = content(pipeline)
    async with running(tmp_path / "old", config(FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
    async with running(tmp_path / "old", config(FIRST, SECOND)) as pipeline:
        commit, left = pipeline.store.commit, [2]

        def refuse(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise StoreFull("no space left on device")
            return commit(*arguments, **options)

        pipeline.store.commit = refuse
        with pytest.raises(StoreFull, match="no space left"):
            await reprocess(pipeline)
        assert pipeline.reprocessing.progress.running is False
    async with running(tmp_path / "old", config(FIRST, SECOND)) as pipeline:
        report = await reprocess(pipeline)
        assert 0 < report["revised"] < 210
        same(content(pipeline), wanted)


async def test_rows_that_come_and_change_meanwhile_are_right_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(reprocess_pass, "PIECE_ROWS", 50)
    values, more = water(), water(seed=9)[:40]
    changed = values.copy()
    changed[110] = 7.77
    async with running(tmp_path / "new", config(SECOND, FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, changed))
        await pipeline.ingest(rows(1, NOON + 240 * MINUTE, more))
        wanted = content(pipeline)
    async with running(tmp_path / "old", config(FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, values))
    async with running(tmp_path / "old", config(FIRST, SECOND)) as pipeline:
        loop, count = asyncio.get_running_loop(), [0]
        feed = reprocess_pass.Rejudging.feed

        def disturbed(self, batch, commit):
            # While a piece is worked on, the instrument goes on, and a row of that piece is corrected.
            n = count[0]
            count[0] += 1
            if n < 4:
                late = rows(1, NOON + 110 * MINUTE, [7.77])
                new = rows(1, NOON + (240 + 10 * n) * MINUTE, more[10 * n : 10 * n + 10])
                both = ObservationBatch.concat([new, late] if n == 1 else [new])
                asyncio.run_coroutine_threadsafe(pipeline.ingest(both), loop).result()
            yield from feed(self, batch, commit)

        monkeypatch.setattr(reprocess_pass.Rejudging, "feed", disturbed)
        report = await reprocess(pipeline)
        assert report["changed_meanwhile"] == 0
        same(content(pipeline), wanted)


async def test_one_run_at_a_time_and_only_what_there_is(tmp_path):
    async with running(tmp_path, config(FIRST)) as pipeline:
        with pytest.raises(NotFound, match="river/ph"):
            await reprocess(pipeline, datastreams=["river/phh"])
        with pytest.raises(RequestError, match="allowed: calibration, qc"):
            await reprocess(pipeline, what=["derivation"])
        with pytest.raises(RequestError, match="end"):
            await reprocess(pipeline, start=NOON, end=NOON)
        pipeline._pump.ask(lambda: None)
        hold = asyncio.Event()
        loop = asyncio.get_running_loop()
        pipeline._pump.call(lambda: asyncio.run_coroutine_threadsafe(hold.wait(), loop).result())
        pipeline.reprocessing.start(ReprocessOrder())
        with pytest.raises(Overloaded, match="under way"):
            pipeline.reprocessing.start(ReprocessOrder())
        hold.set()
        assert ids(pipeline) == {"river/ph": 1}


async def test_what_was_not_stored_is_read_from_the_digits(tmp_path):
    tests = {"impossible_date": {"future": "1 min"}, "data_reception": {"suspect": "1 h", "fail": "1 d"}, "syntax": {}}
    now = [NOON]
    async with running(tmp_path, config(FIRST, qc={"tests": {}}), clock=lambda: now[0]) as pipeline:
        await pipeline.ingest(rows(1, NOON, [7.0]))
    judged = config(FIRST, qc={"tests": tests})
    async with running(tmp_path, judged, clock=lambda: now[0]) as pipeline:
        for at, received, syntax in ((1, 1, 1), (2, 90, 4), (3, 4000, 1), (60, 5, 2), (4, 4, 1), (5, 5, 1)):
            now[0] = NOON + received * MINUTE
            column = np.array([syntax], np.uint8)
            await pipeline.ingest(rows(1, NOON + at * MINUTE, [7.0 + at / 100], syntax=column))
        now[0] = NOON + 9000 * MINUTE
        before = content(pipeline)[0].slice(1)
    async with running(tmp_path, config(FIRST, SECOND, qc={"tests": tests}), clock=lambda: now[0]) as pipeline:
        await reprocess(pipeline)
        after = content(pipeline)[0].slice(1)
        assert len(set(after["tests"].to_pylist())) > 3
        assert after["tests"].equals(before["tests"])
        assert after["result_quality"].equals(before["result_quality"])
