"""LoRaWAN payloads: the published ones by value, any bytes without harm, and the device files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cli.conftest import nilometer

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.lorawan_device import lorawan_device, lorawan_devices
from nilometer.acquisition.protocols.lorawan import LorawanDecoder, decode_payload
from nilometer.acquisition.protocols.lpp import TYPES, LppDecoder, decode_lpp, encode_lpp
from nilometer.errors import ConfigError

FILE = Path(__file__).parents[2] / "vectors/acquisition/lorawan.json"
VECTORS = json.loads(FILE.read_text("utf-8"))["vectors"]
ERRORS = {"protocol_version", "truncated", "unknown_type"}


def decoded(vector):
    payload = bytes.fromhex(vector["input"]["hex"])
    if vector["device"] == "Cayenne LPP":
        return decode_lpp(payload)
    device = lorawan_device(vector["device"])
    return decode_payload(device, payload, port=vector["input"]["fport"], parameters=vector.get("parameters"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_published_payload_says_what_its_source_says(vector):
    found = decoded(vector)
    values = [item for item in found if isinstance(item, DecodedValue)]
    for expected in vector["expected"]:
        same = [
            item
            for item in values
            if item.parameter == expected["parameter"]
            and item.unit == expected["unit"]
            and item.flag == expected["flag"]
            and item.time == expected.get("time")
            and item.value
            == (pytest.approx(expected["value"], abs=1e-6) if _is_number(expected) else expected["value"])
        ]
        assert same, (expected, found)
    errors = [item.error.split(":")[0] for item in found if isinstance(item, BadFrame)]
    assert errors == ([vector["error"]] if vector["status"] == "reject" else [])
    assert set(errors) <= ERRORS


def _is_number(expected):
    return isinstance(expected["value"], int | float)


def test_no_device_file_is_broken_and_each_says_what_supports_it():
    found = lorawan_devices()
    assert found.broken == {}
    assert len(found.items) >= 20
    assert all(device.evidence and device.document and device.models for device in found.items.values())


@pytest.mark.parametrize("name", sorted(lorawan_devices().items))
@settings(max_examples=60)
@given(payload=st.binary(max_size=300), port=st.none() | st.integers(0, 255), number=st.floats(-10, 10))
def test_any_bytes_give_values_or_a_refusal(name, payload, port, number):
    device = lorawan_device(name)
    parameters = dict.fromkeys(device.parameters, number or 1.0)
    for item in decode_payload(device, payload, port=port, parameters=parameters):
        assert isinstance(item, DecodedValue | BadFrame)


@given(st.binary(max_size=300))
def test_any_bytes_are_lpp_or_refused(payload):
    found = decode_lpp(payload)
    assert all(isinstance(item, DecodedValue | BadFrame) for item in found)
    assert sum(isinstance(item, BadFrame) for item in found) <= 1


@given(
    st.lists(
        st.sampled_from(sorted(TYPES)).flatmap(
            lambda number: st.tuples(st.integers(0, 255), st.just(number), st.binary(min_size=9, max_size=9))
        ),
        max_size=12,
    )
)
def test_what_lpp_encodes_it_decodes(triples):
    payload = b"".join(bytes([channel, number]) + data[: TYPES[number].size] for channel, number, data in triples)
    found = decode_lpp(payload)
    values, at = [], 0
    for channel, number, _ in triples:
        parts = len(TYPES[number].parts)
        values.append((channel, TYPES[number].name, tuple(item.value for item in found[at : at + parts])))
        at += parts
    assert encode_lpp(values) == payload


def test_a_number_that_does_not_fit_lpp_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        encode_lpp([(1, "temperature", (4000.0,))])


def test_the_range_of_the_label_is_never_assumed():
    found = decode_payload(lorawan_device("decentlab_dl_pr26"), bytes.fromhex("02016700033e8060170c7f"))
    assert (found[0].value, found[0].flag) == (None, "needs Pmin, Pmax of the label")
    assert found[1].value == 25.671875


def test_a_port_that_carries_something_else_gives_no_value():
    found = decode_payload(lorawan_device("Milesight EM500-SWL"), bytes.fromhex("01755c03770200"), port=86)
    assert [item.error.split(":")[0] for item in found] == ["port"]


def test_a_broken_current_loop_is_no_depth_of_zero():
    device = lorawan_device("dragino_ps_lb")
    payload = (3300).to_bytes(2) + b"\x00\x05" + (0).to_bytes(2) + (0).to_bytes(2)
    loop = next(item for item in decode_payload(device, payload, port=2) if item.parameter == "loop_current")
    assert (loop.value, loop.unit, loop.flag) == (0.0, "mA", "loop_broken")


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_decoder_takes_its_payload_in_any_cut(cut):
    decoder, whole = LppDecoder(), bytes.fromhex("03670110056700FF")
    assert list(decoder.feed(whole[:cut])) == []
    assert list(decoder.feed(whole[cut:])) == []
    assert [item.value for item in decoder.close()] == [27.2, 25.5]


def test_endless_bytes_are_refused_and_not_kept():
    decoder = LppDecoder()
    for _ in range(1000):
        decoder.feed(b"\x00" * 1000)
    assert ["long" in item.error for item in decoder.close()] == [True]


def test_the_command_decodes_a_payload_with_what_its_label_says():
    payload = b"02016700033e8060170c7f"
    called = nilometer("decode", "lorawan", "--hex", "--instrument", "decentlab_dl_pr26:Pmin=0,Pmax=3", stdin=payload)
    assert called.code == 0, called.err
    assert called.lines[0]["parameter"] == "pressure"
    assert called.lines[0]["value"] == pytest.approx(-0.035156, abs=1e-6)
    called = nilometer("decode", "lpp", "--hex", stdin=b"0367011005f0aa")
    assert called.code == 1
    assert called.lines[0]["value"] == 27.2
    assert "unknown_type" in called.lines[1]["error"]


def test_the_command_says_what_would_work():
    called = nilometer("decode", "lorawan", stdin=b"")
    assert (called.code, "--instrument" in called.err, "milesight_em500_swl" in called.err) == (2, True, True)
    with pytest.raises(ConfigError, match="Pmin"):
        LorawanDecoder("decentlab_dl_pr26:Pmini=0")
    with pytest.raises(ConfigError, match="KEY=NUMBER"):
        LorawanDecoder("decentlab_dl_pr26:Pmin")
    with pytest.raises(ConfigError, match="milesight_em500_swl"):
        lorawan_device("milesight_em500_swx")
