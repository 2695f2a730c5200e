"""Readers beside a writer and a sealer: every answer is whole, nothing is missing, nothing is doubled."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from nilometer.model import ObservationBatch, Settlements
from nilometer.store import Store
from tests.store.waters import SECOND, START, judge

STREAMS = np.arange(1, 4, dtype=np.int32)


def expected(n):
    """Return what n rows look like: the first of each ten, but for the last, was revised."""
    seconds = np.arange(n)
    return seconds + np.where((seconds % 10 == 0) & (seconds < n - 10), 0.5, 0)


class Race:
    """A writer, a sealer and readers of one store."""

    def __init__(self, store: Store, rows: int):
        self.store, self.rows = store, rows
        self.acknowledged, self.stop, self.faults = 0, threading.Event(), []

    def run(self):
        targets = (self.write, self.seal, self.read, self.read)
        threads = [threading.Thread(target=target) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)

    def write(self):
        for second in range(0, self.rows, 10):
            seconds = np.arange(max(second - 10, 0), second + 10)
            seconds = seconds[(seconds >= second) | (seconds == second - 10)]
            batch = ObservationBatch(
                datastream=np.repeat(STREAMS, len(seconds)),
                phenomenon_time=START + np.tile(seconds, 3) * SECOND,
                raw_result=np.tile(np.where(seconds < second, seconds + 0.5, seconds), 3),
            )
            self.store.commit(judge(self.store.admit(batch).rows), Settlements.none())
            self.acknowledged = second + 10
        self.stop.set()

    def seal(self):
        while not self.stop.is_set():
            self.store.seal()

    def read(self):
        while not self.stop.is_set():
            least = self.acknowledged
            snapshot = self.store.snapshot()
            for one in STREAMS:
                self.look(snapshot, one, least)

    def look(self, snapshot, one, least):
        values = snapshot.read([one], columns=["result"])["result"].to_pylist()
        right = expected(len(values)).tolist()
        whole = len(values) >= least and len(values) % 10 == 0 and values == right
        if not whole or snapshot.count([one]) != len(values):
            self.faults.append((least, snapshot.count([one]), values, right))
        if snapshot.latest([one])["result"].to_pylist() != right[-1:]:
            self.faults.append((snapshot.latest([one]), right[-1:]))
        if self.faults:
            self.stop.set()


@pytest.mark.slow
def test_readers_see_every_acknowledged_row_once_while_seals_and_merges_run(water):
    race = Race(water.store, 2000)
    race.run()
    assert not race.faults, race.faults[0]
    assert race.acknowledged == 2000
    assert water.values(1) == expected(2000).tolist()
