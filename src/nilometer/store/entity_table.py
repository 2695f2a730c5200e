"""One entity type in one table, held in memory whole: the catalog has one writer, so what it read stays true."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Insert, Table, delete, insert, select, text, update
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from nilometer.errors import ConfigError, NotFound, RequestError, near
from nilometer.store.refusal import refusal

__all__ = ["Entity", "EntityTable"]

# The name is one of our own tables'.
_SKIP = (
    "SELECT setval('{name}_id_seq', :number) FROM {name}_id_seq "
    "WHERE last_value < :number OR (last_value = :number AND NOT is_called)"
)


class Entity(Protocol):
    """Anything with an id, as a frozen dataclass."""

    @property
    def id(self) -> int:
        """Its row."""


E = TypeVar("E", bound=Entity)


class EntityTable(Generic[E]):
    """The rows of one table as frozen entities.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    table : sqlalchemy.Table
        Whose columns are the entity's fields.
    entity : type
        The frozen dataclass.
    noun : str
        What messages call it, such as ``Datastream``.
    changed : callable
        Called with every entity added or changed, after it is durable.
    enums : mapping of str to type
        Which fields are enumerations.
    where : ColumnElement, optional
        Which rows of the table are of this type; None: all.
    beside : EntityTable, optional
        The other type of the same table, whose keys are taken too.
    """

    def __init__(
        self,
        engine: Engine,
        table: Table,
        entity: type[E],
        noun: str,
        changed: Callable[[Any], None],
        enums: Mapping[str, Callable[[Any], Enum]] | None = None,
        where: ColumnElement[bool] | None = None,
        beside: EntityTable[Any] | None = None,
    ) -> None:
        self._engine, self._table, self._entity, self._noun, self._changed = engine, table, entity, noun, changed
        self.noun = noun
        self._enums = dict(enums or {})
        self._lock = threading.RLock()
        self._rows: dict[int, E] | None = None
        self._keys: dict[str, int] = {}
        self._has_key = "key" in table.c
        self._where, self._beside = where, beside
        if beside is not None:
            beside._beside = self

    def add(self, entity: E, **extra: object) -> E:
        """Insert and return the entity with its id; `extra` are columns the entity does not have."""
        with self._lock:
            stored = self.insert(entity, None, self.owner, **extra)
            self._keep(stored)
        self._changed(stored)
        return stored

    def update(self, entity: E) -> E:
        """Write all fields of an entity that exists."""
        with self._lock:
            self.get(entity.id)
            self.overwrite(entity, None, self.owner)
            self._keep(entity)
        self._changed(entity)
        return entity

    def insert(
        self, entity: E, connection: Connection | None, owner: Callable[[str], int | None], **extra: object
    ) -> E:
        """Insert, and keep nothing in memory; `owner` says whose a key is."""
        values = {**self._values(entity), **extra}
        if entity.id:
            values["id"] = entity.id
        statement = insert(self._table).values(values).returning(self._table.c.id)
        number = int(self._run(statement, entity, connection, owner).scalar_one())
        return dataclasses.replace(entity, id=number)  # type: ignore[type-var]

    def overwrite(self, entity: E, connection: Connection | None, owner: Callable[[str], int | None]) -> None:
        """Write all fields of an entity that exists, and keep nothing in memory."""
        statement = update(self._table).where(self._table.c.id == entity.id).values(self._values(entity))
        self._run(statement, entity, connection, owner)

    def strike(self, number: int, connection: Connection, moment: int) -> None:
        """Delete an entity, and keep nothing in memory; its row stays where others speak of it."""
        here = self._table.c.id == number
        if "deleted" not in self._table.c:
            connection.execute(delete(self._table).where(here))
            return
        values: dict[str, object] = {"deleted": moment}
        if self._has_key:
            values["key"] = f"~{number}"  # no key begins so: the old one is free
        connection.execute(update(self._table).where(here).values(values))

    def take(self, stored: Iterable[E], struck: Iterable[int]) -> None:
        """Keep in memory what was committed elsewhere."""
        with self._lock:
            for number in struck:
                self._drop(self._all().pop(number, None))
            for entity in stored:
                self._keep(entity)

    def forget(self) -> None:
        """Read everything anew: a write may or may not have arrived."""
        self._rows = None

    def owner(self, key: str) -> int | None:
        """Return the id of the entity of a key, or None."""
        self._all()
        number = self._keys.get(key)
        if number is None and self._beside is not None:
            self._beside._all()
            number = self._beside._keys.get(key)
        return number

    def get(self, number: int) -> E:
        """Return the entity of an id, or raise NotFound."""
        entity = self._all().get(number)
        if entity is None:
            raise NotFound(f"there is no {self._noun} with id {number}")
        return entity

    def find(self, key: str) -> E | None:
        """Return the entity of a key, or None."""
        rows = self._all()
        number = self._keys.get(key)
        return None if number is None else rows.get(number)

    def near(self, key: str) -> Iterable[str]:
        """Return the keys that resemble one."""
        self._all()
        return near(key, self._keys)

    def all(self) -> list[E]:
        """Return every entity by ascending id."""
        with self._lock:
            return list(self._all().values())

    def _all(self) -> dict[int, E]:
        if self._rows is None:
            with self._lock:
                if self._rows is None:
                    self._rows = self._load()
        return self._rows

    def _load(self) -> dict[int, E]:
        names = [field.name for field in dataclasses.fields(self._entity)]  # type: ignore[arg-type]
        columns = [self._table.c[name] for name in names]
        try:
            with self._engine.connect() as connection:
                statement = select(*columns).order_by(self._table.c.id)
                if "deleted" in self._table.c:
                    statement = statement.where(self._table.c.deleted.is_(None))
                if self._where is not None:
                    statement = statement.where(self._where)
                found = connection.execute(statement).all()
        except SQLAlchemyError as error:
            raise refusal(error, f"read {self._table.name}") from error
        loaded = [self._made(dict(zip(names, row, strict=True))) for row in found]
        if self._has_key:
            self._keys = {entity.key: entity.id for entity in loaded}  # type: ignore[attr-defined]
        return {entity.id: entity for entity in loaded}

    def _made(self, values: dict[str, Any]) -> E:
        for name, enum in self._enums.items():
            values[name] = enum(values[name])
        return self._entity(**values)

    def _keep(self, entity: E) -> None:
        self._drop(self._all().get(entity.id))
        self._all()[entity.id] = entity
        if self._has_key:
            self._keys[entity.key] = entity.id  # type: ignore[attr-defined]

    def _drop(self, entity: E | None) -> None:
        if self._has_key and entity is not None:
            self._keys.pop(entity.key, None)  # type: ignore[attr-defined]

    def _values(self, entity: E) -> dict[str, object]:
        values = {field.name: getattr(entity, field.name) for field in dataclasses.fields(entity)}  # type: ignore[arg-type]
        values.pop("id")
        return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}

    def _run(self, statement: Any, entity: E, connection: Connection | None, owner: Callable[[str], int | None]) -> Any:  # noqa: ANN401 -- SQLAlchemy's
        self._all()
        if self._has_key:
            key = entity.key  # type: ignore[attr-defined]
            if not key or not key[0].isalpha():
                raise ConfigError(f"{self._noun}.key", seen=key, reason="a key starts with a letter")
            if owner(key) not in {None, entity.id}:
                raise ConfigError(f"{self._noun}.key", seen=key, reason="this key is taken; keys are unique")
        try:
            if connection is not None:
                return self._execute(connection, statement, entity)
            with self._engine.begin() as own:
                result = self._execute(own, statement, entity)
                return result.freeze()() if result.returns_rows else result
        except IntegrityError as error:
            raise RequestError(
                f"{self._noun} {getattr(entity, 'name', '')!r} refers to an entity that does not exist "
                f"or is there already: {error.orig}"
            ) from error
        except DataError as error:
            raise RequestError(
                f"{self._noun} {getattr(entity, 'name', '')!r} holds what the catalog cannot keep: {error.orig}"
            ) from error
        except SQLAlchemyError as error:
            # The write may have arrived before the connection broke: what is there is read anew.
            self._rows = None
            raise refusal(error, f"write {self._noun}") from error

    def _execute(self, connection: Connection, statement: Any, entity: E) -> Any:  # noqa: ANN401 -- SQLAlchemy's
        result = connection.execute(statement)
        if entity.id and isinstance(statement, Insert) and connection.dialect.name == "postgresql":
            # PostgreSQL does not see ids that it did not give out itself, and would give them out again.
            connection.execute(text(_SKIP.format(name=self._table.name)), {"number": entity.id})
        return result
