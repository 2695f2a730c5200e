"""Which commit was the last at a moment: the clock of `as_of`, whose time never runs back.

Commits that are still in the journal are known exactly, in memory. Older ones are kept in the catalog, thinned to the
last commit of each second, a packed span a seal: a moment within a second then means the end of the second before.
"""

from __future__ import annotations

import threading
import zlib
from array import array
from bisect import bisect_right

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
        self._lock = threading.Lock()
        self._sequences = array("q")
        self._times = array("q")

    def note(self, sequence: int, time: int) -> None:
        """Remember when a commit was made, µs UTC."""
        with self._lock:
            self._sequences.append(sequence)
            self._times.append(time)

    def at(self, moment: int) -> int:
        """Return the last sequence committed at or before a moment (µs UTC); 0: none was.

        Raises
        ------
        StoreError
            If the catalog cannot be read.
        """
        with self._lock:
            place = bisect_right(self._times, moment)
            if place:
                return self._sequences[place - 1]
        statement = (
            select(commits.c.body).where(commits.c.first_time <= moment).order_by(commits.c.first_time.desc()).limit(1)
        )
        try:
            with self._engine.connect() as connection:
                body = connection.execute(statement).scalar()
        except SQLAlchemyError as error:
            raise refusal(error, "read commit times") from error
        if body is None:
            return 0
        sequences, times = _unpack(body)
        return int(sequences[np.searchsorted(times, moment, "right") - 1])

    def thin(self, through: int) -> None:
        """Move commits up to a sequence from memory to the catalog; doing it twice does no harm.

        Raises
        ------
        StoreError
            If the catalog cannot be written; nothing is forgotten then.
        """
        with self._lock:
            count = bisect_right(self._sequences, through)
            sequences = np.array(self._sequences[:count], np.int64)
            times = np.array(self._times[:count], np.int64)
        if not count:
            return
        second = times // _SECOND_US
        last = np.append(second[1:] != second[:-1], True)
        values = {
            "first_sequence": int(sequences[0]),
            "first_time": int(times[last][0]),
            "last_sequence": int(sequences[-1]),
            "body": _pack(sequences[last], times[last]),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(commits).where(commits.c.first_sequence >= values["first_sequence"]))
                connection.execute(insert(commits).values(values))
        except SQLAlchemyError as error:
            raise refusal(error, "write commit times") from error
        with self._lock:
            del self._sequences[:count]
            del self._times[:count]


def _pack(sequences: NDArray[np.int64], times: NDArray[np.int64]) -> bytes:
    steps = np.stack([np.diff(sequences, prepend=0), np.diff(times, prepend=0)])
    return zlib.compress(steps.astype("<i8").tobytes(), 6)


def _unpack(body: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    steps = np.frombuffer(zlib.decompress(body), "<i8").reshape(2, -1)
    return np.cumsum(steps[0]), np.cumsum(steps[1])
