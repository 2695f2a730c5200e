"""The parity of SDI-12's 7E1 characters where a port is set to 8N1 and bit 7 holds it.

A port that we drive ourselves is opened so: a driver of the kernel throws a character with wrong parity away or lets it
pass unseen, and binary pages have eight bits.
"""

from __future__ import annotations

from nilometer.errors import FrameError

__all__ = ["with_parity", "without_parity"]


def with_parity(data: bytes) -> bytes:
    """Return seven-bit characters with even parity in bit 7.

    Examples
    --------
    >>> with_parity(b"0+1").hex()
    '302bb1'
    """
    return bytes(byte | 0x80 if byte.bit_count() % 2 else byte for byte in data)


def without_parity(line: bytes) -> tuple[bytes, bool]:
    """Return the seven-bit characters of a line, and whether bit 7 held their parity.

    Raises
    ------
    FrameError
        If parity is wrong in any character, or one of them is a control character.
    """
    has_parity = any(byte & 0x80 for byte in line)
    if has_parity and any(byte.bit_count() % 2 for byte in line):
        raise FrameError("characters: beyond ASCII, and not even parity either; open the port 7E1", frame=line)
    plain = bytes(byte & 0x7F for byte in line)
    if any(byte < 0x20 for byte in plain):
        raise FrameError("characters: control characters in the line", frame=line)
    return plain, has_parity
