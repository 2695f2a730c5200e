"""What commits as fast as it can while it seals, to be killed.

Batch k holds for each of five Datastreams the seconds 20 k to 20 k + 19, one revision of the batch before, and one row
of it again. A sixth Datastream gets the same and keeps only its last five batches.
"""

from __future__ import annotations

import threading
import time

import numpy as np
import pyarrow as pa

from nilometer.model import Datastream, ObservationBatch, ObservedProperty, Sensor, Settlements, Thing
from nilometer.store import Store
from tests.store.doomed import die

ROWS = 20
STREAMS = np.arange(1, 7, dtype=np.int32)
SHORT = 6
KEPT = 5
SECOND = 1_000_000
# The end of a year, so that seals touch two of them.
START = int(np.datetime64("2025-12-31T23:50:00", "us").astype(np.int64))


def prepare(store):
    catalog = store.catalog
    if catalog.datastreams():
        return
    catalog.add_thing(Thing(key="a", name="A"))
    catalog.add_sensor(Sensor(key="s", name="S"))
    catalog.add_observed_property(ObservedProperty(key="p", name="P", definition=""))
    for number in STREAMS:
        catalog.add_datastream(Datastream(key=f"a/{number}", name="d", thing=1, sensor=1, observed_property=1))


def batch(k):
    seconds = np.arange(k * ROWS, (k + 1) * ROWS)
    values = seconds.astype(float)
    if k:
        before = (k - 1) * ROWS
        seconds = np.concatenate(([before, before + 1], seconds))
        values = np.concatenate(([before + 0.5, before + 1.0], values))
    n = len(seconds)
    return ObservationBatch(
        datastream=np.repeat(STREAMS, n),
        phenomenon_time=START + np.tile(seconds, len(STREAMS)) * SECOND,
        raw_result=np.tile(values, len(STREAMS)),
    )


def killer(step):
    """Return what kills the process when a step comes for the second time."""
    seen = []

    def on_step(name):
        seen.append(name)
        if name == step and seen.count(step) == 2:
            die()

    return on_step


def for_ever(action):
    """Do something again and again, beside all else."""

    def run():
        while True:
            action()
            # The compactor gives way to seals: without a breath between them it might never have its turn.
            time.sleep(0.005)

    threading.Thread(target=run, daemon=True).start()


def write(say, folder, first, step=""):
    """Commit batches from `first` on, say each when it is acknowledged, and die when `step` comes a second time."""
    store = Store.open(folder)
    prepare(store)
    store.on_step = killer(step)

    k = first
    pending = None
    while True:
        rows = store.admit(batch(k)).rows
        rows.result = rows.raw_result
        rows.result_quality = np.ones(len(rows), np.int8)
        last = np.flatnonzero(rows.phenomenon_time == rows.phenomenon_time.max())
        settled = Settlements.none()
        if pending is not None:
            settled = Settlements(pending, np.full(len(pending), 3, np.int8), pa.array(["3"] * len(pending)))
        pending = rows.id[last]
        sequence = store.commit(rows, settled)
        if k > KEPT:
            store.delete([SHORT], None, START + (k - KEPT) * ROWS * SECOND)
        if k % 3 == 0:
            store.save_state("qc", sequence, b"x")
        say(k)
        if k == first + 2:
            for_ever(store.seal)
            for_ever(store.compact)
        k += 1
