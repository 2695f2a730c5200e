"""Times, positions and channels of NMEA 0183 streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.nmea0183_channels import PROPERTIES, Transducer
from nilometer.acquisition.nmea0183_rows import SentenceRows
from nilometer.acquisition.protocols.nmea0183 import LineSplitter, content, encode
from nilometer.acquisition.rows import ChannelTable
from nilometer.model.properties import vocabulary

T0 = 1_735_689_600_000_000  # 2025-01-01T00:00:00Z
S = 1_000_000


def zda(clock, day="01", month="01", year="2025"):
    return encode("GP", "ZDA", [clock, day, month, year, "", ""])


def mtw(value):
    return encode("YX", "MTW", [value, "C"])


def play(rows, *said):
    """Take (arrival in s, bytes) pairs; return (key, seconds since T0, value) of all rows."""
    found = []
    for seconds, data in said:
        arrival = T0 + int(seconds * S)
        for sentence in LineSplitter().feed(data):
            rows.take(sentence, content(sentence), arrival)
        found += listed(rows.flush(arrival))
    return found


def listed(batch):
    if batch is None:
        return []
    return [
        (batch.channels[i].key, (time - T0) / S, value)
        for i, time, value in zip(batch.channel, batch.phenomenon_time.tolist(), batch.raw_result.tolist(), strict=True)
    ]


def test_the_first_value_after_a_clock_takes_its_time_and_the_next_goes_on_with_arrival():
    found = play(
        SentenceRows(ChannelTable()),
        (100.0, zda("000010") + mtw("15.0")),
        (100.4, mtw("15.1")),
        (101.0, zda("000011") + mtw("15.2")),
    )
    assert found == [
        ("MTW.water_temperature", 10.0, 15.0),
        ("MTW.water_temperature", 10.4, 15.1),
        ("MTW.water_temperature", 11.0, 15.2),
    ]


def test_two_values_at_one_moment_are_a_step_apart():
    found = play(SentenceRows(ChannelTable()), (0.0, zda("000010") + mtw("15.0") + mtw("15.1") + mtw("15.2")))
    assert [time for _, time, _ in found] == [10.0, 10.001, 10.002]


def test_rows_before_the_date_wait_for_it():
    rows = SentenceRows(ChannelTable())
    assert play(rows, (50.0, mtw("15.0"))) == []
    assert rows.is_waiting
    assert play(rows, (51.0, zda("000011"))) == [("MTW.water_temperature", 10.0, 15.0)]


def test_a_stream_without_a_clock_falls_back_to_arrival():
    rows = SentenceRows(ChannelTable(), clock_wait_us=2 * S)
    assert play(rows, (50.0, mtw("15.0"))) == []
    assert listed(rows.flush(T0 + 52 * S)) == [("MTW.water_temperature", 50.0, 15.0)]
    assert play(rows, (53.0, mtw("15.1"))) == [("MTW.water_temperature", 53.0, 15.1)]


def test_a_stream_that_never_says_its_date_takes_the_nearest_day():
    gll = encode("GP", "GLL", ["5222.0", "N", "00454.0", "E", "235959", "A", "A"])
    found = play(SentenceRows(ChannelTable(), clock_wait_us=0), (5.0, gll + mtw("15.0")))
    assert found == [("MTW.water_temperature", -1.0, 15.0)]


def test_arrival_mode_never_lets_time_stand_still():
    found = play(SentenceRows(ChannelTable(), time="arrival"), (5.0, zda("000010") + mtw("1") + mtw("2")))
    assert [time for _, time, _ in found] == [5.0, 5.001]


def test_a_field_that_is_always_null_makes_no_channel_and_a_lost_value_is_missing():
    empty = encode("II", "VDR", ["", "", "", "", "", "N"])
    found = play(SentenceRows(ChannelTable()), (0.0, zda("000010") + empty + mtw("15.0") + mtw("")))
    assert [key for key, _, _ in found] == ["MTW.water_temperature"] * 2
    assert np.isnan(found[1][2])


def test_a_moving_platform_has_positions_until_they_are_old():
    rows = SentenceRows(ChannelTable(), position_age_us=10 * S)
    rmc = encode("GP", "RMC", ["000010", "A", "5222.3198", "N", "00454.5784", "E", "0.0", "", "010125", "", "", "A"])
    batches = []
    for seconds, data in ((0, rmc + mtw("15.0")), (11, mtw("15.1"))):
        for sentence in LineSplitter().feed(data):
            rows.take(sentence, content(sentence), T0 + seconds * S)
        batches.append(rows.flush(T0 + seconds * S))
    assert batches[0].latitude[-1] == pytest.approx(52.371997)
    assert batches[0].longitude[-1] == pytest.approx(4.909640)
    assert np.isnan(batches[1].latitude[0])


def test_channels_know_what_they_measure():
    table = ChannelTable()
    said = zda("000010") + b"".join(
        [
            encode("WI", "MWV", ["12.1", "R", "10.1", "M", "V"]),
            encode("WI", "MWV", ["12.1", "T", "10.1", "M", "A"]),
            encode("YX", "XDR", ["L", "34.5", "S", "CT", "C", "7.5", "C", "WTHI", "G", "3.5", "", "turbidity_ntu"]),
            encode("SD", "DBS", ["", "", "", "", "1.0", "F"]),
        ]
    )
    rows = SentenceRows(table, transducers={"C.WTHI": Transducer("internal_temperature")})
    for sentence in LineSplitter().feed(said):
        rows.take(sentence, content(sentence), T0)
    batch = rows.flush(T0)
    channels = {channel.key: (channel.observed_property, channel.unit) for channel in batch.channels}
    assert channels["MWV.R.wind_speed"] == ("apparent_wind_speed", "m s-1")
    assert channels["MWV.T.wind_speed"] == ("wind_speed", "m s-1")
    assert channels["MWV.T.wind_angle"] == (None, "degree")
    assert channels["XDR.L.CT"] == ("salinity", "1")
    assert channels["XDR.C.WTHI"] == ("internal_temperature", "degree_Celsius")
    assert channels["XDR.G.turbidity_ntu"] == ("turbidity_ntu", "NTU")
    assert channels["DBS.depth_below_surface"] == ("water_depth", "m")
    marks = {batch.channels[i].key: mark for i, mark in zip(batch.channel, batch.mark, strict=True)}
    assert (marks["MWV.R.wind_speed"], marks["MWV.T.wind_speed"]) == ("V", None)
    assert batch.raw_result[-1] == pytest.approx(1.8288)


def test_a_channel_keeps_its_unit_when_the_sender_changes_it():
    knots = encode("VW", "VHW", ["", "T", "", "M", "1.0", "N", "", "K"])
    metric = encode("VW", "VHW", ["", "T", "", "M", "", "N", "1.852", "K"])
    found = play(SentenceRows(ChannelTable()), (0.0, zda("000010") + knots + metric))
    assert [value for _, _, value in found] == [pytest.approx(1.0), pytest.approx(1.0)]


def test_every_observed_property_is_in_the_vocabulary():
    assert set(PROPERTIES.values()) <= set(vocabulary())


@given(steps=st.lists(st.tuples(st.integers(0, 3000), st.integers(-30, 3600), st.booleans()), max_size=30))
def test_a_channel_never_has_two_values_at_one_moment_while_its_clock_goes_on(steps):
    rows = SentenceRows(ChannelTable(), clock_wait_us=0)
    arrival, clock, times = T0, 0, []
    for gap, ahead, speaks in steps:
        arrival += gap * 1000
        clock += max(ahead, 0)
        data = mtw("1")
        if speaks:
            data = (
                zda(f"{clock // 3600 % 24:02d}{clock // 60 % 60:02d}{clock % 60:02d}", f"{clock // 86400 + 1:02d}")
                + data
            )
        for sentence in LineSplitter().feed(data):
            rows.take(sentence, content(sentence), arrival)
        batch = rows.flush(arrival)
        times += [] if batch is None else batch.phenomenon_time.tolist()
    assert len(times) == len(steps)
    assert all(time % 1000 == 0 for time in times)
