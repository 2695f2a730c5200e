"""Uplinks at work: each is a task beside the path of the rows, restarted when it fails; none holds back a row."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nilometer import plugins
from nilometer.acquisition.driver import Clock
from nilometer.config import Config, UplinkConfig, config_error
from nilometer.errors import ConfigError, NotFound, RequestError
from nilometer.pipeline.log import Log
from nilometer.store import Store
from nilometer.uplink.gaps import gaps, resend
from nilometer.uplink.receiver import Desk, Uplink, UplinkInfo, UplinkState, UplinkStatus
from nilometer.uplink.rows import datastreams_of, hours_behind

__all__ = ["Uplinks", "check_uplinks", "receivers"]

RESTART_S = 5.0
_log = Log(__name__)

Checked = tuple[UplinkConfig, UplinkInfo, Uplink]


def receivers() -> plugins.Found[UplinkInfo]:
    """Return every kind of receiver that is installed, by name."""
    return plugins.constants("nilometer.uplinks", "UPLINK", UplinkInfo)


def check_uplinks(config: Config, *, file: Path | None = None) -> list[Checked]:
    """Return every configured uplink with its kind, made, or refuse the configuration.

    Raises
    ------
    ConfigError
        For an unknown kind or option, or Things that it cannot have.
    """
    found = receivers() if config.uplinks else None
    checked: list[Checked] = []
    for index, uplink in enumerate(config.uplinks):
        at = f"uplink[{index}]"
        assert found is not None  # noqa: S101 -- there is one
        if uplink.receiver not in found.items:
            reason = found.broken.get(uplink.receiver, "no such kind of receiver")
            raise ConfigError(f"{at}.receiver", seen=uplink.receiver, allowed=found.items, file=file, reason=reason)
        info = found.items[uplink.receiver]
        try:
            options = info.options.model_validate(uplink.options)
        except ValidationError as error:
            raise config_error(error, info.options, file=file, at=f"{at}.options") from error
        things = uplink.things or tuple(thing.key for thing in config.things)
        try:
            made = info.make(options, things)
        except ConfigError as error:
            raise ConfigError(
                f"{at}.{error.key}", seen=error.seen, allowed=error.allowed, file=file, reason=error.reason
            ) from error
        checked.append((uplink, info, made))
    return checked


class Uplinks:
    """All uplinks of a pipeline.

    Parameters
    ----------
    store : Store
        Read, but for the ledger of uplinks in its catalog.
    checked : sequence
        As `check_uplinks` gives them.
    clock : callable
        The present, µs since 1970 UTC.
    """

    def __init__(self, store: Store, checked: Sequence[Checked], clock: Clock) -> None:
        self._store, self._checked, self._clock = store, checked, clock
        self._desks = {uplink.name: self._desk(uplink) for uplink, _, _ in checked}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def are_running(self) -> bool:
        """Say whether there is anybody to wake."""
        return bool(self._tasks)

    def start(self) -> None:
        """Begin every uplink, in the running loop."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._run(info, made, self._desks[uplink.name]), name=f"uplink {uplink.name}")
            for uplink, info, made in self._checked
        ]

    async def stop(self) -> None:
        """End them, each after what it is writing into the ledger."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def wake(self) -> None:
        """Tell them that rows were committed, or that somebody asked for something; in the loop."""
        for desk in self._desks.values():
            desk.wake()

    def statuses(self) -> list[UplinkStatus]:
        """Return how every uplink is doing."""
        return [desk.status for desk in self._desks.values()]

    def gaps(self, name: str, start: int, end: int, kind: str | None = None) -> dict[str, Any]:
        """Return what an uplink's receiver did not get; see `nilometer.uplink.gaps`. It reads: not in the loop.

        Raises
        ------
        NotFound
            If none of that name is configured.
        RequestError
            If it has no such periods.
        """
        made = self._made(name)
        catalog = self._store.catalog
        grids = made.grids(catalog)
        if not grids:
            return hours_behind(catalog, self._store.snapshot(), name, self._desks[name].status.things, start, end)
        return gaps(catalog, name, grids, start, end, self._clock(), kind)

    async def resend(self, name: str, kind: str | None, start: int, end: int) -> int:
        """Have what a receiver was sent of a range sent again; return how many periods, or rows, that are.

        Raises
        ------
        NotFound, RequestError
            As `gaps`.
        """
        grids = self._made(name).grids(self._store.catalog)
        if kind is not None and kind not in grids:
            raise RequestError(f"{kind!r} is no kind of period of {name} (allowed: {', '.join(grids)})", place="kind")
        desk = self._desks[name]
        if grids:
            count = await asyncio.to_thread(resend, self._store.catalog, name, kind, start, end, self._clock())
        else:
            desk.again.append((start, end))
            ids = datastreams_of(self._store.catalog, desk.status.things)
            count = await asyncio.to_thread(self._store.snapshot().count, ids, start, end)
        desk.wake()
        return count

    def _made(self, name: str) -> Uplink:
        for uplink, _, made in self._checked:
            if uplink.name == name:
                return made
        raise NotFound(f"there is no uplink {name[:100]!r}")

    def _desk(self, uplink: UplinkConfig) -> Desk:
        status = UplinkStatus(uplink.name, uplink.receiver, uplink.things, since=self._clock())
        return Desk(status, self._store.catalog, self._store.snapshot, self._clock, _changed)

    async def _run(self, info: UplinkInfo, made: Uplink, desk: Desk) -> None:
        while True:
            try:
                await made.run(desk)
            except ConfigError as error:
                desk.report(UplinkState.BROKEN, str(error))
                # What does not fit may be a Datastream that has yet to come: it is looked at again.
            except Exception as error:  # noqa: BLE001 -- a kind may be a stranger's; it fails alone and is tried again
                _log.exception("uplink failed", uplink=desk.name, receiver=info.name)
                said = f"{type(error).__name__}: {error}; trying again in {RESTART_S:g} s"
                desk.report(UplinkState.BROKEN, said)
            await asyncio.sleep(RESTART_S)


def _changed(status: UplinkStatus) -> None:
    _log.info("uplink", name=status.name, state=str(status.state), detail=status.detail)
