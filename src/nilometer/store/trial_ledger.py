"""The trials of a catalog: their plans, how they were frozen, and what every run gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from nilometer.errors import NotFound
from nilometer.store import tables
from nilometer.store.refusal import refusal

__all__ = ["TrialLedger", "TrialRow", "TrialRun"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """A trial.

    Parameters
    ----------
    id : int
        0: not yet added.
    plan : mapping
        The plan as it was given.
    history : mapping, optional
        Of a frozen plan, as `nilometer.trials.planning.history` writes it.
    created, changed : int
        When, µs since 1970 UTC.
    created_by : str
        Who.
    withdrawn : bool
        Whether it was taken back, which only a plan that was never frozen may be.
    """

    plan: Mapping[str, Any]
    history: Mapping[str, Any] | None = None
    created: int
    created_by: str
    changed: int
    withdrawn: bool = False
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRun:
    """What a run of a trial gave.

    Parameters
    ----------
    trial : int
        Of which trial.
    time : int
        When it was run, µs since 1970 UTC.
    as_of : int
        The moment of which it saw the data, µs since 1970 UTC.
    actor : str
        Who had it run.
    document : mapping
        The result.
    id : int
        0: not yet added.
    """

    trial: int
    time: int
    as_of: int
    actor: str
    document: Mapping[str, Any]
    id: int = 0


class TrialLedger:
    """The two tables of trials.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def trials(self) -> list[TrialRow]:
        """Return every trial, the newest first; those that were withdrawn too."""
        table = tables.trials
        with self._doing("read the trials", writes=False) as connection:
            return [TrialRow(**row._mapping) for row in connection.execute(select(table).order_by(table.c.id.desc()))]

    def trial(self, number: int) -> TrialRow:
        """Return the trial of an id, or raise NotFound."""
        table = tables.trials
        with self._doing("read a trial", writes=False) as connection:
            row = connection.execute(select(table).where(table.c.id == number)).one_or_none()
        if row is None:
            raise NotFound(f"there is no trial {number}")
        return TrialRow(**row._mapping)

    def add(self, trial: TrialRow) -> TrialRow:
        """Add a trial and return it with its id."""
        with self._doing("write a trial") as connection:
            result = connection.execute(insert(tables.trials).values(_values(trial)))
        assert result.inserted_primary_key is not None  # noqa: S101 -- a single insert has one
        return replace(trial, id=int(result.inserted_primary_key[0]))

    def set(self, trial: TrialRow) -> TrialRow:
        """Write all fields of a trial that exists."""
        table = tables.trials
        with self._doing("write a trial") as connection:
            connection.execute(update(table).where(table.c.id == trial.id).values(_values(trial)))
        return trial

    def runs(self) -> dict[int, TrialRun]:
        """Return the last run of each trial that was run, by trial."""
        table = tables.trial_results
        with self._doing("read the results of trials", writes=False) as connection:
            rows = connection.execute(select(*_of_run()).order_by(table.c.id)).all()
        return {row.trial: TrialRun(**row._mapping) for row in rows}

    def runs_of(self, trial: int) -> list[TrialRun]:
        """Return every run of a trial, oldest first."""
        table = tables.trial_results
        with self._doing("read the results of a trial", writes=False) as connection:
            rows = connection.execute(select(*_of_run()).where(table.c.trial == trial).order_by(table.c.id)).all()
        return [TrialRun(**row._mapping) for row in rows]

    def plots(self, run: int) -> dict[str, Any]:
        """Return what is drawn of a run, or raise NotFound."""
        table = tables.trial_results
        with self._doing("read the plots of a trial", writes=False) as connection:
            found = connection.execute(select(table.c.plots).where(table.c.id == run)).scalar_one_or_none()
        if found is None:
            raise NotFound(f"there is no run {run} of a trial")
        return dict(found)

    def add_run(self, run: TrialRun, plots: Mapping[str, Any]) -> TrialRun:
        """Add a run with what is drawn of it, and return it with its id."""
        values = {
            "trial": run.trial,
            "time": run.time,
            "as_of": run.as_of,
            "actor": run.actor,
            "document": dict(run.document),
            "plots": dict(plots),
        }
        with self._doing("write the result of a trial") as connection:
            result = connection.execute(insert(tables.trial_results).values(values))
        assert result.inserted_primary_key is not None  # noqa: S101 -- a single insert has one
        return replace(run, id=int(result.inserted_primary_key[0]))

    @contextmanager
    def _doing(self, what: str, *, writes: bool = True) -> Iterator[Connection]:
        try:
            with self._engine.begin() if writes else self._engine.connect() as connection:
                yield connection
        except IntegrityError as error:
            raise NotFound("a result speaks of a trial that does not exist") from error
        except SQLAlchemyError as error:
            raise refusal(error, what) from error


def _values(trial: TrialRow) -> dict[str, Any]:
    return {
        "plan": dict(trial.plan),
        "history": None if trial.history is None else dict(trial.history),
        "created": trial.created,
        "created_by": trial.created_by,
        "changed": trial.changed,
        "withdrawn": trial.withdrawn,
    }


def _of_run() -> list[Any]:
    table = tables.trial_results
    return [table.c[name] for name in ("id", "trial", "time", "as_of", "actor", "document")]
