"""A real server, a real load, real kills: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import sys
import time

import pytest

from tests.system.demos import wait_for
from tests.system.load import THING, Load, check_stored, streams
from tests.system.server import Server

KILLS = int(os.environ.get("NILOMETER_KILLS", "3"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is of POSIX; Windows is tried by hand")
def test_a_server_killed_under_load_loses_and_doubles_nothing(tmp_path):
    chance = random.Random(1)
    (tmp_path / "nilometer.toml").write_text("[store]\nseal_every_s = 0.5\nseal_rows = 20000\n", encoding="utf-8")
    acknowledged = sent = 0
    for _ in range(KILLS):
        server = Server(tmp_path)
        try:
            server.client.configure([THING], streams())
            load = Load(server.client, acknowledged, rows_per_s=50_000)
            wait_for("a batch that is durable", lambda load=load: load.acknowledged > load.first)
            time.sleep(chance.uniform(0.0, 2.0))
        finally:
            server.kill()
        load.stop()
        acknowledged, sent = load.acknowledged, max(sent, load.sent)
    server = Server(tmp_path)
    stored = check_stored(server.client, acknowledged, sent)
    assert stored >= acknowledged > 0
    server.stop()
