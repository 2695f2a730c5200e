"""PATCH and PUT of Observations: a new version of the row under its id, through calibration and qc; the old stays."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from nilometer.errors import Conflict, NotFound, RequestError, StoreError
from nilometer.model import NO_TIME, MultiDatastream, ObservationBatch
from nilometer.pipeline import Pipeline
from nilometer.pipeline.computed import why_computed
from nilometer.pipeline.log import Log
from nilometer.web.sensorthings.changes.bodies import Draft
from nilometer.web.sensorthings.changes.rows import kept_of, number_of
from nilometer.web.sensorthings.changes.several import check_result
from nilometer.web.sensorthings.quality import split_extra
from nilometer.web.sensorthings.schema import STREAMS
from nilometer.web.times import parse_interval

__all__ = ["Observing"]

_log = Log(__name__)


class Observing:
    """Updates Observations, one at a time: two updates of one do not lose each other's members.

    Parameters
    ----------
    pipeline : Pipeline
        Where rows go.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._catalog = pipeline, pipeline.store.catalog
        self._turn = asyncio.Lock()

    async def update(self, number: int, draft: Draft, *, whole: bool) -> None:
        """Make what a draft says of an Observation durable.

        Parameters
        ----------
        number : int
            Its id.
        draft : Draft
            What changes.
        whole : bool
            Whether what it leaves out goes, as in PUT.

        Raises
        ------
        NotFound
            If it is not there.
        RequestError
            If it cannot be so.
        Conflict, ReviewRefused
            If it is computed, or somebody signed it.
        """
        async with self._turn:
            batch = await asyncio.to_thread(self._revised, number, draft, whole)
            outcome = await self._pipeline.changes.ingest(batch)
        if outcome.rejected:
            raise RequestError(outcome.errors[0][1] if outcome.errors else "the row was refused", place="$")
        await asyncio.to_thread(self._note, number, sorted([*draft.values, *draft.links]))

    def _note(self, number: int, said: list[str]) -> None:
        """Note who changed what; the change is durable already, and stays where it cannot be noted."""
        try:
            now, subject = self._pipeline.clock(), f"Observation/{number}"
            self._catalog.add_audit(now, "", "observation.update", subject, {"changed": said})
        except StoreError as error:
            _log.warning("a change of an Observation is not in the audit trail", observation=number, error=str(error))

    def _revised(self, number: int, draft: Draft, whole: bool) -> ObservationBatch:  # noqa: FBT001 -- of `to_thread`
        stored = self._pipeline.store.snapshot().by_id([number])
        if not stored.num_rows:
            raise NotFound(f"there is no Observation with id {number}")
        batch = ObservationBatch.from_arrow(stored)
        datastream, time = int(batch.datastream[0]), int(batch.phenomenon_time[0])
        reason = why_computed(datastream, self._catalog)
        if reason is not None:
            raise Conflict(reason, place="path")
        self._pipeline.orders.check_unsigned([datastream], [(time, time + 1)], force=False)
        self._link(batch, datastream, draft)
        if draft.values.get("phenomenonTime", ...) is None:
            raise RequestError("phenomenonTime of an Observation cannot be null", place="$.phenomenonTime")
        stream = self._catalog.streams.get(datastream)
        if isinstance(stream, MultiDatastream) and "result" in draft.values:
            check_result(draft.values["result"], stream, "$.result")
        values = self._values(batch, whole=whole) | draft.values
        return self._with(batch, values, given="result" in draft.values)

    def _link(self, batch: ObservationBatch, datastream: int, draft: Draft) -> None:
        own = "MultiDatastream" if self._catalog.streams.is_multi(datastream) else "Datastream"
        for name in sorted(STREAMS & draft.links.keys()):
            if name != own or draft.links[name][0] != datastream:
                raise Conflict(
                    f"the id of an Observation is its {own}'s: post it to the other one, and delete this one",
                    place=f"$.{name}",
                )
        for feature in draft.links.get("FeatureOfInterest", []):
            assert isinstance(feature, int)  # noqa: S101 -- an update links only
            try:
                batch.feature = np.array([self._catalog.feature(feature).id], np.int32)
            except NotFound as error:
                raise RequestError(str(error), place="$.FeatureOfInterest") from error

    @staticmethod
    def _values(batch: ObservationBatch, *, whole: bool) -> dict[str, Any]:
        """Return what an Observation says so far; its time always, the rest unless it is replaced whole."""
        assert batch.duration is not None  # noqa: S101 -- the lake has it
        values: dict[str, Any] = {"phenomenonTime": (int(batch.phenomenon_time[0]), int(batch.duration[0]))}
        if whole:
            return values
        parameters, others = split_extra(batch.extra[0].as_py())
        result_time = NO_TIME if batch.result_time is None else int(batch.result_time[0])
        return values | {
            "parameters": parameters or None,
            "resultQuality": others.get("@resultQuality"),
            "validTime": parse_interval(others["@validTime"]) if "@validTime" in others else None,
            "resultTime": None if result_time == NO_TIME else result_time,
            "@result": others.get("@result"),
        }

    @staticmethod
    def _with(batch: ObservationBatch, values: dict[str, Any], *, given: bool) -> ObservationBatch:
        extra = kept_of(values, "$")
        if given:
            batch.raw_result = np.array([number_of(values["result"], extra)])
        elif values.get("@result") is not None:
            extra["@result"] = values["@result"]
        start, duration = values["phenomenonTime"]
        batch.phenomenon_time, batch.duration = np.array([start], np.int64), np.array([duration], np.int64)
        result_time = values.get("resultTime")
        batch.result_time = None if result_time is None else np.array([result_time], np.int64)
        batch.extra = pa.array([msgspec.json.encode(extra).decode()]) if extra else None
        batch.supersedes = np.array([True])
        # What was made of the row is made anew of what it is now.
        batch.result = batch.result_uncertainty = batch.result_quality = batch.provenance = None
        batch.tests = None
        return batch
