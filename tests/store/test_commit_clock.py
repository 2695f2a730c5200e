"""What a moment shows is said by the commits' own times, whatever was thinned, forgotten or read again since."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.store import Store
from nilometer.store.catalog_database import open_database
from nilometer.store.commit_clock import CommitClock
from nilometer.store.journal import Journal
from tests.store.waters import SECOND, START, Water

STEP = st.tuples(st.sampled_from([1, 300_000, 700_000, 1_000_000, 2_500_000]), st.booleans())


def engine():
    return open_database("sqlite://")


def shown(commits, moment):
    """The rule in words: unmarked commits show at whole seconds, marked ones at once, with all that came before."""
    second = moment // SECOND * SECOND
    return max((n for n, time, marked in commits if time <= (moment if marked else second)), default=0)


@given(st.lists(STEP, min_size=1, max_size=25), st.lists(st.integers(0, 25), max_size=6), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_moment_shows_the_same_however_commits_are_thinned_and_read_again(steps, cuts, again):
    database = engine()
    clock, commits, time, records = CommitClock(database), [], START, []
    for number, (step, marked) in enumerate(steps, 1):
        time += step
        commits.append((number, time, marked))
        records.append(commits[-1])
        clock.note(number, time, marked=marked)
        if number in cuts:
            clock.thin(number - 1)
            if again:  # a crash before the records left the journal: they are noted again
                clock = CommitClock(database)
                for record in records:
                    clock.note(record[0], record[1], marked=record[2])
            else:
                records = records[-1:]
        for _, at, _ in commits:
            for moment in (at - 1, at, at + 1, at // SECOND * SECOND, at // SECOND * SECOND + SECOND):
                # Of the second that is going on more may still come; before it, all is said.
                if moment <= time:
                    assert clock.at(moment) == shown(commits, moment)
    for number, at, _ in commits:
        first = clock.shows(number)
        assert clock.at(first) >= number > clock.at(first - 1)
        assert at <= first < at + SECOND
    database.dispose()


def test_before_anything_was_committed_nothing_is_shown():
    database = engine()
    clock = CommitClock(database)
    clock.note(1, START, marked=False)
    clock.thin(1)
    assert [clock.at(START - 1), clock.at(START), clock.at(START + 9 * SECOND)] == [0, 1, 1]
    database.dispose()


def test_spans_of_the_first_release_are_read_as_they_were():
    """They hold the exact time of the last commit of each second."""
    database = engine()
    clock = CommitClock(database)
    for number, time in ((1, START + 200_000), (2, START + 1_900_000)):
        clock.note(number, time, marked=True)
    clock.thin(2)
    clock.note(3, START + 2_100_000, marked=False)
    found = [clock.at(START + millisecond * 1000) for millisecond in (199, 200, 1899, 1900, 2999, 3000)]
    assert found == [0, 1, 1, 2, 2, 3]
    database.dispose()


def test_who_asks_for_the_present_waits_for_the_commit_that_belongs_to_it(tmp_path, monkeypatch):
    moment = [START]
    water = Water(Store.open(tmp_path / "data", now=lambda: moment[0]))
    water.send(water.ids[0], 0, 1)
    write, begun, go_on = Journal.write, threading.Event(), threading.Event()

    def slow(*record, **more):
        begun.set()
        assert go_on.wait(30)
        return write(*record, **more)

    monkeypatch.setattr(Journal, "write", slow)  # a disk that takes its time
    moment[0] += 5 * SECOND
    sender = threading.Thread(target=water.send, args=(water.ids[0], 1, 2))
    sender.start()
    assert begun.wait(30)
    # The moment before it is known; its own is not, until it is durable and visible.
    assert water.values(as_of=moment[0] - 1) == [1]
    found = []
    reader = threading.Thread(target=lambda: found.append(water.values(as_of=moment[0])))
    reader.start()
    go_on.set()
    sender.join()
    reader.join()
    assert found == [[1, 2]]
    water.store.close()


@pytest.mark.parametrize("seals", [0, 1, 2])
def test_many_commits_a_second_show_the_same_before_and_after_a_seal(tmp_path, seals):
    moment = [START]

    def now():
        moment[0] += 200_000
        return moment[0]

    water = Water(Store.open(tmp_path / "data", now=now))
    for second in range(30):
        water.send(water.ids[0], second, second)
    moments = [START + 100_000 * n for n in range(0, 60)]
    before = [water.values(as_of=one) for one in moments]
    assert {len(values) for values in before} == {0, 5, 10, 15, 20, 25}
    for seal in range(seals):
        water.store.save_state("qc", water.store.sequence() - 3 + seal, b"")
        water.store.seal()
        water.send(water.ids[1], seal, 1)
    water.store.close()
    water.store = Store.open(tmp_path / "data", now=now)
    assert [water.store.snapshot(one).read([water.ids[0]])["result"].to_pylist() for one in moments] == before
    water.store.close()
