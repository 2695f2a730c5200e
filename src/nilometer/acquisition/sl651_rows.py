"""Values of SL 651 to rows: channels, intervals, marks, what was a test; does no I/O.

A channel's key is the element's letters, ``Z``, ``PN05``, with ``STATION/`` in front unless one station alone is
configured. The standard gives a time of an interval its end; a row begins where the interval does.

What a station says of its instruments (ZT, Table 58) is the mark of the values that came with it: ``ZT6`` its level
instrument is at fault, ``ZT5`` its flow instrument. What a test report (30H) says is of a sample of kind CHECK.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping

from nilometer.acquisition.driver import Channel
from nilometer.acquisition.protocols.sl651 import SYMBOLS, Body, Element, Frame, Observed
from nilometer.acquisition.rows import ChannelTable, Row
from nilometer.errors import FrameError
from nilometer.model.entities import SampleKind

__all__ = ["PERIOD_QUERY", "ReportRows"]

PERIOD_QUERY = 0x38
TEST_REPORT = 0x30
MANUAL = "RGZS"
_FAULTS: Mapping[str, tuple[int, frozenset[str]]] = {
    "ZT5": (1 << 5, frozenset({"Q", "QA", "QZ", *(f"Q{n}" for n in range(1, 9))})),
    "ZT6": (
        1 << 6,
        frozenset({"Z", "ZB", "ZU", *(f"Z{n}" for n in range(1, 9)), *(f"DRZ{n}" for n in range(1, 9))}),
    ),
}


class ReportRows:
    """Turns what stations observed into rows on the source's channels.

    Parameters
    ----------
    table : ChannelTable
        The channels.
    several : bool
        Put ``STATION/`` before the keys.
    """

    def __init__(self, table: ChannelTable, *, several: bool) -> None:
        self._table, self._several = table, several

    def prefix(self, station: str) -> str:
        """Return what the keys of a station begin with."""
        return f"{station}/" if self._several else ""

    def newest(self, station: str, stored: Callable[[str], Mapping[str, int]]) -> dict[str, int]:
        """Return the time of the newest value that is stored of each element of a station, as the wire has it.

        Parameters
        ----------
        station : str
            Its address.
        stored : callable
            Gives the newest time of each channel whose key begins with a text, µs since 1970 UTC.
        """
        prefix = self.prefix(station)
        found = {key.removeprefix(prefix): time for key, time in stored(prefix).items()}
        return {symbol: time + SYMBOLS[symbol].duration_us for symbol, time in found.items() if symbol in SYMBOLS}

    def rows(self, frame: Frame, body: Body) -> list[Row]:
        """Return the rows of a message.

        Raises
        ------
        FrameError
            If it names more channels than a source takes.
        """
        states = {item.station: int(item.value) for item in body.observed if item.element.symbol == "ZT"}
        kind = SampleKind.CHECK if frame.function == TEST_REPORT else SampleKind.WATER
        # A period is answered in whole hours: that a station remembers nothing of a time is no observation of it, and
        # must not revise what it reported at that time.
        is_memory = frame.function == PERIOD_QUERY
        if body.text:
            return [self._manual(frame.station, body)]
        return [
            Row(
                self._index(item),
                (item.time or body.sent) - item.element.duration_us,
                item.value,
                duration=item.element.duration_us,
                sample=kind,
                mark=item.mark or (_fault(item.element, states.get(item.station, 0)) if states else None),
            )
            for item in body.observed
            if not (is_memory and math.isnan(item.value))
        ]

    def _manual(self, station: str, body: Body) -> Row:
        """Return what somebody typed in at a station (35H, 39H): no value, its text beside it."""
        key = self.prefix(station) + MANUAL
        index = self._known(key, lambda: Channel(key, name="Manual report"))
        return Row(index, body.sent, math.nan, extra=json.dumps({"text": body.text}, ensure_ascii=False))

    def _index(self, item: Observed) -> int:
        key = self.prefix(item.station) + item.element.symbol
        return self._known(key, lambda: _channel(key, item.element))

    def _known(self, key: str, make: Callable[[], Channel]) -> int:
        if key not in self._table and self._table.is_full:
            raise FrameError(f"channels: {key!r} is one too many")
        return self._table.index(key, make)


def _fault(element: Element, state: int) -> str | None:
    return next((mark for mark, (bit, of) in _FAULTS.items() if state & bit and element.symbol in of), None)


def _channel(key: str, element: Element) -> Channel:
    return Channel(key, element.observed_property, element.unit, element.name)
