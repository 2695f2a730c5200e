"""What was recorded of one standard: from the word of the operator until its readings are there."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.bench.procedure import Step

__all__ = ["Outcome", "Segment"]


class Outcome(StrEnum):
    """What became of a segment."""

    OPEN = "open"
    COMPLETE = "complete"
    SHORT = "short"
    NOT_STEADY = "not_steady"
    SKIPPED = "skipped"
    REPEATED = "repeated"


@dataclass(slots=True)
class Segment:
    """Rows of one standard, and the readings made of them.

    Parameters
    ----------
    step : str
        Key of the step.
    began_us : int
        When the standard was given, µs since 1970 UTC.
    place : int
        In the procedure's order; −1 where it came out of order.
    """

    step: str
    began_us: int
    place: int = -1
    outcome: Outcome = Outcome.OPEN
    reason: str = ""
    steady_us: int | None = None
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    readings: list[float] = field(default_factory=list)
    reading_times: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return times and values."""
        return np.array(self.times, np.int64), np.array(self.values, np.float64)

    def since(self, begin_us: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return times and values from a moment on."""
        first = bisect_left(self.times, begin_us)
        return np.array(self.times[first:], np.int64), np.array(self.values[first:], np.float64)

    def read(self, step: Step) -> None:
        """Make the readings that the rows since the steady part began are enough for."""
        if self.steady_us is None or self.times[-1] < self._due_us(step):
            return
        times, values = self.arrays()
        first = int(np.searchsorted(times, self.steady_us))
        times, values = times[first:], values[first:]
        if step.reading_s <= 0.0 and step.every_s <= 0.0:
            there = np.flatnonzero(np.isfinite(values))[: step.readings]
            self.readings, self.reading_times = values[there].tolist(), times[there].tolist()
            return
        every = round(max(step.every_s, step.reading_s) * 1e6)
        long = round((step.reading_s or step.every_s) * 1e6)
        self.readings, self.reading_times = [], []
        for k in range(step.readings):
            start = self.steady_us + k * every
            a, b = np.searchsorted(times, [start, start + long])
            # A reading is over when a value after it has come; the last value of all may still be one of its own.
            is_single = step.reading_s <= 0.0
            if (b >= len(times) and not is_single) or (is_single and a >= len(times)):
                return
            part = values[a:b][np.isfinite(values[a:b])]
            if is_single:
                part = part[:1]
                if not len(part) and b >= len(times):
                    return
            self.readings.append(float(part.mean()) if len(part) else float("nan"))
            self.reading_times.append(start)

    def _due_us(self, step: Step) -> int:
        """Return before when there cannot be another reading."""
        every_s = max(step.every_s, step.reading_s)
        return (self.steady_us or 0) + round((len(self.readings) * every_s + step.reading_s) * 1e6)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "step": self.step,
            "began_us": self.began_us,
            "place": self.place,
            "outcome": str(self.outcome),
            "reason": self.reason,
            "steady_us": self.steady_us,
            "times": self.times,
            "values": [None if value != value else value for value in self.values],  # noqa: PLR0124 -- NaN
            "readings": [None if value != value else value for value in self.readings],  # noqa: PLR0124 -- NaN
            "reading_times": self.reading_times,
            "notes": self.notes,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Segment:
        """Return what `to_dict` gave."""
        numbers = {
            name: [float("nan") if value is None else float(value) for value in content[name]]
            for name in ("values", "readings")
        }
        return cls(**{**content, **numbers, "outcome": Outcome(content["outcome"])})
