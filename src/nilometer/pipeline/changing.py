"""Changes of the catalog while rows pass: one edit at a time, between two commits, known to every stage afterwards.

A deep insert may bring Observations. Its entities are committed first, with a note of what to take back; then the
rows go through calibration and qc like any others; then the note goes. Whatever ends it in between, now or at the
next start, leaves all of it or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import NilometerError, NotFound, RequestError, StoreError
from nilometer.model import (
    Datastream,
    FeatureOfInterest,
    Location,
    MultiDatastream,
    ObservationBatch,
    ObservedProperty,
    Sensor,
    Thing,
)
from nilometer.pipeline.deleting import Deleted, Deleting
from nilometer.pipeline.delivery import IngestOutcome
from nilometer.pipeline.log import Log
from nilometer.pipeline.wiring import Wiring
from nilometer.store import Store
from nilometer.store.catalog_edit import CatalogEdit

__all__ = ["Changing", "Inserted"]

T = TypeVar("T")
_KINDS: dict[str, type] = {
    "Datastream": Datastream,
    "MultiDatastream": MultiDatastream,
    "FeatureOfInterest": FeatureOfInterest,
    "Thing": Thing,
    "Sensor": Sensor,
    "ObservedProperty": ObservedProperty,
    "Location": Location,
}
_log = Log(__name__)
InPump = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(slots=True)
class Inserted:
    """What an insert made.

    Parameters
    ----------
    answer : object
        What the caller wants to know.
    made : list of (str, int)
        Entities by kind and id.
    stood : dict of int to list of int
        Where Things stood that were moved.
    rows : ObservationBatch, optional
        The Observations that came with them.
    outcome : IngestOutcome, optional
        What became of the rows.
    gone : list of int
        Datastreams and MultiDatastreams that were deleted with it; their rows follow.
    """

    answer: Any
    made: list[tuple[str, int]] = field(default_factory=list)
    stood: dict[int, list[int]] = field(default_factory=dict)
    rows: ObservationBatch | None = None
    outcome: IngestOutcome | None = None
    gone: list[int] = field(default_factory=list)

    def note(self) -> dict[str, Any]:
        """Return what to take back, and by which of the rows it is known whether they came."""
        note: dict[str, Any] = {"made": self.made, "stood": [[thing, places] for thing, places in self.stood.items()]}
        if self.rows is not None:
            feature = 0 if self.rows.feature is None else int(self.rows.feature[0])
            note["row"] = [int(self.rows.datastream[0]), int(self.rows.phenomenon_time[0]), feature]
        return note


class Changing:
    """Makes changes, one at a time.

    Parameters
    ----------
    store : Store
        Catalog and rows.
    wiring : Wiring
        Knows Things by their keys.
    judge : callable
        Told of every Datastream and MultiDatastream that was made or changed.
    in_pump : coroutine function
        Does something where no row is in flight.
    ingest : coroutine function
        Takes rows until they are durable.
    clock : callable
        The present, µs since 1970 UTC.
    deleting : Deleting
        Deletes rows.
    """

    def __init__(
        self,
        store: Store,
        wiring: Wiring,
        judge: Callable[[Datastream], None],
        in_pump: InPump,
        ingest: Callable[[ObservationBatch], Coroutine[None, None, IngestOutcome]],
        clock: Callable[[], int],
        deleting: Deleting,
    ) -> None:
        self._store, self._wiring, self._judge, self._deleting = store, wiring, judge, deleting
        self.shelf = wiring.shelf
        self._in_pump, self._ingest, self._clock = in_pump, ingest, clock
        self._under_way: set[asyncio.Task[Any]] = set()

    async def change(self, doing: str, action: Callable[[CatalogEdit], T]) -> T:
        """Change entities: what `action` does is one transaction.

        Parameters
        ----------
        doing : str
            Words after "could not".
        action : callable
            Gets the edit; what it raises undoes all of it.

        Raises
        ------
        StoreError
            If the catalog refuses; and whatever the action raises.
        """
        changed: T = await self._in_pump(lambda: self._edited(doing, action))
        return changed

    async def insert(self, action: Callable[[CatalogEdit], Inserted]) -> Inserted:
        """Make entities and the Observations that come with them, all or nothing.

        Raises
        ------
        RequestError
            If admission rejects a row.
        StoreError
            If the store refuses; and whatever the action raises.
        """
        # A client that hangs up must not leave half of it.
        task = asyncio.ensure_future(self._inserted(action))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def remove(self, doing: str, action: Callable[[CatalogEdit], Sequence[int]], about: dict[str, Any]) -> None:
        """Delete entities, and the Observations of the Datastreams that `action` returns.

        A crash after the entities went is made good by the next start.
        """

        def act() -> None:
            gone = self._edited(doing, action)
            self._bury(gone, about)

        await self._in_pump(act)

    async def delete_rows(self, ids: NDArray[np.int64], about: Mapping[str, str]) -> Deleted:
        """Delete single rows; see `Deleting.delete_rows`."""
        deleted: Deleted = await self._in_pump(lambda: self._deleting.delete_rows(ids, about=about))
        return deleted

    async def ingest(self, batch: ObservationBatch) -> IngestOutcome:
        """Take rows until they are durable; see `Pipeline.ingest`."""
        return await self._ingest(batch)

    def recover(self) -> None:
        """Finish what a crash cut short: deletes are completed, deep inserts without their rows taken back."""
        self._bury(self._store.catalog.streams.deleted(), {"reason": "", "comment": "the Datastream was deleted"})
        with self._store.catalog.edit("take back what was not finished", self._clock()) as edit:
            for number, note in edit.insertions():
                if not self._came(note):
                    _log.warning("a deep insert that was cut short is taken back", entities=len(note["made"]))
                    _take_back(edit, note)
                edit.end_insertion(number)

    def _edited(self, doing: str, action: Callable[[CatalogEdit], T]) -> T:
        with self._store.catalog.edit(doing, self._clock()) as edit:
            done = action(edit)
        for stream in (*edit.changed(Datastream), *edit.changed(MultiDatastream)):
            self._judge(stream)
        self._wiring.know(edit.changed(Thing), edit.gone(Thing))
        return done

    async def _inserted(self, action: Callable[[CatalogEdit], Inserted]) -> Inserted:
        def act(edit: CatalogEdit) -> tuple[Inserted, int]:
            inserted = action(edit)
            needs_note = inserted.rows is not None and bool(inserted.made or inserted.stood)
            return inserted, edit.begin_insertion(inserted.note()) if needs_note else 0

        def done() -> tuple[Inserted, int]:
            inserted, note = self._edited("make entities", act)
            self._bury(inserted.gone, {"reason": "", "comment": "the Datastream was deleted"})
            return inserted, note

        inserted: Inserted
        inserted, note = await self._in_pump(done)
        if inserted.rows is None:
            return inserted
        try:
            inserted.outcome = await self._ingest(inserted.rows)
            if inserted.outcome.rejected:
                row, reason = inserted.outcome.errors[0]
                raise RequestError(f"Observation {row + 1}: {reason}", place="$")
        except NilometerError:
            if note:
                await self.change("take entities back", lambda edit: _undo(edit, inserted.note(), note))
            raise
        if note:
            await self._end(note)
        return inserted

    async def _end(self, note: int) -> None:
        try:
            await self.change("end a deep insert", lambda edit: edit.end_insertion(note))
        except StoreError as error:
            _log.warning("a deep insert is whole, and its note stays until the next start", error=str(error))

    def _bury(self, datastreams: Sequence[int], about: dict[str, Any]) -> None:
        snapshot = self._store.snapshot()
        rows = [number for number in datastreams if snapshot.extent(number) is not None]
        if rows:
            self._store.delete(rows, None, None, about=about)

    def _came(self, note: dict[str, Any]) -> bool:
        datastream, time, feature = note["row"]
        snapshot = self._store.snapshot()
        if any([kind, datastream] in note["made"] for kind in ("Datastream", "MultiDatastream")):
            return snapshot.extent(datastream) is not None
        rows = snapshot.read([datastream], time - 1000, time + 1000, columns=["feature"], water_only=False)
        return bool(np.isin(rows["feature"].to_numpy(), [feature]).any()) if feature else rows.num_rows > 0


def _undo(edit: CatalogEdit, note: dict[str, Any], number: int) -> None:
    _take_back(edit, note)
    edit.end_insertion(number)


def _take_back(edit: CatalogEdit, note: dict[str, Any]) -> None:
    for thing, places in note["stood"]:
        edit.stand(thing, places)
    made = [(kind, number) for kind, number in note["made"]]
    edit.strike_history(number for kind, number in made if kind == "HistoricalLocation")
    for kind, number in reversed(made):
        if kind in _KINDS:
            try:
                if kind == "MultiDatastream":
                    edit.observe(number, [])
                edit.strike(_KINDS[kind], number)
            except NotFound:
                continue
