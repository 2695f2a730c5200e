"""Sparkplug B: edge nodes are born, speak, and die; the conversation of all of them, as a host hears it. No I/O.

::

    spBv1.0/{group}/{NBIRTH|NDATA|NDEATH|NCMD|DBIRTH|DDATA|DDEATH|DCMD}/{edge node}[/{device}]

Names, units and aliases come with a birth alone. What an edge node says before its birth was heard, or after a number
of its sequence is missing, cannot be trusted to be whole: it is asked to be born again (``Node Control/Rebirth``), and
what it says by a name or alias that some birth gave still counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nilometer.acquisition.protocols.sparkplug_payload import (
    Metric,
    Payload,
    decode_payload,
    encode_payload,
    number_of_metric,
)
from nilometer.acquisition.protocols.telemetry import Message, Said
from nilometer.errors import FrameError

__all__ = ["SparkplugFormat"]

ASK_AGAIN_US = 30_000_000
MOST_NODES = 10_000
MOST_ALIASES = 20_000
_HEARD = frozenset({"NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"})
_NOT_HEARD = frozenset({"STATE", "NCMD", "DCMD"})
_OWN = ("bdSeq", "Node Control/", "Device Control/", "Node Info/")


@dataclass(slots=True)
class _Known:
    """What a birth said of a metric."""

    name: str
    data_type: int
    unit: str | None


@dataclass(slots=True)
class _Node:
    """An edge node: aliases are unique in it, over all its devices."""

    born: bool = False
    death: int | None = None
    seq: int | None = None
    asked: int | None = None
    aliases: dict[int, _Known] = field(default_factory=dict)
    names: dict[tuple[str, str], _Known] = field(default_factory=dict)


class SparkplugFormat:
    """Reads the messages of all edge nodes."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, str], _Node] = {}

    def read(self, topic: str, payload: bytes, arrival: int = 0) -> Message:
        """Return what a message says.

        Parameters
        ----------
        topic, payload : str, bytes
            The message.
        arrival : int
            µs since 1970 UTC; a node is asked for its birth at most every 30 s of it.

        Raises
        ------
        FrameError
            If topic or payload are not of that form.
        """
        kind, place, device = _place(topic)
        if kind in _NOT_HEARD:
            return Message()
        said = decode_payload(payload)
        node = self._node(place)
        message = Message(device="/".join(filter(None, (*place, device))))
        if kind == "NDEATH":
            self._dies(node, said, message)
            return message
        self._count(node, kind, said, message)
        if kind.endswith("DEATH"):
            message.life = "death"
        elif kind.endswith("BIRTH"):
            message.life = "birth"
            self._learn(node, kind, device, said, message)
        for metric in said.metrics:
            self._say(node, device, metric, said, message)
        if not node.born or message.problems:
            self._ask(node, place, arrival, message)
        return message

    def _node(self, place: tuple[str, str]) -> _Node:
        node = self._nodes.get(place)
        if node is None:
            if len(self._nodes) >= MOST_NODES:
                raise FrameError(f"topic: more than {MOST_NODES} edge nodes")
            node = self._nodes[place] = _Node()
        return node

    def _dies(self, node: _Node, said: Payload, message: Message) -> None:
        number = next((metric.value for metric in said.metrics if metric.name == "bdSeq"), None)
        if node.born and number is not None and node.death is not None and number != node.death:
            # The will of an earlier connection, delivered after the next birth: its node lives.
            message.problems.append(f"{message.device}: the death of an earlier session (bdSeq {number})")
            return
        node.born, node.seq, message.life = False, None, "death"

    def _count(self, node: _Node, kind: str, said: Payload, message: Message) -> None:
        if kind == "NBIRTH":
            node.seq = said.seq
            return
        if said.seq is None or not node.born:
            return
        expected = None if node.seq is None else (node.seq + 1) % 256
        if expected is not None and said.seq != expected:
            message.problems.append(
                f"{message.device}: sequence {said.seq} in place of {expected}; messages are missing"
            )
        node.seq = said.seq

    def _learn(self, node: _Node, kind: str, device: str, said: Payload, message: Message) -> None:
        if kind == "NBIRTH":
            node.born, node.asked = True, None
            node.aliases.clear()
            node.names.clear()
            death = next((metric.value for metric in said.metrics if metric.name == "bdSeq"), None)
            node.death = death if isinstance(death, int) else None
        for metric in said.metrics:
            if len(node.names) >= MOST_ALIASES:
                message.problems.append(f"{message.device}: more than {MOST_ALIASES} metrics")
                return
            unit = metric.properties.get("engUnit")
            known = _Known(metric.name, metric.data_type, unit[:32] if isinstance(unit, str) and unit else None)
            node.names[device, metric.name] = known
            if metric.alias is not None:
                other = node.aliases.get(metric.alias)
                if other is not None and other.name != metric.name:
                    text = f"{message.device}: alias {metric.alias} of {other.name!r} given to {metric.name!r}"
                    message.problems.append(text)
                node.aliases[metric.alias] = known

    def _say(self, node: _Node, device: str, metric: Metric, said: Payload, message: Message) -> None:
        known = node.aliases.get(metric.alias) if metric.alias is not None else None
        name = metric.name or (known.name if known is not None else "")
        if name.startswith(_OWN):
            return
        known = known or node.names.get((device, name))
        if known is None:
            # Its unit would be a guess, and stay one for all that is stored after it.
            message.problems.append(f"{message.device}: {name or f'alias {metric.alias}'!s} was never born")
            return
        if not metric.data_type and isinstance(metric.value, int):
            metric.value = _signed(metric.value, known.data_type)
        value = number_of_metric(metric)
        if isinstance(metric.value, str):
            return  # A text is no result.
        quality = metric.properties.get("Quality")
        mark = None if quality is None or quality == 192 else str(quality)
        if math.isnan(value) and mark is None:
            mark = "null"
        time = metric.time if metric.time is not None else said.time
        extra = '{"is_historical": true}' if metric.is_historical else None
        in_range = time is not None and time < 2**53
        message.values.append(
            Said(
                name[:200],
                value,
                known.unit,
                None,
                time * 1000 if time is not None and in_range else None,
                0,
                None,
                mark,
                extra,
            )
        )

    def _ask(self, node: _Node, place: tuple[str, str], arrival: int, message: Message) -> None:
        if node.asked is not None and 0 <= arrival - node.asked < ASK_AGAIN_US:
            return
        node.asked = arrival
        rebirth = Metric(name="Node Control/Rebirth", data_type=11, value=True, time=arrival // 1000)
        topic = f"spBv1.0/{place[0]}/NCMD/{place[1]}"
        message.commands.append((topic, encode_payload(arrival // 1000, None, [rebirth])))


def _place(topic: str) -> tuple[str, tuple[str, str], str]:
    """Return kind of message, group and edge node, and device."""
    levels = topic.split("/")
    if len(levels) >= 2 and levels[:2] == ["spBv1.0", "STATE"]:
        return "STATE", ("", ""), ""
    device = levels[4] if len(levels) == 5 else ""
    known = len(levels) in {4, 5} and levels[0] == "spBv1.0" and levels[1] and levels[3]
    if not known or levels[2] not in _HEARD | _NOT_HEARD or (levels[2][0] == "D") != bool(device):
        raise FrameError(f"topic: {topic[:200]!r} is none of Sparkplug B")
    return levels[2], (levels[1], levels[3]), device


def _signed(value: int, data_type: int) -> int:
    bits = {1: 8, 2: 16, 3: 32, 4: 64}.get(data_type)
    if bits is None:
        return value
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
