"""What a message of a broker says, whatever its format: values of a device, with times and what was wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

import msgspec

from nilometer.errors import FrameError

__all__ = ["Message", "Said", "json_of", "moment", "number_of", "part", "span", "text_or"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_COUNTS = {"s": 1_000_000, "ms": 1_000, "us": 1}


class Said(NamedTuple):
    """One value.

    `key` is its channel behind the device; `value` NaN for none; `time` and `result_time` the message's own, µs since
    1970 UTC, or None; `duration` µs; `mark` and `extra` (JSON) as in `RawBatch`.
    """

    key: str
    value: float
    unit: str | None = None
    observed_property: str | None = None
    time: int | None = None
    duration: int = 0
    result_time: int | None = None
    mark: str | None = None
    extra: str | None = None


@dataclass(slots=True)
class Message:
    """A message, read.

    Parameters
    ----------
    device : str
        Who says it; "" where a topic carries one device only.
    values : list of Said
        In the message's order.
    problems : list of str
        What could not be read, beside values that could.
    received : int, optional
        When the network took it, µs since 1970 UTC.
    counter : int, optional
        The frame counter of a LoRaWAN uplink.
    life : {"birth", "death"}, optional
        What it says of its device.
    commands : list of (str, bytes)
        What its sender is to be told: topic and payload.
    """

    device: str = ""
    values: list[Said] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    received: int | None = None
    counter: int | None = None
    life: str | None = None
    commands: list[tuple[str, bytes]] = field(default_factory=list)


def json_of(payload: bytes) -> Any:  # noqa: ANN401 -- whatever JSON holds
    """Return what JSON text holds.

    Raises
    ------
    FrameError
        If it is none, or nested without end.
    """
    try:
        return msgspec.json.decode(payload)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"json: {error}", frame=payload[:256]) from None


def moment(text: object, *, form: str = "iso", zone: tzinfo | None = None) -> int:
    """Return a time as µs since 1970 UTC.

    Parameters
    ----------
    text : object
        An ISO 8601 text, or a count since 1970 UTC.
    form : {"iso", "s", "ms", "us"}
        Which of them.
    zone : tzinfo, optional
        The zone of a text that has none.

    Raises
    ------
    FrameError
        If it is no time, or a local one and no zone is given: a guess would be hours off.

    Examples
    --------
    >>> moment("2024-06-01T00:00:00.5Z"), moment(1717200000, form="s")
    (1717200000500000, 1717200000000000)
    """
    if form != "iso":
        count = number_of(text)
        if math.isnan(count) or abs(count) > 2**53:
            raise FrameError(f"time: {text!r} is no count of {form}")
        # Whole counts stay exact: a float of µs would lose them.
        exact = text if isinstance(text, int) else None
        return exact * _COUNTS[form] if exact is not None else round(count * _COUNTS[form])
    if not isinstance(text, str):
        raise FrameError(f"time: {text!r} is no ISO 8601 text")
    try:
        # Network servers write nanoseconds, which Python 3.11 cuts to µs by itself.
        read = datetime.fromisoformat(text)
    except ValueError:
        raise FrameError(f"time: {text[:64]!r} is no ISO 8601 text") from None
    if read.tzinfo is None:
        if zone is None:
            raise FrameError(f"time: {text[:64]!r} has no zone, and none is configured")
        read = read.replace(tzinfo=zone)
    try:
        return (read - _EPOCH) // _US
    except OverflowError:
        raise FrameError(f"time: {text[:64]!r} is out of range") from None


def span(text: object) -> tuple[int, int]:
    """Return start and length (µs) of an ISO 8601 instant or interval ``start/end``.

    Raises
    ------
    FrameError
        If it is neither, or ends before it begins.
    """
    if isinstance(text, str) and "/" in text:
        begin, _, end = text.partition("/")
        start, stop = moment(begin), moment(end)
        if stop < start:
            raise FrameError(f"time: {text[:64]!r} ends before it begins")
        return start, stop - start
    return moment(text), 0


def number_of(value: object) -> float:
    """Return a JSON value as a number: NaN for null and for what is none; a text that is a number counts.

    Examples
    --------
    >>> number_of("8.4"), number_of(True), number_of(None)
    (8.4, 1.0, nan)
    """
    if isinstance(value, float | int):  # A truth is 1 or 0.
        try:
            number = float(value)
        except OverflowError:
            return math.nan
        return number if math.isfinite(number) else math.nan
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return math.nan
        return number if math.isfinite(number) else math.nan
    return math.nan


def text_or(value: object, otherwise: str = "") -> str:
    """Return a text of at most 256 characters, or `otherwise` for what is none."""
    return value[:256] if isinstance(value, str) and value else otherwise


def part(value: object, name: str) -> Mapping[str, Any]:
    """Return an object inside an object; empty where there is none: network servers leave out what is empty."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}
