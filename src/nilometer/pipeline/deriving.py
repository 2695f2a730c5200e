"""Derivation: what follows from finished rows, level by level, in the commit that brings them.

Rows that arrive, are revised, reviewed or settled mark those times of the clock whose inputs they may be. Of these, the
times whose inputs are all there, whose deadline has passed, or that have a row already are computed; the others wait.
What a time gives is computed by `rows_of` from the rows as they then are, so that in whatever order they came the last
word is that of a run over all of them.

What is derived passes admission and qc like anything else, and is written behind its inputs in the same record of the
journal. A row that has no inputs any more becomes MISSING; it is never taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nilometer.calibration.table import Companions
from nilometer.errors import NilometerError
from nilometer.model import ObservationBatch, Settlements
from nilometer.pipeline.companions import Asking, Beside
from nilometer.pipeline.derived import Derived, Patient, joined, newest_only
from nilometer.pipeline.derived_admission import admitted_of
from nilometer.pipeline.derived_changes import Difference, concerned, differing, pieces, reach
from nilometer.pipeline.derived_commit import Asked, Commit, at_once
from nilometer.pipeline.derived_definitions import Definitions
from nilometer.pipeline.derived_inputs import EVER, Inputs, near_each_other
from nilometer.pipeline.derived_rows import (
    Definition,
    DerivedRows,
    Rows,
    Times,
    among,
    batch_of,
    gathered,
    is_final,
    rows_of,
    rows_of_each,
    united,
)
from nilometer.pipeline.derived_unseen import Unseen, unseen
from nilometer.pipeline.derived_waiting import Waiting, read_state, written_state
from nilometer.pipeline.judging import Judging
from nilometer.pipeline.log import Log
from nilometer.pipeline.reviewing import Reviewing
from nilometer.store import Store
from nilometer.store.settling import settle_own

__all__ = ["Deriving"]

STATE = "derivation"

T = TypeVar("T")

_log = Log(__name__)


class Deriving:
    """The derived Datastreams of a data folder; in the thread that judges.

    Parameters
    ----------
    store : Store
        Definitions, rows, and the state that outlives the process.
    judging : Judging
        Judges what is derived, and knows whose calibrations ask for companions.
    reviewing : callable
        Returns what lays the standing steps of a review over rows.
    rest : callable
        Returns when everything that was judged before is written.
    """

    def __init__(
        self, store: Store, judging: Judging, reviewing: Callable[[], Reviewing], rest: Callable[[], None]
    ) -> None:
        self._store, self._judge, self._reviewing = store, judging.finish_derived, reviewing
        self._inputs = Inputs(store, rest)
        self._beside = Beside(store, self._inputs, judging, reviewing, rest)
        self._definitions = Definitions(store)
        self._broken: dict[int, str] = {}
        self._waiting: dict[int, Waiting] = {}
        self._owed: list[tuple[list[int], int, int]] = []
        self._unseen, self._recovered = Unseen(), 0
        self._spans: dict[int, int] = {}
        self._next_due = EVER

    @property
    def problems(self) -> dict[int, str]:
        """Why derived Datastreams are not computed, by their ids."""
        return self._definitions.problems | self._broken

    def changed(self) -> None:
        """Take changed definitions from the next commit on."""
        self._definitions.changed()
        self._broken.clear()

    def definitions(self) -> list[Definition]:
        """Return the definitions that are computed, what another needs before it."""
        self._look()
        return self._definitions.all()

    def followers(self, datastreams: Iterable[int]) -> list[int]:
        """Return the derived Datastreams whose rows stand at the times of these, directly or by way of others."""
        self._look()
        return self._definitions.followers(datastreams)

    def asks(self) -> dict[int, Asking]:
        """Return which Datastreams have calibrations that ask for a companion, and how it is taken."""
        self._look()
        return self._beside.asks

    def beside(self, rows: ObservationBatch, finished: ObservationBatch) -> Companions | None:
        """Return the companions of admitted rows; see `Beside.of`."""
        self._look()
        return self._beside.of(rows, finished)

    def _look(self) -> None:
        if self._beside.look():
            asks = self._beside.asks.values()
            self._definitions.beside = {one.datastream: one.companions for one in asks}
            self._definitions.changed()
        if self._definitions.look():
            derived = frozenset(one.datastream for one in self._definitions.all())
            spans, asked = self._definitions.spans, self._beside.spans
            self._spans = {number: max(spans.get(number, 0), asked.get(number, 0)) for number in spans | asked}
            self._inputs.keep(self._spans, derived)
            self._waiting = {number: self._waiting.get(number, Waiting()) for number in derived}

    # Live

    def over(
        self,
        rows: ObservationBatch,
        settled: Settlements,
        received: int,
        patient: Patient = at_once,
        *,
        only_revisions: bool = False,
    ) -> Derived:
        """Return a commit with what follows from it.

        Parameters
        ----------
        rows : ObservationBatch
            Admitted, judged and reviewed.
        settled : Settlements
            New flags of earlier rows.
        received : int
            When this is, µs since 1970 UTC: deadlines count from here, and those before it have passed.
        patient : callable
            Does again what the store refuses.
        only_revisions : bool
            Times that have no row yet wait for the next commit: this one is no part of what the tests remember.
        """
        self._look()
        if not self._spans:
            return Derived(rows, settled)
        patient(self._take_up)
        admitted: list[ObservationBatch] = []
        try:
            return self._over(rows, settled, Commit({}, received, patient, only_revisions), admitted)
        except BaseException:
            for batch in admitted:
                self._store.abandon(batch)
            raise

    def _over(
        self, rows: ObservationBatch, settled: Settlements, commit: Commit, admitted: list[ObservationBatch]
    ) -> Derived:
        received, patient, changed = commit.received, commit.patient, commit.changed
        self._inputs.begin()
        settled = settle_own(rows, settled)
        changed |= self._put(rows, settled, patient)
        if not changed and received < self._next_due:
            return Derived(rows, settled)
        parts, flags = [rows], [settled]
        handled: dict[int, Times] = {}
        for level in (*self._definitions.levels, ()):
            for batch, theirs in self._again(commit, parts, handled):
                parts.append(batch)
                flags.append(theirs)
            columns = self._made(level, commit)
            if not columns:
                continue
            batch, mine = admitted_of(self._store, ObservationBatch.concat(columns), patient)
            admitted.append(mine)
            if not len(batch):
                continue
            batch, theirs = patient(partial(self._reviewing().over, batch, self._judge(batch, received)))
            theirs = settle_own(batch, theirs)
            parts.append(batch)
            flags.append(theirs)
            commit.note(self._put(batch, theirs, patient))
        self._next_due = self._soonest()
        if len(parts) == 1:
            return Derived(rows, settled, admitted)
        return Derived(ObservationBatch.concat(parts), joined(flags), admitted)

    def _again(
        self, commit: Commit, parts: Sequence[ObservationBatch], handled: dict[int, Times]
    ) -> Iterator[tuple[ObservationBatch, Settlements]]:
        """Yield the rows whose companions changed since `handled`, calibrated again."""
        asked = {number for one in self._beside.asks.values() for number in one.companions} & commit.changed.keys()
        new = {number: np.setdiff1d(commit.changed[number], handled.get(number, [])) for number in asked}
        handled |= {number: commit.changed[number] for number in asked}
        new = {number: times for number, times in new.items() if len(times)}
        for number, first, last in commit.patient(lambda: list(self._beside.concerned(new))) if new else ():
            for revised in commit.patient(partial(self._calibrated, number, first, last, tuple(parts))):
                batch, theirs = commit.patient(partial(self._reviewing().over, revised, Settlements.none()))
                commit.note(self._put(batch, theirs, commit.patient))
                yield batch, theirs

    def _calibrated(
        self, datastream: int, first: int, last: int, coming: Sequence[ObservationBatch] = ()
    ) -> list[ObservationBatch]:
        return list(self._beside.revised(datastream, first, last, coming))

    def is_due(self, now: int) -> bool:
        """Say whether some time has waited long enough, or is to be looked at: then an empty commit is to come."""
        return now >= self._next_due

    def _soonest(self) -> int:
        soonest = -EVER if self._unseen else EVER
        for one in self._definitions.all():
            waiting = self._waiting[one.datastream]
            if len(waiting.fresh):
                return -EVER
            if one.deadline is not None and len(waiting.time):
                soonest = min(soonest, int(waiting.received.min()) + one.deadline)
        return soonest

    def _put(self, rows: ObservationBatch, settled: Settlements, patient: Patient) -> dict[int, Times]:
        """Take rows and flags into the windows; return, by Datastream, the times at which something changed."""
        changed: dict[int, Times] = {}
        here = self._takes_part(rows)
        if here.any():
            served = newest_only(rows if here.all() else rows.take(here))
            revised = set() if served.supersedes is None else set(served.datastream[served.supersedes].tolist())
            for number, mine in patient(partial(self._inputs.parts, served)):
                changed[number] = patient(partial(self._inputs.put, number, mine, is_revised=number in revised))
        if len(settled):
            for number, times in patient(partial(self._inputs.settle, settled)).items():
                changed[number] = np.union1d(changed[number], times) if number in changed else times
        return changed

    def _takes_part(self, rows: ObservationBatch) -> NDArray[np.bool_]:
        """Say which rows are of the water of Datastreams that take part."""
        here: NDArray[np.bool_] = np.isin(rows.datastream, list(self._spans))
        samples = self._store.catalog.sample_kinds()
        if samples and rows.feature is not None and here.any():
            here &= ~np.isin(rows.feature, list(samples))
        return here

    def _made(self, level: Sequence[Definition], commit: Commit) -> list[ObservationBatch]:
        """Return the rows of a level that a commit makes or changes.

        A function that fails makes its own Datastream stop, and nothing else.
        """
        asked: list[Asked] = []
        for one in level:
            try:
                asked += self._asked(one, commit)
            except NilometerError:
                raise
            except Exception as error:  # noqa: BLE001 -- whatever fails here, the rows that came must pass
                self._breaks(one, error)
        made = []
        for part, rows in zip(asked, rows_of_each([part.gathered for part in asked]), strict=True):
            one = part.gathered.definition
            if isinstance(rows, Exception):
                self._breaks(one, rows)
                continue
            rows.feature = self._own_water(one, rows.feature)
            new, _ = differing(rows, part.current)
            if len(new):
                made.append(batch_of(one, new))
        return made

    def _breaks(self, one: Definition, error: Exception) -> None:
        key, name = self._store.catalog.datastream(one.datastream).key, one.function.name
        self._broken[one.datastream] = f"{name} failed: {error}"
        _log.error("a Datastream could not be derived", datastream=key, function=name, exc_info=error)

    def _asked(self, one: Definition, commit: Commit) -> list[Asked]:
        """Return what a commit asks for of one derived Datastream; keep what has to wait."""
        waiting = self._waiting[one.datastream]
        candidates = [commit.patient(partial(concerned, self._inputs, one, commit.changed))]
        due = waiting.due(commit.received, one.deadline)
        if len(waiting.time) and (one.datastreams & commit.changed.keys() or len(due)):
            reached = commit.patient(partial(self._reached, one, waiting.time))
            candidates += [waiting.time[reached], due]
            if one.deadline is None:
                # Whose inputs have all passed by waits for a late row, and that finds it by the clock's rows.
                waiting.drop(reached)
        candidates.append(waiting.fresh)
        waiting.fresh = waiting.fresh[:0]
        times = united(candidates)
        return [self._answered(one, some, due, commit) for some in near_each_other(times)]

    def _answered(self, one: Definition, times: Times, due: Times, commit: Commit) -> Asked:
        inputs, current = commit.patient(partial(self._near, one, times))
        there = among(times, inputs[one.clock_datastream].time)
        has_row = among(times, current.time)
        final = is_final(one, inputs, times, self._newest(one)) | among(times, due)
        answered = has_row if commit.only_revisions else has_row | (final & there)
        waiting = self._waiting[one.datastream]
        waiting.forget(times[answered | ~there])
        waiting.add(times[there & ~answered], commit.received, fresh=commit.only_revisions)
        times = times[answered]
        return Asked(gathered(one, inputs, times), current.take(among(current.time, times)))

    def _newest(self, one: Definition) -> dict[int, int]:
        newest = ((number, self._inputs.newest(number)) for number in one.datastreams)
        return {number: time for number, time in newest if time is not None}

    def _reached(self, one: Definition, times: Times) -> NDArray[np.bool_]:
        """Say which times every input has passed by so far that rows in order are no longer taken there."""
        passed, newest = np.ones(len(times), np.bool_), self._newest(one)
        for place, operand in enumerate(one.operands):
            if operand.datastream is not None and place != one.clock:
                farthest = 0 if operand.align == "previous" else operand.tolerance
                passed &= times + farthest <= newest.get(operand.datastream, -EVER)
        return passed

    def _near(self, one: Definition, times: Times) -> tuple[dict[int, Rows], Rows]:
        """Return the inputs around some times, and the rows that are there."""
        first, last = int(times[0]), int(times[-1])
        inputs = {
            number: self._inputs.rows(number, first - reach(one, number), last + reach(one, number))
            for number in one.datastreams
        }
        return inputs, self._inputs.rows(one.datastream, first, last)

    def _own_water(self, one: Definition, feature: NDArray[np.int32]) -> NDArray[np.int32]:
        catalog = self._store.catalog
        water = catalog.water_feature(one.clock_datastream)
        return np.where(feature == water, catalog.water_feature(one.datastream), feature).astype(np.int32)

    # What outlives the process

    def recover(self, now: int) -> None:
        """Take up where the journal ends: what waited, and what its changes since may have let wait."""
        self._definitions.changed()
        self._inputs.forget()
        self._waiting, self._owed, self._unseen = {}, [], Unseen()
        kept = self._store.load_state(STATE)
        after = 0
        if kept is not None:
            after, state = kept
            try:
                self._waiting, self._owed = read_state(state)
            except (ValueError, KeyError) as error:
                after = 0
                _log.warning("what waited for its inputs cannot be taken up", error=str(error))
        if self.definitions():
            self._unseen, self._recovered = unseen(self._store, after, self._takes_part), now
        for waiting in self._waiting.values():
            waiting.fresh = waiting.time
        self._next_due = self._soonest()

    def _take_up(self) -> None:
        """Let wait, and be looked at next, whatever the journal's changes since the kept state concern."""
        if self._unseen:
            changed = self._unseen.changed(self._store)
            for one in self.definitions():
                self._waiting[one.datastream].add(concerned(self._inputs, one, changed), self._recovered, fresh=True)
            self._unseen = Unseen()

    def save(self, sequence: int) -> None:
        """Keep what waits as of a journal sequence; called where no row is in flight."""
        self._take_up()
        self._store.save_state(STATE, sequence, written_state(self._waiting, self._owed))

    # Deletions and recomputation

    def deletes(self, datastreams: list[int], start: int, end: int) -> None:
        """Note that rows from `start` to `end` (exclusive) are about to be deleted: what follows is owed."""
        inputs = [*(one.datastreams for one in self.definitions()), *(one.companions for one in self.asks().values())]
        if any(one & set(datastreams) for one in inputs):
            self._owed.append((datastreams, start, end))
            self.save(self._store.sequence())

    def forget(self) -> None:
        """Forget rows in memory: what is stored has changed, or what was on its way never comes."""
        self._inputs.forget()

    def give_up(self, admitted: Iterable[ObservationBatch]) -> None:
        """Take back derived rows that cannot be stored."""
        for batch in admitted:
            self._store.abandon(batch)
        self.forget()

    def settle_owed(self, received: int) -> Iterator[Derived]:
        """Yield the revisions that follow from deletions; each is committed before the next is asked for.

        Of rows that are deleted the derived ones at their times are gone with them; others lose an input.
        """
        self._inputs.forget()
        while self._owed:
            datastreams, start, end = self._owed[0]
            for one in self.definitions():
                lost = [
                    operand
                    for place, operand in enumerate(one.operands)
                    if operand.datastream in datastreams and place != one.clock
                ]
                self._waiting[one.datastream].fresh = self._waiting[one.datastream].time
                if lost:
                    farthest = max(operand.tolerance for operand in lost)
                    yield from self._recomputed(one, start - farthest, end + farthest, received)
            for ask in self._beside.lost([*datastreams, *self.followers(datastreams)], start, end):
                for revised in self._calibrated(*ask):
                    whole, settled = self._reviewing().over(revised, Settlements.none())
                    yield self.over(whole, settled, received, only_revisions=True)
            self._owed.pop(0)
        self._next_due = self._soonest()

    def recompute(self, datastreams: Iterable[int], start: int | None, end: int | None) -> Iterator[Difference]:
        """Yield what a run over the stored inputs gives otherwise than what is served; nothing is written.

        Parameters
        ----------
        datastreams : iterable of int
            Derived Datastreams; what another needs is yielded before it, and must have been committed by then.
        start, end : int, optional
            Times of the clock, µs since 1970 UTC, end exclusive; None: without end.
        """
        wanted = set(datastreams)
        for one in self.definitions():
            if one.datastream in wanted:
                yield from self._differences(one, -EVER if start is None else start, EVER if end is None else end)

    def _differences(self, one: Definition, start: int, end: int) -> Iterator[Difference]:
        self._inputs.forget()
        self._inputs.begin()
        for first, last in pieces(self._store.snapshot(), one, start, end):
            times = np.array([first, last - 1])
            inputs, current = self._near(one, times)
            asked = np.unique(inputs[one.clock_datastream].time)
            asked = asked[(asked >= first) & (asked < last)]
            if one.deadline is None and len(asked):
                known = {
                    number: time for number in one.datastreams if (time := self._inputs.newest(number)) is not None
                }
                asked = asked[is_final(one, inputs, asked, known) | np.isin(asked, current.time)]
            made = rows_of(one, inputs, asked)
            made.feature = self._own_water(one, made.feature)
            rows, former = differing(made, current)
            yield Difference(one, rows, former, current, len(made))

    def _recomputed(self, one: Definition, start: int, end: int, received: int) -> Iterator[Derived]:
        for difference in self._differences(one, start, end):
            follows = difference.rows.take(difference.former >= 0)
            if not len(follows):
                continue
            batch, admitted = admitted_of(self._store, batch_of(one, follows), at_once)
            if len(batch):
                whole, _ = self._reviewing().over(batch, self._judge(batch, received))
                derived = self.over(whole, Settlements.none(), received, only_revisions=True)
                yield Derived(derived.rows, derived.settled, [admitted, *derived.admitted])

    def lacking(self, one: Definition, times: Times) -> DerivedRows:
        """Return the rows of times of the clock that have none and wait for nothing; nothing is written."""
        self._take_up()
        times = np.setdiff1d(times, self._waiting[one.datastream].time)
        if not len(times):
            return rows_of(one, {})
        inputs, current = self._near(one, times)
        times = times[~np.isin(times, current.time)]
        if one.deadline is None:
            times = times[is_final(one, inputs, times, self._newest(one))]
        made = rows_of(one, inputs, times)
        made.feature = self._own_water(one, made.feature)
        return made

    def added(self, one: Definition, made: DerivedRows, received: int) -> Derived | None:
        """Return new rows of a time that lies back, judged, with the revisions that follow from them; to be committed.

        What stands at their times in other Datastreams and has no row either is not made: whoever adds rows goes
        through these Datastreams as well.
        """
        waited = {number: waiting.time for number, waiting in self._waiting.items()}
        batch, admitted = admitted_of(self._store, batch_of(one, made), at_once)
        if not len(batch):
            return None
        try:
            whole, settled = self._reviewing().over(batch, self._judge(batch, received))
        except BaseException:
            self._store.abandon(admitted)
            raise
        derived = self.over(whole, settled, received, only_revisions=True)
        for number, waiting in self._waiting.items():
            waiting.turn_away(np.setdiff1d(waiting.time, waited[number]))
        self._next_due = self._soonest()
        return Derived(derived.rows, derived.settled, [admitted, *derived.admitted])
