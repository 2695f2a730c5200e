"""When rows are sealed: when it is due, again while it is behind, and not again and again where it fails."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from nilometer.config import StoreConfig
from nilometer.errors import Overloaded, StoreError, StoreFull
from nilometer.model import QartodFlag, Settlements
from nilometer.pipeline import sealing
from nilometer.pipeline.sealing import Sealing
from nilometer.store import Store, store
from tests.pipeline.conftest import MINUTE, NOON, RIVER, ids, rows, running
from tests.pipeline.test_pump import Line

CONFIG = {"thing": [RIVER], "datastream": [{"key": "river/ph", "thing": "river", "property": "ph"}]}


class Bench:
    """A real store, sealed by what is tested; rows are committed by the test."""

    def __init__(self, folder):
        line = Line(folder)
        self.store: Store = line.store
        self.committed = self.kept = 0
        self.sealing = Sealing(
            self.store,
            StoreConfig(seal_rows=1000, seal_every_s=3600),
            committed=lambda: self.committed,
            keep=self.keep,
        )

    def keep(self):
        self.kept += 1

    def commit(self, count):
        batch = self.store.admit(rows(1, NOON + self.committed * MINUTE, np.full(count, 7.0))).rows
        batch.result, batch.result_quality = batch.raw_result.copy(), np.full(count, QartodFlag.PASS, np.int8)
        try:
            self.store.commit(batch, Settlements.none())
        except Overloaded:
            self.store.abandon(batch)
            raise
        self.committed += count

    def wait(self):
        """Return when the thread has ended by itself."""
        self.sealing._thread.join(20)
        assert not self.sealing._thread.is_alive()

    @property
    def sealed(self):
        return self.store.status().lake_sequence


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.sealing.end()
    made.store.close()


def test_enough_rows_are_sealed_after_the_state_was_kept(bench):
    bench.commit(999)
    bench.sealing.when_due()
    assert (bench.kept, bench.sealing._thread) == (0, None)
    bench.commit(1)
    bench.sealing.when_due()
    bench.wait()
    assert (bench.kept, bench.sealed) == (1, 2)
    bench.sealing.when_due()
    assert bench.kept == 1


def test_rows_that_came_during_a_seal_are_sealed_though_nobody_asks(bench):
    def come(step):
        if step == "seal.planned" and bench.committed < 3000:
            bench.commit(1000)

    bench.store.on_step = come
    bench.commit(1000)
    bench.sealing.when_due()
    bench.wait()
    assert bench.sealed == 3


def test_the_state_is_kept_and_another_seal_follows_when_that_is_due_during_one(bench):
    def come(step):
        if step == "seal.planned" and bench.kept == 1:
            bench.commit(600)
            bench.commit(400)
            bench.sealing.when_due()

    bench.store.on_step = come
    bench.commit(1000)
    bench.sealing.when_due()
    bench.wait()
    assert (bench.kept, bench.sealed) == (2, 3)


def test_a_seal_that_fails_is_not_tried_at_once_and_one_that_succeeded_is(bench, monkeypatch):
    attempts = []

    def fail(step):
        attempts.extend([step] if step == "seal.planned" else [])
        if attempts == [step]:
            raise StoreError("the disk is full")

    bench.store.on_step = fail
    bench.commit(10)
    bench.sealing.make_room()
    bench.wait()
    bench.sealing.make_room()
    assert (attempts, bench.sealed) == (["seal.planned"], 0)
    monkeypatch.setattr(sealing, "HELD_SEAL_S", 0.0)
    bench.sealing.make_room()
    bench.wait()
    assert bench.sealed == 1
    monkeypatch.setattr(sealing, "HELD_SEAL_S", 3600.0)
    bench.commit(10)
    bench.sealing.make_room()
    bench.wait()
    assert bench.sealed == 2


def test_rows_are_sealed_though_the_state_cannot_be_kept(bench, monkeypatch):
    def fail():
        raise StoreError("the disk is full")

    monkeypatch.setattr(bench.sealing, "_keep", fail)
    bench.commit(1000)
    with pytest.raises(StoreError):
        bench.sealing.when_due()
    bench.wait()
    assert bench.sealed == 1


def test_the_end_waits_for_the_seal_under_way_and_begins_none(bench):
    is_under_way = threading.Event()

    def hold(step):
        if step == "seal.planned":
            is_under_way.set()
            while not bench.sealing._ends:
                threading.Event().wait(0.001)
            bench.commit(1000)

    bench.store.on_step = hold
    bench.commit(1000)
    bench.sealing.when_due()
    assert is_under_way.wait(20)
    bench.sealing.end()
    assert bench.sealed == 1
    bench.sealing.make_room()
    assert not bench.sealing._thread.is_alive()


def test_a_writer_that_waits_has_rows_sealed_that_nobody_found_due(bench, monkeypatch):
    monkeypatch.setattr(store, "HOT_ROWS_MOST", 10)
    bench.store.on_full = bench.sealing.make_room
    bench.commit(20)
    bench.commit(5)
    bench.wait()
    assert bench.sealed == 1


def test_a_refused_writer_has_a_seal_tried_again_and_is_taken_once_it_succeeds(bench, monkeypatch):
    monkeypatch.setattr(store, "HOT_ROWS_MOST", 10)
    monkeypatch.setattr(store, "PATIENCE_S", 3600.0)
    monkeypatch.setattr(sealing, "HELD_SEAL_S", 0.0)
    bench.store.on_full = bench.sealing.make_room
    bench.store.on_step = lambda step: fail() if step.startswith("seal.") else None
    bench.commit(20)
    for _ in range(2):
        with pytest.raises(Overloaded, match="the last seal failed: the disk is full"):
            bench.commit(5)
        bench.wait()
    bench.store.on_step = lambda _step: None
    with pytest.raises(Overloaded):
        bench.commit(5)  # asks for the seal that makes room
    bench.wait()
    bench.commit(5)
    assert (bench.committed, bench.sealed) == (25, 1)


def fail():
    raise StoreFull("the disk is full")


async def test_a_writer_faster_than_the_lake_waits_for_it_and_is_not_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "HOT_ROWS_MOST", 3000)
    config = {**CONFIG, "store": {"seal_rows": 1000, "seal_every_s": 3600.0}}
    async with running(tmp_path, config) as pipeline:
        ph = ids(pipeline)["river/ph"]
        asked = []
        make_room = pipeline._sealing.make_room
        monkeypatch.setattr(pipeline._sealing, "make_room", lambda: asked.append(1) or make_room())
        answers = [await pipeline.queue(rows(ph, NOON + 500 * at * MINUTE, np.full(500, 7.0))) for at in range(40)]
        assert sum([(await answer).accepted for answer in answers]) == 20_000
        assert not asked
        assert pipeline.store.snapshot().count() == 20_000
