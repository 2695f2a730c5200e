"""The check of HJ 212: CRC16 of Appendix A, which is *not* the Modbus CRC, though it has its polynomial and start.

Each step shifts the register by a whole byte *before* the XOR, which throws its low byte away. The register can
therefore take only 256 values: this is a framing check, and a random error passes it once in 256.

References
----------
HJ 212-2017 Appendix A; its worked example ends in 1C80 (the sentence under it, which says 1C08, is a misprint).
"""

from __future__ import annotations

__all__ = ["crc16", "modbus_crc16"]


def _step(register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register


_TABLE = tuple(_step(byte) for byte in range(256))
_UPPER = bytes(entry >> 8 for entry in _TABLE)


def crc16(data: bytes) -> int:
    """Return the check of a data segment, from its first name to the closing ``&&``.

    Examples
    --------
    >>> f"{crc16(b'123456789'):04X}"
    '2F80'
    """
    if not data:
        return 0xFFFF
    # Of the register only the upper byte goes on to the next step.
    upper = 0xFF
    for byte in data[:-1]:
        upper = _UPPER[upper ^ byte]
    return _TABLE[upper ^ data[-1]]


def modbus_crc16(data: bytes) -> int:
    """Return the Modbus CRC, to recognise senders that use it by mistake.

    Examples
    --------
    >>> f"{modbus_crc16(b'123456789'):04X}"
    '4B37'
    """
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ _TABLE[(register ^ byte) & 0xFF]
    return register
