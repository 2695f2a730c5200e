"""All tests of several Datastreams of an engine, and the rows that wait for them.

A row may wait for a spike verdict and for another Datastream at once. Whichever comes later finds what the other
said: the digits of a row that waits here are kept here too, and brought up to date when the kernel settles it; the
digits that the kernel keeps of its open row are brought up to date when a test of several Datastreams is settled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.batch import Settlements
from nilometer.qc import layout
from nilometer.qc.digits import strings
from nilometer.qc.flags import MISSING, NOT_EVALUATED
from nilometer.qc.joint import Joint, Partner, Seen, Settled
from nilometer.qc.layout import Rows, Written
from nilometer.qc.profile import Profile
from nilometer.qc.program import Programs, fingerprint
from nilometer.qc.qartod import DEFINITIONS, Kind
from nilometer.qc.rollup import ALL_PASSED, HELD, roll_up_all
from nilometer.qc.state import State

__all__ = ["Joints"]

_JUDGED = layout.PRESENT | layout.IN_ORDER


@dataclass(slots=True)
class _Slotted:
    """A test of several Datastreams in its slot."""

    datastream: int
    slot: int
    key: str
    joint: Joint


class Joints:
    """The tests of several Datastreams, by the Datastream they judge."""

    def __init__(self) -> None:
        self._tests: dict[int, list[_Slotted]] = {}
        self._digits: dict[int, NDArray[np.uint8]] = {}
        self._kept: dict[str, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._tests)

    def set(self, datastream: int, profile: Profile | None, partners: Mapping[str, Partner]) -> None:
        """Take the tests of a Datastream from its profile, in its unit; those that did not change go on."""
        before = {test.key: test for test in self._tests.pop(datastream, [])}
        made = []
        for slot, test in enumerate(profile.tests if profile is not None else ()):
            partner = partners.get(test.name)
            if DEFINITIONS[test.kind].kind is not Kind.WAITING or partner is None:
                continue
            meaning = f"{test.name}|{sorted(test.parameters.items())}|{partner}"
            key = f"{datastream}.{fingerprint(meaning):x}"
            joint = before[key].joint if key in before else Joint(test.parameters, partner)
            if key in self._kept:
                self._restore(joint, self._kept.pop(key))
            made.append(_Slotted(datastream, slot, key, joint))
        if made:
            self._tests[datastream] = made
        waiting = set(self.open().tolist())
        self._digits = {ident: digits for ident, digits in self._digits.items() if ident in waiting}

    def open(self) -> NDArray[np.int64]:
        """Return the ids of rows that wait."""
        waiting = [test.joint.open.id for tests in self._tests.values() for test in tests]
        return np.unique(np.concatenate(waiting)) if waiting else np.zeros(0, np.int64)

    def kept(self) -> dict[str, bytes]:
        """Return what every test keeps in mind, by its key, and the digits of rows that wait."""
        tests = [test for datastream in sorted(self._tests) for test in self._tests[datastream]]
        kept = {test.key: test.joint.to_bytes(self._digits) for test in tests}
        return dict(sorted(kept.items()))

    def restore(self, kept: Mapping[str, bytes]) -> None:
        """Go on from what `kept` returned; tests may be set before or after."""
        self._kept = dict(kept)
        self._digits = {}
        for tests in self._tests.values():
            for test in tests:
                test.joint = Joint(test.joint.parameters, test.joint.partner)
                if test.key in self._kept:
                    self._restore(test.joint, self._kept.pop(test.key))

    def adopt(self, kept: Mapping[str, bytes], datastreams: Collection[int]) -> None:
        """Go on, for some of the judged Datastreams, from what `kept` returned of another."""
        for datastream in self._tests.keys() & set(datastreams):
            for test in self._tests[datastream]:
                if test.key in kept:
                    test.joint = Joint(test.joint.parameters, test.joint.partner)
                    self._restore(test.joint, kept[test.key])
        waiting = set(self.open().tolist())
        self._digits = {ident: digits for ident, digits in self._digits.items() if ident in waiting}

    def _restore(self, joint: Joint, kept: bytes) -> None:
        self._digits |= joint.restore(kept)

    def settle(self, rows: Rows, written: Written, programs: Programs, state: State) -> Settlements:
        """Judge what a batch brought; write flags of its rows, and return those of earlier rows that are new."""
        self._learn(written)
        seen: dict[int, Seen] = {}
        touched: dict[int, tuple[int, NDArray[np.uint8]]] = {}
        for datastream, tests in self._tests.items():
            own = _seen(datastream, rows, written, seen)
            judged: list[tuple[int, Settled]] = []
            for test in tests:
                other = _seen(test.joint.partner.datastream, rows, written, seen)
                if len(own.row) or len(other.row):
                    judged.append((test.slot, test.joint.judge(own, other)))
            if judged:
                changed = self._write(datastream, own, judged, written, programs, state)
                touched |= {ident: (datastream, digits) for ident, digits in changed.items()}
        return self._late(touched, written, programs, state)

    def _learn(self, written: Written) -> None:
        """Take what the kernel settled into the digits of rows that wait."""
        for n in range(int(written.settled[0])) if self._digits else ():
            ident = int(written.settled_id[n])
            if ident in self._digits:
                count = len(self._digits[ident])
                span = int(written.settled_spans[n])
                self._digits[ident] = written.settled_flags[n, :count].copy() if span else np.ones(count, np.uint8)

    def _write(
        self,
        datastream: int,
        own: Seen,
        judged: list[tuple[int, Settled]],
        written: Written,
        programs: Programs,
        state: State,
    ) -> dict[int, NDArray[np.uint8]]:
        """Write what was settled into rows of this batch; return the digits of earlier rows that changed."""
        program = int(state.streams[state.row(datastream), layout.PROGRAM])
        count = int(programs.programs[program, layout.COUNT])
        changed = []
        touched: dict[int, NDArray[np.uint8]] = {}
        opened: dict[int, int] = {}
        for slot, settled in judged:
            here = settled.row >= 0
            written.flags[slot, settled.row[here]] = settled.flag[here]
            changed.append(settled.row[here])
            for ident, flag in zip(settled.id[~here].tolist(), settled.flag[~here].tolist(), strict=True):
                self._digits[ident][slot] = flag
                touched[ident] = self._digits[ident]
            opened |= dict(zip(settled.id[here].tolist(), settled.row[here].tolist(), strict=True))
        places = np.unique(np.concatenate(changed))
        if len(places):
            start = int(programs.programs[program, layout.START])
            required = programs.slots[start : start + count, layout.REQUIRED]
            flags = written.flags[:count, places]
            summary = _summaries(flags, required)
            rule = int(programs.programs[program, layout.RULE])
            written.quality[places] = roll_up_all(summary, rule)
            written.spans[places] = np.where(summary == ALL_PASSED, 0, count)
        waiting = {int(i) for test in self._tests[datastream] for i in test.joint.open.id.tolist()}
        row_of = dict(zip(own.id.tolist(), own.row.tolist(), strict=True))
        for ident in waiting:
            if ident in row_of:
                self._digits[ident] = written.flags[:count, row_of[ident]].copy()
        self._open_row(datastream, opened, touched, written, programs, state)
        for ident in [ident for ident in touched if ident not in waiting]:
            del self._digits[ident]
        return touched

    def _open_row(
        self,
        datastream: int,
        opened: dict[int, int],
        touched: dict[int, NDArray[np.uint8]],
        written: Written,
        programs: Programs,
        state: State,
    ) -> None:
        """Bring the digits up to date that the kernel keeps of the row whose verdict is open."""
        base = int(state.bases(np.array([state.row(datastream)]))[0])
        words = state.words
        ident = int(words[base + layout.OPEN_ID])
        if not words[base + layout.BITS] & layout.OPEN or (ident not in opened and ident not in touched):
            return
        program = int(state.streams[state.row(datastream), layout.PROGRAM])
        count = int(programs.programs[program, layout.COUNT])
        digits = written.flags[:count, opened[ident]] if ident in opened else touched[ident]
        octets = state.words.view(np.uint8)
        octets[(base + layout.DIGITS) * 8 : (base + layout.DIGITS) * 8 + count] = digits
        start = int(programs.programs[program, layout.START])
        slots = programs.slots[start : start + count]
        early = slots[:, layout.KIND] != int(Kind.SPIKE)
        summary = int(_summaries(digits[early][:, np.newaxis], slots[early, layout.REQUIRED])[0])
        words[base + layout.BITS] &= ~(0xFFFF << layout.SUMMARY)
        words[base + layout.BITS] |= summary << layout.SUMMARY

    def _late(
        self, touched: dict[int, tuple[int, NDArray[np.uint8]]], written: Written, programs: Programs, state: State
    ) -> Settlements:
        """Return the flags of earlier rows; those that the kernel settled with this batch are changed in place."""
        if not touched:
            return Settlements.none()
        settled = {int(ident): n for n, ident in enumerate(written.settled_id[: int(written.settled[0])])}
        ids, qualities, texts = [], [], []
        for ident, (datastream, digits) in sorted(touched.items()):
            program = int(state.streams[state.row(datastream), layout.PROGRAM])
            start = int(programs.programs[program, layout.START])
            required = programs.slots[start : start + len(digits), layout.REQUIRED]
            summary = _summaries(digits[:, np.newaxis], required)
            quality = int(roll_up_all(summary, int(programs.programs[program, layout.RULE]))[0])
            span = 0 if summary[0] == ALL_PASSED else len(digits)
            if ident in settled:
                n = settled[ident]
                written.settled_flags[n, : len(digits)] = digits
                written.settled_quality[n], written.settled_spans[n] = quality, span
                continue
            ids.append(ident)
            qualities.append(quality)
            texts.append(strings(np.ascontiguousarray(digits[:, np.newaxis]), np.array([span], np.uint8)))
        if not ids:
            return Settlements.none()
        return Settlements(np.array(ids), np.array(qualities, np.int8), pa.concat_arrays(texts))


def _seen(datastream: int, rows: Rows, written: Written, known: dict[int, Seen]) -> Seen:
    if datastream not in known:
        if rows.datastream.size == 1:
            mine = np.full(rows.time.size, rows.datastream[0] == datastream)
        else:
            mine = rows.datastream == datastream
        row = np.flatnonzero(mine & (written.entered & _JUDGED == _JUDGED))
        known[datastream] = Seen(
            row,
            rows.time[row],
            rows.result[row],
            rows.id[row] if rows.id.size else row,
            written.entered[row] & layout.LINKED != 0,
        )
    return known[datastream]


def _summaries(flags: NDArray[np.uint8], required: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the summary of each column of flags."""
    bits = np.left_shift(1, flags.astype(np.int64))
    held = ((flags == NOT_EVALUATED) | (flags == MISSING)) & (required[:, np.newaxis] != 0)
    summary: NDArray[np.int64] = np.bitwise_or.reduce(bits | np.where(held, HELD, 0), axis=0)
    return summary
