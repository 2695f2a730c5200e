"""Rows that were never made: times of a clock that lie before its definition get their derived row.

They pass the door of late rows: admitted, judged and reviewed between two commits of live rows, with the revisions that
follow from them in the same commit. Datastreams go in the order in which they need each other, so that a whole chain
has its history at the end; then all are judged in order of time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from nilometer.pipeline.derived_changes import pieces
from nilometer.pipeline.derived_inputs import EVER, stored_rows
from nilometer.pipeline.derived_rows import Definition, Times
from nilometer.pipeline.reprocess_pass import Hands, Run
from nilometer.pipeline.reprocess_report import Moved

__all__ = ["fill"]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Times of a clock that have no row, and of which Datastream."""

    definition: Definition
    times: Times


def fill(hands: Hands, run: Run, wanted: Iterable[int]) -> None:
    """Give every time of a clock in the span of an order that has no derived row its row.

    Times that wait for an input are left to wait. Of a dry run the rows are counted; those that would follow from
    others that are not there yet are not among them.

    Parameters
    ----------
    hands : Hands
        What the run works with.
    run : Run
        Where rows and commits are counted.
    wanted : iterable of int
        Derived Datastreams.
    """
    numbers, store = set(wanted), hands.store
    start = -EVER if run.order.start is None else run.order.start
    end = EVER if run.order.end is None else run.order.end
    for one in hands.ask(hands.deriving.definitions):
        if one.datastream not in numbers:
            continue
        snapshot = store.snapshot()
        for first, last in pieces(snapshot, one, start, end):
            run.check()
            clock, there = (
                stored_rows(store, snapshot, number, first, last - 1, is_derived=False).time
                for number in (one.clock_datastream, one.datastream)
            )
            times = np.setdiff1d(clock, there)
            if len(times):
                piece = _Piece(one, times)
                hands.ask(partial(_add, hands, run, piece))


def _add(hands: Hands, run: Run, piece: _Piece) -> None:
    """Make and commit the rows of a piece; in the pump's thread."""
    one = piece.definition
    made = hands.deriving.lacking(one, piece.times)
    if not len(made):
        return
    if not run.order.dry_run:
        derived = hands.deriving.added(one, made, time.time_ns() // 1000)
        if derived is None:
            return
        run.see(hands.store.sequence())
        run.note(hands.reviewing.commit_derived(derived, marked=True))
        # After a crash what stands at their times elsewhere is not made either: the journal alone would say it is new.
        hands.keep()
    run.moved.setdefault(one.datastream, Moved(one.datastream)).add_new(made.time)
