"""``POST /api/v1/observations``: many rows at a time; bad ones are named and do not undo the good ones."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.errors import NotFound, near
from nilometer.model import ObservationBatch, SampleKind
from nilometer.pipeline import IngestOutcome, Pipeline
from nilometer.pipeline.computed import why_computed
from nilometer.store import Catalog
from nilometer.store.admission import NEW, REJECTED, REVISED, UNCHANGED
from nilometer.web.api.bodies import Body, read_body
from nilometer.web.api.columns import MOST_REASONS, Refusals, numbers, texts, times
from nilometer.web.api.one_row import MOST_BYTES as ONE_ROW_BYTES
from nilometer.web.api.one_row import read_one_row
from nilometer.web.exchange import Budget, Exchange
from nilometer.web.sensorthings.quality import PARAMETER_PREFIX

__all__ = ["MOST_BYTES", "Bulk", "BulkOutcome", "Good", "good_rows"]

MOST_BYTES = 256 << 20
ROWS_A_DELIVERY = 131_072
MOST_AHEAD = 3
_NEAR_NAMES_UP_TO = 2_000


class BulkOutcome(msgspec.Struct):
    """What became of the rows; `errors` has the first hundred."""

    accepted: int = 0
    unchanged: int = 0
    revised: int = 0
    rejected: int = 0
    errors: list[dict[str, Any]] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class Good:
    """The rows that can be delivered, and what is known of the others."""

    batch: ObservationBatch
    row: NDArray[np.int64]
    refused: int
    reasons: dict[int, str]


class Bulk:
    """The endpoint.

    Parameters
    ----------
    pipeline : Pipeline
        Where rows go.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._budget = Budget(2 * MOST_BYTES)

    async def handle(self, exchange: Exchange) -> None:
        """Read, deliver, and answer when all of it is durable.

        Raises
        ------
        RequestError, StoreError
            When the body as a whole cannot be read, or the store refuses; what was delivered before stays, and the
            same body may be sent again: rows that are there already come back as unchanged.
        """
        body = await exchange.body(MOST_BYTES, self._budget)
        size = len(body)
        try:
            if size <= ONE_ROW_BYTES and exchange.media_type == "application/json":
                outcome = await self._single(body)
                if outcome is not None:
                    await self._answer(exchange, outcome)
                    return
            good = await asyncio.to_thread(self._prepare, body, exchange.media_type)
            del body
            outcome = await self._deliver(good)
        finally:
            self._budget.release(size)
        await self._answer(exchange, outcome)

    async def _answer(self, exchange: Exchange, outcome: BulkOutcome) -> None:
        stored = outcome.accepted + outcome.unchanged + outcome.revised
        status = HTTPStatus.OK if stored or not outcome.rejected else HTTPStatus.BAD_REQUEST
        await exchange.answer_json(outcome, status)

    async def _single(self, body: bytes) -> BulkOutcome | None:
        """Store a body that is one plain row; None: it is not."""
        row = read_one_row(body)
        number = None if row is None else _find(row.datastream, self._pipeline.store.catalog)
        if row is None or number is None or why_computed(number, self._pipeline.store.catalog):
            return None
        done = await self._pipeline.ingest_one(number, row.time, row.result)
        return BulkOutcome(
            accepted=int(done.status == NEW),
            unchanged=int(done.status == UNCHANGED),
            revised=int(done.status == REVISED),
            rejected=int(done.status == REJECTED),
            errors=[{"row": 0, "reason": done.reason}] if done.status == REJECTED else [],
        )

    def _prepare(self, body: bytes, media_type: str) -> Good:
        return good_rows(read_body(body, media_type), self._pipeline.store.catalog)

    async def _deliver(self, good: Good) -> BulkOutcome:
        outcome = BulkOutcome(rejected=good.refused)
        reasons = dict(good.reasons)
        async for start, done in self._delivered(good.batch):
            outcome.accepted += done.accepted
            outcome.unchanged += done.unchanged
            outcome.revised += done.revised
            outcome.rejected += done.rejected
            reasons |= {int(good.row[start + row]): reason for row, reason in done.errors}
        outcome.errors = [{"row": row, "reason": reasons[row]} for row in sorted(reasons)[:MOST_REASONS]]
        return outcome

    async def _delivered(self, batch: ObservationBatch) -> AsyncIterator[tuple[int, IngestOutcome]]:
        """Deliver rows in parts, a few at a time: while one is written the next is judged."""
        waiting: deque[tuple[int, asyncio.Future[IngestOutcome]]] = deque()
        try:
            for start in range(0, len(batch), ROWS_A_DELIVERY):
                if len(waiting) == MOST_AHEAD:
                    first, answer = waiting.popleft()
                    yield first, await answer
                some = slice(start, min(start + ROWS_A_DELIVERY, len(batch)))
                waiting.append((start, await self._pipeline.queue(batch.take(some))))
            while waiting:
                first, answer = waiting.popleft()
                yield first, await answer
        finally:
            for _, answer in waiting:
                answer.cancel()  # nobody asks for it any more


def good_rows(body: Body, catalog: Catalog) -> Good:
    """Return the rows of a body that can be delivered.

    Parameters
    ----------
    body : Body
        As it was read.
    catalog : Catalog
        For keys, ids and samples.

    Raises
    ------
    RequestError
        If a column is of a type that cannot hold its values.
    """
    columns = body.columns
    n = body.n - len(body.broken)
    refusals = Refusals(n)
    datastream = _datastreams(columns["datastream"], catalog, refusals)
    batch = ObservationBatch(
        datastream=datastream,
        phenomenon_time=times(columns["phenomenon_time"], "phenomenon_time", refusals, required=True),
        raw_result=numbers(columns["result"], "result", refusals),
        duration=_durations(columns, refusals),
        result_time=times(columns["result_time"], "result_time", refusals, required=False)
        if "result_time" in columns
        else None,
        censored=_censored(columns, refusals),
        mark=texts(columns["mark"], "mark") if "mark" in columns else None,
        extra=_parameters(columns, refusals),
        depth=_optional(columns, "depth", refusals),
        latitude=_optional(columns, "latitude", refusals),
        longitude=_optional(columns, "longitude", refusals),
    )
    batch.feature = _features(columns, datastream, catalog, refusals)
    rows = body.rows()
    reasons = {int(rows[row]): reason for row, reason in refusals.reasons.items()} | body.broken
    if refusals.refused.any():
        kept = ~refusals.refused
        batch, rows = batch.take(kept), rows[kept]
    return Good(batch, rows, int(refusals.refused.sum()) + len(body.broken), reasons)


def _datastreams(column: Any, catalog: Catalog, refusals: Refusals) -> NDArray[np.int32]:  # noqa: ANN401 -- pyarrow
    """Look each distinct key or id up once."""
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks() if pa.types.is_dictionary(column.type) else column
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    names = encoded.dictionary.to_pylist()
    ids = np.zeros(len(names) + 1, np.int32)  # the last stands for null
    hints = 0
    reasons = ["datastream is missing"] * len(ids)
    for place, name in enumerate(names):
        number = _find(name, catalog)
        if name in {None, ""}:
            continue
        if number is None:
            reasons[place] = f"no Datastream {name!r}" + (_hint(name, catalog) if hints < 10 else "")
            hints += 1
        elif (computed := why_computed(number, catalog)) is not None:
            reasons[place] = computed
        else:
            ids[place] = number
    found = ids[codes]
    unknown = found == 0
    if unknown.any():
        refusals.refuse(unknown, lambda row: reasons[codes[row]])
    return found


def _find(name: Any, catalog: Catalog) -> int | None:  # noqa: ANN401 -- a key, an id or anything
    if isinstance(name, str) and not name.isdecimal():
        known = catalog.datastream_by_key(name)
        return None if known is None else known.id
    if isinstance(name, int | str) and not isinstance(name, bool) and len(str(name)) < 10:
        return _by_id(int(name), catalog)
    return None


def _by_id(number: int, catalog: Catalog) -> int | None:
    try:
        return catalog.datastream(number).id
    except NotFound:
        return None


def _hint(name: Any, catalog: Catalog) -> str:  # noqa: ANN401 -- a key, an id or anything
    keys = [datastream.key for datastream in catalog.datastreams()[:_NEAR_NAMES_UP_TO]]
    close = near(str(name)[:100], keys)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _optional(columns: dict[str, Any], name: str, refusals: Refusals) -> NDArray[np.float64] | None:
    return numbers(columns[name], name, refusals) if name in columns else None


def _durations(columns: dict[str, Any], refusals: Refusals) -> NDArray[np.int64] | None:
    seconds = _optional(columns, "duration_s", refusals)
    if seconds is None:
        return None
    bad = (seconds < 0) | (np.abs(seconds) > 1e10)
    if bad.any():
        refusals.refuse(bad, lambda row: f"duration_s {seconds[row]:g} is not from 0 to 1e10")
    usable = np.isfinite(seconds) & ~bad
    return np.rint(np.where(usable, seconds, 0.0) * 1e6).astype(np.int64)


def _censored(columns: dict[str, Any], refusals: Refusals) -> NDArray[np.int8] | None:
    values = _optional(columns, "censored", refusals)
    if values is None:
        return None
    values = np.nan_to_num(values, nan=0.0, posinf=9.0, neginf=9.0)
    bad = ~np.isin(values, (-1, 0, 1))
    if bad.any():
        refusals.refuse(bad, lambda row: f"censored {values[row]:g} is none of -1, 0, 1")
    return np.where(bad, 0, values).astype(np.int8)


def _parameters(columns: dict[str, Any], refusals: Refusals) -> Any:  # noqa: ANN401 -- pyarrow has no types
    if "parameters" not in columns:
        return None
    column = texts(columns["parameters"], "parameters")
    encoded = column.dictionary_encode()
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    wrong = [*(_wrong_with(text) for text in encoded.dictionary.to_pylist()), ""]
    bad = np.array([bool(reason) for reason in wrong])
    refusals.refuse(bad[codes], lambda row: wrong[codes[row]])
    return column


def _wrong_with(text: str) -> str:
    """Say why a text is no parameters; empty: it is some."""
    try:
        names = msgspec.json.decode(text, type=dict)
    except (msgspec.DecodeError, RecursionError):
        return "parameters is no JSON object"
    ours = next((name for name in names if name.startswith(PARAMETER_PREFIX)), None)
    if ours is None:
        return ""
    return f"a parameter's name does not start with {PARAMETER_PREFIX}, as {ours[:60]!r} does"


def _features(
    columns: dict[str, Any], datastream: NDArray[np.int32], catalog: Catalog, refusals: Refusals
) -> NDArray[np.int32] | None:
    """Return the FeaturesOfInterest of samples: one lookup for each Datastream and kind of sample."""
    if "sample" not in columns:
        return None
    encoded = texts(columns["sample"], "sample").dictionary_encode()
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    names = encoded.dictionary.to_pylist()
    kinds = np.array([_sample_kind(name) for name in names] + [0], np.int64)
    kind = kinds[codes]
    refusals.refuse(kind < 0, lambda row: f"sample {names[codes[row]]!r} is none of {_SAMPLES}")
    feature = np.zeros(len(kind), np.int32)
    wanted = (kind > 0) & ~refusals.refused
    pairs, place = np.unique(np.stack([datastream[wanted], kind[wanted]]), axis=1, return_inverse=True)
    made = [catalog.sample_feature(int(number), SampleKind(int(what))) for number, what in pairs.T]
    feature[wanted] = np.array(made, np.int32)[place.reshape(-1)] if made else 0
    return feature


_SAMPLES = ", ".join(kind.name.lower() for kind in SampleKind)


def _sample_kind(name: str) -> int:
    try:
        return int(SampleKind[name.strip().upper()])
    except KeyError:
        return -1
