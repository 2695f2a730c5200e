"""Power cut at every operation on the disk: every acknowledged record is there once, and nothing that was not sent.

A script of writes, seals, restarts and refused calls runs over a disk in memory. Before each operation that changes the
disk, several of the states that a cut may leave are taken, opened as after a restart, and audited against what had been
acknowledged by then; then one record more is written to each, and the power is cut again.
"""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from nilometer.errors import StoreError
from nilometer.store.journal import Journal
from tests.store.cut_disk import CutDisk

FOLDER = Path("/data/journal")
SEEDS = int(os.environ.get("NILOMETER_CUTS", "2"))
SMALL = {"least": 4 * 4096, "most": 16 * 4096}


class Script:
    """The journal under test, and what must be true of it."""

    def __init__(self, disk, seed, *, states):
        self.disk, self.chance, self.states = disk, random.Random(seed), states
        self.acknowledged: dict[int, tuple[int, bytes]] = {}
        self.under_way: list[tuple[int, bytes]] = []
        self.sealed = self.dropped = 0
        self.plans = {}
        self.failing = 0.0
        self.audits = self.refusals = 0
        self.now = 0
        self.is_open = False
        disk.fault = self.before
        self.journal = self.open(disk)

    def open(self, disk):
        journal = Journal(FOLDER, disk=disk, start=lambda action: action(), **SMALL)
        journal.open(sealed=self.sealed)
        return journal

    def before(self, name, path):
        for left in self.disk.states(self.chance, self.states):
            self.audit(left)
        if self.chance.random() < self.failing:
            raise OSError(self.chance.choice([errno.EIO, errno.ENOSPC]), f"refused {name}", str(path))

    def audit(self, left):
        self.audits += 1
        found, read = self.check(left)
        # What was shown is true from now on, whatever happens next.
        (number, time), body = found.write(1, b"one more", 0, rows=1), b"one more"
        assert number == max(read, default=found.first - 1) + 1
        assert time > max((time for time, _ in read.values()), default=0)
        read[number] = (time, body)
        again = self.open(left.after(lambda _: False, lambda _: False, lambda _: None))
        assert self.records(again) == read
        assert again.damage == []

    def check(self, left):
        found = self.open(left)
        assert found.damage == []
        read = self.records(found)
        last = max(self.acknowledged, default=0)
        assert found.sequence in {last, last + bool(self.under_way)}
        assert found.first <= self.dropped + 1
        assert list(read) == list(range(found.first, found.sequence + 1))
        for number, record in read.items():
            assert record == self.acknowledged[number] if number <= last else record in self.under_way
        if self.sealed:
            assert found.planned(self.sealed) == self.plans[self.sealed]
        return found, read

    def records(self, journal):
        return {record.sequence: (record.time, record.body) for record in journal.records(0)}

    def write(self):
        length = self.chance.choice([0, 10, 4032, 4033, 9000, 9000, 60_000 if self.chance.random() < 0.2 else 100])
        body = self.chance.randbytes(length)
        self.now += self.chance.randrange(-2, 5)
        time = max(self.now, self.journal.time + 1)
        self.under_way.append((time, body))
        try:
            number, written = self.journal.write(self.chance.randrange(2), body, self.now)
        except StoreError:
            self.refusals += 1
            return
        assert written == time
        assert number == max(self.acknowledged, default=0) + 1
        self.acknowledged[number] = (time, body)
        self.under_way = []

    def seal(self):
        through = self.journal.sequence
        if through <= self.sealed:
            return
        self.plans[through] = self.chance.randbytes(self.chance.randrange(6000))
        try:
            self.journal.plan(through, self.plans[through])
            self.sealed = through
            if self.chance.random() < 0.9:
                self.write()
            self.dropped = max(self.dropped, through - self.chance.randrange(4))
            self.journal.drop(self.dropped, planned=through)
        except StoreError:
            self.refusals += 1

    def restart(self):
        """The process is killed: what it wrote is seen, and a record under way may have become one that is there."""
        self.disk = self.disk.killed()
        self.disk.fault = self.before
        failing, self.failing = self.failing, 0.0
        self.journal, read = self.check(self.disk)
        self.failing = failing
        self.acknowledged |= {number: read[number] for number in read if number > max(self.acknowledged, default=0)}
        self.under_way = []


def run(disk, seed, steps, *, states=2, failing=0.0):
    script = Script(disk, seed, states=states)
    for step in range(steps):
        script.failing = failing if step > 3 else 0.0
        chosen = script.chance.random()
        if chosen < 0.8:
            script.write()
        elif chosen < 0.93:
            script.seal()
        else:
            script.restart()
    script.failing = 0.0
    script.restart()
    return script


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged(seed):
    script = run(CutDisk(), seed, 55)
    assert script.audits > 1000
    assert script.dropped > 10
    assert script.refusals == 0


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_failing_disk_and_then_a_power_cut_lose_nothing_either(seed):
    script = run(CutDisk(), 100 + seed, 70, failing=0.06)
    assert script.refusals > 3
    assert script.audits > 1000


class Careless(CutDisk):
    """Leaves out one kind of sync."""

    def __init__(self, left_out):
        super().__init__()
        self.left_out = left_out

    def sync(self, file):
        if self.left_out != "file":
            super().sync(file)

    def sync_folder(self, path):
        if self.left_out != "folder":
            super().sync_folder(path)


@pytest.mark.parametrize("left_out", ["file", "folder"])
def test_the_audit_finds_a_journal_that_does_not_sync(left_out):
    with pytest.raises((AssertionError, StoreError, KeyError)):
        run(Careless(left_out), 0, 70)
