"""A virtual OPC UA server: one variable for each quantity of the water, over a wire that can fail."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.opcua_server import NAMESPACE, OpcuaServer, shared
from nilometer.acquisition.simulators.relay import Relay, Wire
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo, WireFault, active_fault
from nilometer.errors import ConfigError
from nilometer.model.properties import vocabulary

__all__ = ["SIMULATOR", "OpcuaSimulator"]

LONGEST_NAP_S = 0.05
BAD_SENSOR_FAILURE = 0x808C0000
WIRE = (WireFault.SILENCE, WireFault.WRONG_CRC, WireFault.RESTART, WireFault.LATE, WireFault.OUT_OF_ORDER)


class OpcuaSimulator:
    """One server; meets `Simulator`.

    Parameters
    ----------
    feed : Feed
        The water, by observed property or channel key.
    clock : callable
        The present, µs since 1970 UTC; SourceTimestamps are of it.
    faults : sequence of Fault
        ``silence`` (bytes are held back), ``wrong_crc`` (bytes of the server are spoilt), ``restart`` (connections are
        cut and refused), ``late`` (values come when it ends, with their own times), ``out_of_order`` (every two
        swapped), and value faults.
    port : int
        Where it listens; 0: a free port.
    interval_s : float
        From value to value, in the clock's seconds.
    keeps : bool
        Whether it keeps history.
    """

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        faults: Sequence[Fault] = (),
        *,
        port: int = 0,
        interval_s: float = 1.0,
        keeps: bool = True,
    ) -> None:
        self._faults, value_faults = split_faults(faults, WIRE)
        self._clock, self._began = clock, clock()
        self._feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._port, self._keeps = port, keeps
        self._interval_us = max(int(interval_s * 1e6), 1000)
        self._tick = self._began
        self._folder = ""
        self._server: OpcuaServer | None = None
        self._nodes: dict[str, Any] = {}
        self._held: list[tuple[str, float, int]] = []
        self._relaying: asyncio.Task[None] | None = None

    async def start(self) -> Mapping[str, Any]:
        """Listen, and return the options of the driver that hears it."""
        self._server = await asyncio.to_thread(shared)
        self._folder = self._server.free_folder("water")
        for name, reading in self._feed.at(self._clock()).items():
            unit = vocabulary()[name].unit if name in vocabulary() else None
            made = self._server.call(
                self._server.add(self._folder, name, float(reading.value), unit=unit, keeps=self._keeps)
            )
            self._nodes[name] = await asyncio.wrap_future(made)
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        relay = Relay("127.0.0.1", self._server.port, self._wire)
        self._relaying = asyncio.create_task(relay.serve(listening.set_result, port=self._port))
        # A port that is taken ends the relay, and its error is ours.
        self._relaying.add_done_callback(lambda _: listening.cancelled() or listening.done() or listening.cancel())
        try:
            self._port = await listening
        except asyncio.CancelledError:
            if self._relaying.done():
                self._relaying.result()
            raise
        nodes = [{"id": f"nsu={NAMESPACE};s={self._folder}.{name}", "key": name} for name in self._nodes]
        return {"url": f"opc.tcp://127.0.0.1:{self._port}", "nodes": nodes}

    async def run(self) -> None:
        """Serve until cancelled."""
        if self._relaying is None:
            await self.start()
        relaying = self._relaying
        if relaying is None:
            raise ConfigError("simulator", reason="it did not start")
        try:
            while True:
                await self._move_on()
                wait_s = (self._tick - self._clock()) / 1e6
                await asyncio.sleep(min(max(wait_s, 0.001), LONGEST_NAP_S))
        finally:
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)

    async def _move_on(self) -> None:
        now = self._clock()
        if now - self._tick > 1000 * self._interval_us:
            self._tick = now  # A clock that jumped far ahead is followed, not made up for.
        while self._tick <= now:
            seen = [(name, item.value, item.time or self._tick) for name, item in self._feed.at(self._tick).items()]
            self._tick += self._interval_us
            if self._active(WireFault.LATE):
                self._held = [*self._held, *seen][-10_000:]
                continue
            swapped = self._active(WireFault.OUT_OF_ORDER)
            if swapped and not self._held:
                self._held = seen
                continue
            first, then = (seen, self._held) if swapped else (self._held, seen)
            self._held = []
            await self._put([*first, *then])

    async def _put(self, seen: Sequence[tuple[str, float, int]]) -> None:
        server = self._server
        if server is None:
            return

        async def put() -> None:
            for name, value, time in seen:
                if name in self._nodes:
                    status = BAD_SENSOR_FAILURE if math.isnan(value) else 0
                    await server.put(self._nodes[name], float(value), time, status)

        await asyncio.wrap_future(server.call(put()))

    def _wire(self) -> Wire:
        for kind, wire in (
            (WireFault.RESTART, Wire.CUT),
            (WireFault.SILENCE, Wire.MUTE),
            (WireFault.WRONG_CRC, Wire.GARBLED),
        ):
            if self._active(kind):
                return wire
        return Wire.WHOLE

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> OpcuaSimulator:
    """Return a server; see `OpcuaSimulator` for `link`."""
    if "target" in link or "path" in link:
        raise ConfigError(
            "--connect", seen=link.get("target") or link.get("path"), reason="an OPC UA server is dialled"
        )
    return OpcuaSimulator(feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(name="opcua", title="OPC UA server (asyncua)", make=make)
