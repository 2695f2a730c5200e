"""Pair the requests and answers of a Modbus line, and say what the answers mean by an instrument's registers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.instrument import instrument
from nilometer.acquisition.protocols import modbus
from nilometer.acquisition.protocols.modbus import ExceptionAnswer, Pdu, ReadAnswer, ReadRequest, ReadWrite
from nilometer.acquisition.protocols.modbus_about import said_beside
from nilometer.acquisition.protocols.modbus_stream import Located, MbapSplitter, RtuSplitter
from nilometer.acquisition.register_map import RegisterImage, RegisterMap, Value
from nilometer.errors import FrameError

__all__ = ["ModbusDecoder"]

TABLES = {1: "coil", 2: "discrete_input", 3: "holding_register", 4: "input_register", 23: "holding_register"}
HOLDING = 3
MOST_PENDING = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[int, int | None]


class ModbusDecoder:
    """The bytes of one line, both ways, to values; meets `Decoder`.

    A read is understood when its request was heard too, because an answer does not say which registers it holds. An
    answer without one is laid over the only read of the instrument that has its size, and says so; without an
    instrument its registers are counted from the first.

    Parameters
    ----------
    splitter : RtuSplitter or MbapSplitter
        Finds the frames.
    name : str, optional
        The instrument; without it registers are given as they are.

    Raises
    ------
    ConfigError
        If there is no such instrument.
    """

    def __init__(self, splitter: RtuSplitter | MbapSplitter, name: str | None = None) -> None:
        self._splitter = splitter
        self._map = None if name is None else RegisterMap(instrument(name))
        self._pending: dict[Key, Pdu] = {}

    def feed(self, data: bytes) -> list[DecodedValue | BadFrame]:
        """Take bytes and return what they say."""
        return [said for item in self._splitter.feed(data) for said in self._said(item)]

    def close(self) -> list[DecodedValue | BadFrame]:
        """Return what is left."""
        return [said for item in self._splitter.close() for said in self._said(item)]

    def _said(self, item: Located | BadFrame) -> Iterator[DecodedValue | BadFrame]:
        if isinstance(item, BadFrame):
            yield item
            return
        key = (item.frame.unit, item.frame.transaction)
        beside = list(said_beside(item.frame.pdu, {"unit_id": item.frame.unit, "function": item.frame.pdu[0]}))
        if beside:
            self._pending.pop(key, None)
            yield from beside
            return
        asked = self._pending.get(key)
        answer = _answer_to(asked, item.frame.pdu)
        if answer is not None:
            del self._pending[key]
            yield from self._answered(item, asked, answer)
            return
        try:
            request = modbus.decode_request(item.frame.pdu)
        except FrameError:
            yield from self._unasked(item)
            return
        if len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[key] = request

    def _unasked(self, item: Located) -> Iterator[DecodedValue | BadFrame]:
        try:
            answer = modbus.decode_answer(item.frame.pdu)
        except FrameError as error:
            yield BadFrame(error=str(error), offset=item.offset, frame=item.raw)
            return
        yield from self._answered(item, None, answer)

    def _answered(self, item: Located, asked: Pdu | None, answer: Pdu) -> Iterator[DecodedValue | BadFrame]:
        unit = item.frame.unit
        if isinstance(answer, ExceptionAnswer):
            text = f"exception_{answer.code}: {modbus.exception_text(answer.code)}; unit {unit} refuses"
            detail = f" {asked}" if asked is not None else f" function {answer.function}"
            yield BadFrame(error=text + detail, offset=item.offset, frame=item.raw)
            return
        if not isinstance(answer, ReadAnswer):
            return
        try:
            words = modbus.registers_of(answer)
        except FrameError as error:
            yield BadFrame(error=str(error), offset=item.offset, frame=item.raw)
            return
        more: dict[str, Any] = {"unit_id": unit, "function": answer.function}
        if isinstance(asked, ReadRequest | ReadWrite):
            yield from self._read(asked.address, words[: asked.count], more)
            return
        address = self._only_place(answer.function, len(words))
        yield from self._read(address, words, more | {"request": "not heard"})

    def _only_place(self, function: int, count: int) -> int | None:
        fitting = [
            read.address
            for read in (self._map.reads if self._map else ())
            if (read.function, read.count) == (function, count)
        ]
        return fitting[0] if len(fitting) == 1 else None

    def _read(self, address: int | None, words: list[int], more: dict[str, Any]) -> Iterator[DecodedValue]:
        function = int(more["function"])
        found: list[Value] = []
        image: RegisterImage = {}
        if address is not None and self._map is not None:
            image = {
                (HOLDING if function == modbus.READ_WRITE else function, address + i): word
                for i, word in enumerate(words)
            }
            found = self._map.values(image)
        for value in found:
            yield self._value(value, image, more)
        if found:
            return
        for i, word in enumerate(words):
            place = f"+{i}" if address is None else f"{address + i}"
            yield DecodedValue(parameter=f"{TABLES[function]}_{place}", value=word, more=more)

    def _value(self, item: Value, image: RegisterImage, more: dict[str, Any]) -> DecodedValue:
        channel, value, time = item.channel, item.value, None
        more = more | {"address": channel.address}
        if channel.observed_property is not None:
            more["observed_property"] = channel.observed_property
        if channel.cycle is not None and self._map is not None:
            times = self._map.cycle_times(self._map.instrument.cycle_named(channel.cycle), image)
            if times is not None and not times.is_done:
                more["cycle"] = "running"  # The value is that of an earlier one.
            elif times is not None:
                time = _iso(times.start)
                if times.completion is not None:
                    more["completion"] = _iso(times.completion)
                if times.sample is not None:
                    more["sample"] = times.sample.name.lower()
        is_missing = isinstance(value, float) and not math.isfinite(value)
        return DecodedValue(
            parameter=channel.key,
            value=None if is_missing else value,
            unit=channel.unit,
            flag=item.mark,
            time=time,
            more=more,
        )


def _answer_to(asked: Pdu | None, pdu: bytes) -> Pdu | None:
    """Return the message as an answer, where it can be one to what was asked."""
    if asked is None or pdu[0] & 0x7F != asked.function:
        return None
    try:
        answer = modbus.decode_answer(pdu)
    except FrameError:
        return None
    if isinstance(asked, ReadRequest | ReadWrite) and isinstance(answer, ReadAnswer):
        bits = asked.function in modbus.BIT_READS
        needed = (asked.count + 7) // 8 if bits else 2 * asked.count
        return answer if len(answer.data) == needed else None
    return answer


def _iso(time: int) -> str | None:
    if time == 0:
        return None
    try:
        return (EPOCH + timedelta(microseconds=time)).isoformat()
    except OverflowError:
        return None
