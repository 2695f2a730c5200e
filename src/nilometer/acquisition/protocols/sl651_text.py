"""Bodies of SL 651 messages in the ASCII coding: ``0001`` ``240109160128``, then words with a blank behind each.

``ST 0012345678 H TT 2401091601 PJ 3.5 Z 12.34 VT 12.1 ``: letters name an element, its number follows. A step is one
word, ``DRH01`` (D, H, N: days, hours, minutes). Data of even steps name all elements first, then give their values step
by step, ``M`` where there is none. Five-minute data of an hour (DRP, DRZ1) are 24 or 48 hexadecimal characters.

References
----------
SL 651-2014 section 6.6.2, 6.6.4.4, Appendix C with note g and Table C.2; ST, TT and their order as 64673a/SL651-2014
(sl651/ascii_codec.py) writes them. A frame of a real station in this coding was not found.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import deque
from dataclasses import dataclass, field

from nilometer.acquisition.protocols.sl651_body import DATA, EVEN, NO_KIND, Body, Observed, spread
from nilometer.acquisition.protocols.sl651_elements import SYMBOLS, Element, Layout
from nilometer.acquisition.protocols.sl651_numbers import bcd_time
from nilometer.errors import FrameError

__all__ = ["parse_text_body"]

_HEAD = re.compile(r"([0-9A-Fa-f]{4})(\d{12})")
_STEP = re.compile(r"DR([DHN])(\d\d)")
_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,7})?")
_WORD = re.compile(r"[A-Z][A-Z0-9]{0,7}")
_UNIT_US = {"D": 86_400_000_000, "H": 3_600_000_000, "N": 60_000_000}
_HOURLY_STEP_US = 300_000_000
_MOST_ELEMENTS = 100


@dataclass(slots=True)
class _State:
    station: str
    kind: str = ""
    time: int | None = None
    step_us: int = 0
    found: list[Observed] = field(default_factory=list)


def parse_text_body(function: int, station: str, data: bytes, zone: dt.tzinfo) -> Body:
    """Return what a body of the ASCII coding says; see `parse_body`.

    Raises
    ------
    FrameError
        If not even its serial number and time can be read.
    """
    text = data.decode("gb18030", "replace")
    head = _HEAD.match(text)
    if head is None:
        raise FrameError(f"body: {text[:16]!r} is no serial number and time", frame=data)
    serial, sent = int(head[1], 16), bcd_time(head[2], zone)
    rest = text[16:]
    if rest.startswith("RGZS "):
        return Body(serial, sent, text=rest[5:].strip())
    if function not in DATA:
        return Body(serial, sent, rest=data[16:])
    state, problem = _State(station), ""
    words = deque(rest.split())
    try:
        while words:
            _group(words, function, state, zone)
    except FrameError as error:
        problem = str(error)
    return Body(serial, sent, tuple(state.found), problem=problem)


def _next(words: deque[str], what: str) -> str:
    if not words:
        raise FrameError(f"body: it ends where {what} was expected")
    return words.popleft()


def _group(words: deque[str], function: int, state: _State, zone: dt.tzinfo) -> None:
    word = words.popleft().upper()
    step = _STEP.fullmatch(word)
    if word == "ST":
        state.station, state.time = _next(words, "a station's address"), None
        if function not in NO_KIND and words and words[0].upper() != "TT":
            state.kind = words.popleft()[:1]
    elif word == "TT":
        state.time = bcd_time(_next(words, "a time of observation"), zone)
    elif step is not None:
        state.step_us = int(step[2]) * _UNIT_US[step[1]]
    elif not _WORD.fullmatch(word):
        raise FrameError(f"body: {word[:20]!r} names no element")
    elif function in EVEN and state.step_us:
        _run(word, words, state)
    else:
        state.found += _values(_element(word), _next(words, "a value"), state)


def _element(word: str) -> Element:
    return SYMBOLS.get(word) or Element(0, word, word, word, None, 10)


def _values(element: Element, text: str, state: _State) -> list[Observed]:
    if state.time is None and element.layout is not Layout.STATE:
        raise FrameError(f"element {element.symbol}: no time of observation is in front of it")
    width = {Layout.RAIN: 2, Layout.LEVELS: 4}.get(element.layout)
    if width is None:
        return list(spread(state.station, state.kind, element, state.time or 0, 0, [_value(text, element)]))
    if len(text) % width or not re.fullmatch("[0-9A-Fa-f]+", text):
        raise FrameError(f"element {element.symbol}: {text[:60]!r} are no hexadecimal values of {width} characters")
    scale = 10 if element.layout is Layout.RAIN else 100
    numbers = [int(text[i : i + width], 16) for i in range(0, len(text), width)]
    none = 16**width - 1
    values: list[tuple[float, str | None]] = [
        (math.nan, "F") if number == none else (number / scale, None) for number in numbers
    ]
    return list(spread(state.station, state.kind, element, state.time or 0, _HOURLY_STEP_US, values))


def _value(text: str, element: Element) -> tuple[float, str | None]:
    if text == "M":
        return math.nan, "M"
    if element.layout is Layout.STATE and re.fullmatch("[0-9A-Fa-f]{1,8}", text):
        return float(int(text, 16)), None
    if not _NUMBER.fullmatch(text):
        raise FrameError(f"element {element.symbol}: {text[:20]!r} is no number")
    return float(text), None


def _run(word: str, words: deque[str], state: _State) -> None:
    """Take values of even steps: all elements are named, then come their values, step by step."""
    elements = [_element(word)]
    while words and _WORD.fullmatch(words[0].upper()) and words[0] != "M" and len(elements) < _MOST_ELEMENTS:
        elements.append(_element(words.popleft().upper()))
    start = state.time
    while words and words[0].upper() not in {"ST", "TT"}:
        for element in elements:
            state.found += _values(element, _next(words, f"a value of {element.symbol}"), state)
        if state.time is not None:
            state.time += state.step_us
    state.time = start
