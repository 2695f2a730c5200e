"""The catalog's ledger of uplinks: how far each receiver has come, and what became of each period; sends nothing.

Every write is durable when the call returns. One task writes for one receiver, so nothing is locked here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from nilometer.store import tables
from nilometer.store.refusal import refusal

__all__ = ["Period", "PeriodState", "Position", "UplinkLedger"]


class PeriodState(StrEnum):
    """What became of a period; one that is not in the ledger has not been looked at yet."""

    SENT = "sent"  # on the wire, and not answered
    ANSWERED = "answered"
    UNCONFIRMED = "unconfirmed"  # sent to a receiver that is not asked for answers
    EMPTY = "empty"  # there was nothing to send
    REFUSED = "refused"  # there was something, and nothing of it may go to an authority
    ASKED = "asked"  # to be sent again, because somebody asked for it


@dataclass(frozen=True, slots=True)
class Position:
    """How far a receiver has come; `since` is µs UTC, `position` is what its kind writes there."""

    name: str
    receiver: str
    since: int
    position: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A period towards a receiver: times in µs UTC, `body` what was put on the wire until it is answered."""

    kind: str
    start: int
    end: int
    state: PeriodState
    request: str = ""
    body: list[str] | None = None
    rows: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    sequence: int = 0
    attempts: int = 0
    sent: int | None = None
    time: int = 0
    is_late: bool = False


_FIELDS = tuple(item.name for item in fields(Period))


class UplinkLedger:
    """The two tables of uplinks.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, name: str, receiver: str, since: int, position: Mapping[str, Any]) -> Position:
        """Return how far a receiver has come; of one that is new, where it begins."""
        known = self.position(name)
        if known is not None:
            return known
        row = {"name": name, "receiver": receiver, "since": since, "position": dict(position)}
        with self._write("begin an uplink") as connection:
            connection.execute(insert(tables.uplinks).values(**row))
        return Position(name, receiver, since, dict(position))

    def position(self, name: str) -> Position | None:
        """Return how far a receiver has come, or None where it never began."""
        table = tables.uplinks
        with self._read("read an uplink's position") as connection:
            row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
        return None if row is None else Position(row.name, row.receiver, row.since, dict(row.position))

    def positions(self) -> list[Position]:
        """Return every receiver that ever began, by name."""
        table = tables.uplinks
        with self._read("read the uplinks") as connection:
            rows = connection.execute(select(table).order_by(table.c.name)).all()
        return [Position(row.name, row.receiver, row.since, dict(row.position)) for row in rows]

    def move(self, name: str, position: Mapping[str, Any]) -> None:
        """Say how far a receiver has come."""
        table = tables.uplinks
        with self._write("move an uplink") as connection:
            connection.execute(update(table).where(table.c.name == name).values(position=dict(position)))

    def period(self, name: str, kind: str, start: int) -> Period | None:
        """Return what became of the period that starts then, or None."""
        found = self.periods(name, kind, start, start + 1)
        return found[0] if found else None

    def periods(
        self,
        name: str,
        kind: str | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        states: Collection[PeriodState] | None = None,
        limit: int | None = None,
    ) -> list[Period]:
        """Return periods that start from `start` (inclusive) to `end` (exclusive), µs UTC, oldest first."""
        table = tables.uplink_periods
        meant = _meant(name, kind, start, end)
        if states is not None:
            meant = and_(meant, table.c.state.in_([str(state) for state in states]))
        columns = [table.c[column] for column in _FIELDS]
        statement = select(*columns).where(meant).order_by(table.c.start, table.c.kind).limit(limit)
        with self._read("read an uplink's periods") as connection:
            return [_period(row) for row in connection.execute(statement)]

    def count(self, name: str, states: Collection[PeriodState]) -> int:
        """Return how many periods of a receiver are in some states."""
        table = tables.uplink_periods
        meant = and_(table.c.uplink == name, table.c.state.in_([str(state) for state in states]))
        with self._read("count an uplink's periods") as connection:
            return int(connection.execute(select(func.count()).select_from(table).where(meant)).scalar_one())

    def note(self, name: str, periods: Sequence[Period], position: Mapping[str, Any] | None = None) -> None:
        """Write what became of periods, and how far the receiver has come by it: both or neither."""
        table = tables.uplink_periods
        with self._write("note an uplink's periods") as connection:
            for period in periods:
                row = asdict(period) | {"state": str(period.state)}
                same = and_(table.c.uplink == name, table.c.kind == period.kind, table.c.start == period.start)
                if not connection.execute(update(table).where(same).values(**row)).rowcount:
                    connection.execute(insert(table).values(uplink=name, **row))
            if position is not None:
                where = tables.uplinks.c.name == name
                connection.execute(update(tables.uplinks).where(where).values(position=dict(position)))

    def add(self, name: str, periods: Sequence[Period], position: Mapping[str, Any]) -> None:
        """Write many periods that are not in the ledger yet, and how far the receiver has come by them."""
        rows = [{"uplink": name, **asdict(period), "state": str(period.state)} for period in periods]
        with self._write("note an uplink's periods") as connection:
            if rows:
                connection.execute(insert(tables.uplink_periods), rows)
            where = tables.uplinks.c.name == name
            connection.execute(update(tables.uplinks).where(where).values(position=dict(position)))

    def ask(self, name: str, kind: str | None, start: int, end: int, time: int) -> int:
        """Have periods that are in the ledger sent again, made anew of the rows that are there; return how many."""
        table = tables.uplink_periods
        again = {"state": str(PeriodState.ASKED), "body": None, "attempts": 0, "time": time}
        statement = update(table).where(_meant(name, kind, start, end)).values(**again)
        with self._write("have periods sent again") as connection:
            return int(connection.execute(statement).rowcount)

    @contextmanager
    def _read(self, doing: str) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise refusal(error, doing) from error

    @contextmanager
    def _write(self, doing: str) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise refusal(error, doing) from error


def _meant(name: str, kind: str | None, start: int | None, end: int | None) -> ColumnElement[bool]:
    table = tables.uplink_periods
    meant: ColumnElement[bool] = table.c.uplink == name
    if kind is not None:
        meant = and_(meant, table.c.kind == kind)
    if start is not None:
        meant = and_(meant, table.c.start >= start)
    if end is not None:
        meant = and_(meant, table.c.start < end)
    return meant


def _period(row: Any) -> Period:  # noqa: ANN401 -- a SQLAlchemy row
    columns = dict(zip(_FIELDS, row, strict=True))
    return Period(**columns | {"state": PeriodState(columns["state"]), "refused": dict(columns["refused"] or {})})
