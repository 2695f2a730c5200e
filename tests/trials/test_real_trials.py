"""Other people's comparisons, from their files to the report: what comes out is what a look at the data shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pypdfium2 import PdfDocument

from nilometer.trials.inference.endpoint import Outcome
from nilometer.trials.planning.plan import parse_plan
from nilometer.trials.report import render_pdf
from nilometer.trials.report.words import Language
from nilometer.trials.result import TrialResult
from nilometer.trials.trial import run_trial
from nilometer.trials.wording import outcome_words

pytestmark = pytest.mark.real


def ran(folder: Path, document: dict[str, Any]) -> TrialResult:
    return run_trial(parse_plan(document), folder, resamples=1000)


def printed(done: TrialResult, language: Language) -> None:
    """Set the report, and look whether it says what was found."""
    pages = PdfDocument(render_pdf(done, language=language, command="nilometer trial PLAN.toml -o report.pdf"))
    first = pages[0].get_textpage().get_text_range()
    for one in done.comparisons:
        assert outcome_words(one.grade.outcome, language).casefold() in first.casefold()


def outcomes(done: TrialResult) -> dict[str, Outcome]:
    return {one.candidate: one.grade.outcome for one in done.comparisons}


def test_low_cost_thermometers_in_a_bath_beside_a_hach_meter(real_data: Path) -> None:
    """Five DS18B20 and an Atlas probe, 70 rows by order; some lag a row behind, which scatters but does not shift."""
    folder = real_data / "collocation" / "niclabs" / "all_temperature" / "data"
    file = {"file": "2020-10-07_data_sensores_homologacion.csv", "unit": "degree_Celsius"}
    probes = [f"DS18B20.{number}" for number in range(1, 6)] + ["Atlas"]
    done = ran(
        folder,
        {
            "trial": {
                "title": "DS18B20 beside a Hach meter",
                "property": "water_temperature",
                "unit": "degree_Celsius",
                "range_edges": [20, 30, 40],
            },
            "candidate": [{"name": name, "column": name, "lot": name[:2], **file} for name in probes],
            "reference": [{"name": "Hach", "file": "2020-10-07_all_temperature.txt", "unit": "degree_Celsius"}],
            "alignment": {"by": "order"},
            "endpoint": [
                {"name": "mean difference", "statistic": "bias", "margin": 0.5, "unit": "K", "kind": "equivalence"},
                {"name": "scatter", "statistic": "mean_absolute_difference", "margin": 0.5, "unit": "K"},
            ],
        },
    )
    assert Outcome.NON_INFERIOR not in outcomes(done).values()
    assert len(done.units["Hach"].units) == 6
    printed(done, "zh")


def test_an_atlas_ph_probe_that_sticks_is_not_called_as_good(real_data: Path) -> None:
    folder = real_data / "collocation" / "niclabs" / "all_ph" / "data"
    file = {"file": "2020-10-14_data_ph.csv"}
    done = ran(
        folder,
        {
            "trial": {"title": "Atlas pH beside a Hach meter", "property": "ph", "unit": "1"},
            "candidate": [{"name": "Atlas", "column": "Atlas", **file}],
            "reference": [{"name": "Hach", "column": "Multiparámetro", **file}],
            "alignment": {"by": "order"},
            "endpoint": [{"name": "scatter", "statistic": "mean_absolute_difference", "margin": 0.5}],
        },
    )
    assert outcomes(done)["Atlas"] in {Outcome.INCONCLUSIVE, Outcome.INFERIOR}
    printed(done, "en")


def test_a_tds_board_calibrated_on_a_standard_beside_a_hach_meter(real_data: Path) -> None:
    """Eight pairs, mV made µS/cm by the one standard of 1413: too few for any answer, and so said."""
    folder = real_data / "collocation" / "niclabs" / "all_ec" / "data3"
    file = {"file": "2020-11-02_tds.csv"}
    line = {"kind": "slope", "coefficients": [1413 / 1284.18], "unit_in": "mV", "unit_out": "uS cm-1"}
    done = ran(
        folder,
        {
            "trial": {"title": "TDS board beside a Hach meter", "property": "conductivity", "unit": "uS cm-1"},
            "candidate": [{"name": "TDS 1", "column": "TDS.1", "unit": "mV", "calibration": line, **file}],
            "reference": [{"name": "Hach", "column": "MultiP.1", "unit": "uS cm-1", **file}],
            "alignment": {"by": "order"},
            "endpoint": [{"name": "share", "statistic": "relative_bias", "margin": 0.05}],
        },
    )
    (one,) = done.comparisons
    assert one.grade.outcome is Outcome.INCONCLUSIVE
    assert "needed" in one.decisions[0].reason
    printed(done, "zh")


def test_a_sensor_that_drifts_away_from_its_group_over_a_year(real_data: Path) -> None:
    folder = real_data / "water_quality" / "saqc"
    file = {"file": "tempSensorGroup.csv.gz", "unit": "degree_Celsius"}
    done = ran(
        folder,
        {
            "trial": {"title": "Five of a group", "property": "water_temperature", "unit": "degree_Celsius"},
            "candidate": [{"name": "temp1", "column": "temp1", **file}],
            "reference": [{"name": "temp5", "column": "temp5", **file}],
            "endpoint": [{"name": "drift", "statistic": "drift", "margin": 0.005, "unit": "K d-1"}],
        },
    )
    (one,) = done.comparisons
    drift = one.figure("theil_sen_drift")
    assert drift is not None
    assert 0.03 < drift.interval[0] <= drift.interval[1] < 0.05  # 12 degrees in a year, as the group's owners say
    assert one.grade.outcome is not Outcome.NON_INFERIOR
    printed(done, "en")


def test_three_ozone_sensors_of_one_model_beside_a_station(real_data: Path) -> None:
    folder = real_data / "collocation" / "epa_sensortoolkit"
    units = [
        {
            "name": f"RT0{number}",
            "lot": "one",
            "file": f"toco_toucan_RT0{number}_raw.csv.gz",
            "column": "O3 (ppb)",
            "unit": "1e-9",
            "every": "1 min",
        }
        for number in (1, 2, 3)
    ]
    station = {"file": "airnowtech_example_reference_data.csv.gz", "column": "O3", "unit": "1e-9", "stands_for": "1 h"}
    done = ran(
        folder,
        {
            "trial": {
                "title": "Ozone sensors beside a station",
                "property": "ozone",
                "unit": "1e-9",
                "time_zone": "America/New_York",
            },
            "candidate": units,
            "reference": [{"name": "station", "every": "1 h", **station}],
            "endpoint": [{"name": "mean difference", "statistic": "bias", "margin": 5.0, "kind": "equivalence"}],
        },
    )
    assert all(one.alignment.averaged == "candidate" for one in done.comparisons)
    assert all(one.figure("concordance").value > 0.5 for one in done.comparisons)  # type: ignore[union-attr]
    assert {row.name for row in done.units["station"].units} == {"RT01", "RT02", "RT03"}
    printed(done, "zh")
