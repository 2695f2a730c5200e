"""The data of a plan: files as they come, in the unit of the trial, with a hash that hangs on the numbers alone."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nilometer.errors import ConfigError, ReadError, UnitError
from nilometer.trials.gathering import Gathered, gather
from nilometer.trials.planning.plan import parse_plan

HOUR = 3_600_000_000


def plan(candidate: dict[str, Any], reference: dict[str, Any] | None = None, **more: Any) -> Any:
    """Return a plan of one candidate and one reference."""
    trial = {"title": "t", "property": "dissolved_oxygen", "unit": "mg L-1", **more.pop("trial", {})}
    other = reference or {"file": "old.csv", "column": "DO"}
    endpoint = [{"name": "e", "statistic": "bias", "margin": 0.1}]
    arms = {"candidate": [{"name": "new", **candidate}], "reference": [{"name": "old", **other}]}
    return parse_plan({"trial": trial, **arms, "endpoint": endpoint, **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = ["2024-05-01 08:00,8.1,ok", "2024-05-01 08:10,8.2,ok", "2024-05-01 08:20,,gone", "2024-05-01 08:30,8.4,ok"]
    (tmp_path / "old.csv").write_text("Time,DO (mg/L),Note\n" + "\n".join(rows) + "\n", encoding="utf-8")
    newest_first = ["Time,DO (ug/L)", *(row.replace(",8.", ",8").rpartition(",")[0] for row in reversed(rows))]
    (tmp_path / "new.csv").write_text("\n".join(newest_first).replace(",8", ",80") + "\n", encoding="utf-8")
    return tmp_path


def new(found: Gathered) -> Any:
    return found.candidates["new"]


def test_a_file_comes_in_the_unit_and_the_zone_of_the_trial(folder: Path) -> None:
    found = gather(plan({"file": "new.csv", "column": "DO"}, trial={"time_zone": "Asia/Shanghai"}), folder)
    assert new(found).values.tolist() == [801e-3, 802e-3, 804e-3]
    assert found.first_datum == np.datetime64("2024-05-01T00:00", "us").astype(int)
    assert found.taken[0].notes[-2:] == (
        "1 rows have no result",
        "rows were put in order of time, which ran back 2 times",
    )
    later = gather(plan({"file": "new.csv", "column": "DO", "time_zone": "UTC"}), folder)
    assert later.first_datum - found.first_datum == 8 * HOUR


def test_the_hash_hangs_on_numbers_and_not_on_files(folder: Path) -> None:
    first = gather(plan({"file": "new.csv", "column": "DO"}), folder)
    packed = folder / "packed.csv.gz"
    packed.write_bytes(gzip.compress((folder / "new.csv").read_bytes()))
    assert gather(plan({"file": packed.name, "column": "DO"}), folder).hash == first.hash
    text = (folder / "new.csv").read_text(encoding="utf-8")
    (folder / "new.csv").write_text(text.replace("804", "805"), encoding="utf-8")
    assert gather(plan({"file": "new.csv", "column": "DO"}), folder).hash != first.hash


def test_what_the_plan_says_of_an_arm_holds(folder: Path) -> None:
    told = {"uncertainty": 0.1, "relative_uncertainty": 0.5, "t90": "30 s", "every": "10 min", "stands_for": "10 min"}
    arm = new(gather(plan({"file": "old.csv", "column": "DO", "stamped": "end", **told}), folder))
    assert arm.uncertainty == pytest.approx(np.hypot(0.1, 0.5 * arm.values))
    assert (arm.response_us, arm.interval_us, arm.duration_us) == (30_000_000, 600_000_000, 600_000_000)
    assert arm.time[0] == np.datetime64("2024-05-01T07:50", "us").astype(int)
    line = {"kind": "polynomial", "coefficients": [1.0, 2.0], "unit_in": "mg L-1", "residual_uncertainty": 0.2}
    made = new(gather(plan({"file": "old.csv", "column": "DO", "calibration": line}), folder))
    assert made.values == pytest.approx(1.0 + 2.0 * arm.values)
    limits = {"profile": "profile.toml"}
    (folder / "profile.toml").write_text("[tests.gross_range]\nfail = [0, 8.3]\n", encoding="utf-8")
    flagged = plan({"file": "old.csv", "column": "DO", **limits, "profile": str(folder / "profile.toml")})
    assert new(gather(flagged, folder)).flags.tolist() == [1, 1, 4]


def test_rows_without_a_clock_pair_by_their_order(folder: Path) -> None:
    (folder / "bench.csv").write_text("t; pH ;ref\n100; 4.01 ;4\n90;gone;7\n120;10.1;10\n", encoding="utf-8")
    (folder / "alone.txt").write_text("Reference\n4.0\n7.0\n10.0\n", encoding="utf-8")
    told = {"alignment": {"by": "order"}, "trial": {"unit": "1"}}
    found = gather(plan({"file": "bench.csv", "column": "pH"}, {"file": "alone.txt"}, **told), folder)
    assert np.isnan(new(found).values).tolist() == [False, True, False]
    assert found.references["old"].values.tolist() == [4.0, 7.0, 10.0]
    assert found.taken[0].missing == 1
    assert "'gone'" in found.taken[0].notes[-1]


def test_windows_of_maintenance_come_from_files(folder: Path) -> None:
    (folder / "visits.csv").write_text("from,to\n2024-05-01 08:05,2024-05-01 08:15\n", encoding="utf-8")
    told = {"file": "visits.csv", "start_column": "from", "end_column": "to"}
    arm = {"file": "old.csv", "column": "DO"}
    found = gather(plan(arm, maintenance=[told]), folder)
    assert found.maintenance == ((1714550700000000, 1714551300000000),)
    assert found.cleanings == (1714551300000000,)
    with pytest.raises(ConfigError, match="start"):
        gather(plan(arm, maintenance=[{"file": "visits.csv"}]), folder)
    (folder / "visits.csv").write_text("from,to\n2024-05-01 08:05,2024-05-01 08:05\n", encoding="utf-8")
    with pytest.raises(ReadError, match="window 1 has no length"):
        gather(plan(arm, maintenance=[told]), folder)


@pytest.mark.parametrize(
    ("candidate", "error", "says"),
    [
        ({"file": "absent.csv"}, ReadError, "no such file"),
        ({"file": "old.csv", "column": "D0"}, ConfigError, "did you mean DO"),
        ({"file": "old.csv", "column": "DO", "unit": "degC"}, UnitError, r"new \(old.csv: DO\)"),
        ({"datastream": "river/do"}, ConfigError, "--server URL"),
    ],
)
def test_what_is_not_there_or_cannot_be_is_refused(
    folder: Path, candidate: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        gather(plan(candidate), folder)


def test_a_time_that_says_two_things_is_refused(folder: Path) -> None:
    with (folder / "old.csv").open("a", encoding="utf-8") as file:
        file.write("2024-05-01 08:00,8.1,again\n")
    arm = {"file": "old.csv", "column": "DO"}
    assert "say again" in gather(plan(arm), folder).taken[0].notes[-1]
    with (folder / "old.csv").open("a", encoding="utf-8") as file:
        file.write("2024-05-01 08:00,9.9,other\n")
    with pytest.raises(ValueError, match="stands twice"):
        gather(plan(arm), folder)


class Served:
    """One Datastream as a server gives it, in the columns that were asked for."""

    def __init__(self, durations: list[int]) -> None:
        self._table = pa.table(
            {
                "phenomenon_time": pa.array([0, HOUR], pa.timestamp("us", tz="UTC")),
                "duration": durations,
                "result": [8.1, None],
                "result_uncertainty": pa.array([0.1, None], pa.float32()),
                "censored": pa.array([None, None], pa.int8()),
                "result_quality": pa.array([3, 9], pa.int8()),
            }
        )

    def datastream(self, name: str | int) -> dict[str, Any]:
        return {"key": name, "unit": "mg L-1"}

    def read(self, datastream: str | int, start: str | None = None, end: str | None = None, **query: Any) -> pa.Table:
        del datastream, start, end
        return self._table.select(query["columns"].split(","))


def test_a_datastream_brings_flags_and_uncertainty(folder: Path) -> None:
    found = gather(plan({"datastream": "river/do"}), folder, rows=Served([HOUR, HOUR]))
    arm = new(found)
    assert (arm.values.tolist(), arm.flags.tolist(), arm.duration_us) == ([8.1], [3], HOUR)
    assert arm.uncertainty == pytest.approx([0.1])
    table = Served([HOUR, HOUR])
    table._table = table._table.set_column(2, "result", [[8.1, 8.2]]).set_column(1, "duration", [[HOUR, 0]])
    with pytest.raises(ConfigError, match="intervals of 2 lengths"):
        gather(plan({"datastream": "river/do"}), folder, rows=table)


@pytest.mark.real
def test_the_files_of_other_peoples_comparisons_are_read(real_data: Path) -> None:
    """By order (niclabs), a long table out of order (EPA's station) beside minutes of another zone, five columns."""
    told = {"alignment": {"by": "order"}, "trial": {"unit": "degree_Celsius"}}
    bath = real_data / "collocation" / "niclabs" / "all_temperature" / "data"
    probe = {"file": "2020-10-07_data_sensores_homologacion.csv", "column": "DS18B20.1", "unit": "degC"}
    found = gather(plan(probe, {"file": "2020-10-07_all_temperature.txt", "unit": "degC"}, **told), bath)
    assert found.references["old"].values[:2].tolist() == [18.9, 22.1]
    assert len(new(found)) == len(found.references["old"]) == 70
    air = real_data / "collocation" / "epa_sensortoolkit"
    sensor = {"file": "toco_toucan_RT01_raw.csv.gz", "column": "O3 (ppb)", "unit": "1e-9"}
    station = {"file": "airnowtech_example_reference_data.csv.gz", "column": "O3", "unit": "1e-9", "stands_for": "1 h"}
    found = gather(plan(sensor, station, trial={"unit": "1e-9"}), air)
    assert "which ran back 1 times" in found.taken[1].notes[-1]
    assert found.first_datum == np.datetime64("2019-08-01T12:12", "us").astype(int)  # 7:12 at UTC-5
