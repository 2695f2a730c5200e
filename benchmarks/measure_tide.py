"""Tides: analysis of a year and of 19 years of hours, and prediction, beside utide; ratios of the same run.

    python benchmarks/measure_tide.py [--rounds 3] [--data ../shared/data]

Levels are those of Vlissingen, 1976 to 1994, where the recordings are; else a made tide with noise. Both find the same
constituents (those that both know), by ordinary least squares with linear uncertainties under coloured noise, nodal
factors at each time (utide's nodal=True with exact, not linearised, times). Times are of CPU seconds, the least of the
rounds, the first of which (compiling) is not counted.
"""

from __future__ import annotations

import argparse
import gzip
import re
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import utide

from nilometer.derivation import tide, tide_analysis

HOUR_US = 3_600_000_000
_COMMON = (
    "M2 S2 N2 K2 K1 O1 P1 Q1 M4 MS4 MN4 MK4 S4 MU2 NU2 2N2 L2 T2 LAMBDA2 M6 2MS6 2MN6 MSK6 2SM6 2MK6 M3 MO3 SO3 MK3 "
    "SK3 J1 OO1 M8 MF MM MSF SSA SA MSN2 MKS2 2MK5 2SK5 SN4 SK4 R2 S1 PI1 PSI1 PHI1 CHI1 EPS2 ETA2 SO1 2Q1 RHO1 SIGMA1"
)
COMMON = _COMMON.split()
OF_UTIDE = {"LAMBDA2": "LDA2", "SIGMA1": "SIG1"}


def vlissingen(data: Path) -> tuple[np.ndarray, np.ndarray]:
    file = data / "level" / "rws" / "VLISSGN_obs19.txt.gz"
    first = np.datetime64("1976-01-01", "us").view(np.int64) - HOUR_US
    if file.exists():
        text = gzip.decompress(file.read_bytes()).decode().split("[WRD]")[1]
        level = np.array([float(level) for level in re.findall(r"(-?\d+)/\d+:", text)]) / 100.0
        return first + np.arange(len(level)) * HOUR_US, level
    when = first + np.arange(166_560) * HOUR_US
    made = tide.HarmonicConstants(["M2", "S2", "N2", "K1", "O1"], [1.75, 0.48, 0.28, 0.07, 0.1], [59, 118, 35, 11, 192])
    return when, tide.predict(made, when) + np.random.default_rng(1).normal(0.0, 0.2, len(when))


def least(call, rounds: int) -> tuple[float, object]:
    call()
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        found = call()
        spent.append(time.process_time() - begin)
    return min(spent), found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    every, level = vlissingen(asked.data)
    peers_names = [OF_UTIDE.get(name, name) for name in COMMON]
    for label, n, robust in (("1 year", 8766, False), ("1 year, robust", 8766, True), ("19 years", len(every), False)):
        when, y = every[:n], level[:n]
        # utide 0.4.0 takes arrays of datetime64.
        theirs_time = when.view("datetime64[us]")
        ours, found = least(
            partial(tide_analysis.analyse, y, time=when, constituents=COMMON, robust=robust),
            asked.rounds,
        )
        settings = {
            "lat": 51.44,
            "constit": peers_names,
            "method": "robust" if robust else "ols",
            "conf_int": "linear",
            "trend": False,
            "nodal": True,
            "epoch": None,
            "verbose": False,
        }
        settings["phase"] = "Greenwich"
        theirs, coef = least(partial(utide.solve, theirs_time, y, **settings), 1)
        m2 = list(coef.name).index("M2")
        print(
            f"analysis of {label}, {n:,} hours, {len(COMMON)} constituents: ours {ours:.3f} s, utide {theirs:.3f} s, "
        )
        print(f"  {theirs / ours:.1f} times as fast; M2 {found.constants['M2']} and {coef.A[m2], coef.g[m2]}")
        ours, level_ours = least(partial(tide.predict, found.constants, when), asked.rounds)
        theirs, again = least(partial(utide.reconstruct, theirs_time, coef, verbose=False, min_SNR=0), 1)
        off = np.sqrt(np.mean((level_ours - again.h) ** 2))
        print(
            f"prediction of {label}: ours {ours:.4f} s ({n * len(COMMON) / ours / 1e6:.0f} M vectors/s), "
            f"utide {theirs:.3f} s, {theirs / ours:.0f} times as fast; they differ by {100 * off:.2f} cm rms"
        )


if __name__ == "__main__":
    main()
