"""A virtual SDI-12 sensor: it hears commands and says what a real one would, from an instrument file and a feed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols import sdi12_binary
from nilometer.acquisition.protocols.sdi12_command import Command, Kind
from nilometer.acquisition.protocols.sdi12_conversation import plain_name
from nilometer.acquisition.protocols.sdi12_crc import crc_text
from nilometer.acquisition.sdi12_instrument import Measurement, Sdi12Instrument
from nilometer.acquisition.simulators.feed import reading_of
from nilometer.acquisition.simulators.simulator import Feed

__all__ = ["Measuring", "Said", "VirtualSensor"]

LONGEST_VALUES = {"M": 35, "V": 35}
LONGEST_OTHERS = 75
ABSENT = "-9999"


@dataclass(frozen=True, slots=True)
class Said:
    """What goes out: without CR LF; `is_page`: eight bits and no line end; `is_checked`: it bears a CRC."""

    data: bytes
    is_page: bool = False
    is_checked: bool = False


@dataclass(slots=True)
class Measuring:
    """A measurement that goes on: what asked for it, when it is ready by the sensor's `wall`, what it will give."""

    asked: Command
    ready: float
    pages: list[str]
    numbers: list[float]
    tells_its_end: bool


@dataclass(slots=True)
class VirtualSensor:
    """One sensor on a bus.

    Parameters
    ----------
    instrument : Sdi12Instrument
        Its file.
    feed : Feed
        Its water, by channel key, or by observed property in the vocabulary's unit.
    clock : callable
        The present, µs since 1970 UTC.
    wall : callable
        Seconds that pass as they do for the recorder.
    address : str
        Its address; a command changes it.
    seconds : int, optional
        What it answers for ttt, in place of the file's.
    ready_s : float, optional
        When it is in truth ready, s; by default at four fifths of ttt.
    knows_crc : bool
        Without it, it says nothing to commands that ask for a CRC, as sensors before version 1.3.
    version : str
        What aI! says first; "14", or "12" without CRC, where it is left out.
    has_swapped : bool
        The first two values of each page stand in each other's place.
    """

    instrument: Sdi12Instrument
    feed: Feed
    clock: Clock
    wall: Callable[[], float]
    address: str
    seconds: int | None = None
    ready_s: float | None = None
    knows_crc: bool = True
    version: str = ""
    has_swapped: bool = False
    _now: Measuring | None = None

    def restart(self) -> None:
        """Forget what was going on, as after a loss of power."""
        self._now = None

    def hear(self, asked: Command) -> Said | None:
        """Return the answer to a command; None where it says nothing.

        Parameters
        ----------
        asked : Command
            Any command on the bus: one to another sensor brings a break, which ends a measurement that is not
            concurrent.
        """
        is_ours = asked.address in {self.address, "?", "*"}
        if self._now is not None and self.wall() < self._now.ready and (is_ours or not self._now.asked.is_concurrent):
            self._now = None
        if not is_ours or (asked.has_crc and not self.knows_crc):
            return None
        return self._answer(asked)

    def _answer(self, asked: Command) -> Said:
        said: Said
        match asked.kind:
            case Kind.ACKNOWLEDGE | Kind.QUERY:
                said = self._line("")
            case Kind.CHANGE:
                self.address = asked.body[1]
                said = self._line("")
            case Kind.IDENTIFY:
                said = self._line(self._identification())
            case Kind.START | Kind.ABOUT:
                said = self._started(asked)
            case Kind.DATA:
                said = self._data(asked)
            case Kind.BINARY:
                said = self._page(asked)
            case Kind.CONTINUOUS:
                pages = self._pages(plain_name(asked.body))
                said = self._line(pages[0] if pages else "", has_crc=asked.has_crc)
            case _:
                said = self._line("OK")
        return said

    def service_request_due(self, asked: Command) -> Measuring | None:
        """Return the measurement that a command began and whose end will be told; None where it began no such one."""
        now = self._now
        return now if now is not None and now.asked is asked and now.tells_its_end else None

    def service_request(self, measuring: Measuring) -> Said | None:
        """Return the service request, unless the measurement was ended meanwhile.

        From then on the sensor is ready: timers ring up to a millisecond early, and a command heard before the
        moment they were set for would end the measurement that has just been told to be done.
        """
        if self._now is not measuring:
            return None
        measuring.ready = min(measuring.ready, self.wall())
        return self._line("")

    def _line(self, text: str, *, has_crc: bool = False) -> Said:
        data = (self.address + text).encode("ascii")
        return Said(data + crc_text(data) if has_crc else data, is_checked=has_crc)

    def _identification(self) -> str:
        maker = "".join(c for c in self.instrument.maker if c.isalnum())[:8]
        model = "".join(c for c in "".join(self.instrument.models[:1]) if c.isalnum())[:6]
        version = self.version or ("14" if self.knows_crc else "12")
        return f"{version}{maker:<8}{model:<6}100SIM"

    def _started(self, asked: Command) -> Said:
        body = asked.body.removeprefix("I") if asked.kind is Kind.ABOUT else asked.body
        name = plain_name(body)
        own = self.instrument.measurement_of(name)
        seconds = own.seconds if self.seconds is None else self.seconds
        numbers = self._numbers(name, own)
        limit = {1: 9, 2: 99, 3: 999}[asked.digits]
        numbers = numbers[:limit]
        if asked.kind is Kind.START:
            wait_s = 0.8 * seconds if self.ready_s is None else self.ready_s
            pages = self._cut(numbers, own, body[0])
            wait_s = wait_s if seconds else 0.0
            tells = wait_s > 0 and not asked.is_concurrent
            self._now = Measuring(asked, self.wall() + wait_s, pages, numbers, tells_its_end=tells)
        return self._line(f"{seconds:03d}{len(numbers):0{asked.digits}d}")

    def _data(self, asked: Command) -> Said:
        if self._now is None or self._now.asked.is_binary:
            return self._line("")
        pages = self._now.pages
        text = pages[asked.page] if asked.page < len(pages) else ""
        return self._line(text, has_crc=self._now.asked.has_crc)

    def _page(self, asked: Command) -> Said:
        numbers = self._now.numbers if self._now is not None and self._now.asked.is_binary else []
        frames = sdi12_binary.pages(self.address, numbers, most=self._most_bytes())
        return Said(frames[min(asked.page, len(frames) - 1)], is_page=True, is_checked=True)

    def _most_bytes(self) -> int:
        return 4 * self.instrument.measurement_of("HB").per_page

    def _pages(self, name: str) -> list[str]:
        own = self.instrument.measurement_of(name)
        return self._cut(self._numbers(name, own), own, name[0])

    def _numbers(self, name: str, own: Measurement) -> list[float]:
        readings = self.feed.at(self.clock())
        numbers = []
        for position in range(1, (own.count or 0) + 1):
            channel = self.instrument.at(name, position)
            value = math.nan
            if channel is not None:
                value = (reading_of(channel, readings).value - channel.offset) / channel.scale
            numbers.append(value)
        return numbers

    def _cut(self, numbers: list[float], own: Measurement, family: str) -> list[str]:
        """Return the pages that hold the values, within the length that a line of the measurement may have."""
        pages: list[list[str]] = [[]]
        most = LONGEST_VALUES.get(family, LONGEST_OTHERS)
        for number in numbers:
            text = _written(number, own.decimals)
            if len(pages[-1]) == own.per_page or sum(map(len, pages[-1])) + len(text) > most:
                pages.append([])
            pages[-1].append(text)
        for page in pages:
            if self.has_swapped and len(page) > 1:
                page[0], page[1] = page[1], page[0]
        return ["".join(page) for page in pages]


def _written(number: float, decimals: int) -> str:
    """Return a number with its sign and at most seven digits."""
    if not math.isfinite(number):
        return ABSENT
    for places in range(decimals, -1, -1):
        text = f"{number:+.{places}f}"
        if sum(character.isdigit() for character in text) <= 7:
            return text
    return "+9999999" if number > 0 else "-9999999"
