"""Clocks of which tests say when: faults begin and end as they are told, not after a wait."""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import Any

__all__ = ["HOUR_S", "JumpingClock", "JumpingLoop"]

HOUR_S = 3600.0
"""Longer than any test: a fault that begins in an hour begins at the first jump, and ends at the second."""


class JumpingClock:
    """The present, and what was jumped over."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> int:
        return time.time_ns() // 1000 + int(self.ahead_s * 1e6)

    def jump(self, seconds: float = HOUR_S) -> None:
        self.ahead_s += seconds


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose time stands still while there is something to do, and then jumps to what waits next.

    For what happens within this process alone: milliseconds of a wire are as long as they say on any machine, and
    nobody waits for them.
    """

    def __init__(self) -> None:
        self._present_s = 0.0
        super().__init__(_Jumps(self))

    def time(self) -> float:
        return self._present_s

    def jump(self, seconds: float) -> None:
        self._present_s += seconds


class _Jumps(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, Any]]:
        ready = super().select(None if timeout is None else 0)
        if timeout is not None and not ready:
            self._loop.jump(timeout)
        return ready
