"""Admission, revisions, deletes and as_of against a dictionary that does the same, whatever the order of events."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.store import NEW, REVISED, UNCHANGED, Store
from nilometer.store.rollups import READ, rollups
from tests.store.rolled import rolled, same
from tests.store.waters import SECOND, START, Water, rows, settlement

MINUTE = 60
ZONE = "Asia/Kathmandu"
COLUMNS = ("result", "mark", "tests")
HOUR_SECONDS = st.integers(0, 9).map(lambda n: n * 3600)  # over the end of a year
ROW = st.tuples(st.integers(0, 1), HOUR_SECONDS, st.integers(0, 2), st.sampled_from([None, "N", "F"]))
EVENT = st.one_of(
    st.tuples(st.just("send"), st.lists(ROW, min_size=1, max_size=12)),
    st.tuples(st.just("send"), st.lists(ROW, min_size=1, max_size=12)),
    st.tuples(st.just("delete"), st.tuples(st.integers(0, 1), HOUR_SECONDS, HOUR_SECONDS)),
    st.tuples(st.just("settle"), st.integers(0, 50)),
    st.tuples(st.just("seal"), st.booleans()),
    st.tuples(st.just("reopen"), st.none()),
    st.tuples(st.just("compact"), st.booleans()),
)


class Model:
    """Rows by key: (value, mark, id, tests)."""

    def __init__(self):
        self.rows = {}
        self.given = {0: 0, 1: 0}

    def send(self, batch, ids):
        status, changed = [], {}
        for stream, second, value, mark in batch:
            key = (stream, second)
            old = self.rows.get(key)
            if old is None:
                self.given[stream] += 1
                self.rows[key] = [value, mark, (ids[stream] << 32) + self.given[stream], None]
                status.append(NEW)
            elif old[:2] == [value, mark]:
                status.append(UNCHANGED)
            else:
                self.rows[key] = [value, mark, old[2], None]
                status.append(REVISED)
            changed[key] = self.rows[key]
        return status

    def shown(self, ids):
        return [
            (ids[stream], START + second * SECOND, float(row[0]), row[1], row[2], row[3])
            for (stream, second), row in sorted(self.rows.items())
        ]


def shown(table):
    time = table["phenomenon_time"].cast(pa.int64())
    names = ("result", "mark", "id", "tests")
    columns = [table["datastream"].to_pylist(), time.to_pylist(), *(table[name].to_pylist() for name in names)]
    return list(zip(*columns, strict=True))


def check(snapshot, model, ids, past):
    found = model.shown(ids)
    assert shown(snapshot.read()) == found
    assert snapshot.count() == len(found)
    assert shown(snapshot.by_id([row[4] for row in found])) == found
    newest = {row[0]: row for row in found}
    assert shown(snapshot.latest()) == [newest[one] for one in sorted(newest)]
    oldest = {row[0]: row for row in reversed(found)}
    assert shown(snapshot.first(ids, COLUMNS)) == [oldest[one] for one in sorted(oldest)]
    for one in ids:
        times = [row[1] for row in found if row[0] == one]
        assert snapshot.extent(one) == ((times[0], times[-1]) if times else None)
        assert snapshot.count([one], START + 2 * 3600 * SECOND, START + 7 * 3600 * SECOND) == sum(
            2 * 3600 * SECOND <= time - START < 7 * 3600 * SECOND for time in times
        )
        first = snapshot.read([one], limit=2, newest_first=True)
        assert shown(first) == [row for row in reversed(found) if row[0] == one][:2]
    for one in ids:
        read = snapshot.read([one], columns=["datastream", *READ])
        same(rollups(snapshot, one, "hour"), rolled(read, "hour"))
        same(rollups(snapshot, one, "day", time_zone=ZONE), rolled(read, "day", ZONE))
    for moment, then in past:
        # Settling is no revision: it shows in the past as well.
        before = snapshot.at(moment)
        assert [row[:5] for row in shown(before.read())] == [row[:5] for row in then]
        same(rollups(before, ids[0], "hour"), rolled(before.read(ids[:1], columns=["datastream", *READ]), "hour"))


def tend(store, *, whole):
    """Compact, or get ready what the next seal exchanges, whatever comes before it."""
    if whole:
        store.compact()
    else:
        store._seals.compaction.prepare()


@given(st.lists(EVENT, min_size=1, max_size=14))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_of_events_leaves_what_a_dictionary_holds(events):
    moment = [START]

    def now():
        moment[0] += 5 * SECOND
        return moment[0]

    with tempfile.TemporaryDirectory() as folder:
        water = Water(Store.open(Path(folder) / "data", now=now), datastreams=2)
        ids, model, past = water.ids[:2], Model(), []
        for kind, what in events:
            if kind == "send":
                batch = rows([ids[row[0]] for row in what], [row[1] for row in what], [row[2] for row in what])
                batch.mark = pa.array([row[3] for row in what], pa.string())
                assert water.put(batch).status.tolist() == model.send(what, ids)
            elif kind == "delete":
                stream, start, end = what
                water.store.delete([ids[stream]], START + start * SECOND, START + end * SECOND)
                model.rows = {
                    key: row for key, row in model.rows.items() if key[0] != stream or not start <= key[1] < end
                }
            elif kind == "settle" and model.rows:
                row = list(model.rows.values())[what % len(model.rows)]
                row[3] = f"1{what % 4}"
                water.put(rows([], [], []), settled=settlement(np.array([row[2]]), tests=row[3]))
            elif kind == "seal":
                if what:
                    water.store.save_state("qc", water.store.sequence(), b"")
                water.store.seal()
            elif kind == "reopen":
                water.store.close()
                water.store = Store.open(Path(folder) / "data", now=now)
            elif kind == "compact":
                tend(water.store, whole=what)
            past.append((moment[0], model.shown(ids)))
            check(water.store.snapshot(), model, ids, past)
        water.store.close()
