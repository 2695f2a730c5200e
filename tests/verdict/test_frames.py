from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

import nilometer
from nilometer.errors import ConfigError, PropertyMismatch
from nilometer.verdict import assess
from nilometer.verdict.frames import series_of

TIMES = pd.date_range("2024-01-01", periods=3, freq="15min", tz="Asia/Shanghai")
COLUMNS = {"codmn": [3.0, None, 5.0], "codmn_quality": [1, 9, 3], "station": ["a", "b", "c"]}


def frames():
    naive = TIMES.tz_convert("UTC").tz_localize(None)
    yield "dict", {**COLUMNS, "time": naive.to_numpy()}
    yield "dict of text times", {**COLUMNS, "time": [stamp.isoformat() for stamp in TIMES]}
    yield "pandas index", pd.DataFrame(COLUMNS, index=TIMES)
    yield "pandas column", pd.DataFrame({**COLUMNS, "phenomenon_time": TIMES})
    yield "polars", pl.DataFrame({**COLUMNS, "time": naive.to_numpy()})
    yield "arrow", pa.table({**COLUMNS, "time": pa.array(TIMES)})
    numbers = {name: ("time", np.array(COLUMNS[name], float)) for name in ("codmn", "codmn_quality")}
    yield "xarray", xr.Dataset(numbers, coords={"time": naive.to_numpy()})


@pytest.mark.parametrize(("name", "frame"), [*frames()], ids=lambda part: part if isinstance(part, str) else "")
def test_any_library_gives_the_same_series(name, frame):
    found = series_of(frame)
    assert list(found) == ["codmn"]
    assert np.array_equal(found["codmn"].values, [3.0, np.nan, 5.0], equal_nan=True)
    assert found["codmn"].quality.tolist() == [1, 9, 3]
    assert found["codmn"].times.tolist() == [int(stamp.timestamp() * 1e6) for stamp in TIMES]
    verdict = assess(frame, water_body="river")
    assert (verdict.class_, verdict.class_without_suspect) == ("II", "II")


def test_columns_of_other_names_are_named_and_their_units_converted():
    frame = pd.DataFrame({"NH3N (ug/L)": [620.0]})
    verdict = assess(frame, columns={"nh3_n": "NH3N (ug/L)"}, units={"nh3_n": "ug/L"}, water_body="river")
    assert verdict.item("nh3_n").value == 0.62


def test_units_that_the_frame_tells_are_used():
    frame = pd.DataFrame({"nh3_n": [620.0]})
    frame.attrs["units"] = {"nh3_n": "ug/L"}
    assert assess(frame, water_body="river").class_ == "III"


def test_a_column_of_another_property_is_refused_not_converted():
    with pytest.raises(PropertyMismatch, match="ammonium"):
        assess({"ammonium": [1.0]}, columns={"nh3_n": "ammonium"}, water_body="river")


def test_check_samples_beside_the_water_are_left_out():
    frame = {"codmn": [3.0, 14.0], "codmn_sample": [0, 3]}
    verdict = assess(frame, water_body="river")
    assert verdict.item("codmn").value == 3.0
    assert any("not the water" in note.en for note in verdict.notes)


def test_rows_outside_the_window_are_left_out():
    frame = {"codmn": [1.0, 9.0], "time": np.array([0, 10], "datetime64[D]")}
    assert assess(frame, water_body="river", start=0, end=86_400_000_000).class_ == "I"


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        ({"temp": [1.0]}, {}, "no column bears"),
        ({"codmn": [1.0]}, {"columns": {"codmn": "CODMn"}}, "did you mean codmn"),
        ({"codmn": [1.0]}, {"columns": {"codmm": "codmn"}}, "codmn"),
        ({"codmn": ["a"]}, {}, "no column bears"),
        ({"codmn": [1.0], "ph": [7.0, 7.1]}, {}, "length"),
        ({"codmn": [1.0]}, {"time": "when"}, "when"),
        ({"codmn": [1.0], "time": ["noon"]}, {}, "noon"),
        (3, {}, "int"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(frame, options, message):
    with pytest.raises(ConfigError, match=message):
        assess(frame, water_body="river", **options)


def test_a_recording_tells_its_properties_units_and_what_is_below_detection(tmp_path):
    file = tmp_path / "lab.csv"
    file.write_text(
        "time,NH3-N (mg/L),pH,note\n2024-01-01T00:00:00Z,<0.05,7.1,a\n2024-01-15T00:00:00Z,0.15,7.3,b\n",
        encoding="utf-8",
    )
    verdict = assess(nilometer.read(file), water_body="river")
    ammonia = verdict.item("nh3_n")
    assert ammonia.value == pytest.approx((0.025 + 0.15) / 2)
    assert ammonia.statistics.below == 1
    assert verdict.items_assessed == 2
    assert not verdict.indicative


def test_of_two_columns_of_one_property_the_first_is_the_value():
    frame = pd.DataFrame({"raw": [3.0], "corrected": [9.0]})
    frame.attrs["properties"] = {"raw": "codmn", "corrected": "codmn"}
    assert assess(frame, water_body="river").item("codmn").value == 3.0
