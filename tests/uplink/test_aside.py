"""Messages that a receiver does not answer let the others go first."""

from __future__ import annotations

from nilometer.uplink.aside import Aside


def test_a_message_that_is_never_answered_waits_while_others_are():
    now = [0.0]
    aside = Aside(3, 600.0, lambda: now[0])
    aside.failed("bad", 2)
    assert not aside.waits("bad")
    aside.failed("bad", 3)
    assert aside.waits("bad")
    aside.answered("good")
    # One more chance, for the receiver may only have been away.
    assert not aside.waits("bad")
    aside.failed("bad", 4)
    aside.answered("better")
    assert aside.waits("bad")
    now[0] = 600.0
    assert not aside.waits("bad")


def test_a_message_that_is_answered_after_all_is_as_any_other():
    aside = Aside(1, 600.0, lambda: 0.0)
    aside.failed("slow", 1)
    aside.answered("good")
    aside.answered("slow")
    aside.failed("slow", 1)
    aside.answered("good")
    assert not aside.waits("slow")
