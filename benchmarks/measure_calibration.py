"""Rows per second of the calibration kernel, form by form, against NumPy expressions that give the same numbers.

Both give value and standard uncertainty, rounded as design section 6 says (u to two digits, the result to a power of
ten ≤ u/100); NumPy without that rounding is shown beside. One Datastream, one thread, best of several runs in one
process; seconds are of its CPU, for other work on the machine moves the rest.

    python benchmarks/measure_calibration.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from nilometer.calibration import Calibration, CalibrationTable
from nilometer.calibration.forms import IDEAL_SLOPE
from nilometer.model.batch import ObservationBatch

K = {"covariance": ((1e-4, 0.0), (0.0, 1e-6)), "residual_uncertainty": 0.02, "reading_uncertainty": 0.003}
TEMPERATURE = {"temperature": 18.0, "temperature_uncertainty": 0.1}
POINTS = tuple((3.0 * k, 3.1 * k, 0.01) for k in range(11))
Pair = tuple[np.ndarray, np.ndarray]


def total(variance: np.ndarray | float, slope: np.ndarray | float, warm: np.ndarray | float = 0.0) -> np.ndarray:
    return np.sqrt(variance + 0.02**2 + (slope * 0.003) ** 2 + (warm * 0.1) ** 2)


def line(x: np.ndarray) -> Pair:
    return 0.12 + 0.998 * x, total(1e-4 + x * x * 1e-6, 0.998)


def parabola(x: np.ndarray) -> Pair:
    square = x * x
    return 0.12 + 0.998 * x + 0.01 * square, total(1e-4 + square * 1e-6 + square * square * 1e-8, 0.998 + 0.02 * x)


def nernst(x: np.ndarray) -> Pair:
    steep = -0.98 * IDEAL_SLOPE * 291.15
    away = (x - 0.12) / steep
    return 7.0 + away, total(1e-4 / steep**2 + (away / 98.0) ** 2 * 1e-6, 1 / steep, away / 291.15)


def ion(x: np.ndarray) -> Pair:
    steep = 59.0 * 291.15 / 298.15
    away = (x - 0.12) / steep
    y = 10.0**away
    grown = y * np.log(10.0)
    variance = (1e-4 / steep**2 + (away / 59.0) ** 2 * 1e-6) * grown * grown
    return y, total(variance, grown / steep, away / 291.15 * grown)


def light(x: np.ndarray) -> Pair:
    tangent, zero = np.tan(np.radians(x)), np.tan(np.radians(50.0))
    r, k = tangent / zero, 0.01
    y = (1 / r - 1) / k
    by_r = -1 / (k * r * r)
    by_zero = -by_r * r / zero * np.radians(1.0) * (1 + zero * zero)
    variance = by_zero**2 * 1e-4 + (y / k) ** 2 * 1e-6
    return y, total(variance, by_r * (1 + tangent * tangent) * np.radians(1.0) / zero)


def table(x: np.ndarray) -> Pair:
    readings, quantities, spreads = (np.array(column) for column in zip(*POINTS, strict=True))
    at = np.clip(np.searchsorted(readings, x, "right") - 1, 0, len(readings) - 2)
    slope = np.diff(quantities)[at] / np.diff(readings)[at]
    return np.interp(x, readings, quantities), total(np.interp(x, readings, spreads) ** 2, slope)


FORMS: dict[str, tuple[Calibration, Callable[[np.ndarray], Pair]]] = {
    "line": (Calibration(kind="polynomial", coefficients=(0.12, 0.998), **K), line),
    "parabola": (
        Calibration(
            kind="polynomial",
            coefficients=(0.12, 0.998, 0.01),
            **K | {"covariance": tuple(map(tuple, np.diag([1e-4, 1e-6, 1e-8]).tolist()))},
        ),
        parabola,
    ),
    "table": (Calibration(kind="table", points=POINTS, residual_uncertainty=0.02, reading_uncertainty=0.003), table),
    "nernst": (Calibration(kind="nernst", coefficients=(0.12, 98.0), **K, **TEMPERATURE), nernst),
    "ise": (Calibration(kind="ise", coefficients=(0.12, 59.0), **K, **TEMPERATURE), ion),
    "stern_volmer": (Calibration(kind="stern_volmer", coefficients=(50.0, 0.01), signal="phase", **K), light),
}


def rounded(y: np.ndarray, u: np.ndarray) -> Pair:
    first = 10.0 ** (np.floor(np.log10(u)) - 1)
    u = np.rint(u / first) * first
    last = 10.0 ** (np.floor(np.log10(u)) - 2)
    return np.rint(y / last) * last, u


def best(run: Callable[[], object], times: int = 25) -> float:
    found = []
    for _ in range(times):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    # Ten minutes apart, a day up and down with some noise, as a sensor in a river reads.
    day = np.sin(np.arange(rows) * (2 * np.pi / 144))
    x = np.clip(15 + 12 * day + np.random.default_rng(1).normal(0, 0.5, rows), 1, 29)
    batch = ObservationBatch(
        datastream=np.zeros(rows, np.int32), phenomenon_time=np.arange(rows, dtype=np.int64), raw_result=x
    )
    print(f"{rows:,} rows · million rows a second")
    print(f"{'form':<14}{'ours':>8}{'NumPy':>8}{'ratio':>8}{'NumPy, not rounded':>20}")
    for name, (item, expression) in FORMS.items():
        calibrations = CalibrationTable({0: [item]})
        calibrations.apply(batch)
        y, u = expression(x)
        assert np.allclose(batch.result_uncertainty, u, rtol=0.051), name
        assert np.allclose(batch.result, y, rtol=0, atol=0.0051 * u.max()), name
        ours = best(lambda table=calibrations: table.apply(batch))
        theirs = best(lambda made=expression: rounded(*made(x)))
        plain = best(lambda made=expression: made(x))
        speeds = [rows / spent / 1e6 for spent in (ours, theirs, plain)]
        print(f"{name:<14}{speeds[0]:>8.1f}{speeds[1]:>8.1f}{theirs / ours:>8.1f}{speeds[2]:>20.1f}")


if __name__ == "__main__":
    main()
