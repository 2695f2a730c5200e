from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nilometer.model import QartodFlag
from nilometer.store import Store, Values
from nilometer.web.api import charting
from nilometer.web.api.charting import chart_rows
from tests.store.waters import SECOND, START, Water, rows, settlement

HOUR = 3600


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    """Two years of hours with a spike up, a spike down that failed, and a lost value, half of it sealed."""
    water = Water(Store.open(tmp_path_factory.mktemp("chart") / "data"))
    hours = np.arange(0, 2 * 365 * 24) * HOUR
    values = 10 + np.sin(hours / 86400)
    values[4000] = 99.0
    for part in np.array_split(np.arange(len(hours)), 2):
        water.send(water.ids[0], hours[part], values[part])
        water.store.save_state("qc", water.store.sequence(), b"")
        water.store.seal()
    water.put(rows(water.ids[0], [9000 * HOUR + 1], [-50.0]), quality=QartodFlag.FAIL)
    water.put(rows(water.ids[0], [9001 * HOUR + 1], [np.nan]), quality=QartodFlag.MISSING)
    yield water
    water.store.close()


def chart(water, most, start=None, end=None, columns=None):
    snapshot = water.store.snapshot()
    return chart_rows(
        snapshot, water.ids[0], start, end, most, columns=columns, water_only=True, time_zone="Australia/Lord_Howe"
    )


def holds_what_matters(found):
    result = found.rows["result"].to_pylist()
    quality = found.rows["result_quality"].to_pylist()
    time = found.rows["phenomenon_time"].cast("int64").to_numpy()
    assert 99.0 in result
    assert (-50.0, QartodFlag.FAIL) in list(zip(result, quality, strict=True))
    assert (None, QartodFlag.MISSING) in list(zip(result, quality, strict=True))
    assert time[0] == START
    assert time[-1] == START + (2 * 365 * 24 - 1) * HOUR * SECOND
    assert (np.diff(time) > 0).all()


def test_few_rows_are_given_as_they_are(water):
    found = chart(water, 100, START, START + 50 * HOUR * SECOND)
    assert (found.resolution, found.count, len(found.rows)) == ("raw", 50, 50)


def test_many_rows_are_reduced_to_what_matters(water):
    found = chart(water, 200)
    assert (found.resolution, found.count) == ("extremes", 2 * 365 * 24 + 2)
    assert len(found.rows) <= 2 * 200 + 14
    holds_what_matters(found)


@pytest.mark.parametrize(("hours", "resolution"), [(10**6, "hour"), (10, "day")])
def test_too_many_rows_to_hold_at_a_time_are_looked_through_by_spans_and_lose_no_extreme(
    water, monkeypatch, hours, resolution
):
    # The real bounds would take rows by the million.
    monkeypatch.setattr(charting, "MOST_ROWS", 3000)
    monkeypatch.setattr(charting, "MOST_HOURS", hours)
    found = chart(water, 200)
    assert (found.resolution, found.count) == (resolution, 2 * 365 * 24 + 2)
    assert len(found.rows) <= 2 * 200 + 14
    holds_what_matters(found)
    narrow = chart(water, 200, columns=["id"])
    assert narrow.rows["id"].to_pylist() == found.rows["id"].to_pylist()


def test_a_long_chart_is_the_same_wherever_its_rows_lie(tmp_path, monkeypatch):
    monkeypatch.setattr(charting, "MOST_ROWS", 1000)  # as above
    water = Water(Store.open(tmp_path / "data"), datastreams=2)
    one, rng = water.ids[0], np.random.default_rng(3)

    def whole(snapshot):
        found = chart_rows(snapshot, one, None, None, 300, columns=None, water_only=True, time_zone="Asia/Kathmandu")
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, found.rows.schema) as writer:
            writer.write_table(found.rows)
        return found, sink.getvalue().to_pybytes()

    def check():
        """The chart holds what all rows hold, twice the same, and as of a moment the bytes of then."""
        found, _ = whole(water.store.snapshot())
        again, _ = whole(water.store.snapshot())
        rows = water.store.snapshot().read([one])
        assert found.rows.equals(again.rows)
        assert found.count == len(rows)
        assert found.resolution == "hour"
        for name in ("result", "phenomenon_time"):
            assert pc.min_max(found.rows[name]) == pc.min_max(rows[name])
        assert set(found.rows["result_quality"].to_pylist()) >= set(rows["result_quality"].to_pylist()) - {1, 2}
        for moment, then in past.items():
            assert whole(water.store.snapshot(moment))[1] == then

    def remember():
        moment = water.store.snapshot().committed(water.store.mark())
        past[moment] = whole(water.store.snapshot(moment))[1]

    def seal():
        water.store.save_state("qc", water.store.sequence(), b"")
        water.store.seal()

    past = {}
    for part in range(4):
        water.send(one, part * 1000 * HOUR + np.arange(2000) * 1800, rng.normal(8, 1, 2000).round(2))
        remember()
        seal()
        check()
    water.send(one, np.array([50, 1500, 3000]) * HOUR, [99.0, -7.0, np.nan])  # revisions
    check()
    remember()
    water.put(rows([one], [2000 * HOUR + 7], [-40.0]), quality=QartodFlag.FAIL)  # a late row
    check()
    late = water.store.snapshot().read([one], values=Values(greatest=-39.0))["id"].to_numpy()
    water.put(rows([], [], []), settled=settlement(late, QartodFlag.SUSPECT))
    remember()
    check()
    seal()
    check()
    water.store.delete([one], START + 49 * HOUR * SECOND, START + 60 * HOUR * SECOND)
    check()
    seal()
    water.store.compact()
    check()
    water.store.close()


def test_a_span_shows_nothing_beyond_its_ends(water, monkeypatch):
    monkeypatch.setattr(charting, "MOST_ROWS", 1000)  # as above
    start, end = START + 500 * HOUR * SECOND + SECOND, START + 6000 * HOUR * SECOND - SECOND
    found = chart(water, 100, start, end)
    assert found.resolution == "hour"
    assert found.count == 5499
    time = found.rows["phenomenon_time"].cast("int64").to_numpy()
    assert time[0] == START + 501 * HOUR * SECOND
    assert time[-1] == START + 5999 * HOUR * SECOND
