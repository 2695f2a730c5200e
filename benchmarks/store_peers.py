"""The store beside its peers, in one run on one machine: rows in, rows out, bytes, late rows, a delete.

    python benchmarks/store_peers.py [--series 100] [--rows 5256000] [--peers influx,victoria,postgres,duckdb]

Every database is a private server on a free loopback port in a folder of its own, which is stopped and removed
whatever happens; one that is not installed is named and left out. All get the same rows (those of web_ingest.py), and
every answer is compared with what was given before its time counts: a figure that fails is printed as WRONG. The size
of the issue: ``--series 1000 --rows 52560000 --late 250000 --block 500000``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from peers.duck import Duck, DuckOverOurs
from peers.influx import Influx
from peers.ours import Ours
from peers.peer import Peer, Water, Wrong, end_well
from peers.postgres import Postgres
from peers.victoria import Victoria
from web_ingest import syncs_a_second

PEERS = {"influx": Influx, "victoria": Victoria, "postgres": Postgres, "duckdb": Duck}
LATE = 3
"""The series that gets late rows."""


class Sheet:
    """The figures: a row each, a column each database."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, tuple[float, str] | str]] = {}

    def put(self, row: str, name: str, figure: float, shown: str) -> None:
        """Keep a figure of which less is better."""
        self._rows.setdefault(row, {})[name] = (figure, shown)
        print(f"    {row}: {shown}", flush=True)

    def note(self, row: str, name: str, why: str) -> None:
        """Keep words in place of a figure."""
        self._rows.setdefault(row, {})[name] = why
        print(f"    {row}: {why}", flush=True)

    def show(self, names: list[str]) -> None:
        """Print a table of Markdown; behind each peer's figure, how many times ours is better."""
        print("\n| " + " | ".join(["", *names]) + " |")
        print("| --- |" + " ---: |" * len(names))
        for row, of in self._rows.items():
            ours = of.get(names[0])
            cells = []
            for name in names:
                cell = of.get(name, "–")
                if isinstance(cell, str):
                    cells.append(cell)
                elif name == names[0] or not isinstance(ours, tuple):
                    cells.append(cell[1])
                else:
                    ratio = cell[0] / ours[0]
                    cells.append(f"{cell[1]} ({ratio:.2g} ×)" if ratio < 10 else f"{cell[1]} ({ratio:,.0f} ×)")
            print("| " + " | ".join([row, *cells]) + " |")


def same(name: str, found: np.ndarray, wanted: np.ndarray) -> None:
    """Refuse values that are not those that were given."""
    if len(found) != len(wanted):
        raise Wrong(f"{name}: {len(found):,} rows instead of {len(wanted):,}")
    if not np.allclose(found, wanted, rtol=0, atol=1e-9):
        raise Wrong(f"{name}: {np.sum(~np.isclose(found, wanted, rtol=0, atol=1e-9)):,} values differ")


def ingest(peer: Peer, sheet: Sheet) -> None:
    """Give it all rows, its kinds of body in turn; what encodes the bodies is not in the time."""
    water = peer.water
    took, sent = dict.fromkeys(peer.kinds, 0.0), dict.fromkeys(peer.kinds, 0)
    for place, at in enumerate(water.starts):
        rows, kind = water.table(at), peer.kinds[place % len(peer.kinds)]
        size = peer.body_rows or rows.num_rows
        bodies = [peer.encode(kind, rows.slice(n, size)) for n in range(0, rows.num_rows, size)]
        began = time.perf_counter()
        for body in bodies:
            peer.send(kind, body)
        took[kind] += time.perf_counter() - began
        sent[kind] += rows.num_rows
    of = {kind: sent[kind] / took[kind] for kind in peer.kinds if sent[kind]}
    # Each of our kinds stands beside the best kind of every peer.
    best = max(of, key=lambda kind: of[kind])
    for row in Ours.kinds:
        kind = row if peer.name == Ours.name else best
        if kind in of:
            said = "" if kind == row else f" {kind}"
            sheet.put(f"rows in, {row} body", peer.name, 1 / of[kind], f"{of[kind] / 1e6:.2f} M/s{said}")


def median_of(act: Callable[[int], object], repeat: int, series: int) -> float:
    """Return the median time of a read, ms, of another series each time: no answer is the last one's."""
    taken = []
    for n in range(repeat + 1):
        began = time.perf_counter()
        act((7 + 17 * n) % series)
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken[1:])


def checked(sheet: Sheet, row: str, peer: Peer, check: Callable[[], None], figure: Callable[[], float]) -> None:
    """Take a time, unless the answer is wrong."""
    try:
        check()
        ms = figure()
    except Wrong as wrong:
        sheet.note(row, peer.name, f"WRONG: {wrong}" if "only" not in str(wrong) else str(wrong))
    else:
        sheet.put(row, peer.name, ms, f"{ms:,.1f} ms")


def read(peer: Peer, sheet: Sheet, repeat: int, absent: int) -> None:
    """Read a series, the newest of all and a chart; `absent`: so many of a series may not be in its files yet."""
    water, probe = peer.water, 11 % peer.water.series
    stamps, values = water.of(probe)
    values = peer.shown(values)

    def is_series(form: str) -> None:
        found_stamps, found = peer.opened(peer.series(probe, form), form)
        upto = len(found) if 0 <= len(values) - len(found) <= absent else len(values)
        same("series", found, values[:upto])
        same("times", found_stamps, stamps[:upto])

    def is_latest() -> None:
        found = peer.latest_values(peer.latest())
        wanted = peer.shown(water.values[-water.series :])
        same("latest", found, wanted if not absent else found[: len(wanted)])

    def is_chart() -> None:
        found = peer.chart_values(peer.chart(probe))
        shown = values[: len(values) - absent]
        if not min(1000, len(shown)) <= len(found) <= 4100:
            raise Wrong(f"{len(found):,} points")
        # A calibrated value is the last digit of a double away from what is computed here.
        if found.max() < shown.max() - 1e-9 or found.min() > shown.min() + 1e-9:
            raise Wrong("the least or the greatest value is lost")

    for form in Ours.forms:
        mine = form if form in peer.forms else peer.forms[0]
        checked(sheet, f"a series of {water.per_series:,} rows, {form}", peer, lambda mine=mine: is_series(mine),
                lambda mine=mine: median_of(lambda n: peer.series(n, mine), repeat, water.series))  # fmt: skip
    checked(sheet, f"newest of {water.series:,} series", peer, is_latest,
            lambda: median_of(lambda _: peer.latest(), repeat, water.series))  # fmt: skip
    checked(sheet, "chart, 2,000 points", peer, is_chart, lambda: median_of(peer.chart, repeat, water.series))


def size(peer: Peer, sheet: Sheet) -> None:
    for row, found in (
        ("bytes a row, compacted", peer.size()),
        ("bytes a row, the whole folder", peer.whole_size()),
    ):
        sheet.put(row, peer.name, found / peer.water.rows, f"{found / peer.water.rows:.2f}")


def late(peer: Peer, sheet: Sheet) -> None:
    """Send late rows of one series twice, then delete them with those between."""
    water = peer.water
    body = peer.encode(peer.kinds[0], water.late(LATE))
    wanted = water.per_series + water.late_rows

    def send() -> float:
        began = time.perf_counter()
        peer.late(body)
        return (time.perf_counter() - began) * 1e3

    for row in (f"{water.late_rows:,} late rows", "the same sent again"):
        ms = send()
        found = peer.count(LATE)
        if found == wanted:
            sheet.put(row, peer.name, ms, f"{ms:,.0f} ms")
        else:
            sheet.note(row, peer.name, f"WRONG: {found:,} rows instead of {wanted:,}")
    start, end, rows = water.deleted()

    def delete() -> float:
        began = time.perf_counter()
        peer.delete(LATE, start, end)
        took = (time.perf_counter() - began) * 1e3
        if peer.count(LATE) != wanted - rows:
            raise Wrong(f"{peer.count(LATE):,} rows left instead of {wanted - rows:,}")
        return took

    checked(sheet, f"delete of {rows:,} rows", peer, lambda: None, delete)


def run(peer: Peer, sheet: Sheet, options: argparse.Namespace) -> None:
    print(f"{peer.name}: durable means: {peer.durable}", flush=True)
    peer.start()
    ingest(peer, sheet)
    began = time.perf_counter()
    peer.settle()
    print(f"    settled in {time.perf_counter() - began:.1f} s")
    found = peer.count()
    if found != peer.water.rows:
        sheet.note("rows afterwards", peer.name, f"WRONG: {found:,} of {peer.water.rows:,}")
    else:
        sheet.note("rows afterwards", peer.name, f"{found:,}")
    size(peer, sheet)
    read(peer, sheet, options.repeat, 0)
    if isinstance(peer, Ours) and "duckdb" in options.peers.split(",") and not Duck.absent():
        over(peer, sheet, options)
    late(peer, sheet)


def over(ours: Ours, sheet: Sheet, options: argparse.Namespace) -> None:
    """Have DuckDB read the files that our lake consists of now; the newest rows may still be in the journal."""
    foreign = DuckOverOurs(ours.water, options.folder)
    try:
        foreign.files, foreign.ids = tuple(ours.lake().file_uris()), ours.ids()
        foreign.start()
        print(f"{foreign.name}: {len(foreign.files)} files", flush=True)
        read(foreign, sheet, options.repeat, -(-(ours.water.rows - foreign.count()) // ours.water.series))
    finally:
        foreign.close()


def file_system(folder: Path) -> str:
    """Return the file system under a folder, as the kernel names it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    at = str(folder.resolve())
    fitting = [(len(where), kind) for where, kind in mounts if at.startswith(where.rstrip("/") + "/") or where == at]
    return max(fitting)[1] if fitting else "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--rows", type=int, default=5_256_000, help="of all series together; 52,560 of each are a year")
    parser.add_argument("--late", type=int, default=250_000, help="late rows of one series")
    parser.add_argument("--block", type=int, default=250_000, help="rows a body, where the database takes as many")
    parser.add_argument("--repeat", type=int, default=9, help="reads of a kind, of which the median is told")
    parser.add_argument("--peers", default=",".join(PEERS), help="which peers")
    parser.add_argument("--folder", help="where the data go; default: the system's temporary folder")
    options = parser.parse_args()
    if unknown := set(filter(None, options.peers.split(","))) - set(PEERS):
        parser.error(f"no such peer: {', '.join(sorted(unknown))} (there are {', '.join(PEERS)})")
    if options.series <= LATE:
        parser.error(f"--series must be more than {LATE}")
    end_well()
    water, sheet = Water(options.series, options.rows, options.late, options.block), Sheet()
    names = []
    for make in [Ours, *(PEERS[name] for name in PEERS if name in options.peers.split(","))]:
        if missing := make.absent():
            print(f"{make.name} is left out: {missing}")
            continue
        peer = make(water, options.folder)
        try:
            if not names:
                disk, syncs = file_system(peer.folder), syncs_a_second(str(peer.folder))
                print(f"{water.rows:,} rows of {water.series:,} series; {disk}, {syncs:,.0f} syncs a second of 4 KiB; "
                      f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")  # fmt: skip
            run(peer, sheet, options)
        except Exception as error:  # one that fails does not take the others' figures with it
            print(f"    {peer.name} failed: {error!r}", flush=True)
            if isinstance(peer, Ours):
                raise
        finally:
            peer.close()
        names.append(peer.name)
        if isinstance(peer, Ours) and "duckdb" in options.peers.split(","):
            names.append(DuckOverOurs.name)
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    sheet.show(names)


if __name__ == "__main__":
    main()
