"""What becomes of messages on their way: held back, doubled, or overtaken by the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.simulators.simulator import SPINE, Fault, WireFault, active_fault

__all__ = ["DISORDERLY", "Disorder"]

DISORDERLY = (*SPINE, WireFault.LATE, WireFault.DUPLICATE, WireFault.OUT_OF_ORDER)
"""The faults of the wire of a simulator that speaks by itself."""
MOST_HELD = 10_000

Item = TypeVar("Item")


class Disorder(Generic[Item]):
    """A way on which messages are late, come twice, or change places two by two.

    Parameters
    ----------
    faults : sequence of Fault
        ``late`` holds a message for `amount` s, or until the fault ends where no amount is given, and says it after
        what is new by then; ``duplicate`` says it twice; ``out_of_order`` says every second message before the one that
        came first.
    clock : callable
        The present, µs since 1970 UTC.
    began : int
        When the simulator began, µs since 1970 UTC: faults count from there.
    """

    def __init__(self, faults: Sequence[Fault], clock: Clock, began: int) -> None:
        self._faults, self._clock, self._began = faults, clock, began
        self._late: deque[tuple[int, Item]] = deque(maxlen=MOST_HELD)
        self._overtaken: list[Item] = []

    def pass_on(self, items: Iterable[Item]) -> list[Item]:
        """Return what arrives now, of messages that are said now and of those that were held.

        Parameters
        ----------
        items : iterable
            What is said now, in its order; may be empty.
        """
        out: list[Item] = []
        late = self._fault(WireFault.LATE)
        for item in items:
            if late is not None:
                self._late.append((self._clock(), item))
            elif self._fault(WireFault.OUT_OF_ORDER) is not None and not self._overtaken:
                self._overtaken.append(item)
            else:
                out += [item, *self._overtaken]
                self._overtaken.clear()
        if self._overtaken and self._fault(WireFault.OUT_OF_ORDER) is None:
            out += self._overtaken
            self._overtaken.clear()
        out += self._due()
        twice = self._fault(WireFault.DUPLICATE) is not None
        return [item for item in out for _ in range(1 + twice)]

    def _due(self) -> list[Item]:
        late, now = self._fault(WireFault.LATE), self._clock()
        held_us = 0 if late is None else int(late.amount * 1e6)
        due: list[Item] = []
        while self._late and (late is None or (held_us and now - self._late[0][0] >= held_us)):
            due.append(self._late.popleft()[1])
        return due

    def _fault(self, kind: WireFault) -> Fault | None:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6)
