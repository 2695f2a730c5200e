"""`nilometer review` and `nilometer event`: on a folder that nobody holds, and on one that a server holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nilometer.client import connect
from nilometer.errors import NotFound, RequestError, ReviewRefused
from tests.cli.conftest import nilometer

TOKEN = "a-token-of-some-length"
SPAN = ("--start", "2024-05-01T00:00Z", "--end", "2024-05-01T01:00Z")
DRIFT = ("review", "drift", "creek/ph", *SPAN, "--gap", "0.4", "--by", "Li")


def exported(folder, tmp_path):
    out = tmp_path / "out.csv"
    assert nilometer("export", "--data", folder, "-o", out, "--datastream", "creek/ph", *SPAN).code == 0
    lines = [line.split(",") for line in out.read_text(encoding="utf-8").splitlines()]
    names = [name.strip('"') for name in lines[0]]
    return [(float(row[names.index("result")]), int(row[names.index("result_quality")])) for row in lines[1:]]


@pytest.fixture(params=["alone", "served"])
def data(request, creek, tmp_path):
    """A folder with the creek, held by nobody or by a server."""
    if request.param == "served":
        yield request.getfixturevalue("server").folder
        return
    folder = tmp_path / "alone"
    assert nilometer("import", creek, "--data", folder, "--thing", "creek", "--water-body", "river").code == 0
    yield folder


def test_a_step_is_entered_listed_and_undone(data, tmp_path):
    before = exported(data, tmp_path)
    called = nilometer(*DRIFT, "--data", data, "--comment", "buffer 7")
    assert (called.code, called.err) == (0, "")
    assert "drift of creek/ph, by Li" in called.out
    assert called.out.endswith("4 rows changed\n")
    assert [row[0] for row in exported(data, tmp_path)] == pytest.approx([7.0, 7.11, 7.22, 7.33])
    steps = nilometer("review", "list", "--data", data, "--json").json["steps"]
    step = steps[-1]
    assert (step["action"], step["comment"], step["rows"]) == ("drift", "buffer 7", 4)
    listed = nilometer("review", "list", "--data", data, "--datastream", "creek/ph").out
    assert "drift" in listed
    assert "…" not in listed  # a pipe has no edge to cut at
    head, line = listed.splitlines()[:2]
    assert head.split()[:7] == ["step", "action", "of", "start", "end", "by", "when"]
    assert datetime.fromtimestamp(step["at"] / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") in line
    undone = nilometer("review", "undo", step["id"], "--data", data, "--by", "Wang", "--json").json
    assert undone["steps"][0]["undoes"] == step["id"]
    assert exported(data, tmp_path) == before
    again = nilometer("review", "undo", step["id"], "--data", data, "--by", "Wang")
    assert again.code == 1
    assert "undone already" in again.err


def test_every_action_is_a_command(data, tmp_path):
    common = ("--data", data, "--by", "Li", "--reason", "other", "--json")
    where = ("--where", '{"above": 7.005}')
    for arguments, rows in (
        (("flag", "--to", "fail", *where), 3),
        (("offset", "--add", "0.5", "--uncertainty", "0.1"), 4),
        (("delete", "--where", '{"below": 7.505}'), 1),
        (("interpolate", "--greatest-gap", "2 h"), 0),
        (("drift", "--standards", "4,4.1,10,10.2"), 3),
        (("drift", "--point", "2024-05-01T00:30Z=0.2", "--point", "2024-05-01T00:45Z=0.1"), 3),
        (("retime", "--shift", "-10 min"), 4),
    ):
        called = nilometer("review", arguments[0], "creek/ph", *SPAN, *arguments[1:], *common)
        assert called.code == 0, (arguments, called.err)
        assert called.json["rows"] == rows, arguments
    steps = nilometer("review", "list", "--data", data, "--json").json["steps"]
    for step in steps:
        if step["action"] != "undo" and step["undone_by"] is None:
            assert nilometer("review", "undo", step["id"], "--data", data, "--by", "Li").code == 0


def test_levels_are_signed_from_the_command_line(data):
    sign = ("review", "sign-off", "creek/ph", *SPAN, "--by", "Li", "--data", data)
    refused = nilometer(*sign, "--level", "second")
    assert (refused.code, "sign that level first" in refused.err) == (1, True)
    step = nilometer(*sign, "--level", "first", "--json").json["steps"][0]
    refused = nilometer(*DRIFT, "--data", data)
    assert (refused.code, "are signed" in refused.err) == (1, True)
    assert nilometer("review", "undo", step["id"], "--data", data, "--by", "Li").code == 0


def test_an_event_is_entered_edited_listed_and_withdrawn(data, tmp_path):
    def add(verb, *arguments):
        told = ("--thing", "creek", "--start", "2024-05-01T00:00Z", "--by", "Li", "--data", data, "--json")
        called = nilometer("event", verb, *arguments, *told)
        assert called.code == 0, called.err
        return called.json["event"]["id"]

    before = exported(data, tmp_path)
    number = add("add", "cleaning", "--end", "2024-05-01T00:20Z", "--note", "brush", "--detail", '{"cloth": "new"}')
    assert [row[1] for row in exported(data, tmp_path)][:2] == [4, 4]
    assert add("edit", number, "cleaning", "--end", "2024-05-01T00:10Z", "--note", "brush") == number
    assert [row[1] for row in exported(data, tmp_path)][1:] == [row[1] for row in before][1:]
    assert "brush" in nilometer("event", "list", "--data", data, "--thing", "creek").out
    called = nilometer("event", "withdraw", number, "--data", data, "--by", "Wang")
    assert (called.code, "withdrawn" in called.out) == (0, True)
    assert exported(data, tmp_path) == before
    assert nilometer("event", "list", "--data", data, "--json").json["events"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("review", "offset", "creek/xx", *SPAN, "--add", "1", "--by", "Li", "--reason", "other"), 1, "no Datastream"),
        (("review", "offset", "creek/ph", *SPAN, "--add", "1", "--by", "Li", "--reason", "whim"), 2, "no reason"),
        (("review", "offset", "creek/ph", *SPAN, "--add", "nan", "--by", "Li", "--reason", "other"), 2, "finite"),
        (("review", "drift", "creek/ph", *SPAN, "--by", "Li"), 2, "exactly one of gap"),
        (("review", "drift", "creek/ph", *SPAN, "--by", "Li", "--point", "noon"), 2, "TIME=GAP"),
        (("review", "drift", "creek/ph", *SPAN, "--by", "Li", "--standards", "4,5"), 2, "four numbers"),
        (("event", "add", "cleening", "--thing", "creek", "--start", "2024-05-01T00:00Z", "--by", "Li"), 2, "cleaning"),
        (("event", "list", "--thing", "brook"), 2, "creek"),
    ],
)
def test_what_cannot_be_is_one_clear_line(folder, arguments, code, words):
    called = nilometer(*arguments, "--data", folder)
    assert (called.code, called.out) == (code, "")
    assert words in called.err
    assert called.err.count("\n") == 1


def test_a_folder_that_is_none_is_not_made(tmp_path):
    called = nilometer("review", "list", "--data", tmp_path / "nothing")
    assert (called.code, (tmp_path / "nothing").exists()) == (2, False)


def test_the_client_reviews_and_notes_events(server):
    client = connect(server.address, token=TOKEN)
    span = {"start": "2024-05-02T00:00Z", "end": "2024-05-02T01:00Z"}
    done = client.review("offset", ["creek/ph"], offset=1, by="Li", reason="other", **span)
    assert done["rows"] == 4
    assert client.reviews("creek/ph")[-1]["id"] == done["steps"][0]["id"]
    assert client.undo(done["steps"][0]["id"], "Li")["rows"] == 4
    made = client.enter_event("check_sample", span["start"], "Li", thing="creek", end=span["end"])["event"]
    assert client.events(thing="creek")[0]["id"] == made["id"]
    edited = client.edit_event(made["id"], "check_sample", span["start"], "Li", thing="creek", end=span["end"])
    assert edited["event"]["version"] > made["version"]
    client.withdraw_event(made["id"], "Li")
    assert client.review_levels("creek/ph")["rows"] == {"raw": 200}
    assert "drift" in client.review_settings()["reasons"]
    with pytest.raises(ReviewRefused, match="undone already"):
        client.undo(done["steps"][0]["id"], "Li")
    with pytest.raises(NotFound):
        client.undo(9999, "Li")
    with pytest.raises(RequestError):
        client.review("offset", ["creek/ph"], by="Li", reason="other", **span)
