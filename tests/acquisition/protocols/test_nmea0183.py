"""NMEA 0183: the published vectors, the stream's rules, and the real logs."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols.nmea0183 import DECODER, Nmea0183Decoder, checksum, content, encode, parse
from nilometer.acquisition.protocols.nmea0183_split import LONGEST, LineSplitter
from nilometer.errors import ChecksumError, FrameError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/acquisition/nmea0183.json").read_text("utf-8"))["vectors"]


def decode(data: bytes) -> list[DecodedValue | BadFrame]:
    decoder = DECODER.make(None)
    return [*decoder.feed(data), *decoder.close()]


def split_up(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_published_vector_decodes_as_its_status_says(vector):
    found = decode(vector["input"]["text"].encode("latin-1"))
    bad = [item for item in found if isinstance(item, BadFrame)]
    values = {(item.parameter, item.unit): item for item in found if isinstance(item, DecodedValue)}
    if vector["status"] == "reject":
        assert not values
        assert [item.error.split(":")[0] for item in bad] == [vector["error"]]
        return
    assert not bad
    expected = vector["expected"]
    assert len(values) == len(expected)
    for item in expected:
        got = values[item["parameter"], item["unit"]]
        assert got.value == item["value"]
        assert got.flag == item["flag"]
        assert (got.more["talker"], got.more["sentence"]) == (vector["talker"], vector["sentence"])
        assert got.more.get("tolerated") == (vector.get("error") if vector["status"] == "tolerate" else None)


def test_xdr_of_one_name_and_two_types_are_told_apart_by_kind():
    found = decode(b"$WIXDR,C,9.7,C,2,U,24.1,N,0,U,24.4,V,1,U,3.510,V,2*46\r\n")
    assert [(item.more["kind"], item.parameter) for item in found] == [
        ("C", "xdr:2"), ("U", "xdr:0"), ("U", "xdr:1"), ("U", "xdr:2"),
    ]  # fmt: skip


def test_a_broken_xdr_group_leaves_the_others_whole():
    found = decode(encode("WI", "XDR", ["C", "9.7", "C", "air", "P", "x", "B", "baro", "H", "80", "P"]))
    assert [(item.parameter, item.value) for item in found if isinstance(item, DecodedValue)] == [("xdr:air", 9.7)]
    assert [item.error.split(":")[0] for item in found if isinstance(item, BadFrame)] == ["xdr_group", "xdr_group"]


def test_a_sentence_takes_the_time_of_the_last_clock_in_its_stream():
    stream = (
        encode("GP", "ZDA", ["235959.50", "31", "12", "2024", "", ""])
        + encode("SD", "DPT", ["2.5", ""])
        + encode("GP", "GLL", ["5222.3198", "N", "00454.5784", "E", "000001", "A", "A"])
        + encode("YX", "MTW", ["15.2", "C"])
    )
    found = {item.parameter: item.time for item in decode(stream)}
    assert found["depth_below_transducer"] == "2024-12-31T23:59:59.500Z"
    assert found["latitude"] == found["water_temperature"] == "2025-01-01T00:00:01Z"


def test_noise_before_a_sentence_is_reported_and_the_sentence_kept():
    found = decode(b"\x00\x08** $SDDPT,,*57\r\n")
    assert [type(item) for item in found] == [BadFrame, DecodedValue]
    assert (found[1].value, found[1].flag) == (None, "missing")


def test_glued_sentences_are_both_decoded():
    found = decode(b"$YXMTW,15.2,C*14$SDDPT,3.6,0.0*52\r\n")
    assert [item.value for item in found] == [15.2, 3.6, 0.0]


def test_a_sentence_cut_by_the_next_one_is_refused_though_checksums_are_optional():
    found = decode(b"$SDDPT,3$YXMTW,15.2,C*14\r\n")
    assert found[0].error.startswith("truncated")
    assert found[1].value == 15.2


def test_the_last_sentence_counts_without_line_end_if_its_checksum_stands():
    assert [item.value for item in decode(b"$YXMTW,15.2,C*14")] == [15.2]
    assert decode(b"$YXMTW,15.2,C")[0].error.startswith("truncated")


def test_a_tag_block_is_checked_and_its_time_is_used():
    block = "s:SD0001,c:1735689600"
    tagged = f"\\{block}*{checksum(block.encode()):02X}\\".encode() + encode("SD", "DPT", ["2.5", ""])
    (value,) = decode(b"UdPbC\x00" + tagged)
    assert value.time == "2025-01-01T00:00:00Z"
    assert value.more["tag"]["s"] == "SD0001"
    assert decode(tagged.replace(b"c:17", b"c:18"))[0].error.startswith("checksum_mismatch")


def test_a_receiver_that_simulates_gives_no_position():
    rmc = ["120000", "A", "5222.3198", "N", "00454.5784", "E", "1.0", "90.0", "010125", "", "", "S"]
    gga = ["120000", "5222.3198", "N", "00454.5784", "E", "8", "08", "1.0", "0.0", "M", "0.0", "M", "", ""]
    found = decode(encode("GP", "RMC", rmc) + encode("GP", "GGA", gga))
    assert {item.flag for item in found} == {"simulator"}
    assert not {"latitude", "longitude"} & {item.parameter for item in found}


def test_an_invalid_wind_is_given_and_flagged():
    found = decode(encode("WI", "MWV", ["12.1", "R", "10.1", "M", "V"]))
    assert [(item.parameter, item.flag) for item in found[:2]] == [("wind_angle", "invalid"), ("wind_speed", "invalid")]


def test_an_unknown_sentence_is_kept_as_it_is():
    (value,) = decode(b"$PGRMM,NAD83*29\r\n")
    assert (value.parameter, value.value) == ("sentence", "$PGRMM,NAD83*29")


def test_an_endless_line_is_refused_in_pieces_of_bounded_memory():
    lines = LineSplitter()
    found = list(lines.feed(b"x" * (10 * LONGEST + 1)))
    assert [item.error.split(":")[0] for item in found] == ["length"] * 10


def test_a_required_checksum_refuses_a_sentence_without_one():
    with pytest.raises(FrameError, match="checksum_absent"):
        parse(b"$SDDPT,3.6,0.0\r\n", require_checksum=True)


def test_a_wrong_checksum_is_its_own_error():
    with pytest.raises(ChecksumError, match="sent AA"):
        parse(b"$SDDPT,0.5,0.5,*AA")


words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=",*$!\\"), max_size=12)


@given(talker=st.sampled_from(["SD", "23", "P"]), name=st.sampled_from(["DPT", "PXYZ1", "MTW"]), fields=st.lists(words))
def test_encode_then_parse_gives_the_same_sentence(talker, name, fields):
    name = f"P{name}" if talker == "P" else name[:3]
    sentence = parse(encode(talker, name, fields))
    assert (sentence.talker, sentence.name, list(sentence.fields)) == (talker, name, fields)


noisy = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([vector["input"]["text"].encode("latin-1") for vector in VECTORS]),
        st.builds(
            lambda name, fields: encode("II", name, fields),
            st.sampled_from(
                ["DPT", "DBT", "MTW", "VHW", "MWV", "XDR", "ZDA", "RMC", "GGA", "GLL", "HDG", "MDA", "VBW"]
            ),
            st.lists(st.one_of(words, st.sampled_from(["1.5", "", "A", "N", "120000", "010125", "C"])), max_size=14),
        ),
        st.builds(
            lambda name, fields: encode("P", name, fields),
            st.sampled_from(["PNORS", "PNORC", "PNORW", "PNORB", "PASHR", "PSAT", "PFEC", "PGRME", "PRDID"]),
            st.lists(
                st.one_of(words, st.sampled_from(["1.5", "-9.00", "HPR", "GPhve", "120000", "010125"])), max_size=20
            ),
        ),
        st.sampled_from([b"\r", b"\n", b"$", b"!", b"\\", b"*", b"*3", b"\x00"]),
    ),
    max_size=8,
).map(b"".join)


@given(data=noisy, cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_bytes_in_any_cut_decode_alike_or_are_refused(data, cuts):
    whole = Nmea0183Decoder()
    expected = [*whole.feed(data), *whole.close()]
    cut = Nmea0183Decoder()
    found = [item for piece in split_up(data, cuts) for item in cut.feed(piece)]
    assert [*found, *cut.close()] == expected


@given(line=st.binary(max_size=120))
def test_any_line_parses_or_raises_a_frame_error(line):
    try:
        content(parse(b"$" + line))
    except FrameError:
        return


@pytest.mark.real
def test_the_sounder_log_decodes_as_its_description_says(real_data):
    found = decode((real_data / "raw_logs/nmea0183/depths.nmea").read_bytes())
    bad = [item.error.split(":")[0] for item in found if isinstance(item, BadFrame)]
    # The comment on the first line, and "** " before five of the ten sounder sentences without a depth.
    assert Counter(bad) == {"noise": 6}
    values = Counter(item.parameter for item in found if isinstance(item, DecodedValue))
    assert values["depth_below_transducer"] == 1255
    assert values["water_temperature"] == 1249
    lost = [item for item in found if isinstance(item, DecodedValue) and item.flag == "missing"]
    assert Counter(item.parameter for item in lost) == {"depth_below_transducer": 10}
    times = [item.time for item in found if getattr(item, "parameter", "") == "water_temperature"]
    assert times[0] == "2016-09-07T12:19:23Z"
    assert times == sorted(times)


@pytest.mark.real
def test_the_sailing_log_decodes_with_its_nulls_missing(real_data):
    found = decode(gzip.decompress((real_data / "raw_logs/nmea0183/plaka.log.gz").read_bytes()))
    assert not [item for item in found if isinstance(item, BadFrame)]
    values = Counter((item.more["sentence"], item.parameter, item.value is None) for item in found)
    assert values["DBT", "depth_below_transducer", False] == 7250
    assert values["VDR", "current_drift", True] == 7250
    assert values["HDT", "heading_true", True] == 14_500
    assert not any(item.parameter == "water_temperature" for item in found)
    # Its ZDA has a time of day and never a date.
    assert {item.time for item in found} == {None}


@pytest.mark.real
def test_the_profiler_log_decodes_with_its_fill_values_missing(real_data):
    found = decode((real_data / "raw_logs/nmea0183/nortec_awac.nmea").read_bytes())
    assert not [item for item in found if isinstance(item, BadFrame)]
    speeds = [item for item in found if item.parameter == "current_speed"]
    assert len(speeds) == 191
    assert all(item.value is None or item.value >= 0.0 for item in speeds)
    waves = [item for item in found if item.parameter == "wave_height" and item.more["sentence"] == "PNORW"]
    assert (waves[0].value, waves[0].unit, waves[0].time) == (2.30, "m", "2020-05-01T00:01:01Z")


@pytest.mark.real
def test_depths_and_temperatures_agree_with_pynmea2(real_data):
    lines = (real_data / "raw_logs/nmea0183/depths.nmea").read_text("ascii").splitlines()
    for line in lines[:400]:
        if not line.startswith(("$SDDPT", "$SDMTW", "$GPRMC")):
            continue
        theirs = pynmea2.parse(line, check=True)
        ours = {item.parameter: item.value for item in decode(line.encode() + b"\r\n")}
        if theirs.sentence_type == "DPT":
            assert ours["depth_below_transducer"] == float(theirs.depth)
        elif theirs.sentence_type == "MTW":
            assert ours["water_temperature"] == float(theirs.temperature)
        else:
            assert ours["latitude"] == pytest.approx(theirs.latitude, abs=1e-6)
            assert ours["longitude"] == pytest.approx(theirs.longitude, abs=1e-6)
            assert ours["time_utc"] == theirs.datetime.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("GPVTG,360.0,T,348.7,M,000.0,N,000.0,K,N", [("fix_mode", "N", None, "invalid")]),
        ("GPVTG,054.7,T,,M,005.5,N,010.2,K,S", [("fix_mode", "S", None, "simulator")]),
        (
            "GPVTG,054.7,T,034.4,M,,N,010.2,K,A",
            [
                ("course_over_ground", 54.7, "deg", None),
                ("course_over_ground_magnetic", 34.4, "deg", None),
                ("speed_over_ground", 10.2, "km/h", None),
            ],
        ),
        ("GPTHS,338.01,A", [("heading_true", 338.01, "deg", None)]),
        ("GPTHS,338.01,E", [("heading_true", 338.01, "deg", "estimated")]),
        ("GPTHS,338.01,S", [("heading_true", None, "deg", "simulator")]),
        ("GPTHS,,V", [("heading_true", None, "deg", "invalid")]),
        ("TIROT,-12.5,V", [("rate_of_turn", -12.5, "deg/min", "invalid")]),
        (
            "IICUR,A,1,2,5.0,123.4,T,0.7,10.0,90.0,T,B",
            [
                ("current_depth", 5.0, "m", None),
                ("current_direction", 123.4, "deg", None),
                ("current_speed", 0.7, "kn", None),
            ],
        ),
        (
            "WIMHU,66.0,5.0,3.0,C",
            [
                ("relative_humidity", 66.0, "%", None),
                ("absolute_humidity", 5.0, None, None),
                ("dew_point", 3.0, "degC", None),
            ],
        ),
        ("GNGNS,112257.00,,,,,NN,03,10.5,,,,,", [("fix_mode", "NN", None, "invalid")]),
        (
            "GPGNS,112257.00,3844.24011,N,00908.43828,W,AN,03,10.5,,,,,",
            [
                ("latitude", 38.7373352, "deg", None),
                ("longitude", -9.1406380, "deg", None),
                ("satellites_used", 3.0, None, None),
                ("horizontal_dilution", 10.5, None, None),
            ],
        ),
    ],
)
def test_a_value_stands_under_its_status_letter(body, expected):
    decoder = Nmea0183Decoder()
    seen = decoder.feed(b"$%s*%02X\r\n" % (body.encode(), checksum(body.encode())))
    assert [(item.parameter, item.value, item.unit, item.flag) for item in seen] == expected
