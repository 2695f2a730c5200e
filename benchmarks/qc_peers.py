"""Quality control beside its peers: the same four tests on the same rows, and what they cost in time and memory.

    python benchmarks/qc_peers.py [--rows 5000000] [--repeat 3] [--data ../shared/data] [--saqc DIR]

Gross range, spike, rate of change and flat line by `nilometer.qc.check`, by ioos_qc, by pecos, and by SaQC 2.9.1 (in a
process and an environment of its own, which this makes with pip: its licence is the GPL). Peers that would take minutes
get fewer rows, and the table says how many. Then the whole suite of tests of a single series, both against a copy of
the same arrays; the time of the first call, compiled and from the cache; and the memory beyond the input. One series is
made (seed 1: tide, noise, spikes, holes, stuck stretches, steps of resolution), one is real (Logan River, tiled).

SaQC and pecos have no test by the same name for each of ours. What comes nearest, with thresholds as near: for a spike
a rolling z-score (pecos) and an offset that returns (SaQC), for the rate of change an increment (pecos) and a generic
difference (SaQC), for the flat line a range over a window (both). Flags are not compared here; for ioos_qc
tests/qc/test_agreement.py does that. A flat line costs ioos_qc in proportion to the values in its window: 180 a row on
the made series, 12 on the real one.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
import warnings
from pathlib import Path

import numpy as np

FOUR = {
    "gross_range": {"fail": [-5, 50], "suspect": [-1, 40]},
    "spike": {"suspect": 3, "fail": 5},
    "rate_of_change": {"suspect": 20, "per": "1 h"},
    "flat_line": {"suspect": "1 h", "fail": "3 h", "tolerance": 0.001},
}
SEASONS = [{"period": "month", "time": [k, k], "suspect": [-2 + k / 12, 35 - k / 12]} for k in range(1, 13)]
SUITE = {
    "gap": {"suspect": "2 h"},
    **FOUR,
    "climatology": {"members": SEASONS},
    "rate_of_deviation": {"test": "rate_of_change", "n_dev": 5, "tim_dev": "25 h"},
    "attenuated_signal": {"suspect": 0.02, "fail": 0.005, "over": "12 h"},
    "impossible_date": {"earliest": "1990-01-01"},
    "percentile_range": {"span": [0, 30]},
}
SAQC = "2.9.1"
SAQC_CODE = """
import sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from saqc import SaQC
held = np.load(sys.argv[1])
step = int(np.median(np.diff(held["times"][:1000])) // 1_000_000)
series = pd.Series(held["values"], index=pd.to_datetime(held["times"], unit="us"), name="x")
jump = 20 / 3600 * step
start = time.perf_counter()
qc = SaQC(series)
for low, high in ((-1, 40), (-5, 50)):
    qc = qc.flagRange("x", min=low, max=high)
for height in (3, 5):
    qc = qc.flagOffset("x", window=f"{2 * step}s", thresh=height, tolerance=1)
qc = qc.flagGeneric("x", func=lambda x: abs(x - x.shift(1)) > jump)
for window in ("1h", "3h"):
    qc = qc.flagConstants("x", window=window, thresh=0.001)
qc.flags
print(time.perf_counter() - start)
"""
READY_CODE = """
import time
start = time.perf_counter()
from nilometer.qc import warm
imported = time.perf_counter()
warm()
print(imported - start, time.perf_counter() - imported)
"""
MEMORY_CODE = """
import json, sys, warnings
import numpy as np
def resident(which):
    line = next(line for line in open("/proc/self/status") if line.startswith(which))
    return int(line.split()[1]) * 1024
def begin():
    # A process begins with the peak of the one that started it (getrusage, too): here it begins anew.
    open("/proc/self/clear_refs", "w").write("5")
    return resident("VmRSS")
values, times = np.load(sys.argv[1]), np.load(sys.argv[2])
tests = json.loads(sys.argv[3])
if tests:
    from nilometer.qc import check, warm
    check(values[:100], {"tests": tests}, times[:100])
    before = begin()
    kept = check(values, {"tests": tests}, times)
    flags = sum(column.nbytes for column in kept.tests.values()) + kept.flags.nbytes
else:
    warnings.simplefilter("ignore")
    from ioos_qc import qartod
    stamps = times.view("datetime64[us]")
    def four(x, t):
        return [qartod.gross_range_test(x, (-5, 50), (-1, 40)), qartod.spike_test(x, 3, 5),
                qartod.rate_of_change_test(x, t, 20 / 3600), qartod.flat_line_test(x, t, 3600, 10800, 0.001)]
    four(values[:100], stamps[:100])
    before = begin()
    kept = four(values, stamps)
    flags = sum(column.nbytes for column in kept)
print(resident("VmHWM") - before, flags)
"""


def made(n):
    """Return a series such as a sonde sends, a row a minute."""
    rng = np.random.default_rng(1)
    minutes = np.arange(n)
    values = 15 + 8 * np.sin(minutes / 525_600 * 2 * np.pi) + 2 * np.sin(minutes / 745 * 2 * np.pi)
    values += rng.normal(0, 0.05, n)
    values[rng.integers(0, n, n // 2000)] += rng.normal(0, 6, n // 2000)
    for start in rng.integers(0, n, max(n // 100_000, 1)).tolist():
        values[start : start + int(rng.integers(30, 600))] = values[start]  # it stuck
    values[n // 2 :] = np.round(values[n // 2 :], 1)  # another probe, a coarser one
    for start in rng.integers(0, n, n // 20_000).tolist():
        values[start : start + int(rng.integers(1, 20))] = np.nan
    times = minutes.astype(np.int64) * 60_000_000 + 1_577_836_800_000_000
    for start in rng.integers(0, n, max(n // 50_000, 1)).tolist():
        times[start:] += int(rng.integers(1, 400)) * 60_000_000
    return values, times


def tiled(folder, n):
    """Return the temperature of the Logan River at Main Street in 2019, again and again, a row each 15 min."""
    path = folder / "water_quality" / "lro" / "MainStreet2019.csv.gz"
    if not path.is_file():
        return None
    with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
        rows = [(row["datetime"], row["temp"]) for row in csv.DictReader(lines)]
    times = np.array([row[0] for row in rows], "datetime64[us]").astype(np.int64)
    values = np.array([np.nan if row[1] in {"NULL", "-9999", ""} else float(row[1]) for row in rows])
    often = -(-n // len(rows))
    length = times[-1] - times[0] + 900_000_000
    return np.tile(values, often)[:n], np.concatenate([times + k * length for k in range(often)])[:n]


def best(repeat, work):
    took = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


def ours(values, times, tests, repeat):
    from nilometer.qc import check, load  # noqa: PLC0415 -- the first import is timed elsewhere

    profile = load({"tests": tests})
    return best(repeat, lambda: check(values, profile, times)) / len(values)


def copied(values, times, columns, repeat):
    """Return the time a row of copying what is read and what is written (flags of each test, the roll-up).

    Into arrays that are there, and into new ones, as a result is.
    """
    n = len(values)
    sources = [values, times, np.ones((columns, n), np.int8), np.ones(n, np.int8)]
    targets = [np.ones_like(source) for source in sources]

    def copy():
        for target, source in zip(targets, sources, strict=True):
            target[:] = source

    repeat = max(repeat, 5)
    return best(repeat, copy) / n, best(repeat, lambda: [source.copy() for source in sources]) / n


def by_ioos_qc(values, times):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ioos_qc import qartod  # noqa: PLC0415 -- slow to import

        stamps = times.view("datetime64[us]")
        start = time.perf_counter()
        qartod.gross_range_test(values, (-5, 50), (-1, 40))
        qartod.spike_test(values, 3, 5)
        qartod.rate_of_change_test(values, stamps, 20 / 3600)
        qartod.flat_line_test(values, stamps, 3600, 10800, 0.001)
        return (time.perf_counter() - start) / len(values)


def by_pecos(values, times):
    try:
        import pandas as pd  # noqa: PLC0415 -- the peer may be absent
        import pecos  # noqa: PLC0415 -- the same
    except ImportError as error:
        return f"not installed ({error})"
    step = int(np.median(np.diff(times[:1000]))) / 1e6
    frame = pd.DataFrame({"x": values}, index=pd.to_datetime(times, unit="us"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        monitor = pecos.monitoring.PerformanceMonitoring()
        monitor.add_dataframe(frame)
        for low, high in ((-1, 40), (-5, 50)):
            monitor.check_range([low, high], "x")
        for deviations in (3, 5):
            monitor.check_outlier([None, deviations], window=60 * step, key="x", absolute_value=True)
        monitor.check_increment([None, 20 / 3600 * step], "x")
        for window in (3600, 10800):
            monitor.check_delta([0.001, None], window=window, key="x")
        return (time.perf_counter() - start) / len(values)


def saqc_python(folder):
    """Return the interpreter of SaQC's own environment, made when it is not there, or why there is none."""
    python = folder / "bin" / "python"
    if not python.is_file():
        print(f"making an environment for SaQC in {folder}", flush=True)
        venv.create(folder, with_pip=True)
        done = subprocess.run(
            [python, "-m", "pip", "install", "-q", f"saqc=={SAQC}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"SaQC {SAQC} cannot be installed: {done.stderr.strip().splitlines()[-1:]}"
    return python


def by_saqc(python, values, times):
    if isinstance(python, str):
        return python
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "held.npz"
        np.savez(held, values=values, times=times)
        done = subprocess.run([python, "-c", SAQC_CODE, held], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1]}"
    return float(done.stdout) / len(values)


def beside_copies(name, values, times, tests, repeat):
    """Print what judging costs and what copying costs; return the first."""
    n = len(values)
    mine = ours(values, times, tests, repeat)
    print(f"  {name:24s} {n:>10,} rows {mine * 1e9:>10,.1f} ns/row")
    kinds = ("copied", "copied to new arrays")
    for kind, took in zip(kinds, copied(values, times, len(tests), repeat), strict=True):
        print(f"  {kind:24s} {n:>10,} rows {took * 1e9:>10,.1f} ns/row   nilometer takes {mine / took:.2f} x")
    return mine


def peers(name, values, times, given, python):
    print(f"{name}: gross range, spike, rate of change, flat line")
    mine = beside_copies("nilometer", values, times, FOUR, given.repeat)
    for peer, work, most in (
        ("ioos_qc", by_ioos_qc, given.peer_rows),
        (f"SaQC {SAQC}", lambda *held: by_saqc(python, *held), given.saqc_rows),
        ("pecos", by_pecos, given.pecos_rows),
    ):
        rows = min(most, len(values))
        took = work(values[:rows], times[:rows])
        if isinstance(took, str):
            print(f"  {peer:24s} skipped: {took}")
            continue
        print(f"  {peer:24s} {rows:>10,} rows {took * 1e9:>10,.1f} ns/row   {took / mine:>8,.0f} x nilometer")
    print(f"{name}: {', '.join(SUITE)}")
    beside_copies("nilometer", values, times, SUITE, given.repeat)
    print(flush=True)


def ready():
    """Print how long the first call takes: compiled, and from the cache."""
    with tempfile.TemporaryDirectory() as cache:
        for name in ("compiled", "from the cache"):
            done = subprocess.run(
                [sys.executable, "-c", READY_CODE],
                capture_output=True, text=True, check=True, env=os.environ | {"NUMBA_CACHE_DIR": cache},
            )  # fmt: skip
            print(f"import and first call, kernel {name}: {sum(map(float, done.stdout.split())):.1f} s", flush=True)


def memory(values, times, peer_rows):
    """Print the memory that judging takes beyond the input: at its peak, and the flags of it."""
    print("\nmemory beyond the input, bytes a row (peak, and the flags that come back)")
    jobs = [("nilometer, 4 tests", FOUR, len(values)), (f"nilometer, {len(SUITE)} tests", SUITE, len(values))]
    for name, tests, rows in [*jobs, ("ioos_qc, 4 tests", {}, min(peer_rows, len(values)))]:
        with tempfile.TemporaryDirectory() as folder:
            held = [Path(folder) / "values.npy", Path(folder) / "times.npy"]
            np.save(held[0], values[:rows])
            np.save(held[1], times[:rows])
            words = [sys.executable, "-c", MEMORY_CODE, *held, json.dumps(tests)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
        peak, flags = map(int, done.stdout.split())
        print(f"  {name:24s} {rows:>10,} rows {peak / rows:>8.1f} {flags / rows:>8.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--peer-rows", type=int, default=500_000, help="for ioos_qc: 5 million take a minute")
    parser.add_argument("--saqc-rows", type=int, default=100_000)
    parser.add_argument("--pecos-rows", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    data = Path(os.environ.get("NILOMETER_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--saqc", type=Path, default=Path(tempfile.gettempdir()) / "nilometer-saqc")
    given = parser.parse_args()
    ready()
    print()
    python = saqc_python(given.saqc)
    series = made(given.rows)
    peers("made series", *series, given, python)
    real = tiled(given.data, given.rows)
    if real is None:
        print(f"real series: skipped, there are no recordings in {given.data}")
    else:
        peers("Logan River, tiled", *real, given, python)
    memory(*series, given.peer_rows)


if __name__ == "__main__":
    main()
