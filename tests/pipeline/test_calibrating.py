"""Calibration records in a running pipeline: what they put into force, what they put in doubt, and their history."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from nilometer.errors import CalibrationError, NotFound, RequestError, ReviewRefused
from nilometer.model import SampleKind
from nilometer.model.calibration_records import RecordKind
from nilometer.pipeline.calibrating import RecordOrder, StandardOrder
from nilometer.pipeline.calibration_fit import FitOrder
from nilometer.pipeline.calibration_points import PointOrder, StoredSample
from nilometer.pipeline.reprocess_order import ReprocessOrder
from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, rows, running, stored

DAY = 1440 * MINUTE
NERNST = {"kind": "polynomial", "coefficients": [7, -0.017], "unit_in": "mV", "unit_out": "1"}
CONFIG: dict[str, Any] = {
    "thing": [RIVER],
    "datastream": [
        {
            "key": "river/ph",
            "thing": "river",
            "property": "ph",
            "calibration": {"every": "30 d", "limit": 0.1},
            "qc": {"tests": {"gap": False, "spike": False, "rate_of_change": False, "flat_line": False}},
        },
        {
            "key": "river/electrode",
            "thing": "river",
            "property": "ph",
            "profile": "",
            "unit": "1",
            "raw_unit": "mV",
            "calibrations": [NERNST],
        },
    ],
}
PH7 = StandardOrder(
    key="ph7", name="pH 7 buffer", quantity="ph", value=7.0, unit="1", uncertainty=0.02, coverage_factor=2, lot="A1",
    certificate="C-17", issued_by="NIM", expires=NOON + 40 * DAY, by="Li",
)  # fmt: skip


def station(folder):
    return running(folder / "station", CONFIG, clock=lambda: NOON + 365 * DAY)


def order(kind, day, before=None, after=None, **more):
    points = [PointOrder(standard="ph7", before=before, after=after, readings=4, spread=0.02)]
    told = {"datastream": "river/ph", "operator": "Wang", "by": "Li", "points": points, **more}
    return RecordOrder(kind=RecordKind(kind), time=NOON + round(day * DAY), **told)


async def send(pipeline, day, values, key="river/ph"):
    await pipeline.ingest(rows(ids(pipeline)[key], NOON + round(day * DAY), values))


def judged(pipeline, key="river/ph"):
    table = stored(pipeline, key)
    return list(zip(table["result_quality"].to_pylist(), table["tests"].to_pylist(), strict=True))


def profile_of(pipeline, key="river/ph"):
    row = pipeline.store.catalog.profile_version_row(pipeline.profile_version(ids(pipeline)[key]))
    return row.name, row.document["tests"].get("calibration_valid")


async def test_values_are_suspect_from_the_due_date_on_and_nothing_changes_without_records(tmp_path):
    async with station(tmp_path) as pipeline:
        before = profile_of(pipeline)
        await send(pipeline, 0, [7.0])
        assert (judged(pipeline), before[1]) == ([(1, None)], None)
        await pipeline.calibrations.enter_standard(PH7)
        done = await pipeline.calibrations.enter(order("verification", 1, 7.05))
        assert (done.record.passed, done.stored) == (True, 0)
        for day in (0.5, 1, 30.9, 31):
            await send(pipeline, day, [7.0])
        # Before the first record nobody said anything; from the very moment of the due date on there is doubt.
        assert [text and text[-1] for _, text in judged(pipeline)] == [None, "2", None, None, "3"]
        assert [flag for flag, _ in judged(pipeline)] == [1, 1, 1, 1, 3]
        name, test = profile_of(pipeline)
        assert name == "river/ph@river/ph"
        assert test["doubts"] == [{"from": "2024-06-01T12:00:00+00:00", "reason": "overdue"}]
        # A check renews nothing; a verification does, and a failed one ends nothing but begins a doubt of its own.
        await pipeline.calibrations.enter(order("check", 32, 7.0))
        failed = await pipeline.calibrations.enter(order("verification", 33, 7.2))
        assert (failed.record.passed, failed.record.outcome["as_found"]["largest"]) == (False, 0.2)
        later = await pipeline.calibrations.enter(order("verification", 34, 7.2, 7.0))
        assert (later.record.passed, later.record.outcome["as_found"]["passed"]) == (True, False)
        assert later.record.outcome["as_left"]["points"][0]["uncertainty"] == pytest.approx(
            np.hypot(0.01, 0.01), rel=1e-5
        )
        for day in (32.5, 33.5, 34, 63.99, 64):
            await send(pipeline, day, [7.0])
        assert [flag for flag, _ in judged(pipeline)][5:] == [3, 3, 1, 1, 3]
        assert [span["reason"] for span in profile_of(pipeline)[1]["doubts"]] == ["overdue", "failed", "overdue"]
        found = pipeline.calibrations.standing(pipeline.store.catalog.datastream_by_key("river/ph"))
        assert (found.state, found.last.id, found.due) == ("overdue", later.record.id, NOON + 64 * DAY)
        flags = judged(pipeline)
    async with station(tmp_path) as pipeline:
        assert judged(pipeline) == flags
        await send(pipeline, 65, [7.0])
        assert judged(pipeline)[-1] == (3, "113")


async def test_rows_that_came_before_their_records_are_reprocessed_to_what_they_had_been_live(tmp_path):
    new = {**NERNST, "coefficients": [7.1, -0.017]}
    points = [PointOrder(value=7.0, before=100 / 17, readings=3)]
    told = {"datastream": "river/electrode", "points": points, "readings": "raw", "calibration": new}
    told |= {"valid_until": NOON + 9 * DAY}
    records = [order("verification", 2, 7.0), order("check", 5, 7.5), order("adjustment", 3, **told)]
    found = []
    for first in ("records", "rows"):
        async with running(tmp_path / first, CONFIG, clock=lambda: NOON + 365 * DAY) as pipeline:
            await pipeline.calibrations.enter_standard(PH7)

            async def enter(pipeline=pipeline):
                return [await pipeline.calibrations.enter(one) for one in records]

            done = await enter() if first == "records" else []
            for key, values in (("river/ph", [7.0, 7.2]), ("river/electrode", [1.0, -3.0])):
                await pipeline.ingest(rows(ids(pipeline)[key], NOON, np.tile(values, 30), step=DAY // 2))
            if first == "rows":
                done = await enter()
                # Of the 60 rows of each: none is overdue yet, and the doubt of the check ends with no later record.
                assert [(one.stored, one.since) for one in done] == [
                    (0, None),
                    (50, NOON + 5 * DAY),
                    (54, NOON + 3 * DAY),
                ]
                await asyncio.to_thread(pipeline.reprocessing.run, ReprocessOrder(by="Li"))
            else:
                assert [one.stored for one in done] == [0, 0, 0]
            table = pipeline.store.snapshot().read(water_only=False).drop_columns(["commit", "provenance"])
            found.append((table, [pipeline.profile_version(number) for number in sorted(ids(pipeline).values())]))
    assert found[0][0].equals(found[1][0])
    assert {3, 1} <= set(found[0][0]["result_quality"].to_pylist())


async def test_a_standard_that_had_expired_is_refused_or_puts_the_values_in_doubt(tmp_path):
    async with station(tmp_path) as pipeline:
        await pipeline.calibrations.enter_standard(PH7)
        with pytest.raises(CalibrationError, match=r"had expired .*ph7 on 2024-06-10T12:00.*accept_expired"):
            await pipeline.calibrations.enter(order("verification", 40, 7.0))
        assert pipeline.store.catalog.calibration_records.records() == []
        done = await pipeline.calibrations.enter(order("verification", 40, 7.0, accept_expired="nothing else on board"))
        assert (done.record.expired, done.record.accept_expired) == (("ph7",), "nothing else on board")
        assert done.record.passed
        await send(pipeline, 41, [7.0])
        fresh = StandardOrder(key="ph7-b", value=6.99, unit="1", expires=NOON + 400 * DAY, by="Li")
        await pipeline.calibrations.enter_standard(fresh)
        points = [PointOrder(standard="ph7-b", before=7.0)]
        await pipeline.calibrations.enter(order("verification", 42, points=points))
        await send(pipeline, 41.5, [7.0])
        await send(pipeline, 42, [7.0])
        assert [flag for flag, _ in judged(pipeline)] == [3, 3, 1]
        assert profile_of(pipeline)[1]["doubts"][0]["reason"] == "expired_standard"


async def test_an_adjustment_puts_its_calibration_into_force_and_a_correction_takes_it_back(tmp_path):
    new = {**NERNST, "coefficients": [7.1, -0.017], "certificate": "S-2"}
    points = [PointOrder(value=7.0, uncertainty=0.004, before=100 / 17, readings=3, spread=0.17)]
    told = {"datastream": "river/electrode", "points": points, "readings": "raw", "limit": 0.05}
    async with station(tmp_path) as pipeline:
        one = ids(pipeline)["river/electrode"]
        await send(pipeline, 0, [0.0, 1.0], "river/electrode")
        wrong = {**NERNST, "unit_out": "mg L-1"}
        with pytest.raises(CalibrationError, match="mg L-1"):
            await pipeline.calibrations.enter(order("adjustment", 1, calibration=wrong, **told))
        done = await pipeline.calibrations.enter(order("adjustment", 1, calibration=new, **told))
        found, left = done.record.outcome["as_found"], done.record.outcome["as_left"]
        assert (found["largest"], found["passed"]) == (pytest.approx(-0.1), False)
        assert (left["largest"], left["passed"], left["computed"]) == (0, True, True)
        assert found["points"][0]["uncertainty"] == pytest.approx(np.hypot(0.004, 0.017 * 0.17 / 3**0.5), rel=1e-4)
        assert (done.record.passed, done.record.effective, done.stored) == (True, NOON + DAY, 0)
        await send(pipeline, 1, [0.0, 1.0], "river/electrode")
        before = pipeline.store.sequence()
        # Corrected: it was done a day later. The former calibration is in force in between, by the same kernel.
        corrected = await pipeline.calibrations.enter(order("adjustment", 2, calibration=new, **told), done.record.root)
        assert (corrected.record.root, corrected.stored, corrected.since) == (done.record.id, 2, NOON + DAY)
        await send(pipeline, 1.5, [0.0], "river/electrode")
        await send(pipeline, 2, [0.0], "river/electrode")
        assert stored(pipeline, "river/electrode")["result"].to_pylist() == pytest.approx(
            [7, 6.983, 7.1, 7.083, 7, 7.1]
        )
        ledger = pipeline.store.catalog.calibration_records
        assert [record.time for record in ledger.records([one])] == [NOON + 2 * DAY]
        assert [record.time for record in ledger.records([one], before)] == [NOON + DAY]
        assert [len(record.points) for record in ledger.record_versions(done.record.id)] == [1, 1]
        gone = await pipeline.calibrations.withdraw(done.record.id, by="Li", comment="another electrode")
        assert (gone.stored, ledger.records([one]), len(ledger.records([one], gone.record.sequence - 1))) == (1, [], 1)
        await send(pipeline, 3, [0.0], "river/electrode")
        with pytest.raises(ReviewRefused, match="was withdrawn"):
            await pipeline.calibrations.enter(order("adjustment", 2, **told), done.record.id)
        trail = [(row.action, row.subject) for row in pipeline.store.catalog.ledger.audit()]
        assert trail == [(f"calibration.{what}", "calibration-record/1") for what in ("enter", "correct", "withdraw")]
    async with station(tmp_path) as pipeline:
        await send(pipeline, 4, [0.0], "river/electrode")
        assert stored(pipeline, "river/electrode")["result"].to_pylist()[-2:] == [7, 7]


async def test_a_calibration_is_fitted_to_the_points_and_their_residuals_are_kept(tmp_path):
    buffers = [(4.0, 180.0), (7.0, 2.0), (10.0, -172.0)]
    points = [
        PointOrder(value=ph, uncertainty=0.01, before=mv, after=mv + 4, readings=4, spread=0.2) for ph, mv in buffers
    ]
    told = {"datastream": "river/electrode", "points": points, "readings": "raw", "limit": 0.05}
    fit = FitOrder(certificate={"certificate": "S-3"})
    async with station(tmp_path) as pipeline:
        with pytest.raises(RequestError, match=r"allowed: .*nernst"):
            await pipeline.calibrations.enter(order("adjustment", 1, fit=FitOrder(form="line"), **told))
        with pytest.raises(CalibrationError, match="3 points cannot determine 4"):
            await pipeline.calibrations.enter(order("adjustment", 1, fit=FitOrder(degree=3), **told))
        with pytest.raises(RequestError, match="verification or adjustment"):
            await pipeline.calibrations.enter(order("check", 1, fit=fit, **told))
        done = await pipeline.calibrations.enter(order("adjustment", 1, fit=fit, **told))
        slope, offset = np.polyfit([180, 2, -172], [4, 7, 10], 1)
        (row,) = [one for one in pipeline.store.catalog.calibrations(2) if one.id == done.record.calibration]
        assert row.document["coefficients"] == pytest.approx([offset, slope], rel=1e-4)
        assert (row.document["certificate"], row.valid_from, len(row.document["covariance"])) == ("S-3", NOON + DAY, 2)
        report = done.record.fit
        assert report["residuals"] == pytest.approx(
            (np.array([4, 7, 10]) - slope * np.array([180, 2, -172]) - offset), abs=1e-5
        )
        assert (report["degrees"], report["uncertainties"]) == (1, {"standards": True, "readings": True})
        # What was read after is compared by the new calibration: 4 mV are 0.07 pH.
        assert done.record.outcome["as_left"]["largest"] == pytest.approx(4 * slope, abs=0.02)
        assert done.record.passed is False
        await send(pipeline, 2, [2.0], "river/electrode")
        assert stored(pipeline, "river/electrode")["result"].to_pylist() == pytest.approx(
            [offset + 2 * slope], abs=1e-3
        )
        later = await pipeline.calibrations.enter(order("adjustment", 1, fit=FitOrder(use="after"), **told), 1)
        assert (later.record.passed, later.stored) == (True, 1)
        told |= {"readings": "result", "points": [PointOrder(value=7.0, before=7.1)]}
        with pytest.raises(RequestError, match="give raw readings"):
            await pipeline.calibrations.enter(order("adjustment", 3, fit=fit, **told))


async def test_points_are_made_of_stored_samples(tmp_path):
    async with station(tmp_path) as pipeline:
        one = ids(pipeline)["river/ph"]
        span = pipeline.store.catalog.sample_feature(one, SampleKind.SPAN)
        await send(pipeline, 0, [7.5, 7.5])
        values = [9.17, 9.19, 9.18, 99.0, 9.5]  # the fourth fails its test, the fifth lies outside of the span
        feature = np.full(5, span, np.int32)
        await pipeline.ingest(rows(one, NOON + DAY, values, feature=feature))
        sample = StoredSample(start=NOON, end=NOON + DAY + 4 * MINUTE)
        read = [PointOrder(value=9.18, uncertainty=0.01, from_observations=sample)]
        done = await pipeline.calibrations.enter(order("span", 1, points=read))
        (point,) = done.record.points
        assert (point.before, point.readings, point.spread) == (pytest.approx(9.18), 3, pytest.approx(0.01))
        assert (done.record.passed, done.record.sensor) == (True, pipeline.store.catalog.datastream(one).sensor)
        with pytest.raises(NotFound, match="no usable Observation of a zero sample"):
            await pipeline.calibrations.enter(order("zero", 1, points=read))


@pytest.mark.parametrize(
    ("told", "error", "says"),
    [
        ({"points": []}, RequestError, "at least one point"),
        ({"points": [PointOrder(before=7.0)]}, RequestError, "assigned value"),
        ({"points": [PointOrder(value=7.0)]}, RequestError, "needs a reading"),
        ({"points": [PointOrder(standard="ph77", before=7.0)]}, NotFound, "did you mean ph7"),
        ({"calibration": NERNST}, RequestError, "verification or adjustment"),
        ({"valid_until": NOON}, RequestError, "before it was done"),
        ({"operator": " "}, RequestError, "who did it"),
        ({"by": ""}, RequestError, "who enters it"),
        ({"datastream": "river/pH"}, NotFound, "did you mean river/ph"),
        ({"time": NOON + 366 * DAY}, RequestError, "has not come yet"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_kept(tmp_path, told, error, says):
    async with station(tmp_path) as pipeline:
        await pipeline.calibrations.enter_standard(PH7)
        with pytest.raises(RequestError, match="standard solution 1 already"):
            await pipeline.calibrations.enter_standard(PH7)
        sent = order("check", 1, 7.0)
        sent = RecordOrder(**{**{name: getattr(sent, name) for name in RecordOrder.__slots__}, **told})
        with pytest.raises(error, match=says):
            await pipeline.calibrations.enter(sent)
        assert pipeline.store.catalog.calibration_records.records() == []
