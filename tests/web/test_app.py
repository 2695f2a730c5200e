from __future__ import annotations

import asyncio
import pickle
import re
from pathlib import Path

import pytest

from nilometer import errors
from nilometer.errors import NilometerError, RequestError, StoreFull, TooLarge
from nilometer.web.exchange import Budget, ClientGone, Exchange
from nilometer.web.pages import Pages
from nilometer.web.statuses import STATUS, error_document, status_of
from tests.web.conftest import open_station


def every_error(kind=NilometerError):
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from every_error(child)


@pytest.mark.parametrize("kind", sorted(set(every_error()), key=lambda kind: kind.__name__))
def test_every_error_has_a_status_and_a_document(kind):
    error = kind.__new__(kind, "what failed")
    error.args = ("what failed",)
    assert 400 <= status_of(error) < 600
    assert error_document(error)["error"]["code"]


def test_an_error_document_says_the_place_once():
    document = error_document(RequestError("no such column", place="line 1"))["error"]
    assert document == {"code": "request_error", "message": "no such column", "place": "line 1"}
    assert status_of(pickle.loads(pickle.dumps(TooLarge("x", place="byte 3")))) == 413
    assert status_of(StoreFull("full")) == 507
    assert status_of(errors.StoreUnwritable("it fails")) == 503


POST = {"type": "http", "method": "POST", "path": "/", "headers": []}


def exchange(*messages, headers=()):
    waiting = list(messages)

    async def receive():
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message):
        raise AssertionError(message)

    return Exchange({**POST, "headers": list(headers)}, receive, send)


def part(body, *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_parts_is_one_body_and_is_counted():
    budget = Budget(100)
    assert await exchange(part(b"ab", more=True), part(b"cd")).body(10, budget) == b"abcd"
    assert budget.held == 4


async def test_a_body_over_the_limit_is_refused_and_nothing_stays_held():
    budget = Budget(100)
    with pytest.raises(TooLarge):
        await exchange(part(b"x" * 6, more=True), part(b"x" * 6)).body(10, budget)
    assert budget.held == 0
    with pytest.raises(TooLarge):
        await exchange(headers=[(b"content-length", b"11")]).body(10)


async def test_a_body_that_stops_is_refused(monkeypatch):
    monkeypatch.setattr("nilometer.web.exchange.SILENCE_S", 0.01)  # nobody waits twenty seconds for a test
    budget = Budget(100)
    with pytest.raises(RequestError, match="stopped after 3 bytes"):
        await exchange(part(b"abc", more=True)).body(10, budget)
    assert budget.held == 0


async def test_a_body_that_comes_slowly_is_waited_for():
    parts = asyncio.Queue()
    reading = asyncio.create_task(Exchange(POST, parts.get, None).body(10))
    for piece in (part(b"ab", more=True), part(b"cd", more=True), part(b"", more=False)):
        await settle()  # it waits
        parts.put_nowait(piece)
    assert await reading == b"abcd"


async def test_a_request_that_is_cancelled_while_its_body_comes_ends_at_once():
    ended = asyncio.Event()

    async def receive():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    budget = Budget(100)
    reading = asyncio.create_task(Exchange(POST, receive, None).body(10, budget))
    await settle()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert ended.is_set()


async def settle():
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_of_a_header_that_comes_twice_the_first_counts():
    twice = exchange(headers=[(b"content-type", b"text/csv"), (b"content-type", b"application/json")])
    assert twice.media_type == "text/csv"


@pytest.mark.parametrize(
    ("client", "said", "scheme"),
    [
        (("127.0.0.1", 5), b"https", "https"),
        (("127.0.0.1", 5), b"gopher", "http"),
        (("10.0.0.7", 5), b"https", "http"),
        (None, b"https", "http"),
    ],
)
def test_only_a_proxy_on_this_machine_says_the_scheme(client, said, scheme):
    headers = [(b"host", b"water.example"), (b"x-forwarded-proto", said)]
    assert Exchange({**POST, "client": client, "headers": headers}, None, None).root == f"{scheme}://water.example"


@pytest.mark.parametrize(
    ("client", "said", "root"),
    [
        ("127.0.0.1", {"host": "a.example:8443, inner", "proto": "https, http"}, "https://a.example:8443"),
        ("127.0.0.1", {"host": "a.example", "prefix": "/water/"}, "http://a.example/water"),
        ("127.0.0.1", {"host": "[2001:db8::1]:80"}, "http://[2001:db8::1]:80"),
        ("127.0.0.1", {"host": 'a"<b>', "prefix": "//evil"}, "http://inner:8080"),
        ("10.0.0.7", {"host": "a.example", "prefix": "/water"}, "http://inner:8080"),
    ],
)
def test_a_proxy_on_this_machine_says_what_the_client_addressed(client, said, root):
    headers = [(b"host", b"inner:8080"), *((f"x-forwarded-{name}".encode(), said[name].encode()) for name in said)]
    assert Exchange({**POST, "client": (client, 5), "headers": headers}, None, None).root == root


async def test_a_client_that_hangs_up_is_gone():
    with pytest.raises(ClientGone):
        await exchange(part(b"abc", more=True), {"type": "http.disconnect"}).body(10)


async def test_bodies_beyond_the_budget_wait_outside():
    budget = Budget(5)
    await exchange(part(b"abcd")).body(10, budget)
    with pytest.raises(errors.Overloaded):
        await exchange(part(b"efgh")).body(10, budget)


async def test_health_and_metrics_name_damage_of_the_store(tmp_path):
    async with open_station(tmp_path) as station:
        document = await station.json("/health")
        assert (document["status"], document["damage"]) == ("ok", [])
        station.pipeline.store._journal.damage.append("journal: record 4 is damaged")
        assert (await station.json("/health"))["damage"] == ["journal: record 4 is damaged"]
        assert (await station.json("/api/v1/status"))["damage"] == ["journal: record 4 is damaged"]
        text = (await station.client.get("/metrics")).text
        assert "nilometer_store_damage 1.0" in text
        assert "nilometer_journal_bytes 4096.0" in text or "nilometer_journal_bytes 0.0" in text


async def test_health_and_metrics_name_a_seal_that_failed_until_one_succeeds(tmp_path):
    async with open_station(tmp_path) as station:
        store = station.pipeline.store
        store.mark()  # there is something to seal
        store.on_step = refuse
        with pytest.raises(StoreFull):
            store.seal()
        assert (await station.json("/health"))["seal_error"] == "the disk is full"
        assert "nilometer_seal_failed 1.0" in (await station.client.get("/metrics")).text
        store.on_step = lambda _step: None
        store.seal()
        assert (await station.json("/health"))["seal_error"] == ""
        assert "nilometer_seal_failed 0.0" in (await station.client.get("/metrics")).text


async def test_health_and_metrics_name_a_compaction_that_failed_until_one_succeeds(tmp_path):
    async with open_station(tmp_path) as station:
        store = station.pipeline.store
        steps = ((refuse, "the disk is full"), (break_down, "MemoryError: no more"), (lambda _step: None, ""))
        for step, error in steps:
            store.on_step = step
            assert (await station.client.post("/api/v1/compact")).status_code == 202
            while (await station.json("/api/v1/compact"))["asked"]:
                pass
            document = await station.json("/health")
            assert (document["status"], document["compaction_error"]) == ("ok", error)
            assert (await station.json("/api/v1/compact"))["error"] == error
            text = (await station.client.get("/metrics")).text
            assert f"nilometer_compaction_failed {float(bool(error))}" in text


def refuse(step):
    """Refuse every step of a seal or a compaction, as a full disk does."""
    if step.startswith(("seal.", "compact.")):
        raise StoreFull("the disk is full")


def break_down(step):
    """Fail in a way that nobody has thought of."""
    if step.startswith("compact."):
        raise MemoryError("no more")


async def test_a_token_is_asked_for_everywhere_but_at_health(tmp_path):
    async with open_station(tmp_path, token="a-long-secret-token") as station:
        await station.json("/health")
        for path in ("/", "/v1.1", "/api/v1/status", "/api/v1/live", "/metrics", "/docs", "/openapi.json"):
            answer = await station.client.get(path)
            assert answer.status_code == 401, path
        for given, status in (("Bearer a-long-secret-token", 200), ("Bearer wrong", 401), ("Basic x", 401)):
            answer = await station.client.get("/v1.1", headers={"authorization": given})
            assert answer.status_code == status
        answer = await station.client.get("/things/river?lang=zh&token=a-long-secret-token")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/things/river?lang=zh"
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert (await station.client.get("/v1.1")).status_code == 200  # the cookie


async def test_a_page_of_another_origin_may_not_write(station):
    body = {"result": 1}
    path = "/v1.1/Datastreams(1)/Observations"
    answer = await station.client.post(path, json=body, headers={"origin": "http://elsewhere"})
    assert answer.status_code == 401
    answer = await station.client.post(path, json=body, headers={"origin": "http://station"})
    assert answer.status_code == 201


TOKEN = "a-long-secret-token"


async def test_a_page_of_a_named_origin_may_read_and_write(tmp_path):
    page, path = "https://dashboard.example.org", "/v1.1/Datastreams(1)/Observations"
    async with open_station(tmp_path, TOKEN, server={"origins": [page]}) as station:
        asked = {
            "origin": page,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        }
        answer = await station.client.options(path, headers=asked)  # a browser asks without the token
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-headers"] == "authorization"
        assert "POST" in answer.headers["access-control-allow-methods"]
        known = {"origin": page, "authorization": f"Bearer {TOKEN}"}
        answer = await station.client.post(path, json={"result": 7}, headers=known)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, page)
        assert "location" in answer.headers["access-control-expose-headers"]
        answer = await station.client.get("/v1.1/Things", headers={"origin": page})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, page)
        for other in ("https://elsewhere.example.org", "null"):
            answer = await station.client.get("/v1.1/Things", headers=known | {"origin": other})
            assert "access-control-allow-origin" not in answer.headers
            answer = await station.client.post(path, json={"result": 7}, headers=known | {"origin": other})
            assert answer.status_code == 401


async def test_the_interface_is_served_with_history_fallback(tmp_path, station):
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>page", encoding="utf-8")
    (folder / "assets" / "app-Ab3dEf9h.js").write_text("1", encoding="utf-8")
    station.app._pages = Pages(folder)
    for path in ("/", "/things/river", "/datastreams/river/ph", "/things/a.b", "/anything"):
        answer = await station.client.get(path)
        assert (answer.status_code, answer.text) == (200, "<!doctype html>page"), path
        assert answer.headers["cache-control"] == "no-cache"
    asset = await station.client.get("/assets/app-Ab3dEf9h.js")
    assert "immutable" in asset.headers["cache-control"]
    assert asset.headers["content-type"].startswith("text/javascript")
    again = await station.client.get("/assets/app-Ab3dEf9h.js", headers={"if-none-match": asset.headers["etag"]})
    assert again.status_code == 304
    assert (await station.client.get("/assets/gone.js")).status_code == 404
    assert (await station.client.get("/../../pyproject.toml")).status_code == 404
    assert (await station.client.post("/")).status_code == 405


async def test_without_a_built_interface_the_page_says_so(tmp_path, station):
    station.app._pages = Pages(tmp_path / "nothing")
    assert "not built" in (await station.client.get("/")).text


def test_every_refusal_has_a_word_of_the_chinese_interface():
    texts = (Path(__file__).parents[2] / "ui" / "src" / "lib" / "messages.ts").read_text(encoding="utf-8")
    codes = [re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in STATUS]
    assert len(codes) > 10
    assert [code for code in codes if f"'refusal.{code}'" not in texts] == []
