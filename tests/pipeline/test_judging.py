"""A certificate may lead from one dimension to another; a unit conversion never does."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.config import parse
from nilometer.errors import ConfigError
from nilometer.model import ObservationBatch
from nilometer.pipeline import Pipeline

THING = {"key": "r", "name": "R", "water_body": "river"}
PROBE = {"key": "r/do", "thing": "r", "property": "dissolved_oxygen", "raw_unit": "mV", "unit": "mg L-1"}
CERTIFICATE = {
    "kind": "polynomial",
    "coefficients": [0, 0.01],
    "unit_in": "mV",
    "unit_out": "mg L-1",
    "residual_uncertainty": 0.05,
}
DAY = 86_400_000_000
NEW_YEAR = 1_704_067_200_000_000  # 2024-01-01T00:00:00Z
DATES = (("2024-01-04T00:00:00Z", 5), ("2024-01-02T00:00:00Z", 3))
PH = {"key": "r/ph", "thing": "r", "property": "ph"}
DOUBLING = {"valid_from": "2024-01-01T00:00:00Z", "kind": "polynomial", "coefficients": [0, 2]}


async def test_a_certificate_leads_from_millivolts_to_milligrams(tmp_path):
    pipeline = Pipeline(tmp_path, parse({"thing": [THING], "datastream": [PROBE | {"calibrations": [CERTIFICATE]}]}))
    await pipeline.start()
    try:
        number = pipeline.store.catalog.datastream_by_key("r/do").id
        rows = ObservationBatch(
            datastream=np.array([number], np.int32),
            phenomenon_time=np.array([0]),
            raw_result=np.array([812.3]),
        )
        await pipeline.ingest(rows)
        stored = pipeline.store.snapshot().read([number]).to_pylist()[0]
    finally:
        await pipeline.close()
    assert (stored["raw_result"], stored["result"]) == (812.3, 8.123)
    assert stored["result_uncertainty"] == pytest.approx(0.05)


def test_without_a_certificate_it_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(ConfigError, match="raw results in mV cannot become mg L-1"):
        Pipeline(tmp_path, parse({"thing": [THING], "datastream": [PROBE]}))


async def test_every_row_names_the_certificate_that_made_its_number(tmp_path):
    """Three Datastreams with two, one and no certificates, their rows in turn across the dates of the certificates."""
    of_key = {
        "r/a": [{"valid_from": date, "kind": "polynomial", "coefficients": [0, n]} for date, n in DATES],
        "r/b": [{"valid_from": "2024-01-02T00:00:00Z", "kind": "polynomial", "coefficients": [0, 4]}],
        "r/c": [],
    }
    config = {
        "thing": [THING],
        "datastream": [{"key": key, "thing": "r", "property": "ph", "calibrations": of_key[key]} for key in of_key],
    }
    pipeline = Pipeline(tmp_path, parse(config))
    await pipeline.start()
    try:
        catalog = pipeline.store.catalog
        numbers = [catalog.datastream_by_key(key).id for key in of_key]
        rows = ObservationBatch(
            datastream=np.array(numbers * 5, np.int32),
            phenomenon_time=np.repeat(DAY * np.arange(5), 3) + NEW_YEAR,
            raw_result=np.full(15, 2.0),
        )
        await pipeline.ingest(rows)
        stored = pipeline.store.snapshot().read(numbers).to_pylist()
        documents = {
            row.id: row.document["coefficients"][1] for number in numbers for row in catalog.calibrations(number)
        }
        factors = {n: catalog.provenance_row(n).calibration for n in {row["provenance"] for row in stored}}
    finally:
        await pipeline.close()
    assert len(stored) == 15
    for row in stored:
        calibration = factors[row["provenance"]]
        assert row["result"] == 2.0 * (1 if calibration is None else documents[calibration])
    of_a = [row["result"] for row in stored if row["datastream"] == numbers[0]]
    assert of_a == [2.0, 6.0, 6.0, 10.0, 10.0]
    assert [row["result"] for row in stored if row["datastream"] == numbers[1]] == [2.0, 8.0, 8.0, 8.0, 8.0]


async def test_a_certificate_that_comes_later_is_named_from_then_on(tmp_path):
    pipeline = Pipeline(tmp_path, parse({"thing": [THING], "datastream": [PH]}))
    await pipeline.start()
    try:
        catalog = pipeline.store.catalog
        number = catalog.datastream_by_key("r/ph").id
        await pipeline.ingest(row_of(number, NEW_YEAR))
        await pipeline.configure(
            [], parse({"thing": [THING], "datastream": [PH | {"calibrations": [DOUBLING]}]}).datastreams
        )
        await pipeline.ingest(row_of(number, NEW_YEAR + DAY))
        stored = pipeline.store.snapshot().read([number]).to_pylist()
        ways = [catalog.provenance_row(row["provenance"]).calibration for row in stored]
        made = catalog.calibrations(number)
    finally:
        await pipeline.close()
    assert [row["result"] for row in stored] == [2.0, 4.0]
    assert ways == [None, made[0].id]


def row_of(datastream: int, time: int) -> ObservationBatch:
    return ObservationBatch(
        datastream=np.array([datastream], np.int32), phenomenon_time=np.array([time]), raw_result=np.array([2.0])
    )
