"""Events that somebody enters: maintenance, cleaning, check sample, calibration, and what a station adds.

An event covers a span of a Thing or of some Datastreams. The rule of its kind becomes a step of the review: it can be
undone, it is exact as of any moment, and rows that arrive later within the span get it too. An edit is a new version:
the steps of the former are undone and the rule is applied anew, in one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nilometer.config import EVENT_RULES, EventRuleConfig
from nilometer.errors import ConfigError, NotFound, RequestError, ReviewRefused, near
from nilometer.model import Datastream
from nilometer.pipeline.review_orders import Entered, Orders
from nilometer.review import FOREVER
from nilometer.review.steps import microseconds_of
from nilometer.store import Event, ReviewStep, Store
from nilometer.store.review_ledger import UNDO

__all__ = ["EventBook", "EventOrder", "Rule", "rules"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What events of a kind do: the flag, µs after the end that it holds, and on which observed properties."""

    flag: str
    margin: int
    properties: tuple[str, ...]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOrder:
    """An event as it is entered.

    Parameters
    ----------
    kind : str
        One that has a rule.
    thing : str or int, optional
        Key or id of the Thing that it happened to; or:
    datastreams : sequence of str or int
        Keys or ids of Datastreams, of one Thing.
    start, end : int
        µs since 1970 UTC, end exclusive; an end of None: it goes on.
    by, note : str
        Who enters it, and in words.
    detail : mapping
        Anything else, as JSON.
    force : bool
        Also over rows that somebody signed.
    """

    kind: str
    start: int
    by: str
    thing: str | int | None = None
    datastreams: Sequence[str | int] = ()
    end: int | None = None
    note: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False


def rules(configured: Mapping[str, EventRuleConfig]) -> dict[str, Rule]:
    """Return the rule of every kind of event: those that are always there, and what the configuration says.

    Raises
    ------
    ConfigError
        If a margin is no length of time.
    """
    found: dict[str, Rule] = {}
    for kind in (*EVENT_RULES, *(name for name in configured if name not in EVENT_RULES)):
        config = configured.get(kind)
        usual = EVENT_RULES.get(kind, EventRuleConfig())
        said = {} if config is None else {name: getattr(config, name) for name in config.model_fields_set}
        rule = usual.model_copy(update=said)
        try:
            margin = microseconds_of(rule.margin)
        except ValueError as error:
            raise ConfigError(f"events.{kind}.margin", seen=rule.margin, allowed=str(error)) from error
        if margin < 0:
            raise ConfigError(f"events.{kind}.margin", seen=rule.margin, allowed="a time not below 0")
        found[kind] = Rule(rule.flag, margin, rule.properties, rule.names)
    return found


class EventBook:
    """Takes events, one at a time, in the pump's thread.

    Parameters
    ----------
    store : Store
        Whose catalog keeps them.
    configured : mapping of str to EventRuleConfig
        Rules by kind.
    orders : Orders
        Writes the steps.
    clock : callable
        The present, µs since 1970 UTC.
    """

    def __init__(
        self,
        store: Store,
        configured: Mapping[str, EventRuleConfig],
        orders: Orders,
        clock: Callable[[], int],
    ) -> None:
        self._catalog, self._orders, self._clock = store.catalog, orders, clock
        self.rules = rules(configured)

    def enter(self, order: EventOrder) -> Entered:
        """Enter an event, and do to the rows what the rule of its kind says.

        Raises
        ------
        RequestError, NotFound, ReviewRefused, StoreError
            As `Orders.enter`; a span without rows is no mistake.
        """
        return self._write(order, None, [])

    def edit(self, number: int, order: EventOrder) -> Entered:
        """Enter a new version of an event in place of the newest.

        Raises
        ------
        ReviewRefused
            If it was withdrawn; and as `enter`.
        """
        last = self._last(number)
        return self._write(order, last, self._undoing(last, order.by, order.note, force=order.force))

    def withdraw(self, number: int, *, by: str, note: str = "", force: bool = False) -> Entered:
        """Take an event back: it never happened, and its rule is undone.

        Raises
        ------
        ReviewRefused
            If it was withdrawn already, or rows were signed since.
        """
        self._orders.check_words(by, "event")
        last = self._last(number)
        gone = Event(
            id=0,
            thing=last.thing,
            datastream=last.datastream,
            time=last.time,
            kind=last.kind,
            detail=last.detail,
            end=last.end,
            datastreams=last.datastreams,
            actor=by.strip(),
            note=note,
            entered=self._clock(),
            first=last.root,
            withdrawn=True,
        )
        return self._enter(self._undoing(last, by, note, force=force), gone)

    def _write(self, order: EventOrder, last: Event | None, undoing: list[ReviewStep]) -> Entered:
        self._orders.check_words(order.by, "event")
        if order.kind not in self.rules:
            alike = near(order.kind, self.rules)
            hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
            raise RequestError(
                f"{order.kind!r} is no kind of event{hint} (allowed: {', '.join(self.rules)})", place="$.kind"
            )
        if order.end is not None and order.end < order.start:
            raise RequestError("the event ends before it starts", place="$.end")
        thing, datastreams = self._scope(order)
        event = Event(
            id=0,
            thing=thing,
            datastream=datastreams[0].id if len(datastreams) == 1 else None,
            time=order.start,
            kind=order.kind,
            detail=dict(order.detail),
            end=order.end,
            datastreams=tuple(one.id for one in datastreams) if len(datastreams) > 1 else None,
            actor=order.by.strip(),
            note=order.note,
            entered=self._clock(),
            first=None if last is None else last.root,
            withdrawn=False,
        )
        step = self._step(order, thing, datastreams)
        if step is not None:
            spoken = [
                one.id
                for one in self._catalog.datastreams()
                if step.speaks_of(one.id, one.thing, self._catalog.observed_property(one.observed_property).key)
            ]
            self._orders.check_unsigned(spoken, [(step.start, step.end)], force=order.force)
        return self._enter([*undoing, *([] if step is None else [step])], event)

    def _enter(self, steps: list[ReviewStep], event: Event) -> Entered:
        done = self._orders.write(steps, f"event/{event.root or ''}", event)
        assert done.event is not None  # noqa: S101 -- one was given
        action = "withdraw" if event.withdrawn else "enter" if event.first is None else "edit"
        detail = {"kind": event.kind, "start": event.time, "end": event.end, "note": event.note, "rows": done.rows}
        actor = event.actor or ""
        self._catalog.add_audit(self._clock(), actor, f"event.{action}", f"event/{done.event.root}", detail)
        return done

    def _step(self, order: EventOrder, thing: int, datastreams: Sequence[Datastream]) -> ReviewStep | None:
        rule = self.rules[order.kind]
        if rule.flag == "none":
            return None
        end = FOREVER if order.end is None else order.end + rule.margin
        scope: dict[str, Any] = {"thing": thing}
        if rule.properties:
            scope["properties"] = list(rule.properties)
        if datastreams:
            scope = {"datastreams": [one.id for one in datastreams if self._is_meant(rule, one)]}
        if end <= order.start or scope.get("datastreams") == []:
            return None
        return ReviewStep(
            action="flag",
            scope=scope,
            start=order.start,
            end=end,
            parameters={"flag": rule.flag, "worse": True},
            actor=order.by.strip(),
            reason="event",
            comment=order.note,
        )

    def _is_meant(self, rule: Rule, datastream: Datastream) -> bool:
        key = self._catalog.observed_property(datastream.observed_property).key
        return not rule.properties or key in rule.properties

    def _scope(self, order: EventOrder) -> tuple[int, list[Datastream]]:
        if (order.thing is None) == (not order.datastreams):
            raise RequestError("say what it happened to: either thing or datastreams", place="$.thing")
        if order.thing is None:
            datastreams = self._orders.datastreams(order.datastreams)
            things = {one.thing for one in datastreams}
            if len(things) > 1:
                raise RequestError("the Datastreams of one event belong to one Thing", place="$.datastreams")
            return things.pop(), datastreams
        name = order.thing
        known = self._catalog.thing(name) if isinstance(name, int) else self._catalog.thing_by_key(name)
        if known is None:
            raise NotFound(f"there is no Thing {str(name)[:100]!r}")
        return known.id, []

    def _last(self, number: int) -> Event:
        last = self._catalog.ledger.event_versions(number)[-1]
        if last.withdrawn:
            raise ReviewRefused(f"event {number} was withdrawn; enter it again", place="event")
        return last

    def _undoing(self, last: Event, by: str, note: str, *, force: bool) -> list[ReviewStep]:
        """Return the steps that undo what the versions of an event did and nobody undid yet."""
        versions = {one.id for one in self._catalog.ledger.event_versions(last.root)}
        return [
            self._orders.undoing(step.id, by=by, reason="event", comment=note, force=force)
            for step in self._catalog.reviews.active()
            if step.event in versions and step.action != UNDO
        ]
