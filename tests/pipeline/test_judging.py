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
