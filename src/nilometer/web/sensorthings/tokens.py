"""The words of SensorThings query options: numbers, texts, times, names and signs, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from nilometer.errors import RequestError

__all__ = ["Token", "TokenKind", "tokens"]


class TokenKind(StrEnum):
    """What a token is."""

    TIME = "time"
    DATE = "date"
    CLOCK = "time of day"
    NUMBER = "number"
    TYPED = "typed text"  # duration'PT1H', geography'POINT(8 51)'
    TEXT = "text"
    OPTION = "option"
    NAME = "name"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One word: its kind, its text as written, and the column it starts in, from 0."""

    kind: TokenKind
    text: str
    at: int


# Order matters: a time begins like a date, a date like a number.
_WORDS = re.compile(
    r"""
      (?P<TIME>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)
    | (?P<DATE>\d{4}-\d\d-\d\d)
    | (?P<CLOCK>\d\d:\d\d(?::\d\d(?:\.\d+)?)?)
    | (?P<NUMBER>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<TYPED>[A-Za-z]+'(?:[^']|'')*')
    | (?P<TEXT>'(?:[^']|'')*')
    | (?P<OPTION>\$[A-Za-z]+)
    | (?P<NAME>@?[^\W\d][\w-]*(?:\.[\w-]+)*)
    | (?P<SIGN>[(),;:/=\[\]-])
    | (?P<SPACE>\s+)
    """,
    re.VERBOSE,
)


def tokens(text: str, place: str) -> list[Token]:
    """Return the words of a query option's value; the last one is `TokenKind.END`.

    Parameters
    ----------
    text : str
        The value, decoded.
    place : str
        The option's name, for the error.

    Raises
    ------
    RequestError
        At a character that begins no word or that no database holds, or a text without its closing quote.
    """
    found = []
    at = 0
    if "\x00" in text:
        raise RequestError("a text cannot hold NUL", place=f"{place} at {text.index(chr(0))}")
    while at < len(text):
        match = _WORDS.match(text, at)
        if match is None or match.lastgroup is None:
            what = "a text without its closing quote" if text[at] == "'" else f"unexpected {text[at]!r}"
            raise RequestError(what, place=f"{place} at {at}")
        if match.lastgroup != "SPACE":
            found.append(Token(TokenKind[match.lastgroup], match.group(), at))
        at = match.end()
    found.append(Token(TokenKind.END, "", len(text)))
    return found
