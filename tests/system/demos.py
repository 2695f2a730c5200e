"""A running ``nilometer demo``: start it, ask it, wait for it; every wait has an end."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.patience import PATIENCE_S
from tests.system.server import Server

T = TypeVar("T")


def start_demo(folder: Path, *arguments: str, **options: bool) -> Server:
    return Server(folder, "--no-browser", *arguments, command="demo", **options)


def get(server: Server, path: str) -> dict:
    with urllib.request.urlopen(server.address + path, timeout=30) as answer:
        return json.load(answer)


def things(server: Server) -> list[dict]:
    return get(server, "/api/v1/things")["things"]


def wait_for(what: str, ask: Callable[[], T], limit_s: float = PATIENCE_S) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + limit_s
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what}: not within {limit_s:g} s"
        time.sleep(0.25)


def wait_until_live(server: Server, number: int) -> list[dict]:
    def live() -> list[dict]:
        assert server.process.poll() is None, "".join(server.output)
        found = things(server)
        return found if [thing["state"] for thing in found].count("live") == number else []

    return wait_for(f"{number} live Things", live)


def newest(server: Server) -> dict[str, int]:
    """Return the time of the newest observation of each Datastream that has one, ms."""
    return {
        datastream["key"]: datastream["latest"]["time"]
        for thing in things(server)
        for datastream in thing["datastreams"]
        if datastream["latest"]
    }


def columns(server: Server, datastream: int, **query: object) -> dict[str, list]:
    options = "&".join(f"{name}={value}" for name, value in query.items())
    return get(server, f"/api/v1/datastreams/{datastream}/observations?{options}")["columns"]
