"""The HJ 212 receiver against its simulator and against frames written by hand, over real loopback sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.acquisition.clocks import HOUR_S, JumpingClock
from tests.acquisition.drivers.hj212_receiver import WATER, Basin, Receiver, now, upload
from tests.patience import PATIENCE_S

from nilometer.acquisition.driver import SourceState
from nilometer.acquisition.drivers.hj212 import DRIVER
from nilometer.acquisition.protocols.hj212 import Message, encode_frame
from nilometer.acquisition.simulators.hj212 import SIMULATOR
from nilometer.acquisition.simulators.simulator import Fault
from nilometer.model.entities import SampleKind

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/acquisition/hj212.json").read_text("utf-8"))["vectors"]


async def test_the_virtual_station_is_received_and_answered():
    simulator = SIMULATOR.make(None, WATER, now, interval_s=0.05)
    options = await simulator.start()
    basin = Basin()
    tasks = [
        asyncio.create_task(DRIVER.make(DRIVER.options(**options), now).run(basin)),
        asyncio.create_task(simulator.run()),
    ]
    await basin.until(lambda b: len(b.batches) >= 5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert simulator.acknowledged >= 4
    rows = {key: (value, mark, sample) for key, _, value, mark, sample in basin.rows()}
    assert rows["w01018-Rtd"] == (35.2, "N", SampleKind.WATER)
    assert rows["w21003-Rtd"] == (1.803, "D", SampleKind.WATER)
    assert rows["w01001-Rtd"] == (7.1, "C", SampleKind.CHECK)
    assert rows["w01003-Rtd"][0] == 12.5
    assert rows["w21011-Rtd"][0] != rows["w21011-Rtd"][0]
    assert basin.states()[:3] == [SourceState.STARTING, SourceState.DISCONNECTED, SourceState.LIVE]


async def test_a_station_of_2025_that_encrypts_is_received_with_its_key():
    simulator = SIMULATOR.make(None, WATER, now, interval_s=0.05, edition="2025", key="30" * 16)
    options = await simulator.start()
    basin = Basin()
    tasks = [asyncio.create_task(DRIVER.make(DRIVER.options(**options), now).run(basin))]
    tasks.append(asyncio.create_task(simulator.run()))
    try:
        await basin.until(lambda b: {key for key, *_ in b.rows()} >= {"w01018-Rtd", "w21003-Rtd"})
        assert {value for key, _, value, *_ in basin.rows() if key == "w01018-Rtd"} == {35.2}
        assert not any(report.bad_frames for report in basin.reports)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_command_of_a_region_is_taken_and_answered_as_configured():
    async with Receiver(commands={"4001": {"interval": "hour", "measured": ["Check"]}}) as receiver:
        station = await receiver.station()
        station.writer.write(upload(command="4001", area="DataTime=20240601120000;w01018-Check=35.2"))
        assert (await station.answer()).command == "9014"
        await station.close()
    assert [row[0] for row in receiver.basin.rows()] == ["A1/w01018-Check.hour"]


async def test_an_upload_is_answered_only_when_its_rows_are_durable():
    basin = Basin(durable=False)
    async with Receiver(basin) as receiver:
        station = await receiver.station()
        station.writer.write(upload())
        await basin.until(lambda b: b.batches)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await station.answer()
        threading.Thread(target=basin.batches[0].acknowledge).start()
        answer = await station.answer()
        await station.close()
    assert answer.header == {
        "QN": "20240601120000001", "ST": "91", "CN": "9014", "PW": "123456", "MN": "A1", "Flag": "4",
    }  # fmt: skip


async def test_an_upload_that_wants_no_answer_gets_none_and_a_heartbeat_gets_one():
    async with Receiver(edition="2025") as receiver:
        station = await receiver.station()
        station.writer.write(upload("1", flag="8") + upload("2", "9015", flag="9", area=""))
        answer = await station.answer()
        await station.close()
    assert (answer.request[-1], answer.command, answer.header["Flag"]) == ("2", "9014", "8")


async def test_a_notice_is_answered_by_9013_and_followed_by_the_time():
    async with Receiver(set_time=True) as receiver:
        station = await receiver.station()
        station.writer.write(upload("1", "1013", area="PolId=w01018"))
        commands = [(await station.answer()).command for _ in range(3)]
        await station.close()
    assert sorted(commands) == ["1012", "1012", "9013"]


async def test_first_contact_sets_what_is_configured_and_reports_a_refusal():
    async with Receiver(real_time_interval_s=60, over_time_s=5, retries=3) as receiver:
        station = await receiver.station()
        station.writer.write(upload(flag="4"))
        first, second = [await station.answer() for _ in range(2)]
        assert (first.command, first.fields) == ("1000", {"OverTime": "5", "ReCount": "3"})
        assert (second.command, second.fields, second.wants_answer) == ("1062", {"RtdInterval": "60"}, True)
        reply = Message(header={"QN": second.request, "ST": "91", "CN": "9011", "MN": "A1"}, fields={"QnRtn": "3"})
        station.writer.write(encode_frame(reply.encode()))
        await receiver.basin.until(lambda b: any("password wrong" in report.detail for report in b.reports))
        await station.close()


async def test_the_virtual_station_does_what_it_is_told():
    simulator = SIMULATOR.make(None, WATER, now, interval_s=3600.0)
    options = DRIVER.options(**await simulator.start(), real_time_interval_s=1)
    basin = Basin()
    tasks = [asyncio.create_task(DRIVER.make(options, now).run(basin)), asyncio.create_task(simulator.run())]
    async with asyncio.timeout(PATIENCE_S):
        while simulator._interval_us != 1_000_000:
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not [report.detail for report in basin.reports if "request" in report.detail]


async def test_split_and_merged_frames_arrive_whole():
    data = upload("1") + upload("2", area="DataTime=20240601120030;w01018-Rtd=36")
    async with Receiver() as receiver:
        station = await receiver.station()
        for start in range(0, len(data), 37):
            station.writer.write(data[start : start + 37])
            await station.writer.drain()
            await asyncio.sleep(0)
        answers = [(await station.answer()).request[-1] for _ in range(2)]
        await station.close()
    assert answers == ["1", "2"]
    assert [value for _, _, value, _, _ in receiver.basin.rows()] == [35.2, 36.0]


async def test_stations_share_a_port_and_are_told_apart():
    async with Receiver() as receiver:
        stations = [await receiver.station() for _ in range(2)]
        for name, station in zip("AB", stations, strict=True):
            station.writer.write(upload(device=name))
            await station.answer()
        keys = {key for key, *_ in receiver.basin.rows()}
        for station in stations:
            await station.close()
        await receiver.basin.until(lambda b: b.states()[-1] is SourceState.DISCONNECTED)
    assert keys == {"A/w01018-Rtd", "B/w01018-Rtd"}
    live = [report.device for report in receiver.basin.reports if report.device and report.state is SourceState.LIVE]
    assert live == ["A", "B"]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (upload(device="B9"), "not one of the configured"),
        (upload(PW="wrong"), "wrong password"),
        (upload().replace(b"35.2", b"95.2"), "crc_mismatch"),
        (upload(area="DataTime=20240631120000;w01018-Rtd=1"), "time"),
        (b"GET / HTTP/1.1\r\n" * 300, "noise"),
    ],
)
async def test_what_is_not_to_be_trusted_is_refused_reported_and_not_answered(frame, reason):
    async with Receiver(stations=("A1",), password="123456") as receiver:
        station = await receiver.station()
        station.writer.write(frame + upload("7"))
        answer = await station.answer()
        await station.close()
    assert answer.request[-1] == "7"
    assert len(receiver.basin.batches) == 1
    bad = [report for report in receiver.basin.reports if report.bad_frames]
    assert reason in bad[0].detail


async def test_a_frame_that_stops_halfway_is_given_up_in_time():
    async with Receiver(frame_timeout_s=0.1) as receiver:
        station = await receiver.station()
        station.writer.write(upload()[:80])
        await receiver.basin.until(lambda b: any(report.bad_frames for report in b.reports))
        station.writer.write(upload("2").removesuffix(b"\r\n"))
        answer = await station.answer()
        await station.close()
    assert answer.request[-1] == "2"


LIVE_AGAIN = [SourceState.LIVE, SourceState.SILENT, SourceState.LIVE]


async def test_silence_of_a_station_becomes_a_state():
    async with Receiver(silent_after_s=0.1) as receiver:
        station = await receiver.station()
        station.writer.write(upload())
        await receiver.basin.until(lambda b: any(r.state is SourceState.SILENT and r.device == "A1" for r in b.reports))
        station.writer.write(upload("2"))
        # It is silent again a moment later: that it was live is what must have been said.
        await receiver.basin.until(lambda b: [r.state for r in b.reports if r.device == "A1"][:3] == LIVE_AGAIN)
        await station.close()


async def test_an_unanswered_upload_is_sent_again_unchanged():
    basin = Basin(durable=False)
    simulator = SIMULATOR.make(None, WATER, now, interval_s=3600.0, over_time_s=0.1)
    driver = DRIVER.make(DRIVER.options(**await simulator.start()), now)
    tasks = [asyncio.create_task(driver.run(basin)), asyncio.create_task(simulator.run())]
    await basin.until(lambda b: len(b.batches) >= 6)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert simulator.acknowledged == 0
    assert len(set(map(repr, basin.rows()))) == 6


SEEN = {
    "silence": lambda report: report.state is SourceState.SILENT,
    "wrong_crc": lambda report: "crc_mismatch" in report.detail,
    "restart": lambda report: report.state is SourceState.DISCONNECTED,
}


@pytest.mark.parametrize("kind", SEEN)
async def test_the_station_comes_back_from_a_fault_of_the_wire(kind):
    basin, clock, fault = Basin(), JumpingClock(), Fault(kind, HOUR_S, HOUR_S)
    simulator = SIMULATOR.make(None, WATER, clock, [fault], interval_s=0.05, over_time_s=0.1, retries=1)
    options = DRIVER.options(**await simulator.start(), silent_after_s=0.5)
    tasks = [asyncio.create_task(DRIVER.make(options, clock).run(basin)), asyncio.create_task(simulator.run())]
    await basin.until(lambda b: b.batches)
    before = len(basin.reports)
    clock.jump()
    await basin.until(lambda b: any(SEEN[kind](report) for report in b.reports[before:]))
    clock.jump()
    ended = clock()
    await basin.until(lambda b: b.rows()[-1][1] > ended - 1_800_000_000)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_every_published_vector_leaves_the_receiver_alive():
    async with Receiver(answers="never") as receiver:
        station = await receiver.station()
        for vector in VECTORS:
            given_ = vector["input"]
            for text in given_.get("chunks", [given_.get("text")]):
                station.writer.write(text.encode())
                await station.writer.drain()
        station.writer.write(upload())
        await receiver.basin.until(
            lambda b: any(value == 35.2 and key == "A1/w01018-Rtd" for key, _, value, _, _ in b.rows())
        )
        await station.close()


async def test_interval_data_of_the_virtual_station_are_kept_apart():
    ticks = iter(range(0, 10**9))
    began = 1_717_200_000_000_000  # 2024-06-01T00:00:00Z, 08:00 in China

    def clock():
        return began + next(ticks) * 20_000_000

    simulator = SIMULATOR.make(None, WATER, clock, interval_s=60.0, minute_min=10, hours=True)
    basin = Basin()
    driver = DRIVER.make(DRIVER.options(**await simulator.start()), now)
    tasks = [asyncio.create_task(driver.run(basin)), asyncio.create_task(simulator.run())]
    wanted = {"w01018-Rtd", "w01018-Avg.minute", "w01018-Avg.hour", "w00000-Cou.hour"}
    await basin.until(lambda b: wanted <= {key for key, *_ in b.rows()})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    rows = {key: (at, value) for key, at, value, _, _ in reversed(basin.rows())}
    assert rows["w00000-Cou.hour"] == (began, 63.0)


@pytest.mark.parametrize(
    "options", [{}, {"port": 1, "time_zone": "China"}, {"port": 1, "over_time_s": 5}, {"port": 1, "edition": "2018"}]
)
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ValidationError):
        DRIVER.options(**options)


def test_the_marks_are_judged_by_the_editions_table():
    assert DRIVER.mark_scheme(DRIVER.options(port=1, edition="2005")) == "hj212-2005"
    assert DRIVER.mark_scheme(DRIVER.options(port=1, edition="2025")) == "hj212-2017"
