"""Trials run over the Datastreams of a store: one at a time, in a thread of its own, as of a moment that is kept.

Until a trial's end nothing is decided: whoever looks at an answer again and again, and stops when he likes it, passes
inferior sensors more often than the plan allows. What is shown before is descriptive, and says so.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from nilometer.errors import NilometerError, NotFound, Overloaded, TrialError
from nilometer.pipeline.log import Log
from nilometer.pipeline.trial_book import Trial, TrialBook
from nilometer.pipeline.trial_rows import StoreRows, check_sources
from nilometer.pipeline.trial_telling import told
from nilometer.store import Store
from nilometer.store.trial_ledger import TrialRun
from nilometer.trials.plots import plots_of
from nilometer.trials.result import TrialResult
from nilometer.trials.steps import BEAT, Step, heard
from nilometer.trials.trial import run_trial

__all__ = ["INTERIM", "RunProgress", "TrialRunner"]

INTERIM = "interim figures are descriptive: the decision is made at the end of the trial, once"
_MOST_KEPT = 4
_log = Log(__name__)


class _CancelledError(Exception):
    """Somebody gave the run up."""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is, or how the last one ended.

    Parameters
    ----------
    running : bool
        Whether one is under way.
    trial : int or None
        Of which trial.
    since : int or None
        µs since 1970 UTC.
    doing : str
        What is being done, in words.
    comparison, step, resamples : Step
        Which candidate is beside which reference, what of it is made, and how many resamples of that are drawn.
    is_given_up : bool
        Whether somebody gave it up, and it has not ended yet.
    error : str
        Why the last one gave nothing; ``cancelled``: it was given up.
    """

    running: bool = False
    trial: int | None = None
    since: int | None = None
    doing: str = ""
    comparison: Step = field(default_factory=lambda: Step("comparison"))
    step: Step = field(default_factory=lambda: Step(""))
    resamples: Step = field(default_factory=lambda: Step("resamples"))
    is_given_up: bool = False
    error: str = ""

    def after(self, told: Step) -> RunProgress:
        """Return it as it is once a step was told; one of a comparison ends what was made of the one before."""
        fresh = Step("resamples")
        if told.part == "comparison":
            return replace(self, comparison=told, step=Step(""), resamples=fresh, doing=told.about)
        if told.part == "resamples":
            return replace(self, resamples=told)
        if told.part == BEAT:
            return self
        return replace(
            self, step=told, resamples=fresh, doing=" · ".join(filter(None, (self.comparison.about, told.part)))
        )


class TrialRunner:
    """Runs trials.

    Parameters
    ----------
    store : Store
        Has the Datastreams, and keeps the results.
    clock : callable
        The present of the water, µs since 1970 UTC; moments of the store are those of its commits.
    resamples : int
        Of the bootstrap.

    Attributes
    ----------
    book : TrialBook
        Has the plans.
    """

    def __init__(self, store: Store, clock: Callable[[], int], *, resamples: int = 10_000) -> None:
        self._store, self._clock, self._resamples = store, clock, resamples
        self.book = TrialBook(store, clock)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._results: OrderedDict[int, TrialResult] = OrderedDict()
        self._progress = RunProgress()

    @property
    def progress(self) -> RunProgress:
        """How far the run is that is under way, or how the last one ended."""
        told = self._progress
        return replace(told, is_given_up=told.running and self._is_over)

    def start(self, number: int, by: str = "") -> None:
        """Begin a run; `progress` says how far it is.

        Raises
        ------
        Overloaded
            If one is under way.
        NotFound, TrialError, ConfigError, UnitError
            If there is no such trial, it was withdrawn, or its data are not there any more.
        """
        trial = self.book.trial(number)
        if trial.row.withdrawn:
            raise TrialError(f"trial {number} was withdrawn")
        check_sources(trial.plan, self._store.catalog)
        with self._lock:
            if self.progress.running:
                raise Overloaded(f"trial {self.progress.trial} is being run; ask again when it is done")
            self._is_over = False
            self._progress = RunProgress(running=True, trial=number, since=self._clock())
            self._thread = threading.Thread(target=self._work, args=(trial, by), name="nilometer-trial")
            self._thread.start()

    def cancel(self, number: int) -> None:
        """Give up the run of a trial, within a batch of resamples; what was known before stays.

        Raises
        ------
        NotFound
            If it is not being run.
        """
        if not self.progress.running or self.progress.trial != number:
            raise NotFound(f"trial {number} is not being run")
        self._is_over = True

    def stop(self) -> None:
        """Give up what is under way."""
        self._is_over = True
        if self._thread is not None:
            self._thread.join()

    def last(self, number: int) -> TrialRun | None:
        """Return the last run of a trial, or None."""
        runs = self._store.catalog.trials.runs_of(number)
        return runs[-1] if runs else None

    def whole(self, number: int) -> TrialResult:
        """Return the last result with its pairs, for a report: run again as of its moment where it was let go.

        Raises
        ------
        NotFound
            If it was never run.
        TrialError
            If it is not decided yet, or the same moment no longer gives the same data: rows were deleted for good.
        """
        run = self.last(number)
        if run is None:
            raise NotFound(f"trial {number} was never run")
        if not run.document["decided"]:
            raise TrialError(f"trial {number} is not decided: {INTERIM}")
        with self._lock:
            known = self._results.get(run.id)
        if known is None:
            trial = self.book.trial(number)
            if trial.plan.hash() != run.document["plan_hash"]:
                raise TrialError(f"the plan of trial {number} has changed since it was run: run it again")
            known = self._result(trial, run.as_of)
            if known.data_hash != run.document["data_hash"]:
                raise TrialError(f"the data of trial {number} are not there any more as they were: run it again")
            self._keep(run.id, known)
        return known

    def _work(self, trial: Trial, by: str) -> None:
        error = ""
        try:
            # A mark of its own: all that is stored shows as of it, and nothing that comes after.
            as_of = self._store.snapshot().committed(self._store.mark())
            with heard(self._hear):
                result = self._result(trial, as_of)
                self._hear(Step("plots"))
                self._enter(trial, result, as_of, by)
        except _CancelledError:
            error = "cancelled"
        except NilometerError as refusal:
            error = str(refusal)
        except Exception as failure:  # noqa: BLE001 -- whoever asks is told
            _log.exception("a trial failed", trial=trial.row.id)
            error = str(failure)
        self._progress = RunProgress(trial=trial.row.id, since=self._progress.since, error=error)

    def _result(self, trial: Trial, as_of: int) -> TrialResult:
        rows = StoreRows(self._store, as_of)
        return run_trial(trial.plan, frozen=trial.frozen, rows=rows, resamples=self._resamples)

    def _enter(self, trial: Trial, result: TrialResult, as_of: int, by: str) -> None:
        is_decided = not trial.is_open(self._clock())
        document = told(result) | {"decided": is_decided}
        if not is_decided:
            document = _without_decision(document)
        plots = {"comparisons": [plots_of(one) for one in result.comparisons]}
        run = TrialRun(trial=trial.row.id, time=self._clock(), as_of=as_of, actor=by.strip(), document=document)
        run = self._store.catalog.trials.add_run(run, plots)
        outcomes = [one["grade"]["outcome"] for one in document["comparisons"]] if is_decided else []
        self.book.note_run(
            run, {"data_hash": result.data_hash, "plan_hash": document["plan_hash"], "outcomes": outcomes}
        )
        if is_decided:
            self._keep(run.id, result)

    def _keep(self, run: int, result: TrialResult) -> None:
        with self._lock:
            self._results[run] = result
            while len(self._results) > _MOST_KEPT:
                self._results.popitem(last=False)

    def _hear(self, told: Step) -> None:
        if self._is_over:
            raise _CancelledError
        self._progress = self._progress.after(told)


def _without_decision(document: dict[str, Any]) -> dict[str, Any]:
    """Return a result without what is decided of it, in whole or of a part."""
    comparisons = []
    for one in document["comparisons"]:
        bare = {**one, "decisions": [], "grade": None}
        for part in ("strata", "over_time"):
            bare[part] = [{**stratum, "decisions": []} for stratum in one[part]]
        comparisons.append(bare)
    return {**document, "comparisons": comparisons, "notes": [*document["notes"], INTERIM]}
