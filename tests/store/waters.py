"""A store with a Thing and Datastreams, and batches that are admitted, judged and committed in one call."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nilometer.model import (
    Datastream,
    Location,
    ObservationBatch,
    ObservedProperty,
    QartodFlag,
    Sensor,
    Settlements,
    Thing,
)

START = int(np.datetime64("2025-12-31T20:00:00", "us").astype(np.int64))
SECOND = 1_000_000


class Clock:
    """A clock that goes on by so many seconds whenever somebody looks."""

    def __init__(self, step_s):
        self.now, self._step = START, step_s * SECOND

    def __call__(self):
        self.now += self._step
        return self.now


class Water:
    """One Thing, one Sensor, one ObservedProperty, and Datastreams `key` 0, 1, 2 …"""

    def __init__(self, store, datastreams=3):
        self.store = store
        catalog = store.catalog
        if not catalog.things():
            thing = catalog.add_thing(Thing(key="weir", name="Weir"))
            place = catalog.add_location(
                Location(name="Weir", location={"type": "Point", "coordinates": [113.2, 23.1]})
            )
            catalog.place(thing.id, [place.id], START)
            catalog.add_sensor(Sensor(key="probe", name="Probe"))
            catalog.add_observed_property(ObservedProperty(key="ph", name="pH", definition=""))
        while len(catalog.datastreams()) < datastreams:
            self.add(f"weir/ph{len(catalog.datastreams())}")
        self.ids = [item.id for item in catalog.datastreams()]

    def add(self, key, **fields):
        return self.store.catalog.add_datastream(
            Datastream(key=key, name=key, thing=1, sensor=1, observed_property=1, **fields)
        )

    def put(self, batch, settled=None, quality=QartodFlag.PASS):
        admission = self.store.admit(batch)
        judge(admission.rows, quality)
        self.store.commit(admission.rows, settled or Settlements.none())
        return admission

    def send(self, datastream, seconds, values, **columns):
        return self.put(rows(datastream, seconds, values, **columns))

    def values(self, datastream=None, **options):
        wanted = None if datastream is None else [datastream]
        table = self.store.snapshot(options.pop("as_of", None)).read(wanted, **options)
        return table["result"].to_pylist()


def rows(datastream, seconds, values, **columns):
    """Return a batch of one or several Datastreams, times in seconds after START."""
    seconds = np.atleast_1d(np.asarray(seconds, float))
    datastream = np.broadcast_to(np.asarray(datastream, np.int32), seconds.shape).copy()
    values = np.broadcast_to(np.asarray(values, float), seconds.shape).copy()
    return ObservationBatch(
        datastream=datastream,
        phenomenon_time=START + (seconds * SECOND).astype(np.int64),
        raw_result=values,
        **columns,
    )


def judge(batch, quality=QartodFlag.PASS):
    batch.result = batch.raw_result.copy()
    batch.result_quality = np.full(len(batch), quality, np.int8)
    return batch


def settlement(ids, quality=QartodFlag.SUSPECT, tests="3"):
    n = len(ids)
    return Settlements(np.asarray(ids, np.int64), np.full(n, quality, np.int8), pa.array([tests] * n, pa.string()))
