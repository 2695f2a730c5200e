"""Who hears of what: topics subscribed to, and what commits and changed entities mean for them.

A set's topic hears of every entity that is new in it or changed, an entity's and a property's of every change, each in
the words that GET would answer with. Flags that settle later are not told: they would double every message.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from nilometer.errors import NilometerError, NotFound, Overloaded
from nilometer.pipeline import LiveRows, Pipeline, Subscription
from nilometer.pipeline.log import Log
from nilometer.web.exchange import encode_json
from nilometer.web.mqtt.session import Session
from nilometer.web.mqtt.topics import EVERY_SET, PREFIX, Topic, parse_topic
from nilometer.web.sensorthings.paths import ResourcePath, Step
from nilometer.web.sensorthings.schema import SETS, STREAMS
from nilometer.web.sensorthings.service import Answer, Service, Target

__all__ = ["MOST_OF_CLIENT", "Hearing"]

MOST_OF_CLIENT = 1_000
"""Topics of one client."""
MOST_TOPICS = 20_000
MOST_AT_ONCE = 5_000
"""Observations that are read and told in one go."""
_log = Log(__name__)


@dataclass(slots=True, eq=False)
class _Heard:
    """A topic, what it leads to, who subscribed by which filter with which QoS, and what was told last."""

    topic: Topic
    target: Target
    by: dict[tuple[Session, str], int] = field(default_factory=dict)
    last: bytes | None = None

    def say(self, payload: bytes) -> None:
        for (session, _), qos in self.by.items():
            session.say(self.topic.text, payload, qos)

    @property
    def is_set(self) -> bool:
        return self.target.number is None


class Hearing:
    """The subscriptions of all clients.

    Parameters
    ----------
    pipeline : Pipeline
        Whose commits and catalog are listened to.
    service : Service
        Words what is told.
    root, api : str
        URLs of the SensorThings service and of the native API, for links.
    """

    def __init__(self, pipeline: Pipeline, service: Service, root: str, api: str) -> None:
        self._pipeline, self._service, self._root, self._api = pipeline, service, root, api
        self._loop = asyncio.get_running_loop()
        self._heard: dict[str, _Heard] = {}
        self._changed: dict[tuple[str, int], bool] = {}
        self._has_changed = asyncio.Event()
        self._rows: Subscription | None = None
        self._tasks = [self._loop.create_task(self._follow_entities())]
        pipeline.store.catalog.on_change(self._note)

    async def close(self) -> None:
        """Tell nobody any more."""
        if self._rows is not None:
            self._pipeline.unsubscribe(self._rows)
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def subscribe(self, session: Session, text: str, qos: int) -> int:
        """Add a topic to a client's, and return the QoS it is told with.

        Raises
        ------
        RequestError, NotFound
            If it is no topic, or leads nowhere.
        Overloaded
            If there are too many.
        """
        granted = min(qos, 1)
        if text not in session.topics and len(session.topics) >= MOST_OF_CLIENT:
            raise Overloaded(f"a client has {MOST_OF_CLIENT} topics at most")
        for name in _meant(text):
            heard = self._heard.get(name)
            if heard is None:
                if len(self._heard) >= MOST_TOPICS:
                    raise Overloaded(f"{MOST_TOPICS} topics are subscribed to already")
                topic = parse_topic(name)
                target = await asyncio.to_thread(self._service.resolve, topic.path, self._root)
                made = _Heard(topic, target)
                made.last = await asyncio.to_thread(self._tried if made.is_set else self._worded, made)
                heard = self._heard.setdefault(name, made)
            heard.by[session, text] = granted
        session.topics[text] = granted
        self._listen()
        return granted

    def unsubscribe(self, session: Session, text: str) -> bool:
        """Take a topic from a client's, and say whether it was among them."""
        if session.topics.pop(text, None) is None:
            return False
        for name in _meant(text):
            heard = self._heard.get(name)
            if heard is not None:
                heard.by.pop((session, text), None)
                if not heard.by:
                    del self._heard[name]
        self._listen()
        return True

    def forget(self, session: Session) -> None:
        """Take all topics from a client."""
        for text in list(session.topics):
            self.unsubscribe(session, text)

    def _listen(self) -> None:
        """Listen to commits while somebody wants to hear of them."""
        wanted = any(heard.target.kind in {"Observation", *STREAMS} for heard in self._heard.values())
        if wanted and self._rows is None:
            self._rows = self._pipeline.subscribe()
            self._tasks.append(self._loop.create_task(self._follow_rows(self._rows)))
        elif not wanted and self._rows is not None:
            self._pipeline.unsubscribe(self._rows)
            self._rows = None
            self._tasks = [task for task in self._tasks if not task.done()]

    async def _follow_rows(self, subscription: Subscription) -> None:
        async for live in subscription:
            shed = subscription.take_shed()
            if shed:
                _log.warning("MQTT subscribers were not told of rows that came too fast", rows=shed)
            try:
                await self._tell_rows(live)
            except NilometerError as error:
                _log.warning("MQTT subscribers could not be told of new rows", error=str(error))

    async def _tell_rows(self, live: LiveRows) -> None:
        rows = live.rows
        if rows.id is None or not len(rows):
            return
        streams = set(np.unique(rows.datastream).tolist())
        for number in streams:
            is_multi = self._pipeline.store.catalog.streams.is_multi(number)
            self._note_id("MultiDatastream" if is_multi else "Datastream", number, by_rows=True)
        heards = [heard for heard in self._heard.values() if heard.target.kind == "Observation"]
        for heard in heards:
            if not heard.is_set:
                self._note_id("Observation", heard.target.number or 0, by_rows=True)
        ids = rows.id[self._wanted(live, heards)]
        for start in range(0, len(ids), MOST_AT_ONCE):
            sets = [heard for heard in heards if heard.is_set and _may_hold(heard.target, streams)]
            wanted = [(heard.target, heard.topic.options) for heard in sets]
            some = ids[start : start + MOST_AT_ONCE].tolist()
            told = await asyncio.to_thread(self._service.told, some, wanted, self._root, self._api)
            for heard, documents in zip(sets, told, strict=True):
                if isinstance(documents, NilometerError):
                    self._complain(heard, documents)
                    continue
                for document in documents:
                    heard.say(document)

    @staticmethod
    def _complain(heard: _Heard, error: NilometerError) -> None:
        _log.warning("MQTT: a topic's subscribers could not be told", topic=heard.topic.text[:200], error=str(error))

    @staticmethod
    def _wanted(live: LiveRows, heards: list[_Heard]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return which rows anybody may want, so that no other is read."""
        datastreams = []
        for heard in heards:
            parent = heard.target.parent
            if parent is None or parent[0] not in STREAMS:
                return np.ones(len(live.rows), bool)
            datastreams.append(parent[1])
        return np.isin(live.rows.datastream, datastreams)

    def _note(self, entity: object) -> None:
        """Take notice of an entity that was added or changed; called in any thread."""
        number = getattr(entity, "id", None)
        if self._heard and isinstance(number, int):
            # The loop may have ended before the store.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._note_id, type(entity).__name__, number)

    def _note_id(self, kind: str, number: int, *, by_rows: bool = False) -> None:
        # A Datastream that only got rows is neither new nor changed in a set: its own topics alone are told.
        self._changed[kind, number] = self._changed.get((kind, number), False) or not by_rows
        self._has_changed.set()

    async def _follow_entities(self) -> None:
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            changed, self._changed = self._changed, {}
            try:
                for heard, payload in await asyncio.to_thread(self._news, changed, list(self._heard.values())):
                    heard.say(payload)
            except NilometerError as error:
                _log.warning("MQTT subscribers could not be told of a change", error=str(error))

    def _news(self, changed: dict[tuple[str, int], bool], heards: list[_Heard]) -> list[tuple[_Heard, bytes]]:
        news = []
        for (kind, number), is_itself in changed.items():
            for heard in heards:
                target = heard.target
                if target.kind != kind or (heard.is_set and not is_itself):
                    continue
                if not heard.is_set and target.number != number:
                    continue
                try:
                    payload = self._in_set(heard, number) if heard.is_set else self._worded(heard)
                except NilometerError as error:
                    self._complain(heard, error)
                    continue
                if not heard.is_set:
                    if payload == heard.last:
                        continue
                    heard.last = payload
                if payload is not None:
                    news.append((heard, payload))
        return news

    def _tried(self, heard: _Heard) -> None:
        """Read a set as the topic wants it, so that what is wrong with it is said to who subscribes."""
        self._service.get(heard.topic.path, replace(heard.topic.options, top=1), self._root, self._api)

    def _in_set(self, heard: _Heard, number: int) -> bytes | None:
        *before, last = heard.topic.path.steps
        path = replace(heard.topic.path, steps=(*before, Step(last.name, number)))
        try:
            return self._get(path, heard).body
        except NotFound:
            return None

    def _worded(self, heard: _Heard) -> bytes | None:
        try:
            answer = self._get(heard.topic.path, heard)
        except NotFound:
            return None
        # A property that is null has no body, and is told as what it is.
        return answer.body or encode_json({(heard.target.property or "").rpartition("/")[2]: None})

    def _get(self, path: ResourcePath, heard: _Heard) -> Answer:
        answer = self._service.get(path, heard.topic.options, self._root, self._api)
        assert isinstance(answer, Answer)  # noqa: S101 -- one entity never comes in pieces
        return answer


def _may_hold(target: Target, datastreams: set[int]) -> bool:
    """Say whether a set of Observations may hold rows of these Datastreams."""
    parent = target.parent
    return parent is None or parent[0] not in STREAMS or parent[1] in datastreams


def _meant(text: str) -> Iterable[str]:
    """Return the topics that a filter stands for."""
    return [f"{PREFIX}{name}" for name in SETS] if text in EVERY_SET else [text]
