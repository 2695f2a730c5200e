"""Times and repeated messages: odd clocks, counters, duplicates, retained and redelivered ones."""

from __future__ import annotations

import json

import numpy as np

from nilometer.acquisition.mqtt_rows import MessageRows
from nilometer.acquisition.protocols.mqtt import Publish
from nilometer.acquisition.protocols.telemetry import Message, Said
from nilometer.acquisition.rows import ChannelTable
from nilometer.acquisition.uplink_counters import Counters

NOW = 1_714_557_600_000_000
HOUR = 3_600_000_000


def publish(payload=b"x", *, topic="t", number=1, retain=False, dup=False):
    return Publish(topic, payload, number, retain, dup)


def rows(table_rows, message, *, arrival=NOW, **how):
    return table_rows.rows(publish(**how), message, arrival)


def test_a_values_own_time_counts_before_the_networks_and_that_before_arrival():
    made = MessageRows(ChannelTable())
    message = Message("d", [Said("a", 1.0, time=NOW - HOUR), Said("b", 2.0)], received=NOW - 5)
    assert [row.time for row in rows(made, message)] == [NOW - HOUR, NOW - 5]
    assert [row.time for row in rows(made, Message("d", [Said("a", 1.0)]))] == [NOW]


def test_a_clock_that_cannot_be_true_is_set_aside_and_named():
    for odd in (0, NOW + HOUR, 315_964_800_000_000, 2**62):
        message = Message("d", [Said("a", 1.0, time=odd)], received=NOW - 5)
        (row,) = rows(MessageRows(ChannelTable()), message)
        assert row.time == NOW - 5
        assert "device_time" in json.loads(row.extra)
        assert "clock" in message.problems[0]


def test_a_network_with_an_odd_clock_is_named_too():
    message = Message("d", [Said("a", 1.0)], received=NOW + HOUR)
    (row,) = rows(MessageRows(ChannelTable()), message)
    assert (row.time, "network's clock" in message.problems[0]) == (NOW, True)


def test_devices_without_a_clock_worth_it_go_by_the_network_or_by_arrival():
    message = Message("d", [Said("a", 1.0, time=NOW - HOUR)], received=NOW - 5)
    assert rows(MessageRows(ChannelTable(), time="network"), message)[0].time == NOW - 5
    assert rows(MessageRows(ChannelTable(), time="arrival"), message)[0].time == NOW


def test_two_messages_of_a_topic_never_share_a_moment_of_arrival():
    made = MessageRows(ChannelTable())
    times = [rows(made, Message("d", [Said("a", 1.0)]), payload=bytes([n]))[0].time for n in range(5)]
    assert np.diff(times).min() > 0


def test_a_message_that_is_delivered_again_keeps_its_moment():
    made = MessageRows(ChannelTable())
    (first,) = rows(made, Message("d", [Said("a", 1.0)]), payload=b"1")
    (again,) = rows(made, Message("d", [Said("a", 1.0)]), payload=b"1", arrival=NOW + HOUR, dup=True)
    assert again.time == first.time
    assert again.extra is None


def test_a_redelivery_whose_first_delivery_nobody_remembers_is_named():
    (row,) = rows(MessageRows(ChannelTable()), Message("d", [Said("a", 1.0)]), dup=True)
    assert json.loads(row.extra) == {"redelivered": True}


def test_the_same_uplink_through_a_second_gateway_is_the_same_observation():
    made = MessageRows(ChannelTable())

    def uplink(received, value=1.0):
        return Message("d", [Said("a", value)], received=received, counter=7)

    (first,) = rows(made, uplink(NOW - 900))
    (second,) = rows(made, uplink(NOW - 100))
    assert (second.time, second.value) == (first.time, first.value)


def test_gaps_late_frames_and_restarts_of_the_counter_are_said():
    counters = Counters()
    assert counters.hear("d", 1, 1, 10) == (10, "")
    assert counters.hear("d", 2, 2, 20) == (20, "")
    assert "2 uplinks missing before frame 5" in counters.hear("d", 5, 5, 50)[1]
    assert "frame 4 came late" in counters.hear("d", 4, 4, 55)[1]
    assert counters.hear("d", 5, 5, 99) == (50, "")
    assert "began anew at 1" in counters.hear("d", 1, 11, 100)[1]
    assert counters.hear("d", 2, 12, 110) == (110, "")
    assert "missing" in counters.hear("d", 2**32 - 1, 13, 120)[1]
    assert counters.hear("other", 0, 1, 130) == (130, "")


def test_names_of_the_vocabulary_mean_it_and_null_makes_no_channel():
    table = ChannelTable()
    made = MessageRows(table)
    said = [
        Said("ph", 7.1),
        Said("water_temperature", 60.0, "degF"),
        Said("salinity", 1.0, "m"),
        Said("x", float("nan")),
    ]
    assert len(rows(made, Message("d", said))) == 3
    assert [(channel.key, channel.observed_property, channel.unit) for channel in table.channels] == [
        ("d/ph", "ph", "1"),
        ("d/water_temperature", "water_temperature", "degree_Fahrenheit"),
        ("d/salinity", None, "m"),
    ]
