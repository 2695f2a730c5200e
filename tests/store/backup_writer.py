"""What commits from several threads while it seals and makes a backup, to be killed.

Thread k writes the seconds 0, 1, 2 … of Datastream k with the second as the value.
"""

from __future__ import annotations

import threading

import numpy as np

from nilometer.model import Settlements
from nilometer.store import Store
from tests.store.doomed import die
from tests.store.waters import Water, judge, rows

BATCH = 10


class Writers:
    """Three threads that commit in turn, as deliveries pass the pump."""

    def __init__(self, water):
        self.water, self.order, self.ended = water, threading.Lock(), threading.Event()
        self.acknowledged = [0] * len(water.ids)
        self.failed = []
        self.threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(len(water.ids))]
        self.sealer = threading.Thread(target=self._seal, daemon=True)

    def start(self, at_least):
        for thread in (*self.threads, self.sealer):
            thread.start()
        while min(self.acknowledged) < at_least and not self.failed:
            self.ended.wait(0.01)

    def stop(self):
        self.ended.set()
        for thread in (*self.threads, self.sealer):
            thread.join()
        assert not self.failed, self.failed

    def _write(self, n):
        try:
            while not self.ended.is_set():
                first = self.acknowledged[n]
                batch = rows(self.water.ids[n], np.arange(first, first + BATCH), np.arange(first, first + BATCH))
                with self.order:
                    store = self.water.store
                    sequence = store.commit(judge(store.admit(batch).rows), Settlements.none())
                    if n == 0:
                        store.save_state("qc", sequence, b"x")
                self.acknowledged[n] = first + BATCH
        except Exception as error:  # noqa: BLE001 -- said by `stop`
            self.failed.append(error)

    def _seal(self):
        try:
            while not self.ended.is_set():
                self.water.store.seal()
        except Exception as error:  # noqa: BLE001 -- said by `stop`
            self.failed.append(error)


def write(say, folder, target, step):
    """Say how many rows of each Datastream were acknowledged when the backup began, and die at `step` of it."""
    water = Water(Store.open(folder))
    writers = Writers(water)
    writers.start(at_least=5 * BATCH)

    def on_step(name):
        if name == step:
            die()

    say(list(writers.acknowledged))
    water.store.on_step = on_step
    water.store.backup(target)
