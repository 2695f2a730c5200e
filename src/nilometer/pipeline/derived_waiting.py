"""The times of the clock that wait for their inputs, and how they outlive the process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.pipeline.derived_rows import Times, among

__all__ = ["MOST_WAITING", "Waiting", "read_state", "written_state"]

MOST_WAITING = 1_000_000
"""Times of one Datastream; of more the oldest are let go. A late input still finds them by the rows of their clock."""


def _none() -> Times:
    return np.empty(0, np.int64)


@dataclass(slots=True)
class Waiting:
    """What waits of one derived Datastream.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        Times of the clock, rising, µs since 1970 UTC.
    received : ndarray of int64, shape (n,)
        When the row of the clock came: the deadline counts from there.
    fresh : ndarray of int64
        Those that are looked at next, whatever happens.
    """

    time: Times = field(default_factory=_none)
    received: Times = field(default_factory=_none)
    fresh: Times = field(default_factory=_none)

    def add(self, times: Times, received: int, *, fresh: bool = False) -> None:
        """Let times wait; those that do already keep their deadline."""
        new = times[~among(times, self.time)]
        if len(new):
            time = np.concatenate([self.time, new])
            came = np.concatenate([self.received, np.full(len(new), received, np.int64)])
            order = np.argsort(time, kind="stable")[-MOST_WAITING:]
            self.time, self.received = time[order], came[order]
        if fresh:
            self.fresh = np.union1d(self.fresh, times)

    def drop(self, gone: NDArray[np.bool_]) -> None:
        """Let no longer wait what a mask names."""
        if gone.any():
            self.time, self.received = self.time[~gone], self.received[~gone]

    def forget(self, times: Times) -> None:
        """Let no longer wait what is answered."""
        if len(self.time) and len(times):
            self.drop(among(self.time, times))

    def turn_away(self, times: Times) -> None:
        """Let no longer wait what is not to be looked at either."""
        self.forget(times)
        self.fresh = np.setdiff1d(self.fresh, times)

    def due(self, now: int, deadline: int | None) -> Times:
        """Return the times whose deadline has come."""
        return _none() if deadline is None else self.time[self.received + deadline <= now]


def written_state(waiting: Mapping[int, Waiting], owed: list[tuple[list[int], int, int]]) -> bytes:
    """Return what waits, by Datastream, and which deletions of inputs were not followed up yet."""
    kept = {str(number): [one.time.tolist(), one.received.tolist()] for number, one in waiting.items() if len(one.time)}
    return json.dumps({"version": 1, "waiting": kept, "owed": owed}).encode()


def read_state(state: bytes) -> tuple[dict[int, Waiting], list[tuple[list[int], int, int]]]:
    """Return what `written_state` was given.

    Raises
    ------
    ValueError
        If the bytes are not that, or another version wrote them.
    """
    document = json.loads(state)
    if document.get("version") != 1:
        raise ValueError(f"the state of the derivation is of version {document.get('version')}, not 1")
    waiting = {
        int(number): Waiting(np.array(times, np.int64), np.array(received, np.int64))
        for number, (times, received) in document["waiting"].items()
    }
    return waiting, [(list(ids), int(start), int(end)) for ids, start, end in document["owed"]]
