"""Review, deletes, reprocessing of a data folder, through the server that holds it or a pipeline of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nilometer.client import connect
from nilometer.config import Config, load
from nilometer.config_derived import DerivedConfig
from nilometer.errors import ConfigError, NotFound, StoreLocked
from nilometer.pipeline import Pipeline
from nilometer.web.api.deletes import delete_order, deleted_document
from nilometer.web.api.derived_documents import declared_document
from nilometer.web.api.reprocess import ReprocessBody, progress_document, reprocess_order
from nilometer.web.api.review_bodies import (
    EventBody,
    ReviewBody,
    UndoBody,
    WithdrawBody,
    entered_document,
    event_document,
    event_order,
    parsed,
    review_order,
    step_document,
)
from nilometer.web.times import parse_moment

__all__ = ["ask"]

Ask = Callable[[Any], Any]
Own = Callable[[Pipeline, asyncio.AbstractEventLoop], Any]


def ask(folder: Path, question: Ask, own: Own | None = None) -> Any:  # noqa: ANN401 -- JSON
    """Put a question to whoever holds a data folder, and return the answer.

    Parameters
    ----------
    folder : path
        The data folder.
    question : callable
        Given something with the calls of `nilometer.client.Client` that review, note events and delete.
    own : callable, optional
        Makes what is asked where no server holds the folder, of a pipeline and its loop; None: what has these calls.

    Raises
    ------
    ConfigError
        If it is no data folder.
    NilometerError
        What the call raises.
    """
    return asyncio.run(_ask(folder, question, _Own if own is None else own))


async def _ask(folder: Path, question: Ask, own: Own) -> Any:  # noqa: ANN401 -- JSON
    if not (folder / "VERSION").exists():
        raise ConfigError("--data", seen=str(folder), reason="this is no data folder of nilometer")
    file = folder / "nilometer.toml"
    config = load(file) if file.exists() else Config()
    try:
        pipeline = Pipeline(folder, config.model_copy(update={"sources": ()}), config_file=file)
    except StoreLocked as locked:
        if not locked.address:
            raise
        return await asyncio.to_thread(question, connect(locked.address, token=config.server.token))
    async with _running(pipeline):
        return await asyncio.to_thread(question, own(pipeline, asyncio.get_running_loop()))


@asynccontextmanager
async def _running(pipeline: Pipeline) -> AsyncIterator[None]:
    await pipeline.start()
    try:
        yield
    finally:
        await pipeline.close()


class _Own:
    """A pipeline of our own, with the calls of a client; called beside its loop."""

    def __init__(self, pipeline: Pipeline, loop: asyncio.AbstractEventLoop) -> None:
        self._pipeline, self._loop = pipeline, loop
        self._catalog = pipeline.store.catalog

    def review(self, action: str, datastreams: Sequence[str | int], **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        body = parsed(ReviewBody, {"action": action, "datastreams": list(datastreams), **told})
        return self._done(self._pipeline.review(review_order(body)))

    def undo(self, step: int, by: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        body = parsed(UndoBody, {"by": by, **told})
        return self._done(self._pipeline.undo(step, **body.model_dump()))

    def delete(self, datastreams: Sequence[str | int], **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        order = delete_order(list(datastreams), **told)
        return deleted_document(asyncio.run_coroutine_threadsafe(self._pipeline.delete(order), self._loop).result())

    def reprocess(self, datastreams: Sequence[str | int] = (), **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        body = parsed(ReprocessBody, {"datastreams": list(datastreams), **told})
        self._pipeline.reprocessing.start(reprocess_order(body))
        return self.reprocessing()

    def reprocessing(self) -> dict[str, Any]:
        return progress_document(self._pipeline.reprocessing.progress)

    def reprocess_changes(self) -> bytes:
        file = self._pipeline.reprocessing.changes
        if file is None:
            raise NotFound("no run has kept its changed rows")
        return file.read_bytes()

    def derived(self) -> list[dict[str, Any]]:
        return [declared_document(one) for one in self._pipeline.derived.all()]

    def derive(self, table: dict[str, Any], *, by: str = "") -> dict[str, Any]:
        made = self._pipeline.define(parsed(DerivedConfig, table), by=by)
        number = asyncio.run_coroutine_threadsafe(made, self._loop).result().id
        return next(one for one in self.derived() if one["datastream"] == number)

    def underive(self, key: str, *, by: str = "") -> dict[str, Any]:
        gone = asyncio.run_coroutine_threadsafe(self._pipeline.undefine(key, by=by), self._loop).result()
        return {"datastream": gone.id, "key": gone.key}

    def reviews(self, datastream: str | int | None = None, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- JSON
        moment = parse_moment(query.get("as_of"), "as_of")
        commit = None if moment is None else self._pipeline.store.commit_at(moment)
        steps = [step for step in self._catalog.reviews.steps() if commit is None or step.sequence <= commit]
        if datastream is not None:
            (one,) = self._pipeline.orders.datastreams([datastream], "--datastream")
            key = self._catalog.observed_property(one.observed_property).key
            steps = [step for step in steps if step.speaks_of(one.id, one.thing, key)]
        return [step_document(step, self._catalog) for step in steps]

    def enter_event(self, kind: str, start: str, by: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        body = parsed(EventBody, {"kind": kind, "start": start, "by": by, **told})
        return self._done(self._pipeline.note(event_order(body)))

    def edit_event(self, event: int, kind: str, start: str, by: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        body = parsed(EventBody, {"kind": kind, "start": start, "by": by, **told})
        return self._done(self._pipeline.note(event_order(body), event))

    def withdraw_event(self, event: int, by: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        body = parsed(WithdrawBody, {"by": by, **told})
        return self._done(self._pipeline.withdraw(event, **body.model_dump()))

    def events(self, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- JSON
        name = query.get("thing")
        thing = None if name is None else self._catalog.thing_by_key(name)
        if name is not None and thing is None:
            known = [one.key for one in self._catalog.things()]
            raise ConfigError("--thing", seen=name, allowed=known, reason="no such thing")
        found = self._catalog.ledger.events(
            None if thing is None else thing.id,
            parse_moment(query.get("start"), "start"),
            parse_moment(query.get("end"), "end"),
            None,
            kind=query.get("kind"),
            entered_only=True,
        )
        return [event_document(event, self._catalog) for event in found]

    def _done(self, doing: Any) -> dict[str, Any]:  # noqa: ANN401 -- a coroutine
        return entered_document(self._catalog, asyncio.run_coroutine_threadsafe(doing, self._loop).result())
