"""A virtual publisher: a LoRaWAN network server, a SensorThings client, a Sparkplug B edge node or a JSON device.

It speaks through a real broker: the one of `target`, or a Mosquitto of its own, which its ``restart`` ends and starts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.links.mqtt import Broker, MqttLink, open_mqtt
from nilometer.acquisition.protocols.mqtt import Will
from nilometer.acquisition.simulators.disorder import DISORDERLY, Disorder
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.mosquitto import Mosquitto
from nilometer.acquisition.simulators.mqtt_messages import Messages
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo, WireFault, active_fault, dialled
from nilometer.errors import LinkError

__all__ = ["SIMULATOR", "MqttSimulator"]

LONGEST_NAP_S = 0.05
REDIAL_S = 0.1
WIRE = (*(kind for kind in DISORDERLY if kind != WireFault.SWAPPED_WORDS), WireFault.COUNTER_RESTART)


class MqttSimulator:
    """One publisher; meets `Simulator`.

    Parameters
    ----------
    feed : Feed
        The water, by observed property or channel key.
    clock : callable
        The present, µs since 1970 UTC; its pace is the publisher's.
    faults : sequence of Fault
        ``silence``, ``wrong_crc`` (payloads cut in the middle), ``restart``, ``late``, ``duplicate`` and
        ``out_of_order`` (see `Disorder`), ``counter_restart``, and value faults.
    host, port : str, int
        The broker; port 0: one of our own.
    form, device : str
        See `Messages`.
    interval_s : float
        From message to message, in the clock's seconds.
    """

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        faults: Sequence[Fault] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        form: str = "ttn",
        device: str = "virtual-1",
        interval_s: float = 10.0,
    ) -> None:
        self._faults, value_faults = split_faults(faults, WIRE)
        self._clock, self._began = clock, clock()
        self._feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._host, self._port = host, port
        self._broker: Mosquitto | None = None
        self._messages = Messages(form, device)
        self._device = device
        self._interval_us = max(int(interval_s * 1e6), 1000)
        self._tick = self._began
        self._way: Disorder[tuple[str, bytes]] = Disorder(self._faults, clock, self._began)
        self._has_restarted = False
        self.sent = 0

    async def start(self) -> Mapping[str, Any]:
        """Start a broker where none is given, and return the options of the driver that hears it."""
        if self._port == 0:
            self._broker = Mosquitto()
            self._port = self._broker.port
            await asyncio.to_thread(self._broker.start)
        return {"host": self._host, "port": self._port, "topics": self._messages.topics}

    async def run(self) -> None:
        """Publish until cancelled."""
        if self._port == 0:
            await self.start()
        try:
            while True:
                if self._active(WireFault.RESTART):
                    await self._be_away()
                with contextlib.suppress(LinkError):
                    await self._connected()
                await asyncio.sleep(REDIAL_S)
        finally:
            if self._broker is not None:
                self._broker.close()

    async def _be_away(self) -> None:
        if self._broker is not None:
            self._broker.kill()
        while self._active(WireFault.RESTART):
            await asyncio.sleep(LONGEST_NAP_S)
        if self._broker is not None:
            await asyncio.to_thread(self._broker.start)

    async def _connected(self) -> None:
        will = self._messages.will
        broker = Broker(
            host=self._host,
            port=self._port,
            client_id=f"nilometer-simulator-{self._device}",
            clean=True,
            will=None if will is None else Will(topic=will[0], payload=will[1]),
        )
        link = await open_mqtt(broker)
        listening = asyncio.create_task(self._listen(link))
        try:
            self._messages.is_born = False
            while not (self._active(WireFault.RESTART) or listening.done()):
                await self._say(link)
                wait_s = (self._tick - self._clock()) / 1e6
                await asyncio.sleep(min(max(wait_s, 0.001), LONGEST_NAP_S))
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, LinkError):
                await listening
            await link.close()

    async def _listen(self, link: MqttLink) -> None:
        if self._messages.command_topic is not None:
            await link.subscribe([(self._messages.command_topic, 1)])
        while True:
            if await link.receive(20.0):
                self._messages.is_born = False  # The one command there is: be born again.
            else:
                link.ping()

    async def _say(self, link: MqttLink) -> None:
        now = self._clock()
        if now - self._tick > 1000 * self._interval_us:
            self._tick = now  # A clock that jumped far ahead is followed, not made up for.
        while self._tick <= now:
            restarts = self._active(WireFault.COUNTER_RESTART)
            if restarts and not self._has_restarted:
                self._messages.counter = 0
            self._has_restarted = restarts
            said = self._messages.at(self._tick, self._feed.at(self._tick))
            if not self._active(WireFault.SILENCE):
                await self._publish(link, said)
            self._tick += self._interval_us
        await self._publish(link, ())

    async def _publish(self, link: MqttLink, messages: Iterable[tuple[str, bytes]]) -> None:
        for topic, payload in self._way.pass_on(messages):
            await self._send(
                link, topic, payload[: len(payload) // 2] if self._active(WireFault.WRONG_CRC) else payload
            )

    async def _send(self, link: MqttLink, topic: str, payload: bytes) -> None:
        await link.publish(topic, payload, qos=1)
        self.sent += 1

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> MqttSimulator:
    """Return a publisher; see `MqttSimulator` for `link`; `target` is ``host:port`` of a broker."""
    target = link.pop("target", None)
    link.pop("path", None)
    if target:
        link |= dialled(str(target))
    else:
        link.pop("port", None)  # The port of a broker of our own is its own.
    return MqttSimulator(feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(
    name="mqtt", title="MQTT publisher (LoRaWAN network server, SensorThings, Sparkplug B)", make=make
)
