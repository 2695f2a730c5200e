"""Register types: numbers and text as instruments lay them over 16-bit registers, in any order of words and bytes.

The order is written as four letters for a 32-bit value, A its most significant byte; longer values follow the same
rule::

    ABCD   big-endian words, high word first      (Modbus' own)
    CDAB   big-endian words, low word first
    BADC   bytes swapped in each word, high word first
    DCBA   all bytes reversed

The same registers give plausible numbers in a wrong order, so nothing is guessed here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from typing import Literal

import numpy as np

from nilometer.errors import FrameError

__all__ = ["Order", "RegisterType", "decode", "decoder", "encode", "width"]


class Order(StrEnum):
    """Where the bytes of a value stand."""

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"

    @property
    def swaps_words(self) -> bool:
        """Return whether the low word comes first."""
        return self in {Order.CDAB, Order.DCBA}

    @property
    def swaps_bytes(self) -> bool:
        """Return whether the low byte of a word comes first."""
        return self in {Order.BADC, Order.DCBA}

    @property
    def with_words_swapped(self) -> Order:
        """Return the order that a master sees who took the words the wrong way round."""
        return {"ABCD": Order.CDAB, "CDAB": Order.ABCD, "BADC": Order.DCBA, "DCBA": Order.BADC}[self.value]


class RegisterType(StrEnum):
    """What a value is made of; `BIT` is a coil or a discrete input."""

    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    STRING = "string"
    BIT = "bit"


_FORMATS = {
    RegisterType.INT16: ">h",
    RegisterType.INT32: ">i",
    RegisterType.INT64: ">q",
    RegisterType.UINT16: ">H",
    RegisterType.UINT32: ">I",
    RegisterType.UINT64: ">Q",
    RegisterType.FLOAT32: ">f",
    RegisterType.FLOAT64: ">d",
}


_FLOAT32 = struct.Struct(">f")
_LEAST_NORMAL = 2.0**-126


def width(kind: RegisterType) -> int | None:
    """Return how many registers a type takes; None for text, whose length the instrument states."""
    if kind is RegisterType.BIT:
        return 1
    form = _FORMATS.get(kind)
    return struct.calcsize(form) // 2 if form else None


def _arrange(data: bytes, order: Order) -> bytes:
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if order.swaps_words:
        words.reverse()
    if order.swaps_bytes:
        words = [word[::-1] for word in words]
    return b"".join(words)


def decode(registers: Sequence[int], kind: RegisterType, order: Order = Order.ABCD) -> float | int | str:
    """Return the value that registers hold.

    Parameters
    ----------
    registers : sequence of int, shape (n,)
        0 to 65535, as they stood on the wire; n as the type asks.
    kind : RegisterType
        The type.
    order : Order
        The order of words and bytes; for text only the bytes' counts.

    Returns
    -------
    float, int or str
        Floats may be NaN or infinite, and a 32-bit one is the shortest decimal that it stands for; text comes without
        NUL, pads and what is not printable.

    Raises
    ------
    FrameError
        If the count is not that of the type.

    Examples
    --------
    >>> decode([0xF628, 0x9441], RegisterType.FLOAT32, Order.DCBA)
    18.52
    """
    return decoder(kind, order)(registers)


@cache
def decoder(kind: RegisterType, order: Order = Order.ABCD) -> Callable[[Sequence[int]], float | int | str]:
    """Return what reads registers of one type and order: `decode`, for who reads the same ones again and again."""
    if kind is RegisterType.STRING:
        end: Literal["little", "big"] = "little" if order.swaps_bytes else "big"

        def text(registers: Sequence[int]) -> str:
            data = b"".join(word.to_bytes(2, end) for word in registers)
            return "".join(chr(byte) for byte in data if 0x20 <= byte < 0x7F).strip()

        return text
    needed = width(kind)
    # Bytes are swapped by the end at which the words are written, words by the order in which.
    words = struct.Struct(f"{'<' if order.swaps_bytes else '>'}{needed}H")
    unpack = struct.Struct(_FORMATS.get(kind, ">H")).unpack
    step = -1 if order.swaps_words else 1

    def number(registers: Sequence[int]) -> float | int:
        if len(registers) != needed:
            raise FrameError(f"{kind} takes {needed} registers, not {len(registers)}")
        if kind is RegisterType.BIT:
            return registers[0] & 1
        value: float | int = unpack(words.pack(*registers[::step]))[0]
        return _shortest(value) if kind is RegisterType.FLOAT32 else value

    return number


def _shortest(value: float) -> float:
    """Return the number that a 32-bit float was meant to be: 0.15, not 0.15000000596, which a limit of 0.15 refuses."""
    if _LEAST_NORMAL <= abs(value) < 1e38:
        # At most one decimal of six digits rounds to a normal 32-bit float: where there is one, none is shorter.
        short = float(f"{value:.6g}")
        if _FLOAT32.unpack(_FLOAT32.pack(short))[0] == value:
            return short
    return float(str(np.float32(value))) if math.isfinite(value) else value


def encode(
    value: float | str, kind: RegisterType, order: Order = Order.ABCD, *, count: int | None = None
) -> tuple[int, ...]:
    """Return the registers that hold a value: the inverse of `decode`.

    Parameters
    ----------
    value : float, int or str
        The value; integers are rounded and held at the ends of their type, a NaN in an integer becomes 0.
    kind : RegisterType
        The type.
    order : Order
        The order of words and bytes.
    count : int, optional
        The registers of a text, which is cut or filled with NUL.

    Examples
    --------
    >>> [hex(word) for word in encode(3.217, RegisterType.FLOAT32, Order.CDAB)]
    ['0xe354', '0x404d']
    """
    if kind is RegisterType.STRING:
        text = str(value).encode("ascii", "replace")
        size = 2 * (count if count is not None else (len(text) + 1) // 2)
        data = text[:size].ljust(size, b"\0")
        byte_order = Order.BADC if order.swaps_bytes else Order.ABCD
        return _split(_arrange(data, byte_order))
    if kind is RegisterType.BIT:
        return (int(bool(value)),)
    form = _FORMATS[kind]
    number = value if kind in {RegisterType.FLOAT32, RegisterType.FLOAT64} else _held(value, kind)
    try:
        data = struct.pack(form, number)
    except OverflowError:
        data = struct.pack(form, math.copysign(math.inf, float(value)))
    return _split(_arrange(data, order))


def _held(value: float | str, kind: RegisterType) -> int:
    bits = 16 * (width(kind) or 1)
    signed = kind.value.startswith("int")
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if isinstance(value, int):
        return min(max(value, low), high)
    number = float(value)
    if math.isnan(number):
        return 0
    if math.isinf(number):
        return high if number > 0 else low
    return min(max(round(number), low), high)


def _split(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[i : i + 2]) for i in range(0, len(data), 2))
