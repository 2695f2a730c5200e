"""Creating Observations: one body, checked to its last member, made durable before it is answered."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from nilometer.errors import NotFound, RequestError, WrongMediaType
from nilometer.model import Datastream, MultiDatastream, ObservationBatch
from nilometer.pipeline import Pipeline
from nilometer.pipeline.computed import why_computed
from nilometer.store.admission import REJECTED
from nilometer.web.exchange import Exchange
from nilometer.web.sensorthings.changes.bodies import check_nesting, read_json, read_link
from nilometer.web.sensorthings.changes.changes import Changes
from nilometer.web.sensorthings.changes.making import NO_PLACE
from nilometer.web.sensorthings.changes.rows import kept_of, number_of
from nilometer.web.sensorthings.changes.several import check_result, chosen
from nilometer.web.sensorthings.schema import OBSERVATION
from nilometer.web.times import parse_interval, parse_time

__all__ = ["MOST_BYTES", "Creation", "read_observation"]

MOST_BYTES = 1 << 20
_OF_STREAM = re.compile(rb"(Multi)?Datastreams\((\d{1,9})\)/Observations")


class NewObservation(msgspec.Struct, forbid_unknown_fields=True):
    """An Observation as it is posted."""

    result: Any = msgspec.UNSET
    phenomenon_time: str | None = msgspec.field(name="phenomenonTime", default=None)
    result_time: str | None = msgspec.field(name="resultTime", default=None)
    result_quality: Any = msgspec.field(name="resultQuality", default=None)
    valid_time: str | None = msgspec.field(name="validTime", default=None)
    parameters: dict[str, Any] | None = None
    datastream: Any = msgspec.field(name="Datastream", default=None)
    multi: Any = msgspec.field(name="MultiDatastream", default=None)
    feature: Any = msgspec.field(name="FeatureOfInterest", default=None)
    own_id: Any = msgspec.field(name="@iot.id", default=None)
    own_link: Any = msgspec.field(name="@iot.selfLink", default=None)
    datastream_link: Any = msgspec.field(name="Datastream@iot.navigationLink", default=None)
    multi_link: Any = msgspec.field(name="MultiDatastream@iot.navigationLink", default=None)
    feature_link: Any = msgspec.field(name="FeatureOfInterest@iot.navigationLink", default=None)


_decoder = msgspec.json.Decoder(NewObservation)


def read_observation(body: bytes) -> NewObservation:
    """Return a posted Observation.

    Raises
    ------
    RequestError
        If it is no JSON (the place is a byte) or no Observation (the place is a JSON path).
    """
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `")
        raise RequestError(text, place=place.rstrip("`") or "$") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"this is no JSON: {error}", place=_byte(error, body)) from error


def _byte(error: Exception, body: bytes) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start}"
    found = re.search(r"\(byte (\d+)\)", str(error))
    return f"byte {found[1]}" if found else f"byte {len(body)}"


class Creation:
    """``POST …/Observations``.

    Parameters
    ----------
    pipeline : Pipeline
        Where rows go.
    changes : Changes
        Makes the entities that come with an Observation.
    """

    def __init__(self, pipeline: Pipeline, changes: Changes) -> None:
        self._pipeline, self._changes = pipeline, changes
        self._catalog = pipeline.store.catalog
        self._placed: set[int] = set()
        self._catalog.on_change(self._changed)

    def stream_of(self, path: bytes) -> int | None:
        """Return the id of ``Datastreams(1)/Observations`` or ``MultiDatastreams(1)/…``; None for another path.

        Raises
        ------
        NotFound
            If there is no such Datastream or MultiDatastream.
        """
        match = _OF_STREAM.fullmatch(path)
        if match is None:
            return None
        streams = self._catalog.streams
        return (streams.plain if match[1] is None else streams.multi).get(int(match[2])).id

    async def create(self, exchange: Exchange, root: str, stream: int | None) -> None:
        """Read an Observation, make it durable, and answer 201 with its URL.

        Parameters
        ----------
        exchange : Exchange
            The request.
        root : str
            URL of the service.
        stream : int, optional
            The Datastream or MultiDatastream that the path says.

        Raises
        ------
        RequestError, StoreError
            As the table of statuses has them.
        """
        if exchange.media_type not in {"application/json", ""}:
            raise WrongMediaType(f"content-type {exchange.media_type[:60]!r} is not read (allowed: application/json)")
        number = await self.store(await exchange.body(MOST_BYTES), stream)
        link = f"{root}/Observations({number})"
        await exchange.answer_json({"@iot.id": number, "@iot.selfLink": link}, HTTPStatus.CREATED, [("location", link)])

    async def store_below(self, body: bytes, feature: int) -> int:
        """Return the id of an Observation that was given to a FeatureOfInterest, once it is durable; see `store`."""
        return await self._changes.create(OBSERVATION, read_json(body), {"FeatureOfInterest": feature})

    async def store(self, body: bytes, stream: int | None) -> int:
        """Return the id of an Observation once it is durable: a new one, unless its stream knows its times.

        Parameters
        ----------
        body : bytes
            What a client gave; related entities that come with it are made.
        stream : int, optional
            The Datastream or MultiDatastream that the path or the topic says.

        Raises
        ------
        RequestError, StoreError
            If it cannot be stored; then nothing was made.
        """
        posted = read_observation(body)
        if _makes(posted.datastream) or _makes(posted.multi) or _makes(posted.feature):
            given = {} if stream is None else {type(self._catalog.streams.get(stream)).__name__: stream}
            return await self._changes.create(OBSERVATION, read_json(body), given)
        start, duration = self._time(posted)
        result, extra = _result(posted)
        owner = self._stream(posted, stream)
        number = owner.id
        if isinstance(owner, MultiDatastream):
            check_result(posted.result, owner, "$.result")
        if posted.feature is None and number not in self._placed:
            self._check_place(number)
        computed = why_computed(number, self._catalog)
        if computed is not None:
            raise RequestError(computed, place="$.Datastream")
        always_new = owner.properties.get("nilometer", {}).get("identity") != "time"
        if posted.feature is None and posted.result_time is None and not extra:
            row = await self._pipeline.ingest_one(number, start, result, duration=duration, always_new=always_new)
            if row.status == REJECTED:
                raise RequestError(row.reason, place="$")
            return row.id
        batch = ObservationBatch(
            datastream=np.array([number], np.int32),
            always_new=np.array([always_new]),
            phenomenon_time=np.array([start], np.int64),
            raw_result=np.array([result]),
            duration=np.array([duration], np.int64) if duration else None,
            feature=self._feature(posted),
            result_time=None
            if posted.result_time is None
            else np.array([parse_time(posted.result_time, "$.resultTime")], np.int64),
            extra=pa.array([msgspec.json.encode(extra).decode()]) if extra else None,
        )
        outcome = await self._pipeline.ingest(batch)
        if outcome.rejected:
            raise RequestError(outcome.errors[0][1] if outcome.errors else "the row was refused", place="$")
        return int(outcome.id[0])

    def _changed(self, entity: object) -> None:
        if not isinstance(entity, Datastream):
            self._placed = set()  # a Thing may stand elsewhere, or nowhere

    def _check_place(self, datastream: int) -> None:
        if not self._catalog.has_place(datastream):
            raise RequestError(NO_PLACE, place="$.FeatureOfInterest")
        self._placed.add(datastream)

    def _time(self, posted: NewObservation) -> tuple[int, int]:
        if posted.phenomenon_time is None:
            return self._pipeline.clock(), 0
        return parse_interval(posted.phenomenon_time, "$.phenomenonTime")

    def _stream(self, posted: NewObservation, given: int | None) -> Datastream:
        streams = self._catalog.streams
        links = {"Datastream": posted.datastream, "MultiDatastream": posted.multi}
        said = {name: link for name, link in links.items() if link is not None}
        of_path = None if given is None else streams.get(given)
        if of_path is not None and not said:
            return of_path
        name = chosen(said if of_path is None else {**said, type(of_path).__name__: given}, "$")
        number = _linked(name, said[name])
        if given is not None and number != given:
            raise RequestError(f"{name} {number} contradicts the path, which says {given}", place=f"$.{name}")
        try:
            return (streams.plain if name == "Datastream" else streams.multi).get(number)
        except NotFound as error:
            raise RequestError(str(error), place=f"$.{name}") from error

    def _feature(self, posted: NewObservation) -> Any:  # noqa: ANN401 -- an array or None
        if posted.feature is None:
            return None
        try:
            feature = self._catalog.feature(_linked("FeatureOfInterest", posted.feature))
            return np.array([feature.id], np.int32)
        except NotFound as error:
            raise RequestError(str(error), place="$.FeatureOfInterest") from error


def _linked(name: str, given: Any) -> int:  # noqa: ANN401 -- any JSON
    """Return the id of a link ``{"@iot.id": 1}``."""
    number = read_link(given, f"$.{name}")
    if number is None:
        raise RequestError('expected a link {"@iot.id": …}', place=f"$.{name}")
    return number


def _makes(given: Any) -> bool:  # noqa: ANN401 -- any JSON
    """Say whether an entity comes with an Observation, rather than a link to one."""
    return isinstance(given, dict) and "@iot.id" not in given


def _result(posted: NewObservation) -> tuple[float, dict[str, Any]]:
    """Return the number that float64 holds exactly, NaN for anything else, and what is kept beside it."""
    result = posted.result
    if result is msgspec.UNSET:
        raise RequestError("result is missing; null says that there is no value", place="$.result")
    values = {"parameters": posted.parameters, "resultQuality": posted.result_quality}
    for name, value in {"result": result, **values}.items():
        check_nesting(value, f"$.{name}")
    if posted.valid_time is not None:
        values["validTime"] = parse_interval(posted.valid_time, "$.validTime")
    extra = kept_of(values, "$")
    return number_of(result, extra), extra
