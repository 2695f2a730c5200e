"""The demo as a new user starts it: real processes, real sockets, its own free port."""

from __future__ import annotations

import urllib.parse

import pytest

from nilometer.model import QartodFlag, SampleKind
from tests.system.demos import columns, get, newest, start_demo, things, wait_for, wait_until_live

DAY_MS = 86_400_000
RIVER = "qingxi-bridge"
DOUBTED = {int(QartodFlag.SUSPECT), int(QartodFlag.FAIL)}


def thing_of(server, key):
    return next(thing for thing in things(server) if thing["key"] == key)


def datastream_of(server, key):
    return next(one for thing in things(server) for one in thing["datastreams"] if one["key"] == key)


def check_samples(server, datastream):
    """Return ids and times of the stored check samples of a Datastream."""
    stored = columns(server, datastream, samples="all")
    return {
        number: time
        for number, time, kind in zip(stored["id"], stored["time"], stored["sample"], strict=True)
        if kind == SampleKind.CHECK
    }


def test_three_things_are_live_and_go_on(demo):
    before = newest(demo)
    assert len({key.split("/")[0] for key in before}) == 3

    def all_went_on():
        moved = {key.split("/")[0] for key, time in newest(demo).items() if time > before.get(key, time)}
        return len(moved) == 3

    wait_for("newer values of each Thing", all_went_on)
    assert demo.process.poll() is None
    assert get(demo, "/api/v1/status")["demo"] is True


def test_sensorthings_answers_with_things_and_their_datastreams(demo):
    expanded = get(demo, "/v1.1/Things?$expand=Datastreams")["value"]
    assert len(expanded) == 3
    assert {thing["properties"]["nilometer"]["key"]: len(thing["Datastreams"]) >= 7 for thing in expanded} == {
        RIVER: True,
        "vlissingen-buoy": True,
        "binhe-outfall": True,
    }


def test_wild_values_of_every_thing_are_flagged(demo):
    for thing in things(demo):
        flags = [flag for one in thing["datastreams"] for flag in columns(demo, one["id"])["quality"]]
        doubted = sum(flag in DOUBTED for flag in flags)
        assert doubted, thing["key"]
        assert doubted < len(flags) / 5, thing["key"]


def test_the_river_has_a_class_and_what_limits_it(demo):
    verdict = get(demo, f"/api/v1/things/{RIVER}/verdict?window=week")
    assert verdict["standard"] == "GB 3838-2002"
    assert verdict["class"] in {"I", "II", "III", "IV", "V", "inferior V"}
    assert verdict["limiting"]
    assert {item["class"] for item in verdict["limiting"]} == {verdict["class"]}
    assert verdict["assessed"] < verdict["required"]


@pytest.mark.parametrize("key", ["vlissingen-buoy", "binhe-outfall"])
def test_water_without_a_shipped_standard_has_no_class(demo, key):
    verdict = thing_of(demo, key)["verdict"]
    assert verdict["applicable"] is False
    assert verdict["class"] is None
    assert "no applicable standard" in verdict["reason"]["en"]
    assert "无适用标准" in verdict["reason"]["zh"]


@pytest.mark.parametrize("item", ["codmn", "nh3_n", "total_phosphorus", "total_nitrogen"])
def test_check_samples_are_stored_and_never_taken_for_water(demo, item):
    datastream = datastream_of(demo, f"{RIVER}/{item}")
    checks = check_samples(demo, datastream["id"])
    assert len(checks) >= 13, "one a day over two weeks"

    water = columns(demo, datastream["id"])
    assert not checks.keys() & set(water["id"])
    assert set(water["sample"]) == {int(SampleKind.WATER)}
    assert datastream["latest"]["id"] not in checks
    spark = next(
        one
        for thing in get(demo, f"/api/v1/things?spark={14 * 86_400}")["things"]
        for one in thing["datastreams"]
        if one["id"] == datastream["id"]
    )["spark"]
    assert not set(checks.values()) & set(spark["time"])
    path = urllib.parse.quote(f"/v1.1/Datastreams({datastream['id']})/Observations", safe="/()")
    told = get(demo, f"{path}?$count=true&$top=1000&$select=id")
    assert not checks.keys() & {observation["@iot.id"] for observation in told["value"]}


def test_check_samples_are_in_no_count_of_the_verdict(demo):
    datastream = datastream_of(demo, f"{RIVER}/codmn")
    checks = check_samples(demo, datastream["id"])
    # Whole days that are over: nothing is added while we count.
    end = max(checks.values()) + 1
    start = end - 10 * DAY_MS
    stored = columns(demo, datastream["id"], start=start, end=end)
    good = sum(flag not in {int(QartodFlag.FAIL), int(QartodFlag.MISSING)} for flag in stored["quality"])
    verdict = get(demo, f"/api/v1/things/{RIVER}/verdict?start={start}&end={end}")
    row = next(row for row in verdict["items"] if row["property"] == "codmn")
    assert 0 < row["n"] <= len(stored["id"])
    assert row["n"] == good
    assert len([time for time in checks.values() if start <= time < end]) >= 10


@pytest.mark.slow
def test_it_ends_cleanly_and_a_second_start_continues_the_data(tmp_path):
    first = start_demo(tmp_path, is_new=True)
    try:
        wait_until_live(first, 3)
        before = newest(first)
        wait_for("newer values", lambda: sum(newest(first).values()) > sum(before.values()))
        told = first.stop()
    finally:
        first.kill()
    assert "two weeks" in told
    assert "all that was acknowledged is stored" in told
    assert "Traceback" not in told

    second = start_demo(tmp_path)
    try:
        stored = newest(second)
        found = wait_until_live(second, 3)
        assert all(stored[key] >= time for key, time in before.items()), "what was stored is still there"
        end = max(stored.values())
        after = wait_for("values that go on", lambda: (now := newest(second)) and max(now.values()) > end and now)
        # Time stood still between the two: it goes on where it stopped, not at the wall clock's now.
        assert max(after.values()) - end < DAY_MS
        extent = get(second, f"/api/v1/datastreams/{found[0]['datastreams'][0]['id']}")["extent"]
        assert extent[1] - extent[0] < 16 * DAY_MS
        told = second.stop()
    finally:
        second.kill()
    assert "two weeks" not in told
    assert "continuing where the last run ended" in told


REPLAYS = {
    "a station-year": ("water_quality/lro/MainStreet2019.csv.gz", "mainstreet2019", {"ph", "dissolved_oxygen"}),
    "an NMEA log": ("raw_logs/nmea0183/depths.nmea", "depths", {"depth_below_transducer"}),
}


@pytest.mark.real
@pytest.mark.parametrize(("file", "key", "properties"), REPLAYS.values(), ids=REPLAYS)
def test_a_recording_is_replayed_live_and_continued(real_data, tmp_path, file, key, properties):
    arguments = ("--replay", str(real_data / file))
    first = start_demo(tmp_path, *arguments)
    try:
        (thing,) = wait_until_live(first, 1)
        assert thing["key"] == key
        wait_for("its properties", lambda: properties <= {path.split("/")[1] for path in newest(first)})
        before = newest(first)
        wait_for("newer values", lambda: sum(newest(first).values()) > sum(before.values()))
        datastream = datastream_of(first, f"{key}/{min(properties)}")["id"]
        wait_for("a good value", lambda: int(QartodFlag.PASS) in columns(first, datastream)["quality"])
        expanded = get(first, "/v1.1/Things?$expand=Datastreams")["value"]
        assert len(expanded) == 1
        assert expanded[0]["Datastreams"]
        verdict = thing_of(first, key)["verdict"]
        assert verdict["applicable"] is (key == "mainstreet2019")
        told = first.stop()
    finally:
        first.kill()
    assert "Traceback" not in told

    second = start_demo(tmp_path, *arguments)
    try:
        wait_until_live(second, 1)
        assert all(newest(second)[path] >= time for path, time in before.items())
        stored = newest(second)
        wait_for("values that go on", lambda: sum(newest(second).values()) > sum(stored.values()))
        assert "continuing where the last run ended" in second.stop()
    finally:
        second.kill()
