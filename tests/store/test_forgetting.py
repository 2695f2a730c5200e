"""Revisions that are kept for a time only: what had ended before is gone for good, and is not asked for by mistake."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nilometer.errors import RequestError
from nilometer.store import Store
from nilometer.store.restore import restore_backup
from nilometer.store.review_ledger import ReviewStep
from tests.store.waters import SECOND, START, Clock, Water

DAY_S = 86_400


@pytest.fixture
def clock():
    return Clock(step_s=2)


@pytest.fixture
def water(folder, clock):
    """Two Datastreams with a revision of long ago and one of today."""
    made = Water(Store.open(folder, now=clock))
    for one in made.ids[:2]:
        made.send(one, np.arange(10), np.arange(10.0))
    made.store.seal()
    for one in made.ids[:2]:
        made.send(one, [3], [33.0])
    made.store.delete(made.ids[:1], START + 5 * SECOND, START + 7 * SECOND)
    clock.now += 100 * DAY_S * SECOND
    for one in made.ids[:2]:
        made.send(one, [4], [44.0])
    made.store.compact()
    yield made
    made.store.close()


def former(store):
    frame = pl.scan_delta(store._revisions.place.uri).select("datastream", "result").collect()
    return sorted(frame.rows())


def test_nothing_is_forgotten_unless_it_is_said(water):
    assert former(water.store) == [(1, 3.0), (1, 4.0), (1, 5.0), (1, 6.0), (2, 3.0), (2, 4.0)]
    assert water.store.compact().forgotten == 0


def test_what_ended_before_is_gone_and_moments_before_it_are_refused(water, folder, clock, tmp_path):
    store = water.store
    early, late = START + 5 * SECOND, clock.now - 60 * DAY_S * SECOND
    before = store.snapshot().read(), store.snapshot(late).read()
    store.forgetting.revisions_s = 50.0 * DAY_S
    assert store.compact().forgotten == 4
    assert former(store) == [(1, 4.0), (2, 4.0)]
    store.backup(tmp_path / "backup")
    store.close()
    restore_backup(tmp_path / "backup", tmp_path / "again")
    for place in (folder, tmp_path / "again"):
        store = water.store = Store.open(place, now=clock)
        assert store.snapshot().read().equals(before[0])
        assert store.snapshot(late).read().equals(before[1])
        for ask in (lambda store=store: store.snapshot(early), lambda store=store: store.snapshot().at(early)):
            with pytest.raises(RequestError, match=r"as_of: what was known before 2025-12-31T20:.*Z was forgotten"):
                ask()
        assert store.compact().forgotten == 0
        store.close()
    water.store = Store.open(folder, now=clock)


def test_what_a_review_speaks_of_is_spared(water):
    store = water.store
    step = ReviewStep(
        action="offset",
        scope={"datastreams": [1]},
        start=START,
        end=START + SECOND,
        parameters={},
        actor="Li",
        reason="x",
    )
    store.catalog.reviews.enter([step])
    store.forgetting.revisions_s = 50.0 * DAY_S
    assert store.compact().forgotten == 1
    assert former(store) == [(1, 3.0), (1, 4.0), (1, 5.0), (1, 6.0), (2, 4.0)]
