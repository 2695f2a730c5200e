"""Retention: what a Datastream has kept long enough is deleted as anybody would, and the audit trail says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from nilometer.acquisition.driver import Clock
from nilometer.errors import ConfigError, NilometerError
from nilometer.pipeline.deleting import Deleted, DeleteOrder
from nilometer.pipeline.log import Log
from nilometer.store import Store
from nilometer.store.expiry import Expired, expired, retention_of

__all__ = ["BY", "Retaining"]

BY = "retention"
"""Who deleted, for the audit trail."""

LOOK_EVERY_S = 3600.0
"""How often it is looked; what is over changes with each Thing's own midnight."""

_log = Log(__name__)


class Retaining:
    """Looks every hour for what is over.

    Parameters
    ----------
    store : Store
        The rows, and the Datastreams that say how long they are kept.
    delete : callable
        Deletes in the order of commits: `Pipeline.delete`.
    clock : callable
        The present, µs since 1970 UTC.
    """

    def __init__(self, store: Store, delete: Callable[[DeleteOrder], Awaitable[Deleted]], clock: Clock) -> None:
        self._store, self._delete, self._clock = store, delete, clock
        self._task: asyncio.Task[None] | None = None
        self._looking: asyncio.Future[list[Expired]] | None = None

    def start(self) -> None:
        """Look now and every hour, in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._looking is not None:
            # A thread cannot be cancelled, and this one reads the store.
            await asyncio.gather(self._looking, return_exceptions=True)

    async def look(self) -> int:
        """Delete what is over and return how many rows that were.

        What cannot be deleted (somebody has just signed it, the disk is full) is logged and tried again.
        """
        rows = 0
        try:
            self._looking = asyncio.ensure_future(asyncio.to_thread(self._expired))
            over_now = await asyncio.shield(self._looking)
        except NilometerError as error:
            _log.warning("what is beyond its retention could not be found", why=str(error))
            return 0
        for over in over_now:
            order = DeleteOrder(
                over.datastreams,
                over.start,
                over.end,
                by=BY,
                comment=f"kept for {over.retention}",
                force=over.signed,
                derives=False,
            )
            try:
                done = await self._delete(order)
            except NilometerError as error:
                _log.warning("rows beyond their retention were not deleted", why=str(error))
                continue
            if done.rows:
                _log.info("rows beyond their retention were deleted", rows=done.rows, retention=over.retention)
            rows += done.rows
        return rows

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def _expired(self) -> list[Expired]:
        """Return what is over; of a Datastream whose retention cannot be read nothing is."""
        catalog, readable = self._store.catalog, []
        for one in catalog.datastreams():
            try:
                if retention_of(one) is not None:
                    readable.append(one)
            except ConfigError as error:
                _log.error("nothing of a Datastream is deleted for its age", why=str(error))
        return expired(catalog, self._store.snapshot(), self._clock(), readable)
