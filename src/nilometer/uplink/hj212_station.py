"""A station that reports to one HJ 212 platform: what is due, in which order, over connections that come and go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.links.tcp import connect
from nilometer.acquisition.protocols.hj212 import Message, time_text
from nilometer.errors import ConfigError, LinkError
from nilometer.store import Snapshot
from nilometer.store.uplink_ledger import Period, PeriodState
from nilometer.uplink.aside import Aside
from nilometer.uplink.hj212_codes import CodeRule, code_rules
from nilometer.uplink.hj212_content import Rules, Sender, period_content, real_time_content, segments
from nilometer.uplink.hj212_requests import Requests
from nilometer.uplink.hj212_talk import Talk
from nilometer.uplink.own_values import read_own_values
from nilometer.uplink.period_book import Due, PeriodBook, Prepared
from nilometer.uplink.periods import Grid
from nilometer.uplink.receiver import Desk, UplinkState

if TYPE_CHECKING:
    from nilometer.uplink.hj212 import Hj212Options

__all__ = ["COMMANDS", "Station"]

COMMANDS = {"minute": "2051", "hour": "2061", "day": "2031"}
REAL_TIME, START = "2011", "2081"
LOOK_EVERY_S = 5.0
LONGEST_PAUSE_S = 1.0
DAY_US = 86_400_000_000


class Station:
    """One receiver at work.

    Parameters
    ----------
    options : Hj212Options
        The receiver's.
    thing : str
        Key of the Thing.
    desk : Desk
        The store, the ledger and the clock.
    """

    def __init__(self, options: Hj212Options, thing: str, desk: Desk) -> None:
        self.options, self._thing, self.desk = options, thing, desk
        self.zone = options.zone(desk.catalog.thing_by_key(thing))
        self.sender = Sender(
            system=options.system,
            password=options.password,
            device=options.device,
            edition=options.edition,
            answered=options.answers,
        )
        self._rules = Rules(
            edition=options.edition,
            zone=self.zone,
            counting=frozenset(options.counting),
            unmarked=options.unmarked,
            below_limit=options.below_limit,
        )
        self.grids = options.grids(self.zone)
        since = options.since
        self.book = PeriodBook(
            desk,
            "hj212",
            self.grids,
            delay_us=int(options.delay_s * 1e6),
            since=None if since is None else int(since.timestamp() * 1e6),
            sends_late=options.late == "send",
        )
        self._requests = Requests(self)
        self.real_time_us: int | None = None if options.real_time_s is None else options.real_time_s * 1_000_000
        self.numbers = self._numbers()
        self._real_time_done = 0
        self._aside = Aside()
        self._has_announced = not options.announce_start
        self._looked = 0.0
        self._left_out = ""

    async def run(self) -> None:
        """Connect, and send what is due, until cancelled."""
        options, desk = self.options, self.desk
        await desk.reading(self.book.open)
        # The tick that runs when we start may have been sent before we were.
        self._real_time_done = self._tick(self.real_time_us or DAY_US, desk.clock())
        backoff = Backoff(options.reconnect_first_s, options.reconnect_longest_s)
        while True:
            try:
                await self._connected(backoff)
            except LinkError as error:
                await desk.reading(self._count)
                wait_s = backoff.next_s()
                state = UplinkState.SILENT if "no answer to" in str(error) else UplinkState.DISCONNECTED
                desk.report(state, f"{error}; trying again in {wait_s:.1f} s")
                await asyncio.sleep(wait_s)

    async def _connected(self, backoff: Backoff) -> None:
        options, desk = self.options, self.desk
        link = await connect(options.host, options.port, timeout_s=options.connect_timeout_s)
        talk = Talk(
            link, over_time_s=options.over_time_s, retries=options.retries, asked=desk.wake, repeated=self._repeated
        )
        try:
            await self._greet(talk)
            if desk.status.state is not UplinkState.SILENT or not options.answers:
                desk.report(UplinkState.LIVE, self._left_out)
            beat = time.monotonic()
            while not talk.is_down:
                if await self._turn(talk):
                    backoff.reset()
                    continue
                now = time.monotonic()
                if options.heartbeat_s is not None and now - beat >= options.heartbeat_s:
                    await self.send(talk, [self._empty(options.heartbeat)])
                    beat = now
                await desk.pause(self._pause_s())
            raise LinkError("the platform closed the connection", link=link.name)
        finally:
            await talk.close()

    async def _greet(self, talk: Talk) -> None:
        """Say who we are, where the platform wants to be told."""
        if self.options.login is not None:
            await self.send(talk, [self._empty(self.options.login)])
        if not self._has_announced:
            now = time_text(self.desk.clock(), self.zone)
            header = self.sender.header(next(self.numbers), START)
            message = Message(header=header, fields={"DataTime": now, "RestartTime": now})
            await self.send(talk, [message.encode().decode()])
            self._has_announced = True

    async def _turn(self, talk: Talk) -> bool:
        """Do one thing; say whether there was one. What the platform waits for comes first, then the present."""
        if talk.requests:
            await self._requests.serve(talk, talk.requests.popleft())
            return True
        if await self._send_present(talk):
            return True
        await self._look()
        if await self.desk.reading(lambda: self.book.pass_over([rule.datastream for rule in self.codes()])):
            return True
        due = await self.desk.reading(self._next)
        if due is None:
            if self.desk.status.waiting:
                await self.desk.reading(self._count)
            return False
        await self.send_period(talk, due)
        return True

    def _next(self) -> Due | None:
        """Return the period to send: what is on the wire or was asked for, then what was never sent."""
        for due in self.book.undone():
            if due.kind in self.grids and not self._aside.waits((due.kind, due.start)):
                return due
        return self.book.due(self.desk.clock())

    async def send_period(self, talk: Talk, due: Due) -> bool:
        """Make a period, send it, and note its answer; say whether there was anything to send.

        Raises
        ------
        LinkError
            If it was not answered.
        """
        period = await self.desk.reading(self.book.prepare, due, self._make)
        if period.state is not PeriodState.SENT or not period.body:
            return False
        try:
            await self.send(talk, period.body)
        except LinkError:
            self._aside.failed((period.kind, period.start), period.attempts)
            raise
        self._aside.answered((period.kind, period.start))
        self.desk.status.newest = max(self.desk.status.newest or period.start, period.start)
        await self.desk.reading(self._answered, period)
        return True

    def _answered(self, period: Period) -> None:
        self.book.answered(period, confirmed=self.options.answers)

    async def send(self, talk: Talk, body: list[str]) -> None:
        """Send the packets of a message.

        Raises
        ------
        LinkError
            If one is not answered, or the connection is cut.
        """
        status = self.desk.status
        for segment in body:
            status.sent += 1
            if not await talk.send(segment):
                number = segment.partition(";")[0]
                raise LinkError(f"no answer to {number} after {1 + talk.retries} tries", link=talk.link.name)
            if self.options.answers:
                status.answered += 1
                self.desk.report(UplinkState.LIVE, self._left_out)

    async def _send_present(self, talk: Talk) -> bool:
        length, now = self.real_time_us, self.desk.clock()
        if length is None:
            return False
        tick = self._tick(length, now)
        if tick <= self._real_time_done:
            return False
        self._real_time_done = tick
        body = await self.desk.reading(self._make_present, tick - length, tick)
        if body:
            await self.send(talk, body)
        return bool(body)

    def _tick(self, length: int, now: int) -> int:
        return Grid(self.zone, length).start(now) if DAY_US % length == 0 else now - now % length

    def _make_present(self, start: int, end: int) -> list[str]:
        snapshot, codes = self.desk.snapshot(), self.codes()
        own, refused = read_own_values(snapshot, self.desk.catalog, [rule.datastream for rule in codes], start, end)
        content = real_time_content(own, codes, self._rules)
        self.desk.status.refuse(refused)
        self.desk.status.refuse(content.refused)
        if not content.values:
            return []
        return segments(self.sender, REAL_TIME, time_text(end, self.zone), content.values, self.numbers)

    def _make(self, snapshot: Snapshot, due: Due) -> Prepared:
        codes = self.codes()
        ids = [rule.datastream for rule in codes]
        own, refused = read_own_values(snapshot, self.desk.catalog, ids, due.start, due.end)
        content = period_content(own, codes, self._rules, due.end - due.start)
        for reason, rows in content.refused.items():
            refused[reason] = refused.get(reason, 0) + rows
        if not content.values:
            return Prepared([], 0, refused)
        start = time_text(due.start, self.zone)
        body = segments(self.sender, COMMANDS[due.kind], start, content.values, self.numbers)
        return Prepared(body, content.rows, refused)

    def codes(self) -> list[CodeRule]:
        """Return what is sent at present: Datastreams may have come since it was last asked."""
        try:
            rules, left_out = code_rules(self.desk.catalog, [self._thing], self.options.codes)
        except ConfigError as error:
            raise ConfigError(f"uplink.{self.desk.name}.options.{error.key}", reason=error.reason) from error
        self._left_out = "" if not left_out else "not sent: " + "; ".join(f"{k} ({v})" for k, v in left_out.items())
        return rules

    async def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now

        def look() -> None:
            self.book.look([rule.datastream for rule in self.codes()])
            self._count()

        await self.desk.reading(look)

    def _count(self) -> None:
        self.desk.status.waiting = self.book.waiting(self.desk.clock())

    def _repeated(self) -> None:
        self.desk.status.repeated += 1

    def _pause_s(self) -> float:
        now = self.desk.clock()
        due = [at for at in (self.book.next_due(), self._next_tick()) if at is not None]
        return min(max((min(due, default=now) - now) / 1e6, 0.01), LONGEST_PAUSE_S)

    def _next_tick(self) -> int | None:
        return None if self.real_time_us is None else self._real_time_done + self.real_time_us

    def _empty(self, command: str) -> str:
        return Message(header=self.sender.header(next(self.numbers), command)).encode().decode()

    def _numbers(self) -> Iterator[str]:
        last = 0
        while True:
            # A QN identifies an exchange: two in one millisecond must differ.
            last = max(self.desk.clock(), last + 1000)
            yield time_text(last, self.zone, milliseconds=True)
