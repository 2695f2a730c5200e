"""Standard solutions and calibration records of a catalog: versions that are added and never changed.

The newest version of each counts, unless it was withdrawn; as of a commit, the newest of those that held by then. What
a record put into force is a row of `calibrations`: it stays in force while the newest version of the record names it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, Table, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from nilometer.errors import NotFound, near
from nilometer.model.calibration_records import CalibrationPoint, CalibrationRecord, RecordKind, StandardSolution
from nilometer.store import tables
from nilometer.store.refusal import refusal
from nilometer.store.row_ids import row_id

__all__ = ["CalibrationLedger"]


class _Version(Protocol):
    """A version of something, as a frozen dataclass."""

    @property
    def id(self) -> int: ...
    @property
    def root(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def withdrawn(self) -> bool: ...


V = TypeVar("V", bound=_Version)


class CalibrationLedger:
    """The standard solutions and the calibration records of a catalog.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    added : callable
        Told of the Datastream to whose calibrations a row was added.
    """

    def __init__(self, engine: Engine, added: Callable[[int], None]) -> None:
        self._engine, self._added = engine, added
        self._lock = threading.RLock()
        self._standards: list[StandardSolution] | None = None
        self._records: dict[int, list[CalibrationRecord]] = {}
        self._recorded: set[int] | None = None

    def standards(self, as_of: int | None = None, *, withdrawn: bool = False) -> list[StandardSolution]:
        """Return the newest version of every standard by key; `as_of` is a commit: as it was known then."""
        return sorted(_newest(self._all_standards(), as_of, withdrawn=withdrawn), key=lambda one: (one.key, one.id))

    def standard(self, name: str | int) -> StandardSolution:
        """Return the newest version of a standard by its key, or by the id of its first version.

        Raises
        ------
        NotFound
            If there is none, or it was withdrawn; the message names keys that are near.
        """
        known = self.standards()
        found = [one for one in known if name in (one.key, one.root)]
        if not found:
            alike = near(str(name), [one.key for one in known])
            hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
            raise NotFound(f"there is no standard solution {str(name)[:100]!r}{hint}")
        return found[0]

    def standard_version(self, number: int) -> StandardSolution:
        """Return the version of an id, as a record used it."""
        found = [one for one in self._all_standards() if one.id == number]
        if not found:
            raise NotFound(f"there is no standard solution with id {number}")
        return found[0]

    def standard_versions(self, number: int) -> list[StandardSolution]:
        """Return every version of a standard, the first first; NotFound where there is none."""
        return _versions(self._all_standards(), number, "standard solution")

    def enter_standard(self, standard: StandardSolution) -> StandardSolution:
        """Add a version and return it with its id.

        Raises
        ------
        StoreError
            If the catalog cannot be written; nothing was added.
        """
        with self._lock:
            number = self._write("a standard solution", lambda connection: _add_standard(connection, standard))
            self._standards = None
        return replace(standard, id=number)

    def records(
        self, datastreams: Iterable[int] | None = None, as_of: int | None = None, *, withdrawn: bool = False
    ) -> list[CalibrationRecord]:
        """Return the newest version of the records of Datastreams (None: all), by the time they were done."""
        with self._lock:
            numbers = sorted(self._with_records() if datastreams is None else self._with_records() & set(datastreams))
            found = [one for number in numbers for one in self._of(number)]
        return sorted(_newest(found, as_of, withdrawn=withdrawn), key=lambda one: (one.time, one.id))

    def has_records(self, datastream: int) -> bool:
        """Return whether a Datastream ever had a record."""
        with self._lock:
            return datastream in self._with_records()

    def record_versions(self, number: int) -> list[CalibrationRecord]:
        """Return every version of a record, the first first; NotFound where there is none."""
        table = tables.calibration_records
        found = self._read(select(table.c.datastream).where(table.c.id == row_id(number)))
        with self._lock:
            return _versions(self._of(found[0][0]) if found else [], number, "calibration record")

    def enter_record(
        self, record: CalibrationRecord, calibration: tuple[int, Mapping[str, Any]] | None = None
    ) -> CalibrationRecord:
        """Add a version and return it with its id.

        Parameters
        ----------
        record : CalibrationRecord
            A new record, or a version that supersedes those of `first`.
        calibration : (int, mapping), optional
            What it puts into force: from when on, µs since 1970 UTC, and the document. Both are written or neither.

        Raises
        ------
        NotFound
            If it speaks of what is not there.
        StoreError
            If the catalog cannot be written; nothing was added.
        """

        def write(connection: Connection) -> int:
            nonlocal record
            if calibration is not None:
                table = tables.calibrations
                values = {
                    "datastream": record.datastream,
                    "valid_from": calibration[0],
                    "document": dict(calibration[1]),
                }
                number = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
                record = replace(record, calibration=int(number))
            return _add_record(connection, record)

        with self._lock:
            number = self._write("a calibration record", write)
            self._records.pop(record.datastream, None)
            if self._recorded is not None:
                self._recorded.add(record.datastream)
        self._added(record.datastream)
        return replace(record, id=number)

    def dropped(self, datastream: int) -> frozenset[int]:
        """Return the calibrations of a Datastream that a record put into force and no standing record names."""
        with self._lock:
            if datastream not in self._with_records():
                return frozenset()
            known = self._of(datastream)
        named = {one.calibration for one in known if one.calibration is not None}
        return frozenset(named - {one.calibration for one in _newest(known, None, withdrawn=False)})

    def _all_standards(self) -> list[StandardSolution]:
        with self._lock:
            if self._standards is None:
                table = tables.standard_solutions
                self._standards = [
                    StandardSolution(**row._mapping) for row in self._read(select(table).order_by(table.c.id))
                ]
            return self._standards

    def _with_records(self) -> set[int]:
        if self._recorded is None:
            self._recorded = {row[0] for row in self._read(select(tables.calibration_records.c.datastream).distinct())}
        return self._recorded

    def _of(self, datastream: int) -> list[CalibrationRecord]:
        known = self._records.get(datastream)
        if known is None:
            table = tables.calibration_records
            rows = self._read(select(table).where(table.c.datastream == datastream).order_by(table.c.id))
            known = self._records[datastream] = [_record(row) for row in rows]
        return known

    def _read(self, statement: Any) -> Sequence[Any]:  # noqa: ANN401 -- a SQLAlchemy select
        try:
            with self._engine.connect() as connection:
                return connection.execute(statement).all()
        except SQLAlchemyError as error:
            raise refusal(error, "read the calibration records") from error

    def _write(self, what: str, doing: Callable[[Connection], int]) -> int:
        try:
            with self._engine.begin() as connection:
                return doing(connection)
        except IntegrityError as error:
            raise NotFound(f"{what} speaks of what does not exist: {error.orig}") from error
        except SQLAlchemyError as error:
            # The write may have arrived before the connection broke: what is there is read anew.
            self._standards, self._records, self._recorded = None, {}, None
            raise refusal(error, f"write {what}") from error


def _newest(versions: Iterable[V], as_of: int | None, *, withdrawn: bool) -> list[V]:
    last: dict[int, V] = {}
    for one in versions:  # by id: later ones supersede
        if as_of is None or one.sequence <= as_of:
            last[one.root] = one
    return [one for one in last.values() if withdrawn or not one.withdrawn]


def _versions(versions: Iterable[V], number: int, what: str) -> list[V]:
    found = [one for one in versions if one.root == number]
    if not found:
        raise NotFound(f"there is no {what} {number}")
    return found


def _add_standard(connection: Connection, standard: StandardSolution) -> int:
    return _inserted(connection, tables.standard_solutions, asdict(standard))


def _add_record(connection: Connection, record: CalibrationRecord) -> int:
    values = asdict(record)
    values["kind"] = str(record.kind)
    values["points"] = [_sparse(point) for point in values["points"]]
    for name in ("expired", "attachments"):
        values[name] = list(values[name])
    return _inserted(connection, tables.calibration_records, values)


def _inserted(connection: Connection, table: Table, values: dict[str, Any]) -> int:
    values.pop("id")
    return int(connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())


def _sparse(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _record(row: Any) -> CalibrationRecord:  # noqa: ANN401 -- a SQLAlchemy row
    values = dict(row._mapping)
    values["kind"] = RecordKind(values["kind"])
    values["points"] = tuple(CalibrationPoint(**point) for point in values["points"])
    for name in ("expired", "attachments"):
        values[name] = tuple(values[name])
    return CalibrationRecord(**values)
