"""Volume from a strapping table: a tank or a reservoir that was measured out, level by level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.family_settings import checked
from nilometer.derivation.function import Family, Function, Input
from nilometer.errors import ConfigError

__all__ = ["STRAPPING", "StrappingTable"]

Floats = NDArray[np.float64]

_METHODS: Final = ("linear", "monotone_cubic")


@dataclass(frozen=True)
class StrappingTable:
    """Volumes at levels.

    Parameters
    ----------
    levels : sequence of float
        m, strictly rising; at least two.
    volumes : sequence of float
        m3, rising, or the same where a floor is level; one a level.
    method : {"linear", "monotone_cubic"}
        Straight lines, or cubics that never fall between rising points (Fritsch and Carlson 1980).
    uncertainties : sequence of float, optional
        Standard uncertainty of each volume, m3. They are taken as fully correlated, for one measurement made the
        table; that between two points lies between theirs.

    Raises
    ------
    ConfigError
        If the levels do not rise, a volume falls, or the numbers do not match.

    Examples
    --------
    >>> table = StrappingTable([0.0, 1.0, 3.0], [0.0, 10.0, 20.0], uncertainties=[0.1, 0.1, 0.3])
    >>> table.as_function()([0.5, 2.0, 4.0]).tolist()
    [5.0, 15.0, nan]
    >>> float(table.as_function().estimate(2.0, uncertainty={"level": 0.0}).uncertainty)
    0.2
    """

    levels: Sequence[float]
    volumes: Sequence[float]
    method: str = "linear"
    uncertainties: Sequence[float] = ()

    def __post_init__(self) -> None:
        h, v = np.asarray(self.levels, np.float64), np.asarray(self.volumes, np.float64)
        if h.ndim != 1 or len(h) < 2 or not np.all(np.isfinite(h)) or np.any(np.diff(h) <= 0):
            raise ConfigError("levels", seen=list(self.levels), allowed="two or more, strictly rising, m")
        if v.shape != h.shape or not np.all(np.isfinite(v)):
            raise ConfigError("volumes", seen=list(self.volumes), allowed=f"{len(h)} numbers, one a level, m3")
        if np.any(np.diff(v) < 0):
            k = int(np.argmax(np.diff(v) < 0)) + 1
            raise ConfigError("volumes", seen=f"{v[k]} after {v[k - 1]}", allowed="volumes that never fall")
        if self.method not in _METHODS:
            raise ConfigError("method", seen=self.method, allowed=_METHODS)
        u = np.asarray(self.uncertainties, np.float64)
        if len(u) and (u.shape != h.shape or not np.all(u >= 0)):
            raise ConfigError("uncertainties", seen=list(self.uncertainties), allowed="one from 0 for each level, m3")

    def as_function(self) -> Function:
        """Return the volume as a function of the level; outside of the table there is no value, never a guess."""
        h, v = np.asarray(self.levels, np.float64), np.asarray(self.volumes, np.float64)
        slopes = _monotone(h, v) if self.method == "monotone_cubic" else None

        def volume(level: Floats) -> Floats:
            """Return the volume of a strapping table."""
            if slopes is None:
                found = np.interp(level, h, v)
            else:
                k = np.clip(np.searchsorted(h, level, side="right") - 1, 0, len(h) - 2)
                step = h[k + 1] - h[k]
                s, rise = (level - h[k]) / step, v[k + 1] - v[k]
                a, b = slopes[k] * step, slopes[k + 1] * step
                found = v[k] + s * (a + s * (3.0 * rise - 2.0 * a - b + s * (a + b - 2.0 * rise)))
            return np.where((level >= h[0]) & (level <= h[-1]), found, np.nan)

        return _TableFunction(h, np.asarray(self.uncertainties, np.float64), volume)


class _TableFunction(Function):
    """A table's function: its estimate has the table's own uncertainty at that level."""

    def __init__(self, levels: Floats, uncertainties: Floats, body: Callable[..., Any]) -> None:
        inputs = {"level": Input("m", float(levels[0]), float(levels[-1]))}
        super().__init__("strapping.table", inputs, "m3", body, False)  # noqa: FBT003 -- as Function.made
        self._levels, self._own = levels, uncertainties

    def _contributions(self, values: Sequence[Floats], spreads: Sequence[Floats], result: Floats) -> dict[str, Floats]:
        found = super()._contributions(values, spreads, result)
        if not len(self._own):
            return found
        return found | {"equation": np.broadcast_to(np.interp(values[0], self._levels, self._own), result.shape)}


def _monotone(h: Floats, v: Floats) -> Floats:
    """Return slopes at the points after Fritsch and Carlson: of the mean of both sides, and flat where one is."""
    secant = np.diff(v) / np.diff(h)
    slopes = np.concatenate([secant[:1], 0.5 * (secant[1:] + secant[:-1]), secant[-1:]])
    for k, rise in enumerate(secant):
        if rise == 0.0:
            slopes[k] = slopes[k + 1] = 0.0
            continue
        length = np.hypot(slopes[k], slopes[k + 1]) / rise
        if length > 3.0:
            slopes[k] *= 3.0 / length
            slopes[k + 1] *= 3.0 / length
    return np.asarray(slopes)


def _table(settings: Mapping[str, Any]) -> Function:
    told = checked(settings, STRAPPING.settings, ("levels", "volumes"))
    method, own = told.get("method", "linear"), told.get("uncertainties", ())
    return StrappingTable(told["levels"], told["volumes"], method, own).as_function()


STRAPPING: Final = Family(
    "strapping.table",
    "volume from a strapping table",
    {
        "levels": "m, strictly rising",
        "volumes": "m3, never falling, one a level",
        "method": "linear (default) or monotone_cubic",
        "uncertainties": "standard uncertainty of each volume, m3",
    },
    _table,
)
