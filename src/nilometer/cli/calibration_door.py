"""Calibration records of a data folder, through the server that holds it or a pipeline of our own: the same calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nilometer.cli import review_door
from nilometer.errors import ConfigError
from nilometer.model import Datastream
from nilometer.pipeline import Pipeline
from nilometer.web.api.calibration_bodies import (
    RecordBody,
    StandardBody,
    due_documents,
    record_document,
    record_documents,
    record_order,
    recorded_document,
    standard_document,
    standard_order,
)
from nilometer.web.api.review_bodies import parsed
from nilometer.web.times import parse_moment

__all__ = ["ask"]

T = TypeVar("T")


def ask(folder: Path, question: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- JSON
    """Put a question to whoever holds a data folder; see `nilometer.cli.review_door.ask`.

    Raises
    ------
    ConfigError
        If it is no data folder.
    NilometerError
        What the call raises.
    """
    return review_door.ask(folder, question, _Own)


class _Own:
    """A pipeline of our own, with the calls of a client that are about calibrations; called beside its loop."""

    def __init__(self, pipeline: Pipeline, loop: asyncio.AbstractEventLoop) -> None:
        self._pipeline, self._loop = pipeline, loop
        self._catalog = pipeline.store.catalog

    def calibrations(self, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- JSON
        return record_documents(
            self._pipeline,
            self._named(query),
            kind=query.get("kind"),
            as_of=parse_moment(query.get("as_of"), "as_of"),
            withdrawn=query.get("withdrawn") == "true",
        )

    def calibration(self, record: int) -> dict[str, Any]:
        versions = self._catalog.calibration_records.record_versions(record)
        documents = [record_document(one, self._catalog) for one in versions]
        return documents[-1] | {"versions": documents}

    def enter_calibration(self, record: Mapping[str, Any], correct: int | None = None) -> dict[str, Any]:
        order = record_order(parsed(RecordBody, record))
        return recorded_document(self._done(self._pipeline.calibrations.enter(order, correct)), self._catalog)

    def withdraw_calibration(self, record: int, by: str, comment: str = "") -> dict[str, Any]:
        done = self._done(self._pipeline.calibrations.withdraw(record, by=by, comment=comment))
        return recorded_document(done, self._catalog)

    def calibrations_due(self, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- JSON
        wanted = self._named(query)
        wanted = self._catalog.datastreams() if wanted is None else wanted
        return due_documents(self._pipeline, wanted, parse_moment(query.get("as_of"), "as_of"))

    def standards(self, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- JSON
        moment = parse_moment(query.get("as_of"), "as_of")
        commit = None if moment is None else self._pipeline.store.commit_at(moment)
        found = self._catalog.calibration_records.standards(commit, withdrawn=query.get("withdrawn") == "true")
        return [standard_document(one) for one in found]

    def enter_standard(self, standard: Mapping[str, Any], correct: int | None = None) -> dict[str, Any]:
        order = standard_order(parsed(StandardBody, standard))
        return standard_document(self._done(self._pipeline.calibrations.enter_standard(order, correct)))

    def withdraw_standard(self, standard: int, by: str, comment: str = "") -> dict[str, Any]:
        gone = self._pipeline.calibrations.withdraw_standard(standard, by=by, comment=comment)
        return standard_document(self._done(gone))

    def _named(self, query: Mapping[str, Any]) -> list[Datastream] | None:
        if query.get("datastream") is not None:
            return self._pipeline.orders.datastreams([query["datastream"]], "--datastream")
        name = query.get("thing")
        if name is None:
            return None
        thing = self._catalog.thing_by_key(name)
        if thing is None:
            known = [one.key for one in self._catalog.things()]
            raise ConfigError("--thing", seen=name, allowed=known, reason="no such thing")
        return [one for one in self._catalog.datastreams() if one.thing == thing.id]

    def _done(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()
