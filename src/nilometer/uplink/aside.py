"""Messages that wait while others go first, for each alone may be what the receiver cannot take."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

__all__ = ["Aside"]


class Aside:
    """Which messages were sent so often, without an answer, that they are put aside for a while.

    The receiver may only have been away: once another message was answered, each is tried once more at once, and only
    one that fails then waits its time.

    Parameters
    ----------
    after : int
        How many attempts a message has.
    wait_s : float
        How long it waits then, s.
    clock : callable
        Seconds that never jump.
    """

    def __init__(self, after: int = 3, wait_s: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._after, self._wait_s, self._clock = after, wait_s, clock
        self._until: dict[Hashable, float] = {}
        self._suspects: set[Hashable] = set()

    def waits(self, key: Hashable) -> bool:
        """Say whether a message waits at present."""
        return self._until.get(key, 0.0) > self._clock()

    def failed(self, key: Hashable, attempts: int) -> None:
        """Note that a message was not answered, for the how manieth time."""
        if attempts >= self._after:
            self._until[key] = self._clock() + self._wait_s

    def answered(self, key: Hashable) -> None:
        """Note that a message was answered: it is no longer aside, and the others get another chance."""
        self._until.pop(key, None)
        self._suspects.discard(key)
        for other in self._until.keys() - self._suspects:
            self._until[other] = 0.0
            self._suspects.add(other)
