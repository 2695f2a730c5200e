"""What is under way while one commit is derived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nilometer.pipeline.derived import Patient
from nilometer.pipeline.derived_rows import Gathered, Rows, Times

__all__ = ["Asked", "Commit", "at_once"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Commit:
    """What is under way: changes by Datastream, when it came, and whether only rows that are there may change."""

    changed: dict[int, Times]
    received: int
    patient: Patient
    only_revisions: bool

    def note(self, more: Mapping[int, Times]) -> None:
        """Take more changes."""
        for number, times in more.items():
            known = self.changed.get(number)
            self.changed[number] = times if known is None else np.union1d(known, times)


@dataclass(frozen=True, slots=True)
class Asked:
    """Times that a commit answers: what they are computed of, and the rows that are there."""

    gathered: Gathered
    current: Rows


def at_once(action: Callable[[], T]) -> T:
    """Do something, and let what the store refuses pass."""
    return action()
