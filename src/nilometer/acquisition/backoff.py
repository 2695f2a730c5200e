"""Wait longer after each failure, never in step with the others."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

__all__ = ["Backoff"]


@dataclass(slots=True)
class Backoff:
    """Exponential back-off with jitter.

    Parameters
    ----------
    first_s, longest_s : float
        The wait after the first failure, and the longest one, s.
    factor : float
        How much longer each wait is than the one before.
    jitter : float
        The share of a wait that is drawn at random, 0 to 1: a hundred sources behind one modem that comes back must not
        dial in the same second.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    factor: float = 2.0
    jitter: float = 0.3
    failures: int = 0
    _random: random.Random = field(default_factory=random.Random, repr=False)

    def next_s(self) -> float:
        """Count a failure and return how long to wait, s.

        Examples
        --------
        >>> waits = Backoff(first_s=1.0, longest_s=4.0, jitter=0.0)
        >>> [waits.next_s() for _ in range(4)]
        [1.0, 2.0, 4.0, 4.0]
        """
        # Bounded exponent: a source that is away for a year must not overflow the float.
        wait = min(self.longest_s, self.first_s * self.factor ** min(self.failures, 60))
        self.failures += 1
        return wait * (1.0 - self.jitter * self._random.random())

    def reset(self) -> None:
        """Forget the failures: it worked."""
        self.failures = 0
