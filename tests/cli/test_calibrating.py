"""`nilometer calibrate`: on a folder that nobody holds, and on one that a server holds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cli.conftest import nilometer

DONE = ("--time", "2024-05-01T12:00Z", "--operator", "Wang")
BUFFER = ("--by", "Li", "--uncertainty", "0.02", "-k", "2", "--lot", "A1", "--quantity", "ph")


@pytest.fixture(params=["alone", "served"])
def data(request, creek, tmp_path):
    """A folder with the creek, held by nobody or by a server."""
    if request.param == "served":
        yield request.getfixturevalue("server").folder
        return
    folder = tmp_path / "alone"
    assert nilometer("import", creek, "--data", folder, "--thing", "creek", "--water-body", "river").code == 0
    yield folder


def test_a_record_is_entered_listed_corrected_and_withdrawn(data, tmp_path):
    made = nilometer(
        "calibrate", "standard", "ph7", "7", "1", "--data", data, *BUFFER, "--expires", "2024-04-01T00:00Z"
    )
    assert (made.code, made.out) == (0, "standard 1: ph7 7 1, u(k=1) 0.01\n")
    point = ("--point", "standard=ph7,before=7.05,n=4,sd=0.02", "--limit", "0.1")
    refused = nilometer("calibrate", "add", "verification", "creek/ph", "--data", data, *DONE, *point)
    assert (refused.code, "accept_expired" in refused.err) == (1, True)
    fresh = ("--data", data, *BUFFER, "--expires", "2025-01-01T00:00Z", "--correct", "1")
    assert nilometer("calibrate", "standard", "ph7", "7", "1", *fresh).code == 0
    until = ("--valid-until", "2024-05-02T00:00Z")
    done = nilometer("calibrate", "add", "verification", "creek/ph", "--data", data, *DONE, *point, *until)
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first == "record 1: verification of creek/ph, deviation +0.05 as found passed"
    # The creek ends on 2024-05-03T01:45Z: 104 rows are overdue.
    assert second.startswith("104 rows stored from 2024-05-02T00:00Z on keep what was known before")
    head, line = nilometer("calibrate", "list", "--data", data).out.splitlines()
    assert head.split() == ["record", "kind", "of", "when", "operator", "deviation", "passed", "due"]
    assert line.split()[:5] == ["1", "verification", "creek/ph", "2024-05-01T12:00Z", "Wang"]
    due = nilometer("calibrate", "due", "--data", data, "--json").json["calibrations"]
    assert [(one["datastream"], one["state"]) for one in due] == [("creek/ph", "overdue")]
    assert "overdue" in nilometer("calibrate", "due", "--data", data, "--thing", "creek").out
    wrong = nilometer("calibrate", "due", "--data", data, "--thing", "crek")
    assert wrong.code != 0
    assert "creek" in wrong.err or "crek" in wrong.err
    (tmp_path / "new.toml").write_text(
        'kind = "polynomial"\ncoefficients = [0.05, 1]\nvalid_from = 2024-05-01T12:00:00Z\n'
    )
    new = ("--calibration", tmp_path / "new.toml", "--correct", "1", "--comment", "adjusted")
    done = nilometer("calibrate", "add", "adjustment", "creek/ph", "--data", data, *DONE, *point, *new)
    assert "is in force from 2024-05-01T12:00Z on" in done.out
    shown = nilometer("calibrate", "show", "1", "--data", data).out
    assert "as_found: ph7 (lot A1) 7 1: deviation +0.05, u(k=1) 0.0141421" in shown
    assert "superseded: version 1" in shown
    gone = nilometer("calibrate", "withdraw", "1", "--data", data, "--by", "Li", "--json").json
    assert gone["record"]["withdrawn"]
    assert nilometer("calibrate", "list", "--data", data, "--json").json["records"] == []
    assert len(nilometer("calibrate", "list", "--data", data, "--withdrawn", "--json").json["records"]) == 1
    assert nilometer("calibrate", "withdraw-standard", "1", "--data", data, "--by", "Li").out.endswith("withdrawn\n")
    assert nilometer("calibrate", "standards", "--data", data, "--json").json["standards"] == []


def test_a_calibration_is_fitted_and_put_into_force(data, tmp_path):
    points = [("--point", f"value={ph},before={mv},u=0.01") for ph, mv in ((4, 4.1), (7, 7.12), (10, 10.13))]
    out = tmp_path / "ph.json"
    called = nilometer(
        "calibrate", "fit", "polynomial", *sum(points, ()), "--certificate", "certificate=S-4", "-o", out
    )
    assert (called.code, called.err) == (0, "")
    assert "# 7.12 -> 7: residual" in called.out
    told = ("--data", data, *DONE, *sum(points, ()), "--raw", "--limit", "0.1")
    assert nilometer("calibrate", "add", "adjustment", "creek/ph", *told, "--calibration", out).code == 0
    done = nilometer("calibrate", "add", "adjustment", "creek/ph", *told, "--fit", "polynomial", "--json").json
    number = done["record"]["id"]
    read, values = np.array([4.1, 7.12, 10.13]), np.array([4, 7, 10])
    left = values - np.polyval(np.polyfit(read, values, 1), read)
    assert done["record"]["fit"]["residuals"] == pytest.approx(left, abs=1e-6)
    assert "fitted polynomial: residuals +0.0016" in nilometer("calibrate", "show", number, "--data", data).out


@pytest.mark.parametrize(
    ("point", "says"),
    [("befor=7", "nothing of a point"), ("before=seven", "is no number"), ("value=7", "needs a reading")],
)
def test_a_point_that_cannot_be_is_refused(folder, point, says):
    called = nilometer("calibrate", "add", "check", "creek/ph", "--data", folder, *DONE, "--point", point)
    assert called.code == 2
    assert says in called.err
