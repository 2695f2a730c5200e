"""Events that somebody enters, and what the rule of their kind does to flags."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.config import EventRuleConfig, parse
from nilometer.errors import ConfigError, NotFound, RequestError, ReviewRefused
from nilometer.model import Datastream, ObservedProperty
from nilometer.pipeline.event_book import EventOrder, rules
from tests.pipeline.conftest import MINUTE, NOON, ids, rows, running, stored
from tests.pipeline.reviews import Reviewed
from tests.store.waters import SECOND, START

RULES = {
    "cleaning": EventRuleConfig(flag="suspect", margin="1 min"),
    "flood": EventRuleConfig(flag="none"),
    "calibration": EventRuleConfig(properties=("ph",)),
}


@pytest.fixture
def bench(tmp_path):
    bench = Reviewed(tmp_path / "data", events=RULES)
    yield bench
    bench.close()


def order(kind, start, end=None, **more):
    end = None if end is None else START + int(end * SECOND)
    more = {"by": "Li", **({} if "datastreams" in more else {"thing": "weir"}), **more}
    return EventOrder(kind=kind, start=START + int(start * SECOND), end=end, **more)


def flags(bench, place=0, **options):
    return [row[2] for row in bench.served(bench.ids[place], **options).values()]


def test_the_rule_covers_the_span_and_its_margin_of_all_datastreams(bench):
    for number in bench.ids:
        bench.send(number, [0, 60, 120, 180], [1, 2, 3, 4])
    before = bench.clock.now
    done = bench.book.enter(order("cleaning", 60, 100, note="brush", detail={"cloth": "new"}))
    assert flags(bench) == flags(bench, 1) == [1, 3, 3, 1]
    assert flags(bench, as_of=before) == [1, 1, 1, 1]
    assert done.rows == 4
    event = bench.store.catalog.events(thing=1)[0]
    assert (event.kind, event.actor, event.note, event.detail) == ("cleaning", "Li", "brush", {"cloth": "new"})
    assert event.sequence == done.sequence == bench.store.sequence()


def test_a_rule_never_makes_a_flag_better(bench):
    bench.send(bench.ids[0], [0, 60], [1, 2], quality=[4, 2])
    bench.book.enter(order("cleaning", 0, 120))
    assert flags(bench) == [4, 3]


def test_rows_that_arrive_within_an_open_or_a_future_event_get_the_rule(bench):
    number = bench.book.enter(order("cleaning", 0)).event.root
    bench.book.enter(order("maintenance", 600, 700, datastreams=["weir/ph0"]))
    bench.send(bench.ids[0], [0, 60, 650], [1, 2, 3])
    bench.send(bench.ids[1], [650], [1])
    assert (flags(bench), flags(bench, 1)) == ([3, 3, 4], [3])
    bench.reopen()
    bench.book.edit(number, order("cleaning", 0, 30))
    assert (flags(bench), flags(bench, 1)) == ([3, 3, 4], [1])  # the margin is a minute
    bench.send(bench.ids[0], [45, 90], [5, 6])
    assert flags(bench) == [3, 3, 3, 1, 4]


def test_a_datastream_that_comes_later_to_the_thing_is_covered_too(bench):
    bench.book.enter(order("maintenance", 0))
    catalog = bench.store.catalog
    catalog.add_observed_property(ObservedProperty(key="do", name="DO", definition=""))
    made = catalog.add_datastream(Datastream(key="weir/do", name="DO", thing=1, sensor=1, observed_property=2))
    bench.book.enter(order("calibration", 0))
    bench.send([made.id, bench.ids[0]], [0, 0], [8, 7])
    assert bench.served(made.id) == {(made.id << 32) + 1: (0, 8, 4)}
    step = catalog.reviews.step(2)
    assert (step.scope, flags(bench)) == ({"thing": 1, "properties": ["ph"]}, [4])
    assert [row[2] for row in bench.served(made.id).values()] == [4], "by the maintenance; calibration is of pH"
    bench.orders.undo(1, by="Wang")
    assert [row[2] for row in bench.served(made.id).values()] == [1]


def test_an_edit_is_a_new_version_in_one_commit_and_every_version_is_seen_as_of_its_time(bench):
    bench.send(bench.ids[0], [0, 60, 120], [1, 2, 3])
    first = bench.book.enter(order("maintenance", 0, 50))
    between, sequence = bench.clock.now, bench.store.sequence()
    edited = bench.book.edit(first.event.root, order("maintenance", 60, 110, by="Wang"))
    assert edited.sequence == bench.store.sequence() == sequence + 1
    assert flags(bench) == [1, 4, 1]
    assert flags(bench, as_of=between) == [4, 1, 1]
    ledger = bench.store.catalog.ledger
    assert [one.actor for one in ledger.event_versions(first.event.root)] == ["Li", "Wang"]
    assert [one.id for one in ledger.events(None, None, None, None)] == [edited.event.id]
    then = ledger.events(None, None, None, None, as_of=bench.store.commit_at(between))
    assert [one.id for one in then] == [first.event.id]


def test_a_withdrawn_event_never_happened_but_its_history_did(bench):
    bench.send(bench.ids[0], [0], [1])
    number = bench.book.enter(order("maintenance", 0, 50)).event.root
    during = bench.clock.now
    bench.book.withdraw(number, by="Wang", note="wrong station")
    assert flags(bench) == [1]
    assert flags(bench, as_of=during) == [4]
    assert bench.store.catalog.events() == []
    assert len(bench.store.catalog.ledger.events(None, None, None, None, withdrawn=True)) == 1
    for again in (lambda: bench.book.withdraw(number, by="Wang"), lambda: bench.book.edit(number, order("flood", 0))):
        with pytest.raises(ReviewRefused, match="was withdrawn"):
            again()


def test_the_step_of_an_event_may_be_undone_like_any_other(bench):
    bench.send(bench.ids[0], [0], [1])
    done = bench.book.enter(order("maintenance", 0, 50))
    bench.orders.undo(done.steps[0].id, by="Wang", reason="natural")
    assert flags(bench) == [1]
    bench.book.withdraw(done.event.root, by="Wang")
    assert bench.store.catalog.reviews.active() == []


def test_an_event_without_a_rule_is_only_noted(bench):
    bench.send(bench.ids[0], [0], [1])
    done = bench.book.enter(order("flood", 0, 50))
    assert (done.steps, done.rows, flags(bench)) == ([], 0, [1])
    assert bench.store.catalog.events()[0].kind == "flood"


def test_an_event_over_signed_rows_is_refused_unless_forced(bench):
    bench.send(bench.ids[0], [0], [1])
    bench.order("sign_off", 0, 60, {"level": "first"})
    with pytest.raises(ReviewRefused, match="signed"):
        bench.book.enter(order("maintenance", 0, 50))
    assert bench.store.catalog.events() == []
    bench.book.enter(order("maintenance", 0, 50, force=True))
    assert flags(bench) == [4]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (order("cleening", 0), RequestError, "did you mean cleaning"),
        (order("cleaning", 60, 0), RequestError, "ends before it starts"),
        (order("cleaning", 0, thing=None), RequestError, "either thing or datastreams"),
        (order("cleaning", 0, datastreams=["weir/ph0"], thing="weir"), RequestError, "either thing or datastreams"),
        (order("cleaning", 0, thing="mill"), NotFound, "no Thing 'mill'"),
        (order("cleaning", 0, datastreams=["mill/ph"]), NotFound, "no Datastream 'mill/ph'"),
        (order("cleaning", 0, by=""), RequestError, "say who"),
    ],
)
def test_an_event_that_cannot_be_is_refused(bench, wrong, error, words):
    with pytest.raises(error, match=words):
        bench.book.enter(wrong)
    assert bench.store.catalog.events() == []


def test_an_event_that_nobody_entered_cannot_be_edited(bench):
    machine = bench.store.catalog.add_event(1, None, START, "source", {"state": "silent"})
    with pytest.raises(NotFound, match="that somebody entered"):
        bench.book.withdraw(machine.id, by="Li")


def test_rules_come_from_the_configuration_and_the_usual_ones_stay():
    config = parse({"events": {"cleaning": {"margin": "30 min"}, "storm": {"flag": "suspect"}}})
    found = rules(config.events)
    assert set(found) == {"maintenance", "cleaning", "check_sample", "calibration", "storm"}
    assert (found["cleaning"].flag, found["cleaning"].margin) == ("fail", 1800 * SECOND)
    assert found["storm"].flag == "suspect"
    for wrong in ("soon", "-1 h"):
        with pytest.raises(ConfigError, match=r"events\.cleaning\.margin"):
            rules(parse({"events": {"cleaning": {"margin": wrong}}}).events)


async def test_the_tests_go_on_beneath_an_open_event_and_over_a_restart(tmp_path):
    """Spikes settle rows that the rule has already flagged: the worse of both is served, in every order."""
    river = {"key": "river", "name": "River", "water_body": "river"}
    config = {
        "thing": [river],
        "datastream": [{"key": "river/ph", "thing": "river", "property": "ph"}],
        "events": {"maintenance": {"flag": "suspect"}},
    }
    values = [7.0, 7.1, 13.5, 7.1, 7.0, 7.2, 99.0, 7.1, 7.0, 12.9, 7.1, 7.2]
    alone, under = [], []
    for folder, found in ((tmp_path / "alone", alone), (tmp_path / "under", under)):
        for first in range(0, len(values), 4):
            async with running(folder, config) as pipeline:
                number = ids(pipeline)["river/ph"]
                if found is under and not first:
                    start = NOON + 2 * MINUTE
                    await pipeline.note(EventOrder(kind="maintenance", thing="river", start=start, by="Li"))
                for place in range(first, first + 4):
                    await pipeline.ingest(rows(number, NOON + place * MINUTE, [values[place]]))
        async with running(folder, config) as pipeline:
            found.append(stored(pipeline, "river/ph"))
    flags_alone, flags_under = (table[0]["result_quality"].to_numpy() for table in (alone, under))
    assert {3, 4} <= set(flags_alone.tolist()), "nothing was found to be settled"
    np.testing.assert_array_equal(flags_under, np.maximum(flags_alone, [1, 1] + [3] * 10))
    assert under[0]["tests"] == alone[0]["tests"], "what the tests said stays beside what the rule says"
