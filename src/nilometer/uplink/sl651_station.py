"""A station that reports to one SL 651 centre: what is due, over connections that come and go, and what it asks for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.links.tcp import connect
from nilometer.acquisition.protocols.sl651 import Frame
from nilometer.acquisition.protocols.sl651_writing import link_body, report_body
from nilometer.acquisition.sl651_talk import Talk
from nilometer.errors import ConfigError, LinkError
from nilometer.store import Snapshot
from nilometer.store.uplink_ledger import Period, PeriodState
from nilometer.uplink.aside import Aside
from nilometer.uplink.own_values import read_own_values
from nilometer.uplink.period_book import Due, PeriodBook, Prepared
from nilometer.uplink.receiver import Desk, UplinkState
from nilometer.uplink.sl651_content import Content, ElementRule, content, element_rules

if TYPE_CHECKING:
    from nilometer.uplink.sl651 import Sl651Options

__all__ = ["Station"]

TIMED, PRESENT = 0x32, 0x37
LOOK_EVERY_S = 5.0
LONGEST_PAUSE_S = 1.0


class Station:
    """One centre at work.

    Parameters
    ----------
    options : Sl651Options
        The centre's.
    thing : str
        Key of the Thing.
    desk : Desk
        The store, the ledger and the clock.
    """

    def __init__(self, options: Sl651Options, thing: str, desk: Desk) -> None:
        self._options, self._thing, self._desk = options, thing, desk
        self._zone = options.zone(desk.catalog.thing_by_key(thing))
        self._grids = options.grids(self._zone)
        since = options.since
        self._book = PeriodBook(
            desk,
            "sl651",
            self._grids,
            delay_us=int(options.delay_s * 1e6),
            since=None if since is None else int(since.timestamp() * 1e6),
            sends_late=options.late == "send",
        )
        is_text = options.coding == "ascii"
        self._frame = Frame(options.centre, options.station, options.password, TIMED, b"", is_text=is_text)
        self._good_marks = frozenset(options.good_marks)
        self._aside = Aside()
        self._looked = 0.0
        self._serial = 0
        self._left_out = ""

    async def run(self) -> None:
        """Connect, and report what is due, until cancelled."""
        options, desk = self._options, self._desk
        await desk.reading(self._book.open)
        backoff = Backoff(options.reconnect_first_s, options.reconnect_longest_s)
        while True:
            try:
                await self._connected(backoff)
            except LinkError as error:
                await desk.reading(self._count)
                wait_s = backoff.next_s()
                state = UplinkState.SILENT if "no confirmation of" in str(error) else UplinkState.DISCONNECTED
                desk.report(state, f"{error}; trying again in {wait_s:.1f} s")
                await asyncio.sleep(wait_s)

    async def _connected(self, backoff: Backoff) -> None:
        options, desk = self._options, self._desk
        link = await connect(options.host, options.port, timeout_s=options.connect_timeout_s)
        talk = Talk(
            link,
            self._frame,
            self._zone,
            over_time_s=options.over_time_s,
            retries=options.retries,
            most_bytes=options.most_bytes,
            asked=desk.wake,
            repeated=self._repeated,
        )
        desk.report(UplinkState.LIVE, self._left_out)
        kept = time.monotonic()
        try:
            while not talk.is_down:
                if await self._turn(talk):
                    backoff.reset()
                    kept = time.monotonic()
                    continue
                if options.heartbeat_s is not None and time.monotonic() - kept >= options.heartbeat_s:
                    is_text = self._frame.is_text
                    await talk.keep(link_body(self._serial, desk.clock(), self._zone, is_text=is_text))
                    kept = time.monotonic()
                await desk.pause(self._pause_s())
            raise LinkError("the centre closed the connection", link=link.name)
        finally:
            await talk.close()

    async def _turn(self, talk: Talk) -> bool:
        """Do one thing; say whether there was one."""
        if talk.queries:
            frame, _ = talk.queries.popleft()
            if frame.function == PRESENT:
                await self._answer_present(talk)
            return True
        await self._look()
        if await self._desk.reading(lambda: self._book.pass_over([rule.datastream for rule in self._rules()])):
            return True
        due = await self._desk.reading(self._next)
        if due is None:
            if self._desk.status.waiting:
                await self._desk.reading(self._count)
            return False
        await self._send_period(talk, due)
        return True

    def _next(self) -> Due | None:
        for due in self._book.undone():
            if due.kind in self._grids and not self._aside.waits(due.start):
                return due
        return self._book.due(self._desk.clock())

    async def _send_period(self, talk: Talk, due: Due) -> None:
        period = await self._desk.reading(self._book.prepare, due, self._make)
        if period.state is not PeriodState.SENT or not period.body:
            return
        try:
            await self._report(talk, TIMED, bytes.fromhex(period.body[0]))
        except LinkError:
            self._aside.failed(period.start, period.attempts)
            raise
        self._aside.answered(period.start)
        self._desk.status.newest = max(self._desk.status.newest or period.start, period.start)
        await self._desk.reading(self._answered, period)

    async def _report(self, talk: Talk, function: int, body: bytes) -> None:
        """Send a message until it is confirmed.

        Raises
        ------
        LinkError
            If it never is, or the connection is cut.
        """
        status, confirmed = self._desk.status, self._options.confirmed
        status.sent += 1
        serial = int(body[:4], 16) if self._frame.is_text else int.from_bytes(body[:2], "big")
        end = await talk.report(function, serial, body, confirmed=confirmed)
        if confirmed and end is None:
            tries = 1 + self._options.retries
            raise LinkError(f"no confirmation of report {serial} after {tries} tries", link=talk.link.name)
        status.answered += confirmed
        self._desk.report(UplinkState.LIVE, self._left_out)

    async def _answer_present(self, talk: Talk) -> None:
        now, length = self._desk.clock(), self._options.report_min * 60_000_000
        said = await self._desk.reading(lambda: self._said(self._desk.snapshot(), now - length, now)[0])
        if said.groups:
            self._serial = self._serial % 65535 + 1
            await self._report(talk, PRESENT, self._body(self._serial, said))

    def _make(self, snapshot: Snapshot, due: Due) -> Prepared:
        # A value of the moment at which a report is made is in it.
        said, refused = self._said(snapshot, due.start + 1, due.end + 1)
        for reason, rows in said.refused.items():
            refused[reason] = refused.get(reason, 0) + rows
        if not said.groups:
            return Prepared([], 0, refused)
        # The serial number of a report is its place in time: sent again after a restart, it is the same.
        serial = due.start // (self._options.report_min * 60_000_000) % 65535 + 1
        self._serial = serial
        return Prepared([self._body(serial, said).hex()], said.rows, refused)

    def _said(self, snapshot: Snapshot, start: int, end: int) -> tuple[Content, dict[str, int]]:
        rules = self._rules()
        ids = [rule.datastream for rule in rules]
        own, refused = read_own_values(snapshot, self._desk.catalog, ids, start, end)
        return content(own, rules, self._good_marks), refused

    def _body(self, serial: int, said: Content) -> bytes:
        frame, now = self._frame, self._desk.clock()
        return report_body(
            serial, now, frame.station, self._options.kind, said.groups, self._zone, is_text=frame.is_text
        )

    def _rules(self) -> list[ElementRule]:
        """Return what is sent at present: Datastreams may have come since it was last asked."""
        try:
            rules, left_out = element_rules(self._desk.catalog, self._thing, self._options.elements)
        except ConfigError as error:
            raise ConfigError(f"uplink.{self._desk.name}.options.{error.key}", reason=error.reason) from error
        self._left_out = "" if not left_out else "not sent: " + "; ".join(f"{k} ({v})" for k, v in left_out.items())
        return rules

    async def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now

        def look() -> None:
            self._book.look([rule.datastream for rule in self._rules()])
            self._count()

        await self._desk.reading(look)

    def _answered(self, period: Period) -> None:
        self._book.answered(period, confirmed=self._options.confirmed)

    def _count(self) -> None:
        self._desk.status.waiting = self._book.waiting(self._desk.clock())

    def _repeated(self) -> None:
        self._desk.status.repeated += 1

    def _pause_s(self) -> float:
        now, due = self._desk.clock(), self._book.next_due()
        return min(max(((now if due is None else due) - now) / 1e6, 0.01), LONGEST_PAUSE_S)
