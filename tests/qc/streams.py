"""Rows of several Datastreams in any disorder, and ways to run them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from tests.qc.oracle import Row

from nilometer.model.batch import ObservationBatch
from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load

TESTS = {
    "gap": {"suspect": "2 h", "fail": "5 h"},
    "gross_range": {"fail": [-5, 40], "suspect": [0, 30]},
    "spike": {"suspect": 2, "fail": 6},
    "rate_of_change": {"suspect": 4, "fail": 50, "per": "1 h"},
    "flat_line": {"suspect": "30 min", "fail": "1 h", "tolerance": 0.5},
    "lone_spike": {"test": "spike", "method": "differential", "suspect": 1.5},
    "mark": {},
}
FULL = load({"unit": "degree_Celsius", "required": ["gap", "gross_range"], "tests": TESTS})
BARE = load({"rollup": "ioos_qc", "tests": {"spike": {"fail": 3}, "gross_range": {"suspect": [0, 30]}}})
MARKS = ["N", "D", "F", "C", "T", "X"]

VALUES = st.one_of(
    st.sampled_from([0.0, 0.25, 1.0, 1.5, 20.0, 29.9, 31.0, 41.0, np.nan, np.inf, -np.inf]),
    st.floats(-10, 50, allow_nan=False).map(lambda x: round(x, 2)),
)
STEPS = st.one_of(
    st.sampled_from([900_000_000, 900_000_000, 900_000_000, 0, 1, 250_000, 1_800_000_000]),
    st.integers(-3_600_000_000, 8 * 3_600_000_000),  # clock jumps and gaps
    st.integers(1, 2_000_000),
)


def batch(rows):
    """A batch of (datastream, µs, value, id, supersedes, mark) tuples."""
    stream, time, value, ids, supersedes, marks = zip(*rows, strict=True) if rows else ([],) * 6
    return ObservationBatch(
        datastream=np.array(stream, np.int32),
        phenomenon_time=np.array(time, np.int64),
        raw_result=np.array(value, np.float64),
        result=np.array(value, np.float64),
        id=np.array(ids, np.int64),
        supersedes=np.array(supersedes, np.bool_),
        mark=pa.array(marks, pa.string()),
    )


@st.composite
def rows(draw, most=60):
    """Rows of up to six Datastreams in arrival order, and which are the water; a revision names an earlier row."""
    n = draw(st.integers(0, most))
    clock = dict.fromkeys(range(6), 1_700_000_000_000_000)
    made, water = [], []
    for k in range(n):
        stream = draw(st.integers(0, 5))
        earlier = [row for row in made if row[0] == stream]
        if earlier and draw(st.integers(0, 9)) == 0:
            again = draw(st.sampled_from(earlier))
            made.append((stream, again[1], draw(VALUES), again[3], True, None))
        else:
            clock[stream] += draw(STEPS)
            mark = draw(st.sampled_from([None, None, None, *MARKS]))
            made.append((stream, clock[stream], draw(VALUES), k, False, mark))
        water.append(draw(st.integers(0, 9)) != 0)
    return made, water


def engine():
    """Datastreams 0, 4 and 5 of one profile, 1 in another unit, 2 with another roll-up, 3 without a profile."""
    made = QcEngine()
    made.set(0, FULL, unit="degree_Celsius", mark_scheme="hj212-2017")
    made.set(1, FULL, unit="degree_Fahrenheit")
    made.set(2, BARE, unit="1")
    made.set(3, None, unit="1", mark_scheme="hj212-2017")
    made.set(4, FULL, unit="degree_Celsius", mark_scheme="hj212-2017")
    made.set(5, FULL, unit="degree_Celsius")
    return made


def run(judge, parts, water):
    """Final flags of every row by its place, after settlements, over batches that follow each other."""
    flags = {}
    latest = {}
    at = 0
    for part in parts:
        made = batch(part)
        settled = judge.evaluate(made, water=np.array(water[at : at + len(part)], np.bool_))
        for ident, quality, tests in zip(
            settled.id.tolist(), settled.result_quality.tolist(), settled.tests.to_pylist(), strict=True
        ):
            flags[latest[ident]] = (quality, tests)
        for k, (quality, tests) in enumerate(zip(made.result_quality.tolist(), made.tests.to_pylist(), strict=True)):
            flags[at + k] = (quality, tests)
            latest[int(made.id[k])] = at + k
        at += len(part)
    return [flags[k] for k in range(at)]


def cut(items, places):
    """Items cut before each of the places."""
    edges = [0, *sorted(place % (len(items) + 1) for place in places), len(items)]
    return [items[a:b] for a, b in pairwise(edges)]


SECOND = 1_000_000
START = 1_700_000_000 * SECOND
LATER = START + 400 * 60 * SECOND
"""When rows were received, where it is known."""
SEASONS = {
    "members": [
        {"suspect": [-3, 3], "fail": [-9, 9]},
        {"period": "hour", "time": [22, 3], "suspect": [0, 1]},
        {"period": "day_of_week", "time": [2, 2], "depth": [2, 6], "suspect": [-1, 4]},
        {"time": ["2023-11-14T23:00:00Z", "2023-11-15T01:30:00.250000Z"], "suspect": [-2, 2], "fail": [-4, 4]},
    ],
    "utc_offset": "-03:30",
}
DOUBTS = {
    "since": "2023-11-14T22:40:00Z",
    "doubts": [
        {"from": "2023-11-14T22:20:00Z", "to": "2023-11-14T22:50:00Z", "reason": "failed"},
        {"from": "2023-11-14T22:45:00Z", "to": "2023-11-14T23:10:00.000001Z", "reason": "overdue"},
        {"from": "2023-11-15T00:30:00Z", "reason": "overdue"},
    ],
}
EVERY_TEST = {
    "gap": {"suspect": "20 min", "fail": "2 h"},
    "syntax": {},
    "location": {"displacement": 1000, "bounds": [170, -80, -170, 80]},
    "mooring": {"test": "location", "displacement": 5000, "place": [10, 179.99]},
    "gross_range": {"fail": [-8, 8], "suspect": [-4, 4]},
    "climatology": SEASONS,
    "yearly": {"test": "climatology", "members": [{"period": "month", "time": [11, 11], "suspect": [-1, 4]}]},
    "spike": {"suspect": 1, "fail": 3},
    "needle": {"test": "spike", "method": "differential", "suspect": 1, "fail": 2},
    "rate_of_change": {"suspect": 1, "fail": 4, "per": "1 min"},
    "deviation": {"test": "rate_of_change", "n_dev": 2, "tim_dev": "10 min", "least": 3},
    "both": {"test": "rate_of_change", "fail": 3, "per": "1 min", "n_dev": 1.5, "tim_dev": "6 min", "allowance": 0.5},
    "coarse": {"test": "rate_of_change", "n_dev": 2, "tim_dev": "8 min", "least": 2, "points": 4},
    "flat_line": {"suspect": "3 min", "fail": "5 min", "tolerance": 0.5},
    "stuck": {"test": "flat_line", "fail": "4 min", "tolerance": 1.25},
    "attenuated_signal": {"suspect": 1, "fail": 0.4, "over": "6 min"},
    "narrow": {"test": "attenuated_signal", "suspect": 1, "fail": 0.5, "over": "5 min", "measure": "range", "least": 3},
    "shallow": {"test": "attenuated_signal", "fail": 0.5, "over": "5 min", "least": 4, "points": 3},
    "low": {"test": "attenuated_signal", "suspect": 1, "over": "4 min", "measure": "range", "points": 2},
    "data_reception": {"suspect": "6 h", "fail": "6.5 h"},
    "impossible_date": {"earliest": "2023-11-14", "latest": "2023-11-16", "future": "10 min"},
    "percentile_range": {"span": [-3, 3], "pad": 0.5},
    "percentiles": {"test": "percentile_range"},
    "mark": {},
    "calibration_valid": DOUBTS,
    "wide": {"test": "gross_range", "fail": [-100, 100]},
    "slow": {"test": "rate_of_change", "suspect": 0.02},
    "long": {"test": "flat_line", "suspect": "30 min", "tolerance": 2},
    "thorn": {"test": "spike", "fail": 4},
    "calm": {"test": "attenuated_signal", "suspect": 0.8, "over": "30 min"},
    "days": {"test": "gap", "suspect": "1 day"},
}
EVERY = load({"required": ["gap", "gross_range", "rate_of_change"], "tests": EVERY_TEST})
STRICT = load({"required": ["gap", "spike"], "tests": EVERY_TEST})
SIMPLE = load({"tests": {"gross_range": {"fail": [-8, 8]}, "attenuated_signal": {"fail": 0.4, "over": "6 min"}}})
CAST = load(
    {
        "along": "depth",
        "required": ["gross_range"],
        "tests": {
            "density_inversion": {"suspect": 0.25, "fail": 1},
            "gross_range": {"fail": [-8, 8]},
            "spike": {"suspect": 1, "fail": 3},
            "rate_of_change": {"suspect": 1, "fail": 4},
            "flat_line": {"suspect": "2 m", "fail": "4 m", "tolerance": 0.5},
            "attenuated_signal": {"suspect": 1, "fail": 0.5, "over": "4 m", "measure": "range"},
            "deviation": {"test": "rate_of_change", "n_dev": 1.5, "tim_dev": "5 m", "least": 2},
            "smooth": {"test": "attenuated_signal", "suspect": 0.7, "over": "3 m", "least": 2, "points": 3},
            "gap": {"suspect": "20 min"},
            "climatology": SEASONS,
            "location": {"displacement": 1000},
            "impossible_date": {"latest": "2023-11-16"},
            "calibration_valid": DOUBTS,
        },
    }
)
PROFILES = {0: EVERY, 1: EVERY, 2: EVERY, 3: STRICT, 4: CAST, 5: CAST, 6: SIMPLE}
MARKED = {1, 3}
BESIDE = ("depth", "latitude", "longitude", "syntax")


@dataclass
class Columns:
    """Rows as columns, in arrival order."""

    datastream: Any
    time: Any
    value: Any
    id: Any
    supersedes: Any = None
    water: Any = None
    mark: Any = None
    depth: Any = None
    latitude: Any = None
    longitude: Any = None
    syntax: Any = None

    def __len__(self):
        return len(self.time)

    def take(self, rows):
        """The rows of these places."""
        return Columns(*(None if column is None else column[rows] for column in vars(self).values()))

    def batch(self):
        return ObservationBatch(
            datastream=self.datastream.astype(np.int32),
            phenomenon_time=self.time,
            raw_result=self.value,
            result=self.value,
            id=self.id,
            supersedes=self.supersedes,
            mark=None if self.mark is None else pa.array(self.mark.tolist(), pa.string()),
            **{name: getattr(self, name) for name in BESIDE},
        )

    def rows(self, received=None):
        """The rows one by one, as the oracle reads them."""
        found = [
            Row(int(t), float(x), int(k), received=received)
            for t, x, k in zip(self.time, self.value, self.id, strict=True)
        ]
        for name in ("supersedes", "water", "mark", *BESIDE):
            if getattr(self, name) is not None:
                for row, value in zip(found, getattr(self, name).tolist(), strict=True):
                    setattr(row, name, value)
        return found


def columns(seed, n, *, wild=0.2, streams=tuple(PROFILES), bare=False):
    """Rows of several Datastreams; `wild` is how often something is odd. Bare: only times and values."""
    rng = np.random.default_rng(seed)
    stream = rng.choice(streams, n)
    step = rng.choice([60, 60, 60, 60, 30, 1, 0.25, 90, 120, 5.000001], n)
    odd = rng.random(n) < wild
    step = np.where(odd, rng.choice([0, -60, -600, 1e-6, 1200, 1200.000001, 4000, 7200, 10000], n), step)
    value = np.round(rng.normal(0, 1, n) * rng.choice([0.1, 1, 4], n)) * rng.choice([0.25, 0.5, 1], n)
    value = np.where(rng.random(n) < wild / 2, rng.choice([np.nan, np.inf, -np.inf, 1e30, -0.0, 9.0], n), value)
    calm = np.repeat(rng.random(n // 12 + 1) < 0.3, 12)[:n]
    value = np.where(calm & np.isfinite(value), rng.choice([1.0, 1.0, 1.0, 1.25], n), value)
    time, depth = np.zeros(n, np.int64), np.zeros(n)
    for one in set(stream.tolist()):
        mine = stream == one
        jump = rng.random(mine.sum()) < wild / 8
        steps = np.round(step[mine] * SECOND).astype(np.int64)
        time[mine] = START + np.cumsum(steps) + np.where(jump, rng.integers(-90_000, 200_000, mine.sum()) * SECOND, 0)
        way = np.where(rng.random(mine.sum()) < 0.12, -1, 1).cumprod() * rng.choice([-1, 1])
        depth[mine] = np.round(6 + np.cumsum(way * rng.choice([0.5, 1, 1, 1, 2, 0], mine.sum())), 3)
        if one in (4, 5):  # a cast has a time, or its rows have
            time[mine] = np.where(rng.random(mine.sum()) < 0.7, time[mine][0] if mine.any() else 0, time[mine])
            time[mine] = np.maximum.accumulate(time[mine]) if rng.random() < 0.8 else time[mine]
    made = Columns(stream, time, value, np.arange(n))
    if bare:
        return made
    depth = np.where(rng.random(n) < wild / 4, rng.choice([np.nan, np.inf, 9.96921e36], n), depth)
    made.depth = depth
    made.latitude = 10 + np.where(rng.random(n) < wild / 3, rng.choice([np.nan, 75, 91, 0.05, np.inf], n), 0)
    made.longitude = np.round(179.99 + rng.choice([0, 0, 0.009, -0.02], n), 4)
    made.longitude = np.where(rng.random(n) < wild / 3, rng.choice([np.nan, -179.99, 0, 181], n), made.longitude)
    made.syntax = rng.choice([1, 1, 1, 2, 4], n).astype(np.uint8)
    made.water = rng.random(n) >= wild / 4
    marks = np.array([None, None, None, "N", *MARKS], object)
    made.mark = np.where(rng.random(n) < wild, rng.choice(marks, n), None)
    made.supersedes = np.zeros(n, np.bool_)
    for k in np.flatnonzero(rng.random(n) < wild / 4).tolist():
        earlier = np.flatnonzero(stream[:k] == stream[k])
        if len(earlier):  # a revision of one of the last
            again = earlier[-1 - int(rng.integers(min(3, len(earlier))))]
            made.id[k], made.time[k], made.supersedes[k] = made.id[again], made.time[again], True
    return made


def every_engine(streams=tuple(PROFILES)):
    """Datastreams with every test: three of one profile, one of another roll-up, two of casts, one of few tests."""
    made = QcEngine()
    for datastream in streams:
        scheme = "hj212-2017" if datastream in MARKED else None
        made.set(datastream, PROFILES[datastream], unit="1", mark_scheme=scheme)
    return made


def judged(judge, rows, parts, received=None):
    """Final flags of every row by its place, after settlements; `parts` are places, batch after batch."""
    flags, latest = {}, {}
    for part in parts:
        some = rows.take(part)
        made = some.batch()
        settled = judge.evaluate(made, water=some.water, received=received)
        for ident, quality, tests in zip(
            settled.id.tolist(), settled.result_quality.tolist(), settled.tests.to_pylist(), strict=True
        ):
            flags[latest[ident]] = (quality, tests)
        found = zip(made.result_quality.tolist(), made.tests.to_pylist(), strict=True)
        for k, ident, outcome in zip(part.tolist(), some.id.tolist(), found, strict=True):
            flags[k] = outcome
            latest[ident] = k
    return [flags[k] for k in range(len(rows))]


def cut_rows(n, places):
    """Places of `n` rows, cut before each of the places given."""
    return [np.array(part, np.intp) for part in cut(list(range(n)), places)]


def interleaved(rows, seed):
    """Places of the rows so that every Datastream's stay in their order."""
    stream = rows.datastream
    order = np.zeros(len(rows), np.intp)
    shuffled = np.random.default_rng(seed).permutation(stream)
    for one in set(stream.tolist()):
        order[shuffled == one] = np.flatnonzero(stream == one)
    return order
