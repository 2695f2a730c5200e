"""Memory of ``nilometer serve`` under a steady load: does it stay flat?

    python benchmarks/soak.py [--minutes 10] [--rows-per-s 50000]

Prints resident memory by minute, and how far it moved between the end of the second minute and the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.system.load import THING, Load, streams
from tests.system.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rows-per-s", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), is_new=True)
        process = psutil.Process(server.process.pid)
        server.client.configure([THING], streams())
        began = time.monotonic()
        load = Load(server.client, 0, rows_per_s=options.rows_per_s)
        seen = []
        while (passed := time.monotonic() - began) < 60 * options.minutes:
            time.sleep(min(5, 60 * options.minutes - passed))
            seen.append((time.monotonic() - began, process.memory_info().rss / 2**20, load.acknowledged))
            if int(seen[-1][0] / 60) != int((seen[-1][0] - 5) / 60) or load.errors:
                rate = load.acknowledged / seen[-1][0]
                print(f"{seen[-1][0] / 60:5.1f} min  {seen[-1][1]:7.0f} MiB  {rate:9.0f} rows/s", flush=True)
            if load.errors:
                raise SystemExit(load.errors[0])
        load.stop()
        settled = [memory for at, memory, _ in seen if at > min(120, 30 * options.minutes)]
        third = max(len(settled) // 3, 1)
        first, last = sum(settled[:third]) / third, sum(settled[-third:]) / third
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        print(f"rows {load.acknowledged}, on disk {size / load.acknowledged:.2f} bytes/row (journal and lake)")
        print(f"resident memory: {first:.0f} MiB early, {last:.0f} MiB late, {max(settled):.0f} MiB at most")
        server.stop()


if __name__ == "__main__":
    main()
