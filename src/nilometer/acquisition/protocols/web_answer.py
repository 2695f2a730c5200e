"""What an answer of a public web service says, whichever service it is, and how one is refused.

A service's codec gives a `Page` for the bytes of one answer, or raises `FrameError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols.telemetry import Said, json_of
from nilometer.errors import FrameError

__all__ = ["DocumentDecoder", "Page", "document_of", "items", "text"]

MOST_BYTES = 64 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Page:
    """One answer.

    Parameters
    ----------
    values : list of Said
        In the answer's order.
    problems : list of str
        What could not be read, beside values that could.
    next : str
        The address of the next page; empty on the last.
    """

    values: list[Said] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    next: str = ""

    def complain(self, problem: str) -> None:
        """Note a problem, once, and no more of them than people read."""
        if problem not in self.problems and len(self.problems) < 10:
            self.problems.append(problem)


def document_of(body: bytes) -> Any:  # noqa: ANN401 -- whatever JSON holds
    """Return what a JSON answer holds.

    Raises
    ------
    FrameError
        If it is none; a page for people is called by its name.
    """
    start = body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise FrameError("html: a page for people came in place of data", frame=body[:256])
    return json_of(body)


def items(element: object, name: str) -> list[Any]:
    """Return a list inside an object; empty where there is none."""
    found = element.get(name) if isinstance(element, dict) else None
    return found if isinstance(found, list) else []


def text(element: object, name: str) -> str:
    """Return a text or number inside an object as text of at most 256 characters; empty where there is none."""
    found = element.get(name) if isinstance(element, dict) else None
    return str(found)[:256] if isinstance(found, str | int | float) else ""


class DocumentDecoder:
    """Decodes one whole answer, for ``nilometer decode``; meets `Decoder`.

    Parameters
    ----------
    read : callable
        Bytes of an answer to its `Page`.
    """

    def __init__(self, read: Callable[[bytes], Page]) -> None:
        self._read, self._body = read, bytearray()

    def feed(self, data: bytes) -> Iterable[DecodedValue | BadFrame]:
        """Take bytes; an answer is decoded when it is whole."""
        self._body += data[: MOST_BYTES - len(self._body)]
        return ()

    def close(self) -> Iterable[DecodedValue | BadFrame]:
        """Return what the answer says."""
        try:
            page = self._read(bytes(self._body))
        except FrameError as error:
            return [BadFrame(error=str(error), offset=0, frame=bytes(self._body[:256]))]
        return [
            *(_decoded(said) for said in page.values),
            *(BadFrame(error=problem, offset=0, frame=b"") for problem in page.problems),
        ]


def _decoded(said: Said) -> DecodedValue:
    more = {} if said.observed_property is None else {"observed_property": said.observed_property}
    stamp = None if said.time is None else (_EPOCH + timedelta(microseconds=said.time)).isoformat()
    return DecodedValue(parameter=said.key, value=said.value, unit=said.unit, flag=said.mark, time=stamp, more=more)
