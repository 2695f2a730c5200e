"""Which part of a span to look at first where only the first rows of an order are wanted, and which then.

Rows of one part come all before those of the next, so that whoever has found enough need not look at the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from nilometer.store import Snapshot
from nilometer.web.sensorthings.query.bound import Field
from nilometer.web.sensorthings.query.orders import Key
from nilometer.web.sensorthings.selection import Span

__all__ = ["slices"]

Enough = Callable[[], bool]
_SECOND: Final = 1_000_000
_FEW: Final = 20_000
"""Rows that are looked at as fast as fewer."""
_GROWTH: Final = 4


def slices(snapshot: Snapshot, span: Span, key: Key | None, need: int, enough: Enough) -> Iterator[Span]:
    """Yield the parts of a span in the order of a key, each greater than the one before, until there is enough.

    Parameters
    ----------
    snapshot : Snapshot
        The rows.
    span : Span
        All that may be wanted.
    key : Key, optional
        What rows are sorted by first; of a key that rows cannot be divided by, the span is one part.
    need : int
        How many rows are wanted.
    enough : callable
        Says whether they were found in the parts so far.
    """
    value, descending = key if key is not None else (None, False)
    is_own = isinstance(value, Field) and not value.source.steps and not value.members
    name = value.name if isinstance(value, Field) and is_own else ""
    if name == "phenomenonTime":
        yield from _in_time(snapshot, span, need, enough, descending=descending)
    elif name == "id":
        yield from _by_owner(snapshot, span, need, enough, descending=descending)
    else:
        yield span


def _in_time(snapshot: Snapshot, span: Span, need: int, enough: Enough, *, descending: bool) -> Iterator[Span]:
    wanted = None if span.datastreams is None else sorted(span.datastreams)
    outline = snapshot.outline(wanted)
    total = snapshot.count(wanted, span.start, span.end, water_only=False)
    most = max(_GROWTH * need, _FEW)
    if outline is None or total <= most:
        yield span
        return
    first, last = outline
    low = first if span.start is None else max(first, span.start)
    high = last + 1 if span.end is None else min(last + 1, span.end)
    width = max(_SECOND, (high - low) * most // total)
    # The outermost parts are open: an earlier commit may have had rows beyond what there is now.
    near, far = (span.end, span.start) if descending else (span.start, span.end)
    edge = high if descending else low
    while not enough():
        reach = edge - width if descending else edge + width
        part = _between(span, near, None if reach <= low or reach >= high else reach, far, descending=descending)
        if width > _SECOND and snapshot.count(wanted, part.start, part.end, water_only=False) > _GROWTH * most:
            width //= _GROWTH
            continue
        yield part
        if reach <= low or reach >= high:
            return
        near = edge = reach
        most, width = most * _GROWTH, width * _GROWTH


def _between(span: Span, near: int | None, reach: int | None, far: int | None, *, descending: bool) -> Span:
    behind = far if reach is None else reach
    return replace(span, start=behind, end=near) if descending else replace(span, start=near, end=behind)


def _by_owner(snapshot: Snapshot, span: Span, need: int, enough: Enough, *, descending: bool) -> Iterator[Span]:
    wanted = np.sort(snapshot.datastreams() if span.datastreams is None else np.array(list(span.datastreams), np.int64))
    if descending:
        wanted = wanted[::-1]
    most = max(_GROWTH * need, _FEW)
    start = total = 0
    for at, number in enumerate(wanted.tolist(), 1):
        total += snapshot.most_rows(number)
        if total < most and at < len(wanted):
            continue
        yield replace(span, datastreams=frozenset(wanted[start:at].tolist()))
        if enough():
            return
        start, total, most = at, 0, most * _GROWTH
