"""Virtual SDI-12 sensors on one bus, behind a bridge with a socket, behind a serial adapter, or on the bare bus.

The faults of the wire are laid over finished answers, each on its own sensor; see `WireFault`. A restart of the bridge
itself closes its socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.instrument import sdi12_instrument
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.serial import open_port
from nilometer.acquisition.links.tcp import Listener, TcpLink, listen
from nilometer.acquisition.protocols.sdi12_command import Command, command
from nilometer.acquisition.protocols.sdi12_parity import with_parity
from nilometer.acquisition.sdi12_instrument import Sdi12Instrument
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.sdi12_sensor import Measuring, Said, VirtualSensor
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo, WireFault, active_fault
from nilometer.errors import ConfigError, FrameError, LinkError

__all__ = ["SIMULATOR", "Sdi12Simulator", "SensorOnBus"]

CHECK_S = 0.02
LONGEST = 1024
LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class SensorOnBus:
    """One sensor: its instrument (a name, a path, or a parsed file), water, faults; the rest is `VirtualSensor`'s."""

    instrument: str | Sdi12Instrument
    feed: Feed
    address: str | None = None
    faults: Sequence[Fault] = ()
    seconds: int | None = None
    ready_s: float | None = None
    knows_crc: bool = True


class _Occupant:
    """A sensor and what is wrong with its answers."""

    def __init__(self, asked: SensorOnBus, clock: Clock, began: int) -> None:
        model = (
            asked.instrument if isinstance(asked.instrument, Sdi12Instrument) else sdi12_instrument(asked.instrument)
        )
        self.named = asked.instrument if isinstance(asked.instrument, str) else model.name
        wire, value = split_faults(asked.faults, tuple(WireFault))
        self._wire, self._clock, self._began = wire, clock, began
        self.sensor = VirtualSensor(
            model,
            FaultyFeed(asked.feed, value, began) if value else asked.feed,
            clock,
            asyncio.get_running_loop().time,
            model.defaults.address if asked.address is None else asked.address,
            asked.seconds,
            asked.ready_s,
            asked.knows_crc,
        )
        self.held: list[bytes] = []
        self._random = random.Random(12)  # noqa: S311 -- the same noise every time

    def active(self, kind: WireFault) -> Fault | None:
        """Return the fault of a kind that is on now."""
        return active_fault(self._wire, kind, (self._clock() - self._began) / 1e6)

    def hear(self, asked: Command) -> Said | None:
        """Return the sensor's answer, as far as it gives one."""
        if self.active(WireFault.RESTART):
            self.sensor.restart()
            return None
        self.sensor.has_swapped = self.active(WireFault.SWAPPED_WORDS) is not None
        said = self.sensor.hear(asked)
        return None if self.active(WireFault.SILENCE) else said

    def spoilt(self, said: Said, *, is_direct: bool) -> tuple[float, list[bytes]]:
        """Return how late, s, and as which bytes an answer goes out."""
        data = said.data
        if said.is_checked and self.active(WireFault.WRONG_CRC):
            data = data[:-1] + bytes([data[-1] ^ 0x15])
        if not said.is_page:
            data += b"\r\n"
            data = with_parity(data) if is_direct else data
        if self.active(WireFault.PARITY):
            place = self._random.randrange(len(data) - 2)
            data = data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :]
        if self.active(WireFault.NOISE):
            place = self._random.randrange(len(data) - 1)
            noise = bytes(self._random.choice((0x01, 0x13, 0xFE, 0xFF)) for _ in range(3))
            data = data[:place] + noise + data[place + 1 :]
        late = self.active(WireFault.LATE)
        late_s = 0.0 if late is None else (late.amount or LATE_S)
        if self.active(WireFault.OUT_OF_ORDER):
            out, self.held = self.held, [data]
            return late_s, out
        out, self.held = [data, *self.held], []
        return late_s, out * 2 if self.active(WireFault.DUPLICATE) else out


class Sdi12Simulator:
    """Virtual sensors on one bus; meets `Simulator`.

    Parameters
    ----------
    sensors : sequence of SensorOnBus
        Who is on it.
    clock : callable
        The present, µs since 1970 UTC.
    faults : sequence of Fault
        Restarts of the bridge.
    host, port : str, int
        Where the bridge listens; port 0 takes a free one.
    path : str, optional
        The serial port or pty, in place of a socket.
    line : {"transparent", "direct"}
        Whether an adapter stands between, or characters bear their parity in bit 7 as on the bare bus.
    echo : bool
        Hand commands back, as half-duplex adapters do.

    Attributes
    ----------
    heard : deque of str
        The newest commands on the bus, in order.
    """

    def __init__(
        self,
        sensors: Sequence[SensorOnBus],
        clock: Clock,
        faults: Sequence[Fault] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str | None = None,
        line: Literal["transparent", "direct"] = "transparent",
        echo: bool = False,
    ) -> None:
        self._asked, self._clock, self._faults = sensors, clock, faults
        self._host, self._port, self._path = host, port, path
        self._is_direct, self._echo = line == "direct", echo
        self.heard: deque[str] = deque(maxlen=1000)
        self._occupants: list[_Occupant] = []
        self._listener: Listener | None = None
        self._serial: Link | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = 0

    @property
    def sensors(self) -> list[VirtualSensor]:
        """Return the sensors, in the order given."""
        return [occupant.sensor for occupant in self._occupants]

    async def start(self) -> Mapping[str, Any]:
        """Open the line and return the options of the driver that reads it."""
        self._began = self._clock()
        self._occupants = [_Occupant(item, self._clock, self._began) for item in self._asked]
        await self._open()
        options: dict[str, Any] = {"path": self._path} if self._path else {"host": self._host, "port": self._port}
        if self._is_direct:
            options["line"] = "direct"
        named = [{"instrument": item.named, "address": item.sensor.address} for item in self._occupants]
        return options | (named[0] if len(named) == 1 else {"sensors": named})

    async def run(self) -> None:
        """Serve until cancelled."""
        if not self._occupants:
            await self.start()
        try:
            while True:
                await asyncio.sleep(CHECK_S)
                if self._path is None and self._is_down() == (self._listener is not None):
                    await self._toggle()
        finally:
            await self._close()

    def _is_down(self) -> bool:
        elapsed_s = (self._clock() - self._began) / 1e6
        return active_fault(self._faults, WireFault.RESTART, elapsed_s) is not None

    async def _toggle(self) -> None:
        if self._listener is None:
            with contextlib.suppress(LinkError):  # The port may still be closing: tried again at once.
                await self._open()
            return
        listener, self._listener = self._listener, None
        await listener.close()

    async def _open(self) -> None:
        if self._path is None:
            self._listener = await listen(self._host, self._port, self._serve)
            self._port = self._listener.port
            return
        self._serial = await open_port(self._path)
        self._keep(self._serve_serial(self._serial))

    async def _serve_serial(self, link: Link) -> None:
        with contextlib.suppress(LinkError):
            await self._serve(link)

    async def _serve(self, link: Link | TcpLink) -> None:
        buffer = b""
        while True:
            buffer = (buffer + await link.read())[-LONGEST:]
            while (end := buffer.find(b"!")) >= 0:
                heard, buffer = buffer[: end + 1], buffer[end + 1 :]
                if self._echo:
                    await link.write(heard)
                await self._answer(heard, link)

    async def _answer(self, heard: bytes, link: Link) -> None:
        plain = bytes(byte & 0x7F for byte in heard) if self._is_direct else heard
        try:
            asked = command(plain.strip(b"\0\r\n").decode("latin-1"))
        except FrameError:
            return  # A sensor says nothing to what it does not understand.
        self.heard.append(asked.wire.decode("ascii"))
        for occupant in self._occupants:
            said = occupant.hear(asked)
            if said is None:
                continue
            await self._say(occupant, said, link)
            measuring = occupant.sensor.service_request_due(asked)
            if measuring is not None:
                self._keep(self._request_service(occupant, measuring, link))

    async def _say(self, occupant: _Occupant, said: Said, link: Link) -> None:
        late_s, pieces = occupant.spoilt(said, is_direct=self._is_direct)
        if late_s:
            self._keep(self._say_late(pieces, late_s, link))
            return
        for piece in pieces:
            await link.write(piece)

    async def _say_late(self, pieces: Sequence[bytes], late_s: float, link: Link) -> None:
        await asyncio.sleep(late_s)
        with contextlib.suppress(LinkError):
            for piece in pieces:
                await link.write(piece)

    async def _request_service(self, occupant: _Occupant, measuring: Measuring, link: Link) -> None:
        await asyncio.sleep(measuring.ready - occupant.sensor.wall())
        said = occupant.sensor.service_request(measuring)
        if said is not None and not occupant.active(WireFault.SILENCE):
            with contextlib.suppress(LinkError):
                await self._say(occupant, said, link)

    def _keep(self, work: Any) -> None:  # noqa: ANN401 -- a coroutine of any of the above
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()
        if self._serial is not None:
            await self._serial.close()
        self._listener, self._serial = None, None


def make(
    instrument_name: str | Sdi12Instrument,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> Sdi12Simulator:
    """Return a simulator of one sensor.

    Parameters
    ----------
    instrument_name : str or Sdi12Instrument
        An installed SDI-12 instrument, the path of a TOML file, or a parsed one.
    feed, clock, faults
        See `SimulatorInfo`; a restart takes the bridge along.
    **link
        ``host port path line echo``, and the sensor's ``address seconds ready_s knows_crc``; a `path` means serial.

    Raises
    ------
    ConfigError
        If the instrument or a fault is unknown.
    """
    split_faults(faults, tuple(WireFault))
    target = link.pop("target", None)
    if target:
        raise ConfigError("target", seen=target, reason="an SDI-12 bridge is dialled, it does not dial: give a port")
    own = {name: link.pop(name) for name in ("address", "seconds", "ready_s", "knows_crc") if name in link}
    sensor = SensorOnBus(instrument_name, feed, faults=faults, **own)
    return Sdi12Simulator([sensor], clock, [item for item in faults if item.kind == WireFault.RESTART], **link)


SIMULATOR = SimulatorInfo(name="sdi12", title="SDI-12 sensors behind a TCP bridge or a serial adapter", make=make)
