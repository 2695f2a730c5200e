"""The CAN family: the published vectors, long messages in pieces, databases beside cantools, and any bytes at all."""

from __future__ import annotations

import json
from pathlib import Path

import cantools
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nilometer.acquisition.simulators as simulators
from nilometer.acquisition.can_database import load
from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols import decoders, iio
from nilometer.acquisition.protocols.can_dbc import database_of
from nilometer.acquisition.protocols.can_frame import CanFrame, frame_of_text
from nilometer.acquisition.protocols.isotp import IsoTp, isotp_frames
from nilometer.acquisition.protocols.j1939_groups import groups
from nilometer.acquisition.protocols.j1939_id import Identifier, identifier_of, split_identifier
from nilometer.acquisition.protocols.j1939_transport import Message, TransportProtocol
from nilometer.acquisition.protocols.nmea2000 import decode_message
from nilometer.acquisition.protocols.nmea2000_fast import FastPackets, fast_frames
from nilometer.acquisition.protocols.nmea2000_text import said_in
from nilometer.acquisition.protocols.obd2 import Obd2Answers
from nilometer.errors import FrameError, ReadError

FOLDER = Path(__file__).parents[2] / "vectors/acquisition"
VECTORS = json.loads((FOLDER / "can_obd_iio.json").read_text("utf-8"))["vectors"]
SONDE = Path(simulators.__file__).parent / "can_sonde.dbc"
PAYLOADS = st.binary(max_size=64)


def decode(protocol: str, data: bytes, instrument: str | None = None) -> list[DecodedValue | BadFrame]:
    decoder = decoders()[protocol].make(instrument)
    return [*decoder.feed(data), *decoder.close()]


def values(protocol: str, data: bytes, instrument: str | None = None) -> dict[str, DecodedValue]:
    found = decode(protocol, data, instrument)
    assert [item for item in found if isinstance(item, BadFrame)] == []
    return {item.parameter: item for item in found if isinstance(item, DecodedValue)}


def of_vector(vector) -> dict[str, DecodedValue]:
    told = vector["input"]
    match told["encoding"]:
        case "pgn":
            line = f"{identifier_of(told['pgn'], told['source']):08X}#{told['hex']}"
            return values("nmea2000", line.encode())
        case "can":
            return values(vector["protocol"], f"{told['id']}#{told['hex']}".encode())
        case "hex" if vector["protocol"] == "obd2":
            return values("obd2", f"{told['request']}\r{told['response']}\r\r>".encode())
        case "text":
            return values("obd2", f"{told['request']}\r{told['response']}\r\r>".encode())
        case "sysfs":
            return {item.parameter: item for item in iio.decode_files(told["files"])}
    raw = iio.ScanElement.parse(told["type"]).value(bytes.fromhex(told["hex"]))
    return {"accel_x_raw": DecodedValue(parameter="accel_x_raw", value=raw)}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_published_vector_decodes_as_its_status_says(vector):
    found = of_vector(vector)
    if not vector["expected"]:
        assert found == {}
    for item in vector["expected"]:
        got = found[item["parameter"]]
        assert got.value == (None if item["value"] is None else pytest.approx(item["value"], abs=5e-5))
        assert (got.unit, got.flag) == (item["unit"], item["flag"])


def test_lines_of_gateways_are_read_in_every_form_of_theirs():
    found = values("nmea2000", (FOLDER / "nmea2000_gateway.txt").read_bytes())
    assert found["latitude"].value in (54.1234567, 54.1234589)
    assert (found["wind_speed"].value, found["wind_angle"].value, found["wind_angle"].more["reference"]) == (
        4.12, 1.5708, "apparent",
    )  # fmt: skip
    assert (found["water_temperature"].value, found["temperature"].value) == (22.0, 22.0)
    assert found["temperature"].time == "2026-05-04T09:15:46.938Z"


def test_codes_that_are_no_value_are_missing_and_say_which():
    def said(pgn, data):
        return {r.parameter: (r.value, r.mark) for r in decode_message(Message(pgn, 1, 255, 6, data), known).readings}

    known = groups("nmea2000") | groups("j1939")
    assert said(128267, bytes.fromhex("00 feffffff feff fd"))["depth_below_transducer"] == (None, "error")
    assert said(127257, bytes.fromhex("00 ff7f fe7f fd7f ff")) == {
        "yaw": (None, "not available"), "pitch": (None, "error"), "roll": (None, "reserved"),
    }  # fmt: skip
    assert said(65262, bytes.fromhex("fe fb fffe ffffffff")) == {
        "engine_coolant_temperature": (None, "error"),
        "fuel_temperature": (None, "reserved"),
        "engine_oil_temperature": (None, "error"),
    }
    assert said(130323, b"\x00" * 3) == {}  # cut off: what was not sent is not there


def test_a_meteorological_station_bears_its_own_time_and_name():
    data = bytes.fromhex("f0 d04f 00e1f505 80c3c901 00000000 f401 5c3d f8 ffff f803 8b72") + b"\x06\x01BUOY\x03\x01A"
    said = decode_message(Message(130323, 7, 255, 6, data), groups("nmea2000"))
    assert {r.key: r.value for r in said.readings} == {
        "130323.BUOY.true.wind_speed": 5.0, "130323.BUOY.true.wind_direction": 1.5708, "130323.BUOY.wind_gust": None,
        "130323.BUOY.air_pressure": 101600.0, "130323.BUOY.air_temperature": 20.08,
    }  # fmt: skip
    assert said.time == 20432 * 86_400_000_000 + 10_000_000_000


@given(st.binary(min_size=1, max_size=223), st.integers(0, 7), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_fast_packet_comes_out_as_it_went_in_and_a_lost_frame_loses_it_alone(data, sequence, lose):
    told, packets = Identifier(3, 129029, 7, 255), FastPackets()
    frames = list(fast_frames(data, sequence))
    if lose and len(frames) > 2:
        del frames[1]
        with pytest.raises(FrameError, match="after 0"):
            [packets.take(told, frame) for frame in frames]
        frames = list(fast_frames(data, sequence))
    found = [packets.take(told, frame) for frame in frames]
    assert [item.data for item in found if item is not None] == [data]


@given(st.binary(min_size=9, max_size=1785), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_long_message_of_j1939_is_heard_whoever_it_is_for(data, to_all):
    destination, pgn = (255 if to_all else 3), 65226
    packets = -(-len(data) // 7)
    size = len(data).to_bytes(2, "little")
    head = bytes([0x20 if to_all else 0x10]) + size + bytes([packets, 255]) + pgn.to_bytes(3, "little")
    control, carrier = Identifier(7, 60416, 0, destination), Identifier(7, 60160, 0, destination)
    transport = TransportProtocol()
    assert transport.take(control, head) is None
    found = [
        transport.take(carrier, (bytes([n + 1]) + data[7 * n : 7 * n + 7]).ljust(8, b"\xff")) for n in range(packets)
    ]
    assert [item for item in found if item] == [Message(pgn, 0, destination, 7, data)]
    transport.take(control, head)
    with pytest.raises(FrameError, match="packet 2 after 0"):
        transport.take(carrier, bytes([2]) + data[:7])


@given(st.binary(min_size=1, max_size=4095))
@settings(max_examples=40, deadline=None)
def test_an_isotp_message_comes_out_as_it_went_in(data):
    messages = IsoTp()
    found = [messages.take(0x7E8, frame) for frame in isotp_frames(data)]
    assert [item for item in found if item is not None] == [data]


@given(st.integers(0, 0x1FFFFFFF))
def test_an_identifier_says_what_it_was_made_of(identifier):
    told = split_identifier(identifier)
    assert identifier_of(told.pgn, told.source, told.destination, told.priority) == identifier


def test_answers_of_several_frames_parameters_and_maps_are_read():
    answers = Obd2Answers()
    assert answers.take(CanFrame(0x7E8, bytes.fromhex("0641 00 BE3FA813 AA".replace(" ", "")))) == []
    assert {0x01, 0x05, 0x0C, 0x0D, 0x20} <= answers.supported
    frames = [CanFrame(0x7E8, part) for part in isotp_frames(bytes.fromhex("41 0C1AF8 0D32 057B 2F80"))]
    assert answers.reply(frames[0]) == CanFrame(0x7E0, bytes.fromhex("3000000000000000"))
    found = [reading for frame in frames for reading in answers.take(frame)]
    assert [(r.parameter, r.value, r.unit) for r in found] == [
        ("engine_speed", 1726.0, "rpm"), ("vehicle_speed", 50.0, "km/h"),
        ("engine_coolant_temperature", 83.0, "degC"), ("fuel_level", pytest.approx(50.1961, abs=1e-4), "%"),
    ]  # fmt: skip
    with pytest.raises(FrameError, match="refused, reason 0x12"):
        answers.take(CanFrame(0x7E8, bytes.fromhex("037F0112")))


def test_an_adapter_prints_answers_in_each_of_its_ways():
    for text in ("41 05 7B", "41057B", "7E8 03 41 05 7B", "7E80341057B", "18 DA F1 10 03 41 05 7B", "0105\r41 05 7B"):
        assert values("obd2", text.encode() + b"\r\r>")["engine_coolant_temperature"].value == 83.0, text
    several = values("obd2", b"00A \r0: 41 0C 1A F8 0D 32 \r1: 05 7B 2F 80 00 00 00\r\r>")
    assert several["fuel_level"].value == pytest.approx(50.1961, abs=1e-4)
    assert [type(item) for item in decode("obd2", b"UNABLE TO CONNECT\r>?\r>")] == [BadFrame, BadFrame]


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ("(1436509052.249713) can0 123#DEADBEEF",
         CanFrame(0x123, b"\xde\xad\xbe\xef", time=1436509052249713, bus="can0")),
        ("(1.5) vcan0 18FEEE00#3EFF R", CanFrame(0x18FEEE00, b"\x3e\xff", True, 1500000, "vcan0")),
        ("123##1AABB", CanFrame(0x123, b"\xaa\xbb", fd=True)),
        ("123#R", CanFrame(0x123, b"", remote=True)),
        ("  can0  20000004   [8]  00 04 00 00 00 00 00 00   ERRORFRAME",
         CanFrame(4, bytes([0, 4, 0, 0, 0, 0, 0, 0]), True, bus="can0", error=True)),
        (" (2009-02-13 23:31:30.25)  can1  7E8   [2]  41 05   'A.'",
         CanFrame(0x7E8, b"\x41\x05", time=1234567890250000, bus="can1")),
        ("  can0  123   [0]  remote request", CanFrame(0x123, b"", bus="can0", remote=True)),
        ("<0x18eeff01> [2] 05 a0", CanFrame(0x18EEFF01, b"\x05\xa0", True)),
    ],
)  # fmt: skip
def test_a_frame_is_read_in_each_form_of_candump(line, frame):
    assert frame_of_text(line) == frame


@pytest.mark.parametrize(
    "line", ["can0 123 [3] AA BB", "12#AA", "FFFFFFFF#00", "123#ABC", "(now) can0 123#00", "1" * 600]
)
def test_a_line_that_is_no_frame_is_refused(line):
    with pytest.raises(FrameError):
        frame_of_text(line)


@given(PAYLOADS, st.sampled_from([512, 513]))
@settings(max_examples=120, deadline=None)
def test_signals_of_a_database_are_those_of_cantools_row_by_row_and_column_by_column(data, identifier):
    data = data[:8]
    database, theirs = load(SONDE), cantools.database.load_file(SONDE)
    ours = {reading.parameter: reading for reading in database.decode(CanFrame(identifier, data))}
    expected = {}
    try:
        expected = theirs.decode_message(identifier, data, decode_choices=False, allow_truncated=True)
    except cantools.database.DecodeError:  # a page of the multiplexer that selects nothing
        assert set(ours) <= {"page"}
        return
    finite = {name: value for name, value in expected.items() if value - value == 0}
    assert {name: reading.value for name, reading in ours.items() if reading.value is not None} == {
        name: pytest.approx(value, rel=1e-12) for name, value in finite.items()
    }
    message = database.message_of(identifier, extended=False)
    matrix = np.frombuffer(data.ljust(8, b"\0"), np.uint8).reshape(1, 8)
    columns = {one.name: column[0] for one, column in message.columns(matrix, np.array([len(data)]))}
    assert {name: value for name, value in columns.items() if value - value == 0} == {
        name: pytest.approx(value, rel=1e-12) for name, value in finite.items()
    }


def test_a_j1939_message_is_known_from_every_source_and_its_codes_are_no_values():
    database = load(SONDE)
    found = {r.parameter: r for r in database.decode(CanFrame(0x0CFF0127, bytes.fromhex("02 0000 204E 0000 00"), True))}
    assert (found["pump_speed"].value, found["pump_speed"].key) == (2500.0, "Pump.pump_speed")
    assert (found["pump_state"].value, found["pump_state"].mark) == (None, "error")
    assert values("can", b"201#0102000000000000", str(SONDE))["wiper"].more["meaning"] == "jammed"


def test_a_database_that_is_none_is_refused_and_costs_nothing():
    for text in ("", "VERSION", 'VERSION ""\nBO_ 1 A: 999999999 X\n SG_ b : 0|8@1+ (1,0) [0|0] "" X\n', "BO_ x"):
        with pytest.raises(ReadError):
            database_of(text)


def test_a_signal_that_no_scale_can_have_is_left_out_and_the_others_stay():
    text = SONDE.read_text().replace("(0.01,0) [-5|45]", "(1e999,0) [-5|45]")
    assert [one.name for one in database_of(text).messages[0].signals] == ["ph", "dissolved_oxygen", "turbidity_ntu"]


DIGITS = "0123456789abcdefABCDEF #[]().:,RTAxX<>_-\r\n"
LINES = st.one_of(
    st.binary(max_size=200),
    st.text(DIGITS, max_size=200).map(str.encode),
    st.lists(st.tuples(st.sampled_from(
        [0x7E8, 0x18DAF110, 0x19F51323, 0x1DF805FF, 0x1CECFF00, 0x1CEBFF00, 0x18FEEE00,
         0x1DFD0A01, 0x1DFD0801, 0x200, 0x201, 0x0CFF0127]
    ), st.binary(max_size=8)), max_size=12).map(
        lambda frames: "".join(f"{CanFrame(i, d, i > 0x7FF)}\n" for i, d in frames).encode()
    ),
    st.tuples(st.sampled_from(list(groups("nmea2000"))), st.binary(max_size=40)).map(
        lambda one: f"A000000.000 01FF2 {one[0]:05X} {one[1].hex().upper()}\n".encode()
    ),
)  # fmt: skip


@pytest.mark.parametrize("protocol", ["can", "j1939", "nmea2000", "obd2"])
@given(data=LINES, cut=st.integers(0, 200))
@settings(max_examples=120, deadline=None)
def test_any_bytes_in_any_cut_are_values_or_bad_frames(protocol, data, cut):
    instrument = str(SONDE) if protocol == "can" else None
    whole = decode(protocol, data, instrument)
    decoder = decoders()[protocol].make(instrument)
    assert [*decoder.feed(data[:cut]), *decoder.feed(data[cut:]), *decoder.close()] == whole
    assert all(isinstance(item, DecodedValue | BadFrame) for item in whole)


@given(
    st.text(max_size=40),
    st.binary(max_size=40),
    st.dictionaries(
        st.sampled_from(
            [
                "name",
                "in_temp_raw",
                "in_temp_scale",
                "in_temp_offset",
                "in_ph_input",
                "in_accel_x_raw",
                "in_accel_scale",
            ]
        ),
        st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["1", "-2.5", "1e400", "nan"])),
    ),
)
@settings(max_examples=100, deadline=None)
def test_any_files_and_scans_of_iio_are_values_or_frame_errors(kind, data, files):  # fmt: skip
    try:
        iio.decode_files(files)
        list(iio.decode_scan([iio.ScanElement.parse(kind or "le:s12/16>>4")], data))
    except FrameError:
        pass


def test_a_scan_aligns_each_element_and_pads_to_the_largest():
    kinds = [iio.ScanElement.parse(text) for text in ("le:s12/16>>4", "be:u24/32>>8", "le:s64/64>>0")]
    scan = bytes.fromhex("40f3 0000 01020300") + (10**18).to_bytes(8, "little")
    assert list(iio.decode_scan(kinds, scan * 2)) == [(-204, 0x010203, 10**18)] * 2


def test_an_endless_line_costs_no_memory_and_the_next_is_read():
    decoder = decoders()["can"].make(None)
    found = [item for _ in range(50) for item in decoder.feed(b"A" * 60_000)]
    assert [type(item) for item in found] == [BadFrame]
    assert [item.parameter for item in decoder.feed(b"\n123#00\n")] == ["frame"]


@pytest.mark.real
def test_real_databases_lay_their_signals_as_cantools_does(real_data):
    random = np.random.default_rng(7)
    count = 0
    for path in sorted((real_data / "imu_can/dbc").glob("*.dbc")):
        theirs = cantools.database.load_file(path, strict=False)
        database = load(path)
        assert len(database.messages) == len(theirs.messages)
        for message in theirs.messages:
            data = random.bytes(message.length)
            ours = {
                r.parameter: r for r in database.decode(CanFrame(message.frame_id, data, message.is_extended_frame))
            }
            try:
                expected = message.decode(data, decode_choices=False)
            except cantools.database.DecodeError:
                continue
            for name, value in expected.items():
                if ours[name].mark is None and value - value == 0:
                    assert ours[name].value == pytest.approx(value, rel=1e-9), f"{path.name} {name}"
                    count += 1
    assert count > 700


@pytest.mark.real
def test_real_captures_of_boats_tell_their_water(real_data):
    first = decode("nmea2000", (real_data / "imu_can/can/candumpSample1.txt").read_bytes())
    bad = [item.error for item in first if isinstance(item, BadFrame)]
    assert bad == ["no CAN frame in a form of candump or cansend"]  # candump's own line "interface = can0"
    told = {i.parameter: i for i in first if isinstance(i, DecodedValue) and i.value is not None}
    assert (told["temperature"].value, told["temperature"].more["temperature_source"]) == (
        pytest.approx(6, abs=3),
        "sea",
    )
    assert said_in("<0x19fa0400> [8] 00 11 22 33 44 55 66 77").said.extended
