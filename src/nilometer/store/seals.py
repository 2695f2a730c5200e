"""Seals, one at a time: the steps of each in order, and what may leave the journal after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from nilometer.store import sealing
from nilometer.store.commit_clock import CommitClock
from nilometer.store.compaction import Compaction, Turns
from nilometer.store.deletions import Deletions
from nilometer.store.forgetting import Forgetting
from nilometer.store.journal import Journal
from nilometer.store.lake import LakeTable
from nilometer.store.live import Live
from nilometer.store.refusal import reason
from nilometer.store.sealing import SealReport
from nilometer.store.state_files import StateFiles

__all__ = ["COVERAGE", "INDEX", "Seals"]

INDEX, COVERAGE = "index", "coverage"
"""The name of the Datastream index among the states."""


class Seals:
    """What moves hot rows to the lake.

    Parameters
    ----------
    live : Live
        What is true now.
    journal, observations, revisions, states, clock, deletions :
        What a seal writes to.
    mark : callable
        Commits nothing, so that there is something to seal.
    step : callable
        Told of every step; tests put a crash there.
    reached : int
        As `recover` returned it.
    forgetting : Forgetting
        How long what is served to nobody is kept.

    Attributes
    ----------
    room : threading.Condition
        Notified when rows have left memory, or a seal has failed.
    error : str
        Why the last seal failed; empty when it did not.
    is_stuck : bool
        Whether it failed before its rows were in the lake.
    """

    error: str
    is_stuck: bool

    def __init__(
        self,
        live: Live,
        *,
        journal: Journal,
        observations: LakeTable,
        revisions: LakeTable,
        states: StateFiles,
        clock: CommitClock,
        deletions: Deletions,
        mark: Callable[[], int],
        step: Callable[[str], None],
        reached: int,
        forgetting: Forgetting,
    ) -> None:
        self._live, self._journal, self._states = live, journal, states
        self._observations, self._revisions = observations, revisions
        self._clock, self._deletions, self._mark, self._step = clock, deletions, mark, step
        self._holders: list[Callable[[], NDArray[np.int64]]] = []
        self._unfinished: sealing.Plan | None = None
        self.error, self.is_stuck = "", False
        self.lock, self.turns, self.room = threading.Lock(), Turns(), threading.Condition()
        self.compaction = Compaction(
            live,
            observations,
            revisions,
            sealing=self.lock,
            turns=self.turns,
            seal=self._seal_anyway,
            step=step,
            reached=reached,
            forgetting=forgetting,
        )

    def hold(self, ids: Callable[[], NDArray[np.int64]]) -> None:
        """Name a provider of ids of rows that must stay hot."""
        self._holders.append(ids)

    def seal(self) -> SealReport:
        """Seal once, see `Store.seal`, and note why not, if not: who waits for room need not wait for this."""
        before = self._live.lake_sequence
        try:
            report = self._seal_once()
        except Exception as error:
            with self.room:
                self.error, self.is_stuck = reason(error), self._live.lake_sequence == before
                self.room.notify_all()
            raise
        self.error, self.is_stuck = "", False
        return report

    def _seal_once(self) -> SealReport:
        if self.compaction.reached:
            self.compaction.prepare()
        with self.turns.seal(), self.lock:
            started = time.perf_counter()
            before = {file.path for file in self._live.files}
            report = self._seal(started)
            self.tidy()
            self.compaction.touched = frozenset(file.year for file in self._live.files if file.path not in before)
        return report

    def _seal_anyway(self) -> None:
        """Seal, though nothing may have come since the last seal."""
        if self._live.sequence <= self._observations.sequence:
            self._mark()
        self.seal()

    def _seal(self, started: float) -> SealReport:
        self._find_out()
        hold = self._held()
        done = self.compaction.ready()
        with self._live.lock:
            if self._live.sequence <= self._observations.sequence:
                held = self._live.hot.rows
                return SealReport(self._observations.sequence, 0, 0, held, 0, time.perf_counter() - started)
            plan = sealing.begin(self._live, done)
        revisions, files = self._carry_out(plan, hold)
        seconds = time.perf_counter() - started
        return SealReport(plan.sequence, plan.rows, revisions, plan.kept.rows, files, seconds)

    def exchange(self, done: sealing.Done, sequence: int) -> None:
        """Exchange files for such with other values as a seal through a sequence, which nobody has been shown yet.

        Called `alone`, where nothing is committed and compaction has nothing ready.
        """
        hold = self._held()
        with self._live.lock:
            plan = sealing.begin(self._live, done)
        plan.sequence, plan.is_rewrite = sequence, True
        self._carry_out(plan, hold)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold back seals, once what one has left unfinished is done."""
        with self.turns.seal(), self.lock:
            self._find_out()
            yield

    def _carry_out(self, plan: sealing.Plan, hold: NDArray[np.int64]) -> tuple[int, int]:
        """Do what a plan says; return how many revisions and how many files there were."""
        sealing.divide(plan, hold, max(self.compaction.reached, self._observations.sequence))
        self._journal.plan(plan.sequence, plan.to_bytes())
        self._step("seal.planned")
        try:
            counts = sealing.write(plan, self._observations, self._revisions, self._step)
        except BaseException:
            self._unfinished = plan  # it may have arrived, or arrive
            raise
        self._swap(plan)
        self._step("seal.swapped")
        return counts

    def _held(self) -> NDArray[np.int64]:
        """Return the ids of rows that must stay hot."""
        holding = [np.asarray(ids(), np.int64) for ids in self._holders]
        return np.concatenate(holding) if holding else np.empty(0, np.int64)

    def _find_out(self) -> None:
        """Look what a seal that failed has brought to the lake all the same, and show it."""
        for table in (self._revisions, self._observations):
            table.find_out()
        if self._unfinished is not None:
            self._finish(self._unfinished)

    def _finish(self, plan: sealing.Plan) -> None:
        """Show what a seal that failed has brought to the lake all the same, if it has."""
        if self._observations.sequence >= plan.sequence:
            self._swap(plan)
        self._unfinished = None

    def _swap(self, plan: sealing.Plan) -> None:
        """Show what is in the lake already; should it fail, nothing else is sealed before it was done."""
        self._unfinished = plan
        with self._live.lock:
            sealing.finish(self._live, plan, self._observations, self._revisions)
        self._unfinished = None
        self.compaction.taken(plan.done)
        with self.room:
            self.room.notify_all()

    def tidy(self) -> None:
        """Keep the index, and let go of what the journal needs no more."""
        sealed = self._observations.sequence
        with self._live.lock:
            snapshot = self._live.snapshot()
        snapshot.datastreams()  # measures the ends that deletes may have taken, while nobody waits
        with self._live.lock:
            index, coverage = self._live.index.to_bytes(), self._live.coverage.to_bytes()
        # First: what it was widened by before the index was kept, it is widened by again.
        self._states.save(COVERAGE, sealed, coverage)
        self._states.save(INDEX, sealed, index)
        self._step("seal.index")
        stages = [at for name, at in self._states.sequences().items() if name.startswith("stage-")]
        through = min([sealed, *stages]) if stages else 0
        self._deletions.settle()
        self._clock.thin(through)
        self._journal.drop(through, planned=sealed)
        self._step("seal.dropped")
