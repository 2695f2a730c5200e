"""Follow an SDI-12 bus: which answer belongs to which command, and which place each value has in its measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols import sdi12_binary
from nilometer.acquisition.protocols.sdi12_answer import (
    DataAnswer,
    Here,
    Identification,
    Parameter,
    Started,
    Text,
    answer,
    data_answer,
)
from nilometer.acquisition.protocols.sdi12_command import Command, Kind, command
from nilometer.acquisition.sdi12_instrument import Sdi12Instrument
from nilometer.acquisition.sdi12_values import meaning
from nilometer.errors import FrameError

__all__ = ["Conversation", "plain_name"]


def plain_name(body: str) -> str:
    """Return the name of a measurement without the C of its CRC.

    Examples
    --------
    >>> plain_name("MC1"), plain_name("CC"), plain_name("C2"), plain_name("HA")
    ('M1', 'C', 'C2', 'HA')
    """
    return body[0] + body[2:] if body[:1] in set("MCR") and body[1:2] == "C" else body


@dataclass(slots=True)
class _Measuring:
    """A measurement that was started: what it promised, what came, and where each page's values begin."""

    asked: Command
    started: Started
    is_served: bool = False
    begins: dict[int, int] = field(default_factory=lambda: {0: 0})
    got: int = 0

    @property
    def more(self) -> dict[str, Any]:
        more = {"ttt": self.started.seconds, "n": self.started.count}
        return more | {"service_request": True} if self.is_served else more


class Conversation:
    """What was asked and answered on one bus.

    Parameters
    ----------
    instrument : Sdi12Instrument, optional
        Names the values and their units.
    """

    def __init__(self, instrument: Sdi12Instrument | None = None) -> None:
        self._instrument = instrument
        self._asked: Command | None = None
        self._is_answered = True
        self._measuring: dict[str, _Measuring] = {}

    @property
    def awaits_page(self) -> bool:
        """Return whether a binary page is to come."""
        return self._asked is not None and self._asked.kind is Kind.BINARY and not self._is_answered

    def command(self, asked: Command, offset: int) -> Iterator[DecodedValue | BadFrame]:
        """Take a command that was heard."""
        known = self._measuring.get(asked.address)
        if known is not None and asked.kind not in {Kind.DATA, Kind.BINARY}:
            yield from self._short(known, offset)
            del self._measuring[asked.address]
        self._asked, self._is_answered = asked, False

    def line(self, line: bytes, offset: int) -> Iterator[DecodedValue | BadFrame]:
        """Take a line that was heard, without its end."""
        asked = self._asked
        if asked is not None and line == asked.wire[:-1]:
            return  # What an adapter echoes, cut off its "!".
        try:
            if asked is None:
                yield from self._unasked(line)
            elif self._is_answered and asked.kind is not Kind.EXTENDED:
                self._service_request(line)
            else:
                self._is_answered = True
                yield from self._answered(line, asked, offset)
        except FrameError as error:
            yield BadFrame(error=str(error), offset=offset, frame=line)

    def last_line(self, line: bytes, offset: int) -> Iterator[DecodedValue | BadFrame]:
        """Take what stood at the end of everything, without an end of its own."""
        found = list(self.line(line, offset))
        if any(isinstance(item, BadFrame) or item.more.get("crc") for item in found):
            yield from found
        else:
            yield BadFrame(error="incomplete: the line has no end", offset=offset, frame=line[:64])

    def close(self, offset: int) -> Iterator[BadFrame]:
        """Say that nothing more comes."""
        for known in self._measuring.values():
            yield from self._short(known, offset)
        self._measuring.clear()

    def page(self, data: bytes, offset: int) -> Iterator[DecodedValue | BadFrame]:
        """Take a binary page that was heard."""
        asked = self._asked
        self._is_answered = True
        if asked is None:
            return
        try:
            page = sdi12_binary.page(data)
        except FrameError as error:
            yield BadFrame(error=str(error), offset=offset, frame=data)
            return
        if page.address != asked.address:
            text = f"address_mismatch: {asked.address} was asked, {page.address} answered"
            yield BadFrame(error=text, offset=offset, frame=data)
            return
        yield from self._paged([(value, None) for value in page.values], asked, {"crc": True}, offset)

    def _answered(self, line: bytes, asked: Command, offset: int) -> Iterator[DecodedValue | BadFrame]:
        known = self._measuring.get(asked.address)
        if asked.kind is Kind.DATA:
            said = data_answer(line, asked, has_crc=known is not None and known.asked.has_crc)
            more = _how(said)
            if not said.texts and known is not None:
                yield from self._short(known, offset)
                known.got = 0
                return
            yield from self._paged(list(zip(said.values, said.texts, strict=True)), asked, more, offset)
            return
        match answer(line, asked):
            case Started() as started if asked.kind is Kind.START:
                self._measuring[asked.address] = _Measuring(asked, started)
            case DataAnswer() as said:
                pairs = list(zip(said.values, said.texts, strict=True))
                yield from self._values(pairs, plain_name(asked.body), 0, said.address, _how(said))
            case Here(address) if asked.kind is not Kind.ACKNOWLEDGE:
                yield DecodedValue(parameter="address", value=address, more={"command": asked.body})
            case Identification() as who:
                yield _identified(who)
            case Parameter(address, shef, units, further):
                more = {"address": address, "command": asked.body, "shef": shef, "units": units}
                yield DecodedValue(parameter="metadata", value=shef, more=more | {"more": list(further)})
            case Text(address, text):
                yield DecodedValue(parameter="text", value=text, more={"address": address, "command": asked.body})

    def _paged(
        self, pairs: Sequence[tuple[float, str | None]], asked: Command, more: dict[str, Any], offset: int
    ) -> Iterator[DecodedValue | BadFrame]:
        known = self._measuring.get(asked.address)
        if known is None:
            yield from self._values(pairs, asked.body, 0, asked.address, more)
            return
        begin = known.begins.get(asked.page)
        if begin is None:
            # The page before was not heard: which places these values have, nobody can say.
            yield from self._values(pairs, asked.body, 0, asked.address, more | known.more)
            return
        known.begins[asked.page + 1] = begin + len(pairs)
        known.got = begin + len(pairs)
        yield from self._values(pairs, plain_name(known.asked.body), begin, asked.address, more | known.more)
        if known.got > known.started.count:
            yield BadFrame(
                error=f"value_count: {known.started.count} values promised, {known.got} came", offset=offset, frame=b""
            )
            known.got = 0

    def _values(
        self,
        pairs: Sequence[tuple[float, str | None]],
        name: str,
        begin: int,
        address: str,
        more: dict[str, Any],
    ) -> Iterator[DecodedValue]:
        for place, (number, text) in enumerate(pairs, begin + 1):
            own = {"address": address, "command": name} | more
            if text is not None:
                own["text"] = text
            is_whole = text is not None and "." not in text
            value: float = int(number) if is_whole else number
            channel = self._instrument.at(name, place) if self._instrument is not None else None
            if channel is None:
                yield DecodedValue(parameter=str(place), value=value, more=own)
                continue
            said = meaning(channel, value)
            if channel.observed_property is not None:
                own["observed_property"] = channel.observed_property
            yield DecodedValue(parameter=channel.key, value=said.value, unit=channel.unit, flag=said.mark, more=own)

    def _short(self, known: _Measuring, offset: int) -> Iterator[BadFrame]:
        # None at all is no error: an aborted measurement says so with the address alone.
        if 0 < known.got < known.started.count:
            text = f"value_count: {known.started.count} values promised, {known.got} came"
            yield BadFrame(error=text, offset=offset, frame=b"")

    def _service_request(self, line: bytes) -> None:
        known = self._measuring.get(line.decode("latin-1"))
        if known is None or known.asked.is_concurrent:
            raise FrameError("unasked: a line that no command asked for", frame=line)
        known.is_served = True

    def _unasked(self, line: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Take a line of a recording that holds answers only, by its form."""
        address = chr(line[0] & 0x7F)
        for body in ("D0", "M", "I"):
            try:
                said = answer(line, command(f"{address}{body}"))
            except FrameError:
                if body == "I":
                    raise
                continue
            if isinstance(said, DataAnswer):
                more = _how(said) | {"command": None}
                yield from self._values(list(zip(said.values, said.texts, strict=True)), "", 0, said.address, more)
            elif isinstance(said, Identification):
                if said.tolerated:
                    raise FrameError("form: neither values nor any other answer", frame=line)
                yield _identified(said)
            return


def _how(said: DataAnswer) -> dict[str, Any]:
    more: dict[str, Any] = {"crc": True} if said.is_checked else {}
    return more | {"tolerated": said.tolerated} if said.tolerated else more


def _identified(who: Identification) -> DecodedValue:
    parts = ("address", "version", "vendor", "model", "firmware", "serial")
    more: dict[str, Any] = {part: getattr(who, part) for part in parts}
    if who.tolerated:
        more["tolerated"] = who.tolerated
    return DecodedValue(parameter="identification", value=who.text, more=more)
