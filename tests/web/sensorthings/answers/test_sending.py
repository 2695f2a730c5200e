"""Answers in pieces, with a client that is driven by hand: what it takes, and when it hangs up."""

from __future__ import annotations

import asyncio
import gc
import weakref

import msgspec
import pytest

from nilometer.errors import Overloaded
from nilometer.web.exchange import ClientGone, Exchange
from nilometer.web.sensorthings import observations, service
from nilometer.web.sensorthings.answers import limits, observation_answers
from nilometer.web.sensorthings.answers.limits import Deadline, Gate
from nilometer.web.sensorthings.answers.sending import Pieces, send
from tests.web.conftest import NOON

ROWS = 3000


class Client:
    """Takes pieces while it is open, and hangs up when told."""

    def __init__(self):
        self.taken, self.open, self.gone = [], asyncio.Event(), asyncio.Event()
        self.waiting = asyncio.Event()
        self.open.set()

    def exchange(self, path="/"):
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"x")],
        }
        return Exchange(scope, self.receive, self.send)

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if not self.open.is_set():
            self.waiting.set()
        await self.open.wait()
        self.taken.append(message)

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.taken)


def endless(told):
    try:
        while True:
            told.append(1)
            yield b"x" * 10
    finally:
        told.append("closed")


@pytest.fixture
def small(monkeypatch):
    """Make a few rows many: what streams, and what is heavy."""
    monkeypatch.setattr(observation_answers, "_AT_ONCE", 10)
    for module in (observations, service, limits):
        monkeypatch.setattr(module, "HEAVY_ROWS", 100)


async def ask(station, client, query, **options):
    exchange = client.exchange(f"/v1.1/Datastreams({station.id('sea/free')})/Observations?{query}")
    raw = exchange.path[len("/v1.1/") :].encode()
    answer = station.app.sensorthings._get(raw, exchange.query, "http://x/v1.1", "http://x/api/v1")
    assert isinstance(answer, Pieces)
    await send(exchange, answer, **options)


async def test_a_client_that_takes_nothing_is_cut_and_no_more_is_made_than_it_took():
    client, made = Client(), []
    client.open.clear()
    with pytest.raises(ClientGone):
        await send(client.exchange(), Pieces(endless(made), "text/plain"), silence_s=0)
    assert made[-1] == "closed"
    assert len(made) <= 3, "one on its way, one in the making"


async def test_a_client_that_takes_for_ever_is_cut():
    client, made = Client(), []
    with pytest.raises(ClientGone):
        await send(client.exchange(), Pieces(endless(made), "text/plain"), whole_s=0)
    assert made[-1] == "closed"
    assert client.taken[-1].get("more_body", True), "an answer that was cut does not look whole"


async def test_a_client_that_hangs_up_frees_the_rows_and_the_gate(station, small):
    await station.ingest("sea/free", NOON, [1.0] * ROWS)
    gate, client = station.app.sensorthings.service.gate, Client()
    seen = []
    snapshot = station.pipeline.store.snapshot
    station.pipeline.store.snapshot = lambda *moment: seen.append(snapshot(*moment)) or seen[-1]
    client.open.clear()
    sending = asyncio.ensure_future(ask(station, client, f"$top={ROWS}&$resultFormat=dataArray"))
    await client.waiting.wait()
    assert gate.inside == 1
    client.gone.set()
    client.open.set()
    with pytest.raises(ClientGone):
        await sending
    assert gate.inside == 0
    (held,) = [weakref.ref(one) for one in seen]
    seen.clear()
    del sending
    station.pipeline.store.snapshot = snapshot
    await station.ingest("sea/free", NOON, [2.0])  # the store lets go of it too
    gc.collect()
    assert held() is None


async def test_more_heavy_queries_than_are_let_in_are_refused_and_others_are_not(station, small):
    await station.ingest("sea/free", NOON, [1.0] * ROWS)
    gate = station.app.sensorthings.service.gate
    path = f"/v1.1/Datastreams({station.id('sea/free')})/Observations?"
    for _ in range(limits.MOST_HEAVY):
        gate.enter()
    for query in (
        f"$top={ROWS}&$resultFormat=dataArray",
        "$resultFormat=CSV",
        "$filter=result add 1 gt 1",
        "$orderby=result",
    ):
        answer = await station.client.get(path + query)
        assert answer.status_code == 503, query
        assert int(answer.headers["retry-after"]) > 0
        assert "Observations" in answer.json()["error"]["message"]
    assert len((await station.json(path + "$top=7"))["value"]) == 7
    gate.leave(None)
    answer = await station.client.get(f"{path}$top={ROWS}&$resultFormat=dataArray")
    assert msgspec.json.decode(answer.content)["value"][0]["dataArray@iot.count"] == ROWS
    assert gate.inside == limits.MOST_HEAVY - 1


async def test_a_query_that_takes_too_long_is_ended_and_says_what_would_help(station, monkeypatch):
    await station.ingest("sea/free", NOON, [1.0] * 10)
    monkeypatch.setattr(observations, "MOST_SECONDS", -1.0)
    path = f"/v1.1/Datastreams({station.id('sea/free')})/Observations?$filter=result add 1 gt 1"
    answer = await station.client.get(path)
    assert answer.status_code == 503
    assert "phenomenonTime" in answer.json()["error"]["message"]


async def test_what_streams_is_what_is_answered_at_once(station, monkeypatch):
    await station.ingest("sea/free", NOON, [1.0 + n for n in range(40)])
    await station.ingest("river/ph", NOON, [7.0, 7.1])
    for query in (
        "$resultFormat=dataArray&$top=41&$count=true",
        "$resultFormat=CSV",
        "$top=39",
        "$orderby=result&$top=40",
    ):
        whole = await station.client.get(f"/v1.1/Observations?{query}")
        with monkeypatch.context() as patch:
            patch.setattr(observation_answers, "_AT_ONCE", 0)
            streamed = await station.client.get(f"/v1.1/Observations?{query}")
        assert "content-length" in whole.headers
        assert "content-length" not in streamed.headers
        assert streamed.content == whole.content
        head = await station.client.head(f"/v1.1/Observations?{query}")
        assert (head.status_code, head.content) == (200, b"")


async def test_what_streams_is_whole_in_a_batch_too(station, monkeypatch):
    await station.ingest("sea/free", NOON, [1.0, 2.0, 3.0])
    path = "Observations?$resultFormat=dataArray&$select=result"
    monkeypatch.setattr(observation_answers, "_AT_ONCE", 0)
    body = {"requests": [{"id": "1", "method": "get", "url": path}]}
    answer = await station.client.post("/v1.1/$batch", json=body)
    (one,) = answer.json()["responses"]
    assert one["status"] == 200
    document = one["body"] if isinstance(one["body"], dict) else msgspec.json.decode(one["body"])
    assert document["value"][0]["dataArray"] == [[1.0], [2.0], [3.0]]


def test_a_gate_counts_out_whatever_becomes_of_the_pieces():
    gate = Gate(1)
    pieces = gate.pass_through(iter([b"a", b"b"]))
    assert gate.inside == 0, "not before anything is asked of it"
    next(pieces)
    with pytest.raises(Overloaded, match="1 queries"):
        next(gate.pass_through([b"c"]))
    pieces.close()
    assert gate.inside == 0
    Deadline(5, clock=lambda: 0).check()
