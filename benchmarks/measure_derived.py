"""Every derived quantity, values a second on one core, beside its peer where there is one.

    python benchmarks/measure_derived.py [--values 1000000] [--only oxygen] [--markdown]

Ours is the function as a user calls it, on arrays of float64: ranges are kept, NaN where it belongs. The peer is the
library that people use for that quantity (gsw, seawater, MetPy), else the equation as one would write it in NumPy; it
gets the same arrays and keeps no ranges. Both are the best of some runs in CPU time of this process, for other work on
the machine moves wall time. A quantity without a peer is measured alone. The aim is 50 million values a second or
the peer.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial

import gsw
import numpy as np

from nilometer.derivation.function import Function, functions

Peer = tuple[str, Callable[..., object]]
AIM = 50.0
_RUNS = 5


def numpy_peers() -> dict[str, Peer]:
    """Return what one would write in NumPy."""

    def solubility(t, s, p):
        k = t + 273.15
        at_one = np.exp(
            -139.34411 + 1.575701e5 / k - 6.642308e7 / k**2 + 1.2438e10 / k**3 - 8.621949e11 / k**4
            - s * (1.7674e-2 - 1.0754e1 / k + 2.1407e3 / k**2)
        )  # fmt: skip
        vapour = np.exp(11.8571 - 3840.70 / k - 216961.0 / k**2)
        theta = 0.000975 - 1.426e-5 * t + 6.436e-8 * t**2
        return at_one * p * (1 - vapour / p) * (1 - theta * p) / ((1 - vapour) * (1 - theta))

    def mackenzie(t, s, d):
        return (
            1448.96 + 4.591 * t - 5.304e-2 * t**2 + 2.374e-4 * t**3 + 1.34 * (s - 35) + 1.63e-2 * d + 1.675e-7 * d**2
            - 1.025e-2 * t * (s - 35) - 7.139e-13 * t * d**3
        )  # fmt: skip

    def tli(chlorophyll, phosphorus, nitrogen, secchi, permanganate):
        parts = [
            10 * (2.5 + 1.086 * np.log(chlorophyll)),
            10 * (9.436 + 1.624 * np.log(phosphorus)),
            10 * (5.453 + 1.694 * np.log(nitrogen)),
            10 * (5.118 - 1.94 * np.log(secchi)),
            10 * (0.109 + 2.661 * np.log(permanganate)),
        ]
        weights = np.array([1, 0.7056, 0.6724, 0.6889, 0.6889])
        return sum(weight * part for weight, part in zip(weights / weights.sum(), parts, strict=True))

    degrees = np.linspace(0.0, 36.0, 145)
    factors = np.asarray(functions()["conductivity.nonlinear_factor"](np.minimum(degrees, 35.9)))
    kelvin = np.linspace(-200.0, 850.0, 4097)
    ohms = np.asarray(functions()["thermometer.platinum_resistance"](kelvin))
    millivolts = {
        kind: np.asarray(functions()[f"thermocouple.type_{kind}_voltage"](np.linspace(-200.0, 400.0, 4097)))
        for kind in "ekt"
    }
    interpolated = {
        f"thermocouple.type_{kind}": (
            "np.interp, 4097 nodes",
            lambda v, c, e=emf: np.interp(v, e, np.linspace(-200.0, 400.0, 4097)) + c,
        )
        for kind, emf in millivolts.items()
    }
    return interpolated | {
        "oxygen.solubility": ("NumPy", solubility),
        "oxygen.saturation": ("NumPy", lambda o, t, s, p: 100 * o / solubility(t, s, p)),
        "conductivity.at_25": ("np.interp", lambda k, t: k * np.interp(t, degrees, factors)),
        "conductivity.at_25_linear": ("NumPy", lambda k, t, a: k / (1 + a * (t - 25))),
        "ammonia.fraction": ("NumPy", lambda ph, t: 100 / (1 + 10 ** (0.09018 + 2729.92 / (t + 273.15) - ph))),
        "ph.from_potential": ("NumPy", lambda e, t, o, s: 7 - (e - o) / (s / 100 * 0.1984159 * (t + 273.15))),
        "sound.mackenzie": ("NumPy", mackenzie),
        "thermometer.steinhart_hart": (
            "NumPy",
            lambda r, a, b, c: 1 / (a + b * np.log(r) + c * np.log(r) ** 3) - 273.15,
        ),
        "thermometer.platinum": ("np.interp, 4097 nodes", lambda r, r0: np.interp(r / r0 * 100, ohms, kelvin)),
        "trophic.tli": ("NumPy", tli),
        "water_density.tanaka": (
            "NumPy",
            lambda t: 999.97495 * (1 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881))),
        ),
    }


def gsw_peers() -> dict[str, Peer]:
    names = {
        "absolute_salinity": "SA_from_SP",
        "adiabatic_lapse_rate": "adiabatic_lapse_rate_from_CT",
        "conductivity": "C_from_SP",
        "conservative_temperature": "CT_from_t",
        "density": "rho",
        "haline_contraction": "beta",
        "heat_capacity": "cp_t_exact",
        "potential_density_anomaly": "sigma0",
        "potential_temperature": "pt_from_t",
        "practical_salinity": "SP_from_C",
        "sound_speed": "sound_speed",
        "thermal_expansion": "alpha",
    }
    peers = {f"seawater.{ours}": (f"gsw.{theirs}", getattr(gsw, theirs)) for ours, theirs in names.items()}
    return peers | {
        "seawater.freezing_temperature": ("gsw.t_freezing", lambda sa, p: gsw.t_freezing(sa, p, 0.0)),
        "pressure.sea_depth": ("gsw.z_from_p", gsw.z_from_p),
        "pressure.sea_pressure": ("gsw.p_from_z", lambda d, lat: gsw.p_from_z(-d, lat)),
        "oxygen_seawater.solubility_teos10": ("gsw.O2sol_SP_pt", lambda t, s: gsw.O2sol_SP_pt(s, t)),
    }


def seawater_peers() -> dict[str, Peer]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import seawater as sw  # noqa: PLC0415 -- may not be installed
    except ImportError:
        return {}
    return {
        "eos80.adiabatic_lapse_rate": ("seawater.adtg", sw.adtg),
        "eos80.density": ("seawater.dens", sw.dens),
        "eos80.depth": ("seawater.dpth", sw.dpth),
        "eos80.freezing_point": ("seawater.fp", sw.fp),
        "eos80.heat_capacity": ("seawater.cp", sw.cp),
        "eos80.potential_temperature": ("seawater.ptmp", sw.ptmp),
        "eos80.sound_speed": ("seawater.svel", sw.svel),
        "pss78.salinity": ("seawater.salt", sw.salt),
    }


def metpy_peers() -> dict[str, Peer]:
    try:
        import metpy.calc as mp  # noqa: PLC0415 -- may not be installed
        from metpy.units import units as u  # noqa: PLC0415
    except ImportError:
        return {}
    c, hpa, percent = u.degC, u.hPa, u.percent
    return {
        "barometer.standard_altitude": ("MetPy", lambda p: mp.pressure_to_height_std(p * hpa)),
        "barometer.standard_pressure": ("MetPy", lambda h: mp.height_to_pressure_std(h * u.m)),
        "vapour.dew_point": ("MetPy", lambda t, h: mp.dewpoint_from_relative_humidity(u.Quantity(t, c), h * percent)),
        "vapour.magnus": ("MetPy", lambda t: mp.saturation_vapor_pressure(u.Quantity(t, c))),
        "vapour.relative_humidity": (
            "MetPy",
            lambda t, d: mp.relative_humidity_from_dewpoint(u.Quantity(t, c), u.Quantity(d, c)),
        ),
    }


def columns(function: Function, values: int) -> list[np.ndarray]:
    """Return values around the usual one of each input, in its range; an input that may be left out varies too."""
    rng = np.random.default_rng(1)
    made = []
    for known in function.inputs.values():
        reach = 0.3 * abs(known.typical) + 0.02 * known.scale
        low, high = max(known.low, known.typical - reach), min(known.high, known.typical + reach)
        made.append(rng.uniform(low, high, values))
    return made


def speed(call: Callable[[], object], values: int) -> float:
    """Return millions of values a second of CPU, the best of some runs."""
    call()
    best = min(timed(call) for _ in range(_RUNS))
    return values / best / 1e6


def timed(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return max(time.process_time() - began, 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="beginning of the names to measure")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    peers = numpy_peers() | gsw_peers() | seawater_peers() | metpy_peers()
    short = []
    if options.markdown:
        print("| function | M values/s | peer | M values/s | ratio |\n| --- | ---: | --- | ---: | ---: |")
    for name, function in sorted(functions().items.items()):
        if not name.startswith(options.only):
            continue
        given = columns(function, options.values)
        ours = speed(partial(function, *given), options.values)
        label, theirs = "", 0.0
        if name in peers:
            label, call = peers[name]
            theirs = speed(partial(call, *given), options.values)
        ratio = f"{ours / theirs:.2f}" if theirs else ""
        if ours < AIM and not (theirs and ours >= theirs):
            short.append(name)
        row = (f"`{name}`", f"{ours:.0f}", label, f"{theirs:.1f}" if theirs else "", ratio)
        print(
            "| " + " | ".join(row) + " |"
            if options.markdown
            else f"{name:42}{ours:8.1f}  {label:24}{row[3]:>8}{ratio:>8}"
        )
    print(f"\nbelow {AIM:.0f} M values/s and below the peer, or without one: {', '.join(short) or 'none'}")


if __name__ == "__main__":
    main()
