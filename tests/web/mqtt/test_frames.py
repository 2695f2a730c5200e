"""WebSocket frames, by the examples of RFC 6455 and every cut of a stream."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import FrameError
from nilometer.web.mqtt.frames import (
    ClientFrames,
    Close,
    Ping,
    TextFrameError,
    accept_key,
    close_frame,
    message_frame,
    pong_frame,
)

KEY = bytes.fromhex("37fa213d")


def masked(opcode: int, payload: bytes, key: bytes = KEY, *, is_last: bool = True) -> bytes:
    """Return a client's frame, bit by bit as 5.3 has it."""
    n = len(payload)
    length = bytes([0x80 | n]) if n < 126 else b"\xfe" + n.to_bytes(2) if n < 65536 else b"\xff" + n.to_bytes(8)
    body = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    return bytes([opcode | (0x80 if is_last else 0)]) + length + key + body


def read(data: bytes, *cuts: int) -> list[bytes | Ping | Close]:
    """Return what comes of a stream in pieces; payload that follows upon payload is joined."""
    frames, found = ClientFrames(), []
    for begin, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        for part in frames.feed(data[begin:end]):
            if isinstance(part, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += part
            else:
                found.append(part)
    return found


def test_the_examples_of_the_standard():
    assert accept_key(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # 1.3
    assert read(bytes.fromhex("8985 37fa213d 7f9f4d5158")) == [Ping(b"Hello")]  # 5.7, opcode ping
    assert read(bytes.fromhex("8285 37fa213d 7f9f4d5158")) == [b"Hello"]  # the same, binary
    assert pong_frame(b"Hello") == bytes.fromhex("8a05 48656c6c6f")
    assert message_frame(bytes(256))[:4] == bytes.fromhex("827e0100")
    assert message_frame(bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")
    assert close_frame(1000) == bytes.fromhex("880203e8")
    assert close_frame(0) == bytes.fromhex("8800")


@given(
    st.lists(st.tuples(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.booleans()), max_size=6),
    st.lists(st.integers(0, 2000), max_size=8),
)
def test_payload_is_the_same_for_every_cut_and_every_split_into_frames(parts, cuts):
    stream, is_within = b"", False
    for payload, key, is_last in parts:
        stream += masked(0 if is_within else 2, payload, key, is_last=is_last)
        is_within = not is_last
    said = b"".join(payload for payload, _, _ in parts)
    assert b"".join(read(stream, *sorted(cut for cut in cuts if cut <= len(stream)))) == said


@pytest.mark.parametrize("n", [125, 126, 65535, 65536, 200_001])
def test_every_way_to_write_a_length_is_read(n):
    payload = bytes(at % 251 for at in range(n))
    stream = masked(2, payload)
    assert read(stream, 1, 2, 3, 9, 13, 14, n // 2) == [payload]
    assert message_frame(payload)[-n:] == payload


def test_a_control_frame_may_come_within_a_message():
    stream = masked(2, b"a", is_last=False) + masked(9, b"?") + masked(10, b"!") + masked(0, b"b") + masked(8, b"")
    assert read(stream) == [b"a", Ping(b"?"), b"b", Close(0)]
    assert read(masked(8, b"\x03\xe8bye")) == [Close(1000)]


@pytest.mark.parametrize(
    ("stream", "what"),
    [
        (b"\x82\x05Hello", "without a mask"),
        (b"\xc2" + masked(2, b"x")[1:], "extension"),
        (masked(3, b"x"), "opcode 3"),
        (masked(0, b"x"), "opcode 0"),
        (masked(2, b"x", is_last=False) + masked(2, b"y"), "opcode 2"),
        (masked(9, b"x", is_last=False), "in parts"),
        (masked(9, b"x" * 126), "too long"),
        (masked(8, b"x"), "half a code"),
        (b"\x82\xff" + b"\xff" * 12, "63 bits"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_an_error(stream, what):
    with pytest.raises(FrameError, match=what):
        read(stream)


def test_text_is_no_mqtt():
    with pytest.raises(TextFrameError, match="binary"):
        read(masked(1, b"Hello"))


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_an_error(data):
    with contextlib.suppress(FrameError):
        assert sum(len(part) for part in read(data) if isinstance(part, bytes)) <= len(data)
