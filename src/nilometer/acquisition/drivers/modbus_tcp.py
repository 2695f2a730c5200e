"""Modbus TCP: we ask a device, or a gateway with several behind it, at its address."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.devices import Device, LineOptions, devices_of
from nilometer.acquisition.driver import Clock, DriverInfo, Sink
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.tcp import connect
from nilometer.acquisition.polling import CLOCK_RESOLUTION_US, Line, Poller

__all__ = ["DRIVER", "ModbusTcp", "ModbusTcpOptions"]


class ModbusTcpOptions(LineOptions):
    """Where the device or the gateway listens."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 502
    connect_timeout_s: Annotated[float, Field(gt=0)] = 5.0


class ModbusTcp:
    """One TCP connection to one or more Modbus devices; meets `Driver`."""

    def __init__(self, options: ModbusTcpOptions, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._devices: list[Device] = devices_of(options)

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled."""
        options = self._options
        poller = Poller(
            self._devices,
            self._clock,
            silent_poll_s=options.silent_poll_s,
            reopen_s=options.reopen_s,
            backoff=Backoff(first_s=options.reconnect_first_s, longest_s=options.reconnect_longest_s),
        )
        gap_s = max(device.map.instrument.defaults.gap_s for device in self._devices)
        await poller.run(Line(self._open, "tcp", gap_s=gap_s), sink)

    async def _open(self) -> Link:
        return await connect(self._options.host, self._options.port, timeout_s=self._options.connect_timeout_s)


DRIVER = DriverInfo(
    name="modbus_tcp",
    title="Modbus TCP",
    protocol="modbus_tcp",
    options=ModbusTcpOptions,
    make=ModbusTcp,
    manual="MODBUS Messaging on TCP/IP Implementation Guide; MODBUS Application Protocol Specification",
    revision="V1.0b (2006); V1.1b3 (2012)",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="modbus",
    clock_resolution_us=CLOCK_RESOLUTION_US,
)
