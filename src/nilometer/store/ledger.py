"""Rows of the catalog that are added and never changed: what calibrated, judged, made and happened."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Table, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from nilometer.errors import NotFound
from nilometer.store import tables
from nilometer.store.refusal import refusal

__all__ = ["CalibrationRow", "Event", "Ledger", "ProfileVersionRow", "ProvenanceRow"]


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
    """What made a row of the lake: calibration, profile version, source and code."""

    id: int
    calibration: int | None
    profile_version: int | None
    source: str
    code_version: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a Thing or a Datastream, at `time` µs UTC."""

    id: int
    thing: int | None
    datastream: int | None
    time: int
    kind: str
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
        self._provenance: dict[tuple[int | None, int | None, str, str], int] = {}

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
        found = self._read(_select(table, ProfileVersionRow).where(table.c.id == number))
        if not found:
            raise NotFound(f"there is no profile version with id {number}")
        return ProfileVersionRow(*found[0])

    def provenance(
        self, calibration_id: int | None, profile_version_id: int | None, source: str, code_version: str
    ) -> int:
        """Return the row id of a way of making rows, added at first sight."""
        key = (calibration_id, profile_version_id, source, code_version)
        with self._lock:
            number = self._provenance.get(key)
            if number is None:
                table = tables.provenance
                values = dict(zip(("calibration", "profile_version", "source", "code_version"), key, strict=True))
                same = [
                    table.c[name].is_(None) if value is None else table.c[name] == value
                    for name, value in values.items()
                ]
                found = self._read(select(table.c.id).where(*same))
                number = found[0][0] if found else self._insert(table, values)
                self._provenance[key] = number
            return number

    def provenance_row(self, number: int) -> ProvenanceRow:
        """Return the provenance of an id, or raise NotFound."""
        table = tables.provenance
        found = self._read(_select(table, ProvenanceRow).where(table.c.id == number))
        if not found:
            raise NotFound(f"there is no provenance with id {number}")
        return ProvenanceRow(*found[0])

    def add_event(
        self, thing: int | None, datastream: int | None, time: int, kind: str, detail: Mapping[str, Any]
    ) -> Event:
        """Note what happened and return it with its id."""
        values = {"thing": thing, "datastream": datastream, "time": time, "kind": kind, "detail": dict(detail)}
        return Event(self._insert(tables.events, values), thing, datastream, time, kind, dict(detail))

    def events(self, thing: int | None, start: int | None, end: int | None, limit: int | None) -> list[Event]:
        """Return events, newest first."""
        table = tables.events
        statement = _select(table, Event).order_by(None).order_by(table.c.time.desc(), table.c.id.desc())
        if thing is not None:
            statement = statement.where(table.c.thing == thing)
        if start is not None:
            statement = statement.where(table.c.time >= start)
        if end is not None:
            statement = statement.where(table.c.time < end)
        if limit is not None:
            statement = statement.limit(limit)
        return [Event(*row) for row in self._read(statement)]

    def add_audit(self, time: int, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Note who changed what."""
        values = {"time": time, "actor": actor, "action": action, "subject": subject, "detail": dict(detail)}
        self._insert(tables.audit, values)

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


def _select(table: Table, row: type) -> Any:  # noqa: ANN401 -- a SQLAlchemy select
    return select(*(table.c[name] for name in row.__slots__)).order_by(table.c.id)  # type: ignore[attr-defined]
