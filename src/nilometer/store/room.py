"""Whether memory has room for more rows, and what the last seal did about it; seals nothing itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nilometer.errors import Overloaded
from nilometer.store.live import Live
from nilometer.store.refusal import reason

__all__ = ["Room"]


class Room:
    """Holds back who writes faster than the lake takes rows, and refuses at once while seals fail.

    Parameters
    ----------
    changed : threading.Condition
        Notified when rows have left memory.
    live : Live
        What is in memory.
    most : callable
        Returns how many rows may be there.
    """

    def __init__(self, changed: threading.Condition, live: Live, most: Callable[[], int]) -> None:
        self._changed, self._live, self._most = changed, live, most
        self._failed_at = 0
        self.error = ""

    @contextmanager
    def after_seal(self) -> Iterator[None]:
        """Note how the seal in this context ends; a failed one ends every wait."""
        before = self._live.lake_sequence
        try:
            yield
        except Exception as error:
            with self._changed:
                self.error, self._failed_at = reason(error), before
                self._changed.notify_all()
            raise
        with self._changed:
            self.error = ""

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
        with self._changed:
            if self._has_room():
                return
            if ask():
                self._changed.wait_for(lambda: self._has_room() or self._is_stuck(), patience_s)
                if self._has_room():
                    return
            why = f" (the last seal failed: {self.error})" if self.error else ""
            rows = self._live.hot.rows
            raise Overloaded(f"{rows} rows wait to be sealed and no more fit in memory{why}; send again later")

    def _has_room(self) -> bool:
        return self._live.hot.rows <= self._most()

    def _is_stuck(self) -> bool:
        # The compactor seals, too, and says nothing of it here: the lake shows whether a seal has succeeded since.
        return bool(self.error) and self._live.lake_sequence == self._failed_at
