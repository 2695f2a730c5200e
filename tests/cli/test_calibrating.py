"""`nilometer calibrate`: on a folder that nobody holds, and on one that a server holds."""

from __future__ import annotations

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
    # The creek ends on 2024-05-03T01:45Z: 152 rows from noon of May the first on.
    assert second.startswith("152 rows stored from 2024-05-01T12:00Z on keep what was known before")
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


@pytest.mark.parametrize(
    ("point", "says"),
    [("befor=7", "nothing of a point"), ("before=seven", "is no number"), ("value=7", "needs a reading")],
)
def test_a_point_that_cannot_be_is_refused(folder, point, says):
    called = nilometer("calibrate", "add", "check", "creek/ph", "--data", folder, *DONE, "--point", point)
    assert called.code == 2
    assert says in called.err
