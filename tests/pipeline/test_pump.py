"""The pump alone: what a fault in one place does to the others, and when it is full."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from nilometer.errors import ConfigError, NilometerError, Overloaded, StoreError, StoreFull
from nilometer.model import Datastream, ObservationBatch, ObservedProperty, QartodFlag, Sensor, Settlements, Thing
from nilometer.pipeline import pump, writing
from nilometer.pipeline.delivery import Delivery, IngestOutcome
from nilometer.pipeline.pump import MOST_QUEUED_ROWS, Pump
from nilometer.store import Store
from tests.pipeline.conftest import MINUTE, NOON, rows


class Line:
    """A pump over a real store; `finish` may be made to fail, and nothing else is pretended."""

    def __init__(self, folder):
        self.store = Store.open(folder)
        catalog = self.store.catalog
        if not catalog.things():
            catalog.add_thing(Thing(key="weir", name="Weir"))
            catalog.add_sensor(Sensor(key="probe", name="Probe"))
            catalog.add_observed_property(ObservedProperty(key="ph", name="pH", definition=""))
            catalog.add_datastream(Datastream(key="weir/ph", name="pH", thing=1, sensor=1, observed_property=1))
        self.published: list[int] = []
        self.abandoned: list[int] = []
        self.fail: Exception | None = None
        self.commit_failures: list[Exception] = []
        self.before_finish = self.before_commit = lambda: None
        self.held = threading.Event()
        self.outcomes: list[IngestOutcome | NilometerError] = []
        self._told = threading.Condition()
        self.pump = Pump(
            admit=self.store.admit,
            finish=self._finish,
            commit=self._commit,
            publish=lambda batch, _settled, _sequence: self.published.append(len(batch)),
            abandon=self._abandon,
            between=lambda: None,
            held=self.held.set,
        )

    def _finish(self, batch: ObservationBatch) -> Settlements:
        self.before_finish()
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        batch.result = batch.raw_result.copy()
        batch.result_quality = np.full(len(batch), QartodFlag.PASS, np.int8)
        return Settlements.none()

    def _commit(self, batch: ObservationBatch, settled: Settlements, admitted: Sequence[ObservationBatch]) -> int:
        self.before_commit()
        # A disk that fails in another way than by being full cannot be had here: the error is counted in.
        if self.commit_failures:
            raise self.commit_failures.pop(0)
        return self.store.commit(batch, settled, admitted)

    def _abandon(self, lost: list[ObservationBatch]) -> None:
        for batch in lost:
            self.abandoned.append(len(batch))
            self.store.abandon(batch)

    def send(self, batch: ObservationBatch) -> None:
        self.pump.deliver(Delivery(len(batch), lambda: batch, self.told))

    def told(self, outcome):
        with self._told:
            self.outcomes.append(outcome)
            self._told.notify_all()

    def wait(self, count):
        with self._told:
            assert self._told.wait_for(lambda: len(self.outcomes) >= count, 20), self.outcomes
        return self.outcomes


@pytest.fixture
def line(tmp_path):
    made = Line(tmp_path)
    yield made
    made.pump.stop()
    made.store.close()


def test_deliveries_that_wait_share_a_commit_and_each_is_told_its_own(line):
    for at in range(3):
        batch = rows(1, NOON + at * MINUTE, [7.0, 7.1], step=MINUTE // 2)
        batch.datastream[at % 2] = 9
        line.send(batch)
    line.pump.start(lambda: None)
    outcomes = line.wait(3)
    assert line.store.sequence() == 1
    assert [(one.accepted, one.rejected) for one in outcomes] == [(1, 1)] * 3
    assert [one.errors[0][0] for one in outcomes] == [0, 1, 0]
    assert [len(one.id) for one in outcomes] == [2, 2, 2]


def test_only_the_first_hundred_reasons_are_told(line):
    line.send(rows(5, NOON, np.zeros(300)))
    line.pump.start(lambda: None)
    (outcome,) = line.wait(1)
    assert (outcome.rejected, len(outcome.errors), outcome.errors[-1][0]) == (300, 100, 99)


def test_a_delivery_that_cannot_be_prepared_does_not_take_the_others_along(line):
    def broken():
        raise ConfigError("channel", seen="x")

    line.pump.deliver(Delivery(3, broken, line.told))
    line.pump.deliver(Delivery(3, lambda: 1 / 0, line.told))
    line.send(rows(1, NOON, [7.0]))
    line.pump.start(lambda: None)
    wrong, worse, right = line.wait(3)
    assert isinstance(wrong, ConfigError)
    assert isinstance(worse, StoreError)
    assert "ZeroDivisionError" in str(worse)
    assert right.accepted == 1


def test_rows_that_could_not_be_judged_are_new_when_they_come_again(line):
    line.fail = RuntimeError("a fault of ours")
    line.pump.start(lambda: None)
    line.send(rows(1, NOON, [7.0, 7.1]))
    line.wait(1)
    line.send(rows(1, NOON, [7.0, 7.1]))
    failed, again = line.wait(2)
    assert "a fault of ours" in str(failed)
    assert (again.accepted, again.unchanged) == (2, 0)
    assert line.abandoned == [2]
    assert line.store.snapshot().count() == 2


def test_an_acknowledgement_that_fails_is_not_the_others_concern(line):
    def fails(_outcome):
        raise RuntimeError("the peer has gone")

    batch = rows(1, NOON, [7.0])
    line.pump.deliver(Delivery(1, lambda: batch, fails))
    line.send(rows(1, NOON + MINUTE, [7.1]))
    line.pump.start(lambda: None)
    (outcome,) = line.wait(1)
    assert outcome.accepted == 1
    line.send(rows(1, NOON + 2 * MINUTE, [7.2]))
    assert line.wait(2)[1].accepted == 1
    assert line.published[0] == 2


def test_whatever_the_journal_says_the_rows_are_held_until_it_takes_them(line):
    line.commit_failures = [StoreError("input/output error"), Overloaded("too many hot rows")]
    line.pump.start(lambda: None)
    line.send(rows(1, NOON, [7.0]))
    assert line.held.wait(20), "nobody was asked to make room"
    with pytest.raises(StoreFull, match="input/output error"):
        line.send(rows(1, NOON, [7.0]))
    assert line.wait(1)[0].accepted == 1
    assert line.pump.refusing is None
    assert line.abandoned == []
    assert line.store.snapshot().count() == 1


def test_a_batch_is_judged_while_the_one_before_is_written(line, monkeypatch):
    monkeypatch.setattr(writing, "FEW_ROWS", 0)
    monkeypatch.setattr(pump, "MOST_ROWS_A_COMMIT", 1)
    judged = threading.Semaphore(0)
    line.before_finish = judged.release

    def wait_for_two():
        line.before_commit = lambda: None
        assert judged.acquire(timeout=20)
        assert judged.acquire(timeout=20), "the second batch waited for the first"

    line.before_commit = wait_for_two
    for at in range(3):
        line.send(rows(1, NOON + at * MINUTE, [7.0]))
    line.pump.start(lambda: None)
    assert [outcome.accepted for outcome in line.wait(3)] == [1, 1, 1]
    assert line.store.sequence() == 3


def test_few_rows_are_written_by_the_thread_that_judged_them(line):
    names = []
    line.before_finish = line.before_commit = lambda: names.append(threading.current_thread().name)
    line.pump.start(lambda: None)
    line.send(rows(1, NOON, [7.0]))
    line.wait(1)
    assert names == ["nilometer-pump"] * 2


def test_rows_that_repeat_what_is_not_written_yet_are_acknowledged_after_it(line, monkeypatch):
    monkeypatch.setattr(writing, "FEW_ROWS", 0)
    monkeypatch.setattr(pump, "MOST_ROWS_A_COMMIT", 1)
    admitted, is_held = threading.Semaphore(0), []

    def admit(batch):
        admission = line.store.admit(batch)
        admitted.release()
        return admission

    def wait_for_the_repetition():
        assert admitted.acquire(timeout=20)
        assert admitted.acquire(timeout=20)
        is_held.append(not line.outcomes)

    line.pump._admit = admit
    line.before_commit = wait_for_the_repetition
    line.send(rows(1, NOON, [7.0]))
    line.send(rows(1, NOON, [7.0]))
    line.pump.start(lambda: None)
    first, second = line.wait(2)
    assert (first.accepted, second.unchanged) == (1, 1)
    assert is_held == [True]


def test_what_waits_behind_a_batch_that_cannot_be_written_is_given_up_with_it(line, monkeypatch):
    monkeypatch.setattr(writing, "FEW_ROWS", 0)
    monkeypatch.setattr(pump, "MOST_ROWS_A_COMMIT", 1)
    judged = threading.Semaphore(0)
    line.before_finish = judged.release

    def fail():
        line.before_commit = lambda: None
        assert judged.acquire(timeout=20)
        assert judged.acquire(timeout=20)
        raise RuntimeError("a fault of ours")

    line.before_commit = fail
    for at in range(2):
        line.send(rows(1, NOON + at * MINUTE, [7.0 + at]))
    line.pump.start(lambda: None)
    assert ["a fault of ours" in str(outcome) for outcome in line.wait(2)] == [True, True]
    assert line.abandoned == [1, 1]
    for at in range(2):
        line.send(rows(1, NOON + at * MINUTE, [7.0 + at]))
    assert [outcome.accepted for outcome in line.wait(4)[2:]] == [1, 1]
    assert line.store.snapshot().count() == 2


def test_a_call_finds_no_row_under_way(line, monkeypatch):
    monkeypatch.setattr(writing, "FEW_ROWS", 0)
    monkeypatch.setattr(pump, "MOST_ROWS_A_COMMIT", 1)
    seen = []

    def call():
        # Called while a batch is written: it has to wait for it.
        line.before_commit = lambda: None
        line.pump.call(lambda: seen.append((line.store.sequence(), len(line.outcomes))))

    line.before_commit = call
    line.send(rows(1, NOON, [7.0]))
    line.pump.start(lambda: None)
    line.wait(1)
    line.pump.stop()
    assert seen == [(1, 1)]


def test_a_call_that_fails_does_not_end_the_pump(line):
    line.pump.start(lambda: None)
    line.pump.call(lambda: 1 / 0)
    line.send(rows(1, NOON, [7.0]))
    assert line.wait(1)[0].accepted == 1


def test_a_full_queue_refuses_who_will_not_wait_and_takes_who_will(line):
    def unknown(count):
        return lambda: rows(9, NOON, np.zeros(count))

    assert line.pump.has_room(MOST_QUEUED_ROWS + 1), "an empty queue takes any number"
    line.pump.deliver(Delivery(MOST_QUEUED_ROWS, unknown(1), line.told))
    assert not line.pump.has_room(1)
    with pytest.raises(Overloaded, match="wait to be made durable"):
        line.send(rows(1, NOON, [7.0]))
    line.pump.deliver(Delivery(1, unknown(1), line.told), wait=True)
    assert line.pump.queued == MOST_QUEUED_ROWS + 1
    line.pump.start(lambda: None)
    line.wait(2)


def test_what_is_queued_is_finished_before_the_end_and_nothing_is_taken_after(line):
    line.send(rows(1, NOON, [7.0]))
    line.pump.start(lambda: None)
    line.pump.stop()
    assert line.outcomes[0].accepted == 1
    with pytest.raises(StoreError, match="stopping"):
        line.send(rows(1, NOON, [7.0]))
    with pytest.raises(StoreError, match="ended"):
        line.pump.call(lambda: None)
