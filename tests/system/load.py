"""A load of numbered rows: what was sent can be told from what is stored, row by row."""

from __future__ import annotations

import threading
import time

import numpy as np
import pyarrow as pa

from nilometer.client import Client
from nilometer.errors import NilometerError

STREAMS = 100
START = 1_700_000_000_000_000
THING = {"key": "load", "name": "Load", "water_body": "river"}


def streams() -> list[dict[str, object]]:
    return [
        {"key": f"load/s{number}", "thing": "load", "property": "water_temperature", "unit": "degree_Celsius"}
        for number in range(STREAMS)
    ]


def rows(first: int, count: int) -> pa.Table:
    """Rows `first` to `first + count`: row k is of stream k mod STREAMS, at second k div STREAMS."""
    number = np.arange(first, first + count)
    names = pa.array([f"load/s{stream}" for stream in range(STREAMS)])
    keys = pa.DictionaryArray.from_arrays(pa.array((number % STREAMS).astype(np.int32)), names)
    times = pa.array(START + number // STREAMS * 1_000_000).cast(pa.timestamp("us", tz="UTC"))
    return pa.table({"datastream": keys, "phenomenon_time": times, "result": pa.array(number / 1000.0)})


class Load:
    """Sends batches at a steady rate until stopped; `acknowledged` counts the rows that were answered as durable."""

    def __init__(self, client: Client, first: int, *, rows_per_s: int, batch: int = 5000) -> None:
        self._client, self._batch, self._pace = client, batch, batch / rows_per_s
        self.first = self.acknowledged = self.sent = first
        self.errors: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            self.sent = self.acknowledged + self._batch
            try:
                answer = self._client.write(rows(self.acknowledged, self._batch))
            except NilometerError as error:
                self.errors.append(str(error))
                return
            assert answer["accepted"] + answer["unchanged"] == self._batch, answer
            self.acknowledged += self._batch
            due += self._pace
            time.sleep(max(due - time.monotonic(), 0))

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


def check_stored(client: Client, acknowledged: int, sent: int) -> int:
    """Return how many rows are stored; fail if an acknowledged one is absent, or any is there twice or unsent."""
    stored = 0
    for stream in range(STREAMS):
        table = client.read(f"load/s{stream}")
        times = table["phenomenon_time"].cast(pa.int64()).to_numpy()
        number = (times - START) // 1_000_000 * STREAMS + stream
        assert len(np.unique(number)) == len(number), f"stream {stream} has rows twice"
        assert np.allclose(table["result"].to_numpy(), number / 1000.0), f"stream {stream} has other values"
        expected = np.arange(stream, acknowledged, STREAMS)
        missing = np.setdiff1d(expected, number)
        assert not len(missing), f"stream {stream} lost {len(missing)} acknowledged rows, first {missing[0]}"
        assert not len(number) or number.max() < sent, f"stream {stream} has rows that were never sent"
        stored += len(number)
    return stored
