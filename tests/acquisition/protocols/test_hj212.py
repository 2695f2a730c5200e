"""HJ 212: the published vectors, the rules of its stream, and the packets taken from a parser's tests."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols.hj212 import (
    DECODER,
    Frame,
    FrameSplitter,
    Hj212Decoder,
    Message,
    PacketTracker,
    Value,
    crc16,
    encode_frame,
    interval_us,
    parse_frame,
    parse_segment,
    station_time,
    time_text,
)
from nilometer.acquisition.protocols.hj212_cipher import Cipher, encrypted_frame
from nilometer.acquisition.protocols.hj212_codes import CODES
from nilometer.errors import FrameError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/acquisition/hj212.json").read_text("utf-8"))["vectors"]
CHINA = ZoneInfo("Asia/Shanghai")
TEXTS = {"SN", "ResultType"}  # the vectors give these the unit of their code; a serial number has none


def chunks(vector) -> list[bytes]:
    given_ = vector["input"]
    return [text.encode("utf-8") for text in given_.get("chunks", [given_.get("text")])]


def decode(*pieces: bytes) -> list[DecodedValue | BadFrame]:
    decoder = DECODER.make(None)
    found = [item for piece in pieces for item in decoder.feed(piece)]
    return [*found, *decoder.close()]


def values_of(found) -> list[DecodedValue]:
    return [item for item in found if isinstance(item, DecodedValue) and item.parameter != "message"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_published_vector_decodes_as_its_status_says(vector):
    found = decode(*chunks(vector))
    bad = [item for item in found if isinstance(item, BadFrame)]
    if vector["status"] == "reject":
        assert len(bad) == len(found) == 1
        assert bad[0].error.split(":")[0] == vector["error"]
        return
    if vector["id"] == "hj212-stream-garbage":
        assert [item.error.split(":")[0] for item in bad] == ["noise", "truncated"]
    else:
        assert not bad
    values = values_of(found)
    expected = vector["expected"]
    if vector["id"] == "hj212-split-duplicate":
        expected = [*expected[:7], *expected[:7], *expected[7:]]
    assert [(item.parameter, item.more["statistic"], item.value, item.flag) for item in values] == [
        (item["parameter"], item["statistic"], item["value"], item["flag"]) for item in expected
    ]
    for item, wanted in zip(values, expected, strict=True):
        assert item.unit == (None if wanted["statistic"] in TEXTS else wanted["unit"])
        assert item.more.get("eflag") == wanted.get("eflag")
        if vector["id"] != "hj212-tol-code":
            assert item.more.get("sample_time") == wanted.get("sample_time")
    for name, text in vector.get("header", {}).items():
        assert name == "PW" or found[-1].more[name] == text
    if vector["status"] == "tolerate":
        assert vector["error"] in found[0].more["tolerated"].split(",")
    if "complete" in vector:
        assert found[-1].more["complete"] is vector["complete"]


def test_fields_of_a_message_without_values_are_given():
    vector = next(vector for vector in VECTORS if vector["id"] == "hj212-c1")
    (item,) = decode(*chunks(vector))
    assert (item.parameter, item.value, item.more["OverTime"], item.more["ReCount"]) == ("message", "1000", "5", "3")
    assert "PW" not in item.more


def test_the_crc_is_that_of_appendix_a_and_not_of_modbus():
    assert crc16(b"123456789") == 0x2F80
    worked = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    assert crc16(worked) == 0x1C80


def test_a_sender_of_the_modbus_crc_is_told_so():
    vector = next(vector for vector in VECTORS if vector["id"] == "hj212-bad-modbuscrc")
    (bad,) = decode(*chunks(vector))
    assert "Modbus" in bad.error


def test_a_frame_that_declares_too_much_does_not_eat_the_next_one():
    good, long = (
        chunks(next(vector for vector in VECTORS if vector["id"] == name))[0]
        for name in ("hj212-c14", "hj212-bad-len-long")
    )
    found = decode(long + good)
    assert [type(item) for item in found] == [BadFrame, DecodedValue, DecodedValue]
    assert found[0].error.startswith("length_mismatch")


def test_a_frame_is_given_up_at_the_next_head_without_waiting_for_its_length():
    splitter = FrameSplitter()
    assert not list(splitter.feed(b"##0999QN=20240601120000000;ST=32;CN=20"))
    frame = encode_frame(b"ST=32;CN=2011;MN=1;CP=&&&&")
    found = list(splitter.feed(frame))
    assert found[0].error.startswith("truncated")
    assert found[1].segment == b"ST=32;CN=2011;MN=1;CP=&&&&"


def test_a_frame_without_line_end_is_complete_after_a_silence():
    splitter = FrameSplitter()
    frame = encode_frame(b"ST=32;CN=2011;MN=1;CP=&&&&").removesuffix(b"\r\n")
    assert not list(splitter.feed(frame))
    assert splitter.pending
    assert [item.tolerated for item in splitter.close()] == [("terminator",)]
    assert not splitter.pending


def test_a_length_that_no_characters_fill_is_refused_in_bounded_memory():
    splitter = FrameSplitter()
    found = list(splitter.feed(b"##9999" + b"\x80" * 500_000))
    assert [bad.error for bad in found] == ["length_mismatch: no && where the length says"]
    assert len(splitter._buffer) < 50_000


def test_characters_that_come_byte_by_byte_are_counted_once():
    segment = "ST=21;CN=2011;CP=&&溶解氧=7.1&&".encode()
    length = len(segment.decode())
    frame = b"##%04d%s%04X\r\n" % (length, segment, crc16(segment))
    splitter = FrameSplitter()
    found = [item for byte in frame for item in splitter.feed(bytes([byte]))]
    assert [(item.segment, item.tolerated) for item in found] == [(segment, ("length_characters",))]


def test_endless_noise_is_refused_in_pieces_of_bounded_memory():
    splitter = FrameSplitter()
    found = [item for _ in range(10) for item in splitter.feed(b"x" * 1000)]
    assert [len(item.frame) for item in found] == [4096, 4096]


def test_a_log_text_may_hold_every_separator():
    message = parse_segment("ST=32;CN=3020;CP=&&i11001-Info=//清洗;管路,a=b//;i12001-Info=0&&".encode())
    assert [(value.code, value.value) for value in message.values] == [
        ("i11001", "//清洗;管路,a=b//"),
        ("i12001", 0.0),
    ]


def test_a_flag_in_an_item_of_its_own_belongs_to_its_code():
    message = parse_segment(b"ST=32;CN=2011;CP=&&w01018-Rtd=1;w01018-Flag=D;w01001-Rtd=7&&")
    assert [value.flag for value in message.values] == ["D", None]


def test_a_log_in_gb_18030_is_read_and_reported():
    message = parse_segment("ST=32;CN=3020;CP=&&i11001-Info=//清洗//&&".encode("gb18030"))
    assert message.values[0].value == "//清洗//"
    assert message.tolerated == ("encoding",)


@pytest.mark.parametrize(
    "segment",
    [b"", b"CP=&&", b"CP=&&&&", b"ST=32;CN=abcd;CP=&&&&", b"ST=32;CN;CP=&&&&", b"ST=32;CN=2011;CP=&&\xff&&"],
)
def test_what_is_no_data_segment_raises_a_frame_error(segment):
    with pytest.raises(FrameError):
        parse_segment(segment)


def test_intervals_are_calendar_days_of_the_station():
    start = station_time("20250330000000", ZoneInfo("Europe/Berlin"))
    assert interval_us("2031", start, ZoneInfo("Europe/Berlin"), minute_interval_min=10) == 23 * 3_600_000_000
    assert interval_us("2051", start, CHINA, minute_interval_min=5) == 300_000_000
    assert interval_us("2011", start, CHINA, minute_interval_min=5) == 0


def test_a_time_of_seventeen_digits_has_milliseconds():
    assert station_time("20160824003817005", CHINA) - station_time("20160824003817", CHINA) == 5000


def test_a_message_of_several_packets_is_complete_when_all_have_come_in_any_order():
    tracker = PacketTracker()
    header = {"ST": "32", "CN": "2061", "MN": "1", "Flag": "6", "PNUM": "3"}
    parts = [Message(header=header | {"PNO": str(number)}) for number in (3, 1, 1, 2)]
    assert [tracker.add(part)[0].is_complete for part in parts] == [False, False, False, True]
    assert not tracker.open()


def test_messages_that_never_complete_are_given_up_with_what_is_missing():
    tracker = PacketTracker(most=1)
    header = {"ST": "32", "CN": "2061", "MN": "1", "PNUM": "2", "PNO": "1"}
    for hour in (1, 2):
        _, given_up = tracker.add(Message(header=header, fields={"DataTime": f"2024060{hour}000000"}))
    assert (given_up.data_time, given_up.missing) == ("20240601000000", (2,))


codes = st.sampled_from([*CODES, "011", "SB1", "a34004"])
times = st.integers(0, 4_000_000_000_000).map(lambda ms: ms * 1000)


@st.composite
def messages(draw):
    header = {
        "QN": time_text(draw(times), CHINA, milliseconds=True),
        "ST": draw(st.sampled_from(["21", "32", "91"])),
        "CN": draw(st.sampled_from(["2011", "2051", "2061", "2031"])),
        "PW": "123456",
        "MN": draw(st.text("0123456789ABCDEF", min_size=1, max_size=24)),
        "Flag": str(draw(st.integers(0, 255))),
    }
    values = []
    for code in draw(st.lists(codes, unique=True, max_size=6)):
        asides = {
            "flag": draw(st.sampled_from([None, "N", "D", "T"])),
            "eflag": draw(st.sampled_from([None, "A01"])),
            "sample_time": draw(st.sampled_from([None, "20240601000000"])),
        }
        for statistic in draw(st.lists(st.sampled_from(["Rtd", "Avg", "Min", "Cou"]), unique=True, min_size=1)):
            number = draw(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)))
            values.append(Value(code=code, statistic=statistic, value=number, **asides))
    fields = {"DataTime": time_text(draw(times), CHINA)} if draw(st.booleans()) else {}
    return Message(header=header, fields=fields, values=tuple(values))


@given(message=messages())
def test_encode_then_parse_gives_the_same_message(message):
    assert parse_segment(message.encode()) == message


@given(time=times)
def test_a_time_survives_its_text(time):
    assert station_time(time_text(time, CHINA, milliseconds=True), CHINA) == time


frames = st.one_of(
    st.sampled_from([piece for vector in VECTORS for piece in chunks(vector)]),
    messages().map(lambda message: encode_frame(message.encode())),
)
noisy = st.lists(
    st.one_of(
        frames,
        frames.flatmap(lambda frame: st.integers(0, len(frame)).map(lambda count: frame[:count])),
        st.binary(max_size=30),
        st.sampled_from(
            [b"#", b"##", b"##01", b"##0000", b"##0002&&", b"\r\n", b"&&", "##0009清洗管路清洗管&&".encode()]
        ),
    ),
    max_size=6,
).map(b"".join)


@given(data=noisy, cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_bytes_in_any_cut_decode_alike_or_are_refused(data, cuts):
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    whole = Hj212Decoder()
    expected = [*whole.feed(data), *whole.close()]
    assert decode(*pieces) == expected


@given(data=noisy)
def test_byte_by_byte_gives_the_same_frames(data):
    whole = Hj212Decoder()
    expected = [*whole.feed(data), *whole.close()]
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == expected


@given(segment=st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda b: b"CN=2011;CP=&&" + b + b"&&")))
def test_any_segment_parses_or_raises_a_frame_error(segment):
    try:
        parse_segment(segment)
    except FrameError:
        return


@pytest.mark.real
def test_packets_of_a_parsers_tests_decode_but_for_the_wrong_one(real_data):
    found = decode((real_data / "raw_logs/hj212/t212_packets.txt").read_bytes())
    bad = [item.error.split(":")[0] for item in found if isinstance(item, BadFrame)]
    # The second is the third with its time cut to 14 digits and the CRC left; the fourth was damaged on purpose.
    assert bad == ["crc_mismatch", "crc_mismatch"]
    values = values_of(found)
    assert {(item.parameter, item.value, item.flag) for item in values} == {
        ("011", 231.0, "N"),
        ("B01", 36.91, None),
        ("060", 1.803, "N"),
    }
    assert not [item for item in values if "tolerated" in item.more]


SECRET = bytes([0x30] * 16)  # the key of the standard's examples


def test_sm4_gives_the_vector_of_its_standard():
    block = bytes.fromhex("0123456789abcdeffedcba9876543210")
    head = b"CN=2011;MN=A1;CP=&&"
    frame = encrypted_frame(head + block + b"&&", block)
    assert frame[6 + len(head) :][:16].hex() == "681edf34d206965e86b3e94f536e4246"  # GB/T 32907-2016 A.1


@given(message=messages(), is_printed=st.booleans())
@settings(max_examples=40)
def test_an_encrypted_message_is_read_with_its_key_and_refused_without(message, is_printed):
    plain = Message(
        header={**message.header, "CN": "2011", "MN": "A1"}, fields=message.fields, values=message.values
    ).encode()
    frame = encrypted_frame(plain, SECRET)
    if is_printed:
        # As the standard prints it: groups as 0xNN in braces, the rest as it is.
        head, _, rest = frame[6:-6].partition(b"CP=&&")
        area = rest[:-2]
        whole = len(area) - len(area) % 16
        printed = b"{" + b",".join(b"0x%02X" % byte for byte in area[:whole]) + b"}" if whole else b""
        segment = head + b"CP=&&" + printed + area[whole:] + b"&&"
        if len(segment) > 9999:
            return
        frame = b"##%04d%s" % (len(segment), segment) + frame[-6:]
    for key in ({"A1": SECRET}, {"*": SECRET}):
        splitter = FrameSplitter(Cipher(key))
        (read, *more) = [*splitter.feed(frame), *splitter.close()]
        assert (read.segment, more) == (plain, [])


def test_without_its_key_an_encrypted_message_is_refused():
    segment = b"QN=20240601120000001;ST=32;CN=2011;MN=A1;Flag=9;CP=&&DataTime=20240601120000;w01018-Rtd=35.2&&"
    frame = encrypted_frame(segment, SECRET)
    for cipher in (None, Cipher({"A1": bytes(16)}), Cipher({"B2": SECRET})):
        (bad, *_) = [*(splitter := FrameSplitter(cipher)).feed(frame), *splitter.close()]
        assert bad.error.startswith("crc_mismatch")


def test_what_is_plain_stays_so_where_a_key_is_known():
    segment = b"QN=20240601120000001;ST=32;CN=2011;MN=A1;Flag=9;RF=1;CP=&&DataTime=20240601120000;w01018-Rtd=35.2&&"
    (frame,) = FrameSplitter(Cipher({"A1": SECRET})).feed(encode_frame(segment))
    assert parse_frame(frame).header["RF"] == "1"  # sent again after an outage (2025)


@settings(max_examples=60)
@given(area=st.binary(max_size=80), is_printed=st.booleans())
def test_any_data_area_is_read_or_refused_where_a_key_is_known(area, is_printed):
    shown = b"{" + b",".join(b"0x%02x" % byte for byte in area) + b"}" if is_printed else area
    segment = b"QN=1;ST=32;CN=2011;MN=A1;Flag=9;CP=&&" + shown + b"&&"
    splitter = FrameSplitter(Cipher({"*": SECRET}))
    for frame in (*splitter.feed(encode_frame(segment)), *splitter.close()):
        if isinstance(frame, Frame):
            parse_frame(frame)
