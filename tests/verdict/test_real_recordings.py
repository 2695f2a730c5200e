from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nilometer.verdict import assess

STATIONS = ["MainStreet2019", "TonyGrove2019", "BlackSmithFork2019"]


def read(real_data, station):
    path = real_data / "water_quality" / "lro" / f"{station}.csv.gz"
    return pd.read_csv(path, na_values=["NULL", "-9999"], parse_dates=["datetime"])


def judge(table, columns):
    return assess(table, "GB 3838-2002", columns=columns, time="datetime", water_body="river", target_class="II")


def notes(verdict):
    return " | ".join(note.en for note in verdict.notes)


@pytest.mark.real
@pytest.mark.parametrize("station", STATIONS)
def test_a_logan_river_year_is_judged_by_two_of_the_21_items(real_data, station):
    table = read(real_data, station)
    names = {
        "water_temperature": "temp_cor",
        "conductivity_25": "cond_cor",
        "ph": "ph_cor",
        "dissolved_oxygen": "do_cor",
    }
    verdict = judge(table, names)
    assert [part.property for part in verdict.items] == ["ph", "dissolved_oxygen"]
    assert (verdict.items_assessed, verdict.items_required) == (2, 21)
    assert verdict.class_ == "I"  # a cold mountain river: mean oxygen well above 7.5 mg/L
    assert verdict.met is True
    assert not verdict.indicative  # most of a year
    assert len(verdict.missing_items) == 19
    assert [part.property for part in verdict.reference_items] == ["water_temperature"]
    assert "2 of the 21" in notes(verdict)
    assert "no item of this standard" in notes(verdict)
    oxygen = verdict.item("dissolved_oxygen")
    assert oxygen.value == pytest.approx(table["do_cor"].mean())
    assert oxygen.statistics.missing == table["do_cor"].isna().sum()


@pytest.mark.real
@pytest.mark.parametrize("station", STATIONS)
def test_zeros_of_a_dead_electrode_decide_unjudged_ph_which_is_said_and_flags_leave_them_out(real_data, station):
    table = read(real_data, station)
    columns = {"ph": "ph", "dissolved_oxygen": "do"}
    raw = judge(table, columns)
    assert raw.class_ == "inferior V"
    assert "judge the data first" in notes(raw)
    table["ph_quality"] = np.where(table["ph"].between(5.0, 10.5), 1, 4)
    flagged = judge(table, columns)
    assert flagged.class_ == "I"
    assert "judge the data first" not in notes(flagged)
    assert flagged.item("ph").statistics.failed > 0
