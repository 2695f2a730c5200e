"""A watched folder: when a file is taken, what becomes of it, and that nothing is lost or taken twice as new."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.acquisition.sinks import RecordingSink
from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers.file_drop import DRIVER, FileDropOptions
from nilometer.acquisition.file_drop_folder import DropFolder
from nilometer.acquisition.file_drop_rows import Reading, batches, read_whole_lines
from nilometer.acquisition.rows import ChannelTable
from nilometer.errors import ReadError

HEAD = "time,water_temperature (degC),ph\n"
REAL = Path(os.environ.get("NILOMETER_REAL_DATA", Path(__file__).parents[4] / "shared" / "data"))


def lines(first, last):
    return "".join(f"2024-05-01T10:{n:02}:00Z,{10 + n},7.{n}\n" for n in range(first, last))


@asynccontextmanager
async def watching(folder, sink, **options):
    settings = FileDropOptions.model_validate(
        {"path": str(folder), "poll_interval_s": 0.02, "stable_s": 0.0, **options}
    )
    task = asyncio.create_task(DRIVER.make(settings, lambda: time.time_ns() // 1000).run(sink))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def rows(sink, key="ph"):
    return [
        float(value)
        for batch in sink.batches
        for index, value in zip(batch.channel, batch.raw_result, strict=True)
        if batch.channels[index].key == key
    ]


async def until(condition):
    """Wait for what no sink is told of."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def details(sink):
    return " | ".join(report.detail for report in sink.reports)


def test_a_file_is_complete_when_it_is_quiet_or_marked_and_never_while_it_is_written(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(HEAD)
    quiet = DropFolder(tmp_path, stable_s=10.0)
    assert not quiet.ready(0.0)
    assert not quiet.ready(9.0)
    file.write_text(HEAD + lines(0, 1))
    assert not quiet.ready(10.0)
    (found,) = quiet.ready(20.0)
    quiet.take(found)
    assert not quiet.ready(30.0)
    file.write_text(HEAD + lines(0, 2))
    assert not quiet.ready(31.0)
    assert quiet.ready(41.0)
    marked = DropFolder(tmp_path, complete="marker")
    assert not marked.ready(0.0)
    (tmp_path / "a.csv.done").touch()
    assert [one.path.name for one in marked.ready(0.0)] == ["a.csv"]
    for name in (".hidden.csv", "b.csv.part", "c.CSV~", "d.refused.txt"):
        (tmp_path / name).touch()
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    assert [one.path.name for one in DropFolder(tmp_path, ("*.csv",), complete="renamed").ready(0.0)] == ["a.csv"]


async def test_a_file_is_let_go_only_when_its_rows_are_durable_and_is_read_again_otherwise(tmp_path):
    (tmp_path / "a.csv").write_text(HEAD + lines(0, 5))
    sink = RecordingSink(acknowledges=False)
    async with watching(tmp_path, sink, after="move"):
        await sink.until(lambda: len(rows(sink)) == 5)
        await asyncio.sleep(0)
        assert (tmp_path / "a.csv").exists()
    again = RecordingSink(acknowledges=False)
    async with watching(tmp_path, again, after="move"):
        await again.until(lambda: len(rows(again)) == 5)
        await asyncio.gather(*(asyncio.to_thread(batch.acknowledge) for batch in again.batches))
        (tmp_path / "a.tmp").write_text(HEAD + lines(5, 7))
        (tmp_path / "a.tmp").rename(tmp_path / "b.csv")
        await again.until(lambda: len(rows(again)) == 7)
        await until((tmp_path / "done" / "a.csv").exists)
        assert not (tmp_path / "a.csv").exists()
    first, second = (
        [(k, t, v) for b in s.batches for k, t, v in zip(b.channel, b.phenomenon_time, b.raw_result, strict=True)]
        for s in (sink, again)
    )
    assert second[: len(first)] == first  # The same rows again: admission knows them.


async def test_a_growing_file_is_read_as_far_as_its_last_whole_line(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(HEAD + lines(0, 3) + "2024-05-01T10:03:00Z,1")
    sink = RecordingSink()
    async with watching(tmp_path, sink, complete="grows"):
        await sink.until(lambda: len(rows(sink)) == 3)
        with file.open("a") as more:
            more.write("3,7.3\n")
        await sink.until(lambda: 7.3 in rows(sink))
    assert rows(sink, "water_temperature")[-1] == 13.0
    (tmp_path / "one.csv").write_text("time,p")
    with pytest.raises(ReadError, match="no whole line"):
        read_whole_lines(tmp_path / "one.csv", Reading())


@pytest.mark.parametrize("refused", ["sidecar", "move", "state"])
async def test_a_refused_file_says_why_and_the_others_go_on(tmp_path, refused):
    (tmp_path / "bad.csv").write_bytes(b"\0\xff\xfe" * 50)
    (tmp_path / "good.csv").write_text(HEAD + lines(0, 2))
    sink = RecordingSink()
    async with watching(tmp_path, sink, refused=refused, complete="renamed"):
        await sink.until(lambda: len(rows(sink)) == 2 and "bad.csv" in details(sink))
        if refused == "sidecar":
            await until((tmp_path / "bad.csv.refused.txt").exists)
        (tmp_path / "later.csv").write_text(HEAD + lines(2, 3))
        await sink.until(lambda: len(rows(sink)) == 3)
        (tmp_path / "bad.csv").write_text(HEAD + lines(3, 4))  # Put right, under the same name.
        await sink.until(lambda: 7.3 in rows(sink))
    assert sum(report.bad_frames for report in sink.reports) == 1
    place = {"sidecar": tmp_path, "move": tmp_path / "refused", "state": tmp_path / "nowhere"}[refused]
    assert (place / "bad.csv.refused.txt").exists() == (refused != "state")
    assert (tmp_path / "refused" / "bad.csv").exists() == (refused == "move")
    assert sink.reports[-1].state is SourceState.LIVE


async def test_device_marks_limits_and_units_reach_the_rows(tmp_path):
    folder = tmp_path / "dam"
    folder.mkdir()
    (folder / "x.csv").write_text(
        "time,nitrate (mg/l),nitrate_qc\n2024-05-01T10:00:00Z,<0.5,B\n2024-05-01T11:00:00Z,,M\n"
    )
    sink = RecordingSink()
    async with watching(tmp_path, sink, recursive=True, device="folder", time_zone="Europe/Berlin"):
        await sink.until(lambda: sink.batches)
    (batch,) = sink.batches
    assert batch.channels[0].key == "dam/nitrate"
    assert batch.channels[0].unit == "mg L-1"
    assert batch.censored.tolist()[0] == -1
    assert batch.raw_result[0] == 0.5


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="no real recordings")
async def test_real_logger_files_of_several_makers_are_taken_by_content(tmp_path):
    taken = [
        path
        for pattern in ("raw_logs/**/*.dat", "raw_logs/**/*.csv", "raw_logs/**/*.txt")
        for path in sorted(REAL.glob(pattern))
    ]
    taken = [path for path in taken if path.stat().st_size < 300_000][:12]
    for number, path in enumerate(taken):
        shutil.copy(path, tmp_path / f"{number:02}-{path.name}")
    sink = RecordingSink()
    async with watching(tmp_path, sink, after="delete", device="file", complete="renamed"):
        await until(lambda: len(list(tmp_path.iterdir())) == 2 * sum(report.bad_frames for report in sink.reports))
    devices = {channel.key.split("/")[0] for channel in sink.batches[-1].channels}
    assert len(devices) >= len(taken) - sum(report.bad_frames for report in sink.reports) >= 6


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_rows_or_a_read_error(tmp_path, content, text):
    path = tmp_path / "any.csv"
    path.write_bytes((HEAD.encode() if text else b"") + content)
    try:
        recording = read_whole_lines(path, Reading())
    except ReadError:
        return
    for batch in batches(recording, ChannelTable(), "", 1000):
        assert len(batch) == len(batch.mark)


@pytest.mark.parametrize("wrong", [{"format": "nope"}, {"complete": "grows", "after": "delete"}, {"after": "burn"}])
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises((ValidationError, ValueError)):
        FileDropOptions.model_validate({"path": "x", **wrong})
