"""A lake that is ahead of what a damaged journal still has: nothing of it is counted twice or forgotten."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.store import Store
from tests.store.waters import Water


class Crash(BaseException):
    """A process that ends."""


def test_ids_go_on_behind_those_of_the_lake(folder):
    water = Water(Store.open(folder))
    one = water.ids[0]
    water.store.save_state("qc", 0, b"")  # the records stay in the journal
    water.send(one, np.arange(10), 1.0)
    water.store.seal()

    def crash(name):
        if name == "seal.swapped":
            raise Crash

    water.send(one, np.arange(-10, 0), 2.0)  # late: the newest row, which stays hot, has not the greatest id
    water.store.on_step = crash
    with pytest.raises(Crash):
        water.store.seal()
    water.store.close()
    for segment in (folder / "journal").glob("segment-*"):
        segment.unlink()
    water.store = Store.open(folder)
    water.send(one, np.arange(20, 30), 3.0)
    table = water.store.snapshot().read(columns=["id", "result"])
    assert len(set(table["id"].to_pylist())) == table.num_rows == 30
    assert table["result"].to_pylist() == [2.0] * 10 + [1.0] * 10 + [3.0] * 10
    water.store.close()
