"""Files of the lake exchanged for such with other values: killed at each step of the exchange, refused, overtaken."""

from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest

from nilometer.errors import StoreFull
from nilometer.model.schemas import OBSERVATION
from nilometer.store import Store
from tests.store.doomed import Doomed, die
from tests.store.fault_writer import ROUND, Actor, Oracle, changed
from tests.store.test_faults import audit, first_round, run
from tests.store.waters import Clock, Water

__all__ = ["first_round"]

REWRITE = len(ROUND) + ROUND.index("rewrite")
SEAL = ("seal.planned", "seal.revisions", "seal.observations", "seal.swapped")


def rewrite_and_die(say, folder, k, point):
    """Do event k, a rewrite, and die at a point of the seal that exchanges the file."""
    oracle, actor = Oracle(), Actor(folder, k, None)
    for event in range(k):
        oracle.event(event)
    begun = []

    def on_step(name):
        begun.extend([name] if name == "rewrite.begun" else [])
        if begun and name == point:
            die()

    actor.water.store.on_step = on_step
    actor.event(k, oracle.there())
    say(k)


@pytest.mark.slow
@pytest.mark.parametrize("point", SEAL)
def test_killed_within_the_exchange_all_of_it_is_there_or_nothing(tmp_path, first_round, point):
    folder = tmp_path / "place" / "data"
    shutil.copytree(first_round, folder.parent)
    assert run(folder, len(ROUND) + 1, REWRITE) == (0, REWRITE - 1)
    status, said = Doomed(rewrite_and_die, folder, REWRITE, point).end()
    assert (status, said) == (-signal.SIGKILL, [])
    done = audit(folder, REWRITE - 1)
    assert done == REWRITE - (point in SEAL[:2])
    assert run(folder, done + 1, REWRITE + 3) == (0, REWRITE + 2)
    assert audit(folder, REWRITE + 2) == REWRITE + 2


@pytest.fixture
def sealed(tmp_path):
    clock = Clock(5)
    store = Store.open(tmp_path, now=clock)
    water = Water(store, datastreams=2)
    water.send(1, range(100), 1.0)
    water.send(2, range(100), 2.0)
    store.seal()
    store.compact()
    yield water
    store.close()


def written(store, seen, ahead):
    (file,) = seen.files
    groups = np.arange(len(file.blocks.rows))
    table = file.read(groups, OBSERVATION.names)
    some = np.flatnonzero(table["datastream"].to_numpy() == 1)
    sequence = store.rewriting.reserve(ahead)
    writer = store.rewriting.rewrite(file, sequence)
    writer.change(groups, table, some, changed(table, dict.fromkeys(table["id"].to_pylist(), 9.0)))
    return writer.close(), sequence


def test_readers_see_a_new_file_at_once_and_the_past_as_it_was(sealed):
    store, values = sealed.store, sealed.values
    with store.rewriting.alone():
        seen = store.rewriting.lying()
        then = store.snapshot().committed(store.mark())
        before = store.snapshot()
        assert store.snapshot().latest([1])["result"].to_pylist() == [1.0]
        done, sequence = written(store, seen, ahead=4)
        assert store.rewriting.exchange(done, sequence, seen)
    assert store.sequence() == store.snapshot().sequence == sequence
    assert values(1) == [9.0] * 99 + [1.0]  # the newest is hot
    assert values(2) == [2.0] * 100
    assert before.read([1])["result"].to_pylist() == [1.0] * 100
    assert values(1, as_of=then) == [1.0] * 100
    shown = store.snapshot().committed(sequence)
    assert values(1, as_of=shown) == values(1)
    assert values(1, as_of=shown - 1) == [1.0] * 100
    # Whoever follows the commits finds them behind what it had seen.
    assert len(store.snapshot().changes(sequence - 1, 0, most=1000)) == 99


def test_a_file_of_which_a_row_was_changed_or_deleted_meanwhile_is_not_exchanged(sealed):
    store = sealed.store
    for disturb in (
        lambda: sealed.send(1, [50], 5.0),
        lambda: store.delete([2], None, None),
        lambda: [store.mark() for _ in range(9)],
    ):
        with store.rewriting.alone():
            seen = store.rewriting.lying()
            if len(seen.files) > 1:
                store.compact()
                seen = store.rewriting.lying()
            done, sequence = written(store, seen, ahead=4)
            disturb()
            before, files = sealed.values(1), store.snapshot().files
            assert not store.rewriting.exchange(done, sequence, seen)
            assert sealed.values(1) == before
            assert not {file.path for file in done.new} & {file.path for file in store.snapshot().files}
            assert len(store.snapshot().files) >= len(files)
            assert not {file.path for file in done.new} & set(done.old.place.files())


def test_an_exchange_that_the_disk_refuses_leaves_an_empty_commit(sealed, monkeypatch):
    store = sealed.store
    observations = store._observations
    with store.rewriting.alone():
        seen = store.rewriting.lying()
        done, sequence = written(store, seen, ahead=2)
        monkeypatch.setattr(type(observations), "commit", lambda *_, **__: (_ for _ in ()).throw(StoreFull("full")))
        with pytest.raises(StoreFull):
            store.rewriting.exchange(done, sequence, seen)
        monkeypatch.undo()
    assert store.sequence() == store.snapshot().sequence == sequence
    assert sealed.values(1) == [1.0] * 100
    sealed.send(1, [100], 3.0)
    store.seal()
    assert sealed.values(1) == [1.0] * 100 + [3.0]
