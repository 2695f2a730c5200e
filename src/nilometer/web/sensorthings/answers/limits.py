"""What one reader may take from all others: how many heavy queries run beside each other, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable

from nilometer.errors import Overloaded
from nilometer.web.rates import Allowance, asking
from nilometer.web.sensorthings.answers.sending import Piece

__all__ = ["HEAVY_ROWS", "MOST_HEAVY", "MOST_SECONDS", "Deadline", "Gate"]

HEAVY_ROWS = 200_000
"""From so many Observations on, looked at or sent, a query is heavy."""
MOST_HEAVY = 4
"""Heavy queries at a time."""
MOST_SECONDS = 30.0
"""How long a query may look for what it answers; sending it is another matter: see `sending`."""


class Gate:
    """Lets so many heavy queries in at a time, and of each client as many as it may; any thread may enter and leave.

    Parameters
    ----------
    most : int
        How many.
    """

    def __init__(self, most: int = MOST_HEAVY) -> None:
        self._most, self._inside = most, 0
        self._lock = threading.Lock()

    @property
    def inside(self) -> int:
        """How many are in."""
        return self._inside

    def enter(self) -> Allowance | None:
        """Count one in, and return whose it is, for `leave`.

        Raises
        ------
        Overloaded
            If as many as may be are in already.
        RateLimited
            If the client has as many as it may.
        """
        client = asking.get()
        with self._lock:
            if self._inside >= self._most:
                raise Overloaded(
                    f"{self._most} queries of more than {HEAVY_ROWS} Observations are being answered, and no more run "
                    "at a time; ask again, or for less"
                )
            if client is not None:
                client.enter()
            self._inside += 1
        return client

    def leave(self, client: Allowance | None) -> None:
        """Count one out."""
        with self._lock:
            if client is not None:
                client.leave()
            self._inside -= 1

    def pass_through(self, pieces: Iterable[Piece]) -> Generator[Piece]:
        """Yield pieces; in from the first on, and out after the last, or when the generator is closed.

        Raises
        ------
        Overloaded, RateLimited
            With the first piece, as `enter`.
        """
        client = self.enter()
        try:
            yield from pieces
        finally:
            self.leave(client)


class Deadline:
    """How long a query may take.

    Parameters
    ----------
    seconds : float
        From now on.
    clock : callable
        Seconds that only go on.
    """

    def __init__(self, seconds: float = MOST_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._end = clock() + seconds

    def check(self) -> None:
        """Go on.

        Raises
        ------
        Overloaded
            If the time is over.
        """
        if self._clock() > self._end:
            raise Overloaded(
                f"the query was ended after {self._seconds:g} s; narrow phenomenonTime or the Datastream, "
                "or ask again when the server has less to do"
            )
