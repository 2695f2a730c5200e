"""A rating fitted with its uncertainty and applied to ten years of ten-minute stages; and the same by `ratingcurve`.

    python benchmarks/measure_rating.py [--gaugings 60] [--peer PYTHON]

The gaugings are made from a curve of two segments that is known, with a scatter of 4 % and standard uncertainties of 3
% beside; so the error of a fit is known too (root mean square of ln Q over the gauged range). Ours: numbers of segments
from one to three are tried, the best is taken, and every stage gets its discharge, both parts of its uncertainty and
the 95 % interval. The peer (USGS `ratingcurve`, on PyMC) is run by PYTHON, an interpreter that has it, in the same run
with the same gaugings: two segments, its default method (ADVI); its table, by its own function, is read off by straight
lines for every stage. What is compiled is compiled before the clock runs, for both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time

import numpy as np

from nilometer.derivation.flow_volume import volumes
from nilometer.derivation.rating_fit import fit

ROWS = 10 * 365 * 144 + 2 * 144
LOW, BREAK, HIGH = 0.2, 1.4, 4.0
PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np
from ratingcurve.ratings import PowerLawRating
data = json.load(sys.stdin)
h, q, u, stages = (np.array(data[name]) for name in ("stage", "discharge", "uncertainty", "stages"))
def run(iterations=None):
    rating = PowerLawRating(segments=2)
    rating.fit(h=h, q=q, q_sigma=u, progressbar=False, **({} if iterations is None else {"n": iterations}))
    return rating.table()
run(100)
begin = time.perf_counter()
table = run()
fitted = time.perf_counter() - begin
columns = {name: np.interp(stages, table["stage"], table[name]) for name in ("median", "gse")}
whole = time.perf_counter() - begin
grid = np.array(data["grid"])
print(json.dumps({"fit": fitted, "whole": whole, "curve": np.interp(grid, table["stage"], table["median"]).tolist()}))
"""


def truth(stage):
    lower = 6.0 * stage**1.5
    upper = 6.0 * BREAK**1.5 * (np.maximum(stage - 0.8, 0.0) / (BREAK - 0.8)) ** (5 / 3)
    return np.where(stage < BREAK, lower, upper)


def seconds(work, clock=time.perf_counter):
    begin = clock()
    result = work()
    return clock() - begin, result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gaugings", type=int, default=60)
    parser.add_argument("--peer", help="an interpreter that has ratingcurve")
    options = parser.parse_args()
    random = np.random.default_rng(11)
    stage = np.sort(LOW + (HIGH - LOW) * random.random(options.gaugings) ** 1.8)
    discharge = truth(stage) * np.exp(0.05 * random.standard_normal(options.gaugings))
    uncertainty = 0.03 * discharge
    times = np.arange(ROWS) * 600_000_000
    season = 1.6 + 1.2 * np.sin(2 * np.pi * np.arange(ROWS) / (365.25 * 144)) + 0.3 * np.sin(np.arange(ROWS) / 300)
    stages = np.clip(season + 0.05 * random.standard_normal(ROWS), stage[0], stage[-1])
    grid = np.linspace(stage[0], stage[-1], 200)

    warm = fit(stage, discharge, uncertainty, segments=1)
    warm.curve.discharge(stages[:1000], 0.003)
    warm.curve(stages[:1000])
    volumes(warm.curve, stages[:1000], times[:1000])

    took_fit, made = seconds(lambda: fit(stage, discharge, uncertainty))
    took_band, found = seconds(lambda: made.curve.discharge(stages, 0.003))
    ours = took_fit + took_band
    error = np.sqrt(np.mean(np.log(made.curve.flow(grid) / truth(grid)) ** 2))
    print(f"ours: fit {took_fit:.2f} s ({len(made.curve.offset)} segments, of 1 to 3 tried), {ROWS:,} discharges with "
          f"their uncertainty {took_band:.2f} s: {ours:.2f} s; error of the curve {100 * error:.2f} %")  # fmt: skip
    assert np.isfinite(found.upper).all()
    took_volume, days = seconds(lambda: volumes(made.curve, stages, times, period="day"))
    print(f"ours: {len(days.volume):,} daily volumes with their uncertainty {took_volume:.2f} s")
    many = np.tile(stages, 10)
    out = np.empty_like(many)
    best = min(seconds(lambda: made.curve(many), time.process_time)[0] for _ in range(5))
    copying = min(seconds(lambda: np.copyto(out, many), time.process_time)[0] for _ in range(5))
    print(
        f"ours: curve alone {len(many) / best / 1e6:.0f} M values/s of one core, copying them "
        f"{len(many) / copying / 1e6:.0f} M/s"
    )

    if options.peer is None:
        return
    given = {"stage": stage.tolist(), "discharge": discharge.tolist(), "uncertainty": uncertainty.tolist(),
             "stages": stages.tolist(), "grid": grid.tolist()}  # fmt: skip
    called = subprocess.run(
        [options.peer, "-c", PEER], input=json.dumps(given), capture_output=True, text=True, timeout=420, check=False
    )
    if called.returncode:
        print(f"peer: failed: {called.stderr.strip().splitlines()[-1]}")
        return
    theirs = json.loads(called.stdout.strip().splitlines()[-1])
    curve = np.array(theirs["curve"])
    error = np.sqrt(np.nanmean(np.log(curve / truth(grid)) ** 2))
    print(f"ratingcurve: fit {theirs['fit']:.2f} s (2 segments told), with {ROWS:,} discharges "
          f"{theirs['whole']:.2f} s; "
          f"error of the curve {100 * error:.2f} %")  # fmt: skip
    print(f"ratio: {theirs['whole'] / ours:.1f}")


if __name__ == "__main__":
    main()
