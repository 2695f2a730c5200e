"""Virtual Modbus instruments: pymodbus' own servers over instrument files, so that our driver meets another's Modbus.

Over TCP, RTU in TCP, a serial port or pty, and as a 4G DTU that dials in with its registration packet and heartbeat.
Faults of the wire are laid over the finished bytes; see `WireFault`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import SimData, SimDevice

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.instrument import Instrument, instrument
from nilometer.acquisition.simulators.feed import split_faults
from nilometer.acquisition.simulators.modbus_line import REQUESTS, Occupant, SimulatedLine
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo
from nilometer.errors import ConfigError, LinkError

__all__ = ["SIMULATOR", "ModbusSimulator", "Occupant", "Transport"]

Transport = Literal["tcp", "rtu_tcp", "dtu", "serial"]
TRANSPORTS = ("tcp", "rtu_tcp", "dtu", "serial")
REDIAL_S = 0.2


class ModbusSimulator:
    """Virtual instruments on one line; meets `Simulator`.

    Parameters
    ----------
    occupants : sequence of Occupant
        Who is on it.
    clock : callable
        The present, µs since 1970 UTC.
    transport : {"tcp", "rtu_tcp", "dtu", "serial"}
        How it is reached.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    path, baud : str, int
        The serial port or pty.
    target : str
        ``host:port`` that a DTU dials.
    registration, heartbeat : bytes
        What a DTU says first, and then every `heartbeat_s`.
    """

    def __init__(
        self,
        occupants: Sequence[Occupant],
        clock: Clock,
        *,
        transport: Transport = "tcp",
        host: str = "127.0.0.1",
        port: int = 0,
        path: str | None = None,
        baud: int = 9600,
        target: str | None = None,
        registration: bytes = b"",
        heartbeat: bytes = b"",
        heartbeat_s: float = 30.0,
    ) -> None:
        if transport not in TRANSPORTS:
            raise ConfigError("transport", seen=transport, allowed=TRANSPORTS)
        self._occupants, self._clock, self._transport = occupants, clock, transport
        self._host, self._port, self._path, self._baud = host, port, path or "", baud
        self._target_host, _, target_port = (target or "").rpartition(":")
        self._target_port = int(target_port or 0)
        self._registration, self._heartbeat, self._heartbeat_s = registration, heartbeat, heartbeat_s
        self._line: SimulatedLine | None = None
        self._server: Any = None  # pymodbus leaves much of its servers untyped
        self._dialled: asyncio.Transport | None = None

    async def start(self) -> Mapping[str, Any]:
        """Open the line and return the options of the driver that reads it."""
        self._line = SimulatedLine(self._occupants, self._clock)
        self._line.is_framed_by_crc = self._transport != "tcp"
        await self._open()
        return self._options()

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self._transport == "serial":
            options = {"path": self._path, "baud": self._baud}
        elif self._transport == "dtu":
            options = {"mode": "listen", "host": self._target_host, "port": self._target_port}
            for key, value in (("registration", self._registration), ("heartbeat", self._heartbeat)):
                if value:
                    options[key] = f"hex:{value.hex()}"
        else:
            options = {"host": self._host, "port": self._port}
        assert self._line is not None  # noqa: S101 -- start() made it
        named = [
            {"instrument": occupant.instrument if isinstance(occupant.instrument, str) else occupant.instrument.name}
            | {"unit_id": unit_id}
            for occupant, unit_id in zip(self._occupants, self._line.devices, strict=True)
        ]
        return options | (named[0] if len(named) == 1 else {"devices": named})

    async def _open(self) -> None:
        line = self._line
        framer = FramerType.SOCKET if self._transport == "tcp" else FramerType.RTU
        common: dict[str, Any] = {
            "framer": framer,
            "ignore_missing_devices": True,
            "trace_packet": line.trace if line else None,
            "custom_pdu": REQUESTS,
        }
        placeholder = SimDevice(0, simdata=[SimData(0)])
        if self._transport == "serial":
            server: Any = ModbusSerialServer(placeholder, port=self._path, baudrate=self._baud, **common)
        else:
            server = ModbusTcpServer(placeholder, address=(self._host, self._port), **common)
        server.context = line
        self._server = server
        if self._transport == "dtu":
            return
        if not await server.listen():
            where = self._path if self._transport == "serial" else f"{self._host}:{self._port}"
            raise LinkError("cannot listen: the port is in use, absent or not allowed", link=where)
        if self._transport != "serial":
            self._port = server.transport.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._dialled is not None:
            self._dialled.abort()
            self._dialled = None
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown()
            await asyncio.sleep(0)

    async def run(self) -> None:
        """Serve until cancelled; restarts close the line for as long as they last."""
        if self._line is None:
            await self.start()
        dialling = asyncio.create_task(self._dial()) if self._transport == "dtu" else None
        try:
            while True:
                await asyncio.sleep(0.05)
                if self._line is not None and self._line.is_down() == (self._server is not None):
                    await self._toggle()
        finally:
            if dialling is not None:
                dialling.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await dialling
            await self._close()

    async def _toggle(self) -> None:
        if self._server is None:
            with contextlib.suppress(LinkError):  # The port may still be closing: tried again at once.
                await self._open()
            return
        await self._close()
        for device in self._line.devices.values() if self._line else ():
            device.restart()

    async def _dial(self) -> None:
        """Dial the target again and again, as a DTU does."""
        loop = asyncio.get_running_loop()
        while True:
            server = self._server
            if server is not None:
                handler = server.callback_new_connection()
                with contextlib.suppress(OSError):
                    transport, _ = await loop.create_connection(_factory(handler), self._target_host, self._target_port)
                    await self._stay(transport)
            await asyncio.sleep(REDIAL_S)

    async def _stay(self, transport: asyncio.Transport) -> None:
        self._dialled = transport
        transport.write(self._registration)
        loop = asyncio.get_running_loop()
        beat = loop.time() + self._heartbeat_s
        try:
            while not transport.is_closing():
                await asyncio.sleep(min(0.05, self._heartbeat_s))
                # Closed while we slept: uvloop's transport, unlike asyncio's, takes nothing any more.
                if self._heartbeat and loop.time() >= beat and not transport.is_closing():
                    beat = loop.time() + self._heartbeat_s
                    transport.write(self._heartbeat)
        finally:
            transport.abort()


def _factory(protocol: asyncio.BaseProtocol) -> Callable[[], asyncio.BaseProtocol]:
    return lambda: protocol


def make(
    instrument_name: str | Instrument,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> ModbusSimulator:
    """Return a simulator of one instrument.

    Parameters
    ----------
    instrument_name : str or Instrument
        An installed instrument, the path of a TOML file, or a parsed one.
    feed, clock, faults
        See `SimulatorInfo`.
    **link
        ``transport host port path baud target registration heartbeat heartbeat_s unit_id``; without ``transport``,
        a ``path`` means serial, a ``target`` a DTU, and neither Modbus TCP.

    Raises
    ------
    ConfigError
        If the instrument, a fault or the transport is unknown.
    """
    unit_id = link.pop("unit_id", None)
    if "transport" not in link:
        link["transport"] = "serial" if link.get("path") else "dtu" if link.get("target") else "tcp"
    model = instrument_name if isinstance(instrument_name, Instrument) else instrument(instrument_name)
    split_faults(faults)
    occupant = Occupant(instrument_name if isinstance(instrument_name, str) else model, feed, unit_id, faults)
    return ModbusSimulator([occupant], clock, **link)


SIMULATOR = SimulatorInfo(name="modbus", title="Modbus TCP, RTU in TCP, RTU on a serial port, DTU dial-in", make=make)
