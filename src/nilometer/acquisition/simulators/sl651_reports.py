"""The reports of a virtual SL 651 station: what its water is by the elements of the standard, and what it remembers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from nilometer.acquisition.protocols.sl651 import SYMBOLS, Element, Layout
from nilometer.acquisition.protocols.sl651_writing import Group, even_body, report_body
from nilometer.acquisition.simulators.simulator import Feed, Reading
from nilometer.model.properties import term, vocabulary
from nilometer.units import affine

__all__ = ["Reports"]

_MINUTE_US = 60_000_000
_KEPT = 20_000
_MOST_STEPS = 5000
_FIRST_OF: Mapping[str, Element] = {
    element.observed_property: element
    for element in reversed([*SYMBOLS.values()])
    if element.observed_property is not None and element.layout is Layout.NUMBER and element.duration_us == 0
}


class Reports:
    """Makes the bodies of a station.

    Parameters
    ----------
    feed : Feed
        The water, by observed property or by an element's letters; what has no element is not reported.
    zone : ZoneInfo
        The station's.
    station, kind : str
        Its address and its letter of Appendix A.
    is_text : bool
        In the ASCII coding.
    """

    def __init__(self, feed: Feed, zone: ZoneInfo, *, station: str, kind: str, is_text: bool) -> None:
        self._feed, self._zone, self._station, self._kind, self._is_text = feed, zone, station, kind, is_text
        self._kept: deque[tuple[int, dict[str, float]]] = deque(maxlen=_KEPT)

    def observe(self, time: int) -> Group | None:
        """Read the water, remember it, and return it as of that minute; None: there is nothing to report."""
        minute = time - time % _MINUTE_US
        values = list(_read(self._feed.at(time)))
        if not values:
            return None
        self._kept.append((minute, {element.symbol: value for element, value in values}))
        return Group(minute, values)

    def body(self, serial: int, sent: int, groups: Sequence[Group]) -> bytes:
        """Return the body of a report."""
        return report_body(serial, sent, self._station, self._kind, groups, self._zone, is_text=self._is_text)

    def period(self, serial: int, sent: int, symbol: str, first: int, last: int, step_us: int) -> bytes:
        """Return the body that answers a query for a period: what is remembered, no value where nothing is."""
        kept = {time: values[symbol] for time, values in self._kept if symbol in values}
        times = range(first, min(last, first + _MOST_STEPS * step_us) + 1, step_us)
        values = [kept.get(time, math.nan) for time in times]
        return even_body(
            *(serial, sent, self._station, self._kind, SYMBOLS[symbol], first, step_us, values, self._zone),
            is_text=self._is_text,
        )


def _read(readings: Mapping[str, Reading]) -> Iterator[tuple[Element, float]]:
    for key, reading in readings.items():
        if key in SYMBOLS and SYMBOLS[key].layout in {Layout.NUMBER, Layout.STATE}:
            yield SYMBOLS[key], reading.value
        elif key in vocabulary() and key in _FIRST_OF:
            element = _FIRST_OF[key]
            scale, offset = affine(term(key).unit, element.unit or term(key).unit)
            yield element, reading.value * scale + offset
