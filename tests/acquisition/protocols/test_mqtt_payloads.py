"""What messages say: SensorThings, The Things Stack, ChirpStack, Sparkplug B, free JSON; and any bytes."""

from __future__ import annotations

import contextlib
import json
import math
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.mqtt_formats import DeviceOptions, Devices, TopicOptions, reader
from nilometer.acquisition.protocols.json_mapping import JsonFormat, Mapped
from nilometer.acquisition.protocols.mqtt import connect_packet, publish_packet
from nilometer.acquisition.protocols.mqtt_stream import MqttDecoder
from nilometer.acquisition.protocols.network_server import ChirpStackFormat, TheThingsStackFormat
from nilometer.acquisition.protocols.protobuf import fields, varint
from nilometer.acquisition.protocols.sensorthings_topics import SensorThingsFormat
from nilometer.acquisition.protocols.sparkplug import SparkplugFormat
from nilometer.acquisition.protocols.sparkplug_payload import Metric, decode_payload, encode_payload
from nilometer.acquisition.protocols.telemetry import Message, moment
from nilometer.errors import FrameError

TEN = 1_714_557_600_000_000  # 2024-05-01T10:00:00Z
UP = "v3/a1@ttn/devices/d1/up"


def ttn(**changes):
    up = {"f_port": 85, "f_cnt": 77, "frm_payload": "AXVkA3cCAA==", "received_at": "2024-05-01T10:00:00.123456789Z"}
    up |= changes
    ids = {"device_id": "d1", "application_ids": {"application_id": "a1"}, "dev_eui": "0004A30B001C0530"}
    up = {name: value for name, value in up.items() if value is not None}
    return json.dumps({"end_device_ids": ids, "uplink_message": up, "received_at": "2024-05-01T10:00:01Z"}).encode()


def devices(**options):
    return Devices({name: DeviceOptions(**item) for name, item in options.items()}).decode


def said(message):
    return {item.key: (item.value, item.unit) for item in message.values}


def test_an_uplink_of_the_things_stack_is_decoded_by_the_device_that_is_configured():
    read = TheThingsStackFormat(devices(d1={"decoder": "milesight_em500_swl"})).read
    message = read(UP, ttn())
    assert said(message) == {"battery": (100.0, "%"), "depth": (2.0, "cm")}
    assert (message.device, message.counter, message.received) == ("d1", 77, TEN + 123_456)


def test_without_a_decoder_the_servers_own_fields_count():
    read = TheThingsStackFormat(devices()).read
    message = read(UP, ttn(decoded_payload={"temp": 21.5, "at": {"depth": 3}, "name": "x", "ok": True}))
    assert said(message) == {"temp": (21.5, None), "at.depth": (3.0, None), "ok": (1.0, None)}
    assert read(UP, ttn()).problems == ["d1: no decoder is configured, and the server decoded nothing (port 85)"]


def test_a_device_file_gives_property_and_words_their_numbers():
    read = TheThingsStackFormat(devices(d1={"decoder": "milesight_em400_udl"})).read
    values = {item.key: item for item in read(UP, ttn(frm_payload="AXVcA2cBAQSCRAgFAAE=")).values}
    assert (values["distance"].value, values["position"].value, values["position"].mark) == (2116.0, 1.0, "tilt")
    read = TheThingsStackFormat(devices(d1={"decoder": "decentlab_dl_ctd10b"})).read
    values = {item.key: item for item in read(UP, ttn(frm_payload="AgfZAAOQiICBAGQAAAxg")).values}
    assert "device_id" not in values
    assert [(values[key].observed_property) for key in ("water_depth", "temperature")] == [
        "water_depth",
        "water_temperature",
    ]


def test_fields_that_the_server_leaves_out_are_zero():
    # A frame of the network's own: no port, no payload, and the counter 0.
    message = TheThingsStackFormat(devices(d1={"decoder": "lpp"})).read(
        UP, ttn(f_port=None, f_cnt=None, frm_payload=None)
    )
    assert (message.counter, message.values, message.problems) == (0, [], [])


def test_a_payload_on_the_wrong_port_is_named():
    message = TheThingsStackFormat(devices(d1={"decoder": "milesight_em500_swl"})).read(UP, ttn(f_port=2))
    assert message.values == []
    assert "port: 2" in message.problems[0]


def test_the_old_version_2_is_read():
    body = {"app_id": "a", "dev_id": "d1", "port": 1, "counter": 5, "payload_raw": "A2cBEA=="}
    body["metadata"] = {"time": "2024-05-01T10:00:00Z"}
    message = TheThingsStackFormat(devices(d1={"decoder": "lpp"})).read("a/devices/d1/up", json.dumps(body).encode())
    assert said(message) == {"3.temperature": (27.2, "degC")}
    assert (message.received, message.counter) == (TEN, 5)


@pytest.mark.parametrize("payload", ["%%%", "AXVkA3cCAA", 5])
def test_a_payload_that_is_no_base64_is_refused(payload):
    with pytest.raises(FrameError, match="base64"):
        TheThingsStackFormat(devices()).read(UP, ttn(frm_payload=payload))


def test_joins_and_downlinks_say_nothing():
    body = json.dumps({"end_device_ids": {"device_id": "d1"}, "join_accept": {}}).encode()
    assert TheThingsStackFormat(devices()).read("v3/a1/devices/d1/join", body) == Message()
    with pytest.raises(FrameError, match="uplink_message"):
        TheThingsStackFormat(devices()).read(UP, body)


def chirpstack(**changes):
    body = {
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": "2024-05-01T10:00:00.123456789+00:00",
        "deviceInfo": {"applicationId": "7", "deviceProfileName": "EM500-SWL", "devEui": "0101010101010101"},
        "fCnt": 4,
        "fPort": 85,
        "data": "AXVkA3cCAA==",
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -36}, {"gatewayId": "0016c001f153a14d", "rssi": -99}],
    }
    return json.dumps(body | changes).encode()


EVENT = "application/7/device/0101010101010101/event/up"


def test_an_uplink_of_chirpstack_is_decoded_by_its_device_profile():
    decode = Devices({"em500-swl": DeviceOptions(decoder="milesight_em500_swl")}).decode
    message = ChirpStackFormat(decode).read(EVENT, chirpstack())
    assert said(message) == {"battery": (100.0, "%"), "depth": (2.0, "cm")}
    assert (message.device, message.counter, message.received) == ("0101010101010101", 4, TEN + 123_456)


def test_version_3_of_chirpstack_is_refused_and_not_mixed_up():
    body = json.dumps({"applicationID": "1", "devEUI": "AQEBAQEBAQE=", "fCnt": 1, "data": ""}).encode()
    with pytest.raises(FrameError, match="v3"):
        ChirpStackFormat(devices()).read(EVENT, body)
    assert ChirpStackFormat(devices()).read(EVENT.replace("/up", "/status"), b"{}") == Message()


@pytest.mark.parametrize(
    ("topic", "body", "key"),
    [
        ("v1.1/Datastreams(5)/Observations", {}, "5"),
        ("v1.1/Datastreams('abc')/Observations", {}, "abc"),
        ("FROST/v1.0/Datastreams(5)/Observations", {}, "5"),
        ("v1.1/Datastreams(5)/Observations?$select=phenomenonTime,result", {}, "5"),
        ("v1.1/Observations", {"Datastream": {"@iot.id": 7}}, "7"),
    ],
)
def test_an_observation_belongs_to_the_datastream_that_topic_or_body_name(topic, body, key):
    body |= {"phenomenonTime": "2024-05-01T12:00:00+02:00", "result": 8.4, "resultTime": "2024-05-01T10:05:00Z"}
    body |= {"resultQuality": {"code": 1}, "parameters": {"a": 1}}
    (one,) = SensorThingsFormat().read(topic, json.dumps(body).encode()).values
    assert (one.key, one.value, one.time, one.result_time) == (key, 8.4, TEN, TEN + 300_000_000)
    assert (json.loads(one.mark), json.loads(one.extra)) == ({"code": 1}, {"a": 1})


def test_intervals_nulls_and_arrays_of_observations_are_read():
    read = SensorThingsFormat().read
    topic = "v1.1/Datastreams(5)/Observations"
    (one,) = read(topic, b'{"phenomenonTime":"2024-05-01T10:00:00Z/2024-05-01T11:00:00Z","result":1}').values
    assert (one.time, one.duration) == (TEN, 3_600_000_000)
    (one,) = read(topic, b'{"result":null}').values
    assert (math.isnan(one.value), one.time) == (True, None)
    two = read("v1.1/MultiDatastreams(3)/Observations", b'{"result":[1,2.5]}').values
    assert [(one.key, one.value) for one in two] == [("3.0", 1.0), ("3.1", 2.5)]


@pytest.mark.parametrize(
    ("topic", "body", "why"),
    [
        ("v1.1/Datastreams(5)/Observations", b"{", "observation"),
        ("v1.1/Datastreams(5)/Observations", b"{}", "no `result`"),
        ("v1.1/Datastreams(5)/Observations", b'{"result":"dry"}', "no number"),
        ("v1.1/Datastreams(5)/Observations", b'{"result":1,"phenomenonTime":"2024-05-01T10:00:00"}', "no zone"),
        ("v1.1/Datastreams(5)/Observations", b'{"result":1,"phenomenonTime":"yesterday"}', "no ISO"),
        ("v1.1/Observations", b'{"result":1}', "Datastream"),
        ("v1.1/Things(1)", b'{"result":1}', "takes no Observations"),
    ],
)
def test_what_is_no_observation_is_refused_with_its_reason(topic, body, why):
    with pytest.raises(FrameError, match=why):
        SensorThingsFormat().read(topic, body)


def birth(seq=0, death=1, **metrics):
    names = [Metric(name="bdSeq", data_type=8, value=death)]
    for alias, (name, (value, unit)) in enumerate(metrics.items(), 1):
        names.append(Metric(name=name, alias=alias, time=1000, data_type=10, value=value, properties={"engUnit": unit}))
    return encode_payload(1000, seq, names)


def data(seq, *metrics):
    return encode_payload(2000, seq, metrics)


def test_sparkplug_names_and_units_come_with_the_birth():
    node = SparkplugFormat()
    born = node.read("spBv1.0/g/NBIRTH/e", birth(ph=(7.1, "1"), level=(2.5, "m")))
    assert (born.life, said(born)) == ("birth", {"ph": (7.1, "1"), "level": (2.5, "m")})
    told = node.read("spBv1.0/g/NDATA/e", data(1, Metric(alias=2, time=3000, data_type=10, value=2.75)))
    assert [(v.key, v.value, v.unit, v.time) for v in told.values] == [("level", 2.75, "m", 3_000_000)]
    assert (told.problems, told.commands) == ([], [])


def test_what_was_not_born_is_asked_to_be_born_again_and_not_too_often():
    node = SparkplugFormat()
    first = node.read("spBv1.0/g/NDATA/e", data(5, Metric(alias=2, value=2.75, data_type=10)), 1_000_000)
    assert first.values == []
    assert "never born" in first.problems[0]
    ((topic, payload),) = first.commands
    assert topic == "spBv1.0/g/NCMD/e"
    (metric,) = decode_payload(payload).metrics
    assert (metric.name, metric.data_type, metric.value) == ("Node Control/Rebirth", 11, 1)
    again = node.read("spBv1.0/g/NDATA/e", data(6, Metric(name="level", value=2.8, data_type=10)), 2_000_000)
    assert (again.values, again.commands) == ([], [])  # By its name alone it would have no unit, for ever.


def test_a_gap_in_the_sequence_is_said_and_asks_for_a_birth():
    node = SparkplugFormat()
    node.read("spBv1.0/g/NBIRTH/e", birth(ph=(7.1, "1")))
    node.read("spBv1.0/g/DBIRTH/e/d", encode_payload(1, 1, [Metric(name="t", alias=9, data_type=10, value=1.0)]))
    told = node.read("spBv1.0/g/DDATA/e/d", data(3, Metric(alias=9, value=2.0, data_type=10)))
    assert (told.device, said(told)) == ("g/e/d", {"t": (2.0, None)})
    assert "sequence 3 in place of 2" in told.problems[0]
    assert len(told.commands) == 1


def test_the_death_of_an_earlier_session_does_not_end_a_living_node():
    node = SparkplugFormat()
    node.read("spBv1.0/g/NBIRTH/e", birth(death=2, ph=(7.1, "1")))
    late = node.read("spBv1.0/g/NDEATH/e", encode_payload(1, None, [Metric(name="bdSeq", data_type=8, value=1)]))
    assert late.life is None
    true = node.read("spBv1.0/g/NDEATH/e", encode_payload(1, None, [Metric(name="bdSeq", data_type=8, value=2)]))
    assert true.life == "death"


def test_signed_numbers_nulls_and_bad_quality_are_read():
    metrics = [
        Metric(name="a", alias=1, data_type=2, value=-5),
        Metric(name="b", alias=2, data_type=10, value=1.0, properties={"Quality": 500}),
        Metric(name="c", alias=3, data_type=10, is_null=True),
        Metric(name="d", alias=4, data_type=12, value="text"),
    ]
    node = SparkplugFormat()
    told = node.read("spBv1.0/g/NBIRTH/e", encode_payload(1, 0, metrics))
    values = {item.key: (item.value, item.mark) for item in told.values}
    assert values["a"] == (-5.0, None)
    assert values["b"] == (1.0, "500")
    assert math.isnan(values["c"][0])
    assert values["c"][1] == "null"
    assert "d" not in values
    # Data may leave the type out; that of the birth counts.
    raw = encode_payload(1, 1, [Metric(alias=1, data_type=7, value=0xFFFB)])
    untyped = raw.replace(bytes([0x20, 7]), b"")
    assert untyped != raw
    untyped = raw[: raw.index(b"\x12") + 1] + bytes([raw[raw.index(b"\x12") + 1] - 2]) + raw[raw.index(b"\x12") + 2 :]
    untyped = untyped.replace(bytes([0x20, 7]), b"")
    assert node.read("spBv1.0/g/NDATA/e", untyped).values[0].value == -5.0


FREE = TopicOptions(
    topic="site/+/data",
    format="json",
    records="rows",
    time="ts",
    time_form="ms",
    values={
        "t.c": {"key": "temperature", "property": "water_temperature", "unit": "degC", "missing": [-127]},
        "ph": {},
    },
)


def test_free_json_is_read_by_its_mapping():
    body = {"rows": [{"ts": 1714557600000, "t": {"c": 12.5}, "ph": "7.1"}, {"ts": 1714557601000, "t": {"c": -127}}]}
    message = reader(FREE, Devices({}))("site/dam/data", json.dumps(body).encode(), 0)
    assert message.device == "dam"
    first, ph, gone = message.values
    assert (first.key, first.value, first.unit, first.observed_property) == (
        "temperature",
        12.5,
        "degC",
        "water_temperature",
    )
    assert (ph.key, ph.value, ph.time) == ("ph", 7.1, TEN)
    assert (math.isnan(gone.value), gone.mark, gone.time) == (True, "-127", TEN + 1_000_000)


def test_tasmota_says_local_time_without_a_zone():
    body = b'{"Time":"2024-05-01T12:00:00","DS18B20":{"Id":"01","Temperature":21.4},"TempUnit":"C"}'
    zoned = JsonFormat(topic="tele/+/SENSOR", time="Time", zone=ZoneInfo("Europe/Berlin")).read(
        "tele/pool/SENSOR", body
    )
    assert [(v.key, v.value, v.time) for v in zoned.values] == [("DS18B20.Temperature", 21.4, TEN)]
    naive = JsonFormat(topic="tele/+/SENSOR", time="Time").read("tele/pool/SENSOR", body)
    assert (naive.values[0].time, "no zone" in naive.problems[0]) == (None, True)


def test_a_message_without_any_of_its_values_is_refused():
    read = JsonFormat(values=(Mapped("a.b", "b"),)).read
    with pytest.raises(FrameError, match="none of those"):
        read("x", b'{"a": 5}')
    assert said(read("x", b'{"a": {"b": 5}}')) == {"b": (5.0, None)}


def test_a_bare_payload_is_decoded_by_the_device_of_its_topic():
    read = reader(TopicOptions(topic="lora/+", format="payload"), Devices({"*": DeviceOptions(decoder="lpp")}))
    message = read("lora/d9", bytes.fromhex("03670110"), 0)
    assert (message.device, said(message)) == ("d9", {"3.temperature": (27.2, "degC")})


@pytest.mark.parametrize(
    ("text", "form", "time"),
    [
        ("2024-05-01T10:00:00Z", "iso", TEN),
        (1714557600, "s", TEN),
        (1714557600.5, "s", TEN + 500_000),
        ("1714557600", "s", TEN),
    ],
)
def test_times_are_read_exactly(text, form, time):
    assert moment(text, form=form) == time


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)
KEYS = [
    "uplink_message",
    "end_device_ids",
    "device_id",
    "frm_payload",
    "decoded_payload",
    "f_cnt",
    "deviceInfo",
    "devEui",
]
KEYS += ["data", "object", "fCnt", "fPort", "time", "result", "phenomenonTime", "dev_id", "payload_raw", "rows", "ts"]
LIKELY = st.dictionaries(st.sampled_from(KEYS), JSON | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4))
READERS = [
    reader(TopicOptions(topic=topic, format=form), Devices({"*": DeviceOptions(decoder="lpp")}))
    for topic, form in (("#", "ttn"), ("#", "chirpstack"), ("#", "sensorthings"), ("#", "sparkplug"), ("#", "payload"))
]
READERS += [reader(FREE, Devices({})), reader(TopicOptions(topic="#", format="json", time="ts"), Devices({}))]
TOPICS = st.sampled_from([UP, EVENT, "v1.1/Datastreams(5)/Observations", "v1.1/Observations", "spBv1.0/g/NBIRTH/e"])
TOPICS |= st.sampled_from(["spBv1.0/g/DDATA/e/d", "spBv1.0/g/NDEATH/e", "site/a/data"]) | st.text(max_size=30)


@given(TOPICS, st.binary(max_size=200) | (JSON | LIKELY).map(lambda value: json.dumps(value).encode()))
def test_any_message_is_read_or_refused(topic, payload):
    for read in READERS:
        try:
            message = read(topic, payload, TEN)
        except FrameError:
            continue
        assert all(isinstance(item.value, float | int) for item in message.values)


METRICS = st.builds(
    Metric,
    name=st.text(max_size=10),
    alias=st.none() | st.integers(0, 9),
    time=st.none() | st.integers(0, 2**64 - 1),
    data_type=st.sampled_from([4, 10, 11, 12]),
    value=st.none() | st.integers(-(2**40), 2**40),
    is_historical=st.booleans(),
)


@given(st.data())
def test_any_sequence_of_sparkplug_messages_is_read_or_refused(draws):
    node = SparkplugFormat()
    kinds = st.sampled_from(["NBIRTH/e", "NDATA/e", "NDEATH/e", "DBIRTH/e/d", "DDATA/e/d", "DDEATH/e/d"])
    for _ in range(draws.draw(st.integers(1, 6))):
        kind = draws.draw(kinds)
        metrics = draws.draw(st.lists(METRICS, max_size=4))
        for metric in metrics:
            if metric.data_type == 12 and metric.value is not None:
                metric.value = str(metric.value)
        with contextlib.suppress(FrameError):
            node.read(f"spBv1.0/g/{kind}", encode_payload(1, draws.draw(st.integers(0, 300)), metrics))


@given(st.binary(max_size=300))
def test_any_bytes_are_protobuf_fields_or_a_frame_error(payload):
    with contextlib.suppress(FrameError):
        fields(payload)


@given(st.integers(0, 2**64 - 1))
def test_varints_turn_back(number):
    assert fields(b"\x08" + varint(number)) == [(1, 0, number)]


def test_a_json_bomb_is_refused():
    with pytest.raises(FrameError):
        SensorThingsFormat().read("v1.1/Observations", b"[" * 100_000)
    with pytest.raises(FrameError):
        TheThingsStackFormat(devices()).read(UP, b'{"a":' * 100_000)


def test_a_captured_connection_is_decoded_by_what_its_topics_say():
    stream = connect_packet("logger") + publish_packet(UP, ttn(f_port=1, frm_payload="A2cBEA=="), packet_id=1)
    stream += publish_packet(
        "v1.1/Datastreams(5)/Observations", b'{"phenomenonTime":"2024-05-01T10:00:00Z","result":1}'
    )
    stream += publish_packet("pool/sensor", b'{"ph": 7.1}') + publish_packet("pool/sensor", b"{") + b"\x30\x7fcut"
    decoder = MqttDecoder("lpp")
    found = [item for cut in range(0, len(stream), 7) for item in decoder.feed(stream[cut : cut + 7])] + list(
        decoder.close()
    )
    values = [(item.parameter, item.value, item.time) for item in found if isinstance(item, DecodedValue)]
    assert values == [
        ("3.temperature", 27.2, "2024-05-01T10:00:00.123456Z"),
        ("5", 1.0, "2024-05-01T10:00:00Z"),
        ("ph", 7.1, None),
    ]
    assert ["json" in item.error or "truncated" in item.error for item in found if isinstance(item, BadFrame)] == [
        True
    ] * 2


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_stream_is_decoded_or_refused(chunks):
    decoder = MqttDecoder(None)
    for chunk in chunks:
        assert all(isinstance(item, DecodedValue | BadFrame) for item in decoder.feed(chunk))
    assert all(isinstance(item, BadFrame) for item in decoder.close())


def test_a_capture_of_version_5_is_known_by_its_connect_and_read_to_the_broken_packet():
    connect = bytes.fromhex("10 10 0004 4d515454 05 02 003c 00 0003 616263")
    alias = bytes.fromhex("23 0001")
    named = b"\0\1t" + bytes([len(alias)]) + alias + b'{"ph":7.1}'
    again = b"\0\0" + bytes([len(alias)]) + alias + b'{"ph":7.2}'
    qos_2 = b"\0\1t\0\5\0" + b'{"ph":7.3}'
    bodies = ((0x30, named), (0x30, again), (0x34, qos_2))
    stream = connect + b"".join(bytes([head, len(body)]) + body for head, body in bodies)
    decoder = MqttDecoder(None)
    seen = [*decoder.feed(stream + b"\x00\x00" + stream), *decoder.feed(stream), *decoder.close()]
    assert [(item.parameter, item.value, item.more["topic"]) for item in seen[:-1]] == [
        ("ph", 7.1, "t"), ("ph", 7.2, "t"), ("ph", 7.3, "t"),
    ]  # fmt: skip
    assert (seen[-1].offset, seen[-1].error.endswith("the rest cannot be read")) == (len(stream), True)
