"""The CAN family's drivers against their simulators: python-can's virtual bus, an slcan adapter, gateways, sysfs."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path

import can
import numpy as np
import pytest
from pydantic import ValidationError
from tests.acquisition.clocks import HOUR_S, JumpingClock
from tests.acquisition.sinks import RecordingSink
from tests.conftest import NOT_COUNTED
from tests.patience import PATIENCE_S

from nilometer.acquisition.can_rows import ReadingRows
from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers.can import DRIVER as CAN
from nilometer.acquisition.drivers.iio import DRIVER as IIO
from nilometer.acquisition.drivers.nmea2000 import DRIVER as NMEA2000
from nilometer.acquisition.links import can as links
from nilometer.acquisition.links.can import open_can
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.can_reading import CanReading
from nilometer.acquisition.rows import ChannelTable
from nilometer.acquisition.simulators import simulators
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.simulator import Fault
from nilometer.errors import ConfigError, LinkError

FAST = {"silent_after_s": 0.4, "reconnect_first_s": 0.05, "reconnect_longest_s": 0.2}
WATER = {
    "water_temperature": 15.25, "ph": 7.5, "depth_below_transducer": 12.5, "wind_speed": 5.0, "wind_direction": 270.0,
    "salinity": 34.5, "latitude": 31.2, "longitude": 121.5, "air_temperature": 21.0,
}  # fmt: skip


@asynccontextmanager
async def at_work(driver, simulator, clock, *, options=None, faults=(), **link):
    """Run a simulator and its driver; yield the sink."""
    made = simulators()[simulator].make(None, ConstantFeed(WATER), clock, faults, **link)
    reached = await made.start()
    sink = RecordingSink()
    given = driver.options.model_validate({**reached, **FAST, **(options or {})})
    tasks = [asyncio.create_task(made.run()), asyncio.create_task(driver.make(given, clock).run(sink))]
    try:
        yield sink
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def virtual(name):
    return {"interface": "virtual", "channel": f"test_can.{name}"}


def newest(sink):
    return {channel: value for channel, (value, _) in sink.rows().items()}


async def test_an_engine_is_asked_for_what_it_supports_over_the_virtual_bus():
    options = {"poll_interval_s": 0.05}
    async with at_work(CAN, "can_engine", JumpingClock(), options=options, **virtual("obd2")) as sink:
        await sink.until(lambda: {"engine_speed", "fuel_level", "air_temperature"} <= set(newest(sink)))
        assert newest(sink)["engine_speed"] == 1500.0
        assert newest(sink)["fuel_level"] == pytest.approx(62, abs=0.2)
        assert newest(sink)["air_temperature"] == 21.0
        assert not any(report.bad_frames for report in sink.reports)


async def test_a_talking_engine_is_heard_and_what_it_lacks_makes_no_channel():
    async with at_work(CAN, "can_j1939", JumpingClock(), interval_s=0.05, **virtual("j1939")) as sink:
        wanted = {"61444.engine_speed", "65262.engine_coolant_temperature", "65276.fuel_level"}
        await sink.until(lambda: wanted <= set(newest(sink)))
        told = newest(sink)
        assert (told["61444.engine_speed"], told["65262.engine_coolant_temperature"]) == (1500.0, 83.0)
        assert told["65276.fuel_level"] == pytest.approx(62, abs=0.2)
        assert "65262.fuel_temperature" not in told


async def test_one_node_that_falls_silent_disturbs_no_other_and_leaves_a_gap():
    clock = JumpingClock()
    silence = [Fault("silence", HOUR_S, HOUR_S)]
    async with (
        at_work(CAN, "can_j1939", clock, faults=silence, interval_s=0.05, **virtual("mute")) as mute,
        at_work(CAN, "can_j1939", clock, interval_s=0.05, **virtual("other")) as other,
    ):
        await mute.until_rows(1)
        await other.until_rows(1)
        clock.jump()
        await mute.until_said(SourceState.SILENT)
        before = len(other.batches)
        await other.until_rows(before + 2)
        clock.jump()
        await mute.until(lambda: mute.reports[-1].state is SourceState.LIVE)
        await mute.until_rows(len(mute.batches) + 1)
        times = np.unique(np.concatenate([batch.phenomenon_time for batch in mute.batches]))
        assert np.diff(times).max() >= HOUR_S * 1e6  # no row was made up for the silence
        assert {report.state for report in other.reports} == {SourceState.STARTING, SourceState.LIVE}


@pytest.mark.parametrize("kind", ["late", "duplicate", "out_of_order"])
async def test_frames_that_come_late_twice_or_in_disorder_give_the_values_of_those_that_do_not(kind):
    clock, faults = JumpingClock(), [Fault(kind, 0, 10 * HOUR_S, amount=0.1)]
    async with at_work(NMEA2000, "nmea2000", clock, faults=faults, interval_s=0.05) as sink:
        await sink.until(lambda: "depth_below_transducer" in newest(sink) and "wind_direction" in newest(sink))
        assert newest(sink)["depth_below_transducer"] == 12.5
        assert newest(sink)["wind_direction"] == pytest.approx(np.radians(270), abs=1e-4)
        for batch in sink.batches:
            for index in range(len(batch.channels)):
                assert (np.diff(batch.phenomenon_time[batch.channel == index]) > 0).all()


async def test_a_moving_platform_gives_its_position_and_a_station_its_own_time():
    async with at_work(NMEA2000, "nmea2000", JumpingClock(), options={"moving": True}, interval_s=0.05) as sink:
        await sink.until(lambda: "salinity" in newest(sink) and not np.isnan(sink.batches[-1].latitude).all())
        assert newest(sink)["salinity"] == 34.5
        batch = sink.batches[-1]
        known = ~np.isnan(batch.latitude)
        assert batch.latitude[known] == pytest.approx(31.2)
        assert "129025.latitude" not in {channel.key for channel in batch.channels}


async def test_a_network_is_heard_on_a_can_interface_as_well_as_behind_a_gateway():
    async with at_work(NMEA2000, "nmea2000", JumpingClock(), interval_s=0.05, **virtual("n2k")) as sink:
        await sink.until(lambda: newest(sink).get("depth_below_transducer") == 12.5)


async def test_lines_of_datagrams_are_taken_and_those_that_are_none_counted():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talker:
        talker.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        sink = RecordingSink()
        options = NMEA2000.options.model_validate({"link": "udp", "port": port, **FAST})
        task = asyncio.create_task(NMEA2000.make(options, JumpingClock()).run(sink))
        try:
            await sink.until(lambda: any("waiting" in report.detail for report in sink.reports))
            line = b"A173321.107 23FF7 1FD08 FF00008B72FFFFFF\r\n"
            talker.sendto(line + b"noise\r\n" + line.replace(b"8B72", b"FEFF"), ("127.0.0.1", port))
            await sink.until_rows(1)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    batch = sink.batches[0]
    assert batch.raw_result[0] == 20.08
    assert np.isnan(batch.raw_result[1])
    assert batch.mark == [None, "error"]
    assert sum(report.bad_frames for report in sink.reports) == 1


def test_a_channel_keeps_to_one_sender_until_that_one_is_silent():
    def taken(rows, source, value, at):
        rows.take([CanReading("130312.0.sea.temperature", "temperature", value, "degC")], source, at)

    rows = ReadingRows(ChannelTable(), hold_us=10_000_000)
    taken(rows, 35, 20.0, 0)
    taken(rows, 36, 25.0, 1_000_000)
    taken(rows, 36, 25.5, 10_500_000)
    assert rows.flush().raw_result.tolist() == [20.0, 25.5]
    assert rows.others == {"130312.0.sea.temperature": 36}
    apart = ReadingRows(ChannelTable(), by_source=True)
    taken(apart, 35, 20.0, 0)
    taken(apart, 36, 25.0, 0)
    assert [channel.key for channel in apart.flush().channels] == [
        "src35.130312.0.sea.temperature", "src36.130312.0.sea.temperature",
    ]  # fmt: skip
    thinned = ReadingRows(ChannelTable(), interval_us=1_000_000)
    for at in range(0, 3_000_000, 100_000):
        taken(thinned, 35, 20.0, at)
    assert thinned.flush().phenomenon_time.tolist() == [0, 1_000_000, 2_000_000]


async def test_what_nobody_takes_of_a_bus_is_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(links, "MOST_WAITING", 10)
    link = await open_can("virtual", "test_can.full")
    other = await open_can("virtual", "test_can.full")
    try:
        for number in range(40):
            await other.send(CanFrame(number, b"\x01"))
        async with asyncio.timeout(PATIENCE_S):
            while link.waiting + link.dropped < 40:
                await asyncio.sleep(0.01)
        received = await link.read(0.5)
        assert (len(received.frames), received.dropped) == (10, 30)
    finally:
        await link.close()
        await other.close()


async def test_an_interface_that_is_not_there_says_so_and_one_that_nobody_knows_is_refused():
    with pytest.raises(LinkError, match="slcan"):
        await open_can("slcan", "/dev/nowhere")
    with pytest.raises(ConfigError, match="socketcan"):
        await open_can("sokcetcan", "can0")


@pytest.mark.parametrize(
    ("driver", "options"),
    [
        (CAN, {}),
        (CAN, {"obd2": ["fuel"]}),
        (CAN, {"j1939": True, "signals": {"a": {"property": "tempature"}}}),
        (NMEA2000, {}),
        (NMEA2000, {"link": "serial"}),
        (NMEA2000, {"port": 1, "groups": [130000]}),
        (IIO, {"channels": {"temp": {"property": "x"}}}),
    ],
)
def test_options_that_can_never_work_are_refused(driver, options):
    with pytest.raises(ValidationError):
        driver.options.model_validate(options)


async def test_a_sensor_of_sysfs_is_scaled_and_one_busy_channel_keeps_no_other(tmp_path):
    folder = tmp_path / "iio:device3"
    (folder / "in_accel_y_raw").mkdir(parents=True)  # cannot be read, as one whose buffer is on
    files = {"name": "adxl345", "in_accel_x_raw": "-12", "in_accel_scale": "0.038300", "in_temp_input": "21500"}
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    sink = RecordingSink()
    told = {"temp": {"property": "internal_temperature"}}
    options = IIO.options.model_validate({"path": str(tmp_path), "device": "adxl345", "channels": told})
    task = asyncio.create_task(IIO.make(options, lambda: time.time_ns() // 1000).run(sink))
    try:
        await sink.until_rows(1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert sink.rows() == {
        "accel_x": (pytest.approx(-0.4596), "m s-2"), "internal_temperature": (21.5, "degree_Celsius"),
    }  # fmt: skip
    assert any("accel_y: " in report.detail for report in sink.reports)


async def test_the_kernels_own_virtual_bus_where_there_is_one():
    try:
        bus = can.Bus(interface="socketcan", channel="vcan0")
    except OSError as error:
        pytest.skip(f"no vcan0 in this kernel: {error} {NOT_COUNTED}")
    bus.shutdown()
    link = {"interface": "socketcan", "channel": "vcan0"}
    async with at_work(CAN, "can_j1939", JumpingClock(), interval_s=0.05, **link) as sink:
        await sink.until(lambda: "61444.engine_speed" in newest(sink))


def test_the_package_names_the_simulated_database():
    assert Path(simulators()["can"].make(None, ConstantFeed({}), JumpingClock())._behaviour.options["dbc"][0]).is_file()
