"""The contract of an uplink: what a kind of receiver promises, and the desk that it is given.

A kind of receiver is one module with a constant ``UPLINK = UplinkInfo(...)`` and a class that meets `Uplink`. It reads
the store and never writes it; how far it has come is in the catalog, so a restart goes on where the last one was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from nilometer.acquisition.driver import Clock
from nilometer.store import Catalog, Snapshot
from nilometer.store.uplink_ledger import UplinkLedger
from nilometer.uplink.periods import Grid

__all__ = ["Desk", "Uplink", "UplinkInfo", "UplinkOptions", "UplinkState", "UplinkStatus"]

T = TypeVar("T")


class UplinkOptions(BaseModel):
    """The settings of one receiver in ``nilometer.toml``; a kind's own options derive from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def datastream_keys(self) -> frozenset[str]:
        """Return the Datastreams that these settings name."""
        return frozenset()


class UplinkState(StrEnum):
    """What an uplink is doing, as people see it."""

    STARTING = "starting"
    LIVE = "live"  # connected, and answered
    SILENT = "silent"  # connected, and not answered
    DISCONNECTED = "disconnected"  # no connection; it is being tried again
    BROKEN = "broken"  # it failed, or can never work as configured; see the detail


@dataclass(slots=True)
class UplinkStatus:
    """How an uplink is doing: `since`, `newest` in µs UTC; messages sent, answered, sent again; rows refused by reason.

    `waiting` counts what is due and not answered yet: periods (HJ 212) or rows.
    """

    name: str
    receiver: str
    things: tuple[str, ...] = ()
    state: UplinkState = UplinkState.STARTING
    detail: str = ""
    since: int = 0
    sent: int = 0
    answered: int = 0
    repeated: int = 0
    waiting: int = 0
    newest: int | None = None
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reasons: Mapping[str, int]) -> None:
        """Count rows that were not sent, by reason."""
        for reason, rows in reasons.items():
            self.refused[reason] = self.refused.get(reason, 0) + rows


class Desk:
    """What an uplink works with: the store to read, its ledger, a clock, and a place to say how it is doing.

    `again` has the time ranges, µs UTC, whose rows somebody asked to be sent again: for receivers of rows.

    Parameters
    ----------
    status : UplinkStatus
        Shown to people; the uplink counts in it.
    catalog : Catalog
        Things, Datastreams, and the ledger of uplinks.
    snapshot : callable
        Gives all that is acknowledged.
    clock : callable
        The present, µs since 1970 UTC.
    changed : callable
        Told every change of state.
    """

    def __init__(
        self,
        status: UplinkStatus,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot],
        clock: Clock,
        changed: Callable[[UplinkStatus], None] = lambda _: None,
    ) -> None:
        self.status, self.catalog, self.snapshot, self.clock = status, catalog, snapshot, clock
        self.woken = asyncio.Event()
        self.again: list[tuple[int, int]] = []
        self._changed = changed

    @property
    def name(self) -> str:
        """The uplink's name."""
        return self.status.name

    @property
    def ledger(self) -> UplinkLedger:
        """The catalog's ledger of uplinks; it blocks, so call it through `reading`."""
        return self.catalog.uplinks

    async def reading(self, work: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 -- the work's own
        """Do what asks the disk in a thread, to its end even where we are told to end: it holds on to the store."""
        task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def report(self, state: UplinkState, detail: str = "") -> None:
        """Say how it is doing."""
        status = self.status
        if (status.state, status.detail) == (state, detail):
            return
        has_changed = status.state is not state
        status.state, status.detail = state, detail
        if has_changed:
            status.since = self.clock()
            self._changed(status)

    async def pause(self, longest_s: float) -> None:
        """Wait until rows were committed or somebody asked for something, at most so long."""
        await within(self.woken.wait(), longest_s)
        self.woken.clear()

    def wake(self) -> None:
        """End a `pause`; called in the loop."""
        self.woken.set()


async def within(awaitable: Awaitable[object], longest_s: float) -> bool:
    """Wait for something, at most so long; say whether it came."""
    try:
        async with asyncio.timeout(longest_s):
            await awaitable
    except TimeoutError:
        return False
    return True


class Uplink(Protocol):
    """A receiver that is being served."""

    def grids(self, catalog: Catalog) -> Mapping[str, Grid]:
        """Return the kinds of periods that its ledger has; none where it sends rows."""
        ...

    async def run(self, desk: Desk) -> None:
        """Send until cancelled: connect, reconnect with back-off, report states.

        Raises
        ------
        asyncio.CancelledError
            When told to end.
        ConfigError
            When the options can never work. Everything else is reported and tried again.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkInfo:
    """The typed manifest of a kind of receiver.

    Parameters
    ----------
    name : str
        The module's name, used in ``nilometer.toml``.
    title : str
        For people.
    options : type of UplinkOptions
        Its settings.
    make : callable
        ``make(options, things)`` gives the `Uplink`; `things` are keys, none: every Thing.
    manual, revision : str
        The document it follows.
    maintainer : str
        Who answers for it.
    maturity : {"experimental", "usable", "proven"}
        How far it has been tried.
    """

    name: str
    title: str
    options: type[UplinkOptions]
    make: Callable[[Any, tuple[str, ...]], Uplink]
    manual: str = ""
    revision: str = ""
    maintainer: str = ""
    maturity: Literal["experimental", "usable", "proven"] = "experimental"
