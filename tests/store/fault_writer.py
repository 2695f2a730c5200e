"""What does one thing after the other to a store, to be killed.

What event k does follows from k alone, so that a dictionary that does the same says what must be there after any of
them. Event k happens at the time `at(k)`, so that `as_of` can be asked for the moment after each.
"""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa

from nilometer.model import Settlements
from nilometer.model.schemas import OBSERVATION
from nilometer.store import Store
from tests.store.doomed import die
from tests.store.waters import SECOND, START, Water, judge, rows, settlement

STREAMS = 3
ROUND = (
    "send",
    "send",
    "revise",
    "seal",
    "delete",
    "send",
    "settle",
    "seal",
    "revise",
    "compact",
    "send",
    "rewrite",
    "backup",
)
HALF_YEAR = 182 * 86_400
NEW_YEAR = START + 4 * 3600 * SECOND


def at(k):
    """When event k happens; the first release of anything is long ago."""
    return START + (1000 + 20 * k) * SECOND


def seconds(k):
    """The times that a sending event writes: over two years, later ones among earlier ones."""
    return [(n % 4 - 2) * HALF_YEAR + 60 * (10 * k + n) for n in range(10)]


def what(k, there):
    """What event k does: its kind, and the rows (stream, second, value) or the range; `there` are all keys."""
    kind, chance = ROUND[k % len(ROUND)], random.Random(k)
    if kind == "send":
        return kind, [(stream, second, float(k)) for stream in range(STREAMS) for second in seconds(k)]
    if kind == "revise":
        return kind, [(stream, second, k + 0.5) for stream, second in chance.sample(there, min(12, len(there)))]
    if kind == "rewrite":
        # Of one year, and not the newest of its stream, which is hot.
        old = [(stream, second) for stream, second in there if -86_400 < second < 86_400]
        year = [key for key in old if START + key[1] * SECOND < NEW_YEAR and key != max(there)]
        return kind, [(stream, second, k + 0.25) for stream, second in chance.sample(year, min(12, len(year)))]
    if kind == "settle":
        return kind, chance.sample(there, min(5, len(there)))
    if kind == "delete":
        start = chance.choice([-2, -1, 0, 1]) * HALF_YEAR + 600 * chance.randrange(k)
        return kind, (chance.randrange(STREAMS), start, start + 900)
    return kind, None


class Oracle:
    """The same with dictionaries: rows by (stream, second), and every version that there ever was."""

    def __init__(self):
        self.rows, self.versions, self.tests, self.past = {}, [], {}, {}

    def there(self):
        return sorted(self.rows)

    def event(self, k):
        kind, detail = what(k, self.there())
        if kind in {"send", "revise", "rewrite"}:
            for stream, second, value in detail:
                self.rows[stream, second] = value
                self.tests.pop((stream, second), None)
                self.versions.append((stream, second, value))
        elif kind == "settle":
            self.tests |= dict.fromkeys(detail, f"{k % 3 + 2}")
        elif kind == "delete":
            stream, start, end = detail
            gone = [key for key in self.rows if key[0] == stream and start <= key[1] < end]
            for key in gone:
                del self.rows[key]
                self.tests.pop(key, None)
        self.past[k] = dict(self.rows)


def changed(table, values):
    """What changes of rows that get other results: their flags are new too."""
    n = table.num_rows
    return {"result": pa.array([values.get(one) for one in table["id"].to_pylist()]), "tests": pa.nulls(n, pa.string())}


def holds(file, ids):
    return bool(np.isin(ids, file.read(np.arange(len(file.blocks.rows)), ["id"])["id"].to_numpy()).all())


class Actor:
    """Does the events to a store."""

    def __init__(self, folder, k, lake):
        self.k = k
        self.folder = folder
        self.water = Water(Store.open(folder, now=lambda: at(self.k), **(lake or {})), datastreams=STREAMS)

    def event(self, k, there):
        self.k = k
        kind, detail = what(k, there)
        store = self.water.store
        if kind in {"send", "revise"}:
            self.send(detail)
        elif kind == "settle":
            self.water.put(rows([], [], []), settled=settlement(self.ids(detail), tests=f"{k % 3 + 2}"))
        elif kind == "delete":
            stream, start, end = detail
            store.delete([self.water.ids[stream]], START + start * SECOND, START + end * SECOND, about={"by": "Li"})
        elif kind == "rewrite":
            self.rewrite(detail)
        elif kind == "seal":
            store.save_state("qc", store.sequence(), b"")
            store.seal()
        elif kind == "compact":
            store.forgetting.files_s = 0
            store.compact()
        elif kind == "backup":
            store.backup(self.folder.parent / f"backup-{k}")

    def send(self, batch):
        streams, when, values = zip(*batch, strict=True)
        admitted = self.water.store.admit(rows([self.water.ids[one] for one in streams], when, values)).rows
        self.water.store.commit(judge(admitted), Settlements.none())

    def rewrite(self, batch):
        """Change rows of one year in its file, in one commit."""
        store = self.water.store
        store.seal()
        store.compact()
        ids = self.ids([(stream, second) for stream, second, _ in batch])
        values = dict(zip(ids, (value for *_, value in batch), strict=True))
        with store.rewriting.alone():
            seen = store.rewriting.lying()
            (file,) = (file for file in seen.files if file.year == "2025" and holds(file, ids))
            groups = np.arange(len(file.blocks.rows))
            table = file.read(groups, OBSERVATION.names)
            found = np.flatnonzero(np.isin(table["id"].to_numpy(), ids))
            assert len(found) == len(ids)
            sequence = store.rewriting.reserve(3)
            writer = store.rewriting.rewrite(file, sequence)
            writer.change(groups, table, found, changed(table, values))
            assert store.rewriting.exchange(writer.close(), sequence, seen)

    def ids(self, keys):
        table = self.water.store.snapshot().read(columns=["id", "datastream", "phenomenon_time"])
        time = (table["phenomenon_time"].cast(pa.int64()).to_numpy() - START) // SECOND
        streams = np.searchsorted(self.water.ids, table["datastream"].to_numpy())
        known = dict(zip(zip(streams.tolist(), time.tolist(), strict=True), table["id"].to_pylist(), strict=True))
        return [known[key] for key in keys]


def write(say, folder, first, last, point=None, lake=None):
    """Do the events from `first` to before `last`, say each when it is acknowledged, and die at `point`."""
    oracle, actor = Oracle(), Actor(folder, first, lake)
    for k in range(first):
        oracle.event(k)

    def on_step(name):
        if name == point:
            die()

    actor.water.store.on_step = on_step
    for k in range(first, last):
        actor.event(k, oracle.there())
        oracle.event(k)
        say(k)
    actor.water.store.close()
