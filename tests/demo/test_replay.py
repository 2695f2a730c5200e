"""Recordings over the wire: what is stored is what was recorded, row by row, also over a second start."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from nilometer.acquisition.drivers.nmea0183 import DRIVER as NMEA
from nilometer.acquisition.formats.reading import read
from nilometer.acquisition.instrument import instrument
from nilometer.acquisition.protocols.nmea0183 import encode
from nilometer.client import connect
from nilometer.config import parse
from nilometer.demo.clock import DemoClock
from nilometer.demo.replay import (
    MOST_BEHIND,
    RecordingFeed,
    instrument_of,
    plan,
    played_us,
    simulator_of,
    source_of,
    steadiest_speed,
    thing_of,
)
from nilometer.errors import ConfigError, ReadError
from nilometer.pipeline import Pipeline
from nilometer.store import Store
from tests.patience import PATIENCE_S

MINUTE, SECOND = 60_000_000, 1_000_000
LATE_S = 0.2
"""How late the sources dial: on a busy machine they do, and nothing may hang on it."""


@pytest.fixture
def logger(tmp_path):
    """Forty rows, with a hole, a missing value, a time twice and names in two languages."""
    times = np.datetime64("2024-05-01T00:00") + np.delete(np.arange(41), 7) * np.timedelta64(10, "m")
    lines = ["time,pH,水位 (m),浊度,Temp (°C)"]
    lines += [
        f"{when}Z,{7 + 0.01 * n:.2f},{n * 0.1:.1f},{'' if n == 5 else n},{15 + n / 7}" for n, when in enumerate(times)
    ]
    lines.insert(11, lines[10].replace(",7.09,", ",7.00,"))
    file = tmp_path / "站 1.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


class Played:
    """The pieces of `run_demo` but for the web: simulators, sources, and a pipeline that reads them."""

    def __init__(self, folder, *files, speed):
        self.folder, taken = folder, set()
        self.replays = [plan(file, taken) for file in files]
        self.clock = DemoClock(0, speed)

    async def run(self, until, within_s=60.0):
        first = max(one.start for one in self.replays)
        played = played_us(self.folder, self.replays)
        now = first + max(played.values())
        self.clock.hold(now)
        made = [simulator_of(one, self.clock.ahead(one.start - first), played[one.key]) for one in self.replays]
        reached = [await simulator.start() for simulator in made]
        sources = [source_of(one, at, self.folder) for one, at in zip(self.replays, reached, strict=True)]
        config = parse({"thing": [thing_of(one) for one in self.replays], "source": sources})
        pipeline = Pipeline(self.folder, config, clock=self.clock)
        await pipeline.start()
        self.clock.set(now)
        running = [asyncio.create_task(simulator.run()) for simulator in made]
        await asyncio.sleep(LATE_S)
        await pipeline.start_sources()
        try:
            async with asyncio.timeout(within_s):
                while not until(pipeline):
                    await asyncio.sleep(0.02)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await pipeline.close()


def values_of(rows):
    """The raw results, which are left out where they are the results."""
    raw, result = (rows[name].combine_chunks().fill_null(float("nan")).to_numpy() for name in ("raw_result", "result"))
    return np.where(np.isnan(raw), result, raw)


def stored(folder, thing):
    """By channel: times and raw results."""
    store = Store.open(folder)
    try:
        number = store.catalog.thing_by_key(thing).id
        found = {}
        for one in store.catalog.datastreams():
            if one.thing == number:
                rows = store.snapshot().read([one.id])
                times = rows["phenomenon_time"].cast(pa.int64()).to_numpy()
                found[one.properties["nilometer"]["channel"]] = times, values_of(rows)
        return found
    finally:
        store.close()


def cut(file, lines, folder):
    """Return a file of the same name with the first lines only: what an earlier run was stopped after."""
    folder.mkdir()
    begun = folder / file.name
    begun.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:lines]))
    return begun


def rows(count):
    return lambda pipeline: pipeline.store.snapshot().count() >= count


def numbers(count):
    """As `rows`, of rows that have a value: a field that is empty is stored as missing."""

    def are_stored(pipeline):
        snapshot = pipeline.store.snapshot()
        if snapshot.count() < count:
            return False
        return int((~np.isnan(values_of(snapshot.read()))).sum()) >= count

    return are_stored


def test_a_recording_becomes_a_thing_and_a_logger(logger):
    taken = {"r-1"}
    one, two = plan(logger, taken), plan(logger, taken)
    assert (one.key, two.key) == ("站-1", "站-1-2")
    assert one.step_us == 10 * MINUTE
    assert steadiest_speed([one]) == 2400.0
    keys = [channel.key for channel in instrument_of(one).channel]
    assert len(set(keys)) == 4
    assert thing_of(one)["water_body"] == "river"


async def test_every_row_of_a_table_is_stored_as_recorded_and_a_second_start_goes_on(logger, tmp_path):
    folder = tmp_path / "data"
    # Fifteen rows a second, to be quick.
    await Played(folder, cut(logger, 16, tmp_path / "begun"), speed=9000).run(rows(4 * 14))
    assert len(stored(folder, "站-1")["pH"][0]) == 14
    await Played(folder, logger, speed=9000).run(rows(4 * 40))
    check_table(logger, stored(folder, "站-1"))


def check_table(file, found):
    """Check that what is stored of a table is what it holds, row by row."""
    recording = read(file)
    times, last = np.unique(recording.times[::-1], return_index=True)
    last = len(recording.times) - 1 - last
    names = {channel.key: channel.name for channel in instrument_of(plan(file, set())).channel}
    assert {names[key] for key in found} == set(recording.columns)
    for key, (when, values) in found.items():
        assert when.tolist() == times.tolist()
        assert np.array_equal(values, recording.columns[names[key]].values[last], equal_nan=True), key


async def test_a_recording_that_joins_at_a_second_start_begins_at_its_own_beginning(logger, tmp_path):
    other = tmp_path / "late.csv"
    other.write_bytes(logger.read_bytes().replace(b"2024-05", b"2021-08"))
    folder = tmp_path / "data"
    await Played(folder, cut(logger, 31, tmp_path / "begun"), speed=9000).run(rows(4 * 29))
    await Played(folder, logger, other, speed=9000).run(rows(4 * 80))
    check_table(logger, stored(folder, "站-1"))
    check_table(other, stored(folder, "late"))


async def test_a_late_reader_is_shown_every_row_and_a_very_late_one_the_newest(logger):
    recording = read(logger)
    feed = RecordingFeed(recording)
    start, end = int(recording.times.min()), int(recording.times.max())
    assert feed.at(start - 1) == {}
    shown = [feed.at(start)["pH"].time] + [feed.at(end)["pH"].time for _ in range(60)]
    assert list(dict.fromkeys(shown)) == np.unique(recording.times).tolist()
    assert feed.at(end + 10**12)["pH"].time == end
    assert MOST_BEHIND > 40
    late = RecordingFeed(recording)
    assert late.at(end)["pH"].time == end, "who begins late begins there"
    third = int(np.unique(recording.times)[2])
    told = RecordingFeed(recording, begin=third)
    assert [told.at(end)["pH"].time, told.at(third)["pH"].time] == [third, third], "or where it is told to begin"


def said_in(file):
    """Return what a log says of the water by column of its recording: times, s, and values."""
    recording = read(file)
    return {
        name: list(zip((recording.times[there] // SECOND).tolist(), column.values[there].tolist(), strict=True))
        for name, column in recording.columns.items()
        if name != "altitude"  # of the receiver
        for there in [~np.isnan(column.values)]
    }


def column_of(channel, columns):
    """Return the column of a recording that a channel's values are in, or the channel itself where there is none.

    A column is a quantity, whoever said it; a channel is a quantity as one sentence says it.
    """
    quantity = channel.split(".", 1)[1]
    kind, _, parameter = quantity.rpartition(".")
    return next((name for name in (quantity, f"{parameter}_{kind}") if name in columns), channel)


@pytest.mark.real
@pytest.mark.parametrize(("name", "speed"), [("depths.nmea", 1000), ("nortec_awac.nmea", 10000)])
async def test_every_value_of_an_nmea_log_keeps_its_time(real_data, tmp_path, name, speed):
    file = real_data / "raw_logs" / "nmea0183" / name
    folder, lines = tmp_path / "data", file.read_bytes().count(b"\n")
    begun = cut(file, lines // 2, tmp_path / "begun")
    await Played(folder, begun, speed=speed).run(numbers(sum(map(len, said_in(begun).values()))))
    said = said_in(file)
    # What is lost is named below, not by the time that it took to miss it.
    with contextlib.suppress(TimeoutError):
        await Played(folder, file, speed=speed).run(numbers(sum(map(len, said.values()))))
    heard = {}
    for channel, (when, values) in stored(folder, plan(file, set()).key).items():
        # A second value of one burst goes a millisecond on; in the file it has a row of the same time.
        there = ~np.isnan(values)
        pairs = zip((when[there] // SECOND).tolist(), values[there].tolist(), strict=True)
        heard.setdefault(column_of(channel, said), []).extend(pairs)
    assert set(heard) == set(said)
    for quantity, pairs in said.items():
        assert sorted(heard[quantity]) == sorted(pairs), quantity


async def test_a_burst_that_was_stored_in_part_is_said_again(tmp_path):
    file = tmp_path / "bursts.nmea"
    bursts = [
        [
            ("GP", "ZDA", [f"12000{n}", "01", "05", "2024", "00", "00"]),
            ("SD", "DPT", [f"{n}.5", "", ""]),
            ("SD", "DPT", [f"{n}.7", "", ""]),
            ("YX", "MTW", [f"1{n}.0", "C"]),
        ]
        for n in range(4)
    ]
    file.write_bytes(b"".join(encode(*sentence) for burst in bursts for sentence in burst))
    folder = tmp_path / "data"
    # Stopped between the second depth of the third burst, which stands a millisecond after its clock, and the rest.
    await Played(folder, cut(file, 11, tmp_path / "begun"), speed=10).run(rows(8))
    await Played(folder, file, speed=10).run(rows(12))
    found = stored(folder, "bursts")
    assert found["MTW.water_temperature"][1].tolist() == [10.0, 11.0, 12.0, 13.0]
    assert found["DPT.depth_below_transducer"][1].tolist() == [0.5, 0.7, 1.5, 1.7, 2.5, 2.7, 3.5, 3.7]


def test_a_log_without_dates_is_played_as_todays(tmp_path):
    file = tmp_path / "bare.nmea"
    file.write_bytes(
        b"$GPGGA,121923,4446.9570,N,06350.7119,W,1,08,1.2,116.2,M,-23.5,M,,*7B\r\n$SDDPT,8.24,0.00*59\r\n" * 3
    )
    one = plan(file, set())
    assert not one.is_dated
    assert source_of(one, {"link": "tcp", "host": "h", "port": 1}, tmp_path)["options"]["time"] == "arrival"
    NMEA.options.model_validate(source_of(one, {"link": "tcp", "host": "h", "port": 1}, tmp_path)["options"])


def test_the_instrument_file_that_is_written_is_read_back_the_same(logger, tmp_path):
    one = plan(logger, set())
    source = source_of(one, {"host": "127.0.0.1", "port": 502, "unit_id": 1}, tmp_path)
    assert instrument(source["options"]["instrument"]).channel == instrument_of(one).channel


def test_what_cannot_be_replayed_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ReadError, match="no column of times"):
        plan(tmp_path / "a.csv", set())
    (tmp_path / "b.csv").write_text("time\n2024-05-01T00:00:00Z\n", encoding="utf-8")
    with pytest.raises((ConfigError, ReadError)):
        plan(tmp_path / "b.csv", set())
    with pytest.raises(ConfigError, match="--speed"):
        DemoClock(0, 0)


def test_a_clock_that_is_held_stands_until_it_is_set():
    clock = DemoClock(1000, 1e6)
    clock.hold(5000)
    assert [clock(), clock.ahead(7)(), clock()] == [5000, 5007, 5000]
    clock.set(9000)
    first = clock()
    assert first >= 9000
    while clock() == first:
        pass
    assert clock() > first


@pytest.mark.real
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal of POSIX here")
def test_the_demo_replays_a_river_and_a_second_start_continues_it(real_data, tmp_path):
    file = real_data / "water_quality" / "lro" / "MainStreet2019.csv.gz"
    recording = read(file)
    held = 0
    for _ in range(2):
        with Demo(tmp_path, "--replay", str(file)) as demo:
            demo.wait_for_rows("mainstreet2019/ph", held + 6)
        found = stored(tmp_path / "data", "mainstreet2019")
        when, _ = found["ph"]
        assert len(when) >= held + 6
        held = len(when)
    names = {"temp": "temp", "cond": "cond", "ph": "ph", "do": "do", "turb": "turb", "stage": "stage"}
    assert set(found) == set(names)
    for name, (when, values) in found.items():
        assert when.tolist() == recording.times[: len(when)].tolist(), f"{name} missed rows"
        assert np.array_equal(values, recording.columns[name].values[: len(when)], equal_nan=True)


class Demo:
    """``nilometer demo`` in a process of its own, ended as Ctrl-C does."""

    def __init__(self, place, *arguments):
        self._log = place / "demo.log"
        call = [
            sys.executable,
            "-u",
            "-m",
            "nilometer",
            "demo",
            "--no-browser",
            "--port",
            "0",
            "--data",
            place / "data",
        ]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen([*call, *arguments], stdout=log, stderr=subprocess.STDOUT)
        self.wait(lambda: " at http://" in self._log.read_text(encoding="utf-8"))
        self.address = self._log.read_text(encoding="utf-8").split(" at ", 1)[1].split()[0]

    def wait(self, condition, within_s=PATIENCE_S):
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, self._log.read_text(encoding="utf-8")
            assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
            time.sleep(0.1)

    def wait_for_rows(self, key, count):
        client = connect(self.address)
        self.wait(lambda: client.datastreams(key=key) and client.read(key).num_rows >= count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        assert self._process.returncode == 0, self._log.read_text(encoding="utf-8")
