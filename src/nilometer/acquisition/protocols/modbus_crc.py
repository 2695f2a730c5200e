"""The check value of Modbus RTU: CRC-16, start 0xFFFF, polynomial 0xA001 reflected, low byte first on the wire.

References
----------
MODBUS over Serial Line Specification and Implementation Guide V1.02 (2006), section 6.2.2.
"""

from __future__ import annotations

__all__ = ["crc16"]


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
