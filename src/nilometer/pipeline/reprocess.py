"""Reprocessing: what is stored passes calibration, derivation and qc again, and what differs becomes a revision.

A worker thread reads a snapshot and computes; only what differs is committed, piece by piece, in the pump's thread
between two commits of live rows. There each piece is compared with what is stored by then: rows that somebody changed
meanwhile are left out, and their Datastream is gone through once more. At its newest row a Datastream is caught up
with in the pump's thread, and the live tests go on from the state that was reached there. Nothing remembers how far a
run has come: the same call again finds what is left to do, and finds nothing where all is done.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nilometer.errors import Overloaded, StoreError
from nilometer.pipeline.log import Log
from nilometer.pipeline.reprocess_changes import ChangesFile
from nilometer.pipeline.reprocess_files import by_files
from nilometer.pipeline.reprocess_filling import fill
from nilometer.pipeline.reprocess_judging import CALIBRATION, DERIVATION, QC
from nilometer.pipeline.reprocess_order import Group, ReprocessOrder, derived_groups, groups_of, in_turn
from nilometer.pipeline.reprocess_pass import Hands, Pass, Run
from nilometer.pipeline.reprocess_report import report_document

__all__ = ["Progress", "Reprocessing"]

TRIES = 3
"""Passes over Datastreams of which rows are changed meanwhile; what was then left out is reported."""

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: `of` rows are to be read, `rows` were; `running` is false before the first and after a run."""

    running: bool = False
    rows: int = 0
    of: int = 0
    report: dict[str, Any] | None = None
    error: str = ""


class Reprocessing:
    """Reprocesses spans of a store, one run at a time.

    Parameters
    ----------
    hands : Hands
        What it works with.

    Attributes
    ----------
    progress : Progress
        How far the run is that is under way, or what the last one came to.
    changes : Path or None
        The rows that the last run changed, where that was ordered.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._run: Run | None = None
        self._failure: Exception | None = None
        self.progress = Progress()
        self.changes: Path | None = None

    def start(self, order: ReprocessOrder) -> None:
        """Begin a run in a thread of its own; `progress` says how far it is, and what it came to.

        Raises
        ------
        Overloaded
            If one is under way.
        NotFound, RequestError
            If the order names no Datastream, or cannot be understood.
        """
        with self._lock:
            if self.progress.running:
                raise Overloaded("reprocessing is under way; ask again when it is done")
            groups = groups_of(self._hands.store, self._hands.shelf, order)
            self._forget_changes()
            self.progress, self._failure = Progress(running=True), None
            self._run = run = Run(order)
            self._thread = threading.Thread(target=self._work, args=(run, groups), name="nilometer-reprocess")
            self._thread.start()

    def run(self, order: ReprocessOrder) -> dict[str, Any]:
        """Do a whole run and return its report; the pump must be running.

        Raises
        ------
        StoreError
            If the store refuses. What was committed stays; the same call goes on from there.
        """
        self.start(order)
        assert self._thread is not None  # noqa: S101 -- started
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        assert self.progress.report is not None  # noqa: S101 -- it did not fail
        return self.progress.report

    def stop(self) -> None:
        """Give up what is under way, after the piece in hand."""
        if self._run is not None:
            self._run.is_over = True
        if self._thread is not None:
            self._thread.join()
        self._forget_changes()

    def _forget_changes(self) -> None:
        if self.changes is not None:
            self.changes.unlink(missing_ok=True)
            self.changes = None

    def _work(self, run: Run, groups: Sequence[Group]) -> None:
        started = time.perf_counter()
        try:
            if run.order.changes:
                run.changes = ChangesFile(self._hands.store.catalog)
                self.changes = run.changes.path
            snapshot = self._hands.store.snapshot()
            later = self._later(run.order, groups)
            groups = groups if {CALIBRATION, QC} & set(run.order.what) else []
            if DERIVATION in run.order.what:
                fill(self._hands, run, [number for group in later for number in group.wanted])
            ids = [one.id for group in (*groups, *later) for one in group.members]
            total = snapshot.count(ids, None, run.order.end, water_only=False)
            self.progress = Progress(running=True, of=total)
            groups = by_files(self._hands, run, groups, self._advance)
            with ThreadPoolExecutor(min(2, os.cpu_count() or 1), "nilometer-reprocess") as workers:
                for some in in_turn(groups):
                    for done in [workers.submit(self._group, run, group) for group in some]:
                        done.result()
            for group in later:
                self._group(run, group)
            if run.changes is not None:
                run.changes.close()
            report = self._report(run, time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001 -- whoever asks is told; what was committed is right and stays
            run.is_over, self._failure = True, error
            if not isinstance(error, StoreError):
                _log.exception("reprocessing failed")
            self.progress = replace(self.progress, running=False, error=str(error))
        else:
            self.progress = replace(self.progress, running=False, report=report)

    def _report(self, run: Run, seconds: float) -> dict[str, Any]:
        order, catalog = run.order, self._hands.store.catalog
        since = None if run.first is None else self._hands.store.snapshot().committed(run.first)
        moved = [run.moved[number] for number in sorted(run.moved)]
        report = report_document(
            moved,
            catalog,
            dry_run=order.dry_run,
            what=list(order.what),
            start=order.start,
            end=order.end,
            commit=run.first,
            since=since,
            seconds=round(seconds, 3),
        )
        if run.first is not None:
            told = {name: report[name] for name in ("what", "rows", "added", "revised", "restated", "signed")}
            keys = [part["datastream"] for part in report["datastreams"]]
            now = time.time_ns() // 1000
            catalog.add_audit(now, order.by, "reprocess", f"commit/{run.first}", {**told, "datastreams": keys[:100]})
        return report

    def _later(self, order: ReprocessOrder, groups: Sequence[Group]) -> list[Group]:
        """Return the derived Datastreams that are made and judged again once their inputs are done."""
        hands = self._hands
        if not {QC, DERIVATION} & set(order.what):
            return []
        found: list[Group] = hands.ask(lambda: derived_groups(hands.store, hands.shelf, order, groups, hands.deriving))
        return found

    def _group(self, run: Run, group: Group) -> None:
        """Reprocess Datastreams that are judged together; again where somebody changed rows meanwhile."""
        for left in reversed(range(TRIES)):
            if Pass(self._hands, run, group, is_last=not left, told=self._advance).go():
                return

    def _advance(self, rows: int) -> None:
        with self._lock:
            self.progress = replace(self.progress, rows=self.progress.rows + rows)
