"""How sure a velocity-area gauging is: by ISO 748 from what was done, or from the section itself (IVE).

The ISO way adds components that the standard tabulates: number of verticals, points in each, exposure, instrument,
width, depth. The interpolated variance estimator (Cohn, Kiang and Mason 2013) asks how far each vertical is from the
straight line between its neighbours, so that a rough bed and an unsteady flow count by what they did here.

The tables are those of ISO 748:2007, Annex E, checked against Morgenschweis (2010), Hydrometrie, Tab. 4.8 to 4.13,
which prints them from DIN EN ISO 748:2008. One number differs there: the instrument's 1.25 % stands at 0.12 m/s, in the
earlier editions at 0.15, as here. Between the numbers of a table straight lines are ours; beyond them its end holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.velocity_area import Gauging, Vertical
from nilometer.errors import CalibrationError

__all__ = ["GaugingUncertainty", "interpolated_variance", "iso748"]

Array = NDArray[np.float64]

_VERTICALS: Final = ((5, 10, 15, 20, 25, 30, 35), (0.075, 0.045, 0.030, 0.025, 0.020, 0.015, 0.010))
_POINTS: Final = ((1, 2, 5), (0.075, 0.035, 0.025))
_SURFACE: Final = 0.15
_MINUTES: Final = (0.5, 1.0, 2.0, 3.0)
_SPEEDS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
# Pulsations of the velocity, by speed and exposure: at 0.2, 0.4, 0.6 of the depth, and at 0.8 and below.
_UPPER: Final = np.array(
    [[25, 20, 15, 10], [14, 11, 8, 7], [8, 6, 5, 4], [5, 4, 3, 3], [4, 3, 3, 3], [4, 3, 3, 2]], np.float64
)
_LOWER: Final = np.array(
    [[40, 30, 25, 20], [17, 14, 10, 8], [9, 7, 5, 4], [5, 4, 3, 3], [4, 3, 3, 3], [4, 3, 3, 2]], np.float64
)
_INSTRUMENT: Final = ((0.03, 0.10, 0.15, 0.25, 0.50), (0.10, 0.025, 0.0125, 0.010, 0.005))
_WIDTHS: Final = ((100.0, 0.0015), (150.0, 0.0020), (np.inf, 0.0025))
_DEPTHS: Final = ((0.4, 0.015), (6.0, 0.0065), (np.inf, 0.0025))  # the standard begins at 0.4 m; below: USGS IVyTools


@dataclass(frozen=True, slots=True)
class GaugingUncertainty:
    """The uncertainty of a discharge, relative to it.

    Parameters
    ----------
    relative : float
        Combined standard uncertainty (k = 1).
    parts : dict of str to float
        Each component's share of it, as a relative standard uncertainty; their squares add up.
    method : str
        ``ISO 748`` or ``IVE``.
    """

    relative: float
    parts: Mapping[str, float]
    method: str


def iso748(
    gauging: Gauging,
    *,
    width: float | None = None,
    depth: float | None = None,
    instrument: float | None = None,
    exposure: float | None = None,
    points: float | None = None,
    systematic: float = 0.01,
) -> GaugingUncertainty:
    """Return the uncertainty of a gauging from what was done.

    Parameters
    ----------
    gauging : Gauging
        With the verticals' points and exposures.
    width, depth, instrument, exposure, points, systematic : float, optional
        Relative standard uncertainties (k = 1) that are known better than by the tables: of each width and depth; of
        the meter's rating (table: rated by itself); of one velocity by its exposure; of a vertical's mean by its
        points; and of what all verticals share.

    Returns
    -------
    GaugingUncertainty
        In parts.

    Raises
    ------
    CalibrationError
        If there are fewer than five verticals with water: the standard has no number for so few.

    References
    ----------
    ISO 748:2007, 9.3 and Annex E: u²(Q) = u_m² + u_s² + Σ q_i² (u_b² + u_d² + u_p² + (u_c² + u_e²)/n_i) / (Σ q_i)².

    Examples
    --------
    >>> from nilometer.derivation.velocity_area import Vertical, gauge
    >>> wet = [Vertical(distance=k, depth=1.0, points={0.2: 1.0, 0.8: 1.0}, exposure_s=60) for k in range(1, 21)]
    >>> made = gauge([Vertical(distance=0, depth=0), *wet, Vertical(distance=21, depth=0)])
    >>> found = iso748(made)
    >>> round(found.relative, 4), round(found.parts["verticals"], 4), round(found.parts["points"], 4)
    (0.0285, 0.025, 0.0078)
    """
    section, share = _wet(gauging)
    if len(section) < _VERTICALS[0][0]:
        raise CalibrationError(f"gauging: {len(section)} verticals with water are too few for ISO 748, which begins at "
                               f"{_VERTICALS[0][0]}")  # fmt: skip
    own = {
        "width": np.full(len(section), _up_to(gauging.width, _WIDTHS) if width is None else width),
        "depth": np.array([_up_to(v.depth, _DEPTHS) if depth is None else depth for v in section]),
        "points": np.array([_of_points(vertical) if points is None else points for vertical in section]),
        "instrument": np.array([_of_instrument(v, instrument) / np.sqrt(max(v.count, 1)) for v in section]),
        "exposure": np.array([_of_exposure(v, exposure) / np.sqrt(max(v.count, 1)) for v in section]),
    }
    parts = {name: float(np.sqrt(((share * column) ** 2).sum())) for name, column in own.items()}
    parts["verticals"] = float(np.interp(len(section), *_VERTICALS))
    parts["systematic"] = systematic
    return _combined(parts, "ISO 748")


def interpolated_variance(gauging: Gauging, *, width: float = 0.005, systematic: float = 0.01) -> GaugingUncertainty:
    """Return the uncertainty of a gauging from how far its verticals are from the line between their neighbours.

    Parameters
    ----------
    gauging : Gauging
        With seven verticals or more, so that three inner ones have wet neighbours.
    width, systematic : float
        Relative standard uncertainties of each width, and of what all verticals share.

    Returns
    -------
    GaugingUncertainty
        In parts.

    Raises
    ------
    CalibrationError
        If there are too few verticals.

    References
    ----------
    Cohn, Kiang and Mason (2013), J. Hydraul. Eng. 139, 502-510. The estimator was written from its statistics: of d_i -
    w d_(i-1) - (1-w) d_(i+1) with w = (x_(i+1) - x_i)/(x_(i+1) - x_(i-1)) the variance is 2 (1 - w + w²) times that of
    one depth. The paper was not at hand; USGS IVyTools has the same differences and weights, and divides by one
    vertical less.

    Examples
    --------
    >>> from nilometer.derivation.velocity_area import Vertical, gauge
    >>> wet = [Vertical(distance=k, depth=1.0 + 0.1 * (k % 2), velocity=1.0) for k in range(1, 20)]
    >>> made = gauge([Vertical(distance=0, depth=0), *wet, Vertical(distance=20, depth=0)])
    >>> found = interpolated_variance(made, width=0.0, systematic=0.0)
    >>> round(found.parts["depth"], 4), found.parts["velocity"]
    (0.0178, 0.0)
    """
    section, share = _wet(gauging)
    if len(section) < 5:
        raise CalibrationError(
            f"gauging: {len(section)} verticals with water are too few for interpolation, which needs 5"
        )
    place = np.array([vertical.distance for vertical in section])
    depth = np.array([vertical.depth for vertical in section])
    velocity = np.array([vertical.mean_velocity or 0.0 for vertical in section])
    if (velocity == 0.0).any():
        raise CalibrationError("gauging: a vertical with water stands still: its relative uncertainty has no meaning")
    way = (place[2:] - place[1:-1]) / (place[2:] - place[:-2])

    def spread(values: Array) -> float:
        apart = values[1:-1] - way * values[:-2] - (1.0 - way) * values[2:]
        return float(np.sqrt((apart**2 / (2.0 * (1.0 - way + way**2))).mean()))

    parts = {
        "depth": float(np.sqrt(((share * spread(depth) / depth) ** 2).sum())),
        "velocity": float(np.sqrt(((share * spread(velocity) / velocity) ** 2).sum())),
        "width": float(width * np.sqrt((share**2).sum())),
        "systematic": systematic,
    }
    return _combined(parts, "IVE")


def _combined(parts: Mapping[str, float], method: str) -> GaugingUncertainty:
    return GaugingUncertainty(float(np.sqrt(sum(part**2 for part in parts.values()))), dict(parts), method)


def _wet(gauging: Gauging) -> tuple[list[Vertical], Array]:
    """Return the verticals with water, and what share of the discharge each of them carries (by mid-section)."""
    place = np.array([vertical.distance for vertical in gauging.verticals])
    depth = np.array([vertical.depth for vertical in gauging.verticals])
    width = np.diff(place, prepend=place[0]) / 2 + np.diff(place, append=place[-1]) / 2
    carried = gauging.velocity * depth * width
    wet = depth > 0
    return [vertical for vertical, is_wet in zip(gauging.verticals, wet, strict=True) if is_wet], (
        carried / carried.sum()
    )[wet]


def _up_to(number: float, table: tuple[tuple[float, float], ...]) -> float:
    return next(share for most, share in table if number <= most)


def _of_points(vertical: Vertical) -> float:
    if vertical.is_surface:
        return _SURFACE
    # A mean that was given is of a profiler: as of the most points.
    return float(np.interp(vertical.count or _POINTS[0][-1], *_POINTS))


def _of_instrument(vertical: Vertical, told: float | None) -> float:
    return told if told is not None else float(np.interp(abs(vertical.mean_velocity or 0.0), *_INSTRUMENT))


def _of_exposure(vertical: Vertical, told: float | None) -> float:
    """Return the part of pulsations in one velocity, interpolated by speed and by time, not beyond the table."""
    if told is not None:
        return told
    speed = abs(vertical.mean_velocity or 0.0)
    places = tuple(vertical.points) or (0.6,)
    found = []
    for place in places:
        table = _LOWER if place >= 0.8 else _UPPER
        by_time = [np.interp(vertical.exposure_s / 60.0, _MINUTES, row) for row in table]
        found.append(float(np.interp(speed, _SPEEDS, by_time)) / 100.0)
    return float(np.sqrt(np.mean(np.square(found))))
