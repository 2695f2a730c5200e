"""The loop that serves, and how its answers leave."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading

import pytest

from nilometer.web.serving import bind, run, serve


def test_a_coroutine_runs_in_the_loop_that_serves():
    async def name():
        return type(asyncio.get_running_loop()).__module__

    assert run(name()).startswith("asyncio" if sys.platform == "win32" else "uvloop")


@pytest.mark.skipif(sys.platform == "win32", reason="asyncio's own loop sends what is written at once")
def test_an_answer_of_a_head_and_a_body_is_one_packet():
    """Otherwise a client is woken for a head with nothing behind it, and each answer costs two calls of the system."""
    listener = bind("127.0.0.1", 0)
    answers = []

    def ask():
        with socket.create_connection(listener.getsockname(), timeout=30) as client:
            for _ in range(50):
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answers.append(client.recv(65_536))
        app.over.set()

    asking = threading.Thread(target=ask)
    app = Short()
    run(app.serve_until_over(listener, asking))
    asking.join(30)
    assert len(answers) == 50
    assert all(answer.endswith(b"\r\n\r\nshort") for answer in answers)


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
