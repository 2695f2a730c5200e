"""The Logan River sondes: live equals batch on what a river really sends, and the flags make sense."""

from __future__ import annotations

import gzip
from itertools import pairwise

import numpy as np
import pytest

from nilometer.model.batch import ObservationBatch
from nilometer.qc import check, load
from nilometer.qc.engine import QcEngine

COLUMNS = {
    "temp": "river/water_temperature",
    "cond": "river/conductivity_25",
    "ph": "river/ph",
    "do": "river/dissolved_oxygen",
    "turb": "river/turbidity_ntu",
}


@pytest.fixture(scope="module")
def logan(real_data):
    path = real_data / "water_quality" / "lro" / "MainStreet2019.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
        names = next(lines).strip().split(",")
        rows = [line.strip().split(",") for line in lines]
    times = np.array([row[0] for row in rows], "datetime64[us]").astype(np.int64)
    columns = {}
    for name in COLUMNS:
        text = [row[names.index(name)] for row in rows]
        columns[name] = np.array([np.nan if item in {"NULL", "-9999", ""} else float(item) for item in text])
    return times, columns


@pytest.mark.real
def test_five_datastreams_of_a_station_arriving_live_get_the_flags_of_the_file(logan):
    times, columns = logan
    n = len(times)
    whole = {name: check(values, COLUMNS[name], times) for name, values in columns.items()}

    engine = QcEngine()
    for k, name in enumerate(COLUMNS):
        profile = load(COLUMNS[name])
        engine.set(k, profile, unit=profile.unit)
    datastream = np.tile(np.arange(5, dtype=np.int32), n)
    values = np.column_stack([columns[name] for name in COLUMNS]).ravel()
    rng = np.random.default_rng(1)
    edges = np.unique([0, 5 * n, *rng.integers(0, 5 * n, 400)])
    quality = np.zeros(5 * n, np.int8)
    tests = np.empty(5 * n, object)
    for a, b in pairwise(edges.tolist()):
        rows = ObservationBatch(
            datastream=datastream[a:b],
            phenomenon_time=np.repeat(times, 5)[a:b],
            raw_result=values[a:b],
            result=values[a:b],
            id=np.arange(a, b),
        )
        settled = engine.evaluate(rows)
        quality[a:b], tests[a:b] = rows.result_quality, rows.tests.to_pylist()
        quality[settled.id], tests[settled.id] = settled.result_quality, settled.tests.to_pylist()
    for k, name in enumerate(COLUMNS):
        assert np.array_equal(quality[k::5], whole[name].flags)
        outcomes = np.column_stack(list(whole[name].tests.values()))
        spelled = ["".join(map(str, row)) for row in outcomes.tolist()]
        assert [text or "1" * outcomes.shape[1] for text in tests[k::5]] == spelled


@pytest.mark.real
def test_most_of_a_river_passes_and_what_is_absurd_fails(logan):
    times, columns = logan
    for name, values in columns.items():
        flags = check(values, COLUMNS[name], times).flags
        assert np.mean(flags == 1) > 0.85, name
        assert np.array_equal(flags == 9, np.isnan(values))
    temperature = check(columns["temp"], COLUMNS["temp"], times).flags
    assert (temperature[columns["temp"] > 50] == 4).all()
    assert (columns["temp"] > 7000).any()
