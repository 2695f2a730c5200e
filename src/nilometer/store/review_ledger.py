"""The history of manual review: every step in order, who made it, when, why, and from which commit on it holds.

Steps are added and never changed, but for the one fact that they have been applied; an undo is a step too. The whole
history is held in memory once read.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from nilometer.errors import NotFound
from nilometer.store import tables
from nilometer.store.ledger import Event
from nilometer.store.refusal import refusal

__all__ = ["SIGN_OFF", "UNDO", "VALUE_ACTIONS", "ReviewLedger", "ReviewStep"]

UNDO, SIGN_OFF = "undo", "sign_off"
VALUE_ACTIONS = frozenset({"offset", "drift", "delete", "interpolate", "retime"})
"""Actions after which a row is not what was measured: it never leaves through an uplink to an authority."""

_COLUMNS = tuple(tables.review_steps.columns.keys())


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewStep:
    """One step of the history.

    Parameters
    ----------
    id : int
        Ascending in the order of the history; 0: not yet entered.
    action : str
        What was done: an action of `nilometer.review`, ``sign_off`` or ``undo``.
    scope : mapping
        ``{"datastreams": [ids]}``, or ``{"thing": id, "properties": [keys]}`` for whatever the Thing has.
    start, end : int
        µs since 1970 UTC; end exclusive, the largest int64 while open.
    parameters : mapping
        What the action was told.
    actor, reason, comment : str
        Who, why (a code), and in words.
    time : int
        When it was entered, µs since 1970 UTC.
    event : int, optional
        The version of the event whose rule made it.
    undoes : int, optional
        The step that this one undoes.
    sequence : int
        The commit from which on it holds.
    is_applied : bool
        Whether the rows are as it wants them.
    rows : int
        How many rows it changed.
    """

    action: str
    scope: Mapping[str, Any]
    start: int
    end: int
    parameters: Mapping[str, Any]
    actor: str
    reason: str
    comment: str = ""
    time: int = 0
    event: int | None = None
    undoes: int | None = None
    sequence: int = 0
    is_applied: bool = False
    rows: int = 0
    id: int = 0

    def speaks_of(self, datastream: int, thing: int, property_key: str) -> bool:
        """Return whether a Datastream, of a Thing, with an observed property, is in its scope."""
        if "datastreams" in self.scope:
            return datastream in self.scope["datastreams"]
        properties = self.scope.get("properties")
        return bool(self.scope.get("thing") == thing and (not properties or property_key in properties))


class ReviewLedger:
    """The steps of a catalog.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._steps: dict[int, ReviewStep] | None = None
        self._undone: dict[int, int] = {}
        self._retimed: frozenset[int] | None = None

    def steps(self) -> list[ReviewStep]:
        """Return every step in order."""
        with self._lock:
            return list(self._all().values())

    def step(self, number: int) -> ReviewStep:
        """Return the step of an id, or raise NotFound."""
        with self._lock:
            found = self._all().get(number)
        if found is None:
            raise NotFound(f"there is no review step {number}")
        return found

    def undone_by(self, number: int) -> int | None:
        """Return the step that undid a step, or None."""
        with self._lock:
            self._all()
            return self._undone.get(number)

    def active(self, until: int | None = None) -> list[ReviewStep]:
        """Return the steps that stand, or that stood as of a commit: neither undone by then nor an undo."""
        with self._lock:
            steps = [step for step in self._all().values() if step.action != UNDO]
            if until is None:
                return [step for step in steps if step.id not in self._undone]
            return [step for step in steps if self._held(step, until) and not self._held(self._undo(step), until)]

    def retimed(self) -> frozenset[int]:
        """Return the Datastreams of which a standing step moved rows in time."""
        with self._lock:
            if self._retimed is None:
                moves = [step.scope for step in self.active() if step.action == "retime"]
                self._retimed = frozenset(number for scope in moves for number in scope["datastreams"])
            return self._retimed

    def enter(self, steps: Sequence[ReviewStep], event: Event | None = None) -> tuple[list[ReviewStep], Event | None]:
        """Add steps, and the event behind them, at once; they are to be applied next.

        Raises
        ------
        NotFound
            If one speaks of what is not there.
        StoreError
            If the catalog cannot be written; nothing was added.
        """
        with self._lock:
            known = self._all()
            try:
                with self._engine.begin() as connection:
                    if event is not None:
                        event = _add_event(connection, event)
                    added = [
                        _add_step(connection, step if event is None else replace(step, event=event.id))
                        for step in steps
                    ]
            except IntegrityError as error:
                raise NotFound(f"a review step speaks of what does not exist: {error.orig}") from error
            except SQLAlchemyError as error:
                # The write may have arrived before the connection broke: what is there is read anew.
                self._steps = self._retimed = None
                raise refusal(error, "write the review's history") from error
            for step in added:
                self._learn(known, step)
            return added, event

    def applied(self, steps: Sequence[ReviewStep], sequence: int, rows: int, event: Event | None = None) -> None:
        """Note that steps hold from a commit on."""
        table = tables.review_steps
        numbers = [step.id for step in steps]
        with self._lock:
            try:
                with self._engine.begin() as connection:
                    values = {"sequence": sequence, "is_applied": True, "rows": rows}
                    connection.execute(update(table).where(table.c.id.in_(numbers)).values(values))
                    if event is not None:
                        events = tables.events
                        connection.execute(update(events).where(events.c.id == event.id).values(sequence=sequence))
            except SQLAlchemyError as error:
                raise refusal(error, "write the review's history") from error
            known = self._all()
            for number in numbers:
                known[number] = replace(known[number], sequence=sequence, is_applied=True, rows=rows)

    def cancel(self, steps: Sequence[ReviewStep], event: Event | None = None) -> None:
        """Take back steps of which nothing was applied; the caller has the ledger forget their provenance.

        Raises
        ------
        StoreError
            If the catalog cannot be written: then the steps stand, and wait to be applied.
        """
        table, ways = tables.review_steps, tables.provenance
        numbers = [step.id for step in steps]
        with self._lock:
            try:
                with self._engine.begin() as connection:
                    connection.execute(delete(ways).where(ways.c.review.in_(numbers)))
                    connection.execute(delete(table).where(table.c.id.in_(numbers)))
                    if event is not None:
                        connection.execute(delete(tables.events).where(tables.events.c.id == event.id))
            except SQLAlchemyError as error:
                raise refusal(error, "write the review's history") from error
            finally:
                self._steps = self._retimed = None

    def pending(self) -> list[ReviewStep]:
        """Return the steps that a crash, or a full disk, left unfinished."""
        return [step for step in self.steps() if not step.is_applied]

    def level(self, spoken: Sequence[ReviewStep], time: int, commit: int) -> ReviewStep | None:
        """Return the sign-off whose level a row has; None: it has the first level.

        Parameters
        ----------
        spoken : sequence of ReviewStep
            The sign-offs that stand and speak of the row's Datastream.
        time, commit : int
            Of the row: a sign-off covers the rows that it saw, and no later version of them.
        """
        found = levels(spoken, np.array([time]), np.array([commit]))[0]
        reached = None
        for step in spoken:
            if step.parameters["rank"] == found and step.start <= time < step.end and commit <= step.sequence:
                reached = step
        return reached

    def _undo(self, step: ReviewStep) -> ReviewStep | None:
        return self._all().get(self._undone.get(step.id, 0))

    @staticmethod
    def _held(step: ReviewStep | None, until: int) -> bool:
        return step is not None and step.is_applied and step.sequence <= until

    def _all(self) -> dict[int, ReviewStep]:
        if self._steps is None:
            self._steps, self._undone = {}, {}
            table = tables.review_steps
            try:
                with self._engine.connect() as connection:
                    rows = connection.execute(select(table).order_by(table.c.id)).all()
            except SQLAlchemyError as error:
                self._steps = None
                raise refusal(error, "read the review's history") from error
            for row in rows:
                self._learn(self._steps, ReviewStep(**dict(zip(_COLUMNS, row, strict=True))))
        return self._steps

    def _learn(self, known: dict[int, ReviewStep], step: ReviewStep) -> None:
        known[step.id] = step
        self._retimed = None
        if step.undoes is not None:
            self._undone[step.undoes] = step.id


def levels(signed: Sequence[ReviewStep], time: NDArray[np.int64], commit: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank of the level of each row, 0 where nobody signed.

    Parameters
    ----------
    signed : sequence of ReviewStep
        The sign-offs that stand.
    time, commit : ndarray of int64, shape (n,)
        Of the rows. A row has a level when every level up to it was signed with this version of the row in sight.
    """
    rank = np.zeros(len(time), np.int64)
    for wanted in sorted({int(step.parameters["rank"]) for step in signed}):
        seen = np.zeros(len(time), bool)
        for step in signed:
            if step.parameters["rank"] == wanted:
                seen |= (time >= step.start) & (time < step.end) & (commit <= step.sequence)
        rank[seen & (rank == wanted - 1)] = wanted
    return rank


def _add_step(connection: Connection, step: ReviewStep) -> ReviewStep:
    table = tables.review_steps
    values = {name: getattr(step, name) for name in _COLUMNS if name != "id"}
    values["scope"], values["parameters"] = dict(step.scope), dict(step.parameters)
    number = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
    return replace(step, id=int(number))


def _add_event(connection: Connection, event: Event) -> Event:
    table = tables.events
    values = {name: getattr(event, name) for name in Event.__slots__ if name != "id"}
    values["datastreams"] = None if event.datastreams is None else list(event.datastreams)
    number = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
    return replace(event, id=int(number))
