"""One session with an OPC UA server at work: what was missed from its history, then every change as it comes.

A notification is acknowledged, and the next one asked for, when its rows are durable. Meanwhile the server keeps what
is new in the queues of its monitored items; where one of them overflows it says so, and the hole is filled from its
history, or is told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nilometer.acquisition.driver import Clock, Sink, SourceReport, SourceState
from nilometer.acquisition.links.opcua import OpcuaLink, OpcuaValue
from nilometer.acquisition.opcua_nodes import Node, Nodes
from nilometer.acquisition.opcua_rows import ValueRows, has_overflowed, iso
from nilometer.acquisition.rows import ChannelTable, Row, raw_batch
from nilometer.errors import LinkError, LinkTimeout

__all__ = ["OpcuaSession", "SessionSettings"]

MOST_ROWS = 4000
MOST_NOTED = 1000
_STATES = (
    "running",
    "failed",
    "without configuration",
    "suspended",
    "shutting down",
    "in test",
    "in communication fault",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What all sessions of a source share; see docs/drivers/opcua.md."""

    clock: Clock
    table: ChannelTable
    rows: ValueRows
    nodes: Nodes
    publishing_interval_s: float
    history: bool
    history_most_s: float
    watch_interval_s: float
    silent_after_s: float | None
    reopen_after_s: float
    clock_tolerance_s: float
    newest: dict[str, int] = field(default_factory=dict)
    """The newest time of each node that was delivered, µs; outlives a session."""
    noted: set[str] = field(default_factory=set)


class OpcuaSession:
    """One session; `serve` ends with it; `is_watching`: the server has let us subscribe.

    Parameters
    ----------
    link : OpcuaLink
        Connected.
    settings : SessionSettings
        The source's.
    sink : Sink
        Where rows and reports go.
    """

    def __init__(self, link: OpcuaLink, settings: SessionSettings, sink: Sink) -> None:
        self._link, self._settings, self._sink = link, settings, sink
        self._loop = asyncio.get_running_loop()
        self._state = SourceState.STARTING
        self._detail = ""
        self._offset_us: int | None = None
        self._waiting: asyncio.Queue[tuple[list[OpcuaValue], asyncio.Event]] = asyncio.Queue(1)
        self._changed = self._loop.time()
        self.is_watching = False

    async def serve(self) -> None:
        """Take values until the session is lost.

        Raises
        ------
        LinkError
            When it is.
        """
        settings = self._settings
        await self._watch_once()
        await settings.nodes.find(self._link, self._note)
        monitors = [node.monitor for node in settings.nodes.known]
        refused = await self._link.subscribe(monitors, settings.publishing_interval_s, self._notified)
        for node, why in refused.items():
            self._note(f"{node}: the server does not let us watch it: {why}")
        if len(refused) == len(monitors):
            raise LinkError(f"the server refuses every node: {'; '.join(refused.values())[:300]}", link=self._link.name)
        self.is_watching = True
        # The subscription's first notification waits in our queue while what was missed is fetched: no row of today
        # comes before those of the outage, and none is missed between the two.
        if settings.history:
            await self._fill_outage()
        tasks = [asyncio.create_task(self._take()), asyncio.create_task(self._watch())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _notified(self, values: list[OpcuaValue]) -> None:
        """Hand a notification over, and wait until it is durable: only then is it acknowledged."""
        if values:
            durable = asyncio.Event()
            await self._waiting.put((values, durable))
            await durable.wait()

    async def _take(self) -> None:
        while True:
            values, durable = await self._waiting.get()
            self._changed = self._loop.time()
            ended = [item.status_name for item in values if not item.node]
            # Live before the rows, as they are proof of it; unless the server itself says that it is not.
            if self._state is not SourceState.LIVE:
                await self._watch_once()
            await self._deliver(values, durable)
            if ended:
                raise LinkError(f"the server ended the subscription: {ended[0]}", link=self._link.name)

    async def _deliver(self, values: Sequence[OpcuaValue], durable: asyncio.Event | None = None) -> None:
        arrival = self._settings.clock()
        problems: list[str] = []
        rows: list[Row] = []
        for item in values:
            node = self._settings.nodes.of(item.node)
            if node is None:
                continue
            made = self._settings.rows.rows(item, node.channel, arrival, problems)
            if has_overflowed(item.status) and durable is not None and made:
                await self._fill_hole(node, made[0].time)
            if made:
                newest = self._settings.newest
                newest[node.id] = max(made[0].time, newest.get(node.id, made[0].time))
            rows += made
        for problem in problems:
            self._note(problem)
        if not rows and durable is not None:
            durable.set()
        for first in range(0, len(rows), MOST_ROWS):
            is_last = first + MOST_ROWS >= len(rows)
            acknowledge = self._setter(durable) if is_last and durable is not None else None
            batch = raw_batch(self._settings.table.channels, rows[first : first + MOST_ROWS], acknowledge=acknowledge)
            await self._sink.emit(batch)

    def _setter(self, durable: asyncio.Event) -> Callable[[], None]:
        def done() -> None:
            # From any thread, and perhaps long after the loop is gone.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(durable.set)

        return done

    async def _fill_outage(self) -> None:
        """Fetch what came while there was no session, from the newest value of each node that is stored."""
        stored = self._sink.newest()
        known = [(node, self._since(node, stored)) for node in self._settings.nodes.known]
        missed = [(node, since) for node, since in known if since is not None]
        if not missed:
            return
        now = self._settings.clock()
        begin = iso(min(since for _, since in missed))
        without = [node.channel.key for node, _ in missed if not node.has_history]
        found = 0
        for node, since in missed:
            if node.has_history:
                found += await self._fill(node, max(since, now - int(self._settings.history_most_s * 1e6)), now)
        if without:
            names = ", ".join(without[:5]) + (" …" if len(without) > 5 else "")
            self._note(f"no history at the server for {names}: what changed between {begin} and {iso(now)} is lost")
        if found:
            self._note(f"{found} values between {begin} and {iso(now)} came from the server's history")

    def _since(self, node: Node, stored: Mapping[str, int]) -> int | None:
        keys = [key for key in stored if key == node.channel.key or key.startswith(f"{node.channel.key}.")]
        times = [stored[key] for key in keys]
        times += [self._settings.newest[node.id]] if node.id in self._settings.newest else []
        return max(times, default=None)

    async def _fill_hole(self, node: Node, until: int) -> None:
        since = self._settings.newest.get(node.id)
        what = f"{node.channel.key}: the server's queue overflowed"
        if since is None or not (node.has_history and self._settings.history):
            span = f"from {iso(since)} to {iso(until)}" if since is not None else f"before {iso(until)}"
            self._note(f"{what}, values {span} are lost; raise queue_size, or publish more often")
            return
        found = await self._fill(node, since, until)
        self._note(f"{what}; {found} values came from its history instead")

    async def _fill(self, node: Node, since: int, until: int) -> int:
        found = 0
        try:
            async for values in self._link.history(node.id, since + 1, until):
                found += len(values)
                await self._deliver(values)
        except LinkTimeout:
            raise
        except LinkError as error:
            self._note(f"{node.channel.key}: {error}")
        return found

    async def _watch(self) -> None:
        """Ask how the server is, again and again: a value that does not change sends nothing."""
        settings = self._settings
        silent_since: float | None = None
        while True:
            await asyncio.sleep(settings.watch_interval_s)
            now = self._loop.time()
            try:
                await self._watch_once()
            except LinkTimeout as error:
                silent_since = now if silent_since is None else silent_since
                self._tell(SourceState.SILENT, str(error))
                if now - silent_since >= settings.reopen_after_s:
                    raise
                continue
            silent_since = None
            if settings.silent_after_s is not None and now - self._changed >= settings.silent_after_s:
                self._tell(SourceState.SILENT, f"no value has changed for {settings.silent_after_s:g} s")

    async def _watch_once(self) -> None:
        state, server_now = await self._link.state()
        self._compare_clocks(server_now)
        if state != 0:
            name = _STATES[state] if 0 <= state < len(_STATES) else f"in state {state}"
            self._tell(SourceState.SILENT, f"the server is {name}")
        elif self._settings.silent_after_s is None or self._loop.time() - self._changed < self._settings.silent_after_s:
            self._tell(SourceState.LIVE)

    def _compare_clocks(self, server_now: int | None) -> None:
        if server_now is None:
            return
        tolerance_us = self._settings.clock_tolerance_s * 1e6
        offset = server_now - self._settings.clock()
        before, self._offset_us = self._offset_us, offset
        if before is None and abs(offset) > tolerance_us:
            self._note(f"the server's clock is {abs(offset) / 1e6:.1f} s {'ahead of' if offset > 0 else 'behind'} ours")
        elif before is not None and abs(offset - before) > tolerance_us:
            way = "forward" if offset > before else "back"
            self._note(
                f"the server's clock jumped {abs(offset - before) / 1e6:.1f} s {way}, seen from ours", again=True
            )

    def _note(self, text: str, *, again: bool = False) -> None:
        """Report what is worth knowing, once."""
        noted = self._settings.noted
        if len(noted) > MOST_NOTED:
            noted.clear()
        if again or text not in noted:
            noted.add(text)
            state = SourceState.LIVE if self._state is SourceState.STARTING else self._state
            self._sink.report(SourceReport(state=state, detail=text))

    def _tell(self, state: SourceState, detail: str = "") -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._sink.report(SourceReport(state=state, detail=detail))
