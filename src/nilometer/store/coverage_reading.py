"""What a reader is told of the coverage of Datastreams: as it is at hand, or measured where that is in doubt.

As of an earlier commit it is measured, and kept as long as the snapshot.
"""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model import NO_TIME
from nilometer.store.coverage import NO_FIRST, Covered
from nilometer.store.query import query
from nilometer.store.view import View
from nilometer.store.visible import Visible

__all__ = ["CoverageReading"]


class CoverageReading:
    """What a snapshot says of what rows speak of.

    Parameters
    ----------
    view : View
        What is seen; its coverage is brought up to date here.
    visible : Visible
        The rows of it.
    """

    def __init__(self, view: View, visible: Visible) -> None:
        self._view, self._visible = view, visible
        self._then: dict[int, Covered] = {}
        self._lock = threading.Lock()

    def result_times(
        self, datastreams: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the first and last result_time of Datastreams, µs UTC, and which of them have any."""
        first, last = np.full(len(datastreams), NO_FIRST, np.int64), np.full(len(datastreams), NO_TIME, np.int64)
        known = self._sure(datastreams)
        if self._view.commit is None:
            coverage = self._view.coverage
            first[known] = coverage.result_first[datastreams[known]]
            last[known] = coverage.result_last[datastreams[known]]
        else:
            for at in known.tolist():
                covered = self._then[int(datastreams[at])]
                first[at], last[at] = covered.first, covered.last
        return first, last, last != NO_TIME

    def features(self, datastreams: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Return the FeaturesOfInterest that the rows of Datastreams speak of, and of which place each is."""
        known = self._sure(datastreams)
        if self._view.commit is not None:
            each = [sorted(self._then[number].features) for number in datastreams[known].tolist()]
            return np.repeat(known, [len(one) for one in each]), np.array([f for one in each for f in one], np.int32)
        coverage = self._view.coverage
        last = coverage.feature[datastreams[known]]
        known, last = known[last != 0], last[last != 0]
        if not coverage.others:
            return known, last
        pairs = zip(known.tolist(), datastreams[known].tolist(), strict=True)
        more = [(at, other) for at, number in pairs for other in coverage.others.get(number, ())]
        places, others = zip(*more, strict=True) if more else ((), ())
        return np.append(known, np.array(places, np.intp)), np.append(last, np.array(others, np.int32))

    def speaking_of(self, feature: int) -> NDArray[np.int64] | None:
        """Return Datastreams among which are all whose water rows speak of a FeatureOfInterest; None: any may."""
        coverage = self._view.coverage
        if self._view.commit is not None:
            return None  # what is known is of now
        found = np.flatnonzero(coverage.unsure | (coverage.feature == feature))
        more = [number for number, some in coverage.others.items() if feature in some]
        return np.union1d(found, np.array(more, np.int64))

    def _sure(self, datastreams: NDArray[np.int64]) -> NDArray[np.intp]:
        """Measure what is in doubt; return the places of those of which anything is known."""
        coverage = self._view.coverage
        known = np.flatnonzero((datastreams >= 0) & (datastreams < len(coverage.unsure)))
        with self._lock:
            if self._view.commit is not None:
                for number in datastreams[known].tolist():
                    if number not in self._then:
                        self._then[number] = measure(self._visible, number)
                return known
            for number in datastreams[known][coverage.unsure[datastreams[known]]].tolist():
                covered = measure(self._visible, number)
                coverage.correct(number, covered)
                self._view.learn_coverage(number, self._view.sequence, covered)
        return known


def measure(visible: Visible, datastream: int) -> Covered:
    """Return what the rows of a Datastream speak of; of files whose statistics say it no row is read.

    Raises
    ------
    StoreError
        If a file of the lake cannot be read.
    """
    wanted = query([datastream], None, None)
    names = ("feature", "result_time")
    features: set[int] = set()
    tables = list(visible.hot(wanted, names, water_only=True))
    for file, groups, plain in visible.plain_groups(wanted, water_only=True):
        blocks, ranges = file.blocks, file.ranges
        told = plain & (blocks.first[groups] == blocks.last[groups])
        told &= ranges.lowest_feature[groups] == ranges.highest_feature[groups]
        told &= "result_time" in file.absent
        features.update(np.unique(ranges.lowest_feature[groups[told]]).tolist())
        if not told.all():
            tables.append(visible.of_file(file, groups[~told], wanted, names, water_only=True))
    first, last = NO_FIRST, NO_TIME
    for table in tables:
        features.update(pc.unique(table["feature"]).to_pylist())
        ends = pc.min_max(table["result_time"].cast(pa.int64()))
        if ends["min"].is_valid:
            first, last = min(first, ends["min"].as_py()), max(last, ends["max"].as_py())
    return Covered(frozenset(features), first, last)
