"""Every decoder that is installed, whoever wrote it: any bytes, in any cut, are values or bad frames."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from types import FunctionType, ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets import INSTRUMENTS, decode

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols import decoders
from nilometer.acquisition.protocols.web_answer import MOST_BYTES, DocumentDecoder, Page

# What opens a frame of one protocol or another: bytes alone would hardly get past the first check.
WORDS = st.sampled_from(
    [
        b"##0136",
        b"QN=20240601;ST=21;CN=2011;MN=1;CP=&&DataTime=20240601;w01018-Rtd=1&&",
        *(b"\r\n", b"$SDDPT,1.0,0*", b"*6A", b"0M!", b"00013\r\n", b"0+1.5-2\r\n", b"\x02\x03\x04"),
        *(b"\x01\x03\x02\x00\x07", b"\x00\x01\x00\x00\x00\x06\x01\x03", b"\x30\x0c\x00\x01a", b"\x03\x67\x01\x10"),
        *(b'{"value": [', b'{"data": [{"t": "', b"#YY MM DD hh mm\n", b"2024 01 01 00 00 1\n"),
    ]
)
BYTES = st.lists(st.binary(max_size=40) | WORDS, max_size=8).map(b"".join)
NAMES = sorted(decoders().items)


def test_no_decoder_is_broken():
    assert decoders().broken == {}
    assert len(NAMES) >= 12


@pytest.mark.parametrize("name", NAMES)
@given(data=BYTES, cuts=st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_bytes_in_any_cut_are_values_or_bad_frames(name, data, cuts):
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    said = decode(name, [data[a:b] for a, b in pairwise(places)])
    for item in said:
        assert isinstance(item, DecodedValue | BadFrame)
        if isinstance(item, DecodedValue):
            json.dumps([item.parameter, item.unit, item.flag, item.time, dict(item.more)], default=str)
        else:
            assert item.error
    assert len(said) <= 4 * len(data) + 8


def held(thing: object, depth: int = 6) -> int:
    """Return how many bytes and items something keeps, through its attributes and containers."""
    if isinstance(thing, bytes | bytearray | memoryview | str):
        return len(thing)
    if depth == 0 or isinstance(thing, type | ModuleType | FunctionType | Mapping):
        return len(thing) if isinstance(thing, Mapping) else 0
    if isinstance(thing, list | tuple | deque | set):
        return len(thing) + sum(held(item, depth - 1) for item in thing)
    names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]
    return sum(held(getattr(thing, name, None), depth - 1) for name in names)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_without_end_are_not_kept(name):
    for filling in (b"\x00", b"\xff", b"$", b"#", b"1", b'{"'):
        decoder = decoders()[name].make(INSTRUMENTS.get(name))
        for _ in range(10):
            list(decoder.feed(filling * 4096))
        # An answer of a web service is decoded when it is whole, so it is held; others keep a frame at most.
        assert isinstance(decoder, DocumentDecoder) or held(decoder) < 12_000


def test_a_document_without_end_is_kept_up_to_its_bound():
    decoder = DocumentDecoder(lambda _: Page())
    for _ in range(3):
        decoder.feed(bytes(MOST_BYTES // 2))
    assert held(decoder) == MOST_BYTES
