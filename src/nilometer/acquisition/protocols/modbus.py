"""Modbus messages: the protocol data unit (PDU) and its two frames, RTU and MBAP; pure, no I/O.

A PDU is a function code and its data. The frames carry it::

    RTU    ┌──────┬─────────────────────┬──────────┐
           │ unit │ PDU: function, data │ CRC-16   │   CRC low byte first
           │  1   │      1 to 253       │    2     │
           └──────┴─────────────────────┴──────────┘
    MBAP   ┌─────────────┬──────────┬────────┬──────┬─────────────────────┐
           │ transaction │ protocol │ length │ unit │ PDU: function, data │   big-endian; protocol 0;
           │      2      │    2     │   2    │  1   │      1 to 253       │   length counts unit and PDU
           └─────────────┴──────────┴────────┴──────┴─────────────────────┘

    read 1-4      request  function, address u16, count u16          answer  function, bytes u8, data
    write 5, 6    request  function, address u16, value u16          answer  the same
    write 15, 16  request  function, address, count, bytes u8, data  answer  function, address, count
    both 23       request  function, address, count, address,        answer  function, bytes u8, data
                           count, bytes u8, data
    exception                                                        answer  function | 0x80, code

A count of 0 is illegal, and real: some sensors start a measurement on it. So counts are carried, not judged.

References
----------
MODBUS Application Protocol Specification V1.1b3 (2012), sections 4.1, 6 and 7; MODBUS Messaging on TCP/IP
Implementation Guide V1.0b (2006), section 3.1.3; MODBUS over Serial Line V1.02 (2006), section 2.5.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from nilometer.acquisition.protocols.modbus_crc import crc16
from nilometer.errors import ChecksumError, FrameError

__all__ = [
    "EXCEPTIONS",
    "ExceptionAnswer",
    "Frame",
    "Other",
    "Pdu",
    "ReadAnswer",
    "ReadRequest",
    "ReadWrite",
    "WriteBlock",
    "WriteBlockAnswer",
    "WriteOne",
    "decode_answer",
    "decode_request",
    "decode_rtu",
    "decode_tcp",
    "encode",
    "encode_rtu",
    "encode_tcp",
    "exception_text",
    "registers_of",
]

MOST_PDU = 253
READS = frozenset({1, 2, 3, 4})
READ_WRITE = 23
BIT_READS = frozenset({1, 2})
EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, still working",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not answer",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: who, what, and for MBAP which exchange."""

    unit: int
    pdu: bytes
    transaction: int | None = None


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read coils (1), discrete inputs (2), holding (3) or input registers (4)."""

    function: int
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What was read, as it stood on the wire."""

    function: int
    data: bytes


@dataclass(frozen=True, slots=True)
class WriteOne:
    """Write one coil (5) or one register (6); the answer repeats it."""

    function: int
    address: int
    value: int


@dataclass(frozen=True, slots=True)
class WriteBlock:
    """Write coils (15) or registers (16)."""

    function: int
    address: int
    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ReadWrite:
    """Write holding registers, then read others (23); its answer is a `ReadAnswer`."""

    address: int
    count: int
    write_address: int
    write_count: int
    data: bytes
    function: int = READ_WRITE


@dataclass(frozen=True, slots=True)
class WriteBlockAnswer:
    """Coils (15) or registers (16) were written."""

    function: int
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class ExceptionAnswer:
    """The device refuses; `function` is the one it was asked for."""

    function: int
    code: int


@dataclass(frozen=True, slots=True)
class Other:
    """A function this codec has no words for."""

    function: int
    data: bytes


Pdu = ReadRequest | ReadAnswer | ReadWrite | WriteOne | WriteBlock | WriteBlockAnswer | ExceptionAnswer | Other


def exception_text(code: int) -> str:
    """Return what an exception code means."""
    return EXCEPTIONS.get(code, "unknown exception")


def encode(pdu: Pdu) -> bytes:
    """Return a message as bytes.

    Parameters
    ----------
    pdu : Pdu
        The message.

    Raises
    ------
    FrameError
        If a field does not fit its place.

    Examples
    --------
    >>> encode(ReadRequest(3, 0x2600, 6)).hex()
    '0326000006'
    """
    try:
        return _encode(pdu)
    except OverflowError as error:
        raise FrameError(f"a field does not fit: {pdu}") from error


def _encode(pdu: Pdu) -> bytes:
    match pdu:
        case ReadRequest(function, address, count) | WriteBlockAnswer(function, address, count):
            data = _words(address, count)
        case ReadAnswer(function, content):
            data = len(content).to_bytes(1) + content
        case WriteOne(function, address, value):
            data = _words(address, value)
        case WriteBlock(function, address, count, content):
            data = _words(address, count) + len(content).to_bytes(1) + content
        case ReadWrite(address, count, write_address, write_count, content, function):
            data = _words(address, count, write_address, write_count) + len(content).to_bytes(1) + content
        case ExceptionAnswer(function, code):
            function, data = function | 0x80, code.to_bytes(1)
        case Other(function, data):
            pass
    encoded = function.to_bytes(1) + data
    if len(encoded) > MOST_PDU:
        raise FrameError(f"a message has at most {MOST_PDU} bytes, this one {len(encoded)}", frame=encoded)
    return encoded


def _words(*words: int) -> bytes:
    return b"".join(word.to_bytes(2) for word in words)


def decode_request(pdu: bytes) -> Pdu:
    """Return what a master asks.

    Parameters
    ----------
    pdu : bytes
        Function code and data.

    Raises
    ------
    FrameError
        If the length is not that of its function.
    """
    function = _function(pdu)
    if function & 0x80:
        raise FrameError(f"no request: {function:#04x} is an exception", frame=pdu)
    if function in READS or function in {5, 6}:
        _need(pdu, 5, "request")
        address, word = int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
        return ReadRequest(function, address, word) if function in READS else WriteOne(function, address, word)
    if function in {15, 16}:
        if len(pdu) < 6 or len(pdu) != 6 + pdu[5]:
            raise FrameError(f"request of function {function} with a wrong byte count", frame=pdu)
        return WriteBlock(function, int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5]), bytes(pdu[6:]))
    if function == READ_WRITE:
        if len(pdu) < 10 or len(pdu) != 10 + pdu[9]:
            raise FrameError(f"request of function {function} with a wrong byte count", frame=pdu)
        address, count, write_address, write_count = (int.from_bytes(pdu[at : at + 2]) for at in (1, 3, 5, 7))
        return ReadWrite(address, count, write_address, write_count, bytes(pdu[10:]))
    return Other(function, bytes(pdu[1:]))


def decode_answer(pdu: bytes) -> Pdu:
    """Return what a device answers.

    Parameters
    ----------
    pdu : bytes
        Function code and data.

    Raises
    ------
    FrameError
        If the length is not that of its function.

    Examples
    --------
    >>> decode_answer(bytes.fromhex("8302"))
    ExceptionAnswer(function=3, code=2)
    """
    function = _function(pdu)
    if function & 0x80:
        _need(pdu, 2, "exception")
        return ExceptionAnswer(function & 0x7F, pdu[1])
    if function in READS or function == READ_WRITE:
        if len(pdu) < 2 or len(pdu) != 2 + pdu[1]:
            raise FrameError(f"answer of function {function} with a wrong byte count", frame=pdu)
        return ReadAnswer(function, bytes(pdu[2:]))
    if function in {5, 6, 15, 16}:
        _need(pdu, 5, "answer")
        address, word = int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
        return WriteOne(function, address, word) if function < 15 else WriteBlockAnswer(function, address, word)
    return Other(function, bytes(pdu[1:]))


def _function(pdu: bytes) -> int:
    if not 1 <= len(pdu) <= MOST_PDU:
        raise FrameError(f"a message has 1 to {MOST_PDU} bytes, this one {len(pdu)}", frame=pdu)
    return pdu[0]


def _need(pdu: bytes, length: int, what: str) -> None:
    if len(pdu) != length:
        raise FrameError(f"{what} of function {pdu[0] & 0x7F} needs {length} bytes, has {len(pdu)}", frame=pdu)


def registers_of(answer: ReadAnswer) -> list[int]:
    """Return the registers (or the bits, eight a byte, lowest first) of an answer.

    Raises
    ------
    FrameError
        If registers came with half of one.
    """
    if answer.function in BIT_READS:
        return [byte >> bit & 1 for byte in answer.data for bit in range(8)]
    if len(answer.data) % 2:
        raise FrameError("registers have two bytes each, and one is left over", frame=answer.data)
    return [int.from_bytes(answer.data[i : i + 2]) for i in range(0, len(answer.data), 2)]


def encode_rtu(unit: int, pdu: bytes) -> bytes:
    """Return an RTU frame.

    Parameters
    ----------
    unit : int
        Device address, 0 to 255 (0: all; above 247 is off the standard, and used).
    pdu : bytes
        Function code and data.

    Examples
    --------
    >>> encode_rtu(1, bytes.fromhex("0326000006")).hex()
    '010326000006ce80'
    """
    body = unit.to_bytes(1) + pdu
    return body + crc16(body).to_bytes(2, "little")


def decode_rtu(frame: bytes) -> Frame:
    """Return what an RTU frame carries.

    Raises
    ------
    ChecksumError
        If the check value does not match.
    FrameError
        If it is too short or too long to be one.
    """
    if not 4 <= len(frame) <= MOST_PDU + 3:
        raise FrameError(f"an RTU frame has 4 to {MOST_PDU + 3} bytes, this one {len(frame)}", frame=frame)
    seen, right = int.from_bytes(frame[-2:], "little"), crc16(frame[:-2])
    if seen != right:
        raise ChecksumError(f"CRC is {seen:04X}, the bytes give {right:04X}", frame=frame, offset=len(frame) - 2)
    return Frame(frame[0], bytes(frame[1:-2]))


def encode_tcp(unit: int, pdu: bytes, transaction: int) -> bytes:
    """Return an MBAP frame.

    Parameters
    ----------
    unit : int
        Device address behind the gateway.
    pdu : bytes
        Function code and data.
    transaction : int
        Number of the exchange, 0 to 65535.
    """
    return _words(transaction, 0, len(pdu) + 1) + unit.to_bytes(1) + pdu


def decode_tcp(frame: bytes) -> Frame:
    """Return what an MBAP frame carries.

    Raises
    ------
    FrameError
        If the header is not one, or its length does not match.
    """
    if len(frame) < 8:
        raise FrameError(f"an MBAP frame has at least 8 bytes, this one {len(frame)}", frame=frame)
    if frame[2:4] != b"\x00\x00":
        raise FrameError("protocol identifier is not 0", frame=frame, offset=2)
    length = int.from_bytes(frame[4:6])
    if length != len(frame) - 6 or length > MOST_PDU + 1:
        raise FrameError(f"header counts {length} bytes, {len(frame) - 6} follow", frame=frame, offset=4)
    return Frame(frame[6], bytes(frame[7:]), int.from_bytes(frame[:2]))
