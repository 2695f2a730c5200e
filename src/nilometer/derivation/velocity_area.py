"""A gauging by velocity and area: discharge of a cross-section from depths and velocities at verticals (ISO 748).

The first and the last vertical are the edges of the water. Nothing is filled in: an edge with a depth (a wall) needs
its velocity told. How sure the discharge is says `gauging_uncertainty`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import CalibrationError

__all__ = ["Gauging", "Vertical", "gauge"]

Array = NDArray[np.float64]

# Weights of velocities at shares of the depth from the surface (0) to the bed (1).
_RULES: Final[Mapping[tuple[float, ...], tuple[float, ...]]] = {
    (0.6,): (1.0,),
    (0.2, 0.8): (0.5, 0.5),
    (0.2, 0.6, 0.8): (0.25, 0.5, 0.25),
    (0.0, 0.2, 0.6, 0.8, 1.0): (0.1, 0.3, 0.3, 0.2, 0.1),
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0): (0.1, 0.2, 0.2, 0.2, 0.2, 0.1),
}
_LARGE_SHARE: Final = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertical:
    """One vertical of a cross-section.

    Parameters
    ----------
    distance : float
        From a fixed point on the bank, m.
    depth : float
        m, from 0.
    points : mapping of float to float
        Velocity (m s-1) by the share of the depth where it was measured, from the surface (0) to the bed (1): 0.6; 0.2
        and 0.8; 0.2, 0.6, 0.8; 0, 0.2, 0.6, 0.8, 1; 0, 0.2, 0.4, 0.6, 0.8, 1; or 0 alone, with `surface_coefficient`.
    velocity : float, optional
        The mean velocity of the vertical, where it is known already (a profiler); instead of `points`.
    surface_coefficient : float, optional
        Mean over surface velocity.
    angle_degrees : float
        Between the flow and the normal of the section; the velocity is multiplied by its cosine.
    exposure_s : float
        How long each velocity was measured, for the uncertainty.
    """

    distance: float
    depth: float
    points: Mapping[float, float] = field(default_factory=dict)
    velocity: float | None = None
    surface_coefficient: float | None = None
    angle_degrees: float = 0.0
    exposure_s: float = 60.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.distance) and 0.0 <= self.depth < math.inf):
            raise _refusal(f"distance {self.distance!r}, depth {self.depth!r} (allowed: numbers, the depth from 0)")
        if self.velocity is not None and self.points:
            raise _refusal(f"the vertical at {self.distance:g} m has points and a mean velocity: give one of the two")
        if not abs(self.angle_degrees) < 90.0:
            raise _refusal(f"the flow at {self.distance:g} m has the angle {self.angle_degrees!r} (allowed: below 90)")
        if not self.exposure_s > 0.0:
            raise _refusal(f"the exposure time at {self.distance:g} m is {self.exposure_s!r} s (allowed: above 0)")

    @property
    def count(self) -> int:
        """Velocities that were measured in it; 0 for none or a mean that was given."""
        return len(self.points)

    @property
    def is_surface(self) -> bool:
        """Whether its mean is made of the surface velocity alone."""
        return tuple(self.points) == (0.0,)

    @property
    def mean_velocity(self) -> float | None:
        """The mean velocity normal to the section, m s-1; None where nothing was measured.

        Raises
        ------
        CalibrationError
            If there is no rule for these points.
        """
        if self.velocity is not None:
            mean = self.velocity
        elif not self.points:
            return None
        elif self.is_surface:
            if self.surface_coefficient is None:
                raise _refusal(f"the vertical at {self.distance:g} m has a surface velocity alone: "
                               "surface_coefficient is "
                               "needed, by ISO 748 mostly 0.84 to 0.90")  # fmt: skip
            mean = self.surface_coefficient * self.points[0.0]
        else:
            places = tuple(sorted(self.points))
            if places not in _RULES:
                known = "; ".join(", ".join(f"{place:g}" for place in rule) for rule in _RULES)
                raise _refusal(
                    f"the vertical at {self.distance:g} m was measured at {places} of the depth (known: {known})"
                )
            mean = sum(w * self.points[place] for place, w in zip(places, _RULES[places], strict=True))
        return mean * math.cos(math.radians(self.angle_degrees))


@dataclass(frozen=True, slots=True)
class Gauging:
    """The discharge of a cross-section and what it is made of.

    Parameters
    ----------
    discharge : float
        m3 s-1.
    area, width : float
        Of the water, m2 and m.
    verticals : tuple of Vertical
        By rising distance.
    velocity : ndarray of float64, shape (n,)
        Mean velocity of each vertical, m s-1; 0 at a dry edge.
    panels : ndarray of float64
        Discharge of each panel, m3 s-1: about each vertical, n of them (mid-section), or between two, n - 1
        (mean-section).
    method : str
        ``mid-section`` or ``mean-section``.
    """

    discharge: float
    area: float
    width: float
    verticals: tuple[Vertical, ...]
    velocity: Array
    panels: Array
    method: str

    @property
    def mean_velocity(self) -> float:
        """Discharge over area, m s-1."""
        return self.discharge / self.area

    @property
    def mean_depth(self) -> float:
        """Area over width, m."""
        return self.area / self.width

    def findings(self) -> tuple[str, ...]:
        """Return what ISO 748 would rather have otherwise: panels of more than a tenth of the discharge."""
        shares = self.panels / self.discharge
        return tuple(
            f"panel {k + 1} carries {100 * share:.1f} % of the discharge: more verticals there (never above 10 %)"
            for k, share in enumerate(shares)
            if share > _LARGE_SHARE
        )


def gauge(verticals: Sequence[Vertical], *, method: Literal["mid-section", "mean-section"] = "mid-section") -> Gauging:
    """Return the discharge through a cross-section.

    Parameters
    ----------
    verticals : sequence of Vertical
        At least three, the two edges among them; in any order.
    method : {"mid-section", "mean-section"}
        A panel about each vertical, half way to its neighbours, with its depth and velocity; or a panel between two
        verticals, with the means of theirs.

    Returns
    -------
    Gauging
        Discharge, area and panels.

    Raises
    ------
    CalibrationError
        If verticals are lacking, stand at one place, or have no velocity where there is water.

    References
    ----------
    ISO 748:2007, 7.1.5 (mean velocity in a vertical) and 8.3 (mean-section and mid-section method).

    Examples
    --------
    >>> bank = [Vertical(distance=0, depth=0), Vertical(distance=6, depth=0)]
    >>> made = gauge([*bank, Vertical(distance=2, depth=1, points={0.2: 0.6, 0.8: 0.4}),
    ...               Vertical(distance=4, depth=1, points={0.6: 0.5})])
    >>> made.discharge, gauge(made.verticals, method="mean-section").discharge, made.area
    (2.0, 1.5, 4.0)
    """
    if method not in {"mid-section", "mean-section"}:
        raise _refusal(f"method = {method!r} (allowed: mid-section, mean-section)")
    if len(verticals) < 3:
        raise _refusal(f"{len(verticals)} verticals: three are needed, the edges of the water among them")
    section = tuple(sorted(verticals, key=lambda vertical: vertical.distance))
    place = np.array([vertical.distance for vertical in section])
    depth = np.array([vertical.depth for vertical in section])
    if (np.diff(place) <= 0).any():
        raise _refusal(f"two verticals stand at {place[int(np.argmin(np.diff(place)))]:g} m")
    velocity = np.array([_velocity(vertical) for vertical in section])
    if method == "mid-section":
        width = np.diff(place, prepend=place[0]) / 2 + np.diff(place, append=place[-1]) / 2
        areas, speeds = depth * width, velocity
    else:
        areas = np.diff(place) * (depth[1:] + depth[:-1]) / 2
        speeds = (velocity[1:] + velocity[:-1]) / 2
    panels = areas * speeds
    return Gauging(
        discharge=float(panels.sum()), area=float(areas.sum()), width=float(place[-1] - place[0]), verticals=section,
        velocity=velocity, panels=panels, method=method,
    )  # fmt: skip


def _velocity(vertical: Vertical) -> float:
    found = vertical.mean_velocity
    if found is None:
        if vertical.depth > 0:
            raise _refusal(f"the vertical at {vertical.distance:g} m is {vertical.depth:g} m deep and has no velocity: "
                           "at a wall tell it too, such as a share of its neighbour's")  # fmt: skip
        return 0.0
    return found


def _refusal(message: str) -> CalibrationError:
    return CalibrationError(f"gauging: {message}")
