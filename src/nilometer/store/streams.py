"""What has rows: Datastreams and MultiDatastreams, of one table and one count of ids.

Whoever looks after one quantity asks the catalog for Datastreams and never meets the others; whoever looks after rows
asks here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from nilometer.errors import NotFound
from nilometer.model import Datastream, MultiDatastream, Origin
from nilometer.store import tables
from nilometer.store.entity_table import EntityTable
from nilometer.store.refusal import refusal

__all__ = ["Streams"]


class Streams:
    """Both, by their ids.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The catalog's database.
    changed : callable
        Called with every entity added or changed, after it is durable.

    Attributes
    ----------
    plain : EntityTable of Datastream
        Those of one observed property.
    multi : EntityTable of MultiDatastream
        Those of several.
    """

    def __init__(self, engine: Engine, changed: Callable[[Any], None]) -> None:
        self._engine = engine
        table, origin = tables.datastreams, {"origin": Origin}
        several = table.c.unit_of_measurements
        self.plain = EntityTable(engine, table, Datastream, "Datastream", changed, origin, several.is_(None))
        self.multi = EntityTable(
            engine, table, MultiDatastream, "MultiDatastream", changed, origin, several.is_not(None), self.plain
        )
        self._ever_multi: NDArray[np.int64] | None = None

    def get(self, number: int) -> Datastream:
        """Return whichever has rows under an id, or raise NotFound."""
        try:
            return self.plain.get(number)
        except NotFound:
            if self.is_multi(number):
                return self.multi.get(number)
            raise

    def all(self) -> list[Datastream]:
        """Return both by ascending id."""
        return sorted([*self.plain.all(), *self.multi.all()], key=lambda one: one.id)

    def is_multi(self, number: int) -> bool:
        """Say whether rows under an id are, or were, of a MultiDatastream."""
        return bool(self.are_multi(np.array([number]))[0])

    def ever_multi(self) -> NDArray[np.int64]:
        """Return the ids of all MultiDatastreams there ever were, ascending: their rows are read as of then."""
        known = self._ever_multi
        if known is None:
            table = tables.datastreams
            statement = select(table.c.id).where(table.c.unit_of_measurements.is_not(None)).order_by(table.c.id)
            try:
                with self._engine.connect() as connection:
                    known = np.array(list(connection.execute(statement).scalars()), np.int64)
            except SQLAlchemyError as error:
                raise refusal(error, "read MultiDatastreams") from error
            self._ever_multi = known
        return known

    def are_multi(self, numbers: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which of some ids are, or were, of MultiDatastreams."""
        known = self.ever_multi()
        if not len(known):
            return np.zeros(len(numbers), np.bool_)
        at = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
        found: NDArray[np.bool_] = known[at] == numbers
        return found

    def forget(self) -> None:
        """Ask the database anew: a MultiDatastream was made."""
        self._ever_multi = None

    def deleted(self) -> list[int]:
        """Return the ids of those that were deleted: the store has rows of them as of earlier moments."""
        table = tables.datastreams
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(select(table.c.id).where(table.c.deleted.is_not(None))).scalars())
        except SQLAlchemyError as error:
            raise refusal(error, "read Datastreams") from error
