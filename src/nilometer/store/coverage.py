"""What the water rows of every Datastream speak of: their FeaturesOfInterest, and the span of their result times.

Both are widened by each row that comes and kept with the index, so that nobody reads rows for them. A delete or a
revision may have narrowed them: then they are measured when somebody asks, as they are in a folder that an earlier
version wrote, and the answer is given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model import NO_TIME

__all__ = ["NO_FIRST", "Coverage", "Covered", "result_times_of"]

NO_FIRST = int(np.iinfo(np.int64).max)
"""The first result time where there is none."""
_NONE: frozenset[int] = frozenset()
_FACTS: dict[str, tuple[type, int]] = {
    "feature": (np.int32, 0),
    "result_first": (np.int64, NO_FIRST),
    "result_last": (np.int64, NO_TIME),
    "unsure": (np.bool_, 0),
}


@dataclass(frozen=True, slots=True)
class Covered:
    """What the rows of one Datastream speak of; without result times `first` is greater than `last`, µs UTC."""

    features: frozenset[int] = _NONE
    first: int = NO_FIRST
    last: int = NO_TIME


@dataclass(slots=True)
class Coverage:
    """Facts by Datastream id; `view` shares them with readers, and what is shared is copied before it changes.

    Attributes
    ----------
    feature : ndarray of int32
        The FeatureOfInterest of the row that came last; 0: no row has come.
    others : mapping of int to frozenset of int
        Those of earlier rows, where there are others.
    result_first, result_last : ndarray of int64
        First and last result_time, µs UTC.
    unsure : ndarray of bool
        Whether any of it may be wider than the truth.
    disturbed : dict of int to int
        The last commit that touched a Datastream while it was unsure.
    thinned : set of int
        Datastreams of one feature that rows have gone from, perhaps all of them: the next feature puts that in doubt.
    """

    feature: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    result_first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    result_last: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    unsure: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    others: Mapping[int, frozenset[int]] = field(default_factory=dict)
    disturbed: dict[int, int] = field(default_factory=dict)
    thinned: set[int] = field(default_factory=set)
    _shared: set[str] = field(default_factory=set)

    def view(self) -> Coverage:
        """Return the facts of now, for a reader who may correct his own."""
        self._shared = set(_FACTS)
        return replace(self, disturbed={}, thinned=set(), _shared=set(_FACTS))

    def saw(
        self,
        datastream: NDArray[np.int32],
        feature: NDArray[np.int32],
        result_time: NDArray[np.int64] | None,
        commit: int,
        samples: NDArray[np.int32],
    ) -> None:
        """Widen by rows.

        Parameters
        ----------
        datastream, feature : ndarray of int32
            Of each row.
        result_time : ndarray of int64, optional
            µs UTC, `NO_TIME` where a row has none; None: none has.
        commit : int
            With which they came.
        samples : ndarray of int32
            Features that are no water.
        """
        if not len(datastream):
            return
        self._reach(int(datastream.max()))
        if self.disturbed:
            for number in np.unique(datastream[self.unsure[datastream]]).tolist():
                self.disturbed[number] = commit
        if len(samples) and (is_sample := np.isin(feature, samples)).any():
            water = ~is_sample
            datastream, feature = datastream[water], feature[water]
            result_time = None if result_time is None else result_time[water]
        self._saw_features(datastream, feature, commit)
        if result_time is None:
            return
        said = result_time != NO_TIME
        if not said.all():
            datastream, result_time = datastream[said], result_time[said]
        # What stays is not written: what is written is copied, where a reader has it.
        if (result_time < self.result_first[datastream]).any():
            np.minimum.at(self._own("result_first"), datastream, result_time)
        if (result_time > self.result_last[datastream]).any():
            np.maximum.at(self._own("result_last"), datastream, result_time)

    def _saw_features(self, datastream: NDArray[np.int32], feature: NDArray[np.int32], commit: int) -> None:
        other = self.feature[datastream] != feature
        if not other.any():
            return
        new = np.flatnonzero(other)
        first = new[self.feature[datastream[new]] == 0]
        own = self._own("feature")
        own[datastream[first]] = feature[first]
        new = new[own[datastream[new]] != feature[new]]
        if not len(new):
            return
        others = dict(self.others)
        for pair in np.unique((datastream[new].astype(np.int64) << 32) | feature[new]).tolist():
            number, came = pair >> 32, pair & 0xFFFFFFFF
            others[number] = (others.get(number, _NONE) | {int(own[number])}) - {came}
            own[number] = came
        self.others = others
        thinned = self.thinned.intersection(datastream[new].tolist())
        self.thinned -= thinned
        self._doubt(np.array(sorted(thinned), np.int32), commit)

    def doubt(self, datastreams: NDArray[np.int32], commit: int) -> None:
        """Let what rows have gone from be measured, unless they had one feature and no result time as all others."""
        mine = datastreams[datastreams < len(self.unsure)]
        several = np.array([number in self.others for number in mine.tolist()], bool)
        wide = several | (self.result_last[mine] != NO_TIME) | self.unsure[mine]
        self._doubt(mine[wide], commit)
        self.thinned.update(mine[~wide].tolist())

    def doubt_all(self, datastreams: NDArray[np.int32]) -> None:
        """Let Datastreams be measured of which rows were counted without being looked at."""
        if len(datastreams):
            self._reach(int(datastreams.max()))
            self._doubt(datastreams, 0)

    def _doubt(self, mine: NDArray[np.int32], commit: int) -> None:
        if len(mine):
            self._own("unsure")[mine] = True
            self.disturbed |= dict.fromkeys(mine.tolist(), commit)

    def learn(self, datastream: int, sequence: int, covered: Covered) -> None:
        """Take what a reader measured, if nothing has come since what it saw."""
        if self.unsure[datastream] and self.disturbed.get(datastream, 0) <= sequence:
            self.correct(datastream, covered)

    def correct(self, datastream: int, covered: Covered) -> None:
        """Say what rows of a Datastream speak of."""
        newest = int(self.feature[datastream])
        newest = newest if newest in covered.features else max(covered.features, default=0)
        rest = covered.features - {newest}
        others = {number: known for number, known in self.others.items() if number != datastream}
        self.others = others | ({datastream: rest} if rest else {})
        self._own("feature")[datastream] = newest
        self._own("result_first")[datastream], self._own("result_last")[datastream] = covered.first, covered.last
        self._own("unsure")[datastream] = False
        self.disturbed.pop(datastream, None)
        self.thinned.discard(datastream)

    def of(self, datastream: int) -> Covered:
        """Return what is known of a Datastream."""
        features = self.others.get(datastream, _NONE) | {int(self.feature[datastream])} - {0}
        return Covered(features, int(self.result_first[datastream]), int(self.result_last[datastream]))

    def to_bytes(self) -> bytes:
        """Return all of it, for `merge`."""
        used = np.flatnonzero((self.feature != 0) | self.unsure)
        columns: dict[str, Any] = {name: getattr(self, name)[used] for name in _FACTS}
        columns["unsure"] |= np.isin(used, sorted(self.thinned))
        columns["others"] = [sorted(self.others.get(number, ())) for number in used.tolist()]
        columns["datastream"] = used.astype(np.int32)
        kinds = {"others": pa.list_(pa.int32())}
        batch = pa.RecordBatch.from_pydict({name: pa.array(one, kinds.get(name)) for name, one in columns.items()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return bytes(sink.getvalue())

    def merge(self, state: bytes) -> None:
        """Take over what `to_bytes` returned."""
        table = pa.ipc.open_stream(state).read_all()
        datastream = table["datastream"].to_numpy()
        if not len(datastream):
            return
        self._reach(int(datastream.max()))
        for name in _FACTS:
            self._own(name)[datastream] = table[name].to_numpy()
        several = np.flatnonzero(pc.list_value_length(table["others"]).to_numpy())
        known = table["others"].take(pa.array(several)).to_pylist()
        self.others = {int(datastream[at]): frozenset(one) for at, one in zip(several, known, strict=True)}
        self.disturbed = dict.fromkeys(np.flatnonzero(self.unsure).tolist(), 0)

    def _reach(self, datastream: int) -> None:
        if datastream < len(self.unsure):
            return
        size = max(64, 1 << int(datastream).bit_length())
        for name, (kind, value) in _FACTS.items():
            new: NDArray[Any] = np.full(size, value, kind)
            old = getattr(self, name)
            new[: len(old)] = old
            setattr(self, name, new)
        self._shared = set()

    def _own(self, name: str) -> Any:  # noqa: ANN401 -- an array of its type
        if name in self._shared:
            setattr(self, name, getattr(self, name).copy())
            self._shared = self._shared - {name}
        return getattr(self, name)


def result_times_of(rows: pa.RecordBatch | pa.Table) -> NDArray[np.int64] | None:
    """Return the result times of rows for `Coverage.saw`; None: no row has one."""
    if "result_time" not in rows.schema.names:
        return None
    times = rows["result_time"]
    if times.null_count == len(times):
        return None
    moments = times.cast(pa.int64())
    return np.asarray(moments.fill_null(NO_TIME) if times.null_count else moments)
