"""`nilometer delete` and `export --as-of`: on a folder that nobody holds, and on one that a server holds."""

from __future__ import annotations

import json

import pytest

from nilometer.client import connect
from nilometer.errors import NotFound
from tests.cli.conftest import nilometer

TOKEN = "a-token-of-some-length"
BY = ("--by", "Li Na", "--reason", "other")


@pytest.fixture(params=["alone", "served"])
def data(request, creek, tmp_path):
    """A folder with the creek, held by nobody or by a server."""
    if request.param == "served":
        yield request.getfixturevalue("server").folder
        return
    folder = tmp_path / "alone"
    assert nilometer("import", creek, "--data", folder, "--thing", "creek", "--water-body", "river").code == 0
    yield folder


def exported(folder, file, *more):
    called = nilometer("export", "--data", folder, "--datastream", "creek/ph", "-o", file, *more)
    assert called.code == 0, called.err
    return file.read_bytes()


def test_a_span_is_deleted_and_the_past_is_exported_as_it_was(data, tmp_path):
    span = ("--start", "2024-05-02T06:00Z", "--end", "2024-05-02T07:00Z")
    called = nilometer("delete", "creek/ph", *span, "--data", data, *BY, "--json")
    assert (called.code, called.err) == (0, "")
    done = json.loads(called.out)
    assert done["deleted"] == 4
    then = exported(data, tmp_path / "then.csv", "--as-of", done["since"])
    parquet = exported(data, tmp_path / "then.parquet", "--as-of", done["since"])
    called = nilometer("delete", "creek/ph", "--end", "2024-05-01T01:00Z", "--data", data, *BY)
    assert called.out.startswith("4 rows deleted; as of before ")
    now = exported(data, tmp_path / "now.csv")
    assert now.count(b"\n") == then.count(b"\n") - 4
    assert exported(data, tmp_path / "again.csv", "--as-of", done["since"]) == then
    assert exported(data, tmp_path / "again.parquet", "--as-of", done["since"]) == parquet
    called = nilometer("delete", "creek/ph", "--end", "2024-05-01T01:00Z", "--data", data, *BY)
    assert called.out == "no row lies there; nothing was deleted\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("creek/ph", *BY), "--all"),
        (("creek/ph", "--all", "--start", "2024-05-01T00:00Z", *BY), "--all"),
        (("creek/phh", "--all", *BY), "creek/ph"),
        (("creek/ph", "--all", "--by", "Li", "--reason", "whim"), "whim"),
        (("creek/ph", "--start", "noon", *BY), "noon"),
    ],
)
def test_what_cannot_be_deleted_is_said_and_nothing_happens(data, tmp_path, arguments, said):
    before = exported(data, tmp_path / "before.csv")
    called = nilometer("delete", *arguments, "--data", data)
    assert called.code in {1, 2}
    assert said in called.err
    assert exported(data, tmp_path / "after.csv") == before


def test_the_client_deletes_and_reads_the_past(server):
    client = connect(server.address, token=TOKEN)
    span = {"start": "2024-05-01T12:00Z", "end": "2024-05-01T12:30Z"}
    done = client.delete(["creek/ph", "creek/water_temperature"], by="Li", reason="other", **span)
    assert done["deleted"] == 4
    assert len(client.read("creek/ph", **span)) == 0
    then = {"as_of": done["since"]}
    number = client.read("creek/ph", "2024-05-01T12:30Z", **then)["id"][0].as_py()
    chain = client.observation(number, **then)
    assert chain["observation"]["id"] == number
    assert client.things(**then) == client.things(**then)
    assert client.datastream("creek/ph", **then)["count"] == client.datastream("creek/ph")["count"]
    assert client.datastreams(thing="creek", **then)[0]["latest"] is not None
    assert client.verdict("creek", start="2024-05-01T00:00Z", end="2024-05-02T00:00Z", **then)["start"]
    with pytest.raises(NotFound):
        client.delete(["creek/none"])
