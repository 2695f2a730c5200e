"""Which periods a receiver is owed, in which order, and what became of each: the durable side of a receiver of periods.

A period is first written into the ledger with what will be put on the wire, then sent, then noted as answered. Whatever
falls over in between, the next start sends the very same message again. All of it blocks: call it through
`Desk.reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from nilometer.store import Snapshot
from nilometer.store.changes import Changes
from nilometer.store.uplink_ledger import Period, PeriodState
from nilometer.uplink.periods import Grid
from nilometer.uplink.receiver import Desk

__all__ = ["Due", "PeriodBook", "Prepared"]

CHANGES_MOST = 200_000
MINUTE_US = 60_000_000
REPEATED_MOST = 500
OWED_MOST = 10_000
PASSED_AT_ONCE = (1000, 100, 10)
_DONE = (PeriodState.ANSWERED, PeriodState.UNCONFIRMED)
_UNDONE = (PeriodState.SENT, PeriodState.ASKED)


@dataclass(frozen=True, slots=True)
class Due:
    """A period to be sent; `known`: it is in the ledger already."""

    kind: str
    start: int
    end: int
    known: Period | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a period says: its message, none where there is nothing to say; rows it is made of, and rows refused."""

    body: list[str]
    rows: int
    refused: dict[str, int]


class PeriodBook:
    """The periods of one receiver.

    Parameters
    ----------
    desk : Desk
        The store and the ledger.
    receiver : str
        Kind of the receiver.
    grids : mapping of str to Grid
        The kinds of periods that it is owed.
    delay_us : int
        How long after its end a period is made, so that what is on its way is in it, µs.
    since : int, optional
        From when on a receiver that is new is owed anything, µs UTC; None: from now on.
    sends_late : bool
        Send a period again by itself when rows of it came after it was sent.
    """

    def __init__(
        self,
        desk: Desk,
        receiver: str,
        grids: Mapping[str, Grid],
        *,
        delay_us: int,
        since: int | None = None,
        sends_late: bool = False,
    ) -> None:
        self._desk, self._receiver, self._grids = desk, receiver, grids
        self._delay_us, self._since, self._sends_late = delay_us, since, sends_late
        self._next: dict[str, int] = {}
        self._looked = 0

    def open(self) -> None:
        """Read how far the receiver has come, or begin."""
        now = self._desk.clock()
        since = now if self._since is None else self._since
        fresh = {"looked": self._desk.snapshot().sequence}
        known = self._desk.ledger.begin(self._desk.name, self._receiver, since, {"next": {}, **fresh})
        self._looked = int(known.position.get("looked", 0))
        self._next = {kind: int(start) for kind, start in known.position.get("next", {}).items()}
        for kind, grid in self._grids.items():
            if kind not in self._next:
                # A kind that is configured later begins now, not when the receiver did.
                first = since if not known.position.get("next") else now
                start = grid.start(first)
                self._next[kind] = start if start == first else grid.end(start)
            # Another interval or zone than before: the period that our place lies in, so that nothing is left out.
            self._next[kind] = grid.start(self._next[kind])
        self._move()

    def due(self, now: int) -> Due | None:
        """Return the period to send next that was never sent: the oldest of all kinds; None: nothing is due."""
        while owed := [(self._next[kind], kind) for kind in self._grids if self._end(kind) + self._delay_us <= now]:
            start, kind = min(owed)
            end = self._grids[kind].end(start)
            known = self._desk.ledger.period(self._desk.name, kind, start)
            if known is None or known.state not in _DONE:
                return Due(kind, start, end, known)
            # The receiver asked for it before it was due by itself.
            self._next[kind] = end
            self._move()
        return None

    def pass_over(self, datastreams: Sequence[int]) -> int:
        """Note many owed periods at once that have no row at all; return how many: years of them cost seconds."""
        snapshot, now = self._desk.snapshot(), self._desk.clock()
        passed = 0
        for kind in self._grids:
            for most in PASSED_AT_ONCE:
                owed = list(islice(self._owed_of(kind, now), most))
                if len(owed) < 2 or snapshot.count(datastreams, owed[0].start, owed[-1].end, water_only=False):
                    continue
                empty = PeriodState.EMPTY
                done = {
                    one.start for one in self._desk.ledger.periods(self._desk.name, kind, owed[0].start, owed[-1].end)
                }
                periods = [
                    Period(kind=kind, start=one.start, end=one.end, state=empty, sequence=snapshot.sequence, time=now)
                    for one in owed
                    if one.start not in done
                ]
                self._next[kind] = owed[-1].end
                self._desk.ledger.add(self._desk.name, periods, self._position())
                passed += len(owed)
                break
        return passed

    def next_due(self) -> int | None:
        """Return when the next period will be due, µs UTC."""
        ends = [self._end(kind) + self._delay_us for kind in self._grids]
        return min(ends, default=None)

    def undone(self) -> list[Due]:
        """Return what was sent and not answered, or is asked for again: the oldest first."""
        ledger, name = self._desk.ledger, self._desk.name
        found = ledger.periods(name, states=_UNDONE, limit=REPEATED_MOST)
        return [Due(one.kind, one.start, one.end, one) for one in found]

    def waiting(self, now: int) -> int:
        """Return how many periods are due or on the wire, and not answered."""
        return self._desk.ledger.count(self._desk.name, _UNDONE) + sum(1 for _ in self.owed(now))

    def owed(self, now: int, most: int = OWED_MOST) -> Iterator[Due]:
        """Yield the periods that have ended and were never looked at, at most so many of a kind."""
        for kind in self._grids:
            yield from islice(self._owed_of(kind, now), most)

    def _owed_of(self, kind: str, now: int) -> Iterator[Due]:
        grid, start = self._grids[kind], self._next[kind]
        while (end := grid.end(start)) + self._delay_us <= now:
            yield Due(kind, start, end)
            start = end

    def prepare(self, due: Due, make: Callable[[Snapshot, Due], Prepared]) -> Period:
        """Write a period into the ledger with what will be sent, and return it.

        One that was sent before, and not answered, stays as it was: the receiver may have it.
        """
        known = due.known
        if known is not None and known.state is PeriodState.SENT and known.body:
            again = replace(known, attempts=known.attempts + 1, time=self._desk.clock())
            self._note(again)
            return again
        snapshot = self._desk.snapshot()
        made = make(snapshot, due)
        if not made.body and known is None:
            known = self._desk.ledger.period(self._desk.name, due.kind, due.start)
            if known is not None and known.state in _DONE:
                return known  # It has what there was, and there is nothing to add to it.
        state = PeriodState.SENT if made.body else PeriodState.REFUSED if made.refused else PeriodState.EMPTY
        now = self._desk.clock()
        period = Period(
            kind=due.kind,
            start=due.start,
            end=due.end,
            state=state,
            request=_request_of(made.body),
            body=made.body or None,
            rows=made.rows,
            refused=made.refused,
            sequence=snapshot.sequence,
            attempts=1 if made.body else 0,
            sent=now if made.body else None,
            time=now,
        )
        self._note(period)
        self._desk.status.refuse(made.refused)
        return period

    def answered(self, period: Period, *, confirmed: bool) -> None:
        """Note that the receiver has a period, or that it was sent to one that never answers."""
        state = PeriodState.ANSWERED if confirmed else PeriodState.UNCONFIRMED
        self._note(replace(period, state=state, body=None, time=self._desk.clock()))

    def look(self, datastreams: Sequence[int]) -> None:
        """Find rows that came after their period was looked at: what was empty is due again, what was sent is late."""
        snapshot = self._desk.snapshot()
        if snapshot.sequence <= self._looked:
            return
        newest: dict[tuple[str, int], int] = {}
        commit, number = self._looked, (1 << 63) - 1
        while True:
            found = snapshot.changes(commit, number, datastreams, most=CHANGES_MOST, water_only=False)
            self._gather(found, newest)
            if len(found) < CHANGES_MOST:
                break
            commit, number = int(found.commit[-1]), int(found.id[-1])
        touched = [period for (kind, start), last in newest.items() for period in self._touched(kind, start, last)]
        self._looked = snapshot.sequence
        self._desk.ledger.note(self._desk.name, touched, self._position())

    def _gather(self, found: Changes, newest: dict[tuple[str, int], int]) -> None:
        """Take the last commit of each period that is behind us."""
        # Periods are whole minutes: the minute of a row says in which it is.
        minutes, at = np.unique(found.time // MINUTE_US, return_inverse=True)
        last = np.zeros(len(minutes), np.int64)
        np.maximum.at(last, at, found.commit)
        for minute, commit in zip(minutes.tolist(), last.tolist(), strict=True):
            for kind, grid in self._grids.items():
                start = grid.start(minute * MINUTE_US)
                if start < self._next[kind]:
                    newest[kind, start] = max(newest.get((kind, start), 0), commit)

    def _touched(self, kind: str, start: int, commit: int) -> Iterator[Period]:
        known = self._desk.ledger.period(self._desk.name, kind, start)
        if known is None or known.state is PeriodState.ASKED or known.sequence >= commit:
            return
        if known.state in {PeriodState.EMPTY, PeriodState.REFUSED} or self._sends_late:
            yield replace(known, state=PeriodState.ASKED, body=None, attempts=0)
        elif not known.is_late:
            yield replace(known, is_late=True)

    def _end(self, kind: str) -> int:
        return self._grids[kind].end(self._next[kind])

    def _note(self, period: Period) -> None:
        if self._next.get(period.kind) == period.start:
            self._next[period.kind] = period.end
        self._desk.ledger.note(self._desk.name, [period], self._position())

    def _move(self) -> None:
        self._desk.ledger.move(self._desk.name, self._position())

    def _position(self) -> dict[str, object]:
        return {"next": dict(self._next), "looked": self._looked}


def _request_of(body: Sequence[str]) -> str:
    """Return the QN of the first packet."""
    head = body[0].partition(";")[0] if body else ""
    return head.removeprefix("QN=")[:32] if head.startswith("QN=") else ""
