"""The Modbus codec on published vectors, real captures and anything at all."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols import modbus, modbus_rtu, modbus_tcp
from nilometer.acquisition.protocols.modbus import (
    ExceptionAnswer,
    ReadAnswer,
    ReadRequest,
    WriteBlock,
    WriteBlockAnswer,
    WriteOne,
)
from nilometer.errors import ChecksumError, FrameError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "acquisition" / "modbus.json").read_text())["vectors"]
BY_ID = {vector["id"]: vector for vector in VECTORS}

INSTRUMENTS = {
    "mb-y504": "yosemitech_y504",
    "mb-y520": "yosemitech_y520",
    "mb-y520-sn": "yosemitech_y520",
    "mb-y532": "yosemitech_y532",
    "mb-y4000": "yosemitech_y4000",
    "mb-keller-i": "keller_series30",
    "mb-keller-nan": "keller_series30",
    "mb-keller-iover": "keller_series30",
    "mb-at400-ph": "in_situ_aqua_troll_400",
    "mb-at400-ph-unplugged": "in_situ_aqua_troll_400",
    "mb-vega-2000": "vega_modbus",
    "mb-vega-inv": "vega_modbus",
    "mb-cm44x": "endress_hauser_liquiline",
    "mb-cm44x-nan": "endress_hauser_liquiline",
    "mb-aqualabo-c4e": "aqualabo_c4e",
    "mb-leveline-ctd": "aquaread_leveline_ctd",
    "mb-supmea-do": "supmea_do7013",
    "mb-ysi-diqs182": "ysi_iq_sensornet",
    "mb-tcp": "keller_series30",
}

words = st.integers(0, 0xFFFF)
reads = st.sampled_from([1, 2, 3, 4])
requests = st.one_of(
    st.builds(ReadRequest, reads, words, words),
    st.builds(WriteOne, st.sampled_from([5, 6]), words, words),
    st.builds(WriteBlock, st.sampled_from([15, 16]), words, words, st.binary(max_size=246)),
)
answers = st.one_of(
    st.builds(ReadAnswer, reads, st.binary(max_size=250)),
    st.builds(WriteOne, st.sampled_from([5, 6]), words, words),
    st.builds(WriteBlockAnswer, st.sampled_from([15, 16]), words, words),
    st.builds(ExceptionAnswer, st.integers(1, 0x7F), st.integers(0, 255)),
)
units_of_bus = st.integers(0, 255)


@given(requests)
def test_a_request_decodes_to_what_was_encoded(request_: modbus.Pdu) -> None:
    assert modbus.decode_request(modbus.encode(request_)) == request_


@given(answers)
def test_an_answer_decodes_to_what_was_encoded(answer: modbus.Pdu) -> None:
    assert modbus.decode_answer(modbus.encode(answer)) == answer


@given(units_of_bus, st.binary(min_size=1, max_size=253), words)
def test_a_frame_carries_what_was_put_in(unit: int, pdu: bytes, transaction: int) -> None:
    rtu = modbus.decode_rtu(modbus.encode_rtu(unit, pdu))
    assert (rtu.unit, rtu.pdu) == (unit, pdu)
    tcp = modbus.decode_tcp(modbus.encode_tcp(unit, pdu, transaction))
    assert (tcp.unit, tcp.pdu, tcp.transaction) == (unit, pdu, transaction)


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    for decode in (modbus.decode_rtu, modbus.decode_tcp, modbus.decode_request, modbus.decode_answer):
        with contextlib.suppress(FrameError):
            decode(data)


@given(units_of_bus, st.binary(min_size=1, max_size=60), st.data())
def test_one_wrong_bit_never_passes_the_check_value(unit: int, pdu: bytes, data: st.DataObject) -> None:
    frame = bytearray(modbus.encode_rtu(unit, pdu))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ChecksumError):
        modbus.decode_rtu(bytes(frame))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_check_values_of_the_vectors_are_right(vector: dict) -> None:
    is_tcp = vector["input"].get("transport") == "tcp" or vector["id"] == "mb-tcp"
    for side in ("request", "response"):
        text = vector["input"].get(side)
        if text is None or vector["status"] == "reject":
            continue
        frame = bytes.fromhex(text)
        pdu = (modbus.decode_tcp if is_tcp else modbus.decode_rtu)(frame).pdu
        decode = modbus.decode_request if side == "request" else modbus.decode_answer
        assert modbus.encode(decode(pdu)) == pdu


def _decoded(vector_id: str) -> list[DecodedValue | BadFrame]:
    vector = BY_ID[vector_id]
    module = modbus_tcp if vector_id == "mb-tcp" else modbus_rtu
    decoder = module.DECODER.make(INSTRUMENTS.get(vector_id))
    sides = (vector["input"]["request"], vector["input"]["response"] or "")
    data = bytes.fromhex("".join(sides))
    return [*decoder.feed(data), *decoder.close()]


@pytest.mark.parametrize("vector_id", INSTRUMENTS, ids=str)
def test_an_instrument_file_reads_its_vector(vector_id: str) -> None:
    seen = _decoded(vector_id)
    assert not [item for item in seen if isinstance(item, BadFrame)]
    values = [item.value for item in seen]
    for expected in BY_ID[vector_id]["expected"]:
        wanted = expected["value"]
        if expected["parameter"] in {"error_code", "sensor_number", "sensor_status"}:
            continue  # Read as a quality, not as a value.
        if isinstance(wanted, float | int):
            assert any(isinstance(v, float | int) and math.isclose(v, wanted, rel_tol=1e-5) for v in values), expected
        else:
            assert wanted in values, expected


def test_a_quality_that_is_not_good_leaves_a_mark_and_no_value() -> None:
    unplugged = next(item for item in _decoded("mb-at400-ph-unplugged") if isinstance(item, DecodedValue))
    assert (unplugged.value, unplugged.flag) == (None, "sensor communication error")
    invalid = [item for item in _decoded("mb-vega-inv") if isinstance(item, DecodedValue)]
    assert [(item.parameter, item.value, item.flag) for item in invalid] == [
        ("pv", None, "invalid"),
        ("sv", 21.5, None),
    ]
    uncertain = [item for item in _decoded("mb-cm44x") if isinstance(item, DecodedValue)]
    assert [(item.value, item.flag) for item in uncertain] == [(8.13, None), (7.05, "uncertain")]
    assert [item.flag for item in _decoded("mb-keller-nan") if isinstance(item, DecodedValue)] == ["channel_error"]
    assert [item.flag for item in _decoded("mb-keller-iover") if isinstance(item, DecodedValue)] == ["overflow"]


def test_an_exception_is_a_bad_frame_that_says_what_was_refused() -> None:
    (bad,) = _decoded("mb-exception")
    assert isinstance(bad, BadFrame)
    assert bad.error.startswith("exception_2: illegal data address")
    assert (bad.offset, bad.frame) == (8, bytes.fromhex("018302c0f1"))


def test_a_truncated_answer_is_a_bad_frame_at_the_end() -> None:
    (bad,) = _decoded("mb-short")
    assert isinstance(bad, BadFrame)
    assert "unfinished frame: 9 of 13 bytes" in bad.error


def test_without_an_instrument_registers_are_given_as_they_are() -> None:
    decoder = modbus_rtu.decoder()
    seen = decoder.feed(bytes.fromhex("010300120002640e" + "0103040000a8ca05a4"))
    assert [(item.parameter, item.value) for item in seen] == [
        ("holding_register_18", 0),
        ("holding_register_19", 43210),
    ]


def _rtu(*pdus: str) -> bytes:
    return b"".join(modbus.encode_rtu(1, bytes.fromhex(pdu)) for pdu in pdus)


@pytest.mark.parametrize(
    ("pdus", "expected"),
    [
        # The examples of MODBUS Application Protocol V1.1b3, sections 6.7 to 6.21, and answers without their request.
        (["07", "076d"], [("exception_status", 0x6D)]),
        (["0b", "0bffff0108"], [("event_count", 0x108)]),
        (["11", "110401ff4142"], [("server_id", "AB")]),
        (["11", "11", "110401ff4142"], [("server_id", "AB")]),
        (["1804de", "18000600020 1b81284".replace(" ", "")], [("fifo_+0", 0x1B8), ("fifo_+1", 0x1284)]),
        (
            ["170003000600 0e00030600ff00ff00ff".replace(" ", ""), "170c00fe0acd00010003000d00ff"],
            [(f"holding_register_{3 + i}", v) for i, v in enumerate((0xFE, 0xACD, 1, 3, 13, 255))],
        ),
        (
            ["2b0e0100", "2b0e0101000003000241420102 4344020156".replace(" ", "")],
            [("vendor_name", "AB"), ("product_code", "CD"), ("revision", "V")],
        ),
        (["2b0e01010000010002 4142".replace(" ", "")], [("vendor_name", "AB")]),
    ],
)
def test_what_a_device_says_beside_its_registers_is_given(pdus: list[str], expected: list) -> None:
    decoder = modbus_rtu.decoder()
    seen = [*decoder.feed(_rtu(*pdus)), *decoder.close()]
    assert [(item.parameter, item.value) for item in seen] == expected


def test_an_exception_whose_request_was_not_heard_is_not_swallowed() -> None:
    decoder = modbus_rtu.decoder()
    (bad,) = decoder.feed(_rtu("830b"))
    assert bad.error == "exception_11: gateway target does not answer; unit 1 refuses function 3"


@pytest.mark.parametrize(
    "start", [b"\x00", b"\x01\x03\xfa", b"\x01\x10\0\0\0\0\xf0", b"\0\1\0\0\0\xfe\1\3"], ids=bytes.hex
)
@pytest.mark.parametrize("module", [modbus_rtu, modbus_tcp], ids=["rtu", "tcp"])
def test_endless_beginnings_of_frames_cost_no_more_than_their_bytes(module, start: bytes) -> None:
    # In one piece, because what was quadratic was so in the length of a piece: this took minutes.
    decoder = module.decoder()
    data = (start * 80_000)[:80_000]
    seen = [*decoder.feed(data), *decoder.close()]
    assert sum(len(item.frame) for item in seen) >= len(data) - 256
    assert max(len(item.frame) for item in seen) <= 260


def test_an_answer_alone_is_laid_over_the_only_read_of_its_size_and_says_so() -> None:
    decoder = modbus_rtu.decoder("yosemitech_y504")
    seen = decoder.feed(bytes.fromhex(BY_ID["mb-y504"]["input"]["response"]))
    assert [item.value for item in seen] == [18.52, 0.9731, 8.91]
    assert {item.more["request"] for item in seen} == {"not heard"}


def test_a_wrong_check_value_is_named_and_the_next_frame_is_found() -> None:
    spoilt = bytes.fromhex("010300120002640f")
    decoder = modbus_rtu.decoder()
    seen = [*decoder.feed(spoilt + bytes.fromhex("010300120002640e" + "0103040000a8ca05a4")), *decoder.close()]
    assert isinstance(seen[0], BadFrame)
    assert "CRC is 0F64, the bytes give 0E64" in seen[0].error
    assert (seen[0].offset, seen[0].frame) == (0, spoilt)
    assert [item.value for item in seen[1:]] == [0, 43210]


def test_answers_on_tcp_are_paired_by_their_transaction() -> None:
    decoder = modbus_tcp.decoder()
    first = modbus.encode_tcp(1, modbus.encode(ReadRequest(3, 0, 1)), 7)
    second = modbus.encode_tcp(1, modbus.encode(ReadRequest(3, 50, 1)), 8)
    late = modbus.encode_tcp(1, modbus.encode(ReadAnswer(3, b"\x00\x01")), 8)
    later = modbus.encode_tcp(1, modbus.encode(ReadAnswer(3, b"\x00\x02")), 7)
    seen = decoder.feed(first + second + late + later)
    assert [(item.parameter, item.value) for item in seen] == [("holding_register_50", 1), ("holding_register_0", 2)]


pieces = st.one_of(
    st.binary(max_size=12),
    st.builds(lambda u, p: modbus.encode_rtu(u, modbus.encode(p)), st.integers(1, 3), requests),
    st.builds(lambda u, p: modbus.encode_rtu(u, modbus.encode(p)), st.integers(1, 3), answers),
    st.builds(
        lambda u, p, t: modbus.encode_tcp(u, modbus.encode(p), t), st.integers(1, 3), requests, st.integers(0, 3)
    ),
    st.builds(lambda u, p, t: modbus.encode_tcp(u, modbus.encode(p), t), st.integers(1, 3), answers, st.integers(0, 3)),
)


@pytest.mark.parametrize("module", [modbus_rtu, modbus_tcp], ids=["rtu", "tcp"])
@given(stream=st.lists(pieces, max_size=8).map(b"".join), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_cut_of_a_stream_says_the_same(module, stream: bytes, cuts: list[int]) -> None:
    whole = module.decoder()
    expected = [*whole.feed(stream), *whole.close()]
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    cut_up = module.decoder()
    seen = [item for a, b in itertools.pairwise(edges) for item in cut_up.feed(stream[a:b])]
    assert [*seen, *cut_up.close()] == expected
    refused = [item for item in expected if isinstance(item, BadFrame)]
    assert all(stream[item.offset : item.offset + len(item.frame)] == item.frame for item in refused)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "frames"),
    [("graph_tool", 18), ("target0_val0", 74), ("target_0liter_per_min", 112), ("target_15liter_per_min", 132)],
)
def test_a_real_recorded_line_is_read_without_a_bad_frame(real_data: Path, name: str, frames: int) -> None:
    with (real_data / "raw_logs" / "modbus" / f"flowmeter_{name}_frames.csv").open() as file:
        recorded = [bytes.fromhex(row["frame_hex"]) for row in csv.DictReader(file)]
    assert len(recorded) == frames
    decoder = modbus_rtu.decoder()
    seen = [*decoder.feed(b"".join(recorded)), *decoder.close()]
    assert not [item for item in seen if isinstance(item, BadFrame)]
    read = sum(
        (len(frame) - 5) // 2
        for frame in recorded
        if frame[1] == 3 and len(frame) == 5 + frame[2] and frame[2] % 2 == 0
    )
    assert len(seen) == read


def _serial_bytes(capture: Path, *, baud: int = 9600) -> bytes:
    """Return what a UART (8N1) hears in a logic analyser's recording of the line that is named RXTX."""
    with zipfile.ZipFile(capture) as archive:
        about = dict(line.split("=", 1) for line in archive.read("metadata").decode().splitlines() if "=" in line)
        parts = sorted(
            (name for name in archive.namelist() if name.startswith("logic-1")), key=lambda name: (len(name), name)
        )
        samples = np.frombuffer(b"".join(archive.read(name) for name in parts), np.uint8)
    probe = next(int(key.removeprefix("probe")) for key, name in about.items() if name == "RXTX")
    line = (samples >> (probe - 1)) & 1
    bit = float(about["samplerate"].split()[0]) * 1e6 / baud
    falls = np.flatnonzero((line[:-1] == 1) & (line[1:] == 0)) + 1
    heard, free_from = bytearray(), 0.0
    for fall in falls:
        if fall < free_from or fall + 9.5 * bit >= len(line):
            continue
        places = (fall + (np.arange(1, 10) + 0.5) * bit).astype(int)
        *data, stop = line[places]
        if stop:
            heard.append(sum(int(level) << i for i, level in enumerate(data)))
            free_from = fall + 9.5 * bit
    return bytes(heard)


@pytest.mark.real
@pytest.mark.parametrize("name", ["graph_tool", "target0_val0", "target_0liter_per_min", "target_15liter_per_min"])
def test_a_logic_analysers_recording_is_read_from_its_levels(real_data: Path, name: str) -> None:
    folder = real_data / "raw_logs" / "modbus"
    with (folder / f"flowmeter_{name}_frames.csv").open() as file:
        listed = b"".join(bytes.fromhex(row["frame_hex"]) for row in csv.DictReader(file))
    heard = _serial_bytes(folder / f"flowmeter_{name}.sr")
    assert listed in heard
    decoder = modbus_rtu.decoder()
    seen = [*decoder.feed(heard), *decoder.close()]
    other = modbus_rtu.decoder()
    assert [item for item in seen if isinstance(item, DecodedValue)] == other.feed(listed)
