"""SL 651 frames: those laid byte by byte, ours there and back in both codings, and any bytes at all."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.protocols.sl651 import (
    ELEMENTS,
    SYMBOLS,
    Frame,
    FrameSplitter,
    Layout,
    PacketJoiner,
    Sl651Decoder,
    encode_frame,
    parse_message,
)
from nilometer.acquisition.protocols.sl651_body import parse_body
from nilometer.acquisition.protocols.sl651_frame import ENQ, ESC, NAK
from nilometer.acquisition.protocols.sl651_numbers import CHINA, bcd_number, number_bcd
from nilometer.acquisition.protocols.sl651_text import parse_text_body
from nilometer.acquisition.protocols.sl651_writing import (
    Group,
    clock_order,
    confirmation,
    even_body,
    period_query,
    report_body,
    split_packets,
)
from nilometer.errors import FrameError
from nilometer.model.properties import term
from nilometer.units import affine, canonical

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/acquisition/sl651.json").read_text("utf-8"))["vectors"]
NOON = 1_719_806_400_000_000  # 2024-07-01 12:00 in China
STATION = "0012345678"
NUMBERS = [element for element in ELEMENTS.values() if element.layout is Layout.NUMBER]


def decode(*pieces):
    decoder = Sl651Decoder()
    found = [item for piece in pieces for item in decoder.feed(piece)]
    return found + list(decoder.close())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_frames_made_byte_by_byte_say_what_was_laid_in_them(vector):
    data = bytes.fromhex(vector["frame"])
    found = decode(data)
    if "error" in vector:
        assert [item.error.split(":")[0] for item in found] == [vector["error"]]
        return
    assert not [item for item in found if isinstance(item, BadFrame)]
    values = [[item.parameter, item.value, item.unit, item.time] for item in found if item.parameter != "message"]
    assert values == vector["values"]
    assert found[0].more.get("text", "") == vector.get("text", "")
    (frame,) = FrameSplitter().feed(data)
    assert (f"{frame.function:02X}", frame.station, frame.centre) == (
        vector["function"],
        vector["station"],
        vector["centre"],
    )
    assert encode_frame(frame) == data


def test_every_element_has_a_unit_that_its_property_knows():
    for element in ELEMENTS.values():
        assert element.unit is None or canonical(element.unit)
        if element.observed_property is not None and element.unit is not None:
            affine(element.unit, term(element.observed_property).unit)
    assert len(SYMBOLS) == len(ELEMENTS) == 125  # rows 5 to 131 of Table C.1, but for FDH and the step code


reports = st.lists(
    st.sampled_from(NUMBERS).flatmap(
        lambda element: st.tuples(
            st.just(element),
            st.one_of(
                st.just(math.nan),
                st.integers(-(10**element.digits) + 1, 10**element.digits - 1).map(
                    lambda number: number / 10**element.decimals
                ),
            ),
        )
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60)
@given(values=reports, is_text=st.booleans(), most=st.integers(20, 400))
def test_a_report_comes_back_in_packets_of_any_size(values, is_text, most):
    groups = [Group(NOON, values[:2]), Group(NOON + 3_600_000_000, values[2:])]
    body = report_body(7, NOON, STATION, "H", groups, CHINA, is_text=is_text)
    frame = Frame(1, STATION, "1234", 0x32, body, is_text=is_text)
    joiner, whole = PacketJoiner(), None
    for part in split_packets(frame, most):
        (read,) = FrameSplitter().feed(encode_frame(part))
        assert read == part
        whole, given_up = joiner.add(read)
        assert given_up is None
    assert whole is not None
    said = parse_message(whole, CHINA)
    assert (said.serial, said.sent, said.problem) == (7, NOON, "")
    sent = [(group.time, element.symbol, value) for group in groups for element, value in group.values]
    got = [(item.time, item.element.symbol, item.value) for item in said.observed]
    assert [item[:2] for item in got] == [item[:2] for item in sent]
    assert all(a[2] == b[2] or (math.isnan(a[2]) and math.isnan(b[2])) for a, b in zip(got, sent, strict=True))


@settings(max_examples=40)
@given(
    levels=st.lists(
        st.one_of(st.just(math.nan), st.integers(-9999, 99999).map(lambda n: n / 1000)), min_size=1, max_size=30
    ),
    step=st.sampled_from([60_000_000, 3_600_000_000, 86_400_000_000]),
    is_text=st.booleans(),
)
def test_values_of_even_steps_come_back(levels, step, is_text):
    body = even_body(0, NOON, STATION, "H", SYMBOLS["Z"], NOON, step, levels, CHINA, is_text=is_text)
    said = parse_message(Frame(1, STATION, "1234", 0x38, body, is_text=is_text), CHINA)
    assert said.problem == ""
    assert [item.time for item in said.observed] == [NOON + i * step for i in range(len(levels))]
    assert [None if item.mark else item.value for item in said.observed] == [
        None if math.isnan(level) else level for level in levels
    ]


def test_what_a_centre_says_is_told_from_a_report():
    report = Frame(1, STATION, "1234", 0x32, report_body(9, NOON, STATION, "H", [], CHINA))
    confirmed = confirmation(report, 9, NOON, CHINA, ESC)
    assert (
        encode_frame(confirmed)
        .hex()
        .upper()
        .startswith("7E7E001234567801123432800802" + "0009" + "240701120000" + "1B")
    )
    lacking = confirmation(replace(report, packet=(2, 3)), 9, NOON, CHINA, NAK)
    query = period_query(report, NOON, SYMBOLS["Z"], NOON, NOON + 7_200_000_000, 3_600_000_000, CHINA)
    assert query.body.hex().upper() == "0000240701120000" + "24070112" + "24070114" + "0418000100" + "3923"
    rain = period_query(report, NOON, SYMBOLS["DRP"], NOON, NOON, 300_000_000, CHINA)
    assert rain.body.hex().upper().endswith("0418000005" + "F460")
    for frame in (confirmed, lacking, query, clock_order(report, NOON, CHINA)):
        (said,) = decode(encode_frame(frame))
        assert (said.parameter, said.more["direction"]) == ("message", "down") or "packet" in said.more
    assert (query.end, query.function) == (ENQ, 0x38)


def test_a_negative_number_begins_with_ff_as_the_standard_writes_it():
    # 6.6.3.3 a: FF0 in front of an odd number of digits, FF in front of an even one.
    assert number_bcd(-1.234, 7, 3) == (0x2B, bytes.fromhex("FF00001234"))
    assert number_bcd(-12.5, 4, 1) == (0x19, bytes.fromhex("FF0125"))
    assert bcd_number(bytes.fromhex("FFFFFF"), 1) != bcd_number(bytes.fromhex("FFFFFF"), 1)
    assert number_bcd(0.125, 4, 2)[1] == bytes.fromhex("0012")  # half to even, in decimals


def test_values_before_something_unreadable_are_kept():
    body = report_body(1, NOON, STATION, "H", [Group(NOON, [(SYMBOLS["Z"], 10.5)])], CHINA)
    found = decode(encode_frame(Frame(1, STATION, "1234", 0x32, body + b"\x38\x12\x1a\xbc")))
    assert [getattr(item, "value", item) for item in found[:1]] == [10.5]
    assert isinstance(found[1], BadFrame)
    assert "no BCD" in found[1].error


def test_packets_that_are_missing_are_known():
    frame = Frame(1, STATION, "1234", 0x31, bytes(600))
    packets = [*split_packets(frame, 200)]
    joiner = PacketJoiner()
    joiner.add(packets[0])
    ((_, missing),) = joiner.missing(STATION)
    assert missing == [2, 3]
    joiner.drop(packets[0])
    assert joiner.missing(STATION) == []


def test_packets_of_two_messages_are_never_joined():
    first, second = (
        [*split_packets(Frame(1, STATION, "1234", 0x31, bytes([0, serial]) + bytes([serial]) * 598), 200)]
        for serial in (1, 2)
    )
    for lost in range(3):
        joiner = PacketJoiner()
        heard = [packet for packet in first if packet.packet[0] != lost + 1]
        wholes = [whole for packet in (*heard, *second) if (whole := joiner.add(packet)[0]) is not None]
        assert [whole.body for whole in wholes] == [b"".join(packet.body for packet in second)]
    # One that was lacking comes by itself, before the next message begins.
    joiner = PacketJoiner()
    wholes = [joiner.add(first[at])[0] for at in (0, 2, 2, 1)]
    assert [whole is None for whole in wholes] == [True, True, True, False]


def test_packets_of_a_hostile_station_are_not_kept_for_ever():
    joiner, given_up = PacketJoiner(), 0
    for number in range(1, 1000):
        packet = Frame(1, STATION, "1234", 0x31, bytes(4000), packet=(number, 1001))
        given_up += joiner.add(packet)[1] is not None
    assert given_up >= 1
    assert len(joiner.missing(STATION)) <= 1


def test_a_batch_of_velocities_gives_no_wrong_number():
    body = report_body(1, NOON, STATION, "H", [Group(NOON, [(SYMBOLS["Z"], 10.5)])], CHINA) + b"\xfd\xf6" + bytes(60)
    found = decode(encode_frame(Frame(1, STATION, "1234", 0x32, body)))
    assert [item.value for item in found[:1]] == [10.5]
    assert [item.error for item in found[1:]] == ["element FDH: a batch of velocities is not decoded"]


FRAMES = [bytes.fromhex(vector["frame"]) for vector in VECTORS] + [
    encode_frame(Frame(1, STATION, "1234", 0x32, b"0001240701120000ST 0012345678 H TT 2407011200 Z 1.5 ", is_text=True))
]
noisy = st.lists(
    st.one_of(
        st.sampled_from(FRAMES),
        st.sampled_from(FRAMES).flatmap(lambda frame: st.integers(0, len(frame)).map(lambda count: frame[:count])),
        st.binary(max_size=30),
        st.sampled_from([b"~", b"~~", b"\x01", b"\x010100", b"\x01" + b"0" * 22 + b"\x02", b" \r\n"]),
    ),
    max_size=6,
).map(b"".join)


@settings(max_examples=100)
@given(data=noisy, cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_bytes_in_any_cut_decode_alike_or_are_refused(data, cuts):
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    assert decode(*pieces) == decode(data)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == decode(data)


bodies = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"\xf1\xf1\x00\x12\x34\x56\x78\x48", b"\xf0\xf0\x24\x07\x01\x12\x00", b"\x04\x18\x00\x01\x00"]
        ),
        st.sampled_from(
            [b"\x39\x23\x00\x01\x04\x90", b"\xf4\x60" + bytes(12), b"\x45\x20\x00\x00\x00\x04", b"\xff\x01\x08\x12"]
        ),
        st.sampled_from(
            [b"ST 1 H ", b"TT 2407011200 ", b"DRH01 ", b"Z P1 ", b"1.5 ", b"M ", b"DRP 05FF ", b"ZT 0004 "]
        ),
    ),
    max_size=8,
).map(b"".join)


@settings(max_examples=150)
@given(function=st.sampled_from([0x30, 0x31, 0x35, 0x38, 0x45, 0x46]), body=bodies, is_headed=st.booleans())
def test_any_body_is_read_or_refused(function, body, is_headed):
    for parse, head in ((parse_body, bytes.fromhex("0001240701120000")), (parse_text_body, b"0001240701120000")):
        try:
            parse(function, STATION, head + body if is_headed else body, CHINA)
        except FrameError:
            assert not is_headed
