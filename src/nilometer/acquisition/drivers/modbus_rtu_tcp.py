"""Modbus RTU frames inside TCP: we dial a serial gateway, or a 4G modem (DTU) dials us and says who it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.devices import LineOptions, devices_of
from nilometer.acquisition.driver import Clock, DriverInfo, Sink
from nilometer.acquisition.links.dial_in import DialIn
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.tcp import connect
from nilometer.acquisition.polling import CLOCK_RESOLUTION_US, Line, Poller

__all__ = ["DRIVER", "ModbusRtuTcp", "ModbusRtuTcpOptions"]


def _wire(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("hex:")) if text.startswith("hex:") else text.encode()


def _checked(text: str) -> str:
    try:
        _wire(text)
    except ValueError:
        raise ValueError("after `hex:` come pairs of hexadecimal digits") from None
    return text


Wire = Annotated[str, AfterValidator(_checked)]
"""Bytes as text, or as ``hex:`` and pairs of digits."""


class ModbusRtuTcpOptions(LineOptions):
    """Who dials: ``dial``, we do; ``listen``, the modem does, to `host` and `port` here.

    `registration` is what the modem says first, which tells several on one port apart; `heartbeat` is what it sends
    now and then. Both are text, or ``hex:`` and pairs of digits.
    """

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    mode: Literal["dial", "listen"] = "dial"
    registration: Wire = ""
    registration_timeout_s: Annotated[float, Field(gt=0)] = 15.0
    heartbeat: Wire = ""
    connect_timeout_s: Annotated[float, Field(gt=0)] = 5.0

    def listening(self) -> Sequence[tuple[Literal["tcp", "udp"], str, int]]:
        """Return the port that modems dial, if they do."""
        return (("tcp", self.host, self.port),) if self.mode == "listen" else ()


class ModbusRtuTcp:
    """One TCP connection that carries a serial line; meets `Driver`."""

    def __init__(self, options: ModbusRtuTcpOptions, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._devices = devices_of(options)

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled."""
        options = self._options
        if options.mode == "dial":
            await self._poll(Line(self._dial, "rtu", _wire(options.heartbeat), self._gap_s), sink)
            return
        guest = DialIn(
            options.host,
            options.port,
            registration=_wire(options.registration),
            registration_timeout_s=options.registration_timeout_s,
        )
        async with guest:
            whom = f" with registration {options.registration!r}" if options.registration else ""
            awaiting = f"waiting for the device to dial in{whom} at {options.host}:{options.port}"
            await self._poll(Line(guest.next_link, "rtu", _wire(options.heartbeat), self._gap_s, awaiting), sink)

    @property
    def _gap_s(self) -> float:
        return max(device.map.instrument.defaults.gap_s for device in self._devices)

    async def _poll(self, line: Line, sink: Sink) -> None:
        options = self._options
        poller = Poller(
            self._devices,
            self._clock,
            silent_poll_s=options.silent_poll_s,
            reopen_s=options.reopen_s,
            backoff=Backoff(first_s=options.reconnect_first_s, longest_s=options.reconnect_longest_s),
        )
        await poller.run(line, sink)

    async def _dial(self) -> Link:
        return await connect(self._options.host, self._options.port, timeout_s=self._options.connect_timeout_s)


DRIVER = DriverInfo(
    name="modbus_rtu_tcp",
    title="Modbus RTU inside TCP: serial gateways, and 4G modems that dial in",
    protocol="modbus_rtu",
    options=ModbusRtuTcpOptions,
    make=ModbusRtuTcp,
    manual="MODBUS over Serial Line; MODBUS Application Protocol Specification",
    revision="V1.02 (2006); V1.1b3 (2012)",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="modbus",
    clock_resolution_us=CLOCK_RESOLUTION_US,
)
