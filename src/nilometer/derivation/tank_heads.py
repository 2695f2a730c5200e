"""Tanks with heads of any kind, standing or lying: flat, elliptical, dished, conical, torispherical, or two of these.

A head is a solid of revolution: two arcs, a straight line or an ellipse. In a standing tank its volume is that below a
height; in a lying one it is the integral of circle segments along the axis, which is done to some 1e-12 by Gauss-
Legendre quadrature with the root at the end of each arc taken out. A tank is then a table of volumes and exact wetted
areas at 1024 levels, joined by cubics that keep both: smooth at every edge, and as fast as a look-up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.derivation.family_settings import checked
from nilometer.derivation.function import Family, Function, Input
from nilometer.errors import ConfigError

__all__ = ["HEAD_STYLES", "TANK", "Head", "HorizontalTank", "VerticalTank"]

HEAD_STYLES: Final[Mapping[str, tuple[float, float]]] = {
    "kloepper": (1.0, 0.1),
    "korbbogen": (0.8, 0.154),
    "asme_flanged_dished": (1.0, 0.06),
    "asme_80_10": (0.8, 0.1),
    "asme_80_6": (0.8, 0.06),
}
"""Radii of crown and knuckle of torispherical heads as shares of the diameter: DIN 28011, DIN 28013, ASME. The DIN
heads are laid out by the outer diameter: with thin walls the inner shape is that of these shares to the wall's
thickness, and with thick ones the two radii have to be given."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_STEPS: Final = 1024


@dataclass(frozen=True, slots=True)
class _Arc:
    """A piece of a head's outline: r and z (outwards from the cylinder's end) by a parameter from 0 to `end`."""

    end: float
    r: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    z: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    dz: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    at_radius: Callable[[float], float]  # the parameter where the radius is that


@dataclass(frozen=True, slots=True)
class Head:
    """One end of a cylindrical tank.

    Parameters
    ----------
    kind : str
        "flat"; "elliptical" (`depth`; 2:1 is half the radius); "hemispherical"; "dished" (a cap of a sphere of radius
        `crown_radius`); "conical" (`depth`); "torispherical" (`crown_radius`, `knuckle_radius`); or one of
        `HEAD_STYLES`.
    depth : float
        m, where the kind has one.
    crown_radius, knuckle_radius : float
        m.
    """

    kind: str
    depth: float = 0.0
    crown_radius: float = 0.0
    knuckle_radius: float = 0.0

    def outline(self, radius: float) -> list[_Arc]:
        """Return the pieces of the outline on a cylinder of a radius, from its wall to the axis.

        Raises
        ------
        ConfigError
            If there is no such head on that cylinder.
        """
        if self.kind == "flat":
            return []
        if self.kind in {"elliptical", "hemispherical"}:
            depth = radius if self.kind == "hemispherical" else self.depth
            self._need(depth > 0, "depth", depth, "above 0 m")
            return [_ellipse(radius, depth)]
        if self.kind == "conical":
            self._need(self.depth > 0, "depth", self.depth, "above 0 m")
            return [_cone(radius, self.depth)]
        if self.kind == "dished":
            self._need(self.crown_radius >= radius, "crown_radius", self.crown_radius, f"from {radius} m")
            return [_crown(self.crown_radius, radius, 0.0)]
        crown, knuckle = self.crown_radius, self.knuckle_radius
        if self.kind in HEAD_STYLES:
            crown, knuckle = (2.0 * radius * share for share in HEAD_STYLES[self.kind])
        elif self.kind != "torispherical":
            kinds = ["flat", "elliptical", "hemispherical", "dished", "conical", "torispherical", *HEAD_STYLES]
            raise ConfigError("kind", seen=self.kind, allowed=kinds)
        self._need(0.0 < knuckle < radius, "knuckle_radius", knuckle, f"above 0, below {radius} m")
        self._need(crown >= radius, "crown_radius", crown, f"from {radius} m")
        return _torus_and_crown(radius, crown, knuckle)

    @staticmethod
    def _need(holds: bool, key: str, seen: float, allowed: str) -> None:  # noqa: FBT001 -- a claim
        if not holds:
            raise ConfigError(key, seen=seen, allowed=allowed)


def _ellipse(radius: float, depth: float) -> _Arc:
    return _Arc(
        0.5 * math.pi,
        lambda t: radius * np.cos(t),
        lambda t: depth * np.sin(t),
        lambda t: depth * np.cos(t),
        lambda r: math.acos(min(1.0, r / radius)),
    )


def _cone(radius: float, depth: float) -> _Arc:
    return _Arc(
        1.0,
        lambda t: radius * (1.0 - t),
        lambda t: depth * t,
        lambda t: np.full_like(t, depth),
        lambda r: 1.0 - min(1.0, r / radius),
    )


def _crown(crown: float, outer: float, start: float) -> _Arc:
    """Return a cap of a sphere that begins at radius `outer` and height `start`."""
    first = math.asin(outer / crown)
    centre = start - crown * math.cos(first)
    return _Arc(
        first,
        lambda t: crown * np.sin(first - t),
        lambda t: centre + crown * np.cos(first - t),
        lambda t: crown * np.sin(first - t),
        lambda r: first - math.asin(min(r, outer) / crown),
    )


def _torus_and_crown(radius: float, crown: float, knuckle: float) -> list[_Arc]:
    middle = radius - knuckle
    reach = middle / (crown - knuckle)  # sine of the half angle of the crown
    last = math.acos(reach)
    arc = _Arc(
        last,
        lambda t: middle + knuckle * np.cos(t),
        lambda t: knuckle * np.sin(t),
        lambda t: knuckle * np.cos(t),
        lambda r: math.acos(max(reach, min(1.0, (r - middle) / knuckle))),
    )
    return [arc, _crown(crown, crown * reach, knuckle * math.sin(last))]


def _quadrature(lower: float, upper: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points and weights; the distance to the upper end is the square of what is even, against a root there."""
    span = math.sqrt(upper - lower)
    u = 0.5 * span * (_NODES + 1.0)
    return upper - u * u, _WEIGHTS * span * u


def _segment(y: NDArray[np.float64] | float, r: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.clip(np.divide(-y, r, out=np.ones_like(r), where=r > 0), -1.0, 1.0)
    return np.asarray(r * r * (np.arccos(ratio) - ratio * np.sqrt((1.0 - ratio) * (1.0 + ratio))))


def _lying(pieces: list[_Arc], radius: float, level: float) -> tuple[float, float]:
    """Return volume and wetted area of a head that lies, up to a level over the lowest point."""
    y = level - radius
    below, area = 0.0, 0.0
    for piece in pieces:
        t, w = _quadrature(0.0, piece.at_radius(abs(y)))
        r, dz = piece.r(t), piece.dz(t)
        below += float(np.sum(w * dz * _segment(-abs(y), r)))
        area += float(np.sum(w * dz * 2.0 * np.sqrt(np.maximum((r - abs(y)) * (r + abs(y)), 0.0))))
    return (below if y <= 0.0 else _whole(pieces) - below), area


def _whole(pieces: list[_Arc]) -> float:
    total = 0.0
    for piece in pieces:
        t, w = _quadrature(0.0, piece.end)
        total += float(np.sum(w * piece.dz(t) * math.pi * piece.r(t) ** 2))
    return total


def _depth(pieces: list[_Arc]) -> float:
    return float(pieces[-1].z(np.array([pieces[-1].end]))[0]) if pieces else 0.0


def _standing(pieces: list[_Arc], depth: float, level: float) -> tuple[float, float]:
    """Return volume and area of the surface of a bottom head, up to a level over its lowest point."""
    volume, area, seen = 0.0, 0.0, depth - level  # the liquid lies where z is beyond what is seen
    for piece in pieces:
        low, high = 0.0, piece.end
        if seen > float(piece.z(np.array([0.0]))[0]):
            if seen >= float(piece.z(np.array([piece.end]))[0]):
                continue
            for _ in range(60):
                half = 0.5 * (low + high)
                low, high = (half, high) if float(piece.z(np.array([half]))[0]) < seen else (low, half)
            low = 0.5 * (low + high)
        if not volume:  # the first piece that is under water bears the surface
            area = math.pi * float(piece.r(np.array([low]))[0]) ** 2
        t, w = _quadrature(low, piece.end)
        volume += float(np.sum(w * piece.dz(t) * math.pi * piece.r(t) ** 2))
    return volume, area


@njit(nogil=True, error_model="numpy", cache=True)
def _look_up(
    level: NDArray[np.float64],
    top: float,
    heights: NDArray[np.float64],
    volumes: NDArray[np.float64],
    areas: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    """Fill `result` with volumes: by cubics that have the volume and the area of both neighbours.

    Levels of the table are even in φ, level = span (1 - cos φ)/2, so that both ends have many.
    """
    last = heights.size - 1
    for i in range(level.size):
        h = level[i]
        if not (0.0 <= h <= top):
            result[i] = math.nan
            continue
        k = min(int(math.acos(1.0 - 2.0 * h / top) / math.pi * last), last - 1)
        while k > 0 and h < heights[k]:
            k -= 1
        while k < last - 1 and h > heights[k + 1]:
            k += 1
        step = heights[k + 1] - heights[k]
        s = (h - heights[k]) / step
        rise = volumes[k + 1] - volumes[k]
        a, b = areas[k] * step, areas[k + 1] * step
        result[i] = volumes[k] + s * (a + s * (3.0 * rise - 2.0 * a - b + s * (a + b - 2.0 * rise)))


def _tabled(name: str, top: float, edges: list[float], exact: Callable[[float], tuple[float, float]]) -> Function:
    """Return a tank as a Function of its level; edges are levels where the shape changes, which become points."""
    even = 0.5 * top * (1.0 - np.cos(np.linspace(0.0, math.pi, _STEPS + 1)))
    for edge in edges:
        if 0.0 < edge < top:
            even[1 + int(np.argmin(np.abs(even[1:-1] - edge)))] = edge
    heights = np.unique(even)
    heights[-1] = top
    table = np.array([exact(float(h)) for h in heights])
    volumes, areas = np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])

    def volume(level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the volume in a tank of given heads."""
        at = np.ascontiguousarray(level, np.float64)
        result = np.empty(at.size)
        _look_up(at.ravel(), top, heights, volumes, areas, result)
        return result.reshape(at.shape)

    return Function.made(name, {"level": Input("m", 0.0, top)}, "m3", volume)


@dataclass(frozen=True)
class HorizontalTank:
    """A lying cylinder.

    Parameters
    ----------
    radius, length : float
        Inside, without the heads, m.
    left, right : Head
        Its ends.

    Raises
    ------
    ConfigError
        If a size is not above 0, or a head does not fit.

    Examples
    --------
    >>> tank = HorizontalTank(1.0, 5.0, Head("kloepper"), Head("flat"))
    >>> float(tank.as_function()(1.0).round(4)), round(tank.capacity, 4)
    (8.2498, 16.4997)
    """

    radius: float
    length: float
    left: Head = Head("flat")
    right: Head = Head("flat")

    def __post_init__(self) -> None:
        _check_sizes({"radius": self.radius, "length": self.length})
        self.pieces  # noqa: B018 -- a head that does not fit is told here

    @cached_property
    def pieces(self) -> list[_Arc]:
        """Both heads' outlines."""
        return [*self.left.outline(self.radius), *self.right.outline(self.radius)]

    @property
    def capacity(self) -> float:
        """The volume of the full tank, m3."""
        return self.volume(2.0 * self.radius)[0]

    def volume(self, level: float) -> tuple[float, float]:
        """Return volume (m3) and area of the surface (m2) at a level, computed anew."""
        y = level - self.radius
        volume, area = _lying(self.pieces, self.radius, level)
        chord = 2.0 * math.sqrt(max((self.radius - y) * (self.radius + y), 0.0))
        barrel = float(_segment(y, np.array([self.radius]))[0])
        return volume + self.length * barrel, area + self.length * chord

    def as_function(self) -> Function:
        """Return the volume as a function of the level over the lowest point."""
        bends = [piece.r(np.array([piece.end])).item() for piece in self.pieces]
        edges = [self.radius + sign * r for r in bends if r > 1e-9 for sign in (-1.0, 1.0)]
        return _tabled("tank_heads.tank", 2.0 * self.radius, edges, self.volume)


@dataclass(frozen=True)
class VerticalTank:
    """A standing cylinder.

    Parameters
    ----------
    radius, height : float
        Inside, of the cylinder alone, m.
    bottom, top : Head
        Its ends. The level counts from the lowest point of the bottom.

    Raises
    ------
    ConfigError
        If a size is not above 0, or a head does not fit.

    Examples
    --------
    >>> tank = VerticalTank(1.0, 2.0, bottom=Head("hemispherical"))
    >>> tank.as_function()([1.0, 3.0]).round(6).tolist()
    [2.094395, 8.37758]
    """

    radius: float
    height: float
    bottom: Head = Head("flat")
    top: Head = Head("flat")

    def __post_init__(self) -> None:
        _check_sizes({"radius": self.radius, "height": self.height})
        self._heads  # noqa: B018 -- a head that does not fit is told here

    @cached_property
    def _heads(self) -> tuple[list[_Arc], float, list[_Arc], float]:
        low, high = self.bottom.outline(self.radius), self.top.outline(self.radius)
        return low, _depth(low), high, _depth(high)

    @property
    def total_height(self) -> float:
        """From the lowest to the highest point, m."""
        return self._heads[1] + self.height + self._heads[3]

    @property
    def capacity(self) -> float:
        """The volume of the full tank, m3."""
        return self.volume(self.total_height)[0]

    def volume(self, level: float) -> tuple[float, float]:
        """Return volume (m3) and area of the surface (m2) at a level, computed anew."""
        low, depth, high, rise = self._heads
        circle = math.pi * self.radius**2
        if level <= depth and low:
            volume, area = _standing(low, depth, level)
            return volume, (area if level < depth else circle)
        above = level - depth - self.height
        if above <= 0.0:
            return _whole(low) + circle * (level - depth), circle
        left, area = _standing(high, rise, rise - above)  # what is still empty, upside down
        return _whole(low) + circle * self.height + _whole(high) - left, area

    def as_function(self) -> Function:
        """Return the volume as a function of the level over the lowest point."""
        low, depth, high, _ = self._heads
        bend = [depth - float(piece.z(np.array([piece.end]))[0]) for piece in low]
        bend += [depth + self.height + float(piece.z(np.array([piece.end]))[0]) for piece in high]
        edges = [depth, depth + self.height, *bend]
        return _tabled("tank_heads.tank", self.total_height, edges, self.volume)


def _check_sizes(sizes: Mapping[str, float]) -> None:
    for key, value in sizes.items():
        if not 0.0 < value < math.inf:
            raise ConfigError(key, seen=value, allowed="above 0 m")


def _head(told: Any) -> Head:  # noqa: ANN401 -- from TOML: a name or a table
    if not isinstance(told, Mapping):
        return Head(str(told))
    return Head(**checked(told, ("kind", "depth", "crown_radius", "knuckle_radius"), ("kind",)))


def _tank(settings: Mapping[str, Any]) -> Function:
    checked(settings, TANK.settings, ("orientation", "radius", "length"))
    made = _shaped(settings)
    made.relative_uncertainty = float(settings.get("relative_uncertainty", 0.0))
    if not 0.0 <= made.relative_uncertainty < 1.0:
        raise ConfigError("relative_uncertainty", seen=settings["relative_uncertainty"], allowed="0 to 1, k = 1")
    return made


def _shaped(settings: Mapping[str, Any]) -> Function:
    ends = {"horizontal": {"left", "right"}, "vertical": {"bottom", "top"}}
    way = str(settings["orientation"])
    if way not in ends:
        raise ConfigError("orientation", seen=way, allowed=ends)
    for key in ("left", "right", "bottom", "top"):
        if key in settings and key not in ends[way]:
            raise ConfigError(key, seen=settings[key], allowed=ends[way], reason=f"the tank is {way}")
    if way == "horizontal":
        heads = _head(settings.get("left", "flat")), _head(settings.get("right", "flat"))
        return HorizontalTank(float(settings["radius"]), float(settings["length"]), *heads).as_function()
    heads = _head(settings.get("bottom", "flat")), _head(settings.get("top", "flat"))
    return VerticalTank(float(settings["radius"]), float(settings["length"]), *heads).as_function()


TANK: Final = Family(
    "tank_heads.tank",
    "volume in a cylindrical tank with heads of any kind",
    {
        "orientation": "horizontal or vertical",
        "radius": "of the cylinder, inside, m",
        "length": "of the cylinder without its heads, m",
        "left": "head of a lying tank: a kind, or a table of kind, depth, crown_radius, knuckle_radius (m)",
        "right": "the other head of a lying tank",
        "bottom": "head of a standing tank",
        "top": "the other head of a standing tank",
        "relative_uncertainty": "standard uncertainty of the volume by its shape, such as a certificate has it; 1",
    },
    _tank,
)
