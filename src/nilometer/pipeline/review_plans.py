"""The standing steps of a review by Datastream, and how far the change of one of them reaches.

What stands is compiled once and again after every step, so that a commit of live rows asks arrays, not the catalog.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.model import NO_TIME, Datastream
from nilometer.review import ACTIONS, FOREVER, Step, parse
from nilometer.review.steps import Retime
from nilometer.store import ReviewStep, Store
from nilometer.store.review_ledger import SIGN_OFF

__all__ = ["Plan", "Plans", "Window", "compiled", "margin_of", "merged", "spread"]

Window = tuple[int, int]
_ROUNDING = 2_000
"""µs by which a change of times along a line may miss the line, and then some."""


@dataclass(slots=True)
class Plan:
    """What stands for one Datastream.

    Parameters
    ----------
    steps : list of Step
        In the order of the history.
    signed : list of ReviewStep
        The sign-offs.
    near : ndarray of int64, shape (steps, 2)
        Per step the times whose rows it may change, or whose rows have a say in what it does.
    margin : int
        µs around a piece of rows within which every row lies that has a say in it.
    """

    steps: list[Step] = field(default_factory=list)
    signed: list[ReviewStep] = field(default_factory=list)
    near: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    margin: int = 0

    def close(self) -> None:
        """Work out `near` and `margin` once all steps are in."""
        spans = [_near(step) for step in self.steps]
        self.near = np.array(spans, np.int64).reshape(-1, 2)
        self.margin = margin_of(self.steps)

    def touches(self, times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which times lie near a step."""
        mask = np.zeros(len(times), bool)
        if len(times):
            first, last = int(times.min()), int(times.max())
            for start, end in self.near[(self.near[:, 0] <= last) & (self.near[:, 1] > first)]:
                mask |= (times >= start) & (times < end)
        return mask

    def covers(self, times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which times lie in the span of a sign-off."""
        mask = np.zeros(len(times), bool)
        for step in self.signed:
            mask |= (times >= step.start) & (times < step.end)
        return mask


class Plans:
    """The plans of all Datastreams of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._compiled: dict[int, Step] = {}
        self._plans: dict[int, Plan] | None = None
        # From and until when something stands, by Datastream: the first look at live rows, without a loop.
        self._first: NDArray[np.int64] = np.zeros(0, np.int64)
        self._last: NDArray[np.int64] = np.zeros(0, np.int64)
        store.catalog.on_change(self._changed)

    def __bool__(self) -> bool:
        """Say whether anything stands at all."""
        return bool(self._all())

    def forget(self) -> None:
        """Compile anew at the next question: the history has changed."""
        self._plans = None

    def of(self, datastream: int) -> Plan:
        """Return the plan of a Datastream; an empty one where nothing stands."""
        return self._all().get(datastream) or Plan()

    def concerned(self, datastreams: NDArray[np.integer], times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows may lie near a step or under a sign-off; a time of `NO_TIME` may lie anywhere."""
        if not self._all():
            return np.zeros(len(datastreams), bool)
        inside = datastreams < len(self._first)
        place = np.where(inside, datastreams, 0)
        within = (times >= self._first[place]) & (times < self._last[place])
        within |= (times == NO_TIME) & (self._first[place] < self._last[place])
        mask: NDArray[np.bool_] = inside & within
        return mask

    def datastreams(self, step: ReviewStep) -> list[int]:
        """Return the ids of the Datastreams that a step speaks of."""
        if "datastreams" in step.scope:
            return list(step.scope["datastreams"])
        return [one.id for one in self._store.catalog.datastreams() if self._speaks_of(step, one)]

    def _speaks_of(self, step: ReviewStep, datastream: Datastream) -> bool:
        key = self._store.catalog.observed_property(datastream.observed_property).key
        return step.speaks_of(datastream.id, datastream.thing, key)

    def _changed(self, entity: object) -> None:
        if isinstance(entity, Datastream):
            self.forget()

    def _all(self) -> dict[int, Plan]:
        plans = self._plans
        if plans is None:
            plans = {}
            for step in self._store.catalog.reviews.active():
                for datastream in self.datastreams(step):
                    plan = plans.setdefault(datastream, Plan())
                    if step.action == SIGN_OFF:
                        plan.signed.append(step)
                    elif step.action in ACTIONS:
                        plan.steps.append(self._compiled.setdefault(step.id, compiled(step)))
            for plan in plans.values():
                plan.close()
            self._first = np.full(max(plans, default=0) + 1, FOREVER, np.int64)
            self._last = np.full(len(self._first), NO_TIME, np.int64)
            for datastream, plan in plans.items():
                spans = [*plan.near.tolist(), *((step.start, step.end) for step in plan.signed)]
                self._first[datastream] = min((span[0] for span in spans), default=FOREVER)
                self._last[datastream] = max((span[1] for span in spans), default=NO_TIME)
            self._plans = plans
        return plans


def compiled(step: ReviewStep) -> Step:
    """Return a step of the history as arithmetic knows it."""
    return parse(step.action, step.start, step.end, step.parameters, number=step.id)


def margin_of(steps: Sequence[Step]) -> int:
    """Return how far, in µs, around a piece of rows everything lies that has a say in it."""
    return sum(step.reach for step in steps) + 2 * sum(_displacement(step) for step in steps)


def spread(
    windows: Sequence[Window], steps: Sequence[Step], *, stage: int = 0, changed: Container[int] = ()
) -> tuple[list[Window], bool]:
    """Return where automatic rows lie that are served otherwise when rows of `windows` change.

    Parameters
    ----------
    windows : sequence of Window
        In the times that the steps before `stage` left.
    steps : sequence of Step
        In the order of the history.
    stage : int
        The place in it from which on rows change.
    changed : container of int
        Steps that come or go: times with and without them count.

    Returns
    -------
    windows : list of Window
        In the times of the automatic rows, merged and ascending.
    is_wide : bool
        Whether an interpolation passed the change on to its neighbours.
    """
    here = merged(windows)
    found, is_wide = _back(here, steps[:stage]), False
    for place in range(stage, len(steps)):
        step = steps[place]
        if step.reach:
            near = [window for window in here if _overlap(window, _near(step))]
            grown = [
                (max(start - step.reach, step.start), min(end + step.reach, step.end))
                for start, end in near
                if max(start - step.reach, step.start) < min(end + step.reach, step.end)
            ]
            is_wide = is_wide or bool(near)
            here = merged([*here, *grown])
            found = merged([*found, *_back(grown, steps[:place])])
        elif isinstance(step.what, Retime):
            moved_on = _forth(here, step)
            here = merged([*here, *moved_on]) if step.id in changed else moved_on
    return found, is_wide


def _forth(windows: Sequence[Window], step: Step) -> list[Window]:
    """Return where rows of windows lie after a change of times."""
    return merged(part for window in windows for part in _mapped(window, (step.start, step.end), step.image))


def _back(windows: Sequence[Window], steps: Sequence[Step]) -> list[Window]:
    """Return where rows of windows lay before the first step."""
    here = list(windows)
    for step in reversed(steps):
        if isinstance(step.what, Retime):
            span = (step.start, step.end)
            outside = [part for window in here for part in _without(window, span)]
            inside = [part for window in here for part in _inside(window, step.image, span)]
            here = [*outside, *inside]
    return merged(here)


def _mapped(window: Window, span: Window, image: Window) -> list[Window]:
    return [*_without(window, span), *_inside(window, span, image)]


def _without(window: Window, span: Window) -> list[Window]:
    parts = [(window[0], min(window[1], span[0])), (max(window[0], span[1]), window[1])]
    return [part for part in parts if part[0] < part[1]]


def _inside(window: Window, span: Window, image: Window) -> list[Window]:
    """Return the image of the part of a window that lies in a span, with what rounding may add."""
    first, last = max(window[0], span[0] - _ROUNDING), min(window[1], span[1] + _ROUNDING)
    if first >= last:
        return []
    slope = (image[1] - image[0]) / (span[1] - span[0])
    ends = [image[0] + round((edge - span[0]) * slope) for edge in (first, last)]
    return [(ends[0] - _ROUNDING, ends[1] + _ROUNDING)]


def _near(step: Step) -> Window:
    start, end = step.image
    return min(step.start, start) - step.reach, max(step.end, end) + (step.reach if not step.is_open else 0)


def _displacement(step: Step) -> int:
    if not isinstance(step.what, Retime):
        return 0
    return max(abs(step.image[0] - step.start), abs(step.image[1] - step.end))


def _overlap(one: Window, other: Window) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def merged(windows: Iterable[Window]) -> list[Window]:
    """Return windows ascending, those that touch put together."""
    found: list[Window] = []
    for start, end in sorted(windows):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
