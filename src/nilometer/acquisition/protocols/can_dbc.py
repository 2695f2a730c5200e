"""Signals of a DBC database out of frames: one frame, or columns of thousands; does no I/O.

cantools reads the database; the bits are taken here, a column at a time (NumPy), for a capture holds millions of
frames. A signal lies in at most nine bytes; Intel ones count from their lowest bit, Motorola ones from their highest.

J1939: a database names a group with any source (``…FE``) or by its attribute ``VFrameFormat``; frames of every source
and destination are of that group, and the codes for *not available* and *error* are no values.

References
----------
Vector, DBC File Format Documentation 1.0.5; signals as cantools lays them out.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.can_reading import CanReading
from nilometer.acquisition.protocols.j1939_groups import code
from nilometer.acquisition.protocols.j1939_id import split_identifier
from nilometer.errors import ConfigError, ReadError

__all__ = ["CanDatabase", "DbcMessage", "DbcSignal", "database_of"]

_MOST_BYTES = 1785
_MOST_SCALE = 1e30
_LENGTHS = re.compile(r"^\s*BO_\s+\d+\s+\S+?\s*:\s*(\d+)", re.MULTILINE)
_BITS = re.compile(r"^\s*SG_\s[^:\n]{1,200}:\s*(\d+)\s*\|\s*(\d+)", re.MULTILINE)


class DbcSignal(NamedTuple):
    """Where a signal lies, and what its number means; `multiplexed` names (index of the selector, its values)."""

    name: str
    key: str
    first_byte: int
    last_byte: int
    shift: int
    bits: int
    is_big: bool
    is_signed: bool
    is_float: bool
    numerator: float
    offset: float
    denominator: float
    unit: str | None
    choices: Mapping[int, str]
    multiplexed: tuple[tuple[int, frozenset[int]], ...]
    has_codes: bool

    def raw(self, data: bytes) -> int:
        """Return its bits as an unsigned number."""
        part = data[self.first_byte : self.last_byte + 1]
        return int.from_bytes(part, "big" if self.is_big else "little") >> self.shift & ((1 << self.bits) - 1)

    def value(self, raw: int) -> tuple[float | None, str | None]:
        """Return the value of its bits, and the name or code that they have."""
        if self.is_float:
            value = float(struct.unpack(_FLOATS[self.bits][0], struct.pack(_FLOATS[self.bits][1], raw))[0])
            value = (value * self.numerator + self.offset) / self.denominator
            return (value if value - value == 0 else None), None
        if self.has_codes and (mark := code(raw, self.bits, False, "j1939")) is not None:  # noqa: FBT003 -- unsigned
            return None, mark
        if self.is_signed and raw >> (self.bits - 1):
            raw -= 1 << self.bits
        return (raw * self.numerator + self.offset) / self.denominator, self.choices.get(raw)


_FLOATS = {16: ("<e", "<H"), 32: ("<f", "<I"), 64: ("<d", "<Q")}


class _Step(NamedTuple):
    """How one signal is taken out of a frame that is one number."""

    signal: DbcSignal
    is_big: bool
    shift: int
    mask: int
    half: int
    last_byte: int
    is_plain: bool


@dataclass(frozen=True, slots=True)
class DbcMessage:
    """One message of a database."""

    name: str
    identifier: int
    extended: bool
    is_j1939: bool
    signals: tuple[DbcSignal, ...]
    _plan: tuple[int, bool, tuple[_Step, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Lay out where each signal lies in the whole frame as one number."""
        width = max((one.last_byte for one in self.signals), default=0) + 1
        steps = tuple(
            _Step(
                one,
                one.is_big,
                8 * (width - 1 - one.last_byte if one.is_big else one.first_byte) + one.shift,
                (1 << one.bits) - 1,
                1 << (one.bits - 1) if one.is_signed else 1 << 64,
                one.last_byte,
                not (one.is_float or one.has_codes or one.choices),
            )
            for one in self.signals
        )
        object.__setattr__(self, "_plan", (width, any(one.is_big for one in self.signals), steps))

    def decode(self, data: bytes) -> list[CanReading]:
        """Return the signals of one frame; those beyond its end, or of another multiplexer value, are not there."""
        sent = len(data)
        width, has_big, steps = self._plan
        whole = data.ljust(width, b"\0")[:width]
        little, big = int.from_bytes(whole, "little"), int.from_bytes(whole, "big") if has_big else 0
        found: list[CanReading] = []
        raws: list[int] = []
        for one, is_big, shift, mask, half, last, is_plain in steps:
            raw = (big if is_big else little) >> shift & mask
            raws.append(raw if last < sent else -1)
            if last >= sent or (one.multiplexed and not all(raws[index] in ids for index, ids in one.multiplexed)):
                continue
            if is_plain:
                number = raw - mask - 1 if raw >= half else raw
                value: float | None = (number * one.numerator + one.offset) / one.denominator
                mark = None
            else:
                value, mark = one.value(raw)
            found.append(CanReading(one.key, one.name, value, one.unit, mark))
        return found

    def columns(self, data: NDArray[np.uint8], lengths: NDArray[np.int64]) -> Iterator[tuple[DbcSignal, Any]]:
        """Return the values of each signal over many frames.

        Parameters
        ----------
        data : ndarray of uint8, shape (n, m)
            The frames' bytes, zero beyond their ends.
        lengths : ndarray of int64, shape (n,)
            How many of them each frame has.

        Yields
        ------
        DbcSignal
            The signal, in the database's order; selectors of multiplexers come before what they select.
        ndarray of float64, shape (n,)
            NaN where it was not sent, or is a code for no value.
        """
        raws: list[NDArray[np.uint64]] = []
        sents: list[NDArray[np.bool_]] = []
        for one in self.signals:
            sent = lengths > one.last_byte
            raw = _raws(one, data) if one.last_byte < data.shape[1] else np.zeros(len(data), np.uint64)
            raws.append(raw)
            sents.append(sent)
            for index, values in one.multiplexed:
                sent = sent & sents[index] & np.isin(raws[index], np.array(sorted(values), np.uint64))
            yield one, np.where(sent, _values(one, raw), np.nan)


def _raws(one: DbcSignal, data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    spans = range(one.first_byte, one.last_byte + 1)
    if len(spans) > 8:  # 58 to 64 bits that do not begin with a byte: rare, and beyond one word
        return np.array([one.raw(row.tobytes()) for row in data], np.uint64)
    word = np.zeros(len(data), np.uint64)
    for at in spans if one.is_big else reversed(spans):
        word = word << np.uint64(8) | data[:, at]
    return word >> np.uint64(one.shift) & np.uint64((1 << one.bits) - 1)


def _values(one: DbcSignal, raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    if one.is_float:
        kinds = {16: (np.uint16, np.float16), 32: (np.uint32, np.float32), 64: (np.uint64, np.float64)}
        whole, number = kinds[one.bits]
        with np.errstate(invalid="ignore"):
            values = raw.astype(whole).view(number).astype(np.float64)
        values[~np.isfinite(values)] = np.nan
    elif one.is_signed:
        room = np.uint64(64 - one.bits)
        values = ((raw << room).view(np.int64) >> np.int64(64 - one.bits)).astype(np.float64)
    else:
        values = raw.astype(np.float64)
    values = (values * one.numerator + one.offset) / one.denominator
    if one.has_codes and one.bits >= 8:
        values[(raw >> np.uint64(one.bits - 8)) >= np.uint64(0xFB)] = np.nan
    elif one.has_codes:
        lost = [number for number in range(1 << one.bits) if code(number, one.bits, False, "j1939")]  # noqa: FBT003
        values[np.isin(raw, np.array(lost, np.uint64))] = np.nan
    return values


class CanDatabase:
    """The messages of one database.

    Parameters
    ----------
    messages : sequence of DbcMessage
        In the database's order.
    """

    def __init__(self, messages: Sequence[DbcMessage]) -> None:
        self.messages = tuple(messages)
        self._exact = {(one.identifier, one.extended): one for one in messages}
        self._groups = {split_identifier(one.identifier).pgn: one for one in messages if one.is_j1939}

    def message_of(self, identifier: int, *, extended: bool) -> DbcMessage | None:
        """Return the message that an identifier bears, or None."""
        found = self._exact.get((identifier, extended))
        if found is None and extended and self._groups:
            return self._groups.get(split_identifier(identifier).pgn)
        return found

    def decode(self, frame: CanFrame) -> list[CanReading]:
        """Return the signals of a frame; none where the database does not know it."""
        if frame.remote or frame.error:
            return []
        message = self.message_of(frame.identifier, extended=frame.extended)
        return [] if message is None else message.decode(frame.data)


def database_of(text: str, path: object = "") -> CanDatabase:
    """Return the database that a DBC file's text describes.

    Raises
    ------
    ReadError
        If it is none: what cantools says of it.
    ConfigError
        If cantools is not installed.
    """
    try:
        import cantools  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        raise ConfigError("dbc", reason="cantools is not installed", allowed="pip install nilometer[can]") from error
    # What no bus carries would make cantools build masks of any size.
    if any(len(n) > 5 or int(n) > _MOST_BYTES for n in _LENGTHS.findall(text)) or any(
        len(n) > 5 or len(m) > 5 or int(m) > 64 or int(n) > _MOST_BYTES * 8 for n, m in _BITS.findall(text)
    ):
        raise ReadError("a message or a signal is longer than a bus carries", path=str(path), format="dbc")
    try:
        loaded = cantools.database.load_string(text, "dbc", strict=False, sort_signals=None)
    except (
        cantools.Error,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        ArithmeticError,
    ) as error:
        raise ReadError(f"no DBC database: {error}", path=str(path), format="dbc") from error
    if not isinstance(loaded, cantools.database.can.Database) or not loaded.messages:
        raise ReadError("this database describes no message", path=str(path), format="dbc")
    return CanDatabase(tuple(_message(one) for one in loaded.messages))


def _message(one: Any) -> DbcMessage:  # noqa: ANN401 -- of cantools
    is_j1939 = one.is_extended_frame and (one.protocol == "j1939" or one.frame_id & 0xFF == 0xFE)
    found: list[DbcSignal] = []
    places: dict[str, int] = {}
    for signal in _selectors_first(one.signals):
        selector = places.get(signal.multiplexer_signal or "")
        if signal.multiplexer_ids and selector is None:
            continue  # of a selector that is not there
        multiplexed: tuple[tuple[int, frozenset[int]], ...] = ()
        if selector is not None and signal.multiplexer_ids:
            ids = frozenset(int(value) for value in signal.multiplexer_ids if 0 <= value < 1 << 64)
            multiplexed = (*found[selector].multiplexed, (selector, ids))
        laid = _signal(one.name, signal, multiplexed, is_j1939=is_j1939)
        if laid is not None:
            places[signal.name] = len(found)
            found.append(laid)
    return DbcMessage(one.name, one.frame_id, bool(one.is_extended_frame), bool(is_j1939), tuple(found))


def _selectors_first(signals: Sequence[Any]) -> list[Any]:
    """Return signals so that each comes after the one that selects it."""
    depth: dict[str, int] = {}
    by_name = {signal.name: signal for signal in signals}
    for signal in signals:
        at, steps = signal, 0
        while at is not None and at.multiplexer_signal and steps < len(signals):
            at, steps = by_name.get(at.multiplexer_signal), steps + 1
        depth[signal.name] = steps
    return sorted(signals, key=lambda signal: depth[signal.name])


def _signal(
    message: str,
    signal: Any,  # noqa: ANN401 -- of cantools
    multiplexed: tuple[tuple[int, frozenset[int]], ...],
    *,
    is_j1939: bool,
) -> DbcSignal | None:
    bits, start, is_big = int(signal.length), int(signal.start), signal.byte_order == "big_endian"
    if not 1 <= bits <= 64 or start < 0 or (signal.is_float and bits not in _FLOATS):
        return None
    # A NaN is not below either: no quantity has such a scale.
    if not (abs(signal.scale) < _MOST_SCALE and abs(signal.offset) < _MOST_SCALE):
        return None
    if is_big:
        # Motorola: the start is the highest bit, bits of a byte counted from its low end.
        first = start // 8 * 8 + 7 - start % 8
        last = first + bits - 1
        shift = 7 - last % 8
    else:
        first, last = start, start + bits - 1
        shift = first % 8
    numerator, offset, denominator = _exact(signal.scale, signal.offset)
    choices = {int(number): str(name) for number, name in (signal.choices or {}).items()}
    return DbcSignal(
        name=signal.name,
        key=f"{message}.{signal.name}",
        first_byte=first // 8,
        last_byte=last // 8,
        shift=shift,
        bits=bits,
        is_big=is_big,
        is_signed=bool(signal.is_signed),
        is_float=bool(signal.is_float),
        numerator=numerator,
        offset=offset,
        denominator=denominator,
        unit=signal.unit or None,
        choices=choices,
        multiplexed=multiplexed,
        has_codes=is_j1939 and not signal.is_signed and not signal.is_float and bits > 1,
    )


def _exact(scale: float, offset: float) -> tuple[float, float, float]:
    """Return scale and offset as whole numbers over one: 2058 hundredths are 20.58, and 2058 * 0.01 is not."""
    first, second = Fraction(repr(scale)), Fraction(repr(offset))
    below = math.lcm(first.denominator, second.denominator)
    whole = float(first * below), float(second * below), float(below)
    return whole if max(abs(part) for part in whole) < 2**32 else (float(scale), float(offset), 1.0)
