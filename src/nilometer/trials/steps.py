"""What a long computation is doing, told to whoever asked for it; telling is where it can be given up.

It is the business of a thread, so what computes passes nothing on: it says what it does, heard or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["BEAT", "Step", "beat", "heard", "step"]

BEAT = "beat"


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done.

    Parameters
    ----------
    part : str
        Such as ``figures`` or ``resamples``.
    done, of : int
        How many of its like are behind; 0 of 0 where nobody counts.
    about : str
        Of what: the name of an endpoint or of a comparison.
    """

    part: str
    done: int = 0
    of: int = 0
    about: str = ""


_listener: ContextVar[Callable[[Step], None] | None] = ContextVar("listener", default=None)


@contextmanager
def heard(by: Callable[[Step], None]) -> Iterator[None]:
    """Have every step that is done within told to a listener, in the thread that computes.

    An error that the listener raises ends the computation there.

    Examples
    --------
    >>> told = []
    >>> with heard(told.append):
    ...     step("figures", 1, 3)
    >>> step("figures", 2, 3)
    >>> told
    [Step(part='figures', done=1, of=3, about='')]
    """
    token = _listener.set(by)
    try:
        yield
    finally:
        _listener.reset(token)


def step(part: str, done: int = 0, of: int = 0, about: str = "") -> None:
    """Say what is being done."""
    listener = _listener.get()
    if listener is not None:
        listener(Step(part, done, of, about))


def beat() -> None:
    """Say that a long step goes on: nothing new to tell, and a place to be given up."""
    step(BEAT)
