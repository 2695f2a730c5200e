"""Levels, tanks and flow structures: values a second of one core, beside the `fluids` package.

    python benchmarks/measure_level.py [--values 2000000] [--repeat 5]

Both compute the same quantity of the same levels in one process. `fluids` is called as its users do: with a loop over
scalars, of which as many are taken as fit into a second. Ours is the whole call: units, valid range, equation. The
results have to agree, or nothing is printed.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from fluids import geometry, open_flow

from nilometer.derivation import channel, flume, gate, hydrostatic, tank, ultrasonic, weir
from nilometer.derivation.tank_heads import Head, HorizontalTank, VerticalTank


def best(call, repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def peer_rate(scalar, levels: np.ndarray) -> tuple[float, np.ndarray]:
    found, start = [], time.process_time()
    for level in levels:
        found.append(scalar(float(level)))
        if time.process_time() - start > 1.0:
            break
    return len(found) / (time.process_time() - start), np.array(found)


def shen(h: float) -> float:
    # fluids 1.3.1 leaves the factor 8/15 √2 out, which makes it a third too much against ISO 1438.
    return 8.0 / 15.0 * 2.0**0.5 * open_flow.Q_weir_V_Shen(h, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--values", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    told = parser.parse_args()
    levels = np.random.default_rng(1).uniform(0.06, 0.58, told.values)
    lying = HorizontalTank(0.3, 5.0, Head("kloepper"), Head("kloepper")).as_function()
    standing = VerticalTank(0.3, 5.0, Head("kloepper")).as_function()
    jobs = [
        ("hydrostatic.absolute_level", lambda x: hydrostatic.absolute_level(100.0 + 9.8 * x, 101.0, 998.2), None),
        ("ultrasonic.flight_distance", lambda x: ultrasonic.flight_distance(20.0 * x, 12.0, -3.0), None),
        ("weir.v_notch_90", weir.v_notch_90, None),
        ("weir.v_notch (60°)", lambda x: weir.v_notch(x, 60.0), shen),
        (
            "weir.full_width",
            lambda x: weir.full_width(x, 2.0, 0.6),
            lambda h: open_flow.Q_weir_rectangular_full_Rehbock(h, 0.6, 2.0),
        ),
        ("weir.rectangular", lambda x: weir.rectangular(x, 1.0, 2.0, 0.6), None),
        ("flume.parshall", lambda x: flume.parshall(x, 0.6), None),
        ("flume.long_throated", lambda x: flume.long_throated(x, 0.4, 1.0, 1.2, 1.2), None),
        ("gate.sluice_gate", lambda x: gate.sluice_gate(2.0 + x, 0.3, 2.0), None),
        (
            "channel.manning_trapezoidal",
            lambda x: channel.manning_trapezoidal(x, 3.0, 0.001, 0.03, 1.5),
            lambda h: open_flow.V_Manning(h * (3 + 1.5 * h) / (3 + 2 * h * 3.25**0.5), 0.001, 0.03) * h * (3 + 1.5 * h),
        ),
        (
            "tank.horizontal_cylinder, 2:1 heads",
            lambda x: tank.horizontal_cylinder(x, 0.3, 5.0, 0.15, 0.15),
            lambda h: geometry.V_horiz_ellipsoidal(0.6, 5.0, 0.15, h),
        ),
        ("tank.sphere", lambda x: tank.sphere(x, 0.3), lambda h: geometry.V_partial_sphere(0.6, h)),
        ("tank_heads, lying, Kloepper", lying, lambda h: geometry.V_horiz_torispherical(0.6, 5.0, 1.0, 0.1, h)),
        ("tank_heads, standing, Kloepper", standing, lambda h: geometry.V_vertical_torispherical(0.6, 1.0, 0.1, h)),
    ]
    print(f"{told.values:,} values, float64, one core; M values/s\n")
    print(f"| {'quantity':36} | ours | fluids | ratio |\n|---|---|---|---|")
    for name, ours, scalar in jobs:
        result = ours(levels[:1000])
        rate = told.values / best(lambda ours=ours: ours(levels), told.repeat) / 1e6
        if scalar is None:
            print(f"| {name:36} | {rate:.1f} | | |")
            continue
        peer, values = peer_rate(scalar, levels[:1000] if told.values < 1000 else levels)
        same = min(len(values), 1000)
        np.testing.assert_allclose(result[:same], values[:same], rtol=0.02)
        print(f"| {name:36} | {rate:.1f} | {peer / 1e6:.4f} | {rate * 1e6 / peer:.0f} |")


if __name__ == "__main__":
    main()
