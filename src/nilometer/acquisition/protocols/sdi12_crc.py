"""The check value of SDI-12: CRC-16/ARC, as three printable characters or as two bytes behind a binary page."""

from __future__ import annotations

__all__ = ["crc", "crc_bytes", "crc_text"]


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE = _table()


def crc(data: bytes) -> int:
    """Return the check value of everything from the address to the last character of the values.

    References
    ----------
    SDI-12 specification 1.4, section 4.4.12: start 0, polynomial 0xA001, least significant bit first.
    """
    value = 0
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def crc_text(data: bytes) -> bytes:
    """Return the check value as it stands behind values: six bits a character, in ``@`` to DEL.

    Examples
    --------
    >>> crc_text(b"0+3.14")
    b'OqZ'
    """
    value = crc(data)
    return bytes([0x40 | value >> 12, 0x40 | (value >> 6) & 0x3F, 0x40 | value & 0x3F])


def crc_bytes(data: bytes) -> bytes:
    """Return the check value as it stands behind a binary page: low byte first."""
    return crc(data).to_bytes(2, "little")
