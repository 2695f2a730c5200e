"""A delete and its reason are durable together, and stand in the audit trail once, whatever happens between."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.errors import StoreFull
from nilometer.store import Store
from nilometer.store.deletions import ACTION
from nilometer.store.ledger import Ledger
from tests.store.waters import SECOND, START, Water


def trail(water):
    return [(row.actor, row.subject, row.detail.get("reason")) for row in water.store.catalog.ledger.audit(ACTION)]


def refuse(*_):
    raise StoreFull("no space")


def test_a_row_that_the_catalog_refused_is_written_by_the_next_start(folder, monkeypatch):
    water = Water(Store.open(folder))
    water.send(water.ids[0], range(10), range(10))
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "add_audit", refuse)  # a full disk, after the journal took the delete
        sequence = water.store.delete(water.ids[:1], START, START + SECOND, about={"by": "Li", "reason": "spike"})
        assert water.store.snapshot().count() == 9
        assert trail(water) == []
        water.store.close()
    for _ in range(2):
        water.store = Store.open(folder)
        assert trail(water) == [("Li", f"commit/{sequence}", "spike")]
        water.store.close()


def test_a_record_does_not_leave_the_journal_before_its_row_is_written(folder, monkeypatch):
    water = Water(Store.open(folder))
    water.send(water.ids[0], range(10), range(10))
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "add_audit", refuse)
        sequence = water.store.delete(water.ids[:1], START, START + SECOND, about={"by": "Li"})
        water.store.save_state("qc", water.store.sequence(), b"")
        with pytest.raises(StoreFull):
            water.store.seal()
    assert water.store.snapshot().count() == 9
    water.store.close()
    water.store = Store.open(folder)
    assert trail(water) == [("Li", f"commit/{sequence}", None)]
    water.store.save_state("qc", water.store.sequence(), b"")
    water.send(water.ids[0], 20, 20)
    water.store.seal()
    water.store.close()
    water.store = Store.open(folder)
    assert trail(water) == [("Li", f"commit/{sequence}", None)]
    assert water.store.snapshot().count() == 10
    water.store.close()


def test_a_delete_without_a_reason_is_in_the_trail_too(water):
    water.send(water.ids[0], 0, 1)
    sequence = water.store.delete(water.ids[:1], None, None)
    assert trail(water) == [("", f"commit/{sequence}", None)]


@pytest.mark.parametrize("sealed", [False, True])
def test_single_rows_go_and_others_of_their_time_stay_after_a_seal_a_compaction_and_a_restart(folder, sealed):
    water = Water(Store.open(folder))
    mine = water.ids[0]
    water.send(mine, [0, 1, 1, 2], [0, 10, 11, 20], always_new=np.ones(4, bool))
    if sealed:
        water.store.seal()
    kept = water.store.snapshot().committed(water.store.mark())
    first = water.store.snapshot().read([mine], columns=["id", "result"])
    gone = first["id"].to_numpy()[1]
    water.store.delete([mine], START + SECOND, START + 2 * SECOND, ids=np.array([gone]))

    def shown(as_of=None):
        return water.store.snapshot(as_of).read([mine], columns=["result"])["result"].to_pylist()

    for _ in range(2):
        assert shown() == [0, 11, 20]
        assert water.store.snapshot().count([mine]) == 3
        assert shown(kept) == [0, 10, 11, 20]
        water.store.save_state("qc", water.store.sequence(), b"")
        water.store.seal()
        water.store.compact()
        water.store.close()
        water.store = Store.open(folder)
    assert shown() == [0, 11, 20]
    assert shown(kept) == [0, 10, 11, 20]
    water.store.close()
