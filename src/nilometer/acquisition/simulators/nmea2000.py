"""A virtual NMEA 2000 network: sounder, thermometers, wind, heading, clock; behind a gateway, or on a CAN bus."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nilometer import units
from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.j1939_groups import groups
from nilometer.acquisition.protocols.j1939_id import identifier_of
from nilometer.acquisition.protocols.nmea2000_fast import fast_frames
from nilometer.acquisition.simulators.can import port_of
from nilometer.acquisition.simulators.can_node import CanNode
from nilometer.acquisition.simulators.can_port import CanPort, TextPort
from nilometer.acquisition.simulators.simulator import Fault, Feed, Reading, SimulatorInfo
from nilometer.model.properties import vocabulary

__all__ = ["SIMULATOR", "Nmea2000Network"]

DAY_US = 86_400_000_000
_SAID: tuple[tuple[int, int, Mapping[str, str], Mapping[str, str]], ...] = (
    # group, sender, field → property, choices
    (128267, 3, {"depth_below_transducer": "depth_below_transducer"}, {}),
    (128259, 3, {"speed_through_water": "speed_through_water"}, {}),
    (130312, 35, {"temperature": "water_temperature"}, {"temperature_source": "sea"}),
    (130312, 36, {"temperature": "air_temperature"}, {"temperature_source": "outside"}),
    (130314, 36, {"pressure": "air_pressure"}, {"pressure_source": "atmospheric"}),
    (130306, 36, {"wind_speed": "wind_speed", "wind_angle": "wind_direction"}, {"reference": "true"}),
    (127250, 5, {"heading": "heading"}, {"reference": "true"}),
    (129291, 5, {"current_set": "current_direction", "current_drift": "flow_velocity"}, {"reference": "true"}),
    (129025, 5, {"latitude": "latitude", "longitude": "longitude"}, {}),
    (127508, 7, {"voltage": "battery_voltage"}, {}),
    (130321, 8, {"salinity": "salinity"}, {"mode": "autonomous"}),
)


class Nmea2000Network:
    """Says what the feed has, each tick; meets `Behaviour`."""

    options: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self._sequence = 0

    def talk(self, readings: Mapping[str, Reading], time: int) -> Sequence[CanFrame]:
        """Return a clock, and every group of which the feed has a value."""
        clock = {"date": float(time // DAY_US), "time": float(time % DAY_US // 100)}
        frames = list(self._message(126992, 5, clock, {}))
        for pgn, source, properties, kinds in _SAID:
            values = {name: _of(pgn, name, key, readings) for name, key in properties.items()}
            if any(key in readings for key in properties.values()):
                more = clock if pgn == 130321 else {"instance": 1.0}
                frames += self._message(pgn, source, values | more, kinds)
        return frames

    def answer(self, frame: CanFrame, readings: Mapping[str, Reading]) -> Sequence[CanFrame]:
        """Answer nothing: it only talks."""
        del frame, readings
        return ()

    def _message(
        self, pgn: int, source: int, values: Mapping[str, float], kinds: Mapping[str, str]
    ) -> Iterator[CanFrame]:
        group = groups("nmea2000")[pgn]
        data = group.encode(values, kinds)
        identifier = identifier_of(pgn, source, priority=5)
        if not group.fast:
            yield CanFrame(identifier, data, extended=True)
            return
        self._sequence = (self._sequence + 1) % 8
        for part in fast_frames(data, self._sequence):
            yield CanFrame(identifier, part, extended=True)


def _of(pgn: int, name: str, key: str, readings: Mapping[str, Reading]) -> float:
    reading = readings.get(key)
    if reading is None:
        return math.nan
    field = next(one for one in groups("nmea2000")[pgn].fields if one.name == name)
    scale, offset = units.affine(
        vocabulary()[key].unit, units.canonical({"deg": "degree", "ppt": "1"}.get(field.unit or "1", field.unit or "1"))
    )
    return reading.value * scale + offset


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> CanNode:
    """Return a network behind a gateway that prints lines over TCP (``port``) or a serial line (``path``).

    With ``interface`` and ``channel``, or a ``target``, it is on a bus of python-can: see `port_of`.
    """
    port: CanPort
    if link.get("interface") or link.get("target"):
        port = _OnBus(port_of(link))
    else:
        port = TextPort(host=link.pop("host", "127.0.0.1"), port=link.pop("port", 0), path=link.pop("path", "") or "")
    return CanNode(Nmea2000Network(), port, feed, clock, faults, **link)


class _OnBus:
    """A port whose driver's options are those of `nmea2000`; meets `CanPort`."""

    def __init__(self, port: CanPort) -> None:
        self._port = port
        self.send, self.close = port.send, port.close

    async def open(self, receive: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- as the port takes it
        """Open it and return the driver's options."""
        return {"link": "can", **await self._port.open(receive)}


SIMULATOR = SimulatorInfo(name="nmea2000", title="NMEA 2000 network behind a gateway", make=make)
