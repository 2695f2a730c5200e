"""Kill -9 a loaded server many times, and count what was lost or doubled.

python benchmarks/kill.py [--kills 20] [--rows-per-s 50000]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.system.load import THING, Load, check_stored, streams
from tests.system.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows-per-s", type=int, default=50_000)
    options = parser.parse_args()
    chance = random.Random(7)
    acknowledged = sent = 0
    with tempfile.TemporaryDirectory() as folder:
        config = "[store]\nseal_every_s = 0.5\nseal_rows = 20000\n"
        (Path(folder) / "nilometer.toml").write_text(config, encoding="utf-8")
        for kill in range(options.kills):
            server = Server(Path(folder), is_new=True)
            server.client.configure([THING], streams())
            before, began = acknowledged, time.monotonic()
            load = Load(server.client, acknowledged, rows_per_s=options.rows_per_s)
            time.sleep(chance.uniform(0.5, 3))
            server.kill()
            load.stop()
            acknowledged, sent = load.acknowledged, max(sent, load.sent)
            rate = (acknowledged - before) / (time.monotonic() - began)
            print(f"kill {kill + 1:2d}: {acknowledged} rows acknowledged ({rate:.0f}/s)", flush=True)
        server = Server(Path(folder), is_new=True)
        stored = check_stored(server.client, acknowledged, sent)
        server.stop()
    print(
        f"{options.kills} kills: {acknowledged} acknowledged, 0 lost, 0 doubled, {stored - acknowledged} stored unasked"
    )


if __name__ == "__main__":
    main()
