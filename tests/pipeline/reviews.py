"""A store with manual review over it, and an oracle that replays a history row by row."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from nilometer.config import ReviewConfig
from nilometer.model import Settlements
from nilometer.pipeline.event_book import EventBook
from nilometer.pipeline.review_orders import Order, Orders
from nilometer.pipeline.reviewing import Reviewing
from nilometer.store import Store
from tests.store.waters import SECOND, START, Water, judge, rows


class Clock:
    """Moves on five seconds a look: commits of long ago are known to the second."""

    def __init__(self):
        self.now = START

    def __call__(self):
        self.now += 5 * SECOND
        return self.now


class Reviewed:
    """A store under review."""

    def __init__(self, folder, *, clock=None, config=None, events=None, datastreams=2):
        self.folder, self.clock = folder, clock or Clock()
        self.config, self.events = config or ReviewConfig(), events or {}
        self.datastreams = datastreams
        self.open()

    def open(self):
        self.store = Store.open(self.folder, now=self.clock)
        self.water = Water(self.store, self.datastreams)
        self.ids = self.water.ids
        self.way = self.store.catalog.provenance(None, None, "test", "0")
        self.told = []
        self.reviewing = Reviewing(self.store, lambda batch, sequence: self.told.append((sequence, len(batch))))
        self.orders = Orders(self.store, self.config, self.reviewing, self.clock)
        self.book = EventBook(self.store, self.events, self.orders, self.clock)
        self.reviewing.recover()

    def close(self):
        self.store.close()

    def reopen(self):
        self.close()
        self.open()

    def send(self, datastream, seconds, values, *, quality=1, settled=None, **columns):
        batch = rows(datastream, seconds, values, **columns)
        admission = self.store.admit(batch)
        judge(admission.rows)
        admission.rows.result_quality = np.broadcast_to(np.asarray(quality, np.int8), (len(admission.rows),)).copy()
        missing = np.isnan(admission.rows.result)
        admission.rows.result_quality[missing] = 9
        admission.rows.provenance = np.full(len(admission.rows), self.way, np.int32)
        self.store.commit(*self.reviewing.over(admission.rows, settled or Settlements.none()))
        return admission

    def settle(self, settled):
        self.store.commit(*self.reviewing.over(rows([], [], []).take(np.zeros(0, bool)), settled))

    def order(self, action, start, end, parameters=None, *, datastreams=None, **more):
        return self.orders.enter(
            Order(
                action=action,
                datastreams=datastreams or self.ids[:1],
                start=None if start is None else START + int(start * SECOND),
                end=None if end is None else START + int(end * SECOND),
                parameters=parameters or {},
                **{"by": "Li", "reason": "other", **more},
            )
        )

    def served(self, datastream=None, **options):
        """Rows by id: (seconds, result, quality, uncertainty), rounded to nothing."""
        snapshot = self.store.snapshot(options.pop("as_of", None))
        table = snapshot.read([datastream or self.ids[0]], water_only=False, **options)
        return shown(table)


def shown(table):
    seconds = (table["phenomenon_time"].cast(pa.int64()).to_numpy() - START) / SECOND
    columns = [seconds.tolist(), table["result"].to_pylist(), table["result_quality"].to_pylist()]
    return dict(zip(table["id"].to_pylist(), zip(*columns, strict=True), strict=True))


def short(value):
    return float(f"{value:.12g}")


class Replay:
    """The history over automatic rows, one row and one step at a time, in plain Python.

    `automatic` is a dictionary of id to [seconds, result or None, quality].
    """

    def __init__(self):
        self.automatic = {}
        self.steps = {}
        self.sent = {}

    def rows(self):
        now = {one: list(row) for one, row in self.automatic.items()}
        for step in sorted(self.steps):
            self._act(now, *self.steps[step])
        return {one: tuple(row) for one, row in now.items()}

    def _act(self, now, action, start, end, told):
        inside = [one for one, row in now.items() if start <= row[0] < end]
        where = told.get("where", {})
        if "flag" in where:
            names = {"pass": 1, "suspect": 3, "fail": 4, "missing": 9}
            inside = [one for one in inside if now[one][2] in {names[name] for name in where["flag"]}]
        if "above" in where:
            inside = [one for one in inside if now[one][1] is not None and now[one][1] > where["above"]]
        if action == "interpolate":
            self._interpolate(now, inside, told)
            return
        for one in inside:
            row = now[one]
            if action == "flag":
                flag = {"pass": 1, "suspect": 3, "fail": 4}[told["flag"]]
                row[2] = max(row[2], flag) if told.get("worse") else flag
            elif action == "offset" and row[1] is not None:
                row[1] = short(row[1] + told["offset"])
            elif action == "drift" and row[1] is not None:
                row[1] = short(row[1] + told["gap"] * ((row[0] - start) / (end - start)))
            elif action == "delete":
                row[1], row[2] = None, 9
            elif action == "retime":
                row[0] = row[0] + told["shift"]

    def _interpolate(self, now, inside, told):
        bad = {one for one, row in now.items() if row[1] is None or row[2] in (4, 9)}
        wanted = [one for one in inside if one in bad]
        good = sorted((row[0], row[1]) for one, row in now.items() if one not in bad)
        for one in wanted:
            time = now[one][0]
            left = [pair for pair in good if pair[0] < time]
            right = [pair for pair in good if pair[0] >= time]
            if left and right and right[0][0] - left[-1][0] <= told["greatest_gap"]:
                (t0, v0), (t1, v1) = left[-1], right[0]
                now[one][1] = short(v0 + (time - t0) / (t1 - t0) * (v1 - v0))
                now[one][2] = 3


def same(one, other):
    """Whether two dictionaries of rows are the same, value for value but for the last bit of a sum."""
    assert one.keys() == other.keys()
    for key, row in one.items():
        time, value, quality = row
        assert abs(time - other[key][0]) < 1e-6, (key, row, other[key])
        assert quality == other[key][2], (key, row, other[key])
        assert (value is None) == (other[key][1] is None), (key, row, other[key])
        if value is not None:
            assert math.isclose(value, other[key][1], rel_tol=1e-11, abs_tol=1e-11), (key, row, other[key])
