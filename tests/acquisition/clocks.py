"""A clock of which tests say when: faults begin and end as they are told, not after a wait."""

from __future__ import annotations

import time

__all__ = ["HOUR_S", "JumpingClock"]

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
