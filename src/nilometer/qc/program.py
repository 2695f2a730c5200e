"""From a profile to what the kernel reads: its tests in a Datastream's unit, as rows of numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.qc import layout
from nilometer.qc.profile import Profile
from nilometer.qc.qartod import DEFINITIONS, Kind

__all__ = ["Programs", "fingerprint"]


def fingerprint(text: str) -> int:
    """Return an int64 that stands for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


@dataclass(slots=True)
class Programs:
    """Every profile in use, in every unit it is used in.

    Parameters
    ----------
    programs : ndarray of int64, shape (n, 6)
        Columns as `nilometer.qc.layout`.
    slots : ndarray of int64, shape (m, 3)
        Kind, whether required, window of each test.
    numbers : ndarray of float64, shape (m, 4)
        Thresholds of each test.
    keys : list of int
        Fingerprint of each program: the profile's content, its version and the unit.
    windows : list of list of int
        Fingerprint of each flat-line window of each program.
    """

    programs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 6), np.int64))
    slots: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    numbers: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4), np.float64))
    keys: list[int] = field(default_factory=list)
    windows: list[list[int]] = field(default_factory=list)
    width: int = 1
    _rows: dict[int, int] = field(default_factory=dict)
    _asked: dict[tuple[int, str, bool], tuple[int, Profile | None]] = field(default_factory=dict)

    def row(self, profile: Profile | None, unit: str, *, timed: bool = True) -> int:
        """Return the program's row, added when new.

        Parameters
        ----------
        profile : Profile or None
            The tests; None: none.
        unit : str
            Unit of the results; thresholds are converted to it.
        timed : bool
            False: the series has no times, tests that need them stay NOT_EVALUATED.

        Raises
        ------
        ConfigError
            If the profile's unit cannot be converted to `unit`.
        """
        asked = (id(profile), unit, timed)  # a fingerprint costs as much as everything else about a Datastream
        if asked not in self._asked:
            key = fingerprint("" if profile is None else f"{profile.fingerprint}|{unit}|{timed}")
            if key not in self._rows:
                self._rows[key] = self._add(profile, unit, key, timed=timed)
            self._asked[asked] = (self._rows[key], profile)  # holds the profile, so that its id is not given again
        return self._asked[asked][0]

    def _add(self, profile: Profile | None, unit: str, key: int, *, timed: bool) -> int:
        tests = () if profile is None else profile.in_unit(unit).tests
        slots = np.zeros((len(tests), 3), np.int64)
        numbers = np.zeros((len(tests), 4))
        windows: list[int] = []
        restart = layout.NEVER
        first_spike = len(tests)
        for j, test in enumerate(tests):
            definition = DEFINITIONS[test.kind]
            kind = definition.kind if timed or not definition.timed else Kind.UNJUDGED
            numbers[j] = definition.numbers(test.parameters)
            slots[j, layout.KIND] = kind
            slots[j, layout.REQUIRED] = profile is not None and test.name in profile.required
            if kind is Kind.GAP:
                restart = int(min(restart, *numbers[j, :2]))
            elif kind is Kind.FLAT_LINE:
                slots[j, 2] = len(windows)
                windows.append(fingerprint(f"{test.name}|{numbers[j, 2]!r}"))
            elif kind is Kind.SPIKE:
                first_spike = min(first_spike, j)
        row = np.zeros((1, 6), np.int64)
        row[0, layout.START] = len(self.slots)
        row[0, layout.COUNT] = len(tests)
        row[0, layout.RULE] = 0 if profile is None else profile.rollup
        row[0, layout.RESTART] = restart
        row[0, layout.SPIKES] = first_spike
        row[0, layout.WINDOWS] = len(windows)
        self.programs = np.concatenate([self.programs, row])
        self.slots = np.concatenate([self.slots, slots])
        self.numbers = np.concatenate([self.numbers, numbers])
        self.keys.append(key)
        self.windows.append(windows)
        self.width = max(self.width, len(tests))
        return len(self.programs) - 1
