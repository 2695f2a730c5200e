"""The decoding contract: bytes of a wire, in any cut, to what they say; ``nilometer decode`` is built on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

__all__ = ["BadFrame", "DecodedValue", "Decoder", "DecoderInfo"]


class DecodedValue(msgspec.Struct, frozen=True, kw_only=True):
    """One value, in the wire's own words; a struct, for a decoder makes one a value.

    `flag` is what the wire says of the value, verbatim; `time` the wire's own time as ISO 8601, or None; `more` holds
    whatever else the frame says of it (statistic, address, station).
    """

    parameter: str
    value: float | str | None
    unit: str | None = None
    flag: str | None = None
    time: str | None = None
    more: Mapping[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFrame:
    """Bytes that were refused: why, where in the stream they began, and which they were."""

    error: str
    offset: int
    frame: bytes


class Decoder(Protocol):
    """A pure state machine over the bytes of one connection."""

    def feed(self, data: bytes) -> Iterable[DecodedValue | BadFrame]:
        """Take the next bytes, whatever their cut, and return what became whole with them."""

    def close(self) -> Iterable[DecodedValue | BadFrame]:
        """Say that no more bytes come, and return what is left; an unfinished frame is a `BadFrame`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderInfo:
    """A protocol that ``nilometer decode`` knows: a module constant ``DECODER`` in `nilometer.acquisition.protocols`.

    `make(instrument)` gives a fresh decoder; `instrument` names an instrument file, or is None.
    """

    name: str
    title: str
    make: Callable[[str | None], Decoder]
    needs_instrument: bool = False
