"""A public network asked at intervals: how far it was heard, what to ask next, and what is said of its stations.

Each visit asks a station for the time since its newest stored value, and a few hours before it: late values and
revised ones (provisional made approved) come again, and the store makes revisions of them. Once a day a longer span is
read again, for agencies approve after weeks. After an outage the same rule fetches what was missed, in spans that the
service allows.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.device_states import DeviceStates
from nilometer.acquisition.driver import Channel, Clock, DriverOptions, Sink, SourceReport, SourceState
from nilometer.acquisition.links.web_service import QueryRefusedError, ServiceBusyError, WebService
from nilometer.acquisition.protocols.telemetry import Said
from nilometer.acquisition.protocols.web_answer import Page
from nilometer.acquisition.rows import ChannelTable, Row, raw_batch, rounded
from nilometer.errors import FrameError, LinkError, LinkTimeout
from nilometer.model.batch import NO_TIME
from nilometer.model.flags import QartodFlag

__all__ = ["Network", "PublicNetwork", "PublicOptions", "Query", "Station", "iso", "next_address"]

Seconds = Annotated[float, Field(gt=0)]
Hours = Annotated[float, Field(ge=0)]
Days = Annotated[float, Field(ge=0, le=36500)]

MOST_ROWS = 2000
MOST_PAGES = 1000
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
_UNCHECKED = int(QartodFlag.NOT_EVALUATED)  # A document bears no check value of its own.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PublicOptions(DriverOptions):
    """Settings that every public network has; docs/drivers/usgs.md explains each."""

    base_url: Annotated[str, Field(pattern=r"^https?://")]
    contact: str = ""
    poll_interval_s: Seconds = 600.0
    history_days: Days = 7.0
    overlap_h: Hours = 6.0
    revisit_days: Days = 40.0
    revisit_interval_h: Annotated[float, Field(gt=0)] = 24.0
    silent_after_h: Annotated[float, Field(gt=0)] = 6.0
    timeout_s: Seconds = 30.0
    reconnect_first_s: Seconds = 5.0
    reconnect_longest_s: Seconds = 600.0


@dataclass(frozen=True, slots=True)
class Query:
    """One question: address, what is asked, how its answer is read, and whether to ask only for what changed."""

    url: str
    params: dict[str, str]
    read: Callable[[bytes], Page]
    if_changed: bool = False


@dataclass(frozen=True, slots=True)
class Station:
    """One place or series of the network: how it is called in reports, what its channels' keys begin with."""

    name: str
    prefix: str
    queries: Callable[[int, int], Iterable[Query]]
    """``queries(since, until)``, µs since 1970 UTC; what they bring outside of it is left out."""
    most_us: int = 100 * 365 * DAY_US
    """The longest span that is asked for at once."""
    only: str = ""
    """The one channel that it has, where another's key may begin as its own does."""
    title: str = ""
    note: str = ""
    """What was assumed of it; stands in its detail."""


@dataclass(frozen=True, slots=True)
class Network:
    """What a driver knows of its service: its stations, and what to send with every question."""

    stations: Callable[[WebService], Awaitable[Sequence[Station]]]
    headers: dict[str, str] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    """Which word of a mark says that the value is a limit: -1 the truth is below, +1 above."""


def iso(time: int) -> str:
    """Return µs since 1970 UTC as ISO 8601 with whole seconds.

    Examples
    --------
    >>> iso(1767225600000000)
    '2026-01-01T00:00:00Z'
    """
    return (_EPOCH + timedelta(seconds=time // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


class PublicNetwork:
    """A service at work; meets `Driver`.

    Parameters
    ----------
    options : PublicOptions
        The driver's.
    clock : Clock
        The present.
    network : Network
        The service.
    """

    def __init__(self, options: PublicOptions, clock: Clock, network: Network) -> None:
        self._options, self._clock, self._network = options, clock, network
        self._table = ChannelTable()
        self._newest: dict[str, int] = {}
        self._revisited: dict[str, int] = {}
        self._turn = 0
        self._random = random.Random()  # noqa: S311 -- it spreads questions, and hides nothing

    async def run(self, sink: Sink) -> None:
        """Ask until cancelled."""
        options = self._options
        sink.report(SourceReport(state=SourceState.STARTING))
        web = WebService(
            options.base_url,
            contact=options.contact,
            timeout_s=options.timeout_s,
            headers=self._network.headers,
            now_s=lambda: self._clock() / 1e6,
        )
        backoff = Backoff(options.reconnect_first_s, options.reconnect_longest_s)
        states: DeviceStates | None = None
        stations: Sequence[Station] = ()
        try:
            while True:
                try:
                    if states is None:
                        stations = await self._network.stations(web)
                        states = DeviceStates([station.name for station in stations], sink)
                    await self._round(web, stations, states, sink)
                    backoff.reset()
                    wait_s = options.poll_interval_s * (1.0 - 0.05 * self._random.random())
                except (LinkError, FrameError) as error:
                    wait_s = self._cut(error, backoff, states, sink)
                await asyncio.sleep(wait_s)
        finally:
            await web.close()

    async def _round(self, web: WebService, stations: Sequence[Station], states: DeviceStates, sink: Sink) -> None:
        """Visit every station, first the one after that at which the last round was cut short."""
        for _ in stations:
            station = stations[self._turn % len(stations)]
            self._turn += 1
            await self._visit(web, station, states, sink)

    def _cut(self, error: LinkError | FrameError, backoff: Backoff, states: DeviceStates | None, sink: Sink) -> float:
        """Say that the service as a whole cannot be used now, and return how long to leave it alone, s."""
        if isinstance(error, QueryRefusedError) and states is None:
            # Which stations there are was refused: nothing will change soon.
            wait_s = max(self._options.poll_interval_s, backoff.next_s())
        else:
            wait_s = max(backoff.next_s(), (error.wait_s or 0.0) if isinstance(error, ServiceBusyError) else 0.0)
        detail = f"{error}; trying again in {wait_s:.1f} s"
        if isinstance(error, FrameError):
            detail = f"{self._options.base_url}: {detail}"
        if states is None:
            state = SourceState.SILENT if isinstance(error, LinkTimeout) else SourceState.DISCONNECTED
            bad = int(isinstance(error, FrameError))
            sink.report(SourceReport(state=state, detail=detail, bad_frames=bad))
        elif isinstance(error, LinkTimeout):
            for name in states.names:
                states.note(name, SourceState.SILENT, str(error))
        else:
            states.cut(str(error), detail)
        return wait_s

    async def _visit(self, web: WebService, station: Station, states: DeviceStates, sink: Sink) -> None:
        now = self._clock()
        since, is_whole = self._since(station, sink, now)
        trouble: list[str] = []
        while since < now:
            until = min(since + station.most_us, now)
            for query in station.queries(since, until):
                try:
                    await self._ask(web, station, query, since if not is_whole else 0, trouble, sink)
                except QueryRefusedError as error:
                    trouble.append(str(error))
                except FrameError as error:
                    states.count_bad(station.name)
                    trouble.append(str(error))
                    web.forget()
            since = until
        if is_whole and not trouble:
            self._revisited[station.name] = now
        self._tell(station, states, now, trouble)

    def _since(self, station: Station, sink: Sink, now: int) -> tuple[int, bool]:
        """Return from when to ask, and whether that is a longer span read again."""
        options = self._options
        known = sink.newest(station.only or station.prefix)
        stored = known.get(station.only, 0) if station.only else max(known.values(), default=0)
        newest = min(max(stored, self._newest.get(station.name, 0)), now)
        if newest == 0:
            self._revisited[station.name] = now
            return now - int(max(options.history_days * DAY_US, HOUR_US)), False
        since = newest - int(options.overlap_h * HOUR_US)
        last = self._revisited.setdefault(station.name, now)
        if options.revisit_days and now - last >= options.revisit_interval_h * HOUR_US:
            return min(since, now - int(options.revisit_days * DAY_US)), True
        return since, False

    async def _ask(
        self, web: WebService, station: Station, query: Query, since: int, trouble: list[str], sink: Sink
    ) -> None:
        """Ask one question to its last page, and deliver what each page says."""
        url, params = query.url, dict(query.params)
        asked: set[str] = set()
        for _ in range(MOST_PAGES):
            first = await web.get(url, params or None, if_changed=query.if_changed and since > 0)
            if first is None:
                return  # It has not changed since.
            page = query.read(first.body)
            trouble += page.problems[:3]
            await self._deliver(station, [one for one in page.values if (one.time or 0) >= since], sink)
            if not page.next:
                return
            url, params = next_address(page.next, first.url, query.url), {}
            if url in asked:
                raise FrameError(f"the next page of {query.url} is one that was there before: {url[:200]}")
            asked.add(url)
        raise FrameError(f"{query.url} has more than {MOST_PAGES} pages; ask for a shorter history_days")

    async def _deliver(self, station: Station, values: Sequence[Said], sink: Sink) -> None:
        rows = [row for said in values if (row := self._row(station, said)) is not None]
        for at in range(0, len(rows), MOST_ROWS):
            await sink.emit(raw_batch(self._table.channels, rows[at : at + MOST_ROWS]))
        newest = max((row.time for row in rows), default=0)
        # Only what is not ahead of us counts as heard: a forecast, or a wrong clock, must not hide what comes before.
        if newest <= self._clock() + HOUR_US:
            self._newest[station.name] = max(newest, self._newest.get(station.name, 0))

    def _row(self, station: Station, said: Said) -> Row | None:
        key = f"{station.prefix}{said.key}"
        if said.time is None or (key not in self._table and self._table.is_full):
            return None
        name = station.title or said.key.replace("_", " ")
        index = self._table.index(key, lambda: Channel(key, said.observed_property, said.unit, name))
        return Row(
            index,
            rounded(said.time),
            said.value,
            duration=said.duration,
            censored=self._limit(said),
            result_time=NO_TIME if said.result_time is None else rounded(said.result_time),
            mark=said.mark,
            extra=said.extra,
            syntax=_UNCHECKED,
        )

    def _limit(self, said: Said) -> int:
        limits = self._network.limits
        return next((limits[word] for word in (said.mark or "").split(",") if word in limits), 0) if limits else 0

    def _tell(self, station: Station, states: DeviceStates, now: int, trouble: Sequence[str]) -> None:
        newest = self._newest.get(station.name, 0)
        said = "; ".join(dict.fromkeys([*([station.note] if station.note else []), *trouble[:3]]))
        if newest == 0:
            states.note(station.name, SourceState.SILENT, said or "it has no values of the time that was asked for")
        elif now - newest > self._options.silent_after_h * HOUR_US:
            states.note(station.name, SourceState.SILENT, said or f"its newest value is of {iso(newest)}")
        else:
            states.note(station.name, SourceState.LIVE, said)


def next_address(link: str, answered: str, first: str) -> str:
    """Return the next page's address on the host that was asked.

    A server behind a proxy often names itself as it knows itself; a stranger's host is never asked for our pages.

    Parameters
    ----------
    link : str
        What the page names.
    answered, first : str
        Where the page came from, and where the first one was asked for.

    Examples
    --------
    >>> next_address("http://frost.internal:8080/v1.1/Things?$skip=9", "https://x.org/v1.1/Things", "https://x.org/v1.1/Things")
    'https://x.org/v1.1/Things?$skip=9'
    """
    there, here = urlsplit(link), urlsplit(answered)
    if (there.scheme, there.netloc) == (here.scheme, here.netloc):
        return link
    if not there.netloc:
        return urlunsplit((here.scheme, here.netloc, there.path or here.path, there.query, ""))
    asked = urlsplit(first)
    return urlunsplit((asked.scheme, asked.netloc, asked.path, there.query, ""))
