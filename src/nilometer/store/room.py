"""Whether memory has room for more rows; seals nothing itself."""

from __future__ import annotations

from collections.abc import Callable

from nilometer.errors import Overloaded
from nilometer.store.live import Live
from nilometer.store.seals import Seals

__all__ = ["Room"]


class Room:
    """Holds back who writes faster than the lake takes rows, and refuses at once while seals fail.

    Parameters
    ----------
    seals : Seals
        What makes room.
    live : Live
        What is in memory.
    most : callable
        Returns how many rows may be there.
    """

    def __init__(self, seals: Seals, live: Live, most: Callable[[], int]) -> None:
        self._seals, self._live, self._most = seals, live, most

    def wait(self, ask: Callable[[], bool], patience_s: float) -> None:
        """Return when there is room.

        Parameters
        ----------
        ask : callable
            Called if there is none: has rows sealed, and says whether anything may come of waiting.
        patience_s : float
            How long to wait, s.

        Raises
        ------
        Overloaded
            If there is none after that time, or the last seal failed: then nobody waits for it.
        """
        seals = self._seals
        with seals.room:
            if self._has_room():
                return
            if ask():
                seals.room.wait_for(lambda: self._has_room() or seals.is_stuck, patience_s)
                if self._has_room():
                    return
            why = f" (the last seal failed: {seals.error})" if seals.error else ""
            rows = self._live.hot.rows
            raise Overloaded(f"{rows} rows wait to be sealed and no more fit in memory{why}; send again later")

    def _has_room(self) -> bool:
        return self._live.hot.rows <= self._most()
