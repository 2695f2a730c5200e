"""What an analyst may order, what is refused, levels and who signs them."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from nilometer.config import ReviewConfig, parse
from nilometer.errors import ConfigError, NotFound, RequestError, ReviewRefused
from nilometer.store import tables
from nilometer.store.review_ledger import levels
from tests.pipeline.reviews import Reviewed
from tests.store.waters import settlement


@pytest.fixture
def bench(tmp_path):
    bench = Reviewed(tmp_path / "data")
    bench.send(bench.ids[0], [0, 60, 120], [1, 2, 3])
    yield bench
    bench.close()


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        (("offset", 120, 0, {"offset": 1}), RequestError, "ends before it starts"),
        (("offset", 60, 60, {"offset": 1}), RequestError, "empty"),
        (("offset", 0, None, {"offset": 1}), RequestError, "offset needs the end"),
        (("offset", None, 60, {"offset": 1}), RequestError, "needs the start"),
        (("offset", 500, 600, {"offset": 1}), RequestError, "no row of weir/ph0"),
        (("offset", 0, 60, {"offset": float("nan")}), RequestError, r"\$.offset: input should be a finite number"),
        (("offset", 0, 60, {"offset": 1, "ofset": 2}), RequestError, "unknown member"),
        (("offset", 0, 60, {}), RequestError, r"\$.offset: field required"),
        (("blur", 0, 60, {}), RequestError, "'blur' is no action .*retime, sign_off"),
        (("flag", 0, 60, {"flag": "good"}), RequestError, r"\$.flag"),
        (("flag", 0, 60, {"flag": "fail", "where": {"over": 1}}), RequestError, "unknown member"),
        (("flag", 0, 60, {"flag": "fail", "observations": [7]}), RequestError, "no Observation 7"),
        (("drift", 0, 60, {}), RequestError, "exactly one of gap"),
        (("drift", 0, 60, {"gap": 1, "gap_percent": 2}), RequestError, "exactly one of gap"),
        (("drift", 0, 60, {"standards": [[7, 7.1], [4, 4.1]]}), RequestError, "ascending"),
        (("drift", 0, 60, {"points": [[1, 2.0]]}), RequestError, "outside the span"),
        (("interpolate", 0, 60, {}), RequestError, "greatest_gap"),
        (("interpolate", 0, 60, {"greatest_gap": "a while"}), RequestError, "a time such as"),
        (("retime", 0, 60, {"shift": 0}), RequestError, "moves nothing"),
        (("retime", 0, 60, {"shift": 0, "shift_end": "-2 min"}), RequestError, "backwards"),
        (("sign_off", 0, 60, {"level": "raw"}), RequestError, "allowed: first, second"),
        (("sign_off", 500, 600, {"level": "first"}), RequestError, "no row"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_changes_nothing(bench, order, error, words):
    before, shown = bench.store.sequence(), bench.served()
    with pytest.raises(error, match=words):
        bench.order(*order)
    assert (bench.store.sequence(), bench.served()) == (before, shown)
    assert bench.store.catalog.reviews.steps() == []


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"datastreams": ["weir/ph"]}, NotFound, "no Datastream 'weir/ph'; did you mean weir/ph"),
        ({"datastreams": [99]}, NotFound, "no Datastream with id 99"),
        ({"reason": "bad mood"}, RequestError, "allowed: drift, fouling"),
        ({"by": "  "}, RequestError, "say who does it"),
    ],
)
def test_who_why_and_of_what_must_be_said(bench, more, error, words):
    with pytest.raises(error, match=words):
        bench.order("offset", 0, 60, {"offset": 1}, **more)


def test_a_reason_of_the_station_is_a_reason(tmp_path):
    bench = Reviewed(tmp_path / "data", config=ReviewConfig(reasons={"barge": "a barge lay over the intake"}))
    bench.send(bench.ids[0], [0], [1])
    assert bench.order("flag", 0, 60, {"flag": "fail"}, reason="barge").rows == 1
    bench.close()


def test_what_is_undone_is_not_undone_again_and_no_undo_is_undone(bench):
    number = bench.order("offset", 0, 60, {"offset": 1}).steps[0].id
    undo = bench.orders.undo(number, by="Wang").steps[0].id
    for again, words in ((number, "undone already, by step 2"), (undo, "is an undo of step 1")):
        with pytest.raises(ReviewRefused, match=words):
            bench.orders.undo(again, by="Wang")
    with pytest.raises(NotFound, match="no review step 9"):
        bench.orders.undo(9, by="Wang")


def rank(bench):
    table = bench.store.snapshot().read([bench.ids[0]], columns=["phenomenon_time", "commit"])
    times = table["phenomenon_time"].cast("int64").to_numpy()
    return levels(bench.reviewing.plans.of(bench.ids[0]).signed, times, table["commit"].to_numpy()).tolist()


def test_levels_are_signed_one_after_the_other(bench):
    with pytest.raises(ReviewRefused, match="is not 'first' everywhere"):
        bench.order("sign_off", 0, 180, {"level": "second"})
    bench.order("sign_off", 0, 120, {"level": "first"})
    assert rank(bench) == [1, 1, 0]
    with pytest.raises(ReviewRefused, match=r"at 2025-12-31T20:02:00\.000Z; sign that level first"):
        bench.order("sign_off", 0, 180, {"level": "second"})
    bench.order("sign_off", 0, 120, {"level": "second"})
    assert rank(bench) == [2, 2, 0]
    with pytest.raises(ReviewRefused, match="'second' already"):
        bench.order("sign_off", 0, 120, {"level": "second"})


def test_a_signed_row_is_changed_only_by_force_and_then_it_is_raw_again(bench):
    bench.order("sign_off", 0, 180, {"level": "first"})
    for attempt in (
        lambda: bench.order("offset", 60, 120, {"offset": 1}),
        lambda: bench.order("retime", 120, 180, {"shift": 30}),
    ):
        with pytest.raises(ReviewRefused, match="1 rows of weir/ph0 are signed, up to level 'first'"):
            attempt()
    bench.order("offset", 60, 120, {"offset": 1}, force=True)
    assert rank(bench) == [1, 0, 1]
    bench.order("offset", 60, 120, {"offset": 1})  # nobody has signed this row since
    bench.order("sign_off", 0, 180, {"level": "first"})
    with pytest.raises(ReviewRefused, match="signed"):
        bench.orders.undo(2, by="Wang")
    bench.orders.undo(2, by="Wang", force=True)
    assert rank(bench) == [1, 0, 1]


def test_a_row_that_comes_late_has_no_level_and_the_others_keep_theirs(bench):
    bench.order("sign_off", 0, 180, {"level": "first"})
    bench.send(bench.ids[0], [30], [9])
    assert rank(bench) == [1, 0, 1, 1]


def test_a_sign_off_that_is_undone_takes_the_levels_above_with_it(bench):
    bench.order("sign_off", 0, 180, {"level": "first"})
    bench.order("sign_off", 0, 180, {"level": "second"})
    bench.orders.undo(1, by="Wang")
    assert rank(bench) == [0, 0, 0]


def test_settling_a_signed_row_is_a_change_of_it(bench):
    bench.order("sign_off", 0, 180, {"level": "first"})
    one = (bench.ids[0] << 32) + 3
    bench.settle(settlement(np.array([one]), quality=4, tests="4"))
    assert rank(bench) == [1, 1, 0]
    assert [row[2] for row in bench.served().values()] == [1, 1, 4]


def test_with_four_eyes_the_next_level_is_signed_by_another_person(tmp_path):
    config = ReviewConfig.model_validate({"levels": ["raw", "a", "b"], "four_eyes": True})
    bench = Reviewed(tmp_path / "data", config=config)
    bench.send(bench.ids[0], [0], [1])
    bench.order("sign_off", 0, 60, {"level": "a"}, by="Li")
    with pytest.raises(ReviewRefused, match="another person"):
        bench.order("sign_off", 0, 60, {"level": "b"}, by="Li")
    bench.order("sign_off", 0, 60, {"level": "b"}, by="Wang")
    assert rank(bench) == [2]
    bench.close()


@pytest.mark.parametrize("wrong", [["raw"], ["raw", "raw"], ["raw", "1st"]])
def test_levels_are_two_or_more_different_keys(wrong):
    with pytest.raises(ConfigError, match=r"review\.levels"):
        parse({"review": {"levels": wrong}})


def test_every_step_is_in_the_audit_trail(bench):
    bench.order("offset", 0, 60, {"offset": 1}, by="Li")
    bench.orders.undo(1, by="Wang", comment="wrong sensor")
    with bench.store.catalog.engine.connect() as connection:
        found = connection.execute(sa.select(tables.audit.c.actor, tables.audit.c.action, tables.audit.c.detail)).all()
    assert [(row.actor, row.action) for row in found] == [("Li", "review.offset"), ("Wang", "review.undo")]
    assert found[0].detail["parameters"] == {"offset": 1}
    assert (found[1].detail["comment"], found[1].detail["undoes"]) == ("wrong sensor", 1)
