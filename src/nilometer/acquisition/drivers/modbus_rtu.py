"""Modbus RTU on a serial port: RS-485 or RS-232, one master (us) and one or more devices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.devices import LineOptions, devices_of
from nilometer.acquisition.driver import Clock, DriverInfo, Sink
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.serial import open_port
from nilometer.acquisition.polling import CLOCK_RESOLUTION_US, Line, Poller

__all__ = ["DRIVER", "ModbusRtu", "ModbusRtuOptions"]


class ModbusRtuOptions(LineOptions):
    """The port and how it is set; what is left out is as the first instrument leaves its factory."""

    path: str
    baud: Annotated[int, Field(ge=50, le=4_000_000)] | None = None
    data_bits: Literal[7, 8] | None = None
    parity: Literal["N", "E", "O"] | None = None
    stop_bits: Literal[1, 2] | None = None


class ModbusRtu:
    """One serial line; meets `Driver`."""

    def __init__(self, options: ModbusRtuOptions, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._devices = devices_of(options)

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
        # Between frames the line rests 3.5 characters of 11 bits, and no less than 1.75 ms.
        rest_s = max(0.00175, 3.5 * 11 / self._baud)
        gap_s = max(rest_s, *(device.map.instrument.defaults.gap_s for device in self._devices), 0.0)
        await poller.run(Line(self._open, "rtu", gap_s=gap_s), sink)

    @property
    def _baud(self) -> int:
        return self._options.baud or self._devices[0].map.instrument.defaults.baud

    async def _open(self) -> Link:
        options, factory = self._options, self._devices[0].map.instrument.defaults
        return await open_port(
            options.path,
            baud=self._baud,
            data_bits=options.data_bits or factory.data_bits,
            parity=options.parity or factory.parity,
            stop_bits=options.stop_bits or factory.stop_bits,
        )


DRIVER = DriverInfo(
    name="modbus_rtu",
    title="Modbus RTU on a serial port",
    protocol="modbus_rtu",
    options=ModbusRtuOptions,
    make=ModbusRtu,
    manual="MODBUS over Serial Line; MODBUS Application Protocol Specification",
    revision="V1.02 (2006); V1.1b3 (2012)",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="modbus",
    clock_resolution_us=CLOCK_RESOLUTION_US,
)
