"""`nilometer probe` at virtual instruments on real links: what it finds, and that its block reads it."""

from __future__ import annotations

import asyncio
import termios
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nilometer.acquisition.instrument import sdi12_instrument
from nilometer.acquisition.protocols.nmea0183 import checksum
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.modbus import ModbusSimulator, Occupant, Transport
from nilometer.acquisition.simulators.nmea0183 import Nmea0183Simulator
from nilometer.acquisition.simulators.sdi12 import Sdi12Simulator, SensorOnBus
from nilometer.acquisition.simulators.simulator import Simulator
from nilometer.pipeline import drivers
from tests.acquisition.clocks import JumpingClock
from tests.acquisition.ports import reserved_port, reserved_udp_port
from tests.acquisition.pty_pair import PtyPair
from tests.acquisition.sinks import RecordingSink
from tests.cli.conftest import Called, nilometer

WATER = ConstantFeed(
    {
        "water_temperature": 18.5, "ph": 7.4, "dissolved_oxygen": 8.1, "conductivity_25": 512.0, "turbidity_ntu": 12.5,
        "water_level": 2.25, "oxygen_saturation": 91.0,
    }
)  # fmt: skip


@asynccontextmanager
async def running(simulator: Simulator) -> AsyncIterator[dict[str, Any]]:
    options = dict(await simulator.start())
    task = asyncio.create_task(simulator.run())
    await asyncio.sleep(0)
    try:
        yield options
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def call(*arguments: object) -> Called:
    return await asyncio.to_thread(nilometer, *arguments)


async def read_by(block: str, fast: dict[str, Any], wanted: set[str]) -> RecordingSink:
    """Return what a driver reads that is configured by the block that was written."""
    source = tomllib.loads(block)["source"][0]
    info = drivers()[source["driver"]]
    sink = RecordingSink()
    driver = info.make(info.options.model_validate(source["options"] | fast), JumpingClock())
    task = asyncio.create_task(driver.run(sink))
    try:
        await sink.until(lambda: wanted <= set(sink.rows()))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return sink


def modbus(occupants: Sequence[Occupant], **link: Any) -> ModbusSimulator:
    return ModbusSimulator(occupants, JumpingClock(), **link)


@pytest.mark.parametrize("transport", ["tcp", "rtu_tcp", "serial"])
async def test_modbus_devices_are_found_with_their_maps_and_orders(transport: Transport, tmp_path: Path) -> None:
    devices = [Occupant("yosemitech_y4000", WATER, 1), Occupant("hamilton_ph_arc", WATER, 3)]
    cable = PtyPair(tmp_path)
    link = {"path": str(cable.far)} if transport == "serial" else {}
    async with running(modbus(devices, transport=transport, **link)) as options:
        target = str(cable.near) if transport == "serial" else f"127.0.0.1:{options['port']}"
        framing = ("--framing", "rtu" if transport == "rtu_tcp" else "tcp")
        called = await call("probe", "modbus", target, "--addresses", "1-4", *framing, "--json")
        assert called.code == 0, called.err
        found = {item["address"]: item for item in called.json["found"]}
        assert sorted(found) == ["1", "3"]
        best = {address: item["candidates"][0] for address, item in found.items()}
        assert best["1"]["instrument"] == "yosemitech_y4000"
        assert best["3"]["instrument"] == "hamilton_ph_arc"
        ph = next(value for value in best["1"]["values"] if value["key"] == "ph")
        assert set(ph["readings"]) == {"ABCD", "CDAB", "BADC", "DCBA"}
        assert ph["order"] == "DCBA"
        assert ph["readings"]["DCBA"] == pytest.approx(7.4)
        assert ph["readings"]["ABCD"] != pytest.approx(7.4)
        low, high = ph["plausible"]
        assert [order for order, value in ph["readings"].items() if value and low <= value <= high] == ["DCBA"]
        sink = await read_by(called.json["config"], {"poll_interval_s": 0.1}, {"ph"})
        assert sink.rows()["ph"][0] == pytest.approx(7.4)
    cable.close()


async def test_the_table_shows_every_order_beside_the_plausible_range_and_the_block(tmp_path: Path) -> None:
    async with running(modbus([Occupant("yosemitech_y4000", WATER, 1)])) as options:
        file = tmp_path / "block.toml"
        called = await call("probe", "modbus", f"127.0.0.1:{options['port']}", "--addresses", "1", "-o", file)
        assert called.code == 0, called.err
        line = next(line for line in called.out.splitlines() if line.strip().startswith("ph 1:"))
        assert "DCBA 7.4 ✓" in line
        assert "✗" in line
        assert "[plausible " in line
        assert tomllib.loads(file.read_text())["source"][0]["options"]["devices"][0]["unit_id"] == 1
        assert "[[source.options.devices]]" in called.out


@pytest.mark.parametrize("link", ["socket", "serial"])
async def test_sdi12_sensors_are_found_and_an_unknown_one_gets_channels_to_fill_in(link: str, tmp_path: Path) -> None:
    cable = PtyPair(tmp_path) if link == "serial" else None
    sensors = [
        SensorOnBus("campbell_cs475", WATER, "3", seconds=0),
        SensorOnBus("meter_hydros_21", WATER, "a", seconds=0, knows_crc=False),
    ]
    simulator = Sdi12Simulator(sensors, JumpingClock(), **({"path": str(cable.far)} if cable else {}))
    async with running(simulator) as options:
        target = str(cable.near) if cable else f"127.0.0.1:{options['port']}"
        called = await call("probe", "sdi12", target, "--addresses", "2-3,a", "--timeout", "0.5", "--json")
        assert called.code == 0, called.err
        found = {item["address"]: item for item in called.json["found"]}
        assert sorted(found) == ["3", "a"]
        assert found["a"]["identification"].startswith("12METERGro")
        expected = {"sensor3.value_1", "sensora.value_2"}
        sink = await read_by(called.json["config"], {"poll_interval_s": 0.1, "timeout_s": 0.2}, expected)
        assert sink.rows()["sensora.value_2"][0] == 18.5
        assert not [said for said in simulator.heard if said[1:2] in {"A", "X"}]
    if cable is not None:
        cable.close()


async def test_an_sdi12_sensor_whose_identification_a_file_knows_is_named() -> None:
    probe = sdi12_instrument("campbell_cs451").model_copy(update={"maker": "Campbell", "models": ("CS45X",)})
    simulator = Sdi12Simulator([SensorOnBus(probe, WATER, "0", seconds=0)], JumpingClock())
    async with running(simulator) as options:
        target = f"127.0.0.1:{options['port']}"
        called = await call("probe", "sdi12", target, "--addresses", "0", "--timeout", "2", "--json")
        # It says version 1.4 where the file knows 1.3: no match, and so a sensor of no known kind.
        assert called.json["found"][0]["candidates"][0]["instrument"] is None
        simulator.sensors[0].version = "13"
        called = await call("probe", "sdi12", target, "--addresses", "0", "--timeout", "2", "--json")
        best = called.json["found"][0]["candidates"][0]
        assert best["instrument"] == "campbell_cs451"
        assert {item["key"]: item["readings"][""] for item in best["values"]}["temperature"] == 18.5
        assert tomllib.loads(called.json["config"])["source"][0]["options"]["sensors"] == [
            {"address": "0", "instrument": "campbell_cs451"}
        ]


async def test_nobody_at_all_is_status_1_and_a_closed_port_an_error() -> None:
    async with running(modbus([Occupant("yosemitech_y4000", WATER, 9)])) as options:
        target = f"127.0.0.1:{options['port']}"
        called = await call("probe", "modbus", target, "--addresses", "1-2", "--timeout", "0.05")
        assert (called.code, "nobody answers" in called.err) == (1, True)
    with reserved_port() as port:
        called = await call("probe", "modbus", f"127.0.0.1:{port}")
        assert called.code != 0
        assert "refused" in called.err.lower()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("profibus", "x:1"), "modbus"),
        (("nmea", "/dev/null", "--baud", "fast"), "auto"),
        (("modbus", "h:1", "--parity", "N,X"), "N, O"),
        (("modbus", "no-port:x"), "HOST:PORT"),
        (("sdi12", "h:1", "--addresses", "?"), "0-9"),
        (("modbus", "h:1", "--addresses", "300"), "255"),
        (("sdi12", "h:1", "--line", "direct"), "transparent"),
        (("modbus", "h:1", "--framing", "ascii"), "tcp"),
    ],
)
def test_bad_usage_is_status_2_and_says_what_would_work(arguments: tuple[str, ...], said: str) -> None:
    called = nilometer("probe", *arguments)
    assert called.code == 2
    assert said in called.err


@pytest.mark.parametrize("protocol", ["modbus", "sdi12", "nmea"])
async def test_the_right_speed_of_several_is_found(protocol: str, tmp_path: Path) -> None:
    cable = PtyPair(tmp_path, speed=termios.B19200)
    link = {"path": str(cable.far)}
    simulators: dict[str, Simulator] = {
        "modbus": modbus([Occupant("yosemitech_y4000", WATER, 1)], transport="serial", **link),
        "sdi12": Sdi12Simulator([SensorOnBus("campbell_cs475", WATER, "0", seconds=0)], JumpingClock(), **link),
        "nmea": Nmea0183Simulator(WATER, JumpingClock(), transport="serial", interval_s=0.05, **link),
    }
    asked = {
        "modbus": ("--addresses", "1", "--timeout", "0.5"),
        "sdi12": ("--addresses", "0", "--timeout", "0.5"),
        "nmea": ("--seconds", "1.5"),
    }
    async with running(simulators[protocol]):
        called = await call("probe", protocol, cable.near, "--baud", "9600,19200", *asked[protocol], "--json")
    cable.close()
    assert called.code == 0, called.err
    options = tomllib.loads(called.json["config"])["source"][0]["options"]
    assert (options["path"], options["baud"]) == (str(cable.near), 19200)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_nmea_talkers_are_told_with_sentences_rates_and_faults(transport: str) -> None:
    link: dict[str, Any] = {}
    with reserved_udp_port() as port:
        link = {"port": port} if transport == "udp" else {}
    wrong = "$SDDPT,1.0,0.0*00"
    bodies = ["GPZDA,120000.00,01,05,2024,00,00", "SDDPT,12.3,0.0", "IIMTW,18.5,C", "PXYZ,1,2", "GPMTW,18.4,C"]
    bodies += ["IIXDR,G,3.1,,TANK"]
    lines = [wrong, *(f"${body}*{checksum(body.encode()):02X}" for body in bodies)]
    simulator = Nmea0183Simulator(
        WATER, JumpingClock(), transport=transport, interval_s=0.02, lines=lines, lines_per_tick=7, repeat=True, **link
    )
    async with running(simulator) as options:
        target = f"127.0.0.1:{options['port']}"
        target = f"udp://{target}" if transport == "udp" else target
        called = await call("probe", "nmea", target, "--seconds", "0.4", "--json")
        shown = await call("probe", "nmea", target, "--seconds", "0.4")
        assert called.code == 0, called.err
        heard = {one["talker"] + one["sentence"]: one for one in called.json["sentences"]}
        assert set(heard) >= {"GPZDA", "SDDPT", "IIMTW", "GPMTW", "PPXYZ", "IIXDR"}
        assert heard["SDDPT"]["rate_hz"] > 5
        assert not heard["PPXYZ"]["understood"]
        values = {value["channel"]: value for value in heard["IIMTW"]["values"]}
        assert values["MTW.water_temperature"]["value"] == 18.5
        assert values["MTW.water_temperature"]["observed_property"] == "water_temperature"
        assert called.json["refused"]["checksum_mismatch"] > 1
        assert called.json["clock_ahead_s"] < -1e6  # the log is of 2024
        source = tomllib.loads(called.json["config"])["source"][0]
        assert source["driver"] == "nmea0183"
        assert source["options"] | {"link": transport, "by_talker": True} == source["options"]
        assert '# "G.TANK" = { property = "…" }' in called.json["config"]
        assert "behind ours" in shown.out
        wanted = {"depth_below_transducer"}
        await read_by(called.json["config"], {"time": "arrival", "silent_after_s": 1}, wanted)


async def test_a_line_on_which_no_sentence_is_said_is_named(tmp_path: Path) -> None:
    cable = PtyPair(tmp_path)
    called = await call("probe", "nmea", cable.near, "--seconds", "0.05", "--baud", "4800")
    cable.close()
    assert called.code == 1
    assert "not a byte in 0.05 s" in called.err
