"""A virtual engine of a pump or a generator: an OBD-II control unit that answers, or a J1939 one that talks.

What the feed does not have is an engine that idles: 1500 rpm, coolant 83 °C, oil 88 °C, fuel 62 %, 27.6 V.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nilometer import units
from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.isotp import isotp_frames
from nilometer.acquisition.protocols.j1939_groups import groups
from nilometer.acquisition.protocols.j1939_id import identifier_of
from nilometer.acquisition.protocols.obd2 import BITMAPS, EVERYBODY, Pid, pids
from nilometer.acquisition.simulators.can import port_of
from nilometer.acquisition.simulators.can_node import CanNode
from nilometer.acquisition.simulators.simulator import Fault, Feed, Reading, SimulatorInfo
from nilometer.model.properties import vocabulary

__all__ = ["SIMULATOR", "J1939Engine", "Obd2Engine"]

IDLING = {
    "engine_speed": 1500.0,
    "engine_coolant_temperature": 83.0,
    "engine_oil_temperature": 88.0,
    "fuel_level": 62.0,
    "battery_voltage": 27.6,
    "engine_hours": 1234.5,
    "engine_oil_pressure": 320.0,
    "air_inlet_pressure": 100.0,
    "intake_manifold_temperature": 41.0,
}
_REFUSED_NO_SUB_FUNCTION = 0x12


class Obd2Engine:
    """A control unit at 7E8; meets `Behaviour`."""

    def __init__(self) -> None:
        self.options: Mapping[str, Any] = {"obd2": ["supported"]}
        self._waiting: list[CanFrame] = []

    def talk(self, readings: Mapping[str, Reading], time: int) -> Sequence[CanFrame]:
        """Say nothing unasked."""
        del readings, time
        return ()

    def answer(self, frame: CanFrame, readings: Mapping[str, Reading]) -> Sequence[CanFrame]:
        """Answer service 01; a long answer waits for its flow control after the first frame."""
        if frame.identifier == 0x7E0 and frame.data[:1] == b"\x30":
            rest, self._waiting = self._waiting, []
            return rest
        if frame.identifier != EVERYBODY or len(frame.data) < 3 or frame.data[1] != 1:
            return ()
        asked = frame.data[2 : 1 + min(frame.data[0], 7)]
        said = b"".join(self._parameter(pid, readings) for pid in asked)
        message = b"\x41" + said if said else bytes([0x7F, 1, _REFUSED_NO_SUB_FUNCTION])
        first, *self._waiting = [CanFrame(0x7E8, data) for data in isotp_frames(message)]
        return [first]

    def _parameter(self, pid: int, readings: Mapping[str, Reading]) -> bytes:
        known = pids()
        if pid in BITMAPS:
            there = [number for number, one in known.items() if not math.isnan(_of(one.name, one.unit, readings))]
            last = max(there, default=0)
            bits = sum(1 << (31 - (n - pid - 1)) for n in (*there, *BITMAPS) if pid < n <= pid + 32 and n <= last)
            return bytes([pid]) + bits.to_bytes(4, "big")
        one = known.get(pid)
        value = math.nan if one is None else _of(one.name, one.unit, readings)
        return b"" if one is None or math.isnan(value) else bytes([pid]) + _raw(one, value)


def _raw(one: Pid, value: float) -> bytes:
    raw = round((value - float(one.offset)) / float(one.resolution))
    return min(max(raw, 0), (1 << 8 * one.length) - 1).to_bytes(one.length, "big")


class J1939Engine:
    """A control unit at address 0; meets `Behaviour`."""

    def __init__(self) -> None:
        self.options: Mapping[str, Any] = {"j1939": True}

    def talk(self, readings: Mapping[str, Reading], time: int) -> Sequence[CanFrame]:
        """Return every group of the table."""
        del time
        frames = []
        for group in groups("j1939").values():
            values = {one.name: _of(one.name, one.unit or "1", readings) for one in group.fields if one.name}
            frames.append(CanFrame(identifier_of(group.pgn, 0), group.encode(values), extended=True))
        return frames

    def answer(self, frame: CanFrame, readings: Mapping[str, Reading]) -> Sequence[CanFrame]:
        """Answer nothing: it only talks."""
        del frame, readings
        return ()


def _of(name: str, unit: str, readings: Mapping[str, Reading]) -> float:
    reading = readings.get(name)
    if reading is None:
        return IDLING.get(name, math.nan)
    item = vocabulary().get(name)
    if item is None:
        return reading.value
    scale, offset = units.affine(item.unit, units.canonical(unit))
    return reading.value * scale + offset


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    *,
    speaks: str = "obd2",
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> CanNode:
    """Return an engine that ``speaks`` ``obd2`` or ``j1939``; see `port_of` and `CanNode` for `link`."""
    port = port_of(link)
    behaviour = J1939Engine() if speaks == "j1939" else Obd2Engine()
    return CanNode(behaviour, port, feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(name="can_engine", title="Engine on CAN (OBD-II)", make=make)
