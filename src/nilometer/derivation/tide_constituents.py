"""The constituents of tides: their arguments as multiples of six angles, their speeds, and what the node does to them.

Harmonic ones are rows of a table; shallow-water ones are written as sums of these, and have the sum's argument and u
and the product's f.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.tide_astronomy import longitudes, nodal_factors, rates
from nilometer.errors import near

__all__ = ["ORDER", "Constituent", "arguments", "canonical", "constituent", "names", "speeds"]

# name, multiples of T s h p p1, degrees, kind of f and u ("-": none): Schureman (1958), table 2, and the list of the
# International Hydrographic Organization's tidal committee. S1 and Sa have other phases elsewhere: see docs/tides.md.
_HARMONIC = """
SA      0  0  1  0  0    0 -
SSA     0  0  2  0  0    0 -
MSM     0  1 -2  1  0    0 Mm
MM      0  1  0 -1  0    0 Mm
MSF     0  2 -2  0  0    0 Mm
MF      0  2  0  0  0    0 Mf
MSTM    0  3 -2  1  0    0 Mf
MTM     0  3  0 -1  0    0 Mf
MSQM    0  4 -2  0  0    0 Mf
2Q1     1 -4  1  2  0   90 O1
SIGMA1  1 -4  3  0  0   90 O1
Q1      1 -3  1  1  0   90 O1
RHO1    1 -3  3 -1  0   90 O1
O1      1 -2  1  0  0   90 O1
TAU1    1 -2  3  0  0  -90 J1
M1C     1 -1  1  0  0    0 M1C
M1      1 -1  1  1  0  -90 M1
CHI1    1 -1  3 -1  0  -90 J1
PI1     1  0 -2  0  1   90 -
P1      1  0 -1  0  0   90 -
S1      1  0  0  0  0    0 -
K1      1  0  1  0  0  -90 K1
PSI1    1  0  2  0 -1  -90 -
PHI1    1  0  3  0  0  -90 -
THETA1  1  1 -1  1  0  -90 J1
J1      1  1  1 -1  0  -90 J1
OO1     1  2  1  0  0  -90 OO1
EPS2    2 -5  4  1  0    0 M2
2N2     2 -4  2  2  0    0 M2
MU2     2 -4  4  0  0    0 M2
N2      2 -3  2  1  0    0 M2
NU2     2 -3  4 -1  0    0 M2
M2      2 -2  2  0  0    0 M2
LAMBDA2 2 -1  0  1  0  180 M2
L2      2 -1  2 -1  0  180 L2
T2      2  0 -1  0  1    0 -
S2      2  0  0  0  0    0 -
R2      2  0  1  0 -1  180 -
K2      2  0  2  0  0    0 K2
ETA2    2  1  2 -1  0    0 ETA2
M3      3 -3  3  0  0    0 M3
S3      3  0  0  0  0    0 -
"""

_COMPOUND = """
SM=S2-M2 SN=S2-N2 2SM=2S2-2M2
MP1=M2-P1 NO1=N2-O1 SO1=S2-O1 KQ1=K2-Q1 2PO1=2P1-O1
OQ2=O1+Q1 OP2=O1+P1 3MKS2=3M2-K2-S2 3MS2=3M2-2S2 MNK2=M2+N2-K2 MNS2=M2+N2-S2 2ML2S2=2M2+L2-2S2 2MS2K2=2M2+S2-2K2
NLK2=N2+L2-K2 2MS2=2M2-S2 2MK2=2M2-K2 SNK2=S2+N2-K2 MSK2=M2+S2-K2 MPS2=M2+P1-S1 MSP2=M2-P1+S1 MKS2=M2+K2-S2
2MN2=2M2-N2 2SK2=2S2-K2 MSN2=M2+S2-N2 KJ2=K1+J1 MKN2=M2+K2-N2 2SM2=2S2-M2 SKM2=S2+K2-M2 2SN2=2S2-N2 SKN2=S2+K2-N2
MQ3=M2+Q1 NO3=N2+O1 MO3=M2+O1 2MK3=2M2-K1 2MP3=2M2-P1 SO3=S2+O1 MK3=M2+K1 2MQ3=2M2-Q1 SP3=S2+P1 SK3=S2+K1 K3=K2+K1
4MS4=4M2-2S2 2MNS4=2M2+N2-S2 3MK4=3M2-K2 MNLK4=M2+N2+L2-K2 3MS4=3M2-S2 MSNK4=M2+S2+N2-K2 N4=2N2 MN4=M2+N2
2MLS4=2M2+L2-S2 2MSK4=2M2+S2-K2 M4=2M2 2MKS4=2M2+K2-S2 SN4=S2+N2 3MN4=3M2-N2 2SMK4=2S2+M2-K2 MS4=M2+S2 MK4=M2+K2
2SNM4=2S2+N2-M2 2MSN4=2M2+S2-N2 SL4=S2+L2 S4=2S2 SK4=S2+K2 2SMN4=2S2+M2-N2 3SM4=3S2-M2
MNO5=M2+N2+O1 3MK5=3M2-K1 3MP5=3M2-P1 MNK5=M2+N2+K1 2MO5=2M2+O1 2MK5=2M2+K1 2MP5=2M2+P1 3MO5=3M2-O1 MSK5=M2+S2+K1
2SK5=2S2+K1 3KM5=3K1+M2
2(MN)S6=2M2+2N2-S2 3MNS6=3M2+N2-S2 2NM6=2N2+M2 4MS6=4M2-S2 2MN6=2M2+N2 2MNU6=2M2+NU2 3MSK6=3M2+S2-K2 M6=3M2
MSN6=M2+S2+N2 4MN6=4M2-N2 MNK6=M2+N2+K2 MKNU6=M2+K2+NU2 2MS6=2M2+S2 2MK6=2M2+K2 2SN6=2S2+N2 3MSN6=3M2+S2-N2
2SM6=2S2+M2 MSK6=M2+S2+K2 S6=3S2
2MNO7=2M2+N2+O1 2NMK7=2N2+M2+K1 M7=3M2+M1 2MSO7=2M2+S2+O1 3MK7=3M2+K1
2(MN)8=2M2+2N2 3MN8=3M2+N2 M8=4M2 2MSN8=2M2+S2+N2 2MNK8=2M2+N2+K2 3MS8=3M2+S2 3MK8=3M2+K2 2SNM8=2S2+N2+M2
MSNK8=M2+S2+N2+K2 2(MS)8=2M2+2S2 2MSK8=2M2+S2+K2 3SM8=3S2+M2 S8=4S2
2(MN)K9=2M2+2N2+K1 3MNK9=3M2+N2+K1 4MK9=4M2+K1 3MSK9=3M2+S2+K1
4MN10=4M2+N2 M10=5M2 3MSN10=3M2+S2+N2 4MS10=4M2+S2 2(MS)N10=2M2+2S2+N2 2MNSK10=2M2+N2+S2+K2 3M2S10=3M2+2S2
4MSK11=4M2+S2+K1
M12=6M2 4MSN12=4M2+S2+N2 5MS12=5M2+S2 4M2S12=4M2+2S2
"""

_ALIASES = {
    "LABDA2": "LAMBDA2", "LAM2": "LAMBDA2", "LDA2": "LAMBDA2", "LA2": "LAMBDA2", "RO1": "RHO1", "SIG1": "SIGMA1",
    "FI1": "PHI1", "THE1": "THETA1", "MFM": "MTM", "UPS1": "KQ1", "E2": "EPS2", "Z0": "A0",
}  # fmt: skip

_ORDER = """
M2 S2 K1 O1 N2 P1 K2 Q1 M4 SA MS4 MN4 NU2 MU2 2N2 L2 T2 LAMBDA2 MF MM SSA M6 2MS6 2MN6 J1 OO1 M3 MSF MK4 S4 RHO1
M1 SO1 2Q1 SIGMA1 MO3 MK3 SK3 SO3 SN4 M8 3MS8 2SM6 MSN6 2MK6 2SM2 MSN2 EPS2 2MN2 MNS2 ETA2 MKS2 MSK6 MTM PI1
PHI1 CHI1 THETA1 TAU1 S1 R2 PSI1 OQ2 3MS4 2MNS4 3MN4 2MSN4 2MP3 2MK3 NO3 3MNS6 4MS6 2NM6 3MSN6 MNO5 2MK5 3MO5
MSK5 2SK5 3MN8 2MSN8 2(MS)8 2MNK8 3MK8 4MS10 M10 3MSN10 3M2S10 4MN10 3MS2 SKM2 MSK2 2SK2 3MKS2 NLK2 2ML2S2 2MSK4
2MLS4 4MS4 2MNU6 3MSK6 MKNU6 2MP5 3MK5 3KM5 2(MN)8 2MSK8 M7 2MNO7 2MSO7 4MK9 3MSK9 3MNK9 2(MS)N10 4MSK11 M12
5MS12 4MSN12 4M2S12 KJ2 MSQM SN SM
"""
ORDER = tuple(_ORDER.split())
"""In what order an analysis takes constituents: after the tide-raising force, then as shallow seas make them."""


@dataclass(frozen=True, slots=True)
class Constituent:
    """One constituent.

    Parameters
    ----------
    name : str
        As the hydrographers write it.
    multiples : tuple of int
        Of T, s, h, p, p1.
    phase : float
        What is added to the argument, degree.
    kinds : tuple of (str, int)
        Kinds of f and u that it has, each with its multiple: f to the power of its size, u times it.
    """

    name: str
    multiples: tuple[int, ...]
    phase: float
    kinds: tuple[tuple[str, int], ...]


@cache
def _all() -> dict[str, Constituent]:
    found: dict[str, Constituent] = {}
    for line in _HARMONIC.strip().splitlines():
        name, *numbers, kind = line.split()
        *multiples, phase = (int(number) for number in numbers)
        found[name] = Constituent(name, tuple(multiples), float(phase), () if kind == "-" else ((kind, 1),))
    for entry in _COMPOUND.split():
        name, sum_ = entry.split("=")
        found[name] = _compound(name, sum_, found)
    return found


def _compound(name: str, sum_: str, known: dict[str, Constituent]) -> Constituent:
    multiples, phase, kinds = np.zeros(5, int), 0.0, []
    for sign, times, part in re.findall(r"([+-]?)(\d?)([A-Z]+\d)", sum_):
        factor = int(times or 1) * (-1 if sign == "-" else 1)
        of = known[part]
        multiples += factor * np.array(of.multiples)
        phase += factor * of.phase
        kinds += [(kind, factor * power) for kind, power in of.kinds]
    return Constituent(name, tuple(int(m) for m in multiples), phase, tuple(kinds))


def names() -> tuple[str, ...]:
    """Return the names of all constituents known, harmonic ones first."""
    return tuple(_all())


def canonical(name: str) -> str:
    """Return the name that a constituent has here.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> canonical("labda2"), canonical("SIG1")
    ('LAMBDA2', 'SIGMA1')
    """
    asked = name.strip().upper()
    asked = _ALIASES.get(asked, asked)
    if asked not in _all():
        raise ValueError(f"{name!r} is no constituent known here; did you mean {', '.join(near(asked, _all()))}?")
    return asked


def constituent(name: str) -> Constituent:
    """Return a constituent by any name of its.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> constituent("M4").multiples, constituent("M4").kinds
    ((4, -4, 4, 0, 0), (('M2', 2),))
    """
    return _all()[canonical(name)]


def speeds(wanted: Sequence[str], time_us: int = 946_728_000_000_000) -> NDArray[np.float64]:
    """Return how fast constituents turn.

    Parameters
    ----------
    wanted : sequence of str, length k
        Names.
    time_us : int
        When, µs since 1970 UTC (noon of 2000-01-01 unless given: they change by less than 1e-8 degree h-1 a century).

    Returns
    -------
    ndarray of float64, shape (k,)
        degree h-1.

    Raises
    ------
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> speeds(["M2", "K1"]).round(7).tolist()
    [28.9841042, 15.0410686]
    """
    multiples = np.array([constituent(name).multiples for name in wanted], float).reshape(-1, 5)
    every = rates(time_us)
    return np.asarray(multiples @ every[[0, 1, 2, 3, 5]], np.float64)


def arguments(
    wanted: Sequence[str], time_us: NDArray[np.int64], nodal_time_us: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return V, f and u of constituents at times.

    Parameters
    ----------
    wanted : sequence of str, length k
        Names.
    time_us : ndarray of int64, shape (n,)
        µs since 1970 UTC.
    nodal_time_us : ndarray of int64, shape (n,) or (1,), optional
        When f and u are those of; the times themselves unless given.

    Returns
    -------
    v, f, u : ndarray of float64, shape (k, n)
        Degree (V in 0 to 360), 1, degree.

    Raises
    ------
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> moment = np.array(["2019-07-02"], "datetime64[us]").view(np.int64)
    >>> v, f, u = arguments(["S2", "M2"], moment)
    >>> v[0].tolist(), f.round(3)[:, 0].tolist()
    ([0.0], [1.0, 1.012])
    """
    every = [constituent(name) for name in wanted]
    angles = longitudes(time_us)
    multiples = np.array([one.multiples for one in every], float).reshape(-1, 5)
    phases = np.array([one.phase for one in every])
    v = (multiples @ (angles[[0, 1, 2, 3, 5]] % 360.0) + phases[:, None]) % 360.0
    nodal = angles if nodal_time_us is None else longitudes(np.asarray(nodal_time_us, np.int64))
    factors = nodal_factors(nodal[4], nodal[3])
    f, u = np.ones_like(v), np.zeros_like(v)
    for row, one in enumerate(every):
        for kind, power in one.kinds:
            f[row] *= factors[kind][0] ** abs(power)
            u[row] += power * factors[kind][1]
    return v, f, u
