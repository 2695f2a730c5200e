"""Holding rows while the store refuses, and trying again until it takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from nilometer.errors import StoreError, StoreFull
from nilometer.pipeline.delivery import guarded
from nilometer.pipeline.log import Log

__all__ = ["Patience"]

RETRY_S = 0.5

T = TypeVar("T")
_log = Log(__name__)


class Patience:
    """That of one thread.

    Parameters
    ----------
    turn : threading.Condition
        Notified when the pump stops.
    held : callable
        Called again and again while rows are held: what makes room hangs on it.

    Attributes
    ----------
    refusing : StoreError, optional
        Why rows are held at present.
    """

    def __init__(self, turn: threading.Condition, held: Callable[[], object]) -> None:
        self._turn, self._held = turn, held
        self._ends = False
        self.refusing: StoreError | None = None

    def end(self) -> None:
        """Give up what is refused from now on; called with the lock of `turn` held."""
        self._ends = True
        self._turn.notify_all()

    def until_taken(self, action: Callable[[], T], rows: int, *, whatever: bool = False) -> T:
        """Do something that asks the store, again and again while it refuses.

        Parameters
        ----------
        action : callable
            May be done again when it raised a StoreError.
        rows : int
            How many rows are held meanwhile.
        whatever : bool
            Whatever the store says; otherwise only what may pass.

        Raises
        ------
        StoreError
            That of the last try, when the pump stops or nothing will change.
        """
        while True:
            try:
                done = action()
            except StoreError as error:
                if self._ends or not (whatever or error.retryable):
                    self.refusing = None
                    raise
                if self.refusing is None:
                    _log.error("the store refuses; rows are held", rows=rows, error=str(error))
                self.refusing = error if error.retryable else StoreFull(str(error))
                guarded(self._held, "room could not be made")
                with self._turn:
                    self._turn.wait_for(lambda: self._ends, RETRY_S)
            else:
                if self.refusing is not None:
                    _log.info("the store accepts again", rows=rows)
                self.refusing = None
                return done
