"""A virtual device that posts its values over HTTP as JSON, and posts again what was not taken."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.links.http_push import post
from nilometer.acquisition.links.tcp import TcpLink, connect
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo, WireFault, active_fault, dialled
from nilometer.errors import ConfigError, LinkError

__all__ = ["SIMULATOR", "HttpPushSimulator"]

LONGEST_NAP_S = 0.05
REDIAL_S = 0.1
MOST_HELD = 10_000
TOKEN = "virtual-device-token"  # noqa: S105 -- of a virtual device
WIRE = (
    *(WireFault.SILENCE, WireFault.WRONG_CRC, WireFault.RESTART),
    *(WireFault.LATE, WireFault.DUPLICATE, WireFault.OUT_OF_ORDER),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HttpPushSimulator:
    """One device; meets `Simulator`. `acknowledged` counts the posts that were answered with 200.

    Parameters
    ----------
    feed : Feed
        The water, by observed property or channel key.
    clock : callable
        The present, µs since 1970 UTC.
    faults : sequence of Fault
        ``silence``, ``wrong_crc`` (bodies cut in the middle), ``restart`` (its connection is cut), ``late`` (kept
        back, and posted in one body with their own times when it ends), ``duplicate``, ``out_of_order`` (every two
        swapped), and value faults.
    host, port : str, int
        The listener.
    interval_s : float
        From post to post, in the clock's seconds.
    """

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        faults: Sequence[Fault] = (),
        *,
        host: str = "127.0.0.1",
        port: int,
        interval_s: float = 60.0,
    ) -> None:
        self._faults, value_faults = split_faults(faults, WIRE)
        self._clock, self._began = clock, clock()
        self._feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._host, self._port = host, port
        self._interval_us = max(int(interval_s * 1e6), 1000)
        self._tick = self._began
        self._held: list[dict[str, Any]] = []
        self._waiting: list[dict[str, Any]] = []
        self.acknowledged = 0

    async def start(self) -> Mapping[str, Any]:
        """Return the options of the driver that hears it."""
        return {
            "host": self._host,
            "port": self._port,
            "devices": {"virtual-1": {"token": TOKEN}},
            "routes": [{"path": "/push", "records": "values", "time": "at"}],
        }

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            if not self._active(WireFault.RESTART):
                try:
                    link = await connect(self._host, self._port)
                    try:
                        await self._connected(link)
                    finally:
                        await link.close()
                except LinkError:
                    pass
            await asyncio.sleep(REDIAL_S)

    async def _connected(self, link: TcpLink) -> None:
        while not self._active(WireFault.RESTART):
            self._look()
            if self._waiting and not self._active(WireFault.SILENCE):
                await self._post(link)
            await asyncio.sleep(min(max((self._tick - self._clock()) / 1e6, 0.001), LONGEST_NAP_S))

    def _look(self) -> None:
        now = self._clock()
        if now - self._tick > 1000 * self._interval_us:
            self._tick = now  # A clock that jumped far ahead is followed, not made up for.
        while self._tick <= now:
            record = self._record(self._tick)
            self._tick += self._interval_us
            swapped = self._active(WireFault.OUT_OF_ORDER)
            if self._active(WireFault.LATE) or (swapped and not self._held):
                self._held = [*self._held, record][-MOST_HELD:]
                continue
            self._waiting += [record, *self._held] if swapped else [*self._held, record]
            self._waiting = self._waiting[-MOST_HELD:]
            self._held = []

    async def _post(self, link: TcpLink) -> None:
        sent = list(self._waiting)
        body = json.dumps({"values": sent}).encode()
        is_spoilt = self._active(WireFault.WRONG_CRC)
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        for _ in range(2 if self._active(WireFault.DUPLICATE) else 1):
            status, _answer = await post(link, "/push", headers, body[: len(body) // 2] if is_spoilt else body)
            self.acknowledged += status == 200
        if status == 200 or is_spoilt:
            self._waiting = self._waiting[len(sent) :]

    def _record(self, tick: int) -> dict[str, Any]:
        seen = {name: item.value for name, item in self._feed.at(tick).items() if not math.isnan(item.value)}
        return {"at": (_EPOCH + timedelta(microseconds=tick)).isoformat(), **seen}

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> HttpPushSimulator:
    """Return a device; see `HttpPushSimulator` for `link`; `target` is ``host:port`` of a listener."""
    target = link.pop("target", None)
    link.pop("path", None)
    if not target:
        raise ConfigError("--connect", reason="a device that posts dials: give it HOST:PORT of the listener")
    return HttpPushSimulator(feed, clock, faults, **{**link, **dialled(str(target))})


SIMULATOR = SimulatorInfo(name="http_push", title="Device that posts JSON over HTTP", make=make)
