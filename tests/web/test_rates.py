"""No client takes what others need: too many requests, bytes or heavy queries of one are refused, for a while."""

from __future__ import annotations

import httpx
import pytest

from nilometer.config import RateLimitConfig
from nilometer.errors import RateLimited
from nilometer.web.rates import SAVED_S, Rates, asking
from nilometer.web.sensorthings.answers.limits import Gate
from tests.web.conftest import NOON, open_station


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def rates(clock, **limits):
    return Rates(RateLimitConfig(**limits), clock)


def test_what_is_not_asked_for_is_saved_up_and_no_more_than_that():
    clock = Clock()
    known = rates(clock, requests_per_s=2).of_address("10.0.0.1")
    for _ in range(int(2 * SAVED_S)):
        known.ask()
    with pytest.raises(RateLimited, match=r"10\.0\.0\.1 .* 2 requests a second \(server\.rate_limit\.requests") as told:
        known.ask()
    assert told.value.wait_s == pytest.approx(0.5)
    clock.now += told.value.wait_s
    known.ask()
    with pytest.raises(RateLimited):
        known.ask()
    clock.now += 1000.0
    for _ in range(int(2 * SAVED_S)):
        known.ask()
    with pytest.raises(RateLimited):
        known.ask()


def test_a_large_answer_is_sent_and_paid_for_afterwards():
    clock = Clock()
    known = rates(clock, bytes_per_s=100).of_address("10.0.0.1")
    known.ask()
    assert known.spend(size=1500) == pytest.approx(10.0)
    with pytest.raises(RateLimited, match="bytes_per_s") as told:
        known.ask()
    assert told.value.wait_s == pytest.approx(10.0)
    clock.now += 10.0
    known.ask()


def test_a_client_is_an_address_a_network_of_ipv6_or_what_a_proxy_beside_us_says():
    known = rates(Clock(), requests_per_s=1)

    def of(address, said=None):
        headers = [] if said is None else [(b"x-forwarded-for", said.encode())]
        return known.of_request({"client": (address, 1), "headers": headers}).client

    assert of("10.0.0.1") == of("10.0.0.1", "1.2.3.4") == "10.0.0.1"
    assert of("127.0.0.1", "6.6.6.6, 1.2.3.4") == "1.2.3.4"
    assert of("127.0.0.1") == "127.0.0.1"
    assert of("2001:db8::1") == of("2001:db8::2") != of("2001:db8:0:1::1")
    assert rates(Clock()).of_address("10.0.0.1") is None
    for n in range(20_000):
        known.of_address(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(known._known) == 10_000


def test_heavy_queries_of_one_client_leave_room_for_others():
    known = rates(Clock(), heavy_queries=1)
    gate = Gate(2)
    one, other = known.of_address("10.0.0.1"), known.of_address("10.0.0.2")
    asking.set(one)
    first = gate.enter()
    with pytest.raises(RateLimited, match="heavy_queries"):
        gate.enter()
    assert gate.inside == 1
    asking.set(other)
    gate.leave(gate.enter())
    gate.leave(first)
    asking.set(one)
    gate.leave(gate.enter())
    asking.set(None)


async def test_a_server_refuses_with_429_and_says_when_and_which_limit(tmp_path):
    limits = {"requests_per_s": 0.2, "bytes_per_s": 10_000}
    async with open_station(tmp_path, server={"rate_limit": limits}) as station:
        await station.json("/v1.1/Things")
        answer = await station.client.get("/v1.1/Things")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert answer.json()["error"]["code"] == "rate_limited"
        assert "server.rate_limit.requests_per_s" in answer.json()["error"]["message"]
        assert (await station.client.get("/health")).status_code == 200
        transport = httpx.ASGITransport(app=station.app, client=("10.0.0.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://station") as other:
            assert (await other.get("/v1.1/Things")).status_code == 200


async def test_parts_of_a_batch_and_bytes_of_bodies_and_answers_count(tmp_path):
    async with open_station(tmp_path, server={"rate_limit": {"requests_per_s": 1, "bytes_per_s": 1000}}) as station:
        parts = [{"id": str(n), "method": "GET", "url": "Things(1)/name"} for n in range(20)]
        assert (await station.client.post("/v1.1/$batch", json={"requests": parts})).status_code == 200
        told = (await station.client.get("/v1.1/Things")).json()["error"]["message"]
        assert "requests_per_s" in told
    async with open_station(tmp_path, server={"rate_limit": {"bytes_per_s": 1000}}) as station:
        await station.ingest("river/ph", NOON, [7.0] * 50)
        assert (await station.client.get("/v1.1/Observations?$top=50")).status_code == 200
        answer = await station.client.post("/api/v1/observations", content=b"x")
        assert (answer.status_code, "bytes_per_s" in answer.json()["error"]["message"]) == (429, True)
