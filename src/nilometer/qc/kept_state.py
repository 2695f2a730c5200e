"""The state of quality control as bytes: what is written beside the journal, and taken up after a restart.

Datastreams of one program lie together, and everything about them is done at once: a hundred thousand are kept in a
fraction of a second. The same state gives the same bytes, however the rows were cut and wherever it stood in memory.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc import layout
from nilometer.qc.program import Kept, Programs
from nilometer.qc.rollup import ALL_PASSED
from nilometer.qc.state import State

__all__ = ["Group", "groups_of", "read_groups", "write_groups"]

_FORMAT = 4
_JOINT = "joint."
_SPARE_BITS = (0xFFFF << layout.SUMMARY) | layout.FLANKED


@dataclass(slots=True)
class Group:
    """The state of Datastreams of one program, without its place in memory.

    Parameters
    ----------
    program : ndarray of int64, shape (2,)
        Fingerprints of the program, and of its unit and axis.
    datastream : ndarray of int32, shape (n,)
        Ids, rising.
    words : ndarray of int64, shape (n, space)
        The words of each.
    tests : ndarray of int64, shape (m, 3)
        Of each test that keeps something: fingerprint, place, words.
    length : ndarray of int64, shape (m, n)
        How many words of the pool each has.
    points : ndarray of int64
        These words, test after test, Datastream after Datastream.
    """

    program: NDArray[np.int64]
    datastream: NDArray[np.int32]
    words: NDArray[np.int64]
    tests: NDArray[np.int64]
    length: NDArray[np.int64]
    points: NDArray[np.int64]

    def give(self, picked: NDArray[np.intp], state: State, rows: NDArray[np.intp], programs: Programs) -> None:
        """Let rows of one program, freshly placed, go on from the Datastreams `picked` of this group.

        What a changed profile cannot use (an open verdict, another test's window) begins anew; in another unit, or
        along another axis, everything does.
        """
        program = int(state.streams[rows[0], layout.PROGRAM])
        words, base = self.words[picked], state.bases(rows)
        if programs.axes[program] != self.program[1]:
            state.words[base + layout.NEWEST] = words[:, layout.NEWEST]
            return
        head = words[:, : layout.DIGITS].copy()
        bits = words[:, layout.BITS]
        new = bits & (layout.KNOWN | layout.NEXT | (3 << layout.DIRECTION))
        if programs.keys[program] == self.program[0]:
            new = bits & ((1 << layout.LIVE) - 1)
            digits = min([words.shape[1], *self.tests[:, 1].tolist()])
            _put(state.words, base + layout.DIGITS, words[:, layout.DIGITS : digits])
        else:
            head[:, layout.OPEN_ID] = 0
        there = {int(key): n for n, key in enumerate(self.tests[:, 0])}
        flat = 0
        for one in programs.kept[program]:
            n = there.get(one.key)
            if n is not None:
                part = words[:, self.tests[n, 1] : self.tests[n, 1] + one.words].copy()
                self._give_points(n, picked, part, state, one)
                _put(state.words, base + one.place, part)
                if one.words == layout.QUEUE_WORDS:
                    old = int((self.tests[:n, 2] == layout.QUEUE_WORDS).sum())
                    new |= ((bits >> (layout.LIVE + old)) & 1) << (layout.LIVE + flat)
            elif one.words == layout.QUEUE_WORDS:
                _put(state.words, base + one.place, _begun(head, state))
                new |= (bits & layout.KNOWN) << (layout.LIVE + flat)
            flat += one.words == layout.QUEUE_WORDS
        head[:, layout.BITS] = new
        _put(state.words, base, head)

    def _give_points(self, n: int, picked: NDArray[np.intp], part: NDArray[np.int64], state: State, one: Kept) -> None:
        """Put the points of test `n` into the pool, and where they are into `part`."""
        length = self.length[n, picked]
        if not length.any():
            return
        ends = np.cumsum(self.length.ravel()).reshape(self.length.shape)[n, picked]
        if one.words == layout.QUEUE_WORDS:
            sides, unit, most = 2, layout.POINT, part[:, [layout.LOW_LENGTH, layout.HIGH_LENGTH]].max(axis=1)
            place, rooms = layout.LOW, layout.ROOMS
            lengths = part[:, [layout.LOW_LENGTH, layout.HIGH_LENGTH]]
        else:
            sides, unit, most = 1, layout.BUCKET_WORDS, part[:, layout.LENGTH]
            place, rooms = layout.RING, layout.BUCKETS
            lengths = part[:, [layout.LENGTH]]
        room = np.where(length > 0, np.maximum(layout.FEW, _powers(most)), 0)
        taken = room * sides * unit
        first = state.room(int(taken.sum()))
        where = first + np.cumsum(taken) - taken
        part[:, place], part[:, rooms] = np.where(length > 0, where, 0), room
        at = ends - length
        for side in range(sides):
            count = lengths[:, side] * unit
            state.pool[_spread(where + side * room * unit, count)] = self.points[_spread(at, count)]
            at = at + count


def _begun(head: NDArray[np.int64], state: State) -> NDArray[np.int64]:
    """Return what a new flat-line test keeps whose record begins with the last value."""
    words = np.zeros((len(head), layout.QUEUE_WORDS), np.int64)
    side = layout.FEW * layout.POINT
    low = state.room(len(head) * 2 * side) + np.arange(len(head)) * 2 * side
    for place in (low, low + side):
        state.pool[place], state.pool[place + 1] = head[:, layout.LAST], head[:, layout.X1]
    words[:, layout.BLOCKER], words[:, layout.BEGIN] = NO_TIME, head[:, layout.LAST]
    words[:, layout.LOW], words[:, layout.ROOMS] = low, layout.FEW
    words[:, layout.LOW_LENGTH] = words[:, layout.HIGH_LENGTH] = 1
    return words


def groups_of(state: State, rows: NDArray[np.intp], programs: Programs) -> list[Group]:
    """Return the state of some rows, a group a program, in the order of the programs' fingerprints."""
    of = state.streams[rows, layout.PROGRAM]
    found = sorted(np.unique(of).tolist(), key=lambda program: programs.keys[program])
    return [_group(state, rows[of == program], program, programs) for program in found]


def _group(state: State, rows: NDArray[np.intp], program: int, programs: Programs) -> Group:
    rows = rows[np.argsort(state.ids[rows], kind="stable")]
    kept, space = programs.kept[program], int(programs.programs[program, layout.SPACE])
    words = state.words[state.bases(rows)[:, np.newaxis] + np.arange(space)]
    words[:, layout.WHERE] = -1
    closed = words[:, layout.BITS] & layout.OPEN == 0
    words[closed, layout.OPEN_ID] = 0
    words[closed, layout.BITS] &= ~_SPARE_BITS
    if not programs.programs[program, layout.ALONG]:  # digits that are all PASS are not written
        closed |= (words[:, layout.BITS] >> layout.SUMMARY) & 0xFFFF == ALL_PASSED
    words[closed, layout.DIGITS : min((one.place for one in kept), default=space)] = 0
    lengths, points, flat = [], [], 0
    for one in kept:
        part = words[:, one.place : one.place + one.words]
        if one.words == layout.QUEUE_WORDS:
            part[(words[:, layout.BITS] >> (layout.LIVE + flat)) & 1 == 0] = 0
            flat += 1
            length = part[:, [layout.LOW_LENGTH, layout.HIGH_LENGTH]]
            length_words, at = _in_rings(
                part[:, [layout.LOW_HEAD, layout.HIGH_HEAD]],
                length,
                np.repeat(part[:, [layout.ROOMS]], 2, axis=1),
                part[:, [layout.LOW]] + np.array([0, 1]) * part[:, [layout.ROOMS]] * layout.POINT,
                layout.POINT,
            )
            part[:, [layout.LOW, layout.ROOMS, layout.LOW_HEAD, layout.HIGH_HEAD]] = 0
        elif one.words == layout.WINDOW_WORDS:
            empty = part[:, layout.FIRST] == NO_TIME
            part[empty] = 0
            part[empty, layout.FIRST] = part[empty, layout.UNTIL] = NO_TIME
            part[empty, layout.OLDEST] = layout.NEVER
            length_words, at = _in_rings(
                part[:, [layout.HEAD]],
                part[:, [layout.LENGTH]],
                part[:, [layout.BUCKETS]],
                part[:, [layout.RING]],
                layout.BUCKET_WORDS,
            )
            part[:, [layout.RING, layout.BUCKETS, layout.HEAD]] = 0
        else:
            length_words, at = np.zeros(len(rows), np.int64), np.zeros(0, np.int64)
        lengths.append(length_words)
        points.append(state.pool[at])
    return Group(
        np.array([programs.keys[program], programs.axes[program]], np.int64),
        state.ids[rows],
        words,
        np.array([(one.key, one.place, one.words) for one in kept], np.int64).reshape(-1, 3),
        np.array(lengths, np.int64).reshape(-1, len(rows)),
        np.concatenate([np.zeros(0, np.int64), *points]),
    )


def _in_rings(
    head: NDArray[np.int64], length: NDArray[np.int64], rooms: NDArray[np.int64], base: NDArray[np.int64], unit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many words of the pool each row has, and where they are, oldest point first."""
    each = length.ravel()
    within = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
    ring = (np.repeat(head.ravel(), each) + within) & np.repeat(np.maximum(rooms.ravel(), 1) - 1, each)
    at = np.repeat(base.ravel(), each) + ring * unit
    return length.sum(axis=1) * unit, (at[:, np.newaxis] + np.arange(unit)).ravel()


def _powers(length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the least powers of two that are not below some lengths."""
    powers: NDArray[np.int64] = 1 << np.ceil(np.log2(np.maximum(length, 1))).astype(np.int64)
    return powers


def _spread(first: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers ``first[k], first[k] + 1, …``, `count[k]` of them, one after another."""
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    spread: NDArray[np.int64] = np.repeat(first, count) + within
    return spread


def _put(words: NDArray[np.int64], first: NDArray[np.int64], part: NDArray[np.int64]) -> None:
    words[first[:, np.newaxis] + np.arange(part.shape[1])] = part


def write_groups(groups: list[Group], joints: dict[str, bytes]) -> bytes:
    """Return the state as bytes: that of Datastreams, and what tests of several of them keep, by their names."""
    buffer = io.BytesIO()
    named = {f"{n}.{name}": getattr(group, name) for n, group in enumerate(groups) for name in Group.__slots__}
    named |= {f"{_JOINT}{name}": np.frombuffer(kept, np.uint8) for name, kept in joints.items()}
    np.savez(buffer, format=np.array(_FORMAT), **named)
    return buffer.getvalue()


def read_groups(state: bytes) -> tuple[list[Group], dict[str, bytes]]:
    """Return the state that `write_groups` wrote.

    Raises
    ------
    ValueError
        If the bytes are not such a state, or of another version.
    """
    if not state.startswith(b"PK"):
        raise ValueError("not a state of quality control")
    try:
        with np.load(io.BytesIO(state), allow_pickle=False) as arrays:
            named = dict(arrays)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"not a state of quality control: {error}") from error
    if int(named.pop("format", np.array(1))) != _FORMAT:
        raise ValueError("a state of quality control that another version wrote")
    joints = {name.removeprefix(_JOINT): named.pop(name).tobytes() for name in list(named) if name.startswith(_JOINT)}
    try:
        number = len(named) // len(Group.__slots__)
        groups = [Group(**{name: named[f"{n}.{name}"] for name in Group.__slots__}) for n in range(number)]
    except KeyError as error:
        raise ValueError(f"not a state of quality control: {error} is missing") from None
    return groups, joints
