"""Two threads, one order: whatever refuses, fails or waits, what was acknowledged is stored as if it had come alone."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nilometer.errors import NilometerError, StoreError, StoreFull
from nilometer.pipeline import patience, pump, writing
from nilometer.pipeline.delivery import Delivery
from nilometer.pipeline.review_orders import Order
from tests.pipeline.conftest import MINUTE, NOON, rows, running, stored
from tests.pipeline.test_ingest import CONFIG, recorded

FIRST = 40
REVIEW = Order(
    action="flag",
    datastreams=["river/ph"],
    start=NOON,
    end=NOON + 100_000 * MINUTE,
    parameters={"flag": "suspect"},
    by="A",
    reason="drift",
)

# What a call of a stage does before it does its work; the last of a list is what all others do.
FAULT = st.sampled_from(["", "", "", "refuse", "full", "fault"])
WRITING = st.sampled_from(["", "behind", "behind", "refuse", "full", "fault"])


@dataclass
class Plan:
    """What goes wrong where."""

    cuts: list[int]
    again: list[int]
    calls: list[int]
    prepare: list[str]
    admit: list[str]
    finish: list[str]
    commit: list[str]
    joined: bool
    few: int
    reviewed: bool
    stuck: bool


def script(faults, most):
    return st.lists(faults, max_size=most).map(lambda some: [*some, ""])


PLAN = st.builds(
    Plan,
    cuts=st.lists(st.integers(1, 30), min_size=2, max_size=9),
    again=st.lists(st.integers(0, 8), max_size=3),
    calls=st.lists(st.integers(0, 8), max_size=2),
    prepare=script(FAULT, 6),
    admit=script(st.sampled_from(["", "", "full", "fault"]), 6),
    finish=script(st.sampled_from(["", "", "", "fault"]), 6),
    commit=script(WRITING, 12),
    joined=st.booleans(),
    few=st.sampled_from([0, 12, 1 << 20]),
    reviewed=st.booleans(),
    stuck=st.booleans(),
)


@dataclass
class Bench:
    """A pipeline whose stages fail by a plan, and what its senders were told."""

    pipeline: object
    plan: Plan
    told: list = field(default_factory=list)
    flying: list = field(default_factory=list)
    turn: threading.Condition = field(default_factory=threading.Condition)
    judged: int = 0

    def __post_init__(self):
        # The stages are the real ones; a disk that fails at a chosen call cannot be had, so the fault is put before it.
        engine, writer = self.pipeline._pump, self.pipeline._pump._writer
        plan = self.plan
        engine._admit = self._failing(engine._admit, plan.admit)
        engine._finish = self._counted(self._failing(engine._finish, plan.finish))
        writer._commit = self._failing(writer._commit, plan.commit)

    def _failing(self, stage, faults):
        def act(*given):
            fault = faults.pop(0) if len(faults) > 1 else faults[0]
            if fault == "behind":
                # Let the next batch be judged first, where there is one: no matter if not.
                with self.turn:
                    judged = self.judged
                    self.turn.wait_for(lambda: self.judged > judged, 0.02)
            if fault == "full":
                raise StoreFull("the disk is full")
            if fault == "refuse":
                raise StoreError("input/output error")
            if fault == "fault":
                raise RuntimeError("a fault of ours")
            return stage(*given)

        return act

    def _counted(self, stage):
        def act(*given):
            done = stage(*given)
            with self.turn:
                self.judged += 1
                self.turn.notify_all()
            return done

        return act

    def send(self, number, batch):
        def done(outcome):
            with self.turn:
                self.told.append((number, outcome))
                self.turn.notify_all()

        own = batch.take(slice(0, len(batch)))
        self.pipeline._pump.deliver(Delivery(len(own), self._failing(lambda: own, self.plan.prepare), done), wait=True)

    def look(self):
        """Note what is under way; called by the pump."""
        self.flying.append(len(self.pipeline.store._gate._flying))

    def wait(self, count):
        with self.turn:
            assert self.turn.wait_for(lambda: len(self.told) >= count, 30), self.told


def parts_of(plan):
    batch = recorded([1, 2, 3, 4], FIRST + sum(plan.cuts), seed=11)
    edges = np.cumsum([0, FIRST, *plan.cuts]).tolist()
    return [batch.take(slice(a, b)) for a, b in itertools.pairwise(edges)]


async def first(pipeline, part, *, reviewed):
    await pipeline.ingest(part.take(slice(0, len(part))))
    if reviewed:
        await pipeline.review(REVIEW)


async def run(plan, folder, *, seals):
    """Send all, twice what is told to be; then, when nothing fails any more, what was refused."""
    parts = parts_of(plan)
    config = {**CONFIG, "store": {"seal_every_s": 0.01 if seals else 3600.0}}
    async with running(folder / "tried", config) as pipeline:
        await first(pipeline, parts[0], reviewed=plan.reviewed)
        bench = Bench(pipeline, plan)
        order = []
        for number in range(1, len(parts)):
            order += [number] * (1 + (number in plan.again))
        for place, number in enumerate(order):
            bench.send(number, parts[number])
            if place in plan.calls:
                pipeline._pump.call(bench.look)
        await asyncio.to_thread(bench.wait, len(order))
        if plan.stuck:
            # A disk that stays full until the end: given up, and gone without a trace.
            for faults, last in ((plan.prepare, ""), (plan.admit, ""), (plan.finish, ""), (plan.commit, "full")):
                faults[:] = [last]
            for number in (len(parts), len(parts) + 1):
                bench.send(number, rows(1, NOON + (10_000 + number) * MINUTE, [7.0, 7.2]))
            await pipeline.close()
            assert all(isinstance(outcome, StoreFull) for _, outcome in bench.told[len(order) :])
            del bench.told[len(order) :]
    assert not any(bench.flying), "a call found rows under way"
    async with running(folder / "tried", config) as pipeline:
        lost = {number for number, outcome in bench.told if isinstance(outcome, NilometerError)}
        stays = {number for number, outcome in bench.told if not isinstance(outcome, NilometerError)}
        kept = [(number, outcome) for number, outcome in bench.told if not isinstance(outcome, NilometerError)]
        for number in sorted(lost - stays):
            part = parts[number]
            kept.append((number, await pipeline.ingest(part.take(slice(0, len(part))))))
        table = stored(pipeline)
    there = set(table["id"].to_pylist())
    assert len(there) == table.num_rows
    for _, outcome in kept:
        assert set(outcome.id.tolist()) <= there, "acknowledged, and not stored"
    async with running(folder / "alone", {**CONFIG, "store": {"seal_every_s": 3600.0}}) as pipeline:
        await first(pipeline, parts[0], reviewed=plan.reviewed)
        for number, outcome in kept:
            alone = await pipeline.ingest(parts[number].take(slice(0, len(parts[number]))))
            # Each is told what it would be told if it came alone.
            assert (alone.accepted, alone.unchanged, alone.revised, alone.rejected) == (
                outcome.accepted,
                outcome.unchanged,
                outcome.revised,
                outcome.rejected,
            )
        assert stored(pipeline).drop_columns(["id"]).equals(table.drop_columns(["id"]))


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(plan=PLAN, seals=st.booleans())
def test_whatever_fails_what_is_acknowledged_is_stored_as_if_it_had_come_alone(plan, seals):
    # Shorter pauses and smaller batches than a station's: nothing else is changed.
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as folder:
        patched.setattr(patience, "RETRY_S", 0.001)
        patched.setattr(writing, "FEW_ROWS", plan.few)
        if not plan.joined:
            patched.setattr(pump, "MOST_ROWS_A_COMMIT", 1)
        asyncio.run(run(plan, Path(folder), seals=seals))
