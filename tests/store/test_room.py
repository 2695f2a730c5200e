"""Memory that is full: a writer waits for a seal that may succeed, and for none that failed."""

from __future__ import annotations

import threading

import pytest

from nilometer.errors import Overloaded, StoreFull


@pytest.fixture
def full(water, monkeypatch):
    """Return a store with as many rows as memory takes; whoever waits there does so for an hour."""
    monkeypatch.setattr("nilometer.store.store.HOT_ROWS_MOST", 100)
    monkeypatch.setattr("nilometer.store.store.PATIENCE_S", 3600.0)
    water.send(water.ids[0], range(150), 1.0)
    water.store.on_full = lambda: True
    return water


def refuse(step):
    """Refuse at every step of a seal, as a full disk does."""
    if step.startswith("seal."):
        raise StoreFull("the disk is full")


def test_a_writer_is_refused_at_once_while_seals_fail_and_taken_after_one_that_succeeds(full):
    one, store = full.ids[0], full.store
    store.on_step = refuse
    for at in (200, 201):
        with pytest.raises(StoreFull):
            store.seal()
        with pytest.raises(Overloaded, match=r"150 rows wait .* \(the last seal failed: the disk is full\)"):
            full.send(one, at, 1.0)
    assert len(full.values(one)) == 150
    store.on_step = lambda _step: None
    store.seal()
    full.send(one, 202, 1.0)
    assert len(full.values(one)) == 151


def test_a_writer_that_waits_is_refused_when_the_seal_fails(full):
    store = full.store
    store.on_step = refuse
    failed = []

    def seal():
        with pytest.raises(StoreFull) as caught:
            store.seal()
        failed.append(caught.value)

    sealing = threading.Thread(target=seal)
    store.on_full = lambda: sealing.start() or True
    with pytest.raises(Overloaded, match="the last seal failed"):
        full.send(full.ids[0], 200, 1.0)
    sealing.join()
    assert failed


def test_a_seal_that_fails_once_its_rows_are_in_the_lake_refuses_nobody(full):
    one, store = full.ids[0], full.store
    store.on_step = lambda step: refuse(step) if step == "seal.index" else None
    with pytest.raises(StoreFull):
        store.seal()
    full.send(one, range(200, 350), 1.0)
    store.on_step = lambda _step: None
    sealing = threading.Thread(target=store.seal)
    store.on_full = lambda: sealing.start() or True
    full.send(one, 400, 1.0)
    sealing.join()
    assert len(full.values(one)) == 301


def test_a_seal_by_the_compactor_after_one_that_failed_ends_the_refusal(full):
    one, store = full.ids[0], full.store
    store.on_step = refuse
    with pytest.raises(StoreFull):
        store.seal()
    store.on_step = lambda _step: None
    store._seals._seal_anyway()
    full.send(one, range(200, 350), 1.0)
    sealing = threading.Thread(target=store.seal)
    store.on_full = lambda: sealing.start() or True
    full.send(one, 400, 1.0)
    sealing.join()
    assert len(full.values(one)) == 301
