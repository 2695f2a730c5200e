"""Trials as somebody enters them: checked, frozen, amended, withdrawn, each step with who in the audit trail.

A plan that is frozen changes by amendments alone, and is never withdrawn: an unwelcome trial stays where it can be
seen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any

from nilometer.errors import RequestError, TrialError
from nilometer.pipeline.trial_rows import check_sources
from nilometer.store import Store
from nilometer.store.trial_ledger import TrialRow, TrialRun
from nilometer.trials.planning.history import Frozen, amended, begun, history_document, history_of
from nilometer.trials.planning.plan import Plan, parse_plan

__all__ = ["Trial", "TrialBook", "TrialState"]

_LONGEST_BY = 200


class TrialState(StrEnum):
    """How far a trial is."""

    DRAFT = "draft"
    WAITING = "waiting"
    UNDER_WAY = "under_way"
    ENDED = "ended"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial as the catalog has it.

    Parameters
    ----------
    row : TrialRow
        As it is kept.
    plan : Plan
        What it says.
    frozen : Frozen
        Its history.
    """

    row: TrialRow
    plan: Plan
    frozen: Frozen

    @property
    def start(self) -> int | None:
        """When it begins, µs since 1970 UTC; None where the plan does not say."""
        return self.plan.time(self.plan.trial.start)

    @property
    def end(self) -> int | None:
        """When it ends, µs since 1970 UTC; None where the plan does not say."""
        return self.plan.time(self.plan.trial.end)

    def is_open(self, now: int) -> bool:
        """Say whether its end is still to come: until then nothing is decided."""
        return self.end is not None and now < self.end

    def state(self, now: int, run: TrialRun | None) -> TrialState:
        """Return how far it is.

        Parameters
        ----------
        now : int
            µs since 1970 UTC.
        run : TrialRun, optional
            Its last run.
        """
        if self.row.withdrawn:
            return TrialState.WITHDRAWN
        if not self.frozen.entries:
            return TrialState.DRAFT
        if run is not None and run.document.get("decided") and run.document["plan_hash"] == self.plan.hash():
            return TrialState.DECIDED
        if self.start is not None and now < self.start:
            return TrialState.WAITING
        if self.end is None or now < self.end:
            return TrialState.UNDER_WAY
        return TrialState.ENDED


class TrialBook:
    """The trials of a store.

    Parameters
    ----------
    store : Store
        Has the Datastreams, and keeps the plans.
    clock : callable
        The present, µs since 1970 UTC.
    """

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._catalog, self._clock = store.catalog, clock
        self._lock = threading.Lock()

    def trial(self, number: int) -> Trial:
        """Return a trial, or raise NotFound."""
        return _read(self._catalog.trials.trial(number))

    def trials(self) -> list[Trial]:
        """Return every trial, the newest first."""
        return [_read(row) for row in self._catalog.trials.trials()]

    def create(self, document: Mapping[str, Any], by: str) -> Trial:
        """Enter a plan that may still change.

        Raises
        ------
        ConfigError, UnitError
            If it is no plan, or asks what this server cannot give.
        RequestError
            If nobody says who.
        """
        plain, who, now = _plain(document), _who(by), self._clock()
        plan = self._checked(plain)
        row = self._catalog.trials.add(TrialRow(plan=plain, created=now, created_by=who, changed=now))
        self._note(row, who, "create", {"plan_hash": plan.hash(), "title": plan.trial.title})
        return Trial(row, plan, Frozen())

    def change(self, number: int, document: Mapping[str, Any], by: str) -> Trial:
        """Replace a plan that was never frozen.

        Raises
        ------
        TrialError
            If it is frozen, or withdrawn.
        ConfigError, UnitError, RequestError, NotFound
            As `create`.
        """
        plain, who = _plain(document), _who(by)
        with self._lock:
            known = self._standing(number)
            _must_be_draft(known, "changes by an amendment that says why")
            plan = self._checked(plain)
            row = self._catalog.trials.set(replace(known.row, plan=plain, changed=self._clock()))
            self._note(row, who, "change", {"plan_hash": plan.hash(), "before": known.plan.hash()})
        return Trial(row, plan, Frozen())

    def freeze(self, number: int, by: str, plan_hash: str | None = None) -> Trial:
        """Freeze a plan as it is.

        Parameters
        ----------
        number : int
            The trial.
        by : str
            Who.
        plan_hash : str, optional
            Of the plan that was seen: another one is not frozen.

        Raises
        ------
        TrialError
            If it is frozen already, withdrawn, or no longer the plan that was seen.
        """
        who = _who(by)
        with self._lock:
            known = self._standing(number)
            _must_be_draft(known, "changes by an amendment that says why")
            if plan_hash is not None and plan_hash != known.plan.hash():
                raise TrialError(f"trial {number} is not the plan that was seen any more: read it again")
            plan = self._checked(known.row.plan)
            frozen = begun(plan, known.frozen, at=self._now(), by=who, where=f"trial {number}")
            row = self._keep(known.row, frozen)
            self._note(row, who, "freeze", {"plan_hash": plan.hash(), "hash": frozen.hash})
        return Trial(row, plan, frozen)

    def amend(self, number: int, document: Mapping[str, Any], why: str, by: str) -> Trial:
        """Change a frozen plan, and keep what changed, when and why.

        Raises
        ------
        ConfigError
            If nothing changed, or no reason is given.
        TrialError
            If it was never frozen.
        """
        plain, who = _plain(document), _who(by)
        with self._lock:
            known = self._standing(number)
            if not known.frozen.entries:
                raise TrialError(f"trial {number} was never frozen: change it as you like, then freeze it")
            plan = self._checked(plain)
            frozen = amended(plan, known.frozen, at=self._now(), why=why, by=who, where=f"trial {number}")
            row = self._keep(replace(known.row, plan=plain), frozen)
            changed = [one["key"] for one in frozen.entries[-1].changes]
            told = {"plan_hash": plan.hash(), "hash": frozen.hash, "why": why.strip(), "changed": changed}
            self._note(row, who, "amend", told)
        return Trial(row, plan, frozen)

    def withdraw(self, number: int, by: str, note: str = "") -> Trial:
        """Take back a plan that was never frozen; it stays in the catalog.

        Raises
        ------
        TrialError
            If it is frozen: what was begun in the open is finished in the open.
        """
        who = _who(by)
        with self._lock:
            known = self._standing(number)
            _must_be_draft(known, "is never withdrawn: let it run, or state in an amendment why it ends")
            row = self._catalog.trials.set(replace(known.row, withdrawn=True, changed=self._clock()))
            self._note(row, who, "withdraw", {"note": note.strip()} if note.strip() else {})
        return replace(known, row=row)

    def note_run(self, run: TrialRun, told: Mapping[str, Any]) -> None:
        """Put a run into the audit trail."""
        self._catalog.add_audit(run.time, run.actor, "trial.run", f"trial/{run.trial}", told)

    def _standing(self, number: int) -> Trial:
        known = self.trial(number)
        if known.row.withdrawn:
            raise TrialError(f"trial {number} was withdrawn")
        return known

    def _checked(self, document: Mapping[str, Any]) -> Plan:
        plan = parse_plan(dict(document))
        check_sources(plan, self._catalog)
        return plan

    def _keep(self, row: TrialRow, frozen: Frozen) -> TrialRow:
        return self._catalog.trials.set(replace(row, history=history_document(frozen), changed=self._clock()))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1e6, UTC)

    def _note(self, row: TrialRow, who: str, action: str, told: Mapping[str, Any]) -> None:
        self._catalog.add_audit(self._clock(), who, f"trial.{action}", f"trial/{row.id}", told)


def _read(row: TrialRow) -> Trial:
    frozen = Frozen() if row.history is None else history_of(row.history, where=f"trial {row.id}")
    return Trial(row, parse_plan(dict(row.plan)), frozen)


def _must_be_draft(known: Trial, instead: str) -> None:
    if known.frozen.entries:
        raise TrialError(f"trial {known.row.id} is frozen since {known.frozen.entries[0].at}: it {instead}")


def _who(by: str) -> str:
    if not by.strip() or len(by) > _LONGEST_BY:
        raise RequestError(f"say who does it, in 1 to {_LONGEST_BY} characters", place="by")
    return by.strip()


def _plain(document: Any) -> Any:  # noqa: ANN401 -- TOML or JSON
    """Return a document of TOML as JSON: its times as text."""
    if isinstance(document, Mapping):
        return {str(name): _plain(part) for name, part in document.items()}
    if isinstance(document, list | tuple):
        return [_plain(part) for part in document]
    if isinstance(document, datetime | date | time):
        return document.isoformat()
    return document
