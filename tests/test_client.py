"""The client against a real server in a process of its own, and against what is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

import nilometer
from nilometer.client import connect
from nilometer.errors import (
    ConfigError,
    LinkError,
    NilometerError,
    NotAuthorized,
    NotFound,
    Overloaded,
    RequestError,
    StoreError,
    StoreFull,
    StoreUnwritable,
    TooLarge,
)
from nilometer.model.outcomes import outcomes_by_name
from tests.system.server import Server

TOKEN = "a-token-of-some-length"
THING = {"key": "river", "name": "River", "water_body": "river"}
PH = {"key": "river/ph", "thing": "river", "property": "ph"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("data")
    (folder / "nilometer.toml").write_text(f'[server]\ntoken = "{TOKEN}"\n', encoding="utf-8")
    server = Server(folder, is_new=True)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(server):
    client = connect(server.address, token=TOKEN)
    client.configure([THING], [PH])
    return client


def table(key, start, results):
    times = pa.array(start + 60_000_000 * np.arange(len(results))).cast(pa.timestamp("us", tz="UTC"))
    return pa.table({"datastream": [key] * len(results), "phenomenon_time": times, "result": results})


NOON = 1_714_564_800_000_000


def test_it_is_connected_to_from_the_package(server):
    client = nilometer.connect(server.address, token=TOKEN)
    assert client.status()["name"] == "nilometer"


def test_what_is_written_is_read_again(client):
    first = client.write(table("river/ph", NOON, [7.0, 7.1, 7.2]))
    assert (first["accepted"], first["rejected"]) == (3, 0)
    again = client.write(table("river/ph", NOON, [7.0, 7.1, 9.2, 7.3]))
    assert (again["unchanged"], again["revised"], again["accepted"]) == (2, 1, 1)
    rows = client.read("river/ph")
    assert rows["result"].to_pylist() == [7.0, 7.1, 9.2, 7.3]
    part = client.read("river/ph", "2024-05-01T12:01:00Z", "2024-05-01T12:03:00Z")
    assert part["result"].to_pylist() == [7.1, 9.2]
    assert client.read(1, max_points=3).num_rows >= 3


def test_hours_latest_values_and_some_columns_come_as_tables(client):
    client.configure([], [{"key": "river/turbidity", "thing": "river", "property": "turbidity"}])
    client.write(table("river/turbidity", NOON, [4.0, 8.0]))
    hours = client.rollups("river/turbidity", mean="arithmetic", start="2024-05-01T12:00:00Z")
    assert (hours["count"].to_pylist(), hours["mean"].to_pylist()) == ([2], [6.0])
    assert client.rollups("river/turbidity", "day", start=None)["max"].to_pylist() == [8.0]
    assert client.latest(property="turbidity")["result"].to_pylist() == [8.0]
    assert client.read("river/turbidity", columns="result,time").schema.names == ["phenomenon_time", "result"]


def test_what_there_is_is_listed(client):
    assert [thing["key"] for thing in client.things()] == ["river"]
    assert "river/ph" in [one["key"] for one in client.datastreams(thing="river")]
    assert client.datastreams(key="river/no") == []
    assert client.datastream("river/ph")["raw_unit"] == "1"


def test_some_rejected_rows_are_told_and_a_body_of_only_such_is_refused(client):
    half = pa.concat_tables([table("river/ph", NOON - 10**9, [7.0]), table("river/phh", NOON, [7.0])])
    answer = client.write(half)
    assert (answer["accepted"], answer["rejected"]) == (1, 1)
    assert "did you mean river/ph" in answer["errors"][0]["reason"]
    with pytest.raises(RequestError, match=r"row 0: 2 rows rejected; first: no Datastream 'x/y'"):
        client.write(table("x/y", NOON, [1.0, 2.0]))


def test_refusals_are_the_servers_errors_with_their_place(client, server):
    with pytest.raises(NotFound, match="river/phh"):
        client.read("river/phh")
    with pytest.raises(RequestError, match="yesterday"):
        client.read("river/ph", "yesterday")
    with pytest.raises(RequestError, match="did you mean river/ph") as caught:
        client.configure([], [{**PH, "profile": "river/phh"}])
    assert caught.value.place == "datastream[0].profile"
    assert not isinstance(caught.value, ConfigError)
    with pytest.raises(NotAuthorized, match="token"):
        connect(server.address).write(table("river/ph", NOON, [7.0]))


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://h:99999", "http://h:x", "http://[::1", "http://h:0"],
)
def test_an_address_that_is_none_is_refused_at_once(url):
    with pytest.raises(RequestError, match="is not an address such as http://127"):
        connect(url)


def test_a_server_that_is_not_there_is_a_link_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(LinkError, match="the server does not answer") as caught:
            connect(url, timeout_s=5).status()
    assert caught.value.link == url
    assert caught.value.retryable


class Stranger:
    """Answers every request with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        peer, _ = self._listener.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(self._answer)

    def close(self):
        self._thread.join()
        self._listener.close()


@pytest.fixture
def stranger():
    made = []

    def answer(status: str, body: bytes):
        made.append(Stranger(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body))
        return connect(made[-1].url, timeout_s=10)

    yield answer
    for one in made:
        one.close()


def test_a_stranger_that_answers_is_told_from_a_server_of_ours(stranger):
    for call in (
        lambda: stranger("200 OK", b"<html>a router</html>").status(),
        lambda: stranger("200 OK", b"[1, 2]").status(),
        lambda: stranger("200 OK", b"<html>").read("river/ph"),
    ):
        with pytest.raises(LinkError, match="no nilometer server"):
            call()


def test_an_answer_that_is_cut_off_is_a_link_error():
    one = Stranger(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{")
    with pytest.raises(LinkError):
        connect(one.url, timeout_s=10).status()
    one.close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        ("507 Full", b'{"error": {"message": "the disk is full"}}', StoreFull, "the disk is full"),
        ("503 Busy", b'{"error": {"message": "rows wait"}}', Overloaded, "rows wait"),
        ("503 No", b'{"error": {"code": "store_unwritable", "message": "it fails"}}', StoreUnwritable, "it fails"),
        ("413 Large", b"", TooLarge, "HTTP 413"),
        ("500 Oops", b"boom", StoreError, "boom"),
        ("502 Bad", b"[]", StoreError, "[]"),
        ("400 Bad", b'{"error": "x"}', RequestError, "error"),
        ("404 No", b"\xff\xfe", NotFound, "�"),
        ("400 Bad", b'{"rejected": 3}', RequestError, "3 rows rejected"),
    ],
)
def test_each_status_is_an_error_of_its_own(stranger, status, body, kind, said):
    with pytest.raises(NilometerError) as caught:
        stranger(status, body).status()
    assert type(caught.value) is kind
    assert said in str(caught.value)


def test_rows_bring_what_their_digits_stand_for_and_the_profile_is_a_call_away(client):
    start = NOON + 86_400_000_000 * 20
    client.write(table("river/ph", start, [7.0, 7.1, 19.0, 7.1, 7.0]))
    rows = client.read("river/ph", start="2024-05-21T12:00:00Z")
    outcomes = outcomes_by_name(rows)
    assert outcomes["gross_range"].tolist() == [1, 1, 4, 1, 1]
    profile = client.profile(rows["profile_id"][0].as_py())
    assert (profile["name"], profile["version"]) == ("river/ph", rows["profile_version"][0].as_py())
    assert profile["document"]["tests"]["gross_range"]["fail"] == [2, 12]
    assert profile["document"]["slots"] == rows["test_names"][0].as_py().split(";")
    with pytest.raises(NotFound):
        client.profile(10**6)


def test_frames_tell_unit_property_and_moment(client):
    client.configure([], [{"key": "river/dissolved_oxygen", "thing": "river", "property": "dissolved_oxygen"}])
    client.write(table("river/dissolved_oxygen", NOON, [8.0, 8.5, 9.0]))
    moment = "2100-01-01T00:00:00Z"
    frame = client.pandas("river/dissolved_oxygen", as_of=moment)
    assert frame["result"].tolist() == [8.0, 8.5, 9.0]
    assert frame.index[1].isoformat() == "2024-05-01T12:01:00+00:00"
    assert frame.attrs["as_of"] == moment
    assert (frame.attrs["unit"], frame.attrs["observed_property"]) == ("mg L-1", "dissolved_oxygen")
    rows = client.polars("river/dissolved_oxygen", "2024-05-01T12:01:00Z", as_of=moment, columns="result")
    assert rows.columns == ["phenomenon_time", "result"]
    assert rows["result"].to_list() == [8.5, 9.0]


def test_a_dataset_reads_what_is_used_a_chunk_at_a_time_and_as_of_one_moment(client, monkeypatch):
    client.configure([], [{"key": "river/chlorophyll_a", "thing": "river", "property": "chlorophyll_a"}])
    values = 1.0 + np.arange(1000) % 90 / 10
    client.write(table("river/chlorophyll_a", NOON, values))
    moment = _shown(client, "river/chlorophyll_a", 1000)
    asked = []
    read = client.read
    monkeypatch.setattr(client, "read", lambda *a, **k: asked.append(k["columns"]) or read(*a, **k))
    data = client.xarray(["river/chlorophyll_a", "river/ph"], as_of=moment, chunk_rows=100)
    assert asked == ["phenomenon_time", "phenomenon_time"]
    assert data.attrs["as_of"] == moment
    assert data["river_chlorophyll_a"].attrs["units"] == "ug L-1"
    client.write(table("river/chlorophyll_a", NOON, values + 1))
    client.write(table("river/chlorophyll_a", NOON + 10**12, [5.0]))
    series = data["river_chlorophyll_a"]
    assert series[250].item() == values[250]
    span = series.sel(river_chlorophyll_a_time=slice("2024-05-01T15:00", "2024-05-01T18:00"))
    assert span.values.tolist() == values[180:361].tolist()
    assert len(asked) == 2 + 3, "chunks 1, 2 and 3; the flags are not asked for again"
    assert data["river_chlorophyll_a_qartod_rollup"][250].dtype == np.int8
    assert len(asked) == 2 + 3
    assert series.values.tolist() == values.tolist()


def _shown(client, key, rows):
    """Return a moment as of which so many rows show: seconds are told apart, and this one has to end."""
    while len(client.read(key, as_of=(moment := client._moment({})), columns="result")) < rows:
        pass
    return moment
