"""Which commit was the last at a moment: the clock of `as_of`, whose time never runs back.

A moment means the whole second at or before it: it shows what was committed up to that second. Commits that somebody
may want to tell from those around them (a step of a review, a delete, a mark) are *marked* and show from their own
time on, with all that came before. So one entry a second and one a mark say everything, and the answer for a past
moment is the same whether its commits are in memory still, or in the catalog already::

    second      12:00:00          12:00:01          12:00:02
    commits       ·  a    b   c‖    d    |               |           ‖ marked
    shows from         12:00:01 ──▶ b         c: its own time
                                              d: 12:00:02
"""

from __future__ import annotations

import threading
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from nilometer.store.refusal import refusal
from nilometer.store.tables import commits

__all__ = ["CommitClock"]

_SECOND_US = 1_000_000


class CommitClock:
    """Commit times by sequence.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Where spans of older commits are kept.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Condition()
        # Entries whose commits are in the journal still: the last commit that shows from each of these times on.
        self._sequences = array("q")
        self._shown = array("q")
        self._begun: int | None = None
        self._ended = 0

    @contextmanager
    def under_way(self, now: Callable[[], int]) -> Iterator[int]:
        """Hold back who asks for the moment of a commit until it is durable, noted and visible.

        Parameters
        ----------
        now : callable
            Returns the time in µs UTC.

        Yields
        ------
        int
            The time, for the journal; one commit at a time.
        """
        with self._turn:
            begun = self._begun = now()
        try:
            yield begun
        finally:
            with self._turn:
                self._begun = None
                self._ended += 1
                self._turn.notify_all()

    def wait_for(self, moment: int) -> None:
        """Return when no commit up to a moment (µs UTC) is under way: what it shows will not change any more."""
        with self._turn:
            if self._begun is not None and self._begun <= moment:
                ended = self._ended
                self._turn.wait_for(lambda: self._ended > ended)

    def note(self, sequence: int, time: int, *, marked: bool) -> None:
        """Remember when a commit was made, µs UTC."""
        shown = time if marked else -(-time // _SECOND_US) * _SECOND_US
        with self._turn:
            # What came before in this second, and was not marked, shows together with this.
            while self._shown and self._shown[-1] >= shown:
                self._shown.pop()
                self._sequences.pop()
            self._sequences.append(sequence)
            self._shown.append(shown)

    def at(self, moment: int) -> int:
        """Return the last sequence that a moment (µs UTC) shows; 0: none.

        Raises
        ------
        StoreError
            If the catalog cannot be read.
        """
        with self._turn:
            place = bisect_right(self._shown, moment)
            if place:
                return self._sequences[place - 1]
        statement = (
            select(commits.c.body)
            .where(commits.c.first_time <= moment)
            .order_by(commits.c.first_sequence.desc())
            .limit(1)
        )
        body = self._read(statement)
        if body is None:
            return 0
        sequences, shown = _unpack(body)
        return int(sequences[np.searchsorted(shown, moment, "right") - 1])

    def shows(self, sequence: int) -> int:
        """Return the first moment, µs UTC, at which `as_of` shows a commit, less than a second after it.

        Raises
        ------
        StoreError
            If the catalog cannot be read.
        """
        after = self._entry(sequence)
        before = after - _SECOND_US
        # A marked commit that came after may show it earlier.
        while self.at(after - 1) >= sequence:
            middle = (before + after) // 2
            before, after = (before, middle) if self.at(middle) >= sequence else (middle, after)
        return after

    def _entry(self, sequence: int) -> int:
        with self._turn:
            place = bisect_left(self._sequences, sequence)
            known = self._shown[place] if place < len(self._shown) else None
        statement = (
            select(commits.c.body)
            .where(commits.c.last_sequence >= sequence)
            .order_by(commits.c.first_sequence)
            .limit(1)
        )
        body = self._read(statement)
        if body is None:
            return int(np.iinfo(np.int64).max) if known is None else known
        sequences, shown = _unpack(body)
        return int(shown[np.searchsorted(sequences, sequence)])

    def thin(self, through: int) -> None:
        """Move commits up to a sequence from memory to the catalog; doing it twice does no harm.

        Raises
        ------
        StoreError
            If the catalog cannot be written; nothing is forgotten then.
        """
        with self._turn:
            count = bisect_right(self._sequences, through)
            sequences = np.array(self._sequences[:count], np.int64)
            shown = np.array(self._shown[:count], np.int64)
        if not count:
            return
        values = {
            "first_sequence": int(sequences[0]),
            "first_time": int(shown[0]),
            "last_sequence": int(sequences[-1]),
            "body": _pack(sequences, shown),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(commits).where(commits.c.first_sequence >= values["first_sequence"]))
                connection.execute(insert(commits).values(values))
        except SQLAlchemyError as error:
            raise refusal(error, "write commit times") from error
        with self._turn:
            count = bisect_right(self._sequences, through)
            del self._sequences[:count]
            del self._shown[:count]

    def _read(self, statement: object) -> bytes | None:
        try:
            with self._engine.connect() as connection:
                body: bytes | None = connection.execute(statement).scalar()  # type: ignore[call-overload]
        except SQLAlchemyError as error:
            raise refusal(error, "read commit times") from error
        return body


def _pack(sequences: NDArray[np.int64], times: NDArray[np.int64]) -> bytes:
    steps = np.stack([np.diff(sequences, prepend=0), np.diff(times, prepend=0)])
    return zlib.compress(steps.astype("<i8").tobytes(), 6)


def _unpack(body: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    steps = np.frombuffer(zlib.decompress(body), "<i8").reshape(2, -1)
    return np.cumsum(steps[0]), np.cumsum(steps[1])
