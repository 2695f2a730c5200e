"""Waves: spectra beside scipy.signal.welch, counted waves beside oceanlyz; ratios of the same run.

    python benchmarks/measure_waves.py [--bursts 24] [--rounds 5]

Each burst is 34 minutes of 2 Hz, 4,096 values, as a buoy sends them each hour. Both make spectra of the same segments
(256 s, half overlapping, straight line taken out, Hann) and m0, m1, m2 of them; ours looks for gaps besides and gives
the spread. CPU seconds, the least of the rounds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from oceanlyz.oceanlyz.WaveZerocrossingFun import WaveZerocrossingFun
from scipy.signal import welch

from nilometer.derivation.wave_spectrum import spectrum
from nilometer.derivation.waves import waves

RATE, N = 2.0, 4096


def sea(rng: np.random.Generator) -> np.ndarray:
    f = np.fft.rfftfreq(N, 1.0 / RATE)[1:]
    density = 1.25 * 0.125**4 * f**-5 * np.exp(-1.25 * (0.125 / f) ** 4)
    lines = np.zeros(len(f) + 1, complex)
    lines[1:] = np.sqrt(density / (4 * f[0])) * (rng.normal(size=len(f)) + 1j * rng.normal(size=len(f))) * f[0] * N
    return np.fft.irfft(lines, N)


def ours(bursts: list[np.ndarray], when: np.ndarray) -> list[float]:
    return [spectrum(one, time=when).parameters().hm0 for one in bursts]


def theirs(bursts: list[np.ndarray]) -> list[float]:
    found = []
    for one in bursts:
        f, s = welch(one, RATE, nperseg=512, noverlap=256, detrend="linear")
        inside = (f >= 0.03) & (f <= 1.0)
        m0, m1, m2 = (np.sum(f[inside] ** n * s[inside]) * f[1] for n in range(3))
        found.append((4.0 * np.sqrt(m0), m0 / m1, np.sqrt(m0 / m2))[0])
    return found


def least(call, rounds: int):
    found = call()
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        call()
        spent.append(time.process_time() - begin)
    return min(spent), found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bursts", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    rng = np.random.default_rng(1)
    bursts = [sea(rng) for _ in range(asked.bursts)]
    when = np.arange(N) * 500_000
    values = N * asked.bursts
    a, hm0 = least(lambda: ours(bursts, when), asked.rounds)
    b, again = least(lambda: theirs(bursts), asked.rounds)
    say(f"spectra of {asked.bursts} bursts", values, a, "scipy", b)
    print(f"  Hm0 differ by {np.max(np.abs(np.array(hm0) - again)):.1e} m")
    long = np.concatenate([sea(rng) for _ in range(256)])
    times = np.arange(len(long)) * 500_000
    a, _ = least(lambda: spectrum(long, time=times), asked.rounds)
    b, _ = least(lambda: welch(long, RATE, nperseg=512, noverlap=256, detrend="linear"), asked.rounds)
    say(f"one spectrum of {len(long):,} values", len(long), a, "scipy", b)
    a, h13 = least(lambda: [waves(one, time=when, crossing="up").statistics().h13 for one in bursts], asked.rounds)
    b, again = least(lambda: [float(WaveZerocrossingFun(one.copy(), 2, N // 2, "off")[0]) for one in bursts], 1)
    say(f"counted waves of {asked.bursts} bursts", values, a, "oceanlyz", b)
    print(f"  H1/3 differ by {np.max(np.abs(np.array(h13) - again)):.3f} m at most")


def say(what: str, values: int, ours_s: float, peer: str, peer_s: float) -> None:
    rates = f"ours {values / ours_s / 1e6:.1f} M values/s, {peer} {values / peer_s / 1e6:.2f}"
    print(f"{what}: {rates}: ratio {peer_s / ours_s:.1f}")


if __name__ == "__main__":
    main()
