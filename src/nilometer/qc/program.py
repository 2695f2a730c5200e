"""From a profile to what the kernel reads: its tests in a Datastream's unit, as rows of numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.qc import layout
from nilometer.qc.profile import Profile, SlottedTest
from nilometer.qc.qartod import DEFINITIONS, Kind
from nilometer.qc.qartod.definition import Wants, moment
from nilometer.qc.window import most_buckets

__all__ = ["Kept", "Programs", "fingerprint"]

_LATE = (Kind.SPIKE, Kind.DENSITY_INVERSION)
_MOST_LINES = 62  # of a Datastream's state that are fetched ahead
_QUEUE_ROOM = 4 * layout.MOST_POINTS * layout.POINT
"""Words of pool that the queues of one run may ask for while they grow."""


def fingerprint(text: str) -> int:
    """Return an int64 that stands for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


@dataclass(frozen=True, slots=True)
class Kept:
    """What one test of a program keeps for each Datastream.

    Parameters
    ----------
    key : int
        Fingerprint of what the kept words mean; a changed profile goes on with those of the same key.
    kind : Kind
        Whose they are.
    place, words : int
        Where they stand in a Datastream's state, and how many.
    """

    key: int
    kind: Kind
    place: int
    words: int


@dataclass(slots=True)
class _Program:
    """One program on its way into the tables."""

    row: NDArray[np.int64]
    slots: NDArray[np.int64]
    numbers: NDArray[np.float64]
    table: list[tuple[float, ...]]
    kept: list[Kept]


@dataclass(slots=True)
class Programs:
    """Every profile in use, in every unit it is used in.

    Parameters
    ----------
    programs, slots : ndarray of int64
        Columns as `nilometer.qc.layout`.
    numbers : ndarray of float64, shape (m, 8)
        Thresholds of each test.
    rows : ndarray of float64, shape (k, 10)
        Tables of tests that have one.
    keys : list of int
        Fingerprint of each program: the profile's content, its version and the unit.
    axes : list of int
        Fingerprint of the unit and the axis of each program: what was kept on other ones cannot be compared.
    kept : list of list of Kept
        What each program's tests keep.
    width : int
        Tests of the program with the most.
    """

    programs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, layout.PROGRAM_COLUMNS), np.int64))
    slots: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, layout.SLOT_COLUMNS), np.int64))
    numbers: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, layout.NUMBERS)))
    rows: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, layout.TABLE_COLUMNS)))
    keys: list[int] = field(default_factory=list)
    axes: list[int] = field(default_factory=list)
    kept: list[list[Kept]] = field(default_factory=list)
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
            If the profile's unit cannot be converted to `unit`, or a test cannot be judged along the profile's axis.
        """
        asked = (id(profile), unit, timed)  # a fingerprint costs as much as everything else about a Datastream
        if asked not in self._asked:
            key = fingerprint(f"{'' if profile is None else profile.fingerprint}|{unit}|{timed}")
            if key not in self._rows:
                self._rows[key] = self._add(profile, unit, key, timed=timed)
            self._asked[asked] = (self._rows[key], profile)  # holds the profile, so that its id is not given again
        return self._asked[asked][0]

    def _add(self, profile: Profile | None, unit: str, key: int, *, timed: bool) -> int:
        tests = () if profile is None else profile.in_unit(unit).tests
        required = frozenset() if profile is None else profile.required
        made = _program(tests, required, along=profile is not None and profile.along == "depth", timed=timed)
        made.row[layout.START] = len(self.slots)
        made.row[layout.RULE] = 0 if profile is None else profile.rollup
        made.slots[:, layout.FIRST_ROW] += len(self.rows)
        self.programs = np.concatenate([self.programs, made.row[np.newaxis]])
        self.slots = np.concatenate([self.slots, made.slots])
        self.numbers = np.concatenate([self.numbers, made.numbers])
        if made.table:
            self.rows = np.concatenate([self.rows, np.array(made.table)])
        self.keys.append(key)
        self.axes.append(fingerprint(f"{unit}|{'time' if profile is None else profile.along}"))
        self.kept.append(made.kept)
        self.width = max(self.width, len(tests))
        return len(self.programs) - 1


_DOWN = frozenset({Kind.RATE_OF_CHANGE, Kind.FLAT_LINE, Kind.DENSITY_INVERSION})
"""What needs no time down a cast: depth is what it goes along, and its thresholds are of depth."""


def _program(tests: tuple[SlottedTest, ...], required: frozenset[str], *, along: bool, timed: bool) -> _Program:
    made = _Program(
        np.zeros(layout.PROGRAM_COLUMNS, np.int64),
        np.zeros((len(tests), layout.SLOT_COLUMNS), np.int64),
        np.zeros((len(tests), layout.NUMBERS)),
        [],
        [],
    )
    row = made.row
    row[layout.COUNT] = row[layout.LATE] = len(tests)
    row[layout.RESTART] = row[layout.LATEST] = row[layout.FUTURE] = layout.NEVER
    row[layout.EARLIEST] = -layout.NEVER
    row[layout.ALONG] = along
    space = layout.DIGITS + -(-len(tests) // 8)
    for j, test in enumerate(tests):
        definition = DEFINITIONS[test.kind]
        kind = definition.kind if definition.kind_of is None else definition.kind_of(test.parameters)
        if definition.timed and not timed and not (along and kind in _DOWN):
            kind = Kind.UNJUDGED
        if kind is Kind.DENSITY_INVERSION and not along:
            raise ConfigError(f"tests.{test.name}", seen="along = time", allowed='along = "depth" in this profile')
        row[layout.WANTS] |= definition.wants | (Wants.WINDOW if kind is Kind.RATE_OF_DEVIATION else 0)
        numbers = definition.numbers(test.parameters)
        made.numbers[j, : len(numbers)] = numbers
        slot = made.slots[j]
        slot[layout.KIND], slot[layout.REQUIRED] = kind, test.name in required
        table = definition.rows(test.parameters)
        slot[layout.FIRST_ROW], slot[layout.ROWS] = len(made.table), len(table)
        made.table += table
        if kind in (Kind.ATTENUATED_SIGNAL, Kind.RATE_OF_DEVIATION):
            made.numbers[j, -1] = along  # each cast has a window of its own
        if kind in _LATE:
            row[layout.LATE] = min(row[layout.LATE], j)
        _bound(row, kind, test.parameters, made.numbers[j])
        space = _keep(made, kind, test, slot, made.numbers[j], space)
    lines = [0, *(kept.place // layout.LINE for kept in made.kept if kept.kind is not Kind.FLAT_LINE)]
    row[layout.FETCH] = sum(1 << line for line in set(lines) if line < _MOST_LINES)
    row[layout.SPACE] = -(-space // layout.LINE) * layout.LINE
    return made


def _bound(row: NDArray[np.int64], kind: Kind, parameters: Mapping[str, Any], numbers: NDArray[np.float64]) -> None:
    """Let a gap and an impossible date bear on the whole program."""
    if kind is Kind.GAP:
        row[layout.RESTART] = int(min(row[layout.RESTART], *numbers[:2]))
    elif kind is Kind.IMPOSSIBLE_DATE:
        if "earliest" in parameters:
            row[layout.EARLIEST] = max(row[layout.EARLIEST], moment(parameters["earliest"]))
        if "latest" in parameters:
            row[layout.LATEST] = min(row[layout.LATEST], moment(parameters["latest"]))
        row[layout.FUTURE] = min(row[layout.FUTURE], int(numbers[2]))


def _keep(
    made: _Program, kind: Kind, test: SlottedTest, slot: NDArray[np.int64], numbers: NDArray[np.float64], space: int
) -> int:
    """Give a test its place in the state of a Datastream; return the words in use behind it."""
    words, room, means = 0, 0, ""
    if kind is Kind.FLAT_LINE:
        slot[layout.BIT] = sum(kept.kind is Kind.FLAT_LINE for kept in made.kept)
        if slot[layout.BIT] >= layout.MOST_FLAT:
            raise ConfigError("tests", seen=test.name, allowed=f"at most {layout.MOST_FLAT} flat-line tests")
        words, room, means = layout.QUEUE_WORDS, _QUEUE_ROOM, repr(float(numbers[2]))
    elif kind is Kind.ATTENUATED_SIGNAL:
        words, room = layout.WINDOW_WORDS, _ring_room(numbers[2], numbers[3])
        means = json.dumps([float(numbers[place]) for place in (2, 3, 6, 7)])
    elif kind is Kind.RATE_OF_DEVIATION:
        words, room = layout.WINDOW_WORDS, _ring_room(numbers[3], numbers[6])
        means = json.dumps([float(numbers[place]) for place in (3, 6, 7)])
    elif DEFINITIONS[test.kind].wants & Wants.PLACE:
        words = layout.PLACE_WORDS
    if not words:
        return space
    if words >= layout.LINE:
        space = -(-space // layout.LINE) * layout.LINE
    slot[layout.KEPT] = space
    made.kept.append(Kept(fingerprint(f"{test.name}|{kind.name}|{means}"), kind, space, words))
    made.row[layout.ROOM] += room
    return space + words


def _ring_room(period: float, width: float) -> int:
    return 2 * most_buckets(period, width) * layout.BUCKET_WORDS
