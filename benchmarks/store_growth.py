"""What grows with the data: the same reads at 1, 4 and 16 times as much, memory, and the start of the server.

    python benchmarks/store_growth.py [--series 100] [--rows 500000] [--factors 1,4,16] [--journal 900000]

The history of the same series becomes longer; a read asks for the newest stretch of one, as long as all of it was at
first, so that its answer has the same size each time, and is compared with what was sent. Memory is what the process of
the server holds: at rest (started again, nothing asked), after the reads, and at most while rows came in. At the end
so many rows are acknowledged that are not sealed yet, the server is killed (-9), and the start is timed until it
answers with the right number of rows. The journal is full just below `store.seal_rows` (1,000,000).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from peers.ours import Ours, resident_mib
from peers.peer import Water, Wrong, end_well
from store_peers import file_system, median_of, same
from web_ingest import START_MS, STEP_MS, syncs_a_second


class Grown:
    """A server whose data grow, and the stretch that is asked for."""

    def __init__(self, ours: Ours, span: int) -> None:
        self.ours, self.water, self.span, self.sent = ours, ours.water, span, 0

    def send(self, rows: int) -> float:
        """Send the next rows as Arrow; return how many a second were acknowledged."""
        until, took, before = self.sent + rows, 0.0, self.sent
        while self.sent < until:
            block = self.water.table(self.sent)
            body = self.ours.encode("Arrow", block)
            began = time.perf_counter()
            self.ours.send("Arrow", body)
            took += time.perf_counter() - began
            self.sent += block.num_rows
        return (self.sent - before) / took

    def newest(self, number: int, form: str = "arrow", **more: object) -> bytes:
        end = START_MS + STEP_MS * (self.sent // self.water.series)
        return self.ours.get(
            f"datastreams/bench/ph{number}/observations", format=form, start=end - STEP_MS * self.span, end=end,
            columns="phenomenon_time,result,result_quality", **more,
        )  # fmt: skip

    def check(self) -> None:
        """Refuse a server that does not show what was sent."""
        if (found := self.ours.count()) != self.sent:
            raise Wrong(f"{found:,} rows instead of {self.sent:,}")
        number = 11 % self.water.series
        sent = self.ours.shown(self.water.values[: self.sent][number :: self.water.series][-self.span :])
        same("series", self.ours.opened(self.newest(number), "Arrow")[1], sent)
        same("latest", self.ours.latest_values(self.ours.latest()),
             self.ours.shown(self.water.values[: self.sent][-self.water.series :]))  # fmt: skip
        shown = self.ours.chart_values(self.newest(number, "json", max_points=2000))
        if not np.isclose([shown.min(), shown.max()], [sent.min(), sent.max()], rtol=0, atol=1e-9).all():
            raise Wrong("the chart lost the least or the greatest value")

    def start(self) -> float:
        """Start the server; return the seconds until it has answered, its interpreter and imports included."""
        began = time.perf_counter()
        self.ours.start()
        found = self.ours.count()
        took = time.perf_counter() - began
        if found != self.sent:
            raise Wrong(f"{found:,} rows after a start instead of {self.sent:,}")
        return took


def at_most_mib(pid: int) -> float | None:
    """Return what a process held at most since `forget_most`; None where the system does not say."""
    try:
        return resident_mib(pid, "VmHWM")
    except (OSError, RuntimeError):
        return None


def forget_most(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def measure(grown: Grown, factor: int, rows: int, repeat: int) -> list[str]:
    ours, series = grown.ours, grown.water.series
    forget_most(ours.pid)
    rate = grown.send(rows * factor - grown.sent)
    most = at_most_mib(ours.pid)
    ours.settle()
    ours.stop()
    clean = grown.start()
    rest = resident_mib(ours.pid)
    grown.check()
    reads = [
        median_of(grown.newest, repeat, series),
        median_of(lambda number: grown.newest(number, "json"), repeat, series),
        median_of(lambda number: grown.newest(number, "json", max_points=2000), repeat, series),
        median_of(lambda _: ours.latest(), repeat, series),
        median_of(lambda _: ours.count(), repeat, series),
    ]
    return [
        f"{factor} ×", f"{grown.sent:,}", f"{ours.size() / grown.sent:.2f}", f"{rate / 1e6:.2f} M/s",
        *(f"{ms:.1f} ms" for ms in reads), f"{rest:,.0f}", f"{resident_mib(ours.pid):,.0f}",
        "–" if most is None else f"{most:,.0f}", f"{clean:.1f} s",
    ]  # fmt: skip


def crash(grown: Grown, rows: int) -> None:
    """Fill the journal, kill the server, and start it again."""
    ours = grown.ours
    grown.send(rows)
    unsealed = grown.sent - ours.lake_rows()
    size = ours.journal_size()
    ours.kill()
    took = grown.start()
    grown.check()
    print(f"killed with {unsealed:,} rows not sealed, {size / 2**20:,.0f} MiB of journal set aside: answers after "
          f"{took:.1f} s, {grown.sent:,} rows, none lost; {resident_mib(ours.pid):,.0f} MiB resident")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--rows", type=int, default=500_000, help="rows at 1 ×, of all series together")
    parser.add_argument("--factors", default="1,4,16")
    parser.add_argument("--journal", type=int, default=900_000, help="rows in the journal when the server is killed")
    parser.add_argument("--block", type=int, default=100_000, help="rows a body")
    parser.add_argument("--repeat", type=int, default=9, help="reads of a kind, of which the median is told")
    parser.add_argument("--folder", help="where the data go; default: the system's temporary folder")
    options = parser.parse_args()
    factors = sorted(int(factor) for factor in options.factors.split(","))
    # Whole bodies, so that every size ends where a body does.
    block = max(1, options.block // options.series) * options.series
    rows = max(1, options.rows // block) * block
    journal = max(1, options.journal // block) * block
    end_well()
    water = Water(options.series, rows * factors[-1] + journal, 0, block)
    ours = Ours(water, options.folder)
    try:
        disk, syncs = file_system(ours.folder), syncs_a_second(str(ours.folder))
        print(f"{options.series:,} series; {disk}, {syncs:,.0f} syncs a second of 4 KiB; load {os.getloadavg()[0]:.1f} "
              f"on {os.cpu_count()} cores; a read is of {rows // options.series:,} rows", flush=True)  # fmt: skip
        grown = Grown(ours, rows // options.series)
        ours.start()
        print("\n| data | rows | bytes a row | in | stretch, Arrow | JSON | chart | newest of all | count of all | "
              "MiB at rest | after reads | most while rows came | clean start |")  # fmt: skip
        print("| --- |" + " ---: |" * 12)
        for factor in factors:
            print("| " + " | ".join(measure(grown, factor, rows, options.repeat)) + " |", flush=True)
        print()
        crash(grown, journal)
        print(f"load {os.getloadavg()[0]:.1f} at the end")
    finally:
        ours.close()


if __name__ == "__main__":
    main()
