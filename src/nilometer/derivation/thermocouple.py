"""Thermocouples: temperature from a voltage and back, by the reference functions of the ITS-90.

A thermocouple measures a difference of temperatures, so the temperature of its cold junction is an input. The inverse
is not the approximate polynomial of the tables (which errs by up to 0.06 °C) but the reference function itself, turned
round at the nodes of a table, with its slope, and a cubic between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.derivation.function import Function, Input, function
from nilometer.derivation.thermocouple_reference import REFERENCES, Reference

__all__ = [
    "type_b",
    "type_b_voltage",
    "type_e",
    "type_e_voltage",
    "type_j",
    "type_j_voltage",
    "type_k",
    "type_k_voltage",
    "type_n",
    "type_n_voltage",
    "type_r",
    "type_r_voltage",
    "type_s",
    "type_s_voltage",
    "type_t",
    "type_t_voltage",
]

_NODES: Final = 2048
_MAGNETIC: Final = (0.1185976, -0.1183432e-3, 126.9686)  # type K above 0 °C: a0·exp(a1·(t - a2)²)
_SOURCE: Final = "NIST Monograph 175 (1993), Temperature-Electromotive Force Reference Functions"


@njit(inline="always", error_model="numpy")
def _polynomial(coefficients: tuple[float, ...], t: float) -> float:
    value = 0.0
    for coefficient in coefficients:
        value = value * t + coefficient
    return value


def _forward(kind: str) -> Callable[[float], float]:
    """Return E(t) of one type, compiled."""
    known = REFERENCES[kind]
    second, third = known.limits
    low, middle, high = known.segments
    is_magnetic = kind == "K"

    @njit(error_model="numpy")
    def forward(t: float) -> float:
        if t < second:
            return _polynomial(low, t)
        value = _polynomial(middle, t) if t < third or second == third else _polynomial(high, t)
        if is_magnetic:
            off = t - _MAGNETIC[2]
            value += _MAGNETIC[0] * math.exp(_MAGNETIC[1] * off * off)
        return value

    made: Callable[[float], float] = forward
    return made


def _emf(kind: str, t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return E(t) and its slope of an array."""
    known = REFERENCES[kind]
    conditions = [t < known.limits[0], t < known.limits[1]]
    polynomials = [np.poly1d(segment) for segment in known.segments]
    value = np.select(conditions, [polynomials[0](t), polynomials[1](t)], polynomials[2](t))
    slope = np.select(
        conditions, [polynomials[0].deriv()(t), polynomials[1].deriv()(t)], polynomials[2].deriv()(t)
    )  # fmt: skip
    if kind == "K":
        off = t - _MAGNETIC[2]
        magnetic = np.where(t >= 0.0, _MAGNETIC[0] * np.exp(_MAGNETIC[1] * off**2), 0.0)
        value, slope = value + magnetic, slope + 2.0 * _MAGNETIC[1] * off * magnetic
    return value, slope


def _inverse(kind: str) -> tuple[float, float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest voltage, nodes a millivolt, and at each node the temperature and its change to the next."""
    known = REFERENCES[kind]
    coarse = np.linspace(known.inverse_low, known.high, 8 * _NODES)
    emf = _emf(kind, coarse)[0]
    nodes = np.linspace(emf[0], emf[-1], _NODES)
    t = np.interp(nodes, emf, coarse)
    for _ in range(3):
        value, slope = _emf(kind, t)
        t = t + (nodes - value) / slope
    step = float(nodes[1] - nodes[0])
    return float(nodes[0]), 1.0 / step, t, step / _emf(kind, t)[1]


def _document(body: Callable[..., Any], text: str, **words: object) -> None:
    body.__doc__ = text.format(source=_SOURCE, kind_lower=str(words["kind"]).lower(), **words)


def _voltage(kind: str, example: float, expected: float) -> Function:
    known = REFERENCES[kind]
    forward = _forward(kind)

    @_named(f"type_{kind.lower()}_voltage")
    def body(temperature: float, cold_junction: float = 0.0) -> float:
        emf = forward(temperature)
        if cold_junction != 0.0:
            emf -= forward(cold_junction)
        return emf

    _document(body, _VOLTAGE, kind=kind, known=known, cold=_cold(known), example=example, expected=expected)
    return function(
        temperature=Input("degree_Celsius", known.low, known.high, typical=400.0 if known.high > 500 else 80.0),
        cold_junction=_cold(known),
        unit="mV",
    )(body)


def _temperature(kind: str, example: float, expected: float) -> Function:
    known = REFERENCES[kind]
    forward = _forward(kind)
    lowest, per_mv, at, change = _inverse(kind)
    highest = lowest + (_NODES - 1) / per_mv
    joint = int(np.searchsorted(at, known.limits[0])) - 1  # a cubic does not bend where one segment meets the next
    span = abs(float(_emf(kind, np.array([_cold(known).high]))[0][0])) + 0.3

    @_named(f"type_{kind.lower()}")
    def body(voltage: float, cold_junction: float = 0.0) -> float:
        emf = voltage
        if cold_junction != 0.0:
            emf += forward(cold_junction)
        place = (emf - lowest) * per_mv
        if not -1e-6 <= place <= _NODES - 1 + 1e-6:
            return np.nan
        k = min(max(int(place), 0), _NODES - 2)
        x = place - k
        whole = at[k + 1] - at[k]
        left, right = change[k] - whole, whole - change[k + 1]
        t = at[k] + x * (whole + (1.0 - x) * (left * (1.0 - x) + right * x))
        if k == joint:
            for _ in range(2):
                t += (emf - forward(t)) * whole * per_mv
        return t

    _document(body, _TEMPERATURE, kind=kind, known=known, cold=_cold(known), low=round(lowest, 3),
              high=round(highest, 3), example=example, expected=expected)  # fmt: skip
    return function(
        voltage=Input("mV", math.floor((lowest - span) * 10) / 10, math.ceil(highest * 10) / 10, typical=example),
        cold_junction=_cold(known),
        unit="degree_Celsius",
    )(body)


def _cold(known: Reference) -> Input:
    return Input("degree_Celsius", max(known.low, -40.0), 125.0, default=0.0, typical=23.0)


def _named(name: str) -> Callable[[Callable[..., float]], Callable[..., float]]:
    def renamed(body: Callable[..., float]) -> Callable[..., float]:
        body.__name__ = name
        return body

    return renamed


_VOLTAGE: Final = """Return the voltage of a type {kind} thermocouple ({known.metals}).

Parameters
----------
temperature : array_like, shape (n,)
    Of the measuring junction (ITS-90), degree_Celsius, {known.low:g} to {known.high:g}.
cold_junction : array_like, shape (n,)
    Of the reference junction, degree_Celsius, {cold.low:g} to 125; left out: 0.

Returns
-------
array_like, shape (n,)
    mV. NaN where an input is NaN or out of range.

References
----------
{source}, type {kind} (NIST SRD 60, IEC 60584-1).

Examples
--------
>>> float(type_{kind_lower}_voltage({example}).round(3))
{expected}
"""

_TEMPERATURE: Final = """Return the temperature of a type {kind} thermocouple ({known.metals}).

Parameters
----------
voltage : array_like, shape (n,)
    Between the legs, mV; together with that of the cold junction {low:g} to {high:g} ({known.inverse_low:g} to
    {known.high:g} °C).
cold_junction : array_like, shape (n,)
    Of the reference junction, degree_Celsius, {cold.low:g} to 125; left out: 0.

Returns
-------
array_like, shape (n,)
    degree_Celsius (ITS-90); the reference function turned round, to better than 1e-5. NaN where an input is NaN or out
    of range, and where the two together are.

References
----------
{source}, type {kind} (NIST SRD 60, IEC 60584-1).

Examples
--------
>>> float(type_{kind_lower}({example}).round(1))
{expected}
"""

type_b = _temperature("B", 5.780, 1100.0)
type_b_voltage = _voltage("B", 1100.0, 5.78)
type_e = _temperature("E", 6.319, 100.0)
type_e_voltage = _voltage("E", 100.0, 6.319)
type_j = _temperature("J", 5.269, 100.0)
type_j_voltage = _voltage("J", 100.0, 5.269)
type_k = _temperature("K", 4.096, 100.0)
type_k_voltage = _voltage("K", 100.0, 4.096)
type_n = _temperature("N", 2.774, 100.0)
type_n_voltage = _voltage("N", 100.0, 2.774)
type_r = _temperature("R", 10.506, 1000.0)
type_r_voltage = _voltage("R", 1000.0, 10.506)
type_s = _temperature("S", 9.587, 1000.0)
type_s_voltage = _voltage("S", 1000.0, 9.587)
type_t = _temperature("T", 4.279, 100.0)
type_t_voltage = _voltage("T", 100.0, 4.279)
