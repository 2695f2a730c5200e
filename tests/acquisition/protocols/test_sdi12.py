"""SDI-12: the published vectors, the recorded bus in any cut, and whatever bytes come."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols import sdi12_binary
from nilometer.acquisition.protocols.sdi12 import DECODER, LONGEST_LINE
from nilometer.acquisition.protocols.sdi12_answer import Identification, Parameter, Started, answer, data_answer
from nilometer.acquisition.protocols.sdi12_command import ADDRESSES, Kind, command, start_command
from nilometer.acquisition.protocols.sdi12_crc import crc_text
from nilometer.errors import ChecksumError, FrameError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/acquisition/sdi12.json").read_text("utf-8"))["vectors"]
BY_ID = {vector["id"]: vector for vector in VECTORS}


def wire(vector: dict) -> bytes:
    if vector["input"]["encoding"] == "hex":
        return vector["input"]["command"].encode() + bytes.fromhex(vector["input"]["hex"])
    return b"".join(((step["tx"] or "") + (step["rx"] or "")).encode("latin-1") for step in vector["input"]["steps"])


def decode(data: bytes, instrument: str | None = None) -> list[DecodedValue | BadFrame]:
    decoder = DECODER.make(instrument)
    return [*decoder.feed(data), *decoder.close()]


def split_up(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def with_parity(data: bytes) -> bytes:
    return bytes(byte | 0x80 if byte.bit_count() % 2 else byte for byte in data)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_published_vector_decodes_as_its_status_says(vector):
    found = decode(wire(vector))
    bad = [item.error.split(":")[0] for item in found if isinstance(item, BadFrame)]
    about = ("identification", "address", "metadata")
    values = [item for item in found if isinstance(item, DecodedValue) and item.parameter not in about]
    # Without an instrument's file a value bears the number of its place; the vectors' names and units are set-up.
    assert [item.value for item in values] == [item["value"] for item in vector["expected"]]
    assert [item.parameter for item in values] == [str(i + 1) for i in range(len(values))]
    assert all(item.flag is None for item in values)
    assert bad == ([vector["error"]] if vector["status"] in {"reject", "incomplete"} else [])
    parsed = vector.get("parsed", {})
    for item in values:
        for key in ("ttt", "n", "service_request"):
            assert item.more.get(key) == parsed.get(key, item.more.get(key))
    said = next((item for item in found if isinstance(item, DecodedValue) and item.parameter in about), None)
    if "vendor" in parsed:
        assert said is not None
        assert {key: said.more[key] for key in parsed} == parsed
        assert said.more.get("tolerated") == vector.get("error")
    if "shef" in parsed:
        assert said is not None
        assert {key: said.more[key] for key in parsed} == parsed


@pytest.mark.parametrize(
    "vector", [item for item in VECTORS if "ttt" in item.get("parsed", {})], ids=lambda vector: vector["id"]
)
def test_what_a_vector_says_of_its_start_is_read_from_its_line(vector):
    first = vector["input"]["steps"][0]
    started = answer(first["rx"].strip().encode(), command(first["tx"]))
    assert isinstance(started, Started)
    assert (started.seconds, started.count) == (vector["parsed"]["ttt"], vector["parsed"]["n"])


def test_the_binary_page_of_the_vector_reads_once_its_bit_is_turned_back():
    spoilt = bytes.fromhex(BY_ID["sdi12-high-binary-bad"]["input"]["hex"])
    read = [sdi12_binary.page(turned) for bit in range(8 * len(spoilt)) if _is_page(turned := _turned(spoilt, bit))]
    assert len(read) == 1
    assert read[0].kind == 9
    assert len(read[0].values) == 3


def _turned(data: bytes, bit: int) -> bytes:
    turned = bytearray(data)
    turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)


def _is_page(data: bytes) -> bool:
    try:
        sdi12_binary.page(data)
    except FrameError:
        return False
    return True


def test_values_of_a_measurement_count_on_over_its_pages():
    found = decode(b"0HA!0001012\r\n0D0!" + _crc(b"0+1+2+3") + b"0D1!" + _crc(b"0-4.50"))
    values = [item for item in found if isinstance(item, DecodedValue)]
    assert [(item.parameter, item.value) for item in values] == [("1", 1), ("2", 2), ("3", 3), ("4", -4.5)]
    assert values[3].more["text"] == "-4.50"
    assert [item.error.split(":")[0] for item in found if isinstance(item, BadFrame)] == ["value_count"]


def _crc(line: bytes) -> bytes:
    return line + crc_text(line) + b"\r\n"


def test_binary_pages_of_every_type_come_back():
    for kind, form in sdi12_binary.TYPES.items():
        values = [1.5, -2.25] if form in "fd" else [1, 100]
        frames = sdi12_binary.pages("z", values, kind=kind, most=8)
        back = [value for frame in frames for value in sdi12_binary.page(frame).values]
        assert back == values
        assert sdi12_binary.page(frames[-1]).values == ()


def test_a_binary_measurement_is_decoded_from_its_pages():
    frames = sdi12_binary.pages("0", [12.1, 2.25, -0.125], kind=9, most=8)
    bus = b"0HB!0001003\r\n" + b"".join(f"0DB{n}!".encode() + frame for n, frame in enumerate(frames))
    found = decode(bus)
    assert [(item.parameter, item.value) for item in found] == [("1", 12.1), ("2", 2.25), ("3", -0.125)]
    assert all(item.more["crc"] for item in found)


def test_an_unanswered_page_does_not_swallow_the_next_command():
    found = decode(b"0HB!0001003\r\n0DB0!0DB0!1R0!1+7.5\r\n")
    assert [(item.parameter, item.value, item.more["address"]) for item in found] == [("1", 7.5, "1")]


def test_even_parity_in_bit_seven_is_checked_and_taken_off():
    found = decode(with_parity(b"0M!00011\r\n0D0!0+3.14\r\n"))
    assert [(item.value, item.more["tolerated"]) for item in found] == [(3.14, "parity_bit")]
    odd = bytearray(with_parity(b"0+3.14"))
    odd[2] ^= 0x80
    with pytest.raises(FrameError, match="characters"):
        answer(bytes(odd), command("0R0!"))


def test_a_crc_that_ends_in_del_is_not_cut():
    line = BY_ID["sdi12-crc-multi"]["input"]["steps"][2]["rx"].encode("latin-1").rstrip(b"\r\n")
    assert line[-1] == 0x7F
    assert data_answer(line, command("1D0!"), has_crc=True).is_checked


def test_a_measurement_with_crc_takes_no_values_without_one():
    with pytest.raises(ChecksumError, match="crc_absent"):
        data_answer(b"0+3.14", command("0D0!"), has_crc=True)
    assert data_answer(b"0", command("0D0!"), has_crc=True).texts == ()
    assert data_answer(b"0" + crc_text(b"0"), command("0D0!"), has_crc=True).texts == ()


def test_ysi_counts_on_behind_nine():
    assert answer(b"1061:", command("1M!")) == Started("1", 61, 10)
    with pytest.raises(FrameError, match="form"):
        answer(b"1061:", command("1C!"))


def test_metadata_of_version_1_4_are_read():
    assert answer(b"0,RW,PAR,umol/m2/s;", command("0IM_001!")) == Parameter("0", "RW", "PAR", ("umol/m2/s",))
    assert answer(b"000405", command("0IC!")) == Started("0", 4, 5)
    assert command("0IR0!").kind is Kind.ABOUT


def test_an_identification_of_any_shape_is_kept_whole():
    who = answer(b"0", command("0I!"))
    assert isinstance(who, Identification)
    assert who.tolerated == "identification_layout"
    assert answer(b"013OTTHYDROPLS   100ABC", command("0I!")) == Identification(
        "0", "13OTTHYDROPLS   100ABC", "1.3", "OTTHYDRO", "PLS", "100", "ABC"
    )


@pytest.mark.parametrize(
    ("body", "crc", "wire_text"),
    [("M", True, "0MC!"), ("M1", True, "0MC1!"), ("C9", True, "0CC9!"), ("R0", True, "0RC0!"), ("V", True, "0V!"),
     ("HA", True, "0HA!"), ("HB", False, "0HB!"), ("C", False, "0C!")],
)  # fmt: skip
def test_a_start_asks_for_a_crc_where_that_is_a_choice(body, crc, wire_text):
    asked = start_command("0", body, crc=crc)
    assert asked.wire.decode() == wire_text
    assert asked.has_crc == ((crc and body != "V") or body[0] == "H")


def test_duplicates_and_late_lines_are_no_values():
    found = decode(b"0M!00001\r\n0D0!0+1.5\r\n0+1.5\r\n1R0!0+9.9\r\n1+7\r\n")
    assert [item.value for item in found if isinstance(item, DecodedValue)] == [1.5]
    errors = [item.error.split(":")[0] for item in found if isinstance(item, BadFrame)]
    assert errors == ["unasked", "address_mismatch", "unasked"]


def test_answers_without_any_command_are_taken_by_their_form():
    found = decode(b"00012\r\n0+3.14-2OqZ\r\n0+3.14OqZ\r\n013OTTHYDROPLS   100ABC\r\n")
    values = [item for item in found if isinstance(item, DecodedValue)]
    assert [(item.parameter, item.value) for item in values] == [
        ("1", 3.14),
        ("identification", "13OTTHYDROPLS   100ABC"),
    ]
    assert values[0].more["command"] is None
    assert len(found) == len(values) + 1


def test_a_last_line_without_its_end_counts_only_with_its_crc():
    assert [item.value for item in decode(b"0RC0!0+3.14OqZ")] == [3.14]
    assert [item.error.split(":")[0] for item in decode(b"0R0!0+3.14")] == ["incomplete"]


values_text = st.decimals(-9999, 9999, places=2).map(lambda number: f"{number:+}")


@given(st.sampled_from(ADDRESSES), st.lists(values_text, max_size=9), st.booleans(), st.booleans())
def test_values_come_back_as_they_were_sent(address, texts, with_crc, raw_parity):
    line = (address + "".join(texts)).encode()
    line += crc_text(line) if with_crc else b""
    said = data_answer(with_parity(line) if raw_parity else line, command(f"{address}D0!"), has_crc=with_crc)
    assert said.texts == tuple(texts)
    assert said.is_checked == with_crc


@given(st.binary(min_size=4, max_size=40), st.integers(0, 10_000))
def test_one_turned_bit_never_passes_a_crc(data, place):
    line = _crc(b"0" + b"".join(f"{byte:+d}".encode() for byte in data))[:-2]
    spoilt = _turned(line, place % (8 * len(line)))
    try:
        said = data_answer(spoilt, command("0D0!"), has_crc=True)
    except FrameError:
        return
    # Bit 7 of a character is not covered; with it set, parity is wrong and the line was refused.
    assert said.texts == ()


bus_pieces = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([wire(vector) for vector in VECTORS]),
    st.sampled_from([b"0!", b"0M!", b"0HB!0001003\r\n0DB0!", b"?!", b"\x00", b"!", b"\r\n", b"0XSET!", b"1CC9!"]),
    st.lists(st.integers(-99, 99), max_size=4).map(lambda ints: sdi12_binary.pages("0", ints, kind=1)[0]),
)


@given(st.lists(bus_pieces, max_size=8), st.lists(st.integers(0, 10_000), max_size=8))
def test_any_bytes_in_any_cut_give_values_or_bad_frames_and_the_same_as_in_one(pieces, cuts):
    data = b"".join(pieces)
    decoder = DECODER.make(None)
    cut = [item for piece in split_up(data, cuts) for item in decoder.feed(piece)]
    assert len(decoder._buffer) <= LONGEST_LINE + 1
    cut += decoder.close()
    assert cut == decode(data)
    assert all(isinstance(item, DecodedValue | BadFrame) for item in cut)


@given(
    st.binary(max_size=120),
    st.sampled_from(["0!", "?!", "0I!", "0M!", "0C!", "0HA!", "0D0!", "0RC0!", "0IM_001!", "0X!"]),
)
def test_any_line_is_an_answer_or_a_frame_error(line, asked):
    try:
        answer(line, command(asked))
    except FrameError:
        return


@given(st.text(max_size=12))
def test_any_text_is_a_command_or_a_frame_error(text):
    try:
        asked = command(text)
    except FrameError:
        return
    assert command(asked.wire.decode()) == asked


@given(st.binary(max_size=1100))
def test_any_bytes_are_a_page_or_a_frame_error(data):
    try:
        read = sdi12_binary.page(data)
    except FrameError:
        return
    assert all(isinstance(value, int | float) for value in read.values)


def test_an_endless_line_keeps_the_memory_bounded():
    decoder = DECODER.make(None)
    bad = 0
    for _ in range(200):
        bad += len(list(decoder.feed(b"A" * 700)))
        assert len(decoder._buffer) <= LONGEST_LINE + 700
    assert bad > 50


def test_nan_of_a_binary_page_is_no_value():
    frames = sdi12_binary.pages("0", [math.nan], kind=9)
    found = decode(b"0HB!0001001\r\n0DB0!" + frames[0])
    assert math.isnan(found[0].value)
