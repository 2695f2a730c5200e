"""How a quantity stands in the fields of a sentence: its value, its unit letter, its second spelling."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from nilometer.acquisition.protocols.nmea0183_fields import number
from nilometer.acquisition.protocols.nmea0183_line import Sentence
from nilometer.errors import FrameError

__all__ = ["MISSING", "Either", "Fix", "Quantity", "Reading", "iso_time", "read"]

MISSING = "missing"


def iso_time(time: int) -> str:
    """Return µs since 1970 UTC as ISO 8601, to the millisecond where it is not a whole second."""
    moment = dt.datetime.fromtimestamp(time // 1_000_000, tz=dt.UTC)
    fraction = time % 1_000_000 // 1000
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{fraction:03d}Z" if fraction else "Z")


class Reading(msgspec.Struct, frozen=True):
    """One value of a sentence; `kind` tells apart what shares a name (an XDR type, a wind's reference)."""

    parameter: str
    value: float | str | None
    unit: str | None
    flag: str | None = None
    kind: str = ""

    def __post_init__(self) -> None:
        if self.value is None and self.flag is None:
            msgspec.structs.force_setattr(self, "flag", MISSING)

    @classmethod
    def time(cls, date: int | None, time: int | None) -> Reading:
        """Return the clock of a sentence as a reading: missing unless it has both date and time."""
        value = None if date is None or time is None else iso_time(date + time)
        return cls("time_utc", value, None)


class Fix(msgspec.Struct, frozen=True):
    """The clock and the position of a sentence: `date` is µs of its midnight since 1970, `time` µs since midnight."""

    date: int | None = None
    time: int | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Either:
    """One spelling of a quantity: field of the value, field of the unit letter (0: none), that letter, the unit."""

    field: int
    letter_field: int
    letter: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity and its spellings, the preferred one first.

    `required`: given as missing when every spelling is null. `sign`: the field whose W makes the value negative.
    """

    parameter: str
    spellings: tuple[Either, ...]
    required: bool = True
    sign: int = 0


def read(sentence: Sentence, quantities: Sequence[Quantity]) -> tuple[Reading, ...]:
    """Return the quantities that a sentence gives.

    Raises
    ------
    FrameError
        If a value is no number, or stands beside a unit letter that the sentence does not allow. A letter that is
        left out is the allowed one.
    """
    readings = []
    for quantity in quantities:
        value, unit = _first(sentence, quantity)
        if value is not None and quantity.sign and sentence.field(quantity.sign) == "W":
            value = -value
        if value is not None or quantity.required:
            readings.append(Reading(quantity.parameter, value, unit))
    return tuple(readings)


def _first(sentence: Sentence, quantity: Quantity) -> tuple[float | None, str | None]:
    for spelling in quantity.spellings:
        value = number(sentence.field(spelling.field))
        if value is None:
            continue
        letter = sentence.field(spelling.letter_field) if spelling.letter_field else spelling.letter
        if letter not in {spelling.letter, ""}:
            raise FrameError(f"unit: {letter!r} of {quantity.parameter} is not {spelling.letter}")
        return value, spelling.unit
    return None, quantity.spellings[0].unit
