"""The check value of Modbus RTU: CRC-16, start 0xFFFF, polynomial 0xA001 reflected, low byte first on the wire.

References
----------
MODBUS over Serial Line Specification and Implementation Guide V1.02 (2006), section 6.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

__all__ = ["LONGEST_STRETCH", "behind_zeros", "crc16", "registers_along"]

LONGEST_STRETCH = 256
"""Bytes: no frame of a serial line is longer."""


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_TABLE = tuple(_entry(byte) for byte in range(256))


def crc16(data: bytes) -> int:
    """Return the check value of some bytes.

    Examples
    --------
    >>> crc16(bytes.fromhex("010326000004")).to_bytes(2, "little").hex()
    '4f41'
    """
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def registers_along(data: bytes, register: int) -> Iterator[int]:
    """Yield the check register behind each byte, begun with `register`."""
    for byte in data:
        register = (register >> 8) ^ _TABLE[(register ^ byte) & 0xFF]
        yield register


def behind_zeros(register: int, length: int) -> int:
    """Return the check register behind `length` bytes of zero.

    The register is linear in its start and its bytes. So bytes i to j, begun with 0xFFFF and their own check value
    among them, leave 0 exactly if the register along the stream, r, begun with anything, has
    ``r[j] == behind_zeros(r[i] ^ 0xFFFF, j - i)``: every stretch of a stream is judged without reading it again.

    Parameters
    ----------
    register : int
        0 to 0xFFFF.
    length : int
        Number of bytes, 0 to `LONGEST_STRETCH`.

    Examples
    --------
    >>> frame = bytes.fromhex("0103260000044f41")
    >>> behind_zeros(0xFFFF, len(frame)) == list(registers_along(frame, 0))[-1]
    True
    """
    low, high = _shifted()[length]
    return low[register & 0xFF] ^ high[register >> 8]


def _zero(register: int) -> int:
    return (register >> 8) ^ _TABLE[register & 0xFF]


@cache
def _shifted() -> tuple[tuple[list[int], list[int]], ...]:
    """Return, by length, what becomes of the low and of the high byte of the register."""
    tables = [(list(range(256)), [byte << 8 for byte in range(256)])]
    for _ in range(LONGEST_STRETCH):
        low, high = tables[-1]
        tables.append(([_zero(value) for value in low], [_zero(value) for value in high]))
    return tuple(tables)
