"""Which gaps are seen, asked for, filled and given up; a station in the test answers as stations do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.hj212_gaps import MOST_STEPS, Gaps

MINUTE = 60_000_000
STEP = 10 * MINUTE
WIDTHS = {"2051": STEP, "2061": 60 * MINUTE, "2031": 24 * 60 * MINUTE}


def gaps(**more):
    settings = {"step": lambda command, _start: WIDTHS[command], "newest": {}, "wanted": frozenset(WIDTHS)} | more
    return Gaps(**settings)


def hear(book, *steps, command="2051", now=0.0):
    for step in steps:
        book.heard(command, step * WIDTHS[command], now)


def asked(gap):
    return (gap.command, gap.first // STEP, gap.last // STEP)


@given(st.sets(st.integers(1, 300)), st.data())
def test_whatever_is_missing_is_asked_for_and_nothing_else(missing, data):
    book, now = gaps(most_tries=10), 0.0
    hear(book, *sorted(set(range(302)) - missing))
    come = set()
    for _ in range(10_000):
        now += 1000.0
        gap = book.request(now)
        if gap is None:
            break
        wanted = set(range(gap.first // STEP, gap.last // STEP + 1))
        assert wanted <= missing - come
        assert len(wanted) <= MOST_STEPS
        # It sends some of it, in any order, and says it is done.
        sent = data.draw(st.sets(st.sampled_from(sorted(wanted)), min_size=1))
        hear(book, *data.draw(st.permutations(sorted(sent))), now=now)
        come |= sent
        assert book.ended(now) == []
    assert come == missing
    assert len(book) == 0


def test_what_comes_by_itself_is_not_asked_for():
    book = gaps(ripe_s=60.0)
    hear(book, 0, 5, now=0.0)
    assert book.request(59.0) is None
    hear(book, 2, 3, now=30.0)
    assert asked(book.request(61.0)) == ("2051", 1, 1)
    book.ended(61.0)
    hear(book, 1, 4, now=62.0)
    assert book.request(1e9) is None


def test_one_request_at_a_time_and_a_long_gap_in_pieces():
    book = gaps()
    hear(book, 0, 1201)
    assert asked(book.request(100.0)) == ("2051", 1, 500)
    assert book.request(100.0) is None
    hear(book, *range(1, 501), now=101.0)
    book.ended(101.0)
    assert asked(book.request(102.0)) == ("2051", 501, 1000)
    hear(book, *range(501, 1001), now=103.0)
    book.ended(103.0)
    assert asked(book.request(104.0)) == ("2051", 1001, 1200)


def test_a_station_that_has_nothing_is_asked_a_few_times_more_and_more_seldom():
    book, now, times = gaps(most_tries=3, ripe_s=60.0), 0.0, []
    hear(book, 0, 3)
    given_up = []
    while not given_up:
        now += 1.0
        if book.request(now) is not None:
            times.append(now)
            given_up = book.ended(now)
    assert [asked(gap) for gap in given_up] == [("2051", 1, 2)]
    assert times == [60.0, 180.0, 420.0]
    assert len(book) == 0


def test_a_request_without_an_answer_is_overdue_but_not_while_uploads_come():
    book = gaps(patience_s=30.0)
    hear(book, 0, 5)
    assert not book.is_overdue(1e6)
    assert book.request(100.0) is not None
    hear(book, 1, now=125.0)
    assert not book.is_overdue(140.0)
    hear(book, 6, now=141.0)  # of today, not of what was asked for
    assert book.is_overdue(156.0)


def test_the_interval_is_the_one_that_the_station_shows():
    book, wanted = gaps(most_tries=1), []
    hear(book, 0, 3, 6, 9)  # every 30 minutes, and 10 were configured
    early = len(book)
    hear(book, 12, 15, 18)
    assert len(book) == early
    hear(book, 24)
    while (gap := book.request(1e6)) is not None:
        wanted.append(asked(gap))
        book.ended(1e6)
    assert wanted[early:] == [("2051", 21, 21)]


def test_kinds_have_gaps_of_their_own_and_what_is_not_wanted_has_none():
    book = gaps(wanted=frozenset({"2061"}))
    hear(book, 0, 9)
    hear(book, 0, 3, command="2061")
    gap = book.request(100.0)
    assert (gap.command, gap.first, gap.last) == ("2061", 60 * MINUTE, 120 * MINUTE)
    assert book.end_of(gap) == 180 * MINUTE - 1_000_000


def test_after_a_restart_it_goes_on_from_what_is_stored_but_not_too_far():
    book = gaps(newest={"2051": 0}, farthest_us=100 * STEP)
    hear(book, 1000)
    assert asked(book.request(100.0)) == ("2051", 900, 999)


@given(st.lists(st.tuples(st.sampled_from(sorted(WIDTHS)), st.integers(-(1 << 40), 1 << 60)), max_size=60))
def test_whatever_a_station_says_the_book_stays_small(said):
    book = gaps()
    for now, (command, start) in enumerate(said):
        book.heard(command, start, float(now))
        book.request(float(now))
        if now % 3 == 0:
            book.ended(float(now))
    assert len(book) <= 400
