"""SDI-12 sensors through a serial bridge, adapter or recorder, over TCP, or on a bus that we drive ourselves."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nilometer.acquisition.driver import Clock, DriverInfo, Sink
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.serial import open_port
from nilometer.acquisition.links.tcp import connect
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US
from nilometer.acquisition.sdi12_bus import Timing
from nilometer.acquisition.sdi12_polling import Sdi12Poller
from nilometer.acquisition.sdi12_sensors import BusOptions, sensors_of

__all__ = ["DRIVER", "Sdi12", "Sdi12Options"]


class Sdi12Options(BusOptions):
    """Where the bus is: a serial `path`, or `host` and `port` of a bridge.

    `line` is ``transparent`` where an adapter takes commands as text and keeps the bus's timing (`baud` … are those of
    the adapter), and ``direct`` where the port drives the bus through a level converter: 1200 baud, break, marking and
    parity are then ours.
    """

    path: str | None = None
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    line: Literal["transparent", "direct"] = "transparent"
    baud: Annotated[int, Field(ge=50, le=4_000_000)] = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    connect_timeout_s: Annotated[float, Field(gt=0)] = 5.0

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if (self.path is None) == (self.host is None) or (self.host is None) != (self.port is None):
            raise ValueError("give either `path`, or `host` and `port`")
        if self.line == "direct" and self.path is None:
            raise ValueError('`line` = "direct" needs a serial `path`: no break passes through a TCP bridge')
        return self


class Sdi12:
    """One bus; meets `Driver`."""

    def __init__(self, options: Sdi12Options, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._sensors = sensors_of(options)

    async def run(self, sink: Sink) -> None:
        """Measure until cancelled."""
        options = self._options
        if options.line == "direct":
            timing = Timing.direct(options.timeout_s)
        else:
            timing = Timing(timeout_s=options.timeout_s or 1.0)
        await Sdi12Poller(self._sensors, options, timing, self._clock).run(self._open, sink)

    async def _open(self) -> Link:
        options = self._options
        if options.host is not None and options.port is not None:
            return await connect(options.host, options.port, timeout_s=options.connect_timeout_s)
        path = options.path or ""
        if options.line == "direct":
            # 8N1, not 7E1: the same bits on the wire, with the parity ours to make and to check.
            return await open_port(path, baud=1200)
        return await open_port(
            path,
            baud=options.baud,
            data_bits=options.data_bits,
            parity=options.parity,
            stop_bits=options.stop_bits,
        )


DRIVER = DriverInfo(
    name="sdi12",
    title="SDI-12 sensors through a serial or TCP bridge, or on a bus that we drive",
    protocol="sdi12",
    options=Sdi12Options,
    make=Sdi12,
    makers=("Campbell Scientific", "In-Situ", "METER Group", "OTT HydroMet"),
    models=("CS451", "CS456", "CS475", "ClariVUE10", "Aqua TROLL 400", "Level TROLL", "RDO PRO-X", "HYDROS 21", "PLS"),
    manual="SDI-12, A Serial-Digital Interface Standard for Microprocessor-Based Sensors",
    revision="1.4 (2019)",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="sdi12",
    clock_resolution_us=CLOCK_RESOLUTION_US,
)
