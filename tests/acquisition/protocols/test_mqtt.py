"""MQTT packets: those of the standards by bytes, any cut, any bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.mqtt_formats import matches
from nilometer.acquisition.protocols.mqtt import (
    PacketSplitter,
    Publish,
    Will,
    connect_packet,
    pubacks,
    publish_packet,
    reason_text,
    subscribe_packet,
)
from nilometer.errors import FrameError

TOPICS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def test_a_connect_is_laid_out_as_the_standard_draws_it():
    # MQTT 3.1.1, 3.1: protocol name, level 4, flags, keep alive, client id, will, user name, password.
    packet = connect_packet(
        "id", keep_alive_s=10, username="u", password="p", will=Will(topic="t", payload=b"gone", qos=1)
    )
    assert packet == bytes.fromhex("10 1d 0004 4d515454 04 cc 000a 0002 6964 0001 74 0004 676f6e65 0001 75 0001 70")
    # MQTT 5.0, 3.1.2.11: session expiry interval, receive maximum.
    packet = connect_packet("id", version=5, clean=True, session_expiry_s=60, receive_maximum=20)
    assert packet == bytes.fromhex("10 17 0004 4d515454 05 02 003c 08 1100000000 210014 0002 6964")


def test_subscribe_and_puback_are_laid_out_as_the_standard_draws_them():
    assert subscribe_packet(10, [("a/b", 1), ("c/d", 0)]) == bytes.fromhex("82 0e 000a 0003 612f62 01 0003 632f64 00")
    assert subscribe_packet(10, [("a", 1)], version=5) == bytes.fromhex("82 07 000a 00 0001 61 01")
    assert pubacks([1, 258]) == bytes.fromhex("4002 0001 4002 0102")


@given(
    st.lists(st.tuples(TOPICS, st.binary(max_size=300), st.integers(0, 65535), st.booleans(), st.booleans())),
    st.sampled_from([4, 5]),
    st.lists(st.integers(1, 50)),
)
def test_messages_come_out_of_a_stream_whatever_its_cut(messages, version, cuts):
    sent = [Publish(topic, payload, number, retain, dup) for topic, payload, number, retain, dup in messages]
    stream = b"".join(
        publish_packet(m.topic, m.payload, packet_id=m.packet_id, retain=m.retain, dup=m.dup, version=version)
        for m in sent
    )
    splitter, found, at = PacketSplitter(version), [], 0
    for cut in [*cuts, len(stream) + 1]:
        found += splitter.feed(stream[at : at + cut])
        at += cut
    assert found == sent


@given(st.lists(st.binary(max_size=200), max_size=8), st.sampled_from([4, 5]))
def test_any_bytes_are_packets_or_a_frame_error(chunks, version):
    splitter = PacketSplitter(version, longest=1024)
    for chunk in chunks:
        try:
            splitter.feed(chunk)
        except FrameError:
            break
        assert len(splitter._buffer) <= 1024 + 200 + 70_000


@given(st.binary(max_size=60), st.sampled_from([0x20, 0x30, 0x32, 0x40, 0x90, 0xD0, 0xE0]), st.sampled_from([4, 5]))
def test_any_body_of_any_packet_is_read_or_a_frame_error(body, head, version):
    with contextlib.suppress(FrameError):
        PacketSplitter(version).feed(bytes([head, len(body)]) + body)


@pytest.mark.parametrize("size", [2000, 70_001, 200_000])
@pytest.mark.parametrize("cut", [1000, 65536, 10**6])
def test_a_message_that_is_too_long_is_named_and_passed_over(size, cut):
    stream = publish_packet("big", b"x" * size, packet_id=7) + publish_packet("next", b"y", packet_id=8)
    splitter, found = PacketSplitter(longest=1024), []
    for at in range(0, len(stream), cut):
        found += splitter.feed(stream[at : at + cut])
        assert len(splitter._buffer) <= 70_000 + 65536
    assert [(m.topic, m.packet_id, m.is_long, m.payload) for m in found] == [
        ("big", 7, True, b""),
        ("next", 8, False, b"y"),
    ]


def test_what_came_before_a_broken_packet_is_not_lost():
    good = publish_packet("a", b"1", packet_id=7)
    splitter = PacketSplitter()
    (message,) = splitter.feed(good + b"\x00\x00" + good)
    assert (message.topic, splitter.starts) == ("a", [0, len(good)])
    assert "type 0" in str(splitter.broken)
    with pytest.raises(FrameError):
        splitter.feed(good)


def test_a_refusal_carries_its_reason():
    (answer,) = PacketSplitter(5).feed(bytes.fromhex("20 09 00 87 06 1f 0003 6e6f21"))
    assert (answer.codes, answer.reason) == ((0x87,), "no!")
    (answer,) = PacketSplitter(4).feed(bytes.fromhex("20 02 00 05"))
    assert reason_text(answer.codes[0]) == "not authorised (code 5)"


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("+", "a/b", False),
        ("#", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("$share/group/a/+", "a/b", True),
        ("a/+", "a/", True),
        ("a/b", "a/b/c", False),
    ],
)
def test_filters_match_as_the_standard_says(pattern, topic, expected):
    assert matches(pattern, topic) is expected
