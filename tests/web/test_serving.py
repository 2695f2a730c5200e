"""The loop that serves, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading

import pytest

from nilometer.web.framing import MOST_BYTES
from nilometer.web.serving import THREADS, bind, run, serve
from tests.patience import PATIENCE_S


def test_a_coroutine_runs_in_the_loop_that_serves():
    async def name():
        return type(asyncio.get_running_loop()).__module__

    assert run(name()).startswith("asyncio" if sys.platform == "win32" else "uvloop")


def test_more_may_wait_at_a_time_than_a_machine_has_cores():
    all_there = threading.Barrier(THREADS)

    async def wait_for_each_other():
        await asyncio.gather(*(asyncio.to_thread(all_there.wait, PATIENCE_S) for _ in range(THREADS)))

    run(wait_for_each_other())


def test_requests_on_one_connection_are_answered_until_a_signal_ends_it():
    listener = bind("127.0.0.1", 0)
    answers = []

    def ask():
        with socket.create_connection(listener.getsockname(), timeout=30) as client, client.makefile("rb") as heard:
            for _ in range(50):
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                head = list(iter(heard.readline, b"\r\n"))
                answers.append((head[0], heard.read(5)))
        app.over.set()

    asking = threading.Thread(target=ask)
    app = Short()
    run(app.serve_until_over(listener, asking))
    asking.join(30)
    assert answers == [(b"HTTP/1.1 200 OK\r\n", b"short")] * 50


def test_a_connection_that_never_ends_its_head_is_given_up_and_others_are_served(monkeypatch):
    monkeypatch.setattr("nilometer.web.waiting.HEAD_S", 0.3)
    listener = bind("127.0.0.1", 0)
    whole, half = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX"
    heard = {}

    def ask():
        clients = {
            name: socket.create_connection(listener.getsockname(), timeout=30) for name in ("none", "half", "next")
        }
        files = {name: client.makefile("rb") for name, client in clients.items()}
        clients["half"].sendall(half)
        clients["next"].sendall(whole)
        assert list(iter(files["next"].readline, b"\r\n"))
        assert files["next"].read(5) == b"short"
        clients["next"].sendall(half)
        for name, client in clients.items():
            with client, files[name]:
                heard[name] = files[name].read()
        with socket.create_connection(listener.getsockname(), timeout=30) as other, other.makefile("rb") as told:
            other.sendall(whole)
            heard["other"] = told.readline()
        app.over.set()

    asking = threading.Thread(target=ask)
    app = Short()
    run(app.serve_until_over(listener, asking))
    asking.join(30)
    assert heard["other"] == b"HTTP/1.1 200 OK\r\n"
    assert heard["none"].startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert heard["none"] == heard["half"] == heard["next"]


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b"x" * (4 * MOST_BYTES)


@pytest.mark.skipif(sys.platform == "win32", reason="the parser there has a limit of its own")
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ([HEAD, b"X: ", BODY, BODY, b"\r\n\r\n"], b"HTTP/1.1 431 "),
        ([b"GET /", BODY, BODY], b"HTTP/1.1 431 "),
        ([HEAD, b"a: b\r\n" * MOST_BYTES], b"HTTP/1.1 431 "),
        ([CHUNKED, b"1\r\nx\r\n0\r\nT: ", BODY, BODY, b"\r\n\r\n"], b"HTTP/1.1 200 "),
        ([CHUNKED, b"1;", BODY, BODY, b"\r\n"], b"HTTP/1.1 200 "),
    ],
)
def test_a_head_or_a_trailer_that_does_not_end_ends_its_connection(sent, answer):
    # Of bytes that nobody reads the system may make a reset, which takes an answer along that is under way.
    heard, other = conversation(sent, lambda told: told.read())
    assert heard.startswith(answer) or not heard
    assert other == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        [HEAD, b"Content-Length: %d\r\n\r\n" % len(BODY), BODY],
        [CHUNKED, b"1\r\nx\r\n" * MOST_BYTES, b"0\r\n\r\n"],
        [HEAD, b"X: ", BODY[: MOST_BYTES // 2], b"\r\nContent-Length: 1\r\n\r\nx"],
        [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 9000],
    ],
)
def test_bodies_and_requests_in_a_row_are_not_counted_with_heads(sent):
    heard, other = conversation(sent, lambda told: told.readline())
    assert heard == other == b"HTTP/1.1 200 OK\r\n"


def conversation(sent, hear):
    """Return what is heard after some bytes, and the first line of an answer on another connection after that."""
    listener, heard = bind("127.0.0.1", 0), []

    def ask():
        with socket.create_connection(listener.getsockname(), timeout=30) as client, client.makefile("rb") as told:
            try:
                for piece in sent:
                    client.sendall(piece)
                heard.append(hear(told))
            except ConnectionError:
                heard.append(b"")
        with socket.create_connection(listener.getsockname(), timeout=30) as other, other.makefile("rb") as told:
            other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            heard.append(told.readline())
        app.over.set()

    asking = threading.Thread(target=ask)
    app = Short()
    run(app.serve_until_over(listener, asking))
    asking.join(30)
    return heard


class Short:
    """Answers everything with one word."""

    def __init__(self):
        self.over = threading.Event()

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"short"})

    async def serve_until_over(self, listener, asking):
        serving = asyncio.create_task(serve(self, listener, ready=asking.start))
        await asyncio.to_thread(self.over.wait, 30)
        signal.raise_signal(signal.SIGTERM)
        await serving
