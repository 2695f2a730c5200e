"""``POST CreateObservations``: data arrays become columns, a group at a time; a bad row is named and undoes no other.

A group of plain times and numbers, or arrays of a MultiDatastream, is never looked at row by row. Any other is: each
of its rows is read as a posted Observation is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import NotFound, RequestError
from nilometer.model import NO_TIME, Datastream, MultiDatastream, ObservationBatch
from nilometer.pipeline import IngestOutcome, Pipeline
from nilometer.pipeline.computed import why_computed
from nilometer.store.admission import REJECTED
from nilometer.web.exchange import Budget
from nilometer.web.sensorthings.changes.bodies import check_nesting, read_link, read_value
from nilometer.web.sensorthings.changes.making import NO_PLACE
from nilometer.web.sensorthings.changes.rows import NewRow, batch_of, row_of
from nilometer.web.sensorthings.changes.several import check_result, chosen
from nilometer.web.sensorthings.schema import OBSERVATION

__all__ = ["MOST_BYTES", "DataArrays"]

MOST_BYTES = 64 << 20
ROWS_A_DELIVERY = 131_072
_FEATURE = frozenset({"FeatureOfInterest/id", "FeatureOfInterest/@iot.id"})
_KNOWN = frozenset({"phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters", *_FEATURE})
_PLAIN = frozenset({"phenomenonTime", "result", "resultTime"})
_TIME = pa.timestamp("us", tz="UTC")
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999


class _Group(msgspec.Struct):
    """A group as it is sent."""

    # Tuples of texts and numbers are let go of by the garbage collector, which would look at every list for ever.
    rows: list[tuple[Any, ...]] = msgspec.field(name="dataArray")
    datastream: Any = msgspec.field(name="Datastream", default=None)
    multi: Any = msgspec.field(name="MultiDatastream", default=None)
    components: list[str] = []
    count: Any = msgspec.field(name="dataArray@iot.count", default=None)


_decoder = msgspec.json.Decoder(list[_Group])


@dataclass(slots=True)
class _Read:
    """What was read of a body: the rows that can be delivered, with their places, and why the others cannot."""

    n: int = 0
    batches: list[ObservationBatch] = field(default_factory=list)
    places: list[NDArray[np.int64]] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)


class DataArrays:
    """The endpoint.

    Parameters
    ----------
    pipeline : Pipeline
        Where rows go.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._catalog = pipeline, pipeline.store.catalog
        self.budget = Budget(2 * MOST_BYTES)

    async def create(self, body: bytes, root: str) -> bytes:
        """Make the Observations of a body durable, and return the answer: a link, or an error, for each row in order.

        Parameters
        ----------
        body : bytes
            An array of groups.
        root : str
            URL of the service.

        Raises
        ------
        RequestError
            If it is no such array; then nothing was made.
        StoreError
            If the store refuses.
        """
        read = await asyncio.to_thread(self._read, body)
        ids = np.zeros(read.n, np.int64)
        if read.batches:
            batch, places = ObservationBatch.concat(read.batches), np.concatenate(read.places)
            waiting: list[tuple[int, asyncio.Future[IngestOutcome]]] = []
            for start in range(0, len(batch), ROWS_A_DELIVERY):
                some = slice(start, min(start + ROWS_A_DELIVERY, len(batch)))
                waiting.append((start, await self._pipeline.queue(batch.take(some))))
            for start, answer in waiting:
                outcome = await answer
                mine = places[start : start + len(outcome.id)]
                ids[mine] = np.where(outcome.status == REJECTED, 0, outcome.id)
                read.errors |= {int(mine[row]): reason for row, reason in outcome.errors}
        return await asyncio.to_thread(_answer, ids, read.errors, root)

    def _read(self, body: bytes) -> _Read:
        try:
            groups = _decoder.decode(body)
        except RecursionError as error:
            raise RequestError("this JSON is nested too deeply to be read", place="$") from error
        except msgspec.ValidationError as error:
            text, _, place = str(error).partition(" - at `")
            raise RequestError(text, place=place.rstrip("`") or "$") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RequestError(f"this is no JSON: {error}", place="$") from error
        for number, group in enumerate(groups):
            _check_components(group.components, f"$[{number}].components")
            if group.datastream is None and group.multi is None:
                raise RequestError('a group names its Datastream: {"@iot.id": …}', place=f"$[{number}].Datastream")
        read = _Read()
        for number, group in enumerate(groups):
            self._take(group, read, f"$[{number}]")
            read.n += len(group.rows)
        return read

    def _take(self, group: _Group, read: _Read, at: str) -> None:
        places = np.arange(read.n, read.n + len(group.rows))
        if not len(places):
            return
        try:
            stream, always_new = self._stream(group, at)
        except RequestError as error:
            read.errors |= dict.fromkeys(places.tolist(), str(error))
            return
        batch = _columns(group, stream, always_new=always_new)
        if batch is not None and self._catalog.has_place(stream.id):
            read.batches.append(batch)
            read.places.append(places)
            return
        self._take_rows(group, stream, read, always_new=always_new)

    def _stream(self, group: _Group, at: str) -> tuple[Datastream, bool]:
        links = {"Datastream": group.datastream, "MultiDatastream": group.multi}
        name = chosen({name: link for name, link in links.items() if link is not None}, at)
        number = read_link(links[name], f"{at}.{name}")
        if number is None:
            raise RequestError('expected a link {"@iot.id": …}', place=f"{at}.{name}")
        streams = self._catalog.streams
        try:
            stream = (streams.multi if name == "MultiDatastream" else streams.plain).get(number)
        except NotFound as error:
            raise RequestError(str(error), place=f"{at}.{name}") from error
        reason = why_computed(number, self._catalog)
        if reason is not None:
            raise RequestError(reason, place=f"{at}.{name}")
        return stream, stream.properties.get("nilometer", {}).get("identity") != "time"

    def _take_rows(self, group: _Group, stream: Datastream, read: _Read, *, always_new: bool) -> None:
        rows: list[NewRow] = []
        places: list[int] = []
        has_place, now = self._catalog.has_place(stream.id), self._pipeline.clock()
        for offset, cells in enumerate(group.rows):
            try:
                rows.append(self._row(group.components, cells, stream, now, has_place=has_place))
                places.append(read.n + offset)
            except (RequestError, NotFound) as error:
                read.errors[read.n + offset] = str(error)
        if rows:
            read.batches.append(batch_of(rows, [always_new] * len(rows)))
            read.places.append(np.array(places, np.int64))

    def _row(
        self, components: list[str], cells: tuple[Any, ...], stream: Datastream, now: int, *, has_place: bool
    ) -> NewRow:
        if len(cells) != len(components):
            raise RequestError(f"{len(cells)} values for {len(components)} components")
        values: dict[str, Any] = {}
        feature = 0
        for name, cell in zip(components, cells, strict=True):
            if name in _FEATURE:
                feature = 0 if cell is None else self._feature(cell)
            else:
                check_nesting(cell, name)
                values[name] = read_value(OBSERVATION, name, cell, name)
        if not feature and not has_place:
            raise RequestError(NO_PLACE, place="FeatureOfInterest")
        if isinstance(stream, MultiDatastream):
            check_result(values["result"], stream, "result")
        return row_of(values, stream.id, feature, now, "row")

    def _feature(self, cell: object) -> int:
        if not isinstance(cell, int) or isinstance(cell, bool):
            raise RequestError(f"{str(cell)[:60]!r} is no id: ids are whole numbers", place="FeatureOfInterest/id")
        return self._catalog.feature(cell).id


def _check_components(components: list[str], at: str) -> None:
    for name in components:
        if name not in _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            raise RequestError(f"{name[:60]!r} is no component (known: {known})", place=at)
    if len(set(components)) != len(components):
        raise RequestError("a component stands twice", place=at)
    if "result" not in components:
        raise RequestError("result is missing", place=at)


def _columns(group: _Group, stream: Datastream, *, always_new: bool) -> ObservationBatch | None:
    """Return a group of plain times and numbers, or arrays, as columns; None: it has to be looked at row by row."""
    components, n = group.components, len(group.rows)
    if not _PLAIN.issuperset(components) or "phenomenonTime" not in components:
        return None
    if set(map(len, group.rows)) != {len(components)}:
        return None
    columns = dict(zip(components, zip(*group.rows, strict=True), strict=True))
    width = stream.width if isinstance(stream, MultiDatastream) else 0
    extra = _arrays(columns["result"], width) if width else None
    results = _numbers(columns["result"]) if extra is None else np.full(n, np.nan)
    times = _times(columns["phenomenonTime"], required=True)
    result_times = _times(columns["resultTime"], required=False) if "resultTime" in columns else None
    if results is None or times is None or ("resultTime" in columns and result_times is None):
        return None
    return ObservationBatch(
        datastream=np.full(n, stream.id, np.int32),
        always_new=np.full(n, always_new),
        phenomenon_time=times,
        raw_result=results,
        result_time=result_times,
        extra=extra,
    )


def _numbers(column: tuple[Any, ...]) -> NDArray[np.float64] | None:
    """Return numbers that float64 holds exactly, NaN for null; None: there is something else."""
    kinds = set(map(type, column))
    if not kinds <= {float, int, type(None)}:
        return None
    if int in kinds and any(type(cell) is int and abs(cell) > 2**53 for cell in column):
        return None
    values = np.array(column, np.float64)  # of null it makes NaN, which no JSON number is
    return None if np.isinf(values).any() else values


def _arrays(column: tuple[Any, ...], width: int) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return arrays of a length as rows keep them, else None; see `batch_of`."""
    if set(map(type, column)) != {list} or set(map(len, column)) != {width}:
        return None
    encode = msgspec.json.Encoder().encode
    return pa.array([encode({"@result": result}) for result in column], pa.binary()).cast(pa.string())


def _times(column: tuple[Any, ...], *, required: bool) -> NDArray[np.int64] | None:
    """Return instants in µs, else None."""
    if not set(map(type, column)) <= ({str} if required else {str, type(None)}):
        return None
    try:
        moments = pa.array(column, pa.string()).cast(_TIME).cast(pa.int64())
    except pa.ArrowInvalid:
        return None  # intervals, other spellings, or no times at all
    values: NDArray[np.int64] = np.asarray(moments.fill_null(NO_TIME).to_numpy(zero_copy_only=False), np.int64)
    given = values if required else values[values != NO_TIME]
    inside = bool(((given >= _FIRST) & (given <= _LAST)).all())
    return values if inside else None


def _answer(ids: NDArray[np.int64], errors: dict[int, str], root: str) -> bytes:
    """Return a text for each row: its link, or what is wrong with it."""
    link = msgspec.json.encode(f"{root}/Observations(").decode()[:-1]  # a client says our name as it likes
    between = f')",{link}'
    if len(ids) and ids.all():
        return f'[{link}{between.join(map(str, ids.tolist()))})"]'.encode()
    texts = [f'{link}{number})"' for number in ids.tolist()]
    for row in np.flatnonzero(ids == 0).tolist():
        reason = errors.get(row, "the row was refused")
        texts[row] = msgspec.json.encode(f"error: {reason}").decode()
    return f"[{','.join(texts)}]".encode()
