"""One side of a trial: what one instrument gave, as it was recorded, and which of it may count.

Nothing is sorted, mended or resampled here: times that run back or repeat are refused, for nobody can say which of two
results held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nilometer.model.flags import QartodFlag
from nilometer.series import NO_TIME, unpack
from nilometer.trials.pairing.matching import median_step
from nilometer.units import affine, canonical, convert

__all__ = ["Arm", "moment"]

Floats = NDArray[np.float64]
Spans = Sequence[tuple[int, int]]
_LARGEST = 1e30  # of no unit has water a result beyond it; its fourth power is a number still


def moment(time_us: int) -> str:
    """Return a time as people read it, to the second unless it has parts of one.

    Examples
    --------
    >>> moment(1_704_067_200_000_000)
    '2024-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Results of one instrument in order of time.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs since 1970 UTC, each later than the one before; of an interval, its start.
    values : ndarray of float64, shape (n,)
        In `unit`; NaN where missing.
    unit : str
        CF text.
    name : str
        How errors and reports call it.
    duration_us : int
        Length of the interval each result stands for; 0: instants.
    interval_us : int
        Sampling interval; 0: the median of the steps.
    response_us : int
        T90: time to 90 % of a step; 0: unknown or at once.
    flags : ndarray of uint8, shape (n,), optional
        QARTOD; None: all PASS.
    censored : ndarray of int8, shape (n,), optional
        −1 below, 1 above the limit that stands as the value, 0 measured; None: all measured.
    uncertainty : ndarray of float64, shape (n,), optional
        Standard (k = 1), in `unit`; NaN where unknown.

    Raises
    ------
    ValueError
        If lengths differ, times run back or repeat, or a duration, an interval or a response time is negative.
    UnitError
        If the unit is unknown.
    """

    time: NDArray[np.int64]
    values: Floats
    unit: str
    name: str = "series"
    duration_us: int = 0
    interval_us: int = 0
    response_us: int = 0
    flags: NDArray[np.uint8] | None = None
    censored: NDArray[np.int8] | None = None
    uncertainty: Floats | None = None

    def __post_init__(self) -> None:
        canonical(self.unit)
        for key in ("values", "flags", "censored", "uncertainty"):
            column = getattr(self, key)
            if column is not None and len(column) != len(self.time):
                raise ValueError(f"{self.name}: {len(self.time)} times and {len(column)} {key}: one a time is needed")
        for key in ("duration_us", "interval_us", "response_us"):
            if getattr(self, key) < 0:
                raise ValueError(f"{self.name}: {key} = {getattr(self, key)} (allowed: 0 or more)")
        if len(self.time) and self.time.min() == NO_TIME:
            raise ValueError(f"{self.name}: row {int(np.argmin(self.time))} has no time: leave it out")
        with np.errstate(invalid="ignore"):
            wild = np.flatnonzero(np.isfinite(self.values) & (np.abs(self.values) > _LARGEST))
        if len(wild):
            row = int(wild[0])
            raise ValueError(
                f"{self.name}: {self.values[row]:g} at {moment(int(self.time[row]))}, row {row}, is no measurement: "
                "leave it out, or name it as what stands for no value"
            )
        wrong = np.flatnonzero(np.diff(self.time) <= 0)
        if len(wrong):
            self._refuse(int(wrong[0]) + 1, len(wrong))

    def _refuse(self, row: int, count: int) -> None:
        before, here = int(self.time[row - 1]), int(self.time[row])
        places = f"at row {row}" + (f" and {count - 1} more" if count > 1 else "")
        if here == before:
            raise ValueError(
                f"{self.name}: {moment(here)} stands twice, {places}: keep the result that holds, "
                "or give the depths of a profile as series of their own; where a clock was put back an hour, "
                "give its times in one zone"
            )
        whole = " (it runs backwards from its first to its last row)" if count == len(self.time) - 1 else ""
        raise ValueError(
            f"{self.name}: time runs back from {moment(before)} to {moment(here)}, {places}{whole}: put the rows in "
            "order of time; where the instrument's clock was set back, correct its times or leave the stretch out"
        )

    @classmethod
    def of(cls, series: Any, unit: str, time: Any = None, **more: Any) -> Self:  # noqa: ANN401 -- any library's series
        """Return an arm from a series of any library.

        Parameters
        ----------
        series, time : as `nilometer.series.unpack` takes them
            Results and their times.
        unit : str
            In any spelling.
        **more
            Any other field of the class.

        Raises
        ------
        ValueError
            As the class does, or if the series has no times.

        Examples
        --------
        >>> len(Arm.of([7.1, 7.2], "1", time=["2024-01-01T00:00Z", "2024-01-01T00:10Z"]))
        2
        """
        part = unpack(series, time)
        if part.times is None:
            raise ValueError(f"{more.get('name', 'series')}: there are no times: give them as `time`")
        dtypes = {"flags": np.uint8, "censored": np.int8, "uncertainty": np.float64}
        for key, kind in dtypes.items():
            if more.get(key) is not None:
                more[key] = np.asarray(more[key], kind)
        return cls(time=part.times, values=part.values, unit=canonical(unit), **more)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def step_us(self) -> int:
        """The sampling interval: as declared, else the median of the steps; 0 for fewer than two results."""
        return self.interval_us or median_step(self.time)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some of the results, by mask or index."""
        parts: dict[str, Any] = {"time": self.time[rows], "values": self.values[rows]}
        for key in ("flags", "censored", "uncertainty"):
            column = getattr(self, key)
            parts[key] = None if column is None else column[rows]
        # The declared interval outlives what is left out: it says how many results there should be.
        return replace(self, **parts, interval_us=self.step_us)

    def shifted(self, by_us: int) -> Self:
        """Return it with all times moved."""
        return replace(self, time=self.time + by_us) if by_us else self

    def in_unit(self, unit: str) -> Self:
        """Return it in another unit of its dimension; uncertainties take the scale alone.

        Raises
        ------
        UnitError
            If the units are not of one dimension.
        """
        if canonical(unit) == canonical(self.unit):
            return self
        scale = affine(self.unit, unit)[0]
        spread = None if self.uncertainty is None else self.uncertainty * abs(scale)
        return replace(self, values=convert(self.values, self.unit, unit), uncertainty=spread, unit=canonical(unit))

    def admissible(
        self, flags: frozenset[QartodFlag], maintenance: Spans = (), period: tuple[int, int] | None = None
    ) -> tuple[Self, dict[str, int]]:
        """Return the results that may count, and how many may not by the first reason that applies.

        Parameters
        ----------
        flags : frozenset of QartodFlag
            What is let in.
        maintenance : sequence of (int, int)
            Spans [start, end) in µs; a result whose interval touches one is left out.
        period : (int, int), optional
            Of the trial, [start, end) in µs.

        Returns
        -------
        Arm, dict of str to int
            Reasons are ``outside_period``, ``missing``, ``flag_suspect`` and its like, ``maintenance``.
        """
        reasons: dict[str, int] = {}
        left = np.ones(len(self), np.bool_)

        def leave_out(reason: str, rows: NDArray[np.bool_]) -> None:
            count = int(np.count_nonzero(rows & left))
            if count:
                reasons[reason] = count
                left[rows] = False

        if period is not None:
            late = (self.time >= period[1]) | (self.time + self.duration_us > period[1])
            leave_out("outside_period", (self.time < period[0]) | late)
        leave_out("missing", ~np.isfinite(self.values))
        if self.flags is not None:
            for flag in QartodFlag:
                if flag not in flags:
                    leave_out(f"flag_{flag.name.lower()}", self.flags == flag)
        leave_out("maintenance", self._touches(maintenance))
        return self.take(left), reasons

    def _touches(self, spans: Spans) -> NDArray[np.bool_]:
        found = np.zeros(len(self), np.bool_)
        for start, end in spans:
            if end < start:
                raise ValueError(f"maintenance ends at {moment(end)}, before it begins at {moment(start)}")
            # An instant at t is touched by start <= t < end; an interval by any part of it.
            first = np.searchsorted(self.time, start - self.duration_us, side="right" if self.duration_us else "left")
            found[first : np.searchsorted(self.time, end, side="left")] = True
        return found
