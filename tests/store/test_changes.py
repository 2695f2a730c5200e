"""What was committed behind a place in the history: all of it, in order, once, wherever the rows lie by now."""

from __future__ import annotations

import numpy as np
import pytest

from tests.store.waters import SECOND, START, rows

LAST = (1 << 63) - 1


def walk(snapshot, most, commit=0, number=LAST, **narrowed):
    """Read on and on from the end of each part."""
    found = []
    while len(part := snapshot.changes(commit, number, most=most, **narrowed)):
        found += list(zip(part.commit.tolist(), part.id.tolist(), strict=True))
        commit, number = found[-1]
    return found


@pytest.mark.parametrize("most", [3, 1000])
def test_every_row_is_found_once_in_the_order_of_commits(water, rng, most):
    for at in range(12):
        seconds = rng.permutation(40)[:11]
        water.send(np.array(water.ids)[rng.integers(0, 3, 11)], seconds, rng.random(11))
        if at == 3:
            middle = water.store.sequence()
        if at in {2, 7}:
            water.store.seal()
    snapshot = water.store.snapshot()
    table = snapshot.read(None, columns=["id", "commit"])
    there = sorted(zip(table["commit"].to_pylist(), table["id"].to_pylist(), strict=True))
    assert walk(snapshot, most) == there
    assert walk(snapshot, most, commit=middle) == [one for one in there if one[0] > middle]
    early = START + 10 * SECOND
    known = snapshot.read(None, None, early, columns=["id"])["id"].to_pylist()
    assert sorted(number for _, number in walk(snapshot, most, end=early)) == sorted(known)


def test_a_revision_is_found_where_it_came_and_a_delete_is_not(water):
    first, second, _ = water.ids
    water.send(first, [0, 1], [1.0, 2.0])
    water.send(second, [0], [3.0])
    place = water.store.sequence()
    water.put(rows(first, [0], [1.5]))
    water.store.seal()
    water.store.delete([second], None, None)
    found = water.store.snapshot().changes(place, LAST, most=10)
    assert (found.datastream.tolist(), found.time.tolist()) == ([first], [START])
    assert len(walk(water.store.snapshot(), 10)) == 2
