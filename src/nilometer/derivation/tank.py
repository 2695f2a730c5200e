"""Volume of liquid in a tank from its level, by the inner shape of the tank; mass, filling and ullage.

Shapes of a few numbers stand here as functions, so that the uncertainty of a radius goes into that of the volume.
Tanks with two different heads are in `tank_heads`, tanks that were measured out in `strapping`. A level below the
bottom or above the top has no volume.
"""

from __future__ import annotations

import math
from typing import Final

from numba import njit

from nilometer.derivation.function import Input, function

__all__ = [
    "filling",
    "frustum",
    "horizontal_cylinder",
    "inclined_cylinder",
    "mass",
    "prism",
    "segment",
    "segment_integral",
    "sphere",
    "ullage",
]

LEVEL: Final = Input("m", 0.0, 100.0, scale=0.5, typical=0.9)
RADIUS: Final = Input("m", 0.001, 100.0, scale=0.5, typical=1.2)
LENGTH: Final = Input("m", 0.001, 1_000.0, scale=1.0, typical=5.0)
VOLUME: Final = Input("m3", 0.0, 1e7, scale=1.0, typical=20.0)


@njit(error_model="numpy")
def segment(y: float, radius: float) -> float:
    """Return the area of a circle below a chord at height y over its centre."""
    if y <= -radius:
        return 0.0
    if y >= radius:
        return math.pi * radius * radius
    return radius * radius * math.acos(-y / radius) + y * math.sqrt((radius - y) * (radius + y))


@njit(error_model="numpy")
def segment_integral(y: float, radius: float) -> float:
    """Return the integral of `segment` by y, from below the circle."""
    if y <= -radius:
        return 0.0
    if y >= radius:
        return math.pi * radius * radius * y
    root = math.sqrt((radius - y) * (radius + y))
    return radius * radius * (y * math.acos(-y / radius) + root) - root * root * root / 3.0


@njit(error_model="numpy")
def _horizontal(level: float, radius: float, length: float, left: float, right: float) -> float:
    if level < 0.0 or level > 2.0 * radius:
        return math.nan
    heads = 0.5 * math.pi * (left + right) * level * level * (1.0 - level / (3.0 * radius))
    return length * segment(level - radius, radius) + heads


@function(
    level=LEVEL,
    radius=RADIUS,
    length=LENGTH,
    left_depth=Input("m", 0.0, 100.0, default=0.0, scale=0.5, typical=0.6),
    right_depth=Input("m", 0.0, 100.0, default=0.0, scale=0.5, typical=0.4),
    unit="m3",
)
def horizontal_cylinder(
    level: float, radius: float, length: float, left_depth: float = 0.0, right_depth: float = 0.0
) -> float:
    """Return the volume in a lying cylinder with flat, elliptical or hemispherical heads.

    Parameters
    ----------
    level : array_like, shape (n,)
        Over the lowest point, m, 0 to the diameter.
    radius : array_like, shape (n,)
        Inside, m, 0.001 to 100.
    length : array_like, shape (n,)
        Of the cylinder, without the heads, m, 0.001 to 1000.
    left_depth, right_depth : array_like, shape (n,)
        Of each head, m, 0 to 100: 0 is flat, half the radius a 2:1 ellipsoid, the radius a hemisphere.

    Returns
    -------
    array_like, shape (n,)
        m3. NaN where an input is NaN or out of range, or the level is above the diameter.

    References
    ----------
    Geometry: L (R² acos((R - h)/R) - (R - h) √(2Rh - h²)) + π a h² (1 - h/(3R)) / 2 of each head.

    Examples
    --------
    >>> float(horizontal_cylinder(1.0, 1.0, 5.0).round(6))
    7.853982
    """
    return _horizontal(level, radius, length, left_depth, right_depth)


@njit(error_model="numpy")
def _sphere(level: float, radius: float) -> float:
    if level < 0.0 or level > 2.0 * radius:
        return math.nan
    return math.pi * level * level * (radius - level / 3.0)


@function(level=LEVEL, radius=RADIUS, unit="m3")
def sphere(level: float, radius: float) -> float:
    """Return the volume in a sphere.

    Parameters
    ----------
    level : array_like, shape (n,)
        Over the lowest point, m, 0 to the diameter.
    radius : array_like, shape (n,)
        Inside, m, 0.001 to 100.

    Returns
    -------
    array_like, shape (n,)
        m3. NaN where an input is NaN or out of range, or the level is above the diameter.

    References
    ----------
    Geometry: π h² (3R - h) / 3.

    Examples
    --------
    >>> float(sphere(1.0, 1.0).round(6))
    2.094395
    """
    return _sphere(level, radius)


@njit(error_model="numpy")
def _frustum(level: float, bottom: float, top: float, height: float) -> float:
    if level < 0.0 or level > height:
        return math.nan
    here = bottom + (top - bottom) * level / height
    return math.pi * level * (bottom * bottom + bottom * here + here * here) / 3.0


@function(
    level=LEVEL,
    bottom_radius=Input("m", 0.0, 100.0, scale=0.5, typical=0.8),
    top_radius=Input("m", 0.0, 100.0, scale=0.5, typical=1.2),
    height=Input("m", 0.001, 100.0, scale=0.5, typical=3.0),
    unit="m3",
)
def frustum(level: float, bottom_radius: float, top_radius: float, height: float) -> float:
    """Return the volume in a standing cylinder, a cone of either way, or a truncated cone.

    Parameters
    ----------
    level : array_like, shape (n,)
        Over the bottom, m, 0 to the height.
    bottom_radius, top_radius : array_like, shape (n,)
        Inside, m, 0 to 100: equal in a cylinder; 0 where a cone has its point.
    height : array_like, shape (n,)
        m, 0.001 to 100.

    Returns
    -------
    array_like, shape (n,)
        m3. NaN where an input is NaN or out of range, or the level is above the height.

    References
    ----------
    Geometry: π h (r₁² + r₁ r + r²) / 3, r the radius at the level.

    Examples
    --------
    >>> float(frustum(2.0, 0.0, 1.0, 2.0).round(6)), float(frustum(1.0, 1.0, 1.0, 2.0).round(6))
    (2.094395, 3.141593)
    """
    return _frustum(level, bottom_radius, top_radius, height)


@njit(error_model="numpy")
def _prism(level: float, area: float, height: float) -> float:
    return math.nan if level < 0.0 or level > height else area * level


@function(
    level=LEVEL,
    area=Input("m2", 1e-6, 1e6, scale=1.0, typical=6.0),
    height=Input("m", 0.001, 100.0, default=100.0, scale=0.5, typical=3.0),
    unit="m3",
)
def prism(level: float, area: float, height: float = 100.0) -> float:
    """Return the volume in a tank with upright walls, such as a rectangular basin.

    Parameters
    ----------
    level : array_like, shape (n,)
        Over the bottom, m, 0 to the height.
    area : array_like, shape (n,)
        Of the floor, m2, 1e-6 to 1e6.
    height : array_like, shape (n,)
        m, 0.001 to 100; left out: 100.

    Returns
    -------
    array_like, shape (n,)
        m3. NaN where an input is NaN or out of range, or the level is above the height.

    References
    ----------
    Geometry.

    Examples
    --------
    >>> float(prism(1.5, 6.0))
    9.0
    """
    return _prism(level, area, height)


@njit(error_model="numpy")
def _inclined(level: float, radius: float, length: float, inclination: float) -> float:
    angle = math.radians(inclination)
    rise = math.tan(angle)
    highest = length * math.sin(angle) + 2.0 * radius * math.cos(angle)
    if level < 0.0 or level > highest:
        return math.nan
    low = level / math.cos(angle) - radius
    if rise * length < 1e-7 * radius:
        return length * segment(low - 0.5 * rise * length, radius)
    return (segment_integral(low, radius) - segment_integral(low - rise * length, radius)) / rise


@function(
    level=LEVEL,
    radius=RADIUS,
    length=LENGTH,
    inclination=Input("degree", 0.0, 89.0, scale=1.0, typical=3.0),
    unit="m3",
)
def inclined_cylinder(level: float, radius: float, length: float, inclination: float) -> float:
    """Return the volume in a cylinder with flat ends whose axis is inclined.

    Parameters
    ----------
    level : array_like, shape (n,)
        Height of the surface over the lowest point of the tank, along the plumb line, m.
    radius, length : array_like, shape (n,)
        Inside, m, as in `horizontal_cylinder`.
    inclination : array_like, shape (n,)
        Of the axis against the horizontal, degree, 0 to 89.

    Returns
    -------
    array_like, shape (n,)
        m3. NaN where an input is NaN or out of range, or the level is above the highest point.

    References
    ----------
    Geometry: the area of the circle below the surface, which moves evenly along the axis, integrated in closed form:
    ∫A dy = R² (y acos(-y/R) + √(R² - y²)) - (R² - y²)^1.5 / 3.

    Examples
    --------
    >>> float(inclined_cylinder(1.0, 1.0, 5.0, 0.0).round(6))
    7.853982
    """
    return _inclined(level, radius, length, inclination)


@function(volume=VOLUME, density=Input("kg m-3", 500.0, 2_000.0, typical=998.2), unit="kg")
def mass(volume: float, density: float) -> float:
    """Return the mass of a volume of liquid.

    Parameters
    ----------
    volume : array_like, shape (n,)
        m3, 0 to 1e7.
    density : array_like, shape (n,)
        At the temperature of the liquid, kg m-3, 500 to 2000. What the tank itself expands is not in it.

    Returns
    -------
    array_like, shape (n,)
        kg. NaN where an input is NaN or out of range.

    References
    ----------
    m = ρ V; the buoyancy of air (0.12 % of water) is not taken off, this is no weighing.

    Examples
    --------
    >>> float(mass(2.0, 998.2))
    1996.4
    """
    return volume * density


@function(volume=VOLUME, capacity=Input("m3", 1e-6, 1e7, scale=1.0, typical=30.0), unit="%")
def filling(volume: float, capacity: float) -> float:
    """Return how full a tank is; above 100 is overfilled.

    Parameters
    ----------
    volume : array_like, shape (n,)
        m3, 0 to 1e7.
    capacity : array_like, shape (n,)
        What the tank may hold, m3, 1e-6 to 1e7.

    Returns
    -------
    array_like, shape (n,)
        %. NaN where an input is NaN or out of range.

    References
    ----------
    100 V / capacity.

    Examples
    --------
    >>> float(filling(15.0, 30.0))
    50.0
    """
    return 100.0 * volume / capacity


@function(volume=VOLUME, capacity=Input("m3", 1e-6, 1e7, scale=1.0, typical=30.0), unit="m3")
def ullage(volume: float, capacity: float) -> float:
    """Return the room that is left in a tank; negative is overfilled.

    Parameters
    ----------
    volume, capacity : array_like, shape (n,)
        m3, as in `filling`.

    Returns
    -------
    array_like, shape (n,)
        m3. NaN where an input is NaN or out of range.

    References
    ----------
    Capacity - V.

    Examples
    --------
    >>> float(ullage(15.0, 30.0))
    15.0
    """
    return capacity - volume
