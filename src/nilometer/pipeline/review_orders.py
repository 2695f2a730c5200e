"""What an analyst orders: checked against the rows and the history, entered, applied, and noted in the audit trail.

A step is written to the catalog first, then its rows are journaled, then the step is marked as applied. A crash in
between leaves a step that the next start finishes; a refusal before any row was journaled takes the step back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.config import ReviewConfig
from nilometer.errors import NotFound, RequestError, ReviewRefused, StoreError, StoreFull, near
from nilometer.model import Datastream
from nilometer.pipeline.review_plans import compiled
from nilometer.pipeline.reviewing import Reviewing
from nilometer.review import ACTIONS, FOREVER, Step
from nilometer.review.arithmetic import moved
from nilometer.review.steps import Retime
from nilometer.store import Event, ReviewStep, Store
from nilometer.store.review_ledger import SIGN_OFF, UNDO, levels

__all__ = ["REASONS", "Entered", "Order", "Orders"]

REASONS: dict[str, str] = {
    "drift": "the sensor drifted between two calibrations / 漂移",
    "fouling": "growth or dirt on the sensor / 生物附着、污染",
    "calibration": "calibration found wrong, or being done / 校准",
    "maintenance": "somebody was at work / 维护",
    "sensor": "the instrument failed / 仪器故障",
    "power": "supply failed / 供电故障",
    "transmission": "damaged on the way / 传输错误",
    "out_of_water": "the sensor was dry / 探头露出水面",
    "ice": "ice / 结冰",
    "clock": "the clock was wrong / 时钟错误",
    "spike": "single wild values / 尖峰",
    "natural": "looked at, and true: an event of the water / 真实水情",
    "check_sample": "compared with a sample / 标样核查",
    "event": "by the rule of an event's kind / 运维事件",
    "mistake": "a step of the review was wrong / 审核更正",
    "approval": "a level was signed / 审核通过",
    "other": "said in the comment / 其他",
}
"""The reasons a step may always have; the configuration adds more."""

_LATEST = 253_402_300_800_000_000
_EARLIEST = -62_135_596_800_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One step as an analyst orders it.

    Parameters
    ----------
    action : str
        Of `nilometer.review.ACTIONS`, or ``sign_off``.
    datastreams : sequence of str or int
        Keys or ids.
    start, end : int
        µs since 1970 UTC, end exclusive; None: open.
    parameters : mapping
        What the action is told.
    by, reason, comment : str
        Who, why (a code), and in words.
    force : bool
        Also where somebody has signed: the rows that change fall back to the first level.
    """

    action: str
    datastreams: Sequence[str | int]
    start: int | None
    end: int | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    by: str
    reason: str
    comment: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of an order: its steps, how many rows changed, the commit, and the event behind it."""

    steps: list[ReviewStep]
    rows: int
    sequence: int
    event: Event | None = None


class Orders:
    """Takes orders, one at a time, in the pump's thread.

    Parameters
    ----------
    store : Store
        The rows and the history.
    config : ReviewConfig
        Levels and reasons.
    reviewing : Reviewing
        Applies steps.
    clock : callable
        The present, µs since 1970 UTC.
    """

    def __init__(self, store: Store, config: ReviewConfig, reviewing: Reviewing, clock: Callable[[], int]) -> None:
        self._store, self._catalog, self._config = store, store.catalog, config
        self._reviewing, self._clock = reviewing, clock
        self.reasons = REASONS | config.reasons
        self.levels = [level.key for level in config.levels]

    def enter(self, order: Order) -> Entered:
        """Do what is ordered.

        Raises
        ------
        RequestError
            If the order cannot be understood, or its span holds no row.
        NotFound
            If it speaks of what is not there.
        ReviewRefused
            If rows or history stand against it.
        StoreError
            If the store refuses; then nothing was changed.
        """
        self.check_words(order.by, order.reason)
        datastreams = self.datastreams(order.datastreams)
        start, end = _span(order.start, order.end)
        step = ReviewStep(
            action=order.action,
            scope={"datastreams": [one.id for one in datastreams]},
            start=start,
            end=end,
            parameters=dict(order.parameters),
            actor=order.by.strip(),
            reason=order.reason,
            comment=order.comment,
        )
        if order.action == SIGN_OFF:
            return self.write([self._signed(step, datastreams)], "review")
        self._check(step, datastreams, force=order.force)
        return self.write([step], "review")

    def undo(self, number: int, *, by: str, reason: str = "mistake", comment: str = "", force: bool = False) -> Entered:
        """Undo a step; later ones are applied again to what remains.

        Raises
        ------
        NotFound, ReviewRefused, RequestError, StoreError
            As `enter`.
        """
        self.check_words(by, reason)
        return self.write([self.undoing(number, by=by, reason=reason, comment=comment, force=force)], "review")

    def undoing(self, number: int, *, by: str, reason: str, comment: str, force: bool) -> ReviewStep:
        """Return the step that undoes another, or refuse."""
        reviews = self._catalog.reviews
        step = reviews.step(number)
        if step.action == UNDO:
            raise ReviewRefused(f"step {number} is an undo of step {step.undoes}; enter that step again", place="step")
        former = reviews.undone_by(number)
        if former is not None:
            raise ReviewRefused(f"step {number} was undone already, by step {former}", place="step")
        if step.action in ACTIONS:
            own = compiled(step)
            spans = [(step.start, step.end), own.image]
            self.check_unsigned(self._reviewing.plans.datastreams(step), spans, force=force)
        scope, start, end = step.scope, step.start, step.end
        return ReviewStep(
            action=UNDO,
            scope=scope,
            start=start,
            end=end,
            parameters={},
            actor=by.strip(),
            reason=reason,
            comment=comment,
            undoes=number,
        )

    def write(self, steps: Sequence[ReviewStep], subject: str, event: Event | None = None) -> Entered:
        """Enter checked steps, and the event behind them, at once, and apply them in one commit where they fit."""
        self._reviewing.recover()
        now, before = self._clock(), self._store.sequence()
        reviews = self._catalog.reviews
        dated = [replace(step, time=now, sequence=before + 1) for step in steps]
        added, entered = reviews.enter(dated, None if event is None else replace(event, sequence=before + 1))
        try:
            sequence, rows = self._reviewing.apply(added)
        except BaseException as error:
            if not self._reviewing.has_committed:
                self._take_back(added, entered, error)
            raise
        reviews.applied(added, sequence, rows, entered)
        done = [reviews.step(step.id) for step in added]
        for step in done:
            self._catalog.add_audit(now, step.actor, f"review.{step.action}", f"{subject}/{step.id}", _told(step))
        return Entered(done, rows, sequence, None if entered is None else replace(entered, sequence=sequence))

    def _take_back(self, steps: Sequence[ReviewStep], event: Event | None, error: BaseException) -> None:
        try:
            self._catalog.reviews.cancel(steps, event)
        except StoreError as again:
            raise StoreFull(
                f"{error}; the step could not be taken back either: it is finished before the next one, or at the next "
                "start"
            ) from again
        self._catalog.ledger.forget_reviews({step.id for step in steps})
        self._reviewing.plans.forget()

    def datastreams(self, names: Sequence[str | int], place: str = "$.datastreams") -> list[Datastream]:
        """Return Datastreams by keys or ids, each once."""
        if not names:
            raise RequestError("name at least one Datastream, by key or id", place=place)
        found: dict[int, Datastream] = {}
        for name in names:
            known = self._catalog.datastream(name) if isinstance(name, int) else self._catalog.datastream_by_key(name)
            if known is None:
                alike = near(str(name), [one.key for one in self._catalog.datastreams()])
                hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
                raise NotFound(f"there is no Datastream {str(name)[:100]!r}{hint}")
            found[known.id] = known
        return list(found.values())

    def check_words(self, by: str, reason: str) -> None:
        """Refuse a step without a name, or with a reason that is no code."""
        if not by.strip():
            raise RequestError("say who does it: a step without a name is not kept", place="$.by")
        if reason not in self.reasons:
            raise RequestError(f"{reason!r} is no reason (allowed: {', '.join(self.reasons)})", place="$.reason")

    def check_unsigned(self, datastreams: Sequence[int], spans: Sequence[tuple[int, int]], *, force: bool) -> None:
        """Refuse to change rows that somebody signed, unless forced."""
        for datastream in () if force else datastreams:
            signed = self._reviewing.plans.of(datastream).signed
            for start, end in spans:
                here = [step for step in signed if step.start < end and start < step.end]
                if not here:
                    continue
                time, commit = self._commits(datastream, start, end)
                rank = levels(here, time, commit)
                if rank.any():
                    name = self._catalog.datastream(datastream).key
                    level = self.levels[min(int(rank.max()), len(self.levels) - 1)]
                    raise ReviewRefused(
                        f"{int((rank > 0).sum())} rows of {name} are signed, up to level {level!r}; with force they "
                        f"are changed and fall back to {self.levels[0]!r}",
                        place="$.force",
                    )

    def _check(self, step: ReviewStep, datastreams: Sequence[Datastream], *, force: bool) -> None:
        own = compiled(step)
        observations = getattr(own.what, "observations", None)
        snapshot = self._store.snapshot()
        if observations is not None:
            self._check_observations(observations, step, datastreams)
        elif not any(
            snapshot.count([one.id], step.start, step.end, water_only=not isinstance(own.what, Retime))
            for one in datastreams
        ):
            keys = ", ".join(one.key for one in datastreams[:5])
            raise RequestError(f"there is no row of {keys} in this span", place="$.start")
        if isinstance(own.what, Retime):
            for one in datastreams:
                self._check_times(own, one)
        self.check_unsigned([one.id for one in datastreams], [(step.start, step.end), own.image], force=force)

    def _check_observations(
        self, observations: Sequence[int], step: ReviewStep, datastreams: Sequence[Datastream]
    ) -> None:
        table = self._store.snapshot().by_id(np.array(observations, np.int64))
        time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
        inside = (time >= step.start) & (time < step.end)
        inside &= np.isin(table["datastream"].to_numpy(), [one.id for one in datastreams])
        absent = np.setdiff1d(np.array(observations, np.int64), table["id"].to_numpy()[inside])
        if len(absent):
            raise RequestError(
                f"there is no Observation {int(absent[0])} of these Datastreams in this span", place="$.observations"
            )

    def _check_times(self, step: Step, datastream: Datastream) -> None:
        """Refuse to move rows onto others, or past them."""
        what = step.what
        assert isinstance(what, Retime)  # noqa: S101 -- asked for before
        snapshot = self._store.snapshot()
        columns, one = ["phenomenon_time"], [datastream.id]
        table = snapshot.read(one, step.start, step.end, columns=columns, water_only=False)
        times = np.unique(table["phenomenon_time"].cast(pa.int64()).to_numpy())
        if not len(times):
            return
        new = moved(times, step.start, step.end, what.shift, what.shift_end)
        before = snapshot.read(one, None, step.start, columns=columns, water_only=False, limit=1, newest_first=True)
        after = snapshot.read(one, step.end, None, columns=columns, water_only=False, limit=1)
        if (np.diff(new) <= 0).any():
            raise ReviewRefused(f"rows of {datastream.key} would fall together", place="$.shift_end")
        for edges, where in ((before, "before"), (after, "after")):
            for edge in edges["phenomenon_time"].cast(pa.int64()).to_pylist():
                if edge >= new[0] if where == "before" else edge <= new[-1]:
                    when = np.datetime_as_string(np.int64(edge).astype("datetime64[us]"), unit="ms", timezone="UTC")
                    raise ReviewRefused(
                        f"rows of {datastream.key} would collide with the row {where} the span, at {when}, or jump "
                        "over it; choose the span or the shift so that the order stays",
                        place="$.shift",
                    )

    def _signed(self, step: ReviewStep, datastreams: Sequence[Datastream]) -> ReviewStep:
        level = step.parameters.get("level")
        if set(step.parameters) - {"level"}:
            raise RequestError("unknown member (allowed: level)", place="$")
        if level not in self.levels[1:]:
            raise RequestError(
                f"{level!r} is no level to sign (allowed: {', '.join(self.levels[1:])})", place="$.level"
            )
        if step.end == FOREVER:
            raise RequestError("sign_off needs the end of its span", place="$.end")
        rank = self.levels.index(level)
        rows = 0
        for one in datastreams:
            time, commit = self._commits(one.id, step.start, step.end)
            rows += len(time)
            self._check_level(one, rank, time, commit, step.actor)
        if not rows:
            raise RequestError("there is no row of these Datastreams in this span", place="$.start")
        return replace(step, parameters={"level": level, "rank": rank})

    def _check_level(
        self, datastream: Datastream, rank: int, time: NDArray[np.int64], commit: NDArray[np.int64], actor: str
    ) -> None:
        signed = self._reviewing.plans.of(datastream.id).signed
        has = levels(signed, time, commit)
        if len(time) and (has < rank - 1).any():
            first = np.datetime_as_string(time[has < rank - 1][0].astype("datetime64[us]"), unit="ms", timezone="UTC")
            raise ReviewRefused(
                f"{datastream.key} is not {self.levels[rank - 1]!r} everywhere in this span: the first row that is not "
                f"lies at {first}; sign that level first",
                place="$.level",
            )
        if len(time) and (has >= rank).all():
            raise ReviewRefused(f"every row of {datastream.key} in this span is {self.levels[rank]!r} already")
        if self._config.four_eyes and rank > 1 and len(time):
            first, last = int(time[0]), int(time[-1])
            same = [
                step.id
                for step in signed
                if step.parameters["rank"] == rank - 1
                and step.actor == actor
                and step.start <= last
                and first < step.end
            ]
            if same:
                raise ReviewRefused(
                    f"{actor} signed {self.levels[rank - 1]!r} in step {same[0]}; another person has to sign the next",
                    place="$.by",
                )

    def _commits(self, datastream: int, start: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return times and commits of the rows of a span."""
        columns = ["phenomenon_time", "commit"]
        table = self._store.snapshot().read([datastream], start, end, columns=columns, water_only=False)
        return table["phenomenon_time"].cast(pa.int64()).to_numpy(), table["commit"].to_numpy()


def _span(start: int | None, end: int | None) -> tuple[int, int]:
    if start is None:
        raise RequestError("a step needs the start of its span", place="$.start")
    stop = FOREVER if end is None else end
    if not _EARLIEST <= start < _LATEST or (end is not None and not _EARLIEST <= end < _LATEST):
        raise RequestError("a time outside the years 1 to 9999", place="$.start")
    if stop <= start:
        raise RequestError("the span ends before it starts, or is empty; end is exclusive", place="$.end")
    return start, stop


def _told(step: ReviewStep) -> dict[str, Any]:
    return {
        "scope": dict(step.scope),
        "start": step.start,
        "end": None if step.end == FOREVER else step.end,
        "parameters": dict(step.parameters),
        "reason": step.reason,
        "comment": step.comment,
        "undoes": step.undoes,
        "rows": step.rows,
        "sequence": step.sequence,
    }
