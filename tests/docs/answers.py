"""What a page shows of an answer, beside what was answered: equal in every member, but where `…` leaves something out.

`…` stands for any value, for the further members of an object, for any run of elements of an array or of lines, and
within a text for any part of it.
"""

from __future__ import annotations

import json
import re
from typing import Any

LEFT_OUT = "…"
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|…|[{}\[\]:,]')


def shown(text: str) -> list[Any]:
    """Return the JSON documents that a page shows, `…` in place of what it leaves out."""
    return documents(_PIECE.sub(_Spelling(text).spelt, text))


def documents(text: str) -> list[Any]:
    """Return the JSON documents that follow each other in a text.

    Raises
    ------
    ValueError
        If it is something else.
    """
    found, at = [], 0
    decoder = json.JSONDecoder()
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


class _Spelling:
    """Spells `…` as JSON has it: a member of an object, or a value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[str] = []
        self._last = ""

    def spelt(self, piece: re.Match[str]) -> str:
        """Return what stands there instead."""
        sign = piece[0]
        if sign in "{[":
            self._open.append(sign)
        elif sign in "}]":
            self._open.pop()
        if sign == LEFT_OUT:
            is_member = bool(self._open) and self._open[-1] == "{" and self._last != ":"
            sign = f'"{LEFT_OUT}": "{LEFT_OUT}"' if is_member else f'"{LEFT_OUT}"'
        self._last = piece[0]
        return sign


def difference(page: Any, told: Any, place: str = "$") -> str | None:
    """Return where what a page shows is not what was told, and how; None if it is."""
    if page == LEFT_OUT:
        return None
    if isinstance(page, dict) and isinstance(told, dict):
        return _of_objects(page, told, place)
    if isinstance(page, list) and isinstance(told, list):
        return _of_arrays(page, told, place)
    if isinstance(page, str) and isinstance(told, str):
        is_same = re.fullmatch(".*".join(map(re.escape, page.split(LEFT_OUT))), told, re.DOTALL) is not None
    else:
        is_same = page == told and isinstance(page, bool) == isinstance(told, bool)
    return None if is_same else f"{place}: the page shows {page!r}, told was {_short(told)}"


def _of_objects(page: dict[str, Any], told: dict[str, Any], place: str) -> str | None:
    names = page.keys() - {LEFT_OUT}
    if absent := names - told.keys():
        return f"{place}: {sorted(absent)} is not told; {_short(told)}"
    if LEFT_OUT not in page and (more := told.keys() - names):
        return f"{place}: {sorted(more)} is told and not shown"
    found = (difference(page[name], told[name], f"{place}.{name}") for name in names)
    return next(filter(None, found), None)


def _of_arrays(page: list[Any], told: list[Any], place: str) -> str | None:
    shown_first = page.index(LEFT_OUT) if LEFT_OUT in page else len(page)
    if len(told) < shown_first or (shown_first == len(page) and len(told) > len(page)):
        return f"{place}: the page shows {shown_first}, told were {len(told)}: {_short(told)}"
    pairs = zip(page[:shown_first], told, strict=False)
    found = (difference(one, other, f"{place}[{at}]") for at, (one, other) in enumerate(pairs))
    if wrong := next(filter(None, found), None):
        return wrong
    if shown_first == len(page):
        return None
    rest = page[shown_first + 1 :]
    if not rest or any(_of_arrays(rest, told[at:], place) is None for at in range(shown_first, len(told) + 1)):
        return None
    return f"{place}: what the page shows after {LEFT_OUT} is not told: {_short(rest)}, but {_short(told)}"


def _short(value: Any) -> str:
    return repr(value)[:600]
