"""Rows of several Datastreams in any disorder, and ways to run them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

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
    """Rows of up to four Datastreams in arrival order, and which are the water; a revision names an earlier row."""
    n = draw(st.integers(0, most))
    clock = dict.fromkeys(range(4), 1_700_000_000_000_000)
    made, water = [], []
    for k in range(n):
        stream = draw(st.integers(0, 3))
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
    """Datastreams 0 and 1 with every test (1 without marks), 2 with another roll-up, 3 without a profile."""
    made = QcEngine()
    made.set(0, FULL, unit="degree_Celsius", mark_scheme="hj212-2017")
    made.set(1, FULL, unit="degree_Fahrenheit")
    made.set(2, BARE, unit="1")
    made.set(3, None, unit="1", mark_scheme="hj212-2017")
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
