"""The binary pages of SDI-12's high-volume measurements (aHB!, aDB0! …), version 1.4.

::

    ┌─────────┬──────────────┬──────┬─────────────────┬───────────────┐
    │ address │ payload size │ type │ payload         │ CRC-16        │
    ├─────────┼──────────────┼──────┼─────────────────┼───────────────┤
    │ 1       │ 2, low first │ 1    │ at most 1000    │ 2, low first  │
    └─────────┴──────────────┴──────┴─────────────────┴───────────────┘
    └──────────────── the CRC runs over these ────────┘

Bytes have eight bits and no parity: an adapter that strips bit 7 cannot carry a page.

References
----------
SDI-12 specification 1.4 (2019), section 5.2.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nilometer.acquisition.protocols.sdi12_crc import crc_bytes
from nilometer.errors import ChecksumError, FrameError

__all__ = ["HEAD", "LONGEST_PAYLOAD", "TAIL", "TYPES", "Page", "page", "page_length", "pages"]

HEAD, TAIL = 4, 2
LONGEST_PAYLOAD = 1000

TYPES = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "q", 8: "Q", 9: "f", 10: "d"}
"""Data type to `struct` character: int8, uint8, int16 … uint64, float32, float64; 0 says that the request was bad."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page holds; no values: there are no more."""

    address: str
    kind: int
    values: tuple[float, ...]


def page_length(head: bytes) -> int:
    """Return how long the page is that begins so.

    Raises
    ------
    FrameError
        If the size is beyond what a page may hold.
    """
    size = int.from_bytes(head[1:3], "little")
    if size > LONGEST_PAYLOAD:
        raise FrameError(f"page_size: {size} bytes of payload; a page holds at most {LONGEST_PAYLOAD}", frame=head)
    return HEAD + size + TAIL


def page(data: bytes) -> Page:
    """Return what one whole page says.

    Parameters
    ----------
    data : bytes
        From the address to the check value.

    Returns
    -------
    Page
        A 32-bit float is the shortest decimal that it stands for.

    Raises
    ------
    ChecksumError
        If the check value is wrong.
    FrameError
        If length, type and size do not go together, or the sensor says that the request was bad.
    """
    if len(data) < HEAD + TAIL or len(data) != page_length(data[:HEAD]):
        raise FrameError(f"page_length: {len(data)} bytes are not the page that they announce", frame=data)
    if crc_bytes(data[:-TAIL]) != data[-TAIL:]:
        raise ChecksumError(f"crc_mismatch: {crc_bytes(data[:-TAIL]).hex()} expected", frame=data)
    payload, kind, address = data[HEAD:-TAIL], data[3], chr(data[0])
    if kind == 0 and not payload:
        raise FrameError("invalid_request: the sensor has no such page", frame=data)
    form = TYPES.get(kind)
    if not payload:
        return Page(address, kind, ())
    if form is None:
        raise FrameError(f"page_type: {kind} is no data type (1 to 10)", frame=data)
    width = struct.calcsize(f"<{form}")
    if len(payload) % width:
        raise FrameError(f"page_size: {len(payload)} bytes are no whole number of {width}-byte values", frame=data)
    values = struct.unpack(f"<{len(payload) // width}{form}", payload)
    return Page(address, kind, tuple(_shortest(value) if form == "f" else value for value in values))


def _shortest(value: float) -> float:
    return float(str(np.float32(value))) if math.isfinite(value) else value


def pages(address: str, values: Sequence[float], *, kind: int = 9, most: int = LONGEST_PAYLOAD) -> list[bytes]:
    """Return values as pages: the inverse of `page`, for a virtual sensor.

    Parameters
    ----------
    address : str
        The sensor.
    values : sequence of float
        In order.
    kind : int
        The data type.
    most : int
        How many bytes of payload a page may hold.
    """
    form = TYPES[kind]
    many = max(1, most // struct.calcsize(f"<{form}"))
    cuts = [values[i : i + many] for i in range(0, len(values), many)]
    return [_framed(address, struct.pack(f"<{len(cut)}{form}", *cut), kind) for cut in [*cuts, ()]]


def _framed(address: str, payload: bytes, kind: int) -> bytes:
    body = address.encode("ascii") + len(payload).to_bytes(2, "little") + kind.to_bytes(1) + payload
    return body + crc_bytes(body)
