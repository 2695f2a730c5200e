"""How derived Datastreams are made: every version of every definition, in order; the last one of a Datastream holds.

A version is added and never changed, so that the provenance of a row can name the one that made it. An empty document
says that the Datastream is derived no more.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import SQLAlchemyError

from nilometer.errors import NotFound
from nilometer.store import tables
from nilometer.store.refusal import refusal

__all__ = ["DefinitionLedger", "DefinitionRow"]


@dataclass(frozen=True, slots=True)
class DefinitionRow:
    """A version of the definition of a derived Datastream, entered at `time`, µs UTC; empty: it is derived no more.

    `source` is ``config`` or ``api``: what the configuration no longer names goes only if it came from there.
    """

    id: int
    datastream: int
    time: int
    source: str
    document: dict[str, Any]


class DefinitionLedger:
    """The definitions of a catalog, all of them in memory once read.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._rows: list[DefinitionRow] | None = None
        self._current: dict[int, DefinitionRow] | None = None

    def current(self) -> dict[int, DefinitionRow]:
        """Return the definitions that hold, by Datastream."""
        with self._lock:
            if self._current is None:
                newest = {row.datastream: row for row in self._all()}
                self._current = {datastream: row for datastream, row in newest.items() if row.document}
            return self._current

    def versions(self, datastream: int | None = None) -> list[DefinitionRow]:
        """Return every version in order, of one Datastream or of all."""
        with self._lock:
            return [row for row in self._all() if datastream is None or row.datastream == datastream]

    def row(self, number: int) -> DefinitionRow:
        """Return the version of an id, or raise NotFound."""
        found = next((row for row in self.versions() if row.id == number), None)
        if found is None:
            raise NotFound(f"there is no version {number} of a definition")
        return found

    def set(self, datastream: int, document: Mapping[str, Any], *, time: int, source: str) -> DefinitionRow:
        """Return the version that holds from now on; the one that does already where nothing changes."""
        with self._lock:
            mine = self.versions(datastream)
            if mine and (mine[-1].document, mine[-1].source) == (dict(document), source):
                return mine[-1]
            values = {"datastream": datastream, "time": time, "source": source, "document": dict(document)}
            try:
                with self._engine.begin() as connection:
                    result = connection.execute(insert(tables.definitions).values(**values))
            except SQLAlchemyError as error:
                raise refusal(error, "write the definition of a derived Datastream") from error
            assert result.inserted_primary_key is not None  # noqa: S101 -- a single insert has one
            added = DefinitionRow(int(result.inserted_primary_key[0]), datastream, time, source, dict(document))
            self._all().append(added)
            self._current = None
            return added

    def _all(self) -> list[DefinitionRow]:
        if self._rows is None:
            table = tables.definitions
            columns = (table.c.id, table.c.datastream, table.c.time, table.c.source, table.c.document)
            try:
                with self._engine.connect() as connection:
                    found = connection.execute(select(*columns).order_by(table.c.id)).all()
            except SQLAlchemyError as error:
                raise refusal(error, "read the definitions of derived Datastreams") from error
            self._rows = [DefinitionRow(*row) for row in found]
        return self._rows
