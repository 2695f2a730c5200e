"""Free JSON with a mapping: which paths are values, which is the time, which names the device.

A path is dotted (``sensors.0.temp``), a number counts in a list. Without a list of values every number in the message
is one, under its path: nothing is lost before somebody has looked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from nilometer.acquisition.protocols.network_server import leaves
from nilometer.acquisition.protocols.telemetry import Message, Said, json_of, moment, number_of
from nilometer.errors import FrameError

__all__ = ["JsonFormat", "Mapped", "matched_levels"]

MOST_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class Mapped:
    """One value of the mapping: where it stands, its channel's key, and what it is."""

    path: str
    key: str
    unit: str | None = None
    observed_property: str | None = None
    missing: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """Reads messages by a mapping.

    Parameters
    ----------
    topic : str
        The filter that was subscribed to; what its wildcards stand for names the device.
    records : str
        Path of a list whose items are read one by one; "": the message itself, or its items where it is a list.
    time, time_form : str
        Path of the time, "" for none; ``iso``, ``s``, ``ms`` or ``us``.
    zone : tzinfo, optional
        The zone of times without one.
    device : str
        Path of the device's name; "": by the topic.
    values : sequence of Mapped
        Empty: every number.
    """

    topic: str = ""
    records: str = ""
    time: str = ""
    time_form: str = "iso"
    zone: tzinfo | None = None
    device: str = ""
    values: Sequence[Mapped] = field(default_factory=tuple)

    def read(self, topic: str, payload: bytes) -> Message:
        """Return what a message says.

        Raises
        ------
        FrameError
            If it is no JSON, or has none of the values that it was to have.
        """
        body = json_of(payload)
        found = at_path(body, self.records) if self.records else body
        records = found if isinstance(found, list) else [found]
        if found is None or len(records) > MOST_RECORDS:
            raise FrameError(f"records: none, or more than {MOST_RECORDS}, at {self.records or 'the top'}")
        message = Message(device=self._device(topic, body))
        for record in records:
            self._record(message, record, body)
        if not message.values:
            raise FrameError("values: the message has none of those that are mapped")
        return message

    def record(self, record: object, body: object = None) -> Message:
        """Return what one record says; the device's name is looked for in it, then in the whole body.

        What is wrong with its time stands in `problems`; no value at all is no error here.

        Raises
        ------
        FrameError
            If a device is mapped, and none is named.
        """
        name = None
        if self.device:
            name = at_path(record, self.device)
            name = at_path(body, self.device) if name is None else name
            if not isinstance(name, str | int) or name == "":
                raise FrameError(f"device: no name at {self.device}")
        message = Message(device="" if name is None else str(name)[:200])
        self._record(message, record, body)
        return message

    def _device(self, topic: str, body: object) -> str:
        if not self.device:
            return "/".join(matched_levels(self.topic, topic))
        name = at_path(body, self.device)
        if not isinstance(name, str | int) or name == "":
            raise FrameError(f"device: no name at {self.device}")
        return str(name)[:200]

    def _record(self, message: Message, record: object, body: object) -> None:
        time = None
        if self.time:
            said = at_path(record, self.time)
            said = at_path(body, self.time) if said is None else said
            try:
                time = moment(said, form=self.time_form, zone=self.zone)
            except FrameError as error:
                message.problems.append(str(error))
        if not self.values:
            if not isinstance(record, Mapping | list):
                value = number_of(record)
                if not math.isnan(value):
                    message.values.append(Said("value", value, time=time))
                return
            fields = record if isinstance(record, Mapping) else {str(place): item for place, item in enumerate(record)}
            message.values += [Said(key, value, time=time) for key, value in leaves(fields) if key != self.time]
            return
        for mapped in self.values:
            value = at_path(record, mapped.path, absent=_ABSENT)
            if value is _ABSENT:
                continue
            number = number_of(value)
            mark = None
            if math.isnan(number) and value is not None:
                mark = str(value)[:64]
            elif number in mapped.missing:
                number, mark = math.nan, f"{number:g}"
            message.values.append(Said(mapped.key, number, mapped.unit, mapped.observed_property, time, mark=mark))


_ABSENT: Any = object()


def at_path(value: Any, path: str, *, absent: Any = None) -> Any:  # noqa: ANN401 -- whatever JSON holds
    """Return what stands at a dotted path, or `absent`."""
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            return absent
    return value


def matched_levels(pattern: str, topic: str) -> list[str]:
    """Return what the wildcards of a topic filter stand for.

    Examples
    --------
    >>> matched_levels("site/+/data/#", "site/dam/data/1/level")
    ['dam', '1', 'level']
    """
    found: list[str] = []
    levels = topic.split("/")
    for place, level in enumerate(pattern.split("/")):
        if level == "#":
            return found + levels[place:]
        if level == "+" and place < len(levels):
            found.append(levels[place])
    return found
