"""A virtual sonde on CAN by the database ``can_sonde.dbc``, encoded by cantools; ours is held against it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nilometer import units
from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.simulators.can_node import CanNode
from nilometer.acquisition.simulators.can_port import BusPort, CanPort, SlcanPort
from nilometer.acquisition.simulators.simulator import Fault, Feed, Reading, SimulatorInfo, dialled
from nilometer.errors import ConfigError
from nilometer.model.properties import vocabulary

__all__ = ["SIMULATOR", "DbcSonde", "port_of"]

DATABASE = Path(__file__).with_name("can_sonde.dbc")


class DbcSonde:
    """Says the signals of its database that the feed has; meets `Behaviour`."""

    def __init__(self) -> None:
        try:
            import cantools  # noqa: PLC0415 -- an optional dependency
        except ImportError as error:
            raise ConfigError(
                "can", reason="cantools is not installed", allowed="pip install nilometer[can]"
            ) from error
        loaded: Any = cantools.database.load_file(DATABASE)
        self._messages = [loaded.get_message_by_name("Water"), loaded.get_message_by_name("Health")]
        self.options: Mapping[str, Any] = {"dbc": [str(DATABASE)]}

    def talk(self, readings: Mapping[str, Reading], time: int) -> Sequence[CanFrame]:
        """Return both messages; the second's page goes round."""
        page = time // 1_000_000 % 2
        frames = []
        for message in self._messages:
            values = {signal.name: _value(signal, readings) for signal in message.signals} | {"page": page}
            named = {signal.name for signal in message.signals}
            data = message.encode({name: value for name, value in values.items() if name in named}, strict=False)
            frames.append(CanFrame(message.frame_id, bytes(data), bool(message.is_extended_frame)))
        return frames

    def answer(self, frame: CanFrame, readings: Mapping[str, Reading]) -> Sequence[CanFrame]:
        """Answer nothing: it only talks."""
        del frame, readings
        return ()


def _value(signal: Any, readings: Mapping[str, Reading]) -> float:  # noqa: ANN401 -- of cantools
    """Return a signal's value in its unit; 0 where the water has none."""
    reading = readings.get(signal.name)
    if reading is None or math.isnan(reading.value):
        return 0
    item = vocabulary().get(signal.name)
    value = reading.value
    if item is not None and signal.unit:
        scale, offset = units.affine(item.unit, units.canonical(signal.unit))
        value = value * scale + offset
    low = signal.minimum if signal.minimum is not None else value
    high = signal.maximum if signal.maximum is not None else value
    return float(min(max(value, low), high))


def port_of(link: dict[str, Any]) -> CanPort:
    """Return the port that a simulator's link describes, and take what describes it from there.

    ``interface`` and ``channel``: of python-can; ``target`` (``GROUP:PORT``): UDP multicast; ``path``: an slcan adapter
    on a serial line; else one on a TCP port.
    """
    interface, target, path = link.pop("interface", None), link.pop("target", None), link.pop("path", "")
    settings = link.pop("settings", None)
    if target:
        group = dialled(str(target))
        link.pop("port", None)
        return BusPort(interface="udp_multicast", channel=str(group["host"]), settings={"port": group["port"]})
    if interface:
        link.pop("port", None)
        return BusPort(interface=str(interface), channel=str(link.pop("channel", "nilometer")), settings=settings)
    return SlcanPort(host=link.pop("host", "127.0.0.1"), port=link.pop("port", 0), path=path or "")


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> CanNode:
    """Return a sonde; see `port_of` and `CanNode` for `link`."""
    port = port_of(link)
    return CanNode(DbcSonde(), port, feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(name="can", title="Sonde on CAN (DBC)", make=make)
