"""What is stored passes calibration and qc again: as if it had been imported today, and as of before nothing moved."""

from __future__ import annotations

import asyncio

import numpy as np
import pyarrow as pa
import pytest

import nilometer
from nilometer.errors import NotFound, Overloaded, RequestError, StoreFull
from nilometer.model import ObservationBatch
from nilometer.pipeline import reprocess_pass
from nilometer.pipeline.reprocess_order import ReprocessOrder
from nilometer.pipeline.review_orders import Order
from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, rows, running
from tests.pipeline.reprocessed import FIRST, QC, SECOND, config, content, raw, reprocess, same, water


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
        with pytest.raises(RequestError, match="allowed: calibration, qc, derivation"):
            await reprocess(pipeline, what=["derivations"])
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


async def test_a_calibration_for_the_past_says_that_history_stays_as_it_is(tmp_path, capsys):
    async with running(tmp_path, config(FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
        before = content(pipeline)
    capsys.readouterr()
    async with running(tmp_path, config(FIRST, SECOND)) as pipeline:
        same(content(pipeline), before)
        said = capsys.readouterr()
        assert "nilometer reprocess river/ph --data" in said.out + said.err
        assert "2024-05-01T12:30" in said.out + said.err


@pytest.mark.real
async def test_a_summer_of_the_logan_river_reprocessed_is_the_one_that_is_imported(tmp_path, real_data):
    file = real_data / "water_quality" / "lro" / "MainStreet2019.csv.gz"
    table = nilometer.read(file).to_pandas()
    times = table.index.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    keys = {"ph": "ph", "do": "dissolved_oxygen", "temp": "water_temperature"}
    old = FIRST | {"coefficients": [0.05, 0.998]}
    new = SECOND | {"valid_from": "2019-06-01T00:00:00Z"}

    def river(*calibrations):
        streams = [{"key": f"river/{name}", "thing": "river", "property": key} for name, key in keys.items()]
        return {"thing": [RIVER], "datastream": [one | {"calibrations": list(calibrations)} for one in streams]}

    async def imported(pipeline):
        for number, name in enumerate(keys, 1):
            values = table[name].to_numpy(float)
            await pipeline.ingest(
                ObservationBatch(
                    datastream=np.full(len(times), number, np.int32), phenomenon_time=times, raw_result=values
                )
            )

    async with running(tmp_path / "new", river(old, new)) as pipeline:
        await imported(pipeline)
        wanted = content(pipeline)
    async with running(tmp_path / "old", river(old)) as pipeline:
        await imported(pipeline)
        pipeline.store.seal()
    async with running(tmp_path / "old", river(old, new)) as pipeline:
        before, sent = content(pipeline), raw(pipeline)
        then = pipeline.store.snapshot().committed(pipeline.store.mark())
        report = await reprocess(pipeline)
        same(content(pipeline), wanted)
        same(content(pipeline, as_of=then), before)
        assert raw(pipeline) == sent
        assert report["rows"] == 3 * len(times)
        assert report["revised"] >= sum(part["result"]["changed"] for part in report["datastreams"]) > 30_000
        # The row before the new calibration is compared with the one behind it.
        assert min(part["first"] for part in report["datastreams"]) >= "2019-05-31T23:45"


async def test_what_is_derived_follows_its_inputs_as_in_an_import(tmp_path):
    def station(*calibrations):
        temperature = {"key": "river/t", "thing": "river", "property": "water_temperature"}
        solubility = {"key": "river/full", "thing": "river", "property": "full", "function": "oxygen.solubility"}
        solubility |= {"inputs": {"temperature": "river/t"}, "profile": "river/dissolved_oxygen", "unit": "mg L-1"}
        streams = [temperature | {"calibrations": list(calibrations)}]
        return {"thing": [RIVER], "datastream": streams, "derived": [solubility]}

    async with running(tmp_path / "new", station(SECOND, FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
        wanted = content(pipeline)
    async with running(tmp_path / "old", station(FIRST)) as pipeline:
        await pipeline.ingest(rows(1, NOON, water()))
    async with running(tmp_path / "old", station(FIRST, SECOND)) as pipeline:
        before = content(pipeline)
        then = pipeline.store.snapshot().committed(pipeline.store.mark())
        await reprocess(pipeline)
        same(content(pipeline), wanted)
        same(content(pipeline, as_of=then), before)
        assert not wanted[0].equals(before[0])
        assert (await reprocess(pipeline))["unchanged"] == len(wanted[1]) > 400
