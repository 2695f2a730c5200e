"""Register types in every order of words and bytes."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.protocols.registers import Order, RegisterType, decode, encode, width
from nilometer.errors import FrameError

orders = st.sampled_from(list(Order))
INTEGERS = [kind for kind in RegisterType if "int" in kind.value]


@given(orders, st.sampled_from(INTEGERS), st.data())
def test_an_integer_comes_back(order: Order, kind: RegisterType, data: st.DataObject) -> None:
    bits = 16 * width(kind)
    low, high = (0, 2**bits - 1) if kind.value.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    value = data.draw(st.integers(low, high))
    assert decode(encode(value, kind, order), kind, order) == value


@given(orders, st.floats(width=32))
def test_a_32_bit_float_comes_back_as_the_shortest_decimal(order: Order, value: float) -> None:
    seen = decode(encode(value, RegisterType.FLOAT32, order), RegisterType.FLOAT32, order)
    if math.isnan(value):
        assert math.isnan(seen)
    elif math.isinf(value):
        assert seen == value
    else:
        assert struct.pack(">f", seen) == struct.pack(">f", value)


@given(orders, st.floats())
def test_a_64_bit_float_comes_back(order: Order, value: float) -> None:
    seen = decode(encode(value, RegisterType.FLOAT64, order), RegisterType.FLOAT64, order)
    assert struct.pack(">d", seen) == struct.pack(">d", value) or math.isnan(value)


@given(orders, st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12))
def test_text_comes_back(order: Order, text: str) -> None:
    assert decode(encode(text, RegisterType.STRING, order, count=6), RegisterType.STRING, order) == text


@given(
    orders, st.sampled_from([k for k in RegisterType if k is not RegisterType.STRING]), st.lists(st.integers(0, 0xFFFF))
)
def test_any_registers_decode_or_are_refused(order: Order, kind: RegisterType, registers: list[int]) -> None:
    if len(registers) == width(kind):
        decode(registers, kind, order)
    else:
        with pytest.raises(FrameError):
            decode(registers, kind, order)


@pytest.mark.parametrize(
    ("order", "registers"),
    [
        (Order.ABCD, [0x404D, 0xE354]),
        (Order.CDAB, [0xE354, 0x404D]),
        (Order.BADC, [0x4D40, 0x54E3]),
        (Order.DCBA, [0x54E3, 0x4D40]),
    ],
)
def test_the_four_orders_lay_the_bytes_as_named(order: Order, registers: list[int]) -> None:
    assert decode(registers, RegisterType.FLOAT32, order) == 3.217


def test_the_float_of_a_limit_is_the_limit() -> None:
    assert decode(encode(0.15, RegisterType.FLOAT32), RegisterType.FLOAT32) == 0.15


@pytest.mark.parametrize("order", list(Order))
def test_swapping_the_words_twice_changes_nothing(order: Order) -> None:
    assert order.with_words_swapped is not order
    assert order.with_words_swapped.with_words_swapped is order


def test_an_integer_that_does_not_fit_is_held_at_the_end() -> None:
    assert decode(encode(1e9, RegisterType.UINT16), RegisterType.UINT16) == 0xFFFF
    assert decode(encode(-5, RegisterType.UINT32), RegisterType.UINT32) == 0
    assert decode(encode(math.nan, RegisterType.INT16), RegisterType.INT16) == 0
