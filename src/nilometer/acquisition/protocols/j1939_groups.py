"""Parameter groups as tables: which bits of a message are which quantity; J1939 and NMEA 2000 share the way.

``j1939_groups.toml`` and ``nmea2000_groups.toml`` hold the groups; a group more is a table more. A value is
``raw * resolution + offset`` in exact arithmetic, so that 29323 hundredths of a kelvin are 20.08 °C.

Codes that are no values. NMEA 2000: all bits set (of a signed field: the largest number) is *not available*, one less
*error*, two less *reserved*. J1939: the highest byte FF *not available*, FE *error*, FB to FD *reserved*; of two bits 3
and 2.

References
----------
SAE J1939-71, 5.1.4; NMEA 2000, Appendix B, after the public reading of it (canboat).
"""

from __future__ import annotations

import datetime as dt
import struct
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any, Literal

from nilometer.acquisition.protocols.can_reading import ERROR, NOT_AVAILABLE, RESERVED, CanReading
from nilometer.errors import ConfigError

__all__ = ["Content", "Family", "Field", "Group", "code", "groups", "iso"]

Family = Literal["j1939", "nmea2000"]
_TYPES = ("number", "float", "choice", "date", "time", "text")
_ROLES = ("", "kind", "instance", "mode")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its bits, and what they mean; without a name it is skipped."""

    name: str
    start: int
    bits: int
    type: str = "number"
    signed: bool = False
    numerator: int = 1
    offset: int = 0
    denominator: int = 1
    unit: str | None = None
    choices: Mapping[int, str] = field(default_factory=dict)
    role: str = ""
    by: str = ""
    property: str | Mapping[str, str] | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """One parameter group; `fast` says that NMEA 2000 sends it in fast packets."""

    pgn: int
    name: str
    title: str
    family: Family
    fast: bool
    fields: tuple[Field, ...]

    def encode(self, values: Mapping[str, float], kinds: Mapping[str, str] | None = None, size: int = 8) -> bytes:
        """Return the message that says values by field, and choices by name; all else is not available.

        Parameters
        ----------
        values : mapping of str to float
            By field, in its unit; dates and times as the whole numbers of the wire.
        kinds : mapping of str to str, optional
            Choices, by field.
        size : int
            Bytes of a single frame; a fast packet is as long as its fields.
        """
        ends = [one.start + one.bits for one in self.fields]
        length = size if not self.fast else -(-max(ends) // 8)
        whole = (1 << length * 8) - 1
        for one in self.fields:
            mask = (1 << one.bits) - 1
            word = (kinds or {}).get(one.name)
            if one.type == "choice" and word is not None:
                raw = next(number for number, name in one.choices.items() if name == word)
            elif one.name in values and values[one.name] == values[one.name] and one.type == "float":
                raw = int.from_bytes(struct.pack("<f", values[one.name]), "little")
            elif one.name in values and values[one.name] == values[one.name]:
                raw = round((Fraction(values[one.name]) * one.denominator - one.offset) / one.numerator)
            elif one.signed and one.name:
                raw = mask >> 1
            else:
                continue
            whole = whole & ~(mask << one.start) | (raw & mask) << one.start
        return whole.to_bytes(length, "little")

    def decode(self, data: bytes) -> Content:
        """Return what a message of this group says; fields beyond its end are not sent, and not there."""
        whole = int.from_bytes(data, "little")
        most = len(data) * 8
        kinds: dict[str, str] = {}
        instance = ""
        said = Content(self)
        numbers: list[tuple[Field, int]] = []
        for one in self.fields:
            if one.type == "text":
                _text(one, data, said)
                continue
            if one.start + one.bits > most or not one.name:
                continue
            raw = whole >> one.start & ((1 << one.bits) - 1)
            if one.role == "instance":
                instance = f"{raw}"
            elif one.type == "choice":
                kinds[one.name] = one.choices.get(raw, f"{raw}")
                if one.role == "mode":
                    said.mode = kinds[one.name]
            else:
                numbers.append((one, raw))
        station = said.station or instance
        for one, raw in numbers:
            said.take(one, raw, self.family, station, kinds.get(one.by, ""))
        said.kinds, said.instance = kinds, instance
        return said


@dataclass(slots=True)
class Content:
    """What a message says: readings, and its own time where it tells one (µs since 1970 UTC)."""

    group: Group
    readings: list[CanReading] = field(default_factory=list)
    aside: list[CanReading] = field(default_factory=list)
    time: int | None = None
    instance: str = ""
    mode: str = ""
    station: str = ""
    kinds: dict[str, str] = field(default_factory=dict)
    texts_end: int = 0
    _date: int | None = None

    def take(self, one: Field, raw: int, family: Family, instance: str, kind: str) -> None:
        """Take the bits of a field that is no choice."""
        if one.type in ("date", "time"):
            self._clock(one, raw)
            return
        if one.signed and raw >> (one.bits - 1):
            raw -= 1 << one.bits
        mark = code(raw, one.bits, one.signed, family) if one.type != "float" else None
        value: float | None = None
        if one.type == "float":
            value, mark = _float(raw)
        elif mark is None:
            value = (raw * one.numerator + one.offset) / one.denominator
        where = ".".join(part for part in (str(self.group.pgn), instance, kind, one.name) if part)
        observed = one.property.get(kind) if isinstance(one.property, Mapping) else one.property
        reading = CanReading(where, one.name, value, one.unit, mark, observed)
        (self.aside if one.aside else self.readings).append(reading)

    def _clock(self, one: Field, raw: int) -> None:
        if raw >= (1 << one.bits) - 3:
            return
        if one.type == "date":
            self._date = raw
        elif self._date is not None and raw < 86_402 * 10_000:
            self.time = self._date * 86_400_000_000 + raw * 100


def code(raw: int, bits: int, signed: bool, family: Family) -> str | None:  # noqa: FBT001 -- a bit of the layout
    """Return what a number says that is no value, or None.

    Examples
    --------
    >>> code(0xFFFF, 16, False, "nmea2000"), code(0x7FFE, 16, True, "nmea2000"), code(0xFE10, 16, False, "j1939")
    ('not available', 'error', 'error')
    """
    if family == "j1939" and bits >= 8:
        # Bytes of the top: a code has the lower ones free.
        return _J1939.get(raw >> (bits - 8) & 0xFF)
    most = (1 << (bits - signed)) - 1
    if raw == most and bits > 1:
        return NOT_AVAILABLE
    if bits == 2 or bits >= 4:
        return ERROR if raw == most - 1 else RESERVED if raw == most - 2 and bits >= 4 else None
    return None


def _text(one: Field, data: bytes, said: Content) -> None:
    """Read a text with its length and its coding in front; what follows begins behind it."""
    at = said.texts_end or one.start // 8
    if at + 2 > len(data) or not 2 <= data[at] <= len(data) - at:
        said.texts_end = len(data)
        return
    said.texts_end = at + data[at]
    body = data[at + 2 : said.texts_end]
    text = body.decode("utf-16-le" if data[at + 1] == 0 else "utf-8", "replace").strip("\0 \xff@")
    if one.role == "instance":
        said.station = "".join(letter if letter.isalnum() else "_" for letter in text[:40])


_J1939 = {0xFF: NOT_AVAILABLE, 0xFE: ERROR, 0xFD: RESERVED, 0xFC: RESERVED, 0xFB: RESERVED}


def _float(raw: int) -> tuple[float | None, str | None]:
    value = float(struct.unpack("<f", struct.pack("<I", raw))[0])
    # A NaN is the way in which IEEE 754 says that there is none.
    return (value, None) if value - value == 0 else (None, NOT_AVAILABLE)


@cache
def groups(family: Family) -> Mapping[int, Group]:
    """Return the groups of a family by their number.

    Raises
    ------
    ConfigError
        If its table is wrong: which group and field.
    """
    file = resources.files("nilometer.acquisition.protocols") / f"{family}_groups.toml"
    content = tomllib.loads(file.read_text("utf-8"))
    choices = {name: {int(k): str(v) for k, v in table.items()} for name, table in content.get("choices", {}).items()}
    found: dict[int, Group] = {}
    for table in content["group"]:
        where = f"{family}_groups.toml: {table.get('pgn')}"
        fields = _fields(table["fields"], choices, where)
        found[table["pgn"]] = Group(
            table["pgn"], table["name"], table["title"], family, bool(table.get("fast", False)), fields
        )
    return found


def _fields(
    tables: Sequence[Mapping[str, Any]], choices: Mapping[str, Mapping[int, str]], where: str
) -> tuple[Field, ...]:
    found: list[Field] = []
    at = 0
    for table in tables:
        start = int(table.get("start", at))
        known = dict(table)
        bits = int(known.pop("bits", 0))
        kind = known.pop("type", "choice" if "choices" in known else "number")
        role = known.pop("role", "")
        if kind not in _TYPES or role not in _ROLES:
            raise ConfigError(f"{where}.{table.get('name')}", seen=f"{kind}, {role}", allowed=[*_TYPES, *_ROLES])
        resolution, offset = Fraction(str(known.pop("resolution", 1))), Fraction(str(known.pop("offset", 0)))
        below = resolution.denominator * offset.denominator
        found.append(
            Field(
                name=known.pop("name", ""),
                start=start,
                bits=bits,
                type=kind,
                signed=bool(known.pop("signed", False)),
                numerator=int(resolution * below),
                offset=int(offset * below),
                denominator=below,
                unit=known.pop("unit", None),
                choices=choices[known.pop("choices")] if "choices" in known else {},
                role=role,
                by=known.pop("by", ""),
                property=known.pop("property", None),
                aside=bool(known.pop("aside", False)),
            )
        )
        known.pop("start", None)
        if known:
            raise ConfigError(f"{where}.{table.get('name')}", seen=", ".join(known), reason="no such key of a field")
        at = start + bits
    return tuple(found)


def iso(time: int | None) -> str | None:
    """Return µs since 1970 UTC as ISO 8601, or None."""
    if time is None:
        return None
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=time)
    fraction = time % 1_000_000
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{fraction:06d}".rstrip("0") if fraction else "") + "Z"
