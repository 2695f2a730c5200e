"""An SL 651 station into the store: what was confirmed is there, also after a restart, and once."""

from __future__ import annotations

from nilometer.acquisition.links.tcp import connect
from nilometer.acquisition.protocols.sl651 import SYMBOLS, Frame
from nilometer.acquisition.protocols.sl651_frame import ESC
from nilometer.acquisition.protocols.sl651_numbers import CHINA
from nilometer.acquisition.protocols.sl651_writing import Group, report_body
from nilometer.acquisition.sl651_talk import Talk
from tests.acquisition.ports import reserved_port
from tests.pipeline.conftest import RIVER, running, stored, until

HOUR_US = 3_600_000_000
NOON = 1_719_806_400_000_000  # 2024-07-01 12:00 in China


async def say(port, serial, hours):
    link = await connect("127.0.0.1", port)
    talk = Talk(link, Frame(1, "0012345678", "1234", 0x32, b""), CHINA)
    values = [Group(NOON + hour * HOUR_US, [(SYMBOLS["Z"], 10.0 + hour), (SYMBOLS["P1"], 2.5)]) for hour in hours]
    end = await talk.report(0x32, serial, report_body(serial, NOON, "0012345678", "H", values, CHINA))
    await talk.close()
    return end


async def test_what_was_confirmed_is_stored_once_over_a_restart(tmp_path):
    with reserved_port() as port:
        options = {"port": port, "stations": ["0012345678"], "clock_tolerance_s": 1e9}
        config = {"thing": [RIVER], "source": [{"name": "a", "driver": "sl651", "thing": "river", "options": options}]}
        for hours in ((0, 1, 2), (1, 2, 3)):  # The second time it has not heard that two of them are safe.
            async with running(tmp_path, config) as pipeline:
                await pipeline.start_sources()
                await until(lambda: any("waiting" in one.detail for one in pipeline.sources()))
                assert await say(port, 1 + hours[0], hours) == ESC
                table = stored(pipeline)
        rows = {(int(row["phenomenon_time"].timestamp()), row["result"]): row["duration"] for row in table.to_pylist()}
        assert table.num_rows == 8
        hour = HOUR_US // 1_000_000
        levels = {(NOON // 1_000_000 + i * hour, 10.0 + i): 0 for i in range(4)}
        rain = {(NOON // 1_000_000 + (i - 1) * hour, 2.5): HOUR_US for i in range(4)}
        assert rows == levels | rain
