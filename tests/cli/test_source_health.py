"""What the doctor says of configured sources: real ports, real devices, a real server."""

from __future__ import annotations

import grp
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from nilometer.cli import source_health
from nilometer.config import parse
from nilometer.pipeline import wall_clock
from nilometer.pipeline.checking import check_config
from tests.acquisition.ports import reserved_port
from tests.cli.conftest import nilometer
from tests.system.server import Server

THING = '[[thing]]\nkey = "river"\nname = "River"\n'


def doctor(folder: Path, text: str):
    folder.mkdir(exist_ok=True)
    (folder / "nilometer.toml").write_text(text, encoding="utf-8")
    called = nilometer("doctor", "--data", folder, "--json")
    return called.code, {item["what"]: (item["ok"], item["detail"]) for item in called.json}


def source(name: str, driver: str, options: str) -> str:
    return f'[[source]]\nname = "{name}"\ndriver = "{driver}"\nthing = "river"\noptions = {{ {options} }}\n'


def test_ports_and_devices_are_named_with_what_stands_in_their_way(tmp_path):
    plain = tmp_path / "ttyUSB9"
    plain.write_text("")
    master, slave = os.openpty()
    line = os.ttyname(slave)
    with socket.create_server(("127.0.0.1", 0)) as other, reserved_port() as free:
        taken = other.getsockname()[1]
        text = f"[server]\nport = {free}\n" + THING
        text += source("a", "hj212", f"port = {taken}")
        text += source("b", "nmea0183", 'link = "udp", host = "192.0.2.1", port = 10110')
        text += source("c", "nmea0183", f'link = "serial", path = "{tmp_path}/ttyNO"')
        text += source("d", "nmea0183", f'link = "serial", path = "{plain}"')
        text += source("e", "nmea0183", f'link = "serial", path = "{line}"')
        text += source("f", "nmea0183", 'link = "serial", path = "rfc2217://10.0.0.9:4001"')
        code, said = doctor(tmp_path / "data", text)
    os.close(master)
    os.close(slave)
    assert code == 1
    assert said["web server"] == (True, f"tcp 127.0.0.1:{free} is free")
    assert said["source a"] == (False, f"tcp 127.0.0.1:{taken} is taken by {_self()}")
    assert not said["source b"][0]
    assert "no such address" in said["source b"][1]
    assert "No such file" in said["source c"][1]
    assert "is no serial port" in said["source d"][1]
    assert said["source e"] == (False, f"{line} is used by {_self()}: two readers of one line take each other's bytes")
    assert "source f" not in said  # It is elsewhere: only `probe` can say.
    assert said["system clock"][0]
    assert time.strftime("%Y-%m-%d", time.gmtime()) in said["system clock"][1]


def _self() -> str:
    return f"{Path('/proc/self/comm').read_text().strip()} (process {os.getpid()})"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root to see what a user sees")
def test_a_device_of_another_group_and_a_low_port_are_explained():
    master, slave = os.openpty()
    device = os.ttyname(slave)
    Path(device).chmod(0o600)
    config = {
        "thing": [{"key": "river", "name": "River"}],
        "source": [
            {"name": "a", "driver": "hj212", "thing": "river", "options": {"port": 99}},
            {"name": "b", "driver": "nmea0183", "thing": "river", "options": {"link": "serial", "path": device}},
        ],
    }
    checked = [(item, options) for item, _, options in check_config(parse(config), wall_clock)]
    assert grp.getgrgid(0)  # loaded while we may still read where it lies
    os.setegid(65534)
    os.seteuid(65534)
    try:
        low, device = [(ok, detail) for ok, _, detail in source_health.links(checked, "")]
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.close(master)
        os.close(slave)
    assert low[0] or "ports below 1024" in low[1]  # A container may let anybody have any port.
    assert device[0] is False
    assert "usermod -aG" in device[1]


def test_a_device_whose_clock_is_ahead_is_named_by_the_running_server(tmp_path):
    with reserved_port() as port:
        pass
    folder = tmp_path / "data"
    folder.mkdir()
    stream = '[[datastream]]\nkey = "river/ph"\nthing = "river"\nproperty = "ph"\n'
    text = f"[server]\nport = {port}\n" + THING + stream
    (folder / "nilometer.toml").write_text(text, encoding="utf-8")
    server = Server(folder)
    try:
        assert source_health.serving(folder)
        _, said = doctor(folder, text)
        assert said["device clocks"] == (True, "none of 0 newest values lies ahead of us")
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        server.client.write(pa.table({"datastream": ["river/ph"], "phenomenon_time": [tomorrow], "result": [7.1]}))
        code, said = doctor(folder, text)
        assert code == 1
        ok, detail = said["device clocks"]
        assert not ok
        assert "river/ph by 86" in detail
    finally:
        server.stop()
    assert source_health.serving(folder) == ""
