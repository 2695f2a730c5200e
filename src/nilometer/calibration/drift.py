"""Drift and fouling between two visits taken out: what was found at the second, spread over the time between.

A correction is a document (JSON, TOML; times in ISO 8601 with their zone)::

    cause = "drift"                       # or "fouling", or anything that tells why
    start = "2024-05-01T10:00:00Z"        # the visit before: from here on it grew
    end = "2024-06-01T10:00:00Z"          # the visit at which it was found; it is over
    gap = 0.2                             # standard minus reading, in the unit of the result; or one of
    gap_percent = 2.5                     # the same in percent of the reading
    points = [["2024-05-10T00:00:00Z", 0.1], …]       # the gap at several dates, straight lines between
    standards = [[4.00, 4.06], [10.01, 9.80]]         # low and high: what each is, and what was read in it
    shape = "linear"                      # or "step": all of it came at the start (points: each at its date)
    uncertainty = 0.03                    # of the gap, k = 1, in the unit of the result (gap_percent: in percent)
    start_uncertainty = 0.02              # of the state in which the visit before left the sensor, likewise

Nothing is overwritten: the values before are the input, the values after a new series, and to undo a correction is to
leave its document out. In a server the same is a step of the review (`Correction.step`), which keeps the history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.calibration.drift_line import drift_line, elapsed, short
from nilometer.errors import CalibrationError
from nilometer.series import microseconds, unpack

__all__ = ["Corrected", "Correction", "correct"]

Standard = tuple[float, float]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMS = ("gap", "gap_percent", "points", "standards")
_NUMBERS = ("gap", "gap_percent", "uncertainty", "start_uncertainty")
_KEYS = ("cause", "start", "end", *_FORMS, "shape", "scheme", "closed", "uncertainty", "start_uncertainty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What is added to the results between two visits.

    Parameters
    ----------
    start, end : int
        µs since 1970 UTC; values from `start` to before `end` change.
    gap : float, optional
        Standard minus reading at the end, in the unit of the result.
    gap_percent : float, optional
        The same in percent of the reading.
    points : tuple of (int, float)
        The gap at several dates, ascending; 0 at `start` unless they say otherwise.
    standards : pair of (value, reading), optional
        A low and a high standard, and what was read in each at the end.
    shape : {"linear", "step"}
        It grew along a line from nothing at the start, or all of it came at once, at the start.
    scheme : {"line", "driftr"}
        How two standards are used: a value is read off the line through both, which moved from the true one to the
        one found; or as the R package driftR does, which takes the low standard's drift with the other sign.
    closed : bool
        The value at `end` itself is corrected too.
    uncertainty : float, optional
        Standard uncertainty of what was found at the end, in the unit of the result; of `gap_percent` in percent.
    start_uncertainty : float, optional
        That of the state at the start, in the same unit.
    cause : str
        Why: "drift", "fouling", …

    Raises
    ------
    CalibrationError
        If it cannot be applied as given.

    Examples
    --------
    >>> week = Correction(start=0, end=7 * 86_400_000_000, gap=0.7, uncertainty=0.1)
    >>> done = correct([8.0, 8.0], [week], time=[0, 86_400_000_000], uncertainty=[0.05, 0.05])
    >>> done.result, done.uncertainty.round(4).tolist()
    ([8.0, 8.1], [0.05, 0.052])
    """

    start: int
    end: int
    gap: float | None = None
    gap_percent: float | None = None
    points: tuple[tuple[int, float], ...] = ()
    standards: tuple[Standard, Standard] | None = None
    shape: str = "linear"
    scheme: str = "line"
    closed: bool = False
    uncertainty: float | None = None
    start_uncertainty: float | None = None
    cause: str = ""

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise CalibrationError("the correction ends before it starts, or is empty")
        given = [form for form in _FORMS if getattr(self, form) not in (None, ())]
        if len(given) != 1:
            raise CalibrationError(f"a correction needs exactly one of {', '.join(_FORMS)}, not {given or 'none'}")
        for key, allowed in (("shape", ("linear", "step")), ("scheme", ("line", "driftr"))):
            if getattr(self, key) not in allowed:
                raise CalibrationError(f"{key} = {getattr(self, key)!r} (allowed: {', '.join(allowed)})")
        for key in ("uncertainty", "start_uncertainty"):
            value = getattr(self, key)
            if value is not None and not 0 <= value < np.inf:
                raise CalibrationError(f"{key} = {value!r} (allowed: a number from 0)")
        self._check_numbers()

    def _check_numbers(self) -> None:
        for number in (self.gap, self.gap_percent, *(gap for _, gap in self.points)):
            if number is not None and not np.isfinite(number):
                raise CalibrationError(f"a gap of {number!r} (allowed: a finite number)")
        if self.gap_percent is not None and self.gap_percent <= -100:
            raise CalibrationError(f"gap_percent = {self.gap_percent:g} (allowed: above -100)")
        dates = [date for date, _ in self.points]
        if dates != sorted(set(dates)) or (dates and not self.start <= dates[0] <= dates[-1] <= self.end):
            raise CalibrationError("the dates of points must ascend, from start to end")
        if self.standards is not None:
            (low, low_read), (high, high_read) = self.standards
            if not (low < high and low_read < high_read):
                raise CalibrationError("standards must be [low, read], [high, read], both ascending")

    @property
    def _pair(self) -> tuple[Standard, Standard] | None:
        if self.standards is None or self.scheme == "line":
            return self.standards
        (low, read), high = self.standards
        return (low, 2 * low - read), high

    def line(self, time: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return scale and shift at times (µs since 1970 UTC): ``corrected = scale · result + shift``."""
        return drift_line(
            time,
            self.start,
            self.end,
            gap=self.gap,
            gap_percent=self.gap_percent,
            points=self.points or None,
            standards=self._pair,
            shape=self.shape,
        )

    def applies(self, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which times it speaks of."""
        mask: NDArray[np.bool_] = (time >= self.start) & (time < self.end + self.closed)
        return mask

    def spread(self, time: NDArray[np.int64], result: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard uncertainty of the correction itself, in the unit of the result.

        Of what is found at both ends, uncorrelated: u² = ((1 - f) u_start)² + (f u_end)², f the share that has come.
        How the drift went on its way is not known and not part of it.
        """
        share = np.ones(len(time)) if self.shape == "step" else elapsed(time, self.start, self.end)
        both = np.hypot((1.0 - share) * (self.start_uncertainty or 0.0), share * (self.uncertainty or 0.0))
        return both if self.gap_percent is None else both * np.abs(result) / 100.0

    def step(self) -> tuple[str, int, int, dict[str, Any]]:
        """Return action, start, end and parameters of the review step that does the same in a server.

        `nilometer.review.parse` takes them. The step's uncertainty is in the unit of the result, so one of a percentage
        is not handed on.
        """
        forms = {"gap": self.gap, "gap_percent": self.gap_percent, "standards": self._pair}
        told: dict[str, Any] = {key: form for key, form in forms.items() if form is not None}
        if self.points:
            told["points"] = self.points
        if self.shape != "linear":
            told["shape"] = self.shape
        if self.gap_percent is None and (self.uncertainty is not None or self.start_uncertainty is not None):
            told |= {"uncertainty": self.uncertainty or 0.0, "start_uncertainty": self.start_uncertainty or 0.0}
        return "drift", self.start, self.end + self.closed, told

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Correction:
        """Return the correction that a document says (see the module's docstring).

        Raises
        ------
        CalibrationError
            If a key is unknown or a value cannot be used.
        """
        unknown = [key for key in document if key not in _KEYS]
        if unknown:
            raise CalibrationError(f"{unknown[0]!r} is no key of a correction (allowed: {', '.join(_KEYS)})")
        given = dict(document)
        try:
            given["start"], given["end"] = _moment(given["start"]), _moment(given["end"])
            given |= {key: float(given[key]) for key in _NUMBERS if given.get(key) is not None}
            if "points" in given:
                given["points"] = tuple((_moment(date), float(gap)) for date, gap in given["points"])
            if given.get("standards") is not None:
                low, high = ((float(value), float(read)) for value, read in given["standards"])
                given["standards"] = (low, high)
        except KeyError as error:
            raise CalibrationError(f"a correction needs {error.args[0]}") from error
        except (TypeError, ValueError) as error:
            raise CalibrationError(f"a correction cannot be read: {error}") from error
        return Correction(**given)

    def to_document(self) -> dict[str, Any]:
        """Return JSON-ready data that `from_document` reads back to the same correction."""
        document: dict[str, Any] = {"start": _text(self.start), "end": _text(self.end)}
        usual = {"shape": "linear", "scheme": "line", "closed": False, "cause": ""} | dict.fromkeys(_NUMBERS)
        document |= {key: getattr(self, key) for key, plain in usual.items() if getattr(self, key) != plain}
        if self.points:
            document["points"] = [[_text(date), gap] for date, gap in self.points]
        if self.standards is not None:
            document["standards"] = [list(pair) for pair in self.standards]
        return document


@dataclass(frozen=True, slots=True)
class Corrected:
    """A series without its drift.

    Parameters
    ----------
    result : same kind as the series
        To 12 significant digits.
    uncertainty : ndarray of float64, shape (n,)
        Combined standard uncertainty; NaN: not known.
    """

    result: Any
    uncertainty: NDArray[np.float64]


def correct(
    series: Any,  # noqa: ANN401 -- any library's series
    corrections: Sequence[Correction],
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    uncertainty: ArrayLike | None = None,
) -> Corrected:
    """Return a series with corrections applied, one after the other, each to what the one before left.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Results; a missing one stays missing. It is not changed.
    corrections : sequence of Correction
        Fouling before drift, where both were found at one visit.
    time : array_like, optional
        Times, where the series brings none.
    uncertainty : array_like, shape (n,), optional
        Standard uncertainty of the results; without it that of the corrected ones is not known.

    Returns
    -------
    Corrected

    Raises
    ------
    ValueError
        If there are no times, or not one uncertainty for each value.
    """
    part = unpack(series, time)
    if part.times is None:
        raise ValueError("these values bring no times: give them as time=")
    values = part.values.copy()
    spread = np.full(len(values), np.nan) if uncertainty is None else np.array(uncertainty, np.float64)
    if spread.shape != values.shape:
        raise ValueError(f"{len(values)} values and {spread.size} uncertainties: one for each value is needed")
    for correction in corrections:
        rows = np.flatnonzero(correction.applies(part.times) & ~np.isnan(values))
        times, before = part.times[rows], values[rows]
        scale, shift = correction.line(times)
        values[rows] = short(scale * before + shift)
        spread[rows] = np.hypot(scale * spread[rows], correction.spread(times, before))
    return Corrected(part.rewrap(values), spread)


def _moment(time: Any) -> int:  # noqa: ANN401 -- text, datetime or µs
    if isinstance(time, str) and datetime.fromisoformat(time).tzinfo is None:
        raise ValueError(f"{time!r} has no zone: write one, such as 2024-03-01T08:00:00Z")
    return int(microseconds([time])[0])


def _text(time: int) -> str:
    return (_EPOCH + timedelta(microseconds=time)).isoformat()
