"""Modelled water as a feed: one moment for a virtual instrument, or two weeks at once to fill the past."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.acquisition.simulators.simulator import Reading
from nilometer.demo.analysers import Analyser, CycleColumns
from nilometer.demo.probes import Probes
from nilometer.model.entities import SampleKind

__all__ = ["History", "ModelledFeed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The past of one property, as columns in rising time.

    Parameters
    ----------
    phenomenon_time : ndarray of int64, shape (n,)
        µs since 1970 UTC: of the reading, or of the sample.
    values : ndarray of float64, shape (n,)
        In the vocabulary's unit; NaN where the instrument said that it has none.
    marks : ndarray of object, shape (n,)
        What the instrument said of each value, or None.
    result_time : ndarray of int64, shape (n,), optional
        When an analyser's result existed; its cycle lasted from the one to the other.
    sample : ndarray of int8, shape (n,), optional
        `SampleKind`; None: all of the water.
    """

    phenomenon_time: NDArray[np.int64]
    values: NDArray[np.float64]
    marks: NDArray[np.object_]
    result_time: NDArray[np.int64] | None = None
    sample: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def duration(self) -> NDArray[np.int64] | None:
        """Return how long each cycle lasted, µs; None where values are instants."""
        return None if self.result_time is None else self.result_time - self.phenomenon_time


class ModelledFeed:
    """A water seen through its instruments; meets `Feed`.

    Nothing is kept from call to call but what was computed for the newest cycle of each analyser, so any moment can be
    asked for, and a second start continues where the first one ended.

    Parameters
    ----------
    water : callable
        µs since 1970 UTC (n,) to the true state by vocabulary key.
    probes : Probes
        Instruments that measure without pause.
    analysers : sequence of Analyser
        Instruments with cycles.
    """

    def __init__(
        self,
        water: Callable[[NDArray[np.int64]], Mapping[str, NDArray[np.float64]]],
        probes: Probes,
        analysers: Sequence[Analyser],
    ) -> None:
        self.water, self.probes, self.analysers = water, probes, tuple(analysers)
        self._shown: dict[str, tuple[int, int, Reading]] = {}

    @property
    def keys(self) -> tuple[str, ...]:
        """Return what is measured, vocabulary keys."""
        return (*(probe.key for probe in self.probes.probes), *(analyser.key for analyser in self.analysers))

    def at(self, time: int) -> Mapping[str, Reading]:
        """Return the readings at `time`, µs since 1970 UTC: probes now, analysers as their last finished cycle."""
        moment = np.array([time], np.int64)
        readings = {
            key: Reading(float(part.values[0]), mark=part.marks[0]) for key, part in self.probes.read(moment).items()
        }
        for analyser in self.analysers:
            readings[analyser.key] = self._newest(analyser, time)
        return readings

    def history(self, start: int, end: int, step: int) -> dict[str, History]:
        """Return all that would have been read from `start` (inclusive) to `end` (exclusive).

        Parameters
        ----------
        start, end : int
            µs since 1970 UTC.
        step : int
            µs from reading to reading of the probes; they fall on whole steps since 1970.

        Returns
        -------
        dict of str to History
            Vocabulary key to its past; of analysers the cycles that were finished in that time.
        """
        times = np.arange(-(-start // step), -(-end // step), dtype=np.int64) * step
        past = {
            key: History(phenomenon_time=times, values=part.values, marks=part.marks)
            for key, part in self.probes.read(times).items()
        }
        for analyser in self.analysers:
            done = analyser.finished_between(start, end, self.water)
            past[analyser.key] = History(
                phenomenon_time=done.start,
                values=done.values,
                marks=done.marks,
                result_time=done.completion,
                sample=done.sample,
            )
        return past

    def _newest(self, analyser: Analyser, time: int) -> Reading:
        known = self._shown.get(analyser.key)
        if known is None or not known[0] <= time < known[1]:
            cycle = analyser.newest(time, self.water)
            known = (int(cycle.completion[0]), _until(analyser, cycle), _reading(cycle))
            self._shown[analyser.key] = known
        return known[2]


def _until(analyser: Analyser, cycle: CycleColumns) -> int:
    """Return when the next cycle of an analyser is finished: the first water or check sample after this one."""
    period, duration = analyser.period_us, int(cycle.completion[0] - cycle.start[0])
    start = int(cycle.start[0])
    water = (start // period + 1) * period
    day = 24 * 3_600_000_000
    check = ((start - analyser.check_at_us) // day + 1) * day + analyser.check_at_us
    return min(water, check) + duration


def _reading(cycle: CycleColumns) -> Reading:
    return Reading(
        float(cycle.values[0]),
        time=int(cycle.start[0]),
        mark=cycle.marks[0],
        sample=SampleKind(int(cycle.sample[0])),
    )
