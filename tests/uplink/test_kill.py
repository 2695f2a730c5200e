"""Kill -9 of a station that reports: every hour and every row arrives, and each once, whenever it falls over."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from tests.acquisition.brokers import until
from tests.acquisition.ports import reserved_port
from tests.cli.conftest import nilometer
from tests.system.server import Server
from tests.uplink.platforms import DEVICE

HOURS = 60
CHINA = dt.timezone(dt.timedelta(hours=8))


def _toml(folder, text):
    folder.mkdir()
    (folder / "nilometer.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_killed_station_owes_nothing(tmp_path):
    began = (dt.datetime.now(CHINA) - dt.timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
    until_moment = began + dt.timedelta(hours=HOURS + 12)
    with reserved_port() as port:
        platform = Server(
            _toml(
                tmp_path / "platform",
                f'[[thing]]\nkey = "p"\nname = "P"\n[[source]]\nname = "s"\ndriver = "hj212"\nthing = "p"\n'
                f'[source.options]\nport = {port}\nstations = ["{DEVICE}"]\nrefill = []\n',
            )
        )
        station = _toml(
            tmp_path / "station",
            f'[[thing]]\nkey = "m"\nname = "M"\ntime_zone = "Asia/Shanghai"\n'
            f'[[datastream]]\nkey = "m/cod"\nthing = "m"\nproperty = "codcr"\nprofile = ""\n'
            f'[[uplink]]\nname = "province"\nreceiver = "hj212"\n[uplink.options]\nhost = "127.0.0.1"\nport = {port}\n'
            f'device = "{DEVICE}"\nsince = "{began}"\ndays = false\n'
            f"real_time_s = 60\nover_time_s = 2\nreconnect_first_s = 0.05\n",
        )
        server = Server(station)
        times = [began + dt.timedelta(hours=hour, minutes=10) for hour in range(HOURS)]
        stamps = pa.array(times, pa.timestamp("us", "UTC"))
        told = {"datastream": ["m/cod"] * HOURS, "phenomenon_time": stamps, "result": [float(n) for n in range(HOURS)]}
        server.client.write(pa.table(told))

        def hours():
            keys = [one["key"] for one in platform.client.datastreams() if "min_hour" in one["key"]]
            return platform.client.read(keys[0])["result"].to_pylist() if keys else []

        until(lambda: len(hours()) > 0)
        server.kill()
        assert len(hours()) < HOURS
        server = Server(station)
        until(lambda: len(hours()) == HOURS)
        until(lambda: _got(server, began, until_moment) == HOURS)
        assert hours() == [float(n) for n in range(HOURS)]
        until(lambda: server.client.uplinks()[0]["waiting"] == 0)
        told = nilometer(
            *("uplink", "gaps", "province", "--data", station, "--kind", "hour", "--json"),
            *("--from", began.isoformat(), "--to", until_moment.isoformat()),
        )
        found = told.json
        assert found["counts"] == {"answered": HOURS, "empty": 12}
        assert {one["state"] for one in found["gaps"]} == {"empty"}
        server.stop()
        platform.stop()


def _got(server, began, end):
    asked = server.client.uplink_gaps("province", began.isoformat(), end.isoformat(), kind="hour")
    return asked["counts"].get("answered", 0)
