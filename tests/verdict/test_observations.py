from __future__ import annotations

import numpy as np
import pyarrow as pa

from nilometer.model.schemas import TIME
from nilometer.verdict import DatastreamOf, assess_series, series_of_observations


def rows(**columns):
    n = len(columns["datastream"])
    return pa.table(
        {
            "datastream": pa.array(columns["datastream"], pa.int32()),
            "feature": pa.array(columns.get("feature", [1] * n), pa.int32()),
            "phenomenon_time": pa.array(range(n), pa.int64()).cast(TIME),
            "result": pa.array(columns["result"], pa.float64()),
            "censored": pa.array(columns.get("censored", [None] * n), pa.int8()),
            "result_quality": pa.array(columns["result_quality"], pa.int8()),
        }
    )


COD = DatastreamOf(id=7, key="a/codmn", property="codmn", unit="mg L-1")
COD_2 = DatastreamOf(id=8, key="a/codmn-2", property="codmn", unit="ug L-1")


def test_stored_rows_become_series_and_check_samples_never_count():
    table = rows(
        datastream=[7, 7, 7, 9], result=[3.0, None, 50.0, 1.0], result_quality=[1, 9, 1, 1], feature=[1, 1, 5, 1]
    )
    series = series_of_observations(table, [COD], sample_features=[5])
    assert list(series) == ["codmn"]
    verdict = assess_series(series, water_body="river")
    statistics = verdict.item("codmn").statistics
    assert (statistics.value, statistics.n, statistics.missing, statistics.samples) == (3.0, 1, 1, 1)


def test_two_datastreams_of_one_property_are_taken_together():
    table = rows(datastream=[7, 8], result=[3.0, 5000.0], result_quality=[1, 1])
    part = series_of_observations(table, [COD, COD_2])["codmn"]
    assert part.values.tolist() == [3.0, 5.0]
    assert part.datastreams == ("a/codmn", "a/codmn-2")
    assert np.array_equal(part.times, [0, 1])


def test_a_datastream_without_rows_is_absent():
    assert series_of_observations(rows(datastream=[], result=[], result_quality=[]), [COD]) == {}
