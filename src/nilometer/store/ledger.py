"""Rows of the catalog that are added and never changed: what calibrated, judged, made and happened."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, Table, and_, func, insert, or_, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from nilometer.errors import NotFound
from nilometer.store import tables
from nilometer.store.refusal import refusal
from nilometer.store.row_ids import row_id

__all__ = ["AuditRow", "CalibrationRow", "Event", "Ledger", "ProfileVersionRow", "ProvenanceRow"]


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """A calibration document of a Datastream, valid from a time (µs UTC) until the next one."""

    id: int
    datastream: int
    valid_from: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProfileVersionRow:
    """A QC profile exactly as it judged; `digest` is the SHA-256 of version and document."""

    id: int
    name: str
    version: str
    digest: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProvenanceRow:
    """What made a row of the lake: calibration, profile version, source and code.

    `review` is the last step of a manual review that made it, None where none did; `steps` are all of them, by commas;
    `definition` is the version of the definition that derived it.
    """

    id: int
    calibration: int | None
    profile_version: int | None
    source: str
    code_version: str
    review: int | None = None
    steps: str | None = None
    definition: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a Thing or a Datastream, from `time` on, µs UTC.

    What somebody entered has an actor, the moment it was entered, and maybe an end; `datastreams` are several that it
    speaks of, `first` is the first version of what was edited, `sequence` the commit from which on it holds.
    """

    id: int
    thing: int | None
    datastream: int | None
    time: int
    kind: str
    detail: dict[str, Any]
    end: int | None = None
    datastreams: tuple[int, ...] | None = None
    actor: str | None = None
    note: str | None = None
    entered: int | None = None
    sequence: int | None = None
    first: int | None = None
    withdrawn: bool | None = None

    @property
    def root(self) -> int:
        """The id that the event keeps through all of its versions: that of the first."""
        return self.id if self.first is None else self.first


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who changed what, when (µs UTC), and what is told of it."""

    id: int
    time: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class Ledger:
    """The append-only tables of a catalog.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._calibrations: dict[int, list[CalibrationRow]] = {}
        self._profiles: dict[tuple[str, str], int] = {}
        self._provenance: dict[tuple[int | None, int | None, str, str, int | None, str | None, int | None], int] = {}
        self._by_review: set[int] | None = None
        self._by_review_table = np.zeros(0, np.bool_)

    def calibrations(self, datastream_id: int) -> list[CalibrationRow]:
        """Return the calibrations of a Datastream by date."""
        with self._lock:
            rows = self._calibrations.get(datastream_id)
            if rows is None:
                table = tables.calibrations
                statement = (
                    select(table.c.id, table.c.datastream, table.c.valid_from, table.c.document)
                    .where(table.c.datastream == datastream_id)
                    .order_by(table.c.valid_from, table.c.id)
                )
                rows = [CalibrationRow(*row) for row in self._read(statement)]
                self._calibrations[datastream_id] = rows
            return list(rows)

    def add_calibration(self, datastream_id: int, valid_from: int, document: Mapping[str, Any]) -> CalibrationRow:
        """Add a calibration and return it with its id."""
        values = {"datastream": datastream_id, "valid_from": valid_from, "document": dict(document)}
        with self._lock:
            number = self._insert(tables.calibrations, values)
            self._calibrations.pop(datastream_id, None)
        return CalibrationRow(number, datastream_id, valid_from, dict(document))

    def forget_calibrations(self, datastream_id: int) -> None:
        """Read the calibrations of a Datastream anew: somebody else added one."""
        with self._lock:
            self._calibrations.pop(datastream_id, None)

    def profile_version(self, name: str, version: str, document: Mapping[str, Any]) -> int:
        """Return the row id of a profile's content, added at first sight."""
        text = json.dumps([version, dict(document)], sort_keys=True, ensure_ascii=False, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self._lock:
            number = self._profiles.get((name, digest))
            if number is None:
                table = tables.profile_versions
                found = self._read(select(table.c.id).where(table.c.name == name, table.c.digest == digest))
                values = {"name": name, "version": version, "digest": digest, "document": dict(document)}
                number = found[0][0] if found else self._insert(table, values)
                self._profiles[name, digest] = number
            return number

    def profile_versions(self) -> list[ProfileVersionRow]:
        """Return every profile version by ascending id."""
        return [ProfileVersionRow(*row) for row in self._read(_select(tables.profile_versions, ProfileVersionRow))]

    def profile_version_row(self, number: int) -> ProfileVersionRow:
        """Return the profile version of an id, or raise NotFound."""
        table = tables.profile_versions
        found = self._read(_select(table, ProfileVersionRow).where(table.c.id == row_id(number)))
        if not found:
            raise NotFound(f"there is no profile version with id {number}")
        return ProfileVersionRow(*found[0])

    def provenance(
        self,
        calibration_id: int | None,
        profile_version_id: int | None,
        source: str,
        code_version: str,
        review: int | None = None,
        steps: str | None = None,
        definition: int | None = None,
    ) -> int:
        """Return the row id of a way of making rows, added at first sight."""
        key = (calibration_id, profile_version_id, source, code_version, review, steps, definition)
        with self._lock:
            number = self._provenance.get(key)
            if number is None:
                table = tables.provenance
                values = dict(zip(ProvenanceRow.__slots__[1:], key, strict=True))
                same = [
                    table.c[name].is_(None) if value is None else table.c[name] == value
                    for name, value in values.items()
                ]
                found = self._read(select(table.c.id).where(*same))
                number = found[0][0] if found else self._insert(table, values)
                self._provenance[key] = number
                if review is not None:
                    self._reviewed().add(number)
                    self._by_review_table = np.zeros(0, np.bool_)
            return number

    def forget_reviews(self, steps: Collection[int]) -> None:
        """Forget the ways of steps that were taken back: no row has them."""
        with self._lock:
            self._provenance = {key: number for key, number in self._provenance.items() if key[4] not in steps}

    def reviewed(self, provenance: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which rows a manual review made, by their provenance."""
        if not len(provenance):
            return np.zeros(0, np.bool_)
        most = int(provenance.max())
        with self._lock:
            numbers = self._reviewed()
            table = self._by_review_table
            if most >= len(table):
                table = np.zeros(max(most, max(numbers, default=0)) + 1, np.bool_)
                table[list(numbers)] = True
                self._by_review_table = table
        return table[provenance]

    def _reviewed(self) -> set[int]:
        if self._by_review is None:
            table = tables.provenance
            self._by_review = {row[0] for row in self._read(select(table.c.id).where(table.c.review.is_not(None)))}
        return self._by_review

    def provenance_row(self, number: int) -> ProvenanceRow:
        """Return the provenance of an id, or raise NotFound."""
        table = tables.provenance
        found = self._read(_select(table, ProvenanceRow).where(table.c.id == row_id(number)))
        if not found:
            raise NotFound(f"there is no provenance with id {number}")
        return ProvenanceRow(*found[0])

    def add_event(
        self, thing: int | None, datastream: int | None, time: int, kind: str, detail: Mapping[str, Any]
    ) -> Event:
        """Note what happened and return it with its id."""
        values = {"thing": thing, "datastream": datastream, "time": time, "kind": kind, "detail": dict(detail)}
        return Event(self._insert(tables.events, values), thing, datastream, time, kind, dict(detail))

    def events(
        self,
        thing: int | None,
        start: int | None,
        end: int | None,
        limit: int | None,
        *,
        kind: str | None = None,
        as_of: int | None = None,
        withdrawn: bool = False,
        entered_only: bool = False,
    ) -> list[Event]:
        """Return events by their newest version, newest first; what was withdrawn only when asked for.

        `start` and `end` choose by the span that an event covers; `as_of` is a commit: as it was known then.
        """
        table, newer = tables.events, tables.events.alias("newer")
        root = func.coalesce(table.c.first, table.c.id)
        later = select(newer.c.id).where(newer.c.first == root, newer.c.id > table.c.id)
        statement = _select(table, Event).order_by(None).order_by(table.c.time.desc(), table.c.id.desc())
        if as_of is not None:
            later = later.where(newer.c.sequence <= as_of)
            statement = statement.where(or_(table.c.sequence.is_(None), table.c.sequence <= as_of))
        statement = statement.where(~later.exists())
        if not withdrawn:
            statement = statement.where(or_(table.c.withdrawn.is_(None), table.c.withdrawn.is_(False)))
        if entered_only:
            statement = statement.where(table.c.entered.is_not(None))
        if thing is not None:
            statement = statement.where(table.c.thing == thing)
        if kind is not None:
            statement = statement.where(table.c.kind == kind)
        if start is not None:
            # An event without an end is an instant, unless somebody entered it: then it goes on.
            goes_on = and_(table.c.end.is_(None), table.c.entered.is_not(None))
            statement = statement.where(or_(table.c.time >= start, table.c.end > start, goes_on))
        if end is not None:
            statement = statement.where(table.c.time < end)
        if limit is not None:
            statement = statement.limit(limit)
        return [_event(row) for row in self._read(statement)]

    def event_versions(self, number: int) -> list[Event]:
        """Return every version of an event that was entered, the first first; NotFound when there is none."""
        table, root = tables.events, row_id(number)
        found = self._read(_select(table, Event).where(or_(table.c.id == root, table.c.first == root)))
        versions = [_event(row) for row in found]
        if not versions or versions[0].root != number or versions[0].entered is None:
            raise NotFound(f"there is no event {number} that somebody entered")
        return versions

    def add_audit(self, time: int, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Note who changed what."""
        values = {"time": time, "actor": actor, "action": action, "subject": subject, "detail": dict(detail)}
        self._insert(tables.audit, values)

    def is_audited(self, action: str, subject: str) -> bool:
        """Return whether the audit trail has an action on a subject."""
        table = tables.audit
        return bool(self._read(select(table.c.id).where(table.c.action == action, table.c.subject == subject).limit(1)))

    def audit(self, action: str | None = None) -> list[AuditRow]:
        """Return the audit trail in order, all of it or of one action."""
        statement = _select(tables.audit, AuditRow)
        if action is not None:
            statement = statement.where(tables.audit.c.action == action)
        return [AuditRow(*row) for row in self._read(statement)]

    def _read(self, statement: Any) -> list[Any]:  # noqa: ANN401 -- a SQLAlchemy select
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(statement).all())
        except SQLAlchemyError as error:
            raise refusal(error, "read the catalog") from error

    def _insert(self, table: Table, values: Mapping[str, object]) -> int:
        try:
            with self._engine.begin() as connection:
                return int(connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())
        except IntegrityError as error:
            raise NotFound(f"a row of {table.name} speaks of an entity that does not exist: {values}") from error
        except SQLAlchemyError as error:
            raise refusal(error, f"write {table.name}") from error


def _event(row: Any) -> Event:  # noqa: ANN401 -- a SQLAlchemy row
    values = dict(zip(Event.__slots__, row, strict=True))
    if values["datastreams"] is not None:
        values["datastreams"] = tuple(values["datastreams"])
    return Event(**values)


def _select(table: Table, row: type) -> Any:  # noqa: ANN401 -- a SQLAlchemy select
    return select(*(table.c[name] for name in row.__slots__)).order_by(table.c.id)  # type: ignore[attr-defined]
