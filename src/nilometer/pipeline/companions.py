"""Companions: the value of another Datastream that a row's calibration asks for, and what follows when that changes.

A row is stored at once, whatever is known of its companion by then. The companion is the newest usable row at or
before the row's time, within a tolerance: a rule that knows nothing of the order of arrival. One that comes, is
revised, reviewed, settled or deleted later has the rows that it belongs to calibrated again, as revisions in its own
commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nilometer import units
from nilometer.calibration.table import Companions
from nilometer.errors import UnitError
from nilometer.model import Datastream, ObservationBatch, QartodFlag
from nilometer.pipeline.calibration_rules import companion_tolerance
from nilometer.pipeline.derived import newest_only
from nilometer.pipeline.derived_changes import span
from nilometer.pipeline.derived_inputs import Inputs, near_each_other
from nilometer.pipeline.derived_rows import Operand, Rows, Times, taken_at
from nilometer.pipeline.judging import Judging
from nilometer.pipeline.log import Log
from nilometer.pipeline.reprocess_judging import CALIBRATION, QC, Rejudging
from nilometer.pipeline.reviewing import Reviewing
from nilometer.store import Catalog, Store

__all__ = ["Asking", "Beside", "asking", "companions_of"]

PIECE = 100_000
"""Rows that are calibrated again at once."""

_USED = frozenset({int(QartodFlag.PASS), int(QartodFlag.NOT_EVALUATED), int(QartodFlag.SUSPECT)})

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Asking:
    """A Datastream whose calibrations ask for companions.

    Parameters
    ----------
    datastream : int
        Whose rows are calibrated.
    operands : mapping of str to Operand
        How each companion is taken, in degree_Celsius, by its key.
    used : frozenset of int
        Flags of companions that are used.
    """

    datastream: int
    operands: Mapping[str, Operand]
    used: frozenset[int] = _USED

    @property
    def companions(self) -> frozenset[int]:
        """The Datastreams that are there of those it asks for."""
        return frozenset(one.datastream for one in self.operands.values() if one.datastream is not None)


def asking(catalog: Catalog, keys: Mapping[int, Sequence[str]]) -> dict[int, Asking]:
    """Return what asks for companions, with everything looked up; what is not there, or is no temperature, gives none.

    Parameters
    ----------
    catalog : Catalog
        Knows Datastreams.
    keys : mapping of int to sequence of str
        Which Datastream asks for which.
    """
    found = {}
    for number, wanted in keys.items():
        operands = {}
        tolerance = round(companion_tolerance(catalog.datastream(number)) * 1e6)
        for key in wanted:
            other = catalog.datastream_by_key(key)
            if other is None or other.id == number:
                continue
            try:
                scale, offset = units.affine(other.unit, "degree_Celsius")
            except UnitError as error:
                _log.warning("a companion is no temperature", companion=key, unit=other.unit, error=str(error))
                continue
            operands[key] = Operand(key, other.id, scale, offset, "previous", tolerance)
        found[number] = Asking(number, operands)
    return found


def companions_of(
    rows: ObservationBatch,
    wanted: tuple[np.ndarray[Any, np.dtype[np.int32]], list[str]],
    asks: Mapping[int, Asking],
    read: Callable[[int, int, int], Rows],
) -> Companions | None:
    """Return the companion of each row; None where no row asks for one.

    Parameters
    ----------
    rows : ObservationBatch
        To be calibrated.
    wanted : tuple
        What `CalibrationTable.wanted` says of them.
    asks : mapping of int to Asking
        By Datastream.
    read : callable
        Returns the finished rows of a Datastream from one time to another, both in it.
    """
    code, keys = wanted
    if not (code >= 0).any():
        return None
    both = Companions(np.full(len(rows), np.nan), np.full(len(rows), np.nan))
    for number in np.unique(rows.datastream[code >= 0]).tolist():
        one = asks.get(number)
        for place, key in enumerate(keys):
            operand = None if one is None else one.operands.get(key)
            mine = np.flatnonzero((rows.datastream == number) & (code == place))
            if one is None or operand is None or operand.datastream is None or not len(mine):
                continue
            times = rows.phenomenon_time[mine]
            near = read(operand.datastream, int(times.min()) - operand.tolerance, int(times.max()))
            depth = None if rows.depth is None else rows.depth[mine]
            both.value[mine], both.uncertainty[mine] = taken_at(one, operand, near, times, depth)
    return both


class Beside:
    """The companions of live rows; in the thread that judges.

    Parameters
    ----------
    store : Store
        Where rows are calibrated again.
    inputs : Inputs
        The companions.
    judging : Judging
        Knows the calibrations, and judges.
    reviewing : callable
        Returns what knows the automatic rows.
    rest : callable
        Returns when everything that was judged before is written.
    """

    def __init__(
        self,
        store: Store,
        inputs: Inputs,
        judging: Judging,
        reviewing: Callable[[], Reviewing],
        rest: Callable[[], None],
    ) -> None:
        self._store, self._inputs, self._judging = store, inputs, judging
        self._reviewing, self._rest = reviewing, rest
        self._seen: dict[int, tuple[str, ...]] = {}
        self._is_stale = False
        self.asks: dict[int, Asking] = {}
        store.catalog.on_change(self._entity_changed)

    def _entity_changed(self, entity: object) -> None:
        self._is_stale |= isinstance(entity, Datastream) and bool(self._judging.asking)

    def look(self) -> bool:
        """Read what has changed; return whether something had to be read."""
        if not self._is_stale and self._seen == self._judging.asking:
            return False
        self._is_stale, self._seen = False, dict(self._judging.asking)
        self.asks = asking(self._store.catalog, self._seen)
        return True

    @property
    def spans(self) -> dict[int, int]:
        """Of each companion, and each that asks, how many µs of rows are asked for again and again."""
        spans: dict[int, int] = {}
        for one in self.asks.values():
            for operand in one.operands.values():
                for number in (operand.datastream, one.datastream):
                    if number is not None:
                        spans[number] = max(spans.get(number, 0), 4 * operand.tolerance)
        return spans

    def of(self, rows: ObservationBatch, finished: ObservationBatch) -> Companions | None:
        """Return the companions of rows that are new.

        Parameters
        ----------
        rows : ObservationBatch
            Admitted.
        finished : ObservationBatch
            Rows of the same commit that are judged already.
        """
        coming = dict(self._inputs.parts(newest_only(finished))) if len(finished) else {}

        def read(number: int, start: int, end: int) -> Rows:
            near = self._inputs.rows(number, start, end)
            new = coming.get(number)
            if new is None:
                return near
            return Rows.concat([near.take(~np.isin(near.id, new.id)), new]).sorted()

        return companions_of(rows, self._judging.wanted(rows), self.asks, read)

    def concerned(self, changed: Mapping[int, Times]) -> Iterator[tuple[int, int, int]]:
        """Yield Datastream, first and last time of rows whose companions may have changed, by the times of these."""
        for one in self.asks.values():
            for operand in one.operands.values():
                number = operand.datastream
                if number is None or number not in changed:
                    continue
                for some in near_each_other(changed[number]):
                    near = self._inputs.rows(
                        number, int(some[0]) - operand.tolerance, int(some[-1]) + operand.tolerance
                    )
                    first, last = span(one, operand, some, near)
                    yield one.datastream, int(first.min()), int(last.max())

    def lost(self, datastreams: Sequence[int], start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield, as `concerned` does, whose companions from `start` to `end` are gone."""
        for one in self.asks.values():
            gone = [operand.tolerance for operand in one.operands.values() if operand.datastream in datastreams]
            extent = self._store.snapshot().extent(one.datastream) if gone else None
            if extent is not None and (first := max(start, extent[0])) <= (last := min(end + max(gone), extent[1])):
                yield one.datastream, first, last

    def revised(
        self, datastream: int, first: int, last: int, coming: Sequence[ObservationBatch] = ()
    ) -> Iterator[ObservationBatch]:
        """Yield rows from `first` to `last` that come out otherwise, calibrated and judged anew as revisions.

        Parameters
        ----------
        datastream, first, last
            Whose rows; both ends in it.
        coming : sequence of ObservationBatch
            Rows of the commit at hand.
        """
        late = self._late(coming, datastream, first, last)
        if self._are_all(late, datastream, first, last):
            if len(late) and len(made := self._again(late)):
                yield made
            return
        self._rest()
        snapshot = self._store.snapshot()
        pending = [(first, last)]
        while pending:
            start, end = pending.pop()
            if end > start and snapshot.count([datastream], start, end + 1, water_only=False) > PIECE:
                middle = (start + end) // 2
                pending += [(middle + 1, end), (start, middle)]
                continue
            stored, _ = self._reviewing().automatic(snapshot, datastream, start, end + 1)
            mine = late.take((late.phenomenon_time >= start) & (late.phenomenon_time <= end))
            stored = ObservationBatch.concat([stored.take(~np.isin(_ids(stored), _ids(mine))), mine])
            if len(stored) and len(made := self._again(stored)):
                yield made

    def _late(self, coming: Sequence[ObservationBatch], datastream: int, first: int, last: int) -> ObservationBatch:
        """Return the automatic rows among those that come, each once."""
        found = [_NONE]
        for rows in coming:
            time = rows.phenomenon_time
            mine = (rows.datastream == datastream) & (time >= first) & (time <= last)
            if mine.any() and rows.provenance is not None:
                mine &= ~self._store.catalog.reviewed(rows.provenance)
            if mine.any():
                found.append(rows.take(mine))
        return newest_only(ObservationBatch.concat(found[1:] or found))

    def _are_all(self, late: ObservationBatch, datastream: int, first: int, last: int) -> bool:
        """Say whether the rows that come are all there are in a span; windows hold what is served of the water."""
        if self._reviewing().plans or self._store.catalog.sample_kinds():
            return False
        return bool(np.isin(self._inputs.rows(datastream, first, last).id, _ids(late)).all())

    def _again(self, old: ObservationBatch) -> ObservationBatch:
        """Return the rows that come out otherwise today."""
        new = replace(
            old,
            result=None,
            result_uncertainty=None,
            result_quality=None,
            tests=None,
            provenance=None,
            supersedes=np.ones(len(old), bool),
        )
        found = companions_of(new, self._judging.wanted(new), self.asks, self._inputs.rows)
        self._judging.calibrate(new, found)
        changed = np.flatnonzero(~_same(old.result, new.result) | ~_same(_spread(old), _spread(new)))
        old, new = old.take(changed), new.take(changed)
        if len(new):
            members = [self._store.catalog.datastream(int(number)) for number in np.unique(new.datastream)]
            # What was known of a row only when it came (when that was, its frame) is said again as it was said then.
            Rejudging(self._store, None, members, (CALIBRATION, QC), judging=self._judging).restate(old, new)
        return new


_NONE = ObservationBatch(
    datastream=np.empty(0, np.int32), phenomenon_time=np.empty(0, np.int64), raw_result=np.empty(0)
)


def _ids(rows: ObservationBatch) -> Times:
    return np.empty(0, np.int64) if rows.id is None else rows.id


def _spread(rows: ObservationBatch) -> np.ndarray[Any, np.dtype[np.float32]]:
    if rows.result_uncertainty is None:
        return np.full(len(rows), np.nan, np.float32)
    return rows.result_uncertainty.astype(np.float32)  # as it is stored


def _same(one: Any, other: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:  # noqa: ANN401 -- two columns of floats
    same: np.ndarray[Any, np.dtype[np.bool_]] = one == other
    same |= np.isnan(one) & np.isnan(other)
    return same
