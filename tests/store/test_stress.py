"""Readers, seals, compaction and backups beside a writer: every answer is that of a dictionary at the same commit."""

from __future__ import annotations

import itertools
import random
import threading
from bisect import bisect_right

import numpy as np
import pyarrow as pa
import pytest

from nilometer.model import Settlements
from nilometer.store import Store
from tests.store.waters import SECOND, START, Water, judge, rows

EVENTS = 90
STREAMS = 3
HALF_YEAR = 182 * 86_400
MOST_ANSWERS = 400


class Clock:
    """Two seconds later at every look, in whatever thread."""

    def __init__(self):
        self._looks = itertools.count(1)

    def __call__(self):
        return START + 2 * SECOND * next(self._looks)


class Oracle:
    """What there is after each commit of the writer, by its sequence, and as of moments."""

    def __init__(self):
        self.sequences, self.states, self.moments = [0], [{}], []

    def at(self, sequence):
        return self.states[bisect_right(self.sequences, sequence) - 1]


def shown(table):
    time = (table["phenomenon_time"].cast(pa.int64()).to_numpy() - START) // SECOND
    keys = list(zip(table["datastream"].to_pylist(), time.tolist(), strict=True))
    found = dict(zip(keys, table["result"].to_pylist(), strict=True))
    assert len(found) == table.num_rows, "a row came twice"
    return found


class Race:
    def __init__(self, folder, seed):
        self.clock, self.oracle, self.chance = Clock(), Oracle(), random.Random(seed)
        self.water = Water(Store.open(folder / "data", now=self.clock), datastreams=STREAMS)
        self.store, self.folder = self.water.store, folder
        self.ended, self.failed, self.answers = threading.Event(), [], []

    def run(self):
        threads = [threading.Thread(target=self.guard, args=other) for other in self.others()]
        for thread in threads:
            thread.start()
        try:
            for k in range(EVENTS):
                self.event(k)
        finally:
            self.ended.set()
            for thread in threads:
                thread.join(100)

    def others(self):
        """What runs beside the writer, each with its breath (s): threads that never wait keep it from its turn."""
        often = ((other, 0.002) for other in (self.read, self.read, self.look_back, self.seal))
        return *often, (self.compact, 0.02), (self.back_up, 0.1)

    def guard(self, other, breath_s):
        try:
            while not self.ended.wait(breath_s):
                other()
        except BaseException as error:
            self.failed.append(error)
            raise

    def event(self, k):
        state = dict(self.oracle.states[-1])
        if k % 5 == 4 and state:
            stream, start = self.chance.choice(sorted(state))
            gone = [key for key in state if key[0] == stream and start <= key[1] < start + 120]
            sequence = self.store.delete([stream], START + start * SECOND, START + (start + 120) * SECOND)
            for key in gone:
                del state[key]
        else:
            old = self.chance.sample(sorted(state), min(8, len(state)))
            new = [(one, (n % 4 - 2) * HALF_YEAR + 600 * k + 60 * n) for one in self.water.ids for n in range(8)]
            batch = dict.fromkeys(new, k + 0.25) | dict.fromkeys(old, k + 0.5)
            admitted = self.store.admit(rows(*zip(*((*key, value) for key, value in batch.items()), strict=True))).rows
            sequence = self.store.commit(judge(admitted), Settlements.none())
            state |= batch
        self.oracle.states.append(state)
        self.oracle.sequences.append(sequence)
        self.oracle.moments.append((self.clock(), state))

    def seal(self):
        self.store.save_state("qc", self.store.sequence(), b"")
        self.store.seal()

    def compact(self):
        self.store.forgetting.files_s = 3600
        self.store.compact(everything=self.chance.random() < 0.5)

    def back_up(self):
        self.store.backup(self.folder / f"backup-{self.clock()}")

    def read(self):
        if len(self.answers) < MOST_ANSWERS:
            snapshot = self.store.snapshot()
            table, count = snapshot.read(), snapshot.count()
            newest = shown(snapshot.latest())
            assert (snapshot.read().equals(table), snapshot.count()) == (True, count)
            self.answers.append((snapshot.sequence, shown(table), count, newest))

    def look_back(self):
        if self.oracle.moments:
            moment, state = self.chance.choice(list(self.oracle.moments))
            assert shown(self.store.snapshot(moment).read()) == state

    def judge(self):
        assert self.failed == []
        assert self.answers
        for sequence, found, count, newest in self.answers:
            state = self.oracle.at(sequence)
            assert found == state
            assert count == len(state)
            assert newest == {key: state[key] for key in {key[0]: key for key in sorted(state)}.values()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_every_answer_is_that_of_the_dictionary(tmp_path, seed):
    race = Race(tmp_path, seed)
    try:
        race.run()
        race.judge()
        final = race.oracle.states[-1]
        race.store.compact()
        assert shown(race.store.snapshot().read()) == final
        for moment, state in race.oracle.moments:
            assert shown(race.store.snapshot(moment).read()) == state
        versions = race.store.snapshot().versions(race.water.ids)
        marks = {(row["id"], row["commit"], row["superseded_commit"]) for row in versions.to_pylist()}
        assert len(marks) == versions.num_rows
        assert int((versions["superseded_commit"].to_numpy() == np.iinfo(np.int64).max).sum()) == len(final)
    finally:
        race.store.close()
